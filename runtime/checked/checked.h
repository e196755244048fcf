// Checked mode: debug builds look at how extensions and embedding programs use the C API. Release builds have none of this.
//
// How: when a library is loaded, its own calls of the C API (the slots that the dynamic linker fills for it) are redirected to
// thunks, one for each function (thunks.cpp), which check what the caller has to see to, call the function, and know from their
// return address who called. The runtime's calls of itself do not pass there. Freed objects lie for a while in a quarantine
// under a type that tells on whoever touches them (freed.cpp).
//
// A finding is a SystemError where the API function can fail, and else a fatal error of one line. Both name the function of
// the extension and the method that Python called (report.cpp).
#pragma once

#include "Python.h"

#include "base/compiler.h"

#ifdef NDEBUG
#define AMPHIS_CHECKED 0
#else
#define AMPHIS_CHECKED 1
#endif

namespace amphis::checked {

#if AMPHIS_CHECKED

// Redirects the calls of every library in the process that has not been seen yet, but for the runtime's own.
void watch_libraries();

// While it lives, this thread is in a C function that Python called; it ends with a look at what the function left behind.
class NativeCall {
 public:
  explicit NativeCall(const PyMethodDef* def);
  ~NativeCall();
  NativeCall(const NativeCall&) = delete;
  NativeCall& operator=(const NativeCall&) = delete;

  const PyMethodDef* def() const { return def_; }
  static const NativeCall* newest();

 private:
  const PyMethodDef* def_;
  const NativeCall* outer_;
  uintptr_t section_;
};

// The result of a type's slot: null or -1 if and only if there is an exception. Where a slot breaks that, a SystemError names
// it, and the result is an error.
PyObject* check_slot_result(PyObject* owner, const char* slot, const void* function, PyObject* result);
Py_ssize_t check_slot_status(PyObject* owner, const char* slot, const void* function, Py_ssize_t result);
template <class F>
PyObject* slot_result(PyObject* owner, const char* slot, F* function, PyObject* result) {
  return check_slot_result(owner, slot, reinterpret_cast<const void*>(function), result);
}
template <class F>
Py_ssize_t slot_status(PyObject* owner, const char* slot, F* function, Py_ssize_t result) {
  return check_slot_status(owner, slot, reinterpret_cast<const void*>(function), result);
}
// A deallocator may look for an object in a dict while an exception is on its way.
bool is_raising();
inline Py_hash_t slot_hash(PyObject* owner, hashfunc function) {
  return is_raising() ? function(owner) : slot_status(owner, "tp_hash", function, function(owner));
}

#else

inline void watch_libraries() {}
class NativeCall {
 public:
  explicit NativeCall(const PyMethodDef*) {}
};
template <class F>
AMPHIS_ALWAYS_INLINE PyObject* slot_result(PyObject*, const char*, F*, PyObject* result) {
  return result;
}
template <class F, class R>
AMPHIS_ALWAYS_INLINE R slot_status(PyObject*, const char*, F*, R result) {
  return result;
}
AMPHIS_ALWAYS_INLINE Py_hash_t slot_hash(PyObject* owner, hashfunc function) { return function(owner); }

#endif

}  // namespace amphis::checked
