// _io._IOBase, _RawIOBase, _BufferedIOBase and _TextIOBase: what every file has, expressed by the methods that its class
// defines. An object is closed by its finalizer unless that happened before.
#include "modules/io.h"

#include "objects/str.h"
#include "sync/atomic_field.h"

#include <algorithm>
#include <cerrno>

namespace amphis::io {

PyObject* unsupported_operation = nullptr;

int attribute_is_true(PyObject* self, PyObject* name) {
  Ref<> value = Ref<>::steal(PyObject_GetAttr(self, name));
  if (!value) return -1;
  if (value.get() == Py_False) return 0;
  return value.get() == Py_True ? 1 : PyObject_IsTrue(value.get());
}

bool check_closed(PyObject* self) {
  const int closed = attribute_is_true(self, AMPHIS_STATIC_NAME("closed"));
  if (closed > 0) PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
  return closed == 0;
}

namespace {

bool check_ability(PyObject* self, PyObject* name, const char* message) {
  Ref<> able = Ref<>::steal(PyObject_CallMethodNoArgs(self, name));
  if (!able) return false;
  if (able.get() == Py_True) return true;
  raise_unsupported(message);
  return false;
}

}  // namespace

bool check_readable(PyObject* self) {
  return check_ability(self, AMPHIS_STATIC_NAME("readable"), "File or stream is not readable.");
}
bool check_writable(PyObject* self) {
  return check_ability(self, AMPHIS_STATIC_NAME("writable"), "File or stream is not writable.");
}
bool check_seekable(PyObject* self) {
  return check_ability(self, AMPHIS_STATIC_NAME("seekable"), "File or stream is not seekable.");
}

PyObject* no_pickle(PyObject* self, PyObject*) {
  const char* name = strrchr(Py_TYPE(self)->tp_name, '.');
  return PyErr_Format(PyExc_TypeError, "cannot pickle '%.100s' instances", name ? name + 1 : Py_TYPE(self)->tp_name);
}

bool size_argument(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* size) {
  if (nargs == 0) return true;
  return check_positional(name, nargs, 0, 1) && _Py_convert_optional_to_ssize_t(args[0], size) != 0;
}

bool offset_from(PyObject* number, int64_t* offset) {
  Ref<> index = Ref<>::steal(PyNumber_Index(number));
  if (!index) return false;
  *offset = PyLong_AsLongLong(index.get());
  return *offset != -1 || !PyErr_Occurred();
}

bool seek_arguments(PyObject* const* args, Py_ssize_t nargs, PyObject** position, int* whence) {
  if (!check_positional("seek", nargs, 1, 2)) return false;
  *position = args[0];
  *whence = 0;
  if (nargs == 2) {
    *whence = PyLong_AsInt(args[1]);
    if (*whence == -1 && PyErr_Occurred()) return false;
  }
  return true;
}

bool interrupted_call() {
  if (!PyErr_ExceptionMatches(PyExc_OSError)) return false;
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  const Ref<> number = sync::get_ref(&self_of<PyOSErrorObject>(error.get())->myerrno, error.get());
  if (number && PyLong_Check(number.get()) && PyLong_AsLong(number) == EINTR) return PyErr_CheckSignals() == 0;
  PyErr_Clear();
  PyErr_SetRaisedException(error.release());
  return false;
}

void chain(Ref<> first) {
  if (first) _PyErr_ChainExceptions1(first.release());
}

PyGetSetDef dict_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

// ---- finalization ----

namespace {

void iobase_finalize(PyObject* self) {
  Ref<> pending = Ref<>::steal(PyErr_GetRaisedException());
  // An object that cannot tell whether it is closed is beyond use.
  int closed = 1;
  PyObject* value;
  if (PyObject_GetOptionalAttr(self, AMPHIS_STATIC_NAME("closed"), &value) <= 0) {
    PyErr_Clear();
  } else {
    closed = PyObject_IsTrue(value);
    Py_DECREF(value);
    if (closed < 0) {
      PyErr_Clear();
      closed = 1;
    }
  }
  if (closed == 0) {
    // So that close() can tell that nobody asked for it.
    if (PyObject_SetAttr(self, AMPHIS_STATIC_NAME("_finalizing"), Py_True) < 0) PyErr_Clear();
    Ref<> done = Ref<>::steal(PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("close")));
    if (!done) PyErr_FormatUnraisable("Exception ignored while finalizing file %R", self);
  }
  PyErr_SetRaisedException(pending.release());
}

}  // namespace

int finalize(PyObject* self) {
  return PyObject_CallFinalizerFromDealloc(self);
}

void drop_base(IOBase* self) {
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(reinterpret_cast<PyObject*>(self));
  Py_CLEAR(self->dict);
}

bool merge_dict(IOBase* self, PyObject* state) {
  if (Ref<> dict = Ref<>::share(self->dict)) return PyDict_Update(dict, state) == 0;
  sync::store_release(self->dict, Py_NewRef(state));
  return true;
}

// ---- _IOBase ----

namespace {

int iobase_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(self_of<IOBase>(self)->dict);
  return 0;
}

int iobase_clear(PyObject* self) {
  Py_CLEAR(self_of<IOBase>(self)->dict);
  return 0;
}

void iobase_dealloc(PyObject* self) {
  if (finalize(self) < 0) return;
  untrack(self);
  drop_base(self_of<IOBase>(self));
  Py_TYPE(self)->tp_free(self);
}

// Set by _IOBase.close(), under a name of its own: subclasses may define `closed` as they like.
bool marked_closed(PyObject* self, int* closed) {
  PyObject* value;
  *closed = PyObject_GetOptionalAttr(self, AMPHIS_STATIC_NAME("__IOBase_closed"), &value);
  if (*closed > 0) Py_DECREF(value);
  return *closed >= 0;
}

PyObject* iobase_seek(PyObject*, PyObject* const*, Py_ssize_t nargs, PyObject*) {
  if (nargs < 1)
    return PyErr_Format(PyExc_TypeError, "seek() takes at least 1 positional argument (%zd given)", nargs);
  return raise_unsupported("seek");
}
PyObject* iobase_truncate(PyObject*, PyObject* const*, Py_ssize_t) { return raise_unsupported("truncate"); }
PyObject* iobase_fileno(PyObject*, PyObject*) { return raise_unsupported("fileno"); }
PyObject* iobase_tell(PyObject* self, PyObject*) { return PyObject_CallMethod(self, "seek", "ii", 0, 1); }

PyObject* iobase_flush(PyObject* self, PyObject*) {
  int closed;
  if (!marked_closed(self, &closed)) return nullptr;
  if (closed) {
    PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* iobase_close(PyObject* self, PyObject*) {
  int closed;
  if (!marked_closed(self, &closed)) return nullptr;
  if (closed) Py_RETURN_NONE;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("flush")));
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  const int marked = PyObject_SetAttr(self, AMPHIS_STATIC_NAME("__IOBase_closed"), Py_True);
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  if (marked < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* get_closed(PyObject* self, void*) {
  int closed;
  return marked_closed(self, &closed) ? PyBool_FromLong(closed) : nullptr;
}

PyObject* iobase_check_closed(PyObject* self, PyObject*) {
  if (!check_closed(self)) return nullptr;
  Py_RETURN_NONE;
}
template <bool (*Check)(PyObject*)>
PyObject* iobase_check(PyObject* self, PyObject*) {
  if (!Check(self)) return nullptr;
  Py_RETURN_TRUE;
}
PyObject* iobase_false(PyObject*, PyObject*) { Py_RETURN_FALSE; }

PyObject* iobase_isatty(PyObject* self, PyObject*) {
  if (!check_closed(self)) return nullptr;
  Py_RETURN_FALSE;
}

PyObject* iobase_enter(PyObject* self, PyObject*) { return check_closed(self) ? Py_NewRef(self) : nullptr; }
PyObject* iobase_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  return PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("close"));
}

// The bytes up to the newline, as peek() shows them; 1 where there is no peek.
Py_ssize_t bytes_to_newline(PyObject* self, PyObject* peek, Py_ssize_t limit) {
  for (;;) {
    Ref<> one = Ref<>::steal(PyLong_FromLong(1));
    Ref<> ahead = Ref<>::steal(PyObject_CallOneArg(peek, one.get()));
    if (!ahead) {
      if (interrupted_call()) continue;
      return -1;
    }
    if (!PyBytes_Check(ahead.get())) {
      PyErr_Format(PyExc_OSError, "peek() should have returned a bytes object, not '%.200s'",
                   Py_TYPE(ahead.get())->tp_name);
      return -1;
    }
    (void)self;
    Py_ssize_t n = PyBytes_GET_SIZE(ahead.get());
    if (n == 0) return 1;
    if (limit >= 0) n = std::min(n, limit);
    const char* data = PyBytes_AS_STRING(ahead.get());
    const void* end = memchr(data, '\n', static_cast<size_t>(n));
    return end ? static_cast<const char*>(end) - data + 1 : n;
  }
}

PyObject* iobase_readline(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t limit = -1;
  if (!size_argument("readline", args, nargs, &limit)) return nullptr;
  PyObject* found;
  if (PyObject_GetOptionalAttr(self, AMPHIS_STATIC_NAME("peek"), &found) < 0) return nullptr;
  Ref<> peek = Ref<>::steal(found);
  Ref<> line = Ref<>::steal(PyByteArray_FromStringAndSize(nullptr, 0));
  if (!line) return nullptr;
  while (limit < 0 || PyByteArray_GET_SIZE(line.get()) < limit) {
    Py_ssize_t want = 1;
    if (peek) {
      want = bytes_to_newline(self, peek.get(), limit < 0 ? -1 : limit - PyByteArray_GET_SIZE(line.get()));
      if (want < 0) return nullptr;
    }
    Ref<> piece = Ref<>::steal(PyObject_CallMethod(self, "read", "n", want));
    if (!piece) {
      if (interrupted_call()) continue;
      return nullptr;
    }
    if (!PyBytes_Check(piece.get())) {
      return PyErr_Format(PyExc_OSError, "read() should have returned a bytes object, not '%.200s'",
                          Py_TYPE(piece.get())->tp_name);
    }
    const Py_ssize_t n = PyBytes_GET_SIZE(piece.get());
    if (n == 0) break;
    const Py_ssize_t old = PyByteArray_GET_SIZE(line.get());
    if (PyByteArray_Resize(line.get(), old + n) < 0) return nullptr;
    memcpy(PyByteArray_AS_STRING(line.get()) + old, PyBytes_AS_STRING(piece.get()), static_cast<size_t>(n));
    if (PyBytes_AS_STRING(piece.get())[n - 1] == '\n') break;
  }
  return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(line.get()), PyByteArray_GET_SIZE(line.get()));
}

PyObject* iobase_iter(PyObject* self) { return check_closed(self) ? Py_NewRef(self) : nullptr; }

PyObject* iobase_next(PyObject* self) {
  Ref<> line = Ref<>::steal(PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("readline")));
  if (!line) return nullptr;
  const Py_ssize_t n = PyObject_Size(line.get());
  return n > 0 ? line.release() : nullptr;
}

PyObject* iobase_readlines(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t hint = -1;
  if (!size_argument("readlines", args, nargs, &hint)) return nullptr;
  Ref<> lines = Ref<>::steal(PyList_New(0));
  Ref<> iterator = lines ? Ref<>::steal(PyObject_GetIter(self)) : nullptr;
  if (!iterator) return nullptr;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  Py_ssize_t length = 0;
  for (;;) {
    Ref<> line = Ref<>::steal(next(iterator.get()));
    if (!line) break;
    if (PyList_Append(lines.get(), line.get()) < 0) return nullptr;
    if (hint <= 0) continue;
    const Py_ssize_t n = PyObject_Size(line.get());
    if (n < 0) return nullptr;
    length += n;
    if (length >= hint) break;
  }
  return iteration_ended() ? lines.release() : nullptr;
}

PyObject* iobase_writelines(PyObject* self, PyObject* lines) {
  if (!check_closed(self)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(lines));
  if (!iterator) return nullptr;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  for (;;) {
    Ref<> line = Ref<>::steal(next(iterator.get()));
    if (!line) break;
    Ref<> done;
    do {
      done = Ref<>::steal(PyObject_CallMethodOneArg(self, AMPHIS_STATIC_NAME("write"), line.get()));
    } while (!done && interrupted_call());
    if (!done) return nullptr;
  }
  if (!iteration_ended()) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef iobase_methods[] = {
    {"seek", AMPHIS_METHOD(iobase_seek), METH_FASTCALL | METH_KEYWORDS,
     "seek($self, offset, whence=os.SEEK_SET, /)\n--\n\nChange the stream position and return the new one."},
    {"tell", iobase_tell, METH_NOARGS, "tell($self, /)\n--\n\nReturn the current stream position."},
    {"truncate", AMPHIS_METHOD(iobase_truncate), METH_FASTCALL,
     "truncate($self, size=None, /)\n--\n\nCut the file at size bytes, by default at the current position."},
    {"flush", iobase_flush, METH_NOARGS, "flush($self, /)\n--\n\nWrite out what is buffered."},
    {"close", iobase_close, METH_NOARGS, "close($self, /)\n--\n\nFlush and close."},
    {"seekable", iobase_false, METH_NOARGS, "seekable($self, /)\n--\n\nWhether seek() works."},
    {"readable", iobase_false, METH_NOARGS, "readable($self, /)\n--\n\nWhether read() works."},
    {"writable", iobase_false, METH_NOARGS, "writable($self, /)\n--\n\nWhether write() works."},
    {"_checkClosed", iobase_check_closed, METH_NOARGS, "_checkClosed($self, /)\n--\n\n"},
    {"_checkSeekable", iobase_check<check_seekable>, METH_NOARGS, "_checkSeekable($self, /)\n--\n\n"},
    {"_checkReadable", iobase_check<check_readable>, METH_NOARGS, "_checkReadable($self, /)\n--\n\n"},
    {"_checkWritable", iobase_check<check_writable>, METH_NOARGS, "_checkWritable($self, /)\n--\n\n"},
    {"fileno", iobase_fileno, METH_NOARGS, "fileno($self, /)\n--\n\nThe file descriptor, where there is one."},
    {"isatty", iobase_isatty, METH_NOARGS, "isatty($self, /)\n--\n\nWhether this is a terminal."},
    {"__enter__", iobase_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", AMPHIS_METHOD(iobase_exit), METH_FASTCALL, "__exit__($self, /, *exc_info)\n--\n\n"},
    {"readline", AMPHIS_METHOD(iobase_readline), METH_FASTCALL,
     "readline($self, size=-1, /)\n--\n\nRead one line, at most size bytes of it."},
    {"readlines", AMPHIS_METHOD(iobase_readlines), METH_FASTCALL,
     "readlines($self, hint=-1, /)\n--\n\nA list of lines; no more are read once they have hint bytes in all."},
    {"writelines", iobase_writelines, METH_O,
     "writelines($self, lines, /)\n--\n\nWrite each of the lines; no ends are added."},
    {},
};

PyGetSetDef iobase_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"closed", get_closed, nullptr, nullptr, nullptr},
    {},
};

// ---- _RawIOBase ----

PyObject* raw_not_implemented(PyObject*, PyObject*) {
  PyErr_SetNone(PyExc_NotImplementedError);
  return nullptr;
}

PyObject* raw_read(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = -1;
  if (!check_positional("read", nargs, 0, 1)) return nullptr;
  if (nargs == 1) {
    n = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (n == -1 && PyErr_Occurred()) return nullptr;
  }
  if (n < 0) return PyObject_CallMethodNoArgs(self, AMPHIS_STATIC_NAME("readall"));
  Ref<> buffer = Ref<>::steal(PyByteArray_FromStringAndSize(nullptr, n));
  if (!buffer) return nullptr;
  Ref<> count = Ref<>::steal(PyObject_CallMethodOneArg(self, AMPHIS_STATIC_NAME("readinto"), buffer.get()));
  if (!count || count.get() == Py_None) return count.release();
  const Py_ssize_t got = PyNumber_AsSsize_t(count.get(), PyExc_ValueError);
  if (got == -1 && PyErr_Occurred()) return nullptr;
  if (got < 0 || got > PyByteArray_GET_SIZE(buffer.get())) {
    return PyErr_Format(PyExc_ValueError, "readinto returned %zd outside buffer size %zd", got,
                        PyByteArray_GET_SIZE(buffer.get()));
  }
  return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(buffer.get()), got);
}

PyObject* raw_readall(PyObject* self, PyObject*) {
  Ref<> all = Ref<>::steal(PyByteArray_FromStringAndSize(nullptr, 0));
  if (!all) return nullptr;
  for (;;) {
    Ref<> piece = Ref<>::steal(PyObject_CallMethod(self, "read", "n", kDefaultBufferSize));
    if (!piece) {
      if (interrupted_call()) continue;
      return nullptr;
    }
    const Py_ssize_t old = PyByteArray_GET_SIZE(all.get());
    if (piece.get() == Py_None) {
      if (old == 0) return piece.release();
      break;
    }
    if (!PyBytes_Check(piece.get())) {
      PyErr_SetString(PyExc_TypeError, "read() should return bytes");
      return nullptr;
    }
    const Py_ssize_t n = PyBytes_GET_SIZE(piece.get());
    if (n == 0) break;
    if (PyByteArray_Resize(all.get(), old + n) < 0) return nullptr;
    memcpy(PyByteArray_AS_STRING(all.get()) + old, PyBytes_AS_STRING(piece.get()), static_cast<size_t>(n));
  }
  return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(all.get()), PyByteArray_GET_SIZE(all.get()));
}

PyMethodDef raw_methods[] = {
    {"read", AMPHIS_METHOD(raw_read), METH_FASTCALL, "read($self, size=-1, /)\n--\n\n"},
    {"readall", raw_readall, METH_NOARGS, "readall($self, /)\n--\n\nRead until the end of the file."},
    {"readinto", raw_not_implemented, METH_O, "readinto($self, buffer, /)\n--\n\n"},
    {"write", raw_not_implemented, METH_O, "write($self, b, /)\n--\n\n"},
    {},
};

// ---- _BufferedIOBase ----

PyObject* buffered_base_detach(PyObject*, PyObject*) { return raise_unsupported("detach"); }
template <const char* const& Name>
PyObject* refuse(PyObject*, PyObject*) {
  return raise_unsupported(Name);
}
constexpr const char* kRead = "read";
constexpr const char* kRead1 = "read1";
constexpr const char* kReadline = "readline";
constexpr const char* kWrite = "write";

// Positional counts are those of a method with one optional argument.
template <const char* const& Name>
PyObject* refuse_size(PyObject*, PyObject* const*, Py_ssize_t nargs) {
  if (nargs > 1) return PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", Name, nargs);
  return raise_unsupported(Name);
}

PyObject* readinto_by(PyObject* self, PyObject* target, PyObject* read, const char* name) {
  Py_buffer view;
  if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "%s() argument must be read-write bytes-like object, not %T", name, target);
  }
  struct Release {
    Py_buffer* view;
    ~Release() { PyBuffer_Release(view); }
  } release{&view};
  Ref<> size = Ref<>::steal(PyLong_FromSsize_t(view.len));
  Ref<> data = size ? Ref<>::steal(PyObject_CallMethodOneArg(self, read, size.get())) : nullptr;
  if (!data) return nullptr;
  if (!PyBytes_Check(data.get())) {
    PyErr_SetString(PyExc_TypeError, "read() should return bytes");
    return nullptr;
  }
  const Py_ssize_t n = PyBytes_GET_SIZE(data.get());
  if (n > view.len) {
    return PyErr_Format(PyExc_ValueError, "read() returned too much data: %zd bytes requested, %zd returned", view.len,
                        n);
  }
  memcpy(view.buf, PyBytes_AS_STRING(data.get()), static_cast<size_t>(n));
  return PyLong_FromSsize_t(n);
}

PyObject* buffered_base_readinto(PyObject* self, PyObject* target) {
  return readinto_by(self, target, AMPHIS_STATIC_NAME("read"), "readinto");
}
PyObject* buffered_base_readinto1(PyObject* self, PyObject* target) {
  return readinto_by(self, target, AMPHIS_STATIC_NAME("read1"), "readinto1");
}

PyMethodDef buffered_base_methods[] = {
    {"detach", buffered_base_detach, METH_NOARGS,
     "detach($self, /)\n--\n\nGive up the raw stream below and return it."},
    {"read", AMPHIS_METHOD(refuse_size<kRead>), METH_FASTCALL,
     "read($self, size=-1, /)\n--\n\nRead up to size bytes, with None or a negative size all there are."},
    {"read1", AMPHIS_METHOD(refuse_size<kRead1>), METH_FASTCALL,
     "read1($self, size=-1, /)\n--\n\nRead up to size bytes with at most one read of the raw stream."},
    {"readinto", buffered_base_readinto, METH_O, "readinto($self, buffer, /)\n--\n\n"},
    {"readinto1", buffered_base_readinto1, METH_O, "readinto1($self, buffer, /)\n--\n\n"},
    {"write", refuse<kWrite>, METH_O, "write($self, b, /)\n--\n\nWrite bytes and return how many."},
    {},
};

// ---- _TextIOBase ----

PyMethodDef text_base_methods[] = {
    {"detach", buffered_base_detach, METH_NOARGS, "detach($self, /)\n--\n\nGive up the buffer below and return it."},
    {"read", AMPHIS_METHOD(refuse_size<kRead>), METH_FASTCALL,
     "read($self, size=-1, /)\n--\n\nRead up to size characters."},
    {"readline", AMPHIS_METHOD(refuse_size<kReadline>), METH_FASTCALL,
     "readline($self, size=-1, /)\n--\n\nRead a line, at most size characters of it."},
    {"write", refuse<kWrite>, METH_O, "write($self, s, /)\n--\n\nWrite a string and return its length."},
    {},
};

PyObject* get_none(PyObject*, void*) { Py_RETURN_NONE; }
PyGetSetDef text_base_getset[] = {
    {"encoding", get_none, nullptr, "The encoding of the text.", nullptr},
    {"newlines", get_none, nullptr, "The kinds of line ends seen so far.", nullptr},
    {"errors", get_none, nullptr, "How errors of the codec are handled.", nullptr},
    {},
};

constexpr unsigned long kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;

PyTypeObject make_abstract(const char* name, const char* doc, PyMethodDef* methods, PyGetSetDef* getset,
                           PyTypeObject* base) {
  return PyTypeObject{
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
      .tp_name = name,
      .tp_basicsize = sizeof(IOBase),
      .tp_dealloc = iobase_dealloc,
      .tp_flags = kFlags,
      .tp_doc = doc,
      .tp_traverse = iobase_traverse,
      .tp_clear = iobase_clear,
      .tp_weaklistoffset = offsetof(IOBase, weakrefs),
      .tp_iter = iobase_iter,
      .tp_iternext = iobase_next,
      .tp_methods = methods,
      .tp_getset = getset,
      .tp_base = base,
      .tp_dictoffset = offsetof(IOBase, dict),
      .tp_alloc = PyType_GenericAlloc,
      .tp_free = PyObject_GC_Del,
      .tp_finalize = iobase_finalize,
  };
}

}  // namespace

PyTypeObject iobase_type =
    make_abstract("_io._IOBase", "The root of the input and output classes.", iobase_methods, iobase_getset, nullptr);
PyTypeObject raw_iobase_type =
    make_abstract("_io._RawIOBase", "Base class for raw binary I/O.", raw_methods, nullptr, &iobase_type);
PyTypeObject buffered_iobase_type =
    make_abstract("_io._BufferedIOBase", "Base class for buffered binary I/O.", buffered_base_methods, nullptr,
                  &iobase_type);
PyTypeObject text_iobase_type = make_abstract("_io._TextIOBase", "Base class for text I/O.", text_base_methods,
                                              text_base_getset, &iobase_type);

}  // namespace amphis::io
