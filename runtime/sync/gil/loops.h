// GIL build of the words in which evaluation loops differ (sync/free/loops.h): there is one loop.
#pragma once

#define THIS_LOOP run_frame
#define THREADS Threads::kOne
#define LOOP_TABLE() static constexpr auto& labels = handlers
#define LOOP_CHANGE() (void)0

namespace amphis {
inline void choose_loop() {}
}
