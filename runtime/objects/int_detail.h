// The inside of integers, for the int_*.cpp files only: allocation, normalisation, the way to and from GMP.
//
// A magnitude is a little-endian array of 30-bit digits. GMP sees the same number as 64-bit limbs; packing and
// unpacking are linear, so everything that is worse than linear beyond a few digits is left to GMP.
#pragma once

#include <gmp.h>

#include <cstring>

#include "objects/int.h"

namespace amphis {

using Digit = digit;
using DoubleDigit = uint64_t;

inline constexpr int kShift = PyLong_SHIFT;
inline constexpr Digit kMask = (Digit{1} << kShift) - 1;
inline constexpr size_t kDigitsOffset = offsetof(PyLongObject, long_value.ob_digit);
inline constexpr size_t kMaxDigits = (static_cast<size_t>(PY_SSIZE_T_MAX) - kDigitsOffset) / sizeof(Digit) / 8;
static_assert(kShift == 30 && sizeof(mp_limb_t) == 8 && GMP_NUMB_BITS == 64);

inline PyLongObject* as_long(PyObject* v) { return reinterpret_cast<PyLongObject*>(v); }
inline PyObject* as_object(PyLongObject* v) { return reinterpret_cast<PyObject*>(v); }
inline size_t digit_count(PyObject* v) { return long_value_of(v).lv_tag >> 3; }
inline const Digit* digits_of(PyObject* v) { return long_value_of(v).ob_digit; }
inline bool is_negative(PyObject* v) { return (long_value_of(v).lv_tag & 3) == 2; }

// A fresh `int` of `count` digits (count >= 1), positive, digits not set. Null with MemoryError / OverflowError.
PyLongObject* int_alloc(size_t count);

// Strips leading zeros, sets the sign, and trades a small value for the shared object. Takes `v` over.
PyObject* int_finish(PyLongObject* v, size_t count, bool negative);

// From a magnitude in digits, which are copied.
PyObject* int_from_digits(const Digit* digits, size_t count, bool negative);

// Limbs enough for `count` digits.
inline size_t limbs_for_digits(size_t count) { return (count * kShift + 63) / 64; }
inline size_t digits_for_limbs(size_t count) { return (count * 64 + kShift - 1) / kShift; }

// Writes the limbs of a magnitude and returns how many are significant.
inline size_t pack_limbs(const Digit* digits, size_t count, mp_limb_t* out) {
  unsigned __int128 pending = 0;
  int bits = 0;
  size_t n = 0;
  for (size_t i = 0; i < count; ++i) {
    pending |= static_cast<unsigned __int128>(digits[i]) << bits;
    bits += kShift;
    if (bits >= 64) {
      out[n++] = static_cast<mp_limb_t>(pending);
      pending >>= 64;
      bits -= 64;
    }
  }
  if (bits > 0) out[n++] = static_cast<mp_limb_t>(pending);
  while (n > 0 && out[n - 1] == 0) --n;
  return n;
}

// Writes exactly digits_for_limbs(count) digits.
inline void unpack_limbs(const mp_limb_t* limbs, size_t count, Digit* out) {
  unsigned __int128 pending = 0;
  int bits = 0;
  const size_t total = digits_for_limbs(count);
  size_t next = 0;
  for (size_t i = 0; i < total; ++i) {
    if (bits < kShift && next < count) {
      pending |= static_cast<unsigned __int128>(limbs[next++]) << bits;
      bits += 64;
    }
    out[i] = static_cast<Digit>(pending) & kMask;
    pending >>= kShift;
    bits -= kShift;
  }
}

// From limbs, which are copied.
PyObject* int_from_limbs(const mp_limb_t* limbs, size_t count, bool negative);

// Scratch limbs: on the stack when few. `data` is null, with MemoryError set, when there is no memory.
class LimbBuffer {
 public:
  explicit LimbBuffer(size_t count) {
    data_ = count <= kInline ? inline_ : static_cast<mp_limb_t*>(PyMem_Malloc(count * sizeof(mp_limb_t)));
    if (data_ == nullptr) PyErr_NoMemory();
  }
  ~LimbBuffer() {
    if (data_ != inline_) PyMem_Free(data_);
  }
  LimbBuffer(const LimbBuffer&) = delete;
  LimbBuffer& operator=(const LimbBuffer&) = delete;
  mp_limb_t* data() { return data_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  static constexpr size_t kInline = 64;
  mp_limb_t* data_;
  mp_limb_t inline_[kInline];
};

// An mpz_t with the value of an int, or a scratch one. GMP throws std::bad_alloc when memory runs out
// (int_gmp.cpp) but ends the process beyond 2**31 limbs, so callers refuse absurd sizes before they get here.
class Mpz {
 public:
  Mpz() { mpz_init(z_); }
  explicit Mpz(PyObject* v) {
    const size_t count = digit_count(v);
    const size_t limbs = limbs_for_digits(count);
    mpz_init2(z_, limbs * 64 + 64);
    if (count == 0) return;
    mp_limb_t* data = mpz_limbs_write(z_, static_cast<mp_size_t>(limbs));
    const auto used = static_cast<mp_size_t>(pack_limbs(digits_of(v), count, data));
    mpz_limbs_finish(z_, is_negative(v) ? -used : used);
  }
  ~Mpz() { mpz_clear(z_); }
  Mpz(const Mpz&) = delete;
  Mpz& operator=(const Mpz&) = delete;
  mpz_ptr get() { return z_; }
  PyObject* to_int() const { return int_from_limbs(mpz_limbs_read(z_), mpz_size(z_), mpz_sgn(z_) < 0); }

 private:
  mpz_t z_;
};

inline int bits_in_digit(Digit d) { return d == 0 ? 0 : 32 - __builtin_clz(d); }

// "Exceeds the limit ..." of int/str conversion.
void raise_too_many_digits();

// Turns decimal digits and whitespace of any script into ASCII. The result is a null-terminated PyMem_Malloc
// block (or `text`'s own ASCII data, then *owned is null); other characters become '?'.
const char* ascii_number_text(PyObject* text, Py_ssize_t* length, char** owned);

// The methods of `int` (int_methods.cpp).
extern PyMethodDef int_methods[];
extern PyGetSetDef int_getset[];

}  // namespace amphis
