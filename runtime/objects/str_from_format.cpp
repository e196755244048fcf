// PyUnicode_FromFormat: the printf-like directives of the C API.
//
//   %c %d %i %u %o %x %X %p %s %ls %%        as in C; lengths l ll j z t
//   %U str   %V str or char*   %S str(o)   %R repr(o)   %A ascii(o)   %T type of o   %N type
// with flags - 0 #, a width and a precision, either of which may be *.
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <wchar.h>

#include "objects/str.h"
#include "objects/str_writer.h"
#include "sync/ref.h"

namespace amphis {
namespace {

struct Arguments {
  va_list list;
};

struct Directive {
  Py_ssize_t width = -1;
  Py_ssize_t precision = -1;
  bool left = false;
  bool zero = false;
  bool alternate = false;
};

// s[:precision], padded to width.
bool put_padded(StrWriter& out, PyObject* s, const Directive& d) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (d.precision >= 0 && n > d.precision) n = d.precision;
  Py_ssize_t padding = d.width > n ? d.width - n : 0;
  if (padding && !d.left && !out.put_fill(' ', padding)) return false;
  if (!out.put_slice(s, 0, n)) return false;
  return !padding || !d.left || out.put_fill(' ', padding);
}

bool put_padded_new(StrWriter& out, PyObject* s, const Directive& d) {
  Ref<> owned = Ref<>::steal(s);
  return owned && put_padded(out, owned.get(), d);
}

bool put_bytes(StrWriter& out, const char* text, const Directive& d) {
  Py_ssize_t n;
  Py_ssize_t consumed;
  bool cut = false;
  if (d.precision < 0) {
    n = static_cast<Py_ssize_t>(strlen(text));
  } else {
    // A precision may cut a character in two: what is left of it is dropped.
    n = static_cast<Py_ssize_t>(strnlen(text, static_cast<size_t>(d.precision)));
    cut = n == d.precision;
  }
  if (d.width < 0) return write_utf8(out.raw(), text, n, "replace", cut ? &consumed : nullptr);
  Directive plain = d;
  plain.precision = -1;
  return put_padded_new(out, PyUnicode_DecodeUTF8Stateful(text, n, "replace", cut ? &consumed : nullptr),
                        plain);
}

bool put_wide(StrWriter& out, const wchar_t* text, const Directive& d) {
  size_t n = d.precision < 0 ? wcslen(text) : wcsnlen(text, static_cast<size_t>(d.precision));
  Directive plain = d;
  plain.precision = -1;
  return put_padded_new(out, PyUnicode_FromWideChar(text, static_cast<Py_ssize_t>(n)), plain);
}

bool put_integer(StrWriter& out, uintmax_t magnitude, bool negative, int base, bool upper,
                 const Directive& d) {
  char digits[72];
  char* end = digits + sizeof digits;
  char* p = end;
  const char* alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  do {
    *--p = alphabet[magnitude % static_cast<unsigned>(base)];
    magnitude /= static_cast<unsigned>(base);
  } while (magnitude);
  Py_ssize_t n = end - p;
  Py_ssize_t zeros = d.precision > n ? d.precision - n : 0;
  Py_ssize_t total = n + zeros + negative;
  Py_ssize_t padding = d.width > total ? d.width - total : 0;
  if (padding && d.zero && !d.left) {
    zeros += padding;
    padding = 0;
  }
  if (padding && !d.left && !out.put_fill(' ', padding)) return false;
  if (negative && !out.put('-')) return false;
  if (!out.put_fill('0', zeros) || !out.put_ascii(p, n)) return false;
  return !padding || !d.left || out.put_fill(' ', padding);
}

// The name of a type with its module, with ':' between the two for the alternate form.
PyObject* full_name(PyTypeObject* type, bool colon) {
  if (!colon) return PyType_GetFullyQualifiedName(type);
  if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) return PyUnicode_FromString(type->tp_name);
  Ref<> module = Ref<>::steal(PyType_GetModuleName(type));
  if (!module) PyErr_Clear();
  Ref<> name = Ref<>::steal(PyType_GetQualName(type));
  if (!name) return nullptr;
  if (!module || !PyUnicode_Check(module.get()) || str_equal_ascii(module.get(), "builtins") ||
      str_equal_ascii(module.get(), "__main__")) {
    return name.release();
  }
  return PyUnicode_FromFormat("%U:%U", module.get(), name.get());
}

bool parse_number(const char*& p, Py_ssize_t* value) {
  Py_ssize_t n = 0;
  while (*p >= '0' && *p <= '9') {
    if (n > (INT_MAX - 9) / 10) return false;
    n = n * 10 + (*p++ - '0');
  }
  *value = n;
  return true;
}

enum class Length { kNone, kLong, kLongLong, kMax, kSize, kPointerDifference };

// Handles what follows a '%'; returns the place after the directive, or null with an exception.
const char* put_directive(StrWriter& out, const char* start, Arguments& args) {
  const char* p = start;
  Directive d;
  for (;; p++) {
    if (*p == '-') {
      d.left = true;
    } else if (*p == '0') {
      d.zero = true;
    } else if (*p == '#') {
      d.alternate = true;
    } else {
      break;
    }
  }
  if (*p == '*') {
    int width = va_arg(args.list, int);
    p++;
    if (width < 0) {
      d.left = true;
      d.width = -static_cast<Py_ssize_t>(width);
    } else {
      d.width = width;
    }
  } else if (*p >= '0' && *p <= '9') {
    if (!parse_number(p, &d.width)) {
      PyErr_SetString(PyExc_ValueError, "width too big");
      return nullptr;
    }
  }
  if (*p == '.') {
    p++;
    d.precision = 0;
    if (*p == '*') {
      int precision = va_arg(args.list, int);
      p++;
      d.precision = precision < 0 ? -2 : precision;
    } else if (!parse_number(p, &d.precision)) {
      PyErr_SetString(PyExc_ValueError, "precision too big");
      return nullptr;
    }
  }
  Length length = Length::kNone;
  switch (*p) {
    case 'l':
      length = *++p == 'l' ? (++p, Length::kLongLong) : Length::kLong;
      break;
    case 'j':
      length = Length::kMax;
      p++;
      break;
    case 'z':
      length = Length::kSize;
      p++;
      break;
    case 't':
      length = Length::kPointerDifference;
      p++;
      break;
    default:
      break;
  }
  char what = *p;
  bool ok = false;
  if (length != Length::kNone && what && !strchr("diuoxX", what) &&
      !(length == Length::kLong && (what == 's' || what == 'V'))) {
    what = 0;
  }
  switch (what) {
    case '%':
      ok = length == Length::kNone && out.put('%');
      break;
    case 'c': {
      int ch = va_arg(args.list, int);
      if (ch < 0 || static_cast<Py_UCS4>(ch) > kMaxCodePoint) {
        PyErr_SetString(PyExc_OverflowError, "character argument not in range(0x110000)");
        return nullptr;
      }
      ok = out.put(static_cast<Py_UCS4>(ch));
      break;
    }
    case 'd':
    case 'i': {
      intmax_t v = 0;
      switch (length) {
        case Length::kNone:
          v = va_arg(args.list, int);
          break;
        case Length::kLong:
          v = va_arg(args.list, long);
          break;
        case Length::kLongLong:
          v = va_arg(args.list, long long);
          break;
        case Length::kMax:
          v = va_arg(args.list, intmax_t);
          break;
        case Length::kSize:
          v = va_arg(args.list, Py_ssize_t);
          break;
        case Length::kPointerDifference:
          v = va_arg(args.list, ptrdiff_t);
          break;
      }
      uintmax_t magnitude = v < 0 ? 0 - static_cast<uintmax_t>(v) : static_cast<uintmax_t>(v);
      ok = put_integer(out, magnitude, v < 0, 10, false, d);
      break;
    }
    case 'u':
    case 'o':
    case 'x':
    case 'X': {
      uintmax_t v = 0;
      switch (length) {
        case Length::kNone:
          v = va_arg(args.list, unsigned);
          break;
        case Length::kLong:
          v = va_arg(args.list, unsigned long);
          break;
        case Length::kLongLong:
          v = va_arg(args.list, unsigned long long);
          break;
        case Length::kMax:
          v = va_arg(args.list, uintmax_t);
          break;
        case Length::kSize:
          v = va_arg(args.list, size_t);
          break;
        case Length::kPointerDifference:
          v = static_cast<uintmax_t>(va_arg(args.list, ptrdiff_t));
          break;
      }
      ok = put_integer(out, v, false, what == 'u' ? 10 : what == 'o' ? 8 : 16, what == 'X', d);
      break;
    }
    case 'p': {
      char text[2 + sizeof(void*) * 2 + 1];
      int n = snprintf(text, sizeof text, "0x%zx", reinterpret_cast<size_t>(va_arg(args.list, void*)));
      ok = out.put_ascii(text, n);
      break;
    }
    case 's':
      ok = length == Length::kLong ? put_wide(out, va_arg(args.list, const wchar_t*), d)
                                   : put_bytes(out, va_arg(args.list, const char*), d);
      break;
    case 'U':
      ok = put_padded(out, va_arg(args.list, PyObject*), d);
      break;
    case 'V': {
      PyObject* s = va_arg(args.list, PyObject*);
      if (length == Length::kLong) {
        const wchar_t* text = va_arg(args.list, const wchar_t*);
        ok = s ? put_padded(out, s, d) : put_wide(out, text, d);
      } else {
        const char* text = va_arg(args.list, const char*);
        ok = s ? put_padded(out, s, d) : put_bytes(out, text, d);
      }
      break;
    }
    case 'S':
      ok = put_padded_new(out, PyObject_Str(va_arg(args.list, PyObject*)), d);
      break;
    case 'R':
      ok = put_padded_new(out, PyObject_Repr(va_arg(args.list, PyObject*)), d);
      break;
    case 'A':
      ok = put_padded_new(out, PyObject_ASCII(va_arg(args.list, PyObject*)), d);
      break;
    case 'T':
      ok = put_padded_new(out, full_name(Py_TYPE(va_arg(args.list, PyObject*)), d.alternate), d);
      break;
    case 'N': {
      PyObject* type = va_arg(args.list, PyObject*);
      if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "%N argument must be a type");
        return nullptr;
      }
      ok = put_padded_new(out, full_name(reinterpret_cast<PyTypeObject*>(type), d.alternate), d);
      break;
    }
    default:
      PyErr_Format(PyExc_SystemError, "invalid format string: %s", start - 1);
      return nullptr;
  }
  return ok ? p + 1 : nullptr;
}

}  // namespace

bool write_format(StrWriter& out, const char* format, va_list arguments) {
  Arguments args;
  va_copy(args.list, arguments);
  bool ok = true;
  for (const char* p = format; ok && *p;) {
    if (*p == '%') {
      p = put_directive(out, p + 1, args);
      ok = p != nullptr;
      continue;
    }
    const char* end = p;
    while (*end && *end != '%') {
      if (static_cast<unsigned char>(*end) >= 0x80) {
        PyErr_Format(
            PyExc_ValueError,
            "PyUnicode_FromFormatV() expects an ASCII-encoded format string, got a non-ASCII byte: 0x%02x",
            static_cast<unsigned>(static_cast<unsigned char>(*end)));
        va_end(args.list);
        return false;
      }
      end++;
    }
    ok = out.put_ascii(p, end - p);
    p = end;
  }
  va_end(args.list);
  return ok;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_FromFormatV(const char* format, va_list arguments) {
  StrWriter out(static_cast<Py_ssize_t>(strlen(format)) + 60);
  if (!write_format(out, format, arguments)) return nullptr;
  return out.finish();
}

PyObject* PyUnicode_FromFormat(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject* s = PyUnicode_FromFormatV(format, arguments);
  va_end(arguments);
  return s;
}

}  // extern "C"
