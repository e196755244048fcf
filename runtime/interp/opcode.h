// The instruction word: enumerations and encoding helpers over opcodes.def. Plain data, no objects: the compiler
// and the machine both include it.
#pragma once

#include <cstdint>

namespace amphis {

enum class Op : uint8_t {
#define AMPHIS_OP(name, caches, format) name,
#include "interp/opcodes.def"
#undef AMPHIS_OP
  kFirstSpecial,
#define AMPHIS_OP(name, caches, format)
#define AMPHIS_SPECIAL(name, general) name,
#include "interp/opcodes.def"
#undef AMPHIS_SPECIAL
#undef AMPHIS_OP
  kCount
};

// Flags of an instruction (bits of its second byte).
enum OpFlags : uint8_t {
  kKillA = 1,  // operand A is a temporary that dies here (for instructions that read A)
  kKillB = 2,
  kKillC = 4,
  kFused = 8,          // comparison: the next word is a conditional jump on the result; CALL, CALL_KW: a CLEAR of it
  kInPlace = 16,       // arithmetic: augmented assignment
  kMethod = 16,        // CALL*, LOAD_SUPER_ATTR: a self-or-empty register follows the callable
  kHidden = 32,        // JUMP: how the code lies, nothing that the program says (tracing: no event); RERAISE: a way out that stands
                       // nowhere in the program: the frame is left where the exception came from
  kNegate = 32,        // IS, CONTAINS
  kSuperZeroArg = 32,  // LOAD_SUPER_ATTR
  kSliceStep = 16,     // *_SLICE: the run has a step, too
  kCallArgs = 32,      // LIST_EXTEND: the list collects the arguments of a call
  kInherits = 128,     // any: its line is that of what ran before it (tracing: none begins here)
  kUnbox = 64,         // loads, CALL, FOR_ITER, UNPACK_SEQUENCE: for arithmetic, numbers may come unboxed
};

// Parts of MAKE_FUNCTION (operand C); the registers hold the parts that are present, in this order.
enum FunctionParts : uint16_t {
  kFuncDefaults = 1,     // tuple
  kFuncKwDefaults = 2,   // dict
  kFuncAnnotations = 4,  // dict
  kFuncClosure = 8,      // tuple of cells
  kFuncAnnotate = 16,    // the __annotate__ function
};

enum class SpecialMethod : uint16_t { kEnter, kExit, kAenter, kAexit };

enum class Intrinsic1 : uint16_t {
  kPrint,  // sys.displayhook(value), interactive mode
  kImportStar,
  kStopIterationError,  // StopIteration escaping a generator becomes RuntimeError; gives the exception to raise
  kAsyncGenWrap,        // marks a value yielded by an async generator
  kTypeVar,
  kParamSpec,
  kTypeVarTuple,
  kSubscriptGeneric,
  kTypeAlias,  // (name, type params, evaluator)
};

enum class Intrinsic2 : uint16_t {
  kPrepReraiseStar,         // (original exception, list of results) -> exception to raise or None
  kTypeVarWithBound,        // (name, evaluator)
  kTypeVarWithConstraints,  // (name, evaluator)
  kSetFunctionTypeParams,   // (function, tuple) -> function
  kSetTypeParamDefault,     // (typeparam, evaluator) -> typeparam
};

using Word = uint64_t;

constexpr Word encode(Op op, uint8_t flags, uint16_t a, uint16_t b, uint16_t c) {
  return static_cast<Word>(op) | static_cast<Word>(flags) << 8 | static_cast<Word>(a) << 16 |
         static_cast<Word>(b) << 32 | static_cast<Word>(c) << 48;
}
constexpr Word encode_wide(Op op, uint8_t flags, uint16_t a, int32_t bc) {
  return static_cast<Word>(op) | static_cast<Word>(flags) << 8 | static_cast<Word>(a) << 16 |
         static_cast<Word>(static_cast<uint32_t>(bc)) << 32;
}
constexpr Op word_op(Word w) { return static_cast<Op>(w & 0xff); }
constexpr uint8_t word_flags(Word w) { return static_cast<uint8_t>(w >> 8); }
// One test of the word: no shift.
constexpr bool word_has(Word w, uint8_t flag) { return (w & (Word{flag} << 8)) != 0; }
constexpr uint16_t word_a(Word w) { return static_cast<uint16_t>(w >> 16); }
constexpr uint16_t word_b(Word w) { return static_cast<uint16_t>(w >> 32); }
constexpr uint16_t word_c(Word w) { return static_cast<uint16_t>(w >> 48); }
constexpr int32_t word_bc(Word w) { return static_cast<int32_t>(w >> 32); }

// Words that nothing runs, behind the instructions. They are places for what has none: RESUME for the beginning of the frame (the
// last word, in every code object that the compiler makes), and before it for each LineMark, in their order, a NOP with this in A.
inline constexpr uint16_t kPlaceOfMark = 2;

struct OpInfo {
  const char* name;
  uint8_t cache_words;
  const char* format;
  Op general;  // the form that the compiler emits
};
extern const OpInfo kOpInfo[256];
inline const OpInfo& op_info(Op op) { return kOpInfo[static_cast<uint8_t>(op)]; }

}  // namespace amphis
