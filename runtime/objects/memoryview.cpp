// The type `memoryview`: the managed buffer behind it, its life, the buffer that it exports in turn, attributes and simple methods.
// Indexing, assignment, comparison and casting are in memoryview_items.cpp.
//
// Invariant: a managed buffer holds one buffer of the exporter and counts the views that are not released; the exporter's
// buffer is released with the last of them. A view counts the buffers that others hold of it and cannot be
// released before they are. Flags and counts are changed under the lock of the object they are in.
#include "objects/memoryview.h"

#include <algorithm>
#include <cstring>

#include "capi/getargs.h"
#include "gc/object_new.h"
#include "objects/buffer_copy.h"
#include "objects/bytes_span.h"
#include "objects/int.h"
#include "objects/native_format.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {
namespace {

using ManagedBuffer = _PyManagedBufferObject;

constexpr size_t kArrayOffset = offsetof(PyMemoryViewObject, ob_array);

ManagedBuffer* new_managed_buffer() {
  auto* m = new_gc_object<ManagedBuffer>(&_PyManagedBuffer_Type);
  if (m == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  m->flags = 0;
  m->exports = 0;
  m->master.obj = nullptr;
  PyObject_GC_Track(m);
  return m;
}

ManagedBuffer* buffer_of_object(PyObject* base, int flags) {
  ManagedBuffer* m = new_managed_buffer();
  if (m == nullptr) return nullptr;
  if (PyObject_GetBuffer(base, &m->master, flags) < 0) {
    m->master.obj = nullptr;
    Py_DECREF(m);
    return nullptr;
  }
  return m;
}

// Hands the exporter's buffer back; once.
void release_managed(ManagedBuffer* m) {
  {
    ObjectLock lock(m);
    if (m->flags & _Py_MANAGED_BUFFER_RELEASED) return;
    sync::store_relaxed(m->flags, m->flags | _Py_MANAGED_BUFFER_RELEASED);
  }
  PyObject_GC_UnTrack(m);
  PyBuffer_Release(&m->master);
}

void managed_dealloc(PyObject* self) {
  auto* m = reinterpret_cast<ManagedBuffer*>(self);
  if (!(m->flags & _Py_MANAGED_BUFFER_RELEASED)) {
    release_managed(m);
  }
  if (m->flags & _Py_MANAGED_BUFFER_FREE_FORMAT) PyMem_Free(m->master.format);
  PyObject_GC_Del(self);
}

int managed_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<ManagedBuffer*>(self)->master.obj);
  return 0;
}

int managed_clear(PyObject* self) {
  auto* m = reinterpret_cast<ManagedBuffer*>(self);
  if (m->exports == 0) release_managed(m);
  return 0;
}

// A view on `buffer` with the layout of `source`.
PyObject* add_view(ManagedBuffer* buffer, const Py_buffer* source) {
  const int ndim = source->ndim;
  if (ndim > PyBUF_MAX_NDIM) {
    PyErr_SetString(PyExc_ValueError, "memoryview: number of dimensions must not exceed 64");
    return nullptr;
  }
  // The array has room for ndim entries each of shape, strides and suboffsets.
  auto* self = new_gc_object_sized<PyMemoryViewObject>(
      &PyMemoryView_Type, kArrayOffset + static_cast<size_t>(std::max(3 * ndim, 1)) * sizeof(Py_ssize_t));
  if (self == nullptr) return PyErr_NoMemory();
  self->ob_base.ob_size = 3 * ndim;
  self->hash = -1;
  self->flags = 0;
  self->exports = 0;
  self->weakreflist = nullptr;
  self->view = *source;
  self->view.internal = nullptr;
  self->view.shape = self->view.strides = self->view.suboffsets = nullptr;
  if (self->view.format == nullptr) self->view.format = const_cast<char*>("B");
  if (ndim > 0) {
    self->view.shape = self->ob_array;
    self->view.strides = self->ob_array + ndim;
    if (ndim == 1) {
      self->view.shape[0] = source->shape != nullptr ? source->shape[0] : source->len / source->itemsize;
      self->view.strides[0] = source->strides != nullptr ? source->strides[0] : source->itemsize;
    } else {
      std::copy_n(source->shape, ndim, self->view.shape);
      if (source->strides != nullptr) {
        std::copy_n(source->strides, ndim, self->view.strides);
      } else {
        PyBuffer_FillContiguousStrides(ndim, self->view.shape, self->view.strides, static_cast<int>(source->itemsize), 'C');
      }
    }
    if (source->suboffsets != nullptr) {
      self->view.suboffsets = self->ob_array + 2 * ndim;
      std::copy_n(source->suboffsets, ndim, self->view.suboffsets);
    }
  }
  update_view_flags(self);
  self->mbuf = reinterpret_cast<ManagedBuffer*>(Py_NewRef(reinterpret_cast<PyObject*>(buffer)));
  {
    LeafLock lock(buffer);
    ++buffer->exports;
  }
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

bool managed_usable(ManagedBuffer* m) {
  if (!(sync::load_relaxed(m->flags) & _Py_MANAGED_BUFFER_RELEASED)) return true;
  PyErr_SetString(PyExc_ValueError, "operation forbidden on released memoryview object");
  return false;
}

// Ends the view's use of the memory, unless buffers of it are held: then nothing happens, and the result is how many. Nothing
// to do the second time.
Py_ssize_t drop_view(PyMemoryViewObject* self) {
  {
    LeafLock lock(self);
    if (self->flags & _Py_MEMORYVIEW_RELEASED) return 0;
    if (self->exports > 0) return self->exports;
    sync::store_relaxed(self->flags, self->flags | _Py_MEMORYVIEW_RELEASED);
  }
  bool last;
  {
    LeafLock lock(self->mbuf);
    last = --self->mbuf->exports == 0;
  }
  if (last) release_managed(self->mbuf);
  return 0;
}

void dealloc(PyObject* o) {
  PyMemoryViewObject* self = as_view(o);
  PyObject_GC_UnTrack(o);
  if (self->mbuf != nullptr) {
    drop_view(self);
    Py_CLEAR(self->mbuf);
  }
  if (sync::load_acquire(self->weakreflist) != nullptr) PyObject_ClearWeakRefs(o);
  PyObject_GC_Del(o);
}

int traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<PyObject*>(as_view(o)->mbuf));
  return 0;
}

int clear(PyObject* o) {
  PyMemoryViewObject* self = as_view(o);
  if (self->exports == 0 && self->mbuf != nullptr) {
    drop_view(self);
    Py_CLEAR(self->mbuf);
  }
  return 0;
}

bool buffer_error(const char* text) {
  PyErr_SetString(PyExc_BufferError, text);
  return false;
}

bool fits_request(PyMemoryViewObject* self, int flags) {
  const bool c = self->flags & (_Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_C);
  const bool indirect = self->flags & _Py_MEMORYVIEW_PIL;
  // What nearly every reader asks for and nearly every view can give.
  if (flags == PyBUF_SIMPLE && c && !indirect) [[likely]] return true;
  const bool fortran = self->flags & (_Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_FORTRAN);
  const auto wants = [flags](int request) { return (flags & request) == request; };
  if (wants(PyBUF_WRITABLE) && self->view.readonly) {
    return buffer_error("memoryview: underlying buffer is not writable");
  }
  if (wants(PyBUF_C_CONTIGUOUS) && !c) return buffer_error("memoryview: underlying buffer is not C-contiguous");
  if (wants(PyBUF_F_CONTIGUOUS) && !fortran) {
    return buffer_error("memoryview: underlying buffer is not Fortran contiguous");
  }
  if (wants(PyBUF_ANY_CONTIGUOUS) && !c && !fortran) {
    return buffer_error("memoryview: underlying buffer is not contiguous");
  }
  if (!wants(PyBUF_INDIRECT) && indirect) return buffer_error("memoryview: underlying buffer requires suboffsets");
  if (!wants(PyBUF_STRIDES) && !c) return buffer_error("memoryview: underlying buffer is not C-contiguous");
  if (!wants(PyBUF_ND) && (flags & PyBUF_FORMAT)) {
    return buffer_error("memoryview: cannot cast to unsigned bytes if the format flag is present");
  }
  return true;
}

// A view that is usable now stays so while somebody holds a buffer of it.
void add_exports(PyObject* o, Py_ssize_t change) {
  with_leaf_lock(o, [=] { as_view(o)->exports += change; });
}

void release_buffer(PyObject* o, Py_buffer*) { add_exports(o, -1); }

bool may_export(PyMemoryViewObject* self, int flags) {
  const bool usable = !view_released(self) && !(sync::load_relaxed(self->mbuf->flags) & _Py_MANAGED_BUFFER_RELEASED);
  if (!usable) [[unlikely]] return view_usable(self);
  if (self->flags & _Py_MEMORYVIEW_RESTRICTED) {
    PyErr_SetString(PyExc_ValueError, "cannot create new view on restricted memoryview");
    return false;
  }
  return fits_request(self, flags);
}

int get_buffer(PyObject* o, Py_buffer* view, int flags) {
  PyMemoryViewObject* self = as_view(o);
  view->obj = nullptr;
  add_exports(o, 1);
  if (!may_export(self, flags)) [[unlikely]] {
    add_exports(o, -1);
    return -1;
  }
  *view = self->view;
  if (!(flags & PyBUF_FORMAT)) view->format = nullptr;
  if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) view->strides = nullptr;
  if (!(flags & PyBUF_ND)) {
    // A request for plain bytes.
    view->ndim = 1;
    view->shape = nullptr;
  }
  view->obj = Py_NewRef(o);
  return 0;
}

PyObject* release(PyObject* o, PyObject*) {
  const Py_ssize_t exports = drop_view(as_view(o));
  if (exports > 0) {
    return PyErr_Format(PyExc_BufferError, "memoryview has %zd exported buffer%s", exports, exports == 1 ? "" : "s");
  }
  Py_RETURN_NONE;
}

PyObject* enter(PyObject* o, PyObject*) { return view_usable(as_view(o)) ? Py_NewRef(o) : nullptr; }
PyObject* exit(PyObject* o, PyObject* const*, Py_ssize_t) { return release(o, nullptr); }

PyObject* to_readonly(PyObject* o, PyObject*) {
  ObjectLock lock(o);
  if (!view_usable(as_view(o))) return nullptr;
  PyObject* copy = view_of_view(as_view(o));
  if (copy != nullptr) as_view(copy)->view.readonly = 1;
  return copy;
}

PyObject* bytes_in_order(PyMemoryViewObject* self, char order) {
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, self->view.len);
  if (bytes == nullptr || self->view.len == 0) return bytes;
  if (PyBuffer_ToContiguous(PyBytes_AS_STRING(bytes), &self->view, self->view.len, order) < 0) Py_CLEAR(bytes);
  return bytes;
}

PyObject* to_bytes(PyObject* o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"order", nullptr};
  PyObject* given[1];
  if (!unpack_keywords(args, nargs, kwnames, {"tobytes", kNames, 1, 0}, given)) return nullptr;
  char order = 'C';
  if (given[0] != nullptr && given[0] != Py_None) {
    if (!PyUnicode_Check(given[0])) {
      _PyArg_BadArgument("tobytes", "argument 'order'", "str or None", given[0]);
      return nullptr;
    }
    order = PyUnicode_GET_LENGTH(given[0]) == 1 ? static_cast<char>(PyUnicode_READ_CHAR(given[0], 0)) : '\0';
    if (order != 'C' && order != 'F' && order != 'A') {
      PyErr_SetString(PyExc_ValueError, "order must be 'C', 'F' or 'A'");
      return nullptr;
    }
  }
  PyMemoryViewObject* self = as_view(o);
  ViewLock lock(self);
  if (!view_usable(self)) return nullptr;
  if (order == 'A') order = self->flags & _Py_MEMORYVIEW_FORTRAN && !(self->flags & _Py_MEMORYVIEW_C) ? 'F' : 'C';
  return bytes_in_order(self, order);
}

// Counts as an export of the view: it cannot be released while other code runs.
class ExportHold {
 public:
  explicit ExportHold(PyObject* o) : o_(o) {
    ObjectLock lock(o_);
    ++as_view(o_)->exports;
  }
  ~ExportHold() {
    ObjectLock lock(o_);
    --as_view(o_)->exports;
  }
  ExportHold(const ExportHold&) = delete;
  ExportHold& operator=(const ExportHold&) = delete;

 private:
  PyObject* o_;
};

PyObject* hex(PyObject* o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"sep", "bytes_per_sep", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"hex", kNames, 2, 0}, given)) return nullptr;
  int group = 1;
  if (given[1] != nullptr) {
    group = PyLong_AsInt(given[1]);
    if (group == -1 && PyErr_Occurred()) return nullptr;
  }
  Ref<> bytes;
  {
    ViewLock lock(as_view(o));
    if (!view_usable(as_view(o))) return nullptr;
    bytes = Ref<>::steal(bytes_in_order(as_view(o), 'C'));
  }
  if (!bytes) return nullptr;
  ExportHold hold(o);
  return bytes_hex({reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(bytes.get())), PyBytes_GET_SIZE(bytes.get())},
                   given[0], group);
}

PyObject* from_flags(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"object", "flags", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"_from_flags", kNames, 2, 2}, given)) return nullptr;
  const int flags = PyLong_AsInt(given[1]);
  if (flags == -1 && PyErr_Occurred()) return nullptr;
  if (PyMemoryView_Check(given[0])) return PyMemoryView_FromObject(given[0]);
  auto buffer = Ref<>::steal(buffer_of_object(given[0], flags));
  return buffer ? add_view(reinterpret_cast<ManagedBuffer*>(buffer.get()),
                           &reinterpret_cast<ManagedBuffer*>(buffer.get())->master)
                : nullptr;
}

Py_ssize_t length(PyObject* o) {
  PyMemoryViewObject* self = as_view(o);
  if (!view_usable(self)) return -1;
  if (self->view.ndim != 0) return self->view.shape[0];
  PyErr_SetString(PyExc_TypeError, "0-dim memory has no length");
  return -1;
}

PyObject* repr(PyObject* o) {
  return PyUnicode_FromFormat(view_released(as_view(o)) ? "<released memory at %p>" : "<memory at %p>",
                              o);
}

Py_hash_t hash(PyObject* o) {
  PyMemoryViewObject* self = as_view(o);
  const Py_hash_t known = sync::load_relaxed(self->hash);
  if (known != -1) return known;
  if (!view_usable(self)) return -1;
  if (!self->view.readonly) {
    PyErr_SetString(PyExc_ValueError, "cannot hash writable memoryview object");
    return -1;
  }
  const char letter = native_format_letter(self->view.format);
  if (letter != 'B' && letter != 'b' && letter != 'c') {
    PyErr_SetString(PyExc_ValueError, "memoryview: hashing is restricted to formats 'B', 'b' or 'c'");
    return -1;
  }
  // The memory of an object that has no hash may change through other ways.
  ExportHold hold(o);
  if (self->view.obj != nullptr && PyObject_Hash(self->view.obj) == -1) return -1;
  auto bytes = Ref<>::steal(bytes_in_order(self, 'C'));
  if (!bytes) return -1;
  const Py_hash_t value = Py_HashBuffer(PyBytes_AS_STRING(bytes.get()), PyBytes_GET_SIZE(bytes.get()));
  sync::store_relaxed(self->hash, value);
  return value;
}

PyObject* sizes_as_tuple(const Py_ssize_t* values, int count) {
  if (values == nullptr) return PyTuple_New(0);
  auto tuple = Ref<>::steal(PyTuple_New(count));
  for (int i = 0; tuple && i < count; ++i) {
    PyObject* value = int_from_int64(values[i]);
    if (value == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), i, value);
  }
  return tuple.release();
}

// Attributes: each checks that the view is usable first.
template <PyObject* (*Get)(PyMemoryViewObject*)>
PyObject* getter(PyObject* o, void*) {
  return view_usable(as_view(o)) ? Get(as_view(o)) : nullptr;
}
PyObject* get_obj(PyMemoryViewObject* self) { return Py_NewRef(self->view.obj != nullptr ? self->view.obj : Py_None); }
PyObject* get_nbytes(PyMemoryViewObject* self) { return int_from_int64(self->view.len); }
PyObject* get_readonly(PyMemoryViewObject* self) { return PyBool_FromLong(self->view.readonly); }
PyObject* get_itemsize(PyMemoryViewObject* self) { return int_from_int64(self->view.itemsize); }
PyObject* get_format(PyMemoryViewObject* self) { return PyUnicode_FromString(self->view.format); }
PyObject* get_ndim(PyMemoryViewObject* self) { return int_from_int64(self->view.ndim); }
PyObject* get_shape(PyMemoryViewObject* self) { return sizes_as_tuple(self->view.shape, self->view.ndim); }
PyObject* get_strides(PyMemoryViewObject* self) { return sizes_as_tuple(self->view.strides, self->view.ndim); }
PyObject* get_suboffsets(PyMemoryViewObject* self) { return sizes_as_tuple(self->view.suboffsets, self->view.ndim); }
PyObject* get_c(PyMemoryViewObject* self) {
  return PyBool_FromLong(self->flags & (_Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_C));
}
PyObject* get_fortran(PyMemoryViewObject* self) {
  return PyBool_FromLong(self->flags & (_Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_FORTRAN));
}
PyObject* get_contiguous(PyMemoryViewObject* self) {
  return PyBool_FromLong(self->flags & (_Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_C | _Py_MEMORYVIEW_FORTRAN));
}

PyObject* make(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"object", nullptr};
  PyObject* object;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:memoryview", const_cast<char**>(names), &object)) return nullptr;
  return PyMemoryView_FromObject(object);
}

PyMethodDef methods[] = {
    {"release", release, METH_NOARGS,
     "release($self, /)\n--\n\nGives the buffer of the underlying object back; the view cannot be used any more."},
    {"tobytes", _PyCFunction_CAST(to_bytes), METH_FASTCALL | METH_KEYWORDS,
     "tobytes($self, /, order='C')\n--\n\n"
     "The data as bytes, in row order ('C'), column order ('F') or as they lie in memory ('A')."},
    {"hex", _PyCFunction_CAST(hex), METH_FASTCALL | METH_KEYWORDS,
     "hex($self, /, sep=<unrepresentable>, bytes_per_sep=1)\n--\n\nA str of two hexadecimal digits for each byte."},
    {"tolist", memoryview_tolist, METH_NOARGS, "tolist($self, /)\n--\n\nThe data as a list of elements, nested by dimension."},
    {"cast", _PyCFunction_CAST(memoryview_cast), METH_FASTCALL | METH_KEYWORDS,
     "cast($self, /, format, shape=<unrepresentable>)\n--\n\nThe same memory with a new format or shape."},
    {"toreadonly", to_readonly, METH_NOARGS, "toreadonly($self, /)\n--\n\nA view of the same memory that cannot be written."},
    {"_from_flags", _PyCFunction_CAST(from_flags), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "_from_flags($type, /, object, flags)\n--\n\nA view made with given request flags."},
    {"count", memoryview_count, METH_O, "count($self, value, /)\n--\n\nHow many elements are equal to the value."},
    {"index", _PyCFunction_CAST(memoryview_index), METH_FASTCALL,
     "index($self, value, start=0, stop=sys.maxsize, /)\n--\n\n"
     "The first index of an equal element; ValueError if there is none."},
    {"__enter__", enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", _PyCFunction_CAST(exit), METH_FASTCALL, "__exit__($self, /, *exc_info)\n--\n\nReleases the view."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "__class_getitem__($type, object, /)\n--\n\nSee PEP 585"},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef getset[] = {
    {"obj", getter<get_obj>, nullptr, "The object whose memory this is.", nullptr},
    {"nbytes", getter<get_nbytes>, nullptr, "How many bytes the elements take.", nullptr},
    {"readonly", getter<get_readonly>, nullptr, "Whether the memory cannot be written.", nullptr},
    {"itemsize", getter<get_itemsize>, nullptr, "The size of an element in bytes.", nullptr},
    {"format", getter<get_format>, nullptr, "The format of an element, as the struct module writes it.", nullptr},
    {"ndim", getter<get_ndim>, nullptr, "The number of dimensions.", nullptr},
    {"shape", getter<get_shape>, nullptr, "The size of each dimension.", nullptr},
    {"strides", getter<get_strides>, nullptr, "The bytes from one element to the next in each dimension.", nullptr},
    {"suboffsets", getter<get_suboffsets>, nullptr, "The offsets behind pointers, for arrays of pointers.", nullptr},
    {"c_contiguous", getter<get_c>, nullptr, "Whether the elements lie in row order without gaps.", nullptr},
    {"f_contiguous", getter<get_fortran>, nullptr, "Whether the elements lie in column order without gaps.", nullptr},
    {"contiguous", getter<get_contiguous>, nullptr, "Whether the elements lie without gaps.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PySequenceMethods as_sequence = {.sq_length = length, .sq_item = memoryview_item};
PyMappingMethods as_mapping = {
    .mp_length = length, .mp_subscript = memoryview_subscript, .mp_ass_subscript = memoryview_assign};
PyBufferProcs as_buffer = {.bf_getbuffer = get_buffer, .bf_releasebuffer = release_buffer};

// The iterator: the length is that at its making; index -1 means exhausted.
struct ViewIterator {
  PyObject_HEAD
  Py_ssize_t index;
  Py_ssize_t length;
  PyObject* view;
};

PyObject* iterate(PyObject* o) {
  PyMemoryViewObject* self = as_view(o);
  if (!view_usable(self)) return nullptr;
  if (self->view.ndim == 0) {
    PyErr_SetString(PyExc_TypeError, "invalid indexing of 0-dim memory");
    return nullptr;
  }
  if (self->view.ndim != 1) {
    PyErr_SetString(PyExc_NotImplementedError, "multi-dimensional sub-views are not implemented");
    return nullptr;
  }
  if (native_format_letter(self->view.format) == '\0') {
    PyErr_Format(PyExc_NotImplementedError, "memoryview: format %s not supported", self->view.format);
    return nullptr;
  }
  auto* it = new_gc_object<ViewIterator>(&_PyMemoryIter_Type);
  if (it == nullptr) return PyErr_NoMemory();
  it->index = 0;
  it->length = self->view.shape[0];
  it->view = Py_NewRef(o);
  PyObject_GC_Track(it);
  return reinterpret_cast<PyObject*>(it);
}

PyObject* iterator_next(PyObject* o) {
  auto* it = reinterpret_cast<ViewIterator*>(o);
  const Py_ssize_t i = sync::load_relaxed(it->index);
  if (i < 0) return nullptr;
  if (i >= it->length) {
    sync::store_relaxed(it->index, Py_ssize_t{-1});
    return nullptr;
  }
  sync::store_relaxed(it->index, i + 1);
  return memoryview_item(it->view, i);
}

int iterator_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<ViewIterator*>(o)->view);
  return 0;
}

void iterator_dealloc(PyObject* o) {
  PyObject_GC_UnTrack(o);
  Py_XDECREF(reinterpret_cast<ViewIterator*>(o)->view);
  PyObject_GC_Del(o);
}

}  // namespace

bool view_usable(PyMemoryViewObject* self) {
  if (!view_released(self)) return managed_usable(self->mbuf);
  PyErr_SetString(PyExc_ValueError, "operation forbidden on released memoryview object");
  return false;
}

PyObject* view_with_layout(PyMemoryViewObject* self, const Py_buffer* layout) {
  if (self->flags & _Py_MEMORYVIEW_RESTRICTED) {
    PyErr_SetString(PyExc_ValueError, "cannot create new view on restricted memoryview");
    return nullptr;
  }
  return add_view(self->mbuf, layout);
}

PyObject* memoryview_from_proc(PyObject* object, int flags, getbufferproc get) {
  auto buffer = Ref<ManagedBuffer>::steal(new_managed_buffer());
  if (!buffer) return nullptr;
  if (get(object, &buffer->master, flags) < 0) {
    buffer->master.obj = nullptr;
    return nullptr;
  }
  return add_view(buffer.get(), &buffer->master);
}

PyObject* memoryview_restricted(PyObject* owner, const Py_buffer* buffer) {
  PyObject* view = PyMemoryView_FromBuffer(buffer);
  if (view == nullptr) return nullptr;
  // Borrowed, as every view's: __release_buffer__ of the base class asks whose buffer it is.
  as_view(view)->view.obj = owner;
  as_view(view)->flags |= _Py_MEMORYVIEW_RESTRICTED;
  return view;
}

void update_view_flags(PyMemoryViewObject* self) {
  int flags = self->flags & (_Py_MEMORYVIEW_RELEASED | _Py_MEMORYVIEW_RESTRICTED);
  const Py_buffer* view = &self->view;
  if (view->ndim == 0) {
    flags |= _Py_MEMORYVIEW_SCALAR | _Py_MEMORYVIEW_C | _Py_MEMORYVIEW_FORTRAN;
  } else if (view->suboffsets != nullptr) {
    flags |= _Py_MEMORYVIEW_PIL;
  } else {
    if (PyBuffer_IsContiguous(view, 'C')) flags |= _Py_MEMORYVIEW_C;
    if (PyBuffer_IsContiguous(view, 'F')) flags |= _Py_MEMORYVIEW_FORTRAN;
  }
  self->flags = flags;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject _PyManagedBuffer_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "managedbuffer",
    .tp_basicsize = sizeof(ManagedBuffer),
    .tp_dealloc = managed_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = managed_traverse,
    .tp_clear = managed_clear,
};

PyTypeObject PyMemoryView_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "memoryview",
    .tp_basicsize = kArrayOffset,
    .tp_itemsize = sizeof(Py_ssize_t),
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_as_buffer = &as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_SEQUENCE,
    .tp_doc = "memoryview(object)\n--\n\nA view of the memory of an object that has the buffer interface.",
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_richcompare = memoryview_compare,
    .tp_weaklistoffset = offsetof(PyMemoryViewObject, weakreflist),
    .tp_iter = iterate,
    .tp_methods = methods,
    .tp_getset = getset,
    .tp_new = make,
};

PyTypeObject _PyMemoryIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "memory_iterator",
    .tp_basicsize = sizeof(ViewIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
};

PyObject* PyMemoryView_FromObject(PyObject* o) {
  if (PyMemoryView_Check(o)) {
    ObjectLock lock(o);
    if (!view_usable(as_view(o))) return nullptr;
    return view_of_view(as_view(o));
  }
  if (!PyObject_CheckBuffer(o)) {
    PyErr_Format(PyExc_TypeError, "memoryview: a bytes-like object is required, not '%.200s'", Py_TYPE(o)->tp_name);
    return nullptr;
  }
  auto buffer = Ref<ManagedBuffer>::steal(buffer_of_object(o, PyBUF_FULL_RO));
  return buffer ? add_view(buffer.get(), &buffer->master) : nullptr;
}

PyObject* PyMemoryView_FromBuffer(const Py_buffer* info) {
  if (info->buf == nullptr) {
    PyErr_SetString(PyExc_ValueError, "PyMemoryView_FromBuffer(): info->buf must not be NULL");
    return nullptr;
  }
  auto buffer = Ref<ManagedBuffer>::steal(new_managed_buffer());
  if (!buffer) return nullptr;
  buffer->master = *info;
  buffer->master.obj = nullptr;  // the caller's business
  return add_view(buffer.get(), &buffer->master);
}

PyObject* PyMemoryView_FromMemory(char* memory, Py_ssize_t size, int flags) {
  auto buffer = Ref<ManagedBuffer>::steal(new_managed_buffer());
  if (!buffer) return nullptr;
  if (PyBuffer_FillInfo(&buffer->master, nullptr, memory, size, flags == PyBUF_WRITE ? 0 : 1, PyBUF_FULL_RO) < 0) {
    return nullptr;
  }
  return add_view(buffer.get(), &buffer->master);
}

PyObject* PyMemoryView_GetContiguous(PyObject* o, int kind, char order) {
  auto view = Ref<>::steal(PyMemoryView_FromObject(o));
  if (!view) return nullptr;
  PyMemoryViewObject* self = as_view(view.get());
  if (kind == PyBUF_WRITE && self->view.readonly) {
    PyErr_SetString(PyExc_BufferError, "underlying buffer is not writable");
    return nullptr;
  }
  if (PyBuffer_IsContiguous(&self->view, order)) return view.release();
  if (kind == PyBUF_WRITE) {
    PyErr_SetString(PyExc_BufferError, "writable contiguous buffer requested for a non-contiguous object.");
    return nullptr;
  }
  auto bytes = Ref<>::steal(bytes_in_order(self, order == 'A' ? 'C' : order));
  if (!bytes) return nullptr;
  // The copy, with the format and shape of the original.
  auto copy = Ref<ManagedBuffer>::steal(buffer_of_object(bytes.get(), PyBUF_FULL_RO));
  if (!copy) return nullptr;
  Py_buffer layout = self->view;
  layout.buf = copy->master.buf;
  layout.obj = copy->master.obj;
  layout.readonly = 1;
  layout.suboffsets = nullptr;
  Py_ssize_t strides[PyBUF_MAX_NDIM];
  PyBuffer_FillContiguousStrides(layout.ndim, layout.shape, strides, static_cast<int>(layout.itemsize), order);
  layout.strides = strides;
  // The format text belongs to the original's exporter: keep a copy with the buffer.
  const size_t format_size = std::strlen(self->view.format) + 1;
  auto* format = static_cast<char*>(PyMem_Malloc(format_size));
  if (format == nullptr) return PyErr_NoMemory();
  std::memcpy(format, self->view.format, format_size);
  copy->master.format = layout.format = format;
  copy->flags |= _Py_MANAGED_BUFFER_FREE_FORMAT;
  return add_view(copy.get(), &layout);
}

}  // extern "C"
