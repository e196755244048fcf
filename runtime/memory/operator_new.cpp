// C++'s own allocations (strings and vectors of the compiler, of paths and the like) are mimalloc's, whichever C++ library
// is linked. Sanitizers bring theirs. Not mimalloc's own operators: a mimalloc that was compiled as C ends the process where
// C++ throws std::bad_alloc, and the compiler makes a MemoryError of that. So do extensions in C++: these operators are
// exported (abi/exports.map), since without them theirs would be those that mimalloc's library exports.
#include "base/compiler.h"

#if !defined(AMPHIS_ASAN) && !defined(AMPHIS_TSAN)
#include "memory/system.h"

#include <dlfcn.h>

#include <cstddef>
#include <new>

namespace {

// Extensions have the shared C++ library, this library has a copy of its own. Where both are there the shared one throws, as
// it counts the exceptions on their way for those that may catch this one.
[[noreturn]] void refuse() {
  if (void* library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD))
    if (void* raise = dlsym(library, "_ZSt17__throw_bad_allocv")) reinterpret_cast<void (*)()>(raise)();
  throw std::bad_alloc();
}

template <class F>
void* allocate(F&& attempt) {
  for (;;) {
    if (void* p = attempt()) return p;
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) refuse();
    handler();
  }
}

}  // namespace

void* operator new(size_t size) {
  return allocate([size] { return mi_malloc(size); });
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return mi_malloc(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return mi_malloc(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  return allocate([size, alignment] { return amphis::memory::system_aligned(size, static_cast<size_t>(alignment)); });
}
void* operator new[](size_t size, std::align_val_t alignment) { return operator new(size, alignment); }
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return amphis::memory::system_aligned(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return amphis::memory::system_aligned(size, static_cast<size_t>(alignment));
}

void operator delete(void* p) noexcept { mi_free(p); }
void operator delete[](void* p) noexcept { mi_free(p); }
void operator delete(void* p, size_t) noexcept { mi_free(p); }
void operator delete[](void* p, size_t) noexcept { mi_free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { mi_free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { mi_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { mi_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { mi_free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { mi_free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { mi_free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { mi_free(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { mi_free(p); }
#endif
