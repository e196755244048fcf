#include "sync/stop_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "platform/raw_mutex.h"

namespace amphis::sync {

namespace {

platform::RawMutex lock;
Stop kept[kStopsKept];  // by number
uint64_t count = 0;
std::atomic<int> file{-1};

}  // namespace

void log_stop(Stop& stop) {
  {
    platform::RawLock locked(lock);
    stop.number = ++count;
    kept[stop.number % kStopsKept] = stop;
  }
  const int fd = file.load(std::memory_order_relaxed);
  if (fd < 0) return;
  char line[256];
  const int size = std::snprintf(line, sizeof line, "%llu at %.6f thread %lu: %s%s%s, waited %.1f us, stood %.1f us, last %lu\n",
                                 static_cast<unsigned long long>(stop.number), double(stop.begin_ns) * 1e-9, stop.stopper, stop.why,
                                 stop.what[0] != '\0' ? " " : "", stop.what, double(stop.waited_ns) * 1e-3,
                                 double(stop.stood_ns) * 1e-3, stop.last);
  // One write for each line, so that lines of several processes do not mix. A log that cannot be written is no error.
  if (size > 0) (void)!write(fd, line, static_cast<size_t>(size));
}

size_t recent_stops(Stop* stops) {
  platform::RawLock locked(lock);
  const uint64_t n = count < kStopsKept ? count : kStopsKept;
  for (uint64_t i = 0; i < n; ++i) stops[i] = kept[(count - n + 1 + i) % kStopsKept];
  return n;
}

bool open_stop_log(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  const int old = file.exchange(fd);
  if (old >= 0) close(old);
  return true;
}

}  // namespace amphis::sync
