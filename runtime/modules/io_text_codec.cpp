// How TextIOWrapper turns bytes into text and back.
#include "modules/io_text.h"

#include "objects/codecs.h"
#include "objects/str.h"

#include <cctype>

namespace amphis::io {

Codec native_codec(const char* encoding) {
  // Names are compared as the codec registry normalises them.
  char name[16];
  size_t n = 0;
  for (const char* p = encoding; *p; p++) {
    if (n + 1 >= sizeof name) return Codec::kObject;
    const char c = *p;
    name[n++] = c == '_' || c == ' ' ? '-' : static_cast<char>(tolower(static_cast<unsigned char>(c)));
  }
  name[n] = 0;
  static constexpr struct {
    const char* name;
    Codec codec;
  } kNames[] = {
      {"utf-8", Codec::kUtf8},        {"utf8", Codec::kUtf8},        {"ascii", Codec::kAscii},
      {"us-ascii", Codec::kAscii},    {"latin-1", Codec::kLatin1},   {"latin1", Codec::kLatin1},
      {"iso-8859-1", Codec::kLatin1}, {"iso8859-1", Codec::kLatin1},
  };
  for (const auto& known : kNames) {
    if (strcmp(known.name, name) == 0) return known.codec;
  }
  return Codec::kObject;
}

bool set_newline(TextIO* self, const char* newline) {
  if (newline != nullptr && *newline != 0 && strcmp(newline, "\n") != 0 && strcmp(newline, "\r") != 0 &&
      strcmp(newline, "\r\n") != 0) {
    PyErr_Format(PyExc_ValueError, "illegal newline value: %s", newline);
    return false;
  }
  PyObject* ends = nullptr;
  if (newline != nullptr && *newline == '\r') {
    ends = PyUnicode_FromString(newline);
    if (ends == nullptr) return false;
  }
  Py_XSETREF(self->newline, ends);
  self->universal = newline == nullptr || *newline == 0;
  self->line_ends = NewlineState{.translate = newline == nullptr};
  self->write_translate = newline == nullptr || *newline != 0;
  self->write_newline = newline == nullptr || *newline != '\r' ? nullptr : newline[1] == '\n' ? "\r\n" : "\r";
  return true;
}

bool set_codec(TextIO* self, PyObject* encoding, PyObject* errors) {
  const char* name = PyUnicode_AsUTF8(encoding);
  const char* handler = PyUnicode_AsUTF8(errors);
  if (name == nullptr || handler == nullptr) return false;
  const Codec codec = native_codec(name);
  Ref<> encoder, decoder;
  if (codec == Codec::kObject) {
    Ref<> info = Ref<>::steal(codec_lookup(name));
    if (!info) return false;
    PyObject* found = nullptr;
    if (!PyTuple_CheckExact(info.get()) &&
        PyObject_GetOptionalAttr(info.get(), AMPHIS_STATIC_NAME("_is_text_encoding"), &found) < 0)
      return false;
    Ref<> is_text = Ref<>::steal(found);
    if (is_text) {
      const int text = PyObject_IsTrue(is_text.get());
      if (text < 0) return false;
      if (text == 0) {
        PyErr_Format(PyExc_LookupError, "'%.400s' is not a text encoding", name);
        return false;
      }
    }
    if (self->reads) {
      decoder = Ref<>::steal(PyObject_CallMethod(info.get(), "incrementaldecoder", "s", handler));
      if (!decoder) return false;
    }
    if (self->writes) {
      encoder = Ref<>::steal(PyObject_CallMethod(info.get(), "incrementalencoder", "s", handler));
      if (!encoder) return false;
    }
  }
  self->codec = codec;
  Py_XSETREF(self->encoder, encoder.release());
  Py_XSETREF(self->decoder, decoder.release());
  Py_XSETREF(self->encoding, Py_NewRef(encoding));
  Py_XSETREF(self->errors, Py_NewRef(errors));
  Py_CLEAR(self->undecoded);
  return true;
}

namespace {

// The name of the error handler, or null for "strict"; it lives as long as this: the handler is Python code that may give
// the stream another one.
class Handler {
 public:
  explicit Handler(TextIO* self) : errors_(Ref<>::share(self->errors)) {}
  const char* name() const {
    const char* text = PyUnicode_AsUTF8(errors_.get());
    return text != nullptr && strcmp(text, "strict") == 0 ? nullptr : text;
  }

 private:
  Ref<> errors_;
};

// The encoder or decoder object to call; null with an exception: reconfigure() took it away meanwhile.
Ref<> codec_part(PyObject* part) {
  if (part == nullptr) PyErr_SetString(PyExc_ValueError, "I/O operation on uninitialized object");
  return Ref<>::share(part);
}

PyObject* decode_native(TextIO* self, const char* data, Py_ssize_t n, bool final) {
  switch (self->codec) {
    case Codec::kLatin1:
      return PyUnicode_DecodeLatin1(data, n, nullptr);
    case Codec::kAscii:
      return PyUnicode_DecodeASCII(data, n, Handler(self).name());
    default:
      break;
  }
  Ref<> joined;
  if (self->undecoded != nullptr) {
    PyObject* all = self->undecoded;
    self->undecoded = nullptr;
    Ref<> more = Ref<>::steal(PyBytes_FromStringAndSize(data, n));
    if (!more) {
      Py_DECREF(all);
      return nullptr;
    }
    PyBytes_Concat(&all, more.get());
    joined = Ref<>::steal(all);
    if (!joined) return nullptr;
    data = PyBytes_AS_STRING(joined.get());
    n = PyBytes_GET_SIZE(joined.get());
  }
  Py_ssize_t consumed = n;
  Ref<> text = Ref<>::steal(PyUnicode_DecodeUTF8Stateful(data, n, Handler(self).name(), final ? nullptr : &consumed));
  if (!text) return nullptr;
  if (consumed < n) {
    PyObject* rest = PyBytes_FromStringAndSize(data + consumed, n - consumed);
    if (rest == nullptr) return nullptr;
    Py_XSETREF(self->undecoded, rest);
  }
  return text.release();
}

Ref<> finish(TextIO* self, PyObject* text, bool final) {
  if (text == nullptr || !self->universal) return Ref<>::steal(text);
  return Ref<>::steal(translate_newlines(&self->line_ends, text, final));
}

}  // namespace

Ref<> decode_part(TextIO* self, const char* data, Py_ssize_t n, bool final) {
  if (self->codec != Codec::kObject) return finish(self, decode_native(self, data, n, final), final);
  Ref<> bytes = Ref<>::steal(PyBytes_FromStringAndSize(data, n));
  return bytes ? decode(self, bytes.get(), final) : nullptr;
}

Ref<> decode(TextIO* self, PyObject* input, bool final) {
  if (self->codec != Codec::kObject) {
    if (PyBytes_CheckExact(input)) return decode_part(self, PyBytes_AS_STRING(input), PyBytes_GET_SIZE(input), final);
    Py_buffer view;
    if (PyObject_GetBuffer(input, &view, PyBUF_SIMPLE) < 0) return nullptr;
    Ref<> text = decode_part(self, static_cast<const char*>(view.buf), view.len, final);
    PyBuffer_Release(&view);
    return text;
  }
  Ref<> decoder = codec_part(self->decoder);
  if (!decoder) return nullptr;
  PyObject* args[] = {decoder.get(), input, final ? Py_True : Py_False};
  Ref<> text = Ref<>::steal(PyObject_VectorcallMethod(AMPHIS_STATIC_NAME("decode"), args, 3, nullptr));
  if (!text) return nullptr;
  if (!PyUnicode_Check(text.get())) {
    PyErr_Format(PyExc_TypeError, "decoder should return a string result, not '%.200s'", Py_TYPE(text.get())->tp_name);
    return nullptr;
  }
  return finish(self, text.release(), final);
}

bool decoder_reset(TextIO* self) {
  self->line_ends.pending_cr = false;
  self->line_ends.seen = 0;
  Py_CLEAR(self->undecoded);
  Ref<> decoder = Ref<>::share(self->decoder);
  if (!decoder) return true;
  Ref<> done = Ref<>::steal(PyObject_CallMethodNoArgs(decoder.get(), AMPHIS_STATIC_NAME("reset")));
  return static_cast<bool>(done);
}

bool decoder_state(TextIO* self, TextState* state) {
  if (self->codec != Codec::kObject) {
    state->bytes = self->undecoded ? Ref<>::share(self->undecoded) : Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
    state->flags = 0;
    if (!state->bytes) return false;
  } else {
    Ref<> decoder = codec_part(self->decoder);
    Ref<> got = decoder ? Ref<>::steal(PyObject_CallMethodNoArgs(decoder.get(), AMPHIS_STATIC_NAME("getstate"))) : nullptr;
    if (!got) return false;
    PyObject* bytes;
    if (!PyTuple_Check(got.get())) {
      PyErr_SetString(PyExc_TypeError, "illegal decoder state");
      return false;
    }
    if (!PyArg_ParseTuple(got.get(), "OK;illegal decoder state", &bytes, &state->flags)) return false;
    if (!PyBytes_Check(bytes)) {
      PyErr_Format(PyExc_TypeError, "illegal decoder state: the first item should be a bytes object, not '%.200s'",
                   Py_TYPE(bytes)->tp_name);
      return false;
    }
    state->bytes = Ref<>::share(bytes);
  }
  if (self->universal) state->flags = state->flags << 1 | (self->line_ends.pending_cr ? 1 : 0);
  return true;
}

bool set_decoder_state(TextIO* self, PyObject* bytes, unsigned long long flags) {
  if (self->universal) {
    self->line_ends.pending_cr = flags & 1;
    flags >>= 1;
  }
  if (self->codec != Codec::kObject) {
    Py_XSETREF(self->undecoded, PyBytes_GET_SIZE(bytes) > 0 ? Py_NewRef(bytes) : nullptr);
    return true;
  }
  Ref<> decoder = codec_part(self->decoder);
  if (!decoder) return false;
  Ref<> done = Ref<>::steal(PyObject_CallMethod(decoder.get(), "setstate", "((OK))", bytes, flags));
  return static_cast<bool>(done);
}

bool encoder_reset(TextIO* self, bool at_start) {
  Ref<> encoder = Ref<>::share(self->encoder);
  if (!encoder) return true;
  Ref<> done = Ref<>::steal(at_start ? PyObject_CallMethodNoArgs(encoder.get(), AMPHIS_STATIC_NAME("reset"))
                                     : PyObject_CallMethod(encoder.get(), "setstate", "i", 0));
  return static_cast<bool>(done);
}

Ref<> encode(TextIO* self, PyObject* text) {
  switch (self->codec) {
    case Codec::kUtf8:
      return Ref<>::steal(encode_utf8(text, Handler(self).name()));
    case Codec::kAscii:
      return Ref<>::steal(encode_ascii(text, Handler(self).name()));
    case Codec::kLatin1:
      return Ref<>::steal(encode_latin1(text, Handler(self).name()));
    case Codec::kObject:
      break;
  }
  Ref<> encoder = codec_part(self->encoder);
  if (!encoder) return nullptr;
  Ref<> bytes = Ref<>::steal(PyObject_CallMethodOneArg(encoder.get(), AMPHIS_STATIC_NAME("encode"), text));
  if (bytes && !PyBytes_Check(bytes.get())) {
    PyErr_Format(PyExc_TypeError, "encoder should return a bytes object, not '%.200s'", Py_TYPE(bytes.get())->tp_name);
    return nullptr;
  }
  return bytes;
}

}  // namespace amphis::io
