// Source text or AST to code object: the front end's one entry for the rest of the runtime.
#pragma once

#include <string_view>

#include "Python.h"

namespace amphis {

enum class CompileMode { kExec, kEval, kSingle, kFuncType };

struct CompileOptions {
  CompileMode mode = CompileMode::kExec;
  int flags = 0;           // CO_FUTURE_* and PyCF_* bits, as PyCompilerFlags has them
  int optimize = -1;       // -1: the interpreter's own level
  bool source_is_utf8 = false;  // the text came from a str: no encoding cookie, no decoding
  PyObject* module_name = nullptr;  // borrowed; for SyntaxWarning filters, may be null
};

// New reference to a code object; null with SyntaxError (or another exception) set. `filename` is a str (borrowed).
PyObject* compile_source(std::string_view source, PyObject* filename, const CompileOptions& options);

}  // namespace amphis
