// PyErr_Warn*: warnings issued by the runtime and extensions. What becomes of them is decided by the pure-Python warnings
// module, which also is what `import warnings` gives: there is no native copy of its filters.
#include <cstdarg>

#include "Python.h"
#include "modules/builtins.h"
#include "sync/ref.h"

using amphis::Ref;

namespace {

// warnings.<name>, or null: without an exception when the module cannot be had yet (start-up) or any more (shutdown).
PyObject* warnings_function(const char* name) {
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> module = Ref<>::steal(PyImport_ImportModule("warnings"));
  PyObject* function = module ? PyObject_GetAttrString(module, name) : nullptr;
  if (function == nullptr) PyErr_Clear();
  if (saved) PyErr_SetRaisedException(saved.release());
  return function;
}

int warn(PyObject* category, PyObject* message, Py_ssize_t stack_level, PyObject* source) {
  if (message == nullptr) return -1;
  if (category == nullptr) category = PyExc_RuntimeWarning;
  Ref<> function = Ref<>::steal(warnings_function("warn"));
  if (!function) return 0;
  Ref<> level = Ref<>::steal(PyLong_FromSsize_t(stack_level));
  if (!level) return -1;
  PyObject* args[4] = {message, category, level, source != nullptr ? source : Py_None};
  Ref<> done = Ref<>::steal(PyObject_Vectorcall(function, args, 4, nullptr));
  return done ? 0 : -1;
}

// --- the module _warnings: as much as importlib needs before warnings can be imported. It has none of the names that would make
// warnings.py take its filters from here.

PyObject* forward(const char* name, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Ref<> function = Ref<>::steal(warnings_function(name));
  if (!function) Py_RETURN_NONE;
  return PyObject_Vectorcall(function, args, static_cast<size_t>(nargs), kwnames);
}
PyObject* module_warn(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return forward("warn", args, nargs, kwnames);
}
PyObject* module_warn_explicit(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return forward("warn_explicit", args, nargs, kwnames);
}

PyMethodDef methods[] = {
    {"warn", amphis::as_cfunction(module_warn), METH_FASTCALL | METH_KEYWORDS,
     "warn($module, /, message, category=None, stacklevel=1, source=None, *,\n     skip_file_prefixes=())\n--\n\nIssue a "
     "warning, or maybe ignore it or raise an exception."},
    {"warn_explicit", amphis::as_cfunction(module_warn_explicit), METH_FASTCALL | METH_KEYWORDS,
     "warn_explicit($module, /, message, category, filename, lineno,\n              module=None, registry=None, "
     "module_globals=None, source=None)\n--\n\nIssue a warning, or maybe ignore it or raise an exception."},
    {},
};
PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, nullptr}};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_warnings",
    .m_doc = "_warnings provides basic warning filtering support.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

extern "C" {

PyObject* PyInit__warnings(void) { return PyModuleDef_Init(&def); }

int PyErr_WarnEx(PyObject* category, const char* text, Py_ssize_t stack_level) {
  Ref<> message = Ref<>::steal(PyUnicode_FromString(text));
  return warn(category, message, stack_level, nullptr);
}

int PyErr_WarnFormat(PyObject* category, Py_ssize_t stack_level, const char* format, ...) {
  va_list args;
  va_start(args, format);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  return warn(category, message, stack_level, nullptr);
}

int PyErr_ResourceWarning(PyObject* source, Py_ssize_t stack_level, const char* format, ...) {
  va_list args;
  va_start(args, format);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  return warn(PyExc_ResourceWarning, message, stack_level, source);
}

int PyErr_WarnExplicitObject(PyObject* category, PyObject* message, PyObject* filename, int lineno, PyObject* module,
                             PyObject* registry) {
  if (category == nullptr) category = PyExc_RuntimeWarning;
  Ref<> function = Ref<>::steal(warnings_function("warn_explicit"));
  if (!function) return 0;
  Ref<> done = Ref<>::steal(PyObject_CallFunction(function, "OOOiOO", message, category, filename, lineno,
                                                  module != nullptr ? module : Py_None,
                                                  registry != nullptr ? registry : Py_None));
  return done ? 0 : -1;
}

int PyErr_WarnExplicit(PyObject* category, const char* text, const char* filename, int lineno, const char* module,
                       PyObject* registry) {
  Ref<> message = Ref<>::steal(PyUnicode_FromString(text));
  Ref<> file = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  Ref<> name = module != nullptr ? Ref<>::steal(PyUnicode_FromString(module)) : Ref<>();
  if (!message || !file || (module != nullptr && !name)) return -1;
  return PyErr_WarnExplicitObject(category, message, file, lineno, name, registry);
}

int PyErr_WarnExplicitFormat(PyObject* category, const char* filename, int lineno, const char* module,
                             PyObject* registry, const char* format, ...) {
  va_list args;
  va_start(args, format);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  Ref<> file = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  Ref<> name = module != nullptr ? Ref<>::steal(PyUnicode_FromString(module)) : Ref<>();
  if (!message || !file || (module != nullptr && !name)) return -1;
  return PyErr_WarnExplicitObject(category, message, file, lineno, name, registry);
}

}  // extern "C"
