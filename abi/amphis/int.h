// Owns int and bool. A value is sign and magnitude in 30-bit digits, least significant first.
#ifndef AMPHIS_ABI_INT_H
#define AMPHIS_ABI_INT_H

#include "bytes.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef uint32_t digit;
typedef int32_t sdigit;
typedef uint64_t twodigits;
typedef int64_t stwodigits;
#define PyLong_SHIFT 30
#define _PyLong_DECIMAL_SHIFT 9
#define _PyLong_DECIMAL_BASE ((digit)1000000000)
#define PyLong_BASE ((digit)1 << PyLong_SHIFT)
#define PyLong_MASK ((digit)(PyLong_BASE - 1))

// lv_tag: digit count in the bits from 3 up, bit 2 free, low two bits the sign: 0 positive, 1 zero, 2
// negative.
#define _PyLong_SIGN_MASK 3
#define _PyLong_NON_SIZE_BITS 3
typedef struct _PyLongValue {
  uintptr_t lv_tag;
  digit ob_digit[1];
} _PyLongValue;
struct _longobject {
  PyObject_HEAD _PyLongValue long_value;
};
#endif
PyAPI_DATA(PyTypeObject) PyLong_Type;
PyAPI_DATA(PyTypeObject) PyBool_Type;
#define PyLong_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_LONG_SUBCLASS)
#define PyLong_CheckExact(op) Py_IS_TYPE((op), &PyLong_Type)
#define PyBool_Check(op) Py_IS_TYPE((op), &PyBool_Type)
#ifndef Py_LIMITED_API
#define _PyLong_CAST(op) (assert(PyLong_Check(op)), _Py_CAST(PyLongObject*, (op)))

// Compact: at most one digit.
PyAPI_FUNC(int) PyUnstable_Long_IsCompact(const PyLongObject* op);
PyAPI_FUNC(Py_ssize_t) PyUnstable_Long_CompactValue(const PyLongObject* op);
static inline int _PyLong_IsCompact(const PyLongObject* op) {
  return op->long_value.lv_tag < ((uintptr_t)2 << _PyLong_NON_SIZE_BITS);
}
static inline Py_ssize_t _PyLong_CompactValue(const PyLongObject* op) {
  return (1 - (Py_ssize_t)(op->long_value.lv_tag & _PyLong_SIGN_MASK)) *
         (Py_ssize_t)op->long_value.ob_digit[0];
}
#define PyUnstable_Long_IsCompact _PyLong_IsCompact
#define PyUnstable_Long_CompactValue _PyLong_CompactValue
static inline int _PyLong_IsZero(const PyLongObject* op) {
  return (op->long_value.lv_tag & _PyLong_SIGN_MASK) == 1;
}
static inline int _PyLong_IsNegative(const PyLongObject* op) {
  return (op->long_value.lv_tag & _PyLong_SIGN_MASK) == 2;
}
static inline int _PyLong_IsPositive(const PyLongObject* op) {
  return (op->long_value.lv_tag & _PyLong_SIGN_MASK) == 0;
}
static inline int _PyLong_BothAreCompact(const PyLongObject* a, const PyLongObject* b) {
  return _PyLong_IsCompact(a) && _PyLong_IsCompact(b);
}
static inline Py_ssize_t _PyLong_DigitCount(const PyLongObject* op) {
  return (Py_ssize_t)(op->long_value.lv_tag >> _PyLong_NON_SIZE_BITS);
}
static inline int _PyLong_NonCompactSign(const PyLongObject* op) {
  return 1 - (int)(op->long_value.lv_tag & _PyLong_SIGN_MASK);
}
static inline Py_ssize_t _PyLong_SignedDigitCount(const PyLongObject* op) {
  return _PyLong_NonCompactSign(op) * _PyLong_DigitCount(op);
}
static inline void _PyLong_SetSignAndDigitCount(PyLongObject* op, int sign, Py_ssize_t count) {
  op->long_value.lv_tag = ((uintptr_t)count << _PyLong_NON_SIZE_BITS) | (uintptr_t)(1 - sign);
}
#endif

// From C values: new references.
PyAPI_FUNC(PyObject*) PyBool_FromLong(long);
PyAPI_FUNC(PyObject*) PyLong_FromLong(long);
PyAPI_FUNC(PyObject*) PyLong_FromUnsignedLong(unsigned long);
PyAPI_FUNC(PyObject*) PyLong_FromSize_t(size_t);
PyAPI_FUNC(PyObject*) PyLong_FromSsize_t(Py_ssize_t);
PyAPI_FUNC(PyObject*) PyLong_FromDouble(double);
#if _Py_SINCE(3, 14)
PyAPI_FUNC(PyObject*) PyLong_FromInt32(int32_t value);
PyAPI_FUNC(PyObject*) PyLong_FromUInt32(uint32_t value);
PyAPI_FUNC(PyObject*) PyLong_FromInt64(int64_t value);
PyAPI_FUNC(PyObject*) PyLong_FromUInt64(uint64_t value);
PyAPI_FUNC(PyObject*) PyLong_FromNativeBytes(const void* buffer, size_t n_bytes, int flags);
PyAPI_FUNC(PyObject*) PyLong_FromUnsignedNativeBytes(const void* buffer, size_t n_bytes, int flags);
#endif
PyAPI_FUNC(PyObject*) PyLong_FromVoidPtr(void*);
PyAPI_FUNC(PyObject*) PyLong_FromLongLong(long long);
PyAPI_FUNC(PyObject*) PyLong_FromUnsignedLongLong(unsigned long long);
PyAPI_FUNC(PyObject*) PyLong_FromString(const char*, char**, int);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyLong_FromUnicodeObject(PyObject* u, int base);
#endif
// To C values: -1 with an exception (the others: see the return type); OverflowError when out of range,
// except for
// ...Mask, which wraps, and ...AndOverflow, which reports. The Int32 family returns 0 or -1.
PyAPI_FUNC(long) PyLong_AsLong(PyObject*);
PyAPI_FUNC(long) PyLong_AsLongAndOverflow(PyObject*, int*);
PyAPI_FUNC(Py_ssize_t) PyLong_AsSsize_t(PyObject*);
PyAPI_FUNC(size_t) PyLong_AsSize_t(PyObject*);
PyAPI_FUNC(unsigned long) PyLong_AsUnsignedLong(PyObject*);
PyAPI_FUNC(unsigned long) PyLong_AsUnsignedLongMask(PyObject*);
#if _Py_SINCE(3, 13)
PyAPI_FUNC(int) PyLong_AsInt(PyObject*);
#endif
#if _Py_SINCE(3, 14)
PyAPI_FUNC(int) PyLong_AsInt32(PyObject* obj, int32_t* value);
PyAPI_FUNC(int) PyLong_AsUInt32(PyObject* obj, uint32_t* value);
PyAPI_FUNC(int) PyLong_AsInt64(PyObject* obj, int64_t* value);
PyAPI_FUNC(int) PyLong_AsUInt64(PyObject* obj, uint64_t* value);
PyAPI_FUNC(Py_ssize_t) PyLong_AsNativeBytes(PyObject* v, void* buffer, Py_ssize_t n_bytes, int flags);
#endif
PyAPI_FUNC(double) PyLong_AsDouble(PyObject*);
PyAPI_FUNC(void*) PyLong_AsVoidPtr(PyObject*);
PyAPI_FUNC(long long) PyLong_AsLongLong(PyObject*);
PyAPI_FUNC(unsigned long long) PyLong_AsUnsignedLongLong(PyObject*);
PyAPI_FUNC(unsigned long long) PyLong_AsUnsignedLongLongMask(PyObject*);
PyAPI_FUNC(long long) PyLong_AsLongLongAndOverflow(PyObject*, int*);
#define PyLong_AS_LONG(op) PyLong_AsLong(op)
#define PyLong_FromPid PyLong_FromLong
#if _Py_SINCE(3, 13)
#define PyLong_AsPid PyLong_AsInt
#endif
#if _Py_SINCE(3, 14)
#define Py_ASNATIVEBYTES_DEFAULTS -1
#define Py_ASNATIVEBYTES_BIG_ENDIAN 0
#define Py_ASNATIVEBYTES_LITTLE_ENDIAN 1
#define Py_ASNATIVEBYTES_NATIVE_ENDIAN 3
#define Py_ASNATIVEBYTES_UNSIGNED_BUFFER 4
#define Py_ASNATIVEBYTES_REJECT_NEGATIVE 8
#define Py_ASNATIVEBYTES_ALLOW_INDEX 16
#endif
#ifndef Py_LIMITED_API
// Sign tests raise TypeError (-1) for what is no int.
PyAPI_FUNC(int) PyLong_IsPositive(PyObject* obj);
PyAPI_FUNC(int) PyLong_IsNegative(PyObject* obj);
PyAPI_FUNC(int) PyLong_IsZero(PyObject* obj);
PyAPI_FUNC(int) PyLong_GetSign(PyObject* v, int* sign);
#endif
PyAPI_FUNC(PyObject*) PyLong_GetInfo(void);
PyAPI_FUNC(unsigned long) PyOS_strtoul(const char*, char**, int);
PyAPI_FUNC(long) PyOS_strtol(const char*, char**, int);

#ifndef Py_LIMITED_API
// Digits in and out (PEP 757). An export keeps its object alive until freed; a writer is consumed by Finish
// or Discard.
typedef struct PyLongLayout {
  uint8_t bits_per_digit;
  uint8_t digit_size;
  int8_t digits_order;
  int8_t digit_endianness;
} PyLongLayout;
typedef struct PyLongExport {
  int64_t value;  // valid if digits is null
  uint8_t negative;
  Py_ssize_t ndigits;
  const void* digits;
  Py_uintptr_t _reserved;
} PyLongExport;
typedef struct PyLongWriter PyLongWriter;
PyAPI_FUNC(const PyLongLayout*) PyLong_GetNativeLayout(void);
PyAPI_FUNC(int) PyLong_Export(PyObject* obj, PyLongExport* export_long);
PyAPI_FUNC(void) PyLong_FreeExport(PyLongExport* export_long);
PyAPI_FUNC(PyLongWriter*) PyLongWriter_Create(int negative, Py_ssize_t ndigits, void** digits);
PyAPI_FUNC(PyObject*) PyLongWriter_Finish(PyLongWriter* writer);
PyAPI_FUNC(void) PyLongWriter_Discard(PyLongWriter* writer);

// Private, but used by generated code.
Py_DEPRECATED() PyAPI_FUNC(PyLongObject*) _PyLong_New(Py_ssize_t);
PyAPI_FUNC(PyObject*) _PyLong_Copy(PyLongObject* src);
Py_DEPRECATED() PyAPI_FUNC(PyLongObject*)
    _PyLong_FromDigits(int negative, Py_ssize_t digit_count, digit* digits);
Py_DEPRECATED() PyAPI_FUNC(int) _PyLong_Sign(PyObject* v);
PyAPI_FUNC(int64_t) _PyLong_NumBits(PyObject* v);
PyAPI_FUNC(PyObject*)
    _PyLong_FromByteArray(const unsigned char* bytes, size_t n, int little_endian, int is_signed);
PyAPI_FUNC(int) _PyLong_AsByteArray(PyLongObject* v, unsigned char* bytes, size_t n, int little_endian,
                                    int is_signed, int with_exceptions);
PyAPI_FUNC(PyObject*) _PyLong_GCD(PyObject*, PyObject*);
#endif

Py_END_C_DECLS

#endif
