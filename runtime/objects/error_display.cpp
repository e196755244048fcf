// What becomes of exceptions that nobody catches: sys.excepthook, SystemExit, sys.unraisablehook. The text is made by the
// pure-Python traceback module; where that cannot be imported, a plain form is printed.
#include <cstdarg>
#include <cstdio>
#include <string>

#include "Python.h"
#include "objects/error_display.h"
#include "objects/names.h"
#include "source/decode.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

PyObject* stream(const char* name) {
  PyObject* o = PySys_GetObject(name);
  return o == Py_None ? nullptr : Py_XNewRef(o);
}

void flush(PyObject* file) {
  if (file == nullptr) return;
  Ref<> done = Ref<>::steal(PyObject_CallMethod(file, "flush", nullptr));
  if (!done) PyErr_Clear();
}

// One exception without the traceback module: traceback, then "module.Class: text".
void print_plain(PyObject* exc, PyObject* file) {
  Ref<> tb = Ref<>::steal(PyException_GetTraceback(exc));
  if (tb && PyTraceBack_Print(tb, file) < 0) PyErr_Clear();
  Ref<> cls = Ref<>::share(Py_TYPE(exc));
  Ref<> module = Ref<>::steal(PyObject_GetAttr(cls, names.dunder_module));
  Ref<> name = Ref<>::steal(PyType_GetQualName(Py_TYPE(exc)));
  if (!module || !name) PyErr_Clear();
  if (module && PyUnicode_Check(module.get()) && !PyUnicode_EqualToUTF8(module, "builtins") &&
      !PyUnicode_EqualToUTF8(module, "__main__")) {
    PyFile_WriteObject(module, file, Py_PRINT_RAW);
    PyFile_WriteString(".", file);
  }
  if (name) PyFile_WriteObject(name, file, Py_PRINT_RAW);
  PyErr_Clear();
  Ref<> text = Ref<>::steal(PyObject_Str(exc));
  if (!text) {
    PyErr_Clear();
    PyFile_WriteString(": <exception str() failed>", file);
  } else if (PyUnicode_GET_LENGTH(text.get()) > 0) {
    PyFile_WriteString(": ", file);
    PyFile_WriteObject(text, file, Py_PRINT_RAW);
  }
  PyFile_WriteString("\n", file);
  PyErr_Clear();
}

void print_chain_plain(PyObject* exc, PyObject* file, int depth) {
  Ref<> cause = Ref<>::steal(PyException_GetCause(exc));
  Ref<> context = Ref<>::steal(PyException_GetContext(exc));
  if (depth < 50) {
    if (cause) {
      print_chain_plain(cause, file, depth + 1);
      PyFile_WriteString("\nThe above exception was the direct cause of the following exception:\n\n", file);
    } else if (context && !sync::load_relaxed(reinterpret_cast<PyBaseExceptionObject*>(exc)->suppress_context)) {
      print_chain_plain(context, file, depth + 1);
      PyFile_WriteString("\nDuring handling of the above exception, another exception occurred:\n\n", file);
    }
  }
  PyErr_Clear();
  print_plain(exc, file);
}

bool print_by_traceback_module(PyObject* exc, PyObject* file) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("traceback"));
  Ref<> print;
  if (module) print = Ref<>::steal(PyObject_GetAttrString(module, "_print_exception_bltin"));
  if (!print || !PyCallable_Check(print.get())) {
    PyErr_Clear();
    return false;
  }
  // It writes to sys.stderr; another file gets the general function.
  Ref<> err = Ref<>::steal(stream("stderr"));
  Ref<> done;
  if (err.get() == file) {
    done = Ref<>::steal(PyObject_CallOneArg(print, exc));
  } else {
    done = Ref<>::steal(PyObject_CallMethod(module, "print_exception", "OOOOO", Py_TYPE(exc), exc, Py_None, Py_None,
                                            file));
  }
  if (done) return true;
  PyErr_Clear();
  return false;
}

void display(PyObject* exc, PyObject* file) {
  if (PyExceptionInstance_Check(exc)) {
    if (!print_by_traceback_module(exc, file)) print_chain_plain(exc, file, 0);
  } else {
    PyFile_WriteString("TypeError: print_exception(): Exception expected for value, ", file);
    PyFile_WriteString(Py_TYPE(exc)->tp_name, file);
    PyFile_WriteString(" found\n", file);
  }
  flush(file);
}

}  // namespace

// The process's exit status for a SystemExit; prints a code that is no number.
int system_exit_status(PyObject* exc) {
  Ref<> code = Ref<>::share(exc);
  if (PyExceptionInstance_Check(exc)) {
    PyObject* found;
    if (PyObject_GetOptionalAttrString(exc, "code", &found) < 0) PyErr_Clear();
    else if (found != nullptr) code = Ref<>::steal(found);
  }
  if (code.get() == Py_None) return 0;
  if (PyLong_Check(code.get())) {
    int overflow;
    long status = PyLong_AsLongAndOverflow(code, &overflow);
    PyErr_Clear();
    return overflow != 0 ? -1 : static_cast<int>(status);
  }
  Ref<> out = Ref<>::steal(stream("stdout"));
  flush(out);
  Ref<> err = Ref<>::steal(stream("stderr"));
  if (err) {
    PyFile_WriteObject(code, err, Py_PRINT_RAW);
    PyFile_WriteString("\n", err);
    flush(err);
  } else {
    Ref<> text = Ref<>::steal(PyObject_Str(code));
    const char* utf8 = text ? PyUnicode_AsUTF8(text) : nullptr;
    if (utf8 != nullptr) fprintf(stderr, "%s\n", utf8);
  }
  PyErr_Clear();
  return 1;
}

int write_source_line(PyObject* file, PyObject* line, int indent) {
  Ref<> text = Ref<>::steal(PyObject_CallMethod(line, "strip", "s", " \t\n\r\f"));
  if (!text) return -1;
  Ref<> shown = Ref<>::steal(PyUnicode_FromFormat("%*s%U\n", indent, "", text.get()));
  return shown ? PyFile_WriteObject(shown, file, Py_PRINT_RAW) : -1;
}

int display_source_line(PyObject* file, PyObject* filename, int lineno, int indent) {
  Ref<> line = Ref<>::steal(PyErr_ProgramTextObject(filename, lineno));
  return line ? write_source_line(file, line, indent) : 0;
}

}  // namespace amphis

extern "C" {

using namespace amphis;

void PyErr_DisplayException(PyObject* exc) {
  Ref<> keep = Ref<>::share(exc);
  Ref<> file = Ref<>::share(PySys_GetObject("stderr"));
  if (!file) {
    _PyObject_Dump(exc);
    fprintf(stderr, "lost sys.stderr\n");
    return;
  }
  // A program without a standard error stream (sys.stderr is None) has nowhere to show anything.
  if (file.get() != Py_None) display(exc, file);
}

void PyErr_Display(PyObject*, PyObject* value, PyObject* traceback) {
  if (PyExceptionInstance_Check(value) && traceback != nullptr && PyTraceBack_Check(traceback)) {
    Ref<> old = Ref<>::steal(PyException_GetTraceback(value));
    if (!old) PyException_SetTraceback(value, traceback);
  }
  PyErr_DisplayException(value);
}

void PyErr_PrintEx(int set_sys_last) {
  if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
    const bool stay = Py_InspectFlag != 0;  // -i: the exit is shown and the interactive mode goes on
    if (!stay) {
      Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
      const int status = system_exit_status(exc);
      exc = {};  // its traceback keeps the program's variables alive
      Py_Exit(status);
    }
  }
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  if (!exc) return;
  Ref<> tb = Ref<>::steal(PyException_GetTraceback(exc));
  if (!tb) tb = Ref<>::share(Py_None);
  if (set_sys_last) {
    if (PySys_SetObject("last_exc", exc) < 0 ||
        PySys_SetObject("last_type", reinterpret_cast<PyObject*>(Py_TYPE(exc.get()))) < 0 ||
        PySys_SetObject("last_value", exc) < 0 || PySys_SetObject("last_traceback", tb) < 0) {
      PyErr_Clear();
    }
  }
  Ref<> hook = Ref<>::share(PySys_GetObject("excepthook"));
  if (PySys_Audit("sys.excepthook", "OOOO", hook ? hook.get() : Py_None, Py_TYPE(exc.get()), exc.get(), tb.get()) < 0) {
    // A hook that refuses with RuntimeError silences the report.
    if (PyErr_ExceptionMatches(PyExc_RuntimeError)) {
      PyErr_Clear();
      return;
    }
    PyErr_FormatUnraisable("Exception ignored in audit hook");
  }
  if (!hook) {
    PySys_WriteStderr("sys.excepthook is missing\n");
    PyErr_DisplayException(exc);
    return;
  }
  PyObject* args[3] = {reinterpret_cast<PyObject*>(Py_TYPE(exc.get())), exc, tb};
  Ref<> done = Ref<>::steal(PyObject_Vectorcall(hook, args, 3, nullptr));
  if (done) return;
  if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
    Ref<> exit = Ref<>::steal(PyErr_GetRaisedException());
    Py_Exit(system_exit_status(exit));
  }
  Ref<> second = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> out = Ref<>::steal(stream("stdout"));
  flush(out);
  PySys_WriteStderr("Error in sys.excepthook:\n");
  PyErr_DisplayException(second);
  PySys_WriteStderr("\nOriginal exception was:\n");
  PyErr_DisplayException(exc);
}

void PyErr_Print(void) { PyErr_PrintEx(1); }

void PyErr_RangedSyntaxLocationObject(PyObject* filename, int lineno, int col_offset, int end_lineno,
                                      int end_col_offset) {
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  if (!exc) return;
  auto set = [&](const char* name, PyObject* value) {
    Ref<> v = Ref<>::steal(value);
    if (!v || PyObject_SetAttrString(exc, name, v) < 0) PyErr_Clear();
  };
  set("lineno", PyLong_FromLong(lineno));
  set("offset", col_offset >= 0 ? PyLong_FromLong(col_offset + 1) : Py_NewRef(Py_None));
  set("end_lineno", end_lineno >= 0 ? PyLong_FromLong(end_lineno) : Py_NewRef(Py_None));
  set("end_offset", end_col_offset >= 0 ? PyLong_FromLong(end_col_offset + 1) : Py_NewRef(Py_None));
  if (filename != nullptr) {
    set("filename", Py_NewRef(filename));
    PyObject* text = PyErr_ProgramTextObject(filename, lineno);
    set("text", text != nullptr ? text : Py_NewRef(Py_None));
  }
  set("print_file_and_line", Py_NewRef(Py_None));
  PyErr_SetRaisedException(exc.release());
}

void PyErr_SyntaxLocationObject(PyObject* filename, int lineno, int col_offset) {
  PyErr_RangedSyntaxLocationObject(filename, lineno, col_offset, lineno, -1);
}

void PyErr_SyntaxLocationEx(const char* filename, int lineno, int col_offset) {
  Ref<> name;
  if (filename != nullptr) {
    name = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
    if (!name) PyErr_Clear();
  }
  PyErr_SyntaxLocationObject(name, lineno, col_offset);
}

void PyErr_SyntaxLocation(const char* filename, int lineno) { PyErr_SyntaxLocationEx(filename, lineno, -1); }

// The line is decoded as its file says; `encoding` overrides that.
static PyObject* program_line(const char* filename, int lineno, const char* encoding) {
  if (filename == nullptr || *filename == 0 || lineno <= 0) return nullptr;
  FILE* file = fopen(filename, "rb");
  if (file == nullptr) return nullptr;
  std::string line, head;
  int at = 1;
  for (int c; (c = fgetc(file)) != EOF;) {
    if (at <= 2) head.push_back(static_cast<char>(c));
    if (at == lineno) line.push_back(static_cast<char>(c));
    if (c == '\n' && at++ == lineno) break;
  }
  fclose(file);
  if (line.empty()) return nullptr;
  if (lineno == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  std::string cookie = encoding != nullptr ? encoding : find_encoding_cookie(head);
  PyObject* text = nullptr;
  if (!cookie.empty() && cookie != "utf-8") {
    text = PyUnicode_Decode(line.data(), static_cast<Py_ssize_t>(line.size()), cookie.c_str(), "replace");
    if (text == nullptr) PyErr_Clear();
  }
  if (text == nullptr) text = PyUnicode_DecodeUTF8(line.data(), static_cast<Py_ssize_t>(line.size()), "replace");
  if (text == nullptr) PyErr_Clear();
  return text;
}

PyObject* PyErr_ProgramText(const char* filename, int lineno) { return program_line(filename, lineno, "utf-8"); }

PyObject* PyErr_ProgramTextObject(PyObject* filename, int lineno) {
  if (filename == nullptr) return nullptr;
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> bytes = Ref<>::steal(PyUnicode_EncodeFSDefault(filename));
  PyObject* text = bytes ? program_line(PyBytes_AS_STRING(bytes.get()), lineno, nullptr) : nullptr;
  PyErr_Clear();
  if (exc) PyErr_SetRaisedException(exc.release());
  return text;
}

}  // extern "C"
