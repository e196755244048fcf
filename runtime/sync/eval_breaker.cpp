// What the interpreter does when its poll finds bits set: safepoints of the variant, signals, pending calls, the collector,
// asynchronous exceptions. Order: first what other threads wait for, then what may raise.
#include "base/assert.h"
#include "platform/raw_mutex.h"
#include "sync/attachment.h"
#include "sync/interpreter_state.h"

namespace amphis {

namespace {

constexpr uintptr_t kVariantBits = kBreakGilDrop | kBreakStop | kBreakMerge | kBreakQuiesce | kBreakAlone;

struct PendingCall {
  int (*function)(void*);
  void* arg;
};

// A ring of calls; anybody adds, the main thread takes.
constexpr unsigned kMaxPending = 300;
struct PendingCalls {
  platform::RawMutex lock;
  PendingCall calls[kMaxPending];
  unsigned first = 0;
  unsigned count = 0;
  bool busy = false;  // main thread only: pending calls do not nest
};
constinit PendingCalls pending{};

bool take_pending(PendingCall* call) {
  platform::RawLock lock(pending.lock);
  if (pending.count == 0) return false;
  *call = pending.calls[pending.first];
  pending.first = (pending.first + 1) % kMaxPending;
  pending.count--;
  return true;
}

bool add_pending(int (*function)(void*), void* arg) {
  platform::RawLock lock(pending.lock);
  if (pending.count == kMaxPending) return false;
  pending.calls[(pending.first + pending.count++) % kMaxPending] = {function, arg};
  return true;
}

int raise_async(ThreadState* ts) {
  PyObject* exc = __atomic_exchange_n(&ts->async_exc, nullptr, __ATOMIC_ACQ_REL);
  if (!exc) return 0;
  PyErr_SetNone(exc);
  Py_DECREF(exc);
  return -1;
}

}  // namespace

void safepoint(ThreadState* ts) {
  uintptr_t bits = __atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED);
  if (bits & kVariantBits) sync::variant_safepoint(ts, bits);
}

int handle_eval_breaker(ThreadState* ts) {
  safepoint(ts);
  uintptr_t bits = __atomic_load_n(&ts->eval_breaker, __ATOMIC_ACQUIRE);
  if ((bits & kBreakSignals) && sync::handle_signals(ts) < 0) return -1;
  if ((bits & kBreakPendingCalls) && sync::make_pending_calls(ts) < 0) return -1;
  if (bits & kBreakGc) {
    clear_eval_breaker(ts, kBreakGc);
    if (eval_hooks.run_gc && eval_hooks.run_gc(ts) < 0) return -1;
  }
  if (bits & kBreakAsyncExc) {
    clear_eval_breaker(ts, kBreakAsyncExc);
    if (raise_async(ts) < 0) return -1;
  }
  return 0;
}

void signal_pending() {
  if (ThreadState* ts = interpreter()->main_thread.load()) set_eval_breaker(ts, kBreakSignals);
}

namespace sync {

int handle_signals(ThreadState* ts) {
  if (!(__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakSignals)) return 0;
  // Another state of the main thread may have got the bit; others than the main thread leave it to it.
  clear_eval_breaker(ts, kBreakSignals);
  if (!is_main_thread()) {
    signal_pending();
    return 0;
  }
  return eval_hooks.handle_signals ? eval_hooks.handle_signals(ts) : 0;
}

int make_pending_calls(ThreadState* ts) {
  clear_eval_breaker(ts, kBreakPendingCalls);
  if (!is_main_thread() || pending.busy) return 0;
  pending.busy = true;
  int result = 0;
  PendingCall call;
  // Calls added meanwhile wait for the next round, so this ends.
  for (unsigned left = kMaxPending; left > 0 && result == 0 && take_pending(&call); left--)
    if (call.function(call.arg) != 0) result = -1;
  pending.busy = false;
  bool more;
  {
    platform::RawLock lock(pending.lock);
    more = pending.count != 0;
  }
  if (more) set_eval_breaker(ts, kBreakPendingCalls);
  return result;
}

}  // namespace sync

}  // namespace amphis

using namespace amphis;

extern "C" {

int Py_AddPendingCall(int (*function)(void*), void* arg) {
  if (!add_pending(function, arg)) return -1;
  if (ThreadState* ts = interpreter()->main_thread.load()) set_eval_breaker(ts, kBreakPendingCalls);
  return 0;
}

int Py_MakePendingCalls(void) {
  ThreadState* ts = current_thread();
  AMPHIS_CHECK(ts != nullptr);
  if (is_main_thread() && sync::handle_signals(ts) < 0) return -1;
  return sync::make_pending_calls(ts);
}

}
