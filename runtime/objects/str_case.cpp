// Case conversion: ASCII by arithmetic, the rest by the full mappings of the Unicode database.
#include "objects/str.h"
#include "objects/str_methods.h"
#include "objects/unicode_data.h"

namespace amphis {
namespace {

// Greek capital sigma becomes the final form at the end of a word (Unicode standard, section 3.13,
// Final_Sigma).
Py_UCS4 lower_sigma(const StrView& s, Py_ssize_t i) {
  Py_ssize_t j = i - 1;
  while (j >= 0 && unicode::is_case_ignorable(s[j])) j--;
  if (j < 0 || !unicode::is_cased(s[j])) return 0x3C3;
  j = i + 1;
  while (j < s.length && unicode::is_case_ignorable(s[j])) j++;
  return j < s.length && unicode::is_cased(s[j]) ? 0x3C3 : 0x3C2;
}

int lower_at(const StrView& s, Py_ssize_t i, Py_UCS4 ch, Py_UCS4 out[3]) {
  if (ch == 0x3A3) {
    out[0] = lower_sigma(s, i);
    return 1;
  }
  return unicode::to_lower_full(ch, out);
}

// Runs map(i, ch, out[3]) -> count over the characters and collects what it writes.
template <class Map>
PyObject* map_characters(const StrView& s, Map map) {
  if (s.length > PY_SSIZE_T_MAX / 12) {
    PyErr_SetString(PyExc_OverflowError, "string is too long");
    return nullptr;
  }
  Py_UCS4 small[128];
  Py_UCS4* buffer = small;
  if (s.length * 3 > 128) {
    buffer = static_cast<Py_UCS4*>(PyMem_Malloc(static_cast<size_t>(s.length) * 3 * sizeof(Py_UCS4)));
    if (!buffer) return PyErr_NoMemory();
  }
  Py_ssize_t n = with_chars(s, [&](auto* p) {
    Py_UCS4* to = buffer;
    for (Py_ssize_t i = 0; i < s.length; i++) to += map(i, static_cast<Py_UCS4>(p[i]), to);
    return to - buffer;
  });
  PyObject* result = str_from_ucs4(buffer, n);
  if (buffer != small) PyMem_Free(buffer);
  return result;
}

inline bool ascii_is_upper(Py_UCS1 c) {
  return static_cast<Py_UCS1>(c - 'A') < 26;
}
inline bool ascii_is_lower(Py_UCS1 c) {
  return static_cast<Py_UCS1>(c - 'a') < 26;
}
inline Py_UCS1 ascii_lower(Py_UCS1 c) {
  return static_cast<Py_UCS1>(c | (ascii_is_upper(c) << 5));
}
inline Py_UCS1 ascii_upper(Py_UCS1 c) {
  return static_cast<Py_UCS1>(c & ~(ascii_is_lower(c) << 5));
}

// The same with ASCII characters mapped by arithmetic.
template <class Ascii, class Map>
PyObject* map_mixed(const StrView& s, Ascii ascii, Map map) {
  return map_characters(s, [&](Py_ssize_t i, Py_UCS4 ch, Py_UCS4* out) {
    if (ch < 0x80) {
      *out = ascii(static_cast<Py_UCS1>(ch));
      return 1;
    }
    return map(i, ch, out);
  });
}

constexpr auto to_lower = [](Py_UCS1 c) { return ascii_lower(c); };
constexpr auto to_upper = [](Py_UCS1 c) { return ascii_upper(c); };

template <class Map>
PyObject* map_ascii(const StrView& s, Map map) {
  // Everything that the loop reads is local: bytes that are written could alias anything else.
  const Py_UCS1* from = static_cast<const Py_UCS1*>(s.data);
  const Py_ssize_t n = s.length;
  if (n <= 1) return n == 0 ? empty_str() : latin1_char(map(from[0]));
  PyObject* result = PyUnicode_New(n, 0x7F);
  if (!result) return nullptr;
  Py_UCS1* __restrict to = PyUnicode_1BYTE_DATA(result);
  for (Py_ssize_t i = 0; i < n; i++) to[i] = map(from[i]);
  return result;
}

}  // namespace

PyObject* str_m_lower(PyObject* self, PyObject*) {
  StrView s(self);
  if (s.ascii) return map_ascii(s, to_lower);
  return map_mixed(s, to_lower,
                   [&](Py_ssize_t i, Py_UCS4 ch, Py_UCS4* out) { return lower_at(s, i, ch, out); });
}

PyObject* str_m_upper(PyObject* self, PyObject*) {
  StrView s(self);
  if (s.ascii) return map_ascii(s, to_upper);
  return map_mixed(s, to_upper,
                   [](Py_ssize_t, Py_UCS4 ch, Py_UCS4* out) { return unicode::to_upper_full(ch, out); });
}

PyObject* str_m_casefold(PyObject* self, PyObject*) {
  StrView s(self);
  if (s.ascii) return map_ascii(s, to_lower);
  return map_mixed(s, to_lower,
                   [](Py_ssize_t, Py_UCS4 ch, Py_UCS4* out) { return unicode::to_folded_full(ch, out); });
}

PyObject* str_m_swapcase(PyObject* self, PyObject*) {
  StrView s(self);
  if (s.ascii) {
    return map_ascii(s, [](Py_UCS1 c) {
      return static_cast<Py_UCS1>(c ^ ((ascii_is_upper(c) || ascii_is_lower(c)) << 5));
    });
  }
  return map_characters(s, [&](Py_ssize_t i, Py_UCS4 ch, Py_UCS4* out) {
    if (_PyUnicode_IsUppercase(ch)) return lower_at(s, i, ch, out);
    if (_PyUnicode_IsLowercase(ch)) return unicode::to_upper_full(ch, out);
    out[0] = ch;
    return 1;
  });
}

PyObject* str_m_title(PyObject* self, PyObject*) {
  StrView s(self);
  bool in_word = false;
  if (s.ascii) {
    return map_ascii(s, [&](Py_UCS1 c) {
      Py_UCS1 r = in_word ? ascii_lower(c) : ascii_upper(c);
      in_word = ascii_is_upper(c) || ascii_is_lower(c);
      return r;
    });
  }
  return map_characters(s, [&](Py_ssize_t i, Py_UCS4 ch, Py_UCS4* out) {
    if (ch < 0x80) {
      Py_UCS1 c = static_cast<Py_UCS1>(ch);
      *out = in_word ? ascii_lower(c) : ascii_upper(c);
      in_word = ascii_is_upper(c) || ascii_is_lower(c);
      return 1;
    }
    int n = in_word ? lower_at(s, i, ch, out) : unicode::to_title_full(ch, out);
    in_word = unicode::is_cased(ch);
    return n;
  });
}

PyObject* str_m_capitalize(PyObject* self, PyObject*) {
  StrView s(self);
  if (s.length == 0) return empty_str();
  if (s.ascii) {
    bool first = true;
    return map_ascii(s, [&](Py_UCS1 c) {
      Py_UCS1 r = first ? ascii_upper(c) : ascii_lower(c);
      first = false;
      return r;
    });
  }
  return map_characters(s, [&](Py_ssize_t i, Py_UCS4 ch, Py_UCS4* out) {
    return i == 0 ? unicode::to_title_full(ch, out) : lower_at(s, i, ch, out);
  });
}

}  // namespace amphis
