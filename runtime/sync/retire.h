// sync::retire(ptr): free this PyMem_* block once no reader can still see it; sync::retire_with(fn, ptr) calls fn(ptr)
// then, anywhere, so it must not run Python code; sync::retire_ref(op) drops a reference then, at a safepoint.
// GIL build: at once. Free build: quiescent-state based reclamation: every attached thread has passed a safepoint
// (handle_eval_breaker, detaching) since. Invariant: the block is unreachable for new readers before it is retired.
#pragma once

#include "sync/thread_state.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(retire)
