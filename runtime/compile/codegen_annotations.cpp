// Annotations: functions that compute them when asked (PEP 649, 749), or strings (PEP 563).
#include "compile/codegen.h"
#include "syntax/unparse.h"

namespace amphis::compile {

using namespace ast;

void Compiler::begin_lazy(const char* parameter) {
  // VALUE is 1, VALUE_WITH_FAKE_GLOBALS 2; everything else is emulated by the caller.
  if (parameter != nullptr) unit_->register_names[0] = names_.intern(parameter);
  Label ok = new_label();
  const uint32_t t = push();
  emit(Op::GT_IMM, t, 0, 2, kFused);
  jump(Op::JUMP_IF_FALSE, t, ok, kKillA);
  code().emit_wide(Op::LOAD_COMMON_CONSTANT, t, 1);
  emit(Op::RAISE, 0, t, 1);
  bind(ok);
  set_top(t);
}

Ref<> Compiler::annotation_text(ast::expr* annotation) {
  std::string text = unparse(annotation);
  return Ref<>::steal(
      check(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogatepass")));
}

// Pushes the value of an annotation.
void Compiler::annotation_value(ast::expr* annotation) {
  if (annotation->is<Starred>()) {
    // *args: *Ts
    const uint32_t t = top();
    Operand o = expr(annotation->as<Starred>()->value);
    set_top(t);
    push();
    emit(Op::UNPACK_SEQUENCE, t, o.reg, 1, kill(o, kKillB));
    return;
  }
  push_expr(annotation);
}

namespace {

template <class F>
void each_annotation(arguments* args, expr* returns, Names& names, F&& visit) {
  auto one = [&](arg* a) {
    if (a != nullptr && a->annotation != nullptr) visit(a->arg, a->annotation);
  };
  for (arg* a : args->posonlyargs) one(a);
  for (arg* a : args->args) one(a);
  one(args->vararg);
  for (arg* a : args->kwonlyargs) one(a);
  one(args->kwarg);
  if (returns != nullptr) visit(names.intern("return"), returns);
}

}  // namespace

// The code of a function's __annotate__; null if it has no annotations.
Ref<> Compiler::function_annotate(ast::stmt* s, arguments* args, ast::expr* returns) {
  uint32_t count = 0;
  each_annotation(args, returns, names_, [&](Identifier, ast::expr*) { ++count; });
  if (count == 0) return Ref<>();
  Scope* scope = symbols_.of(s, ScopeRole::kAnnotations);
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->argcount = unit->posonly = 1;
  Ref<> name = Ref<>::steal(check(PyUnicode_InternFromString("__annotate__")));
  enter_unit(unit, scope, name, s->lineno);
  // It is called after the function it belongs to.
  Ref<> owner = Ref<>::steal(check(PyUnicode_Substring(
      unit->qualname, 0, PyUnicode_GET_LENGTH(unit->qualname.get()) - PyUnicode_GET_LENGTH(name.get()))));
  Identifier function_name = s->is<FunctionDef>() ? s->as<FunctionDef>()->name : s->as<AsyncFunctionDef>()->name;
  unit->qualname = Ref<>::steal(
      check(PyUnicode_FromFormat("%U%U.%U", owner.get(), names_.str(function_name), name.get())));
  begin_body(false);
  at(s->location());
  begin_lazy("format");
  const uint32_t t = top();
  each_annotation(args, returns, names_, [&](Identifier id, ast::expr* annotation) {
    at(annotation->location());
    emit_const(push(), names_.str(scope_mangle(names_, unit_->scope, id)));
    if (future_annotations()) {
      Ref<> text = annotation_text(annotation);
      emit_const(push(), text);
    } else {
      annotation_value(annotation);
    }
  });
  at(s->location());
  need(t + 1);
  emit(Op::BUILD_MAP, t, t, count);
  emit(Op::RETURN, t);
  return leave_unit();
}

// The __annotate__ of the module or class whose unit is current, from the annotations met in its body.
Ref<> Compiler::deferred_annotate() {
  Unit& owner = *unit_;
  Scope* scope = owner.scope->annotations;
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->argcount = unit->posonly = 1;
  Ref<> name = Ref<>::steal(check(PyUnicode_InternFromString("__annotate__")));
  enter_unit(unit, scope, name, owner.firstlineno);
  begin_body(false);
  begin_lazy("format");
  const uint32_t result = push();
  emit(Op::BUILD_MAP, result, result, 0);
  for (const DeferredAnnotation& a : owner.annotations) {
    At here(code(), a.statement->location());
    Label skip = new_label();
    if (a.condition >= 0) {
      const uint32_t t = push();
      emit_int(t, a.condition);
      Operand known = load_name(names_.intern("__conditional_annotations__"), kAny);
      set_top(t);
      emit(Op::CONTAINS, t, t, known.reg, kFused | kKillB | kill(known, kKillC));
      jump(Op::JUMP_IF_FALSE, t, skip, kKillA);
    }
    const uint32_t t = top();
    Identifier id = scope_mangle(names_, scope, a.statement->target->as<ast::Name>()->id);
    annotation_value(a.statement->annotation);
    emit_const(push(), names_.str(id));
    emit(Op::STORE_SUBSCR, result, t + 1, t, kKillB | kKillC);
    set_top(t);
    bind(skip);
  }
  emit(Op::RETURN, result);
  return leave_unit();
}

void Compiler::ann_assign(AnnAssign* s) {
  const uint32_t base = top();
  const Scope* scope = unit_->scope;
  const bool namespace_body = !scope->is_function_like();
  if (s->value != nullptr) {
    const int local = local_register(s->target);
    if (local >= 0) {
      expr(s->value, local);
      if (code().reachable()) set_bound(static_cast<uint32_t>(local));
    } else {
      Operand value = keep(expr(s->value), s->target);
      store(s->target, value);
    }
    set_top(base);
  }
  at(s->location());
  switch (s->target->kind) {
    case expr_kind::Name:
      if (!s->simple || !namespace_body) break;
      if (future_annotations()) {
        const uint32_t t = push();
        Ref<> text = annotation_text(s->annotation);
        emit_const(t, text);
        Operand dict = load_name(names_.intern("__annotations__"), kAny);
        const uint32_t key = push();
        emit_const(key, names_.str(scope_mangle(names_, scope, s->target->as<ast::Name>()->id)));
        emit(Op::STORE_SUBSCR, dict.reg, key, t, kKillB | kKillC | kill(dict, kKillA));
      } else {
        int condition = -1;
        bool known = false;
        for (const DeferredAnnotation& a : unit_->annotations) {
          if (a.statement == s) known = true, condition = a.condition;
        }
        if (!known) {
          if (scope->kind == ScopeKind::kModule || unit_->conditional_depth > 0) {
            condition = unit_->next_conditional++;
          }
          unit_->annotations.push_back({s, condition});
        }
        if (condition >= 0) {
          Operand set = load_name(names_.intern("__conditional_annotations__"), kAny);
          const uint32_t t = push();
          emit_int(t, condition);
          emit(Op::SET_ADD, set.reg, t, 0, kKillB);
          emit(Op::CLEAR, set.reg);
        }
      }
      break;
    case expr_kind::Attribute:
      if (s->value == nullptr) {
        Operand o = expr(s->target->as<Attribute>()->value);
        if (o.temp) emit(Op::CLEAR, o.reg);
      }
      break;
    case expr_kind::Subscript:
      if (s->value == nullptr) {
        Operand o = expr(s->target->as<Subscript>()->value);
        Operand i = expr(s->target->as<Subscript>()->slice);
        if (i.temp) emit(Op::CLEAR, i.reg);
        if (o.temp) emit(Op::CLEAR, o.reg);
      }
      break;
    default:
      break;
  }
  set_top(base);
  if (!s->simple) {
    // Never evaluated, but it has to be right.
    code().mute(true);
    checking_annotation_ = true;
    expr(s->annotation);
    checking_annotation_ = false;
    code().mute(false);
    set_top(base);
  }
}

}  // namespace amphis::compile
