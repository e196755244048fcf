// The sequence protocol: PySequence_*.
#include "checked/checked.h"
#include "objects/container_support.h"
#include "objects/list.h"
#include "objects/tuple.h"

using namespace amphis;

namespace amphis {

namespace {

PyObject* null_error() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
  return nullptr;
}

const char* type_name(PyObject* op) {
  return Py_TYPE(op)->tp_name;
}

PyObject* type_error(const char* format, PyObject* op) {
  PyErr_Format(PyExc_TypeError, format, type_name(op));
  return nullptr;
}

PySequenceMethods* sequence_of(PyObject* op) {
  return Py_TYPE(op)->tp_as_sequence;
}
PyMappingMethods* mapping_of(PyObject* op) {
  return Py_TYPE(op)->tp_as_mapping;
}

bool has_number_slot(PyObject* op, binaryfunc PyNumberMethods::* slot) {
  PyNumberMethods* number = Py_TYPE(op)->tp_as_number;
  return number != nullptr && number->*slot != nullptr;
}

// Adds the length to a negative index. False on error.
bool adjust_index(PyObject* op, Py_ssize_t* index) {
  if (*index >= 0 || sequence_of(op)->sq_length == nullptr) return true;
  const Py_ssize_t size = sequence_of(op)->sq_length(op);
  if (size < 0) return false;
  *index += size;
  return true;
}

// What PySequence_Count, _Index and _Contains have in common: compares the items of an iterable with `value`.
enum class Search { kCount, kIndex, kContains };

Py_ssize_t search(PyObject* op, PyObject* value, Search what) {
  if (op == nullptr || value == nullptr) {
    null_error();
    return -1;
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(op));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      type_error(what == Search::kContains ? "argument of type '%.200s' is not a container or iterable"
                                           : "argument of type '%.200s' is not iterable",
                 op);
    }
    return -1;
  }
  Py_ssize_t n = 0;
  bool wrapped = false;
  for (;;) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more < 0) return -1;
    if (more == 0) break;
    Ref<> item = Ref<>::steal(next);
    const int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal < 0) return -1;
    if (equal > 0) {
      if (what == Search::kContains) return 1;
      if (what == Search::kIndex) {
        if (!wrapped) return n;
        PyErr_SetString(PyExc_OverflowError, "index exceeds C integer size");
        return -1;
      }
      if (n == PY_SSIZE_T_MAX) {
        PyErr_SetString(PyExc_OverflowError, "count exceeds C integer size");
        return -1;
      }
      n++;
    } else if (what == Search::kIndex) {
      wrapped = wrapped || n == PY_SSIZE_T_MAX;
    }
    if (what == Search::kIndex && equal == 0 && !wrapped) n++;
  }
  if (what != Search::kIndex) return n;
  PyErr_SetString(PyExc_ValueError, "sequence.index(x): x not in sequence");
  return -1;
}

// slice(low, high) as an argument for mp_subscript.
Ref<> make_slice(Py_ssize_t low, Py_ssize_t high) {
  Ref<> start = Ref<>::steal(PyLong_FromSsize_t(low));
  Ref<> stop = Ref<>::steal(PyLong_FromSsize_t(high));
  if (!start || !stop) return nullptr;
  return Ref<>::steal(PySlice_New(start.get(), stop.get(), nullptr));
}

PyObject* tuple_from_iterable(PyObject* iterable) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  // Most iterables are short: their items are gathered on the C stack first.
  constexpr Py_ssize_t kLocal = 16;
  PyObject* local[kLocal];
  Py_ssize_t n = 0;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  PyObject* item = nullptr;
  while (n < kLocal && (item = next(iterator.get())) != nullptr) local[n++] = item;
  if (item == nullptr) {
    if (iteration_ended()) return tuple_from_array_take(local, n);
    for (Py_ssize_t i = 0; i < n; i++) Py_DECREF(local[i]);
    return nullptr;
  }
  Ref<> list = Ref<>::steal(list_from_array_take(local, n));
  if (!list || list_extend(as_list(list.get()), iterator.get()) < 0) return nullptr;
  // The list is ours alone: its references move.
  PyListObject* owned = as_list(list.get());
  const Py_ssize_t size = owned->ob_base.ob_size;
  owned->ob_base.ob_size = 0;
  return tuple_from_array_take(owned->ob_item, size);
}

}  // namespace
}  // namespace amphis

extern "C" {

int PySequence_Check(PyObject* op) {
  if (PyDict_Check(op)) return 0;
  return sequence_of(op) != nullptr && sequence_of(op)->sq_item != nullptr;
}

Py_ssize_t PySequence_Size(PyObject* op) {
  if (op == nullptr) {
    null_error();
    return -1;
  }
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_length != nullptr)
    return checked::slot_status(op, "sq_length", sequence_of(op)->sq_length, sequence_of(op)->sq_length(op));
  type_error(mapping_of(op) != nullptr && mapping_of(op)->mp_length != nullptr
                 ? "%.200s is not a sequence"
                 : "object of type '%.200s' has no len()",
             op);
  return -1;
}

#undef PySequence_Length
Py_ssize_t PySequence_Length(PyObject* op) {
  return PySequence_Size(op);
}

PyObject* PySequence_Concat(PyObject* a, PyObject* b) {
  if (a == nullptr || b == nullptr) return null_error();
  if (sequence_of(a) != nullptr && sequence_of(a)->sq_concat != nullptr)
    return sequence_of(a)->sq_concat(a, b);
  // Classes made in Python have + only as a number method.
  if (PySequence_Check(a) && PySequence_Check(b) &&
      (has_number_slot(a, &PyNumberMethods::nb_add) || has_number_slot(b, &PyNumberMethods::nb_add))) {
    return PyNumber_Add(a, b);
  }
  return type_error("'%.200s' object can't be concatenated", a);
}

PyObject* PySequence_Repeat(PyObject* op, Py_ssize_t count) {
  if (op == nullptr) return null_error();
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_repeat != nullptr)
    return sequence_of(op)->sq_repeat(op, count);
  if (PySequence_Check(op) && has_number_slot(op, &PyNumberMethods::nb_multiply)) {
    Ref<> number = Ref<>::steal(PyLong_FromSsize_t(count));
    return number ? PyNumber_Multiply(op, number.get()) : nullptr;
  }
  return type_error("'%.200s' object can't be repeated", op);
}

PyObject* PySequence_InPlaceConcat(PyObject* a, PyObject* b) {
  if (a == nullptr || b == nullptr) return null_error();
  PySequenceMethods* sequence = sequence_of(a);
  if (sequence != nullptr && sequence->sq_inplace_concat != nullptr) return sequence->sq_inplace_concat(a, b);
  if (sequence != nullptr && sequence->sq_concat != nullptr) return sequence->sq_concat(a, b);
  if (PySequence_Check(a) && PySequence_Check(b) &&
      (has_number_slot(a, &PyNumberMethods::nb_inplace_add) || has_number_slot(a, &PyNumberMethods::nb_add) ||
       has_number_slot(b, &PyNumberMethods::nb_add))) {
    return PyNumber_InPlaceAdd(a, b);
  }
  return type_error("'%.200s' object can't be concatenated", a);
}

PyObject* PySequence_InPlaceRepeat(PyObject* op, Py_ssize_t count) {
  if (op == nullptr) return null_error();
  PySequenceMethods* sequence = sequence_of(op);
  if (sequence != nullptr && sequence->sq_inplace_repeat != nullptr)
    return sequence->sq_inplace_repeat(op, count);
  if (sequence != nullptr && sequence->sq_repeat != nullptr) return sequence->sq_repeat(op, count);
  if (PySequence_Check(op) && (has_number_slot(op, &PyNumberMethods::nb_inplace_multiply) ||
                               has_number_slot(op, &PyNumberMethods::nb_multiply))) {
    Ref<> number = Ref<>::steal(PyLong_FromSsize_t(count));
    return number ? PyNumber_InPlaceMultiply(op, number.get()) : nullptr;
  }
  return type_error("'%.200s' object can't be repeated", op);
}

PyObject* PySequence_GetItem(PyObject* op, Py_ssize_t index) {
  if (op == nullptr) return null_error();
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_item != nullptr) {
    return adjust_index(op, &index) ? checked::slot_result(op, "sq_item", sequence_of(op)->sq_item, sequence_of(op)->sq_item(op, index)) : nullptr;
  }
  return type_error(mapping_of(op) != nullptr && mapping_of(op)->mp_subscript != nullptr
                        ? "%.200s is not a sequence"
                        : "'%.200s' object does not support indexing",
                    op);
}

int PySequence_SetItem(PyObject* op, Py_ssize_t index, PyObject* value) {
  if (op == nullptr) {
    null_error();
    return -1;
  }
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_ass_item != nullptr) {
    return adjust_index(op, &index) ? static_cast<int>(checked::slot_status(op, "sq_ass_item", sequence_of(op)->sq_ass_item, sequence_of(op)->sq_ass_item(op, index, value))) : -1;
  }
  type_error(mapping_of(op) != nullptr && mapping_of(op)->mp_ass_subscript != nullptr
                 ? "%.200s is not a sequence"
                 : "'%.200s' object does not support item assignment",
             op);
  return -1;
}

int PySequence_DelItem(PyObject* op, Py_ssize_t index) {
  if (op == nullptr) {
    null_error();
    return -1;
  }
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_ass_item != nullptr) {
    return adjust_index(op, &index) ? static_cast<int>(checked::slot_status(op, "sq_ass_item", sequence_of(op)->sq_ass_item, sequence_of(op)->sq_ass_item(op, index, nullptr))) : -1;
  }
  type_error(mapping_of(op) != nullptr && mapping_of(op)->mp_ass_subscript != nullptr
                 ? "%.200s is not a sequence"
                 : "'%.200s' object doesn't support item deletion",
             op);
  return -1;
}

PyObject* PySequence_GetSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high) {
  if (op == nullptr) return null_error();
  if (mapping_of(op) == nullptr || mapping_of(op)->mp_subscript == nullptr) {
    return type_error("'%.200s' object is unsliceable", op);
  }
  Ref<> slice = make_slice(low, high);
  return slice ? mapping_of(op)->mp_subscript(op, slice.get()) : nullptr;
}

int PySequence_SetSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high, PyObject* value) {
  if (op == nullptr) {
    null_error();
    return -1;
  }
  if (mapping_of(op) == nullptr || mapping_of(op)->mp_ass_subscript == nullptr) {
    type_error("'%.200s' object doesn't support slice assignment", op);
    return -1;
  }
  Ref<> slice = make_slice(low, high);
  return slice ? mapping_of(op)->mp_ass_subscript(op, slice.get(), value) : -1;
}

int PySequence_DelSlice(PyObject* op, Py_ssize_t low, Py_ssize_t high) {
  if (op == nullptr) {
    null_error();
    return -1;
  }
  if (mapping_of(op) == nullptr || mapping_of(op)->mp_ass_subscript == nullptr) {
    type_error("'%.200s' object doesn't support slice deletion", op);
    return -1;
  }
  Ref<> slice = make_slice(low, high);
  return slice ? mapping_of(op)->mp_ass_subscript(op, slice.get(), nullptr) : -1;
}

PyObject* PySequence_Tuple(PyObject* iterable) {
  if (iterable == nullptr) return null_error();
  if (PyTuple_CheckExact(iterable)) return Py_NewRef(iterable);
  if (PyList_CheckExact(iterable)) return PyList_AsTuple(iterable);
  return tuple_from_iterable(iterable);
}

PyObject* PySequence_List(PyObject* iterable) {
  if (iterable == nullptr) return null_error();
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list || list_extend(as_list(list.get()), iterable) < 0) return nullptr;
  return list.release();
}

PyObject* PySequence_Fast(PyObject* iterable, const char* message) {
  if (iterable == nullptr) return null_error();
  if (PyList_CheckExact(iterable) || PyTuple_CheckExact(iterable)) return Py_NewRef(iterable);
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, message);
    return nullptr;
  }
  return PySequence_List(iterator.get());
}

Py_ssize_t PySequence_Count(PyObject* op, PyObject* value) {
  return search(op, value, Search::kCount);
}
Py_ssize_t PySequence_Index(PyObject* op, PyObject* value) {
  return search(op, value, Search::kIndex);
}

int PySequence_Contains(PyObject* op, PyObject* value) {
  if (sequence_of(op) != nullptr && sequence_of(op)->sq_contains != nullptr) {
    return static_cast<int>(checked::slot_status(op, "sq_contains", sequence_of(op)->sq_contains, sequence_of(op)->sq_contains(op, value)));
  }
  return static_cast<int>(search(op, value, Search::kContains));
}

#undef PySequence_In
int PySequence_In(PyObject* op, PyObject* value) {
  return PySequence_Contains(op, value);
}

}  // extern "C"
