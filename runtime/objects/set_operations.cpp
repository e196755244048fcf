// Operations on whole sets: union, intersection, difference, comparison, hash. `other` is any iterable unless
// a function says that it is a set; results have the exact type set or frozenset, after the left operand.
#include "objects/set.h"

#include <cstring>

#include "objects/dict.h"

using namespace amphis;

namespace amphis {

namespace {

PyTypeObject* base_type(PyObject* set) {
  return PyFrozenSet_Check(set) ? &PyFrozenSet_Type : &PySet_Type;
}

// Calls visit(key, hash) with each element of a set, as a snapshot step by step; stops at the first non-zero
// result, which is returned.
template <class Visit>
int for_each_element(PyObject* set, Visit&& visit) {
  Py_ssize_t pos = 0;
  for (;;) {
    PyObject* next;
    Py_hash_t hash;
    if (set_next_ref(as_set(set), &pos, &next, &hash) == 0) return 0;
    Ref<> key = Ref<>::steal(next);
    const int stop = visit(key.get(), hash);
    if (stop != 0) return stop;
  }
}

// The same for any iterable; hash_of gives the hash of an item, or -1 with an error.
template <class HashOf, class Visit>
int for_each_item(PyObject* iterable, HashOf&& hash_of, Visit&& visit) {
  if (PyAnySet_Check(iterable)) return for_each_element(iterable, visit);
  if (PyDict_CheckExact(iterable)) {
    Py_ssize_t pos = 0;
    PyObject* next;
    Py_hash_t hash;
    while (dict_next_hash(reinterpret_cast<PyDictObject*>(iterable), &pos, &next, &hash)) {
      Ref<> key = Ref<>::steal(next);
      const int stop = visit(key.get(), hash);
      if (stop != 0) return stop;
    }
    return 0;
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return -1;
  for (;;) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more <= 0) return more;
    Ref<> item = Ref<>::steal(next);
    const Py_hash_t hash = hash_of(item.get());
    if (hash == -1) return -1;
    const int stop = visit(item.get(), hash);
    if (stop != 0) return stop;
  }
}

int set_has_of(PyObject* set, PyObject* key, Py_hash_t hash) {
  return set_has(as_set(set), key, hash);
}

int locked_add(PyObject* set, PyObject* key, Py_hash_t hash) {
  ObjectLock lock(set);
  return set_add(as_set(set), key, hash) < 0 ? -1 : 0;
}

}  // namespace

PyObject* set_copy(PyObject* set) {
  return set_make(base_type(set), set);
}

int set_swap_contents(PySetObject* a, PySetObject* b) {
  // What lies in the small table of the set that others see stays there as it is.
  setentry* from_a = a->table;
  setentry* from_b = b->table;
  setentry small_b[PySet_MINSIZE];
  memcpy(small_b, b->smalltable, sizeof(small_b));
  if (from_b == b->smalltable && !sync::only_thread()) {
    from_b = set_new_table(PySet_MINSIZE);
    if (from_b == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
    memcpy(from_b, small_b, sizeof(small_b));
  }
  if (from_a == a->smalltable) {
    memcpy(b->smalltable, from_a, sizeof(b->smalltable));
    from_a = b->smalltable;
  } else {
    set_table_head(from_a)->was_seen = 1;
  }
  if (from_b == b->smalltable) {
    from_b = a->smalltable;
    memcpy(from_b, small_b, sizeof(small_b));
  }
  sync::store_release(a->table, from_b);
  b->table = from_a;
  std::swap(a->fill, b->fill);
  const Py_ssize_t used = a->used;
  sync::store_relaxed(a->used, b->used);
  sync::store_relaxed(b->used, used);
  std::swap(a->mask, b->mask);
  sync::store_relaxed(a->hash, Py_hash_t{-1});
  sync::store_relaxed(b->hash, Py_hash_t{-1});
  return 0;
}

int set_difference_update(PySetObject* set, PyObject* other) {
  PyObject* self = reinterpret_cast<PyObject*>(set);
  if (self == other) {
    ObjectLock lock(self);
    set_clear(set);
    return 0;
  }
  return for_each_item(other, set_hash_element, [self](PyObject* key, Py_hash_t hash) {
    ObjectLock lock(self);
    return set_discard(as_set(self), key, hash) < 0 ? -1 : 0;
  });
}

int set_symmetric_difference_update(PySetObject* set, PyObject* other) {
  PyObject* self = reinterpret_cast<PyObject*>(set);
  if (self == other) {
    ObjectLock lock(self);
    set_clear(set);
    return 0;
  }
  // Without duplicates: an element that comes twice would be removed and added again.
  Ref<> others = PyAnySet_Check(other) || PyDict_CheckExact(other)
                     ? Ref<>::share(other)
                     : Ref<>::steal(set_make(&PySet_Type, other));
  if (!others) return -1;
  return for_each_item(others.get(), set_hash_element, [self](PyObject* key, Py_hash_t hash) {
    ObjectLock lock(self);
    const int removed = set_discard(as_set(self), key, hash);
    if (removed != 0) return removed < 0 ? -1 : 0;
    return set_add(as_set(self), key, hash) < 0 ? -1 : 0;
  });
}

PyObject* set_difference(PyObject* set, PyObject* other) {
  Ref<> result;
  const bool other_is_set = PyAnySet_Check(other);
  const bool other_is_dict = PyDict_CheckExact(other);
  const Py_ssize_t size = PySet_GET_SIZE(set);
  // Looking up the elements of a small set costs less than copying it and removing those of a large one.
  if ((!other_is_set && !other_is_dict) || (size >> 2) > PyObject_Size(other)) {
    result = Ref<>::steal(set_copy(set));
    if (!result || set_difference_update(as_set(result.get()), other) < 0) return nullptr;
    return result.release();
  }
  result = Ref<>::steal(set_make(base_type(set), nullptr));
  if (!result) return nullptr;
  const int stop = for_each_element(set, [&](PyObject* key, Py_hash_t hash) {
    int present;
    if (other_is_dict) {
      ObjectLock lock(other);
      const Py_ssize_t index = dict_find(reinterpret_cast<PyDictObject*>(other), key, hash);
      present = index == kDictError ? -1 : index >= 0;
    } else {
      present = set_has_of(other, key, hash);
    }
    return present != 0 ? (present < 0 ? -1 : 0) : locked_add(result.get(), key, hash);
  });
  return stop < 0 ? nullptr : result.release();
}

PyObject* set_intersection(PyObject* set, PyObject* other) {
  if (set == other) return set_copy(set);
  Ref<> result = Ref<>::steal(set_make(base_type(set), nullptr));
  if (!result) return nullptr;
  if (PyAnySet_Check(other) && PySet_GET_SIZE(other) > PySet_GET_SIZE(set)) std::swap(set, other);
  const int stop = for_each_item(other, PyObject_Hash, [&](PyObject* key, Py_hash_t hash) {
    const int present = set_has_of(set, key, hash);
    return present <= 0 ? present : locked_add(result.get(), key, hash);
  });
  return stop < 0 ? nullptr : result.release();
}

int set_is_subset(PyObject* set, PyObject* other) {
  if (!PyAnySet_Check(other)) {
    // The elements of the set that occur in the iterable: is that all of them?
    Ref<> common = Ref<>::steal(set_intersection(set, other));
    return common ? PySet_GET_SIZE(common.get()) == PySet_GET_SIZE(set) : -1;
  }
  if (PySet_GET_SIZE(set) > PySet_GET_SIZE(other)) return 0;
  const int stop = for_each_element(set, [other](PyObject* key, Py_hash_t hash) {
    const int present = set_has_of(other, key, hash);
    return present < 0 ? -1 : present == 0 ? 1 : 0;
  });
  return stop < 0 ? -1 : stop == 0;
}

int set_is_superset(PyObject* set, PyObject* other) {
  if (PyAnySet_Check(other)) return set_is_subset(other, set);
  const int stop = for_each_item(other, set_hash_element, [set](PyObject* key, Py_hash_t hash) {
    const int present = set_has_of(set, key, hash);
    return present < 0 ? -1 : present == 0 ? 1 : 0;
  });
  return stop < 0 ? -1 : stop == 0;
}

int set_is_disjoint(PyObject* set, PyObject* other) {
  if (set == other) return PySet_GET_SIZE(set) == 0;
  if (PyAnySet_CheckExact(other) && PySet_GET_SIZE(other) > PySet_GET_SIZE(set)) std::swap(set, other);
  const int stop = for_each_item(other, set_hash_element,
                                 [set](PyObject* key, Py_hash_t hash) { return set_has_of(set, key, hash); });
  return stop < 0 ? -1 : stop == 0;
}

// The constants are CPython's: equal sets hash alike in both.
Py_hash_t frozenset_hash(PyObject* op) {
  ObjectLock lock(op);
  PySetObject* set = as_set(op);
  Py_uhash_t hash = 0;
  for (Py_ssize_t i = 0; i <= set->mask; i++) {
    if (!set_entry_live(&set->table[i])) continue;
    const auto h = static_cast<Py_uhash_t>(set->table[i].hash);
    hash ^= ((h ^ 89869747u) ^ (h << 16)) * 3644798167u;
  }
  hash ^= (static_cast<Py_uhash_t>(set->used) + 1) * 1927868237u;
  hash ^= (hash >> 11) ^ (hash >> 25);
  hash = hash * 69069u + 907133923u;
  return hash == static_cast<Py_uhash_t>(-1) ? 590923713 : static_cast<Py_hash_t>(hash);
}

}  // namespace amphis
