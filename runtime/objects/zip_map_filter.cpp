// The types `zip`, `map` and `filter`. zip and map share how they hold their iterators and how strict=True
// finds out which of them ended early.
#include "objects/zip.h"

#include "objects/container_support.h"
#include "objects/tuple.h"
#include "sync/shared_slot.h"

using namespace amphis;

namespace amphis {

namespace {

constexpr Py_ssize_t kStackArgs = 8;

// A tuple of the iterators over the arguments.
Ref<> make_iterators(PyObject* const* args, Py_ssize_t n) {
  if (n == 0) return Ref<>::steal(empty_tuple());
  Ref<> iterators = Ref<>::steal(PyTuple_New(n));
  if (!iterators) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* iterator = PyObject_GetIter(args[i]);
    if (iterator == nullptr) return nullptr;
    PyTuple_SET_ITEM(iterators.get(), i, iterator);
  }
  return iterators;
}

// Finds strict among the keywords. False with an error for any other name.
bool strict_from_kwnames(const char* function, PyObject* const* values, PyObject* kwnames, bool* strict) {
  const Py_ssize_t n = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  for (Py_ssize_t i = 0; i < n; i++) {
    if (!PyUnicode_EqualToUTF8(PyTuple_GET_ITEM(kwnames, i), "strict")) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function,
                   PyTuple_GET_ITEM(kwnames, i));
      return false;
    }
    const int truth = PyObject_IsTrue(values[i]);
    if (truth < 0) return false;
    *strict = truth != 0;
  }
  return true;
}

bool strict_from_dict(const char* function, PyObject* kwargs, bool* strict) {
  Py_ssize_t pos = 0;
  PyObject *name, *value;
  if (kwargs == nullptr) return true;
  while (PyDict_Next(kwargs, &pos, &name, &value)) {
    if (!PyUnicode_EqualToUTF8(name, "strict")) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
      return false;
    }
    const int truth = PyObject_IsTrue(value);
    if (truth < 0) return false;
    *strict = truth != 0;
  }
  return true;
}

PyObject* length_error(const char* function, Py_ssize_t number, const char* relation) {
  const char* plural = number == 1 ? " " : "s 1-";
  return PyErr_Format(PyExc_ValueError, "%s() argument %zd is %s than argument%s%zd", function, number + 1,
                      relation, plural, number);
}

// Iterator `ended` has no item while those before it had one; in strict mode all others must have ended too.
void check_lengths(const char* function, PyObject* iterators, Py_ssize_t ended) {
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return;
    PyErr_Clear();
  }
  if (ended > 0) {
    length_error(function, ended, "shorter");
    return;
  }
  for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(iterators); i++) {
    PyObject* iterator = PyTuple_GET_ITEM(iterators, i);
    Ref<> item = Ref<>::steal(Py_TYPE(iterator)->tp_iternext(iterator));
    if (item) {
      length_error(function, i, "longer");
      return;
    }
    if (!iteration_ended()) return;
  }
}

// ---- zip ----

ZipObject* as_zip(PyObject* op) {
  return reinterpret_cast<ZipObject*>(op);
}

PyObject* make_zip(PyTypeObject* type, PyObject* const* args, Py_ssize_t n, bool strict) {
  Ref<> iterators = make_iterators(args, n);
  if (!iterators) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_zip(op)->iterators = iterators.release();
  as_zip(op)->result = nullptr;
  as_zip(op)->strict = strict;
  return op;
}

PyObject* zip_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  bool strict = false;
  if (!strict_from_kwnames("zip", args + n, kwnames, &strict)) return nullptr;
  return make_zip(reinterpret_cast<PyTypeObject*>(type), args, n, strict);
}

PyObject* zip_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  bool strict = false;
  if (!strict_from_dict("zip", kwargs, &strict)) return nullptr;
  return make_zip(type, reinterpret_cast<PyTupleObject*>(args)->ob_item, PyTuple_GET_SIZE(args), strict);
}

void zip_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_zip(op)->iterators);
  Py_XDECREF(as_zip(op)->result);
  Py_TYPE(op)->tp_free(op);
}

int zip_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_zip(op)->iterators);
  Py_VISIT(as_zip(op)->result);
  return 0;
}

// The tuple to fill: the last result if it is only ours. Its old items stay in it until they are replaced.
PyTupleObject* take_result(ZipObject* self, Py_ssize_t n) {
  if (sync::only_thread() && self->result != nullptr && sync::is_unique(self->result)) {
    auto* tuple = reinterpret_cast<PyTupleObject*>(Py_NewRef(self->result));
    tuple->ob_hash = -1;
    return tuple;
  }
  auto* tuple = reinterpret_cast<PyTupleObject*>(PyTuple_New(n));
  if (sync::only_thread() && tuple != nullptr) Py_XSETREF(self->result, Py_NewRef(reinterpret_cast<PyObject*>(tuple)));
  return tuple;
}

PyObject* zip_next(PyObject* op) {
  ZipObject* self = as_zip(op);
  PyObject* iterators = self->iterators;
  const Py_ssize_t n = PyTuple_GET_SIZE(iterators);
  if (n == 0) return nullptr;
  PyTupleObject* result = take_result(self, n);
  if (result == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* iterator = PyTuple_GET_ITEM(iterators, i);
    PyObject* item = Py_TYPE(iterator)->tp_iternext(iterator);
    if (item == nullptr) {
      if (sync::load_relaxed(self->strict)) check_lengths("zip", iterators, i);
      Py_DECREF(result);
      return nullptr;
    }
    PyObject* old = result->ob_item[i];
    result->ob_item[i] = item;
    Py_XDECREF(old);
  }
  track(result);
  return reinterpret_cast<PyObject*>(result);
}

PyObject* zip_reduce(PyObject* op, PyObject*) {
  ZipObject* self = as_zip(op);
  if (sync::load_relaxed(self->strict)) return PyTuple_Pack(3, Py_TYPE(op), self->iterators, Py_True);
  return PyTuple_Pack(2, Py_TYPE(op), self->iterators);
}

PyObject* zip_setstate(PyObject* op, PyObject* state) {
  const int strict = PyObject_IsTrue(state);
  if (strict < 0) return nullptr;
  sync::store_relaxed(as_zip(op)->strict, strict != 0);
  Py_RETURN_NONE;
}

PyMethodDef zip_methods[] = {
    {"__reduce__", zip_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", zip_setstate, METH_O, "Set state information for unpickling."},
    {},
};

// ---- map ----

struct MapObject {
  PyObject_HEAD PyObject* iterators;
  PyObject* function;
  bool strict;
};

MapObject* as_map(PyObject* op) {
  return reinterpret_cast<MapObject*>(op);
}

PyObject* make_map(PyTypeObject* type, PyObject* const* args, Py_ssize_t nargs, bool strict) {
  if (nargs < 2) {
    PyErr_SetString(PyExc_TypeError, "map() must have at least two arguments.");
    return nullptr;
  }
  Ref<> iterators = make_iterators(args + 1, nargs - 1);
  if (!iterators) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_map(op)->iterators = iterators.release();
  as_map(op)->function = Py_NewRef(args[0]);
  as_map(op)->strict = strict;
  return op;
}

PyObject* map_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  bool strict = false;
  if (!strict_from_kwnames("map", args + n, kwnames, &strict)) return nullptr;
  return make_map(reinterpret_cast<PyTypeObject*>(type), args, n, strict);
}

PyObject* map_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  bool strict = false;
  if (!strict_from_dict("map", kwargs, &strict)) return nullptr;
  return make_map(type, reinterpret_cast<PyTupleObject*>(args)->ob_item, PyTuple_GET_SIZE(args), strict);
}

void map_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_map(op)->iterators);
  Py_XDECREF(as_map(op)->function);
  Py_TYPE(op)->tp_free(op);
}

int map_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_map(op)->iterators);
  Py_VISIT(as_map(op)->function);
  return 0;
}

PyObject* map_next(PyObject* op) {
  MapObject* self = as_map(op);
  PyObject* iterators = self->iterators;
  const Py_ssize_t n = PyTuple_GET_SIZE(iterators);
  PyObject* local[kStackArgs + 1];
  // The slot before the arguments is the callee's to use (PY_VECTORCALL_ARGUMENTS_OFFSET).
  PyObject** slots = local;
  if (n > kStackArgs) {
    slots = static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(n + 1) * sizeof(PyObject*)));
    if (slots == nullptr) return PyErr_NoMemory();
  }
  PyObject** args = slots + 1;
  Py_ssize_t got = 0;
  for (; got < n; got++) {
    PyObject* iterator = PyTuple_GET_ITEM(iterators, got);
    args[got] = Py_TYPE(iterator)->tp_iternext(iterator);
    if (args[got] == nullptr) break;
  }
  PyObject* result = nullptr;
  if (got == n) {
    result = PyObject_Vectorcall(self->function, args,
                                 static_cast<size_t>(n) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  } else if (sync::load_relaxed(self->strict)) {
    check_lengths("map", iterators, got);
  }
  for (Py_ssize_t i = 0; i < got; i++) Py_DECREF(args[i]);
  if (slots != local) PyMem_Free(slots);
  return result;
}

PyObject* map_reduce(PyObject* op, PyObject*) {
  MapObject* self = as_map(op);
  const Py_ssize_t n = PyTuple_GET_SIZE(self->iterators);
  PyObject* args = PyTuple_New(n + 1);
  if (args == nullptr) return nullptr;
  PyTuple_SET_ITEM(args, 0, Py_NewRef(self->function));
  for (Py_ssize_t i = 0; i < n; i++)
    PyTuple_SET_ITEM(args, i + 1, Py_NewRef(PyTuple_GET_ITEM(self->iterators, i)));
  return sync::load_relaxed(self->strict) ? Py_BuildValue("ONO", Py_TYPE(op), args, Py_True)
                      : Py_BuildValue("ON", Py_TYPE(op), args);
}

PyObject* map_setstate(PyObject* op, PyObject* state) {
  const int strict = PyObject_IsTrue(state);
  if (strict < 0) return nullptr;
  sync::store_relaxed(as_map(op)->strict, strict != 0);
  Py_RETURN_NONE;
}

PyMethodDef map_methods[] = {
    {"__reduce__", map_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", map_setstate, METH_O, "Set state information for unpickling."},
    {},
};

// ---- filter ----

struct FilterObject {
  PyObject_HEAD PyObject* function;
  PyObject* iterator;
};

FilterObject* as_filter(PyObject* op) {
  return reinterpret_cast<FilterObject*>(op);
}

PyObject* make_filter(PyTypeObject* type, PyObject* function, PyObject* iterable) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_filter(op)->function = Py_NewRef(function);
  as_filter(op)->iterator = iterator.release();
  return op;
}

PyObject* filter_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t n = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("filter", kwnames) || !check_positional("filter", n, 2, 2)) return nullptr;
  return make_filter(reinterpret_cast<PyTypeObject*>(type), args[0], args[1]);
}

PyObject* filter_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if ((type == &PyFilter_Type || type->tp_init == PyFilter_Type.tp_init) &&
      !check_no_kwargs("filter", kwargs)) {
    return nullptr;
  }
  if (!check_positional("filter", PyTuple_GET_SIZE(args), 2, 2)) return nullptr;
  return make_filter(type, PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
}

void filter_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_filter(op)->function);
  Py_XDECREF(as_filter(op)->iterator);
  Py_TYPE(op)->tp_free(op);
}

int filter_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_filter(op)->function);
  Py_VISIT(as_filter(op)->iterator);
  return 0;
}

PyObject* filter_next(PyObject* op) {
  FilterObject* self = as_filter(op);
  PyObject* iterator = self->iterator;
  PyObject* function = self->function;
  iternextfunc next = Py_TYPE(iterator)->tp_iternext;
  const bool by_truth = function == Py_None || function == reinterpret_cast<PyObject*>(&PyBool_Type);
  for (;;) {
    Ref<> item = Ref<>::steal(next(iterator));
    if (!item) return nullptr;
    int keep;
    if (by_truth) {
      keep = PyObject_IsTrue(item.get());
    } else {
      Ref<> verdict = Ref<>::steal(PyObject_CallOneArg(function, item.get()));
      keep = verdict ? PyObject_IsTrue(verdict.get()) : -1;
    }
    if (keep > 0) return item.release();
    if (keep < 0) return nullptr;
  }
}

PyObject* filter_reduce(PyObject* op, PyObject*) {
  return Py_BuildValue("O(OO)", Py_TYPE(op), as_filter(op)->function, as_filter(op)->iterator);
}

PyMethodDef filter_methods[] = {
    {"__reduce__", filter_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};

}  // namespace
}  // namespace amphis

PyTypeObject PyZip_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "zip",
    .tp_basicsize = sizeof(ZipObject),
    .tp_dealloc = zip_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc =
        "zip(*iterables, strict=False)\n--\n\n"
        "Tuples of the first items of all iterables, of their second items, and so on, until the shortest "
        "iterable\n"
        "ends. With strict, it is a ValueError if one ends before the others.",
    .tp_traverse = zip_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = zip_next,
    .tp_methods = zip_methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = zip_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = zip_vectorcall,
};

PyTypeObject PyMap_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "map",
    .tp_basicsize = sizeof(MapObject),
    .tp_dealloc = map_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc =
        "map(function, iterable, /, *iterables, strict=False)\n--\n\n"
        "The results of calling function with an item of each iterable, until the shortest iterable ends. "
        "With strict,\n"
        "it is a ValueError if one ends before the others.",
    .tp_traverse = map_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = map_next,
    .tp_methods = map_methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = map_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = map_vectorcall,
};

PyTypeObject PyFilter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "filter",
    .tp_basicsize = sizeof(FilterObject),
    .tp_dealloc = filter_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc =
        "filter(function, iterable, /)\n--\n\n"
        "The items of the iterable for which function(item) is true, or that are true where function is "
        "None.",
    .tp_traverse = filter_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = filter_next,
    .tp_methods = filter_methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = filter_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = filter_vectorcall,
};
