// Common mistakes in expressions, tried only in the diagnosing pass.
//
// Each function looks for its mistakes at `pos_`, in the order in which CPython's grammar does, and raises
// for the first that it finds. It may leave `pos_` anywhere.
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

// An expression read without diagnosis of what is inside.
expr* Parser::expression_without_diagnosis() {
  bool before = diagnosing_;
  diagnosing_ = false;
  expr* e = expression_plain();
  diagnosing_ = before;
  return e;
}

void Parser::diagnose_expression() {
  size_t start = pos_;
  Tok first = peek();
  // Something between two strings that are one to the eye: "a "quoted" b".
  if (first == Tok::String) {
    ++pos_;
    expr* between = nullptr;
    expr* last = nullptr;
    while (peek() != Tok::String) {
      size_t mark = pos_;
      expr* next = expression_without_diagnosis();
      if (raised_) return;
      if (!next) {
        pos_ = mark;
        break;
      }
      if (!between) between = next;
      last = next;
    }
    if (between && peek() == Tok::String) {
      raise_range(*between, *last, "invalid syntax. Is this intended to be part of the string?");
      return;
    }
    pos_ = start;
  }
  bool name_before_string = first == Tok::Name && peek(1) == Tok::String;
  bool is_soft_keyword = first == Tok::Name && tok().soft != Soft::None;
  if (!name_before_string && !is_soft_keyword) {
    expr* a = disjunction();
    if (raised_) return;
    if (a) {
      expr* b = expression_without_diagnosis();
      if (raised_) return;
      if (b && !is_legacy_name(a) && tokens_[pos_ - 1].level > 0) {
        raise_range(*a, *b, "invalid syntax. Perhaps you forgot a comma?");
        return;
      }
    }
    pos_ = start;
  }
  expr* a = disjunction();
  if (raised_) return;
  if (a && accept(Tok::If)) {
    expr* b = disjunction();
    if (raised_) return;
    if (b) {
      Tok next = peek();
      if (next != Tok::Else && next != Tok::Colon) {
        raise_range(*a, *b, "expected 'else' after 'if' expression");
        return;
      }
      if (accept(Tok::Else)) {
        size_t mark = pos_;
        expr* c = expression();
        if (raised_) return;
        pos_ = mark;
        if (!c) {
          raise_next("expected expression after 'else', but statement is given");
          return;
        }
      }
    }
  }
  pos_ = start;
  if (first == Tok::Pass || first == Tok::Break || first == Tok::Continue) {
    Token statement = tok();
    ++pos_;
    if (accept(Tok::If)) {
      expr* b = disjunction();
      if (raised_) return;
      if (b && accept(Tok::Else)) {
        stmt* c = simple_statement();
        if (raised_) return;
        if (c) {
          raise(statement, "expected expression before 'if', but statement is given");
          return;
        }
      }
    }
    pos_ = start;
  }
  if (first == Tok::Lambda) {
    Token keyword = tok();
    ++pos_;
    if (peek() != Tok::Colon) parameters(true);
    if (raised_) return;
    if (peek() == Tok::Colon && (peek(1) == Tok::FStringMiddle || peek(1) == Tok::TStringMiddle)) {
      std::string letter = peek(1) == Tok::FStringMiddle ? "f" : "t";
      raise_range(keyword, Token(tok()),
                  letter + "-string: lambda expressions are not allowed without parentheses");
    }
  }
}

// `print x` and `exec x`
void Parser::diagnose_legacy_expression() {
  if (peek() != Tok::Name || peek(1) == Tok::LPar) return;
  Token name = tok();
  std::string_view text = token_text(name);
  ++pos_;
  expr* b = star_expressions();
  if (raised_ || !b) return;
  if (text != "print" && text != "exec") return;
  std::string spelled(text);
  raise_range(name, *b,
              "Missing parentheses in call to '" + spelled + "'. Did you mean " + spelled + "(...)?");
}

void Parser::diagnose_named_expression() {
  size_t start = pos_;
  expr* a = expression();
  if (raised_) return;
  if (a && accept(Tok::ColonEqual)) {
    expr* value = expression();
    if (raised_) return;
    if (value) {
      raise(*a, std::string("cannot use assignment expressions with ") + expr_name(a));
      return;
    }
  }
  pos_ = start;
  auto no_assignment_follows = [this] { return peek() != Tok::Equal && peek() != Tok::ColonEqual; };
  if (peek() == Tok::Name && peek(1) == Tok::Equal) {
    Token name = tok();
    pos_ += 2;
    expr* b = bitwise_or();
    if (raised_) return;
    if (b && no_assignment_follows()) {
      raise_range(name, *b, "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
      return;
    }
  }
  pos_ = start;
  switch (peek()) {
    case Tok::True:
    case Tok::False:
    case Tok::None:
      return;
    default:
      break;
  }
  expr* target = bitwise_or();
  if (raised_ || !target || peek() != Tok::Equal) return;
  // A display that is all there is may be a target of its own; the grammar looks away.
  size_t after = pos_;
  Tok first = tokens_[start].kind;
  if (first == Tok::LSqb || first == Tok::LPar) {
    pos_ = start;
    expr* display = atom();
    if (raised_) return;
    if (display && (display->is<List>() || display->is<Tuple>() || display->is<GeneratorExp>())) return;
    pos_ = after;
  }
  ++pos_;
  expr* b = bitwise_or();
  if (raised_ || !b || !no_assignment_follows()) return;
  raise(*target,
        std::string("cannot assign to ") + expr_name(target) + " here. Maybe you meant '==' instead of '='?");
}

// At the parenthesis of `(*a)` and `(**a)`.
void Parser::diagnose_group(size_t start) {
  pos_ = start + 1;
  if (peek() == Tok::Star) {
    expr* star = starred_expression();
    if (raised_) return;
    if (star && peek() == Tok::RPar) raise(*star, "cannot use starred expression here");
    return;
  }
  if (peek() == Tok::DoubleStar) {
    Token stars = tok();
    ++pos_;
    expr* e = expression();
    if (raised_) return;
    if (e && peek() == Tok::RPar) raise(stars, "cannot use double starred expression here");
  }
}

// At the bracket of a comprehension with a target that cannot be.
void Parser::diagnose_comprehension(size_t start) {
  pos_ = start + 1;
  Seq<comprehension*> clauses;
  if (peek() == Tok::Star) {
    expr* star = starred_expression();
    if (raised_) return;
    if (star && starts_comprehension() && for_if_clauses(clauses)) {
      raise(*star, "iterable unpacking cannot be used in comprehension");
      return;
    }
    if (raised_) return;
  }
  if (tokens_[start].kind == Tok::LPar) return;
  pos_ = start + 1;
  expr* first = star_named_expression();
  if (raised_ || !first || peek() != Tok::Comma) return;
  Token comma = tok();
  ++pos_;
  size_t after_comma = pos_;
  expr* last = nullptr;
  while (expr* item = star_named_expression()) {
    last = item;
    if (!accept(Tok::Comma)) break;
  }
  if (raised_) return;
  const char* message = "did you forget parentheses around the comprehension target?";
  if (last) {
    if (starts_comprehension() && for_if_clauses(clauses)) raise_range(*first, *last, message);
    return;
  }
  pos_ = after_comma;
  if (starts_comprehension() && for_if_clauses(clauses)) raise_range(*first, comma, message);
}

// `{**a for a in b}`
void Parser::diagnose_dict_comprehension(size_t start) {
  pos_ = start + 1;
  if (peek() != Tok::DoubleStar) return;
  Token stars = tok();
  ++pos_;
  expr* e = bitwise_or();
  if (raised_ || !e) return;
  Seq<comprehension*> clauses;
  if (starts_comprehension() && for_if_clauses(clauses) && peek() == Tok::RBrace) {
    raise(stars, "dict unpacking cannot be used in dict comprehension");
  }
}

// A dictionary display with something wrong in it.
void Parser::diagnose_dict_items(size_t start) {
  memoizing_ = true;
  pos_ = start + 1;
  // Sound items, each followed by a comma; then the wrong one.
  bool after_comma = false;
  for (;;) {
    size_t item = pos_;
    bool matched = false;
    if (accept(Tok::DoubleStar)) {
      matched = bitwise_or() != nullptr;
    } else {
      matched = expression() && accept(Tok::Colon) && expression();
    }
    if (raised_) return;
    if (!matched) {
      pos_ = item;
      break;
    }
    if (!accept(Tok::Comma)) {
      after_comma = false;
      break;
    }
    after_comma = true;
  }
  if (after_comma) {
    diagnose_dict_item();
    if (raised_) return;
  }
  pos_ = start + 1;
  if (!expression() || raised_ || peek() != Tok::Colon) return;
  Token colon = tok();
  ++pos_;
  if (peek() == Tok::Star) {
    Token star = tok();
    ++pos_;
    if (bitwise_or() && !raised_) raise_from(star, "cannot use a starred expression in a dictionary value");
    return;
  }
  if (peek() == Tok::RBrace || peek() == Tok::Comma) {
    raise(colon, "expression expected after dictionary key and ':'");
  }
}

void Parser::diagnose_dict_item() {
  expr* key = expression();
  if (raised_ || !key) return;
  if (peek() != Tok::Colon) {
    raise_at(SyntaxErrorKind::SyntaxError, key->lineno, key->end_col_offset - 1, key->end_lineno, -1,
             "':' expected after dictionary key");
    return;
  }
  Token colon = tok();
  ++pos_;
  if (peek() == Tok::Star) {
    Token star = tok();
    ++pos_;
    if (bitwise_or() && !raised_) raise_from(star, "cannot use a starred expression in a dictionary value");
    return;
  }
  if (peek() == Tok::RBrace || peek() == Tok::Comma) {
    raise(colon, "expression expected after dictionary key and ':'");
  }
}

void Parser::diagnose_starred() {
  Token star = tok();
  ++pos_;
  expr* e = expression();
  if (raised_ || !e || !accept(Tok::Equal)) return;
  expr* b = expression();
  if (raised_ || !b) return;
  raise_range(star, *b, "cannot assign to iterable argument unpacking");
}

void Parser::diagnose_keyword_argument() {
  Token first = tok();
  const char* maybe_equal = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
  if ((first.kind == Tok::True || first.kind == Tok::False || first.kind == Tok::None) &&
      peek(1) == Tok::Equal) {
    raise_range(first, Token(at(pos_ + 1)), "cannot assign to " + std::string(token_text(first)));
    return;
  }
  if (first.kind == Tok::Name && peek(1) == Tok::Equal) {
    Token equal = at(pos_ + 1);
    pos_ += 2;
    expr* e = expression();
    if (raised_) return;
    Seq<comprehension*> clauses;
    if (e && starts_comprehension() && for_if_clauses(clauses)) raise_range(first, equal, maybe_equal);
    return;
  }
  if (first.kind == Tok::DoubleStar) {
    ++pos_;
    expr* e = expression();
    if (raised_ || !e || !accept(Tok::Equal)) return;
    expr* b = expression();
    if (raised_ || !b) return;
    raise_range(first, *b, "cannot assign to keyword argument unpacking");
    return;
  }
  expr* e = expression();
  if (raised_ || !e || peek() != Tok::Equal) return;
  raise_range(*e, Token(tok()), "expression cannot contain assignment, perhaps you meant \"==\"?");
}

namespace {
const expr* last_comprehension_item(const Seq<comprehension*>& clauses) {
  const comprehension* last = clauses.back();
  return last->ifs.empty() ? last->iter : last->ifs.back();
}
}  // namespace

// The arguments of a call did not match up to the parenthesis.
void Parser::diagnose_arguments(size_t start) {
  auto read_arguments = [this](CallArguments& out) {
    ListBuilder<expr*> args(arena_);
    ListBuilder<keyword*> keywords(arena_);
    return arguments_plain(out, args, keywords);
  };
  const char* unparenthesised = "Generator expression must be parenthesized";
  Seq<comprehension*> clauses;

  // keywords first, then `*iterable` after `**mapping`
  CallArguments all;
  pos_ = start;
  bool has_arguments = read_arguments(all);
  if (raised_) return;
  size_t after_arguments = pos_;
  if (has_arguments && !all.keywords.empty() && peek() == Tok::Comma) {
    Token comma = tok();
    ++pos_;
    bool found = false;
    while (peek() == Tok::Star) {
      expr* star = starred_expression();
      if (raised_) return;
      if (!star || peek() == Tok::Equal) break;
      found = true;
      if (peek() != Tok::Comma || peek(1) != Tok::Star) break;
      ++pos_;
    }
    if (found) {
      raise_from(comma, "iterable argument unpacking follows keyword argument unpacking");
      return;
    }
  }

  // x for x in y, ...
  pos_ = start;
  expr* first = expression();
  if (raised_) return;
  if (first && starts_comprehension() && for_if_clauses(clauses) && accept(Tok::Comma)) {
    size_t mark = pos_;
    CallArguments rest;
    read_arguments(rest);
    if (raised_) return;
    pos_ = mark;
    raise_range(*first, *last_comprehension_item(clauses), unparenthesised);
    return;
  }
  if (raised_) return;

  // name = x for x in y
  pos_ = start;
  if (peek() == Tok::Name && peek(1) == Tok::Equal) {
    Token name = tok();
    Token equal = at(pos_ + 1);
    pos_ += 2;
    expr* value = expression();
    if (raised_) return;
    if (value && starts_comprehension() && for_if_clauses(clauses)) {
      raise_range(name, equal, "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
      return;
    }
    if (raised_) return;
  }

  // name=, or name=)
  pos_ = start;
  if (has_arguments) {
    pos_ = after_arguments;
    if (!accept(Tok::Comma)) pos_ = start;
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (peek() == Tok::Name && peek(1) == Tok::Equal && (peek(2) == Tok::Comma || peek(2) == Tok::RPar)) {
      raise_range(Token(tok()), Token(at(pos_ + 1)), "expected argument value expression");
      return;
    }
    if (pos_ == start) break;
    pos_ = start;
  }
  if (!has_arguments) return;

  // f(a, x for x in y)
  pos_ = after_arguments;
  if (starts_comprehension() && for_if_clauses(clauses)) {
    if (all.args.size > 1) {
      raise_range(*all.args.back(), *last_comprehension_item(clauses), unparenthesised);
      return;
    }
  }
  if (raised_) return;

  pos_ = after_arguments;
  if (!accept(Tok::Comma)) return;
  size_t after_comma = pos_;
  expr* extra = expression();
  if (raised_) return;
  if (extra && starts_comprehension() && for_if_clauses(clauses)) {
    raise_range(*extra, *clauses.back()->target, unparenthesised);
    return;
  }
  if (raised_) return;
  pos_ = after_comma;
  CallArguments rest;
  if (read_arguments(rest) && !raised_) {
    bool unpacking = false;
    for (const keyword* k : all.keywords) unpacking = unpacking || !k->arg;
    raise_last(unpacking ? "positional argument follows keyword argument unpacking"
                         : "positional argument follows keyword argument");
  }
}

// `for` with something that is no target. At `for`.
void Parser::diagnose_for_target(size_t start) {
  pos_ = start + 1;
  expr* all = star_expressions();
  if (raised_ || !all) return;
  raise_invalid_target(all, TargetUse::For);
}

// A comprehension's `for x` without `in`.
void Parser::diagnose_for_if_clause(size_t start) {
  pos_ = start;
  accept(Tok::Async);
  if (!accept(Tok::For)) return;
  if (!bitwise_or() || raised_) return;
  while (accept(Tok::Comma)) {
    size_t mark = pos_;
    if (!bitwise_or()) {
      if (raised_) return;
      pos_ = mark;
      break;
    }
  }
  if (peek() != Tok::In && !raised_) raise_last("'in' expected after for-loop variables");
}

// Inside the braces of an f-string.
void Parser::diagnose_field(size_t start, bool is_template) {
  std::string prefix = is_template ? "t-string: " : "f-string: ";
  pos_ = start + 1;
  Token first = tok();
  switch (first.kind) {
    case Tok::Equal:
    case Tok::Exclamation:
    case Tok::Colon:
    case Tok::RBrace:
      raise(first,
            prefix + "valid expression required before '" + std::string(token_spelling(first.kind)) + "'");
      return;
    default:
      break;
  }
  expr* value = annotated_rhs();
  if (raised_) return;
  if (!value) {
    pos_ = start + 1;
    raise_next(prefix + "expecting a valid expression after '{'");
    return;
  }
  Tok next = peek();
  if (next != Tok::Equal && next != Tok::Exclamation && next != Tok::Colon && next != Tok::RBrace) {
    raise_next(prefix + "expecting '=', or '!', or ':', or '}'");
    return;
  }
  if (accept(Tok::Equal)) {
    next = peek();
    if (next != Tok::Exclamation && next != Tok::Colon && next != Tok::RBrace) {
      raise_next(prefix + "expecting '!', or ':', or '}'");
      return;
    }
  }
  if (accept(Tok::Exclamation)) {
    next = peek();
    if (next == Tok::Colon || next == Tok::RBrace) {
      raise_next(prefix + "missing conversion character");
      return;
    }
    if (next != Tok::Name) {
      raise_next(prefix + "invalid conversion character");
      return;
    }
    ++pos_;
    next = peek();
    if (next != Tok::Colon && next != Tok::RBrace) {
      raise_next(prefix + "expecting ':' or '}'");
      return;
    }
  }
  if (peek() == Tok::Colon) {
    if (!format_spec(is_template, false)) return;
    if (peek() != Tok::RBrace) raise_next(prefix + "expecting '}', or format specs");
    return;
  }
  if (peek() != Tok::RBrace) raise_next(prefix + "expecting '}'");
}

}  // namespace amphis
