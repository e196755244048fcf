// What the extension modules of this folder share: an owning handle and shorthands, over Python.h alone.
#pragma once

#include "Python.h"

#include <utility>

namespace ext {

// Owns one reference, or none.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* steals) : p_(steals) {}
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* old = std::exchange(p_, std::exchange(other.p_, nullptr));
    Py_XDECREF(old);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  Py_ALWAYS_INLINE ~Ref() { Py_XDECREF(p_); }

  PyObject* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  PyObject* release() { return std::exchange(p_, nullptr); }
  // For functions that store a new reference.
  PyObject** out() {
    Py_CLEAR(p_);
    return &p_;
  }

 private:
  PyObject* p_ = nullptr;
};

// A held buffer.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (held_) PyBuffer_Release(&view_);
  }
  bool get(PyObject* source, int flags = PyBUF_SIMPLE) {
    held_ = PyObject_GetBuffer(source, &view_, flags) == 0;
    return held_;
  }
  const unsigned char* data() const { return static_cast<const unsigned char*>(view_.buf); }
  void* writable() const { return view_.buf; }
  Py_ssize_t size() const { return view_.len; }
  const Py_buffer* view() const { return &view_; }

 private:
  Py_buffer view_{};
  bool held_ = false;
};

// RAII: this thread lets others run.
class Away {
 public:
  Away() : state_(PyEval_SaveThread()) {}
  ~Away() { PyEval_RestoreThread(state_); }
  Away(const Away&) = delete;
  Away& operator=(const Away&) = delete;

 private:
  PyThreadState* state_;
};

// The function f(self, ...) under self's critical section.
template <auto f>
struct Synchronized;
template <class R, class... A, R (*f)(PyObject*, A...)>
struct Synchronized<f> {
  static R call(PyObject* self, A... args) {
    R result;
    Py_BEGIN_CRITICAL_SECTION(self);
    result = f(self, args...);
    Py_END_CRITICAL_SECTION();
    return result;
  }
};
template <auto f>
constexpr auto locked = &Synchronized<f>::call;

// The items of an iterable, safe from changes by code that runs meanwhile; `message` says what is wrong with others.
inline Ref as_tuple(PyObject* object, const char* message) {
  Ref tuple(PySequence_Tuple(object));
  if (!tuple && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, message);
  return tuple;
}

// Puts a type or an exception that a module's functions use into a variable of the process, which takes the reference over; what
// an earlier life of the runtime left there goes. False for null.
template <class T>
bool keep(T** variable, PyObject* made) {
  auto* old = reinterpret_cast<PyObject*>(std::exchange(*variable, reinterpret_cast<T*>(made)));
  Py_XDECREF(old);
  return made != nullptr;
}

template <class F>
PyCFunction method(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

inline bool check_positional(const char* name, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max) {
  return _PyArg_CheckPositional(name, nargs, min, max) != 0;
}

inline bool to_int(PyObject* value, int* result) {
  *result = PyLong_AsInt(value);
  return *result != -1 || !PyErr_Occurred();
}

// An integer of 64 bits; ValueError for a negative one.
inline bool to_unsigned(PyObject* object, unsigned long long* value) {
  Ref index(PyNumber_Index(object));
  if (!index) return false;
  int overflow;
  const long long number = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (overflow < 0 || (overflow == 0 && number < 0)) {
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    return false;
  }
  *value = overflow == 0 ? static_cast<unsigned long long>(number) : PyLong_AsUnsignedLongLong(index.get());
  return !PyErr_Occurred();
}

struct IntConstant {
  const char* name;
  long long value;
};
template <size_t N>
int add_constants(PyObject* module, const IntConstant (&table)[N]) {
  for (const IntConstant& constant : table) {
    if (PyModule_Add(module, constant.name, PyLong_FromLongLong(constant.value)) < 0) return -1;
  }
  return 0;
}

#define EXT_MODULE_SLOTS(exec)                                                     \
  {                                                                                \
    {Py_mod_exec, reinterpret_cast<void*>(exec)},                                  \
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},          \
    {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, nullptr},                               \
  }

}  // namespace ext
