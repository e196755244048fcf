// The type `bytes`: the object, construction, sequence behaviour, comparison, and its iterator. The methods that it shares with
// bytearray are in bytes_methods.h; text forms in bytes_text.cpp; % in bytes_format.cpp.
//
// Invariant: the empty bytes and those of one byte are immortal and unique; ob_sval[ob_size] is 0; ob_shash is the
// hash or -1.
#include <algorithm>
#include <cstring>
#include <utility>

#include "gc/object_new.h"
#include "objects/buffer_info.h"
#include "objects/bytes_methods.h"
#include "objects/container_support.h"
#include "sync/atomic_field.h"

namespace amphis {
namespace {

constexpr size_t kDataOffset = offsetof(PyBytesObject, ob_sval);

inline PyBytesObject* as_bytes(PyObject* o) { return reinterpret_cast<PyBytesObject*>(o); }

// The terminating zero of a one-byte object lies in the padding of the struct.
static_assert(sizeof(PyBytesObject) >= kDataOffset + 2);
struct SingleBytes {
  PyBytesObject values[256];
};
template <size_t... I>
constexpr SingleBytes make_singles(std::index_sequence<I...>) {
  return {{PyBytesObject{.ob_base = PyVarObject_HEAD_INIT(&PyBytes_Type, 1) .ob_shash = -1, .ob_sval = {static_cast<char>(I)}}...}};
}
constinit SingleBytes singles = make_singles(std::make_index_sequence<256>{});
constinit PyBytesObject empty = {.ob_base = PyVarObject_HEAD_INIT(&PyBytes_Type, 0) .ob_shash = -1, .ob_sval = {0}};

// Contents not set, except for the final zero.
PyBytesObject* alloc_bytes(Py_ssize_t size) {
  if (static_cast<size_t>(size) > static_cast<size_t>(PY_SSIZE_T_MAX) - kDataOffset - 1) {
    PyErr_SetString(PyExc_OverflowError, "byte string is too large");
    return nullptr;
  }
  auto* b = new_object_sized<PyBytesObject>(&PyBytes_Type, kDataOffset + static_cast<size_t>(size) + 1);
  if (b == nullptr) [[unlikely]] {
    PyErr_NoMemory();
    return nullptr;
  }
  b->ob_base.ob_size = size;
  b->ob_shash = -1;
  b->ob_sval[size] = '\0';
  return b;
}

struct NoLock {
  explicit NoLock(PyObject*) {}
  ~NoLock() {}
};

struct BytesKind {
  using Lock = NoLock;
  using Hold = NoLock;
  static constexpr bool kImmutable = true;
  static PyTypeObject* type() { return &PyBytes_Type; }
  static ByteSpan span(PyObject* o) {
    return {reinterpret_cast<const uint8_t*>(as_bytes(o)->ob_sval), as_bytes(o)->ob_base.ob_size};
  }
  static PyObject* make(const uint8_t* data, Py_ssize_t size) {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), size);
  }
  static PyObject* from(ByteBuilder& builder) { return builder.take_bytes(); }
  static PyObject* share(PyObject* self) { return PyBytes_CheckExact(self) ? Py_NewRef(self) : nullptr; }
};
using Methods = BytesMethods<BytesKind>;

Py_ssize_t length(PyObject* self) { return Py_SIZE(self); }

PyObject* concat(PyObject* a, PyObject* b) {
  ByteArgument left, right;
  const auto fail = [&] {
    PyErr_Format(PyExc_TypeError, "can't concat %.100s to %.100s", Py_TYPE(b)->tp_name, Py_TYPE(a)->tp_name);
    return nullptr;
  };
  if ((!PyBytes_Check(a) && !PyObject_CheckBuffer(a)) || (!PyBytes_Check(b) && !PyObject_CheckBuffer(b))) return fail();
  if (!left.acquire(a) || !right.acquire(b)) return fail();
  const ByteSpan x = left.span(), y = right.span();
  if (x.size == 0 && PyBytes_CheckExact(b)) return Py_NewRef(b);
  if (y.size == 0 && PyBytes_CheckExact(a)) return Py_NewRef(a);
  if (x.size > PY_SSIZE_T_MAX - y.size) return PyErr_NoMemory();
  PyBytesObject* result = alloc_bytes(x.size + y.size);
  if (result == nullptr) return nullptr;
  BufferLock2 lock(left.owner(), right.owner());
  std::memcpy(result->ob_sval, x.data, static_cast<size_t>(x.size));
  std::memcpy(result->ob_sval + x.size, y.data, static_cast<size_t>(y.size));
  return reinterpret_cast<PyObject*>(result);
}

PyObject* repeat(PyObject* self, Py_ssize_t count) {
  const Py_ssize_t size = Py_SIZE(self);
  if (count < 0) count = 0;
  if (count > 0 && size > PY_SSIZE_T_MAX / count) {
    PyErr_SetString(PyExc_OverflowError, "repeated bytes are too long");
    return nullptr;
  }
  const Py_ssize_t total = size * count;
  if (total == size && PyBytes_CheckExact(self)) return Py_NewRef(self);
  // Not the one empty object: what CPython gives here is new, and tracemalloc tells where it was made.
  PyBytesObject* result = alloc_bytes(total);
  if (result == nullptr || total == 0) return reinterpret_cast<PyObject*>(result);
  _PyBytes_Repeat(result->ob_sval, total, as_bytes(self)->ob_sval, size);
  return reinterpret_cast<PyObject*>(result);
}

PyObject* item(PyObject* self, Py_ssize_t i) {
  if (i < 0 || i >= Py_SIZE(self)) {
    PyErr_SetString(PyExc_IndexError, "index out of range");
    return nullptr;
  }
  return small_int(static_cast<uint8_t>(as_bytes(self)->ob_sval[i]));
}

PyObject* subscript(PyObject* self, PyObject* key) {
  const Py_ssize_t size = Py_SIZE(self);
  if (PyIndex_Check(key)) {
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    return item(self, i < 0 ? i + size : i);
  }
  if (!PySlice_Check(key)) {
    PyErr_Format(PyExc_TypeError, "byte indices must be integers or slices, not %.200s", Py_TYPE(key)->tp_name);
    return nullptr;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  const Py_ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
  if (count <= 0) return empty_bytes();
  if (start == 0 && step == 1 && count == size && PyBytes_CheckExact(self)) return Py_NewRef(self);
  const char* data = as_bytes(self)->ob_sval;
  if (step == 1) return PyBytes_FromStringAndSize(data + start, count);
  PyObject* result = PyBytes_FromStringAndSize(nullptr, count);
  if (result == nullptr) return nullptr;
  char* out = as_bytes(result)->ob_sval;
  for (Py_ssize_t i = 0, at = start; i < count; ++i, at += step) out[i] = data[at];
  if (count == 1) {
    const char only = out[0];
    Py_DECREF(result);
    return single_byte(static_cast<uint8_t>(only));
  }
  return result;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  if (flags == PyBUF_SIMPLE && view != nullptr) [[likely]] {
    fill_buffer_info(view, self, as_bytes(self)->ob_sval, Py_SIZE(self), 1, PyBUF_SIMPLE);
    return 0;
  }
  return PyBuffer_FillInfo(view, self, as_bytes(self)->ob_sval, Py_SIZE(self), 1, flags);
}

PyObject* richcompare(PyObject* a, PyObject* b, int op) {
  if (!PyBytes_Check(a) || !PyBytes_Check(b)) {
    if (!warn_comparison(a, b, "bytes", op)) return nullptr;
    Py_RETURN_NOTIMPLEMENTED;
  }
  const Py_ssize_t na = Py_SIZE(a), nb = Py_SIZE(b);
  const char *x = as_bytes(a)->ob_sval, *y = as_bytes(b)->ob_sval;
  if (op == Py_EQ || op == Py_NE) {
    const bool equal = a == b || (na == nb && std::memcmp(x, y, static_cast<size_t>(na)) == 0);
    return PyBool_FromLong(equal == (op == Py_EQ));
  }
  int order = a == b ? 0 : std::memcmp(x, y, static_cast<size_t>(std::min(na, nb)));
  if (order == 0) order = na < nb ? -1 : na > nb;
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

Py_hash_t hash(PyObject* self) {
  Py_hash_t value = sync::load_relaxed(as_bytes(self)->ob_shash);
  if (value == -1) {
    value = Py_HashBuffer(as_bytes(self)->ob_sval, Py_SIZE(self));
    sync::store_relaxed(as_bytes(self)->ob_shash, value);
  }
  return value;
}

PyObject* repr(PyObject* self) { return bytes_repr_text(BytesKind::span(self), false); }

PyObject* str(PyObject* self) {
  if (Py_BytesWarningFlag && PyErr_WarnEx(PyExc_BytesWarning, "str() on a bytes instance", 1) < 0) return nullptr;
  return repr(self);
}

// A str argument without null characters.
bool read_text(PyObject* value, const char* argument, const char** out) {
  if (value == nullptr) return true;
  if (!PyUnicode_Check(value)) {
    _PyArg_BadArgument("bytes", argument, "str", value);
    return false;
  }
  Py_ssize_t size;
  *out = PyUnicode_AsUTF8AndSize(value, &size);
  if (*out == nullptr) return false;
  if (std::strlen(*out) == static_cast<size_t>(size)) return true;
  PyErr_SetString(PyExc_ValueError, "embedded null character");
  return false;
}

PyObject* construct(PyObject* x, PyObject* encoding_object, PyObject* errors_object) {
  const char* encoding = nullptr;
  const char* errors = nullptr;
  if (!read_text(encoding_object, "argument 'encoding'", &encoding) ||
      !read_text(errors_object, "argument 'errors'", &errors)) {
    return nullptr;
  }
  if (x == nullptr) {
    if (encoding == nullptr && errors == nullptr) return empty_bytes();
    PyErr_SetString(PyExc_TypeError,
                    encoding != nullptr ? "encoding without a string argument" : "errors without a string argument");
    return nullptr;
  }
  if (encoding != nullptr) {
    if (PyUnicode_Check(x)) return PyUnicode_AsEncodedString(x, encoding, errors);
    PyErr_SetString(PyExc_TypeError, "encoding without a string argument");
    return nullptr;
  }
  if (errors != nullptr) {
    PyErr_SetString(PyExc_TypeError, PyUnicode_Check(x) ? "string argument without an encoding"
                                                        : "errors without a string argument");
    return nullptr;
  }
  if (PyBytes_CheckExact(x)) return Py_NewRef(x);
  if (!PyLong_CheckExact(x)) {
    auto method = Ref<>::steal(_PyObject_LookupSpecial(x, AMPHIS_STATIC_NAME("__bytes__")));
    if (method) {
      auto result = Ref<>::steal(PyObject_CallNoArgs(method.get()));
      if (!result || PyBytes_Check(result.get())) return result.release();
      PyErr_Format(PyExc_TypeError, "__bytes__ returned non-bytes (type %.200s)", Py_TYPE(result.get())->tp_name);
      return nullptr;
    }
    if (PyErr_Occurred()) return nullptr;
    if (PyUnicode_Check(x)) {
      PyErr_SetString(PyExc_TypeError, "string argument without an encoding");
      return nullptr;
    }
  }
  if (PyIndex_Check(x)) {
    const Py_ssize_t size = PyNumber_AsSsize_t(x, PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_TypeError)) return nullptr;
      PyErr_Clear();  // an __index__ that refuses: the object may still be iterable
    } else {
      if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "negative count");
        return nullptr;
      }
      PyObject* zeros = PyBytes_FromStringAndSize(nullptr, size);
      if (zeros != nullptr && size > 0) std::memset(as_bytes(zeros)->ob_sval, 0, static_cast<size_t>(size));
      return zeros;
    }
  }
  return PyBytes_FromObject(x);
}

PyObject* of_type(PyTypeObject* type, PyObject* value) {
  if (value == nullptr || type == &PyBytes_Type) return value;
  const Py_ssize_t size = Py_SIZE(value);
  PyObject* result = type->tp_alloc(type, size);
  if (result != nullptr) {
    as_bytes(result)->ob_shash = sync::load_relaxed(as_bytes(value)->ob_shash);
    std::memcpy(as_bytes(result)->ob_sval, as_bytes(value)->ob_sval, static_cast<size_t>(size) + 1);
  }
  Py_DECREF(value);
  return result;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"source", "encoding", "errors", nullptr};
  PyObject *x = nullptr, *encoding = nullptr, *errors = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:bytes", const_cast<char**>(names), &x, &encoding, &errors)) {
    return nullptr;
  }
  return of_type(type, construct(x, encoding, errors));
}

PyObject* vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"source", "encoding", "errors", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, PyVectorcall_NARGS(nargsf), kwnames, {"bytes", kNames, 3, 0}, given)) return nullptr;
  return of_type(reinterpret_cast<PyTypeObject*>(type), construct(given[0], given[1], given[2]));
}

PyObject* getnewargs(PyObject* self, PyObject*) {
  return Py_BuildValue("(y#)", as_bytes(self)->ob_sval, Py_SIZE(self));
}

PyObject* bytes_method(PyObject* self, PyObject*) {
  if (PyBytes_CheckExact(self)) return Py_NewRef(self);
  return PyBytes_FromStringAndSize(as_bytes(self)->ob_sval, Py_SIZE(self));
}

void dealloc(PyObject* self) {
  if (PyBytes_CheckExact(self)) {
    free_object(self);
  } else {
    Py_TYPE(self)->tp_free(self);
  }
}

PyMethodDef methods[] = {
    {"__getnewargs__", getnewargs, METH_NOARGS, "__getnewargs__($self, /)\n--\n\n"},
    {"__bytes__", bytes_method, METH_NOARGS, "__bytes__($self, /)\n--\n\nThe value as exactly bytes."},
    AMPHIS_BYTES_METHODS(Methods),
    {nullptr, nullptr, 0, nullptr},
};

PySequenceMethods as_sequence = {
    .sq_length = length,
    .sq_concat = concat,
    .sq_repeat = repeat,
    .sq_item = item,
    .sq_contains = Methods::contains,
};
PyMappingMethods as_mapping = {.mp_length = length, .mp_subscript = subscript};
PyBufferProcs as_buffer = {.bf_getbuffer = get_buffer};
PyNumberMethods as_number = {.nb_remainder = Methods::modulo};

// The iterator: a position in bytes that never change.
struct BytesIterator {
  PyObject_HEAD
  Py_ssize_t index;
  PyObject* bytes;  // null when exhausted (GIL build); kept, with the index at the end, otherwise
};

PyObject* iterate(PyObject* self) {
  auto* it = new_gc_object<BytesIterator>(&PyBytesIter_Type);
  if (it == nullptr) return PyErr_NoMemory();
  it->index = 0;
  it->bytes = Py_NewRef(self);
  PyObject_GC_Track(it);
  return reinterpret_cast<PyObject*>(it);
}

// The bytes stay until the iterator goes: two threads may be in here at once. The index never passes the size by more
// than what was added, so an exhausted iterator stays exhausted.
PyObject* next(PyObject* self) {
  auto* it = reinterpret_cast<BytesIterator*>(self);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0 || i >= Py_SIZE(it->bytes)) {
    sync::store_relaxed(it->index, Py_ssize_t{-1});
    return nullptr;
  }
  sync::store_relaxed(it->index, i + 1);
  return small_int(static_cast<uint8_t>(as_bytes(it->bytes)->ob_sval[i]));
}

PyObject* iterator_length_hint(PyObject* self, PyObject*) {
  auto* it = reinterpret_cast<BytesIterator*>(self);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  return int_from_int64(i < 0 ? 0 : std::max<Py_ssize_t>(Py_SIZE(it->bytes) - i, 0));
}

PyObject* iterator_reduce(PyObject* self, PyObject*) {
  auto* it = reinterpret_cast<BytesIterator*>(self);
  auto builtin = Ref<>::steal(PyEval_GetBuiltins() != nullptr ? PyMapping_GetItemString(PyEval_GetBuiltins(), "iter") : nullptr);
  if (!builtin) return nullptr;
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return Py_BuildValue("N(())", builtin.release());
  return Py_BuildValue("N(O)n", builtin.release(), it->bytes, i);
}

PyObject* iterator_setstate(PyObject* self, PyObject* state) {
  auto* it = reinterpret_cast<BytesIterator*>(self);
  Py_ssize_t i = PyLong_AsSsize_t(state);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  if (sync::load_relaxed(it->index) >= 0) {
    i = std::clamp<Py_ssize_t>(i, 0, Py_SIZE(it->bytes));
    sync::store_relaxed(it->index, i);
  }
  Py_RETURN_NONE;
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<BytesIterator*>(self)->bytes);
  return 0;
}

void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(reinterpret_cast<BytesIterator*>(self)->bytes);
  PyObject_GC_Del(self);
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS, "How many bytes are left."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "State for pickling."},
    {"__setstate__", iterator_setstate, METH_O, "Sets the position."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* single_byte(uint8_t byte) { return reinterpret_cast<PyObject*>(&singles.values[byte]); }
PyObject* empty_bytes() { return reinterpret_cast<PyObject*>(&empty); }

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyBytes_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "bytes",
    .tp_basicsize = kDataOffset + 1,
    .tp_itemsize = 1,
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_as_number = &as_number,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = hash,
    .tp_str = str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_as_buffer = &as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_BYTES_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "bytes(iterable_of_ints) -> bytes\n"
              "bytes(string, encoding[, errors]) -> bytes\n"
              "bytes(bytes_or_buffer) -> immutable copy of bytes_or_buffer\n"
              "bytes(int) -> bytes object of size given by the parameter initialized with null bytes\n"
              "bytes() -> empty bytes object\n"
              "\n"
              "An immutable array of bytes, from any of these.",
    .tp_richcompare = richcompare,
    .tp_iter = iterate,
    .tp_methods = methods,
    .tp_new = make,
    .tp_free = PyObject_Free,
    .tp_vectorcall = vectorcall,
};

PyTypeObject PyBytesIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "bytes_iterator",
    .tp_basicsize = sizeof(BytesIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = next,
    .tp_methods = iterator_methods,
};

PyObject* PyBytes_FromStringAndSize(const char* text, Py_ssize_t size) {
  if (size < 0) {
    PyErr_SetString(PyExc_SystemError, "Negative size passed to PyBytes_FromStringAndSize");
    return nullptr;
  }
  if (size == 0) return empty_bytes();
  // Without text the caller will write: no shared object then.
  if (size == 1 && text != nullptr) return single_byte(static_cast<uint8_t>(*text));
  PyBytesObject* b = alloc_bytes(size);
  if (b == nullptr) return nullptr;
  if (text != nullptr) std::memcpy(b->ob_sval, text, static_cast<size_t>(size));
  return reinterpret_cast<PyObject*>(b);
}

PyObject* PyBytes_FromString(const char* text) {
  return PyBytes_FromStringAndSize(text, static_cast<Py_ssize_t>(std::strlen(text)));
}

PyObject* PyBytes_FromObject(PyObject* x) {
  if (x == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (PyBytes_CheckExact(x)) return Py_NewRef(x);
  if (PyObject_CheckBuffer(x)) {
    Py_buffer view;
    if (PyObject_GetBuffer(x, &view, PyBUF_FULL_RO) < 0) return nullptr;
    PyObject* result = PyBytes_FromStringAndSize(nullptr, view.len);
    if (result != nullptr && view.len > 0 &&
        PyBuffer_ToContiguous(as_bytes(result)->ob_sval, &view, view.len, 'C') < 0) {
      Py_CLEAR(result);
    }
    PyBuffer_Release(&view);
    return result;
  }
  const bool iterable = PyList_CheckExact(x) || PyTuple_CheckExact(x) ||
                        (!PyUnicode_Check(x) && (Py_TYPE(x)->tp_iter != nullptr || PySequence_Check(x)));
  if (!iterable) {
    PyErr_Format(PyExc_TypeError, "cannot convert '%.200s' object to bytes", Py_TYPE(x)->tp_name);
    return nullptr;
  }
  ByteBuilder out(0);
  if (!append_ints(x, &out, "bytes must be in range(0, 256)")) return nullptr;
  return BytesKind::from(out);
}

static int require_bytes(PyObject* x) {
  if (PyBytes_Check(x)) return 0;
  PyErr_Format(PyExc_TypeError, "expected bytes, %.200s found", Py_TYPE(x)->tp_name);
  return -1;
}

Py_ssize_t PyBytes_Size(PyObject* x) { return require_bytes(x) < 0 ? -1 : Py_SIZE(x); }
char* PyBytes_AsString(PyObject* x) { return require_bytes(x) < 0 ? nullptr : as_bytes(x)->ob_sval; }

int PyBytes_AsStringAndSize(PyObject* x, char** text, Py_ssize_t* size) {
  if (text == nullptr) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (require_bytes(x) < 0) return -1;
  *text = as_bytes(x)->ob_sval;
  if (size != nullptr) {
    *size = Py_SIZE(x);
  } else if (std::strlen(*text) != static_cast<size_t>(Py_SIZE(x))) {
    PyErr_SetString(PyExc_ValueError, "embedded null byte");
    return -1;
  }
  return 0;
}

void PyBytes_Concat(PyObject** slot, PyObject* w) {
  if (*slot == nullptr) return;
  PyObject* joined = w != nullptr ? concat(*slot, w) : nullptr;
  Py_SETREF(*slot, joined);
}

void PyBytes_ConcatAndDel(PyObject** slot, PyObject* w) {
  PyBytes_Concat(slot, w);
  Py_XDECREF(w);
}

// Only the one reference in *slot may exist. On failure it is gone and *slot is null.
int _PyBytes_Resize(PyObject** slot, Py_ssize_t size) {
  PyObject* old = *slot;
  if (!PyBytes_Check(old) || size < 0) {
    *slot = nullptr;
    Py_DECREF(old);
    PyErr_BadInternalCall();
    return -1;
  }
  if (Py_SIZE(old) == size) return 0;
  if (Py_SIZE(old) == 0 || size == 0 || !PyBytes_CheckExact(old)) {
    PyObject* fresh = PyBytes_FromStringAndSize(nullptr, size);
    if (fresh != nullptr && size > 0) {
      std::memcpy(as_bytes(fresh)->ob_sval, as_bytes(old)->ob_sval,
                  static_cast<size_t>(std::min(size, Py_SIZE(old))));
    }
    *slot = fresh;
    Py_DECREF(old);
    return fresh == nullptr ? -1 : 0;
  }
  if (Py_REFCNT(old) != 1) {
    *slot = nullptr;
    Py_DECREF(old);
    PyErr_BadInternalCall();
    return -1;
  }
  auto* moved = static_cast<PyBytesObject*>(realloc_object(old, kDataOffset + static_cast<size_t>(size) + 1));
  if (moved == nullptr) {
    *slot = nullptr;
    Py_DECREF(old);
    PyErr_NoMemory();
    return -1;
  }
  moved->ob_base.ob_size = size;
  moved->ob_sval[size] = '\0';
  sync::store_relaxed(moved->ob_shash, Py_hash_t{-1});
  *slot = reinterpret_cast<PyObject*>(moved);
  return 0;
}

PyObject* PyBytes_Join(PyObject* separator, PyObject* iterable) {
  if (separator == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (require_bytes(separator) < 0) return nullptr;
  return Methods::join(separator, iterable);
}

Py_ssize_t _PyBytes_Find(const char* text, Py_ssize_t size, const char* part, Py_ssize_t part_size, Py_ssize_t offset) {
  const Py_ssize_t at = find_bytes({reinterpret_cast<const uint8_t*>(text), size},
                                   {reinterpret_cast<const uint8_t*>(part), part_size});
  return at < 0 ? at : at + offset;
}

Py_ssize_t _PyBytes_ReverseFind(const char* text, Py_ssize_t size, const char* part, Py_ssize_t part_size,
                                Py_ssize_t offset) {
  const Py_ssize_t at = rfind_bytes({reinterpret_cast<const uint8_t*>(text), size},
                                    {reinterpret_cast<const uint8_t*>(part), part_size});
  return at < 0 ? at : at + offset;
}

// Fills `out` with copies of `text`, doubling what is there.
void _PyBytes_Repeat(char* out, Py_ssize_t out_size, const char* text, Py_ssize_t size) {
  if (out_size == 0) return;
  if (size == 1) {
    std::memset(out, *text, static_cast<size_t>(out_size));
    return;
  }
  if (out != text) std::memcpy(out, text, static_cast<size_t>(size));
  for (Py_ssize_t done = size; done < out_size;) {
    const Py_ssize_t n = std::min(done, out_size - done);
    std::memcpy(out + done, out, static_cast<size_t>(n));
    done += n;
  }
}

}  // extern "C"
