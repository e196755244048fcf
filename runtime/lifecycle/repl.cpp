// The interactive mode: prompt, read until a statement is complete, run, show.
#include "compile/compile.h"
#include "interp/frame.h"
#include "lifecycle/runtime_state.h"
#include "modules/running_config.h"
#include "objects/names.h"
#include "sync/mutex.h"
#include "sync/ref.h"

#include <cstring>
#include <string>
#include <unistd.h>

extern "C" {
int (*PyOS_InputHook)(void) = nullptr;
char* (*PyOS_ReadlineFunctionPointer)(FILE*, FILE*, const char*) = nullptr;
PyAPI_DATA(PyObject*) PyExc_IncompleteInputError;
}

namespace amphis {

namespace {

sync::Mutex readline_mutex;

// A line from a stream that is no terminal with line editing: null on interruption, "" at the end.
char* plain_readline(FILE* in, const char* prompt) {
  fflush(stdout);
  if (prompt != nullptr) fputs(prompt, stderr);
  fflush(stderr);
  std::string line;
  char chunk[1000];
  for (;;) {
    if (PyOS_InputHook != nullptr) PyOS_InputHook();
    errno = 0;
    clearerr(in);
    if (fgets(chunk, sizeof chunk, in) == nullptr) {
      if (feof(in) || errno != EINTR) break;
      PyGILState_STATE state = PyGILState_Ensure();
      bool interrupted = PyErr_CheckSignals() < 0;
      PyGILState_Release(state);
      if (interrupted) return nullptr;
      continue;
    }
    line += chunk;
    if (line.back() == '\n') break;
  }
  auto* block = static_cast<char*>(PyMem_RawMalloc(line.size() + 1));
  if (block != nullptr) memcpy(block, line.c_str(), line.size() + 1);
  return block;
}

// str(sys.NAME) or nothing.
std::string prompt_text(const char* name) {
  Ref<> object = Ref<>::share(PySys_GetObject(name));
  Ref<> text = object ? Ref<>::steal(PyObject_Str(object)) : Ref<>();
  const char* utf8 = text ? PyUnicode_AsUTF8(text) : nullptr;
  if (utf8 == nullptr) PyErr_Clear();
  return utf8 != nullptr ? utf8 : "";
}

enum class Outcome { kRan, kFailed, kEnd };

// Whether the parser asks for more: raised by the compiler where PyCF_ALLOW_INCOMPLETE_INPUT is set.
bool is_incomplete() { return PyErr_ExceptionMatches(PyExc_IncompleteInputError); }

// Reads one statement. False at the end of input; code is null with an exception where it is wrong.
bool read_statement(FILE* fp, PyObject* filename, PyCompilerFlags* flags, Ref<>* code, std::string* source) {
  std::string prompt = prompt_text("ps1");
  for (;;) {
    char* line = PyOS_Readline(fp, stdout, prompt.c_str());
    if (line == nullptr) {
      if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
      return true;
    }
    std::string text = line;
    PyMem_Free(line);
    const bool end = text.empty();
    if (!end && text.back() != '\n') {
      // The input ends within its last line: what is shown next starts on a line of its own.
      text += '\n';
      PySys_WriteStderr("\n");
    }
    if (end && source->empty()) return false;
    const size_t first = text.find_first_not_of(" \t\r\n\f");
    if (source->empty() && (first == std::string::npos || text[first] == '#')) continue;
    *source += text;
    CompileOptions options;
    options.mode = CompileMode::kSingle;
    options.flags = flags != nullptr ? flags->cf_flags : 0;
    if (!end) options.flags |= PyCF_ALLOW_INCOMPLETE_INPUT | PyCF_DONT_IMPLY_DEDENT;
    *code = Ref<>::steal(compile_source(*source, filename, options));
    if (end || (!*code && !is_incomplete())) return true;
    if (*code) {
      // Without its last newline a compound statement is incomplete: until an empty line ends it, there may be more.
      std::string_view so_far = *source;
      so_far.remove_suffix(so_far.back() == '\n');
      *code = Ref<>::steal(compile_source(so_far, filename, options));
      if (*code || !is_incomplete()) return true;
    }
    PyErr_Clear();
    prompt = prompt_text("ps2");
  }
}

// Errors that the compiler finds after parsing know their line but not its text, which only this file has.
void add_source_text(const std::string& source) {
  if (!PyErr_ExceptionMatches(PyExc_SyntaxError)) return;
  PyObject* error = PyErr_GetRaisedException();
  Ref<> text = Ref<>::steal(PyObject_GetAttrString(error, "text"));
  Ref<> lineno = Ref<>::steal(PyObject_GetAttrString(error, "lineno"));
  if (text.get() == Py_None && lineno && PyLong_Check(lineno.get())) {
    size_t start = 0;
    for (long line = PyLong_AsLong(lineno); line > 1 && start != std::string::npos; --line) {
      start = source.find('\n', start);
      if (start != std::string::npos) ++start;
    }
    if (start < source.size()) {
      Ref<> found = Ref<>::steal(PyUnicode_FromString(source.substr(start, source.find('\n', start) - start + 1).c_str()));
      if (found) PyObject_SetAttrString(error, "text", found);
    }
  }
  PyErr_Clear();
  PyErr_SetRaisedException(error);
}

Outcome run_one(FILE* fp, PyObject* filename, PyCompilerFlags* flags) {
  Ref<> code;
  std::string source;
  if (!read_statement(fp, filename, flags, &code, &source)) return Outcome::kEnd;
  const Ref<> main = main_module();
  PyObject* dict = main ? PyModule_GetDict(main) : nullptr;
  if (!code || dict == nullptr) {
    if (!code) add_source_text(source);
    return Outcome::kFailed;
  }
  // Tracebacks show the lines of what was typed.
  if (Ref<> linecache = Ref<>::steal(PyImport_ImportModule("linecache"))) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(linecache, "_register_code", "OsO", code.get(), source.c_str(), filename));
    if (!done) PyErr_Clear();
  } else {
    PyErr_Clear();
  }
  if (flags != nullptr) flags->cf_flags |= reinterpret_cast<PyCodeObject*>(code.get())->co_flags & PyCF_MASK;
  Ref<> keep = Ref<>::share(dict);
  Ref<> result = Ref<>::steal(eval_code(code, dict, dict, nullptr));
  return result ? Outcome::kRan : Outcome::kFailed;
}

void flush_output() {
  PyObject* error = PyErr_GetRaisedException();
  flush_standard_streams();
  PyErr_SetRaisedException(error);
}

int set_default_prompt(const char* name, const char* text) {
  if (PySys_GetObject(name) != nullptr) return 0;
  Ref<> value = Ref<>::steal(PyUnicode_FromString(text));
  return value ? PySys_SetObject(name, value) : -1;
}

}  // namespace

void import_readline() {
  if (running_config.isolated) PyErr_Clear();
  Ref<> module = Ref<>::steal(PyImport_ImportModule("readline"));
  if (!module) PyErr_Clear();
  Ref<> completer = module ? Ref<>::steal(PyImport_ImportModule("rlcompleter")) : Ref<>();
  if (!completer) PyErr_Clear();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

char* PyOS_Readline(FILE* in, FILE* out, const char* prompt) {
  char* line;
  {
    sync::MutexLock lock(readline_mutex);
    Detached detached;
    if (PyOS_ReadlineFunctionPointer != nullptr && isatty(fileno(in)) && isatty(fileno(out))) {
      line = PyOS_ReadlineFunctionPointer(in, out, prompt);
    } else {
      line = plain_readline(in, prompt);
    }
  }
  if (line == nullptr) return nullptr;
  // The caller frees with PyMem_Free.
  size_t size = strlen(line) + 1;
  auto* block = static_cast<char*>(PyMem_Malloc(size));
  if (block != nullptr) {
    memcpy(block, line, size);
  } else {
    PyErr_NoMemory();
  }
  PyMem_RawFree(line);
  return block;
}

int PyRun_InteractiveOneObject(FILE* fp, PyObject* filename, PyCompilerFlags* flags) {
  Outcome outcome = run_one(fp, filename, flags);
  if (outcome == Outcome::kEnd) return 11;  // what E_EOF has always been
  if (outcome == Outcome::kRan) {
    flush_output();
    return 0;
  }
  PyErr_Print();
  flush_output();
  return -1;
}

int PyRun_InteractiveOneFlags(FILE* fp, const char* filename, PyCompilerFlags* flags) {
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  if (!name) {
    PyErr_Print();
    return -1;
  }
  return PyRun_InteractiveOneObject(fp, name, flags);
}

int PyRun_InteractiveLoopFlags(FILE* fp, const char* filename, PyCompilerFlags* flags) {
  PyCompilerFlags own = _PyCompilerFlags_INIT;
  if (flags == nullptr) flags = &own;
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  if (!name || set_default_prompt("ps1", ">>> ") < 0 || set_default_prompt("ps2", "... ") < 0) {
    PyErr_Print();
    return -1;
  }
  for (;;) {
    if (PyRun_InteractiveOneObject(fp, name, flags) != 11) continue;
    PySys_WriteStderr("\n");
    return 0;
  }
}

#undef PyRun_InteractiveLoop
#undef PyRun_InteractiveOne
int PyRun_InteractiveOne(FILE* fp, const char* name) { return PyRun_InteractiveOneFlags(fp, name, nullptr); }
int PyRun_InteractiveLoop(FILE* fp, const char* name) { return PyRun_InteractiveLoopFlags(fp, name, nullptr); }

}  // extern "C"
