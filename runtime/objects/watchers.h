// The callbacks that extensions register to hear of changes to objects of one kind: at most eight, named by their index.
//
// Invariant: `any` is set before the first callback can be missed; while nothing was ever registered an event costs one load.
#pragma once

#include "Python.h"

#include "sync/mutex.h"

#include <atomic>

namespace amphis {

template <class Callback>
class WatcherTable {
 public:
  // The texts that name the kind in messages: "no more %s watcher IDs available" and so on.
  struct Texts {
    const char *full, *invalid, *unset;
  };
  constexpr explicit WatcherTable(Texts texts) : texts_(texts) {}

  // The new watcher's id, or -1 with an exception.
  int add(Callback callback) {
    sync::MutexLock lock(mutex_);
    for (int i = 0; i < kCount; ++i) {
      if (callbacks_[i].load(std::memory_order_relaxed) != nullptr) continue;
      callbacks_[i].store(callback, std::memory_order_relaxed);
      any_.store(true, std::memory_order_release);
      return i;
    }
    PyErr_SetString(PyExc_RuntimeError, texts_.full);
    return -1;
  }
  // 0, or -1 with an exception.
  int clear(int id) {
    if (id < 0 || id >= kCount) {
      PyErr_Format(PyExc_ValueError, texts_.invalid, id);
      return -1;
    }
    if (callbacks_[id].exchange(nullptr) == nullptr) {
      PyErr_Format(PyExc_ValueError, texts_.unset, id);
      return -1;
    }
    return 0;
  }
  bool any() const { return any_.load(std::memory_order_relaxed); }
  // Calls call(callback) for each one; `failed` is called when that is negative.
  template <class Call, class Failed>
  void each(Call&& call, Failed&& failed) {
    for (auto& slot : callbacks_) {
      Callback callback = slot.load(std::memory_order_acquire);
      if (callback != nullptr && call(callback) < 0) failed();
    }
  }

 private:
  static constexpr int kCount = 8;
  sync::Mutex mutex_;
  std::atomic<Callback> callbacks_[kCount] = {};
  std::atomic<bool> any_{false};
  Texts texts_;
};

}  // namespace amphis
