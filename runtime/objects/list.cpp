// The storage of lists and their C API: growing, reading, writing and replacing ranges. See list.h for the
// invariants.
//
// Growth leaves room for an eighth more, so that appending is linear in all; an array that falls below half
// of its capacity is made smaller.
#include "objects/list.h"

#include <cstring>

#include "base/compiler.h"
#include "objects/dict.h"
#include "objects/range.h"
#include "objects/tuple.h"
#include "sync/mutex.h"

using namespace amphis;

namespace amphis {

namespace {

constexpr Py_ssize_t kMaxItems = PY_SSIZE_T_MAX / static_cast<Py_ssize_t>(sizeof(PyObject*)) - 2;

}  // namespace

PyObject** list_new_array(Py_ssize_t capacity) {
  if (capacity > kMaxItems) return nullptr;
  const size_t bytes = kListHeader + static_cast<size_t>(capacity) * sizeof(PyObject*);
  constexpr size_t kZeroedHere = 1024;  // of more memory some comes zeroed from the system
  const bool zeroed = !sync::only_thread();
  char* block = static_cast<char*>(zeroed && bytes > kZeroedHere ? PyMem_Calloc(1, bytes) : PyMem_Malloc(bytes));
  if (block == nullptr) return nullptr;
  if (zeroed && bytes <= kZeroedHere) memset(block, 0, bytes);
  auto** items = reinterpret_cast<PyObject**>(block + kListHeader);
  if constexpr (kRaces) reinterpret_cast<Py_ssize_t*>(items)[-1] = capacity;
  return items;
}

namespace {

// While nobody else can look at the array, it may grow where it is.
PyObject** resize_array(PyObject** old, Py_ssize_t capacity) {
  char* block = old != nullptr ? reinterpret_cast<char*>(old) - kListHeader : nullptr;
  block = static_cast<char*>(PyMem_Realloc(block, kListHeader + static_cast<size_t>(capacity) * sizeof(PyObject*)));
  if (block == nullptr) return nullptr;
  auto** items = reinterpret_cast<PyObject**>(block + kListHeader);
  if constexpr (kRaces) reinterpret_cast<Py_ssize_t*>(items)[-1] = capacity;
  return items;
}

// Overlapping moves of references within one array; item by item while readers may race.
void move_items(PyObject** to, PyObject** from, Py_ssize_t n) {
  if (sync::only_thread()) {
    memmove(to, from, static_cast<size_t>(n) * sizeof(PyObject*));
  } else if (to < from) {
    for (Py_ssize_t i = 0; i < n; i++) sync::store_release(to[i], from[i]);
  } else {
    for (Py_ssize_t i = n; i-- > 0;) sync::store_release(to[i], from[i]);
  }
}

void set_size(PyListObject* list, Py_ssize_t size) {
  sync::store_release(list->ob_base.ob_size, size);
}

int change_capacity(PyListObject* list, Py_ssize_t capacity) {
  if (capacity > kMaxItems) {
    PyErr_NoMemory();
    return -1;
  }
  PyObject** old = list->ob_item;
  PyObject** items;
  const bool in_place = sync::only_thread();
  if (in_place) {
    items = resize_array(old, capacity);
  } else {
    items = list_new_array(capacity);
    const Py_ssize_t size = list->ob_base.ob_size;
    if (items != nullptr && old != nullptr) {
      memcpy(items, old, static_cast<size_t>(size < capacity ? size : capacity) * sizeof(PyObject*));
    }
  }
  if (items == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  sync::store_release(list->ob_item, items);
  list->allocated = capacity;
  if (!in_place) list_retire_array(old);
  return 0;
}

Py_ssize_t grown_capacity(Py_ssize_t size) {
  return (size + (size >> 3) + 6) & ~static_cast<Py_ssize_t>(3);
}

// Gives memory back after a removal; failing to is no error.
void shrink_capacity(PyListObject* list) {
  const Py_ssize_t size = list->ob_base.ob_size;
  if (size >= list->allocated >> 1) return;
  if (size == 0) {
    PyObject** old = list->ob_item;
    sync::store_release(list->ob_item, static_cast<PyObject**>(nullptr));
    list->allocated = 0;
    list_retire_array(old);
  } else if (change_capacity(list, grown_capacity(size)) < 0) {
    PyErr_Clear();
  }
}

AMPHIS_ALWAYS_INLINE PyListObject* make_list() {
  auto* list = make_gc_object<PyListObject>(&PyList_Type);
  if (list == nullptr) return nullptr;
  list->ob_base.ob_size = 0;
  list->ob_item = nullptr;
  list->allocated = 0;
  return list;
}

bool check_list(PyObject* op) {
  if (op != nullptr && PyList_Check(op)) return true;
  PyErr_BadInternalCall();
  return false;
}

PyObject* index_error(const char* message) {
  PyErr_SetString(PyExc_IndexError, message);
  return nullptr;
}

Py_ssize_t clamp(Py_ssize_t value, Py_ssize_t low, Py_ssize_t high) {
  return value < low ? low : value > high ? high : value;
}

}  // namespace

void list_free_array(PyObject** items) {
  if (items != nullptr) PyMem_Free(reinterpret_cast<char*>(items) - kListHeader);
}

void list_retire_array(PyObject** items) {
  if (items == nullptr) return;
  // Only what readers may still look at is known to have its capacity before it.
  const size_t bytes = kRaces ? static_cast<size_t>(list_array_capacity(items)) * sizeof(PyObject*) : 0;
  sync::retire(reinterpret_cast<char*>(items) - kListHeader, bytes);
}

PyObject* list_get_item_among_threads(PyListObject* list, Py_ssize_t index) {
  PyObject** items = sync::load_acquire(list->ob_item);
  if (items != nullptr && index < list_array_capacity(items)) {
    Ref<> item;
    if (sync::try_get_ref(&items[index], &item) && item && sync::load_acquire(list->ob_item) == items) {
      return item.release();
    }
  }
  LeafLock lock(list);
  if (static_cast<size_t>(index) >= static_cast<size_t>(list->ob_base.ob_size)) return nullptr;
  PyObject* item = list->ob_item[index];
  sync::publish(item);
  return Py_NewRef(item);
}

int list_reserve(PyListObject* list, Py_ssize_t capacity) {
  return capacity <= list->allocated ? 0 : change_capacity(list, capacity);
}

int list_append_grow(PyListObject* list, PyObject* item) {
  const Py_ssize_t size = list->ob_base.ob_size;
  if (size >= list->allocated && change_capacity(list, grown_capacity(size + 1)) < 0) {
    Py_DECREF(item);
    return -1;
  }
  sync::store_release(list->ob_item[size], item);
  set_size(list, size + 1);
  return 0;
}

int list_set_item_take(PyListObject* list, Py_ssize_t index, PyObject* item) {
  PyObject* old;
  {
    LeafLock lock(list);
    if (static_cast<size_t>(index) >= static_cast<size_t>(list->ob_base.ob_size)) {
      old = nullptr;
    } else {
      old = list->ob_item[index];
      sync::store_release(list->ob_item[index], item);
    }
  }
  Py_DECREF(old != nullptr ? old : item);
  return old != nullptr ? 0 : -1;
}

PyObject* list_from_array_take(PyObject* const* items, Py_ssize_t n) {
  PyListObject* list = make_list();
  if (list != nullptr && n > 0) {
    list->ob_item = list_new_array(n);
    if (list->ob_item == nullptr) {
      Py_DECREF(list);
      list = nullptr;
      PyErr_NoMemory();
    }
  }
  if (list == nullptr) {
    for (Py_ssize_t i = 0; i < n; i++) Py_DECREF(items[i]);
    return nullptr;
  }
  if (n > 0) memcpy(list->ob_item, items, static_cast<size_t>(n) * sizeof(PyObject*));
  list->ob_base.ob_size = list->allocated = n;
  track(list);
  return reinterpret_cast<PyObject*>(list);
}

PyObject* list_new_presized(Py_ssize_t n) {
  PyListObject* list = make_list();
  if (list == nullptr) return nullptr;
  if (n > 0) {
    list->ob_item = list_new_array(n);
    if (list->ob_item == nullptr) {
      Py_DECREF(list);
      return PyErr_NoMemory();
    }
    list->allocated = n;
  }
  track(list);
  return reinterpret_cast<PyObject*>(list);
}

int list_replace_range(PyListObject* list, Py_ssize_t low, Py_ssize_t high, PyObject* const* fresh,
                       Py_ssize_t n, PyObject*** removed) {
  *removed = nullptr;
  const Py_ssize_t size = list->ob_base.ob_size;
  const Py_ssize_t old_n = high - low;
  PyObject** saved = nullptr;
  bool ok = true;
  if (old_n > 0) {
    saved = static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(old_n) * sizeof(PyObject*)));
    if (saved == nullptr) {
      PyErr_NoMemory();
      ok = false;
    }
  }
  if (ok && n > kMaxItems - size) {
    PyErr_NoMemory();
    ok = false;
  }
  const Py_ssize_t new_size = size - old_n + n;
  if (ok && new_size > list->allocated) ok = change_capacity(list, grown_capacity(new_size)) == 0;
  if (!ok) {
    PyMem_Free(saved);
    for (Py_ssize_t i = 0; i < n; i++) Py_XDECREF(fresh[i]);
    return -1;
  }
  PyObject** items = list->ob_item;
  if (old_n > 0) memcpy(saved, items + low, static_cast<size_t>(old_n) * sizeof(PyObject*));
  if (n != old_n) {
    if (new_size < size) set_size(list, new_size);
    move_items(items + low + n, items + high, size - high);
  }
  for (Py_ssize_t i = 0; i < n; i++) sync::store_release(items[low + i], fresh[i]);
  if constexpr (kRaces) {
    for (Py_ssize_t i = new_size; i < size; i++)
      sync::store_release(items[i], static_cast<PyObject*>(nullptr));
  }
  set_size(list, new_size);
  if (new_size < size) shrink_capacity(list);
  *removed = saved;
  return 0;
}

PyObject* list_take_at(PyListObject* list, Py_ssize_t index) {
  const Py_ssize_t last = list->ob_base.ob_size - 1;
  PyObject** items = list->ob_item;
  PyObject* item = items[index];
  set_size(list, last);
  move_items(items + index, items + index + 1, last - index);
  if constexpr (kRaces) sync::store_release(items[last], static_cast<PyObject*>(nullptr));
  shrink_capacity(list);
  return item;
}

void list_drop_removed(PyObject** removed, Py_ssize_t n) {
  if (removed == nullptr) return;
  for (Py_ssize_t i = n; i-- > 0;) Py_XDECREF(removed[i]);
  PyMem_Free(removed);
}

namespace {

// The items of a list of which some may be missing: C code fills what PyList_New() makes later.
PyObject* tuple_of_unfilled(PyListObject* list) {
  ObjectLock lock(list);
  const Py_ssize_t n = list->ob_base.ob_size;
  PyObject* tuple = PyTuple_New(n);
  for (Py_ssize_t i = 0; tuple != nullptr && i < n; i++) PyTuple_SET_ITEM(tuple, i, Py_XNewRef(list->ob_item[i]));
  return tuple;
}

// Appends the items of an exact list or tuple. Both are locked.
int extend_from_array(PyListObject* list, PyObject* source) {
  const Py_ssize_t n = PyList_CheckExact(source) ? Py_SIZE(source) : PyTuple_GET_SIZE(source);
  if (n == 0) return 0;
  const Py_ssize_t size = list->ob_base.ob_size;
  if (n > kMaxItems - size) {
    PyErr_NoMemory();
    return -1;
  }
  if (size + n > list->allocated) {
    // The first contents of a list are most often its last.
    if (change_capacity(list, size == 0 ? n : grown_capacity(size + n)) < 0) return -1;
  }
  // Only now: `source` may be the list itself.
  PyObject** from = PyList_CheckExact(source) ? as_list(source)->ob_item
                                              : reinterpret_cast<PyTupleObject*>(source)->ob_item;
  PyObject** to = list->ob_item + size;
  for (Py_ssize_t i = 0; i < n; i++) sync::store_release(to[i], Py_NewRef(from[i]));
  set_size(list, size + n);
  return 0;
}

int extend_from_iterator(PyListObject* list, PyObject* iterable) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return -1;
  const Py_ssize_t hint = PyObject_LengthHint(iterable, 8);
  if (hint < 0) return -1;
  {
    ObjectLock lock(list);
    const Py_ssize_t size = list->ob_base.ob_size;
    // A hint that leads to overflow or to no memory is only a hint.
    if (hint > 0 && hint < kMaxItems - size && list_reserve(list, size + hint) < 0) return -1;
  }
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  for (;;) {
    PyObject* item = next(iterator.get());
    if (item == nullptr) break;
    if (list_append_take(list, item) < 0) return -1;
  }
  if (!iteration_ended()) return -1;
  ObjectLock lock(list);
  if (list->allocated >= 0 && list->ob_base.ob_size < list->allocated) shrink_capacity(list);
  return 0;
}

int extend_from_range(PyListObject* list, PyObject* range) {
  int64_t start, step, length;
  if (!range_as_int64(range, &start, &step, &length)) return extend_from_iterator(list, range);
  ObjectLock lock(list);
  const Py_ssize_t size = list->ob_base.ob_size;
  if (length > kMaxItems - size) {
    PyErr_NoMemory();
    return -1;
  }
  if (length == 0) return 0;
  if (list_reserve(list, size + length) < 0) return -1;
  for (int64_t i = 0; i < length; i++) {
    PyObject* item = PyLong_FromLongLong(range_value(start, step, i));
    if (item == nullptr || list_append_locked(list, item) < 0) return -1;
  }
  return 0;
}

int extend_from_keys(PyListObject* list, PyObject* dict) {
  ObjectLock2 lock(list, dict);
  auto* source = reinterpret_cast<PyDictObject*>(dict);
  const Py_ssize_t n = source->ma_used;
  if (n == 0) return 0;
  if (list_reserve(list, list->ob_base.ob_size + n) < 0) return -1;
  for (Py_ssize_t at = 0; (at = dict_first_entry(source, at)) >= 0; at++) {
    if (list_append_locked(list, Py_NewRef(dict_entry(dict_keys_field(source), at)->key)) < 0) return -1;
  }
  return 0;
}

}  // namespace

int list_extend(PyListObject* list, PyObject* iterable) {
  if (PyList_CheckExact(iterable)) {
    LeafLock2 lock(list, iterable);
    return extend_from_array(list, iterable);
  }
  if (PyTuple_CheckExact(iterable)) {
    LeafLock lock(list);
    return extend_from_array(list, iterable);
  }
  if (PyRange_Check(iterable)) return extend_from_range(list, iterable);
  if (PyDict_CheckExact(iterable)) return extend_from_keys(list, iterable);
  return extend_from_iterator(list, iterable);
}

}  // namespace amphis

extern "C" {

PyObject* PyList_New(Py_ssize_t n) {
  if (n < 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  PyObject* op = list_new_presized(n);
  if (op == nullptr) return nullptr;
  if (n > 0) {
    PyListObject* list = as_list(op);
    if (sync::only_thread()) memset(list->ob_item, 0, static_cast<size_t>(n) * sizeof(PyObject*));
    list->ob_base.ob_size = n;
  }
  return op;
}

Py_ssize_t PyList_Size(PyObject* op) {
  return check_list(op) ? PyList_GET_SIZE(op) : -1;
}

PyObject* PyList_GetItem(PyObject* op, Py_ssize_t index) {
  if (!check_list(op)) return nullptr;
  PyListObject* list = as_list(op);
  if (static_cast<size_t>(index) >= static_cast<size_t>(list_size(list)))
    return index_error("list index out of range");
  return list->ob_item[index];
}

PyObject* PyList_GetItemRef(PyObject* op, Py_ssize_t index) {
  if (op == nullptr || !PyList_Check(op)) {
    PyErr_SetString(PyExc_TypeError, "expected a list");
    return nullptr;
  }
  PyObject* item = list_get_item_ref(as_list(op), index);
  return item != nullptr ? item : index_error("list index out of range");
}

int PyList_SetItem(PyObject* op, Py_ssize_t index, PyObject* item) {
  if (op == nullptr || !PyList_Check(op)) {
    Py_XDECREF(item);
    PyErr_BadInternalCall();
    return -1;
  }
  PyListObject* list = as_list(op);
  PyObject* old = nullptr;
  bool in_range;
  {
    LeafLock lock(list);
    in_range = static_cast<size_t>(index) < static_cast<size_t>(list->ob_base.ob_size);
    if (in_range) {
      old = list->ob_item[index];  // null in a list that is being filled
      sync::store_release(list->ob_item[index], item);
    }
  }
  if (in_range) {
    Py_XDECREF(old);
    return 0;
  }
  Py_XDECREF(item);
  index_error("list assignment index out of range");
  return -1;
}

int PyList_Insert(PyObject* op, Py_ssize_t where, PyObject* item) {
  if (!check_list(op)) return -1;
  if (item == nullptr) {
    PyErr_BadInternalCall();
    return -1;
  }
  PyListObject* list = as_list(op);
  LeafLock lock(list);
  const Py_ssize_t size = list->ob_base.ob_size;
  if (where < 0) where += size;
  where = clamp(where, 0, size);
  if (size >= list->allocated && change_capacity(list, grown_capacity(size + 1)) < 0) return -1;
  move_items(list->ob_item + where + 1, list->ob_item + where, size - where);
  sync::store_release(list->ob_item[where], Py_NewRef(item));
  set_size(list, size + 1);
  return 0;
}

int PyList_Append(PyObject* op, PyObject* item) {
  if (op == nullptr || !PyList_Check(op) || item == nullptr) {
    PyErr_BadInternalCall();
    return -1;
  }
  return list_append_take(as_list(op), Py_NewRef(item));
}

int PyList_Extend(PyObject* op, PyObject* iterable) {
  return check_list(op) ? list_extend(as_list(op), iterable) : -1;
}

AMPHIS_EXPORT PyObject* _PyList_Extend(PyListObject* list, PyObject* iterable) {
  if (list_extend(list, iterable) < 0) return nullptr;
  Py_RETURN_NONE;
}

int PyList_Clear(PyObject* op) {
  if (!check_list(op)) return -1;
  PyListObject* list = as_list(op);
  PyObject** items;
  Py_ssize_t n;
  {
    LeafLock lock(list);
    items = list->ob_item;
    if (items == nullptr) return 0;
    n = list->ob_base.ob_size;
    set_size(list, 0);
    sync::store_release(list->ob_item, static_cast<PyObject**>(nullptr));
    list->allocated = 0;
  }
  for (Py_ssize_t i = n; i-- > 0;) Py_XDECREF(items[i]);
  list_retire_array(items);
  return 0;
}

PyObject* PyList_GetSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high) {
  if (!check_list(op)) return nullptr;
  PyListObject* list = as_list(op);
  LeafLock lock(list);
  const Py_ssize_t size = list->ob_base.ob_size;
  low = clamp(low, 0, size);
  high = clamp(high, low, size);
  const Py_ssize_t n = high - low;
  PyObject* slice = list_new_presized(n);
  if (slice == nullptr || n == 0) return slice;
  PyObject** from = list->ob_item + low;
  PyObject** to = as_list(slice)->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) to[i] = Py_NewRef(from[i]);
  as_list(slice)->ob_base.ob_size = n;
  return slice;
}

int PyList_SetSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high, PyObject* values) {
  if (!check_list(op)) return -1;
  PyListObject* list = as_list(op);
  Ref<> sequence;
  Py_ssize_t n = 0;
  if (values != nullptr) {
    // A copy: the values may be the list itself, or change while the list does. A list fresh from PyList_New() has no items yet.
    sequence = Ref<>::steal(PyList_CheckExact(values) ? tuple_of_unfilled(as_list(values)) : PySequence_Tuple(values));
    if (!sequence) {
      if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_SetString(PyExc_TypeError, "can only assign an iterable");
      return -1;
    }
    n = PyTuple_GET_SIZE(sequence.get());
  }
  PyObject** removed;
  int done;
  {
    ObjectLock lock(list);
    const Py_ssize_t size = list->ob_base.ob_size;
    low = clamp(low, 0, size);
    high = clamp(high, low, size);
    PyObject** fresh = n == 0 ? nullptr : reinterpret_cast<PyTupleObject*>(sequence.get())->ob_item;
    for (Py_ssize_t i = 0; i < n; i++) Py_XINCREF(fresh[i]);
    done = list_replace_range(list, low, high, fresh, n, &removed);
  }
  list_drop_removed(removed, high - low);
  return done;
}

int PyList_Sort(PyObject* op) {
  return check_list(op) ? list_sort(as_list(op), nullptr, false) : -1;
}

int PyList_Reverse(PyObject* op) {
  if (!check_list(op)) return -1;
  ObjectLock lock(op);
  PyListObject* list = as_list(op);
  PyObject** items = list->ob_item;
  for (Py_ssize_t i = 0, j = list->ob_base.ob_size - 1; i < j; i++, j--) {
    PyObject* first = items[i];
    sync::store_release(items[i], items[j]);
    sync::store_release(items[j], first);
  }
  return 0;
}

PyObject* PyList_AsTuple(PyObject* op) {
  if (!check_list(op)) return nullptr;
  ObjectLock lock(op);
  PyListObject* list = as_list(op);
  return tuple_from_array(list->ob_item, list->ob_base.ob_size);
}

AMPHIS_EXPORT PyObject* _PyList_AsTupleAndClear(PyListObject* list) {
  PyObject* tuple = PyList_AsTuple(reinterpret_cast<PyObject*>(list));
  if (tuple != nullptr) PyList_Clear(reinterpret_cast<PyObject*>(list));
  return tuple;
}

AMPHIS_EXPORT int _PyList_AppendTakeRefListResize(PyListObject* list, PyObject* item) {
  return list_append_grow(list, item);
}

}  // extern "C"
