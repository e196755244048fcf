// Formatting by a format specification (PEP 3101): what format(), str.format(), f-strings and the __format__
// methods of str and the numbers call. The specification is a str that is not empty.
#pragma once

#include "Python.h"

namespace amphis {

PyObject* format_str(PyObject* value, PyObject* spec);
PyObject* format_long(PyObject* value, PyObject* spec);
PyObject* format_float(PyObject* value, PyObject* spec);
PyObject* format_complex(PyObject* value, PyObject* spec);

}  // namespace amphis
