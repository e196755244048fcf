// Argument binding for the methods of str and the codec functions.
#include "objects/str_args.h"

#include <string.h>

#include "objects/str.h"
#include "objects/suggest.h"

namespace amphis {
inline namespace str_args {  // container_support.h has helpers of the same names

bool bind_str_arguments(const StrParameters& p, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                        PyObject** out) {
  Py_ssize_t nkw = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (int i = 0; i < p.total; i++) out[i] = nullptr;
  if (nargs + nkw > p.total) {
    PyErr_Format(PyExc_TypeError, "%.200s() takes %s %d %sargument%s (%zd given)", p.function,
                 p.required < p.total ? "at most" : "exactly", p.total, nargs == 0 ? "keyword " : "",
                 p.total == 1 ? "" : "s", nargs + nkw);
    return false;
  }
  int required_positional = p.required < p.positional_only ? p.required : p.positional_only;
  if (nargs < required_positional) {
    PyErr_Format(PyExc_TypeError, "%.200s() takes %s %d positional argument%s (%zd given)", p.function,
                 p.positional_only < p.total || p.required < p.positional_only ? "at least" : "exactly",
                 required_positional, required_positional == 1 ? "" : "s", nargs);
    return false;
  }
  for (Py_ssize_t i = 0; i < nargs; i++) out[i] = args[i];
  for (Py_ssize_t k = 0; k < nkw; k++) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, k);
    int at = p.positional_only;
    while (at < p.total && !str_equal_ascii(name, p.names[at])) at++;
    if (at == p.total) {
      const char* near = closest_name(name, p.names + p.positional_only,
                                      static_cast<size_t>(p.total - p.positional_only));
      PyErr_Format(PyExc_TypeError,
                   near ? "%.200s() got an unexpected keyword argument '%S'. Did you mean '%s'?"
                        : "%.200s() got an unexpected keyword argument '%S'",
                   p.function, name, near);
      return false;
    }
    if (out[at]) {
      PyErr_Format(PyExc_TypeError, "argument for %.200s() given by name ('%s') and position (%d)",
                   p.function, p.names[at], at + 1);
      return false;
    }
    out[at] = args[nargs + k];
  }
  for (int i = 0; i < p.required; i++) {
    if (out[i]) continue;
    PyErr_Format(PyExc_TypeError, "%.200s() missing required argument '%s' (pos %d)", p.function, p.names[i],
                 i + 1);
    return false;
  }
  return true;
}

bool check_str_positional(const char* function, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max) {
  if (nargs >= min && nargs <= max) return true;
  Py_ssize_t bound = nargs < min ? min : max;
  PyErr_Format(PyExc_TypeError, "%.200s expected %s%zd argument%s, got %zd", function,
               min == max    ? ""
               : nargs < min ? "at least "
                             : "at most ",
               bound, bound == 1 ? "" : "s", nargs);
  return false;
}

bool bad_argument(const char* function, const char* argument, const char* expected, PyObject* got) {
  PyErr_Format(PyExc_TypeError, "%.200s() %.200s must be %.50s, not %.50s", function, argument, expected,
               got == Py_None ? "None" : Py_TYPE(got)->tp_name);
  return false;
}

const char* text_argument(const char* function, const char* argument, PyObject* o) {
  if (!PyUnicode_Check(o)) {
    bad_argument(function, argument, "str", o);
    return nullptr;
  }
  Py_ssize_t n;
  const char* text = PyUnicode_AsUTF8AndSize(o, &n);
  if (text && strlen(text) != static_cast<size_t>(n)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  return text;
}

}  // namespace str_args
}  // namespace amphis
