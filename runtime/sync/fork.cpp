// PyOS_BeforeFork and PyOS_AfterFork_*. The world is stopped across the fork, so that no other attached thread is inside
// a critical section of the runtime when its memory is copied.
#include "sync/fork.h"

#include "base/assert.h"
#include "memory/heap.h"
#include "platform/os.h"
#include "sync/attachment.h"
#include "sync/interpreter_state.h"
#include "sync/parking_lot.h"
#include "sync/stop_the_world.h"

#include <new>

namespace amphis::sync {

namespace {

constexpr int kMaxHooks = 16;
ForkHooks hooks[kMaxHooks];
int hook_count = 0;

alignas(StopTheWorld) char stopped_storage[sizeof(StopTheWorld)];
StopTheWorld* stopped = nullptr;

void resume_world() {
  if (stopped) stopped->~StopTheWorld();
  stopped = nullptr;
}

// Takes the states of threads that did not survive off the list; they are freed once the runtime works again.
PyThreadState* take_dead_threads(ThreadState* self) {
  InterpreterState* interp = interpreter();
  PyThreadState* dead = nullptr;
  int count = 0;
  for (PyThreadState *t = interp->threads, *next; t; t = next) {
    next = t->next;
    if (t == self) continue;
    thread_state(t)->linked = false;
    t->prev = nullptr;
    t->next = dead;
    dead = t;
    count++;
  }
  interp->threads = self;
  self->prev = self->next = nullptr;
  interp->thread_count.fetch_sub(count);
  variant_thread_removed();
  return dead;
}

}  // namespace

void add_fork_hooks(const ForkHooks& h) {
  AMPHIS_CHECK(hook_count < kMaxHooks);
  hooks[hook_count++] = h;
}

}  // namespace amphis::sync

using namespace amphis;
using namespace amphis::sync;

extern "C" {

void PyOS_BeforeFork(void) {
  for (int i = hook_count - 1; i >= 0; i--)
    if (hooks[i].before) hooks[i].before();
  stopped = new (stopped_storage) StopTheWorld("fork");
  interpreter()->list_lock.lock();
}

void PyOS_AfterFork_Parent(void) {
  interpreter()->list_lock.unlock();
  resume_world();
  for (int i = 0; i < hook_count; i++)
    if (hooks[i].parent) hooks[i].parent();
}

void PyOS_AfterFork_Child(void) {
  ThreadState* ts = current_thread();
  AMPHIS_CHECK(ts != nullptr);
  InterpreterState* interp = interpreter();
  interp->list_lock.reset();
  reset_parking_lot();
  PyThreadState* dead = take_dead_threads(ts);
  interp->main_ident = platform::thread_handle();
  interp->main_thread.store(ts);
  interp->finalizing.store(nullptr);
  ts->native_thread_id = platform::native_thread_id();
  memory::after_fork_child();
  variant_after_fork(ts);
  resume_world();
  while (dead) {
    ThreadState* t = thread_state(dead);
    dead = dead->next;
    t->next = nullptr;
    // Their stacks hold references that nobody will drop; only what the state itself owns can be freed safely.
    clear_thread(t);
    delete_thread(t);
  }
  for (int i = 0; i < hook_count; i++)
    if (hooks[i].child) hooks[i].child();
}

void PyOS_AfterFork(void) { PyOS_AfterFork_Child(); }

}
