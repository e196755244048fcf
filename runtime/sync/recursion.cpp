// The guards against deep recursion: Py_EnterRecursiveCall watches the native stack's address; the limit on Python calls
// is counted by the interpreter in py_recursion_remaining.
#include "base/assert.h"
#include "sync/interpreter_state.h"
#include "sync/recursion.h"
#include "sync/stop_the_world.h"

#include <optional>

using namespace amphis;

namespace amphis::sync {

int refuse_recursion(ThreadState* ts, const char* where) {
  auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  long used = long(ts->c_stack_top - here) / 1024;
  if (ts->recursion_headroom) {
    // A RecursionError is being made or handled: let that use the reserve, down to half of it.
    uintptr_t reserve = ts->c_trash_limit - ts->c_stack_limit;
    if (here + reserve / 2 < ts->c_stack_limit) fatal("Unrecoverable stack overflow");
    return 0;
  }
  ts->recursion_headroom++;
  PyErr_Format(PyExc_RecursionError, "Stack overflow (used %ld kB)%s", used, where);
  ts->recursion_headroom--;
  return -1;
}

}  // namespace amphis::sync

extern "C" {

int Py_EnterRecursiveCall(const char* where) { return enter_recursive_call(where); }
void Py_LeaveRecursiveCall(void) {}

// True when fewer than `margin` reserves of native stack are left.
int _Py_ReachedRecursionLimitWithMargin(PyThreadState* ts, int margin) {
  ThreadState* t = thread_state(ts);
  auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return here < t->c_stack_limit + uintptr_t(margin) * (uintptr_t(16) << 10);
}

int Py_GetRecursionLimit(void) { return interpreter()->recursion_limit.load(); }

void Py_SetRecursionLimit(int limit) {
  // The others count calls against the old limit at this moment.
  std::optional<StopTheWorld> stopped;
  if (current_thread() != nullptr) stopped.emplace("sys.setrecursionlimit");
  interpreter()->recursion_limit.store(limit);
  for_each_thread([limit](ThreadState* ts) {
    int used = ts->py_recursion_limit - ts->py_recursion_remaining;
    ts->py_recursion_limit = limit;
    ts->py_recursion_remaining = limit - used;
  });
}

int PyUnstable_ThreadState_SetStackProtection(PyThreadState* ts, void* start, size_t size) {
  if (size < (size_t(64) << 10)) {
    PyErr_Format(PyExc_ValueError, "stack_size must be at least %zu bytes", size_t(64) << 10);
    return -1;
  }
  auto low = reinterpret_cast<uintptr_t>(start);
  sync::set_stack_bounds(thread_state(ts), low, low + size);
  return 0;
}

void PyUnstable_ThreadState_ResetStackProtection(PyThreadState* ts) { sync::reset_stack_bounds(thread_state(ts)); }

}
