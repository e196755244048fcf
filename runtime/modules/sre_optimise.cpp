// What a Program can know beforehand: which characters each part can begin with, which repeats never profit
// from giving characters back, and how a search finds its first candidate.
//
// First sets are the least solution of the usual equations, computed from the last instruction to the first;
// only loops refer backwards. Where the walk through a loop gets long, the set is everything, which is always
// right.
//
// Inside of an atomic group (and an assertion, a possessive loop) nothing may be concluded from what comes
// after the group, for the group settles for its first way to match, whatever comes after: its end counts as
// "everything" there.
#include "modules/sre_program.h"

namespace amphis::sre {

namespace {

struct First {
  LowSet low;
  bool high = false;
  bool at_end = false;

  static First everything() {
    First f;
    f.low = LowSet::all();
    f.high = f.at_end = true;
    return f;
  }
  bool is_everything() const {
    return high && at_end && (low.bits[0] & low.bits[1] & low.bits[2] & low.bits[3]) == ~uint64_t{0};
  }
  void add(Char ch) {
    if (ch < 256) {
      low.add(ch);
    } else {
      high = true;
    }
  }
  First& operator|=(const First& other) {
    for (int i = 0; i < 4; ++i) low.bits[i] |= other.low.bits[i];
    high |= other.high;
    at_end |= other.at_end;
    return *this;
  }
  // No character begins both.
  bool disjoint(const First& other) const {
    for (int i = 0; i < 4; ++i) {
      if (low.bits[i] & other.low.bits[i]) return false;
    }
    return !(high && other.high);
  }
  int low_count() const {
    int n = 0;
    for (uint64_t word : low.bits) n += __builtin_popcountll(word);
    return n;
  }
};

class Optimiser {
 public:
  explicit Optimiser(Program* program)
      : program_(*program),
        tables_(program),
        known_(program->insts.size()),
        open_(program->insts.size(), false) {}

  void run() {
    const First all = First::everything();
    program_.filters.clear();
    add_filter(all);
    for (Word pc = size(); pc-- > 0;) {
      budget_ = kBudget;
      top_ = pc;
      First f = evaluate(pc, 0);
      known_[pc] = budget_ < 0 ? all : f;
    }
    for (Word pc = 0; pc < size(); ++pc) improve(pc);
    choose_start();
  }

 private:
  static constexpr int kBudget = 1000;

  Word size() const { return static_cast<Word>(program_.insts.size()); }

  First items(Item item, Word arg) const {
    First f;
    switch (item) {
      case Item::kAny:
      case Item::kAnyAll:
      case Item::kNotLiteral:
        f = First::everything();
        f.at_end = false;
        if (item == Item::kAny) f.low.remove('\n');
        if (item == Item::kNotLiteral && arg < 256) f.low.remove(arg);
        break;
      case Item::kLiteral:
        f.add(arg);
        break;
      case Item::kClass: {
        const CharClass& c = program_.classes[arg];
        f.low = program_.class_sets[arg];
        f.high = c.locale || c.wide != CharClass::kNever;
        break;
      }
    }
    return f;
  }

  First first(Word pc, int atomic_depth) {
    if (pc > top_ && atomic_depth == 0) return known_[pc];
    return evaluate(pc, atomic_depth);
  }

  // atomic_depth: how many atomic groups this walk has entered by their beginning.
  First evaluate(Word pc, int atomic_depth) {
    if (--budget_ < 0) return First::everything();
    const Inst& in = program_.insts[pc];
    switch (in.op) {
      case Op::kFail:
        return {};
      case Op::kAny:
        return items(Item::kAny, 0);
      case Op::kAnyAll:
        return items(Item::kAnyAll, 0);
      case Op::kLiteral:
        return items(Item::kLiteral, in.arg);
      case Op::kNotLiteral:
        return items(Item::kNotLiteral, in.arg);
      case Op::kClass:
        return items(Item::kClass, in.arg);
      case Op::kString:
        return items(Item::kLiteral, program_.literals[in.arg]);
      case Op::kAt:
        return at(static_cast<At>(in.arg), first(pc + 1, atomic_depth));
      case Op::kMark:
        return first(pc + 1, atomic_depth);
      case Op::kJump:
        return first(in.target, atomic_depth);
      case Op::kAlt:
      case Op::kLazyAlt:
      case Op::kGroupIf: {
        First f = first(pc + 1, atomic_depth);
        return f |= first(in.target, atomic_depth);
      }
      case Op::kRepeatOne:
      case Op::kRepeatOneLazy:
      case Op::kRepeatOnePossessive: {
        First f = items(in.item, in.arg);
        return in.min > 0 ? f : f |= first(pc + 1, atomic_depth);
      }
      case Op::kLoop: {
        First f = first(pc + 1, atomic_depth);
        return in.min > 0 ? f : f |= first(in.target + 1, atomic_depth);
      }
      case Op::kLoopEnd:
      case Op::kLoopEndLazy: {
        if (open_[pc]) return {};  // a way round the loop that takes nothing adds nothing
        open_[pc] = true;
        First f = first(in.target, atomic_depth);
        f |= first(pc + 1, atomic_depth);
        open_[pc] = false;
        return f;
      }
      case Op::kPossessive:
        return first(pc + 1, atomic_depth);
      case Op::kPossessiveNext: {
        First f = first(pc + 1, atomic_depth + 1);
        return f |= first(in.target, atomic_depth);
      }
      case Op::kPossessiveEnd:
        // An empty round; what comes after it has been added where the walk went in.
        return atomic_depth > 0 ? First{} : First::everything();
      case Op::kAssert:
      case Op::kAssertNot:
        return first(in.target, atomic_depth);
      case Op::kAtomic:
        return first(pc + 1, atomic_depth + 1);
      case Op::kAtomicEnd:
        return atomic_depth > 0 ? first(pc + 1, atomic_depth - 1) : First::everything();
      case Op::kAccept:
      case Op::kAssertEnd:
      case Op::kAssertNotEnd:
      case Op::kGroupRef:
        break;
    }
    return First::everything();
  }

  static First at(At where, First f) {
    const bool newline = f.low.has('\n');
    switch (where) {
      case At::kEndString:
        f.low = {};
        f.high = false;
        return f;
      case At::kEnd:
      case At::kEndLine:
        f.low = {};
        f.high = false;
        if (newline) f.low.add('\n');
        return f;
      default:
        return f;
    }
  }

  Word add_filter(const First& f) {
    if (f.is_everything() && !program_.filters.empty()) return 0;
    Filter filter{nullptr, 0, f.high, f.at_end};
    tables_.place(f.low, &filter.table, &filter.mask);
    for (Word i = 0; i < program_.filters.size(); ++i) {
      const Filter& other = program_.filters[i];
      if (other.table == filter.table && other.mask == filter.mask && other.high == filter.high &&
          other.at_end == filter.at_end) {
        return i;
      }
    }
    program_.filters.push_back(filter);
    return static_cast<Word>(program_.filters.size() - 1);
  }

  // Whether from pc on nothing can fail until the pattern, or the group that settles, is done.
  bool ends_at_once(Word pc) const {
    for (;; ++pc) {
      switch (program_.insts[pc].op) {
        case Op::kMark:
          break;
        case Op::kAccept:
        case Op::kAssertEnd:
        case Op::kAssertNotEnd:
        case Op::kAtomicEnd:
        case Op::kPossessiveEnd:
          return true;
        default:
          return false;
      }
    }
  }

  void improve(Word pc) {
    Inst& in = program_.insts[pc];
    switch (in.op) {
      case Op::kAlt:
      case Op::kLazyAlt:
        in.filter = add_filter(known_[pc + 1]);
        in.tail_filter = add_filter(known_[in.target]);
        break;
      case Op::kLoopEnd:
      case Op::kLoopEndLazy:
        in.filter = add_filter(known_[in.target]);
        in.tail_filter = add_filter(known_[pc + 1]);
        break;
      case Op::kRepeatOne: {
        const First& tail = known_[pc + 1];
        if (ends_at_once(pc + 1) || tail.disjoint(items(in.item, in.arg))) {
          in.op = Op::kRepeatOnePossessive;
        } else {
          in.filter = add_filter(tail);
        }
        break;
      }
      case Op::kRepeatOneLazy: {
        const First& tail = known_[pc + 1];
        in.filter = add_filter(tail);
        First skip = items(in.item, in.arg);
        for (int i = 0; i < 4; ++i) skip.low.bits[i] &= ~tail.low.bits[i];
        if (in.filter != 0 && skip.low_count() > 0 &&
            !(in.item == Item::kClass && program_.classes[in.arg].locale)) {
          in.skip_class = add_skip_class(skip.low);
        }
        break;
      }
      default:
        break;
    }
  }

  Word add_skip_class(const LowSet& low) {
    // Class 0 must not be one of these, since 0 says "none".
    if (program_.classes.empty()) {
      CharClass nothing{};
      tables_.place({}, &nothing.table, &nothing.mask);
      program_.classes.push_back(nothing);
      program_.class_sets.push_back({});
    }
    CharClass c{};
    tables_.place(low, &c.table, &c.mask);
    c.wide = CharClass::kNever;
    program_.classes.push_back(c);
    program_.class_sets.push_back(low);
    return static_cast<Word>(program_.classes.size() - 1);
  }

  void choose_start() {
    Word pc = 0;
    while (program_.insts[pc].op == Op::kMark) ++pc;
    const Inst& in = program_.insts[pc];
    if (in.op == Op::kAt) {
      const auto where = static_cast<At>(in.arg);
      if (where == At::kBeginning || where == At::kBeginningString) {
        program_.start = Start::kStringStart;
        return;
      }
      if (where == At::kBeginningLine) {
        program_.start = Start::kLineStart;
        return;
      }
    }
    if (program_.start != Start::kAnywhere) return;
    const First& f = known_[0];
    if (f.is_everything()) return;
    if (f.low_count() == 1 && !f.high && !f.at_end) {
      Char only = 0;
      while (!f.low.has(only)) ++only;
      program_.widest_prefix = only;
      program_.prefix8.assign(1, static_cast<uint8_t>(only));
      program_.prefix16.assign(1, static_cast<uint16_t>(only));
      program_.prefix32.assign(1, only);
      program_.start = Start::kPrefix;
      return;
    }
    program_.start = Start::kFilter;
    program_.start_filter = add_filter(f);
  }

  Program& program_;
  TableBuilder tables_;
  std::vector<First> known_;
  std::vector<bool> open_;
  Word top_ = 0;
  int budget_ = 0;
};

}  // namespace

void optimise(Program* program) {
  Optimiser(program).run();
}

}  // namespace amphis::sre
