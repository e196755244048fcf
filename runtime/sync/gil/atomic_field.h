// GIL build of sync/atomic_field.h: the GIL orders everything, so a field is just a field.
#pragma once

#include <type_traits>

namespace amphis::sync {

template <class T>
inline T load_relaxed(const T& field) { return field; }
template <class T>
inline T load_acquire(const T& field) { return field; }
template <class T>
inline void store_relaxed(T& field, std::type_identity_t<T> value) { field = value; }
template <class T>
inline void store_release(T& field, std::type_identity_t<T> value) { field = value; }

inline void settle_reads() {}

template <class T>
inline T exchange(T& field, std::type_identity_t<T> value) {
  T old = field;
  field = value;
  return old;
}
template <class T>
inline bool compare_exchange(T& field, T& expected, std::type_identity_t<T> desired) {
  if (field == expected) {
    field = desired;
    return true;
  }
  expected = field;
  return false;
}
template <class T>
inline T fetch_add(T& field, std::type_identity_t<T> n) {
  T old = field;
  field = T(old + n);
  return old;
}
template <class T>
inline T fetch_or(T& field, std::type_identity_t<T> bits) {
  T old = field;
  field = T(old | bits);
  return old;
}
template <class T>
inline T fetch_and(T& field, std::type_identity_t<T> bits) {
  T old = field;
  field = T(old & bits);
  return old;
}

}  // namespace amphis::sync
