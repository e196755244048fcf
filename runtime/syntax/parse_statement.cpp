// Modes, statement lists and simple statements.
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

ast::mod* Parser::parse_file() {
  ListBuilder<stmt*> body(arena_);
  if (!statements(body, true)) return nullptr;
  auto* module = arena_.make<Module>();
  module->body = body.finish();
  return module;
}

ast::mod* Parser::parse_interactive() {
  statement_start_ = pos_;
  auto* result = arena_.make<Interactive>();
  ListBuilder<stmt*> body(arena_);
  if (peek() == Tok::EndMarker) return nullptr;  // nothing but blank lines
  if (accept(Tok::Newline)) {
    auto* pass = open<Pass>(previous());
    pass->end_lineno = pass->lineno;
    pass->end_col_offset = pass->col_offset;
    body.push(pass);
  } else {
    bool is_compound = false;
    stmt* compound = compound_statement(is_compound);
    if (compound) {
      body.push(compound);
      if (!accept(Tok::Newline)) return nullptr;
    } else {
      if (raised_) return nullptr;
      if (is_compound) return nullptr;
      if (!simple_statements(body)) return nullptr;
    }
  }
  result->body = body.finish();
  return result;
}

ast::mod* Parser::parse_eval() {
  expr* body = expressions();
  if (!body) return nullptr;
  while (accept(Tok::Newline)) {
  }
  if (peek() != Tok::EndMarker) return nullptr;
  auto* result = arena_.make<Expression>();
  result->body = body;
  return result;
}

// `(int, *str, **Any) -> float`, the mode of type comments.
ast::mod* Parser::parse_func_type() {
  ListBuilder<expr*> types(arena_);
  if (!accept(Tok::LPar)) return nullptr;
  bool after_star = false;
  while (peek() != Tok::RPar) {
    bool double_star = accept(Tok::DoubleStar);
    bool star = !double_star && accept(Tok::Star);
    if ((star || double_star) && after_star && !double_star) return nullptr;
    if (!star && !double_star && after_star) return nullptr;
    expr* type = expression();
    if (!type) return nullptr;
    types.push(type);
    after_star = after_star || star || double_star;
    if (double_star || !accept(Tok::Comma)) break;
    if (peek() == Tok::RPar) return nullptr;
  }
  if (!accept(Tok::RPar) || !accept(Tok::RArrow)) return nullptr;
  expr* returns = expression();
  if (!returns) return nullptr;
  while (accept(Tok::Newline)) {
  }
  if (peek() != Tok::EndMarker) return nullptr;
  auto* result = arena_.make<FunctionType>();
  result->argtypes = types.finish();
  result->returns = returns;
  return result;
}

// Statements up to the end of input (at top level) or of the block. A failing statement fails the list.
bool Parser::statements(ListBuilder<stmt*>& out, bool top_level) {
  Tok end = top_level ? Tok::EndMarker : Tok::Dedent;
  while (peek() != end) {
    if (top_level) {
      previous_start_ = statement_start_;
      statement_start_ = pos_;
      if (diagnosing_) memo_.clear();
    }
    if (!statement(out)) return false;
  }
  ++pos_;
  return true;
}

bool Parser::statement(ListBuilder<stmt*>& out) {
  bool is_compound = false;
  size_t start = pos_;
  if (stmt* s = compound_statement(is_compound)) {
    if (!s->is<ast::FunctionDef>() && !s->is<ast::AsyncFunctionDef>() &&
        std::pair(s->lineno, s->col_offset) > std::pair(last_block_line_, last_block_col_)) {
      last_block_line_ = s->lineno;
      last_block_col_ = s->col_offset;
    }
    out.push(s);
    return true;
  }
  if (raised_) return false;
  pos_ = start;
  if (is_compound && !diagnosing_) return false;
  return simple_statements(out);
}

// `is_compound` says that the keyword was one of a compound statement, so that nothing else can match.
stmt* Parser::compound_statement(bool& is_compound) {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  is_compound = true;
  Token start = tok();
  switch (start.kind) {
    case Tok::Def:
      return function_def(start, false, {});
    case Tok::At:
      return decorated();
    case Tok::If:
      return if_statement(false);
    case Tok::Class:
      return class_def(start, {});
    case Tok::With:
      return with_statement(start, false);
    case Tok::For:
      return for_statement(start, false);
    case Tok::Try:
      return try_statement();
    case Tok::While:
      return while_statement();
    case Tok::Async:
      switch (peek(1)) {
        case Tok::Def:
          return function_def(start, true, {});
        case Tok::With:
          return with_statement(start, true);
        case Tok::For:
          return for_statement(start, true);
        default:
          return nullptr;
      }
    case Tok::Name:
      if (start.soft == Soft::Match) {
        size_t mark = pos_;
        if (stmt* s = match_statement()) return s;
        pos_ = mark;
      }
      is_compound = false;
      return nullptr;
    default:
      is_compound = false;
      return nullptr;
  }
}

bool Parser::simple_statements(ListBuilder<stmt*>& out) {
  for (;;) {
    stmt* s = simple_statement();
    if (!s) return false;
    out.push(s);
    if (accept(Tok::Semi)) {
      if (accept(Tok::Newline)) return true;
      continue;
    }
    return accept(Tok::Newline);
  }
}

stmt* Parser::simple_statement() {
  Token start = tok();
  switch (start.kind) {
    case Tok::Return:
      return return_statement();
    case Tok::Import:
      return import_name();
    case Tok::From:
      return import_from();
    case Tok::Raise:
      return raise_statement();
    case Tok::Del:
      return delete_statement();
    case Tok::Assert:
      return assert_statement();
    case Tok::Global:
    case Tok::Nonlocal:
      return global_statement();
    case Tok::Pass:
    case Tok::Break:
    case Tok::Continue: {
      if (diagnosing_) {
        diagnose_before_keyword();  // `pass if x else y`
        if (raised_) return nullptr;
      }
      ++pos_;
      if (start.kind == Tok::Pass) return close(open<Pass>(start));
      if (start.kind == Tok::Break) return close(open<Break>(start));
      return close(open<Continue>(start));
    }
    case Tok::Name:
      if (start.soft == Soft::Type && peek(1) == Tok::Name) {
        size_t mark = pos_;
        if (diagnosing_) diagnose_before_keyword();
        if (raised_) return nullptr;
        if (stmt* s = type_alias()) return s;
        if (raised_) return nullptr;
        pos_ = mark;
      }
      return expression_or_assignment();
    default:
      return expression_or_assignment();
  }
}

// The grammar tries assignments before the statements that begin with a keyword; their mistakes come first.
void Parser::diagnose_before_keyword() {
  size_t mark = pos_;
  expression_or_assignment();
  pos_ = mark;
}

expr* Parser::annotated_rhs() {
  return peek() == Tok::Yield ? yield_expression() : star_expressions();
}

namespace {

bool augmented_operator(Tok kind, operator_& op) {
  switch (kind) {
    case Tok::PlusEqual:
      op = operator_::Add;
      return true;
    case Tok::MinEqual:
      op = operator_::Sub;
      return true;
    case Tok::StarEqual:
      op = operator_::Mult;
      return true;
    case Tok::AtEqual:
      op = operator_::MatMult;
      return true;
    case Tok::SlashEqual:
      op = operator_::Div;
      return true;
    case Tok::PercentEqual:
      op = operator_::Mod;
      return true;
    case Tok::AmperEqual:
      op = operator_::BitAnd;
      return true;
    case Tok::VBarEqual:
      op = operator_::BitOr;
      return true;
    case Tok::CircumflexEqual:
      op = operator_::BitXor;
      return true;
    case Tok::LeftShiftEqual:
      op = operator_::LShift;
      return true;
    case Tok::RightShiftEqual:
      op = operator_::RShift;
      return true;
    case Tok::DoubleStarEqual:
      op = operator_::Pow;
      return true;
    case Tok::DoubleSlashEqual:
      op = operator_::FloorDiv;
      return true;
    default:
      return false;
  }
}

}  // namespace

// What begins with an expression: assignments of every kind, and the expression statement.
stmt* Parser::expression_or_assignment() {
  Token start = tok();
  size_t mark = pos_;
  expr* first = annotated_rhs();
  if (!first) {
    if (diagnosing_ && !raised_) {
      pos_ = mark;
      diagnose_assignment();
    }
    return nullptr;
  }
  auto as_expression = [&]() -> stmt* {
    auto* s = open<Expr>(start);
    s->value = first;
    return close(s);
  };
  // The grammar tries assignments first; when one fails, the mistakes of assignments are next, and only then
  // is the beginning a statement of its own.
  auto no_assignment = [&]() -> stmt* {
    if (raised_) return nullptr;
    size_t after = pos_;
    if (diagnosing_) {
      pos_ = mark;
      diagnose_assignment();
      if (raised_) return nullptr;
    }
    pos_ = after;
    return as_expression();
  };
  size_t after_first = pos_;
  Tok next = peek();
  operator_ op;
  if (next == Tok::Equal) {
    ListBuilder<expr*> targets(arena_);
    expr* value = first;
    while (peek() == Tok::Equal) {
      if (!is_star_target(value)) {
        pos_ = after_first;
        return no_assignment();
      }
      set_context(value, expr_context::Store);
      targets.push(value);
      ++pos_;
      value = annotated_rhs();
      if (!value) {
        if (raised_) return nullptr;
        pos_ = after_first;
        return no_assignment();
      }
    }
    auto* s = open<Assign>(start);
    s->targets = targets.finish();
    s->value = value;
    return close(s);
  }
  if (next == Tok::Colon && is_single_target(first)) {
    bool in_parentheses = start.kind == Tok::LPar;
    ++pos_;
    expr* annotation = expression();
    if (!annotation) {
      if (raised_) return nullptr;
      pos_ = after_first;
      return no_assignment();
    }
    auto* s = open<AnnAssign>(start);
    if (accept(Tok::Equal)) {
      size_t equal = pos_ - 1;
      s->value = annotated_rhs();
      if (!s->value) {
        if (raised_) return nullptr;
        pos_ = equal;
      }
    }
    set_context(first, expr_context::Store);
    s->target = first;
    s->annotation = annotation;
    s->simple = first->is<Name>() && !in_parentheses;
    return close(s);
  }
  if (augmented_operator(next, op) && is_single_target(first)) {
    ++pos_;
    expr* value = annotated_rhs();
    if (!value) return nullptr;
    set_context(first, expr_context::Store);
    auto* s = open<AugAssign>(start);
    s->target = first;
    s->op = op;
    s->value = value;
    return close(s);
  }
  if (diagnosing_) return no_assignment();
  return as_expression();
}

stmt* Parser::return_statement() {
  auto* s = open<Return>(tok());
  ++pos_;
  if (peek() != Tok::Newline && peek() != Tok::Semi) {
    size_t mark = pos_;
    s->value = star_expressions();
    if (raised_) return nullptr;
    if (!s->value) pos_ = mark;
  }
  return close(s);
}

stmt* Parser::raise_statement() {
  auto* s = open<Raise>(tok());
  ++pos_;
  if (peek() != Tok::Newline && peek() != Tok::Semi) {
    size_t mark = pos_;
    s->exc = expression();
    if (raised_) return nullptr;
    if (!s->exc) {
      pos_ = mark;
    } else if (accept(Tok::From)) {
      size_t from = pos_ - 1;
      s->cause = expression();
      if (raised_) return nullptr;
      if (!s->cause) pos_ = from;
    }
  }
  return close(s);
}

stmt* Parser::delete_statement() {
  auto* s = open<Delete>(tok());
  size_t mark = pos_++;
  ListBuilder<expr*> targets(arena_);
  bool matched = true;
  do {
    Tok next = peek();
    if (!targets.empty() && (next == Tok::Semi || next == Tok::Newline)) break;
    expr* target = primary();
    if (!target || !is_delete_target(target)) {
      matched = false;
      break;
    }
    targets.push(target);
  } while (accept(Tok::Comma));
  if (raised_) return nullptr;
  if (matched && (peek() == Tok::Semi || peek() == Tok::Newline)) {
    for (size_t i = 0; i < targets.size(); ++i) set_context(targets[i], expr_context::Del);
    s->targets = targets.finish();
    return close(s);
  }
  if (diagnosing_ && !raised_) {
    pos_ = mark + 1;
    expr* all = star_expressions();
    if (all) raise_invalid_target(all, TargetUse::Del);
  }
  return nullptr;
}

stmt* Parser::assert_statement() {
  auto* s = open<Assert>(tok());
  ++pos_;
  s->test = expression();
  if (!s->test) return nullptr;
  if (accept(Tok::Comma)) {
    size_t comma = pos_ - 1;
    s->msg = expression();
    if (raised_) return nullptr;
    if (!s->msg) pos_ = comma;
  }
  return close(s);
}

stmt* Parser::global_statement() {
  Token start = tok();
  ++pos_;
  ListBuilder<Identifier> names(arena_);
  do {
    Identifier name = accept_name();
    if (!name) return nullptr;
    names.push(name);
  } while (accept(Tok::Comma));
  if (start.kind == Tok::Global) {
    auto* s = open<Global>(start);
    s->names = names.finish();
    return close(s);
  }
  auto* s = open<Nonlocal>(start);
  s->names = names.finish();
  return close(s);
}

Identifier Parser::dotted_name() {
  Identifier name = accept_name();
  if (!name) return nullptr;
  if (peek() != Tok::Dot) return name;
  std::string joined(name->view());
  while (peek() == Tok::Dot) {
    if (peek(1) != Tok::Name) break;
    ++pos_;
    joined += '.';
    joined += accept_name()->view();
  }
  return arena_.intern(joined);
}

ast::alias* Parser::dotted_as_name() {
  auto* a = open<alias>(tok());
  a->name = dotted_name();
  if (!a->name) return nullptr;
  if (peek() == Tok::As) {
    if (diagnosing_) {
      diagnose_import_target();
      if (raised_) return nullptr;
    }
    ++pos_;
    a->asname = accept_name();
    if (!a->asname) --pos_;
  }
  return close(a);
}

ast::alias* Parser::from_as_name() {
  auto* a = open<alias>(tok());
  a->name = accept_name();
  if (!a->name) return nullptr;
  if (peek() == Tok::As) {
    if (diagnosing_) {
      diagnose_import_target();
      if (raised_) return nullptr;
    }
    ++pos_;
    a->asname = accept_name();
    if (!a->asname) --pos_;
  }
  return close(a);
}

stmt* Parser::import_name() {
  Token start = tok();
  size_t mark = pos_++;
  if (diagnosing_) {
    // `import a from b`, and `import` alone
    Identifier name;
    while ((name = dotted_name()) && accept(Tok::Comma)) {
    }
    if (name && accept(Tok::From) && dotted_name()) {
      return raise_from(start, "Did you mean to use 'from ... import ...' instead?");
    }
    pos_ = mark + 1;
    if (peek() == Tok::Newline) return raise_from(Token(tok()), "Expected one or more names after 'import'");
  }
  ListBuilder<alias*> names(arena_);
  do {
    alias* name = dotted_as_name();
    if (!name) {
      if (raised_ || names.empty()) return nullptr;
      --pos_;  // the comma is left over
      break;
    }
    names.push(name);
  } while (accept(Tok::Comma));
  auto* s = open<Import>(start);
  s->names = names.finish();
  return close(s);
}

bool Parser::import_targets(ListBuilder<alias*>& names) {
  size_t start = pos_;
  if (accept(Tok::LPar)) {
    do {
      if (!names.empty() && peek() == Tok::RPar) break;
      alias* name = from_as_name();
      if (!name) return false;
      names.push(name);
    } while (accept(Tok::Comma));
    return accept(Tok::RPar);
  }
  if (peek() == Tok::Star) {
    auto* all = open<alias>(tok());
    ++pos_;
    all->name = arena_.intern("*");
    names.push(close(all));
    return true;
  }
  do {
    alias* name = from_as_name();
    if (!name) {
      if (raised_) return false;
      if (!names.empty()) {
        if (diagnosing_ && peek() == Tok::Newline) {
          ++pos_;
          raise_last("trailing comma not allowed without surrounding parentheses");
        }
        return false;
      }
      break;
    }
    names.push(name);
  } while (accept(Tok::Comma));
  if (!names.empty()) return true;
  if (diagnosing_) {
    pos_ = start;
    if (peek() == Tok::Newline) raise_from(Token(tok()), "Expected one or more names after 'import'");
  }
  return false;
}

stmt* Parser::import_from() {
  auto* s = open<ImportFrom>(tok());
  ++pos_;
  for (;;) {
    if (accept(Tok::Dot)) {
      s->level += 1;
    } else if (accept(Tok::Ellipsis)) {
      s->level += 3;
    } else {
      break;
    }
  }
  s->module = dotted_name();
  if (!s->module && s->level == 0) return nullptr;
  if (!accept(Tok::Import)) return nullptr;
  ListBuilder<alias*> names(arena_);
  if (!import_targets(names)) return nullptr;
  s->names = names.finish();
  if (s->module && s->level == 0 && s->module->view() == "__future__") {
    for (const alias* name : s->names) {
      if (name->name->view() == "barry_as_FLUFL") options_.barry_as_FLUFL = true;
    }
  }
  return close(s);
}

stmt* Parser::type_alias() {
  auto* s = open<TypeAlias>(tok());
  ++pos_;
  auto* name = open<Name>(tok());
  name->id = accept_name();
  if (!name->id) return nullptr;
  name->ctx = expr_context::Store;
  s->name = close(name);
  if (peek() == Tok::LSqb && !type_params(s->type_params)) return nullptr;
  if (!accept(Tok::Equal)) return nullptr;
  s->value = expression();
  if (!s->value) return nullptr;
  return close(s);
}

}  // namespace amphis
