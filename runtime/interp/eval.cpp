// The evaluation loop. It owns control flow: dispatch, calls between Python functions, returns, generators'
// suspension, unwinding. Instructions that only compute have their short paths here and everything else in op_NAME
// functions (ops.h), which read and write the frame's registers themselves.
//
// A process with many threads runs the same text as a second loop (sync/free/loops.h).
//
// Invariant: `f`, `R` (its registers) and `K` (its constants) belong together; f->pc is stored before anything that can
// raise, call or be observed.
#include "interp/ops.h"

#include "interp/arithmetic.h"
#include "interp/call_forms.h"
#include "interp/eval_macros.h"
#include "interp/generator.h"
#include "interp/load.h"
#include "interp/monitoring.h"
#include "interp/shortcuts.h"
#include "objects/function.h"
#include "objects/list.h"
#include "objects/range.h"
#include "objects/tuple.h"

namespace amphis {

// The loop is compiled with computed goto; every label is an instruction.
#pragma GCC diagnostic ignored "-Wpedantic"

#ifdef AMPHIS_MONITORED_LOOP
PyObject* run_frame_monitored(ThreadState* ts, Frame* f, uint32_t skip) {
#else
PyObject* THIS_LOOP(ThreadState* ts, Frame* f) {
#endif
  static const void* const handlers[256] = {
#define AMPHIS_OP(name, caches, format) &&L_##name,
#include "interp/opcodes.def"
#undef AMPHIS_OP
      &&L_invalid,
#define AMPHIS_OP(name, caches, format)
#define AMPHIS_SPECIAL(name, general) &&L_##name,
#include "interp/opcodes.def"
#undef AMPHIS_SPECIAL
#undef AMPHIS_OP
  };
  LOOP_TABLE();
  const Word* pc;
  Value* R;
  const Value* K;
  Word w;
  // Between the paths of a call: what is called and with which registers.
  Value callee;
  Value* args;
  uint32_t nargs;
  Value result;

  ENTER_FRAME();
  LOOP_BEGINS();
  if (f->flags & kFrameThrow) {
    f->flags &= static_cast<uint8_t>(~kFrameThrow);
    THROWN_INTO();
    goto error;
  }
  DISPATCH();

  // --- moves and constants
  L_NOP : NEXT(1);
  L_RESUME : NEXT(1);
  L_LOAD_CONST : {
    SET(A, K[BC]);
    NEXT(1);
  }
  L_LOAD_INT : {
    SET(A, value_int(BC));
    NEXT(1);
  }
  L_MOVE : {
    Value v = R[B];
    R[B] = kEmpty;
    SET(A, v);
    NEXT(1);
  }
  L_COPY : {
    Value v = copy_value(R[B]);
    SET(A, v);
    NEXT(1);
  }
  L_BORROW : {
    SET(A, borrow_value(R[B]));
    NEXT(1);
  }
  L_CLEAR : {
    KILL(A);
    NEXT(1);
  }
  L_CHECK_BOUND : {
    if (R[A] == kEmpty) [[unlikely]] {
      f->pc = pc;
      raise_unbound(f, A);
      goto error;
    }
    NEXT(1);
  }
  L_DELETE_FAST : {
    if (R[A] == kEmpty) [[unlikely]] {
      f->pc = pc;
      raise_unbound(f, A);
      goto error;
    }
    KILL(A);
    NEXT(1);
  }

  // --- names
  L_LOAD_GLOBAL_MODULE : {
    Value v;
    if (load_dict_cached<THREADS>(f->globals(), pc[1], UNBOX, &v)) [[likely]] {
      SET(A, v);
      NEXT(3);
    }
    goto L_LOAD_GLOBAL;
  }
  L_LOAD_GLOBAL_BUILTIN : {
    Value v;
    if (dict_version_is(f->globals(), static_cast<uint32_t>(load_cache(pc[2]))) &&
        load_dict_cached<THREADS>(f->builtins(), pc[1], false, &v)) [[likely]] {
      SET(A, v);
      NEXT(3);
    }
    goto L_LOAD_GLOBAL;
  }
  PLAIN(LOAD_GLOBAL, op_load_global, 3)
  PLAIN(STORE_GLOBAL, op_store_global, 1)
  PLAIN(DELETE_GLOBAL, op_delete_global, 1)
  PLAIN(LOAD_NAME, op_load_name, 3)
  PLAIN(STORE_NAME, op_store_name, 1)
  PLAIN(DELETE_NAME, op_delete_name, 1)
  PLAIN(MAKE_CELL, op_make_cell, 1)
  L_COPY_FREE_VARS : {
    // Borrowed: the function, which the frame holds, keeps its closure.
    PyObject* closure = f->func()->func_closure;
    Value* to = &R[A];
    for (int32_t i = 0, n = BC; i < n; ++i) to[i] = value_borrowed(PyTuple_GET_ITEM(closure, i));
    NEXT(1);
  }
  L_LOAD_DEREF : {
    PyObject* cell = pointer_of(R[B]);
    Value v = load_slot<THREADS>(&reinterpret_cast<PyCellObject*>(cell)->ob_ref, cell, UNBOX);
    if (v == kEmpty) [[unlikely]] {
      f->pc = pc;
      raise_unbound(f, B);
      goto error;
    }
    SET(A, v);
    NEXT(1);
  }
  PLAIN(STORE_DEREF, op_store_deref, 1)
  PLAIN(DELETE_DEREF, op_delete_deref, 1)
  PLAIN(LOAD_LOCALS, op_load_locals, 1)
  PLAIN(LOAD_FROM_DICT_OR_DEREF, op_load_from_dict_or_deref, 1)
  PLAIN(LOAD_FROM_DICT_OR_GLOBALS, op_load_from_dict_or_globals, 1)
  PLAIN(LOAD_BUILD_CLASS, op_load_build_class, 1)
  PLAIN(LOAD_COMMON_CONSTANT, op_load_common_constant, 1)
  PLAIN(SETUP_ANNOTATIONS, op_setup_annotations, 1)

  // --- attributes
  L_LOAD_ATTR_INLINE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_inline<THREADS>(pointer_of(b), pc[1], UNBOX, &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_SLOT : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_slot<THREADS>(pointer_of(b), pc[1], UNBOX, &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_DICT : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_dict<THREADS>(pointer_of(b), pc[1], code_extra(f->code)->names[C], UNBOX, &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_MODULE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_module<THREADS>(pointer_of(b), pc[1], UNBOX, &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_CLASS : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_class<THREADS>(pointer_of(b), record_of(pc[1]), &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_TYPE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_type<THREADS>(pointer_of(b), record_of(pc[1]), &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  L_LOAD_ATTR_PROPERTY : {
    Value b = R[B];
    callee = is_pointer(b) ? load_property_getter(pointer_of(b), record_of(pc[1])) : kEmpty;
    if (callee == kEmpty) [[unlikely]] goto L_LOAD_ATTR;
    f->pc = pc;
    args = ts->reg_top;
    *args = HAS(kKillB) ? b : borrow_value(b);
    if (HAS(kKillB)) R[B] = kEmpty;
    Frame* next = push_python_call(ts, f, callee, args, 1, A, 3);
    if (next == nullptr) goto error;
    f = next;
    ENTER_FRAME();
    POLL();
    DISPATCH();
  }
  L_LOAD_ATTR_GETSET : {
    const Value b = R[B];
    const auto* def = is_pointer(b) ? load_definition<PyGetSetDef>(pointer_of(b), record_of(pc[1])) : nullptr;
    if (def == nullptr) [[unlikely]] goto L_LOAD_ATTR;
    f->pc = pc;
    PyObject* got = call_getter(pointer_of(b), code_extra(f->code)->names[C], def);
    if (got == nullptr) [[unlikely]] goto error;
    REPLACE_B(UNBOX ? unboxed_result(got) : value_owned(got));
    NEXT(3);
  }
  L_LOAD_ATTR_MEMBER : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_member(pointer_of(b), pc[1], &v)) [[likely]] {
      REPLACE_B(v);
      NEXT(3);
    }
    goto L_LOAD_ATTR;
  }
  PLAIN(LOAD_ATTR, op_load_attr, 3)
  L_LOAD_METHOD_TYPE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_type<THREADS>(pointer_of(b), record_of(pc[1]), &v)) [[likely]] {
      // The object moves (or is lent) to the self register; A may be B.
      Value self = HAS(kKillB) ? b : borrow_value(b);
      if (HAS(kKillB)) R[B] = kEmpty;
      SET_PAIR(A, v, self);
      NEXT(3);
    }
    goto L_LOAD_METHOD;
  }
  L_LOAD_METHOD_INLINE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_inline<THREADS>(pointer_of(b), pc[1], false, &v)) [[likely]] {
      REPLACE_B(v);
      SET(A + 1, kEmpty);
      NEXT(3);
    }
    goto L_LOAD_METHOD;
  }
  L_LOAD_METHOD_MODULE : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_module<THREADS>(pointer_of(b), pc[1], false, &v)) [[likely]] {
      REPLACE_B(v);
      SET(A + 1, kEmpty);
      NEXT(3);
    }
    goto L_LOAD_METHOD;
  }
  L_LOAD_METHOD_CLASS : {
    Value b = R[B], v;
    if (is_pointer(b) && load_attr_class<THREADS>(pointer_of(b), record_of(pc[1]), &v)) [[likely]] {
      REPLACE_B(v);
      SET(A + 1, kEmpty);
      NEXT(3);
    }
    goto L_LOAD_METHOD;
  }
  PLAIN(LOAD_METHOD, op_load_method, 3)
  L_STORE_ATTR_INLINE : {
    Value o = R[A];
    if (is_pointer(o) && store_attr_inline<THREADS>(pointer_of(o), pc[1], R, w)) [[likely]] {
      if (HAS(kKillA)) KILL(A);
      NEXT(3);
    }
    goto L_STORE_ATTR;
  }
  L_STORE_ATTR_SLOT : {
    Value o = R[A];
    if (is_pointer(o) && store_attr_slot<THREADS>(pointer_of(o), pc[1], R, w)) [[likely]] {
      if (HAS(kKillA)) KILL(A);
      NEXT(3);
    }
    goto L_STORE_ATTR;
  }
  L_STORE_ATTR_GETSET : {
    const Value o = R[A];
    const auto* def = is_pointer(o) ? load_definition<PyGetSetDef>(pointer_of(o), record_of(pc[1])) : nullptr;
    if (def == nullptr) [[unlikely]] goto L_STORE_ATTR;
    f->pc = pc;
    bool stored;
    {
      const Operand value(R[B]);
      stored = value.get() != nullptr && call_setter(pointer_of(o), value, def) == 0;
    }
    if (!stored) [[unlikely]] goto error;
    if (HAS(kKillB)) KILL(B);
    if (HAS(kKillA)) KILL(A);
    NEXT(3);
  }
  L_STORE_ATTR_MEMBER : {
    const Value o = R[A];
    auto* def = is_pointer(o) ? load_definition<PyMemberDef>(pointer_of(o), record_of(pc[1])) : nullptr;
    if (def == nullptr) [[unlikely]] goto L_STORE_ATTR;
    f->pc = pc;
    bool stored;
    {
      const Operand value(R[B]);
      stored = value.get() != nullptr && PyMember_SetOne(reinterpret_cast<char*>(pointer_of(o)), def, value) == 0;
    }
    if (!stored) [[unlikely]] goto error;
    if (HAS(kKillB)) KILL(B);
    if (HAS(kKillA)) KILL(A);
    NEXT(3);
  }
  PLAIN(STORE_ATTR, op_store_attr, 3)
  PLAIN(DELETE_ATTR, op_delete_attr, 1)
  PLAIN(LOAD_SUPER_ATTR, op_load_super_attr, 1)
  PLAIN(LOAD_SPECIAL, op_load_special, 1)

  // --- subscripts
  L_LOAD_SUBSCR : {
    Value b = R[B], c = R[C], v;
    if (is_pointer(b)) [[likely]] {
      if (is_int(c)) [[likely]] {
        v = load_item_at<THREADS>(pointer_of(b), int_of(c), UNBOX);  // a number may lie where a temporary was
        if (v != kEmpty) [[likely]] {
          REPLACE_B(v);
          NEXT(2);
        }
      } else if (is_pointer(c)) {
        v = load_item_by<THREADS>(pointer_of(b), pointer_of(c), UNBOX);
        if (v != kEmpty) {
          if (HAS(kKillC)) KILL(C);
          REPLACE_B(v);
          NEXT(2);
        }
      }
    }
    f->pc = pc;
    if (!op_load_subscr(f, pc)) goto error;
    NEXT(2);
  }
  L_STORE_SUBSCR : {
    Value o = R[A];
    if (is_pointer(o) && store_item_fast<THREADS>(pointer_of(o), R[B], R, w)) [[likely]] {
      if (HAS(kKillA)) KILL(A);
      if (HAS(kKillB) && is_pointer(R[B])) KILL(B);
      NEXT(2);
    }
    f->pc = pc;
    if (!op_store_subscr(f, pc)) goto error;
    NEXT(2);
  }
  PLAIN(DELETE_SUBSCR, op_delete_subscr, 1)
  PLAIN(BUILD_SLICE, op_build_slice, 1)
  PLAIN(LOAD_SLICE, op_load_slice, 1)
  PLAIN(STORE_SLICE, op_store_slice, 1)

  // --- arithmetic
  ARITH(ADD, kAdd)
  ARITH(SUB, kSub)
  ARITH(MUL, kMul)
  ARITH(TRUEDIV, kTrueDiv)
  ARITH(FLOORDIV, kFloorDiv)
  ARITH(MOD, kMod)
  ARITH(LSHIFT, kLshift)
  ARITH(RSHIFT, kRshift)
  ARITH(AND, kAnd)
  ARITH(OR, kOr)
  ARITH(XOR, kXor)
  ARITH_IMM(ADD_IMM, kAdd)
  ARITH_IMM(SUB_IMM, kSub)
  ARITH_IMM(MUL_IMM, kMul)
  ARITH_IMM(FLOORDIV_IMM, kFloorDiv)
  ARITH_IMM(MOD_IMM, kMod)
  ARITH_IMM(LSHIFT_IMM, kLshift)
  ARITH_IMM(RSHIFT_IMM, kRshift)
  ARITH_IMM(AND_IMM, kAnd)
  PLAIN(MATMUL, op_binary, 2)
  L_POW : {
    Value r;
    if (power_arith(R[B], R[C], &r)) {
      if (HAS(kKillB)) KILL(B);
      if (HAS(kKillC)) KILL(C);
      SET(A, r);
      NEXT(2);
    }
    f->pc = pc;
    if (!op_binary(f, pc)) goto error;
    NEXT(2);
  }
  L_NEG : {
    Value b = R[B];
    if (is_int(b) && int_of(b) != kValueIntMin) {
      SET(A, value_int(-int_of(b)));
      NEXT(1);
    }
    if (is_double(b)) {
      SET(A, value_double(-double_of(b)));
      NEXT(1);
    }
    f->pc = pc;
    if (!op_unary(f, pc)) goto error;
    NEXT(1);
  }
  PLAIN(POS, op_unary, 1)
  L_INVERT : {
    Value b = R[B];
    if (is_int(b)) {
      SET(A, value_int(~int_of(b)));
      NEXT(1);
    }
    f->pc = pc;
    if (!op_unary(f, pc)) goto error;
    NEXT(1);
  }
  L_NOT : {
    Value b = R[B];
    int truth = quick_truth(b);
    if (truth < 0) {
      f->pc = pc;
      truth = PyObject_IsTrue(pointer_of(b));
      if (truth < 0) goto error;
      if (HAS(kKillB)) KILL(B);
    }
    SET(A, value_bool(truth == 0));
    NEXT(1);
  }
  L_TO_BOOL : {
    Value b = R[B];
    int truth = quick_truth(b);
    if (truth < 0) {
      f->pc = pc;
      truth = PyObject_IsTrue(pointer_of(b));
      if (truth < 0) goto error;
      if (HAS(kKillB)) KILL(B);
    }
    SET(A, value_bool(truth != 0));
    NEXT(1);
  }

  // --- comparison
  COMPARE(LT, kLt)
  COMPARE(LE, kLe)
  COMPARE(EQ, kEq)
  COMPARE(NE, kNe)
  COMPARE(GT, kGt)
  COMPARE(GE, kGe)
  COMPARE_IMM(LT_IMM, kLt)
  COMPARE_IMM(LE_IMM, kLe)
  COMPARE_IMM(EQ_IMM, kEq)
  COMPARE_IMM(NE_IMM, kNe)
  COMPARE_IMM(GT_IMM, kGt)
  COMPARE_IMM(GE_IMM, kGe)
  L_IS : {
    Value b = R[B], c = R[C];
    bool same = (b & ~kOwned) == (c & ~kOwned) || (!(is_pointer(b) && is_pointer(c)) && same_number(b, c));
    if (is_int(b) || is_double(b) || is_int(c) || is_double(c)) same = same_number(b, c);
    if (HAS(kKillB)) KILL(B);
    if (HAS(kKillC)) KILL(C);
    FINISH_COMPARE(same != HAS(kNegate), 1);
  }
  L_CONTAINS : {
    f->pc = pc;
    int found = op_contains(f, pc);
    if (found < 0) goto error;
    FINISH_COMPARE((found != 0) != HAS(kNegate), 2);
  }

  // --- jumps
  L_JUMP : {
    pc += 1 + BC;
    DISPATCH();
  }
  L_JUMP_BACK : {
    POLL_HERE(0);
    pc += 2 + BC;
    DISPATCH();
  }
  CONDITIONAL(JUMP_IF_FALSE, 0)
  CONDITIONAL(JUMP_IF_TRUE, 1)
  L_JUMP_IF_NONE : {
    bool none = is_none(R[A]);
    if (HAS(kKillA)) KILL(A);
    pc += 1 + (none ? BC : 0);
    DISPATCH();
  }
  L_JUMP_IF_NOT_NONE : {
    bool none = is_none(R[A]);
    if (HAS(kKillA)) KILL(A);
    pc += 1 + (none ? 0 : BC);
    DISPATCH();
  }

  // --- iteration
  PLAIN(GET_ITER, op_get_iter, 1)
  L_FOR_ITER : {
    PyObject* it = pointer_of(R[A]);
    PyTypeObject* type = Py_TYPE(it);
    if (type == &PyRangeIter_Type) {
      int64_t i;
      if (range_iterator_next(it, &i)) {
        Value v;
        if (fits_int(i)) [[likely]] {
          v = value_int(i);
        } else {
          f->pc = pc;
          PyObject* boxed = int_from_int64(i);
          if (boxed == nullptr) goto error;
          v = value_owned(boxed);
        }
        SET(static_cast<uint16_t>(pc[1]), v);
        NEXT(2);
      }
      KILL(A);
      pc += 2 + BC;
      DISPATCH();
    }
    if (type == &PyListIter_Type) {
      Value v = list_iterator_next<THREADS>(it, UNBOX);
      if (v != kEmpty) [[likely]] {
        SET(static_cast<uint16_t>(pc[1]), v);
        NEXT(2);
      }
    } else if (type == &PyTupleIter_Type) {
      Value v = tuple_iterator_next(it, UNBOX);
      if (v != kEmpty) [[likely]] {
        SET(static_cast<uint16_t>(pc[1]), v);
        NEXT(2);
      }
    } else if (type == &PyGen_Type) {
      auto* gen = reinterpret_cast<GeneratorObject*>(it);
      f->pc = pc;
      if (generator_begin_fast(ts, gen) || generator_begin(ts, gen)) [[likely]] {
        f = generator_push_send(ts, gen, f, static_cast<uint16_t>(pc[1]), 2, value_none());
        ENTER_FRAME();
        POLL();
        DISPATCH();
      }
      if (ts->current_exception != nullptr) goto error;
      KILL(A);
      pc += 2 + BC;
      DISPATCH();
    }
    f->pc = pc;
    PyObject* item;
    if (AMPHIS_EVEN(has_pairs(it, type))) {
      const Word unpack = pc[2];
      if (word_op(unpack) == Op::UNPACK_SEQUENCE && word_c(unpack) == 2 && word_has(unpack, kKillB) &&
          word_b(unpack) == static_cast<uint16_t>(pc[1])) [[likely]] {
        Value first, second;
        if (next_pair<THREADS>(it, type, word_has(unpack, kUnbox), &first, &second)) [[likely]] {
          SET_PAIR(word_a(unpack), first, second);
          NEXT(3);
        }
        goto exhausted;
      }
    }
    if (type->tp_iternext == nullptr) [[unlikely]] {
      // A program wrote to the variable that holds a generator expression's iterator.
      PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator", type->tp_name);
      goto error;
    }
    item = type->tp_iternext(it);
    if (item != nullptr) [[likely]] {
      SET(static_cast<uint16_t>(pc[1]), UNBOX ? unboxed_result(item) : value_owned(item));
      NEXT(2);
    }
  exhausted:
    if (ts->current_exception != nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_StopIteration)) goto error;
      ITERATION_STOPPED();
      PyErr_Clear();
    }
    KILL(A);
    pc += 2 + BC;
    DISPATCH();
  }
  L_UNPACK_SEQUENCE : {
    Value b = R[B];
    if (is_pointer(b) && Py_IS_TYPE(pointer_of(b), &PyTuple_Type) && PyTuple_GET_SIZE(pointer_of(b)) == C) [[likely]] {
      auto* tuple = reinterpret_cast<PyTupleObject*>(pointer_of(b));
      Value* to = &R[A];
      const bool kill = HAS(kKillB);
      const bool unbox = UNBOX;
      if (kill) R[B] = kEmpty;
      f->pc = pc;
      // What no register holds any more must not need the collector's leave to stay.
      if (kRaces && kill && !is_owned(b)) [[unlikely]] b = to_owned(b);
      for (int i = 0, n = C; i < n; ++i) {
        Value old = to[i];
        to[i] = value_of_item(tuple->ob_item[i], unbox);
        drop(old);
      }
      if (kill) drop(b);
      NEXT(1);
    }
    f->pc = pc;
    if (!op_unpack_sequence(f, pc)) goto error;
    NEXT(1);
  }
  PLAIN(UNPACK_EX, op_unpack_ex, 1)
  PLAIN(GET_YIELD_FROM_ITER, op_get_yield_from_iter, 1)
  PLAIN(GET_AITER, op_get_aiter, 1)
  PLAIN(GET_ANEXT, op_get_anext, 1)
  L_GET_AWAITABLE : {
    Value b = R[B];
    if (is_owned(b) && Py_IS_TYPE(pointer_of(b), &PyCoro_Type) && HAS(kKillB) &&
        sync::load_acquire(reinterpret_cast<GeneratorObject*>(pointer_of(b))->state) == kGenCreated) [[likely]] {
      R[B] = kEmpty;
      SET(A, b);
      NEXT(1);
    }
    f->pc = pc;
    if (!op_get_awaitable(f, pc)) goto error;
    NEXT(1);
  }
  L_SEND : {
    f->pc = pc;
    PyObject* receiver = pointer_of(R[A]);
    if (Py_IS_TYPE(receiver, &PyGen_Type) || Py_IS_TYPE(receiver, &PyCoro_Type)) {
      auto* gen = reinterpret_cast<GeneratorObject*>(receiver);
      if (generator_can_push(gen, is_none(R[A + 1])) && (generator_begin_fast(ts, gen) || generator_begin(ts, gen))) {
        Value sent = R[A + 1];
        R[A + 1] = kEmpty;
        uint16_t dst = static_cast<uint16_t>(A + 1);
        f = generator_push_send(ts, gen, f, dst, 1, sent);
        ENTER_FRAME();
        POLL();
        DISPATCH();
      }
      if (ts->current_exception != nullptr) goto error;
    }
    int sent = op_send(f, pc);
    if (sent < 0) goto error;
    ++pc;
    if (sent == 0) pc += BC;
    DISPATCH();
  }
  L_CLEANUP_THROW : {
    f->pc = pc;
    if (!op_cleanup_throw(f, pc)) goto unwind;
    NEXT(1);
  }
  L_END_ASYNC_FOR : {
    f->pc = pc;
    if (!op_end_async_for(f, pc)) goto unwind;
    NEXT(1);
  }

  // --- calls
  CALL_FORM(CALL_C_NOARGS, (call_c<METH_NOARGS, false>))
  CALL_FORM(CALL_C_O, (call_c<METH_O, false>))
  CALL_FORM(CALL_C_FAST, (call_c_array<METH_FASTCALL, false>))
  CALL_FORM(CALL_C_FAST_KEYWORDS, (call_c_array<METH_FASTCALL | METH_KEYWORDS, false>))
  CALL_FORM(CALL_METHOD_NOARGS, (call_c<METH_NOARGS, true>))
  CALL_FORM(CALL_METHOD_O, (call_c<METH_O, true>))
  CALL_FORM(CALL_METHOD_FAST, (call_c_array<METH_FASTCALL, true>))
  CALL_FORM(CALL_METHOD_FAST_KEYWORDS, (call_c_array<METH_FASTCALL | METH_KEYWORDS, true>))
  CALL_FORM(CALL_TYPE, call_type)
  CALL_FORM(CALL_VECTOR, call_vector)
  CALL_KW_FORM(CALL_KW_C, call_c_keywords)
  CALL_KW_FORM(CALL_KW_VECTOR, call_vector_keywords)
  L_CALL_LEN : {
    CALL_OPERANDS();
    const Value known = is_pointer(R[A]) ? perform_len(callable, run, count) : kEmpty;
    if (known == kEmpty) [[unlikely]] goto call_missed;
    KILL(static_cast<uint32_t>(run - R));
    KILL(A);
    SET(C, known);
    NEXT(2);
  }
  L_CALL_ISINSTANCE : {
    CALL_OPERANDS();
    const Value known = is_pointer(R[A]) ? perform_isinstance(callable, run, count) : kEmpty;
    if (known == kEmpty) [[unlikely]] goto call_missed;
    drop_arguments(run, 2);
    KILL(A);
    SET(C, known);
    NEXT(2);
  }
  L_CALL_LIST_APPEND : {
    CALL_OPERANDS();
    const int done = is_pointer(R[A]) ? perform_list_append<THREADS>(callable, run, count) : 0;
    if (done <= 0) [[unlikely]] {
      if (done < 0) goto error;
      goto call_missed;
    }
    drop_arguments(run, 1);
    KILL(A);
    if (HAS(kFused)) NEXT(3);
    SET(C, value_none());
    NEXT(2);
  }
no_result:
  if (ts->current_exception != nullptr) goto error;
call_missed:
  call_form_missed(pc);
  L_CALL : {
    f->pc = pc;
    callee = R[A];
    nargs = B;
    args = &R[A + 1];
    if (HAS(kMethod)) {
      if (*args != kEmpty) {
        ++nargs;
      } else {
        ++args;
      }
    }
    PyTypeObject* type = is_pointer(callee) ? Py_TYPE(pointer_of(callee)) : nullptr;
    if (type == &PyFunction_Type) [[likely]] {
      R[A] = kEmpty;
      goto call_function;
    }
    // A self register that is filled belongs to a function found by LOAD_METHOD, never to these callables.
    const bool self_given = HAS(kMethod) && args == &R[A + 1];
    if (type == &PyMethod_Type && !self_given) {
      // self goes in front of the arguments, into the callable's own (or the empty self) register.
      auto* method = reinterpret_cast<PyMethodObject*>(pointer_of(callee));
      if (Py_IS_TYPE(method->im_func, &PyFunction_Type)) {
        Value function = copy_value(value_borrowed(method->im_func));
        Value self = copy_value(value_borrowed(method->im_self));
        R[A] = kEmpty;
        *--args = self;
        ++nargs;
        drop(callee);
        callee = function;
        goto call_function;
      }
    } else if (type == &PyType_Type && !self_given) {
      auto* cls = reinterpret_cast<PyTypeObject*>(pointer_of(callee));
      Value init = class_python_init(cls);
      if (init != kEmpty) {
        PyObject* self = PyType_GenericAlloc(cls, 0);
        if (self == nullptr) {
          drop(init);
          goto error;
        }
        Value* regs = args - 1;
        R[A] = kEmpty;
        *regs = value_borrowed(self);
        drop(callee);
        callee = init;
        args = regs;
        ++nargs;
        Frame* next = push_python_call(ts, f, callee, args, nargs, C, 2);
        if (next == nullptr) {
          Py_DECREF(self);
          goto error;
        }
        f = next;
        f->flags |= kFrameInit;
        f->pending = self;
        ENTER_FRAME();
        POLL();
        DISPATCH();
      }
    }
    if (!op_call_object(f, pc, args, nargs)) goto error;
    // Signals that came during a native call raise at the call, not somewhere later.
    POLL_NEXT(2);
  }
call_function: {
  auto* func = reinterpret_cast<PyFunctionObject*>(pointer_of(callee));
  auto* code = reinterpret_cast<PyCodeObject*>(sync::load_acquire(func->func_code));
  CodeExtra* extra = code_extra(code);
  // A generator's registers are not on the thread's stack: there the arguments move.
  const bool moves = f->flags & kFrameGenerator;
  Value* regs = moves ? ts->reg_top : args;
  Value* top = regs + extra->register_count;
  if (extra->simple_arguments && nargs == static_cast<uint32_t>(code->co_argcount) && ts->py_recursion_remaining > 0 &&
      top + 64 <= ts->reg_limit && ts->frame_top + 2 * sizeof(Frame) <= ts->frame_limit) [[likely]] {
    if (moves) [[unlikely]] {
      for (uint32_t i = 0; i < nargs; ++i) {
        regs[i] = args[i];
        args[i] = kEmpty;
      }
      args = regs;
    }
    --ts->py_recursion_remaining;
    auto* next = reinterpret_cast<Frame*>(ts->frame_top);
    ts->frame_top += sizeof(Frame);
    next->prev = f;
    next->pc = pc = code_words(code);
    next->regs = args;
    next->code = code;
    next->function = callee;
    next->locals = nullptr;
    next->object = nullptr;
    next->pending = nullptr;
    next->caller_top = ts->reg_top;
    next->constants = K = extra->constants;
    next->variables = extra->nlocalsplus;
    next->dst = C;
    next->skip = 2;
    next->flags = 0;
    for (uint32_t i = nargs; i < next->variables; ++i) args[i] = kEmpty;
    ts->reg_top = top;
    R = args;
    f = next;
    set_current_frame(ts, f);
    POLL();
    DISPATCH();
  }
  Frame* next = push_python_call(ts, f, callee, args, nargs, C, 2);
  if (next == nullptr) goto error;
  f = next;
  ENTER_FRAME();
  POLL();
  DISPATCH();
}
  L_CALL_KW : {
    f->pc = pc;
    callee = R[A];
    nargs = B;
    args = &R[A + 1];
    if (HAS(kMethod)) {
      if (*args != kEmpty) {
        ++nargs;
      } else {
        ++args;
      }
    }
    if (is_pointer(callee) && Py_IS_TYPE(pointer_of(callee), &PyFunction_Type)) {
      R[A] = kEmpty;
      PyObject* kwnames = pointer_of(K[static_cast<uint32_t>(pc[1])]);
      Frame* next = push_python_call_kw(ts, f, callee, args, nargs, kwnames, C, 3);
      if (next == nullptr) goto error;
      f = next;
      ENTER_FRAME();
      POLL();
      DISPATCH();
    }
    if (!op_call_kw_object(f, pc, args, nargs)) goto error;
    POLL_NEXT(3);
  }
  L_CALL_EX : {
    f->pc = pc;
    if (!op_call_ex(f, pc)) goto error;
    POLL_NEXT(1);
  }

  // --- building
  PLAIN(BUILD_TUPLE, op_build_tuple, 1)
  PLAIN(BUILD_LIST, op_build_list, 1)
  PLAIN(BUILD_SET, op_build_set, 1)
  PLAIN(BUILD_MAP, op_build_map, 1)
  PLAIN(BUILD_STRING, op_build_string, 1)
  L_LIST_APPEND : {
    PyObject* value = take_operand(R, B, HAS(kKillB));
    // The list is still being built: no program has it.
    if (value == nullptr || list_append_locked(reinterpret_cast<PyListObject*>(pointer_of(R[A])), value) < 0) {
      f->pc = pc;
      goto error;
    }
    NEXT(1);
  }
  PLAIN(SET_ADD, op_set_add, 1)
  PLAIN(MAP_ADD, op_map_add, 1)
  PLAIN(LIST_EXTEND, op_list_extend, 1)
  PLAIN(SET_UPDATE, op_set_update, 1)
  PLAIN(DICT_UPDATE, op_dict_update, 1)
  PLAIN(DICT_MERGE, op_dict_merge, 1)
  PLAIN(LIST_TO_TUPLE, op_list_to_tuple, 1)
  PLAIN(FORMAT_SIMPLE, op_format_simple, 1)
  PLAIN(FORMAT_WITH_SPEC, op_format_with_spec, 1)
  PLAIN(CONVERT, op_convert, 1)
  PLAIN(BUILD_INTERPOLATION, op_build_interpolation, 1)
  PLAIN(BUILD_TEMPLATE, op_build_template, 1)
  PLAIN(MAKE_FUNCTION, op_make_function, 2)

  // --- exceptions
  L_RAISE : {
    f->pc = pc;
    if (op_raise(f, pc)) goto unwind;  // a bare raise keeps the traceback that it has
    goto error;
  }
  PLAIN(PUSH_EXC_INFO, op_push_exc_info, 1)
  PLAIN(POP_EXCEPT, op_pop_except, 1)
  L_RERAISE : {
    f->pc = pc;
    op_reraise(f, pc);
    goto unwind;
  }
  PLAIN(CHECK_EXC_MATCH, op_check_exc_match, 1)
  PLAIN(CHECK_EG_MATCH, op_check_eg_match, 1)
  PLAIN(WITH_EXCEPT_START, op_with_except_start, 1)

  // --- returns and generators
  L_RETURN_CONST : {
    result = K[BC];
    if (is_pointer(result)) result = copy_value(result);
    goto return_result;
  }
  L_RETURN : {
    result = R[A];
    if (AMPHIS_EVEN(is_owned(result))) {
      R[A] = kEmpty;
    } else {
      result = to_owned(result);
    }
  }
return_result: {
  if (f->flags & kFrameGenerator) goto return_from_generator;
  // First: what dies with the variables may run code, and nobody may find the frame any more.
  set_current_frame(ts, f->prev);
  if (f->object != nullptr) [[unlikely]] {
    f->pc = pc;
    frame_object_detach(f);
  }
  for (Value *r = R, *end = R + f->variables; r != end; ++r) {
    Value v = *r;
    if (is_owned(v)) {
      *r = kEmpty;
      sync::decref_own(pointer_of(v));
    }
  }
  Frame* done = f;
  f = done->prev;
  ts->frame_top = reinterpret_cast<char*>(done);
  ts->reg_top = done->caller_top;
  ++ts->py_recursion_remaining;
  drop(done->function);
  if (done->flags & (kFrameEntry | kFrameInit)) [[unlikely]] {
    if (done->flags & kFrameEntry) {
      Py_XDECREF(done->locals);
      return value_take_object(result);
    }
    if (!is_none(result)) {
      raise_init_result(result);
      drop(result);
      Py_DECREF(done->pending);
      R = f->regs;
      goto error;
    }
    result = value_owned(done->pending);
  }
  R = f->regs;
  K = f->constants;
  pc = f->pc + done->skip;
  RETURNED_TO_CALLER();
  SET(done->dst, result);
  DISPATCH();
}
return_from_generator: {
  GeneratorObject* gen = generator_of(f);
  Frame* done = f;
  f = done->prev;
  bool entry = done->flags & kFrameEntry;
  generator_finish(ts, gen);
  if (entry) {
    ts->generator_returned = true;
    return value_take_object(result);
  }
  // The caller waits in FOR_ITER or SEND: exhaustion is a jump there.
  R = f->regs;
  K = f->constants;
  pc = f->pc;
  w = *pc;
  GENERATOR_RETURNED(result);
  if (word_op(w) == Op::SEND) {
    SET(A + 1, result);
    KILL(A);
    pc += 1 + BC;
  } else {
    drop(result);
    KILL(A);
    pc += 2 + BC;
  }
  DISPATCH();
}
  L_RETURN_GENERATOR : {
    f->pc = pc;
    PyObject* gen = generator_new(ts, f);
    if (gen == nullptr) goto error;
    result = value_owned(gen);
    goto return_result;
  }
  L_YIELD_VALUE : {
    f->pc = pc;
    result = R[B];
    if (is_owned(result)) {
      R[B] = kEmpty;
    } else {
      result = to_owned(result);
    }
    Frame* done = f;
    f = done->prev;
    bool entry = done->flags & kFrameEntry;
    uint16_t dst = done->dst;
    uint8_t skip = done->skip;
    generator_suspend(ts, generator_of(done));
    if (entry) {
      ts->generator_returned = false;
      return value_take_object(result);
    }
    R = f->regs;
    K = f->constants;
    pc = f->pc + skip;
    ITEM_ARRIVED();
    SET(dst, result);
    DISPATCH();
  }
  PLAIN(INTRINSIC_1, op_intrinsic_1, 1)
  PLAIN(INTRINSIC_2, op_intrinsic_2, 1)
  PLAIN(IMPORT_NAME, op_import_name, 1)
  PLAIN(IMPORT_FROM, op_import_from, 1)
  PLAIN(MATCH_SEQUENCE, op_match_sequence, 1)
  PLAIN(MATCH_MAPPING, op_match_mapping, 1)
  PLAIN(MATCH_CLASS, op_match_class, 1)
  PLAIN(MATCH_KEYS, op_match_keys, 1)
  PLAIN(GET_LEN, op_get_len, 1)

L_invalid:
  f->pc = pc;
  PyErr_Format(PyExc_SystemError, "unknown instruction %d", static_cast<int>(w & 0xff));

error:
  add_traceback(f);
  RAISED();
unwind: {
  RAISED_AGAIN();
  CodeExtra* extra = code_extra(f->code);
  uint32_t at = f->index();
  for (uint32_t i = 0; i < extra->range_count; ++i) {
    const ExceptionRange& range = extra->ranges[i];
    if (at - range.start < range.end - range.start) {
      R = f->regs;
      K = extra->constants;
      for (uint32_t r = range.depth; r < extra->register_count; ++r) KILL(r);
      PyObject* exc = PyErr_GetRaisedException();
      R[range.depth] = value_owned(exc);
      pc = code_words(f->code) + range.target;
      HANDLED();
      POLL_HERE(0);
      DISPATCH();
    }
  }
  // Nobody handles it here: the frame ends.
  UNWINDS();
  if (f->object != nullptr && op_info(word_op(__atomic_load_n(f->pc, __ATOMIC_RELAXED))).general == Op::RERAISE) place_of_raise(f);
  Frame* done = f;
  f = done->prev;
  bool entry = done->flags & kFrameEntry;
  if (done->flags & kFrameGenerator) {
    generator_fail(ts, generator_of(done));
  } else {
    pop_frame(ts, done);
  }
  if (entry) return nullptr;
  goto error;
}
  LOOP_CHANGE();
  LOOP_ENDS()
}

}  // namespace amphis
