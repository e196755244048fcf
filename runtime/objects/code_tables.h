// The compact tables inside a code object: positions and register layout (co_linetable), exception ranges
// (co_exceptiontable). Own formats: bytes of little-endian base-128 numbers.
//
// co_linetable: magic byte, number of registers, per register its kind (and for hidden ones the index of the name in
// co_varnames), then runs of words with one position: length, form, and the numbers of that form. A run of no words is a
// LineMark before the word that follows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "objects/code.h"

namespace amphis {

inline constexpr unsigned char kLineTableMagic = 0xA3;

// A reader that stops at the end: then every number is 0 and `bad` is set.
class TableReader {
 public:
  explicit TableReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool done() const { return at_ >= end_; }
  bool bad() const { return bad_; }
  uint64_t number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= end_) {
        bad_ = true;
        return 0;
      }
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    bad_ = true;
    return 0;
  }
  int64_t signed_number() {
    uint64_t v = number();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }

 private:
  const char* at_;
  const char* end_;
  bool bad_ = false;
};

void table_number(std::string& out, uint64_t value);
inline void table_signed(std::string& out, int64_t value) {
  table_number(out, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

struct RegisterLayout {
  std::vector<uint8_t> kinds;
  std::vector<uint32_t> hidden_names;  // per register: index in co_varnames, meaningful for hidden ones
};

std::string encode_line_table(const RegisterLayout& layout, const std::vector<Position>& positions,
                              const std::vector<LineMark>& marks, int firstlineno);
// Whether the table is in this format.
bool decode_layout(std::string_view table, RegisterLayout* layout);

// Visits the runs of equal positions: visit(first word, words, position), where false stops; and marked(LineMark).
template <class F, class M>
void each_position_and_mark(std::string_view table, int firstlineno, F&& visit, M&& marked) {
  if (table.empty() || static_cast<unsigned char>(table[0]) != kLineTableMagic) return;
  TableReader in(table.substr(1));
  for (uint64_t n = in.number(); n > 0 && !in.bad(); --n) {
    if (in.number() & kLocalHidden) in.number();
  }
  uint32_t at = 0;
  int64_t line = firstlineno;
  while (!in.done() && !in.bad()) {
    const auto count = static_cast<uint32_t>(in.number());
    if (count == 0) {
      LineMark mark{at, {}};
      for (uint64_t n = in.number(); n > 0 && !in.bad(); --n) {
        mark.bypass.push_back(static_cast<uint32_t>(static_cast<int64_t>(at) + in.signed_number()));
      }
      if (in.bad()) return;
      marked(mark);
      continue;
    }
    const uint64_t form = in.number();
    Position p;
    if (form != 0) {
      line += in.signed_number();
      p.line = static_cast<int32_t>(line);
      p.end_line = p.line;
      if (form == 2) {
        p.end_line = static_cast<int32_t>(line + in.signed_number());
        p.column = static_cast<int32_t>(in.number());
        p.end_column = static_cast<int32_t>(in.number());
      }
    }
    if (in.bad() || !visit(at, count, p)) return;
    at += count;
  }
}
template <class F>
void each_position(std::string_view table, int firstlineno, F&& visit) {
  each_position_and_mark(table, firstlineno, visit, [](const LineMark&) {});
}

std::string encode_ranges(const std::vector<ExceptionRange>& ranges);
std::vector<ExceptionRange> decode_ranges(std::string_view table);

inline std::string_view bytes_view(PyObject* bytes) {
  return {PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes))};
}

// The instruction words as the compiler made them: general forms, caches empty but for fixed data.
std::string code_general_words(const PyCodeObject* code);

// New tuple of the names of all variables, each name once.
PyObject* code_varnames(const PyCodeObject* code);
// What a code object was made from, to make another like it. References are borrowed from the code.
CodeSpec code_spec(const PyCodeObject* code);
// code.replace(**changes) and types.CodeType(...).
PyObject* code_replace_impl(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* code_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);

}  // namespace amphis
