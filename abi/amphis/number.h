// Owns the number protocol: operators over any operands. New references; null with an exception (TypeError
// where no operand implements the operation).
#ifndef AMPHIS_ABI_NUMBER_H
#define AMPHIS_ABI_NUMBER_H

#include "call.h"

Py_BEGIN_C_DECLS

PyAPI_FUNC(int) PyNumber_Check(PyObject* o);
PyAPI_FUNC(int) PyIndex_Check(PyObject*);
PyAPI_FUNC(PyObject*) PyNumber_Add(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Subtract(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Multiply(PyObject* o1, PyObject* o2);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyNumber_MatrixMultiply(PyObject* o1, PyObject* o2);
#endif
PyAPI_FUNC(PyObject*) PyNumber_FloorDivide(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_TrueDivide(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Remainder(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Divmod(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Power(PyObject* o1, PyObject* o2, PyObject* o3);
PyAPI_FUNC(PyObject*) PyNumber_Negative(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_Positive(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_Absolute(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_Invert(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_Lshift(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Rshift(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_And(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Xor(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_Or(PyObject* o1, PyObject* o2);
// May change the first operand; the result, even when it is that operand, is a new reference.
PyAPI_FUNC(PyObject*) PyNumber_InPlaceAdd(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceSubtract(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceMultiply(PyObject* o1, PyObject* o2);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyNumber_InPlaceMatrixMultiply(PyObject* o1, PyObject* o2);
#endif
PyAPI_FUNC(PyObject*) PyNumber_InPlaceFloorDivide(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceTrueDivide(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceRemainder(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlacePower(PyObject* o1, PyObject* o2, PyObject* o3);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceLshift(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceRshift(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceAnd(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceXor(PyObject* o1, PyObject* o2);
PyAPI_FUNC(PyObject*) PyNumber_InPlaceOr(PyObject* o1, PyObject* o2);
// Conversions; PyNumber_Index accepts only what has __index__. AsSsize_t: -1 with an exception; with `exc`
// null it clips.
PyAPI_FUNC(PyObject*) PyNumber_Index(PyObject* o);
PyAPI_FUNC(Py_ssize_t) PyNumber_AsSsize_t(PyObject* o, PyObject* exc);
PyAPI_FUNC(PyObject*) PyNumber_Long(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_Float(PyObject* o);
PyAPI_FUNC(PyObject*) PyNumber_ToBase(PyObject* n, int base);

Py_END_C_DECLS

#endif
