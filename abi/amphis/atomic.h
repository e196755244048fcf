// Owns the inline atomic operations that reference counting and generated extension code use by name.
// Unsuffixed operations are sequentially consistent; the others carry their memory order in the name.
#ifndef AMPHIS_ABI_ATOMIC_H
#define AMPHIS_ABI_ATOMIC_H

#include "base.h"

#ifndef Py_LIMITED_API
Py_BEGIN_C_DECLS
#define _Py_ATOMIC_INTEGERS(V)                                                                            \
  V(int, int)                                                                                             \
  V(int8, int8_t) V(int16, int16_t) V(int32, int32_t) V(int64, int64_t) V(intptr, intptr_t)               \
      V(uint, unsigned int) V(uint8, uint8_t) V(uint16, uint16_t) V(uint32, uint32_t) V(uint64, uint64_t) \
          V(uintptr, uintptr_t) V(ssize, Py_ssize_t)
#define _Py_ATOMIC_MASKS(V) \
  V(uint8, uint8_t) V(uint16, uint16_t) V(uint32, uint32_t) V(uint64, uint64_t) V(uintptr, uintptr_t)
#define _Py_ATOMIC_RELAXED_ONLY(V)                                                                        \
  V(char, char)                                                                                           \
  V(uchar, unsigned char) V(short, short) V(ushort, unsigned short) V(long, long) V(ulong, unsigned long) \
      V(llong, long long) V(ullong, unsigned long long)

#define _Py_ATOMIC_DEFINE_INTEGER(name, type)                                                          \
  static inline type _Py_atomic_add_##name(type* obj, type value) {                                    \
    return __atomic_fetch_add(obj, value, __ATOMIC_SEQ_CST);                                           \
  }                                                                                                    \
  static inline type _Py_atomic_exchange_##name(type* obj, type value) {                               \
    return __atomic_exchange_n(obj, value, __ATOMIC_SEQ_CST);                                          \
  }                                                                                                    \
  static inline int _Py_atomic_compare_exchange_##name(type* obj, type* expected, type desired) {      \
    return __atomic_compare_exchange_n(obj, expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                    \
  static inline type _Py_atomic_load_##name(const type* obj) {                                         \
    return __atomic_load_n(obj, __ATOMIC_SEQ_CST);                                                     \
  }                                                                                                    \
  static inline type _Py_atomic_load_##name##_relaxed(const type* obj) {                               \
    return __atomic_load_n(obj, __ATOMIC_RELAXED);                                                     \
  }                                                                                                    \
  static inline type _Py_atomic_load_##name##_acquire(const type* obj) {                               \
    return __atomic_load_n(obj, __ATOMIC_ACQUIRE);                                                     \
  }                                                                                                    \
  static inline void _Py_atomic_store_##name(type* obj, type value) {                                  \
    __atomic_store_n(obj, value, __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                    \
  static inline void _Py_atomic_store_##name##_relaxed(type* obj, type value) {                        \
    __atomic_store_n(obj, value, __ATOMIC_RELAXED);                                                    \
  }                                                                                                    \
  static inline void _Py_atomic_store_##name##_release(type* obj, type value) {                        \
    __atomic_store_n(obj, value, __ATOMIC_RELEASE);                                                    \
  }
#define _Py_ATOMIC_DEFINE_MASK(name, type)                          \
  static inline type _Py_atomic_and_##name(type* obj, type value) { \
    return __atomic_fetch_and(obj, value, __ATOMIC_SEQ_CST);        \
  }                                                                 \
  static inline type _Py_atomic_or_##name(type* obj, type value) {  \
    return __atomic_fetch_or(obj, value, __ATOMIC_SEQ_CST);         \
  }
#define _Py_ATOMIC_DEFINE_RELAXED(name, type)                                   \
  static inline type _Py_atomic_load_##name##_relaxed(const type* obj) {        \
    return __atomic_load_n(obj, __ATOMIC_RELAXED);                              \
  }                                                                             \
  static inline void _Py_atomic_store_##name##_relaxed(type* obj, type value) { \
    __atomic_store_n(obj, value, __ATOMIC_RELAXED);                             \
  }

_Py_ATOMIC_INTEGERS(_Py_ATOMIC_DEFINE_INTEGER) _Py_ATOMIC_MASKS(_Py_ATOMIC_DEFINE_MASK)
    _Py_ATOMIC_RELAXED_ONLY(_Py_ATOMIC_DEFINE_RELAXED)

    // Pointers of any type pass as void*: the object is the slot that holds the pointer.
    static inline void* _Py_atomic_load_ptr(const void* obj) {
  return __atomic_load_n((void* const*)obj, __ATOMIC_SEQ_CST);
}
static inline void* _Py_atomic_load_ptr_relaxed(const void* obj) {
  return __atomic_load_n((void* const*)obj, __ATOMIC_RELAXED);
}
static inline void* _Py_atomic_load_ptr_acquire(const void* obj) {
  return __atomic_load_n((void* const*)obj, __ATOMIC_ACQUIRE);
}
static inline void _Py_atomic_store_ptr(void* obj, void* value) {
  __atomic_store_n((void**)obj, value, __ATOMIC_SEQ_CST);
}
static inline void _Py_atomic_store_ptr_relaxed(void* obj, void* value) {
  __atomic_store_n((void**)obj, value, __ATOMIC_RELAXED);
}
static inline void _Py_atomic_store_ptr_release(void* obj, void* value) {
  __atomic_store_n((void**)obj, value, __ATOMIC_RELEASE);
}
static inline void* _Py_atomic_exchange_ptr(void* obj, void* value) {
  return __atomic_exchange_n((void**)obj, value, __ATOMIC_SEQ_CST);
}
static inline int _Py_atomic_compare_exchange_ptr(void* obj, void* expected, void* desired) {
  return __atomic_compare_exchange_n((void**)obj, (void**)expected, desired, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}
static inline double _Py_atomic_load_double_relaxed(const double* obj) {
  double value;
  __atomic_load((double*)obj, &value, __ATOMIC_RELAXED);
  return value;
}
static inline void _Py_atomic_store_double_relaxed(double* obj, double value) {
  __atomic_store(obj, &value, __ATOMIC_RELAXED);
}
static inline float _Py_atomic_load_float_relaxed(const float* obj) {
  float value;
  __atomic_load((float*)obj, &value, __ATOMIC_RELAXED);
  return value;
}
static inline void _Py_atomic_store_float_relaxed(float* obj, float value) {
  __atomic_store(obj, &value, __ATOMIC_RELAXED);
}
static inline void _Py_atomic_fence_acquire(void) {
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
}
static inline void _Py_atomic_fence_release(void) {
  __atomic_thread_fence(__ATOMIC_RELEASE);
}
static inline void _Py_atomic_fence_seq_cst(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

Py_END_C_DECLS
#endif

#endif
