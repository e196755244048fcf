// Owns the trash: containers whose deallocation was put off because the C stack is nearly used up. They wait, untracked
// and with a reference count of zero, in a list of their thread until the stack has unwound.
#pragma once

#include "Python.h"
#include "sync/thread_state.h"

namespace amphis::sync {

AMPHIS_COLD void dealloc_deep(PyObject* op);
AMPHIS_COLD void empty_trash_here(ThreadState* ts);

// What _Py_Dealloc does: calls the deallocator of an object without references, or puts it off.
AMPHIS_ALWAYS_INLINE void dealloc(PyObject* op) {
  ThreadState* ts = current_thread();
  if (AMPHIS_UNLIKELY(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < ts->c_trash_limit)) return dealloc_deep(op);
  Py_TYPE(op)->tp_dealloc(op);
  if (AMPHIS_UNLIKELY(ts->trash != nullptr)) empty_trash_here(ts);
}

// Deallocates what waits; deallocators may put off more.
void empty_trash(ThreadState* ts);

}  // namespace amphis::sync
