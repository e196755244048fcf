// str % args: printf-style formatting.
#include <limits.h>

#include "objects/str.h"
#include "objects/str_writer.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// One conversion: %[(key)][flags][width][.precision][length]type
struct Conversion {
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  Py_ssize_t width = -1;
  int precision = -1;
  Py_UCS4 type = 0;
  bool numeric = false;
};

// Where values come from: a tuple in order, one object, or a mapping by key.
class Values {
 public:
  explicit Values(PyObject* args) : args_(args) {
    is_tuple_ = PyTuple_Check(args);
    if (is_tuple_) {
      count_ = PyTuple_GET_SIZE(args);
    } else {
      count_ = 1;
    }
    has_keys_ = !is_tuple_ && !PyUnicode_Check(args) && PyMapping_Check(args);
  }
  bool has_keys() const { return has_keys_; }
  // Makes `value` (a new reference) the only value of the conversion at hand.
  void use_keyed(PyObject* value) {
    keyed_ = Ref<>::steal(value);
    keyed_used_ = false;
    by_key_ = true;
  }
  PyObject* mapping() const { return args_; }

  // Borrowed; null with TypeError when there is none left.
  PyObject* next() {
    if (by_key_) {
      if (!keyed_used_) {
        keyed_used_ = true;
        return keyed_.get();
      }
    } else if (at_ < count_) {
      Py_ssize_t i = at_++;
      return is_tuple_ ? PyTuple_GET_ITEM(args_, i) : args_;
    }
    PyErr_SetString(PyExc_TypeError, "not enough arguments for format string");
    return nullptr;
  }
  bool all_used() const { return has_keys_ || by_key_ || at_ >= count_; }

 private:
  PyObject* args_;
  Ref<> keyed_;
  Py_ssize_t at_ = 0, count_;
  bool is_tuple_, has_keys_, by_key_ = false, keyed_used_ = false;
};

class PercentFormatter {
 public:
  PercentFormatter(PyObject* format, PyObject* args)
      : format_(format), s_(format), values_(args), out_(s_.length + 100) {}

  PyObject* run() {
    while (at_ < s_.length) {
      Py_ssize_t start = at_;
      Py_ssize_t percent = PyUnicode_FindChar(format_, '%', at_, s_.length, 1);
      if (percent == -1) percent = s_.length;
      if (percent > start && !out_.put_slice(format_, start, percent)) return nullptr;
      at_ = percent;
      if (at_ == s_.length) break;
      at_++;
      if (!convert()) return nullptr;
    }
    if (!values_.all_used()) {
      PyErr_SetString(PyExc_TypeError, "not all arguments converted during string formatting");
      return nullptr;
    }
    return out_.finish();
  }

 private:
  bool fail(PyObject* exception, const char* message) {
    PyErr_SetString(exception, message);
    return false;
  }
  bool more() { return at_ < s_.length || fail(PyExc_ValueError, "incomplete format"); }

  bool read_key() {
    if (!values_.has_keys()) return fail(PyExc_TypeError, "format requires a mapping");
    Py_ssize_t start = ++at_;
    int depth = 1;
    while (depth > 0) {
      if (at_ >= s_.length) return fail(PyExc_ValueError, "incomplete format key");
      Py_UCS4 ch = s_[at_++];
      depth += (ch == '(') - (ch == ')');
    }
    Ref<> key = Ref<>::steal(str_slice(format_, start, at_ - 1));
    if (!key) return false;
    PyObject* value = PyObject_GetItem(values_.mapping(), key.get());
    if (!value) return false;
    values_.use_keyed(value);
    return true;
  }

  bool read_digits(Py_ssize_t limit, const char* too_big, Py_ssize_t* value) {
    Py_ssize_t v = 0;
    while (at_ < s_.length && s_[at_] >= '0' && s_[at_] <= '9') {
      int digit = static_cast<int>(s_[at_++] - '0');
      if (v > (limit - digit) / 10) return fail(PyExc_ValueError, too_big);
      v = v * 10 + digit;
    }
    *value = v;
    return true;
  }

  bool read_star(Py_ssize_t* value, bool as_int) {
    at_++;
    PyObject* v = values_.next();
    if (!v) return false;
    if (!PyLong_Check(v)) return fail(PyExc_TypeError, "* wants int");
    *value = as_int ? PyLong_AsInt(v) : PyLong_AsSsize_t(v);
    return *value != -1 || !PyErr_Occurred();
  }

  bool read(Conversion& c) {
    if (!more()) return false;
    if (s_[at_] == '(' && !read_key()) return false;
    for (; at_ < s_.length; at_++) {
      Py_UCS4 ch = s_[at_];
      if (ch == '-')
        c.left = true;
      else if (ch == '+')
        c.plus = true;
      else if (ch == ' ')
        c.space = true;
      else if (ch == '#')
        c.alternate = true;
      else if (ch == '0')
        c.zero = true;
      else
        break;
    }
    if (at_ < s_.length && s_[at_] == '*') {
      if (!read_star(&c.width, false)) return false;
      if (c.width < 0) {
        if (c.width == PY_SSIZE_T_MIN) return fail(PyExc_OverflowError, "width too big");
        c.left = true;
        c.width = -c.width;
      }
    } else if (at_ < s_.length && s_[at_] >= '0' && s_[at_] <= '9') {
      if (!read_digits(PY_SSIZE_T_MAX, "width too big", &c.width)) return false;
    }
    if (at_ < s_.length && s_[at_] == '.') {
      at_++;
      Py_ssize_t precision = 0;
      if (at_ < s_.length && s_[at_] == '*') {
        if (!read_star(&precision, true)) return false;
        if (precision < 0) precision = 0;
      } else if (!read_digits(INT_MAX, "precision too big", &precision)) {
        return false;
      }
      c.precision = static_cast<int>(precision);
    }
    if (at_ < s_.length && (s_[at_] == 'h' || s_[at_] == 'l' || s_[at_] == 'L')) at_++;
    if (!more()) return false;
    c.type = s_[at_++];
    return true;
  }

  bool convert() {
    if (at_ < s_.length && s_[at_] == '%') {
      at_++;
      return out_.put('%');
    }
    Conversion c;
    if (!read(c)) return false;
    PyObject* value = values_.next();
    if (!value) return false;
    switch (c.type) {
      case 's':
        if (PyUnicode_CheckExact(value)) return put_text(value, c);
        return put_new_text(PyObject_Str(value), c);
      case 'r':
        return put_new_text(PyObject_Repr(value), c);
      case 'a':
        return put_new_text(PyObject_ASCII(value), c);
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return put_integer(value, c);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return put_float(value, c);
      case 'c':
        return put_char(value, c);
      default:
        PyErr_Format(PyExc_ValueError, "unsupported format character '%c' (0x%x) at index %zd",
                     31 <= c.type && c.type <= 126 ? static_cast<int>(c.type) : '?',
                     static_cast<unsigned>(c.type), at_ - 1);
        return false;
    }
  }

  bool put_text(PyObject* text, const Conversion& c) {
    Py_ssize_t n = PyUnicode_GET_LENGTH(text);
    if (c.precision >= 0 && n > c.precision) n = c.precision;
    Py_ssize_t padding = c.width > n ? c.width - n : 0;
    return (c.left || out_.put_fill(' ', padding)) && out_.put_slice(text, 0, n) &&
           (!c.left || out_.put_fill(' ', padding));
  }
  bool put_new_text(PyObject* text, const Conversion& c) {
    Ref<> owned = Ref<>::steal(text);
    return owned && put_text(owned.get(), c);
  }

  bool put_char(PyObject* value, const Conversion& c) {
    Py_UCS4 ch;
    if (PyUnicode_Check(value)) {
      if (PyUnicode_GET_LENGTH(value) != 1) {
        PyErr_Format(PyExc_TypeError,
                     "%%c requires an int or a unicode character, not a string of length %zd",
                     PyUnicode_GET_LENGTH(value));
        return false;
      }
      ch = PyUnicode_READ_CHAR(value, 0);
    } else {
      int overflow;
      if (!PyIndex_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%%c requires an int or a unicode character, not %T", value);
        return false;
      }
      Ref<> index = Ref<>::steal(PyNumber_Index(value));
      if (!index) return false;
      long code = PyLong_AsLongAndOverflow(index.get(), &overflow);
      if (code == -1 && PyErr_Occurred()) return false;
      if (overflow || code < 0 || code > static_cast<long>(kMaxCodePoint)) {
        return fail(PyExc_OverflowError, "%c arg not in range(0x110000)");
      }
      ch = static_cast<Py_UCS4>(code);
    }
    Py_ssize_t padding = c.width > 1 ? c.width - 1 : 0;
    return (c.left || out_.put_fill(' ', padding)) && out_.put(ch) &&
           (!c.left || out_.put_fill(' ', padding));
  }

  // Sign, prefix, zeros and digits, padded.
  bool put_number(bool negative, const char* prefix, Py_ssize_t prefix_length, Py_ssize_t zeros,
                  const char* digits, Py_ssize_t n, const Conversion& c) {
    char sign = negative ? '-' : c.plus ? '+' : c.space ? ' ' : 0;
    Py_ssize_t total = (sign != 0) + prefix_length + zeros + n;
    Py_ssize_t padding = c.width > total ? c.width - total : 0;
    if (padding && !c.left && c.zero) {
      zeros += padding;
      padding = 0;
    }
    if (!c.left && !out_.put_fill(' ', padding)) return false;
    if (sign && !out_.put(static_cast<Py_UCS4>(sign))) return false;
    return out_.put_ascii(prefix, prefix_length) && out_.put_fill('0', zeros) && out_.put_ascii(digits, n) &&
           (!c.left || out_.put_fill(' ', padding));
  }

  bool wrong_number(PyObject* value, const Conversion& c, bool real) {
    PyErr_Format(PyExc_TypeError,
                 real ? "%%%c format: a real number is required, not %.200s"
                      : "%%%c format: an integer is required, not %.200s",
                 static_cast<int>(c.type), Py_TYPE(value)->tp_name);
    return false;
  }

  bool put_integer(PyObject* value, const Conversion& c) {
    bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
    Ref<> owned;
    PyObject* number = value;
    if (!PyLong_Check(value)) {
      if (!PyNumber_Check(value)) return wrong_number(value, c, decimal);
      owned = Ref<>::steal(decimal ? PyNumber_Long(value) : PyNumber_Index(value));
      if (!owned) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) return false;
        PyErr_Clear();
        return wrong_number(value, c, decimal);
      }
      number = owned.get();
    }
    char prefix[2] = {'0', static_cast<char>(c.type)};
    Py_ssize_t prefix_length = c.alternate && !decimal ? 2 : 0;
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (v == -1 && !overflow && PyErr_Occurred()) return false;
    if (!overflow) {
      char small[72];
      char* p = small + sizeof small;
      unsigned long long magnitude =
          v < 0 ? 0 - static_cast<unsigned long long>(v) : static_cast<unsigned long long>(v);
      if (decimal) {
        do {
          *--p = static_cast<char>('0' + magnitude % 10);
          magnitude /= 10;
        } while (magnitude);
      } else {
        const char* alphabet = c.type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
        int shift = c.type == 'o' ? 3 : 4;
        do {
          *--p = alphabet[magnitude & ((1u << shift) - 1)];
          magnitude >>= shift;
        } while (magnitude);
      }
      Py_ssize_t n = small + sizeof small - p;
      return put_number(v<0, prefix, prefix_length, c.precision> n ? c.precision - n : 0, p, n, c);
    }
    Ref<> text = Ref<>::steal(PyNumber_ToBase(number, decimal ? 10 : c.type == 'o' ? 8 : 16));
    if (text && c.type == 'X') text = Ref<>::steal(PyObject_CallMethod(text.get(), "upper", nullptr));
    if (!text) return false;
    const char* digits = static_cast<const char*>(PyUnicode_DATA(text.get()));
    bool negative = digits[0] == '-';
    Py_ssize_t skip = negative + (decimal ? 0 : 2);
    Py_ssize_t n = PyUnicode_GET_LENGTH(text.get()) - skip;
    return put_number(negative, prefix, prefix_length, c.precision > n ? c.precision - n : 0, digits + skip,
                      n, c);
  }

  bool put_float(PyObject* value, const Conversion& c) {
    double d = PyFloat_AsDouble(value);
    if (d == -1.0 && PyErr_Occurred()) return false;
    char* text = PyOS_double_to_string(d, static_cast<char>(c.type), c.precision < 0 ? 6 : c.precision,
                                       c.alternate ? Py_DTSF_ALT : 0, nullptr);
    if (!text) return false;
    bool negative = text[0] == '-';
    const char* digits = text + negative;
    bool ok = put_number(negative, "", 0, 0, digits, static_cast<Py_ssize_t>(strlen(digits)), c);
    PyMem_Free(text);
    return ok;
  }

  PyObject* format_;
  StrView s_;
  Values values_;
  StrWriter out_;
  Py_ssize_t at_ = 0;
};

}  // namespace

PyObject* str_percent_format(PyObject* format, PyObject* args) {
  return PercentFormatter(format, args).run();
}

}  // namespace amphis

extern "C" PyObject* PyUnicode_Format(PyObject* format, PyObject* args) {
  if (!format || !args) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (!amphis::require_str(format)) return nullptr;
  return amphis::str_percent_format(format, args);
}
