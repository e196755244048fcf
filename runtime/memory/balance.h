// The balance of allocations and frees, in debug builds: -X alloc_balance records every block of the memory domains (objects,
// PyMem_*, PyMem_Raw*) from the moment the option is read, and the end of the runtime reports what nobody gave back.
// Release builds have none of this.
//
// A block that lives as long as the process by design is accounted for: it is allocated inside a `Permanent` scope, or named
// with `keep`, and either says why. The reason is a string literal; the report adds up the blocks of each.
#pragma once

#include <cstddef>

namespace amphis::memory::balance {

#ifndef NDEBUG

// Set before there is a second thread, and never taken back.
extern bool recording;

void record(void* block, size_t size, bool object);
void forget(void* block);
void resize(void* block, size_t size);

inline void allocated(void* block, size_t size, bool object) {
  if (recording && block) [[unlikely]] record(block, size, object);
}
inline void freed(void* block) {
  if (recording) [[unlikely]] forget(block);
}
inline void resized(void* block, size_t size) {
  if (recording) [[unlikely]] resize(block, size);
}

// What this thread allocates while it lives, stays.
class Permanent {
  const char* outer_;

 public:
  explicit Permanent(const char* why);
  ~Permanent();
  Permanent(const Permanent&) = delete;
  Permanent& operator=(const Permanent&) = delete;
};
void keep_block(const void* block, const char* why);
inline void keep(const void* block, const char* why) {
  if (recording) [[unlikely]] keep_block(block, why);
}

// `frames`: so many return addresses are remembered of each allocation.
void start(int frames);
// Writes the balance to stderr.
void report();

#else

inline constexpr bool recording = false;
inline void allocated(void*, size_t, bool) {}
inline void freed(void*) {}
inline void resized(void*, size_t) {}
struct Permanent {
  explicit constexpr Permanent(const char*) {}
  constexpr ~Permanent() {}
};
inline void keep(const void*, const char*) {}
inline void start(int) {}
inline void report() {}

#endif

}  // namespace amphis::memory::balance
