// The storage of dictionaries, for the interpreter's fast paths and for the dict*.cpp files.
//
// A dictionary is a compact array of entries in insertion order plus an open-addressed table of slots. A slot
// holds the entry's number + 1 in its low `log2_slots` bits and bits of the hash above those, so that almost
// every probe of a wrong entry is refused without touching the entry. Zero is an empty slot. Deleting an
// entry nulls its key and value and leaves its slot in place: an entry's number is never given to another key
// within one DictKeys, and so a reader without the lock needs no more than to see a key there after it took
// the value.
//
//   slot = hash bits [width-1 .. k] | (entry + 1) [k-1 .. 0]          k = log2_slots, entry + 1 < 2^k
//
// Invariants, with the dictionary's lock held:
//   live entries == ma_used;  nentries + usable <= 2/3 * 2^k;  entries before live_begin are dead
//   general == 0  =>  every key is an exact str and entries have no stored hash
//   version != 0  =>  no other set or order of keys has or had this version
// Readers without the lock load `ma_keys` (acquire), probe, take the value with sync::try_get_ref and then
// look at the key and `ma_keys` again, and take the lock where that fails; DictKeys blocks are freed through
// sync::retire.
#pragma once

#include <cstdint>
#include <cstring>

#include "Python.h"
#include "objects/container_support.h"
#include "objects/str.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/shared_slot.h"

namespace amphis {

struct DictKeys {
  uint8_t log2_slots;
  uint8_t general;     // entries are GeneralEntry, not StrEntry
  uint16_t front_gap;  // entries [0, front_gap) were never used: room for OrderedDict.move_to_end(last=False)
  uint32_t version;    // see dict_keys_version
  uint32_t usable;     // entries that may still be appended
  uint32_t nentries;   // entries appended so far, dead ones included
  uint32_t entries_offset;  // of the first entry, from the start of this struct
  uint32_t live_begin;      // a lower bound of the first live entry
  uint32_t pop_end;         // an upper bound of the live entries, valid while pop_nentries == nentries
  uint32_t pop_nentries;
};
static_assert(sizeof(DictKeys) == 32);

struct StrEntry {
  PyObject* key;
  PyObject* value;
};
struct GeneralEntry {
  PyObject* key;
  PyObject* value;
  Py_hash_t hash;
};

inline constexpr uint32_t kDictMinLog2 = 3;
inline constexpr uint32_t kDictNarrowLog2 = 8;  // up to here slots are 16 bits wide, then 32
inline constexpr uint32_t kDictMaxLog2 = 31;

inline constexpr Py_ssize_t kDictMissing = -1;
inline constexpr Py_ssize_t kDictError = -2;

// The keys of every empty dictionary that has not allocated yet: no entry, nothing usable.
struct DictEmptyKeys {
  DictKeys head;
  uint16_t slots[1 << kDictMinLog2];
};
extern DictEmptyKeys dict_empty_keys;

// ma_keys with the type that it really has.
inline DictKeys*& dict_keys_field(PyDictObject* dict) {
  return reinterpret_cast<DictKeys*&>(dict->ma_keys);
}
inline DictKeys* dict_keys(PyDictObject* dict) {
  return sync::load_acquire(dict_keys_field(dict));
}

inline size_t dict_entry_stride(const DictKeys* keys) {
  return sizeof(StrEntry) + (size_t{keys->general} << 3);
}

// Key and value are at the same place in both kinds of entry.
inline StrEntry* dict_entry(DictKeys* keys, Py_ssize_t index) {
  return reinterpret_cast<StrEntry*>(reinterpret_cast<char*>(keys) + keys->entries_offset +
                                     static_cast<size_t>(index) * dict_entry_stride(keys));
}

inline Py_hash_t dict_entry_hash(const DictKeys* keys, const StrEntry* entry) {
  return keys->general ? reinterpret_cast<const GeneralEntry*>(entry)->hash : str_hash(entry->key);
}

// Calls visit(entry, index) for each entry whose slot matches the hash, in probe order, until it returns true
// (the result is then that index) or an empty slot is met (kDictMissing).
template <class Slot, class Visit>
inline Py_ssize_t dict_probe_slots(DictKeys* keys, Py_hash_t hash, Visit&& visit) {
  const uint32_t k = keys->log2_slots;
  const size_t mask = (size_t{1} << k) - 1;
  const Slot* slots = reinterpret_cast<const Slot*>(keys + 1);
  const Slot tag = static_cast<Slot>(static_cast<size_t>(hash) & ~mask);
  size_t perturb = static_cast<size_t>(hash);
  size_t at = perturb & mask;
  for (;;) {
    const Slot slot = sync::load_acquire(slots[at]);
    if (slot == 0) return kDictMissing;
    if ((static_cast<Slot>(slot ^ tag) & ~mask) == 0) {
      const Py_ssize_t index = static_cast<Py_ssize_t>(slot & mask) - 1;
      if (visit(dict_entry(keys, index), index)) return index;
    }
    perturb >>= 5;
    at = (at * 5 + perturb + 1) & mask;
  }
}

template <class Visit>
inline Py_ssize_t dict_probe(DictKeys* keys, Py_hash_t hash, Visit&& visit) {
  if (keys->log2_slots <= kDictNarrowLog2) return dict_probe_slots<uint16_t>(keys, hash, visit);
  return dict_probe_slots<uint32_t>(keys, hash, visit);
}

// The entry of an exact str key, or kDictMissing. Runs no Python code and cannot fail: a key that is not a
// str but claims equality with one is not found here (dict_find, which every public operation uses, does find
// it).
inline Py_ssize_t dict_find_str(DictKeys* keys, PyObject* key, Py_hash_t hash) {
  const bool general = keys->general;
  return dict_probe(keys, hash, [=](StrEntry* entry, Py_ssize_t) {
    PyObject* found = sync::load_acquire(entry->key);
    if (found == key) return true;
    [[maybe_unused]] UncheckedReads of_a_key_that_may_have_died;
    if (found == nullptr) return false;
    if (general) {
      if (reinterpret_cast<GeneralEntry*>(entry)->hash != hash || !PyUnicode_Check(found)) return false;
    } else if (sync::load_relaxed(reinterpret_cast<PyASCIIObject*>(found)->hash) != hash) {
      return false;
    }
    return str_equal(found, key);
  });
}

inline Py_ssize_t dict_lookup_index_str_in(DictKeys* keys, PyObject* key) {
  return dict_find_str(keys, key, str_hash(key));
}
inline Py_ssize_t dict_lookup_index_str(PyDictObject* dict, PyObject* key) {
  return dict_lookup_index_str_in(dict_keys(dict), key);
}
// The entry of an int key, where no other code need run to find it.
Py_ssize_t dict_lookup_index_int(DictKeys* keys, int64_t i);

inline PyObject** dict_entry_value_slot(PyDictObject* dict, Py_ssize_t index) {
  return &dict_entry(dict_keys(dict), index)->value;
}

// Borrowed; null for a deleted entry.
inline PyObject* dict_entry_key(PyDictObject* dict, Py_ssize_t index) {
  return sync::load_acquire(dict_entry(dict_keys(dict), index)->key);
}

// A number that stands for "these keys at these entry indexes": as long as it stays the same, so does the
// result of dict_lookup_index_str for every key. Never 0, except when the numbers have run out.
uint32_t dict_assign_keys_version(PyDictObject* dict);
inline uint32_t dict_keys_version(PyDictObject* dict) {
  const uint32_t version = sync::load_acquire(dict_keys(dict)->version);
  return version != 0 ? version : dict_assign_keys_version(dict);
}
// The same without assigning one: what a guard compares.
inline uint32_t dict_keys_version_now(PyDictObject* dict) {
  return sync::load_acquire(dict_keys(dict)->version);
}

// What the lock-free read could not decide: the same under the lock.
PyObject* dict_get_str_locked(PyDictObject* dict, PyObject* key, Py_hash_t hash);

// The value of an exact str key as a new reference, or null with no error set.
inline PyObject* dict_get_str_hashed(PyDictObject* dict, PyObject* key, Py_hash_t hash) {
  DictKeys* keys = dict_keys(dict);
  const Py_ssize_t index = dict_find_str(keys, key, hash);
  if (index < 0) return nullptr;
  StrEntry* entry = dict_entry(keys, index);
  if (sync::only_thread()) {
    return Py_NewRef(entry->value);
  } else {
    // The entry may have died, or the block may have been replaced, since the probe: look again.
    Ref<> value;
    if (sync::try_get_ref(&entry->value, &value) && value && sync::load_acquire(entry->key) != nullptr &&
        dict_keys(dict) == keys) {
      return value.release();
    }
    return dict_get_str_locked(dict, key, hash);
  }
}
inline PyObject* dict_get_str(PyDictObject* dict, PyObject* key) {
  return dict_get_str_hashed(dict, key, str_hash(key));
}

// A word that finds the value of entry `index` as long as the keys have this version, or 0 if the entry lies too far away.
inline uint64_t dict_cache_word(PyDictObject* dict, uint32_t version, Py_ssize_t index) {
  DictKeys* keys = dict_keys(dict);
  uint64_t offset = static_cast<uint64_t>(reinterpret_cast<char*>(&dict_entry(keys, index)->value) -
                                          reinterpret_cast<char*>(keys));
  if (offset > UINT32_MAX || sync::load_acquire(keys->version) != version) return 0;
  return version | offset << 32;
}
// The value that such a word finds as a new reference, or null: look again.
inline PyObject* dict_get_by_word(PyDictObject* dict, uint64_t word) {
  DictKeys* keys = dict_keys(dict);
  const uint32_t version = static_cast<uint32_t>(word);
  if (version == 0 || sync::load_acquire(keys->version) != version) return nullptr;
  auto** slot = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(keys) + (word >> 32));
  if (sync::only_thread()) return Py_XNewRef(*slot);
  Ref<> value;
  if (!sync::try_get_ref(slot, &value) || sync::load_acquire(keys->version) != version) return nullptr;
  return value.release();
}

// The same if it can be told without the lock, and so without a safepoint; otherwise false.
inline bool dict_try_get_str(PyDictObject* dict, PyObject* key, PyObject** result) {
  DictKeys* keys = dict_keys(dict);
  if (keys->general) return false;
  const Py_ssize_t index = dict_find_str(keys, key, str_hash(key));
  *result = nullptr;
  if (index < 0) return index == kDictMissing;
  StrEntry* entry = dict_entry(keys, index);
  Ref<> value;
  if (!sync::try_get_ref(&entry->value, &value) || !value || sync::load_acquire(entry->key) == nullptr ||
      dict_keys(dict) != keys) {
    return false;
  }
  *result = value.release();
  return true;
}

// Replaces the value of the int key i, which takes over the reference. False, with nothing taken: the general way.
bool dict_replace_int(PyDictObject* dict, int64_t i, PyObject* value);

inline bool dict_contains_str(PyDictObject* dict, PyObject* key) {
  return dict_lookup_index_str(dict, key) >= 0;
}

// Borrow key and value. 0, or -1 with an error (only out of memory, or a key of another type that compares
// with Python code).
int dict_set_str(PyDictObject* dict, PyObject* key, PyObject* value);

// Takes over the references to key and value, also on failure. The hash must be that of the key.
int dict_set_take(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value);

// An empty dictionary with room for `n` str keys.
PyObject* dict_new_presized(Py_ssize_t n);

// A dictionary of n pairs: pairs[2 * i] is the key, pairs[2 * i + 1] the value (borrowed).
PyObject* dict_from_pairs(PyObject* const* pairs, Py_ssize_t n);
// The same; takes over the references, also on failure.
PyObject* dict_from_pairs_take(PyObject* const* pairs, Py_ssize_t n);

// A dictionary of n str keys and their values (borrowed; keys are different from each other; null values are
// skipped).
PyObject* dict_from_names(PyObject* const* names, PyObject* const* values, Py_ssize_t n);

// One step of an iterator over items, without the pair (new references). False: the end, or an exception.
bool dict_next_pair(PyObject* iterator, PyObject** key, PyObject** value);

// Puts the next live entry at or after *pos into key and value (new references; either pointer may be null)
// and moves *pos behind it. Returns 1, or 0 at the end. Each step is atomic; the whole walk is not.
int dict_next_ref(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, PyObject** value, Py_hash_t* hash = nullptr);
// The same with the hash of the key in place of the value.
int dict_next_hash(PyDictObject* dict, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash);

// PyDict_GetItemRef() for a key whose hash is known: its own __hash__ is not asked.
int dict_get_ref_hashed(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject** result);

// ---- for the dict*.cpp files, OrderedDict and the set operations of views; the lock is held ----

// Hash of a key, with the error that a dictionary gives for an unhashable one; -1 with that error.
Py_hash_t dict_hash_key(PyObject* key);

// Entry index of the key, kDictMissing, or kDictError. May run Python code, and so may change the dictionary.
Py_ssize_t dict_find(PyDictObject* dict, PyObject* key, Py_hash_t hash);

// Replaces the value of the entry or appends a new one. Borrows key and value.
int dict_insert(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value);

// Appends a key that is known to be absent; takes over both references.
int dict_append(PyDictObject* dict, PyObject* key, Py_hash_t hash, PyObject* value);

// Removes an entry and hands its two references to the caller.
void dict_remove_entry(PyDictObject* dict, Py_ssize_t index, PyObject** key, PyObject** value);

// Index of the last live entry, or kDictMissing.
Py_ssize_t dict_last_entry(PyDictObject* dict);
// Index of the first live entry at or after `from`, or kDictMissing.
Py_ssize_t dict_first_entry(PyDictObject* dict, Py_ssize_t from);

// Makes room for `extra` more entries. 0 or -1.
int dict_reserve(PyDictObject* dict, Py_ssize_t extra);

// Moves an entry to the end or the beginning of the order. 0 or -1.
int dict_move_entry(PyDictObject* dict, Py_ssize_t index, bool to_end);

// A block with the same entries, each with a new reference.
DictKeys* dict_clone_keys(PyDictObject* dict);

// Drops every entry and frees the block of a dictionary that nobody else can see (deallocation).
void dict_free_storage(PyDictObject* dict);

// dict.update(arg) for an argument that may be a mapping or an iterable of pairs.
int dict_update_from(PyObject* self, PyObject* arg);

// dict.fromkeys for any class.
PyObject* dict_from_keys(PyObject* cls, PyObject* iterable, PyObject* value);

// What an exact mappingproxy stands for (borrowed from it), any other object itself. (mappingproxy.cpp)
PyObject* mapping_behind(PyObject* o);

// How merging treats a key that is already there.
enum class OnDuplicate { kKeep, kReplace, kRaise };
int dict_merge(PyObject* self, PyObject* other, OnDuplicate on_duplicate);

// self[key] with KeyError and __missing__ (dict_type.cpp): a new reference.
PyObject* dict_subscript(PyObject* self, PyObject* key);

// Views and iterators (dict_views.cpp, dict_iterators.cpp).
struct DictView {
  PyObject_HEAD PyDictObject* dict;
};
PyObject* dict_new_view(PyObject* dict, PyTypeObject* type);
PyObject* dict_new_iterator(PyDictObject* dict, PyTypeObject* type);

}  // namespace amphis
