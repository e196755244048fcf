// Single values in native format, as memoryview and others name them: one of the struct module's letters.
#pragma once

#include "Python.h"

namespace amphis {

// The size of a value, or 0 when the letter names no native format.
Py_ssize_t native_format_size(char format);

// "B" and "@B" are 'B'; anything but a single native letter is '\0'.
char native_format_letter(const char* format);

// A new reference to the value at `memory`, which need not be aligned.
PyObject* unpack_native(const char* memory, char format);

// Writes the value to `out` (at least 8 bytes); TypeError or ValueError ("memoryview: invalid type for format ...").
bool pack_native(char* out, PyObject* value, char format);

}  // namespace amphis
