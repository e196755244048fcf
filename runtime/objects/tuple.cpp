// Tuples: the type, its C API and its iterator. All empty exact tuples are one immortal object.
//
// The hash is xxHash's accumulation of the items' hashes (Collet, https://xxhash.com), with CPython's
// constants, because programs have been seen to depend on the order that it gives.
#include "objects/tuple.h"

#include <cstring>

#include "base/compiler.h"
#include "objects/list.h"
#include "sync/shared_slot.h"

using namespace amphis;

namespace amphis {

PyTupleObject empty_tuple_object = {
    .ob_base = PyVarObject_HEAD_INIT(&PyTuple_Type, 0)
    .ob_hash = -1,
};

PyObject* tuple_from_array(PyObject* const* items, Py_ssize_t n) {
  if (n == 0) return empty_tuple();
  PyTupleObject* tuple = tuple_alloc(n);
  if (tuple == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) tuple->ob_item[i] = Py_NewRef(items[i]);
  track(tuple);
  return reinterpret_cast<PyObject*>(tuple);
}

PyObject* tuple_from_array_take(PyObject* const* items, Py_ssize_t n) {
  if (n == 0) return empty_tuple();
  PyTupleObject* tuple = tuple_alloc(n);
  if (tuple == nullptr) {
    for (Py_ssize_t i = 0; i < n; i++) Py_DECREF(items[i]);
    return nullptr;
  }
  memcpy(tuple->ob_item, items, static_cast<size_t>(n) * sizeof(PyObject*));
  track(tuple);
  return reinterpret_cast<PyObject*>(tuple);
}

PyObject* reuse_pair(PyObject** slot, PyObject* first, PyObject* second) {
  PyObject* pair = *slot;
  if (pair != nullptr && sync::is_unique(pair)) {
    auto* tuple = reinterpret_cast<PyTupleObject*>(pair);
    Py_INCREF(pair);
    Ref<> old_first = Ref<>::steal(tuple->ob_item[0]);
    Ref<> old_second = Ref<>::steal(tuple->ob_item[1]);
    tuple->ob_item[0] = first;
    tuple->ob_item[1] = second;
    tuple->ob_hash = -1;
    // The collector stops tracking tuples of atoms; this one may hold anything now.
    track(pair);
    return pair;
  }
  pair = tuple_pair_take(first, second);
  if (pair != nullptr) Py_XSETREF(*slot, Py_NewRef(pair));
  return pair;
}

namespace {

PyTupleObject* as_tuple(PyObject* op) {
  return reinterpret_cast<PyTupleObject*>(op);
}
PyObject** items_of(PyObject* op) {
  return as_tuple(op)->ob_item;
}

PyObject* index_error() {
  PyErr_SetString(PyExc_IndexError, "tuple index out of range");
  return nullptr;
}

Py_ssize_t clamp(Py_ssize_t value, Py_ssize_t low, Py_ssize_t high) {
  return value < low ? low : value > high ? high : value;
}

// ---- life ----

PyObject* subtype_from(PyTypeObject* type, PyObject* tuple) {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* self = type->tp_alloc(type, n);
  if (self == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) items_of(self)[i] = Py_NewRef(items_of(tuple)[i]);
  as_tuple(self)->ob_hash = -1;
  return self;
}

PyObject* make(PyTypeObject* type, PyObject* iterable) {
  if (type == &PyTuple_Type) return iterable == nullptr ? empty_tuple() : PySequence_Tuple(iterable);
  Ref<> items = Ref<>::steal(iterable == nullptr ? empty_tuple() : PySequence_Tuple(iterable));
  return items ? subtype_from(type, items.get()) : nullptr;
}

PyObject* tuple_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if ((type == &PyTuple_Type || type->tp_init == PyTuple_Type.tp_init) && !check_no_kwargs("tuple", kwargs)) {
    return nullptr;
  }
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional("tuple", nargs, 0, 1)) return nullptr;
  return make(type, nargs == 0 ? nullptr : PyTuple_GET_ITEM(args, 0));
}

PyObject* tuple_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("tuple", kwnames) || !check_positional("tuple", nargs, 0, 1)) return nullptr;
  return make(reinterpret_cast<PyTypeObject*>(type), nargs == 0 ? nullptr : args[0]);
}

void tuple_dealloc(PyObject* self) {
  if (self == empty_tuple()) return;
  untrack(self);
  Py_TRASHCAN_BEGIN(self, tuple_dealloc) for (Py_ssize_t i = Py_SIZE(self); i-- > 0;)
      Py_XDECREF(items_of(self)[i]);
  Py_TYPE(self)->tp_free(self);
  Py_TRASHCAN_END
}

int tuple_traverse(PyObject* self, visitproc visit, void* arg) {
  for (Py_ssize_t i = Py_SIZE(self); i-- > 0;) Py_VISIT(items_of(self)[i]);
  return 0;
}

// ---- reading ----

Py_ssize_t tuple_length(PyObject* self) {
  return Py_SIZE(self);
}

Py_hash_t tuple_hash(PyObject* self);

// The hash of an item; nested tuples are guarded against exhausting the C stack.
Py_hash_t item_hash(PyObject* item) {
  if (!PyTuple_Check(item)) return PyObject_Hash(item);
  if (Py_EnterRecursiveCall(" while hashing a tuple")) return -1;
  const Py_hash_t hash = PyObject_Hash(item);
  Py_LeaveRecursiveCall();
  return hash;
}

Py_hash_t tuple_hash(PyObject* self) {
  const Py_hash_t cached = sync::load_relaxed(as_tuple(self)->ob_hash);
  if (cached != -1) return cached;
  constexpr Py_uhash_t kPrime1 = 11400714785074694791u;
  constexpr Py_uhash_t kPrime2 = 14029467366897019727u;
  constexpr Py_uhash_t kPrime5 = 2870177450012600261u;
  const Py_ssize_t n = Py_SIZE(self);
  Py_uhash_t acc = kPrime5;
  for (Py_ssize_t i = 0; i < n; i++) {
    const Py_hash_t lane = item_hash(items_of(self)[i]);
    if (lane == -1) return -1;
    acc += static_cast<Py_uhash_t>(lane) * kPrime2;
    acc = (acc << 31) | (acc >> 33);
    acc *= kPrime1;
  }
  acc += static_cast<Py_uhash_t>(n) ^ (kPrime5 ^ 3527539u);
  if (acc == static_cast<Py_uhash_t>(-1)) acc = 1546275796;
  sync::store_relaxed(as_tuple(self)->ob_hash, static_cast<Py_hash_t>(acc));
  return static_cast<Py_hash_t>(acc);
}

PyObject* tuple_item(PyObject* self, Py_ssize_t index) {
  if (static_cast<size_t>(index) >= static_cast<size_t>(Py_SIZE(self))) return index_error();
  return Py_NewRef(items_of(self)[index]);
}

PyObject* get_slice(PyObject* self, PyObject* slice) {
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return nullptr;
  const Py_ssize_t n = PySlice_AdjustIndices(Py_SIZE(self), &start, &stop, step);
  if (n <= 0) return empty_tuple();
  if (step == 1) {
    if (n == Py_SIZE(self) && PyTuple_CheckExact(self)) return Py_NewRef(self);
    return tuple_from_array(items_of(self) + start, n);
  }
  PyTupleObject* result = tuple_alloc(n);
  if (result == nullptr) return nullptr;
  for (Py_ssize_t i = 0, at = start; i < n; i++, at += step)
    result->ob_item[i] = Py_NewRef(items_of(self)[at]);
  track(result);
  return reinterpret_cast<PyObject*>(result);
}

int tuple_contains(PyObject* self, PyObject* value) {
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    const int equal = PyObject_RichCompareBool(items_of(self)[i], value, Py_EQ);
    if (equal != 0) return equal;
  }
  return 0;
}

PyObject* write_repr(PyObject* self) {
  const Py_ssize_t n = Py_SIZE(self);
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(2 + n * 3);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_WriteChar(writer, '(') == 0;
  for (Py_ssize_t i = 0; ok && i < n; i++) {
    ok = (i == 0 || PyUnicodeWriter_WriteASCII(writer, ", ", 2) == 0) &&
         PyUnicodeWriter_WriteRepr(writer, items_of(self)[i]) == 0;
  }
  if (n == 1) ok = ok && PyUnicodeWriter_WriteChar(writer, ',') == 0;
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* tuple_repr(PyObject* self) {
  if (Py_SIZE(self) == 0) return PyUnicode_FromString("()");
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("(...)") : nullptr;
  PyObject* text = write_repr(self);
  Py_ReprLeave(self);
  return text;
}

PyObject* tuple_compare(PyObject* a, PyObject* b, int op) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  const Py_ssize_t n = Py_SIZE(a), m = Py_SIZE(b);
  // Items are compared even where the sizes already decide: comparing may raise.
  for (Py_ssize_t i = 0; i < n && i < m; i++) {
    PyObject* x = items_of(a)[i];
    PyObject* y = items_of(b)[i];
    const int equal = PyObject_RichCompareBool(x, y, Py_EQ);
    if (equal < 0) return nullptr;
    if (equal > 0) continue;
    if (op == Py_EQ || op == Py_NE) return PyBool_FromLong(op == Py_NE);
    return PyObject_RichCompare(x, y, op);
  }
  Py_RETURN_RICHCOMPARE(n, m, op);
}

PyObject* tuple_concat(PyObject* a, PyObject* b) {
  if (Py_SIZE(a) == 0 && PyTuple_CheckExact(b)) return Py_NewRef(b);
  if (!PyTuple_Check(b)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not \"%.200s\") to tuple",
                 Py_TYPE(b)->tp_name);
    return nullptr;
  }
  if (Py_SIZE(b) == 0 && PyTuple_CheckExact(a)) return Py_NewRef(a);
  const Py_ssize_t n = Py_SIZE(a), m = Py_SIZE(b);
  if (n > PY_SSIZE_T_MAX - m) return PyErr_NoMemory();
  if (n + m == 0) return empty_tuple();
  PyTupleObject* result = tuple_alloc(n + m);
  if (result == nullptr) return nullptr;
  PyObject** to = result->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) *to++ = Py_NewRef(items_of(a)[i]);
  for (Py_ssize_t i = 0; i < m; i++) *to++ = Py_NewRef(items_of(b)[i]);
  track(result);
  return reinterpret_cast<PyObject*>(result);
}

PyObject* tuple_repeat(PyObject* self, Py_ssize_t times) {
  const Py_ssize_t n = Py_SIZE(self);
  if ((n == 0 || times == 1) && PyTuple_CheckExact(self)) return Py_NewRef(self);
  if (n == 0 || times <= 0) return empty_tuple();
  if (n > PY_SSIZE_T_MAX / times) return PyErr_NoMemory();
  PyTupleObject* result = tuple_alloc(n * times);
  if (result == nullptr) return nullptr;
  PyObject** to = result->ob_item;
  for (Py_ssize_t k = 0; k < times; k++) {
    for (Py_ssize_t i = 0; i < n; i++) *to++ = Py_NewRef(items_of(self)[i]);
  }
  track(result);
  return reinterpret_cast<PyObject*>(result);
}

// ---- methods ----

PyObject* method_index(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("index", nargs, 1, 3)) return nullptr;
  Py_ssize_t bounds[2] = {0, PY_SSIZE_T_MAX};
  for (Py_ssize_t i = 1; i < nargs; i++) {
    if (!_PyEval_SliceIndexNotNone(args[i], &bounds[i - 1])) return nullptr;
    if (bounds[i - 1] < 0) {
      bounds[i - 1] += Py_SIZE(self);
      if (bounds[i - 1] < 0) bounds[i - 1] = 0;
    }
  }
  const Py_ssize_t end = bounds[1] < Py_SIZE(self) ? bounds[1] : Py_SIZE(self);
  for (Py_ssize_t i = bounds[0]; i < end; i++) {
    const int equal = PyObject_RichCompareBool(items_of(self)[i], args[0], Py_EQ);
    if (equal < 0) return nullptr;
    if (equal > 0) return PyLong_FromSsize_t(i);
  }
  PyErr_SetString(PyExc_ValueError, "tuple.index(x): x not in tuple");
  return nullptr;
}

PyObject* method_count(PyObject* self, PyObject* value) {
  Py_ssize_t count = 0;
  for (Py_ssize_t i = 0; i < Py_SIZE(self); i++) {
    const int equal = PyObject_RichCompareBool(items_of(self)[i], value, Py_EQ);
    if (equal < 0) return nullptr;
    count += equal;
  }
  return PyLong_FromSsize_t(count);
}

PyObject* method_getnewargs(PyObject* self, PyObject*) {
  return Py_BuildValue("(N)", tuple_from_array(items_of(self), Py_SIZE(self)));
}

PyMethodDef methods[] = {
    {"__getnewargs__", method_getnewargs, METH_NOARGS, "__getnewargs__($self, /)\n--\n\n"},
    {"index", AMPHIS_METHOD(method_index), METH_FASTCALL,
     "index($self, value, start=0, stop=sys.maxsize, /)\n--\n\n"
     "The index of the first item equal to value; ValueError if there is none."},
    {"count", method_count, METH_O, "count($self, value, /)\n--\n\nHow many items are equal to value."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PySequenceMethods as_sequence = {
    .sq_length = tuple_length,
    .sq_concat = tuple_concat,
    .sq_repeat = tuple_repeat,
    .sq_item = tuple_item,
    .sq_contains = tuple_contains,
};
PyMappingMethods as_mapping = {.mp_length = tuple_length, .mp_subscript = tuple_subscript};

// ---- the iterator ----

TupleIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<TupleIterator*>(op);
}

PyObject* tuple_iter(PyObject* self) {
  auto* it = make_gc_object<TupleIterator>(&PyTupleIter_Type);
  if (it == nullptr) return nullptr;
  it->index = 0;
  it->seq = as_tuple(Py_NewRef(self));
  track(it);
  return reinterpret_cast<PyObject*>(it);
}

PyObject* iterator_next(PyObject* op) {
  TupleIterator* self = as_iterator(op);
  PyTupleObject* tuple = self->seq;
  if (tuple == nullptr) return nullptr;
  const Py_ssize_t index = sync::load_relaxed(self->index);
  if (index < tuple->ob_base.ob_size) {
    sync::store_relaxed(self->index, index + 1);
    return Py_NewRef(tuple->ob_item[index]);
  }
  if (sync::only_thread()) {  // another thread may be in the same step otherwise
    self->seq = nullptr;
    Py_DECREF(tuple);
  }
  return nullptr;
}

void iterator_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_iterator(op)->seq);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->seq);
  return 0;
}

Py_ssize_t items_left(TupleIterator* self) {
  return self->seq == nullptr ? 0 : self->seq->ob_base.ob_size - sync::load_relaxed(self->index);
}

PyObject* iterator_length_hint(PyObject* op, PyObject*) {
  return PyLong_FromSsize_t(items_left(as_iterator(op)));
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  TupleIterator* self = as_iterator(op);
  Ref<> iter = Ref<>::steal(builtin_function("iter"));
  if (!iter) return nullptr;
  if (self->seq == nullptr || items_left(self) <= 0) return Py_BuildValue("N(())", iter.release());
  return Py_BuildValue("N(O)n", iter.release(), self->seq, sync::load_relaxed(self->index));
}

PyObject* iterator_setstate(PyObject* op, PyObject* state) {
  TupleIterator* self = as_iterator(op);
  const Py_ssize_t index = PyLong_AsSsize_t(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  if (self->seq != nullptr) sync::store_relaxed(self->index, clamp(index, 0, self->seq->ob_base.ob_size));
  Py_RETURN_NONE;
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", iterator_setstate, METH_O, "Set state information for unpickling."},
    {},
};

bool check_tuple(PyObject* op) {
  if (op != nullptr && PyTuple_Check(op)) return true;
  PyErr_BadInternalCall();
  return false;
}

}  // namespace

PyObject* tuple_subscript(PyObject* self, PyObject* index) {
  if (PyIndex_Check(index)) {
    Py_ssize_t i = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    return tuple_item(self, i < 0 ? i + Py_SIZE(self) : i);
  }
  if (PySlice_Check(index)) return get_slice(self, index);
  PyErr_Format(PyExc_TypeError, "tuple indices must be integers or slices, not %.200s",
               Py_TYPE(index)->tp_name);
  return nullptr;
}

}  // namespace amphis

extern "C" {

PyObject* PyTuple_New(Py_ssize_t n) {
  if (n <= 0) {
    if (n == 0) return empty_tuple();
    PyErr_BadInternalCall();
    return nullptr;
  }
  PyTupleObject* tuple = tuple_alloc(n);
  if (tuple == nullptr) return nullptr;
  memset(tuple->ob_item, 0, static_cast<size_t>(n) * sizeof(PyObject*));
  track(tuple);
  return reinterpret_cast<PyObject*>(tuple);
}

Py_ssize_t PyTuple_Size(PyObject* op) {
  return check_tuple(op) ? Py_SIZE(op) : -1;
}

PyObject* PyTuple_GetItem(PyObject* op, Py_ssize_t index) {
  if (!check_tuple(op)) return nullptr;
  if (static_cast<size_t>(index) >= static_cast<size_t>(Py_SIZE(op))) return index_error();
  return items_of(op)[index];
}

int PyTuple_SetItem(PyObject* op, Py_ssize_t index, PyObject* item) {
  if (op == nullptr || !PyTuple_Check(op) || !sync::is_unique(op)) {
    Py_XDECREF(item);
    PyErr_BadInternalCall();
    return -1;
  }
  if (static_cast<size_t>(index) >= static_cast<size_t>(Py_SIZE(op))) {
    Py_XDECREF(item);
    PyErr_SetString(PyExc_IndexError, "tuple assignment index out of range");
    return -1;
  }
  Py_XSETREF(items_of(op)[index], item);
  return 0;
}

PyObject* PyTuple_GetSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high) {
  if (!check_tuple(op)) return nullptr;
  const Py_ssize_t size = Py_SIZE(op);
  low = clamp(low, 0, size);
  high = clamp(high, low, size);
  if (low == 0 && high == size && PyTuple_CheckExact(op)) return Py_NewRef(op);
  return tuple_from_array(items_of(op) + low, high - low);
}

PyObject* PyTuple_Pack(Py_ssize_t n, ...) {
  if (n == 0) return empty_tuple();
  PyTupleObject* tuple = tuple_alloc(n);
  if (tuple == nullptr) return nullptr;
  va_list items;
  va_start(items, n);
  for (Py_ssize_t i = 0; i < n; i++) tuple->ob_item[i] = Py_NewRef(va_arg(items, PyObject*));
  va_end(items);
  track(tuple);
  return reinterpret_cast<PyObject*>(tuple);
}

int _PyTuple_Resize(PyObject** slot, Py_ssize_t n) {
  PyObject* old = *slot;
  if (old == nullptr || !Py_IS_TYPE(old, &PyTuple_Type) || n < 0 ||
      (old != empty_tuple() && Py_SIZE(old) != 0 && !sync::is_unique(old))) {
    *slot = nullptr;
    Py_XDECREF(old);
    PyErr_BadInternalCall();
    return -1;
  }
  const Py_ssize_t old_n = Py_SIZE(old);
  if (n == old_n) return 0;
  if (n == 0 || old_n == 0) {
    Py_DECREF(old);
    *slot = PyTuple_New(n);
    return *slot == nullptr ? -1 : 0;
  }
  untrack(old);
  for (Py_ssize_t i = n; i < old_n; i++) Py_CLEAR(items_of(old)[i]);
  auto* moved = reinterpret_cast<PyTupleObject*>(_PyObject_GC_Resize(reinterpret_cast<PyVarObject*>(old), n));
  if (moved == nullptr) {
    *slot = nullptr;
    PyObject_GC_Del(old);
    return -1;
  }
  for (Py_ssize_t i = old_n; i < n; i++) moved->ob_item[i] = nullptr;
  moved->ob_hash = -1;
  track(moved);
  *slot = reinterpret_cast<PyObject*>(moved);
  return 0;
}

AMPHIS_EXPORT PyObject* _PyTuple_FromArray(PyObject* const* items, Py_ssize_t n) {
  return tuple_from_array(items, n);
}
AMPHIS_EXPORT PyObject* _PyTuple_FromArraySteal(PyObject* const* items, Py_ssize_t n) {
  return tuple_from_array_take(items, n);
}

}  // extern "C"

PyTypeObject PyTuple_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "tuple",
    .tp_basicsize = offsetof(PyTupleObject, ob_item),
    .tp_itemsize = sizeof(PyObject*),
    .tp_dealloc = tuple_dealloc,
    .tp_repr = tuple_repr,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = tuple_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_TUPLE_SUBCLASS |
                _Py_TPFLAGS_MATCH_SELF | Py_TPFLAGS_SEQUENCE,
    .tp_doc =
        "tuple(iterable=(), /)\n--\n\n"
        "Built-in immutable sequence: empty, or with the items of the iterable. A tuple is returned as it "
        "is.",
    .tp_traverse = tuple_traverse,
    .tp_richcompare = tuple_compare,
    .tp_iter = tuple_iter,
    .tp_methods = methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = tuple_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = tuple_vectorcall,
};

PyTypeObject PyTupleIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "tuple_iterator",
    .tp_basicsize = sizeof(TupleIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
};
