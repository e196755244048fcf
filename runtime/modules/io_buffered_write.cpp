// Writing through the buffer of BufferedWriter and BufferedRandom, and BufferedRWPair, which puts a reader and a writer
// together.
#include "modules/io_buffered.h"

#include <algorithm>
#include <cerrno>

namespace amphis::io {
namespace {

// The count, kWouldBlock, or -1 with an exception.
Py_ssize_t raw_write(Buffered* self, const char* from, Py_ssize_t size) {
  Py_ssize_t n;
  if (is_fileio(self->raw)) {
    FileIO* file = self_of<FileIO>(self->raw);
    if (file->fd < 0) {
      PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
      return -1;
    }
    n = file_write(file, from, size);
    if (n < 0) return n;
  } else {
    Ref<> view = Ref<>::steal(PyMemoryView_FromMemory(const_cast<char*>(from), size, PyBUF_READ));
    if (!view) return -1;
    Ref<> count;
    do {
      count = Ref<>::steal(PyObject_CallMethodOneArg(self->raw, AMPHIS_STATIC_NAME("write"), view.get()));
    } while (!count && interrupted_call());
    if (!count) return -1;
    if (count.get() == Py_None) return kWouldBlock;
    n = PyNumber_AsSsize_t(count.get(), PyExc_ValueError);
    if (n == -1) PyErr_Clear();
    if (n < 0 || n > size) {
      PyErr_Format(PyExc_OSError, "raw write() returned invalid length %zd (should have been between 0 and %zd)", n,
                   size);
      return -1;
    }
  }
  if (n > 0 && self->raw_pos >= 0) self->raw_pos += n;
  return n;
}

void raise_blocking(Py_ssize_t written) {
  Ref<> error = Ref<>::steal(PyObject_CallFunction(PyExc_BlockingIOError, "isn", EAGAIN,
                                                   "write could not complete without blocking", written));
  if (error) PyErr_SetObject(PyExc_BlockingIOError, error.get());
}

void append(Buffered* self, const char* from, Py_ssize_t n) {
  if (n == 0) return;
  memcpy(self->buffer + self->end, from, static_cast<size_t>(n));
  self->end += n;
  self->dirty = true;
}

// All of [from, from + size), with the lock held: what does not fit is written after what waits. The count, which is
// less than `size` only with an exception.
bool write_through(Buffered* self, const char* from, Py_ssize_t size) {
  if (!self->dirty && self->readable && !synchronize(self)) return false;
  if (!self->dirty) self->pos = self->end = 0;
  if (size <= self->size - self->end) {
    append(self, from, size);
    return true;
  }
  if (!flush_pending(self)) {
    if (!PyErr_ExceptionMatches(PyExc_BlockingIOError)) return false;
    // The stream takes no more now: keep what there is room for, and say how much that was.
    const Py_ssize_t room = self->size - self->end;
    if (size <= room) {
      PyErr_Clear();
      append(self, from, size);
      return true;
    }
    PyErr_Clear();
    append(self, from, room);
    raise_blocking(room);
    return false;
  }
  Py_ssize_t done = 0;
  while (size - done > self->size) {
    const Py_ssize_t n = raw_write(self, from + done, size - done);
    if (n == -1) return false;
    if (n == kWouldBlock) {
      append(self, from + done, self->size);
      raise_blocking(done + self->size);
      return false;
    }
    done += n;
    // A short write may mean that a signal came.
    if (PyErr_CheckSignals() < 0) return false;
  }
  append(self, from + done, size - done);
  return true;
}

}  // namespace

bool flush_pending(Buffered* self) {
  if (!self->dirty) return true;
  while (self->pos < self->end) {
    const Py_ssize_t n = raw_write(self, self->buffer + self->pos, self->end - self->pos);
    if (n >= 0) self->pos += n;
    if (n == kWouldBlock) raise_blocking(0);
    if (n < 0 || PyErr_CheckSignals() < 0) {
      // Pending bytes always begin at the start of the buffer.
      memmove(self->buffer, self->buffer + self->pos, static_cast<size_t>(self->end - self->pos));
      self->end -= self->pos;
      self->pos = 0;
      self->dirty = self->end > 0;
      return false;
    }
  }
  self->pos = self->end = 0;
  self->dirty = false;
  return true;
}

bool buffered_write_bytes(PyObject* op, const char* data, Py_ssize_t size) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return false;
  BufferLock lock(op);
  if (!lock) return false;
  // Another thread may have closed the file before this one got the lock.
  const int closed = buffered_closed(op);
  if (closed != 0) {
    if (closed > 0) PyErr_SetString(PyExc_ValueError, "write to closed file");
    return false;
  }
  return write_through(self, data, size);
}

PyObject* write_method(PyObject* op, PyObject* data) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  if (PyBytes_CheckExact(data)) {
    const Py_ssize_t n = PyBytes_GET_SIZE(data);
    return buffered_write_bytes(op, PyBytes_AS_STRING(data), n) ? PyLong_FromSsize_t(n) : nullptr;
  }
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return nullptr;
  const Py_ssize_t n = view.len;
  const bool ok = buffered_write_bytes(op, static_cast<const char*>(view.buf), n);
  PyBuffer_Release(&view);
  return ok ? PyLong_FromSsize_t(n) : nullptr;
}

// ---- BufferedRWPair ----

namespace {

struct Pair {
  IOBase base;
  PyObject* reader;
  PyObject* writer;
};
Pair* as_pair(PyObject* op) { return reinterpret_cast<Pair*>(op); }

int pair_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("BufferedRWPair", kwargs)) return -1;
  PyObject *reader, *writer;
  Py_ssize_t size = kDefaultBufferSize;
  if (!PyArg_ParseTuple(args, "OO|n:BufferedRWPair", &reader, &writer, &size)) return -1;
  if (!check_readable(reader) || !check_writable(writer)) return -1;
  Ref<> r = Ref<>::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(&buffered_reader_type), "On", reader, size));
  if (!r) return -1;
  Ref<> w = Ref<>::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(&buffered_writer_type), "On", writer, size));
  if (!w) return -1;
  sync::set_slot(&as_pair(op)->reader, std::move(r));
  sync::set_slot(&as_pair(op)->writer, std::move(w));
  return 0;
}

PyObject* forward(PyObject* const* target, const char* name, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> held = sync::get_ref(target);
  if (!held) {
    PyErr_SetString(PyExc_ValueError, "I/O operation on uninitialized object");
    return nullptr;
  }
  Ref<> method = Ref<>::steal(PyObject_GetAttrString(held.get(), name));
  return method ? PyObject_Vectorcall(method.get(), args, static_cast<size_t>(nargs), nullptr) : nullptr;
}

constexpr const char* kRead = "read";
constexpr const char* kPeek = "peek";
constexpr const char* kRead1 = "read1";
constexpr const char* kReadinto = "readinto";
constexpr const char* kReadinto1 = "readinto1";
constexpr const char* kWrite = "write";
constexpr const char* kFlush = "flush";
constexpr const char* kReadable = "readable";
constexpr const char* kWritable = "writable";

template <const char* const& Name>
PyObject* to_reader(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  return forward(&as_pair(op)->reader, Name, args, nargs);
}
template <const char* const& Name>
PyObject* to_writer(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  return forward(&as_pair(op)->writer, Name, args, nargs);
}

PyObject* pair_close(PyObject* op, PyObject*) {
  Ref<> first = Ref<>::steal(forward(&as_pair(op)->writer, "close", nullptr, 0));
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> second = Ref<>::steal(forward(&as_pair(op)->reader, "close", nullptr, 0));
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  return second.release();
}

PyObject* pair_isatty(PyObject* op, PyObject*) {
  Ref<> answer = Ref<>::steal(forward(&as_pair(op)->writer, "isatty", nullptr, 0));
  if (!answer || answer.get() != Py_False) return answer.release();
  return forward(&as_pair(op)->reader, "isatty", nullptr, 0);
}

PyObject* pair_closed(PyObject* op, void*) {
  const Ref<> writer = sync::get_ref(&as_pair(op)->writer);
  if (!writer) {
    PyErr_SetString(PyExc_RuntimeError, "the BufferedRWPair object is being garbage-collected");
    return nullptr;
  }
  return PyObject_GetAttr(writer.get(), AMPHIS_STATIC_NAME("closed"));
}

int pair_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_pair(op)->reader);
  Py_VISIT(as_pair(op)->writer);
  Py_VISIT(as_pair(op)->base.dict);
  return 0;
}
int pair_clear(PyObject* op) {
  Py_CLEAR(as_pair(op)->reader);
  Py_CLEAR(as_pair(op)->writer);
  Py_CLEAR(as_pair(op)->base.dict);
  return 0;
}
void pair_dealloc(PyObject* op) {
  untrack(op);
  drop_base(&as_pair(op)->base);
  pair_clear(op);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef pair_methods[] = {
    {"read", AMPHIS_METHOD(to_reader<kRead>), METH_FASTCALL, nullptr},
    {"peek", AMPHIS_METHOD(to_reader<kPeek>), METH_FASTCALL, nullptr},
    {"read1", AMPHIS_METHOD(to_reader<kRead1>), METH_FASTCALL, nullptr},
    {"readinto", AMPHIS_METHOD(to_reader<kReadinto>), METH_FASTCALL, nullptr},
    {"readinto1", AMPHIS_METHOD(to_reader<kReadinto1>), METH_FASTCALL, nullptr},
    {"write", AMPHIS_METHOD(to_writer<kWrite>), METH_FASTCALL, nullptr},
    {"flush", AMPHIS_METHOD(to_writer<kFlush>), METH_FASTCALL, "flush($self, /)\n--\n\n"},
    {"readable", AMPHIS_METHOD(to_reader<kReadable>), METH_FASTCALL, "readable($self, /)\n--\n\n"},
    {"writable", AMPHIS_METHOD(to_writer<kWritable>), METH_FASTCALL, "writable($self, /)\n--\n\n"},
    {"close", pair_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"isatty", pair_isatty, METH_NOARGS, "isatty($self, /)\n--\n\n"},
    {},
};
PyGetSetDef pair_getset[] = {{"closed", pair_closed, nullptr, nullptr, nullptr}, {}};

}  // namespace

PyTypeObject buffered_rwpair_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.BufferedRWPair",
    .tp_basicsize = sizeof(Pair),
    .tp_dealloc = pair_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "BufferedRWPair(reader, writer, buffer_size=DEFAULT_BUFFER_SIZE, /)\n--\n\n"
              "Two raw streams without positions, such as the ends of two pipes, as one buffered object.",
    .tp_traverse = pair_traverse,
    .tp_clear = pair_clear,
    .tp_weaklistoffset = offsetof(IOBase, weakrefs),
    .tp_methods = pair_methods,
    .tp_getset = pair_getset,
    .tp_base = &buffered_iobase_type,
    .tp_dictoffset = offsetof(IOBase, dict),
    .tp_init = pair_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = PyType_GenericNew,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
