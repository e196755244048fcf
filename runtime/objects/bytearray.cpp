// The type `bytearray`: a growing array of bytes, its mutating methods and its iterator. The methods that it shares with bytes
// are in bytes_methods.h.
//
// Invariant: ob_start points into ob_bytes, ob_size bytes from it are the contents and a zero follows; ob_bytes is null
// while the array is empty from the start. With ob_exports > 0 the size and the memory stay. Everything is read and
// written under the object's lock.
#include <algorithm>
#include <cstring>

#include "gc/object_new.h"
#include "objects/buffer_info.h"
#include "objects/bytes_methods.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"

char _PyByteArray_empty_string[] = "";

namespace amphis {
namespace {

inline PyByteArrayObject* as_array(PyObject* o) { return reinterpret_cast<PyByteArrayObject*>(o); }
inline uint8_t* data_of(PyObject* o) { return reinterpret_cast<uint8_t*>(PyByteArray_AS_STRING(o)); }
inline void set_size(PyObject* o, Py_ssize_t size) {
  sync::store_relaxed(reinterpret_cast<PyVarObject*>(o)->ob_size, size);
}

// Counts as an exported buffer: whoever changes the size meanwhile gets BufferError.
class ExportHold {
 public:
  explicit ExportHold(PyObject* o) : o_(o) {
    ObjectLock lock(o_);
    ++as_array(o_)->ob_exports;
  }
  ~ExportHold() {
    ObjectLock lock(o_);
    --as_array(o_)->ob_exports;
  }
  ExportHold(const ExportHold&) = delete;
  ExportHold& operator=(const ExportHold&) = delete;

 private:
  PyObject* o_;
};

struct ByteArrayKind {
  using Lock = ObjectLock;
  using Hold = ExportHold;
  static constexpr bool kImmutable = false;
  static PyTypeObject* type() { return &PyByteArray_Type; }
  static ByteSpan span(PyObject* o) { return {data_of(o), Py_SIZE(o)}; }
  static PyObject* make(const uint8_t* data, Py_ssize_t size) {
    return PyByteArray_FromStringAndSize(reinterpret_cast<const char*>(data), size);
  }
  static PyObject* from(ByteBuilder& builder) { return builder.ok() ? make(builder.data(), builder.size()) : nullptr; }
  static PyObject* share(PyObject*) { return nullptr; }
};
using Methods = BytesMethods<ByteArrayKind>;

bool can_resize(PyObject* self) {
  if (as_array(self)->ob_exports == 0) return true;
  PyErr_SetString(PyExc_BufferError, "Existing exports of data: object cannot be re-sized");
  return false;
}

// New bytes at the end are not set. Under the lock.
bool resize(PyObject* self, Py_ssize_t size) {
  auto* a = as_array(self);
  if (size == Py_SIZE(self)) return true;
  if (!can_resize(self)) return false;
  size_t alloc = static_cast<size_t>(a->ob_alloc);
  const auto offset = static_cast<size_t>(a->ob_start - a->ob_bytes);
  const auto wanted = static_cast<size_t>(size);
  if (wanted + offset + 1 <= alloc) {
    if (wanted >= alloc / 2) {
      // Within what there is.
      set_size(self, size);
      a->ob_start[size] = '\0';
      return true;
    }
    alloc = wanted + 1;
  } else if (wanted <= alloc + alloc / 8) {
    alloc = wanted + (wanted >> 3) + (wanted < 9 ? 3 : 6);
  } else {
    alloc = wanted + 1;
  }
  if (alloc > static_cast<size_t>(PY_SSIZE_T_MAX)) {
    PyErr_NoMemory();
    return false;
  }
  char* memory;
  if (offset > 0) {
    memory = static_cast<char*>(PyMem_Malloc(alloc));
    if (memory != nullptr) {
      std::memcpy(memory, a->ob_start, std::min(wanted, static_cast<size_t>(Py_SIZE(self))));
      PyMem_Free(a->ob_bytes);
    }
  } else {
    memory = static_cast<char*>(PyMem_Realloc(a->ob_bytes, alloc));
  }
  if (memory == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  a->ob_bytes = a->ob_start = memory;
  sync::store_relaxed(a->ob_alloc, static_cast<Py_ssize_t>(alloc));
  set_size(self, size);
  memory[size] = '\0';
  return true;
}

// Replaces [low, high) by `bytes`, which must not lie in this array unless the size stays. Under the lock.
bool assign_range(PyObject* self, Py_ssize_t low, Py_ssize_t high, ByteSpan bytes) {
  auto* a = as_array(self);
  const Py_ssize_t growth = bytes.size - (high - low);
  const Py_ssize_t size = Py_SIZE(self);
  if (growth < 0) {
    if (!can_resize(self)) return false;
    if (low == 0) {
      // Taking from the front moves the start: pop(0) and del b[:n] need not move the rest.
      a->ob_start -= growth;
    } else {
      std::memmove(a->ob_start + high + growth, a->ob_start + high, static_cast<size_t>(size - high));
    }
    if (!resize(self, size + growth)) {
      // Memory for a smaller block was not to be had: keep the larger.
      PyErr_Clear();
      set_size(self, size + growth);
      a->ob_start[size + growth] = '\0';
    }
  } else if (growth > 0) {
    if (size > PY_SSIZE_T_MAX - growth) {
      PyErr_NoMemory();
      return false;
    }
    if (!resize(self, size + growth)) return false;
    std::memmove(a->ob_start + low + bytes.size, a->ob_start + high, static_cast<size_t>(size - high));
  }
  if (bytes.size > 0) std::memcpy(a->ob_start + low, bytes.data, static_cast<size_t>(bytes.size));
  return true;
}

// The bytes that an assignment or extension brings: a copy, since the source may be the array itself or any iterable.
bool collect(PyObject* values, ByteBuilder* out) {
  if (PyObject_CheckBuffer(values)) {
    ByteArgument held;
    if (PyBytes_Check(values)) return held.acquire(values) && out->append(held.span().data, held.span().size);
    auto copy = Ref<>::steal(PyBytes_FromObject(values));
    return copy && held.acquire(copy.get()) && out->append(held.span().data, held.span().size);
  }
  return append_ints(values, out, "byte must be in range(0, 256)");
}

Py_ssize_t length(PyObject* self) { return PyByteArray_GET_SIZE(self); }

bool read_index(PyObject* key, Py_ssize_t* out) {
  *out = PyNumber_AsSsize_t(key, PyExc_IndexError);
  return *out != -1 || !PyErr_Occurred();
}

PyObject* out_of_range() {
  PyErr_SetString(PyExc_IndexError, "bytearray index out of range");
  return nullptr;
}

PyObject* item(PyObject* self, Py_ssize_t i) {
  ObjectLock lock(self);
  if (i < 0 || i >= Py_SIZE(self)) return out_of_range();
  return small_int(data_of(self)[i]);
}

PyObject* bad_key(PyObject* key) {
  PyErr_Format(PyExc_TypeError, "bytearray indices must be integers or slices, not %.200s", Py_TYPE(key)->tp_name);
  return nullptr;
}

PyObject* subscript(PyObject* self, PyObject* key) {
  if (PyIndex_Check(key)) {
    Py_ssize_t i;
    if (!read_index(key, &i)) return nullptr;
    ObjectLock lock(self);
    if (i < 0) i += Py_SIZE(self);
    if (i < 0 || i >= Py_SIZE(self)) return out_of_range();
    return small_int(data_of(self)[i]);
  }
  if (!PySlice_Check(key)) return bad_key(key);
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t count = PySlice_AdjustIndices(Py_SIZE(self), &start, &stop, step);
  if (step == 1 || count <= 0) return ByteArrayKind::make(data_of(self) + start, std::max<Py_ssize_t>(count, 0));
  PyObject* result = PyByteArray_FromStringAndSize(nullptr, count);
  if (result == nullptr) return nullptr;
  for (Py_ssize_t i = 0, at = start; i < count; ++i, at += step) data_of(result)[i] = data_of(self)[at];
  return result;
}

int assign_slice(PyObject* self, PyObject* key, PyObject* values) {
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return -1;
  ByteBuilder bytes(0);
  if (values != nullptr) {
    if (PyNumber_Check(values) || PyUnicode_Check(values)) {
      PyErr_SetString(PyExc_TypeError, "can assign only bytes, buffers, or iterables of ints in range(0, 256)");
      return -1;
    }
    if (!collect(values, &bytes)) return -1;
  }
  ObjectLock lock(self);
  const Py_ssize_t count = PySlice_AdjustIndices(Py_SIZE(self), &start, &stop, step);
  if (step == 1) {
    if (stop < start) stop = start;
    return assign_range(self, start, stop, bytes.span()) ? 0 : -1;
  }
  if (bytes.size() == 0) {
    // Deletion: the kept pieces move together, from the lowest.
    if (count == 0) return 0;
    if (!can_resize(self)) return -1;
    if (step < 0) {
      start += (count - 1) * step;
      step = -step;
    }
    uint8_t* data = data_of(self);
    const Py_ssize_t size = Py_SIZE(self);
    Py_ssize_t to = start;
    for (Py_ssize_t i = 0; i < count; ++i) {
      const Py_ssize_t from = start + i * step + 1;
      const Py_ssize_t end = i + 1 < count ? from + step - 1 : size;
      std::memmove(data + to, data + from, static_cast<size_t>(end - from));
      to += end - from;
    }
    return resize(self, size - count) ? 0 : -1;
  }
  if (bytes.size() != count) {
    PyErr_Format(PyExc_ValueError, "attempt to assign bytes of size %zd to extended slice of size %zd", bytes.size(),
                 count);
    return -1;
  }
  for (Py_ssize_t i = 0, at = start; i < count; ++i, at += step) data_of(self)[at] = bytes.data()[i];
  return 0;
}

int assign_index(PyObject* self, Py_ssize_t i, PyObject* value, bool from_end) {
  uint8_t byte = 0;
  if (value != nullptr && !read_byte(value, &byte)) return -1;
  ObjectLock lock(self);
  if (i < 0 && from_end) i += Py_SIZE(self);
  if (i < 0 || i >= Py_SIZE(self)) {
    out_of_range();
    return -1;
  }
  if (value == nullptr) return assign_range(self, i, i + 1, {nullptr, 0}) ? 0 : -1;
  data_of(self)[i] = byte;
  return 0;
}

int assign_item(PyObject* self, Py_ssize_t i, PyObject* value) { return assign_index(self, i, value, false); }

int assign_subscript(PyObject* self, PyObject* key, PyObject* value) {
  if (PyIndex_Check(key)) {
    Py_ssize_t i;
    return read_index(key, &i) ? assign_index(self, i, value, true) : -1;
  }
  if (PySlice_Check(key)) return assign_slice(self, key, value);
  bad_key(key);
  return -1;
}

PyObject* concat_error(PyObject* a, PyObject* b) {
  PyErr_Format(PyExc_TypeError, "can't concat %.100s to %.100s", Py_TYPE(b)->tp_name, Py_TYPE(a)->tp_name);
  return nullptr;
}

PyObject* inplace_concat(PyObject* self, PyObject* other) {
  ByteArgument held;
  if (!PyObject_CheckBuffer(other) || !held.acquire(other)) return concat_error(self, other);
  BufferLock2 lock(self, held.owner());
  const Py_ssize_t size = Py_SIZE(self);
  return assign_range(self, size, size, held.span()) ? Py_NewRef(self) : nullptr;
}

PyObject* repeat(PyObject* self, Py_ssize_t count) {
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (count < 0) count = 0;
  if (count > 0 && size > PY_SSIZE_T_MAX / count) return PyErr_NoMemory();
  PyObject* result = PyByteArray_FromStringAndSize(nullptr, size * count);
  if (result != nullptr && size * count > 0) {
    _PyBytes_Repeat(as_array(result)->ob_start, size * count, as_array(self)->ob_start, size);
  }
  return result;
}

PyObject* inplace_repeat(PyObject* self, Py_ssize_t count) {
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (count < 0) count = 0;
  if (count == 1) return Py_NewRef(self);
  if (count > 0 && size > PY_SSIZE_T_MAX / count) return PyErr_NoMemory();
  if (!resize(self, size * count)) return nullptr;
  if (size * count > 0) _PyBytes_Repeat(as_array(self)->ob_start, size * count, as_array(self)->ob_start, size);
  return Py_NewRef(self);
}

void release_buffer(PyObject* self, Py_buffer*) {
  LeafLock lock(self);
  --as_array(self)->ob_exports;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  if (view == nullptr) {
    PyErr_SetString(PyExc_BufferError, "bytearray_getbuffer: view==NULL argument is obsolete");
    return -1;
  }
  if (!is_buffer_request(flags)) [[unlikely]] {
    PyErr_BadInternalCall();
    return -1;
  }
  uint8_t* data;
  Py_ssize_t size;
  {
    LeafLock lock(self);
    // From here on the contents stay where they are.
    ++as_array(self)->ob_exports;
    data = data_of(self);
    size = Py_SIZE(self);
  }
  fill_buffer_info(view, self, data, size, 0, flags);
  return 0;
}

PyObject* richcompare(PyObject* self, PyObject* other, int op) {
  if (!PyObject_CheckBuffer(self) || !PyObject_CheckBuffer(other)) {
    if (!warn_comparison(self, other, "bytearray", op)) return nullptr;
    Py_RETURN_NOTIMPLEMENTED;
  }
  ByteArgument left, right;
  // Buffers keep both sizes in place without holding two locks.
  if (!left.acquire(self) || !right.acquire(other)) {
    PyErr_Clear();
    Py_RETURN_NOTIMPLEMENTED;
  }
  const ByteSpan x = left.span(), y = right.span();
  BufferLock2 lock(left.owner(), right.owner());
  if ((op == Py_EQ || op == Py_NE) && x.size != y.size) return PyBool_FromLong(op == Py_NE);
  int order = std::memcmp(x.data, y.data, static_cast<size_t>(std::min(x.size, y.size)));
  if (order == 0) order = x.size < y.size ? -1 : x.size > y.size;
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

PyObject* repr(PyObject* self) {
  auto name = Ref<>::steal(PyType_GetName(Py_TYPE(self)));
  if (!name) return nullptr;
  Ref<> bytes;
  {
    ObjectLock lock(self);
    bytes = Ref<>::steal(bytes_repr_text(ByteArrayKind::span(self), true));
  }
  return bytes ? PyUnicode_FromFormat("%U(%U)", name.get(), bytes.get()) : nullptr;
}

PyObject* str(PyObject* self) {
  if (Py_BytesWarningFlag && PyErr_WarnEx(PyExc_BytesWarning, "str() on a bytearray instance", 1) < 0) return nullptr;
  return repr(self);
}

bool assign_all(PyObject* self, ByteSpan bytes) {
  ObjectLock lock(self);
  return assign_range(self, 0, Py_SIZE(self), bytes);
}

bool append_byte(PyObject* self, PyObject* value) {
  uint8_t byte;
  if (!read_byte(value, &byte)) return false;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (size == PY_SSIZE_T_MAX) {
    PyErr_SetString(PyExc_OverflowError, "cannot add more objects to bytearray");
    return false;
  }
  if (!resize(self, size + 1)) return false;
  data_of(self)[size] = byte;
  return true;
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"source", "encoding", "errors", nullptr};
  PyObject* source = nullptr;
  const char *encoding = nullptr, *errors = nullptr;
  PyObject *encoding_object = nullptr, *errors_object = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:bytearray", const_cast<char**>(names), &source,
                                   &encoding_object, &errors_object)) {
    return -1;
  }
  PyObject* const objects[] = {encoding_object, errors_object};
  for (int i = 0; i < 2; ++i) {
    if (objects[i] == nullptr) continue;
    if (!PyUnicode_Check(objects[i])) {
      _PyArg_BadArgument("bytearray", i == 0 ? "argument 'encoding'" : "argument 'errors'", "str", objects[i]);
      return -1;
    }
    const char* text = PyUnicode_AsUTF8(objects[i]);
    if (text == nullptr) return -1;
    (i == 0 ? encoding : errors) = text;
  }
  if (!assign_all(self, {nullptr, 0})) return -1;
  if (source == nullptr) {
    if (encoding == nullptr && errors == nullptr) return 0;
    PyErr_SetString(PyExc_TypeError,
                    encoding != nullptr ? "encoding without a string argument" : "errors without a string argument");
    return -1;
  }
  if (PyUnicode_Check(source)) {
    if (encoding == nullptr) {
      PyErr_SetString(PyExc_TypeError, "string argument without an encoding");
      return -1;
    }
    auto encoded = Ref<>::steal(PyUnicode_AsEncodedString(source, encoding, errors));
    ByteArgument held;
    return encoded && held.acquire(encoded.get()) && assign_all(self, held.span()) ? 0 : -1;
  }
  if (encoding != nullptr || errors != nullptr) {
    PyErr_SetString(PyExc_TypeError,
                    encoding != nullptr ? "encoding without a string argument" : "errors without a string argument");
    return -1;
  }
  if (PyIndex_Check(source)) {
    const Py_ssize_t count = PyNumber_AsSsize_t(source, PyExc_OverflowError);
    if (count == -1 && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
      PyErr_Clear();
    } else {
      if (count < 0) {
        PyErr_SetString(PyExc_ValueError, "negative count");
        return -1;
      }
      ObjectLock lock(self);
      if (count > 0) {
        if (!resize(self, count)) return -1;
        std::memset(data_of(self), 0, static_cast<size_t>(count));
      }
      return 0;
    }
  }
  ByteBuilder bytes(0);
  if (!PyObject_CheckBuffer(source) && !PyList_CheckExact(source) && !PyTuple_CheckExact(source) &&
      Py_TYPE(source)->tp_iter == nullptr && !PySequence_Check(source)) {
    PyErr_Format(PyExc_TypeError, "cannot convert '%.200s' object to bytearray", Py_TYPE(source)->tp_name);
    return -1;
  }
  if (PyObject_CheckBuffer(source) || PyList_CheckExact(source) || PyTuple_CheckExact(source)) {
    return collect(source, &bytes) && assign_all(self, bytes.span()) ? 0 : -1;
  }
  // An iterator may look at what is there already.
  auto iterator = Ref<>::steal(PyObject_GetIter(source));
  if (!iterator) return -1;
  for (;;) {
    PyObject* next;
    if (PyIter_NextItem(iterator.get(), &next) < 0) return -1;
    if (next == nullptr) return 0;
    auto value = Ref<>::steal(next);
    if (!append_byte(self, value.get())) return -1;
  }
}

PyObject* append(PyObject* self, PyObject* value) {
  if (!append_byte(self, value)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* extend(PyObject* self, PyObject* values) {
  ByteBuilder bytes(0);
  if (!PyObject_CheckBuffer(values)) {
    if (PyUnicode_Check(values)) {
      PyErr_Format(PyExc_TypeError, "expected iterable of integers; got: 'str'");
      return nullptr;
    }
    if (Py_TYPE(values)->tp_iter == nullptr && !PySequence_Check(values)) {
      PyErr_Format(PyExc_TypeError, "can't extend bytearray with %.100s", Py_TYPE(values)->tp_name);
      return nullptr;
    }
  }
  // What a buffer brings lands where the end was when the call began.
  const Py_ssize_t end = PyObject_CheckBuffer(values) ? length(self) : PY_SSIZE_T_MAX;
  if (!collect(values, &bytes)) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t at = std::min(end, Py_SIZE(self));
  if (!assign_range(self, at, at, bytes.span())) return nullptr;
  Py_RETURN_NONE;
}

PyObject* insert(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("insert", nargs, 2, 2)) return nullptr;
  Py_ssize_t at;
  uint8_t byte;
  if (!read_size(args[0], &at) || !read_byte(args[1], &byte)) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (at < 0) at = std::max<Py_ssize_t>(at + size, 0);
  at = std::min(at, size);
  if (!assign_range(self, at, at, {&byte, 1})) return nullptr;
  Py_RETURN_NONE;
}

PyObject* pop(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("pop", nargs, 0, 1)) return nullptr;
  Py_ssize_t at = -1;
  if (nargs > 0 && !read_size(args[0], &at)) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t size = Py_SIZE(self);
  if (size == 0) {
    PyErr_SetString(PyExc_IndexError, "pop from empty bytearray");
    return nullptr;
  }
  if (at < 0) at += size;
  if (at < 0 || at >= size) {
    PyErr_SetString(PyExc_IndexError, "pop index out of range");
    return nullptr;
  }
  const uint8_t byte = data_of(self)[at];
  return assign_range(self, at, at + 1, {nullptr, 0}) ? small_int(byte) : nullptr;
}

PyObject* remove(PyObject* self, PyObject* value) {
  uint8_t byte;
  if (!read_byte(value, &byte)) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t at = find_bytes(ByteArrayKind::span(self), {&byte, 1});
  if (at < 0) {
    PyErr_SetString(PyExc_ValueError, "value not found in bytearray");
    return nullptr;
  }
  if (!assign_range(self, at, at + 1, {nullptr, 0})) return nullptr;
  Py_RETURN_NONE;
}

PyObject* reverse(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  std::reverse(data_of(self), data_of(self) + Py_SIZE(self));
  Py_RETURN_NONE;
}

PyObject* clear(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  if (!resize(self, 0)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* copy(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  return ByteArrayKind::make(data_of(self), Py_SIZE(self));
}

PyObject* resize_method(PyObject* self, PyObject* value) {
  Py_ssize_t size;
  if (!read_size(value, &size)) return nullptr;
  ObjectLock lock(self);
  const Py_ssize_t before = Py_SIZE(self);
  if (PyByteArray_Resize(self, size) < 0) return nullptr;
  if (size > before) std::memset(data_of(self) + before, 0, static_cast<size_t>(size - before));
  Py_RETURN_NONE;
}

PyObject* alloc_method(PyObject* self, PyObject*) { return int_from_int64(sync::load_relaxed(as_array(self)->ob_alloc)); }

PyObject* size_of(PyObject* self, PyObject*) {
  return int_from_int64(Py_TYPE(self)->tp_basicsize + sync::load_relaxed(as_array(self)->ob_alloc));
}

PyObject* reduce_for(PyObject* self, int protocol) {
  auto state = Ref<>::steal(_PyObject_GetState(self));
  if (!state) return nullptr;
  ObjectLock lock(self);
  const char* data = PyByteArray_AS_STRING(self);
  if (protocol >= 3) {
    if (Py_SIZE(self) == 0) return Py_BuildValue("(O()N)", Py_TYPE(self), state.release());
    return Py_BuildValue("(O(y#)N)", Py_TYPE(self), data, Py_SIZE(self), state.release());
  }
  if (Py_SIZE(self) == 0) return Py_BuildValue("(O()N)", Py_TYPE(self), state.release());
  PyObject* text = PyUnicode_DecodeLatin1(data, Py_SIZE(self), nullptr);
  return Py_BuildValue("(O(Ns)N)", Py_TYPE(self), text, "latin-1", state.release());
}
PyObject* reduce(PyObject* self, PyObject*) { return reduce_for(self, 2); }
PyObject* reduce_ex(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__reduce_ex__", nargs, 0, 1)) return nullptr;
  int protocol = 0;
  if (nargs > 0) {
    protocol = PyLong_AsInt(args[0]);
    if (protocol == -1 && PyErr_Occurred()) return nullptr;
  }
  return reduce_for(self, protocol);
}

void dealloc(PyObject* self) {
  auto* a = as_array(self);
  if (a->ob_exports > 0) {
    PyErr_SetString(PyExc_SystemError, "deallocated bytearray object has exported buffers");
    PyErr_Print();
  }
  PyMem_Free(a->ob_bytes);
  Py_TYPE(self)->tp_free(self);
}

// clang-format off
PyMethodDef methods[] = {
    {"__alloc__", alloc_method, METH_NOARGS, "__alloc__($self, /)\n--\n\nHow many bytes are allocated."},
    {"__reduce__", reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nState for pickling."},
    {"__reduce_ex__", _PyCFunction_CAST(reduce_ex), METH_FASTCALL, "__reduce_ex__($self, proto=0, /)\n--\n\nState for pickling."},
    {"__sizeof__", size_of, METH_NOARGS, "__sizeof__($self, /)\n--\n\nThe size in memory, in bytes."},
    {"append", append, METH_O, "append($self, item, /)\n--\n\nAdds one byte at the end."},
    {"clear", clear, METH_NOARGS, "clear($self, /)\n--\n\nRemoves all bytes."},
    {"copy", copy, METH_NOARGS, "copy($self, /)\n--\n\nA copy."},
    {"extend", extend, METH_O, "extend($self, iterable_of_ints, /)\n--\n\nAdds the items of an iterable at the end."},
    {"insert", _PyCFunction_CAST(insert), METH_FASTCALL, "insert($self, index, item, /)\n--\n\nInserts one byte before the index."},
    {"pop", _PyCFunction_CAST(pop), METH_FASTCALL, "pop($self, index=-1, /)\n--\n\nRemoves the byte at the index and returns it."},
    {"remove", remove, METH_O, "remove($self, value, /)\n--\n\nRemoves the first byte of that value."},
    {"resize", resize_method, METH_O, "resize($self, size, /)\n--\n\nMakes the array so long, with zeros where it grows."},
    {"reverse", reverse, METH_NOARGS, "reverse($self, /)\n--\n\nReverses the bytes in place."},
    AMPHIS_BYTES_METHODS(Methods),
    {nullptr, nullptr, 0, nullptr},
};
// clang-format on

PySequenceMethods as_sequence = {
    .sq_length = length,
    .sq_concat = PyByteArray_Concat,
    .sq_repeat = repeat,
    .sq_item = item,
    .sq_ass_item = assign_item,
    .sq_contains = Methods::contains,
    .sq_inplace_concat = inplace_concat,
    .sq_inplace_repeat = inplace_repeat,
};
PyMappingMethods as_mapping = {
    .mp_length = length, .mp_subscript = subscript, .mp_ass_subscript = assign_subscript};
PyBufferProcs as_buffer = {.bf_getbuffer = get_buffer, .bf_releasebuffer = release_buffer};
PyNumberMethods as_number = {.nb_remainder = Methods::modulo};

// The iterator keeps its array until it goes; index -1 means exhausted.
struct ByteArrayIterator {
  PyObject_HEAD
  Py_ssize_t index;
  PyObject* array;
};
inline ByteArrayIterator* as_iterator(PyObject* o) { return reinterpret_cast<ByteArrayIterator*>(o); }

PyObject* iterate(PyObject* self) {
  auto* it = new_gc_object<ByteArrayIterator>(&PyByteArrayIter_Type);
  if (it == nullptr) return PyErr_NoMemory();
  it->index = 0;
  it->array = Py_NewRef(self);
  PyObject_GC_Track(it);
  return reinterpret_cast<PyObject*>(it);
}

PyObject* iterator_next(PyObject* self) {
  auto* it = as_iterator(self);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return nullptr;
  ObjectLock lock(it->array);
  if (i >= Py_SIZE(it->array)) {
    sync::store_relaxed(it->index, Py_ssize_t{-1});
    return nullptr;
  }
  sync::store_relaxed(it->index, i + 1);
  return small_int(data_of(it->array)[i]);
}

PyObject* iterator_length_hint(PyObject* self, PyObject*) {
  auto* it = as_iterator(self);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  return int_from_int64(i < 0 ? 0 : std::max<Py_ssize_t>(PyByteArray_GET_SIZE(it->array) - i, 0));
}

PyObject* iterator_reduce(PyObject* self, PyObject*) {
  auto* it = as_iterator(self);
  auto iter = Ref<>::steal(PyMapping_GetItemString(PyEval_GetBuiltins(), "iter"));
  if (!iter) return nullptr;
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return Py_BuildValue("N(())", iter.release());
  return Py_BuildValue("N(O)n", iter.release(), it->array, i);
}

PyObject* iterator_setstate(PyObject* self, PyObject* state) {
  auto* it = as_iterator(self);
  const Py_ssize_t i = PyLong_AsSsize_t(state);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  if (sync::load_relaxed(it->index) >= 0) {
    sync::store_relaxed(it->index, std::clamp<Py_ssize_t>(i, 0, PyByteArray_GET_SIZE(it->array)));
  }
  Py_RETURN_NONE;
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(self)->array);
  return 0;
}

void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(as_iterator(self)->array);
  PyObject_GC_Del(self);
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS, "How many bytes are left."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "State for pickling."},
    {"__setstate__", iterator_setstate, METH_O, "Sets the position."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyByteArray_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "bytearray",
    .tp_basicsize = sizeof(PyByteArrayObject),
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_as_number = &as_number,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_str = str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_as_buffer = &as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "bytearray(iterable_of_ints) -> bytearray\n"
              "bytearray(string, encoding[, errors]) -> bytearray\n"
              "bytearray(bytes_or_buffer) -> mutable copy of bytes_or_buffer\n"
              "bytearray(int) -> bytes array of size given by the parameter initialized with null bytes\n"
              "bytearray() -> empty bytes array\n"
              "\n"
              "A mutable array of bytes, from any of these.",
    .tp_richcompare = richcompare,
    .tp_iter = iterate,
    .tp_methods = methods,
    .tp_init = init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = PyType_GenericNew,
    .tp_free = PyObject_Free,
};

PyTypeObject PyByteArrayIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "bytearray_iterator",
    .tp_basicsize = sizeof(ByteArrayIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
};

PyObject* PyByteArray_FromStringAndSize(const char* text, Py_ssize_t size) {
  if (size < 0) {
    PyErr_SetString(PyExc_SystemError, "Negative size passed to PyByteArray_FromStringAndSize");
    return nullptr;
  }
  if (size == PY_SSIZE_T_MAX) return PyErr_NoMemory();
  char* memory = nullptr;
  if (size > 0) {
    memory = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size) + 1));
    if (memory == nullptr) return PyErr_NoMemory();
    if (text != nullptr) std::memcpy(memory, text, static_cast<size_t>(size));
    memory[size] = '\0';
  }
  auto* a = new_object<PyByteArrayObject>(&PyByteArray_Type);
  if (a == nullptr) {
    PyMem_Free(memory);
    return PyErr_NoMemory();
  }
  a->ob_base.ob_size = size;
  a->ob_alloc = size > 0 ? size + 1 : 0;
  a->ob_bytes = a->ob_start = memory;
  a->ob_exports = 0;
  return reinterpret_cast<PyObject*>(a);
}

PyObject* PyByteArray_FromObject(PyObject* source) {
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyByteArray_Type), source);
}

PyObject* PyByteArray_Concat(PyObject* a, PyObject* b) {
  ByteArgument left, right;
  if (!PyObject_CheckBuffer(a) || !PyObject_CheckBuffer(b) || !left.acquire(a) || !right.acquire(b)) {
    return concat_error(a, b);
  }
  const ByteSpan x = left.span(), y = right.span();
  if (x.size > PY_SSIZE_T_MAX - y.size) return PyErr_NoMemory();
  PyObject* result = PyByteArray_FromStringAndSize(nullptr, x.size + y.size);
  if (result != nullptr) {
    BufferLock2 lock(left.owner(), right.owner());
    if (x.size > 0) std::memcpy(as_array(result)->ob_start, x.data, static_cast<size_t>(x.size));
    if (y.size > 0) std::memcpy(as_array(result)->ob_start + x.size, y.data, static_cast<size_t>(y.size));
  }
  return result;
}

Py_ssize_t PyByteArray_Size(PyObject* self) { return PyByteArray_GET_SIZE(self); }
char* PyByteArray_AsString(PyObject* self) { return PyByteArray_AS_STRING(self); }

int PyByteArray_Resize(PyObject* self, Py_ssize_t size) {
  if (size < 0) {
    PyErr_Format(PyExc_ValueError, "Can only resize to positive sizes, got %zd", size);
    return -1;
  }
  ObjectLock lock(self);
  return resize(self, size) ? 0 : -1;
}

}  // extern "C"
