// PyErr_Warn*: warnings issued by the runtime and extensions. 0, or -1 with the exception that the warning became.
#include "modules/warnings.h"
#include "sync/ref.h"

#include <cstdarg>

using amphis::Ref;

namespace {

int warn(PyObject* category, PyObject* message, Py_ssize_t stack_level, PyObject* source) {
  Ref<> text = Ref<>::steal(message);
  if (!text) return -1;
  Ref<> done = Ref<>::steal(
      amphis::warn_at_level(category != nullptr ? category : PyExc_RuntimeWarning, text, stack_level, source, nullptr));
  return done ? 0 : -1;
}

int warn_at(PyObject* category, PyObject* message, const char* filename, int lineno, const char* module,
            PyObject* registry) {
  Ref<> text = Ref<>::steal(message);
  Ref<> file = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  Ref<> name = module != nullptr ? Ref<>::steal(PyUnicode_FromString(module)) : Ref<>();
  if (!text || !file || (module != nullptr && !name)) return -1;
  return PyErr_WarnExplicitObject(category, text, file, lineno, name, registry);
}

}  // namespace

extern "C" {

int PyErr_WarnEx(PyObject* category, const char* text, Py_ssize_t stack_level) {
  return warn(category, PyUnicode_FromString(text), stack_level, nullptr);
}

int PyErr_WarnFormat(PyObject* category, Py_ssize_t stack_level, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyObject* message = PyUnicode_FromFormatV(format, args);
  va_end(args);
  return warn(category, message, stack_level, nullptr);
}

int PyErr_ResourceWarning(PyObject* source, Py_ssize_t stack_level, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyObject* message = PyUnicode_FromFormatV(format, args);
  va_end(args);
  return warn(PyExc_ResourceWarning, message, stack_level, source);
}

int PyErr_WarnExplicitObject(PyObject* category, PyObject* message, PyObject* filename, int lineno, PyObject* module,
                             PyObject* registry) {
  Ref<> done = Ref<>::steal(amphis::warn_explicit(category != nullptr ? category : PyExc_RuntimeWarning, message, filename,
                                                  lineno, module, registry, nullptr, nullptr));
  return done ? 0 : -1;
}

int PyErr_WarnExplicit(PyObject* category, const char* text, const char* filename, int lineno, const char* module,
                       PyObject* registry) {
  return warn_at(category, PyUnicode_FromString(text), filename, lineno, module, registry);
}

int PyErr_WarnExplicitFormat(PyObject* category, const char* filename, int lineno, const char* module,
                             PyObject* registry, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyObject* message = PyUnicode_FromFormatV(format, args);
  va_end(args);
  return warn_at(category, message, filename, lineno, module, registry);
}

}  // extern "C"
