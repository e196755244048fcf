// The program that a pattern's code list is translated into, once, when the pattern is made. Immutable
// afterwards.
//
// An instruction goes on to the next one unless it says otherwise; Inst::next and jump targets are indices
// into `insts`. A Filter says which character may come next if the rest of a program is to match; it may say
// yes too often, never no.
#pragma once

#include <memory>
#include <vector>

#include "modules/sre_charset.h"

namespace amphis::sre {

enum class Op : uint8_t {
  kAccept,  // the whole pattern has matched
  kFail,
  kAny,      // one character other than a newline
  kAnyAll,   // one character
  kLiteral,  // the character `arg`
  kNotLiteral,
  kClass,      // a character of class `arg`
  kString,     // the `count` characters at `arg` of `literals`
  kAt,         // the position is At(arg)
  kMark,       // marks[arg] = position
  kJump,       // to `target`
  kAlt,        // what follows, or else what is at `target`
  kLazyAlt,    // what is at `target`, or else what follows
  kRepeatOne,  // the item, min to max times, as often as possible
  kRepeatOneLazy,
  kRepeatOnePossessive,
  kLoop,     // begins loop `arg` whose end is at `target`
  kLoopEnd,  // the end of a greedy loop's body, which is at `target`
  kLoopEndLazy,
  kPossessive,      // begins possessive loop `arg`
  kPossessiveNext,  // another round of what follows, or else on to `target`
  kPossessiveEnd,
  kAssert,  // what follows until kAssertEnd matches, `count` characters back; `arg` numbers the barrier
  kAssertEnd,
  kAssertNot,  // what follows until kAssertNotEnd does not match; then on to `target`
  kAssertNotEnd,
  kAtomic,
  kAtomicEnd,
  kGroupRef,  // the text of group `arg` again, compared under fold `item_fold`
  kGroupIf,   // what follows if group `arg` has matched, or else on to `target`
};

// The items of single-character repeats.
enum class Item : uint8_t { kAny, kAnyAll, kLiteral, kNotLiteral, kClass };

struct Inst {
  Op op;
  Item item = Item::kAny;
  Fold fold = Fold::kNone;
  bool simple =
      false;  // loops: no upper bound and no empty rounds, so exact counts beyond the minimum do not matter
  Word arg = 0;
  Word count = 0;
  Word min = 0, max = 0;
  Word target = 0;
  Word filter = 0;  // alternatives: of what follows; loops: of the body; repeats of one: of what comes after
  Word tail_filter = 0;  // alternatives: of what is at the target; loops: of what comes after
  Word skip_class = 0;  // lazy repeats of one: the items at which what comes after cannot match; 0: not known
};

struct Filter {
  const uint8_t* table;  // 256 bytes
  uint8_t mask;
  bool high;    // characters from U+0100 on
  bool at_end;  // no character
  bool low(Char ch) const { return (table[ch] & mask) != 0; }
};

// How search() finds where to try.
enum class Start : uint8_t {
  kAnywhere,
  kStringStart,  // only where the string begins
  kLineStart,    // where a line begins
  kPrefix,       // where the prefix occurs
  kFilter,       // at a character that start_filter lets pass
  kLiteral,      // the prefix is all there is to match
};

struct Program {
  std::vector<Word> code;  // the code list; rules point into it
  std::vector<Inst> insts;
  std::vector<CharClass> classes;
  std::vector<LowSet> class_sets;  // the same as sets, while the program is made
  std::vector<Filter> filters;     // [0] lets everything pass
  std::vector<Char> literals;
  std::vector<uint8_t> literals8;  // the same, where they fit
  std::vector<std::unique_ptr<uint8_t[]>> tables;
  std::vector<std::unique_ptr<Word[]>> category_sets;  // sets made of CATEGORY words outside of sets
  std::vector<uint8_t> prefix8;
  std::vector<uint16_t> prefix16;
  std::vector<uint32_t> prefix32;
  Char widest_prefix = 0;
  Word groups = 0;
  Word loops = 0;
  Word barriers = 0;
  Word min_width = 0;
  Word start_filter = 0;
  Start start = Start::kAnywhere;
};

// Translates program->code. False, with an exception, if the code is not well formed or memory runs out.
bool translate(Program* program);
// Fills in filters, the possessive repeats that they prove, and the start of searches.
void optimise(Program* program);

// The place of a set in the program's tables, shared with an equal one.
class TableBuilder {
 public:
  explicit TableBuilder(Program* program) : program_(program) {}
  void place(const LowSet& set, const uint8_t** table, uint8_t* mask);

 private:
  struct Placed {
    LowSet set;
    const uint8_t* table;
    uint8_t mask;
  };
  Program* program_;
  std::vector<Placed> placed_;
  int free_bit_ = 8;
};

}  // namespace amphis::sre
