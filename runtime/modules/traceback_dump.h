// Tracebacks in plain text to a descriptor, for signal handlers and fatal errors: no allocation, no locks, no Python.
#pragma once

#include "Python.h"
#include "sync/thread_state.h"

namespace amphis {

// The frames of one thread under a "Thread 0x..." (or "Current thread 0x...", or "Stack") heading.
void dump_thread(int fd, ThreadState* ts, bool current);
// The frames alone, under "Stack (most recent call first):".
void dump_stack(int fd, ThreadState* ts);
// "Extension modules: ..." of the loaded extension modules outside the standard library, if there are any.
void dump_extension_modules(int fd);
// Every thread, the current one first or last as the list has them.
void dump_all_threads(int fd, ThreadState* current);
void dump_text(int fd, const char* text);

}  // namespace amphis
