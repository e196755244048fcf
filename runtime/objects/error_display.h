// How errors that nobody handles are shown.
#pragma once

#include "Python.h"

namespace amphis {

// What sys.unraisablehook is at first: writes the report that the record `args` describes to sys.stderr. None or null.
PyObject* default_unraisable_hook(PyObject* args);

// One line of a source file (or `line` itself), without the white space around it, after `indent` spaces. Nothing is
// written if the file cannot be read. 0, or -1 with an exception.
int display_source_line(PyObject* file, PyObject* filename, int lineno, int indent);
int write_source_line(PyObject* file, PyObject* line, int indent);

}  // namespace amphis
