// StopTheWorld s("why"): RAII; while it lives every other thread stands at a safepoint or is detached and cannot attach.
// The reason, a string literal, is for the log (sync/stop_log.h), as is what the operation is about.
// Nothing in the GIL build (whoever holds the GIL is alone). It nests within a thread. Inside: take no sync::Mutex
// that a thread could hold while it detaches; object locks are free to take; run no Python code.
#pragma once

#include "sync/thread_state.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(stop_the_world)
