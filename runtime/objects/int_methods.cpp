// The methods of `int`.
#include "capi/getargs.h"
#include "objects/format.h"
#include "objects/int_detail.h"
#include "sync/ref.h"

namespace amphis {
namespace {

PyObject* exact(PyObject* v) { return PyLong_CheckExact(v) ? Py_NewRef(v) : _PyLong_Copy(as_long(v)); }

PyObject* self_as_int(PyObject* self, PyObject*) { return exact(self); }

PyObject* is_integer(PyObject*, PyObject*) { Py_RETURN_TRUE; }

PyObject* bit_length(PyObject* self, PyObject*) { return int_from_int64(int_bit_length(self)); }

PyObject* bit_count(PyObject* self, PyObject*) {
  int64_t ones = 0;
  const Digit* d = digits_of(self);
  for (size_t i = 0; i < digit_count(self); ++i) ones += __builtin_popcount(d[i]);
  return int_from_int64(ones);
}

PyObject* as_integer_ratio(PyObject* self, PyObject*) {
  auto numerator = Ref<>::steal(exact(self));
  return numerator ? PyTuple_Pack(2, numerator.get(), small_int(1)) : nullptr;
}

PyObject* getnewargs(PyObject* self, PyObject*) {
  auto value = Ref<>::steal(_PyLong_Copy(as_long(self)));
  return value ? PyTuple_Pack(1, value.get()) : nullptr;
}

PyObject* size_of(PyObject* self, PyObject*) {
  const size_t count = digit_count(self);
  return int_from_int64(Py_TYPE(self)->tp_basicsize + static_cast<int64_t>((count == 0 ? 1 : count) * sizeof(Digit)));
}

PyObject* format(PyObject* self, PyObject* spec) {
  if (!PyUnicode_Check(spec)) {
    _PyArg_BadArgument("__format__", "argument", "str", spec);
    return nullptr;
  }
  if (PyUnicode_GET_LENGTH(spec) == 0) {
    return PyLong_CheckExact(self) ? int_to_text(self, 10, false) : PyObject_Str(self);
  }
  return format_long(self, spec);
}

// To a multiple of 10**-ndigits, ties to even.
PyObject* round_method(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__round__", nargs, 0, 1)) return nullptr;
  if (nargs == 0 || args[0] == Py_None) return exact(self);
  auto places = Ref<>::steal(PyNumber_Index(args[0]));
  if (!places) return nullptr;
  if (int_sign(places.get()) >= 0) return exact(self);
  auto exponent = Ref<>::steal(int_neg(places.get()));
  if (!exponent) return nullptr;
  int64_t tens;
  // 10**tens beyond twice the number: the result is zero, whatever the exact power.
  if (!int_to_int64(exponent.get(), &tens) || tens > int_bit_length(self)) return small_int(0);
  auto unit = Ref<>::steal(int_pow(small_int(10), exponent.get(), Py_None));
  if (!unit) return nullptr;
  auto pair = Ref<>::steal(_PyLong_DivmodNear(self, unit.get()));
  return pair ? int_sub(self, PyTuple_GET_ITEM(pair.get(), 1)) : nullptr;
}

// 1: little, 0: big, -1 with an exception. `order` may be null.
int is_little_endian(PyObject* order, const char* function, int fallback) {
  if (order == nullptr) return fallback;
  if (!PyUnicode_Check(order)) {
    _PyArg_BadArgument(function, "argument 'byteorder'", "str", order);
    return -1;
  }
  if (PyUnicode_EqualToUTF8AndSize(order, "little", 6)) return 1;
  if (PyUnicode_EqualToUTF8AndSize(order, "big", 3)) return 0;
  PyErr_SetString(PyExc_ValueError, "byteorder must be either 'little' or 'big'");
  return -1;
}

PyObject* to_bytes(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"length", "byteorder", "signed", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, nargs, kwnames, {"to_bytes", kNames, 2, 0}, given)) return nullptr;
  Py_ssize_t length = 1;
  if (given[0] != nullptr) {
    auto index = Ref<>::steal(_PyNumber_Index(given[0]));
    if (!index) return nullptr;
    length = PyLong_AsSsize_t(index.get());
    if (length == -1 && PyErr_Occurred()) return nullptr;
  }
  const int little = is_little_endian(given[1], "to_bytes", 0);
  if (little < 0) return nullptr;
  int is_signed = 0;
  if (given[2] != nullptr && (is_signed = PyObject_IsTrue(given[2])) < 0) return nullptr;
  if (length < 0) {
    PyErr_SetString(PyExc_ValueError, "length argument must be non-negative");
    return nullptr;
  }
  auto bytes = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, length));
  if (!bytes) return nullptr;
  if (_PyLong_AsByteArray(as_long(self), reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(bytes.get())),
                          static_cast<size_t>(length), little, is_signed, 1) < 0) {
    return nullptr;
  }
  return bytes.release();
}

PyObject* from_bytes(PyObject* type, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"bytes", "byteorder", "signed", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, nargs, kwnames, {"from_bytes", kNames, 2, 1}, given)) return nullptr;
  const int little = is_little_endian(given[1], "from_bytes", 0);
  if (little < 0) return nullptr;
  int is_signed = 0;
  if (given[2] != nullptr && (is_signed = PyObject_IsTrue(given[2])) < 0) return nullptr;
  auto bytes = Ref<>::steal(PyBytes_CheckExact(given[0]) ? Py_NewRef(given[0]) : PyObject_Bytes(given[0]));
  if (!bytes) return nullptr;
  PyObject* result = _PyLong_FromByteArray(reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(bytes.get())),
                                           static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())), little, is_signed);
  if (result == nullptr || type == reinterpret_cast<PyObject*>(&PyLong_Type)) return result;
  auto value = Ref<>::steal(result);
  return PyObject_CallOneArg(type, value.get());
}

PyObject* get_self(PyObject* self, void*) { return exact(self); }
PyObject* get_zero(PyObject*, void*) { return small_int(0); }
PyObject* get_one(PyObject*, void*) { return small_int(1); }

}  // namespace

PyMethodDef int_methods[] = {
    {"conjugate", self_as_int, METH_NOARGS, "conjugate($self, /)\n--\n\nThe complex conjugate of an int: the int itself."},
    {"bit_length", bit_length, METH_NOARGS,
     "bit_length($self, /)\n--\n\nHow many bits the absolute value has in binary.\n\n>>> (37).bit_length()\n6"},
    {"bit_count", bit_count, METH_NOARGS,
     "bit_count($self, /)\n--\n\nHow many ones the absolute value has in binary.\n\n>>> (13).bit_count()\n3"},
    {"to_bytes", _PyCFunction_CAST(to_bytes), METH_FASTCALL | METH_KEYWORDS,
     "to_bytes($self, /, length=1, byteorder='big', *, signed=False)\n--\n\n"
     "The integer as `length` bytes, the most significant first ('big') or last ('little').\n\n"
     "With signed=True negative numbers are written as two's complement; otherwise they, and\n"
     "numbers that do not fit, raise OverflowError."},
    {"from_bytes", _PyCFunction_CAST(from_bytes), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "from_bytes($type, /, bytes, byteorder='big', *, signed=False)\n--\n\n"
     "The integer that an array of bytes represents.\n\n"
     "`bytes` is a bytes-like object or an iterable of ints; signed says whether it is two's complement."},
    {"as_integer_ratio", as_integer_ratio, METH_NOARGS,
     "as_integer_ratio($self, /)\n--\n\nA pair of integers whose ratio is the int: itself and 1."},
    {"__trunc__", self_as_int, METH_NOARGS, "__trunc__($self, /)\n--\n\nTruncating an int returns the int."},
    {"__floor__", self_as_int, METH_NOARGS, "__floor__($self, /)\n--\n\nThe floor of an int is the int."},
    {"__ceil__", self_as_int, METH_NOARGS, "__ceil__($self, /)\n--\n\nThe ceiling of an int is the int."},
    {"__round__", _PyCFunction_CAST(round_method), METH_FASTCALL,
     "__round__($self, ndigits=None, /)\n--\n\nThe int rounded to a multiple of 10**-ndigits, ties to even."},
    {"__getnewargs__", getnewargs, METH_NOARGS, "__getnewargs__($self, /)\n--\n\n"},
    {"__format__", format, METH_O, "__format__($self, format_spec, /)\n--\n\nThe int as text, by a format specification."},
    {"__sizeof__", size_of, METH_NOARGS, "__sizeof__($self, /)\n--\n\nThe size in memory, in bytes."},
    {"is_integer", is_integer, METH_NOARGS, "is_integer($self, /)\n--\n\nTrue, as for a float without a fraction."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef int_getset[] = {
    {"real", get_self, nullptr, "the real part of a complex number", nullptr},
    {"imag", get_zero, nullptr, "the imaginary part of a complex number", nullptr},
    {"numerator", get_self, nullptr, "the numerator of a rational number in lowest terms", nullptr},
    {"denominator", get_one, nullptr, "the denominator of a rational number in lowest terms", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace amphis
