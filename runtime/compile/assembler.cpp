// Labels, jump threading and encoding.
#include "compile/assembler.h"

#include "compile/compile.h"
#include "compile/names.h"

namespace amphis::compile {

bool ends_flow(Op op) {
  switch (op) {
    case Op::JUMP:
    case Op::JUMP_BACK:
    case Op::RETURN:
    case Op::RETURN_CONST:
    case Op::RAISE:
    case Op::RERAISE:
      return true;
    default:
      return false;
  }
}

namespace {

uint16_t narrow(uint32_t v) {
  if (v > 0xffff) {
    PyErr_SetString(PyExc_SyntaxError, "code object is too large: too many variables, names or temporaries");
    throw Failure{};
  }
  return static_cast<uint16_t>(v);
}

// The register of an instruction that may give numbers without their objects; else -1.
int64_t loads_into(const Instr& i) {
  switch (i.op) {
    case Op::LOAD_ATTR:
    case Op::LOAD_SUBSCR:
    case Op::LOAD_DEREF:
    case Op::LOAD_GLOBAL:
      return i.a;
    case Op::CALL:
      return i.c;
    default:
      return -1;
  }
}

}  // namespace

Instr& Assembler::append(Op op) {
  if (!reachable_) {
    dropped_ = Instr{op};
    return dropped_;
  }
  instrs_.push_back(Instr{op});
  Instr& i = instrs_.back();
  i.position = position;
  if (ends_flow(op)) reachable_ = false;
  return i;
}

void Assembler::emit(Op op, uint32_t a, uint32_t b, uint32_t c, uint8_t flags, uint64_t cache) {
  Instr& i = append(op);
  i.a = narrow(a);
  i.b = narrow(b);
  i.c = narrow(c);
  i.flags = flags | (inherits ? kInherits : 0);
  i.cache = cache;
}

void Assembler::mark_number(uint32_t reg) {
  if (!reachable_ || instrs_.empty()) return;
  Instr& last = instrs_.back();
  if (loads_into(last) == static_cast<int64_t>(reg)) last.flags |= kUnbox;
}

void Assembler::unbox_variables(const std::vector<uint32_t>& object_reads) {
  auto numbers = [&](uint64_t reg) { return reg < object_reads.size() && object_reads[reg] == 0; };
  for (Instr& i : instrs_) {
    bool unbox = false;
    if (i.op == Op::FOR_ITER) {
      unbox = numbers(i.cache);
    } else if (i.op == Op::UNPACK_SEQUENCE) {
      // One of them is enough: the others lose nothing by it but, if they are numbers, their objects.
      for (uint64_t k = 0; k < i.c; ++k) unbox |= numbers(i.a + k);
    } else if (const int64_t reg = loads_into(i); reg >= 0) {
      unbox = numbers(static_cast<uint64_t>(reg));
    }
    if (unbox) i.flags |= kUnbox;
  }
}

void Assembler::mark_unwanted_results() {
  for (size_t i = 0; i + 1 < instrs_.size(); ++i) {
    Instr& call = instrs_[i];
    const Instr& next = instrs_[i + 1];
    if ((call.op == Op::CALL || call.op == Op::CALL_KW) && call.c == call.a && next.op == Op::CLEAR && next.a == call.a) {
      call.flags |= kFused;
    }
  }
}

void Assembler::emit_wide(Op op, uint32_t a, int64_t bc, uint8_t flags) {
  Instr& i = append(op);
  i.a = narrow(a);
  i.wide = true;
  i.bc = static_cast<int32_t>(bc);
  i.flags = flags | (inherits ? kInherits : 0);
}

void Assembler::jump(Op op, uint32_t a, Label target, uint8_t flags, uint64_t cache) {
  if (reachable_) ++labels_[static_cast<size_t>(target)].uses;
  Instr& i = append(op);
  i.a = narrow(a);
  i.wide = true;
  i.label = target;
  i.flags = flags | (inherits ? kInherits : 0);
  i.cache = cache;
}

void Assembler::bind(Label label) {
  LabelInfo& info = labels_[static_cast<size_t>(label)];
  info.at = static_cast<int32_t>(instrs_.size());
  if (info.uses > 0) reachable_ = true;
}

void Assembler::bind_handler(Label label, bool used) {
  LabelInfo& info = labels_[static_cast<size_t>(label)];
  info.at = static_cast<int32_t>(instrs_.size());
  if (used) {
    ++info.uses;
    reachable_ = true;
  }
}

void Assembler::add_range(size_t from, size_t to, Label handler, uint32_t depth) {
  if (from < to) ranges_.push_back({from, to, handler, depth});
}

// A jump to an unconditional jump goes where that one goes, unless it would miss a line.
void Assembler::thread_jumps() {
  const size_t n = instrs_.size();
  auto target_of = [&](const Instr& i) { return static_cast<size_t>(labels_[static_cast<size_t>(i.label)].at); };
  for (Instr& i : instrs_) {
    if (i.label == kNoLabel) continue;
    const bool plain = i.op == Op::JUMP;
    const bool conditional = i.op == Op::JUMP_IF_FALSE || i.op == Op::JUMP_IF_TRUE || i.op == Op::JUMP_IF_NONE ||
                             i.op == Op::JUMP_IF_NOT_NONE;
    if (!plain && !conditional) continue;
    const size_t self = static_cast<size_t>(&i - instrs_.data());
    for (int hops = 0; hops < 16; ++hops) {
      size_t at = target_of(i);
      if (at >= n || at == self || begins_line(at, i)) break;
      const Instr& next = instrs_[at];
      if (next.op == Op::JUMP && next.label != i.label) {
        i.label = next.label;
        continue;
      }
      if (plain && next.op == Op::JUMP_BACK) {
        i.op = Op::JUMP_BACK;
        i.label = next.label;
        break;
      }
      // The same register is tested again with a known outcome.
      if (i.flags == 0 && next.flags == 0 && i.a == next.a && next.label != i.label) {
        const bool truth = i.op == Op::JUMP_IF_FALSE || i.op == Op::JUMP_IF_TRUE;
        if (truth && i.op == next.op) {
          i.label = next.label;
          continue;
        }
        if (truth && (next.op == Op::JUMP_IF_FALSE || next.op == Op::JUMP_IF_TRUE)) {
          // The opposite test fails: on behind it.
          labels_.push_back({static_cast<int32_t>(at + 1), 1, 0});
          i.label = static_cast<Label>(labels_.size() - 1);
          continue;
        }
      }
      break;
    }
  }
}

void Assembler::finish(CodeSpec& spec, int entry_line) {
  if (reachable_ || instrs_.empty()) {
    // Labels may stand at the very end.
    emit(Op::NOP);
  }
  take_out_nops();
  thread_jumps();
  copy_exits();
  inherit_positions();
  const size_t n = instrs_.size();
  std::vector<uint32_t> offset(n + 1);
  uint64_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    offset[i] = static_cast<uint32_t>(at);
    at += 1u + op_info(instrs_[i].op).cache_words;
  }
  if (at > INT32_MAX / 2) {
    PyErr_SetString(PyExc_MemoryError, "code object is too large");
    throw Failure{};
  }
  offset[n] = static_cast<uint32_t>(at);
  spec.words.reserve(at);
  spec.positions.reserve(at);
  for (size_t k = 0; k < n; ++k) {
    const Instr& i = instrs_[k];
    const unsigned caches = op_info(i.op).cache_words;
    int32_t bc = i.bc;
    if (i.label != kNoLabel) {
      const LabelInfo& target = labels_[static_cast<size_t>(i.label)];
      bc = static_cast<int32_t>(offset[static_cast<size_t>(target.at)]) -
           static_cast<int32_t>(offset[k] + 1 + caches);
    }
    spec.words.push_back(i.wide ? encode_wide(i.op, i.flags, i.a, bc) : encode(i.op, i.flags, i.a, i.b, i.c));
    for (unsigned c = 0; c < caches; ++c) spec.words.push_back(c == 0 ? i.cache : 0);
    Position position = i.position;
    if (!record_columns) position = {position.line, position.line, -1, -1};
    for (unsigned c = 0; c <= caches; ++c) spec.positions.push_back(position);
  }
  std::vector<size_t> passing;  // jumps that do not go through all marks of their target
  for (size_t j = 0; j < n; ++j) {
    if (instrs_[j].label != kNoLabel && labels_[static_cast<size_t>(instrs_[j].label)].passed > 0) passing.push_back(j);
  }
  for (size_t k = 0; k < marks_.size(); ++k) {
    size_t first = k;
    while (first > 0 && marks_[first - 1].at == marks_[k].at) --first;
    LineMark mark{offset[marks_[k].at], {}};
    for (const size_t j : passing) {
      const LabelInfo& target = labels_[static_cast<size_t>(instrs_[j].label)];
      if (static_cast<size_t>(target.at) == marks_[k].at && target.passed > k - first) mark.bypass.push_back(offset[j]);
    }
    spec.line_marks.push_back(std::move(mark));
  }
  auto add_place = [&](Word word, Position position) {
    if (!record_columns) position = {position.line, position.line, -1, -1};
    spec.words.push_back(word);
    spec.positions.push_back(position);
  };
  for (const Mark& mark : marks_) add_place(encode(Op::NOP, 0, kPlaceOfMark, 0, 0), mark.position);
  add_place(encode(Op::RESUME, 0, 0, 0, 0), {entry_line, entry_line, 0, 0});
  for (const Range& r : ranges_) {
    if (r.from == r.to) continue;
    const LabelInfo& target = labels_[static_cast<size_t>(r.handler)];
    spec.ranges.push_back({offset[r.from], offset[r.to], offset[static_cast<size_t>(target.at)], r.depth});
  }
}

}  // namespace amphis::compile
