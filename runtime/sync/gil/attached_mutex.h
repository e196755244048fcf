// GIL build of sync::AttachedMutex: protects data that only attached threads touch, never across a detach. The GIL
// is that lock already.
#pragma once

#include "Python.h"

namespace amphis::sync {

// True while no other thread can touch an object before this one's next safepoint.
inline bool only_thread() { return true; }

inline void on_many_threads(void (*)()) {}

// The uncontended halves of a PyMutex that only attached threads lock and unlock: no other thread can interfere.
// False: use mutex_lock_timed or mutex_try_unlock.
inline bool attached_try_lock(PyMutex* m) {
  if (__atomic_load_n(&m->_bits, __ATOMIC_RELAXED) != 0) return false;
  __atomic_store_n(&m->_bits, 1, __ATOMIC_RELAXED);
  return true;
}
inline bool attached_try_unlock(PyMutex* m) {
  if (__atomic_load_n(&m->_bits, __ATOMIC_RELAXED) != 1) return false;
  __atomic_store_n(&m->_bits, 0, __ATOMIC_RELAXED);
  return true;
}

// field: expected -> desired. False: it is not `expected`.
inline bool attached_claim(uint8_t& field, uint8_t expected, uint8_t desired) {
  if (field != expected) return false;
  field = desired;
  return true;
}

class AttachedMutex {
 public:
  void lock() {}
  void unlock() {}
  bool try_lock() { return true; }
  void reset() {}
};

}  // namespace amphis::sync
