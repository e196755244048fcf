// What the executable does between start and stop: finds the program that the command line names and runs it.
#include "lifecycle/config.h"
#include "lifecycle/runtime_state.h"
#include "interp/frame.h"
#include "modules/running_config.h"
#include "objects/names.h"
#include "sync/ref.h"

#include <climits>
#include <csignal>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace amphis {

namespace {

// Prints the exception; the exit status that it means. SystemExit ends the process inside PyErr_Print.
int report() {
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) unhandled_keyboard_interrupt = true;
  PyErr_Print();
  return 1;
}

std::string folder_of_script(const wchar_t* script) {
  std::string path = encode_bytes(script);
  // The link itself is followed once, so that a link to a script in a package finds its neighbours.
  char target[PATH_MAX + 1];
  ssize_t n = readlink(path.c_str(), target, PATH_MAX);
  if (n > 0) {
    target[n] = '\0';
    if (target[0] == '/') {
      path = target;
    } else {
      size_t slash = path.rfind('/');
      path = (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + target;
    }
  }
  char* full = realpath(path.c_str(), nullptr);
  if (full != nullptr) path = full;
  free(full);
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : slash == 0 ? "/" : path.substr(0, slash);
}

// What goes to the front of sys.path: new reference; None: nothing.
PyObject* first_path() {
  const PyConfig& c = running_config;
  if (c.run_command != nullptr) return PyUnicode_FromString("");
  if (c.run_module != nullptr) {
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof cwd) == nullptr) Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(cwd);
  }
  if (c.run_filename != nullptr) return PyUnicode_DecodeFSDefault(folder_of_script(c.run_filename).c_str());
  return PyUnicode_FromString("");
}

int prepend_path(PyObject* entry) {
  PyObject* path = PySys_GetObject("path");
  if (path == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "unable to get sys.path");
    return -1;
  }
  return PyList_Insert(path, 0, entry);
}

// Whether the program is a folder or an archive with a __main__ in it: new reference to its path, None if not.
PyObject* importable_program() {
  const wchar_t* name = running_config.run_filename;
  if (name == nullptr) Py_RETURN_NONE;
  Ref<> path = Ref<>::steal(PyUnicode_FromWideChar(name, -1));
  if (!path) return nullptr;
  Ref<> importer = Ref<>::steal(PyImport_GetImporter(path));
  if (!importer) return nullptr;
  return importer.get() == Py_None ? Py_NewRef(Py_None) : path.release();
}

int run_module(PyObject* name, bool alter_argv) {
  if (PySys_Audit("cpython.run_module", "O", name) < 0) return report();
  Ref<> function = Ref<>::steal(PyImport_ImportModuleAttrString("runpy", "_run_module_as_main"));
  if (!function) {
    fprintf(stderr, "Could not import runpy._run_module_as_main\n");
    return report();
  }
  PyObject* args[2] = {name, alter_argv ? Py_True : Py_False};
  Ref<> result = Ref<>::steal(PyObject_Vectorcall(function, args, 2, nullptr));
  return result ? 0 : report();
}

int run_command(const wchar_t* command, PyCompilerFlags* flags) {
  Ref<> text = Ref<>::steal(PyUnicode_FromWideChar(command, -1));
  if (!text) return report();
  if (PySys_Audit("cpython.run_command", "O", text.get()) < 0) return report();
  // A command that was indented to fit its shell script runs as if it were not.
  std::string source;
  {
    Py_ssize_t size;
    const char* utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == nullptr) {
      fprintf(stderr, "Unable to decode the command from the command line:\n");
      return report();
    }
    source.assign(utf8, static_cast<size_t>(size));
  }
  auto indent_of = [&](size_t start) {
    size_t end = start;
    while (end < source.size() && (source[end] == ' ' || source[end] == '\t')) ++end;
    return end == source.size() || source[end] == '\n' ? std::string::npos : end - start;
  };
  size_t common = std::string::npos;
  std::string prefix;
  for (size_t start = 0; start < source.size();) {
    size_t indent = indent_of(start);
    if (indent != std::string::npos) {
      if (common == std::string::npos) {
        common = indent;
        prefix = source.substr(start, indent);
      } else {
        size_t same = 0;
        while (same < common && same < indent && source[start + same] == prefix[same]) ++same;
        common = same;
      }
    }
    size_t newline = source.find('\n', start);
    start = newline == std::string::npos ? source.size() : newline + 1;
  }
  if (common != std::string::npos && common > 0) {
    std::string flat;
    for (size_t start = 0; start < source.size();) {
      size_t newline = source.find('\n', start);
      size_t end = newline == std::string::npos ? source.size() : newline + 1;
      if (indent_of(start) != std::string::npos) {
        flat.append(source, start + common, end - start - common);
      } else {
        flat += '\n';
      }
      start = end;
    }
    source = flat;
  }
  const Ref<> main = main_module();
  PyObject* dict = main ? PyModule_GetDict(main) : nullptr;
  Ref<> name = Ref<>::steal(PyUnicode_FromString("<string>"));
  if (dict == nullptr || !name) return report();
  // The text came from the command line's encoding: a cookie in it means nothing.
  PyCompilerFlags compile_flags = {flags->cf_flags | PyCF_IGNORE_COOKIE | PyCF_SOURCE_IS_UTF8, flags->cf_feature_version};
  Ref<> code = Ref<>::steal(Py_CompileStringObject(source.c_str(), name, Py_file_input, &compile_flags, -1));
  if (!code || PySys_Audit("exec", "O", code.get()) < 0) return report();
  if (Ref<> linecache = Ref<>::steal(PyImport_ImportModule("linecache"))) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(linecache, "_register_code", "OsO", code.get(), source.c_str(), name.get()));
    if (!done) PyErr_Clear();
  } else {
    PyErr_Clear();
  }
  flags->cf_flags |= reinterpret_cast<PyCodeObject*>(code.get())->co_flags & PyCF_MASK;
  Ref<> keep = Ref<>::share(dict);
  Ref<> result = Ref<>::steal(eval_code(code, dict, dict, nullptr));
  return result ? 0 : report();
}

int run_file(const wchar_t* filename, PyCompilerFlags* flags) {
  const PyConfig& c = running_config;
  std::string path = encode_bytes(filename), program = encode_bytes(c.program_name);
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(path.c_str()));
  if (!name || PySys_Audit("cpython.run_file", "O", name.get()) < 0) return report();
  FILE* fp = fopen(path.c_str(), "rb");
  if (fp == nullptr) {
    int error = errno;
    Ref<> shown = Ref<>::steal(PyObject_Repr(name));
    const char* utf8 = shown ? PyUnicode_AsUTF8(shown) : nullptr;
    fprintf(stderr, "%s: can't open file %s: [Errno %d] %s\n", program.c_str(), utf8 != nullptr ? utf8 : path.c_str(), error, strerror(error));
    PyErr_Clear();
    return 2;
  }
  struct stat status;
  if (fstat(fileno(fp), &status) == 0 && S_ISDIR(status.st_mode)) {
    fprintf(stderr, "%s: '%s' is a directory, cannot continue\n", program.c_str(), path.c_str());
    fclose(fp);
    return 1;
  }
  if (c.skip_source_first_line) {
    int ch;
    while ((ch = getc(fp)) != EOF && ch != '\n') {
    }
    // The newline stays, so that line numbers are those of the file.
    if (ch == '\n') ungetc(ch, fp);
  }
  if (Py_MakePendingCalls() < 0) return report();
  return PyRun_AnyFileExFlags(fp, path.c_str(), 1, flags) != 0;
}

void show_banner() {
  const PyConfig& c = running_config;
  bool interactive = c.inspect || (c.run_command == nullptr && c.run_module == nullptr && c.run_filename == nullptr &&
                                   isatty(fileno(stdin)));
  if (c.quiet || !(c.verbose || (c.run_command == nullptr && c.run_module == nullptr && c.run_filename == nullptr && interactive))) return;
  fprintf(stderr, "Python %s on %s\n", Py_GetVersion(), Py_GetPlatform());
  if (c.site_import) {
    fprintf(stderr, "Type \"help\", \"copyright\", \"credits\" or \"license\" for more information.\n");
  }
}

int run_startup(PyCompilerFlags* flags) {
  const char* startup = config_env(&running_config, "PYTHONSTARTUP");
  if (startup == nullptr) return 0;
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(startup));
  if (!name || PySys_Audit("cpython.run_startup", "O", name.get()) < 0) return report();
  FILE* fp = fopen(startup, "r");
  if (fp == nullptr) {
    int error = errno;
    PySys_WriteStderr("Could not open PYTHONSTARTUP\n");
    errno = error;
    PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, name, nullptr);
    PyErr_Print();
    return 0;
  }
  PyRun_SimpleFileExFlags(fp, startup, 0, flags);
  PyErr_Clear();
  fclose(fp);
  return 0;
}

void run_interactive_hook() {
  Ref<> hook = Ref<>::share(PySys_GetObject("__interactivehook__"));
  if (!hook) return;
  Ref<> done = Ref<>::steal(PyObject_CallNoArgs(hook));
  if (!done) {
    PySys_WriteStderr("Failed calling sys.__interactivehook__\n");
    PyErr_Print();
  }
}

int run_stdin(PyCompilerFlags* flags) {
  if (isatty(fileno(stdin)) || running_config.interactive) {
    // After the program ends there is nothing left to inspect.
    running_config.inspect = 0;
    Py_InspectFlag = 0;
    if (int status = run_startup(flags)) return status;
    run_interactive_hook();
  }
  if (Py_MakePendingCalls() < 0) return report();
  if (PySys_Audit("cpython.run_stdin", nullptr) < 0) return report();
  return PyRun_AnyFileExFlags(stdin, "<stdin>", 0, flags) != 0;
}

void inspect_after(PyCompilerFlags* flags, int* status) {
  // PYTHONINSPECT may have been set by the program.
  if (!running_config.inspect && config_env(&running_config, "PYTHONINSPECT") != nullptr) {
    running_config.inspect = 1;
    Py_InspectFlag = 1;
  }
  const bool had_program = running_config.run_command != nullptr || running_config.run_module != nullptr || running_config.run_filename != nullptr;
  if (!running_config.inspect || !isatty(fileno(stdin)) || !had_program) {
    if (!(running_config.inspect && running_config.interactive && had_program)) return;
  }
  running_config.inspect = 0;
  Py_InspectFlag = 0;
  run_interactive_hook();
  *status = PyRun_AnyFileExFlags(stdin, "<stdin>", 0, flags) != 0;
}

}  // namespace

int run_python() {
  const PyConfig& c = running_config;
  PyCompilerFlags flags = _PyCompilerFlags_INIT;
  int status;
  Ref<> importable = Ref<>::steal(importable_program());
  if (!importable) return report();
  if (importable.get() != Py_None) {
    if (prepend_path(importable) < 0) return report();
  } else if (!c.safe_path) {
    Ref<> first = Ref<>::steal(first_path());
    if (!first || (first.get() != Py_None && prepend_path(first) < 0)) return report();
  }
  show_banner();
  if ((c.run_command == nullptr && c.run_module == nullptr && c.run_filename == nullptr && isatty(fileno(stdin))) || (c.inspect && c.interactive)) {
    if (!c.isolated) import_readline();
  }
  if (c.run_command != nullptr) {
    status = run_command(c.run_command, &flags);
  } else if (c.run_module != nullptr) {
    Ref<> name = Ref<>::steal(PyUnicode_FromWideChar(c.run_module, -1));
    status = name ? run_module(name, true) : report();
  } else if (importable.get() != Py_None) {
    Ref<> name = Ref<>::steal(PyUnicode_FromString("__main__"));
    status = name ? run_module(name, false) : report();
  } else if (c.run_filename != nullptr) {
    status = run_file(c.run_filename, &flags);
  } else {
    status = run_stdin(&flags);
  }
  inspect_after(&flags, &status);
  return status;
}

namespace {

int run_main_with(PyStatus status) {
  if (PyStatus_IsExit(status)) return status.exitcode;
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  return Py_RunMain();
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

int Py_RunMain(void) {
  unhandled_keyboard_interrupt = false;
  int status = run_python();
  if (Py_FinalizeEx() < 0) status = 120;
  if (unhandled_keyboard_interrupt) {
    // Whoever started the process sees that it was interrupted.
    signal(SIGINT, SIG_DFL);
    kill(getpid(), SIGINT);
    status = SIGINT + 128;
  }
  return status;
}

int Py_BytesMain(int argc, char** argv) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  PyStatus status = PyConfig_SetBytesArgv(&config, argc, argv);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return run_main_with(status);
}

int Py_Main(int argc, wchar_t** argv) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  PyStatus status = PyConfig_SetArgv(&config, argc, argv);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return run_main_with(status);
}

// The main of programs that consist of frozen modules only.
int Py_FrozenMain(int argc, char** argv) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.pathconfig_warnings = 0;
  config.parse_argv = 0;
  PyStatus status = PyConfig_SetBytesArgv(&config, argc, argv);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
  int found = PyImport_ImportFrozenModule("__main__");
  if (found == 0) Py_FatalError("the __main__ module is not frozen");
  int result = 0;
  if (found < 0) {
    PyErr_Print();
    result = 1;
  }
  if (Py_FinalizeEx() < 0) result = 120;
  return result;
}

}  // extern "C"
