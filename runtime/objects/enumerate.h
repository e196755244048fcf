// The layout of enumerate objects, for the interpreter's loops.
#pragma once

#include "Python.h"

namespace amphis {

struct EnumerateObject {
  PyObject_HEAD Py_ssize_t index;  // the next number, while big is null
  PyObject* iterator;
  PyObject* big;   // the next number once it does not fit
  PyObject* pair;  // the tuple to hand out again when nobody else has kept it (GIL build)
};

}  // namespace amphis
