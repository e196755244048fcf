// The parser: recursive descent over a growing array of tokens, in two passes.
//
// The first pass accepts valid source and says nothing about invalid source but that it failed. Only then
// comes the second, the diagnosing pass (`diagnosing_`), over the statement that failed: the same functions,
// which now also try, where CPython's grammar does, the shapes of common mistakes (diagnose_*.cpp). A mistake
// found raises the error
// (`raised_`), and everything unwinds. When none is found the error is "invalid syntax" at the furthest token
// that the first pass looked at.
//
// A parsing function returns null for "no match" and for "raised"; on "no match" an alternative may be tried
// from an earlier `pos_`. Invariant: a function that matches leaves `pos_` after what it matched; one that
// does not may leave it anywhere, so the caller restores it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "source/arena.h"
#include "source/lexer.h"
#include "syntax/ast.h"
#include "syntax/parser.h"

namespace amphis {

// A list that grows in the arena and starts in place.
template <class T>
class ListBuilder {
 public:
  explicit ListBuilder(Arena& arena) : arena_(arena) {}
  ListBuilder(const ListBuilder&) = delete;
  ListBuilder& operator=(const ListBuilder&) = delete;
  void push(T item) {
    if (size_ == capacity_) {
      T* bigger = static_cast<T*>(arena_.allocate(sizeof(T) * capacity_ * 2));
      for (size_t i = 0; i < size_; ++i) bigger[i] = data_[i];
      data_ = bigger;
      capacity_ *= 2;
    }
    data_[size_++] = item;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  void clear() {
    data_ = inline_;  // an outgrown array may already be a Seq
    size_ = 0;
    capacity_ = kInline;
  }
  void truncate(size_t size) { size_ = size; }
  ast::Seq<T> finish() {
    if (size_ == 0) return {};
    if (data_ != inline_) return {data_, size_};
    T* items = static_cast<T*>(arena_.allocate(sizeof(T) * size_));
    for (size_t i = 0; i < size_; ++i) items[i] = data_[i];
    return {items, size_};
  }

 private:
  static constexpr size_t kInline = 8;
  Arena& arena_;
  T inline_[kInline];
  T* data_ = inline_;
  size_t size_ = 0;
  size_t capacity_ = kInline;
};

class Parser {
 public:
  Parser(std::string_view text, const ParseOptions& options, Arena& arena,
         std::vector<SyntaxWarningInfo>* warnings);

  ast::mod* run();
  const SyntaxErrorInfo& error() const { return error_; }
  // Where the last block statement that could be read begins (line 0: there was none).
  int last_block_line() const { return last_block_line_; }
  int last_block_col() const { return last_block_col_; }

 private:
  using expr = ast::expr;
  using stmt = ast::stmt;

  // --- tokens (parser.cpp) ---
  void fetch();
  const Token& at(size_t i) {
    while (i >= tokens_.size()) fetch();
    return tokens_[i];
  }
  const Token& tok() { return at(pos_); }
  Tok peek() { return at(pos_).kind; }
  Tok peek(size_t ahead) { return at(pos_ + ahead).kind; }
  bool accept(Tok kind) {
    if (peek() != kind) return false;
    ++pos_;
    return true;
  }
  const Token& last_token() const { return tokens_.back(); }
  const Token& previous() const { return tokens_[pos_ - 1]; }
  std::string_view token_text(const Token& t) const { return {text_.data() + t.start, t.end - t.start}; }
  bool at_soft(Soft soft) { return tok().soft == soft; }
  Identifier identifier(const Token& t);
  // Accepts a NAME token.
  Identifier accept_name() {
    if (peek() != Tok::Name) return nullptr;
    return identifier(tokens_[pos_++]);
  }

  // --- nodes ---
  template <class T>
  T* open(const Token& t) {
    T* n = arena_.make<T>();
    n->lineno = t.line;
    n->col_offset = t.col;
    return n;
  }
  template <class T>
  T* open(const ast::Location& l) {
    T* n = arena_.make<T>();
    n->lineno = l.lineno;
    n->col_offset = l.col_offset;
    return n;
  }
  // Ends a node after the last token that has text.
  template <class T>
  T* close(T* n) {
    size_t i = pos_ - 1;
    while (i > 0 && (tokens_[i].kind == Tok::EndMarker ||
                     (tokens_[i].kind >= Tok::Newline && tokens_[i].kind <= Tok::Dedent))) {
      --i;
    }
    n->end_lineno = tokens_[i].end_line;
    n->end_col_offset = tokens_[i].end_col;
    return n;
  }

  // --- depth (parser.cpp) ---
  class DepthGuard {
   public:
    explicit DepthGuard(Parser& parser) {
      ok_ = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) > parser.stack_limit_;
      if (!ok_) parser.raise_overflow();
    }
    explicit operator bool() const { return ok_; }

   private:
    bool ok_;
  };
  void raise_overflow();

  // --- errors (parser_error.cpp) ---
  struct Place {
    int line, col;
  };
  static constexpr int kCurrent = -5;  // "up to where the lexer has read"
  std::nullptr_t raise_at(SyntaxErrorKind kind, int line, int col, int end_line, int end_col,
                          std::string message);
  std::nullptr_t raise_last(std::string message, SyntaxErrorKind kind = SyntaxErrorKind::SyntaxError);
  std::nullptr_t raise_token(const Token& t, std::string message,
                             SyntaxErrorKind kind = SyntaxErrorKind::SyntaxError);
  std::nullptr_t raise_next(std::string message);
  template <class A>
  std::nullptr_t raise(const A& a, std::string message) {
    return raise_range(a, a, std::move(message));
  }
  template <class A, class B>
  std::nullptr_t raise_range(const A& a, const B& b, std::string message) {
    return raise_at(SyntaxErrorKind::SyntaxError, start_line(a), start_col(a), end_line(b), end_col(b),
                    std::move(message));
  }
  template <class A>
  std::nullptr_t raise_from(const A& a, std::string message) {
    return raise_at(SyntaxErrorKind::SyntaxError, start_line(a), start_col(a), kCurrent, kCurrent,
                    std::move(message));
  }
  static int start_line(const Token& t) { return t.line; }
  static int start_col(const Token& t) { return t.col; }
  static int end_line(const Token& t) { return t.end_line; }
  static int end_col(const Token& t) { return t.end_col; }
  static int start_line(const ast::Location& l) { return l.lineno; }
  static int start_col(const ast::Location& l) { return l.col_offset; }
  static int end_line(const ast::Location& l) { return l.end_lineno; }
  static int end_col(const ast::Location& l) { return l.end_col_offset; }
  void raise_indented_block(const char* what, int line);
  void finish_error(const Token& last);
  void check_rest_of_source();
  static const char* expr_name(const expr* e);
  enum class TargetUse { Star, Del, For };
  static expr* invalid_target(expr* e, TargetUse use);
  std::nullptr_t raise_invalid_target(expr* e, TargetUse use);
  bool is_legacy_name(const expr* e) const;

  // --- modes and statements (parse_statement.cpp) ---
  ast::mod* parse_file();
  ast::mod* parse_interactive();
  ast::mod* parse_eval();
  ast::mod* parse_func_type();
  bool statements(ListBuilder<stmt*>& out, bool top_level);
  bool statement(ListBuilder<stmt*>& out);
  stmt* compound_statement(bool& is_compound);
  bool simple_statements(ListBuilder<stmt*>& out);
  stmt* simple_statement();
  stmt* expression_or_assignment();
  void diagnose_before_keyword();
  expr* annotated_rhs();
  stmt* return_statement();
  stmt* raise_statement();
  stmt* delete_statement();
  stmt* assert_statement();
  stmt* global_statement();
  stmt* import_name();
  stmt* import_from();
  bool import_targets(ListBuilder<ast::alias*>& names);
  ast::alias* dotted_as_name();
  ast::alias* from_as_name();
  Identifier dotted_name();
  stmt* type_alias();

  // --- compound statements (parse_compound.cpp) ---
  bool block(ast::Seq<stmt*>& out);
  bool expect_forced(Tok kind);
  // In the diagnosing pass: what `x` before an absent `:` or an absent block means. True when it raised.
  bool diagnose_header(const char* what, int line);
  stmt* if_statement(bool is_elif);
  bool else_block(ast::Seq<stmt*>& out);
  stmt* while_statement();
  stmt* for_statement(const Token& start, bool is_async);
  stmt* with_statement(const Token& start, bool is_async);
  ast::withitem* with_item();
  bool with_items(ListBuilder<ast::withitem*>& items, bool in_parentheses);
  stmt* try_statement();
  ast::excepthandler* except_block(bool is_star);
  stmt* function_def(const Token& start, bool is_async, ast::Seq<expr*> decorators);
  stmt* class_def(const Token& start, ast::Seq<expr*> decorators);
  stmt* decorated();
  bool type_params(ast::Seq<ast::type_param*>& out);
  ast::type_param* type_param();
  ast::arguments* parameters(bool is_lambda);
  ast::arg* parameter(bool is_lambda, bool star_annotation);
  expr* parameter_default();

  // --- match statement (parse_pattern.cpp) ---
  stmt* match_statement();
  expr* subject();
  ast::match_case* case_block();
  ast::pattern* patterns();
  ast::pattern* pattern();
  ast::pattern* or_pattern();
  ast::pattern* closed_pattern();
  ast::pattern* maybe_star_pattern();
  ast::pattern* sequence_or_group(Tok closer);
  ast::pattern* mapping_pattern();
  ast::pattern* class_pattern(expr* cls);
  expr* pattern_number();
  expr* signed_number();
  expr* name_or_attribute();
  Identifier capture_target();

  // --- expressions (parse_expression.cpp) ---
  expr* expression();
  expr* expression_plain();  // no diagnosis at this level
  expr* named_expression();
  expr* star_expression();
  expr* star_expressions();
  expr* star_named_expression();
  expr* expressions();
  expr* yield_expression();
  expr* disjunction();
  expr* disjunction_plain();
  expr* conjunction();
  expr* inversion();
  expr* comparison();
  expr* bitwise_or();
  expr* binary(int min_precedence);
  expr* factor();
  expr* power();
  expr* await_primary();
  expr* primary();
  expr* primary_plain();
  expr* atom();
  expr* lambda();
  expr* parenthesised();
  expr* bracketed();
  expr* braced();
  expr* dict_rest(const Token& start, expr* first_key, bool& matched);
  expr* slices();
  expr* slice();
  bool for_if_clauses(ast::Seq<ast::comprehension*>& out);
  ast::comprehension* for_if_clause();
  expr* genexp_at_parenthesis();
  struct CallArguments {
    ast::Seq<expr*> args;
    ast::Seq<ast::keyword*> keywords;
  };
  bool arguments(CallArguments& out);
  bool arguments_plain(CallArguments& out, ListBuilder<expr*>& args, ListBuilder<ast::keyword*>& keywords);
  expr* starred_expression();
  expr* argument_expression();
  bool starts_comprehension() { return peek() == Tok::For || (peek() == Tok::Async && peek(1) == Tok::For); }
  expr* tuple_rest(const Token& start, expr* first, expr* (Parser::*item)());

  // --- targets (parse_target.cpp) ---
  expr* star_targets();
  expr* star_target();
  static bool is_star_target(const expr* e);
  static bool is_single_target(const expr* e);
  static bool is_delete_target(const expr* e);
  void set_context(expr* e, ast::expr_context context);

  // --- literals (parse_literal.cpp, parse_string.cpp) ---
  expr* number();
  bool parse_number(const Token& t, ast::ConstantValue& value);
  expr* constant(const Token& t, ast::ConstantKind kind);
  expr* strings();
  expr* string_literal(const Token& t);
  expr* fstring();
  bool replacement_field(ListBuilder<expr*>& out, bool is_template, bool is_raw, bool in_spec);
  expr* format_spec(bool is_template, bool is_raw);
  ast::Seq<expr*> merge_constants(ListBuilder<expr*>& items);
  bool decode_text(std::string_view body, bool is_bytes, bool is_raw, const Token& at, const Token& warn_at,
                   std::string_view& out);
  void warn_escape(std::string_view escape, bool is_octal, int newlines_before, const Token& text,
                   const Token& at);
  expr* string_constant(std::string_view text, const ast::Location& from, const ast::Location& to);
  std::string_view expression_source(size_t from, size_t to);

  // --- diagnosis (diagnose_*.cpp): each returns with `raised_` set when it found its mistake ---
  void diagnose_expression();
  void diagnose_legacy_expression();
  void diagnose_named_expression();
  void diagnose_assignment();
  void diagnose_group(size_t start);
  void diagnose_comprehension(size_t start);
  void diagnose_dict_comprehension(size_t start);
  void diagnose_dict_items(size_t start);
  void diagnose_dict_item();
  void diagnose_arguments(size_t start);
  void diagnose_keyword_argument();
  void diagnose_starred();
  void diagnose_for_target(size_t start);
  void diagnose_for_if_clause(size_t start);
  void diagnose_parameters(bool is_lambda);
  void diagnose_star_etc(bool is_lambda);
  void diagnose_kwds(bool is_lambda);
  void diagnose_except(size_t start, bool is_star);
  void diagnose_with(size_t start);
  void diagnose_with_item(size_t start);
  void diagnose_import_target();
  void diagnose_field(size_t start, bool is_template);
  void diagnose_class_pattern(size_t open);
  expr* expression_without_diagnosis();

  // Memory of the diagnosing pass: what each rule gave at each position, so that trying alternatives stays
  // linear.
  struct Memo {
    void* node;
    size_t end;
  };
  enum Rule : uint64_t {
    kExpression,
    kDisjunction,
    kNamed,
    kStar,
    kBitwiseOr,
    kPrimary,
    kArguments,
    kRuleCount
  };
  bool recall(Rule rule, void*& node) {
    auto it = memo_.find(memo_key(rule, pos_));
    if (it == memo_.end()) return false;
    node = it->second.node;
    if (node) pos_ = it->second.end;
    return true;
  }
  template <class T>
  T* remember(Rule rule, size_t start, T* node) {
    if (!raised_) memo_[memo_key(rule, start)] = {node, pos_};
    return node;
  }
  // What was read without diagnosis is remembered too, and then no longer diagnosed: CPython's messages
  // depend on it.
  static uint64_t memo_key(Rule rule, size_t start) {
    return static_cast<uint64_t>(start) * kRuleCount + rule;
  }

  Arena& arena_;
  ParseOptions options_;
  std::string_view text_;
  Lexer lexer_;
  std::vector<Token> tokens_;
  std::vector<SyntaxWarningInfo>* warnings_;
  size_t pos_ = 0;
  int last_block_line_ = 0, last_block_col_ = 0;
  size_t statement_start_ = 0;  // where the top-level statement being parsed began
  size_t previous_start_ = 0;   // and the one before it, which a mistake may belong to (`elif` after `else`)
  bool second_pass_ = false;
  bool memoizing_ =
      false;  // `memo_` is in use: in the second pass, and once the first has looked for a mistake
  bool diagnosing_ = false;
  bool raised_ = false;
  bool parsing_started_ = false;
  uint32_t next_warning_at_ = 0;
  uintptr_t stack_limit_ = 0;
  SyntaxErrorInfo error_;
  SyntaxErrorInfo soft_error_;  // of an absent token that had to be there; a mistake found later outranks it
  std::unordered_map<uint64_t, Memo> memo_;
};

}  // namespace amphis
