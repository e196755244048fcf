// _PyTime_*: times given as Python numbers, seconds and fractions, to nanoseconds and the structs of the C library.
// A float is scaled and rounded once, so the result is the nearest count in the direction that the caller asked for.
#include "Python.h"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sys/time.h>
#include <time.h>

namespace {

constexpr PyTime_t kMin = std::numeric_limits<PyTime_t>::min();
constexpr PyTime_t kMax = std::numeric_limits<PyTime_t>::max();
constexpr PyTime_t kNsPerSecond = 1000000000;

int out_of_range() {
  PyErr_SetString(PyExc_OverflowError, "timestamp out of range for C PyTime_t");
  return -1;
}
int out_of_platform_range() {
  PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
  return -1;
}
int not_a_number() {
  PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
  return -1;
}

double round_double(double x, _PyTime_round_t round) {
  switch (round) {
    case _PyTime_ROUND_FLOOR: return std::floor(x);
    case _PyTime_ROUND_CEILING: return std::ceil(x);
    case _PyTime_ROUND_HALF_EVEN: return std::nearbyint(x);
    case _PyTime_ROUND_UP: break;
  }
  return x >= 0 ? std::ceil(x) : std::floor(x);
}

PyTime_t divide(PyTime_t t, PyTime_t by, _PyTime_round_t round) {
  PyTime_t quotient = t / by, rest = t % by;
  if (rest == 0) return quotient;
  const PyTime_t away = rest > 0 ? 1 : -1;
  switch (round) {
    case _PyTime_ROUND_FLOOR: return rest < 0 ? quotient - 1 : quotient;
    case _PyTime_ROUND_CEILING: return rest > 0 ? quotient + 1 : quotient;
    case _PyTime_ROUND_HALF_EVEN: {
      const PyTime_t twice = 2 * (rest < 0 ? -rest : rest);
      return twice > by || (twice == by && (quotient & 1)) ? quotient + away : quotient;
    }
    case _PyTime_ROUND_UP: break;
  }
  return quotient + away;
}

// Whether a whole number of seconds or nanoseconds fits 64 bits; the upper limit itself is no double.
bool fits(double x) { return x >= -9223372036854775808.0 && x < 9223372036854775808.0; }

int from_object(PyTime_t* t, PyObject* obj, _PyTime_round_t round, PyTime_t unit) {
  if (PyFloat_Check(obj)) {
    double d = PyFloat_AS_DOUBLE(obj);
    if (std::isnan(d)) {
      *t = 0;
      return not_a_number();
    }
    d = round_double(d * static_cast<double>(unit), round);
    if (!fits(d)) {
      *t = 0;
      return out_of_range();
    }
    *t = static_cast<PyTime_t>(d);
    return 0;
  }
  long long n = PyLong_AsLongLong(obj);
  if (n == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) return out_of_range();
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Format(PyExc_TypeError, "'%T' object cannot be interpreted as an integer or float", obj);
    }
    return -1;
  }
  if (__builtin_mul_overflow(n, unit, t)) {
    *t = n < 0 ? kMin : kMax;
    return out_of_range();
  }
  return 0;
}

int to_time_t(PyObject* obj, time_t* sec) {
  long long n = PyLong_AsLongLong(obj);
  if (n == -1 && PyErr_Occurred()) return PyErr_ExceptionMatches(PyExc_OverflowError) ? out_of_platform_range() : -1;
  *sec = static_cast<time_t>(n);
  return 0;
}

// Seconds rounded down and a non-negative fraction in units of 1/denominator.
int to_parts(PyObject* obj, time_t* sec, long* fraction, long denominator, _PyTime_round_t round) {
  if (PyFloat_Check(obj)) {
    double d = PyFloat_AS_DOUBLE(obj), whole;
    if (std::isnan(d)) {
      *fraction = 0;
      return not_a_number();
    }
    double part = round_double(std::modf(d, &whole) * static_cast<double>(denominator), round);
    if (part >= static_cast<double>(denominator)) {
      part -= static_cast<double>(denominator);
      whole += 1.0;
    } else if (part < 0) {
      part += static_cast<double>(denominator);
      whole -= 1.0;
    }
    if (!fits(whole)) return out_of_platform_range();
    *sec = static_cast<time_t>(whole);
    *fraction = static_cast<long>(part);
    return 0;
  }
  *fraction = 0;
  if (to_time_t(obj, sec) == 0) return 0;
  if (PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Format(PyExc_TypeError, "argument must be int or float, not %T", obj);
  }
  return -1;
}

int broken_down(struct tm* result) {
  if (result != nullptr) return 0;
  if (errno == 0) errno = EINVAL;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

}  // namespace

extern "C" {

PyTime_t _PyTime_FromSeconds(int seconds) { return PyTime_t{seconds} * kNsPerSecond; }

int _PyTime_FromSecondsObject(PyTime_t* t, PyObject* obj, _PyTime_round_t round) {
  return from_object(t, obj, round, kNsPerSecond);
}
int _PyTime_FromMillisecondsObject(PyTime_t* t, PyObject* obj, _PyTime_round_t round) {
  return from_object(t, obj, round, 1000000);
}

int _PyTime_FromLong(PyTime_t* t, PyObject* obj) {
  if (!PyLong_Check(obj)) {
    PyErr_Format(PyExc_TypeError, "expect int, got %s", Py_TYPE(obj)->tp_name);
    return -1;
  }
  long long n = PyLong_AsLongLong(obj);
  if (n == -1 && PyErr_Occurred()) return PyErr_ExceptionMatches(PyExc_OverflowError) ? out_of_range() : -1;
  *t = n;
  return 0;
}
PyObject* _PyTime_AsLong(PyTime_t t) { return PyLong_FromLongLong(t); }

PyTime_t _PyTime_AsMicroseconds(PyTime_t t, _PyTime_round_t round) { return divide(t, 1000, round); }
PyTime_t _PyTime_AsMilliseconds(PyTime_t t, _PyTime_round_t round) { return divide(t, 1000000, round); }

int _PyTime_AsTimeval(PyTime_t t, struct timeval* tv, _PyTime_round_t round) {
  PyTime_t us = divide(t, 1000, round);
  PyTime_t seconds = divide(us, 1000000, _PyTime_ROUND_FLOOR);
  tv->tv_sec = static_cast<time_t>(seconds);
  tv->tv_usec = static_cast<suseconds_t>(us - seconds * 1000000);
  return 0;
}
int _PyTime_AsTimespec(PyTime_t t, struct timespec* ts) {
  PyTime_t seconds = divide(t, kNsPerSecond, _PyTime_ROUND_FLOOR);
  ts->tv_sec = static_cast<time_t>(seconds);
  ts->tv_nsec = static_cast<long>(t - seconds * kNsPerSecond);
  return 0;
}

int _PyTime_ObjectToTime_t(PyObject* obj, time_t* sec, _PyTime_round_t round) {
  if (!PyFloat_Check(obj)) return to_time_t(obj, sec);
  double d = PyFloat_AS_DOUBLE(obj);
  if (std::isnan(d)) return not_a_number();
  d = round_double(d, round);
  if (!fits(d)) return out_of_platform_range();
  *sec = static_cast<time_t>(d);
  return 0;
}
int _PyTime_ObjectToTimeval(PyObject* obj, time_t* sec, long* usec, _PyTime_round_t round) {
  return to_parts(obj, sec, usec, 1000000, round);
}
int _PyTime_ObjectToTimespec(PyObject* obj, time_t* sec, long* nsec, _PyTime_round_t round) {
  return to_parts(obj, sec, nsec, 1000000000, round);
}

int _PyTime_localtime(time_t t, struct tm* tm) {
  errno = 0;
  return broken_down(localtime_r(&t, tm));
}
int _PyTime_gmtime(time_t t, struct tm* tm) {
  errno = 0;
  return broken_down(gmtime_r(&t, tm));
}

// A deadline is a time of the monotonic clock; too long a timeout is the end of time.
PyTime_t _PyDeadline_Init(PyTime_t timeout) {
  PyTime_t now, deadline;
  (void)PyTime_MonotonicRaw(&now);
  if (__builtin_add_overflow(now, timeout, &deadline)) return timeout < 0 ? kMin : kMax;
  return deadline;
}
PyTime_t _PyDeadline_Get(PyTime_t deadline) {
  PyTime_t now;
  (void)PyTime_MonotonicRaw(&now);
  return deadline - now;
}

}  // extern "C"
