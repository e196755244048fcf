// Functions and lambdas: defaults, closures, the code object of the body.
#include <climits>

#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {

// Drops the indentation that all lines after the first share, as inspect.cleandoc() does.
Ref<> clean_docstring(PyObject* text) {
  Ref<> expanded = Ref<>::steal(check(PyObject_CallMethod(text, "expandtabs", nullptr)));
  Py_ssize_t size;
  const char* data = PyUnicode_AsUTF8AndSize(expanded, &size);
  if (data == nullptr) {
    // Lone surrogates: left as it is.
    PyErr_Clear();
    return Ref<>::share(text);
  }
  std::string_view doc(data, static_cast<size_t>(size));
  size_t margin = SIZE_MAX;
  size_t p = doc.find('\n');
  while (p != std::string_view::npos) {
    size_t line = p + 1, q = line;
    while (q < doc.size() && doc[q] == ' ') ++q;
    p = doc.find('\n', q);
    if (q < doc.size() && doc[q] != '\n' && q - line < margin) margin = q - line;
  }
  if (margin == SIZE_MAX) margin = 0;
  std::string result;
  size_t start = doc.find_first_not_of(' ');
  if (start == std::string_view::npos) start = doc.size();
  p = doc.find('\n', start);
  result += doc.substr(start, p == std::string_view::npos ? p : p - start + 1);
  while (p != std::string_view::npos) {
    size_t line = p + 1;
    for (size_t i = 0; i < margin && line < doc.size() && doc[line] == ' '; ++i) ++line;
    p = doc.find('\n', line);
    result += doc.substr(line, p == std::string_view::npos ? p : p - line + 1);
  }
  return Ref<>::steal(check(PyUnicode_FromStringAndSize(result.data(), static_cast<Py_ssize_t>(result.size()))));
}

}  // namespace

// The docstring at the beginning of a body, cleaned; null if there is none or it is optimized away.
Ref<> Compiler::docstring(Seq<ast::stmt*> statements) {
  if (ctx_.optimize >= 2 || statements.empty()) return Ref<>();
  auto* e = statements[0]->dyn<Expr>();
  if (e == nullptr) return Ref<>();
  auto* c = e->value->dyn<Constant>();
  if (c == nullptr) return Ref<>();
  if (c->value.kind == ConstantKind::Object && !PyUnicode_CheckExact(static_cast<PyObject*>(c->value.object))) {
    return Ref<>();
  }
  if (c->value.kind != ConstantKind::Str && c->value.kind != ConstantKind::Object) return Ref<>();
  Ref<> text = constant_object(ctx_, c->location(), c->value);
  return clean_docstring(text);
}

// Pushes the tuple of defaults and the dict of keyword-only defaults, as far as there are any.
unsigned Compiler::push_defaults(arguments* args) {
  unsigned parts = 0;
  if (!args->defaults.empty()) {
    const uint32_t t = top();
    Tuple all;
    all.elts = args->defaults;
    all.ctx = expr_context::Load;
    Ref<> value = fold(ctx_, &all);
    if (value) {
      emit_const(push(), value);
    } else {
      sequence(args->defaults, Op::BUILD_TUPLE, static_cast<int>(t));
      set_top(t);
      push();
    }
    parts |= kFuncDefaults;
  }
  const uint32_t t = top();
  uint32_t count = 0;
  for (size_t i = 0; i < args->kwonlyargs.size; ++i) {
    ast::expr* value = args->kw_defaults[i];
    if (value == nullptr) continue;
    emit_const(push(), names_.str(scope_mangle(names_, unit_->scope, args->kwonlyargs[i]->arg)));
    push_argument(value, false);
    ++count;
  }
  if (count > 0) {
    emit(Op::BUILD_MAP, t, t, count);
    set_top(t + 1);
    parts |= kFuncKwDefaults;
  }
  return parts;
}

// Pushes the tuple of cells that the code needs; nothing if it is no closure.
unsigned Compiler::push_closure(PyObject* object) {
  auto* inner = reinterpret_cast<PyCodeObject*>(object);
  const int n = inner->co_nfreevars;
  if (n == 0) return 0;
  const uint32_t t = top();
  for (int i = 0; i < n; ++i) {
    PyObject* name = PyTuple_GET_ITEM(inner->co_localsplusnames, inner->co_nlocalsplus - n + i);
    Py_ssize_t size;
    const char* text = check(PyUnicode_AsUTF8AndSize(name, &size));
    const uint32_t cell = cell_register(names_.intern({text, static_cast<size_t>(size)}));
    emit(Op::BORROW, push(), cell);
  }
  emit(Op::BUILD_TUPLE, t, t, static_cast<uint32_t>(n));
  set_top(t + 1);
  return kFuncClosure;
}

Operand Compiler::make_function(PyObject* object, unsigned parts, uint32_t first, int dst) {
  parts |= push_closure(object);
  set_top(first);
  Operand d = destination(dst);
  const uint64_t index = code().reachable() ? static_cast<uint64_t>(unit_->consts.append(object)) : 0;
  emit(Op::MAKE_FUNCTION, d.reg, first, parts, 0, index);
  return d;
}

// The decorators lie below the object at the top; the innermost is applied first.
void Compiler::decorate(Seq<ast::expr*> decorators, uint32_t first) {
  for (size_t i = decorators.size; i-- > 0;) {
    At here(code(), decorators[i]->location());
    const auto callee = first + static_cast<uint32_t>(i);
    emit(Op::CALL, callee, 1, callee);
  }
}

Ref<> Compiler::function_code(ast::stmt* s, Scope* scope, Identifier name, arguments* args,
                              Seq<ast::stmt*> statements, int firstlineno) {
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->posonly = static_cast<int>(args->posonlyargs.size);
  unit->argcount = static_cast<int>(args->posonlyargs.size + args->args.size);
  unit->kwonly = static_cast<int>(args->kwonlyargs.size);
  enter_unit(unit, scope, names_.str(name), firstlineno);
  Ref<> doc = docstring(statements);
  if (scope->has_docstring && statements.size > 0) {
    if (doc) {
      unit->consts.append(doc);
    }
    statements = {statements.data + 1, statements.size - 1};
  }
  begin_body(false);
  // One that has nothing but its documentation is in the line of its beginning.
  if (statements.empty()) begin_line();
  body(statements);
  (void)s;
  return leave_unit();
}

void Compiler::function_stmt(ast::stmt* s, Identifier name, arguments* args, Seq<ast::stmt*> statements,
                             Seq<ast::expr*> decorators, ast::expr* returns, Seq<type_param*> params, bool) {
  const uint32_t base = top();
  const Location where = s->location();
  int firstlineno = where.lineno;
  if (!decorators.empty()) firstlineno = decorators[0]->lineno;
  for (ast::expr* d : decorators) push_expr(d);
  at(where);
  const uint32_t f = top();
  int local = -1;
  if (decorators.empty()) {
    NameUse use = resolve(name);
    if (use.kind == NameUse::kFast) local = static_cast<int>(use.reg);
  }
  if (params.empty()) {
    unsigned parts = push_defaults(args);
    Ref<> annotate = function_annotate(s, args, returns);
    at(where);
    Ref<> object = function_code(s, symbols_.of(s), name, args, statements, firstlineno);
    parts |= push_closure(object);
    if (annotate) {
      make_function(annotate, 0, top(), kAny);
      parts |= kFuncAnnotate;
    }
    finish_function(object, parts, f, local);
  } else {
    generic_function(s, name, args, statements, returns, params, firstlineno, local);
  }
  if (local >= 0) {
    if (code().reachable()) set_bound(static_cast<uint32_t>(local));
    set_top(base);
    return;
  }
  set_top(f + 1);
  decorate(decorators, base);
  at(where);
  set_top(base + 1);
  store_name(name, Operand{base, true});
  set_top(base);
}

// MAKE_FUNCTION with all parts pushed, the closure included.
Operand Compiler::finish_function(PyObject* object, unsigned parts, uint32_t first, int dst) {
  set_top(first);
  Operand d = destination(dst);
  const uint64_t index = code().reachable() ? static_cast<uint64_t>(unit_->consts.append(object)) : 0;
  emit(Op::MAKE_FUNCTION, d.reg, first, parts, 0, index);
  return d;
}

Operand Compiler::lambda(Lambda* e, int dst) {
  const uint32_t f = top();
  unsigned parts = push_defaults(e->args);
  Scope* scope = symbols_.of(e);
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->posonly = static_cast<int>(e->args->posonlyargs.size);
  unit->argcount = static_cast<int>(e->args->posonlyargs.size + e->args->args.size);
  unit->kwonly = static_cast<int>(e->args->kwonlyargs.size);
  Ref<> name = Ref<>::steal(check(PyUnicode_InternFromString("<lambda>")));
  enter_unit(unit, scope, name, e->lineno);
  begin_body(false);
  {
    at(e->body->location());
    Operand value = expr(e->body);
    at(e->body->location());
    emit(Op::RETURN, value.reg);
  }
  Ref<> object = leave_unit();
  return make_function(object, parts, f, dst);
}

}  // namespace amphis::compile
