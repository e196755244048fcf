// Literals as objects, and the tables that merge them.
#include "compile/constants.h"

#include <string>

namespace amphis::compile {

namespace {

bool looks_like_a_name(PyObject* s) {
  if (!PyUnicode_IS_ASCII(s)) return false;
  const char* text = static_cast<const char*>(PyUnicode_DATA(s));
  for (Py_ssize_t i = 0, n = PyUnicode_GET_LENGTH(s); i < n; ++i) {
    const char c = text[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

Ref<> big_integer(const CompilerContext& context, const ast::Location& at, const ast::ConstantValue& value) {
  std::string digits(value.text);
  Ref<> result = Ref<>::steal(PyLong_FromString(digits.c_str(), nullptr, value.base));
  if (result) return result;
  if (PyErr_ExceptionMatches(PyExc_ValueError)) {
    // The limit on decimal digits: a syntax error at the literal.
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> text = Ref<>::steal(PyObject_Str(error));
    if (!text) throw Failure{};
    syntax_error(context.filename, at,
                 "%U - Consider hexadecimal for huge integer literals to avoid decimal conversion limits.",
                 text.get());
  }
  throw Failure{};
}

}  // namespace

Ref<> constant_object(const CompilerContext& context, const ast::Location& at, const ast::ConstantValue& value) {
  switch (value.kind) {
    case ast::ConstantKind::None:
      return Ref<>::share(Py_None);
    case ast::ConstantKind::True:
      return Ref<>::share(Py_True);
    case ast::ConstantKind::False:
      return Ref<>::share(Py_False);
    case ast::ConstantKind::Ellipsis:
      return Ref<>::share(Py_Ellipsis);
    case ast::ConstantKind::Int:
      if (value.int_fits) return Ref<>::steal(check(PyLong_FromLongLong(value.int_value)));
      return big_integer(context, at, value);
    case ast::ConstantKind::Float:
      return Ref<>::steal(check(PyFloat_FromDouble(value.real)));
    case ast::ConstantKind::Complex:
      return Ref<>::steal(check(PyComplex_FromDoubles(value.real, value.imag)));
    case ast::ConstantKind::Str: {
      PyObject* s = check(
          PyUnicode_DecodeUTF8(value.text.data(), static_cast<Py_ssize_t>(value.text.size()), "surrogatepass"));
      if (looks_like_a_name(s)) PyUnicode_InternInPlace(&s);
      return Ref<>::steal(s);
    }
    case ast::ConstantKind::Bytes:
      return Ref<>::steal(
          check(PyBytes_FromStringAndSize(value.text.data(), static_cast<Py_ssize_t>(value.text.size()))));
    case ast::ConstantKind::Object:
      return Ref<>::share(static_cast<PyObject*>(value.object));
  }
  return Ref<>();
}

PyObject* ConstantPool::merge(PyObject* value) {
  Ref<> key = Ref<>::steal(check(_PyCode_ConstantKey(value)));
  PyObject* found = nullptr;
  check(PyDict_SetDefaultRef(cache_, key, value, &found));
  Py_DECREF(found);  // the pool holds it
  return found;
}

int ConstantTable::add(PyObject* value) {
  PyObject* merged = pool_.merge(value);
  Ref<> key = Ref<>::steal(check(_PyCode_ConstantKey(merged)));
  PyObject* known = nullptr;
  check(PyDict_GetItemRef(index_, key, &known));
  if (known != nullptr) {
    Ref<> holder = Ref<>::steal(known);
    return static_cast<int>(PyLong_AsLong(holder));
  }
  int at = append(merged);
  Ref<> number = Ref<>::steal(check(PyLong_FromLong(at)));
  check(PyDict_SetItem(index_, key, number));
  return at;
}

int ConstantTable::append(PyObject* value) {
  items_.push_back(Ref<>::share(value));
  return static_cast<int>(items_.size() - 1);
}

Ref<> ConstantTable::tuple() const {
  Ref<> result = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(items_.size()))));
  for (size_t i = 0; i < items_.size(); ++i) {
    PyTuple_SET_ITEM(result.get(), static_cast<Py_ssize_t>(i), Py_NewRef(items_[i].get()));
  }
  return result;
}

}  // namespace amphis::compile
