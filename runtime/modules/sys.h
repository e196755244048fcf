// The sys module: what start-up and the other files of the module call.
//
// Invariant: after sys_create() sys_dict() is the module's namespace and lives as long as the runtime.
#pragma once

#include "Python.h"

namespace amphis {

// The functions of sys, by file. Each table ends with an empty entry.
extern PyMethodDef sys_frame_methods[];     // sys_frames.cpp: frames, exceptions, tracing
extern PyMethodDef sys_hook_methods[];      // sys_hooks.cpp: displayhook and its kin
extern PyMethodDef sys_settings_methods[];  // sys_settings.cpp: limits, sizes, names
extern PyMethodDef sys_audit_methods[];     // sys_audit.cpp

// Makes the module with what does not depend on the configuration: new reference or null. Start-up calls it once.
PyObject* sys_create();
// No code runs any more: lets go of the namespace.
void sys_forget();
// Adds what running_config says: flags, argv, path, prefixes, warning options and so on. 0 or -1.
int sys_configure();
// The namespace (borrowed); null before sys_create().
PyObject* sys_dict();

// sys.flags as running_config has it: new reference. sys_create and PyConfig_Set call it.
PyObject* sys_make_flags();
// The tuple of names of compiled-in modules (import_inittab.cpp knows them) and the set of the standard library's.
PyObject* sys_stdlib_module_names();
int sys_add_info(PyObject* dict);        // float_info and its kin
int sys_add_monitoring(PyObject* dict);  // sys.monitoring
extern PyTypeObject* asyncgen_hooks_type;

// What sys._debugmallocstats() and PYTHONMALLOCSTATS write to stderr.
void sys_print_malloc_stats();

// Takes the tools of sys.monitoring away as the runtime ends.
void monitoring_clear();
// Drops the audit hooks as the runtime ends.
void audit_clear();

}  // namespace amphis
