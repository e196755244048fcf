// Owns the epochs behind sync/retire.h: quiescent-state based reclamation (McKenney, Slingwine, 1998). Internal to sync/.
// Invariant: a thread that can hold an address read from shared memory has a non-zero `quiescent` not above the epoch in
// which it read it.
#pragma once

#include "sync/retire.h"
#include "sync/thread_state.h"

namespace amphis::sync {

extern std::atomic<uint64_t> current_epoch;
inline uint64_t epoch_now() { return current_epoch.load(std::memory_order_acquire); }

void start_epochs();
// What `ts` has retired becomes everybody's to free.
void abandon_retired(ThreadState* ts);
void reset_epochs_after_fork();

}  // namespace amphis::sync
