// Numbers in registers: the arithmetic and the comparisons that the loop does without calling anything. Each function
// tells when an operand or a result is not for it; the general instruction then decides.
#pragma once

#include <cmath>

#include "Python.h"
#include "interp/value.h"
#include "objects/str.h"

namespace amphis {

enum class Arith { kAdd, kSub, kMul, kTrueDiv, kFloorDiv, kMod, kAnd, kOr, kXor, kLshift, kRshift };

// Integer fast path on unboxed operands. False: needs the slow path (overflow, zero division, negative shift).
template <Arith op>
[[gnu::always_inline]] inline bool int_arith(Value b, Value c, Value* out) {
  if constexpr (op == Arith::kAdd) {
    int64_t r;
    if (__builtin_add_overflow(static_cast<int64_t>(b << 16), static_cast<int64_t>(c << 16), &r)) return false;
    *out = (static_cast<uint64_t>(r) >> 16) | kIntTag;
    return true;
  } else if constexpr (op == Arith::kSub) {
    int64_t r;
    if (__builtin_sub_overflow(static_cast<int64_t>(b << 16), static_cast<int64_t>(c << 16), &r)) return false;
    *out = (static_cast<uint64_t>(r) >> 16) | kIntTag;
    return true;
  } else if constexpr (op == Arith::kMul) {
    int64_t r;
    if (__builtin_mul_overflow(int_of(b), static_cast<int64_t>(c << 16), &r)) return false;
    *out = (static_cast<uint64_t>(r) >> 16) | kIntTag;
    return true;
  } else if constexpr (op == Arith::kTrueDiv) {
    int64_t y = int_of(c);
    if (y == 0) return false;
    *out = value_double(static_cast<double>(int_of(b)) / static_cast<double>(y));
    return true;
  } else if constexpr (op == Arith::kFloorDiv) {
    int64_t x = int_of(b), y = int_of(c);
    if (y == 0) return false;
    int64_t q = x / y;
    if ((x % y != 0) && ((x < 0) != (y < 0))) --q;
    if (!fits_int(q)) return false;
    *out = value_int(q);
    return true;
  } else if constexpr (op == Arith::kMod) {
    int64_t x = int_of(b), y = int_of(c);
    if (y == 0) return false;
    int64_t r = x % y;
    if (r != 0 && ((r < 0) != (y < 0))) r += y;
    *out = value_int(r);
    return true;
  } else if constexpr (op == Arith::kAnd) {
    *out = (b & c) | kIntTag;
    return true;
  } else if constexpr (op == Arith::kOr) {
    *out = b | c;
    return true;
  } else if constexpr (op == Arith::kXor) {
    *out = (b ^ c) | kIntTag;
    return true;
  } else if constexpr (op == Arith::kLshift) {
    int64_t x = int_of(b), n = int_of(c);
    if (static_cast<uint64_t>(n) >= 47) return false;
    int64_t r = static_cast<int64_t>(static_cast<uint64_t>(x) << n);
    if (r >> n != x || !fits_int(r)) return false;
    *out = value_int(r);
    return true;
  } else {
    int64_t n = int_of(c);
    if (n < 0) return false;
    *out = value_int(int_of(b) >> (n > 63 ? 63 : n));
    return true;
  }
}

template <Arith op>
[[gnu::always_inline]] inline bool double_arith(double x, double y, Value* out) {
  if constexpr (op == Arith::kAdd) {
    *out = value_double(x + y);
    return true;
  } else if constexpr (op == Arith::kSub) {
    *out = value_double(x - y);
    return true;
  } else if constexpr (op == Arith::kMul) {
    *out = value_double(x * y);
    return true;
  } else if constexpr (op == Arith::kTrueDiv) {
    if (y == 0.0) [[unlikely]] return false;
    *out = value_double(x / y);
    return true;
  } else {
    return false;
  }
}

// The numeric path for operands of which some are boxed or of mixed kind: still no call of Python code.
template <Arith op>
inline bool mixed_arith(Value b, Value c, Value* out) {
  b = unboxed(b);
  c = unboxed(c);
  if (is_pointer(b) || is_pointer(c)) return false;
  if (both_int(b, c)) return int_arith<op>(b, c, out);
  return double_arith<op>(is_int(b) ? static_cast<double>(int_of(b)) : double_of(b),
                          is_int(c) ? static_cast<double>(int_of(c)) : double_of(c), out);
}

// b ** c of numbers where the result is plain: a positive finite base with a finite exponent, or small integers.
inline bool power_arith(Value b, Value c, Value* out) {
  b = unboxed(b);
  c = unboxed(c);
  if (is_pointer(b) || is_pointer(c)) return false;
  if (both_int(b, c)) {
    int64_t exponent = int_of(c);
    if (exponent < 0 || exponent > 64) return false;
    int64_t result = 1, base = int_of(b);
    for (; exponent > 0; --exponent) {
      if (__builtin_mul_overflow(result, base, &result)) return false;
    }
    if (!fits_int(result)) return false;
    *out = value_int(result);
    return true;
  }
  const double x = is_int(b) ? static_cast<double>(int_of(b)) : double_of(b);
  const double y = is_int(c) ? static_cast<double>(int_of(c)) : double_of(c);
  if (!(x > 0.0) || !std::isfinite(x) || !std::isfinite(y)) return false;
  const double r = std::pow(x, y);
  if (!std::isfinite(r)) return false;
  *out = value_double(r);
  return true;
}

enum class Compare { kLt, kLe, kEq, kNe, kGt, kGe };

template <Compare op, typename T>
[[gnu::always_inline]] inline bool compare_numbers(T x, T y) {
  if constexpr (op == Compare::kLt) return x < y;
  if constexpr (op == Compare::kLe) return x <= y;
  if constexpr (op == Compare::kEq) return x == y;
  if constexpr (op == Compare::kNe) return x != y;
  if constexpr (op == Compare::kGt) return x > y;
  return x >= y;
}

// -1: not two numbers (or str for equality); otherwise the truth value. 48-bit integers are exact as doubles.
template <Compare op>
inline int mixed_compare(Value b, Value c) {
  if (is_double(b) && is_double(c)) [[likely]] return compare_numbers<op>(double_of(b), double_of(c));
  if constexpr (op == Compare::kEq || op == Compare::kNe) {
    if (is_pointer(b) && is_pointer(c) && PyUnicode_CheckExact(pointer_of(b)) && PyUnicode_CheckExact(pointer_of(c))) {
      const bool equal = pointer_of(b) == pointer_of(c) || str_equal(pointer_of(b), pointer_of(c));
      return equal == (op == Compare::kEq);
    }
  }
  Value x = unboxed(b), y = unboxed(c);
  if (is_pointer(x) || is_pointer(y)) return -1;
  if (both_int(x, y)) return compare_numbers<op>(int_of(x), int_of(y));
  return compare_numbers<op>(is_int(x) ? static_cast<double>(int_of(x)) : double_of(x),
                             is_int(y) ? static_cast<double>(int_of(y)) : double_of(y));
}

// Truth of a value without calling Python code: 0, 1, or -1 for "ask the object".
[[gnu::always_inline]] inline int quick_truth(Value v) {
  if (is_true_object(v)) return 1;
  if (is_false_object(v) || is_none(v)) return 0;
  if (is_int(v)) return v != kIntTag;
  if (is_double(v)) return double_of(v) != 0.0;
  return -1;
}

}  // namespace amphis
