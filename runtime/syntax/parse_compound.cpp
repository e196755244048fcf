// Compound statements other than `match`, their blocks and headers.
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

bool Parser::block(Seq<stmt*>& out) {
  ListBuilder<stmt*> body(arena_);
  if (accept(Tok::Newline)) {
    if (!accept(Tok::Indent)) {
      if (diagnosing_) raise_last("expected an indented block", SyntaxErrorKind::IndentationError);
      return false;
    }
    if (!statements(body, false)) return false;
  } else if (!simple_statements(body)) {
    return false;
  }
  out = body.finish();
  return true;
}

// A token that nothing else can stand for: its absence is the error unless a mistake is found after all.
bool Parser::expect_forced(Tok kind) {
  if (raised_) return false;
  if (accept(kind)) return true;
  if (!diagnosing_ || raised_) return false;
  raise(Token(tok()), "expected '" + std::string(token_spelling(kind)) + "'");
  soft_error_ = error_;
  error_ = {};
  raised_ = false;
  return false;
}

bool Parser::diagnose_header(const char* what, int line) {
  if (!diagnosing_) return false;
  size_t mark = pos_;
  if (accept(Tok::Newline)) {
    raise_last("expected ':'");
  } else if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
    raise_indented_block(what, line);
  }
  pos_ = mark;
  return raised_;
}

stmt* Parser::if_statement(bool is_elif) {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  auto* s = open<If>(tok());
  ++pos_;
  s->test = named_expression();
  if (!s->test) return nullptr;
  if (diagnose_header(is_elif ? "'elif' statement" : "'if' statement", s->lineno)) return nullptr;
  if (!accept(Tok::Colon) || !block(s->body)) return nullptr;
  if (peek() == Tok::Elif) {
    stmt* rest = if_statement(true);
    if (!rest) return nullptr;
    s->orelse = {arena_.make<stmt*>(rest), 1};
  } else if (!else_block(s->orelse)) {
    return nullptr;
  }
  return close(s);
}

// An optional `else`. False only when one is there and wrong.
bool Parser::else_block(Seq<stmt*>& out) {
  if (peek() != Tok::Else) return true;
  Token start = tok();
  ++pos_;
  if (diagnosing_) {
    size_t mark = pos_;
    if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
      raise_indented_block("'else' statement", start.line);
      return false;
    }
    pos_ = mark;
  }
  if (!expect_forced(Tok::Colon) || !block(out)) return false;
  if (diagnosing_ && peek() == Tok::Elif) {
    raise(Token(tok()), "'elif' block follows an 'else' block");
    return false;
  }
  return true;
}

stmt* Parser::while_statement() {
  auto* s = open<While>(tok());
  ++pos_;
  s->test = named_expression();
  if (!s->test) return nullptr;
  if (diagnose_header("'while' statement", s->lineno)) return nullptr;
  if (!accept(Tok::Colon) || !block(s->body) || !else_block(s->orelse)) return nullptr;
  return close(s);
}

stmt* Parser::for_statement(const Token& start, bool is_async) {
  if (is_async) ++pos_;
  int line = tok().line;
  size_t mark = pos_++;
  expr* target = star_targets();
  if (!target || !accept(Tok::In)) {
    if (diagnosing_ && !raised_) diagnose_for_target(mark);
    return nullptr;
  }
  expr* iter = star_expressions();
  if (!iter) return nullptr;
  if (diagnose_header("'for' statement", line)) return nullptr;
  auto fill = [&](auto* s) -> stmt* {
    s->target = target;
    s->iter = iter;
    if (!accept(Tok::Colon) || !block(s->body) || !else_block(s->orelse)) return nullptr;
    return close(s);
  };
  if (is_async) return fill(open<AsyncFor>(start));
  return fill(open<For>(start));
}

ast::withitem* Parser::with_item() {
  auto* item = arena_.make<withitem>();
  size_t start = pos_;
  item->context_expr = expression();
  if (!item->context_expr) return nullptr;
  if (peek() == Tok::As) {
    size_t as = pos_++;
    expr* target = star_target();
    if (raised_) return nullptr;
    Tok next = target ? peek() : Tok::Error;
    if (next == Tok::Comma || next == Tok::RPar || next == Tok::Colon) {
      set_context(target, expr_context::Store);
      item->optional_vars = target;
      return item;
    }
    if (diagnosing_) {
      diagnose_with_item(start);
      if (raised_) return nullptr;
    }
    pos_ = as;
  }
  return item;
}

bool Parser::with_items(ListBuilder<withitem*>& items, bool in_parentheses) {
  for (;;) {
    withitem* item = with_item();
    if (!item) return false;
    items.push(item);
    if (!accept(Tok::Comma)) break;
    if (in_parentheses && peek() == Tok::RPar) break;
  }
  return in_parentheses ? accept(Tok::RPar) : true;
}

stmt* Parser::with_statement(const Token& start, bool is_async) {
  size_t mark = pos_;
  if (diagnosing_) {
    diagnose_with(mark);
    if (raised_) return nullptr;
    pos_ = mark;
  }
  pos_ += is_async ? 2 : 1;
  size_t after_keyword = pos_;
  auto fill = [&](ListBuilder<withitem*>& items) -> stmt* {
    auto body_of = [&](auto* s) -> stmt* {
      s->items = items.finish();
      if (!block(s->body)) return nullptr;
      return close(s);
    };
    if (is_async) return body_of(open<AsyncWith>(start));
    return body_of(open<With>(start));
  };
  if (accept(Tok::LPar)) {
    // `with (a as b, c as d):`; anything else in parentheses is an expression and read again as one.
    ListBuilder<withitem*> items(arena_);
    if (with_items(items, true) && accept(Tok::Colon)) return fill(items);
    if (raised_) return nullptr;
    pos_ = after_keyword;
  }
  ListBuilder<withitem*> items(arena_);
  if (with_items(items, false) && accept(Tok::Colon)) return fill(items);
  return nullptr;
}

stmt* Parser::try_statement() {
  Token start = tok();
  ++pos_;
  if (diagnosing_) {
    size_t mark = pos_;
    if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
      raise_indented_block("'try' statement", start.line);
      return nullptr;
    }
    pos_ = mark;
  }
  if (!expect_forced(Tok::Colon)) return nullptr;
  Seq<stmt*> body, orelse, finalbody;
  if (!block(body)) return nullptr;
  if (peek() != Tok::Except && peek() != Tok::Finally) {
    if (diagnosing_) raise_last("expected 'except' or 'finally' block");
    return nullptr;
  }
  ListBuilder<excepthandler*> handlers(arena_);
  bool is_star = peek() == Tok::Except && peek(1) == Tok::Star;
  while (peek() == Tok::Except) {
    Token except = tok();
    if ((peek(1) == Tok::Star) != is_star) {
      // Mixing the two kinds: an error once the header is sound.
      if (!diagnosing_) return nullptr;
      size_t mark = pos_;
      Token star = at(pos_ + 1);
      pos_ += is_star ? 1 : 2;
      bool sound = is_star && peek() == Tok::Colon;
      if (!sound && expression()) {
        if (accept(Tok::As))
          sound = accept_name() != nullptr;
        else
          sound = true;
      }
      if (raised_) return nullptr;
      if (sound && peek() == Tok::Colon) {
        const char* message = "cannot have both 'except' and 'except*' on the same 'try'";
        if (is_star) return raise(except, message);
        return raise_range(except, star, message);
      }
      pos_ = mark;
      return nullptr;
    }
    excepthandler* handler = except_block(is_star);
    if (!handler) return nullptr;
    handlers.push(handler);
  }
  if (!handlers.empty() && !else_block(orelse)) return nullptr;
  if (peek() == Tok::Finally) {
    Token finally = tok();
    ++pos_;
    if (diagnosing_) {
      size_t mark = pos_;
      if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
        raise_indented_block("'finally' statement", finally.line);
        return nullptr;
      }
      pos_ = mark;
    }
    if (!expect_forced(Tok::Colon) || !block(finalbody)) return nullptr;
  }
  auto fill = [&](auto* s) -> stmt* {
    s->body = body;
    s->handlers = handlers.finish();
    s->orelse = orelse;
    s->finalbody = finalbody;
    return close(s);
  };
  if (is_star) return fill(open<TryStar>(start));
  return fill(open<Try>(start));
}

ast::excepthandler* Parser::except_block(bool is_star) {
  size_t start = pos_;
  auto* h = open<ExceptHandler>(tok());
  auto no_match = [&]() -> excepthandler* {
    if (diagnosing_ && !raised_) {
      pos_ = start;
      diagnose_except(start, is_star);
    }
    return nullptr;
  };
  pos_ += is_star ? 2 : 1;
  if (is_star || peek() != Tok::Colon) {
    if (peek() == Tok::Newline) return no_match();
    h->type = expression();
    if (!h->type) return no_match();
    if (peek() == Tok::As) {
      ++pos_;
      h->name = accept_name();
      if (!h->name) return no_match();
    } else if (peek() == Tok::Comma) {
      // PEP 758: several types without parentheses
      h->type = tuple_rest(tokens_[start + (is_star ? 2 : 1)], h->type, &Parser::expression);
      if (!h->type) return no_match();
    }
  }
  if (diagnosing_) {
    size_t mark = pos_;
    if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
      raise_indented_block(is_star ? "'except*' statement" : "'except' statement", h->lineno);
      return nullptr;
    }
    pos_ = mark;
  }
  if (!accept(Tok::Colon)) return no_match();
  if (!block(h->body)) return no_match();
  return close(h);
}

stmt* Parser::decorated() {
  ListBuilder<expr*> decorators(arena_);
  while (accept(Tok::At)) {
    expr* decorator = named_expression();
    if (!decorator || !accept(Tok::Newline)) return nullptr;
    decorators.push(decorator);
  }
  Seq<expr*> list = decorators.finish();
  Token start = tok();
  switch (start.kind) {
    case Tok::Def:
      return function_def(start, false, list);
    case Tok::Class:
      return class_def(start, list);
    case Tok::Async:
      return peek(1) == Tok::Def ? function_def(start, true, list) : nullptr;
    default:
      return nullptr;
  }
}

stmt* Parser::function_def(const Token& start, bool is_async, Seq<expr*> decorators) {
  if (is_async) ++pos_;
  int line = tok().line;
  ++pos_;
  Identifier name = accept_name();
  if (!name) return nullptr;
  auto fill = [&](auto* s) -> stmt* {
    s->name = name;
    s->decorator_list = decorators;
    if (peek() == Tok::LSqb) {
      size_t mark = pos_;
      if (!type_params(s->type_params)) pos_ = mark;
    }
    if (!expect_forced(Tok::LPar)) return nullptr;
    if (peek() == Tok::RPar) {
      s->args = arena_.make<ast::arguments>();
    } else {
      s->args = parameters(false);
      if (!s->args) return nullptr;
    }
    if (!accept(Tok::RPar)) return nullptr;
    if (accept(Tok::RArrow)) {
      size_t arrow = pos_ - 1;
      s->returns = expression();
      if (raised_) return nullptr;
      if (!s->returns) pos_ = arrow;
    }
    if (diagnosing_) {
      size_t mark = pos_;
      if (accept(Tok::Colon) && accept(Tok::Newline) && peek() != Tok::Indent) {
        raise_indented_block("function definition", line);
        return nullptr;
      }
      pos_ = mark;
    }
    if (!expect_forced(Tok::Colon) || !block(s->body)) return nullptr;
    return close(s);
  };
  if (is_async) return fill(open<AsyncFunctionDef>(start));
  return fill(open<FunctionDef>(start));
}

stmt* Parser::class_def(const Token& start, Seq<expr*> decorators) {
  auto* s = open<ClassDef>(start);
  s->decorator_list = decorators;
  ++pos_;
  s->name = accept_name();
  if (!s->name) return nullptr;
  if (peek() == Tok::LSqb && !type_params(s->type_params)) return nullptr;
  if (accept(Tok::LPar)) {
    if (peek() != Tok::RPar) {
      CallArguments bases;
      if (!arguments(bases)) return nullptr;
      s->bases = bases.args;
      s->keywords = bases.keywords;
    }
    if (!accept(Tok::RPar)) return nullptr;
  }
  if (diagnose_header("class definition", start.line)) return nullptr;
  if (!accept(Tok::Colon) || !block(s->body)) return nullptr;
  return close(s);
}

bool Parser::type_params(Seq<ast::type_param*>& out) {
  ++pos_;
  if (diagnosing_ && peek() == Tok::RSqb) {
    raise_from(Token(tok()), "Type parameter list cannot be empty");
    return false;
  }
  ListBuilder<ast::type_param*> params(arena_);
  do {
    if (!params.empty() && peek() == Tok::RSqb) break;
    ast::type_param* p = type_param();
    if (!p) return false;
    params.push(p);
  } while (accept(Tok::Comma));
  if (!accept(Tok::RSqb)) return false;
  out = params.finish();
  return true;
}

ast::type_param* Parser::type_param() {
  Token start = tok();
  auto finish_default = [&](expr*& slot, expr* (Parser::*value)()) {
    if (peek() != Tok::Equal) return true;
    size_t equal = pos_++;
    slot = (this->*value)();
    if (!slot) pos_ = equal;
    return !raised_;
  };
  if (start.kind == Tok::Star || start.kind == Tok::DoubleStar) {
    bool is_tuple = start.kind == Tok::Star;
    ++pos_;
    Identifier name = accept_name();
    if (!name) return nullptr;
    if (diagnosing_ && peek() == Tok::Colon) {
      Token colon = tok();
      ++pos_;
      expr* bound = expression();
      if (bound) {
        std::string what = bound->is<Tuple>() ? "cannot use constraints with " : "cannot use bound with ";
        return raise_from(colon, what + (is_tuple ? "TypeVarTuple" : "ParamSpec"));
      }
      return nullptr;
    }
    if (is_tuple) {
      auto* p = open<TypeVarTuple>(start);
      p->name = name;
      if (!finish_default(p->default_value, &Parser::star_expression)) return nullptr;
      return close(p);
    }
    auto* p = open<ParamSpec>(start);
    p->name = name;
    if (!finish_default(p->default_value, &Parser::expression)) return nullptr;
    return close(p);
  }
  auto* p = open<TypeVar>(start);
  p->name = accept_name();
  if (!p->name) return nullptr;
  if (accept(Tok::Colon)) {
    p->bound = expression();
    if (!p->bound) return nullptr;
  }
  if (!finish_default(p->default_value, &Parser::expression)) return nullptr;
  return close(p);
}

ast::arg* Parser::parameter(bool is_lambda, bool star_annotation) {
  auto* a = open<arg>(tok());
  a->arg = accept_name();
  if (!a->arg) return nullptr;
  if (!is_lambda && accept(Tok::Colon)) {
    a->annotation = star_annotation ? star_expression() : expression();
    if (!a->annotation) return nullptr;
  }
  return close(a);
}

// At `=`: the default value.
expr* Parser::parameter_default() {
  Token equal = tok();
  ++pos_;
  expr* value = expression();
  if (value || raised_) return value;
  if (diagnosing_ && (peek() == Tok::RPar || peek() == Tok::Comma)) {
    raise(equal, "expected default value expression");
  }
  return nullptr;
}

// The parameters of a function or lambda, up to the closing token, which is not consumed.
ast::arguments* Parser::parameters(bool is_lambda) {
  Tok terminator = is_lambda ? Tok::Colon : Tok::RPar;
  if (diagnosing_) {
    size_t mark = pos_;
    diagnose_parameters(is_lambda);
    if (raised_) return nullptr;
    pos_ = mark;
  }
  auto* result = arena_.make<ast::arguments>();
  ListBuilder<arg*> positional(arena_), keyword_only(arena_);
  ListBuilder<expr*> defaults(arena_), keyword_defaults(arena_);
  bool seen_slash = false;
  bool seen_star = false;
  bool has_item = false;
  auto next_item = [&] { return accept(Tok::Comma) ? true : peek() == terminator; };
  while (peek() != terminator) {
    if (peek() == Tok::Slash) {
      if (seen_slash || seen_star || positional.empty()) return nullptr;
      seen_slash = true;
      ++pos_;
      result->posonlyargs = positional.finish();
      positional.clear();
      if (!next_item()) return nullptr;
    } else if (peek() == Tok::Star) {
      if (diagnosing_) {
        size_t mark = pos_;
        diagnose_star_etc(is_lambda);
        if (raised_) return nullptr;
        pos_ = mark;
      }
      if (seen_star) return nullptr;
      seen_star = true;
      ++pos_;
      if (accept(Tok::Comma)) {
        if (peek() != Tok::Name) return nullptr;
      } else {
        result->vararg = parameter(is_lambda, true);
        if (!result->vararg || !next_item()) return nullptr;
      }
    } else if (peek() == Tok::DoubleStar) {
      if (diagnosing_) {
        size_t mark = pos_;
        diagnose_kwds(is_lambda);
        if (raised_) return nullptr;
        pos_ = mark;
      }
      ++pos_;
      result->kwarg = parameter(is_lambda, false);
      if (!result->kwarg) return nullptr;
      accept(Tok::Comma);
      has_item = true;
      break;
    } else {
      arg* a = parameter(is_lambda, false);
      if (!a) return nullptr;
      expr* value = nullptr;
      if (peek() == Tok::Equal) {
        value = parameter_default();
        if (!value) return nullptr;
      }
      if (!next_item()) return nullptr;
      if (seen_star) {
        keyword_only.push(a);
        keyword_defaults.push(value);
      } else {
        if (!value && !defaults.empty()) return nullptr;
        positional.push(a);
        if (value) defaults.push(value);
      }
    }
    has_item = true;
  }
  if (!has_item || peek() != terminator) return nullptr;
  result->args = positional.finish();
  result->kwonlyargs = keyword_only.finish();
  result->kw_defaults = keyword_defaults.finish();
  result->defaults = defaults.finish();
  return result;
}

}  // namespace amphis
