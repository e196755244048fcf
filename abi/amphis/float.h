// Owns float and complex.
#ifndef AMPHIS_ABI_FLOAT_H
#define AMPHIS_ABI_FLOAT_H

#include "int.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject_HEAD double ob_fval;
} PyFloatObject;
typedef struct {
  double real;
  double imag;
} Py_complex;
typedef struct {
  PyObject_HEAD Py_complex cval;
} PyComplexObject;
#endif
PyAPI_DATA(PyTypeObject) PyFloat_Type;
PyAPI_DATA(PyTypeObject) PyComplex_Type;
#define PyFloat_Check(op) PyObject_TypeCheck(op, &PyFloat_Type)
#define PyFloat_CheckExact(op) Py_IS_TYPE((op), &PyFloat_Type)
#define PyComplex_Check(op) PyObject_TypeCheck((op), &PyComplex_Type)
#define PyComplex_CheckExact(op) Py_IS_TYPE((op), &PyComplex_Type)
#ifndef Py_LIMITED_API
#define _PyFloat_CAST(op) (assert(PyFloat_Check(op)), _Py_CAST(PyFloatObject*, op))
static inline double PyFloat_AS_DOUBLE(PyObject* op) {
  return _PyFloat_CAST(op)->ob_fval;
}
#define PyFloat_AS_DOUBLE(op) PyFloat_AS_DOUBLE(_PyObject_CAST(op))
#endif
#define Py_RETURN_NAN return PyFloat_FromDouble(Py_NAN)
#define Py_RETURN_INF(sign) return PyFloat_FromDouble(copysign(1., (sign)) == 1. ? Py_INFINITY : -Py_INFINITY)

// From: new references. As: -1.0 with an exception (check PyErr_Occurred).
PyAPI_FUNC(PyObject*) PyFloat_FromDouble(double);
PyAPI_FUNC(PyObject*) PyFloat_FromString(PyObject*);
PyAPI_FUNC(double) PyFloat_AsDouble(PyObject*);
PyAPI_FUNC(PyObject*) PyFloat_GetInfo(void);
PyAPI_FUNC(double) PyFloat_GetMax(void);
PyAPI_FUNC(double) PyFloat_GetMin(void);
#ifndef Py_LIMITED_API
// IEEE 754 bytes; `le` nonzero for little endian. Packing returns 0, or -1 with OverflowError.
PyAPI_FUNC(int) PyFloat_Pack2(double x, char* p, int le);
PyAPI_FUNC(int) PyFloat_Pack4(double x, char* p, int le);
PyAPI_FUNC(int) PyFloat_Pack8(double x, char* p, int le);
PyAPI_FUNC(double) PyFloat_Unpack2(const char* p, int le);
PyAPI_FUNC(double) PyFloat_Unpack4(const char* p, int le);
PyAPI_FUNC(double) PyFloat_Unpack8(const char* p, int le);
#endif
// String to double: -1.0 with ValueError. Double to string: a PyMem_ block for the caller to free.
PyAPI_FUNC(double) PyOS_string_to_double(const char* str, char** endptr, PyObject* overflow_exception);
PyAPI_FUNC(char*) PyOS_double_to_string(double val, char format_code, int precision, int flags, int* type);
#define Py_DTSF_SIGN 0x01
#define Py_DTSF_ADD_DOT_0 0x02
#define Py_DTSF_ALT 0x04
#define Py_DTSF_NO_NEG_0 0x08
#define Py_DTST_FINITE 0
#define Py_DTST_INFINITE 1
#define Py_DTST_NAN 2

PyAPI_FUNC(PyObject*) PyComplex_FromDoubles(double real, double imag);
PyAPI_FUNC(double) PyComplex_RealAsDouble(PyObject* op);
PyAPI_FUNC(double) PyComplex_ImagAsDouble(PyObject* op);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyComplex_FromCComplex(Py_complex);
PyAPI_FUNC(Py_complex) PyComplex_AsCComplex(PyObject* op);
PyAPI_FUNC(Py_complex) _Py_c_sum(Py_complex, Py_complex);
PyAPI_FUNC(Py_complex) _Py_c_diff(Py_complex, Py_complex);
PyAPI_FUNC(Py_complex) _Py_c_neg(Py_complex);
PyAPI_FUNC(Py_complex) _Py_c_prod(Py_complex, Py_complex);
PyAPI_FUNC(Py_complex) _Py_c_quot(Py_complex, Py_complex);
PyAPI_FUNC(Py_complex) _Py_c_pow(Py_complex, Py_complex);
PyAPI_FUNC(double) _Py_c_abs(Py_complex);
#endif

Py_END_C_DECLS

#endif
