// FrameView: a look at a frame that another thread may be running. While the view lives, the record and its registers
// stand still and stay where they are:
//  - a frame in this thread's own chain: only this thread changes or ends it, nothing to do;
//  - one that has ended: its variables are in the frame object, under the object's lock;
//  - any other (another thread's, a generator's that is not running here): the world is stopped.
// So what happens inside must be short, run no Python code and drop no reference that could be the last one: take
// references to what is wanted, and work with them after the view. Nothing in the GIL build.
#pragma once

#include <optional>

#include "interp/frame.h"
#include "objects/container_support.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/stop_the_world.h"

namespace amphis {

class [[nodiscard]] FrameView {
  std::optional<StopTheWorld> stopped_;
  std::optional<ObjectLock> lock_;
  Frame* frame_;

  // Whether f is a frame of the calling thread; f itself may be gone.
  static bool runs_here(const Frame* f) {
    ThreadState* ts = current_thread();
    auto* at = reinterpret_cast<const char*>(f);
    if (at >= ts->frame_base && at < ts->frame_limit) return true;
    for (const Frame* p = current_frame(ts); p != nullptr; p = p->prev) {
      if (p == f) return true;
    }
    return false;
  }

 public:
  explicit FrameView(FrameObject* o) : frame_(sync::load_acquire(o->frame)) {
    if constexpr (kRaces) {
      if (frame_ == &o->kept) {
        lock_.emplace(o);
      } else if (!runs_here(frame_)) {
        stopped_.emplace("look at a frame");
        frame_ = o->frame;  // it may have ended before the world stood
      }
    }
  }
  // The frame of a generator that the caller has a reference to.
  explicit FrameView(Frame* of_generator) : frame_(of_generator) {
    if constexpr (kRaces) {
      if (!runs_here(frame_)) stopped_.emplace("look at a frame");
    }
  }
  FrameView(const FrameView&) = delete;
  FrameView& operator=(const FrameView&) = delete;

  Frame* get() const { return frame_; }
  Frame* operator->() const { return frame_; }
};

}  // namespace amphis
