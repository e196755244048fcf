// GIL build of attachment: attached means holding the lock of sync/gil_lock.h.
#include "sync/attachment.h"

#include "base/assert.h"
#include "sync/gil_lock.h"

#include <cerrno>

namespace amphis::sync {

namespace {

constinit Gil gil;

void leave(ThreadState* ts) {
  ts->holds_gil = 0;
  __atomic_store_n(&ts->state, 0, __ATOMIC_RELAXED);
  gil.release(ts);
}

void enter(ThreadState* ts) {
  if (must_hang(ts)) [[unlikely]] hang_thread();
  gil.acquire(ts);
  if (must_hang(ts)) [[unlikely]] {
    gil.release(ts);
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

void set_switch_interval(unsigned long microseconds) { gil.set_interval(microseconds); }
unsigned long switch_interval() { return gil.interval(); }
bool gil_enabled() { return true; }
bool enable_gil(bool on) { return on; }

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
