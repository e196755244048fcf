// Owns the one-byte mutex. Locking never raises; a thread that has to wait detaches from the interpreter
// first.
#ifndef AMPHIS_ABI_LOCK_H
#define AMPHIS_ABI_LOCK_H

#include "atomic.h"

// Not in the limited API of builds with the GIL.
#if !defined(Py_LIMITED_API) || defined(_Py_OPAQUE_PYOBJECT)
Py_BEGIN_C_DECLS

    typedef struct PyMutex {
  uint8_t _bits;
} PyMutex;
#define _Py_UNLOCKED 0
#define _Py_LOCKED 1

PyAPI_FUNC(void) PyMutex_Lock(PyMutex* m);
PyAPI_FUNC(void) PyMutex_Unlock(PyMutex* m);
PyAPI_FUNC(int) PyMutex_IsLocked(PyMutex* m);

#ifndef Py_LIMITED_API
// The uncontended cases, inline; the functions above take the same mutexes.
static inline void _PyMutex_Lock(PyMutex* m) {
  uint8_t expected = _Py_UNLOCKED;
  if (!_Py_atomic_compare_exchange_uint8(&m->_bits, &expected, _Py_LOCKED)) PyMutex_Lock(m);
}
static inline void _PyMutex_Unlock(PyMutex* m) {
  uint8_t expected = _Py_LOCKED;
  if (!_Py_atomic_compare_exchange_uint8(&m->_bits, &expected, _Py_UNLOCKED)) PyMutex_Unlock(m);
}
static inline int _PyMutex_IsLocked(PyMutex* m) {
  return (_Py_atomic_load_uint8(&m->_bits) & _Py_LOCKED) != 0;
}
#define PyMutex_Lock _PyMutex_Lock
#define PyMutex_Unlock _PyMutex_Unlock
#define PyMutex_IsLocked _PyMutex_IsLocked
#endif

Py_END_C_DECLS
#endif

#endif
