// Owns the log of who stopped the world: who, why, for how long, and which thread was the last to stand. The last stops are
// kept always (sys._stop_log()); `-X stop_log=FILE` and PYTHONSTOPLOG name a file that gets a line for each. In the GIL
// build nothing stops the world, and the log stays empty.
// Reasons are string literals that say which operation stops.
#pragma once

#include <cstddef>
#include <cstdint>

namespace amphis::sync {

struct Stop {
  uint64_t number = 0;         // 1 for the first one of the process
  int64_t begin_ns = 0;        // of the monotonic clock: when the stop was asked for
  int64_t waited_ns = 0;       // until all other threads stood
  int64_t stood_ns = 0;        // until they could go on
  unsigned long stopper = 0;   // threading.get_ident()
  unsigned long last = 0;      // the thread that was waited for last; 0: nobody was
  const char* why = nullptr;
  char what[40] = {};          // the class that changes, or nothing
};

constexpr size_t kStopsKept = 256;

// By the stopper, after the world has started; gives the stop its number.
void log_stop(Stop& stop);
// The last stops, oldest first; at most kStopsKept.
size_t recent_stops(Stop* stops);
// From here on each stop is also written to the file. False: it cannot be written.
bool open_stop_log(const char* path);

}  // namespace amphis::sync
