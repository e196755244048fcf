// string.templatelib's Template and Interpolation (PEP 750), as the interpreter builds them. New references.
#pragma once

#include "Python.h"

namespace amphis {

// conversion: 0 none, 1 's', 2 'r', 3 'a'. spec null: the empty string.
PyObject* interpolation_new(PyObject* value, PyObject* expression, int conversion, PyObject* spec);
// Gives Interpolation its __match_args__. At start-up, after the static types; 0 or -1.
int init_template_strings();
// Takes two tuples (borrowed); strings has one item more than interpolations.
PyObject* template_new(PyObject* strings, PyObject* interpolations);

}  // namespace amphis
