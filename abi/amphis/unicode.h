// Owns str: its three layouts and access to its characters. All strings made by the API are compact: the
// characters follow the header, after PyASCIIObject if they are all ASCII, after PyCompactUnicodeObject
// otherwise.
#ifndef AMPHIS_ABI_UNICODE_H
#define AMPHIS_ABI_UNICODE_H

#include "function.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
#define PY_UNICODE_TYPE wchar_t
#endif
#define Py_USING_UNICODE
#define Py_UNICODE_SIZE SIZEOF_WCHAR_T
#define Py_UNICODE_WIDE
#define Py_UNICODE_REPLACEMENT_CHARACTER ((Py_UCS4)0xFFFD)
#ifndef Py_LIMITED_API
Py_DEPRECATED(3.13) typedef wchar_t Py_UNICODE;

#define SSTATE_NOT_INTERNED 0
#define SSTATE_INTERNED_MORTAL 1
#define SSTATE_INTERNED_IMMORTAL 2
#define SSTATE_INTERNED_IMMORTAL_STATIC 3
struct _PyUnicodeObject_state {
  _Py_FREE_ONLY(unsigned char interned;)  // a byte of its own: it is read and written atomically
  _Py_GIL_ONLY(unsigned int interned : 2;)
  unsigned int kind : 3;  // bytes per character
  unsigned int compact : 1;
  unsigned int ascii : 1;
  unsigned int statically_allocated : 1;
};
typedef struct {
  PyObject_HEAD Py_ssize_t length;
  Py_hash_t hash;  // -1: not computed yet
  struct _PyUnicodeObject_state state;
} PyASCIIObject;
typedef struct {
  PyASCIIObject _base;
  Py_ssize_t utf8_length;
  char* utf8;  // made on demand; null until then
} PyCompactUnicodeObject;
typedef struct {
  PyCompactUnicodeObject _base;
  union {
    void* any;
    Py_UCS1* latin1;
    Py_UCS2* ucs2;
    Py_UCS4* ucs4;
  } data;
} PyUnicodeObject;

enum PyUnicode_Kind { PyUnicode_1BYTE_KIND = 1, PyUnicode_2BYTE_KIND = 2, PyUnicode_4BYTE_KIND = 4 };
#endif

PyAPI_DATA(PyTypeObject) PyUnicode_Type;
PyAPI_DATA(PyTypeObject) PyUnicodeIter_Type;
#define PyUnicode_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_UNICODE_SUBCLASS)
#define PyUnicode_CheckExact(op) Py_IS_TYPE((op), &PyUnicode_Type)
#ifndef Py_LIMITED_API
#define _PyASCIIObject_CAST(op) (assert(PyUnicode_Check(op)), _Py_CAST(PyASCIIObject*, (op)))
#define _PyCompactUnicodeObject_CAST(op) \
  (assert(PyUnicode_Check(op)), _Py_CAST(PyCompactUnicodeObject*, (op)))
#define _PyUnicodeObject_CAST(op) (assert(PyUnicode_Check(op)), _Py_CAST(PyUnicodeObject*, (op)))

// ---- access, unchecked ----
static inline Py_ssize_t PyUnicode_GET_LENGTH(PyObject* op) {
  return _PyASCIIObject_CAST(op)->length;
}
#define PyUnicode_GET_LENGTH(op) PyUnicode_GET_LENGTH(_PyObject_CAST(op))
static inline unsigned int PyUnicode_CHECK_INTERNED(PyObject* op) {
  return _Py_LOAD_SHARED(_PyASCIIObject_CAST(op)->state.interned);
}
#define PyUnicode_CHECK_INTERNED(op) PyUnicode_CHECK_INTERNED(_PyObject_CAST(op))
static inline unsigned int PyUnicode_IS_READY(PyObject* Py_UNUSED(op)) {
  return 1;
}
#define PyUnicode_IS_READY(op) PyUnicode_IS_READY(_PyObject_CAST(op))
static inline int PyUnicode_READY(PyObject* Py_UNUSED(op)) {
  return 0;
}
#define PyUnicode_READY(op) PyUnicode_READY(_PyObject_CAST(op))
static inline unsigned int PyUnicode_IS_ASCII(PyObject* op) {
  return _PyASCIIObject_CAST(op)->state.ascii;
}
#define PyUnicode_IS_ASCII(op) PyUnicode_IS_ASCII(_PyObject_CAST(op))
static inline unsigned int PyUnicode_IS_COMPACT(PyObject* op) {
  return _PyASCIIObject_CAST(op)->state.compact;
}
#define PyUnicode_IS_COMPACT(op) PyUnicode_IS_COMPACT(_PyObject_CAST(op))
static inline int PyUnicode_IS_COMPACT_ASCII(PyObject* op) {
  return _PyASCIIObject_CAST(op)->state.ascii & _PyASCIIObject_CAST(op)->state.compact;
}
#define PyUnicode_IS_COMPACT_ASCII(op) PyUnicode_IS_COMPACT_ASCII(_PyObject_CAST(op))

PyAPI_FUNC(int) PyUnicode_KIND(PyObject* op);
PyAPI_FUNC(void*) PyUnicode_DATA(PyObject* op);
#define PyUnicode_KIND(op) _Py_RVALUE(_PyASCIIObject_CAST(op)->state.kind)
static inline void* _PyUnicode_COMPACT_DATA(PyObject* op) {
  return PyUnicode_IS_ASCII(op) ? (void*)(_PyASCIIObject_CAST(op) + 1)
                                : (void*)(_PyCompactUnicodeObject_CAST(op) + 1);
}
static inline void* _PyUnicode_NONCOMPACT_DATA(PyObject* op) {
  return _PyUnicodeObject_CAST(op)->data.any;
}
static inline void* _PyUnicode_DATA(PyObject* op) {
  return PyUnicode_IS_COMPACT(op) ? _PyUnicode_COMPACT_DATA(op) : _PyUnicode_NONCOMPACT_DATA(op);
}
#define PyUnicode_DATA(op) _PyUnicode_DATA(_PyObject_CAST(op))
#define PyUnicode_1BYTE_DATA(op) _Py_STATIC_CAST(Py_UCS1*, PyUnicode_DATA(op))
#define PyUnicode_2BYTE_DATA(op) _Py_STATIC_CAST(Py_UCS2*, PyUnicode_DATA(op))
#define PyUnicode_4BYTE_DATA(op) _Py_STATIC_CAST(Py_UCS4*, PyUnicode_DATA(op))
static inline Py_UCS4 PyUnicode_READ(int kind, const void* data, Py_ssize_t index) {
  if (kind == PyUnicode_1BYTE_KIND) return ((const Py_UCS1*)data)[index];
  if (kind == PyUnicode_2BYTE_KIND) return ((const Py_UCS2*)data)[index];
  return ((const Py_UCS4*)data)[index];
}
#define PyUnicode_READ(kind, data, index) PyUnicode_READ((int)(kind), (const void*)(data), (index))
static inline void PyUnicode_WRITE(int kind, void* data, Py_ssize_t index, Py_UCS4 value) {
  if (kind == PyUnicode_1BYTE_KIND) {
    ((Py_UCS1*)data)[index] = (Py_UCS1)value;
  } else if (kind == PyUnicode_2BYTE_KIND) {
    ((Py_UCS2*)data)[index] = (Py_UCS2)value;
  } else {
    ((Py_UCS4*)data)[index] = value;
  }
}
#define PyUnicode_WRITE(kind, data, index, value) \
  PyUnicode_WRITE((int)(kind), (void*)(data), (index), (Py_UCS4)(value))
static inline Py_UCS4 PyUnicode_READ_CHAR(PyObject* op, Py_ssize_t index) {
  return PyUnicode_READ(PyUnicode_KIND(op), PyUnicode_DATA(op), index);
}
#define PyUnicode_READ_CHAR(op, index) PyUnicode_READ_CHAR(_PyObject_CAST(op), (index))
// The largest character that the string's width could hold, not the largest in it.
static inline Py_UCS4 PyUnicode_MAX_CHAR_VALUE(PyObject* op) {
  if (PyUnicode_IS_ASCII(op)) return 0x7fU;
  if (PyUnicode_KIND(op) == PyUnicode_1BYTE_KIND) return 0xffU;
  return PyUnicode_KIND(op) == PyUnicode_2BYTE_KIND ? 0xffffU : 0x10ffffU;
}
#define PyUnicode_MAX_CHAR_VALUE(op) PyUnicode_MAX_CHAR_VALUE(_PyObject_CAST(op))

// ---- making: new references ----
// The characters of PyUnicode_New are uninitialized: fill them before anyone else sees the string, and use
// exactly the width that the largest character needs.
PyAPI_FUNC(PyObject*) PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar);
#endif
PyAPI_FUNC(PyObject*) PyUnicode_FromString(const char* u);
PyAPI_FUNC(PyObject*) PyUnicode_FromStringAndSize(const char* u, Py_ssize_t size);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyUnicode_FromKindAndData(int kind, const void* buffer, Py_ssize_t size);
#endif
PyAPI_FUNC(PyObject*) PyUnicode_FromOrdinal(int ordinal);
PyAPI_FUNC(PyObject*) PyUnicode_FromObject(PyObject* obj);
PyAPI_FUNC(PyObject*) PyUnicode_FromEncodedObject(PyObject* obj, const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_FromFormat(const char* format, ...);
PyAPI_FUNC(PyObject*) PyUnicode_FromFormatV(const char* format, va_list vargs);
PyAPI_FUNC(PyObject*) PyUnicode_FromWideChar(const wchar_t* w, Py_ssize_t size);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyUnicode_Substring(PyObject* str, Py_ssize_t start, Py_ssize_t end);
#endif
PyAPI_FUNC(PyObject*) PyUnicode_BuildEncodingMap(PyObject* string);
// Interning: *string is replaced by the interned equal, the reference moving along.
PyAPI_FUNC(void) PyUnicode_InternInPlace(PyObject**);
PyAPI_FUNC(PyObject*) PyUnicode_InternFromString(const char* u);
#if _Py_SINCE(3, 3)
// Change a string that nobody else has seen: -1 with an exception if it has been.
PyAPI_FUNC(int) PyUnicode_WriteChar(PyObject* unicode, Py_ssize_t index, Py_UCS4 character);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(Py_ssize_t) PyUnicode_CopyCharacters(PyObject* to, Py_ssize_t to_start, PyObject* from,
                                                Py_ssize_t from_start, Py_ssize_t how_many);
PyAPI_FUNC(Py_ssize_t)
    PyUnicode_Fill(PyObject* unicode, Py_ssize_t start, Py_ssize_t length, Py_UCS4 fill_char);
#endif
PyAPI_FUNC(int) PyUnicode_Resize(PyObject** unicode, Py_ssize_t length);

// ---- reading ----
#if _Py_SINCE(3, 3)
PyAPI_FUNC(Py_ssize_t) PyUnicode_GetLength(PyObject* unicode);
PyAPI_FUNC(Py_UCS4) PyUnicode_ReadChar(PyObject* unicode, Py_ssize_t index);
#endif
#ifndef Py_LIMITED_API
// The UTF-8 stays the string's own. Null with an exception for lone surrogates.
PyAPI_FUNC(const char*) PyUnicode_AsUTF8(PyObject* unicode);
#endif
#if _Py_SINCE(3, 10)
PyAPI_FUNC(const char*) PyUnicode_AsUTF8AndSize(PyObject* unicode, Py_ssize_t* size);
#endif
#ifndef Py_LIMITED_API
static inline const char* _PyUnicode_AsString(PyObject* op) {
  return PyUnicode_AsUTF8(op);
}
#endif
#if _Py_SINCE(3, 3)
// Copies for the caller to free with PyMem_Free; the buffers of the other two are the caller's.
PyAPI_FUNC(Py_UCS4*) PyUnicode_AsUCS4Copy(PyObject* unicode);
#endif
PyAPI_FUNC(wchar_t*) PyUnicode_AsWideCharString(PyObject* unicode, Py_ssize_t* size);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(Py_UCS4*) PyUnicode_AsUCS4(PyObject* unicode, Py_UCS4* buffer, Py_ssize_t buflen, int copy_null);
#endif
PyAPI_FUNC(Py_ssize_t) PyUnicode_AsWideChar(PyObject* unicode, wchar_t* w, Py_ssize_t size);

// ---- operations ----
// New references. Append replaces *pleft, consuming its old reference (null there on failure); AndDel also
// steals the right.
PyAPI_FUNC(PyObject*) PyUnicode_Concat(PyObject* left, PyObject* right);
PyAPI_FUNC(PyObject*) PyUnicode_Join(PyObject* separator, PyObject* seq);
PyAPI_FUNC(PyObject*) PyUnicode_Split(PyObject* s, PyObject* sep, Py_ssize_t maxsplit);
PyAPI_FUNC(PyObject*) PyUnicode_RSplit(PyObject* s, PyObject* sep, Py_ssize_t maxsplit);
PyAPI_FUNC(PyObject*) PyUnicode_Splitlines(PyObject* s, int keepends);
PyAPI_FUNC(PyObject*) PyUnicode_Partition(PyObject* s, PyObject* sep);
PyAPI_FUNC(PyObject*) PyUnicode_RPartition(PyObject* s, PyObject* sep);
PyAPI_FUNC(PyObject*)
    PyUnicode_Replace(PyObject* str, PyObject* substr, PyObject* replstr, Py_ssize_t maxcount);
PyAPI_FUNC(PyObject*) PyUnicode_Translate(PyObject* str, PyObject* table, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_Format(PyObject* format, PyObject* args);
PyAPI_FUNC(PyObject*) PyUnicode_RichCompare(PyObject* left, PyObject* right, int op);
PyAPI_FUNC(void) PyUnicode_Append(PyObject** pleft, PyObject* right);
PyAPI_FUNC(void) PyUnicode_AppendAndDel(PyObject** pleft, PyObject* right);
// -1 absent, -2 with an exception (Find); counts and tests: -1 with an exception. The comparisons with C
// strings do not fail.
PyAPI_FUNC(Py_ssize_t)
    PyUnicode_Find(PyObject* str, PyObject* substr, Py_ssize_t start, Py_ssize_t end, int direction);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(Py_ssize_t)
    PyUnicode_FindChar(PyObject* str, Py_UCS4 ch, Py_ssize_t start, Py_ssize_t end, int direction);
#endif
PyAPI_FUNC(Py_ssize_t) PyUnicode_Count(PyObject* str, PyObject* substr, Py_ssize_t start, Py_ssize_t end);
PyAPI_FUNC(Py_ssize_t)
    PyUnicode_Tailmatch(PyObject* str, PyObject* substr, Py_ssize_t start, Py_ssize_t end, int direction);
PyAPI_FUNC(int) PyUnicode_Contains(PyObject* container, PyObject* element);
PyAPI_FUNC(int) PyUnicode_Compare(PyObject* left, PyObject* right);
#if _Py_SINCE(3, 14)
PyAPI_FUNC(int) PyUnicode_Equal(PyObject* str1, PyObject* str2);
#endif
PyAPI_FUNC(int) PyUnicode_CompareWithASCIIString(PyObject* left, const char* right);
#if _Py_SINCE(3, 13)
PyAPI_FUNC(int) PyUnicode_EqualToUTF8(PyObject*, const char*);
PyAPI_FUNC(int) PyUnicode_EqualToUTF8AndSize(PyObject*, const char*, Py_ssize_t);
#endif
PyAPI_FUNC(int) PyUnicode_IsIdentifier(PyObject* s);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) _PyUnicode_FromId(_Py_Identifier*);
#endif

Py_END_C_DECLS

#endif
