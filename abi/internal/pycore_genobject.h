// For generated code (mypyc's) that asks here for _PyGen_FetchStopIterationValue(); amphis/private.h has it.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_GENOBJECT_H
#define AMPHIS_ABI_INTERNAL_PYCORE_GENOBJECT_H

#include "../Python.h"

#endif
