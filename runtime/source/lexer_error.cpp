// How the lexer words its errors and where it says they are.
//
// Invariant: an error's text is the physical line, its offset counts characters from 1.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "source/hooks.h"
#include "source/lexer.h"
#include "source/utf8.h"

namespace amphis {

namespace {
std::string format_message(const char* format, va_list args) {
  char buffer[256];
  int n = std::vsnprintf(buffer, sizeof(buffer), format, args);
  return std::string(buffer, static_cast<size_t>(n < 0 ? 0 : n < 255 ? n : 255));
}

std::string_view line_text(const char* start, const char* end) {
  const void* eol = std::memchr(start, '\n', static_cast<size_t>(end - start));
  return {start, static_cast<size_t>((eol ? static_cast<const char*>(eol) : end) - start)};
}
}  // namespace

void Lexer::fail(Token& out, const char* format, ...) {
  va_list args;
  va_start(args, format);
  error_.message = format_message(format, args);
  va_end(args);
  emit_bare(out, Tok::Error);
  error_.kind = SyntaxErrorKind::SyntaxError;
  error_.lineno = error_.end_lineno = line_;
  error_.offset = error_.end_offset = utf8::count({line_start_, static_cast<size_t>(cursor_ - line_start_)});
  error_.text = line_text(line_start_, end_);
  error_.has_text = true;
  hit_end_ = false;
}

// `col` and `end_col` count bytes from 1.
void Lexer::fail_range(Token& out, int col, int end_col, const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string message = format_message(format, args);
  va_end(args);
  fail(out, "%s", message.c_str());
  error_.offset = utf8::count({line_start_, static_cast<size_t>(col - 1)}) + 1;
  error_.end_offset = utf8::count({line_start_, static_cast<size_t>(end_col - 1)}) + 1;
}

// An error of no width where reading stopped.
void Lexer::fail_at_cursor(Token& out, SyntaxErrorKind kind, const char* message) {
  emit_bare(out, Tok::Error);
  error_.kind = kind;
  error_.message = message;
  error_.lineno = error_.end_lineno = line_;
  error_.offset = utf8::count({line_start_, static_cast<size_t>(cursor_ - line_start_)});
  error_.end_offset = -1;
  error_.text = error_line(line_);
  error_.has_text = true;
}

void Lexer::fail_indentation(Token& out, SyntaxErrorKind kind, const char* message) {
  emit_bare(out, Tok::Error);
  error_.kind = kind;
  error_.message = message ? message : "inconsistent use of tabs and spaces in indentation";
  error_.lineno = error_.end_lineno = line_;
  error_.offset = 1;
  error_.end_offset = 0;
  error_.text = error_line(line_);
  error_.has_text = true;
}

void Lexer::fail_end_of_input(Token& out) {
  hit_end_ = true;
  if (brackets_.empty())
    return fail_at_cursor(out, SyntaxErrorKind::SyntaxError, "unexpected EOF while parsing");
  const Bracket& open = brackets_.back();
  emit_bare(out, Tok::Error);
  error_.kind = SyntaxErrorKind::SyntaxError;
  error_.message = std::string("'") + open.opener + "' was never closed";
  error_.lineno = error_.end_lineno = open.line;
  error_.text = error_line(open.line);
  error_.has_text = true;
  error_.offset = utf8::count({line_begin(open.line), static_cast<size_t>(open.col)}) + 1;
  error_.end_offset = 0;
}

void Lexer::fail_bad_character(Token& out, const char* at) {
  uint32_t c = utf8::decode(at);
  cursor_ = at + utf8::sequence_length(static_cast<unsigned char>(*at));
  bool printable = c >= 0x20 && c != 0x7F;
  if (c >= 0x80 && source_hooks.is_printable) printable = source_hooks.is_printable(c);
  if (printable) {
    std::string spelled(at, cursor_);
    fail(out, "invalid character '%s' (U+%04X)", spelled.c_str(), static_cast<unsigned>(c));
  } else {
    fail(out, "invalid non-printable character U+%04X", static_cast<unsigned>(c));
  }
}

const char* Lexer::line_begin(int line) const {
  if (line >= line_) return line_start_;
  // Errors are rare and point near the line being read: walk back from it.
  const char* p = line_start_;
  for (int at = line_; at > line && p > begin_; --at) {
    --p;
    while (p > begin_ && p[-1] != '\n') --p;
  }
  return p;
}

std::string Lexer::error_line(int line) const {
  const char* start = line_begin(line);
  std::string_view text = line_text(start, end_);
  bool with_newline = line >= line_ && start + text.size() < end_;
  return std::string(start, text.size() + (with_newline ? 1 : 0));
}

void Lexer::add_warning(int line, int col, int end_line, int end_col, std::string message) {
  if (!warnings_) return;
  SyntaxWarningInfo warning;
  warning.message = std::move(message);
  warning.lineno = line;
  warning.error_lineno = line;
  warning.end_lineno = end_line;
  const char* start = line_begin(line);
  warning.text = error_line(line);
  auto to_offset = [&](int bytes) {
    size_t size = static_cast<size_t>(bytes);
    return utf8::count(std::string_view(start, static_cast<size_t>(end_ - start)).substr(0, size)) + 1;
  };
  warning.offset = to_offset(col);
  warning.end_offset = to_offset(end_col);
  warnings_->push_back(std::move(warning));
}

void Lexer::warn_escape_before_brace(char c) {
  std::string escape = std::string("\\") + c;
  int col = static_cast<int>(cursor_ - line_start_);
  add_warning(line_, col, line_, col,
              "\"" + escape +
                  "\" is an invalid escape sequence. Such sequences will not work in the future. "
                  "Did you mean \"\\" +
                  escape + "\"? A raw string is also an option.");
}

}  // namespace amphis
