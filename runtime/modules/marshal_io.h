// The two directions of marshal, for the module and the import system.
#pragma once

#include "Python.h"

namespace amphis::marshal {

// New bytes, or null with an exception.
PyObject* write_string(PyObject* value, int version, bool allow_code);

// One object from memory; `used` is how much of it was read. Null with an exception.
PyObject* read_string(const char* data, Py_ssize_t size, bool allow_code, Py_ssize_t* used);

// One object from a Python file object.
PyObject* read_file(PyObject* file, bool allow_code);

}  // namespace amphis::marshal
