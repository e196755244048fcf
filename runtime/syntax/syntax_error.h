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
  UnicodeDecodeError,    // a `str` is never at fault; only bytes whose codec refuses them without a place
};

// Lines and offsets count from 1, offsets in characters, as in the attributes of SyntaxError. An end of 0 is
// CPython's "no end known"; -1 in `end_lineno`/`end_offset` never occurs.
struct SyntaxErrorInfo {
  SyntaxErrorKind kind = SyntaxErrorKind::None;
  std::string message;
  int lineno = 0;
  int offset = 0;
  int end_lineno = 0;
  int end_offset = 0;
  std::string text;       // the source line, UTF-8, with its newline when it has one
  bool has_text = false;  // no text: the attribute is None (unless the caller can read the file)

  explicit operator bool() const { return kind != SyntaxErrorKind::None; }
};

// A SyntaxWarning (or, for the few that CPython files there, a DeprecationWarning).
struct SyntaxWarningInfo {
  bool is_deprecation = false;
  std::string message;
  int lineno = 0;
  int offset = 0;       // where it stands, from 1, in characters, for when the warning becomes an error
  int end_lineno = 0;
  int end_offset = 0;
  std::string text;     // the source line, for the same purpose
};

}  // namespace amphis
