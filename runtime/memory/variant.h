// Owns what differs between the variants in memory/: whose heap a thread allocates from, and what a dead block must
// look like. GIL: one heap, guarded by the lock that every caller holds. Free-threaded: one heap per thread, and a
// block that was freed keeps reading as an object with no references (see heap.h).
#pragma once

#include "Python.h"
#include "base/compiler.h"

namespace amphis::memory {

struct Heap;

#if AMPHIS_GIL

inline constexpr bool kThreadHeaps = false;
// The smallest block must hold an object header.
inline constexpr size_t kMinBlock = 16;
extern Heap g_main_heap;
inline Heap* this_heap() { return &g_main_heap; }
inline void set_this_heap(Heap*) {}
// The free-list link covers the reference count and the flags; this bit of it, which is none of an address, is the one of the
// flags that says that an object is not tracked (gc/gc_bits.h).
inline constexpr uintptr_t kFreeTag = uintptr_t(1) << 56;
inline void mark_dead(void*) {}
// A block that has no link and is no object yet.
inline void mark_unborn(void* block) { *static_cast<uintptr_t*>(block) = kFreeTag; }

#else

inline constexpr bool kThreadHeaps = true;
inline constexpr size_t kMinBlock = 32;
extern __thread Heap* t_heap AMPHIS_TLS_IE;
inline Heap* this_heap() { return t_heap; }
inline void set_this_heap(Heap* heap) { t_heap = heap; }
// ob_flags, ob_mutex, ob_gc_bits and (upper half) ob_ref_local as one word: headers are made and killed with one store.
inline uint64_t& counted_word(PyObject* op) { return *reinterpret_cast<uint64_t*>(&op->ob_flags); }
static_assert(offsetof(PyObject, ob_flags) == 8 && offsetof(PyObject, ob_mutex) == 10 && offsetof(PyObject, ob_gc_bits) == 11 &&
              offsetof(PyObject, ob_ref_local) == 12);
inline constexpr uintptr_t kFreeTag = 0;
// The link covers ob_tid only. These stores may race with an optimistic reader's try_incref, which then fails.
inline void mark_dead(void* block) {
  auto* op = static_cast<PyObject*>(block);
  __atomic_store_n(&counted_word(op), uint64_t(0), __ATOMIC_RELAXED);
  __atomic_store_n(&op->ob_ref_shared, Py_ssize_t(_Py_REF_MERGED), __ATOMIC_RELAXED);
}

inline void mark_unborn(void* block) { mark_dead(block); }

#endif

static_assert(sizeof(PyObject) == kMinBlock);

}  // namespace amphis::memory
