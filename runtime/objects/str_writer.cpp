// Incremental construction of str: StrWriter and the two C APIs over it.
#include "objects/str_writer.h"

#include <new>

namespace amphis {
namespace {

void take_buffer(_PyUnicodeWriter* w, PyObject* buffer) {
  w->buffer = buffer;
  w->data = PyUnicode_DATA(buffer);
  w->kind = static_cast<int>(PyUnicode_KIND(buffer));
  w->maxchar = PyUnicode_MAX_CHAR_VALUE(buffer);
  w->size = PyUnicode_GET_LENGTH(buffer);
  w->readonly = 0;
}

void clear(_PyUnicodeWriter* w) {
  w->buffer = nullptr;
  w->data = nullptr;
  w->kind = 0;
  w->maxchar = 0;
  w->size = 0;
  w->pos = 0;
  w->readonly = 0;
}

// Forgets what was written after `pos`. The buffer may now be wider than the rest needs: finish() looks
// again.
void roll_back(_PyUnicodeWriter* w, Py_ssize_t pos) {
  w->pos = pos;
  if (w->min_char < 0x80) w->min_char = 0x80;
}

// str subclasses are taken by their characters, so that the result is always an exact str.
void copy_in(_PyUnicodeWriter* w, PyObject* s, Py_ssize_t start, Py_ssize_t n) {
  copy_chars_to(w->kind, w->data, w->pos, static_cast<int>(PyUnicode_KIND(s)), PyUnicode_DATA(s), start, n);
  w->pos += n;
}

}  // namespace

bool StrWriter::grow(_PyUnicodeWriter* w, Py_ssize_t n, Py_UCS4 max_char) {
  if (n > PY_SSIZE_T_MAX - w->pos) {
    PyErr_NoMemory();
    return false;
  }
  Py_ssize_t needed = w->pos + n;
  const Py_UCS4 wanted = max_char;
  if (w->buffer == nullptr && w->pos == 0) w->maxchar = 0;
  if (max_char < w->min_char) max_char = w->min_char;
  if (max_char < w->maxchar) max_char = w->maxchar;
  if (max_char < 0x7F) max_char = 0x7F;

  Py_ssize_t capacity = needed;
  if (w->overallocate && needed <= PY_SSIZE_T_MAX - needed / 4) capacity += needed / 4;
  if (capacity < w->min_length) capacity = w->min_length;

  if (w->buffer == nullptr) {
    if (w->pos > 0) {
      // Out of the StrWriter's own room. It holds bytes up to 0xFF whatever has been written: look what it
      // was.
      if (max_char == 0xFF) max_char = max_char_class(1, w->data, w->pos);
      if (wanted > max_char) max_char = wanted;
    }
    PyObject* buffer = PyUnicode_New(capacity ? capacity : 1, max_char);
    if (!buffer) return false;
    if (w->pos > 0) {
      copy_chars_to(static_cast<int>(PyUnicode_KIND(buffer)), PyUnicode_DATA(buffer), 0, 1, w->data, 0,
                    w->pos);
    }
    take_buffer(w, buffer);
    return true;
  }
  if (!w->readonly && max_char <= w->maxchar) {
    if (needed <= w->size) return true;
    PyObject* buffer = w->buffer;
    if (PyUnicode_Resize(&buffer, capacity) < 0) return false;
    take_buffer(w, buffer);
    return true;
  }
  if (needed <= w->size && !w->readonly) capacity = w->size;
  PyObject* buffer = PyUnicode_New(capacity, max_char);
  if (!buffer) return false;
  copy_chars(buffer, 0, w->buffer, 0, w->pos);
  Py_DECREF(w->buffer);
  take_buffer(w, buffer);
  return true;
}

bool StrWriter::write_str(_PyUnicodeWriter* w, PyObject* s) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (n == 0) return true;
  Py_UCS4 max_char = PyUnicode_MAX_CHAR_VALUE(s);
  if (max_char > w->maxchar || n > w->size - w->pos) {
    if (w->buffer == nullptr && w->pos == 0 && !w->overallocate && PyUnicode_CheckExact(s)) {
      w->buffer = Py_NewRef(s);
      w->data = PyUnicode_DATA(s);
      w->kind = 0;
      w->maxchar = max_char;
      w->size = 0;
      w->pos = n;
      w->readonly = 1;
      return true;
    }
    if (!grow(w, n, max_char)) return false;
  }
  copy_in(w, s, 0, n);
  return true;
}

bool StrWriter::write_slice(_PyUnicodeWriter* w, PyObject* s, Py_ssize_t start, Py_ssize_t end) {
  if (start == 0 && end == PyUnicode_GET_LENGTH(s)) return write_str(w, s);
  Py_ssize_t n = end - start;
  if (n <= 0) return true;
  StrView view(s);
  Py_UCS4 max_char = view.max_char();
  if (max_char > w->maxchar) max_char = max_char_class(view.kind, view.at(start), n);
  if (max_char > w->maxchar || n > w->size - w->pos) {
    if (!grow(w, n, max_char)) return false;
  }
  copy_in(w, s, start, n);
  return true;
}

bool StrWriter::write_ascii(_PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  if (n == 0) return true;
  if (w->maxchar < 0x7F || n > w->size - w->pos) {
    if (!grow(w, n, 0x7F)) return false;
  }
  copy_chars_to(w->kind, w->data, w->pos, 1, text, 0, n);
  w->pos += n;
  return true;
}

bool StrWriter::write_latin1(_PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  if (n == 0) return true;
  Py_UCS4 max_char = max_char_class(1, text, n);
  if (max_char > w->maxchar || n > w->size - w->pos) {
    if (!grow(w, n, max_char)) return false;
  }
  copy_chars_to(w->kind, w->data, w->pos, 1, text, 0, n);
  w->pos += n;
  return true;
}

PyObject* StrWriter::finish(_PyUnicodeWriter* w) {
  PyObject* s = w->buffer;
  Py_ssize_t n = w->pos;
  bool readonly = w->readonly;
  const void* own_room = w->data;
  clear(w);
  if (!s && n > 0) return str_from_latin1(static_cast<const Py_UCS1*>(own_room), n);
  if (n == 0) {
    Py_XDECREF(s);
    return empty_str();
  }
  if (readonly) return s;
  if (n == 1 && PyUnicode_KIND(s) == PyUnicode_1BYTE_KIND) {
    PyObject* ch = latin1_char(PyUnicode_READ_CHAR(s, 0));
    Py_DECREF(s);
    return ch;
  }
  if (PyUnicode_GET_LENGTH(s) != n && PyUnicode_Resize(&s, n) < 0) {
    Py_DECREF(s);
    return nullptr;
  }
  // min_char may have made the buffer wider than the text.
  Py_UCS4 bound = PyUnicode_MAX_CHAR_VALUE(s);
  if (bound > 0x7F && w->min_char > 0x7F) {
    StrView view(s);
    Py_UCS4 used = max_char_class(view.kind, view.data, n);
    if (used < bound) {
      PyObject* narrow = PyUnicode_New(n, used);
      if (narrow) copy_chars(narrow, 0, s, 0, n);
      Py_DECREF(s);
      return narrow;
    }
  }
  return s;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

void _PyUnicodeWriter_Init(_PyUnicodeWriter* w) {
  memset(w, 0, sizeof *w);
}

int _PyUnicodeWriter_PrepareInternal(_PyUnicodeWriter* w, Py_ssize_t n, Py_UCS4 max_char) {
  return StrWriter::grow(w, n, max_char) ? 0 : -1;
}

int _PyUnicodeWriter_PrepareKindInternal(_PyUnicodeWriter* w, int kind) {
  Py_UCS4 max_char = kind == 1 ? 0xFF : kind == 2 ? 0xFFFF : kMaxCodePoint;
  if (w->min_char < max_char) w->min_char = max_char;
  return StrWriter::grow(w, 0, max_char) ? 0 : -1;
}

int _PyUnicodeWriter_WriteChar(_PyUnicodeWriter* w, Py_UCS4 ch) {
  if (_PyUnicodeWriter_Prepare(w, 1, ch) < 0) return -1;
  PyUnicode_WRITE(w->kind, w->data, w->pos++, ch);
  return 0;
}

int _PyUnicodeWriter_WriteStr(_PyUnicodeWriter* w, PyObject* s) {
  return StrWriter::write_str(w, s) ? 0 : -1;
}

int _PyUnicodeWriter_WriteSubstring(_PyUnicodeWriter* w, PyObject* s, Py_ssize_t start, Py_ssize_t end) {
  return StrWriter::write_slice(w, s, start, end) ? 0 : -1;
}

int _PyUnicodeWriter_WriteASCIIString(_PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  return StrWriter::write_ascii(w, text, n < 0 ? static_cast<Py_ssize_t>(strlen(text)) : n) ? 0 : -1;
}

int _PyUnicodeWriter_WriteLatin1String(_PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  return StrWriter::write_latin1(w, text, n < 0 ? static_cast<Py_ssize_t>(strlen(text)) : n) ? 0 : -1;
}

PyObject* _PyUnicodeWriter_Finish(_PyUnicodeWriter* w) {
  return StrWriter::finish(w);
}

void _PyUnicodeWriter_Dealloc(_PyUnicodeWriter* w) {
  Py_CLEAR(w->buffer);
}

// The public writer is the same object behind an opaque pointer.

static StrWriter* inside(PyUnicodeWriter* w) {
  return reinterpret_cast<StrWriter*>(w);
}

PyUnicodeWriter* PyUnicodeWriter_Create(Py_ssize_t length) {
  if (length < 0) {
    PyErr_SetString(PyExc_ValueError, "length must be positive");
    return nullptr;
  }
  void* memory = PyMem_Malloc(sizeof(StrWriter));
  if (!memory) {
    PyErr_NoMemory();
    return nullptr;
  }
  StrWriter* w = new (memory) StrWriter(length);
  if (length > 0 && !w->prepare(length, 127)) {
    PyUnicodeWriter_Discard(reinterpret_cast<PyUnicodeWriter*>(w));
    return nullptr;
  }
  return reinterpret_cast<PyUnicodeWriter*>(w);
}

void PyUnicodeWriter_Discard(PyUnicodeWriter* w) {
  if (!w) return;
  inside(w)->~StrWriter();
  PyMem_Free(w);
}

PyObject* PyUnicodeWriter_Finish(PyUnicodeWriter* w) {
  PyObject* s = inside(w)->finish();
  PyUnicodeWriter_Discard(w);
  return s;
}

int PyUnicodeWriter_WriteChar(PyUnicodeWriter* w, Py_UCS4 ch) {
  if (ch > kMaxCodePoint) {
    PyErr_SetString(PyExc_ValueError, "character must be in range(0x110000)");
    return -1;
  }
  return inside(w)->put(ch) ? 0 : -1;
}

int PyUnicodeWriter_WriteStr(PyUnicodeWriter* w, PyObject* o) {
  if (PyUnicode_CheckExact(o)) return inside(w)->put_str(o) ? 0 : -1;
  return inside(w)->put_new(PyObject_Str(o)) ? 0 : -1;
}

int PyUnicodeWriter_WriteRepr(PyUnicodeWriter* w, PyObject* o) {
  if (!o) return inside(w)->put_ascii("<NULL>", 6) ? 0 : -1;
  return inside(w)->put_new(PyObject_Repr(o)) ? 0 : -1;
}

int PyUnicodeWriter_WriteSubstring(PyUnicodeWriter* w, PyObject* s, Py_ssize_t start, Py_ssize_t end) {
  if (!PyUnicode_Check(s)) {
    PyErr_Format(PyExc_TypeError, "expect str, not %s", Py_TYPE(s)->tp_name);
    return -1;
  }
  if (start < 0 || start > end) {
    PyErr_Format(PyExc_ValueError, start < 0 ? "start must be positive" : "end must be greater than start");
    return -1;
  }
  if (end > PyUnicode_GET_LENGTH(s)) {
    PyErr_Format(PyExc_ValueError, "end must be less than or equal to string length");
    return -1;
  }
  return inside(w)->put_slice(s, start, end) ? 0 : -1;
}

int PyUnicodeWriter_WriteASCII(PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  return inside(w)->put_ascii(text, n < 0 ? static_cast<Py_ssize_t>(strlen(text)) : n) ? 0 : -1;
}

int PyUnicodeWriter_WriteUTF8(PyUnicodeWriter* w, const char* text, Py_ssize_t n) {
  return PyUnicodeWriter_DecodeUTF8Stateful(w, text, n, nullptr, nullptr);
}

int PyUnicodeWriter_DecodeUTF8Stateful(PyUnicodeWriter* w, const char* text, Py_ssize_t n, const char* errors,
                                       Py_ssize_t* consumed) {
  if (n < 0) n = static_cast<Py_ssize_t>(strlen(text));
  _PyUnicodeWriter* raw = inside(w)->raw();
  Py_ssize_t before = raw->pos;
  if (write_utf8(raw, text, n, errors, consumed)) return 0;
  roll_back(raw, before);
  if (consumed) *consumed = 0;
  return -1;
}

int PyUnicodeWriter_WriteWideChar(PyUnicodeWriter* w, const wchar_t* text, Py_ssize_t n) {
  if (n < 0) n = static_cast<Py_ssize_t>(wcslen(text));
  return PyUnicodeWriter_WriteUCS4(w, reinterpret_cast<Py_UCS4*>(const_cast<wchar_t*>(text)), n);
}

int PyUnicodeWriter_WriteUCS4(PyUnicodeWriter* w, Py_UCS4* text, Py_ssize_t n) {
  if (n < 0) {
    PyErr_SetString(PyExc_ValueError, "size must be positive");
    return -1;
  }
  if (n == 0) return 0;
  Py_UCS4 max_char = max_char_class(4, text, n);
  if (!inside(w)->prepare(n, max_char)) return -1;
  _PyUnicodeWriter* raw = inside(w)->raw();
  copy_chars_to(raw->kind, raw->data, raw->pos, 4, text, 0, n);
  raw->pos += n;
  return 0;
}

int PyUnicodeWriter_Format(PyUnicodeWriter* w, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  _PyUnicodeWriter* raw = inside(w)->raw();
  Py_ssize_t before = raw->pos;
  bool ok = write_format(*inside(w), format, arguments);
  va_end(arguments);
  if (!ok) roll_back(raw, before);
  return ok ? 0 : -1;
}

}  // extern "C"
