// The lexer's main loop: line starts and indentation, spaces and comments, names, operators and brackets.
// Numbers are in lexer_number.cpp, strings in lexer_string.cpp, errors in lexer_error.cpp.
#include "source/lexer.h"

#include <array>
#include <cstring>

#include "source/char_class.h"
#include "source/hooks.h"
#include "source/utf8.h"

namespace amphis {

SourceHooks source_hooks;

namespace {

// Keywords hang off their first letter, in a list that ends with an empty one.
struct Keyword {
  const char* text;
  uint8_t size;
  Tok kind;
};
constexpr Keyword kKeywordList[] = {
    {"False", 5, Tok::False},
    {"None", 4, Tok::None},
    {"True", 4, Tok::True},
    {"and", 3, Tok::And},
    {"as", 2, Tok::As},
    {"assert", 6, Tok::Assert},
    {"async", 5, Tok::Async},
    {"await", 5, Tok::Await},
    {"break", 5, Tok::Break},
    {"class", 5, Tok::Class},
    {"continue", 8, Tok::Continue},
    {"def", 3, Tok::Def},
    {"del", 3, Tok::Del},
    {"elif", 4, Tok::Elif},
    {"else", 4, Tok::Else},
    {"except", 6, Tok::Except},
    {"finally", 7, Tok::Finally},
    {"for", 3, Tok::For},
    {"from", 4, Tok::From},
    {"global", 6, Tok::Global},
    {"if", 2, Tok::If},
    {"import", 6, Tok::Import},
    {"in", 2, Tok::In},
    {"is", 2, Tok::Is},
    {"lambda", 6, Tok::Lambda},
    {"nonlocal", 8, Tok::Nonlocal},
    {"not", 3, Tok::Not},
    {"or", 2, Tok::Or},
    {"pass", 4, Tok::Pass},
    {"raise", 5, Tok::Raise},
    {"return", 6, Tok::Return},
    {"try", 3, Tok::Try},
    {"while", 5, Tok::While},
    {"with", 4, Tok::With},
    {"yield", 5, Tok::Yield},
};
constexpr int kKeywordCount = sizeof(kKeywordList) / sizeof(kKeywordList[0]);

// For each first byte the index of the first keyword with it (the list is sorted by first letter).
constexpr auto kFirstKeywordOf = [] {
  std::array<int8_t, 128> table{};
  for (auto& entry : table) entry = -1;
  for (int i = kKeywordCount - 1; i >= 0; --i)
    table[static_cast<size_t>(kKeywordList[i].text[0])] = static_cast<int8_t>(i);
  return table;
}();

Tok classify_name(const char* start, size_t size, Soft& soft) {
  soft = Soft::None;
  auto first = static_cast<unsigned char>(start[0]);
  if (first >= 128) return Tok::Name;
  switch (first) {
    case '_':
      if (size == 1) soft = Soft::Underscore;
      return Tok::Name;
    case 'm':
      if (size == 5 && std::memcmp(start, "match", 5) == 0) soft = Soft::Match;
      return Tok::Name;
    default:
      break;
  }
  if (int i = kFirstKeywordOf[first]; i >= 0 && size <= 8) {
    for (; i < kKeywordCount && kKeywordList[i].text[0] == start[0]; ++i) {
      if (kKeywordList[i].size == size && std::memcmp(kKeywordList[i].text, start, size) == 0)
        return kKeywordList[i].kind;
    }
  }
  if (size == 4) {
    if (first == 'c' && std::memcmp(start, "case", 4) == 0) soft = Soft::Case;
    if (first == 't' && std::memcmp(start, "type", 4) == 0) soft = Soft::Type;
  }
  return Tok::Name;
}

// The longest operator at `p`; its length goes to `size`. Tok::Op for a character that begins none.
Tok match_operator(const char* p, int& size) {
  char second = p[1];
  size = 1;
  auto with_equal = [&](Tok plain, Tok equal) {
    if (second == '=') {
      size = 2;
      return equal;
    }
    return plain;
  };
  auto doubled = [&](Tok plain, Tok equal, Tok twice, Tok twice_equal) {
    if (second != p[0]) return with_equal(plain, equal);
    size = 2;
    if (p[2] != '=') return twice;
    size = 3;
    return twice_equal;
  };
  switch (p[0]) {
    case '(':
      return Tok::LPar;
    case ')':
      return Tok::RPar;
    case '[':
      return Tok::LSqb;
    case ']':
      return Tok::RSqb;
    case '{':
      return Tok::LBrace;
    case '}':
      return Tok::RBrace;
    case ':':
      return with_equal(Tok::Colon, Tok::ColonEqual);
    case ',':
      return Tok::Comma;
    case ';':
      return Tok::Semi;
    case '+':
      return with_equal(Tok::Plus, Tok::PlusEqual);
    case '-':
      if (second == '>') {
        size = 2;
        return Tok::RArrow;
      }
      return with_equal(Tok::Minus, Tok::MinEqual);
    case '*':
      return doubled(Tok::Star, Tok::StarEqual, Tok::DoubleStar, Tok::DoubleStarEqual);
    case '/':
      return doubled(Tok::Slash, Tok::SlashEqual, Tok::DoubleSlash, Tok::DoubleSlashEqual);
    case '|':
      return with_equal(Tok::VBar, Tok::VBarEqual);
    case '&':
      return with_equal(Tok::Amper, Tok::AmperEqual);
    case '<':
      if (second == '>') {
        size = 2;
        return Tok::NotEqual;
      }
      return doubled(Tok::Less, Tok::LessEqual, Tok::LeftShift, Tok::LeftShiftEqual);
    case '>':
      return doubled(Tok::Greater, Tok::GreaterEqual, Tok::RightShift, Tok::RightShiftEqual);
    case '=':
      return with_equal(Tok::Equal, Tok::EqEqual);
    case '!':
      return with_equal(Tok::Exclamation, Tok::NotEqual);
    case '.':
      if (second == '.' && p[2] == '.') {
        size = 3;
        return Tok::Ellipsis;
      }
      return Tok::Dot;
    case '%':
      return with_equal(Tok::Percent, Tok::PercentEqual);
    case '~':
      return Tok::Tilde;
    case '^':
      return with_equal(Tok::Circumflex, Tok::CircumflexEqual);
    case '@':
      return with_equal(Tok::At, Tok::AtEqual);
    default:
      return Tok::Op;
  }
}

}  // namespace

Lexer::Lexer(std::string_view text, const LexerOptions& options, std::vector<SyntaxWarningInfo>* warnings)
    : begin_(text.data()),
      end_(text.data() + text.size()),
      cursor_(text.data()),
      line_start_(text.data()),
      line_(options.first_line - 1),
      first_line_(options.first_line),
      extra_tokens_(options.extra_tokens),
      last_was_newline_(true),
      warnings_(warnings) {
  indents_.push_back({0, 0});
}

void Lexer::emit(Token& out, Tok kind, const char* start, const char* end) {
  out.kind = kind;
  out.soft = Soft::None;
  out.level = static_cast<uint16_t>(brackets_.size());
  out.line = out.end_line = line_;
  out.col = static_cast<int>(start - line_start_);
  out.end_col = static_cast<int>(end - line_start_);
  out.start = static_cast<uint32_t>(start - begin_);
  out.end = static_cast<uint32_t>(end - begin_);
  if (end < end_) return;
  // Whether the token goes on was asked of the end of input, unless it could not go on.
  bool is_whole = kind == Tok::Newline || kind == Tok::Nl || kind == Tok::FStringEnd ||
                  kind == Tok::TStringEnd || (!is_keyword(kind) && kind > Tok::String && end - start == 3);
  if (!is_whole) hit_end_ = true;
}

void Lexer::emit_bare(Token& out, Tok kind) {
  out.kind = kind;
  out.soft = Soft::None;
  out.level = static_cast<uint16_t>(brackets_.size());
  out.line = out.end_line = line_;
  out.col = out.end_col = -1;
  out.start = out.end = static_cast<uint32_t>(cursor_ - begin_);
}

// Reads the indentation of a new line and queues INDENT or DEDENT. False when `out` is an error.
bool Lexer::start_line(Token& out) {
  int col = 0;
  int alt_col = 0;
  int continued_col = 0;  // the column before a backslash: indentation of the whole logical line
  for (;; ++cursor_) {
    char c = *cursor_;
    if (c == ' ') {
      ++col;
      ++alt_col;
    } else if (c == '\t') {
      col = (col / kTabSize + 1) * kTabSize;
      ++alt_col;
    } else if (c == '\f') {
      col = alt_col = 0;
    } else if (c == '\\') {
      continued_col = continued_col ? continued_col : col;
      if (!continuation(out)) return false;
      --cursor_;
    } else {
      break;
    }
  }
  char c = *cursor_;
  if (c == '#' || c == '\n') return true;  // blank: indentation means nothing
  at_line_start_ = false;
  if (continued_col) col = alt_col = continued_col;
  if (!brackets_.empty()) return true;
  if (cursor_ == end_) {
    hit_end_ = true;
    if (extra_tokens_) col = alt_col = 0;
  }
  Indent top = indents_.back();
  if (col == top.col) {
    if (alt_col != top.alt_col) return fail_indentation(out, SyntaxErrorKind::TabError, nullptr), false;
  } else if (col > top.col) {
    if (static_cast<int>(indents_.size()) >= kMaxIndent) {
      fail_indentation(out, SyntaxErrorKind::IndentationError, "too many levels of indentation");
      return false;
    }
    if (alt_col <= top.alt_col) return fail_indentation(out, SyntaxErrorKind::TabError, nullptr), false;
    indents_.push_back({col, alt_col});
    pending_dedents_ = -1;
  } else {
    while (indents_.size() > 1 && col < indents_.back().col) {
      indents_.pop_back();
      ++pending_dedents_;
    }
    if (col != indents_.back().col) {
      const char* eol =
          static_cast<const char*>(std::memchr(cursor_, '\n', static_cast<size_t>(end_ - cursor_)));
      cursor_ = eol ? eol + 1 : end_;
      fail_at_cursor(out, SyntaxErrorKind::IndentationError,
                     "unindent does not match any outer indentation level");
      return false;
    }
    if (alt_col != indents_.back().alt_col)
      return fail_indentation(out, SyntaxErrorKind::TabError, nullptr), false;
  }
  return true;
}

void Lexer::close_all_indents() {
  pending_dedents_ = static_cast<int>(indents_.size()) - 1;
  indents_.resize(1);
}

// At a backslash: steps over it and the line end after it. False when `out` is an error.
bool Lexer::continuation(Token& out) {
  ++cursor_;
  if (*cursor_ != '\n' || cursor_ == end_) {
    if (cursor_ < end_) cursor_ += 1;
    int col = static_cast<int>(cursor_ - line_start_) - 1;
    if (cursor_ == end_ && cursor_[-1] == '\\') col = static_cast<int>(cursor_ - line_start_) - 1;
    out.kind = Tok::Error;
    emit_bare(out, Tok::Error);
    error_.kind = SyntaxErrorKind::SyntaxError;
    error_.message = "unexpected character after line continuation character";
    error_.lineno = error_.end_lineno = line_;
    error_.text = error_line(line_);
    error_.has_text = true;
    error_.offset = utf8::count({line_start_, static_cast<size_t>(col < 0 ? 0 : col)}) + 1;
    error_.end_offset = 0;
    hit_end_ = false;
    return false;
  }
  ++cursor_;
  if (cursor_ == end_) {
    fail_end_of_input(out);
    return false;
  }
  begin_line(cursor_);
  return true;
}

void Lexer::next(Token& out) {
  if (error_) return emit_bare(out, Tok::Error);
  if (!fstrings_.empty()) {
    const FString& f = fstrings_.back();
    bool in_text =
        brackets_.size() == f.bracket_base || (brackets_.back().is_field && brackets_.back().in_format_spec);
    if (in_text && fstring_middle(out)) return;
  }
  const char* comment = nullptr;
  for (;;) {
    if (last_was_newline_) {
      last_was_newline_ = false;
      comment = nullptr;
      if (cursor_ < end_) begin_line(cursor_);
    }
    if (at_line_start_) {
      if (!start_line(out)) return;
    }
    if (pending_dedents_ != 0) {
      if (pending_dedents_ < 0) {
        ++pending_dedents_;
        if (extra_tokens_) return emit(out, Tok::Indent, line_start_, cursor_);
        return emit_bare(out, Tok::Indent);
      }
      --pending_dedents_;
      if (extra_tokens_) return emit(out, Tok::Dedent, cursor_, cursor_);
      return emit_bare(out, Tok::Dedent);
    }
    while (*cursor_ == ' ' || *cursor_ == '\t' || *cursor_ == '\f') ++cursor_;
    const char* start = cursor_;
    auto c = static_cast<unsigned char>(*cursor_);
    uint8_t cls = kCharClass[c];
    if (cls & kIdentStart) return name_or_string(out);
    if (cls & kDigit) return number(out);
    switch (c) {
      case '#': {
        const void* eol = std::memchr(cursor_, '\n', static_cast<size_t>(end_ - cursor_));
        cursor_ = eol ? static_cast<const char*>(eol) : end_;
        if (extra_tokens_) return emit(out, Tok::Comment, start, cursor_);
        comment = start;
        continue;
      }
      case '\n': {
        ++cursor_;
        bool is_blank = at_line_start_ || !brackets_.empty();
        at_line_start_ = true;
        last_was_newline_ = true;
        // A comment counts as part of the line end, for errors that point there.
        if (!is_blank) return emit(out, Tok::Newline, comment ? comment : start, start + 1);
        if (extra_tokens_) return emit(out, Tok::Nl, start, start + 1);
        continue;
      }
      case '\0':
        if (cursor_ == end_) {
          if (!brackets_.empty() && !extra_tokens_) return fail_end_of_input(out);
          hit_end_ = true;
          return emit_bare(out, Tok::EndMarker);
        }
        return fail_bad_character(out, cursor_);
      case '.':
        if (kCharClass[static_cast<unsigned char>(cursor_[1])] & kDigit) return number(out);
        return operator_token(out);
      case '"':
      case '\'':
        return string(out, start);
      case '\\':
        if (!continuation(out)) return;
        continue;
      default:
        return operator_token(out);
    }
  }
}

void Lexer::name_or_string(Token& out) {
  const char* start = cursor_;
  const char* p = start;
  // String prefixes: any mix of distinct letters of b, u, r, f, t directly before a quote.
  if (kCharClass[static_cast<unsigned char>(*p)] & kStringPrefix) {
    unsigned seen = 0;
    for (;; ++p) {
      unsigned bit = prefix_bit(*p);
      if (bit == 0 || (seen & bit)) break;
      seen |= bit;
      if (p[1] != '"' && p[1] != '\'') continue;
      ++p;
      static constexpr struct {
        unsigned first, second;
        char a, b;
      } kIncompatible[] = {{kPrefixU, kPrefixB, 'u', 'b'}, {kPrefixU, kPrefixR, 'u', 'r'},
                           {kPrefixU, kPrefixF, 'u', 'f'}, {kPrefixU, kPrefixT, 'u', 't'},
                           {kPrefixB, kPrefixF, 'b', 'f'}, {kPrefixB, kPrefixT, 'b', 't'},
                           {kPrefixF, kPrefixT, 'f', 't'}};
      for (const auto& pair : kIncompatible) {
        if ((seen & pair.first) && (seen & pair.second)) {
          cursor_ = p;
          int col = static_cast<int>(start - line_start_);
          return fail_range(out, col + 1, static_cast<int>(p - line_start_) + 1,
                            "'%c' and '%c' prefixes are incompatible", pair.a, pair.b);
        }
      }
      cursor_ = p;
      if (seen & (kPrefixF | kPrefixT)) return fstring_start(out, start, seen & kPrefixR, seen & kPrefixT);
      return string(out, start);
    }
  }
  bool is_ascii = true;
  for (;; ++p) {
    uint8_t cls = kCharClass[static_cast<unsigned char>(*p)];
    if (!(cls & kIdentContinue)) break;
    if (cls & kNonAscii) is_ascii = false;
  }
  cursor_ = p;
  if (!is_ascii && !check_identifier(out, start, p)) return;
  Soft soft;
  Tok kind = classify_name(start, static_cast<size_t>(p - start), soft);
  emit(out, kind, start, p);
  out.soft = soft;
}

// Whether the characters of [start, end) may form an identifier. False when `out` is an error.
bool Lexer::check_identifier(Token& out, const char* start, const char* end) {
  if (extra_tokens_) return true;  // the module tokenize shows what is there
  for (const char* p = start; p < end; p += utf8::sequence_length(static_cast<unsigned char>(*p))) {
    uint32_t c = utf8::decode(p);
    if (c < 128) continue;
    auto allowed = p == start ? source_hooks.is_identifier_start : source_hooks.is_identifier_continue;
    if (!allowed || allowed(c)) continue;
    fail_bad_character(out, p);
    return false;
  }
  return true;
}

void Lexer::operator_token(Token& out) {
  const char* start = cursor_;
  char c = *start;
  auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7F) return fail_bad_character(out, start);
  // Directly inside a replacement field (one whose f-string was not cut short).
  bool in_field = !fstrings_.empty() && !brackets_.empty() && brackets_.back().is_field;
  if (c == ':' && in_field) {
    brackets_.back().in_format_spec = true;
    ++cursor_;
    return emit(out, Tok::Colon, start, cursor_);
  }
  int size;
  Tok kind = match_operator(start, size);
  switch (kind) {
    case Tok::LPar:
    case Tok::LSqb:
    case Tok::LBrace:
      ++cursor_;
      if (brackets_.size() >= static_cast<size_t>(kMaxNesting))
        return fail(out, "too many nested parentheses");
      brackets_.push_back({c, false, false, false, line_, static_cast<int>(start - line_start_)});
      return emit(out, kind, start, cursor_);
    case Tok::RPar:
    case Tok::RSqb:
    case Tok::RBrace: {
      ++cursor_;
      char letter = !fstrings_.empty() && fstrings_.back().is_template ? 't' : 'f';
      bool in_fstring_text = !fstrings_.empty() && brackets_.size() == fstrings_.back().bracket_base;
      if (in_fstring_text && c == '}') return fail(out, "%c-string: single '}' is not allowed", letter);
      if (brackets_.empty()) {
        if (extra_tokens_) return emit(out, kind, start, cursor_);
        return fail(out, "unmatched '%c'", c);
      }
      Bracket opener = brackets_.back();
      char expected = opener.opener == '(' ? ')' : opener.opener == '[' ? ']' : '}';
      if (c != expected && !extra_tokens_) {
        if (in_field) return fail(out, "%c-string: unmatched '%c'", letter, c);
        if (opener.line != line_) {
          return fail(out, "closing parenthesis '%c' does not match opening parenthesis '%c' on line %d", c,
                      opener.opener, opener.line);
        }
        return fail(out, "closing parenthesis '%c' does not match opening parenthesis '%c'", c,
                    opener.opener);
      }
      brackets_.pop_back();
      if (opener.is_field && !fstrings_.empty()) {
        --fstrings_.back().field_depth;
        if (!brackets_.empty() && brackets_.back().is_field) brackets_.back().spec_had_field = true;
      }
      return emit(out, kind, start, cursor_);
    }
    case Tok::Op:
      if (byte >= 0x80) return fail_bad_character(out, start);
      ++cursor_;
      return emit(out, kind, start, cursor_);
    default:
      cursor_ += size;
      return emit(out, kind, start, cursor_);
  }
}

}  // namespace amphis
