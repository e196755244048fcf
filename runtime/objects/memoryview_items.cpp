// The elements of a memoryview: indexing, slicing, assignment, comparison, search, lists, and casts to other formats.
//
// Rule: values are converted to C before the memory is touched, since converting may run code that releases the view; the
// view is checked again afterwards.
#include <algorithm>
#include <cstring>

#include "capi/getargs.h"
#include "objects/buffer_copy.h"
#include "objects/int.h"
#include "objects/memoryview.h"
#include "objects/native_format.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {
namespace {

constexpr size_t kMaxItem = 16;

// The native letter of the view's format, or '\0' with NotImplementedError.
char supported_letter(const Py_buffer* view) {
  const char letter = native_format_letter(view->format);
  if (letter == '\0') PyErr_Format(PyExc_NotImplementedError, "memoryview: format %s not supported", view->format);
  return letter;
}

char* follow(const Py_buffer* view, char* p, int dim) {
  if (view->suboffsets != nullptr && view->suboffsets[dim] >= 0) {
    p = *reinterpret_cast<char**>(p) + view->suboffsets[dim];
  }
  return p;
}

// The address of element `index` of dimension `dim`, reached from `p`; null with IndexError.
char* step_to(const Py_buffer* view, char* p, int dim, Py_ssize_t index) {
  const Py_ssize_t size = view->shape[dim];
  if (index < 0) index += size;
  if (index < 0 || index >= size) {
    PyErr_Format(PyExc_IndexError, "index out of bounds on dimension %d", dim + 1);
    return nullptr;
  }
  return follow(view, p + view->strides[dim] * index, dim);
}

char* address_of(const Py_buffer* view, Py_ssize_t index) {
  return step_to(view, static_cast<char*>(view->buf), 0, index);
}

// The indices of a key that is a tuple.
struct MultiIndex {
  Py_ssize_t at[PyBUF_MAX_NDIM];
  Py_ssize_t count = 0;
};

bool is_index_tuple(PyObject* key) {
  if (!PyTuple_Check(key)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) {
    if (!PyIndex_Check(PyTuple_GET_ITEM(key, i))) return false;
  }
  return true;
}

bool is_slice_tuple(PyObject* key) {
  if (!PyTuple_Check(key) || PyTuple_GET_SIZE(key) == 0) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) {
    if (!PySlice_Check(PyTuple_GET_ITEM(key, i))) return false;
  }
  return true;
}

bool read_indices(const Py_buffer* view, PyObject* key, MultiIndex* out) {
  out->count = PyTuple_GET_SIZE(key);
  if (out->count > view->ndim) {
    PyErr_Format(PyExc_TypeError, "cannot index %d-dimension view with %zd-element tuple", view->ndim, out->count);
    return false;
  }
  for (Py_ssize_t i = 0; i < out->count; ++i) {
    out->at[i] = PyNumber_AsSsize_t(PyTuple_GET_ITEM(key, i), PyExc_IndexError);
    if (out->at[i] == -1 && PyErr_Occurred()) return false;
  }
  return true;
}

char* address_of(const Py_buffer* view, const MultiIndex& index) {
  auto* p = static_cast<char*>(view->buf);
  for (Py_ssize_t i = 0; p != nullptr && i < index.count; ++i) p = step_to(view, p, static_cast<int>(i), index.at[i]);
  return p;
}

PyObject* not_implemented(const char* text) {
  PyErr_SetString(PyExc_NotImplementedError, text);
  return nullptr;
}

PyObject* type_error(const char* text) {
  PyErr_SetString(PyExc_TypeError, text);
  return nullptr;
}

// What a slice object says; reading it may run any code.
struct Slice {
  Py_ssize_t start, stop, step;
  bool read(PyObject* key) { return PySlice_Unpack(key, &start, &stop, &step) == 0; }
};

// Applies a slice to the first dimension.
void slice_first(Py_buffer* view, Slice slice) {
  auto& [start, stop, step] = slice;
  const Py_ssize_t count = PySlice_AdjustIndices(view->shape[0], &start, &stop, step);
  const Py_ssize_t shift = view->strides[0] * start;
  if (view->suboffsets == nullptr || view->suboffsets[0] < 0) {
    view->buf = static_cast<char*>(view->buf) + shift;
  } else {
    view->suboffsets[0] += shift;
  }
  view->shape[0] = count;
  view->strides[0] *= step;
  Py_ssize_t items = 1;
  for (int i = 0; i < view->ndim; ++i) items *= view->shape[i];
  view->len = items * view->itemsize;
}

bool same_structure(const Py_buffer* a, const Py_buffer* b) {
  const char* x = a->format != nullptr ? a->format : "B";
  const char* y = b->format != nullptr ? b->format : "B";
  if (*x == '@') ++x;
  if (*y == '@') ++y;
  return std::strcmp(x, y) == 0 && a->itemsize == b->itemsize && a->ndim == b->ndim &&
         std::equal(a->shape, a->shape + a->ndim, b->shape);
}

// dest[slice] = any object with a buffer of the same structure.
int assign_slice(PyMemoryViewObject* self, PyObject* key, PyObject* value) {
  Py_buffer source;
  if (PyObject_GetBuffer(value, &source, PyBUF_FULL_RO) < 0) return -1;
  struct Guard {
    Py_buffer* view;
    ~Guard() { PyBuffer_Release(view); }
  } guard{&source};
  Slice slice;
  if (!slice.read(key)) return -1;
  // Through a copy: the two may overlap.
  Ref<> copy = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, source.len));
  if (!copy || PyBuffer_ToContiguous(PyBytes_AS_STRING(copy.get()), &source, source.len, 'C') < 0) return -1;
  ViewLock lock(self);
  if (!view_usable(self)) return -1;
  Py_ssize_t shape, stride, suboffset;
  Py_buffer target = self->view;
  shape = self->view.shape[0];
  stride = self->view.strides[0];
  target.shape = &shape;
  target.strides = &stride;
  if (target.suboffsets != nullptr) {
    suboffset = target.suboffsets[0];
    target.suboffsets = &suboffset;
  }
  slice_first(&target, slice);
  FullView full(&source);
  if (!same_structure(&target, full.get())) {
    PyErr_SetString(PyExc_ValueError, "memoryview assignment: lvalue and rvalue have different structures");
    return -1;
  }
  return target.len > 0 ? PyBuffer_FromContiguous(&target, PyBytes_AS_STRING(copy.get()), target.len, 'C') : 0;
}

PyObject* list_of(const Py_buffer* view, char* p, int dim, char letter) {
  if (dim == view->ndim) return unpack_native(p, letter);
  const Py_ssize_t count = view->shape[dim];
  auto list = Ref<>::steal(PyList_New(count));
  for (Py_ssize_t i = 0; list && i < count; ++i) {
    PyObject* item = list_of(view, follow(view, p + i * view->strides[dim], dim), dim + 1, letter);
    if (item == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), i, item);
  }
  return list.release();
}

// Reads elements of any format: native letters directly, others through struct.Struct.unpack.
class ElementReader {
 public:
  bool prepare(const char* format, Py_ssize_t itemsize) {
    itemsize_ = itemsize;
    letter_ = native_format_letter(format);
    if (letter_ != '\0') return true;
    auto module = Ref<>::steal(PyImport_ImportModule("struct"));
    auto type = module ? Ref<>::steal(PyObject_GetAttrString(module.get(), "Struct")) : Ref<>();
    auto instance = type ? Ref<>::steal(PyObject_CallFunction(type.get(), "s", format)) : Ref<>();
    if (instance) unpack_ = Ref<>::steal(PyObject_GetAttrString(instance.get(), "unpack"));
    return static_cast<bool>(unpack_);
  }
  char letter() const { return letter_; }
  PyObject* read(const char* p) const {
    if (letter_ != '\0') return unpack_native(p, letter_);
    auto bytes = Ref<>::steal(PyBytes_FromStringAndSize(p, itemsize_));
    if (!bytes) return nullptr;
    auto values = Ref<>::steal(PyObject_CallOneArg(unpack_.get(), bytes.get()));
    if (!values || PyTuple_GET_SIZE(values.get()) != 1) return values.release();
    return Py_NewRef(PyTuple_GET_ITEM(values.get(), 0));
  }

 private:
  char letter_ = '\0';
  Py_ssize_t itemsize_ = 0;
  Ref<> unpack_;
};

// 1 equal, 0 different, -1 error.
int equal_elements(const Py_buffer* a, char* p, const ElementReader& left, const Py_buffer* b, char* q,
                   const ElementReader& right, int dim) {
  if (dim == a->ndim) {
    auto x = Ref<>::steal(left.read(p));
    auto y = x ? Ref<>::steal(right.read(q)) : Ref<>();
    // Not by identity: a NaN is not equal to itself.
    auto result = y ? Ref<>::steal(PyObject_RichCompare(x.get(), y.get(), Py_EQ)) : Ref<>();
    return result ? PyObject_IsTrue(result.get()) : -1;
  }
  for (Py_ssize_t i = 0; i < a->shape[dim]; ++i) {
    const int result = equal_elements(a, follow(a, p + i * a->strides[dim], dim), left, b,
                                      follow(b, q + i * b->strides[dim], dim), right, dim + 1);
    if (result != 1) return result;
  }
  return 1;
}

bool equal_as_bytes(char letter) { return std::strchr("cbBhHiIlLqQnNP", letter) != nullptr; }

int equal_views(const Py_buffer* a, const Py_buffer* b) {
  if (a->ndim != b->ndim || !std::equal(a->shape, a->shape + a->ndim, b->shape)) return 0;
  ElementReader left, right;
  if (!left.prepare(a->format, a->itemsize) || !right.prepare(b->format != nullptr ? b->format : "B", b->itemsize)) {
    // Formats that struct does not know compare unequal.
    PyErr_Clear();
    return 0;
  }
  BufferLock2 lock(buffer_owner(a), buffer_owner(b));
  if (left.letter() != '\0' && left.letter() == right.letter() && equal_as_bytes(left.letter()) &&
      PyBuffer_IsContiguous(a, 'C') && PyBuffer_IsContiguous(b, 'C')) {
    return std::memcmp(a->buf, b->buf, static_cast<size_t>(a->len)) == 0;
  }
  return equal_elements(a, static_cast<char*>(a->buf), left, b, static_cast<char*>(b->buf), right, 0);
}

bool has_zero(const Py_ssize_t* values, int count) { return std::find(values, values + count, 0) != values + count; }

// Turns a view into one dimension of elements of the new format.
bool cast_to_1d(PyMemoryViewObject* self, PyObject* format) {
  const char* text = PyUnicode_AsUTF8(format);
  if (text == nullptr) return false;
  const char from = native_format_letter(self->view.format);
  if (from == '\0') {
    PyErr_SetString(PyExc_ValueError,
                    "memoryview: source format must be a native single character format prefixed with an optional '@'");
    return false;
  }
  const char to = *text != '\0' ? native_format_letter(text) : '\0';
  if (to == '\0') {
    PyErr_SetString(
        PyExc_ValueError,
        "memoryview: destination format must be a native single character format prefixed with an optional '@'");
    return false;
  }
  const auto is_byte = [](char c) { return c == 'b' || c == 'B' || c == 'c'; };
  if (!is_byte(from) && !is_byte(to)) {
    PyErr_SetString(PyExc_TypeError, "memoryview: cannot cast between two non-byte formats");
    return false;
  }
  const Py_ssize_t itemsize = native_format_size(to);
  if (self->view.len % itemsize != 0) {
    PyErr_SetString(PyExc_TypeError, "memoryview: length is not a multiple of itemsize");
    return false;
  }
  // Format texts that never go away.
  static const char kFormats[][3] = {"c", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "n", "N", "f", "d", "e", "?", "P",
                                     "@c", "@b", "@B", "@h", "@H", "@i", "@I", "@l", "@L", "@q", "@Q", "@n", "@N", "@f", "@d",
                                     "@e", "@?", "@P"};
  for (const auto& known : kFormats) {
    if (std::strcmp(known, text) == 0) self->view.format = const_cast<char*>(known);
  }
  self->view.itemsize = itemsize;
  self->view.ndim = 1;
  self->view.shape = self->ob_array;
  self->view.strides = self->ob_array + 1;
  self->view.shape[0] = self->view.len / itemsize;
  self->view.strides[0] = itemsize;
  self->view.suboffsets = nullptr;
  update_view_flags(self);
  return true;
}

// The sizes in a list or tuple; their product must be the number of elements.
bool read_shape(PyMemoryViewObject* self, PyObject* shape, Py_ssize_t* out) {
  const Py_ssize_t ndim = PySequence_Fast_GET_SIZE(shape);
  Py_ssize_t product = self->view.itemsize;
  for (Py_ssize_t i = 0; i < ndim; ++i) {
    PyObject* value = PySequence_Fast_GET_ITEM(shape, i);
    if (!PyLong_Check(value)) {
      PyErr_SetString(PyExc_TypeError, "memoryview.cast(): elements of shape must be integers");
      return false;
    }
    out[i] = PyLong_AsSsize_t(value);
    if (out[i] == -1 && PyErr_Occurred()) return false;
    if (out[i] <= 0) {
      PyErr_SetString(PyExc_ValueError, "memoryview.cast(): elements of shape must be integers > 0");
      return false;
    }
    if (out[i] > PY_SSIZE_T_MAX / product) {
      PyErr_SetString(PyExc_ValueError, "memoryview.cast(): product(shape) > SSIZE_MAX");
      return false;
    }
    product *= out[i];
  }
  if (product != self->view.len) {
    PyErr_SetString(PyExc_TypeError, "memoryview: product(shape) * itemsize != buffer size");
    return false;
  }
  return true;
}

// The most common access: a small index into a plain run of unsigned bytes. Null when it is anything else. Under the lock.
inline char* byte_at(PyMemoryViewObject* self, PyObject* key) {
  const Py_buffer& view = self->view;
  int64_t index;
  if (view_released(self) || (sync::load_relaxed(self->mbuf->flags) & _Py_MANAGED_BUFFER_RELEASED) || view.ndim != 1 ||
      view.suboffsets != nullptr || view.format[0] != 'B' || view.format[1] != '\0' || !PyLong_CheckExact(key) ||
      !compact_value(key, &index) || static_cast<uint64_t>(index) >= static_cast<uint64_t>(view.shape[0])) {
    return nullptr;
  }
  return static_cast<char*>(view.buf) + index * view.strides[0];
}

}  // namespace

PyObject* memoryview_item(PyObject* o, Py_ssize_t index) {
  PyMemoryViewObject* self = as_view(o);
  ViewLock lock(self);
  if (!view_usable(self)) return nullptr;
  const char letter = supported_letter(&self->view);
  if (letter == '\0') return nullptr;
  if (self->view.ndim == 0) return type_error("invalid indexing of 0-dim memory");
  if (self->view.ndim > 1) return not_implemented("multi-dimensional sub-views are not implemented");
  const char* p = address_of(&self->view, index);
  return p != nullptr ? unpack_native(p, letter) : nullptr;
}

PyObject* memoryview_subscript(PyObject* o, PyObject* key) {
  PyMemoryViewObject* self = as_view(o);
  {
    ViewLock lock(self);
    if (const char* p = byte_at(self, key)) return small_int(static_cast<unsigned char>(*p));
  }
  if (!view_usable(self)) return nullptr;
  if (self->view.ndim == 0) {
    if (PyTuple_Check(key) && PyTuple_GET_SIZE(key) == 0) {
      ViewLock lock(self);
      if (!view_usable(self)) return nullptr;
      const char letter = supported_letter(&self->view);
      return letter != '\0' ? unpack_native(static_cast<char*>(self->view.buf), letter) : nullptr;
    }
    if (key == Py_Ellipsis) return Py_NewRef(o);
    return type_error("invalid indexing of 0-dim memory");
  }
  if (PyIndex_Check(key)) {
    const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return nullptr;
    return memoryview_item(o, index);
  }
  if (PySlice_Check(key)) {
    Ref<> result;
    {
      ObjectLock lock(o);
      if (!view_usable(self)) return nullptr;
      result = Ref<>::steal(view_of_view(self));
    }
    Slice slice;
    if (!result || !slice.read(key)) return nullptr;
    slice_first(&as_view(result.get())->view, slice);
    update_view_flags(as_view(result.get()));
    return result.release();
  }
  if (is_index_tuple(key)) {
    const char letter = supported_letter(&self->view);
    if (letter == '\0') return nullptr;
    if (PyTuple_GET_SIZE(key) < self->view.ndim) return not_implemented("sub-views are not implemented");
    MultiIndex index;
    if (!read_indices(&self->view, key, &index)) return nullptr;
    ViewLock lock(self);
    if (!view_usable(self)) return nullptr;
    const char* p = address_of(&self->view, index);
    return p != nullptr ? unpack_native(p, letter) : nullptr;
  }
  if (is_slice_tuple(key)) return not_implemented("multi-dimensional slicing is not implemented");
  return type_error("memoryview: invalid slice key");
}

int memoryview_assign(PyObject* o, PyObject* key, PyObject* value) {
  PyMemoryViewObject* self = as_view(o);
  int64_t byte;
  if (value != nullptr && PyLong_CheckExact(value) && compact_value(value, &byte) && (byte & ~int64_t{255}) == 0) {
    ViewLock lock(self);
    char* p = self->view.readonly ? nullptr : byte_at(self, key);
    if (p != nullptr) {
      // Two getbuffer() of one BytesIO are two owners of the same memory.
      sync::store_relaxed(*p, static_cast<char>(byte));
      return 0;
    }
  }
  if (!view_usable(self)) return -1;
  const char letter = supported_letter(&self->view);
  if (letter == '\0') return -1;
  if (self->view.readonly) {
    type_error("cannot modify read-only memory");
    return -1;
  }
  if (value == nullptr) {
    type_error("cannot delete memory");
    return -1;
  }
  char item[kMaxItem];
  MultiIndex index;
  if (self->view.ndim == 0) {
    if (key != Py_Ellipsis && !(PyTuple_Check(key) && PyTuple_GET_SIZE(key) == 0)) {
      type_error("invalid indexing of 0-dim memory");
      return -1;
    }
  } else if (PyIndex_Check(key)) {
    if (self->view.ndim > 1) {
      not_implemented("sub-views are not implemented");
      return -1;
    }
    index.at[0] = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index.at[0] == -1 && PyErr_Occurred()) return -1;
    index.count = 1;
  } else if (PySlice_Check(key)) {
    if (self->view.ndim == 1) return assign_slice(self, key, value);
    not_implemented("memoryview slice assignments are currently restricted to ndim = 1");
    return -1;
  } else if (is_index_tuple(key)) {
    if (PyTuple_GET_SIZE(key) < self->view.ndim) {
      not_implemented("sub-views are not implemented");
      return -1;
    }
    if (!read_indices(&self->view, key, &index)) return -1;
  } else {
    if (is_slice_tuple(key)) {
      not_implemented("memoryview slice assignments are currently restricted to ndim = 1");
    } else {
      type_error("memoryview: invalid slice key");
    }
    return -1;
  }
  // An index that is out of bounds is reported before the value is looked at.
  if (address_of(&self->view, index) == nullptr || !pack_native(item, value, letter)) return -1;
  ViewLock lock(self);
  if (!view_usable(self)) return -1;
  char* p = address_of(&self->view, index);
  if (p == nullptr) return -1;
  std::memcpy(p, item, static_cast<size_t>(self->view.itemsize));
  return 0;
}

PyObject* memoryview_tolist(PyObject* o, PyObject*) {
  PyMemoryViewObject* self = as_view(o);
  ViewLock lock(self);
  if (!view_usable(self)) return nullptr;
  const char letter = supported_letter(&self->view);
  return letter != '\0' ? list_of(&self->view, static_cast<char*>(self->view.buf), 0, letter) : nullptr;
}

PyObject* memoryview_compare(PyObject* o, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyMemoryView_Check(o)) Py_RETURN_NOTIMPLEMENTED;
  PyMemoryViewObject* self = as_view(o);
  if (view_released(self)) return PyBool_FromLong((o == other) == (op == Py_EQ));
  if (PyMemoryView_Check(other) && view_released(as_view(other))) {
    return PyBool_FromLong((o == other) == (op == Py_EQ));
  }
  // Buffers of both keep the memory in place while elements are compared.
  Py_buffer left, right;
  if (PyObject_GetBuffer(o, &left, PyBUF_FULL_RO) < 0) return nullptr;
  if (PyObject_GetBuffer(other, &right, PyBUF_FULL_RO) < 0) {
    PyErr_Clear();
    PyBuffer_Release(&left);
    Py_RETURN_NOTIMPLEMENTED;
  }
  int result;
  {
    FullView a(&left), b(&right);
    result = equal_views(a.get(), b.get());
  }
  PyBuffer_Release(&left);
  PyBuffer_Release(&right);
  return result < 0 ? nullptr : PyBool_FromLong((result == 1) == (op == Py_EQ));
}

PyObject* memoryview_cast(PyObject* o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"format", "shape", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"cast", kNames, 2, 1}, given)) return nullptr;
  if (!PyUnicode_Check(given[0])) {
    _PyArg_BadArgument("cast", "argument 'format'", "str", given[0]);
    return nullptr;
  }
  PyObject* shape = given[1];
  PyMemoryViewObject* self = as_view(o);
  ObjectLock lock(o);
  if (!view_usable(self)) return nullptr;
  if (!(self->flags & _Py_MEMORYVIEW_C)) return type_error("memoryview: casts are restricted to C-contiguous views");
  if ((shape != nullptr || self->view.ndim != 1) && self->view.ndim > 0 &&
      (has_zero(self->view.shape, self->view.ndim) || has_zero(self->view.strides, self->view.ndim))) {
    return type_error("memoryview: cannot cast view with zeros in shape or strides");
  }
  Py_ssize_t ndim = 1;
  if (shape != nullptr) {
    if (!PyList_Check(shape) && !PyTuple_Check(shape)) return type_error("shape must be a list or a tuple");
    ndim = PySequence_Fast_GET_SIZE(shape);
    if (ndim > PyBUF_MAX_NDIM) {
      PyErr_SetString(PyExc_ValueError, "memoryview: number of dimensions must not exceed 64");
      return nullptr;
    }
    if (self->view.ndim != 1 && ndim != 1) return type_error("memoryview: cast must be 1D -> ND or ND -> 1D");
  }
  // A view with room for the larger of the two numbers of dimensions.
  Py_buffer layout = self->view;
  Py_ssize_t ones[PyBUF_MAX_NDIM], steps[PyBUF_MAX_NDIM];
  layout.ndim = static_cast<int>(std::max<Py_ssize_t>(ndim, 1));
  std::fill_n(ones, layout.ndim, Py_ssize_t{1});
  std::fill_n(steps, layout.ndim, self->view.itemsize);
  layout.shape = ones;
  layout.strides = steps;
  layout.suboffsets = nullptr;
  auto result = Ref<>::steal(view_with_layout(self, &layout));
  if (!result) return nullptr;
  PyMemoryViewObject* view = as_view(result.get());
  if (!cast_to_1d(view, given[0])) return nullptr;
  if (shape != nullptr) {
    Py_ssize_t sizes[PyBUF_MAX_NDIM];
    auto items = Ref<>::steal(PySequence_Tuple(shape));
    if (!items || !read_shape(view, items.get(), sizes)) return nullptr;
    view->view.ndim = static_cast<int>(ndim);
    view->view.shape = ndim > 0 ? view->ob_array : nullptr;
    view->view.strides = ndim > 0 ? view->ob_array + ndim : nullptr;
    std::copy_n(sizes, ndim, view->ob_array);
    if (ndim > 0) {
      PyBuffer_FillContiguousStrides(view->view.ndim, view->view.shape, view->view.strides,
                                     static_cast<int>(view->view.itemsize), 'C');
    }
    update_view_flags(view);
  }
  return result.release();
}

PyObject* memoryview_count(PyObject* o, PyObject* value) {
  auto iterator = Ref<>::steal(PyObject_GetIter(o));
  if (!iterator) return nullptr;
  Py_ssize_t count = 0;
  for (;;) {
    PyObject* next;
    if (PyIter_NextItem(iterator.get(), &next) < 0) return nullptr;
    if (next == nullptr) return int_from_int64(count);
    auto item = Ref<>::steal(next);
    const int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal < 0) return nullptr;
    count += equal;
  }
}

PyObject* memoryview_index(PyObject* o, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("index", nargs, 1, 3)) return nullptr;
  Py_ssize_t start = 0, stop = PY_SSIZE_T_MAX;
  if (nargs > 1 && !_PyEval_SliceIndexNotNone(args[1], &start)) return nullptr;
  if (nargs > 2 && !_PyEval_SliceIndexNotNone(args[2], &stop)) return nullptr;
  PyMemoryViewObject* self = as_view(o);
  if (!view_usable(self)) return nullptr;
  if (self->view.ndim == 0) return type_error("invalid lookup on 0-dim memory");
  if (self->view.ndim != 1) return not_implemented("multi-dimensional lookup is not implemented");
  const Py_ssize_t size = self->view.shape[0];
  if (start < 0) start = std::max<Py_ssize_t>(start + size, 0);
  if (stop < 0) stop = std::max<Py_ssize_t>(stop + size, 0);
  stop = std::min(stop, size);
  for (Py_ssize_t i = start; i < stop; ++i) {
    auto item = Ref<>::steal(memoryview_item(o, i));
    if (!item) return nullptr;
    const int equal = PyObject_RichCompareBool(item.get(), args[0], Py_EQ);
    if (equal < 0) return nullptr;
    if (equal) return int_from_int64(i);
  }
  PyErr_SetString(PyExc_ValueError, "memoryview.index(x): x not found");
  return nullptr;
}

}  // namespace amphis
