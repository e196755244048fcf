// Free-threaded build of sync/shared_slot.h, over biased reference counts (PEP 703). A reader that does not own the
// object may add a reference only if the count's shared half is non-zero: then the owner gives the object up with a
// compare-exchange, which sees the reader's. publish() makes it non-zero for good by setting the "may be weakly
// referenced" flag. Memory of dead objects stays readable as a header until every thread passed a safepoint (memory/).
#pragma once

#include "Python.h"

#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis::sync {

// Adds to the shared half; false: the object is dead, or its owner could free it without looking.
AMPHIS_NOINLINE bool try_incref_shared(PyObject* op);
// Py_INCREF of an object that is not this thread's own. Both note what is counted for often (sync/deferred.h).
AMPHIS_NOINLINE void incref_foreign(PyObject* op);
AMPHIS_NOINLINE void publish_slow(PyObject* op);
// A strong reference to *slot with the world stopped; leaves the object published.
AMPHIS_COLD PyObject* get_ref_stopped(PyObject* const* slot);
// A strong reference to *slot under the owner's lock; leaves the object published.
AMPHIS_COLD PyObject* get_ref_locked(PyObject* const* slot, const void* owner);

// The cases that touch no shared cache line: immortal, or owned by this thread.
AMPHIS_ALWAYS_INLINE bool try_incref_local(PyObject* op) {
  uint32_t local = load_relaxed(op->ob_ref_local);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return true;
  if (local != 0 && load_relaxed(op->ob_tid) == _Py_ThreadId()) {
    store_relaxed(op->ob_ref_local, local + 1);
    return true;
  }
  return false;
}
AMPHIS_ALWAYS_INLINE bool try_incref(PyObject* op) { return try_incref_local(op) || try_incref_shared(op); }

inline void publish(PyObject* op) {
  if (_Py_IsImmortal(op)) return;
  if ((load_relaxed(op->ob_ref_shared) & _Py_REF_SHARED_FLAG_MASK) == 0) publish_slow(op);
}
// True when this thread holds the only reference, so that nobody can notice a change in place.
AMPHIS_ALWAYS_INLINE bool is_unique(PyObject* op) {
  if (load_relaxed(op->ob_tid) == _Py_ThreadId())
    return load_relaxed(op->ob_ref_local) == 1 && (load_acquire(op->ob_ref_shared) >> _Py_REF_SHARED_SHIFT) == 0;
  return load_relaxed(op->ob_ref_local) == 0 && load_acquire(op->ob_ref_shared) == _Py_REF_SHARED(1, _Py_REF_MERGED);
}

// True when this thread may change the object in place: the slot it was read from, whose lock this thread holds, has
// the only reference, and no other thread can be about to take one (it was never published). Acquire: what threads did that
// had references from elsewhere and have given them back is over.
AMPHIS_ALWAYS_INLINE bool is_private(PyObject* op) {
  return load_relaxed(op->ob_tid) == _Py_ThreadId() && load_relaxed(op->ob_ref_local) == 1 &&
         load_acquire(op->ob_ref_shared) == 0;
}
// True when no other thread can free the object while this one looks at it without a reference: this thread owns it,
// so only this thread merges the halves of its count.
AMPHIS_ALWAYS_INLINE bool is_stable(PyObject* op) { return load_relaxed(op->ob_tid) == _Py_ThreadId(); }

// What is left to do when a count of the owner's has become 0, or has left its range.
AMPHIS_NOINLINE void own_count_ended(PyObject* op);
AMPHIS_COLD void own_count_overflowed(PyObject* op);

// Adds a reference to an object that is_stable.
AMPHIS_ALWAYS_INLINE void incref_stable(PyObject* op) {
  if (amphis_add_own(op)) [[unlikely]] own_count_overflowed(op);
}

// Py_DECREF of what is most often this thread's own and seldom immortal.
AMPHIS_ALWAYS_INLINE void decref_own(PyObject* op) {
  if (is_stable(op)) [[likely]] {
    if (amphis_subtract_own(op)) [[unlikely]] own_count_ended(op);
  } else if (!_Py_IsImmortal(op)) {
    _Py_DecRefShared(op);
  }
}

// Numbers and strings that many threads read from one slot would have a count that all of them write. After
// allow_uncounted_reads their memory is not used again before every thread has passed a safepoint (their deallocation looks
// at the bit), so a reader that sees the bit may read the value, and has a value of the slot if the object is still there
// afterwards: no other object can have come to that address meanwhile. One load tells that the object is one of these and
// that it stays.
constexpr uint8_t kGcBitUncountedReads = 1 << 7;  // agrees with gc/gc_bits.h
inline bool has_uncounted_reads(PyObject* op) { return load_acquire(op->ob_gc_bits) & kGcBitUncountedReads; }
// The caller has a reference to the object, an exact int or float or a compact exact str.
inline void allow_uncounted_reads(PyObject* op) {
  if (!has_uncounted_reads(op) && !_Py_IsImmortal(op)) fetch_or(op->ob_gc_bits, kGcBitUncountedReads);
}

// try_take where the object is another thread's.
AMPHIS_NOINLINE bool try_take_foreign(PyObject* const* slot, PyObject** result);
// *result: a new reference to what the slot holds, or null. False: try again under the owner's lock.
AMPHIS_ALWAYS_INLINE bool try_take(PyObject* const* slot, PyObject** result) {
  PyObject* op = load_acquire(*const_cast<PyObject**>(slot));
  // Nobody else can have freed an object of this thread's since it was read: no second look at the slot.
  if (op != nullptr && is_stable(op)) [[likely]] {
    incref_stable(op);
  } else if (op != nullptr) {
    if (load_relaxed(op->ob_ref_local) != _Py_IMMORTAL_REFCNT_LOCAL) return try_take_foreign(slot, result);
    // It may have left the slot, been freed and come back as an immortal one before it was looked at.
    settle_reads();
    if (load_acquire(*const_cast<PyObject**>(slot)) != op) [[unlikely]] return try_take_foreign(slot, result);
  }
  *result = op;
  return true;
}
// The same for handles: what `result` held is dropped.
template <class T>
AMPHIS_ALWAYS_INLINE bool try_get_ref(T* const* slot, Ref<T>* result) {
  PyObject* op;
  const bool taken = try_take(reinterpret_cast<PyObject* const*>(slot), &op);
  if (taken) *result = Ref<T>::steal(op);
  return taken;
}
template <class T>
AMPHIS_ALWAYS_INLINE Ref<T> get_ref(T* const* slot) {
  PyObject* op;
  if (!try_take(reinterpret_cast<PyObject* const*>(slot), &op)) [[unlikely]]
    op = get_ref_stopped(reinterpret_cast<PyObject* const*>(slot));
  return Ref<T>::steal(op);
}
template <class T>
AMPHIS_ALWAYS_INLINE Ref<T> get_ref(T* const* slot, const void* owner) {
  PyObject* op;
  if (!try_take(reinterpret_cast<PyObject* const*>(slot), &op)) [[unlikely]]
    op = get_ref_locked(reinterpret_cast<PyObject* const*>(slot), owner);
  return Ref<T>::steal(op);
}

template <class T>
inline Ref<T> exchange_slot(T** slot, Ref<T> value) {
  if (value) publish(value.obj());
  T* p = value.release();
  return Ref<T>::steal(exchange(*slot, p));
}
// No atomic exchange, and the value stays unpublished.
template <class T>
inline Ref<T> exchange_slot_locked(T** slot, Ref<T> value) {
  T* old = *slot;
  store_release(*slot, value.release());
  return Ref<T>::steal(old);
}
template <class T>
inline void set_slot(T** slot, Ref<T> value) {
  Ref<T> old = exchange_slot(slot, static_cast<Ref<T>&&>(value));
}

}  // namespace amphis::sync
