// Sets and frozensets: the hash table, for the set*.cpp files and for whoever fills or walks a set fast.
//
// The table is open-addressed, of a power of two; a probe looks at up to kSetLinearProbes neighbours before
// it jumps. An entry is empty (key null), live, or a dummy (key kSetDummy, hash -1) where one was removed.
//
// Invariants, with the set's lock held: used == live entries; fill == live entries + dummies; fill <= 3/5 of
// the table. Comparisons may suspend the lock; a search starts again when the table has changed.
//
// Whether a set has a str or an int that no Python code need compare is asked without the lock (set_has). For these readers
//  - an entry goes from empty to live (hash first, then key with release) to dummy, and never back;
//  - a table gets its entries before `table` points to it, and keeps them: it is retired, and the small table inside the set
//    is used a second time only while one thread runs;
//  - a table on the heap has its mask before its first entry, so that both come with one load.
#pragma once

#include "Python.h"
#include "objects/container_support.h"

namespace amphis {

inline constexpr size_t kSetLinearProbes = 9;

extern PyObject set_dummy_object[1];
inline PyObject* set_dummy() {
  return set_dummy_object;
}

struct SetTableHead {
  size_t mask;
  size_t was_seen;  // it was another set's, which others may be looking into: to be retired
};
inline SetTableHead* set_table_head(setentry* table) { return reinterpret_cast<SetTableHead*>(table) - 1; }
// Of `size` empty entries, on the heap; null without an exception.
setentry* set_new_table(size_t size);

inline PySetObject* as_set(PyObject* op) {
  return reinterpret_cast<PySetObject*>(op);
}
inline bool set_entry_live(const setentry* entry) {
  return entry->key != nullptr && entry->key != set_dummy();
}

// set.update(iterable): 0 or -1. For a set or a frozenset that nobody else can see.
int set_update(PyObject* set, PyObject* iterable);

// The same for a set that this thread has made and not handed out.
int set_fill(PyObject* set, PyObject* iterable);

// Whether an exact set or frozenset has this int, which a register can hold: 1, 0, or -1 without an exception if the
// answer needs a comparison of objects.
int set_has_int(PySetObject* set, int64_t value);

// A new set or frozenset of this (exact or derived) type; `iterable` may be null.
PyObject* set_make(PyTypeObject* type, PyObject* iterable);

// 1, 0 or -1.
int set_has(PySetObject* set, PyObject* key, Py_hash_t hash);

// The next element at or after *pos as a new reference, and its hash; moves *pos behind it. 1, or 0 at the end. Each step is
// atomic; the whole walk is not.
int set_next_ref(PySetObject* set, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash);

// ---- the lock is held ----

// Hash of an element, with the error that a set gives for an unhashable one.
Py_hash_t set_hash_element(PyObject* element);

// The live entry of the key, or an entry whose key is null; null on error.
setentry* set_find(PySetObject* set, PyObject* key, Py_hash_t hash);

// Adds a key (borrowed): 1 added, 0 there already, -1.
int set_add(PySetObject* set, PyObject* key, Py_hash_t hash);
// Removes a key: 1 removed, 0 not there, -1.
int set_discard(PySetObject* set, PyObject* key, Py_hash_t hash);

void set_clear(PySetObject* set);

// The next live entry at or after *pos; moves *pos behind it.
bool set_next(PySetObject* set, Py_ssize_t* pos, setentry** entry);

// ---- operations on whole sets (set_operations.cpp); no lock is held ----

int set_difference_update(PySetObject* set, PyObject* other);
int set_symmetric_difference_update(PySetObject* set, PyObject* other);
PyObject* set_difference(PyObject* set, PyObject* other);
PyObject* set_intersection(PyObject* set, PyObject* other);
// 1, 0 or -1.
int set_is_subset(PyObject* set, PyObject* other);
int set_is_superset(PyObject* set, PyObject* other);
int set_is_disjoint(PyObject* set, PyObject* other);
// Exchanges the contents of a set with those of one that nobody else sees. 0 or -1; both are locked.
int set_swap_contents(PySetObject* a, PySetObject* b);
PyObject* set_copy(PyObject* set);

Py_hash_t frozenset_hash(PyObject* set);

}  // namespace amphis
