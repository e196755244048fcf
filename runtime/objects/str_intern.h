// The table of interned strings.
#pragma once

#include "Python.h"

namespace amphis {

// Replaces *slot (an owned reference) by the one interned string of the same characters. What is not an exact
// str stays as it is. `immortal` asks that the string live as long as the process.
void intern_in_place(PyObject** slot, bool immortal);
// The interned string of this ASCII text, as an immortal object: a borrowed reference. Null with an
// exception.
PyObject* intern_static(const char* ascii);
// Called by the destructor of a string that is marked as interned: takes it out of the table. False where the
// string turned out to be immortal and must not be freed.
bool forget_interned(PyObject* s);
Py_ssize_t interned_count();

}  // namespace amphis

extern "C" {
PyAPI_FUNC(void) PyUnicode_InternImmortal(PyObject** slot);
}
