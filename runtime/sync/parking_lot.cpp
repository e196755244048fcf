// The buckets behind sync/parking_lot.h.
#include "sync/parking_lot.h"

#include "base/bits.h"
#include "platform/os.h"
#include "platform/raw_mutex.h"

namespace amphis::sync {

namespace {

constexpr int kBucketBits = 8;
constexpr int64_t kFairAfterNs = 1000000;

struct alignas(64) Bucket {
  platform::RawMutex lock;
  Waiter* head = nullptr;
  Waiter* tail = nullptr;

  void append(Waiter* w) {
    w->next = nullptr;
    w->prev = tail;
    (tail ? tail->next : head) = w;
    tail = w;
  }
  void remove(Waiter* w) {
    (w->prev ? w->prev->next : head) = w->next;
    (w->next ? w->next->prev : tail) = w->prev;
    w->queued = false;
  }
  Waiter* find(const void* address, Waiter* from) {
    while (from && from->address != address) from = from->next;
    return from;
  }
};

constinit Bucket buckets[1 << kBucketBits];

Bucket& bucket_of(const void* address) {
  // Neighbouring bytes are different locks, so the low bits count too.
  return buckets[(uint64_t(reinterpret_cast<uintptr_t>(address)) * 0x9E3779B97F4A7C15ull) >> (64 - kBucketBits)];
}

void wake(Waiter* w) {
  // After the store the waiter may return and its stack frame be reused; the address alone goes to the kernel.
  std::atomic<uint32_t>* signal = &w->signal;
  signal->store(1, std::memory_order_release);
  platform::wake_one(signal);
}

}  // namespace

ParkResult park(const uint8_t* word, uint8_t expected, int64_t timeout_ns, int64_t since, bool interruptible) {
  Bucket& bucket = bucket_of(word);
  int64_t now = platform::now_ns();
  Waiter w{word, nullptr, nullptr, (since ? since : now) + kFairAfterNs, true, false, 0};
  {
    platform::RawLock lock(bucket.lock);
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected) return ParkResult::kChanged;
    bucket.append(&w);
  }
  int64_t deadline = timeout_ns < 0 ? -1 : (timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns);
  ParkResult gave_up = ParkResult::kWoken;
  while (w.signal.load(std::memory_order_acquire) == 0) {
    int64_t left = -1;
    if (deadline >= 0) {
      left = deadline - platform::now_ns();
      if (left <= 0) {
        gave_up = ParkResult::kTimeout;
        break;
      }
    }
    platform::WaitResult r = platform::wait_on(&w.signal, 0, left);
    if (r == platform::WaitResult::kInterrupted && interruptible) {
      gave_up = ParkResult::kInterrupted;
      break;
    }
  }
  if (gave_up != ParkResult::kWoken) {
    platform::RawLock lock(bucket.lock);
    // A waker takes the waiter off the queue before it signals; then the wake-up stands.
    if (w.queued) {
      bucket.remove(&w);
      return gave_up;
    }
  }
  while (w.signal.load(std::memory_order_acquire) == 0) platform::wait_on(&w.signal, 0);
  return w.handed_off ? ParkResult::kHandedOff : ParkResult::kWoken;
}

void unpark_one(const void* address, UnparkDecision decide, void* context) {
  Bucket& bucket = bucket_of(address);
  Waiter* w;
  {
    platform::RawLock lock(bucket.lock);
    w = bucket.find(address, bucket.head);
    bool more = false;
    if (w) {
      more = bucket.find(address, w->next) != nullptr;
      bucket.remove(w);
    }
    decide(context, w, more);
  }
  if (w) wake(w);
}

void unpark_all(const void* address) {
  Bucket& bucket = bucket_of(address);
  Waiter* woken = nullptr;
  {
    platform::RawLock lock(bucket.lock);
    Waiter** link = &woken;
    for (Waiter* w = bucket.head; w;) {
      Waiter* next = w->next;
      if (w->address == address) {
        bucket.remove(w);
        w->next = nullptr;
        *link = w;
        link = &w->next;
      }
      w = next;
    }
  }
  while (woken) {
    Waiter* next = woken->next;
    wake(woken);
    woken = next;
  }
}

void reset_parking_lot() {
  for (Bucket& b : buckets) {
    b.lock.reset();
    b.head = b.tail = nullptr;
  }
}

}  // namespace amphis::sync
