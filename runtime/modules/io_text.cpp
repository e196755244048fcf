// _io.TextIOWrapper: life, attributes, writing. Codecs, reading and positions are in io_text_*.cpp.
#include "modules/io_text.h"

#include "objects/str.h"

#include <algorithm>

namespace amphis::io {
namespace {

constexpr Py_ssize_t kChunkSize = 8192;

// 1 or 0, or -1 with an exception.
int closed_below(TextIO* self) {
  Ref<> buffer = below(self);
  if (!buffer) return -1;
  if (is_buffered(buffer.get())) return buffered_closed(buffer.get());
  return attribute_is_true(buffer.get(), AMPHIS_STATIC_NAME("closed"));
}

// The buffer below, for who has not locked the stream; null with an exception.
Ref<> below_of(PyObject* op) {
  ObjectLock lock(op);
  return below(as_text(op));
}

bool attached(TextIO* self) {
  if (self->detached) PyErr_SetString(PyExc_ValueError, "underlying buffer has been detached");
  return !self->detached;
}

bool write_below(TextIO* self, const char* data, Py_ssize_t size) {
  Ref<> buffer = below(self);
  if (!buffer) return false;
  if (is_buffered(buffer.get()) && !Py_IS_TYPE(buffer.get(), &buffered_reader_type))
    return buffered_write_bytes(buffer.get(), data, size);
  Ref<> bytes = Ref<>::steal(PyBytes_FromStringAndSize(data, size));
  if (!bytes) return false;
  Ref<> done;
  do {
    done = Ref<>::steal(PyObject_CallMethodOneArg(buffer.get(), AMPHIS_STATIC_NAME("write"), bytes.get()));
  } while (!done && interrupted_call());
  return static_cast<bool>(done);
}

bool flush_below(TextIO* self) {
  Ref<> buffer = below(self);
  if (!buffer) return false;
  Ref<> done = Ref<>::steal(is_buffered(buffer.get())
                                ? buffered_flush(buffer.get())
                                : PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME("flush")));
  return static_cast<bool>(done);
}

bool append_pending(TextIO* self, const char* data, Py_ssize_t n) {
  if (n > self->pending_room - self->pending_size) {
    const Py_ssize_t room = std::max({self->pending_size + n, self->chunk_size, self->pending_room * 2});
    auto* grown = static_cast<char*>(PyMem_Realloc(self->pending, static_cast<size_t>(room)));
    if (grown == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    self->pending = grown;
    self->pending_room = room;
  }
  if (n > 0) memcpy(self->pending + self->pending_size, data, static_cast<size_t>(n));
  self->pending_size += n;
  return true;
}

// Collects encoded text, or passes it on when there is much of it.
bool put(TextIO* self, const char* data, Py_ssize_t n) {
  // The buffer below may write here in turn: that comes before this.
  while (self->pending_size > 0 && self->pending_size + n > self->chunk_size) {
    if (!flush_text(self)) return false;
  }
  if (n >= self->chunk_size) return write_below(self, data, n);
  return append_pending(self, data, n);
}

bool has_char(PyObject* text, char c) { return PyUnicode_FindChar(text, static_cast<Py_UCS4>(c), 0, PyUnicode_GET_LENGTH(text), 1) >= 0; }

}  // namespace

bool text_usable(TextIO* self) {
  if (self->ok) [[likely]] return true;
  PyErr_SetString(PyExc_ValueError,
                  self->detached ? "underlying buffer has been detached" : "I/O operation on uninitialized object");
  return false;
}

bool text_open(PyObject* op) {
  TextIO* self = as_text(op);
  if (!Py_IS_TYPE(op, &textio_type)) return check_closed(op) && text_usable(self);
  const int closed = closed_below(self);
  if (closed > 0) PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
  return closed == 0 && text_usable(self);
}

Ref<> below(TextIO* self) { return text_usable(self) ? Ref<>::share(self->buffer) : nullptr; }

bool flush_text(TextIO* self) {
  if (self->pending_size == 0) return true;
  // Taken out first: another thread may write while this one is detached.
  char* data = self->pending;
  const Py_ssize_t size = self->pending_size, room = self->pending_room;
  self->pending = nullptr;
  self->pending_size = self->pending_room = 0;
  const bool ok = write_below(self, data, size);
  if (self->pending == nullptr) {
    self->pending = data;
    self->pending_room = room;
  } else {
    PyMem_Free(data);
  }
  return ok;
}

bool flush_all(PyObject* op) {
  TextIO* self = as_text(op);
  self->telling = self->seekable;
  return flush_text(self) && flush_below(self);
}

namespace {

// ---- life ----

// None or str without null characters.
bool optional_text(PyObject* value, const char* function, const char* name, const char** text,
                   PyObject* null_error = PyExc_ValueError) {
  *text = nullptr;
  if (value == nullptr || value == Py_None) return true;
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "%s() argument '%s' must be str or None, not %T", function, name, value);
    return false;
  }
  Py_ssize_t n;
  *text = PyUnicode_AsUTF8AndSize(value, &n);
  if (*text == nullptr) return false;
  if (strlen(*text) != static_cast<size_t>(n)) {
    if (null_error == PyExc_LookupError)
      PyErr_Format(null_error, "unknown encoding: %s", *text);
    else
      PyErr_SetString(null_error, "embedded null character");
    return false;
  }
  return true;
}

int ability(PyObject* buffer, PyObject* name) {
  Ref<> answer = Ref<>::steal(PyObject_CallMethodNoArgs(buffer, name));
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

// An encoder that writes a mark at the start must not do so in the middle of a file.
bool fix_encoder(TextIO* self) {
  if (!self->seekable || self->encoder == nullptr) return true;
  Ref<> buffer = Ref<>::share(self->buffer);
  Ref<> position = Ref<>::steal(PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME("tell")));
  if (!position) return false;
  const int nonzero = PyObject_IsTrue(position.get());
  return nonzero == 0 || (nonzero > 0 && encoder_reset(self, false));
}

int textio_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"buffer", "encoding", "errors", "newline", "line_buffering", "write_through",
                                         nullptr};
  PyObject *buffer, *encoding = nullptr, *errors = nullptr, *newline_arg = nullptr;
  int line_buffering = 0, write_through = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOOpp:TextIOWrapper", const_cast<char**>(keywords), &buffer,
                                   &encoding, &errors, &newline_arg, &line_buffering, &write_through))
    return -1;
  const char *encoding_text, *errors_text, *newline;
  if (!optional_text(encoding, "TextIOWrapper", "encoding", &encoding_text) ||
      !optional_text(errors, "TextIOWrapper", "errors", &errors_text) ||
      !optional_text(newline_arg, "TextIOWrapper", "newline", &newline))
    return -1;
  ObjectLock lock(op);
  TextIO* self = as_text(op);
  self->ok = self->detached = false;
  if (encoding_text == nullptr && warn_default_encoding(1) < 0) return -1;
  Ref<> encoding_name = encoding_text == nullptr || strcmp(encoding_text, "locale") == 0
                            ? Ref<>::steal(locale_encoding())
                            : Ref<>::share(encoding);
  Ref<> handler = errors_text == nullptr ? Ref<>::share(AMPHIS_STATIC_NAME("strict")) : Ref<>::share(errors);
  if (errors_text != nullptr && settings.dev_mode) {
    Ref<> known = Ref<>::steal(PyCodec_LookupError(errors_text));
    if (!known) return -1;
  }
  if (!encoding_name || !set_newline(self, newline)) return -1;
  drop_chars(self);
  drop_snapshot(self);
  Py_CLEAR(self->undecoded);
  self->pending_size = 0;
  self->bytes_per_char = 0;
  self->chunk_size = kChunkSize;
  sync::store_relaxed(self->line_buffering, char(line_buffering != 0));
  sync::store_relaxed(self->write_through, char(write_through != 0));
  const int reads = ability(buffer, AMPHIS_STATIC_NAME("readable"));
  const int writes = reads < 0 ? -1 : ability(buffer, AMPHIS_STATIC_NAME("writable"));
  if (writes < 0) return -1;
  self->reads = reads != 0;
  self->writes = writes != 0;
  if (!set_codec(self, encoding_name.get(), handler.get())) return -1;
  Py_XSETREF(self->buffer, Py_NewRef(buffer));
  const int seekable = ability(buffer, AMPHIS_STATIC_NAME("seekable"));
  if (seekable < 0) return -1;
  self->seekable = self->telling = seekable != 0;
  self->has_read1 = is_buffered(buffer) || PyObject_HasAttrWithError(buffer, AMPHIS_STATIC_NAME("read1")) > 0;
  if (PyErr_Occurred()) return -1;
  if (!fix_encoder(self)) return -1;
  self->ok = true;
  return 0;
}

PyObject* textio_new(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

template <class F>
void each_object(TextIO* self, F f) {
  f(self->buffer);
  f(self->encoding);
  f(self->errors);
  f(self->encoder);
  f(self->decoder);
  f(self->newline);
  f(self->chars);
  f(self->undecoded);
  f(self->snapshot);
  f(self->base.dict);
}

int textio_traverse(PyObject* op, visitproc visit, void* arg) {
  int stop = 0;
  each_object(as_text(op), [&](PyObject*& field) {
    if (stop == 0 && field != nullptr) stop = visit(field, arg);
  });
  return stop;
}

int textio_clear(PyObject* op) {
  as_text(op)->ok = false;
  each_object(as_text(op), [](PyObject*& field) { Py_CLEAR(field); });
  return 0;
}

void textio_dealloc(PyObject* op) {
  TextIO* self = as_text(op);
  self->finalizing = true;
  const bool closed =
      Py_IS_TYPE(op, &textio_type) && self->ok && is_buffered(self->buffer) && buffered_known_closed(self->buffer);
  if (!closed && finalize(op) < 0) return;
  self->ok = false;
  untrack(op);
  if (sync::load_acquire(self->base.weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  textio_clear(op);
  PyMem_Free(self->pending);
  Py_TYPE(op)->tp_free(op);
}

// ---- writing ----

// By the method of a subclass of str, if it is one.
Ref<> replaced_newlines(PyObject* text, const char* newline) {
  if (PyUnicode_CheckExact(text)) return Ref<>::steal(replace_newlines(text, newline));
  Ref<> result = Ref<>::steal(PyObject_CallMethod(text, "replace", "ss", "\n", newline));
  if (result && !PyUnicode_Check(result.get())) {
    PyErr_Format(PyExc_TypeError, "str.replace() should return a str object, not '%.200s'", Py_TYPE(result.get())->tp_name);
    return nullptr;
  }
  return result;
}

PyObject* text_write(PyObject* op, PyObject* text) {
  TextIO* self = as_text(op);
  if (!PyUnicode_Check(text)) return PyErr_Format(PyExc_TypeError, "write() argument must be str, not %T", text);
  ObjectLock lock(op);
  if (!text_usable(self) || !text_open(op)) return nullptr;
  if (!self->writes) return raise_unsupported("not writable");
  const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
  const bool translate = self->write_translate && self->write_newline != nullptr;
  bool flush = self->write_through, flush_buffer = false;
  Ref<> replaced;
  if (translate || self->line_buffering) {
    const bool has_newline = has_char(text, '\n');
    if (self->line_buffering && (has_newline || has_char(text, '\r'))) flush = flush_buffer = true;
    if (has_newline && translate) {
      replaced = replaced_newlines(text, self->write_newline);
      // A method of a subclass may have done anything to this object.
      if (!replaced || !text_usable(self) || !text_open(op)) return nullptr;
      if (!self->writes) return raise_unsupported("not writable");
      text = replaced.get();
    }
  }
  if (self->codec != Codec::kObject && PyUnicode_IS_ASCII(text)) {
    if (!put(self, static_cast<const char*>(PyUnicode_DATA(text)), PyUnicode_GET_LENGTH(text))) return nullptr;
  } else {
    Ref<> bytes = encode(self, text);
    if (!bytes || !put(self, PyBytes_AS_STRING(bytes.get()), PyBytes_GET_SIZE(bytes.get()))) return nullptr;
  }
  if ((flush || self->pending_size >= self->chunk_size) && !flush_text(self)) return nullptr;
  if (flush_buffer && !flush_below(self)) return nullptr;
  if (self->reads) {
    // Streams without positions have no snapshot, and go on reading where they were.
    if (self->snapshot != nullptr) {
      drop_chars(self);
      drop_snapshot(self);
    }
    if ((self->decoder != nullptr || self->undecoded != nullptr || self->line_ends.pending_cr) && !decoder_reset(self))
      return nullptr;
  }
  return PyLong_FromSsize_t(length);
}

PyObject* text_flush(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!text_usable(as_text(op)) || !text_open(op) || !flush_all(op)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* text_close(PyObject* op, PyObject*) {
  if (!below_of(op)) return nullptr;
  const int closed = attribute_is_true(op, AMPHIS_STATIC_NAME("closed"));
  if (closed < 0) return nullptr;
  if (closed) Py_RETURN_NONE;
  Ref<> buffer = below_of(op);
  if (!buffer) return nullptr;
  if (as_text(op)->finalizing) {
    Ref<> warned = Ref<>::steal(PyObject_CallMethodOneArg(buffer.get(), AMPHIS_STATIC_NAME("_dealloc_warn"), op));
    if (!warned) PyErr_Clear();
  }
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> done = Ref<>::steal(PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME("close")));
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  return done.release();
}

PyObject* text_detach(PyObject* op, PyObject*) {
  TextIO* self = as_text(op);
  if (!below_of(op)) return nullptr;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  if (!flushed) return nullptr;
  ObjectLock lock(op);
  if (!text_usable(self)) return nullptr;
  PyObject* buffer = self->buffer;
  self->buffer = nullptr;
  self->detached = true;
  self->ok = false;
  return buffer;
}

PyObject* text_truncate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("truncate", nargs, 0, 1) || !below_of(op)) return nullptr;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  Ref<> buffer = flushed ? below_of(op) : nullptr;
  if (!buffer) return nullptr;
  return PyObject_CallMethodOneArg(buffer.get(), AMPHIS_STATIC_NAME("truncate"), nargs == 1 ? args[0] : Py_None);
}

// ---- reconfigure ----

// None leaves a flag as it is.
bool flag_argument(PyObject* value, char* flag) {
  if (value == nullptr || value == Py_None) return true;
  const long number = PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred()) return false;
  *flag = number != 0;
  return true;
}

PyObject* text_reconfigure(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"encoding", "errors", "newline", "line_buffering", "write_through", nullptr};
  PyObject *encoding = Py_None, *errors = Py_None, *newline_arg = nullptr, *line_buffering = Py_None,
           *write_through = Py_None;
  if (PyTuple_GET_SIZE(args) != 0) {
    PyErr_SetString(PyExc_TypeError, "reconfigure() takes no positional arguments");
    return nullptr;
  }
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOOO:reconfigure", const_cast<char**>(keywords), &encoding, &errors,
                                   &newline_arg, &line_buffering, &write_through))
    return nullptr;
  const char *encoding_text, *errors_text, *newline;
  if (!optional_text(encoding, "reconfigure", "encoding", &encoding_text, PyExc_LookupError) ||
      !optional_text(errors, "reconfigure", "errors", &errors_text) ||
      !optional_text(newline_arg, "reconfigure", "newline", &newline))
    return nullptr;
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!text_usable(self)) return nullptr;
  const bool changes = encoding_text != nullptr || errors_text != nullptr || newline_arg != nullptr;
  if (self->chars != nullptr && changes) {
    return raise_unsupported("It is not possible to set the encoding or newline of stream after the first read");
  }
  if (newline != nullptr && *newline != 0 && strcmp(newline, "\n") != 0 && strcmp(newline, "\r") != 0 &&
      strcmp(newline, "\r\n") != 0)
    return PyErr_Format(PyExc_ValueError, "illegal newline value: %s", newline);
  char lines = self->line_buffering, through = self->write_through;
  if (!flag_argument(line_buffering, &lines) || !flag_argument(write_through, &through)) return nullptr;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  if (!flushed || !text_usable(self)) return nullptr;
  self->bytes_per_char = 0;
  if (newline_arg != nullptr && !set_newline(self, newline)) return nullptr;
  if (changes) {
    Ref<> encoding_name, handler;
    if (encoding_text == nullptr) {
      encoding_name = Ref<>::share(self->encoding);
      handler = errors_text == nullptr ? Ref<>::share(self->errors) : Ref<>::share(errors);
    } else {
      encoding_name = strcmp(encoding_text, "locale") == 0 ? Ref<>::steal(locale_encoding()) : Ref<>::share(encoding);
      handler = errors_text == nullptr ? Ref<>::share(AMPHIS_STATIC_NAME("strict")) : Ref<>::share(errors);
    }
    if (!encoding_name || !set_codec(self, encoding_name.get(), handler.get()) || !fix_encoder(self)) return nullptr;
  }
  sync::store_relaxed(self->line_buffering, lines);
  sync::store_relaxed(self->write_through, through);
  Py_RETURN_NONE;
}

// ---- what the buffer below answers ----

template <const char* const& Name>
PyObject* delegate(PyObject* op, PyObject*) {
  Ref<> buffer = below_of(op);
  return buffer ? PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME(Name)) : nullptr;
}
constexpr const char* kSeekable = "seekable";
constexpr const char* kReadable = "readable";
constexpr const char* kWritable = "writable";
constexpr const char* kFileno = "fileno";
constexpr const char* kIsatty = "isatty";

PyObject* get_name(PyObject* op, void*) {
  Ref<> buffer = below_of(op);
  return buffer ? PyObject_GetAttr(buffer.get(), AMPHIS_STATIC_NAME("name")) : nullptr;
}
PyObject* get_closed(PyObject* op, void*) {
  TextIO* self = as_text(op);
  Ref<> buffer;
  {
    ObjectLock lock(op);
    // An object that was never initialized has nothing open.
    if (!self->ok && !self->detached) Py_RETURN_TRUE;
    if (!attached(self)) return nullptr;
    buffer = Ref<>::share(self->buffer);
  }
  return PyObject_GetAttr(buffer.get(), AMPHIS_STATIC_NAME("closed"));
}
PyObject* get_buffer(PyObject* op, void*) {
  return below_of(op).release();
}
PyObject* get_newlines(PyObject* op, void*) {
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!attached(self)) return nullptr;
  return newlines_seen(self->reads ? self->line_ends.seen : 0);
}
PyObject* get_errors(PyObject* op, void*) {
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!self->ok && !self->detached) {
    text_usable(self);
    return nullptr;
  }
  return Py_NewRef(self->errors);
}
PyObject* get_encoding(PyObject* op, void*) {
  ObjectLock lock(op);
  PyObject* name = as_text(op)->encoding;
  return Py_NewRef(name ? name : Py_None);
}
PyObject* get_chunk_size(PyObject* op, void*) {
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  return attached(self) ? PyLong_FromSsize_t(self->chunk_size) : nullptr;
}
int set_chunk_size(PyObject* op, PyObject* value, void*) {
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!attached(self)) return -1;
  if (value == nullptr) {
    PyErr_Format(PyExc_AttributeError, "attribute '_CHUNK_SIZE' of '%.100s' objects cannot be deleted",
                 Py_TYPE(op)->tp_name);
    return -1;
  }
  const Py_ssize_t n = PyNumber_AsSsize_t(value, PyExc_ValueError);
  if (n == -1 && PyErr_Occurred()) return -1;
  if (n <= 0) {
    PyErr_SetString(PyExc_ValueError, "a strictly positive integer is required");
    return -1;
  }
  self->chunk_size = n;
  return 0;
}

PyObject* text_repr(PyObject* op) {
  Ref<> encoding = Ref<>::steal(get_errors(op, nullptr)) ? Ref<>::steal(get_encoding(op, nullptr)) : nullptr;
  if (!encoding) return nullptr;
  const int nested = Py_ReprEnter(op);
  if (nested != 0) {
    if (nested > 0) PyErr_Format(PyExc_RuntimeError, "reentrant call inside %.100s.__repr__", Py_TYPE(op)->tp_name);
    return nullptr;
  }
  Ref<> text = Ref<>::steal(PyUnicode_FromFormat("<%.100s", Py_TYPE(op)->tp_name));
  for (const char* attribute : {"name", "mode"}) {
    if (!text) break;
    PyObject* found;
    if (PyObject_GetOptionalAttrString(op, attribute, &found) < 0) {
      // A detached buffer has no name.
      if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
        text = nullptr;
        break;
      }
      PyErr_Clear();
    }
    Ref<> value = Ref<>::steal(found);
    if (value) text = Ref<>::steal(PyUnicode_FromFormat("%U %s=%R", text.get(), attribute, value.get()));
  }
  PyObject* result = text ? PyUnicode_FromFormat("%U encoding=%R>", text.get(), encoding.get()) : nullptr;
  Py_ReprLeave(op);
  return result;
}

PyMethodDef textio_methods[] = {
    {"detach", text_detach, METH_NOARGS, "detach($self, /)\n--\n\n"},
    {"reconfigure", AMPHIS_METHOD(text_reconfigure), METH_VARARGS | METH_KEYWORDS,
     "reconfigure($self, /, *, encoding=None, errors=None, newline=None,\n"
     "            line_buffering=None, write_through=None)\n--\n\nFlush, then work with new settings."},
    {"write", text_write, METH_O, "write($self, text, /)\n--\n\n"},
    {"read", AMPHIS_METHOD(text_read), METH_FASTCALL, "read($self, size=-1, /)\n--\n\n"},
    {"readline", AMPHIS_METHOD(text_readline), METH_FASTCALL, "readline($self, size=-1, /)\n--\n\n"},
    {"flush", text_flush, METH_NOARGS, "flush($self, /)\n--\n\n"},
    {"close", text_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"fileno", delegate<kFileno>, METH_NOARGS, "fileno($self, /)\n--\n\n"},
    {"seekable", delegate<kSeekable>, METH_NOARGS, "seekable($self, /)\n--\n\n"},
    {"readable", delegate<kReadable>, METH_NOARGS, "readable($self, /)\n--\n\n"},
    {"writable", delegate<kWritable>, METH_NOARGS, "writable($self, /)\n--\n\n"},
    {"isatty", delegate<kIsatty>, METH_NOARGS, "isatty($self, /)\n--\n\n"},
    {"seek", AMPHIS_METHOD(text_seek), METH_FASTCALL,
     "seek($self, cookie, whence=os.SEEK_SET, /)\n--\n\n"
     "Go to the start (0), to the end (0, 2) or to a place that tell() returned."},
    {"tell", text_tell, METH_NOARGS, "tell($self, /)\n--\n\nA number that seek() understands."},
    {"truncate", AMPHIS_METHOD(text_truncate), METH_FASTCALL, "truncate($self, pos=None, /)\n--\n\n"},
    {"__getstate__", no_pickle, METH_NOARGS, "__getstate__($self, /)\n--\n\n"},
    {},
};
PyMemberDef textio_members[] = {
    {"line_buffering", Py_T_BOOL, offsetof(TextIO, line_buffering), Py_READONLY, nullptr},
    {"write_through", Py_T_BOOL, offsetof(TextIO, write_through), Py_READONLY, nullptr},
    {"_finalizing", Py_T_BOOL, offsetof(TextIO, finalizing), 0, nullptr},
    {},
};
PyGetSetDef textio_getset[] = {
    {"name", get_name, nullptr, nullptr, nullptr},
    {"closed", get_closed, nullptr, nullptr, nullptr},
    {"buffer", get_buffer, nullptr, nullptr, nullptr},
    {"newlines", get_newlines, nullptr, nullptr, nullptr},
    {"errors", get_errors, nullptr, nullptr, nullptr},
    {"encoding", get_encoding, nullptr, nullptr, nullptr},
    {"_CHUNK_SIZE", get_chunk_size, set_chunk_size, nullptr, nullptr},
    {},
};

}  // namespace

PyTypeObject textio_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.TextIOWrapper",
    .tp_basicsize = sizeof(TextIO),
    .tp_dealloc = textio_dealloc,
    .tp_repr = text_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "TextIOWrapper(buffer, encoding=None, errors=None, newline=None,\n"
              "              line_buffering=False, write_through=False)\n--\n\n"
              "Text over a buffered binary stream. newline says what ends lines: None, any of \\n, \\r and \\r\\n, which\n"
              "read as \\n; '', any, unchanged; else only the one given, which is also written for \\n.",
    .tp_traverse = textio_traverse,
    .tp_clear = textio_clear,
    .tp_weaklistoffset = offsetof(IOBase, weakrefs),
    .tp_iternext = text_next,
    .tp_methods = textio_methods,
    .tp_members = textio_members,
    .tp_getset = textio_getset,
    .tp_base = &text_iobase_type,
    .tp_dictoffset = offsetof(IOBase, dict),
    .tp_init = textio_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = textio_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
