// datetime.date, and the named tuple of its ISO calendar.
#include "datetime_module.h"

#include <cstring>

namespace ext::dt {

namespace {

PyDateTime_Date* as_date(PyObject* o) { return reinterpret_cast<PyDateTime_Date*>(o); }

void set_civil(PyObject* self, Civil c) {
  unsigned char* data = as_date(self)->data;
  data[0] = static_cast<unsigned char>(c.year >> 8);
  data[1] = static_cast<unsigned char>(c.year & 0xff);
  data[2] = static_cast<unsigned char>(c.month);
  data[3] = static_cast<unsigned char>(c.day);
}

// The state of a pickle: bytes, or what Python 2 wrote and came through as str. Null: something else.
Ref pickle_state(PyObject* value, Py_ssize_t size, Py_ssize_t month_at) {
  Ref bytes;
  if (PyBytes_Check(value)) {
    bytes = Ref(Py_NewRef(value));
  } else if (PyUnicode_Check(value) && PyUnicode_GET_LENGTH(value) == size) {
    bytes = Ref(PyUnicode_AsLatin1String(value));
    if (!bytes) PyErr_Clear();
  }
  if (!bytes || PyBytes_GET_SIZE(bytes.get()) != size) return Ref();
  const auto month = static_cast<unsigned char>(PyBytes_AS_STRING(bytes.get())[month_at]) & 0x7f;
  return month >= 1 && month <= 12 ? std::move(bytes) : Ref();
}

PyObject* date_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) == 1 && (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0)) {
    if (Ref state = pickle_state(PyTuple_GET_ITEM(args, 0), _PyDateTime_DATE_DATASIZE, 2)) {
      PyObject* self = type->tp_alloc(type, 0);
      if (self == nullptr) return nullptr;
      std::memcpy(as_date(self)->data, PyBytes_AS_STRING(state.get()), _PyDateTime_DATE_DATASIZE);
      as_date(self)->hashcode = -1;
      return self;
    }
  }
  static const char* const keywords[] = {"year", "month", "day", nullptr};
  Civil c;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iii", const_cast<char**>(keywords), &c.year, &c.month, &c.day)) return nullptr;
  return new_date(c, type);
}

PyObject* from_timestamp(PyObject* cls, PyObject* timestamp) {
  time_t seconds;
  Civil d;
  Clock c;
  if (_PyTime_ObjectToTime_t(timestamp, &seconds, _PyTime_ROUND_FLOOR) < 0 || !broken_down(seconds, true, &d, &c)) return nullptr;
  return new_date_in(cls, d);
}

PyObject* date_today(PyObject* cls, PyObject*) {
  if (cls == reinterpret_cast<PyObject*>(&date_type)) {
    Civil d;
    Clock c;
    return broken_down(time(nullptr), true, &d, &c) ? new_date(d, &date_type) : nullptr;
  }
  // A subclass makes itself from the time that the time module gives.
  Ref now(PyImport_ImportModuleAttrString("time", "time"));
  Ref seconds(now ? PyObject_CallNoArgs(now.get()) : nullptr);
  return seconds ? PyObject_CallMethod(cls, "fromtimestamp", "O", seconds.get()) : nullptr;
}

PyObject* date_fromordinal(PyObject* cls, PyObject* args) {
  int ordinal;
  if (!PyArg_ParseTuple(args, "i:fromordinal", &ordinal)) return nullptr;
  if (ordinal < 1) {
    PyErr_SetString(PyExc_ValueError, "ordinal must be >= 1");
    return nullptr;
  }
  return new_date_in(cls, civil_of(ordinal));
}

bool is_text(PyObject* value) {
  if (PyUnicode_Check(value)) return true;
  PyErr_SetString(PyExc_TypeError, "fromisoformat: argument must be str");
  return false;
}

PyObject* date_fromisoformat(PyObject* cls, PyObject* text) {
  Civil d;
  return is_text(text) && parse_iso_date(text, &d) ? new_date_in(cls, d) : nullptr;
}

PyObject* date_fromisocalendar(PyObject* cls, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"year", "week", "day", nullptr};
  int year, week, day;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iii:fromisocalendar", const_cast<char**>(keywords), &year, &week, &day)) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) PyErr_Format(PyExc_ValueError, "ISO calendar component out of range");
    return nullptr;
  }
  Civil d;
  return civil_from_iso(year, week, day, &d) ? new_date_in(cls, d) : nullptr;
}

PyObject* date_strptime(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) {
  return call_strptime(cls, "_strptime_datetime_date", args, nargs);
}

PyObject* shift(PyObject* self, PyObject* delta, int sign) {
  const int64_t ordinal = ordinal_of(civil(self)) + int64_t{sign} * PyDateTime_DELTA_GET_DAYS(delta);
  if (ordinal < 1 || ordinal > kMaxOrdinal) {
    PyErr_SetString(PyExc_OverflowError, "date value out of range");
    return nullptr;
  }
  return new_date_in(reinterpret_cast<PyObject*>(Py_TYPE(self)), civil_of(ordinal));
}

PyObject* date_add(PyObject* a, PyObject* b) {
  if (is_datetime(a) || is_datetime(b)) Py_RETURN_NOTIMPLEMENTED;
  if (is_date(a)) {
    if (is_delta(b)) return shift(a, b, 1);
  } else if (is_delta(a)) {
    return shift(b, a, 1);
  }
  Py_RETURN_NOTIMPLEMENTED;
}

PyObject* date_subtract(PyObject* a, PyObject* b) {
  if (is_datetime(a) || is_datetime(b) || !is_date(a)) Py_RETURN_NOTIMPLEMENTED;
  if (is_date(b)) return new_delta(Microseconds{ordinal_of(civil(a)) - ordinal_of(civil(b))} * kDayMicroseconds);
  if (is_delta(b)) return shift(a, b, -1);
  Py_RETURN_NOTIMPLEMENTED;
}

PyNumberMethods date_number = {.nb_add = date_add, .nb_subtract = date_subtract};

PyObject* date_richcompare(PyObject* a, PyObject* b, int op) {
  // A date is no datetime, although a datetime is a date.
  if (!is_date(b) || is_datetime(b)) Py_RETURN_NOTIMPLEMENTED;
  return compare(std::memcmp(as_date(a)->data, as_date(b)->data, _PyDateTime_DATE_DATASIZE), op);
}

Py_hash_t date_hash(PyObject* self) {
  Py_hash_t known = __atomic_load_n(&as_date(self)->hashcode, __ATOMIC_RELAXED);
  if (known != -1) return known;
  known = Py_HashBuffer(as_date(self)->data, _PyDateTime_DATE_DATASIZE);
  __atomic_store_n(&as_date(self)->hashcode, known, __ATOMIC_RELAXED);
  return known;
}

PyObject* date_repr(PyObject* self) {
  Civil c = civil(self);
  return PyUnicode_FromFormat("%s(%d, %d, %d)", Py_TYPE(self)->tp_name, c.year, c.month, c.day);
}
PyObject* date_isoformat(PyObject* self, PyObject*) {
  Civil c = civil(self);
  char text[16];
  PyOS_snprintf(text, sizeof text, "%04d-%02d-%02d", c.year, c.month, c.day);
  return PyUnicode_FromString(text);
}
PyObject* date_str(PyObject* self) { return PyObject_CallMethod(self, "isoformat", nullptr); }
PyObject* date_ctime(PyObject* self, PyObject*) { return ctime_text(civil(self), Clock{}); }
PyObject* date_timetuple(PyObject* self, PyObject*) { return time_tuple(civil(self), Clock{}, -1); }
PyObject* date_weekday(PyObject* self, PyObject*) { return PyLong_FromLong(weekday_of(ordinal_of(civil(self)))); }
PyObject* date_isoweekday(PyObject* self, PyObject*) { return PyLong_FromLong(weekday_of(ordinal_of(civil(self))) + 1); }
PyObject* date_toordinal(PyObject* self, PyObject*) { return PyLong_FromLongLong(ordinal_of(civil(self))); }

PyObject* date_strftime(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"format", nullptr};
  PyObject* format;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:strftime", const_cast<char**>(keywords), &format)) return nullptr;
  Ref tuple(PyObject_CallMethod(self, "timetuple", nullptr));
  return tuple ? wrap_strftime(self, format, tuple.get(), self) : nullptr;
}

PyObject* date_isocalendar(PyObject* self, PyObject*) {
  IsoDate iso = iso_date_of(civil(self));
  Ref items(Py_BuildValue("((iii))", iso.year, iso.week, iso.weekday));
  return items ? PyTuple_Type.tp_new(&iso_calendar_type, items.get(), nullptr) : nullptr;
}

PyObject* date_replace(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"year", "month", "day", nullptr};
  Civil c = civil(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iii:replace", const_cast<char**>(keywords), &c.year, &c.month, &c.day)) return nullptr;
  return new_date_in(reinterpret_cast<PyObject*>(Py_TYPE(self)), c);
}

PyObject* date_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("O(y#)", Py_TYPE(self), as_date(self)->data, Py_ssize_t{_PyDateTime_DATE_DATASIZE});
}

PyObject* get_year(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_GET_YEAR(self)); }
PyObject* get_month(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_GET_MONTH(self)); }
PyObject* get_day(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_GET_DAY(self)); }

PyGetSetDef date_getset[] = {
    {"year", get_year, nullptr, nullptr, nullptr},
    {"month", get_month, nullptr, nullptr, nullptr},
    {"day", get_day, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef date_methods[] = {
    {"fromtimestamp", from_timestamp, METH_O | METH_CLASS,
     PyDoc_STR("fromtimestamp($type, timestamp, /)\n--\n\nCreate a date from a POSIX timestamp.\n\nThe timestamp is a number, e.g. created via time.time(), that is "
               "interpreted\nas local time.")},
    {"fromordinal", date_fromordinal, METH_VARARGS | METH_CLASS,
     PyDoc_STR("int -> date corresponding to a proleptic Gregorian ordinal.")},
    {"fromisoformat", date_fromisoformat, METH_O | METH_CLASS, PyDoc_STR("str -> Construct a date from a string in ISO 8601 format.")},
    {"fromisocalendar", method(date_fromisocalendar), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     PyDoc_STR("int, int, int -> Construct a date from the ISO year, week number and weekday.\n\nThis is the inverse of the function "
               "date.isocalendar()")},
    {"strptime", method(date_strptime), METH_FASTCALL | METH_CLASS, PyDoc_STR("string, format -> new date parsed from a string (like time.strptime()).")},
    {"today", date_today, METH_NOARGS | METH_CLASS,
     PyDoc_STR("Current date or datetime:  same as self.__class__.fromtimestamp(time.time()).")},
    {"ctime", date_ctime, METH_NOARGS, PyDoc_STR("Return ctime() style string.")},
    {"strftime", method(date_strftime), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("strftime($self, /, format)\n--\n\nFormat using strftime().\n\nExample: \"%d/%m/%Y, %H:%M:%S\"")},
    {"__format__", format_with, METH_O, PyDoc_STR("Formats self with strftime.")},
    {"timetuple", date_timetuple, METH_NOARGS, PyDoc_STR("Return time tuple, compatible with time.localtime().")},
    {"isocalendar", date_isocalendar, METH_NOARGS, PyDoc_STR("Return a named tuple containing ISO year, week number, and weekday.")},
    {"isoformat", date_isoformat, METH_NOARGS, PyDoc_STR("Return string in ISO 8601 format, YYYY-MM-DD.")},
    {"isoweekday", date_isoweekday, METH_NOARGS, PyDoc_STR("Return the day of the week represented by the date.\nMonday == 1 ... Sunday == 7")},
    {"toordinal", date_toordinal, METH_NOARGS,
     PyDoc_STR("Return proleptic Gregorian ordinal.  January 1 of year 1 is day 1.")},
    {"weekday", date_weekday, METH_NOARGS, PyDoc_STR("Return the day of the week represented by the date.\nMonday == 0 ... Sunday == 6")},
    {"replace", method(date_replace), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("replace($self, /, year=unchanged, month=unchanged, day=unchanged)\n--\n\nReturn date with new specified fields.")},
    {"__replace__", method(date_replace), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("__replace__($self, /, year=unchanged, month=unchanged, day=unchanged)\n--\n\nThe same as replace().")},
    {"__reduce__", date_reduce, METH_NOARGS, PyDoc_STR("__reduce__() -> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};

// --- IsoCalendarDate

PyObject* iso_item(PyObject* self, void* index) {
  return Py_NewRef(PyTuple_GET_ITEM(self, static_cast<Py_ssize_t>(reinterpret_cast<intptr_t>(index))));
}
PyGetSetDef iso_getset[] = {
    {"year", iso_item, nullptr, nullptr, reinterpret_cast<void*>(0)},
    {"week", iso_item, nullptr, nullptr, reinterpret_cast<void*>(1)},
    {"weekday", iso_item, nullptr, nullptr, reinterpret_cast<void*>(2)},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyObject* iso_repr(PyObject* self) {
  return PyUnicode_FromFormat("%.200s(year=%S, week=%S, weekday=%S)", Py_TYPE(self)->tp_name, PyTuple_GET_ITEM(self, 0), PyTuple_GET_ITEM(self, 1),
                              PyTuple_GET_ITEM(self, 2));
}
// It is pickled as a plain tuple: the class has no name to be found under.
PyObject* iso_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("O((OOO))", &PyTuple_Type, PyTuple_GET_ITEM(self, 0), PyTuple_GET_ITEM(self, 1), PyTuple_GET_ITEM(self, 2));
}
PyMethodDef iso_methods[] = {
    {"__reduce__", iso_reduce, METH_NOARGS, PyDoc_STR("__reduce__() -> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool check_civil(Civil c) {
  if (c.year < kMinYear || c.year > kMaxYear) {
    PyErr_Format(PyExc_ValueError, "year must be in %i..%i, not %i", kMinYear, kMaxYear, c.year);
  } else if (c.month < 1 || c.month > 12) {
    PyErr_Format(PyExc_ValueError, "month must be in 1..12, not %i", c.month);
  } else if (const int days = days_in_month(c.year, c.month); c.day < 1 || c.day > days) {
    PyErr_Format(PyExc_ValueError, "day %i must be in range 1..%d for month %i in year %i", c.day, days, c.month, c.year);
  } else {
    return true;
  }
  return false;
}

PyObject* new_date(Civil c, PyTypeObject* type) {
  if (!check_civil(c)) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_date(self)->hashcode = -1;
  set_civil(self, c);
  return self;
}

PyObject* new_date_in(PyObject* cls, Civil c) {
  if (cls == reinterpret_cast<PyObject*>(&date_type)) return new_date(c, &date_type);
  if (cls == reinterpret_cast<PyObject*>(&datetime_type)) return new_datetime(c, Clock{}, Py_None, &datetime_type);
  return PyObject_CallFunction(cls, "iii", c.year, c.month, c.day);
}

PyTypeObject date_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.date",
    .tp_basicsize = sizeof(PyDateTime_Date),
    .tp_repr = date_repr,
    .tp_as_number = &date_number,
    .tp_hash = date_hash,
    .tp_str = date_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("date(year, month, day) --> date object"),
    .tp_richcompare = date_richcompare,
    .tp_methods = date_methods,
    .tp_getset = date_getset,
    .tp_new = date_new,
};

PyTypeObject iso_calendar_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.IsoCalendarDate",
    .tp_repr = iso_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = PyDoc_STR("The result of date.isocalendar() or datetime.isocalendar()\n\n"
                        "This object may be accessed either as a tuple of\n  ((year, week, weekday))\n"
                        "or via the object attributes as named in the above tuple."),
    .tp_methods = iso_methods,
    .tp_getset = iso_getset,
    .tp_base = &PyTuple_Type,
};

}  // namespace ext::dt
