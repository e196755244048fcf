// What types.GenericAlias and typing.Union share: how type parameters are found and substituted (PEP 585, 604, 612,
// 646), and how a type is written inside another.
#pragma once

#include "Python.h"
#include "sync/ref.h"

namespace amphis {

struct GenericAlias {
  PyObject_HEAD
  PyObject* origin;
  PyObject* args;        // tuple
  PyObject* parameters;  // tuple; null until asked for
  PyObject* weakreflist;
  bool starred;          // *tuple[int, str]
  vectorcallfunc vectorcall;
};

inline bool is_generic_alias(PyObject* op) { return PyObject_TypeCheck(op, &Py_GenericAliasType); }

// The type variables in a tuple or list of arguments, each once: a new tuple, or null with an exception.
PyObject* generic_parameters(PyObject* args);
// args with `parameters` replaced by `item` (one argument or a tuple of them): a new tuple. self is for messages.
PyObject* generic_substitute(PyObject* self, PyObject* args, PyObject* parameters, PyObject* item);
// Writes a type the short way: int, not <class 'int'>. 0 or -1.
int write_type(PyUnicodeWriter* writer, PyObject* type);

// *slot, or on the first call generic_parameters(args) stored there; a new reference.
Ref<> cached_parameters(PyObject** slot, PyObject* args);

}  // namespace amphis
