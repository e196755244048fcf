// Owns the merging of biased reference counts (PEP 703; Choi, Shull, Torrellas, "Biased Reference Counting", 2018): who
// owns an object, and the queues of objects that their owner has to merge. Internal to sync/.
// Invariant: only the native thread named by ob_tid touches ob_ref_local, or another one while that thread provably is
// not attached: no state of it is registered (bucket locked), or its state is lent.
#pragma once

#include "Python.h"

#include "sync/thread_state.h"

namespace amphis::sync {

enum ThreadStatus : uint32_t { kDetached = 0, kAttached = 1, kSuspended = 2, kLent = 3 };

inline std::atomic<uint32_t>& thread_status(ThreadState* ts) {
  static_assert(sizeof(ts->state) == sizeof(std::atomic<uint32_t>));
  return *reinterpret_cast<std::atomic<uint32_t>*>(&ts->state);
}

// Makes `ts` the receiver of objects whose owner is its native thread.
void register_owner(ThreadState* ts);
// The reverse, for a state that is not attached anywhere.
void unregister_owner(ThreadState* ts);
// The current state merges what is queued, then detaches and unregisters in one step.
void detach_owner(ThreadState* ts);
// Merges everything queued for the current state; deallocators may run.
void merge_queued(ThreadState* ts);
void reset_owners_after_fork();

// Moves the local half into the shared one, adds `extra`, and gives up ownership; the number of references left. The
// caller may touch the local half (see the invariant).
Py_ssize_t merge_refcount(PyObject* op, Py_ssize_t extra);

}  // namespace amphis::sync
