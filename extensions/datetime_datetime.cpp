// datetime.datetime: making them, arithmetic, comparison, zones.
#include "datetime_module.h"

#include <cstring>

namespace ext::dt {

namespace {

PyDateTime_DateTime* as_datetime(PyObject* o) { return reinterpret_cast<PyDateTime_DateTime*>(o); }
PyObject* class_of(PyObject* o) { return reinterpret_cast<PyObject*>(Py_TYPE(o)); }

PyObject* allocate(PyTypeObject* type, PyObject* tzinfo) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_datetime(self)->hashcode = -1;
  as_datetime(self)->hastzinfo = tzinfo != Py_None;
  as_datetime(self)->tzinfo = tzinfo != Py_None ? Py_NewRef(tzinfo) : nullptr;
  return self;
}

int from_pickle(PyTypeObject* type, PyObject* args, PyObject** result) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1 || n > 2) return 0;
  PyObject* state = PyTuple_GET_ITEM(args, 0);
  Ref bytes;
  if (PyBytes_Check(state)) {
    bytes = Ref(Py_NewRef(state));
  } else if (PyUnicode_Check(state) && PyUnicode_GET_LENGTH(state) == _PyDateTime_DATETIME_DATASIZE) {
    bytes = Ref(PyUnicode_AsLatin1String(state));
    if (!bytes) {
      PyErr_Clear();
      return 0;
    }
  }
  if (!bytes || PyBytes_GET_SIZE(bytes.get()) != _PyDateTime_DATETIME_DATASIZE) return 0;
  const auto* data = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(bytes.get()));
  const int month = data[2] & 0x7f;
  if (month < 1 || month > 12) return 0;
  PyObject* tzinfo = n == 2 ? PyTuple_GET_ITEM(args, 1) : Py_None;
  if (tzinfo != Py_None && !is_tzinfo(tzinfo)) {
    PyErr_SetString(PyExc_TypeError, "bad tzinfo state arg");
    return -1;
  }
  *result = allocate(type, tzinfo);
  if (*result == nullptr) return -1;
  std::memcpy(as_datetime(*result)->data, data, _PyDateTime_DATETIME_DATASIZE);
  as_datetime(*result)->fold = data[2] >> 7;  // the month's upper bit
  as_datetime(*result)->data[2] &= 0x7f;
  return 1;
}

PyObject* datetime_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* self = nullptr;
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) {
    if (int made = from_pickle(type, args, &self); made != 0) return made > 0 ? self : nullptr;
  }
  static const char* const keywords[] = {"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold", nullptr};
  Civil d;
  Clock c;
  PyObject* tzinfo = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iii|iiiiO$i", const_cast<char**>(keywords), &d.year, &d.month, &d.day, &c.hour, &c.minute,
                                   &c.second, &c.microsecond, &tzinfo, &c.fold)) {
    return nullptr;
  }
  return new_datetime(d, c, tzinfo, type);
}

void datetime_dealloc(PyObject* self) {
  if (as_datetime(self)->hastzinfo) Py_XDECREF(as_datetime(self)->tzinfo);
  Py_TYPE(self)->tp_free(self);
}

// --- from other things

// From seconds since 1970, as local time or as UTC. Local time that a clock showed twice is told apart by fold.
PyObject* from_posix(PyObject* cls, bool as_local, int64_t seconds, int microsecond, PyObject* tzinfo) {
  Civil d;
  Clock c;
  if (!broken_down(seconds, as_local, &d, &c)) return nullptr;
  if (d.year < kMinYear || d.year > kMaxYear) {
    PyErr_Format(PyExc_ValueError, "year must be in %i..%i, not %i", kMinYear, kMaxYear, d.year);
    return nullptr;
  }
  c.microsecond = microsecond;
  constexpr int64_t kBefore = kDaySeconds;
  if (as_local && tzinfo == Py_None && d.year > kMinYear) {
    const int64_t here = ordinal_of(d) * kDaySeconds + seconds_of(c);
    int64_t probe;
    if (!local_seconds(seconds - kBefore, &probe)) return nullptr;
    const int64_t transition = here - probe - kBefore;
    if (transition < 0) {
      if (!local_seconds(seconds + transition, &probe)) return nullptr;
      if (probe == here) c.fold = 1;
    }
  }
  return new_datetime_in(cls, d, c, tzinfo);
}

PyObject* through_zone(Ref self, PyObject* tzinfo) {
  if (!self || tzinfo == Py_None) return self.release();
  return PyObject_CallMethod(tzinfo, "fromutc", "O", self.get());
}

PyObject* datetime_now(PyObject* cls, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"tz", nullptr};
  PyObject* tzinfo = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:now", const_cast<char**>(keywords), &tzinfo) || !check_tzinfo(tzinfo)) return nullptr;
  PyTime_t now;
  if (PyTime_TimeRaw(&now) < 0 && PyTime_Time(&now) < 0) return nullptr;
  int64_t rest;
  const int64_t seconds = floor_div(now, PyTime_t{1000000000}, &rest);
  return through_zone(Ref(from_posix(cls, tzinfo == Py_None, seconds, static_cast<int>(rest / 1000), tzinfo)), tzinfo);
}

PyObject* from_timestamp(PyObject* cls, PyObject* timestamp, PyObject* tzinfo, bool as_local) {
  time_t seconds;
  long microsecond;
  if (_PyTime_ObjectToTimeval(timestamp, &seconds, &microsecond, _PyTime_ROUND_HALF_EVEN) < 0) return nullptr;
  return from_posix(cls, as_local, seconds, static_cast<int>(microsecond), tzinfo);
}

PyObject* datetime_fromtimestamp(PyObject* cls, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"timestamp", "tz", nullptr};
  PyObject *timestamp, *tzinfo = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:fromtimestamp", const_cast<char**>(keywords), &timestamp, &tzinfo) || !check_tzinfo(tzinfo)) {
    return nullptr;
  }
  return through_zone(Ref(from_timestamp(cls, timestamp, tzinfo, tzinfo == Py_None)), tzinfo);
}

bool deprecated(const char* name, const char* instead) {
  return PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                          "datetime.datetime.%s() is deprecated and scheduled for removal in a future version. Use timezone-aware "
                          "objects to represent datetimes in UTC: datetime.datetime.%s.",
                          name, instead) == 0;
}
PyObject* datetime_utcnow(PyObject* cls, PyObject*) {
  PyTime_t now;
  if (!deprecated("utcnow", "now(datetime.UTC)") || PyTime_Time(&now) < 0) return nullptr;
  int64_t rest;
  const int64_t seconds = floor_div(now, PyTime_t{1000000000}, &rest);
  return from_posix(cls, false, seconds, static_cast<int>(rest / 1000), Py_None);
}
PyObject* datetime_utcfromtimestamp(PyObject* cls, PyObject* timestamp) {
  if (!deprecated("utcfromtimestamp", "fromtimestamp(timestamp, datetime.UTC)")) return nullptr;
  return from_timestamp(cls, timestamp, Py_None, false);
}

PyObject* datetime_fromisoformat(PyObject* cls, PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_SetString(PyExc_TypeError, "fromisoformat: argument must be str");
    return nullptr;
  }
  Civil d;
  ParsedClock parsed;
  if (!parse_iso_datetime(text, &d, &parsed)) return nullptr;
  Ref tzinfo = parsed_tzinfo(parsed);
  return tzinfo ? new_datetime_in(cls, d, parsed.clock, tzinfo.get()) : nullptr;
}

PyObject* datetime_strptime(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) {
  return call_strptime(cls, "_strptime_datetime_datetime", args, nargs);
}

PyObject* datetime_combine(PyObject* cls, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"date", "time", "tzinfo", nullptr};
  PyObject *date, *time, *tzinfo = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!|O:combine", const_cast<char**>(keywords), &date_type, &date, &time_type, &time, &tzinfo)) {
    return nullptr;
  }
  return new_datetime_in(cls, civil(date), clock_of_time(time), tzinfo != nullptr ? tzinfo : tzinfo_of_time(time));
}

// --- zones

PyObject* datetime_utcoffset(PyObject* self, PyObject*) { return call_utcoffset(tzinfo_of_datetime(self), self); }
PyObject* datetime_dst(PyObject* self, PyObject*) { return call_dst(tzinfo_of_datetime(self), self); }
PyObject* datetime_tzname(PyObject* self, PyObject*) { return call_tzname(tzinfo_of_datetime(self), self); }

// The machine's zone at a local time without zone.
PyObject* zone_of_local(PyObject* self) {
  Clock c = clock_of_datetime(self);
  int64_t seconds, other;
  if (!posix_of_local(civil(self), c, &seconds)) return nullptr;
  const bool fold = c.fold != 0;
  c.fold = !fold;
  if (!posix_of_local(civil(self), c, &other)) return nullptr;
  // In a gap the two readings come in the wrong order: the zone is that of the other side.
  if (other != seconds && (other > seconds) == fold) seconds = other;
  return local_timezone(seconds);
}

PyObject* with_tzinfo(PyObject* self, PyObject* tzinfo, int fold) {
  Clock c = clock_of_datetime(self);
  c.fold = fold;
  return new_datetime(civil(self), c, tzinfo, &datetime_type);
}

PyObject* datetime_astimezone(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"tz", nullptr};
  PyObject* wanted = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:astimezone", const_cast<char**>(keywords), &wanted) || !check_tzinfo(wanted)) return nullptr;
  Ref own(tzinfo_of_datetime(self) == Py_None ? zone_of_local(self) : Py_NewRef(tzinfo_of_datetime(self)));
  if (!own) return nullptr;
  if (own.get() == wanted) return Py_NewRef(self);
  Ref offset(call_utcoffset(own.get(), self));
  if (!offset) return nullptr;
  if (offset.get() == Py_None) {
    own = Ref(zone_of_local(self));
    offset = Ref(own ? call_utcoffset(own.get(), self) : nullptr);
    if (!offset) return nullptr;
    if (own.get() == wanted) return Py_NewRef(self);
  }
  Ref moved(datetime_shift(self, offset.get(), -1));
  if (!moved) return nullptr;
  Ref zone;
  if (wanted == Py_None) {
    const int64_t seconds = (ordinal_of(civil(moved.get())) - ordinal_of(1970, 1, 1)) * kDaySeconds + seconds_of(clock_of_datetime(moved.get()));
    zone = Ref(local_timezone(seconds));
  } else {
    zone = Ref(Py_NewRef(wanted));
  }
  Ref in_zone(zone ? new_datetime_in(class_of(self), civil(moved.get()), clock_of_datetime(moved.get()), zone.get()) : nullptr);
  if (!in_zone) return nullptr;
  return PyObject_CallMethod(zone.get(), "fromutc", "O", in_zone.get());
}

PyObject* datetime_timestamp(PyObject* self, PyObject*) {
  if (tzinfo_of_datetime(self) != Py_None) {
    Ref delta(datetime_subtract(self, epoch));
    return delta ? PyObject_CallMethod(delta.get(), "total_seconds", nullptr) : nullptr;
  }
  int64_t seconds;
  if (!posix_of_local(civil(self), clock_of_datetime(self), &seconds)) return nullptr;
  return PyFloat_FromDouble(static_cast<double>(seconds) + PyDateTime_DATE_GET_MICROSECOND(self) / 1e6);
}

PyObject* datetime_timetuple(PyObject* self, PyObject*) {
  int dst = -1;
  if (tzinfo_of_datetime(self) != Py_None) {
    Ref offset(datetime_dst(self, nullptr));
    if (!offset) return nullptr;
    if (offset.get() != Py_None) dst = microseconds_of(offset.get()) != 0;
  }
  return time_tuple(civil(self), clock_of_datetime(self), dst);
}

PyObject* datetime_utctimetuple(PyObject* self, PyObject*) {
  Ref moved(Py_NewRef(self));
  if (tzinfo_of_datetime(self) != Py_None) {
    Ref offset(datetime_utcoffset(self, nullptr));
    if (!offset) return nullptr;
    if (offset.get() != Py_None) moved = Ref(datetime_shift(self, offset.get(), -1));
    if (!moved) return nullptr;
  }
  return time_tuple(civil(moved.get()), clock_of_datetime(moved.get()), 0);
}

PyObject* datetime_date(PyObject* self, PyObject*) { return new_date(civil(self), &date_type); }
PyObject* datetime_time(PyObject* self, PyObject*) { return new_time(clock_of_datetime(self), Py_None, &time_type); }
PyObject* datetime_timetz(PyObject* self, PyObject*) { return new_time(clock_of_datetime(self), tzinfo_of_datetime(self), &time_type); }

// --- arithmetic

PyObject* datetime_add(PyObject* a, PyObject* b) {
  if (is_datetime(a)) {
    if (is_delta(b)) return datetime_shift(a, b, 1);
  } else if (is_delta(a)) {
    return datetime_shift(b, a, 1);
  }
  Py_RETURN_NOTIMPLEMENTED;
}
PyObject* datetime_sub(PyObject* a, PyObject* b) {
  if (!is_datetime(a)) Py_RETURN_NOTIMPLEMENTED;
  if (is_datetime(b)) return datetime_subtract(a, b);
  if (is_delta(b)) return datetime_shift(a, b, -1);
  Py_RETURN_NOTIMPLEMENTED;
}
PyNumberMethods datetime_number = {.nb_add = datetime_add, .nb_subtract = datetime_sub};

int64_t position(PyObject* o) { return (ordinal_of(civil(o)) * kDaySeconds + seconds_of(clock_of_datetime(o))) * kMillion + PyDateTime_DATE_GET_MICROSECOND(o); }

// PEP 495: a time whose offset depends on fold is equal to none in another zone. 1 yes, 0 no, -1 an exception.
int depends_on_fold(PyObject* self, PyObject* offset) {
  Ref flipped(with_tzinfo(self, tzinfo_of_datetime(self), !PyDateTime_DATE_GET_FOLD(self)));
  Ref other(flipped ? datetime_utcoffset(flipped.get(), nullptr) : nullptr);
  if (!other) return -1;
  if (other.get() == offset) return 0;
  if (other.get() == Py_None || offset == Py_None) return 1;
  return microseconds_of(other.get()) != microseconds_of(offset);
}

PyObject* datetime_richcompare(PyObject* a, PyObject* b, int op) {
  if (!is_datetime(b)) Py_RETURN_NOTIMPLEMENTED;
  const int by_fields = std::memcmp(as_datetime(a)->data, as_datetime(b)->data, _PyDateTime_DATETIME_DATASIZE);
  if (tzinfo_of_datetime(a) == tzinfo_of_datetime(b)) return compare(by_fields, op);
  Ref offset1(datetime_utcoffset(a, nullptr));
  Ref offset2(offset1 ? datetime_utcoffset(b, nullptr) : nullptr);
  if (!offset2) return nullptr;
  const bool naive1 = offset1.get() == Py_None, naive2 = offset2.get() == Py_None;
  int diff;
  if (naive1 && naive2) {
    diff = by_fields;
  } else if (naive1 != naive2) {
    if (op == Py_EQ) Py_RETURN_FALSE;
    if (op == Py_NE) Py_RETURN_TRUE;
    PyErr_SetString(PyExc_TypeError, "can't compare offset-naive and offset-aware datetimes");
    return nullptr;
  } else {
    const Microseconds x = position(a) - microseconds_of(offset1.get()), y = position(b) - microseconds_of(offset2.get());
    diff = x < y ? -1 : x > y;
  }
  if ((op == Py_EQ || op == Py_NE) && diff == 0) {
    int differs = depends_on_fold(a, offset1.get());
    if (differs == 0) differs = depends_on_fold(b, offset2.get());
    if (differs < 0) return nullptr;
    diff = differs;
  }
  return compare(diff, op);
}

Py_hash_t datetime_hash(PyObject* self) {
  Py_hash_t known = __atomic_load_n(&as_datetime(self)->hashcode, __ATOMIC_RELAXED);
  if (known != -1) return known;
  Ref first(PyDateTime_DATE_GET_FOLD(self) ? with_tzinfo(self, tzinfo_of_datetime(self), 0) : Py_NewRef(self));
  Ref offset(first ? datetime_utcoffset(first.get(), nullptr) : nullptr);
  if (!offset) return -1;
  if (offset.get() == Py_None) {
    known = Py_HashBuffer(as_datetime(self)->data, _PyDateTime_DATETIME_DATASIZE);
  } else {
    Ref moved(new_delta(position(self) - microseconds_of(offset.get())));
    known = moved ? PyObject_Hash(moved.get()) : -1;
  }
  if (known != -1) __atomic_store_n(&as_datetime(self)->hashcode, known, __ATOMIC_RELAXED);
  return known;
}

// --- text

PyObject* datetime_repr(PyObject* self) {
  const Civil d = civil(self);
  const Clock c = clock_of_datetime(self);
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_Format(writer, "%s(%d, %d, %d, %d, %d", Py_TYPE(self)->tp_name, d.year, d.month, d.day, c.hour, c.minute) == 0;
  if (c.second != 0 || c.microsecond != 0) ok = ok && PyUnicodeWriter_Format(writer, ", %d", c.second) == 0;
  if (c.microsecond != 0) ok = ok && PyUnicodeWriter_Format(writer, ", %d", c.microsecond) == 0;
  if (c.fold != 0) ok = ok && PyUnicodeWriter_Format(writer, ", fold=1") == 0;
  if (tzinfo_of_datetime(self) != Py_None) ok = ok && PyUnicodeWriter_Format(writer, ", tzinfo=%R", tzinfo_of_datetime(self)) == 0;
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* datetime_isoformat(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"sep", "timespec", nullptr};
  int separator = 'T';
  const char* timespec = "auto";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Cs:isoformat", const_cast<char**>(keywords), &separator, &timespec)) return nullptr;
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  if (append_civil(writer, civil(self)) && PyUnicodeWriter_WriteChar(writer, static_cast<Py_UCS4>(separator)) == 0 &&
      append_clock(writer, clock_of_datetime(self), timespec) && append_offset(writer, tzinfo_of_datetime(self), ":", self)) {
    return PyUnicodeWriter_Finish(writer);
  }
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}
PyObject* datetime_str(PyObject* self) { return PyObject_CallMethod(self, "isoformat", "s", " "); }
PyObject* datetime_ctime(PyObject* self, PyObject*) { return ctime_text(civil(self), clock_of_datetime(self)); }

// --- the rest

PyObject* datetime_replace(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold", nullptr};
  Civil d = civil(self);
  Clock c = clock_of_datetime(self);
  PyObject* tzinfo = tzinfo_of_datetime(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiiiiiiO$i:replace", const_cast<char**>(keywords), &d.year, &d.month, &d.day, &c.hour, &c.minute,
                                   &c.second, &c.microsecond, &tzinfo, &c.fold)) {
    return nullptr;
  }
  if (c.fold != 0 && c.fold != 1) {
    PyErr_SetString(PyExc_ValueError, "fold must be either 0 or 1");
    return nullptr;
  }
  return new_datetime_in(class_of(self), d, c, tzinfo);
}

PyObject* state_of(PyObject* self, int protocol) {
  unsigned char data[_PyDateTime_DATETIME_DATASIZE];
  std::memcpy(data, as_datetime(self)->data, sizeof data);
  if (protocol > 3 && PyDateTime_DATE_GET_FOLD(self)) data[2] |= 0x80;
  PyObject* tzinfo = tzinfo_of_datetime(self);
  return tzinfo == Py_None ? Py_BuildValue("O(y#)", Py_TYPE(self), data, Py_ssize_t{sizeof data})
                           : Py_BuildValue("O(y#O)", Py_TYPE(self), data, Py_ssize_t{sizeof data}, tzinfo);
}
PyObject* datetime_reduce_ex(PyObject* self, PyObject* args) {
  int protocol;
  return PyArg_ParseTuple(args, "i:__reduce_ex__", &protocol) ? state_of(self, protocol) : nullptr;
}
PyObject* datetime_reduce(PyObject* self, PyObject*) { return state_of(self, 2); }

PyObject* get_hour(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_DATE_GET_HOUR(self)); }
PyObject* get_minute(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_DATE_GET_MINUTE(self)); }
PyObject* get_second(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_DATE_GET_SECOND(self)); }
PyObject* get_microsecond(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_DATE_GET_MICROSECOND(self)); }
PyObject* get_tzinfo(PyObject* self, void*) { return Py_NewRef(tzinfo_of_datetime(self)); }
PyObject* get_fold(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_DATE_GET_FOLD(self)); }

PyGetSetDef datetime_getset[] = {
    {"hour", get_hour, nullptr, nullptr, nullptr},
    {"minute", get_minute, nullptr, nullptr, nullptr},
    {"second", get_second, nullptr, nullptr, nullptr},
    {"microsecond", get_microsecond, nullptr, nullptr, nullptr},
    {"tzinfo", get_tzinfo, nullptr, nullptr, nullptr},
    {"fold", get_fold, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

#define AMPHIS_REPLACE_SIGNATURE                                                                                                   \
  "($self, /, year=unchanged, month=unchanged, day=unchanged,\n        hour=unchanged, minute=unchanged, second=unchanged,\n"   \
  "        microsecond=unchanged, tzinfo=unchanged, *, fold=unchanged)\n--\n\n"
PyMethodDef datetime_methods[] = {
    {"now", method(datetime_now), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     PyDoc_STR("now($type, /, tz=None)\n--\n\nReturns new datetime object representing current time local to tz.\n\n"
               "  tz\n    Timezone object.\n\nIf no tz is specified, uses local timezone.")},
    {"utcnow", datetime_utcnow, METH_NOARGS | METH_CLASS, PyDoc_STR("Return a new datetime representing UTC day and time.")},
    {"fromtimestamp", method(datetime_fromtimestamp), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     PyDoc_STR("timestamp[, tz] -> tz's local time from POSIX timestamp.")},
    {"utcfromtimestamp", datetime_utcfromtimestamp, METH_O | METH_CLASS, PyDoc_STR("Construct a naive UTC datetime from a POSIX timestamp.")},
    {"strptime", method(datetime_strptime), METH_FASTCALL | METH_CLASS,
     PyDoc_STR("string, format -> new datetime parsed from a string (like time.strptime()).")},
    {"combine", method(datetime_combine), METH_VARARGS | METH_KEYWORDS | METH_CLASS, PyDoc_STR("date, time -> datetime with same date and time fields")},
    {"fromisoformat", datetime_fromisoformat, METH_O | METH_CLASS, PyDoc_STR("string -> datetime from a string in most ISO 8601 formats")},
    {"date", datetime_date, METH_NOARGS, PyDoc_STR("Return date object with same year, month and day.")},
    {"time", datetime_time, METH_NOARGS, PyDoc_STR("Return time object with same time but with tzinfo=None.")},
    {"timetz", datetime_timetz, METH_NOARGS, PyDoc_STR("Return time object with same time and tzinfo.")},
    {"ctime", datetime_ctime, METH_NOARGS, PyDoc_STR("Return ctime() style string.")},
    {"timetuple", datetime_timetuple, METH_NOARGS, PyDoc_STR("Return time tuple, compatible with time.localtime().")},
    {"timestamp", datetime_timestamp, METH_NOARGS, PyDoc_STR("Return POSIX timestamp as float.")},
    {"utctimetuple", datetime_utctimetuple, METH_NOARGS, PyDoc_STR("Return UTC time tuple, compatible with time.localtime().")},
    {"isoformat", method(datetime_isoformat), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("[sep] -> string in ISO 8601 format, YYYY-MM-DDT[HH[:MM[:SS[.mmm[uuu]]]]][+HH:MM].\n"
               "sep is used to separate the year from the time, and defaults to 'T'.\n"
               "The optional argument timespec specifies the number of additional terms\nof the time to include. Valid options are 'auto', 'hours', "
               "'minutes',\n'seconds', 'milliseconds' and 'microseconds'.\n")},
    {"utcoffset", datetime_utcoffset, METH_NOARGS, PyDoc_STR("Return self.tzinfo.utcoffset(self).")},
    {"tzname", datetime_tzname, METH_NOARGS, PyDoc_STR("Return self.tzinfo.tzname(self).")},
    {"dst", datetime_dst, METH_NOARGS, PyDoc_STR("Return self.tzinfo.dst(self).")},
    {"replace", method(datetime_replace), METH_VARARGS | METH_KEYWORDS, PyDoc_STR("replace" AMPHIS_REPLACE_SIGNATURE "Return datetime with new specified fields.")},
    {"__replace__", method(datetime_replace), METH_VARARGS | METH_KEYWORDS, PyDoc_STR("__replace__" AMPHIS_REPLACE_SIGNATURE "The same as replace().")},
    {"astimezone", method(datetime_astimezone), METH_VARARGS | METH_KEYWORDS, PyDoc_STR("tz -> convert to local time in new timezone tz\n")},
    {"__reduce_ex__", datetime_reduce_ex, METH_VARARGS, PyDoc_STR("__reduce_ex__(proto) -> (cls, state)")},
    {"__reduce__", datetime_reduce, METH_NOARGS, PyDoc_STR("__reduce__() -> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* new_datetime(Civil d, Clock c, PyObject* tzinfo, PyTypeObject* type) {
  if (!check_civil(d) || !check_clock(c) || !check_tzinfo(tzinfo)) return nullptr;
  PyObject* self = allocate(type, tzinfo);
  if (self == nullptr) return nullptr;
  unsigned char* data = as_datetime(self)->data;
  const int fields[_PyDateTime_DATETIME_DATASIZE] = {d.year >> 8, d.year, d.month, d.day, c.hour, c.minute, c.second,
                                                     c.microsecond >> 16, c.microsecond >> 8, c.microsecond};
  for (int i = 0; i < _PyDateTime_DATETIME_DATASIZE; ++i) data[i] = static_cast<unsigned char>(fields[i] & 0xff);
  as_datetime(self)->fold = static_cast<unsigned char>(c.fold);
  return self;
}

PyObject* new_datetime_in(PyObject* cls, Civil d, Clock c, PyObject* tzinfo) {
  if (cls == reinterpret_cast<PyObject*>(&datetime_type)) return new_datetime(d, c, tzinfo, &datetime_type);
  Ref self(PyObject_CallFunction(cls, "iiiiiiiO", d.year, d.month, d.day, c.hour, c.minute, c.second, c.microsecond, tzinfo));
  // A subclass's constructor need not know of fold.
  if (self && c.fold != 0 && is_datetime(self.get())) as_datetime(self.get())->fold = 1;
  return self.release();
}

PyObject* datetime_shift(PyObject* self, PyObject* delta, int sign) {
  // Days of a duration go far beyond those of the calendar: they are checked before they are multiplied.
  int64_t rest;
  const int64_t clock = seconds_of(clock_of_datetime(self)) * kMillion + PyDateTime_DATE_GET_MICROSECOND(self) +
                        sign * (int64_t{PyDateTime_DELTA_GET_SECONDS(delta)} * kMillion + PyDateTime_DELTA_GET_MICROSECONDS(delta));
  const int64_t ordinal = ordinal_of(civil(self)) + int64_t{sign} * PyDateTime_DELTA_GET_DAYS(delta) + floor_div(clock, kDayMicroseconds, &rest);
  if (ordinal < 1 || ordinal > kMaxOrdinal) {
    PyErr_SetString(PyExc_OverflowError, "date value out of range");
    return nullptr;
  }
  const int seconds = static_cast<int>(rest / kMillion);
  return new_datetime_in(class_of(self), civil_of(ordinal), {seconds / 3600, seconds / 60 % 60, seconds % 60, static_cast<int>(rest % kMillion), 0},
                         tzinfo_of_datetime(self));
}

PyObject* datetime_subtract(PyObject* left, PyObject* right) {
  Microseconds difference = position(left) - position(right);
  if (tzinfo_of_datetime(left) != tzinfo_of_datetime(right)) {
    Ref offset1(datetime_utcoffset(left, nullptr));
    Ref offset2(offset1 ? datetime_utcoffset(right, nullptr) : nullptr);
    if (!offset2) return nullptr;
    if ((offset1.get() == Py_None) != (offset2.get() == Py_None)) {
      PyErr_SetString(PyExc_TypeError, "can't subtract offset-naive and offset-aware datetimes");
      return nullptr;
    }
    if (offset1.get() != Py_None) difference -= microseconds_of(offset1.get()) - microseconds_of(offset2.get());
  }
  return new_delta(difference);
}

PyTypeObject datetime_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.datetime",
    .tp_basicsize = sizeof(PyDateTime_DateTime),
    .tp_dealloc = datetime_dealloc,
    .tp_repr = datetime_repr,
    .tp_as_number = &datetime_number,
    .tp_hash = datetime_hash,
    .tp_str = datetime_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("datetime(year, month, day[, hour[, minute[, second[, microsecond[,tzinfo]]]]])\n\n"
                        "The year, month and day arguments are required. tzinfo may be None, or an\n"
                        "instance of a tzinfo subclass. The remaining arguments may be ints.\n"),
    .tp_richcompare = datetime_richcompare,
    .tp_methods = datetime_methods,
    .tp_getset = datetime_getset,
    .tp_base = &date_type,
    .tp_new = datetime_new,
};

}  // namespace ext::dt
