// Owns the trash: containers whose deallocation was put off because the C stack is nearly used up. They wait, untracked
// and with a reference count of zero, in a list of their thread until the stack has unwound.
#pragma once

#include "sync/thread_state.h"

namespace amphis::sync {

// Deallocates what waits; deallocators may put off more.
void empty_trash(ThreadState* ts);

}  // namespace amphis::sync
