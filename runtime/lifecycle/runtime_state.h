// What the files of lifecycle/ share about the running runtime.
#pragma once

#include "Python.h"
#include "sync/ref.h"

namespace amphis {

// kFinalized: the last life has ended; what it left is cleared when the next one begins, not when the process may exit.
enum class Phase { kNone, kPreinitialized, kCore, kInitialized, kFinalizing, kFinalized };
extern Phase phase;

// Set where an uncaught KeyboardInterrupt ended the program: the process then ends by SIGINT.
extern bool unhandled_keyboard_interrupt;

PyStatus preinitialize(const PyPreConfig* config);   // preinit.cpp: locale, UTF-8 mode
int init_preliminary_stderr();                       // sys.stderr over the bare descriptor until the real one exists
PyStatus init_standard_streams();                    // stdio.cpp: sys.stdin, stdout, stderr
int flush_standard_streams();                        // 0, or -1 after reporting
void install_source_hooks();                         // source_hooks.cpp
void restore_signals_at_exit();
[[noreturn]] void fatal_status(const PyStatus& status);  // fatal.cpp

// What Py_FinalizeEx left, because a process that ends needs no more: the tables of the import system and the thread that it ran on.
void clear_last_life();

// Runs __main__ as the configuration says; the exit status.
int run_python();                                    // run_main.cpp
// The module __main__. Who runs code in its namespace holds the module: a SystemExit ends the runtime below there, and only
// modules that are alive are cleared then.
Ref<> main_module();
// Makes the module readline available to the interactive mode, if there is one.
void import_readline();

// Compiles and runs source text. New reference or null. `mode` is Py_file_input and so on.
PyObject* run_source(const char* text, size_t size, PyObject* filename, int mode, PyObject* globals, PyObject* locals,
                     PyCompilerFlags* flags, bool is_utf8);

}  // namespace amphis
