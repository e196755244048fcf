// Yielding: yield, yield from, await, async for.
//
// A SEND loop on register t delegates to the iterator there: t + 1 holds what is sent in, then what comes out.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

// The delegate lies in R[t]; afterwards R[t] is empty and the result in R[t + 1].
void Compiler::send_loop(uint32_t t) {
  need(t + 3);
  emit_none(t + 1);
  Label again = new_label(), done = new_label();
  bind(again);
  code().jump(Op::SEND, t, done);
  const size_t from = code().size();
  const bool live = code().reachable();
  emit(Op::YIELD_VALUE, t + 1, t + 1, 1);
  const size_t to = code().size();
  Label handler = new_label();
  jump_back(again);
  if (live && from < to) {
    code().bind_handler(handler, true);
    emit(Op::CLEANUP_THROW, t, t + 2);
    code().add_range(from, to, handler, t + 2);
  }
  bind(done);
}

// Awaits the object in R[t] (the height is t + 1).
Operand Compiler::await_value(uint32_t t, unsigned how, int dst) {
  emit(Op::GET_AWAITABLE, t, t, how, kKillB);
  send_loop(t);
  set_top(t);
  Operand d = destination(dst);
  emit(Op::MOVE, d.reg, t + 1);
  return d;
}

Operand Compiler::await_expr(Await* e, int dst) {
  const Scope* scope = unit_->scope;
  const bool top_level = (ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) != 0 && scope->kind == ScopeKind::kModule;
  if (!top_level) {
    if (!scope->is_function_like()) fail(e->location(), "'await' outside function");
    if (!(scope->coroutine && scope->comprehension == Comprehension::kNone) &&
        scope->comprehension == Comprehension::kNone) {
      fail(e->location(), "'await' outside async function");
    }
  }
  const uint32_t t = push_expr(e->value);
  return await_value(t, 0, dst);
}

Operand Compiler::yield(Yield* e, int dst) {
  const Scope* scope = unit_->scope;
  if (!scope->is_function_like()) fail(e->location(), "'yield' outside function");
  const uint32_t t = top();
  if (e->value != nullptr) {
    push_argument(e->value, true);
  } else {
    emit_none(push());
  }
  if (scope->coroutine) {
    emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kAsyncGenWrap), kKillB);
  }
  set_top(t);
  Operand d = destination(dst);
  emit(Op::YIELD_VALUE, d.reg, t);
  return d;
}

Operand Compiler::yield_from(YieldFrom* e, int dst) {
  const Scope* scope = unit_->scope;
  if (!scope->is_function_like()) fail(e->location(), "'yield from' outside function");
  if (scope->coroutine) fail(e->location(), "'yield from' inside async function");
  const uint32_t t = push_expr(e->value);
  emit(Op::GET_YIELD_FROM_ITER, t, t, 0, kKillB);
  send_loop(t);
  set_top(t);
  Operand d = destination(dst);
  emit(Op::MOVE, d.reg, t + 1);
  return d;
}

// The next item of the asynchronous iterator at `iterator`: afterwards in R[iterator + 2].
void Compiler::async_next(uint32_t iterator) {
  emit(Op::GET_ANEXT, iterator + 1, iterator);
  send_loop(iterator + 1);
}

void Compiler::async_for(AsyncFor* s) {
  const Scope* scope = unit_->scope;
  const bool top_level = (ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) != 0 && scope->kind == ScopeKind::kModule;
  if (top_level) {
    unit_->scope->coroutine = true;
  } else if (!scope->is_function_like() || !scope->coroutine) {
    fail(s->location(), "'async for' outside async function");
  }
  const uint32_t it = top();
  {
    Operand o = expr(s->iter);
    set_top(it);
    push();
    At here(code(), s->iter->location());
    emit(Op::GET_AITER, it, o.reg, 0, kill(o, kKillB));
  }
  Label head = new_label(), end = new_label(), exhausted = new_label();
  unit_->assigned = interrupted(unit_->assigned);
  Bits before = unit_->assigned;
  Bits at_break(before.size(), ~uint64_t{0});
  Block loop{Block::kFor};
  loop.reg = it;
  loop.break_label = end;
  loop.continue_label = head;
  loop.at_break = &at_break;
  bind(head);
  push_block(loop);
  Block range{Block::kTry};
  range.handler = exhausted;
  range.depth = it + 1;
  push_block(range);
  {
    At here(code(), s->iter->location());
    async_next(it);
  }
  Block done = pop_block();
  set_top(it + 3);
  store(s->target, Operand{it + 2, true});
  set_top(it + 1);
  unit_->finally_or_loop.push_back(false);
  body(s->body);
  unit_->finally_or_loop.pop_back();
  jump_back(head);
  pop_block();
  code().bind_handler(exhausted, done.covered);
  unit_->assigned = before;
  {
    At here(code(), s->iter->location());
    emit(Op::END_ASYNC_FOR, it + 1);
  }
  set_top(it);
  body(s->orelse);
  bind(end);
  meet(unit_->assigned, at_break);
}

}  // namespace amphis::compile
