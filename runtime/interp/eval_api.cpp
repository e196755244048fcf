// PyEval_*: what C code may ask of the running interpreter beyond frames.
#include "interp/frame.h"
#include "objects/code.h"
#include "sync/ref.h"

using namespace amphis;

extern "C" {

int PyEval_MergeCompilerFlags(PyCompilerFlags* flags) {
  Frame* f = current_frame(current_thread());
  if (f != nullptr) flags->cf_flags |= f->code->co_flags & PyCF_MASK;
  return flags->cf_flags != 0;
}

const char* PyEval_GetFuncName(PyObject* func) {
  if (PyMethod_Check(func)) return PyEval_GetFuncName(PyMethod_GET_FUNCTION(func));
  if (PyFunction_Check(func)) return PyUnicode_AsUTF8(reinterpret_cast<PyFunctionObject*>(func)->func_name);
  if (PyCFunction_Check(func)) return reinterpret_cast<PyCFunctionObject*>(func)->m_ml->ml_name;
  return Py_TYPE(func)->tp_name;
}

const char* PyEval_GetFuncDesc(PyObject* func) {
  if (PyMethod_Check(func) || PyFunction_Check(func) || PyCFunction_Check(func)) return "()";
  return " object";
}

PyObject* PyEval_EvalFrame(PyFrameObject* frame) { return PyEval_EvalFrameEx(frame, 0); }

PyObject* PyEval_EvalFrameEx(PyFrameObject*, int) {
  PyErr_SetString(PyExc_NotImplementedError, "frames are run by the interpreter only: call the function instead");
  return nullptr;
}

}  // extern "C"
