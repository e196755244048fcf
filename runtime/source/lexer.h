// The lexer: text to tokens, one at a time, with Python's indentation, brackets and nested f-strings.
//
// The text is UTF-8 with "\n" as its only line end, and `text.data()[text.size()]` is a null character;
// decode.h makes such text. Invariant: between calls `cursor_` stands after the last token returned; after an
// error the lexer returns Tok::Error for ever. It knows no grammar: the parser and the `_tokenize` module
// share it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/diagnostic.h"
#include "source/token.h"

namespace amphis {

struct LexerOptions {
  bool extra_tokens = false;  // COMMENT and NL tokens, as the `tokenize` module wants them
  int first_line = 1;
};

class Lexer {
 public:
  static constexpr int kMaxIndent = 100;
  static constexpr int kMaxNesting = 200;
  static constexpr int kMaxFStringNesting = 150;
  static constexpr int kMaxFieldNesting = 3;
  static constexpr int kTabSize = 8;

  Lexer(std::string_view text, const LexerOptions& options, std::vector<SyntaxWarningInfo>* warnings);

  // Reads the next token; `out.kind` is Tok::Error when there is an error (see `error()`).
  void next(Token& out);

  std::string_view text() const { return {begin_, static_cast<size_t>(end_ - begin_)}; }
  const SyntaxErrorInfo& error() const { return error_; }
  // How the input ended, as far as it was read.
  bool at_end_of_input() const { return hit_end_; }
  // The line being read, and how far into it (in bytes).
  int current_line() const { return line_; }
  int current_column() const { return static_cast<int>(cursor_ - line_start_); }
  bool inside_fstring() const { return !fstrings_.empty(); }
  int nesting() const { return static_cast<int>(brackets_.size()); }
  int indentation() const { return static_cast<int>(indents_.size()) - 1; }
  const char* line_begin(int line) const;
  // The text of a line for an error message: with its newline only when no later line has been read.
  std::string error_line(int line) const;

  struct Bracket {
    char opener;
    bool is_field;        // the `{` of a replacement field of the innermost f-string
    bool in_format_spec;  // past the `:` of that field
    bool spec_had_field;  // and past a field nested in its specification
    int line;
    int col;
  };
  const Bracket& innermost_bracket() const { return brackets_.back(); }

  // At the end of "single" input the parser closes all blocks: DEDENTs follow, as if a line at column 0 came.
  void close_all_indents();

  void add_warning(int line, int col, int end_line, int end_col, std::string message);

 private:
  struct Indent {
    int col;      // with tabs to multiples of eight
    int alt_col;  // with tabs one wide: both must order lines alike
  };
  struct FString {
    char quote;
    unsigned char quote_size;
    bool is_raw;
    bool is_template;
    unsigned bracket_base;  // brackets open where it starts
    int line;
    int col;
    const char* start;
    const char* line_start;
    int field_depth;
  };

  void emit(Token& out, Tok kind, const char* start, const char* end);
  void emit_bare(Token& out, Tok kind);
  bool start_line(Token& out);
  void name_or_string(Token& out);
  bool check_identifier(Token& out, const char* start, const char* end);
  void number(Token& out);
  bool digits_tail(Token& out);
  bool check_number_end(Token& out, const char* kind);
  bool radix_number(Token& out, int radix, const char* kind);
  void string(Token& out, const char* start);
  void fstring_start(Token& out, const char* start, bool raw, bool is_template);
  bool fstring_middle(Token& out);
  void operator_token(Token& out);
  bool continuation(Token& out);
  void begin_line(const char* start) {
    line_start_ = start;
    ++line_;
  }

  void fail(Token& out, const char* format, ...) __attribute__((format(printf, 3, 4)));
  void fail_range(Token& out, int col, int end_col, const char* format, ...)
      __attribute__((format(printf, 5, 6)));
  void fail_at_cursor(Token& out, SyntaxErrorKind kind, const char* message);
  void fail_indentation(Token& out, SyntaxErrorKind kind, const char* message);
  void fail_end_of_input(Token& out);
  void fail_bad_character(Token& out, const char* at);
  void warn_escape_before_brace(char c);

  const char* begin_;
  const char* end_;
  const char* cursor_;
  const char* line_start_;
  int line_;
  int first_line_;
  bool at_line_start_ = true;
  bool extra_tokens_;
  bool hit_end_ = false;
  bool after_newline_at_end_ = false;
  int pending_dedents_ = 0;  // negative: an indent is pending
  std::vector<Indent> indents_;
  std::vector<Bracket> brackets_;
  std::vector<FString> fstrings_;
  bool last_was_newline_ = false;
  std::vector<SyntaxWarningInfo>* warnings_;
  SyntaxErrorInfo error_;
};

}  // namespace amphis
