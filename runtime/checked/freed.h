// Freed objects under observation. For this folder only.
#pragma once

#include "checked/checked.h"

#if AMPHIS_CHECKED

#include <string>

namespace amphis::checked {

// From now on freed objects go into the quarantine.
void start_quarantine();
// Writable memory of a library: static types lie there.
void add_data_segment(uintptr_t begin, uintptr_t end);
// Whether there is no living object at this address, as far as one can tell without a list of all objects.
bool is_freed(const PyObject* op);
// The same of memory that may never have been an object's: whether it lies in the quarantine.
bool is_freed_memory(const void* p);
// "an object that was freed (a 'str', freed by PLACE)", or what else is wrong with the address.
std::string describe_freed(const PyObject* op);

}  // namespace amphis::checked

#endif
