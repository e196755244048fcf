// The time module: clocks, sleeping, calendar conversions.
#include <sys/resource.h>
#include <time.h>

#include <cerrno>
#include <cmath>
#include <string>

#include "Python.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

constexpr int64_t kSecond = 1000000000;

PyTypeObject* struct_time_type = nullptr;

// --- clocks

bool read_clock(clockid_t clock, int64_t* ns) {
  timespec ts;
  if (clock_gettime(clock, &ts) != 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  *ns = static_cast<int64_t>(ts.tv_sec) * kSecond + ts.tv_nsec;
  return true;
}

// Seconds as the nearest float: whole seconds and the rest are converted apart, as large counts lose digits otherwise.
PyObject* as_seconds(int64_t ns) {
  if (ns % kSecond == 0) return PyFloat_FromDouble(static_cast<double>(ns / kSecond));
  return PyFloat_FromDouble(static_cast<double>(ns) / 1e9);
}

template <clockid_t clock>
PyObject* clock_float(PyObject*, PyObject*) {
  int64_t ns;
  return read_clock(clock, &ns) ? as_seconds(ns) : nullptr;
}
template <clockid_t clock>
PyObject* clock_int(PyObject*, PyObject*) {
  int64_t ns;
  return read_clock(clock, &ns) ? PyLong_FromLongLong(ns) : nullptr;
}

bool clock_id(PyObject* arg, clockid_t* clock) {
  int id = PyLong_AsInt(arg);
  if (id == -1 && PyErr_Occurred()) return false;
  *clock = id;
  return true;
}
PyObject* time_clock_gettime(PyObject*, PyObject* arg) {
  clockid_t clock;
  int64_t ns;
  return clock_id(arg, &clock) && read_clock(clock, &ns) ? as_seconds(ns) : nullptr;
}
PyObject* time_clock_gettime_ns(PyObject*, PyObject* arg) {
  clockid_t clock;
  int64_t ns;
  return clock_id(arg, &clock) && read_clock(clock, &ns) ? PyLong_FromLongLong(ns) : nullptr;
}
PyObject* time_clock_getres(PyObject*, PyObject* arg) {
  clockid_t clock;
  timespec ts;
  if (!clock_id(arg, &clock)) return nullptr;
  if (clock_getres(clock, &ts) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  return PyFloat_FromDouble(static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9);
}

// A duration in nanoseconds, rounded away from zero so that nobody wakes too early.
bool duration_ns(PyObject* arg, int64_t* ns) {
  if (PyFloat_Check(arg)) {
    double seconds = PyFloat_AS_DOUBLE(arg);
    if (std::isnan(seconds)) {
      PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
      return false;
    }
    double scaled = seconds * 1e9;
    scaled = scaled >= 0 ? std::ceil(scaled) : std::floor(scaled);
    if (!(scaled > -9.2e18 && scaled < 9.2e18)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
      return false;
    }
    *ns = static_cast<int64_t>(scaled);
    return true;
  }
  if (!PyIndex_Check(arg)) {
    PyErr_Format(PyExc_TypeError, "'%T' object cannot be interpreted as an integer or float", arg);
    return false;
  }
  Ref<> index = Ref<>::steal(PyNumber_Index(arg));
  if (!index) return false;
  long long seconds = PyLong_AsLongLong(index);
  if (seconds == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp too large to convert to C PyTime_t");
    }
    return false;
  }
  if (__builtin_mul_overflow(static_cast<int64_t>(seconds), kSecond, ns)) {
    PyErr_SetString(PyExc_OverflowError, "timestamp too large to convert to C PyTime_t");
    return false;
  }
  return true;
}

PyObject* time_sleep(PyObject*, PyObject* arg) {
  if (PySys_Audit("time.sleep", "O", arg) < 0) return nullptr;
  int64_t ns, now;
  if (!duration_ns(arg, &ns)) return nullptr;
  if (ns < 0) {
    PyErr_SetString(PyExc_ValueError, "sleep length must be non-negative");
    return nullptr;
  }
  if (!read_clock(CLOCK_MONOTONIC, &now)) return nullptr;
  int64_t end;
  if (__builtin_add_overflow(now, ns, &end)) end = INT64_MAX;
  const timespec deadline = {static_cast<time_t>(end / kSecond), static_cast<long>(end % kSecond)};
  for (;;) {
    int status;
    {
      Detached detached;
      status = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr);
    }
    if (status == 0) Py_RETURN_NONE;
    if (status != EINTR) {
      errno = status;
      return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (PyErr_CheckSignals() < 0) return nullptr;
  }
}

// --- calendar

PyStructSequence_Field struct_time_fields[] = {
    {"tm_year", "year, for example, 1993"},
    {"tm_mon", "month of year, range [1, 12]"},
    {"tm_mday", "day of month, range [1, 31]"},
    {"tm_hour", "hours, range [0, 23]"},
    {"tm_min", "minutes, range [0, 59]"},
    {"tm_sec", "seconds, range [0, 61])"},
    {"tm_wday", "day of week, range [0, 6], Monday is 0"},
    {"tm_yday", "day of year, range [1, 366]"},
    {"tm_isdst", "1 if summer time is in effect, 0 if not, and -1 if unknown"},
    {"tm_zone", "abbreviation of timezone name"},
    {"tm_gmtoff", "offset from UTC in seconds"},
    {nullptr, nullptr},
};
PyStructSequence_Desc struct_time_desc = {
    "time.struct_time",
    "The time value as returned by gmtime(), localtime(), and strptime(), and\naccepted by asctime(), mktime() and "
    "strftime().  May be considered as a\nsequence of 9 integers.",
    struct_time_fields, 9};

PyObject* from_tm(const tm& t) {
  Ref<> result = Ref<>::steal(PyStructSequence_New(struct_time_type));
  if (!result) return nullptr;
  const long values[] = {t.tm_year + 1900L, t.tm_mon + 1, t.tm_mday,      t.tm_hour, t.tm_min,
                         t.tm_sec,          (t.tm_wday + 6) % 7, t.tm_yday + 1, t.tm_isdst};
  for (int i = 0; i < 9; ++i) PyStructSequence_SetItem(result, i, PyLong_FromLong(values[i]));
  PyStructSequence_SetItem(result, 9, PyUnicode_DecodeLocale(t.tm_zone, "surrogateescape"));
  PyStructSequence_SetItem(result, 10, PyLong_FromLong(t.tm_gmtoff));
  return PyErr_Occurred() ? nullptr : result.release();
}

// Seconds since the epoch from an optional argument; absent or None: now.
bool when_argument(const char* function, PyObject* const* args, Py_ssize_t nargs, time_t* when) {
  if (!_PyArg_CheckPositional(function, nargs, 0, 1)) return false;
  if (nargs == 0 || args[0] == Py_None) {
    *when = ::time(nullptr);
    return true;
  }
  if (PyFloat_Check(args[0])) {
    double seconds = std::floor(PyFloat_AS_DOUBLE(args[0]));
    if (std::isnan(seconds)) {
      PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
      return false;
    }
    if (!(seconds > -9.2e18 && seconds < 9.2e18)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
      return false;
    }
    *when = static_cast<time_t>(seconds);
    return true;
  }
  long long seconds = PyLong_AsLongLong(args[0]);
  if (seconds == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_SetString(PyExc_OverflowError, "timestamp out of range for platform time_t");
    }
    return false;
  }
  *when = seconds;
  return true;
}

PyObject* broken_down(const char* function, PyObject* const* args, Py_ssize_t nargs, tm* (*convert)(const time_t*, tm*)) {
  time_t when;
  tm t;
  if (!when_argument(function, args, nargs, &when)) return nullptr;
  errno = 0;
  if (convert(&when, &t) == nullptr) {
    if (errno == 0) errno = EINVAL;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  return from_tm(t);
}
PyObject* time_gmtime(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return broken_down("gmtime", args, nargs, gmtime_r);
}
PyObject* time_localtime(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return broken_down("localtime", args, nargs, localtime_r);
}

bool to_tm(PyObject* args, const char* function, tm* t, Ref<>* zone) {
  if (!PyTuple_Check(args)) {
    PyErr_SetString(PyExc_TypeError, "Tuple or struct_time argument required");
    return false;
  }
  *t = {};
  int year;
  const std::string format = std::string("iiiiiiiii;") + function + "(): illegal time tuple argument";
  Ref<> plain = Ref<>::steal(PyTuple_GetSlice(args, 0, PyTuple_GET_SIZE(args)));
  if (!plain || !PyArg_ParseTuple(plain, format.c_str(), &year, &t->tm_mon, &t->tm_mday, &t->tm_hour, &t->tm_min,
                                  &t->tm_sec, &t->tm_wday, &t->tm_yday, &t->tm_isdst)) {
    return false;
  }
  if (year < INT_MIN + 1900) {
    PyErr_SetString(PyExc_OverflowError, "year out of range");
    return false;
  }
  t->tm_year = year - 1900;
  --t->tm_mon;
  t->tm_wday = (t->tm_wday + 1) % 7;
  --t->tm_yday;
  if (Py_IS_TYPE(args, struct_time_type)) {
    PyObject* name = PyStructSequence_GetItem(args, 9);
    if (name != nullptr && PyUnicode_Check(name)) {
      *zone = Ref<>::steal(PyUnicode_EncodeLocale(name, "surrogateescape"));
      if (!*zone) return false;
      t->tm_zone = PyBytes_AS_STRING(zone->get());
    }
    PyObject* offset = PyStructSequence_GetItem(args, 10);
    if (offset != nullptr && offset != Py_None) t->tm_gmtoff = PyLong_AsLong(offset);
    if (PyErr_Occurred()) return false;
  }
  return true;
}

// Refuses fields that strftime and asctime would read out of bounds; zero months and days count as the first.
bool check_bounds(tm* t) {
  if (t->tm_mon == -1) t->tm_mon = 0;
  if (t->tm_mday == 0) t->tm_mday = 1;
  if (t->tm_yday == -1) t->tm_yday = 0;
  const struct {
    bool bad;
    const char* message;
  } checks[] = {
      {t->tm_mon < 0 || t->tm_mon > 11, "month out of range"},
      {t->tm_mday < 0 || t->tm_mday > 31, "day of month out of range"},
      {t->tm_hour < 0 || t->tm_hour > 23, "hour out of range"},
      {t->tm_min < 0 || t->tm_min > 59, "minute out of range"},
      {t->tm_sec < 0 || t->tm_sec > 61, "seconds out of range"},
      {t->tm_wday < 0, "day of week out of range"},
      {t->tm_yday < 0 || t->tm_yday > 365, "day of year out of range"},
  };
  for (const auto& c : checks) {
    if (c.bad) {
      PyErr_SetString(PyExc_ValueError, c.message);
      return false;
    }
  }
  return true;
}

bool time_tuple_argument(const char* function, PyObject* argument, tm* t, Ref<>* zone) {
  if (argument != nullptr) return to_tm(argument, function, t, zone) && check_bounds(t);
  time_t now = ::time(nullptr);
  localtime_r(&now, t);
  return true;
}

PyObject* ascii_time(const tm& t) {
  static const char* const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char* const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return PyUnicode_FromFormat("%s %s%3d %.2d:%.2d:%.2d %d", days[t.tm_wday], months[t.tm_mon], t.tm_mday, t.tm_hour,
                              t.tm_min, t.tm_sec, t.tm_year + 1900);
}
PyObject* time_asctime(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  tm t;
  Ref<> zone;
  if (!_PyArg_CheckPositional("asctime", nargs, 0, 1)) return nullptr;
  return time_tuple_argument("asctime", nargs ? args[0] : nullptr, &t, &zone) ? ascii_time(t) : nullptr;
}
PyObject* time_ctime(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  time_t when;
  tm t;
  if (!when_argument("ctime", args, nargs, &when)) return nullptr;
  if (localtime_r(&when, &t) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
  return ascii_time(t);
}

PyObject* time_mktime(PyObject*, PyObject* arg) {
  tm t;
  Ref<> zone;
  if (!to_tm(arg, "mktime", &t, &zone)) return nullptr;
  t.tm_wday = -1;  // stays so only on failure: -1 is a valid time, too
  time_t when = mktime(&t);
  if (when == static_cast<time_t>(-1) && t.tm_wday == -1) {
    PyErr_SetString(PyExc_OverflowError, "mktime argument out of range");
    return nullptr;
  }
  return PyFloat_FromDouble(static_cast<double>(when));
}

bool is_plain(Py_UCS4 ch) { return ch != 0 && ch < 0x80; }

// What the C library's strftime makes of an ASCII format.
bool write_formatted(PyUnicodeWriter* writer, const std::string& format, const tm& t) {
  // An empty result is not told from a buffer that is too small: a leading blank makes it so.
  const std::string guarded = " " + format;
  for (size_t size = 256; size <= size_t{1} << 24; size *= 4) {
    std::string buffer(size, '\0');
    const size_t n = strftime(buffer.data(), size, guarded.c_str(), &t);
    if (n == 0) continue;
    Ref<> text =
        Ref<>::steal(PyUnicode_DecodeLocaleAndSize(buffer.data() + 1, static_cast<Py_ssize_t>(n - 1), "surrogateescape"));
    return text && PyUnicodeWriter_WriteStr(writer, text.get()) == 0;
  }
  PyErr_NoMemory();
  return false;
}

PyObject* time_strftime(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("strftime", nargs, 1, 2)) return nullptr;
  if (!PyUnicode_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "strftime() argument 1 must be str, not %T", args[0]);
    return nullptr;
  }
  tm t;
  Ref<> zone;
  if (!time_tuple_argument("strftime", nargs > 1 ? args[1] : nullptr, &t, &zone)) return nullptr;
  if (t.tm_isdst < -1) t.tm_isdst = -1;
  if (t.tm_isdst > 1) t.tm_isdst = 1;
  // The C library sees the ASCII parts; all other characters stand for themselves.
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  const Py_ssize_t n = PyUnicode_GET_LENGTH(args[0]);
  bool ok = true;
  for (Py_ssize_t i = 0; ok && i < n;) {
    Py_ssize_t end = i;
    while (end < n && is_plain(PyUnicode_READ_CHAR(args[0], end))) end++;
    if (end == i) {
      ok = PyUnicodeWriter_WriteChar(writer, PyUnicode_READ_CHAR(args[0], i++)) == 0;
      continue;
    }
    std::string part;
    for (; i < end; i++) part.push_back(static_cast<char>(PyUnicode_READ_CHAR(args[0], i)));
    ok = write_formatted(writer, part, t);
  }
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* time_strptime(PyObject*, PyObject* args) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("_strptime"));
  if (!module) return nullptr;
  Ref<> parse = Ref<>::steal(PyObject_GetAttrString(module, "_strptime_time"));
  return parse ? PyObject_Call(parse, args, nullptr) : nullptr;
}

int set_zone_constants(PyObject* module) {
  tzset();
  // January and July tell the standard zone from the summer one, south of the equator too.
  tm now;
  time_t t = ::time(nullptr);
  localtime_r(&t, &now);
  tm january = {}, july = {};
  january.tm_year = july.tm_year = now.tm_year;
  january.tm_mday = july.tm_mday = 1;
  july.tm_mon = 6;
  january.tm_isdst = july.tm_isdst = -1;
  time_t a = mktime(&january), b = mktime(&july);
  localtime_r(&a, &january);
  localtime_r(&b, &july);
  const long jan_west = -january.tm_gmtoff, jul_west = -july.tm_gmtoff;
  const bool south = jan_west < jul_west;
  const tm& standard = south ? july : january;
  const tm& summer = south ? january : july;
  if (PyModule_AddIntConstant(module, "timezone", south ? jul_west : jan_west) < 0 ||
      PyModule_AddIntConstant(module, "altzone", south ? jan_west : jul_west) < 0 ||
      PyModule_AddIntConstant(module, "daylight", jan_west != jul_west) < 0) {
    return -1;
  }
  Ref<> names = Ref<>::steal(Py_BuildValue("(ss)", standard.tm_zone, summer.tm_zone));
  return names ? PyModule_AddObjectRef(module, "tzname", names) : -1;
}
PyObject* time_tzset(PyObject* module, PyObject*) {
  if (set_zone_constants(module) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* time_get_clock_info(PyObject*, PyObject* arg) {
  const char* name = PyUnicode_Check(arg) ? PyUnicode_AsUTF8(arg) : nullptr;
  if (name == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "get_clock_info() argument must be str");
    return nullptr;
  }
  const struct {
    const char* name;
    clockid_t clock;
    const char* implementation;
    bool monotonic, adjustable;
  } clocks[] = {
      {"time", CLOCK_REALTIME, "clock_gettime(CLOCK_REALTIME)", false, true},
      {"monotonic", CLOCK_MONOTONIC, "clock_gettime(CLOCK_MONOTONIC)", true, false},
      {"perf_counter", CLOCK_MONOTONIC, "clock_gettime(CLOCK_MONOTONIC)", true, false},
      {"process_time", CLOCK_PROCESS_CPUTIME_ID, "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)", true, false},
      {"thread_time", CLOCK_THREAD_CPUTIME_ID, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", true, false},
  };
  for (const auto& c : clocks) {
    if (strcmp(c.name, name) != 0) continue;
    timespec res;
    clock_getres(c.clock, &res);
    Ref<> types = Ref<>::steal(PyImport_ImportModule("types"));
    if (!types) return nullptr;
    Ref<> ns = Ref<>::steal(PyObject_GetAttrString(types, "SimpleNamespace"));
    Ref<> empty = Ref<>::steal(PyTuple_New(0));
    Ref<> kwargs = Ref<>::steal(Py_BuildValue(
        "{sssOsOsd}", "implementation", c.implementation, "monotonic", c.monotonic ? Py_True : Py_False, "adjustable",
        c.adjustable ? Py_True : Py_False, "resolution",
        static_cast<double>(res.tv_sec) + static_cast<double>(res.tv_nsec) * 1e-9));
    return ns && empty && kwargs ? PyObject_Call(ns, empty, kwargs) : nullptr;
  }
  PyErr_SetString(PyExc_ValueError, "unknown clock");
  return nullptr;
}

template <typename F>
PyCFunction fast(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

PyMethodDef methods[] = {
    {"time", clock_float<CLOCK_REALTIME>, METH_NOARGS,
     "time() -> floating-point number\n\nReturn the current time in seconds since the Epoch."},
    {"time_ns", clock_int<CLOCK_REALTIME>, METH_NOARGS, "time_ns() -> int"},
    {"monotonic", clock_float<CLOCK_MONOTONIC>, METH_NOARGS, "Monotonic clock, cannot go backward."},
    {"monotonic_ns", clock_int<CLOCK_MONOTONIC>, METH_NOARGS, "Monotonic clock, cannot go backward, as nanoseconds."},
    {"perf_counter", clock_float<CLOCK_MONOTONIC>, METH_NOARGS, "Performance counter for benchmarking."},
    {"perf_counter_ns", clock_int<CLOCK_MONOTONIC>, METH_NOARGS, "Performance counter as nanoseconds."},
    {"process_time", clock_float<CLOCK_PROCESS_CPUTIME_ID>, METH_NOARGS, "CPU time of the process."},
    {"process_time_ns", clock_int<CLOCK_PROCESS_CPUTIME_ID>, METH_NOARGS, "CPU time of the process as nanoseconds."},
    {"thread_time", clock_float<CLOCK_THREAD_CPUTIME_ID>, METH_NOARGS, "CPU time of the thread."},
    {"thread_time_ns", clock_int<CLOCK_THREAD_CPUTIME_ID>, METH_NOARGS, "CPU time of the thread as nanoseconds."},
    {"clock_gettime", time_clock_gettime, METH_O, "clock_gettime(clk_id) -> float"},
    {"clock_gettime_ns", time_clock_gettime_ns, METH_O, "clock_gettime_ns(clk_id) -> int"},
    {"clock_getres", time_clock_getres, METH_O, "clock_getres(clk_id) -> floating-point number"},
    {"sleep", time_sleep, METH_O, "sleep($module, seconds, /)\n--\n\nDelay execution for a given number of seconds."},
    {"gmtime", fast(time_gmtime), METH_FASTCALL, "gmtime([seconds]) -> (tm_year, tm_mon, tm_mday, ...)"},
    {"localtime", fast(time_localtime), METH_FASTCALL, "localtime([seconds]) -> (tm_year,tm_mon,tm_mday,...)"},
    {"asctime", fast(time_asctime), METH_FASTCALL, "asctime([tuple]) -> string"},
    {"ctime", fast(time_ctime), METH_FASTCALL, "ctime(seconds) -> string"},
    {"mktime", time_mktime, METH_O, "mktime(tuple) -> floating-point number"},
    {"strftime", fast(time_strftime), METH_FASTCALL, "strftime(format[, tuple]) -> string"},
    {"strptime", time_strptime, METH_VARARGS, "strptime(string, format) -> struct_time"},
    {"tzset", time_tzset, METH_NOARGS, "tzset()"},
    {"get_clock_info", time_get_clock_info, METH_O, "get_clock_info(name: str) -> dict"},
    {},
};

int time_exec(PyObject* module) {
  if (struct_time_type == nullptr) {
    struct_time_type = PyStructSequence_NewType(&struct_time_desc);
    if (struct_time_type == nullptr) return -1;
  }
  if (PyModule_AddObjectRef(module, "struct_time", reinterpret_cast<PyObject*>(struct_time_type)) < 0 ||
      PyModule_AddIntConstant(module, "_STRUCT_TM_ITEMS", 11) < 0 || set_zone_constants(module) < 0) {
    return -1;
  }
  const struct {
    const char* name;
    long value;
  } clocks[] = {{"CLOCK_REALTIME", CLOCK_REALTIME},
                {"CLOCK_MONOTONIC", CLOCK_MONOTONIC},
                {"CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
                {"CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID},
                {"CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID},
                {"CLOCK_BOOTTIME", CLOCK_BOOTTIME},
                {"CLOCK_TAI", CLOCK_TAI}};
  for (const auto& c : clocks) {
    if (PyModule_AddIntConstant(module, c.name, c.value) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(time_exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};
PyModuleDef time_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "time",
    .m_doc = "This module provides various functions to manipulate time values.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit_time(void) { return PyModuleDef_Init(&amphis::time_def); }
