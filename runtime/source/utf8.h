// UTF-8: the few operations the front end needs. Surrogates are accepted as three-byte sequences (WTF-8).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace amphis::utf8 {

// Bytes of the sequence that `lead` begins, 1 for a byte that begins none.
inline int sequence_length(unsigned char lead) {
  return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// The character at `p`, which is well-formed.
inline uint32_t decode(const char* p) {
  auto b = [p](int i) { return static_cast<unsigned char>(p[i]); };
  switch (sequence_length(b(0))) {
    case 1:
      return b(0);
    case 2:
      return (b(0) & 0x1Fu) << 6 | (b(1) & 0x3Fu);
    case 3:
      return (b(0) & 0x0Fu) << 12 | (b(1) & 0x3Fu) << 6 | (b(2) & 0x3Fu);
    default:
      return (b(0) & 0x07u) << 18 | (b(1) & 0x3Fu) << 12 | (b(2) & 0x3Fu) << 6 | (b(3) & 0x3Fu);
  }
}

inline void append(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// How many characters begin in `text`.
inline int count(std::string_view text) {
  int n = 0;
  for (char c : text) n += (static_cast<signed char>(c) >= -0x40);
  return n;
}

inline bool is_ascii(std::string_view text) {
  for (char c : text) {
    if (static_cast<signed char>(c) < 0) return false;
  }
  return true;
}

// The length of the longest well-formed prefix. `reason` says what is wrong after it: "invalid start byte",
// "invalid continuation byte" or "unexpected end of data". Surrogates count as ill-formed unless
// `allow_surrogates`.
size_t valid_prefix(std::string_view text, bool allow_surrogates, const char** reason);

}  // namespace amphis::utf8
