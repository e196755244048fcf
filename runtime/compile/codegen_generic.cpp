// Type parameters and type aliases (PEP 695, 696): blocks of their own, whose expressions are evaluated lazily.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

Ref<> Compiler::generic_name(Identifier name) {
  return Ref<>::steal(check(PyUnicode_FromFormat("<generic parameters of %U>", names_.str(name))));
}

void Compiler::push_evaluator(Scope* scope, Identifier name, ast::expr* e, bool star) {
  const uint32_t t = top();
  // The format defaults to VALUE.
  Ref<> defaults = Ref<>::steal(check(Py_BuildValue("(i)", 1)));
  emit_const(push(), defaults);
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->argcount = unit->posonly = 1;
  enter_unit(unit, scope, names_.str(name), e->lineno);
  begin_body(false);
  at(e->location());
  begin_lazy(nullptr);
  if (star && e->is<Starred>()) {
    Operand o = expr(e->as<Starred>()->value);
    const uint32_t r = unit->first_temp;
    need(r + 1);
    emit(Op::UNPACK_SEQUENCE, r, o.reg, 1, kill(o, kKillB));
    emit(Op::RETURN, r);
  } else {
    Operand o = expr(e);
    emit(Op::RETURN, o.reg);
  }
  Ref<> object = leave_unit();
  make_function(object, kFuncDefaults, t, kAny);
}

uint32_t Compiler::push_type_params(Seq<type_param*> params) {
  const uint32_t first = top();
  for (type_param* p : params) {
    At here(code(), p->location());
    const uint32_t t = push();
    Identifier name = nullptr;
    ast::expr* default_value = nullptr;
    switch (p->kind) {
      case type_param_kind::TypeVar: {
        auto* v = p->as<TypeVar>();
        name = v->name;
        default_value = v->default_value;
        emit_const(t, names_.str(name));
        if (v->bound != nullptr) {
          push_evaluator(symbols_.of(p, ScopeRole::kBound), name, v->bound, false);
          const auto how =
              v->bound->is<Tuple>() ? Intrinsic2::kTypeVarWithConstraints : Intrinsic2::kTypeVarWithBound;
          emit(Op::INTRINSIC_2, t, t, static_cast<uint32_t>(how));
        } else {
          emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kTypeVar), kKillB);
        }
        break;
      }
      case type_param_kind::ParamSpec:
        name = p->as<ParamSpec>()->name;
        default_value = p->as<ParamSpec>()->default_value;
        emit_const(t, names_.str(name));
        emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kParamSpec), kKillB);
        break;
      case type_param_kind::TypeVarTuple:
        name = p->as<TypeVarTuple>()->name;
        default_value = p->as<TypeVarTuple>()->default_value;
        emit_const(t, names_.str(name));
        emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kTypeVarTuple), kKillB);
        break;
    }
    set_top(t + 1);
    if (default_value != nullptr) {
      push_evaluator(symbols_.of(p, ScopeRole::kDefault), name, default_value, p->is<TypeVarTuple>());
      emit(Op::INTRINSIC_2, t, t, static_cast<uint32_t>(Intrinsic2::kSetTypeParamDefault));
      set_top(t + 1);
    }
    store_name(name, Operand{t, false});
  }
  emit(Op::BUILD_TUPLE, first, first, static_cast<uint32_t>(params.size));
  set_top(first + 1);
  return first;
}

void Compiler::type_alias_value(TypeAlias* s, Identifier name, uint32_t first) {
  // R[first] = name, R[first + 1] = type parameters; the evaluator follows.
  push_evaluator(symbols_.of(s), name, s->value, false);
  at(s->location());
  emit(Op::BUILD_TUPLE, first, first, 3);
  emit(Op::INTRINSIC_1, first, first, static_cast<uint32_t>(Intrinsic1::kTypeAlias), kKillB);
  set_top(first + 1);
}

void Compiler::type_alias(TypeAlias* s) {
  Identifier name = s->name->as<ast::Name>()->id;
  const uint32_t t = top();
  if (s->type_params.empty()) {
    emit_const(push(), names_.str(name));
    emit_none(push());
    type_alias_value(s, name, t);
  } else {
    Ref<> text = generic_name(name);
    Scope* scope = symbols_.of(s, ScopeRole::kTypeParams);
    auto unit = std::make_unique<Unit>(unit_, scope, pool_);
    enter_unit(unit, scope, text, s->lineno);
    begin_body(false);
    at(s->location());
    const uint32_t inner = top();
    emit_const(push(), names_.str(name));
    push_type_params(s->type_params);
    type_alias_value(s, name, inner);
    emit(Op::RETURN, inner);
    Ref<> object = leave_unit();
    make_function(object, 0, t, kAny);
    emit(Op::CALL, t, 0, t);
  }
  set_top(t + 1);
  store_name(name, Operand{t, true});
  set_top(t);
}

void Compiler::generic_function(ast::stmt* s, Identifier name, arguments* args, Seq<ast::stmt*> statements,
                                ast::expr* returns, Seq<type_param*> params, int firstlineno, int local) {
  const Location where = s->location();
  const uint32_t f = top();
  // The defaults are evaluated outside and handed in.
  push();
  const unsigned parts = push_defaults(args);
  uint32_t count = 0;
  if (parts & kFuncDefaults) ++count;
  if (parts & kFuncKwDefaults) ++count;

  Ref<> text = generic_name(name);
  Scope* scope = symbols_.of(s, ScopeRole::kTypeParams);
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->argcount = static_cast<int>(count);
  enter_unit(unit, scope, text, firstlineno);
  begin_body(false);
  at(where);
  const uint32_t t = top();
  push();                                                  // the function
  const uint32_t tuple = push_type_params(params);         // t + 1
  const uint32_t first = top();
  unsigned inner_parts = parts;
  if (parts & kFuncDefaults) {
    load_name(names_.intern(".defaults"), static_cast<int>(first));
    push();
  }
  if (parts & kFuncKwDefaults) {
    load_name(names_.intern(".kwdefaults"), static_cast<int>(top()));
    push();
  }
  Ref<> annotate = function_annotate(s, args, returns);
  at(where);
  Ref<> object = function_code(s, symbols_.of(s), name, args, statements, firstlineno);
  inner_parts |= push_closure(object);
  if (annotate) {
    make_function(annotate, 0, top(), kAny);
    inner_parts |= kFuncAnnotate;
  }
  finish_function(object, inner_parts, first, static_cast<int>(t));
  set_top(first);
  emit(Op::INTRINSIC_2, t, t, static_cast<uint32_t>(Intrinsic2::kSetFunctionTypeParams));
  (void)tuple;
  emit(Op::RETURN, t);
  Ref<> generic = leave_unit();

  at(where);
  const uint32_t end = top();
  make_function(generic, 0, end, kAny);
  emit(Op::MOVE, f, end);
  set_top(f);
  Operand d = destination(local);
  emit(Op::CALL, f, count, d.reg);
}

}  // namespace amphis::compile
