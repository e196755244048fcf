// Functions to call as the runtime ends.
#pragma once

#include "Python.h"

namespace amphis {

// Calls what atexit.register and PyUnstable_AtExit added, last first; errors are reported and ignored.
void run_exit_callbacks();

}  // namespace amphis
