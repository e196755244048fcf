// What the rest of the runtime may ask of weak references beyond the C API.
// Invariant: the weak references to one object form a list from the slot at its type's tp_weaklistoffset; each on it
// names the object in wr_object, each off it names None. Lists change under the lock of their object's bucket, or in a
// stopped world.
#pragma once

#include "Python.h"

namespace amphis {

// The slot that heads the object's list, or null if objects of its type cannot be weakly referenced.
inline PyWeakReference** weakref_list(PyObject* op) {
  const Py_ssize_t offset = Py_TYPE(op)->tp_weaklistoffset;
  return offset > 0 ? reinterpret_cast<PyWeakReference**>(reinterpret_cast<char*>(op) + offset) : nullptr;
}

// Takes wr off its list: it is dead from now on, its callback stays. The bucket is locked or the world stopped.
void weakref_detach(PyWeakReference* wr);

// The bucket's lock for an object.
PyMutex* weakref_lock(const void* op);

// Error of a weak reference callback goes to sys.unraisablehook.
void weakref_call_callback(PyWeakReference* wr, PyObject* callback);

}  // namespace amphis
