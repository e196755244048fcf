// Importing: sys.modules, the way from an import statement to importlib, and executing code as a module.
#include "modules/import.h"

#include "gc/roots.h"
#include "interp/frame.h"
#include "interp/frame_variables.h"
#include "modules/import_binary.h"
#include "modules/import_state.h"
#include "modules/running_config.h"
#include "objects/exceptions.h"
#include "objects/module.h"
#include "objects/names.h"
#include "platform/os.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

#include <cstring>
#include <string>
#include <unistd.h>

namespace amphis {

namespace {

PyObject* modules_dict = nullptr;
PyObject* core = nullptr;           // importlib._bootstrap
PyObject* find_and_load = nullptr;  // its functions, fetched once
PyObject* handle_fromlist = nullptr;
PyObject* lock_unlock_module = nullptr;

// --- tracebacks of failed imports do not show importlib

bool is_importlib_code(PyCodeObject* code) {
  return _PyUnicode_EqualToASCIIString(code->co_filename, "<frozen importlib._bootstrap>") ||
         _PyUnicode_EqualToASCIIString(code->co_filename, "<frozen importlib._bootstrap_external>");
}

// Cuts runs of importlib's frames out of the current exception's traceback: all of them for ImportError, else those that
// end in _call_with_frames_removed.
void trim_traceback() {
  if (running_config.verbose) return;
  PyObject* error = PyErr_GetRaisedException();
  if (error == nullptr) return;
  const bool always = PyErr_GivenExceptionMatches(error, PyExc_ImportError);
  Ref<> top = Ref<>::steal(PyException_GetTraceback(error));
  auto* head = reinterpret_cast<PyTracebackObject*>(top.get());
  Ref<> new_head = top.copy();
  PyTracebackObject* keep = nullptr;       // last entry before the run
  PyTracebackObject* run_start = nullptr;  // first entry of the current run
  bool changed = false;
  auto cut_to = [&](PyTracebackObject* next) {
    Ref<> rest = Ref<>::share(next);
    if (keep == nullptr) {
      new_head = std::move(rest);
    } else {
      PyTracebackObject* old = keep->tb_next;
      keep->tb_next = reinterpret_cast<PyTracebackObject*>(rest.release());
      Py_XDECREF(reinterpret_cast<PyObject*>(old));
    }
    changed = true;
  };
  for (PyTracebackObject* tb = head; tb != nullptr;) {
    Ref<> keep_alive = Ref<>::share(tb);
    Ref<> code_ref = Ref<>::steal(PyFrame_GetCode(tb->tb_frame));
    auto* code = reinterpret_cast<PyCodeObject*>(code_ref.get());
    PyTracebackObject* next = tb->tb_next;
    if (!is_importlib_code(code)) {
      keep = tb;
      run_start = nullptr;
    } else {
      if (run_start == nullptr) run_start = tb;
      if (always || _PyUnicode_EqualToASCIIString(code->co_name, "_call_with_frames_removed")) {
        cut_to(next);
        run_start = nullptr;
      }
    }
    tb = next;
  }
  if (changed) PyException_SetTraceback(error, new_head ? new_head.get() : Py_None);
  PyErr_SetRaisedException(error);
}

// --- -X importtime

struct ImportClock {
  int level = 0;
  int64_t accumulated = 0;
  bool header = false;
};
ImportClock import_clock;

void clock_header() {
  if (import_clock.header) return;
  fputs("import time: self [us] | cumulative | imported package\n", stderr);
  import_clock.header = true;
}

// The end of a line: the name, escaped where the terminal could not show it.
void clock_name(int indent, PyObject* name) {
  Ref<> bytes = Ref<>::steal(PyUnicode_AsEncodedString(name, "utf-8", "backslashreplace"));
  PyErr_Clear();
  fprintf(stderr, "%*s%s\n", indent * 2, "", bytes ? PyBytes_AS_STRING(bytes.get()) : "?");
}

PyObject* timed_load(PyObject* name) {
  ImportClock& clock = import_clock;
  clock_header();
  clock.level++;
  int64_t before = clock.accumulated;
  clock.accumulated = 0;
  auto now = [] {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
  };
  int64_t start = now();
  PyObject* module = PyObject_CallFunctionObjArgs(find_and_load, name, interpreter_builtins(), nullptr);
  int64_t total = now() - start;
  clock.level--;
  PyObject* error = PyErr_GetRaisedException();
  fprintf(stderr, "import time: %9lld | %10lld | ", static_cast<long long>((total - clock.accumulated + 999) / 1000),
          static_cast<long long>((total + 999) / 1000));
  clock_name(clock.level, name);
  PyErr_SetRaisedException(error);
  clock.accumulated = before + total;
  return module;
}

// --- finding and loading

// Where an extension module was not found, a file of another variant or implementation may be there: the exception then says so.
void explain_other_variant(PyObject* name) {
  PyObject* error = PyErr_GetRaisedException();
  if (!Py_IS_TYPE(error, reinterpret_cast<PyTypeObject*>(PyExc_ModuleNotFoundError))) return PyErr_SetRaisedException(error);
  Ref<> missing = exception_field(error, &reinterpret_cast<PyImportErrorObject*>(error)->name);
  if (missing && PyUnicode_Check(missing.get()) && _PyUnicode_Equal(missing, name)) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(name), dot = PyUnicode_FindChar(name, '.', 0, length, -1);
    Ref<> folders;
    if (dot >= 0) {
      Ref<> parent_name = Ref<>::steal(PyUnicode_Substring(name, 0, dot));
      Ref<> parent = parent_name ? Ref<>::steal(PyImport_GetModule(parent_name)) : Ref<>();
      if (parent) folders = Ref<>::steal(PyObject_GetAttrString(parent, "__path__"));
    } else {
      folders = Ref<>::share(PySys_GetObject("path"));
    }
    Ref<> last = Ref<>::steal(PyUnicode_Substring(name, dot + 1, length));
    const char* text = last ? PyUnicode_AsUTF8(last) : nullptr;
    for (Py_ssize_t i = 0; text != nullptr && folders && PyList_Check(folders.get()) && i < PyList_GET_SIZE(folders.get()); ++i) {
      Ref<> folder = Ref<>::steal(PyList_GetItemRef(folders, i));
      const char* place = folder && PyUnicode_Check(folder.get()) ? PyUnicode_AsUTF8(folder) : nullptr;
      if (place == nullptr) continue;
      std::string hint = unusable_file_hint(std::string(*place != '\0' ? place : ".") + "/" + text);
      if (hint.empty()) continue;
      PyErr_Clear();
      Ref<> message = Ref<>::steal(PyUnicode_FromFormat("No module named %R: %s", name, hint.c_str()));
      Ref<> args = message ? Ref<>::steal(PyTuple_Pack(1, message.get())) : Ref<>();
      if (args) {
        set_exception_field(error, &reinterpret_cast<PyImportErrorObject*>(error)->msg, message);
        PyException_SetArgs(error, args);
      }
      break;
    }
    PyErr_Clear();
  }
  PyErr_SetRaisedException(error);
}

// importlib.import_module gets to importlib's function without passing `load`: this stands there in its place.
PyObject* find_and_load_explained(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> function = Ref<>::share(find_and_load);
  if (!function || nargs != 2) {
    PyErr_SetString(PyExc_ImportError, "the import system is not there");
    return nullptr;
  }
  PyObject* module = PyObject_Vectorcall(function, args, 2, nullptr);
  if (module == nullptr && PyUnicode_Check(args[0])) explain_other_variant(args[0]);
  return module;
}

PyMethodDef find_and_load_def = {"_find_and_load", _PyCFunction_CAST(find_and_load_explained), METH_FASTCALL, nullptr};

PyObject* load(PyObject* name) {
  if (find_and_load == nullptr) {
    // Before importlib, and in the tool that compiles it: only compiled-in modules.
    const char* text = PyUnicode_AsUTF8(name);
    return text != nullptr ? import_builtin_early(text) : nullptr;
  }
  if (PySys_Audit("import", "OOOOO", name, Py_None, PySys_GetObject("path"), PySys_GetObject("meta_path"),
                  PySys_GetObject("path_hooks")) < 0) {
    return nullptr;
  }
  if (running_config.import_time) return timed_load(name);
  PyObject* import = PyDict_GetItemWithError(interpreter_builtins(), names.dunder_import);
  if (import == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ImportError, "__import__ not found");
    return nullptr;
  }
  PyObject* args[2] = {name, import};
  PyObject* module = PyObject_Vectorcall(find_and_load, args, 2, nullptr);
  if (module == nullptr) explain_other_variant(name);
  return module;
}

// sys.modules[name] as a new reference; null without an exception if absent. sys.modules may have become any mapping.
PyObject* loaded_module(PyObject* name) {
  PyObject* module = nullptr;
  if (PyDict_CheckExact(modules_dict)) {
    (void)PyDict_GetItemRef(modules_dict, name, &module);
  } else {
    (void)PyMapping_GetOptionalItem(modules_dict, name, &module);
  }
  return module;
}

// Waits for another thread that is just importing the module. 1: it had to, and that import may have failed; 0 or -1.
int ensure_initialized(PyObject* module, PyObject* name) {
  if (core == nullptr) return 0;
  PyObject* found = nullptr;
  if (PyModule_CheckExact(module)) {
    // The common case: the spec is in the module's namespace.
    if (PyDict_GetItemRef(module_dict(module), names.dunder_spec, &found) < 0) return -1;
  }
  if (found == nullptr && PyObject_GetOptionalAttr(module, names.dunder_spec, &found) < 0) return -1;
  Ref<> spec = Ref<>::steal(found);
  if (!spec || spec.get() == Py_None) return 0;
  PyObject* flag;
  if (PyObject_GetOptionalAttr(spec, names.str__initializing, &flag) < 0) {
    PyErr_Clear();
    return 0;
  }
  if (flag == nullptr) return 0;
  Ref<> initializing = Ref<>::steal(flag);
  if (flag == Py_False) return 0;
  int busy = PyObject_IsTrue(flag);
  if (busy <= 0) return busy;
  Ref<> done = Ref<>::steal(PyObject_CallOneArg(lock_unlock_module, name));
  return done ? 1 : -1;
}

// The package that relative names in `globals` start from: a str, new reference.
PyObject* calling_package(PyObject* globals) {
  PyObject* found;
  if (PyDict_GetItemRef(globals, names.dunder_package, &found) < 0) return nullptr;
  Ref<> package = Ref<>::steal(found);
  if (PyDict_GetItemRef(globals, names.dunder_spec, &found) < 0) return nullptr;
  Ref<> spec = Ref<>::steal(found);
  if (package && package.get() != Py_None) {
    if (!PyUnicode_Check(package.get())) {
      PyErr_SetString(PyExc_TypeError, "package must be a string");
      return nullptr;
    }
    if (spec && spec.get() != Py_None) {
      Ref<> parent = Ref<>::steal(PyObject_GetAttrString(spec, "parent"));
      if (!parent) return nullptr;
      int equal = PyObject_RichCompareBool(package, parent, Py_EQ);
      if (equal < 0) return nullptr;
      if (equal == 0 && PyErr_WarnEx(PyExc_DeprecationWarning, "__package__ != __spec__.parent", 1) < 0) return nullptr;
    }
    return package.release();
  }
  if (spec && spec.get() != Py_None) {
    package = Ref<>::steal(PyObject_GetAttrString(spec, "parent"));
    if (!package) return nullptr;
    if (!PyUnicode_Check(package.get())) {
      PyErr_SetString(PyExc_TypeError, "__spec__.parent must be a string");
      return nullptr;
    }
    return package.release();
  }
  if (PyErr_WarnEx(PyExc_ImportWarning, "can't resolve package from __spec__ or __package__, falling back on __name__ and __path__",
                   1) < 0) {
    return nullptr;
  }
  if (PyDict_GetItemRef(globals, names.dunder_name, &found) < 0) return nullptr;
  package = Ref<>::steal(found);
  if (!package) {
    PyErr_SetString(PyExc_KeyError, "'__name__' not in globals");
    return nullptr;
  }
  if (!PyUnicode_Check(package.get())) {
    PyErr_SetString(PyExc_TypeError, "__name__ must be a string");
    return nullptr;
  }
  int has_path = PyDict_Contains(globals, names.dunder_path);
  if (has_path < 0) return nullptr;
  if (has_path) return package.release();
  Py_ssize_t length = PyUnicode_GET_LENGTH(package.get());
  Py_ssize_t dot = PyUnicode_FindChar(package, '.', 0, length, -1);
  if (dot == -2) return nullptr;
  if (dot == -1) {
    PyErr_SetString(PyExc_ImportError, "attempted relative import with no known parent package");
    return nullptr;
  }
  return PyUnicode_Substring(package, 0, dot);
}

PyObject* resolve_name(PyObject* name, PyObject* globals, int level) {
  if (globals == nullptr) {
    PyErr_SetString(PyExc_KeyError, "'__name__' not in globals");
    return nullptr;
  }
  if (!PyDict_Check(globals)) {
    PyErr_SetString(PyExc_TypeError, "globals must be a dict");
    return nullptr;
  }
  Ref<> package = Ref<>::steal(calling_package(globals));
  if (!package) return nullptr;
  Py_ssize_t end = PyUnicode_GET_LENGTH(package.get());
  if (end == 0) {
    PyErr_SetString(PyExc_ImportError, "attempted relative import with no known parent package");
    return nullptr;
  }
  for (int i = 1; i < level; ++i) {
    end = PyUnicode_FindChar(package, '.', 0, end, -1);
    if (end == -2) return nullptr;
    if (end == -1) {
      PyErr_SetString(PyExc_ImportError, "attempted relative import beyond top-level package");
      return nullptr;
    }
  }
  Ref<> base = Ref<>::steal(PyUnicode_Substring(package, 0, end));
  if (!base || PyUnicode_GET_LENGTH(name) == 0) return base.release();
  return PyUnicode_FromFormat("%U.%U", base.get(), name);
}

PyObject* import_level(PyObject* name, PyObject* globals, PyObject* fromlist, int level) {
  if (name == nullptr) {
    PyErr_SetString(PyExc_ValueError, "Empty module name");
    return nullptr;
  }
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "module name must be a string");
    return nullptr;
  }
  if (level < 0) {
    PyErr_SetString(PyExc_ValueError, "level must be >= 0");
    return nullptr;
  }
  Ref<> full;
  if (level > 0) {
    full = Ref<>::steal(resolve_name(name, globals, level));
    if (!full) return nullptr;
  } else {
    if (PyUnicode_GET_LENGTH(name) == 0) {
      PyErr_SetString(PyExc_ValueError, "Empty module name");
      return nullptr;
    }
    full = Ref<>::share(name);
  }

  Ref<> module = Ref<>::steal(loaded_module(full));
  if (!module && PyErr_Occurred()) return nullptr;
  if (module && module.get() != Py_None) {
    const int waited = ensure_initialized(module, full);
    if (waited < 0) return nullptr;
    if (waited > 0) [[unlikely]] {
      module = Ref<>::steal(loaded_module(full));
      if (!module && PyErr_Occurred()) return nullptr;
    }
  }
  if (module && module.get() != Py_None) {
    if (running_config.import_time == 2) [[unlikely]] {
      clock_header();
      fputs("import time: cached    | cached     | ", stderr);
      clock_name(import_clock.level, full);
    }
  } else {
    module = Ref<>::steal(load(full));
    if (!module) return nullptr;
  }

  int has_from = 0;
  if (fromlist != nullptr && fromlist != Py_None) {
    has_from = PyObject_IsTrue(fromlist);
    if (has_from < 0) return nullptr;
  }
  if (has_from) {
    // Submodules named in the list of a package are imported too.
    PyObject* path = nullptr;
    if (core == nullptr) return module.release();
    if (PyModule_CheckExact(module.get())) {
      int has_path = PyDict_Contains(module_dict(module), names.dunder_path);
      if (has_path < 0) return nullptr;
      if (has_path == 0 && !PyDict_Contains(module_dict(module), names.dunder_getattr)) return module.release();
    }
    if (PyObject_GetOptionalAttr(module, names.dunder_path, &path) < 0) return nullptr;
    if (path == nullptr) return module.release();
    Py_DECREF(path);
    PyObject* import = PyDict_GetItemWithError(interpreter_builtins(), names.dunder_import);
    if (import == nullptr) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ImportError, "__import__ not found");
      return nullptr;
    }
    PyObject* args[3] = {module, fromlist, import};
    return PyObject_Vectorcall(handle_fromlist, args, 3, nullptr);
  }

  // `import a.b` gives a, by its absolute name.
  Py_ssize_t length = PyUnicode_GET_LENGTH(name);
  if (level > 0 && length == 0) return module.release();
  Py_ssize_t dot = PyUnicode_FindChar(name, '.', 0, length, 1);
  if (dot == -2) return nullptr;
  if (dot == -1) return module.release();
  if (level == 0) {
    Ref<> front = Ref<>::steal(PyUnicode_Substring(name, 0, dot));
    return front ? import_level(front, nullptr, nullptr, 0) : nullptr;
  }
  Ref<> front = Ref<>::steal(PyUnicode_Substring(full, 0, PyUnicode_GET_LENGTH(full.get()) - (length - dot)));
  if (!front) return nullptr;
  PyObject* package = loaded_module(front);
  if (package == nullptr && !PyErr_Occurred()) {
    PyErr_Format(PyExc_KeyError, "%R not in sys.modules as expected", front.get());
  }
  return package;
}

// The module object `name` in sys.modules, made if absent or no module: new reference.
PyObject* add_module(PyObject* name) {
  Ref<> module = Ref<>::steal(loaded_module(name));
  if (!module && PyErr_Occurred()) return nullptr;
  if (module && PyModule_Check(module.get())) return module.release();
  module = Ref<>::steal(PyModule_NewObject(name));
  if (!module || PyObject_SetItem(modules_dict, name, module) < 0) return nullptr;
  return module.release();
}

void remove_module(PyObject* name) {
  PyObject* error = PyErr_GetRaisedException();
  if (PyMapping_DelItem(modules_dict, name) < 0) PyErr_Clear();
  PyErr_SetRaisedException(error);
}

}  // namespace

PyObject* import_modules() { return modules_dict; }
PyObject* import_core() { return core; }
bool import_has_core() { return core != nullptr; }

int import_init() {
  if (modules_dict == nullptr) modules_dict = PyDict_New();
  // Nearly everything can be reached from the modules.
  static bool known_to_collector = false;
  if (!known_to_collector) {
    gc::add_root_visitor([](visitproc visit, void* arg) {
      if (modules_dict != nullptr) visit(modules_dict, arg);
    });
    known_to_collector = true;
  }
  import_lock_init();
  return modules_dict != nullptr ? 0 : -1;
}

int import_install_core() {
  if (running_config.verbose) PySys_WriteStderr("import _frozen_importlib # frozen\n");
  int found = PyImport_ImportFrozenModule("_frozen_importlib");
  if (found <= 0) {
    if (found == 0) PyErr_SetString(PyExc_ImportError, "No such frozen object named '_frozen_importlib'");
    return -1;
  }
  Ref<> module = Ref<>::steal(PyImport_AddModuleRef("_frozen_importlib"));
  if (running_config.verbose) PySys_WriteStderr("import _imp # builtin\n");
  Ref<> imp = Ref<>::steal(import_builtin_early("_imp"));
  PyObject* sys = PyDict_GetItemString(modules_dict, "sys");
  if (!module || !imp || sys == nullptr) return -1;
  Ref<> done = Ref<>::steal(PyObject_CallMethod(module, "_install", "OO", sys, imp.get()));
  if (!done) return -1;
  find_and_load = PyObject_GetAttrString(module, "_find_and_load");
  handle_fromlist = PyObject_GetAttrString(module, "_handle_fromlist");
  lock_unlock_module = PyObject_GetAttrString(module, "_lock_unlock_module");
  if (find_and_load == nullptr || handle_fromlist == nullptr || lock_unlock_module == nullptr) return -1;
  Ref<> explained = Ref<>::steal(PyCFunction_New(&find_and_load_def, nullptr));
  if (!explained || PyObject_SetAttrString(module, "_find_and_load", explained) < 0) return -1;
  if (import_install_core_shortcuts(module) < 0) return -1;
  core = module.release();
  return 0;
}

int import_install_external() {
  Ref<> done = Ref<>::steal(PyObject_CallMethod(core, "_install_external_importers", nullptr));
  if (!done || import_install_external_shortcuts(core) < 0) return -1;
  // Archives on the path come before directories. Without the module there are just no archives.
  if (running_config.verbose) PySys_WriteStderr("# installing zipimport hook\n");
  Ref<> zipimport = Ref<>::steal(PyImport_ImportModule("zipimport"));
  Ref<> importer = zipimport ? Ref<>::steal(PyObject_GetAttrString(zipimport, "zipimporter")) : Ref<>();
  if (!importer) {
    PyErr_Clear();
    return 0;
  }
  PyObject* hooks = PySys_GetObject("path_hooks");
  if (hooks != nullptr && PyList_Check(hooks) && PyList_Insert(hooks, 0, importer) < 0) return -1;
  if (running_config.verbose) PySys_WriteStderr("# installed zipimport hook\n");
  return 0;
}

void import_clear() {
  Py_CLEAR(find_and_load);
  Py_CLEAR(handle_fromlist);
  Py_CLEAR(lock_unlock_module);
  Py_CLEAR(core);
  import_clear_shortcuts();
  import_clear_extensions();
  Py_CLEAR(modules_dict);
}

// --- from-import errors

namespace {

bool truthy_attribute(PyObject* op, const char* name) {
  PyObject* found;
  if (op == nullptr || op == Py_None || PyObject_GetOptionalAttrString(op, name, &found) < 0) {
    PyErr_Clear();
    return false;
  }
  Ref<> value = Ref<>::steal(found);
  int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth < 0) PyErr_Clear();
  return truth > 0;
}

// Whether the file lies beside the program and so may hide a module that the program meant.
bool shadows(PyObject* origin) {
  Ref<> flags = Ref<>::share(PySys_GetObject("flags"));
  if (truthy_attribute(flags, "safe_path")) return false;
  Ref<> path = Ref<>::share(PySys_GetObject("path"));
  if (!path || !PyList_Check(path.get()) || PyList_GET_SIZE(path.get()) == 0) return false;
  Ref<> first = Ref<>::steal(PyList_GetItemRef(path, 0));
  if (!first || !PyUnicode_Check(first.get())) return false;
  const char* root_text = PyUnicode_AsUTF8(first);
  const char* file_text = PyUnicode_AsUTF8(origin);
  if (root_text == nullptr || file_text == nullptr) {
    PyErr_Clear();
    return false;
  }
  std::string root = root_text, file = file_text;
  size_t slash = file.rfind('/');
  if (slash == std::string::npos) return false;
  if (file.compare(slash, std::string::npos, "/__init__.py") == 0) slash = slash == 0 ? std::string::npos : file.rfind('/', slash - 1);
  if (slash == std::string::npos) return false;
  if (root.empty()) {
    char* cwd = getcwd(nullptr, 0);
    root = cwd != nullptr ? cwd : "";
    free(cwd);
  }
  return file.compare(0, slash, root) == 0;
}

}  // namespace

void raise_import_from_error(PyObject* module, PyObject* module_name, PyObject* name) {
  Ref<> spec, origin;
  PyObject* found;
  if (PyObject_GetOptionalAttr(module, names.dunder_spec, &found) < 0) return;
  spec = Ref<>::steal(found);
  if (spec && spec.get() != Py_None && truthy_attribute(spec, "has_location")) {
    if (PyObject_GetOptionalAttr(spec, names.str_origin, &found) < 0) return;
    origin = Ref<>::steal(found);
  }
  if (!origin || !PyUnicode_Check(origin.get())) {
    // What the module itself says of its file, which importlib keeps true.
    if (PyObject_GetOptionalAttr(module, names.dunder_file, &found) < 0) return;
    origin = Ref<>::steal(found);
  }
  const bool has_origin = origin && PyUnicode_Check(origin.get());
  bool shadowing = has_origin && shadows(origin);
  bool stdlib = false;
  if (shadowing && PyUnicode_Check(module_name)) {
    PyObject* known = PySys_GetObject("stdlib_module_names");
    stdlib = known != nullptr && PyAnySet_Check(known) && PySet_Contains(known, module_name) > 0;
  }
  Ref<> message;
  if (stdlib) {
    message = Ref<>::steal(PyUnicode_FromFormat(
        "cannot import name %R from %R (consider renaming %R since it has the same name as the standard library module "
        "named %R and prevents importing that standard library module)",
        name, module_name, origin.get(), module_name));
  } else if (truthy_attribute(spec, "_initializing")) {
    if (shadowing) {
      message = Ref<>::steal(PyUnicode_FromFormat(
          "cannot import name %R from %R (consider renaming %R if it has the same name as a library you intended to import)",
          name, module_name, origin.get()));
    } else if (has_origin) {
      message = Ref<>::steal(PyUnicode_FromFormat(
          "cannot import name %R from partially initialized module %R (most likely due to a circular import) (%S)", name,
          module_name, origin.get()));
    } else {
      message = Ref<>::steal(PyUnicode_FromFormat(
          "cannot import name %R from partially initialized module %R (most likely due to a circular import)", name,
          module_name));
    }
  } else if (has_origin) {
    message = Ref<>::steal(PyUnicode_FromFormat("cannot import name %R from %R (%S)", name, module_name, origin.get()));
  } else {
    message = Ref<>::steal(PyUnicode_FromFormat("cannot import name %R from %R (unknown location)", name, module_name));
  }
  if (!message) return;
  Ref<> error = Ref<>::steal(PyObject_CallOneArg(PyExc_ImportError, message));
  if (!error || PyObject_SetAttr(error, names.str_name, module_name) < 0 ||
      PyObject_SetAttrString(error, "path", has_origin ? origin.get() : Py_None) < 0 ||
      PyObject_SetAttrString(error, "name_from", name) < 0) {
    return;
  }
  PyErr_SetObject(PyExc_ImportError, error);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyImport_GetModuleDict(void) {
  if (modules_dict == nullptr) Py_FatalError("interpreter has no modules dictionary");
  return modules_dict;
}

PyObject* PyImport_GetModule(PyObject* name) { return modules_dict != nullptr ? loaded_module(name) : nullptr; }

int _PyImport_SetModule(PyObject* name, PyObject* module) { return PyObject_SetItem(modules_dict, name, module); }

PyObject* PyImport_AddModuleRef(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? add_module(text) : nullptr;
}

PyObject* PyImport_AddModuleObject(PyObject* name) {
  PyObject* module = add_module(name);
  Py_XDECREF(module);  // sys.modules keeps it
  return module;
}

PyObject* PyImport_AddModule(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? PyImport_AddModuleObject(text) : nullptr;
}

PyObject* PyImport_ImportModuleLevelObject(PyObject* name, PyObject* globals, PyObject*, PyObject* fromlist, int level) {
  PyObject* module = import_level(name, globals, fromlist, level);
  if (module == nullptr) trim_traceback();
  return module;
}

PyObject* PyImport_ImportModuleLevel(const char* name, PyObject* globals, PyObject* locals, PyObject* fromlist,
                                     int level) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? PyImport_ImportModuleLevelObject(text, globals, locals, fromlist, level) : nullptr;
}

// Through __import__ of the running code, so that programs can replace it.
PyObject* PyImport_Import(PyObject* name) {
  Ref<> globals = Ref<>::share(PyEval_GetGlobals());
  Ref<> builtins;
  if (globals) {
    PyObject* found = nullptr;
    if (PyObject* raw = PyDict_GetItemWithError(globals, names.dunder_builtins)) {
      found = Py_NewRef(raw);
    } else if (PyErr_Occurred()) {
      return nullptr;
    }
    builtins = Ref<>::steal(found);
  }
  if (!builtins) {
    builtins = Ref<>::share(interpreter_builtins());
    globals = Ref<>::steal(Py_BuildValue("{OO}", names.dunder_builtins, builtins.get()));
    if (!globals) return nullptr;
  }
  Ref<> import;
  if (PyDict_Check(builtins.get())) {
    import = Ref<>::share(PyDict_GetItemWithError(builtins, names.dunder_import));
    if (!import && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, names.dunder_import);
  } else {
    import = Ref<>::steal(PyObject_GetAttr(builtins, names.dunder_import));
  }
  if (!import) return nullptr;
  Ref<> fromlist = Ref<>::steal(PyList_New(0));
  Ref<> zero = Ref<>::steal(PyLong_FromLong(0));
  if (!fromlist || !zero) return nullptr;
  Ref<> top = Ref<>::steal(
      PyObject_CallFunctionObjArgs(import, name, globals.get(), globals.get(), fromlist.get(), zero.get(), nullptr));
  if (!top) return nullptr;
  PyObject* module = PyImport_GetModule(name);
  if (module == nullptr && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, name);
  return module;
}

PyObject* PyImport_ImportModule(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? PyImport_Import(text) : nullptr;
}
PyObject* PyImport_ImportModuleNoBlock(const char* name) { return PyImport_ImportModule(name); }

PyObject* PyImport_ImportModuleAttr(PyObject* module_name, PyObject* attribute) {
  Ref<> module = Ref<>::steal(PyImport_Import(module_name));
  return module ? PyObject_GetAttr(module, attribute) : nullptr;
}

PyObject* PyImport_ImportModuleAttrString(const char* module_name, const char* attribute) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule(module_name));
  return module ? PyObject_GetAttrString(module, attribute) : nullptr;
}

PyObject* PyImport_ReloadModule(PyObject* module) {
  Ref<> importlib = Ref<>::steal(PyImport_ImportModule("importlib"));
  return importlib ? PyObject_CallMethod(importlib, "reload", "O", module) : nullptr;
}

PyObject* PyImport_ExecCodeModuleObject(PyObject* name, PyObject* code, PyObject* pathname, PyObject* cpathname) {
  Ref<> module = Ref<>::steal(add_module(name));
  if (!module) return nullptr;
  PyObject* dict = PyModule_GetDict(module);
  int has = PyDict_Contains(dict, names.dunder_builtins);
  if (has < 0 || (has == 0 && PyDict_SetItem(dict, names.dunder_builtins, interpreter_builtins()) < 0)) {
    remove_module(name);
    return nullptr;
  }
  if (core != nullptr) {
    // importlib gives the module a spec and a loader.
    Ref<> external = Ref<>::steal(PyObject_GetAttrString(core, "_bootstrap_external"));
    PyObject* path = pathname != nullptr ? pathname : reinterpret_cast<PyCodeObject*>(code)->co_filename;
    Ref<> done = external && external.get() != Py_None
                     ? Ref<>::steal(PyObject_CallMethod(external, "_fix_up_module", "OOOO", dict, name, path,
                                                        cpathname != nullptr ? cpathname : path))
                     : Ref<>();
    if (!done) PyErr_Clear();
  }
  Ref<> result = Ref<>::steal(eval_code(code, dict, dict, nullptr));
  if (!result) {
    remove_module(name);
    return nullptr;
  }
  PyObject* loaded = loaded_module(name);
  if (loaded == nullptr && !PyErr_Occurred()) PyErr_Format(PyExc_ImportError, "Loaded module %R not found in sys.modules", name);
  return loaded;
}

PyObject* PyImport_ExecCodeModuleWithPathnames(const char* name, PyObject* code, const char* pathname,
                                               const char* cpathname) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  Ref<> cpath = cpathname != nullptr ? Ref<>::steal(PyUnicode_DecodeFSDefault(cpathname)) : Ref<>();
  Ref<> path;
  if (!text || (cpathname != nullptr && !cpath)) return nullptr;
  if (pathname != nullptr) {
    path = Ref<>::steal(PyUnicode_DecodeFSDefault(pathname));
    if (!path) return nullptr;
  } else if (cpath && core != nullptr) {
    Ref<> external = Ref<>::steal(PyObject_GetAttrString(core, "_bootstrap_external"));
    path = external ? Ref<>::steal(PyObject_CallMethod(external, "_get_sourcefile", "O", cpath.get())) : Ref<>();
    if (!path) PyErr_Clear();
  }
  return PyImport_ExecCodeModuleObject(text, code, path, cpath);
}

PyObject* PyImport_ExecCodeModuleEx(const char* name, PyObject* code, const char* pathname) {
  return PyImport_ExecCodeModuleWithPathnames(name, code, pathname, nullptr);
}
PyObject* PyImport_ExecCodeModule(const char* name, PyObject* code) {
  return PyImport_ExecCodeModuleWithPathnames(name, code, nullptr, nullptr);
}

PyObject* PyImport_GetImporter(PyObject* path) {
  Ref<> cache = Ref<>::share(PySys_GetObject("path_importer_cache"));
  Ref<> hooks = Ref<>::share(PySys_GetObject("path_hooks"));
  if (!cache || !hooks) {
    PyErr_SetString(PyExc_RuntimeError, cache ? "lost sys.path_hooks" : "lost sys.path_importer_cache");
    return nullptr;
  }
  PyObject* found;
  if (PyDict_GetItemRef(cache, path, &found) != 0) return found;
  if (PyDict_SetItem(cache, path, Py_None) < 0) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_Size(hooks); ++i) {
    Ref<> hook = Ref<>::steal(PyList_GetItemRef(hooks, i));
    if (!hook) return nullptr;
    Ref<> importer = Ref<>::steal(PyObject_CallOneArg(hook, path));
    if (importer) {
      if (PyDict_SetItem(cache, path, importer) < 0) return nullptr;
      return importer.release();
    }
    if (!PyErr_ExceptionMatches(PyExc_ImportError)) return nullptr;
    PyErr_Clear();
  }
  Py_RETURN_NONE;
}

// Changes with every instruction that is added or altered, and with other changes of what code is made of, so that stale caches are never run.
long PyImport_GetMagicNumber(void) {
  constexpr uint32_t token = [] {
    uint32_t hash = 2166136261u;
    auto add = [&hash](const char* text) {
      for (; *text != '\0'; ++text) hash = (hash ^ static_cast<unsigned char>(*text)) * 16777619u;
    };
    add("places without instructions behind the code; a way out that stands nowhere is marked\n");
#define AMPHIS_OP(name, caches, format) add(#name ":" #caches ":" format "\n");
#define AMPHIS_SPECIAL(name, general)
#include "interp/opcodes.def"
#undef AMPHIS_SPECIAL
#undef AMPHIS_OP
    return (hash >> 16 ^ hash) & 0xFFFF;
  }();
  return static_cast<long>(token | 0x0A0D0000u);
}

const char* PyImport_GetMagicTag(void) { return "amphis-314" AMPHIS_ABIFLAGS; }

}  // extern "C"
