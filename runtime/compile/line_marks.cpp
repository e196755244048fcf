// Lines without instructions. The compiler emits a NOP wherever a line begins that may have no instruction of its own, so
// that whoever traces the program sees it: `pass`, `try:`, `while True:`, `continue`. Here these NOPs are taken out again.
// Most stand before an instruction of the same line. The line of another goes over to an instruction that has none, or becomes
// a mark in the line table, with the jumps that do not pass through it. Only where the two ways of one conditional jump differ
// in nothing else does a NOP stay.
#include "compile/assembler.h"

#include <algorithm>

namespace amphis::compile {

bool Assembler::marked(size_t at) const {
  auto found = std::lower_bound(marks_.begin(), marks_.end(), at, [](const Mark& mark, size_t where) { return mark.at < where; });
  return found != marks_.end() && found->at == at;
}

// Whether whoever jumps to `at` gets to another line there than it comes from.
bool Assembler::begins_line(size_t at, const Instr& from) const {
  if (marked(at)) return true;
  const Instr& i = instrs_[at];
  return (i.flags & kInherits) == 0 && i.position.line >= 0 && i.position.line != from.position.line;
}

void Assembler::take_out_nops() {
  const size_t n = instrs_.size();
  bool any = false;
  for (const Instr& i : instrs_) any |= i.op == Op::NOP;
  if (!any) return;

  // Who arrives from elsewhere.
  enum : uint8_t { kTarget = 1, kHandler = 2 };
  std::vector<uint8_t> arrivals(n + 1, 0);
  for (const Instr& i : instrs_) {
    if (i.label != kNoLabel) arrivals[static_cast<size_t>(labels_[static_cast<size_t>(i.label)].at)] |= kTarget;
  }
  for (const Range& r : ranges_) arrivals[static_cast<size_t>(labels_[static_cast<size_t>(r.handler)].at)] |= kHandler;

  std::vector<bool> kept(n + 1, true);
  std::vector<Mark> marks;  // by old places; a chain's marks in its order
  for (size_t first = 0; first < n; ++first) {
    if (instrs_[first].op != Op::NOP) continue;
    size_t end = first;
    while (end < n && instrs_[end].op == Op::NOP) ++end;
    if (end == n) {
      // Nothing behind them that could have their lines.
      first = end;
      continue;
    }
    Instr& real = instrs_[end];
    for (size_t k = first; k < end; ++k) {
      const int32_t line = instrs_[k].position.line;
      const Instr& next = instrs_[k + 1];
      bool joined = false;   // somebody arrives behind k who did not pass through it
      bool ambiguous = false;
      for (size_t m = k + 1; m <= end; ++m) {
        joined |= arrivals[m] != 0;
        ambiguous |= (arrivals[m] & kHandler) != 0;
        if (first > 0 && instrs_[first - 1].label != kNoLabel) {
          ambiguous |= static_cast<size_t>(labels_[static_cast<size_t>(instrs_[first - 1].label)].at) == m;
        }
      }
      const bool next_has_it = (next.flags & kInherits) == 0 && next.position.line == line;
      const bool known = arrivals[k] == 0 && k > 0 && k == first && instrs_[k - 1].position.line == line &&
                         (instrs_[k - 1].flags & kInherits) == 0;
      if (line < 0 || next_has_it || known) {
        kept[k] = false;
      } else if (k + 1 == end && !joined && (real.flags & kInherits) != 0) {
        kept[k] = false;
        real.flags &= static_cast<uint8_t>(~kInherits);
        real.position = instrs_[k].position;
      } else if (!ambiguous) {
        kept[k] = false;
        marks.push_back({k, instrs_[k].position});
      }
    }
    first = end;
  }

  // New places; marks go to the next instruction that stays.
  std::vector<size_t> place(n + 1);
  size_t to = 0;
  for (size_t i = 0; i < n; ++i) {
    place[i] = to;
    if (kept[i]) ++to;
  }
  place[n] = to;
  for (LabelInfo& label : labels_) {
    if (label.at < 0) continue;
    const auto at = static_cast<size_t>(label.at);
    auto before = std::lower_bound(marks.begin(), marks.end(), at, [](const Mark& mark, size_t where) { return mark.at < where; });
    while (before != marks.begin() && place[(--before)->at] == place[at]) ++label.passed;
  }
  for (LabelInfo& label : labels_) {
    if (label.at >= 0) label.at = static_cast<int32_t>(place[static_cast<size_t>(label.at)]);
  }
  for (Range& r : ranges_) {
    r.from = place[r.from];
    r.to = place[r.to];
  }
  for (Mark& mark : marks) mark.at = place[mark.at];
  marks_ = std::move(marks);
  for (size_t i = 0, k = 0; i < n; ++i) {
    if (kept[i]) instrs_[k++] = instrs_[i];
  }
  instrs_.resize(to);
}

// The end of a function or class that no `return` stands for belongs to whatever line control comes from: each way to it gets
// its own. A class puts down some of its attributes first.
void Assembler::copy_exits() {
  constexpr size_t kLongest = 8;
  const size_t n = instrs_.size();
  // [target, end) is such an end.
  auto end_of_exit = [&](size_t target) -> size_t {
    for (size_t at = target; at < n && at < target + kLongest; ++at) {
      const Instr& i = instrs_[at];
      if ((i.flags & kInherits) == 0 || i.label != kNoLabel || marked(at)) break;
      if (i.op == Op::RETURN || i.op == Op::RETURN_CONST) return at + 1;
    }
    return target;
  };
  auto target_of = [&](const Instr& i) { return static_cast<size_t>(labels_[static_cast<size_t>(i.label)].at); };
  // Jumps on the way to it that belong to no line are passed over.
  auto final_target = [&](const Instr& from) {
    size_t target = target_of(from);
    for (int hops = 0; hops < 16 && target < n && !marked(target); ++hops) {
      const Instr& i = instrs_[target];
      if (i.op != Op::JUMP || (i.flags & kInherits) == 0) break;
      target = target_of(i);
    }
    return target;
  };
  auto is_protected = [&](size_t from, size_t to) {
    for (const Range& r : ranges_) {
      if (r.from < to && from < r.to) return true;
    }
    return false;
  };
  for (size_t i = 0; i < n; ++i) {
    if (instrs_[i].label == kNoLabel) continue;
    const size_t target = final_target(instrs_[i]);
    if (target >= n || target == i + 1) continue;
    const size_t end = end_of_exit(target);
    if (end == target || (instrs_[target].op != Op::RETURN_CONST && is_protected(target, end))) continue;
    const Position position = instrs_[i].position;
    if (instrs_[i].op == Op::JUMP && end == target + 1) {
      const auto flags = static_cast<uint8_t>((instrs_[target].flags & ~kInherits) | (instrs_[i].flags & kInherits));
      instrs_[i] = instrs_[target];
      instrs_[i].flags = flags;
      instrs_[i].position = position;
    } else if (instrs_[i].op != Op::JUMP_BACK) {
      labels_.push_back({static_cast<int32_t>(instrs_.size()), 1, 0});
      instrs_[i].label = static_cast<Label>(labels_.size() - 1);
      for (size_t at = target; at < end; ++at) {
        instrs_.push_back(instrs_[at]);
        instrs_.back().position = position;
      }
    }
  }
}

// What belongs to no line of its own stands in that of the instruction before it.
void Assembler::inherit_positions() {
  std::vector<bool> joined(instrs_.size() + 1, false);
  for (const Instr& i : instrs_) {
    if (i.label != kNoLabel) joined[static_cast<size_t>(labels_[static_cast<size_t>(i.label)].at)] = true;
  }
  Position known;
  for (size_t i = 0; i < instrs_.size(); ++i) {
    Instr& it = instrs_[i];
    if (it.op == Op::RERAISE && it.position.line < 0) {
      // It has a place that can be shown, should the one where the exception came from not be known.
      it.flags |= kInherits | kHidden;
      it.position = known;
    } else if ((it.flags & kInherits) != 0 && i > 0 && !joined[i] && !ends_flow(instrs_[i - 1].op)) {
      if (instrs_[i - 1].position.line >= 0) it.position = instrs_[i - 1].position;
    }
    if (it.position.line >= 0) known = it.position;
  }
}

}  // namespace amphis::compile
