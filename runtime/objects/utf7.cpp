// UTF-7 (RFC 2152).
//
// Outside a shift, the 7-bit characters stand for themselves; "+" opens a run of modified base64 that holds
// UTF-16, "-" or any character outside the alphabet closes it.
#include "objects/codecs.h"
#include "objects/str.h"

namespace amphis {
namespace {

typedef unsigned char Byte;

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(Byte c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Direct characters: set D, set O and white space of the RFC. "+" opens a shift; "\" and "~" have other
// meanings elsewhere.
bool encodes_directly(Py_UCS4 ch) {
  if (ch >= 128 || ch == 0 || ch == '+' || ch == '\\' || ch == '~' || ch == 127) return false;
  return ch >= 32 || ch == '\t' || ch == '\n' || ch == '\r';
}
bool decodes_directly(Byte c) {
  return c <= 127 && c != '+';
}

PyObject* decode7(const char* data, Py_ssize_t n, const char* errors, Py_ssize_t* consumed) {
  StrWriter out(n);
  _PyUnicodeWriter* w = out.raw();
  DecodeErrors report("utf7", errors, data, n);
  const char* at = data;
  bool shifted = false;
  const char* shift_start = data;
  Py_ssize_t shift_out = 0;  // where the output of the open shift begins
  uint64_t buffer = 0;
  int bits = 0;
  Py_UCS4 high = 0;

  for (;;) {
    const char* reason = nullptr;
    const char* bad_start = at;
    const char* end = report.end();
    while (at < end) {
      Byte c = static_cast<Byte>(*at);
      if (shifted) {
        int value = base64_value(c);
        if (value >= 0) {
          buffer = (buffer << 6 | static_cast<unsigned>(value)) & 0xFFFFFFFFull;
          bits += 6;
          at++;
          if (bits >= 16) {
            Py_UCS4 unit = static_cast<Py_UCS4>(buffer >> (bits - 16)) & 0xFFFF;
            bits -= 16;
            buffer &= (uint64_t{1} << bits) - 1;
            if (high) {
              Py_UCS4 first = high;
              high = 0;
              if (Py_UNICODE_IS_LOW_SURROGATE(unit)) {
                if (!out.put(Py_UNICODE_JOIN_SURROGATES(first, unit))) return nullptr;
                continue;
              }
              if (!out.put(first)) return nullptr;
            }
            if (Py_UNICODE_IS_HIGH_SURROGATE(unit)) {
              high = unit;
            } else if (!out.put(unit)) {
              return nullptr;
            }
          }
          continue;
        }
        shifted = false;
        if (bits > 0) {
          if (bits >= 6) {
            at++;
            reason = "partial character in shift sequence";
          } else if (buffer != 0) {
            at++;
            reason = "non-zero padding bits in shift sequence";
          }
          if (reason) {
            bad_start = shift_start;
            break;
          }
        }
        if (high && decodes_directly(c)) {
          if (!out.put(high)) return nullptr;
        }
        high = 0;
        if (c == '-') {
          at++;
        } else if (!decodes_directly(c)) {
          bad_start = at++;
          reason = "unexpected special character";
          break;
        }
        continue;
      }
      if (c == '+') {
        shift_start = at++;
        if (at < end && *at == '-') {
          at++;
          if (!out.put('+')) return nullptr;
        } else if (at < end && base64_value(static_cast<Byte>(*at)) < 0) {
          at++;
          bad_start = shift_start;
          reason = "ill-formed sequence";
          break;
        } else {
          shifted = true;
          high = 0;
          bits = 0;
          buffer = 0;
          shift_out = w->pos;
        }
        continue;
      }
      if (decodes_directly(c)) {
        if (!out.put(c)) return nullptr;
        at++;
        continue;
      }
      bad_start = at++;
      reason = "unexpected special character";
      break;
    }
    if (!reason) {
      if (!shifted || consumed) break;
      if (high || bits >= 6 || (bits > 0 && buffer != 0)) {
        shifted = false;
        bad_start = shift_start;
        at = end;
        reason = "unterminated shift sequence";
      } else {
        break;
      }
    }
    at = report.handle(bad_start, at, reason, w);
    if (!at) return nullptr;
    if (at == report.end() && !shifted) break;
  }
  if (consumed) {
    if (shifted) {
      // What an open shift has produced is given back: it will be decoded again with the rest.
      *consumed = shift_start - report.begin();
      w->pos = shift_out;
      if (w->min_char < 0x80) w->min_char = 0x80;
    } else {
      *consumed = at - report.begin();
    }
  }
  return out.finish();
}

}  // namespace

PyObject* encode_utf7(PyObject* text, const char*) {
  StrView s(text);
  EncodedBytes out;
  bool shifted = false;
  uint64_t buffer = 0;
  int bits = 0;
  auto flush = [&] {
    while (bits >= 6) {
      *out.tail() = kAlphabet[buffer >> (bits - 6) & 0x3F];
      out.advance_to(out.tail() + 1);
      bits -= 6;
    }
    buffer &= (uint64_t{1} << bits) - 1;
  };
  for (Py_ssize_t i = 0; i < s.length; i++) {
    Py_UCS4 ch = s[i];
    if (!out.reserve(16)) return nullptr;
    if (shifted && encodes_directly(ch)) {
      if (bits) {
        buffer <<= 6 - bits;
        bits = 6;
        flush();
      }
      shifted = false;
      // Closed by "-" only where the next character could be taken for base64.
      if (base64_value(static_cast<Byte>(ch)) >= 0 || ch == '-') out.put('-');
    }
    if (!shifted) {
      if (ch == '+') {
        out.put("+-", 2);
        continue;
      }
      if (encodes_directly(ch)) {
        out.put(static_cast<Byte>(ch));
        continue;
      }
      out.put('+');
      shifted = true;
      buffer = 0;
      bits = 0;
    }
    if (ch >= 0x10000) {
      buffer = buffer << 16 | Py_UNICODE_HIGH_SURROGATE(ch);
      bits += 16;
      flush();
      ch = Py_UNICODE_LOW_SURROGATE(ch);
    }
    buffer = buffer << 16 | ch;
    bits += 16;
    flush();
  }
  if (!out.reserve(2)) return nullptr;
  if (bits) {
    buffer <<= 6 - bits;
    bits = 6;
    flush();
  }
  if (shifted) out.put('-');
  return out.finish();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_DecodeUTF7(const char* data, Py_ssize_t n, const char* errors) {
  return decode7(data, n, errors, nullptr);
}
PyObject* PyUnicode_DecodeUTF7Stateful(const char* data, Py_ssize_t n, const char* errors,
                                       Py_ssize_t* consumed) {
  return decode7(data, n, errors, consumed);
}

}  // extern "C"
