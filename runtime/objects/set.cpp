// The hash table of sets and frozensets, and their C API. See set.h for the invariants.
//
// The order in which a set is walked can be seen, so the probe sequence and the growth policy follow those of
// CPython: start at hash & mask, look at up to nine neighbours, then jump by a perturbed 5*i + 1; a table is
// full at 3/5 and then grows to four times the elements (twice, from 50,000 on).
#include "objects/set.h"

#include <cstring>

#include "base/compiler.h"
#include "objects/dict.h"
#include "objects/int.h"
#include "sync/retire.h"

using namespace amphis;

namespace amphis {

PyObject set_dummy_object[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};

namespace {

// Calls visit(entry) along the probe sequence until it returns true; the result is that entry.
template <class Visit>
inline setentry* probe(setentry* table, size_t mask, Py_hash_t hash, Visit&& visit) {
  size_t perturb = static_cast<size_t>(hash);
  size_t at = perturb & mask;
  for (;;) {
    setentry* entry = &table[at];
    const size_t neighbours = at + kSetLinearProbes <= mask ? kSetLinearProbes : 0;
    for (setentry* last = entry + neighbours; entry <= last; entry++) {
      if (visit(entry)) return entry;
    }
    perturb >>= 5;
    at = (at * 5 + 1 + perturb) & mask;
  }
}

// Fills an empty entry that readers may see.
void fill_entry(setentry* entry, PyObject* key, Py_hash_t hash) {
  sync::store_relaxed(entry->hash, hash);
  sync::store_release(entry->key, key);
}
void empty_entry(setentry* entry) {
  sync::store_relaxed(entry->key, set_dummy());
  sync::store_release(entry->hash, Py_hash_t{-1});  // whoever sees it sees that the key is gone
}

void retire_table(PySetObject* set, setentry* table) {
  if (table != set->smalltable) sync::retire(set_table_head(table), set_table_head(table)->mask * sizeof(setentry));
}

// Places a key that is not in the table, which has no dummies.
void place(setentry* table, size_t mask, PyObject* key, Py_hash_t hash) {
  setentry* entry = probe(table, mask, hash, [](setentry* e) { return e->key == nullptr; });
  fill_entry(entry, key, hash);
}

// Rebuilds the table with room for more than `minimum` elements.
int resize(PySetObject* set, Py_ssize_t minimum) {
  size_t size = PySet_MINSIZE;
  while (size <= static_cast<size_t>(minimum)) size <<= 1;
  setentry* old = set->table;
  const size_t old_mask = static_cast<size_t>(set->mask);
  setentry local[PySet_MINSIZE];
  setentry* fresh;
  if (size == PySet_MINSIZE && old == set->smalltable && set->fill == set->used) return 0;
  if (size == PySet_MINSIZE && sync::only_thread()) {
    if (old == set->smalltable) {
      memcpy(local, old, sizeof(local));
      old = local;
    }
    fresh = set->smalltable;
    memset(fresh, 0, sizeof(set->smalltable));
  } else {
    fresh = set_new_table(size);
    if (fresh == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
  }
  for (size_t i = 0; i <= old_mask; i++) {
    if (set_entry_live(&old[i])) place(fresh, size - 1, old[i].key, old[i].hash);
  }
  set->mask = static_cast<Py_ssize_t>(size - 1);
  sync::store_release(set->table, fresh);
  set->fill = set->used;
  if (old != local) retire_table(set, old);
  return 0;
}

// In two pieces: one of this size GCC 12 makes a string instruction, which takes longer than everything else in set_make.
void clear_small_table(PySetObject* set) {
  memset(set->smalltable, 0, sizeof(set->smalltable) / 2);
  memset(set->smalltable + PySet_MINSIZE / 2, 0, sizeof(set->smalltable) / 2);
}

int grow_if_full(PySetObject* set) {
  if (set->fill * 5 < set->mask * 3) return 0;
  return resize(set, set->used > 50000 ? set->used * 2 : set->used * 4);
}

// Adds the elements of another set, whose hashes are known. Both are locked.
int merge_set(PySetObject* set, PySetObject* other) {
  if (set == other || other->used == 0) return 0;
  if ((set->fill + other->used) * 5 >= set->mask * 3 && resize(set, (set->used + other->used) * 2) < 0)
    return -1;
  // Without comparisons where there is nothing to compare with; without probing where the result is the same table.
  if (set->fill == 0) {
    setentry* const to = set->table;
    setentry* const from = other->table;
    const Py_ssize_t count = other->used;
    const size_t mask = static_cast<size_t>(set->mask);
    const bool alike = set->mask == other->mask && other->fill == count;
    for (Py_ssize_t i = 0, left = count; left > 0; i++) {
      const setentry entry = from[i];
      if (!set_entry_live(&entry)) continue;
      left--;
      Py_INCREF(entry.key);
      if (alike) {
        fill_entry(&to[i], entry.key, entry.hash);
      } else {
        place(to, mask, entry.key, entry.hash);
      }
    }
    set->fill = count;
    sync::store_relaxed(set->used, count);
    return 0;
  }
  Py_ssize_t pos = 0;
  setentry* entry;
  while (set_next(other, &pos, &entry)) {
    const Py_hash_t hash = entry->hash;
    Ref<> key = Ref<>::share(entry->key);
    if (set_add(set, key.get(), hash) < 0) return -1;
  }
  return 0;
}

int merge_dict(PySetObject* set, PyObject* dict) {
  const Py_ssize_t n = PyDict_GET_SIZE(dict);
  if ((set->fill + n) * 5 >= set->mask * 3 && resize(set, (set->used + n) * 2) < 0) return -1;
  Py_ssize_t pos = 0;
  PyObject* next;
  Py_hash_t hash;
  while (dict_next_hash(reinterpret_cast<PyDictObject*>(dict), &pos, &next, &hash)) {
    Ref<> key = Ref<>::steal(next);
    if (set_add(set, key.get(), hash) < 0) return -1;
  }
  return 0;
}

bool check_set(PyObject* op, bool ok) {
  if (op != nullptr && ok) return true;
  PyErr_BadInternalCall();
  return false;
}

// A key that was read from an entry without the lock, kept alive while its contents are compared. False: it may have been
// taken out and have died. A string or number of another thread is counted for once, or found under the lock if its owner
// has shown it to nobody yet: then lookups read it uncounted, so that threads that find one key do not write its count in turn.
class HeldKey {
  PyObject* counted_ = nullptr;
  bool good_ = true;

 public:
  // From here on this key need not be counted. The caller has a reference, or the lock of a set that has one.
  static void read_uncounted(PyObject* key) {
    if (PyLong_CheckExact(key) || (PyUnicode_CheckExact(key) && PyUnicode_IS_COMPACT(key))) sync::allow_uncounted_reads(key);
  }
  HeldKey(const setentry* entry, PyObject* key) {
    // Nobody else can free this thread's own objects.
    if (sync::is_stable(key)) return;
    if (!_Py_IsImmortal(key) && !sync::has_uncounted_reads(key)) {
      if (!sync::try_incref(key)) {
        good_ = false;
        return;
      }
      counted_ = key;
      read_uncounted(key);
    }
    good_ = sync::load_acquire(entry->key) == key;
  }
  ~HeldKey() { Py_XDECREF(counted_); }
  HeldKey(const HeldKey&) = delete;
  HeldKey& operator=(const HeldKey&) = delete;
  explicit operator bool() const { return good_; }
  // Whether `key` is still there: had it been taken out meanwhile, what was compared may have been something else.
  static bool stayed(PySetObject* set, const setentry* table, const setentry* entry, PyObject* key) {
    return sync::load_acquire(const_cast<setentry*>(entry)->key) == key && sync::load_acquire(set->table) == table;
  }
};

// A key that is looked at while there is one thread.
struct LoneKey {
  LoneKey(const setentry*, PyObject*) {}
  explicit operator bool() const { return true; }
  static bool stayed(PySetObject*, const setentry*, const setentry*, PyObject*) { return true; }
};

// set_has() without the lock, where no Python code need run to compare; kUnsure: another thread may interfere, or code must
// run. A table that is read stays readable until this thread's next safepoint, and there is none in here.
constexpr int kUnsure = -2;
template <class Key>
int has_without_lock(PySetObject* set, PyObject* key, Py_hash_t hash) {
  setentry* const table = sync::load_acquire(set->table);
  const size_t mask = table == set->smalltable ? PySet_MINSIZE - 1 : set_table_head(table)->mask;
  const bool key_is_str = PyUnicode_CheckExact(key);
  int64_t number;
  const bool key_is_number = PyLong_CheckExact(key) && compact_value(key, &number);
  int result = 0;
  probe(table, mask, hash, [&](setentry* entry) {
    PyObject* other = sync::load_acquire(entry->key);
    if (other == nullptr) return true;
    if (other != key) {
      if (sync::load_relaxed(entry->hash) != hash || other == set_dummy()) return false;
      Key held(entry, other);
      int64_t value;
      if (!held) {
        result = kUnsure;
        return true;
      }
      if (key_is_str && PyUnicode_CheckExact(other)) {
        if (!str_equal(other, key)) return false;
      } else if (key_is_number && PyLong_CheckExact(other) && compact_value(other, &value)) {
        if (value != number) return false;
      } else {
        result = kUnsure;
        return true;
      }
    }
    result = Key::stayed(set, table, entry, other) ? 1 : kUnsure;
    return true;
  });
  return result;
}

// set_next_ref() without the lock, or kUnsure.
int next_without_lock(PySetObject* set, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  setentry* const table = sync::load_acquire(set->table);
  const auto end = static_cast<Py_ssize_t>(table == set->smalltable ? PySet_MINSIZE - 1 : set_table_head(table)->mask);
  for (Py_ssize_t at = *pos; at <= end; at++) {
    PyObject* found = sync::load_acquire(table[at].key);
    if (found == nullptr || found == set_dummy()) continue;
    Ref<> held;
    if (!sync::try_get_ref(&table[at].key, &held)) return kUnsure;
    *hash = sync::load_acquire(table[at].hash);
    if (held.get() != found || sync::load_acquire(table[at].key) != found || sync::load_acquire(set->table) != table) return kUnsure;
    *key = held.release();
    *pos = at + 1;
    return 1;
  }
  return sync::load_acquire(set->table) == table ? 0 : kUnsure;
}

}  // namespace

int set_next_ref(PySetObject* set, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  if constexpr (kRaces) {
    const int found = next_without_lock(set, pos, key, hash);
    if (found != kUnsure) return found;
  }
  ObjectLock lock(set);
  setentry* entry;
  if (!set_next(set, pos, &entry)) return 0;
  sync::publish(entry->key);
  *key = Py_NewRef(entry->key);
  *hash = entry->hash;
  return 1;
}

setentry* set_new_table(size_t size) {
  auto* head = static_cast<SetTableHead*>(PyMem_Malloc(sizeof(SetTableHead) + size * sizeof(setentry)));
  if (head == nullptr) return nullptr;
  head->mask = size - 1;
  head->was_seen = 0;
  auto* table = reinterpret_cast<setentry*>(head + 1);
  memset(table, 0, size * sizeof(setentry));
  return table;
}

Py_hash_t set_hash_element(PyObject* element) {
  if (PyUnicode_CheckExact(element)) return str_hash(element);
  const Py_hash_t hash = PyObject_Hash(element);
  if (hash == -1) explain_unhashable(element, "set element");
  return hash;
}

setentry* set_find(PySetObject* set, PyObject* key, Py_hash_t hash) {
  const bool key_is_str = PyUnicode_CheckExact(key);
  for (;;) {
    setentry* table = set->table;
    enum { kDone, kFailed, kAgain } outcome = kDone;
    setentry* found = probe(table, static_cast<size_t>(set->mask), hash, [&](setentry* entry) {
      PyObject* other = entry->key;
      if (other == nullptr || other == key) return true;
      if (entry->hash != hash || other == set_dummy()) return false;
      if (key_is_str && PyUnicode_CheckExact(other)) return str_equal(other, key);
      Ref<> hold = Ref<>::share(other);
      const int equal = PyObject_RichCompareBool(other, key, Py_EQ);
      if (equal < 0) {
        outcome = kFailed;
        return true;
      }
      if (set->table != table || entry->key != other) {
        outcome = kAgain;
        return true;
      }
      return equal > 0;
    });
    if (outcome == kDone) return found;
    if (outcome == kFailed) return nullptr;
  }
}

namespace {

// set_find while one thread runs, where no comparison runs code: then no lock is needed, for nothing starts another thread
// before the step is done. Null: it may.
setentry* find_alone(PySetObject* set, PyObject* key, Py_hash_t hash) {
  if (!kRaces || !sync::only_thread()) return nullptr;
  const bool key_is_str = PyUnicode_CheckExact(key);
  int64_t number;
  const bool key_is_number = PyLong_CheckExact(key) && compact_value(key, &number);
  if (!key_is_str && !key_is_number) return nullptr;
  bool unsure = false;
  setentry* found = probe(set->table, static_cast<size_t>(set->mask), hash, [&](setentry* entry) {
    PyObject* other = entry->key;
    if (other == nullptr || other == key) return true;
    if (entry->hash != hash || other == set_dummy()) return false;
    if (key_is_str && PyUnicode_CheckExact(other)) return str_equal(other, key);
    int64_t value;
    if (key_is_number && PyLong_CheckExact(other) && compact_value(other, &value)) return value == number;
    unsure = true;
    return true;
  });
  return unsure ? nullptr : found;
}

AMPHIS_ALWAYS_INLINE int add_at(PySetObject* set, setentry* entry, PyObject* key, Py_hash_t hash) {
  if (entry->key != nullptr) return 0;
  fill_entry(entry, Py_NewRef(key), hash);
  set->fill++;
  sync::store_relaxed(set->used, set->used + 1);
  return grow_if_full(set) < 0 ? -1 : 1;
}

}  // namespace

int set_add(PySetObject* set, PyObject* key, Py_hash_t hash) {
  setentry* entry = set_find(set, key, hash);
  return entry == nullptr ? -1 : add_at(set, entry, key, hash);
}

int set_discard(PySetObject* set, PyObject* key, Py_hash_t hash) {
  setentry* entry = set_find(set, key, hash);
  if (entry == nullptr) return -1;
  if (entry->key == nullptr) return 0;
  PyObject* old = entry->key;
  empty_entry(entry);
  sync::store_relaxed(set->used, set->used - 1);
  Py_DECREF(old);
  return 1;
}

int set_has(PySetObject* set, PyObject* key, Py_hash_t hash) {
  if constexpr (kRaces) {
    const int found = sync::only_thread() ? has_without_lock<LoneKey>(set, key, hash) : has_without_lock<HeldKey>(set, key, hash);
    if (found != kUnsure) return found;
  }
  ObjectLock lock(set);
  setentry* entry = set_find(set, key, hash);
  if (entry == nullptr) return -1;
  if (entry->key == nullptr) return 0;
  if (kRaces && !sync::is_stable(entry->key)) HeldKey::read_uncounted(entry->key);
  return 1;
}

// What clearing does where there is no memory for another table.
static void discard_all(PySetObject* set) {
  for (size_t i = 0; i <= static_cast<size_t>(set->mask); i++) {
    setentry* entry = &set->table[i];
    if (!set_entry_live(entry)) continue;
    PyObject* key = entry->key;
    empty_entry(entry);
    sync::store_relaxed(set->used, set->used - 1);
    Py_DECREF(key);  // may change the table
  }
}

void set_clear(PySetObject* set) {
  setentry* old = set->table;
  const size_t n = static_cast<size_t>(set->mask) + 1;
  if (set->fill == 0 && old == set->smalltable) return;
  setentry local[PySet_MINSIZE];
  setentry* fresh = set->smalltable;
  if (sync::only_thread()) {
    if (old == set->smalltable) {
      memcpy(local, old, sizeof(local));
      old = local;
    }
    clear_small_table(set);
  } else {
    fresh = set_new_table(PySet_MINSIZE);
    if (fresh == nullptr) return discard_all(set);
  }
  set->fill = 0;
  sync::store_relaxed(set->used, Py_ssize_t{0});
  set->mask = PySet_MINSIZE - 1;
  sync::store_release(set->table, fresh);
  sync::store_relaxed(set->hash, Py_hash_t{-1});
  for (size_t i = 0; i < n; i++) {
    if (set_entry_live(&old[i])) Py_DECREF(old[i].key);
  }
  if (old != local) retire_table(set, old);
}

bool set_next(PySetObject* set, Py_ssize_t* pos, setentry** entry) {
  for (Py_ssize_t at = *pos; at <= set->mask; at++) {
    if (set_entry_live(&set->table[at])) {
      *entry = &set->table[at];
      *pos = at + 1;
      return true;
    }
  }
  *pos = set->mask + 1;
  return false;
}

namespace {
template <class Key>
AMPHIS_ALWAYS_INLINE int has_int(PySetObject* set, int64_t value) {
  // Values within a register: those are their own hashes.
  const Py_hash_t hash = value == -1 ? -2 : static_cast<Py_hash_t>(value);
  int result = 0;
  setentry* const table = sync::load_acquire(set->table);
  const size_t mask = table == set->smalltable ? PySet_MINSIZE - 1 : set_table_head(table)->mask;
  probe(table, mask, hash, [&](setentry* entry) {
    PyObject* other = sync::load_acquire(entry->key);
    if (other == nullptr) return true;
    if (sync::load_relaxed(entry->hash) != hash || other == set_dummy()) return false;
    Key held(entry, other);
    int64_t there;
    if (held && PyLong_CheckExact(other) && compact_value(other, &there)) {
      if (there != value) return false;
      result = Key::stayed(set, table, entry, other) ? 1 : -1;
    } else {
      result = -1;
    }
    return true;
  });
  return result;
}
}  // namespace

int set_has_int(PySetObject* set, int64_t value) {
  return !kRaces || sync::only_thread() ? has_int<LoneKey>(set, value) : has_int<HeldKey>(set, value);
}

int set_fill(PyObject* op, PyObject* iterable) {
  // A frozenset does not change while it is read.
  if (PyFrozenSet_CheckExact(iterable)) return merge_set(as_set(op), as_set(iterable));
  return set_update(op, iterable);
}

int set_update(PyObject* op, PyObject* iterable) {
  PySetObject* set = as_set(op);
  if (PyAnySet_Check(iterable)) {
    ObjectLock2 lock(set, iterable);
    return merge_set(set, as_set(iterable));
  }
  if (PyDict_CheckExact(iterable)) {
    ObjectLock lock(set);
    return merge_dict(set, iterable);
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return -1;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  for (;;) {
    Ref<> key = Ref<>::steal(next(iterator.get()));
    if (!key) return iteration_ended() ? 0 : -1;
    const Py_hash_t hash = set_hash_element(key.get());
    if (hash == -1) return -1;
    ObjectLock lock(set);
    if (set_add(set, key.get(), hash) < 0) return -1;
  }
}

PyObject* set_make(PyTypeObject* type, PyObject* iterable) {
  PySetObject* set;
  if (type == &PySet_Type || type == &PyFrozenSet_Type) {
    set = make_gc_object<PySetObject>(type);
    if (set == nullptr) return nullptr;
    clear_small_table(set);
    set->weakreflist = nullptr;
  } else {
    set = as_set(type->tp_alloc(type, 0));
    if (set == nullptr) return nullptr;
  }
  set->fill = 0;
  set->used = 0;
  set->mask = PySet_MINSIZE - 1;
  set->table = set->smalltable;
  set->hash = -1;
  set->finger = 0;
  if (type == &PySet_Type || type == &PyFrozenSet_Type) track(set);
  Ref<> result = Ref<>::steal(set);
  if (iterable != nullptr && set_fill(result.get(), iterable) < 0) return nullptr;
  return result.release();
}

}  // namespace amphis

extern "C" {

PyObject* PySet_New(PyObject* iterable) {
  return set_make(&PySet_Type, iterable);
}
PyObject* PyFrozenSet_New(PyObject* iterable) {
  return set_make(&PyFrozenSet_Type, iterable);
}

Py_ssize_t PySet_Size(PyObject* op) {
  return check_set(op, op != nullptr && PyAnySet_Check(op)) ? PySet_GET_SIZE(op) : -1;
}

int PySet_Contains(PyObject* op, PyObject* key) {
  if (!check_set(op, op != nullptr && PyAnySet_Check(op))) return -1;
  const Py_hash_t hash = set_hash_element(key);
  if (hash == -1) return -1;
  return set_has(as_set(op), key, hash);
}

int PySet_Add(PyObject* op, PyObject* key) {
  // A frozenset may be filled by whoever made it and has not handed it out.
  if (!check_set(op, op != nullptr && (PySet_Check(op) || (PyFrozenSet_Check(op) && sync::is_unique(op)))))
    return -1;
  const Py_hash_t hash = set_hash_element(key);
  if (hash == -1) return -1;
  if (setentry* entry = find_alone(as_set(op), key, hash)) return add_at(as_set(op), entry, key, hash) < 0 ? -1 : 0;
  ObjectLock lock(op);
  return set_add(as_set(op), key, hash) < 0 ? -1 : 0;
}

int PySet_Discard(PyObject* op, PyObject* key) {
  if (!check_set(op, op != nullptr && PySet_Check(op))) return -1;
  const Py_hash_t hash = set_hash_element(key);
  if (hash == -1) return -1;
  ObjectLock lock(op);
  return set_discard(as_set(op), key, hash);
}

int PySet_Clear(PyObject* op) {
  if (!check_set(op, op != nullptr && PySet_Check(op))) return -1;
  ObjectLock lock(op);
  set_clear(as_set(op));
  return 0;
}

PyObject* PySet_Pop(PyObject* op) {
  if (!check_set(op, op != nullptr && PySet_Check(op))) return nullptr;
  ObjectLock lock(op);
  PySetObject* set = as_set(op);
  if (set->used == 0) {
    PyErr_SetString(PyExc_KeyError, "pop from an empty set");
    return nullptr;
  }
  // From where the last pop ended, so that emptying a set is linear.
  size_t at = static_cast<size_t>(set->finger & set->mask);
  while (!set_entry_live(&set->table[at])) at = (at + 1) & static_cast<size_t>(set->mask);
  setentry* entry = &set->table[at];
  PyObject* key = entry->key;
  empty_entry(entry);
  sync::store_relaxed(set->used, set->used - 1);
  set->finger = static_cast<Py_ssize_t>(at) + 1;
  return key;
}

AMPHIS_EXPORT int _PySet_NextEntry(PyObject* op, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  setentry* entry;
  if (!check_set(op, op != nullptr && PyAnySet_Check(op))) return -1;
  if (!set_next(as_set(op), pos, &entry)) return 0;
  *key = entry->key;
  *hash = entry->hash;
  return 1;
}

AMPHIS_EXPORT int _PySet_NextEntryRef(PyObject* op, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  ObjectLock lock(op);
  const int more = _PySet_NextEntry(op, pos, key, hash);
  if (more > 0) Py_INCREF(*key);
  return more;
}

AMPHIS_EXPORT int _PySet_Update(PyObject* op, PyObject* iterable) {
  return set_update(op, iterable);
}
AMPHIS_EXPORT extern PyObject* const _PySet_Dummy;
PyObject* const _PySet_Dummy = set_dummy_object;

}  // extern "C"
