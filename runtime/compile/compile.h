// Source text or AST to code object: the front end's one entry for the rest of the runtime.
#pragma once

#include <string_view>

#include "Python.h"

namespace amphis {

// Whether code objects say in which columns an instruction was written (-X no_debug_ranges). Set once, at start-up.
inline bool record_columns = true;

enum class CompileMode { kExec, kEval, kSingle, kFuncType };

struct CompileOptions {
  CompileMode mode = CompileMode::kExec;
  int flags = 0;           // CO_FUTURE_* and PyCF_* bits, as PyCompilerFlags has them
  int optimize = -1;       // -1: the interpreter's own level
  bool source_is_utf8 = false;  // the text came from a str: no encoding cookie, no decoding
  bool from_file = false;       // the text was read from the file that the filename names
  PyObject* module_name = nullptr;  // borrowed; for SyntaxWarning filters, may be null
};

// New reference to a code object; null with SyntaxError (or another exception) set. `filename` is a str (borrowed).
PyObject* compile_source(std::string_view source, PyObject* filename, const CompileOptions& options);

// AST objects (modules/ast.cpp). 1 if `o` is an _ast node, 0, or -1 with an exception.
int ast_check(PyObject* o);
// Compiles an AST object (or, with PyCF_ONLY_AST, validates and returns it). New reference.
PyObject* compile_ast_object(PyObject* ast, PyObject* filename, const CompileOptions& options);
// Parses to AST objects (PyCF_ONLY_AST). New reference.
PyObject* parse_to_ast_object(std::string_view source, PyObject* filename, const CompileOptions& options);

}  // namespace amphis
