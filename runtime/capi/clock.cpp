// PyTime_*: the clocks as nanoseconds. The Raw functions need no attached thread and raise nothing.
#include <cmath>

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

int _PyTime_ObjectToTimespec(PyObject* o, time_t* seconds, long* nanoseconds, _PyTime_round_t round) {
  if (PyFloat_Check(o)) {
    double whole;
    double rest = std::modf(PyFloat_AS_DOUBLE(o), &whole);
    if (std::isnan(whole)) {
      PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
      return -1;
    }
    rest *= 1e9;
    rest = round == _PyTime_ROUND_FLOOR     ? std::floor(rest)
           : round == _PyTime_ROUND_CEILING ? std::ceil(rest)
           : round == _PyTime_ROUND_UP      ? (rest >= 0 ? std::ceil(rest) : std::floor(rest))
                                            : std::nearbyint(rest);
    if (rest >= 1e9) {
      rest -= 1e9;
      whole += 1;
    } else if (rest < 0) {
      rest += 1e9;
      whole -= 1;
    }
    if (!(whole > -9.2e18 && whole < 9.2e18)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
      return -1;
    }
    *seconds = static_cast<time_t>(whole);
    *nanoseconds = static_cast<long>(rest);
    return 0;
  }
  long long value = PyLong_AsLongLong(o);
  if (value == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
    }
    return -1;
  }
  *seconds = value;
  *nanoseconds = 0;
  return 0;
}

}  // extern "C"
