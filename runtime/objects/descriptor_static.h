// The layout that staticmethod and classmethod share.
#pragma once

#include "Python.h"

namespace amphis {

struct WrappingMethod {
  PyObject_HEAD
  PyObject* callable;
  PyObject* dict;
};

}  // namespace amphis
