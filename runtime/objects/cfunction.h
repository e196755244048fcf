// How C functions are called, one vectorcall function per combination of METH_* flags. The same templates serve functions
// (self is bound) and method descriptors (self is the first argument); `Traits` tells where things are:
//   PyMethodDef* def(callable), PyTypeObject* defining_class(callable), PyObject* full_name(callable),
//   bool split(callable, args, nargs, self): takes self off the arguments or raises.
#pragma once

#include "Python.h"

#include "checked/checked.h"

namespace amphis {

PyObject* raise_no_keywords(PyObject* full_name);             // steals full_name
PyObject* raise_wrong_count(PyObject* full_name, int expected, Py_ssize_t given);  // expected: 0 or 1; steals

namespace cfunction_detail {

template <typename F>
F target(PyMethodDef* def) {
  return reinterpret_cast<F>(reinterpret_cast<void (*)()>(def->ml_meth));
}

// C functions may call back into Python; the guard keeps endless recursion from overflowing the C stack.
class Guard {
 public:
  explicit Guard(const PyMethodDef* def) : call_(def), ok_(Py_EnterRecursiveCall(" while calling a Python object") == 0) {}
  ~Guard() {
    if (ok_) Py_LeaveRecursiveCall();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  explicit operator bool() const { return ok_; }

 private:
  [[no_unique_address]] checked::NativeCall call_;
  bool ok_;
};

inline bool has_keywords(PyObject* kwnames) { return kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0; }

template <typename Traits>
PyObject* call_noargs(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  if (has_keywords(kwnames)) return raise_no_keywords(Traits::full_name(callable));
  if (nargs != 0) return raise_wrong_count(Traits::full_name(callable), 0, nargs);
  Guard guard(Traits::def(callable));
  return guard ? Traits::def(callable)->ml_meth(self, nullptr) : nullptr;
}

template <typename Traits>
PyObject* call_one(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  if (has_keywords(kwnames)) return raise_no_keywords(Traits::full_name(callable));
  if (nargs != 1) return raise_wrong_count(Traits::full_name(callable), 1, nargs);
  Guard guard(Traits::def(callable));
  return guard ? Traits::def(callable)->ml_meth(self, args[0]) : nullptr;
}

template <typename Traits>
PyObject* call_fast(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  if (has_keywords(kwnames)) return raise_no_keywords(Traits::full_name(callable));
  Guard guard(Traits::def(callable));
  return guard ? target<PyCFunctionFast>(Traits::def(callable))(self, args, nargs) : nullptr;
}

template <typename Traits>
PyObject* call_fast_keywords(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  Guard guard(Traits::def(callable));
  return guard ? target<PyCFunctionFastWithKeywords>(Traits::def(callable))(self, args, nargs, kwnames) : nullptr;
}

template <typename Traits>
PyObject* call_method(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  Guard guard(Traits::def(callable));
  if (!guard) return nullptr;
  return target<PyCMethod>(Traits::def(callable))(self, Traits::defining_class(callable), args, nargs, kwnames);
}

PyObject* call_tuple(PyMethodDef* def, PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);

template <typename Traits>
PyObject* call_varargs(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* self;
  if (!Traits::split(callable, args, nargs, self)) return nullptr;
  PyMethodDef* def = Traits::def(callable);
  if ((def->ml_flags & METH_KEYWORDS) == 0 && has_keywords(kwnames)) {
    return raise_no_keywords(Traits::full_name(callable));
  }
  Guard guard(Traits::def(callable));
  return guard ? call_tuple(def, self, args, nargs, kwnames) : nullptr;
}

}  // namespace cfunction_detail

// The vectorcall function for these flags; null if they make no sense.
template <typename Traits>
vectorcallfunc cfunction_vectorcall(int flags) {
  using namespace cfunction_detail;
  switch (flags & (METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD)) {
    case METH_VARARGS:
    case METH_VARARGS | METH_KEYWORDS:
      return call_varargs<Traits>;
    case METH_FASTCALL:
      return call_fast<Traits>;
    case METH_FASTCALL | METH_KEYWORDS:
      return call_fast_keywords<Traits>;
    case METH_NOARGS:
      return call_noargs<Traits>;
    case METH_O:
      return call_one<Traits>;
    case METH_METHOD | METH_FASTCALL | METH_KEYWORDS:
      return call_method<Traits>;
    default:
      return nullptr;
  }
}

}  // namespace amphis
