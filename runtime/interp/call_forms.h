// Calls of what is not written in Python: what the specialised CALL instructions do, one for each calling convention.
//
// A form holds no data. Each time it looks at the callable's type and the flags of its definition, which it has to load anyway,
// and else it does nothing; so any thread may give a site another form at any moment. Which one a site gets is chosen in
// ops_call.cpp.
//
// What arguments own stays in their registers during the call and is dropped after it; when it has failed, the unwinding does that.
#pragma once

#include "Python.h"
#include "interp/load.h"
#include "interp/value.h"
#include "objects/cfunction.h"
#include "objects/method.h"
#include "objects/type.h"

namespace amphis {

// Calls with more arguments are made in the general way.
constexpr uint32_t kMostArguments = 64;
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

// Below, a null result is an exception, or, where there is none, says that the callable is something else and nothing was done.
// Arguments are consumed when there is a result. Nobody looks at the native stack: whoever enters the loop has done so.

// C functions (kIsMethod: method descriptors) of METH_NOARGS and METH_O.
template <int kFlags, bool kIsMethod>
AMPHIS_ALWAYS_INLINE PyObject* call_c(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs) {
  constexpr uint32_t kSelf = kIsMethod ? 1 : 0;
  if (nargs != kSelf + (kFlags == METH_O ? 1 : 0)) return nullptr;
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  if (kIsMethod ? !find_method(callable, args, nargs, &def, &self) : !find_function(callable, &def, &self)) return nullptr;
  if ((def->ml_flags & kCallConvention) != kFlags) return nullptr;
  PyObject* argument = nullptr;
  if constexpr (kFlags == METH_O) {
    argument = pointer_of(args[kSelf]);
    if (!is_pointer(args[kSelf])) {
      argument = box_slow(args[kSelf]);
      if (argument == nullptr) return nullptr;
      args[kSelf] = value_owned(argument);
    }
  }
  PyObject* result;
  {
    checked::NativeCall call(def);
    result = def->ml_meth(self, argument);
  }
  result = checked_result(ts, callable, result);
  if (result != nullptr) drop_arguments(args, nargs);
  return result;
}

// The rest are no part of the loop, whose registers they would take. `kwnames` may be null.
template <int kFlags, bool kIsMethod>
AMPHIS_NOINLINE PyObject* call_c_array(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs);
AMPHIS_NOINLINE PyObject* call_c_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames);
// Classes that the loop does not make instances of itself (class_python_init).
AMPHIS_NOINLINE PyObject* call_type(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs);
// What is neither a class nor written in Python, through its vectorcall function.
AMPHIS_NOINLINE PyObject* call_vector(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs);
AMPHIS_NOINLINE PyObject* call_vector_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames);

// A call at this site went another way than its form knows: it is the general instruction again.
AMPHIS_NOINLINE void call_form_missed(const Word* pc);

}  // namespace amphis
