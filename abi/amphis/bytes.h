// Owns bytes and bytearray.
#ifndef AMPHIS_ABI_BYTES_H
#define AMPHIS_ABI_BYTES_H

#include "hash.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject_VAR_HEAD Py_hash_t ob_shash;  // -1: not computed yet
  char ob_sval[1];                       // ob_size bytes and a terminating zero
} PyBytesObject;
typedef struct {
  PyObject_VAR_HEAD Py_ssize_t ob_alloc;
  char* ob_bytes;  // what was allocated
  char* ob_start;  // where the contents begin in it
  Py_ssize_t ob_exports;
} PyByteArrayObject;
#endif
PyAPI_DATA(PyTypeObject) PyBytes_Type;
PyAPI_DATA(PyTypeObject) PyBytesIter_Type;
PyAPI_DATA(PyTypeObject) PyByteArray_Type;
PyAPI_DATA(PyTypeObject) PyByteArrayIter_Type;
#ifndef Py_LIMITED_API
PyAPI_DATA(char) _PyByteArray_empty_string[];
#endif
#define PyBytes_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_BYTES_SUBCLASS)
#define PyBytes_CheckExact(op) Py_IS_TYPE((op), &PyBytes_Type)
#define PyByteArray_Check(op) PyObject_TypeCheck((op), &PyByteArray_Type)
#define PyByteArray_CheckExact(op) Py_IS_TYPE((op), &PyByteArray_Type)
#ifndef Py_LIMITED_API
#define _PyBytes_CAST(op) (assert(PyBytes_Check(op)), _Py_CAST(PyBytesObject*, op))
#define _PyByteArray_CAST(op) (assert(PyByteArray_Check(op)), _Py_CAST(PyByteArrayObject*, op))
static inline char* PyBytes_AS_STRING(PyObject* op) {
  return _PyBytes_CAST(op)->ob_sval;
}
#define PyBytes_AS_STRING(op) PyBytes_AS_STRING(_PyObject_CAST(op))
static inline Py_ssize_t PyBytes_GET_SIZE(PyObject* op) {
  return Py_SIZE(_PyBytes_CAST(op));
}
#define PyBytes_GET_SIZE(op) PyBytes_GET_SIZE(_PyObject_CAST(op))
static inline Py_ssize_t PyByteArray_GET_SIZE(PyObject* op) {
  return _Py_LOAD_SHARED(_PyVarObject_CAST(op)->ob_size);
}
#define PyByteArray_GET_SIZE(op) PyByteArray_GET_SIZE(_PyObject_CAST(op))
static inline char* PyByteArray_AS_STRING(PyObject* op) {
  return PyByteArray_GET_SIZE(op) ? _PyByteArray_CAST(op)->ob_start : _PyByteArray_empty_string;
}
#define PyByteArray_AS_STRING(op) PyByteArray_AS_STRING(_PyObject_CAST(op))
#endif

// New references. A null data pointer gives uninitialized bytes, to be filled before anyone else sees them.
PyAPI_FUNC(PyObject*) PyBytes_FromStringAndSize(const char*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyBytes_FromString(const char*);
PyAPI_FUNC(PyObject*) PyBytes_FromObject(PyObject*);
PyAPI_FUNC(PyObject*) PyBytes_FromFormat(const char*, ...) Py_GCC_ATTRIBUTE((format(printf, 1, 2)));
PyAPI_FUNC(PyObject*) PyBytes_FromFormatV(const char*, va_list) Py_GCC_ATTRIBUTE((format(printf, 1, 0)));
PyAPI_FUNC(PyObject*) PyBytes_Repr(PyObject*, int);
PyAPI_FUNC(PyObject*) PyBytes_DecodeEscape(const char*, Py_ssize_t, const char*, Py_ssize_t, const char*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyBytes_Join(PyObject* sep, PyObject* iterable);
#endif
// The pointers stay the object's own. AsStringAndSize: 0 or -1; with a null length it refuses embedded zeros.
PyAPI_FUNC(Py_ssize_t) PyBytes_Size(PyObject*);
PyAPI_FUNC(char*) PyBytes_AsString(PyObject*);
PyAPI_FUNC(int) PyBytes_AsStringAndSize(PyObject* obj, char** s, Py_ssize_t* len);
// Replaces *bytes, whose old reference is consumed; null there with an exception on failure. ...AndDel also
// steals its second argument. Resizing is for an object that nobody else has seen.
PyAPI_FUNC(void) PyBytes_Concat(PyObject**, PyObject*);
PyAPI_FUNC(void) PyBytes_ConcatAndDel(PyObject**, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) _PyBytes_Resize(PyObject**, Py_ssize_t);
static inline PyObject* _PyBytes_Join(PyObject* separator, PyObject* iterable) {
  return PyBytes_Join(separator, iterable);
}
#endif

PyAPI_FUNC(PyObject*) PyByteArray_FromObject(PyObject*);
PyAPI_FUNC(PyObject*) PyByteArray_FromStringAndSize(const char*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyByteArray_Concat(PyObject*, PyObject*);
PyAPI_FUNC(Py_ssize_t) PyByteArray_Size(PyObject*);
PyAPI_FUNC(char*) PyByteArray_AsString(PyObject*);
PyAPI_FUNC(int) PyByteArray_Resize(PyObject*, Py_ssize_t);

Py_END_C_DECLS

#endif
