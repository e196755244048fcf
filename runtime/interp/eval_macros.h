// The vocabulary of the evaluation loop (eval.cpp, which alone includes this): operands, dispatch, and the handlers that
// instructions have in common. Names of the loop's variables are free in it: `pc`, `w` (the instruction word), `f`, `R`, `K`,
// `ts`, and the label `error`.
#pragma once

#include "interp/arithmetic.h"
#include "interp/call_forms.h"
#include "interp/load.h"
#include "interp/ops.h"

#define A word_a(w)
#define B word_b(w)
#define C word_c(w)
#define BC word_bc(w)
#define HAS(flag) word_has(w, flag)
#define UNBOX HAS(kUnbox)
#ifdef AMPHIS_MONITORED_LOOP
#include "interp/monitored_macros.h"
#else
#include AMPHIS_SYNC(loops)
#include "interp/unmonitored_macros.h"
#endif
#define NEXT(n) \
  do {          \
    pc += (n);  \
    DISPATCH(); \
  } while (0)
#define SET(reg, value)                                    \
  do {                                                     \
    Value* slot_ = &R[reg];                                \
    Value old_ = *slot_;                                   \
    *slot_ = (value);                                      \
    drop(old_);                                            \
  } while (0)
#define KILL(reg)            \
  do {                       \
    Value* slot_ = &R[reg];  \
    Value old_ = *slot_;     \
    *slot_ = kEmpty;         \
    drop(old_);              \
  } while (0)
// Dropping a value may run code, and with it the collector, which finds objects that are not counted in registers only: so
// new values are in their registers before anything is dropped.
#define SET_PAIR(reg, first, second)   \
  do {                                 \
    Value* slots_ = &R[reg];           \
    Value olds_[2] = {slots_[0], slots_[1]}; \
    slots_[0] = (first);               \
    slots_[1] = (second);              \
    drop(olds_[0]);                    \
    drop(olds_[1]);                    \
  } while (0)
// R[A] = what was found in the object in R[B], which may be the same register.
#define REPLACE_B(value)            \
  do {                              \
    if (HAS(kKillB)) [[unlikely]] { \
      const Value from_ = R[B];     \
      R[B] = kEmpty;                \
      SET(A, value);                \
      drop(from_);                  \
    } else {                        \
      SET(A, value);                \
    }                               \
  } while (0)
// Loads the loop's registers from frame f.
#define ENTER_FRAME()                  \
  do {                                 \
    R = f->regs;                       \
    pc = f->pc;                        \
    K = f->constants;                  \
  } while (0)
#define ARITH(NAME, kind)                                                     \
  L_##NAME : {                                                                \
    Value b = R[B], c = R[C], r;                                              \
    if (both_int(b, c)) [[likely]] {                                          \
      if (int_arith<Arith::kind>(b, c, &r)) [[likely]] {                      \
        SET(A, r);                                                            \
        NEXT(2);                                                              \
      }                                                                       \
    } else if (is_double(b) && is_double(c)) [[likely]] {                     \
      if (double_arith<Arith::kind>(double_of(b), double_of(c), &r)) {        \
        SET(A, r);                                                            \
        NEXT(2);                                                              \
      }                                                                       \
    } else if (mixed_arith<Arith::kind>(b, c, &r)) {                          \
      if (HAS(kKillB)) KILL(B);                                            \
      if (HAS(kKillC)) KILL(C);                                            \
      SET(A, r);                                                              \
      NEXT(2);                                                                \
    }                                                                         \
    f->pc = pc;                                                               \
    if (!op_binary(f, pc)) goto error;                                        \
    NEXT(2);                                                                  \
  }
#define ARITH_IMM(NAME, kind)                                                 \
  L_##NAME : {                                                                \
    Value b = R[B], r;                                                        \
    int64_t imm = static_cast<int16_t>(C);                                    \
    if (is_int(b)) [[likely]] {                                               \
      if (int_arith<Arith::kind>(b, value_int(imm), &r)) [[likely]] {         \
        SET(A, r);                                                            \
        NEXT(2);                                                              \
      }                                                                       \
    } else if (mixed_arith<Arith::kind>(b, value_int(imm), &r)) {             \
      if (HAS(kKillB)) KILL(B);                                            \
      SET(A, r);                                                              \
      NEXT(2);                                                                \
    }                                                                         \
    f->pc = pc;                                                               \
    if (!op_binary(f, pc)) goto error;                                        \
    NEXT(2);                                                                  \
  }
// After a comparison with a known result: take the fused jump, or write the bool.
#define FINISH_COMPARE(result, skip)                                             \
  do {                                                                           \
    bool result_ = (result);                                                     \
    if (HAS(kFused)) {                                                        \
      Word jump_ = pc[skip];                                                     \
      pc += (skip) + 1;                                                          \
      if (result_ == (word_op(jump_) == Op::JUMP_IF_TRUE)) pc += word_bc(jump_); \
      DISPATCH();                                                                \
    }                                                                            \
    SET(A, value_bool(result_));                                                 \
    NEXT(skip);                                                                  \
  } while (0)
#define COMPARE(NAME, kind)                                                      \
  L_##NAME : {                                                                   \
    Value b = R[B], c = R[C];                                                    \
    if (both_int(b, c)) [[likely]]                                               \
      FINISH_COMPARE((compare_numbers<Compare::kind>(int_of(b), int_of(c))), 2); \
    int r = mixed_compare<Compare::kind>(b, c);                                  \
    if (r >= 0) {                                                                \
      if (HAS(kKillB)) KILL(B);                                               \
      if (HAS(kKillC)) KILL(C);                                               \
      FINISH_COMPARE(r != 0, 2);                                                 \
    }                                                                            \
    f->pc = pc;                                                                  \
    if (!op_compare(f, pc)) goto error;                                          \
    NEXT(2);                                                                     \
  }
#define COMPARE_IMM(NAME, kind)                                                  \
  L_##NAME : {                                                                   \
    Value b = R[B];                                                              \
    int64_t imm = static_cast<int16_t>(C);                                       \
    if (is_int(b)) [[likely]]                                                    \
      FINISH_COMPARE((compare_numbers<Compare::kind>(int_of(b), imm)), 2);       \
    int r = mixed_compare<Compare::kind>(b, value_int(imm));                     \
    if (r >= 0) {                                                                \
      if (HAS(kKillB)) KILL(B);                                               \
      FINISH_COMPARE(r != 0, 2);                                                 \
    }                                                                            \
    f->pc = pc;                                                                  \
    if (!op_compare(f, pc)) goto error;                                          \
    NEXT(2);                                                                     \
  }
// Instructions whose whole work is an op_ function.
#define PLAIN(NAME, function, skip)      \
  L_##NAME : {                           \
    f->pc = pc;                          \
    if (!function(f, pc)) goto error;    \
    NEXT(skip);                          \
  }
#define CONDITIONAL(NAME, jump_when)                             \
  L_##NAME : {                                                   \
    Value v = R[A];                                              \
    int truth = quick_truth(v);                                  \
    if (truth < 0) [[unlikely]] {                                \
      f->pc = pc;                                                \
      truth = PyObject_IsTrue(pointer_of(v));                    \
      if (truth < 0) goto error;                                 \
      if (HAS(kKillA)) KILL(A);                               \
    }                                                            \
    ++pc;                                                        \
    if (truth == (jump_when)) pc += BC;                          \
    DISPATCH();                                                  \
  }

// The operands of a call for the forms of the instruction.
#define CALL_OPERANDS()                             \
  PyObject* const callable = pointer_of(R[A]);      \
  uint32_t count = B;                               \
  Value* run = &R[A + 1];                           \
  if (HAS(kMethod)) {                            \
    if (*run != kEmpty) {                           \
      ++count;                                      \
    } else {                                        \
      ++run;                                        \
    }                                               \
  }                                                 \
  f->pc = pc
// After a call by C: the callable goes last, as what it holds may be what was called. Signals that came meanwhile raise at the
// call, not somewhere later.
#define FINISH_CALL(object, skip)                                          \
  do {                                                                     \
    PyObject* object_ = (object);                                          \
    KILL(A);                                                               \
    if (AMPHIS_EVEN(HAS(kFused))) {                                     \
      Py_DECREF(object_);                                                  \
      POLL_NEXT((skip) + 1);                                               \
    }                                                                      \
    SET(C, UNBOX ? unboxed_result(object_) : value_owned(object_));        \
    POLL_NEXT(skip);                                                       \
  } while (0)
#define CALL_FORM(NAME, perform)                                                            \
  L_##NAME : {                                                                              \
    CALL_OPERANDS();                                                                        \
    PyObject* object = is_pointer(R[A]) ? (perform)(ts, callable, run, count) : nullptr;    \
    if (object == nullptr) [[unlikely]] goto no_result;                                     \
    FINISH_CALL(object, 2);                                                                 \
  }
#define CALL_KW_FORM(NAME, perform)                                                                    \
  L_##NAME : {                                                                                         \
    CALL_OPERANDS();                                                                                   \
    PyObject* const names = pointer_of(K[static_cast<uint32_t>(pc[1])]);                               \
    PyObject* object = is_pointer(R[A]) ? (perform)(ts, callable, run, count, names) : nullptr;        \
    if (object == nullptr) [[unlikely]] {                                                              \
      if (ts->current_exception != nullptr) goto error;                                                \
      call_form_missed(pc);                                                                            \
      goto L_CALL_KW;                                                                                  \
    }                                                                                                  \
    FINISH_CALL(object, 3);                                                                            \
  }
