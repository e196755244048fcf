// Compiles a file (or standard input) and prints the listing of its code objects; with -q only says whether it compiled,
// with -x runs it (without the import system; print() writes to standard output by itself),
// with -s takes it as sources separated by null bytes and prints the error of each.
// For reading by eye.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "Python.h"
#include "compile/compile.h"
#include "compile/dump.h"
#include "modules/import_state.h"
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

// A stand-in for the import system: sources from the folders of AMPHIS_TEST_PATH, compiled-in modules.
PyObject* modules = nullptr;

PyObject* load(const std::string& name) {
  if (PyObject* found = PyDict_GetItemString(modules, name.c_str())) return found;
  std::string folders = std::getenv("AMPHIS_TEST_PATH") ? std::getenv("AMPHIS_TEST_PATH") : "";
  std::string path = name;
  for (char& c : path) {
    if (c == '.') c = '/';
  }
  size_t at = 0;
  while (at < folders.size()) {
    size_t end = folders.find(':', at);
    if (end == std::string::npos) end = folders.size();
    const std::string folder = folders.substr(at, end - at) + "/";
    at = end + 1;
    for (const bool package : {true, false}) {
      const std::string file = folder + path + (package ? "/__init__.py" : ".py");
      std::FILE* f = std::fopen(file.c_str(), "rb");
      if (f == nullptr) continue;
      std::string text;
      char buffer[65536];
      size_t n;
      while ((n = std::fread(buffer, 1, sizeof buffer, f)) > 0) text.append(buffer, n);
      std::fclose(f);
      Ref<> filename = Ref<>::steal(PyUnicode_FromString(file.c_str()));
      CompileOptions options;
      options.optimize = 0;
      Ref<> code = Ref<>::steal(compile_source(text, filename, options));
      if (!code) return nullptr;
      Ref<> module = Ref<>::steal(PyModule_New(name.c_str()));
      PyObject* dict = PyModule_GetDict(module);
      PyDict_SetItemString(dict, "__builtins__", PyDict_GetItemString(modules, "builtins"));
      PyDict_SetItemString(dict, "__file__", filename);
      const size_t dot = name.rfind('.');
      Ref<> parent = Ref<>::steal(PyUnicode_FromString(
          package ? name.c_str() : dot == std::string::npos ? "" : name.substr(0, dot).c_str()));
      PyDict_SetItemString(dict, "__package__", parent);
      if (package) {
        Ref<> paths = Ref<>::steal(Py_BuildValue("[s]", folder.c_str()));
        PyDict_SetItemString(dict, "__path__", paths);
      }
      PyDict_SetItemString(modules, name.c_str(), module);
      Ref<> done = Ref<>::steal(PyEval_EvalCode(code, dict, dict));
      if (!done) {
        Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
        PyDict_DelItemString(modules, name.c_str());
        PyErr_SetRaisedException(error.release());
        return nullptr;
      }
      return PyDict_GetItemString(modules, name.c_str());
    }
  }
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name.c_str()));
  if (import_is_builtin(text) == 1) {
    Ref<> made = Ref<>::steal(import_builtin_early(name.c_str()));
    if (made) PyDict_SetItemString(modules, name.c_str(), made);
    return made.get();
  }
  PyErr_Format(PyExc_ModuleNotFoundError, "No module named '%s'", name.c_str());
  return nullptr;
}

PyObject* plain_import(PyObject*, PyObject* args) {
  const char* name;
  PyObject *globals = nullptr, *locals = nullptr, *fromlist = nullptr;
  int level = 0;
  if (!PyArg_ParseTuple(args, "s|OOOi", &name, &globals, &locals, &fromlist, &level)) return nullptr;
  std::string full = name;
  if (level > 0) {
    PyObject* package = PyDict_GetItemString(globals, "__package__");
    std::string base = PyUnicode_AsUTF8(package);
    for (int i = 1; i < level; ++i) base = base.substr(0, base.rfind('.'));
    full = full.empty() ? base : base + "." + full;
  }
  PyObject* top = nullptr;
  PyObject* module = nullptr;
  for (size_t at = 0; at != std::string::npos;) {
    size_t dot = full.find('.', at);
    PyObject* parent = module;
    module = load(full.substr(0, dot));
    if (module == nullptr) return nullptr;
    if (parent != nullptr) {
      PyObject_SetAttrString(parent, full.substr(at, dot == std::string::npos ? dot : dot - at).c_str(), module);
    }
    if (top == nullptr) top = module;
    at = dot == std::string::npos ? dot : dot + 1;
  }
  if (fromlist == nullptr || fromlist == Py_None || PyObject_IsTrue(fromlist) == 0) return Py_NewRef(level ? module : top);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fromlist); ++i) {
    const char* item = PyUnicode_AsUTF8(PyTuple_GET_ITEM(fromlist, i));
    if (std::strcmp(item, "*") == 0 || PyObject_HasAttrString(module, item)) continue;
    PyObject* sub = load(full + "." + item);
    if (sub == nullptr) {
      PyErr_Clear();
    } else {
      PyObject_SetAttrString(module, item, sub);
    }
  }
  return Py_NewRef(module);
}
PyMethodDef import_def = {"__import__", plain_import, METH_VARARGS, nullptr};

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
  Ref<> builtins = Ref<>::share(PyImport_AddModule("builtins"));
  if (!builtins) return 1;
  Ref<> print = Ref<>::steal(PyCFunction_New(&print_def, nullptr));
  PyObject* dict = PyModule_GetDict(builtins);
  PyDict_SetItemString(dict, "print", print);
  if (std::getenv("AMPHIS_TEST_PATH") != nullptr) {
    Ref<> import = Ref<>::steal(PyCFunction_New(&import_def, nullptr));
    PyDict_SetItemString(dict, "__import__", import);
    modules = import_modules();
  }
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

int main(int argc, char** argv) {
  // Without the main part of start-up, which needs the standard library.
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config._install_importlib = 0;
  PyStatus started = Py_InitializeFromConfig(&config);
  if (PyStatus_Exception(started)) {
    std::fprintf(stderr, "%s\n", started.err_msg);
    return 3;
  }
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
