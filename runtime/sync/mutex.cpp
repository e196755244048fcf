// The contended paths of PyMutex, and its C API. Bits of the byte: 1, locked; 2, somebody is parked on its address.
#include "sync/mutex.h"

#include "base/assert.h"
#include "platform/os.h"
#include "sync/attachment.h"
#include "sync/parking_lot.h"

namespace amphis::sync {

namespace {

constexpr uint8_t kLocked = 1;
constexpr uint8_t kParked = 2;
constexpr int kSpins = 40;

uint8_t load_bits(PyMutex* m) { return __atomic_load_n(&m->_bits, __ATOMIC_RELAXED); }

bool cas_bits(PyMutex* m, uint8_t& expected, uint8_t desired) {
  return __atomic_compare_exchange_n(&m->_bits, &expected, desired, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Under the bucket's lock: a waiter who has waited long gets the mutex directly, otherwise it is free for all.
void release_to(void* context, Waiter* waiter, bool more) {
  auto* m = static_cast<PyMutex*>(context);
  uint8_t bits = more ? kParked : 0;
  if (waiter && platform::now_ns() > waiter->fair_after) {
    waiter->handed_off = true;
    bits |= kLocked;
  }
  __atomic_store_n(&m->_bits, bits, __ATOMIC_RELEASE);
}

}  // namespace

LockResult mutex_lock_timed(PyMutex* m, int64_t timeout_ns, bool interruptible) {
  uint8_t bits = load_bits(m);
  if (!(bits & kLocked) && cas_bits(m, bits, bits | kLocked)) return LockResult::kAcquired;
  if (timeout_ns == 0) return LockResult::kTimeout;
  if (kParallel) {
    for (int i = 0; i < kSpins && !(bits & kParked); i++) {
      if (!(bits & kLocked)) {
        if (cas_bits(m, bits, bits | kLocked)) return LockResult::kAcquired;
        continue;
      }
      platform::spin_pause();
      bits = load_bits(m);
    }
  }
  ThreadState* ts = current_thread();
  int64_t since = platform::now_ns();
  int64_t deadline = timeout_ns < 0 || timeout_ns > INT64_MAX - since ? -1 : since + timeout_ns;
  for (;;) {
    if (!(bits & kLocked)) {
      if (cas_bits(m, bits, bits | kLocked)) return LockResult::kAcquired;
      continue;
    }
    if (!(bits & kParked) && !cas_bits(m, bits, bits | kParked)) continue;
    int64_t left = -1;
    if (deadline >= 0) {
      left = deadline - platform::now_ns();
      if (left <= 0) return LockResult::kTimeout;
    }
    if (ts) detach(ts);
    ParkResult r = park(&m->_bits, kLocked | kParked, left, since, interruptible);
    if (r == ParkResult::kHandedOff) {
      if (!ts || try_attach(ts)) return LockResult::kAcquired;
      // The world is stopped, and whoever stopped it may want this mutex: do not sit on it.
      mutex_unlock(m);
      attach(ts);
    } else {
      if (ts) attach(ts);
      if (r == ParkResult::kTimeout) return LockResult::kTimeout;
      if (r == ParkResult::kInterrupted) return LockResult::kInterrupted;
    }
    bits = load_bits(m);
  }
}

void mutex_lock_slow(PyMutex* m) { mutex_lock_timed(m, -1, false); }

bool mutex_try_unlock(PyMutex* m) {
  uint8_t bits = load_bits(m);
  for (;;) {
    if (!(bits & kLocked)) return false;
    if (bits & kParked) {
      unpark_one(&m->_bits, release_to, m);
      return true;
    }
    if (__atomic_compare_exchange_n(&m->_bits, &bits, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) return true;
  }
}

void mutex_unlock_slow(PyMutex* m) {
  if (!mutex_try_unlock(m)) fatal("unlocking mutex that is not locked");
}

}  // namespace amphis::sync

#undef PyMutex_Lock
#undef PyMutex_Unlock
#undef PyMutex_IsLocked

extern "C" {

void PyMutex_Lock(PyMutex* m) { amphis::sync::mutex_lock(m); }
void PyMutex_Unlock(PyMutex* m) { amphis::sync::mutex_unlock(m); }
int PyMutex_IsLocked(PyMutex* m) { return __atomic_load_n(&m->_bits, __ATOMIC_ACQUIRE) & 1; }

}
