// Comprehensions: inlined (PEP 709) with variables in registers of their own, or as code objects (generator expressions,
// and any comprehension in an annotation scope that sees a class).
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {

constexpr const char* kAsyncOutside = "asynchronous comprehension outside of an asynchronous function";

Op container_op(Comprehension kind) {
  switch (kind) {
    case Comprehension::kList:
      return Op::BUILD_LIST;
    case Comprehension::kSet:
      return Op::BUILD_SET;
    default:
      return Op::BUILD_MAP;
  }
}

// The one item of `for x in [item]`, or null.
expr* single_item(expr* iterable) {
  Seq<expr*> elts;
  if (auto* l = iterable->dyn<List>()) {
    elts = l->elts;
  } else if (auto* t = iterable->dyn<Tuple>()) {
    elts = t->elts;
  }
  return elts.size == 1 && !elts[0]->is<Starred>() ? elts[0] : nullptr;
}

}  // namespace

// The outermost iterable, evaluated outside, as an iterator in a new temporary.
uint32_t Compiler::push_outermost(ast::comprehension* outermost) {
  if (!outermost->is_async) return push_iterator(outermost->iter);
  const uint32_t t = top();
  At here(code(), outermost->iter->location());
  Operand o = expr(outermost->iter);
  set_top(t);
  push();
  emit(Op::GET_AITER, t, o.reg, 0, kill(o, kKillB));
  return t;
}

void Compiler::comprehension_element(ast::expr* elt, ast::expr* value, Comprehension kind, uint32_t result) {
  const uint32_t base = top();
  At here(code(), elt->location());
  switch (kind) {
    case Comprehension::kList:
    case Comprehension::kSet: {
      Operand o = expr(elt);
      emit(kind == Comprehension::kList ? Op::LIST_APPEND : Op::SET_ADD, result, o.reg, 0, kill(o, kKillB));
      break;
    }
    case Comprehension::kDict: {
      Operand k = keep(expr(elt), value);
      Operand v = expr(value);
      emit(Op::MAP_ADD, result, k.reg, v.reg, kill(k, kKillB) | kill(v, kKillC));
      break;
    }
    default: {
      const uint32_t t = push_argument(elt, true);
      if (unit_->scope->coroutine) {
        emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kAsyncGenWrap), kKillB);
      }
      emit(Op::YIELD_VALUE, t, t);
      break;
    }
  }
  set_top(base);
}

void Compiler::comprehension_body(Seq<ast::comprehension*> generators, size_t index, uint32_t iterator, ast::expr* elt,
                                  ast::expr* value, Comprehension kind, uint32_t result) {
  ast::comprehension* g = generators[index];
  const uint32_t base = top();
  Label head = new_label(), next = new_label(), exhausted = new_label();
  auto inside = [&] {
    for (ast::expr* condition : g->ifs) jump_if(condition, next, false);
    if (index + 1 < generators.size) {
      comprehension_body(generators, index + 1, 0, elt, value, kind, result);
    } else {
      comprehension_element(elt, value, kind, result);
    }
  };
  if (index > 0 && !g->is_async) {
    if (ast::expr* item = single_item(g->iter)) {
      const int local = local_register(g->target);
      if (local >= 0) {
        expr(item, local);
        set_bound(static_cast<uint32_t>(local));
      } else {
        Operand o = expr(item);
        store(g->target, o);
      }
      set_top(base);
      inside();
      bind(next);
      set_top(base);
      return;
    }
  }
  if (index > 0) iterator = push_outermost(g);
  Bits before = unit_->assigned;
  if (!g->is_async) {
    bind(head);
    {
      At here(code(), g->target->location());
      const int local = local_register(g->target);
      const uint32_t height = top();
      const uint32_t item = local >= 0 ? static_cast<uint32_t>(local) : push();
      {
        At there(code(), g->iter->location());
        code().jump(Op::FOR_ITER, iterator, exhausted, 0, item);
      }
      if (local >= 0) {
        set_bound(item);
      } else {
        store(g->target, Operand{item, true});
      }
      set_top(height);
    }
    inside();
    bind(next);
    code().jump(Op::JUMP_BACK, 0, head);
    bind(exhausted);
  } else {
    bind(head);
    Block range{Block::kTry};
    range.handler = exhausted;
    range.depth = iterator + 1;
    push_block(range);
    {
      At here(code(), g->iter->location());
      async_next(iterator);
    }
    Block done = pop_block();
    set_top(iterator + 3);
    {
      At here(code(), g->target->location());
      store(g->target, Operand{iterator + 2, true});
    }
    set_top(iterator + 1);
    inside();
    bind(next);
    code().jump(Op::JUMP_BACK, 0, head);
    code().bind_handler(exhausted, done.covered);
    emit(Op::END_ASYNC_FOR, iterator + 1);
  }
  unit_->assigned = before;
  set_top(base);
}

Operand Compiler::comprehension(ast::expr* e, int dst) {
  Scope* scope = symbols_.of(e);
  Seq<ast::comprehension*> generators;
  ast::expr* elt;
  ast::expr* value = nullptr;
  const char* name;
  switch (e->kind) {
    case expr_kind::ListComp:
      generators = e->as<ListComp>()->generators, elt = e->as<ListComp>()->elt, name = "<listcomp>";
      break;
    case expr_kind::SetComp:
      generators = e->as<SetComp>()->generators, elt = e->as<SetComp>()->elt, name = "<setcomp>";
      break;
    case expr_kind::DictComp:
      generators = e->as<DictComp>()->generators, elt = e->as<DictComp>()->key, value = e->as<DictComp>()->value;
      name = "<dictcomp>";
      break;
    default:
      generators = e->as<GeneratorExp>()->generators, elt = e->as<GeneratorExp>()->elt, name = "<genexpr>";
  }
  const Comprehension kind = scope->comprehension;
  if (scope->coroutine && kind != Comprehension::kGenerator) {
    const Scope* outer = unit_->scope;
    const bool top_level = (ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) != 0 && outer->kind == ScopeKind::kModule;
    const bool async_function = outer->is_function_like() && outer->coroutine;
    if (checking_annotation_) fail(e->location(), kAsyncOutside);
    if (!async_function && outer->comprehension == Comprehension::kNone && !top_level) {
      fail(e->location(), kAsyncOutside);
    }
  }
  if (!scope->inlined) {
    Ref<> text = Ref<>::steal(check(PyUnicode_InternFromString(name)));
    return nested_comprehension(e, scope, text, generators, elt, value, kind, dst);
  }

  const uint32_t t = push();
  const uint32_t iterator = push_outermost(generators[0]);
  emit(container_op(kind), t, t, 0);
  unit_->comprehensions.push_back(scope);
  Bits before = unit_->assigned;
  std::vector<uint32_t> variables;
  for (Symbol& symbol : scope->symbols) {
    if (symbol.reg < 0 || (symbol.flags & kDefParam)) continue;
    if (symbol.scope != Resolved::kLocal && symbol.scope != Resolved::kCell) continue;
    const auto reg = static_cast<uint32_t>(symbol.reg);
    variables.push_back(reg);
    if (symbol.scope == Resolved::kCell) emit(Op::MAKE_CELL, reg);
    set_unbound(reg);
  }
  // An exception leaves the variables unbound as well.
  const Label end = new_label();
  if (variables.empty()) {
    comprehension_body(generators, 0, iterator, elt, value, kind, t);
    unit_->comprehensions.pop_back();
  } else {
    Block range{Block::kTry};
    range.handler = new_label();
    range.depth = t;
    push_block(range);
    comprehension_body(generators, 0, iterator, elt, value, kind, t);
    Block done = pop_block();
    unit_->comprehensions.pop_back();
    for (uint32_t reg : variables) emit(Op::CLEAR, reg);
    if (done.covered) {
      jump(end);
      bind_handler(done);
      for (uint32_t reg : variables) emit(Op::CLEAR, reg);
      emit(Op::RERAISE, t);
    }
  }
  bind(end);
  unit_->assigned = before;
  set_top(t);
  return move_to(t, dst);
}

Operand Compiler::nested_comprehension(ast::expr* e, Scope* scope, PyObject* name,
                                       Seq<ast::comprehension*> generators, ast::expr* elt, ast::expr* value,
                                       Comprehension kind, int dst) {
  auto unit = std::make_unique<Unit>(unit_, scope, pool_);
  unit->argcount = 1;
  enter_unit(unit, scope, name, e->lineno);
  begin_body(false);
  at(e->location());
  uint32_t result = 0;
  if (kind != Comprehension::kGenerator) {
    result = push();
    emit(container_op(kind), result, result, 0);
  }
  uint32_t iterator = 0;  // the parameter .0
  if (generators[0]->is_async) {
    iterator = push();
    emit(Op::MOVE, iterator, 0);
  }
  comprehension_body(generators, 0, iterator, elt, value, kind, result);
  if (kind != Comprehension::kGenerator) emit(Op::RETURN, result);
  Ref<> object = leave_unit();

  const uint32_t t = top();
  make_function(object, 0, t, kAny);
  push_outermost(generators[0]);
  set_top(t);
  if (scope->coroutine && kind != Comprehension::kGenerator) {
    emit(Op::CALL, t, 1, t);
    push();
    return await_value(t, 0, dst);
  }
  Operand d = destination(dst);
  emit(Op::CALL, t, 1, d.reg);
  return d;
}

}  // namespace amphis::compile
