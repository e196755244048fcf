// BufferedReader, BufferedWriter and BufferedRandom: life, locking, raw calls, positions. Reading is in
// io_buffered_read.cpp, writing in io_buffered_write.cpp.
#include "modules/io_buffered.h"

#include <algorithm>
#include <cerrno>

namespace amphis::io {

// ---- locking ----

BufferLock::BufferLock(PyObject* op, Need need) : self_(as_buffered(op)) {
  ThreadState* me = current_thread();
  if (!sync::mutex_try_lock(&self_->lock)) {
    if (__atomic_load_n(&self_->owner, __ATOMIC_RELAXED) == me) {
      self_ = nullptr;
      PyErr_Format(PyExc_RuntimeError, "reentrant call inside %R", op);
      return;
    }
    sync::mutex_lock(&self_->lock);
  }
  __atomic_store_n(&self_->owner, me, __ATOMIC_RELAXED);
  if (need == kNothing) return;
  if (!usable(self_)) {
    unlock();
    return;
  }
  if (self_->buffer != nullptr || need == kUsable) return;
  self_->buffer = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(self_->size)));
  if (self_->buffer != nullptr) return;
  unlock();
  PyErr_NoMemory();
}

void BufferLock::unlock() {
  if (self_ == nullptr) return;
  __atomic_store_n(&self_->owner, static_cast<ThreadState*>(nullptr), __ATOMIC_RELAXED);
  sync::mutex_unlock(&self_->lock);
  self_ = nullptr;
}

void reset_buffered_lock(PyObject* op) {
  as_buffered(op)->lock._bits = 0;
  as_buffered(op)->owner = nullptr;
}

// ---- state ----

bool usable(Buffered* self) {
  if (sync::load_acquire(self->ok)) return true;
  PyErr_SetString(PyExc_ValueError, sync::load_relaxed(self->detached) ? "raw stream has been detached"
                                                                       : "I/O operation on uninitialized object");
  return false;
}

Ref<> raw_of(Buffered* self) {
  if (!usable(self)) return nullptr;
  Ref<> raw = sync::get_ref(&self->raw);
  if (!raw) PyErr_SetString(PyExc_ValueError, "raw stream has been detached");
  return raw;
}

namespace {

// 1 or 0, or -1 with an exception.
int raw_closed(PyObject* raw) {
  if (is_fileio(raw)) return self_of<FileIO>(raw)->fd < 0;
  return attribute_is_true(raw, AMPHIS_STATIC_NAME("closed"));
}
int raw_closed(Buffered* self) {
  const Ref<> raw = raw_of(self);
  return raw ? raw_closed(raw.get()) : -1;
}

}  // namespace

int buffered_closed(PyObject* op) {
  return raw_closed(as_buffered(op));
}

bool buffered_known_closed(PyObject* op) {
  if (!sync::load_acquire(as_buffered(op)->ok)) return false;
  const Ref<> raw = sync::get_ref(&as_buffered(op)->raw);
  return raw && is_fileio(raw.get()) && self_of<FileIO>(raw.get())->fd < 0;
}

bool check_open(Buffered* self, const char* message) {
  const int closed = raw_closed(self);
  if (closed <= 0) return closed == 0;
  BufferLock lock(reinterpret_cast<PyObject*>(self), BufferLock::kNothing);
  if (!lock) return false;
  if (ahead(self) > 0) return true;
  PyErr_SetString(PyExc_ValueError, message);
  return false;
}

// ---- raw calls ----

Py_ssize_t raw_read(Buffered* self, char* to, Py_ssize_t size) {
  Py_ssize_t n;
  if (is_fileio(self->raw)) {
    FileIO* file = self_of<FileIO>(self->raw);
    if (file->fd < 0) {
      PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
      return -1;
    }
    n = file_read(file, to, size);
    if (n < 0) return n;
  } else {
    Ref<> view = Ref<>::steal(PyMemoryView_FromMemory(to, size, PyBUF_WRITE));
    if (!view) return -1;
    Ref<> count;
    do {
      count = Ref<>::steal(PyObject_CallMethodOneArg(self->raw, AMPHIS_STATIC_NAME("readinto"), view.get()));
    } while (!count && interrupted_call());
    // Nobody may keep a view of the buffer.
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> released = Ref<>::steal(PyObject_CallMethodNoArgs(view.get(), AMPHIS_STATIC_NAME("release")));
    if (error) {
      if (!released) PyErr_Clear();
      PyErr_SetRaisedException(error.release());
      return -1;
    }
    if (!count || !released) return -1;
    if (count.get() == Py_None) return kWouldBlock;
    n = PyNumber_AsSsize_t(count.get(), PyExc_ValueError);
    if (n == -1 && PyErr_Occurred()) {
      _PyErr_FormatFromCause(PyExc_OSError, "raw readinto() failed");
      return -1;
    }
    if (n < 0 || n > size) {
      PyErr_Format(PyExc_OSError, "raw readinto() returned invalid length %zd (should have been between 0 and %zd)", n,
                   size);
      return -1;
    }
  }
  if (n > 0 && self->raw_pos >= 0) self->raw_pos += n;
  return n;
}

int64_t raw_tell(Buffered* self) {
  int64_t at;
  if (is_fileio(self->raw) && self_of<FileIO>(self->raw)->fd >= 0) {
    at = file_seek(self_of<FileIO>(self->raw), 0, SEEK_CUR);
    if (at < 0) return -1;
  } else {
    Ref<> position = Ref<>::steal(PyObject_CallMethodNoArgs(self->raw, AMPHIS_STATIC_NAME("tell")));
    if (!position) return -1;
    if (!offset_from(position.get(), &at)) return -1;
    if (at < 0) {
      PyErr_Format(PyExc_OSError, "Raw stream returned invalid position %lld", static_cast<long long>(at));
      return -1;
    }
  }
  self->raw_pos = at;
  return at;
}

int64_t raw_seek(Buffered* self, int64_t offset, int whence) {
  int64_t at;
  if (is_fileio(self->raw) && self_of<FileIO>(self->raw)->fd >= 0) {
    at = file_seek(self_of<FileIO>(self->raw), offset, whence);
    if (at < 0) return -1;
  } else {
    Ref<> position = Ref<>::steal(PyObject_CallMethod(self->raw, "seek", "Li", static_cast<long long>(offset), whence));
    if (!position) return -1;
    if (!offset_from(position.get(), &at)) return -1;
    if (at < 0) {
      PyErr_Format(PyExc_OSError, "Raw stream returned invalid position %lld", static_cast<long long>(at));
      return -1;
    }
  }
  self->raw_pos = at;
  return at;
}

bool synchronize(Buffered* self) {
  if (self->dirty) return flush_pending(self);
  const Py_ssize_t n = ahead(self);
  self->pos = self->end = 0;
  return n == 0 || raw_seek(self, -n, SEEK_CUR) >= 0;
}

// ---- life ----

namespace {

PyObject* buffered_new(PyTypeObject* type, PyObject*, PyObject*) {
  return type->tp_alloc(type, 0);
}

template <bool Reads, bool Writes>
int buffered_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"raw", "buffer_size", nullptr};
  constexpr const char* kFormat = Reads && Writes ? "O|n:BufferedRandom" : Reads ? "O|n:BufferedReader" : "O|n:BufferedWriter";
  PyObject* raw;
  Py_ssize_t size = kDefaultBufferSize;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, kFormat, const_cast<char**>(keywords), &raw, &size)) return -1;
  Buffered* self = as_buffered(op);
  sync::store_release(self->ok, false);
  sync::store_relaxed(self->detached, false);
  if (is_fileio(raw)) {
    FileIO* file = self_of<FileIO>(raw);
    if (file->fd < 0) {
      PyErr_SetString(PyExc_ValueError, "I/O operation on closed file");
      return -1;
    }
    if (Reads && Writes && !check_seekable(raw)) return -1;
    if (Reads && !file->readable) {
      raise_unsupported("File or stream is not readable.");
      return -1;
    }
    if (Writes && !file->writable) {
      raise_unsupported("File or stream is not writable.");
      return -1;
    }
  } else {
    if (Reads && Writes && !check_seekable(raw)) return -1;
    if (Reads && !check_readable(raw)) return -1;
    if (Writes && !check_writable(raw)) return -1;
  }
  if (size <= 0) {
    PyErr_SetString(PyExc_ValueError, "buffer size must be strictly positive");
    return -1;
  }
  BufferLock lock(op, BufferLock::kNothing);
  if (!lock) return -1;
  PyMem_Free(self->buffer);
  self->buffer = nullptr;
  self->size = size;
  self->pos = self->end = 0;
  self->dirty = false;
  self->raw_pos = -1;
  self->readable = Reads;
  self->writable = Writes;
  const Ref<> old = sync::exchange_slot(&self->raw, Ref<>::share(raw));
  sync::store_release(self->ok, true);
  // The raw position is worth knowing only where there is one.
  if (!is_fileio(raw) && raw_tell(self) < 0) PyErr_Clear();
  return 0;
}

int buffered_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_buffered(op)->raw);
  Py_VISIT(as_buffered(op)->base.dict);
  return 0;
}

int buffered_clear(PyObject* op) {
  as_buffered(op)->ok = false;
  Py_CLEAR(as_buffered(op)->raw);
  Py_CLEAR(as_buffered(op)->base.dict);
  return 0;
}

void buffered_dealloc(PyObject* op) {
  Buffered* self = as_buffered(op);
  self->finalizing = true;
  if (!(own_type(op) && buffered_known_closed(op)) && finalize(op) < 0) return;
  untrack(op);
  self->ok = false;
  drop_base(&self->base);
  PyMem_Free(self->buffer);
  self->buffer = nullptr;
  Py_CLEAR(self->raw);
  Py_TYPE(op)->tp_free(op);
}

// ---- methods that pass on to the raw stream ----

template <const char* const& Name>
PyObject* delegate(PyObject* op, PyObject*) {
  const Ref<> raw = raw_of(as_buffered(op));
  return raw ? PyObject_CallMethodNoArgs(raw.get(), AMPHIS_STATIC_NAME(Name)) : nullptr;
}
constexpr const char* kSeekable = "seekable";
constexpr const char* kReadable = "readable";
constexpr const char* kWritable = "writable";
constexpr const char* kFileno = "fileno";
constexpr const char* kIsatty = "isatty";

PyObject* get_name(PyObject* op, void*) {
  const Ref<> raw = raw_of(as_buffered(op));
  return raw ? PyObject_GetAttr(raw.get(), AMPHIS_STATIC_NAME("name")) : nullptr;
}
PyObject* get_mode(PyObject* op, void*) {
  const Ref<> raw = raw_of(as_buffered(op));
  return raw ? PyObject_GetAttr(raw.get(), AMPHIS_STATIC_NAME("mode")) : nullptr;
}
PyObject* get_closed(PyObject* op, void*) {
  const Ref<> raw = raw_of(as_buffered(op));
  return raw ? PyObject_GetAttr(raw.get(), AMPHIS_STATIC_NAME("closed")) : nullptr;
}

PyObject* method_dealloc_warn(PyObject* op, PyObject* source) {
  const Ref<> raw = sync::get_ref(&as_buffered(op)->raw);
  if (raw && sync::load_acquire(as_buffered(op)->ok)) {
    Ref<> done = Ref<>::steal(PyObject_CallMethodOneArg(raw.get(), AMPHIS_STATIC_NAME("_dealloc_warn"), source));
    if (!done) PyErr_Clear();
  }
  Py_RETURN_NONE;
}

// What flush() of a class of the module itself does; subclasses may override it.
PyObject* flush_base(PyObject* op, PyObject*) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  if (!self->writable) {
    // Readers: the base class's flush, which checks for a closed file and does nothing.
    const int closed = raw_closed(self);
    if (closed < 0) return nullptr;
    if (closed) {
      PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
      return nullptr;
    }
    Py_RETURN_NONE;
  }
  const int closed = raw_closed(self);
  if (closed < 0) return nullptr;
  if (closed) {
    PyErr_SetString(PyExc_ValueError, "flush of closed file");
    return nullptr;
  }
  BufferLock lock(op, BufferLock::kUsable);
  if (!lock) return nullptr;
  // A reader of both directions also gives back what it read ahead.
  const bool ok = self->readable ? synchronize(self) : flush_pending(self);
  if (!ok) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_close(PyObject* op, PyObject*) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  {
    BufferLock lock(op, BufferLock::kUsable);
    if (!lock) return nullptr;
    const int closed = raw_closed(self);
    if (closed < 0) return nullptr;
    if (closed) Py_RETURN_NONE;
    if (self->finalizing) Py_XDECREF(method_dealloc_warn(op, op));
  }
  // Without the lock: flush() takes it, and may be anybody's.
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> done;
  {
    // With the lock: whoever uses the object meanwhile finds it closed afterwards.
    BufferLock lock(op, BufferLock::kUsable);
    if (!lock) return nullptr;
    Ref<> raw = Ref<>::share(self->raw);
    done = Ref<>::steal(PyObject_CallMethodNoArgs(raw.get(), AMPHIS_STATIC_NAME("close")));
    // What could not be written is lost.
    PyMem_Free(self->buffer);
    self->buffer = nullptr;
    self->pos = self->end = 0;
    self->dirty = false;
  }
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  return done.release();
}

PyObject* method_detach(PyObject* op, PyObject*) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  if (!flushed) return nullptr;
  BufferLock lock(op, BufferLock::kUsable);
  if (!lock) return nullptr;
  sync::store_relaxed(self->detached, true);
  sync::store_release(self->ok, false);
  return sync::exchange_slot(&self->raw, Ref<>()).release();
}

// ---- positions ----

PyObject* method_tell(PyObject* op, PyObject*) {
  Buffered* self = as_buffered(op);
  if (!usable(self)) return nullptr;
  BufferLock lock(op, BufferLock::kUsable);
  if (!lock) return nullptr;
  int64_t at = raw_tell(self);
  if (at < 0) return nullptr;
  if (self->dirty)
    at += self->end;
  else
    at -= ahead(self);
  // The raw position may have been moved behind our back.
  return PyLong_FromLongLong(std::max<int64_t>(at, 0));
}

PyObject* method_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Buffered* self = as_buffered(op);
  PyObject* position;
  int whence;
  if (!seek_arguments(args, nargs, &position, &whence)) return nullptr;
  if (!usable(self)) return nullptr;
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END && whence != SEEK_DATA && whence != SEEK_HOLE)
    return PyErr_Format(PyExc_ValueError, "whence value %d unsupported", whence);
  const Ref<> raw = raw_of(self);
  const int closed = raw ? raw_closed(raw.get()) : -1;
  if (closed < 0) return nullptr;
  if (closed) {
    PyErr_SetString(PyExc_ValueError, "seek of closed file");
    return nullptr;
  }
  if (!check_seekable(raw.get())) return nullptr;
  int64_t target;
  if (!offset_from(position, &target)) return nullptr;
  BufferLock lock(op);
  if (!lock) return nullptr;
  if (self->readable && !self->dirty && (whence == SEEK_SET || whence == SEEK_CUR) && self->end > 0) {
    // A place inside the buffer needs no system call.
    const int64_t current = self->raw_pos >= 0 ? self->raw_pos : raw_tell(self);
    if (current < 0) return nullptr;
    const int64_t here = current - ahead(self);
    const int64_t by = whence == SEEK_SET ? target - here : target;
    if (by >= -self->pos && by <= ahead(self) && here + by >= 0) {
      self->pos += static_cast<Py_ssize_t>(by);
      return PyLong_FromLongLong(here + by);
    }
  }
  if (self->dirty && !flush_pending(self)) return nullptr;
  if (whence == SEEK_CUR) target -= ahead(self);
  const int64_t at = raw_seek(self, target, whence);
  if (at < 0) return nullptr;
  self->pos = self->end = 0;
  return PyLong_FromLongLong(at);
}

PyObject* method_truncate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Buffered* self = as_buffered(op);
  if (!check_positional("truncate", nargs, 0, 1)) return nullptr;
  PyObject* size = nargs == 1 ? args[0] : Py_None;
  if (!usable(self)) return nullptr;
  const int closed = raw_closed(self);
  if (closed < 0) return nullptr;
  if (closed) {
    PyErr_SetString(PyExc_ValueError, "truncate of closed file");
    return nullptr;
  }
  if (!self->writable) return raise_unsupported("truncate");
  BufferLock lock(op);
  if (!lock || !synchronize(self)) return nullptr;
  PyObject* result = PyObject_CallMethodOneArg(self->raw, AMPHIS_STATIC_NAME("truncate"), size);
  if (result == nullptr) return nullptr;
  if (raw_tell(self) < 0) PyErr_Clear();
  return result;
}

PyObject* method_sizeof(PyObject* op, PyObject*) {
  Py_ssize_t size = Py_TYPE(op)->tp_basicsize;
  if (as_buffered(op)->ok) size += as_buffered(op)->size;
  return PyLong_FromSsize_t(size);
}

PyObject* buffered_repr(PyObject* op) {
  const char* type = Py_TYPE(op)->tp_name;
  PyObject* found;
  if (PyObject_GetOptionalAttr(op, AMPHIS_STATIC_NAME("name"), &found) < 0) {
    if (!PyErr_ExceptionMatches(PyExc_ValueError)) return nullptr;
    PyErr_Clear();
  }
  Ref<> name = Ref<>::steal(found);
  if (!name) return PyUnicode_FromFormat("<%s>", type);
  const int nested = Py_ReprEnter(op);
  if (nested != 0) {
    if (nested > 0) PyErr_Format(PyExc_RuntimeError, "reentrant call inside %s.__repr__", type);
    return nullptr;
  }
  PyObject* text = PyUnicode_FromFormat("<%s name=%R>", type, name.get());
  Py_ReprLeave(op);
  return text;
}

#define AMPHIS_IO_COMMON_METHODS                                                                                    \
  {"detach", method_detach, METH_NOARGS, "detach($self, /)\n--\n\nGive up the raw stream and return it."},          \
  {"flush", flush_base, METH_NOARGS, "flush($self, /)\n--\n\nWrite out what is buffered."},                         \
  {"close", method_close, METH_NOARGS, "close($self, /)\n--\n\nFlush and close the raw stream."},                   \
  {"seekable", delegate<kSeekable>, METH_NOARGS, "seekable($self, /)\n--\n\n"},                                     \
  {"fileno", delegate<kFileno>, METH_NOARGS, "fileno($self, /)\n--\n\n"},                                           \
  {"isatty", delegate<kIsatty>, METH_NOARGS, "isatty($self, /)\n--\n\n"},                                           \
  {"_dealloc_warn", method_dealloc_warn, METH_O, "_dealloc_warn($self, source, /)\n--\n\n"},                        \
  {"seek", AMPHIS_METHOD(method_seek), METH_FASTCALL, "seek($self, target, whence=0, /)\n--\n\n"},                  \
  {"tell", method_tell, METH_NOARGS, "tell($self, /)\n--\n\n"},                                                     \
  {"truncate", AMPHIS_METHOD(method_truncate), METH_FASTCALL, "truncate($self, pos=None, /)\n--\n\n"},              \
  {"__sizeof__", method_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\n"},                                       \
  {"__getstate__", no_pickle, METH_NOARGS, "__getstate__($self, /)\n--\n\n"}
#define AMPHIS_IO_READ_METHODS                                                                                      \
  {"readable", delegate<kReadable>, METH_NOARGS, "readable($self, /)\n--\n\n"},                                     \
  {"read", AMPHIS_METHOD(read_method), METH_FASTCALL, "read($self, size=-1, /)\n--\n\n"},                           \
  {"peek", AMPHIS_METHOD(peek_method), METH_FASTCALL, "peek($self, size=0, /)\n--\n\n"},                            \
  {"read1", AMPHIS_METHOD(read1_method), METH_FASTCALL, "read1($self, size=-1, /)\n--\n\n"},                        \
  {"readinto", readinto_method, METH_O, "readinto($self, buffer, /)\n--\n\n"},                                      \
  {"readinto1", readinto1_method, METH_O, "readinto1($self, buffer, /)\n--\n\n"},                                   \
  {"readline", AMPHIS_METHOD(readline_method), METH_FASTCALL, "readline($self, size=-1, /)\n--\n\n"}
#define AMPHIS_IO_WRITE_METHODS                                                                                     \
  {"writable", delegate<kWritable>, METH_NOARGS, "writable($self, /)\n--\n\n"},                                     \
  {"write", write_method, METH_O, "write($self, buffer, /)\n--\n\n"}

PyMethodDef reader_methods[] = {AMPHIS_IO_COMMON_METHODS, AMPHIS_IO_READ_METHODS, {}};
PyMethodDef writer_methods[] = {AMPHIS_IO_COMMON_METHODS, AMPHIS_IO_WRITE_METHODS, {}};
PyMethodDef random_methods[] = {AMPHIS_IO_COMMON_METHODS, AMPHIS_IO_READ_METHODS, AMPHIS_IO_WRITE_METHODS, {}};

PyMemberDef buffered_members[] = {
    {"raw", _Py_T_OBJECT, offsetof(Buffered, raw), Py_READONLY, nullptr},
    {"_finalizing", Py_T_BOOL, offsetof(Buffered, finalizing), 0, nullptr},
    {},
};
PyGetSetDef buffered_getset[] = {
    {"closed", get_closed, nullptr, nullptr, nullptr},
    {"name", get_name, nullptr, nullptr, nullptr},
    {"mode", get_mode, nullptr, nullptr, nullptr},
    {},
};

PyTypeObject make_type(const char* name, const char* doc, PyMethodDef* methods, initproc init, iternextfunc next) {
  return PyTypeObject{
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
      .tp_name = name,
      .tp_basicsize = sizeof(Buffered),
      .tp_dealloc = buffered_dealloc,
      .tp_repr = buffered_repr,
      .tp_getattro = PyObject_GenericGetAttr,
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
      .tp_doc = doc,
      .tp_traverse = buffered_traverse,
      .tp_clear = buffered_clear,
      .tp_weaklistoffset = offsetof(IOBase, weakrefs),
      .tp_iternext = next,
      .tp_methods = methods,
      .tp_members = buffered_members,
      .tp_getset = buffered_getset,
      .tp_base = &buffered_iobase_type,
      .tp_dictoffset = offsetof(IOBase, dict),
      .tp_init = init,
      .tp_alloc = PyType_GenericAlloc,
      .tp_new = buffered_new,
      .tp_free = PyObject_GC_Del,
  };
}

}  // namespace

PyObject* buffered_flush(PyObject* op) { return flush_base(op, nullptr); }

PyTypeObject buffered_reader_type =
    make_type("_io.BufferedReader",
              "BufferedReader(raw, buffer_size=DEFAULT_BUFFER_SIZE)\n--\n\nReads ahead from a raw stream.",
              reader_methods, buffered_init<true, false>, buffered_next);
PyTypeObject buffered_writer_type =
    make_type("_io.BufferedWriter",
              "BufferedWriter(raw, buffer_size=DEFAULT_BUFFER_SIZE)\n--\n\nCollects what is written to a raw stream.",
              writer_methods, buffered_init<false, true>, nullptr);
PyTypeObject buffered_random_type =
    make_type("_io.BufferedRandom",
              "BufferedRandom(raw, buffer_size=DEFAULT_BUFFER_SIZE)\n--\n\nBoth directions of a stream with positions.",
              random_methods, buffered_init<true, true>, buffered_next);

}  // namespace amphis::io
