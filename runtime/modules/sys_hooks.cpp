// sys: what is called to show values and errors, and to enter a debugger.
#include "interp/frame_variables.h"
#include "modules/builtins.h"
#include "modules/sys.h"
#include "objects/error_display.h"
#include "sync/ref.h"

#include <cstring>
#include <string>

namespace amphis {

namespace {

// Writes repr(value) where the stream's own encoding cannot show it: escaped.
int write_escaped(PyObject* out, PyObject* value) {
  Ref<> encoding = Ref<>::steal(PyObject_GetAttrString(out, "encoding"));
  const char* name = encoding ? PyUnicode_AsUTF8(encoding) : nullptr;
  if (name == nullptr) return -1;
  Ref<> text = Ref<>::steal(PyObject_Repr(value));
  Ref<> encoded = text ? Ref<>::steal(PyUnicode_AsEncodedString(text, name, "backslashreplace")) : Ref<>();
  if (!encoded) return -1;
  PyObject* found;
  if (PyObject_GetOptionalAttrString(out, "buffer", &found) < 0) return -1;
  Ref<> buffer = Ref<>::steal(found);
  if (buffer) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(buffer, "write", "O", encoded.get()));
    return done ? 0 : -1;
  }
  Ref<> escaped = Ref<>::steal(PyUnicode_FromEncodedObject(encoded, name, "strict"));
  return escaped ? PyFile_WriteObject(escaped, out, Py_PRINT_RAW) : -1;
}

PyObject* sys_displayhook(PyObject*, PyObject* value) {
  PyObject* builtins = interpreter_builtins();
  if (builtins == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "lost builtins module");
    return nullptr;
  }
  // None shows nothing. `_` is None while repr runs, so that a repr that shows `_` does not recurse.
  if (value == Py_None) Py_RETURN_NONE;
  if (PyDict_SetItemString(builtins, "_", Py_None) < 0) return nullptr;
  Ref<> out = Ref<>::steal(_PySys_GetRequiredAttrString("stdout"));
  if (!out) return nullptr;
  if (out.get() == Py_None) {
    PyErr_SetString(PyExc_RuntimeError, "lost sys.stdout");
    return nullptr;
  }
  if (PyFile_WriteObject(value, out, 0) < 0) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return nullptr;
    PyErr_Clear();
    if (write_escaped(out, value) < 0) return nullptr;
  }
  if (PyFile_WriteString("\n", out) < 0 || PyDict_SetItemString(builtins, "_", value) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* sys_excepthook(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("excepthook", nargs, 3, 3)) return nullptr;
  PyErr_Display(nullptr, args[1], args[2]);
  Py_RETURN_NONE;
}

PyObject* sys_unraisablehook(PyObject*, PyObject* args) { return default_unraisable_hook(args); }

PyObject* sys_breakpointhook(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const char* setting = Py_GETENV("PYTHONBREAKPOINT");
  std::string target = setting != nullptr && *setting != '\0' ? setting : "pdb.set_trace";
  if (target == "0") Py_RETURN_NONE;
  auto warn = [&]() -> PyObject* {
    PyErr_Clear();
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 0, "Ignoring unimportable $PYTHONBREAKPOINT: \"%s\"", target.c_str()) < 0) {
      return nullptr;
    }
    Py_RETURN_NONE;
  };
  size_t dot = target.rfind('.');
  std::string module_name = dot == std::string::npos ? "builtins" : target.substr(0, dot);
  std::string attribute = dot == std::string::npos ? target : target.substr(dot + 1);
  if (module_name.empty()) return warn();
  Ref<> module = Ref<>::steal(PyImport_ImportModule(module_name.c_str()));
  if (!module) return PyErr_ExceptionMatches(PyExc_ImportError) ? warn() : nullptr;
  Ref<> hook = Ref<>::steal(PyObject_GetAttrString(module, attribute.c_str()));
  if (!hook) return PyErr_ExceptionMatches(PyExc_AttributeError) ? warn() : nullptr;
  return PyObject_Vectorcall(hook, args, static_cast<size_t>(nargs), kwnames);
}

}  // namespace

PyMethodDef sys_hook_methods[] = {
    {"breakpointhook", as_cfunction(sys_breakpointhook), METH_FASTCALL | METH_KEYWORDS,
     "breakpointhook($module, /, *args, **kwargs)\n--\n\nThis hook function is called by built-in breakpoint()."},
    {"displayhook", sys_displayhook, METH_O,
     "displayhook($module, object, /)\n--\n\nPrint an object to sys.stdout and also save it in builtins._"},
    {"excepthook", as_cfunction(sys_excepthook), METH_FASTCALL,
     "excepthook($module, exctype, value, traceback, /)\n--\n\nHandle an exception by displaying it with a traceback on "
     "sys.stderr."},
    {"unraisablehook", sys_unraisablehook, METH_O,
     "unraisablehook($module, unraisable, /)\n--\n\nHandle an unraisable exception."},
    {},
};

}  // namespace amphis
