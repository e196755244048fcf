// Classes: the body as a function that fills a namespace, and the call of __build_class__.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

Ref<> Compiler::class_code(ClassDef* s, Scope* scope, int firstlineno) {
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  enter_unit(unit, scope, names_.str(s->name), firstlineno);
  begin_body(true);
  code().position = Position{firstlineno, firstlineno, 0, 0};
  auto store_const = [&](PyObject* value, const char* name) {
    const uint32_t t = push();
    emit_const(t, value);
    store_name(names_.intern(name), Operand{t, true});
    set_top(t);
  };
  const uint32_t t = top();
  load_name(names_.intern("__name__"), kAny);
  store_name(names_.intern("__module__"), Operand{t, true});
  set_top(t);
  store_const(unit->qualname, "__qualname__");
  Ref<> line = Ref<>::steal(check(PyLong_FromLong(firstlineno)));
  store_const(line, "__firstlineno__");
  if (!s->type_params.empty()) {
    load_name(names_.intern(".type_params"), kAny);
    store_name(names_.intern("__type_params__"), Operand{t, true});
    set_top(t);
  }
  if (scope->needs_classdict) {
    emit(Op::LOAD_LOCALS, push());
    emit(Op::STORE_DEREF, cell_register(names_.intern("__classdict__")), t, 0, kKillB);
    set_top(t);
  }
  if (scope->has_conditional_annotations) {
    emit(Op::BUILD_SET, push(), t, 0);
    emit(Op::STORE_DEREF, cell_register(names_.intern("__conditional_annotations__")), t, 0, kKillB);
    set_top(t);
  }
  Seq<ast::stmt*> statements = s->body;
  if (future_annotations() && scope->annotations != nullptr) emit(Op::SETUP_ANNOTATIONS);
  Ref<> doc = docstring(statements);
  if (doc) {
    at(statements[0]->location());
    store_const(doc, "__doc__");
    statements = {statements.data + 1, statements.size - 1};
  }
  body(statements);
  Inherit line_of_body(code());
  if (!unit->annotations.empty()) {
    Ref<> annotate = deferred_annotate();
    make_function(annotate, 0, top(), kAny);
    store_name(names_.intern("__annotate_func__"), Operand{t, true});
    set_top(t);
  }
  Ref<> attributes = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(unit->static_attributes.size()))));
  for (size_t i = 0; i < unit->static_attributes.size(); ++i) {
    PyTuple_SET_ITEM(attributes.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(unit->static_attributes[i])));
  }
  store_const(attributes, "__static_attributes__");
  if (scope->needs_classdict) {
    emit(Op::COPY, push(), cell_register(names_.intern("__classdict__")));
    store_name(names_.intern("__classdictcell__"), Operand{t, true});
    set_top(t);
  }
  if (scope->needs_class_closure) {
    emit(Op::COPY, push(), cell_register(names_.intern("__class__")));
    store_name(names_.intern("__classcell__"), Operand{t, false});
    emit(Op::RETURN, t);
    set_top(t);
  } else if (code().reachable()) {
    code().emit_wide(Op::RETURN_CONST, 0, const_index(Py_None));
  }
  return leave_unit();
}

// __build_class__(function, name, *bases, **keywords) into `dst`.
void Compiler::class_call(ClassDef* s, Seq<ast::expr*> bases, int firstlineno, int dst) {
  const uint32_t t = push();
  Ref<> object = class_code(s, symbols_.of(s), firstlineno);
  at(s->location());
  emit(Op::LOAD_BUILD_CLASS, t);
  make_function(object, 0, t + 1, kAny);
  emit_const(push(), names_.str(s->name));
  finish_call(t, false, bases, s->keywords, 2, dst);
}

void Compiler::class_stmt(ClassDef* s) {
  const uint32_t base = top();
  const Location where = s->location();
  int firstlineno = where.lineno;
  if (!s->decorator_list.empty()) firstlineno = s->decorator_list[0]->lineno;
  validate_keywords(s->keywords);
  for (ast::expr* d : s->decorator_list) push_expr(d);
  at(where);
  const uint32_t t = top();
  if (s->type_params.empty()) {
    class_call(s, s->bases, firstlineno, kAny);
  } else {
    Ref<> name = generic_name(s->name);
    Scope* scope = symbols_.of(s, ScopeRole::kTypeParams);
    auto unit = std::make_unique<Unit>(unit_, scope, pool_);
    enter_unit(unit, scope, name, firstlineno);
    begin_body(false);
    at(where);
    const uint32_t inner = top();
    push_type_params(s->type_params);
    store_name(names_.intern(".type_params"), Operand{inner, true});
    set_top(inner);
    // The implicit base, Generic[T, …], comes last.
    load_name(names_.intern(".type_params"), kAny);
    emit(Op::INTRINSIC_1, inner, inner, static_cast<uint32_t>(Intrinsic1::kSubscriptGeneric), kKillB);
    store_name(names_.intern(".generic_base"), Operand{inner, true});
    set_top(inner);
    Arena& arena = names_.arena();
    auto* generic = arena.make<ast::Name>();
    static_cast<Location&>(*generic) = where;
    generic->id = names_.intern(".generic_base");
    generic->ctx = expr_context::Load;
    Seq<ast::expr*> bases;
    bases.size = s->bases.size + 1;
    bases.data = static_cast<ast::expr**>(arena.allocate(bases.size * sizeof(ast::expr*)));
    for (size_t i = 0; i < s->bases.size; ++i) bases.data[i] = s->bases[i];
    bases.data[s->bases.size] = generic;
    class_call(s, bases, firstlineno, static_cast<int>(inner));
    emit(Op::RETURN, inner);
    Ref<> object = leave_unit();
    make_function(object, 0, t, kAny);
    set_top(t);
    emit(Op::CALL, t, 0, t);
    push();
  }
  set_top(t + 1);
  decorate(s->decorator_list, base);
  at(where);
  set_top(base + 1);
  store_name(s->name, Operand{base, true});
  set_top(base);
}

}  // namespace amphis::compile
