// Binding of fastcall arguments to a few named parameters, with the messages that Python's own functions
// give.
#pragma once

#include "Python.h"

namespace amphis {
inline namespace str_args {  // container_support.h has helpers of the same names

struct StrParameters {
  const char* function;
  const char* const* names;  // an empty name marks a positional-only parameter
  int positional_only;
  int required;
  int total;
};

// Fills out[0..total) with borrowed references, null for what was not given.
bool bind_str_arguments(const StrParameters& p, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                        PyObject** out);

// Between min and max positional arguments: "center expected at least 1 argument, got 0".
bool check_str_positional(const char* function, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max);
// "encode() argument 'encoding' must be str, not int".
bool bad_argument(const char* function, const char* argument, const char* expected, PyObject* got);
// The UTF-8 text of a str argument without null characters; null with an exception. `argument` as in
// bad_argument.
const char* text_argument(const char* function, const char* argument, PyObject* o);

}  // namespace str_args
}  // namespace amphis
