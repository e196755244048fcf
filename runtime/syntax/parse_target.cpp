// Assignment targets: which expressions may be assigned to or deleted, and turning them into such.
//
// A target is read as an expression first; its context is set once it is known to be one.
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

bool Parser::is_single_target(const expr* e) {
  return e->is<Name>() || e->is<Attribute>() || e->is<Subscript>();
}

bool Parser::is_star_target(const expr* e) {
  switch (e->kind) {
    case expr_kind::Name:
    case expr_kind::Attribute:
    case expr_kind::Subscript:
      return true;
    case expr_kind::Starred: {
      const expr* value = e->as<Starred>()->value;
      return !value->is<Starred>() && is_star_target(value);
    }
    case expr_kind::Tuple:
      for (const expr* item : e->as<Tuple>()->elts) {
        if (!is_star_target(item)) return false;
      }
      return true;
    case expr_kind::List:
      for (const expr* item : e->as<List>()->elts) {
        if (!is_star_target(item)) return false;
      }
      return true;
    default:
      return false;
  }
}

bool Parser::is_delete_target(const expr* e) {
  switch (e->kind) {
    case expr_kind::Name:
    case expr_kind::Attribute:
    case expr_kind::Subscript:
      return true;
    case expr_kind::Tuple:
      for (const expr* item : e->as<Tuple>()->elts) {
        if (!is_delete_target(item)) return false;
      }
      return true;
    case expr_kind::List:
      for (const expr* item : e->as<List>()->elts) {
        if (!is_delete_target(item)) return false;
      }
      return true;
    default:
      return false;
  }
}

void Parser::set_context(expr* e, expr_context context) {
  switch (e->kind) {
    case expr_kind::Name:
      e->as<Name>()->ctx = context;
      return;
    case expr_kind::Attribute:
      e->as<Attribute>()->ctx = context;
      return;
    case expr_kind::Subscript:
      e->as<Subscript>()->ctx = context;
      return;
    case expr_kind::Starred:
      e->as<Starred>()->ctx = context;
      return set_context(e->as<Starred>()->value, context);
    case expr_kind::Tuple:
      e->as<Tuple>()->ctx = context;
      for (expr* item : e->as<Tuple>()->elts) set_context(item, context);
      return;
    case expr_kind::List:
      e->as<List>()->ctx = context;
      for (expr* item : e->as<List>()->elts) set_context(item, context);
      return;
    default:
      return;
  }
}

// One target, starred or not, as `for` and `as` take them.
expr* Parser::star_target() {
  Token start = tok();
  expr* target;
  if (accept(Tok::Star)) {
    if (peek() == Tok::Star) return nullptr;
    expr* value = primary();
    if (!value) return nullptr;
    auto* starred = open<Starred>(start);
    starred->value = value;
    target = close(starred);
  } else {
    if (peek() == Tok::Await) return nullptr;
    target = primary();
    if (!target) return nullptr;
  }
  if (!is_star_target(target)) return nullptr;
  return target;
}

// The targets of `for`: one, or a tuple of them.
expr* Parser::star_targets() {
  Token start = tok();
  expr* first = star_target();
  if (!first) return nullptr;
  if (peek() == Tok::Comma) {
    ListBuilder<expr*> items(arena_);
    items.push(first);
    while (accept(Tok::Comma)) {
      size_t mark = pos_;
      expr* item = star_target();
      if (raised_) return nullptr;
      if (!item) {
        pos_ = mark;
        break;
      }
      items.push(item);
    }
    auto* tuple = open<Tuple>(start);
    tuple->elts = items.finish();
    first = close(tuple);
  }
  set_context(first, expr_context::Store);
  return first;
}

}  // namespace amphis
