// Owns set and frozenset, which share one layout.
#ifndef AMPHIS_ABI_SET_H
#define AMPHIS_ABI_SET_H

#include "dict.h"

Py_BEGIN_C_DECLS
#ifndef Py_LIMITED_API
#define PySet_MINSIZE 8
typedef struct {
  PyObject* key;
  Py_hash_t hash;
} setentry;
typedef struct {
  PyObject_HEAD Py_ssize_t fill;  // used and dummy entries
  Py_ssize_t used;
  Py_ssize_t mask;  // capacity minus one
  setentry* table;
  Py_hash_t hash;  // of a frozenset; -1: not computed yet
  Py_ssize_t finger;
  setentry smalltable[PySet_MINSIZE];
  PyObject* weakreflist;
} PySetObject;
#endif
PyAPI_DATA(PyTypeObject) PySet_Type;
PyAPI_DATA(PyTypeObject) PyFrozenSet_Type;
PyAPI_DATA(PyTypeObject) PySetIter_Type;
#define PySet_CheckExact(op) Py_IS_TYPE(op, &PySet_Type)
#define PySet_Check(op) (Py_IS_TYPE((op), &PySet_Type) || PyType_IsSubtype(Py_TYPE(op), &PySet_Type))
#define PyFrozenSet_CheckExact(op) Py_IS_TYPE((op), &PyFrozenSet_Type)
#define PyFrozenSet_Check(op) \
  (Py_IS_TYPE((op), &PyFrozenSet_Type) || PyType_IsSubtype(Py_TYPE(op), &PyFrozenSet_Type))
#define PyAnySet_CheckExact(op) (Py_IS_TYPE((op), &PySet_Type) || Py_IS_TYPE((op), &PyFrozenSet_Type))
#define PyAnySet_Check(op) (PySet_Check(op) || PyFrozenSet_Check(op))
#ifndef Py_LIMITED_API
#define _PySet_CAST(op) (assert(PyAnySet_Check(op)), _Py_CAST(PySetObject*, op))
static inline Py_ssize_t PySet_GET_SIZE(PyObject* op) {
  return _Py_LOAD_SHARED(_PySet_CAST(op)->used);
}
#define PySet_GET_SIZE(op) PySet_GET_SIZE(_PyObject_CAST(op))
#endif

// New references; null for the iterable means empty.
PyAPI_FUNC(PyObject*) PySet_New(PyObject*);
PyAPI_FUNC(PyObject*) PyFrozenSet_New(PyObject*);
PyAPI_FUNC(PyObject*) PySet_Pop(PyObject* set);
PyAPI_FUNC(Py_ssize_t) PySet_Size(PyObject* anyset);
// Contains and Discard: 1, 0, or -1 with an exception. The others: 0 or -1. PySet_Add works on a fresh
// frozenset too.
PyAPI_FUNC(int) PySet_Contains(PyObject* anyset, PyObject* key);
PyAPI_FUNC(int) PySet_Discard(PyObject* set, PyObject* key);
PyAPI_FUNC(int) PySet_Add(PyObject* set, PyObject* key);
PyAPI_FUNC(int) PySet_Clear(PyObject* set);

Py_END_C_DECLS

#endif
