// The lexer on numbers: every base, underscores, fractions, exponents, and what may follow.
#include <cstring>

#include "source/char_class.h"
#include "source/lexer.h"

namespace amphis {

// After a digit: the rest of a run of digits with single underscores between them.
bool Lexer::digits_tail(Token& out) {
  for (;;) {
    while (is_digit(*cursor_)) ++cursor_;
    if (*cursor_ != '_') return true;
    ++cursor_;
    if (!is_digit(*cursor_)) return fail(out, "invalid decimal literal"), false;
  }
}

// A number may touch a keyword that can follow it (`1if x else 2`, with a warning), but no other name.
bool Lexer::check_number_end(Token& out, const char* kind) {
  if (extra_tokens_) return true;  // two tokens side by side
  static constexpr std::string_view kFollowers[] = {"and", "else", "for", "if", "in", "is", "or", "not"};
  // Of the two-letter ones that begin with `i` only the letters count, not what follows.
  const char* p = cursor_;
  auto c = static_cast<unsigned char>(*p);
  if (!(kCharClass[c] & kIdentContinue) || c >= 128) return true;
  for (std::string_view word : kFollowers) {
    if (*p == word[0] && std::strncmp(p, word.data(), word.size()) == 0 &&
        (word[0] == 'i' || !continues_identifier(p[word.size()]))) {
      int col = static_cast<int>(p - line_start_);
      add_warning(line_, col, line_, col, std::string("invalid ") + kind + " literal");
      return true;
    }
  }
  return fail(out, "invalid %s literal", kind), false;
}

bool Lexer::radix_number(Token& out, int radix, const char* kind) {
  auto is_valid = [radix](char c) { return radix == 16 ? is_hex_digit(c) : c >= '0' && c < '0' + radix; };
  cursor_ += 2;
  for (;;) {
    if (*cursor_ == '_') ++cursor_;
    if (!is_valid(*cursor_)) {
      if (is_digit(*cursor_)) {
        ++cursor_;
        return fail(out, "invalid digit '%c' in %s literal", cursor_[-1], kind), false;
      }
      return fail(out, "invalid %s literal", kind), false;
    }
    while (is_valid(*cursor_)) ++cursor_;
    if (*cursor_ != '_') break;
  }
  if (is_digit(*cursor_)) {
    ++cursor_;
    return fail(out, "invalid digit '%c' in %s literal", cursor_[-1], kind), false;
  }
  return check_number_end(out, kind);
}

void Lexer::number(Token& out) {
  const char* start = cursor_;
  bool nonzero = false;  // a zero-led run with another digit: legal only as a float
  const char* zeros_end = nullptr;
  if (*cursor_ == '0') {
    switch (cursor_[1]) {
      case 'x':
      case 'X':
        if (radix_number(out, 16, "hexadecimal")) emit(out, Tok::Number, start, cursor_);
        return;
      case 'o':
      case 'O':
        if (radix_number(out, 8, "octal")) emit(out, Tok::Number, start, cursor_);
        return;
      case 'b':
      case 'B':
        if (radix_number(out, 2, "binary")) emit(out, Tok::Number, start, cursor_);
        return;
      default:
        break;
    }
    for (;;) {
      if (*cursor_ == '_') {
        ++cursor_;
        if (!is_digit(*cursor_)) return fail(out, "invalid decimal literal");
      }
      if (*cursor_ != '0') break;
      ++cursor_;
    }
    zeros_end = cursor_;
    if (is_digit(*cursor_)) {
      nonzero = true;
      if (!digits_tail(out)) return;
    }
  } else if (*cursor_ != '.') {
    if (!digits_tail(out)) return;
  }

  bool is_float = false;
  if (*cursor_ == '.') {
    is_float = true;
    ++cursor_;
    if (is_digit(*cursor_) && !digits_tail(out)) return;
  }
  if (*cursor_ == 'e' || *cursor_ == 'E') {
    const char* exponent = cursor_++;
    if (*cursor_ == '+' || *cursor_ == '-') {
      ++cursor_;
      if (!is_digit(*cursor_)) return fail(out, "invalid decimal literal");
    } else if (!is_digit(*cursor_)) {
      cursor_ = exponent;  // `1else`, or an error
      if (check_number_end(out, "decimal")) emit(out, Tok::Number, start, cursor_);
      return;
    }
    is_float = true;
    if (!digits_tail(out)) return;
  }
  if (*cursor_ == 'j' || *cursor_ == 'J') {
    ++cursor_;
    if (check_number_end(out, "imaginary")) emit(out, Tok::Number, start, cursor_);
    return;
  }
  if (nonzero && !is_float && !extra_tokens_) {
    return fail_range(out, static_cast<int>(start + 1 - line_start_),
                      static_cast<int>(zeros_end - line_start_) + 1,
                      "leading zeros in decimal integer literals are not permitted; "
                      "use an 0o prefix for octal integers");
  }
  if (check_number_end(out, "decimal")) emit(out, Tok::Number, start, cursor_);
}

}  // namespace amphis
