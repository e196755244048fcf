// unicode_escape and raw_unicode_escape: text as it stands in a Python string literal.
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/unicode_data.h"

namespace amphis {
namespace {

typedef unsigned char Byte;

int hex_digit(Byte c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Up to `digits` hexadecimal digits; returns how many there were.
int read_hex(const char* p, const char* end, int digits, Py_UCS4* value) {
  Py_UCS4 v = 0;
  int n = 0;
  while (n < digits && p + n < end) {
    int d = hex_digit(static_cast<Byte>(p[n]));
    if (d < 0) break;
    v = v << 4 | static_cast<Py_UCS4>(d);
    n++;
  }
  *value = v;
  return n;
}

// The input's bytes up to the next backslash, as Latin-1.
const char* copy_plain(const char* p, const char* end, StrWriter& out, bool* ok) {
  const char* stop = static_cast<const char*>(memchr(p, '\\', static_cast<size_t>(end - p)));
  if (!stop) stop = end;
  *ok = StrWriter::write_latin1(out.raw(), p, stop - p);
  return stop;
}

}  // namespace

PyObject* decode_unicode_escape(const char* data, Py_ssize_t n, const char* errors, Py_ssize_t* consumed,
                                InvalidEscape* invalid) {
  if (n == 0) {
    if (consumed) *consumed = 0;
    return empty_str();
  }
  auto remember = [&](Py_ssize_t offset, int octal, char ch) {
    if (invalid && invalid->offset < 0) *invalid = {offset, octal, static_cast<Byte>(ch)};
  };
  StrWriter out(n);
  DecodeErrors report("unicodeescape", errors, data, n);
  const char* at = data;
  bool ok;
  while (at < report.end()) {
    const char* end = report.end();
    if (*at != '\\') {
      at = copy_plain(at, end, out, &ok);
      if (!ok) return nullptr;
      continue;
    }
    const char* start = at++;
    const char* reason = nullptr;
    bool incomplete = false;  // more input could still make it valid
    if (at == end) {
      reason = "\\ at end of string";
      incomplete = true;
    } else {
      char c = *at++;
      int digits = 0;
      Py_UCS4 plain = 0;
      bool have_plain = true;
      switch (c) {
        case '\n':
          have_plain = false;
          break;
        case '\\':
          plain = '\\';
          break;
        case '\'':
          plain = '\'';
          break;
        case '"':
          plain = '"';
          break;
        case 'b':
          plain = '\b';
          break;
        case 'f':
          plain = '\f';
          break;
        case 't':
          plain = '\t';
          break;
        case 'n':
          plain = '\n';
          break;
        case 'r':
          plain = '\r';
          break;
        case 'v':
          plain = '\v';
          break;
        case 'a':
          plain = '\a';
          break;
        case '0':
        case '1':
        case '2':
        case '3':
        case '4':
        case '5':
        case '6':
        case '7': {
          plain = static_cast<Py_UCS4>(c - '0');
          for (int k = 0; k < 2 && at < end && *at >= '0' && *at <= '7'; k++)
            plain = plain * 8 + static_cast<Py_UCS4>(*at++ - '0');
          if (plain > 0377) remember(start - report.begin(), static_cast<int>(plain), c);
          break;
        }
        case 'x':
          digits = 2;
          reason = "truncated \\xXX escape";
          break;
        case 'u':
          digits = 4;
          reason = "truncated \\uXXXX escape";
          break;
        case 'U':
          digits = 8;
          reason = "truncated \\UXXXXXXXX escape";
          break;
        case 'N': {
          reason = "malformed \\N character escape";
          have_plain = false;
          if (at == end) {
            incomplete = true;
            break;
          }
          if (*at != '{') break;
          const char* name = ++at;
          const char* close = static_cast<const char*>(memchr(name, '}', static_cast<size_t>(end - name)));
          if (!close) {
            at = end;
            incomplete = true;
            break;
          }
          if (close == name) {
            at = close;
            break;
          }
          at = close + 1;
          Py_UCS4 found[unicode::kMaxSequenceLength];
          if (unicode::lookup_name(name, close - name, false, found) == 1) {
            plain = found[0];
            have_plain = true;
            reason = nullptr;
          } else {
            reason = "unknown Unicode character name";
          }
          break;
        }
        default:
          remember(start - report.begin(), -1, c);
          if (!out.put('\\')) return nullptr;
          plain = static_cast<Byte>(c);
          break;
      }
      if (digits) {
        int got = read_hex(at, end, digits, &plain);
        at += got;
        if (got == digits) {
          reason = nullptr;
          if (plain > kMaxCodePoint) reason = "illegal Unicode character";
        } else {
          incomplete = at == end;
        }
      }
      if (!reason) {
        if (have_plain && !out.put(plain)) return nullptr;
        continue;
      }
    }
    if (incomplete && consumed) {
      at = start;
      break;
    }
    at = report.handle(start, at, reason, out.raw());
    if (!at) return nullptr;
  }
  if (consumed) *consumed = at - report.begin();
  return out.finish();
}

PyObject* decode_unicode_escape_warning(const char* data, Py_ssize_t n, const char* errors,
                                        Py_ssize_t* consumed) {
  InvalidEscape invalid;
  Ref<> text = Ref<>::steal(decode_unicode_escape(data, n, errors, consumed, &invalid));
  if (!text || invalid.offset < 0) return text.release();
  int failed = invalid.octal >= 0 ? PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                                                     "\"\\%o\" is an invalid octal escape sequence. "
                                                     "Such sequences will not work in the future. ",
                                                     static_cast<unsigned>(invalid.octal))
                                  : PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                                                     "\"\\%c\" is an invalid escape sequence. "
                                                     "Such sequences will not work in the future. ",
                                                     static_cast<int>(invalid.ch));
  return failed < 0 ? nullptr : text.release();
}

PyObject* decode_raw_unicode_escape(const char* data, Py_ssize_t n, const char* errors,
                                    Py_ssize_t* consumed) {
  if (n == 0) {
    if (consumed) *consumed = 0;
    return empty_str();
  }
  StrWriter out(n);
  DecodeErrors report("rawunicodeescape", errors, data, n);
  const char* at = data;
  bool ok;
  while (at < report.end()) {
    const char* end = report.end();
    if (*at != '\\') {
      at = copy_plain(at, end, out, &ok);
      if (!ok) return nullptr;
      continue;
    }
    const char* start = at++;
    if (at == end) {
      if (consumed) {
        at = start;
        break;
      }
      if (!out.put('\\')) return nullptr;
      continue;
    }
    char c = *at++;
    if (c != 'u' && c != 'U') {
      if (!out.put('\\') || !out.put(static_cast<Byte>(c))) return nullptr;
      continue;
    }
    int digits = c == 'u' ? 4 : 8;
    Py_UCS4 ch;
    int got = read_hex(at, end, digits, &ch);
    at += got;
    const char* reason = nullptr;
    if (got < digits) {
      if (at == end && consumed) {
        at = start;
        break;
      }
      reason = c == 'u' ? "truncated \\uXXXX escape" : "truncated \\UXXXXXXXX escape";
    } else if (ch > kMaxCodePoint) {
      reason = "\\Uxxxxxxxx out of range";
    }
    if (!reason) {
      if (!out.put(ch)) return nullptr;
      continue;
    }
    at = report.handle(start, at, reason, out.raw());
    if (!at) return nullptr;
  }
  if (consumed) *consumed = at - report.begin();
  return out.finish();
}

namespace {

constexpr char kHex[] = "0123456789abcdef";

char* put_escape(char* p, char letter, int digits, Py_UCS4 ch) {
  *p++ = '\\';
  *p++ = letter;
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) *p++ = kHex[ch >> shift & 15];
  return p;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_DecodeUnicodeEscape(const char* data, Py_ssize_t n, const char* errors) {
  return decode_unicode_escape_warning(data, n, errors, nullptr);
}

PyObject* PyUnicode_DecodeRawUnicodeEscape(const char* data, Py_ssize_t n, const char* errors) {
  return decode_raw_unicode_escape(data, n, errors, nullptr);
}

PyObject* PyUnicode_AsUnicodeEscapeString(PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(text);
  EncodedBytes out;
  if (!out.reserve(s.length)) return nullptr;
  for (Py_ssize_t i = 0; i < s.length; i++) {
    if (!out.reserve(10)) return nullptr;
    Py_UCS4 ch = s[i];
    char* p = out.tail();
    if (ch == '\\' || ch == '\t' || ch == '\n' || ch == '\r') {
      *p++ = '\\';
      *p++ = ch == '\t' ? 't' : ch == '\n' ? 'n' : ch == '\r' ? 'r' : '\\';
    } else if (ch >= ' ' && ch < 127) {
      *p++ = static_cast<char>(ch);
    } else if (ch < 0x100) {
      p = put_escape(p, 'x', 2, ch);
    } else if (ch < 0x10000) {
      p = put_escape(p, 'u', 4, ch);
    } else {
      p = put_escape(p, 'U', 8, ch);
    }
    out.advance_to(p);
  }
  return out.finish();
}

PyObject* PyUnicode_AsRawUnicodeEscapeString(PyObject* text) {
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(text);
  if (s.kind == 1) return PyBytes_FromStringAndSize(static_cast<const char*>(s.data), s.length);
  EncodedBytes out;
  for (Py_ssize_t i = 0; i < s.length; i++) {
    if (!out.reserve(10)) return nullptr;
    Py_UCS4 ch = s[i];
    char* p = out.tail();
    if (ch < 0x100) {
      *p++ = static_cast<char>(ch);
    } else {
      p = ch < 0x10000 ? put_escape(p, 'u', 4, ch) : put_escape(p, 'U', 8, ch);
    }
    out.advance_to(p);
  }
  return out.finish();
}

}  // extern "C"
