// Operators, subscripts, building of containers and strings: the general forms.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/str_concat.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/set.h"
#include "objects/str.h"
#include "objects/tuple.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// An exact int of 64 bits, in a register or an object.
bool wide_int(Value v, int64_t* out) {
  if (is_int(v)) {
    *out = int_of(v);
    return true;
  }
  return is_pointer(v) && v != kEmpty && PyLong_CheckExact(pointer_of(v)) && int_to_int64(pointer_of(v), out);
}

// False: the result has more than 64 bits, or the number protocol has to raise or to decide.
bool wide_arith(Op op, int64_t x, int64_t y, int64_t* r) {
  switch (op) {
    case Op::ADD:
      return !__builtin_add_overflow(x, y, r);
    case Op::SUB:
      return !__builtin_sub_overflow(x, y, r);
    case Op::MUL:
      return !__builtin_mul_overflow(x, y, r);
    case Op::AND:
      *r = x & y;
      return true;
    case Op::OR:
      *r = x | y;
      return true;
    case Op::XOR:
      *r = x ^ y;
      return true;
    case Op::RSHIFT:
      if (y < 0) return false;
      *r = x >> (y > 63 ? 63 : y);
      return true;
    case Op::FLOORDIV:
    case Op::MOD: {
      if (y == 0 || (y == -1 && x == INT64_MIN)) return false;
      int64_t quotient = x / y, remainder = x % y;
      if (remainder != 0 && (remainder < 0) != (y < 0)) {
        --quotient;
        remainder += y;
      }
      *r = op == Op::MOD ? remainder : quotient;
      return true;
    }
    default:
      return false;
  }
}

// Immediate forms name the operation that they abbreviate.
Op operation_of(Op op, bool* immediate) {
  *immediate = true;
  switch (op) {
    case Op::ADD_IMM: return Op::ADD;
    case Op::SUB_IMM: return Op::SUB;
    case Op::MUL_IMM: return Op::MUL;
    case Op::FLOORDIV_IMM: return Op::FLOORDIV;
    case Op::MOD_IMM: return Op::MOD;
    case Op::LSHIFT_IMM: return Op::LSHIFT;
    case Op::RSHIFT_IMM: return Op::RSHIFT;
    case Op::AND_IMM: return Op::AND;
    case Op::LT_IMM: return Op::LT;
    case Op::LE_IMM: return Op::LE;
    case Op::EQ_IMM: return Op::EQ;
    case Op::NE_IMM: return Op::NE;
    case Op::GT_IMM: return Op::GT;
    case Op::GE_IMM: return Op::GE;
    default:
      *immediate = false;
      return op;
  }
}

using BinaryFunction = PyObject* (*)(PyObject*, PyObject*);
PyObject* power(PyObject* a, PyObject* b) { return PyNumber_Power(a, b, Py_None); }
PyObject* inplace_power(PyObject* a, PyObject* b) { return PyNumber_InPlacePower(a, b, Py_None); }

struct BinaryEntry {
  BinaryFunction plain, inplace;
};
BinaryEntry binary_entry(Op op) {
  switch (op) {
    case Op::ADD: return {PyNumber_Add, PyNumber_InPlaceAdd};
    case Op::SUB: return {PyNumber_Subtract, PyNumber_InPlaceSubtract};
    case Op::MUL: return {PyNumber_Multiply, PyNumber_InPlaceMultiply};
    case Op::MATMUL: return {PyNumber_MatrixMultiply, PyNumber_InPlaceMatrixMultiply};
    case Op::TRUEDIV: return {PyNumber_TrueDivide, PyNumber_InPlaceTrueDivide};
    case Op::FLOORDIV: return {PyNumber_FloorDivide, PyNumber_InPlaceFloorDivide};
    case Op::MOD: return {PyNumber_Remainder, PyNumber_InPlaceRemainder};
    case Op::POW: return {power, inplace_power};
    case Op::LSHIFT: return {PyNumber_Lshift, PyNumber_InPlaceLshift};
    case Op::RSHIFT: return {PyNumber_Rshift, PyNumber_InPlaceRshift};
    case Op::AND: return {PyNumber_And, PyNumber_InPlaceAnd};
    case Op::OR: return {PyNumber_Or, PyNumber_InPlaceOr};
    default: return {PyNumber_Xor, PyNumber_InPlaceXor};
  }
}

// s += t and s = s + t where the register holds the only reference: grow s in place instead of copying it.
bool append_string(const Regs& x, PyObject* right) {
  Value left = x.B();
  x.r[x.b()] = kEmpty;
  PyObject* s = value_take_object(left);
  if (s == nullptr) return false;
  PyUnicode_Append(&s, right);
  x.kill_c();
  return x.set_a(s);
}

}  // namespace

bool store_dict_item(PyDictObject* dict, Value key, Value* R, Word w) {
  const uint32_t reg = word_c(w);
  const Value v = R[reg];
  PyObject* value = value_to_object(v);
  if (value == nullptr) {
    PyErr_Clear();
    return false;
  }
  const bool kill = (word_flags(w) & kKillC) != 0;
  if (dict_replace_int(dict, int_of(key), value)) {
    if (kill) {
      R[reg] = kEmpty;
      drop(v);
    }
    return true;
  }
  // The general way finds the number boxed already.
  if (kill) {
    R[reg] = value_owned(value);
    drop(v);
  } else {
    Py_DECREF(value);
  }
  return false;
}

bool op_binary(Frame* f, const Word* pc) {
  Regs x(f, pc);
  bool immediate;
  const Op op = operation_of(word_op(x.w), &immediate);
  Value b = x.B();
  Value c = immediate ? value_int(static_cast<int16_t>(x.c())) : x.C();
  int64_t left_int, right_int, result_int;
  if (wide_int(b, &left_int) && wide_int(c, &right_int) && wide_arith(op, left_int, right_int, &result_int)) {
    Value v;
    if (fits_int(result_int)) {
      v = value_int(result_int);
    } else {
      PyObject* boxed = int_from_int64(result_int);
      if (boxed == nullptr) return false;
      v = value_owned(boxed);
    }
    x.kill_b();
    if (!immediate) x.kill_c();
    x.set(x.a(), v);
    return true;
  }
  Operand left(b);
  Operand right(c);
  if (left.get() == nullptr || right.get() == nullptr) return false;
  if (op == Op::ADD && x.a() == x.b() && is_owned(b) && PyUnicode_CheckExact(left.get()) &&
      PyUnicode_CheckExact(right.get()) && (immediate || x.b() != x.c())) {
    return append_string(x, right);
  }
  BinaryEntry entry = binary_entry(op);
  PyObject* result = (x.flag(kInPlace) ? entry.inplace : entry.plain)(left, right);
  if (result == nullptr) return false;
  x.kill_b();
  if (!immediate) x.kill_c();
  x.set(x.a(), unboxed_result(result));
  return true;
}

bool op_unary(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* result;
  switch (word_op(x.w)) {
    case Op::NEG:
      result = PyNumber_Negative(o);
      break;
    case Op::POS:
      result = PyNumber_Positive(o);
      break;
    default:
      result = PyNumber_Invert(o);
  }
  if (result == nullptr) return false;
  x.kill_b();
  x.set(x.a(), value_owned(result));
  return true;
}

bool op_compare(Frame* f, const Word* pc) {
  Regs x(f, pc);
  bool immediate;
  const Op op = operation_of(word_op(x.w), &immediate);
  Operand left(x.B());
  Operand right(immediate ? value_int(static_cast<int16_t>(x.c())) : x.C());
  if (left.get() == nullptr || right.get() == nullptr) return false;
  int how;
  switch (op) {
    case Op::LT: how = Py_LT; break;
    case Op::LE: how = Py_LE; break;
    case Op::EQ: how = Py_EQ; break;
    case Op::NE: how = Py_NE; break;
    case Op::GT: how = Py_GT; break;
    default: how = Py_GE; break;
  }
  PyObject* result = PyObject_RichCompare(left, right, how);
  if (result == nullptr) return false;
  x.kill_b();
  if (!immediate) x.kill_c();
  x.set(x.a(), value_owned(result));
  return true;
}

int op_contains(Frame* f, const Word* pc) {
  Regs x(f, pc);
  if (is_pointer(x.C()) && (Py_IS_TYPE(pointer_of(x.C()), &PySet_Type) || Py_IS_TYPE(pointer_of(x.C()), &PyFrozenSet_Type))) {
    const Value number = unboxed(x.B());
    if (is_int(number)) {
      const int found = set_has_int(reinterpret_cast<PySetObject*>(pointer_of(x.C())), int_of(number));
      if (found >= 0) {
        x.kill_b();
        x.kill_c();
        return found;
      }
    }
  }
  Operand item(x.B());
  Operand container(x.C());
  if (item.get() == nullptr || container.get() == nullptr) return -1;
  int found = PySequence_Contains(container, item);
  if (found < 0) return -1;
  x.kill_b();
  x.kill_c();
  return found;
}

bool op_load_subscr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  Operand key(x.C());
  if (o.get() == nullptr || key.get() == nullptr) return false;
  PyObject* result = PyObject_GetItem(o, key);
  if (result == nullptr) return false;
  x.kill_b();
  x.kill_c();
  x.set(x.a(), value_owned(result));
  return true;
}

bool op_store_subscr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.A());
  Operand key(x.B());
  Operand value(x.C());
  if (o.get() == nullptr || key.get() == nullptr || value.get() == nullptr) return false;
  if (PyObject_SetItem(o, key, value) < 0) return false;
  x.kill_c();
  x.kill_b();
  x.kill_a();
  return true;
}

bool op_delete_subscr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.A());
  Operand key(x.B());
  if (o.get() == nullptr || key.get() == nullptr) return false;
  if (PyObject_DelItem(o, key) < 0) return false;
  x.kill_b();
  x.kill_a();
  return true;
}

namespace {

// A bound of a slice that is an int or None. False: anything else, or an int that no register holds.
bool plain_bound(Value v, Py_ssize_t absent, Py_ssize_t* out) {
  v = unboxed(v);
  if (is_int(v)) {
    *out = int_of(v);
    return true;
  }
  *out = absent;
  return is_none(v);
}

// The bounds in a *_SLICE's run.
struct Bounds {
  Py_ssize_t start, stop, step;
};

// False: they have to go through a slice object.
bool plain_bounds(const Value* run, bool with_step, Bounds* out) {
  out->step = 1;
  if (with_step && (!plain_bound(run[2], 1, &out->step) || out->step == 0)) return false;
  const bool down = out->step < 0;
  return plain_bound(run[0], down ? PY_SSIZE_T_MAX : 0, &out->start) &&
         plain_bound(run[1], down ? PY_SSIZE_T_MIN : PY_SSIZE_T_MAX, &out->stop);
}

Ref<> slice_object(const Value* run, bool with_step) {
  Operand start(run[0]), stop(run[1]), step(with_step ? run[2] : value_none());
  if (start.get() == nullptr || stop.get() == nullptr || step.get() == nullptr) return nullptr;
  return Ref<>::steal(PySlice_New(start, stop, step));
}

void clear_bounds(const Regs& x, uint32_t run) {
  x.clear(run);
  x.clear(run + 1);
  if (x.flag(kSliceStep)) x.clear(run + 2);
}

}  // namespace

bool op_load_slice(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const Value* run = &x.r[x.c()];
  PyObject* result = nullptr;
  Bounds b;
  if (is_pointer(x.B()) && plain_bounds(run, x.flag(kSliceStep), &b)) {
    PyObject* o = pointer_of(x.B());
    PyTypeObject* type = Py_TYPE(o);
    if (type == &PyList_Type) {
      result = list_slice(reinterpret_cast<PyListObject*>(o), b.start, b.stop, b.step);
      if (result == nullptr) return false;
    } else if (b.step == 1 && (type == &PyTuple_Type || type == &PyUnicode_Type)) {
      const Py_ssize_t n = type == &PyTuple_Type ? PyTuple_GET_SIZE(o) : PyUnicode_GET_LENGTH(o);
      PySlice_AdjustIndices(n, &b.start, &b.stop, 1);
      if (b.stop < b.start) b.stop = b.start;
      result = type == &PyTuple_Type ? PyTuple_GetSlice(o, b.start, b.stop) : str_slice(o, b.start, b.stop);
      if (result == nullptr) return false;
    }
  }
  if (result == nullptr) {
    Operand o(x.B());
    if (o.get() == nullptr) return false;
    Ref<> slice = slice_object(run, x.flag(kSliceStep));
    if (!slice) return false;
    result = PyObject_GetItem(o, slice);
    if (result == nullptr) return false;
  }
  clear_bounds(x, x.c());
  x.kill_b();
  return x.set_a(result);
}

bool op_store_slice(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const Value* run = &x.r[x.b()];
  Operand o(x.A());
  Operand value(x.C());
  if (o.get() == nullptr || value.get() == nullptr) return false;
  Bounds b;
  if (PyList_CheckExact(o.get()) && plain_bounds(run, x.flag(kSliceStep), &b)) {
    if (list_assign_slice(reinterpret_cast<PyListObject*>(o.get()), b.start, b.stop, b.step, value,
                          x.flag(kKillC) && is_owned(x.C())) < 0)
      return false;
  } else {
    Ref<> slice = slice_object(run, x.flag(kSliceStep));
    if (!slice || PyObject_SetItem(o, slice, value) < 0) return false;
  }
  clear_bounds(x, x.b());
  x.kill_c();
  x.kill_a();
  return true;
}

bool op_build_slice(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Ref<> start = Ref<>::steal(x.take(x.b()));
  Ref<> stop = Ref<>::steal(x.take(x.b() + 1));
  Ref<> step;
  if (x.c() == 3) step = Ref<>::steal(x.take(x.b() + 2));
  if (!start || !stop || (x.c() == 3 && !step)) return false;
  return x.set_a(PySlice_New(start, stop, step));
}

bool op_build_tuple(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const uint32_t n = x.c();
  if (n == 0) return x.set_a(empty_tuple());
  PyTupleObject* tuple = tuple_alloc(static_cast<Py_ssize_t>(n));
  if (tuple == nullptr) return false;
  for (uint32_t i = 0; i < n; ++i) {
    PyObject* item = x.take(x.b() + i);
    if (item == nullptr) {
      for (uint32_t rest = i; rest < n; ++rest) tuple->ob_item[rest] = nullptr;
      Py_DECREF(tuple);
      return false;
    }
    tuple->ob_item[i] = item;
  }
  PyObject_GC_Track(tuple);
  return x.set_a(reinterpret_cast<PyObject*>(tuple));
}

bool op_build_list(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const uint32_t n = x.c();
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(n));
  if (list == nullptr) return false;
  for (uint32_t i = 0; i < n; ++i) {
    PyObject* item = x.take(x.b() + i);
    if (item == nullptr) {
      Py_DECREF(list);
      return false;
    }
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
  }
  return x.set_a(list);
}

bool op_build_set(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Ref<> set = Ref<>::steal(PySet_New(nullptr));
  if (!set) return false;
  for (uint32_t i = 0; i < x.c(); ++i) {
    Ref<> item = Ref<>::steal(x.take(x.b() + i));
    if (!item || PySet_Add(set, item) < 0) return false;
  }
  return x.set_a(set.release());
}

bool op_build_map(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const uint32_t n = x.c();
  Ref<> dict = Ref<>::steal(n > 5 ? dict_new_presized(static_cast<Py_ssize_t>(n)) : PyDict_New());
  if (!dict) return false;
  for (uint32_t i = 0; i < n; ++i) {
    Ref<> key = Ref<>::steal(x.take(x.b() + 2 * i));
    Ref<> value = Ref<>::steal(x.take(x.b() + 2 * i + 1));
    if (!key || !value || PyDict_SetItem(dict, key, value) < 0) return false;
  }
  return x.set_a(dict.release());
}

bool op_build_string(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const uint32_t n = x.c();
  // Each piece is a str already (FORMAT_*, constants): join without an intermediate list.
  constexpr uint32_t kSmall = 24;
  if (n <= kSmall) {
    PyObject* pieces[kSmall];
    pieces[0] = nullptr;
    uint32_t taken = 0;
    while (taken < n && (pieces[taken] = x.take(x.b() + taken)) != nullptr) ++taken;
    PyObject* text = taken == n ? str_join_array(nullptr, pieces, static_cast<Py_ssize_t>(n)) : nullptr;
    while (taken > 0) Py_DECREF(pieces[--taken]);
    return x.set_a(text);
  }
  Ref<> pieces = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(n)));
  if (!pieces) return false;
  for (uint32_t i = 0; i < n; ++i) {
    PyObject* item = x.take(x.b() + i);
    if (item == nullptr) return false;
    PyTuple_SET_ITEM(pieces.get(), static_cast<Py_ssize_t>(i), item);
  }
  Ref<> empty = Ref<>::steal(PyUnicode_FromStringAndSize(nullptr, 0));
  if (!empty) return false;
  return x.set_a(PyUnicode_Join(empty, pieces));
}

bool op_set_add(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand value(x.B());
  PyObject* set = pointer_of(x.A());
  if (value.get() == nullptr) return false;
  if (!PySet_Check(set)) {
    // Only a program that rebinds __conditional_annotations__ gets here.
    PyErr_Format(PyExc_TypeError, "'%T' object is not a set", set);
    return false;
  }
  if (PySet_Add(set, value) < 0) return false;
  x.kill_b();
  return true;
}

bool op_map_add(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand key(x.B());
  Operand value(x.C());
  if (key.get() == nullptr || value.get() == nullptr) return false;
  if (PyDict_SetItem(pointer_of(x.A()), key, value) < 0) return false;
  x.kill_b();
  x.kill_c();
  return true;
}

bool op_list_extend(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand iterable(x.B());
  if (iterable.get() == nullptr) return false;
  if (PyList_Extend(pointer_of(x.A()), iterable) < 0) {
    // Something that is not iterable at all gets the text of the construct it stands in.
    PyObject* o = iterable;
    if (PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(o)->tp_iter == nullptr && !PySequence_Check(o)) {
      PyErr_Clear();
      PyErr_Format(PyExc_TypeError, "Value after * must be an iterable, not %.200s", Py_TYPE(o)->tp_name);
    }
    return false;
  }
  x.kill_b();
  return true;
}

bool op_set_update(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand iterable(x.B());
  if (iterable.get() == nullptr) return false;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return false;
  for (;;) {
    PyObject* item;
    int more = PyIter_NextItem(iterator, &item);
    if (more < 0) return false;
    if (more == 0) break;
    int status = PySet_Add(pointer_of(x.A()), item);
    Py_DECREF(item);
    if (status < 0) return false;
  }
  x.kill_b();
  return true;
}

bool op_dict_update(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand mapping(x.B());
  if (mapping.get() == nullptr) return false;
  if (PyDict_Update(pointer_of(x.A()), mapping) < 0) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
      PyErr_Format(PyExc_TypeError, "'%.200s' object is not a mapping", Py_TYPE(mapping.get())->tp_name);
    }
    return false;
  }
  x.kill_b();
  return true;
}

bool op_list_to_tuple(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* tuple = PyList_AsTuple(pointer_of(x.B()));
  if (tuple == nullptr) return false;
  x.kill_b();
  return x.set_a(tuple);
}

bool op_format_simple(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* text;
  if (PyUnicode_CheckExact(o.get())) {
    text = Py_NewRef(o.get());
  } else {
    text = PyObject_Format(o, nullptr);
    if (text == nullptr) return false;
  }
  x.kill_b();
  return x.set_a(text);
}

bool op_format_with_spec(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  Operand spec(x.C());
  if (o.get() == nullptr || spec.get() == nullptr) return false;
  PyObject* text = PyObject_Format(o, spec);
  if (text == nullptr) return false;
  x.kill_b();
  x.kill_c();
  return x.set_a(text);
}

bool op_convert(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* text = x.c() == 1 ? PyObject_Str(o) : x.c() == 2 ? PyObject_Repr(o) : PyObject_ASCII(o);
  if (text == nullptr) return false;
  x.kill_b();
  return x.set_a(text);
}

bool op_get_len(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  Py_ssize_t n = PyObject_Size(o);
  if (n < 0) return false;
  x.set(x.a(), value_int(n));
  return true;
}

}  // namespace amphis
