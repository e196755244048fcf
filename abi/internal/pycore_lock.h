// For generated code (mypyc's) that locks a PyMutex with a timeout: _PyMutex_LockTimed() is in amphis/private.h.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_LOCK_H
#define AMPHIS_ABI_INTERNAL_PYCORE_LOCK_H

#include "../Python.h"

#ifndef Py_LIMITED_API
// The uncontended case: 1 if the mutex was free and is now locked, else 0.
static inline int PyMutex_LockFast(PyMutex* m) {
  uint8_t expected = _Py_UNLOCKED;
  return _Py_atomic_compare_exchange_uint8(&m->_bits, &expected, _Py_LOCKED);
}
#endif

#endif
