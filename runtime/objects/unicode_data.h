// The Unicode character database: properties, case mappings, normalisation and names, over tables that the
// build makes from the distribution's Unicode data (tools/unicode_tables.cpp). The predicates of the C API
// (_PyUnicode_Is*) are over the same tables.
#pragma once

#include <stdint.h>

#include "Python.h"

namespace amphis::unicode {

// General categories in the order in which the table numbers them.
enum class Category : uint8_t {
  Cn,
  Lu,
  Ll,
  Lt,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Cs,
  Co,
  Lm,
  Lo,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
};

enum Flag : uint32_t {
  kAlpha = 1u << 0,
  kDecimal = 1u << 1,
  kDigit = 1u << 2,
  kNumeric = 1u << 3,
  kLower = 1u << 4,
  kUpper = 1u << 5,
  kTitle = 1u << 6,
  kSpace = 1u << 7,
  kLinebreak = 1u << 8,
  kPrintable = 1u << 9,
  kXidStart = 1u << 10,
  kXidContinue = 1u << 11,
  kCased = 1u << 12,
  kCaseIgnorable = 1u << 13,
  kMirrored = 1u << 14,
};

// One property record; characters with equal properties share one.
struct Record {
  uint32_t flags;
  uint8_t category;
  uint8_t combining;
  uint8_t bidirectional;     // see bidirectional_name()
  uint8_t east_asian_width;  // see east_asian_width_name()
  uint8_t decimal;           // 255: none
  uint8_t digit;             // 255: none
  uint8_t age;               // 0: unassigned, 1: since Unicode 3.2 or earlier, 2: later
  uint8_t quick_check;       // two bits each for NFD, NFKD, NFC, NFKC: 0 yes, 1 maybe, 2 no
  uint16_t case_index;       // record of case mappings, 0: none
  uint16_t numeric_index;    // index into numeric values, 0: none
};

const Record& record(Py_UCS4 ch);
inline bool has(Py_UCS4 ch, uint32_t flags) {
  return (record(ch).flags & flags) != 0;
}

inline bool is_xid_start(Py_UCS4 ch) {
  return has(ch, kXidStart);
}
inline bool is_xid_continue(Py_UCS4 ch) {
  return has(ch, kXidContinue);
}
inline bool is_cased(Py_UCS4 ch) {
  return has(ch, kCased);
}
inline bool is_case_ignorable(Py_UCS4 ch) {
  return has(ch, kCaseIgnorable);
}

// Full mappings: write one to three characters and return how many.
int to_lower_full(Py_UCS4 ch, Py_UCS4 out[3]);
int to_upper_full(Py_UCS4 ch, Py_UCS4 out[3]);
int to_title_full(Py_UCS4 ch, Py_UCS4 out[3]);
int to_folded_full(Py_UCS4 ch, Py_UCS4 out[3]);

const char* category_name(Py_UCS4 ch);
const char* bidirectional_name(Py_UCS4 ch);
const char* east_asian_width_name(Py_UCS4 ch);
double numeric_value(Py_UCS4 ch, bool* found);

// The decomposition mapping as written in the database. `tag` is "<compat>" and the like, or "" where
// canonical. Returns how many characters it has; 0: none. Hangul syllables are not in it.
int decomposition(Py_UCS4 ch, const char** tag, const uint32_t** mapping);
// The primary composite of two characters, or 0. Handles Hangul.
Py_UCS4 compose(Py_UCS4 first, Py_UCS4 second);

enum class Form : uint8_t { kNfd, kNfkd, kNfc, kNfkc };
// A new reference; s itself where it is normalised already. `old` uses the database of Unicode 3.2.
PyObject* normalize(PyObject* s, Form form, bool old = false);
// 1 yes, 0 no, -1 exception.
int is_normalized(PyObject* s, Form form, bool old = false);

constexpr int kMaxNameLength = 256;
constexpr int kMaxSequenceLength = 18;
// The character's name, without terminator; returns its length, 0 where it has none.
int character_name(Py_UCS4 ch, char out[kMaxNameLength]);
// Finds a character by name or alias, ignoring case. The result is 1, or with `sequences`, up to
// kMaxSequenceLength for a named sequence; 0: unknown.
int lookup_name(const char* name, Py_ssize_t n, bool sequences, Py_UCS4* out);

extern const char* const kUnicodeVersion;
// The properties of a character in Unicode 3.2; those of an unassigned one where it came later.
struct OldRecord {
  uint8_t category, bidirectional, east_asian_width;
  bool mirrored;
};
OldRecord old_record(Py_UCS4 ch);
// True where Unicode 3.2 had other numbers for the character; negative: none.
bool old_numbers(Py_UCS4 ch, int* decimal, double* numeric);
const char* category_name_of(uint8_t category);
const char* bidirectional_name_of(uint8_t bidirectional);
const char* east_asian_width_name_of(uint8_t width);

// The single character that ch decomposed to before a correction of the years after Unicode 3.2, or 0.
Py_UCS4 mapping_before_correction(Py_UCS4 ch);

}  // namespace amphis::unicode
