// Identifiers as str, mangling, and the compiler's errors and warnings.
#include "compile/names.h"

#include <cstdarg>
#include <string>

#include "sync/recursion.h"

namespace amphis::compile {

Names::~Names() {
  arena_.for_each_identifier([](Identifier id) {
    if (id->cookie != nullptr) {
      Py_DECREF(static_cast<PyObject*>(id->cookie));
      id->cookie = nullptr;
    }
  });
}

PyObject* Names::str(Identifier name) {
  if (name->cookie == nullptr) {
    PyObject* s =
        check(PyUnicode_DecodeUTF8(name->data, static_cast<Py_ssize_t>(name->size), "surrogatepass"));
    PyUnicode_InternInPlace(&s);
    name->cookie = s;
  }
  return static_cast<PyObject*>(name->cookie);
}

Identifier Names::mangle(Identifier class_name, Identifier name) {
  if (class_name == nullptr) return name;
  std::string_view text = name->view();
  if (!text.starts_with("__") || text.ends_with("__") || text.find('.') != std::string_view::npos) return name;
  std::string_view owner = class_name->view();
  size_t skip = owner.find_first_not_of('_');
  if (skip == std::string_view::npos) return name;
  std::string mangled = "_";
  mangled += owner.substr(skip);
  mangled += text;
  return arena_.intern(mangled);
}

void raise_syntax_error(PyObject* filename, const ast::Location& at, PyObject* message) {
  Ref<> text = Ref<>::steal(PyErr_ProgramTextObject(filename, at.lineno));
  if (!text) {
    PyErr_Clear();
    text = Ref<>::share(Py_None);
  }
  Ref<> args = Ref<>::steal(Py_BuildValue("O(OiiOii)", message, filename, at.lineno, at.col_offset + 1, text.get(),
                                          at.end_lineno, at.end_col_offset + 1));
  if (args) PyErr_SetObject(PyExc_SyntaxError, args);
  throw Failure{};
}

void syntax_error(PyObject* filename, const ast::Location& at, const char* format, ...) {
  va_list values;
  va_start(values, format);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, values));
  va_end(values);
  if (!message) throw Failure{};
  raise_syntax_error(filename, at, message);
}

void syntax_warning(PyObject* filename, PyObject* module, const ast::Location& at, const char* format, ...) {
  va_list values;
  va_start(values, format);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, values));
  va_end(values);
  if (!message) throw Failure{};
  if (PyErr_WarnExplicitObject(PyExc_SyntaxWarning, message, filename, at.lineno, module, nullptr) == 0) return;
  if (PyErr_ExceptionMatches(PyExc_SyntaxWarning)) {
    // The place matters more than the warning's own traceback.
    PyErr_Clear();
    raise_syntax_error(filename, at, message);
  }
  throw Failure{};
}

void check_stack() {
  ThreadState* ts = current_thread();
  if (stack_nearly_full(ts)) {
    PyErr_SetString(PyExc_RecursionError, "maximum recursion depth exceeded during compilation");
    throw Failure{};
  }
}

}  // namespace amphis::compile
