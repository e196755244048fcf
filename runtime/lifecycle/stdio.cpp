// The standard streams: made from descriptors 0 to 2 at start-up, flushed at the end.
#include "lifecycle/config.h"
#include "lifecycle/runtime_state.h"
#include "modules/running_config.h"
#include "sync/ref.h"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace amphis {

namespace {

bool valid_descriptor(int fd) { return fcntl(fd, F_GETFD) >= 0; }

// A text stream over fd, None if fd is closed: new reference.
PyObject* make_stream(PyObject* io, int fd, const char* name, bool writing) {
  if (!valid_descriptor(fd)) Py_RETURN_NONE;
  const PyConfig& c = running_config;
  // Interactive input is read by the terminal's own buffer too; output unbuffered only on request.
  const int buffering = !c.buffered_stdio && writing ? 0 : -1;
  Ref<> buffer = Ref<>::steal(
      PyObject_CallMethod(io, "open", "isiOOOO", fd, writing ? "wb" : "rb", buffering, Py_None, Py_None, Py_None, Py_False));
  if (!buffer) return nullptr;
  Ref<> raw;
  if (buffering != 0) {
    raw = Ref<>::steal(PyObject_GetAttrString(buffer, "raw"));
  } else {
    raw = buffer.copy();
  }
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  if (!raw || !text || PyObject_SetAttrString(raw, "name", text) < 0) return nullptr;
  Ref<> tty = Ref<>::steal(PyObject_CallMethod(raw, "isatty", nullptr));
  if (!tty) return nullptr;
  int is_tty = PyObject_IsTrue(tty);
  if (is_tty < 0) return nullptr;
  const bool write_through = !c.buffered_stdio;
  const bool line_buffering = c.buffered_stdio && (is_tty || fd == 2);
  Ref<> encoding = Ref<>::steal(PyUnicode_FromWideChar(c.stdio_encoding, -1));
  Ref<> errors = fd == 2 ? Ref<>::steal(PyUnicode_FromString("backslashreplace"))
                         : Ref<>::steal(PyUnicode_FromWideChar(c.stdio_errors, -1));
  if (!encoding || !errors) return nullptr;
  Ref<> stream = Ref<>::steal(PyObject_CallMethod(io, "TextIOWrapper", "OOOsOO", buffer.get(), encoding.get(), errors.get(), "\n",
                                                  line_buffering ? Py_True : Py_False, write_through ? Py_True : Py_False));
  if (!stream) return nullptr;
  Ref<> mode = Ref<>::steal(PyUnicode_FromString(writing ? "w" : "r"));
  if (!mode || PyObject_SetAttrString(stream, "mode", mode) < 0) return nullptr;
  return stream.release();
}

int set_stream(PyObject* io, int fd, const char* file_name, const char* name, const char* saved_name) {
  Ref<> stream = Ref<>::steal(make_stream(io, fd, file_name, fd != 0));
  if (!stream) return -1;
  return PySys_SetObject(saved_name, stream) < 0 || PySys_SetObject(name, stream) < 0 ? -1 : 0;
}

bool is_closed(PyObject* stream) {
  PyObject* found;
  if (PyObject_GetOptionalAttrString(stream, "closed", &found) <= 0) {
    PyErr_Clear();
    return false;
  }
  Ref<> closed = Ref<>::steal(found);
  int truth = PyObject_IsTrue(closed);
  if (truth < 0) PyErr_Clear();
  return truth > 0;
}

}  // namespace

int init_preliminary_stderr() {
  Ref<> printer = Ref<>::steal(PyFile_NewStdPrinter(2));
  return !printer || PySys_SetObject("stderr", printer) < 0 || PySys_SetObject("__stderr__", printer) < 0 ? -1 : 0;
}

PyStatus init_standard_streams() {
  Ref<> io = Ref<>::steal(PyImport_ImportModule("_io"));
  if (!io) return status_error("init_sys_streams", "can't import _io");
  if (set_stream(io, 0, "<stdin>", "stdin", "__stdin__") < 0 || set_stream(io, 1, "<stdout>", "stdout", "__stdout__") < 0 ||
      set_stream(io, 2, "<stderr>", "stderr", "__stderr__") < 0) {
    return status_error("init_sys_streams", "can't initialize sys standard streams");
  }
  return status_ok();
}

int flush_standard_streams() {
  int status = 0;
  Ref<> out = Ref<>::share(PySys_GetObject("stdout"));
  Ref<> err = Ref<>::share(PySys_GetObject("stderr"));
  if (out && out.get() != Py_None && !is_closed(out)) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(out, "flush", nullptr));
    if (!done) {
      PyErr_FormatUnraisable("Exception ignored while flushing sys.stdout");
      status = -1;
    }
  }
  if (err && err.get() != Py_None && !is_closed(err)) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(err, "flush", nullptr));
    if (!done) {
      PyErr_Clear();
      status = -1;
    }
  }
  return status;
}

}  // namespace amphis
