// The layout of zip objects, for the interpreter's loops.
#pragma once

#include "Python.h"

namespace amphis {

struct ZipObject {
  PyObject_HEAD PyObject* iterators;  // a tuple
  PyObject* result;  // the tuple to hand out again when nobody else has kept it (GIL build)
  bool strict;
};

}  // namespace amphis
