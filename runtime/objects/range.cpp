// The type `range`, its iterator over int64 values (range_iterator) and the one over any integers
// (longrange_iterator). A range never changes; see range.h for what it holds.
#include "objects/range.h"

#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

RangeObject* as_range(PyObject* op) {
  return reinterpret_cast<RangeObject*>(op);
}

Ref<> make_int(int64_t value) {
  return Ref<>::steal(PyLong_FromLongLong(value));
}

bool to_int64(PyObject* value, int64_t* out) {
  int overflow;
  *out = PyLong_AsLongLongAndOverflow(value, &overflow);
  return overflow == 0;
}

// How many values start, start + step, ... lie before stop; false where that does not fit in int64.
bool length_of(int64_t start, int64_t stop, int64_t step, int64_t* length) {
  uint64_t distance, stride;
  if (step > 0) {
    if (start >= stop) return *length = 0, true;
    distance = static_cast<uint64_t>(stop) - static_cast<uint64_t>(start);
    stride = static_cast<uint64_t>(step);
  } else {
    if (start <= stop) return *length = 0, true;
    distance = static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
    stride = uint64_t{0} - static_cast<uint64_t>(step);
  }
  const uint64_t n = (distance - 1) / stride + 1;
  *length = static_cast<int64_t>(n);
  return n <= static_cast<uint64_t>(INT64_MAX);
}

int is_negative(PyObject* number) {
  int sign;
  return PyLong_GetSign(number, &sign) < 0 ? -1 : sign < 0;
}

// The length for ints of any size.
Ref<> big_length(PyObject* start, PyObject* stop, PyObject* step) {
  PyObject *low = start, *high = stop;
  Ref<> stride = Ref<>::share(step);
  if (is_negative(step)) {
    low = stop;
    high = start;
    stride = Ref<>::steal(PyNumber_Negative(step));
    if (!stride) return nullptr;
  }
  const int empty = PyObject_RichCompareBool(low, high, Py_GE);
  if (empty < 0) return nullptr;
  if (empty) return make_int(0);
  Ref<> one = make_int(1);
  Ref<> distance = Ref<>::steal(PyNumber_Subtract(high, low));
  if (!one || !distance) return nullptr;
  distance = Ref<>::steal(PyNumber_Subtract(distance.get(), one.get()));
  if (!distance) return nullptr;
  distance = Ref<>::steal(PyNumber_FloorDivide(distance.get(), stride.get()));
  return distance ? Ref<>::steal(PyNumber_Add(distance.get(), one.get())) : nullptr;
}

// start + index * step.
Ref<> big_item(PyObject* start, PyObject* step, PyObject* index) {
  Ref<> offset = Ref<>::steal(PyNumber_Multiply(index, step));
  return offset ? Ref<>::steal(PyNumber_Add(start, offset.get())) : nullptr;
}

Ref<> length_object(RangeObject* range) {
  return range->fast ? make_int(range->length64) : Ref<>::share(range->length);
}

// Takes over three exact ints; step is not zero.
PyObject* make_range(Ref<> start, Ref<> stop, Ref<> step) {
  auto* self = new_object<RangeObject>(&PyRange_Type);
  if (self == nullptr) return PyErr_NoMemory();
  self->length = nullptr;
  self->start = start.release();
  self->stop = stop.release();
  self->step = step.release();
  self->length64 = 0;
  Ref<> result = Ref<>::steal(self);
  self->fast = to_int64(self->start, &self->start64) && to_int64(self->stop, &self->stop64) &&
               to_int64(self->step, &self->step64) &&
               length_of(self->start64, self->stop64, self->step64, &self->length64);
  if (!self->fast) {
    self->length = big_length(self->start, self->stop, self->step).release();
    if (self->length == nullptr) return nullptr;
  }
  return result.release();
}

PyObject* range_from_args(PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("range", nargs, 1, 3)) return nullptr;
  Ref<> first = Ref<>::steal(PyNumber_Index(args[0]));
  if (!first) return nullptr;
  if (nargs == 1) {
    return make_range(make_int(0), static_cast<Ref<>&&>(first), make_int(1));
  }
  Ref<> stop = Ref<>::steal(PyNumber_Index(args[1]));
  if (!stop) return nullptr;
  Ref<> step = nargs == 3 ? Ref<>::steal(PyNumber_Index(args[2])) : make_int(1);
  if (!step) return nullptr;
  if (PyLong_IsZero(step.get()) == 1) {
    PyErr_SetString(PyExc_ValueError, "range() arg 3 must not be zero");
    return nullptr;
  }
  return make_range(static_cast<Ref<>&&>(first), static_cast<Ref<>&&>(stop), static_cast<Ref<>&&>(step));
}

PyObject* range_vectorcall(PyObject*, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return check_no_kwnames("range", kwnames) ? range_from_args(args, PyVectorcall_NARGS(nargsf)) : nullptr;
}

PyObject* range_tp_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("range", kwargs)) return nullptr;
  return range_from_args(reinterpret_cast<PyTupleObject*>(args)->ob_item, PyTuple_GET_SIZE(args));
}

void range_dealloc(PyObject* op) {
  RangeObject* self = as_range(op);
  Py_XDECREF(self->start);
  Py_XDECREF(self->stop);
  Py_XDECREF(self->step);
  Py_XDECREF(self->length);
  free_object(op);
}

// ---- slots ----

Py_ssize_t range_length(PyObject* op) {
  RangeObject* self = as_range(op);
  return self->fast ? self->length64 : PyLong_AsSsize_t(self->length);
}

int range_bool(PyObject* op) {
  RangeObject* self = as_range(op);
  return self->fast ? self->length64 != 0 : PyObject_IsTrue(self->length);
}

PyObject* index_error() {
  PyErr_SetString(PyExc_IndexError, "range object index out of range");
  return nullptr;
}

PyObject* fast_item(RangeObject* self, int64_t index) {
  return PyLong_FromLongLong(range_value(self->start64, self->step64, index));
}

// Item at an int object of any size.
PyObject* item_at(RangeObject* self, PyObject* index) {
  int64_t i;
  if (self->fast && to_int64(index, &i)) {
    if (i < 0) i += self->length64;
    return i < 0 || i >= self->length64 ? index_error() : fast_item(self, i);
  }
  Ref<> length = length_object(self);
  if (!length) return nullptr;
  Ref<> at = Ref<>::share(index);
  if (is_negative(index)) {
    at = Ref<>::steal(PyNumber_Add(index, length.get()));
    if (!at) return nullptr;
    if (is_negative(at.get())) return index_error();
  }
  const int beyond = PyObject_RichCompareBool(at.get(), length.get(), Py_GE);
  if (beyond != 0) return beyond > 0 ? index_error() : nullptr;
  return big_item(self->start, self->step, at.get()).release();
}

PyObject* range_sq_item(PyObject* op, Py_ssize_t index) {
  RangeObject* self = as_range(op);
  if (self->fast) return index < 0 || index >= self->length64 ? index_error() : fast_item(self, index);
  Ref<> at = make_int(index);
  return at ? item_at(self, at.get()) : nullptr;
}

extern "C" int _PySlice_GetLongIndices(PySliceObject*, PyObject*, PyObject**, PyObject**, PyObject**);

PyObject* range_slice(RangeObject* self, PyObject* slice) {
  Ref<> length = length_object(self);
  if (!length) return nullptr;
  PyObject *i, *j, *k;
  if (_PySlice_GetLongIndices(reinterpret_cast<PySliceObject*>(slice), length.get(), &i, &j, &k) < 0)
    return nullptr;
  Ref<> first = Ref<>::steal(i), last = Ref<>::steal(j), stride = Ref<>::steal(k);
  Ref<> step = Ref<>::steal(PyNumber_Multiply(stride.get(), self->step));
  if (!step) return nullptr;
  Ref<> start = big_item(self->start, self->step, first.get());
  Ref<> stop = big_item(self->start, self->step, last.get());
  if (!start || !stop) return nullptr;
  return make_range(static_cast<Ref<>&&>(start), static_cast<Ref<>&&>(stop), static_cast<Ref<>&&>(step));
}

PyObject* range_subscript(PyObject* op, PyObject* index) {
  if (PyIndex_Check(index)) {
    Ref<> number = Ref<>::steal(PyNumber_Index(index));
    return number ? item_at(as_range(op), number.get()) : nullptr;
  }
  if (PySlice_Check(index)) return range_slice(as_range(op), index);
  PyErr_Format(PyExc_TypeError, "range indices must be integers or slices, not %.200s",
               Py_TYPE(index)->tp_name);
  return nullptr;
}

// Whether an exact int (or bool) is in the range, by arithmetic: 1, 0 or -1.
int contains_int(RangeObject* self, PyObject* value) {
  int64_t v;
  if (self->fast) {
    if (!to_int64(value, &v)) return 0;
    if (self->step64 > 0 ? v < self->start64 || v >= self->stop64 : v > self->start64 || v <= self->stop64)
      return 0;
    const uint64_t distance = self->step64 > 0
                                  ? static_cast<uint64_t>(v) - static_cast<uint64_t>(self->start64)
                                  : static_cast<uint64_t>(self->start64) - static_cast<uint64_t>(v);
    const uint64_t stride = self->step64 > 0 ? static_cast<uint64_t>(self->step64)
                                             : uint64_t{0} - static_cast<uint64_t>(self->step64);
    return distance % stride == 0;
  }
  const bool down = is_negative(self->step);
  const int after_start = PyObject_RichCompareBool(self->start, value, down ? Py_GE : Py_LE);
  if (after_start <= 0) return after_start;
  const int before_stop = PyObject_RichCompareBool(value, self->stop, down ? Py_GT : Py_LT);
  if (before_stop <= 0) return before_stop;
  Ref<> distance = Ref<>::steal(PyNumber_Subtract(value, self->start));
  if (!distance) return -1;
  Ref<> rest = Ref<>::steal(PyNumber_Remainder(distance.get(), self->step));
  if (!rest) return -1;
  const int uneven = PyObject_IsTrue(rest.get());
  return uneven < 0 ? -1 : !uneven;
}

bool is_plain_int(PyObject* op) {
  return PyLong_CheckExact(op) || PyBool_Check(op);
}

// Compares with each value in turn, for objects with an equality of their own. 1 found (and *count set), 0,
// -1.
int search_by_comparison(PyObject* self, PyObject* value, bool all, Py_ssize_t* count) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(self));
  if (!iterator) return -1;
  *count = 0;
  for (Py_ssize_t i = 0;; i++) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more <= 0) return more < 0 ? -1 : *count > 0;
    Ref<> item = Ref<>::steal(next);
    const int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal < 0) return -1;
    if (equal == 0) continue;
    if (!all) {
      *count = i;
      return 1;
    }
    ++*count;
  }
}

int range_contains(PyObject* op, PyObject* value) {
  if (is_plain_int(value)) return contains_int(as_range(op), value);
  Py_ssize_t ignored;
  return search_by_comparison(op, value, false, &ignored);
}

// Two ranges are equal when they are the same sequence: by length, then start, then step.
int ranges_equal(RangeObject* a, RangeObject* b) {
  if (a == b) return 1;
  if (a->fast && b->fast) {
    if (a->length64 != b->length64) return 0;
    if (a->length64 == 0) return 1;
    return a->start64 == b->start64 && (a->length64 == 1 || a->step64 == b->step64);
  }
  Ref<> n = length_object(a), m = length_object(b);
  if (!n || !m) return -1;
  int same = PyObject_RichCompareBool(n.get(), m.get(), Py_EQ);
  if (same <= 0) return same;
  if (PyLong_IsZero(n.get()) == 1) return 1;
  same = PyObject_RichCompareBool(a->start, b->start, Py_EQ);
  if (same <= 0) return same;
  Ref<> one = make_int(1);
  if (!one) return -1;
  same = PyObject_RichCompareBool(n.get(), one.get(), Py_EQ);
  return same != 0 ? same : PyObject_RichCompareBool(a->step, b->step, Py_EQ);
}

PyObject* range_compare(PyObject* a, PyObject* b, int op) {
  if (!PyRange_Check(b) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const int equal = ranges_equal(as_range(a), as_range(b));
  return equal < 0 ? nullptr : PyBool_FromLong(equal == (op == Py_EQ));
}

// hash((length, start, step)), with None for what does not tell equal ranges apart.
Py_hash_t range_hash(PyObject* op) {
  RangeObject* self = as_range(op);
  Ref<> length = length_object(self);
  Ref<> one = make_int(1);
  if (!length || !one) return -1;
  const bool empty = PyLong_IsZero(length.get()) == 1;
  const int single = PyObject_RichCompareBool(length.get(), one.get(), Py_EQ);
  if (single < 0) return -1;
  PyObject* start = empty ? Py_None : self->start;
  PyObject* step = empty || single ? Py_None : self->step;
  Ref<> tuple = Ref<>::steal(PyTuple_Pack(3, length.get(), start, step));
  return tuple ? PyObject_Hash(tuple.get()) : -1;
}

PyObject* range_repr(PyObject* op) {
  RangeObject* self = as_range(op);
  if (self->fast ? self->step64 == 1 : PyLong_AsLongLong(self->step) == 1) {
    return PyUnicode_FromFormat("range(%R, %R)", self->start, self->stop);
  }
  PyErr_Clear();  // a step beyond int64
  return PyUnicode_FromFormat("range(%R, %R, %R)", self->start, self->stop, self->step);
}

// ---- iterators ----

struct LongRangeIterator {
  PyObject_HEAD PyObject* next;
  PyObject* step;
  PyObject* left;
};

RangeIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<RangeIterator*>(op);
}
LongRangeIterator* as_long_iterator(PyObject* op) {
  return reinterpret_cast<LongRangeIterator*>(op);
}

PyObject* make_long_iterator(PyObject* start, PyObject* step, PyObject* length) {
  auto* self = new_object<LongRangeIterator>(&PyLongRangeIter_Type);
  if (self == nullptr) return PyErr_NoMemory();
  self->next = Py_NewRef(start);
  self->step = Py_NewRef(step);
  self->left = Py_NewRef(length);
  return reinterpret_cast<PyObject*>(self);
}

// Whether an iterator of int64 values can name its own end, as pickling it requires.
bool end_fits(int64_t start, int64_t step, int64_t length) {
  int64_t distance, end;
  return !__builtin_mul_overflow(step, length, &distance) && !__builtin_add_overflow(start, distance, &end);
}

PyObject* range_iter(PyObject* op) {
  RangeObject* self = as_range(op);
  if (self->fast && !end_fits(self->start64, self->step64, self->length64)) {
    Ref<> length = make_int(self->length64);
    return length ? make_long_iterator(self->start, self->step, length.get()) : nullptr;
  }
  if (self->fast) return range_iterator_new(self->start64, self->step64, self->length64);
  return make_long_iterator(self->start, self->step, self->length);
}

PyObject* range_reversed(PyObject* op, PyObject*) {
  RangeObject* self = as_range(op);
  if (self->fast && self->step64 != INT64_MIN) {
    const int64_t last =
        self->length64 == 0 ? self->start64 : range_value(self->start64, self->step64, self->length64 - 1);
    if (end_fits(last, -self->step64, self->length64)) {
      return range_iterator_new(last, -self->step64, self->length64);
    }
  }
  Ref<> length = length_object(self);
  Ref<> one = make_int(1);
  if (!length || !one) return nullptr;
  Ref<> index = Ref<>::steal(PyNumber_Subtract(length.get(), one.get()));
  Ref<> step = Ref<>::steal(PyNumber_Negative(self->step));
  if (!index || !step) return nullptr;
  Ref<> last = big_item(self->start, self->step, index.get());
  return last ? make_long_iterator(last.get(), step.get(), length.get()) : nullptr;
}

PyObject* iterator_next(PyObject* op) {
  RangeIterator* self = as_iterator(op);
  const int64_t left = sync::load_relaxed(self->left);
  if (left <= 0) return nullptr;
  const int64_t value = sync::load_relaxed(self->next);
  sync::store_relaxed(self->left, left - 1);
  sync::store_relaxed(self->next, range_value(value, self->step, 1));
  return PyLong_FromLongLong(value);
}

void iterator_dealloc(PyObject* op) {
  free_object(op);
}

PyObject* iterator_length_hint(PyObject* op, PyObject*) {
  return PyLong_FromLongLong(sync::load_relaxed(as_iterator(op)->left));
}

// iter(range(next, end, step)), None
PyObject* reduce_with(PyObject* next, PyObject* step, PyObject* left) {
  Ref<> end = big_item(next, step, left);
  if (!end) return nullptr;
  Ref<> range = Ref<>::steal(make_range(Ref<>::share(next), static_cast<Ref<>&&>(end), Ref<>::share(step)));
  if (!range) return nullptr;
  return Py_BuildValue("N(N)O", builtin_function("iter"), range.release(), Py_None);
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  RangeIterator* self = as_iterator(op);
  Ref<> next = make_int(sync::load_relaxed(self->next)), step = make_int(self->step),
        left = make_int(sync::load_relaxed(self->left));
  return next && step && left ? reduce_with(next.get(), step.get(), left.get()) : nullptr;
}

PyObject* iterator_setstate(PyObject* op, PyObject* state) {
  RangeIterator* self = as_iterator(op);
  int64_t index = PyLong_AsLongLong(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  const int64_t left = sync::load_relaxed(self->left);
  if (index > left) index = left;
  if (index < 0) index = 0;
  sync::store_relaxed(self->next, range_value(sync::load_relaxed(self->next), self->step, index));
  sync::store_relaxed(self->left, left - index);
  Py_RETURN_NONE;
}

PyObject* long_next(PyObject* op) {
  LongRangeIterator* self = as_long_iterator(op);
  ObjectLock lock(op);
  int sign;
  if (PyLong_GetSign(self->left, &sign) < 0 || sign <= 0) return nullptr;
  Ref<> one = make_int(1);
  if (!one) return nullptr;
  Ref<> left = Ref<>::steal(PyNumber_Subtract(self->left, one.get()));
  Ref<> following = Ref<>::steal(PyNumber_Add(self->next, self->step));
  if (!left || !following) return nullptr;
  PyObject* value = self->next;
  self->next = following.release();
  Py_SETREF(self->left, left.release());
  return value;
}

void long_dealloc(PyObject* op) {
  LongRangeIterator* self = as_long_iterator(op);
  Py_XDECREF(self->next);
  Py_XDECREF(self->step);
  Py_XDECREF(self->left);
  free_object(op);
}

PyObject* long_length_hint(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  return Py_NewRef(as_long_iterator(op)->left);
}

PyObject* long_reduce(PyObject* op, PyObject*) {
  LongRangeIterator* self = as_long_iterator(op);
  Ref<> next, left;
  {
    ObjectLock lock(op);
    next = Ref<>::share(self->next);
    left = Ref<>::share(self->left);
  }
  return reduce_with(next.get(), self->step, left.get());
}

PyObject* long_setstate(PyObject* op, PyObject* state) {
  LongRangeIterator* self = as_long_iterator(op);
  if (!PyLong_CheckExact(state)) {
    PyErr_Format(PyExc_TypeError, "state must be an int, not %T", state);
    return nullptr;
  }
  Ref<> index = Ref<>::share(state);
  if (is_negative(state)) index = make_int(0);
  ObjectLock lock(op);
  const int beyond = PyObject_RichCompareBool(index.get(), self->left, Py_GT);
  if (beyond < 0) return nullptr;
  if (beyond) index = Ref<>::share(self->left);
  Ref<> next = big_item(self->next, self->step, index.get());
  Ref<> left = Ref<>::steal(PyNumber_Subtract(self->left, index.get()));
  if (!next || !left) return nullptr;
  Py_SETREF(self->next, next.release());
  Py_SETREF(self->left, left.release());
  Py_RETURN_NONE;
}

// ---- methods ----

PyObject* method_count(PyObject* op, PyObject* value) {
  Py_ssize_t count;
  if (is_plain_int(value)) {
    const int found = contains_int(as_range(op), value);
    return found < 0 ? nullptr : PyLong_FromLong(found);
  }
  return search_by_comparison(op, value, true, &count) < 0 ? nullptr : PyLong_FromSsize_t(count);
}

PyObject* method_index(PyObject* op, PyObject* value) {
  RangeObject* self = as_range(op);
  if (!is_plain_int(value)) {
    Py_ssize_t index;
    const int found = search_by_comparison(op, value, false, &index);
    if (found > 0) return PyLong_FromSsize_t(index);
    if (found == 0) PyErr_SetString(PyExc_ValueError, "sequence.index(x): x not in sequence");
    return nullptr;
  }
  const int found = contains_int(self, value);
  if (found > 0) {
    Ref<> distance = Ref<>::steal(PyNumber_Subtract(value, self->start));
    return distance ? PyNumber_FloorDivide(distance.get(), self->step) : nullptr;
  }
  if (found == 0) PyErr_SetString(PyExc_ValueError, "range.index(x): x not in range");
  return nullptr;
}

PyObject* method_reduce(PyObject* op, PyObject*) {
  RangeObject* self = as_range(op);
  return Py_BuildValue("O(OOO)", Py_TYPE(op), self->start, self->stop, self->step);
}

PyMethodDef methods[] = {
    {"__reversed__", range_reversed, METH_NOARGS, "Return a reverse iterator."},
    {"__reduce__", method_reduce, METH_NOARGS, nullptr},
    {"count", method_count, METH_O,
     "rangeobject.count(value) -> integer -- return number of occurrences of value"},
    {"index", method_index, METH_O,
     "rangeobject.index(value) -> integer -- return index of value.\nRaise ValueError if the value is not "
     "present."},
    {},
};
PyMemberDef members[] = {
    {"start", Py_T_OBJECT_EX, offsetof(RangeObject, start), Py_READONLY, nullptr},
    {"stop", Py_T_OBJECT_EX, offsetof(RangeObject, stop), Py_READONLY, nullptr},
    {"step", Py_T_OBJECT_EX, offsetof(RangeObject, step), Py_READONLY, nullptr},
    {},
};
PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", iterator_setstate, METH_O, "Set state information for unpickling."},
    {},
};
PyMethodDef long_methods[] = {
    {"__length_hint__", long_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", long_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__setstate__", long_setstate, METH_O, "Set state information for unpickling."},
    {},
};

PyNumberMethods as_number = {.nb_bool = range_bool};
PySequenceMethods as_sequence = {
    .sq_length = range_length, .sq_item = range_sq_item, .sq_contains = range_contains};
PyMappingMethods as_mapping = {.mp_length = range_length, .mp_subscript = range_subscript};

}  // namespace

PyObject* range_iterator_new(int64_t start, int64_t step, int64_t length) {
  auto* self = new_object<RangeIterator>(&PyRangeIter_Type);
  if (self == nullptr) return PyErr_NoMemory();
  self->next = start;
  self->step = step;
  self->left = length;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* range_new(PyObject* start, PyObject* stop, PyObject* step) {
  return make_range(Ref<>::share(start), Ref<>::share(stop), Ref<>::share(step));
}

}  // namespace amphis

PyTypeObject PyRange_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "range",
    .tp_basicsize = sizeof(RangeObject),
    .tp_dealloc = range_dealloc,
    .tp_repr = range_repr,
    .tp_as_number = &as_number,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = range_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_SEQUENCE,
    .tp_doc =
        "range(stop) -> range object\n"
        "range(start, stop[, step]) -> range object\n\n"
        "The integers from start (0 by default) up to but not including stop, step (1 by default) apart.",
    .tp_richcompare = range_compare,
    .tp_iter = range_iter,
    .tp_methods = methods,
    .tp_members = members,
    .tp_new = range_tp_new,
    .tp_vectorcall = range_vectorcall,
};

PyTypeObject PyRangeIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "range_iterator",
    .tp_basicsize = sizeof(RangeIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
};

PyTypeObject PyLongRangeIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "longrange_iterator",
    .tp_basicsize = sizeof(LongRangeIterator),
    .tp_dealloc = long_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = long_next,
    .tp_methods = long_methods,
};
