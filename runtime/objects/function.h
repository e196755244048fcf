// Python functions. The layout is PyFunctionObject's; calls from C enter the interpreter through the vectorcall entry
// that the interpreter registers here (objects/ does not know interp/).
#pragma once

#include "Python.h"

namespace amphis {

// Set once by interp_init: the vectorcall of every Python function.
extern vectorcallfunc function_entry;

}  // namespace amphis
