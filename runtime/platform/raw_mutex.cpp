// The contended path of RawMutex.
#include "platform/raw_mutex.h"

namespace amphis::platform {

void RawMutex::lock_slow() {
  for (int i = 0; i < 64; i++) {
    if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
    spin_pause();
  }
  while (word_.exchange(2, std::memory_order_acquire) != 0) wait_on(&word_, 2);
}

}  // namespace amphis::platform
