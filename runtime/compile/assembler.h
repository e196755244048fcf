// The assembler: a growing list of instructions with symbolic labels, and its final form as words.
//
// Invariant: code that cannot be reached is never kept. After an unconditional transfer emit() drops what follows until
// a label that something jumps to is bound.
#pragma once

#include <cstdint>
#include <vector>

#include "interp/opcode.h"
#include "objects/code.h"

namespace amphis::compile {

using Label = int32_t;
inline constexpr Label kNoLabel = -1;

struct Instr {
  Op op;
  uint8_t flags = 0;
  bool wide = false;      // b and c are one number, `bc`
  uint16_t a = 0, b = 0, c = 0;
  int32_t bc = 0;
  Label label = kNoLabel;
  uint64_t cache = 0;     // first cache word
  Position position;
};

// Whether control never goes on behind the instruction.
bool ends_flow(Op op);

class Assembler {
 public:
  Position position;      // of what is emitted next
  bool inherits = false;  // what is emitted next belongs to no line of its own

  bool reachable() const { return reachable_; }
  // While muted nothing is kept; afterwards all is as before.
  void mute(bool on) {
    if (on) {
      muted_ = reachable_;
      reachable_ = false;
    } else {
      reachable_ = muted_;
    }
  }
  size_t size() const { return instrs_.size(); }

  void emit(Op op, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0, uint8_t flags = 0, uint64_t cache = 0);
  void emit_wide(Op op, uint32_t a, int64_t bc, uint8_t flags = 0);
  // Conditional and unconditional jumps, FOR_ITER, SEND. `cache` is FOR_ITER's destination.
  void jump(Op op, uint32_t a, Label target, uint8_t flags = 0, uint64_t cache = 0);

  Label new_label() {
    labels_.push_back({});
    return static_cast<Label>(labels_.size() - 1);
  }
  // The label stands here; code is reachable again if something jumps to it.
  void bind(Label label);
  // An exception handler begins here.
  void bind_handler(Label label, bool used);
  bool used(Label label) const { return labels_[static_cast<size_t>(label)].uses > 0; }

  // [from, to) in instructions is protected; innermost ranges are added first.
  void add_range(size_t from, size_t to, Label handler, uint32_t depth);

  // If the newest instruction loads register `reg` from somewhere: what it loads goes to arithmetic.
  void mark_number(uint32_t reg);
  // What is loaded into variables whose objects nobody reads may come as numbers. By variable: reads of the object.
  void unbox_variables(const std::vector<uint32_t>& object_reads);
  // Tells calls whose result is dropped at once.
  void mark_unwanted_results();

  // The first cache word of an instruction emitted earlier.
  void patch_cache(size_t index, uint64_t cache) { instrs_[index].cache = cache; }

  // Encodes everything. Throws Failure with an exception when the code is too large.
  void finish(CodeSpec& spec, int entry_line);

 private:
  struct LabelInfo {
    int32_t at = -1;
    int32_t uses = 0;
    uint16_t passed = 0;  // marks at its place that lie before it
  };
  // A line that begins before the instruction `at`.
  struct Mark {
    size_t at;
    Position position;
  };
  struct Range {
    size_t from, to;
    Label handler;
    uint32_t depth;
  };
  Instr& append(Op op);
  void thread_jumps();
  void take_out_nops();  // this and the next two: line_marks.cpp
  void copy_exits();
  void inherit_positions();
  bool marked(size_t at) const;
  bool begins_line(size_t at, const Instr& from) const;

  std::vector<Instr> instrs_;
  std::vector<LabelInfo> labels_;
  std::vector<Range> ranges_;
  std::vector<Mark> marks_;
  bool reachable_ = true;
  bool muted_ = false;
  Instr dropped_{};
};

// RAII: what is emitted meanwhile belongs to the line of what runs before it.
struct Inherit {
  Assembler& code;
  bool saved;
  explicit Inherit(Assembler& assembler) : code(assembler), saved(assembler.inherits) { code.inherits = true; }
  ~Inherit() { code.inherits = saved; }
  Inherit(const Inherit&) = delete;
  Inherit& operator=(const Inherit&) = delete;
};

}  // namespace amphis::compile
