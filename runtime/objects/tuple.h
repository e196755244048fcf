// Tuples: making them from arrays, and the one empty tuple. A tuple never changes after it was handed out, so
// reading needs no lock; ob_hash caches the hash (-1: not computed).
#pragma once

#include "Python.h"
#include "objects/container_support.h"

namespace amphis {

extern PyTupleObject empty_tuple_object;
inline PyObject* empty_tuple() {
  return reinterpret_cast<PyObject*>(&empty_tuple_object);
}

// n > 0 uninitialised items, hash not computed, not tracked; null with MemoryError.
inline PyTupleObject* tuple_alloc(Py_ssize_t n) {
  constexpr size_t kHead = offsetof(PyTupleObject, ob_item);
  if (n > (PY_SSIZE_T_MAX - static_cast<Py_ssize_t>(kHead)) / static_cast<Py_ssize_t>(sizeof(PyObject*))) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* tuple =
      new_gc_object_sized<PyTupleObject>(&PyTuple_Type, kHead + static_cast<size_t>(n) * sizeof(PyObject*));
  if (tuple == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  tuple->ob_base.ob_size = n;
  tuple->ob_hash = -1;
  return tuple;
}

// A tuple of n items, each with a new reference / with the references taken over, also on failure.
PyObject* tuple_from_array(PyObject* const* items, Py_ssize_t n);
PyObject* tuple_from_array_take(PyObject* const* items, Py_ssize_t n);

inline PyObject* tuple_pair_take(PyObject* first, PyObject* second) {
  PyTupleObject* tuple = tuple_alloc(2);
  if (tuple == nullptr) {
    xdecref_pair(first, second);
    return nullptr;
  }
  tuple->ob_item[0] = first;
  tuple->ob_item[1] = second;
  track(tuple);
  return reinterpret_cast<PyObject*>(tuple);
}

// (first, second) in the tuple at *slot if nobody else holds it any more, else in a new one that is kept
// there. For iterators whose steps no two threads run at once. Takes over the references.
PyObject* reuse_pair(PyObject** slot, PyObject* first, PyObject* second);

// tuple[index] with the errors of the type: a new reference.
PyObject* tuple_subscript(PyObject* self, PyObject* index);

struct TupleIterator {
  PyObject_HEAD Py_ssize_t index;
  PyTupleObject* seq;
};

}  // namespace amphis
