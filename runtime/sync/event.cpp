// Waiting for an Event.
#include "sync/event.h"

#include "platform/os.h"
#include "sync/parking_lot.h"
#include "sync/thread_state.h"

namespace amphis::sync {

void Event::set() {
  if (__atomic_exchange_n(&state_, 1, __ATOMIC_ACQ_REL) == 2) unpark_all(&state_);
}

LockResult Event::wait(int64_t timeout_ns, bool interruptible) {
  if (is_set()) return LockResult::kAcquired;
  if (timeout_ns == 0) return LockResult::kTimeout;
  int64_t start = platform::now_ns();
  for (;;) {
    uint8_t state = 0;
    __atomic_compare_exchange_n(&state_, &state, 2, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (state == 1) return LockResult::kAcquired;
    int64_t left = -1;
    if (timeout_ns >= 0) {
      left = timeout_ns - (platform::now_ns() - start);
      if (left <= 0) return LockResult::kTimeout;
    }
    ParkResult r;
    {
      Detached d;
      r = park(&state_, 2, left, start, interruptible);
    }
    if (is_set()) return LockResult::kAcquired;
    if (r == ParkResult::kTimeout) return LockResult::kTimeout;
    if (r == ParkResult::kInterrupted) return LockResult::kInterrupted;
  }
}

}  // namespace amphis::sync
