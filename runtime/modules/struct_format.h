// Compiled formats of the module `_struct`: what to read or write where.
#pragma once

#include "Python.h"

namespace amphis::structs {

enum class Kind : unsigned char { kPad, kChar, kSigned, kUnsigned, kBool, kHalf, kFloat, kDouble, kComplexFloat, kComplexDouble, kBytes, kPascal, kPointer };

struct Code {
  Kind kind;
  char letter;
  bool little_endian;
  Py_ssize_t offset;
  Py_ssize_t size;    // of one item
  Py_ssize_t repeat;  // items of that size, one after the other
};

// An array of codes. `next` chains formats that an object had before: readers may still be in them.
struct Format {
  Format* next;
  Py_ssize_t size;    // bytes
  Py_ssize_t values;  // Python values
  Py_ssize_t count;   // codes
  Code codes[1];
};

// Null with an exception; `error` is struct.error.
Format* compile(const char* text, PyObject* error);

// Writes all values to `out`, of format->size bytes; false with an exception.
bool pack(const Format* format, PyObject* const* values, char* out, PyObject* error);

// A tuple of the values at `in`.
PyObject* unpack(const Format* format, const char* in);

}  // namespace amphis::structs
