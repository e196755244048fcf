// For generated code (mypyc's) that asks here for _PyErr_FormatFromCause() and _PyErr_SetKeyError(); amphis/private.h has them.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_PYERRORS_H
#define AMPHIS_ABI_INTERNAL_PYCORE_PYERRORS_H

#include "../Python.h"

#endif
