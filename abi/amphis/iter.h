// Owns iteration and the iterator types over sequences and calls. New references; null with an exception.
#ifndef AMPHIS_ABI_ITER_H
#define AMPHIS_ABI_ITER_H

#include "sequence.h"

Py_BEGIN_C_DECLS

PyAPI_FUNC(PyObject*) PyObject_GetIter(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_GetAIter(PyObject*);
PyAPI_FUNC(int) PyIter_Check(PyObject*);
PyAPI_FUNC(int) PyAIter_Check(PyObject*);
#if _Py_SINCE(3, 14)
// 1 and a new reference in *item, 0 and null at the end, -1 with an exception.
PyAPI_FUNC(int) PyIter_NextItem(PyObject* iter, PyObject** item);
#endif
// Null without an exception at the end.
PyAPI_FUNC(PyObject*) PyIter_Next(PyObject*);
#if _Py_SINCE(3, 10)
// The result is a new reference for all three outcomes but PYGEN_ERROR.
PyAPI_FUNC(PySendResult) PyIter_Send(PyObject*, PyObject*, PyObject**);
#endif
PyAPI_DATA(PyTypeObject) PySeqIter_Type;
PyAPI_DATA(PyTypeObject) PyCallIter_Type;
PyAPI_DATA(PyTypeObject) PyEnum_Type;
PyAPI_DATA(PyTypeObject) PyReversed_Type;
PyAPI_DATA(PyTypeObject) PyFilter_Type;
PyAPI_DATA(PyTypeObject) PyMap_Type;
PyAPI_DATA(PyTypeObject) PyZip_Type;
PyAPI_DATA(PyTypeObject) PyRange_Type;
PyAPI_DATA(PyTypeObject) PyRangeIter_Type;
PyAPI_DATA(PyTypeObject) PyLongRangeIter_Type;
#define PySeqIter_Check(op) Py_IS_TYPE((op), &PySeqIter_Type)
#define PyCallIter_Check(op) Py_IS_TYPE((op), &PyCallIter_Type)
#define PyRange_Check(op) Py_IS_TYPE((op), &PyRange_Type)
PyAPI_FUNC(PyObject*) PySeqIter_New(PyObject*);
PyAPI_FUNC(PyObject*) PyCallIter_New(PyObject*, PyObject*);

Py_END_C_DECLS

#endif
