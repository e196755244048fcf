// GIL build of attachment: the global interpreter lock. Invariant: at most one thread is attached, the holder. A free
// lock may be taken by whoever comes (a thread that only made a short system call gets it back at once), but a
// waiter who has waited a switch interval asks the holder to drop it, and then the lock is handed to the first in the
// queue directly: the holder cannot take it back before the waiter had it.
#include "sync/attachment.h"

#include "base/assert.h"
#include "platform/os.h"
#include "platform/raw_mutex.h"
#include "sync/interpreter_state.h"
#include "sync/parking_lot.h"

#include <cerrno>

namespace amphis::sync {

namespace {

enum Signal : uint32_t { kAsleep, kGranted, kTryAgain };

struct GilWaiter {
  GilWaiter* next = nullptr;
  std::atomic<uint32_t> signal{kAsleep};
};

class Gil {
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kWaiters = 2;

  std::atomic<uint32_t> word_{0};  // kWaiters: the queue is not empty
  platform::RawMutex queue_lock_;
  GilWaiter* head_ = nullptr;
  GilWaiter* tail_ = nullptr;
  std::atomic<uint64_t> switches_{0};
  std::atomic<ThreadState*> holder_{nullptr};

  bool try_take() {
    uint32_t w = word_.load(std::memory_order_relaxed);
    while (!(w & kHeld))
      if (word_.compare_exchange_weak(w, w | kHeld, std::memory_order_acquire)) return true;
    return false;
  }

  void send(GilWaiter* w, Signal s) {
    std::atomic<uint32_t>* signal = &w->signal;
    signal->store(s, std::memory_order_release);  // after this the waiter's frame may be gone
    platform::wake_one(signal);
  }

  GilWaiter* dequeue() {
    GilWaiter* w = head_;
    head_ = w->next;
    if (!head_) tail_ = nullptr;
    return w;
  }

  // With the queue locked. True: the lock was free after all and is now held.
  bool take_or_queue(GilWaiter* w, bool first) {
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
  void ask_to_drop() {
    platform::RawLock lock(interpreter()->list_lock);
    if (ThreadState* h = holder_.load()) set_eval_breaker(h, kBreakGilDrop);
  }

  AMPHIS_NOINLINE void acquire_slow() {
    GilWaiter w;
    {
      platform::RawLock lock(queue_lock_);
      if (take_or_queue(&w, false)) return;
    }
    for (;;) {
      uint64_t seen = switches_.load(std::memory_order_relaxed);
      while (w.signal.load(std::memory_order_acquire) == kAsleep) {
        auto r = platform::wait_on(&w.signal, kAsleep, int64_t(interval_us.load(std::memory_order_relaxed)) * 1000);
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

  AMPHIS_NOINLINE void release_slow(bool hand_over) {
    GilWaiter* w;
    {
      platform::RawLock lock(queue_lock_);
      if (!head_) {
        word_.store(0, std::memory_order_release);
        return;
      }
      w = dequeue();
      word_.store((head_ ? kWaiters : 0) | (hand_over ? kHeld : 0), std::memory_order_release);
    }
    send(w, hand_over ? kGranted : kTryAgain);
  }

 public:
  std::atomic<unsigned long> interval_us{5000};

  void acquire(ThreadState* ts) {
    uint32_t expected = 0;
    if (!word_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) [[unlikely]] acquire_slow();
    holder_.store(ts, std::memory_order_relaxed);
    switches_.store(switches_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  void release(bool hand_over) {
    holder_.store(nullptr);
    uint32_t expected = kHeld;
    if (!word_.compare_exchange_strong(expected, 0, std::memory_order_release)) [[unlikely]] release_slow(hand_over);
  }

  bool contended() const { return word_.load(std::memory_order_relaxed) & kWaiters; }

  void after_fork(ThreadState* ts) {
    queue_lock_.reset();
    head_ = tail_ = nullptr;
    word_.store(kHeld);
    holder_.store(ts);
  }
};

constinit Gil gil;

void leave(ThreadState* ts) {
  bool hand_over = __atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakGilDrop;
  if (hand_over) clear_eval_breaker(ts, kBreakGilDrop);
  ts->holds_gil = 0;
  __atomic_store_n(&ts->state, 0, __ATOMIC_RELAXED);
  gil.release(hand_over);
}

void enter(ThreadState* ts) {
  if (must_hang(ts)) hang_thread();
  gil.acquire(ts);
  if (must_hang(ts)) {
    gil.release(false);
    hang_thread();
  }
  ts->holds_gil = 1;
  __atomic_store_n(&ts->state, 1, __ATOMIC_RELAXED);
}

}  // namespace

void attach(ThreadState* ts) {
  AMPHIS_ASSERT(!tls_current);
  int saved = errno;
  enter(ts);
  tls_current = ts;
  bind_thread(ts);
  ts->_status.active = 1;
  errno = saved;
}

bool try_attach(ThreadState* ts) {
  attach(ts);
  return true;
}

void detach(ThreadState* ts) {
  AMPHIS_ASSERT(tls_current == ts);
  int saved = errno;
  ts->_status.active = 0;
  tls_current = nullptr;
  leave(ts);
  errno = saved;
}

void set_switch_interval(unsigned long microseconds) { gil.interval_us.store(microseconds ? microseconds : 1); }
unsigned long switch_interval() { return gil.interval_us.load(); }

void variant_safepoint(ThreadState* ts, uintptr_t bits) {
  if (!(bits & kBreakGilDrop)) return;
  if (!gil.contended()) {
    clear_eval_breaker(ts, kBreakGilDrop);
    return;
  }
  leave(ts);
  enter(ts);
}

void variant_start() {}
bool variant_may_add(ThreadState*) { return true; }
void variant_prepare_thread(ThreadState*) {}
void variant_thread_removed() {}
void variant_thread_bound(ThreadState*) {}
void variant_thread_unbound(ThreadState*) {}
void variant_detach_last(ThreadState* ts) { detach(ts); }

void variant_after_fork(ThreadState* ts) { gil.after_fork(ts); }

}  // namespace amphis::sync
