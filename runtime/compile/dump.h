// Code objects for people to read: one instruction as text, and a listing of a code object with those inside it. The
// module `_opcode` gives the former to `dis`; tests and debugging read the latter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "Python.h"
#include "interp/opcode.h"

namespace amphis {

// What a register is called: variables by their own name, temporaries t0, t1 …
std::string register_name(PyCodeObject* code, unsigned r);

struct Listed {
  uint32_t next;                      // the word after the instruction and its cache words
  std::vector<std::string> operands;  // see list_instruction; a jump's target is not among them
  bool has_arg = false;
  int64_t arg = 0;            // index of a constant or name, plain number, or distance of a jump in words
  PyObject* value = nullptr;  // borrowed: the constant or name that `arg` means
  int64_t target = -1;        // of a jump: word
};

// The instruction at words[at]. Operands are in the order of opcodes.def: registers by name (`!` marks one that dies
// here), constants by value, names as they are, numbers with `#`; then what the flags say.
Listed list_instruction(PyCodeObject* code, const Word* words, uint32_t at);

std::string dump_code(PyCodeObject* code);

}  // namespace amphis
