// The functions of builtins, by file. Each table ends with an empty entry.
#pragma once

#include "Python.h"

namespace amphis {

extern PyMethodDef builtins_object_methods[];   // builtins_object.cpp: attributes, identity, conversions
extern PyMethodDef builtins_iterate_methods[];  // builtins_iterate.cpp: what walks over iterables
extern PyMethodDef builtins_code_methods[];     // builtins_code.cpp: compile, eval, exec, classes, imports, input and output

// Tells the interpreter which C functions it may perform itself.
void builtins_announce();

template <typename F>
PyCFunction as_cfunction(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

// The builtins module, made at start-up: new reference or null.
PyObject* builtins_create();
// No code runs any more: lets go of the namespace.
void builtins_forget();

}  // namespace amphis
