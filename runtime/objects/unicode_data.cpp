// Character properties and case mappings, and the predicates of the C API over them.
//
// The tables have two stages: the page of a code point, then the number of its property record within the
// page. Equal pages and equal records are stored once.
#include "objects/unicode_data.h"

namespace amphis::unicode {
namespace {

// Simple mappings as differences; full mappings as indexes into kCaseText (count, characters), 0 where the
// simple one holds.
struct CaseMapping {
  int32_t lower, upper, title;
  uint16_t lower_full, upper_full, title_full, fold;
};
struct Composition {
  uint32_t first, second, composite;
};
struct Correction {
  uint32_t ch, before;
};

struct OldNumber {
  uint32_t ch;
  int decimal;
  double numeric;
};
struct OldRange {
  uint32_t first, last;
  OldRecord properties;
};

#include "unicode_tables.inc"

constexpr Py_UCS4 kHangulBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr Py_UCS4 kLCount = 19, kVCount = 21, kTCount = 28, kSyllables = kLCount * kVCount * kTCount;

inline const CaseMapping& case_of(Py_UCS4 ch) {
  return kCases[record(ch).case_index];
}

int full_mapping(uint16_t at, Py_UCS4 simple, Py_UCS4 out[3]) {
  if (at == 0) {
    out[0] = simple;
    return 1;
  }
  int n = static_cast<int>(kCaseText[at]);
  for (int i = 0; i < n; i++) out[i] = kCaseText[at + 1 + i];
  return n;
}

inline Py_UCS4 shifted(Py_UCS4 ch, int32_t delta) {
  return static_cast<Py_UCS4>(static_cast<int32_t>(ch) + delta);
}

}  // namespace

const char* const kUnicodeVersion = kVersionText;

const Record& record(Py_UCS4 ch) {
  if (ch > 0x10FFFF) ch = 0x10FFFF;
  uint32_t page = kRecordIndexPage[ch >> kRecordIndexShift];
  return kRecords[kRecordIndex[(page << kRecordIndexShift) + (ch & ((1u << kRecordIndexShift) - 1))]];
}

int to_lower_full(Py_UCS4 ch, Py_UCS4 out[3]) {
  const CaseMapping& c = case_of(ch);
  return full_mapping(c.lower_full, shifted(ch, c.lower), out);
}
int to_upper_full(Py_UCS4 ch, Py_UCS4 out[3]) {
  const CaseMapping& c = case_of(ch);
  return full_mapping(c.upper_full, shifted(ch, c.upper), out);
}
int to_title_full(Py_UCS4 ch, Py_UCS4 out[3]) {
  const CaseMapping& c = case_of(ch);
  return full_mapping(c.title_full, shifted(ch, c.title), out);
}
int to_folded_full(Py_UCS4 ch, Py_UCS4 out[3]) {
  const CaseMapping& c = case_of(ch);
  if (c.fold) return full_mapping(c.fold, ch, out);
  return full_mapping(c.lower_full, shifted(ch, c.lower), out);
}

OldRecord old_record(Py_UCS4 ch) {
  for (const OldRange& range : kOldRanges) {
    if (ch < range.first) break;
    if (ch <= range.last) return range.properties;
  }
  const Record& r = record(ch);
  if (r.age != 1) return {0, 0, 5, false};
  return {r.category, r.bidirectional, r.east_asian_width, (r.flags & kMirrored) != 0};
}
bool old_numbers(Py_UCS4 ch, int* decimal, double* numeric) {
  for (const OldNumber& n : kOldNumbers) {
    if (n.ch != ch) continue;
    *decimal = n.decimal;
    *numeric = n.numeric;
    return true;
  }
  return false;
}
const char* category_name_of(uint8_t category) {
  return kCategoryNames[category];
}
const char* bidirectional_name_of(uint8_t bidirectional) {
  return kBidirectionalNames[bidirectional];
}
const char* east_asian_width_name_of(uint8_t width) {
  return kWidthNames[width];
}

const char* category_name(Py_UCS4 ch) {
  return kCategoryNames[record(ch).category];
}
const char* bidirectional_name(Py_UCS4 ch) {
  return kBidirectionalNames[record(ch).bidirectional];
}
const char* east_asian_width_name(Py_UCS4 ch) {
  return kWidthNames[record(ch).east_asian_width];
}

double numeric_value(Py_UCS4 ch, bool* found) {
  const Record& r = record(ch);
  *found = (r.flags & kNumeric) != 0;
  return *found ? kNumericValues[r.numeric_index] : -1.0;
}

int decomposition(Py_UCS4 ch, const char** tag, const uint32_t** mapping) {
  uint32_t page = kDecompositionIndexPage[ch >> kDecompositionIndexShift];
  uint32_t at =
      kDecompositionIndex[(page << kDecompositionIndexShift) + (ch & ((1u << kDecompositionIndexShift) - 1))];
  if (at == 0) return 0;
  uint32_t head = kDecompositions[at];
  if (tag) *tag = kDecompositionTags[head / 32];
  *mapping = kDecompositions + at + 1;
  return static_cast<int>(head % 32);
}

Py_UCS4 mapping_before_correction(Py_UCS4 ch) {
  for (const Correction& c : kCorrections) {
    if (c.ch == ch) return c.before;
  }
  return 0;
}

Py_UCS4 compose(Py_UCS4 first, Py_UCS4 second) {
  if (first - kLBase < kLCount && second - kVBase < kVCount) {
    return kHangulBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
  }
  if (first - kHangulBase < kSyllables && (first - kHangulBase) % kTCount == 0 &&
      second - kTBase - 1 < kTCount - 1) {
    return first + (second - kTBase);
  }
  for (uint32_t i = (first * 2654435761u ^ second * 40503u) & kCompositionMask;;
       i = (i + 1) & kCompositionMask) {
    const Composition& c = kCompositions[i];
    if (c.composite == 0) return 0;
    if (c.first == first && c.second == second) return c.composite;
  }
}

}  // namespace amphis::unicode

using namespace amphis::unicode;

extern "C" {

const unsigned char _Py_ascii_whitespace[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1,
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};

int _PyUnicode_IsLowercase(Py_UCS4 ch) {
  return has(ch, kLower);
}
int _PyUnicode_IsUppercase(Py_UCS4 ch) {
  return has(ch, kUpper);
}
int _PyUnicode_IsTitlecase(Py_UCS4 ch) {
  return has(ch, kTitle);
}
int _PyUnicode_IsWhitespace(Py_UCS4 ch) {
  return has(ch, kSpace);
}
int _PyUnicode_IsLinebreak(Py_UCS4 ch) {
  return has(ch, kLinebreak);
}
int _PyUnicode_IsAlpha(Py_UCS4 ch) {
  return has(ch, kAlpha);
}
int _PyUnicode_IsPrintable(Py_UCS4 ch) {
  return has(ch, kPrintable);
}
int _PyUnicode_IsDecimalDigit(Py_UCS4 ch) {
  return has(ch, kDecimal);
}
int _PyUnicode_IsDigit(Py_UCS4 ch) {
  return has(ch, kDigit);
}
int _PyUnicode_IsNumeric(Py_UCS4 ch) {
  return has(ch, kNumeric);
}
// Where the mapping has several characters, these give the first of them.
Py_UCS4 _PyUnicode_ToLowercase(Py_UCS4 ch) {
  return shifted(ch, case_of(ch).lower);
}
Py_UCS4 _PyUnicode_ToUppercase(Py_UCS4 ch) {
  Py_UCS4 full[3];
  to_upper_full(ch, full);
  return full[0];
}
Py_UCS4 _PyUnicode_ToTitlecase(Py_UCS4 ch) {
  Py_UCS4 full[3];
  to_title_full(ch, full);
  return full[0];
}
int _PyUnicode_ToDecimalDigit(Py_UCS4 ch) {
  return has(ch, kDecimal) ? record(ch).decimal : -1;
}
int _PyUnicode_ToDigit(Py_UCS4 ch) {
  return has(ch, kDigit) ? record(ch).digit : -1;
}
double _PyUnicode_ToNumeric(Py_UCS4 ch) {
  bool found;
  return numeric_value(ch, &found);
}

}  // extern "C"
