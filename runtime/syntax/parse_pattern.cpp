// The match statement and its patterns (PEP 634).
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

expr* Parser::subject() {
  Token start = tok();
  if (peek() == Tok::Star) {
    expr* first = star_named_expression();
    if (!first || peek() != Tok::Comma) return nullptr;
    return tuple_rest(start, first, &Parser::star_named_expression);
  }
  expr* first = named_expression();
  if (!first || peek() != Tok::Comma) return first;
  return tuple_rest(start, first, &Parser::star_named_expression);
}

// `match` is a name unless all of the header follows.
stmt* Parser::match_statement() {
  Token start = tok();
  switch (peek(1)) {
    // What cannot begin a subject: quickly no.
    case Tok::Equal:
    case Tok::Dot:
    case Tok::Comma:
    case Tok::Colon:
    case Tok::Newline:
    case Tok::RPar:
    case Tok::Semi:
    case Tok::ColonEqual:
    case Tok::EqEqual:
      return nullptr;
    default:
      break;
  }
  ++pos_;
  expr* value = subject();
  if (!value) return nullptr;
  if (diagnosing_) {
    size_t mark = pos_;
    if (accept(Tok::Newline)) return raise_last("expected ':'");
    if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
      raise_indented_block("'match' statement", start.line);
      return nullptr;
    }
    pos_ = mark;
  }
  if (!accept(Tok::Colon) || !accept(Tok::Newline) || !accept(Tok::Indent)) return nullptr;
  ListBuilder<match_case*> cases(arena_);
  while (at_soft(Soft::Case)) {
    match_case* c = case_block();
    if (!c) return nullptr;
    cases.push(c);
  }
  if (cases.empty() || !accept(Tok::Dedent)) return nullptr;
  auto* s = open<Match>(start);
  s->subject = value;
  s->cases = cases.finish();
  return close(s);
}

ast::match_case* Parser::case_block() {
  int line = tok().line;
  ++pos_;
  auto* c = arena_.make<match_case>();
  c->pattern = patterns();
  if (!c->pattern) return nullptr;
  if (accept(Tok::If)) {
    c->guard = named_expression();
    if (!c->guard) return nullptr;
  }
  if (diagnose_header("'case' statement", line)) return nullptr;
  if (!accept(Tok::Colon) || !block(c->body)) return nullptr;
  return c;
}

// A whole case: an open sequence (`a, *b`) or one pattern.
ast::pattern* Parser::patterns() {
  Token start = tok();
  ast::pattern* first = maybe_star_pattern();
  if (!first) return nullptr;
  if (peek() != Tok::Comma) return first->is<MatchStar>() ? nullptr : first;
  ListBuilder<ast::pattern*> items(arena_);
  items.push(first);
  while (accept(Tok::Comma)) {
    size_t mark = pos_;
    ast::pattern* item = maybe_star_pattern();
    if (raised_) return nullptr;
    if (!item) {
      pos_ = mark;
      break;
    }
    items.push(item);
  }
  auto* sequence = open<MatchSequence>(start);
  sequence->patterns = items.finish();
  return close(sequence);
}

// A name that captures: not `_`, and not the beginning of a dotted name, a call or a keyword.
Identifier Parser::capture_target() {
  if (peek() != Tok::Name || at_soft(Soft::Underscore)) return nullptr;
  Tok next = peek(1);
  if (next == Tok::Dot || next == Tok::LPar || next == Tok::Equal) return nullptr;
  return accept_name();
}

ast::pattern* Parser::maybe_star_pattern() {
  Token start = tok();
  if (start.kind != Tok::Star) return pattern();
  ++pos_;
  auto* star = open<MatchStar>(start);
  if (at_soft(Soft::Underscore)) {
    ++pos_;
  } else {
    star->name = capture_target();
    if (!star->name) return nullptr;
  }
  return close(star);
}

ast::pattern* Parser::pattern() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  Token start = tok();
  ast::pattern* inner = or_pattern();
  if (!inner || peek() != Tok::As) return inner;
  ++pos_;
  size_t target = pos_;
  Identifier name = capture_target();
  if (!name) {
    if (diagnosing_ && !raised_) {
      pos_ = target;
      if (at_soft(Soft::Underscore)) return raise(Token(tok()), "cannot use '_' as a target");
      if (expr* e = expression())
        return raise(*e, std::string("cannot use ") + expr_name(e) + " as pattern target");
    }
    return nullptr;
  }
  auto* as = open<MatchAs>(start);
  as->pattern = inner;
  as->name = name;
  return close(as);
}

ast::pattern* Parser::or_pattern() {
  Token start = tok();
  ast::pattern* first = closed_pattern();
  if (!first || peek() != Tok::VBar) return first;
  ListBuilder<ast::pattern*> alternatives(arena_);
  alternatives.push(first);
  while (accept(Tok::VBar)) {
    ast::pattern* alternative = closed_pattern();
    if (!alternative) return nullptr;
    alternatives.push(alternative);
  }
  auto* result = open<MatchOr>(start);
  result->patterns = alternatives.finish();
  return close(result);
}

expr* Parser::signed_number() {
  Token start = tok();
  if (!accept(Tok::Minus)) return peek() == Tok::Number ? number() : nullptr;
  if (peek() != Tok::Number) return nullptr;
  auto* negative = open<UnaryOp>(start);
  negative->op = unaryop::USub;
  negative->operand = number();
  if (!negative->operand) return nullptr;
  return close(negative);
}

// A number as a pattern or key: signed, or complex as `1 + 2j`.
expr* Parser::pattern_number() {
  Token start = tok();
  expr* real = signed_number();
  if (!real || (peek() != Tok::Plus && peek() != Tok::Minus)) return real;
  auto is_complex = [](const expr* e) {
    if (auto* negative = e->dyn<UnaryOp>()) e = negative->operand;
    return e->as<Constant>()->value.kind == ConstantKind::Complex;
  };
  bool minus = peek() == Tok::Minus;
  ++pos_;
  if (peek() != Tok::Number) return nullptr;
  if (is_complex(real)) return raise(*real, "real number required in complex literal");
  expr* imaginary = number();
  if (!imaginary) return nullptr;
  if (!is_complex(imaginary)) return raise(*imaginary, "imaginary number required in complex literal");
  auto* sum = open<BinOp>(start);
  sum->left = real;
  sum->op = minus ? operator_::Sub : operator_::Add;
  sum->right = imaginary;
  return close(sum);
}

expr* Parser::name_or_attribute() {
  Token start = tok();
  auto* name = open<Name>(start);
  name->id = accept_name();
  if (!name->id) return nullptr;
  expr* result = close(name);
  while (accept(Tok::Dot)) {
    auto* attribute = open<Attribute>(start);
    attribute->value = result;
    attribute->attr = accept_name();
    if (!attribute->attr) return nullptr;
    result = close(attribute);
  }
  return result;
}

ast::pattern* Parser::closed_pattern() {
  Token start = tok();
  auto value_pattern = [&](expr* value) -> ast::pattern* {
    if (!value) return nullptr;
    auto* p = open<MatchValue>(start);
    p->value = value;
    return close(p);
  };
  switch (start.kind) {
    case Tok::Number:
    case Tok::Minus:
      return value_pattern(pattern_number());
    case Tok::String:
    case Tok::FStringStart:
    case Tok::TStringStart:
      return value_pattern(strings());
    case Tok::None:
    case Tok::True:
    case Tok::False: {
      ++pos_;
      auto* p = open<MatchSingleton>(start);
      p->value.kind = start.kind == Tok::None   ? ConstantKind::None
                      : start.kind == Tok::True ? ConstantKind::True
                                                : ConstantKind::False;
      return close(p);
    }
    case Tok::LPar:
      return sequence_or_group(Tok::RPar);
    case Tok::LSqb:
      return sequence_or_group(Tok::RSqb);
    case Tok::LBrace:
      return mapping_pattern();
    case Tok::Name: {
      Tok next = peek(1);
      if (next != Tok::Dot && next != Tok::LPar && next != Tok::Equal) {
        auto* p = open<MatchAs>(start);
        if (start.soft != Soft::Underscore) p->name = identifier(start);
        ++pos_;
        return close(p);
      }
      if (next == Tok::Equal) return nullptr;
      expr* name = name_or_attribute();
      if (!name) return nullptr;
      if (peek() == Tok::LPar) return class_pattern(name);
      if (!name->is<Attribute>() || peek() == Tok::Equal) return nullptr;
      return value_pattern(name);
    }
    default:
      return nullptr;
  }
}

// `(p)` is its pattern; `()`, `(p,)`, `[...]` are sequences.
ast::pattern* Parser::sequence_or_group(Tok closer) {
  Token start = tok();
  ++pos_;
  ListBuilder<ast::pattern*> items(arena_);
  bool has_comma = false;
  while (peek() != closer) {
    ast::pattern* item = maybe_star_pattern();
    if (!item) return nullptr;
    items.push(item);
    if (!accept(Tok::Comma)) break;
    has_comma = true;
  }
  if (!accept(closer)) return nullptr;
  if (closer == Tok::RPar && items.size() == 1 && !has_comma) {
    return items[0]->is<MatchStar>() ? nullptr : items[0];
  }
  auto* sequence = open<MatchSequence>(start);
  sequence->patterns = items.finish();
  return close(sequence);
}

ast::pattern* Parser::mapping_pattern() {
  auto* mapping = open<MatchMapping>(tok());
  ++pos_;
  ListBuilder<expr*> keys(arena_);
  ListBuilder<ast::pattern*> values(arena_);
  while (peek() != Tok::RBrace) {
    if (accept(Tok::DoubleStar)) {
      mapping->rest = capture_target();
      if (!mapping->rest) return nullptr;
      accept(Tok::Comma);
      break;
    }
    expr* key = nullptr;
    Token start = tok();
    switch (start.kind) {
      case Tok::Number:
      case Tok::Minus:
        key = pattern_number();
        break;
      case Tok::String:
      case Tok::FStringStart:
      case Tok::TStringStart:
        key = strings();
        break;
      case Tok::None:
        key = constant(start, ConstantKind::None);
        break;
      case Tok::True:
        key = constant(start, ConstantKind::True);
        break;
      case Tok::False:
        key = constant(start, ConstantKind::False);
        break;
      case Tok::Name:
        if (peek(1) != Tok::Dot) return nullptr;
        key = name_or_attribute();
        break;
      default:
        return nullptr;
    }
    if (!key || !accept(Tok::Colon)) return nullptr;
    ast::pattern* value = pattern();
    if (!value) return nullptr;
    keys.push(key);
    values.push(value);
    if (!accept(Tok::Comma)) break;
  }
  if (!accept(Tok::RBrace)) return nullptr;
  mapping->keys = keys.finish();
  mapping->patterns = values.finish();
  return close(mapping);
}

ast::pattern* Parser::class_pattern(expr* cls) {
  auto* result = open<MatchClass>(*cls);
  result->cls = cls;
  size_t after_open = ++pos_;
  ListBuilder<ast::pattern*> positional(arena_), keyword_patterns(arena_);
  ListBuilder<Identifier> names(arena_);
  while (peek() != Tok::RPar) {
    if (peek() == Tok::Name && peek(1) == Tok::Equal) {
      names.push(accept_name());
      ++pos_;
      ast::pattern* value = pattern();
      if (!value) return nullptr;
      keyword_patterns.push(value);
    } else {
      if (!names.empty()) {
        if (diagnosing_) diagnose_class_pattern(after_open);
        return nullptr;
      }
      ast::pattern* value = pattern();
      if (!value) return nullptr;
      positional.push(value);
    }
    if (!accept(Tok::Comma)) break;
  }
  if (!accept(Tok::RPar)) return nullptr;
  result->patterns = positional.finish();
  result->kwd_attrs = names.finish();
  result->kwd_patterns = keyword_patterns.finish();
  return close(result);
}

}  // namespace amphis
