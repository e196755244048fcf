// _io.FileIO: a raw file over a descriptor. Every system call runs detached and is repeated after a signal whose handler
// did not raise. Invariant: fd is -1 or a descriptor that, if closefd, this object closes once.
#include "modules/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace amphis::io {
namespace {

constexpr Py_ssize_t kMaxTransfer = 0x7ffff000;  // what Linux moves in one call
constexpr Py_ssize_t kSmallChunk = 8192;
constexpr Py_ssize_t kLargeFile = 65536;

FileIO* as_file(PyObject* op) { return reinterpret_cast<FileIO*>(op); }

PyObject* raise_closed() {
  PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
  return nullptr;
}

// Calls `call` detached until it is not interrupted; false with an exception of a signal handler.
template <class Call>
bool repeat_call(Call call, int64_t* result) {
  for (;;) {
    int error;
    {
      Detached detached;
      errno = 0;
      *result = call();
      error = errno;
    }
    errno = error;
    if (*result >= 0 || error != EINTR) return true;
    if (PyErr_CheckSignals() < 0) return false;
    errno = error;
  }
}

int close_fd(FileIO* self) {
  const int fd = sync::exchange(self->fd, -1);  // a number is closed once: another file may have it afterwards
  if (fd < 0) return 0;
  int result, error;
  {
    Detached detached;
    result = ::close(fd);
    error = errno;
  }
  if (result < 0) {
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
  return 0;
}

// ---- opening ----

struct Mode {
  bool readable = false, writable = false, created = false, appending = false;
  int flags = 0;
};

bool parse_mode(const char* text, Mode* mode) {
  bool kind = false, plus = false;
  bool ok = true;
  for (const char* p = text; *p; p++) {
    switch (*p) {
      case 'x':
      case 'r':
      case 'w':
      case 'a':
        if (kind) ok = false;
        kind = true;
        if (*p == 'r') {
          mode->readable = true;
        } else {
          mode->writable = true;
          mode->flags |= *p == 'x' ? O_EXCL | O_CREAT : *p == 'w' ? O_CREAT | O_TRUNC : O_APPEND | O_CREAT;
          mode->created = *p == 'x';
          mode->appending = *p == 'a';
        }
        break;
      case 'b':
        break;
      case '+':
        if (plus) ok = false;
        plus = true;
        mode->readable = mode->writable = true;
        break;
      default:
        PyErr_Format(PyExc_ValueError, "invalid mode: %.200s", text);
        return false;
    }
    if (!ok) break;
  }
  if (!ok || !kind) {
    PyErr_SetString(PyExc_ValueError,
                    "Must have exactly one of create/read/write/append mode and at most one plus");
    return false;
  }
  mode->flags |= mode->readable && mode->writable ? O_RDWR : mode->readable ? O_RDONLY : O_WRONLY;
  mode->flags |= O_CLOEXEC;
  return true;
}

// The descriptor that the caller's opener returns, or -1 with an exception.
int call_opener(PyObject* opener, PyObject* name, int flags) {
  Ref<> result = Ref<>::steal(PyObject_CallFunction(opener, "Oi", name, flags));
  if (!result) return -1;
  if (!PyLong_Check(result.get())) {
    PyErr_SetString(PyExc_TypeError, "expected integer from opener");
    return -1;
  }
  const int fd = PyLong_AsInt(result.get());
  if (fd < 0) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "opener returned %d", fd);
    return -1;
  }
  if (_Py_set_inheritable(fd, 0, nullptr) < 0) return -1;
  return fd;
}

// Looks at what was opened: no directories; remembers sizes.
bool examine(FileIO* self, PyObject* name) {
  struct stat st;
  int result, error;
  {
    Detached detached;
    result = fstat(self->fd, &st);
    error = errno;
  }
  self->block_size = 8192;
  self->size_at_open = -1;
  self->regular = false;
  if (result < 0) {
    if (error != EBADF) return true;
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  if (S_ISDIR(st.st_mode)) {
    errno = EISDIR;
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
    return false;
  }
  if (st.st_blksize > 1) self->block_size = static_cast<unsigned>(st.st_blksize);
  self->size_at_open = st.st_size;
  self->regular = S_ISREG(st.st_mode);
  return true;
}

bool open_into(FileIO* self, PyObject* name, const char* mode_text, bool closefd, PyObject* opener) {
  int fd = -1;
  Ref<> path;
  if (PyBool_Check(name) && PyErr_WarnEx(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1) < 0)
    return false;
  fd = PyLong_Check(name) ? PyLong_AsInt(name) : -1;
  if (PyLong_Check(name) && fd < 0) {
    if (!PyErr_Occurred()) {
      PyErr_SetString(PyExc_ValueError, "negative file descriptor");
      return false;
    }
    PyErr_Clear();
  }
  if (fd < 0) {
    PyObject* bytes = nullptr;
    if (!PyUnicode_FSConverter(name, &bytes)) return false;
    path = Ref<>::steal(bytes);
  }
  Mode mode;
  if (!parse_mode(mode_text, &mode)) return false;
  self->created = mode.created;
  self->readable = mode.readable;
  self->writable = mode.writable;
  self->appending = mode.appending;
  if (PySys_Audit("open", "Osi", name, mode_text, mode.flags) < 0) return false;
  bool own = true;
  if (fd >= 0) {
    self->fd = fd;
    self->closefd = closefd;
    own = false;
  } else {
    self->closefd = true;
    if (!closefd) {
      PyErr_SetString(PyExc_ValueError, "Cannot use closefd=False with file name");
      return false;
    }
    if (opener == nullptr || opener == Py_None) {
      int64_t result;
      const char* text = PyBytes_AS_STRING(path.get());
      if (!repeat_call([&] { return static_cast<int64_t>(::open(text, mode.flags, 0666)); }, &result)) return false;
      if (result < 0) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, name);
        return false;
      }
      self->fd = static_cast<int>(result);
    } else {
      self->fd = call_opener(opener, name, mode.flags);
      if (self->fd < 0) return false;
    }
  }
  bool ok = examine(self, name) && PyObject_SetAttr(reinterpret_cast<PyObject*>(self), AMPHIS_STATIC_NAME("name"), name) == 0;
  if (ok && self->appending) {
    // So that tell() is right from the start; a pipe has no position.
    if (file_seek(self, 0, SEEK_END) < 0) {
      if (PyErr_ExceptionMatches(PyExc_OSError))
        PyErr_Clear();
      else
        ok = false;
    }
  }
  if (ok) return true;
  if (!own) {
    self->fd = -1;  // not ours to close when nothing came of it
  } else {
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    if (close_fd(self) < 0) PyErr_Clear();
    PyErr_SetRaisedException(error.release());
  }
  return false;
}

PyObject* fileio_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  FileIO* self = as_file(op);
  self->fd = -1;
  self->seekable = -1;
  self->closefd = true;
  self->size_at_open = -1;
  return op;
}

int fileio_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "mode", "closefd", "opener", nullptr};
  PyObject *name, *opener = Py_None;
  const char* mode = "r";
  int closefd = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|spO:FileIO", const_cast<char**>(keywords), &name, &mode, &closefd,
                                   &opener))
    return -1;
  FileIO* self = as_file(op);
  if (self->fd >= 0) {
    // A second __init__ replaces what the first one opened.
    if (self->closefd) {
      if (close_fd(self) < 0) return -1;
    } else {
      self->fd = -1;
    }
  }
  self->seekable = -1;
  return open_into(self, name, mode, closefd != 0, opener) ? 0 : -1;
}

// ---- methods ----

PyObject* raise_mode(const char* action) {
  return PyErr_Format(unsupported_operation, "File not open for %s", action);
}

PyObject* fileio_fileno(PyObject* op, PyObject*) {
  return as_file(op)->fd < 0 ? raise_closed() : PyLong_FromLong(as_file(op)->fd);
}
PyObject* fileio_readable(PyObject* op, PyObject*) {
  return as_file(op)->fd < 0 ? raise_closed() : PyBool_FromLong(as_file(op)->readable);
}
PyObject* fileio_writable(PyObject* op, PyObject*) {
  return as_file(op)->fd < 0 ? raise_closed() : PyBool_FromLong(as_file(op)->writable);
}
PyObject* fileio_seekable(PyObject* op, PyObject*) {
  FileIO* self = as_file(op);
  if (self->fd < 0) return raise_closed();
  if (self->seekable < 0) {
    if (file_seek(self, 0, SEEK_CUR) < 0) {
      PyErr_Clear();
      self->seekable = 0;
    } else {
      self->seekable = 1;
    }
  }
  return PyBool_FromLong(self->seekable);
}

PyObject* fileio_isatty(PyObject* op, PyObject*) {
  FileIO* self = as_file(op);
  if (self->fd < 0) return raise_closed();
  int answer;
  {
    Detached detached;
    answer = isatty(self->fd);
  }
  return PyBool_FromLong(answer);
}

// Just after opening: a regular file is no terminal, which saves the system call.
PyObject* fileio_isatty_open_only(PyObject* op, PyObject*) {
  if (as_file(op)->regular) Py_RETURN_FALSE;
  return fileio_isatty(op, nullptr);
}

PyObject* fileio_readinto(PyObject* op, PyObject* target) {
  FileIO* self = as_file(op);
  if (self->fd < 0) return raise_closed();
  if (!self->readable) return raise_mode("reading");
  Py_buffer view;
  if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "readinto() argument 1 must be read-write bytes-like object, not %T", target);
  }
  const Py_ssize_t n = file_read(self, static_cast<char*>(view.buf), view.len);
  PyBuffer_Release(&view);
  if (n == kWouldBlock) Py_RETURN_NONE;
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

int64_t detached_seek(int fd, int64_t offset, int whence) {
  Detached detached;
  return lseek(fd, offset, whence);
}

PyObject* read_all(FileIO* self) {
  // A regular file of known size is read in one go, with a byte more to see its end.
  Py_ssize_t size = kSmallChunk;
  const int64_t end = self->size_at_open;
  if (end > 0 && end < PY_SSIZE_T_MAX - 1) {
    size = static_cast<Py_ssize_t>(end) + 1;
    // Where it matters, what was read already is left out.
    if (size > kLargeFile) {
      const int64_t position = detached_seek(self->fd, 0, SEEK_CUR);
      if (position >= 0 && position <= end) size -= static_cast<Py_ssize_t>(position);
    }
  }
  PyObject* raw = PyBytes_FromStringAndSize(nullptr, size);
  if (raw == nullptr) return nullptr;
  Py_ssize_t used = 0;
  for (;;) {
    if (used == size) {
      const Py_ssize_t more = std::max<Py_ssize_t>(size / 4, kSmallChunk);
      if (size > PY_SSIZE_T_MAX - more) {
        Py_DECREF(raw);
        PyErr_SetString(PyExc_OverflowError, "unbounded read returned more bytes than a Python bytes object can hold");
        return nullptr;
      }
      size += more;
      if (_PyBytes_Resize(&raw, size) < 0) return nullptr;
    }
    const Py_ssize_t n = file_read(self, PyBytes_AS_STRING(raw) + used, size - used);
    if (n == 0) break;
    if (n == kWouldBlock) {
      if (used > 0) break;
      Py_DECREF(raw);
      Py_RETURN_NONE;
    }
    if (n < 0) {
      Py_DECREF(raw);
      return nullptr;
    }
    used += n;
  }
  if (used != size) _PyBytes_Resize(&raw, used);
  return raw;
}

PyObject* fileio_readall(PyObject* op, PyObject*) {
  FileIO* self = as_file(op);
  if (self->fd < 0) return raise_closed();
  if (!self->readable) return raise_mode("reading");
  return read_all(self);
}

PyObject* fileio_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  FileIO* self = as_file(op);
  Py_ssize_t size = -1;
  if (!size_argument("read", args, nargs, &size)) return nullptr;
  if (self->fd < 0) return raise_closed();
  if (!self->readable) return raise_mode("reading");
  if (size < 0) return Py_IS_TYPE(op, &fileio_type) ? read_all(self) : PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("readall"));
  size = std::min(size, kMaxTransfer);
  PyObject* data = PyBytes_FromStringAndSize(nullptr, size);
  if (data == nullptr) return nullptr;
  const Py_ssize_t n = file_read(self, PyBytes_AS_STRING(data), size);
  if (n < 0) {
    Py_DECREF(data);
    if (n == kWouldBlock) Py_RETURN_NONE;
    return nullptr;
  }
  if (n != size) _PyBytes_Resize(&data, n);
  return data;
}

PyObject* fileio_write(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  FileIO* self = as_file(op);
  if (!check_no_kwnames("write", kwnames)) return nullptr;
  if (nargs != 1)
    return PyErr_Format(PyExc_TypeError, "write() takes exactly 1 positional argument (%zd given)", nargs);
  Py_buffer view;
  if (PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0) return nullptr;
  Py_ssize_t n = -1;
  if (self->fd < 0)
    raise_closed();
  else if (!self->writable)
    raise_mode("writing");
  else
    n = file_write(self, static_cast<const char*>(view.buf), view.len);
  PyBuffer_Release(&view);
  if (n == kWouldBlock) Py_RETURN_NONE;
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

PyObject* fileio_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  FileIO* self = as_file(op);
  PyObject* position;
  int whence;
  if (!seek_arguments(args, nargs, &position, &whence)) return nullptr;
  if (self->fd < 0) return raise_closed();
  int64_t offset;
  if (!offset_from(position, &offset)) return nullptr;
  const int64_t at = file_seek(self, offset, whence);
  return at < 0 ? nullptr : PyLong_FromLongLong(at);
}

PyObject* fileio_tell(PyObject* op, PyObject*) {
  FileIO* self = as_file(op);
  if (self->fd < 0) return raise_closed();
  const int64_t at = file_seek(self, 0, SEEK_CUR);
  return at < 0 ? nullptr : PyLong_FromLongLong(at);
}

PyObject* fileio_truncate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  FileIO* self = as_file(op);
  if (!check_positional("truncate", nargs, 0, 1)) return nullptr;
  if (self->fd < 0) return raise_closed();
  if (!self->writable) return raise_mode("writing");
  Ref<> size;
  int64_t length;
  if (nargs == 0 || args[0] == Py_None) {
    length = file_seek(self, 0, SEEK_CUR);
    if (length < 0) return nullptr;
    size = Ref<>::steal(PyLong_FromLongLong(length));
    if (!size) return nullptr;
  } else {
    size = Ref<>::share(args[0]);
    if (!offset_from(args[0], &length)) return nullptr;
  }
  int64_t result;
  if (!repeat_call([&] { return static_cast<int64_t>(ftruncate(self->fd, length)); }, &result)) return nullptr;
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  return size.release();
}

PyObject* fileio_dealloc_warn(PyObject* op, PyObject* source) {
  if (as_file(op)->fd >= 0 && as_file(op)->closefd) {
    Ref<> pending = Ref<>::steal(PyErr_GetRaisedException());
    if (PyErr_ResourceWarning(source, 1, "unclosed file %R", source) < 0) {
      // Finalizers cannot raise: a warning made an error is reported.
      if (PyErr_ExceptionMatches(PyExc_Warning)) PyErr_FormatUnraisable("Exception ignored while finalizing file %R", op);
    }
    PyErr_SetRaisedException(pending.release());
  }
  Py_RETURN_NONE;
}

PyObject* fileio_close(PyObject* op, PyObject*) {
  FileIO* self = as_file(op);
  Ref<> done = Ref<>::steal(PyObject_CallMethodOneArg(reinterpret_cast<PyObject*>(&raw_iobase_type),
                                                      AMPHIS_STATIC_NAME("close"), op));
  if (!self->closefd) {
    self->fd = -1;
    return done.release();
  }
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  if (self->finalizing) Py_XDECREF(fileio_dealloc_warn(op, op));
  const bool closed = close_fd(self) == 0;
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  return closed ? done.release() : nullptr;
}

const char* mode_text(const FileIO* self) {
  if (self->created) return self->readable ? "xb+" : "xb";
  if (self->appending) return self->readable ? "ab+" : "ab";
  if (self->readable) return self->writable ? "rb+" : "rb";
  return "wb";
}

PyObject* get_closed(PyObject* op, void*) { return PyBool_FromLong(as_file(op)->fd < 0); }
PyObject* get_closefd(PyObject* op, void*) { return PyBool_FromLong(as_file(op)->closefd); }
PyObject* get_mode(PyObject* op, void*) { return PyUnicode_FromString(mode_text(as_file(op))); }
PyObject* get_block_size(PyObject* op, void*) { return PyLong_FromUnsignedLong(as_file(op)->block_size); }

PyObject* fileio_repr(PyObject* op) {
  FileIO* self = as_file(op);
  const char* type = Py_TYPE(op)->tp_name;
  if (self->fd < 0) return PyUnicode_FromFormat("<%.100s [closed]>", type);
  PyObject* found;
  if (PyObject_GetOptionalAttr(op, AMPHIS_STATIC_NAME("name"), &found) < 0) return nullptr;
  Ref<> name = Ref<>::steal(found);
  const char* closefd = self->closefd ? "True" : "False";
  if (!name) return PyUnicode_FromFormat("<%.100s fd=%d mode='%s' closefd=%s>", type, self->fd, mode_text(self), closefd);
  const int nested = Py_ReprEnter(op);
  if (nested != 0) {
    if (nested > 0) PyErr_Format(PyExc_RuntimeError, "reentrant call inside %s.__repr__", type);
    return nullptr;
  }
  PyObject* text =
      PyUnicode_FromFormat("<%.100s name=%R mode='%s' closefd=%s>", type, name.get(), mode_text(self), closefd);
  Py_ReprLeave(op);
  return text;
}

int fileio_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_file(op)->base.dict);
  return 0;
}
int fileio_clear(PyObject* op) {
  Py_CLEAR(as_file(op)->base.dict);
  return 0;
}

void fileio_dealloc(PyObject* op) {
  as_file(op)->finalizing = true;
  // A closed file of this very class has nothing to finalize.
  if (!(Py_IS_TYPE(op, &fileio_type) && as_file(op)->fd < 0) && finalize(op) < 0) return;
  untrack(op);
  drop_base(&as_file(op)->base);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef fileio_methods[] = {
    {"read", AMPHIS_METHOD(fileio_read), METH_FASTCALL,
     "read($self, size=-1, /)\n--\n\nRead at most size bytes with one system call, or all with a negative size."},
    {"readall", fileio_readall, METH_NOARGS, "readall($self, /)\n--\n\nRead until the end of the file."},
    {"readinto", fileio_readinto, METH_O, "readinto($self, buffer, /)\n--\n\nRead into the buffer, return how much."},
    {"write", AMPHIS_METHOD(fileio_write), METH_FASTCALL | METH_KEYWORDS,
     "write($self, b, /)\n--\n\nWrite with one system call and return how many bytes were taken."},
    {"seek", AMPHIS_METHOD(fileio_seek), METH_FASTCALL,
     "seek($self, pos, whence=0, /)\n--\n\nMove to a new position and return it."},
    {"tell", fileio_tell, METH_NOARGS, "tell($self, /)\n--\n\nThe current position."},
    {"truncate", AMPHIS_METHOD(fileio_truncate), METH_FASTCALL,
     "truncate($self, size=None, /)\n--\n\nCut the file at size, by default at the current position."},
    {"close", fileio_close, METH_NOARGS, "close($self, /)\n--\n\nClose the file."},
    {"seekable", fileio_seekable, METH_NOARGS, "seekable($self, /)\n--\n\nWhether the file has positions."},
    {"readable", fileio_readable, METH_NOARGS, "readable($self, /)\n--\n\nWhether the file was opened for reading."},
    {"writable", fileio_writable, METH_NOARGS, "writable($self, /)\n--\n\nWhether the file was opened for writing."},
    {"fileno", fileio_fileno, METH_NOARGS, "fileno($self, /)\n--\n\nThe file descriptor."},
    {"isatty", fileio_isatty, METH_NOARGS, "isatty($self, /)\n--\n\nWhether the file is a terminal."},
    {"_isatty_open_only", fileio_isatty_open_only, METH_NOARGS, "_isatty_open_only($self, /)\n--\n\n"},
    {"_dealloc_warn", fileio_dealloc_warn, METH_O, "_dealloc_warn($self, object, /)\n--\n\n"},
    {"__getstate__", no_pickle, METH_NOARGS, "__getstate__($self, /)\n--\n\n"},
    {},
};
PyGetSetDef fileio_getset[] = {
    {"closed", get_closed, nullptr, "True if the file is closed", nullptr},
    {"closefd", get_closefd, nullptr, "Whether closing the file closes its descriptor.", nullptr},
    {"mode", get_mode, nullptr, "The mode in its canonical form.", nullptr},
    {"_blksize", get_block_size, nullptr, "The file system's preferred size of transfers.", nullptr},
    {},
};
PyMemberDef fileio_members[] = {
    {"_finalizing", Py_T_BOOL, offsetof(FileIO, finalizing), 0, nullptr},
    {},
};

}  // namespace

Py_ssize_t file_read(FileIO* self, char* to, Py_ssize_t size) {
  int64_t n;
  size = std::min(size, kMaxTransfer);
  if (!repeat_call([&] { return static_cast<int64_t>(::read(self->fd, to, static_cast<size_t>(size))); }, &n)) return -1;
  if (n >= 0) return n;
  if (errno == EAGAIN) return kWouldBlock;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

Py_ssize_t file_write(FileIO* self, const char* from, Py_ssize_t size) {
  int64_t n;
  size = std::min(size, kMaxTransfer);
  if (!repeat_call([&] { return static_cast<int64_t>(::write(self->fd, from, static_cast<size_t>(size))); }, &n))
    return -1;
  // A short write may mean that a signal came: its handler runs before anything else does.
  if (n >= 0) return n < size && PyErr_CheckSignals() < 0 ? -1 : n;
  if (errno == EAGAIN) return kWouldBlock;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

int64_t file_seek(FileIO* self, int64_t offset, int whence) {
  int64_t at;
  int error;
  {
    Detached detached;
    at = lseek(self->fd, offset, whence);
    error = errno;
  }
  if (self->seekable < 0) self->seekable = at >= 0;
  if (at < 0) {
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
  return at;
}

PyTypeObject fileio_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.FileIO",
    .tp_basicsize = sizeof(FileIO),
    .tp_dealloc = fileio_dealloc,
    .tp_repr = fileio_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "FileIO(file, mode='r', closefd=True, opener=None)\n--\n\n"
              "A file without buffering. The mode is one of 'r', 'w', 'x' and 'a', with a '+' for both directions;\n"
              "file is a name or a descriptor. An opener is called with the name and flags and returns a descriptor.",
    .tp_traverse = fileio_traverse,
    .tp_clear = fileio_clear,
    .tp_weaklistoffset = offsetof(IOBase, weakrefs),
    .tp_methods = fileio_methods,
    .tp_members = fileio_members,
    .tp_getset = fileio_getset,
    .tp_base = &raw_iobase_type,
    .tp_dictoffset = offsetof(IOBase, dict),
    .tp_init = fileio_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = fileio_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
