// collections.OrderedDict: a dictionary that can move keys to either end. The order is that of the
// dictionary's own entries (dict.h); what is added here are the operations on it, iterators that notice a
// change of order, and an instance __dict__.
#include "objects/dict.h"

#include <cstring>

#include "objects/tuple.h"
#include "sync/atomic_field.h"

using namespace amphis;

namespace amphis {

namespace {

struct OrderedDict {
  PyDictObject dict;
  PyObject* attributes;
  PyObject* weakrefs;
};

PyDictObject* as_dict(PyObject* op) {
  return reinterpret_cast<PyDictObject*>(op);
}
OrderedDict* as_odict(PyObject* op) {
  return reinterpret_cast<OrderedDict*>(op);
}

// ---- life ----

void odict_dealloc(PyObject* op) {
  untrack(op);
  Py_TRASHCAN_BEGIN(op, odict_dealloc) if (sync::load_acquire(as_odict(op)->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  Py_CLEAR(as_odict(op)->attributes);
  PyDict_Type.tp_dealloc(op);
  Py_TRASHCAN_END
}

int odict_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_odict(op)->attributes);
  return PyDict_Type.tp_traverse(op, visit, arg);
}

int odict_clear_slot(PyObject* op) {
  Py_CLEAR(as_odict(op)->attributes);
  return PyDict_Type.tp_clear(op);
}

// ---- updating, through self[key] = value ----

int set_pairs(PyObject* self, PyObject* pairs) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(pairs));
  if (!iterator) return -1;
  for (;;) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more <= 0) return more;
    Ref<> pair = Ref<>::steal(next);
    Ref<> items = Ref<>::steal(PyObject_GetIter(pair.get()));
    if (!items) return -1;
    Ref<> parts[2];
    for (int i = 0; i < 2; i++) {
      parts[i] = Ref<>::steal(PyIter_Next(items.get()));
      if (parts[i]) continue;
      if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "need more than %d value%s to unpack", i, i == 1 ? "" : "s");
      }
      return -1;
    }
    Ref<> excess = Ref<>::steal(PyIter_Next(items.get()));
    if (excess) PyErr_SetString(PyExc_ValueError, "too many values to unpack (expected 2)");
    if (PyErr_Occurred()) return -1;
    if (PyObject_SetItem(self, parts[0].get(), parts[1].get()) < 0) return -1;
  }
}

int update_from(PyObject* self, PyObject* arg) {
  Ref<> method;
  if (PyDict_CheckExact(arg)) {
    Ref<> items = Ref<>::steal(PyDict_Items(arg));
    return items ? set_pairs(self, items.get()) : -1;
  }
  if (PyObject_GetOptionalAttr(arg, AMPHIS_STATIC_NAME("keys"), method.out()) < 0) return -1;
  if (method) {
    Ref<> keys = Ref<>::steal(PyObject_CallNoArgs(method.get()));
    Ref<> iterator = keys ? Ref<>::steal(PyObject_GetIter(keys.get())) : nullptr;
    if (!iterator) return -1;
    for (;;) {
      PyObject* next;
      const int more = PyIter_NextItem(iterator.get(), &next);
      if (more <= 0) return more;
      Ref<> key = Ref<>::steal(next);
      Ref<> value = Ref<>::steal(PyObject_GetItem(arg, key.get()));
      if (!value || PyObject_SetItem(self, key.get(), value.get()) < 0) return -1;
    }
  }
  if (PyObject_GetOptionalAttr(arg, AMPHIS_STATIC_NAME("items"), method.out()) < 0) return -1;
  if (!method) return set_pairs(self, arg);
  Ref<> items = Ref<>::steal(PyObject_CallNoArgs(method.get()));
  return items ? set_pairs(self, items.get()) : -1;
}

int update_all(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) == 1 && update_from(self, PyTuple_GET_ITEM(args, 0)) < 0) return -1;
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) return 0;
  if (!PyArg_ValidateKeywordArguments(kwargs)) return -1;
  Ref<> items = Ref<>::steal(PyDict_Items(kwargs));
  return items ? set_pairs(self, items.get()) : -1;
}

int odict_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 1) {
    PyErr_Format(PyExc_TypeError, "expected at most 1 argument, got %zd", PyTuple_GET_SIZE(args));
    return -1;
  }
  return update_all(self, args, kwargs);
}

PyObject* method_update(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 1) {
    PyErr_Format(PyExc_TypeError, "update() takes at most 1 positional argument (%zd given)",
                 PyTuple_GET_SIZE(args));
    return nullptr;
  }
  if (update_all(self, args, kwargs) < 0) return nullptr;
  Py_RETURN_NONE;
}

// ---- iterators ----

// What changes when the set or the order of keys does.
struct OrderState {
  DictKeys* keys;
  uint32_t nentries;
  uint32_t front_gap;
  Py_ssize_t used;
  bool operator==(const OrderState&) const = default;
};

OrderState order_state(PyDictObject* dict) {
  DictKeys* keys = dict_keys_field(dict);
  return {keys, keys->nentries, keys->front_gap, dict->ma_used};
}

// The next entry at or after (before, in reverse) *pos: a new reference each. False at the end, or with an
// error where the order is no longer the one that `state` stands for.
bool ordered_step(PyObject* odict, const OrderState& state, bool reversed, Py_ssize_t* pos, Ref<>* key,
                  Ref<>* value) {
  PyDictObject* dict = as_dict(odict);
  ObjectLock lock(dict);
  if (!(order_state(dict) == state)) {
    PyErr_SetString(PyExc_RuntimeError, "OrderedDict mutated during iteration");
    return false;
  }
  DictKeys* keys = dict_keys_field(dict);
  const Py_ssize_t n = keys->nentries;
  Py_ssize_t at = *pos;
  while (at >= 0 && at < n && dict_entry(keys, at)->key == nullptr) at += reversed ? -1 : 1;
  if (at < 0 || at >= n) return false;
  *key = Ref<>::share(dict_entry(keys, at)->key);
  *value = Ref<>::share(dict_entry(keys, at)->value);
  *pos = at + (reversed ? -1 : 1);
  return true;
}

// A walk over all entries by somebody who runs code between the steps.
class OrderedWalk {
 public:
  explicit OrderedWalk(PyObject* odict) : odict_(odict) {
    ObjectLock lock(odict);
    state_ = order_state(as_dict(odict));
  }
  bool step(Ref<>* key, Ref<>* value) { return ordered_step(odict_, state_, false, &pos_, key, value); }

 private:
  PyObject* odict_;
  OrderState state_;
  Py_ssize_t pos_ = 0;
};

enum IteratorKind { kKeys = 1, kValues = 2, kReversed = 4 };

struct OrderedIterator {
  PyObject_HEAD PyObject* odict;  // null once used up
  OrderState state;
  Py_ssize_t pos;
  int kind;
};

OrderedIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<OrderedIterator*>(op);
}

PyObject* make_iterator(PyObject* odict, int kind) {
  auto* self = make_gc_object<OrderedIterator>(&PyODictIter_Type);
  if (self == nullptr) return nullptr;
  ObjectLock lock(odict);
  self->odict = Py_NewRef(odict);
  self->state = order_state(as_dict(odict));
  self->kind = kind;
  self->pos = kind & kReversed ? static_cast<Py_ssize_t>(self->state.nentries) - 1 : 0;
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyObject* iterator_next(PyObject* op) {
  OrderedIterator* self = as_iterator(op);
  Ref<> odict;
  {
    ObjectLock lock(op);
    odict = Ref<>::share(self->odict);
  }
  if (!odict) return nullptr;
  Ref<> key, value;
  if (!ordered_step(odict.get(), self->state, self->kind & kReversed, &self->pos, &key, &value)) {
    Ref<> dropped;
    ObjectLock lock(op);
    dropped = Ref<>::steal(self->odict);
    self->odict = nullptr;
    return nullptr;
  }
  if (!(self->kind & kValues)) return key.release();
  if (!(self->kind & kKeys)) return value.release();
  return tuple_pair_take(key.release(), value.release());
}

void iterator_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_iterator(op)->odict);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->odict);
  return 0;
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  OrderedIterator* self = as_iterator(op);
  Ref<> list, odict;
  {
    ObjectLock lock(op);
    odict = Ref<>::share(self->odict);
  }
  if (!odict) {
    list = Ref<>::steal(PyList_New(0));
  } else {
    Ref<> copy = Ref<>::steal(make_iterator(odict.get(), self->kind));
    if (!copy) return nullptr;
    {
      ObjectLock lock(odict.get());
      as_iterator(copy.get())->state = self->state;
      as_iterator(copy.get())->pos = self->pos;
    }
    list = Ref<>::steal(PySequence_List(copy.get()));
  }
  if (!list) return nullptr;
  return Py_BuildValue("N(N)", builtin_function("iter"), list.release());
}

PyMethodDef iterator_methods[] = {
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling"},
    {},
};

PyObject* odict_of(PyObject* view) {
  return reinterpret_cast<PyObject*>(reinterpret_cast<DictView*>(view)->dict);
}

PyObject* odict_iter(PyObject* op) {
  return make_iterator(op, kKeys);
}
PyObject* method_reversed(PyObject* op, PyObject*) {
  return make_iterator(op, kKeys | kReversed);
}
template <int kKind>
PyObject* view_iter(PyObject* view) {
  return make_iterator(odict_of(view), kKind);
}
template <int kKind>
PyObject* view_reversed(PyObject* view, PyObject*) {
  return make_iterator(odict_of(view), kKind | kReversed);
}

PyMethodDef keys_methods[] = {{"__reversed__", view_reversed<kKeys>, METH_NOARGS, nullptr}, {}};
PyMethodDef values_methods[] = {{"__reversed__", view_reversed<kValues>, METH_NOARGS, nullptr}, {}};
PyMethodDef items_methods[] = {{"__reversed__", view_reversed<kKeys | kValues>, METH_NOARGS, nullptr}, {}};

// ---- slots ----

PyObject* odict_repr(PyObject* self) {
  const char* name = strrchr(Py_TYPE(self)->tp_name, '.');
  name = name == nullptr ? Py_TYPE(self)->tp_name : name + 1;
  if (PyDict_GET_SIZE(self) == 0) return PyUnicode_FromFormat("%s()", name);
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("...") : nullptr;
  PyObject* text = nullptr;
  // A subclass may show other items than it holds.
  Ref<> items =
      Ref<>::steal(PyODict_CheckExact(self) ? PyDict_Items(self)
                                            : PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("items")));
  Ref<> copy = items ? Ref<>::steal(PyDict_New()) : nullptr;
  if (copy && PyDict_MergeFromSeq2(copy.get(), items.get(), 1) == 0) {
    text = PyUnicode_FromFormat("%s(%R)", name, copy.get());
  }
  Py_ReprLeave(self);
  return text;
}

// 1 when both have the same keys in the same order, 0, -1.
int same_order(PyObject* a, PyObject* b) {
  OrderedWalk left(a), right(b);
  for (;;) {
    Ref<> x, y, ignored;
    const bool more_left = left.step(&x, &ignored);
    if (!more_left && PyErr_Occurred()) return -1;
    const bool more_right = right.step(&y, &ignored);
    if (!more_right && PyErr_Occurred()) return -1;
    if (!more_left || !more_right) return more_left == more_right;
    const int equal = PyObject_RichCompareBool(x.get(), y.get(), Py_EQ);
    if (equal <= 0) return equal;
  }
}

PyObject* odict_compare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyDict_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> equal = Ref<>::steal(PyDict_Type.tp_richcompare(a, b, Py_EQ));
  if (!equal || equal.get() == Py_NotImplemented) return equal.release();
  int result = equal.get() == Py_True;
  if (result && PyODict_Check(b)) result = same_order(a, b);
  return result < 0 ? nullptr : PyBool_FromLong(result == (op == Py_EQ));
}

PyObject* odict_or(PyObject* a, PyObject* b) {
  if (!PyDict_Check(a) || !PyDict_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  PyTypeObject* type = Py_TYPE(PyODict_Check(a) ? a : b);
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(reinterpret_cast<PyObject*>(type), a));
  if (!result || update_from(result.get(), b) < 0) return nullptr;
  return result.release();
}

PyObject* odict_inplace_or(PyObject* self, PyObject* other) {
  return update_from(self, other) < 0 ? nullptr : Py_NewRef(self);
}

// ---- methods ----

PyObject* method_fromkeys(PyObject* cls, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"iterable", "value"};
  static const Parameters parameters = {"fromkeys", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  return dict_from_keys(cls, given[0], given[1] == nullptr ? Py_None : given[1]);
}

PyObject* method_setdefault(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"key", "default"};
  static const Parameters parameters = {"setdefault", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  PyObject* value = given[1] == nullptr ? Py_None : given[1];
  if (PyODict_CheckExact(self)) {
    PyObject* result;
    PyDict_SetDefaultRef(self, given[0], value, &result);
    return result;
  }
  const int present = PySequence_Contains(self, given[0]);
  if (present < 0) return nullptr;
  if (present) return PyObject_GetItem(self, given[0]);
  return PyObject_SetItem(self, given[0], value) < 0 ? nullptr : Py_NewRef(value);
}

PyObject* method_pop(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"key", "default"};
  static const Parameters parameters = {"pop", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  PyObject* value;
  const int found = PyDict_Pop(self, given[0], &value);
  if (found != 0) return value;
  if (given[1] != nullptr) return Py_NewRef(given[1]);
  set_key_error(given[0]);
  return nullptr;
}

PyObject* method_popitem(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"last"};
  static const Parameters parameters = {"popitem", names, 1, 0, 1, 0};
  PyObject* given[1];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  const int last = given[0] == nullptr ? 1 : PyObject_IsTrue(given[0]);
  if (last < 0) return nullptr;
  PyObject *key, *value;
  {
    ObjectLock lock(self);
    const Py_ssize_t index = last ? dict_last_entry(as_dict(self)) : dict_first_entry(as_dict(self), 0);
    if (index < 0) {
      PyErr_SetString(PyExc_KeyError, "dictionary is empty");
      return nullptr;
    }
    dict_remove_entry(as_dict(self), index, &key, &value);
  }
  return tuple_pair_take(key, value);
}

PyObject* method_move_to_end(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"key", "last"};
  static const Parameters parameters = {"move_to_end", names, 2, 0, 2, 1};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  const int last = given[1] == nullptr ? 1 : PyObject_IsTrue(given[1]);
  if (last < 0) return nullptr;
  const Py_hash_t hash = dict_hash_key(given[0]);
  if (hash == -1) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t index = dict_find(as_dict(self), given[0], hash);
  if (index == kDictMissing) set_key_error(given[0]);
  if (index < 0 || dict_move_entry(as_dict(self), index, last != 0) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_clear(PyObject* self, PyObject*) {
  PyDict_Clear(self);
  Py_RETURN_NONE;
}

PyObject* method_copy(PyObject* self, PyObject*) {
  Ref<> copy = Ref<>::steal(PyODict_CheckExact(self)
                                ? PyODict_New()
                                : PyObject_CallNoArgs(reinterpret_cast<PyObject*>(Py_TYPE(self))));
  if (!copy) return nullptr;
  // Through self[key]: a subclass may give other values than it holds, and do anything meanwhile.
  OrderedWalk walk(self);
  Ref<> key, value;
  while (walk.step(&key, &value)) {
    if (PyODict_CheckExact(self)) {
      if (PyDict_SetItem(copy.get(), key.get(), value.get()) < 0) return nullptr;
      continue;
    }
    value = Ref<>::steal(PyObject_GetItem(self, key.get()));
    if (!value || PyObject_SetItem(copy.get(), key.get(), value.get()) < 0) return nullptr;
  }
  return PyErr_Occurred() ? nullptr : copy.release();
}

PyObject* method_keys(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyODictKeys_Type);
}
PyObject* method_values(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyODictValues_Type);
}
PyObject* method_items(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyODictItems_Type);
}

PyObject* method_reduce(PyObject* self, PyObject*) {
  Ref<> state = Ref<>::steal(_PyObject_GetState(self));
  Ref<> items = state ? Ref<>::steal(PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("items"))) : nullptr;
  Ref<> iterator = items ? Ref<>::steal(PyObject_GetIter(items.get())) : nullptr;
  if (!iterator) return nullptr;
  const bool no_state = PyDict_CheckExact(state.get()) && PyDict_GET_SIZE(state.get()) == 0;
  return PyTuple_Pack(5, Py_TYPE(self), empty_tuple(), no_state ? Py_None : state.get(), Py_None,
                      iterator.get());
}

PyMethodDef methods[] = {
    {"fromkeys", AMPHIS_METHOD(method_fromkeys), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "fromkeys($type, /, iterable, value=None)\n--\n\nA new dictionary with these keys, each with this "
     "value."},
    {"setdefault", AMPHIS_METHOD(method_setdefault), METH_FASTCALL | METH_KEYWORDS,
     "setdefault($self, /, key, default=None)\n--\n\nThe value of key, which becomes default where it is "
     "missing."},
    {"pop", AMPHIS_METHOD(method_pop), METH_FASTCALL | METH_KEYWORDS,
     "pop($self, /, key, default=<unrepresentable>)\n--\n\n"
     "Remove the key and return its value; default, or KeyError without one, where it is missing."},
    {"popitem", AMPHIS_METHOD(method_popitem), METH_FASTCALL | METH_KEYWORDS,
     "popitem($self, /, last=True)\n--\n\nRemove and return a (key, value) pair: the newest, or the oldest."},
    {"move_to_end", AMPHIS_METHOD(method_move_to_end), METH_FASTCALL | METH_KEYWORDS,
     "move_to_end($self, /, key, last=True)\n--\n\nMove an existing element to the end (or beginning if last "
     "is "
     "false).\n\nRaise KeyError if the element does not exist."},
    {"update", AMPHIS_METHOD(method_update), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"clear", method_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from ordered dict."},
    {"copy", method_copy, METH_NOARGS, "copy($self, /)\n--\n\nA shallow copy of ordered dict."},
    {"keys", method_keys, METH_NOARGS, nullptr},
    {"values", method_values, METH_NOARGS, nullptr},
    {"items", method_items, METH_NOARGS, nullptr},
    {"__reduce__", method_reduce, METH_NOARGS, "Return state information for pickling"},
    {"__reversed__", method_reversed, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

PyNumberMethods as_number = {.nb_or = odict_or, .nb_inplace_or = odict_inplace_or};

}  // namespace
}  // namespace amphis

extern "C" {

PyObject* PyODict_New(void) {
  return PyDict_Type.tp_new(&PyODict_Type, empty_tuple(), nullptr);
}
int PyODict_SetItem(PyObject* od, PyObject* key, PyObject* value) {
  return PyDict_SetItem(od, key, value);
}
int PyODict_DelItem(PyObject* od, PyObject* key) {
  return PyDict_DelItem(od, key);
}

}  // extern "C"

PyTypeObject PyODict_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections.OrderedDict",
    .tp_basicsize = sizeof(OrderedDict),
    .tp_dealloc = odict_dealloc,
    .tp_repr = odict_repr,
    .tp_as_number = &as_number,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "Dictionary that remembers insertion order",
    .tp_traverse = odict_traverse,
    .tp_clear = odict_clear_slot,
    .tp_richcompare = odict_compare,
    .tp_weaklistoffset = offsetof(OrderedDict, weakrefs),
    .tp_iter = odict_iter,
    .tp_methods = methods,
    .tp_getset = getset,
    .tp_base = &PyDict_Type,
    .tp_dictoffset = offsetof(OrderedDict, attributes),
    .tp_init = odict_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject PyODictIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "odict_iterator",
    .tp_basicsize = sizeof(OrderedIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
};

PyTypeObject PyODictKeys_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "odict_keys",
    .tp_basicsize = sizeof(DictView),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = view_iter<kKeys>,
    .tp_methods = keys_methods,
    .tp_base = &PyDictKeys_Type,
};

PyTypeObject PyODictValues_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "odict_values",
    .tp_basicsize = sizeof(DictView),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = view_iter<kValues>,
    .tp_methods = values_methods,
    .tp_base = &PyDictValues_Type,
};

PyTypeObject PyODictItems_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "odict_items",
    .tp_basicsize = sizeof(DictView),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = view_iter < kKeys | kValues >
    , .tp_methods = items_methods, .tp_base = &PyDictItems_Type,
};
