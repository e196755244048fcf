// Owns slice, Ellipsis' type and memoryview.
#ifndef AMPHIS_ABI_SLICE_H
#define AMPHIS_ABI_SLICE_H

#include "set.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject_HEAD PyObject* start;
  PyObject* stop;
  PyObject* step;  // none of the three is ever null
} PySliceObject;
#endif
PyAPI_DATA(PyTypeObject) PySlice_Type;
PyAPI_DATA(PyTypeObject) PyEllipsis_Type;
#define PySlice_Check(op) Py_IS_TYPE((op), &PySlice_Type)
// New reference; null stands for None.
PyAPI_FUNC(PyObject*) PySlice_New(PyObject* start, PyObject* stop, PyObject* step);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) _PySlice_FromIndices(Py_ssize_t start, Py_ssize_t stop);
#endif
#if _Py_SINCE(3, 7)
// 0, or -1 with an exception; AdjustIndices clips to the length and returns how many items are selected.
PyAPI_FUNC(int) PySlice_Unpack(PyObject* slice, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t* step);
PyAPI_FUNC(Py_ssize_t)
    PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t step);
#endif
PyAPI_FUNC(int)
    PySlice_GetIndices(PyObject* r, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t* step);
Py_DEPRECATED() PyAPI_FUNC(int)
    PySlice_GetIndicesEx(PyObject* r, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop,
                         Py_ssize_t* step, Py_ssize_t* slicelength);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) _PySlice_GetLongIndices(PySliceObject* self, PyObject* length, PyObject** start_ptr,
                                        PyObject** stop_ptr, PyObject** step_ptr);
#endif
#if _Py_SINCE(3, 7)
#define PySlice_GetIndicesEx(slice, length, start, stop, step, count) \
  (PySlice_Unpack((slice), (start), (stop), (step)) < 0               \
       ? ((*(count) = 0), -1)                                         \
       : ((*(count) = PySlice_AdjustIndices((length), (start), (stop), *(step))), 0))
#endif

#ifndef Py_LIMITED_API
#define _Py_MANAGED_BUFFER_RELEASED 0x001
#define _Py_MANAGED_BUFFER_FREE_FORMAT 0x002
typedef struct {
  PyObject_HEAD int flags;
  Py_ssize_t exports;
  Py_buffer master;
} _PyManagedBufferObject;
#define _Py_MEMORYVIEW_RELEASED 0x001
#define _Py_MEMORYVIEW_C 0x002
#define _Py_MEMORYVIEW_FORTRAN 0x004
#define _Py_MEMORYVIEW_SCALAR 0x008
#define _Py_MEMORYVIEW_PIL 0x010
#define _Py_MEMORYVIEW_RESTRICTED 0x020
typedef struct {
  PyObject_VAR_HEAD _PyManagedBufferObject* mbuf;
  Py_hash_t hash;
  int flags;
  Py_ssize_t exports;
  Py_buffer view;
  PyObject* weakreflist;
  Py_ssize_t ob_array[1];  // shape, strides, suboffsets
} PyMemoryViewObject;
#endif
PyAPI_DATA(PyTypeObject) PyMemoryView_Type;
#define PyMemoryView_Check(op) Py_IS_TYPE((op), &PyMemoryView_Type)
#ifndef Py_LIMITED_API
#define _PyMemoryView_CAST(op) _Py_CAST(PyMemoryViewObject*, op)
static inline Py_buffer* PyMemoryView_GET_BUFFER(PyObject* op) {
  return &_PyMemoryView_CAST(op)->view;
}
#define PyMemoryView_GET_BUFFER(op) PyMemoryView_GET_BUFFER(_PyObject_CAST(op))
static inline PyObject* PyMemoryView_GET_BASE(PyObject* op) {
  return _PyMemoryView_CAST(op)->view.obj;
}
#define PyMemoryView_GET_BASE(op) PyMemoryView_GET_BASE(_PyObject_CAST(op))
#endif
// New references.
PyAPI_FUNC(PyObject*) PyMemoryView_FromObject(PyObject* base);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyMemoryView_FromMemory(char* mem, Py_ssize_t size, int flags);
#endif
#if _Py_SINCE(3, 11)
PyAPI_FUNC(PyObject*) PyMemoryView_FromBuffer(const Py_buffer* info);
#endif
PyAPI_FUNC(PyObject*) PyMemoryView_GetContiguous(PyObject* base, int buffertype, char order);
#ifndef Py_LIMITED_API
PyAPI_DATA(PyTypeObject) PyPickleBuffer_Type;
#define PyPickleBuffer_Check(op) Py_IS_TYPE((op), &PyPickleBuffer_Type)
PyAPI_FUNC(PyObject*) PyPickleBuffer_FromObject(PyObject*);
PyAPI_FUNC(const Py_buffer*) PyPickleBuffer_GetBuffer(PyObject*);
PyAPI_FUNC(int) PyPickleBuffer_Release(PyObject*);
#endif

Py_END_C_DECLS

#endif
