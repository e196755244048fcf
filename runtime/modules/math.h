// What the files of the module `math` share.
#pragma once

#include "Python.h"

namespace amphis::math {

bool read_double(PyObject* v, double* out);
PyObject* domain_error();
PyObject* range_error();

// math_integer.cpp
PyObject* factorial(PyObject*, PyObject* arg);
PyObject* comb(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* perm(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* gcd(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* lcm(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* isqrt(PyObject*, PyObject* arg);

// math_sums.cpp
PyObject* fsum(PyObject*, PyObject* iterable);
PyObject* sumprod(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* prod(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* hypot(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* dist(PyObject*, PyObject* const* args, Py_ssize_t nargs);

}  // namespace amphis::math
