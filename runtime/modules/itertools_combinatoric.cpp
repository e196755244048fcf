// itertools, selections from pools: product, combinations, combinations_with_replacement, permutations.
//
// Each keeps the indices of the tuple that it delivered last and steps them in lexicographic order. Positions
// before the first index that a step changed keep their items, so a tuple that nobody else has kept is
// updated from there on.
#include <utility>

#include "modules/itertools.h"

namespace amphis::itertools {
namespace {

struct Selection {
  PyObject_HEAD PyObject* pool;  // a tuple; for product a tuple of tuples
  PyObject* result;              // what was delivered last; null before the first step
  Py_ssize_t* indices;           // r of them
  Py_ssize_t* cycles;            // permutations only: r of them
  Py_ssize_t r;
  bool stopped;
  template <class F>
  void fields(F&& f) {
    f(pool);
    f(result);
  }
  void release() {
    PyMem_Free(indices);
    PyMem_Free(cycles);
  }
};

Selection* selection(PyObject* op) {
  return self_of<Selection>(op);
}

Py_ssize_t* new_indices(Py_ssize_t n) {
  auto* indices = static_cast<Py_ssize_t*>(PyMem_Calloc(static_cast<size_t>(n) + 1, sizeof(Py_ssize_t)));
  if (indices == nullptr) PyErr_NoMemory();
  return indices;
}

// Takes over the pool; `n` indices, all zero.
Selection* make_selection(PyTypeObject* type, Ref<> pool, Py_ssize_t r, Py_ssize_t n) {
  Py_ssize_t* indices = new_indices(n);
  if (indices == nullptr) return nullptr;
  Selection* self = alloc<Selection>(type);
  if (self == nullptr) {
    PyMem_Free(indices);
    return nullptr;
  }
  self->pool = pool.release();
  self->indices = indices;
  self->r = r;
  return self;
}

// Delivers the tuple for the present indices; those from `from` on have changed. item(i) is the i-th item,
// borrowed.
template <class Item>
PyObject* deliver(Selection* self, Py_ssize_t from, Item&& item) {
  if (PyTupleObject* kept = take_unique_tuple(self->result); kept != nullptr) {
    for (Py_ssize_t i = from; i < self->r; i++) {
      PyObject* old = kept->ob_item[i];
      kept->ob_item[i] = Py_NewRef(item(i));
      Py_DECREF(old);
    }
    return Py_NewRef(object(kept));
  }
  if (self->r == 0) {
    Py_XSETREF(self->result, empty_tuple());
    return empty_tuple();
  }
  PyTupleObject* tuple = tuple_alloc(self->r);
  if (tuple == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < self->r; i++) tuple->ob_item[i] = Py_NewRef(item(i));
  track(tuple);
  Py_XSETREF(self->result, Py_NewRef(object(tuple)));
  return object(tuple);
}

PyObject* deliver_from_pool(Selection* self, Py_ssize_t from) {
  PyObject** pool = self_of<PyTupleObject>(self->pool)->ob_item;
  return deliver(self, from, [=](Py_ssize_t i) { return pool[self->indices[i]]; });
}

// A step of a selection: *from is the first index that changed; false at the end.
template <bool (*kAdvance)(Selection*, Py_ssize_t* from), PyObject* (*kDeliver)(Selection*, Py_ssize_t)>
PyObject* next(PyObject* op) {
  Selection* self = selection(op);
  ObjectLock lock(op);
  if (self->stopped) return nullptr;
  Py_ssize_t from = 0;
  PyObject* tuple = nullptr;
  if (self->result == nullptr || kAdvance(self, &from)) tuple = kDeliver(self, from);
  if (tuple == nullptr) self->stopped = true;
  return tuple;
}

PyObject* sizeof_method(PyObject* op, PyObject*) {
  Selection* self = selection(op);
  const Py_ssize_t arrays =
      (self->cycles != nullptr ? 2 : 1) * self->r * static_cast<Py_ssize_t>(sizeof(Py_ssize_t));
  return PyLong_FromSsize_t(Py_TYPE(op)->tp_basicsize + arrays);
}

PyMethodDef methods[] = {
    {"__sizeof__", sizeof_method, METH_NOARGS, "Returns size in memory, in bytes."},
    {},
};

// A non-negative r. False with an error.
bool parse_r(PyObject* arg, Py_ssize_t* r) {
  Ref<> index = Ref<>::steal(PyNumber_Index(arg));
  *r = index ? PyLong_AsSsize_t(index.get()) : -1;
  if (*r == -1 && PyErr_Occurred()) return false;
  if (*r >= 0) return true;
  PyErr_SetString(PyExc_ValueError, "r must be non-negative");
  return false;
}

// ---- product ----

PyObject* product_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Py_ssize_t repeat = 1;
  Py_ssize_t pos = 0;
  PyObject *name, *value;
  while (kwargs != nullptr && PyDict_Next(kwargs, &pos, &name, &value)) {
    if (!PyUnicode_EqualToUTF8(name, "repeat")) {
      PyErr_Format(PyExc_TypeError, "product() got an unexpected keyword argument '%U'", name);
      return nullptr;
    }
    Ref<> index = Ref<>::steal(PyNumber_Index(value));
    repeat = index ? PyLong_AsSsize_t(index.get()) : -1;
    if (repeat == -1 && PyErr_Occurred()) return nullptr;
    if (repeat < 0) {
      PyErr_SetString(PyExc_ValueError, "repeat argument cannot be negative");
      return nullptr;
    }
  }
  const Py_ssize_t nargs = repeat == 0 ? 0 : PyTuple_GET_SIZE(args);
  if (nargs > PY_SSIZE_T_MAX / static_cast<Py_ssize_t>(sizeof(Py_ssize_t)) / (repeat == 0 ? 1 : repeat)) {
    PyErr_SetString(PyExc_OverflowError, "repeat argument too large");
    return nullptr;
  }
  const Py_ssize_t n = nargs * repeat;
  Ref<> pools = Ref<>::steal(PyTuple_New(n));
  if (!pools) return nullptr;
  bool empty = false;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* pool = i < nargs ? PySequence_Tuple(PyTuple_GET_ITEM(args, i))
                               : Py_NewRef(PyTuple_GET_ITEM(pools.get(), i - nargs));
    if (pool == nullptr) return nullptr;
    PyTuple_SET_ITEM(pools.get(), i, pool);
    empty = empty || PyTuple_GET_SIZE(pool) == 0;
  }
  Selection* self = make_selection(type, static_cast<Ref<>&&>(pools), n, n);
  if (self != nullptr) self->stopped = empty;
  return object(self);
}

bool product_advance(Selection* self, Py_ssize_t* from) {
  for (Py_ssize_t i = self->r; i-- > 0;) {
    PyObject* pool = PyTuple_GET_ITEM(self->pool, i);
    if (++self->indices[i] < PyTuple_GET_SIZE(pool)) {
      *from = i;
      return true;
    }
    self->indices[i] = 0;
  }
  return false;
}

PyObject* product_deliver(Selection* self, Py_ssize_t from) {
  return deliver(self, from, [self](Py_ssize_t i) {
    return PyTuple_GET_ITEM(PyTuple_GET_ITEM(self->pool, i), self->indices[i]);
  });
}

// ---- combinations ----

PyObject* combinations_new_as(const char* name, PyTypeObject* type, PyObject* args, PyObject* kwargs,
                              bool replacement) {
  static const char* const names[] = {"iterable", "r"};
  const Parameters parameters = {name, names, 2, 0, 2, 2};
  PyObject* given[2];
  Py_ssize_t r;
  if (!bind_call(parameters, args, kwargs, given) || !parse_r(given[1], &r)) return nullptr;
  Ref<> pool = Ref<>::steal(PySequence_Tuple(given[0]));
  if (!pool) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(pool.get());
  Selection* self = make_selection(type, static_cast<Ref<>&&>(pool), r, r);
  if (self == nullptr) return nullptr;
  if (replacement) {
    self->stopped = n == 0 && r > 0;
  } else {
    self->stopped = r > n;
    for (Py_ssize_t i = 0; i < r; i++) self->indices[i] = i;
  }
  return object(self);
}

PyObject* combinations_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return combinations_new_as("combinations", type, args, kwargs, false);
}
PyObject* with_replacement_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return combinations_new_as("combinations_with_replacement", type, args, kwargs, true);
}

bool combinations_advance(Selection* self, Py_ssize_t* from) {
  const Py_ssize_t n = PyTuple_GET_SIZE(self->pool);
  Py_ssize_t i = self->r - 1;
  while (i >= 0 && self->indices[i] == i + n - self->r) i--;
  if (i < 0) return false;
  self->indices[i]++;
  for (Py_ssize_t j = i + 1; j < self->r; j++) self->indices[j] = self->indices[j - 1] + 1;
  *from = i;
  return true;
}

bool with_replacement_advance(Selection* self, Py_ssize_t* from) {
  const Py_ssize_t last = PyTuple_GET_SIZE(self->pool) - 1;
  Py_ssize_t i = self->r - 1;
  while (i >= 0 && self->indices[i] == last) i--;
  if (i < 0) return false;
  const Py_ssize_t index = self->indices[i] + 1;
  for (Py_ssize_t j = i; j < self->r; j++) self->indices[j] = index;
  *from = i;
  return true;
}

// ---- permutations ----

PyObject* permutations_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"iterable", "r"};
  static const Parameters parameters = {"permutations", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  Ref<> pool = Ref<>::steal(PySequence_Tuple(given[0]));
  if (!pool) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(pool.get());
  Py_ssize_t r = n;
  if (given[1] != nullptr && given[1] != Py_None) {
    if (!PyLong_Check(given[1])) {
      PyErr_SetString(PyExc_TypeError, "Expected int as r");
      return nullptr;
    }
    if (!parse_r(given[1], &r)) return nullptr;
  }
  Py_ssize_t* cycles = new_indices(r);
  if (cycles == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < r; i++) cycles[i] = n - i;
  Selection* self = make_selection(type, static_cast<Ref<>&&>(pool), r, n > r ? n : r);
  if (self == nullptr) {
    PyMem_Free(cycles);
    return nullptr;
  }
  self->cycles = cycles;
  self->stopped = r > n;
  for (Py_ssize_t i = 0; i < n; i++) self->indices[i] = i;
  return object(self);
}

bool permutations_advance(Selection* self, Py_ssize_t* from) {
  const Py_ssize_t n = PyTuple_GET_SIZE(self->pool);
  Py_ssize_t* indices = self->indices;
  for (Py_ssize_t i = self->r; i-- > 0;) {
    if (--self->cycles[i] == 0) {
      // All items have stood here: rotate the rest back to its order.
      const Py_ssize_t first = indices[i];
      for (Py_ssize_t j = i; j < n - 1; j++) indices[j] = indices[j + 1];
      indices[n - 1] = first;
      self->cycles[i] = n - i;
    } else {
      std::swap(indices[i], indices[n - self->cycles[i]]);
      *from = i;
      return true;
    }
  }
  return false;
}

PyTypeObject product_type = make_type<Selection>({
    .name = "itertools.product",
    .doc = "product(*iterables, repeat=1)\n--\n\nThe Cartesian product of the iterables, as nested for-loops "
           "would give "
           "it.",
    .make = product_new,
    .next = next<product_advance, product_deliver>,
    .methods = methods,
});
PyTypeObject combinations_type = make_type<Selection>({
    .name = "itertools.combinations",
    .doc = "combinations(iterable, r)\n--\n\nThe r-length subsequences of the items.",
    .make = combinations_new,
    .next = next<combinations_advance, deliver_from_pool>,
    .methods = methods,
});
PyTypeObject with_replacement_type = make_type<Selection>({
    .name = "itertools.combinations_with_replacement",
    .doc = "combinations_with_replacement(iterable, r)\n--\n\nThe r-length subsequences of the items, where "
           "an item may "
           "be repeated.",
    .make = with_replacement_new,
    .next = next<with_replacement_advance, deliver_from_pool>,
    .methods = methods,
});
PyTypeObject permutations_type = make_type<Selection>({
    .name = "itertools.permutations",
    .doc = "permutations(iterable, r=None)\n--\n\nThe r-length arrangements of the items.",
    .make = permutations_new,
    .next = next<permutations_advance, deliver_from_pool>,
    .methods = methods,
});

}  // namespace

PyTypeObject* const kCombinatoricTypes[] = {
    &combinations_type, &with_replacement_type, &permutations_type, &product_type, nullptr,
};

}  // namespace amphis::itertools
