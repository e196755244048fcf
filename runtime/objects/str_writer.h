// StrWriter builds a str piece by piece. It widens its buffer as wider characters arrive and grows it by a
// quarter, so that the cost stays linear. The layout is _PyUnicodeWriter of the C API; the functions of that
// name are thin over this class.
//
// Three states: a short text of one-byte characters is built inside the StrWriter itself (data set, buffer
// null), so that the result is allocated once, in its size; anything else in `buffer`, a str under
// construction; and a writer that has been given one whole str and nothing else shares it (readonly) and
// gives it back as it is.
#pragma once

#include "objects/str.h"

namespace amphis {

class StrWriter {
 public:
  explicit StrWriter(Py_ssize_t expected = 0, bool overallocate = true) {
    memset(&w_, 0, sizeof w_);
    w_.min_length = expected;
    w_.overallocate = overallocate;
    if (expected <= kSmall) {
      w_.data = small_;
      w_.kind = 1;
      w_.maxchar = 0xFF;
      w_.size = kSmall;
    }
  }
  ~StrWriter() { Py_XDECREF(w_.buffer); }
  StrWriter(const StrWriter&) = delete;
  StrWriter& operator=(const StrWriter&) = delete;

  // All return false with an exception set.
  bool prepare(Py_ssize_t n, Py_UCS4 max_char) {
    if (max_char <= w_.maxchar && n <= w_.size - w_.pos) return true;
    return n == 0 || grow(&w_, n, max_char);
  }
  bool put(Py_UCS4 ch) {
    if (!prepare(1, ch)) return false;
    PyUnicode_WRITE(w_.kind, w_.data, w_.pos++, ch);
    return true;
  }
  bool put_str(PyObject* s) { return write_str(&w_, s); }
  bool put_slice(PyObject* s, Py_ssize_t start, Py_ssize_t end) { return write_slice(&w_, s, start, end); }
  bool put_ascii(const char* text, Py_ssize_t n) { return write_ascii(&w_, text, n); }
  bool put_ascii(const char* text) { return write_ascii(&w_, text, static_cast<Py_ssize_t>(strlen(text))); }
  bool put_fill(Py_UCS4 ch, Py_ssize_t n) {
    if (n <= 0) return true;
    if (!prepare(n, ch)) return false;
    fill_chars(w_.kind, w_.data, w_.pos, n, ch);
    w_.pos += n;
    return true;
  }
  // Steals; null passes the error on.
  bool put_new(PyObject* s) {
    if (!s) return false;
    bool ok = write_str(&w_, s);
    Py_DECREF(s);
    return ok;
  }

  Py_ssize_t size() const { return w_.pos; }
  void set_overallocate(bool on) { w_.overallocate = on; }
  void set_min_length(Py_ssize_t n) { w_.min_length = n; }
  // The text; the writer is empty afterwards.
  PyObject* finish() { return finish(&w_); }
  _PyUnicodeWriter* raw() { return &w_; }

  static bool grow(_PyUnicodeWriter* w, Py_ssize_t n, Py_UCS4 max_char);
  static bool write_str(_PyUnicodeWriter* w, PyObject* s);
  static bool write_slice(_PyUnicodeWriter* w, PyObject* s, Py_ssize_t start, Py_ssize_t end);
  static bool write_ascii(_PyUnicodeWriter* w, const char* text, Py_ssize_t n);
  static bool write_latin1(_PyUnicodeWriter* w, const char* text, Py_ssize_t n);
  static PyObject* finish(_PyUnicodeWriter* w);

 private:
  static constexpr Py_ssize_t kSmall = 240;
  _PyUnicodeWriter w_;
  Py_UCS1 small_[kSmall];
};

// What PyUnicode_FromFormatV does, into a writer.
bool write_format(StrWriter& out, const char* format, va_list arguments);
// UTF-8 into a writer; `errors` and `consumed` as in PyUnicode_DecodeUTF8Stateful.
bool write_utf8(_PyUnicodeWriter* w, const char* data, Py_ssize_t n, const char* errors,
                Py_ssize_t* consumed);

}  // namespace amphis
