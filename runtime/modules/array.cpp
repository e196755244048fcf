// The module `array`: arrays of numbers and characters, their iterator, and what pickle needs.
//
// Invariant: `items` holds `allocated` items, of which ob_size are in use; with `exports` > 0 neither size nor memory change.
// Everything is read and written under the object's lock; values are converted before it is taken.
#include <algorithm>
#include <cstring>
#include <utility>

#include "capi/getargs.h"
#include "modules/array_items.h"
#include "objects/bytes_span.h"
#include "objects/int.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis::array {
namespace {

extern PyModuleDef definition;

struct State {
  PyTypeObject* array_type;
  PyTypeObject* iterator_type;
};
State* state_of(PyObject* module) { return static_cast<State*>(PyModule_GetState(module)); }
State* state_of_object(PyObject* o) {
  PyObject* module = PyType_GetModuleByDef(Py_TYPE(o), &definition);
  return module != nullptr ? state_of(module) : nullptr;
}

struct Array {
  PyObject_VAR_HEAD
  char* items;
  Py_ssize_t allocated;
  const ItemType* type;
  PyObject* weakrefs;
  Py_ssize_t exports;

  char* at(Py_ssize_t i) { return items + i * type->size; }
};
Array* as_array(PyObject* o) { return reinterpret_cast<Array*>(o); }

bool check_is_array(State* state, PyObject* o) { return PyObject_TypeCheck(o, state->array_type); }

void set_size(PyObject* o, Py_ssize_t size) { sync::store_relaxed(reinterpret_cast<PyVarObject*>(o)->ob_size, size); }

// New items are not set. Under the lock.
bool resize(PyObject* self, Py_ssize_t size) {
  Array* a = as_array(self);
  if (a->exports > 0 && size != Py_SIZE(self)) {
    PyErr_SetString(PyExc_BufferError, "cannot resize an array that is exporting buffers");
    return false;
  }
  if (a->allocated >= size && Py_SIZE(self) < size + 16 && a->items != nullptr) {
    set_size(self, size);
    return true;
  }
  if (size == 0) {
    PyMem_Free(std::exchange(a->items, nullptr));
    a->allocated = 0;
    set_size(self, 0);
    return true;
  }
  // Room to grow in proportion, so that appending is cheap.
  const Py_ssize_t allocated = size + (size >> 4) + (Py_SIZE(self) < 8 ? 3 : 7);
  if (allocated < size || allocated > PY_SSIZE_T_MAX / a->type->size) {
    PyErr_NoMemory();
    return false;
  }
  auto* items = static_cast<char*>(PyMem_Realloc(a->items, static_cast<size_t>(allocated * a->type->size)));
  if (items == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  a->items = items;
  a->allocated = allocated;
  set_size(self, size);
  return true;
}

PyObject* new_array(PyTypeObject* type, const ItemType* items, Py_ssize_t size) {
  if (size > PY_SSIZE_T_MAX / items->size) return PyErr_NoMemory();
  PyObject* o = type->tp_alloc(type, 0);
  if (o == nullptr) return nullptr;
  Array* a = as_array(o);
  a->type = items;
  a->items = nullptr;
  a->allocated = size;
  if (size > 0) {
    a->items = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size * items->size)));
    if (a->items == nullptr) {
      a->allocated = 0;
      Py_DECREF(o);
      return PyErr_NoMemory();
    }
  }
  set_size(o, size);
  return o;
}

// A value in the array's own form, converted while nothing is locked.
struct Item {
  char bytes[8];
  bool read(Array* a, PyObject* value) { return a->type->set(bytes, value); }
};

// Replaces [low, high) by the `count` items at `source`, which must not lie in this array. Under the lock.
bool replace_range(PyObject* self, Py_ssize_t low, Py_ssize_t high, const char* source, Py_ssize_t count) {
  Array* a = as_array(self);
  const Py_ssize_t size = Py_SIZE(self), growth = count - (high - low);
  if (growth > 0) {
    if (size > PY_SSIZE_T_MAX - growth) {
      PyErr_NoMemory();
      return false;
    }
    if (!resize(self, size + growth)) return false;
    std::memmove(a->at(high + growth), a->at(high), static_cast<size_t>((size - high) * a->type->size));
  } else if (growth < 0) {
    if (a->exports > 0) return resize(self, size + growth);
    std::memmove(a->at(high + growth), a->at(high), static_cast<size_t>((size - high) * a->type->size));
    if (!resize(self, size + growth)) return false;
  }
  if (count > 0) std::memcpy(a->at(low), source, static_cast<size_t>(count * a->type->size));
  return true;
}

// A copy of the items of another array, since it may be the same one.
class Copy {
 public:
  ~Copy() { PyMem_Free(items_); }
  bool take(PyObject* o) {
    ObjectLock lock(o);
    count_ = Py_SIZE(o);
    const auto size = static_cast<size_t>(count_ * as_array(o)->type->size);
    items_ = static_cast<char*>(PyMem_Malloc(size + 1));
    if (items_ == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    if (size > 0) std::memcpy(items_, as_array(o)->items, size);
    return true;
  }
  const char* items() const { return items_; }
  Py_ssize_t count() const { return count_; }

 private:
  char* items_ = nullptr;
  Py_ssize_t count_ = 0;
};

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(as_array(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  PyMem_Free(as_array(self)->items);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

Py_ssize_t length(PyObject* self) { return sync::load_relaxed(reinterpret_cast<PyVarObject*>(self)->ob_size); }

PyObject* out_of_range(const char* text) {
  PyErr_SetString(PyExc_IndexError, text);
  return nullptr;
}

PyObject* get_at(PyObject* self, Py_ssize_t i) {
  ObjectLock lock(self);
  if (i < 0 || i >= Py_SIZE(self)) return out_of_range("array index out of range");
  return as_array(self)->type->get(as_array(self)->at(i));
}

PyObject* item(PyObject* self, Py_ssize_t i) { return get_at(self, i); }

int set_at(PyObject* self, Py_ssize_t i, PyObject* value, bool from_end) {
  Item converted;
  if (value != nullptr && !converted.read(as_array(self), value)) return -1;
  ObjectLock lock(self);
  if (i < 0 && from_end) i += Py_SIZE(self);
  if (i < 0 || i >= Py_SIZE(self)) {
    out_of_range("array assignment index out of range");
    return -1;
  }
  if (value == nullptr) return replace_range(self, i, i + 1, nullptr, 0) ? 0 : -1;
  std::memcpy(as_array(self)->at(i), converted.bytes, as_array(self)->type->size);
  return 0;
}
int assign_item(PyObject* self, Py_ssize_t i, PyObject* value) { return set_at(self, i, value, false); }

PyObject* subscript(PyObject* self, PyObject* key) {
  if (PyIndex_Check(key)) {
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    ObjectLock lock(self);
    if (i < 0) i += Py_SIZE(self);
    if (i < 0 || i >= Py_SIZE(self)) return out_of_range("array index out of range");
    return as_array(self)->type->get(as_array(self)->at(i));
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "array indices must be integers");
    return nullptr;
  }
  State* state = state_of_object(self);
  Py_ssize_t start, stop, step;
  if (state == nullptr || PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  ObjectLock lock(self);
  Array* a = as_array(self);
  const Py_ssize_t count = std::max<Py_ssize_t>(PySlice_AdjustIndices(Py_SIZE(self), &start, &stop, step), 0);
  PyObject* result = new_array(state->array_type, a->type, count);
  if (result == nullptr) return nullptr;
  if (step == 1) {
    if (count > 0) std::memcpy(as_array(result)->items, a->at(start), static_cast<size_t>(count * a->type->size));
  } else {
    for (Py_ssize_t i = 0, at = start; i < count; ++i, at += step) {
      std::memcpy(as_array(result)->at(i), a->at(at), a->type->size);
    }
  }
  return result;
}

int assign_slice(PyObject* self, PyObject* key, PyObject* value) {
  State* state = state_of_object(self);
  Py_ssize_t start, stop, step;
  if (state == nullptr || PySlice_Unpack(key, &start, &stop, &step) < 0) return -1;
  Copy source;
  Array* a = as_array(self);
  if (value != nullptr) {
    if (!check_is_array(state, value)) {
      PyErr_Format(PyExc_TypeError, "can only assign array (not \"%.200s\") to array slice", Py_TYPE(value)->tp_name);
      return -1;
    }
    if (as_array(value)->type != a->type) {
      PyErr_BadArgument();
      return -1;
    }
    if (!source.take(value)) return -1;
  }
  ObjectLock lock(self);
  const Py_ssize_t count = PySlice_AdjustIndices(Py_SIZE(self), &start, &stop, step);
  if (step == 1) {
    if (stop < start) stop = start;
    return replace_range(self, start, stop, source.items(), source.count()) ? 0 : -1;
  }
  if (source.count() == 0) {
    if (count == 0) return 0;
    if (a->exports > 0) return resize(self, Py_SIZE(self) - count) ? 0 : -1;
    if (step < 0) {
      start += (count - 1) * step;
      step = -step;
    }
    const Py_ssize_t size = Py_SIZE(self);
    Py_ssize_t to = start;
    for (Py_ssize_t i = 0; i < count; ++i) {
      const Py_ssize_t from = start + i * step + 1;
      const Py_ssize_t end = i + 1 < count ? from + step - 1 : size;
      std::memmove(a->at(to), a->at(from), static_cast<size_t>((end - from) * a->type->size));
      to += end - from;
    }
    return resize(self, size - count) ? 0 : -1;
  }
  if (source.count() != count) {
    PyErr_Format(PyExc_ValueError, "attempt to assign array of size %zd to extended slice of size %zd", source.count(),
                 count);
    return -1;
  }
  for (Py_ssize_t i = 0, at = start; i < count; ++i, at += step) {
    std::memcpy(a->at(at), source.items() + i * a->type->size, a->type->size);
  }
  return 0;
}

int assign_subscript(PyObject* self, PyObject* key, PyObject* value) {
  if (PyIndex_Check(key)) {
    const Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return -1;
    return set_at(self, i, value, true);
  }
  if (PySlice_Check(key)) return assign_slice(self, key, value);
  PyErr_SetString(PyExc_TypeError, "array indices must be integers");
  return -1;
}

PyObject* concat(PyObject* self, PyObject* other) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  if (!check_is_array(state, other)) {
    return PyErr_Format(PyExc_TypeError, "can only append array (not \"%.200s\") to array", Py_TYPE(other)->tp_name);
  }
  if (as_array(self)->type != as_array(other)->type) {
    PyErr_BadArgument();
    return nullptr;
  }
  Copy left, right;
  if (!left.take(self) || !right.take(other)) return nullptr;
  const Py_ssize_t size = as_array(self)->type->size;
  PyObject* result = new_array(state->array_type, as_array(self)->type, left.count() + right.count());
  if (result == nullptr) return nullptr;
  if (left.count() > 0) std::memcpy(as_array(result)->items, left.items(), static_cast<size_t>(left.count() * size));
  if (right.count() > 0) {
    std::memcpy(as_array(result)->at(left.count()), right.items(), static_cast<size_t>(right.count() * size));
  }
  return result;
}

PyObject* repeat(PyObject* self, Py_ssize_t count) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (count < 0) count = 0;
  if (count > 0 && size > PY_SSIZE_T_MAX / count) return PyErr_NoMemory();
  PyObject* result = new_array(state->array_type, as_array(self)->type, size * count);
  if (result != nullptr && size * count > 0) {
    const Py_ssize_t bytes = size * as_array(self)->type->size;
    _PyBytes_Repeat(as_array(result)->items, bytes * count, as_array(self)->items, bytes);
  }
  return result;
}

PyObject* inplace_repeat(PyObject* self, Py_ssize_t count) {
  ObjectLock lock(self);
  Array* a = as_array(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (size > 0 && count != 1) {
    if (count < 0) count = 0;
    if (count > 0 && size > PY_SSIZE_T_MAX / count / a->type->size) return PyErr_NoMemory();
    if (!resize(self, size * count)) return nullptr;
    const Py_ssize_t bytes = size * a->type->size;
    if (count > 1) _PyBytes_Repeat(a->items, bytes * count, a->items, bytes);
  }
  return Py_NewRef(self);
}

bool extend_with_array(PyObject* self, PyObject* other) {
  if (as_array(self)->type != as_array(other)->type) {
    PyErr_SetString(PyExc_TypeError, "can only extend with array of same kind");
    return false;
  }
  Copy source;
  if (!source.take(other)) return false;
  ObjectLock lock(self);
  return replace_range(self, Py_SIZE(self), Py_SIZE(self), source.items(), source.count());
}

PyObject* inplace_concat(PyObject* self, PyObject* other) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  if (!check_is_array(state, other)) {
    return PyErr_Format(PyExc_TypeError, "can only extend array with array (not \"%.200s\")", Py_TYPE(other)->tp_name);
  }
  return extend_with_array(self, other) ? Py_NewRef(self) : nullptr;
}

bool append_value(PyObject* self, PyObject* value) {
  Item converted;
  if (!converted.read(as_array(self), value)) return false;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (!resize(self, size + 1)) return false;
  std::memcpy(as_array(self)->at(size), converted.bytes, as_array(self)->type->size);
  return true;
}

bool extend_with(PyObject* self, PyObject* values) {
  auto iterator = Ref<>::steal(PyObject_GetIter(values));
  if (!iterator) return false;
  for (;;) {
    PyObject* next;
    if (PyIter_NextItem(iterator.get(), &next) < 0) return false;
    if (next == nullptr) return true;
    auto value = Ref<>::steal(next);
    if (!append_value(self, value.get())) return false;
  }
}

// The first index of an equal item in [start, stop): -1 none, -2 error. The array may change while items are compared.
Py_ssize_t find(PyObject* self, PyObject* value, Py_ssize_t start, Py_ssize_t stop) {
  for (Py_ssize_t i = start; i < stop && i < length(self); ++i) {
    auto item = Ref<>::steal(get_at(self, i));
    if (!item) {
      if (!PyErr_ExceptionMatches(PyExc_IndexError)) return -2;
      PyErr_Clear();
      return -1;
    }
    const int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal < 0) return -2;
    if (equal) return i;
  }
  return -1;
}

int contains(PyObject* self, PyObject* value) {
  const Py_ssize_t at = find(self, value, 0, PY_SSIZE_T_MAX);
  return at == -2 ? -1 : at >= 0;
}

PyObject* count(PyObject* self, PyObject* value) {
  Py_ssize_t n = 0;
  for (Py_ssize_t at = -1;;) {
    at = find(self, value, at + 1, PY_SSIZE_T_MAX);
    if (at == -2) return nullptr;
    if (at == -1) return int_from_int64(n);
    ++n;
  }
}

PyObject* index(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("index", nargs, 1, 3)) return nullptr;
  Py_ssize_t start = 0, stop = PY_SSIZE_T_MAX;
  if ((nargs > 1 && !_PyEval_SliceIndexNotNone(args[1], &start)) ||
      (nargs > 2 && !_PyEval_SliceIndexNotNone(args[2], &stop))) {
    return nullptr;
  }
  if (start < 0) start = std::max<Py_ssize_t>(start + length(self), 0);
  if (stop < 0) stop += length(self);
  const Py_ssize_t at = find(self, args[0], start, stop);
  if (at >= 0) return int_from_int64(at);
  if (at == -1) PyErr_SetString(PyExc_ValueError, "array.index(x): x not in array");
  return nullptr;
}

PyObject* remove(PyObject* self, PyObject* value) {
  const Py_ssize_t at = find(self, value, 0, PY_SSIZE_T_MAX);
  if (at == -2) return nullptr;
  if (at == -1) {
    PyErr_SetString(PyExc_ValueError, "array.remove(x): x not in array");
    return nullptr;
  }
  ObjectLock lock(self);
  if (at < Py_SIZE(self) && !replace_range(self, at, at + 1, nullptr, 0)) return nullptr;
  Py_RETURN_NONE;
}

bool read_size(PyObject* value, Py_ssize_t* out) {
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return false;
  *out = PyLong_AsSsize_t(index.get());
  return *out != -1 || !PyErr_Occurred();
}

PyObject* pop(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("pop", nargs, 0, 1)) return nullptr;
  Py_ssize_t at = -1;
  if (nargs > 0 && !read_size(args[0], &at)) return nullptr;
  ObjectLock lock(self);
  if (Py_SIZE(self) == 0) return out_of_range("pop from empty array");
  if (at < 0) at += Py_SIZE(self);
  if (at < 0 || at >= Py_SIZE(self)) return out_of_range("pop index out of range");
  auto value = Ref<>::steal(as_array(self)->type->get(as_array(self)->at(at)));
  return value && replace_range(self, at, at + 1, nullptr, 0) ? value.release() : nullptr;
}

PyObject* append(PyObject* self, PyObject* value) {
  if (!append_value(self, value)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* extend(PyObject* self, PyObject* values) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  if (!(check_is_array(state, values) ? extend_with_array(self, values) : extend_with(self, values))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* insert(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("insert", nargs, 2, 2)) return nullptr;
  Py_ssize_t at;
  Item converted;
  if (!read_size(args[0], &at) || !converted.read(as_array(self), args[1])) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (at < 0) at = std::max<Py_ssize_t>(at + size, 0);
  at = std::min(at, size);
  if (!replace_range(self, at, at, converted.bytes, 1)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* clear(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  if (!resize(self, 0)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* reverse(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  Array* a = as_array(self);
  for (Py_ssize_t i = 0, j = Py_SIZE(self) - 1; i < j; ++i, --j) {
    std::swap_ranges(a->at(i), a->at(i) + a->type->size, a->at(j));
  }
  Py_RETURN_NONE;
}

void swap_bytes(char* items, Py_ssize_t count, Py_ssize_t size) {
  for (Py_ssize_t i = 0; i < count; ++i) std::reverse(items + i * size, items + (i + 1) * size);
}

PyObject* byteswap(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  swap_bytes(as_array(self)->items, Py_SIZE(self), as_array(self)->type->size);
  Py_RETURN_NONE;
}

PyObject* copy(PyObject* self, PyObject*) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  ObjectLock lock(self);
  PyObject* result = new_array(state->array_type, as_array(self)->type, Py_SIZE(self));
  if (result != nullptr && Py_SIZE(self) > 0) {
    std::memcpy(as_array(result)->items, as_array(self)->items,
                static_cast<size_t>(Py_SIZE(self) * as_array(self)->type->size));
  }
  return result;
}
PyObject* deepcopy(PyObject* self, PyObject*) { return copy(self, nullptr); }

PyObject* tolist(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  auto list = Ref<>::steal(PyList_New(size));
  for (Py_ssize_t i = 0; list && i < size; ++i) {
    PyObject* value = as_array(self)->type->get(as_array(self)->at(i));
    if (value == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), i, value);
  }
  return list.release();
}

PyObject* fromlist(PyObject* self, PyObject* list) {
  if (!PyList_Check(list)) {
    PyErr_SetString(PyExc_TypeError, "arg must be list");
    return nullptr;
  }
  // All or nothing: everything is converted first.
  auto values = Ref<>::steal(PyList_AsTuple(list));
  if (!values) return nullptr;
  const Py_ssize_t count = PyTuple_GET_SIZE(values.get()), size = as_array(self)->type->size;
  ByteBuilder items(count * size);
  if (!items.ok()) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Item converted;
    if (!converted.read(as_array(self), PyTuple_GET_ITEM(values.get(), i))) return nullptr;
    items.append(converted.bytes, size);
  }
  ObjectLock lock(self);
  const Py_ssize_t end = Py_SIZE(self);
  if (!replace_range(self, end, end, reinterpret_cast<char*>(items.data()), count)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* tobytes(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  return PyBytes_FromStringAndSize(as_array(self)->items, Py_SIZE(self) * as_array(self)->type->size);
}

PyObject* frombytes(PyObject* self, PyObject* arg) {
  Py_buffer view;
  if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) < 0) return nullptr;
  struct Guard {
    Py_buffer* view;
    ~Guard() { PyBuffer_Release(view); }
  } guard{&view};
  if (view.itemsize != 1) {
    PyErr_SetString(PyExc_TypeError, "a bytes-like object is required");
    return nullptr;
  }
  const Py_ssize_t size = as_array(self)->type->size;
  if (view.len % size != 0) {
    PyErr_SetString(PyExc_ValueError, "bytes length not a multiple of item size");
    return nullptr;
  }
  ObjectLock lock(self);
  const Py_ssize_t end = Py_SIZE(self);
  if (!replace_range(self, end, end, static_cast<char*>(view.buf), view.len / size)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* tofile(PyObject* self, PyObject* file) {
  constexpr Py_ssize_t kBlock = 64 * 1024;
  for (Py_ssize_t done = 0;;) {
    Ref<> bytes;
    {
      ObjectLock lock(self);
      const Py_ssize_t total = Py_SIZE(self) * as_array(self)->type->size;
      if (done >= total) break;
      bytes = Ref<>::steal(PyBytes_FromStringAndSize(as_array(self)->items + done, std::min(kBlock, total - done)));
      done += kBlock;
    }
    if (!bytes) return nullptr;
    auto result = Ref<>::steal(PyObject_CallMethod(file, "write", "O", bytes.get()));
    if (!result) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* fromfile(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("fromfile", nargs, 2, 2)) return nullptr;
  Py_ssize_t count;
  if (!read_size(args[1], &count)) return nullptr;
  const Py_ssize_t size = as_array(self)->type->size;
  if (count < 0) {
    PyErr_SetString(PyExc_ValueError, "negative count");
    return nullptr;
  }
  if (count > PY_SSIZE_T_MAX / size) return PyErr_NoMemory();
  auto bytes = Ref<>::steal(PyObject_CallMethod(args[0], "read", "n", count * size));
  if (!bytes) return nullptr;
  if (!PyBytes_Check(bytes.get())) {
    PyErr_SetString(PyExc_TypeError, "read() didn't return bytes");
    return nullptr;
  }
  // What is there is taken; then the lack is reported.
  const bool short_read = PyBytes_GET_SIZE(bytes.get()) != count * size;
  auto result = Ref<>::steal(frombytes(self, bytes.get()));
  if (!result || !short_read) return result.release();
  PyErr_SetString(PyExc_EOFError, "read() didn't return enough bytes");
  return nullptr;
}

bool is_text(PyObject* self) { return as_array(self)->type->typecode == 'u' || as_array(self)->type->typecode == 'w'; }

PyObject* text_of(PyObject* self) {
  ObjectLock lock(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
    Py_UCS4 c;
    std::memcpy(&c, as_array(self)->at(i), sizeof(c));
    if (c > 0x10FFFF) {
      return PyErr_Format(PyExc_ValueError, "character U+%x is not in range [U+0000; U+10ffff]", c);
    }
  }
  return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, as_array(self)->items, Py_SIZE(self));
}

bool append_text(PyObject* self, PyObject* text) {
  const Py_ssize_t count = PyUnicode_GET_LENGTH(text);
  if (count == 0) return true;
  ObjectLock lock(self);
  const Py_ssize_t end = Py_SIZE(self);
  if (!resize(self, end + count)) return false;
  return PyUnicode_AsUCS4(text, reinterpret_cast<Py_UCS4*>(as_array(self)->at(end)), count, 0) != nullptr;
}

PyObject* fromunicode(PyObject* self, PyObject* text) {
  if (!PyUnicode_Check(text)) {
    _PyArg_BadArgument("fromunicode", "argument", "str", text);
    return nullptr;
  }
  if (!is_text(self)) {
    PyErr_SetString(PyExc_ValueError, "fromunicode() may only be called on unicode type arrays ('u' or 'w')");
    return nullptr;
  }
  if (!append_text(self, text)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* tounicode(PyObject* self, PyObject*) {
  if (is_text(self)) return text_of(self);
  PyErr_SetString(PyExc_ValueError, "tounicode() may only be called on unicode type arrays ('u' or 'w')");
  return nullptr;
}

PyObject* buffer_info(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  auto address = Ref<>::steal(PyLong_FromVoidPtr(as_array(self)->items));
  auto size = Ref<>::steal(int_from_int64(Py_SIZE(self)));
  return address && size ? PyTuple_Pack(2, address.get(), size.get()) : nullptr;
}

PyObject* size_of(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  return int_from_int64(Py_TYPE(self)->tp_basicsize + as_array(self)->allocated * as_array(self)->type->size);
}

PyObject* reduce_ex(PyObject* self, PyObject* arg) {
  const long protocol = PyLong_AsLong(arg);
  if (protocol == -1 && PyErr_Occurred()) return nullptr;
  auto dict = Ref<>::steal(PyObject_GetAttrString(self, "__dict__"));
  if (!dict) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
    PyErr_Clear();
    dict = Ref<>::share(Py_None);
  }
  const int typecode = as_array(self)->type->typecode;
  const int format = machine_format(as_array(self)->type);
  if (format == kUnknownFormat || protocol < 3) {
    auto list = Ref<>::steal(tolist(self, nullptr));
    return list ? Py_BuildValue("O(CO)O", Py_TYPE(self), typecode, list.get(), dict.get()) : nullptr;
  }
  auto module = Ref<>::steal(PyImport_ImportModule("array"));
  auto reconstructor = module ? Ref<>::steal(PyObject_GetAttrString(module.get(), "_array_reconstructor")) : Ref<>();
  auto bytes = reconstructor ? Ref<>::steal(tobytes(self, nullptr)) : Ref<>();
  if (!bytes) return nullptr;
  return Py_BuildValue("N(OCiN)O", reconstructor.release(), Py_TYPE(self), typecode, format, bytes.release(), dict.get());
}

PyObject* get_typecode(PyObject* self, void*) { return PyUnicode_FromOrdinal(as_array(self)->type->typecode); }
PyObject* get_itemsize(PyObject* self, void*) { return int_from_int64(as_array(self)->type->size); }

PyObject* repr(PyObject* self) {
  const int typecode = as_array(self)->type->typecode;
  auto name = Ref<>::steal(PyType_GetName(Py_TYPE(self)));
  if (!name) return nullptr;
  if (length(self) == 0) return PyUnicode_FromFormat("%U('%c')", name.get(), typecode);
  auto contents = Ref<>::steal(is_text(self) ? text_of(self) : tolist(self, nullptr));
  return contents ? PyUnicode_FromFormat("%U('%c', %R)", name.get(), typecode, contents.get()) : nullptr;
}

PyObject* richcompare(PyObject* a, PyObject* b, int op) {
  State* state = state_of_object(a);
  if (state == nullptr) {
    PyErr_Clear();
    Py_RETURN_NOTIMPLEMENTED;
  }
  if (!check_is_array(state, b)) Py_RETURN_NOTIMPLEMENTED;
  const Py_ssize_t na = length(a), nb = length(b);
  if (na != nb && (op == Py_EQ || op == Py_NE)) return PyBool_FromLong(op == Py_NE);
  Copy left, right;
  if (!left.take(a) || !right.take(b)) return nullptr;
  const ItemType *x = as_array(a)->type, *y = as_array(b)->type;
  const Py_ssize_t common = std::min(left.count(), right.count());
  // Equal bytes of integers are equal items.
  Py_ssize_t i = 0;
  if (x == y && x->is_integer) {
    while (i < common && std::memcmp(left.items() + i * x->size, right.items() + i * x->size, x->size) == 0) ++i;
  }
  for (; i < common; ++i) {
    auto u = Ref<>::steal(x->get(left.items() + i * x->size));
    auto v = u ? Ref<>::steal(y->get(right.items() + i * y->size)) : Ref<>();
    if (!v) return nullptr;
    auto equal = Ref<>::steal(PyObject_RichCompare(u.get(), v.get(), Py_EQ));
    const int same = equal ? PyObject_IsTrue(equal.get()) : -1;
    if (same < 0) return nullptr;
    if (same) continue;
    if (op == Py_EQ) Py_RETURN_FALSE;
    if (op == Py_NE) Py_RETURN_TRUE;
    return PyObject_RichCompare(u.get(), v.get(), op);
  }
  Py_RETURN_RICHCOMPARE(left.count(), right.count(), op);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  static char empty[1];
  if (view == nullptr) {
    PyErr_SetString(PyExc_BufferError, "array_buffer_getbuf: view==NULL argument is obsolete");
    return -1;
  }
  ObjectLock lock(self);
  Array* a = as_array(self);
  view->buf = a->items != nullptr ? a->items : empty;
  view->obj = Py_NewRef(self);
  view->len = Py_SIZE(self) * a->type->size;
  view->readonly = 0;
  view->ndim = 1;
  view->itemsize = a->type->size;
  view->suboffsets = nullptr;
  view->shape = flags & PyBUF_ND ? &reinterpret_cast<PyVarObject*>(self)->ob_size : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &view->itemsize : nullptr;
  view->internal = nullptr;
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(a->type->buffer_format) : nullptr;
  ++a->exports;
  return 0;
}

void release_buffer(PyObject* self, Py_buffer*) {
  ObjectLock lock(self);
  --as_array(self)->exports;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* module = PyType_GetModuleByDef(type, &definition);
  State* state = module != nullptr ? state_of(module) : nullptr;
  if (state == nullptr) return nullptr;
  if ((type == state->array_type || type->tp_init == state->array_type->tp_init) &&
      !_PyArg_NoKeywords("array.array", kwargs)) {
    return nullptr;
  }
  int typecode;
  PyObject* initial = nullptr;
  if (!PyArg_ParseTuple(args, "C|O:array", &typecode, &initial)) return nullptr;
  const ItemType* items = item_type(static_cast<Py_UCS4>(typecode));
  if (items == nullptr) {
    PyErr_SetString(PyExc_ValueError, "bad typecode (must be b, B, u, w, h, H, i, I, l, L, q, Q, f or d)");
    return nullptr;
  }
  if (typecode == 'u' &&
      PyErr_WarnEx(PyExc_DeprecationWarning,
                   "The 'u' type code is deprecated and will be removed in Python 3.16", 1) < 0) {
    return nullptr;
  }
  const bool text = typecode == 'u' || typecode == 'w';
  if (initial != nullptr && !text) {
    if (PyUnicode_Check(initial)) {
      return PyErr_Format(PyExc_TypeError, "cannot use a str to initialize an array with typecode '%c'", typecode);
    }
    if (check_is_array(state, initial) && is_text(initial)) {
      return PyErr_Format(PyExc_TypeError, "cannot use a unicode array to initialize an array with typecode '%c'",
                          typecode);
    }
  }
  auto result = Ref<>::steal(new_array(type, items, 0));
  if (!result || initial == nullptr) return result.release();
  bool ok;
  if (PyUnicode_Check(initial)) {
    ok = append_text(result.get(), initial);
  } else if (PyBytes_Check(initial) || PyByteArray_Check(initial)) {
    ok = static_cast<bool>(Ref<>::steal(frombytes(result.get(), initial)));
  } else if (check_is_array(state, initial) && as_array(initial)->type == items) {
    ok = extend_with_array(result.get(), initial);
  } else {
    ok = extend_with(result.get(), initial);
  }
  return ok ? result.release() : nullptr;
}

// The iterator: index -1 means exhausted.
struct Iterator {
  PyObject_HEAD
  Py_ssize_t index;
  PyObject* array;
};
Iterator* as_iterator(PyObject* o) { return reinterpret_cast<Iterator*>(o); }

PyObject* iterate(PyObject* self) {
  State* state = state_of_object(self);
  if (state == nullptr) return nullptr;
  PyObject* it = state->iterator_type->tp_alloc(state->iterator_type, 0);
  if (it != nullptr) as_iterator(it)->array = Py_NewRef(self);
  return it;
}

PyObject* iterator_next(PyObject* o) {
  Iterator* it = as_iterator(o);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return nullptr;
  ObjectLock lock(it->array);
  if (i >= Py_SIZE(it->array)) {
    sync::store_relaxed(it->index, Py_ssize_t{-1});
    return nullptr;
  }
  sync::store_relaxed(it->index, i + 1);
  return as_array(it->array)->type->get(as_array(it->array)->at(i));
}

PyObject* iterator_reduce(PyObject* o, PyObject*) {
  Iterator* it = as_iterator(o);
  auto iter = Ref<>::steal(PyMapping_GetItemString(PyEval_GetBuiltins(), "iter"));
  if (!iter) return nullptr;
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return Py_BuildValue("N(())", iter.release());
  return Py_BuildValue("N(O)n", iter.release(), it->array, i);
}

PyObject* iterator_setstate(PyObject* o, PyObject* state) {
  Iterator* it = as_iterator(o);
  const Py_ssize_t i = PyLong_AsSsize_t(state);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  if (sync::load_relaxed(it->index) >= 0) {
    sync::store_relaxed(it->index, std::clamp<Py_ssize_t>(i, 0, length(it->array)));
  }
  Py_RETURN_NONE;
}

int iterator_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(as_iterator(o)->array);
  return 0;
}

void iterator_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  PyObject_GC_UnTrack(o);
  Py_XDECREF(as_iterator(o)->array);
  type->tp_free(o);
  Py_DECREF(type);
}

// clang-format off
PyMethodDef methods[] = {
    {"append", append, METH_O, "append($self, v, /)\n--\n\nAppend new value v to the end of the array."},
    {"buffer_info", buffer_info, METH_NOARGS, "buffer_info($self, /)\n--\n\nA tuple (address, length) of the array's memory."},
    {"byteswap", byteswap, METH_NOARGS, "byteswap($self, /)\n--\n\nByteswap all items of the array."},
    {"clear", clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from the array."},
    {"__copy__", copy, METH_NOARGS, "__copy__($self, /)\n--\n\nReturn a copy of the array."},
    {"count", count, METH_O, "count($self, v, /)\n--\n\nReturn number of occurrences of v in the array."},
    {"__deepcopy__", deepcopy, METH_O, "__deepcopy__($self, unused, /)\n--\n\nReturn a copy of the array."},
    {"extend", extend, METH_O, "extend($self, bb, /)\n--\n\nAppend items to the end of the array."},
    {"fromfile", _PyCFunction_CAST(fromfile), METH_FASTCALL, "fromfile($self, f, n, /)\n--\n\nRead n objects from the file object f and append them to the end of the array."},
    {"fromlist", fromlist, METH_O, "fromlist($self, list, /)\n--\n\nAppend items to array from list."},
    {"frombytes", frombytes, METH_O, "frombytes($self, buffer, /)\n--\n\nAppends items from the machine values in a bytes-like object."},
    {"fromunicode", fromunicode, METH_O, "fromunicode($self, ustr, /)\n--\n\nExtends this array with the characters of a str."},
    {"index", _PyCFunction_CAST(index), METH_FASTCALL, "index($self, v, start=0, stop=sys.maxsize, /)\n--\n\nReturn index of first occurrence of v in the array."},
    {"insert", _PyCFunction_CAST(insert), METH_FASTCALL, "insert($self, i, v, /)\n--\n\nInsert a new item v into the array before position i."},
    {"pop", _PyCFunction_CAST(pop), METH_FASTCALL, "pop($self, i=-1, /)\n--\n\nReturn the i-th element and delete it from the array."},
    {"__reduce_ex__", reduce_ex, METH_O, "__reduce_ex__($self, value, /)\n--\n\nReturn state information for pickling."},
    {"remove", remove, METH_O, "remove($self, v, /)\n--\n\nRemove the first occurrence of v in the array."},
    {"reverse", reverse, METH_NOARGS, "reverse($self, /)\n--\n\nReverse the order of the items in the array."},
    {"tofile", tofile, METH_O, "tofile($self, f, /)\n--\n\nWrite all items (as machine values) to the file object f."},
    {"tolist", tolist, METH_NOARGS, "tolist($self, /)\n--\n\nConvert array to an ordinary list with the same items."},
    {"tobytes", tobytes, METH_NOARGS, "tobytes($self, /)\n--\n\nConvert the array to an array of machine values and return the bytes representation."},
    {"tounicode", tounicode, METH_NOARGS, "tounicode($self, /)\n--\n\nThe characters of the array as a str."},
    {"__sizeof__", size_of, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize of the array in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {nullptr, nullptr, 0, nullptr},
};
// clang-format on

PyGetSetDef getset[] = {
    {"typecode", get_typecode, nullptr, "the typecode character used to create the array", nullptr},
    {"itemsize", get_itemsize, nullptr, "the size, in bytes, of one array item", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Array, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

template <typename F>
constexpr void* slot(F function) {
  return reinterpret_cast<void*>(function);
}

PyType_Slot array_slots[] = {
    {Py_tp_dealloc, slot(dealloc)},
    {Py_tp_repr, slot(repr)},
    {Py_tp_getattro, slot(PyObject_GenericGetAttr)},
    {Py_tp_doc, const_cast<char*>(
                    "array(typecode [, initializer]) -> array\n\n"
                    "An array of items of one machine type, given by a type code: b, B (1 byte), h, H (2), i, I, l, L,\n"
                    "q, Q (integers, signed and not), f, d (floats), u, w (characters). The initial items come from a\n"
                    "list or another iterable, a str (for characters) or a bytes-like object.")},
    {Py_tp_richcompare, slot(richcompare)},
    {Py_tp_iter, slot(iterate)},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_alloc, slot(PyType_GenericAlloc)},
    {Py_tp_new, slot(make)},
    {Py_tp_traverse, slot(traverse)},
    {Py_sq_length, slot(length)},
    {Py_sq_concat, slot(concat)},
    {Py_sq_repeat, slot(repeat)},
    {Py_sq_item, slot(item)},
    {Py_sq_ass_item, slot(assign_item)},
    {Py_sq_contains, slot(contains)},
    {Py_sq_inplace_concat, slot(inplace_concat)},
    {Py_sq_inplace_repeat, slot(inplace_repeat)},
    {Py_mp_length, slot(length)},
    {Py_mp_subscript, slot(subscript)},
    {Py_mp_ass_subscript, slot(assign_subscript)},
    {Py_bf_getbuffer, slot(get_buffer)},
    {Py_bf_releasebuffer, slot(release_buffer)},
    {0, nullptr},
};
PyType_Spec array_spec = {
    "array.array", sizeof(Array), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    array_slots};

PyMethodDef iterator_methods[] = {
    {"__reduce__", iterator_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nReturn state information for pickling."},
    {"__setstate__", iterator_setstate, METH_O, "__setstate__($self, state, /)\n--\n\nSet state information for unpickling."},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, slot(iterator_dealloc)},
    {Py_tp_getattro, slot(PyObject_GenericGetAttr)},
    {Py_tp_traverse, slot(iterator_traverse)},
    {Py_tp_iter, slot(PyObject_SelfIter)},
    {Py_tp_iternext, slot(iterator_next)},
    {Py_tp_methods, iterator_methods},
    {0, nullptr},
};
PyType_Spec iterator_spec = {
    "array.arrayiterator", sizeof(Iterator), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    iterator_slots};

// Items that another machine wrote: each through the number that it stands for.
PyObject* from_foreign(PyTypeObject* type, const ItemType* items, const MachineFormat* format, PyObject* bytes) {
  const Py_ssize_t size = format->size;
  const Py_ssize_t total = PyBytes_GET_SIZE(bytes);
  if (total % size != 0) {
    PyErr_SetString(PyExc_ValueError, "bytes length not a multiple of item size");
    return nullptr;
  }
  const char* data = PyBytes_AS_STRING(bytes);
  if (format->is_text) {
    int order = format->is_big_endian ? 1 : -1;
    auto text = Ref<>::steal(size == 2 ? PyUnicode_DecodeUTF16(data, total, "replace", &order)
                                       : PyUnicode_DecodeUTF32(data, total, "replace", &order));
    auto result = text ? Ref<>::steal(new_array(type, items, 0)) : Ref<>();
    return result && append_text(result.get(), text.get()) ? result.release() : nullptr;
  }
  auto result = Ref<>::steal(new_array(type, items, 0));
  for (Py_ssize_t i = 0; result && i < total; i += size) {
    Ref<> value;
    if (format->is_integer) {
      value = Ref<>::steal(_PyLong_FromByteArray(reinterpret_cast<const unsigned char*>(data) + i,
                                                 static_cast<size_t>(size), !format->is_big_endian, format->is_signed));
    } else {
      value = Ref<>::steal(PyFloat_FromDouble(size == 4 ? PyFloat_Unpack4(data + i, !format->is_big_endian)
                                                        : PyFloat_Unpack8(data + i, !format->is_big_endian)));
    }
    if (!value || !append_value(result.get(), value.get())) return nullptr;
  }
  return result.release();
}

PyObject* reconstruct(PyObject* module, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("_array_reconstructor", nargs, 4, 4)) return nullptr;
  State* state = state_of(module);
  if (!PyUnicode_Check(args[1]) || PyUnicode_GET_LENGTH(args[1]) != 1) {
    _PyArg_BadArgument("_array_reconstructor", "argument 2", "a unicode character", args[1]);
    return nullptr;
  }
  const int format_code = PyLong_AsInt(args[2]);
  if (format_code == -1 && PyErr_Occurred()) return nullptr;
  if (!PyType_Check(args[0])) {
    return PyErr_Format(PyExc_TypeError, "first argument must be a type object, not %T", args[0]);
  }
  auto* type = reinterpret_cast<PyTypeObject*>(args[0]);
  if (!PyType_IsSubtype(type, state->array_type)) {
    return PyErr_Format(PyExc_TypeError, "%.200s is not a subtype of %.200s", type->tp_name, state->array_type->tp_name);
  }
  const ItemType* items = item_type(PyUnicode_READ_CHAR(args[1], 0));
  if (items == nullptr) {
    PyErr_SetString(PyExc_ValueError, "second argument must be a valid type code");
    return nullptr;
  }
  const MachineFormat* format = machine_format_info(format_code);
  if (format == nullptr) {
    PyErr_SetString(PyExc_ValueError, "third argument must be a valid machine format code.");
    return nullptr;
  }
  if (!PyBytes_Check(args[3])) {
    return PyErr_Format(PyExc_TypeError, "fourth argument should be bytes, not %T", args[3]);
  }
  if (format_code == machine_format(items)) {
    auto result = Ref<>::steal(new_array(type, items, 0));
    auto status = result ? Ref<>::steal(frombytes(result.get(), args[3])) : Ref<>();
    return status ? result.release() : nullptr;
  }
  // A type of this machine with that very size and sign, if there is one: values then always fit.
  if (format->is_integer) {
    for (const ItemType* t = item_types; t->typecode != 0; ++t) {
      if (t->is_integer && t->size == format->size && t->is_signed == format->is_signed) {
        // The type code asked for wins when it is one of several.
        if (!(items->is_integer && items->size == t->size && items->is_signed == t->is_signed)) items = t;
        break;
      }
    }
  }
  return from_foreign(type, items, format, args[3]);
}

PyMethodDef functions[] = {
    {"_array_reconstructor", _PyCFunction_CAST(reconstruct), METH_FASTCALL,
     "_array_reconstructor($module, arraytype, typecode, mformat_code, items,\n"
     "                     /)\n--\n\nInternal. Used for pickling support."},
    {nullptr, nullptr, 0, nullptr},
};

int exec(PyObject* module) {
  State* state = state_of(module);
  state->array_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &array_spec, nullptr));
  state->iterator_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &iterator_spec, nullptr));
  if (state->array_type == nullptr || state->iterator_type == nullptr) return -1;
  auto* type = reinterpret_cast<PyObject*>(state->array_type);
  if (PyModule_AddObjectRef(module, "ArrayType", type) < 0 || PyModule_AddType(module, state->array_type) < 0) return -1;
  auto abc = Ref<>::steal(PyImport_ImportModule("collections.abc"));
  auto sequence = abc ? Ref<>::steal(PyObject_GetAttrString(abc.get(), "MutableSequence")) : Ref<>();
  auto registered = sequence ? Ref<>::steal(PyObject_CallMethod(sequence.get(), "register", "O", type)) : Ref<>();
  if (!registered) return -1;
  char typecodes[32];
  int n = 0;
  for (const ItemType* t = item_types; t->typecode != 0; ++t) typecodes[n++] = t->typecode;
  typecodes[n] = '\0';
  return PyModule_AddStringConstant(module, "typecodes", typecodes);
}

int module_traverse(PyObject* module, visitproc visit, void* arg) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_VISIT(state->array_type);
  Py_VISIT(state->iterator_type);
  return 0;
}

int module_clear(PyObject* module) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_CLEAR(state->array_type);
  Py_CLEAR(state->iterator_type);
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "array",
    .m_doc = "Arrays of basic values: characters, integers, floats, kept compactly as the machine has them.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

}  // namespace
}  // namespace amphis::array

PyMODINIT_FUNC PyInit_array(void) { return PyModuleDef_Init(&amphis::array::definition); }
