// Free-threaded build of sync/atomic_field.h. Read-modify-write operations are acquire and release.
#pragma once

#include <type_traits>

#include "base/compiler.h"

namespace amphis::sync {

template <class T>
inline T load_relaxed(const T& field) {
  T value;
  __atomic_load(const_cast<T*>(&field), &value, __ATOMIC_RELAXED);
  return value;
}
template <class T>
inline T load_acquire(const T& field) {
  T value;
  __atomic_load(const_cast<T*>(&field), &value, __ATOMIC_ACQUIRE);
  return value;
}
template <class T>
inline void store_relaxed(T& field, std::type_identity_t<T> value) {
  __atomic_store(&field, &value, __ATOMIC_RELAXED);
}
template <class T>
inline void store_release(T& field, std::type_identity_t<T> value) {
  __atomic_store(&field, &value, __ATOMIC_RELEASE);
}

inline void settle_reads() {
#ifdef AMPHIS_TSAN
  // ThreadSanitizer knows no fences, and judges each access by itself.
  __atomic_signal_fence(__ATOMIC_ACQUIRE);
#else
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

template <class T>
inline T exchange(T& field, std::type_identity_t<T> value) {
  T old;
  __atomic_exchange(&field, &value, &old, __ATOMIC_ACQ_REL);
  return old;
}
template <class T>
inline bool compare_exchange(T& field, T& expected, std::type_identity_t<T> desired) {
  return __atomic_compare_exchange(&field, &expected, &desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
template <class T>
inline T fetch_add(T& field, std::type_identity_t<T> n) {
  return __atomic_fetch_add(&field, n, __ATOMIC_ACQ_REL);
}
template <class T>
inline T fetch_or(T& field, std::type_identity_t<T> bits) {
  return __atomic_fetch_or(&field, bits, __ATOMIC_ACQ_REL);
}
template <class T>
inline T fetch_and(T& field, std::type_identity_t<T> bits) {
  return __atomic_fetch_and(&field, bits, __ATOMIC_ACQ_REL);
}

}  // namespace amphis::sync
