// The functions that instrumented code calls (the interface of the compilers' ThreadSanitizer): atomic operations are done
// here, behind a scheduling point; plain accesses and function frames are of no interest.
#include <cstdint>

#include "scheduler.h"

using interleave::point;

namespace {

// What a planted bug makes of a read-modify-write.
template <class T, class F>
T update(volatile T* a, F f) {
  T old = __atomic_load_n(a, __ATOMIC_SEQ_CST);
  point();
  __atomic_store_n(a, f(old), __ATOMIC_SEQ_CST);
  return old;
}
using interleave::torn;

template <class T>
bool exchange_if_equal(volatile T* a, T* expected, T desired) {
  point();
  if (torn(a)) {
    T old = __atomic_load_n(a, __ATOMIC_SEQ_CST);
    if (old != *expected) {
      *expected = old;
      return false;
    }
    point();
    __atomic_store_n(a, desired, __ATOMIC_SEQ_CST);
    return true;
  }
  return __atomic_compare_exchange_n(a, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

}  // namespace

extern "C" {

#define ATOMIC(bits, T)                                                                                            \
  T __tsan_atomic##bits##_load(const volatile T* a, int) {                                                         \
    point();                                                                                                       \
    return __atomic_load_n(a, __ATOMIC_SEQ_CST);                                                                   \
  }                                                                                                                \
  void __tsan_atomic##bits##_store(volatile T* a, T v, int) {                                                      \
    point();                                                                                                       \
    __atomic_store_n(a, v, __ATOMIC_SEQ_CST);                                                                      \
  }                                                                                                                \
  T __tsan_atomic##bits##_exchange(volatile T* a, T v, int) {                                                      \
    point();                                                                                                       \
    return torn(a) ? update(a, [v](T) { return v; }) : __atomic_exchange_n(a, v, __ATOMIC_SEQ_CST);              \
  }                                                                                                                \
  T __tsan_atomic##bits##_fetch_add(volatile T* a, T v, int) {                                                     \
    point();                                                                                                       \
    return torn(a) ? update(a, [v](T o) { return T(o + v); }) : __atomic_fetch_add(a, v, __ATOMIC_SEQ_CST);      \
  }                                                                                                                \
  T __tsan_atomic##bits##_fetch_sub(volatile T* a, T v, int) {                                                     \
    point();                                                                                                       \
    return torn(a) ? update(a, [v](T o) { return T(o - v); }) : __atomic_fetch_sub(a, v, __ATOMIC_SEQ_CST);      \
  }                                                                                                                \
  T __tsan_atomic##bits##_fetch_and(volatile T* a, T v, int) {                                                     \
    point();                                                                                                       \
    return torn(a) ? update(a, [v](T o) { return T(o & v); }) : __atomic_fetch_and(a, v, __ATOMIC_SEQ_CST);      \
  }                                                                                                                \
  T __tsan_atomic##bits##_fetch_or(volatile T* a, T v, int) {                                                      \
    point();                                                                                                       \
    return torn(a) ? update(a, [v](T o) { return T(o | v); }) : __atomic_fetch_or(a, v, __ATOMIC_SEQ_CST);       \
  }                                                                                                                \
  T __tsan_atomic##bits##_fetch_xor(volatile T* a, T v, int) {                                                     \
    point();                                                                                                       \
    return __atomic_fetch_xor(a, v, __ATOMIC_SEQ_CST);                                                             \
  }                                                                                                                \
  bool __tsan_atomic##bits##_compare_exchange_strong(volatile T* a, T* e, T v, int, int) {                         \
    return exchange_if_equal(a, e, v);                                                                             \
  }                                                                                                                \
  bool __tsan_atomic##bits##_compare_exchange_weak(volatile T* a, T* e, T v, int, int) {                           \
    return exchange_if_equal(a, e, v);                                                                             \
  }                                                                                                                \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* a, T e, T v, int, int) {                                \
    exchange_if_equal(a, &e, v);                                                                                   \
    return e;                                                                                                      \
  }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
#undef ATOMIC

void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}

#define IGNORED(name, ...) \
  void __tsan_##name(__VA_ARGS__) {}
IGNORED(init)
IGNORED(func_entry, void*)
IGNORED(func_exit)
#define ACCESS(bytes)                     \
  IGNORED(read##bytes, void*)             \
  IGNORED(write##bytes, void*)            \
  IGNORED(unaligned_read##bytes, void*)   \
  IGNORED(unaligned_write##bytes, void*)  \
  IGNORED(volatile_read##bytes, void*)    \
  IGNORED(volatile_write##bytes, void*)
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
IGNORED(read_range, void*, unsigned long)
IGNORED(write_range, void*, unsigned long)
IGNORED(vptr_update, void**, void*)
IGNORED(vptr_read, void**)
void AnnotateIgnoreReadsBegin(const char*, int) {}
void AnnotateIgnoreReadsEnd(const char*, int) {}

}  // extern "C"
