// Memory from below the runtime's own heaps: blocks that any thread may free. mimalloc serves them; in sanitizer builds
// the sanitizer's allocator does, since one that it does not know hides how a block passes from thread to thread, and
// where it ends. Null: no memory.
#pragma once

#include "base/compiler.h"

#if defined(AMPHIS_ASAN) || defined(AMPHIS_TSAN)
#include <malloc.h>

#include <cstdlib>
#else
#include <mimalloc.h>
#endif

namespace amphis::memory {

#if defined(AMPHIS_ASAN) || defined(AMPHIS_TSAN)
inline void* system_malloc(size_t size) { return std::malloc(size); }
inline void* system_calloc(size_t count, size_t each) { return std::calloc(count, each); }
inline void* system_realloc(void* p, size_t size) { return std::realloc(p, size); }
// `size` is a multiple of `alignment`.
inline void* system_aligned(size_t size, size_t alignment) { return std::aligned_alloc(alignment, size); }
inline size_t system_usable_size(void* p) { return malloc_usable_size(p); }
inline void system_free(void* p) { std::free(p); }
#else
inline void* system_malloc(size_t size) { return mi_malloc(size); }
inline void* system_calloc(size_t count, size_t each) { return mi_calloc(count, each); }
inline void* system_realloc(void* p, size_t size) { return mi_realloc(p, size); }
// mimalloc 2.0 takes any block of a class whose size is a multiple of the alignment, up to 1024, for aligned, though its
// pages begin at multiples of 128 only. One byte more, and it looks.
inline void* system_aligned(size_t size, size_t alignment) {
  return mi_malloc_aligned(alignment > 64 && size % alignment == 0 ? size + 1 : size, alignment);
}
inline size_t system_usable_size(void* p) { return mi_usable_size(p); }
inline void system_free(void* p) { mi_free(p); }
#endif

}  // namespace amphis::memory
