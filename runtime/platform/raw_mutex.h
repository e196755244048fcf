// Owns RawMutex: the smallest lock of the runtime, for leaf data (wait queues, thread lists). It knows nothing of
// threads' attachment: hold it for a few instructions, never call Python or block inside.
// Algorithm: Drepper, "Futexes Are Tricky", mutex 3. 0: free, 1: held, 2: held and somebody may sleep.
#pragma once

#include "platform/os.h"

namespace amphis::platform {

class RawMutex {
  std::atomic<uint32_t> word_{0};
  void lock_slow();

 public:
  constexpr RawMutex() = default;
  RawMutex(const RawMutex&) = delete;
  RawMutex& operator=(const RawMutex&) = delete;

  void lock() {
    uint32_t expected = 0;
    if (!word_.compare_exchange_strong(expected, 1, std::memory_order_acquire)) [[unlikely]] lock_slow();
  }
  bool try_lock() {
    uint32_t expected = 0;
    return word_.compare_exchange_strong(expected, 1, std::memory_order_acquire);
  }
  void unlock() {
    if (word_.exchange(0, std::memory_order_release) == 2) [[unlikely]] wake_one(&word_);
  }
  // In the child of a fork: whoever held it is gone.
  void reset() { word_.store(0, std::memory_order_relaxed); }
};

class RawLock {
  RawMutex& mutex_;

 public:
  explicit RawLock(RawMutex& m) : mutex_(m) { m.lock(); }
  ~RawLock() { mutex_.unlock(); }
  RawLock(const RawLock&) = delete;
  RawLock& operator=(const RawLock&) = delete;
};

}  // namespace amphis::platform
