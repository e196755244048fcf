// Text forms of bytes: repr, hexadecimal both ways, escape sequences, printf-like construction.
#include <charconv>
#include <cstdarg>
#include <cstring>

#include "objects/bytes_span.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// A null-terminated piece of text, at most `limit` characters of it.
Py_ssize_t bounded_length(const char* text, Py_ssize_t limit) {
  if (limit < 0) return static_cast<Py_ssize_t>(std::strlen(text));
  return static_cast<Py_ssize_t>(strnlen(text, static_cast<size_t>(limit)));
}

}  // namespace

PyObject* bytes_repr_text(ByteSpan bytes, bool escape_single) {
  uint8_t quote = '\'';
  Py_ssize_t single = 0, dual = 0;
  for (const uint8_t* p = bytes.data; p != bytes.end(); ++p) {
    single += *p == '\'';
    dual += *p == '"';
  }
  if (single > 0 && dual == 0) quote = '"';
  ByteBuilder out(bytes.size + 16);
  out.push('b');
  out.push(quote);
  for (const uint8_t* p = bytes.data; p != bytes.end(); ++p) {
    if (!out.reserve(4)) return nullptr;
    const uint8_t c = *p;
    if (c == quote || c == '\\' || (escape_single && c == '\'')) {
      out.push('\\');
      out.push(c);
    } else if (c == '\t' || c == '\n' || c == '\r') {
      out.push('\\');
      out.push(c == '\t' ? 't' : c == '\n' ? 'n' : 'r');
    } else if (c < ' ' || c >= 0x7F) {
      const char escape[] = {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
      out.append(escape, 4);
    } else {
      out.push(c);
    }
  }
  out.push(quote);
  if (!out.ok()) return nullptr;
  return PyUnicode_DecodeASCII(reinterpret_cast<char*>(out.data()), out.size(), nullptr);
}

PyObject* bytes_hex(ByteSpan bytes, PyObject* separator, int group) {
  Py_UCS4 mark = 0;
  const bool has_mark = separator != nullptr;
  if (has_mark) {
    const Py_ssize_t length = PyObject_Length(separator);
    if (length < 0) return nullptr;
    if (length != 1) {
      PyErr_SetString(PyExc_ValueError, "sep must be length 1.");
      return nullptr;
    }
    if (PyUnicode_Check(separator)) {
      mark = PyUnicode_READ_CHAR(separator, 0);
    } else if (PyBytes_Check(separator)) {
      mark = static_cast<uint8_t>(PyBytes_AS_STRING(separator)[0]);
    } else {
      PyErr_SetString(PyExc_TypeError, "sep must be str or bytes.");
      return nullptr;
    }
    if (mark > 127) {
      PyErr_SetString(PyExc_ValueError, "sep must be ASCII.");
      return nullptr;
    }
  }
  const Py_ssize_t width = group < 0 ? -static_cast<Py_ssize_t>(group) : group;
  const Py_ssize_t marks = has_mark && width > 0 && bytes.size > 0 ? (bytes.size - 1) / width : 0;
  if (bytes.size > (PY_SSIZE_T_MAX - marks) / 2) return PyErr_NoMemory();
  if (bytes.size == 0) return PyUnicode_FromStringAndSize(nullptr, 0);
  PyObject* result = PyUnicode_New(bytes.size * 2 + marks, 127);
  if (result == nullptr) return nullptr;
  Py_UCS1* out = PyUnicode_1BYTE_DATA(result);
  for (Py_ssize_t i = 0; i < bytes.size; ++i) {
    // Groups are counted from the right, or from the left for a negative width.
    if (marks > 0 && i > 0 && (group > 0 ? bytes.size - i : i) % width == 0) *out++ = static_cast<Py_UCS1>(mark);
    *out++ = static_cast<Py_UCS1>(kHex[bytes.data[i] >> 4]);
    *out++ = static_cast<Py_UCS1>(kHex[bytes.data[i] & 15]);
  }
  return result;
}

bool parse_hex(PyObject* text, ByteBuilder* out) {
  ByteArgument held;
  ByteSpan span;
  if (PyUnicode_Check(text)) {
    if (!PyUnicode_IS_ASCII(text)) {
      // The first character that is not ASCII is the culprit, unless something before it is.
      const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
      Py_ssize_t i = 0;
      while (i < length && PyUnicode_READ_CHAR(text, i) < 128) ++i;
      PyErr_Format(PyExc_ValueError, "non-hexadecimal number found in fromhex() arg at position %zd", i);
      return false;
    }
    span = {PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text)};
  } else if (PyObject_CheckBuffer(text)) {
    if (!held.acquire_stable(text)) return false;
    span = held.span();
  } else {
    PyErr_Format(PyExc_TypeError, "fromhex() argument must be str or bytes-like, not %T", text);
    return false;
  }
  const uint8_t* p = span.data;
  const auto digit = [&](const uint8_t* at) {
    return at != span.end() ? static_cast<int>(_PyLong_DigitValue[*at]) : 37;
  };
  for (;;) {
    while (p != span.end() && Py_ISSPACE(*p)) ++p;
    if (p == span.end()) return out->ok();
    const int high = digit(p);
    if (high < 16 && p + 1 == span.end()) {
      PyErr_SetString(PyExc_ValueError, "fromhex() arg must contain an even number of hexadecimal digits");
      return false;
    }
    const int low = high < 16 ? digit(p + 1) : 0;
    if (high >= 16 || low >= 16) {
      PyErr_Format(PyExc_ValueError, "non-hexadecimal number found in fromhex() arg at position %zd",
                   static_cast<Py_ssize_t>(p - span.data) + (high < 16 ? 1 : 0));
      return false;
    }
    if (!out->push(static_cast<uint8_t>(high << 4 | low))) return false;
    p += 2;
  }
}

namespace {

// Where an escape sequence is not one that bytes know; the value of an octal one beyond a byte comes along.
struct BadEscape {
  const char* at = nullptr;
  int octal = -1;
};

bool decode_escapes(const char* p, const char* limit, const char* errors, ByteBuilder* out, BadEscape* bad) {
  const char* const start = p;
  while (p < limit) {
    if (*p != '\\') {
      const void* next = std::memchr(p, '\\', static_cast<size_t>(limit - p));
      const char* stop = next == nullptr ? limit : static_cast<const char*>(next);
      if (!out->append(p, stop - p)) return false;
      p = stop;
      continue;
    }
    if (++p == limit) {
      PyErr_SetString(PyExc_ValueError, "Trailing \\ in string");
      return false;
    }
    const char c = *p++;
    switch (c) {
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out->push(static_cast<uint8_t>(c));
        break;
      case 'b':
        out->push('\b');
        break;
      case 'f':
        out->push('\f');
        break;
      case 't':
        out->push('\t');
        break;
      case 'n':
        out->push('\n');
        break;
      case 'r':
        out->push('\r');
        break;
      case 'v':
        out->push('\v');
        break;
      case 'a':
        out->push('\a');
        break;
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7': {
        int value = c - '0';
        for (int i = 0; i < 2 && p < limit && *p >= '0' && *p <= '7'; ++i) value = value * 8 + (*p++ - '0');
        if (value > 0xFF && bad->at == nullptr) *bad = {p - 4, value};
        out->push(static_cast<uint8_t>(value));
        break;
      }
      case 'x': {
        const int high = p < limit ? _PyLong_DigitValue[static_cast<uint8_t>(*p)] : 37;
        const int low = p + 1 < limit ? _PyLong_DigitValue[static_cast<uint8_t>(p[1])] : 37;
        if (high < 16 && low < 16) {
          out->push(static_cast<uint8_t>(high << 4 | low));
          p += 2;
          break;
        }
        // One digit that is there goes with the broken escape.
        if (errors == nullptr || std::strcmp(errors, "strict") == 0) {
          PyErr_Format(PyExc_ValueError, "invalid \\x escape at position %zd",
                       static_cast<Py_ssize_t>(p - 2 - start));
          return false;
        }
        if (std::strcmp(errors, "replace") == 0) {
          out->push('?');
        } else if (std::strcmp(errors, "ignore") != 0) {
          PyErr_Format(PyExc_ValueError, "decoding error; unknown error handling code: %.400s", errors);
          return false;
        }
        if (high < 16) ++p;
        break;
      }
      default:
        if (bad->at == nullptr) bad->at = p - 1;
        out->push('\\');
        out->push(static_cast<uint8_t>(c));
    }
    if (!out->ok()) return false;
  }
  return true;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* _Py_strhex(const char* data, const Py_ssize_t size) {
  return bytes_hex({reinterpret_cast<const uint8_t*>(data), size}, nullptr, 0);
}

PyObject* _Py_strhex_bytes_with_sep(const char* data, const Py_ssize_t size, PyObject* separator, const int group) {
  auto text = Ref<>::steal(bytes_hex({reinterpret_cast<const uint8_t*>(data), size}, separator, group));
  return text ? PyUnicode_AsASCIIString(text.get()) : nullptr;
}

PyObject* PyBytes_Repr(PyObject* self, int) {
  return bytes_repr_text({reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(self)), PyBytes_GET_SIZE(self)}, false);
}

PyObject* PyBytes_DecodeEscape(const char* text, Py_ssize_t size, const char* errors, Py_ssize_t, const char*) {
  ByteBuilder out(size);
  BadEscape bad;
  if (!out.ok() || !decode_escapes(text, text + size, errors, &out, &bad)) return nullptr;
  if (bad.at != nullptr) {
    const int status =
        bad.octal >= 0
            ? PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                               "b\"\\%o\" is an invalid octal escape sequence. Such sequences will not work in the future. ",
                               bad.octal)
            : PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                               "b\"\\%c\" is an invalid escape sequence. Such sequences will not work in the future. ",
                               static_cast<uint8_t>(*bad.at));
    if (status < 0) return nullptr;
  }
  return out.take_bytes();
}

PyObject* PyBytes_FromFormatV(const char* format, va_list list) {
  va_list va;
  va_copy(va, list);
  ByteBuilder out(static_cast<Py_ssize_t>(std::strlen(format)));
  bool ok = out.ok();
  for (const char* p = format; ok && *p != '\0'; ++p) {
    if (*p != '%') {
      ok = out.push(static_cast<uint8_t>(*p));
      continue;
    }
    const char* start = p++;
    while (Py_ISDIGIT(*p)) ++p;  // a width is read and ignored
    Py_ssize_t precision = -1;
    if (*p == '.') {
      precision = 0;
      for (++p; Py_ISDIGIT(*p); ++p) precision = precision * 10 + (*p - '0');
    }
    while (*p != '\0' && *p != '%' && !Py_ISALPHA(*p)) ++p;
    bool is_long = false;
    if ((*p == 'l' || *p == 'z') && (p[1] == 'd' || p[1] == 'u')) {
      is_long = true;
      ++p;
    }
    char buffer[32];
    switch (*p) {
      case 'c': {
        const int c = va_arg(va, int);
        if (c < 0 || c > 255) {
          PyErr_SetString(PyExc_OverflowError,
                          "PyBytes_FromFormatV(): %c format expects an integer in range [0; 255]");
          ok = false;
        } else {
          ok = out.push(static_cast<uint8_t>(c));
        }
        break;
      }
      case 'd':
      case 'i': {
        const long value = is_long ? va_arg(va, long) : va_arg(va, int);
        ok = out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr - buffer);
        break;
      }
      case 'u': {
        const unsigned long value = is_long ? va_arg(va, unsigned long) : va_arg(va, unsigned int);
        ok = out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr - buffer);
        break;
      }
      case 'x':
        ok = out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), va_arg(va, unsigned int), 16).ptr - buffer);
        break;
      case 's': {
        const char* text = va_arg(va, const char*);
        ok = out.append(text, bounded_length(text, precision));
        break;
      }
      case 'p': {
        out.append("0x", 2);
        const auto address = reinterpret_cast<uintptr_t>(va_arg(va, void*));
        ok = out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), address, 16).ptr - buffer);
        break;
      }
      case '%':
        ok = out.push('%');
        break;
      default:
        // An unknown unit: the rest of the format is copied as it is.
        ok = out.append(start, static_cast<Py_ssize_t>(std::strlen(start)));
        p = start + std::strlen(start) - 1;
    }
  }
  va_end(va);
  return ok ? out.take_bytes() : nullptr;
}

PyObject* PyBytes_FromFormat(const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = PyBytes_FromFormatV(format, va);
  va_end(va);
  return result;
}

}  // extern "C"
