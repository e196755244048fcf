// Free-threaded build of sync/retire.h. The retiring thread keeps its blocks in a list, each with the epoch that all
// threads must have seen; lists are bounded by asking lagging threads (kBreakQuiesce) to pass a safepoint.
#pragma once

#include "Python.h"

namespace amphis::sync {

void retire(void* ptr);
void retire_with(void (*fn)(void*), void* ptr);
void retire_ref(PyObject* op);
// Drops the references whose time has come. At a safepoint: deallocators run.
void drop_due_refs();
// Frees whatever waits in this thread's list and can go.
void reclaim_retired();
// Frees every list of every thread: the world is stopped or only this thread is left.
void reclaim_all_retired();

// The epoch machinery, for memory/ where it keeps its own lists of pages: advance() names the epoch that readers of
// what was just unlinked may still be in; reached(e) says whether all of them are past it.
uint64_t epoch_advance();
bool epoch_reached(uint64_t epoch);

}  // namespace amphis::sync
