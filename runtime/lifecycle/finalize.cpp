// Ending the runtime: threads, exit functions, modules, collector, in an order in which Python code still works for as
// long as some may run.
#include "gc/gc.h"
#include "interp/frame_variables.h"
#include "lifecycle/config.h"
#include "lifecycle/runtime_state.h"
#include "memory/balance.h"
#include "modules/atexit.h"
#include "modules/import_state.h"
#include "modules/running_config.h"
#include "modules/signal.h"
#include "modules/sys.h"
#include "modules/tracemalloc.h"
#include "objects/module.h"
#include "objects/names.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

#include <vector>

namespace amphis {

namespace {

constexpr int kMaxExitFunctions = 32;
void (*exit_functions[kMaxExitFunctions])(void);
int exit_function_count = 0;

// threading._shutdown joins the threads that are no daemons.
void wait_for_threads() {
  Ref<> name = Ref<>::steal(PyUnicode_FromString("threading"));
  Ref<> threading = name ? Ref<>::steal(PyImport_GetModule(name)) : Ref<>();
  if (!threading) {
    if (PyErr_Occurred()) PyErr_FormatUnraisable("Exception ignored on threading shutdown");
    return;
  }
  Ref<> done = Ref<>::steal(PyObject_CallMethod(threading, "_shutdown", nullptr));
  if (!done) PyErr_FormatUnraisable("Exception ignored on threading shutdown %R", threading.get());
}

// sys attributes that would keep programs' objects alive, and the streams as they were at the start.
void reset_sys() {
  for (const char* name : {"path", "argv", "ps1", "ps2", "last_exc", "last_type", "last_value", "last_traceback",
                           "path_hooks", "path_importer_cache", "meta_path", "__interactivehook__"}) {
    if (PyDict_ContainsString(sys_dict(), name) == 1 && PySys_SetObject(name, Py_None) < 0) PyErr_Clear();
  }
  const char* const streams[][2] = {{"stdin", "__stdin__"}, {"stdout", "__stdout__"}, {"stderr", "__stderr__"}};
  for (auto& [name, saved] : streams) {
    PyObject* original = PySys_GetObject(saved);
    if (PySys_SetObject(name, original != nullptr ? original : Py_None) < 0) PyErr_Clear();
  }
  if (PyDict_SetItemString(interpreter_builtins(), "_", Py_None) < 0) PyErr_Clear();
}

// Lets go of every module; those that something still refers to lose their contents, in the reverse of the order in which they
// were imported, sys and builtins last.
void finalize_modules() {
  reset_sys();
  PyObject* modules = import_modules();
  Ref<> items = Ref<>::steal(PyDict_Items(modules));
  if (!items) {
    PyErr_Clear();
    return;
  }
  struct Entry {
    Ref<> name, weak;
  };
  std::vector<Entry> entries;
  Ref<> sys, builtins;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    PyObject* pair = PyList_GET_ITEM(items.get(), i);
    PyObject *name = PyTuple_GET_ITEM(pair, 0), *module = PyTuple_GET_ITEM(pair, 1);
    if (PyModule_Check(module) && PyUnicode_Check(name)) {
      if (_PyUnicode_EqualToASCIIString(name, "sys")) {
        sys = Ref<>::share(module);
      } else if (_PyUnicode_EqualToASCIIString(name, "builtins")) {
        builtins = Ref<>::share(module);
      } else {
        entries.push_back({Ref<>::share(name), Ref<>::steal(PyWeakref_NewRef(module, nullptr))});
        if (!entries.back().weak) PyErr_Clear();
      }
    }
    if (PyDict_SetItem(modules, name, Py_None) < 0) PyErr_Clear();
  }
  items = nullptr;
  PyDict_Clear(modules);
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  gc::dump_shutdown_stats();
  for (size_t i = entries.size(); i-- > 0;) {
    if (!entries[i].weak) continue;
    PyObject* found;
    if (PyWeakref_GetRef(entries[i].weak, &found) < 0) PyErr_Clear();
    Ref<> module = Ref<>::steal(found);
    if (module) module_clear_namespace(module);
  }
  entries.clear();
  // While finalizers can still print.
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  if (sys) module_clear_namespace(sys);
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  if (builtins) {
    // Kept whole: destructors that run now still find what they call.
    if (PyDict_PopString(interpreter_builtins(), "_", nullptr) < 0) PyErr_Clear();
  }
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

int Py_AtExit(void (*function)(void)) {
  if (exit_function_count >= kMaxExitFunctions) return -1;
  exit_functions[exit_function_count++] = function;
  return 0;
}

int Py_FinalizeEx(void) {
  if (phase != Phase::kInitialized && phase != Phase::kCore) return 0;
  ThreadState* ts = current_thread();
  int status = 0;
  if (phase == Phase::kInitialized) {
    wait_for_threads();
    if (Py_MakePendingCalls() < 0) PyErr_Clear();
    run_exit_callbacks();
    if (flush_standard_streams() < 0) status = -1;
  }
  sync::begin_finalization(ts);
  phase = Phase::kFinalizing;
  signals_restore();
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  finalize_modules();
  if (flush_standard_streams() < 0) status = -1;
  tracemalloc_stop();
  monitoring_clear();
  audit_clear();
  if (running_config.malloc_stats) sys_print_malloc_stats();
  // Process exit gives the memory back; C functions registered with Py_AtExit run last.
  while (exit_function_count > 0) exit_functions[--exit_function_count]();
  fflush(stdout);
  fflush(stderr);
  phase = Phase::kFinalized;
  main_thread_finished();
  if (memory::balance::recording) {
    clear_last_life();
    PyConfig_Clear(&running_config);
    memory::balance::report();
  }
  return status;
}

void Py_Finalize(void) { Py_FinalizeEx(); }

void Py_Exit(int status) {
  if (phase == Phase::kInitialized && Py_FinalizeEx() < 0) status = 120;
  exit(status);
}

}  // extern "C"
