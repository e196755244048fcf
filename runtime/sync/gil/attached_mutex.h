// GIL build of sync::AttachedMutex: protects data that only attached threads touch, never across a detach. The GIL
// is that lock already.
#pragma once

namespace amphis::sync {

class AttachedMutex {
 public:
  void lock() {}
  void unlock() {}
  bool try_lock() { return true; }
  void reset() {}
};

}  // namespace amphis::sync
