// Owns the end of exact ints, floats and strings: their memory goes back at once, or, where threads read them without counting
// (sync::allow_uncounted_reads), when all of those have passed a safepoint.
#pragma once

#include "Python.h"
#include "memory/alloc.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"

namespace amphis {

AMPHIS_ALWAYS_INLINE void free_immutable(PyObject* op) {
  if (sync::has_uncounted_reads(op)) [[unlikely]] {
    sync::retire_with([](void* memory) { free_object(memory); }, op);
  } else {
    free_object(op);
  }
}

}  // namespace amphis
