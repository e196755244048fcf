// Owns the size classes of the object allocator: which block size serves a request. Up to 512 bytes the classes are 16
// bytes apart; above, a class is the largest block of which n fit in a page, for a growing choice of n, so no page has
// a useless tail. Class 0 is for objects of a header and eight bytes, floats first of all, which rounding up would make a fifth
// or a third larger than they are; their blocks are aligned to eight bytes only, so only who names the type gets one
// (alloc_fixed).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "memory/variant.h"

namespace amphis::memory {

inline constexpr size_t kPageShift = 16;
inline constexpr size_t kPageSize = size_t(1) << kPageShift;
inline constexpr size_t kGranule = 16;
inline constexpr size_t kFineLimit = 512;

namespace detail {
// Blocks per page for the coarse classes, from small blocks to large ones.
inline constexpr std::array<unsigned, 20> kCoarse = {112, 96, 80, 64, 56, 48, 40, 32, 28, 24,
                                                     20,  16, 14, 12, 10, 8,  7,  6,  5,  4};
}  // namespace detail

inline constexpr unsigned kFineClasses = kFineLimit / kGranule;  // class i (1..32) holds blocks of 16 * i bytes
inline constexpr unsigned kClasses = 1 + kFineClasses + unsigned(detail::kCoarse.size());
inline constexpr size_t kWordObject = kMinBlock + 8;  // class 0

constexpr size_t class_block_size(unsigned cls) {
  if (cls == 0) return kWordObject;
  if (cls <= kFineClasses) return cls * kGranule;
  return kPageSize / detail::kCoarse[cls - kFineClasses - 1] / kGranule * kGranule;
}

inline constexpr size_t kMaxSmall = class_block_size(kClasses - 1);
static_assert(kMaxSmall == 16384);

namespace detail {
inline constexpr auto kClassOf = [] {
  std::array<uint8_t, kMaxSmall / kGranule + 1> table{};
  unsigned cls = 1;
  for (size_t granules = 1; granules < table.size(); ++granules) {
    while (class_block_size(cls) < granules * kGranule) ++cls;
    table[granules] = uint8_t(cls);
  }
  return table;
}();
}  // namespace detail

// The class for a request of at most kMaxSmall bytes; folds to a constant when `size` is one.
constexpr unsigned size_class(size_t size) {
  const size_t granules = (size + kGranule - 1) / kGranule;
  if (granules <= kFineClasses) return unsigned(granules);
  return detail::kClassOf[granules];
}

// The same for a type.
template <class T>
constexpr unsigned fixed_class() {
  static_assert(sizeof(T) <= kMaxSmall);
  return sizeof(T) == kWordObject && alignof(T) <= 8 ? 0 : size_class(sizeof(T));
}

}  // namespace amphis::memory
