// PyFile_*: file objects as the C API sees them, by their methods.
#include "Python.h"
#include "objects/names.h"
#include "sync/ref.h"

using amphis::Ref;
using amphis::names;

extern "C" {

int PyFile_WriteObject(PyObject* value, PyObject* file, int flags) {
  if (file == nullptr) {
    PyErr_SetString(PyExc_TypeError, "writeobject with NULL file");
    return -1;
  }
  Ref<> write = Ref<>::steal(PyObject_GetAttrString(file, "write"));
  if (!write) return -1;
  Ref<> text = Ref<>::steal(flags & Py_PRINT_RAW ? PyObject_Str(value) : PyObject_Repr(value));
  if (!text) return -1;
  Ref<> done = Ref<>::steal(PyObject_CallOneArg(write, text));
  return done ? 0 : -1;
}

int PyFile_WriteString(const char* text, PyObject* file) {
  if (file == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null file for PyFile_WriteString");
    return -1;
  }
  if (PyErr_Occurred()) return -1;
  Ref<> object = Ref<>::steal(PyUnicode_FromString(text));
  return object ? PyFile_WriteObject(object, file, Py_PRINT_RAW) : -1;
}

PyObject* PyFile_GetLine(PyObject* file, int n) {
  if (file == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  Ref<> line = Ref<>::steal(n <= 0 ? PyObject_CallMethod(file, "readline", nullptr)
                                   : PyObject_CallMethod(file, "readline", "i", n));
  if (!line) return nullptr;
  if (PyBytes_Check(line.get())) {
    Py_ssize_t size = PyBytes_GET_SIZE(line.get());
    if (n < 0 && size == 0) {
      PyErr_SetString(PyExc_EOFError, "EOF when reading a line");
      return nullptr;
    }
    if (n < 0 && PyBytes_AS_STRING(line.get())[size - 1] == '\n') {
      return PyBytes_FromStringAndSize(PyBytes_AS_STRING(line.get()), size - 1);
    }
    return line.release();
  }
  if (PyUnicode_Check(line.get())) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(line.get());
    if (n < 0 && size == 0) {
      PyErr_SetString(PyExc_EOFError, "EOF when reading a line");
      return nullptr;
    }
    if (n < 0 && PyUnicode_READ_CHAR(line.get(), size - 1) == '\n') return PyUnicode_Substring(line, 0, size - 1);
    return line.release();
  }
  PyErr_SetString(PyExc_TypeError, "object.readline() returned non-string");
  return nullptr;
}

int PyObject_AsFileDescriptor(PyObject* o) {
  Ref<> number;
  if (PyLong_Check(o)) {
    if (PyBool_Check(o) && PyErr_WarnEx(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1) < 0) return -1;
    number = Ref<>::share(o);
  } else {
    PyObject* found;
    if (PyObject_GetOptionalAttrString(o, "fileno", &found) < 0) return -1;
    Ref<> method = Ref<>::steal(found);
    if (!method) {
      PyErr_SetString(PyExc_TypeError, "argument must be an int, or have a fileno() method.");
      return -1;
    }
    number = Ref<>::steal(PyObject_CallNoArgs(method));
    if (!number) return -1;
    if (!PyLong_Check(number.get())) {
      PyErr_SetString(PyExc_TypeError, "fileno() returned a non-integer");
      return -1;
    }
  }
  int fd = PyLong_AsInt(number);
  if (fd == -1 && PyErr_Occurred()) return -1;
  if (fd < 0) {
    PyErr_Format(PyExc_ValueError, "file descriptor cannot be a negative integer (%i)", fd);
    return -1;
  }
  return fd;
}

PyObject* PyFile_FromFd(int fd, const char*, const char* mode, int buffering, const char* encoding,
                        const char* errors, const char* newline, int closefd) {
  Ref<> io = Ref<>::steal(PyImport_ImportModule("_io"));
  if (!io) return nullptr;
  return PyObject_CallMethod(io, "open", "isisssO", fd, mode, buffering, encoding, errors, newline,
                             closefd ? Py_True : Py_False);
}

static Py_OpenCodeHookFunction open_code_hook = nullptr;
static void* open_code_data = nullptr;

int PyFile_SetOpenCodeHook(Py_OpenCodeHookFunction hook, void* data) {
  if (open_code_hook != nullptr) {
    if (Py_IsInitialized()) PyErr_SetString(PyExc_SystemError, "failed to change existing open_code hook");
    return -1;
  }
  open_code_hook = hook;
  open_code_data = data;
  return 0;
}

PyObject* PyFile_OpenCodeObject(PyObject* path) {
  if (!PyUnicode_Check(path)) {
    PyErr_Format(PyExc_TypeError, "'path' must be 'str', not '%.200s'", Py_TYPE(path)->tp_name);
    return nullptr;
  }
  if (open_code_hook != nullptr) return open_code_hook(path, open_code_data);
  Ref<> io = Ref<>::steal(PyImport_ImportModule("_io"));
  return io ? PyObject_CallMethod(io, "open", "Os", path, "rb") : nullptr;
}

PyObject* PyFile_OpenCode(const char* path) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(path));
  return text ? PyFile_OpenCodeObject(text) : nullptr;
}

FILE* Py_fopen(PyObject* path, const char* mode) {
  PyObject* converted;
  if (PySys_Audit("open", "Osi", path, mode, 0) < 0 || !PyUnicode_FSConverter(path, &converted)) return nullptr;
  Ref<> bytes = Ref<>::steal(converted);
  FILE* file;
  Py_BEGIN_ALLOW_THREADS
  file = fopen(PyBytes_AS_STRING(bytes.get()), mode);
  Py_END_ALLOW_THREADS
  if (file == nullptr) PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
  return file;
}

int Py_fclose(FILE* file) { return fclose(file); }

// fgets with every kind of line end turned into a newline.
char* Py_UniversalNewlineFgets(char* buffer, int n, FILE* stream, PyObject* file) {
  if (file != nullptr) {
    errno = ENXIO;
    return nullptr;
  }
  char* p = buffer;
  while (--n > 0) {
    int c = getc(stream);
    if (c == EOF) break;
    if (c == '\r') {
      int next = getc(stream);
      if (next != '\n' && next != EOF) ungetc(next, stream);
      c = '\n';
    }
    *p++ = static_cast<char>(c);
    if (c == '\n') break;
  }
  *p = '\0';
  return p == buffer ? nullptr : buffer;
}

}  // extern "C"
