// Owns the global interpreter lock: a lock whose holder can be asked to drop it. The GIL build always uses it, the
// free-threaded build while it is enabled at run time. A free lock may be taken by whoever comes (a thread that only made
// a short system call gets it back at once), but a waiter who has waited a switch interval asks the holder to drop it,
// and then the lock is handed to the first in the queue directly: the holder cannot take it back before the waiter
// had it. Invariant: `holder_` is null or a state that is in the thread list.
#pragma once

#include "platform/raw_mutex.h"
#include "sync/thread_state.h"

#include <atomic>
#include <cstdint>

namespace amphis::sync {

class Gil {
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kWaiters = 2;

  struct Waiter;
  enum Signal : uint32_t { kAsleep, kGranted, kTryAgain };

  std::atomic<uint32_t> word_{0};  // kWaiters: the queue is not empty
  platform::RawMutex queue_lock_;
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  std::atomic<uint64_t> switches_{0};
  std::atomic<ThreadState*> holder_{nullptr};
  std::atomic<unsigned long> interval_us_{5000};

  void send(Waiter* w, Signal s);
  bool take_or_queue(Waiter* w, bool first);
  void ask_to_drop();
  AMPHIS_NOINLINE void acquire_slow();
  AMPHIS_NOINLINE void release_slow(bool hand_over);

 public:
  constexpr Gil() = default;

  // Not attached; `ts` becomes the holder.
  void acquire(ThreadState* ts) {
    uint32_t expected = 0;
    if (!word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) [[unlikely]] acquire_slow();
    holder_.store(ts, std::memory_order_relaxed);
    switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // Hands it to the first waiter if the holder was asked to drop it.
  void release(ThreadState* ts) {
    bool hand_over = __atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakGilDrop;
    if (hand_over) clear_eval_breaker(ts, kBreakGilDrop);
    holder_.store(nullptr);
    uint32_t expected = kHeld;
    if (!word_.compare_exchange_strong(expected, 0, std::memory_order_release)) [[unlikely]] release_slow(hand_over);
  }
  bool contended() const { return word_.load(std::memory_order_relaxed) & kWaiters; }

  void set_interval(unsigned long us) { interval_us_.store(us ? us : 1); }
  unsigned long interval() const { return interval_us_.load(); }

  // In the child of a fork: nobody waits; `holder` holds it, or nobody.
  void after_fork(ThreadState* holder) {
    queue_lock_.reset();
    head_ = tail_ = nullptr;
    word_.store(holder ? kHeld : 0);
    holder_.store(holder);
  }
};

}  // namespace amphis::sync
