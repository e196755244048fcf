// Owns what the collector keeps in an object's header, and the first contents of a header. The bits are those of
// ob_gc_bits in the free-threaded ABI and the upper half of ob_flags in the GIL ABI. The only file of gc/ that knows
// the variant.
// Invariant: only live objects in pages of kind memory::kGc are tracked. Bits are written by the thread that makes or destroys the
// object, or with the world stopped.
//
// GIL: extensions for the stable ABI have been compiled with headers in which a reference count is a whole word: they take one
// from it and free the object when nothing is left. So the flags of an object that is tracked and ordinary are all zero: what is
// marked is that it is not tracked (yet, or any more). The links of free blocks have that mark too.
#pragma once

#include <cstdint>

#include "Python.h"
#include "base/compiler.h"
#include "memory/heap.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"

namespace amphis {

enum GcBit : uint8_t {
#if AMPHIS_GIL
  kGcUntracked = 1 << 0,    // not in the collector's population
#else
  kGcTracked = 1 << 0,      // in the collector's population
#endif
  kGcFinalized = 1 << 1,    // tp_finalize has run
  kGcUnreachable = 1 << 2,  // being collected now
  kGcFrozen = 1 << 3,       // gc.freeze(): ignored, and everything it refers to is alive
  kGcOld = 1 << 4,          // has survived a collection (see keeps_ages)
  kGcWasDeferred = 1 << 5,  // free-threaded: garbage that was deferred until this collection held it
  kGcDeferred = 1 << 6,     // free-threaded: see sync/deferred.h
  kGcUncountedReads = 1 << 7,  // free-threaded, numbers and strings: see sync/free/shared_slot.h
};

namespace gc {

#if AMPHIS_GIL

inline constexpr bool kBitsBesideCount = true;  // in one word, which binaries compiled long ago take for the count

// One store initialises the count and the flags. The first is for objects in pages of kind memory::kPlain.
AMPHIS_ALWAYS_INLINE void init_header(PyObject* op, PyTypeObject* type) {
  op->ob_refcnt_full = 1;
  op->ob_type = type;
}
AMPHIS_ALWAYS_INLINE void init_gc_header(PyObject* op, PyTypeObject* type) {
  static_assert(memory::kFreeTag == uintptr_t(kGcUntracked) << 56);
  op->ob_refcnt_full = 1 | int64_t(memory::kFreeTag);
  op->ob_type = type;
}
inline uint8_t bits(const PyObject* op) { return uint8_t(op->ob_flags >> 8); }
inline void set_bits(PyObject* op, uint8_t b) { op->ob_flags = uint16_t(op->ob_flags | (b << 8)); }
inline void clear_bits(PyObject* op, uint8_t b) { op->ob_flags = uint16_t(op->ob_flags & ~(b << 8)); }

inline constexpr Py_ssize_t kImmortalCount = PY_SSIZE_T_MAX / 2;
// Before other threads know the object.
inline void make_immortal(PyObject* op) {
  op->ob_refcnt = uint32_t(_Py_IMMORTAL_INITIAL_REFCNT);
  op->ob_flags |= _Py_IMMORTAL_FLAGS;
}
// All references, in a stopped world.
inline Py_ssize_t reference_count(PyObject* op) { return _Py_IsImmortal(op) ? kImmortalCount : op->ob_refcnt; }

// References from instances to their (heap) type.
inline void incref_type(PyTypeObject* type) { Py_INCREF(reinterpret_cast<PyObject*>(type)); }
inline void decref_type(PyTypeObject* type) { Py_DECREF(reinterpret_cast<PyObject*>(type)); }
inline void settle_type_counts() {}

// The collector's own reference to a piece of garbage, taken in a stopped world; Py_DECREF drops it.
inline void hold(PyObject* op) { Py_INCREF(op); }
// World stopped: a held object goes back to the living as what it was.
inline void restore(PyObject*) {}

// A dying object comes back for the time of its finalizer ...
inline void resurrect_begin(PyObject* op) { Py_SET_REFCNT(op, 1); }
// ... and goes again: true unless the finalizer left references to it.
inline bool resurrect_end(PyObject* op) {
  const Py_ssize_t left = op->ob_refcnt - 1;
  Py_SET_REFCNT(op, left);
  return left == 0;
}

#else

inline constexpr bool kBitsBesideCount = false;

AMPHIS_ALWAYS_INLINE void init_header(PyObject* op, PyTypeObject* type) {
  // An optimistic reader may still look at the header that was here: until ob_ref_shared is published by the new
  // object's owner, its try_incref fails.
  sync::store_relaxed(op->ob_tid, _Py_ThreadId());
  sync::store_relaxed(memory::counted_word(op), uint64_t(1) << 32);
  sync::store_relaxed(op->ob_ref_shared, Py_ssize_t(0));
  sync::store_relaxed(op->ob_type, type);
}
AMPHIS_ALWAYS_INLINE void init_gc_header(PyObject* op, PyTypeObject* type) { init_header(op, type); }
inline uint8_t bits(const PyObject* op) { return sync::load_relaxed(const_cast<PyObject*>(op)->ob_gc_bits); }
inline void set_bits(PyObject* op, uint8_t b) { sync::store_relaxed(op->ob_gc_bits, uint8_t(bits(op) | b)); }
inline void clear_bits(PyObject* op, uint8_t b) { sync::store_relaxed(op->ob_gc_bits, uint8_t(bits(op) & ~b)); }

inline constexpr Py_ssize_t kImmortalCount = PY_SSIZE_T_MAX / 2;
// Before other threads know the object.
inline void make_immortal(PyObject* op) {
  sync::store_relaxed(op->ob_tid, uintptr_t(_Py_UNOWNED_TID));
  sync::store_relaxed(op->ob_ref_shared, Py_ssize_t(0));
  sync::store_relaxed(op->ob_ref_local, _Py_IMMORTAL_REFCNT_LOCAL);
}
// All references, in a stopped world.
inline Py_ssize_t reference_count(PyObject* op) {
  const uint32_t local = sync::load_relaxed(op->ob_ref_local);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return kImmortalCount;
  const Py_ssize_t shared = sync::load_relaxed(op->ob_ref_shared) >> _Py_REF_SHARED_SHIFT;
  return Py_ssize_t(local) + shared - (sync::is_deferred(op) ? sync::kDeferredBias : 0);
}

// References from instances to their (heap) type. Every thread makes instances of the same classes: each counts for
// itself, in a tally numbered by the type's unique_id (type_counts.cpp), and the collector adds the tallies to the
// type's own count. Only deferred types are counted so, for only the collector frees them.
AMPHIS_NOINLINE void count_type_slow(PyTypeObject* type, int64_t change);
AMPHIS_ALWAYS_INLINE void count_type(PyTypeObject* type, int64_t change) {
  memory::Heap* h = memory::this_heap();
  const size_t id = size_t(sync::load_relaxed(reinterpret_cast<PyHeapTypeObject*>(type)->unique_id)) - 1;
  if (id < h->tally_count) [[likely]] {
    h->tallies[id] += change;
  } else {
    count_type_slow(type, change);
  }
}
inline void incref_type(PyTypeObject* type) { count_type(type, 1); }
inline void decref_type(PyTypeObject* type) { count_type(type, -1); }
// World stopped: afterwards every type's own count is the whole count.
void settle_type_counts();
// World stopped and counts settled: from here on the type is counted like any object.
void end_type_counting(PyTypeObject* type);

// Nobody owns garbage: both halves of the count are merged, and a deferred object becomes an ordinary one, so that the
// last Py_DECREF frees it on the spot. kGcWasDeferred remembers it: suspended frames, which may come back to life, refer to
// it without counting.
inline void hold(PyObject* op) {
  if (PyType_Check(op) && sync::is_deferred(op)) end_type_counting(reinterpret_cast<PyTypeObject*>(op));
  const Py_ssize_t count = reference_count(op) + 1;
  sync::store_relaxed(op->ob_tid, uintptr_t(0));
  sync::store_relaxed(op->ob_ref_local, 0u);
  sync::store_relaxed(op->ob_ref_shared, _Py_REF_SHARED(count, _Py_REF_MERGED));
  if (sync::is_deferred(op)) set_bits(op, kGcWasDeferred);
  clear_bits(op, kGcDeferred);
}
inline void restore(PyObject* op) {
  if (!(bits(op) & kGcWasDeferred)) return;
  clear_bits(op, kGcWasDeferred);
  sync::set_deferred(op);
}

inline void resurrect_begin(PyObject* op) {
  sync::store_relaxed(op->ob_tid, _Py_ThreadId());
  sync::store_relaxed(op->ob_ref_local, 1u);
  sync::store_release(op->ob_ref_shared, Py_ssize_t(0));
}
inline bool resurrect_end(PyObject* op) {
  uint32_t local = sync::load_relaxed(op->ob_ref_local);
  Py_ssize_t shared = sync::load_acquire(op->ob_ref_shared);
  const bool owned = sync::load_relaxed(op->ob_tid) == _Py_ThreadId();
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return false;
  if (owned && local == 1 && shared == 0) {
    sync::store_relaxed(op->ob_ref_local, 0u);
    return true;
  }
  // Others have seen it: merge both halves, less the reference of the resurrection.
  if (owned) {
    sync::store_relaxed(op->ob_tid, uintptr_t(0));
    sync::store_relaxed(op->ob_ref_local, 0u);
  } else {
    local = 0;
  }
  Py_ssize_t left;
  do {
    left = (shared >> _Py_REF_SHARED_SHIFT) + Py_ssize_t(local) - 1;
  } while (!sync::compare_exchange(op->ob_ref_shared, shared, _Py_REF_SHARED(left, _Py_REF_MERGED)));
  return left == 0;
}

#endif

#if AMPHIS_GIL

// Of an object in a page of kind memory::kGc, or a free block there.
inline bool is_tracked(const PyObject* op) { return !(bits(op) & kGcUntracked); }
AMPHIS_ALWAYS_INLINE void set_tracked(PyObject* op) { clear_bits(op, kGcUntracked); }
AMPHIS_ALWAYS_INLINE void set_untracked(PyObject* op) { set_bits(op, kGcUntracked); }

#else

inline bool is_tracked(const PyObject* op) { return bits(op) & kGcTracked; }
AMPHIS_ALWAYS_INLINE void set_tracked(PyObject* op) { set_bits(op, kGcTracked); }
AMPHIS_ALWAYS_INLINE void set_untracked(PyObject* op) { clear_bits(op, kGcTracked); }

#endif

}  // namespace gc

// Hands a finished container to the collector. It must be in a state that tp_traverse can walk, and untracked.
AMPHIS_ALWAYS_INLINE void track(PyObject* op) { gc::set_tracked(op); }
template <class T>
AMPHIS_ALWAYS_INLINE void track(T* op) {
  track(reinterpret_cast<PyObject*>(op));
}
AMPHIS_ALWAYS_INLINE void untrack(PyObject* op) { gc::set_untracked(op); }
template <class T>
AMPHIS_ALWAYS_INLINE void untrack(T* op) {
  untrack(reinterpret_cast<PyObject*>(op));
}

}  // namespace amphis
