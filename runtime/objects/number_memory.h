// Owns the end of exact ints and floats: their memory goes back at once, or, where threads read them without counting
// (sync::allow_uncounted_reads), when all of those have passed a safepoint.
#pragma once

#include "Python.h"
#include "memory/alloc.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"

namespace amphis {

AMPHIS_ALWAYS_INLINE void free_number(PyObject* number) {
  if (sync::has_uncounted_reads(number)) [[unlikely]] {
    sync::retire_with([](void* memory) { free_object(memory); }, number);
  } else {
    free_object(number);
  }
}

}  // namespace amphis
