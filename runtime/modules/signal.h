// What the other parts of the runtime ask of signal handling.
#pragma once

#include "Python.h"

namespace amphis {

// Gives the signals that the module took over back to the system's default, as the runtime ends.
void signals_restore();

}  // namespace amphis
