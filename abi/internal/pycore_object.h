// For generated code (mypyc's) that reads a field which another thread may be writing: a reference to an object that may be
// dying, in a fast half and a slow one.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_OBJECT_H
#define AMPHIS_ABI_INTERNAL_PYCORE_OBJECT_H

#include "../Python.h"

#if defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
// 1 and a new reference if the object is immortal or this thread's own, which nobody else can free; else 0.
static inline int _Py_TryIncrefFast(PyObject* op) {
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return 1;
  if (!_Py_IsOwnedByCurrentThread(op)) return 0;
  __atomic_store_n(&op->ob_ref_local, local + 1, __ATOMIC_RELAXED);
  return 1;
}
// 1 and a new reference if another thread's object is alive and may be read like this (PyUnstable_EnableTryIncRef()); else 0.
static inline int _Py_TryIncRefShared(PyObject* op) { return PyUnstable_TryIncRef(op); }
// A new reference to a living object, after which the above work on it; the caller holds the lock that keeps it alive.
static inline PyObject* _Py_NewRefWithLock(PyObject* op) {
  if (_Py_TryIncrefFast(op)) return op;
  PyUnstable_EnableTryIncRef(op);
  return Py_NewRef(op);
}
static inline PyObject* _Py_XNewRefWithLock(PyObject* op) { return op != _Py_NULL ? _Py_NewRefWithLock(op) : op; }
#elif !defined(Py_LIMITED_API)
#define _Py_NewRefWithLock(op) Py_NewRef(op)
#define _Py_XNewRefWithLock(op) Py_XNewRef(op)
#endif

#endif
