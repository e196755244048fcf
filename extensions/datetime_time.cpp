// datetime.time.
#include "datetime_module.h"

#include <cstring>

namespace ext::dt {

namespace {

PyDateTime_Time* as_time(PyObject* o) { return reinterpret_cast<PyDateTime_Time*>(o); }

PyObject* allocate(PyTypeObject* type, PyObject* tzinfo) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_time(self)->hashcode = -1;
  as_time(self)->hastzinfo = tzinfo != Py_None;
  as_time(self)->tzinfo = tzinfo != Py_None ? Py_NewRef(tzinfo) : nullptr;
  return self;
}

// A pickle's state and zone. 1: made, 0: no pickle, -1: an exception.
int from_pickle(PyTypeObject* type, PyObject* args, PyObject** result) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1 || n > 2) return 0;
  PyObject* state = PyTuple_GET_ITEM(args, 0);
  Ref bytes;
  if (PyBytes_Check(state)) {
    bytes = Ref(Py_NewRef(state));
  } else if (PyUnicode_Check(state) && PyUnicode_GET_LENGTH(state) == _PyDateTime_TIME_DATASIZE) {
    bytes = Ref(PyUnicode_AsLatin1String(state));
    if (!bytes) {
      PyErr_Clear();
      return 0;
    }
  }
  if (!bytes || PyBytes_GET_SIZE(bytes.get()) != _PyDateTime_TIME_DATASIZE) return 0;
  const auto* data = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(bytes.get()));
  if ((data[0] & 0x7f) >= 24) return 0;
  PyObject* tzinfo = n == 2 ? PyTuple_GET_ITEM(args, 1) : Py_None;
  if (tzinfo != Py_None && !is_tzinfo(tzinfo)) {
    PyErr_SetString(PyExc_TypeError, "bad tzinfo state arg");
    return -1;
  }
  *result = allocate(type, tzinfo);
  if (*result == nullptr) return -1;
  std::memcpy(as_time(*result)->data, data, _PyDateTime_TIME_DATASIZE);
  as_time(*result)->fold = data[0] >> 7;  // the hour's upper bit
  as_time(*result)->data[0] &= 0x7f;
  return 1;
}

PyObject* time_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* self = nullptr;
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) {
    if (int made = from_pickle(type, args, &self); made != 0) return made > 0 ? self : nullptr;
  }
  static const char* const keywords[] = {"hour", "minute", "second", "microsecond", "tzinfo", "fold", nullptr};
  Clock c;
  PyObject* tzinfo = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiiiO$i", const_cast<char**>(keywords), &c.hour, &c.minute, &c.second, &c.microsecond, &tzinfo,
                                   &c.fold)) {
    return nullptr;
  }
  return new_time(c, tzinfo, type);
}

void time_dealloc(PyObject* self) {
  if (as_time(self)->hastzinfo) Py_XDECREF(as_time(self)->tzinfo);
  Py_TYPE(self)->tp_free(self);
}

PyObject* new_time_in(PyObject* cls, Clock c, PyObject* tzinfo) {
  if (cls == reinterpret_cast<PyObject*>(&time_type)) return new_time(c, tzinfo, &time_type);
  Ref self(PyObject_CallFunction(cls, "iiiiO", c.hour, c.minute, c.second, c.microsecond, tzinfo));
  // A subclass's constructor need not know of fold.
  if (self && c.fold != 0 && is_time(self.get())) as_time(self.get())->fold = 1;
  return self.release();
}

PyObject* time_fromisoformat(PyObject* cls, PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_SetString(PyExc_TypeError, "fromisoformat: argument must be str");
    return nullptr;
  }
  ParsedClock parsed;
  if (!parse_iso_time(text, &parsed)) return nullptr;
  Ref tzinfo = parsed_tzinfo(parsed);
  return tzinfo ? new_time_in(cls, parsed.clock, tzinfo.get()) : nullptr;
}

PyObject* time_strptime(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) {
  return call_strptime(cls, "_strptime_datetime_time", args, nargs);
}

PyObject* time_utcoffset(PyObject* self, PyObject*) { return call_utcoffset(tzinfo_of_time(self), Py_None); }
PyObject* time_dst(PyObject* self, PyObject*) { return call_dst(tzinfo_of_time(self), Py_None); }
PyObject* time_tzname(PyObject* self, PyObject*) { return call_tzname(tzinfo_of_time(self), Py_None); }

PyObject* time_repr(PyObject* self) {
  const Clock c = clock_of_time(self);
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_Format(writer, "%s(%d, %d", Py_TYPE(self)->tp_name, c.hour, c.minute) == 0;
  if (c.second != 0 || c.microsecond != 0) ok = ok && PyUnicodeWriter_Format(writer, ", %d", c.second) == 0;
  if (c.microsecond != 0) ok = ok && PyUnicodeWriter_Format(writer, ", %d", c.microsecond) == 0;
  if (tzinfo_of_time(self) != Py_None) ok = ok && PyUnicodeWriter_Format(writer, ", tzinfo=%R", tzinfo_of_time(self)) == 0;
  if (c.fold != 0) ok = ok && PyUnicodeWriter_Format(writer, ", fold=1") == 0;
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* isoformat(PyObject* self, const char* timespec) {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  if (append_clock(writer, clock_of_time(self), timespec) && append_offset(writer, tzinfo_of_time(self), ":", Py_None)) {
    return PyUnicodeWriter_Finish(writer);
  }
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* time_isoformat(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"timespec", nullptr};
  const char* timespec = "auto";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s:isoformat", const_cast<char**>(keywords), &timespec)) return nullptr;
  return isoformat(self, timespec);
}
PyObject* time_str(PyObject* self) { return PyObject_CallMethod(self, "isoformat", nullptr); }

PyObject* time_strftime(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"format", nullptr};
  PyObject* format;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:strftime", const_cast<char**>(keywords), &format)) return nullptr;
  const Clock c = clock_of_time(self);
  Ref tuple(Py_BuildValue("iiiiiiiii", 1900, 1, 1, c.hour, c.minute, c.second, 0, 1, -1));
  return tuple ? wrap_strftime(self, format, tuple.get(), Py_None) : nullptr;
}

PyObject* time_richcompare(PyObject* a, PyObject* b, int op) {
  if (!is_time(b)) Py_RETURN_NOTIMPLEMENTED;
  auto by_fields = [&] { return compare(std::memcmp(as_time(a)->data, as_time(b)->data, _PyDateTime_TIME_DATASIZE), op); };
  if (tzinfo_of_time(a) == tzinfo_of_time(b)) return by_fields();
  Ref offset1(time_utcoffset(a, nullptr));
  Ref offset2(offset1 ? time_utcoffset(b, nullptr) : nullptr);
  if (!offset2) return nullptr;
  const bool naive1 = offset1.get() == Py_None, naive2 = offset2.get() == Py_None;
  if (naive1 && naive2) return by_fields();
  if (naive1 != naive2) {
    if (op == Py_EQ) Py_RETURN_FALSE;
    if (op == Py_NE) Py_RETURN_TRUE;
    PyErr_SetString(PyExc_TypeError, "can't compare offset-naive and offset-aware times");
    return nullptr;
  }
  auto position = [](PyObject* t, PyObject* offset) {
    return seconds_of(clock_of_time(t)) * kMillion + PyDateTime_TIME_GET_MICROSECOND(t) - static_cast<int64_t>(microseconds_of(offset));
  };
  const int64_t x = position(a, offset1.get()), y = position(b, offset2.get());
  return compare(x < y ? -1 : x > y, op);
}

Py_hash_t time_hash(PyObject* self) {
  Py_hash_t known = __atomic_load_n(&as_time(self)->hashcode, __ATOMIC_RELAXED);
  if (known != -1) return known;
  // The offset of the first of two equal times: they compare equal.
  Clock c = clock_of_time(self);
  Ref first;
  if (c.fold != 0) {
    c.fold = 0;
    first = Ref(new_time(c, tzinfo_of_time(self), &time_type));
  } else {
    first = Ref(Py_NewRef(self));
  }
  Ref offset(first ? time_utcoffset(first.get(), nullptr) : nullptr);
  if (!offset) return -1;
  if (offset.get() == Py_None) {
    known = Py_HashBuffer(as_time(self)->data, _PyDateTime_TIME_DATASIZE);
  } else {
    Ref moved(new_delta(Microseconds{seconds_of(c)} * kMillion + c.microsecond - microseconds_of(offset.get())));
    known = moved ? PyObject_Hash(moved.get()) : -1;
  }
  if (known != -1) __atomic_store_n(&as_time(self)->hashcode, known, __ATOMIC_RELAXED);
  return known;
}

PyObject* time_replace(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"hour", "minute", "second", "microsecond", "tzinfo", "fold", nullptr};
  Clock c = clock_of_time(self);
  PyObject* tzinfo = tzinfo_of_time(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiiiO$i:replace", const_cast<char**>(keywords), &c.hour, &c.minute, &c.second, &c.microsecond,
                                   &tzinfo, &c.fold)) {
    return nullptr;
  }
  if (c.fold != 0 && c.fold != 1) {
    PyErr_SetString(PyExc_ValueError, "fold must be either 0 or 1");
    return nullptr;
  }
  return new_time_in(reinterpret_cast<PyObject*>(Py_TYPE(self)), c, tzinfo);
}

PyObject* state_of(PyObject* self, int protocol) {
  unsigned char data[_PyDateTime_TIME_DATASIZE];
  std::memcpy(data, as_time(self)->data, sizeof data);
  if (protocol > 3 && as_time(self)->fold) data[0] |= 0x80;
  PyObject* tzinfo = tzinfo_of_time(self);
  return tzinfo == Py_None ? Py_BuildValue("O(y#)", Py_TYPE(self), data, Py_ssize_t{sizeof data})
                           : Py_BuildValue("O(y#O)", Py_TYPE(self), data, Py_ssize_t{sizeof data}, tzinfo);
}
PyObject* time_reduce_ex(PyObject* self, PyObject* args) {
  int protocol;
  return PyArg_ParseTuple(args, "i:__reduce_ex__", &protocol) ? state_of(self, protocol) : nullptr;
}
PyObject* time_reduce(PyObject* self, PyObject*) { return state_of(self, 2); }

PyObject* get_hour(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_TIME_GET_HOUR(self)); }
PyObject* get_minute(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_TIME_GET_MINUTE(self)); }
PyObject* get_second(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_TIME_GET_SECOND(self)); }
PyObject* get_microsecond(PyObject* self, void*) { return PyLong_FromLong(PyDateTime_TIME_GET_MICROSECOND(self)); }
PyObject* get_tzinfo(PyObject* self, void*) { return Py_NewRef(tzinfo_of_time(self)); }
PyObject* get_fold(PyObject* self, void*) { return PyLong_FromLong(as_time(self)->fold); }

PyGetSetDef time_getset[] = {
    {"hour", get_hour, nullptr, nullptr, nullptr},
    {"minute", get_minute, nullptr, nullptr, nullptr},
    {"second", get_second, nullptr, nullptr, nullptr},
    {"microsecond", get_microsecond, nullptr, nullptr, nullptr},
    {"tzinfo", get_tzinfo, nullptr, nullptr, nullptr},
    {"fold", get_fold, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

#define AMPHIS_REPLACE_SIGNATURE                                                                                         \
  "($self, /, hour=unchanged, minute=unchanged, second=unchanged,\n        microsecond=unchanged, tzinfo=unchanged, *, " \
  "fold=unchanged)\n--\n\n"
PyMethodDef time_methods[] = {
    {"fromisoformat", time_fromisoformat, METH_O | METH_CLASS, PyDoc_STR("string -> time from a string in ISO 8601 format")},
    {"strptime", method(time_strptime), METH_FASTCALL | METH_CLASS, PyDoc_STR("string, format -> new time parsed from a string (like time.strptime()).")},
    {"isoformat", method(time_isoformat), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("isoformat($self, /, timespec='auto')\n--\n\nReturn the time formatted according to ISO.\n\nThe full format is "
               "'HH:MM:SS.mmmmmm+zz:zz'. By default, the fractional\npart is omitted if self.microsecond == 0.\n\nThe optional argument timespec "
               "specifies the number of additional\nterms of the time to include. Valid options are 'auto', 'hours',\n'minutes', 'seconds', "
               "'milliseconds' and 'microseconds'.")},
    {"strftime", method(time_strftime), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("strftime($self, /, format)\n--\n\nFormat using strftime().\n\nThe date part of the timestamp passed to underlying strftime should not be used.")},
    {"__format__", format_with, METH_O, PyDoc_STR("Formats self with strftime.")},
    {"utcoffset", time_utcoffset, METH_NOARGS, PyDoc_STR("Return self.tzinfo.utcoffset(self).")},
    {"tzname", time_tzname, METH_NOARGS, PyDoc_STR("Return self.tzinfo.tzname(self).")},
    {"dst", time_dst, METH_NOARGS, PyDoc_STR("Return self.tzinfo.dst(self).")},
    {"replace", method(time_replace), METH_VARARGS | METH_KEYWORDS, PyDoc_STR("replace" AMPHIS_REPLACE_SIGNATURE "Return time with new specified fields.")},
    {"__replace__", method(time_replace), METH_VARARGS | METH_KEYWORDS, PyDoc_STR("__replace__" AMPHIS_REPLACE_SIGNATURE "The same as replace().")},
    {"__reduce_ex__", time_reduce_ex, METH_VARARGS, PyDoc_STR("__reduce_ex__(proto) -> (cls, state)")},
    {"__reduce__", time_reduce, METH_NOARGS, PyDoc_STR("__reduce__() -> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool check_clock(Clock c) {
  const struct {
    int value, limit;
    const char* format;
  } parts[] = {{c.hour, 24, "hour must be in 0..23, not %i"},
               {c.minute, 60, "minute must be in 0..59, not %i"},
               {c.second, 60, "second must be in 0..59, not %i"},
               {c.microsecond, 1000000, "microsecond must be in 0..999999, not %i"},
               {c.fold, 2, "fold must be either 0 or 1, not %i"}};
  for (const auto& part : parts) {
    if (part.value >= 0 && part.value < part.limit) continue;
    PyErr_Format(PyExc_ValueError, part.format, part.value);
    return false;
  }
  return true;
}

PyObject* new_time(Clock c, PyObject* tzinfo, PyTypeObject* type) {
  if (!check_clock(c) || !check_tzinfo(tzinfo)) return nullptr;
  PyObject* self = allocate(type, tzinfo);
  if (self == nullptr) return nullptr;
  unsigned char* data = as_time(self)->data;
  data[0] = static_cast<unsigned char>(c.hour);
  data[1] = static_cast<unsigned char>(c.minute);
  data[2] = static_cast<unsigned char>(c.second);
  data[3] = static_cast<unsigned char>(c.microsecond >> 16);
  data[4] = static_cast<unsigned char>(c.microsecond >> 8 & 0xff);
  data[5] = static_cast<unsigned char>(c.microsecond & 0xff);
  as_time(self)->fold = static_cast<unsigned char>(c.fold);
  return self;
}

PyTypeObject time_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.time",
    .tp_basicsize = sizeof(PyDateTime_Time),
    .tp_dealloc = time_dealloc,
    .tp_repr = time_repr,
    .tp_hash = time_hash,
    .tp_str = time_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("time([hour[, minute[, second[, microsecond[, tzinfo]]]]]) --> a time object\n\n"
                        "All arguments are optional. tzinfo may be None, or an instance of\n"
                        "a tzinfo subclass. The remaining arguments may be ints.\n"),
    .tp_richcompare = time_richcompare,
    .tp_methods = time_methods,
    .tp_getset = time_getset,
    .tp_new = time_new,
};

}  // namespace ext::dt
