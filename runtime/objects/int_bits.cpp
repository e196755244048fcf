// Integers as bit strings: shifts, & | ^ ~, bit lengths. Negative numbers behave as two's complement of unlimited
// width.
#include <algorithm>
#include <utility>

#include "objects/int_detail.h"

namespace amphis {
namespace {

// Reads a magnitude with sign as two's complement digits, one after the other from the least significant.
class TwosComplement {
 public:
  explicit TwosComplement(PyObject* v)
      : digits_(digits_of(v)), count_(digit_count(v)), flip_(is_negative(v) ? kMask : 0), carry_(flip_ & 1) {}
  Digit next() {
    const Digit raw = index_ < count_ ? digits_[index_] : 0;
    ++index_;
    const Digit value = (raw ^ flip_) + carry_;
    carry_ = value >> kShift;
    return value & kMask;
  }

 private:
  const Digit* digits_;
  size_t count_;
  size_t index_ = 0;
  Digit flip_;
  Digit carry_;
};

// Neither is negative: digit by digit.
template <typename Operation>
PyObject* bitwise_magnitudes(PyObject* a, PyObject* b, Operation operation) {
  if (digit_count(a) < digit_count(b)) std::swap(a, b);
  const size_t common = digit_count(b);
  // Above the shorter one stand zeros, which and turns into nothing.
  const size_t count = operation(int64_t{1}, int64_t{0}) != 0 ? digit_count(a) : common;
  PyLongObject* result = int_alloc(count);
  if (result == nullptr) return nullptr;
  const Digit *da = digits_of(a), *db = digits_of(b);
  Digit* out = result->long_value.ob_digit;
  for (size_t i = 0; i < common; ++i) out[i] = static_cast<Digit>(operation(int64_t{da[i]}, int64_t{db[i]}));
  if (count > common) std::memcpy(out + common, da + common, (count - common) * sizeof(Digit));
  return int_finish(result, count, false);
}

template <typename Operation>
PyObject* bitwise(PyObject* a, PyObject* b, Operation operation) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) [[likely]] return int_from_int64(operation(x, y));
  if (!is_negative(a) && !is_negative(b)) return bitwise_magnitudes(a, b, operation);
  const size_t count = std::max(digit_count(a), digit_count(b)) + 1;
  PyLongObject* result = int_alloc(count);
  if (result == nullptr) return nullptr;
  Digit* out = result->long_value.ob_digit;
  const bool negative = operation(int64_t{is_negative(a) ? -1 : 0}, int64_t{is_negative(b) ? -1 : 0}) < 0;
  TwosComplement u(a), v(b);
  Digit carry = negative ? 1 : 0;
  const Digit flip = negative ? kMask : 0;
  for (size_t i = 0; i < count; ++i) {
    const auto digit = static_cast<Digit>(operation(int64_t{u.next()}, int64_t{v.next()}));
    const Digit value = (digit ^ flip) + carry;
    out[i] = value & kMask;
    carry = value >> kShift;
  }
  return int_finish(result, count, negative);
}

int shift_count(PyObject* b, int64_t* bits) {  // 1: too large for int64, 0: in *bits, -1: negative, error set
  if (is_negative(b)) {
    PyErr_SetString(PyExc_ValueError, "negative shift count");
    return -1;
  }
  return int_to_int64(b, bits) ? 0 : 1;
}

}  // namespace

PyObject* int_and(PyObject* a, PyObject* b) {
  return bitwise(a, b, [](int64_t x, int64_t y) { return x & y; });
}
PyObject* int_or(PyObject* a, PyObject* b) {
  return bitwise(a, b, [](int64_t x, int64_t y) { return x | y; });
}
PyObject* int_xor(PyObject* a, PyObject* b) {
  return bitwise(a, b, [](int64_t x, int64_t y) { return x ^ y; });
}

PyObject* int_invert(PyObject* a) {
  int64_t x;
  if (compact_value(a, &x)) return int_from_int64(~x);
  PyObject* successor = int_add(a, small_int(1));
  if (successor == nullptr) return nullptr;
  PyObject* result = int_neg(successor);
  Py_DECREF(successor);
  return result;
}

PyObject* int_shift_left(PyObject* a, int64_t bits) {
  int64_t x;
  if (compact_value(a, &x) && bits <= 66) {
    if (x == 0) return small_int(0);
    return int_from_int128(static_cast<__int128>(x) << bits);
  }
  if (int_is_zero(a)) return small_int(0);
  const size_t whole = static_cast<size_t>(bits / kShift);
  const int rest = static_cast<int>(bits % kShift);
  const size_t count = digit_count(a);
  if (whole > kMaxDigits - count - 1) {
    PyErr_SetString(PyExc_OverflowError, "too many digits in integer");
    return nullptr;
  }
  PyLongObject* result = int_alloc(count + whole + 1);
  if (result == nullptr) return nullptr;
  Digit* out = result->long_value.ob_digit;
  std::memset(out, 0, whole * sizeof(Digit));
  const Digit* in = digits_of(a);
  DoubleDigit pending = 0;
  for (size_t i = 0; i < count; ++i) {
    pending |= DoubleDigit{in[i]} << rest;
    out[whole + i] = static_cast<Digit>(pending) & kMask;
    pending >>= kShift;
  }
  out[whole + count] = static_cast<Digit>(pending);
  return int_finish(result, count + whole + 1, is_negative(a));
}

PyObject* int_shift_right(PyObject* a, int64_t bits) {
  int64_t x;
  if (compact_value(a, &x)) return int_from_int64(bits >= 63 ? (x < 0 ? -1 : 0) : x >> bits);
  const size_t whole = static_cast<size_t>(bits / kShift);
  const int rest = static_cast<int>(bits % kShift);
  const size_t count = digit_count(a);
  const bool negative = is_negative(a);
  if (whole >= count) return small_int(negative ? -1 : 0);
  const Digit* in = digits_of(a);
  // Flooring a negative number rounds its magnitude up when any bit is lost.
  bool lost = false;
  if (negative) {
    lost = (in[whole] & ((Digit{1} << rest) - 1)) != 0;
    for (size_t i = 0; !lost && i < whole; ++i) lost = in[i] != 0;
  }
  const size_t out_count = count - whole;
  PyLongObject* result = int_alloc(out_count + 1);
  if (result == nullptr) return nullptr;
  Digit* out = result->long_value.ob_digit;
  Digit carry = lost ? 1 : 0;
  for (size_t i = 0; i < out_count; ++i) {
    const Digit high = whole + i + 1 < count ? in[whole + i + 1] : 0;
    Digit value = static_cast<Digit>((DoubleDigit{high} << kShift | in[whole + i]) >> rest) & kMask;
    value += carry;
    carry = value >> kShift;
    out[i] = value & kMask;
  }
  out[out_count] = carry;
  return int_finish(result, out_count + 1, negative);
}

PyObject* int_lshift(PyObject* a, PyObject* b) {
  int64_t bits;
  const int status = shift_count(b, &bits);
  if (status < 0) return nullptr;
  if (int_is_zero(a)) return small_int(0);
  if (status > 0) {
    PyErr_SetString(PyExc_OverflowError, "too many digits in integer");
    return nullptr;
  }
  return int_shift_left(a, bits);
}

PyObject* int_rshift(PyObject* a, PyObject* b) {
  int64_t bits;
  const int status = shift_count(b, &bits);
  if (status < 0) return nullptr;
  if (status > 0) return small_int(is_negative(a) ? -1 : 0);
  return int_shift_right(a, bits);
}

int64_t int_bit_length(PyObject* a) {
  const size_t count = digit_count(a);
  if (count == 0) return 0;
  return static_cast<int64_t>(count - 1) * kShift + bits_in_digit(digits_of(a)[count - 1]);
}

bool int_is_odd(PyObject* a) { return digit_count(a) != 0 && (digits_of(a)[0] & 1) != 0; }

size_t int_trailing_zeros(PyObject* a) {
  const Digit* d = digits_of(a);
  size_t i = 0;
  while (d[i] == 0) ++i;
  return i * kShift + static_cast<size_t>(__builtin_ctz(d[i]));
}

}  // namespace amphis

using namespace amphis;

extern "C" {

int64_t _PyLong_NumBits(PyObject* v) { return int_bit_length(v); }
PyObject* _PyLong_Lshift(PyObject* a, int64_t bits) { return int_shift_left(a, bits); }
PyObject* _PyLong_Rshift(PyObject* a, int64_t bits) { return int_shift_right(a, bits); }

}  // extern "C"
