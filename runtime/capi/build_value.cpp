// Py_BuildValue: making objects from C values by a format.
//
// Grammar: an item is a unit letter with its modifiers, or a group in (), [] or {}; ',', ':', space and tab between items mean
// nothing. References taken by "N" are released even when something else fails, so the whole format is always walked.
#include <array>
#include <climits>
#include <cstring>

#include "capi/getargs.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// Items up to the closing bracket; -1 with an exception.
Py_ssize_t count_items(const char* format, char closing) {
  enum Kind : uint8_t { kUnit, kNothing, kOpening, kClosing };
  static constexpr auto kinds = [] {
    std::array<Kind, 256> table{};
    for (unsigned char c : {'#', '&', ',', ':', ' ', '\t'}) table[c] = kNothing;
    for (unsigned char c : {'(', '[', '{'}) table[c] = kOpening;
    for (unsigned char c : {')', ']', '}'}) table[c] = kClosing;
    return table;
  }();
  Py_ssize_t count = 0;
  int level = 0;
  for (; level > 0 || *format != closing; ++format) {
    if (*format == '\0') {
      PyErr_SetString(PyExc_SystemError, "unmatched paren in format");
      return -1;
    }
    const Kind kind = kinds[static_cast<unsigned char>(*format)];
    count += level == 0 && (kind == kUnit || kind == kOpening);
    level += (kind == kOpening) - (kind == kClosing);
  }
  return count;
}

PyObject* build_item(const char** format, VarArgs* va);

bool close_group(const char** format, char closing) {
  while (**format == ',' || **format == ':' || **format == ' ' || **format == '\t') ++*format;
  if (**format != closing) {
    PyErr_SetString(PyExc_SystemError, "Unmatched paren in format");
    return false;
  }
  if (closing != '\0') ++*format;
  return true;
}

// Walks `count` items for their side effects after a failure, keeping the exception.
void discard_items(const char** format, VarArgs* va, Py_ssize_t count) {
  PyObject* raised = PyErr_GetRaisedException();
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = build_item(format, va);
    if (item == nullptr) PyErr_Clear();
    Py_XDECREF(item);
  }
  PyErr_SetRaisedException(raised);
}

PyObject* build_tuple(const char** format, VarArgs* va, char closing, Py_ssize_t count) {
  auto tuple = Ref<>::steal(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = tuple ? build_item(format, va) : nullptr;
    if (item == nullptr) {
      discard_items(format, va, tuple ? count - i - 1 : count);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple.get(), i, item);
  }
  return close_group(format, closing) ? tuple.release() : nullptr;
}

PyObject* build_list(const char** format, VarArgs* va, Py_ssize_t count) {
  auto list = Ref<>::steal(PyList_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = list ? build_item(format, va) : nullptr;
    if (item == nullptr) {
      discard_items(format, va, list ? count - i - 1 : count);
      return nullptr;
    }
    PyList_SET_ITEM(list.get(), i, item);
  }
  return close_group(format, ']') ? list.release() : nullptr;
}

PyObject* build_dict(const char** format, VarArgs* va, Py_ssize_t count) {
  if (count % 2 != 0) {
    PyErr_SetString(PyExc_SystemError, "Bad dict format");
    discard_items(format, va, count);
    return nullptr;
  }
  auto dict = Ref<>::steal(_PyDict_NewPresized(count / 2));
  if (!dict) {
    discard_items(format, va, count);
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < count; i += 2) {
    auto key = Ref<>::steal(build_item(format, va));
    if (!key) {
      discard_items(format, va, count - i - 1);
      return nullptr;
    }
    auto value = Ref<>::steal(build_item(format, va));
    if (!value || PyDict_SetItem(dict.get(), key.get(), value.get()) < 0) {
      discard_items(format, va, count - i - 2);
      return nullptr;
    }
  }
  return close_group(format, '}') ? dict.release() : nullptr;
}

// An optional '#' and the length that it announces; -1: the text ends at its null.
Py_ssize_t read_length(const char** format, VarArgs* va) {
  if (**format != '#') return -1;
  ++*format;
  return va_arg(va->list, Py_ssize_t);
}

PyObject* build_item(const char** format, VarArgs* va) {
  for (;;) {
    switch (*(*format)++) {
      case '(': {
        const Py_ssize_t count = count_items(*format, ')');
        return count < 0 ? nullptr : build_tuple(format, va, ')', count);
      }
      case '[': {
        const Py_ssize_t count = count_items(*format, ']');
        return count < 0 ? nullptr : build_list(format, va, count);
      }
      case '{': {
        const Py_ssize_t count = count_items(*format, '}');
        return count < 0 ? nullptr : build_dict(format, va, count);
      }
      case 'b':
      case 'B':
      case 'h':
      case 'i':
        return PyLong_FromLong(va_arg(va->list, int));
      case 'H':
      case 'I':
        return PyLong_FromUnsignedLong(va_arg(va->list, unsigned int));
      case 'n':
        return PyLong_FromSsize_t(va_arg(va->list, Py_ssize_t));
      case 'l':
        return PyLong_FromLong(va_arg(va->list, long));
      case 'k':
        return PyLong_FromUnsignedLong(va_arg(va->list, unsigned long));
      case 'L':
        return PyLong_FromLongLong(va_arg(va->list, long long));
      case 'K':
        return PyLong_FromUnsignedLongLong(va_arg(va->list, unsigned long long));
      case 'p':
        return PyBool_FromLong(va_arg(va->list, int));
      case 'f':
      case 'd':
        return PyFloat_FromDouble(va_arg(va->list, double));
      case 'D':
        return PyComplex_FromCComplex(*va_arg(va->list, Py_complex*));
      case 'c': {
        const char c = static_cast<char>(va_arg(va->list, int));
        return PyBytes_FromStringAndSize(&c, 1);
      }
      case 'C':
        return PyUnicode_FromOrdinal(va_arg(va->list, int));
      case 'u': {
        const auto* text = va_arg(va->list, const wchar_t*);
        const Py_ssize_t length = read_length(format, va);
        if (text == nullptr) Py_RETURN_NONE;
        return PyUnicode_FromWideChar(text, length);
      }
      case 's':
      case 'z':
      case 'U': {
        const char* text = va_arg(va->list, const char*);
        const Py_ssize_t length = read_length(format, va);
        if (text == nullptr) Py_RETURN_NONE;
        return PyUnicode_FromStringAndSize(text, length < 0 ? static_cast<Py_ssize_t>(std::strlen(text)) : length);
      }
      case 'y': {
        const char* text = va_arg(va->list, const char*);
        const Py_ssize_t length = read_length(format, va);
        if (text == nullptr) Py_RETURN_NONE;
        return PyBytes_FromStringAndSize(text, length < 0 ? static_cast<Py_ssize_t>(std::strlen(text)) : length);
      }
      case 'N':
      case 'S':
      case 'O': {
        if (**format == '&') {
          ++*format;
          using Maker = PyObject* (*)(void*);
          auto make = va_arg(va->list, Maker);
          return make(va_arg(va->list, void*));
        }
        const char kind = (*format)[-1];
        PyObject* object = va_arg(va->list, PyObject*);
        if (object != nullptr) return kind == 'N' ? object : Py_NewRef(object);
        // A failed call as an argument: its exception goes through.
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "NULL object passed to Py_BuildValue");
        return nullptr;
      }
      case ',':
      case ':':
      case ' ':
      case '\t':
        break;
      default:
        PyErr_SetString(PyExc_SystemError, "bad format char passed to Py_BuildValue");
        return nullptr;
    }
  }
}

PyObject* build(const char* format, VarArgs* va) {
  const Py_ssize_t count = count_items(format, '\0');
  if (count < 0) return nullptr;
  if (count == 0) Py_RETURN_NONE;
  if (count == 1) return build_item(&format, va);
  return build_tuple(&format, va, '\0', count);
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* Py_BuildValue(const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* Py_VaBuildValue(const char* format, va_list list) {
  VarArgs va;
  va_copy(va.list, list);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* _Py_BuildValue_SizeT(const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* _Py_VaBuildValue_SizeT(const char* format, va_list list) { return Py_VaBuildValue(format, list); }

}  // extern "C"
