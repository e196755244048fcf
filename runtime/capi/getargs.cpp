// PyArg_Parse, PyArg_ParseTuple, PyArg_UnpackTuple and the checks of argument counts that go with them. Keywords are in
// getargs_keywords.cpp, the format units in getargs_convert.cpp.
#include "capi/getargs.h"

#include <array>
#include <climits>
#include <cstring>

#include "base/compiler.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// How many arguments a format takes.
struct FormatCount {
  int required;
  int total;
};

// 1 for the letters of units.
constexpr auto kLetters = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = 1;
  return table;
}();

bool count_arguments(const char* format, FormatCount* count) {
  int level = 0, total = 0, required = -1;
  for (const char* p = format;; ++p) {
    const char c = *p;
    if (kLetters[static_cast<unsigned char>(c)]) {
      total += level == 0;
      if (c == 'e' && (p[1] == 's' || p[1] == 't')) ++p;
    } else if (c == '\0' || c == ':' || c == ';') {
      break;
    } else if (c == '|') {
      if (level == 0) required = total;
    } else if (c == '(') {
      if (level++ == 0) ++total;
    } else if (c == ')') {
      if (level-- == 0) {
        PyErr_SetString(PyExc_SystemError, "excess ')' in getargs format");
        return false;
      }
    }
  }
  if (level != 0) {
    PyErr_SetString(PyExc_SystemError, "missing ')' in getargs format");
    return false;
  }
  *count = {required < 0 ? total : required, total};
  return true;
}

AMPHIS_COLD void raise_wrong_count(const char* format, const FormatCount& count, Py_ssize_t nargs) {
  const FormatTail tail = format_tail(format);
  if (tail.message != nullptr) {
    PyErr_SetString(PyExc_TypeError, tail.message);
    return;
  }
  const bool too_few = nargs < count.required;
  const int bound = too_few ? count.required : count.total;
  PyErr_Format(PyExc_TypeError, "%.150s%s takes %s %d argument%s (%zd given)",
               tail.function == nullptr ? "function" : tail.function, tail.function == nullptr ? "" : "()",
               count.required == count.total ? "exactly"
               : too_few                     ? "at least"
                                             : "at most",
               bound, bound == 1 ? "" : "s", nargs);
}

bool convert_all(PyObject* const* args, Py_ssize_t nargs, const char* format, VarArgs* va) {
  FormatCount count;
  if (!count_arguments(format, &count)) return false;
  if (nargs < count.required || nargs > count.total) {
    raise_wrong_count(format, count, nargs);
    return false;
  }
  Cleanup cleanup;
  ArgumentError error;
  const char* at = format;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    if (*at == '|') ++at;
    if (!convert_argument(args[i], &at, va, &cleanup, &error)) [[unlikely]] {
      const FormatTail tail = format_tail(format);
      raise_argument_error(i + 1, error, tail.function, tail.message);
      return false;
    }
  }
  if (*at != '\0' && !Py_ISALPHA(*at) && *at != '(' && *at != '|' && *at != ':' && *at != ';') {
    PyErr_Format(PyExc_SystemError, "bad format string: %.200s", format);
    return false;
  }
  cleanup.succeed();
  return true;
}

bool convert_tuple(PyObject* args, const char* format, VarArgs* va) {
  if (!PyTuple_Check(args)) {
    PyErr_SetString(PyExc_SystemError, "new style getargs format but argument is not a tuple");
    return false;
  }
  return convert_all(reinterpret_cast<PyTupleObject*>(args)->ob_item, PyTuple_GET_SIZE(args), format, va);
}

// The old convention: one object, or a tuple for several units.
bool convert_single(PyObject* arg, const char* format, VarArgs* va) {
  const FormatTail tail = format_tail(format);
  FormatCount count;
  if (!count_arguments(format, &count)) return false;
  const char* name = tail.function == nullptr ? "function" : tail.function;
  const char* parentheses = tail.function == nullptr ? "" : "()";
  if (count.total == 0) {
    if (arg == nullptr) return true;
    PyErr_Format(PyExc_TypeError, "%.200s%s takes no arguments", name, parentheses);
    return false;
  }
  if (count.required == 1 && count.total == 1) {
    if (arg == nullptr) {
      PyErr_Format(PyExc_TypeError, "%.200s%s takes at least one argument", name, parentheses);
      return false;
    }
    Cleanup cleanup;
    ArgumentError error;
    if (!convert_argument(arg, &format, va, &cleanup, &error)) {
      raise_argument_error(0, error, tail.function, tail.message);
      return false;
    }
    cleanup.succeed();
    return true;
  }
  PyErr_SetString(PyExc_SystemError, "old style getargs format uses new features");
  return false;
}

bool check_count(Py_ssize_t nargs, const char* name, Py_ssize_t min, Py_ssize_t max) {
  if (nargs < min || nargs > max) {
    const bool too_few = nargs < min;
    const Py_ssize_t bound = too_few ? min : max;
    if (name != nullptr) {
      PyErr_Format(PyExc_TypeError, "%.200s expected %s%zd argument%s, got %zd", name,
                   min == max ? "" : too_few ? "at least " : "at most ", bound, bound == 1 ? "" : "s", nargs);
    } else {
      PyErr_Format(PyExc_TypeError, "unpacked tuple should have %s%zd element%s, but has %zd",
                   min == max ? "" : too_few ? "at least " : "at most ", bound, bound == 1 ? "" : "s", nargs);
    }
    return false;
  }
  return true;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

int PyArg_VaParse(PyObject* args, const char* format, va_list list) {
  VarArgs va;
  va_copy(va.list, list);
  const bool ok = convert_tuple(args, format, &va);
  va_end(va.list);
  return ok;
}

int PyArg_ParseTuple(PyObject* args, const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  const bool ok = convert_tuple(args, format, &va);
  va_end(va.list);
  return ok;
}

int PyArg_Parse(PyObject* arg, const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  const bool ok = convert_single(arg, format, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_ParseStack(PyObject* const* args, Py_ssize_t nargs, const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  const bool ok = convert_all(args, nargs, format, &va);
  va_end(va.list);
  return ok;
}

int PyArg_UnpackTuple(PyObject* args, const char* name, Py_ssize_t min, Py_ssize_t max, ...) {
  if (!PyTuple_Check(args)) {
    PyErr_SetString(PyExc_SystemError, "PyArg_UnpackTuple() argument list is not a tuple");
    return 0;
  }
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (!check_count(count, name, min, max)) return 0;
  va_list list;
  va_start(list, max);
  for (Py_ssize_t i = 0; i < count; ++i) *va_arg(list, PyObject**) = PyTuple_GET_ITEM(args, i);
  va_end(list);
  return 1;
}

int _PyArg_CheckPositional(const char* name, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max) {
  if (nargs >= min && nargs <= max) [[likely]] return 1;
  return check_count(nargs, name, min, max);
}

void _PyArg_BadArgument(const char* function, const char* argument, const char* expected, PyObject* arg) {
  PyErr_Format(PyExc_TypeError, "%.200s() %.200s must be %.50s, not %.50s", function, argument, expected,
               arg == Py_None ? "None" : Py_TYPE(arg)->tp_name);
}

int _PyArg_NoKeywords(const char* function, PyObject* kwargs) {
  if (kwargs == nullptr) return 1;
  if (!PyDict_CheckExact(kwargs)) {
    PyErr_BadInternalCall();
    return 0;
  }
  if (PyDict_GET_SIZE(kwargs) == 0) return 1;
  PyErr_Format(PyExc_TypeError, "%.200s() takes no keyword arguments", function);
  return 0;
}

int _PyArg_NoPositional(const char* function, PyObject* args) {
  if (args == nullptr) return 1;
  if (!PyTuple_CheckExact(args)) {
    PyErr_BadInternalCall();
    return 0;
  }
  if (PyTuple_GET_SIZE(args) == 0) return 1;
  PyErr_Format(PyExc_TypeError, "%.200s() takes no positional arguments", function);
  return 0;
}

// The names that macros of older headers redirect to.
int _PyArg_Parse_SizeT(PyObject* arg, const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  const bool ok = convert_single(arg, format, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_ParseTuple_SizeT(PyObject* args, const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  const bool ok = convert_tuple(args, format, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_VaParse_SizeT(PyObject* args, const char* format, va_list list) { return PyArg_VaParse(args, format, list); }

}  // extern "C"
