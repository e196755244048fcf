// What the C API says about CPython's own machine: generators made from its frames, its evaluation function, the stack effects
// of its instructions. This machine has nothing of the kind, and each function says so.
#include "Python.h"

namespace {

PyObject* no_bare_frames(const char* what) {
  PyErr_Format(PyExc_NotImplementedError, "%s(): a generator of this runtime is made by calling its function", what);
  return nullptr;
}

}  // namespace

extern "C" {

// These take over the frame.
PyObject* PyGen_New(PyFrameObject* frame) {
  Py_DECREF(reinterpret_cast<PyObject*>(frame));
  return no_bare_frames("PyGen_New");
}
PyObject* PyGen_NewWithQualName(PyFrameObject* frame, PyObject*, PyObject*) {
  Py_DECREF(reinterpret_cast<PyObject*>(frame));
  return no_bare_frames("PyGen_NewWithQualName");
}
PyObject* PyCoro_New(PyFrameObject* frame, PyObject*, PyObject*) {
  Py_DECREF(reinterpret_cast<PyObject*>(frame));
  return no_bare_frames("PyCoro_New");
}
PyObject* PyAsyncGen_New(PyFrameObject* frame, PyObject*, PyObject*) {
  Py_DECREF(reinterpret_cast<PyObject*>(frame));
  return no_bare_frames("PyAsyncGen_New");
}

PyObject* _PyEval_EvalFrameDefault(PyThreadState*, struct _PyInterpreterFrame*, int) {
  PyErr_SetString(PyExc_NotImplementedError, "frames of this runtime cannot be run by another evaluator");
  return nullptr;
}

int PyCompile_OpcodeStackEffect(int, int) { return PY_INVALID_STACK_EFFECT; }
int PyCompile_OpcodeStackEffectWithJump(int, int, int) { return PY_INVALID_STACK_EFFECT; }

}  // extern "C"
