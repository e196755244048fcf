// The type `list`: construction, slots and methods. Searches and comparisons take one item at a time, because
// comparing may change the list.
#include <algorithm>
#include <cstring>

#include "objects/list.h"
#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

// ---- life ----

PyObject* list_new(PyTypeObject* type, PyObject*, PyObject*) {
  return type->tp_alloc(type, 0);
}

int list_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  // A class with a __new__ of its own may take keywords there.
  if (Py_TYPE(self)->tp_new == list_new && !check_no_kwargs("list", kwargs)) return -1;
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional("list", nargs, 0, 1)) return -1;
  if (PyList_Clear(self) < 0) return -1;
  return nargs == 0 ? 0 : list_extend(as_list(self), PyTuple_GET_ITEM(args, 0));
}

PyObject* list_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("list", kwnames) || !check_positional("list", nargs, 0, 1)) return nullptr;
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  Ref<> self = Ref<>::steal(cls == &PyList_Type ? list_new_presized(0) : cls->tp_alloc(cls, 0));
  if (!self || (nargs == 1 && list_extend(as_list(self.get()), args[0]) < 0)) return nullptr;
  return self.release();
}

void list_dealloc(PyObject* self) {
  untrack(self);
  Py_TRASHCAN_BEGIN(self, list_dealloc) PyListObject* list = as_list(self);
  PyObject** items = list->ob_item;
  if (items != nullptr) {
    for (Py_ssize_t i = list->ob_base.ob_size; i-- > 0;) Py_XDECREF(items[i]);
    list_free_array(items);
  }
  Py_TYPE(self)->tp_free(self);
  Py_TRASHCAN_END
}

int list_traverse(PyObject* self, visitproc visit, void* arg) {
  PyListObject* list = as_list(self);
  if (list->ob_item == nullptr) return 0;
  for (Py_ssize_t i = list->ob_base.ob_size; i-- > 0;) Py_VISIT(list->ob_item[i]);
  return 0;
}

// ---- reading ----

Py_ssize_t list_length(PyObject* self) {
  return PyList_GET_SIZE(self);
}

PyObject* list_item(PyObject* self, Py_ssize_t index) {
  PyObject* item = list_get_item_ref(as_list(self), index);
  if (item == nullptr) PyErr_SetString(PyExc_IndexError, "list index out of range");
  return item;
}

PyObject* copy_range(PyListObject* list, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step) {
  return with_leaf_lock(list, [=]() mutable -> PyObject* {
    const Py_ssize_t n = PySlice_AdjustIndices(list->ob_base.ob_size, &start, &stop, step);
    PyObject* result = list_new_presized(n);
    if (result == nullptr) return nullptr;
    PyObject** from = list->ob_item;
    PyObject** to = as_list(result)->ob_item;
    for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) to[i] = Py_NewRef(from[at]);
    as_list(result)->ob_base.ob_size = n;
    return result;
  });
}

PyObject* get_slice(PyObject* self, PyObject* slice) {
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return nullptr;
  return copy_range(as_list(self), start, stop, step);
}

PyObject* wrong_index(PyObject* index) {
  PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
               Py_TYPE(index)->tp_name);
  return nullptr;
}

int list_contains(PyObject* self, PyObject* value) {
  PyObject* item;
  for (Py_ssize_t i = 0; (item = list_get_item_ref(as_list(self), i)) != nullptr; i++) {
    Ref<> hold = Ref<>::steal(item);
    const int equal = PyObject_RichCompareBool(item, value, Py_EQ);
    if (equal != 0) return equal;
  }
  return 0;
}

PyObject* write_repr(PyObject* self) {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(2 + PyList_GET_SIZE(self) * 3);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_WriteChar(writer, '[') == 0;
  PyObject* item;
  for (Py_ssize_t i = 0; ok && (item = list_get_item_ref(as_list(self), i)) != nullptr; i++) {
    Ref<> hold = Ref<>::steal(item);
    ok = (i == 0 || PyUnicodeWriter_WriteASCII(writer, ", ", 2) == 0) &&
         PyUnicodeWriter_WriteRepr(writer, item) == 0;
  }
  ok = ok && PyUnicodeWriter_WriteChar(writer, ']') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* list_repr(PyObject* self) {
  if (PyList_GET_SIZE(self) == 0) return PyUnicode_FromString("[]");
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("[...]") : nullptr;
  PyObject* text = write_repr(self);
  Py_ReprLeave(self);
  return text;
}

PyObject* list_compare(PyObject* a, PyObject* b, int op) {
  if (!PyList_Check(a) || !PyList_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  if (PyList_GET_SIZE(a) != PyList_GET_SIZE(b) && (op == Py_EQ || op == Py_NE))
    return PyBool_FromLong(op == Py_NE);
  for (Py_ssize_t i = 0;; i++) {
    // What is the same item in both need not be held to be compared.
    if (sync::only_thread()) {
      const Py_ssize_t shorter = std::min(PyList_GET_SIZE(a), PyList_GET_SIZE(b));
      while (i < shorter && as_list(a)->ob_item[i] == as_list(b)->ob_item[i]) i++;
    }
    Ref<> x = Ref<>::steal(list_get_item_ref(as_list(a), i));
    Ref<> y = Ref<>::steal(list_get_item_ref(as_list(b), i));
    if (!x || !y) break;
    if (x.get() == y.get()) continue;
    const int equal = PyObject_RichCompareBool(x.get(), y.get(), Py_EQ);
    if (equal < 0) return nullptr;
    if (equal > 0) continue;
    // The comparison may have made a list shorter: then the lengths decide.
    if (i >= PyList_GET_SIZE(a) || i >= PyList_GET_SIZE(b)) break;
    if (op == Py_EQ || op == Py_NE) return PyBool_FromLong(op == Py_NE);
    return PyObject_RichCompare(x.get(), y.get(), op);
  }
  // One is a prefix of the other.
  const Py_ssize_t n = PyList_GET_SIZE(a), m = PyList_GET_SIZE(b);
  Py_RETURN_RICHCOMPARE(n, m, op);
}

// ---- concatenation and repetition ----

PyObject* list_concat(PyObject* a, PyObject* b) {
  if (!PyList_Check(b)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate list (not \"%.200s\") to list", Py_TYPE(b)->tp_name);
    return nullptr;
  }
  LeafLock2 lock(a, b);
  const Py_ssize_t n = PyList_GET_SIZE(a), m = PyList_GET_SIZE(b);
  if (n > PY_SSIZE_T_MAX - m) return PyErr_NoMemory();
  PyObject* result = list_new_presized(n + m);
  if (result == nullptr) return nullptr;
  PyObject** to = as_list(result)->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) *to++ = Py_NewRef(as_list(a)->ob_item[i]);
  for (Py_ssize_t i = 0; i < m; i++) *to++ = Py_NewRef(as_list(b)->ob_item[i]);
  as_list(result)->ob_base.ob_size = n + m;
  return result;
}

// Writes `times - 1` further copies of the first n references behind them.
void repeat_items(PyObject** items, Py_ssize_t n, Py_ssize_t times) {
  for (Py_ssize_t i = 0; i < n; i++) {
    if (_Py_IsImmortal(items[i])) continue;
    for (Py_ssize_t k = 1; k < times; k++) Py_INCREF(items[i]);
  }
  const Py_ssize_t total = n * times;
  if (n == 1) {
    for (Py_ssize_t i = 1; i < total; i++) sync::store_release(items[i], items[0]);
    return;
  }
  for (Py_ssize_t done = n; done < total;) {
    const Py_ssize_t part = done < total - done ? done : total - done;
    memcpy(items + done, items, static_cast<size_t>(part) * sizeof(PyObject*));
    done += part;
  }
}

PyObject* list_repeat(PyObject* self, Py_ssize_t times) {
  ObjectLock lock(self);
  const Py_ssize_t n = PyList_GET_SIZE(self);
  if (n == 0 || times <= 0) return PyList_New(0);
  if (n > PY_SSIZE_T_MAX / times) return PyErr_NoMemory();
  PyObject* result = list_new_presized(n * times);
  if (result == nullptr) return nullptr;
  PyObject** items = as_list(result)->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) items[i] = Py_NewRef(as_list(self)->ob_item[i]);
  repeat_items(items, n, times);
  as_list(result)->ob_base.ob_size = n * times;
  return result;
}

PyObject* list_inplace_repeat(PyObject* self, Py_ssize_t times) {
  if (times < 1) {
    PyList_Clear(self);
    return Py_NewRef(self);
  }
  ObjectLock lock(self);
  PyListObject* list = as_list(self);
  const Py_ssize_t n = list->ob_base.ob_size;
  if (n == 0 || times == 1) return Py_NewRef(self);
  if (n > PY_SSIZE_T_MAX / times) return PyErr_NoMemory();
  if (list_reserve(list, n * times) < 0) return nullptr;
  repeat_items(list->ob_item, n, times);
  sync::store_release(list->ob_base.ob_size, n * times);
  return Py_NewRef(self);
}

PyObject* list_inplace_concat(PyObject* self, PyObject* other) {
  return list_extend(as_list(self), other) < 0 ? nullptr : Py_NewRef(self);
}

// ---- writing ----

// Deletes one item, if the index is still valid.
bool delete_at(PyObject* self, Py_ssize_t index) {
  Ref<> removed;
  LeafLock lock(self);
  PyListObject* list = as_list(self);
  if (static_cast<size_t>(index) >= static_cast<size_t>(list->ob_base.ob_size)) return false;
  removed = Ref<>::steal(list_take_at(list, index));
  return true;
}

int assign_item(PyObject* self, Py_ssize_t index, PyObject* value) {
  PyListObject* list = as_list(self);
  if (value != nullptr) {
    if (list_set_item_take(list, index, Py_NewRef(value)) == 0) return 0;
  } else if (delete_at(self, index)) {
    return 0;
  }
  PyErr_SetString(PyExc_IndexError, "list assignment index out of range");
  return -1;
}

// Removes every step-th item of a slice. The lock is held; `removed` has room for n.
void delete_extended(PyListObject* list, Py_ssize_t start, Py_ssize_t step, Py_ssize_t n,
                     PyObject** removed) {
  if (step < 0) {
    start += step * (n - 1);
    step = -step;
  }
  const Py_ssize_t size = list->ob_base.ob_size;
  PyObject** items = list->ob_item;
  Py_ssize_t to = start;
  Py_ssize_t next = start;
  Py_ssize_t taken = 0;
  for (Py_ssize_t from = start; from < size; from++) {
    if (from == next && taken < n) {
      removed[taken++] = items[from];
      next += step;
    } else {
      sync::store_release(items[to++], items[from]);
    }
  }
  if constexpr (kRaces) {
    for (Py_ssize_t i = to; i < size; i++) sync::store_release(items[i], static_cast<PyObject*>(nullptr));
  }
  sync::store_release(list->ob_base.ob_size, to);
}

// `value` null: deletes. `ends`: the caller is about to drop it, so if nobody else has it, its items are there for the taking.
int assign_slice(PyObject* self, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step, PyObject* value, bool ends) {
  PyListObject* list = as_list(self);
  // The new items: those of another list, which is locked, too, or an array that nobody else can change.
  PyListObject* source = nullptr;
  Ref<> fresh;
  if (value != nullptr && PyList_CheckExact(value) && value != self) {
    source = as_list(value);
  } else if (value != nullptr) {
    fresh = Ref<>::steal(PySequence_Tuple(value));
    if (!fresh) {
      if (PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(value)->tp_iter == nullptr &&
          !PySequence_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "must assign iterable to extended slice");
      }
      return -1;
    }
  }
  constexpr Py_ssize_t kFew = 16;
  PyObject* few[kFew];
  PyObject** removed = nullptr;
  Py_ssize_t n = 0;
  int done = 0;
  {
    LeafLock2 lock(self, source != nullptr ? value : self);
    PyObject** values = nullptr;
    Py_ssize_t m = 0;
    if (source != nullptr) {
      values = source->ob_item;
      m = source->ob_base.ob_size;
    } else if (fresh) {
      values = reinterpret_cast<PyTupleObject*>(fresh.get())->ob_item;
      m = PyTuple_GET_SIZE(fresh.get());
    }
    n = PySlice_AdjustIndices(list->ob_base.ob_size, &start, &stop, step);
    if (step == 1 && m != n) {
      for (Py_ssize_t i = 0; i < m; i++) Py_INCREF(values[i]);
      done = list_replace_range(list, start, start + n, values, m, &removed);
    } else if (value != nullptr && m != n) {
      PyErr_Format(PyExc_ValueError, "attempt to assign sequence of size %zd to extended slice of size %zd",
                   m, n);
      return -1;
    } else if (ends && source != nullptr && sync::is_private(value)) {
      // It ends with what the slice held.
      for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) {
        PyObject* old = list->ob_item[at];
        sync::store_release(list->ob_item[at], values[i]);
        values[i] = old;
      }
    } else if (n > 0) {
      removed = n <= kFew ? few : static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(n) * sizeof(PyObject*)));
      if (removed == nullptr) {
        PyErr_NoMemory();
        return -1;
      }
      if (value == nullptr) {
        delete_extended(list, start, step, n, removed);
      } else {
        for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) {
          removed[i] = list->ob_item[at];
          sync::store_release(list->ob_item[at], Py_NewRef(values[i]));
        }
      }
    }
  }
  if (removed == few) {
    for (Py_ssize_t i = 0; i < n; i++) Py_DECREF(few[i]);
  } else {
    list_drop_removed(removed, n);
  }
  return done;
}

int list_assign_subscript(PyObject* self, PyObject* index, PyObject* value) {
  if (PyIndex_Check(index)) {
    Py_ssize_t i = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return -1;
    if (i < 0) i += list_size(as_list(self));
    return assign_item(self, i, value);
  }
  if (PySlice_Check(index)) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(index, &start, &stop, &step) < 0) return -1;
    return assign_slice(self, start, stop, step, value, false);
  }
  wrong_index(index);
  return -1;
}

// ---- methods ----

PyObject* method_append(PyObject* self, PyObject* item) {
  if (list_append_take(as_list(self), Py_NewRef(item)) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_extend(PyObject* self, PyObject* iterable) {
  if (list_extend(as_list(self), iterable) < 0) return nullptr;
  Py_RETURN_NONE;
}

// An index argument; sets *failed.
Py_ssize_t index_argument(PyObject* arg, bool* failed) {
  Ref<> index = Ref<>::steal(PyNumber_Index(arg));
  const Py_ssize_t value = index ? PyLong_AsSsize_t(index.get()) : -1;
  *failed = value == -1 && PyErr_Occurred();
  return value;
}

PyObject* method_insert(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  bool failed;
  if (!check_positional("insert", nargs, 2, 2)) return nullptr;
  const Py_ssize_t index = index_argument(args[0], &failed);
  if (failed || PyList_Insert(self, index, args[1]) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_pop(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("pop", nargs, 0, 1)) return nullptr;
  Py_ssize_t index = -1;
  if (nargs == 1) {
    bool failed;
    index = index_argument(args[0], &failed);
    if (failed) return nullptr;
  }
  bool empty;
  {
    LeafLock lock(self);
    PyListObject* list = as_list(self);
    const Py_ssize_t size = list->ob_base.ob_size;
    empty = size == 0;
    if (index < 0) index += size;
    if (static_cast<size_t>(index) < static_cast<size_t>(size)) return list_take_at(list, index);
  }
  PyErr_SetString(PyExc_IndexError, empty ? "pop from empty list" : "pop index out of range");
  return nullptr;
}

PyObject* method_remove(PyObject* self, PyObject* value) {
  PyObject* item;
  for (Py_ssize_t i = 0; (item = list_get_item_ref(as_list(self), i)) != nullptr; i++) {
    Ref<> hold = Ref<>::steal(item);
    const int equal = PyObject_RichCompareBool(item, value, Py_EQ);
    if (equal < 0) return nullptr;
    if (equal == 0) continue;
    delete_at(self, i);
    Py_RETURN_NONE;
  }
  PyErr_SetString(PyExc_ValueError, "list.remove(x): x not in list");
  return nullptr;
}

PyObject* method_index(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("index", nargs, 1, 3)) return nullptr;
  Py_ssize_t bounds[2] = {0, PY_SSIZE_T_MAX};
  for (Py_ssize_t i = 1; i < nargs; i++) {
    if (!_PyEval_SliceIndexNotNone(args[i], &bounds[i - 1])) return nullptr;
    if (bounds[i - 1] < 0) {
      bounds[i - 1] += PyList_GET_SIZE(self);
      if (bounds[i - 1] < 0) bounds[i - 1] = 0;
    }
  }
  PyObject* item;
  for (Py_ssize_t i = bounds[0]; i < bounds[1] && (item = list_get_item_ref(as_list(self), i)) != nullptr;
       i++) {
    Ref<> hold = Ref<>::steal(item);
    const int equal = PyObject_RichCompareBool(item, args[0], Py_EQ);
    if (equal < 0) return nullptr;
    if (equal > 0) return PyLong_FromSsize_t(i);
  }
  PyErr_SetString(PyExc_ValueError, "list.index(x): x not in list");
  return nullptr;
}

PyObject* method_count(PyObject* self, PyObject* value) {
  Py_ssize_t count = 0;
  PyObject* item;
  for (Py_ssize_t i = 0; (item = list_get_item_ref(as_list(self), i)) != nullptr; i++) {
    Ref<> hold = Ref<>::steal(item);
    const int equal = PyObject_RichCompareBool(item, value, Py_EQ);
    if (equal < 0) return nullptr;
    count += equal;
  }
  return PyLong_FromSsize_t(count);
}

PyObject* method_reverse(PyObject* self, PyObject*) {
  PyList_Reverse(self);
  Py_RETURN_NONE;
}

PyObject* method_sort(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"key", "reverse"};
  static const Parameters parameters = {"sort", names, 2, 0, 0, 0};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  int reverse = 0;
  if (given[1] != nullptr && (reverse = PyObject_IsTrue(given[1])) < 0) return nullptr;
  PyObject* key = given[0] == Py_None ? nullptr : given[0];
  if (list_sort(as_list(self), key, reverse != 0) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_clear(PyObject* self, PyObject*) {
  PyList_Clear(self);
  Py_RETURN_NONE;
}

PyObject* method_copy(PyObject* self, PyObject*) {
  return PyList_GetSlice(self, 0, PY_SSIZE_T_MAX);
}

PyObject* method_sizeof(PyObject* self, PyObject*) {
  const Py_ssize_t slots = as_list(self)->allocated;
  return PyLong_FromSsize_t(Py_TYPE(self)->tp_basicsize + slots * static_cast<Py_ssize_t>(sizeof(PyObject*)));
}

PyMethodDef methods[] = {
    {"__getitem__", list_subscript, METH_O | METH_COEXIST,
     "__getitem__($self, index, /)\n--\n\nReturn self[index]."},
    {"__reversed__", list_reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nReturn a reverse iterator over the list."},
    {"__sizeof__", method_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize in memory, in bytes."},
    {"clear", method_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from list."},
    {"copy", method_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of the list."},
    {"append", method_append, METH_O,
     "append($self, object, /)\n--\n\nAppend object to the end of the list."},
    {"insert", AMPHIS_METHOD(method_insert), METH_FASTCALL,
     "insert($self, index, object, /)\n--\n\nInsert object before index."},
    {"extend", method_extend, METH_O, "extend($self, iterable, /)\n--\n\nAppend the items of an iterable."},
    {"pop", AMPHIS_METHOD(method_pop), METH_FASTCALL,
     "pop($self, index=-1, /)\n--\n\nRemove the item at index (by default the last one) and return it."},
    {"remove", method_remove, METH_O,
     "remove($self, value, /)\n--\n\nRemove the first item equal to value; ValueError if there is none."},
    {"index", AMPHIS_METHOD(method_index), METH_FASTCALL,
     "index($self, value, start=0, stop=sys.maxsize, /)\n--\n\n"
     "The index of the first item equal to value; ValueError if there is none."},
    {"count", method_count, METH_O, "count($self, value, /)\n--\n\nHow many items are equal to value."},
    {"reverse", method_reverse, METH_NOARGS,
     "reverse($self, /)\n--\n\nReverse the order of the items in place."},
    {"sort", AMPHIS_METHOD(method_sort), METH_FASTCALL | METH_KEYWORDS,
     "sort($self, /, *, key=None, reverse=False)\n--\n\n"
     "Sort the list in place, in ascending order or the reverse, by the items or by key(item). Equal items "
     "keep\n"
     "their order."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

int list_clear_slot(PyObject* self) {
  return PyList_Clear(self);
}

PySequenceMethods as_sequence = {
    .sq_length = list_length,
    .sq_concat = list_concat,
    .sq_repeat = list_repeat,
    .sq_item = list_item,
    .sq_ass_item = assign_item,
    .sq_contains = list_contains,
    .sq_inplace_concat = list_inplace_concat,
    .sq_inplace_repeat = list_inplace_repeat,
};
PyMappingMethods as_mapping = {
    .mp_length = list_length, .mp_subscript = list_subscript, .mp_ass_subscript = list_assign_subscript};

}  // namespace

PyObject* list_subscript(PyObject* self, PyObject* index) {
  if (PyIndex_Check(index)) {
    Py_ssize_t i = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    if (i < 0) i += list_size(as_list(self));
    return list_item(self, i);
  }
  return PySlice_Check(index) ? get_slice(self, index) : wrong_index(index);
}

PyCFunction list_append_method() { return method_append; }

PyObject* list_slice(PyListObject* list, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step) {
  return copy_range(list, start, stop, step);
}

int list_assign_slice(PyListObject* list, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t step, PyObject* value, bool ends) {
  return assign_slice(reinterpret_cast<PyObject*>(list), start, stop, step, value, ends);
}

}  // namespace amphis

PyTypeObject PyList_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "list",
    .tp_basicsize = sizeof(PyListObject),
    .tp_dealloc = list_dealloc,
    .tp_repr = list_repr,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_LIST_SUBCLASS |
                _Py_TPFLAGS_MATCH_SELF | Py_TPFLAGS_SEQUENCE,
    .tp_doc =
        "list(iterable=(), /)\n--\n\n"
        "Built-in mutable sequence: empty, or with the items of the iterable.",
    .tp_traverse = list_traverse,
    .tp_clear = list_clear_slot,
    .tp_richcompare = list_compare,
    .tp_iter = list_iter,
    .tp_methods = methods,
    .tp_init = list_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = list_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = list_vectorcall,
};
