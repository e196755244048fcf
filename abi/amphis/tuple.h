// Owns tuple and list, the two arrays of references.
#ifndef AMPHIS_ABI_TUPLE_H
#define AMPHIS_ABI_TUPLE_H

#include "float.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject_VAR_HEAD Py_hash_t ob_hash;  // -1: not computed yet
  PyObject* ob_item[1];
} PyTupleObject;
typedef struct {
  PyObject_VAR_HEAD PyObject** ob_item;
  Py_ssize_t allocated;
} PyListObject;
#endif
PyAPI_DATA(PyTypeObject) PyTuple_Type;
PyAPI_DATA(PyTypeObject) PyTupleIter_Type;
PyAPI_DATA(PyTypeObject) PyList_Type;
PyAPI_DATA(PyTypeObject) PyListIter_Type;
PyAPI_DATA(PyTypeObject) PyListRevIter_Type;
#define PyTuple_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_TUPLE_SUBCLASS)
#define PyTuple_CheckExact(op) Py_IS_TYPE((op), &PyTuple_Type)
#define PyList_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_LIST_SUBCLASS)
#define PyList_CheckExact(op) Py_IS_TYPE((op), &PyList_Type)
#ifndef Py_LIMITED_API
#define _PyTuple_CAST(op) (assert(PyTuple_Check(op)), _Py_CAST(PyTupleObject*, (op)))
#define _PyList_CAST(op) (assert(PyList_Check(op)), _Py_CAST(PyListObject*, (op)))

// Unchecked access. GET borrows; SET steals and overwrites without dropping what was there.
static inline Py_ssize_t PyTuple_GET_SIZE(PyObject* op) {
  return Py_SIZE(_PyTuple_CAST(op));
}
#define PyTuple_GET_SIZE(op) PyTuple_GET_SIZE(_PyObject_CAST(op))
#define PyTuple_GET_ITEM(op, index) (_PyTuple_CAST(op)->ob_item[(index)])
static inline void PyTuple_SET_ITEM(PyObject* op, Py_ssize_t index, PyObject* value) {
  _PyTuple_CAST(op)->ob_item[index] = value;
}
#define PyTuple_SET_ITEM(op, index, value) \
  PyTuple_SET_ITEM(_PyObject_CAST(op), (index), _PyObject_CAST(value))
static inline Py_ssize_t PyList_GET_SIZE(PyObject* op) {
  return _Py_LOAD_SHARED(_PyVarObject_CAST(op)->ob_size);
}
#define PyList_GET_SIZE(op) PyList_GET_SIZE(_PyObject_CAST(op))
#define PyList_GET_ITEM(op, index) (_PyList_CAST(op)->ob_item[(index)])
static inline void PyList_SET_ITEM(PyObject* op, Py_ssize_t index, PyObject* value) {
  _PyList_CAST(op)->ob_item[index] = value;
}
#define PyList_SET_ITEM(op, index, value) PyList_SET_ITEM(_PyObject_CAST(op), (index), _PyObject_CAST(value))
#endif

// New references; PyTuple_Pack counts its arguments.
PyAPI_FUNC(PyObject*) PyTuple_New(Py_ssize_t size);
PyAPI_FUNC(PyObject*) PyTuple_Pack(Py_ssize_t, ...);
PyAPI_FUNC(PyObject*) PyTuple_GetSlice(PyObject*, Py_ssize_t, Py_ssize_t);
PyAPI_FUNC(Py_ssize_t) PyTuple_Size(PyObject*);
// Borrowed; null with IndexError.
PyAPI_FUNC(PyObject*) PyTuple_GetItem(PyObject*, Py_ssize_t);
// Steals, also on failure; only for a tuple that nobody else has seen. Resizing consumes *tuple on failure.
PyAPI_FUNC(int) PyTuple_SetItem(PyObject*, Py_ssize_t, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) _PyTuple_Resize(PyObject**, Py_ssize_t);
#endif

// New references.
PyAPI_FUNC(PyObject*) PyList_New(Py_ssize_t size);
PyAPI_FUNC(PyObject*) PyList_GetSlice(PyObject*, Py_ssize_t, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyList_AsTuple(PyObject*);
#if _Py_SINCE(3, 13)
PyAPI_FUNC(PyObject*) PyList_GetItemRef(PyObject*, Py_ssize_t);
#endif
PyAPI_FUNC(Py_ssize_t) PyList_Size(PyObject*);
// Borrowed: use PyList_GetItemRef where another thread may change the list.
PyAPI_FUNC(PyObject*) PyList_GetItem(PyObject*, Py_ssize_t);
// Steals, also on failure, and drops what was there.
PyAPI_FUNC(int) PyList_SetItem(PyObject*, Py_ssize_t, PyObject*);
// 0, or -1 with an exception; nothing is stolen.
PyAPI_FUNC(int) PyList_Insert(PyObject*, Py_ssize_t, PyObject*);
PyAPI_FUNC(int) PyList_Append(PyObject*, PyObject*);
PyAPI_FUNC(int) PyList_SetSlice(PyObject*, Py_ssize_t, Py_ssize_t, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyList_Extend(PyObject* self, PyObject* iterable);
PyAPI_FUNC(int) PyList_Clear(PyObject* self);
#endif
PyAPI_FUNC(int) PyList_Sort(PyObject*);
PyAPI_FUNC(int) PyList_Reverse(PyObject*);

Py_END_C_DECLS

#endif
