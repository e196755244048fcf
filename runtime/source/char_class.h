// One table lookup says what a byte can begin or continue.
#pragma once

#include <array>
#include <cstdint>

namespace amphis {

inline constexpr uint8_t kIdentStart = 1, kIdentContinue = 2, kDigit = 4, kHexDigit = 8, kStringPrefix = 16,
                         kNonAscii = 32;

inline constexpr auto kCharClass = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    uint8_t cls = 0;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    bool digit = c >= '0' && c <= '9';
    if (letter || c >= 128) cls |= kIdentStart | kIdentContinue;
    if (digit) cls |= kIdentContinue | kDigit | kHexDigit;
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) cls |= kHexDigit;
    for (char p : {'b', 'B', 'u', 'U', 'r', 'R', 'f', 'F', 't', 'T'}) {
      if (c == p) cls |= kStringPrefix;
    }
    if (c >= 128) cls |= kNonAscii;
    table[static_cast<size_t>(c)] = cls;
  }
  return table;
}();

inline bool is_digit(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kDigit;
}
inline bool is_hex_digit(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kHexDigit;
}
inline bool continues_identifier(char c) {
  return kCharClass[static_cast<unsigned char>(c)] & kIdentContinue;
}

inline constexpr unsigned kPrefixB = 1, kPrefixU = 2, kPrefixR = 4, kPrefixF = 8, kPrefixT = 16;
inline unsigned prefix_bit(char c) {
  switch (c) {
    case 'b':
    case 'B':
      return kPrefixB;
    case 'u':
    case 'U':
      return kPrefixU;
    case 'r':
    case 'R':
      return kPrefixR;
    case 'f':
    case 'F':
      return kPrefixF;
    case 't':
    case 'T':
      return kPrefixT;
    default:
      return 0;
  }
}

}  // namespace amphis
