// Owns the making of objects: memory of the right kind, a header with one reference. The C API's PyObject_Init,
// _PyObject_New, _PyObject_GC_New, PyType_GenericAlloc and their kin are defined in object_new.cpp; here are the inline
// forms for built-in types. None of these tracks the object, and none sets an exception: null means no memory.
#pragma once

#include "Python.h"
#include "gc/gc_bits.h"
#include "memory/alloc.h"

namespace amphis {

// For objects of static types (a heap type would have to be counted: see init_object).
template <class T>
AMPHIS_ALWAYS_INLINE T* new_object(PyTypeObject* type) {
  T* op = alloc_fixed<T>();
  if (AMPHIS_LIKELY(op != nullptr)) gc::init_header(reinterpret_cast<PyObject*>(op), type);
  return op;
}
template <class T>
AMPHIS_ALWAYS_INLINE T* new_gc_object(PyTypeObject* type) {
  T* op = alloc_gc_fixed<T>();
  if (AMPHIS_LIKELY(op != nullptr)) gc::init_gc_header(reinterpret_cast<PyObject*>(op), type);
  return op;
}
// Of `bytes` bytes, ob_size not set.
template <class T>
AMPHIS_ALWAYS_INLINE T* new_object_sized(PyTypeObject* type, size_t bytes) {
  auto* op = static_cast<T*>(alloc_object(bytes));
  if (AMPHIS_LIKELY(op != nullptr)) gc::init_header(reinterpret_cast<PyObject*>(op), type);
  return op;
}
template <class T>
AMPHIS_ALWAYS_INLINE T* new_gc_object_sized(PyTypeObject* type, size_t bytes) {
  auto* op = static_cast<T*>(alloc_gc_object(bytes));
  if (AMPHIS_LIKELY(op != nullptr)) gc::init_gc_header(reinterpret_cast<PyObject*>(op), type);
  return op;
}

// Any type: the header, and a reference to a heap type.
inline void init_object(PyObject* op, PyTypeObject* type) {
  if (PyType_IS_GC(type)) {
    gc::init_gc_header(op, type);
  } else {
    gc::init_header(op, type);
  }
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) gc::incref_type(type);
}

// An instance of any type, everything behind the header zeroed, inline values made empty, not tracked.
// Null with MemoryError.
PyObject* alloc_instance(PyTypeObject* type, Py_ssize_t items);

}  // namespace amphis
