// Single characters in regular expressions: categories, case folding, and sets as the code list spells them.
//
// CharClass is a set made ready for matching: one bit per character below U+0100 in a table that eight
// classes share, and a rule for the characters above.
#pragma once

#include <cctype>

#include "Python.h"
#include "modules/sre_code.h"
#include "objects/unicode_data.h"

namespace amphis::sre {

using Char = uint32_t;

inline bool is_word_ascii(Char ch) {
  return ch < 128 && (Py_ISALNUM(static_cast<unsigned char>(ch)) || ch == '_');
}
inline bool is_word_locale(Char ch) {
  return ch < 256 && (isalnum(static_cast<int>(ch)) || ch == '_');
}
inline bool is_word_unicode(Char ch) {
  return ch < 128
             ? is_word_ascii(ch)
             : unicode::has(ch, unicode::kAlpha | unicode::kDecimal | unicode::kDigit | unicode::kNumeric);
}

inline Char lower_ascii(Char ch) {
  return ch < 128 ? static_cast<Char>(Py_TOLOWER(static_cast<unsigned char>(ch))) : ch;
}
inline Char lower_locale(Char ch) {
  return ch < 256 ? static_cast<Char>(tolower(static_cast<int>(ch))) : ch;
}
inline Char upper_locale(Char ch) {
  return ch < 256 ? static_cast<Char>(toupper(static_cast<int>(ch))) : ch;
}
inline Char lower_unicode(Char ch) {
  return ch < 128 ? lower_ascii(ch) : Py_UNICODE_TOLOWER(ch);
}

bool in_category(Category category, Char ch);
// Whether the set, which starts after its skip word and ends with FAILURE, has a member for the character or for its
// other spelling (the same, where case matters).
bool in_charset(const Word* set, Char ch, Char other);
// Whether [set, end) is a well-formed set that ends with FAILURE at its end.
bool valid_charset(const Word* set, const Word* end);

// A set of characters below U+0100.
struct LowSet {
  uint64_t bits[4] = {0, 0, 0, 0};
  void add(Char ch) { bits[ch >> 6] |= uint64_t{1} << (ch & 63); }
  void remove(Char ch) { bits[ch >> 6] &= ~(uint64_t{1} << (ch & 63)); }
  bool has(Char ch) const { return (bits[ch >> 6] >> (ch & 63)) & 1; }
  bool operator==(const LowSet&) const = default;
  static LowSet all() {
    LowSet set;
    for (uint64_t& word : set.bits) word = ~uint64_t{0};
    return set;
  }
  template <class F>
  void each(F&& visit) const {
    for (Char i = 0; i < 4; ++i) {
      for (uint64_t rest = bits[i]; rest != 0; rest &= rest - 1)
        visit(i * 64 + static_cast<Char>(__builtin_ctzll(rest)));
    }
  }
};

// What a character is compared as.
enum class Fold : uint8_t { kNone, kAscii, kUnicode, kLocale };

// A matcher of one character, as the code list gives it.
struct CharRule {
  enum Kind : uint8_t { kLiteral, kNotLiteral, kSet } kind;
  Fold fold;
  Char literal;
  const Word* set;

  bool operator()(Char ch) const;
  bool depends_on_locale() const;
  // The characters below U+0100 that match; only where the locale does not matter.
  LowSet low_set() const;
};

struct CharClass {
  const uint8_t* table;  // 256 bytes
  uint8_t mask;
  enum Wide : uint8_t { kNever, kAlways, kByRule, kUnicodeWord, kNotUnicodeWord } wide;
  bool locale;  // ask the rule for every character
  CharRule rule;

  bool low(Char ch) const { return (table[ch] & mask) != 0; }
  bool high(Char ch) const;
};

}  // namespace amphis::sre
