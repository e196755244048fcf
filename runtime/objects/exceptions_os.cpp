// OSError and its subclasses by errno (PEP 3151).
#include <cerrno>

#include "objects/exceptions.h"
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyOSErrorObject* as_os_error(PyObject* o) { return reinterpret_cast<PyOSErrorObject*>(o); }

PyTypeObject* subclass_for(long code);

struct Parsed {
  PyObject *code = nullptr, *text = nullptr, *filename = nullptr, *filename2 = nullptr;
};

// The parts of OSError(errno, strerror[, filename[, winerror[, filename2]]]); borrowed.
Parsed parse(PyObject* args) {
  Parsed p;
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 2 || n > 5) return p;
  p.code = PyTuple_GET_ITEM(args, 0);
  p.text = PyTuple_GET_ITEM(args, 1);
  if (n >= 3) p.filename = PyTuple_GET_ITEM(args, 2);
  if (n == 5) p.filename2 = PyTuple_GET_ITEM(args, 4);
  return p;
}

int fill(PyObject* self, PyObject* args) {
  PyOSErrorObject* e = as_os_error(self);
  Parsed p = parse(args);
  Ref<> kept = Ref<>::share(args);
  if (p.filename != nullptr && p.filename != Py_None) {
    if (Py_IS_TYPE(self, reinterpret_cast<PyTypeObject*>(PyExc_BlockingIOError)) && PyNumber_Check(p.filename)) {
      const Py_ssize_t written = PyNumber_AsSsize_t(p.filename, PyExc_ValueError);
      if (written == -1 && PyErr_Occurred()) return -1;
      sync::store_relaxed(e->written, written);
    } else {
      set_exception_field(self, &e->filename, p.filename);
      if (p.filename2 != nullptr && p.filename2 != Py_None) set_exception_field(self, &e->filename2, p.filename2);
      // args stays the pair, as it was before there were file names.
      kept = Ref<>::steal(PyTuple_GetSlice(args, 0, 2));
      if (!kept) return -1;
    }
  }
  set_exception_field(self, &e->myerrno, p.code);
  set_exception_field(self, &e->strerror, p.text);
  set_exception_args(self, kept);
  return 0;
}

// A subclass that overrides __init__ but not __new__ parses its arguments there; otherwise __new__ does.
bool init_does_it(PyTypeObject* type) {
  PyTypeObject* base = reinterpret_cast<PyTypeObject*>(PyExc_OSError);
  return type->tp_init != base->tp_init && type->tp_new == base->tp_new;
}

PyObject* os_error_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!init_does_it(type)) {
    if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
      PyErr_Format(PyExc_TypeError, "%s() takes no keyword arguments", type->tp_name);
      return nullptr;
    }
    Parsed p = parse(args);
    if (p.code != nullptr && PyLong_Check(p.code) && type == reinterpret_cast<PyTypeObject*>(PyExc_OSError)) {
      int overflow;
      long code = PyLong_AsLongAndOverflow(p.code, &overflow);
      if (PyTypeObject* better = subclass_for(code)) type = better;
    }
  }
  Ref<> self = Ref<>::steal(exception_new(type, args, kwargs));
  if (!self) return nullptr;
  if (!init_does_it(type)) {
    if (fill(self, args) < 0) return nullptr;
  } else {
    Ref<> empty = Ref<>::steal(PyTuple_New(0));
    set_exception_args(self, empty);
  }
  return self.release();
}

int os_error_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (!init_does_it(Py_TYPE(self))) return 0;
  if (exception_refuses_keywords(self, kwargs)) return -1;
  return fill(self, args);
}

PyObject* os_error_str(PyObject* self) {
  PyOSErrorObject* e = as_os_error(self);
  Ref<> code = exception_field(self, &e->myerrno), text = exception_field(self, &e->strerror);
  Ref<> filename = exception_field(self, &e->filename), filename2 = exception_field(self, &e->filename2);
  auto or_none = [](PyObject* o) { return o != nullptr ? o : Py_None; };
  if (filename) {
    if (filename2) {
      return PyUnicode_FromFormat("[Errno %S] %S: %R -> %R", or_none(code), or_none(text), filename.get(), filename2.get());
    }
    return PyUnicode_FromFormat("[Errno %S] %S: %R", or_none(code), or_none(text), filename.get());
  }
  if (code && text) return PyUnicode_FromFormat("[Errno %S] %S", code.get(), text.get());
  return exception_str(self);
}

PyObject* os_error_reduce(PyObject* self, PyObject*) {
  PyOSErrorObject* e = as_os_error(self);
  Ref<> args = exception_args(self), dict = exception_field(self, &e->dict);
  Ref<> filename = exception_field(self, &e->filename), filename2 = exception_field(self, &e->filename2);
  if (PyTuple_GET_SIZE(args.get()) == 2 && filename) {
    PyObject* code = PyTuple_GET_ITEM(args.get(), 0);
    PyObject* text = PyTuple_GET_ITEM(args.get(), 1);
    if (filename2) {
      args = Ref<>::steal(PyTuple_Pack(5, code, text, filename.get(), Py_None, filename2.get()));
    } else {
      args = Ref<>::steal(PyTuple_Pack(3, code, text, filename.get()));
    }
    if (!args) return nullptr;
  }
  if (dict) return PyTuple_Pack(3, Py_TYPE(self), args.get(), dict.get());
  return PyTuple_Pack(2, Py_TYPE(self), args.get());
}

PyObject* get_written(PyObject* self, void*) {
  const Py_ssize_t written = sync::load_relaxed(as_os_error(self)->written);
  if (written == -1) {
    PyErr_SetString(PyExc_AttributeError, "characters_written");
    return nullptr;
  }
  return PyLong_FromSsize_t(written);
}
int set_written(PyObject* self, PyObject* value, void*) {
  PyOSErrorObject* e = as_os_error(self);
  if (value == nullptr) {
    if (sync::load_relaxed(e->written) == -1) {
      PyErr_SetString(PyExc_AttributeError, "characters_written");
      return -1;
    }
    sync::store_relaxed(e->written, Py_ssize_t{-1});
    return 0;
  }
  Py_ssize_t n = PyNumber_AsSsize_t(value, PyExc_ValueError);
  if (n == -1 && PyErr_Occurred()) return -1;
  sync::store_relaxed(e->written, n);
  return 0;
}

PyMemberDef os_error_members[] = {
    {"errno", _Py_T_OBJECT, offsetof(PyOSErrorObject, myerrno), 0, "POSIX exception code"},
    {"strerror", _Py_T_OBJECT, offsetof(PyOSErrorObject, strerror), 0, "exception strerror"},
    {"filename", _Py_T_OBJECT, offsetof(PyOSErrorObject, filename), 0, "exception filename"},
    {"filename2", _Py_T_OBJECT, offsetof(PyOSErrorObject, filename2), 0, "second exception filename"},
    {},
};
PyGetSetDef os_error_getsets[] = {
    {"characters_written", get_written, set_written, nullptr, nullptr},
    {},
};
PyMethodDef os_error_methods[] = {
    {"__reduce__", os_error_reduce, METH_NOARGS, nullptr},
    {},
};

}  // namespace

AMPHIS_EXCEPTION_TYPE(OSError_type, "OSError", nullptr, PyOSErrorObject, "Base class for I/O related errors.",
                      os_error_init, os_error_str, os_error_members, os_error_getsets, os_error_methods);
#define AMPHIS_OS_EXCEPTION(name, base, document)                                                            \
  AMPHIS_EXCEPTION_TYPE(name##_type, #name, &base, PyOSErrorObject, document, os_error_init, os_error_str, \
                        nullptr, nullptr, nullptr)
AMPHIS_OS_EXCEPTION(BlockingIOError, OSError_type, "I/O operation would block.");
AMPHIS_OS_EXCEPTION(ConnectionError, OSError_type, "Connection error.");
AMPHIS_OS_EXCEPTION(ChildProcessError, OSError_type, "Child process error.");
AMPHIS_OS_EXCEPTION(BrokenPipeError, ConnectionError_type, "Broken pipe.");
AMPHIS_OS_EXCEPTION(ConnectionAbortedError, ConnectionError_type, "Connection aborted.");
AMPHIS_OS_EXCEPTION(ConnectionRefusedError, ConnectionError_type, "Connection refused.");
AMPHIS_OS_EXCEPTION(ConnectionResetError, ConnectionError_type, "Connection reset.");
AMPHIS_OS_EXCEPTION(FileExistsError, OSError_type, "File already exists.");
AMPHIS_OS_EXCEPTION(FileNotFoundError, OSError_type, "File not found.");
AMPHIS_OS_EXCEPTION(IsADirectoryError, OSError_type, "Operation doesn't work on directories.");
AMPHIS_OS_EXCEPTION(NotADirectoryError, OSError_type, "Operation only works on directories.");
AMPHIS_OS_EXCEPTION(InterruptedError, OSError_type, "Interrupted by signal.");
AMPHIS_OS_EXCEPTION(PermissionError, OSError_type, "Not enough permissions.");
AMPHIS_OS_EXCEPTION(ProcessLookupError, OSError_type, "Process not found.");
AMPHIS_OS_EXCEPTION(TimeoutError, OSError_type, "Timeout expired.");

namespace {

PyTypeObject* subclass_for(long code) {
  switch (code) {
    case EAGAIN:
    case EALREADY:
    case EINPROGRESS:
      return &BlockingIOError_type;
    case EPIPE:
    case ESHUTDOWN:
      return &BrokenPipeError_type;
    case ECHILD:
      return &ChildProcessError_type;
    case ECONNABORTED:
      return &ConnectionAbortedError_type;
    case ECONNREFUSED:
      return &ConnectionRefusedError_type;
    case ECONNRESET:
      return &ConnectionResetError_type;
    case EEXIST:
      return &FileExistsError_type;
    case ENOENT:
      return &FileNotFoundError_type;
    case EISDIR:
      return &IsADirectoryError_type;
    case ENOTDIR:
      return &NotADirectoryError_type;
    case EINTR:
      return &InterruptedError_type;
    case EACCES:
    case EPERM:
      return &PermissionError_type;
    case ESRCH:
      return &ProcessLookupError_type;
    case ETIMEDOUT:
      return &TimeoutError_type;
    default:
      return nullptr;
  }
}

}  // namespace

void set_exception_os_bases() {
  OSError_type.tp_base = reinterpret_cast<PyTypeObject*>(PyExc_Exception);
  PyTypeObject* const all[] = {&OSError_type,          &BlockingIOError_type,        &ConnectionError_type,
                               &ChildProcessError_type, &BrokenPipeError_type,       &ConnectionAbortedError_type,
                               &ConnectionRefusedError_type, &ConnectionResetError_type, &FileExistsError_type,
                               &FileNotFoundError_type, &IsADirectoryError_type,     &NotADirectoryError_type,
                               &InterruptedError_type,  &PermissionError_type,       &ProcessLookupError_type,
                               &TimeoutError_type};
  for (PyTypeObject* type : all) type->tp_new = os_error_new;
}

}  // namespace amphis

extern "C" {

using namespace amphis;

#define AMPHIS_EXPORT_EXCEPTION(name) PyObject* PyExc_##name = reinterpret_cast<PyObject*>(&name##_type);
AMPHIS_EXPORT_EXCEPTION(OSError)
AMPHIS_EXPORT_EXCEPTION(BlockingIOError)
AMPHIS_EXPORT_EXCEPTION(ConnectionError)
AMPHIS_EXPORT_EXCEPTION(ChildProcessError)
AMPHIS_EXPORT_EXCEPTION(BrokenPipeError)
AMPHIS_EXPORT_EXCEPTION(ConnectionAbortedError)
AMPHIS_EXPORT_EXCEPTION(ConnectionRefusedError)
AMPHIS_EXPORT_EXCEPTION(ConnectionResetError)
AMPHIS_EXPORT_EXCEPTION(FileExistsError)
AMPHIS_EXPORT_EXCEPTION(FileNotFoundError)
AMPHIS_EXPORT_EXCEPTION(IsADirectoryError)
AMPHIS_EXPORT_EXCEPTION(NotADirectoryError)
AMPHIS_EXPORT_EXCEPTION(InterruptedError)
AMPHIS_EXPORT_EXCEPTION(PermissionError)
AMPHIS_EXPORT_EXCEPTION(ProcessLookupError)
AMPHIS_EXPORT_EXCEPTION(TimeoutError)
PyObject* PyExc_EnvironmentError = reinterpret_cast<PyObject*>(&OSError_type);
PyObject* PyExc_IOError = reinterpret_cast<PyObject*>(&OSError_type);

}  // extern "C"
