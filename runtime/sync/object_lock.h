// ObjectLock l(obj), ObjectLock2 l(a, b): RAII critical sections (PEP 703) on one or two objects; MutexSection l(&m)
// on a PyMutex. Nothing in the GIL build. In the free build the newest section of a thread is locked; older ones are
// suspended when the thread detaches or blocks, so after any call that may run Python code the protected object may
// have been changed by others. Two objects need ObjectLock2, not two nested ObjectLocks.
// LeafLock l(obj), LeafLock2 l(a, b): the same for a few instructions that neither call other code nor wait nor pass a safepoint. It need not be
// suspended, so it is no section unless another one is in the way; while the process has one thread it costs a load and a test.
// with_leaf_lock(op, work): work() under a LeafLock; for short work of hot functions, whose path without other threads then
// has no trace of the lock.
#pragma once

#include "sync/mutex.h"
#include "sync/thread_state.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(object_lock)

namespace amphis {

template <class Work>
AMPHIS_NOINLINE auto work_under_leaf_lock(const void* op, Work& work) {
  LeafLock lock(op);
  return work();
}
template <class Work>
AMPHIS_ALWAYS_INLINE auto with_leaf_lock(const void* op, Work work) {
  if (sync::only_thread()) [[likely]] return work();
  Work copy = work;  // so that what `work` captured need not be in memory on the other path
  return work_under_leaf_lock(op, copy);
}

}  // namespace amphis
