// PyRun_*: source text, files and interactive streams into running code.
#include "compile/compile.h"
#include "interp/frame.h"
#include "interp/frame_variables.h"
#include "lifecycle/runtime_state.h"
#include "marshal.h"
#include "modules/running_config.h"
#include "objects/names.h"
#include "sync/ref.h"

#include <cstring>
#include <string>
#include <unistd.h>

namespace amphis {

namespace {

bool read_all(FILE* fp, std::string* text) {
  char buffer[65536];
  size_t n;
  Py_BEGIN_ALLOW_THREADS
  while ((n = fread(buffer, 1, sizeof buffer, fp)) > 0) text->append(buffer, n);
  Py_END_ALLOW_THREADS
  if (!ferror(fp)) return true;
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

CompileMode mode_of(int start) {
  switch (start) {
    case Py_eval_input: return CompileMode::kEval;
    case Py_single_input: return CompileMode::kSingle;
    case Py_func_type_input: return CompileMode::kFuncType;
    default: return CompileMode::kExec;
  }
}

PyObject* compile_text(std::string_view text, PyObject* filename, int start, PyCompilerFlags* flags, bool is_utf8) {
  CompileOptions options;
  options.mode = mode_of(start);
  options.flags = flags != nullptr ? flags->cf_flags : 0;
  options.source_is_utf8 = is_utf8;
  options.from_file = !is_utf8;
  Ref<> code = Ref<>::steal(compile_source(text, filename, options));
  if (code && flags != nullptr && PyCode_Check(code.get())) {
    flags->cf_flags |= reinterpret_cast<PyCodeObject*>(code.get())->co_flags & PyCF_MASK;
  }
  return code.release();
}

PyObject* run_code(PyObject* code, PyObject* globals, PyObject* locals) {
  int has = PyDict_Contains(globals, names.dunder_builtins);
  if (has < 0 || (has == 0 && PyDict_SetItem(globals, names.dunder_builtins, interpreter_builtins()) < 0)) return nullptr;
  PyObject* result = eval_code(code, globals, locals, nullptr);
  if (result == nullptr && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) unhandled_keyboard_interrupt = true;
  return result;
}

PyObject* run_pyc(FILE* fp, PyObject* globals, PyCompilerFlags* flags) {
  long magic = PyMarshal_ReadLongFromFile(fp);
  if (magic != PyImport_GetMagicNumber()) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "Bad magic number in .pyc file");
    return nullptr;
  }
  for (int i = 0; i < 3; ++i) PyMarshal_ReadLongFromFile(fp);
  if (PyErr_Occurred()) return nullptr;
  Ref<> code = Ref<>::steal(PyMarshal_ReadLastObjectFromFile(fp));
  if (!code) return nullptr;
  if (!PyCode_Check(code.get())) {
    PyErr_SetString(PyExc_RuntimeError, "Bad code object in .pyc file");
    return nullptr;
  }
  PyObject* result = run_code(code, globals, globals);
  if (result != nullptr && flags != nullptr) {
    flags->cf_flags |= reinterpret_cast<PyCodeObject*>(code.get())->co_flags & PyCF_MASK;
  }
  return result;
}

// A regular file that starts with the magic number, or is named .pyc.
bool is_pyc(FILE* fp, const char* name, bool may_close) {
  size_t n = strlen(name);
  if (n > 4 && strcmp(name + n - 4, ".pyc") == 0) return true;
  if (!may_close || ftell(fp) != 0) return false;
  unsigned char head[2];
  bool matches = fread(head, 1, 2, fp) == 2 && (static_cast<unsigned>(head[1]) << 8 | head[0]) == (PyImport_GetMagicNumber() & 0xFFFF);
  rewind(fp);
  return matches;
}

int set_main_loader(PyObject* dict, PyObject* filename, const char* loader_name) {
  Ref<> external = Ref<>::steal(PyImport_ImportModule("_frozen_importlib_external"));
  Ref<> type = external ? Ref<>::steal(PyObject_GetAttrString(external, loader_name)) : Ref<>();
  Ref<> loader = type ? Ref<>::steal(PyObject_CallFunction(type, "sO", "__main__", filename)) : Ref<>();
  return loader ? PyDict_SetItem(dict, names.dunder_loader, loader) : -1;
}

void flush_stream(const char* name) {
  PyObject* error = PyErr_GetRaisedException();
  Ref<> stream = Ref<>::share(PySys_GetObject(name));
  if (stream && stream.get() != Py_None) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(stream, "flush", nullptr));
    if (!done) PyErr_Clear();
  }
  PyErr_SetRaisedException(error);
}

void flush_io() {
  flush_stream("stderr");
  flush_stream("stdout");
}

// 0, or -1 after printing the exception.
int finish(PyObject* result) {
  Ref<> value = Ref<>::steal(result);
  if (value) return 0;
  PyErr_Print();
  return -1;
}

int run_simple_file(FILE* fp, PyObject* filename, bool close, PyCompilerFlags* flags) {
  const Ref<> main = main_module();
  PyObject* dict = main ? PyModule_GetDict(main) : nullptr;
  if (dict == nullptr) return -1;
  Ref<> keep = Ref<>::share(dict);
  int has_file = PyDict_ContainsString(dict, "__file__");
  bool set_file = false;
  const char* name = PyUnicode_AsUTF8(filename);
  std::string bytes_name;
  if (name == nullptr) {
    PyErr_Clear();
    Ref<> bytes = Ref<>::steal(PyUnicode_EncodeFSDefault(filename));
    if (!bytes) return finish(nullptr);
    bytes_name = PyBytes_AS_STRING(bytes.get());
    name = bytes_name.c_str();
  }
  if (has_file == 0) {
    if (PyDict_SetItemString(dict, "__file__", filename) < 0 || PyDict_SetItemString(dict, "__cached__", Py_None) < 0) {
      return finish(nullptr);
    }
    set_file = true;
  }
  Ref<> result;
  if (is_pyc(fp, name, close)) {
    FILE* binary = close ? fopen(name, "rb") : fp;
    if (binary == nullptr) {
      fprintf(stderr, "python: Can't reopen .pyc file\n");
    } else if (set_main_loader(dict, filename, "SourcelessFileLoader") < 0) {
      fprintf(stderr, "python: failed to set __main__.__loader__\n");
    } else {
      result = Ref<>::steal(run_pyc(binary, dict, flags));
    }
    if (binary != nullptr && close) fclose(binary);
  } else {
    if (strcmp(name, "<stdin>") != 0 && set_main_loader(dict, filename, "SourceFileLoader") < 0) {
      fprintf(stderr, "python: failed to set __main__.__loader__\n");
      PyErr_Clear();
    }
    std::string text;
    if (read_all(fp, &text)) {
      if (close) {
        fclose(fp);
        fp = nullptr;
      }
      result = Ref<>::steal(run_source(text.data(), text.size(), filename, Py_file_input, dict, dict, flags, false));
    }
  }
  if (close && fp != nullptr) fclose(fp);
  flush_io();
  int status = finish(result.release());
  if (set_file) {
    if (PyDict_PopString(dict, "__file__", nullptr) < 0) PyErr_Print();
    if (PyDict_PopString(dict, "__cached__", nullptr) < 0) PyErr_Print();
  }
  return status;
}

Ref<> decoded_name(const char* filename) {
  return Ref<>::steal(filename != nullptr ? PyUnicode_DecodeFSDefault(filename) : PyUnicode_FromString("???"));
}

}  // namespace

PyObject* run_source(const char* text, size_t size, PyObject* filename, int mode, PyObject* globals, PyObject* locals,
                     PyCompilerFlags* flags, bool is_utf8) {
  Ref<> code = Ref<>::steal(compile_text({text, size}, filename, mode, flags, is_utf8));
  if (!code || PySys_Audit("exec", "O", code.get()) < 0) return nullptr;
  return run_code(code, globals, locals);
}

Ref<> main_module() { return Ref<>::steal(PyImport_AddModuleRef("__main__")); }

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyRun_StringFlags(const char* text, int start, PyObject* globals, PyObject* locals, PyCompilerFlags* flags) {
  Ref<> name = Ref<>::steal(PyUnicode_FromString("<string>"));
  return name ? run_source(text, strlen(text), name, start, globals, locals, flags, true) : nullptr;
}

PyObject* PyRun_FileExFlags(FILE* fp, const char* filename, int start, PyObject* globals, PyObject* locals, int closeit,
                            PyCompilerFlags* flags) {
  Ref<> name = decoded_name(filename);
  std::string text;
  bool ok = name && read_all(fp, &text);
  if (closeit) fclose(fp);
  PyObject* result = ok ? run_source(text.data(), text.size(), name, start, globals, locals, flags, false) : nullptr;
  flush_io();
  return result;
}

int PyRun_SimpleStringFlags(const char* text, PyCompilerFlags* flags) {
  const Ref<> main = main_module();
  PyObject* dict = main ? PyModule_GetDict(main) : nullptr;
  if (dict == nullptr) return -1;
  Ref<> keep = Ref<>::share(dict);
  return finish(PyRun_StringFlags(text, Py_file_input, dict, dict, flags));
}

int PyRun_SimpleFileExFlags(FILE* fp, const char* filename, int closeit, PyCompilerFlags* flags) {
  Ref<> name = decoded_name(filename);
  return name ? run_simple_file(fp, name, closeit != 0, flags) : -1;
}

int PyRun_AnyFileExFlags(FILE* fp, const char* filename, int closeit, PyCompilerFlags* flags) {
  if (Py_FdIsInteractive(fp, filename)) {
    int status = PyRun_InteractiveLoopFlags(fp, filename != nullptr ? filename : "???", flags);
    if (closeit) fclose(fp);
    return status;
  }
  return PyRun_SimpleFileExFlags(fp, filename, closeit, flags);
}

// Whether to prompt: at a terminal, or asked to with -i where the stream has no name of its own.
int Py_FdIsInteractive(FILE* fp, const char* filename) {
  if (isatty(fileno(fp))) return 1;
  if (!running_config.interactive) return 0;
  return filename == nullptr || strcmp(filename, "<stdin>") == 0 || strcmp(filename, "???") == 0;
}

// --- the same without their later parameters: real functions for old binaries

#undef PyRun_AnyFile
#undef PyRun_AnyFileEx
#undef PyRun_AnyFileFlags
#undef PyRun_File
#undef PyRun_FileEx
#undef PyRun_FileFlags
#undef PyRun_SimpleFile
#undef PyRun_SimpleFileEx
#undef PyRun_SimpleString
#undef PyRun_String
int PyRun_AnyFile(FILE* fp, const char* name) { return PyRun_AnyFileExFlags(fp, name, 0, nullptr); }
int PyRun_AnyFileEx(FILE* fp, const char* name, int closeit) { return PyRun_AnyFileExFlags(fp, name, closeit, nullptr); }
int PyRun_AnyFileFlags(FILE* fp, const char* name, PyCompilerFlags* flags) { return PyRun_AnyFileExFlags(fp, name, 0, flags); }
PyObject* PyRun_File(FILE* fp, const char* name, int start, PyObject* g, PyObject* l) {
  return PyRun_FileExFlags(fp, name, start, g, l, 0, nullptr);
}
PyObject* PyRun_FileEx(FILE* fp, const char* name, int start, PyObject* g, PyObject* l, int closeit) {
  return PyRun_FileExFlags(fp, name, start, g, l, closeit, nullptr);
}
PyObject* PyRun_FileFlags(FILE* fp, const char* name, int start, PyObject* g, PyObject* l, PyCompilerFlags* flags) {
  return PyRun_FileExFlags(fp, name, start, g, l, 0, flags);
}
int PyRun_SimpleFile(FILE* fp, const char* name) { return PyRun_SimpleFileExFlags(fp, name, 0, nullptr); }
int PyRun_SimpleFileEx(FILE* fp, const char* name, int closeit) { return PyRun_SimpleFileExFlags(fp, name, closeit, nullptr); }
int PyRun_SimpleString(const char* text) { return PyRun_SimpleStringFlags(text, nullptr); }
PyObject* PyRun_String(const char* text, int start, PyObject* g, PyObject* l) {
  return PyRun_StringFlags(text, start, g, l, nullptr);
}

}  // extern "C"
