// What the methods of bytes and bytearray do, on plain spans. Nothing here makes Python objects of its own kind: the
// templates of bytes_methods.h wrap it for both types.
#pragma once

#include "objects/bytes_span.h"

namespace amphis {

// start and end of a slice argument, made to lie within the size.
void clip_slice(Py_ssize_t size, Py_ssize_t* start, Py_ssize_t* end);

Py_ssize_t find_bytes(ByteSpan text, ByteSpan part);
Py_ssize_t rfind_bytes(ByteSpan text, ByteSpan part);
Py_ssize_t count_bytes(ByteSpan text, ByteSpan part, Py_ssize_t limit);

inline bool is_space(uint8_t c) { return Py_ISSPACE(c); }

enum class Side { kLeft = 1, kRight = 2, kBoth = 3 };
// `set` null data: white space.
ByteSpan strip_bytes(ByteSpan text, const ByteSpan* set, Side side);

bool replace_bytes(ByteSpan text, ByteSpan from, ByteSpan to, Py_ssize_t limit, ByteBuilder* out, bool* changed);
bool expand_tabs(ByteSpan text, int tab_size, ByteBuilder* out);

// Case mappings write text.size bytes.
void to_lower(ByteSpan text, uint8_t* out);
void to_upper(ByteSpan text, uint8_t* out);
void to_title(ByteSpan text, uint8_t* out);
void to_capitalized(ByteSpan text, uint8_t* out);
void swap_case(ByteSpan text, uint8_t* out);

bool all_alpha(ByteSpan text);
bool all_alnum(ByteSpan text);
bool all_digit(ByteSpan text);
bool all_space(ByteSpan text);
bool all_ascii(ByteSpan text);
bool is_lower(ByteSpan text);
bool is_upper(ByteSpan text);
bool is_title(ByteSpan text);

// Arguments that several methods share. False with an exception.
struct FindArguments {
  ByteArgument held;
  uint8_t byte;
  ByteSpan part;
  Py_ssize_t start = 0, end = PY_SSIZE_T_MAX;
};
bool read_find_arguments(const char* name, PyObject* const* args, Py_ssize_t nargs, FindArguments* out);
bool read_slice_arguments(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* start, Py_ssize_t* end);
// An int as one byte: "byte must be in range(0, 256)".
bool read_byte(PyObject* value, uint8_t* out);
bool read_size(PyObject* value, Py_ssize_t* out);

// startswith / endswith of one text: 1, 0.
int tail_match(ByteSpan text, ByteSpan part, Py_ssize_t start, Py_ssize_t end, bool at_end);

PyObject* make_translation(PyObject* const* args, Py_ssize_t nargs);

}  // namespace amphis
