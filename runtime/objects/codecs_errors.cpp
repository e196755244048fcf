// Error handlers of the codecs: the built-in ones, the registry of others, and the reporting that every codec
// shares.
#include "objects/codecs.h"

#include <stdio.h>

#include "objects/unicode_data.h"
#include "sync/mutex.h"

namespace amphis {
namespace {

struct NamedMode {
  const char* name;
  ErrorMode mode;
};
constexpr NamedMode kModes[] = {
    {"strict", ErrorMode::kStrict},
    {"ignore", ErrorMode::kIgnore},
    {"replace", ErrorMode::kReplace},
    {"surrogateescape", ErrorMode::kSurrogateEscape},
    {"backslashreplace", ErrorMode::kBackslashReplace},
    {"xmlcharrefreplace", ErrorMode::kXmlCharRefReplace},
    {"surrogatepass", ErrorMode::kSurrogatePass},
    {"namereplace", ErrorMode::kNameReplace},
};

constexpr char kHex[] = "0123456789abcdef";

int put_backslash(char* out, Py_UCS4 ch) {
  int digits = ch < 0x100 ? 2 : ch < 0x10000 ? 4 : 8;
  char* p = out;
  *p++ = '\\';
  *p++ = digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) *p++ = kHex[ch >> shift & 15];
  return static_cast<int>(p - out);
}

// The handler's answer: (str or bytes, position). Both borrowed from `result`.
bool read_answer(PyObject* result, bool bytes_allowed, Py_ssize_t input_size, PyObject** replacement,
                 Py_ssize_t* next) {
  const char* what = bytes_allowed ? "encoding error handler must return (str/bytes, int) tuple"
                                   : "decoding error handler must return (str, int) tuple";
  if (!PyTuple_Check(result) || PyTuple_GET_SIZE(result) != 2) {
    PyErr_SetString(PyExc_TypeError, what);
    return false;
  }
  PyObject* text = PyTuple_GET_ITEM(result, 0);
  if (!PyUnicode_Check(text) && !(bytes_allowed && PyBytes_Check(text))) {
    PyErr_SetString(PyExc_TypeError, what);
    return false;
  }
  PyObject* position = PyTuple_GET_ITEM(result, 1);
  if (!PyIndex_Check(position)) {
    PyErr_SetString(PyExc_TypeError, what);
    return false;
  }
  Py_ssize_t at = PyNumber_AsSsize_t(position, PyExc_OverflowError);
  if (at == -1 && PyErr_Occurred()) return false;
  if (at < 0) at += input_size;
  if (at < 0 || at > input_size) {
    PyErr_Format(PyExc_IndexError, "position %zd from error handler out of bounds", at);
    return false;
  }
  *replacement = text;
  *next = at;
  return true;
}

}  // namespace

ErrorMode error_mode(const char* errors) {
  if (!errors) return ErrorMode::kStrict;
  for (const NamedMode& m : kModes) {
    if (strcmp(m.name, errors) == 0) return m.mode;
  }
  return ErrorMode::kOther;
}

bool EncodedBytes::grow(Py_ssize_t more) {
  if (more > PY_SSIZE_T_MAX - size_ - size_ / 2) {
    PyErr_NoMemory();
    return false;
  }
  Py_ssize_t capacity = size_ + size_ / 2 + more;
  char* data =
      static_cast<char*>(PyMem_Realloc(data_ == small_ ? nullptr : data_, static_cast<size_t>(capacity)));
  if (!data) {
    PyErr_NoMemory();
    return false;
  }
  if (data_ == small_) memcpy(data, small_, static_cast<size_t>(size_));
  data_ = data;
  capacity_ = capacity;
  return true;
}

PyObject* backslash_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop) {
  StrView s(text);
  StrWriter out((stop - start) * 6);
  char one[12];
  for (Py_ssize_t i = start; i < stop; i++) {
    if (!out.put_ascii(one, put_backslash(one, s[i]))) return nullptr;
  }
  return out.finish();
}

PyObject* xmlcharref_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop) {
  StrView s(text);
  StrWriter out((stop - start) * 7);
  char one[16];
  for (Py_ssize_t i = start; i < stop; i++) {
    if (!out.put_ascii(one, snprintf(one, sizeof one, "&#%u;", static_cast<unsigned>(s[i])))) return nullptr;
  }
  return out.finish();
}

PyObject* name_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop) {
  StrView s(text);
  StrWriter out((stop - start) * 20);
  char name[unicode::kMaxNameLength];
  for (Py_ssize_t i = start; i < stop; i++) {
    int n = unicode::character_name(s[i], name);
    if (n > 0) {
      if (!out.put_ascii("\\N{", 3) || !out.put_ascii(name, n) || !out.put('}')) return nullptr;
    } else if (!out.put_ascii(name, put_backslash(name, s[i]))) {
      return nullptr;
    }
  }
  return out.finish();
}

const char* DecodeErrors::handle(const char* start, const char* stop, const char* reason,
                                 _PyUnicodeWriter* out) {
  switch (mode_) {
    case ErrorMode::kIgnore:
      return stop;
    case ErrorMode::kReplace:
      return _PyUnicodeWriter_WriteChar(out, 0xFFFD) < 0 ? nullptr : stop;
    case ErrorMode::kSurrogateEscape: {
      // Only bytes above ASCII can hide in surrogates; anything else is left to the general way, which
      // refuses it.
      const char* p = start;
      while (p < stop && static_cast<unsigned char>(*p) >= 0x80) p++;
      if (p == start) break;
      if (_PyUnicodeWriter_Prepare(out, p - start, 0xDCFF) < 0) return nullptr;
      for (const char* q = start; q < p; q++) {
        PyUnicode_WRITE(out->kind, out->data, out->pos++, 0xDC00u + static_cast<unsigned char>(*q));
      }
      return p;
    }
    case ErrorMode::kBackslashReplace: {
      char one[8];
      for (const char* p = start; p < stop; p++) {
        int n = put_backslash(one, static_cast<unsigned char>(*p));
        if (!StrWriter::write_ascii(out, one, n)) return nullptr;
      }
      return stop;
    }
    default:
      break;
  }
  return call(start - begin_, stop - begin_, reason, out);
}

const char* DecodeErrors::call(Py_ssize_t start, Py_ssize_t stop, const char* reason, _PyUnicodeWriter* out) {
  Ref<> error =
      Ref<>::steal(PyUnicodeDecodeError_Create(encoding_, begin_, end_ - begin_, start, stop, reason));
  if (!error) return nullptr;
  if (mode_ == ErrorMode::kStrict) {
    PyErr_SetObject(PyExc_UnicodeDecodeError, error.get());
    return nullptr;
  }
  if (!handler_) {
    handler_ = Ref<>::steal(PyCodec_LookupError(errors_));
    if (!handler_) return nullptr;
  }
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(handler_.get(), error.get()));
  if (!result) return nullptr;
  // The handler may have put other input into the exception.
  Ref<> input = Ref<>::steal(PyUnicodeDecodeError_GetObject(error.get()));
  if (!input) return nullptr;
  if (!PyBytes_Check(input.get())) {
    PyErr_SetString(PyExc_TypeError, "exception attribute object must be bytes");
    return nullptr;
  }
  PyObject* text;
  Py_ssize_t next;
  if (!read_answer(result.get(), false, PyBytes_GET_SIZE(input.get()), &text, &next)) return nullptr;
  if (!StrWriter::write_str(out, text)) return nullptr;
  begin_ = PyBytes_AS_STRING(input.get());
  end_ = begin_ + PyBytes_GET_SIZE(input.get());
  replaced_input_ = static_cast<Ref<>&&>(input);
  return begin_ + next;
}

void EncodeErrors::raise(Py_ssize_t start, Py_ssize_t stop, const char* reason) {
  Ref<> error = Ref<>::steal(
      PyObject_CallFunction(PyExc_UnicodeEncodeError, "sOnns", encoding_, text_, start, stop, reason));
  if (error) PyErr_SetObject(PyExc_UnicodeEncodeError, error.get());
}

PyObject* EncodeErrors::handle(Py_ssize_t start, Py_ssize_t stop, const char* reason, Py_ssize_t* next) {
  *next = stop;
  switch (mode_) {
    case ErrorMode::kStrict:
      raise(start, stop, reason);
      return nullptr;
    case ErrorMode::kIgnore:
      return empty_str();
    case ErrorMode::kReplace: {
      PyObject* marks = PyUnicode_New(stop - start, 0x7F);
      if (marks && stop > start) memset(PyUnicode_DATA(marks), '?', static_cast<size_t>(stop - start));
      return marks;
    }
    case ErrorMode::kBackslashReplace:
      return backslash_replacement(text_, start, stop);
    case ErrorMode::kXmlCharRefReplace:
      return xmlcharref_replacement(text_, start, stop);
    case ErrorMode::kNameReplace:
      return name_replacement(text_, start, stop);
    case ErrorMode::kSurrogateEscape: {
      StrView s(text_);
      EncodedBytes bytes;
      Py_ssize_t i = start;
      for (; i < stop && s[i] >= 0xDC80 && s[i] <= 0xDCFF; i++) {
        if (!bytes.put(static_cast<unsigned char>(s[i] - 0xDC00))) return nullptr;
      }
      if (i == start) {
        raise(start, stop, reason);
        return nullptr;
      }
      *next = i;
      return bytes.finish();
    }
    default:
      break;
  }
  Ref<> error = Ref<>::steal(
      PyObject_CallFunction(PyExc_UnicodeEncodeError, "sOnns", encoding_, text_, start, stop, reason));
  if (!error) return nullptr;
  if (!handler_) {
    handler_ = Ref<>::steal(PyCodec_LookupError(errors_));
    if (!handler_) return nullptr;
  }
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(handler_.get(), error.get()));
  if (!result) return nullptr;
  PyObject* replacement;
  if (!read_answer(result.get(), true, PyUnicode_GET_LENGTH(text_), &replacement, next)) return nullptr;
  return Py_NewRef(replacement);
}

// ---- the handlers as functions of Python ----

namespace {

PyObject* wrong_exception(PyObject* error) {
  PyErr_Format(PyExc_TypeError, "don't know how to handle %.200s in error callback", Py_TYPE(error)->tp_name);
  return nullptr;
}

enum class Failure { kEncode, kDecode, kTranslate, kOther };

Failure failure_of(PyObject* error) {
  if (PyObject_TypeCheck(error, reinterpret_cast<PyTypeObject*>(PyExc_UnicodeEncodeError)))
    return Failure::kEncode;
  if (PyObject_TypeCheck(error, reinterpret_cast<PyTypeObject*>(PyExc_UnicodeDecodeError)))
    return Failure::kDecode;
  if (PyObject_TypeCheck(error, reinterpret_cast<PyTypeObject*>(PyExc_UnicodeTranslateError))) {
    return Failure::kTranslate;
  }
  return Failure::kOther;
}

// What an exception says: the object and the range within it.
struct Damage {
  Ref<> object;
  Py_ssize_t start = 0;
  Py_ssize_t stop = 0;
};

bool read_damage(PyObject* error, Failure kind, Damage* d) {
  switch (kind) {
    case Failure::kEncode:
      d->object = Ref<>::steal(PyUnicodeEncodeError_GetObject(error));
      return d->object && PyUnicodeEncodeError_GetStart(error, &d->start) == 0 &&
             PyUnicodeEncodeError_GetEnd(error, &d->stop) == 0;
    case Failure::kDecode:
      d->object = Ref<>::steal(PyUnicodeDecodeError_GetObject(error));
      return d->object && PyUnicodeDecodeError_GetStart(error, &d->start) == 0 &&
             PyUnicodeDecodeError_GetEnd(error, &d->stop) == 0;
    case Failure::kTranslate:
      d->object = Ref<>::steal(PyUnicodeTranslateError_GetObject(error));
      return d->object && PyUnicodeTranslateError_GetStart(error, &d->start) == 0 &&
             PyUnicodeTranslateError_GetEnd(error, &d->stop) == 0;
    case Failure::kOther:
      break;
  }
  wrong_exception(error);
  return false;
}

PyObject* answer(PyObject* replacement, Py_ssize_t next) {
  return replacement ? Py_BuildValue("(Nn)", replacement, next) : nullptr;
}

PyObject* raise_again(PyObject* error) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  return nullptr;
}

PyObject* surrogateescape(PyObject* error) {
  Failure kind = failure_of(error);
  Damage d;
  if (kind == Failure::kTranslate) return wrong_exception(error);
  if (!read_damage(error, kind, &d)) return nullptr;
  if (kind == Failure::kEncode) {
    StrView s(d.object.get());
    EncodedBytes bytes;
    for (Py_ssize_t i = d.start; i < d.stop; i++) {
      if (s[i] < 0xDC80 || s[i] > 0xDCFF) return raise_again(error);
      if (!bytes.put(static_cast<unsigned char>(s[i] - 0xDC00))) return nullptr;
    }
    return answer(bytes.finish(), d.stop);
  }
  const unsigned char* p = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(d.object.get()));
  Py_UCS2 text[4];
  int n = 0;
  while (n < 4 && d.start + n < d.stop && p[d.start + n] >= 0x80) {
    text[n] = static_cast<Py_UCS2>(0xDC00 + p[d.start + n]);
    n++;
  }
  if (n == 0) return raise_again(error);
  return answer(str_from_ucs2(text, n), d.start + n);
}

// The width in bytes of the encoding's code units; the sign of its byte order: -1 little, 1 big. 0: not a
// UTF.
int utf_unit(const char* name, int* order) {
  const char* p = name;
  *order = -1;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (lower(p[0]) == 'c' && lower(p[1]) == 'p' && p[2] == '_') p += 3;
  if (lower(p[0]) != 'u' || lower(p[1]) != 't' || lower(p[2]) != 'f') return 0;
  p += 3;
  if (*p == '-' || *p == '_') p++;
  int unit;
  if (p[0] == '8') {
    unit = 1;
    p += 1;
  } else if (p[0] == '1' && p[1] == '6') {
    unit = 2;
    p += 2;
  } else if (p[0] == '3' && p[1] == '2') {
    unit = 4;
    p += 2;
  } else {
    return 0;
  }
  if (*p == 0) return unit;
  if (unit == 1) return 0;
  if (*p == '-' || *p == '_') p++;
  if (lower(p[0]) == 'b' && lower(p[1]) == 'e' && p[2] == 0) {
    *order = 1;
    return unit;
  }
  return lower(p[0]) == 'l' && lower(p[1]) == 'e' && p[2] == 0 ? unit : 0;
}

PyObject* surrogatepass(PyObject* error) {
  Failure kind = failure_of(error);
  if (kind != Failure::kEncode && kind != Failure::kDecode) return wrong_exception(error);
  Damage d;
  if (!read_damage(error, kind, &d)) return nullptr;
  Ref<> encoding = Ref<>::steal(kind == Failure::kEncode ? PyUnicodeEncodeError_GetEncoding(error)
                                                         : PyUnicodeDecodeError_GetEncoding(error));
  if (!encoding) return nullptr;
  const char* name = PyUnicode_AsUTF8(encoding.get());
  if (!name) return nullptr;
  int order;
  int unit = utf_unit(name, &order);
  if (unit == 0) return raise_again(error);
  if (kind == Failure::kEncode) {
    StrView s(d.object.get());
    EncodedBytes bytes;
    for (Py_ssize_t i = d.start; i < d.stop; i++) {
      Py_UCS4 ch = s[i];
      if (!Py_UNICODE_IS_SURROGATE(ch)) return raise_again(error);
      unsigned char b[4];
      int n = unit;
      if (unit == 1) {
        b[0] = static_cast<unsigned char>(0xE0 | ch >> 12);
        b[1] = static_cast<unsigned char>(0x80 | (ch >> 6 & 0x3F));
        b[2] = static_cast<unsigned char>(0x80 | (ch & 0x3F));
        n = 3;
      } else {
        for (int k = 0; k < unit; k++)
          b[order < 0 ? k : unit - 1 - k] = static_cast<unsigned char>(k < 2 ? ch >> (8 * k) : 0);
      }
      if (!bytes.put(b, n)) return nullptr;
    }
    return answer(bytes.finish(), d.stop);
  }
  const unsigned char* p = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(d.object.get()));
  Py_ssize_t left = PyBytes_GET_SIZE(d.object.get()) - d.start;
  p += d.start;
  Py_UCS4 ch = 0;
  int used = unit;
  if (unit == 1) {
    used = 3;
    if (left >= 3 && (p[0] & 0xF0) == 0xE0 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
      ch = static_cast<Py_UCS4>((p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F));
    }
  } else if (left >= unit) {
    for (int k = 0; k < unit; k++) ch |= static_cast<Py_UCS4>(p[order < 0 ? k : unit - 1 - k]) << (8 * k);
  }
  if (!Py_UNICODE_IS_SURROGATE(ch)) return raise_again(error);
  return answer(str_from_char(ch), d.start + used);
}

PyObject* f_strict(PyObject*, PyObject* error) {
  return PyCodec_StrictErrors(error);
}
PyObject* f_ignore(PyObject*, PyObject* error) {
  return PyCodec_IgnoreErrors(error);
}
PyObject* f_replace(PyObject*, PyObject* error) {
  return PyCodec_ReplaceErrors(error);
}
PyObject* f_xml(PyObject*, PyObject* error) {
  return PyCodec_XMLCharRefReplaceErrors(error);
}
PyObject* f_backslash(PyObject*, PyObject* error) {
  return PyCodec_BackslashReplaceErrors(error);
}
PyObject* f_name(PyObject*, PyObject* error) {
  return PyCodec_NameReplaceErrors(error);
}
PyObject* f_surrogatepass(PyObject*, PyObject* error) {
  return surrogatepass(error);
}
PyObject* f_surrogateescape(PyObject*, PyObject* error) {
  return surrogateescape(error);
}

PyMethodDef builtin_handlers[] = {
    {"strict_errors", f_strict, METH_O,
     PyDoc_STR("Implements the 'strict' error handling, which raises a UnicodeError on coding errors.")},
    {"ignore_errors", f_ignore, METH_O,
     PyDoc_STR("Implements the 'ignore' error handling, which ignores malformed data and continues.")},
    {"replace_errors", f_replace, METH_O,
     PyDoc_STR("Implements the 'replace' error handling, which replaces malformed data with a replacement "
               "marker.")},
    {"xmlcharrefreplace_errors", f_xml, METH_O,
     PyDoc_STR("Implements the 'xmlcharrefreplace' error handling, which replaces an unencodable character "
               "with the "
               "appropriate XML character reference.")},
    {"backslashreplace_errors", f_backslash, METH_O,
     PyDoc_STR(
         "Implements the 'backslashreplace' error handling, which replaces malformed data with a backslashed "
         "escape sequence.")},
    {"namereplace_errors", f_name, METH_O,
     PyDoc_STR("Implements the 'namereplace' error handling, which replaces an unencodable character with a "
               "\\N{...} "
               "escape sequence.")},
    {"surrogatepass", f_surrogatepass, METH_O, nullptr},
    {"surrogateescape", f_surrogateescape, METH_O, nullptr},
};
constexpr const char* kHandlerNames[] = {
    "strict",           "ignore",      "replace",       "xmlcharrefreplace",
    "backslashreplace", "namereplace", "surrogatepass", "surrogateescape"};
constexpr int kHandlers = 8;

// Name to callable; made on first use.
sync::Mutex registry_mutex;
PyObject* registry;

PyObject* error_registry() {
  PyObject* known = __atomic_load_n(&registry, __ATOMIC_ACQUIRE);
  if (known) return known;
  Ref<> fresh = Ref<>::steal(PyDict_New());
  if (!fresh) return nullptr;
  for (int i = 0; i < kHandlers; i++) {
    Ref<> function = Ref<>::steal(PyCFunction_New(&builtin_handlers[i], nullptr));
    if (!function || PyDict_SetItemString(fresh.get(), kHandlerNames[i], function.get()) < 0) return nullptr;
  }
  sync::MutexLock lock(registry_mutex);
  if (!registry) __atomic_store_n(&registry, fresh.release(), __ATOMIC_RELEASE);
  return registry;
}

}  // namespace

void codec_errors_forget() {
  PyObject* known;
  {
    sync::MutexLock lock(registry_mutex);
    known = registry;
    __atomic_store_n(&registry, static_cast<PyObject*>(nullptr), __ATOMIC_RELEASE);
  }
  Py_XDECREF(known);
}

int codec_unregister_error(const char* name) {
  for (const char* builtin : kHandlerNames) {
    if (strcmp(builtin, name) == 0) {
      PyErr_Format(PyExc_ValueError, "cannot un-register built-in error handler '%s'", name);
      return -1;
    }
  }
  PyObject* handlers = error_registry();
  if (!handlers) return -1;
  Ref<> key = Ref<>::steal(PyUnicode_FromString(name));
  if (!key) return -1;
  return PyDict_Pop(handlers, key.get(), nullptr);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

const char* Py_hexdigits = "0123456789abcdef";

int PyCodec_RegisterError(const char* name, PyObject* handler) {
  if (!PyCallable_Check(handler)) {
    PyErr_SetString(PyExc_TypeError, "handler must be callable");
    return -1;
  }
  PyObject* handlers = error_registry();
  return handlers ? PyDict_SetItemString(handlers, name, handler) : -1;
}

PyObject* PyCodec_LookupError(const char* name) {
  PyObject* handlers = error_registry();
  if (!handlers) return nullptr;
  PyObject* handler;
  int found = PyDict_GetItemStringRef(handlers, name ? name : "strict", &handler);
  if (found == 0) PyErr_Format(PyExc_LookupError, "unknown error handler name '%.400s'", name);
  return found > 0 ? handler : nullptr;
}

PyObject* PyCodec_StrictErrors(PyObject* error) {
  if (PyExceptionInstance_Check(error)) {
    PyErr_SetObject(PyExceptionInstance_Class(error), error);
  } else {
    PyErr_SetString(PyExc_TypeError, "codec must pass exception instance");
  }
  return nullptr;
}

PyObject* PyCodec_IgnoreErrors(PyObject* error) {
  Damage d;
  if (!read_damage(error, failure_of(error), &d)) return nullptr;
  return answer(empty_str(), d.stop);
}

PyObject* PyCodec_ReplaceErrors(PyObject* error) {
  Failure kind = failure_of(error);
  Damage d;
  if (!read_damage(error, kind, &d)) return nullptr;
  Py_ssize_t n = d.stop > d.start ? d.stop - d.start : 0;
  if (kind == Failure::kDecode) return answer(str_from_char(0xFFFD), d.stop);
  Py_UCS4 mark = kind == Failure::kEncode ? '?' : 0xFFFD;
  PyObject* marks = PyUnicode_New(n, mark);
  if (marks && n) fill_chars(kind_for(mark), PyUnicode_DATA(marks), 0, n, mark);
  return answer(marks, d.stop);
}

PyObject* PyCodec_XMLCharRefReplaceErrors(PyObject* error) {
  if (failure_of(error) != Failure::kEncode) return wrong_exception(error);
  Damage d;
  if (!read_damage(error, Failure::kEncode, &d)) return nullptr;
  return answer(xmlcharref_replacement(d.object.get(), d.start, d.stop), d.stop);
}

PyObject* PyCodec_BackslashReplaceErrors(PyObject* error) {
  Failure kind = failure_of(error);
  Damage d;
  if (!read_damage(error, kind, &d)) return nullptr;
  if (kind != Failure::kDecode) return answer(backslash_replacement(d.object.get(), d.start, d.stop), d.stop);
  const unsigned char* p = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(d.object.get()));
  StrWriter out(4 * (d.stop - d.start));
  char one[8];
  for (Py_ssize_t i = d.start; i < d.stop; i++) {
    if (!out.put_ascii(one, put_backslash(one, p[i]))) return nullptr;
  }
  return answer(out.finish(), d.stop);
}

PyObject* PyCodec_NameReplaceErrors(PyObject* error) {
  if (failure_of(error) != Failure::kEncode) return wrong_exception(error);
  Damage d;
  if (!read_damage(error, Failure::kEncode, &d)) return nullptr;
  return answer(name_replacement(d.object.get(), d.start, d.stop), d.stop);
}

}  // extern "C"
