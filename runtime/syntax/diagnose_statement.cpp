// Common mistakes in statements, tried only in the diagnosing pass. See diagnose_expression.cpp for the
// contract.
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

// The statement at `pos_` is no sound assignment.
void Parser::diagnose_assignment() {
  size_t start = pos_;
  // A list or tuple with an annotation, in parentheses or not.
  size_t p = pos_;
  while (peek() == Tok::LPar) {
    expr* display = atom();
    if (raised_) return;
    if (display && (display->is<List>() || display->is<Tuple>())) {
      pos_ = p;
      break;
    }
    pos_ = ++p;
  }
  pos_ = start;
  if (peek() == Tok::LSqb || peek() == Tok::LPar) {
    expr* display = atom();
    if (raised_) return;
    if (display && (display->is<List>() || display->is<Tuple>()) && accept(Tok::Colon)) {
      expr* annotation = expression();
      if (raised_) return;
      if (annotation) {
        raise(*display, std::string("only single target (not ") + expr_name(display) + ") can be annotated");
        return;
      }
    }
  }
  pos_ = start;
  expr* first = star_named_expression();
  if (raised_) return;
  if (first && accept(Tok::Comma)) {
    // The grammar takes any number of lists here, not one.
    while (star_named_expression()) accept(Tok::Comma);
    if (raised_) return;
    if (accept(Tok::Colon)) {
      expr* annotation = expression();
      if (raised_) return;
      if (annotation) {
        raise(*first, "only single target (not tuple) can be annotated");
        return;
      }
    }
  }
  pos_ = start;
  expr* single = expression();
  if (raised_) return;
  if (single && accept(Tok::Colon)) {
    expr* annotation = expression();
    if (raised_) return;
    if (annotation) {
      raise(*single, "illegal target for annotation");
      return;
    }
  }
  // target = target = wrong = ...
  pos_ = start;
  for (;;) {
    size_t mark = pos_;
    expr* target = star_expressions();
    if (raised_) return;
    if (target && is_star_target(target) && accept(Tok::Equal)) continue;
    if (target && peek() == Tok::Equal) {
      raise_invalid_target(target, TargetUse::Star);
      return;
    }
    pos_ = mark;
    break;
  }
  if (peek() == Tok::Yield) {
    expr* yield = yield_expression();
    if (raised_) return;
    if (yield && peek() == Tok::Equal) {
      raise(*yield, "assignment to yield expression not possible");
      return;
    }
  }
  pos_ = start;
  expr* all = star_expressions();
  if (raised_ || !all) return;
  Tok next = peek();
  bool augmented = (next >= Tok::PlusEqual && next <= Tok::DoubleStarEqual) ||
                   next == Tok::DoubleSlashEqual || next == Tok::AtEqual;
  if (!augmented) return;
  ++pos_;
  expr* value = annotated_rhs();
  if (raised_ || !value) return;
  raise(*all, std::string("'") + expr_name(all) + "' is an illegal expression for augmented assignment");
}

// After `as` in an import: anything but a name that ends there.
void Parser::diagnose_import_target() {
  size_t mark = pos_;
  ++pos_;
  if (peek() == Tok::Name) {
    Tok next = peek(1);
    if (next == Tok::Comma || next == Tok::RPar || next == Tok::Semi || next == Tok::Newline) {
      pos_ = mark;
      return;
    }
  }
  expr* target = expression();
  if (!raised_ && target)
    raise(*target, std::string("cannot use ") + expr_name(target) + " as import target");
  pos_ = mark;
}

void Parser::diagnose_with_item(size_t start) {
  pos_ = start;
  if (!expression() || !accept(Tok::As)) return;
  expr* target = expression();
  if (raised_ || !target) return;
  Tok next = peek();
  if (next == Tok::Comma || next == Tok::RPar || next == Tok::Colon)
    raise_invalid_target(target, TargetUse::Star);
}

// A `with` header without its colon or its block.
void Parser::diagnose_with(size_t start) {
  auto read_items = [this](bool in_parentheses) {
    for (;;) {
      expr* e = in_parentheses ? expressions() : expression();
      if (!e) return false;
      if (peek() == Tok::As) {
        size_t as = pos_++;
        expr* target = star_target();
        if (raised_) return false;
        if (!target) {
          pos_ = as;
          return true;
        }
      }
      if (peek() != Tok::Comma) return true;
      ++pos_;
      if (in_parentheses && peek() == Tok::RPar) return true;
    }
  };
  auto after_keyword = [&] {
    pos_ = start;
    accept(Tok::Async);
    ++pos_;
  };
  int line = at(start).kind == Tok::Async ? at(start + 1).line : at(start).line;
  auto check_end = [&](bool want_block) {
    if (want_block) {
      if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
        raise_indented_block("'with' statement", line);
      }
    } else if (accept(Tok::Newline)) {
      raise_last("expected ':'");
    }
  };
  for (bool want_block : {true, false}) {
    for (bool in_parentheses : {false, true}) {
      after_keyword();
      if (in_parentheses && !accept(Tok::LPar)) continue;
      bool read = read_items(in_parentheses);
      if (raised_) return;
      if (!read || (in_parentheses && !accept(Tok::RPar))) continue;
      check_end(want_block);
      if (raised_) return;
    }
    if (want_block) {
      // Only when the statement itself does not match is the colon missing.
      pos_ = start;
    }
  }
}

void Parser::diagnose_except(size_t start, bool is_star) {
  size_t after_keyword = start + (is_star ? 2 : 1);
  pos_ = after_keyword;
  Token first = tok();
  expr* a = expression();
  if (raised_) return;
  if (a) {
    size_t after_first = pos_;
    if (accept(Tok::Comma)) {
      expr* rest = expressions();
      if (raised_) return;
      if (rest && accept(Tok::As) && accept_name() && peek() == Tok::Colon) {
        raise_from(*a, "multiple exception types must be parenthesized when using 'as'");
        return;
      }
    }
    pos_ = after_first;
    if (accept(Tok::As) && !accept_name()) pos_ = after_first;
    if (accept(Tok::Newline)) {
      raise_last("expected ':'");
      return;
    }
  }
  pos_ = start + 1;
  if (!is_star && accept(Tok::Newline)) {
    raise_last("expected ':'");
    return;
  }
  if (is_star && (first.kind == Tok::Newline || first.kind == Tok::Colon)) {
    pos_ = after_keyword + 1;
    raise_last("expected one or more exception types");
    return;
  }
  pos_ = after_keyword;
  if (expression() && accept(Tok::As)) {
    expr* target = expression();
    if (raised_ || !target || target->is<Name>()) return;
    Seq<stmt*> body;
    if (accept(Tok::Colon) && block(body)) {
      raise(*target,
            std::string("cannot use except") + (is_star ? "*" : "") + " statement with " + expr_name(target));
    }
  }
}

namespace {

// One parameter as the mistakes see it.
enum class Param : uint8_t { Plain, Defaulted, Slash, Star };

}  // namespace

void Parser::diagnose_parameters(bool is_lambda) {
  size_t start = pos_;
  Tok terminator = is_lambda ? Tok::Colon : Tok::RPar;
  if (peek() == Tok::Slash && peek(1) == Tok::Comma) {
    raise(Token(tok()), "at least one argument must precede /");
    return;
  }
  // The longest run of parameters, slashes and a star, as far as each is followed by a comma or the end.
  struct Item {
    Param kind;
    Token token;
    const arg* node;
  };
  std::vector<Item> items;
  bool seen_star = false;
  size_t stop = pos_;
  for (;;) {
    stop = pos_;
    Token t = tok();
    if (t.kind == Tok::Slash) {
      items.push_back({Param::Slash, t, nullptr});
      ++pos_;
      if (peek() == Tok::Star || (items.size() >= 1 && peek() != Tok::Comma && peek() != terminator)) break;
      if (!accept(Tok::Comma)) break;
      continue;
    }
    if (t.kind == Tok::Star && !seen_star) {
      seen_star = true;
      items.push_back({Param::Star, t, nullptr});
      ++pos_;
      if (accept(Tok::Comma)) continue;
      arg* a = parameter(is_lambda, true);
      if (raised_) return;
      if (!a || !accept(Tok::Comma)) break;
      continue;
    }
    if (t.kind != Tok::Name) break;
    arg* a = parameter(is_lambda, false);
    if (raised_ || !a) break;
    Param kind = Param::Plain;
    if (peek() == Tok::Equal) {
      kind = Param::Defaulted;
      if (!parameter_default()) break;
    }
    if (peek() != Tok::Comma && peek() != terminator) break;
    items.push_back({kind, t, a});
    if (!accept(Tok::Comma)) break;
  }
  if (raised_) return;

  // The index of the first parameter without a default after one with, before any star; slashes as given.
  size_t first_star = items.size(), first_slash = items.size();
  for (size_t i = items.size(); i-- > 0;) {
    if (items[i].kind == Param::Star) first_star = i;
    if (items[i].kind == Param::Slash) first_slash = i;
  }
  size_t disorder = items.size();
  bool seen_default = false;
  for (size_t i = 0; i < first_star; ++i) {
    if (items[i].kind == Param::Defaulted) seen_default = true;
    if (items[i].kind == Param::Plain && seen_default) {
      disorder = i;
      break;
    }
    if (items[i].kind == Param::Slash && i != first_slash) break;
  }
  // Two slashes, the first after an orderly run.
  if (first_slash > 0 && first_slash < first_star && disorder > first_slash) {
    for (size_t i = first_slash + 1; i < first_star; ++i) {
      if (items[i].kind == Param::Slash) {
        raise(items[i].token, "/ may appear only once");
        return;
      }
    }
  }
  if (disorder < items.size()) {
    raise(*items[disorder].node, "parameter without a default follows parameter with a default");
    return;
  }
  // Parameters in parentheses, after plain ones only.
  bool all_plain = true;
  for (const Item& item : items) all_plain = all_plain && item.kind == Param::Plain;
  pos_ = stop;
  if (all_plain && peek() == Tok::LPar) {
    Token open_token = tok();
    ++pos_;
    bool found = false;
    for (;;) {
      arg* a = peek() == Tok::Name ? parameter(is_lambda, false) : nullptr;
      if (!a) break;
      found = true;
      if (!accept(Tok::Comma)) break;
    }
    if (found && peek() == Tok::RPar) {
      raise_range(open_token, Token(tok()),
                  is_lambda ? "Lambda expression parameters cannot be parenthesized"
                            : "Function parameters cannot be parenthesized");
      return;
    }
  }
  for (size_t i = first_star; i < items.size(); ++i) {
    if (items[i].kind == Param::Slash) {
      raise(items[i].token, "/ must be ahead of *");
      return;
    }
  }
  if (first_slash > 0 && first_slash < first_star && first_slash + 1 == items.size()) {
    pos_ = stop;
    if (accept(Tok::Slash) && peek() == Tok::Star) {
      raise(Token(tok()), "expected comma between / and *");
      return;
    }
  }
  pos_ = start;
}

// At a `*` among parameters.
void Parser::diagnose_star_etc(bool is_lambda) {
  Tok terminator = is_lambda ? Tok::Colon : Tok::RPar;
  Token star = tok();
  ++pos_;
  auto raise_bare = [&] {
    const char* message = "named arguments must follow bare *";
    if (is_lambda) {
      raise_last(message);
    } else {
      raise(star, message);
    }
  };
  if (peek() == terminator) return raise_bare();
  if (peek() == Tok::Comma && (peek(1) == terminator || peek(1) == Tok::DoubleStar)) return raise_bare();
  size_t after_star = pos_;
  if (!accept(Tok::Comma)) {
    if (!parameter(is_lambda, false) || raised_) {
      if (raised_) return;
      pos_ = after_star;
      return;
    }
    if (peek() == Tok::Equal) {
      raise(Token(tok()), "var-positional argument cannot have default value");
      return;
    }
    if (!accept(Tok::Comma)) return;
  }
  // Keyword-only parameters, then another star.
  while (peek() == Tok::Name) {
    if (!parameter(is_lambda, false) || raised_) return;
    if (peek() == Tok::Equal && !parameter_default()) return;
    if (!accept(Tok::Comma)) return;
  }
  if (peek() != Tok::Star) return;
  Token second = tok();
  ++pos_;
  bool complete = accept(Tok::Comma);
  if (!complete && parameter(is_lambda, false)) complete = peek() == Tok::Comma || peek() == terminator;
  if (!raised_ && complete) raise(second, "* argument may appear only once");
}

// At the `**` of parameters.
void Parser::diagnose_kwds(bool is_lambda) {
  ++pos_;
  if (!parameter(is_lambda, false) || raised_) return;
  if (peek() == Tok::Equal) {
    raise(Token(tok()), "var-keyword argument cannot have default value");
    return;
  }
  if (!accept(Tok::Comma)) return;
  const char* message = "arguments cannot follow var-keyword argument";
  Token next = tok();
  if (next.kind == Tok::Star || next.kind == Tok::DoubleStar || next.kind == Tok::Slash) {
    raise(next, message);
    return;
  }
  arg* extra = next.kind == Tok::Name ? parameter(is_lambda, false) : nullptr;
  if (extra && !raised_) raise(*extra, message);
}

// Positional patterns after keyword patterns; `open` is after the parenthesis.
void Parser::diagnose_class_pattern(size_t open_at) {
  pos_ = open_at;
  ast::pattern* first = nullptr;
  ast::pattern* last = nullptr;
  bool seen_keyword = false;
  while (peek() != Tok::RPar) {
    if (peek() == Tok::Name && peek(1) == Tok::Equal) {
      if (first) break;
      seen_keyword = true;
      pos_ += 2;
      if (!pattern()) return;
    } else {
      ast::pattern* p = pattern();
      if (!p) break;
      if (seen_keyword) {
        if (!first) first = p;
        last = p;
      }
    }
    if (!accept(Tok::Comma)) break;
  }
  if (!raised_ && first) raise_range(*first, *last, "positional patterns follow keyword patterns");
}

}  // namespace amphis
