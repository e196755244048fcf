// The methods of `float`: rounding, ratios, hexadecimal text, formatting.
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstring>

#include "capi/getargs.h"
#include "objects/float.h"
#include "objects/format.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {

bool float_round(double value, int64_t digits, double* result) {
  // Beyond these, every float is already rounded, or rounds to zero.
  constexpr int64_t kMaxDigits = static_cast<int64_t>((DBL_MANT_DIG - DBL_MIN_EXP) * 0.30103);
  constexpr int64_t kMinDigits = -static_cast<int64_t>((DBL_MAX_EXP + 1) * 0.30103);
  if (!std::isfinite(value) || digits > kMaxDigits || value == 0.0) {
    *result = value;
    return true;
  }
  if (digits < kMinDigits) {
    *result = 0.0 * value;
    return true;
  }
  const double magnitude = std::fabs(value);
  if (digits >= 0 && digits <= 15) {
    // Scaled, the value is off by half a unit in the last place at most. Unless that matters for which way to round, the
    // whole number is right, and dividing two exact numbers rounds as reading the decimal text would.
    static constexpr double kTens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const double scaled = magnitude * kTens[digits];
    if (scaled < 2251799813685248.0) {
      const double whole = std::floor(scaled);
      const double above_half = scaled - whole - 0.5;
      if (std::fabs(above_half) > scaled * 4.5e-16 + 1e-300) {
        *result = std::copysign((above_half > 0 ? whole + 1.0 : whole) / kTens[digits], value);
        return true;
      }
    }
  }
  char text[800];
  char* end = text;
  if (digits >= 0) {
    end = std::to_chars(text, text + sizeof(text), magnitude, std::chars_format::fixed, static_cast<int>(digits)).ptr;
  } else {
    // Significant digits that stay; the exponent comes from the exact expansion.
    end = std::to_chars(text, text + sizeof(text), magnitude, std::chars_format::scientific, 766).ptr;
    int exponent = 0;
    const char* e = static_cast<const char*>(std::memchr(text, 'e', static_cast<size_t>(end - text)));
    std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
    const int64_t significant = exponent + 1 + digits;
    if (significant > 0) {
      end = std::to_chars(text, text + sizeof(text), magnitude, std::chars_format::scientific,
                          static_cast<int>(significant) - 1)
                .ptr;
    } else {
      // Zero or one unit: above half a unit it is one, and half a unit goes to the even zero.
      bool above = false;
      if (significant == 0) {
        above = text[0] > '5';
        for (const char* p = text + 2; !above && text[0] == '5' && p != e; ++p) above = *p != '0';
      }
      if (!above) {
        *result = std::copysign(0.0, value);
        return true;
      }
      text[0] = '1';
      text[1] = 'e';
      end = std::to_chars(text + 2, text + sizeof(text), -digits).ptr;
    }
  }
  const char* stop;
  const double rounded = parse_double(text, end, &stop);
  if (std::isinf(rounded)) {
    PyErr_SetString(PyExc_OverflowError, "rounded value too large to represent");
    return false;
  }
  *result = std::copysign(rounded, value);
  return true;
}

namespace {

PyObject* exact(PyObject* v) { return PyFloat_CheckExact(v) ? Py_NewRef(v) : float_from_double(float_value(v)); }

PyObject* conjugate(PyObject* self, PyObject*) { return exact(self); }
PyObject* trunc_method(PyObject* self, PyObject*) { return PyLong_FromDouble(float_value(self)); }
PyObject* floor_method(PyObject* self, PyObject*) { return PyLong_FromDouble(std::floor(float_value(self))); }
PyObject* ceil_method(PyObject* self, PyObject*) { return PyLong_FromDouble(std::ceil(float_value(self))); }

PyObject* is_integer(PyObject* self, PyObject*) {
  const double v = float_value(self);
  return PyBool_FromLong(std::isfinite(v) && std::floor(v) == v);
}

PyObject* round_method(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__round__", nargs, 0, 1)) return nullptr;
  const double value = float_value(self);
  // Rounding modes are never changed: rint rounds half to even.
  if (nargs == 0 || args[0] == Py_None) return PyLong_FromDouble(std::rint(value));
  const Py_ssize_t digits = PyNumber_AsSsize_t(args[0], nullptr);
  if (digits == -1 && PyErr_Occurred()) return nullptr;
  double result;
  return float_round(value, digits, &result) ? float_from_double(result) : nullptr;
}

PyObject* as_integer_ratio(PyObject* self, PyObject*) {
  const double value = float_value(self);
  if (std::isinf(value)) {
    PyErr_SetString(PyExc_OverflowError, "cannot convert Infinity to integer ratio");
    return nullptr;
  }
  if (std::isnan(value)) {
    PyErr_SetString(PyExc_ValueError, "cannot convert NaN to integer ratio");
    return nullptr;
  }
  int exponent;
  double fraction = std::frexp(value, &exponent);
  auto mantissa = static_cast<int64_t>(std::ldexp(fraction, DBL_MANT_DIG));
  exponent -= DBL_MANT_DIG;
  if (mantissa == 0) return PyTuple_Pack(2, small_int(0), small_int(1));
  const int zeros = __builtin_ctzll(static_cast<uint64_t>(mantissa));
  mantissa >>= zeros;
  exponent += zeros;
  auto numerator = Ref<>::steal(int_from_int64(mantissa));
  auto denominator = Ref<>::steal(small_int(1));
  if (!numerator) return nullptr;
  if (exponent > 0) {
    numerator = Ref<>::steal(int_shift_left(numerator.get(), exponent));
  } else {
    denominator = Ref<>::steal(int_shift_left(denominator.get(), -exponent));
  }
  if (!numerator || !denominator) return nullptr;
  return PyTuple_Pack(2, numerator.get(), denominator.get());
}

PyObject* hex(PyObject* self, PyObject*) {
  const double value = float_value(self);
  if (!std::isfinite(value)) return PyObject_Repr(self);
  if (value == 0.0) return PyUnicode_FromString(std::signbit(value) ? "-0x0.0p+0" : "0x0.0p+0");
  int exponent;
  double fraction = std::frexp(std::fabs(value), &exponent);
  // One bit before the point; subnormals keep the smallest exponent and start with 0.
  const int shift = 1 - std::max(DBL_MIN_EXP - exponent, 0);
  fraction = std::ldexp(fraction, shift);
  exponent -= shift;
  const auto bits = static_cast<uint64_t>(std::ldexp(fraction, 52));
  char digits[16];
  for (int i = 0; i < 13; ++i) digits[i] = "0123456789abcdef"[(bits >> (48 - 4 * i)) & 15];
  digits[13] = '\0';
  return PyUnicode_FromFormat("%s0x%d.%sp%c%d", value < 0 ? "-" : "", static_cast<int>(bits >> 52), digits,
                              exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

int hex_digit(char c) {
  const int value = _PyLong_DigitValue[static_cast<unsigned char>(c)];
  return value < 16 ? value : -1;
}

enum class HexResult { kOk, kMalformed, kOverflow };

// [sign] ["0x"] hex digits with a point ["p" exponent]; or inf, infinity, nan. Rounds half to even once.
HexResult parse_hex(const char* p, const char* limit, double* result) {
  while (p != limit && Py_ISSPACE(*p)) ++p;
  while (limit != p && Py_ISSPACE(limit[-1])) --limit;
  if (p == limit) return HexResult::kMalformed;
  const char* end;
  const char* word = *p == '-' || *p == '+' ? p + 1 : p;
  if (word != limit && ((*word | 0x20) == 'i' || (*word | 0x20) == 'n')) {
    *result = parse_double(p, limit, &end);
    return end == limit ? HexResult::kOk : HexResult::kMalformed;
  }
  const bool negative = *p == '-';
  p = word;
  if (limit - p >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x') p += 2;
  // The first 64 significant bits exactly, the rest as one sticky bit.
  uint64_t mantissa = 0;
  int64_t exponent = 0;
  bool sticky = false, point = false;
  int64_t digits = 0;
  for (; p != limit; ++p) {
    if (*p == '.') {
      if (point) return HexResult::kMalformed;
      point = true;
      continue;
    }
    const int digit = hex_digit(*p);
    if (digit < 0) break;
    ++digits;
    if (mantissa >> 60 == 0) {
      mantissa = mantissa << 4 | static_cast<uint64_t>(digit);
      if (point) exponent -= 4;
    } else {
      sticky |= digit != 0;
      if (!point) exponent += 4;
    }
  }
  if (digits == 0) return HexResult::kMalformed;
  if (p != limit && (*p | 0x20) == 'p') {
    ++p;
    const bool negative_exponent = p != limit && *p == '-';
    if (p != limit && (*p == '-' || *p == '+')) ++p;
    if (p == limit) return HexResult::kMalformed;
    int64_t e = 0;
    for (; p != limit && *p >= '0' && *p <= '9'; ++p) {
      if (e < int64_t{1} << 58) e = e * 10 + (*p - '0');
    }
    exponent += negative_exponent ? -e : e;
  }
  if (p != limit) return HexResult::kMalformed;
  const double sign = negative ? -1.0 : 1.0;
  if (mantissa == 0) {
    *result = std::copysign(0.0, sign);
    return HexResult::kOk;
  }
  const int length = 64 - __builtin_clzll(mantissa);
  const int64_t top = exponent + length;  // value < 2**top
  if (top > DBL_MAX_EXP) return HexResult::kOverflow;
  if (top < DBL_MIN_EXP - DBL_MANT_DIG) {
    *result = std::copysign(0.0, sign);
    return HexResult::kOk;
  }
  // The lowest bit that the result can have.
  const int64_t lowest = std::max<int64_t>(top - DBL_MANT_DIG, DBL_MIN_EXP - DBL_MANT_DIG);
  const int64_t drop = lowest - exponent;
  if (drop > 0) {
    if (drop > 64) {
      mantissa = 0;
    } else {
      const uint64_t half = uint64_t{1} << (drop - 1);
      const bool above_half = (mantissa & (half - 1)) != 0 || sticky;
      const bool at_half = (mantissa & half) != 0;
      mantissa = drop == 64 ? 0 : mantissa >> drop;
      if (at_half && (above_half || (mantissa & 1))) ++mantissa;
    }
    exponent = lowest;
  }
  const double magnitude = std::ldexp(static_cast<double>(mantissa), static_cast<int>(exponent));
  if (std::isinf(magnitude)) return HexResult::kOverflow;
  *result = magnitude * sign;
  return HexResult::kOk;
}

PyObject* of_class(PyObject* type, PyObject* value) {
  if (value == nullptr || type == reinterpret_cast<PyObject*>(&PyFloat_Type)) return value;
  auto number = Ref<>::steal(value);
  return PyObject_CallOneArg(type, number.get());
}

PyObject* fromhex(PyObject* type, PyObject* text) {
  Py_ssize_t length;
  const char* p = PyUnicode_AsUTF8AndSize(text, &length);
  if (p == nullptr) return nullptr;
  double value;
  switch (parse_hex(p, p + length, &value)) {
    case HexResult::kOk:
      return of_class(type, float_from_double(value));
    case HexResult::kMalformed:
      PyErr_SetString(PyExc_ValueError, "invalid hexadecimal floating-point string");
      return nullptr;
    case HexResult::kOverflow:
      PyErr_SetString(PyExc_OverflowError, "hexadecimal value too large to represent as a float");
      break;
  }
  return nullptr;
}

PyObject* from_number(PyObject* type, PyObject* number) {
  if (PyFloat_CheckExact(number) && type == reinterpret_cast<PyObject*>(&PyFloat_Type)) return Py_NewRef(number);
  const double value = PyFloat_AsDouble(number);
  if (value == -1.0 && PyErr_Occurred()) return nullptr;
  return of_class(type, float_from_double(value));
}

PyObject* getnewargs(PyObject* self, PyObject*) { return Py_BuildValue("(d)", float_value(self)); }

PyObject* format(PyObject* self, PyObject* spec) {
  if (!PyUnicode_Check(spec)) {
    _PyArg_BadArgument("__format__", "argument", "str", spec);
    return nullptr;
  }
  if (PyUnicode_GET_LENGTH(spec) == 0) return PyObject_Str(self);
  return format_float(self, spec);
}

PyObject* getformat(PyObject*, PyObject* kind) {
  if (!PyUnicode_Check(kind)) {
    _PyArg_BadArgument("__getformat__", "argument", "str", kind);
    return nullptr;
  }
  if (!PyUnicode_EqualToUTF8(kind, "double") && !PyUnicode_EqualToUTF8(kind, "float")) {
    PyErr_SetString(PyExc_ValueError, "__getformat__() argument 1 must be 'double' or 'float'");
    return nullptr;
  }
  return PyUnicode_FromString(PY_LITTLE_ENDIAN ? "IEEE, little-endian" : "IEEE, big-endian");
}

PyObject* get_real(PyObject* self, void*) { return exact(self); }
PyObject* get_imag(PyObject*, void*) { return float_from_double(0.0); }

}  // namespace

PyMethodDef float_methods[] = {
    {"from_number", from_number, METH_O | METH_CLASS,
     "from_number($type, number, /)\n--\n\nA float from a real number; text is not accepted."},
    {"conjugate", conjugate, METH_NOARGS, "conjugate($self, /)\n--\n\nThe complex conjugate of a float: the float itself."},
    {"__trunc__", trunc_method, METH_NOARGS, "__trunc__($self, /)\n--\n\nThe integer between 0 and the float that is closest to it."},
    {"__floor__", floor_method, METH_NOARGS, "__floor__($self, /)\n--\n\nThe largest integer that is not above the float."},
    {"__ceil__", ceil_method, METH_NOARGS, "__ceil__($self, /)\n--\n\nThe smallest integer that is not below the float."},
    {"__round__", _PyCFunction_CAST(round_method), METH_FASTCALL,
     "__round__($self, ndigits=None, /)\n--\n\n"
     "The float rounded to ndigits decimals, ties to even.\n\nWithout ndigits, or with None, the result is an int."},
    {"as_integer_ratio", as_integer_ratio, METH_NOARGS,
     "as_integer_ratio($self, /)\n--\n\n"
     "A pair of integers, in lowest terms and with a positive denominator, whose ratio is exactly the float."},
    {"fromhex", fromhex, METH_O | METH_CLASS,
     "fromhex($type, string, /)\n--\n\nA float from hexadecimal text.\n\n>>> float.fromhex('0x1.8p3')\n12.0"},
    {"hex", hex, METH_NOARGS,
     "hex($self, /)\n--\n\nThe float as hexadecimal text.\n\n>>> (12.0).hex()\n'0x1.8000000000000p+3'"},
    {"is_integer", is_integer, METH_NOARGS, "is_integer($self, /)\n--\n\nWhether the float is a whole number."},
    {"__getnewargs__", getnewargs, METH_NOARGS, "__getnewargs__($self, /)\n--\n\n"},
    {"__getformat__", getformat, METH_O | METH_CLASS,
     "__getformat__($type, typestr, /)\n--\n\n"
     "How C's 'double' or 'float' is represented. For the test suite."},
    {"__format__", format, METH_O,
     "__format__($self, format_spec, /)\n--\n\nThe float as text, by a format specification."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef float_getset[] = {
    {"real", get_real, nullptr, "the real part of a complex number", nullptr},
    {"imag", get_imag, nullptr, "the imaginary part of a complex number", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace amphis
