// stderrprinter: what sys.stderr is before the real stream exists. Writes text to a descriptor and nothing else.
#include "sync/ref.h"

#include <unistd.h>

namespace amphis {

namespace {

struct StdPrinter {
  PyObject_HEAD
  int fd;
};

StdPrinter* as_printer(PyObject* self) { return reinterpret_cast<StdPrinter*>(self); }

PyObject* printer_write(PyObject* self, PyObject* args) {
  PyObject* text;
  if (!PyArg_ParseTuple(args, "U", &text)) return nullptr;
  if (as_printer(self)->fd < 0) Py_RETURN_NONE;
  Ref<> bytes = Ref<>::steal(PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
  if (!bytes) return nullptr;
  const char* data = PyBytes_AS_STRING(bytes.get());
  Py_ssize_t left = PyBytes_GET_SIZE(bytes.get());
  while (left > 0) {
    ssize_t n = write(as_printer(self)->fd, data, static_cast<size_t>(left));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) Py_RETURN_NONE;
    if (n < 0) return PyErr_SetFromErrno(PyExc_OSError);
    data += n;
    left -= n;
  }
  return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

PyObject* printer_fileno(PyObject* self, PyObject*) { return PyLong_FromLong(as_printer(self)->fd); }
PyObject* printer_isatty(PyObject* self, PyObject*) { return PyBool_FromLong(as_printer(self)->fd >= 0 && isatty(as_printer(self)->fd)); }
PyObject* printer_nothing(PyObject*, PyObject*) { Py_RETURN_NONE; }

PyObject* printer_repr(PyObject* self) {
  return PyUnicode_FromFormat("<stdprinter(fd=%d) object at %p>", as_printer(self)->fd, self);
}

PyObject* get_encoding(PyObject*, void*) { Py_RETURN_NONE; }
PyObject* get_mode(PyObject*, void*) { return PyUnicode_FromString("w"); }
PyObject* get_closed(PyObject*, void*) { Py_RETURN_FALSE; }

PyMethodDef printer_methods[] = {
    {"close", printer_nothing, METH_NOARGS, ""},   {"flush", printer_nothing, METH_NOARGS, ""},
    {"fileno", printer_fileno, METH_NOARGS, ""},   {"isatty", printer_isatty, METH_NOARGS, ""},
    {"write", printer_write, METH_VARARGS, ""},    {},
};
PyGetSetDef printer_getsets[] = {
    {"encoding", get_encoding, nullptr, "Encoding of the file", nullptr},
    {"mode", get_mode, nullptr, "String giving the file mode", nullptr},
    {"closed", get_closed, nullptr, "True if the file is closed", nullptr},
    {},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyStdPrinter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "stderrprinter",
    .tp_basicsize = sizeof(StdPrinter),
    .tp_repr = printer_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = printer_methods,
    .tp_getset = printer_getsets,
};

PyObject* PyFile_NewStdPrinter(int fd) {
  if (fd != 1 && fd != 2) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (PyType_Ready(&PyStdPrinter_Type) < 0) return nullptr;
  PyObject* self = PyStdPrinter_Type.tp_alloc(&PyStdPrinter_Type, 0);
  if (self != nullptr) as_printer(self)->fd = fd;
  return self;
}

}  // extern "C"
