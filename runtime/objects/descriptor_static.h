// The layout that staticmethod and classmethod share.
#pragma once

#include "Python.h"

namespace amphis {

struct WrappingMethod {
  PyObject_HEAD
  PyObject* callable;
  PyObject* dict;
};

// A staticmethod around a C function of a type that is just being made ready: takes over no attributes.
PyObject* static_method_around(PyObject* function);

}  // namespace amphis
