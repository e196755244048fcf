// What super() without arguments stands for in the running frame; interp_init puts it into super_frame_hook.
#pragma once

#include "Python.h"

namespace amphis {

// New references; -1 with RuntimeError.
int super_arguments_of_frame(PyObject** cls, PyObject** self);

}  // namespace amphis
