// Starting and stopping the tracing of memory, for -X tracemalloc and the end of the runtime.
#pragma once

#include "Python.h"

namespace amphis {

// Remembers `frames` frames of each allocation from now on. 0, or -1 with ValueError or MemoryError.
int tracemalloc_start(int frames);
void tracemalloc_stop();

}  // namespace amphis
