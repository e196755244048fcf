// What the classes of `_ast` let through but no source text gives: refused before compiling.
#include <cstdarg>

#include "compile/names.h"
#include "modules/ast_types.h"
#include "sync/ref.h"

namespace amphis {

namespace {

using namespace ast;

class Validator {
 public:
  void module(mod* m);

 private:
  [[noreturn]] void fail(PyObject* type, const char* format, ...) {
    va_list values;
    va_start(values, format);
    PyErr_FormatV(type, format, values);
    va_end(values);
    throw compile::Failure{};
  }
  void position(const Location& at) {
    if (at.lineno > at.end_lineno) {
      fail(PyExc_ValueError, "AST node line range (%d, %d) is not valid", at.lineno, at.end_lineno);
    }
    if ((at.lineno < 0 && at.end_lineno != at.lineno) || (at.col_offset < 0 && at.col_offset != at.end_col_offset)) {
      fail(PyExc_ValueError, "AST node column range (%d, %d) for line range (%d, %d) is not valid", at.col_offset,
           at.end_col_offset, at.lineno, at.end_lineno);
    }
    if (at.lineno == at.end_lineno && at.col_offset > at.end_col_offset) {
      fail(PyExc_ValueError, "line %d, column %d-%d is not a valid range", at.lineno, at.col_offset,
           at.end_col_offset);
    }
  }
  void name(Identifier id) {
    if (id == nullptr) return;
    std::string_view text = id->view();
    for (const char* forbidden : {"None", "True", "False"}) {
      if (text == forbidden) fail(PyExc_ValueError, "identifier field can't represent '%s' constant", forbidden);
    }
  }
  template <class T>
  void not_empty(Seq<T> seq, const char* what, const char* owner) {
    if (seq.empty()) fail(PyExc_ValueError, "empty %s on %s", what, owner);
  }
  void body(Seq<stmt*> statements, const char* owner) {
    not_empty(statements, "body", owner);
    all(statements);
  }
  void all(Seq<stmt*> statements) {
    for (stmt* s : statements) {
      if (s == nullptr) fail(PyExc_ValueError, "None disallowed in statement list");
      statement(s);
    }
  }
  void expressions(Seq<expr*> list, expr_context ctx, bool null_ok = false) {
    for (expr* e : list) {
      if (e != nullptr) {
        expression(e, ctx);
      } else if (!null_ok) {
        fail(PyExc_ValueError, "None disallowed in expression list");
      }
    }
  }
  void assignlist(Seq<expr*> targets, expr_context ctx) {
    not_empty(targets, "targets", ctx == expr_context::Del ? "Delete" : "Assign");
    expressions(targets, ctx);
  }
  void optional(expr* e) {
    if (e != nullptr) expression(e, expr_context::Load);
  }
  void load(expr* e) { expression(e, expr_context::Load); }

  void statement(stmt* s);
  void expression(expr* e, expr_context ctx);
  void constant(PyObject* value);
  void comprehensions(Seq<ast::comprehension*> generators);
  void arguments_node(arguments* args);
  void keywords(Seq<keyword*> list) {
    for (keyword* k : list) {
      name(k->arg);
      load(k->value);
    }
  }
  void params(Seq<type_param*> list);
  void pattern_node(pattern* p, bool star_ok);
  void pattern_value(expr* e);
  void function(Identifier id, arguments* args, Seq<stmt*> statements, Seq<expr*> decorators, expr* returns,
                Seq<type_param*> type_params, const char* owner) {
    name(id);
    body(statements, owner);
    params(type_params);
    arguments_node(args);
    expressions(decorators, expr_context::Load);
    optional(returns);
  }
  void handlers(Seq<excepthandler*> list) {
    for (excepthandler* h : list) {
      position(h->location());
      auto* handler = h->as<ExceptHandler>();
      name(handler->name);
      optional(handler->type);
      body(handler->body, "ExceptHandler");
    }
  }
};

void Validator::module(mod* m) {
  switch (m->kind) {
    case mod_kind::Module:
      all(m->as<Module>()->body);
      break;
    case mod_kind::Interactive:
      all(m->as<Interactive>()->body);
      break;
    case mod_kind::Expression:
      load(m->as<Expression>()->body);
      break;
    case mod_kind::FunctionType:
      expressions(m->as<FunctionType>()->argtypes, expr_context::Load);
      load(m->as<FunctionType>()->returns);
      break;
  }
}

void Validator::constant(PyObject* value) {
  if (value == Py_None || value == Py_Ellipsis || PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
      PyComplex_CheckExact(value) || PyBool_Check(value) || PyUnicode_CheckExact(value) || PyBytes_CheckExact(value)) {
    return;
  }
  if (PyTuple_CheckExact(value) || PyFrozenSet_CheckExact(value)) {
    if (Py_EnterRecursiveCall(" during compilation") != 0) throw compile::Failure{};
    struct Leave {
      ~Leave() { Py_LeaveRecursiveCall(); }
    } leave;
    Ref<> items = Ref<>::steal(compile::check(PySequence_Tuple(value)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) constant(PyTuple_GET_ITEM(items.get(), i));
    return;
  }
  fail(PyExc_TypeError, "got an invalid type in Constant: %s", Py_TYPE(value)->tp_name);
}

void Validator::comprehensions(Seq<ast::comprehension*> generators) {
  if (generators.empty()) fail(PyExc_ValueError, "comprehension with no generators");
  for (ast::comprehension* g : generators) {
    expression(g->target, expr_context::Store);
    load(g->iter);
    expressions(g->ifs, expr_context::Load);
  }
}

void Validator::arguments_node(arguments* args) {
  auto one = [&](arg* a) {
    if (a == nullptr) return;
    position(a->location());
    name(a->arg);
    optional(a->annotation);
  };
  for (arg* a : args->posonlyargs) one(a);
  for (arg* a : args->args) one(a);
  one(args->vararg);
  for (arg* a : args->kwonlyargs) one(a);
  one(args->kwarg);
  if (args->defaults.size > args->posonlyargs.size + args->args.size) {
    fail(PyExc_ValueError, "more positional defaults than args on arguments");
  }
  if (args->kw_defaults.size != args->kwonlyargs.size) {
    fail(PyExc_ValueError, "length of kwonlyargs is not the same as kw_defaults on arguments");
  }
  expressions(args->defaults, expr_context::Load);
  expressions(args->kw_defaults, expr_context::Load, true);
}

void Validator::params(Seq<type_param*> list) {
  for (type_param* p : list) {
    position(p->location());
    switch (p->kind) {
      case type_param_kind::TypeVar:
        name(p->as<TypeVar>()->name);
        optional(p->as<TypeVar>()->bound);
        optional(p->as<TypeVar>()->default_value);
        break;
      case type_param_kind::ParamSpec:
        name(p->as<ParamSpec>()->name);
        optional(p->as<ParamSpec>()->default_value);
        break;
      case type_param_kind::TypeVarTuple:
        name(p->as<TypeVarTuple>()->name);
        optional(p->as<TypeVarTuple>()->default_value);
        break;
    }
  }
}

const char* context_name(expr_context ctx) {
  return ctx == expr_context::Load ? "Load" : ctx == expr_context::Store ? "Store" : "Del";
}

void Validator::expression(expr* e, expr_context ctx) {
  compile::check_stack();
  position(e->location());
  bool checked = true;
  expr_context actual = expr_context::Load;
  switch (e->kind) {
    case expr_kind::Attribute:
      actual = e->as<Attribute>()->ctx;
      break;
    case expr_kind::Subscript:
      actual = e->as<Subscript>()->ctx;
      break;
    case expr_kind::Starred:
      actual = e->as<Starred>()->ctx;
      break;
    case expr_kind::Name:
      name(e->as<Name>()->id);
      actual = e->as<Name>()->ctx;
      break;
    case expr_kind::List:
      actual = e->as<List>()->ctx;
      break;
    case expr_kind::Tuple:
      actual = e->as<Tuple>()->ctx;
      break;
    default:
      if (ctx != expr_context::Load) {
        fail(PyExc_ValueError, "expression which can't be assigned to in %s context", context_name(ctx));
      }
      checked = false;
  }
  if (checked && actual != ctx) {
    fail(PyExc_ValueError, "expression must have %s context but has %s instead", context_name(ctx),
         context_name(actual));
  }
  switch (e->kind) {
    case expr_kind::BoolOp:
      if (e->as<BoolOp>()->values.size < 2) fail(PyExc_ValueError, "BoolOp with less than 2 values");
      expressions(e->as<BoolOp>()->values, expr_context::Load);
      break;
    case expr_kind::BinOp:
      load(e->as<BinOp>()->left);
      load(e->as<BinOp>()->right);
      break;
    case expr_kind::UnaryOp:
      load(e->as<UnaryOp>()->operand);
      break;
    case expr_kind::Lambda:
      arguments_node(e->as<Lambda>()->args);
      load(e->as<Lambda>()->body);
      break;
    case expr_kind::IfExp:
      load(e->as<IfExp>()->test);
      load(e->as<IfExp>()->body);
      load(e->as<IfExp>()->orelse);
      break;
    case expr_kind::Dict: {
      auto* d = e->as<Dict>();
      if (d->keys.size != d->values.size) fail(PyExc_ValueError, "Dict doesn't have the same number of keys as values");
      expressions(d->keys, expr_context::Load, true);
      expressions(d->values, expr_context::Load);
      break;
    }
    case expr_kind::Set:
      not_empty(e->as<Set>()->elts, "elts", "Set");
      expressions(e->as<Set>()->elts, expr_context::Load);
      break;
    case expr_kind::ListComp:
      comprehensions(e->as<ListComp>()->generators);
      load(e->as<ListComp>()->elt);
      break;
    case expr_kind::SetComp:
      comprehensions(e->as<SetComp>()->generators);
      load(e->as<SetComp>()->elt);
      break;
    case expr_kind::GeneratorExp:
      comprehensions(e->as<GeneratorExp>()->generators);
      load(e->as<GeneratorExp>()->elt);
      break;
    case expr_kind::DictComp:
      comprehensions(e->as<DictComp>()->generators);
      load(e->as<DictComp>()->key);
      load(e->as<DictComp>()->value);
      break;
    case expr_kind::Yield:
      optional(e->as<Yield>()->value);
      break;
    case expr_kind::YieldFrom:
      load(e->as<YieldFrom>()->value);
      break;
    case expr_kind::Await:
      load(e->as<Await>()->value);
      break;
    case expr_kind::Compare: {
      auto* c = e->as<Compare>();
      if (c->comparators.empty()) fail(PyExc_ValueError, "Compare with no comparators");
      if (c->comparators.size != c->ops.size) {
        fail(PyExc_ValueError, "Compare has a different number of comparators and operands");
      }
      expressions(c->comparators, expr_context::Load);
      load(c->left);
      break;
    }
    case expr_kind::Call:
      load(e->as<Call>()->func);
      expressions(e->as<Call>()->args, expr_context::Load);
      keywords(e->as<Call>()->keywords);
      break;
    case expr_kind::Constant:
      if (e->as<Constant>()->value.kind == ConstantKind::Object) {
        constant(static_cast<PyObject*>(e->as<Constant>()->value.object));
      }
      break;
    case expr_kind::JoinedStr:
      expressions(e->as<JoinedStr>()->values, expr_context::Load);
      break;
    case expr_kind::TemplateStr:
      expressions(e->as<TemplateStr>()->values, expr_context::Load);
      break;
    case expr_kind::FormattedValue:
      load(e->as<FormattedValue>()->value);
      optional(e->as<FormattedValue>()->format_spec);
      break;
    case expr_kind::Interpolation:
      load(e->as<Interpolation>()->value);
      optional(e->as<Interpolation>()->format_spec);
      break;
    case expr_kind::Attribute:
      load(e->as<Attribute>()->value);
      break;
    case expr_kind::Subscript:
      load(e->as<Subscript>()->slice);
      load(e->as<Subscript>()->value);
      break;
    case expr_kind::Starred:
      expression(e->as<Starred>()->value, ctx);
      break;
    case expr_kind::Slice:
      optional(e->as<Slice>()->lower);
      optional(e->as<Slice>()->upper);
      optional(e->as<Slice>()->step);
      break;
    case expr_kind::List:
      expressions(e->as<List>()->elts, ctx);
      break;
    case expr_kind::Tuple:
      expressions(e->as<Tuple>()->elts, ctx);
      break;
    case expr_kind::NamedExpr:
      if (!e->as<NamedExpr>()->target->is<Name>()) {
        fail(PyExc_TypeError, "NamedExpr target must be a Name");
      }
      load(e->as<NamedExpr>()->value);
      break;
    case expr_kind::Name:
      break;
  }
}

// A value in a pattern: a literal, a number with a sign, a complex sum, or a dotted name.
void Validator::pattern_value(expr* e) {
  load(e);
  switch (e->kind) {
    case expr_kind::Constant: {
      const ConstantKind kind = e->as<Constant>()->value.kind;
      PyObject* object = kind == ConstantKind::Object ? static_cast<PyObject*>(e->as<Constant>()->value.object) : nullptr;
      if (kind == ConstantKind::Ellipsis) fail(PyExc_ValueError, "unexpected constant inside of a literal pattern");
      if (object != nullptr && !PyLong_CheckExact(object) && !PyFloat_CheckExact(object) &&
          !PyComplex_CheckExact(object) && !PyBytes_CheckExact(object) && !PyUnicode_CheckExact(object)) {
        fail(PyExc_ValueError, "unexpected constant inside of a literal pattern");
      }
      if (kind == ConstantKind::None || kind == ConstantKind::True || kind == ConstantKind::False) {
        fail(PyExc_ValueError, "unexpected constant inside of a literal pattern");
      }
      return;
    }
    case expr_kind::Attribute:
    case expr_kind::JoinedStr:
    case expr_kind::TemplateStr:
      return;
    case expr_kind::UnaryOp:
      if (e->as<UnaryOp>()->op == unaryop::USub && e->as<UnaryOp>()->operand->is<Constant>()) return;
      break;
    case expr_kind::BinOp: {
      auto* b = e->as<BinOp>();
      if ((b->op == operator_::Add || b->op == operator_::Sub) && b->right->is<Constant>() &&
          (b->left->is<Constant>() || b->left->is<UnaryOp>())) {
        return;
      }
      break;
    }
    default:
      break;
  }
  fail(PyExc_ValueError, "patterns may only match literals and attribute lookups");
}

void Validator::pattern_node(pattern* p, bool star_ok) {
  compile::check_stack();
  if (p == nullptr) fail(PyExc_ValueError, "None disallowed in pattern list");
  position(p->location());
  auto capture = [&](Identifier id) {
    if (id == nullptr) return;
    if (id->view() == "_") fail(PyExc_ValueError, "can't capture name '_' in patterns");
    name(id);
  };
  switch (p->kind) {
    case pattern_kind::MatchValue:
      pattern_value(p->as<MatchValue>()->value);
      break;
    case pattern_kind::MatchSingleton: {
      const ConstantKind kind = p->as<MatchSingleton>()->value.kind;
      if (kind != ConstantKind::None && kind != ConstantKind::True && kind != ConstantKind::False) {
        fail(PyExc_ValueError, "MatchSingleton can only contain True, False and None");
      }
      break;
    }
    case pattern_kind::MatchSequence:
      for (pattern* q : p->as<MatchSequence>()->patterns) pattern_node(q, true);
      break;
    case pattern_kind::MatchMapping: {
      auto* m = p->as<MatchMapping>();
      if (m->keys.size != m->patterns.size) {
        fail(PyExc_ValueError, "MatchMapping doesn't have the same number of keys as patterns");
      }
      capture(m->rest);
      for (expr* key : m->keys) {
        if (key != nullptr && key->is<Constant>()) {
          const ConstantKind kind = key->as<Constant>()->value.kind;
          if (kind == ConstantKind::None || kind == ConstantKind::True || kind == ConstantKind::False) continue;
        }
        if (key == nullptr) fail(PyExc_ValueError, "None disallowed in expression list");
        pattern_value(key);
      }
      for (pattern* q : m->patterns) pattern_node(q, false);
      break;
    }
    case pattern_kind::MatchClass: {
      auto* c = p->as<MatchClass>();
      if (c->kwd_attrs.size != c->kwd_patterns.size) {
        fail(PyExc_ValueError, "MatchClass doesn't have the same number of keyword attributes as patterns");
      }
      load(c->cls);
      expr* cls = c->cls;
      while (cls->is<Attribute>()) cls = cls->as<Attribute>()->value;
      if (!cls->is<Name>()) fail(PyExc_ValueError, "MatchClass cls field can only contain Name or Attribute nodes.");
      for (Identifier id : c->kwd_attrs) name(id);
      for (pattern* q : c->patterns) pattern_node(q, false);
      for (pattern* q : c->kwd_patterns) pattern_node(q, false);
      break;
    }
    case pattern_kind::MatchStar:
      if (!star_ok) fail(PyExc_ValueError, "can't use MatchStar here");
      capture(p->as<MatchStar>()->name);
      break;
    case pattern_kind::MatchAs: {
      auto* as = p->as<MatchAs>();
      capture(as->name);
      if (as->pattern != nullptr) {
        if (as->name == nullptr) fail(PyExc_ValueError, "MatchAs must specify a target name if a pattern is given");
        pattern_node(as->pattern, false);
      }
      break;
    }
    case pattern_kind::MatchOr:
      if (p->as<MatchOr>()->patterns.size < 2) fail(PyExc_ValueError, "MatchOr requires at least 2 patterns");
      for (pattern* q : p->as<MatchOr>()->patterns) pattern_node(q, false);
      break;
  }
}

void Validator::statement(stmt* s) {
  compile::check_stack();
  position(s->location());
  switch (s->kind) {
    case stmt_kind::FunctionDef: {
      auto* f = s->as<FunctionDef>();
      function(f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, "FunctionDef");
      break;
    }
    case stmt_kind::AsyncFunctionDef: {
      auto* f = s->as<AsyncFunctionDef>();
      function(f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, "AsyncFunctionDef");
      break;
    }
    case stmt_kind::ClassDef: {
      auto* c = s->as<ClassDef>();
      name(c->name);
      body(c->body, "ClassDef");
      params(c->type_params);
      expressions(c->bases, expr_context::Load);
      keywords(c->keywords);
      expressions(c->decorator_list, expr_context::Load);
      break;
    }
    case stmt_kind::Return:
      optional(s->as<Return>()->value);
      break;
    case stmt_kind::Delete:
      assignlist(s->as<Delete>()->targets, expr_context::Del);
      break;
    case stmt_kind::Assign:
      assignlist(s->as<Assign>()->targets, expr_context::Store);
      load(s->as<Assign>()->value);
      break;
    case stmt_kind::AugAssign:
      expression(s->as<AugAssign>()->target, expr_context::Store);
      load(s->as<AugAssign>()->value);
      break;
    case stmt_kind::AnnAssign: {
      auto* a = s->as<AnnAssign>();
      if (!a->target->is<Name>() && a->simple) fail(PyExc_TypeError, "AnnAssign with simple non-Name target");
      expression(a->target, expr_context::Store);
      optional(a->value);
      load(a->annotation);
      break;
    }
    case stmt_kind::TypeAlias:
      if (!s->as<TypeAlias>()->name->is<Name>()) fail(PyExc_TypeError, "TypeAlias with non-Name name");
      expression(s->as<TypeAlias>()->name, expr_context::Store);
      params(s->as<TypeAlias>()->type_params);
      load(s->as<TypeAlias>()->value);
      break;
    case stmt_kind::For:
      expression(s->as<For>()->target, expr_context::Store);
      load(s->as<For>()->iter);
      body(s->as<For>()->body, "For");
      all(s->as<For>()->orelse);
      break;
    case stmt_kind::AsyncFor:
      expression(s->as<AsyncFor>()->target, expr_context::Store);
      load(s->as<AsyncFor>()->iter);
      body(s->as<AsyncFor>()->body, "AsyncFor");
      all(s->as<AsyncFor>()->orelse);
      break;
    case stmt_kind::While:
      load(s->as<While>()->test);
      body(s->as<While>()->body, "While");
      all(s->as<While>()->orelse);
      break;
    case stmt_kind::If:
      load(s->as<If>()->test);
      body(s->as<If>()->body, "If");
      all(s->as<If>()->orelse);
      break;
    case stmt_kind::With:
    case stmt_kind::AsyncWith: {
      const bool async = s->is<AsyncWith>();
      Seq<withitem*> items = async ? s->as<AsyncWith>()->items : s->as<With>()->items;
      not_empty(items, "items", async ? "AsyncWith" : "With");
      for (withitem* item : items) {
        load(item->context_expr);
        if (item->optional_vars != nullptr) expression(item->optional_vars, expr_context::Store);
      }
      body(async ? s->as<AsyncWith>()->body : s->as<With>()->body, async ? "AsyncWith" : "With");
      break;
    }
    case stmt_kind::Match:
      load(s->as<ast::Match>()->subject);
      not_empty(s->as<ast::Match>()->cases, "cases", "Match");
      for (match_case* c : s->as<ast::Match>()->cases) {
        pattern_node(c->pattern, false);
        optional(c->guard);
        body(c->body, "match_case");
      }
      break;
    case stmt_kind::Raise:
      if (s->as<Raise>()->exc != nullptr) {
        load(s->as<Raise>()->exc);
        optional(s->as<Raise>()->cause);
      } else if (s->as<Raise>()->cause != nullptr) {
        fail(PyExc_ValueError, "Raise with cause but no exception");
      }
      break;
    case stmt_kind::Try: {
      auto* t = s->as<Try>();
      body(t->body, "Try");
      if (t->handlers.empty() && t->finalbody.empty()) {
        fail(PyExc_ValueError, "Try has neither except handlers nor finalbody");
      }
      if (t->handlers.empty() && !t->orelse.empty()) fail(PyExc_ValueError, "Try has orelse but no except handlers");
      handlers(t->handlers);
      all(t->finalbody);
      all(t->orelse);
      break;
    }
    case stmt_kind::TryStar: {
      auto* t = s->as<TryStar>();
      body(t->body, "TryStar");
      if (t->handlers.empty() && t->finalbody.empty()) {
        fail(PyExc_ValueError, "TryStar has neither except handlers nor finalbody");
      }
      if (t->handlers.empty() && !t->orelse.empty()) {
        fail(PyExc_ValueError, "TryStar has orelse but no except handlers");
      }
      handlers(t->handlers);
      all(t->finalbody);
      all(t->orelse);
      break;
    }
    case stmt_kind::Assert:
      load(s->as<Assert>()->test);
      optional(s->as<Assert>()->msg);
      break;
    case stmt_kind::Import:
      not_empty(s->as<Import>()->names, "names", "Import");
      for (alias* a : s->as<Import>()->names) {
        name(a->name);
        name(a->asname);
      }
      break;
    case stmt_kind::ImportFrom:
      if (s->as<ImportFrom>()->level < 0) fail(PyExc_ValueError, "Negative ImportFrom level");
      not_empty(s->as<ImportFrom>()->names, "names", "ImportFrom");
      for (alias* a : s->as<ImportFrom>()->names) {
        name(a->name);
        name(a->asname);
      }
      break;
    case stmt_kind::Global:
      not_empty(s->as<Global>()->names, "names", "Global");
      break;
    case stmt_kind::Nonlocal:
      not_empty(s->as<Nonlocal>()->names, "names", "Nonlocal");
      break;
    case stmt_kind::Expr:
      load(s->as<Expr>()->value);
      break;
    case stmt_kind::Pass:
    case stmt_kind::Break:
    case stmt_kind::Continue:
      break;
  }
}

}  // namespace

bool ast_validate(mod* tree) {
  try {
    Validator().module(tree);
    return true;
  } catch (const compile::Failure&) {
    return false;
  }
}

}  // namespace amphis
