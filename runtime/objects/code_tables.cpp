// Encoding and decoding of a code object's tables.
#include "objects/code_tables.h"

namespace amphis {

void table_number(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(static_cast<unsigned char>(value) | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

std::string encode_line_table(const RegisterLayout& layout, const std::vector<Position>& positions,
                              const std::vector<LineMark>& marks, int firstlineno) {
  std::string out;
  out += static_cast<char>(kLineTableMagic);
  table_number(out, layout.kinds.size());
  for (size_t i = 0; i < layout.kinds.size(); ++i) {
    table_number(out, layout.kinds[i]);
    if (layout.kinds[i] & kLocalHidden) table_number(out, layout.hidden_names[i]);
  }
  int64_t line = firstlineno;
  auto mark = marks.begin();
  for (size_t i = 0; i < positions.size();) {
    for (; mark != marks.end() && mark->word == i; ++mark) {
      table_number(out, 0);
      table_number(out, mark->bypass.size());
      for (uint32_t source : mark->bypass) table_signed(out, static_cast<int64_t>(source) - static_cast<int64_t>(i));
    }
    const Position& p = positions[i];
    size_t end = i + 1;
    const size_t most = mark != marks.end() ? mark->word : positions.size();
    while (end < most && positions[end].line == p.line && positions[end].end_line == p.end_line &&
           positions[end].column == p.column && positions[end].end_column == p.end_column) {
      ++end;
    }
    table_number(out, end - i);
    if (p.line < 0) {
      table_number(out, 0);
    } else {
      const bool columns = p.column >= 0 && p.end_column >= 0 && p.end_line >= 0;
      table_number(out, columns ? 2 : 1);
      table_signed(out, p.line - line);
      line = p.line;
      if (columns) {
        table_signed(out, p.end_line - p.line);
        table_number(out, static_cast<uint64_t>(p.column));
        table_number(out, static_cast<uint64_t>(p.end_column));
      }
    }
    i = end;
  }
  return out;
}

bool decode_layout(std::string_view table, RegisterLayout* layout) {
  if (table.empty() || static_cast<unsigned char>(table[0]) != kLineTableMagic) return false;
  TableReader in(table.substr(1));
  for (uint64_t n = in.number(); n > 0 && !in.bad(); --n) {
    layout->kinds.push_back(static_cast<uint8_t>(in.number()));
    layout->hidden_names.push_back(layout->kinds.back() & kLocalHidden ? static_cast<uint32_t>(in.number()) : 0);
  }
  return !in.bad();
}

std::string encode_ranges(const std::vector<ExceptionRange>& ranges) {
  std::string out;
  for (const ExceptionRange& r : ranges) {
    table_number(out, r.start);
    table_number(out, r.end - r.start);
    table_number(out, r.target);
    table_number(out, r.depth);
  }
  return out;
}

std::vector<ExceptionRange> decode_ranges(std::string_view table) {
  std::vector<ExceptionRange> ranges;
  TableReader in(table);
  while (!in.done()) {
    ExceptionRange r;
    r.start = static_cast<uint32_t>(in.number());
    r.end = r.start + static_cast<uint32_t>(in.number());
    r.target = static_cast<uint32_t>(in.number());
    r.depth = static_cast<uint32_t>(in.number());
    if (in.bad()) break;
    ranges.push_back(r);
  }
  return ranges;
}

std::string code_general_words(const PyCodeObject* code) {
  const uint32_t n = code_extra(code)->word_count;
  const Word* words = code_words(code);
  std::string out(n * sizeof(Word), '\0');
  auto* to = reinterpret_cast<Word*>(out.data());
  for (uint32_t i = 0; i < n;) {
    Word w = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
    const OpInfo& info = op_info(word_op(w));
    to[i] = (w & ~Word{0xff}) | static_cast<Word>(info.general);
    if (info.cache_words > 0 && i + 1 < n) {
      switch (info.general) {
        case Op::FOR_ITER:
          to[i + 1] = words[i + 1] & 0xffff;
          break;
        case Op::CALL_KW:
        case Op::MAKE_FUNCTION:
          to[i + 1] = words[i + 1] & 0xffffffff;
          break;
        default:
          break;
      }
    }
    i += 1u + info.cache_words;
  }
  return out;
}

Position code_position(const PyCodeObject* code, uint32_t index) {
  Position found;
  std::string_view table = bytes_view(code->co_linetable);
  if (table.empty() || static_cast<unsigned char>(table[0]) != kLineTableMagic) {
    // Made elsewhere, in another format: the first line is all that is known.
    found.line = found.end_line = code->co_firstlineno;
    return found;
  }
  each_position(table, code->co_firstlineno, [&](uint32_t first, uint32_t count, const Position& p) {
    if (index >= first + count) return true;
    found = p;
    return false;
  });
  return found;
}

}  // namespace amphis
