// datetime.timedelta. Arithmetic is on a 128-bit number of microseconds: the range of a duration needs 67 bits.
#include "datetime_module.h"

#include <cmath>

namespace ext::dt {

namespace {

PyDateTime_Delta* as_delta(PyObject* o) { return reinterpret_cast<PyDateTime_Delta*>(o); }

PyObject* to_int(Microseconds value) { return PyLong_FromNativeBytes(&value, sizeof value, Py_ASNATIVEBYTES_DEFAULTS); }
PyObject* total_of(PyObject* delta) { return to_int(microseconds_of(delta)); }

PyObject* too_large() {
  PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
  return nullptr;
}

// False with an exception if the int needs more bits.
bool from_int(PyObject* value, Microseconds* result) {
  Py_ssize_t needed = PyLong_AsNativeBytes(value, result, sizeof *result, Py_ASNATIVEBYTES_DEFAULTS);
  if (needed < 0) return false;
  if (needed > static_cast<Py_ssize_t>(sizeof *result)) return too_large() != nullptr;
  return true;
}

PyObject* delta_of_int(PyObject* steals, PyTypeObject* type = &delta_type) {
  Ref value(steals);
  Microseconds total;
  if (!value || !from_int(value.get(), &total)) return nullptr;
  return new_delta(total, type);
}

// The nearest int to a / b, ties to even.
PyObject* divide_nearest(PyObject* a, PyObject* b) {
  Ref pair(_PyLong_DivmodNear(a, b));
  return pair ? Py_NewRef(PyTuple_GET_ITEM(pair.get(), 0)) : nullptr;
}

// delta * ratio or delta / ratio for a float, exactly.
PyObject* scale_by_float(PyObject* delta, PyObject* number, bool divide) {
  Ref ratio(PyObject_CallMethod(number, "as_integer_ratio", nullptr));
  if (!ratio) return nullptr;
  if (!PyTuple_Check(ratio.get())) {
    PyErr_Format(PyExc_TypeError, "unexpected return type from as_integer_ratio(): expected tuple, not '%.200s'", Py_TYPE(ratio.get())->tp_name);
    return nullptr;
  }
  if (PyTuple_GET_SIZE(ratio.get()) != 2) {
    PyErr_SetString(PyExc_ValueError, "unexpected return value from as_integer_ratio(): expected a tuple of two");
    return nullptr;
  }
  Ref total(total_of(delta));
  PyObject *up = PyTuple_GET_ITEM(ratio.get(), divide ? 1 : 0), *down = PyTuple_GET_ITEM(ratio.get(), divide ? 0 : 1);
  Ref product(total ? PyNumber_Multiply(total.get(), up) : nullptr);
  return product ? delta_of_int(divide_nearest(product.get(), down)) : nullptr;
}

PyObject* delta_add(PyObject* a, PyObject* b) {
  if (!is_delta(a) || !is_delta(b)) Py_RETURN_NOTIMPLEMENTED;
  return new_delta(microseconds_of(a) + microseconds_of(b));
}
PyObject* delta_sub(PyObject* a, PyObject* b) {
  if (!is_delta(a) || !is_delta(b)) Py_RETURN_NOTIMPLEMENTED;
  return new_delta(microseconds_of(a) - microseconds_of(b));
}
PyObject* delta_negative(PyObject* a) { return new_delta(-microseconds_of(a)); }
PyObject* delta_positive(PyObject* a) { return new_delta(microseconds_of(a)); }
PyObject* delta_absolute(PyObject* a) { return new_delta(microseconds_of(a) < 0 ? -microseconds_of(a) : microseconds_of(a)); }
int delta_bool(PyObject* a) { return microseconds_of(a) != 0; }

PyObject* delta_multiply(PyObject* a, PyObject* b) {
  PyObject *delta = is_delta(a) ? a : b, *factor = is_delta(a) ? b : a;
  if (PyFloat_Check(factor)) return scale_by_float(delta, factor, false);
  if (!PyLong_Check(factor)) Py_RETURN_NOTIMPLEMENTED;
  Ref total(total_of(delta));
  return total ? delta_of_int(PyNumber_Multiply(total.get(), factor)) : nullptr;
}

PyObject* delta_true_divide(PyObject* a, PyObject* b) {
  if (!is_delta(a)) Py_RETURN_NOTIMPLEMENTED;
  Ref total(total_of(a));
  if (!total) return nullptr;
  if (is_delta(b)) {
    Ref other(total_of(b));
    return other ? PyNumber_TrueDivide(total.get(), other.get()) : nullptr;
  }
  if (PyFloat_Check(b)) return scale_by_float(a, b, true);
  if (PyLong_Check(b)) return delta_of_int(divide_nearest(total.get(), b));
  Py_RETURN_NOTIMPLEMENTED;
}

PyObject* divided_by_zero() {
  PyErr_SetString(PyExc_ZeroDivisionError, "division by zero");
  return nullptr;
}

PyObject* delta_floor_divide(PyObject* a, PyObject* b) {
  if (!is_delta(a)) Py_RETURN_NOTIMPLEMENTED;
  if (is_delta(b)) {
    Microseconds divisor = microseconds_of(b), rest;
    return divisor == 0 ? divided_by_zero() : to_int(floor_div(microseconds_of(a), divisor, &rest));
  }
  if (!PyLong_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  Ref total(total_of(a));
  return total ? delta_of_int(PyNumber_FloorDivide(total.get(), b)) : nullptr;
}

PyObject* delta_remainder(PyObject* a, PyObject* b) {
  if (!is_delta(a) || !is_delta(b)) Py_RETURN_NOTIMPLEMENTED;
  Microseconds divisor = microseconds_of(b), rest;
  if (divisor == 0) return divided_by_zero();
  floor_div(microseconds_of(a), divisor, &rest);
  return new_delta(rest);
}

PyObject* delta_divmod(PyObject* a, PyObject* b) {
  if (!is_delta(a) || !is_delta(b)) Py_RETURN_NOTIMPLEMENTED;
  Microseconds divisor = microseconds_of(b), rest;
  if (divisor == 0) return divided_by_zero();
  Ref quotient(to_int(floor_div(microseconds_of(a), divisor, &rest)));
  Ref remainder(new_delta(rest));
  return quotient && remainder ? PyTuple_Pack(2, quotient.get(), remainder.get()) : nullptr;
}

PyNumberMethods delta_number = {
    .nb_add = delta_add,
    .nb_subtract = delta_sub,
    .nb_multiply = delta_multiply,
    .nb_remainder = delta_remainder,
    .nb_divmod = delta_divmod,
    .nb_negative = delta_negative,
    .nb_positive = delta_positive,
    .nb_absolute = delta_absolute,
    .nb_bool = delta_bool,
    .nb_floor_divide = delta_floor_divide,
    .nb_true_divide = delta_true_divide,
};

// Adds value * factor; the part of a float that is no whole microsecond goes to `leftover`.
bool accumulate(const char* what, PyObject* value, int64_t factor, Ref* sum, double* leftover) {
  Ref scale(PyLong_FromLongLong(factor));
  if (!scale) return false;
  auto add = [&](PyObject* steals) {
    Ref term(steals);
    if (term) *sum = Ref(PyNumber_Add(sum->get(), term.get()));
    return term && *sum;
  };
  if (PyLong_Check(value)) return add(PyNumber_Multiply(value, scale.get()));
  if (!PyFloat_Check(value)) {
    PyErr_Format(PyExc_TypeError, "unsupported type for timedelta %s component: %s", what, Py_TYPE(value)->tp_name);
    return false;
  }
  double whole, fraction = std::modf(PyFloat_AsDouble(value), &whole);
  Ref integer(PyLong_FromDouble(whole));
  if (!integer || !add(PyNumber_Multiply(integer.get(), scale.get()))) return false;
  if (fraction == 0) return true;
  fraction = std::modf(static_cast<double>(factor) * fraction, &whole);
  *leftover += fraction;
  return add(PyLong_FromDouble(whole));
}

PyObject* delta_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks", nullptr};
  PyObject *days = nullptr, *seconds = nullptr, *us = nullptr, *ms = nullptr, *minutes = nullptr, *hours = nullptr, *weeks = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOOOOO:__new__", const_cast<char**>(keywords), &days, &seconds, &us, &ms, &minutes, &hours, &weeks)) {
    return nullptr;
  }
  const struct {
    const char* name;
    PyObject* value;
    int64_t factor;
  } parts[] = {{"microseconds", us, 1}, {"milliseconds", ms, 1000}, {"seconds", seconds, kMillion}, {"minutes", minutes, 60 * kMillion},
               {"hours", hours, 3600 * kMillion}, {"days", days, kDayMicroseconds}, {"weeks", weeks, 7 * kDayMicroseconds}};
  // Small ints, which is nearly always, need no objects.
  Microseconds total = 0;
  bool simple = true;
  for (const auto& part : parts) {
    if (part.value == nullptr) continue;
    int64_t number;
    if (!PyLong_CheckExact(part.value)) {
      simple = false;
      break;
    }
    if (PyLong_AsInt64(part.value, &number) < 0) {
      PyErr_Clear();
      simple = false;
      break;
    }
    total += Microseconds{number} * part.factor;
  }
  if (simple) return new_delta(total, type);
  Ref sum(PyLong_FromLong(0));
  double leftover = 0;
  for (const auto& part : parts) {
    if (part.value != nullptr && !accumulate(part.name, part.value, part.factor, &sum, &leftover)) return nullptr;
  }
  if (leftover != 0) {
    // Half to even, of the sum and not of what is left over.
    double whole = std::round(leftover);
    if (std::fabs(whole - leftover) == 0.5) {
      Ref one(PyLong_FromLong(1));
      Ref odd(one ? PyNumber_And(sum.get(), one.get()) : nullptr);
      if (!odd) return nullptr;
      const double is_odd = PyObject_IsTrue(odd.get()) ? 1.0 : 0.0;
      whole = 2.0 * std::round((leftover + is_odd) * 0.5) - is_odd;
    }
    Ref more(PyLong_FromDouble(whole));
    sum = Ref(more ? PyNumber_Add(sum.get(), more.get()) : nullptr);
    if (!sum) return nullptr;
  }
  return delta_of_int(sum.release(), type);
}

PyObject* delta_repr(PyObject* self) {
  auto* d = as_delta(self);
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  const char* separator = "";
  bool ok = PyUnicodeWriter_Format(writer, "%s(", Py_TYPE(self)->tp_name) == 0;
  const struct {
    const char* name;
    int value;
  } parts[] = {{"days", d->days}, {"seconds", d->seconds}, {"microseconds", d->microseconds}};
  for (const auto& part : parts) {
    if (part.value == 0) continue;
    ok = ok && PyUnicodeWriter_Format(writer, "%s%s=%d", separator, part.name, part.value) == 0;
    separator = ", ";
  }
  if (*separator == '\0') ok = ok && PyUnicodeWriter_WriteChar(writer, '0') == 0;
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  if (!ok) {
    PyUnicodeWriter_Discard(writer);
    return nullptr;
  }
  return PyUnicodeWriter_Finish(writer);
}

PyObject* delta_str(PyObject* self) {
  auto* d = as_delta(self);
  char text[64];
  int at = 0;
  if (d->days != 0) at = PyOS_snprintf(text, sizeof text, "%d day%s, ", d->days, d->days == 1 || d->days == -1 ? "" : "s");
  at += PyOS_snprintf(text + at, sizeof text - static_cast<size_t>(at), "%d:%02d:%02d", d->seconds / 3600, d->seconds / 60 % 60, d->seconds % 60);
  if (d->microseconds != 0) PyOS_snprintf(text + at, sizeof text - static_cast<size_t>(at), ".%06d", d->microseconds);
  return PyUnicode_FromString(text);
}

Py_hash_t delta_hash(PyObject* self) {
  auto* d = as_delta(self);
  Py_hash_t known = __atomic_load_n(&d->hashcode, __ATOMIC_RELAXED);
  if (known != -1) return known;
  const int parts[] = {d->days, d->seconds, d->microseconds};
  known = Py_HashBuffer(parts, sizeof parts);
  __atomic_store_n(&d->hashcode, known, __ATOMIC_RELAXED);
  return known;
}

PyObject* delta_richcompare(PyObject* a, PyObject* b, int op) {
  if (!is_delta(b)) Py_RETURN_NOTIMPLEMENTED;
  const Microseconds x = microseconds_of(a), y = microseconds_of(b);
  return compare(x < y ? -1 : x > y, op);
}

PyObject* delta_total_seconds(PyObject* self, PyObject*) {
  const Microseconds total = microseconds_of(self);
  constexpr int64_t kExact = int64_t{1} << 53;
  // Both numbers are exact: one rounding.
  if (total > -kExact && total < kExact) return PyFloat_FromDouble(static_cast<double>(static_cast<int64_t>(total)) / 1e6);
  Ref number(to_int(total)), million(PyLong_FromLong(kMillion));
  return number && million ? PyNumber_TrueDivide(number.get(), million.get()) : nullptr;
}

PyObject* delta_reduce(PyObject* self, PyObject*) {
  auto* d = as_delta(self);
  return Py_BuildValue("O(iii)", Py_TYPE(self), d->days, d->seconds, d->microseconds);
}

PyMethodDef delta_methods[] = {
    {"total_seconds", delta_total_seconds, METH_NOARGS, PyDoc_STR("Total seconds in the duration.")},
    {"__reduce__", delta_reduce, METH_NOARGS, PyDoc_STR("__reduce__() -> (cls, state)")},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef delta_members[] = {
    {"days", Py_T_INT, offsetof(PyDateTime_Delta, days), Py_READONLY, PyDoc_STR("Number of days.")},
    {"seconds", Py_T_INT, offsetof(PyDateTime_Delta, seconds), Py_READONLY, PyDoc_STR("Number of seconds (>= 0 and less than 1 day).")},
    {"microseconds", Py_T_INT, offsetof(PyDateTime_Delta, microseconds), Py_READONLY,
     PyDoc_STR("Number of microseconds (>= 0 and less than 1 second).")},
    {nullptr, 0, 0, 0, nullptr},
};

}  // namespace

PyObject* new_delta(Microseconds total, PyTypeObject* type) {
  Microseconds rest;
  const Microseconds days = floor_div(total, Microseconds{kDayMicroseconds}, &rest);
  if (days < INT_MIN || days > INT_MAX) return too_large();
  if (days < -kMaxDeltaDays || days > kMaxDeltaDays) {
    PyErr_Format(PyExc_OverflowError, "days=%d; must have magnitude <= %d", static_cast<int>(days), kMaxDeltaDays);
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  auto* d = as_delta(self);
  d->hashcode = -1;
  d->days = static_cast<int>(days);
  d->seconds = static_cast<int>(static_cast<int64_t>(rest) / kMillion);
  d->microseconds = static_cast<int>(static_cast<int64_t>(rest) % kMillion);
  return self;
}

PyObject* delta_from_parts(int days, int seconds, int microseconds, int, PyTypeObject* type) {
  return new_delta(Microseconds{days} * kDayMicroseconds + int64_t{seconds} * kMillion + microseconds, type);
}

PyObject* delta_subtract(PyObject* a, PyObject* b) { return new_delta(microseconds_of(a) - microseconds_of(b)); }

PyObject* compare(int diff, int op) { Py_RETURN_RICHCOMPARE(diff, 0, op); }

PyTypeObject delta_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "datetime.timedelta",
    .tp_basicsize = sizeof(PyDateTime_Delta),
    .tp_repr = delta_repr,
    .tp_as_number = &delta_number,
    .tp_hash = delta_hash,
    .tp_str = delta_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("Difference between two datetime values.\n\n"
                        "timedelta(days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0)\n\n"
                        "All arguments are optional and default to 0.\n"
                        "Arguments may be integers or floats, and may be positive or negative."),
    .tp_richcompare = delta_richcompare,
    .tp_methods = delta_methods,
    .tp_members = delta_members,
    .tp_new = delta_new,
};

}  // namespace ext::dt
