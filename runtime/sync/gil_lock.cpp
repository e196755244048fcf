// The contended paths of the global interpreter lock.
#include "sync/gil_lock.h"

#include "platform/os.h"
#include "sync/interpreter_state.h"

namespace amphis::sync {

struct Gil::Waiter {
  Waiter* next = nullptr;
  std::atomic<uint32_t> signal{kAsleep};
};

void Gil::send(Waiter* w, Signal s) {
  std::atomic<uint32_t>* signal = &w->signal;
  signal->store(s, std::memory_order_release);  // after this the waiter's frame may be gone
  platform::wake_one(signal);
}

// With the queue locked. True: the lock was free after all and is now held.
bool Gil::take_or_queue(Waiter* w, bool first) {
  uint32_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    if (!(word & kHeld)) {
      if (word_.compare_exchange_weak(word, word | kHeld, std::memory_order_acquire)) return true;
    } else if (word_.compare_exchange_weak(word, word | kWaiters, std::memory_order_relaxed)) {
      break;
    }
  }
  w->signal.store(kAsleep, std::memory_order_relaxed);
  if (first) {
    w->next = head_;
    head_ = w;
    if (!tail_) tail_ = w;
  } else {
    w->next = nullptr;
    (tail_ ? tail_->next : head_) = w;
    tail_ = w;
  }
  return false;
}

// The holder may be about to end: its state is safe to touch only with the thread list locked.
void Gil::ask_to_drop() {
  platform::RawLock lock(interpreter()->list_lock);
  if (ThreadState* h = holder_.load()) set_eval_breaker(h, kBreakGilDrop);
}

void Gil::acquire_slow() {
  Waiter w;
  {
    platform::RawLock lock(queue_lock_);
    if (take_or_queue(&w, false)) return;
  }
  for (;;) {
    uint64_t seen = switches_.load(std::memory_order_relaxed);
    while (w.signal.load(std::memory_order_acquire) == kAsleep) {
      auto r = platform::wait_on(&w.signal, kAsleep, int64_t(interval_us_.load(std::memory_order_relaxed)) * 1000);
      if (r != platform::WaitResult::kTimeout) continue;
      uint64_t now = switches_.load(std::memory_order_relaxed);
      if (now == seen) ask_to_drop();
      seen = now;
    }
    if (w.signal.load(std::memory_order_acquire) == kGranted) return;
    platform::RawLock lock(queue_lock_);
    if (take_or_queue(&w, true)) return;  // overtaken waiters keep their place
  }
}

void Gil::release_slow(bool hand_over) {
  Waiter* w;
  {
    platform::RawLock lock(queue_lock_);
    if (!head_) {
      word_.store(0, std::memory_order_release);
      return;
    }
    w = head_;
    head_ = w->next;
    if (!head_) tail_ = nullptr;
    word_.store((head_ ? kWaiters : 0) | (hand_over ? kHeld : 0), std::memory_order_release);
  }
  send(w, hand_over ? kGranted : kTryAgain);
}

}  // namespace amphis::sync
