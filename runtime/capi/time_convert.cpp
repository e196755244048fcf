// The private C API of times: between Python numbers, nanoseconds and the C library's structs, with a rounding rule.
#include "Python.h"

#include <cfloat>
#include <climits>
#include <cmath>
#include <ctime>

namespace {

constexpr PyTime_t kSecond = 1000000000;
constexpr PyTime_t kMax = INT64_MAX, kMin = INT64_MIN;

double round_double(double x, _PyTime_round_t round) {
  switch (round) {
    case _PyTime_ROUND_FLOOR: return std::floor(x);
    case _PyTime_ROUND_CEILING: return std::ceil(x);
    case _PyTime_ROUND_HALF_EVEN: return std::nearbyint(x);
    default: return x >= 0.0 ? std::ceil(x) : std::floor(x);
  }
}

// t / k by the rule; k is positive.
PyTime_t divide(PyTime_t t, PyTime_t k, _PyTime_round_t round) {
  PyTime_t q = t / k, r = t % k;
  if (r == 0) return q;
  switch (round) {
    case _PyTime_ROUND_FLOOR: return r < 0 ? q - 1 : q;
    case _PyTime_ROUND_CEILING: return r > 0 ? q + 1 : q;
    case _PyTime_ROUND_HALF_EVEN: {
      PyTime_t twice = r < 0 ? -r : r, half = k - twice;
      bool up = twice > half || (twice == half && (q & 1) != 0);
      return up ? (t < 0 ? q - 1 : q + 1) : q;
    }
    default: return t < 0 ? q - 1 : q + 1;
  }
}

int too_large() {
  PyErr_SetString(PyExc_OverflowError, "timestamp too large to convert to C PyTime_t");
  return -1;
}
int time_t_overflow() {
  PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
  return -1;
}
int not_a_number() {
  PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
  return -1;
}

int from_object(PyTime_t* t, PyObject* object, _PyTime_round_t round, PyTime_t unit) {
  if (PyFloat_Check(object)) {
    double d = PyFloat_AsDouble(object);
    if (std::isnan(d)) return not_a_number();
    volatile double scaled = d * static_cast<double>(unit);
    scaled = round_double(scaled, round);
    if (!(scaled >= -0x1p63 && scaled < 0x1p63)) {
      *t = 0;
      return too_large();
    }
    *t = static_cast<PyTime_t>(scaled);
    return 0;
  }
  long long units = PyLong_AsLongLong(object);
  if (units == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_Clear();
      return too_large();
    }
    return -1;
  }
  if (__builtin_mul_overflow(PyTime_t{units}, unit, t)) {
    *t = units < 0 ? kMin : kMax;
    return too_large();
  }
  return 0;
}

// Seconds and a fraction in 1/denominator; the fraction is in [0, denominator).
int to_parts(PyObject* object, time_t* seconds, long* fraction, long denominator, _PyTime_round_t round) {
  if (PyFloat_Check(object)) {
    double d = PyFloat_AsDouble(object);
    if (std::isnan(d)) return not_a_number();
    double whole;
    volatile double part = std::modf(d, &whole);
    part = round_double(part * static_cast<double>(denominator), round);
    if (part >= static_cast<double>(denominator)) {
      part = part - static_cast<double>(denominator);
      whole += 1.0;
    } else if (part < 0) {
      part = part + static_cast<double>(denominator);
      whole -= 1.0;
    }
    if (!(whole >= -0x1p63 && whole < 0x1p63)) return time_t_overflow();
    *seconds = static_cast<time_t>(whole);
    *fraction = static_cast<long>(part);
    return 0;
  }
  *fraction = 0;
  return _PyTime_ObjectToTime_t(object, seconds, round);
}

PyTime_t monotonic() {
  PyTime_t now;
  return PyTime_MonotonicRaw(&now) == 0 ? now : 0;
}

PyTime_t add_saturated(PyTime_t a, PyTime_t b) {
  PyTime_t sum;
  return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? kMax : kMin) : sum;
}

}  // namespace

extern "C" {

PyTime_t _PyTime_FromSeconds(int seconds) { return PyTime_t{seconds} * kSecond; }

int _PyTime_FromLong(PyTime_t* t, PyObject* object) {
  if (!PyLong_Check(object)) {
    PyErr_Format(PyExc_TypeError, "expect int, got %s", Py_TYPE(object)->tp_name);
    return -1;
  }
  long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return -1;
    PyErr_Clear();
    return too_large();
  }
  *t = value;
  return 0;
}

int _PyTime_FromSecondsObject(PyTime_t* t, PyObject* object, _PyTime_round_t round) {
  return from_object(t, object, round, kSecond);
}
int _PyTime_FromMillisecondsObject(PyTime_t* t, PyObject* object, _PyTime_round_t round) {
  return from_object(t, object, round, 1000000);
}

PyObject* _PyTime_AsLong(PyTime_t t) { return PyLong_FromLongLong(t); }
PyTime_t _PyTime_AsMicroseconds(PyTime_t t, _PyTime_round_t round) { return divide(t, 1000, round); }
PyTime_t _PyTime_AsMilliseconds(PyTime_t t, _PyTime_round_t round) { return divide(t, 1000000, round); }

int _PyTime_AsTimeval(PyTime_t t, struct timeval* tv, _PyTime_round_t round) {
  PyTime_t us = divide(t, 1000, round);
  tv->tv_sec = us / 1000000;
  tv->tv_usec = us % 1000000;
  if (tv->tv_usec < 0) {
    tv->tv_usec += 1000000;
    tv->tv_sec -= 1;
  }
  return 0;
}

int _PyTime_AsTimespec(PyTime_t t, struct timespec* ts) {
  ts->tv_sec = t / kSecond;
  ts->tv_nsec = t % kSecond;
  if (ts->tv_nsec < 0) {
    ts->tv_nsec += kSecond;
    ts->tv_sec -= 1;
  }
  return 0;
}

int _PyTime_ObjectToTime_t(PyObject* object, time_t* seconds, _PyTime_round_t round) {
  if (PyFloat_Check(object)) {
    double d = PyFloat_AsDouble(object);
    if (std::isnan(d)) return not_a_number();
    d = round_double(d, round);
    if (!(d >= -0x1p63 && d < 0x1p63)) return time_t_overflow();
    *seconds = static_cast<time_t>(d);
    return 0;
  }
  *seconds = _PyLong_AsTime_t(object);
  return *seconds == static_cast<time_t>(-1) && PyErr_Occurred() ? -1 : 0;
}

int _PyTime_ObjectToTimeval(PyObject* object, time_t* seconds, long* microseconds, _PyTime_round_t round) {
  return to_parts(object, seconds, microseconds, 1000000, round);
}
int _PyTime_ObjectToTimespec(PyObject* object, time_t* seconds, long* nanoseconds, _PyTime_round_t round) {
  return to_parts(object, seconds, nanoseconds, kSecond, round);
}

int _PyTime_localtime(time_t t, struct tm* result) {
  errno = 0;
  if (localtime_r(&t, result) != nullptr) return 0;
  if (errno == 0) errno = EINVAL;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

int _PyTime_gmtime(time_t t, struct tm* result) {
  errno = 0;
  if (gmtime_r(&t, result) != nullptr) return 0;
  if (errno == 0) errno = EINVAL;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

PyTime_t _PyDeadline_Init(PyTime_t timeout) { return add_saturated(monotonic(), timeout); }
PyTime_t _PyDeadline_Get(PyTime_t deadline) { return deadline - monotonic(); }

}  // extern "C"
