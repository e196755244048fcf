// _multibytecodec: codecs, incremental codecs and streams over a step function for each direction (multibyte.h), with error handlers.
//
// What a codec cannot use yet, the first bytes of a character or a character that may belong to a pair, is kept until the next
// call; a call that fails leaves what was kept as it was. The incremental objects and streams are worked on under their lock.
#include "multibyte.h"

#include <cstring>
#include <string>
#include <vector>

namespace multibyte {

namespace {

using ext::Buffer;
using ext::Ref;

constexpr char kIllegal[] = "illegal multibyte sequence";
constexpr char kIncomplete[] = "incomplete multibyte sequence";
constexpr size_t kMaxPendingBytes = 8, kMaxPendingChars = 2;

PyTypeObject *codec_type = nullptr, *encoder_type = nullptr, *decoder_type = nullptr, *reader_type = nullptr, *writer_type = nullptr;

struct Codec {
  PyObject_HEAD
  const Encoding* encoding;
};

// --- Errors

// The result of an error handler for UnicodeError `type`: its replacement, and where to go on in an input of this size.
bool call_handler(const char* errors, Ref& error, bool encoding, Py_ssize_t size, Ref* replacement, Py_ssize_t* position) {
  Ref handler(PyCodec_LookupError(errors));
  Ref result(handler ? PyObject_CallOneArg(handler.get(), error.get()) : nullptr);
  if (!result) return false;
  auto is_text = [&](PyObject* o) { return PyUnicode_Check(o) || (encoding && PyBytes_Check(o)); };
  if (!PyTuple_Check(result.get()) || PyTuple_GET_SIZE(result.get()) != 2 || !is_text(PyTuple_GET_ITEM(result.get(), 0)) ||
      !PyLong_Check(PyTuple_GET_ITEM(result.get(), 1))) {
    PyErr_SetString(PyExc_TypeError, encoding ? "encoding error handler must return (str, int) tuple"
                                              : "decoding error handler must return (str, int) tuple");
    return false;
  }
  *replacement = Ref(Py_NewRef(PyTuple_GET_ITEM(result.get(), 0)));
  *position = PyLong_AsSsize_t(PyTuple_GET_ITEM(result.get(), 1));
  const bool failed = *position == -1 && PyErr_Occurred();
  PyErr_Clear();
  if (*position < 0 && !failed) *position += size;
  if (!failed && *position >= 0 && *position <= size) return true;
  PyErr_Format(PyExc_IndexError, "position %zd from error handler out of bounds", *position);
  return false;
}

// --- Encoding

struct Encode {
  const Encoding* encoding;
  State* state;
  const char* errors;
  std::string out;

  // The characters from `text`; false with an exception. *used: how many of them were taken; all, if `last`.
  bool run(PyObject* text, bool last, Py_ssize_t* used) {
    const Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    std::vector<Py_UCS4> chars(static_cast<size_t>(size) + 1);
    if (PyUnicode_AsUCS4(text, chars.data(), size + 1, 1) == nullptr) return false;
    Py_ssize_t at = 0;
    while (at < size) {
      const int step = encoding->encode(encoding, state, chars.data() + at, size - at, last, &out);
      if (step > 0) {
        at += step;
      } else if (step == kMore && !last) {
        break;
      } else if (!handle(text, &at, step == kMore ? size - at : -step, step == kMore ? kIncomplete : kIllegal)) {
        return false;
      }
    }
    *used = at;
    return true;
  }

  void reset() {
    if (encoding->encode_reset != nullptr) encoding->encode_reset(state, &out);
  }

 private:
  bool handle(PyObject* text, Py_ssize_t* at, Py_ssize_t bad, const char* reason) {
    if (strcmp(errors, "ignore") == 0) {
      *at += bad;
      return true;
    }
    if (strcmp(errors, "replace") == 0) {
      const Py_UCS4 mark = '?';
      if (encoding->encode(encoding, state, &mark, 1, true, &out) <= 0) out.push_back('?');
      *at += bad;
      return true;
    }
    Ref error(PyObject_CallFunction(PyExc_UnicodeEncodeError, "sOnns", encoding->name, text, *at, *at + bad, reason));
    if (!error) return false;
    if (strcmp(errors, "strict") == 0) {
      PyErr_SetObject(PyExc_UnicodeEncodeError, error.get());
      return false;
    }
    Ref replacement;
    if (!call_handler(errors, error, true, PyUnicode_GET_LENGTH(text), &replacement, at)) return false;
    if (PyBytes_Check(replacement.get())) {
      out.append(PyBytes_AS_STRING(replacement.get()), static_cast<size_t>(PyBytes_GET_SIZE(replacement.get())));
      return true;
    }
    Encode inner{encoding, state, "strict", {}};
    Py_ssize_t used;
    if (!inner.run(replacement.get(), true, &used)) return false;
    out += inner.out;
    return true;
  }
};

PyObject* as_bytes(const std::string& text) { return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())); }

// --- Decoding

struct Decode {
  const Encoding* encoding;
  State* state;
  const char* errors;
  std::vector<Py_UCS4> out;

  bool run(const std::string& bytes, bool last, size_t* used) {
    const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto size = static_cast<Py_ssize_t>(bytes.size());
    out.reserve(out.size() + bytes.size());
    Py_ssize_t at = 0;
    while (at < size) {
      Py_UCS4 chars[2];
      int count = 0;
      const int step = encoding->decode(encoding, state, in + at, size - at, chars, &count);
      if (step > 0) {
        at += step;
        out.insert(out.end(), chars, chars + count);
      } else if (step == kMore && !last) {
        break;
      } else {
        Py_ssize_t bad = step == kMore ? size - at : -step;
        if (!handle(bytes, &at, bad < size - at ? bad : size - at, step == kMore ? kIncomplete : kIllegal)) return false;
      }
    }
    *used = static_cast<size_t>(at);
    return true;
  }

  PyObject* text() const { return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, out.data(), static_cast<Py_ssize_t>(out.size())); }

 private:
  bool handle(const std::string& bytes, Py_ssize_t* at, Py_ssize_t bad, const char* reason) {
    if (strcmp(errors, "ignore") == 0 || strcmp(errors, "replace") == 0) {
      if (*errors == 'r') out.push_back(0xfffd);
      *at += bad;
      return true;
    }
    const auto size = static_cast<Py_ssize_t>(bytes.size());
    Ref error(PyUnicodeDecodeError_Create(encoding->name, bytes.data(), size, *at, *at + bad, reason));
    if (!error) return false;
    if (strcmp(errors, "strict") == 0) {
      PyErr_SetObject(PyExc_UnicodeDecodeError, error.get());
      return false;
    }
    Ref replacement;
    if (!call_handler(errors, error, false, size, &replacement, at)) return false;
    const Py_ssize_t n = PyUnicode_GET_LENGTH(replacement.get());
    for (Py_ssize_t i = 0; i < n; ++i) out.push_back(PyUnicode_READ_CHAR(replacement.get(), i));
    return true;
  }
};

// --- MultibyteCodec

const Encoding* encoding_of(PyObject* codec) { return reinterpret_cast<Codec*>(codec)->encoding; }

template <class T>
void simple_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* codec_encode(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"input", "errors", nullptr};
  PyObject* input;
  const char* errors = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|z:encode", const_cast<char**>(keywords), &input, &errors)) return nullptr;
  Ref text(PyUnicode_Check(input) ? Py_NewRef(input) : PyObject_Str(input));
  if (!text) return nullptr;
  if (!PyUnicode_Check(text.get())) {
    PyErr_SetString(PyExc_TypeError, "couldn't convert the object to str.");
    return nullptr;
  }
  State state = encoding_of(self)->start;
  Encode encode{encoding_of(self), &state, errors != nullptr ? errors : "strict", {}};
  Py_ssize_t used;
  if (!encode.run(text.get(), true, &used)) return nullptr;
  encode.reset();
  Ref bytes(as_bytes(encode.out));
  return bytes ? Py_BuildValue("On", bytes.get(), PyUnicode_GET_LENGTH(text.get())) : nullptr;
}

PyObject* codec_decode(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"input", "errors", nullptr};
  PyObject* input;
  const char* errors = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|z:decode", const_cast<char**>(keywords), &input, &errors)) return nullptr;
  Buffer data;
  if (!data.get(input)) return nullptr;
  const std::string bytes(reinterpret_cast<const char*>(data.data()), static_cast<size_t>(data.size()));
  State state = encoding_of(self)->start;
  Decode decode{encoding_of(self), &state, errors != nullptr ? errors : "strict", {}};
  size_t used;
  if (!decode.run(bytes, true, &used)) return nullptr;
  Ref text(decode.text());
  return text ? Py_BuildValue("On", text.get(), static_cast<Py_ssize_t>(bytes.size())) : nullptr;
}

// --- What the four stateful types share

struct Stateful {
  PyObject_HEAD
  const Encoding* encoding;
  std::string* errors;
  State state;
  std::string* bytes;  // pending, of decoders and readers
  PyObject* text;      // pending, of encoders and writers; or null
  PyObject* stream;
};
Stateful* of(PyObject* o) { return reinterpret_cast<Stateful*>(o); }

// `type` gets its codec from the attribute `codec` of the class.
PyObject* stateful_new(PyTypeObject* type, PyObject* stream, const char* errors) {
  Ref codec(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "codec"));
  if (!codec) return nullptr;
  if (!PyObject_TypeCheck(codec.get(), codec_type)) {
    PyErr_SetString(PyExc_TypeError, "codec is unexpected type");
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Stateful* s = of(self);
  s->encoding = encoding_of(codec.get());
  s->errors = new std::string(errors != nullptr ? errors : "strict");
  s->bytes = new std::string;
  s->state = s->encoding->start;
  s->stream = Py_XNewRef(stream);
  return self;
}

PyObject* incremental_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"errors", nullptr};
  const char* errors = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s", const_cast<char**>(keywords), &errors)) return nullptr;
  return stateful_new(type, nullptr, errors);
}

PyObject* stream_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"stream", "errors", nullptr};
  PyObject* stream;
  const char* errors = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|s", const_cast<char**>(keywords), &stream, &errors)) return nullptr;
  return stateful_new(type, stream, errors);
}

// Everything happens in tp_new; classes in Python's library call this, too.
int stateful_init(PyObject*, PyObject*, PyObject*) { return 0; }

int stateful_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(of(self)->stream);
  return 0;
}
int stateful_clear(PyObject* self) {
  Py_CLEAR(of(self)->stream);
  return 0;
}
void stateful_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  delete of(self)->errors;
  delete of(self)->bytes;
  Py_CLEAR(of(self)->text);
  Py_CLEAR(of(self)->stream);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* get_errors(PyObject* self, void*) {
  return PyUnicode_FromStringAndSize(of(self)->errors->data(), static_cast<Py_ssize_t>(of(self)->errors->size()));
}
int set_errors(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
  }
  if (!PyUnicode_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "errors must be a string");
    return -1;
  }
  const char* text = PyUnicode_AsUTF8(value);
  if (text == nullptr) return -1;
  Py_BEGIN_CRITICAL_SECTION(self);
  *of(self)->errors = text;
  Py_END_CRITICAL_SECTION();
  return 0;
}
PyObject* get_stream(PyObject* self, void*) { return of(self)->stream != nullptr ? Py_NewRef(of(self)->stream) : Py_NewRef(Py_None); }

// --- Encoders

// The bytes for what is pending and `input`; what has to wait is pending afterwards. Null: nothing has changed but the state.
PyObject* encode_more(Stateful* s, PyObject* input, bool last) {
  if (!PyUnicode_Check(input)) {
    PyErr_SetString(PyExc_TypeError, "couldn't convert the object to str.");
    return nullptr;
  }
  Ref text(s->text != nullptr ? PyUnicode_Concat(s->text, input) : Py_NewRef(input));
  if (!text) return nullptr;
  const std::string errors = *s->errors;
  Encode encode{s->encoding, &s->state, errors.c_str(), {}};
  Py_ssize_t used;
  if (!encode.run(text.get(), last, &used)) return nullptr;
  if (last) encode.reset();
  Ref rest;
  if (const Py_ssize_t size = PyUnicode_GET_LENGTH(text.get()); used < size) {
    if (size - used > static_cast<Py_ssize_t>(kMaxPendingChars)) {
      PyErr_SetString(PyExc_UnicodeError, "pending buffer overflow");
      return nullptr;
    }
    rest = Ref(PyUnicode_Substring(text.get(), used, size));
    if (!rest) return nullptr;
  }
  Py_XSETREF(s->text, rest.release());
  return as_bytes(encode.out);
}

PyObject* encoder_encode(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"input", "final", nullptr};
  PyObject* input;
  int last = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:encode", const_cast<char**>(keywords), &input, &last)) return nullptr;
  PyObject* result;
  Py_BEGIN_CRITICAL_SECTION(self);
  result = encode_more(of(self), input, last != 0);
  Py_END_CRITICAL_SECTION();
  return result;
}

// A number: one byte that counts the UTF-8 of what is pending, that, and the state.
PyObject* encoder_getstate(PyObject* self, PyObject*) {
  Stateful* s = of(self);
  unsigned char bytes[1 + kMaxPendingBytes + sizeof(State)] = {};
  size_t size = 0;
  if (s->text != nullptr) {
    Py_ssize_t length;
    const char* utf8 = PyUnicode_AsUTF8AndSize(s->text, &length);
    if (utf8 == nullptr) return nullptr;
    if (static_cast<size_t>(length) > kMaxPendingBytes) {
      PyErr_SetString(PyExc_UnicodeError, "pending buffer too large");
      return nullptr;
    }
    size = static_cast<size_t>(length);
    memcpy(bytes + 1, utf8, size);
  }
  bytes[0] = static_cast<unsigned char>(size);
  memcpy(bytes + 1 + size, s->state.c, sizeof(State));
  return PyLong_FromUnsignedNativeBytes(bytes, 1 + size + sizeof(State), Py_ASNATIVEBYTES_LITTLE_ENDIAN);
}

PyObject* encoder_setstate(PyObject* self, PyObject* number) {
  if (!PyLong_Check(number)) return PyErr_Format(PyExc_TypeError, "setstate() argument must be int, not %T", number);
  unsigned char bytes[1 + kMaxPendingBytes + sizeof(State)] = {};
  const Py_ssize_t needed = PyLong_AsNativeBytes(number, bytes, sizeof bytes,
                                                 Py_ASNATIVEBYTES_LITTLE_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER | Py_ASNATIVEBYTES_REJECT_NEGATIVE);
  if (needed < 0) return nullptr;
  if (needed > static_cast<Py_ssize_t>(sizeof bytes)) return PyErr_SetString(PyExc_OverflowError, "int too big to convert"), nullptr;
  if (bytes[0] > kMaxPendingBytes) return PyErr_SetString(PyExc_UnicodeError, "pending buffer too large"), nullptr;
  Ref text(bytes[0] ? PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(bytes + 1), bytes[0], "strict") : nullptr);
  if (!text && PyErr_Occurred()) return nullptr;
  Py_BEGIN_CRITICAL_SECTION(self);
  Py_XSETREF(of(self)->text, text.release());
  memcpy(of(self)->state.c, bytes + 1 + bytes[0], sizeof(State));
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

PyObject* encoder_reset(PyObject* self, PyObject*) {
  Py_BEGIN_CRITICAL_SECTION(self);
  of(self)->state = of(self)->encoding->start;
  Py_CLEAR(of(self)->text);
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

// --- Decoders

PyObject* decode_more(Stateful* s, const char* data, size_t size, bool last) {
  const std::string bytes = *s->bytes + std::string(data, size), errors = *s->errors;
  Decode decode{s->encoding, &s->state, errors.c_str(), {}};
  size_t used;
  if (!decode.run(bytes, last, &used)) return nullptr;
  if (bytes.size() - used > kMaxPendingBytes) {
    PyErr_SetString(PyExc_UnicodeError, "pending buffer overflow");
    return nullptr;
  }
  PyObject* text = decode.text();
  if (text != nullptr) *s->bytes = bytes.substr(used);
  return text;
}

PyObject* decoder_decode(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"input", "final", nullptr};
  PyObject* input;
  int last = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:decode", const_cast<char**>(keywords), &input, &last)) return nullptr;
  Buffer data;
  if (!data.get(input)) return nullptr;
  PyObject* result;
  Py_BEGIN_CRITICAL_SECTION(self);
  result = decode_more(of(self), reinterpret_cast<const char*>(data.data()), static_cast<size_t>(data.size()), last != 0);
  Py_END_CRITICAL_SECTION();
  return result;
}

PyObject* decoder_getstate(PyObject* self, PyObject*) {
  Stateful* s = of(self);
  Ref bytes(as_bytes(*s->bytes));
  Ref number(PyLong_FromUnsignedNativeBytes(s->state.c, sizeof(State), Py_ASNATIVEBYTES_LITTLE_ENDIAN));
  return bytes && number ? PyTuple_Pack(2, bytes.get(), number.get()) : nullptr;
}

PyObject* decoder_setstate(PyObject* self, PyObject* state) {
  if (!PyTuple_Check(state)) return PyErr_Format(PyExc_TypeError, "setstate() argument must be tuple, not %T", state);
  PyObject *bytes, *number;
  if (!PyArg_ParseTuple(state, "SO!;setstate(): illegal state argument", &bytes, &PyLong_Type, &number)) return nullptr;
  unsigned char raw[sizeof(State)] = {};
  const Py_ssize_t needed = PyLong_AsNativeBytes(number, raw, sizeof raw,
                                                 Py_ASNATIVEBYTES_LITTLE_ENDIAN | Py_ASNATIVEBYTES_UNSIGNED_BUFFER | Py_ASNATIVEBYTES_REJECT_NEGATIVE);
  if (needed < 0) return nullptr;
  if (needed > static_cast<Py_ssize_t>(sizeof raw)) return PyErr_SetString(PyExc_OverflowError, "int too big to convert"), nullptr;
  const Py_ssize_t size = PyBytes_GET_SIZE(bytes);
  if (size > static_cast<Py_ssize_t>(kMaxPendingBytes)) {
    Ref error(PyUnicodeDecodeError_Create(of(self)->encoding->name, PyBytes_AS_STRING(bytes), size, 0, size, "pending buffer too large"));
    if (error) PyErr_SetObject(PyExc_UnicodeDecodeError, error.get());
    return nullptr;
  }
  Py_BEGIN_CRITICAL_SECTION(self);
  of(self)->bytes->assign(PyBytes_AS_STRING(bytes), static_cast<size_t>(size));
  memcpy(of(self)->state.c, raw, sizeof(State));
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

void restart_decoder(Stateful* s) {
  if (s->encoding->decode_reset != nullptr) {
    s->encoding->decode_reset(&s->state);
  } else {
    s->state = s->encoding->start;
  }
  s->bytes->clear();
}

PyObject* decoder_reset(PyObject* self, PyObject*) {
  Py_BEGIN_CRITICAL_SECTION(self);
  restart_decoder(of(self));
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

// --- Streams

PyObject* read_some(PyObject* self, const char* method, Py_ssize_t size) {
  Stateful* s = of(self);
  if (size == 0) return PyUnicode_FromString("");
  std::string all;
  Ref text(PyUnicode_FromString(""));
  for (;;) {
    Ref data(size < 0 ? PyObject_CallMethod(s->stream, method, nullptr) : PyObject_CallMethod(s->stream, method, "n", size));
    if (!data) return nullptr;
    if (!PyBytes_Check(data.get())) {
      return PyErr_Format(PyExc_TypeError, "stream function returned a non-bytes object (%.100s)", Py_TYPE(data.get())->tp_name);
    }
    const Py_ssize_t got = PyBytes_GET_SIZE(data.get());
    const bool end = got == 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    text = Ref(decode_more(s, PyBytes_AS_STRING(data.get()), static_cast<size_t>(got), end || size < 0));
    Py_END_CRITICAL_SECTION();
    if (!text) return nullptr;
    if (end || size < 0 || PyUnicode_GET_LENGTH(text.get()) > 0) return text.release();
    size = 1;  // the rest of a character
  }
}

// The size that the methods of readers take: none, None or a number.
bool size_argument(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* size) {
  *size = -1;
  if (!ext::check_positional(name, nargs, 0, 1)) return false;
  if (nargs == 0 || args[0] == Py_None) return true;
  if (!PyLong_Check(args[0])) {
    PyErr_SetString(PyExc_TypeError, "arg 1 must be an integer");
    return false;
  }
  *size = PyLong_AsSsize_t(args[0]);
  return *size != -1 || !PyErr_Occurred();
}

PyObject* reader_read(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t size;
  return size_argument("read", args, nargs, &size) ? read_some(self, "read", size) : nullptr;
}
PyObject* reader_readline(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t size;
  return size_argument("readline", args, nargs, &size) ? read_some(self, "readline", size) : nullptr;
}
PyObject* reader_readlines(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t size;
  Ref text(size_argument("readlines", args, nargs, &size) ? read_some(self, "read", size) : nullptr);
  return text ? PyUnicode_Splitlines(text.get(), 1) : nullptr;
}

bool write_one(PyObject* self, PyObject* text) {
  Ref bytes;
  Py_BEGIN_CRITICAL_SECTION(self);
  bytes = Ref(encode_more(of(self), text, false));
  Py_END_CRITICAL_SECTION();
  if (!bytes) return false;
  Ref done(PyObject_CallMethod(of(self)->stream, "write", "O", bytes.get()));
  return static_cast<bool>(done);
}

PyObject* writer_write(PyObject* self, PyObject* text) {
  if (!write_one(self, text)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* writer_writelines(PyObject* self, PyObject* lines) {
  if (!PySequence_Check(lines)) return PyErr_SetString(PyExc_TypeError, "arg must be a sequence object"), nullptr;
  for (Py_ssize_t i = 0; i < PySequence_Length(lines); ++i) {
    Ref line(PySequence_GetItem(lines, i));
    if (!line || !write_one(self, line.get())) return nullptr;
  }
  if (PyErr_Occurred()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* writer_reset(PyObject* self, PyObject*) {
  Ref nothing(PyUnicode_FromString("")), bytes;
  bool pending;
  Py_BEGIN_CRITICAL_SECTION(self);
  pending = of(self)->text != nullptr;
  if (pending && nothing) bytes = Ref(encode_more(of(self), nothing.get(), true));
  Py_END_CRITICAL_SECTION();
  if (!pending) Py_RETURN_NONE;
  if (!bytes) return nullptr;
  if (PyBytes_GET_SIZE(bytes.get()) > 0) {
    Ref done(PyObject_CallMethod(of(self)->stream, "write", "O", bytes.get()));
    if (!done) return nullptr;
  }
  Py_RETURN_NONE;
}

// --- The module

template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

PyMethodDef codec_methods[] = {
    {"encode", ext::method(codec_encode), METH_VARARGS | METH_KEYWORDS,
     "encode($self, /, input, errors=None)\n--\n\nThe bytes of a str, and how many characters that were."},
    {"decode", ext::method(codec_decode), METH_VARARGS | METH_KEYWORDS,
     "decode($self, /, input, errors=None)\n--\n\nThe text of bytes, and how many bytes that were."},
    {},
};
PyType_Slot codec_slots[] = {{Py_tp_dealloc, slot(simple_dealloc<Codec>)}, {Py_tp_methods, codec_methods}, {0, nullptr}};
PyType_Spec codec_spec = {"_multibytecodec.MultibyteCodec", sizeof(Codec), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, codec_slots};

PyGetSetDef stateful_getsets[] = {{"errors", ext::locked<get_errors>, set_errors, "how to treat errors", nullptr}, {}};
PyGetSetDef stream_getsets[] = {{"errors", ext::locked<get_errors>, set_errors, "how to treat errors", nullptr},
                                {"stream", get_stream, nullptr, nullptr, nullptr},
                                {}};

PyMethodDef encoder_methods[] = {
    {"encode", ext::method(encoder_encode), METH_VARARGS | METH_KEYWORDS, "encode($self, /, input, final=False)\n--\n\n"},
    {"getstate", ext::locked<encoder_getstate>, METH_NOARGS, "getstate($self, /)\n--\n\n"},
    {"setstate", encoder_setstate, METH_O, "setstate($self, state, /)\n--\n\n"},
    {"reset", encoder_reset, METH_NOARGS, "reset($self, /)\n--\n\n"},
    {},
};
PyMethodDef decoder_methods[] = {
    {"decode", ext::method(decoder_decode), METH_VARARGS | METH_KEYWORDS, "decode($self, /, input, final=False)\n--\n\n"},
    {"getstate", ext::locked<decoder_getstate>, METH_NOARGS, "getstate($self, /)\n--\n\n"},
    {"setstate", decoder_setstate, METH_O, "setstate($self, state, /)\n--\n\n"},
    {"reset", decoder_reset, METH_NOARGS, "reset($self, /)\n--\n\n"},
    {},
};
PyMethodDef reader_methods[] = {
    {"read", ext::method(reader_read), METH_FASTCALL, "read($self, sizeobj=None, /)\n--\n\n"},
    {"readline", ext::method(reader_readline), METH_FASTCALL, "readline($self, sizeobj=None, /)\n--\n\n"},
    {"readlines", ext::method(reader_readlines), METH_FASTCALL, "readlines($self, sizehintobj=None, /)\n--\n\n"},
    {"reset", decoder_reset, METH_NOARGS, "reset($self, /)\n--\n\n"},
    {},
};
PyMethodDef writer_methods[] = {
    {"write", writer_write, METH_O, "write($self, strobj, /)\n--\n\n"},
    {"writelines", writer_writelines, METH_O, "writelines($self, lines, /)\n--\n\n"},
    {"reset", writer_reset, METH_NOARGS, "reset($self, /)\n--\n\n"},
    {},
};

PyTypeObject* make_type(const char* name, newfunc make, PyMethodDef* methods, PyGetSetDef* getsets) {
  PyType_Slot slots[] = {
      {Py_tp_new, slot(make)},
      {Py_tp_init, slot(stateful_init)},
      {Py_tp_dealloc, slot(stateful_dealloc)},
      {Py_tp_traverse, slot(stateful_traverse)},
      {Py_tp_clear, slot(stateful_clear)},
      {Py_tp_methods, methods},
      {Py_tp_getset, getsets},
      {0, nullptr},
  };
  PyType_Spec spec = {name, sizeof(Stateful), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

PyObject* create_codec(PyObject*, PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kCapsule)) {
    PyErr_SetString(PyExc_ValueError, "argument type invalid");
    return nullptr;
  }
  PyObject* codec = codec_type->tp_alloc(codec_type, 0);
  if (codec != nullptr) reinterpret_cast<Codec*>(codec)->encoding = static_cast<const Encoding*>(PyCapsule_GetPointer(capsule, kCapsule));
  return codec;
}

int exec_module(PyObject* module) {
  if (!ext::keep(&codec_type, PyType_FromSpec(&codec_spec))) return -1;
  struct {
    PyTypeObject** type;
    const char* name;
    newfunc make;
    PyMethodDef* methods;
    PyGetSetDef* getsets;
  } const types[] = {
      {&encoder_type, "_multibytecodec.MultibyteIncrementalEncoder", incremental_new, encoder_methods, stateful_getsets},
      {&decoder_type, "_multibytecodec.MultibyteIncrementalDecoder", incremental_new, decoder_methods, stateful_getsets},
      {&reader_type, "_multibytecodec.MultibyteStreamReader", stream_new, reader_methods, stream_getsets},
      {&writer_type, "_multibytecodec.MultibyteStreamWriter", stream_new, writer_methods, stream_getsets},
  };
  for (const auto& t : types) {
    if (!ext::keep(t.type, reinterpret_cast<PyObject*>(make_type(t.name, t.make, t.methods, t.getsets))) ||
        PyModule_AddType(module, *t.type) < 0) {
      return -1;
    }
  }
  return 0;
}

PyMethodDef methods[] = {{"__create_codec", create_codec, METH_O, nullptr}, {}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(exec_module);
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_multibytecodec",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace multibyte

PyMODINIT_FUNC PyInit__multibytecodec(void) { return PyModuleDef_Init(&multibyte::def); }
