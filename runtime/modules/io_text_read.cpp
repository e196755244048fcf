// Reading text: chunks of bytes from the buffer below, decoded and handed out by characters and lines.
#include "modules/io_text.h"

#include "objects/str.h"

#include <algorithm>

namespace amphis::io {
namespace {

Py_ssize_t chars_left(const TextIO* self) {
  return self->chars == nullptr ? 0 : PyUnicode_GET_LENGTH(self->chars) - self->used;
}

// Up to n decoded characters, all that there are when n < 0.
PyObject* take_chars(TextIO* self, Py_ssize_t n) {
  const Py_ssize_t left = chars_left(self);
  if (left == 0) return Py_NewRef(empty_str());
  if (n < 0 || n > left) n = left;
  PyObject* text = str_slice(self->chars, self->used, self->used + n);
  if (text != nullptr) self->used += n;
  return text;
}

bool check_reading(TextIO* self) {
  if (self->reads) return true;
  raise_unsupported("not readable");
  return false;
}

PyObject* read_input(TextIO* self, Py_ssize_t size) {
  Ref<> buffer = below(self);
  if (!buffer) return nullptr;
  if (self->has_read1 && is_buffered(buffer.get())) return buffered_read1(buffer.get(), size);
  Ref<> count = Ref<>::steal(PyLong_FromSsize_t(size));
  if (!count) return nullptr;
  return PyObject_CallMethodOneArg(buffer.get(), self->has_read1 ? AMPHIS_STATIC_NAME("read1") : AMPHIS_STATIC_NAME("read"),
                                   count.get());
}

}  // namespace

int read_chunk(TextIO* self, Py_ssize_t hint) {
  if (!check_reading(self)) return -1;
  TextState before;
  const bool telling = self->telling;  // iteration by another thread may switch it while this one waits for input
  if (telling && !decoder_state(self, &before)) return -1;
  Py_ssize_t size = self->chunk_size;
  if (hint > 0) {
    const double wanted = std::max(self->bytes_per_char, 1.0) * static_cast<double>(hint);
    size = std::max(size, static_cast<Py_ssize_t>(std::min(wanted, 1e15)));
  }
  Ref<> input = Ref<>::steal(read_input(self, size));
  if (!input) return -1;
  Py_buffer view;
  if (PyObject_GetBuffer(input.get(), &view, PyBUF_SIMPLE) < 0) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "underlying %s() should have returned a bytes-like object, not '%.200s'",
                 self->has_read1 ? "read1" : "read", Py_TYPE(input.get())->tp_name);
    return -1;
  }
  const Py_ssize_t bytes = view.len;
  PyBuffer_Release(&view);
  const bool eof = bytes == 0;
  Ref<> text = decode(self, input.get(), eof);
  if (!text) return -1;
  const Py_ssize_t n = PyUnicode_GET_LENGTH(text.get());
  Py_XSETREF(self->chars, text.release());
  self->used = 0;
  self->bytes_per_char = n > 0 ? static_cast<double>(bytes) / static_cast<double>(n) : 0.0;
  if (telling) {
    PyObject* next = before.bytes.release();
    if (PyBytes_GET_SIZE(next) == 0 && PyBytes_CheckExact(input.get())) {
      Py_DECREF(next);
      next = input.release();
    } else {
      PyBytes_Concat(&next, input.get());
      if (next == nullptr) return -1;
    }
    Py_XSETREF(self->snapshot, next);
    self->snapshot_flags = before.flags;
  }
  return !eof || n > 0;
}

PyObject* text_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = -1;
  if (!size_argument("read", args, nargs, &n)) return nullptr;
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!text_usable(self) || !text_open(op) || !check_reading(self) || !flush_text(self)) return nullptr;
  if (n < 0) {
    Ref<> buffer = below(self);
    if (!buffer) return nullptr;
    Ref<> bytes = Ref<>::steal(PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME("read")));
    if (!bytes) return nullptr;
    if (bytes.get() == Py_None) {
      PyErr_SetString(PyExc_BlockingIOError, "Read returned None.");
      return nullptr;
    }
    Ref<> rest = decode(self, bytes.get(), true);
    if (!rest) return nullptr;
    Ref<> head = Ref<>::steal(take_chars(self, -1));
    if (!head) return nullptr;
    drop_chars(self);
    drop_snapshot(self);
    return PyUnicode_GET_LENGTH(head.get()) == 0 ? rest.release() : PyUnicode_Concat(head.get(), rest.get());
  }
  Ref<> result = Ref<>::steal(take_chars(self, n));
  if (!result) return nullptr;
  Ref<> pieces;
  Py_ssize_t missing = n - PyUnicode_GET_LENGTH(result.get());
  while (missing > 0) {
    const int more = read_chunk(self, missing);
    if (more < 0) {
      if (interrupted_call()) continue;
      return nullptr;
    }
    if (more == 0) break;
    Ref<> piece = Ref<>::steal(take_chars(self, missing));
    if (!piece) return nullptr;
    missing -= PyUnicode_GET_LENGTH(piece.get());
    if (PyUnicode_GET_LENGTH(result.get()) == 0) {
      result = std::move(piece);
      continue;
    }
    if (!pieces) {
      pieces = Ref<>::steal(PyList_New(0));
      if (!pieces || PyList_Append(pieces.get(), result.get()) < 0) return nullptr;
    }
    if (PyList_Append(pieces.get(), piece.get()) < 0) return nullptr;
  }
  return pieces ? PyUnicode_Join(empty_str(), pieces.get()) : result.release();
}

namespace {

PyObject* read_line(PyObject* op, Py_ssize_t limit) {
  TextIO* self = as_text(op);
  if (!text_open(op)) return nullptr;
  if (self->pending_size > 0 && !flush_text(self)) return nullptr;
  Ref<> pieces;     // what earlier chunks gave to this line
  Ref<> carried;    // perhaps the first half of a line end, cut off from the chunk before
  Ref<> last;
  Py_ssize_t length = 0;  // of `pieces`
  for (;;) {
    if (chars_left(self) == 0) {
      const int more = read_chunk(self, 0);
      if (more < 0) {
        if (interrupted_call()) continue;
        return nullptr;
      }
      if (more == 0) {
        drop_chars(self);
        drop_snapshot(self);
        last = std::move(carried);
        break;
      }
      if (chars_left(self) == 0) continue;
    }
    Ref<> text = Ref<>::share(self->chars);
    Py_ssize_t start = self->used;
    Py_ssize_t offset = 0;  // of `chars` in `text`
    if (carried) {
      offset = PyUnicode_GET_LENGTH(carried.get()) - self->used;
      Ref<> rest = Ref<>::steal(str_slice(self->chars, self->used, PyUnicode_GET_LENGTH(self->chars)));
      text = rest ? Ref<>::steal(PyUnicode_Concat(carried.get(), rest.get())) : nullptr;
      if (!text) return nullptr;
      start = 0;
      carried = nullptr;
    }
    Py_ssize_t tail;
    Py_ssize_t end = find_line_end(text.get(), start, self->universal && !self->line_ends.translate, self->newline, &tail);
    bool complete = end >= 0;
    if (!complete) end = tail;
    if (limit >= 0 && end - start + length >= limit) {
      end = start + limit - length;
      complete = true;
    }
    if (complete) {
      self->used = end - offset;
      last = Ref<>::steal(str_slice(text.get(), start, end));
      if (!last) return nullptr;
      break;
    }
    if (end > start) {
      Ref<> piece = Ref<>::steal(str_slice(text.get(), start, end));
      if (!piece) return nullptr;
      if (!pieces) pieces = Ref<>::steal(PyList_New(0));
      if (!pieces || PyList_Append(pieces.get(), piece.get()) < 0) return nullptr;
      length += end - start;
    }
    if (end < PyUnicode_GET_LENGTH(text.get())) {
      carried = Ref<>::steal(str_slice(text.get(), end, PyUnicode_GET_LENGTH(text.get())));
      if (!carried) return nullptr;
    }
    drop_chars(self);
  }
  if (!pieces) return last ? last.release() : Py_NewRef(empty_str());
  if (last && PyList_Append(pieces.get(), last.get()) < 0) return nullptr;
  return PyUnicode_Join(empty_str(), pieces.get());
}

}  // namespace

PyObject* text_readline(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t limit = -1;
  if (!check_positional("readline", nargs, 0, 1)) return nullptr;
  if (nargs == 1) {
    limit = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (limit == -1 && PyErr_Occurred()) return nullptr;
  }
  ObjectLock lock(op);
  if (!text_usable(as_text(op))) return nullptr;
  return read_line(op, limit < 0 ? -1 : limit);
}

PyObject* text_next(PyObject* op) {
  TextIO* self = as_text(op);
  ObjectLock lock(op);
  if (!text_usable(self)) return nullptr;
  // Positions within a chunk would cost too much to keep during iteration.
  self->telling = false;
  Ref<> line;
  if (Py_IS_TYPE(op, &textio_type)) {
    line = Ref<>::steal(read_line(op, -1));
  } else {
    line = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("readline")));
    if (line && !PyUnicode_Check(line.get())) {
      return PyErr_Format(PyExc_OSError, "readline() should have returned a str object, not '%.200s'",
                          Py_TYPE(line.get())->tp_name);
    }
  }
  if (!line) return nullptr;
  if (PyUnicode_GET_LENGTH(line.get()) > 0) return line.release();
  drop_snapshot(self);
  self->telling = self->seekable;
  return nullptr;
}

}  // namespace amphis::io
