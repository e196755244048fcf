// Building symbol tables: one walk over the tree that records every use and binding, and refuses what the grammar
// lets through but the language forbids.
#include "compile/symtable.h"

#include <cstring>

namespace amphis::compile {

Symbol* Scope::get(Identifier id) {
  auto [it, fresh] = index.try_emplace(id, nullptr);
  if (fresh) {
    symbols.push_back(Symbol{id});
    it->second = &symbols.back();
  }
  return it->second;
}

Scope* SymbolTable::make(ScopeKind kind, Identifier name, const void* node, ScopeRole role, Scope* parent,
                         const ast::Location& at) {
  Scope* scope = &storage_.emplace_back();
  scope->kind = kind;
  scope->name = name;
  scope->node = node;
  scope->parent = parent;
  scope->location = at;
  if (parent != nullptr) {
    parent->children.push_back(scope);
    scope->nested = parent->nested || parent->is_function_like();
    scope->private_name = parent->private_name;
    scope->mangled_only = parent->mangled_only;
  }
  scopes_[reinterpret_cast<uintptr_t>(node) + static_cast<uintptr_t>(role)] = scope;
  return scope;
}

namespace {

using namespace ast;

class Builder {
 public:
  Builder(const CompilerContext& context, SymbolTable& table) : ctx_(context), names_(context.names), table_(table) {
    n_super_ = names_.intern("super");
    n_class_ = names_.intern("__class__");
    n_classdict_ = names_.intern("__classdict__");
    n_conditional_ = names_.intern("__conditional_annotations__");
    n_debug_ = names_.intern("__debug__");
    n_zero_ = names_.intern(".0");
  }

  void build(mod* tree);

 private:
  // --- scopes
  void enter(ScopeKind kind, Identifier name, const void* node, ScopeRole role, const Location& at) {
    const int iter_depth = cur_ != nullptr ? cur_->comprehension_iter_depth : 0;
    cur_ = table_.make(kind, name, node, role, cur_, at);
    cur_->comprehension_iter_depth = iter_depth;
    if (kind == ScopeKind::kClass) {
      cur_->private_name = name;
      cur_->mangled_only = nullptr;
    }
  }
  void leave() { cur_ = cur_->parent; }

  [[noreturn]] void fail(const Location& at, const char* format, PyObject* arg = nullptr) {
    if (arg != nullptr) syntax_error(ctx_.filename, at, format, arg);
    syntax_error(ctx_.filename, at, format);
  }
  Identifier mangle(Identifier name) { return scope_mangle(names_, cur_, name); }

  Symbol* add(Identifier name, uint32_t flags, const Location& at);
  Symbol* add_to(Scope* scope, Identifier name, uint32_t flags, const Location& at);
  void check_name(Identifier name, const Location& at, bool store);
  void directive(Seq<Identifier> names, bool global, const Location& at);

  // --- nodes
  void statements(Seq<stmt*> body) {
    for (stmt* s : body) statement(s);
  }
  void conditional(Seq<stmt*> body) {
    bool saved = cur_->in_conditional_block;
    cur_->in_conditional_block = true;
    statements(body);
    cur_->in_conditional_block = saved;
  }
  void statement(stmt* s);
  void function(stmt* s, Identifier name, arguments* args, Seq<stmt*> body, Seq<expr*> decorators, expr* returns,
                Seq<type_param*> params, bool is_async);
  void class_definition(ClassDef* s);
  void type_alias(TypeAlias* s);
  void annotated_assignment(AnnAssign* s);
  void enter_type_params(Identifier name, const void* node, const Location& at, bool defaults, bool kwdefaults,
                         bool is_class);
  void type_parameters(Seq<type_param*> params);
  void type_parameter(type_param* p);
  void type_variable_expression(Identifier name, expr* e, const void* node, ScopeRole role, const char* info);
  void annotations(const void* key, const Location& at, arguments* args, expr* returns);
  void parameters(arguments* args);
  void parameter(arg* a);
  void expressions(Seq<expr*> list) {
    for (expr* e : list) {
      if (e != nullptr) expression(e);
    }
  }
  void expression(expr* e);
  void named_expression(NamedExpr* e);
  void extend_walrus(expr* target);
  void comprehension(expr* e, Comprehension kind, const char* name, Seq<ast::comprehension*> generators, expr* elt,
                     expr* value);
  void pattern_node(pattern* p);
  void forbidden(const Location& at, const char* what);
  void check_import_from(ImportFrom* s);
  void name_pattern(Identifier name, const Location& at) {
    if (name != nullptr) add(name, kDefLocal, at);
  }

  const CompilerContext& ctx_;
  Names& names_;
  SymbolTable& table_;
  Scope* cur_ = nullptr;
  Identifier n_super_, n_class_, n_classdict_, n_conditional_, n_debug_, n_zero_;
};

Symbol* Builder::add_to(Scope* scope, Identifier name, uint32_t flags, const Location& at) {
  Identifier id = scope_mangle(names_, scope, name);
  Symbol* symbol = scope->get(id);
  if ((flags & kDefParam) && (symbol->flags & kDefParam)) {
    fail(at, "duplicate argument '%U' in function definition", names_.str(name));
  }
  if ((flags & kDefTypeParam) && (symbol->flags & kDefTypeParam)) {
    fail(at, "duplicate type parameter '%U'", names_.str(name));
  }
  if (symbol->directive.lineno == 0) symbol->directive = at;
  symbol->flags |= flags;
  if (scope->comprehension_target) {
    // The target of a comprehension; it must not be a name that := has bound there.
    if (symbol->flags & (kDefGlobal | kDefNonlocal)) {
      fail(at, "comprehension inner loop cannot rebind assignment expression target '%U'", names_.str(name));
    }
    symbol->flags |= kDefCompIter;
  }
  if (flags & kDefParam) scope->parameters.push_back(id);
  return symbol;
}

Symbol* Builder::add(Identifier name, uint32_t flags, const Location& at) {
  if (flags & kDefBound) check_name(name, at, true);
  return add_to(cur_, name, flags, at);
}

void Builder::check_name(Identifier name, const Location& at, bool store) {
  if (name == n_debug_ && store) fail(at, "cannot assign to __debug__");
}

void Builder::directive(Seq<Identifier> list, bool global, const Location& at) {
  const char* word = global ? "global" : "nonlocal";
  for (Identifier name : list) {
    Symbol* symbol = cur_->find(mangle(name));
    uint32_t flags = symbol != nullptr ? symbol->flags : 0;
    if (flags & (kDefParam | kDefLocal | kUse | kDefAnnot)) {
      PyObject* text = names_.str(name);
      if (flags & kDefParam) {
        syntax_error(ctx_.filename, at, "name '%U' is parameter and %s", text, word);
      }
      if (flags & kUse) syntax_error(ctx_.filename, at, "name '%U' is used prior to %s declaration", text, word);
      if (flags & kDefAnnot) syntax_error(ctx_.filename, at, "annotated name '%U' can't be %s", text, word);
      syntax_error(ctx_.filename, at, "name '%U' is assigned to before %s declaration", text, word);
    }
    Symbol* made = cur_->get(mangle(name));
    // Of several statements about a name the first is where an error is reported.
    if (!(flags & (kDefGlobal | kDefNonlocal))) made->directive = at;
    made->flags |= global ? kDefGlobal : kDefNonlocal;
    // What any block declares global is global for the module's own code too, whatever its namespaces.
    if (global) table_.top->get(mangle(name))->flags |= kDefGlobal;
  }
}

void Builder::build(mod* tree) {
  Location at{};
  enter(ScopeKind::kModule, names_.intern("top"), tree, ScopeRole::kBody, at);
  table_.top = cur_;
  switch (tree->kind) {
    case mod_kind::Module:
      statements(tree->as<Module>()->body);
      break;
    case mod_kind::Interactive:
      statements(tree->as<Interactive>()->body);
      break;
    case mod_kind::Expression:
      expression(tree->as<Expression>()->body);
      break;
    case mod_kind::FunctionType:
      PyErr_SetString(PyExc_RuntimeError, "this compiler does not handle FunctionTypes");
      throw Failure{};
  }
}

void Builder::forbidden(const Location& at, const char* what) {
  switch (cur_->kind) {
    case ScopeKind::kAnnotation:
      syntax_error(ctx_.filename, at, "%s cannot be used within an annotation", what);
    case ScopeKind::kTypeVariable:
      syntax_error(ctx_.filename, at, "%s cannot be used within %s", what, cur_->scope_info);
    case ScopeKind::kTypeAlias:
      syntax_error(ctx_.filename, at, "%s cannot be used within a type alias", what);
    case ScopeKind::kTypeParameters:
      syntax_error(ctx_.filename, at, "%s cannot be used within the definition of a generic", what);
    default:
      if (cur_->in_unevaluated_annotation) {
        syntax_error(ctx_.filename, at, "%s cannot be used within an annotation", what);
      }
  }
}

void Builder::statement(stmt* s) {
  check_stack();
  switch (s->kind) {
    case stmt_kind::FunctionDef: {
      auto* f = s->as<FunctionDef>();
      function(s, f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, false);
      break;
    }
    case stmt_kind::AsyncFunctionDef: {
      auto* f = s->as<AsyncFunctionDef>();
      function(s, f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, true);
      break;
    }
    case stmt_kind::ClassDef:
      class_definition(s->as<ClassDef>());
      break;
    case stmt_kind::TypeAlias:
      type_alias(s->as<TypeAlias>());
      break;
    case stmt_kind::Return: {
      auto* r = s->as<Return>();
      if (r->value != nullptr) {
        expression(r->value);
        cur_->returns_value = true;
      }
      break;
    }
    case stmt_kind::Delete:
      expressions(s->as<Delete>()->targets);
      break;
    case stmt_kind::Assign:
      expressions(s->as<Assign>()->targets);
      expression(s->as<Assign>()->value);
      break;
    case stmt_kind::AnnAssign:
      annotated_assignment(s->as<AnnAssign>());
      break;
    case stmt_kind::AugAssign:
      expression(s->as<AugAssign>()->target);
      expression(s->as<AugAssign>()->value);
      break;
    case stmt_kind::For: {
      auto* f = s->as<For>();
      expression(f->target);
      expression(f->iter);
      conditional(f->body);
      conditional(f->orelse);
      break;
    }
    case stmt_kind::AsyncFor: {
      auto* f = s->as<AsyncFor>();
      forbidden(s->location(), "asynchronous for");
      if (cur_->kind == ScopeKind::kModule) cur_->coroutine = true;
      expression(f->target);
      expression(f->iter);
      conditional(f->body);
      conditional(f->orelse);
      break;
    }
    case stmt_kind::While: {
      auto* w = s->as<While>();
      expression(w->test);
      conditional(w->body);
      conditional(w->orelse);
      break;
    }
    case stmt_kind::If: {
      // elif chains nest to the right: walked in a loop.
      bool saved = cur_->in_conditional_block;
      cur_->in_conditional_block = true;
      for (auto* i = s->as<If>();;) {
        expression(i->test);
        statements(i->body);
        if (i->orelse.size == 1 && i->orelse[0]->is<If>()) {
          i = i->orelse[0]->as<If>();
          continue;
        }
        statements(i->orelse);
        break;
      }
      cur_->in_conditional_block = saved;
      break;
    }
    case stmt_kind::Match: {
      auto* m = s->as<Match>();
      expression(m->subject);
      for (match_case* c : m->cases) {
        pattern_node(c->pattern);
        if (c->guard != nullptr) expression(c->guard);
        conditional(c->body);
      }
      break;
    }
    case stmt_kind::Raise: {
      auto* r = s->as<Raise>();
      if (r->exc != nullptr) {
        expression(r->exc);
        if (r->cause != nullptr) expression(r->cause);
      }
      break;
    }
    case stmt_kind::Try:
    case stmt_kind::TryStar: {
      // The two have the same fields.
      Seq<stmt*> body, orelse, finalbody;
      Seq<excepthandler*> handlers;
      if (auto* t = s->dyn<Try>()) {
        body = t->body, handlers = t->handlers, orelse = t->orelse, finalbody = t->finalbody;
      } else {
        auto* t2 = s->as<TryStar>();
        body = t2->body, handlers = t2->handlers, orelse = t2->orelse, finalbody = t2->finalbody;
      }
      conditional(body);
      for (excepthandler* h : handlers) {
        auto* handler = h->as<ExceptHandler>();
        if (handler->type != nullptr) expression(handler->type);
        if (handler->name != nullptr) add(handler->name, kDefLocal, handler->location())->deleted = true;
        conditional(handler->body);
      }
      conditional(orelse);
      conditional(finalbody);
      break;
    }
    case stmt_kind::Assert:
      expression(s->as<Assert>()->test);
      if (s->as<Assert>()->msg != nullptr) expression(s->as<Assert>()->msg);
      break;
    case stmt_kind::Import:
      for (alias* a : s->as<Import>()->names) {
        Identifier name = a->asname;
        if (name == nullptr) {
          std::string_view text = a->name->view();
          size_t dot = text.find('.');
          name = dot == std::string_view::npos ? a->name : names_.intern(text.substr(0, dot));
        }
        add(name, kDefImport, a->location());
      }
      break;
    case stmt_kind::ImportFrom:
      check_import_from(s->as<ImportFrom>());
      break;
    case stmt_kind::Global:
      directive(s->as<Global>()->names, true, s->location());
      break;
    case stmt_kind::Nonlocal:
      directive(s->as<Nonlocal>()->names, false, s->location());
      break;
    case stmt_kind::Expr:
      expression(s->as<Expr>()->value);
      break;
    case stmt_kind::With:
    case stmt_kind::AsyncWith: {
      Seq<withitem*> items = s->is<With>() ? s->as<With>()->items : s->as<AsyncWith>()->items;
      if (s->is<AsyncWith>()) {
        forbidden(s->location(), "asynchronous with");
        if (cur_->kind == ScopeKind::kModule) cur_->coroutine = true;
      }
      for (withitem* item : items) {
        expression(item->context_expr);
        if (item->optional_vars != nullptr) expression(item->optional_vars);
      }
      conditional(s->is<With>() ? s->as<With>()->body : s->as<AsyncWith>()->body);
      break;
    }
    case stmt_kind::Pass:
    case stmt_kind::Break:
    case stmt_kind::Continue:
      break;
  }
}

void Builder::check_import_from(ImportFrom* s) {
  for (alias* a : s->names) {
    if (a->name->view() == "*") {
      if (cur_->kind != ScopeKind::kModule) {
        fail(a->location(), "import * only allowed at module level");
      }
      continue;
    }
    add(a->asname != nullptr ? a->asname : a->name, kDefImport, a->location());
  }
}

void Builder::function(stmt* s, Identifier name, arguments* args, Seq<stmt*> body, Seq<expr*> decorators, expr* returns,
                       Seq<type_param*> params, bool is_async) {
  add(name, kDefLocal, s->location());
  expressions(args->defaults);
  expressions(args->kw_defaults);
  expressions(decorators);
  if (!params.empty()) {
    bool kwdefaults = false;
    for (expr* e : args->kw_defaults) kwdefaults |= e != nullptr;
    enter_type_params(name, s, s->location(), !args->defaults.empty(), kwdefaults, false);
    type_parameters(params);
  }
  Scope* outer = cur_;
  annotations(s, s->location(), args, returns);
  enter(ScopeKind::kFunction, name, s, ScopeRole::kBody, s->location());
  cur_->method = outer->kind == ScopeKind::kClass ||
                 (outer->kind == ScopeKind::kTypeParameters && outer->parent->kind == ScopeKind::kClass);
  cur_->coroutine = is_async;
  cur_->annotations = table_.of(s, ScopeRole::kAnnotations);
  parameters(args);
  if (!body.empty()) {
    if (auto* e = body[0]->dyn<Expr>()) {
      auto* c = e->value->dyn<Constant>();
      cur_->has_docstring = c != nullptr && c->value.kind == ConstantKind::Str;
    }
  }
  statements(body);
  leave();
  if (!params.empty()) leave();
}

void Builder::class_definition(ClassDef* s) {
  add(s->name, kDefLocal, s->location());
  expressions(s->decorator_list);
  if (!s->type_params.empty()) {
    enter_type_params(s->name, s, s->location(), false, false, true);
    // The class's own name mangles its type parameters.
    cur_->private_name = s->name;
    cur_->mangled_only = std::make_shared<std::vector<Identifier>>();
    type_parameters(s->type_params);
  }
  expressions(s->bases);
  for (keyword* k : s->keywords) expression(k->value);
  enter(ScopeKind::kClass, s->name, s, ScopeRole::kBody, s->location());
  if (!s->type_params.empty()) {
    add(names_.intern("__type_params__"), kDefLocal, s->location());
    add(names_.intern(".type_params"), kUse, s->location());
  }
  statements(s->body);
  leave();
  if (!s->type_params.empty()) leave();
}

void Builder::enter_type_params(Identifier name, const void* node, const Location& at, bool defaults, bool kwdefaults,
                                bool is_class) {
  Scope* outer = cur_;
  enter(ScopeKind::kTypeParameters, name, node, ScopeRole::kTypeParams, at);
  if (outer->kind == ScopeKind::kClass) {
    cur_->can_see_class_scope = true;
    add(n_classdict_, kUse, at);
  }
  if (is_class) {
    // What the block hands to the class that it makes.
    add(names_.intern(".type_params"), kDefLocal, at);
    add(names_.intern(".type_params"), kUse, at);
    add(names_.intern(".generic_base"), kDefLocal, at);
    add(names_.intern(".generic_base"), kUse, at);
  }
  if (defaults) add(names_.intern(".defaults"), kDefParam, at);
  if (kwdefaults) add(names_.intern(".kwdefaults"), kDefParam, at);
}

void Builder::type_alias(TypeAlias* s) {
  expression(s->name);
  Identifier name = s->name->as<Name>()->id;
  const bool in_class = cur_->kind == ScopeKind::kClass;
  const bool generic = !s->type_params.empty();
  if (generic) {
    enter_type_params(name, s, s->location(), false, false, false);
    type_parameters(s->type_params);
  }
  enter(ScopeKind::kTypeAlias, name, s, ScopeRole::kBody, s->location());
  cur_->can_see_class_scope = in_class;
  add(names_.intern(".format"), kDefParam, s->location());
  add(names_.intern(".format"), kUse, s->location());
  if (in_class) add(n_classdict_, kUse, s->value->location());
  expression(s->value);
  leave();
  if (generic) leave();
}

void Builder::type_parameters(Seq<type_param*> params) {
  bool seen_default = false;
  for (type_param* p : params) {
    expr* default_value = nullptr;
    Identifier name = nullptr;
    switch (p->kind) {
      case type_param_kind::TypeVar:
        default_value = p->as<TypeVar>()->default_value, name = p->as<TypeVar>()->name;
        break;
      case type_param_kind::ParamSpec:
        default_value = p->as<ParamSpec>()->default_value, name = p->as<ParamSpec>()->name;
        break;
      case type_param_kind::TypeVarTuple:
        default_value = p->as<TypeVarTuple>()->default_value, name = p->as<TypeVarTuple>()->name;
        break;
    }
    if (default_value != nullptr) {
      seen_default = true;
    } else if (seen_default) {
      fail(p->location(), "non-default type parameter '%U' follows default type parameter", names_.str(name));
    }
    type_parameter(p);
  }
}

void Builder::type_variable_expression(Identifier name, expr* e, const void* node, ScopeRole role, const char* info) {
  if (e == nullptr) return;
  const bool in_class = cur_->can_see_class_scope;
  enter(ScopeKind::kTypeVariable, name, node, role, e->location());
  cur_->can_see_class_scope = in_class;
  cur_->scope_info = info;
  add(names_.intern(".format"), kDefParam, e->location());
  add(names_.intern(".format"), kUse, e->location());
  if (in_class) add(n_classdict_, kUse, e->location());
  expression(e);
  leave();
}

void Builder::type_parameter(type_param* p) {
  auto reserved = [&](Identifier name) {
    if (cur_->mangled_only != nullptr) cur_->mangled_only->push_back(name);
    if (name == n_classdict_) {
      fail(p->location(), "reserved name '%U' cannot be used for type parameter", names_.str(name));
    }
  };
  switch (p->kind) {
    case type_param_kind::TypeVar: {
      auto* t = p->as<TypeVar>();
      reserved(t->name);
      add(t->name, kDefTypeParam | kDefLocal, p->location());
      const bool constraints = t->bound != nullptr && t->bound->is<Tuple>();
      type_variable_expression(t->name, t->bound, p, ScopeRole::kBound,
                               constraints ? "a TypeVar constraint" : "a TypeVar bound");
      type_variable_expression(t->name, t->default_value, p, ScopeRole::kDefault, "a TypeVar default");
      break;
    }
    case type_param_kind::ParamSpec: {
      auto* t = p->as<ParamSpec>();
      reserved(t->name);
      add(t->name, kDefTypeParam | kDefLocal, p->location());
      type_variable_expression(t->name, t->default_value, p, ScopeRole::kDefault, "a ParamSpec default");
      break;
    }
    case type_param_kind::TypeVarTuple: {
      auto* t = p->as<TypeVarTuple>();
      reserved(t->name);
      add(t->name, kDefTypeParam | kDefLocal, p->location());
      type_variable_expression(t->name, t->default_value, p, ScopeRole::kDefault, "a TypeVarTuple default");
      break;
    }
  }
}

void Builder::annotations(const void* key, const Location& at, arguments* args, expr* returns) {
  const bool in_class = cur_->can_see_class_scope || cur_->kind == ScopeKind::kClass;
  const bool future = (ctx_.flags & CO_FUTURE_ANNOTATIONS) != 0;
  enter(ScopeKind::kAnnotation, names_.intern("__annotate__"), key, ScopeRole::kAnnotations, at);
  cur_->in_unevaluated_annotation = future;
  add(names_.intern(".format"), kDefParam, at);
  add(names_.intern(".format"), kUse, at);
  if (in_class && !future) {
    cur_->can_see_class_scope = true;
    add(n_classdict_, kUse, at);
  }
  auto visit = [&](arg* a) {
    if (a != nullptr && a->annotation != nullptr) expression(a->annotation);
  };
  for (arg* a : args->posonlyargs) visit(a);
  for (arg* a : args->args) visit(a);
  visit(args->vararg);
  visit(args->kwarg);
  for (arg* a : args->kwonlyargs) visit(a);
  if (returns != nullptr) expression(returns);
  leave();
}

void Builder::annotated_assignment(AnnAssign* s) {
  const bool future = (ctx_.flags & CO_FUTURE_ANNOTATIONS) != 0;
  if (auto* name = s->target->dyn<Name>()) {
    Symbol* symbol = cur_->find(mangle(name->id));
    uint32_t old = symbol != nullptr ? symbol->flags : 0;
    if ((old & (kDefGlobal | kDefNonlocal)) && cur_ != table_.top && s->simple) {
      syntax_error(ctx_.filename, s->location(), "annotated name '%U' can't be %s", names_.str(name->id),
                   old & kDefGlobal ? "global" : "nonlocal");
    }
    if (s->simple) {
      add(name->id, kDefAnnot | kDefLocal, s->target->location());
    } else if (s->value != nullptr) {
      add(name->id, kDefLocal, s->target->location());
    }
  } else {
    expression(s->target);
  }
  // Annotations of variables of functions are never evaluated; those of modules and classes share a block.
  const bool local = cur_->is_function_like();
  Scope* owner = cur_;
  if (!local && !future && s->simple) {
    if ((owner->kind == ScopeKind::kModule || owner->in_conditional_block) && !owner->has_conditional_annotations) {
      owner->has_conditional_annotations = true;
      add(n_conditional_, kUse, s->location());
    }
  }
  if (owner->annotations == nullptr) {
    const bool in_class = owner->kind == ScopeKind::kClass || owner->can_see_class_scope;
    enter(ScopeKind::kAnnotation, names_.intern("__annotate__"), s, ScopeRole::kAnnotations, s->annotation->location());
    owner->annotations = cur_;
    add(names_.intern(".format"), kDefParam, s->location());
    add(names_.intern(".format"), kUse, s->location());
    if (in_class && !future && !local) {
      cur_->can_see_class_scope = true;
      add(n_classdict_, kUse, s->location());
    }
    cur_ = owner;
  }
  cur_ = owner->annotations;
  bool saved = cur_->in_unevaluated_annotation;
  cur_->in_unevaluated_annotation = local || future;
  if (!local && !future && owner->has_conditional_annotations) add(n_conditional_, kUse, s->location());
  expression(s->annotation);
  cur_->in_unevaluated_annotation = saved;
  cur_ = owner;
  if (s->value != nullptr) expression(s->value);
}

void Builder::parameter(arg* a) { add(a->arg, kDefParam, a->location()); }

void Builder::parameters(arguments* args) {
  for (arg* a : args->posonlyargs) parameter(a);
  for (arg* a : args->args) parameter(a);
  for (arg* a : args->kwonlyargs) parameter(a);
  if (args->vararg != nullptr) {
    parameter(args->vararg);
    cur_->varargs = true;
  }
  if (args->kwarg != nullptr) {
    parameter(args->kwarg);
    cur_->varkeywords = true;
  }
}

void Builder::extend_walrus(expr* target) {
  Identifier name = target->as<Name>()->id;
  const Location& at = target->location();
  for (Scope* scope = cur_; scope != nullptr; scope = scope->parent) {
    Identifier id = scope_mangle(names_, scope, name);
    if (scope->comprehension != Comprehension::kNone) {
      Symbol* symbol = scope->find(id);
      if (symbol != nullptr && (symbol->flags & kDefCompIter) && (symbol->flags & kDefLocal)) {
        fail(at, "assignment expression cannot rebind comprehension iteration variable '%U'", names_.str(name));
      }
      continue;
    }
    if (scope->kind == ScopeKind::kFunction || scope->kind == ScopeKind::kModule) {
      Symbol* owner = scope->find(id);
      const bool global =
          scope->kind == ScopeKind::kModule || (owner != nullptr && (owner->flags & kDefGlobal) != 0);
      for (Scope* inner = cur_; inner != scope; inner = inner->parent) {
        Symbol* symbol = inner->get(id);
        symbol->flags |= global ? kDefGlobal : kDefNonlocal;
        symbol->directive = at;
      }
      Symbol* symbol = add_to(scope, name, scope->kind == ScopeKind::kModule ? kDefGlobal : kDefLocal, at);
      symbol->walrus = true;
      return;
    }
    switch (scope->kind) {
      case ScopeKind::kClass:
        fail(at, "assignment expression within a comprehension cannot be used in a class body");
      case ScopeKind::kTypeParameters:
        fail(at, "assignment expression within a comprehension cannot be used within the definition of a generic");
      case ScopeKind::kTypeAlias:
        fail(at, "assignment expression within a comprehension cannot be used in a type alias");
      case ScopeKind::kTypeVariable:
        fail(at, "assignment expression within a comprehension cannot be used in a TypeVar bound");
      default:
        fail(at, "named expression cannot be used within an annotation");
    }
  }
}

void Builder::named_expression(NamedExpr* e) {
  const Location& at = e->target->location();
  if (cur_->comprehension_iter_depth > 0) {
    fail(e->location(), "assignment expression cannot be used in a comprehension iterable expression");
  }
  if (cur_->comprehension != Comprehension::kNone) extend_walrus(e->target);
  expression(e->value);
  if (cur_->comprehension == Comprehension::kNone) {
    expression(e->target);
    Symbol* symbol = cur_->find(mangle(e->target->as<Name>()->id));
    if (symbol != nullptr) symbol->walrus = true;
  } else {
    // Already recorded; the target's own visit would make it a local of the comprehension.
    check_name(e->target->as<Name>()->id, at, true);
  }
}

void Builder::expression(expr* e) {
  check_stack();
  switch (e->kind) {
    case expr_kind::NamedExpr:
      forbidden(e->location(), "named expression");
      named_expression(e->as<NamedExpr>());
      break;
    case expr_kind::BoolOp:
      expressions(e->as<BoolOp>()->values);
      break;
    case expr_kind::BinOp: {
      // Long sums nest to the left: down in a loop, then up the right operands.
      std::vector<BinOp*> chain;
      expr* left = e;
      while (left->is<BinOp>()) {
        chain.push_back(left->as<BinOp>());
        left = chain.back()->left;
      }
      expression(left);
      for (size_t i = chain.size(); i-- > 0;) expression(chain[i]->right);
      break;
    }
    case expr_kind::UnaryOp:
      expression(e->as<UnaryOp>()->operand);
      break;
    case expr_kind::Lambda: {
      auto* l = e->as<Lambda>();
      expressions(l->args->defaults);
      expressions(l->args->kw_defaults);
      enter(ScopeKind::kFunction, names_.intern("lambda"), e, ScopeRole::kBody, e->location());
      cur_->is_lambda = true;
      parameters(l->args);
      expression(l->body);
      leave();
      break;
    }
    case expr_kind::IfExp:
      expression(e->as<IfExp>()->test);
      expression(e->as<IfExp>()->body);
      expression(e->as<IfExp>()->orelse);
      break;
    case expr_kind::Dict:
      expressions(e->as<Dict>()->keys);
      expressions(e->as<Dict>()->values);
      break;
    case expr_kind::Set:
      expressions(e->as<Set>()->elts);
      break;
    case expr_kind::ListComp: {
      auto* c = e->as<ListComp>();
      comprehension(e, Comprehension::kList, "<listcomp>", c->generators, c->elt, nullptr);
      break;
    }
    case expr_kind::SetComp: {
      auto* c = e->as<SetComp>();
      comprehension(e, Comprehension::kSet, "<setcomp>", c->generators, c->elt, nullptr);
      break;
    }
    case expr_kind::DictComp: {
      auto* c = e->as<DictComp>();
      comprehension(e, Comprehension::kDict, "<dictcomp>", c->generators, c->key, c->value);
      break;
    }
    case expr_kind::GeneratorExp: {
      auto* c = e->as<GeneratorExp>();
      comprehension(e, Comprehension::kGenerator, "<genexpr>", c->generators, c->elt, nullptr);
      break;
    }
    case expr_kind::Yield:
    case expr_kind::YieldFrom: {
      forbidden(e->location(), "yield expression");
      expr* value = e->is<Yield>() ? e->as<Yield>()->value : e->as<YieldFrom>()->value;
      if (value != nullptr) expression(value);
      cur_->generator = true;
      if (cur_->comprehension != Comprehension::kNone) {
        switch (cur_->comprehension) {
          case Comprehension::kList:
            fail(e->location(), "'yield' inside list comprehension");
          case Comprehension::kSet:
            fail(e->location(), "'yield' inside set comprehension");
          case Comprehension::kDict:
            fail(e->location(), "'yield' inside dict comprehension");
          default:
            fail(e->location(), "'yield' inside generator expression");
        }
      }
      break;
    }
    case expr_kind::Await:
      forbidden(e->location(), "await expression");
      if ((ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) == 0 || cur_->kind != ScopeKind::kModule) {
        if (!cur_->is_function_like()) fail(e->location(), "'await' outside function");
      }
      expression(e->as<Await>()->value);
      cur_->coroutine = cur_->coroutine || cur_->kind == ScopeKind::kModule ||
                        cur_->comprehension != Comprehension::kNone;
      break;
    case expr_kind::Compare:
      expression(e->as<Compare>()->left);
      expressions(e->as<Compare>()->comparators);
      break;
    case expr_kind::Call: {
      auto* c = e->as<Call>();
      expression(c->func);
      expressions(c->args);
      for (keyword* k : c->keywords) expression(k->value);
      break;
    }
    case expr_kind::FormattedValue: {
      auto* f = e->as<FormattedValue>();
      expression(f->value);
      if (f->format_spec != nullptr) expression(f->format_spec);
      break;
    }
    case expr_kind::Interpolation: {
      auto* f = e->as<Interpolation>();
      expression(f->value);
      if (f->format_spec != nullptr) expression(f->format_spec);
      break;
    }
    case expr_kind::JoinedStr:
      expressions(e->as<JoinedStr>()->values);
      break;
    case expr_kind::TemplateStr:
      expressions(e->as<TemplateStr>()->values);
      break;
    case expr_kind::Constant:
      break;
    case expr_kind::Attribute: {
      auto* a = e->as<Attribute>();
      if (a->ctx != expr_context::Load && a->attr == n_debug_) {
        fail(e->location(), a->ctx == expr_context::Store ? "cannot assign to __debug__" : "cannot delete __debug__");
      }
      expression(a->value);
      break;
    }
    case expr_kind::Subscript:
      expression(e->as<Subscript>()->value);
      expression(e->as<Subscript>()->slice);
      break;
    case expr_kind::Starred:
      expression(e->as<Starred>()->value);
      break;
    case expr_kind::Slice: {
      auto* s = e->as<Slice>();
      if (s->lower != nullptr) expression(s->lower);
      if (s->upper != nullptr) expression(s->upper);
      if (s->step != nullptr) expression(s->step);
      break;
    }
    case expr_kind::Name: {
      auto* n = e->as<Name>();
      if (cur_->in_unevaluated_annotation) break;
      if (n->ctx == expr_context::Del && n->id == n_debug_) fail(e->location(), "cannot delete __debug__");
      Symbol* symbol = add(n->id, n->ctx == expr_context::Load ? kUse : kDefLocal, e->location());
      if (n->ctx == expr_context::Del) symbol->deleted = true;
      // super() without arguments needs the class.
      if (n->ctx == expr_context::Load && cur_->is_function_like() && n->id == n_super_) {
        add(n_class_, kUse, e->location());
      }
      break;
    }
    case expr_kind::List:
      expressions(e->as<List>()->elts);
      break;
    case expr_kind::Tuple:
      expressions(e->as<Tuple>()->elts);
      break;
  }
}

void Builder::comprehension(expr* e, Comprehension kind, const char* name, Seq<ast::comprehension*> generators,
                            expr* elt, expr* value) {
  ast::comprehension* outermost = generators[0];
  ++cur_->comprehension_iter_depth;
  expression(outermost->iter);
  --cur_->comprehension_iter_depth;
  Scope* outer = cur_;
  enter(ScopeKind::kFunction, names_.intern(name), e, ScopeRole::kBody, e->location());
  cur_->comprehension = kind;
  cur_->coroutine = outermost->is_async != 0;
  cur_->in_unevaluated_annotation = outer->in_unevaluated_annotation;
  // Inside annotation scopes of classes the names of the class must be seen: no inlining there.
  cur_->inlined = kind != Comprehension::kGenerator && !outer->can_see_class_scope;
  add(n_zero_, kDefParam, outermost->target->location());
  cur_->comprehension_target = true;
  expression(outermost->target);
  cur_->comprehension_target = false;
  for (expr* condition : outermost->ifs) expression(condition);
  for (size_t i = 1; i < generators.size; ++i) {
    ast::comprehension* g = generators[i];
    cur_->comprehension_target = true;
    expression(g->target);
    cur_->comprehension_target = false;
    ++cur_->comprehension_iter_depth;
    expression(g->iter);
    --cur_->comprehension_iter_depth;
    for (expr* condition : g->ifs) expression(condition);
    if (g->is_async) cur_->coroutine = true;
  }
  if (value != nullptr) expression(value);
  expression(elt);
  cur_->generator = kind == Comprehension::kGenerator;
  const bool is_async = cur_->coroutine && kind != Comprehension::kGenerator;
  leave();
  if (is_async && cur_->kind == ScopeKind::kModule) cur_->coroutine = true;
  if (is_async && cur_->comprehension != Comprehension::kNone) cur_->coroutine = true;
}

void Builder::pattern_node(pattern* p) {
  check_stack();
  switch (p->kind) {
    case pattern_kind::MatchValue:
      expression(p->as<MatchValue>()->value);
      break;
    case pattern_kind::MatchSingleton:
      break;
    case pattern_kind::MatchSequence:
      for (pattern* q : p->as<MatchSequence>()->patterns) pattern_node(q);
      break;
    case pattern_kind::MatchStar:
      name_pattern(p->as<MatchStar>()->name, p->location());
      break;
    case pattern_kind::MatchMapping: {
      auto* m = p->as<MatchMapping>();
      expressions(m->keys);
      for (pattern* q : m->patterns) pattern_node(q);
      name_pattern(m->rest, p->location());
      break;
    }
    case pattern_kind::MatchClass: {
      auto* m = p->as<MatchClass>();
      expression(m->cls);
      for (pattern* q : m->patterns) pattern_node(q);
      for (size_t i = 0; i < m->kwd_attrs.size; ++i) {
        check_name(m->kwd_attrs[i], m->kwd_patterns[i]->location(), true);
      }
      for (pattern* q : m->kwd_patterns) pattern_node(q);
      break;
    }
    case pattern_kind::MatchAs:
      if (p->as<MatchAs>()->pattern != nullptr) pattern_node(p->as<MatchAs>()->pattern);
      name_pattern(p->as<MatchAs>()->name, p->location());
      break;
    case pattern_kind::MatchOr:
      for (pattern* q : p->as<MatchOr>()->patterns) pattern_node(q);
      break;
  }
}

}  // namespace

std::unique_ptr<SymbolTable> build_symbols(const CompilerContext& context, mod* tree) {
  auto table = std::make_unique<SymbolTable>();
  Builder(context, *table).build(tree);
  resolve_symbols(context, *table);
  return table;
}

}  // namespace amphis::compile
