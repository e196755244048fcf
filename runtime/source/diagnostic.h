// What the front end says about source text that is not Python: one error, any number of warnings.
//
// Plain data: whoever called the parser turns it into an exception or a warning.
#pragma once

#include <string>
#include <vector>

namespace amphis {

enum class SyntaxErrorKind : unsigned char {
  None,
  SyntaxError,
  IndentationError,
  TabError,
  IncompleteInputError,  // `_IncompleteInputError`, with ParseOptions::allow_incomplete
  MemoryError,           // nested too deeply for the parser's stack; the message says so
};

// Lines and offsets count from 1, offsets in characters, as in the attributes of SyntaxError. An end of 0 is
// CPython's "no end known", and so is an end offset of -1 (they differ to who reads the attribute).
struct SyntaxErrorInfo {
  SyntaxErrorKind kind = SyntaxErrorKind::None;
  std::string message;
  int lineno = 0;
  int offset = 0;
  int end_lineno = 0;
  int end_offset = 0;
  std::string text;          // the source line, UTF-8, with its newline when it has one
  bool has_text = false;     // no text: the attribute is None (unless the caller can read the file)
  bool has_location = true;  // without one the exception has a message only

  explicit operator bool() const { return kind != SyntaxErrorKind::None; }
};

// A SyntaxWarning (or, for the few that CPython files there, a DeprecationWarning).
struct SyntaxWarningInfo {
  bool is_deprecation = false;
  std::string message;
  int lineno = 0;
  // For when the warning becomes an error: its place as in SyntaxErrorInfo, and the line's text.
  int error_lineno = 0;
  int offset = 0;
  int end_lineno = 0;
  int end_offset = 0;
  std::string text;
};

}  // namespace amphis
