// The format units of PyArg_Parse*: how one argument becomes C values.
//
// A unit that allocates or holds a buffer registers its undoing with Cleanup, so that a later failure leaves nothing
// behind. Nothing here knows how many arguments there are.
#include <algorithm>
#include <climits>
#include <cstring>

#include "base/compiler.h"
#include "capi/getargs.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {

void Cleanup::undo_all() {
  for (int i = 0; i < count_; ++i) entries_[i].undo();
  if (entries_ != inline_) PyMem_Free(entries_);
}

bool Cleanup::add(Entry entry) {
  if (count_ == capacity_) {
    auto* grown = static_cast<Entry*>(PyMem_Malloc(sizeof(Entry) * static_cast<size_t>(capacity_) * 2));
    if (grown == nullptr) {
      entry.undo();
      PyErr_NoMemory();
      return false;
    }
    std::memcpy(grown, entries_, sizeof(Entry) * static_cast<size_t>(count_));
    if (entries_ != inline_) PyMem_Free(entries_);
    entries_ = grown;
    capacity_ *= 2;
  }
  entries_[count_++] = entry;
  return true;
}

FormatTail format_tail(const char* format) {
  FormatTail tail;
  // A function name stands behind the first ':' or a message behind the first ';'.
  const char* mark = format;
  while (*mark != '\0' && *mark != ':' && *mark != ';') ++mark;
  if (*mark == ':') tail.function = mark + 1;
  if (*mark == ';') tail.message = mark + 1;
  return tail;
}

void raise_argument_error(Py_ssize_t index, const ArgumentError& error, const char* function, const char* message) {
  if (PyErr_Occurred()) return;
  char text[512];
  if (message == nullptr) {
    char* p = text;
    char* const limit = text + sizeof(text);
    const auto append = [&](const char* format, auto value) {
      const int n = PyOS_snprintf(p, static_cast<size_t>(limit - p), format, value);
      if (n > 0) p += std::min<ptrdiff_t>(n, limit - p - 1);
    };
    if (function != nullptr) append("%.200s() ", function);
    if (index != 0) {
      append("argument %zd", index);
      for (int level = 0; level < 32 && error.levels[level] > 0 && p - text < 220; ++level) {
        append(", item %d", error.levels[level] - 1);
      }
    } else {
      append("%s", "argument");
    }
    append(" %.256s", error.text);
    message = text;
  }
  PyErr_SetString(error.text[0] == '(' ? PyExc_SystemError : PyExc_TypeError, message);
}

namespace {

const char* type_name_of(PyObject* arg) { return arg == Py_None ? "None" : Py_TYPE(arg)->tp_name; }

AMPHIS_COLD bool wrong_type(ArgumentError* error, const char* expected, PyObject* arg) {
  if (expected[0] == '(') {
    PyOS_snprintf(error->text, sizeof(error->text), "%.100s", expected);
  } else {
    PyOS_snprintf(error->text, sizeof(error->text), "must be %.50s, not %.50s", expected, type_name_of(arg));
  }
  return false;
}

AMPHIS_COLD bool wrong_length(ArgumentError* error, const char* expected, const char* got, Py_ssize_t length) {
  PyOS_snprintf(error->text, sizeof(error->text), "must be %s, not %s of length %zd", expected, got, length);
  return false;
}

// A wrong format string: reported as SystemError because of its parenthesis.
AMPHIS_COLD bool bad_format(ArgumentError* error, const char* text) {
  PyOS_snprintf(error->text, sizeof(error->text), "%s", text);
  return false;
}

AMPHIS_COLD bool raise(PyObject* exception, const char* text) {
  PyErr_SetString(exception, text);
  return false;
}

void release_buffer(void* view) { PyBuffer_Release(static_cast<Py_buffer*>(view)); }
void free_encoded(void* slot) {
  PyMem_Free(*static_cast<char**>(slot));
  *static_cast<char**>(slot) = nullptr;
}

template <typename T>
void store(VarArgs* va, T value) {
  *va_arg(va->list, T*) = value;
}

// What PyLong_AsLong gives; most arguments are small ints.
AMPHIS_ALWAYS_INLINE bool read_long(PyObject* arg, int64_t* value) {
  if (PyLong_Check(arg) && compact_value(arg, value)) [[likely]] return true;
  *value = PyLong_AsLong(arg);
  return *value != -1 || !PyErr_Occurred();
}

template <typename T>
bool store_checked(PyObject* arg, VarArgs* va, int64_t low, int64_t high, const char* below, const char* above) {
  int64_t value;
  if (!read_long(arg, &value)) return false;
  if (value < low) return raise(PyExc_OverflowError, below);
  if (value > high) return raise(PyExc_OverflowError, above);
  store<T>(va, static_cast<T>(value));
  return true;
}

template <typename T>
bool store_masked(PyObject* arg, VarArgs* va) {
  const unsigned long long value = PyLong_AsUnsignedLongLongMask(arg);
  if (value == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return false;
  store<T>(va, static_cast<T>(value));
  return true;
}

AMPHIS_NOINLINE bool hold_buffer(PyObject* arg, Py_buffer* view, int flags, const char* expected, Cleanup* cleanup, ArgumentError* error) {
  if (PyObject_GetBuffer(arg, view, flags) != 0) {
    if (flags & PyBUF_WRITABLE) PyErr_Clear();
    return wrong_type(error, expected, arg);
  }
  if (!PyBuffer_IsContiguous(view, 'C')) {
    PyBuffer_Release(view);
    return wrong_type(error, "contiguous buffer", arg);
  }
  return cleanup->add(view, release_buffer);
}

// y, y*, y#: bytes-like objects.
AMPHIS_NOINLINE bool convert_bytes_like(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error) {
  if (**format == '*') {
    ++*format;
    return hold_buffer(arg, va_arg(va->list, Py_buffer*), PyBUF_SIMPLE, "bytes-like object", cleanup, error);
  }
  auto** text = va_arg(va->list, const char**);
  *text = nullptr;
  // Only objects whose memory stays in place without a held buffer are accepted.
  PyBufferProcs* procs = Py_TYPE(arg)->tp_as_buffer;
  if (procs == nullptr || procs->bf_getbuffer == nullptr || procs->bf_releasebuffer != nullptr) {
    return wrong_type(error, procs != nullptr && procs->bf_getbuffer != nullptr ? "read-only bytes-like object"
                                                                                : "bytes-like object",
                      arg);
  }
  Py_buffer view;
  if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) != 0) return false;
  const Py_ssize_t length = view.len;
  *text = static_cast<const char*>(view.buf);
  const bool contiguous = PyBuffer_IsContiguous(&view, 'C');
  PyBuffer_Release(&view);
  if (!contiguous) return wrong_type(error, "contiguous buffer", arg);
  if (**format == '#') {
    ++*format;
    store<Py_ssize_t>(va, length);
    return true;
  }
  if (std::strlen(*text) != static_cast<size_t>(length)) return raise(PyExc_ValueError, "embedded null byte");
  return true;
}

// s, s*, s#, z, z*, z#: text as UTF-8, or bytes-like objects for * and #.
AMPHIS_NOINLINE bool convert_text(PyObject* arg, const char** format, VarArgs* va, bool none_allowed, Cleanup* cleanup,
                  ArgumentError* error) {
  if (**format == '*') {
    ++*format;
    auto* view = va_arg(va->list, Py_buffer*);
    if (none_allowed && arg == Py_None) {
      if (PyBuffer_FillInfo(view, nullptr, nullptr, 0, 1, 0) < 0) return false;
      return cleanup->add(view, release_buffer);
    }
    if (!PyUnicode_Check(arg)) return hold_buffer(arg, view, PyBUF_SIMPLE, "bytes-like object", cleanup, error);
    Py_ssize_t length;
    const char* text = PyUnicode_AsUTF8AndSize(arg, &length);
    if (text == nullptr) return false;
    if (PyBuffer_FillInfo(view, arg, const_cast<char*>(text), length, 1, 0) < 0) return false;
    return cleanup->add(view, release_buffer);
  }
  auto** text = va_arg(va->list, const char**);
  Py_ssize_t length = 0;
  if (**format == '#') {
    ++*format;
    auto* out_length = va_arg(va->list, Py_ssize_t*);
    if (none_allowed && arg == Py_None) {
      *text = nullptr;
      *out_length = 0;
      return true;
    }
    if (PyUnicode_Check(arg)) {
      *text = PyUnicode_AsUTF8AndSize(arg, out_length);
      return *text != nullptr;
    }
    PyBufferProcs* procs = Py_TYPE(arg)->tp_as_buffer;
    if (procs == nullptr || procs->bf_getbuffer == nullptr || procs->bf_releasebuffer != nullptr) {
      return wrong_type(error, procs != nullptr && procs->bf_getbuffer != nullptr ? "read-only bytes-like object"
                                                                                  : "bytes-like object",
                        arg);
    }
    Py_buffer view;
    if (PyObject_GetBuffer(arg, &view, PyBUF_SIMPLE) != 0) return false;
    *text = static_cast<const char*>(view.buf);
    *out_length = view.len;
    PyBuffer_Release(&view);
    return true;
  }
  if (none_allowed && arg == Py_None) {
    *text = nullptr;
    return true;
  }
  if (!PyUnicode_Check(arg)) return wrong_type(error, none_allowed ? "str or None" : "str", arg);
  *text = PyUnicode_AsUTF8AndSize(arg, &length);
  if (*text == nullptr) return false;
  if (std::strlen(*text) != static_cast<size_t>(length)) return raise(PyExc_ValueError, "embedded null character");
  return true;
}

// es, et, es#, et#: text in a given encoding, in memory of the caller or of ours.
AMPHIS_NOINLINE bool convert_encoded(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error) {
  const char* encoding = va_arg(va->list, const char*);
  if (encoding == nullptr) encoding = "utf-8";
  const char kind = **format;
  if (kind != 's' && kind != 't') return bad_format(error, "(unknown parser marker combination)");
  ++*format;
  auto** buffer = va_arg(va->list, char**);
  if (buffer == nullptr) return bad_format(error, "(buffer is NULL)");
  Ref<> encoded;
  const char* data;
  Py_ssize_t size;
  if (kind == 't' && PyBytes_Check(arg)) {
    encoded = Ref<>::share(arg);
    data = PyBytes_AS_STRING(arg);
    size = PyBytes_GET_SIZE(arg);
  } else if (kind == 't' && PyByteArray_Check(arg)) {
    encoded = Ref<>::steal(PyBytes_FromObject(arg));
    if (!encoded) return false;
    data = PyBytes_AS_STRING(encoded.get());
    size = PyBytes_GET_SIZE(encoded.get());
  } else if (PyUnicode_Check(arg)) {
    encoded = Ref<>::steal(PyUnicode_AsEncodedString(arg, encoding, nullptr));
    if (!encoded) {
      PyErr_Clear();
      return bad_format(error, "(encoding failed)");
    }
    if (!PyBytes_Check(encoded.get())) return bad_format(error, "(encoder failed to return bytes)");
    data = PyBytes_AS_STRING(encoded.get());
    size = PyBytes_GET_SIZE(encoded.get());
  } else {
    return wrong_type(error, kind == 's' ? "str" : "str, bytes or bytearray", arg);
  }
  if (**format == '#') {
    ++*format;
    auto* length = va_arg(va->list, Py_ssize_t*);
    if (length == nullptr) return bad_format(error, "(buffer_len is NULL)");
    if (*buffer == nullptr) {
      *buffer = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size) + 1));
      if (*buffer == nullptr) {
        PyErr_NoMemory();
        return false;
      }
      if (!cleanup->add(buffer, free_encoded)) return false;
    } else if (size + 1 > *length) {
      PyErr_Format(PyExc_ValueError, "encoded string too long (%zd, maximum length %zd)", size, *length - 1);
      return false;
    }
    std::memcpy(*buffer, data, static_cast<size_t>(size) + 1);
    *length = size;
    return true;
  }
  if (std::strlen(data) != static_cast<size_t>(size)) {
    return wrong_type(error, "encoded string without null bytes", arg);
  }
  *buffer = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size) + 1));
  if (*buffer == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  if (!cleanup->add(buffer, free_encoded)) return false;
  std::memcpy(*buffer, data, static_cast<size_t>(size) + 1);
  return true;
}

// O, O!, O&.
AMPHIS_NOINLINE bool convert_object(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error) {
  if (**format == '!') {
    ++*format;
    auto* type = va_arg(va->list, PyTypeObject*);
    auto** out = va_arg(va->list, PyObject**);
    if (!PyType_IsSubtype(Py_TYPE(arg), type)) return wrong_type(error, type->tp_name, arg);
    *out = arg;
    return true;
  }
  if (**format == '&') {
    ++*format;
    auto convert = va_arg(va->list, Converter);
    void* out = va_arg(va->list, void*);
    const int status = convert(arg, out);
    if (status == 0) return wrong_type(error, "(unspecified)", arg);
    if (status == Py_CLEANUP_SUPPORTED) {
      // The converter, called without an object, undoes its own work.
      return cleanup->add(out, convert);
    }
    return true;
  }
  store<PyObject*>(va, arg);
  return true;
}

bool convert_simple(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error) {
  switch (*(*format)++) {
    case 'b':
      return store_checked<unsigned char>(arg, va, 0, UCHAR_MAX, "unsigned byte integer is less than minimum",
                                          "unsigned byte integer is greater than maximum");
    case 'B':
      return store_masked<unsigned char>(arg, va);
    case 'h':
      return store_checked<short>(arg, va, SHRT_MIN, SHRT_MAX, "signed short integer is less than minimum",
                                  "signed short integer is greater than maximum");
    case 'H':
      return store_masked<unsigned short>(arg, va);
    case 'i':
      return store_checked<int>(arg, va, INT_MIN, INT_MAX, "signed integer is less than minimum",
                                "signed integer is greater than maximum");
    case 'I':
      return store_masked<unsigned int>(arg, va);
    case 'l': {
      int64_t value;
      if (!read_long(arg, &value)) return false;
      store<long>(va, value);
      return true;
    }
    case 'k':
      if (!PyIndex_Check(arg)) return wrong_type(error, "int", arg);
      return store_masked<unsigned long>(arg, va);
    case 'L': {
      const long long value = PyLong_AsLongLong(arg);
      if (value == -1 && PyErr_Occurred()) return false;
      store<long long>(va, value);
      return true;
    }
    case 'K':
      if (!PyIndex_Check(arg)) return wrong_type(error, "int", arg);
      return store_masked<unsigned long long>(arg, va);
    case 'n': {
      int64_t small;
      if (PyLong_Check(arg) && compact_value(arg, &small)) {
        store<Py_ssize_t>(va, small);
        return true;
      }
      auto index = Ref<>::steal(_PyNumber_Index(arg));
      const Py_ssize_t value = index ? PyLong_AsSsize_t(index.get()) : -1;
      if (value == -1 && PyErr_Occurred()) return false;
      store<Py_ssize_t>(va, value);
      return true;
    }
    case 'f': {
      const double value = PyFloat_AsDouble(arg);
      if (value == -1.0 && PyErr_Occurred()) return false;
      store<float>(va, static_cast<float>(value));
      return true;
    }
    case 'd': {
      const double value = PyFloat_AsDouble(arg);
      if (value == -1.0 && PyErr_Occurred()) return false;
      store<double>(va, value);
      return true;
    }
    case 'D': {
      const Py_complex value = PyComplex_AsCComplex(arg);
      if (PyErr_Occurred()) return false;
      store<Py_complex>(va, value);
      return true;
    }
    case 'c':
      if (PyBytes_Check(arg)) {
        if (PyBytes_GET_SIZE(arg) != 1) {
          return wrong_length(error, "a byte string of length 1", "a bytes object", PyBytes_GET_SIZE(arg));
        }
        store<char>(va, PyBytes_AS_STRING(arg)[0]);
        return true;
      }
      if (PyByteArray_Check(arg)) {
        if (PyByteArray_GET_SIZE(arg) != 1) {
          return wrong_length(error, "a byte string of length 1", "a bytearray object", PyByteArray_GET_SIZE(arg));
        }
        store<char>(va, PyByteArray_AS_STRING(arg)[0]);
        return true;
      }
      return wrong_type(error, "a byte string of length 1", arg);
    case 'C':
      if (!PyUnicode_Check(arg)) return wrong_type(error, "a unicode character", arg);
      if (PyUnicode_GET_LENGTH(arg) != 1) {
        return wrong_length(error, "a unicode character", "a string", PyUnicode_GET_LENGTH(arg));
      }
      store<int>(va, static_cast<int>(PyUnicode_READ_CHAR(arg, 0)));
      return true;
    case 'p': {
      const int value = PyObject_IsTrue(arg);
      if (value < 0) return false;
      store<int>(va, value);
      return true;
    }
    case 's':
      return convert_text(arg, format, va, false, cleanup, error);
    case 'z':
      return convert_text(arg, format, va, true, cleanup, error);
    case 'y':
      return convert_bytes_like(arg, format, va, cleanup, error);
    case 'e':
      return convert_encoded(arg, format, va, cleanup, error);
    case 'S':
      if (!PyBytes_Check(arg)) return wrong_type(error, "bytes", arg);
      store<PyObject*>(va, arg);
      return true;
    case 'Y':
      if (!PyByteArray_Check(arg)) return wrong_type(error, "bytearray", arg);
      store<PyObject*>(va, arg);
      return true;
    case 'U':
      if (!PyUnicode_Check(arg)) return wrong_type(error, "str", arg);
      store<PyObject*>(va, arg);
      return true;
    case 'O':
      return convert_object(arg, format, va, cleanup, error);
    case 'w':
      if (**format != '*') return bad_format(error, "(invalid use of 'w' format character)");
      ++*format;
      return hold_buffer(arg, va_arg(va->list, Py_buffer*), PyBUF_WRITABLE, "read-write bytes-like object", cleanup,
                         error);
    default:
      return bad_format(error, "(impossible<bad format char>)");
  }
}

// A parenthesised group: the argument must be a sequence of as many items.
bool convert_group(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error, int depth) {
  const char* p = *format;
  int wanted = 0;
  int level = 0;
  for (const char* q = p;; ++q) {
    const char c = *q;
    if (c == '(') {
      if (level == 0) ++wanted;
      ++level;
    } else if (c == ')') {
      if (level-- == 0) break;
    } else if (c == ':' || c == ';' || c == '\0') {
      break;
    } else if (level == 0 && Py_ISALPHA(c)) {
      ++wanted;
      if (c == 'e' && (q[1] == 's' || q[1] == 't')) ++q;
    }
  }
  if (!PySequence_Check(arg) || PyBytes_Check(arg) || PyUnicode_Check(arg)) {
    error->levels[depth] = 0;
    PyOS_snprintf(error->text, sizeof(error->text), "must be %d-item tuple, not %.50s", wanted, type_name_of(arg));
    return false;
  }
  const Py_ssize_t length = PySequence_Size(arg);
  if (length < 0) return false;
  if (length != wanted) {
    error->levels[depth] = 0;
    PyOS_snprintf(error->text, sizeof(error->text), "must be %s of length %d, not %zd",
                  PyTuple_Check(arg) ? "tuple" : "sequence", wanted, length);
    return false;
  }
  for (int i = 0; i < wanted; ++i) {
    // Results may borrow from the item, which a tuple keeps alive; other sequences hand out what they hold.
    auto item = Ref<>::steal(PySequence_GetItem(arg, i));
    if (!item) {
      PyErr_Clear();
      error->levels[depth] = i + 1;
      error->levels[depth + 1] = 0;
      PyOS_snprintf(error->text, sizeof(error->text), "is not retrievable");
      return false;
    }
    bool ok;
    error->levels[depth] = i + 1;
    if (*p == '(' && depth < 30) {
      ++p;
      ok = convert_group(item.get(), &p, va, cleanup, error, depth + 1);
      ++p;  // the closing parenthesis
    } else {
      error->levels[depth + 1] = 0;
      ok = convert_simple(item.get(), &p, va, cleanup, error);
    }
    if (!ok) return false;
  }
  *format = p;
  return true;
}

}  // namespace

bool convert_argument(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error) {
  if (**format != '(') {
    error->levels[0] = 0;
    return convert_simple(arg, format, va, cleanup, error);
  }
  ++*format;
  if (!convert_group(arg, format, va, cleanup, error, 0)) return false;
  ++*format;
  return true;
}

bool skip_argument(const char** format, VarArgs* va) {
  const char* p = *format;
  switch (*p++) {
    case 'e':
      va_arg(va->list, const char*);
      if (*p == 's' || *p == 't') ++p;
      va_arg(va->list, char**);
      if (*p == '#') {
        va_arg(va->list, Py_ssize_t*);
        ++p;
      }
      break;
    case 'O':
      if (*p == '!') {
        ++p;
        va_arg(va->list, PyTypeObject*);
        va_arg(va->list, PyObject**);
      } else if (*p == '&') {
        ++p;
        va_arg(va->list, Converter);
        va_arg(va->list, void*);
      } else {
        va_arg(va->list, PyObject**);
      }
      break;
    case 's':
    case 'z':
    case 'y':
    case 'w':
      va_arg(va->list, void*);
      if (*p == '#') {
        va_arg(va->list, Py_ssize_t*);
        ++p;
      } else if (*p == '*') {
        ++p;
      }
      break;
    case '(':
      while (*p != ')') {
        if (*p == '\0' || *p == ':' || *p == ';') return false;
        if (!skip_argument(&p, va)) return false;
      }
      ++p;
      break;
    default:
      if (!Py_ISALPHA(p[-1])) return false;
      va_arg(va->list, void*);
  }
  *format = p;
  return true;
}

}  // namespace amphis
