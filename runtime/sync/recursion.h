// The inline face of Py_EnterRecursiveCall: one comparison of the stack pointer.
#pragma once

#include "sync/thread_state.h"

namespace amphis {

namespace sync {
AMPHIS_COLD int refuse_recursion(ThreadState* ts, const char* where);
void set_stack_bounds(ThreadState* ts, uintptr_t low, uintptr_t high);
void reset_stack_bounds(ThreadState* ts);
}  // namespace sync

// Whether the native stack is nearly used up.
inline bool stack_nearly_full(const ThreadState* ts) {
  return AMPHIS_UNLIKELY(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) < ts->c_stack_limit);
}

// 0, or -1 with RecursionError set. `where` begins with a space: " in comparison".
inline int enter_recursive_call(const char* where) {
  ThreadState* ts = current_thread();
  return stack_nearly_full(ts) ? sync::refuse_recursion(ts, where) : 0;
}

// RAII: `if (RecursionGuard g(" while ..."); g.refused()) return nullptr;`
class [[nodiscard]] RecursionGuard {
  int status_;

 public:
  explicit RecursionGuard(const char* where) : status_(enter_recursive_call(where)) {}
  bool refused() const { return status_ != 0; }
};

}  // namespace amphis
