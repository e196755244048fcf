// Iterators over keys, values and items of a dictionary, forward and in reverse.
//
// An iterator holds the position of an entry and the size that the dictionary had when it began; a change of
// size, or an entry where all items were already delivered, ends it with RuntimeError. An iterator that is
// used up lets go of its dictionary in the GIL build; in the free-threaded build, where another thread may be
// inside the same step, it only remembers that it is used up.
#include "objects/dict.h"
#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

struct DictIterator {
  PyObject_HEAD PyDictObject* dict;  // null once used up (GIL build)
  Py_ssize_t used;                   // size at the beginning; kFailed after an error, kDone when used up
  Py_ssize_t pos;                    // next entry to look at
  Py_ssize_t left;                   // items not delivered yet
  PyObject* pair;                    // items only: the tuple to hand out again when nobody else has kept it
};

constexpr Py_ssize_t kFailed = -1;
constexpr Py_ssize_t kDone = -2;

DictIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<DictIterator*>(op);
}

void finish(DictIterator* self) {
  sync::store_relaxed(self->used, kDone);
  if (sync::only_thread()) {
    PyDictObject* dict = self->dict;
    self->dict = nullptr;
    Py_DECREF(dict);
  }
}

struct Step {
  Ref<> key;
  Ref<> value;
};

enum class Outcome { kItem, kEnd, kChanged, kUnsure };

// One step at the entries of `keys`; kUnsure asks for another try under the lock.
template <bool kReverse, bool kLocked>
Outcome step(DictIterator* self, PyDictObject* dict, DictKeys* keys, bool want_key, bool want_value,
             Step* out) {
  const Py_ssize_t n = sync::load_acquire(keys->nentries);
  Py_ssize_t at = sync::load_relaxed(self->pos);
  if (kReverse ? at >= n : false) return Outcome::kEnd;
  for (;; at += kReverse ? -1 : 1) {
    if (kReverse ? at < 0 : at >= n) return Outcome::kEnd;
    if (sync::load_acquire(dict_entry(keys, at)->key) != nullptr) break;
  }
  StrEntry* entry = dict_entry(keys, at);
  if (sync::load_relaxed(self->left) <= 0) return Outcome::kChanged;
  if constexpr (kLocked) {
    if (want_key) out->key = Ref<>::share(entry->key);
    if (want_value) out->value = Ref<>::share(entry->value);
  } else {
    if (want_key && (!sync::try_get_ref(&entry->key, &out->key) || !out->key)) return Outcome::kUnsure;
    if (want_value && (!sync::try_get_ref(&entry->value, &out->value) || !out->value))
      return Outcome::kUnsure;
    if (dict_keys(dict) != keys) return Outcome::kUnsure;
  }
  sync::store_relaxed(self->pos, at + (kReverse ? -1 : 1));
  sync::store_relaxed(self->left, sync::load_relaxed(self->left) - 1);
  return Outcome::kItem;
}

template <bool kReverse>
bool advance(DictIterator* self, bool want_key, bool want_value, Step* out) {
  PyDictObject* dict = self->dict;
  const Py_ssize_t used = sync::load_relaxed(self->used);
  if (dict == nullptr || used == kDone) return false;
  if (used != sync::load_relaxed(dict->ma_used)) {
    PyErr_SetString(PyExc_RuntimeError, "dictionary changed size during iteration");
    sync::store_relaxed(self->used, kFailed);
    return false;
  }
  Outcome outcome = Outcome::kUnsure;
  if constexpr (kRaces) {
    outcome = step<kReverse, false>(self, dict, dict_keys(dict), want_key, want_value, out);
  }
  if (outcome == Outcome::kUnsure) {
    ObjectLock lock(dict);
    outcome = step<kReverse, true>(self, dict, dict_keys_field(dict), want_key, want_value, out);
    if (kRaces && outcome == Outcome::kItem) {
      if (out->key) sync::publish(out->key.get());
      if (out->value) sync::publish(out->value.get());
    }
  }
  if (outcome == Outcome::kItem) return true;
  if (outcome == Outcome::kChanged) {
    PyErr_SetString(PyExc_RuntimeError, "dictionary keys changed during iteration");
  }
  finish(self);
  return false;
}

// A reference to what the slot holds, if that costs no look at shared memory. Null: it may still be there.
AMPHIS_ALWAYS_INLINE PyObject* take_quickly(PyObject* const* slot) {
  PyObject* o = sync::load_acquire(*const_cast<PyObject**>(slot));
  if (o == nullptr) return nullptr;
  if (!sync::is_stable(o)) {
    // Immortal, unless it was freed since it was read.
    return _Py_IsImmortal(o) && sync::load_acquire(*const_cast<PyObject**>(slot)) == o ? o : nullptr;
  }
  Py_INCREF(o);
  return o;
}

// A forward step where the next entry is in use and its objects are this thread's own. False, with nothing done: advance
// decides.
template <bool kKey, bool kValue>
AMPHIS_ALWAYS_INLINE bool step_quickly(DictIterator* self, PyObject** key, PyObject** value) {
  PyDictObject* dict = self->dict;
  if (dict == nullptr || sync::load_relaxed(self->used) != sync::load_relaxed(dict->ma_used)) return false;
  const Py_ssize_t left = sync::load_relaxed(self->left);
  const Py_ssize_t at = sync::load_relaxed(self->pos);
  DictKeys* keys = dict_keys(dict);
  if (left <= 0 || at >= static_cast<Py_ssize_t>(sync::load_acquire(keys->nentries))) return false;
  StrEntry* entry = dict_entry(keys, at);
  if constexpr (kKey) {
    *key = take_quickly(&entry->key);
    if (*key == nullptr) return false;
  }
  if constexpr (kValue) {
    *value = take_quickly(&entry->value);
    if (*value == nullptr) {
      if constexpr (kKey) Py_DECREF(*key);
      return false;
    }
  }
  if (kRaces && dict_keys(dict) != keys) {
    if constexpr (kKey) Py_DECREF(*key);
    if constexpr (kValue) Py_DECREF(*value);
    return false;
  }
  sync::store_relaxed(self->pos, at + 1);
  sync::store_relaxed(self->left, left - 1);
  return true;
}

template <bool kReverse>
PyObject* next_key(PyObject* self) {
  PyObject* key;
  if (!kReverse && step_quickly<true, false>(as_iterator(self), &key, nullptr)) return key;
  Step step;
  return advance<kReverse>(as_iterator(self), true, false, &step) ? step.key.release() : nullptr;
}

template <bool kReverse>
PyObject* next_value(PyObject* self) {
  PyObject* value;
  if (!kReverse && step_quickly<false, true>(as_iterator(self), nullptr, &value)) return value;
  Step step;
  return advance<kReverse>(as_iterator(self), false, true, &step) ? step.value.release() : nullptr;
}

template <bool kReverse>
PyObject* next_item(PyObject* op) {
  DictIterator* self = as_iterator(op);
  Step step;
  if (!advance<kReverse>(self, true, true, &step)) return nullptr;
  if (!sync::only_thread()) return tuple_pair_take(step.key.release(), step.value.release());
  return reuse_pair(&self->pair, step.key.release(), step.value.release());
}

}  // namespace

bool dict_next_pair(PyObject* iterator, PyObject** key, PyObject** value) {
  if (step_quickly<true, true>(as_iterator(iterator), key, value)) return true;
  Step step;
  if (!advance<false>(as_iterator(iterator), true, true, &step)) return false;
  *key = step.key.release();
  *value = step.value.release();
  return true;
}

namespace {

void iterator_dealloc(PyObject* op) {
  DictIterator* self = as_iterator(op);
  untrack(op);
  Py_XDECREF(self->dict);
  Py_XDECREF(self->pair);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->dict);
  Py_VISIT(as_iterator(op)->pair);
  return 0;
}

Py_ssize_t items_left(DictIterator* self) {
  const Py_ssize_t used = sync::load_relaxed(self->used);
  if (self->dict == nullptr || used != sync::load_relaxed(self->dict->ma_used)) return 0;
  return sync::load_relaxed(self->left);
}

PyObject* iterator_length_hint(PyObject* op, PyObject*) {
  return PyLong_FromSsize_t(items_left(as_iterator(op)));
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  DictIterator* self = as_iterator(op);
  Ref<> list;
  if (self->dict == nullptr || sync::load_relaxed(self->used) == kDone) {
    list = Ref<>::steal(PyList_New(0));
  } else {
    // What is left is read through a second iterator, so that this one does not move.
    Ref<> copy = Ref<>::steal(dict_new_iterator(self->dict, Py_TYPE(op)));
    if (!copy) return nullptr;
    as_iterator(copy.get())->used = sync::load_relaxed(self->used);
    as_iterator(copy.get())->pos = sync::load_relaxed(self->pos);
    as_iterator(copy.get())->left = sync::load_relaxed(self->left);
    list = Ref<>::steal(PySequence_List(copy.get()));
  }
  if (!list) return nullptr;
  return Py_BuildValue("N(N)", builtin_function("iter"), list.release());
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};

}  // namespace

PyObject* dict_new_iterator(PyDictObject* dict, PyTypeObject* type) {
  DictIterator* self = make_gc_object<DictIterator>(type);
  if (self == nullptr) return nullptr;
  self->pair = nullptr;
  self->dict = reinterpret_cast<PyDictObject*>(Py_NewRef(dict));
  const bool reverse =
      type == &PyDictRevIterKey_Type || type == &PyDictRevIterValue_Type || type == &PyDictRevIterItem_Type;
  // Without the lock: each step looks at the size again.
  self->used = self->left = sync::load_relaxed(dict->ma_used);
  DictKeys* keys = dict_keys(dict);
  self->pos = reverse ? static_cast<Py_ssize_t>(sync::load_acquire(keys->nentries)) - 1
                      : static_cast<Py_ssize_t>(sync::load_relaxed(keys->live_begin));
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

}  // namespace amphis

#define AMPHIS_DICT_ITERATOR(symbol, name, next)                        \
  PyTypeObject symbol = {                                               \
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)                  \
      .tp_name = name,                                                  \
      .tp_basicsize = sizeof(DictIterator),                             \
      .tp_dealloc = iterator_dealloc,                                   \
      .tp_getattro = PyObject_GenericGetAttr,                           \
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,              \
      .tp_traverse = iterator_traverse,                                 \
      .tp_iter = PyObject_SelfIter,                                     \
      .tp_iternext = next,                                              \
      .tp_methods = iterator_methods,                                   \
  }

AMPHIS_DICT_ITERATOR(PyDictIterKey_Type, "dict_keyiterator", next_key<false>);
AMPHIS_DICT_ITERATOR(PyDictIterValue_Type, "dict_valueiterator", next_value<false>);
AMPHIS_DICT_ITERATOR(PyDictIterItem_Type, "dict_itemiterator", next_item<false>);
AMPHIS_DICT_ITERATOR(PyDictRevIterKey_Type, "dict_reversekeyiterator", next_key<true>);
AMPHIS_DICT_ITERATOR(PyDictRevIterValue_Type, "dict_reversevalueiterator", next_value<true>);
AMPHIS_DICT_ITERATOR(PyDictRevIterItem_Type, "dict_reverseitemiterator", next_item<true>);
