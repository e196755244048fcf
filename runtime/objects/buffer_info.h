// How a view of plain bytes is filled in: what PyBuffer_FillInfo does once it has accepted the request, inline for the types that
// export their bytes so.
#pragma once

#include "Python.h"

#include "base/compiler.h"

namespace amphis {

// Takes a reference to `owner`, last of all, so that little has to be kept over the slow ways of counting.
AMPHIS_ALWAYS_INLINE void fill_buffer_info(Py_buffer* view, PyObject* owner, void* data, Py_ssize_t size, int readonly, int flags) {
  view->buf = data;
  view->obj = owner;
  view->len = size;
  view->itemsize = 1;
  view->readonly = readonly;
  view->ndim = 1;
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>("B") : nullptr;
  view->shape = flags & PyBUF_ND ? &view->len : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &view->itemsize : nullptr;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  Py_XINCREF(owner);
}

// The flags PyBUF_READ and PyBUF_WRITE are no request.
inline bool is_buffer_request(int flags) { return flags != PyBUF_READ && flags != PyBUF_WRITE; }

}  // namespace amphis
