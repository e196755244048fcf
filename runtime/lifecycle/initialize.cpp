// Starting the runtime: the order in which its parts come to life.
#include "checked/checked.h"
#include "gc/gc.h"
#include "gc/roots.h"
#include "interp/frame.h"
#include "interp/frame_variables.h"
#include "lifecycle/config.h"
#include "lifecycle/config_internal.h"
#include "lifecycle/runtime_state.h"
#include "memory/balance.h"
#include "modules/ast_types.h"
#include "modules/builtins.h"
#include "modules/import_state.h"
#include "modules/running_config.h"
#include "modules/sys.h"
#include "modules/tracemalloc.h"
#include "objects/codecs.h"
#include "objects/exceptions_init.h"
#include "objects/hash.h"
#include "objects/int.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"
#include "sync/retire.h"

#include <csignal>
#include <vector>

namespace amphis {

void install_root_visitor();  // interp/roots.cpp
namespace posix {
void forget_fork_callbacks();  // modules/posix_process.cpp
}

namespace {

// What is made once per process and survives Py_Finalize.
PyStatus init_process() {
  static bool done = false;
  if (done) return status_ok();
  const memory::balance::Permanent permanent("made once for the process: the machine");
  const PyConfig& c = running_config;
  if (c.use_hash_seed ? init_hash_secret(c.hash_seed) < 0 : init_hash_secret_random() < 0) {
    return status_error("_Py_HashRandomization_Init", "failed to get random numbers to initialize Python");
  }
  if (interp_init() < 0) return PyStatus_Error("can't initialize the interpreter");
  done = true;
  return status_ok();
}

PyStatus init_objects() {
  static bool done = false;
  if (done) return status_ok();
  const memory::balance::Permanent permanent("made once for the process: static types, exceptions, names");
  type_cache_init();
  instance_init();
  if (init_names() < 0 || init_static_types() < 0) return PyStatus_Error("can't initialize types");
  if (init_exceptions() < 0) return PyStatus_Error("failed to initialize an exception type");
  install_root_visitor();
  install_source_hooks();
  done = true;
  return status_ok();
}

// The collector does not track the instances of classes without slots or dict (`__slots__ = ()`: sentinels), and so cannot see
// that such an instance and its class are only held by each other: by a value in the class's namespace (functools has one), or by
// the default of a parameter of a function of their module (typing has one), which its methods refer to. No code of the last life
// runs any more: the namespaces of such classes are emptied, and the rest is garbage like any other.
void break_untracked_cycles() {
  std::vector<Ref<>> classes;
  PyUnstable_GC_VisitObjects(
      [](PyObject* object, void* found) {
        auto* type = reinterpret_cast<PyTypeObject*>(object);
        if (PyType_Check(object) && is_heap_type(type) && !PyType_IS_GC(type) &&
            PyDict_ContainsString(type->tp_dict, "__firstlineno__") == 1) {  // made by a class statement
          static_cast<std::vector<Ref<>>*>(found)->push_back(Ref<>::share(object));
        }
        return 1;
      },
      &classes);
  for (const Ref<>& cls : classes) {
    auto* type = reinterpret_cast<PyTypeObject*>(cls.get());
    PyType_Modified(type);
    PyDict_Clear(type->tp_dict);
  }
  classes.clear();
  PyErr_Clear();
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
}

void leave_last_life() {
  clear_last_life();
  interpreter()->finalizing.store(nullptr);
  phase = Phase::kPreinitialized;
}

int add_main_module() {
  Ref<> module = Ref<>::steal(PyImport_AddModuleRef("__main__"));
  if (!module) return -1;
  PyObject* dict = PyModule_GetDict(module);
  Ref<> builtins = Ref<>::steal(PyImport_AddModuleRef("builtins"));
  if (!builtins || PyDict_SetItem(dict, names.dunder_builtins, builtins) < 0) return -1;
  // A script replaces the loader by one that can show its source.
  if (import_has_core()) {
    Ref<> loader = Ref<>::steal(PyObject_GetAttrString(import_core(), "BuiltinImporter"));
    if (!loader || PyDict_SetItem(dict, names.dunder_loader, loader) < 0) return -1;
  }
  return 0;
}

int init_signals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  Ref<> name = Ref<>::steal(PyUnicode_FromString("_signal"));
  if (!name) return -1;
  // The module's own start-up takes over SIGINT.
  if (import_is_builtin(name) <= 0) return 0;
  Ref<> module = Ref<>::steal(PyImport_ImportModule("_signal"));
  return module ? 0 : -1;
}

PyStatus init_core() {
  ThreadState* ts = start_main_thread();
  if (ts == nullptr) return PyStatus_NoMemory();
  PyStatus status = init_objects();
  if (PyStatus_Exception(status)) return status;
  if (gc::init() < 0) return PyStatus_Error("can't initialize the collector");
  set_int_max_str_digits(running_config.int_max_str_digits);
  if (import_init() < 0) return PyStatus_Error("failed to create the modules dictionary");
  Ref<> builtins = Ref<>::steal(builtins_create());
  if (!builtins) return PyStatus_Error("can't initialize builtins");
  Ref<> sys = Ref<>::steal(sys_create());
  if (!sys) return PyStatus_Error("can't initialize sys");
  PyObject* modules = import_modules();
  if (PyDict_SetItem(modules, names.str_builtins, builtins) < 0 || PyDict_SetItem(modules, names.str_sys, sys) < 0 ||
      sys_configure() < 0) {
    return PyStatus_Error("can't finish initializing sys");
  }
  Ref<> debug = Ref<>::steal(PyBool_FromLong(running_config.optimization_level == 0));
  if (PyDict_SetItemString(interpreter_builtins(), "__debug__", debug) < 0) return PyStatus_Error("can't set __debug__");
  if (init_preliminary_stderr() < 0) return PyStatus_Error("can't set preliminary stderr");
  phase = Phase::kCore;
  return status_ok();
}

PyStatus init_main() {
  const PyConfig& c = running_config;
  if (c.tracemalloc > 0 && tracemalloc_start(c.tracemalloc) < 0) return PyStatus_Error("can't start tracemalloc");
  if (import_install_core() < 0) return status_error("init_importlib", "failed to import _frozen_importlib");
  if (import_install_external() < 0) return status_error("init_import_site", "external importer setup failed");
  if (c.install_signal_handlers && init_signals() < 0) return PyStatus_Error("can't initialize signals");
  PyStatus status = init_standard_streams();
  if (PyStatus_Exception(status)) return status;
  check_codec_names = c.dev_mode > 0;
  if (Ref<> open = Ref<>::steal(PyImport_ImportModuleAttrString("_io", "open"));
      !open || PyDict_SetItemString(interpreter_builtins(), "open", open) < 0) {
    return PyStatus_Error("can't set builtins.open");
  }
  if (add_main_module() < 0) return PyStatus_Error("can't create __main__ module");
  phase = Phase::kInitialized;
  if (PyObject* options = PySys_GetObject("warnoptions"); options != nullptr && PyList_Size(options) > 0) {
    Ref<> warnings = Ref<>::steal(PyImport_ImportModule("warnings"));
    if (!warnings) PyErr_Clear();
  }
  if (c.faulthandler) {
    Ref<> module = Ref<>::steal(PyImport_ImportModule("faulthandler"));
    Ref<> done = module ? Ref<>::steal(PyObject_CallMethod(module, "enable", nullptr)) : Ref<>();
    if (!done) PyErr_Clear();
  }
  if (gil_request == 1) sync::enable_gil(true);
  if (c.site_import) {
    Ref<> site = Ref<>::steal(PyImport_ImportModule("site"));
    if (!site) {
      if (PyErr_ExceptionMatches(PyExc_ImportError)) dump_path_configuration(&c);
      return status_error("init_import_site", "Failed to import the site module");
    }
  }
  return status_ok();
}

template <class Config>
int requested_gil(const Config& c) {
  if constexpr (requires { c.enable_gil; }) {
    return c.enable_gil;
  } else {
    return -1;
  }
}

}  // namespace

void clear_last_life() {
  take_over_main_thread();
  if (current_thread() == nullptr) return;
  posix::forget_fork_callbacks();
  codecs_forget();
  break_untracked_cycles();
  Py_CLEAR(interpreter()->dict);
  sys_forget();
  builtins_forget();
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  import_clear();
  ast_types_forget();
  sync::clear_thread(current_thread());  // the context and what hangs on it
  sync::reclaim_all_retired();
  gc::collect(gc::kGenerations - 1, gc::Reason::kShutdown);
  end_main_thread();
  sync::reclaim_all_retired();
}

PyStatus initialize(const PyConfig* config) {
  if (phase == Phase::kFinalized) leave_last_life();
  if (phase >= Phase::kCore) return status_ok();
  PyPreConfig pre;
  PyPreConfig_InitPythonConfig(&pre);
  pre.use_environment = config->use_environment;
  pre.isolated = config->isolated;
  PyStatus status = preinitialize(&pre);
  if (PyStatus_Exception(status)) return status;
  PyConfig_Clear(&running_config);
  running_config = PyConfig{};
  status = config_copy(&running_config, config);
  if (PyStatus_Exception(status)) return status;
  status = PyConfig_Read(&running_config);
  if (PyStatus_Exception(status)) return status;
  gil_request = requested_gil(running_config);
  config_publish_flags(&running_config);
  status = init_process();
  if (PyStatus_Exception(status)) return status;
  status = init_core();
  if (PyStatus_Exception(status) || !running_config._install_importlib) return status;
  checked::watch_libraries();  // a program that embeds the runtime
  return init_main();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyStatus Py_InitializeFromConfig(const PyConfig* config) {
  if (config == nullptr) return PyStatus_Error("initialization config is NULL");
  return initialize(config);
}

void Py_InitializeEx(int install_signal_handlers) {
  if (phase == Phase::kInitialized) return;
  PyConfig config;
  _PyConfig_InitCompatConfig(&config);
  config.install_signal_handlers = install_signal_handlers;
  PyStatus status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) Py_ExitStatusException(status);
}

void Py_Initialize(void) { Py_InitializeEx(1); }

int Py_IsInitialized(void) { return phase == Phase::kInitialized || phase == Phase::kFinalizing; }
int Py_IsFinalizing(void) { return sync::finalizing(); }

PyThreadState* Py_NewInterpreter(void) {
  PyErr_SetString(PyExc_NotImplementedError, "this runtime has one interpreter per process");
  return nullptr;
}
PyStatus Py_NewInterpreterFromConfig(PyThreadState** ts, const PyInterpreterConfig*) {
  *ts = nullptr;
  return PyStatus_Error("this runtime has one interpreter per process");
}
void Py_EndInterpreter(PyThreadState*) { _Py_FatalErrorFunc("Py_EndInterpreter", "not a subinterpreter"); }

}  // extern "C"
