// object's part in pickling and copying: __reduce__, __reduce_ex__ and __getstate__.
#pragma once

#include "Python.h"

namespace amphis {

PyObject* object_reduce(PyObject* self, PyObject* ignored);
PyObject* object_reduce_ex(PyObject* self, PyObject* protocol);
PyObject* object_getstate(PyObject* self, PyObject* ignored);

}  // namespace amphis
