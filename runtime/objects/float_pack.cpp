// Floats in 2, 4 and 8 bytes of IEEE 754: PyFloat_Pack* and PyFloat_Unpack*.
#include <bit>
#include <cmath>
#include <cstring>

#include "objects/float.h"

namespace amphis {
namespace {

template <typename T>
void store(T bits, char* out, bool little_endian) {
  if (!little_endian) {
    if constexpr (sizeof(T) == 2) bits = __builtin_bswap16(bits);
    if constexpr (sizeof(T) == 4) bits = __builtin_bswap32(bits);
    if constexpr (sizeof(T) == 8) bits = __builtin_bswap64(bits);
  }
  std::memcpy(out, &bits, sizeof(bits));
}

template <typename T>
T load(const char* in, bool little_endian) {
  T bits;
  std::memcpy(&bits, in, sizeof(bits));
  if (!little_endian) {
    if constexpr (sizeof(T) == 2) bits = __builtin_bswap16(bits);
    if constexpr (sizeof(T) == 4) bits = __builtin_bswap32(bits);
    if constexpr (sizeof(T) == 8) bits = __builtin_bswap64(bits);
  }
  return bits;
}

int too_large(char format) {
  PyErr_Format(PyExc_OverflowError, "float too large to pack with %c format", format);
  return -1;
}

constexpr uint64_t kFractionMask = (uint64_t{1} << 52) - 1;

// Half precision: 5 bits of exponent, 10 of fraction. False when the value is too large.
bool to_half(double value, uint16_t* out) {
  const auto bits = std::bit_cast<uint64_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 63 << 15);
  if (std::isnan(value)) {
    const auto payload = static_cast<uint16_t>((bits & kFractionMask) >> 42);
    *out = static_cast<uint16_t>(sign | 0x7C00 | (payload != 0 ? payload : 0x200));
    return true;
  }
  if (std::isinf(value)) {
    *out = static_cast<uint16_t>(sign | 0x7C00);
    return true;
  }
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520.0) return false;  // rounds to 65536
  // Scaled so that the last bit of the half is a unit; rint rounds half to even.
  int exponent;
  std::frexp(magnitude, &exponent);
  if (magnitude == 0.0 || exponent < -13) {
    *out = static_cast<uint16_t>(sign | static_cast<uint16_t>(std::rint(std::ldexp(magnitude, 24))));
    return true;
  }
  const auto units = static_cast<uint32_t>(std::rint(std::ldexp(magnitude, 11 - exponent)));  // 1024 .. 2048
  // A carry out of the fraction goes into the exponent by itself.
  *out = static_cast<uint16_t>(sign | ((static_cast<uint32_t>(exponent + 14) << 10) + (units - 1024)));
  return true;
}

double from_half(uint16_t half) {
  const int exponent = half >> 10 & 0x1F;
  const int fraction = half & 0x3FF;
  if (exponent == 0x1F) {
    const uint64_t bits =
        static_cast<uint64_t>(half >> 15) << 63 | uint64_t{0x7FF} << 52 | static_cast<uint64_t>(fraction) << 42;
    return std::bit_cast<double>(bits);
  }
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

int PyFloat_Pack2(double value, char* out, int little_endian) {
  uint16_t half;
  if (!to_half(value, &half)) return too_large('e');
  store(half, out, little_endian != 0);
  return 0;
}

int PyFloat_Pack4(double value, char* out, int little_endian) {
  auto narrow = static_cast<float>(value);
  if (std::isinf(narrow) && !std::isinf(value)) return too_large('f');
  auto bits = std::bit_cast<uint32_t>(narrow);
  if (std::isnan(value)) {
    // The machine's conversion quiets a signalling NaN: move the payload by hand.
    const auto wide = std::bit_cast<uint64_t>(value);
    auto payload = static_cast<uint32_t>((wide & kFractionMask) >> 29);
    if (payload == 0) payload = 0x400000;
    bits = static_cast<uint32_t>(wide >> 63) << 31 | 0x7F800000u | payload;
  }
  store(bits, out, little_endian != 0);
  return 0;
}

int PyFloat_Pack8(double value, char* out, int little_endian) {
  store(std::bit_cast<uint64_t>(value), out, little_endian != 0);
  return 0;
}

double PyFloat_Unpack2(const char* in, int little_endian) { return from_half(load<uint16_t>(in, little_endian != 0)); }

double PyFloat_Unpack4(const char* in, int little_endian) {
  const auto bits = load<uint32_t>(in, little_endian != 0);
  const auto narrow = std::bit_cast<float>(bits);
  if (!std::isnan(narrow)) return narrow;
  const uint64_t wide =
      uint64_t{bits >> 31} << 63 | uint64_t{0x7FF} << 52 | static_cast<uint64_t>(bits & 0x7FFFFF) << 29;
  return std::bit_cast<double>(wide);
}

double PyFloat_Unpack8(const char* in, int little_endian) {
  return std::bit_cast<double>(load<uint64_t>(in, little_endian != 0));
}

}  // extern "C"
