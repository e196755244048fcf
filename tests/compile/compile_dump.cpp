// Compiles a file (or standard input) and prints the listing of its code objects; with -q only says whether it compiled,
// with -x runs it (without the import system; print() writes to standard output by itself),
// with -s takes it as sources separated by null bytes and prints the error of each.
// For reading by eye; starts only as much of the runtime as the compiler needs.
#include <cstdio>
#include <cstring>
#include <string>

#include "Python.h"
#include "compile/compile.h"
#include "compile/dump.h"
#include "interp/frame.h"
#include "modules/builtins.h"
#include "modules/import_state.h"
#include "objects/exceptions_init.h"
#include "objects/hash.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

PyObject* plain_print(PyObject*, PyObject* const* args, Py_ssize_t n) {
  for (Py_ssize_t i = 0; i < n; ++i) {
    Ref<> text = Ref<>::steal(PyObject_Str(args[i]));
    if (!text) return nullptr;
    std::printf("%s%s", i ? " " : "", PyUnicode_AsUTF8(text));
  }
  std::printf("\n");
  Py_RETURN_NONE;
}
PyMethodDef print_def = {"print", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(plain_print)), METH_FASTCALL,
                         nullptr};

void show_error(const char* where) {
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> message = Ref<>::steal(error ? PyObject_Repr(error) : nullptr);
  const char* s = message ? PyUnicode_AsUTF8(message) : "?";
  std::printf("%s: %s\n", where, s != nullptr ? s : "?");
  Ref<> trace = Ref<>::steal(error ? PyException_GetTraceback(error) : nullptr);
  while (trace && trace.get() != Py_None) {
    auto* tb = reinterpret_cast<PyTracebackObject*>(trace.get());
    std::printf("  line %d, lasti %d\n", PyCode_Addr2Line(PyFrame_GetCode(tb->tb_frame), tb->tb_lasti), tb->tb_lasti);
    trace = Ref<>::share(tb->tb_next);
  }
}

void show_errors(const std::string& text) {
  size_t at = 0;
  for (int number = 0; at < text.size(); ++number) {
    size_t end = text.find('\0', at);
    if (end == std::string::npos) end = text.size();
    Ref<> name = Ref<>::steal(PyUnicode_FromString("<s>"));
    CompileOptions options;
    options.optimize = 0;
    options.source_is_utf8 = true;
    Ref<> code = Ref<>::steal(compile_source(std::string_view(text).substr(at, end - at), name, options));
    if (code) {
      std::printf("%d ok\n", number);
    } else {
      Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
      std::printf("%d %s", number, Py_TYPE(error.get())->tp_name);
      for (const char* part : {"msg", "lineno", "offset", "end_lineno", "end_offset"}) {
        Ref<> value = Ref<>::steal(PyObject_GetAttrString(error, part));
        Ref<> repr = Ref<>::steal(value ? PyObject_Repr(value) : nullptr);
        PyErr_Clear();
        std::printf(" %s", repr ? PyUnicode_AsUTF8(repr) : "?");
      }
      std::printf("\n");
    }
    at = end + 1;
  }
}

int run(PyObject* code) {
  Ref<> builtins = Ref<>::steal(builtins_create());
  if (!builtins) return 1;
  Ref<> print = Ref<>::steal(PyCFunction_New(&print_def, nullptr));
  PyObject* dict = PyModule_GetDict(builtins);
  PyDict_SetItemString(dict, "print", print);
  Ref<> globals = Ref<>::steal(PyDict_New());
  for (const char* module : {"_ast", "_symtable", "_tokenize", "_opcode", "marshal"}) {
    Ref<> made = Ref<>::steal(import_builtin_early(module));
    if (!made) return 1;
    PyDict_SetItemString(globals, module, made);
  }
  Ref<> name = Ref<>::steal(PyUnicode_FromString("__main__"));
  PyDict_SetItemString(globals, "__builtins__", dict);
  PyDict_SetItemString(globals, "__name__", name);
  Ref<> result = Ref<>::steal(PyEval_EvalCode(code, globals, globals));
  std::fflush(stdout);
  return result ? 0 : 1;
}

}  // namespace

// Parts of the runtime that are not started here.
extern "C" __attribute__((weak)) int PyErr_CheckSignals() { return 0; }
extern "C" __attribute__((weak)) PyObject* PyOS_FSPath(PyObject* path) { return Py_NewRef(path); }

int main(int argc, char** argv) {
  interp_init();
  start_main_thread();
  init_hash_secret(0);
  if (init_names() < 0 || init_static_types() < 0 || init_exceptions() < 0 || import_init() < 0) return 3;
  bool quiet = false, execute = false, sources = false;
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "-q") == 0) {
      quiet = true;
      continue;
    }
    if (std::strcmp(argv[i], "-x") == 0) {
      execute = true;
      continue;
    }
    if (std::strcmp(argv[i], "-s") == 0) {
      sources = true;
      continue;
    }
    std::FILE* f = std::strcmp(argv[i], "-") == 0 ? stdin : std::fopen(argv[i], "rb");
    if (f == nullptr) return 2;
    std::string text;
    char buffer[65536];
    size_t n;
    while ((n = std::fread(buffer, 1, sizeof buffer, f)) > 0) text.append(buffer, n);
    if (f != stdin) std::fclose(f);
    if (sources) {
      show_errors(text);
      continue;
    }
    Ref<> name = Ref<>::steal(PyUnicode_FromString(argv[i]));
    CompileOptions options;
    options.optimize = 0;
    Ref<> code = Ref<>::steal(compile_source(text, name, options));
    if (!code) {
      show_error(argv[i]);
      status = 1;
      continue;
    }
    if (execute) {
      if (run(code) != 0) {
        show_error(argv[i]);
        status = 1;
      }
      continue;
    }
    if (!quiet) std::fputs(dump_code(reinterpret_cast<PyCodeObject*>(code.get())).c_str(), stdout);
  }
  return status;
}
