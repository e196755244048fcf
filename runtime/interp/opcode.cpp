// The instruction table as data.
#include "interp/opcode.h"

namespace amphis {

namespace {

constexpr uint8_t general_caches(Op op) {
  switch (op) {
#define AMPHIS_OP(name, caches, format) \
  case Op::name:                        \
    return caches;
#include "interp/opcodes.def"
#undef AMPHIS_OP
    default:
      return 0;
  }
}

constexpr const char* general_format(Op op) {
  switch (op) {
#define AMPHIS_OP(name, caches, format) \
  case Op::name:                        \
    return format;
#include "interp/opcodes.def"
#undef AMPHIS_OP
    default:
      return "";
  }
}

}  // namespace

const OpInfo kOpInfo[256] = {
#define AMPHIS_OP(name, caches, format) {#name, caches, format, Op::name},
#include "interp/opcodes.def"
#undef AMPHIS_OP
    {"<boundary>", 0, "", Op::NOP},
#define AMPHIS_OP(name, caches, format)
#define AMPHIS_SPECIAL(name, general) \
  {#name, general_caches(Op::general), general_format(Op::general), Op::general},
#include "interp/opcodes.def"
#undef AMPHIS_SPECIAL
#undef AMPHIS_OP
};

}  // namespace amphis
