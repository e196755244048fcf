// What the files of the _datetime module share. The objects have the layouts of abi/datetime.h; all are immutable but for the
// cached hash, which threads may compute twice.
#pragma once

#define _PY_DATETIME_IMPL
#include <Python.h>
#include <datetime.h>

#include "datetime_calendar.h"
#include "support.h"

namespace ext::dt {

extern PyTypeObject date_type, time_type, datetime_type, delta_type, tzinfo_type, timezone_type, iso_calendar_type;
// timezone.utc and the start of POSIX time in it; live as long as the process.
extern PyObject* utc;
extern PyObject* epoch;

inline bool is_date(PyObject* o) { return PyObject_TypeCheck(o, &date_type); }
inline bool is_time(PyObject* o) { return PyObject_TypeCheck(o, &time_type); }
inline bool is_datetime(PyObject* o) { return PyObject_TypeCheck(o, &datetime_type); }
inline bool is_delta(PyObject* o) { return PyObject_TypeCheck(o, &delta_type); }
inline bool is_tzinfo(PyObject* o) { return PyObject_TypeCheck(o, &tzinfo_type); }

// A time of day; `fold` of PEP 495.
struct Clock {
  int hour = 0, minute = 0, second = 0, microsecond = 0, fold = 0;
};

inline Civil civil(PyObject* o) { return {PyDateTime_GET_YEAR(o), PyDateTime_GET_MONTH(o), PyDateTime_GET_DAY(o)}; }
inline Clock clock_of_datetime(PyObject* o) {
  return {PyDateTime_DATE_GET_HOUR(o), PyDateTime_DATE_GET_MINUTE(o), PyDateTime_DATE_GET_SECOND(o),
          PyDateTime_DATE_GET_MICROSECOND(o), PyDateTime_DATE_GET_FOLD(o)};
}
inline Clock clock_of_time(PyObject* o) {
  return {PyDateTime_TIME_GET_HOUR(o), PyDateTime_TIME_GET_MINUTE(o), PyDateTime_TIME_GET_SECOND(o),
          PyDateTime_TIME_GET_MICROSECOND(o), PyDateTime_TIME_GET_FOLD(o)};
}
inline int64_t seconds_of(Clock c) { return c.hour * 3600 + c.minute * 60 + c.second; }
// Borrowed.
inline PyObject* tzinfo_of_datetime(PyObject* o) { return PyDateTime_DATE_GET_TZINFO(o); }
inline PyObject* tzinfo_of_time(PyObject* o) { return PyDateTime_TIME_GET_TZINFO(o); }

// --- durations (datetime_delta.cpp)
using Microseconds = __int128;
inline Microseconds microseconds_of(PyObject* delta) {
  auto* d = reinterpret_cast<PyDateTime_Delta*>(delta);
  return Microseconds{d->days} * kDayMicroseconds + int64_t{d->seconds} * kMillion + d->microseconds;
}
// New references; null with OverflowError beyond the limits.
PyObject* new_delta(Microseconds total, PyTypeObject* type = &delta_type);
PyObject* delta_from_parts(int days, int seconds, int microseconds, int normalize, PyTypeObject* type);
PyObject* delta_subtract(PyObject* a, PyObject* b);

// --- making (each in its type's file): checked, new references. The _in forms call a subclass.
bool check_civil(Civil c);
bool check_clock(Clock c);
bool check_tzinfo(PyObject* tzinfo);
PyObject* new_date(Civil c, PyTypeObject* type);
PyObject* new_date_in(PyObject* cls, Civil c);
PyObject* new_time(Clock c, PyObject* tzinfo, PyTypeObject* type);
PyObject* new_datetime(Civil d, Clock c, PyObject* tzinfo, PyTypeObject* type);
PyObject* new_datetime_in(PyObject* cls, Civil d, Clock c, PyObject* tzinfo);
PyObject* new_timezone(PyObject* offset, PyObject* name);
// self + sign * delta for a datetime.
PyObject* datetime_shift(PyObject* self, PyObject* delta, int sign);
PyObject* datetime_subtract(PyObject* left, PyObject* right);

// --- tzinfo (datetime_zone.cpp): new references; None where there is none
PyObject* call_utcoffset(PyObject* tzinfo, PyObject* argument);
PyObject* call_dst(PyObject* tzinfo, PyObject* argument);
PyObject* call_tzname(PyObject* tzinfo, PyObject* argument);
PyObject* local_timezone(int64_t posix_seconds);

// --- text (datetime_text.cpp)
// "+01:00", "" for None; seconds and microseconds where they are not zero.
bool append_offset(PyUnicodeWriter* writer, PyObject* tzinfo, const char* separator, PyObject* argument);
bool append_clock(PyUnicodeWriter* writer, Clock c, const char* timespec);
bool append_civil(PyUnicodeWriter* writer, Civil c);
PyObject* wrap_strftime(PyObject* self, PyObject* format, PyObject* timetuple, PyObject* tzinfo_argument);
PyObject* format_with(PyObject* self, PyObject* args);  // __format__
PyObject* call_strptime(PyObject* cls, const char* function, PyObject* const* args, Py_ssize_t nargs);
PyObject* time_tuple(Civil d, Clock c, int dst);
PyObject* ctime_text(Civil d, Clock c);
// The results of parsing ISO 8601; false with ValueError("Invalid isoformat string: ...") or another.
struct ParsedClock {
  Clock clock;
  bool next_day = false;  // 24:00
  bool has_offset = false;
  Microseconds offset = 0;
};
bool parse_iso_date(PyObject* text, Civil* result);
bool parse_iso_time(PyObject* text, ParsedClock* result);
bool parse_iso_datetime(PyObject* text, Civil* date, ParsedClock* clock);
Ref parsed_tzinfo(const ParsedClock& parsed);  // new reference, None without offset
bool civil_from_iso(int year, int week, int weekday, Civil* result);

// --- local time (datetime_zone.cpp); seconds since 1970 in UTC
// Local civil time as a number of seconds since year 1, if it were UTC; false with an exception.
bool local_seconds(int64_t posix_seconds, int64_t* result);
// The other way round (PEP 495 decides in folds and gaps).
bool posix_of_local(Civil d, Clock c, int64_t* result);
bool broken_down(int64_t posix_seconds, bool as_local, Civil* d, Clock* c);

PyObject* compare(int diff, int op);

}  // namespace ext::dt
