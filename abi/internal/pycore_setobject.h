// For generated code (mypyc's) that asks here for _PySet_Update() and _PySet_NextEntryRef(); amphis/private.h has them.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_SETOBJECT_H
#define AMPHIS_ABI_INTERNAL_PYCORE_SETOBJECT_H

#include "../Python.h"

#endif
