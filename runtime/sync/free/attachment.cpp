// Free-threaded build of attachment, and StopTheWorld.
//
// ThreadState::state is detached, attached, suspended, or lent. Who may change it:
//   detached -> attached   the thread itself
//   attached -> detached   the thread itself
//   attached -> suspended  the thread itself, at a safepoint, while the world is being stopped
//   detached -> suspended  whoever stops the world; then the thread cannot attach
//   suspended -> detached  whoever stopped the world
//   detached -> lent -> detached  another attached thread, for a moment, to merge counts in the owner's stead
// Stopping: the requester sets kBreakStop on attached threads and takes detached ones, round after round until all stand.
// A lock that all threads share (PYTHON_GIL=1) would be taken in enter() and given up in leave().
#include "sync/attachment.h"

#include "base/assert.h"
#include "platform/os.h"
#include "sync/free/epoch.h"
#include "sync/free/merge.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/stop_the_world.h"

#include <cerrno>

namespace amphis::sync {

namespace {

struct World {
  Mutex lock;                            // one stop at a time
  std::atomic<ThreadState*> stopper{nullptr};  // written with the thread list locked
  std::atomic<uint32_t> progress{0};     // changes whenever some thread came to a stand
};
constinit World world;
std::atomic<unsigned long> interval_us{5000};

void report_progress() {
  world.progress.fetch_add(1);
  platform::wake_one(&world.progress);
}

// The thread stands still from here on if the world is being stopped.
AMPHIS_COLD void leave_into_stop(ThreadState* ts) {
  {
    platform::RawLock lock(interpreter()->list_lock);
    bool stopping = world.stopper.load(std::memory_order_relaxed) != nullptr;
    clear_eval_breaker(ts, kBreakStop);
    thread_status(ts).store(stopping ? kSuspended : kDetached);
  }
  report_progress();
}

void leave(ThreadState* ts) {
  if (ts->critical_section && !(ts->critical_section & kSectionSuspended)) section_suspend_all(ts);
  ts->quiescent.store(0, std::memory_order_release);
  if (__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakStop) [[unlikely]] return leave_into_stop(ts);
  thread_status(ts).exchange(kDetached);
  // Pairs with the requester, who sets the bit and then looks at the state.
  if (__atomic_load_n(&ts->eval_breaker, __ATOMIC_SEQ_CST) & kBreakStop) [[unlikely]] report_progress();
}

bool enter(ThreadState* ts, bool wait) {
  for (;;) {
    // Before the state changes, so that whoever retires memory sees either this reader or is seen by it.
    ts->quiescent.store(epoch_now(), std::memory_order_release);
    uint32_t state = kDetached;
    if (thread_status(ts).compare_exchange_strong(state, kAttached)) [[likely]] return true;
    ts->quiescent.store(0, std::memory_order_release);
    AMPHIS_ASSERT(state != kAttached);
    if (state == kLent)
      platform::spin_pause();
    else if (!wait)
      return false;
    else
      platform::wait_on(&thread_status(ts), kSuspended);
  }
}

bool attach_or_give_up(ThreadState* ts, bool wait) {
  AMPHIS_ASSERT(!tls_current);
  int saved = errno;
  if (must_hang(ts)) [[unlikely]] hang_thread();
  if (!enter(ts, wait)) [[unlikely]] return false;
  if (must_hang(ts)) [[unlikely]] {
    leave(ts);
    hang_thread();
  }
  tls_current = ts;
  bind_thread(ts);
  ts->_status.active = 1;
  if (ts->critical_section & kSectionSuspended) [[unlikely]] section_resume(ts);
  errno = saved;
  return true;
}

}  // namespace

std::atomic<bool> many_threads{false};

void attach(ThreadState* ts) { attach_or_give_up(ts, true); }
bool try_attach(ThreadState* ts) { return attach_or_give_up(ts, false); }

void detach(ThreadState* ts) {
  AMPHIS_ASSERT(tls_current == ts);
  int saved = errno;
  ts->_status.active = 0;
  tls_current = nullptr;
  leave(ts);
  errno = saved;
}

void set_switch_interval(unsigned long microseconds) { interval_us.store(microseconds ? microseconds : 1); }
unsigned long switch_interval() { return interval_us.load(); }

void variant_safepoint(ThreadState* ts, uintptr_t bits) {
  if (bits & kBreakStop) {
    detach(ts);
    attach(ts);
  }
  if (bits & (kBreakGilDrop | kBreakQuiesce)) {
    clear_eval_breaker(ts, kBreakGilDrop | kBreakQuiesce);
    ts->quiescent.store(epoch_now(), std::memory_order_release);
    reclaim_retired();
  }
  if (bits & kBreakMerge) {
    clear_eval_breaker(ts, kBreakMerge);
    merge_queued(ts);
  }
}

void variant_start() { start_epochs(); }

bool variant_may_add(ThreadState* ts) {
  if (!many_threads.load(std::memory_order_relaxed) && interpreter()->thread_count.load() != 0) {
    // From here on object locks are real. The one thread there is must notice: it is the caller, or it has to come to
    // a stand first.
    if (!tls_current) return false;
    many_threads.store(true, std::memory_order_release);
  }
  // Born into a stopped world: it waits like everybody.
  if (world.stopper.load(std::memory_order_relaxed)) thread_status(ts).store(kSuspended);
  return true;
}

void variant_prepare_thread(ThreadState* ts) {
  stop_the_world(ts);
  many_threads.store(true, std::memory_order_release);
  start_the_world(ts);
}

void variant_thread_removed() {
  if (interpreter()->thread_count.load() <= 1) many_threads.store(false, std::memory_order_release);
}

void variant_thread_bound(ThreadState* ts) { register_owner(ts); }

void variant_thread_unbound(ThreadState* ts) {
  unregister_owner(ts);
  abandon_retired(ts);
}

void variant_detach_last(ThreadState* ts) {
  abandon_retired(ts);
  detach_owner(ts);
}

void variant_after_fork(ThreadState* ts) {
  reset_owners_after_fork();
  reset_epochs_after_fork();
  AMPHIS_CHECK(world.stopper.load() == ts);
}

void stop_the_world(ThreadState* ts) {
  if (ts->stop_depth++) return;
  world.lock.lock();
  {
    platform::RawLock lock(interpreter()->list_lock);
    world.stopper.store(ts);
  }
  for (;;) {
    uint32_t seen = world.progress.load();
    bool all_stand = true;
    for_each_thread([&](ThreadState* t) {
      if (t == ts) return;
      uint32_t state = thread_status(t).load();
      if (state == kSuspended) return;
      if (state == kDetached && thread_status(t).compare_exchange_strong(state, kSuspended)) return;
      all_stand = false;
      if (!(__atomic_load_n(&t->eval_breaker, __ATOMIC_RELAXED) & kBreakStop)) set_eval_breaker(t, kBreakStop);
      // It may have detached between the look at its state and the bit.
      state = kDetached;
      thread_status(t).compare_exchange_strong(state, kSuspended);
    });
    if (all_stand) return;
    platform::wait_on(&world.progress, seen, 1000000);
  }
}

void start_the_world(ThreadState* ts) {
  if (--ts->stop_depth) return;
  {
    platform::RawLock lock(interpreter()->list_lock);
    world.stopper.store(nullptr);
    for (PyThreadState* p = interpreter()->threads; p; p = p->next) {
      ThreadState* t = thread_state(p);
      if (t == ts) continue;
      clear_eval_breaker(t, kBreakStop);
      uint32_t state = kSuspended;
      if (thread_status(t).compare_exchange_strong(state, kDetached)) platform::wake_all(&thread_status(t));
    }
  }
  world.lock.unlock();
}

}  // namespace amphis::sync
