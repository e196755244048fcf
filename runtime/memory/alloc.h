// Owns the fast path of object allocation. Everything that becomes a Python object is allocated here (or through
// PyObject_Malloc and PyObject_GC_New, which end here); raw data belongs to PyMem_Malloc.
// Null means that there is no memory; no exception is set. The memory is not zeroed.
#pragma once

#include "memory/balance.h"
#include "memory/heap.h"

#ifdef AMPHIS_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace amphis {

namespace memory {

// AddressSanitizer knows dead blocks in the GIL build (the other one reads them, and sorts out later what it read), except
// for the header, which the collector looks at.
inline void mark_freed([[maybe_unused]] void* p, [[maybe_unused]] size_t size) {
#ifdef AMPHIS_ASAN
  constexpr size_t kKept = 32;
  if (!kThreadHeaps && size > kKept) __asan_poison_memory_region(static_cast<std::byte*>(p) + kKept, size - kKept);
#endif
}
inline void* mark_used(void* p, [[maybe_unused]] size_t size) {
#ifdef AMPHIS_ASAN
  if (p) __asan_unpoison_memory_region(p, size);
#endif
  return p;
}

#ifndef NDEBUG
// Debug builds: may take the block of a dead object, and gives it back with release_freed. Set while one thread runs.
extern bool (*take_freed)(void* block);
void release_freed(void* block);
#endif

// `size` is what was asked for: for the slow path's observer.
AMPHIS_ALWAYS_INLINE void* alloc_class(Kind kind, unsigned cls, size_t size) {
  Page* page = this_heap()->current[kind][cls];
  Block* block = page->free;
  if (AMPHIS_UNLIKELY(!block)) return alloc_slow(kind, cls, size);
  page->free = block->next();
  ++page->used;
  balance::allocated(block, size, kind != kRaw);
  return mark_used(block, page->block_size);
}

AMPHIS_ALWAYS_INLINE void* alloc(Kind kind, size_t size) {
  if (AMPHIS_UNLIKELY(size > kMaxSmall)) return alloc_large(kind, size);
  return alloc_class(kind, size_class(size < kMinBlock ? kMinBlock : size), size);
}

}  // namespace memory

AMPHIS_ALWAYS_INLINE void* alloc_object(size_t size) { return memory::alloc(memory::kPlain, size); }
AMPHIS_ALWAYS_INLINE void* alloc_gc_object(size_t size) { return memory::alloc(memory::kGc, size); }

namespace memory {

AMPHIS_ALWAYS_INLINE void free_block(Page* page, void* p) {
  balance::freed(p);
  if constexpr (kThreadHeaps) {
    if (AMPHIS_UNLIKELY(page->heap != this_heap())) return free_remote(page, p);
  }
  auto* block = static_cast<Block*>(p);
  block->set_next(page->free);
  page->free = block;
  mark_freed(p, page->block_size);
  if (AMPHIS_UNLIKELY(--page->used == page->notify_at)) page_notify(page);
}

// Blocks without an object header; at most kMaxSmall bytes, which need not leave room for one.
AMPHIS_ALWAYS_INLINE void* alloc_raw(size_t size) { return alloc_class(kRaw, size_class(size ? size : 1), size); }
AMPHIS_ALWAYS_INLINE void free_raw(void* p) { free_block(page_of(p), p); }

}  // namespace memory

// An object of either kind. p must not be null.
AMPHIS_ALWAYS_INLINE void free_object(void* p) {
#ifndef NDEBUG
  if (memory::take_freed != nullptr && memory::take_freed(p)) {
    memory::balance::freed(p);
    if (const memory::Observer* o = memory::observer()) o->freed(p);
    return;
  }
#endif
  memory::mark_dead(p);
  memory::free_block(memory::page_of(p), p);
}

// Memory for one T whose size is known: floats, compact integers, cells, iterators. With the class a constant,
// allocation is a load, a test and two stores; types need no free lists of their own.
template <class T>
AMPHIS_ALWAYS_INLINE T* alloc_fixed() {
  return static_cast<T*>(memory::alloc_class(memory::kPlain, memory::fixed_class<T>(), sizeof(T)));
}
template <class T>
AMPHIS_ALWAYS_INLINE T* alloc_gc_fixed() {
  return static_cast<T*>(memory::alloc_class(memory::kGc, memory::fixed_class<T>(), sizeof(T)));
}

// Bytes that the block at p can hold: at least what was asked for.
inline size_t object_block_size(const void* p) { return memory::page_of(p)->usable_size(); }
// Moves the object to a block of at least `size` bytes of the same kind, or leaves it. Null: no memory, p unchanged.
void* realloc_object(void* p, size_t size);

}  // namespace amphis
