// Tables of the two-byte character sets of East Asia, made at their first use from the C library's iconv.
#pragma once

#include "Python.h"

#include <vector>

namespace cjk {

enum Set { kGb2312, kGbk, kGb18030, kBig5, kCp950, kEucKr, kCp949, kJohab, kEucJp, kJisX0212, kCp932, kShiftJis, kJisX0213a, kJisX0213b, kHkscs, kSets };

struct Far {
  Py_UCS4 character;
  uint16_t code;
};
struct Pair {
  uint16_t code;
  Py_UCS4 first, second;
};

struct Table {
  std::vector<Py_UCS4> chars;   // by the low 15 bits of the code; 0: none
  std::vector<uint16_t> codes;  // by character of the basic plane; 0: none
  std::vector<Far> far;         // of the other planes, sorted
  std::vector<Pair> pairs;      // codes that mean two characters
  // GB 18030: characters of the basic plane that have four bytes, in order.
  std::vector<uint16_t> others;
  std::vector<uint16_t> other_index;  // 1 + the place among them; 0: none

  Py_UCS4 decode(unsigned lead, unsigned trail) const { return lead & 0x80 ? chars[(lead & 0x7f) << 8 | trail] : 0; }
  unsigned encode(Py_UCS4 c) const { return c < 0x10000 ? codes[c] : far_code(c); }
  unsigned far_code(Py_UCS4 c) const;
  // One or two characters for a pair of bytes; 0: none.
  int read(unsigned lead, unsigned trail, Py_UCS4* out) const;
  // Characters taken from `in` for *code: one or two. 0: another one may belong to it, and more may come. -1: there is no code.
  int write(const Py_UCS4* in, Py_ssize_t n, bool last, unsigned* code) const;
};

// Makes the table if it is not there yet; null with LookupError: the C library does not know the character set.
const Table* make_table(Set set);
// One that was made.
const Table& table(Set set);

}  // namespace cjk
