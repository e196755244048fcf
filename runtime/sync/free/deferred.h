// Free-threaded build of sync/deferred.h. Invariant: the kGcBitDeferred bit of ob_gc_bits is set together with a bias
// of kDeferredBias references in the shared count, which no program can drop; the collector subtracts it.
#pragma once

#include "Python.h"

#include "sync/atomic_field.h"

namespace amphis::sync {

constexpr uint8_t kGcBitDeferred = 1 << 6;  // agrees with gc/gc_bits.h
constexpr Py_ssize_t kDeferredBias = Py_ssize_t(1) << 58;

inline bool is_deferred(PyObject* op) { return load_relaxed(op->ob_gc_bits) & kGcBitDeferred; }
// False: the object is immortal or deferred already.
bool set_deferred(PyObject* op);
// At start-up: says of which objects programs cannot see when they end.
void set_deferral_policy(bool (*policy)(PyObject*));
// By the collector, at every collection: threads may make objects deferred again that they read often.
void renew_deferrals();

}  // namespace amphis::sync
