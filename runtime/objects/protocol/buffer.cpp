// The buffer protocol: PyObject_GetBuffer, PyBuffer_* and copying between layouts.
//
// Invariant: view->obj is null exactly when the view holds nothing, so PyBuffer_Release may be called twice.
#include <algorithm>
#include <cstring>

#include "objects/buffer_copy.h"
#include "objects/buffer_info.h"
#include "objects/buffer_lock.h"
#include "sync/ref.h"

namespace amphis {
namespace {

bool c_contiguous(const Py_buffer* view) {
  if (view->len == 0 || view->strides == nullptr) return true;
  Py_ssize_t expected = view->itemsize;
  for (int i = view->ndim; i-- > 0;) {
    const Py_ssize_t dim = view->shape[i];
    if (dim > 1 && view->strides[i] != expected) return false;
    expected *= dim;
  }
  return true;
}

bool fortran_contiguous(const Py_buffer* view) {
  if (view->len == 0) return true;
  if (view->strides == nullptr) {
    if (view->ndim <= 1) return true;
    // C order is Fortran order only when at most one dimension matters.
    int wide = 0;
    for (int i = 0; i < view->ndim; ++i) wide += view->shape != nullptr && view->shape[i] > 1;
    return wide <= 1;
  }
  Py_ssize_t expected = view->itemsize;
  for (int i = 0; i < view->ndim; ++i) {
    const Py_ssize_t dim = view->shape[i];
    if (dim > 1 && view->strides[i] != expected) return false;
    expected *= dim;
  }
  return true;
}

// Steps through all index tuples, the last (C) or first (Fortran) index fastest.
void next_index(int ndim, const Py_ssize_t* shape, Py_ssize_t* index, bool fortran) {
  for (int k = 0; k < ndim; ++k) {
    const int i = fortran ? k : ndim - 1 - k;
    if (++index[i] < shape[i]) return;
    index[i] = 0;
  }
}

template <typename Copy>
int copy_items(const Py_buffer* view, Py_ssize_t len, char order, Copy copy) {
  if (len > view->len) len = view->len;
  Py_ssize_t index[PyBUF_MAX_NDIM] = {};
  const Py_ssize_t items = view->itemsize != 0 ? len / view->itemsize : 0;
  for (Py_ssize_t n = 0; n < items; ++n) {
    copy(PyBuffer_GetPointer(view, index), n * view->itemsize);
    next_index(view->ndim, view->shape, index, order == 'F');
  }
  return 0;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

int PyObject_CheckBuffer(PyObject* o) {
  PyBufferProcs* procs = Py_TYPE(o)->tp_as_buffer;
  return procs != nullptr && procs->bf_getbuffer != nullptr;
}

int PyObject_GetBuffer(PyObject* o, Py_buffer* view, int flags) {
  if (!is_buffer_request(flags)) [[unlikely]] {
    // Flags of PyMemoryView_FromMemory, not of requests.
    PyErr_BadInternalCall();
    return -1;
  }
  PyBufferProcs* procs = Py_TYPE(o)->tp_as_buffer;
  if (procs == nullptr || procs->bf_getbuffer == nullptr) {
    PyErr_Format(PyExc_TypeError, "a bytes-like object is required, not '%.100s'", Py_TYPE(o)->tp_name);
    return -1;
  }
  return procs->bf_getbuffer(o, view, flags);
}

void PyBuffer_Release(Py_buffer* view) {
  PyObject* o = view->obj;
  if (o == nullptr) return;
  PyBufferProcs* procs = Py_TYPE(o)->tp_as_buffer;
  if (procs != nullptr && procs->bf_releasebuffer != nullptr) procs->bf_releasebuffer(o, view);
  view->obj = nullptr;
  Py_DECREF(o);
}

int PyBuffer_FillInfo(Py_buffer* view, PyObject* o, void* data, Py_ssize_t len, int readonly, int flags) {
  if (view == nullptr) {
    PyErr_SetString(PyExc_BufferError, "PyBuffer_FillInfo: view==NULL argument is obsolete");
    return -1;
  }
  if (flags != PyBUF_SIMPLE) {
    if (!is_buffer_request(flags)) {
      PyErr_BadInternalCall();
      return -1;
    }
    if ((flags & PyBUF_WRITABLE) && readonly == 1) {
      PyErr_SetString(PyExc_BufferError, "Object is not writable.");
      return -1;
    }
  }
  fill_buffer_info(view, o, data, len, readonly, flags);
  return 0;
}

int PyBuffer_IsContiguous(const Py_buffer* view, char order) {
  if (view->suboffsets != nullptr) return 0;
  switch (order) {
    case 'C':
      return c_contiguous(view);
    case 'F':
      return fortran_contiguous(view);
    case 'A':
      return c_contiguous(view) || fortran_contiguous(view);
    default:
      return 0;
  }
}

void* PyBuffer_GetPointer(const Py_buffer* view, const Py_ssize_t* indices) {
  auto* p = static_cast<char*>(view->buf);
  for (int i = 0; i < view->ndim; ++i) {
    p += view->strides[i] * indices[i];
    if (view->suboffsets != nullptr && view->suboffsets[i] >= 0) {
      p = *reinterpret_cast<char**>(p) + view->suboffsets[i];
    }
  }
  return p;
}

void PyBuffer_FillContiguousStrides(int ndim, Py_ssize_t* shape, Py_ssize_t* strides, int itemsize, char order) {
  Py_ssize_t step = itemsize;
  for (int k = 0; k < ndim; ++k) {
    const int i = ndim <= 1 || order == 'F' ? k : ndim - 1 - k;
    strides[i] = step;
    step *= shape[i];
  }
}

int PyBuffer_ToContiguous(void* out, const Py_buffer* view, Py_ssize_t len, char order) {
  if (len != view->len) {
    PyErr_SetString(PyExc_ValueError, "PyBuffer_ToContiguous: len != view->len");
    return -1;
  }
  BufferLock lock(view);
  if (PyBuffer_IsContiguous(view, order)) {
    std::memcpy(out, view->buf, static_cast<size_t>(len));
    return 0;
  }
  if (order == 'A') order = 'C';
  FullView full(view);
  return copy_items(full.get(), len, order, [&](void* item, Py_ssize_t at) {
    std::memcpy(static_cast<char*>(out) + at, item, static_cast<size_t>(view->itemsize));
  });
}

int PyBuffer_FromContiguous(const Py_buffer* view, const void* in, Py_ssize_t len, char order) {
  if (len > view->len) len = view->len;
  BufferLock lock(view);
  if (PyBuffer_IsContiguous(view, order)) {
    std::memcpy(view->buf, in, static_cast<size_t>(len));
    return 0;
  }
  FullView full(view);
  return copy_items(full.get(), len, order, [&](void* item, Py_ssize_t at) {
    std::memcpy(item, static_cast<const char*>(in) + at, static_cast<size_t>(view->itemsize));
  });
}

Py_ssize_t PyBuffer_SizeFromFormat(const char* format) {
  auto module = Ref<>::steal(PyImport_ImportModule("struct"));
  if (!module) return -1;
  auto size = Ref<>::steal(PyObject_CallMethod(module.get(), "calcsize", "s", format));
  return size ? PyLong_AsSsize_t(size.get()) : -1;
}

int PyObject_CopyData(PyObject* dest, PyObject* src) {
  if (!PyObject_CheckBuffer(dest) || !PyObject_CheckBuffer(src)) {
    PyErr_SetString(PyExc_TypeError, "both destination and source must be bytes-like objects");
    return -1;
  }
  Py_buffer to, from;
  if (PyObject_GetBuffer(dest, &to, PyBUF_FULL) != 0) return -1;
  if (PyObject_GetBuffer(src, &from, PyBUF_FULL_RO) != 0) {
    PyBuffer_Release(&to);
    return -1;
  }
  int status = 0;
  std::optional<BufferLock2> lock;
  lock.emplace(buffer_owner(&to), buffer_owner(&from));
  if (to.len < from.len) {
    PyErr_SetString(PyExc_BufferError, "destination is too small to receive data from source");
    status = -1;
  } else if (PyBuffer_IsContiguous(&to, 'C') && PyBuffer_IsContiguous(&from, 'C')) {
    std::memcpy(to.buf, from.buf, static_cast<size_t>(from.len));
  } else {
    FullView source(&from), target(&to);
    Py_ssize_t at[PyBUF_MAX_NDIM] = {}, from_at[PyBUF_MAX_NDIM] = {};
    const Py_ssize_t items = from.itemsize != 0 ? from.len / from.itemsize : 0;
    for (Py_ssize_t n = 0; n < items; ++n) {
      std::memcpy(PyBuffer_GetPointer(target.get(), at), PyBuffer_GetPointer(source.get(), from_at),
                  static_cast<size_t>(from.itemsize));
      next_index(to.ndim, target.get()->shape, at, false);
      next_index(from.ndim, source.get()->shape, from_at, false);
    }
  }
  lock.reset();
  PyBuffer_Release(&to);
  PyBuffer_Release(&from);
  return status;
}

// The interface that the buffer protocol replaced: the pointers outlive the release.
static int old_buffer(PyObject* o, const void** data, Py_ssize_t* len, int flags) {
  if (o == nullptr || data == nullptr || len == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
    return -1;
  }
  Py_buffer view;
  if (PyObject_GetBuffer(o, &view, flags) < 0) return -1;
  *data = view.buf;
  *len = view.len;
  PyBuffer_Release(&view);
  return 0;
}

int PyObject_CheckReadBuffer(PyObject* o) {
  Py_buffer view;
  if (!PyObject_CheckBuffer(o)) return 0;
  if (PyObject_GetBuffer(o, &view, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    return 0;
  }
  PyBuffer_Release(&view);
  return 1;
}

int PyObject_AsReadBuffer(PyObject* o, const void** data, Py_ssize_t* len) {
  return old_buffer(o, data, len, PyBUF_SIMPLE);
}
int PyObject_AsCharBuffer(PyObject* o, const char** data, Py_ssize_t* len) {
  return old_buffer(o, reinterpret_cast<const void**>(data), len, PyBUF_SIMPLE);
}
int PyObject_AsWriteBuffer(PyObject* o, void** data, Py_ssize_t* len) {
  return old_buffer(o, const_cast<const void**>(data), len, PyBUF_WRITABLE);
}

}  // extern "C"
