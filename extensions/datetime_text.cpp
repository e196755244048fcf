// Text of dates and times: ISO 8601 in both directions, strftime with what the C library does not know, strptime.
#include "datetime_module.h"

#include <cstring>

namespace ext::dt {

// --- writing

bool append_civil(PyUnicodeWriter* writer, Civil c) { return PyUnicodeWriter_Format(writer, "%04d-%02d-%02d", c.year, c.month, c.day) == 0; }

bool append_clock(PyUnicodeWriter* writer, Clock c, const char* timespec) {
  const char* specs[] = {"auto", "hours", "minutes", "seconds", "milliseconds", "microseconds"};
  int spec = 0;
  while (spec < 6 && std::strcmp(timespec, specs[spec]) != 0) ++spec;
  if (spec == 6) {
    PyErr_SetString(PyExc_ValueError, "Unknown timespec value");
    return false;
  }
  if (spec == 0) spec = c.microsecond != 0 ? 5 : 3;
  char text[32];
  int at = PyOS_snprintf(text, sizeof text, "%02d", c.hour);
  auto add = [&](const char* format, int value) { at += PyOS_snprintf(text + at, sizeof text - static_cast<size_t>(at), format, value); };
  if (spec >= 2) add(":%02d", c.minute);
  if (spec >= 3) add(":%02d", c.second);
  if (spec == 4) add(".%03d", c.microsecond / 1000);
  if (spec == 5) add(".%06d", c.microsecond);
  return PyUnicodeWriter_WriteASCII(writer, text, at) == 0;
}

bool append_offset(PyUnicodeWriter* writer, PyObject* tzinfo, const char* separator, PyObject* argument) {
  if (tzinfo == Py_None) return true;
  Ref offset(call_utcoffset(tzinfo, argument));
  if (!offset) return false;
  if (offset.get() == Py_None) return true;
  auto total = static_cast<int64_t>(microseconds_of(offset.get()));
  const char sign = total < 0 ? '-' : '+';
  if (total < 0) total = -total;
  const int us = static_cast<int>(total % kMillion), seconds = static_cast<int>(total / kMillion);
  bool ok = PyUnicodeWriter_Format(writer, "%c%02d%s%02d", sign, seconds / 3600, separator, seconds / 60 % 60) == 0;
  if (us != 0 || seconds % 60 != 0) ok = ok && PyUnicodeWriter_Format(writer, "%s%02d", separator, seconds % 60) == 0;
  if (us != 0) ok = ok && PyUnicodeWriter_Format(writer, ".%06d", us) == 0;
  return ok;
}

PyObject* ctime_text(Civil d, Clock c) {
  constexpr const char* kDays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[64];
  PyOS_snprintf(text, sizeof text, "%s %s %2d %02d:%02d:%02d %04d", kDays[weekday_of(ordinal_of(d))], kMonths[d.month - 1], d.day, c.hour,
                c.minute, c.second, d.year);
  return PyUnicode_FromString(text);
}

PyObject* time_tuple(Civil d, Clock c, int dst) {
  Ref struct_time(PyImport_ImportModuleAttrString("time", "struct_time"));
  if (!struct_time) return nullptr;
  const int64_t ordinal = ordinal_of(d);
  return PyObject_CallFunction(struct_time.get(), "((iiiiiiiii))", d.year, d.month, d.day, c.hour, c.minute, c.second, weekday_of(ordinal),
                               static_cast<int>(ordinal - ordinal_of(d.year, 1, 1)) + 1, dst);
}

namespace {

struct Writer {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  ~Writer() { PyUnicodeWriter_Discard(writer); }
  PyObject* finish() { return PyUnicodeWriter_Finish(std::exchange(writer, nullptr)); }
};

// A zone's name, as text that strftime leaves as it is. A str of a class of its own escapes itself.
bool append_escaped(PyUnicodeWriter* writer, PyObject* text) {
  Ref escaped(PyObject_CallMethod(text, "replace", "ss", "%", "%%"));
  if (!escaped) return false;
  if (!PyUnicode_Check(escaped.get())) {
    PyErr_SetString(PyExc_TypeError, "tzname.replace() did not return a string");
    return false;
  }
  return PyUnicodeWriter_WriteStr(writer, escaped.get()) == 0;
}

}  // namespace

PyObject* wrap_strftime(PyObject* self, PyObject* format, PyObject* timetuple, PyObject* tzinfo_argument) {
  Ref strftime(PyImport_ImportModuleAttrString("time", "strftime"));
  if (!strftime) return nullptr;
  const bool has_clock = is_time(self) || is_datetime(self);
  PyObject* tzinfo = is_time(self) ? tzinfo_of_time(self) : is_datetime(self) ? tzinfo_of_datetime(self) : Py_None;
  Writer out;
  if (out.writer == nullptr) return nullptr;
  const Py_ssize_t n = PyUnicode_GET_LENGTH(format);
  Py_ssize_t plain = 0;  // where the part begins that is copied as it is
  for (Py_ssize_t i = 0; i + 1 < n; ++i) {
    if (PyUnicode_READ_CHAR(format, i) != '%') continue;
    const Py_ssize_t start = i++;
    const Py_UCS4 c = PyUnicode_READ_CHAR(format, i);
    const bool colon = c == ':' && i + 1 < n && PyUnicode_READ_CHAR(format, i + 1) == 'z';
    const bool year = c == 'Y' || c == 'G' || c == 'F' || c == 'C';
    if (c != 'z' && c != 'Z' && c != 'f' && !colon && !year) continue;
    long value = 0;
    if (year) {
      // The C library does not fill up years with zeros.
      Ref number(c == 'G' ? PyObject_CallFunction(strftime.get(), "sO", "%G", timetuple) : PySequence_GetItem(timetuple, 0));
      if (number && c == 'G') number = Ref(PyLong_FromUnicodeObject(number.get(), 10));
      if (!number || ((value = PyLong_AsLong(number.get())) == -1 && PyErr_Occurred())) return nullptr;
      if (value >= 1000) continue;
    }
    if (PyUnicodeWriter_WriteSubstring(out.writer, format, plain, start) < 0) return nullptr;
    bool ok = true;
    if (colon) {
      ++i;
      ok = append_offset(out.writer, tzinfo, ":", tzinfo_argument);
    } else if (c == 'z') {
      ok = append_offset(out.writer, tzinfo, "", tzinfo_argument);
    } else if (c == 'Z') {
      Ref name(call_tzname(tzinfo, tzinfo_argument));
      ok = name && (name.get() == Py_None || append_escaped(out.writer, name.get()));
    } else if (c == 'f') {
      const int us = !has_clock ? 0 : is_time(self) ? PyDateTime_TIME_GET_MICROSECOND(self) : PyDateTime_DATE_GET_MICROSECOND(self);
      ok = PyUnicodeWriter_Format(out.writer, "%06d", us) == 0;
    } else if (c == 'C') {
      ok = PyUnicodeWriter_Format(out.writer, "%02ld", value / 100) == 0;
    } else {
      ok = PyUnicodeWriter_Format(out.writer, "%04ld", value) == 0;
      if (ok && c == 'F') {
        Ref month(PySequence_GetItem(timetuple, 1)), day(PySequence_GetItem(timetuple, 2));
        ok = month && day && PyUnicodeWriter_Format(out.writer, "-%02d-%02d", PyLong_AsInt(month.get()), PyLong_AsInt(day.get())) == 0;
      }
    }
    if (!ok) return nullptr;
    plain = i + 1;
  }
  if (PyUnicodeWriter_WriteSubstring(out.writer, format, plain, n) < 0) return nullptr;
  Ref text(out.finish());
  return text ? PyObject_CallFunctionObjArgs(strftime.get(), text.get(), timetuple, nullptr) : nullptr;
}

PyObject* format_with(PyObject* self, PyObject* args) {
  PyObject* format;
  if (!PyArg_Parse(args, "U:__format__", &format)) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "__format__() argument must be str, not %s", Py_TYPE(args)->tp_name);
    return nullptr;
  }
  return PyUnicode_GetLength(format) == 0 ? PyObject_Str(self) : PyObject_CallMethod(self, "strftime", "O", format);
}

PyObject* call_strptime(PyObject* cls, const char* function, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("strptime", nargs, 2, 2)) return nullptr;
  for (int i = 0; i < 2; ++i) {
    if (!PyUnicode_Check(args[i])) {
      PyErr_Format(PyExc_TypeError, "strptime() argument %d must be str, not %.50s", i + 1, args[i] == Py_None ? "None" : Py_TYPE(args[i])->tp_name);
      return nullptr;
    }
  }
  Ref parse(PyImport_ImportModuleAttrString("_strptime", function));
  return parse ? PyObject_CallFunctionObjArgs(parse.get(), cls, args[0], args[1], nullptr) : nullptr;
}

// --- reading

namespace {

bool invalid(PyObject* text) {
  PyErr_Format(PyExc_ValueError, "Invalid isoformat string: %R", text);
  return false;
}

// A part of a text, read from its beginning.
struct Input {
  PyObject* text;
  Py_ssize_t at, end;

  Py_ssize_t left() const { return end - at; }
  Py_UCS4 peek(Py_ssize_t ahead = 0) const { return at + ahead < end ? PyUnicode_READ_CHAR(text, at + ahead) : 0; }
  bool take(Py_UCS4 c) {
    if (at >= end || peek() != c) return false;
    ++at;
    return true;
  }
  static bool is_digit(Py_UCS4 c) { return c >= '0' && c <= '9'; }
  bool digits(int count, int* value) {
    *value = 0;
    if (left() < count) return false;
    for (int i = 0; i < count; ++i, ++at) {
      Py_UCS4 c = peek();
      if (!is_digit(c)) return false;
      *value = *value * 10 + static_cast<int>(c - '0');
    }
    return true;
  }
};

enum Outcome { kGood, kInvalid, kRaised };

Outcome read_date(Input in, Civil* d) {
  int week;
  if (!in.digits(4, &d->year)) return kInvalid;
  const bool separated = in.take('-');
  if (in.take('W')) {
    int day = 1;
    if (!in.digits(2, &week)) return kInvalid;
    if (in.left() > 0) {
      if (separated != in.take('-') || !in.digits(1, &day)) return kInvalid;
    }
    if (in.left() > 0) return kInvalid;
    return civil_from_iso(d->year, week, day, d) ? kGood : kRaised;
  }
  if (!in.digits(2, &d->month) || in.take('-') != separated || !in.digits(2, &d->day) || in.left() > 0) return kInvalid;
  return kGood;
}

// HH[:MM[:SS[.ffffff]]] with or without the colons.
Outcome read_clock(Input in, Clock* c) {
  int* const parts[] = {&c->hour, &c->minute, &c->second};
  bool separated = false;
  for (int i = 0; i < 3; ++i) {
    if (!in.digits(2, parts[i])) return kInvalid;
    if (i == 0) separated = in.peek() == ':';
    if (in.left() == 0) return kGood;
    if (i < 2) {
      if (separated && !in.take(':')) return kInvalid;
      if (!separated && in.peek() != '.' && in.peek() != ',' && !Input::is_digit(in.peek())) return kInvalid;
      if (!separated && !Input::is_digit(in.peek())) return kInvalid;
    }
  }
  if (!in.take('.') && !in.take(',')) return kInvalid;
  if (in.left() == 0) return kInvalid;
  const int known = in.left() < 6 ? static_cast<int>(in.left()) : 6;
  if (!in.digits(known, &c->microsecond)) return kInvalid;
  for (int i = known; i < 6; ++i) c->microsecond *= 10;
  for (; in.left() > 0; ++in.at) {
    if (!Input::is_digit(in.peek())) return kInvalid;
  }
  return kGood;
}

Outcome read_time(Input in, ParsedClock* result) {
  Py_ssize_t zone = in.at;
  while (zone < in.end) {
    Py_UCS4 c = PyUnicode_READ_CHAR(in.text, zone);
    if (c == '+' || c == '-' || c == 'Z') break;
    ++zone;
  }
  Outcome outcome = read_clock({in.text, in.at, zone}, &result->clock);
  if (outcome != kGood) return outcome;
  if (zone < in.end) {
    const Py_UCS4 sign = PyUnicode_READ_CHAR(in.text, zone);
    result->has_offset = true;
    if (sign == 'Z') {
      if (zone + 1 != in.end) return kInvalid;
    } else {
      Clock offset;
      outcome = read_clock({in.text, zone + 1, in.end}, &offset);
      if (outcome != kGood) return outcome;
      result->offset = seconds_of(offset) * kMillion + offset.microsecond;
      if (offset.minute > 59 || offset.second > 59) {
        PyErr_Format(PyExc_ValueError, offset.minute > 59 ? "minute must be in 0..59, not %i" : "second must be in 0..59, not %i",
                     offset.minute > 59 ? offset.minute : offset.second);
        return kRaised;
      }
      if (sign == '-') result->offset = -result->offset;
    }
  }
  if (result->clock.hour == 24) {
    Clock& c = result->clock;
    if (c.minute != 0 || c.second != 0 || c.microsecond != 0) {
      PyErr_SetString(PyExc_ValueError, "minute, second, and microsecond must be 0 when hour is 24");
      return kRaised;
    }
    c.hour = 0;
    result->next_day = true;
  }
  return kGood;
}

bool settle(Outcome outcome, PyObject* text) { return outcome == kGood || (outcome == kInvalid && invalid(text)); }

// The length of the date that a date and time begin with.
Py_ssize_t date_length(const Input& in) {
  if (in.left() == 7) return 7;
  if (in.peek(4) == '-') {
    if (in.peek(5) != 'W') return 10;
    // "YYYY-Www-D", or "YYYY-Www" and a separator: a hyphen before a digit that is not followed by another belongs to it.
    if (in.left() > 8 && in.peek(8) == '-') {
      if (in.left() == 9) return -1;
      return in.left() > 10 && Input::is_digit(in.peek(10)) ? 8 : 10;
    }
    return 8;
  }
  if (in.peek(4) == 'W') {
    Py_ssize_t i = 7;
    while (i < in.left() && Input::is_digit(in.peek(i))) ++i;
    if (i < 9) return i;
    return i % 2 == 0 ? 7 : 8;
  }
  return 8;
}

}  // namespace

bool civil_from_iso(int year, int week, int weekday, Civil* result) {
  if (year < kMinYear || year > kMaxYear) {
    PyErr_Format(PyExc_ValueError, "year must be in %d..%d, not %d", kMinYear, kMaxYear, year);
    return false;
  }
  bool fits = week > 0 && week < 53;
  if (week == 53) {
    const int first = weekday_of(ordinal_of(year, 1, 1));
    fits = first == 3 || (first == 2 && is_leap(year));
  }
  if (!fits) {
    PyErr_Format(PyExc_ValueError, "Invalid week: %d", week);
    return false;
  }
  if (weekday <= 0 || weekday >= 8) {
    PyErr_Format(PyExc_ValueError, "Invalid weekday: %d (range is [1, 7])", weekday);
    return false;
  }
  const int64_t ordinal = iso_week1_monday(year) + (week - 1) * 7 + weekday - 1;
  *result = civil_of(ordinal);
  return true;
}

bool parse_iso_date(PyObject* text, Civil* result) {
  const Py_ssize_t n = PyUnicode_GET_LENGTH(text);
  if (n != 7 && n != 8 && n != 10) return invalid(text);
  return settle(read_date({text, 0, n}, result), text);
}

bool parse_iso_time(PyObject* text, ParsedClock* result) {
  Input in{text, 0, PyUnicode_GET_LENGTH(text)};
  // ISO 8601's mark of a time. Without it a text that could be a date is still read as a time.
  in.take('T');
  return settle(read_time(in, result), text);
}

bool parse_iso_datetime(PyObject* text, Civil* date, ParsedClock* clock) {
  Input in{text, 0, PyUnicode_GET_LENGTH(text)};
  if (in.left() < 7) return invalid(text);
  const Py_ssize_t length = date_length(in);
  if (length < 0 || length > in.left()) return invalid(text);
  if (!settle(read_date({text, 0, length}, date), text)) return false;
  if (length == in.left()) return true;
  if (length + 1 == in.left()) return invalid(text);
  if (!settle(read_time({text, length + 1, in.end}, clock), text)) return false;
  if (clock->next_day) {
    if (!check_civil(*date)) return false;
    *date = civil_of(ordinal_of(*date) + 1);
  }
  return true;
}

Ref parsed_tzinfo(const ParsedClock& parsed) {
  if (!parsed.has_offset) return Ref(Py_NewRef(Py_None));
  if (parsed.offset == 0) return Ref(Py_NewRef(utc));
  Ref offset(new_delta(parsed.offset));
  return Ref(offset ? new_timezone(offset.get(), nullptr) : nullptr);
}

}  // namespace ext::dt
