// The configuration that the runtime was started with. lifecycle/ fills it in before the sys module is made; afterwards
// only PyConfig_Set and sys functions change single fields, on an attached thread.
#pragma once

#include "Python.h"

namespace amphis {

extern PyConfig running_config;
extern PyPreConfig running_preconfig;
// PYTHON_GIL, -X gil: 0 keeps the GIL off whatever is loaded, 1 turns it on, -1 leaves it to the modules.
extern int gil_request;

}  // namespace amphis
