// Errors that cannot be raised because there is nobody to raise them to: sys.unraisablehook and what it does at first.
#include "objects/error_display.h"

#include "sync/ref.h"

#include <cstring>

namespace amphis {

namespace {

PyTypeObject* args_type() {
  static PyStructSequence_Field fields[] = {
      {"exc_type", "Exception type"},
      {"exc_value", "Exception value"},
      {"exc_traceback", "Exception traceback"},
      {"err_msg", "Error message"},
      {"object", "Object causing the exception"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "builtins.UnraisableHookArgs", "UnraisableHookArgs\n\nType used to pass arguments to sys.unraisablehook.", fields, 5};
  static PyTypeObject* type = nullptr;
  if (type == nullptr) type = PyStructSequence_NewType(&description);
  return type;
}

int write(PyObject* file, const char* text) { return PyFile_WriteString(text, file); }

// "module.name" of a class, without the module for built-in classes and those of __main__.
int write_type_name(PyObject* file, PyObject* type) {
  Ref<> module = Ref<>::steal(PyObject_GetAttrString(type, "__module__"));
  if (!module || !PyUnicode_Check(module.get())) {
    PyErr_Clear();
    if (write(file, "<unknown>.") < 0) return -1;
  } else if (!_PyUnicode_EqualToASCIIString(module, "builtins") && !_PyUnicode_EqualToASCIIString(module, "__main__")) {
    if (PyFile_WriteObject(module, file, Py_PRINT_RAW) < 0 || write(file, ".") < 0) return -1;
  }
  Ref<> name = PyType_Check(type) ? Ref<>::steal(PyType_GetQualName(reinterpret_cast<PyTypeObject*>(type))) : Ref<>();
  if (!name) {
    PyErr_Clear();
    return write(file, "<unknown>");
  }
  return PyFile_WriteObject(name, file, Py_PRINT_RAW);
}

int report(PyObject* file, PyObject* type, PyObject* value, PyObject* traceback, PyObject* message, PyObject* object) {
  const bool has_message = message != nullptr && message != Py_None;
  if (object != nullptr && object != Py_None) {
    if (has_message) {
      if (PyFile_WriteObject(message, file, Py_PRINT_RAW) < 0 || write(file, ": ") < 0) return -1;
    } else if (write(file, "Exception ignored in: ") < 0) {
      return -1;
    }
    if (PyFile_WriteObject(object, file, 0) < 0) {
      PyErr_Clear();
      if (write(file, "<object repr() failed>") < 0) return -1;
    }
    if (write(file, "\n") < 0) return -1;
  } else if (has_message) {
    if (PyFile_WriteObject(message, file, Py_PRINT_RAW) < 0 || write(file, ":\n") < 0) return -1;
  }
  if (traceback != nullptr && traceback != Py_None && PyTraceBack_Print(traceback, file) < 0) PyErr_Clear();
  if (type == nullptr || type == Py_None) return -1;
  if (write_type_name(file, type) < 0) return -1;
  if (value != nullptr && value != Py_None) {
    Ref<> text = Ref<>::steal(PyObject_Str(value));
    if (!text) {
      PyErr_Clear();
      if (write(file, ": <exception str() failed>") < 0) return -1;
    } else if (PyUnicode_GET_LENGTH(text.get()) > 0) {
      if (write(file, ": ") < 0 || PyFile_WriteObject(text, file, Py_PRINT_RAW) < 0) return -1;
    }
  }
  return write(file, "\n");
}

void flush(PyObject* file) {
  Ref<> done = Ref<>::steal(PyObject_CallMethod(file, "flush", nullptr));
  if (!done) PyErr_Clear();
}

void report_to_stderr(PyObject* type, PyObject* value, PyObject* traceback, PyObject* message, PyObject* object) {
  Ref<> file = Ref<>::share(PySys_GetObject("stderr"));
  if (!file || file.get() == Py_None) return;
  if (report(file, type, value, traceback, message, object) < 0) PyErr_Clear();
  flush(file);
}

void unraisable(PyObject* message_or_null, PyObject* object) {
  Ref<> message = Ref<>::steal(message_or_null);
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  if (!exc) return;
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(exc.get()));
  if (Ref<> known = Ref<>::steal(PyException_GetTraceback(exc)); !known) {
    // Errors raised outside Python code carry the place where they were noticed.
    if (PyFrameObject* frame = PyEval_GetFrame()) {
      PyErr_SetRaisedException(exc.release());
      if (PyTraceBack_Here(frame) < 0) PyErr_Clear();
      exc = Ref<>::steal(PyErr_GetRaisedException());
      if (!exc) return;
      type = reinterpret_cast<PyObject*>(Py_TYPE(exc.get()));
    }
  }
  Ref<> traceback = Ref<>::steal(PyException_GetTraceback(exc));
  Ref<> hook = Ref<>::share(PySys_GetObject("unraisablehook"));
  Ref<> args = hook ? Ref<>::steal(args_type() != nullptr ? PyStructSequence_New(args_type()) : nullptr) : Ref<>();
  if (args) {
    PyObject* values[] = {type, exc, traceback ? traceback.get() : Py_None, message ? message.get() : Py_None,
                          object != nullptr ? object : Py_None};
    for (Py_ssize_t i = 0; i < 5; ++i) PyStructSequence_SetItem(args, i, Py_NewRef(values[i]));
    if (hook.get() == Py_None) return report_to_stderr(type, exc, traceback, message, object);
    if (PySys_Audit("sys.unraisablehook", "OO", hook.get(), args.get()) == 0) {
      Ref<> done = Ref<>::steal(PyObject_CallOneArg(hook, args));
      if (done) return;
    }
    // The hook itself failed: that is reported instead.
    Ref<> second = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> where = Ref<>::steal(PyUnicode_FromString("Exception ignored in sys.unraisablehook"));
    Ref<> second_traceback = second ? Ref<>::steal(PyException_GetTraceback(second)) : Ref<>();
    if (second) {
      report_to_stderr(reinterpret_cast<PyObject*>(Py_TYPE(second.get())), second, second_traceback, where, hook);
    }
    return;
  }
  PyErr_Clear();
  report_to_stderr(type, exc, traceback, message, object);
}

}  // namespace

PyObject* default_unraisable_hook(PyObject* args) {
  if (args_type() == nullptr) return nullptr;
  if (!Py_IS_TYPE(args, args_type())) {
    PyErr_SetString(PyExc_TypeError, "sys.unraisablehook argument type must be UnraisableHookArgs");
    return nullptr;
  }
  PyObject* item[5];
  for (Py_ssize_t i = 0; i < 5; ++i) item[i] = PyStructSequence_GetItem(args, i);
  report_to_stderr(item[0], item[1], item[2], item[3], item[4]);
  Py_RETURN_NONE;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

void PyErr_FormatUnraisable(const char* format, ...) {
  if (format == nullptr) return unraisable(nullptr, nullptr);
  PyObject* error = PyErr_GetRaisedException();
  va_list args;
  va_start(args, format);
  PyObject* message = PyUnicode_FromFormatV(format, args);
  va_end(args);
  if (message == nullptr) PyErr_Clear();
  PyErr_SetRaisedException(error);
  unraisable(message, nullptr);
}

void PyErr_WriteUnraisable(PyObject* object) { unraisable(nullptr, object); }

}  // extern "C"
