// Module objects: their layout and attribute access. Invariant: md_dict of a live module is a dict.
#pragma once

#include "Python.h"

namespace amphis {

struct ModuleObject {
  PyObject_HEAD
  PyObject* md_dict;
  PyModuleDef* md_def;  // null: made by Python code, or from slots alone (PEP 793)
  void* md_state;
  PyObject* md_weaklist;
  PyObject* md_name;  // for messages once the dict is cleared
  void* md_gil;       // Py_MOD_GIL_*: what a single-phase module said of itself
  // From the definition or the slots: the state's size and what keeps it.
  Py_ssize_t md_state_size;
  traverseproc md_state_traverse;
  inquiry md_state_clear;
  freefunc md_state_free;
  const void* md_token;      // the definition's address, or what Py_mod_token says
  PyModuleDef_Slot* md_exec;  // for a module from slots: a copy of its execution slots; a PyMem block
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

// Made by an extension or built-in module's code: it has a definition or came from slots.
inline bool module_is_native(PyObject* module) {
  auto* m = reinterpret_cast<ModuleObject*>(module);
  return m->md_def != nullptr || m->md_exec != nullptr;
}

// What an array of module slots says. Slots of PEP 793 and of PEP 820 (another numbering, flags in the upper half) are
// both understood.
struct ModuleSlots {
  PyObject* (*create)(PyObject* spec, PyModuleDef* def) = nullptr;
  bool has_create = false;
  int exec_count = 0;
  void* multiple_interpreters = Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED;
  void* gil = Py_MOD_GIL_USED;
  const char* doc = nullptr;
  Py_ssize_t state_size = 0;
  PyMethodDef* methods = nullptr;
  traverseproc state_traverse = nullptr;
  inquiry state_clear = nullptr;
  freefunc state_free = nullptr;
  const void* token = nullptr;
};
// Reads the slots (null: none) of the module `name` for messages. 0, or -1 with an exception.
int read_module_slots(const PyModuleDef_Slot* slots, const char* name, ModuleSlots* result);

// Functions of a module: bound to it, of the module `name`. 0 or -1.
int module_add_functions(PyObject* module, PyObject* name, PyMethodDef* functions);
// A module object that is not tracked yet, with an empty namespace.
PyObject* module_new_untracked(PyTypeObject* type);

// While a single-phase module's init function runs: the full name of the module that is being imported, which
// PyModule_Create gives to a definition that only knows the last part of it. Borrowed; null: none.
extern thread_local PyObject* package_context;

}  // namespace amphis
