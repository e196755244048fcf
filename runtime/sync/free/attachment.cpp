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
//
// The GIL may be enabled at run time: then a thread holds it from before it becomes attached until after it detaches.
// A thread that waits for it counts as detached, so the world can be stopped meanwhile.
#include "sync/attachment.h"

#include "base/assert.h"
#include "platform/os.h"
#include "sync/atomic_field.h"
#include "sync/free/epoch.h"
#include "sync/free/merge.h"
#include "sync/gil_lock.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/stop_log.h"
#include "sync/stop_the_world.h"

#include <cerrno>
#include <cstring>

namespace amphis::sync {

namespace {

struct World {
  Mutex lock;                            // one stop at a time
  std::atomic<ThreadState*> stopper{nullptr};  // written with the thread list locked
  std::atomic<uint32_t> progress{0};     // changes whenever some thread came to a stand
  Stop log;                              // of this stop; the stopper's
};
constinit World world;
constinit Gil gil;
std::atomic<bool> use_gil{false};  // changes in a stopped world only

void report_progress() {
  world.progress.fetch_add(1);
  platform::wake_one(&world.progress);
}

void drop_gil(ThreadState* ts) {
  if (!ts->holds_gil) [[likely]] return;
  ts->holds_gil = 0;
  gil.release(ts);
}

AMPHIS_COLD void take_gil(ThreadState* ts) {
  gil.acquire(ts);
  ts->holds_gil = 1;
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
  if (__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakStop) [[unlikely]] {
    leave_into_stop(ts);
  } else {
    thread_status(ts).exchange(kDetached);
    // Pairs with the requester, who sets the bit and then looks at the state.
    if (__atomic_load_n(&ts->eval_breaker, __ATOMIC_SEQ_CST) & kBreakStop) [[unlikely]] report_progress();
  }
  drop_gil(ts);
}

bool enter(ThreadState* ts, bool wait) {
  for (;;) {
    if (use_gil.load(std::memory_order_acquire)) [[unlikely]] take_gil(ts);
    // Before the state changes, so that whoever retires memory sees either this reader or is seen by it.
    ts->quiescent.store(epoch_now(), std::memory_order_release);
    uint32_t state = kDetached;
    if (thread_status(ts).compare_exchange_strong(state, kAttached)) [[likely]] {
      // Now that the world cannot be stopped: is the GIL still what it was?
      if (use_gil.load(std::memory_order_acquire) == (ts->holds_gil != 0)) [[likely]] return true;
      leave(ts);
      continue;
    }
    ts->quiescent.store(0, std::memory_order_release);
    drop_gil(ts);
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

namespace {
void (*many_threads_changed)() = [] {};

void begin_many_threads() {
  many_threads.store(true, std::memory_order_release);
  many_threads_changed();
}
}  // namespace

void on_many_threads(void (*changed)()) {
  many_threads_changed = changed;
  changed();
}

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

void set_switch_interval(unsigned long microseconds) { gil.set_interval(microseconds); }
unsigned long switch_interval() { return gil.interval(); }
bool gil_enabled() { return use_gil.load(std::memory_order_acquire); }

bool enable_gil(bool on) {
  ThreadState* ts = tls_current;
  StopTheWorld stopped("GIL turned on or off");
  if (on != use_gil.load()) {
    use_gil.store(on, std::memory_order_release);
    if (on)
      take_gil(ts);
    else
      drop_gil(ts);
  }
  return true;
}

void variant_safepoint(ThreadState* ts, uintptr_t bits) {
  if ((bits & kBreakStop) || ((bits & kBreakGilDrop) && ts->holds_gil && gil.contended())) {
    detach(ts);
    attach(ts);
  }
  if (bits & kBreakGilDrop) clear_eval_breaker(ts, kBreakGilDrop);
  if (bits & kBreakQuiesce) {
    clear_eval_breaker(ts, kBreakQuiesce);
    ts->quiescent.store(epoch_now(), std::memory_order_release);
    reclaim_known();
  }
  if (bits & kBreakAlone) {
    clear_eval_breaker(ts, kBreakAlone);
    // Whoever adds a thread now has to wait for this one.
    if (only_thread()) many_threads_changed();
  }
  if (bits & kBreakMerge) {
    clear_eval_breaker(ts, kBreakMerge);
    merge_queued(ts);
    drop_due_refs();
  }
}

void variant_start() { start_epochs(); }

bool variant_may_add(ThreadState* ts) {
  if (!many_threads.load(std::memory_order_relaxed) && interpreter()->thread_count.load() != 0) {
    // From here on object locks are real. The one thread there is must notice: it is the caller, or it has to come to
    // a stand first.
    if (!tls_current) return false;
    begin_many_threads();
  }
  // Born into a stopped world: it waits like everybody.
  if (world.stopper.load(std::memory_order_relaxed)) thread_status(ts).store(kSuspended);
  return true;
}

void variant_prepare_thread(ThreadState* ts) {
  stop_the_world(ts, "second thread", nullptr);
  begin_many_threads();
  start_the_world(ts);
}

void variant_thread_removed() {
  if (interpreter()->thread_count.load() > 1) return;
  many_threads.store(false, std::memory_order_release);
  if (auto* left = static_cast<ThreadState*>(interpreter()->threads)) set_eval_breaker(left, kBreakAlone);
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
  gil.after_fork(ts->holds_gil ? ts : nullptr);
  AMPHIS_CHECK(world.stopper.load() == ts);
}

void stop_the_world(ThreadState* ts, const char* why, const char* what) {
  if (ts->stop_depth++) return;
  const int64_t begin = platform::now_ns();
  world.lock.lock();
  world.log = {};
  world.log.begin_ns = begin;
  world.log.stopper = ts->thread_id;
  world.log.why = why;
  if (what) std::strncpy(world.log.what, what, sizeof world.log.what - 1);
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
      world.log.last = load_relaxed(t->thread_id);
      if (!(__atomic_load_n(&t->eval_breaker, __ATOMIC_RELAXED) & kBreakStop)) set_eval_breaker(t, kBreakStop);
      // It may have detached between the look at its state and the bit.
      state = kDetached;
      thread_status(t).compare_exchange_strong(state, kSuspended);
    });
    if (all_stand) {
      world.log.waited_ns = platform::now_ns() - begin;
      return;
    }
    platform::wait_on(&world.progress, seen, 1000000);
  }
}

void start_the_world(ThreadState* ts) {
  if (--ts->stop_depth) return;
  Stop log = world.log;
  log.stood_ns = platform::now_ns() - log.begin_ns - log.waited_ns;
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
  log_stop(log);
}

}  // namespace amphis::sync
