// What the rest of the runtime may ask of weak references beyond the C API.
//
// Invariant: the weak references to one object form a list from the slot at its type's tp_weaklistoffset; each on it
// names the object in wr_object, each off it names None (or nothing, while being made). First on the list comes the
// plain reference without callback, then the plain proxy without callback, if they exist; they are shared.
// Lists change under the lock of their object's bucket, or in a stopped world. Whoever wants the object takes no
// lock: try_incref, then wr_object again; for wr_object becomes None before the object's memory is given back.
#pragma once

#include "Python.h"
#include "sync/ref.h"

namespace amphis {

// The slot that heads the object's list, or null if objects of its type cannot be weakly referenced.
inline PyWeakReference** weakref_list(PyObject* op) {
  const Py_ssize_t offset = Py_TYPE(op)->tp_weaklistoffset;
  return offset > 0 ? reinterpret_cast<PyWeakReference**>(reinterpret_cast<char*>(op) + offset) : nullptr;
}

// The object, or null if it is dead or dying. No exception.
Ref<> weakref_target(PyWeakReference* wr);

// Takes wr off its list: it is dead from now on, its callback stays. The world is stopped (or the bucket locked).
void weakref_detach(PyWeakReference* wr);

// A weak reference of `type` to `object`, a shared one where that can be. callback may be null.
PyObject* weakref_new(PyTypeObject* type, PyObject* object, PyObject* callback);

Py_ssize_t weakref_count(PyObject* object);
PyObject* weakref_all(PyObject* object);  // new list; null with an exception
// The first of an object's weak references that is not dying: new reference, or null without an exception.
PyObject* weakref_first(PyObject* object);

// What the three types have in common (weakref.cpp).
void weakref_dealloc(PyObject* self);
int weakref_traverse(PyObject* self, visitproc visit, void* arg);
int weakref_clear(PyObject* self);

}  // namespace amphis
