// The interned names that the runtime looks up by itself: `names.dunder_init`, `names.str_keys`.
// Invariant: after init_names() every member is an interned, immortal str that lives as long as the process.
#pragma once

#include "Python.h"

namespace amphis {

struct Names {
#define AMPHIS_DUNDER(x) PyObject* dunder_##x;
#define AMPHIS_PLAIN(x) PyObject* str_##x;
#include "objects/names.def"
#undef AMPHIS_DUNDER
#undef AMPHIS_PLAIN
};

extern Names names;

// Fills `names`. Idempotent; called before the first type is made ready. 0, or -1 with an exception.
int init_names();

}  // namespace amphis
