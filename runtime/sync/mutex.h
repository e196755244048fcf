// Owns sync::Mutex, a C++ face of PyMutex: one byte, a queue only while contended, hand-off after a millisecond of
// waiting. A thread that blocks detaches meanwhile (and so suspends its critical sections). Not reentrant.
// Rule: do not run Python code and do not detach while holding one.
#pragma once

#include "Python.h"

#include "base/compiler.h"
#include "sync/variant.h"

#include <cstdint>

namespace amphis::sync {

inline bool mutex_try_lock(PyMutex* m) {
  uint8_t expected = 0;
  return __atomic_compare_exchange_n(&m->_bits, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
AMPHIS_NOINLINE void mutex_lock_slow(PyMutex* m);
AMPHIS_NOINLINE void mutex_unlock_slow(PyMutex* m);
enum class LockResult { kAcquired, kTimeout, kInterrupted };
// Zero timeout: try; negative: for ever. kInterrupted only when asked for: a signal handler ran in this thread.
LockResult mutex_lock_timed(PyMutex* m, int64_t timeout_ns, bool interruptible);
// False: it was not locked.
bool mutex_try_unlock(PyMutex* m);
inline void mutex_lock(PyMutex* m) {
  if (!mutex_try_lock(m)) [[unlikely]] mutex_lock_slow(m);
}
inline void mutex_unlock(PyMutex* m) {
  uint8_t expected = 1;
  if (!__atomic_compare_exchange_n(&m->_bits, &expected, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) [[unlikely]]
    mutex_unlock_slow(m);
}

class Mutex {
  PyMutex m_{};

 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() { mutex_lock(&m_); }
  void unlock() { mutex_unlock(&m_); }
  bool try_lock() { return mutex_try_lock(&m_); }
  bool is_locked() const { return __atomic_load_n(&m_._bits, __ATOMIC_ACQUIRE) & 1; }
  PyMutex* native() { return &m_; }
  // In the child of a fork.
  void reset() { m_._bits = 0; }
};

// RAII over anything with lock() and unlock().
template <class M>
class [[nodiscard]] LockGuard {
  M& m_;

 public:
  explicit LockGuard(M& m) : m_(m) { m.lock(); }
  ~LockGuard() { m_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;
};
using MutexLock = LockGuard<Mutex>;

}  // namespace amphis::sync

#include AMPHIS_SYNC(attached_mutex)
