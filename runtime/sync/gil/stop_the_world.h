// GIL build of sync/stop_the_world.h.
#pragma once

namespace amphis {

class [[nodiscard]] StopTheWorld {
 public:
  explicit StopTheWorld(const char*, const char* = nullptr) {}
  ~StopTheWorld() {}
  StopTheWorld(const StopTheWorld&) = delete;
  StopTheWorld& operator=(const StopTheWorld&) = delete;
};

inline bool world_stopped() { return true; }

}  // namespace amphis
