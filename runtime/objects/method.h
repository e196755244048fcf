// Methods of objects without making bound method objects, and how to recognise the callables that the interpreter calls
// directly.
#pragma once

#include "Python.h"

namespace amphis {

// obj.name for a call: *unbound means that the result wants obj as its first argument. New reference; null with an
// exception.
PyObject* object_get_method(PyObject* obj, PyObject* name, bool* unbound);

// Reads the vectorcall function of a callable's type, or null.
inline vectorcallfunc vectorcall_of(PyObject* callable) {
  PyTypeObject* type = Py_TYPE(callable);
  // Types have been seen that get their offset after they were made ready.
  if (!PyType_HasFeature(type, Py_TPFLAGS_HAVE_VECTORCALL) || type->tp_vectorcall_offset <= 0) return nullptr;
  return *reinterpret_cast<vectorcallfunc*>(reinterpret_cast<char*>(callable) + type->tp_vectorcall_offset);
}

// A call through tp_call with a tuple and a dict made from the array.
PyObject* call_with_tuple(PyObject* callable, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
// Turns "returned null without exception" and "returned a result with an exception" into SystemError.
PyObject* check_call_result(PyObject* callable, PyObject* result);

}  // namespace amphis
