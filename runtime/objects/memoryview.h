// What the files of memoryview share.
#pragma once

#include "Python.h"
#include "objects/buffer_lock.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"

namespace amphis {

inline bool view_released(const PyMemoryViewObject* self) {
  return (sync::load_relaxed(self->flags) & _Py_MEMORYVIEW_RELEASED) != 0;
}
inline PyMemoryViewObject* as_view(PyObject* o) { return reinterpret_cast<PyMemoryViewObject*>(o); }

// True while the memory may be used; else false with ValueError.
bool view_usable(PyMemoryViewObject* self);

// Holds the view's lock and that of the object whose memory it shows: what every look at an element needs. The view may
// have been released while this waited: ask view_usable inside. Under these locks a view that is usable stays so.
class [[nodiscard]] ViewLock {
  ObjectLock view_;
  Ref<> owner_;
  std::optional<BufferLock> memory_;

 public:
  explicit ViewLock(PyMemoryViewObject* self) : view_(self) {
    if constexpr (kRaces) {
      if (sync::only_thread() || view_released(self)) return;
      // The view's share in the managed buffer keeps the owner in its place.
      owner_ = Ref<>::share(buffer_owner(&self->mbuf->master));
      if (owner_) memory_.emplace(owner_.get());
    }
  }
  ViewLock(const ViewLock&) = delete;
  ViewLock& operator=(const ViewLock&) = delete;
};

// A view of the same memory with its own copy of the layout's shape and strides.
PyObject* view_with_layout(PyMemoryViewObject* self, const Py_buffer* layout);
inline PyObject* view_of_view(PyMemoryViewObject* self) { return view_with_layout(self, &self->view); }
// A view of what `get` exports for the object: the native buffer of a base class.
PyObject* memoryview_from_proc(PyObject* object, int flags, getbufferproc get);
// A view of a buffer that is about to be released, for one call: nothing may be derived from it.
PyObject* memoryview_restricted(PyObject* owner, const Py_buffer* buffer);
// Recomputes the layout flags after a change of shape, strides or suboffsets.
void update_view_flags(PyMemoryViewObject* self);

PyObject* memoryview_subscript(PyObject* self, PyObject* key);
int memoryview_assign(PyObject* self, PyObject* key, PyObject* value);
PyObject* memoryview_item(PyObject* self, Py_ssize_t index);
PyObject* memoryview_compare(PyObject* self, PyObject* other, int op);
PyObject* memoryview_tolist(PyObject* self, PyObject*);
PyObject* memoryview_cast(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* memoryview_count(PyObject* self, PyObject* value);
PyObject* memoryview_index(PyObject* self, PyObject* const* args, Py_ssize_t nargs);

}  // namespace amphis

extern "C" {
PyAPI_DATA(PyTypeObject) _PyManagedBuffer_Type;
PyAPI_DATA(PyTypeObject) _PyMemoryIter_Type;
}
