// Constant folding: the same expressions that CPython folds, within the same limits on the size of results.
#include "compile/constants.h"

namespace amphis::compile {

namespace {

constexpr size_t kMaxIntBits = 128;
constexpr Py_ssize_t kMaxCollection = 256;
constexpr Py_ssize_t kMaxString = 4096;
constexpr Py_ssize_t kMaxTotalItems = 1024;

// Swallows the exception: an operation that fails is left to run time.
Ref<> quietly(PyObject* result) {
  if (result == nullptr) PyErr_Clear();
  return Ref<>::steal(result);
}

Py_ssize_t bits(PyObject* n) {
  Ref<> count = Ref<>::steal(PyObject_CallMethod(n, "bit_length", nullptr));
  if (!count) {
    PyErr_Clear();
    return PY_SSIZE_T_MAX;
  }
  return PyLong_AsSsize_t(count);
}

bool is_zero(PyObject* n) { return PyObject_IsTrue(n) == 0; }

// Items of nested tuples, or -1 beyond the limit.
Py_ssize_t count_items(PyObject* o, Py_ssize_t limit) {
  if (PyTuple_CheckExact(o)) {
    limit -= PyTuple_GET_SIZE(o);
    for (Py_ssize_t i = 0; limit >= 0 && i < PyTuple_GET_SIZE(o); ++i) {
      limit = count_items(PyTuple_GET_ITEM(o, i), limit);
    }
  }
  return limit;
}

Ref<> safe_multiply(PyObject* v, PyObject* w) {
  if (PyLong_Check(v) && PyLong_Check(w) && !is_zero(v) && !is_zero(w)) {
    if (bits(v) + bits(w) > static_cast<Py_ssize_t>(kMaxIntBits)) return nullptr;
  } else if (PyLong_Check(v) && PyTuple_CheckExact(w)) {
    return safe_multiply(w, v);
  } else if (PyTuple_CheckExact(v) && PyLong_Check(w)) {
    Py_ssize_t size = PyTuple_GET_SIZE(v);
    if (size != 0) {
      long n = PyLong_AsLong(w);
      if (n == -1 && PyErr_Occurred()) PyErr_Clear();
      if (n < 0 || n > kMaxCollection / size) return nullptr;
      if (n != 0 && count_items(v, kMaxTotalItems / n) < 0) return nullptr;
    }
  } else if (PyLong_Check(v) && (PyUnicode_Check(w) || PyBytes_Check(w))) {
    return safe_multiply(w, v);
  } else if ((PyUnicode_Check(v) || PyBytes_Check(v)) && PyLong_Check(w)) {
    Py_ssize_t size = PyObject_Size(v);
    if (size != 0) {
      long n = PyLong_AsLong(w);
      if (n == -1 && PyErr_Occurred()) PyErr_Clear();
      if (n < 0 || n > kMaxString / size) return nullptr;
    }
  }
  return quietly(PyNumber_Multiply(v, w));
}

Ref<> safe_power(PyObject* v, PyObject* w) {
  if (PyLong_Check(v) && PyLong_Check(w) && !is_zero(v)) {
    long n = PyLong_AsLong(w);
    if (n == -1 && PyErr_Occurred()) PyErr_Clear();
    if (n > 0) {
      Py_ssize_t size = bits(v);
      if (size > static_cast<Py_ssize_t>(kMaxIntBits) / n) return nullptr;
    } else if (n < 0 && PyErr_Occurred()) {
      return nullptr;
    }
    if (n == -1 && bits(w) > 1) return nullptr;
  }
  return quietly(PyNumber_Power(v, w, Py_None));
}

Ref<> safe_shift(PyObject* v, PyObject* w) {
  if (PyLong_Check(v) && PyLong_Check(w) && !is_zero(v) && !is_zero(w)) {
    long n = PyLong_AsLong(w);
    if (n == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      return nullptr;
    }
    if (n < 0 || n > static_cast<long>(kMaxIntBits) || bits(v) > static_cast<Py_ssize_t>(kMaxIntBits) - n) {
      return nullptr;
    }
  }
  return quietly(PyNumber_Lshift(v, w));
}

bool foldable_operand(PyObject* o) {
  return PyLong_Check(o) || PyFloat_CheckExact(o) || PyComplex_CheckExact(o) || PyUnicode_CheckExact(o) ||
         PyBytes_CheckExact(o) || PyTuple_CheckExact(o);
}

}  // namespace

Ref<> fold_binary(PyObject* left, ast::operator_ op, PyObject* right) {
  if (!foldable_operand(left) || !foldable_operand(right)) return nullptr;
  switch (op) {
    case ast::operator_::Add:
      return quietly(PyNumber_Add(left, right));
    case ast::operator_::Sub:
      return quietly(PyNumber_Subtract(left, right));
    case ast::operator_::Mult:
      return safe_multiply(left, right);
    case ast::operator_::MatMult:
      return nullptr;
    case ast::operator_::Div:
      return quietly(PyNumber_TrueDivide(left, right));
    case ast::operator_::Mod:
      // Formatting is left to run time.
      if (PyUnicode_Check(left) || PyBytes_Check(left)) return nullptr;
      return quietly(PyNumber_Remainder(left, right));
    case ast::operator_::Pow:
      return safe_power(left, right);
    case ast::operator_::LShift:
      return safe_shift(left, right);
    case ast::operator_::RShift:
      return quietly(PyNumber_Rshift(left, right));
    case ast::operator_::BitOr:
      return quietly(PyNumber_Or(left, right));
    case ast::operator_::BitXor:
      return quietly(PyNumber_Xor(left, right));
    case ast::operator_::BitAnd:
      return quietly(PyNumber_And(left, right));
    case ast::operator_::FloorDiv:
      return quietly(PyNumber_FloorDivide(left, right));
  }
  return nullptr;
}

Ref<> fold_unary(ast::unaryop op, PyObject* operand) {
  switch (op) {
    case ast::unaryop::Invert:
      if (PyBool_Check(operand)) return nullptr;  // deprecated: the warning belongs to run time
      return foldable_operand(operand) ? quietly(PyNumber_Invert(operand)) : nullptr;
    case ast::unaryop::Not: {
      int truth = PyObject_IsTrue(operand);
      if (truth < 0) {
        PyErr_Clear();
        return nullptr;
      }
      return Ref<>::share(truth ? Py_False : Py_True);
    }
    case ast::unaryop::UAdd:
      return foldable_operand(operand) ? quietly(PyNumber_Positive(operand)) : nullptr;
    case ast::unaryop::USub:
      return foldable_operand(operand) ? quietly(PyNumber_Negative(operand)) : nullptr;
  }
  return nullptr;
}

Ref<> fold(const CompilerContext& context, ast::expr* e) {
  switch (e->kind) {
    case ast::expr_kind::Constant:
      return constant_object(context, e->location(), e->as<ast::Constant>()->value);
    case ast::expr_kind::Name:
      if (e->as<ast::Name>()->ctx == ast::expr_context::Load && e->as<ast::Name>()->id->view() == "__debug__") {
        return Ref<>::share(context.optimize == 0 ? Py_True : Py_False);
      }
      return nullptr;
    case ast::expr_kind::UnaryOp: {
      check_stack();
      Ref<> operand = fold(context, e->as<ast::UnaryOp>()->operand);
      return operand ? fold_unary(e->as<ast::UnaryOp>()->op, operand) : nullptr;
    }
    case ast::expr_kind::BinOp: {
      // The leftmost leaf decides quickly for chains of names.
      std::vector<ast::BinOp*> chain;
      ast::expr* leaf = e;
      while (leaf->is<ast::BinOp>()) {
        chain.push_back(leaf->as<ast::BinOp>());
        leaf = chain.back()->left;
      }
      check_stack();
      Ref<> value = fold(context, leaf);
      for (size_t i = chain.size(); value && i-- > 0;) {
        Ref<> right = fold(context, chain[i]->right);
        if (!right) return nullptr;
        value = fold_binary(value, chain[i]->op, right);
      }
      return value;
    }
    case ast::expr_kind::Tuple: {
      auto* t = e->as<ast::Tuple>();
      if (t->ctx != ast::expr_context::Load) return nullptr;
      check_stack();
      std::vector<Ref<>> items;
      for (ast::expr* item : t->elts) {
        Ref<> value = fold(context, item);
        if (!value) return nullptr;
        items.push_back(std::move(value));
      }
      Ref<> result = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(items.size()))));
      for (size_t i = 0; i < items.size(); ++i) {
        PyTuple_SET_ITEM(result.get(), static_cast<Py_ssize_t>(i), items[i].release());
      }
      return result;
    }
    case ast::expr_kind::Subscript: {
      auto* s = e->as<ast::Subscript>();
      if (s->ctx != ast::expr_context::Load) return nullptr;
      check_stack();
      Ref<> value = fold(context, s->value);
      if (!value || (!PyUnicode_CheckExact(value.get()) && !PyBytes_CheckExact(value.get()) &&
                     !PyTuple_CheckExact(value.get()))) {
        return nullptr;
      }
      Ref<> index = fold(context, s->slice);
      if (!index) return nullptr;
      return quietly(PyObject_GetItem(value, index));
    }
    default:
      return nullptr;
  }
}

}  // namespace amphis::compile
