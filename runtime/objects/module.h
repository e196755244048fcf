// Module objects: their layout and attribute access. Invariant: md_dict of a live module is a dict.
#pragma once

#include "Python.h"

namespace amphis {

struct ModuleObject {
  PyObject_HEAD
  PyObject* md_dict;
  PyModuleDef* md_def;
  void* md_state;
  PyObject* md_weaklist;
  PyObject* md_name;  // for messages once the dict is cleared
  void* md_gil;       // Py_MOD_GIL_*: what a single-phase module said of itself
};

inline PyObject* module_dict(PyObject* module) { return reinterpret_cast<ModuleObject*>(module)->md_dict; }

// tp_getattro of modules.
PyObject* module_getattro(PyObject* module, PyObject* name);
// 1 found, 0 absent without an exception, -1 error.
int module_lookup_attribute(PyObject* module, PyObject* name, PyObject** result);
// The "has no attribute" error of a module, with the hints about circular imports and shadowed files.
PyObject* module_raise_missing(PyObject* module, PyObject* name);
// Clears the module's namespace as the interpreter ends: private names first, then the rest except __builtins__.
void module_clear_namespace(PyObject* module);

}  // namespace amphis
