// Names of CPython's private thread API that compiled extensions are known to link against.
#include "platform/os.h"
#include "sync/event.h"
#include "sync/interpreter_state.h"
#include "sync/recursion.h"
#include "sync/stop_the_world.h"
#include "sync/thread_api.h"

#include <new>

using namespace amphis;

namespace {

static_assert(sizeof(PyEvent) == sizeof(sync::Event));
sync::Event* event_of(PyEvent* e) { return reinterpret_cast<sync::Event*>(e); }

alignas(StopTheWorld) char stopped[sizeof(StopTheWorld)];

}  // namespace

extern "C" {

void PyEvent_Wait(PyEvent* e) { event_of(e)->wait(-1, false); }
int PyEvent_WaitTimed(PyEvent* e, PyTime_t timeout_ns, int) {
  return event_of(e)->wait(timeout_ns, false) == sync::LockResult::kAcquired;
}
int _PyEvent_IsSet(PyEvent* e) { return event_of(e)->is_set(); }
void _PyEvent_Notify(PyEvent* e) { event_of(e)->set(); }

// The stopper is alone, so one place for its guard is enough.
void _PyEval_StopTheWorld(PyInterpreterState*) { new (stopped) StopTheWorld("an extension"); }
void _PyEval_StartTheWorld(PyInterpreterState*) { reinterpret_cast<StopTheWorld*>(stopped)->~StopTheWorld(); }

int _Py_CheckRecursiveCall(PyThreadState* ts, const char* where) {
  return stack_nearly_full(thread_state(ts)) ? sync::refuse_recursion(thread_state(ts), where) : 0;
}
int _Py_HandlePending(PyThreadState* ts) { return handle_eval_breaker(thread_state(ts)); }
int _PyEval_MakePendingCalls(PyThreadState*) { return Py_MakePendingCalls(); }
int _PyOS_IsMainThread(void) { return is_main_thread(); }

void _PyThreadState_Init(PyThreadState*) {}
PyThreadState* _PyThreadState_Prealloc(PyInterpreterState* interp) { return PyThreadState_New(interp); }

void PyEval_AcquireLock(void) {
  if (ThreadState* ts = sync::bound_thread(); ts && !current_thread()) sync::attach(ts);
}
void PyEval_ReleaseLock(void) {
  if (ThreadState* ts = current_thread()) sync::detach(ts);
}

int PyThread_start_joinable_thread(void (*function)(void*), void* arg, PyThread_ident_t* ident,
                                   PyThread_handle_t* handle) {
  unsigned long h;
  if (!platform::start_thread(function, arg, sync::native_stack_size(), true, &h)) return -1;
  *ident = h;
  *handle = h;
  return 0;
}
int PyThread_join_thread(PyThread_handle_t handle) { return platform::join_thread(handle); }
int PyThread_detach_thread(PyThread_handle_t handle) { return platform::detach_thread(handle); }
PyThread_ident_t PyThread_get_thread_ident_ex(void) { return platform::thread_handle(); }

}
