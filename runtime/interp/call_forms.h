// Calls of what is not written in Python: what the specialised CALL instructions do, one for each calling convention.
//
// A form holds no data. Each time it looks at the callable's type and the flags of its definition, which it has to load anyway,
// and else it does nothing; so any thread may give a site another form at any moment. Which one a site gets is chosen in
// ops_call.cpp.
//
// Arguments are handed over where they lie: the registers of a run look to C like an array of objects. What they own is dropped
// after the call; when it has failed, the unwinding does that.
#pragma once

#include "Python.h"
#include "interp/load.h"
#include "interp/value.h"
#include "objects/cfunction.h"
#include "objects/method.h"
#include "objects/type.h"
#include "objects/type_slots.h"
#include "sync/recursion.h"

namespace amphis {

// The arguments of a call, made into the array of borrowed pointers that C functions take: right in their registers,
// by moving the "owned" bits into a mask. Until they are put back or dropped the registers look borrowed, which the
// collector takes for one more reference, and nobody else reads temporaries.
class ArgumentRun {
  Value* regs_;
  uint32_t count_;
  uint64_t owned_ = 0;

 public:
  static constexpr uint32_t kMost = 64;

  // False with MemoryError; then the registers are as before.
  AMPHIS_ALWAYS_INLINE bool prepare(Value* regs, uint32_t count) {
    regs_ = regs;
    count_ = count;
    for (uint32_t i = 0; i < count; ++i) {
      const Value v = regs[i];
      if (is_pointer(v)) [[likely]] {
        owned_ |= (v & kOwned) << i;
        regs[i] = v & ~kOwned;
      } else {
        PyObject* boxed = box_slow(v);
        if (boxed == nullptr) {
          count_ = i;
          restore();
          return false;
        }
        owned_ |= uint64_t{1} << i;
        regs[i] = value_borrowed(boxed);
      }
    }
    return true;
  }
  PyObject** items() const { return reinterpret_cast<PyObject**>(regs_); }
  AMPHIS_ALWAYS_INLINE void restore() {
    for (uint32_t i = 0; i < count_; ++i) regs_[i] |= owned_ >> i & 1;
  }
  AMPHIS_ALWAYS_INLINE void consume() {
    for (uint32_t i = 0; i < count_; ++i) {
      PyObject* o = pointer_of(regs_[i]);
      regs_[i] = kEmpty;
      if (owned_ >> i & 1) Py_DECREF(o);
    }
  }
};

constexpr int kCallConvention = METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;

AMPHIS_ALWAYS_INLINE PyObject* checked_result(ThreadState* ts, PyObject* callable, PyObject* result) {
  if ((result == nullptr) == (ts->current_exception != nullptr)) [[likely]] return result;
  return check_call_result(callable, result);
}

// What C code is called with: its definition and its self, which for a method descriptor is the first argument. False: it is
// neither, or not for this object.
AMPHIS_ALWAYS_INLINE bool find_function(PyObject* callable, PyMethodDef** def, PyObject** self) {
  if (!Py_IS_TYPE(callable, &PyCFunction_Type)) return false;
  *def = reinterpret_cast<PyCFunctionObject*>(callable)->m_ml;
  *self = PyCFunction_GET_SELF(callable);
  return true;
}
AMPHIS_ALWAYS_INLINE bool find_method(PyObject* callable, const Value* args, uint32_t nargs, PyMethodDef** def, PyObject** self) {
  if (!Py_IS_TYPE(callable, &PyMethodDescr_Type) || nargs == 0 || !is_pointer(args[0])) return false;
  auto* descr = reinterpret_cast<PyMethodDescrObject*>(callable);
  *self = pointer_of(args[0]);
  PyTypeObject* of = descr->d_common.d_type;
  if (!Py_IS_TYPE(*self, of) && !PyType_IsSubtype(Py_TYPE(*self), of)) return false;
  *def = descr->d_method;
  return true;
}

AMPHIS_ALWAYS_INLINE void drop_arguments(Value* args, uint32_t nargs) {
  for (uint32_t i = 0; i < nargs; ++i) {
    const Value v = args[i];
    args[i] = kEmpty;
    drop(v);
  }
}

// The form for C functions (kIsMethod: method descriptors) of one convention. False: it is something else, with nothing done.
// *result is null with an exception. Consumes the arguments when there is none.
template <int kFlags, bool kIsMethod>
AMPHIS_ALWAYS_INLINE bool call_c(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject** result) {
  constexpr uint32_t kSelf = kIsMethod ? 1 : 0;
  if (kFlags == METH_NOARGS && nargs != kSelf) return false;
  if (kFlags == METH_O && nargs != kSelf + 1) return false;
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  if (kIsMethod ? !find_method(callable, args, nargs, &def, &self) : !find_function(callable, &def, &self)) return false;
  if ((def->ml_flags & kCallConvention) != kFlags || stack_nearly_full(ts)) return false;
  PyObject* returned;
  if constexpr (kFlags == METH_NOARGS || kFlags == METH_O) {
    PyObject* argument = nullptr;
    if constexpr (kFlags == METH_O) {
      if (!is_pointer(args[kSelf])) {
        argument = box_slow(args[kSelf]);
        if (argument == nullptr) {
          *result = nullptr;
          return true;
        }
        args[kSelf] = value_owned(argument);
      } else {
        argument = pointer_of(args[kSelf]);
      }
    }
    {
      checked::NativeCall call(def);
      returned = def->ml_meth(self, argument);
    }
    *result = checked_result(ts, callable, returned);
    if (*result != nullptr) drop_arguments(args, nargs);
    return true;
  } else {
    ArgumentRun run;
    *result = nullptr;
    if (!run.prepare(args + kSelf, nargs - kSelf)) return true;
    const auto n = static_cast<Py_ssize_t>(nargs - kSelf);
    {
      checked::NativeCall call(def);
      if constexpr (kFlags == METH_FASTCALL) {
        returned = cfunction_detail::target<PyCFunctionFast>(def)(self, run.items(), n);
      } else {
        returned = cfunction_detail::target<PyCFunctionFastWithKeywords>(def)(self, run.items(), n, nullptr);
      }
    }
    *result = checked_result(ts, callable, returned);
    if (*result == nullptr) {
      run.restore();
      return true;
    }
    run.consume();
    if (kIsMethod) drop_arguments(args, 1);
    return true;
  }
}

// C functions and method descriptors that take keywords in an array, with keywords.
AMPHIS_ALWAYS_INLINE bool call_c_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames,
                                          PyObject** result) {
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  uint32_t skip = 0;
  if (!find_function(callable, &def, &self)) {
    const auto keywords = static_cast<uint32_t>(PyTuple_GET_SIZE(kwnames));
    if (nargs <= keywords || !find_method(callable, args, nargs, &def, &self)) return false;
    skip = 1;
  }
  if ((def->ml_flags & kCallConvention) != (METH_FASTCALL | METH_KEYWORDS) || stack_nearly_full(ts)) return false;
  ArgumentRun run;
  *result = nullptr;
  if (!run.prepare(args + skip, nargs - skip)) return true;
  PyObject* returned;
  {
    checked::NativeCall call(def);
    returned = cfunction_detail::target<PyCFunctionFastWithKeywords>(def)(
        self, run.items(), static_cast<Py_ssize_t>(nargs - skip) - PyTuple_GET_SIZE(kwnames), kwnames);
  }
  *result = checked_result(ts, callable, returned);
  if (*result == nullptr) {
    run.restore();
    return true;
  }
  run.consume();
  drop_arguments(args, skip);
  return true;
}

// Any callable, through its vectorcall function. `kwnames` may be null.
AMPHIS_ALWAYS_INLINE bool call_by_vector(ThreadState* ts, PyObject* callable, vectorcallfunc function, Value* args, uint32_t nargs,
                                         PyObject* kwnames, PyObject** result) {
  if (function == nullptr || stack_nearly_full(ts)) return false;
  ArgumentRun run;
  *result = nullptr;
  if (!run.prepare(args, nargs)) return true;
  const size_t keywords = kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
  *result = checked_result(ts, callable,
                           function(callable, run.items(), (nargs - keywords) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames));
  if (*result == nullptr) {
    run.restore();
  } else {
    run.consume();
  }
  return true;
}

// Classes that the loop does not make instances of itself (class_python_init).
AMPHIS_ALWAYS_INLINE bool call_type(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject** result) {
  if (!Py_IS_TYPE(callable, &PyType_Type)) return false;
  auto* cls = reinterpret_cast<PyTypeObject*>(callable);
  if (sync::load_relaxed(cls->tp_init) == slot_init && sync::load_relaxed(cls->tp_new) == object_new) return false;
  return call_by_vector(ts, callable, sync::load_relaxed(cls->tp_vectorcall), args, nargs, nullptr, result);
}

// What is neither a class nor written in Python.
AMPHIS_ALWAYS_INLINE bool call_vector(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject** result) {
  PyTypeObject* type = Py_TYPE(callable);
  if (type == &PyFunction_Type || type == &PyMethod_Type || type == &PyType_Type) return false;
  return call_by_vector(ts, callable, vectorcall_of(callable), args, nargs, nullptr, result);
}
AMPHIS_ALWAYS_INLINE bool call_vector_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames,
                                               PyObject** result) {
  if (Py_IS_TYPE(callable, &PyFunction_Type)) return false;
  return call_by_vector(ts, callable, vectorcall_of(callable), args, nargs, kwnames, result);
}

// A call at this site went another way than its form knows: it is the general instruction again.
AMPHIS_NOINLINE void call_form_missed(const Word* pc);

}  // namespace amphis
