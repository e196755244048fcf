// repr(str).
#include "objects/str.h"

namespace amphis {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// The size in the result of each ASCII character, quotes taken as plain.
struct AsciiSizes {
  unsigned char of[128];
  constexpr AsciiSizes() : of() {
    for (int i = 0; i < 128; i++) of[i] = i < 32 || i == 127 ? 4 : 1;
    of['\\'] = of['\t'] = of['\n'] = of['\r'] = 2;
  }
};
constexpr AsciiSizes kSizes;

inline int escape_size(Py_UCS4 ch, Py_UCS4 quote) {
  if (ch < 0x80) return ch == quote ? 2 : kSizes.of[ch];
  if (_PyUnicode_IsPrintable(ch)) return 1;
  return ch < 0x100 ? 4 : ch < 0x10000 ? 6 : 10;
}

template <class To>
To* put_escaped(To* to, Py_UCS4 ch, Py_UCS4 quote) {
  int size = escape_size(ch, quote);
  if (size == 1) {
    *to++ = static_cast<To>(ch);
    return to;
  }
  *to++ = '\\';
  if (size == 2) {
    *to++ = static_cast<To>(ch == '\t' ? 't' : ch == '\n' ? 'n' : ch == '\r' ? 'r' : ch);
    return to;
  }
  *to++ = static_cast<To>(size == 4 ? 'x' : size == 6 ? 'u' : 'U');
  for (int shift = (size - 3) * 4; shift >= 0; shift -= 4) *to++ = static_cast<To>(kHex[ch >> shift & 15]);
  return to;
}

}  // namespace

PyObject* str_repr(PyObject* self) {
  StrView s(self);
  Py_ssize_t single = 0, twice = 0, size = 0;
  Py_UCS4 max_char = 0x7F;
  // No overflow: ten times the length of any string in memory fits a Py_ssize_t.
  with_chars(s, [&](auto* p) {
    Py_ssize_t total = 0, singles = 0, doubles = 0;
    Py_UCS4 widest = 0x7F;
    for (Py_ssize_t i = 0, n = s.length; i < n; i++) {
      Py_UCS4 ch = p[i];
      if (ch < 0x80) {
        total += kSizes.of[ch];
        singles += ch == '\'';
        doubles += ch == '"';
      } else {
        int length = escape_size(ch, 0);
        total += length;
        if (length == 1 && ch > widest) widest = ch;
      }
    }
    size = total;
    single = singles;
    twice = doubles;
    max_char = widest;
  });
  Py_UCS4 quote = '\'';
  Py_ssize_t total = size + 2;
  if (single) {
    if (twice) {
      total += single;
    } else {
      quote = '"';
    }
  }
  PyObject* result = PyUnicode_New(total, max_char);
  if (!result) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(result));
  void* data = PyUnicode_DATA(result);
  PyUnicode_WRITE(kind, data, 0, quote);
  PyUnicode_WRITE(kind, data, total - 1, quote);
  if (total == s.length + 2) {
    copy_chars_to(kind, data, 1, s.kind, s.data, 0, s.length);
    return result;
  }
  with_chars(kind, data, [&](auto* to_data) {
    using To = std::remove_const_t<std::remove_pointer_t<decltype(to_data)>>;
    To* to = const_cast<To*>(to_data) + 1;
    with_chars(s, [&](auto* p) {
      for (Py_ssize_t i = 0; i < s.length; i++) to = put_escaped(to, p[i], quote);
    });
  });
  return result;
}

}  // namespace amphis
