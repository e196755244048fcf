// The marshal format: the type bytes that reader and writer share. It is CPython's (version 5), except for code objects,
// whose layout is our own and begins with kCodeFormat.
#pragma once

#include <cstdint>

namespace amphis::marshal {

inline constexpr int kVersion = 5;
inline constexpr int kMaxDepth = 2000;
inline constexpr unsigned char kFlagRef = 0x80;
// Changes whenever instructions or code objects change, so that stale files are refused.
inline constexpr int32_t kCodeFormat = 0x416D0001;

enum Type : unsigned char {
  kNull = '0',
  kNone = 'N',
  kFalse = 'F',
  kTrue = 'T',
  kStopIteration = 'S',
  kEllipsis = '.',
  kFloat = 'f',
  kBinaryFloat = 'g',
  kComplex = 'x',
  kBinaryComplex = 'y',
  kInt = 'i',
  kInt64 = 'I',
  kLong = 'l',
  kBytes = 's',
  kInterned = 't',
  kUnicode = 'u',
  kAscii = 'a',
  kAsciiInterned = 'A',
  kShortAscii = 'z',
  kShortAsciiInterned = 'Z',
  kTuple = '(',
  kSmallTuple = ')',
  kList = '[',
  kDict = '{',
  kSet = '<',
  kFrozenSet = '>',
  kSlice = ':',
  kCode = 'c',
  kUnknown = '?',
  kRef = 'r',
};

}  // namespace amphis::marshal
