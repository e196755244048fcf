// _io.BytesIO: a binary file in memory. Its contents are a bytes object, of which `size` bytes count. The object may be
// shared with whoever gave or took the value; it is copied before it is changed then. While somebody has a view of the
// memory (`exports`), it neither moves nor changes its size.
#include "modules/io.h"

#include "sync/shared_slot.h"

#include <algorithm>

namespace amphis::io {
namespace {

struct BytesIO {
  IOBase base;
  PyObject* data;  // null: closed
  Py_ssize_t pos, size, exports;
};
BytesIO* as_bytesio(PyObject* op) { return reinterpret_cast<BytesIO*>(op); }

struct View {
  PyObject_HEAD
  BytesIO* source;
};

char* chars(BytesIO* self) { return PyBytes_AS_STRING(self->data); }

bool is_open(BytesIO* self) {
  if (self->data != nullptr) [[likely]] return true;
  PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
  return false;
}

bool no_exports(BytesIO* self) {
  if (self->exports == 0) return true;
  PyErr_SetString(PyExc_BufferError, "Existing exports of data: object cannot be re-sized");
  return false;
}

bool shared(BytesIO* self) { return !sync::is_unique(self->data); }

// Makes the memory ours alone, with room for `room` bytes.
bool own(BytesIO* self, Py_ssize_t room) {
  PyObject* copy = PyBytes_FromStringAndSize(nullptr, room);
  if (copy == nullptr) return false;
  memcpy(PyBytes_AS_STRING(copy), chars(self), static_cast<size_t>(std::min(self->size, room)));
  Py_SETREF(self->data, copy);
  return true;
}

bool reserve(BytesIO* self, Py_ssize_t needed) {
  const Py_ssize_t room = PyBytes_GET_SIZE(self->data);
  if (needed <= room) return !shared(self) || self->exports > 0 || own(self, room);
  Py_ssize_t wanted = needed;
  if (needed < room + room / 8 + 9) wanted = room + room / 8 + 9;
  // Appending doubles small files.
  if (wanted < 2 * room && room < 65536) wanted = 2 * room;
  if (shared(self)) return own(self, wanted);
  return _PyBytes_Resize(&self->data, wanted) == 0;
}

Py_ssize_t write_bytes(BytesIO* self, const char* from, Py_ssize_t n) {
  if (n == 0) return 0;
  if (self->pos > PY_SSIZE_T_MAX - n) {
    PyErr_SetString(PyExc_OverflowError, "new position too large");
    return -1;
  }
  const Py_ssize_t end = self->pos + n;
  if (!reserve(self, end)) return -1;
  if (self->pos > self->size) memset(chars(self) + self->size, 0, static_cast<size_t>(self->pos - self->size));
  memcpy(chars(self) + self->pos, from, static_cast<size_t>(n));
  self->pos = end;
  self->size = std::max(self->size, end);
  return n;
}

// Any object with a buffer; the count or -1.
Py_ssize_t write_object(PyObject* op, PyObject* source) {
  BytesIO* self = as_bytesio(op);
  if (!is_open(self) || !no_exports(self)) return -1;
  if (PyBytes_CheckExact(source)) return write_bytes(self, PyBytes_AS_STRING(source), PyBytes_GET_SIZE(source));
  Py_buffer view;
  if (PyObject_GetBuffer(source, &view, PyBUF_CONTIG_RO) < 0) return -1;
  // The exporter may have run code.
  const Py_ssize_t n = is_open(self) && no_exports(self) ? write_bytes(self, static_cast<const char*>(view.buf), view.len) : -1;
  PyBuffer_Release(&view);
  return n;
}

Py_ssize_t left(BytesIO* self) { return self->pos < self->size ? self->size - self->pos : 0; }

PyObject* take(BytesIO* self, Py_ssize_t n) {
  // The whole of a value nobody changes needs no copy.
  if (n > 1 && self->pos == 0 && n == PyBytes_GET_SIZE(self->data) && self->exports == 0) {
    self->pos = n;
    return Py_NewRef(self->data);
  }
  PyObject* piece = PyBytes_FromStringAndSize(chars(self) + std::min(self->pos, self->size), n);
  if (piece != nullptr) self->pos += n;
  return piece;
}

Py_ssize_t line_length(BytesIO* self, Py_ssize_t limit) {
  Py_ssize_t n = left(self);
  if (limit >= 0) n = std::min(n, limit);
  if (n == 0) return 0;
  const char* from = chars(self) + self->pos;
  const void* end = memchr(from, '\n', static_cast<size_t>(n));
  return end ? static_cast<const char*>(end) - from + 1 : n;
}

PyObject* bytesio_readable(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!is_open(as_bytesio(op))) return nullptr;
  Py_RETURN_TRUE;
}
PyObject* bytesio_flush(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!is_open(as_bytesio(op))) return nullptr;
  Py_RETURN_NONE;
}
PyObject* bytesio_isatty(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!is_open(as_bytesio(op))) return nullptr;
  Py_RETURN_FALSE;
}
PyObject* bytesio_tell(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  return is_open(as_bytesio(op)) ? PyLong_FromSsize_t(as_bytesio(op)->pos) : nullptr;
}

PyObject* bytesio_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = -1;
  if (!size_argument("read", args, nargs, &n)) return nullptr;
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self)) return nullptr;
  if (n < 0 || n > left(self)) n = left(self);
  return take(self, n);
}

PyObject* bytesio_readline(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t limit = -1;
  if (!size_argument("readline", args, nargs, &limit)) return nullptr;
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  return is_open(self) ? take(self, line_length(self, limit)) : nullptr;
}

PyObject* bytesio_next(PyObject* op) {
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self)) return nullptr;
  const Py_ssize_t n = line_length(self, -1);
  return n == 0 ? nullptr : take(self, n);
}

PyObject* bytesio_readlines(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("readlines", nargs, 0, 1)) return nullptr;
  Py_ssize_t limit = 0;
  if (nargs == 1 && args[0] != Py_None) {
    if (!PyLong_Check(args[0]))
      return PyErr_Format(PyExc_TypeError, "integer argument expected, got '%s'", Py_TYPE(args[0])->tp_name);
    limit = PyLong_AsSsize_t(args[0]);
    if (limit == -1 && PyErr_Occurred()) return nullptr;
  }
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self)) return nullptr;
  Ref<> lines = Ref<>::steal(PyList_New(0));
  if (!lines) return nullptr;
  Py_ssize_t total = 0;
  for (Py_ssize_t n; (n = line_length(self, -1)) != 0;) {
    Ref<> line = Ref<>::steal(take(self, n));
    if (!line || PyList_Append(lines.get(), line.get()) < 0) return nullptr;
    total += n;
    if (limit > 0 && total >= limit) break;
  }
  return lines.release();
}

PyObject* bytesio_readinto(PyObject* op, PyObject* target) {
  Py_buffer view;
  if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "readinto() argument must be read-write bytes-like object, not %T", target);
  }
  Py_ssize_t n = -1;
  {
    ObjectLock lock(op);
    BytesIO* self = as_bytesio(op);
    if (is_open(self)) {
      n = std::min(view.len, left(self));
      memcpy(view.buf, chars(self) + std::min(self->pos, self->size), static_cast<size_t>(n));
      self->pos += n;
    }
  }
  PyBuffer_Release(&view);
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

PyObject* bytesio_write(PyObject* op, PyObject* source) {
  ObjectLock lock(op);
  const Py_ssize_t n = write_object(op, source);
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

PyObject* bytesio_writelines(PyObject* op, PyObject* lines) {
  ObjectLock lock(op);
  if (!is_open(as_bytesio(op))) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(lines));
  if (!iterator) return nullptr;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  for (;;) {
    Ref<> line = Ref<>::steal(next(iterator.get()));
    if (!line) break;
    if (write_object(op, line.get()) < 0) return nullptr;
  }
  if (!iteration_ended()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* bytesio_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  PyObject* position;
  int whence;
  if (!seek_arguments(args, nargs, &position, &whence)) return nullptr;
  Py_ssize_t by = PyNumber_AsSsize_t(position, PyExc_OverflowError);
  if (by == -1 && PyErr_Occurred()) return nullptr;
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self)) return nullptr;
  if (by < 0 && whence == 0) return PyErr_Format(PyExc_ValueError, "negative seek value %zd", by);
  if (whence < 0 || whence > 2) return PyErr_Format(PyExc_ValueError, "invalid whence (%i, should be 0, 1 or 2)", whence);
  const Py_ssize_t from = whence == 0 ? 0 : whence == 1 ? self->pos : self->size;
  if (by > PY_SSIZE_T_MAX - from) {
    PyErr_SetString(PyExc_OverflowError, "new position too large");
    return nullptr;
  }
  self->pos = std::max<Py_ssize_t>(from + by, 0);
  return PyLong_FromSsize_t(self->pos);
}

PyObject* bytesio_truncate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("truncate", nargs, 0, 1)) return nullptr;
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self) || !no_exports(self)) return nullptr;
  Py_ssize_t n = self->pos;
  if (nargs == 1 && args[0] != Py_None) {
    n = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (n == -1 && PyErr_Occurred()) return nullptr;
    if (!is_open(self) || !no_exports(self)) return nullptr;
  }
  if (n < 0) return PyErr_Format(PyExc_ValueError, "negative size value %zd", n);
  if (n < self->size) {
    // Give memory back when much of it is free.
    if (shared(self) || n < PyBytes_GET_SIZE(self->data) / 2) {
      if (!own(self, n)) return nullptr;
    }
    self->size = n;
  }
  return PyLong_FromSsize_t(n);
}

PyObject* value_of(BytesIO* self) {
  if (self->size != PyBytes_GET_SIZE(self->data)) {
    if (self->exports > 0) return PyBytes_FromStringAndSize(chars(self), self->size);
    if (shared(self) ? !own(self, self->size) : _PyBytes_Resize(&self->data, self->size) < 0) return nullptr;
  } else if (self->exports > 0) {
    // Views can change the memory.
    return PyBytes_FromStringAndSize(chars(self), self->size);
  }
  return Py_NewRef(self->data);
}

PyObject* bytesio_getvalue(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  return is_open(as_bytesio(op)) ? value_of(as_bytesio(op)) : nullptr;
}

PyObject* bytesio_getbuffer(PyObject* op, PyObject*) {
  {
    ObjectLock lock(op);
    if (!is_open(as_bytesio(op))) return nullptr;
  }
  View* view = new_gc_object<View>(&bytesio_buffer_type);
  if (view == nullptr) return PyErr_NoMemory();
  view->source = reinterpret_cast<BytesIO*>(Py_NewRef(op));
  track(view);
  Ref<> holder = Ref<>::steal(reinterpret_cast<PyObject*>(view));
  return PyMemoryView_FromObject(holder.get());
}

PyObject* bytesio_close(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!no_exports(self)) return nullptr;
  Py_CLEAR(self->data);
  Py_RETURN_NONE;
}

PyObject* bytesio_getstate(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self)) return nullptr;
  Ref<> value = Ref<>::steal(value_of(self));
  if (!value) return nullptr;
  Ref<> dict = Ref<>::share(self->base.dict);
  dict = dict ? Ref<>::steal(PyDict_Copy(dict)) : Ref<>::share(Py_None);
  return dict ? Py_BuildValue("(OnO)", value.get(), self->pos, dict.get()) : nullptr;
}

PyObject* bytesio_setstate(PyObject* op, PyObject* state) {
  if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) < 3) {
    return PyErr_Format(PyExc_TypeError, "%.200s.__setstate__ argument should be 3-tuple, got %.200s", Py_TYPE(op)->tp_name,
                        Py_TYPE(state)->tp_name);
  }
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!is_open(self) || !no_exports(self)) return nullptr;
  self->pos = self->size = 0;
  if (write_object(op, PyTuple_GET_ITEM(state, 0)) < 0) return nullptr;
  PyObject* position = PyTuple_GET_ITEM(state, 1);
  if (!PyLong_Check(position)) {
    return PyErr_Format(PyExc_TypeError, "second item of state must be an integer, not %.200s",
                        Py_TYPE(position)->tp_name);
  }
  const Py_ssize_t pos = PyLong_AsSsize_t(position);
  if (pos == -1 && PyErr_Occurred()) return nullptr;
  if (pos < 0) {
    PyErr_SetString(PyExc_ValueError, "position value cannot be negative");
    return nullptr;
  }
  self->pos = pos;
  PyObject* dict = PyTuple_GET_ITEM(state, 2);
  if (dict == Py_None) Py_RETURN_NONE;
  if (!PyDict_Check(dict)) {
    return PyErr_Format(PyExc_TypeError, "third item of state should be a dict, got a %.200s", Py_TYPE(dict)->tp_name);
  }
  if (!merge_dict(&self->base, dict)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* bytesio_sizeof(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  Py_ssize_t size = Py_TYPE(op)->tp_basicsize;
  if (as_bytesio(op)->data != nullptr && !shared(as_bytesio(op)))
    size += static_cast<Py_ssize_t>(_PySys_GetSizeOf(as_bytesio(op)->data));
  return PyLong_FromSsize_t(size);
}

PyObject* get_closed(PyObject* op, void*) {
  ObjectLock lock(op);
  return PyBool_FromLong(as_bytesio(op)->data == nullptr);
}

PyObject* bytesio_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_bytesio(op)->data = PyBytes_FromStringAndSize(nullptr, 0);
  return op;
}

int bytesio_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"initial_bytes", nullptr};
  PyObject* initial = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:BytesIO", const_cast<char**>(keywords), &initial)) return -1;
  ObjectLock lock(op);
  BytesIO* self = as_bytesio(op);
  if (!no_exports(self)) return -1;
  if (self->data == nullptr) {
    self->data = PyBytes_FromStringAndSize(nullptr, 0);
    if (self->data == nullptr) return -1;
  }
  self->pos = self->size = 0;
  if (initial == nullptr || initial == Py_None) return 0;
  if (PyBytes_CheckExact(initial)) {
    Py_SETREF(self->data, Py_NewRef(initial));
    self->size = PyBytes_GET_SIZE(initial);
    return 0;
  }
  if (write_object(op, initial) < 0) return -1;
  self->pos = 0;
  return 0;
}

int bytesio_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_bytesio(op)->base.dict);
  return 0;
}
int bytesio_clear(PyObject* op) {
  Py_CLEAR(as_bytesio(op)->base.dict);
  return 0;
}
void bytesio_dealloc(PyObject* op) {
  untrack(op);
  if (as_bytesio(op)->exports > 0) {
    PyErr_SetString(PyExc_SystemError, "deallocated BytesIO object has exported buffers");
    PyErr_Print();
  }
  Py_CLEAR(as_bytesio(op)->data);
  drop_base(&as_bytesio(op)->base);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef bytesio_methods[] = {
    {"readable", bytesio_readable, METH_NOARGS, "readable($self, /)\n--\n\n"},
    {"seekable", bytesio_readable, METH_NOARGS, "seekable($self, /)\n--\n\n"},
    {"writable", bytesio_readable, METH_NOARGS, "writable($self, /)\n--\n\n"},
    {"close", bytesio_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"flush", bytesio_flush, METH_NOARGS, "flush($self, /)\n--\n\n"},
    {"isatty", bytesio_isatty, METH_NOARGS, "isatty($self, /)\n--\n\n"},
    {"tell", bytesio_tell, METH_NOARGS, "tell($self, /)\n--\n\n"},
    {"write", bytesio_write, METH_O, "write($self, b, /)\n--\n\n"},
    {"writelines", bytesio_writelines, METH_O, "writelines($self, lines, /)\n--\n\n"},
    {"read1", AMPHIS_METHOD(bytesio_read), METH_FASTCALL, "read1($self, size=-1, /)\n--\n\n"},
    {"readinto", bytesio_readinto, METH_O, "readinto($self, buffer, /)\n--\n\n"},
    {"readline", AMPHIS_METHOD(bytesio_readline), METH_FASTCALL, "readline($self, size=-1, /)\n--\n\n"},
    {"readlines", AMPHIS_METHOD(bytesio_readlines), METH_FASTCALL, "readlines($self, size=None, /)\n--\n\n"},
    {"read", AMPHIS_METHOD(bytesio_read), METH_FASTCALL, "read($self, size=-1, /)\n--\n\n"},
    {"getbuffer", bytesio_getbuffer, METH_NOARGS, "getbuffer($self, /)\n--\n\nA view of the contents."},
    {"getvalue", bytesio_getvalue, METH_NOARGS, "getvalue($self, /)\n--\n\nThe whole contents."},
    {"seek", AMPHIS_METHOD(bytesio_seek), METH_FASTCALL, "seek($self, pos, whence=0, /)\n--\n\n"},
    {"truncate", AMPHIS_METHOD(bytesio_truncate), METH_FASTCALL, "truncate($self, size=None, /)\n--\n\n"},
    {"__getstate__", bytesio_getstate, METH_NOARGS, "__getstate__($self, /)\n--\n\n"},
    {"__setstate__", bytesio_setstate, METH_O, "__setstate__($self, object, /)\n--\n\n"},
    {"__sizeof__", bytesio_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\n"},
    {},
};
PyGetSetDef bytesio_getset[] = {{"closed", get_closed, nullptr, "True if the file is closed.", nullptr}, {}};

// ---- the exporter behind getbuffer() ----

int view_getbuffer(PyObject* op, Py_buffer* view, int flags) {
  BytesIO* source = reinterpret_cast<View*>(op)->source;
  if (view == nullptr) {
    PyErr_SetString(PyExc_BufferError, "bytesiobuf_getbuffer: view==NULL argument is obsolete");
    return -1;
  }
  ObjectLock lock(source);
  if (!is_open(source)) return -1;
  if (source->exports == 0 && shared(source) && !own(source, source->size)) return -1;
  if (PyBuffer_FillInfo(view, op, chars(source), source->size, 0, flags) < 0) return -1;
  source->exports++;
  return 0;
}
void view_releasebuffer(PyObject* op, Py_buffer*) {
  BytesIO* source = reinterpret_cast<View*>(op)->source;
  ObjectLock lock(source);
  source->exports--;
}
int view_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<View*>(op)->source);
  return 0;
}
void view_dealloc(PyObject* op) {
  untrack(op);
  Py_CLEAR(reinterpret_cast<View*>(op)->source);
  Py_TYPE(op)->tp_free(op);
}
PyBufferProcs view_buffer = {.bf_getbuffer = view_getbuffer, .bf_releasebuffer = view_releasebuffer};

}  // namespace

PyTypeObject bytesio_buffer_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io._BytesIOBuffer",
    .tp_basicsize = sizeof(View),
    .tp_dealloc = view_dealloc,
    .tp_as_buffer = &view_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = view_traverse,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject bytesio_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.BytesIO",
    .tp_basicsize = sizeof(BytesIO),
    .tp_dealloc = bytesio_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "BytesIO(initial_bytes=b'')\n--\n\nA binary file in memory.",
    .tp_traverse = bytesio_traverse,
    .tp_clear = bytesio_clear,
    .tp_weaklistoffset = offsetof(IOBase, weakrefs),
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = bytesio_next,
    .tp_methods = bytesio_methods,
    .tp_getset = bytesio_getset,
    .tp_base = &buffered_iobase_type,
    .tp_dictoffset = offsetof(IOBase, dict),
    .tp_init = bytesio_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = bytesio_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
