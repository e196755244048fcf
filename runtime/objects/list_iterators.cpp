// The iterators of lists, forward and in reverse. They follow the list as it is at each step. One that is
// used up stays so: it lets go of the list in the GIL build; in the free-threaded build, where another thread
// may be in the same step, it keeps it and remembers the end as a negative index.
#include "objects/list.h"

using namespace amphis;

namespace amphis {

namespace {

ListIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<ListIterator*>(op);
}

PyObject* make_iterator(PyObject* list, PyTypeObject* type, Py_ssize_t index) {
  auto* self = make_gc_object<ListIterator>(type);
  if (self == nullptr) return nullptr;
  self->index = index;
  self->seq = as_list(Py_NewRef(list));
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

void finish(ListIterator* self) {
  sync::store_relaxed(self->index, Py_ssize_t{-1});
  if (sync::only_thread()) {  // another thread may be in the same step otherwise
    PyListObject* list = self->seq;
    self->seq = nullptr;
    Py_DECREF(list);
  }
}

template <int kStep>
PyObject* next(PyObject* op) {
  ListIterator* self = as_iterator(op);
  PyListObject* list = self->seq;
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (list == nullptr || index < 0) {
    if (list != nullptr) finish(self);  // the front of a reverse iteration
    return nullptr;
  }
  PyObject* item = list_get_item_ref(list, index);
  if (item == nullptr) {
    finish(self);
    return nullptr;
  }
  sync::store_relaxed(self->index, index + kStep);
  return item;
}

void iterator_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_iterator(op)->seq);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->seq);
  return 0;
}

PyObject* length_hint(PyObject* op, PyObject*) {
  ListIterator* self = as_iterator(op);
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (self->seq == nullptr || index < 0) return PyLong_FromLong(0);
  const Py_ssize_t left = list_size(self->seq) - index;
  return PyLong_FromSsize_t(left > 0 ? left : 0);
}

PyObject* reverse_length_hint(PyObject* op, PyObject*) {
  ListIterator* self = as_iterator(op);
  const Py_ssize_t left = sync::load_relaxed(self->index) + 1;
  // A list that has become shorter ends the iteration.
  return PyLong_FromSsize_t(self->seq == nullptr || list_size(self->seq) < left ? 0 : left);
}

PyObject* reduce(PyObject* op, const char* function) {
  ListIterator* self = as_iterator(op);
  Ref<> call = Ref<>::steal(builtin_function(function));
  if (!call) return nullptr;
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (self->seq == nullptr || index < 0) return Py_BuildValue("N(N)", call.release(), PyList_New(0));
  return Py_BuildValue("N(O)n", call.release(), self->seq, index);
}
PyObject* forward_reduce(PyObject* op, PyObject*) {
  return reduce(op, "iter");
}
PyObject* reverse_reduce(PyObject* op, PyObject*) {
  return reduce(op, "reversed");
}

PyObject* set_state(PyObject* op, PyObject* state) {
  ListIterator* self = as_iterator(op);
  Py_ssize_t index = PyLong_AsSsize_t(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  if (self->seq != nullptr) {
    const bool reverse = Py_IS_TYPE(op, &PyListRevIter_Type);
    if (index < (reverse ? -1 : 0)) index = reverse ? -1 : 0;
    if (reverse && index > list_size(self->seq) - 1) index = list_size(self->seq) - 1;
    sync::store_relaxed(self->index, index);
  }
  Py_RETURN_NONE;
}

PyMethodDef forward_methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS, "Private method returning an estimate of len(list(it))."},
    {"__reduce__", forward_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", set_state, METH_O, "Set state information for unpickling."},
    {},
};
PyMethodDef reverse_methods[] = {
    {"__length_hint__", reverse_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", reverse_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", set_state, METH_O, "Set state information for unpickling."},
    {},
};

}  // namespace

PyObject* list_iter(PyObject* list) {
  return make_iterator(list, &PyListIter_Type, 0);
}

PyObject* list_reversed(PyObject* list, PyObject*) {
  return make_iterator(list, &PyListRevIter_Type, list_size(as_list(list)) - 1);
}

}  // namespace amphis

PyTypeObject PyListIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "list_iterator",
    .tp_basicsize = sizeof(ListIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = next<1>,
    .tp_methods = forward_methods,
};

PyTypeObject PyListRevIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "list_reverseiterator",
    .tp_basicsize = sizeof(ListIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = next<-1>,
    .tp_methods = reverse_methods,
};
