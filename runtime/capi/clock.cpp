// PyTime_*: the clocks as nanoseconds. The Raw functions need no attached thread and raise nothing.
#include "Python.h"

#include <ctime>

namespace {

int read_clock(clockid_t id, PyTime_t* result) {
  struct timespec now;
  if (clock_gettime(id, &now) != 0) {
    *result = 0;
    return -1;
  }
  *result = PyTime_t{now.tv_sec} * 1000000000 + now.tv_nsec;
  return 0;
}

int read_or_raise(clockid_t id, PyTime_t* result) {
  if (read_clock(id, result) == 0) return 0;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

}  // namespace

extern "C" {

int PyTime_TimeRaw(PyTime_t* result) { return read_clock(CLOCK_REALTIME, result); }
int PyTime_MonotonicRaw(PyTime_t* result) { return read_clock(CLOCK_MONOTONIC, result); }
int PyTime_PerfCounterRaw(PyTime_t* result) { return read_clock(CLOCK_MONOTONIC, result); }
int PyTime_Time(PyTime_t* result) { return read_or_raise(CLOCK_REALTIME, result); }
int PyTime_Monotonic(PyTime_t* result) { return read_or_raise(CLOCK_MONOTONIC, result); }
int PyTime_PerfCounter(PyTime_t* result) { return read_or_raise(CLOCK_MONOTONIC, result); }

double PyTime_AsSecondsDouble(PyTime_t t) {
  // Whole seconds are exact: dividing them apart keeps them so.
  return t % 1000000000 == 0 ? static_cast<double>(t / 1000000000) : static_cast<double>(t) / 1e9;
}

}  // extern "C"
