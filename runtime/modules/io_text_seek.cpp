// tell() and seek() of text. A position is a number that holds where in the bytes decoding restarts, in what state, and
// how many bytes to feed and characters to drop from there; for most files it is just the position in bytes.
#include "modules/io_text.h"

#include "objects/str.h"

namespace amphis::io {
namespace {

struct Cookie {
  int64_t start = 0;
  int32_t flags = 0;  // of the decoder
  int32_t feed = 0;   // bytes
  int32_t skip = 0;   // characters
  bool eof = false;
};
constexpr size_t kCookieSize = 21;

PyObject* pack(const Cookie& cookie) {
  if (cookie.flags == 0 && cookie.feed == 0 && cookie.skip == 0 && !cookie.eof) return PyLong_FromLongLong(cookie.start);
  unsigned char bytes[kCookieSize];
  memcpy(bytes, &cookie.start, 8);
  memcpy(bytes + 8, &cookie.flags, 4);
  memcpy(bytes + 12, &cookie.feed, 4);
  memcpy(bytes + 16, &cookie.skip, 4);
  bytes[20] = cookie.eof;
  return _PyLong_FromByteArray(bytes, kCookieSize, 1, 0);
}

bool unpack(PyObject* number, Cookie* cookie) {
  Ref<> value = Ref<>::steal(PyNumber_Long(number));
  if (!value) return false;
  unsigned char bytes[kCookieSize];
  if (_PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(value.get()), bytes, kCookieSize, 1, 0, 1) < 0) return false;
  memcpy(&cookie->start, bytes, 8);
  memcpy(&cookie->flags, bytes + 8, 4);
  memcpy(&cookie->feed, bytes + 12, 4);
  memcpy(&cookie->skip, bytes + 16, 4);
  cookie->eof = bytes[20] != 0;
  return true;
}

// Decodes and counts; -1 with an exception.
Py_ssize_t count_chars(TextIO* self, const char* data, Py_ssize_t n, bool final) {
  Ref<> text = decode_part(self, data, n, final);
  return text ? PyUnicode_GET_LENGTH(text.get()) : -1;
}

// Works out the cookie by decoding the snapshot anew. The decoder's state is the caller's to restore.
bool reconstruct(TextIO* self, PyObject* input, Py_ssize_t skip, Cookie* cookie) {
  Ref<> nothing = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
  if (!nothing) return false;
  const char* data = PyBytes_AS_STRING(input);
  const Py_ssize_t size = PyBytes_GET_SIZE(input);
  TextState state;
  // Guess a place to start from, by the bytes per character; step back until decoding up to there gives no more
  // characters than wanted and leaves no incomplete one.
  Py_ssize_t at = static_cast<Py_ssize_t>(self->bytes_per_char * static_cast<double>(skip));
  if (at > size) at = size;
  Py_ssize_t step = 1;
  bool found = false;
  const int32_t first_flags = cookie->flags;
  while (at > 0) {
    if (!set_decoder_state(self, nothing.get(), static_cast<unsigned>(first_flags))) return false;
    const Py_ssize_t n = count_chars(self, data, at, false);
    if (n < 0) return false;
    if (n <= skip) {
      if (!decoder_state(self, &state)) return false;
      const Py_ssize_t incomplete = PyBytes_GET_SIZE(state.bytes.get());
      if (incomplete == 0) {
        cookie->flags = static_cast<int32_t>(state.flags);
        skip -= n;
        found = true;
        break;
      }
      at -= incomplete;
      step = 1;
    } else {
      at -= step;
      step *= 2;
    }
  }
  if (!found) {
    at = 0;
    if (!set_decoder_state(self, nothing.get(), static_cast<unsigned>(first_flags))) return false;
  }
  cookie->start += at;
  cookie->skip = static_cast<int32_t>(skip);
  if (skip == 0) return true;
  // From there byte by byte; each place without an incomplete character is a better start.
  Py_ssize_t decoded = 0;
  for (Py_ssize_t i = at; i < size; i++) {
    const Py_ssize_t n = count_chars(self, data + i, 1, false);
    if (n < 0 || !decoder_state(self, &state)) return false;
    cookie->feed++;
    decoded += n;
    if (PyBytes_GET_SIZE(state.bytes.get()) == 0 && decoded <= skip) {
      cookie->start += cookie->feed;
      skip -= decoded;
      cookie->flags = static_cast<int32_t>(state.flags);
      cookie->feed = 0;
      decoded = 0;
    }
    if (decoded >= skip) {
      cookie->skip = static_cast<int32_t>(skip);
      return true;
    }
  }
  const Py_ssize_t n = count_chars(self, "", 0, true);
  if (n < 0) return false;
  decoded += n;
  cookie->eof = true;
  cookie->skip = static_cast<int32_t>(skip);
  if (decoded < skip) {
    PyErr_SetString(PyExc_OSError, "can't reconstruct logical file position");
    return false;
  }
  return true;
}

PyObject* tell_locked(PyObject* op) {
  TextIO* self = as_text(op);
  if (!text_usable(self) || !text_open(op)) return nullptr;
  if (!self->seekable) return raise_unsupported("underlying stream is not seekable");
  if (!self->telling) {
    PyErr_SetString(PyExc_OSError, "telling position disabled by next() call");
    return nullptr;
  }
  if (!flush_text(self)) return nullptr;
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  Ref<> buffer = flushed ? below(self) : nullptr;
  if (!buffer) return nullptr;
  Ref<> position = Ref<>::steal(PyObject_CallMethodNoArgs(buffer.get(), AMPHIS_STATIC_NAME("tell")));
  if (!position) return nullptr;
  if (!self->reads || self->snapshot == nullptr) return position.release();
  Cookie cookie;
  if (!offset_from(position.get(), &cookie.start)) return nullptr;
  Ref<> input = Ref<>::share(self->snapshot);
  cookie.flags = static_cast<int32_t>(self->snapshot_flags);
  cookie.start -= PyBytes_GET_SIZE(input.get());
  const Py_ssize_t skip = self->chars == nullptr ? 0 : self->used;
  if (skip == 0) return pack(cookie);
  TextState saved;
  if (!decoder_state(self, &saved)) return nullptr;
  const unsigned char seen = self->line_ends.seen;
  const bool ok = reconstruct(self, input.get(), skip, &cookie);
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  const bool restored = set_decoder_state(self, saved.bytes.get(), saved.flags);
  self->line_ends.seen = seen;
  if (error) {
    chain(std::move(error));
    return nullptr;
  }
  return ok && restored ? pack(cookie) : nullptr;
}

// To the place of a cookie.
bool go_to(TextIO* self, PyObject* number) {
  Cookie cookie;
  if (!unpack(number, &cookie)) return false;
  Ref<> buffer = below(self);
  if (!buffer) return false;
  Ref<> at = Ref<>::steal(PyObject_CallMethod(buffer.get(), "seek", "L", static_cast<long long>(cookie.start)));
  if (!at) return false;
  drop_chars(self);
  drop_snapshot(self);
  Ref<> nothing = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
  if (!nothing) return false;
  const bool at_start = cookie.start == 0 && cookie.flags == 0;
  if (self->reads) {
    if (at_start ? !decoder_reset(self) : !set_decoder_state(self, nothing.get(), static_cast<unsigned>(cookie.flags)))
      return false;
  }
  if (cookie.skip != 0) {
    Ref<> input = Ref<>::steal(PyObject_CallMethod(buffer.get(), "read", "i", cookie.feed));
    if (!input) return false;
    if (!PyBytes_Check(input.get())) {
      PyErr_Format(PyExc_TypeError, "underlying read() should have returned a bytes object, not '%.200s'",
                   Py_TYPE(input.get())->tp_name);
      return false;
    }
    Ref<> text = decode(self, input.get(), cookie.eof);
    if (!text) return false;
    const Py_ssize_t n = PyUnicode_GET_LENGTH(text.get());
    Py_XSETREF(self->snapshot, input.release());
    Py_XSETREF(self->chars, text.release());
    self->used = 0;
    if (n < cookie.skip) {
      PyErr_SetString(PyExc_OSError, "can't restore logical file position");
      return false;
    }
    self->used = cookie.skip;
  } else {
    Py_XSETREF(self->snapshot, nothing.release());
  }
  self->snapshot_flags = static_cast<unsigned>(cookie.flags);
  return encoder_reset(self, at_start);
}

}  // namespace

PyObject* text_tell(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  return tell_locked(op);
}

PyObject* text_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  TextIO* self = as_text(op);
  PyObject* given;
  int whence;
  if (!seek_arguments(args, nargs, &given, &whence)) return nullptr;
  ObjectLock lock(op);
  if (!text_usable(self) || !text_open(op)) return nullptr;
  if (!self->seekable) return raise_unsupported("underlying stream is not seekable");
  Ref<> cookie = Ref<>::share(given);
  Ref<> zero = Ref<>::steal(PyLong_FromLong(0));
  if (!zero) return nullptr;
  if (whence == SEEK_CUR || whence == SEEK_END) {
    const int same = PyObject_RichCompareBool(cookie.get(), zero.get(), Py_EQ);
    if (same < 0) return nullptr;
    if (same == 0) {
      return raise_unsupported(whence == SEEK_CUR ? "can't do nonzero cur-relative seeks"
                                                  : "can't do nonzero end-relative seeks");
    }
  }
  if (whence == SEEK_CUR) {
    cookie = Ref<>::steal(tell_locked(op));
    if (!cookie) return nullptr;
  } else if (whence == SEEK_END) {
    Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
    Ref<> buffer = flushed ? below(self) : nullptr;
    if (!buffer) return nullptr;
    drop_chars(self);
    drop_snapshot(self);
    if (self->reads && !decoder_reset(self)) return nullptr;
    Ref<> end = Ref<>::steal(PyObject_CallMethod(buffer.get(), "seek", "ii", 0, 2));
    if (!end) return nullptr;
    if (self->encoder != nullptr) {
      const int at_start = PyObject_RichCompareBool(end.get(), zero.get(), Py_EQ);
      if (at_start < 0 || !encoder_reset(self, at_start != 0)) return nullptr;
    }
    return end.release();
  } else if (whence != SEEK_SET) {
    return PyErr_Format(PyExc_ValueError, "invalid whence (%d, should be %d, %d or %d)", whence, SEEK_SET, SEEK_CUR,
                        SEEK_END);
  }
  const int negative = PyObject_RichCompareBool(cookie.get(), zero.get(), Py_LT);
  if (negative < 0) return nullptr;
  if (negative) return PyErr_Format(PyExc_ValueError, "negative seek position %R", cookie.get());
  Ref<> flushed = Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("flush")));
  if (!flushed || !go_to(self, cookie.get())) return nullptr;
  return cookie.release();
}

}  // namespace amphis::io
