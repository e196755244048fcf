// Owns slice, Ellipsis' type and memoryview.
#ifndef AMPHIS_ABI_SLICE_H
#define AMPHIS_ABI_SLICE_H

#include "set.h"

Py_BEGIN_C_DECLS

    typedef struct {
  PyObject_HEAD PyObject* start;
  PyObject* stop;
  PyObject* step;  // none of the three is ever null
} PySliceObject;
PyAPI_DATA(PyTypeObject) PySlice_Type;
PyAPI_DATA(PyTypeObject) PyEllipsis_Type;
#define PySlice_Check(op) Py_IS_TYPE((op), &PySlice_Type)
// New reference; null stands for None.
PyAPI_FUNC(PyObject*) PySlice_New(PyObject* start, PyObject* stop, PyObject* step);
PyAPI_FUNC(PyObject*) _PySlice_FromIndices(Py_ssize_t start, Py_ssize_t stop);
// 0, or -1 with an exception; AdjustIndices clips to the length and returns how many items are selected.
PyAPI_FUNC(int) PySlice_Unpack(PyObject* slice, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t* step);
PyAPI_FUNC(Py_ssize_t)
    PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t step);
PyAPI_FUNC(int)
    PySlice_GetIndices(PyObject* r, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t* step);
Py_DEPRECATED() PyAPI_FUNC(int)
    PySlice_GetIndicesEx(PyObject* r, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop,
                         Py_ssize_t* step, Py_ssize_t* slicelength);
PyAPI_FUNC(int) _PySlice_GetLongIndices(PySliceObject* self, PyObject* length, PyObject** start_ptr,
                                        PyObject** stop_ptr, PyObject** step_ptr);
#define PySlice_GetIndicesEx(slice, length, start, stop, step, count) \
  (PySlice_Unpack((slice), (start), (stop), (step)) < 0               \
       ? ((*(count) = 0), -1)                                         \
       : ((*(count) = PySlice_AdjustIndices((length), (start), (stop), *(step))), 0))

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
PyAPI_DATA(PyTypeObject) PyMemoryView_Type;
#define PyMemoryView_Check(op) Py_IS_TYPE((op), &PyMemoryView_Type)
#define _PyMemoryView_CAST(op) _Py_CAST(PyMemoryViewObject*, op)
static inline Py_buffer* PyMemoryView_GET_BUFFER(PyObject* op) {
  return &_PyMemoryView_CAST(op)->view;
}
#define PyMemoryView_GET_BUFFER(op) PyMemoryView_GET_BUFFER(_PyObject_CAST(op))
static inline PyObject* PyMemoryView_GET_BASE(PyObject* op) {
  return _PyMemoryView_CAST(op)->view.obj;
}
#define PyMemoryView_GET_BASE(op) PyMemoryView_GET_BASE(_PyObject_CAST(op))
// New references.
PyAPI_FUNC(PyObject*) PyMemoryView_FromObject(PyObject* base);
PyAPI_FUNC(PyObject*) PyMemoryView_FromMemory(char* mem, Py_ssize_t size, int flags);
PyAPI_FUNC(PyObject*) PyMemoryView_FromBuffer(const Py_buffer* info);
PyAPI_FUNC(PyObject*) PyMemoryView_GetContiguous(PyObject* base, int buffertype, char order);
PyAPI_DATA(PyTypeObject) PyPickleBuffer_Type;
#define PyPickleBuffer_Check(op) Py_IS_TYPE((op), &PyPickleBuffer_Type)
PyAPI_FUNC(PyObject*) PyPickleBuffer_FromObject(PyObject*);
PyAPI_FUNC(const Py_buffer*) PyPickleBuffer_GetBuffer(PyObject*);
PyAPI_FUNC(int) PyPickleBuffer_Release(PyObject*);

Py_END_C_DECLS

#endif
