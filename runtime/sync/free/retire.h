// Free-threaded build of sync/retire.h. The retiring thread keeps its blocks in a list, each with the epoch that all
// threads must have seen; lists are bounded by asking lagging threads (kBreakQuiesce) to pass a safepoint.
#pragma once

#include "Python.h"

namespace amphis::sync {

// `bytes`, where it may be much: what waits.
void retire(void* ptr, size_t bytes = 0);
void retire_with(void (*fn)(void*), void* ptr, size_t bytes = 0);
void retire_ref(PyObject* op);
// Drops the references whose time has come. At a safepoint: deallocators run.
void drop_due_refs();
// Frees whatever waits in this thread's list and can go.
void reclaim_retired();
// The part of it that is known to be able to go, which costs no look at other threads; they are looked at for much memory.
void reclaim_known();
// Frees every list of every thread: the world is stopped or only this thread is left.
void reclaim_all_retired();

// The epoch machinery, for memory/ where it keeps its own lists of pages: advance() names the epoch that readers of
// what was just unlinked may still be in; reached(e) says whether all of them are past it.
uint64_t epoch_advance();
bool epoch_reached(uint64_t epoch);

}  // namespace amphis::sync
