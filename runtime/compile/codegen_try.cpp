// Protected blocks: try, with, and what runs when control leaves them.
//
// The handler of a range finds the exception in R[depth]. While it is handled, R[depth] and R[depth + 1] hold it
// and the one that was handled before; that pair is the `reg` of the kHandler block.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

void Compiler::open_range(Block& b) {
  if (b.handler != kNoLabel) b.start = code().size();
}

void Compiler::close_range(Block& b) {
  if (b.handler == kNoLabel) return;
  if (b.start < code().size()) {
    code().add_range(b.start, code().size(), b.handler, b.depth);
    b.covered = true;
  }
}

ast::Location Compiler::here() const {
  if (statement_ != nullptr) return statement_->location();
  const Position& at = unit_->code.position;
  ast::Location where;
  where.lineno = at.line;
  where.col_offset = at.column;
  where.end_lineno = at.end_line;
  where.end_col_offset = at.end_column;
  return where;
}

void Compiler::push_block(Block block) {
  size_t nested = 0;
  for (const Block& b : unit_->blocks) nested += b.kind != Block::kValue;
  if (nested >= CO_MAXBLOCKS) fail(here(), "too many statically nested blocks");
  open_range(block);
  unit_->blocks.push_back(block);
}

Block Compiler::pop_block() {
  Block b = unit_->blocks.back();
  close_range(b);
  unit_->blocks.pop_back();
  return b;
}

std::vector<Block> Compiler::leave_blocks(size_t down_to, const Block* value) {
  std::vector<Block> left;
  const bool inherits = code().inherits;
  while (unit_->blocks.size() > down_to) {
    Block b = pop_block();
    left.push_back(b);
    if (value != nullptr) unit_->blocks.push_back(*value);
    unwind_block(b);
    // What is left to do belongs to none of the lines that have run on the way.
    switch (b.kind) {
      case Block::kFinallyTry:
      case Block::kWith:
      case Block::kAsyncWith:
      case Block::kHandlerName:
        code().inherits = true;
        break;
      default:
        break;
    }
    if (value != nullptr) unit_->blocks.pop_back();
  }
  code().inherits = inherits;
  return left;
}

void Compiler::enter_blocks(const std::vector<Block>& left) {
  for (size_t i = left.size(); i-- > 0;) push_block(left[i]);
}

void Compiler::unwind_block(const Block& b) {
  Position here = code().position;
  const bool inherits = code().inherits;
  switch (b.kind) {
    case Block::kWhile:
    case Block::kTry:
      break;
    case Block::kFor:
    case Block::kValue:
      emit(Op::CLEAR, b.reg);
      break;
    case Block::kFinallyTry:
      ++quiet_;
      code().inherits = false;
      body(b.finalbody);
      code().inherits = inherits;
      --quiet_;
      break;
    case Block::kHandler:
      emit(Op::POP_EXCEPT, b.reg);
      break;
    case Block::kHandlerName:
      code().position = Position{};
      unbind_handler_name(b.name);
      break;
    case Block::kWith:
    case Block::kAsyncWith:
      code().position = b.position;
      code().inherits = false;
      call_exit(b.reg, b.kind == Block::kAsyncWith);
      code().inherits = inherits;
      break;
  }
  code().position = here;
}

// The handled exception goes on, with the one before handled again. The place is where the frame stands afterwards.
void Compiler::raise_again(uint32_t pair) {
  Block b = pop_block();
  need(pair + 3);
  emit(Op::MOVE, pair + 2, pair);
  emit(Op::POP_EXCEPT, pair);
  emit(Op::RERAISE, pair + 2);
  push_block(b);
}

// After the code of a handler that keeps its exception in the pair: pops its block and adds the way out for exceptions.
void Compiler::end_handler(uint32_t pair) {
  Block b = pop_block();
  if (!b.covered) return;
  const bool was_reachable = code().reachable();
  Label end = new_label();
  if (was_reachable) jump_aside(end);
  bind_handler(b);
  Position here = code().position;
  code().position = Position{};
  need(pair + 3);
  emit(Op::POP_EXCEPT, pair);
  emit(Op::RERAISE, pair + 2);
  code().position = here;
  bind(end);
}

void Compiler::unbind_handler_name(Identifier name) {
  NameUse use = resolve(name);
  if (use.kind == NameUse::kFast) {
    emit(Op::CLEAR, use.reg);
    set_unbound(use.reg);
    return;
  }
  // Bound first, so that the name can be deleted even if the handler deleted it.
  const uint32_t t = push();
  emit_none(t);
  store_name(name, Operand{t, true});
  set_top(t);
  delete_name(name);
}

void Compiler::try_stmt(Seq<ast::stmt*> statements, Seq<excepthandler*> handlers, Seq<ast::stmt*> orelse,
                        Seq<ast::stmt*> finalbody, bool star) {
  if (finalbody.empty()) {
    if (star) {
      try_except_star(statements, handlers, orelse);
    } else {
      try_except(statements, handlers, orelse);
    }
    return;
  }
  const uint32_t h = top();
  Bits before = interrupted(unit_->assigned);
  Block protect{Block::kFinallyTry};
  protect.finalbody = finalbody;
  protect.handler = new_label();
  protect.depth = h;
  push_block(protect);
  if (handlers.empty()) {
    body(statements);
  } else if (star) {
    try_except_star(statements, handlers, orelse);
  } else {
    try_except(statements, handlers, orelse);
  }
  Block done = pop_block();
  Label end = new_label();
  unit_->finally_or_loop.push_back(true);
  body(finalbody);
  unit_->finally_or_loop.pop_back();
  if (!code().reachable()) unreachable_state();
  Bits after = unit_->assigned;
  if (code().reachable()) jump_aside(end);

  // With an exception.
  bind_handler(done);
  unit_->assigned = before;
  code().position = Position{};
  set_top(h + 2);
  need(h + 3);
  emit(Op::PUSH_EXC_INFO, h);
  Block handler{Block::kHandler};
  handler.reg = h;
  handler.handler = new_label();
  handler.depth = h + 2;
  push_block(handler);
  ++quiet_;
  body(finalbody);
  --quiet_;
  raise_again(h);
  end_handler(h);
  set_top(h);
  bind(end);
  unit_->assigned = after;
}

void Compiler::try_except(Seq<ast::stmt*> statements, Seq<excepthandler*> handlers, Seq<ast::stmt*> orelse) {
  const uint32_t h = top();
  Bits before = interrupted(unit_->assigned);
  Label end = new_label();
  Block protect{Block::kTry};
  protect.handler = new_label();
  protect.depth = h;
  push_block(protect);
  body(statements);
  Block done = pop_block();
  if (!code().reachable()) unreachable_state();
  body(orelse);
  if (!code().reachable()) unreachable_state();
  Bits after = unit_->assigned;
  jump_aside(end);
  bind_handler(done);
  unit_->assigned = before;
  code().position = Position{};
  set_top(h + 2);
  need(h + 3);
  emit(Op::PUSH_EXC_INFO, h);
  Block handling{Block::kHandler};
  handling.reg = h;
  handling.handler = new_label();
  handling.depth = h + 2;
  push_block(handling);
  for (size_t i = 0; i < handlers.size; ++i) {
    auto* handler = handlers[i]->as<ExceptHandler>();
    at(handler->location());
    begin_line();
    if (handler->type == nullptr && i + 1 < handlers.size) {
      fail(handler->location(), "default 'except:' must be last");
    }
    Label next = new_label();
    if (handler->type != nullptr) {
      const uint32_t t = top();
      Operand type = expr(handler->type);
      need(t + 1);
      emit(Op::CHECK_EXC_MATCH, t, h, type.reg, kill(type, kKillC));
      set_top(t);
      jump(Op::JUMP_IF_FALSE, t, next, kKillA);
    }
    Bits at_entry = unit_->assigned;
    handler_body(handler, h, false);
    if (code().reachable()) {
      meet(after, unit_->assigned);
    }
    // The handled exception is restored outside of the protection of its own cleanup.
    Block b = pop_block();
    {
      Inherit line(code());
      emit(Op::POP_EXCEPT, h);
    }
    jump_aside(end);
    push_block(b);
    bind(next);
    unit_->assigned = at_entry;
  }
  at(handlers.back()->location());
  raise_again(h);
  end_handler(h);
  set_top(h);
  bind(end);
  unit_->assigned = after;
}

void Compiler::handler_body(ExceptHandler* handler, uint32_t exception, bool consume) {
  if (handler->name == nullptr) {
    if (consume) emit(Op::CLEAR, exception);
    body(handler->body);
    return;
  }
  store_name(handler->name, Operand{exception, consume});
  const uint32_t depth = top();
  Block named{Block::kHandlerName};
  named.name = handler->name;
  named.handler = new_label();
  named.depth = depth;
  push_block(named);
  body(handler->body);
  Block done = pop_block();
  Position here = code().position;
  code().position = Position{};
  Bits bound_after = unit_->assigned;
  unbind_handler_name(handler->name);
  bound_after = unit_->assigned;
  if (done.covered) {
    Label end = new_label();
    const bool live = code().reachable();
    if (live) jump_aside(end);
    bind_handler(done);
    set_top(depth);
    push();
    unbind_handler_name(handler->name);
    emit(Op::RERAISE, depth);
    set_top(depth);
    bind(end);
  }
  unit_->assigned = bound_after;
  code().position = here;
}

// except*: the exception group is split by each handler; what the handlers raise and what nobody handled is combined.
//   R[h], R[h+1]  the handled exception and the one before
//   R[h+2]        list of exceptions raised by the handlers, and the rest
//   R[h+3]        the part of the group that is not handled yet
void Compiler::try_except_star(Seq<ast::stmt*> statements, Seq<excepthandler*> handlers, Seq<ast::stmt*> orelse) {
  const uint32_t h = top();
  Bits before = interrupted(unit_->assigned);
  Label end = new_label();
  Block protect{Block::kTry};
  protect.handler = new_label();
  protect.depth = h;
  push_block(protect);
  body(statements);
  Block done = pop_block();
  if (!code().reachable()) unreachable_state();
  body(orelse);
  if (!code().reachable()) unreachable_state();
  Bits after = unit_->assigned;
  jump_aside(end);
  bind_handler(done);
  unit_->assigned = before;
  code().position = Position{};
  set_top(h + 2);
  need(h + 8);
  emit(Op::PUSH_EXC_INFO, h);
  Block handling{Block::kHandler};
  handling.reg = h;
  handling.handler = new_label();
  handling.depth = h + 2;
  push_block(handling);
  const uint32_t results = push();  // h + 2
  const uint32_t rest = push();     // h + 3
  emit(Op::BUILD_LIST, results, results, 0);
  emit(Op::COPY, rest, h);
  const Bits at_entry = unit_->assigned;
  for (excepthandler* each : handlers) {
    auto* handler = each->as<ExceptHandler>();
    at(handler->location());
    Label next = new_label();
    const uint32_t match = top();  // h + 4
    {
      Operand type = expr(handler->type);
      set_top(match);
      push();
      emit(Op::CHECK_EG_MATCH, match, rest, type.reg, kill(type, kKillC));
    }
    Label matched = new_label();
    jump(Op::JUMP_IF_NOT_NONE, match, matched);
    emit(Op::CLEAR, match);
    jump_aside(next);
    bind(matched);
    // Exceptions that the handler raises are collected.
    Block collect{Block::kTry};
    collect.handler = new_label();
    collect.depth = match + 1;
    collect.star = true;
    push_block(collect);
    // The matched part is what is being handled.
    if (handler->name != nullptr) {
      store_name(handler->name, Operand{match, false});
      Block named{Block::kHandlerName};
      named.name = handler->name;
      named.handler = new_label();
      named.depth = match + 1;
      push_block(named);
      body(handler->body);
      Block inner = pop_block();
      code().position = Position{};
      unbind_handler_name(handler->name);
      if (inner.covered) {
        Label over = new_label();
        if (code().reachable()) jump_aside(over);
        bind_handler(inner);
        set_top(match + 1);
        push();
        unbind_handler_name(handler->name);
        emit(Op::RERAISE, match + 1);
        set_top(match + 1);
        bind(over);
      }
    } else {
      body(handler->body);
    }
    Block collected = pop_block();
    code().position = Position{};
    emit(Op::CLEAR, match);
    if (collected.covered) {
      if (code().reachable()) jump_aside(next);
      bind_handler(collected);
      emit(Op::LIST_APPEND, results, match + 1, 0, kKillB);
      emit(Op::CLEAR, match);
    }
    bind(next);
    set_top(match);
    unit_->assigned = interrupted(at_entry);
  }
  code().position = Position{};
  // What is left, then everything together.
  emit(Op::LIST_APPEND, results, rest, 0, kKillB);
  set_top(results);
  const uint32_t original = results + 1;
  emit(Op::MOVE, original + 1, results);
  emit(Op::COPY, original, h);
  emit(Op::INTRINSIC_2, results, original, static_cast<uint32_t>(Intrinsic2::kPrepReraiseStar));
  Label reraise = new_label();
  jump(Op::JUMP_IF_NOT_NONE, results, reraise);
  emit(Op::CLEAR, results);
  Block b = pop_block();
  emit(Op::POP_EXCEPT, h);
  jump_aside(end);
  push_block(b);
  bind(reraise);
  // The combined exception is raised with the one before handled again.
  Block out = pop_block();
  emit(Op::POP_EXCEPT, h);
  emit(Op::RERAISE, results);
  push_block(out);
  end_handler(h);
  set_top(h);
  bind(end);
  meet(after, interrupted(before));
  unit_->assigned = after;
}

// --- with

// Calls the exit function at R[pair] with three Nones; the height is kept.
void Compiler::call_exit(uint32_t pair, bool is_async) {
  const uint32_t height = top();
  // The arguments must follow the pair directly: when something lives above, the pair is copied.
  uint32_t t = pair;
  if (height > pair + 2) {
    t = height;
    need(t + 5);
    emit(Op::MOVE, t, pair);
    emit(Op::MOVE, t + 1, pair + 1);
  }
  set_top(t + 2);
  emit_none(push());
  emit_none(push());
  emit_none(push());
  set_top(t);
  emit(Op::CALL, t, 3, t, kMethod);
  push();
  if (is_async) {
    await_value(t, 2, static_cast<int>(t));
  }
  emit(Op::CLEAR, t);
  set_top(height);
}

void Compiler::with_stmt(Seq<withitem*> items, size_t index, Seq<ast::stmt*> statements, bool is_async) {
  check_stack();
  withitem* item = items[index];
  const uint32_t t = top();
  const Location where = item->context_expr->location();
  at(where);
  push();
  push();
  const uint32_t h = top();
  Operand manager = expr(item->context_expr);
  const auto exit = is_async ? SpecialMethod::kAexit : SpecialMethod::kExit;
  const auto enter = is_async ? SpecialMethod::kAenter : SpecialMethod::kEnter;
  emit(Op::LOAD_SPECIAL, t, manager.reg, static_cast<uint32_t>(exit));
  need(h + 5);
  emit(Op::LOAD_SPECIAL, h, manager.reg, static_cast<uint32_t>(enter), kill(manager, kKillB));
  set_top(h);
  const int local = item->optional_vars != nullptr && !is_async ? local_register(item->optional_vars) : -1;
  uint32_t entered = h;
  if (local >= 0) {
    entered = static_cast<uint32_t>(local);
    emit(Op::CALL, h, 0, entered, kMethod);
    if (code().reachable()) set_bound(entered);
  } else {
    emit(Op::CALL, h, 0, h, kMethod);
    push();
    if (is_async) await_value(h, 1, static_cast<int>(h));
  }
  Bits before = interrupted(unit_->assigned);
  Block protect{is_async ? Block::kAsyncWith : Block::kWith};
  protect.reg = t;
  protect.handler = new_label();
  protect.depth = h;
  protect.position = position_of(where);
  set_top(h);
  push_block(protect);
  if (local < 0) {
    if (item->optional_vars != nullptr) {
      set_top(h + 1);
      store(item->optional_vars, Operand{h, true});
    } else {
      emit(Op::CLEAR, h);
    }
  }
  set_top(h);
  if (index + 1 < items.size) {
    with_stmt(items, index + 1, statements, is_async);
  } else {
    body(statements);
  }
  Block done = pop_block();
  at(where);
  call_exit(t, is_async);
  Bits after = unit_->assigned;
  if (!code().reachable()) after.assign(after.size(), ~uint64_t{0});
  Label end = new_label();
  if (done.covered) {
    jump_aside(end);
    bind_handler(done);
    at(where);
    set_top(h + 2);
    need(h + 5);
    emit(Op::PUSH_EXC_INFO, h);
    Block handling{Block::kHandler};
    handling.reg = h;
    handling.handler = new_label();
    handling.depth = h + 2;
    push_block(handling);
    const uint32_t r = push();
    emit(Op::WITH_EXCEPT_START, r, t);
    if (is_async) await_value(r, 2, static_cast<int>(r));
    Label suppress = new_label();
    jump(Op::JUMP_IF_TRUE, r, suppress, kKillA);
    emit(Op::RERAISE, h);
    bind(suppress);
    Block b = pop_block();
    emit(Op::POP_EXCEPT, h);
    emit(Op::CLEAR, t);
    emit(Op::CLEAR, t + 1);
    jump_aside(end);
    push_block(b);
    end_handler(h);
    meet(after, before);
  }
  set_top(t);
  bind(end);
  unit_->assigned = after;
}

}  // namespace amphis::compile
