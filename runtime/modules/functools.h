// What the files of the _functools module share.
#pragma once

#include "Python.h"
#include "objects/container_support.h"

namespace amphis::functools {

extern PyTypeObject partial_type;
extern PyTypeObject placeholder_type;
extern PyTypeObject lru_cache_type;
extern PyTypeObject lru_link_type;

// The singleton that stands for an argument of a partial that is still to come.
PyObject* placeholder();

}  // namespace amphis::functools
