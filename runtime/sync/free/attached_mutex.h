// Free-threaded build of sync::AttachedMutex: protects data that only attached threads touch, never across a detach.
#pragma once

#include "sync/mutex.h"
#include "sync/thread_state.h"

namespace amphis::sync {

// False while the process has one thread state: then plain instructions lock what only attached threads lock. Before a
// second state appears the first one has passed a safepoint, or is the one that makes it.
extern std::atomic<bool> many_threads AMPHIS_HIDDEN;

// Called when many_threads has changed: before the thread that is added runs, with every other one standing still; or by the
// thread that is left alone, at its next safepoint.
void on_many_threads(void (*changed)());

// True while no other thread can touch an object before this one's next safepoint.
AMPHIS_ALWAYS_INLINE bool only_thread() { return !many_threads.load(std::memory_order_acquire); }

// The uncontended halves of a PyMutex that only attached threads lock and unlock. False: use mutex_lock_timed or
// mutex_try_unlock.
AMPHIS_ALWAYS_INLINE bool attached_try_lock(PyMutex* m) {
  if (many_threads.load(std::memory_order_acquire)) return mutex_try_lock(m);
  if (m->_bits) [[unlikely]] return false;
  m->_bits = 1;
  return true;
}
AMPHIS_ALWAYS_INLINE bool attached_try_unlock(PyMutex* m) {
  if (many_threads.load(std::memory_order_acquire)) {
    uint8_t expected = 1;
    return __atomic_compare_exchange_n(&m->_bits, &expected, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  }
  if (m->_bits != 1) [[unlikely]] return false;
  m->_bits = 0;
  return true;
}

// field: expected -> desired, for a byte that only attached threads write. False: it is not `expected`.
AMPHIS_ALWAYS_INLINE bool attached_claim(uint8_t& field, uint8_t expected, uint8_t desired) {
  if (many_threads.load(std::memory_order_acquire)) {
    return __atomic_compare_exchange_n(&field, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  }
  if (field != expected) [[unlikely]] return false;
  field = desired;
  return true;
}

class AttachedMutex : public Mutex {
 public:
  void lock() {
    if (!attached_try_lock(native())) [[unlikely]] mutex_lock_slow(native());
  }
  void unlock() {
    if (!attached_try_unlock(native())) [[unlikely]] mutex_unlock_slow(native());
  }
  bool try_lock() { return attached_try_lock(native()); }
};

}  // namespace amphis::sync
