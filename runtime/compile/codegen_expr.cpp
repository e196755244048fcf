// Expressions: operators, attributes, subscripts, displays.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {

Op arithmetic_op(operator_ op) {
  switch (op) {
    case operator_::Add:
      return Op::ADD;
    case operator_::Sub:
      return Op::SUB;
    case operator_::Mult:
      return Op::MUL;
    case operator_::MatMult:
      return Op::MATMUL;
    case operator_::Div:
      return Op::TRUEDIV;
    case operator_::Mod:
      return Op::MOD;
    case operator_::Pow:
      return Op::POW;
    case operator_::LShift:
      return Op::LSHIFT;
    case operator_::RShift:
      return Op::RSHIFT;
    case operator_::BitOr:
      return Op::OR;
    case operator_::BitXor:
      return Op::XOR;
    case operator_::BitAnd:
      return Op::AND;
    case operator_::FloorDiv:
      return Op::FLOORDIV;
  }
  return Op::ADD;
}

// The form with an immediate operand, or NOP.
Op immediate_op(operator_ op) {
  switch (op) {
    case operator_::Add:
      return Op::ADD_IMM;
    case operator_::Sub:
      return Op::SUB_IMM;
    case operator_::Mult:
      return Op::MUL_IMM;
    case operator_::FloorDiv:
      return Op::FLOORDIV_IMM;
    case operator_::Mod:
      return Op::MOD_IMM;
    case operator_::LShift:
      return Op::LSHIFT_IMM;
    case operator_::RShift:
      return Op::RSHIFT_IMM;
    case operator_::BitAnd:
      return Op::AND_IMM;
    default:
      return Op::NOP;
  }
}

// Whether evaluating `e` cannot bind a variable.
bool binds_nothing(const expr* e) {
  return e == nullptr || e->is<Name>() || e->is<Constant>() || e->is<Lambda>();
}

// More items than this are collected piece by piece, to bound the registers of a frame.
constexpr size_t kManyItems = 128;

}  // namespace

// The value of an integer literal that fits an instruction's immediate.
static bool small_integer(expr* e, int* value) {
  bool negative = false;
  if (auto* u = e->dyn<UnaryOp>(); u != nullptr && u->op == unaryop::USub) {
    negative = true;
    e = u->operand;
  }
  auto* c = e->dyn<Constant>();
  if (c == nullptr || c->value.kind != ConstantKind::Int || !c->value.int_fits) return false;
  int64_t n = negative ? -c->value.int_value : c->value.int_value;
  if (n < INT16_MIN || n > INT16_MAX) return false;
  *value = static_cast<int>(n);
  return true;
}

Operand Compiler::expr(ast::expr* e, int dst) {
  check_stack();
  At here(code(), e->location());
  return expr_inner(e, dst);
}

Operand Compiler::constant(PyObject* value, int dst) {
  Operand d = destination(dst);
  emit_const(d.reg, value);
  return d;
}

// Brings a value that was made in a temporary at the current height to its destination.
Operand Compiler::move_to(uint32_t temp, int dst) {
  if (dst == kAny) {
    if (unit_->top != temp) set_top(temp);
    push();
    return Operand{temp, true};
  }
  Operand d = destination(dst);
  if (d.reg != temp) emit(Op::MOVE, d.reg, temp);
  return d;
}

Operand Compiler::keep(Operand o, ast::expr* later) {
  if (o.temp || binds_nothing(later)) return o;
  if (((unit_->rebound[o.reg / 64] >> (o.reg % 64)) & 1) == 0) return o;
  const uint32_t t = push();
  emit(Op::COPY, t, o.reg);
  return Operand{t, true};
}

uint32_t Compiler::push_argument(ast::expr* e, bool last) {
  if (e->is<Name>() && e->as<Name>()->id->view() != "__debug__") {
    At here(code(), e->location());
    Operand o = load_name(e->as<Name>()->id, kAny);
    if (o.temp) return o.reg;
    const bool lend = last || ((unit_->rebound[o.reg / 64] >> (o.reg % 64)) & 1) == 0;
    const uint32_t t = push();
    emit(lend ? Op::BORROW : Op::COPY, t, o.reg);
    return t;
  }
  return push_expr(e);
}

Operand Compiler::expr_inner(ast::expr* e, int dst) {
  switch (e->kind) {
    case expr_kind::Constant: {
      auto* c = e->as<Constant>();
      if (c->value.kind == ConstantKind::Int && c->value.int_fits && c->value.int_value >= INT32_MIN &&
          c->value.int_value <= INT32_MAX) {
        Operand d = destination(dst);
        emit_int(d.reg, c->value.int_value);
        return d;
      }
      Ref<> value = constant_object(ctx_, e->location(), c->value);
      return constant(value, dst);
    }
    case expr_kind::Name:
      if (e->as<Name>()->id->view() == "__debug__") return constant(ctx_.optimize == 0 ? Py_True : Py_False, dst);
      return load_name(e->as<Name>()->id, dst);
    case expr_kind::BinOp:
      return binary_chain(e, dst);
    case expr_kind::UnaryOp:
      return unary(e->as<UnaryOp>(), dst);
    case expr_kind::BoolOp:
      return bool_op(e->as<BoolOp>(), dst);
    case expr_kind::Compare:
      return compare(e->as<Compare>(), dst);
    case expr_kind::Call:
      return call(e->as<Call>(), dst);
    case expr_kind::Attribute:
      return attribute(e->as<Attribute>(), dst);
    case expr_kind::Subscript:
      return subscript(e->as<Subscript>(), dst);
    case expr_kind::IfExp:
      return conditional(e->as<IfExp>(), dst);
    case expr_kind::NamedExpr:
      return named(e->as<NamedExpr>(), dst);
    case expr_kind::Lambda:
      return lambda(e->as<Lambda>(), dst);
    case expr_kind::Tuple: {
      Ref<> value = fold(ctx_, e);
      if (value) return constant(value, dst);
      return sequence(e->as<Tuple>()->elts, Op::BUILD_TUPLE, dst);
    }
    case expr_kind::List:
      return sequence(e->as<List>()->elts, Op::BUILD_LIST, dst);
    case expr_kind::Set:
      return sequence(e->as<Set>()->elts, Op::BUILD_SET, dst);
    case expr_kind::Dict:
      return dict(e->as<Dict>(), dst);
    case expr_kind::ListComp:
    case expr_kind::SetComp:
    case expr_kind::DictComp:
    case expr_kind::GeneratorExp:
      return comprehension(e, dst);
    case expr_kind::JoinedStr:
      return joined_string(e->as<JoinedStr>(), dst);
    case expr_kind::FormattedValue:
      return formatted(e->as<FormattedValue>(), dst);
    case expr_kind::TemplateStr:
      return template_string(e->as<TemplateStr>(), dst);
    case expr_kind::Interpolation:
      interpolation(e->as<Interpolation>());
      return move_to(--unit_->top, dst);
    case expr_kind::Await:
      return await_expr(e->as<Await>(), dst);
    case expr_kind::Yield:
      return yield(e->as<Yield>(), dst);
    case expr_kind::YieldFrom:
      return yield_from(e->as<YieldFrom>(), dst);
    case expr_kind::Slice: {
      Ref<> none;
      return slice(e->as<Slice>(), dst);
    }
    case expr_kind::Starred:
      fail(e->location(), e->as<Starred>()->ctx == expr_context::Store
                              ? "starred assignment target must be in a list or tuple"
                              : "can't use starred expression here");
  }
  return Operand{};
}

// --- arithmetic

Operand Compiler::binary(Operand left, operator_ op, ast::expr* right, int dst, uint32_t base, unsigned flags) {
  int imm;
  want_number(left);
  if (immediate_op(op) != Op::NOP && small_integer(right, &imm)) {
    set_top(base);
    Operand d = destination(dst);
    emit(immediate_op(op), d.reg, left.reg, static_cast<uint16_t>(imm), flags | kill(left, kKillB));
    return d;
  }
  left = keep(left, right);
  Operand r = expr(right);
  want_number(r);
  set_top(base);
  Operand d = destination(dst);
  emit(arithmetic_op(op), d.reg, left.reg, r.reg, flags | kill(left, kKillB) | kill(r, kKillC));
  return d;
}

Operand Compiler::binary_chain(ast::expr* e, int dst) {
  // Down the left operands in a loop: sums of many terms are deep trees.
  std::vector<BinOp*> chain;
  ast::expr* leaf = e;
  while (leaf->is<BinOp>()) {
    chain.push_back(leaf->as<BinOp>());
    leaf = chain.back()->left;
  }
  const uint32_t base = top();
  size_t i = chain.size();
  // The constant prefix.
  Ref<> value = fold(ctx_, leaf);
  while (value && i > 0) {
    Ref<> right = fold(ctx_, chain[i - 1]->right);
    if (!right) break;
    Ref<> result = fold_binary(value, chain[i - 1]->op, right);
    if (!result) break;
    value = std::move(result);
    --i;
  }
  if (value && i == 0) return constant(value, dst);
  Operand left;
  if (value && i < chain.size()) {
    At here(code(), chain[i]->location());
    left = constant(value, kAny);
  } else {
    if (i == chain.size() && chain[i - 1]->op == operator_::Mod) {
      bool done = false;
      Operand r = percent_format(chain[i - 1], i == 1 ? dst : kAny, &done);
      if (done) {
        if (i == 1) return r;
        left = r;
        --i;
      } else {
        left = expr(leaf);
      }
    } else {
      left = expr(leaf);
    }
  }
  while (i > 0) {
    --i;
    At here(code(), chain[i]->location());
    left = binary(left, chain[i]->op, chain[i]->right, i == 0 ? dst : kAny, base, 0);
  }
  return left;
}

Operand Compiler::unary(UnaryOp* e, int dst) {
  Ref<> value = fold(ctx_, e);
  if (value) return constant(value, dst);
  const uint32_t base = top();
  Op op = Op::NOT;
  switch (e->op) {
    case unaryop::Invert:
      op = Op::INVERT;
      break;
    case unaryop::Not:
      // not (a is b) and the like are one comparison.
      if (auto* c = e->operand->dyn<Compare>(); c != nullptr && c->ops.size == 1) {
        cmpop negated = c->ops[0];
        bool simple = true;
        switch (c->ops[0]) {
          case cmpop::Is:
            negated = cmpop::IsNot;
            break;
          case cmpop::IsNot:
            negated = cmpop::Is;
            break;
          case cmpop::In:
            negated = cmpop::NotIn;
            break;
          case cmpop::NotIn:
            negated = cmpop::In;
            break;
          default:
            simple = false;
        }
        if (simple) {
          warn_compare(c);
          Operand left = expr(c->left);
          Operand d;
          left = keep(left, c->comparators[0]);
          Operand right = expr(c->comparators[0]);
          set_top(base);
          d = destination(dst);
          emit_compare(negated, left, right, d.reg, 0);
          return d;
        }
      }
      break;
    case unaryop::UAdd:
      op = Op::POS;
      break;
    case unaryop::USub:
      op = Op::NEG;
      break;
  }
  Operand o = expr(e->operand);
  want_number(o);
  set_top(base);
  Operand d = destination(dst);
  emit(op, d.reg, o.reg, 0, kill(o, kKillB));
  return d;
}

// --- logic

Operand Compiler::bool_op(BoolOp* e, int dst) {
  const uint32_t t = top();
  const Op op = e->op == boolop::And ? Op::JUMP_IF_FALSE : Op::JUMP_IF_TRUE;
  Label end = new_label();
  Bits after_first;
  for (size_t i = 0; i < e->values.size; ++i) {
    set_top(t);
    push_expr(e->values[i]);
    if (i == 0) after_first = unit_->assigned;
    if (i + 1 < e->values.size) jump(op, t, end);
  }
  set_top(t);
  bind(end);
  unit_->assigned = after_first;
  return move_to(t, dst);
}

Operand Compiler::conditional(IfExp* e, int dst) {
  Label otherwise = new_label(), end = new_label();
  jump_if(e->test, otherwise, false);
  Bits before = unit_->assigned;
  const uint32_t base = top();
  const int target = dst == kAny ? static_cast<int>(base) : dst;
  expr(e->body, target);
  set_top(base);
  jump(end);
  bind(otherwise);
  unit_->assigned = before;
  expr(e->orelse, target);
  set_top(base);
  bind(end);
  unit_->assigned = before;
  if (dst == kAny) {
    push();
    return Operand{base, true};
  }
  return Operand{static_cast<uint32_t>(dst), is_temp(static_cast<uint32_t>(dst))};
}

void Compiler::emit_compare(cmpop op, Operand left, Operand right, uint32_t dst, unsigned flags) {
  flags |= kill(left, kKillB) | kill(right, kKillC);
  Op code_op = Op::LT;
  switch (op) {
    case cmpop::Eq:
      code_op = Op::EQ;
      break;
    case cmpop::NotEq:
      code_op = Op::NE;
      break;
    case cmpop::Lt:
      code_op = Op::LT;
      break;
    case cmpop::LtE:
      code_op = Op::LE;
      break;
    case cmpop::Gt:
      code_op = Op::GT;
      break;
    case cmpop::GtE:
      code_op = Op::GE;
      break;
    case cmpop::IsNot:
      flags |= kNegate;
      [[fallthrough]];
    case cmpop::Is:
      code_op = Op::IS;
      break;
    case cmpop::NotIn:
      flags |= kNegate;
      [[fallthrough]];
    case cmpop::In:
      code_op = Op::CONTAINS;
      break;
  }
  emit(code_op, dst, left.reg, right.reg, flags);
}

// Compares `left` with the value of `right`; temporaries go back to `base`.
void Compiler::emit_compare(cmpop op, Operand left, ast::expr* right, uint32_t dst, unsigned flags, uint32_t base) {
  int imm;
  if (op <= cmpop::GtE && small_integer(right, &imm)) {
    Op code_op = Op::EQ_IMM;
    switch (op) {
      case cmpop::Eq:
        code_op = Op::EQ_IMM;
        break;
      case cmpop::NotEq:
        code_op = Op::NE_IMM;
        break;
      case cmpop::Lt:
        code_op = Op::LT_IMM;
        break;
      case cmpop::LtE:
        code_op = Op::LE_IMM;
        break;
      case cmpop::Gt:
        code_op = Op::GT_IMM;
        break;
      default:
        code_op = Op::GE_IMM;
        break;
    }
    set_top(base);
    need(dst + 1);
    emit(code_op, dst, left.reg, static_cast<uint16_t>(imm), flags | kill(left, kKillB));
    return;
  }
  Operand r;
  if ((op == cmpop::In || op == cmpop::NotIn) && (right->is<List>() || right->is<Set>())) {
    // A display of constants that is only searched.
    Seq<ast::expr*> elts = right->is<List>() ? right->as<List>()->elts : right->as<Set>()->elts;
    ast::Tuple items;
    items.elts = elts;
    items.ctx = expr_context::Load;
    static_cast<Location&>(items) = right->location();
    Ref<> value = elts.empty() ? Ref<>() : fold(ctx_, &items);
    if (value && right->is<Set>()) {
      value = Ref<>::steal(PyFrozenSet_New(value));
      if (!value) PyErr_Clear();
    }
    if (value) {
      At here(code(), right->location());
      r = constant(value, kAny);
    } else {
      r = expr(right);
    }
  } else {
    r = expr(right);
  }
  if (op <= cmpop::GtE) want_number(r);
  set_top(base);
  need(dst + 1);
  emit_compare(op, left, r, dst, flags);
}

Operand Compiler::compare(Compare* e, int dst) {
  warn_compare(e);
  if (e->ops.size > 1) return compare_chain(e, dst);
  const uint32_t base = top();
  Operand left = expr(e->left);
  if (e->ops[0] <= cmpop::GtE) want_number(left);
  left = keep(left, e->comparators[0]);
  const uint32_t target = dst == kAny ? base : static_cast<uint32_t>(dst);
  emit_compare(e->ops[0], left, e->comparators[0], target, 0, base);
  if (dst == kAny) push();
  return Operand{target, is_temp(target)};
}

// a < b < c as a value: the result register lies below the operands, which end with the chain.
Operand Compiler::compare_chain(Compare* e, int dst) {
  const uint32_t result = push();
  Operand left = expr(e->left);
  left = keep(left, e->comparators[0]);
  Label end = new_label(), cleanup = new_label();
  const size_t n = e->ops.size;
  Bits first;
  uint32_t middle = 0;
  bool need_cleanup = false;
  for (size_t i = 0; i + 1 < n; ++i) {
    // The middle operand is used twice. It is at a fixed place, so that one cleanup serves all exits.
    set_top(result + 1);
    if (left.temp && left.reg == result + 1) push();
    Operand right = expr(e->comparators[i]);
    right = keep(right, e->comparators[i + 1]);
    emit_compare(e->ops[i], left, Operand{right.reg, false}, result, 0);
    if (i == 0) first = unit_->assigned;
    if (right.temp) {
      // Move down to the place below, which the left operand has left.
      if (right.reg != result + 1) {
        emit(Op::MOVE, result + 1, right.reg);
        right.reg = result + 1;
      }
      middle = right.reg;
      need_cleanup = true;
      set_top(result + 2);
      jump(Op::JUMP_IF_FALSE, result, cleanup);
    } else {
      set_top(result + 1);
      jump(Op::JUMP_IF_FALSE, result, end);
    }
    left = right;
  }
  set_top(left.temp ? left.reg + 1 : result + 1);
  Operand right = expr(e->comparators[n - 1]);
  set_top(result + 1);
  emit_compare(e->ops[n - 1], left, right, result, 0);
  if (need_cleanup) {
    jump(end);
    bind(cleanup);
    emit(Op::CLEAR, middle);
  }
  bind(end);
  unit_->assigned = first;
  set_top(result);
  return move_to(result, dst);
}

Operand Compiler::named(NamedExpr* e, int dst) {
  const int local = local_register(e->target);
  if (local >= 0) {
    expr(e->value, local);
    set_bound(static_cast<uint32_t>(local));
    ++unit_->other_reads[static_cast<uint32_t>(local)];
    if (dst == kAny || dst == local) return Operand{static_cast<uint32_t>(local), false};
    Operand d = destination(dst);
    emit(Op::COPY, d.reg, static_cast<uint32_t>(local));
    return d;
  }
  const uint32_t t = push_expr(e->value);
  At here(code(), e->target->location());
  store_name(e->target->as<Name>()->id, Operand{t, false});
  set_top(t);
  return move_to(t, dst);
}

// --- attributes and subscripts

// In a chain over several lines the attribute's own name is the place.
void Compiler::attribute_place(Attribute* e) {
  if (e->lineno == e->end_lineno) return;
  Location where = e->location();
  const int width = static_cast<int>(e->attr->size);
  where.lineno = where.end_lineno;
  if (width <= where.end_col_offset) {
    where.col_offset = where.end_col_offset - width;
  } else {
    where.col_offset = where.end_col_offset = -1;
  }
  at(where);
}

Operand Compiler::attribute(Attribute* e, int dst) {
  if (e->ctx == expr_context::Load && optimized_super(e)) return super_attribute(e, dst, false);
  const uint32_t base = top();
  Operand o = expr(e->value);
  set_top(base);
  Operand d = destination(dst);
  attribute_place(e);
  emit(Op::LOAD_ATTR, d.reg, o.reg,
       static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, e->attr))), kill(o, kKillB));
  return d;
}

Operand Compiler::subscript(Subscript* e, int dst) {
  warn_subscript(e);
  Ref<> value = fold(ctx_, e);
  if (value) return constant(value, dst);
  const uint32_t base = top();
  Operand o = keep(expr(e->value), e->slice);
  uint32_t run;
  if (const uint32_t bounds = plain_slice(e->slice, &run); bounds != 0) {
    set_top(base);
    Operand d = destination(dst);
    emit(Op::LOAD_SLICE, d.reg, o.reg, run, kill(o, kKillB) | (bounds == 3 ? kSliceStep : 0));
    return d;
  }
  Operand index = expr(e->slice);
  want_number(index);
  set_top(base);
  Operand d = destination(dst);
  emit(Op::LOAD_SUBSCR, d.reg, o.reg, index.reg, kill(o, kKillB) | kill(index, kKillC));
  return d;
}

// Slices of constants are constants: a new reference, or null.
Ref<> Compiler::constant_slice(Slice* e) {
  ast::expr* parts[3] = {e->lower, e->upper, e->step};
  Ref<> values[3];
  for (int i = 0; i < 3; ++i) {
    values[i] = parts[i] != nullptr ? fold(ctx_, parts[i]) : Ref<>::share(Py_None);
    if (!values[i]) return nullptr;
  }
  return Ref<>::steal(check(PySlice_New(values[0], values[1], values[2])));
}

// For a subscript [lower:upper] or [lower:upper:step] that is no constant: its 2 or 3 bounds, whose number is returned, go
// to temporaries, of which *run is the first. Else 0.
uint32_t Compiler::plain_slice(ast::expr* e, uint32_t* run) {
  if (!e->is<Slice>()) return 0;
  auto* s = e->as<Slice>();
  if (constant_slice(s)) return 0;
  *run = top();
  return slice_bounds(s);
}

// Pushes the bounds of a slice and returns how many they are.
uint32_t Compiler::slice_bounds(Slice* e) {
  ast::expr* parts[3] = {e->lower, e->upper, e->step};
  const uint32_t count = e->step != nullptr ? 3 : 2;
  for (uint32_t i = 0; i < count; ++i) {
    if (parts[i] != nullptr) {
      push_argument(parts[i], i + 1 == count);
      if (const int local = local_register(parts[i]); local >= 0) want_number({static_cast<uint32_t>(local), false});
    } else {
      emit_none(push());
    }
  }
  return count;
}

Operand Compiler::slice(Slice* e, int dst) {
  const uint32_t base = top();
  Ref<> value = constant_slice(e);
  if (value) return constant(value, dst);
  const uint32_t count = slice_bounds(e);
  set_top(base);
  Operand d = destination(dst);
  emit(Op::BUILD_SLICE, d.reg, base, count);
  return d;
}

// --- displays

Operand Compiler::sequence(Seq<ast::expr*> elts, Op build, int dst) {
  const uint32_t base = top();
  bool starred = false;
  for (ast::expr* e : elts) starred |= e->is<Starred>();
  const Op add = build == Op::BUILD_SET ? Op::SET_ADD : Op::LIST_APPEND;
  const Op extend = build == Op::BUILD_SET ? Op::SET_UPDATE : Op::LIST_EXTEND;

  if (build != Op::BUILD_TUPLE && elts.size > 2 && !starred) {
    ast::Tuple items;
    items.elts = elts;
    items.ctx = expr_context::Load;
    Ref<> value = fold(ctx_, &items);
    if (value && build == Op::BUILD_SET) {
      value = Ref<>::steal(PyFrozenSet_New(value));
      if (!value) PyErr_Clear();
    }
    if (value) {
      const uint32_t t = push();
      emit(build, t, t, 0);
      const uint32_t c = push();
      emit_const(c, value);
      emit(extend, t, c, 0, kKillB);
      set_top(t);
      return move_to(t, dst);
    }
  }
  if (!starred && elts.size <= kManyItems) {
    for (size_t i = 0; i < elts.size; ++i) push_argument(elts[i], i + 1 == elts.size);
    set_top(base);
    Operand d = destination(dst);
    emit(build, d.reg, base, static_cast<uint32_t>(elts.size));
    return d;
  }
  // Piece by piece: a run of plain items, then whatever is unpacked.
  const uint32_t t = push();
  size_t i = 0;
  while (i < elts.size && i < kManyItems && !elts[i]->is<Starred>()) ++i;
  for (size_t k = 0; k < i; ++k) push_argument(elts[k], k + 1 == i);
  set_top(t + 1);
  const Op container = build == Op::BUILD_TUPLE ? Op::BUILD_LIST : build;
  emit(container, t, i > 0 ? t + 1 : t, static_cast<uint32_t>(i));
  for (; i < elts.size; ++i) {
    set_top(t + 1);
    const bool unpack = elts[i]->is<Starred>();
    Operand item = expr(unpack ? elts[i]->as<Starred>()->value : elts[i]);
    emit(unpack ? extend : add, t, item.reg, 0, kill(item, kKillB));
  }
  set_top(t);
  if (build == Op::BUILD_TUPLE) {
    Operand d = destination(dst);
    emit(Op::LIST_TO_TUPLE, d.reg, t, 0, kKillB);
    return d;
  }
  return move_to(t, dst);
}

Operand Compiler::dict(Dict* e, int dst) {
  const uint32_t base = top();
  const size_t n = e->values.size;
  bool unpacking = false;
  for (size_t i = 0; i < n; ++i) unpacking |= e->keys[i] == nullptr;
  if (!unpacking && n <= kManyItems / 2) {
    for (size_t i = 0; i < n; ++i) {
      push_argument(e->keys[i], false);
      push_argument(e->values[i], i + 1 == n);
    }
    set_top(base);
    Operand d = destination(dst);
    emit(Op::BUILD_MAP, d.reg, base, static_cast<uint32_t>(n));
    return d;
  }
  const uint32_t t = push();
  size_t i = 0;
  while (i < n && i < kManyItems / 2 && e->keys[i] != nullptr) {
    push_argument(e->keys[i], false);
    push_argument(e->values[i], false);
    ++i;
  }
  set_top(t + 1);
  emit(Op::BUILD_MAP, t, i > 0 ? t + 1 : t, static_cast<uint32_t>(i));
  for (; i < n; ++i) {
    set_top(t + 1);
    if (e->keys[i] == nullptr) {
      Operand o = expr(e->values[i]);
      emit(Op::DICT_UPDATE, t, o.reg, 0, kill(o, kKillB));
      continue;
    }
    Operand key = keep(expr(e->keys[i]), e->values[i]);
    Operand value = expr(e->values[i]);
    emit(Op::MAP_ADD, t, key.reg, value.reg, kill(key, kKillB) | kill(value, kKillC));
  }
  set_top(t);
  return move_to(t, dst);
}

}  // namespace amphis::compile
