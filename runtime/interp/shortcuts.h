// What the loop does itself in place of a C function that it knows: len, isinstance and list.append on plain arguments,
// and steps of iterators whose pair is unpacked at once.
#pragma once

#include "Python.h"
#include "interp/known_calls.h"
#include "interp/load.h"
#include "objects/dict.h"
#include "objects/enumerate.h"
#include "objects/list.h"
#include "objects/zip.h"

namespace amphis {

// The length of a container whose size is a field: -1 for anything else.
AMPHIS_ALWAYS_INLINE Py_ssize_t plain_length(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyList_Type) return list_size(reinterpret_cast<PyListObject*>(o));
  if (type == &PyTuple_Type) return PyTuple_GET_SIZE(o);
  if (type == &PyUnicode_Type) return PyUnicode_GET_LENGTH(o);
  if (type == &PyDict_Type) return sync::load_relaxed(reinterpret_cast<PyDictObject*>(o)->ma_used);
  return -1;
}

AMPHIS_ALWAYS_INLINE bool is_function(PyObject* callee, PyCFunction function) {
  return Py_IS_TYPE(callee, &PyCFunction_Type) && reinterpret_cast<PyCFunctionObject*>(callee)->m_ml->ml_meth == function;
}

// len and isinstance with plain arguments, which run nothing else: the result, or kEmpty with nothing done.
AMPHIS_ALWAYS_INLINE Value perform_len(PyObject* callee, const Value* args, uint32_t nargs) {
  if (nargs != 1 || !is_pointer(args[0]) || !is_function(callee, known_calls.len)) return kEmpty;
  const Py_ssize_t n = plain_length(pointer_of(args[0]));
  return n < 0 ? kEmpty : value_int(n);
}
AMPHIS_ALWAYS_INLINE Value perform_isinstance(PyObject* callee, const Value* args, uint32_t nargs) {
  if (nargs != 2 || !is_pointer(args[1]) || !Py_IS_TYPE(pointer_of(args[1]), &PyType_Type) ||
      !is_function(callee, known_calls.isinstance)) {
    return kEmpty;
  }
  auto* cls = reinterpret_cast<PyTypeObject*>(pointer_of(args[1]));
  PyTypeObject* of = is_int(args[0])      ? &PyLong_Type
                     : is_double(args[0]) ? &PyFloat_Type
                                          : Py_TYPE(pointer_of(args[0]));
  if (of == cls || PyType_IsSubtype(of, cls)) return value_true();
  // An object may still claim another class by __class__.
  return of->tp_getattro == PyObject_GenericGetAttr && !is_heap_type(of) ? value_false() : kEmpty;
}

// list.append on an exact list: 1, 0 with nothing done, or -1 with MemoryError. The item leaves its register.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE int perform_list_append(PyObject* callee, Value* args, uint32_t nargs) {
  if (nargs != 2 || !Py_IS_TYPE(callee, &PyMethodDescr_Type) || !is_pointer(args[0]) ||
      !Py_IS_TYPE(pointer_of(args[0]), &PyList_Type) ||
      reinterpret_cast<PyMethodDescrObject*>(callee)->d_method->ml_meth != known_calls.list_append) {
    return 0;
  }
  PyObject* item = value_take_object(args[1]);
  args[1] = kEmpty;
  if (item == nullptr) return -1;
  auto* list = reinterpret_cast<PyListObject*>(pointer_of(args[0]));
  return (only_thread<kThreads>() ? list_append_locked(list, item) : list_append_take(list, item)) < 0 ? -1 : 1;
}

// A step of an iterator that runs no code, and so starts no thread: of a list or a tuple. kEmpty: tp_iternext decides.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value quiet_step(PyObject* iterator, bool unbox) {
  PyTypeObject* type = Py_TYPE(iterator);
  if (type == &PyListIter_Type) return list_iterator_next<kThreads>(iterator, unbox);
  if (type == &PyTupleIter_Type) return tuple_iterator_next(iterator, unbox);
  return kEmpty;
}

// A step of any iterator. kEmpty: the end, or an exception.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value iterator_step(PyObject* iterator, bool unbox) {
  const Value v = quiet_step<kThreads>(iterator, unbox);
  if (v != kEmpty) return v;
  PyObject* object = Py_TYPE(iterator)->tp_iternext(iterator);
  return object != nullptr ? value_owned(object) : kEmpty;
}

// The rest of a step of zip(), where iterators may run code; `first` is the first one's item or kEmpty.
AMPHIS_NOINLINE bool next_pair_of_any(PyObject* one, PyObject* other, bool unbox, Value* first, Value* second);

// A step of enumerate(), zip() or dict.items() whose pair is unpacked at once. False: the end, or an exception.
template <Threads kThreads>
inline bool next_pair(PyObject* iterator, PyTypeObject* type, bool unbox, Value* first, Value* second) {
  if (type == &PyDictIterItem_Type) {
    PyObject *key, *value;
    if (!dict_next_pair(iterator, &key, &value)) return false;
    *first = value_owned(key);
    *second = value_owned(value);
    return true;
  }
  if (type == &PyZip_Type) [[likely]] {
    PyObject* iterators = reinterpret_cast<ZipObject*>(iterator)->iterators;
    PyObject* one = PyTuple_GET_ITEM(iterators, 0);
    PyObject* other = PyTuple_GET_ITEM(iterators, 1);
    *first = quiet_step<kThreads>(one, unbox);
    if (*first != kEmpty) [[likely]] {
      *second = quiet_step<kThreads>(other, unbox);
      if (*second != kEmpty) [[likely]] return true;
    }
    return next_pair_of_any(one, other, unbox, first, second);
  }
  auto* e = reinterpret_cast<EnumerateObject*>(iterator);
  Value item = iterator_step<kThreads>(e->iterator, unbox);
  if (item == kEmpty) return false;
  const Py_ssize_t index = sync::load_relaxed(e->index);
  sync::store_relaxed(e->index, index + 1);
  *first = value_int(index);
  *second = item;
  return true;
}

// Whether next_pair can do it: not an enumerate() that counts beyond what a register holds, nor a zip() that is strict
// or makes no pairs.
AMPHIS_ALWAYS_INLINE bool has_pairs(PyObject* iterator, PyTypeObject* type) {
  if (type == &PyDictIterItem_Type) return true;
  if (type == &PyZip_Type) {
    auto* zip = reinterpret_cast<ZipObject*>(iterator);
    return !zip->strict && PyTuple_GET_SIZE(zip->iterators) == 2;
  }
  return type == &PyEnum_Type && reinterpret_cast<EnumerateObject*>(iterator)->big == nullptr &&
         fits_int(sync::load_relaxed(reinterpret_cast<EnumerateObject*>(iterator)->index));
}

}  // namespace amphis
