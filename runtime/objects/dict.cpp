// The C API of dictionaries: making, reading, writing and deleting items. Owns the public entry points; the
// storage is dict_keys.cpp's, merging dict_merge.cpp's, the type and its methods are dict_type.cpp's.
//
// Reads of str and int keys take no lock (see dict.h); everything else holds the dictionary's lock, which key
// comparisons may suspend: an index found by dict_find is used before any other code can run.
#include "objects/dict.h"

#include "base/compiler.h"
#include "objects/int.h"
#include "sync/retire.h"

using namespace amphis;

namespace amphis {

namespace {

PyDictObject* as_dict(PyObject* op) {
  return reinterpret_cast<PyDictObject*>(op);
}

bool check_dict(PyObject* op) {
  if (op != nullptr && PyDict_Check(op)) return true;
  PyErr_BadInternalCall();
  return false;
}

Ref<> name_of(const char* utf8) {
  return Ref<>::steal(PyUnicode_FromString(utf8));
}

// A lock-free probe for an exact int of up to 60 bits; kDictError where only a comparison in Python could tell.
Py_ssize_t find_number(DictKeys* keys, int64_t number, Py_hash_t hash) {
  if (!keys->general) return kDictError;
  bool unsure = false;
  const Py_ssize_t index = dict_probe(keys, hash, [&](StrEntry* entry, Py_ssize_t) {
    PyObject* found = sync::load_acquire(entry->key);
    if (found == nullptr || reinterpret_cast<GeneralEntry*>(entry)->hash != hash) return false;
    [[maybe_unused]] UncheckedReads of_a_key_that_may_have_died;
    int64_t value;
    if (PyLong_CheckExact(found) && compact_value(found, &value)) return value == number;
    unsure = true;
    return true;
  });
  return unsure ? kDictError : index;
}

Py_ssize_t find_int(DictKeys* keys, PyObject* key, Py_hash_t hash) {
  int64_t number;
  return compact_value(key, &number) ? find_number(keys, number, hash) : kDictError;
}

// Numbers of fewer than 61 bits are their own hashes, but for the one that stands for an error.
Py_hash_t number_hash(int64_t number) { return number == -1 ? -2 : number; }

constexpr Py_ssize_t kUnsure = -3;  // only a look under the lock can tell

// Compared with one of their own type these run the code of their elements at most.
bool compares_by_value(PyTypeObject* type) {
  return type == &PyTuple_Type || type == &PyBytes_Type || type == &PyFloat_Type || type == &PyLong_Type ||
         type == &PyFrozenSet_Type || type == &PyComplex_Type;
}

// The entry of a key among keys of all kinds: where it is the same object or an equal str, where no other key has its hash,
// and where the first that has it is of the same type and equal. kDictError: with an exception.
Py_ssize_t find_general(PyDictObject* dict, DictKeys* keys, PyObject* key, Py_hash_t hash) {
  const bool key_is_str = PyUnicode_CheckExact(key);
  PyObject* alike = nullptr;
  const Py_ssize_t index = dict_probe(keys, hash, [&](StrEntry* entry, Py_ssize_t) {
    PyObject* found = sync::load_acquire(entry->key);
    if (found == key) return true;
    if (found == nullptr) return false;
    [[maybe_unused]] UncheckedReads of_a_key_that_may_have_died;
    const Py_hash_t other = keys->general ? reinterpret_cast<GeneralEntry*>(entry)->hash
                                          : sync::load_relaxed(reinterpret_cast<PyASCIIObject*>(found)->hash);
    if (other != hash) return false;
    if (key_is_str && PyUnicode_CheckExact(found)) return str_equal(found, key);
    alike = found;
    return true;
  });
  if (alike == nullptr) return index;
  if (!compares_by_value(Py_TYPE(key))) return kUnsure;
  Ref<> held;
  if (!sync::try_get_ref(&dict_entry(keys, index)->key, &held) || held.get() != alike) return kUnsure;
  if (Py_TYPE(alike) != Py_TYPE(key)) return kUnsure;
  const int equal = PyObject_RichCompareBool(alike, key, Py_EQ);
  if (equal < 0) return kDictError;
  // What has been compared keeps its place while it is alive; the block may be gone, and then is another one.
  const bool unchanged = dict_keys(dict) == keys && index < static_cast<Py_ssize_t>(sync::load_acquire(keys->nentries)) &&
                         sync::load_acquire(dict_entry(keys, index)->key) == alike;
  return equal != 0 && unchanged ? index : kUnsure;
}

// The entry of a key as far as can be told without the lock: kDictMissing, kDictError with an exception, or kUnsure.
Py_ssize_t find_without_lock(PyDictObject* dict, DictKeys* keys, PyObject* key, Py_hash_t hash) {
  if (!keys->general && PyUnicode_CheckExact(key)) return dict_find_str(keys, key, hash);
  if (PyLong_CheckExact(key)) {
    const Py_ssize_t index = find_int(keys, key, hash);
    if (index != kDictError) return index;
  }
  return find_general(dict, keys, key, hash);
}

// dict_find where no comparison runs code; kUnsure elsewhere. The lock is held, or one thread runs: then none is needed, for
// nothing starts another one before the step is done.
AMPHIS_ALWAYS_INLINE Py_ssize_t find_quietly(DictKeys* keys, PyObject* key, Py_hash_t hash) {
  if (PyUnicode_CheckExact(key)) return keys->general ? kUnsure : dict_find_str(keys, key, hash);
  if (!PyLong_CheckExact(key)) return kUnsure;
  const Py_ssize_t index = find_int(keys, key, hash);
  return index == kDictError ? kUnsure : index;
}
AMPHIS_ALWAYS_INLINE Py_ssize_t find_alone(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  return kRaces && sync::only_thread() ? find_quietly(dict_keys_field(dict), key, hash) : kUnsure;
}

constexpr int kUnderLock = -2;

// 1 found (*result is a new reference), 0 missing, -1 with an exception, kUnderLock.
int get_without_lock(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject** result) {
  DictKeys* keys = dict_keys(dict);
  const Py_ssize_t index = find_without_lock(dict, keys, key, hash);
  if (index < 0) return index == kDictMissing ? 0 : index == kDictError ? -1 : kUnderLock;
  StrEntry* entry = dict_entry(keys, index);
  Ref<> value;
  if (!sync::try_get_ref(&entry->value, &value) || !value || sync::load_acquire(entry->key) == nullptr ||
      dict_keys(dict) != keys) {
    return kUnderLock;
  }
  *result = value.release();
  return 1;
}

// 1, 0 or -1 with an error; *result is a new reference or null.
int get_ref(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject** result) {
  *result = nullptr;
  Py_ssize_t index = find_alone(dict, key, hash);
  if (index >= 0) {
    *result = Py_NewRef(dict_entry(dict_keys_field(dict), index)->value);
    return 1;
  }
  if (index == kDictMissing) return 0;
  if constexpr (kRaces) {
    const int found = get_without_lock(dict, key, hash, result);
    if (found != kUnderLock) return found;
  }
  ObjectLock lock(dict);
  index = dict_find(dict, key, hash);
  if (index >= 0) {
    PyObject* value = dict_entry(dict_keys_field(dict), index)->value;
    sync::publish(value);
    *result = Py_NewRef(value);
    return 1;
  }
  return index == kDictMissing ? 0 : -1;
}

PyObject* get_borrowed(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  ObjectLock lock(dict);
  const Py_ssize_t index = dict_find(dict, key, hash);
  return index < 0 ? nullptr : dict_entry(dict_keys_field(dict), index)->value;
}

int delete_item(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  Ref<> old_key, old_value;
  Py_ssize_t index = find_alone(dict, key, hash);
  if (index >= 0) {
    dict_remove_entry(dict, index, old_key.out(), old_value.out());
    return 0;
  }
  ObjectLock lock(dict);
  index = dict_find(dict, key, hash);
  if (index < 0) {
    if (index == kDictMissing) set_key_error(key);
    return -1;
  }
  dict_remove_entry(dict, index, old_key.out(), old_value.out());
  return 0;
}

// 1, 0 or -1; *result is a new reference or null.
int pop_item(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject** result) {
  *result = nullptr;
  Ref<> old_key;
  Py_ssize_t index = find_alone(dict, key, hash);
  if (index >= 0) {
    dict_remove_entry(dict, index, old_key.out(), result);
    return 1;
  }
  ObjectLock lock(dict);
  index = dict_find(dict, key, hash);
  if (index < 0) return index == kDictMissing ? 0 : -1;
  dict_remove_entry(dict, index, old_key.out(), result);
  return 1;
}

// 1 found, 0 inserted, -1; *result is a new reference or null. The lock is held, or it is find_alone's index.
AMPHIS_ALWAYS_INLINE int set_default_at(PyDictObject* dict, Py_ssize_t index, PyObject* key, Py_hash_t hash, PyObject* value,
                                        PyObject** result) {
  if (index >= 0) {
    *result = Py_NewRef(dict_entry(dict_keys_field(dict), index)->value);
    return 1;
  }
  if (index == kDictError || dict_append(dict, Py_NewRef(key), hash, Py_NewRef(value)) < 0) return -1;
  *result = Py_NewRef(value);
  return 0;
}
int set_default(PyDictObject* dict, PyObject* key, PyObject* value, PyObject** result) {
  *result = nullptr;
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) return -1;
  const Py_ssize_t index = find_alone(dict, key, hash);
  if (index != kUnsure) return set_default_at(dict, index, key, hash, value, result);
  ObjectLock lock(dict);
  return set_default_at(dict, dict_find(dict, key, hash), key, hash, value, result);
}

// dict[key] = value with an index of find_quietly. `old` is what the caller drops.
AMPHIS_ALWAYS_INLINE int set_at(PyDictObject* dict, Py_ssize_t index, PyObject* key, Py_hash_t hash, PyObject* value,
                                PyObject** old) {
  *old = nullptr;
  if (index < 0) return dict_append(dict, Py_NewRef(key), hash, Py_NewRef(value));
  PyObject** slot = &dict_entry(dict_keys_field(dict), index)->value;
  *old = *slot;
  sync::store_release(*slot, Py_NewRef(value));
  return 0;
}

// dict[key] = value.
AMPHIS_NOINLINE int set_under_lock(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value) {
  if (PyUnicode_CheckExact(key) || PyLong_CheckExact(key)) {
    PyObject* old = nullptr;
    int done = -1;
    Py_ssize_t index;
    {
      LeafLock lock(dict);
      index = find_quietly(dict_keys_field(dict), key, hash);
      if (index != kUnsure) done = set_at(dict, index, key, hash, value, &old);
    }
    Py_XDECREF(old);
    if (index != kUnsure) return done;
  }
  ObjectLock lock(dict);
  return dict_insert(dict, key, hash, value);
}
AMPHIS_ALWAYS_INLINE int set(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value) {
  if constexpr (!kRaces) return dict_insert(dict, key, hash, value);
  const Py_ssize_t index = find_alone(dict, key, hash);
  if (index == kUnsure) return set_under_lock(dict, key, hash, value);
  PyObject* old;
  const int done = set_at(dict, index, key, hash, value, &old);
  Py_XDECREF(old);
  return done;
}

void drop_entries(DictKeys* keys) {
  const size_t stride = dict_entry_stride(keys);
  char* at = reinterpret_cast<char*>(dict_entry(keys, keys->live_begin));
  for (uint32_t i = keys->live_begin; i < keys->nentries; i++, at += stride) {
    auto* entry = reinterpret_cast<StrEntry*>(at);
    if (entry->key == nullptr) continue;
    Py_DECREF(entry->key);
    Py_DECREF(entry->value);
  }
}

enum class Part { kKeys, kValues, kItems };

PyObject* list_of(PyObject* op, Part part) {
  if (!check_dict(op)) return nullptr;
  PyDictObject* dict = as_dict(op);
  for (;;) {
    const Py_ssize_t n = PyDict_GET_SIZE(op);
    Ref<> list = Ref<>::steal(PyList_New(n));
    if (!list) return nullptr;
    if (part == Part::kItems) {
      // The pairs first: making them may run the collector, which may change the dictionary.
      for (Py_ssize_t i = 0; i < n; i++) {
        PyObject* pair = PyTuple_New(2);
        if (pair == nullptr) return nullptr;
        PyList_SET_ITEM(list.get(), i, pair);
      }
    }
    ObjectLock lock(dict);
    if (n != dict->ma_used) continue;
    DictKeys* keys = dict_keys_field(dict);
    Py_ssize_t to = 0;
    for (uint32_t i = keys->live_begin; i < keys->nentries; i++) {
      StrEntry* entry = dict_entry(keys, i);
      if (entry->key == nullptr) continue;
      if (part == Part::kItems) {
        PyObject* pair = PyList_GET_ITEM(list.get(), to);
        PyTuple_SET_ITEM(pair, 0, Py_NewRef(entry->key));
        PyTuple_SET_ITEM(pair, 1, Py_NewRef(entry->value));
      } else {
        PyList_SET_ITEM(list.get(), to, Py_NewRef(part == Part::kKeys ? entry->key : entry->value));
      }
      to++;
    }
    return list.release();
  }
}

}  // namespace

Py_ssize_t dict_lookup_index_int(DictKeys* keys, int64_t i) { return find_number(keys, i, number_hash(i)); }

bool dict_replace_int(PyDictObject* dict, int64_t i, PyObject* value) {
  PyObject* old;
  {
    LeafLock lock(dict);
    DictKeys* keys = dict_keys_field(dict);
    const Py_ssize_t index = find_number(keys, i, number_hash(i));
    if (index < 0) return false;
    StrEntry* entry = dict_entry(keys, index);
    old = entry->value;
    sync::store_release(entry->value, value);
  }
  Py_XDECREF(old);
  return true;
}

int dict_get_ref_hashed(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject** result) {
  return get_ref(dict, key, hash, result);
}
int dict_set_str(PyDictObject* dict, PyObject* key, PyObject* value) { return set(dict, key, str_hash(key), value); }

int dict_set_take(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value) {
  Ref<> hold_key = Ref<>::steal(key);
  Ref<> hold_value = Ref<>::steal(value);
  Ref<> old;
  ObjectLock lock(dict);
  const Py_ssize_t index = dict_find(dict, key, hash);
  if (index >= 0) {
    PyObject** slot = &dict_entry(dict_keys_field(dict), index)->value;
    old = Ref<>::steal(*slot);
    sync::store_release(*slot, hold_value.release());
    return 0;
  }
  if (index == kDictError) return -1;
  return dict_append(dict, hold_key.release(), hash, hold_value.release());
}

void dict_free_storage(PyDictObject* dict) {
  DictKeys* keys = dict_keys_field(dict);
  if (keys == nullptr || keys == &dict_empty_keys.head) return;
  dict_keys_field(dict) = &dict_empty_keys.head;
  drop_entries(keys);
  PyMem_Free(keys);
}

}  // namespace amphis

extern "C" {

PyObject* PyDict_New(void) {
  PyDictObject* dict = make_gc_object<PyDictObject>(&PyDict_Type);
  if (dict == nullptr) return nullptr;
  dict->ma_used = 0;
  dict->_ma_watcher_tag = 0;
  dict_keys_field(dict) = &dict_empty_keys.head;
  dict->ma_values = nullptr;
  track(dict);
  return reinterpret_cast<PyObject*>(dict);
}

PyObject* _PyDict_NewPresized(Py_ssize_t n) {
  return dict_new_presized(n);
}

int PyDict_GetItemRef(PyObject* op, PyObject* key, PyObject** result) {
  if (!check_dict(op)) {
    *result = nullptr;
    return -1;
  }
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) {
    *result = nullptr;
    return -1;
  }
  return get_ref(as_dict(op), key, hash, result);
}

int PyDict_GetItemStringRef(PyObject* op, const char* key, PyObject** result) {
  Ref<> name = name_of(key);
  if (!name) {
    *result = nullptr;
    return -1;
  }
  return PyDict_GetItemRef(op, name.get(), result);
}

PyObject* PyDict_GetItemWithError(PyObject* op, PyObject* key) {
  if (!check_dict(op)) return nullptr;
  const Py_hash_t hash = dict_hash_key(key);
  return hash == -1 ? nullptr : get_borrowed(as_dict(op), key, hash);
}

PyObject* _PyDict_GetItem_KnownHash(PyObject* op, PyObject* key, Py_hash_t hash) {
  if (!check_dict(op)) return nullptr;
  return get_borrowed(as_dict(op), key, hash);
}

PyObject* PyDict_GetItem(PyObject* op, PyObject* key) {
  if (op == nullptr || !PyDict_Check(op)) return nullptr;
  Ref<> pending = Ref<>::steal(PyErr_GetRaisedException());
  const Py_hash_t hash = dict_hash_key(key);
  PyObject* value = hash == -1 ? nullptr : get_borrowed(as_dict(op), key, hash);
  if (PyErr_Occurred()) {
    PyErr_FormatUnraisable(
        "Exception ignored in PyDict_GetItem(); consider using PyDict_GetItemRef() or "
        "PyDict_GetItemWithError()");
  }
  PyErr_SetRaisedException(pending.release());
  return value;
}

PyObject* PyDict_GetItemString(PyObject* op, const char* key) {
  Ref<> pending = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> name = name_of(key);
  PyObject* value = nullptr;
  if (name && op != nullptr && PyDict_Check(op))
    value = get_borrowed(as_dict(op), name.get(), str_hash(name.get()));
  if (PyErr_Occurred()) {
    PyErr_FormatUnraisable(
        "Exception ignored in PyDict_GetItemString(); consider using PyDict_GetItemRefString()");
  }
  PyErr_SetRaisedException(pending.release());
  return value;
}

PyObject* _PyDict_GetItemStringWithError(PyObject* op, const char* key) {
  Ref<> name = name_of(key);
  return name ? PyDict_GetItemWithError(op, name.get()) : nullptr;
}

int PyDict_SetItem(PyObject* op, PyObject* key, PyObject* value) {
  if (!check_dict(op)) return -1;
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) return -1;
  return set(as_dict(op), key, hash, value);
}

AMPHIS_EXPORT int _PyDict_SetItem_KnownHash(PyObject* op, PyObject* key, PyObject* value, Py_hash_t hash) {
  return check_dict(op) ? set(as_dict(op), key, hash, value) : -1;
}

// For a caller that holds the dict's lock.
AMPHIS_EXPORT int _PyDict_SetItem_KnownHash_LockHeld(PyDictObject* dict, PyObject* key, PyObject* value, Py_hash_t hash) {
  return dict_insert(dict, key, hash, value);
}

AMPHIS_EXPORT int _PyDict_SetItem_Take2(PyDictObject* dict, PyObject* key, PyObject* value) {
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) {
    Py_DECREF(key);
    Py_DECREF(value);
    return -1;
  }
  return dict_set_take(dict, key, hash, value);
}

int PyDict_SetItemString(PyObject* op, const char* key, PyObject* value) {
  Ref<> name = name_of(key);
  if (!name) return -1;
  PyObject* interned = name.release();
  PyUnicode_InternInPlace(&interned);
  name = Ref<>::steal(interned);
  return PyDict_SetItem(op, name.get(), value);
}

int PyDict_DelItem(PyObject* op, PyObject* key) {
  if (!check_dict(op)) return -1;
  const Py_hash_t hash = dict_hash_key(key);
  return hash == -1 ? -1 : delete_item(as_dict(op), key, hash);
}

AMPHIS_EXPORT int _PyDict_DelItem_KnownHash(PyObject* op, PyObject* key, Py_hash_t hash) {
  return check_dict(op) ? delete_item(as_dict(op), key, hash) : -1;
}

// One step for everybody else: the predicate sees the value that is deleted.
AMPHIS_EXPORT int _PyDict_DelItemIf(PyObject* op, PyObject* key, int (*predicate)(PyObject*, void*),
                                    void* arg) {
  if (!check_dict(op)) return -1;
  ObjectLock lock(op);
  PyObject* found;
  int result = PyDict_GetItemRef(op, key, &found);
  if (result <= 0) return result;
  Ref<> value = Ref<>::steal(found);
  result = predicate(value.get(), arg);
  if (result <= 0) return result;
  return PyDict_DelItem(op, key) < 0 ? -1 : 1;
}

int PyDict_DelItemString(PyObject* op, const char* key) {
  Ref<> name = name_of(key);
  return name ? PyDict_DelItem(op, name.get()) : -1;
}

int PyDict_Contains(PyObject* op, PyObject* key) {
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) return -1;
  PyDictObject* dict = as_dict(op);
  Py_ssize_t index = find_alone(dict, key, hash);
  if constexpr (kRaces) {
    if (index == kUnsure) index = find_without_lock(dict, dict_keys(dict), key, hash);
    if (index != kUnsure) return index == kDictError ? -1 : index >= 0;
  }
  ObjectLock lock(dict);
  index = dict_find(dict, key, hash);
  return index == kDictError ? -1 : index >= 0;
}

int PyDict_ContainsString(PyObject* op, const char* key) {
  Ref<> name = name_of(key);
  return name ? PyDict_Contains(op, name.get()) : -1;
}

void PyDict_Clear(PyObject* op) {
  if (op == nullptr || !PyDict_Check(op)) return;
  PyDictObject* dict = as_dict(op);
  DictKeys* old;
  {
    ObjectLock lock(dict);
    old = dict_keys_field(dict);
    if (old == &dict_empty_keys.head || old == nullptr) return;
    // Emptied before any reference is dropped: what a destructor sees is an empty dictionary.
    sync::store_release(dict_keys_field(dict), &dict_empty_keys.head);
    sync::store_relaxed(dict->ma_used, Py_ssize_t{0});
  }
  drop_entries(old);
  sync::retire(old);
}

int PyDict_Next(PyObject* op, Py_ssize_t* pos, PyObject** key, PyObject** value) {
  if (op == nullptr || !PyDict_Check(op)) return 0;
  PyDictObject* dict = as_dict(op);
  const Py_ssize_t index = dict_first_entry(dict, *pos);
  if (index < 0) return 0;
  StrEntry* entry = dict_entry(dict_keys_field(dict), index);
  *pos = index + 1;
  if (key != nullptr) *key = entry->key;
  if (value != nullptr) *value = entry->value;
  return 1;
}

Py_ssize_t PyDict_Size(PyObject* op) {
  return check_dict(op) ? PyDict_GET_SIZE(op) : -1;
}

PyObject* PyDict_Keys(PyObject* op) {
  return list_of(op, Part::kKeys);
}
PyObject* PyDict_Values(PyObject* op) {
  return list_of(op, Part::kValues);
}
PyObject* PyDict_Items(PyObject* op) {
  return list_of(op, Part::kItems);
}

int PyDict_Pop(PyObject* op, PyObject* key, PyObject** result) {
  PyObject* ignored = nullptr;
  if (result == nullptr) result = &ignored;
  *result = nullptr;
  if (!check_dict(op)) return -1;
  if (PyDict_GET_SIZE(op) == 0) return 0;
  const Py_hash_t hash = dict_hash_key(key);
  const int found = hash == -1 ? -1 : pop_item(as_dict(op), key, hash, result);
  Py_XDECREF(ignored);
  return found;
}

int PyDict_PopString(PyObject* op, const char* key, PyObject** result) {
  Ref<> name = name_of(key);
  if (!name) {
    if (result != nullptr) *result = nullptr;
    return -1;
  }
  return PyDict_Pop(op, name.get(), result);
}

PyObject* _PyDict_Pop(PyObject* op, PyObject* key, PyObject* default_value) {
  PyObject* result;
  if (PyDict_Pop(op, key, &result) == 0) {
    if (default_value != nullptr) return Py_NewRef(default_value);
    set_key_error(key);
  }
  return result;
}

int PyDict_SetDefaultRef(PyObject* op, PyObject* key, PyObject* default_value, PyObject** result) {
  PyObject* value = nullptr;
  int found = -1;
  if (check_dict(op)) found = set_default(as_dict(op), key, default_value, &value);
  if (result != nullptr) {
    *result = value;
  } else {
    Py_XDECREF(value);
  }
  return found;
}

PyObject* PyDict_SetDefault(PyObject* op, PyObject* key, PyObject* default_value) {
  PyObject* value;
  PyDict_SetDefaultRef(op, key, default_value, &value);
  Py_XDECREF(value);  // the dictionary keeps it alive
  return value;
}

AMPHIS_EXPORT Py_ssize_t _PyDict_SizeOf(PyDictObject* dict) {
  ObjectLock lock(dict);
  DictKeys* keys = dict_keys_field(dict);
  Py_ssize_t size = Py_TYPE(dict)->tp_basicsize;
  if (keys != nullptr && keys != &dict_empty_keys.head) {
    size += keys->entries_offset + (keys->nentries + keys->usable) * dict_entry_stride(keys);
  }
  return size;
}

// Watchers would cost every write of every dictionary a test; nothing in the runtime needs them.
static int refuse_watchers() {
  PyErr_SetString(PyExc_NotImplementedError, "dictionary watchers are not supported");
  return -1;
}
int PyDict_AddWatcher(PyDict_WatchCallback) {
  return refuse_watchers();
}
int PyDict_ClearWatcher(int) {
  return refuse_watchers();
}
int PyDict_Watch(int, PyObject*) {
  return refuse_watchers();
}
int PyDict_Unwatch(int, PyObject*) {
  return refuse_watchers();
}

}  // extern "C"
