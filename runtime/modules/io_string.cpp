// _io.StringIO: a text file in memory. The text lies in a growing array of the narrowest kind that what was written so
// far needs; writing a wider character widens the array.
#include "modules/io.h"

#include "objects/str.h"

#include <algorithm>

namespace amphis::io {
namespace {

struct StringIO {
  IOBase base;
  void* data;
  PyObject* newline_arg;  // as given to __init__: str or None
  PyObject* newline;      // ends lines when reading; null: "\n" or universal
  const char* write_newline;
  Py_ssize_t pos, length, room;
  NewlineState line_ends;
  unsigned char kind;  // bytes per character
  bool ok, closed, universal;
};
StringIO* as_stringio(PyObject* op) { return reinterpret_cast<StringIO*>(op); }

bool usable(StringIO* self) {
  if (self->ok && !self->closed) [[likely]] return true;
  PyErr_SetString(PyExc_ValueError,
                  self->ok ? "I/O operation on closed file" : "I/O operation on uninitialized object");
  return false;
}

void* at(StringIO* self, Py_ssize_t index) { return static_cast<char*>(self->data) + index * self->kind; }

// Room for `length` characters of a kind.
bool reserve(StringIO* self, Py_ssize_t length, int kind) {
  const bool widen = kind > self->kind;
  if (!widen && length <= self->room) return true;
  Py_ssize_t room = self->room;
  if (length > room) {
    if (length > PY_SSIZE_T_MAX / 8) {
      PyErr_SetString(PyExc_OverflowError, "new buffer size too large");
      return false;
    }
    room = std::max<Py_ssize_t>(length + length / 8 + 16, room < 65536 ? room * 2 : 0);
  }
  const int to_kind = std::max<int>(kind, self->kind);
  if (!widen) {
    void* grown = PyMem_Realloc(self->data, static_cast<size_t>(room * to_kind));
    if (grown == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    self->data = grown;
  } else {
    void* wider = PyMem_Malloc(static_cast<size_t>(room * to_kind));
    if (wider == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    copy_chars_to(to_kind, wider, 0, self->kind, self->data, 0, self->length);
    PyMem_Free(self->data);
    self->data = wider;
    self->kind = static_cast<unsigned char>(to_kind);
  }
  self->room = room;
  return true;
}

bool put(StringIO* self, PyObject* text) {
  const StrView view(text);
  if (view.length == 0) return true;
  if (self->pos > PY_SSIZE_T_MAX - view.length) {
    PyErr_SetString(PyExc_OverflowError, "new position too large");
    return false;
  }
  const Py_ssize_t end = self->pos + view.length;
  if (!reserve(self, end, view.kind)) return false;
  if (self->pos > self->length)
    memset(at(self, self->length), 0, static_cast<size_t>((self->pos - self->length) * self->kind));
  if (view.kind == self->kind)
    memcpy(at(self, self->pos), view.data, static_cast<size_t>(view.length * view.kind));
  else
    copy_chars_to(self->kind, self->data, self->pos, view.kind, view.data, 0, view.length);
  self->pos = end;
  self->length = std::max(self->length, end);
  return true;
}

bool write_text(StringIO* self, PyObject* text) {
  Ref<> piece;
  if (self->universal) {
    // Steals a reference to the text.
    piece = Ref<>::steal(translate_newlines(&self->line_ends, Py_NewRef(text), true));
  } else if (self->write_newline != nullptr) {
    piece = Ref<>::steal(replace_newlines(text, self->write_newline));
  } else {
    return put(self, text);
  }
  return piece && put(self, piece.get());
}

PyObject* slice(StringIO* self, Py_ssize_t start, Py_ssize_t end) {
  return PyUnicode_FromKindAndData(self->kind, at(self, start), end - start);
}

PyObject* take(StringIO* self, Py_ssize_t n) {
  if (n <= 0) return Py_NewRef(empty_str());
  PyObject* text = slice(self, self->pos, self->pos + n);
  if (text != nullptr) self->pos += n;
  return text;
}

Py_ssize_t left(StringIO* self) { return self->pos < self->length ? self->length - self->pos : 0; }

template <class Char>
Py_ssize_t find_end(const Char* text, Py_ssize_t n, bool universal, const char* newline) {
  if (universal) {
    for (Py_ssize_t i = 0; i < n; i++) {
      if (text[i] == '\n') return i + 1;
      if (text[i] == '\r') return i + 1 < n && text[i + 1] == '\n' ? i + 2 : i + 1;
    }
    return n;
  }
  if constexpr (sizeof(Char) == 1) {
    if (newline[1] == 0) {
      const void* end = memchr(text, newline[0], static_cast<size_t>(n));
      return end ? static_cast<const Char*>(end) - text + 1 : n;
    }
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    if (text[i] != static_cast<Char>(newline[0])) continue;
    if (newline[1] == 0) return i + 1;
    if (i + 1 < n && text[i + 1] == static_cast<Char>(newline[1])) return i + 2;
  }
  return n;
}

PyObject* read_line(StringIO* self, Py_ssize_t limit) {
  const Py_ssize_t n = left(self);
  if (n == 0) return Py_NewRef(empty_str());
  const char* newline = self->newline == nullptr                            ? "\n"
                        : PyUnicode_GET_LENGTH(self->newline) == 2 ? "\r\n"
                                                                            : "\r";
  const bool universal = self->universal && !self->line_ends.translate;
  Py_ssize_t end = with_chars(self->kind, at(self, self->pos),
                              [&](auto* text) { return find_end(text, n, universal, newline); });
  if (limit >= 0) end = std::min(end, limit);
  return take(self, end);
}

PyObject* stringio_getvalue(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  return usable(self) ? slice(self, 0, self->length) : nullptr;
}

PyObject* stringio_tell(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  return usable(self) ? PyLong_FromSsize_t(self->pos) : nullptr;
}

PyObject* stringio_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = -1;
  if (!size_argument("read", args, nargs, &n)) return nullptr;
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (!usable(self)) return nullptr;
  if (n < 0 || n > left(self)) n = left(self);
  return take(self, n);
}

PyObject* stringio_readline(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t limit = -1;
  if (!size_argument("readline", args, nargs, &limit)) return nullptr;
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  return usable(self) ? read_line(self, limit) : nullptr;
}

PyObject* stringio_next(PyObject* op) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (!usable(self)) return nullptr;
  Ref<> line;
  if (Py_IS_TYPE(op, &stringio_type)) {
    line = Ref<>::steal(read_line(self, -1));
  } else {
    line = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("readline")));
    if (line && !PyUnicode_Check(line.get())) {
      return PyErr_Format(PyExc_OSError, "readline() should have returned a str object, not '%.200s'",
                          Py_TYPE(line.get())->tp_name);
    }
  }
  return line && PyUnicode_GET_LENGTH(line.get()) > 0 ? line.release() : nullptr;
}

PyObject* stringio_truncate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  Py_ssize_t n = self->pos;
  if (!size_argument("truncate", args, nargs, &n) || !usable(self)) return nullptr;
  if (n < 0) return PyErr_Format(PyExc_ValueError, "Negative size value %zd", n);
  self->length = std::min(self->length, n);
  return PyLong_FromSsize_t(n);
}

PyObject* stringio_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  PyObject* position;
  int whence;
  if (!seek_arguments(args, nargs, &position, &whence)) return nullptr;
  Py_ssize_t to = PyNumber_AsSsize_t(position, PyExc_OverflowError);
  if (to == -1 && PyErr_Occurred()) return nullptr;
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (!usable(self)) return nullptr;
  if (whence < 0 || whence > 2) return PyErr_Format(PyExc_ValueError, "Invalid whence (%i, should be 0, 1 or 2)", whence);
  if (to < 0 && whence == 0) return PyErr_Format(PyExc_ValueError, "Negative seek position %zd", to);
  if (whence != 0 && to != 0) {
    PyErr_SetString(PyExc_OSError, "Can't do nonzero cur-relative seeks");
    return nullptr;
  }
  if (whence == 1) to = self->pos;
  if (whence == 2) to = self->length;
  self->pos = to;
  return PyLong_FromSsize_t(to);
}

PyObject* stringio_write(PyObject* op, PyObject* text) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (!self->ok && !usable(self)) return nullptr;
  if (!PyUnicode_Check(text))
    return PyErr_Format(PyExc_TypeError, "string argument expected, got '%s'", Py_TYPE(text)->tp_name);
  if (!usable(self)) return nullptr;
  const Py_ssize_t n = PyUnicode_GET_LENGTH(text);
  return write_text(self, text) ? PyLong_FromSsize_t(n) : nullptr;
}

PyObject* stringio_close(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  self->closed = true;
  PyMem_Free(self->data);
  self->data = nullptr;
  self->length = self->room = 0;
  self->kind = 1;
  Py_RETURN_NONE;
}

PyObject* stringio_able(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!usable(as_stringio(op))) return nullptr;
  Py_RETURN_TRUE;
}

// Sets up line ends and contents. `newline` null: universal.
bool begin(StringIO* self, PyObject* newline_arg, PyObject* value) {
  if (newline_arg != Py_None && !PyUnicode_Check(newline_arg)) {
    PyErr_Format(PyExc_TypeError, "newline must be str or None, not %.200s", Py_TYPE(newline_arg)->tp_name);
    return false;
  }
  const char* newline = nullptr;
  if (newline_arg != Py_None) {
    newline = PyUnicode_AsUTF8(newline_arg);
    if (newline == nullptr) return false;
    if (*newline != 0 && strcmp(newline, "\n") != 0 && strcmp(newline, "\r") != 0 && strcmp(newline, "\r\n") != 0) {
      PyErr_Format(PyExc_ValueError, "illegal newline value: %R", newline_arg);
      return false;
    }
  }
  if (value != nullptr && value != Py_None && !PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "initial_value must be str or None, not %.200s", Py_TYPE(value)->tp_name);
    return false;
  }
  Py_XSETREF(self->newline_arg, Py_NewRef(newline_arg));
  Py_XSETREF(self->newline, newline != nullptr && *newline == '\r' ? Py_NewRef(newline_arg) : nullptr);
  self->universal = newline == nullptr || *newline == 0;
  self->line_ends = NewlineState{.translate = newline == nullptr};
  self->write_newline = newline == nullptr || *newline != '\r' ? nullptr : newline[1] != 0 ? "\r\n" : "\r";
  self->pos = self->length = 0;
  self->closed = false;
  self->ok = true;
  if (value != nullptr && value != Py_None && !write_text(self, value)) {
    self->ok = false;
    return false;
  }
  self->pos = 0;
  return true;
}

PyObject* stringio_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* op = type->tp_alloc(type, 0);
  if (op != nullptr) as_stringio(op)->kind = 1;
  return op;
}

int stringio_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"initial_value", "newline", nullptr};
  PyObject *value = nullptr, *newline = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:StringIO", const_cast<char**>(keywords), &value, &newline))
    return -1;
  ObjectLock lock(op);
  return begin(as_stringio(op), newline ? newline : latin1_char('\n'), value) ? 0 : -1;
}

PyObject* stringio_getstate(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (!usable(self)) return nullptr;
  Ref<> value = Ref<>::steal(slice(self, 0, self->length));
  if (!value) return nullptr;
  Ref<> dict = Ref<>::share(self->base.dict);
  dict = dict ? Ref<>::steal(PyDict_Copy(dict)) : Ref<>::share(Py_None);
  return dict ? Py_BuildValue("(OOnO)", value.get(), self->newline_arg, self->pos, dict.get()) : nullptr;
}

PyObject* stringio_setstate(PyObject* op, PyObject* state) {
  if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) < 4) {
    return PyErr_Format(PyExc_TypeError, "%.200s.__setstate__ argument should be 4-tuple, got %.200s", Py_TYPE(op)->tp_name,
                        Py_TYPE(state)->tp_name);
  }
  ObjectLock lock(op);
  StringIO* self = as_stringio(op);
  if (self->closed && !usable(self)) return nullptr;
  // The value has its line ends already: nothing is to be translated anew.
  PyObject* value = PyTuple_GET_ITEM(state, 0);
  if (!begin(self, PyTuple_GET_ITEM(state, 1), nullptr)) return nullptr;
  if (!PyUnicode_Check(value)) {
    return PyErr_Format(PyExc_TypeError, "first item of state must be a str, not %.200s", Py_TYPE(value)->tp_name);
  }
  if (!put(self, value)) return nullptr;
  PyObject* position = PyTuple_GET_ITEM(state, 2);
  if (!PyLong_Check(position)) {
    return PyErr_Format(PyExc_TypeError, "third item of state must be an integer, got %.200s",
                        Py_TYPE(position)->tp_name);
  }
  const Py_ssize_t pos = PyLong_AsSsize_t(position);
  if (pos == -1 && PyErr_Occurred()) return nullptr;
  if (pos < 0) {
    PyErr_SetString(PyExc_ValueError, "position value cannot be negative");
    return nullptr;
  }
  self->pos = pos;
  PyObject* dict = PyTuple_GET_ITEM(state, 3);
  if (dict == Py_None) Py_RETURN_NONE;
  if (!PyDict_Check(dict)) {
    return PyErr_Format(PyExc_TypeError, "fourth item of state should be a dict, got a %.200s", Py_TYPE(dict)->tp_name);
  }
  if (!merge_dict(&self->base, dict)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* get_closed(PyObject* op, void*) {
  StringIO* self = as_stringio(op);
  ObjectLock lock(op);
  if (!self->ok && !usable(self)) return nullptr;
  return PyBool_FromLong(self->closed);
}
PyObject* get_line_buffering(PyObject* op, void*) {
  ObjectLock lock(op);
  if (!usable(as_stringio(op))) return nullptr;
  Py_RETURN_FALSE;
}
PyObject* get_newlines(PyObject* op, void*) {
  ObjectLock lock(op);
  if (!usable(as_stringio(op))) return nullptr;
  return newlines_seen(as_stringio(op)->line_ends.seen);
}

int stringio_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_stringio(op)->newline_arg);
  Py_VISIT(as_stringio(op)->newline);
  Py_VISIT(as_stringio(op)->base.dict);
  return 0;
}
int stringio_clear(PyObject* op) {
  Py_CLEAR(as_stringio(op)->base.dict);
  return 0;
}
void stringio_dealloc(PyObject* op) {
  untrack(op);
  StringIO* self = as_stringio(op);
  self->ok = false;
  PyMem_Free(self->data);
  Py_CLEAR(self->newline_arg);
  Py_CLEAR(self->newline);
  drop_base(&self->base);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef stringio_methods[] = {
    {"close", stringio_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"getvalue", stringio_getvalue, METH_NOARGS, "getvalue($self, /)\n--\n\nThe whole contents."},
    {"read", AMPHIS_METHOD(stringio_read), METH_FASTCALL, "read($self, size=-1, /)\n--\n\n"},
    {"readline", AMPHIS_METHOD(stringio_readline), METH_FASTCALL, "readline($self, size=-1, /)\n--\n\n"},
    {"tell", stringio_tell, METH_NOARGS, "tell($self, /)\n--\n\n"},
    {"truncate", AMPHIS_METHOD(stringio_truncate), METH_FASTCALL, "truncate($self, pos=None, /)\n--\n\n"},
    {"seek", AMPHIS_METHOD(stringio_seek), METH_FASTCALL, "seek($self, pos, whence=0, /)\n--\n\n"},
    {"write", stringio_write, METH_O, "write($self, s, /)\n--\n\n"},
    {"seekable", stringio_able, METH_NOARGS, "seekable($self, /)\n--\n\n"},
    {"readable", stringio_able, METH_NOARGS, "readable($self, /)\n--\n\n"},
    {"writable", stringio_able, METH_NOARGS, "writable($self, /)\n--\n\n"},
    {"__getstate__", stringio_getstate, METH_NOARGS, "__getstate__($self, /)\n--\n\n"},
    {"__setstate__", stringio_setstate, METH_O, "__setstate__($self, state, /)\n--\n\n"},
    {},
};
PyGetSetDef stringio_getset[] = {
    {"closed", get_closed, nullptr, nullptr, nullptr},
    {"newlines", get_newlines, nullptr, nullptr, nullptr},
    {"line_buffering", get_line_buffering, nullptr, nullptr, nullptr},
    {},
};

}  // namespace

PyTypeObject stringio_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.StringIO",
    .tp_basicsize = sizeof(StringIO),
    .tp_dealloc = stringio_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "StringIO(initial_value='', newline='\\n')\n--\n\nA text file in memory.",
    .tp_traverse = stringio_traverse,
    .tp_clear = stringio_clear,
    .tp_weaklistoffset = offsetof(IOBase, weakrefs),
    .tp_iternext = stringio_next,
    .tp_methods = stringio_methods,
    .tp_getset = stringio_getset,
    .tp_base = &text_iobase_type,
    .tp_dictoffset = offsetof(IOBase, dict),
    .tp_init = stringio_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = stringio_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
