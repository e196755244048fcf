// Joining and repeating, for callers that have the pieces in an array (the interpreter's f-strings among
// them).
#pragma once

#include "Python.h"

namespace amphis {

// separator may be null for none. Items that are no str raise TypeError.
PyObject* str_join_array(PyObject* separator, PyObject* const* items, Py_ssize_t n);
PyObject* str_repeat(PyObject* s, Py_ssize_t times);

}  // namespace amphis
