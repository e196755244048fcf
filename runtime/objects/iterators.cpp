// The iterators that iter() makes for objects without one of their own: over __getitem__ (PySeqIter_Type) and
// over the calls of a function up to a sentinel (PyCallIter_Type).
#include "objects/container_support.h"

using namespace amphis;

namespace amphis {

namespace {

struct SequenceIterator {
  PyObject_HEAD Py_ssize_t index;
  PyObject* seq;  // null once used up
};

struct CallIterator {
  PyObject_HEAD PyObject* callable;  // both null once used up
  PyObject* sentinel;
};

SequenceIterator* as_sequence(PyObject* op) {
  return reinterpret_cast<SequenceIterator*>(op);
}
CallIterator* as_call(PyObject* op) {
  return reinterpret_cast<CallIterator*>(op);
}

// ---- over a sequence ----

void sequence_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_sequence(op)->seq);
  PyObject_GC_Del(op);
}

int sequence_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_sequence(op)->seq);
  return 0;
}

// The sequence as a strong reference, or null once used up.
Ref<> hold_sequence(SequenceIterator* self) {
  ObjectLock lock(self);
  return Ref<>::share(self->seq);
}

PyObject* sequence_next(PyObject* op) {
  SequenceIterator* self = as_sequence(op);
  Ref<> seq = hold_sequence(self);
  if (!seq) return nullptr;
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (index == PY_SSIZE_T_MAX) {
    PyErr_SetString(PyExc_OverflowError, "iter index too large");
    return nullptr;
  }
  PyObject* item = PySequence_GetItem(seq.get(), index);
  if (item != nullptr) {
    sync::store_relaxed(self->index, index + 1);
    return item;
  }
  if (PyErr_ExceptionMatches(PyExc_IndexError) || PyErr_ExceptionMatches(PyExc_StopIteration)) {
    PyErr_Clear();
    Ref<> dropped;
    ObjectLock lock(self);
    dropped = Ref<>::steal(self->seq);
    self->seq = nullptr;
  }
  return nullptr;
}

PyObject* sequence_length_hint(PyObject* op, PyObject*) {
  SequenceIterator* self = as_sequence(op);
  Ref<> seq = hold_sequence(self);
  if (!seq) return PyLong_FromLong(0);
  if (Py_TYPE(seq.get())->tp_as_sequence == nullptr ||
      Py_TYPE(seq.get())->tp_as_sequence->sq_length == nullptr) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  const Py_ssize_t size = PySequence_Size(seq.get());
  if (size == -1) return nullptr;
  const Py_ssize_t left = size - sync::load_relaxed(self->index);
  return PyLong_FromSsize_t(left > 0 ? left : 0);
}

PyObject* sequence_reduce(PyObject* op, PyObject*) {
  // Looking up iter may run code that moves this iterator: do it first.
  Ref<> iter = Ref<>::steal(builtin_function("iter"));
  if (!iter) return nullptr;
  Ref<> seq = hold_sequence(as_sequence(op));
  if (!seq) return Py_BuildValue("N(())", iter.release());
  return Py_BuildValue("N(O)n", iter.release(), seq.get(), sync::load_relaxed(as_sequence(op)->index));
}

PyObject* sequence_setstate(PyObject* op, PyObject* state) {
  const Py_ssize_t index = PyLong_AsSsize_t(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  ObjectLock lock(op);
  if (as_sequence(op)->seq != nullptr) sync::store_relaxed(as_sequence(op)->index, index < 0 ? 0 : index);
  Py_RETURN_NONE;
}

PyMethodDef sequence_methods[] = {
    {"__length_hint__", sequence_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", sequence_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", sequence_setstate, METH_O, "Set state information for unpickling."},
    {},
};

// ---- over calls ----

void call_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_call(op)->callable);
  Py_XDECREF(as_call(op)->sentinel);
  PyObject_GC_Del(op);
}

int call_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_call(op)->callable);
  Py_VISIT(as_call(op)->sentinel);
  return 0;
}

void call_finish(CallIterator* self) {
  Ref<> callable, sentinel;
  ObjectLock lock(self);
  callable = Ref<>::steal(self->callable);
  sentinel = Ref<>::steal(self->sentinel);
  self->callable = self->sentinel = nullptr;
}

PyObject* call_next(PyObject* op) {
  CallIterator* self = as_call(op);
  Ref<> callable, sentinel;
  {
    ObjectLock lock(self);
    callable = Ref<>::share(self->callable);
    sentinel = Ref<>::share(self->sentinel);
  }
  if (!callable) return nullptr;
  Ref<> result = Ref<>::steal(PyObject_CallNoArgs(callable.get()));
  if (!result) {
    if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
      PyErr_Clear();
      call_finish(self);
    }
    return nullptr;
  }
  {
    // The call may have run this iterator to its end.
    ObjectLock lock(self);
    if (self->sentinel == nullptr) return nullptr;
  }
  const int last = PyObject_RichCompareBool(sentinel.get(), result.get(), Py_EQ);
  if (last == 0) return result.release();
  if (last > 0) call_finish(self);
  return nullptr;
}

PyObject* call_reduce(PyObject* op, PyObject*) {
  CallIterator* self = as_call(op);
  Ref<> iter = Ref<>::steal(builtin_function("iter"));
  if (!iter) return nullptr;
  ObjectLock lock(self);
  if (self->callable == nullptr) return Py_BuildValue("N(())", iter.release());
  return Py_BuildValue("N(OO)", iter.release(), self->callable, self->sentinel);
}

PyMethodDef call_methods[] = {
    {"__reduce__", call_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};

}  // namespace
}  // namespace amphis

extern "C" {

PyObject* PySeqIter_New(PyObject* seq) {
  if (!PySequence_Check(seq)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  auto* self = make_gc_object<SequenceIterator>(&PySeqIter_Type);
  if (self == nullptr) return nullptr;
  self->index = 0;
  self->seq = Py_NewRef(seq);
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyObject* PyCallIter_New(PyObject* callable, PyObject* sentinel) {
  auto* self = make_gc_object<CallIterator>(&PyCallIter_Type);
  if (self == nullptr) return nullptr;
  self->callable = Py_NewRef(callable);
  self->sentinel = Py_NewRef(sentinel);
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

}  // extern "C"

PyTypeObject PySeqIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "iterator",
    .tp_basicsize = sizeof(SequenceIterator),
    .tp_dealloc = sequence_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = sequence_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = sequence_next,
    .tp_methods = sequence_methods,
};

PyTypeObject PyCallIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "callable_iterator",
    .tp_basicsize = sizeof(CallIterator),
    .tp_dealloc = call_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = call_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = call_next,
    .tp_methods = call_methods,
};
