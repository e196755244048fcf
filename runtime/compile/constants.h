// Constants: the objects that literals stand for, folding of constant expressions, and a code object's constant table.
#pragma once

#include <vector>

#include "compile/names.h"
#include "compile/symtable.h"

namespace amphis::compile {

// The object of a literal (new reference). Throws Failure with SyntaxError or MemoryError.
Ref<> constant_object(const CompilerContext& context, const ast::Location& at, const ast::ConstantValue& value);

// The value of `e` if it is a constant expression, as CPython folds them; null otherwise, without an exception.
Ref<> fold(const CompilerContext& context, ast::expr* e);

// One binary or unary operation on constants within CPython's size limits; null if it is left to run time.
Ref<> fold_binary(PyObject* left, ast::operator_ op, PyObject* right);
Ref<> fold_unary(ast::unaryop op, PyObject* operand);

// Merges equal constants of equal type (and sign of zero) across a whole compilation.
class ConstantPool {
 public:
  ConstantPool() : cache_(Ref<>::steal(check(PyDict_New()))) {}
  // The pool's object equal to `value`; borrowed, alive as long as the pool.
  PyObject* merge(PyObject* value);

 private:
  Ref<> cache_;
};

// A code object's co_consts in the making.
class ConstantTable {
 public:
  explicit ConstantTable(ConstantPool& pool) : pool_(pool), index_(Ref<>::steal(check(PyDict_New()))) {}
  int add(PyObject* value);
  // A constant that is never merged (code objects).
  int append(PyObject* value);
  Ref<> tuple() const;
  bool empty() const { return items_.empty(); }
  PyObject* operator[](int i) const { return items_[static_cast<size_t>(i)].get(); }

 private:
  ConstantPool& pool_;
  Ref<> index_;
  std::vector<Ref<>> items_;
};

}  // namespace amphis::compile
