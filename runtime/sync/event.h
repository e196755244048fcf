// Owns Event: a flag that threads can wait for; once set it stays set. One byte over the parking lot.
#pragma once

#include "sync/mutex.h"

#include <cstdint>

namespace amphis::sync {

class Event {
  uint8_t state_ = 0;  // 0: not set; 1: set; 2: not set, somebody waits

 public:
  bool is_set() const { return __atomic_load_n(&state_, __ATOMIC_ACQUIRE) == 1; }
  void set();
  // Waits detached. kAcquired: it is set. Negative timeout: for ever; kInterrupted only when asked for.
  LockResult wait(int64_t timeout_ns, bool interruptible);
};

}  // namespace amphis::sync
