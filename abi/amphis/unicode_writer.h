// Owns building strings piece by piece. A writer is consumed by Finish (new reference) or Discard; writing
// returns 0, or -1 with an exception, after which the writer must still be discarded.
#ifndef AMPHIS_ABI_UNICODE_WRITER_H
#define AMPHIS_ABI_UNICODE_WRITER_H

#include "unicode_codecs.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct PyUnicodeWriter PyUnicodeWriter;
PyAPI_FUNC(PyUnicodeWriter*) PyUnicodeWriter_Create(Py_ssize_t length);
PyAPI_FUNC(void) PyUnicodeWriter_Discard(PyUnicodeWriter* writer);
PyAPI_FUNC(PyObject*) PyUnicodeWriter_Finish(PyUnicodeWriter* writer);
PyAPI_FUNC(int) PyUnicodeWriter_WriteChar(PyUnicodeWriter* writer, Py_UCS4 ch);
PyAPI_FUNC(int) PyUnicodeWriter_WriteUTF8(PyUnicodeWriter* writer, const char* str, Py_ssize_t size);
PyAPI_FUNC(int) PyUnicodeWriter_WriteASCII(PyUnicodeWriter* writer, const char* str, Py_ssize_t size);
PyAPI_FUNC(int) PyUnicodeWriter_WriteWideChar(PyUnicodeWriter* writer, const wchar_t* str, Py_ssize_t size);
PyAPI_FUNC(int) PyUnicodeWriter_WriteUCS4(PyUnicodeWriter* writer, Py_UCS4* str, Py_ssize_t size);
PyAPI_FUNC(int) PyUnicodeWriter_WriteStr(PyUnicodeWriter* writer, PyObject* obj);
PyAPI_FUNC(int) PyUnicodeWriter_WriteRepr(PyUnicodeWriter* writer, PyObject* obj);
PyAPI_FUNC(int)
    PyUnicodeWriter_WriteSubstring(PyUnicodeWriter* writer, PyObject* str, Py_ssize_t start, Py_ssize_t end);
PyAPI_FUNC(int) PyUnicodeWriter_Format(PyUnicodeWriter* writer, const char* format, ...);
PyAPI_FUNC(int)
    PyUnicodeWriter_DecodeUTF8Stateful(PyUnicodeWriter* writer, const char* string, Py_ssize_t length,
                                       const char* errors, Py_ssize_t* consumed);

// The older writer, on the caller's stack; private, but used by generated code.
typedef struct {
  PyObject* buffer;
  void* data;
  int kind;
  Py_UCS4 maxchar;
  Py_ssize_t size;
  Py_ssize_t pos;
  Py_ssize_t min_length;
  Py_UCS4 min_char;
  unsigned char overallocate;
  unsigned char readonly;  // buffer is somebody's string
} _PyUnicodeWriter;
Py_DEPRECATED() PyAPI_FUNC(void) _PyUnicodeWriter_Init(_PyUnicodeWriter* writer);
Py_DEPRECATED() PyAPI_FUNC(int)
    _PyUnicodeWriter_PrepareInternal(_PyUnicodeWriter* writer, Py_ssize_t length, Py_UCS4 maxchar);
Py_DEPRECATED() PyAPI_FUNC(int) _PyUnicodeWriter_PrepareKindInternal(_PyUnicodeWriter* writer, int kind);
Py_DEPRECATED() PyAPI_FUNC(int) _PyUnicodeWriter_WriteChar(_PyUnicodeWriter* writer, Py_UCS4 ch);
Py_DEPRECATED() PyAPI_FUNC(int) _PyUnicodeWriter_WriteStr(_PyUnicodeWriter* writer, PyObject* str);
Py_DEPRECATED() PyAPI_FUNC(int) _PyUnicodeWriter_WriteSubstring(_PyUnicodeWriter* writer, PyObject* str,
                                                                Py_ssize_t start, Py_ssize_t end);
Py_DEPRECATED() PyAPI_FUNC(int)
    _PyUnicodeWriter_WriteASCIIString(_PyUnicodeWriter* writer, const char* str, Py_ssize_t len);
Py_DEPRECATED() PyAPI_FUNC(int)
    _PyUnicodeWriter_WriteLatin1String(_PyUnicodeWriter* writer, const char* str, Py_ssize_t len);
Py_DEPRECATED() PyAPI_FUNC(PyObject*) _PyUnicodeWriter_Finish(_PyUnicodeWriter* writer);
Py_DEPRECATED() PyAPI_FUNC(void) _PyUnicodeWriter_Dealloc(_PyUnicodeWriter* writer);
#define _PyUnicodeWriter_Prepare(writer, length, max)                                          \
  (((max) <= (writer)->maxchar && (length) <= (writer)->size - (writer)->pos) || (length) == 0 \
       ? 0                                                                                     \
       : _PyUnicodeWriter_PrepareInternal((writer), (length), (max)))
#define _PyUnicodeWriter_PrepareKind(writer, want) \
  ((want) <= (writer)->kind ? 0 : _PyUnicodeWriter_PrepareKindInternal((writer), (want)))
#endif

Py_END_C_DECLS

#endif
