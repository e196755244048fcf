// Owns the buffer protocol: a Py_buffer is a counted view on memory that its exporter keeps alive and in
// place until PyBuffer_Release.
#ifndef AMPHIS_ABI_BUFFER_H
#define AMPHIS_ABI_BUFFER_H

#include "refcount.h"

Py_BEGIN_C_DECLS

#if _Py_SINCE(3, 11)
typedef struct {
  void* buf;
  PyObject* obj;  // owned; null once released
  Py_ssize_t len;
  Py_ssize_t itemsize;
  int readonly;
  int ndim;
  char* format;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  Py_ssize_t* suboffsets;
  void* internal;
} Py_buffer;
typedef int (*getbufferproc)(PyObject*, Py_buffer*, int);
typedef void (*releasebufferproc)(PyObject*, Py_buffer*);

#define PyBUF_MAX_NDIM 64
#define PyBUF_SIMPLE 0
#define PyBUF_WRITABLE 0x0001
#endif
#ifndef Py_LIMITED_API
#define PyBUF_WRITEABLE PyBUF_WRITABLE
#endif
#if _Py_SINCE(3, 11)
#define PyBUF_FORMAT 0x0004
#define PyBUF_ND 0x0008
#define PyBUF_STRIDES (0x0010 | PyBUF_ND)
#define PyBUF_C_CONTIGUOUS (0x0020 | PyBUF_STRIDES)
#define PyBUF_F_CONTIGUOUS (0x0040 | PyBUF_STRIDES)
#define PyBUF_ANY_CONTIGUOUS (0x0080 | PyBUF_STRIDES)
#define PyBUF_INDIRECT (0x0100 | PyBUF_STRIDES)
#define PyBUF_CONTIG (PyBUF_ND | PyBUF_WRITABLE)
#define PyBUF_CONTIG_RO PyBUF_ND
#define PyBUF_STRIDED (PyBUF_STRIDES | PyBUF_WRITABLE)
#define PyBUF_STRIDED_RO PyBUF_STRIDES
#define PyBUF_RECORDS (PyBUF_STRIDES | PyBUF_WRITABLE | PyBUF_FORMAT)
#define PyBUF_RECORDS_RO (PyBUF_STRIDES | PyBUF_FORMAT)
#define PyBUF_FULL (PyBUF_INDIRECT | PyBUF_WRITABLE | PyBUF_FORMAT)
#define PyBUF_FULL_RO (PyBUF_INDIRECT | PyBUF_FORMAT)
#define PyBUF_READ 0x100
#define PyBUF_WRITE 0x200

// Filling a view: 0, or -1 with BufferError (or TypeError where the type exports nothing) and view->obj null.
// PyBuffer_FillInfo is what an exporter of plain bytes uses; it takes a new reference to `o`.
PyAPI_FUNC(int) PyObject_CheckBuffer(PyObject* obj);
PyAPI_FUNC(int) PyObject_GetBuffer(PyObject* obj, Py_buffer* view, int flags);
PyAPI_FUNC(int)
    PyBuffer_FillInfo(Py_buffer* view, PyObject* o, void* buf, Py_ssize_t len, int readonly, int flags);
// Drops the view's reference; harmless on a view that is already released.
PyAPI_FUNC(void) PyBuffer_Release(Py_buffer* view);
// Reading views: no ownership changes hands. Copies return -1 with an exception on failure.
PyAPI_FUNC(int) PyBuffer_IsContiguous(const Py_buffer* view, char fort);
PyAPI_FUNC(void*) PyBuffer_GetPointer(const Py_buffer* view, const Py_ssize_t* indices);
PyAPI_FUNC(Py_ssize_t) PyBuffer_SizeFromFormat(const char* format);
PyAPI_FUNC(void) PyBuffer_FillContiguousStrides(int ndims, Py_ssize_t* shape, Py_ssize_t* strides,
                                                int itemsize, char fort);
PyAPI_FUNC(int) PyBuffer_ToContiguous(void* buf, const Py_buffer* view, Py_ssize_t len, char order);
PyAPI_FUNC(int) PyBuffer_FromContiguous(const Py_buffer* view, const void* buf, Py_ssize_t len, char order);
PyAPI_FUNC(int) PyObject_CopyData(PyObject* dest, PyObject* src);
#endif

Py_END_C_DECLS

#endif
