// What the interpreter needs to know of the import system.
#pragma once

#include "Python.h"

namespace amphis {

// Whether `function` is builtins.__import__ as the runtime made it.
bool is_builtin_import(PyObject* function);
// Raises the ImportError of `from module import name` ("cannot import name ..."), with its hints.
void raise_import_from_error(PyObject* module, PyObject* module_name, PyObject* name);

}  // namespace amphis
