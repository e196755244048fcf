// The types `enumerate` and `reversed`.
#include "objects/enumerate.h"

#include "objects/container_support.h"
#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

// ---- enumerate ----

EnumerateObject* as_enumerate(PyObject* op) {
  return reinterpret_cast<EnumerateObject*>(op);
}

PyObject* make_enumerate(PyTypeObject* type, PyObject* iterable, PyObject* start) {
  Ref<> big;
  Py_ssize_t index = 0;
  if (start != nullptr) {
    Ref<> number = Ref<>::steal(PyNumber_Index(start));
    if (!number) return nullptr;
    index = PyLong_AsSsize_t(number.get());
    if (index == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      big = static_cast<Ref<>&&>(number);
    }
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  EnumerateObject* self = as_enumerate(op);
  self->index = index;
  self->iterator = iterator.release();
  self->big = big.release();
  self->pair = nullptr;
  return op;
}

PyObject* missing_iterable() {
  PyErr_SetString(PyExc_TypeError, "enumerate() missing required argument 'iterable'");
  return nullptr;
}

PyObject* enumerate_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t nkw = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  if (nargs + nkw > 2) {
    PyErr_Format(PyExc_TypeError, "enumerate() takes at most 2 arguments (%zd given)", nargs + nkw);
    return nullptr;
  }
  PyObject* given[2] = {nargs > 0 ? args[0] : nullptr, nargs > 1 ? args[1] : nullptr};
  for (Py_ssize_t i = 0; i < nkw; i++) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, i);
    const bool is_iterable = nargs == 0 && given[0] == nullptr && PyUnicode_EqualToUTF8(name, "iterable");
    const bool is_start =
        given[1] == nullptr && (nargs == 1 || nkw == 2) && PyUnicode_EqualToUTF8(name, "start");
    if (!is_iterable && !is_start) {
      PyErr_Format(PyExc_TypeError, "'%.200U' is an invalid keyword argument for enumerate()", name);
      return nullptr;
    }
    given[is_iterable ? 0 : 1] = args[nargs + i];
  }
  return given[0] == nullptr ? missing_iterable() : make_enumerate(cls, given[0], given[1]);
}

PyObject* enumerate_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"iterable", "start"};
  static const Parameters parameters = {"enumerate", names, 2, 0, 2, 1};
  PyObject* given[2];
  return bind_call(parameters, args, kwargs, given) ? make_enumerate(type, given[0], given[1]) : nullptr;
}

void enumerate_dealloc(PyObject* op) {
  EnumerateObject* self = as_enumerate(op);
  untrack(op);
  Py_XDECREF(self->iterator);
  Py_XDECREF(self->big);
  Py_XDECREF(self->pair);
  Py_TYPE(op)->tp_free(op);
}

int enumerate_traverse(PyObject* op, visitproc visit, void* arg) {
  EnumerateObject* self = as_enumerate(op);
  Py_VISIT(self->iterator);
  Py_VISIT(self->big);
  Py_VISIT(self->pair);
  return 0;
}

// The number of the item, and the step to the next one.
PyObject* next_number(EnumerateObject* self) {
  if (sync::load_relaxed(self->big) == nullptr) {
    const Py_ssize_t index = sync::load_relaxed(self->index);
    if (index != PY_SSIZE_T_MAX) {
      sync::store_relaxed(self->index, index + 1);
      return PyLong_FromSsize_t(index);
    }
  }
  ObjectLock lock(self);
  Ref<> number =
      self->big != nullptr ? Ref<>::share(self->big) : Ref<>::steal(PyLong_FromSsize_t(self->index));
  Ref<> one = Ref<>::steal(PyLong_FromLong(1));
  if (!number || !one) return nullptr;
  PyObject* following = PyNumber_Add(number.get(), one.get());
  if (following == nullptr) return nullptr;
  PyObject* old = self->big;
  sync::store_relaxed(self->big, following);
  Py_XDECREF(old);
  return number.release();
}

PyObject* enumerate_next(PyObject* op) {
  EnumerateObject* self = as_enumerate(op);
  PyObject* item = Py_TYPE(self->iterator)->tp_iternext(self->iterator);
  if (item == nullptr) return nullptr;
  PyObject* number = next_number(self);
  if (number == nullptr) {
    Py_DECREF(item);
    return nullptr;
  }
  if (!sync::only_thread()) return tuple_pair_take(number, item);
  return reuse_pair(&self->pair, number, item);
}

PyObject* enumerate_reduce(PyObject* op, PyObject*) {
  EnumerateObject* self = as_enumerate(op);
  ObjectLock lock(op);
  if (self->big != nullptr) return Py_BuildValue("O(OO)", Py_TYPE(op), self->iterator, self->big);
  return Py_BuildValue("O(On)", Py_TYPE(op), self->iterator, sync::load_relaxed(self->index));
}

PyMethodDef enumerate_methods[] = {
    {"__reduce__", enumerate_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

// ---- reversed ----

struct ReversedObject {
  PyObject_HEAD Py_ssize_t index;  // the next item; negative at the end
  PyObject* seq;                   // null once used up (GIL build)
};

ReversedObject* as_reversed(PyObject* op) {
  return reinterpret_cast<ReversedObject*>(op);
}

PyObject* make_reversed(PyTypeObject* type, PyObject* sequence) {
  Ref<> method = Ref<>::steal(lookup_special(sequence, AMPHIS_STATIC_NAME("__reversed__")));
  if (!method && PyErr_Occurred()) return nullptr;
  if (method && method.get() != Py_None) return PyObject_CallNoArgs(method.get());
  if (method || !PySequence_Check(sequence)) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not reversible", Py_TYPE(sequence)->tp_name);
    return nullptr;
  }
  const Py_ssize_t n = PySequence_Size(sequence);
  if (n == -1) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_reversed(op)->index = n - 1;
  as_reversed(op)->seq = Py_NewRef(sequence);
  return op;
}

PyObject* reversed_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("reversed", kwnames) || !check_positional("reversed", nargs, 1, 1)) return nullptr;
  return make_reversed(reinterpret_cast<PyTypeObject*>(type), args[0]);
}

PyObject* reversed_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (type == &PyReversed_Type && !check_no_kwargs("reversed", kwargs)) return nullptr;
  if (!check_positional("reversed", PyTuple_GET_SIZE(args), 1, 1)) return nullptr;
  return make_reversed(type, PyTuple_GET_ITEM(args, 0));
}

void reversed_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_reversed(op)->seq);
  Py_TYPE(op)->tp_free(op);
}

int reversed_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_reversed(op)->seq);
  return 0;
}

PyObject* reversed_next(PyObject* op) {
  ReversedObject* self = as_reversed(op);
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (index >= 0 && self->seq != nullptr) {
    PyObject* item = PySequence_GetItem(self->seq, index);
    if (item != nullptr) {
      sync::store_relaxed(self->index, index - 1);
      return item;
    }
    if (PyErr_ExceptionMatches(PyExc_IndexError) || PyErr_ExceptionMatches(PyExc_StopIteration))
      PyErr_Clear();
  }
  sync::store_relaxed(self->index, Py_ssize_t{-1});
  if (sync::only_thread()) Py_CLEAR(self->seq);
  return nullptr;
}

PyObject* reversed_length_hint(PyObject* op, PyObject*) {
  ReversedObject* self = as_reversed(op);
  if (self->seq == nullptr) return PyLong_FromLong(0);
  const Py_ssize_t size = PySequence_Size(self->seq);
  if (size == -1) return nullptr;
  const Py_ssize_t left = sync::load_relaxed(self->index) + 1;
  return PyLong_FromSsize_t(size < left ? 0 : left);
}

PyObject* reversed_reduce(PyObject* op, PyObject*) {
  ReversedObject* self = as_reversed(op);
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (self->seq != nullptr && index >= 0) return Py_BuildValue("O(O)n", Py_TYPE(op), self->seq, index);
  return Py_BuildValue("O(())", Py_TYPE(op));
}

PyObject* reversed_setstate(PyObject* op, PyObject* state) {
  ReversedObject* self = as_reversed(op);
  Py_ssize_t index = PyLong_AsSsize_t(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  if (self->seq != nullptr) {
    const Py_ssize_t n = PySequence_Size(self->seq);
    if (n < 0) return nullptr;
    if (index < -1) index = -1;
    if (index > n - 1) index = n - 1;
    sync::store_relaxed(self->index, index);
  }
  Py_RETURN_NONE;
}

PyMethodDef reversed_methods[] = {
    {"__length_hint__", reversed_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", reversed_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", reversed_setstate, METH_O, "Set state information for unpickling."},
    {},
};

}  // namespace
}  // namespace amphis

PyTypeObject PyEnum_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "enumerate",
    .tp_basicsize = sizeof(EnumerateObject),
    .tp_dealloc = enumerate_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc =
        "enumerate(iterable, start=0)\n--\n\n"
        "An iterator of pairs: a number, counting from start, and an item of the iterable.",
    .tp_traverse = enumerate_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = enumerate_next,
    .tp_methods = enumerate_methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = enumerate_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = enumerate_vectorcall,
};

PyTypeObject PyReversed_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "reversed",
    .tp_basicsize = sizeof(ReversedObject),
    .tp_dealloc = reversed_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "reversed(sequence, /)\n--\n\nReturn a reverse iterator over the values of the given sequence.",
    .tp_traverse = reversed_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = reversed_next,
    .tp_methods = reversed_methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = reversed_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = reversed_vectorcall,
};
