// Owns the parking lot: queues of sleeping threads keyed by the address they wait for, so that a lock itself needs only
// a byte. Algorithm: WebKit's ParkingLot (Pizlo, "Locking in WebKit", 2016). Invariant: a waiter is in its bucket's
// queue exactly while nobody has decided to wake it. It knows nothing of attachment: callers detach first.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/compiler.h"

namespace amphis::sync {

struct Waiter {
  const void* address;
  Waiter* next;
  Waiter* prev;
  int64_t fair_after;              // past this time the lock is handed over to this waiter
  bool queued;                     // guarded by the bucket's lock
  bool handed_off;                 // written by the waker before `signal`
  std::atomic<uint32_t> signal;    // 0 asleep, 1 woken
};

enum class ParkResult { kWoken, kHandedOff, kChanged, kTimeout, kInterrupted };

// Sleeps unless *word differs from `expected` when looked at under the bucket's lock. `since` is when the caller
// began to wait for this lock (0: now). Negative timeout: for ever. kInterrupted only if `interruptible`.
ParkResult park(const uint8_t* word, uint8_t expected, int64_t timeout_ns, int64_t since, bool interruptible);

// Takes the first waiter off the queue of `address` and calls decide(waiter or null, whether more wait) under the
// bucket's lock: there the caller stores the lock's new value. Then wakes the waiter.
using UnparkDecision = void (*)(void* context, Waiter* waiter, bool more);
void unpark_one(const void* address, UnparkDecision decide, void* context);
void unpark_all(const void* address);

// In the child of a fork: nobody waits any more.
void reset_parking_lot();

}  // namespace amphis::sync
