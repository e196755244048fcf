// What happens to a warning: shared by the module _warnings and the C API.
#pragma once

#include "Python.h"

namespace amphis {

// A warning at a known place. May be null: module (made from filename), registry (none is kept), source_line
// (looked for in the file), source. None, or null with the exception that the warning became.
PyObject* warn_explicit(PyObject* category, PyObject* message, PyObject* filename, int lineno, PyObject* module,
                        PyObject* registry, PyObject* source_line, PyObject* source);
// A warning at the place that is stack_level calls up from the running frame. skip_prefixes: null or a tuple of str.
PyObject* warn_at_level(PyObject* category, PyObject* message, Py_ssize_t stack_level, PyObject* source,
                        PyObject* skip_prefixes);

}  // namespace amphis
