// The head of a frame object, for generated code (Cython's) that makes frames for tracebacks and writes their line number.
// What follows these fields is the runtime's own.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_FRAME_H
#define AMPHIS_ABI_INTERNAL_PYCORE_FRAME_H

#include "../Python.h"

#ifndef Py_LIMITED_API
struct _frame {
  PyObject_HEAD PyFrameObject* f_back;
  struct _PyInterpreterFrame* f_frame;
  PyObject* f_trace;
  int f_lineno;  // 0: the place where the frame stands
  char f_trace_lines;
  char f_trace_opcodes;
};
#endif

#endif
