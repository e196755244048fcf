// The instructions that need more than a few machine instructions, one function each. An op_ function reads its
// operands from the word at `pc` and the registers of `f`, writes the result, and drops what the kill flags name.
// It returns false with an exception set. f->pc is stored by the caller. None becomes a part of the loop, whose hot paths
// need the registers.
#pragma once

#include "Python.h"
#include "interp/frame.h"
#include "interp/opcode.h"
#include "interp/value.h"

namespace amphis {

#define AMPHIS_DECLARE_OP(name) AMPHIS_NOINLINE bool op_##name(Frame* f, const Word* pc);
AMPHIS_DECLARE_OP(load_global)
AMPHIS_DECLARE_OP(store_global)
AMPHIS_DECLARE_OP(delete_global)
AMPHIS_DECLARE_OP(load_name)
AMPHIS_DECLARE_OP(store_name)
AMPHIS_DECLARE_OP(delete_name)
AMPHIS_DECLARE_OP(make_cell)
AMPHIS_DECLARE_OP(store_deref)
AMPHIS_DECLARE_OP(delete_deref)
AMPHIS_DECLARE_OP(load_locals)
AMPHIS_DECLARE_OP(load_from_dict_or_deref)
AMPHIS_DECLARE_OP(load_from_dict_or_globals)
AMPHIS_DECLARE_OP(load_build_class)
AMPHIS_DECLARE_OP(load_common_constant)
AMPHIS_DECLARE_OP(setup_annotations)
AMPHIS_DECLARE_OP(load_attr)
AMPHIS_DECLARE_OP(load_method)
AMPHIS_DECLARE_OP(store_attr)
AMPHIS_DECLARE_OP(delete_attr)
AMPHIS_DECLARE_OP(load_super_attr)
AMPHIS_DECLARE_OP(load_special)
AMPHIS_DECLARE_OP(load_subscr)
AMPHIS_DECLARE_OP(store_subscr)
AMPHIS_DECLARE_OP(delete_subscr)
AMPHIS_DECLARE_OP(build_slice)
AMPHIS_DECLARE_OP(load_slice)
AMPHIS_DECLARE_OP(store_slice)
AMPHIS_DECLARE_OP(binary)
AMPHIS_DECLARE_OP(unary)
AMPHIS_DECLARE_OP(compare)
AMPHIS_DECLARE_OP(get_iter)
AMPHIS_DECLARE_OP(unpack_sequence)
AMPHIS_DECLARE_OP(unpack_ex)
AMPHIS_DECLARE_OP(get_yield_from_iter)
AMPHIS_DECLARE_OP(get_aiter)
AMPHIS_DECLARE_OP(get_anext)
AMPHIS_DECLARE_OP(get_awaitable)
AMPHIS_DECLARE_OP(cleanup_throw)
AMPHIS_DECLARE_OP(end_async_for)
AMPHIS_DECLARE_OP(call_ex)
AMPHIS_DECLARE_OP(build_tuple)
AMPHIS_DECLARE_OP(build_list)
AMPHIS_DECLARE_OP(build_set)
AMPHIS_DECLARE_OP(build_map)
AMPHIS_DECLARE_OP(build_string)
AMPHIS_DECLARE_OP(set_add)
AMPHIS_DECLARE_OP(map_add)
AMPHIS_DECLARE_OP(list_extend)
AMPHIS_DECLARE_OP(set_update)
AMPHIS_DECLARE_OP(dict_update)
AMPHIS_DECLARE_OP(dict_merge)
AMPHIS_DECLARE_OP(list_to_tuple)
AMPHIS_DECLARE_OP(format_simple)
AMPHIS_DECLARE_OP(format_with_spec)
AMPHIS_DECLARE_OP(convert)
AMPHIS_DECLARE_OP(build_interpolation)
AMPHIS_DECLARE_OP(build_template)
AMPHIS_DECLARE_OP(make_function)
AMPHIS_DECLARE_OP(push_exc_info)
AMPHIS_DECLARE_OP(pop_except)
AMPHIS_DECLARE_OP(check_exc_match)
AMPHIS_DECLARE_OP(check_eg_match)
AMPHIS_DECLARE_OP(with_except_start)
AMPHIS_DECLARE_OP(intrinsic_1)
AMPHIS_DECLARE_OP(intrinsic_2)
AMPHIS_DECLARE_OP(import_name)
AMPHIS_DECLARE_OP(import_from)
AMPHIS_DECLARE_OP(match_sequence)
AMPHIS_DECLARE_OP(match_mapping)
AMPHIS_DECLARE_OP(match_class)
AMPHIS_DECLARE_OP(match_keys)
AMPHIS_DECLARE_OP(get_len)
#undef AMPHIS_DECLARE_OP

// 1, 0 or -1; the negation is the caller's.
AMPHIS_NOINLINE int op_contains(Frame* f, const Word* pc);
// 1: yielded (next instruction), 0: returned (jump), -1 error.
AMPHIS_NOINLINE int op_send(Frame* f, const Word* pc);
// Always leaves an exception set. True: a bare raise of the handled exception, whose traceback is kept.
AMPHIS_NOINLINE bool op_raise(Frame* f, const Word* pc);
AMPHIS_NOINLINE void op_reraise(Frame* f, const Word* pc);

// Calls of anything that is no Python function; args are consumed.
AMPHIS_NOINLINE bool op_call_object(Frame* f, const Word* pc, Value* args, uint32_t nargs);
AMPHIS_NOINLINE bool op_call_kw_object(Frame* f, const Word* pc, Value* args, uint32_t nargs);

// Pushes the frame of a Python-to-Python call. Takes `callee` (dropped on failure); arguments are consumed, or left
// in their registers when the call fails before binding. Null with an exception.
AMPHIS_NOINLINE Frame* push_python_call(ThreadState* ts, Frame* f, Value callee, Value* args, uint32_t nargs, uint16_t dst,
                                        uint8_t skip);
AMPHIS_NOINLINE Frame* push_python_call_kw(ThreadState* ts, Frame* f, Value callee, Value* args, uint32_t nargs,
                                           PyObject* kwnames, uint16_t dst, uint8_t skip);

AMPHIS_NOINLINE void raise_unbound(Frame* f, uint32_t reg);
AMPHIS_NOINLINE void raise_init_result(Value result);
// Adds the frame to the traceback of the exception that is set.
AMPHIS_NOINLINE void add_traceback(Frame* f);
// A frame that ends by re-raising from code without a line stands, for whoever looks at it later, where the exception was raised in it.
AMPHIS_NOINLINE void place_of_raise(Frame* f);

// Writes another form of the same instruction over its opcode; operands and flags stay.
inline void rewrite_op(Word* word, Op op) {
  __atomic_store_n(reinterpret_cast<uint8_t*>(word), static_cast<uint8_t>(op), __ATOMIC_RELEASE);
}

// An operand as PyObject*: borrowed from the register, or boxed for the lifetime of this handle.
class Operand {
  PyObject* o_;
  bool owned_;

 public:
  explicit Operand(Value v) : o_(is_pointer(v) ? pointer_of(v) : box_slow(v)), owned_(!is_pointer(v)) {}
  ~Operand() {
    if (owned_) Py_XDECREF(o_);
  }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;
  PyObject* get() const { return o_; }
  operator PyObject*() const { return o_; }
};

// Register access for op_ functions.
struct Regs {
  Word w;
  Value* r;
  Regs(Frame* f, const Word* pc) : w(__atomic_load_n(pc, __ATOMIC_RELAXED)), r(f->regs) {}
  uint32_t a() const { return word_a(w); }
  uint32_t b() const { return word_b(w); }
  uint32_t c() const { return word_c(w); }
  int32_t bc() const { return word_bc(w); }
  Value A() const { return r[a()]; }
  Value B() const { return r[b()]; }
  Value C() const { return r[c()]; }
  bool flag(uint8_t bit) const { return (word_flags(w) & bit) != 0; }
  AMPHIS_ALWAYS_INLINE void clear(uint32_t reg) const {
    Value v = r[reg];
    r[reg] = kEmpty;
    drop(v);
  }
  AMPHIS_ALWAYS_INLINE void kill_a() const {
    if (flag(kKillA)) clear(a());
  }
  AMPHIS_ALWAYS_INLINE void kill_b() const {
    if (flag(kKillB)) clear(b());
  }
  AMPHIS_ALWAYS_INLINE void kill_c() const {
    if (flag(kKillC)) clear(c());
  }
  AMPHIS_ALWAYS_INLINE void set(uint32_t reg, Value v) const {
    Value old = r[reg];
    r[reg] = v;
    drop(old);
  }
  // New values are in their registers before anything is dropped: that may run code, and with it the collector, which knows
  // uncounted objects by their registers.
  AMPHIS_ALWAYS_INLINE void set_pair(uint32_t reg, Value first, Value second) const {
    const Value olds[2] = {r[reg], r[reg + 1]};
    r[reg] = first;
    r[reg + 1] = second;
    drop(olds[0]);
    drop(olds[1]);
  }
  // R[A] = what was found in R[B].
  AMPHIS_ALWAYS_INLINE void replace_b(Value v) const {
    Value from = kEmpty;
    if (flag(kKillB)) {
      from = B();
      r[b()] = kEmpty;
    }
    set(a(), v);
    drop(from);
  }
  // Takes over a new reference; false if it is null.
  AMPHIS_ALWAYS_INLINE bool set_object(uint32_t reg, PyObject* o) const {
    if (o == nullptr) return false;
    set(reg, value_owned(o));
    return true;
  }
  bool set_a(PyObject* o) const { return set_object(a(), o); }
  // The register's value as a new reference; the register is empty afterwards.
  AMPHIS_ALWAYS_INLINE PyObject* take(uint32_t reg) const {
    Value v = r[reg];
    r[reg] = kEmpty;
    return value_take_object(v);
  }
};

}  // namespace amphis
