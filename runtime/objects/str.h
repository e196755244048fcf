// The inside of str: direct access to characters, constructors that skip checks, and the shared helpers of
// the str_*.cpp files.
//
// Invariant of every str: it is stored in the narrowest kind that holds its widest character (1, 2 or 4
// bytes), and `ascii` is set exactly when all characters are below 0x80. Comparison and search rely on it:
// strings of different kinds are never equal, and a wide needle never occurs in a narrow haystack. The data
// ends in a zero character.
#pragma once

#include <stdint.h>
#include <string.h>

#include "Python.h"

namespace amphis {

constexpr Py_UCS4 kMaxCodePoint = 0x10FFFF;

inline PyASCIIObject* ascii_head(PyObject* s) {
  return reinterpret_cast<PyASCIIObject*>(s);
}
inline PyCompactUnicodeObject* compact_head(PyObject* s) {
  return reinterpret_cast<PyCompactUnicodeObject*>(s);
}
inline PyUnicodeObject* legacy_head(PyObject* s) {
  return reinterpret_cast<PyUnicodeObject*>(s);
}

// What a loop over characters wants to know, read once.
struct StrView {
  const void* data;
  Py_ssize_t length;
  int kind;
  bool ascii;

  explicit StrView(PyObject* s)
      : data(PyUnicode_DATA(s)),
        length(PyUnicode_GET_LENGTH(s)),
        kind(static_cast<int>(PyUnicode_KIND(s))),
        ascii(PyUnicode_IS_ASCII(s)) {}

  Py_UCS4 operator[](Py_ssize_t i) const {
    if (kind == 1) return static_cast<const Py_UCS1*>(data)[i];
    if (kind == 2) return static_cast<const Py_UCS2*>(data)[i];
    return static_cast<const Py_UCS4*>(data)[i];
  }
  const void* at(Py_ssize_t i) const { return static_cast<const char*>(data) + i * kind; }
  Py_UCS4 max_char() const { return ascii ? 0x7F : kind == 1 ? 0xFF : kind == 2 ? 0xFFFF : kMaxCodePoint; }
};

// Calls f with the data as a pointer to its own character type.
template <class F>
inline auto with_chars(int kind, const void* data, F&& f) {
  if (kind == 1) return f(static_cast<const Py_UCS1*>(data));
  if (kind == 2) return f(static_cast<const Py_UCS2*>(data));
  return f(static_cast<const Py_UCS4*>(data));
}
template <class F>
inline auto with_chars(const StrView& v, F&& f) {
  return with_chars(v.kind, v.data, static_cast<F&&>(f));
}

inline int kind_for(Py_UCS4 max_char) {
  return max_char < 0x100 ? 1 : max_char < 0x10000 ? 2 : 4;
}

template <class From, class To>
inline void convert_chars(const From* from, Py_ssize_t n, To* to) {
  if constexpr (sizeof(From) == sizeof(To)) {
    memcpy(to, from, static_cast<size_t>(n) * sizeof(From));
  } else {
    for (Py_ssize_t i = 0; i < n; i++) to[i] = static_cast<To>(from[i]);
  }
}

// True when no byte has its top bit set.
inline bool bytes_are_ascii(const void* data, Py_ssize_t n) {
  constexpr uint64_t kHigh = 0x8080808080808080ULL;
  const char* p = static_cast<const char*>(data);
  uint64_t a, b, c, d;
  while (n >= 32) {
    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);
    memcpy(&c, p + 16, 8);
    memcpy(&d, p + 24, 8);
    if ((a | b | c | d) & kHigh) return false;
    p += 32;
    n -= 32;
  }
  while (n >= 8) {
    memcpy(&a, p, 8);
    if (a & kHigh) return false;
    p += 8;
    n -= 8;
  }
  unsigned char rest = 0;
  for (; n > 0; n--) rest |= static_cast<unsigned char>(*p++);
  return rest < 0x80;
}

// The length of the run of ASCII bytes that [p, end) starts with.
inline Py_ssize_t ascii_prefix(const char* p, const char* end) {
  constexpr uint64_t kHigh = 0x8080808080808080ULL;
  const char* start = p;
  while (end - p >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    word &= kHigh;
    if (word) return p - start + (__builtin_ctzll(word) >> 3);
    p += 8;
  }
  while (p < end && static_cast<signed char>(*p) >= 0) p++;
  return p - start;
}

// An upper bound of the characters that is tight to the class: 0x7F, 0xFF, 0xFFFF or 0x10FFFF.
Py_UCS4 max_char_class(int kind, const void* data, Py_ssize_t n);

// The characters below U+0100 exist once, as immortal objects; so does the empty string. Borrowed, never
// counted.
PyObject* latin1_char(Py_UCS4 ch);
PyObject* empty_str();

// New references.
PyObject* str_from_char(Py_UCS4 ch);
PyObject* str_from_ascii(const char* data, Py_ssize_t n);  // the caller knows that every byte is below 0x80
inline PyObject* str_from_ascii(const char* data) {
  return str_from_ascii(data, static_cast<Py_ssize_t>(strlen(data)));
}
PyObject* str_from_latin1(const Py_UCS1* data, Py_ssize_t n);
PyObject* str_from_ucs2(const Py_UCS2* data, Py_ssize_t n);
PyObject* str_from_ucs4(const Py_UCS4* data, Py_ssize_t n);
// s[start:end] with 0 <= start <= end <= len. Always an exact str.
PyObject* str_slice(PyObject* s, Py_ssize_t start, Py_ssize_t end);
// s itself when it is an exact str, else an exact copy.
PyObject* str_exact(PyObject* s);
PyObject* str_copy(PyObject* s);

// Copies characters into a string under construction; the target's kind is at least the source's.
void copy_chars(PyObject* to, Py_ssize_t to_start, PyObject* from, Py_ssize_t from_start, Py_ssize_t n);
void copy_chars_to(int to_kind, void* to, Py_ssize_t to_start, int from_kind, const void* from,
                   Py_ssize_t from_start, Py_ssize_t n);
void fill_chars(int kind, void* data, Py_ssize_t start, Py_ssize_t n, Py_UCS4 ch);

// Whether the one reference that the caller holds is the only one, so that the object may be changed in
// place.
bool str_modifiable(PyObject* s);
// Makes a modifiable string longer, with room to spare; the new characters are for the caller to write.
bool str_grow_in_place(PyObject** slot, Py_ssize_t n);
void str_dealloc(PyObject* s);

inline bool same_chars(PyObject* a, PyObject* b) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(a);
  if (n != PyUnicode_GET_LENGTH(b)) return false;
  int kind = static_cast<int>(PyUnicode_KIND(a));
  if (kind != static_cast<int>(PyUnicode_KIND(b))) return false;
  return memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), static_cast<size_t>(n) * kind) == 0;
}
// Both are str (or subclasses); never fails.
inline bool str_equal(PyObject* a, PyObject* b) {
  return a == b || same_chars(a, b);
}
bool str_equal_ascii(PyObject* s, const char* ascii);

// The hash, computed once. Never -1.
Py_hash_t str_hash_slow(PyObject* s);
inline Py_hash_t str_hash(PyObject* s) {
  Py_hash_t h = __atomic_load_n(&ascii_head(s)->hash, __ATOMIC_RELAXED);
  return h != -1 ? h : str_hash_slow(s);
}

// Checks s and raises "must be str, not X".
inline bool require_str(PyObject* s) {
  if (PyUnicode_Check(s)) return true;
  PyErr_Format(PyExc_TypeError, "must be str, not %.100s", Py_TYPE(s)->tp_name);
  return false;
}

// Slots and methods that the type object in str_type.cpp is put together from.
PyObject* str_repr(PyObject* s);
PyObject* str_richcompare(PyObject* a, PyObject* b, int op);
PyObject* str_percent_format(PyObject* format, PyObject* args);
PyObject* str_iter(PyObject* s);
extern PyMethodDef str_methods[];

}  // namespace amphis
