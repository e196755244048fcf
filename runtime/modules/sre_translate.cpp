// Translates the code list of re._compiler into a Program, checking it on the way: a list that is not well
// formed raises RuntimeError and never reaches the matcher.
#include <new>

#include "modules/sre_program.h"
#include "sync/recursion.h"

namespace amphis::sre {

namespace {

constexpr Word kMaxWidth = 0xFFFFFFFF;

Word add_width(Word a, Word b) {
  return a > kMaxWidth - b ? kMaxWidth : a + b;
}
Word times_width(Word a, Word n) {
  const uint64_t product = static_cast<uint64_t>(a) * n;
  return product > kMaxWidth ? kMaxWidth : static_cast<Word>(product);
}

class Translator {
 public:
  explicit Translator(Program* program) : program_(*program), tables_(program) {}

  bool run() {
    const Word* p = program_.code.data();
    const Word* end = p + program_.code.size();
    if (p == end) return false;
    if (*p == code::kInfo) {
      if (!read_info(&p, end)) return false;
    }
    if (p == end || end[-1] != code::kSuccess) return false;
    Word width = 0;
    if (!sequence(p, end - 1, &width)) return false;
    emit({.op = Op::kAccept});
    program_.min_width = width;
    return true;
  }

 private:
  using Ptr = const Word*;

  Word here() const { return static_cast<Word>(program_.insts.size()); }
  Word emit(const Inst& inst) {
    program_.insts.push_back(inst);
    return here() - 1;
  }
  Inst& at(Word index) { return program_.insts[index]; }

  // The info block: what it says about the prefix. Its other data we find ourselves.
  bool read_info(Ptr* p, Ptr end) {
    Ptr block = *p + 1;
    if (end - block < 4) return false;
    const Word skip = block[0];
    if (skip < 4 || static_cast<size_t>(end - block) <= skip) return false;
    const Word flags = block[1];
    Ptr block_end = block + skip;
    if (flags & info::kPrefix) {
      if (block_end - block < 6) return false;
      const Word length = block[4];
      if (length == 0 || static_cast<uint64_t>(block_end - block) < 6 + uint64_t{length}) return false;
      program_.prefix32.assign(block + 6, block + 6 + length);
      for (Char ch : program_.prefix32) {
        if (ch > program_.widest_prefix) program_.widest_prefix = ch;
      }
      if (program_.widest_prefix < 0x100) program_.prefix8.assign(block + 6, block + 6 + length);
      if (program_.widest_prefix < 0x10000) program_.prefix16.assign(block + 6, block + 6 + length);
      program_.start = (flags & info::kLiteral) ? Start::kLiteral : Start::kPrefix;
    }
    *p = block_end;
    return true;
  }

  // The skip word at p, as the place it leads to; null if that is outside.
  static Ptr skip_target(Ptr p, Ptr end) {
    if (p >= end || *p == 0 || static_cast<size_t>(end - p) < *p) return nullptr;
    return p + *p;
  }

  Word add_class(const CharRule& rule) {
    CharClass c{};
    c.rule = rule;
    c.locale = rule.depends_on_locale();
    const LowSet set = c.locale ? LowSet() : rule.low_set();
    tables_.place(set, &c.table, &c.mask);
    c.wide = wide_rule(rule);
    for (Word i = 0; i < program_.classes.size(); ++i) {
      const CharClass& other = program_.classes[i];
      if (!c.locale && !other.locale && other.table == c.table && other.mask == c.mask &&
          other.wide == c.wide && c.wide != CharClass::kByRule) {
        return i;
      }
    }
    program_.classes.push_back(c);
    program_.class_sets.push_back(c.locale ? LowSet::all() : set);
    return static_cast<Word>(program_.classes.size() - 1);
  }

  // What holds for all characters from U+0100 on, where that can be told from the look of the set.
  static CharClass::Wide wide_rule(const CharRule& rule) {
    if (rule.kind != CharRule::kSet) {
      if (rule.fold != Fold::kNone && rule.fold != Fold::kAscii) return CharClass::kByRule;
      if (rule.literal >= 256) return CharClass::kByRule;
      return rule.kind == CharRule::kNotLiteral ? CharClass::kAlways : CharClass::kNever;
    }
    if (rule.fold == Fold::kUnicode || rule.fold == Fold::kLocale) return CharClass::kByRule;
    bool negated = false;
    int words = 0, others = 0;
    bool not_word = false;
    for (Ptr p = rule.set;;) {
      switch (*p++) {
        case code::kFailure:
          if (others != 0) return CharClass::kByRule;
          if (words == 0) return negated ? CharClass::kAlways : CharClass::kNever;
          return words > 1             ? CharClass::kByRule
                 : not_word != negated ? CharClass::kNotUnicodeWord
                                       : CharClass::kUnicodeWord;
        case code::kNegate:
          negated = !negated;
          break;
        case code::kLiteral:
          others += *p++ >= 256;
          break;
        case code::kRange:
          others += p[1] >= 256;
          p += 2;
          break;
        case code::kCharset:
          p += 8;
          break;
        case code::kCategory:
          switch (static_cast<Category>(*p++)) {
            case Category::kDigit:
            case Category::kSpace:
            case Category::kWord:
            case Category::kLinebreak:
              break;
            case Category::kUniNotWord:
              not_word = true;
              [[fallthrough]];
            case Category::kUniWord:
              ++words;
              break;
            default:
              ++others;
          }
          break;
        default:
          return CharClass::kByRule;
      }
    }
  }

  // One single-character matcher at p: what it is, and where it ends. Null if there is none.
  Ptr item(Ptr p, Ptr end, Item* kind, Word* arg) {
    if (p >= end) return nullptr;
    const Word op = *p++;
    auto literal = [&](CharRule::Kind rule_kind, Fold fold) -> Ptr {
      if (p >= end) return nullptr;
      const Char ch = *p;
      if (fold == Fold::kNone) {
        *kind = rule_kind == CharRule::kLiteral ? Item::kLiteral : Item::kNotLiteral;
        *arg = ch;
      } else {
        *kind = Item::kClass;
        *arg = add_class({rule_kind, fold, ch, nullptr});
      }
      return p + 1;
    };
    auto set = [&](Fold fold) -> Ptr {
      Ptr after = skip_target(p, end);
      if (after == nullptr || !valid_charset(p + 1, after)) return nullptr;
      *kind = Item::kClass;
      *arg = add_class({CharRule::kSet, fold, 0, p + 1});
      return after;
    };
    switch (op) {
      case code::kAny:
        *kind = Item::kAny;
        return p;
      case code::kAnyAll:
        *kind = Item::kAnyAll;
        return p;
      case code::kLiteral:
        return literal(CharRule::kLiteral, Fold::kNone);
      case code::kNotLiteral:
        return literal(CharRule::kNotLiteral, Fold::kNone);
      case code::kLiteralIgnore:
        return literal(CharRule::kLiteral, Fold::kAscii);
      case code::kNotLiteralIgnore:
        return literal(CharRule::kNotLiteral, Fold::kAscii);
      case code::kLiteralUniIgnore:
        return literal(CharRule::kLiteral, Fold::kUnicode);
      case code::kNotLiteralUniIgnore:
        return literal(CharRule::kNotLiteral, Fold::kUnicode);
      case code::kLiteralLocIgnore:
        return literal(CharRule::kLiteral, Fold::kLocale);
      case code::kNotLiteralLocIgnore:
        return literal(CharRule::kNotLiteral, Fold::kLocale);
      case code::kIn:
        return set(Fold::kNone);
      case code::kInIgnore:
        return set(Fold::kAscii);
      case code::kInUniIgnore:
        return set(Fold::kUnicode);
      case code::kInLocIgnore:
        return set(Fold::kLocale);
      case code::kCategory:
        if (p >= end || *p >= static_cast<Word>(Category::kCount)) return nullptr;
        *kind = Item::kClass;
        *arg = add_category(*p);
        return p + 1;
      default:
        return nullptr;
    }
  }
  Word add_category(Word category) {
    auto set = std::make_unique<Word[]>(3);
    set[0] = code::kCategory;
    set[1] = category;
    set[2] = code::kFailure;
    program_.category_sets.push_back(std::move(set));
    return add_class({CharRule::kSet, Fold::kNone, 0, program_.category_sets.back().get()});
  }

  // A run of literals, or one of them.
  void emit_literals(Ptr first, Word count) {
    if (count == 1) {
      emit({.op = Op::kLiteral, .arg = first[1]});
      return;
    }
    const Word start = static_cast<Word>(program_.literals.size());
    bool narrow = true;
    for (Word i = 0; i < count; ++i) {
      const Char ch = first[2 * i + 1];
      program_.literals.push_back(ch);
      program_.literals8.push_back(static_cast<uint8_t>(ch));
      narrow = narrow && ch < 256;
    }
    emit({.op = Op::kString, .simple = narrow, .arg = start, .count = count});
  }

  // The operations in [p, end), which end exactly there.
  bool sequence(Ptr p, Ptr end, Word* width) {
    Ptr stopped = operations(p, end, width);
    return stopped == end;
  }

  // Up to end, or to a JUMP that is the last operation before end.
  Ptr operations(Ptr p, Ptr end, Word* width) {
    if (RecursionGuard guard(" in regular expression compilation"); guard.refused()) return nullptr;
    *width = 0;
    while (p < end) {
      const Word op = *p;
      switch (op) {
        case code::kLiteral: {
          Word count = 0;
          Ptr first = p;
          while (end - p >= 2 && *p == code::kLiteral) {
            p += 2;
            ++count;
          }
          if (count == 0) return nullptr;
          emit_literals(first, count);
          *width = add_width(*width, count);
          break;
        }
        case code::kAt:
          if (end - p < 2 || p[1] >= static_cast<Word>(At::kCount)) return nullptr;
          emit({.op = Op::kAt, .arg = p[1]});
          p += 2;
          break;
        case code::kMark:
          if (end - p < 2 || p[1] >= 2 * uint64_t{program_.groups}) return nullptr;
          emit({.op = Op::kMark, .arg = p[1]});
          p += 2;
          break;
        case code::kFailure:
          emit({.op = Op::kFail});
          ++p;
          break;
        case code::kJump:
          return end - p == 2 ? p : nullptr;
        case code::kBranch:
          p = branch(p + 1, end, width);
          break;
        case code::kRepeatOne:
        case code::kMinRepeatOne:
        case code::kPossessiveRepeatOne:
          p = repeat_one(p, end, width);
          break;
        case code::kRepeat:
          p = repeat(p + 1, end, width);
          break;
        case code::kPossessiveRepeat:
          p = possessive(p + 1, end, width);
          break;
        case code::kAtomicGroup:
          p = atomic(p + 1, end, width);
          break;
        case code::kAssert:
        case code::kAssertNot:
          p = assertion(p, end);
          break;
        case code::kGroupRef:
        case code::kGroupRefIgnore:
        case code::kGroupRefUniIgnore:
        case code::kGroupRefLocIgnore:
          if (end - p < 2 || p[1] >= program_.groups) return nullptr;
          emit({.op = Op::kGroupRef,
                .fold = op == code::kGroupRef            ? Fold::kNone
                        : op == code::kGroupRefIgnore    ? Fold::kAscii
                        : op == code::kGroupRefUniIgnore ? Fold::kUnicode
                                                         : Fold::kLocale,
                .arg = p[1]});
          p += 2;
          break;
        case code::kGroupRefExists:
          p = conditional(p + 1, end, width);
          break;
        default: {
          Item kind;
          Word arg = 0;
          p = item(p, end, &kind, &arg);
          if (p == nullptr) return nullptr;
          constexpr Op ops[] = {Op::kAny, Op::kAnyAll, Op::kLiteral, Op::kNotLiteral, Op::kClass};
          emit({.op = ops[static_cast<int>(kind)], .arg = arg});
          *width = add_width(*width, 1);
        }
      }
      if (p == nullptr) return nullptr;
    }
    return p;
  }

  // The alternatives after BRANCH.
  Ptr branch(Ptr p, Ptr end, Word* width) {
    Word narrowest = kMaxWidth;
    std::vector<Word> jumps;
    if (p >= end) return nullptr;
    if (*p == 0) {
      emit({.op = Op::kFail});
      return p + 1;
    }
    Ptr final_target = nullptr;
    while (*p != 0) {
      Ptr next = skip_target(p, end);
      if (next == nullptr || next >= end || next - p < 3 || next[-2] != code::kJump) return nullptr;
      Ptr target = skip_target(next - 1, end + 1);
      if (target == nullptr || (final_target != nullptr && target != final_target)) return nullptr;
      final_target = target;
      const bool last = *next == 0;
      const Word alt = last ? 0 : emit({.op = Op::kAlt});
      Word body_width;
      if (!sequence(p + 1, next - 2, &body_width)) return nullptr;
      if (body_width < narrowest) narrowest = body_width;
      if (!last) {
        jumps.push_back(emit({.op = Op::kJump}));
        at(alt).target = here();
      }
      p = next;
    }
    for (Word jump : jumps) at(jump).target = here();
    *width = add_width(*width, narrowest);
    return final_target == p + 1 ? p + 1 : nullptr;
  }

  Ptr repeat_one(Ptr p, Ptr end, Word* width) {
    const Word op = *p++;
    Ptr after = skip_target(p, end);
    if (after == nullptr || after - p < 5) return nullptr;
    const Word min = p[1], max = p[2];
    if (min > max) return nullptr;
    Item kind;
    Word arg = 0;
    if (item(p + 3, after - 1, &kind, &arg) != after - 1 || after[-1] != code::kSuccess) return nullptr;
    emit({.op = op == code::kRepeatOne      ? Op::kRepeatOne
                : op == code::kMinRepeatOne ? Op::kRepeatOneLazy
                                            : Op::kRepeatOnePossessive,
          .item = kind,
          .arg = arg,
          .min = min,
          .max = max});
    *width = add_width(*width, min);
    return after;
  }

  Ptr repeat(Ptr p, Ptr end, Word* width) {
    Ptr until = skip_target(p, end);
    if (until == nullptr || until >= end || until - p < 3) return nullptr;
    const Word min = p[1], max = p[2];
    if (min > max || (*until != code::kMaxUntil && *until != code::kMinUntil)) return nullptr;
    const bool lazy = *until == code::kMinUntil;
    Word body_width;
    if (min == 0 && max == 1) {
      // Once or not at all is a choice.
      const Word choice = emit({.op = lazy ? Op::kLazyAlt : Op::kAlt});
      if (!sequence(p + 3, until, &body_width)) return nullptr;
      at(choice).target = here();
      return until + 1;
    }
    const Word loop = program_.loops++;
    const Word begin = emit({.op = Op::kLoop, .arg = loop, .min = min});
    if (!sequence(p + 3, until, &body_width)) return nullptr;
    at(begin).target = here();
    emit({.op = lazy ? Op::kLoopEndLazy : Op::kLoopEnd,
          .simple = !lazy && max == kMaxRepeat && body_width > 0,
          .arg = loop,
          .min = min,
          .max = max,
          .target = begin + 1});
    *width = add_width(*width, times_width(body_width, min));
    return until + 1;
  }

  Ptr possessive(Ptr p, Ptr end, Word* width) {
    Ptr after = skip_target(p, end);
    if (after == nullptr || after >= end || after - p < 3 || *after != code::kSuccess) return nullptr;
    const Word min = p[1], max = p[2];
    if (min > max) return nullptr;
    const Word loop = program_.loops++;
    const Word barrier = program_.barriers++;
    emit({.op = Op::kPossessive, .arg = loop});
    const Word next =
        emit({.op = Op::kPossessiveNext, .arg = loop, .count = barrier, .min = min, .max = max});
    Word body_width;
    if (!sequence(p + 3, after, &body_width)) return nullptr;
    emit({.op = Op::kPossessiveEnd, .arg = loop, .count = barrier, .target = next});
    at(next).target = here();
    *width = add_width(*width, times_width(body_width, min));
    return after + 1;
  }

  Ptr atomic(Ptr p, Ptr end, Word* width) {
    Ptr after = skip_target(p, end);
    if (after == nullptr || after - p < 2 || after[-1] != code::kSuccess) return nullptr;
    const Word barrier = program_.barriers++;
    emit({.op = Op::kAtomic, .arg = barrier});
    Word body_width;
    if (!sequence(p + 1, after - 1, &body_width)) return nullptr;
    emit({.op = Op::kAtomicEnd, .arg = barrier});
    *width = add_width(*width, body_width);
    return after;
  }

  Ptr assertion(Ptr p, Ptr end) {
    const bool negative = *p++ == code::kAssertNot;
    Ptr after = skip_target(p, end);
    if (after == nullptr || after - p < 3 || after[-1] != code::kSuccess || (p[1] & 0x80000000))
      return nullptr;
    const Word barrier = program_.barriers++;
    const Word begin = emit({.op = negative ? Op::kAssertNot : Op::kAssert, .arg = barrier, .count = p[1]});
    Word body_width;
    if (!sequence(p + 2, after - 1, &body_width)) return nullptr;
    emit({.op = negative ? Op::kAssertNotEnd : Op::kAssertEnd, .arg = barrier});
    at(begin).target = here();
    return after;
  }

  Ptr conditional(Ptr p, Ptr end, Word* width) {
    if (end - p < 2 || p[0] >= program_.groups) return nullptr;
    // The distance counts from the group's number.
    if (p[1] < 2 || static_cast<size_t>(end - p) < p[1]) return nullptr;
    Ptr otherwise = p + p[1];
    const Word test = emit({.op = Op::kGroupIf, .arg = p[0]});
    Word yes_width, no_width = 0;
    Ptr stopped = operations(p + 2, otherwise, &yes_width);
    if (stopped == nullptr) return nullptr;
    if (stopped == otherwise) {
      at(test).target = here();
      return otherwise;
    }
    Ptr after = skip_target(stopped + 1, end + 1);
    if (after == nullptr || after < otherwise || after > end) return nullptr;
    const Word jump = emit({.op = Op::kJump});
    at(test).target = here();
    if (!sequence(otherwise, after, &no_width)) return nullptr;
    at(jump).target = here();
    *width = add_width(*width, yes_width < no_width ? yes_width : no_width);
    return after;
  }

  Program& program_;
  TableBuilder tables_;
};

}  // namespace

bool translate(Program* program) try {
  if (!Translator(program).run()) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "invalid SRE code");
    return false;
  }
  optimise(program);
  program->class_sets = {};
  return true;
} catch (const std::bad_alloc&) {
  PyErr_NoMemory();
  return false;
}

void TableBuilder::place(const LowSet& set, const uint8_t** table, uint8_t* mask) {
  for (const Placed& there : placed_) {
    if (there.set == set) {
      *table = there.table;
      *mask = there.mask;
      return;
    }
  }
  if (free_bit_ == 8) {
    program_->tables.push_back(std::make_unique<uint8_t[]>(256));
    free_bit_ = 0;
  }
  uint8_t* bytes = program_->tables.back().get();
  const auto own = static_cast<uint8_t>(1 << free_bit_++);
  set.each([&](Char ch) { bytes[ch] |= own; });
  *table = bytes;
  *mask = own;
  placed_.push_back({set, bytes, own});
}

}  // namespace amphis::sre
