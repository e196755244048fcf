// What the files of the type `complex` share.
#pragma once

#include "Python.h"

namespace amphis {

// The result of __complex__; null without an exception when the type has none.
PyObject* complex_special(PyObject* value);
PyObject* complex_of_type(PyTypeObject* type, Py_complex value);
PyObject* complex_from_text(PyTypeObject* type, PyObject* text);
PyObject* complex_repr(PyObject* z);

}  // namespace amphis
