// What _thread shares with the C API of native threads.
#pragma once

#include "sync/mutex.h"

#include <cstddef>

namespace amphis::sync {

// The smallest stack that a program may ask for.
inline constexpr size_t kMinStackRequest = 53248;

size_t stack_size();              // as asked for; 0: the default
bool set_stack_size(size_t size);  // false: too small
size_t native_stack_size();       // what threads get; 0: the platform layer's default

// Acquires, running Python signal handlers meanwhile; kInterrupted: one of them raised. Timeout as mutex_lock_timed.
LockResult lock_with_retries(PyMutex* m, int64_t timeout_ns);

}  // namespace amphis::sync
