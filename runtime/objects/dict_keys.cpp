// The storage of dictionaries: allocating, probing, appending, removing and rebuilding DictKeys blocks.
// Everything here runs with the dictionary's lock held, except for the functions that say otherwise. Layout
// and invariants are in dict.h.
//
// Probing visits slots by the recurrence at = 5*at + perturb + 1 (mod 2^k), perturb shifted in from the hash,
// which reaches every slot and spreads keys whose low hash bits agree.
#include <atomic>
#include <new>

#include "base/compiler.h"
#include "objects/dict.h"
#include "sync/retire.h"

namespace amphis {

DictEmptyKeys dict_empty_keys = {
    .head = {.log2_slots = kDictMinLog2, .version = 1, .entries_offset = sizeof(DictEmptyKeys)},
};

namespace {

std::atomic<uint32_t> next_keys_version{2};

bool is_empty_keys(const DictKeys* keys) {
  return keys == &dict_empty_keys.head;
}

size_t usable_of(uint32_t log2_slots) {
  return ((size_t{1} << log2_slots) * 2) / 3;
}

// The smallest table in which `n` entries fit.
uint32_t log2_for_entries(size_t n) {
  uint32_t log2 = kDictMinLog2;
  while (usable_of(log2) < n) log2++;
  return log2;
}

size_t slots_size(uint32_t log2) {
  return (size_t{1} << log2) << (log2 <= kDictNarrowLog2 ? 1 : 2);
}

size_t block_size(uint32_t log2, bool general) {
  return sizeof(DictKeys) + slots_size(log2) +
         usable_of(log2) * (general ? sizeof(GeneralEntry) : sizeof(StrEntry));
}

AMPHIS_ALWAYS_INLINE DictKeys* new_keys_of(uint32_t log2, bool general) {
  // Entries are found by a 32-bit offset, and entry numbers must leave tag bits in a slot.
  if (log2 > kDictMaxLog2 - 2) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* keys = static_cast<DictKeys*>(PyMem_Malloc(block_size(log2, general)));
  if (keys == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  *keys = DictKeys{.log2_slots = static_cast<uint8_t>(log2),
                   .general = general,
                   .front_gap = 0,
                   .version = 0,
                   .usable = static_cast<uint32_t>(usable_of(log2)),
                   .nentries = 0,
                   .entries_offset = static_cast<uint32_t>(sizeof(DictKeys) + slots_size(log2)),
                   .live_begin = 0,
                   .pop_end = 0,
                   .pop_nentries = 0};
  memset(keys + 1, 0, slots_size(log2));
  return keys;
}

// Most dictionaries are small and have str keys: for them all sizes are constants.
DictKeys* new_keys(uint32_t log2, bool general) {
  return log2 == kDictMinLog2 && !general ? new_keys_of(kDictMinLog2, false) : new_keys_of(log2, general);
}

template <class Slot>
void place(DictKeys* keys, uint32_t index, Py_hash_t hash) {
  const size_t mask = (size_t{1} << keys->log2_slots) - 1;
  Slot* slots = reinterpret_cast<Slot*>(keys + 1);
  size_t perturb = static_cast<size_t>(hash);
  size_t at = perturb & mask;
  while (slots[at] != 0) {
    perturb >>= 5;
    at = (at * 5 + perturb + 1) & mask;
  }
  const size_t slot = (static_cast<size_t>(hash) & ~mask) | (index + 1);
  sync::store_release(slots[at], static_cast<Slot>(slot));
}

void place_entry(DictKeys* keys, uint32_t index, Py_hash_t hash) {
  if (keys->log2_slots <= kDictNarrowLog2) {
    place<uint16_t>(keys, index, hash);
  } else {
    place<uint32_t>(keys, index, hash);
  }
}

// Fills an entry that no slot points to yet; the caller publishes it with place_entry.
void write_entry(DictKeys* keys, uint32_t index, PyObject* key, Py_hash_t hash, PyObject* value) {
  StrEntry* entry = dict_entry(keys, index);
  sync::store_relaxed(entry->key, key);
  sync::store_relaxed(entry->value, value);
  if (keys->general) reinterpret_cast<GeneralEntry*>(entry)->hash = hash;
}

// The slots of entries [begin, nentries), none of which may be dead.
void build_slots(DictKeys* keys, uint32_t begin) {
  for (uint32_t i = begin; i < keys->nentries; i++) {
    place_entry(keys, i, dict_entry_hash(keys, dict_entry(keys, i)));
  }
}

void replace_keys(PyDictObject* dict, DictKeys* fresh) {
  DictKeys* old = dict_keys_field(dict);
  sync::store_release(dict_keys_field(dict), fresh);
  if (!is_empty_keys(old)) sync::retire(old, block_size(old->log2_slots, old->general));
}

// Moves the live entries to a new block behind `gap` unused entries.
int rebuild(PyDictObject* dict, uint32_t log2, bool general, uint32_t gap = 0) {
  DictKeys* old = dict_keys_field(dict);
  DictKeys* fresh = new_keys(log2, general);
  if (fresh == nullptr) return -1;
  const uint32_t live = static_cast<uint32_t>(dict->ma_used);
  if (gap != 0) memset(static_cast<void*>(dict_entry(fresh, 0)), 0, gap * dict_entry_stride(fresh));
  fresh->front_gap = static_cast<uint16_t>(gap);
  fresh->live_begin = gap;
  fresh->nentries = live + gap;
  fresh->usable -= live + gap;
  if (old->general == general && old->nentries == live) {
    if (live != 0) memcpy(dict_entry(fresh, gap), dict_entry(old, 0), live * dict_entry_stride(old));
  } else {
    uint32_t to = gap;
    for (uint32_t from = old->live_begin; from < old->nentries; from++) {
      StrEntry* entry = dict_entry(old, from);
      if (entry->key == nullptr) continue;
      write_entry(fresh, to++, entry->key, general ? dict_entry_hash(old, entry) : 0, entry->value);
    }
  }
  build_slots(fresh, gap);
  replace_keys(dict, fresh);
  return 0;
}

uint32_t grown_log2(Py_ssize_t used) {
  return log2_for_entries(used == 0 ? 1 : static_cast<size_t>(used) * 2);
}

}  // namespace

uint32_t dict_assign_keys_version(PyDictObject* dict) {
  ObjectLock lock(dict);
  DictKeys* keys = dict_keys_field(dict);
  if (keys->version != 0) return keys->version;
  uint32_t version = next_keys_version.load(std::memory_order_relaxed);
  do {
    if (version == 0) return 0;
  } while (!next_keys_version.compare_exchange_weak(version, version + 1, std::memory_order_relaxed));
  sync::store_release(keys->version, version);
  return version;
}

Py_hash_t dict_hash_key(PyObject* key) {
  if (PyUnicode_CheckExact(key)) return str_hash(key);
  const Py_hash_t hash = PyObject_Hash(key);
  if (hash == -1) explain_unhashable(key, "dict key");
  return hash;
}

namespace {

// 1, 0 or -1: whether two keys with the same hash are equal. `*ran_code` tells whether the dictionary may
// have changed.
int keys_equal(PyObject* found, PyObject* key, bool* ran_code) {
  if (PyUnicode_CheckExact(found) && PyUnicode_CheckExact(key)) return str_equal(found, key);
  if (PyLong_CheckExact(found) && PyLong_CheckExact(key)) {
    const auto* a = reinterpret_cast<PyLongObject*>(found);
    const auto* b = reinterpret_cast<PyLongObject*>(key);
    if (PyUnstable_Long_IsCompact(a) && PyUnstable_Long_IsCompact(b)) {
      return PyUnstable_Long_CompactValue(a) == PyUnstable_Long_CompactValue(b);
    }
  }
  *ran_code = true;
  Ref<> hold = Ref<>::share(found);
  return PyObject_RichCompareBool(found, key, Py_EQ);
}

}  // namespace

Py_ssize_t dict_find(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  for (;;) {
    DictKeys* keys = dict_keys_field(dict);
    if (!keys->general && PyUnicode_CheckExact(key)) return dict_find_str(keys, key, hash);
    bool failed = false;
    bool changed = false;
    const Py_ssize_t index = dict_probe(keys, hash, [&](StrEntry* entry, Py_ssize_t at) {
      PyObject* found = entry->key;
      if (found == key) return true;
      if (found == nullptr || dict_entry_hash(keys, entry) != hash) return false;
      bool ran_code = false;
      const int equal = keys_equal(found, key, &ran_code);
      if (equal < 0) {
        failed = true;
        return true;
      }
      // Returning true ends the probe before it touches a block that may be gone.
      if (ran_code &&
          (dict_keys_field(dict) != keys || at >= keys->nentries || dict_entry(keys, at)->key != found)) {
        changed = true;
        return true;
      }
      return equal > 0;
    });
    if (failed) return kDictError;
    if (!changed) return index;
  }
}

int dict_append(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value) {
  DictKeys* keys = dict_keys_field(dict);
  const bool must_generalize = !keys->general && !PyUnicode_CheckExact(key);
  if (keys->usable == 0 || must_generalize) {
    const uint32_t log2 = keys->usable == 0 ? grown_log2(dict->ma_used) : keys->log2_slots;
    if (rebuild(dict, log2, keys->general || must_generalize) < 0) {
      Py_DECREF(key);
      Py_DECREF(value);
      return -1;
    }
    keys = dict_keys_field(dict);
  }
  const uint32_t index = keys->nentries;
  write_entry(keys, index, key, hash, value);
  sync::store_release(keys->version, 0u);
  sync::store_release(keys->nentries, index + 1);
  keys->usable--;
  place_entry(keys, index, hash);
  sync::store_relaxed(dict->ma_used, dict->ma_used + 1);
  return 0;
}

int dict_insert(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value) {
  const Py_ssize_t index = dict_find(dict, key, hash);
  if (index >= 0) {
    PyObject** slot = &dict_entry(dict_keys_field(dict), index)->value;
    PyObject* old = *slot;
    sync::store_release(*slot, Py_NewRef(value));
    Py_DECREF(old);
    return 0;
  }
  if (index == kDictError) return -1;
  return dict_append(dict, Py_NewRef(key), hash, Py_NewRef(value));
}

void dict_remove_entry(PyDictObject* dict, Py_ssize_t index, PyObject** key, PyObject** value) {
  DictKeys* keys = dict_keys_field(dict);
  StrEntry* entry = dict_entry(keys, index);
  *key = entry->key;
  *value = entry->value;
  sync::store_release(keys->version, 0u);
  sync::store_release(entry->key, static_cast<PyObject*>(nullptr));
  sync::store_release(entry->value, static_cast<PyObject*>(nullptr));
  sync::store_relaxed(dict->ma_used, dict->ma_used - 1);
  if (static_cast<uint32_t>(index) == keys->live_begin) {
    uint32_t begin = keys->live_begin + 1;
    while (begin < keys->nentries && dict_entry(keys, begin)->key == nullptr) begin++;
    sync::store_relaxed(keys->live_begin, begin);
  }
}

Py_ssize_t dict_first_entry(PyDictObject* dict, Py_ssize_t from) {
  DictKeys* keys = dict_keys_field(dict);
  if (from < keys->live_begin) from = keys->live_begin;
  for (; from < keys->nentries; from++) {
    if (dict_entry(keys, from)->key != nullptr) return from;
  }
  return kDictMissing;
}

Py_ssize_t dict_last_entry(PyDictObject* dict) {
  DictKeys* keys = dict_keys_field(dict);
  if (dict->ma_used == 0) return kDictMissing;
  uint32_t end = keys->pop_nentries == keys->nentries ? keys->pop_end : keys->nentries;
  while (dict_entry(keys, end - 1)->key == nullptr) end--;
  keys->pop_nentries = keys->nentries;
  keys->pop_end = end;
  return end - 1;
}

int dict_reserve(PyDictObject* dict, Py_ssize_t extra) {
  DictKeys* keys = dict_keys_field(dict);
  if (extra <= static_cast<Py_ssize_t>(keys->usable)) return 0;
  // At least as much as growing by one would give, so that repeated small reservations stay linear.
  const uint32_t wanted = log2_for_entries(static_cast<size_t>(dict->ma_used + extra));
  const uint32_t grown = extra == 1 ? grown_log2(dict->ma_used) : wanted;
  return rebuild(dict, wanted > grown ? wanted : grown, keys->general);
}

int dict_move_entry(PyDictObject* dict, Py_ssize_t index, bool to_end) {
  DictKeys* keys = dict_keys_field(dict);
  if (to_end) {
    if (index == keys->nentries - 1) return 0;
    const Py_hash_t hash = dict_entry_hash(keys, dict_entry(keys, index));
    PyObject* wanted = dict_entry(keys, index)->key;
    if (keys->usable == 0) {
      if (dict_reserve(dict, 1) < 0) return -1;
      keys = dict_keys_field(dict);
      for (index = 0; dict_entry(keys, index)->key != wanted;) index++;
    }
    PyObject *key, *value;
    dict_remove_entry(dict, index, &key, &value);
    return dict_append(dict, key, hash, value);
  }
  if (index == dict_first_entry(dict, 0)) return 0;
  PyObject* wanted = dict_entry(keys, index)->key;
  if (keys->front_gap == 0) {
    size_t gap = static_cast<size_t>(dict->ma_used) / 2 + 2;
    if (gap > UINT16_MAX) gap = UINT16_MAX;
    const uint32_t log2 = log2_for_entries(static_cast<size_t>(dict->ma_used) + gap + 1);
    if (rebuild(dict, log2, keys->general, static_cast<uint32_t>(gap)) < 0) return -1;
    keys = dict_keys_field(dict);
    for (index = gap; dict_entry(keys, index)->key != wanted;) index++;
  }
  const Py_hash_t hash = dict_entry_hash(keys, dict_entry(keys, index));
  PyObject *key, *value;
  dict_remove_entry(dict, index, &key, &value);
  const uint32_t to = --keys->front_gap;
  write_entry(keys, to, key, hash, value);
  sync::store_release(keys->live_begin, to);
  place_entry(keys, to, hash);
  sync::store_relaxed(dict->ma_used, dict->ma_used + 1);
  return 0;
}

DictKeys* dict_clone_keys(PyDictObject* dict) {
  DictKeys* keys = dict_keys_field(dict);
  if (dict->ma_used == 0) return &dict_empty_keys.head;
  const size_t stride = dict_entry_stride(keys);
  const size_t used_bytes = keys->entries_offset + keys->nentries * stride;
  auto* clone = static_cast<DictKeys*>(PyMem_Malloc(block_size(keys->log2_slots, keys->general)));
  if (clone == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  memcpy(static_cast<void*>(clone), keys, used_bytes);
  clone->version = 0;
  char* at = reinterpret_cast<char*>(clone) + clone->entries_offset;
  for (uint32_t i = 0; i < clone->nentries; i++, at += stride) {
    auto* entry = reinterpret_cast<StrEntry*>(at);
    if (entry->key == nullptr) continue;
    Py_INCREF(entry->key);
    Py_INCREF(entry->value);
  }
  return clone;
}

namespace {

// The step of dict_next_ref with the lock held, or while one thread runs.
AMPHIS_ALWAYS_INLINE int next_alone(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, PyObject** value, Py_hash_t* hash) {
  const Py_ssize_t index = dict_first_entry(dict, *pos);
  if (index < 0) return 0;
  StrEntry* entry = dict_entry(dict_keys_field(dict), index);
  *pos = index + 1;
  if (key != nullptr) *key = Py_NewRef(entry->key);
  if (value != nullptr) *value = Py_NewRef(entry->value);
  if (hash != nullptr) *hash = dict_entry_hash(dict_keys_field(dict), entry);
  return 1;
}

// The same where it can be made without the lock; -1: it cannot.
int next_without_lock(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, PyObject** value, Py_hash_t* hash) {
  DictKeys* keys = dict_keys(dict);
  const Py_ssize_t begin = sync::load_acquire(keys->live_begin);
  const Py_ssize_t end = sync::load_acquire(keys->nentries);
  Py_ssize_t at = *pos < begin ? begin : *pos;
  while (at < end && sync::load_acquire(dict_entry(keys, at)->key) == nullptr) at++;
  if (at >= end) return dict_keys(dict) == keys ? 0 : -1;
  StrEntry* entry = dict_entry(keys, at);
  Ref<> held_key, held_value;
  if (!sync::try_get_ref(&entry->key, &held_key) || !held_key) return -1;
  if (value != nullptr && (!sync::try_get_ref(&entry->value, &held_value) || !held_value)) return -1;
  if (dict_keys(dict) != keys) return -1;
  // The entry's own key may be gone by now.
  if (hash != nullptr) *hash = keys->general ? reinterpret_cast<GeneralEntry*>(entry)->hash : str_hash(held_key.get());
  if (key != nullptr) *key = held_key.release();
  if (value != nullptr) *value = held_value.release();
  *pos = at + 1;
  return 1;
}

}  // namespace

// Called without the lock.
int dict_next_ref(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, PyObject** value, Py_hash_t* hash) {
  if (sync::only_thread()) return next_alone(dict, pos, key, value, hash);
  const int done = next_without_lock(dict, pos, key, value, hash);
  if (done >= 0) return done;
  ObjectLock lock(dict);
  const Py_ssize_t index = dict_first_entry(dict, *pos);
  if (index < 0) return 0;
  // So that the next reader needs no lock.
  StrEntry* entry = dict_entry(dict_keys_field(dict), index);
  sync::publish(entry->key);
  if (value != nullptr) sync::publish(entry->value);
  return next_alone(dict, pos, key, value, hash);
}

int dict_next_hash(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  return dict_next_ref(dict, pos, key, nullptr, hash);
}

// Called without the lock.
PyObject* dict_get_str_locked(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  ObjectLock lock(dict);
  DictKeys* keys = dict_keys_field(dict);
  const Py_ssize_t index = dict_find_str(keys, key, hash);
  if (index < 0) return nullptr;
  PyObject* value = dict_entry(keys, index)->value;
  sync::publish(value);  // so that the next reader needs no lock
  return Py_NewRef(value);
}

PyObject* dict_new_presized(Py_ssize_t n) {
  PyObject* dict = PyDict_New();
  if (dict == nullptr || n <= 0) return dict;
  auto* self = reinterpret_cast<PyDictObject*>(dict);
  DictKeys* keys = new_keys(log2_for_entries(static_cast<size_t>(n)), false);
  if (keys == nullptr) {
    Py_DECREF(dict);
    return nullptr;
  }
  dict_keys_field(self) = keys;
  return dict;
}

PyObject* dict_from_pairs(PyObject* const* pairs, Py_ssize_t n) {
  Ref<> dict = Ref<>::steal(dict_new_presized(n));
  if (!dict) return nullptr;
  auto* self = reinterpret_cast<PyDictObject*>(dict.get());
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* key = pairs[2 * i];
    const Py_hash_t hash = dict_hash_key(key);
    if (hash == -1 || dict_insert(self, key, hash, pairs[2 * i + 1]) < 0) return nullptr;
  }
  return dict.release();
}

PyObject* dict_from_pairs_take(PyObject* const* pairs, Py_ssize_t n) {
  Ref<> dict = Ref<>::steal(dict_new_presized(n));
  auto* self = reinterpret_cast<PyDictObject*>(dict.get());
  bool ok = dict.get() != nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    Ref<> key = Ref<>::steal(pairs[2 * i]);
    Ref<> value = Ref<>::steal(pairs[2 * i + 1]);
    if (!ok) continue;
    const Py_hash_t hash = dict_hash_key(key.get());
    const Py_ssize_t index = hash == -1 ? kDictError : dict_find(self, key.get(), hash);
    if (index == kDictMissing) [[likely]] {
      ok = dict_append(self, key.release(), hash, value.release()) == 0;
    } else {
      ok = index != kDictError && dict_insert(self, key.get(), hash, value.get()) == 0;
    }
  }
  return ok ? dict.release() : nullptr;
}

PyObject* dict_from_names(PyObject* const* names, PyObject* const* values, Py_ssize_t n) {
  Ref<> dict = Ref<>::steal(dict_new_presized(n));
  if (!dict) return nullptr;
  auto* self = reinterpret_cast<PyDictObject*>(dict.get());
  for (Py_ssize_t i = 0; i < n; i++) {
    if (values[i] == nullptr) continue;
    if (dict_append(self, Py_NewRef(names[i]), str_hash(names[i]), Py_NewRef(values[i])) < 0) return nullptr;
  }
  return dict.release();
}

}  // namespace amphis
