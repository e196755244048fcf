// Primaries: atoms, displays and comprehensions, and the trailers that attach to them (calls, subscripts,
// attributes).
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

expr* Parser::primary() {
  if (!memoizing_) return primary_plain();
  void* known;
  if (recall(kPrimary, known)) return static_cast<expr*>(known);
  size_t start = pos_;
  return remember(kPrimary, start, primary_plain());
}

expr* Parser::primary_plain() {
  Location start{tok().line, tok().col, 0, 0};
  expr* left = atom();
  if (!left) return nullptr;
  for (;;) {
    size_t mark = pos_;
    if (diagnosing_ && (peek() == Tok::LSqb || peek() == Tok::LBrace)) {
      // The grammar looks for a generator expression after every primary, and its mistakes begin with any
      // bracket.
      diagnose_comprehension(mark);
      if (raised_) return nullptr;
      pos_ = mark;
    }
    switch (peek()) {
      case Tok::Dot: {
        ++pos_;
        Identifier name = accept_name();
        if (!name) {
          pos_ = mark;
          return left;
        }
        auto* attribute = open<Attribute>(start);
        attribute->value = left;
        attribute->attr = name;
        left = close(attribute);
        break;
      }
      case Tok::LPar: {
        auto* call = open<Call>(start);
        call->func = left;
        if (peek(1) == Tok::RPar) {
          pos_ += 2;
          left = close(call);
          break;
        }
        if (diagnosing_) {
          // The grammar tries a generator expression as the sole argument before anything else.
          expr* generator = genexp_at_parenthesis();
          if (raised_) return nullptr;
          if (generator) {
            call->args = {arena_.make<expr*>(generator), 1};
            left = close(call);
            break;
          }
          pos_ = mark;
        }
        ++pos_;
        CallArguments passed;
        Token open_token = tokens_[mark];
        if (!diagnosing_ && peek() != Tok::Star && peek() != Tok::DoubleStar &&
            !(peek() == Tok::Name && peek(1) == Tok::Equal)) {
          // The first argument decides: followed by `for`, it is a generator expression.
          expr* first = argument_expression();
          if (first && starts_comprehension()) {
            auto* generator = open<GeneratorExp>(open_token);
            generator->elt = first;
            if (for_if_clauses(generator->generators) && accept(Tok::RPar)) {
              expr* sole = close(generator);
              call->args = {arena_.make<expr*>(sole), 1};
              left = close(call);
              break;
            }
            if (raised_) return nullptr;
            pos_ = mark;
            return left;
          }
          if (raised_) return nullptr;
          if (first && accept(Tok::RPar)) {
            call->args = {arena_.make<expr*>(first), 1};
            left = close(call);
            break;
          }
          if (!first) {
            pos_ = mark;
            return left;
          }
          ListBuilder<expr*> args(arena_);
          ListBuilder<keyword*> keywords(arena_);
          args.push(first);
          if (!arguments_plain(passed, args, keywords) || !accept(Tok::RPar)) {
            if (raised_) return nullptr;
            pos_ = mark;
            return left;
          }
        } else if (!arguments(passed) || !accept(Tok::RPar)) {
          if (raised_) return nullptr;
          pos_ = mark;
          return left;
        }
        call->args = passed.args;
        call->keywords = passed.keywords;
        left = close(call);
        break;
      }
      case Tok::LSqb: {
        ++pos_;
        expr* index = slices();
        if (!index || !accept(Tok::RSqb)) {
          if (raised_) return nullptr;
          pos_ = mark;
          return left;
        }
        auto* subscript = open<Subscript>(start);
        subscript->value = left;
        subscript->slice = index;
        left = close(subscript);
        break;
      }
      default:
        return left;
    }
  }
}

expr* Parser::slice() {
  Token start = tok();
  expr* lower = nullptr;
  if (peek() != Tok::Colon) {
    if (peek() == Tok::Name && peek(1) == Tok::ColonEqual) return named_expression();
    // `x:` begins a slice, else a named expression stands here.
    size_t mark = pos_;
    lower = expression();
    if (raised_) return nullptr;
    if (!lower || peek() != Tok::Colon) {
      if (!diagnosing_ && lower && peek() != Tok::ColonEqual) return lower;
      pos_ = mark;
      return named_expression();
    }
  }
  auto* s = open<Slice>(start);
  s->lower = lower;
  ++pos_;
  auto part = [this](expr*& out) {
    Tok next = peek();
    if (next == Tok::Colon || next == Tok::Comma || next == Tok::RSqb) return true;
    size_t before = pos_;
    out = expression();
    if (!out) pos_ = before;
    return !raised_;
  };
  if (!part(s->upper)) return nullptr;
  if (accept(Tok::Colon) && !part(s->step)) return nullptr;
  return close(s);
}

// What stands between brackets: one slice, or a tuple of slices and starred expressions (PEP 646).
expr* Parser::slices() {
  Token start = tok();
  auto item = [this]() { return peek() == Tok::Star ? starred_expression() : slice(); };
  expr* first = item();
  if (!first) return nullptr;
  if (peek() != Tok::Comma && !first->is<Starred>()) return first;
  ListBuilder<expr*> items(arena_);
  items.push(first);
  while (accept(Tok::Comma)) {
    if (peek() == Tok::RSqb) break;
    size_t mark = pos_;
    expr* next = item();
    if (raised_) return nullptr;
    if (!next) {
      pos_ = mark;
      break;
    }
    items.push(next);
  }
  auto* tuple = open<Tuple>(start);
  tuple->elts = items.finish();
  return close(tuple);
}

expr* Parser::atom() {
  const Token& t = tok();
  switch (t.kind) {
    case Tok::Name: {
      auto* name = open<Name>(t);
      name->id = identifier(t);
      name->end_lineno = t.end_line;
      name->end_col_offset = t.end_col;
      ++pos_;
      return name;
    }
    case Tok::True:
      return constant(t, ConstantKind::True);
    case Tok::False:
      return constant(t, ConstantKind::False);
    case Tok::None:
      return constant(t, ConstantKind::None);
    case Tok::Ellipsis:
      return constant(t, ConstantKind::Ellipsis);
    case Tok::Number:
      return number();
    case Tok::String:
    case Tok::FStringStart:
    case Tok::TStringStart:
      return strings();
    case Tok::LPar:
      return parenthesised();
    case Tok::LSqb:
      return bracketed();
    case Tok::LBrace:
      return braced();
    default:
      return nullptr;
  }
}

// `(`: a tuple, a group or a generator expression.
expr* Parser::parenthesised() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  size_t mark = pos_;
  Token start = tok();
  ++pos_;
  if (accept(Tok::RPar)) return close(open<Tuple>(start));
  if (peek() == Tok::Yield) {
    expr* inner = yield_expression();
    return inner && accept(Tok::RPar) ? inner : nullptr;
  }
  expr* first = star_named_expression();
  if (raised_) return nullptr;
  if (first) {
    if (peek() == Tok::Comma) {
      ListBuilder<expr*> items(arena_);
      items.push(first);
      while (accept(Tok::Comma)) {
        if (peek() == Tok::RPar) break;
        size_t before = pos_;
        expr* item = star_named_expression();
        if (raised_) return nullptr;
        if (!item) {
          pos_ = before;
          break;
        }
        items.push(item);
      }
      if (accept(Tok::RPar)) {
        auto* tuple = open<Tuple>(start);
        tuple->elts = items.finish();
        return close(tuple);
      }
    } else if (!first->is<Starred>()) {
      if (accept(Tok::RPar)) return first;
      if (starts_comprehension()) {
        auto* generator = open<GeneratorExp>(start);
        generator->elt = first;
        if (for_if_clauses(generator->generators) && accept(Tok::RPar)) return close(generator);
      }
    }
  }
  if (diagnosing_ && !raised_) {
    pos_ = mark;
    diagnose_group(mark);
    if (raised_) return nullptr;
    pos_ = mark;
    diagnose_comprehension(mark);
  }
  return nullptr;
}

// In the diagnosing pass, at the parenthesis of a call: a generator expression as the only argument.
expr* Parser::genexp_at_parenthesis() {
  size_t mark = pos_;
  Token start = tok();
  ++pos_;
  expr* element = argument_expression();
  if (raised_) return nullptr;
  if (element && starts_comprehension()) {
    auto* generator = open<GeneratorExp>(start);
    generator->elt = element;
    if (for_if_clauses(generator->generators) && accept(Tok::RPar)) return close(generator);
    if (raised_) return nullptr;
  }
  pos_ = mark;
  diagnose_comprehension(mark);
  return nullptr;
}

// `[`: a list or a list comprehension.
expr* Parser::bracketed() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  size_t mark = pos_;
  Token start = tok();
  ++pos_;
  if (accept(Tok::RSqb)) return close(open<List>(start));
  expr* first = star_named_expression();
  if (raised_) return nullptr;
  if (first && starts_comprehension() && !first->is<Starred>()) {
    auto* comp = open<ListComp>(start);
    comp->elt = first;
    if (for_if_clauses(comp->generators) && accept(Tok::RSqb)) return close(comp);
  } else if (first) {
    ListBuilder<expr*> items(arena_);
    items.push(first);
    while (accept(Tok::Comma)) {
      if (peek() == Tok::RSqb) break;
      size_t before = pos_;
      expr* item = star_named_expression();
      if (raised_) return nullptr;
      if (!item) {
        pos_ = before;
        break;
      }
      items.push(item);
    }
    if (accept(Tok::RSqb)) {
      auto* list = open<List>(start);
      list->elts = items.finish();
      return close(list);
    }
  }
  if (diagnosing_ && !raised_) {
    pos_ = mark;
    diagnose_comprehension(mark);
  }
  return nullptr;
}

// After `{`, if a dictionary is what follows: `matched` says that it was one up to the closing brace. The
// first key may have been read already, up to its colon.
//
// A display that begins as a dictionary and goes wrong is diagnosed in the first pass already: that is where
// the grammar does it, so that mistakes inside of it go unnoticed.
expr* Parser::dict_rest(const Token& start, expr* first_key, bool& matched) {
  matched = false;
  ListBuilder<expr*> keys(arena_), values(arena_);
  bool is_comprehension = false;
  expr* comp_key = nullptr;
  for (;;) {
    if (peek() == Tok::RBrace) break;
    if (accept(Tok::DoubleStar)) {
      expr* value = bitwise_or();
      if (!value) return nullptr;
      keys.push(nullptr);
      values.push(value);
    } else {
      expr* key = first_key ? first_key : expression();
      first_key = nullptr;
      if (!key || !accept(Tok::Colon)) return nullptr;
      expr* value = expression();
      if (!value) return nullptr;
      if (values.empty() && starts_comprehension()) {
        is_comprehension = true;
        comp_key = key;
        values.push(value);
        break;
      }
      keys.push(key);
      values.push(value);
    }
    if (!accept(Tok::Comma)) break;
  }
  if (is_comprehension) {
    auto* comp = open<DictComp>(start);
    comp->key = comp_key;
    comp->value = values[0];
    if (!for_if_clauses(comp->generators) || !accept(Tok::RBrace)) return nullptr;
    matched = true;
    return close(comp);
  }
  if (!accept(Tok::RBrace)) return nullptr;
  matched = true;
  auto* dict = open<Dict>(start);
  dict->keys = keys.finish();
  dict->values = values.finish();
  return close(dict);
}

// `{`: a dictionary, a set, or a comprehension of either.
expr* Parser::braced() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  size_t mark = pos_;
  Token start = tok();
  ++pos_;
  if (accept(Tok::RBrace)) return close(open<Dict>(start));
  bool matched = false;
  if (diagnosing_ || peek() == Tok::DoubleStar) {
    expr* dict = dict_rest(start, nullptr, matched);
    if (matched || raised_) return dict;
    diagnose_dict_items(mark);
    if (raised_ || !diagnosing_) return nullptr;
    pos_ = mark + 1;
  }
  expr* first = star_named_expression();
  if (raised_) return nullptr;
  if (first && !diagnosing_ && peek() == Tok::Colon && !first->is<Starred>() &&
      !(tokens_[mark + 1].kind == Tok::Name && tokens_[mark + 2].kind == Tok::ColonEqual)) {
    // A dictionary after all: its first key has been read.
    expr* dict = dict_rest(start, first, matched);
    if (!matched && !raised_) diagnose_dict_items(mark);
    return dict;
  }
  if (first && starts_comprehension() && !first->is<Starred>()) {
    if (diagnosing_) {
      size_t here = pos_;
      pos_ = mark;
      diagnose_dict_comprehension(mark);
      if (raised_) return nullptr;
      pos_ = here;
    }
    auto* comp = open<SetComp>(start);
    comp->elt = first;
    if (for_if_clauses(comp->generators) && accept(Tok::RBrace)) return close(comp);
  } else if (first) {
    ListBuilder<expr*> items(arena_);
    items.push(first);
    while (accept(Tok::Comma)) {
      if (peek() == Tok::RBrace) break;
      size_t before = pos_;
      expr* item = star_named_expression();
      if (raised_) return nullptr;
      if (!item) {
        pos_ = before;
        break;
      }
      items.push(item);
    }
    if (accept(Tok::RBrace)) {
      auto* set = open<Set>(start);
      set->elts = items.finish();
      return close(set);
    }
  }
  if (diagnosing_ && !raised_) {
    pos_ = mark;
    diagnose_dict_comprehension(mark);
    if (raised_) return nullptr;
    pos_ = mark;
    diagnose_comprehension(mark);
  }
  return nullptr;
}

ast::comprehension* Parser::for_if_clause() {
  size_t mark = pos_;
  auto* c = arena_.make<comprehension>();
  c->is_async = accept(Tok::Async);
  if (!accept(Tok::For)) return nullptr;
  c->target = star_targets();
  if (!c->target || !accept(Tok::In)) {
    if (diagnosing_ && !raised_) {
      pos_ = mark;
      diagnose_for_if_clause(mark);
      if (raised_) return nullptr;
      pos_ = mark + (c->is_async ? 1 : 0);
      diagnose_for_target(pos_);
    }
    return nullptr;
  }
  c->iter = disjunction();
  if (!c->iter) return nullptr;
  ListBuilder<expr*> conditions(arena_);
  while (peek() == Tok::If) {
    size_t before = pos_++;
    expr* condition = disjunction();
    if (raised_) return nullptr;
    if (!condition) {
      pos_ = before;
      break;
    }
    conditions.push(condition);
  }
  c->ifs = conditions.finish();
  return c;
}

bool Parser::for_if_clauses(Seq<comprehension*>& out) {
  ListBuilder<comprehension*> clauses(arena_);
  do {
    comprehension* clause = for_if_clause();
    if (!clause) return false;
    clauses.push(clause);
  } while (starts_comprehension());
  out = clauses.finish();
  return true;
}

// A positional argument: an assignment expression, or an expression that is not followed by `:=`.
expr* Parser::argument_expression() {
  if (peek() == Tok::Name && peek(1) == Tok::ColonEqual) return named_expression();
  expr* e = expression();
  if (e && peek() == Tok::ColonEqual) return nullptr;
  return e;
}

expr* Parser::starred_expression() {
  Token start = tok();
  if (start.kind != Tok::Star) return nullptr;
  size_t mark = pos_;
  if (diagnosing_) {
    diagnose_starred();
    if (raised_) return nullptr;
    pos_ = mark;
  }
  ++pos_;
  auto* star = open<Starred>(start);
  star->value = expression();
  if (star->value) return close(star);
  if (diagnosing_ && !raised_) {
    pos_ = mark + 1;
    raise_last("Invalid star expression");
  }
  return nullptr;
}

// The arguments of a call or class statement, up to the closing parenthesis, which is not consumed.
bool Parser::arguments(CallArguments& out) {
  size_t start = pos_;
  ListBuilder<expr*> args(arena_);
  ListBuilder<keyword*> keywords(arena_);
  if (arguments_plain(out, args, keywords) && peek() == Tok::RPar) return true;
  if (diagnosing_ && !raised_) {
    pos_ = start;
    diagnose_arguments(start);
  }
  return false;
}

// The grammar's order: positional and starred arguments; then keywords and starred ones; then keywords and
// `**`. Called with the positional arguments read so far. Stops where no argument matches.
bool Parser::arguments_plain(CallArguments& out, ListBuilder<expr*>& args, ListBuilder<keyword*>& keywords) {
  bool seen_keyword = false;
  bool seen_double_star = false;
  size_t end = pos_;
  bool need_comma = !args.empty();
  for (;;) {
    if (need_comma) {
      end = pos_;
      if (!accept(Tok::Comma)) break;
    }
    need_comma = true;
    Tok next = peek();
    if (next == Tok::RPar) {
      end = pos_;  // a trailing comma belongs to the list
      break;
    }
    Token start = tok();
    if (next == Tok::Star) {
      if (seen_double_star) break;
      size_t mark = pos_;
      expr* star = starred_expression();
      if (raised_) return false;
      if (!star || (peek() == Tok::Equal && !seen_keyword)) {
        pos_ = mark;
        break;
      }
      args.push(star);
      continue;
    }
    bool is_keyword = next == Tok::DoubleStar || (next == Tok::Name && peek(1) == Tok::Equal);
    if (!is_keyword && !seen_keyword && !seen_double_star) {
      size_t mark = pos_;
      expr* value = argument_expression();
      if (raised_) return false;
      if (value && peek() != Tok::Equal) {
        args.push(value);
        continue;
      }
      pos_ = mark;
    }
    if (diagnosing_) {
      size_t mark = pos_;
      diagnose_keyword_argument();
      if (raised_) return false;
      pos_ = mark;
    }
    if (!is_keyword) break;
    auto* k = open<keyword>(start);
    if (next == Tok::DoubleStar) {
      ++pos_;
      seen_double_star = true;
    } else {
      k->arg = accept_name();
      ++pos_;
    }
    seen_keyword = true;
    k->value = expression();
    if (!k->value) {
      if (raised_) return false;
      break;
    }
    keywords.push(close(k));
  }
  pos_ = end;
  out.args = args.finish();
  out.keywords = keywords.finish();
  return !args.empty() || !keywords.empty();
}

}  // namespace amphis
