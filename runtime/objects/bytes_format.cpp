// bytes % args and bytearray % args.
#include <algorithm>
#include <climits>
#include <cstring>

#include "objects/bytes_span.h"
#include "objects/container_support.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// One conversion: %[(key)][flags][width][.precision][length]type.
struct Conversion {
  bool left = false, plus = false, space = false, alternate = false, zero = false;
  Py_ssize_t width = -1;
  int precision = -1;
  char type = '\0';
};

class Formatter {
 public:
  Formatter(ByteSpan format, PyObject* args, ByteBuilder* out)
      : p_(format.data), start_(format.data), end_(format.end()), args_(args), out_(out) {
    if (PyTuple_Check(args)) {
      count_ = PyTuple_GET_SIZE(args);
      is_tuple_ = true;
    }
    // A mapping also stands for itself as the only argument.
    is_mapping_ = !is_tuple_ && Py_TYPE(args)->tp_as_mapping != nullptr &&
                  Py_TYPE(args)->tp_as_mapping->mp_subscript != nullptr && !PyBytes_Check(args) &&
                  !PyUnicode_Check(args) && !PyByteArray_Check(args);
  }

  bool run() {
    while (p_ != end_) {
      const void* percent = std::memchr(p_, '%', static_cast<size_t>(end_ - p_));
      const uint8_t* stop = percent == nullptr ? end_ : static_cast<const uint8_t*>(percent);
      if (!out_->append(p_, stop - p_)) return false;
      p_ = stop;
      if (p_ == end_) break;
      ++p_;
      if (!convert()) return false;
    }
    if (!used_mapping_ && next_ < count_) {
      if (is_tuple_ || !is_mapping_) {
        PyErr_SetString(PyExc_TypeError, "not all arguments converted during bytes formatting");
        return false;
      }
    }
    return out_->ok();
  }

 private:
  PyObject* next_argument() {
    if (next_ < count_) {
      ++next_;
      if (!is_tuple_) return keyed_ ? keyed_.get() : args_;
      return PyTuple_GET_ITEM(args_, next_ - 1);
    }
    PyErr_SetString(PyExc_TypeError, "not enough arguments for format string");
    return nullptr;
  }

  bool incomplete() {
    PyErr_SetString(PyExc_ValueError, "incomplete format");
    return false;
  }

  bool read_key() {
    if (!is_mapping_) {
      PyErr_SetString(PyExc_TypeError, "format requires a mapping");
      return false;
    }
    const uint8_t* key = ++p_;
    int depth = 1;
    for (; p_ != end_; ++p_) {
      if (*p_ == '(') ++depth;
      if (*p_ == ')' && --depth == 0) break;
    }
    if (p_ == end_) {
      PyErr_SetString(PyExc_ValueError, "incomplete format key");
      return false;
    }
    auto name = Ref<>::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(key), p_ - key));
    ++p_;
    if (!name) return false;
    keyed_ = Ref<>::steal(PyObject_GetItem(args_, name.get()));
    if (!keyed_) return false;
    used_mapping_ = true;
    next_ = 0;
    count_ = 1;
    return true;
  }

  // A number or a '*'; `negative_left`: what a negative star argument means.
  bool read_number(Py_ssize_t* out, Py_ssize_t limit, const char* too_big) {
    if (p_ != end_ && *p_ == '*') {
      ++p_;
      PyObject* arg = next_argument();
      if (arg == nullptr) return false;
      if (!PyLong_Check(arg)) {
        PyErr_SetString(PyExc_TypeError, "* wants int");
        return false;
      }
      *out = PyLong_AsSsize_t(arg);
      return *out != -1 || !PyErr_Occurred();
    }
    while (p_ != end_ && Py_ISDIGIT(*p_)) {
      const int digit = *p_++ - '0';
      if (*out > (limit - digit) / 10) {
        PyErr_SetString(PyExc_ValueError, too_big);
        return false;
      }
      *out = *out * 10 + digit;
    }
    return true;
  }

  bool read(Conversion* c) {
    if (p_ != end_ && *p_ == '(' && !read_key()) return false;
    for (; p_ != end_; ++p_) {
      if (*p_ == '-') {
        c->left = true;
      } else if (*p_ == '+') {
        c->plus = true;
      } else if (*p_ == ' ') {
        c->space = true;
      } else if (*p_ == '#') {
        c->alternate = true;
      } else if (*p_ == '0') {
        c->zero = true;
      } else {
        break;
      }
    }
    if (p_ != end_ && (*p_ == '*' || Py_ISDIGIT(*p_))) {
      c->width = 0;
      if (!read_number(&c->width, PY_SSIZE_T_MAX, "width too big")) return false;
      if (c->width < 0) {
        if (c->width == PY_SSIZE_T_MIN) {
          PyErr_SetString(PyExc_OverflowError, "width too big");
          return false;
        }
        c->left = true;
        c->width = -c->width;
      }
    }
    if (p_ != end_ && *p_ == '.') {
      ++p_;
      Py_ssize_t precision = 0;
      if (!read_number(&precision, INT_MAX, "precision too big")) return false;
      if (precision > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C int");
        return false;
      }
      c->precision = static_cast<int>(std::max<Py_ssize_t>(precision, 0));
    }
    if (p_ != end_ && (*p_ == 'h' || *p_ == 'l' || *p_ == 'L')) ++p_;
    if (p_ == end_) return incomplete();
    c->type = static_cast<char>(*p_++);
    return true;
  }

  // Text with optional sign and prefix in front, padded to the width.
  bool put(const Conversion& c, const char* text, Py_ssize_t size, bool numeric) {
    const char* sign = "";
    Py_ssize_t sign_size = 0;
    char prefix[2];
    Py_ssize_t prefix_size = 0;
    if (numeric) {
      if (size > 0 && (*text == '-' || *text == '+')) {
        sign = *text == '-' ? "-" : "+";
        sign_size = 1;
        ++text;
        --size;
      } else if (c.plus) {
        sign = "+";
        sign_size = 1;
      } else if (c.space) {
        sign = " ";
        sign_size = 1;
      }
      if (c.alternate && (c.type == 'x' || c.type == 'X' || c.type == 'o')) {
        prefix[0] = '0';
        prefix[1] = c.type;
        prefix_size = 2;
      }
    }
    const Py_ssize_t space = std::max<Py_ssize_t>(c.width - size - sign_size - prefix_size, 0);
    const bool zeros = numeric && c.zero && !c.left;
    if (!c.left && !zeros && !out_->fill(' ', space)) return false;
    return out_->append(sign, sign_size) && out_->append(prefix, prefix_size) && (!zeros || out_->fill('0', space)) &&
           out_->append(text, size) && (!c.left || out_->fill(' ', space));
  }

  bool put_bytes(const Conversion& c, ByteSpan bytes) {
    if (c.precision >= 0) bytes.size = std::min<Py_ssize_t>(bytes.size, c.precision);
    return put(c, reinterpret_cast<const char*>(bytes.data), bytes.size, false);
  }

  bool put_text(const Conversion& c, PyObject* text) {
    auto held = Ref<>::steal(text);
    if (!held) return false;
    auto ascii = Ref<>::steal(PyUnicode_AsEncodedString(held.get(), "ascii", "backslashreplace"));
    if (!ascii) return false;
    return put_bytes(c, {reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(ascii.get())), PyBytes_GET_SIZE(ascii.get())});
  }

  // %s, %b: a bytes-like object or one with __bytes__.
  bool put_object(const Conversion& c, PyObject* arg) {
    ByteArgument held;
    if (PyBytes_Check(arg) || PyByteArray_Check(arg)) return held.acquire_stable(arg) && put_bytes(c, held.span());
    auto method = Ref<>::steal(_PyObject_LookupSpecial(arg, AMPHIS_STATIC_NAME("__bytes__")));
    if (method) {
      auto bytes = Ref<>::steal(PyObject_CallNoArgs(method.get()));
      if (!bytes) return false;
      if (!PyBytes_Check(bytes.get())) {
        PyErr_Format(PyExc_TypeError, "__bytes__ returned non-bytes (type %.200s)", Py_TYPE(bytes.get())->tp_name);
        return false;
      }
      ByteArgument result;
      return result.acquire(bytes.get()) && put_bytes(c, result.span());
    }
    if (PyErr_Occurred()) return false;
    if (PyObject_CheckBuffer(arg)) {
      auto copy = Ref<>::steal(PyBytes_FromObject(arg));
      ByteArgument result;
      return copy && result.acquire(copy.get()) && put_bytes(c, result.span());
    }
    PyErr_Format(PyExc_TypeError,
                 "%%b requires a bytes-like object, or an object that implements __bytes__, not '%.100s'",
                 Py_TYPE(arg)->tp_name);
    return false;
  }

  bool put_integer(const Conversion& c, PyObject* arg) {
    const bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
    Ref<> number;
    if (PyLong_Check(arg)) {
      number = Ref<>::share(arg);
    } else if (PyNumber_Check(arg)) {
      number = Ref<>::steal(decimal ? PyNumber_Long(arg) : PyNumber_Index(arg));
      if (!number && !PyErr_ExceptionMatches(PyExc_TypeError)) return false;
      if (!number) PyErr_Clear();
    }
    if (!number) {
      if (decimal) {
        PyErr_Format(PyExc_TypeError, "%%%c format: a real number is required, not %.200s", c.type,
                     Py_TYPE(arg)->tp_name);
      } else {
        PyErr_Format(PyExc_TypeError, "%%%c format: an integer is required, not %.200s", c.type, Py_TYPE(arg)->tp_name);
      }
      return false;
    }
    const int base = c.type == 'x' || c.type == 'X' ? 16 : c.type == 'o' ? 8 : 10;
    auto text = Ref<>::steal(int_to_text(number.get(), base, false));
    if (!text) return false;
    const char* digits = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text.get()));
    Py_ssize_t size = PyUnicode_GET_LENGTH(text.get());
    ByteBuilder padded(size + std::max(c.precision, 0));
    if (!padded.ok()) return false;
    if (*digits == '-') {
      padded.push('-');
      ++digits;
      --size;
    }
    padded.fill('0', c.precision - size);
    for (Py_ssize_t i = 0; i < size; ++i) {
      padded.push(static_cast<uint8_t>(c.type == 'X' ? Py_TOUPPER(static_cast<uint8_t>(digits[i])) : digits[i]));
    }
    return put(c, reinterpret_cast<char*>(padded.data()), padded.size(), true);
  }

  bool put_float(const Conversion& c, PyObject* arg) {
    const double value = PyFloat_AsDouble(arg);
    if (value == -1.0 && PyErr_Occurred()) {
      PyErr_Format(PyExc_TypeError, "float argument required, not %.200s", Py_TYPE(arg)->tp_name);
      return false;
    }
    char* text = PyOS_double_to_string(value, c.type, c.precision < 0 ? 6 : c.precision,
                                       c.alternate ? Py_DTSF_ALT : 0, nullptr);
    if (text == nullptr) return false;
    const bool ok = put(c, text, static_cast<Py_ssize_t>(std::strlen(text)), true);
    PyMem_Free(text);
    return ok;
  }

  bool put_character(const Conversion& c, PyObject* arg) {
    uint8_t byte;
    if ((PyBytes_Check(arg) && PyBytes_GET_SIZE(arg) == 1) ||
        (PyByteArray_Check(arg) && PyByteArray_GET_SIZE(arg) == 1)) {
      byte = static_cast<uint8_t>(PyBytes_Check(arg) ? *PyBytes_AS_STRING(arg) : *PyByteArray_AS_STRING(arg));
    } else if (PyIndex_Check(arg)) {
      int overflow;
      const long value = PyLong_AsLongAndOverflow(arg, &overflow);
      if (value == -1 && PyErr_Occurred()) return false;
      if (overflow != 0 || value < 0 || value > 255) {
        PyErr_SetString(PyExc_OverflowError, "%c arg not in range(256)");
        return false;
      }
      byte = static_cast<uint8_t>(value);
    } else if (PyBytes_Check(arg) || PyByteArray_Check(arg)) {
      PyErr_Format(PyExc_TypeError,
                   "%%c requires an integer in range(256) or a single byte, not a %s object of length %zd",
                   PyBytes_Check(arg) ? "bytes" : "bytearray", Py_SIZE(arg));
      return false;
    } else {
      PyErr_Format(PyExc_TypeError, "%%c requires an integer in range(256) or a single byte, not %T", arg);
      return false;
    }
    Conversion plain = c;
    plain.precision = -1;
    return put_bytes(plain, {&byte, 1});
  }

  bool convert() {
    // Only a percent sign right behind the first is one; with anything between them it is no conversion.
    if (p_ != end_ && *p_ == '%') {
      ++p_;
      return out_->push('%');
    }
    Conversion c;
    if (!read(&c)) return false;
    PyObject* arg = next_argument();
    if (arg == nullptr) return false;
    switch (c.type) {
      case 'r':
      case 'a':
        return put_text(c, PyObject_ASCII(arg));
      case 's':
      case 'b':
        return put_object(c, arg);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return put_integer(c, arg);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return put_float(c, arg);
      case 'c':
        return put_character(c, arg);
      default:
        PyErr_Format(PyExc_ValueError, "unsupported format character '%c' (0x%x) at index %zd", c.type,
                     static_cast<unsigned>(static_cast<uint8_t>(c.type)), static_cast<Py_ssize_t>(p_ - start_ - 1));
        return false;
    }
  }

  const uint8_t* p_;
  const uint8_t* start_;
  const uint8_t* end_;
  PyObject* args_;
  ByteBuilder* out_;
  Ref<> keyed_;  // what the last %(key) found
  Py_ssize_t next_ = 0, count_ = 1;
  bool is_tuple_ = false, is_mapping_ = false, used_mapping_ = false;
};

}  // namespace

bool format_bytes(ByteSpan format, PyObject* args, ByteBuilder* out) { return Formatter(format, args, out).run(); }

}  // namespace amphis
