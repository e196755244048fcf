// What the files of the _collections module share: their types.
#pragma once

#include "Python.h"
#include "objects/container_support.h"

namespace amphis::collections {

extern PyTypeObject deque_type;
extern PyTypeObject deque_iterator_type;
extern PyTypeObject deque_reverse_iterator_type;
extern PyTypeObject defaultdict_type;

}  // namespace amphis::collections
