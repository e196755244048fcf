// Names of one compilation: the interned str behind each identifier, private-name mangling, and how the compiler
// reports that it gives up.
//
// The compiler leaves by a C++ exception (Failure, thrown with a Python exception set) that never crosses
// compile_source and the other entries of this folder.
#pragma once

#include <string_view>

#include "Python.h"
#include "source/arena.h"
#include "sync/ref.h"
#include "syntax/ast.h"

namespace amphis::compile {

struct Failure {};

// Turns "null means an exception is set" into a throw.
template <class T>
inline T* check(T* p) {
  if (p == nullptr) throw Failure{};
  return p;
}
inline void check(int status) {
  if (status < 0) throw Failure{};
}

class Names {
 public:
  explicit Names(Arena& arena) : arena_(arena) {}
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  Identifier intern(std::string_view text) { return arena_.intern(text); }
  // The interned str, borrowed from the identifier.
  PyObject* str(Identifier name);
  // `name` as it is called inside a class called `class_name` (null outside classes).
  Identifier mangle(Identifier class_name, Identifier name);
  Arena& arena() { return arena_; }

 private:
  Arena& arena_;
};

// SyntaxError with CPython's attributes; columns of `at` count from 0 in bytes. Never returns.
[[noreturn]] void raise_syntax_error(PyObject* filename, const ast::Location& at, PyObject* message);
[[noreturn]] void syntax_error(PyObject* filename, const ast::Location& at, const char* format, ...);
// SyntaxWarning; throws when filters made it an error.
void syntax_warning(PyObject* filename, PyObject* module, const ast::Location& at, const char* format, ...);

// Guards recursion over the tree: throws RecursionError when the native stack is nearly full.
void check_stack();

}  // namespace amphis::compile
