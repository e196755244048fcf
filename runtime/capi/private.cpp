// Private names of CPython that binaries link against and that no other file owns: each is a spelling of something that is
// public or internal here.
#include "interp/generator.h"
#include "objects/method.h"
#include "objects/template_string.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

using amphis::Ref;

extern "C" {

PyObject* _Py_CheckFunctionResult(PyThreadState*, PyObject* callable, PyObject* result, const char* where) {
  if (callable != nullptr || (result == nullptr) == (PyErr_Occurred() != nullptr)) {
    return amphis::check_call_result(callable, result);
  }
  Py_XDECREF(result);
  PyErr_Format(PyExc_SystemError,
               result == nullptr ? "%s returned NULL without setting an exception" : "%s returned a result with an exception set",
               where);
  return nullptr;
}

void _Py_FatalRefcountErrorFunc(const char* func, const char* message) { _Py_FatalErrorFunc(func, message); }
// For builds that keep a list of all objects.
void _Py_ForgetReference(PyObject*) {}
// A place for a debugger's breakpoint.
void _Py_BreakPoint(void) {}

PyObject* _PySuper_Lookup(PyTypeObject* type, PyObject* object, PyObject* name, int* method_found) {
  if (method_found != nullptr) *method_found = 0;
  Ref<> super = Ref<>::steal(
      PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type), reinterpret_cast<PyObject*>(type), object, nullptr));
  return super ? PyObject_GetAttr(super, name) : nullptr;
}

PyObject* _PyTemplate_Build(PyObject* strings, PyObject* interpolations) {
  return amphis::template_new(strings, interpolations);
}
// The conversion is an FVC_* code.
PyObject* _PyInterpolation_Build(PyObject* value, PyObject* text, int conversion, PyObject* format_spec) {
  return amphis::interpolation_new(value, text, conversion, format_spec);
}

// Raises StopIteration(value), so that a tuple or an exception stays one value.
int _PyGen_SetStopIterationValue(PyObject* value) {
  if (value == nullptr || (!PyTuple_Check(value) && !PyExceptionInstance_Check(value))) {
    PyErr_SetObject(PyExc_StopIteration, value);
    return 0;
  }
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_StopIteration, value));
  if (!exc) return -1;
  PyErr_SetObject(PyExc_StopIteration, exc);
  return 0;
}

// The value of a raised StopIteration, which is cleared; None if nothing is raised; -1 for any other exception.
int _PyGen_FetchStopIterationValue(PyObject** value) {
  *value = nullptr;
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return -1;
    Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
    *value = amphis::sync::get_ref(&reinterpret_cast<PyStopIterationObject*>(exc.get())->value, exc.get()).release();
  }
  if (*value == nullptr) *value = Py_NewRef(Py_None);
  return 0;
}

PyObject* _PyCoro_GetAwaitableIter(PyObject* o) { return amphis::coroutine_get_awaitable(o); }

PyObject* _PyThread_CurrentFrames(void) {
  Ref<> function = Ref<>::steal(PyImport_ImportModuleAttrString("sys", "_current_frames"));
  return function ? PyObject_CallNoArgs(function) : nullptr;
}

// An entry for C code in the traceback of the raised exception.
void _PyTraceback_Add(const char* function, const char* filename, int lineno) {
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  auto code = Ref<PyCodeObject>::steal(PyCode_NewEmpty(filename, function, lineno));
  Ref<> globals = code ? Ref<>::steal(PyDict_New()) : Ref<>();
  auto frame = globals ? Ref<PyFrameObject>::steal(PyFrame_New(PyThreadState_Get(), code.get(), globals, nullptr))
                       : Ref<PyFrameObject>();
  if (!frame) {
    _PyErr_ChainExceptions1(exc.release());
    return;
  }
  PyErr_SetRaisedException(exc.release());
  PyTraceBack_Here(frame.get());
}

// A dict from parallel arrays with their own strides.
PyObject* _PyDict_FromItems(PyObject* const* keys, Py_ssize_t keys_offset, PyObject* const* values,
                            Py_ssize_t values_offset, Py_ssize_t length) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  for (Py_ssize_t i = 0; dict && i < length; ++i) {
    if (PyDict_SetItem(dict, keys[i * keys_offset], values[i * values_offset]) < 0) return nullptr;
  }
  return dict.release();
}

// New reference; null without an exception if neither has the name.
PyObject* _PyDict_LoadGlobal(PyDictObject* globals, PyDictObject* builtins, PyObject* key) {
  PyObject* value;
  if (PyDict_GetItemRef(reinterpret_cast<PyObject*>(globals), key, &value) != 0) return value;
  if (PyDict_GetItemRef(reinterpret_cast<PyObject*>(builtins), key, &value) < 0) return nullptr;
  return value;
}

// Only asked to leave out work: no is always right.
int _PyCode_ReturnsOnlyNone(PyCodeObject*) { return 0; }

}  // extern "C"
