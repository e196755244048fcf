// Owns how the memory behind a buffer is shared: bytearray and array touch their contents under their own lock, so whoever
// reads or writes them through a buffer takes that lock too. Immutable memory needs none, and what an extension exports
// is locked by its object's lock, which does no harm. Nothing in the GIL build.
#pragma once

#include <optional>

#include "Python.h"
#include "objects/container_support.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"

namespace amphis {

// The object whose memory the buffer shows (not a view of it), or null if nobody ever writes there. The buffer is held.
inline PyObject* buffer_owner(const Py_buffer* view) {
  PyObject* owner = view->obj;
  while (owner != nullptr && PyMemoryView_Check(owner)) {
    owner = reinterpret_cast<PyMemoryViewObject*>(owner)->mbuf->master.obj;
  }
  return owner == nullptr || PyBytes_CheckExact(owner) ? nullptr : owner;
}

class [[nodiscard]] BufferLock {
  std::optional<ObjectLock> lock_;

 public:
  explicit BufferLock(const Py_buffer* view) {
    if constexpr (kRaces) {
      if (PyObject* owner = buffer_owner(view)) lock_.emplace(owner);
    }
  }
  // What buffer_owner found.
  explicit BufferLock(PyObject* owner) {
    if constexpr (kRaces) {
      if (owner != nullptr) lock_.emplace(owner);
    }
  }
  BufferLock(const BufferLock&) = delete;
  BufferLock& operator=(const BufferLock&) = delete;
};

class [[nodiscard]] BufferLock2 {
  std::optional<ObjectLock2> lock_;

 public:
  BufferLock2(PyObject* a, PyObject* b) {
    if constexpr (kRaces) {
      if (a != nullptr || b != nullptr) lock_.emplace(a != nullptr ? a : b, b != nullptr ? b : a);
    }
  }
  BufferLock2(const BufferLock2&) = delete;
  BufferLock2& operator=(const BufferLock2&) = delete;
};

}  // namespace amphis
