// Character names in both directions.
//
// Names are stored as numbers of words (the lexicon); a name is found by its hash and checked by building it
// again. Hangul syllables and numbered ideographs follow rules and are in no table.
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <iterator>

#include "objects/unicode_data.h"

namespace amphis::unicode {
namespace {

struct PlainName {
  const char* name;
  int count;
  uint32_t text[8];
};
struct NumberedRange {
  const char* prefix;
  uint32_t first, last;
};

#include "unicode_names.inc"

constexpr Py_UCS4 kHangulBase = 0xAC00, kSyllables = 11172;
constexpr char kHangulPrefix[] = "HANGUL SYLLABLE ";
constexpr int kHangulPrefixLength = sizeof kHangulPrefix - 1;

struct NameBuffer {
  char* out;
  int size = 0;

  void put(const char* text, size_t n) {
    if (size + static_cast<int>(n) >= kMaxNameLength) return;
    memcpy(out + size, text, n);
    size += static_cast<int>(n);
  }
  void put(const char* text) { put(text, strlen(text)); }
};

int build_name(uint32_t index, char* out) {
  NameBuffer name{out};
  for (const uint8_t* p = kNameStream + kNameStreamAt[index]; *p;) {
    uint32_t token = *p++;
    if (token >= kOneByteTokens) token = kOneByteTokens + ((token - kOneByteTokens) << 8) + *p++;
    if (name.size && out[name.size - 1] != '-') name.put(" ", 1);
    if (token == 1) {
      char number[12];
      snprintf(number, sizeof number, "%04X", static_cast<unsigned>(kNamedChars[index]));
      name.put(number);
    } else {
      name.put(kLexicon + kLexiconAt[token], kLexiconAt[token + 1] - kLexiconAt[token]);
    }
  }
  return name.size;
}

// The longest of the short names that [p, end) starts with; returns its number or -1.
template <size_t N>
int match_jamo(const char* const (&names)[N], const char*& p, const char* end) {
  int best = -1;
  size_t best_length = 0;
  for (size_t i = 0; i < N; i++) {
    size_t n = strlen(names[i]);
    if (n <= static_cast<size_t>(end - p) && memcmp(names[i], p, n) == 0 && (best < 0 || n > best_length)) {
      best = static_cast<int>(i);
      best_length = n;
    }
  }
  p += best_length;
  return best;
}

bool find_hangul(const char* name, int n, Py_UCS4* out) {
  if (n <= kHangulPrefixLength || memcmp(name, kHangulPrefix, kHangulPrefixLength) != 0) return false;
  const char* p = name + kHangulPrefixLength;
  const char* end = name + n;
  int l = match_jamo(kJamoL, p, end);
  int v = match_jamo(kJamoV, p, end);
  int t = match_jamo(kJamoT, p, end);
  if (l < 0 || v < 0 || t < 0 || p != end) return false;
  *out = kHangulBase + static_cast<Py_UCS4>((l * 21 + v) * 28 + t);
  return true;
}

bool find_numbered(const char* name, int n, Py_UCS4* out) {
  for (const NumberedRange& range : kNumberedRanges) {
    int prefix = static_cast<int>(strlen(range.prefix));
    if (n - prefix < 4 || n - prefix > 5 || memcmp(name, range.prefix, static_cast<size_t>(prefix)) != 0)
      continue;
    Py_UCS4 ch = 0;
    for (int i = prefix; i < n; i++) {
      char c = name[i];
      int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) return false;
      ch = ch * 16 + static_cast<Py_UCS4>(digit);
    }
    if (n - prefix == 5 && ch < 0x10000) return false;
    if (ch >= range.first && ch <= range.last) {
      *out = ch;
      return true;
    }
  }
  return false;
}

bool same_text(const char* plain, const char* name, int n) {
  return strncmp(plain, name, static_cast<size_t>(n)) == 0 && plain[n] == 0;
}

}  // namespace

int character_name(Py_UCS4 ch, char out[kMaxNameLength]) {
  if (ch - kHangulBase < kSyllables) {
    Py_UCS4 s = ch - kHangulBase;
    NameBuffer name{out};
    name.put(kHangulPrefix);
    name.put(kJamoL[s / 588]);
    name.put(kJamoV[s % 588 / 28]);
    name.put(kJamoT[s % 28]);
    return name.size;
  }
  for (const NumberedRange& range : kNumberedRanges) {
    if (ch >= range.first && ch <= range.last) {
      return snprintf(out, kMaxNameLength, "%s%04X", range.prefix, static_cast<unsigned>(ch));
    }
  }
  for (const PlainName& odd : kOddNames) {
    if (odd.count == 1 && odd.text[0] == ch) {
      NameBuffer name{out};
      name.put(odd.name);
      return name.size;
    }
  }
  const uint32_t* found = std::lower_bound(std::begin(kNamedChars), std::end(kNamedChars), ch);
  if (found == std::end(kNamedChars) || *found != ch) return 0;
  return build_name(static_cast<uint32_t>(found - kNamedChars), out);
}

int lookup_name(const char* text, Py_ssize_t length, bool sequences, Py_UCS4* out) {
  if (length <= 0 || length >= kMaxNameLength) return 0;
  char name[kMaxNameLength];
  int n = static_cast<int>(length);
  uint32_t h = 2166136261u;
  for (int i = 0; i < n; i++) {
    char c = text[i];
    name[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    h = (h ^ static_cast<unsigned char>(name[i])) * 16777619u;
  }
  name[n] = 0;
  if (find_hangul(name, n, out) || find_numbered(name, n, out)) return 1;
  char candidate[kMaxNameLength];
  for (uint32_t at = (h ^ h >> 15) & kNameHashMask; kNameHash[at]; at = (at + 1) & kNameHashMask) {
    uint32_t index = kNameHash[at] - 1u;
    if (build_name(index, candidate) == n && memcmp(candidate, name, static_cast<size_t>(n)) == 0) {
      *out = kNamedChars[index];
      return 1;
    }
  }
  for (const PlainName& odd : kOddNames) {
    if (odd.count == 1 && same_text(odd.name, name, n)) {
      *out = odd.text[0];
      return 1;
    }
  }
  const PlainName* found =
      std::lower_bound(std::begin(kPlainNames), std::end(kPlainNames), name,
                       [](const PlainName& a, const char* b) { return strcmp(a.name, b) < 0; });
  if (found == std::end(kPlainNames) || !same_text(found->name, name, n)) return 0;
  if (found->count > 1 && !sequences) return 0;
  for (int i = 0; i < found->count; i++) out[i] = found->text[i];
  return found->count;
}

}  // namespace amphis::unicode
