// The life of thread states: made, bound to a native thread, cleared, deleted; and the list that holds them.
#include "sync/thread_state.h"

#include "base/assert.h"
#include "platform/os.h"
#include "sync/atomic_field.h"
#include "sync/attachment.h"
#include "sync/interpreter_state.h"
#include "sync/recursion.h"
#include "sync/trash.h"

#include <cstdlib>
#include <new>

namespace amphis {

constinit InterpreterState the_interpreter;
EvalHooks eval_hooks;

namespace sync {

constinit thread_local ThreadState* tls_current AMPHIS_TLS_IE = nullptr;

}  // namespace sync

namespace {

// The state PyGILState_Ensure finds again: the first one bound on this native thread that is still alive.
constinit thread_local ThreadState* tls_bound AMPHIS_TLS_IE = nullptr;

constexpr int kMaxHooks = 8;
ThreadHooks hooks[kMaxHooks];
int hook_count = 0;

// What stays free below the limit: room for the handlers of a RecursionError, and for code that does not check.
constexpr uintptr_t kStackReserve = uintptr_t(160) << 10;
constexpr uintptr_t kTrashReserve = uintptr_t(96) << 10;

void unlink(ThreadState* ts) {
  InterpreterState* interp = interpreter();
  platform::RawLock lock(interp->list_lock);
  if (!ts->linked) return;
  ts->linked = false;
  (ts->prev ? ts->prev->next : interp->threads) = ts->next;
  if (ts->next) ts->next->prev = ts->prev;
  interp->thread_count.fetch_sub(1);
  sync::variant_thread_removed();
  if (interp->main_thread.load() == ts) interp->main_thread.store(nullptr);
}

void forget_binding(ThreadState* ts) {
  for (ThreadState** link = &tls_bound; *link; link = &(*link)->previous_bound) {
    if (*link == ts) {
      *link = ts->previous_bound;
      break;
    }
  }
}

void unbind(ThreadState* ts) {
  if (!ts->_status.bound || ts->_status.unbound) return;
  ts->_status.unbound = 1;
  if (ts->owner_id == platform::thread_pointer()) forget_binding(ts);
  for (int i = hook_count - 1; i >= 0; i--)
    if (hooks[i].unbound) hooks[i].unbound(ts);
}

}  // namespace

void add_thread_hooks(const ThreadHooks& h) {
  AMPHIS_CHECK(hook_count < kMaxHooks);
  hooks[hook_count++] = h;
}

namespace sync {

ThreadState* new_thread(int whence) {
  void* memory = std::aligned_alloc(alignof(ThreadState), sizeof(ThreadState));
  if (!memory) return nullptr;
  auto* ts = new (memory) ThreadState();
  InterpreterState* interp = interpreter();
  ts->interp = interp;
  ts->_whence = whence;
  ts->id = interp->next_thread_id.fetch_add(1);
  ts->exc_info = &ts->exc_state;
  ts->py_recursion_limit = ts->py_recursion_remaining = interp->recursion_limit.load();
  ts->what_event = -1;
  ts->gilstate_counter = 1;
  ts->_status.initialized = 1;
  for (int i = 0; i < hook_count; i++) {
    if (hooks[i].created && !hooks[i].created(ts)) {
      while (i-- > 0)
        if (hooks[i].destroyed) hooks[i].destroyed(ts);
      std::free(ts);
      return nullptr;
    }
  }
  interp->list_lock.lock();
  while (!variant_may_add(ts)) {
    interp->list_lock.unlock();
    variant_prepare_thread(ts);
    interp->list_lock.lock();
  }
  ts->next = interp->threads;
  if (ts->next) ts->next->prev = ts;
  interp->threads = ts;
  ts->linked = true;
  interp->thread_count.fetch_add(1);
  interp->list_lock.unlock();
  return ts;
}

void set_stack_bounds(ThreadState* ts, uintptr_t low, uintptr_t high) {
  uintptr_t size = high - low;
  uintptr_t reserve = kStackReserve < size / 4 ? kStackReserve : size / 4;
  uintptr_t trash = kTrashReserve < size / 4 ? kTrashReserve : size / 4;
  ts->c_stack_top = high;
  ts->c_stack_limit = low + reserve;
  ts->c_trash_limit = ts->c_stack_limit + trash;
}

void reset_stack_bounds(ThreadState* ts) {
  platform::StackBounds stack = platform::stack_bounds();
  set_stack_bounds(ts, stack.low, stack.high);
}

void bind_thread(ThreadState* ts) {
  uintptr_t here = platform::thread_pointer();
  if (ts->owner_id == here) [[likely]] return;
  if (ts->owner_id != 0) variant_thread_unbound(ts);
  ts->owner_id = here;
  store_relaxed(ts->thread_id, platform::thread_handle());  // whoever stops the world may ask
  ts->native_thread_id = platform::native_thread_id();
  reset_stack_bounds(ts);
  variant_thread_bound(ts);
  if (!ts->_status.bound) {
    ts->_status.bound = 1;
    if (!tls_bound) {
      tls_bound = ts;
    } else {  // the first one stays PyGILState's
      ThreadState* last = tls_bound;
      while (last->previous_bound) last = last->previous_bound;
      last->previous_bound = ts;
    }
  }
  for (int i = 0; i < hook_count; i++)
    if (hooks[i].bound) hooks[i].bound(ts);
}

ThreadState* bound_thread() { return tls_bound; }

void clear_thread(ThreadState* ts) {
  for (int i = hook_count - 1; i >= 0; i--)
    if (hooks[i].clear) hooks[i].clear(ts);
  Py_CLEAR(ts->dict);
  Py_XDECREF(__atomic_exchange_n(&ts->async_exc, nullptr, __ATOMIC_ACQ_REL));  // any thread may set one
  Py_CLEAR(ts->current_exception);
  Py_CLEAR(ts->exc_state.exc_value);
  Py_CLEAR(ts->c_profileobj);
  Py_CLEAR(ts->c_traceobj);
  Py_CLEAR(ts->async_gen_firstiter);
  Py_CLEAR(ts->async_gen_finalizer);
  Py_CLEAR(ts->context);
  Py_CLEAR(ts->threading_local_key);
  Py_CLEAR(ts->threading_local_sentinel);
  Py_CLEAR(ts->repr_stack);
  ts->_status.cleared = 1;
  if (ts == current_thread()) empty_trash(ts);
}

void delete_thread(ThreadState* ts) {
  AMPHIS_ASSERT(ts != current_thread());
  variant_thread_unbound(ts);
  unbind(ts);
  unlink(ts);
  for (int i = hook_count - 1; i >= 0; i--)
    if (hooks[i].destroyed) hooks[i].destroyed(ts);
  ts->~ThreadState();
  std::free(ts);
}

void delete_current_thread(ThreadState* ts) {
  empty_trash(ts);
  variant_detach_last(ts);
  delete_thread(ts);
}

void finish_current_thread(ThreadState* ts) {
  clear_thread(ts);
  delete_current_thread(ts);
}

void begin_finalization(ThreadState* ts) { interpreter()->finalizing.store(ts); }
bool finalizing() { return interpreter()->finalizing.load(std::memory_order_relaxed) != nullptr; }

bool must_hang(const ThreadState* ts) {
  ThreadState* f = interpreter()->finalizing.load(std::memory_order_relaxed);
  return f && f != ts;
}

void hang_thread() {
  static std::atomic<uint32_t> never{0};
  for (;;) platform::wait_on(&never, 0);
}

}  // namespace sync

ThreadState* start_main_thread() {
  InterpreterState* interp = interpreter();
  sync::variant_start();
  ThreadState* ts = sync::new_thread(kWhenceInit);
  if (!ts) return nullptr;
  interp->main_ident = platform::thread_handle();
  interp->main_thread.store(ts);
  sync::attach(ts);
  return ts;
}

namespace {

// The thread that has finalized the runtime keeps its state, attached, until the next life begins, perhaps on another thread:
// that one takes the state over.
struct Finished {
  platform::RawMutex mutex;
  ThreadState** current = nullptr;  // that thread's variables, while it lives
  ThreadState** bound = nullptr;
};
constinit Finished finished;

struct ForgetAtThreadEnd {
  bool armed = false;
  ~ForgetAtThreadEnd() {
    if (!armed) return;
    platform::RawLock lock(finished.mutex);
    if (finished.current == &sync::tls_current) finished.current = finished.bound = nullptr;
  }
};
thread_local ForgetAtThreadEnd forget;

}  // namespace

void main_thread_finished() {
  forget.armed = true;
  platform::RawLock lock(finished.mutex);
  finished.current = &sync::tls_current;
  finished.bound = &tls_bound;
}

void take_over_main_thread() {
  ThreadState* ts = interpreter()->main_thread.load();
  if (ts == nullptr || current_thread() != nullptr) return;
  {
    platform::RawLock lock(finished.mutex);
    if (finished.current != nullptr) {
      *finished.current = nullptr;
      if (*finished.bound == ts) *finished.bound = ts->previous_bound;
    }
    finished.current = finished.bound = nullptr;
  }
  ts->_status.bound = 0;
  ts->previous_bound = nullptr;
  sync::tls_current = ts;
  sync::bind_thread(ts);
}

void end_main_thread() {
  ThreadState* ts = current_thread();
  sync::finish_current_thread(ts);
  interpreter()->finalizing.store(nullptr);
}

bool is_main_thread() { return platform::thread_handle() == interpreter()->main_ident; }

}  // namespace amphis
