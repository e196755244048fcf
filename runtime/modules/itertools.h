// What the files of the itertools module share: the making of iterator types from a struct that can name its
// fields.
//
// A field-naming struct T has `template <class F> void fields(F&& f)`, which calls f with each PyObject*
// field. Steps of an iterator hold its lock, and hold a reference of their own to whatever they call: a step
// may be entered again from the code that it calls, and in the free-threaded build from another thread while
// that code blocks.
#pragma once

#include "Python.h"
#include "objects/container_support.h"
#include "objects/tuple.h"
#include "sync/shared_slot.h"

namespace amphis::itertools {

template <class T>
T* self_of(PyObject* op) {
  return reinterpret_cast<T*>(op);
}

template <class T>
void dealloc(PyObject* op) {
  untrack(op);
  Py_TRASHCAN_BEGIN(op, dealloc<T>) self_of<T>(op)->fields([](PyObject*& field) { Py_XDECREF(field); });
  if constexpr (requires(T* self) { self->release(); }) self_of<T>(op)->release();
  Py_TYPE(op)->tp_free(op);
  Py_TRASHCAN_END
}

template <class T>
int traverse(PyObject* op, visitproc visit, void* arg) {
  int stop = 0;
  self_of<T>(op)->fields([&](PyObject*& field) {
    if (stop == 0 && field != nullptr) stop = visit(field, arg);
  });
  return stop;
}

template <class T>
int clear(PyObject* op) {
  self_of<T>(op)->fields([](PyObject*& field) { Py_CLEAR(field); });
  return 0;
}

struct TypeOptions {
  const char* name;
  const char* doc;
  newfunc make;
  iternextfunc next;
  vectorcallfunc vectorcall = nullptr;
  PyMethodDef* methods = nullptr;
  reprfunc repr = nullptr;
  bool base = true;
};

template <class T>
PyTypeObject make_type(const TypeOptions& options) {
  return PyTypeObject{
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
      .tp_name = options.name,
      .tp_basicsize = sizeof(T),
      .tp_dealloc = dealloc<T>,
      .tp_repr = options.repr,
      .tp_getattro = PyObject_GenericGetAttr,
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | (options.base ? Py_TPFLAGS_BASETYPE : 0) |
                  (options.make == nullptr ? Py_TPFLAGS_DISALLOW_INSTANTIATION : 0),
      .tp_doc = options.doc,
      .tp_traverse = traverse<T>,
      .tp_clear = clear<T>,
      .tp_iter = PyObject_SelfIter,
      .tp_iternext = options.next,
      .tp_methods = options.methods,
      .tp_alloc = PyType_GenericAlloc,
      .tp_new = options.make,
      .tp_free = PyObject_GC_Del,
      .tp_vectorcall = options.vectorcall,
  };
}

// A zeroed instance.
template <class T>
T* alloc(PyTypeObject* type) {
  return self_of<T>(type->tp_alloc(type, 0));
}

inline PyObject* object(void* self) {
  return static_cast<PyObject*>(self);
}
inline PyObject* next_of(PyObject* iterator) {
  return Py_TYPE(iterator)->tp_iternext(iterator);
}

// No keyword arguments for the type itself; classes derived from it may have an __init__ that takes some.
inline bool plain_kwargs(PyTypeObject* type, PyTypeObject* own, const char* name, PyObject* kwargs) {
  return (type != own && type->tp_init != own->tp_init) || check_no_kwargs(name, kwargs);
}

// The tuple kept at *slot, if nobody else holds it, as something to write to: its hash is forgotten. Else
// null.
inline PyTupleObject* take_unique_tuple(PyObject* kept) {
  if (!sync::only_thread() || kept == nullptr || !sync::is_unique(kept)) return nullptr;
  auto* tuple = self_of<PyTupleObject>(kept);
  tuple->ob_hash = -1;
  track(tuple);
  return tuple;
}

// Each file's types, ended by null.
extern PyTypeObject* const kBasicTypes[];
extern PyTypeObject* const kCombinatoricTypes[];
extern PyTypeObject* const kGroupingTypes[];

PyObject* tee(PyObject* module, PyObject* const* args, Py_ssize_t nargs);

}  // namespace amphis::itertools
