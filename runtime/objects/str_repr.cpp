// repr(str).
#include "objects/str.h"

namespace amphis {
namespace {

constexpr char kHex[] = "0123456789abcdef";

inline int escape_size(Py_UCS4 ch, Py_UCS4 quote) {
  if (ch == '\\' || ch == quote || ch == '\t' || ch == '\n' || ch == '\r') return 2;
  if (ch < ' ' || ch == 0x7F) return 4;
  if (ch < 0x7F) return 1;
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
  with_chars(s, [&](auto* p) {
    for (Py_ssize_t i = 0; i < s.length; i++) {
      Py_UCS4 ch = p[i];
      if (ch == '\'') {
        single++;
        size++;
      } else if (ch == '"') {
        twice++;
        size++;
      } else {
        int n = escape_size(ch, '\\');
        size += n;
        if (n == 1 && ch > max_char) max_char = ch;
      }
      if (size > PY_SSIZE_T_MAX - 16) break;
    }
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
  if (size > PY_SSIZE_T_MAX - 16 || total < 0) {
    PyErr_SetString(PyExc_OverflowError, "string is too long to generate repr");
    return nullptr;
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
