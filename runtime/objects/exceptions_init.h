// Start-up of the exception classes.
#pragma once

#include "Python.h"

namespace amphis {

// After init_static_types(). 0 or -1.
int init_exceptions();
// Adds every exception class to the builtins namespace. 0 or -1.
int add_exceptions_to(PyObject* builtins_dict);

}  // namespace amphis
