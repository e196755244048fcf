// Integers for the rest of the runtime: reading small values, making ints from machine words, and the
// arithmetic entry points that the interpreter calls once both operands are known to be ints.
//
// Invariant: an int is normalised (no leading zero digits, zero has sign bits 01), and every value in
// [kSmallIntMin, kSmallIntMax] that is exactly `int` is one immortal object.
#pragma once

#include <cstddef>
#include <cstdint>

#include "Python.h"

namespace amphis {

inline constexpr int64_t kSmallIntMin = -5;
inline constexpr int64_t kSmallIntMax = 1024;
inline constexpr size_t kSmallIntCount = kSmallIntMax - kSmallIntMin + 1;

struct SmallInts {
  PyLongObject values[kSmallIntCount];
};
extern SmallInts small_ints;

inline const _PyLongValue& long_value_of(PyObject* v) {
  return reinterpret_cast<const PyLongObject*>(v)->long_value;
}

inline bool is_small_int(int64_t v) {
  return static_cast<uint64_t>(v) - static_cast<uint64_t>(kSmallIntMin) < kSmallIntCount;
}

// Immortal: the caller may treat it as borrowed or owned.
inline PyObject* small_int(int64_t v) { return reinterpret_cast<PyObject*>(&small_ints.values[v - kSmallIntMin]); }

PyObject* int_box(int64_t v);            // never one of the small ints
PyObject* int_from_uint64(uint64_t v);
PyObject* int_from_int128(__int128 v);

// A new reference, or null without memory.
inline PyObject* int_from_int64(int64_t v) { return is_small_int(v) ? small_int(v) : int_box(v); }

// The value of an int of at most two digits (|v| < 2**60); false if it has more.
inline bool compact_value(PyObject* v, int64_t* out) {
  const _PyLongValue& value = long_value_of(v);
  const uintptr_t tag = value.lv_tag;
  if (tag >= (3u << 3)) return false;
  int64_t magnitude = value.ob_digit[0];
  if (tag >= (2u << 3)) magnitude |= static_cast<int64_t>(value.ob_digit[1]) << 30;
  *out = (1 - static_cast<int64_t>(tag & 3)) * magnitude;
  return true;
}

// The value if it fits int64_t; false (and no exception) otherwise.
bool int_to_int64_slow(PyObject* v, int64_t* out);
inline bool int_to_int64(PyObject* v, int64_t* out) { return compact_value(v, out) || int_to_int64_slow(v, out); }

inline int int_sign(PyObject* v) { return 1 - static_cast<int>(long_value_of(v).lv_tag & 3); }
inline bool int_is_zero(PyObject* v) { return (long_value_of(v).lv_tag & 3) == 1; }

// Both operands must be ints (or of subclasses). A new reference or null with an exception.
PyObject* int_add(PyObject* a, PyObject* b);
PyObject* int_sub(PyObject* a, PyObject* b);
PyObject* int_mul(PyObject* a, PyObject* b);
PyObject* int_floordiv(PyObject* a, PyObject* b);
PyObject* int_mod(PyObject* a, PyObject* b);
PyObject* int_truediv(PyObject* a, PyObject* b);
PyObject* int_pow(PyObject* a, PyObject* b, PyObject* modulus);  // modulus: an int or None
PyObject* int_lshift(PyObject* a, PyObject* b);
PyObject* int_rshift(PyObject* a, PyObject* b);
PyObject* int_and(PyObject* a, PyObject* b);
PyObject* int_or(PyObject* a, PyObject* b);
PyObject* int_xor(PyObject* a, PyObject* b);
PyObject* int_neg(PyObject* a);
PyObject* int_abs(PyObject* a);
PyObject* int_invert(PyObject* a);
int int_divmod(PyObject* a, PyObject* b, PyObject** quotient, PyObject** remainder);  // floor division; 0 or -1
int int_compare(PyObject* a, PyObject* b);                                            // -1, 0 or 1
Py_hash_t int_hash(PyObject* a);

PyObject* int_gcd(PyObject* a, PyObject* b);
PyObject* int_isqrt(PyObject* a);  // a must not be negative
int64_t int_bit_length(PyObject* a);
PyObject* int_shift_left(PyObject* a, int64_t bits);
PyObject* int_shift_right(PyObject* a, int64_t bits);  // floor
size_t int_trailing_zeros(PyObject* a);                // a must not be zero
bool int_is_odd(PyObject* a);

// Text. `base` is 2, 8, 10 or 16; `alternate` adds the 0b, 0o, 0x prefix. The result is an exact ASCII str.
PyObject* int_to_text(PyObject* v, int base, bool alternate);
// A literal in bytes (not null-free): the message of int(b'...') on failure.
PyObject* int_from_bytes_literal(const char* text, Py_ssize_t length, int base);

// sys.get_int_max_str_digits / set_int_max_str_digits; 0 means no limit.
inline constexpr int kDefaultMaxStrDigits = 4300;
inline constexpr int kMaxStrDigitsThreshold = 640;
int int_max_str_digits();
void set_int_max_str_digits(int limit);

}  // namespace amphis
