// The two halves of compile_source, for those who have or want a tree: `_ast`, `symtable`.
#pragma once

#include <string_view>

#include "Python.h"
#include "compile/compile.h"
#include "source/arena.h"
#include "syntax/ast.h"
#include "syntax/syntax_error.h"

namespace amphis {

// Parses, issues the warnings. False with an exception set.
bool parse_source(std::string_view source, PyObject* filename, const CompileOptions& options, Arena& arena,
                  ast::mod** tree);

// Compiles a tree that lives in `arena`. New reference; null with an exception.
PyObject* compile_tree(ast::mod* tree, Arena& arena, PyObject* filename, const CompileOptions& options);

// Sets the exception for what the parser found. Always null.
PyObject* raise_parse_error(const SyntaxErrorInfo& error, PyObject* filename);

}  // namespace amphis
