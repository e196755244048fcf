// The type `slice` and the arithmetic on slices: PySlice_*, _PyEval_SliceIndex.
#include "base/compiler.h"
#include "objects/container_support.h"
#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

PySliceObject* as_slice(PyObject* op) {
  return reinterpret_cast<PySliceObject*>(op);
}

// Takes over the references.
PyObject* make_slice(PyObject* start, PyObject* stop, PyObject* step) {
  auto* self = make_gc_object<PySliceObject>(&PySlice_Type);
  if (self == nullptr) {
    Py_DECREF(start);
    Py_DECREF(stop);
    Py_DECREF(step);
    return nullptr;
  }
  self->start = start;
  self->stop = stop;
  self->step = step;
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyObject* slice_from_args(PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("slice", nargs, 1, 3)) return nullptr;
  if (nargs == 1) return make_slice(Py_NewRef(Py_None), Py_NewRef(args[0]), Py_NewRef(Py_None));
  return make_slice(Py_NewRef(args[0]), Py_NewRef(args[1]), Py_NewRef(nargs == 3 ? args[2] : Py_None));
}

PyObject* slice_vectorcall(PyObject*, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return check_no_kwnames("slice", kwnames) ? slice_from_args(args, PyVectorcall_NARGS(nargsf)) : nullptr;
}

PyObject* slice_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("slice", kwargs)) return nullptr;
  return slice_from_args(reinterpret_cast<PyTupleObject*>(args)->ob_item, PyTuple_GET_SIZE(args));
}

void slice_dealloc(PyObject* op) {
  untrack(op);
  Py_DECREF(as_slice(op)->start);
  Py_DECREF(as_slice(op)->stop);
  Py_DECREF(as_slice(op)->step);
  PyObject_GC_Del(op);
}

int slice_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_slice(op)->start);
  Py_VISIT(as_slice(op)->stop);
  Py_VISIT(as_slice(op)->step);
  return 0;
}

PyObject* slice_repr(PyObject* op) {
  return PyUnicode_FromFormat("slice(%R, %R, %R)", as_slice(op)->start, as_slice(op)->stop,
                              as_slice(op)->step);
}

Ref<> as_tuple(PyObject* op) {
  return Ref<>::steal(PyTuple_Pack(3, as_slice(op)->start, as_slice(op)->stop, as_slice(op)->step));
}

PyObject* slice_compare(PyObject* a, PyObject* b, int op) {
  if (!PySlice_Check(a) || !PySlice_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  if (a == b) return PyBool_FromLong(op == Py_EQ || op == Py_LE || op == Py_GE);
  Ref<> x = as_tuple(a), y = as_tuple(b);
  return x && y ? PyObject_RichCompare(x.get(), y.get(), op) : nullptr;
}

// As for tuples, without the length.
Py_hash_t slice_hash(PyObject* op) {
  constexpr Py_uhash_t kPrime1 = 11400714785074694791u;
  constexpr Py_uhash_t kPrime2 = 14029467366897019727u;
  constexpr Py_uhash_t kPrime5 = 2870177450012600261u;
  Py_uhash_t acc = kPrime5;
  for (PyObject* part : {as_slice(op)->start, as_slice(op)->stop, as_slice(op)->step}) {
    const Py_hash_t lane = PyObject_Hash(part);
    if (lane == -1) return -1;
    acc += static_cast<Py_uhash_t>(lane) * kPrime2;
    acc = (acc << 31) | (acc >> 33);
    acc *= kPrime1;
  }
  return acc == static_cast<Py_uhash_t>(-1) ? 1546275796 : static_cast<Py_hash_t>(acc);
}

Ref<> make_int(long value) {
  return Ref<>::steal(PyLong_FromLong(value));
}

// An index as an int object; null with TypeError for other objects.
Ref<> index_object(PyObject* value) {
  if (PyIndex_Check(value)) return Ref<>::steal(PyNumber_Index(value));
  PyErr_SetString(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
  return nullptr;
}

int is_negative(PyObject* number) {
  int sign = 0;
  PyLong_GetSign(number, &sign);
  return sign < 0;
}

// start or stop for a sequence of `length`: from the end where negative, then within [lower, upper].
Ref<> bound(PyObject* value, PyObject* length, PyObject* lower, PyObject* upper) {
  Ref<> index = index_object(value);
  if (!index) return nullptr;
  if (is_negative(index.get())) {
    index = Ref<>::steal(PyNumber_Add(index.get(), length));
    if (!index) return nullptr;
    const int below = PyObject_RichCompareBool(index.get(), lower, Py_LT);
    if (below < 0) return nullptr;
    return below ? Ref<>::share(lower) : static_cast<Ref<>&&>(index);
  }
  const int above = PyObject_RichCompareBool(index.get(), upper, Py_GT);
  if (above < 0) return nullptr;
  return above ? Ref<>::share(upper) : static_cast<Ref<>&&>(index);
}

PyObject* method_indices(PyObject* self, PyObject* arg);

PyObject* method_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("O(OOO)", Py_TYPE(self), as_slice(self)->start, as_slice(self)->stop,
                       as_slice(self)->step);
}

PyMethodDef methods[] = {
    {"indices", method_indices, METH_O,
     "S.indices(len) -> (start, stop, stride)\n\nThe start, stop and stride of the slice for a sequence of "
     "that length."},
    {"__reduce__", method_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};
PyMemberDef members[] = {
    {"start", Py_T_OBJECT_EX, offsetof(PySliceObject, start), Py_READONLY, nullptr},
    {"stop", Py_T_OBJECT_EX, offsetof(PySliceObject, stop), Py_READONLY, nullptr},
    {"step", Py_T_OBJECT_EX, offsetof(PySliceObject, step), Py_READONLY, nullptr},
    {},
};

}  // namespace
}  // namespace amphis

extern "C" {

PyObject* PySlice_New(PyObject* start, PyObject* stop, PyObject* step) {
  const auto or_none = [](PyObject* op) { return Py_NewRef(op == nullptr ? Py_None : op); };
  return make_slice(or_none(start), or_none(stop), or_none(step));
}

AMPHIS_EXPORT PyObject* _PySlice_FromIndices(Py_ssize_t low, Py_ssize_t high) {
  Ref<> start = Ref<>::steal(PyLong_FromSsize_t(low));
  Ref<> stop = Ref<>::steal(PyLong_FromSsize_t(high));
  return start && stop ? PySlice_New(start.get(), stop.get(), nullptr) : nullptr;
}

// 1, or 0 with an error. None leaves *index as it is; numbers beyond Py_ssize_t are clamped.
int _PyEval_SliceIndex(PyObject* value, Py_ssize_t* index) {
  if (value == Py_None) return 1;
  if (!PyIndex_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
    return 0;
  }
  const Py_ssize_t number = PyNumber_AsSsize_t(value, nullptr);
  if (number == -1 && PyErr_Occurred()) return 0;
  *index = number;
  return 1;
}

int _PyEval_SliceIndexNotNone(PyObject* value, Py_ssize_t* index) {
  if (!PyIndex_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "slice indices must be integers or have an __index__ method");
    return 0;
  }
  const Py_ssize_t number = PyNumber_AsSsize_t(value, nullptr);
  if (number == -1 && PyErr_Occurred()) return 0;
  *index = number;
  return 1;
}

int PySlice_Unpack(PyObject* op, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t* step) {
  PySliceObject* slice = as_slice(op);
  *step = 1;
  if (!_PyEval_SliceIndex(slice->step, step)) return -1;
  if (*step == 0) {
    PyErr_SetString(PyExc_ValueError, "slice step cannot be zero");
    return -1;
  }
  // So that -step is no overflow.
  if (*step < -PY_SSIZE_T_MAX) *step = -PY_SSIZE_T_MAX;
  *start = *step < 0 ? PY_SSIZE_T_MAX : 0;
  *stop = *step < 0 ? PY_SSIZE_T_MIN : PY_SSIZE_T_MAX;
  return _PyEval_SliceIndex(slice->start, start) && _PyEval_SliceIndex(slice->stop, stop) ? 0 : -1;
}

Py_ssize_t PySlice_AdjustIndices(Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop, Py_ssize_t step) {
  const Py_ssize_t lower = step < 0 ? -1 : 0;
  const Py_ssize_t upper = step < 0 ? length - 1 : length;
  for (Py_ssize_t* index : {start, stop}) {
    if (*index < 0) {
      *index += length;
      if (*index < 0) *index = lower;
    } else if (*index >= length) {
      *index = upper;
    }
  }
  if (step < 0) return *stop < *start ? (*start - *stop - 1) / -step + 1 : 0;
  return *start < *stop ? (*stop - *start - 1) / step + 1 : 0;
}

#undef PySlice_GetIndicesEx
int PySlice_GetIndicesEx(PyObject* slice, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop,
                         Py_ssize_t* step, Py_ssize_t* slice_length) {
  if (PySlice_Unpack(slice, start, stop, step) < 0) return -1;
  *slice_length = PySlice_AdjustIndices(length, start, stop, *step);
  return 0;
}

// The old form: no clamping, and only exact ints.
int PySlice_GetIndices(PyObject* op, Py_ssize_t length, Py_ssize_t* start, Py_ssize_t* stop,
                       Py_ssize_t* step) {
  PySliceObject* slice = as_slice(op);
  *step = 1;
  if (slice->step != Py_None) {
    if (!PyLong_Check(slice->step)) return -1;
    *step = PyLong_AsSsize_t(slice->step);
  }
  *start = *step < 0 ? length - 1 : 0;
  *stop = *step < 0 ? -1 : length;
  for (auto [value, index] : {std::pair{slice->start, start}, std::pair{slice->stop, stop}}) {
    if (value == Py_None) continue;
    if (!PyLong_Check(value)) return -1;
    *index = PyLong_AsSsize_t(value);
    if (*index < 0) *index += length;
  }
  return *stop > length || *start >= length || *step == 0 ? -1 : 0;
}

// The indices as int objects (new references), for sequences of any length.
AMPHIS_EXPORT int _PySlice_GetLongIndices(PySliceObject* self, PyObject* length, PyObject** start_out,
                                          PyObject** stop_out, PyObject** step_out) {
  Ref<> step = self->step == Py_None ? make_int(1) : index_object(self->step);
  if (!step) return -1;
  if (PyLong_IsZero(step.get()) == 1) {
    PyErr_SetString(PyExc_ValueError, "slice step cannot be zero");
    return -1;
  }
  const bool down = is_negative(step.get());
  Ref<> lower = make_int(down ? -1 : 0);
  Ref<> upper = down ? Ref<>::steal(PyNumber_Add(length, lower.get())) : Ref<>::share(length);
  if (!lower || !upper) return -1;
  Ref<> start = self->start == Py_None ? (down ? upper.copy() : lower.copy())
                                       : bound(self->start, length, lower.get(), upper.get());
  if (!start) return -1;
  Ref<> stop = self->stop == Py_None ? (down ? lower.copy() : upper.copy())
                                     : bound(self->stop, length, lower.get(), upper.get());
  if (!stop) return -1;
  *start_out = start.release();
  *stop_out = stop.release();
  *step_out = step.release();
  return 0;
}

}  // extern "C"

namespace amphis {
namespace {

PyObject* method_indices(PyObject* self, PyObject* arg) {
  Ref<> length = Ref<>::steal(PyNumber_Index(arg));
  if (!length) return nullptr;
  if (is_negative(length.get())) {
    PyErr_SetString(PyExc_ValueError, "length should not be negative");
    return nullptr;
  }
  PyObject *start, *stop, *step;
  if (_PySlice_GetLongIndices(as_slice(self), length.get(), &start, &stop, &step) < 0) return nullptr;
  PyObject* const parts[] = {start, stop, step};
  return tuple_from_array_take(parts, 3);
}

}  // namespace
}  // namespace amphis

PyTypeObject PySlice_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "slice",
    .tp_basicsize = sizeof(PySliceObject),
    .tp_dealloc = slice_dealloc,
    .tp_repr = slice_repr,
    .tp_hash = slice_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc =
        "slice(stop)\nslice(start, stop[, step])\n\n"
        "Create a slice object: what a[0:10:2] passes to a.__getitem__.",
    .tp_traverse = slice_traverse,
    .tp_richcompare = slice_compare,
    .tp_methods = methods,
    .tp_members = members,
    .tp_new = slice_new,
    .tp_vectorcall = slice_vectorcall,
};
