// Owns small integer arithmetic: alignment and powers of two.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace amphis {

constexpr bool is_power_of_two(uint64_t n) { return n && !(n & (n - 1)); }
constexpr size_t align_up(size_t n, size_t alignment) { return (n + alignment - 1) & ~(alignment - 1); }
constexpr size_t align_down(size_t n, size_t alignment) { return n & ~(alignment - 1); }
// The exponent of the largest power of two not above n; n must not be zero.
constexpr int log2_floor(uint64_t n) { return 63 - std::countl_zero(n); }
constexpr int log2_ceil(uint64_t n) { return n <= 1 ? 0 : log2_floor(n - 1) + 1; }

// Spreads the entropy of an address over all bits (Fibonacci hashing, Knuth vol. 3, 6.4).
constexpr uint64_t hash_address(uintptr_t p) { return (uint64_t(p) >> 3) * 0x9E3779B97F4A7C15ull; }

}  // namespace amphis
