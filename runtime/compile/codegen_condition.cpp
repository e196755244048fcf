// Conditions: jumps on the truth of an expression without making the truth value.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {

bool is_none(const expr* e) {
  const auto* c = e->dyn<Constant>();
  return c != nullptr && c->value.kind == ConstantKind::None;
}

}  // namespace

void Compiler::jump_if_compare(Compare* e, Label target, bool when) {
  const uint32_t base = top();
  const Op op = when ? Op::JUMP_IF_TRUE : Op::JUMP_IF_FALSE;
  if (e->ops.size == 1) {
    const cmpop how = e->ops[0];
    Operand left = expr(e->left);
    if ((how == cmpop::Is || how == cmpop::IsNot) && is_none(e->comparators[0])) {
      set_top(base);
      const bool jump_on_none = (how == cmpop::Is) == when;
      jump(jump_on_none ? Op::JUMP_IF_NONE : Op::JUMP_IF_NOT_NONE, left.reg, target, kill(left, kKillA));
      return;
    }
    if (how <= cmpop::GtE) want_number(left);
    left = keep(left, e->comparators[0]);
    emit_compare(how, left, e->comparators[0], base, kFused, base);
    jump(op, base, target, kKillA);
    return;
  }
  // A chain: every comparison but the last leaves when it is false, dropping the middle operand.
  Label fails = when ? new_label() : target;
  Label cleanup = new_label();
  Operand left = expr(e->left);
  left = keep(left, e->comparators[0]);
  const size_t n = e->ops.size;
  Bits first;
  bool need_cleanup = false;
  for (size_t i = 0; i + 1 < n; ++i) {
    set_top(left.temp ? left.reg + 1 : base);
    Operand right = expr(e->comparators[i]);
    right = keep(right, e->comparators[i + 1]);
    const uint32_t scratch = top();
    need(scratch + 1);
    if (right.temp && right.reg != base) {
      // The middle operand moves to `base`, once the comparison has consumed what lay there.
      emit_compare(e->ops[i], left, Operand{right.reg, false}, scratch, 0);
      emit(Op::MOVE, base, right.reg);
      right.reg = base;
      if (i == 0) first = unit_->assigned;
      jump(Op::JUMP_IF_FALSE, scratch, cleanup, kKillA);
      need_cleanup = true;
    } else {
      emit_compare(e->ops[i], left, Operand{right.reg, false}, scratch, kFused);
      if (i == 0) first = unit_->assigned;
      jump(Op::JUMP_IF_FALSE, scratch, right.temp ? cleanup : fails, kKillA);
      need_cleanup |= right.temp;
    }
    left = right;
  }
  set_top(left.temp ? base + 1 : base);
  emit_compare(e->ops[n - 1], left, e->comparators[n - 1], base, kFused, base);
  jump(op, base, target, kKillA);
  if (need_cleanup) {
    Label end = new_label();
    jump(end);
    bind(cleanup);
    emit(Op::CLEAR, base);
    jump(fails);
    bind(end);
  }
  if (when) bind(fails);
  unit_->assigned = first;
  set_top(base);
}

void Compiler::jump_if(ast::expr* e, Label target, bool when) {
  check_stack();
  At here(code(), e->location());
  switch (e->kind) {
    case expr_kind::UnaryOp:
      if (e->as<UnaryOp>()->op == unaryop::Not) {
        jump_if(e->as<UnaryOp>()->operand, target, !when);
        return;
      }
      break;
    case expr_kind::BoolOp: {
      auto* b = e->as<BoolOp>();
      const bool is_or = b->op == boolop::Or;
      const Label inner = is_or != when ? new_label() : target;
      Bits first;
      for (size_t i = 0; i + 1 < b->values.size; ++i) {
        jump_if(b->values[i], inner, is_or);
        if (i == 0) first = unit_->assigned;
      }
      jump_if(b->values.back(), target, when);
      if (inner != target) bind(inner);
      unit_->assigned = first;
      return;
    }
    case expr_kind::IfExp: {
      auto* i = e->as<IfExp>();
      Label otherwise = new_label(), end = new_label();
      jump_if(i->test, otherwise, false);
      Bits before = unit_->assigned;
      jump_if(i->body, target, when);
      jump(end);
      bind(otherwise);
      unit_->assigned = before;
      jump_if(i->orelse, target, when);
      bind(end);
      unit_->assigned = before;
      return;
    }
    case expr_kind::Compare:
      warn_compare(e->as<Compare>());
      jump_if_compare(e->as<Compare>(), target, when);
      return;
    default: {
      Ref<> value = fold(ctx_, e);
      if (!value) break;
      int truth = PyObject_IsTrue(value);
      if (truth < 0) {
        PyErr_Clear();
        break;
      }
      begin_line();
      if ((truth != 0) == when) jump(target);
      return;
    }
  }
  const uint32_t base = top();
  Operand o = expr(e);
  want_number(o);
  set_top(base);
  jump(when ? Op::JUMP_IF_TRUE : Op::JUMP_IF_FALSE, o.reg, target, kill(o, kKillA));
}

}  // namespace amphis::compile
