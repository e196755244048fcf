// Free-threaded build of sync/stop_the_world.h.
#pragma once

#include "sync/thread_state.h"

namespace amphis {

namespace sync {
void stop_the_world(ThreadState* ts, const char* why, const char* what);
void start_the_world(ThreadState* ts);
}  // namespace sync

class [[nodiscard]] StopTheWorld {
  ThreadState* ts_;

 public:
  explicit StopTheWorld(const char* why, const char* what = nullptr) : ts_(current_thread()) {
    sync::stop_the_world(ts_, why, what);
  }
  ~StopTheWorld() { sync::start_the_world(ts_); }
  StopTheWorld(const StopTheWorld&) = delete;
  StopTheWorld& operator=(const StopTheWorld&) = delete;
};

// True inside a StopTheWorld of this thread.
inline bool world_stopped() { return current_thread()->stop_depth > 0; }

}  // namespace amphis
