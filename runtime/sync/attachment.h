// The part of thread attachment that each variant implements (sync/gil/attachment.cpp, sync/free/attachment.cpp). Only
// sync/ includes this; sync/thread_state.h is the public face.
#pragma once

#include "sync/thread_state.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(attachment)

namespace amphis::sync {

// Attaches like attach(), but gives up (false) where it would have to wait for a stopped world.
bool try_attach(ThreadState* ts);
// First attach on this native thread: learns ids and stack bounds and runs the hooks. No-op when bound here already.
void bind_thread(ThreadState* ts);
// A thread may neither attach nor return once the runtime finalizes under another one: it sleeps for ever.
[[noreturn]] void hang_thread();
// True when the runtime finalizes and `ts` is not the thread that does it.
bool must_hang(const ThreadState* ts);

// Switches, stands still, merges counts: whatever of `bits` concerns this variant. Runs no Python code except
// deallocators.
void variant_safepoint(ThreadState* ts, uintptr_t bits);
// Once, before the first thread state.
void variant_start();
// With the thread list locked, before `ts` enters it: false asks for variant_prepare_thread without the lock, and for
// another try.
bool variant_may_add(ThreadState* ts);
void variant_prepare_thread(ThreadState* ts);
// With the thread list locked, after a state left it.
void variant_thread_removed();
// Attached, on the native thread that `ts` is now bound to.
void variant_thread_bound(ThreadState* ts);
// `ts` is bound to no thread from here on; it is not attached, or about to be bound to the calling thread.
void variant_thread_unbound(ThreadState* ts);
// Ends the current state's attachment for good: what others left for it to do is done first.
void variant_detach_last(ThreadState* ts);
// `ts` is the only thread left, in the child of a fork, and is attached.
void variant_after_fork(ThreadState* ts);

}  // namespace amphis::sync
