// Encoding and decoding by name: the codecs that every program uses are called directly, all others through
// the registry. Also the file system's and the locale's encoding, and wide characters.
#include <wchar.h>

#include "objects/buffer_lock.h"
#include "objects/codecs.h"
#include "objects/str.h"

namespace amphis {
namespace {

enum class Builtin { kNone, kUtf8, kUtf16, kUtf32, kLatin1, kAscii };

// Names compare in lower case with runs of punctuation as one underscore.
Builtin builtin_codec(const char* encoding) {
  if (!encoding) return Builtin::kUtf8;
  char name[16];
  size_t n = 0;
  bool punctuation = false;
  for (const char* p = encoding; *p; p++) {
    char c = *p;
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    if (!alnum) {
      punctuation = true;
      continue;
    }
    if (n + 2 >= sizeof name) return Builtin::kNone;
    if (punctuation && n > 0) name[n++] = '_';
    punctuation = false;
    name[n++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  name[n] = 0;
  static constexpr struct {
    const char* name;
    Builtin codec;
  } kNames[] = {
      {"utf_8", Builtin::kUtf8},     {"utf8", Builtin::kUtf8},         {"utf_16", Builtin::kUtf16},
      {"utf16", Builtin::kUtf16},    {"utf_32", Builtin::kUtf32},      {"utf32", Builtin::kUtf32},
      {"ascii", Builtin::kAscii},    {"us_ascii", Builtin::kAscii},    {"latin1", Builtin::kLatin1},
      {"latin_1", Builtin::kLatin1}, {"iso_8859_1", Builtin::kLatin1}, {"iso8859_1", Builtin::kLatin1},
  };
  for (const auto& known : kNames) {
    if (strcmp(known.name, name) == 0) return known.codec;
  }
  return Builtin::kNone;
}

// Raises LookupError for names that nobody has registered.
bool names_are_known(const char* encoding, const char* errors) {
  if (!check_codec_names) return true;
  if (encoding && builtin_codec(encoding) == Builtin::kNone) {
    Ref<> codec = Ref<>::steal(codec_lookup(encoding));
    if (!codec) return false;
  }
  if (errors && error_mode(errors) == ErrorMode::kOther) {
    Ref<> handler = Ref<>::steal(PyCodec_LookupError(errors));
    if (!handler) return false;
  }
  return true;
}

PyObject* decode_buffer(PyObject* object, const char* encoding, const char* errors) {
  Py_buffer view;
  if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) {
    PyErr_Format(PyExc_TypeError, "decoding to str: need a bytes-like object, %.80s found",
                 Py_TYPE(object)->tp_name);
    return nullptr;
  }
  const char* text = static_cast<const char*>(view.buf);
  // What other threads may write is decoded from a copy.
  Ref<> copy;
  if (kRaces && !sync::only_thread() && buffer_owner(&view) != nullptr) {
    copy = Ref<>::steal(PyBytes_FromObject(object));
    if (copy) text = PyBytes_AS_STRING(copy.get());
  }
  PyObject* s = nullptr;
  if (view.len == 0) {
    s = names_are_known(encoding, errors) ? empty_str() : nullptr;
  } else if (!PyErr_Occurred()) {
    s = PyUnicode_Decode(text, view.len, encoding, errors);
  }
  PyBuffer_Release(&view);
  return s;
}

bool has_null(PyObject* s) {
  StrView view(s);
  return PyUnicode_FindChar(s, 0, 0, view.length, 1) >= 0;
}

}  // namespace

bool check_codec_names;

const char* filesystem_errors() {
  return "surrogateescape";
}

}  // namespace amphis

using namespace amphis;

extern "C" {

const char* PyUnicode_GetDefaultEncoding(void) {
  return "utf-8";
}

PyObject* PyUnicode_AsEncodedString(PyObject* s, const char* encoding, const char* errors) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    return nullptr;
  }
  if (!names_are_known(encoding, errors)) return nullptr;
  switch (builtin_codec(encoding)) {
    case Builtin::kUtf8:
      return encode_utf8(s, errors);
    case Builtin::kUtf16:
      return encode_utf16(s, errors, 0);
    case Builtin::kUtf32:
      return encode_utf32(s, errors, 0);
    case Builtin::kLatin1:
      return encode_latin1(s, errors);
    case Builtin::kAscii:
      return encode_ascii(s, errors);
    case Builtin::kNone:
      break;
  }
  Ref<> result = Ref<>::steal(codec_encode_text(s, encoding, errors));
  if (!result) return nullptr;
  if (PyBytes_Check(result.get())) return result.release();
  if (PyByteArray_Check(result.get())) {
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "encoder %s returned bytearray instead of bytes; use codecs.encode() to encode to "
                         "arbitrary types",
                         encoding) < 0) {
      return nullptr;
    }
    return PyBytes_FromStringAndSize(PyByteArray_AsString(result.get()), PyByteArray_Size(result.get()));
  }
  PyErr_Format(PyExc_TypeError,
               "'%.400s' encoder returned '%.400s' instead of 'bytes'; use codecs.encode() to encode to "
               "arbitrary types",
               encoding, Py_TYPE(result.get())->tp_name);
  return nullptr;
}

PyObject* PyUnicode_Decode(const char* data, Py_ssize_t n, const char* encoding, const char* errors) {
  if (!names_are_known(encoding, errors)) return nullptr;
  switch (builtin_codec(encoding)) {
    case Builtin::kUtf8:
      return PyUnicode_DecodeUTF8Stateful(data, n, errors, nullptr);
    case Builtin::kUtf16:
      return PyUnicode_DecodeUTF16(data, n, errors, nullptr);
    case Builtin::kUtf32:
      return PyUnicode_DecodeUTF32(data, n, errors, nullptr);
    case Builtin::kLatin1:
      return PyUnicode_DecodeLatin1(data, n, errors);
    case Builtin::kAscii:
      return PyUnicode_DecodeASCII(data, n, errors);
    case Builtin::kNone:
      break;
  }
  Ref<> view = Ref<>::steal(PyMemoryView_FromMemory(const_cast<char*>(data), n, PyBUF_READ));
  if (!view) return nullptr;
  Ref<> result = Ref<>::steal(codec_decode_text(view.get(), encoding, errors));
  if (!result) return nullptr;
  if (PyUnicode_Check(result.get())) return result.release();
  PyErr_Format(
      PyExc_TypeError,
      "'%.400s' decoder returned '%.400s' instead of 'str'; use codecs.decode() to decode to arbitrary types",
      encoding, Py_TYPE(result.get())->tp_name);
  return nullptr;
}

PyObject* PyUnicode_FromEncodedObject(PyObject* object, const char* encoding, const char* errors) {
  if (!object) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (PyBytes_Check(object)) {
    if (PyBytes_GET_SIZE(object) == 0) return names_are_known(encoding, errors) ? empty_str() : nullptr;
    return PyUnicode_Decode(PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object), encoding, errors);
  }
  if (PyUnicode_Check(object)) {
    PyErr_SetString(PyExc_TypeError, "decoding str is not supported");
    return nullptr;
  }
  return decode_buffer(object, encoding, errors);
}

PyObject* PyUnicode_AsDecodedObject(PyObject* s, const char* encoding, const char* errors) {
  if (!require_str(s)) return nullptr;
  return PyCodec_Decode(s, encoding ? encoding : "utf-8", errors);
}

PyObject* PyUnicode_AsDecodedUnicode(PyObject* s, const char* encoding, const char* errors) {
  Ref<> v = Ref<>::steal(PyUnicode_AsDecodedObject(s, encoding, errors));
  if (!v || PyUnicode_Check(v.get())) return v.release();
  PyErr_Format(
      PyExc_TypeError,
      "'%.400s' decoder returned '%.400s' instead of 'str'; use codecs.decode() to decode to arbitrary types",
      encoding, Py_TYPE(v.get())->tp_name);
  return nullptr;
}

PyObject* PyUnicode_AsEncodedObject(PyObject* s, const char* encoding, const char* errors) {
  if (!require_str(s)) return nullptr;
  return PyCodec_Encode(s, encoding ? encoding : "utf-8", errors);
}

PyObject* PyUnicode_AsEncodedUnicode(PyObject* s, const char* encoding, const char* errors) {
  Ref<> v = Ref<>::steal(PyUnicode_AsEncodedObject(s, encoding, errors));
  if (!v || PyUnicode_Check(v.get())) return v.release();
  PyErr_Format(
      PyExc_TypeError,
      "'%.400s' encoder returned '%.400s' instead of 'str'; use codecs.encode() to encode to arbitrary types",
      encoding, Py_TYPE(v.get())->tp_name);
  return nullptr;
}

// ---- file system and locale: UTF-8 ----

PyObject* PyUnicode_EncodeFSDefault(PyObject* s) {
  return encode_utf8(s, filesystem_errors());
}

PyObject* PyUnicode_DecodeFSDefaultAndSize(const char* text, Py_ssize_t n) {
  return PyUnicode_DecodeUTF8Stateful(text, n, filesystem_errors(), nullptr);
}

PyObject* PyUnicode_DecodeFSDefault(const char* text) {
  return PyUnicode_DecodeFSDefaultAndSize(text, static_cast<Py_ssize_t>(strlen(text)));
}

PyObject* PyUnicode_EncodeLocale(PyObject* s, const char* errors) {
  if (!require_str(s)) return nullptr;
  if (has_null(s)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  return encode_utf8(s, errors);
}

PyObject* PyUnicode_DecodeLocaleAndSize(const char* text, Py_ssize_t n, const char* errors) {
  if (n < 0 || text[n] != 0 || static_cast<size_t>(n) != strlen(text)) {
    PyErr_SetString(PyExc_ValueError, "embedded null byte");
    return nullptr;
  }
  return PyUnicode_DecodeUTF8Stateful(text, n, errors, nullptr);
}

PyObject* PyUnicode_DecodeLocale(const char* text, const char* errors) {
  return PyUnicode_DecodeLocaleAndSize(text, static_cast<Py_ssize_t>(strlen(text)), errors);
}

int PyUnicode_FSConverter(PyObject* argument, void* result) {
  PyObject** slot = static_cast<PyObject**>(result);
  if (!argument) {
    Py_CLEAR(*slot);
    return 1;
  }
  Ref<> path = Ref<>::steal(PyOS_FSPath(argument));
  if (!path) return 0;
  Ref<> bytes;
  if (PyBytes_Check(path.get())) {
    bytes = static_cast<Ref<>&&>(path);
  } else {
    bytes = Ref<>::steal(PyUnicode_EncodeFSDefault(path.get()));
    if (!bytes) return 0;
  }
  if (strlen(PyBytes_AS_STRING(bytes.get())) != static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))) {
    PyErr_SetString(PyExc_ValueError, "embedded null byte");
    return 0;
  }
  *slot = bytes.release();
  return Py_CLEANUP_SUPPORTED;
}

int PyUnicode_FSDecoder(PyObject* argument, void* result) {
  PyObject** slot = static_cast<PyObject**>(result);
  if (!argument) {
    Py_CLEAR(*slot);
    return 1;
  }
  Ref<> path = Ref<>::steal(PyOS_FSPath(argument));
  if (!path) return 0;
  Ref<> text;
  if (PyUnicode_Check(path.get())) {
    text = static_cast<Ref<>&&>(path);
  } else {
    text = Ref<>::steal(
        PyUnicode_DecodeFSDefaultAndSize(PyBytes_AS_STRING(path.get()), PyBytes_GET_SIZE(path.get())));
    if (!text) return 0;
  }
  if (has_null(text.get())) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return 0;
  }
  *slot = text.release();
  return Py_CLEANUP_SUPPORTED;
}

// ---- wchar_t: UCS-4 on this platform ----

static_assert(sizeof(wchar_t) == sizeof(Py_UCS4));

PyObject* PyUnicode_FromWideChar(const wchar_t* text, Py_ssize_t n) {
  if (!text && n != 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (n == -1) n = static_cast<Py_ssize_t>(wcslen(text));
  return str_from_ucs4(reinterpret_cast<const Py_UCS4*>(text), n);
}

Py_ssize_t PyUnicode_AsWideChar(PyObject* s, wchar_t* out, Py_ssize_t capacity) {
  if (!s) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    return -1;
  }
  StrView view(s);
  if (!out) return view.length + 1;
  Py_ssize_t n = view.length < capacity ? view.length : capacity;
  copy_chars_to(4, out, 0, view.kind, view.data, 0, n);
  if (n < capacity) out[n] = 0;
  return n;
}

wchar_t* PyUnicode_AsWideCharString(PyObject* s, Py_ssize_t* size) {
  if (!s) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    return nullptr;
  }
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (!size && has_null(s)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  wchar_t* out = static_cast<wchar_t*>(PyMem_Malloc((static_cast<size_t>(n) + 1) * sizeof(wchar_t)));
  if (!out) {
    PyErr_NoMemory();
    return nullptr;
  }
  PyUnicode_AsWideChar(s, out, n + 1);
  if (size) *size = n;
  return out;
}

}  // extern "C"
