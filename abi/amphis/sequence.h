// Owns the sequence and mapping protocols and item access. Get: new reference; set and delete: 0, or -1 with
// an exception; nothing is stolen. Sizes and counts: -1 with an exception.
#ifndef AMPHIS_ABI_SEQUENCE_H
#define AMPHIS_ABI_SEQUENCE_H

#include "number.h"

Py_BEGIN_C_DECLS

PyAPI_FUNC(Py_ssize_t) PyObject_Size(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PyObject_Length(PyObject* o);
#ifndef Py_LIMITED_API
PyAPI_FUNC(Py_ssize_t) PyObject_LengthHint(PyObject* o, Py_ssize_t);
#endif
#define PyObject_Length PyObject_Size
PyAPI_FUNC(PyObject*) PyObject_GetItem(PyObject* o, PyObject* key);
PyAPI_FUNC(int) PyObject_SetItem(PyObject* o, PyObject* key, PyObject* v);
PyAPI_FUNC(int) PyObject_DelItem(PyObject* o, PyObject* key);
PyAPI_FUNC(int) PyObject_DelItemString(PyObject* o, const char* key);

PyAPI_FUNC(int) PySequence_Check(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PySequence_Size(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PySequence_Length(PyObject* o);
PyAPI_FUNC(PyObject*) PySequence_Concat(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PySequence_Repeat(PyObject* o, Py_ssize_t count);
PyAPI_FUNC(PyObject*) PySequence_InPlaceConcat(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PySequence_InPlaceRepeat(PyObject* o, Py_ssize_t count);
#define PySequence_Length PySequence_Size
PyAPI_FUNC(PyObject*) PySequence_GetItem(PyObject* o, Py_ssize_t i);
PyAPI_FUNC(int) PySequence_SetItem(PyObject* o, Py_ssize_t i, PyObject* v);
PyAPI_FUNC(int) PySequence_DelItem(PyObject* o, Py_ssize_t i);
PyAPI_FUNC(PyObject*) PySequence_GetSlice(PyObject* o, Py_ssize_t i1, Py_ssize_t i2);
PyAPI_FUNC(int) PySequence_SetSlice(PyObject* o, Py_ssize_t i1, Py_ssize_t i2, PyObject* v);
PyAPI_FUNC(int) PySequence_DelSlice(PyObject* o, Py_ssize_t i1, Py_ssize_t i2);
PyAPI_FUNC(int) PySequence_Contains(PyObject* seq, PyObject* ob);
PyAPI_FUNC(int) PySequence_In(PyObject* o, PyObject* value);
PyAPI_FUNC(Py_ssize_t) PySequence_Count(PyObject* o, PyObject* value);
PyAPI_FUNC(Py_ssize_t) PySequence_Index(PyObject* o, PyObject* value);
PyAPI_FUNC(PyObject*) PySequence_List(PyObject* o);
PyAPI_FUNC(PyObject*) PySequence_Tuple(PyObject* o);
#define PySequence_In PySequence_Contains
// A list or tuple to be read with the macros below; the argument itself if it is one. `m` is the TypeError's
// text.
PyAPI_FUNC(PyObject*) PySequence_Fast(PyObject* o, const char* m);
#ifndef Py_LIMITED_API
#define PySequence_Fast_GET_SIZE(op) (PyList_Check(op) ? PyList_GET_SIZE(op) : PyTuple_GET_SIZE(op))
#define PySequence_Fast_GET_ITEM(op, i) \
  (PyList_Check(op) ? PyList_GET_ITEM((op), (i)) : PyTuple_GET_ITEM((op), (i)))
#define PySequence_Fast_ITEMS(op) \
  (PyList_Check(op) ? ((PyListObject*)(op))->ob_item : ((PyTupleObject*)(op))->ob_item)
#define PySequence_ITEM(op, i) (Py_TYPE(op)->tp_as_sequence->sq_item((op), (i)))
#endif

PyAPI_FUNC(int) PyMapping_Check(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PyMapping_Size(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PyMapping_Length(PyObject* o);
PyAPI_FUNC(PyObject*) PyMapping_Keys(PyObject* o);
PyAPI_FUNC(PyObject*) PyMapping_Values(PyObject* o);
PyAPI_FUNC(PyObject*) PyMapping_Items(PyObject* o);
PyAPI_FUNC(PyObject*) PyMapping_GetItemString(PyObject* o, const char* key);
PyAPI_FUNC(int) PyMapping_SetItemString(PyObject* o, const char* key, PyObject* value);
#if _Py_SINCE(3, 13)
// 1 and a new reference in *result; 0 and null; -1 with an exception.
PyAPI_FUNC(int) PyMapping_GetOptionalItem(PyObject*, PyObject*, PyObject**);
PyAPI_FUNC(int) PyMapping_GetOptionalItemString(PyObject*, const char*, PyObject**);
#endif
PyAPI_FUNC(int) PyMapping_HasKeyWithError(PyObject* o, PyObject* key);
PyAPI_FUNC(int) PyMapping_HasKeyStringWithError(PyObject* o, const char* key);
// These two swallow every error.
PyAPI_FUNC(int) PyMapping_HasKey(PyObject* o, PyObject* key);
PyAPI_FUNC(int) PyMapping_HasKeyString(PyObject* o, const char* key);
#define PyMapping_Length PyMapping_Size
#define PyMapping_DelItem(op, key) PyObject_DelItem((op), (key))
#define PyMapping_DelItemString(op, key) PyObject_DelItemString((op), (key))

Py_END_C_DECLS

#endif
