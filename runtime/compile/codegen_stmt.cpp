// Simple statements, assignment, loops.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

void Compiler::body(Seq<ast::stmt*> statements) {
  for (ast::stmt* s : statements) stmt(s);
}

namespace {

constexpr const char* kLeavesExceptStar = "'break', 'continue' and 'return' cannot appear in an except* block";

struct Depth {
  int& depth;
  int by;
  Depth(int& d, int n) : depth(d), by(n) { depth += by; }
  ~Depth() { depth -= by; }
  Depth(const Depth&) = delete;
};

bool is_compound(const stmt* s) {
  switch (s->kind) {
    case stmt_kind::If:
    case stmt_kind::For:
    case stmt_kind::AsyncFor:
    case stmt_kind::While:
    case stmt_kind::Try:
    case stmt_kind::TryStar:
    case stmt_kind::With:
    case stmt_kind::AsyncWith:
    case stmt_kind::Match:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Compiler::stmt(ast::stmt* s) {
  check_stack();
  at(s->location());
  statement_ = s;
  Depth conditional(unit_->conditional_depth, is_compound(s) ? 1 : 0);
  switch (s->kind) {
    case stmt_kind::FunctionDef: {
      auto* f = s->as<FunctionDef>();
      function_stmt(s, f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, false);
      break;
    }
    case stmt_kind::AsyncFunctionDef: {
      auto* f = s->as<AsyncFunctionDef>();
      function_stmt(s, f->name, f->args, f->body, f->decorator_list, f->returns, f->type_params, true);
      break;
    }
    case stmt_kind::ClassDef:
      class_stmt(s->as<ClassDef>());
      break;
    case stmt_kind::TypeAlias:
      type_alias(s->as<TypeAlias>());
      break;
    case stmt_kind::Return:
      return_stmt(s->as<Return>());
      break;
    case stmt_kind::Delete:
      for (ast::expr* target : s->as<Delete>()->targets) del(target);
      break;
    case stmt_kind::Assign:
      assign(s->as<Assign>());
      break;
    case stmt_kind::AugAssign:
      aug_assign(s->as<AugAssign>());
      break;
    case stmt_kind::AnnAssign:
      ann_assign(s->as<AnnAssign>());
      break;
    case stmt_kind::For:
      for_stmt(s->as<For>());
      break;
    case stmt_kind::AsyncFor:
      async_for(s->as<AsyncFor>());
      break;
    case stmt_kind::While:
      while_stmt(s->as<While>());
      break;
    case stmt_kind::If:
      if_stmt(s->as<If>());
      break;
    case stmt_kind::Match:
      match_stmt(s->as<ast::Match>());
      break;
    case stmt_kind::Raise:
      raise_stmt(s->as<Raise>());
      break;
    case stmt_kind::Try: {
      begin_line();
      auto* t = s->as<Try>();
      try_stmt(t->body, t->handlers, t->orelse, t->finalbody, false);
      break;
    }
    case stmt_kind::TryStar: {
      begin_line();
      auto* t = s->as<TryStar>();
      try_stmt(t->body, t->handlers, t->orelse, t->finalbody, true);
      break;
    }
    case stmt_kind::Assert:
      assert_stmt(s->as<Assert>());
      break;
    case stmt_kind::Import:
      import_stmt(s->as<Import>());
      break;
    case stmt_kind::ImportFrom:
      import_from(s->as<ImportFrom>());
      break;
    case stmt_kind::Global:
    case stmt_kind::Nonlocal:
      break;
    case stmt_kind::Expr:
      expression_statement(s->as<Expr>()->value);
      break;
    case stmt_kind::Pass:
      begin_line();
      break;
    case stmt_kind::Break:
      break_or_continue(s, true);
      break;
    case stmt_kind::Continue:
      break_or_continue(s, false);
      break;
    case stmt_kind::With:
      with_stmt(s->as<With>()->items, 0, s->as<With>()->body, false);
      break;
    case stmt_kind::AsyncWith: {
      const Scope* scope = unit_->scope;
      const bool top_level = (ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) != 0 && scope->kind == ScopeKind::kModule;
      if (top_level) {
        unit_->scope->coroutine = true;
      } else if (!scope->is_function_like() || !scope->coroutine) {
        fail(s->location(), "'async with' outside async function");
      }
      with_stmt(s->as<AsyncWith>()->items, 0, s->as<AsyncWith>()->body, true);
      break;
    }
  }
}

void Compiler::expression_statement(ast::expr* e) {
  const uint32_t base = top();
  if (unit_->interactive && unit_->parent == nullptr) {
    const uint32_t t = push_expr(e);
    emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kPrint), kKillB);
    emit(Op::CLEAR, t);
    set_top(base);
    return;
  }
  if (e->is<Constant>() || e->is<Name>()) begin_line();
  if (e->is<Constant>()) return;
  Operand o = expr(e);
  // What is sent into a generator where nobody wants it (hardly ever anything) may stay until it is overwritten.
  if (o.temp && !e->is<Yield>()) emit(Op::CLEAR, o.reg);
  set_top(base);
}

// --- assignment

void Compiler::assign(Assign* s) {
  const uint32_t base = top();
  if (s->targets.size == 1) {
    ast::expr* target = s->targets[0];
    const int local = local_register(target);
    if (local >= 0) {
      if (local_register(s->value) == local) begin_line();
      expr(s->value, local);
      if (code().reachable()) set_bound(static_cast<uint32_t>(local));
      set_top(base);
      return;
    }
    Seq<ast::expr*> targets, values;
    if (auto* t = target->dyn<Tuple>()) targets = t->elts;
    if (auto* l = target->dyn<List>()) targets = l->elts;
    if (auto* t = s->value->dyn<Tuple>()) values = t->elts;
    if (auto* l = s->value->dyn<List>()) values = l->elts;
    if (targets.size > 0 && targets.size == values.size && assign_pairwise(targets, values)) {
      set_top(base);
      return;
    }
  }
  Operand value = expr(s->value);
  for (size_t i = 0; i < s->targets.size; ++i) {
    const bool last = i + 1 == s->targets.size;
    value = keep(value, s->targets[i]);
    store(s->targets[i], Operand{value.reg, value.temp && last});
  }
  set_top(base);
}

// a, b = x, y without the tuple. False: not of that form, nothing done.
bool Compiler::assign_pairwise(Seq<ast::expr*> targets, Seq<ast::expr*> values) {
  const size_t n = targets.size;
  if (n > 64) return false;
  for (size_t i = 0; i < n; ++i) {
    if (targets[i]->is<Starred>() || values[i]->is<Starred>()) return false;
  }
  std::vector<Operand> operands;
  int last_local = -1;
  for (size_t i = 0; i < n; ++i) {
    if (i + 1 == n) {
      // The last value can go straight to a variable that no other target names.
      last_local = local_register(targets[i]);
      for (size_t k = 0; k + 1 < n; ++k) {
        if (local_register(targets[k]) < 0 || local_register(targets[k]) == last_local) last_local = -1;
      }
      if (last_local >= 0) {
        expr(values[i], last_local);
        break;
      }
    }
    // Variables are copied: a target may be one of them.
    const uint32_t t = push_expr(values[i]);
    operands.push_back(Operand{t, true});
  }
  for (size_t i = 0; i < operands.size(); ++i) store(targets[i], operands[i]);
  if (last_local >= 0 && code().reachable()) set_bound(static_cast<uint32_t>(last_local));
  return true;
}

// Stores a value; a temporary is consumed. The caller resets the height.
void Compiler::store(ast::expr* target, Operand value) {
  check_stack();
  At here(code(), target->location());
  const uint32_t height = top();
  switch (target->kind) {
    case expr_kind::Name:
      store_name(target->as<Name>()->id, value);
      break;
    case expr_kind::Attribute: {
      auto* a = target->as<Attribute>();
      Operand o = expr(a->value);
      if (unit_->scope->kind == ScopeKind::kFunction) {
        // self.name = … in a method: __static_attributes__ of the class.
        auto* self = a->value->dyn<Name>();
        for (Unit* u = unit_; self != nullptr && u != nullptr; u = u->parent) {
          if (u->scope->kind == ScopeKind::kFunction && u->scope->comprehension == Comprehension::kNone) {
            Unit* cls = u->parent;
            if (cls != nullptr && cls->scope->kind == ScopeKind::kTypeParameters) cls = cls->parent;
            if (cls == nullptr || cls->scope->kind != ScopeKind::kClass || u->scope->parameters.empty()) continue;
            if (self->id->view() == "self") {
              bool known = false;
              for (Identifier id : cls->static_attributes) known |= id == a->attr;
              if (!known) cls->static_attributes.push_back(a->attr);
            }
            break;
          }
        }
      }
      attribute_place(a);
      emit(Op::STORE_ATTR, o.reg, value.reg,
           static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, a->attr))),
           kill(o, kKillA) | kill(value, kKillB));
      break;
    }
    case expr_kind::Subscript: {
      auto* s = target->as<Subscript>();
      Operand o = keep(expr(s->value), s->slice);
      uint32_t run;
      if (const uint32_t bounds = plain_slice(s->slice, &run); bounds != 0) {
        emit(Op::STORE_SLICE, o.reg, run, value.reg,
             kill(o, kKillA) | kill(value, kKillC) | (bounds == 3 ? kSliceStep : 0));
        break;
      }
      Operand index = expr(s->slice);
      want_number(index);
      emit(Op::STORE_SUBSCR, o.reg, index.reg, value.reg,
           kill(o, kKillA) | kill(index, kKillB) | kill(value, kKillC));
      break;
    }
    case expr_kind::Tuple:
      unpack(target->as<Tuple>()->elts, value, target->location());
      break;
    case expr_kind::List:
      unpack(target->as<List>()->elts, value, target->location());
      break;
    case expr_kind::Starred:
      fail(target->location(), "starred assignment target must be in a list or tuple");
    default:
      fail(target->location(), "cannot assign to expression");
  }
  set_top(height);
}

// Variables in consecutive registers are filled without a detour: the items are all there before the first is stored.
bool Compiler::unpack_to_variables(Seq<ast::expr*> targets, Operand value) {
  const auto n = static_cast<uint32_t>(targets.size);
  int first = -1;
  for (uint32_t i = 0; i < n; ++i) {
    const int reg = local_register(targets[i]);
    if (reg < 0 || (i > 0 && reg != first + static_cast<int>(i))) return false;
    if (i == 0) first = reg;
  }
  if (n == 0) return false;
  emit(Op::UNPACK_SEQUENCE, static_cast<uint32_t>(first), value.reg, n, kKillB);
  if (code().reachable()) {
    for (uint32_t i = 0; i < n; ++i) set_bound(static_cast<uint32_t>(first) + i);
  }
  return true;
}

void Compiler::unpack(Seq<ast::expr*> targets, Operand value, const Location& where) {
  const auto n = static_cast<uint32_t>(targets.size);
  int star = -1;
  for (uint32_t i = 0; i < n; ++i) {
    if (!targets[i]->is<Starred>()) continue;
    if (star >= 0) fail(where, "multiple starred expressions in assignment");
    star = static_cast<int>(i);
  }
  if (star >= 256 || (star >= 0 && n - static_cast<uint32_t>(star) - 1 >= 256)) {
    fail(where, "too many expressions in star-unpacking assignment");
  }
  if (star < 0 && value.temp && unpack_to_variables(targets, value)) return;
  const uint32_t run = top();
  for (uint32_t i = 0; i < n; ++i) push();
  if (star >= 0) {
    const auto before = static_cast<uint32_t>(star);
    emit(Op::UNPACK_EX, run, value.reg, before | (n - before - 1) << 8, kill(value, kKillB));
  } else {
    emit(Op::UNPACK_SEQUENCE, run, value.reg, n, kill(value, kKillB));
  }
  for (uint32_t i = 0; i < n; ++i) {
    ast::expr* target = targets[i];
    if (target->is<Starred>()) target = target->as<Starred>()->value;
    store(target, Operand{run + i, true});
  }
  set_top(run);
}

void Compiler::aug_assign(AugAssign* s) {
  const uint32_t base = top();
  switch (s->target->kind) {
    case expr_kind::Name: {
      Identifier name = s->target->as<Name>()->id;
      const int local = local_register(s->target);
      Operand left;
      {
        At here(code(), s->target->location());
        left = load_name(name, kAny);
      }
      if (local >= 0) {
        binary(left, s->op, s->value, local, base, kInPlace);
        set_bound(static_cast<uint32_t>(local));
      } else {
        Operand result = binary(left, s->op, s->value, kAny, base, kInPlace);
        At here(code(), s->target->location());
        store_name(name, result);
      }
      break;
    }
    case expr_kind::Attribute: {
      auto* a = s->target->as<Attribute>();
      Operand o = keep(expr(a->value), s->value);
      const uint32_t t = push();
      const auto name = static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, a->attr)));
      {
        At here(code(), a->location());
        attribute_place(a);
        emit(Op::LOAD_ATTR, t, o.reg, name);
      }
      binary(Operand{t, true}, s->op, s->value, static_cast<int>(t), t, kInPlace);
      At here(code(), a->location());
      attribute_place(a);
      emit(Op::STORE_ATTR, o.reg, t, name, kKillB | kill(o, kKillA));
      break;
    }
    case expr_kind::Subscript: {
      auto* x = s->target->as<Subscript>();
      Operand o = keep(expr(x->value), x->slice);
      Operand index = expr(x->slice);
      o = keep(o, s->value);
      index = keep(index, s->value);
      const uint32_t t = push();
      {
        At here(code(), x->location());
        emit(Op::LOAD_SUBSCR, t, o.reg, index.reg);
      }
      binary(Operand{t, true}, s->op, s->value, static_cast<int>(t), t, kInPlace);
      At here(code(), x->location());
      emit(Op::STORE_SUBSCR, o.reg, index.reg, t, kKillC | kill(o, kKillA) | kill(index, kKillB));
      break;
    }
    default:
      fail(s->target->location(), "illegal expression for augmented assignment");
  }
  set_top(base);
}

void Compiler::del(ast::expr* target) {
  check_stack();
  At here(code(), target->location());
  const uint32_t base = top();
  switch (target->kind) {
    case expr_kind::Name:
      delete_name(target->as<Name>()->id);
      break;
    case expr_kind::Attribute: {
      auto* a = target->as<Attribute>();
      Operand o = expr(a->value);
      attribute_place(a);
      emit(Op::DELETE_ATTR, o.reg, 0,
           static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, a->attr))), kill(o, kKillA));
      break;
    }
    case expr_kind::Subscript: {
      auto* s = target->as<Subscript>();
      Operand o = keep(expr(s->value), s->slice);
      Operand index = expr(s->slice);
      emit(Op::DELETE_SUBSCR, o.reg, index.reg, 0, kill(o, kKillA) | kill(index, kKillB));
      break;
    }
    case expr_kind::Tuple:
      for (ast::expr* e : target->as<Tuple>()->elts) del(e);
      break;
    case expr_kind::List:
      for (ast::expr* e : target->as<List>()->elts) del(e);
      break;
    default:
      fail(target->location(), "cannot delete expression");
  }
  set_top(base);
}

// --- branches and loops

void Compiler::if_stmt(If* s) {
  Label end = new_label();
  Bits result;
  bool first = true;
  // elif chains nest to the right: compiled in a loop.
  for (;;) {
    Label next = new_label();
    at(s->location());
    jump_if(s->test, next, false);
    Bits before = unit_->assigned;
    if (!code().reachable()) unreachable_state();
    body(s->body);
    if (!code().reachable()) unreachable_state();
    if (first) {
      result = unit_->assigned;
    } else {
      meet(result, unit_->assigned);
    }
    first = false;
    if (!s->orelse.empty()) jump(end);
    bind(next);
    unit_->assigned = before;
    if (!code().reachable()) unreachable_state();
    if (s->orelse.size == 1 && s->orelse[0]->is<If>()) {
      s = s->orelse[0]->as<If>();
      continue;
    }
    body(s->orelse);
    if (!code().reachable()) unreachable_state();
    meet(result, unit_->assigned);
    break;
  }
  bind(end);
  unit_->assigned = result;
}

void Compiler::while_stmt(While* s) {
  Label head = new_label(), end = new_label(), otherwise = new_label();
  unit_->assigned = interrupted(unit_->assigned);
  Bits at_break(unit_->assigned.size(), ~uint64_t{0});
  Block loop{Block::kWhile};
  loop.break_label = end;
  loop.continue_label = head;
  loop.at_break = &at_break;
  bind(head);
  jump_if(s->test, otherwise, false);
  Bits before = unit_->assigned;
  push_block(loop);
  unit_->finally_or_loop.push_back(false);
  body(s->body);
  unit_->finally_or_loop.pop_back();
  jump_back(head);
  pop_block();
  bind(otherwise);
  unit_->assigned = before;
  if (!code().reachable()) unreachable_state();
  body(s->orelse);
  if (!code().reachable()) unreachable_state();
  bind(end);
  meet(unit_->assigned, at_break);
}

uint32_t Compiler::push_iterator(ast::expr* iterable) {
  const uint32_t t = top();
  At here(code(), iterable->location());
  Operand o;
  Ref<> value;
  if (iterable->is<List>() && !iterable->as<List>()->elts.empty()) {
    // A list of constants that nobody else can see may as well be a tuple.
    Tuple items;
    items.elts = iterable->as<List>()->elts;
    items.ctx = expr_context::Load;
    static_cast<Location&>(items) = iterable->location();
    value = fold(ctx_, &items);
  } else if (iterable->is<ast::Set>()) {
    Tuple items;
    items.elts = iterable->as<ast::Set>()->elts;
    items.ctx = expr_context::Load;
    value = fold(ctx_, &items);
    if (value) {
      value = Ref<>::steal(PyFrozenSet_New(value));
      if (!value) PyErr_Clear();
    }
  }
  if (value) {
    o = constant(value, kAny);
  } else if (iterable->is<List>() && iterable->as<List>()->elts.size > 0) {
    o = sequence(iterable->as<List>()->elts, Op::BUILD_TUPLE, kAny);
  } else {
    o = expr(iterable);
  }
  set_top(t);
  push();
  emit(Op::GET_ITER, t, o.reg, 0, kill(o, kKillB));
  return t;
}

void Compiler::for_stmt(For* s) {
  const uint32_t it = push_iterator(s->iter);
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
  {
    At here(code(), s->target->location());
    const int local = local_register(s->target);
    const uint32_t item = local >= 0 ? static_cast<uint32_t>(local) : push();
    {
      At there(code(), s->iter->location());
      code().jump(Op::FOR_ITER, it, exhausted, 0, item);
    }
    if (local >= 0) {
      if (code().reachable()) set_bound(item);
    } else {
      store(s->target, Operand{item, true});
    }
    set_top(it + 1);
  }
  unit_->finally_or_loop.push_back(false);
  body(s->body);
  unit_->finally_or_loop.pop_back();
  jump_back(head);
  pop_block();
  bind(exhausted);
  unit_->assigned = before;
  if (!code().reachable()) unreachable_state();
  set_top(it);
  body(s->orelse);
  if (!code().reachable()) unreachable_state();
  bind(end);
  meet(unit_->assigned, at_break);
}

// What runs on the way out has lines of its own, or none: the statement that leaves is not seen again after it.
bool Compiler::leaving_runs_code(size_t down_to) const {
  for (size_t i = down_to; i < unit_->blocks.size(); ++i) {
    const Block::Kind kind = unit_->blocks[i].kind;
    if (kind == Block::kFinallyTry || kind == Block::kWith || kind == Block::kAsyncWith || kind == Block::kHandlerName) return true;
  }
  return false;
}

void Compiler::break_or_continue(ast::stmt* s, bool is_break) {
  size_t at_block = unit_->blocks.size();
  while (at_block > 0) {
    const Block& b = unit_->blocks[at_block - 1];
    if (b.kind == Block::kWhile || b.kind == Block::kFor) break;
    if (b.star) fail(s->location(), kLeavesExceptStar);
    --at_block;
  }
  if (at_block == 0) {
    fail(s->location(), is_break ? "'break' outside loop" : "'continue' not properly in loop");
  }
  if (!unit_->finally_or_loop.empty() && unit_->finally_or_loop.back()) {
    warn(s->location(), "'%s' in a 'finally' block", is_break ? "break" : "continue");
  }
  const size_t loop = at_block - 1;
  begin_line();
  if (is_break) {
    const Label target = unit_->blocks[loop].break_label;
    const bool runs_code = leaving_runs_code(loop);
    const std::vector<Block> left = leave_blocks(loop);
    // The bits at this point hold at the end of the loop.
    if (code().reachable()) {
      meet(*unit_->blocks[loop].at_break, unit_->assigned);
    }
    code().jump(Op::JUMP, 0, target, runs_code ? kInherits : 0);
    enter_blocks(left);
  } else {
    const Label target = unit_->blocks[loop].continue_label;
    const bool runs_code = leaving_runs_code(loop + 1);
    const std::vector<Block> left = leave_blocks(loop + 1);
    code().jump(Op::JUMP_BACK, 0, target, runs_code ? kInherits : 0);
    enter_blocks(left);
  }
  unreachable_state();
}

// --- return, raise, assert, import

void Compiler::return_stmt(Return* s) {
  const Scope* scope = unit_->scope;
  if (!scope->is_function_like() || scope->kind != ScopeKind::kFunction) {
    fail(s->location(), "'return' outside function");
  }
  if (s->value != nullptr && scope->coroutine && scope->generator) {
    fail(s->location(), "'return' with value in async generator");
  }
  // A constant is the place that is left from.
  const Location where =
      s->value != nullptr && s->value->is<Constant>() ? s->value->location() : s->location();
  for (const Block& b : unit_->blocks) {
    if (b.star) fail(where, kLeavesExceptStar);
  }
  for (bool in_finally : unit_->finally_or_loop) {
    if (!in_finally) continue;
    warn(s->location(), "'return' in a 'finally' block");
    break;
  }
  const uint32_t base = top();
  // Blocks whose leaving runs code or needs registers cleared.
  bool simple = true;
  const bool runs_code = leaving_runs_code(0);
  for (const Block& b : unit_->blocks) {
    if (b.kind != Block::kWhile && b.kind != Block::kTry) simple = false;
  }
  auto leave = [&](auto emit_return) {
    if (runs_code) {
      Inherit line(code());
      emit_return();
    } else {
      at(s->location());
      emit_return();
    }
  };
  Ref<> value;
  if (s->value == nullptr) {
    value = Ref<>::share(Py_None);
  } else {
    value = fold(ctx_, s->value);
  }
  if (value) {
    at(where);
    begin_line();
    if (s->value == nullptr || where.lineno != s->lineno) {
      at(s->location());
      begin_line();
    }
    const std::vector<Block> left = leave_blocks(0);
    if (code().reachable()) leave([&] { code().emit_wide(Op::RETURN_CONST, 0, const_index(value)); });
    enter_blocks(left);
    set_top(base);
    unreachable_state();
    return;
  }
  Operand o;
  std::vector<Block> left;
  if (simple) {
    o = expr(s->value);
  } else {
    // What runs on the way out must not touch the value.
    bool only_loops = true;
    for (const Block& b : unit_->blocks) {
      if (b.kind != Block::kWhile && b.kind != Block::kTry && b.kind != Block::kFor && b.kind != Block::kHandler) {
        only_loops = false;
      }
    }
    o = expr(s->value);
    if (!o.temp && !only_loops) {
      const uint32_t t = push();
      emit(Op::COPY, t, o.reg);
      o = Operand{t, true};
    }
    if (o.temp) {
      Block keep_value{Block::kValue};
      keep_value.reg = o.reg;
      left = leave_blocks(0, &keep_value);
    } else {
      left = leave_blocks(0);
    }
  }
  if (simple) left = leave_blocks(0);
  leave([&] { emit(Op::RETURN, o.reg); });
  enter_blocks(left);
  set_top(base);
  unreachable_state();
}

void Compiler::raise_stmt(Raise* s) {
  const uint32_t base = top();
  uint32_t n = 0;
  if (s->exc != nullptr) {
    push_expr(s->exc);
    n = 1;
    if (s->cause != nullptr) {
      push_expr(s->cause);
      n = 2;
    }
  }
  emit(Op::RAISE, 0, base, n);
  set_top(base);
  unreachable_state();
}

void Compiler::assert_stmt(Assert* s) {
  if (auto* t = s->test->dyn<Tuple>(); t != nullptr && !t->elts.empty()) {
    warn(s->location(), "assertion is always true, perhaps remove parentheses?");
  } else if (auto* c = s->test->dyn<Constant>()) {
    if (c->value.kind == ConstantKind::Object && PyTuple_Check(static_cast<PyObject*>(c->value.object)) &&
        PyTuple_GET_SIZE(static_cast<PyObject*>(c->value.object)) > 0) {
      warn(s->location(), "assertion is always true, perhaps remove parentheses?");
    }
  }
  if (ctx_.optimize > 0) return;
  Label end = new_label();
  jump_if(s->test, end, true);
  Bits before = unit_->assigned;
  const uint32_t t = push();
  {
    At here(code(), s->test->location());
    code().emit_wide(Op::LOAD_COMMON_CONSTANT, t, 0);
    if (s->msg != nullptr) {
      push_argument(s->msg, true);
      emit(Op::CALL, t, 1, t);
    }
    emit(Op::RAISE, 0, t, 1);
  }
  set_top(t);
  bind(end);
  unit_->assigned = before;
}

void Compiler::import_stmt(Import* s) {
  const uint32_t base = top();
  for (alias* a : s->names) {
    const uint32_t t = push();
    const uint32_t t2 = push();
    emit_int(t, 0);
    emit_none(t2);
    emit(Op::IMPORT_NAME, t, t, static_cast<uint32_t>(name_index(a->name)));
    set_top(t + 1);
    std::string_view text = a->name->view();
    if (a->asname != nullptr) {
      // import a.b.c as d: the last submodule.
      size_t dot = text.find('.');
      while (dot != std::string_view::npos) {
        size_t next = text.find('.', dot + 1);
        Identifier part = names_.intern(text.substr(dot + 1, next == std::string_view::npos ? next : next - dot - 1));
        emit(Op::IMPORT_FROM, t + 1, t, static_cast<uint32_t>(name_index(part)));
        need(t + 2);
        emit(Op::MOVE, t, t + 1);
        dot = next;
      }
      store_name(a->asname, Operand{t, true});
    } else {
      size_t dot = text.find('.');
      Identifier name = dot == std::string_view::npos ? a->name : names_.intern(text.substr(0, dot));
      store_name(name, Operand{t, true});
    }
    set_top(base);
  }
}

void Compiler::import_from(ImportFrom* s) {
  if (s->module != nullptr && s->level == 0 && s->module->view() == "__future__" && unit_->parent == nullptr) {
    // Legal places were recorded by their line.
    if (s->lineno > future_.lineno || (s->lineno == future_.lineno && s->col_offset > future_.col_offset)) {
      fail(s->location(), "from __future__ imports must occur at the beginning of the file");
    }
  } else if (s->module != nullptr && s->level == 0 && s->module->view() == "__future__") {
    fail(s->location(), "from __future__ imports must occur at the beginning of the file");
  }
  const uint32_t t = push();
  const uint32_t t2 = push();
  emit_int(t, s->level);
  Ref<> list = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(s->names.size))));
  for (size_t i = 0; i < s->names.size; ++i) {
    PyTuple_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(s->names[i]->name)));
  }
  emit_const(t2, list);
  Identifier module = s->module != nullptr ? s->module : names_.intern("");
  emit(Op::IMPORT_NAME, t, t, static_cast<uint32_t>(name_index(module)));
  set_top(t + 1);
  for (alias* a : s->names) {
    if (a->name->view() == "*") {
      emit(Op::INTRINSIC_1, t, t, static_cast<uint32_t>(Intrinsic1::kImportStar), kKillB);
      emit(Op::CLEAR, t);
      set_top(t);
      return;
    }
    Identifier target = a->asname != nullptr ? a->asname : a->name;
    NameUse use = resolve(target);
    const auto name = static_cast<uint32_t>(name_index(a->name));
    if (use.kind == NameUse::kFast) {
      emit(Op::IMPORT_FROM, use.reg, t, name);
      if (code().reachable()) set_bound(use.reg);
    } else {
      const uint32_t item = push();
      emit(Op::IMPORT_FROM, item, t, name);
      store_name(target, Operand{item, true});
      set_top(t + 1);
    }
  }
  emit(Op::CLEAR, t);
  set_top(t);
}

}  // namespace amphis::compile
