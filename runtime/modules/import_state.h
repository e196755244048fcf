// What the files of the import system share.
//
// Invariants: import_modules() is the dict that sys.modules was at start-up, whatever a program binds to that name; the
// table of compiled-in modules does not change once the runtime is initialized.
#pragma once

#include "Python.h"

namespace amphis {

// sys.modules (borrowed); made by import_init().
PyObject* import_modules();
int import_init();  // the modules dict and the lock; 0 or -1
// Loads importlib's frozen core and installs it: from then on import statements work. 0 or -1.
int import_install_core();
// Adds the importers of files and zip archives. 0 or -1.
int import_install_external();
bool import_has_core();
// importlib's core module (borrowed) or null before import_install_core().
PyObject* import_core();
// Drops what the import system holds, as the runtime ends.
void import_clear();

// --- compiled-in modules (import_builtin.cpp)
PyObject* import_builtin_names();  // sorted tuple of str
// 1: a compiled-in module, -1: one that cannot be made again (sys, builtins), 0: none.
int import_is_builtin(PyObject* name);
// The module that `spec` names: new reference; None if there is no such module; null with an exception.
PyObject* import_create_builtin(PyObject* name, PyObject* spec);
// Makes and runs a compiled-in module before importlib exists and enters it into sys.modules: new reference.
PyObject* import_builtin_early(const char* name);

// --- extension modules (import_dynamic.cpp)
PyObject* import_create_dynamic(PyObject* spec);
int import_dlopen_flags();
void set_import_dlopen_flags(int flags);
// What is left to do with the result of an init function: a definition becomes a module, a finished module is remembered
// under (name, path). Steals `result`, unless it is a definition.
PyObject* import_finish_init(PyObject* result, PyObject* name, PyObject* path, PyObject* spec, bool builtin);
// The single-phase module known under (name, path) once more: new reference; null without an exception if unknown.
PyObject* import_reload_extension(PyObject* name, PyObject* path);
PyObject* import_extension_suffixes();  // new list
void import_clear_extensions();

// --- frozen modules (import_frozen.cpp)
struct FrozenModule {
  const char* name;
  const unsigned char* data;  // marshalled code; null: no code (a name that only an alias gives)
  int size;
  bool is_package;
  const char* origin;  // the module's name in the standard library, null: none
};
// Made by the freeze tool; ends with a null name. `frozen_core_count` entries come first that no option turns off.
extern const FrozenModule frozen_modules[];
// Null if there is none or frozen modules are off.
const FrozenModule* import_find_frozen(PyObject* name);
// New reference to the code object.
PyObject* import_frozen_code(const FrozenModule* module);
extern PyMethodDef import_frozen_methods[];  // the part of _imp about frozen modules

// --- native bodies for parts of importlib (import_shortcuts.cpp); 0 or -1
int import_install_core_shortcuts(PyObject* core);
int import_install_external_shortcuts(PyObject* core);
void import_clear_shortcuts();

// --- the lock of _imp (import_lock.cpp)
void import_lock_acquire();
bool import_lock_release();  // false: not held by this thread
bool import_lock_held();
void import_lock_init();  // fork hooks

extern "C" PyObject* PyInit__imp(void);

}  // namespace amphis
