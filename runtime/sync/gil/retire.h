// GIL build of sync/retire.h: there are no concurrent readers.
#pragma once

#include "Python.h"

namespace amphis::sync {

inline void retire(void* ptr, size_t = 0) { PyMem_Free(ptr); }
inline void retire_with(void (*fn)(void*), void* ptr, size_t = 0) { fn(ptr); }
inline void retire_ref(PyObject* op) { Py_DECREF(op); }
// Frees whatever waits and can go; the collector calls it.
inline void reclaim_retired() {}
inline void reclaim_all_retired() {}

}  // namespace amphis::sync
