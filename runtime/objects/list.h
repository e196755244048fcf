// Lists: the layout of the item array and the operations that the interpreter inlines.
//
// Invariants, with the list's lock held: ob_size <= allocated; ob_item[0 .. ob_size) are strong references.
// In the free-threaded build readers take no lock: they check the index against ob_size and against the
// capacity that the array itself carries, take the item with sync::try_get_ref and look at ob_item again.
// Therefore there an array begins zeroed, a slot that loses its item is overwritten before the reference is
// dropped, and arrays are freed by retire.
#pragma once

#include "Python.h"
#include "objects/container_support.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"

namespace amphis {

inline PyListObject* as_list(PyObject* op) {
  return reinterpret_cast<PyListObject*>(op);
}
inline Py_ssize_t list_size(PyListObject* list) {
  return sync::load_acquire(list->ob_base.ob_size);
}

// Where readers race with writers, the capacity of an item array lies before its first item.
inline constexpr size_t kListHeader = kRaces ? 16 : 0;
inline Py_ssize_t list_array_capacity(PyObject** items) {
  return reinterpret_cast<Py_ssize_t*>(items)[-1];
}

// Without the lock if that succeeds; null: the index is not negative, but out of range.
PyObject* list_get_item_among_threads(PyListObject* list, Py_ssize_t index);

// A new reference, or null without an error where the index is out of range (negative ones are).
AMPHIS_ALWAYS_INLINE PyObject* list_get_item_ref(PyListObject* list, Py_ssize_t index) {
  if (static_cast<size_t>(index) >= static_cast<size_t>(list_size(list))) return nullptr;
  return sync::only_thread() ? Py_NewRef(list->ob_item[index]) : list_get_item_among_threads(list, index);
}

int list_append_grow(PyListObject* list, PyObject* item);

// Takes over the reference, also on failure. 0 or -1. The list's lock is held, or nobody else can see the
// list.
inline int list_append_locked(PyListObject* list, PyObject* item) {
  const Py_ssize_t size = list->ob_base.ob_size;
  if (size < list->allocated) [[likely]] {
    sync::store_release(list->ob_item[size], item);
    sync::store_release(list->ob_base.ob_size, size + 1);
    return 0;
  }
  return list_append_grow(list, item);
}

// Takes over the reference, also on failure. 0 or -1.
inline int list_append_take(PyListObject* list, PyObject* item) {
  return with_leaf_lock(list, [=] { return list_append_locked(list, item); });
}

// Replaces an item in place; takes over the reference, also on failure. 0, or -1 without an error where the
// index is out of range.
int list_set_item_take(PyListObject* list, Py_ssize_t index, PyObject* item);

// A list of these items; takes over the references, also on failure.
PyObject* list_from_array_take(PyObject* const* items, Py_ssize_t n);

// The C function of list.append.
PyCFunction list_append_method();

// list.extend(iterable): 0 or -1.
int list_extend(PyListObject* list, PyObject* iterable);

// list[start:stop:step] with bounds as PySlice_Unpack gives them: a new reference.
PyObject* list_slice(PyListObject* list, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step);
// list[start:stop:step] = value: 0 or -1. `ends`: the caller drops `value` next, whose items may have changed.
int list_assign_slice(PyListObject* list, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step, PyObject* value, bool ends);

// list[index] with the errors of the type: a new reference.
PyObject* list_subscript(PyObject* self, PyObject* index);

// list.sort. `key` may be null. 0 or -1.
int list_sort(PyListObject* list, PyObject* key, bool reverse);

// a < b: 1, 0 or -1; without a call where both are int, float or one-byte str.
int object_less(PyObject* a, PyObject* b);

// ---- for the list*.cpp files ----

// Replaces items [low, high) by `n` references, which it takes over, also on failure. The lock is held.
// References that leave the list are stored at *removed, a block of PyMem memory with (high - low) entries
// that the caller drops with list_drop_removed once the lock is gone (null if there are none).
int list_replace_range(PyListObject* list, Py_ssize_t low, Py_ssize_t high, PyObject* const* fresh,
                       Py_ssize_t n, PyObject*** removed);
// Takes the item at a valid index out of the list. The lock is held.
PyObject* list_take_at(PyListObject* list, Py_ssize_t index);
void list_drop_removed(PyObject** removed, Py_ssize_t n);

// An item array, zeroed while other threads may read it (those that start later know no larger size than the list has
// then, and removals leave zeros); null without an error when there is no memory.
PyObject** list_new_array(Py_ssize_t capacity);
// Makes room for `capacity` items in all. 0 or -1. The lock is held.
int list_reserve(PyListObject* list, Py_ssize_t capacity);

// An empty list with room for n items.
PyObject* list_new_presized(Py_ssize_t n);

// Frees an item array that readers may still see, or that nobody can see.
void list_retire_array(PyObject** items);
void list_free_array(PyObject** items);

// The iterator over a list, for the interpreter's loops. `seq` is null (GIL build) or index is negative once
// it is used up. The layout of a reverse iterator is the same.
struct ListIterator {
  PyObject_HEAD Py_ssize_t index;
  PyListObject* seq;
};
PyObject* list_iter(PyObject* list);
PyObject* list_reversed(PyObject* list, PyObject*);

}  // namespace amphis
