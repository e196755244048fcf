// How errors that nobody handles are shown.
#pragma once

#include "Python.h"

namespace amphis {

// What sys.unraisablehook is at first: writes the report that the record `args` describes to sys.stderr. None or null.
PyObject* default_unraisable_hook(PyObject* args);

}  // namespace amphis
