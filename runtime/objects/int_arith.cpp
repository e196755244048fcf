// Integer arithmetic: + - * // % / ** gcd and square root.
//
// Values of up to two digits (60 bits) are computed in machine words; digit loops serve the middle; operands of
// more than kLimbThreshold digits, and everything that is worse than linear, go through GMP's limbs.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <new>
#include <utility>

#include "objects/float.h"
#include "objects/int_detail.h"

namespace amphis {
namespace {

// Below this many digits in the shorter operand the schoolbook product beats packing into limbs.
constexpr size_t kLimbThreshold = 12;

// GMP ends the process when memory runs out: results beyond this many bits are refused first.
constexpr int64_t kMaxGmpBits = int64_t{1} << 36;

PyObject* add_magnitudes(PyObject* a, PyObject* b, bool negative) {
  if (digit_count(a) < digit_count(b)) std::swap(a, b);
  const size_t na = digit_count(a), nb = digit_count(b);
  PyLongObject* result = int_alloc(na + 1);
  if (result == nullptr) return nullptr;
  const Digit *da = digits_of(a), *db = digits_of(b);
  Digit* out = result->long_value.ob_digit;
  Digit carry = 0;
  size_t i = 0;
  for (; i < nb; ++i) {
    carry += da[i] + db[i];
    out[i] = carry & kMask;
    carry >>= kShift;
  }
  for (; i < na; ++i) {
    carry += da[i];
    out[i] = carry & kMask;
    carry >>= kShift;
  }
  out[na] = carry;
  return int_finish(result, na + 1, negative);
}

// |a| - |b|, negated when `negative`.
PyObject* sub_magnitudes(PyObject* a, PyObject* b, bool negative) {
  size_t na = digit_count(a), nb = digit_count(b);
  if (na < nb) {
    std::swap(a, b);
    std::swap(na, nb);
    negative = !negative;
  } else if (na == nb) {
    while (na > 0 && digits_of(a)[na - 1] == digits_of(b)[na - 1]) --na;
    if (na == 0) return small_int(0);
    if (digits_of(a)[na - 1] < digits_of(b)[na - 1]) {
      std::swap(a, b);
      negative = !negative;
    }
    nb = na;
  }
  PyLongObject* result = int_alloc(na);
  if (result == nullptr) return nullptr;
  const Digit *da = digits_of(a), *db = digits_of(b);
  Digit* out = result->long_value.ob_digit;
  Digit borrow = 0;
  size_t i = 0;
  for (; i < nb; ++i) {
    borrow = da[i] - db[i] - borrow;
    out[i] = borrow & kMask;
    borrow = borrow >> 31;
  }
  for (; i < na; ++i) {
    borrow = da[i] - borrow;
    out[i] = borrow & kMask;
    borrow = borrow >> 31;
  }
  return int_finish(result, na, negative);
}

// out has na + nb digits.
void multiply_digits(const Digit* a, size_t na, const Digit* b, size_t nb, Digit* out) {
  std::memset(out, 0, nb * sizeof(Digit));
  for (size_t i = 0; i < na; ++i) {
    const DoubleDigit factor = a[i];
    DoubleDigit carry = 0;
    Digit* row = out + i;
    for (size_t j = 0; j < nb; ++j) {
      carry += row[j] + factor * b[j];
      row[j] = static_cast<Digit>(carry) & kMask;
      carry >>= kShift;
    }
    row[nb] = static_cast<Digit>(carry);
  }
}

PyObject* multiply_slow(PyObject* a, PyObject* b) try {
  size_t na = digit_count(a), nb = digit_count(b);
  if (na == 0 || nb == 0) return small_int(0);
  if (na > nb) {
    std::swap(a, b);
    std::swap(na, nb);
  }
  const bool negative = is_negative(a) != is_negative(b);
  if (na < kLimbThreshold) {
    PyLongObject* result = int_alloc(na + nb);
    if (result == nullptr) return nullptr;
    multiply_digits(digits_of(a), na, digits_of(b), nb, result->long_value.ob_digit);
    return int_finish(result, na + nb, negative);
  }
  LimbBuffer x(limbs_for_digits(na)), y(limbs_for_digits(nb)), product(limbs_for_digits(na) + limbs_for_digits(nb));
  if (!x || !y || !product) return nullptr;
  const auto nx = static_cast<mp_size_t>(pack_limbs(digits_of(a), na, x.data()));
  if (a == b) {
    mpn_sqr(product.data(), x.data(), nx);
    return int_from_limbs(product.data(), static_cast<size_t>(2 * nx), false);
  }
  const auto ny = static_cast<mp_size_t>(pack_limbs(digits_of(b), nb, y.data()));
  // The longer operand first: equally many digits may still be differently many limbs.
  if (nx < ny) {
    mpn_mul(product.data(), y.data(), ny, x.data(), nx);
  } else {
    mpn_mul(product.data(), x.data(), nx, y.data(), ny);
  }
  return int_from_limbs(product.data(), static_cast<size_t>(nx + ny), negative);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

int zero_division() {
  PyErr_SetString(PyExc_ZeroDivisionError, "division by zero");
  return -1;
}

// Stores of whichever results were asked for; on failure neither is set.
int store(PyObject* q, PyObject* r, PyObject** quotient, PyObject** remainder) {
  if ((quotient != nullptr && q == nullptr) || (remainder != nullptr && r == nullptr)) {
    Py_XDECREF(q);
    Py_XDECREF(r);
    return -1;
  }
  if (quotient != nullptr) *quotient = q;
  if (remainder != nullptr) *remainder = r;
  return 0;
}

// Truncating division by a single digit.
int divide_by_digit(PyObject* a, PyObject* b, PyObject** quotient, PyObject** remainder) {
  const size_t na = digit_count(a);
  const Digit* da = digits_of(a);
  const Digit divisor = digits_of(b)[0];
  DoubleDigit rest = 0;
  PyLongObject* q = nullptr;
  if (quotient != nullptr) {
    q = int_alloc(na);
    if (q == nullptr) return -1;
    for (size_t i = na; i-- > 0;) {
      rest = rest << kShift | da[i];
      const Digit d = static_cast<Digit>(rest / divisor);
      q->long_value.ob_digit[i] = d;
      rest -= DoubleDigit{d} * divisor;
    }
  } else {
    for (size_t i = na; i-- > 0;) rest = (rest << kShift | da[i]) % divisor;
  }
  const auto signed_rest = static_cast<int64_t>(rest);
  return store(q != nullptr ? int_finish(q, na, is_negative(a) != is_negative(b)) : nullptr,
               remainder != nullptr ? int_from_int64(is_negative(a) ? -signed_rest : signed_rest) : nullptr, quotient,
               remainder);
}

// Truncating division; b is not zero.
int divide_truncating(PyObject* a, PyObject* b, PyObject** quotient, PyObject** remainder) try {
  const size_t na = digit_count(a), nb = digit_count(b);
  if (na < nb) {
    if (quotient != nullptr) *quotient = small_int(0);
    if (remainder != nullptr) {
      *remainder = PyLong_CheckExact(a) ? Py_NewRef(a) : _PyLong_Copy(as_long(a));
      if (*remainder == nullptr) return -1;
    }
    return 0;
  }
  if (nb == 1) return divide_by_digit(a, b, quotient, remainder);
  LimbBuffer x(limbs_for_digits(na)), y(limbs_for_digits(nb));
  if (!x || !y) return -1;
  const auto nx = static_cast<mp_size_t>(pack_limbs(digits_of(a), na, x.data()));
  const auto ny = static_cast<mp_size_t>(pack_limbs(digits_of(b), nb, y.data()));
  if (nx < ny) {
    if (quotient != nullptr) *quotient = small_int(0);
    if (remainder == nullptr) return 0;
    *remainder = int_from_limbs(x.data(), static_cast<size_t>(nx), is_negative(a));
    return *remainder == nullptr ? -1 : 0;
  }
  LimbBuffer q(static_cast<size_t>(nx - ny + 1)), r(static_cast<size_t>(ny));
  if (!q || !r) return -1;
  mpn_tdiv_qr(q.data(), r.data(), 0, x.data(), nx, y.data(), ny);
  return store(quotient != nullptr ? int_from_limbs(q.data(), static_cast<size_t>(nx - ny + 1),
                                                    is_negative(a) != is_negative(b))
                                   : nullptr,
               remainder != nullptr ? int_from_limbs(r.data(), static_cast<size_t>(ny), is_negative(a)) : nullptr,
               quotient, remainder);
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return -1;
}

// Replaces an owned reference by the result of an operation on it; false when the operation failed.
bool replace(PyObject** slot, PyObject* value) {
  Py_SETREF(*slot, value);
  return value != nullptr;
}

// Floor division of operands that do not both fit in 60 bits.
int divide_slow(PyObject* a, PyObject* b, PyObject** quotient, PyObject** remainder) {
  if (int_is_zero(b)) return zero_division();
  PyObject* q = nullptr;
  PyObject* r = nullptr;
  // Operands of different sign need the remainder to know whether the quotient has to go down by one.
  const bool adjust = is_negative(a) != is_negative(b);
  if (divide_truncating(a, b, quotient != nullptr ? &q : nullptr, remainder != nullptr || adjust ? &r : nullptr) < 0) {
    return -1;
  }
  if (adjust && !int_is_zero(r)) {
    if ((q != nullptr && !replace(&q, int_sub(q, small_int(1)))) ||
        (remainder != nullptr && !replace(&r, int_add(r, b)))) {
      Py_XDECREF(q);
      Py_XDECREF(r);
      return -1;
    }
  }
  if (quotient != nullptr) *quotient = q;
  if (remainder != nullptr) {
    *remainder = r;
  } else {
    Py_XDECREF(r);
  }
  return 0;
}

// The quotient rounded to nearest, ties to even: scale so that the integer quotient has a few bits more than a
// double holds, keep one sticky bit for what was cut off, and round once.
PyObject* true_divide_slow(PyObject* a, PyObject* b) try {
  if (int_is_zero(b)) {
    zero_division();
    return nullptr;
  }
  const bool negative = is_negative(a) != is_negative(b);
  if (int_is_zero(a)) return float_from_double(negative ? -0.0 : 0.0);
  const int64_t difference = int_bit_length(a) - int_bit_length(b);
  if (difference > DBL_MAX_EXP) {
    PyErr_SetString(PyExc_OverflowError, "integer division result too large for a float");
    return nullptr;
  }
  if (difference < DBL_MIN_EXP - DBL_MANT_DIG - 1) return float_from_double(negative ? -0.0 : 0.0);
  const int64_t shift = std::max<int64_t>(difference, DBL_MIN_EXP) - DBL_MANT_DIG - 2;
  Mpz x(a), y(b), quotient, remainder;
  mpz_abs(x.get(), x.get());
  mpz_abs(y.get(), y.get());
  if (shift <= 0) {
    mpz_mul_2exp(x.get(), x.get(), static_cast<mp_bitcnt_t>(-shift));
  } else {
    mpz_mul_2exp(y.get(), y.get(), static_cast<mp_bitcnt_t>(shift));
  }
  mpz_tdiv_qr(quotient.get(), remainder.get(), x.get(), y.get());
  uint64_t q = mpz_get_ui(quotient.get());
  const int q_bits = q == 0 ? 0 : 64 - __builtin_clzll(q);
  const int extra = static_cast<int>(std::max<int64_t>(q_bits, DBL_MIN_EXP - shift) - DBL_MANT_DIG);
  const uint64_t half = uint64_t{1} << (extra - 1);
  const bool sticky = mpz_sgn(remainder.get()) != 0 || (q & (half - 1)) != 0;
  const bool round_up = (q & half) != 0 && (sticky || (q & (half << 1)) != 0);
  q = (q >> extra) + (round_up ? 1 : 0);
  const double result = std::ldexp(static_cast<double>(q), static_cast<int>(shift) + extra);
  if (std::isinf(result)) {
    PyErr_SetString(PyExc_OverflowError, "integer division result too large for a float");
    return nullptr;
  }
  return float_from_double(negative ? -result : result);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* power_by_squaring(__int128 base, uint64_t exponent) {
  __int128 result = 1;
  while (true) {
    if (exponent & 1) result *= base;
    exponent >>= 1;
    if (exponent == 0) break;
    base *= base;
  }
  return int_from_int128(result);
}

PyObject* power_plain(PyObject* a, PyObject* b) try {
  int64_t exponent;
  const bool exponent_fits = int_to_int64(b, &exponent);
  int64_t base;
  if (compact_value(a, &base) && base >= -1 && base <= 1) {
    if (base == 1 || int_is_zero(b)) return small_int(1);
    if (base == 0) return small_int(0);
    return small_int(int_is_odd(b) ? -1 : 1);
  }
  if (int_is_zero(b)) return small_int(1);
  const int64_t bits = int_bit_length(a);
  if (!exponent_fits || exponent > kMaxGmpBits / std::max<int64_t>(bits - 1, 1)) return PyErr_NoMemory();
  if (compact_value(a, &base)) {
    if (bits * exponent <= 126) return power_by_squaring(base, static_cast<uint64_t>(exponent));
    const uint64_t magnitude = base < 0 ? -static_cast<uint64_t>(base) : static_cast<uint64_t>(base);
    if ((magnitude & (magnitude - 1)) == 0) {
      return int_shift_left(small_int(base < 0 && (exponent & 1) ? -1 : 1), (bits - 1) * exponent);
    }
  }
  if (exponent == 1) return PyLong_CheckExact(a) ? Py_NewRef(a) : _PyLong_Copy(as_long(a));
  if (exponent == 2) return int_mul(a, a);
  Mpz x(a), result;
  mpz_pow_ui(result.get(), x.get(), static_cast<unsigned long>(exponent));
  return result.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

// All of it in 64-bit words: 0 <= base < modulus < 2**62.
uint64_t power_mod_words(uint64_t base, uint64_t exponent, uint64_t modulus) {
  uint64_t result = 1 % modulus;
  while (exponent != 0) {
    if (exponent & 1) result = static_cast<uint64_t>(static_cast<unsigned __int128>(result) * base % modulus);
    base = static_cast<uint64_t>(static_cast<unsigned __int128>(base) * base % modulus);
    exponent >>= 1;
  }
  return result;
}

PyObject* power_mod(PyObject* a, PyObject* b, PyObject* c) try {
  if (int_is_zero(c)) {
    PyErr_SetString(PyExc_ValueError, "pow() 3rd argument cannot be 0");
    return nullptr;
  }
  int64_t base, exponent, modulus;
  if (compact_value(a, &base) && compact_value(b, &exponent) && compact_value(c, &modulus) && exponent >= 0 && modulus > 0) {
    base %= modulus;
    if (base < 0) base += modulus;
    return int_from_uint64(power_mod_words(static_cast<uint64_t>(base), static_cast<uint64_t>(exponent),
                                           static_cast<uint64_t>(modulus)));
  }
  Mpz x(a), y(b), m(c), result;
  mpz_abs(m.get(), m.get());
  if (mpz_cmp_ui(m.get(), 1) == 0) return small_int(0);
  if (is_negative(b)) {
    if (mpz_invert(x.get(), x.get(), m.get()) == 0) {
      PyErr_SetString(PyExc_ValueError, "base is not invertible for the given modulus");
      return nullptr;
    }
    mpz_neg(y.get(), y.get());
  }
  mpz_powm(result.get(), x.get(), y.get(), m.get());
  // The result takes the sign of the modulus, as with %.
  if (is_negative(c) && mpz_sgn(result.get()) != 0) mpz_sub(result.get(), result.get(), m.get());
  return result.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

}  // namespace

PyObject* int_add(PyObject* a, PyObject* b) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) [[likely]] return int_from_int64(x + y);
  if (is_negative(a) == is_negative(b)) return add_magnitudes(a, b, is_negative(a));
  return sub_magnitudes(a, b, is_negative(a));
}

PyObject* int_sub(PyObject* a, PyObject* b) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) [[likely]] return int_from_int64(x - y);
  if (is_negative(a) != is_negative(b)) return add_magnitudes(a, b, is_negative(a));
  return sub_magnitudes(a, b, is_negative(a));
}

PyObject* int_mul(PyObject* a, PyObject* b) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) [[likely]] {
    int64_t product;
    if (!__builtin_mul_overflow(x, y, &product)) return int_from_int64(product);
    return int_from_int128(static_cast<__int128>(x) * y);
  }
  return multiply_slow(a, b);
}

int int_divmod(PyObject* a, PyObject* b, PyObject** quotient, PyObject** remainder) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) [[likely]] {
    if (y == 0) return zero_division();
    int64_t q = x / y, r = x % y;
    if (r != 0 && (r ^ y) < 0) {
      --q;
      r += y;
    }
    return store(quotient != nullptr ? int_from_int64(q) : nullptr,
                 remainder != nullptr ? int_from_int64(r) : nullptr, quotient, remainder);
  }
  return divide_slow(a, b, quotient, remainder);
}

PyObject* int_floordiv(PyObject* a, PyObject* b) {
  PyObject* quotient;
  return int_divmod(a, b, &quotient, nullptr) < 0 ? nullptr : quotient;
}

PyObject* int_mod(PyObject* a, PyObject* b) {
  PyObject* remainder;
  return int_divmod(a, b, nullptr, &remainder) < 0 ? nullptr : remainder;
}

PyObject* int_truediv(PyObject* a, PyObject* b) {
  constexpr int64_t kExact = int64_t{1} << DBL_MANT_DIG;
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y) && y != 0 && x <= kExact && -x <= kExact && y <= kExact && -y <= kExact) {
    return float_from_double(static_cast<double>(x) / static_cast<double>(y));
  }
  return true_divide_slow(a, b);
}

PyObject* int_pow(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) return power_mod(a, b, modulus);
  // A negative exponent makes a float.
  if (is_negative(b)) return PyFloat_Type.tp_as_number->nb_power(a, b, Py_None);
  return power_plain(a, b);
}

PyObject* int_neg(PyObject* a) {
  int64_t x;
  if (compact_value(a, &x)) return int_from_int64(-x);
  return int_from_digits(digits_of(a), digit_count(a), !is_negative(a));
}

PyObject* int_abs(PyObject* a) {
  if (is_negative(a)) return int_neg(a);
  return PyLong_CheckExact(a) ? Py_NewRef(a) : _PyLong_Copy(as_long(a));
}

PyObject* int_gcd(PyObject* a, PyObject* b) try {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) {
    auto u = static_cast<uint64_t>(x < 0 ? -x : x), v = static_cast<uint64_t>(y < 0 ? -y : y);
    while (v != 0) u = std::exchange(v, (u | v) >> 32 == 0 ? static_cast<uint32_t>(u) % static_cast<uint32_t>(v) : u % v);
    return int_from_uint64(u);
  }
  Mpz p(a), q(b);
  mpz_gcd(p.get(), p.get(), q.get());
  return p.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* int_isqrt(PyObject* a) try {
  int64_t x;
  if (int_to_int64(a, &x)) {
    auto root = static_cast<uint64_t>(std::sqrt(static_cast<double>(x)));
    const auto n = static_cast<uint64_t>(x);
    while (root * root > n) --root;
    while ((root + 1) * (root + 1) <= n) ++root;
    return int_from_uint64(root);
  }
  Mpz p(a);
  mpz_sqrt(p.get(), p.get());
  return p.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* _PyLong_GCD(PyObject* a, PyObject* b) { return int_gcd(a, b); }
PyObject* _PyLong_Add(PyLongObject* a, PyLongObject* b) { return int_add(as_object(a), as_object(b)); }
PyObject* _PyLong_Subtract(PyLongObject* a, PyLongObject* b) { return int_sub(as_object(a), as_object(b)); }
PyObject* _PyLong_Multiply(PyLongObject* a, PyLongObject* b) { return int_mul(as_object(a), as_object(b)); }

// (q, r) with q = a / b rounded to nearest, ties to even.
PyObject* _PyLong_DivmodNear(PyObject* a, PyObject* b) {
  if (!PyLong_Check(a) || !PyLong_Check(b)) {
    PyErr_SetString(PyExc_TypeError, "non-integer arguments in division");
    return nullptr;
  }
  PyObject *q = nullptr, *r = nullptr;
  if (int_divmod(a, b, &q, &r) < 0) return nullptr;
  // Here 0 <= r/b < 1: compare 2r with b.
  bool ok = true;
  PyObject* twice = int_shift_left(r, 1);
  if (twice == nullptr) {
    ok = false;
  } else {
    int order = int_compare(twice, b);
    if (is_negative(b)) order = -order;
    Py_DECREF(twice);
    if (order > 0 || (order == 0 && int_is_odd(q))) {
      ok = replace(&q, int_add(q, small_int(1))) && replace(&r, int_sub(r, b));
    }
  }
  PyObject* pair = ok ? PyTuple_New(2) : nullptr;
  if (pair == nullptr) {
    Py_XDECREF(q);
    Py_XDECREF(r);
    return nullptr;
  }
  PyTuple_SET_ITEM(pair, 0, q);
  PyTuple_SET_ITEM(pair, 1, r);
  return pair;
}

}  // extern "C"
