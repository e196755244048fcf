// Reading through the buffer of BufferedReader and BufferedRandom.
#include "modules/io_buffered.h"

#include <algorithm>

namespace amphis::io {
namespace {

// Reads more into an empty or part-full buffer: the count, kWouldBlock, or -1.
Py_ssize_t fill(Buffered* self) {
  if (self->pos == self->end) self->pos = self->end = 0;
  const Py_ssize_t n = raw_read(self, self->buffer + self->end, self->size - self->end);
  if (n > 0) self->end += n;
  return n;
}

Py_ssize_t take(Buffered* self, char* to, Py_ssize_t n) {
  n = std::min(n, ahead(self));
  memcpy(to, self->buffer + self->pos, static_cast<size_t>(n));
  self->pos += n;
  return n;
}

PyObject* take_bytes(Buffered* self, Py_ssize_t n) {
  PyObject* data = PyBytes_FromStringAndSize(self->buffer + self->pos, n);
  if (data != nullptr) self->pos += n;
  return data;
}

// Reads exactly n bytes, fewer only at the end of the file or when the stream would block.
PyObject* read_size(Buffered* self, Py_ssize_t n) {
  if (!self->dirty && n <= ahead(self)) return take_bytes(self, n);
  if (!begin_reading(self)) return nullptr;
  PyObject* data = PyBytes_FromStringAndSize(nullptr, n);
  if (data == nullptr) return nullptr;
  char* to = PyBytes_AS_STRING(data);
  Py_ssize_t done = take(self, to, n);
  while (done < n) {
    Py_ssize_t got;
    const Py_ssize_t missing = n - done;
    if (missing >= self->size) {
      // Whole buffers go straight to where they belong.
      self->pos = self->end = 0;
      got = raw_read(self, to + done, missing - missing % self->size);
      if (got > 0) done += got;
    } else {
      got = fill(self);
      if (got > 0) done += take(self, to + done, missing);
    }
    if (got == -1) {
      Py_DECREF(data);
      return nullptr;
    }
    if (got == kWouldBlock && done == 0) {
      Py_DECREF(data);
      Py_RETURN_NONE;
    }
    if (got <= 0) break;
  }
  if (done != n) _PyBytes_Resize(&data, done);
  return data;
}

PyObject* read_everything(Buffered* self) {
  if (!begin_reading(self)) return nullptr;
  Ref<> head;
  if (ahead(self) > 0) {
    head = Ref<>::steal(take_bytes(self, ahead(self)));
    if (!head) return nullptr;
  }
  self->pos = self->end = 0;
  self->raw_pos = -1;
  PyObject* found;
  if (PyObject_GetOptionalAttr(self->raw, AMPHIS_STATIC_NAME("readall"), &found) < 0) return nullptr;
  if (found != nullptr) {
    Ref<> readall = Ref<>::steal(found);
    Ref<> rest = Ref<>::steal(PyObject_CallNoArgs(readall.get()));
    if (!rest) return nullptr;
    if (rest.get() != Py_None && !PyBytes_Check(rest.get())) {
      PyErr_SetString(PyExc_TypeError, "readall() should return bytes");
      return nullptr;
    }
    if (!head) return rest.release();
    if (rest.get() == Py_None) return head.release();
    PyObject* all = head.release();
    PyBytes_Concat(&all, rest.get());
    return all;
  }
  Ref<> pieces = Ref<>::steal(PyList_New(0));
  if (!pieces) return nullptr;
  if (head && PyList_Append(pieces.get(), head.get()) < 0) return nullptr;
  for (;;) {
    Ref<> piece = Ref<>::steal(PyObject_CallMethodNoArgs(self->raw, AMPHIS_STATIC_NAME("read")));
    if (!piece) return nullptr;
    if (piece.get() != Py_None && !PyBytes_Check(piece.get())) {
      PyErr_SetString(PyExc_TypeError, "read() should return bytes");
      return nullptr;
    }
    if (piece.get() == Py_None || PyBytes_GET_SIZE(piece.get()) == 0) {
      if (PyList_GET_SIZE(pieces.get()) == 0) return piece.release();
      break;
    }
    if (PyList_Append(pieces.get(), piece.get()) < 0) return nullptr;
  }
  Ref<> empty = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
  return empty ? PyBytes_Join(empty.get(), pieces.get()) : nullptr;
}

// A line of at most `limit` bytes (-1: any).
PyObject* read_line(PyObject* op, Py_ssize_t limit) {
  Buffered* self = as_buffered(op);
  if (!usable(self) || !check_open(self, "readline of closed file")) return nullptr;
  BufferLock lock(op);
  if (!lock || !begin_reading(self)) return nullptr;
  PyObject* line = nullptr;  // what came from buffers before this one
  for (;;) {
    Py_ssize_t n = ahead(self);
    if (limit >= 0) n = std::min(n, limit);
    const char* from = self->buffer + self->pos;
    const void* end = n > 0 ? memchr(from, '\n', static_cast<size_t>(n)) : nullptr;
    if (end != nullptr) n = static_cast<const char*>(end) - from + 1;
    if (line == nullptr && (end != nullptr || n == limit)) return take_bytes(self, n);
    if (n > 0) {
      const Py_ssize_t old = line ? PyBytes_GET_SIZE(line) : 0;
      if (line == nullptr) {
        line = PyBytes_FromStringAndSize(nullptr, n);
        if (line == nullptr) return nullptr;
      } else if (_PyBytes_Resize(&line, old + n) < 0) {
        return nullptr;
      }
      take(self, PyBytes_AS_STRING(line) + old, n);
      if (limit >= 0) limit -= n;
    }
    if (end != nullptr || limit == 0) return line;
    self->pos = self->end = 0;
    const Py_ssize_t got = fill(self);
    if (got == -1) {
      Py_XDECREF(line);
      return nullptr;
    }
    if (got <= 0) return line != nullptr ? line : PyBytes_FromStringAndSize(nullptr, 0);
  }
}

PyObject* read_into(PyObject* op, PyObject* target, bool once, const char* name) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  Py_buffer view;
  if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "%s() argument must be read-write bytes-like object, not %T", name, target);
  }
  struct Release {
    Py_buffer* view;
    ~Release() { PyBuffer_Release(view); }
  } release{&view};
  if (!check_open(self, "readinto of closed file")) return nullptr;
  BufferLock lock(op);
  if (!lock) return nullptr;
  char* to = static_cast<char*>(view.buf);
  Py_ssize_t done = take(self, to, view.len);
  // One read of the raw stream is allowed beside what is buffered, but only straight to the target.
  if (done < view.len && !(once && done > 0 && view.len - done <= self->size)) {
    if (!begin_reading(self)) return nullptr;
    self->pos = self->end = 0;
    while (done < view.len) {
      Py_ssize_t got;
      const Py_ssize_t missing = view.len - done;
      if (missing > self->size) {
        got = raw_read(self, to + done, missing);
        if (got > 0) done += got;
      } else {
        got = fill(self);
        if (got > 0) done += take(self, to + done, missing);
      }
      if (got == -1) return nullptr;
      if (got == kWouldBlock && done == 0) Py_RETURN_NONE;
      if (got <= 0 || once) break;
    }
  }
  return PyLong_FromSsize_t(done);
}

bool index_argument(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* n) {
  if (!check_positional(name, nargs, 0, 1)) return false;
  if (nargs == 0) return true;
  *n = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
  return *n != -1 || !PyErr_Occurred();
}

}  // namespace

PyObject* read_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Buffered* self = as_buffered(op);
  Py_ssize_t n = -1;
  if (!size_argument("read", args, nargs, &n) || !usable(self)) return nullptr;
  if (n < -1) {
    PyErr_SetString(PyExc_ValueError, "read length must be non-negative or -1");
    return nullptr;
  }
  if (!check_open(self, "read of closed file")) return nullptr;
  BufferLock lock(op);
  if (!lock) return nullptr;
  return n == -1 ? read_everything(self) : read_size(self, n);
}

PyObject* buffered_read1(PyObject* op, Py_ssize_t n) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  if (!check_open(self, "read of closed file")) return nullptr;
  BufferLock lock(op);
  if (!lock) return nullptr;
  if (n < 0) n = self->size;
  if (n == 0) return PyBytes_FromStringAndSize(nullptr, 0);
  if (ahead(self) > 0) return take_bytes(self, std::min(n, ahead(self)));
  if (!begin_reading(self)) return nullptr;
  self->pos = self->end = 0;
  // Small reads that cost a system call each fill the buffer instead.
  Py_ssize_t got;
  if (n < self->size && is_fileio(self->raw)) {
    got = fill(self);
    if (got == -1) return nullptr;
    return take_bytes(self, std::min(n, ahead(self)));
  }
  PyObject* data = PyBytes_FromStringAndSize(nullptr, n);
  if (data == nullptr) return nullptr;
  got = raw_read(self, PyBytes_AS_STRING(data), n);
  if (got == -1) {
    Py_DECREF(data);
    return nullptr;
  }
  if (got == kWouldBlock) got = 0;
  if (got != n) _PyBytes_Resize(&data, got);
  return data;
}

PyObject* read1_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = -1;
  return index_argument("read1", args, nargs, &n) ? buffered_read1(op, n) : nullptr;
}

PyObject* peek_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Buffered* self = as_buffered(op);
  Py_ssize_t n = 0;
  if (!index_argument("peek", args, nargs, &n) || !usable(self)) return nullptr;
  if (!check_open(self, "peek of closed file")) return nullptr;
  BufferLock lock(op);
  if (!lock || !begin_reading(self)) return nullptr;
  if (ahead(self) == 0) {
    self->pos = self->end = 0;
    if (fill(self) == -1) return nullptr;
  }
  return PyBytes_FromStringAndSize(self->buffer + self->pos, ahead(self));
}

PyObject* readline_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t limit = -1;
  if (!size_argument("readline", args, nargs, &limit)) return nullptr;
  return read_line(op, limit < 0 ? -1 : limit);
}

PyObject* readinto_method(PyObject* op, PyObject* target) { return read_into(op, target, false, "readinto"); }
PyObject* readinto1_method(PyObject* op, PyObject* target) { return read_into(op, target, true, "readinto1"); }

PyObject* buffered_next(PyObject* op) {
  Ref<> line;
  if (own_type(op)) {
    line = Ref<>::steal(read_line(op, -1));
  } else {
    line = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("readline")));
    if (line && !PyBytes_Check(line.get())) {
      return PyErr_Format(PyExc_OSError, "readline() should have returned a bytes object, not '%.200s'",
                          Py_TYPE(line.get())->tp_name);
    }
  }
  return line && PyBytes_GET_SIZE(line.get()) > 0 ? line.release() : nullptr;
}

}  // namespace amphis::io
