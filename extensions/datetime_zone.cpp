// datetime.tzinfo and datetime.timezone, asking tzinfo objects, and the zone of the machine.
#include "datetime_module.h"

#include <ctime>

namespace ext::dt {

PyObject* utc = nullptr;
PyObject* epoch = nullptr;

namespace {

struct Timezone {
  PyObject_HEAD
  PyObject* offset;
  PyObject* name;  // null: made from the offset
};
Timezone* as_zone(PyObject* o) { return reinterpret_cast<Timezone*>(o); }

bool in_range(Microseconds offset) { return offset > -kDayMicroseconds && offset < kDayMicroseconds; }

PyObject* bad_offset(PyObject* offset) {
  PyErr_Format(PyExc_ValueError, "offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24), not %R", offset);
  return nullptr;
}

// Calls tzinfo.name(argument), which gives None or a short enough timedelta.
PyObject* call_offset(PyObject* tzinfo, const char* name, PyObject* argument) {
  if (tzinfo == Py_None) Py_RETURN_NONE;
  Ref offset(PyObject_CallMethod(tzinfo, name, "O", argument));
  if (!offset || offset.get() == Py_None) return offset.release();
  if (!is_delta(offset.get())) {
    PyErr_Format(PyExc_TypeError, "tzinfo.%s() must return None or a timedelta, not '%.200s'", name, Py_TYPE(offset.get())->tp_name);
    return nullptr;
  }
  return in_range(microseconds_of(offset.get())) ? offset.release() : bad_offset(offset.get());
}

// --- tzinfo: an abstract class

PyObject* not_implemented(const char* method) {
  PyErr_Format(PyExc_NotImplementedError, "a tzinfo subclass must implement %s()", method);
  return nullptr;
}
PyObject* tzinfo_tzname(PyObject*, PyObject*) { return not_implemented("tzname"); }
PyObject* tzinfo_utcoffset(PyObject*, PyObject*) { return not_implemented("utcoffset"); }
PyObject* tzinfo_dst(PyObject*, PyObject*) { return not_implemented("dst"); }

bool check_fromutc(PyObject* self, PyObject* dt) {
  if (!is_datetime(dt)) {
    PyErr_SetString(PyExc_TypeError, "fromutc: argument must be a datetime");
    return false;
  }
  if (tzinfo_of_datetime(dt) != self) {
    PyErr_SetString(PyExc_ValueError, "fromutc: dt.tzinfo is not self");
    return false;
  }
  return true;
}

PyObject* none_error(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  return nullptr;
}

PyObject* tzinfo_fromutc(PyObject* self, PyObject* dt) {
  if (!check_fromutc(self, dt)) return nullptr;
  Ref offset(call_utcoffset(self, dt));
  if (!offset) return nullptr;
  if (offset.get() == Py_None) return none_error("fromutc: non-None utcoffset() result required");
  Ref dst(call_dst(self, dt));
  if (!dst) return nullptr;
  if (dst.get() == Py_None) return none_error("fromutc: non-None dst() result required");
  Ref standard(delta_subtract(offset.get(), dst.get()));
  Ref result(standard ? datetime_shift(dt, standard.get(), 1) : nullptr);
  if (!result) return nullptr;
  dst = Ref(call_dst(self, result.get()));
  if (!dst) return nullptr;
  if (dst.get() == Py_None) return none_error("fromutc: tz.dst() gave inconsistent results; cannot convert");
  return microseconds_of(dst.get()) != 0 ? datetime_shift(result.get(), dst.get(), 1) : result.release();
}

PyObject* tzinfo_reduce(PyObject* self, PyObject*) {
  Ref args;
  PyObject* getinitargs = nullptr;
  if (PyObject_GetOptionalAttrString(self, "__getinitargs__", &getinitargs) < 0) return nullptr;
  if (getinitargs != nullptr) {
    Ref function(getinitargs);
    args = Ref(PyObject_CallNoArgs(function.get()));
  } else {
    args = Ref(PyTuple_New(0));
  }
  Ref state(args ? PyObject_CallMethod(self, "__getstate__", nullptr) : nullptr);
  return state ? PyTuple_Pack(3, Py_TYPE(self), args.get(), state.get()) : nullptr;
}

PyMethodDef tzinfo_methods[] = {
    {"tzname", tzinfo_tzname, METH_O, PyDoc_STR("datetime -> string name of time zone.")},
    {"utcoffset", tzinfo_utcoffset, METH_O, PyDoc_STR("datetime -> timedelta showing offset from UTC, negative values indicating West of UTC")},
    {"dst", tzinfo_dst, METH_O, PyDoc_STR("datetime -> DST offset as timedelta positive east of UTC.")},
    {"fromutc", tzinfo_fromutc, METH_O, PyDoc_STR("datetime in UTC -> datetime in local time.")},
    {"__reduce__", tzinfo_reduce, METH_NOARGS, PyDoc_STR("-> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};

// --- timezone: a fixed offset

PyObject* make_timezone(PyObject* offset, PyObject* name, PyTypeObject* type) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_zone(self)->offset = Py_NewRef(offset);
  as_zone(self)->name = Py_XNewRef(name);
  return self;
}

PyObject* timezone_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"offset", "name", nullptr};
  PyObject *offset, *name = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|U:timezone", const_cast<char**>(keywords), &delta_type, &offset, &name)) return nullptr;
  (void)type;
  return new_timezone(offset, name);
}

void timezone_dealloc(PyObject* self) {
  Py_CLEAR(as_zone(self)->offset);
  Py_CLEAR(as_zone(self)->name);
  Py_TYPE(self)->tp_free(self);
}

PyObject* timezone_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(b, &timezone_type)) Py_RETURN_NOTIMPLEMENTED;
  return PyObject_RichCompare(as_zone(a)->offset, as_zone(b)->offset, op);
}
Py_hash_t timezone_hash(PyObject* self) { return PyObject_Hash(as_zone(self)->offset); }

bool check_argument(PyObject* dt, const char* method) {
  if (dt == Py_None || is_datetime(dt)) return true;
  PyErr_Format(PyExc_TypeError, "%s(dt) argument must be a datetime instance or None, not %.200s", method, Py_TYPE(dt)->tp_name);
  return false;
}

PyObject* timezone_repr(PyObject* self) {
  const char* type = Py_TYPE(self)->tp_name;
  if (self == utc) return PyUnicode_FromFormat("%s.utc", type);
  Timezone* z = as_zone(self);
  return z->name == nullptr ? PyUnicode_FromFormat("%s(%R)", type, z->offset) : PyUnicode_FromFormat("%s(%R, %R)", type, z->offset, z->name);
}

PyObject* timezone_str(PyObject* self) {
  Timezone* z = as_zone(self);
  if (z->name != nullptr) return Py_NewRef(z->name);
  auto offset = static_cast<int64_t>(microseconds_of(z->offset));
  if (offset == 0) return PyUnicode_FromString("UTC");
  const char sign = offset < 0 ? '-' : '+';
  if (offset < 0) offset = -offset;
  const int us = static_cast<int>(offset % kMillion), seconds = static_cast<int>(offset / kMillion);
  char text[32];
  int at = PyOS_snprintf(text, sizeof text, "UTC%c%02d:%02d", sign, seconds / 3600, seconds / 60 % 60);
  if (us != 0) {
    PyOS_snprintf(text + at, sizeof text - static_cast<size_t>(at), ":%02d.%06d", seconds % 60, us);
  } else if (seconds % 60 != 0) {
    PyOS_snprintf(text + at, sizeof text - static_cast<size_t>(at), ":%02d", seconds % 60);
  }
  return PyUnicode_FromString(text);
}

PyObject* timezone_tzname(PyObject* self, PyObject* dt) { return check_argument(dt, "tzname") ? timezone_str(self) : nullptr; }
PyObject* timezone_utcoffset(PyObject* self, PyObject* dt) {
  return check_argument(dt, "utcoffset") ? Py_NewRef(as_zone(self)->offset) : nullptr;
}
PyObject* timezone_dst(PyObject*, PyObject* dt) { return check_argument(dt, "dst") ? Py_NewRef(Py_None) : nullptr; }
PyObject* timezone_fromutc(PyObject* self, PyObject* dt) {
  return check_fromutc(self, dt) ? datetime_shift(dt, as_zone(self)->offset, 1) : nullptr;
}
PyObject* timezone_getinitargs(PyObject* self, PyObject*) {
  Timezone* z = as_zone(self);
  return z->name == nullptr ? PyTuple_Pack(1, z->offset) : PyTuple_Pack(2, z->offset, z->name);
}

PyMethodDef timezone_methods[] = {
    {"tzname", timezone_tzname, METH_O,
     PyDoc_STR("If name is specified when timezone is created, returns the name.  Otherwise returns offset as 'UTC(+|-)HH:MM'.")},
    {"utcoffset", timezone_utcoffset, METH_O, PyDoc_STR("Return fixed offset.")},
    {"dst", timezone_dst, METH_O, PyDoc_STR("Return None.")},
    {"fromutc", timezone_fromutc, METH_O, PyDoc_STR("datetime in UTC -> datetime in local time.")},
    {"__getinitargs__", timezone_getinitargs, METH_NOARGS, PyDoc_STR("pickle support")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* call_utcoffset(PyObject* tzinfo, PyObject* argument) {
  if (Py_IS_TYPE(tzinfo, &timezone_type)) return Py_NewRef(as_zone(tzinfo)->offset);
  return call_offset(tzinfo, "utcoffset", argument);
}
PyObject* call_dst(PyObject* tzinfo, PyObject* argument) { return call_offset(tzinfo, "dst", argument); }
PyObject* call_tzname(PyObject* tzinfo, PyObject* argument) {
  if (tzinfo == Py_None) Py_RETURN_NONE;
  Ref name(PyObject_CallMethod(tzinfo, "tzname", "O", argument));
  if (!name || name.get() == Py_None || PyUnicode_Check(name.get())) return name.release();
  PyErr_Format(PyExc_TypeError, "tzinfo.tzname() must return None or a string, not '%s'", Py_TYPE(name.get())->tp_name);
  return nullptr;
}

PyObject* new_timezone(PyObject* offset, PyObject* name) {
  const Microseconds size = microseconds_of(offset);
  if (name == nullptr && size == 0 && utc != nullptr) return Py_NewRef(utc);
  return in_range(size) ? make_timezone(offset, name, &timezone_type) : bad_offset(offset);
}

PyObject* local_timezone(int64_t posix_seconds) {
  struct tm parts;
  if (_PyTime_localtime(static_cast<time_t>(posix_seconds), &parts) != 0) return nullptr;
  Ref offset(new_delta(Microseconds{parts.tm_gmtoff} * kMillion));
  Ref name(offset ? PyUnicode_DecodeLocale(parts.tm_zone, "surrogateescape") : nullptr);
  return name ? new_timezone(offset.get(), name.get()) : nullptr;
}

bool check_tzinfo(PyObject* tzinfo) {
  if (tzinfo == Py_None || is_tzinfo(tzinfo)) return true;
  PyErr_Format(PyExc_TypeError, "tzinfo argument must be None or of a tzinfo subclass, not type '%s'", Py_TYPE(tzinfo)->tp_name);
  return false;
}

// --- local time

bool broken_down(int64_t posix_seconds, bool as_local, Civil* d, Clock* c) {
  struct tm parts;
  int failed = as_local ? _PyTime_localtime(static_cast<time_t>(posix_seconds), &parts) : _PyTime_gmtime(static_cast<time_t>(posix_seconds), &parts);
  if (failed != 0) return false;
  *d = {parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday};
  // A leap second is the one before it.
  *c = {parts.tm_hour, parts.tm_min, parts.tm_sec < 59 ? parts.tm_sec : 59, 0, 0};
  return true;
}

namespace {
constexpr int64_t kEpochSeconds = (ordinal_of(1970, 1, 1)) * kDaySeconds;
constexpr int64_t kFoldSeconds = kDaySeconds;  // no zone moves its clock by more
}  // namespace

bool local_seconds(int64_t posix_seconds, int64_t* result) {
  Civil d;
  Clock c;
  if (!broken_down(posix_seconds, true, &d, &c)) return false;
  if (d.year < kMinYear || d.year > kMaxYear) {
    PyErr_Format(PyExc_ValueError, "year must be in %i..%i, not %i", kMinYear, kMaxYear, d.year);
    return false;
  }
  *result = ordinal_of(d) * kDaySeconds + seconds_of(c);
  return true;
}

bool posix_of_local(Civil d, Clock c, int64_t* result) {
  const int64_t wanted = ordinal_of(d) * kDaySeconds + seconds_of(c);
  auto local = [](int64_t u, int64_t* out) { return local_seconds(u - kEpochSeconds, out); };
  // Two guesses at the offset, from either side of a change of the clock.
  int64_t seen, u1, t1, u2, t2;
  if (!local(wanted, &seen)) return false;
  const int64_t a = seen - wanted;
  u1 = wanted - a;
  if (!local(u1, &t1)) return false;
  int64_t b;
  if (t1 == wanted) {
    // One answer: look for the other, a day before or after.
    u2 = u1 + (c.fold ? kFoldSeconds : -kFoldSeconds);
    if (!local(u2, &seen)) return false;
    b = seen - u2;
    if (a == b) {
      *result = u1 - kEpochSeconds;
      return true;
    }
  } else {
    b = t1 - u1;
  }
  u2 = wanted - b;
  if (!local(u2, &t2)) return false;
  if (t2 == wanted) {
    *result = u2 - kEpochSeconds;
  } else if (t1 == wanted) {
    *result = u1 - kEpochSeconds;
  } else {
    // A gap: such a time did not exist.
    *result = (c.fold ? Py_MIN(u1, u2) : Py_MAX(u1, u2)) - kEpochSeconds;
  }
  return true;
}

PyTypeObject tzinfo_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.tzinfo",
    .tp_basicsize = sizeof(PyDateTime_TZInfo),
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("Abstract base class for time zone info objects."),
    .tp_methods = tzinfo_methods,
    .tp_new = PyType_GenericNew,
};

PyTypeObject timezone_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.timezone",
    .tp_basicsize = sizeof(Timezone),
    .tp_dealloc = timezone_dealloc,
    .tp_repr = timezone_repr,
    .tp_hash = timezone_hash,
    .tp_str = timezone_str,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = PyDoc_STR("Fixed offset from UTC implementation of tzinfo."),
    .tp_richcompare = timezone_richcompare,
    .tp_methods = timezone_methods,
    .tp_base = &tzinfo_type,
    .tp_new = timezone_new,
};

}  // namespace ext::dt
