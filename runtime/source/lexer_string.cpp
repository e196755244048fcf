// The lexer on strings: plain ones whole, f-strings and t-strings (PEP 701) in pieces.
//
// Inside an f-string the lexer is in text mode while no bracket is open since the f-string began, or while
// the innermost bracket is a replacement field past its colon; else it reads ordinary tokens. The bracket
// stack alone says which, so nesting needs no other state.
#include <cstring>

#include "source/lexer.h"

namespace amphis {

namespace {
bool is_triple(const char* p, char quote) {
  return p[0] == quote && p[1] == quote && p[2] == quote;
}
}  // namespace

// At the opening quote; `start` is where the prefix begins.
void Lexer::string(Token& out, const char* start) {
  int line = line_;
  const char* line_start = line_start_;
  char quote = *cursor_;
  bool triple = is_triple(cursor_, quote);
  bool has_escaped_quote = false;
  const char* p = cursor_ + (triple ? 3 : 1);
  bool closed = false;
  bool at_newline = false;
  for (;;) {
    char c = *p;
    if (c == quote) {
      if (!triple) {
        ++p;
        closed = true;
        break;
      }
      if (is_triple(p, quote)) {
        p += 3;
        closed = true;
        break;
      }
      ++p;
    } else if (c == '\\') {
      ++p;
      if (p == end_) break;
      if (*p == quote) has_escaped_quote = true;
      if (*p == '\n' && p + 1 < end_) begin_line(p + 1);
      ++p;
    } else if (c == '\n') {
      if (!triple) {
        at_newline = true;
        break;
      }
      if (p + 1 < end_) begin_line(p + 1);
      ++p;
    } else if (c == '\0' && p == end_) {
      break;
    } else {
      ++p;
    }
  }
  if (closed) {
    cursor_ = p;
    out.kind = Tok::String;
    out.soft = Soft::None;
    out.level = static_cast<uint16_t>(brackets_.size());
    out.line = line;
    out.col = static_cast<int>(start - line_start);
    out.end_line = line_;
    out.end_col = static_cast<int>(p - line_start_);
    out.start = static_cast<uint32_t>(start - begin_);
    out.end = static_cast<uint32_t>(p - begin_);
    return;
  }
  // Report from the opening quote.
  int detected = line_;
  cursor_ = start + 1;
  line_start_ = line_start;
  line_ = line;
  if (!fstrings_.empty()) {
    const FString& f = fstrings_.back();
    if (f.quote == quote && f.quote_size == (triple ? 3 : 1)) {
      return fail(out, "%c-string: expecting '}'", f.is_template ? 't' : 'f');
    }
  }
  if (triple) {
    fail(out, "unterminated triple-quoted string literal (detected at line %d)", detected);
  } else if (has_escaped_quote) {
    fail(out, "unterminated string literal (detected at line %d); perhaps you escaped the end quote?",
         detected);
  } else {
    fail(out, "unterminated string literal (detected at line %d)", detected);
  }
  hit_end_ = !at_newline;
}

// At the opening quote of an f-string or t-string.
void Lexer::fstring_start(Token& out, const char* start, bool raw, bool is_template) {
  char quote = *cursor_;
  unsigned char size = is_triple(cursor_, quote) ? 3 : 1;
  cursor_ += size;
  if (fstrings_.size() + 1 >= static_cast<size_t>(kMaxFStringNesting)) {
    return fail(out, "too many nested f-strings or t-strings");
  }
  fstrings_.push_back({quote, size, raw, is_template, static_cast<unsigned>(brackets_.size()), line_,
                       static_cast<int>(start - line_start_), start, line_start_, 0});
  emit(out, is_template ? Tok::TStringStart : Tok::FStringStart, start, cursor_);
}

// In text mode: a run of text, the end of the f-string, or false when an ordinary token comes next.
bool Lexer::fstring_middle(Token& out) {
  FString& f = fstrings_.back();
  bool in_field = brackets_.size() > f.bracket_base;
  // After a nested field the rest of a specification is read as plain text again: `{{` is one brace there.
  bool in_spec = in_field && !brackets_.back().spec_had_field;
  const char letter = f.is_template ? 't' : 'f';
  if (last_was_newline_) {
    last_was_newline_ = false;
    if (cursor_ < end_) begin_line(cursor_);
  }
  at_line_start_ = false;

  auto open_field = [&]() -> bool {
    if (++f.field_depth > kMaxFieldNesting) {
      fail(out, "%c-string: expressions nested too deeply", letter);
      return false;
    }
    if (brackets_.size() >= static_cast<size_t>(kMaxNesting)) {
      ++cursor_;
      fail(out, "too many nested parentheses");
      return false;
    }
    const char* start = cursor_++;
    brackets_.push_back({'{', true, false, false, line_, static_cast<int>(start - line_start_)});
    emit(out, Tok::LBrace, start, cursor_);
    return true;
  };

  if (*cursor_ == '{' && (cursor_[1] != '{' || in_spec)) {
    open_field();
    return true;
  }
  auto at_closing_quote = [&](const char* p) {
    return *p == f.quote && (f.quote_size == 1 || is_triple(p, f.quote));
  };
  if (at_closing_quote(cursor_)) {
    const char* start = cursor_;
    cursor_ += f.quote_size;
    Tok kind = f.is_template ? Tok::TStringEnd : Tok::FStringEnd;
    // A field left open, as in `f"{a:x"`, stays open; the parser complains.
    fstrings_.pop_back();
    emit(out, kind, start, cursor_);
    return true;
  }

  const char* start = cursor_;
  const char* text_end = nullptr;
  int line = line_;
  const char* line_start = line_start_;
  bool in_unicode_name = false;
  const char* p = cursor_;
  for (;;) {
    char c = *p;
    if ((c == '\0' && p == end_) || (c == '\n' && f.quote_size == 1)) {
      if (in_spec && c == '\n') {
        cursor_ = p + 1;
        fail(out, "%c-string: newlines are not allowed in format specifiers for single quoted %c-strings",
             letter, letter);
        return true;
      }
      int detected = line_;
      line_ = f.line;
      line_start_ = f.line_start;
      cursor_ = f.start + 1;
      fail(out, "unterminated %s%c-string literal (detected at line %d)",
           f.quote_size == 3 ? "triple-quoted " : "", letter, detected);
      hit_end_ = f.quote_size == 3;
      return true;
    }
    if (at_closing_quote(p)) break;
    if (c == '{') {
      if (p[1] == '{' && !in_spec) {
        text_end = p + 1;  // the text has one brace of the two
        p += 2;
      }
      break;
    }
    if (c == '}') {
      if (in_unicode_name) {
        ++p;
        break;
      }
      if (p[1] == '}' && !in_field) {
        text_end = p + 1;
        p += 2;
      }
      break;
    }
    if (c == '\n') {
      if (p + 1 < end_) begin_line(p + 1);
    } else if (c == '\\' && p + 1 < end_) {
      char escaped = p[1];
      if (escaped == '{' || escaped == '}') {
        if (!f.is_raw) {
          cursor_ = p + 2;
          warn_escape_before_brace(escaped);
        }
        ++p;
        continue;
      }
      if (escaped == 'N' && !f.is_raw && p[2] == '{') {
        in_unicode_name = true;
        p += 3;
        continue;
      }
      ++p;
      if (escaped == '\n' && p + 1 < end_) begin_line(p + 1);
    }
    ++p;
  }
  if (p == start && !in_field) return false;                                        // a lone `}`
  if (in_field && *p == '}' && !text_end) brackets_.back().in_format_spec = false;  // the field ends here
  cursor_ = p;
  if (!text_end) text_end = p;
  out.kind = f.is_template ? Tok::TStringMiddle : Tok::FStringMiddle;
  out.soft = Soft::None;
  out.level = static_cast<uint16_t>(brackets_.size());
  out.line = line;
  out.col = static_cast<int>(start - line_start);
  out.end_line = line_;
  out.end_col = static_cast<int>(p - line_start_);  // past both braces of a doubled one
  out.start = static_cast<uint32_t>(start - begin_);
  out.end = static_cast<uint32_t>(text_end - begin_);
  return true;
}

}  // namespace amphis
