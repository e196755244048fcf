// The lock that _imp.acquire_lock takes: recursive, held by importlib for the time of a lookup among module locks.
// A fork takes it first, so that the child does not inherit importlib's tables half changed.
#include "modules/import_state.h"

#include "sync/fork.h"
#include "sync/mutex.h"
#include "sync/thread_state.h"

#include <atomic>

namespace amphis {

namespace {

sync::Mutex mutex;
std::atomic<ThreadState*> owner{nullptr};
int depth = 0;  // guarded by mutex

void after_fork_child() {
  // The forking thread is the one that lives on; its states of the lock stay its own.
  owner.store(current_thread());
  import_lock_release();
}
void after_fork_parent() { import_lock_release(); }

}  // namespace

void import_lock_acquire() {
  ThreadState* self = current_thread();
  if (owner.load(std::memory_order_relaxed) != self) {
    mutex.lock();
    owner.store(self, std::memory_order_relaxed);
  }
  ++depth;
}

bool import_lock_release() {
  if (owner.load(std::memory_order_relaxed) != current_thread()) return false;
  if (--depth == 0) {
    owner.store(nullptr, std::memory_order_relaxed);
    mutex.unlock();
  }
  return true;
}

bool import_lock_held() { return owner.load(std::memory_order_relaxed) != nullptr; }

void import_lock_init() {
  static bool registered = false;
  if (registered) return;
  registered = true;
  sync::add_fork_hooks({import_lock_acquire, after_fork_parent, after_fork_child});
}

}  // namespace amphis
