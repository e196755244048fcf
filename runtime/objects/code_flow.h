// Where control goes in a code object, for those who look at it from outside: sys.monitoring's events, code.co_branches() and the
// bytes of co_code. Lines that have no instruction count as places of their own; jumps and cleaning up that belong to no line are
// passed over.
#pragma once

#include <string>
#include <vector>

#include "objects/code.h"

namespace amphis {

inline constexpr uint32_t kNoWord = UINT32_MAX;

// What the words are: [0, instructions) may run. Behind them: the places of the line marks, and last, where `entry` is not 0,
// where a frame stands that tells of its beginning.
struct CodeParts {
  std::vector<LineMark> marks;
  uint32_t instructions = 0;
  uint32_t entry = 0;
};
// `marks`: those of the line table. None are left where code that was put together elsewhere lacks their places.
CodeParts code_parts(const PyCodeObject* code, std::vector<LineMark> marks);

// Where somebody is who goes from the instruction `source` to the instruction `target`.
uint32_t landing(const PyCodeObject* code, const CodeParts& parts, uint32_t source, uint32_t target);

// The loop of an `async for` goes on or ends: one branch, which is told to be at the SEND that waits for the next item.
bool waits_for_item(const PyCodeObject* code, uint32_t send);
uint32_t send_of_async_for(const PyCodeObject* code, uint32_t end_async_for);

// co_code begins with a guide, two bytes for each word: the number of the instruction and a small operand, laid out as tools
// expect it that follow CPython's code by offsets as f_lasti and events give them. A cache word has kCacheNumber. A frame that waits
// at a YIELD_VALUE stands before a RESUME whose operand is not zero; one that begins, at an operand that is. A return is a RETURN. Jumps
// have their distance in words, and where that is larger than a byte, or nobody can follow, stands RERAISE. Handlers begin with what
// the program says there.
inline constexpr uint8_t kCacheNumber = 255;
std::string code_guide(const PyCodeObject* code);

// New iterator over (where, where to on the left, where to on the right) of each branch.
PyObject* code_branches(PyObject* self, PyObject*);

}  // namespace amphis
