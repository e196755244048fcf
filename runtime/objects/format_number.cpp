// format() of int, float and complex.
#include <limits.h>
#include <math.h>

#include "objects/format.h"
#include "objects/format_spec.h"
#include "sync/ref.h"

namespace amphis {
namespace {

bool is_float_code(Py_UCS4 type) {
  return type == 'e' || type == 'E' || type == 'f' || type == 'F' || type == 'g' || type == 'G' ||
         type == '%';
}

// The text of a float by PyOS_double_to_string; owns it.
class FloatText {
 public:
  ~FloatText() { PyMem_Free(text_); }
  // `type` is the specification's, `*kind` tells finite numbers from others.
  bool make(double value, Py_UCS4 type, Py_ssize_t precision, const FormatSpec& spec, bool add_dot) {
    int flags = (spec.alternate ? Py_DTSF_ALT : 0) | (spec.no_negative_zero ? Py_DTSF_NO_NEG_0 : 0);
    bool percent = type == '%';
    Py_ssize_t default_precision = 6;
    if (type == 0) {
      if (add_dot) flags |= Py_DTSF_ADD_DOT_0;
      type = 'r';
      default_precision = 0;
    } else if (type == 'n') {
      type = 'g';
    } else if (percent) {
      type = 'f';
      value *= 100;
    }
    if (precision < 0) {
      precision = default_precision;
    } else if (type == 'r') {
      type = 'g';
    }
    if (precision > INT_MAX) {
      PyErr_SetString(PyExc_ValueError, "precision too big");
      return false;
    }
    text_ =
        PyOS_double_to_string(value, static_cast<char>(type), static_cast<int>(precision), flags, nullptr);
    if (!text_) return false;
    size_t n = strlen(text_);
    if (percent) {
      char* longer = static_cast<char*>(PyMem_Realloc(text_, n + 2));
      if (!longer) {
        PyErr_NoMemory();
        return false;
      }
      longer[n++] = '%';
      longer[n] = 0;
      text_ = longer;
    }
    negative_ = text_[0] == '-';
    length_ = static_cast<Py_ssize_t>(n) - negative_;
    return true;
  }
  NumberText parts(const FormatSpec& spec) const {
    NumberText number = split_float_text(text_ + negative_, length_);
    number.sign = sign_for(spec, negative_);
    return number;
  }
  bool negative() const { return negative_; }

 private:
  char* text_ = nullptr;
  Py_ssize_t length_ = 0;
  bool negative_ = false;
};

PyObject* format_double(double value, const FormatSpec& spec) {
  FloatText text;
  if (!text.make(value, spec.type, spec.precision, spec, true)) return nullptr;
  StrWriter out(32);
  if (!write_number(out, text.parts(spec), spec)) return nullptr;
  return out.finish();
}

PyObject* format_as_char(PyObject* value, FormatSpec& spec) {
  const char* refused = nullptr;
  if (spec.sign) {
    refused = "Sign not allowed with integer format specifier 'c'";
  } else if (spec.alternate) {
    refused = "Alternate form (#) not allowed with integer format specifier 'c'";
  }
  if (refused) {
    PyErr_SetString(PyExc_ValueError, refused);
    return nullptr;
  }
  long code = PyLong_AsLong(value);
  if (code == -1 && PyErr_Occurred()) return nullptr;
  if (code < 0 || code > static_cast<long>(kMaxCodePoint)) {
    PyErr_SetString(PyExc_OverflowError, "%c arg not in range(0x110000)");
    return nullptr;
  }
  Ref<> ch = Ref<>::steal(str_from_char(static_cast<Py_UCS4>(code)));
  if (!ch) return nullptr;
  if (spec.align == '=') spec.align = '>';
  return pad_to_spec(ch.get(), spec);
}

PyObject* format_integer(PyObject* value, FormatSpec& spec) {
  if (spec.precision != -1) {
    PyErr_SetString(PyExc_ValueError, "Precision not allowed in integer format specifier");
    return nullptr;
  }
  if (spec.no_negative_zero) {
    PyErr_SetString(PyExc_ValueError, "Negative zero coercion (z) not allowed in integer format specifier");
    return nullptr;
  }
  int base = 10;
  char prefix[3] = {'0', 0, 0};
  switch (spec.type) {
    case 'c':
      return format_as_char(value, spec);
    case 'b':
      base = 2;
      break;
    case 'o':
      base = 8;
      break;
    case 'x':
    case 'X':
      base = 16;
      break;
    default:
      break;
  }
  NumberText number;
  if (spec.alternate && base != 10) {
    prefix[1] = static_cast<char>(spec.type);
    number.prefix = prefix;
    number.prefix_length = 2;
  }
  char small[72];
  Ref<> big;
  bool negative;
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (v == -1 && !overflow && PyErr_Occurred()) return nullptr;
  Ref<> upper;
  if (!overflow) {
    negative = v < 0;
    unsigned long long magnitude =
        negative ? 0 - static_cast<unsigned long long>(v) : static_cast<unsigned long long>(v);
    const char* alphabet = spec.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char* p = small + sizeof small;
    if (base == 10) {
      do {
        *--p = static_cast<char>('0' + magnitude % 10);
        magnitude /= 10;
      } while (magnitude);
    } else {
      int shift = base == 2 ? 1 : base == 8 ? 3 : 4;
      do {
        *--p = alphabet[magnitude & static_cast<unsigned>(base - 1)];
        magnitude >>= shift;
      } while (magnitude);
    }
    number.digits = p;
    number.digits_length = small + sizeof small - p;
  } else {
    big = Ref<>::steal(PyNumber_ToBase(value, base));
    if (!big) return nullptr;
    if (spec.type == 'X') {
      upper = Ref<>::steal(PyObject_CallMethod(big.get(), "upper", nullptr));
      if (!upper) return nullptr;
      big = static_cast<Ref<>&&>(upper);
    }
    number.digits = static_cast<const char*>(PyUnicode_DATA(big.get()));
    number.digits_length = PyUnicode_GET_LENGTH(big.get());
    negative = number.digits[0] == '-';
    Py_ssize_t skip = negative + (base == 10 ? 0 : 2);
    number.digits += skip;
    number.digits_length -= skip;
  }
  number.sign = sign_for(spec, negative);
  if (spec.width <= 0 && !number.sign && !number.prefix && !spec.grouping && spec.type != 'n') {
    return str_from_ascii(number.digits, number.digits_length);
  }
  StrWriter out(number.digits_length + 8);
  if (!write_number(out, number, spec)) return nullptr;
  return out.finish();
}

}  // namespace

PyObject* format_long(PyObject* value, PyObject* spec_text) {
  FormatSpec spec;
  if (!parse_format_spec(spec_text, value, 'd', '>', &spec)) return nullptr;
  switch (spec.type) {
    case 'b':
    case 'c':
    case 'd':
    case 'o':
    case 'x':
    case 'X':
    case 'n':
      return format_integer(value, spec);
    default:
      break;
  }
  if (!is_float_code(spec.type)) return unknown_format_code(spec.type, value);
  double d = PyLong_AsDouble(value);
  if (d == -1.0 && PyErr_Occurred()) return nullptr;
  return format_double(d, spec);
}

PyObject* format_float(PyObject* value, PyObject* spec_text) {
  FormatSpec spec;
  if (!parse_format_spec(spec_text, value, 0, '>', &spec)) return nullptr;
  if (spec.type != 0 && spec.type != 'n' && !is_float_code(spec.type))
    return unknown_format_code(spec.type, value);
  double d = PyFloat_AsDouble(value);
  if (d == -1.0 && PyErr_Occurred()) return nullptr;
  return format_double(d, spec);
}

PyObject* format_complex(PyObject* value, PyObject* spec_text) {
  FormatSpec spec;
  if (!parse_format_spec(spec_text, value, 0, '>', &spec)) return nullptr;
  if (spec.type != 0 && spec.type != 'n' && (spec.type == '%' || !is_float_code(spec.type))) {
    return unknown_format_code(spec.type, value);
  }
  if (spec.fill == '0') {
    PyErr_SetString(PyExc_ValueError, "Zero padding is not allowed in complex format specifier");
    return nullptr;
  }
  if (spec.align == '=') {
    PyErr_SetString(PyExc_ValueError, "'=' alignment flag is not allowed in complex format specifier");
    return nullptr;
  }
  Py_complex z = PyComplex_AsCComplex(value);
  if (z.real == -1.0 && PyErr_Occurred()) return nullptr;
  // Without a type the text is that of repr: parentheses around two parts, and no real part where it is +0.
  bool like_repr = spec.type == 0;
  bool imaginary_only = like_repr && z.real == 0.0 && copysign(1.0, z.real) == 1.0;
  bool parentheses = like_repr && !imaginary_only;

  FloatText real, imaginary;
  if (!real.make(z.real, spec.type, spec.precision, spec, false) ||
      !imaginary.make(z.imag, spec.type, spec.precision, spec, false)) {
    return nullptr;
  }
  FormatSpec plain = spec;
  plain.width = -1;
  plain.fill = ' ';
  plain.align = '<';
  StrWriter out(48);
  if (parentheses && !out.put('(')) return nullptr;
  if (!imaginary_only) {
    if (!write_number(out, real.parts(plain), plain)) return nullptr;
    plain.sign = '+';
  }
  if (!write_number(out, imaginary.parts(plain), plain) || !out.put('j')) return nullptr;
  if (parentheses && !out.put(')')) return nullptr;
  Ref<> text = Ref<>::steal(out.finish());
  return text ? pad_to_spec(text.get(), spec) : nullptr;
}

}  // namespace amphis
