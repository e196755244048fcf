// Sets: what other parts of the runtime call beyond the C API.
#pragma once

#include "Python.h"

namespace amphis {

// set.update(iterable): 0 or -1.
int set_update(PyObject* set, PyObject* iterable);

}  // namespace amphis
