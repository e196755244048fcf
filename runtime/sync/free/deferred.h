// Free-threaded build of sync/deferred.h. Invariant: the kGcBitDeferred bit of ob_gc_bits is set together with a bias
// of kDeferredBias references in the shared count, which no program can drop; the collector subtracts it. The bias is there
// before the bit is, and both until the collector takes them away with the world stopped.
//
// Threads that do not own the object count each for itself, in an account of their heap (memory/heap.h): that changes no
// cache line that another thread reads, and cannot end the object, which only the collector does. The collector settles
// the accounts first. Which accounts a thread holds does not matter to the sum: an account may be added to the shared half at
// any time, and whoever does not know of accounts (the inline code of extensions) counts in the shared half.
#pragma once

#include "Python.h"

#include "base/compiler.h"
#include "sync/atomic_field.h"

namespace amphis::sync {

constexpr uint8_t kGcBitDeferred = 1 << 6;  // agrees with gc/gc_bits.h
constexpr Py_ssize_t kDeferredBias = Py_ssize_t(1) << 58;

inline bool is_deferred(PyObject* op) { return load_relaxed(op->ob_gc_bits) & kGcBitDeferred; }
// Counts for a deferred object that this thread does not own.
AMPHIS_NOINLINE void count_deferred(PyObject* op, Py_ssize_t change);
// World stopped: afterwards the counts of deferred objects are in their headers, and those that other threads than the owner
// have counted for have no owner any more.
void settle_deferred_counts();
// False: the object is immortal or deferred already.
bool set_deferred(PyObject* op);
// At start-up: says of which objects programs cannot see when they end, and how large values are: objects without references
// of which nobody sees whether they end at all (0: it is none, or too large to say).
void set_deferral_policy(bool (*ends_unseen)(PyObject*), size_t (*size_of_value)(PyObject*));
// By the collector, at every collection: threads may make objects deferred again that they read often.
void renew_deferrals();

}  // namespace amphis::sync
