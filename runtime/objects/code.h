// Code objects: PyCodeObject's public fields as the ABI has them, the instruction words inline at co_code_adaptive,
// and what the machine needs beside them in CodeExtra (reached through co_executors, which Amphis uses for it).
#pragma once

#include <cstdint>
#include <vector>

#include "Python.h"
#include "interp/opcode.h"

namespace amphis {

// Kinds in co_localspluskinds, one byte per register before the temporaries.
enum LocalKind : uint8_t {
  kLocalArgPos = 0x02,
  kLocalArgKw = 0x04,
  kLocalArgVar = 0x08,
  kLocalHidden = 0x10,  // variables of inlined comprehensions: not in locals()
  kLocal = 0x20,
  kLocalCell = 0x40,    // may be combined with kLocal for an argument that is a cell
  kLocalFree = 0x80,
};

// [start, end) in words; the innermost range of a position comes first. On an exception every register from `depth` on is
// dropped, the exception goes to R[depth], execution goes on at `target`.
struct ExceptionRange {
  uint32_t start, end, target, depth;
};

// Source range of an instruction; -1 where unknown (as None in co_positions()).
struct Position {
  int32_t line = -1, end_line = -1, column = -1, end_column = -1;
};

// A line that begins before the instruction at `word` without an instruction of its own (`pass`, `try:`); a word that is never run
// (kPlaceOfMark) has its position. `bypass`: jumps that arrive there without passing through it.
struct LineMark {
  uint32_t word;
  std::vector<uint32_t> bypass;
};

struct CodeExtra {
  uint64_t* constants;       // Values: unboxed numbers or borrowed pointers into co_consts
  PyObject** names;          // items of co_names
  const ExceptionRange* ranges;
  uint32_t range_count;
  uint32_t register_count;   // localsplus + temporaries
  uint32_t word_count;
  uint32_t nlocalsplus;
  // A call with exactly co_argcount positional arguments needs no binding: no *args, **kwargs, keyword-only.
  bool simple_arguments;
  bool is_generator;         // generator, coroutine or asynchronous generator
  // Words of dict_cache_word for __name__ and __builtins__ in the globals of functions that were made of this code.
  uint64_t name_word, builtins_word;
};

// What the assembler hands over. References are borrowed; code_new takes its own.
struct CodeSpec {
  PyObject* filename = nullptr;       // str
  PyObject* name = nullptr;           // str
  PyObject* qualname = nullptr;       // str
  PyObject* consts = nullptr;         // tuple; constants of program text are made immortal and shared
  PyObject* names = nullptr;          // tuple of interned str
  PyObject* localsplusnames = nullptr;  // tuple of interned str
  std::vector<uint8_t> localspluskinds;
  int argcount = 0, posonlyargcount = 0, kwonlyargcount = 0;
  int flags = 0;  // CO_*
  int firstlineno = 1;
  uint32_t temporaries = 0;
  std::vector<Word> words;
  std::vector<ExceptionRange> ranges;
  std::vector<Position> positions;  // one per word
  std::vector<LineMark> line_marks; // in the order of words; several of one word in the order of the program
  PyObject* linetable = nullptr;    // bytes: in place of `positions`, when the code is a copy of another
};

// Frees what the machine keeps in cache words; set by the interpreter.
extern void (*code_release_caches)(PyCodeObject* code);
// Frees what monitoring keeps for the code; set by the interpreter.
extern void (*code_release_monitor)(PyCodeObject* code);

// New reference; null with an exception.
PyCodeObject* code_new(const CodeSpec& spec);

inline CodeExtra* code_extra(const PyCodeObject* code) {
  return reinterpret_cast<CodeExtra*>(code->co_executors);
}
inline Word* code_words(const PyCodeObject* code) {
  return reinterpret_cast<Word*>(const_cast<char*>(code->co_code_adaptive));
}

// Position of the instruction word at `index`; decodes co_linetable.
Position code_position(const PyCodeObject* code, uint32_t index);

}  // namespace amphis
