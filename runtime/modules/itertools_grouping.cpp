// itertools, several items from one iterator: batched, groupby, tee.
#include <utility>

#include "modules/itertools.h"
#include "sync/atomic_field.h"

namespace amphis::itertools {
namespace {

// ---- batched ----

struct Batched {
  PyObject_HEAD PyObject* iterator;  // null at the end
  Py_ssize_t size;
  bool strict;
  template <class F>
  void fields(F&& f) {
    f(iterator);
  }
};

PyObject* batched_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"iterable", "n", "strict"};
  static const Parameters parameters = {"batched", names, 3, 0, 2, 2};
  PyObject* given[3];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  Ref<> number = Ref<>::steal(PyNumber_Index(given[1]));
  const Py_ssize_t n = number ? PyLong_AsSsize_t(number.get()) : -1;
  if (n == -1 && PyErr_Occurred()) return nullptr;
  const int strict = given[2] == nullptr ? 0 : PyObject_IsTrue(given[2]);
  if (strict < 0) return nullptr;
  if (n < 1) {
    PyErr_SetString(PyExc_ValueError, "n must be at least one");
    return nullptr;
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(given[0]));
  if (!iterator) return nullptr;
  Batched* self = alloc<Batched>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  self->size = n;
  self->strict = strict != 0;
  return object(self);
}

PyObject* batched_next(PyObject* op) {
  Batched* self = self_of<Batched>(op);
  ObjectLock lock(op);
  if (self->iterator == nullptr) return nullptr;
  Ref<> iterator = Ref<>::share(self->iterator);
  const Py_ssize_t n = self->size;
  Ref<> batch = Ref<>::steal(PyTuple_New(n));
  if (!batch) return nullptr;
  PyObject** items = self_of<PyTupleObject>(batch.get())->ob_item;
  Py_ssize_t got = 0;
  while (got < n && (items[got] = next_of(iterator.get())) != nullptr) got++;
  if (got == n) return batch.release();
  const bool ended = iteration_ended();
  Py_CLEAR(self->iterator);
  if (!ended || got == 0) return nullptr;
  if (self->strict) {
    PyErr_SetString(PyExc_ValueError, "batched(): incomplete batch");
    return nullptr;
  }
  PyObject* shorter = batch.release();
  _PyTuple_Resize(&shorter, got);
  return shorter;
}

PyTypeObject batched_type = make_type<Batched>({
    .name = "itertools.batched",
    .doc = "batched(iterable, n, *, strict=False)\n--\n\n"
           "The items of the iterable in tuples of length n. The last may be shorter, which is a ValueError "
           "with strict.",
    .make = batched_new,
    .next = batched_next,
});

// ---- groupby ----

struct GroupBy {
  PyObject_HEAD PyObject* iterator;
  PyObject* key_function;   // None: the item is its own key
  PyObject* target_key;     // of the group handed out last
  PyObject* current_key;    // of the item read last
  PyObject* current_value;  // that item, until it is delivered
  const void* group;        // the group that may still read from here; compared only
  template <class F>
  void fields(F&& f) {
    f(iterator);
    f(key_function);
    f(target_key);
    f(current_key);
    f(current_value);
  }
};

struct Grouper {
  PyObject_HEAD PyObject* parent;
  PyObject* target_key;
  template <class F>
  void fields(F&& f) {
    f(parent);
    f(target_key);
  }
};

extern PyTypeObject groupby_type, grouper_type;

PyObject* groupby_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"iterable", "key"};
  static const Parameters parameters = {"groupby", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(given[0]));
  if (!iterator) return nullptr;
  GroupBy* self = alloc<GroupBy>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  self->key_function = Py_NewRef(given[1] == nullptr ? Py_None : given[1]);
  return object(self);
}

// Reads the next item and its key. False at the end or on error.
bool groupby_step(GroupBy* self) {
  Ref<> value = Ref<>::steal(next_of(self->iterator));
  if (!value) return false;
  Ref<> key = self->key_function == Py_None
                  ? value.copy()
                  : Ref<>::steal(PyObject_CallOneArg(self->key_function, value.get()));
  if (!key) return false;
  Py_XSETREF(self->current_value, value.release());
  Py_XSETREF(self->current_key, key.release());
  return true;
}

// 1, 0 or -1. Comparing may change what the arguments were read from.
int same_key(PyObject* a, PyObject* b) {
  Ref<> hold_a = Ref<>::share(a), hold_b = Ref<>::share(b);
  return PyObject_RichCompareBool(a, b, Py_EQ);
}

PyObject* make_grouper(PyObject* parent, PyObject* key) {
  Grouper* self = alloc<Grouper>(&grouper_type);
  if (self == nullptr) return nullptr;
  self->parent = Py_NewRef(parent);
  self->target_key = Py_NewRef(key);
  self_of<GroupBy>(parent)->group = self;
  return object(self);
}

PyObject* groupby_next(PyObject* op) {
  GroupBy* self = self_of<GroupBy>(op);
  ObjectLock lock(op);
  self->group = nullptr;
  // On to the first item whose key differs from that of the last group.
  for (;;) {
    if (self->current_key != nullptr) {
      if (self->target_key == nullptr) break;
      const int same = same_key(self->target_key, self->current_key);
      if (same < 0) return nullptr;
      if (same == 0) break;
    }
    if (!groupby_step(self)) return nullptr;
  }
  Py_XSETREF(self->target_key, Py_NewRef(self->current_key));
  Ref<> key = Ref<>::share(self->current_key);
  PyObject* group = make_grouper(op, self->target_key);
  return group == nullptr ? nullptr : tuple_pair_take(key.release(), group);
}

PyObject* grouper_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("_grouper", kwargs)) return nullptr;
  PyObject *parent, *key;
  if (!PyArg_ParseTuple(args, "O!O:_grouper", &groupby_type, &parent, &key)) return nullptr;
  return make_grouper(parent, key);
}

PyObject* grouper_next(PyObject* op) {
  Grouper* self = self_of<Grouper>(op);
  GroupBy* parent = self_of<GroupBy>(self->parent);
  ObjectLock lock(parent);
  if (parent->group != self) return nullptr;
  if (parent->current_value == nullptr && !groupby_step(parent)) return nullptr;
  if (parent->current_key == nullptr || parent->current_value == nullptr) return nullptr;
  if (same_key(self->target_key, parent->current_key) <= 0) return nullptr;
  return std::exchange(parent->current_value, nullptr);
}

PyTypeObject groupby_type = make_type<GroupBy>({
    .name = "itertools.groupby",
    .doc = "groupby(iterable, key=None)\n--\n\n"
           "Pairs of a key and an iterator over the consecutive items that have it; key(item), or the item "
           "itself.",
    .make = groupby_new,
    .next = groupby_next,
});
PyTypeObject grouper_type = make_type<Grouper>({
    .name = "itertools._grouper",
    .doc = nullptr,
    .make = grouper_new,
    .next = grouper_next,
    .base = false,
});

// ---- tee ----

// A stretch of what was read from an iterator, linked to the next one. All copies of a tee walk along the
// same chain; whoever comes to its end first reads on.
struct TeeData {
  static constexpr int kItems = 56;
  PyObject_HEAD PyObject* iterator;
  PyObject* next_data;
  int count;
  bool running;
  PyObject* items[kItems];
  template <class F>
  void fields(F&& f) {
    f(iterator);
    for (int i = 0; i < count; i++) f(items[i]);
    f(next_data);
  }
};

struct Tee {
  PyObject_HEAD PyObject* data;
  int index;
  PyObject* weakrefs;
  template <class F>
  void fields(F&& f) {
    f(data);
  }
  void release() {}
};

extern PyTypeObject tee_type, tee_data_type;

PyObject* make_tee_data(PyObject* iterator) {
  TeeData* self = alloc<TeeData>(&tee_data_type);
  if (self != nullptr) self->iterator = Py_NewRef(iterator);
  return object(self);
}

PyObject* tee_data_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  PyObject *iterator, *values, *next;
  if (!check_no_kwargs("_tee_dataobject", kwargs)) return nullptr;
  if (!PyArg_ParseTuple(args, "OO!O", &iterator, &PyList_Type, &values, &next)) return nullptr;
  Ref<> data = Ref<>::steal(make_tee_data(iterator));
  if (!data) return nullptr;
  auto* self = self_of<TeeData>(data.get());
  const Py_ssize_t n = PyList_GET_SIZE(values);
  const bool next_given = next != Py_None;
  if (n > TeeData::kItems || (next_given && (n != TeeData::kItems || !Py_IS_TYPE(next, &tee_data_type)))) {
    PyErr_SetString(PyExc_ValueError, "Invalid arguments");
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    self->items[i] = Py_NewRef(PyList_GET_ITEM(values, i));
    self->count++;
  }
  if (next_given) self->next_data = Py_NewRef(next);
  return data.release();
}

// The item at an index up to `count`: a new reference, or null at the end or with an error. Its lock is held.
PyObject* tee_data_item(TeeData* self, int index) {
  if (index < self->count) return Py_XNewRef(self->items[index]);
  if (self->running) {
    PyErr_SetString(PyExc_RuntimeError, "cannot re-enter the tee iterator");
    return nullptr;
  }
  if (self->iterator == nullptr) return nullptr;  // cleared by the collector
  self->running = true;
  PyObject* item = next_of(self->iterator);
  self->running = false;
  if (item == nullptr) return nullptr;
  self->items[self->count++] = Py_NewRef(item);
  return item;
}

PyObject* tee_data_next(TeeData* self) {
  if (self->next_data == nullptr && self->iterator != nullptr)
    self->next_data = make_tee_data(self->iterator);
  return Py_XNewRef(self->next_data);
}

// A chain can be long: its stretches are dropped one after the other, not one inside the other.
void tee_data_drop_chain(PyObject* data) {
  while (data != nullptr && Py_IS_TYPE(data, &tee_data_type) && sync::is_unique(data)) {
    PyObject* next = std::exchange(self_of<TeeData>(data)->next_data, nullptr);
    Py_DECREF(data);
    data = next;
  }
  Py_XDECREF(data);
}

void tee_data_dealloc(PyObject* op) {
  auto* self = self_of<TeeData>(op);
  untrack(op);
  Py_XDECREF(self->iterator);
  for (int i = 0; i < self->count; i++) Py_XDECREF(self->items[i]);
  tee_data_drop_chain(std::exchange(self->next_data, nullptr));
  PyObject_GC_Del(op);
}

PyObject* tee_next(PyObject* op) {
  Tee* self = self_of<Tee>(op);
  Ref<> data;
  int index;
  {
    ObjectLock lock(op);
    data = Ref<>::share(self->data);
    index = self->index;
  }
  if (!data) return nullptr;
  if (index >= TeeData::kItems) {
    Ref<> next;
    {
      ObjectLock lock(data.get());
      next = Ref<>::steal(tee_data_next(self_of<TeeData>(data.get())));
    }
    if (!next) return nullptr;
    ObjectLock lock(op);
    if (self->data == data.get()) {
      Py_SETREF(self->data, Py_NewRef(next.get()));
      self->index = 0;
    }
    data = static_cast<Ref<>&&>(next);
    index = 0;
  }
  PyObject* item;
  {
    ObjectLock lock(data.get());
    item = tee_data_item(self_of<TeeData>(data.get()), index);
  }
  if (item != nullptr) {
    ObjectLock lock(op);
    if (self->data == data.get() && self->index == index) self->index++;
  }
  return item;
}

PyObject* tee_copy(PyObject* op, PyObject*) {
  Tee* self = self_of<Tee>(op);
  Tee* copy = alloc<Tee>(&tee_type);
  if (copy == nullptr) return nullptr;
  ObjectLock lock(op);
  copy->data = Py_XNewRef(self->data);
  copy->index = self->index;
  return object(copy);
}

PyObject* tee_from_iterable(PyObject* iterable) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  if (Py_IS_TYPE(iterator.get(), &tee_type)) return tee_copy(iterator.get(), nullptr);
  Ref<> data = Ref<>::steal(make_tee_data(iterator.get()));
  if (!data) return nullptr;
  Tee* self = alloc<Tee>(&tee_type);
  if (self == nullptr) return nullptr;
  self->data = data.release();
  return object(self);
}

PyObject* tee_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("_tee", kwargs)) return nullptr;
  if (!check_positional("_tee", PyTuple_GET_SIZE(args), 1, 1)) return nullptr;
  return tee_from_iterable(PyTuple_GET_ITEM(args, 0));
}

void tee_dealloc(PyObject* op) {
  Tee* self = self_of<Tee>(op);
  untrack(op);
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  tee_data_drop_chain(std::exchange(self->data, nullptr));
  PyObject_GC_Del(op);
}

PyMethodDef tee_methods[] = {
    {"__copy__", tee_copy, METH_NOARGS, "Returns an independent iterator."},
    {},
};

PyTypeObject tee_data_type = [] {
  PyTypeObject type = make_type<TeeData>({
      .name = "itertools._tee_dataobject",
      .doc = "teedataobject(iterable, values, next, /)\n--\n\nData container common to multiple tee objects.",
      .make = tee_data_new,
      .next = nullptr,
      .base = false,
  });
  type.tp_dealloc = tee_data_dealloc;
  type.tp_iter = nullptr;
  return type;
}();

PyTypeObject tee_type = [] {
  PyTypeObject type = make_type<Tee>({
      .name = "itertools._tee",
      .doc = "_tee(iterable, /)\n--\n\nIterator wrapped to make it copyable.",
      .make = tee_new,
      .next = tee_next,
      .methods = tee_methods,
      .base = false,
  });
  type.tp_dealloc = tee_dealloc;
  type.tp_weaklistoffset = offsetof(Tee, weakrefs);
  return type;
}();

}  // namespace

PyObject* tee(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("tee", nargs, 1, 2)) return nullptr;
  Py_ssize_t n = 2;
  if (nargs == 2) {
    Ref<> number = Ref<>::steal(PyNumber_Index(args[1]));
    n = number ? PyLong_AsSsize_t(number.get()) : -1;
    if (n == -1 && PyErr_Occurred()) return nullptr;
  }
  if (n < 0) {
    PyErr_SetString(PyExc_ValueError, "n must be >= 0");
    return nullptr;
  }
  Ref<> result = Ref<>::steal(PyTuple_New(n));
  if (!result || n == 0) return result.release();
  Ref<> first = Ref<>::steal(PyObject_GetIter(args[0]));
  if (!first) return nullptr;
  Ref<> copy;
  if (Py_IS_TYPE(first.get(), &tee_type)) {
    first = Ref<>::steal(tee_copy(first.get(), nullptr));  // independent of the argument
  } else if (PyObject_GetOptionalAttr(first.get(), AMPHIS_STATIC_NAME("__copy__"), copy.out()) < 0) {
    return nullptr;
  } else if (!copy) {
    first = Ref<>::steal(tee_from_iterable(first.get()));
  }
  if (!first) return nullptr;
  if (!copy && n > 1) {
    copy = Ref<>::steal(PyObject_GetAttr(first.get(), AMPHIS_STATIC_NAME("__copy__")));
    if (!copy) return nullptr;
  }
  PyTuple_SET_ITEM(result.get(), 0, first.release());
  for (Py_ssize_t i = 1; i < n; i++) {
    PyObject* another = PyObject_CallNoArgs(copy.get());
    if (another == nullptr) return nullptr;
    PyTuple_SET_ITEM(result.get(), i, another);
  }
  return result.release();
}

PyTypeObject* const kGroupingTypes[] = {
    &batched_type, &groupby_type, &grouper_type, &tee_type, &tee_data_type, nullptr,
};

}  // namespace amphis::itertools
