// The C API of compilation: Py_CompileString and its kin.
#include <cstring>

#include "compile/compile.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

bool mode_of(int start, CompileMode* mode) {
  switch (start) {
    case Py_file_input:
      *mode = CompileMode::kExec;
      return true;
    case Py_eval_input:
      *mode = CompileMode::kEval;
      return true;
    case Py_single_input:
      *mode = CompileMode::kSingle;
      return true;
    case Py_func_type_input:
      *mode = CompileMode::kFuncType;
      return true;
    default:
      PyErr_SetString(PyExc_SystemError, "error return without exception set");
      return false;
  }
}

}  // namespace

extern "C" {

PyObject* Py_CompileStringObject(const char* text, PyObject* filename, int start, PyCompilerFlags* flags,
                                 int optimize) {
  CompileOptions options;
  if (!mode_of(start, &options.mode)) return nullptr;
  options.flags = flags != nullptr ? flags->cf_flags : 0;
  options.source_is_utf8 = (options.flags & PyCF_SOURCE_IS_UTF8) != 0 && (options.flags & PyCF_IGNORE_COOKIE) != 0;
  options.optimize = optimize;
  if ((options.flags & PyCF_ONLY_AST) != 0) {
    return parse_to_ast_object({text, std::strlen(text)}, filename, options);
  }
  return compile_source({text, std::strlen(text)}, filename, options);
}

PyObject* Py_CompileStringExFlags(const char* text, const char* filename, int start, PyCompilerFlags* flags,
                                  int optimize) {
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  if (!name) return nullptr;
  return Py_CompileStringObject(text, name, start, flags, optimize);
}

#undef Py_CompileString
PyObject* Py_CompileString(const char* text, const char* filename, int start) {
  return Py_CompileStringExFlags(text, filename, start, nullptr, -1);
}

#undef Py_CompileStringFlags
PyObject* Py_CompileStringFlags(const char* text, const char* filename, int start, PyCompilerFlags* flags) {
  return Py_CompileStringExFlags(text, filename, start, flags, -1);
}

}  // extern "C"
