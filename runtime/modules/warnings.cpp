// _warnings: the filters, the decision what becomes of a warning, and where it is shown. warnings.py is built on it; until
// that is imported, warnings are written to sys.stderr from here.
//
// Invariant: `state` holds what warnings.py's globals of these names held when they were last looked up, so that warnings
// work before that module is imported and after it is gone. The check of a registry and its update are one step under
// `warnings_lock`; nothing is shown while it is held.
#include "modules/warnings.h"

#include "interp/frame.h"
#include "modules/builtins.h"
#include "modules/import_state.h"
#include "modules/sys.h"
#include "objects/error_display.h"
#include "objects/names.h"
#include "sync/fork.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <atomic>

namespace amphis {

namespace {

struct WarningsState {
  PyObject* filters = nullptr;
  PyObject* once_registry = nullptr;
  PyObject* default_action = nullptr;
  PyObject* context = nullptr;  // the ContextVar that catch_warnings sets
  std::atomic<long> filters_version{0};
};
WarningsState state;

// Recursive, because matching a message runs code that may warn.
struct WarningsLock {
  sync::Mutex mutex;
  std::atomic<ThreadState*> owner{nullptr};
  int depth = 0;  // guarded by mutex

  bool held() const { return owner.load(std::memory_order_relaxed) == current_thread(); }
  void lock() {
    if (!held()) {
      mutex.lock();
      owner.store(current_thread(), std::memory_order_relaxed);
    }
    ++depth;
  }
  void unlock() {
    if (--depth > 0) return;
    owner.store(nullptr, std::memory_order_relaxed);
    mutex.unlock();
  }
};
WarningsLock warnings_lock;

void lock_after_fork() {
  if (warnings_lock.held()) return;
  warnings_lock.mutex.reset();
  warnings_lock.owner.store(nullptr, std::memory_order_relaxed);
  warnings_lock.depth = 0;
}

// warnings.<name>; empty, perhaps with an exception, if there is none. `import`: worth importing the module for it.
Ref<> module_attribute(const char* name, bool import) {
  PyObject* modules = import_modules();
  if (modules == nullptr) return {};
  Ref<> key = Ref<>::steal(PyUnicode_InternFromString("warnings"));
  if (!key) return {};
  Ref<> module;
  if (import && !Py_IsFinalizing()) {
    module = Ref<>::steal(PyImport_Import(key));
    if (!module && PyErr_ExceptionMatches(PyExc_ImportError)) PyErr_Clear();
  } else {
    module = Ref<>::steal(PyImport_GetModule(key));
  }
  PyObject* found = nullptr;
  if (module && PyObject_GetOptionalAttrString(module, name, &found) < 0) return {};
  return Ref<>::steal(found);
}

// The module's value of a global, remembered in *slot; the remembered one if the module has none.
Ref<> remembered(const char* name, PyObject** slot, bool (*check)(PyObject*)) {
  Ref<> now = module_attribute(name, false);
  if (!now) return PyErr_Occurred() ? Ref<>() : sync::get_ref(slot);
  if (!check(now.get())) return {};
  sync::set_slot(slot, Ref<>::share(now.get()));
  return now;
}

bool check_filters(PyObject* o) {
  if (PyList_Check(o)) return true;
  PyErr_SetString(PyExc_ValueError, "_warnings.filters must be a list");
  return false;
}
bool check_registry(PyObject* o) {
  if (PyDict_Check(o)) return true;
  PyErr_Format(PyExc_TypeError, "_warnings.onceregistry must be a dict, not '%.200s'", Py_TYPE(o)->tp_name);
  return false;
}
bool check_action(PyObject* o) {
  if (PyUnicode_Check(o)) return true;
  PyErr_Format(PyExc_TypeError, "_warnings.defaultaction must be a string, not '%.200s'", Py_TYPE(o)->tp_name);
  return false;
}

// --- filters

// A filter's pattern: None, an exact str that must be equal, or an object with a match method. 1, 0 or -1.
int matches(PyObject* pattern, PyObject* text) {
  if (pattern == Py_None) return 1;
  if (PyUnicode_CheckExact(pattern)) {
    int order = PyUnicode_Compare(pattern, text);
    if (order == -1 && PyErr_Occurred()) return -1;
    return order == 0;
  }
  Ref<> result = Ref<>::steal(PyObject_CallMethod(pattern, "match", "O", text));
  return result ? PyObject_IsTrue(result) : -1;
}

int is_subclass(PyObject* cls, PyObject* base) {
  if (cls == base) return 1;
  if (PyType_CheckExact(cls) && PyType_CheckExact(base)) {
    return PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), reinterpret_cast<PyTypeObject*>(base));
  }
  return PyObject_IsSubclass(cls, base);
}

struct Warning {
  PyObject* category;
  PyObject* text;
  PyObject* module;
  int lineno;
};

// The first filter of the list that fits: its action and the filter itself. False with an exception.
bool search(PyObject* filters, const Warning& w, Ref<>* action, Ref<>* filter) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(filters); ++i) {
    Ref<> item = Ref<>::steal(PyList_GetItemRef(filters, i));
    if (!item) return false;
    if (!PyTuple_Check(item.get()) || PyTuple_GET_SIZE(item.get()) != 5) {
      PyErr_Format(PyExc_ValueError, "warnings.filters item %zd isn't a 5-tuple", i);
      return false;
    }
    PyObject** part = &PyTuple_GET_ITEM(item.get(), 0);
    if (!PyUnicode_Check(part[0])) {
      PyErr_Format(PyExc_TypeError, "action must be a string, not '%.200s'", Py_TYPE(part[0])->tp_name);
      return false;
    }
    // The cheap test first; every part is checked, so that a bad filter is noticed.
    int fits_class = is_subclass(w.category, part[2]);
    int fits_text = fits_class < 0 ? -1 : matches(part[1], w.text);
    int fits_module = fits_text < 0 ? -1 : matches(part[3], w.module);
    if (fits_module < 0) return false;
    if (!PyLong_Check(part[4])) {
      PyErr_SetString(PyExc_TypeError, "an integer is required");
      return false;
    }
    int line = PyLong_AsInt(part[4]);
    if (line == -1 && PyErr_Occurred()) return false;
    if (fits_class && fits_text && fits_module && (line == 0 || line == w.lineno)) {
      *action = Ref<>::share(part[0]);
      *filter = static_cast<Ref<>&&>(item);
      return true;
    }
  }
  return true;
}

// The filters of the running context (catch_warnings with context-aware warnings): empty if there are none.
Ref<> context_filters() {
  Ref<> variable = module_attribute("_warnings_context", false);
  if (!variable) {
    if (PyErr_Occurred()) return {};
    variable = Ref<>::share(state.context);
  }
  if (!PyContextVar_CheckExact(variable.get())) {
    PyErr_SetString(PyExc_TypeError, "warnings._warnings_context must be a ContextVar");
    return {};
  }
  PyObject* value;
  if (PyContextVar_Get(variable, nullptr, &value) < 0 || value == nullptr) return {};
  Ref<> context = Ref<>::steal(value);
  Ref<> filters = Ref<>::steal(PyObject_GetAttrString(context, "_filters"));
  if (filters && !PyList_Check(filters.get())) {
    PyErr_SetString(PyExc_ValueError, "_filters of warnings._warnings_context must be a list");
    return {};
  }
  return filters;
}

// What to do with a warning; empty with an exception.
Ref<> find_action(const Warning& w, Ref<>* filter) {
  Ref<> action;
  Ref<> filters = context_filters();
  if (PyErr_Occurred()) return {};
  if (filters && (!search(filters.get(), w, &action, filter) || action)) return action;
  filters = remembered("filters", &state.filters, check_filters);
  if (!filters || !search(filters.get(), w, &action, filter) || action) return action;
  return remembered("defaultaction", &state.default_action, check_action);
}

// --- registries: dicts from (text, category[, line]) to true, valid for one version of the filters

// Whether `key` was seen; it is entered if not and `enter` is set. 1, 0 or -1.
int already_warned(PyObject* registry, PyObject* key, bool enter) {
  const long version = state.filters_version.load(std::memory_order_relaxed);
  PyObject* found;
  if (PyDict_GetItemStringRef(registry, "version", &found) < 0) return -1;
  Ref<> known = Ref<>::steal(found);
  long known_version = -1;
  if (known && PyLong_CheckExact(known.get())) {
    known_version = PyLong_AsLong(known);
    if (known_version == -1 && PyErr_Occurred()) PyErr_Clear();
  }
  if (known_version != version) {
    PyDict_Clear(registry);
    Ref<> number = Ref<>::steal(PyLong_FromLong(version));
    if (!number || PyDict_SetItemString(registry, "version", number) < 0) return -1;
  } else {
    int has = PyDict_GetItemRef(registry, key, &found);
    if (has < 0) return -1;
    if (has) {
      Ref<> seen = Ref<>::steal(found);
      int yes = PyObject_IsTrue(seen);
      if (yes != 0) return yes;
    }
  }
  return enter ? PyDict_SetItem(registry, key, Py_True) : 0;
}

int already_warned_anywhere(PyObject* registry, const Warning& w) {
  Ref<> key = Ref<>::steal(PyTuple_Pack(2, w.text, w.category));
  return key ? already_warned(registry, key, true) : -1;
}

enum class Outcome { kFailed, kQuiet, kRaise, kShow };

// Finds out what to do and keeps the registry's books.
Outcome decide(const Warning& w, PyObject* registry) {
  sync::LockGuard<WarningsLock> lock(warnings_lock);
  Ref<> key;
  if (registry != nullptr) {
    Ref<> line = Ref<>::steal(PyLong_FromLong(w.lineno));
    if (line) key = Ref<>::steal(PyTuple_Pack(3, w.text, w.category, line.get()));
    if (!key) return Outcome::kFailed;
    int seen = already_warned(registry, key, false);
    if (seen != 0) return seen < 0 ? Outcome::kFailed : Outcome::kQuiet;
  }
  Ref<> filter;
  Ref<> action = find_action(w, &filter);
  if (!action) return Outcome::kFailed;
  auto is = [&action](const char* name) { return PyUnicode_EqualToUTF8(action, name); };
  if (is("ignore")) return Outcome::kQuiet;
  if (is("error")) return Outcome::kRaise;
  if (is("always") || is("all")) return Outcome::kShow;
  if (key && PyDict_SetItem(registry, key, Py_True) < 0) return Outcome::kFailed;
  int seen = 0;
  if (is("once")) {
    Ref<> once = registry != nullptr ? Ref<>::share(registry)
                                     : remembered("onceregistry", &state.once_registry, check_registry);
    seen = once ? already_warned_anywhere(once.get(), w) : -1;
  } else if (is("module")) {
    if (registry != nullptr) seen = already_warned_anywhere(registry, w);
  } else if (!is("default")) {
    PyErr_Format(PyExc_RuntimeError, "Unrecognized action (%R) in warnings.filters:\n %R", action.get(),
                 filter ? filter.get() : Py_None);
    return Outcome::kFailed;
  }
  return seen < 0 ? Outcome::kFailed : seen ? Outcome::kQuiet : Outcome::kShow;
}

// --- showing

// Without the module warnings: "file:line: Category: text" and the line, if it can be read.
void write_plainly(const Warning& w, PyObject* filename, PyObject* source_line) {
  Ref<> file = Ref<>::share(PySys_GetObject("stderr"));
  if (!file || file.get() == Py_None) return;
  Ref<> name = Ref<>::steal(PyObject_GetAttr(w.category, names.dunder_name));
  Ref<> head = name ? Ref<>::steal(PyUnicode_FromFormat("%S:%d: %S: %S\n", filename, w.lineno, name.get(), w.text)) : Ref<>();
  if (head && PyFile_WriteObject(head, file, Py_PRINT_RAW) == 0) {
    if (source_line != nullptr) {
      write_source_line(file.get(), source_line, 2);
    } else {
      display_source_line(file.get(), filename, w.lineno, 2);
    }
  }
  PyErr_Clear();
}

bool show(const Warning& w, PyObject* message, PyObject* filename, PyObject* source_line, PyObject* source) {
  // Only the module can tell where the source was allocated.
  Ref<> function = module_attribute("_showwarnmsg", source != nullptr);
  if (!function) {
    if (PyErr_Occurred()) return false;
    write_plainly(w, filename, source_line);
    return true;
  }
  if (!PyCallable_Check(function.get())) {
    PyErr_SetString(PyExc_TypeError, "warnings._showwarnmsg() must be set to a callable");
    return false;
  }
  Ref<> record_class = module_attribute("WarningMessage", false);
  if (!record_class) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "unable to get warnings.WarningMessage");
    return false;
  }
  Ref<> line = Ref<>::steal(PyLong_FromLong(w.lineno));
  if (!line) return false;
  PyObject* args[] = {message, w.category, filename, line, Py_None, source_line != nullptr ? source_line : Py_None, source != nullptr ? source : Py_None};
  Ref<> record = Ref<>::steal(PyObject_Vectorcall(record_class, args, 7, nullptr));
  Ref<> done = record ? Ref<>::steal(PyObject_CallOneArg(function, record)) : Ref<>();
  return static_cast<bool>(done);
}

// "pkg/mod.py" without the ending; "<unknown>" for no name.
Ref<> module_of_file(PyObject* filename) {
  Py_ssize_t length = PyUnicode_GetLength(filename);
  if (length < 0) return {};
  if (length == 0) return Ref<>::steal(PyUnicode_FromString("<unknown>"));
  if (length >= 3 && PyUnicode_READ_CHAR(filename, length - 3) == '.' && PyUnicode_READ_CHAR(filename, length - 2) == 'p' &&
      PyUnicode_READ_CHAR(filename, length - 1) == 'y') {
    return Ref<>::steal(PyUnicode_Substring(filename, 0, length - 3));
  }
  return Ref<>::share(filename);
}

// --- the place of a warning

bool is_internal(PyCodeObject* code) {
  PyObject* name = code->co_filename;
  if (name == nullptr || !PyUnicode_Check(name)) return false;
  auto contains = [name](const char* text) {
    Ref<> needle = Ref<>::steal(PyUnicode_InternFromString(text));
    int has = needle ? PyUnicode_Contains(name, needle) : -1;
    if (has < 0) PyErr_Clear();
    return has > 0;
  };
  return contains("importlib") && contains("_bootstrap");
}

bool has_prefix(PyCodeObject* code, PyObject* prefixes) {
  for (Py_ssize_t i = 0; prefixes != nullptr && i < PyTuple_GET_SIZE(prefixes); ++i) {
    PyObject* prefix = PyTuple_GET_ITEM(prefixes, i);
    if (PyUnicode_Tailmatch(code->co_filename, prefix, 0, PyUnicode_GET_LENGTH(prefix), -1) == 1) return true;
  }
  return false;
}

Frame* next_external(Frame* f, PyObject* prefixes) {
  do {
    f = f->prev;
  } while (f != nullptr && (is_internal(f->code) || has_prefix(f->code, prefixes)));
  return f;
}

struct Place {
  Ref<> filename, module, registry;
  int lineno = 0;
};

bool find_place(Py_ssize_t level, PyObject* prefixes, Place* place) {
  Frame* f = current_frame(current_thread());
  // Calls inside the import system do not count, unless it is what warns.
  if (level <= 0 || (f != nullptr && is_internal(f->code))) {
    while (--level > 0 && f != nullptr) f = f->prev;
  } else {
    while (--level > 0 && f != nullptr) f = next_external(f, prefixes);
  }
  Ref<> globals;
  if (f == nullptr) {
    globals = Ref<>::share(sys_dict());
    place->filename = Ref<>::steal(PyUnicode_InternFromString("<sys>"));
    place->lineno = 0;
  } else {
    globals = Ref<>::share(f->globals());
    place->filename = Ref<>::share(f->code->co_filename);
    int line = code_position(f->code, f->index()).line;
    place->lineno = line < 0 ? 0 : line;
  }
  if (!globals || !place->filename) return false;
  PyObject* found;
  int has = PyDict_GetItemStringRef(globals, "__warningregistry__", &found);
  if (has < 0) return false;
  place->registry = Ref<>::steal(found);
  if (!has) {
    place->registry = Ref<>::steal(PyDict_New());
    if (!place->registry || PyDict_SetItemString(globals, "__warningregistry__", place->registry) < 0) return false;
  }
  if (PyDict_GetItemRef(globals, names.dunder_name, &found) < 0) return false;
  place->module = Ref<>::steal(found);
  if (!place->module || (place->module.get() != Py_None && !PyUnicode_Check(place->module.get()))) {
    place->module = Ref<>::steal(PyUnicode_InternFromString("<string>"));
  }
  return static_cast<bool>(place->module);
}

// --- the module's functions

// The class of a warning from what warn() was given.
Ref<> category_of(PyObject* message, PyObject* category) {
  int is_warning = PyObject_IsInstance(message, PyExc_Warning);
  if (is_warning < 0) return {};
  if (is_warning) {
    category = reinterpret_cast<PyObject*>(Py_TYPE(message));
  } else if (category == nullptr || category == Py_None) {
    category = PyExc_UserWarning;
  }
  int good = PyType_Check(category) ? PyObject_IsSubclass(category, PyExc_Warning) : 0;
  if (good < 0) return {};
  if (!good) {
    PyErr_Format(PyExc_TypeError, "category must be a Warning subclass, not '%s'", Py_TYPE(category)->tp_name);
    return {};
  }
  return Ref<>::share(category);
}

PyObject* module_warn(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const keywords[] = {"message", "category", "stacklevel", "source", "skip_file_prefixes", nullptr};
  static _PyArg_Parser parser = {.format = nullptr, .keywords = keywords, .fname = "warn"};
  PyObject* buffer[5];
  PyObject* const* a = _PyArg_UnpackKeywords(args, nargs, nullptr, kwnames, &parser, 1, 4, 0, 0, buffer);
  if (a == nullptr) return nullptr;
  Py_ssize_t level = 1;
  if (a[2] != nullptr) {
    Ref<> index = Ref<>::steal(PyNumber_Index(a[2]));
    if (!index) return nullptr;
    level = PyLong_AsSsize_t(index);
    if (level == -1 && PyErr_Occurred()) return nullptr;
  }
  PyObject* prefixes = a[4];
  if (prefixes != nullptr) {
    if (!PyTuple_Check(prefixes)) {
      _PyArg_BadArgument("warn", "argument 'skip_file_prefixes'", "tuple", prefixes);
      return nullptr;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(prefixes); ++i) {
      PyObject* prefix = PyTuple_GET_ITEM(prefixes, i);
      if (!PyUnicode_Check(prefix)) {
        PyErr_Format(PyExc_TypeError, "Found non-str '%s' in skip_file_prefixes.", Py_TYPE(prefix)->tp_name);
        return nullptr;
      }
    }
    if (PyTuple_GET_SIZE(prefixes) == 0) {
      prefixes = nullptr;
    } else if (level < 2) {
      level = 2;
    }
  }
  Ref<> category = category_of(a[0], a[1]);
  return category ? warn_at_level(category, a[0], level, a[3], prefixes) : nullptr;
}

// The line of the source as the module's loader has it; empty, perhaps with an exception, if it has none.
Ref<> line_from_loader(PyObject* globals, int lineno) {
  Ref<> bless = Ref<>::steal(PyImport_ImportModuleAttrString("_frozen_importlib_external", "_bless_my_loader"));
  Ref<> loader = bless ? Ref<>::steal(PyObject_CallOneArg(bless, globals)) : Ref<>();
  if (!loader || loader.get() == Py_None) return {};
  PyObject* found;
  if (PyDict_GetItemRef(globals, names.dunder_name, &found) <= 0) return {};
  Ref<> module_name = Ref<>::steal(found);
  if (PyObject_GetOptionalAttrString(loader, "get_source", &found) <= 0) return {};
  Ref<> get_source = Ref<>::steal(found);
  Ref<> source = Ref<>::steal(PyObject_CallOneArg(get_source, module_name));
  if (!source) {
    if (PyErr_ExceptionMatches(PyExc_ImportError)) PyErr_Clear();
    return {};
  }
  if (source.get() == Py_None) return {};
  if (!PyUnicode_Check(source.get())) {
    PyErr_Format(PyExc_TypeError, "must be str, not %T", source.get());
    return {};
  }
  Ref<> lines = Ref<>::steal(PyUnicode_Splitlines(source, 0));
  if (!lines || lineno < 1 || lineno > PyList_GET_SIZE(lines.get())) return {};
  return Ref<>::steal(PyList_GetItemRef(lines, lineno - 1));
}

PyObject* module_warn_explicit(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const keywords[] = {"message",  "category",       "filename", "lineno", "module",
                                         "registry", "module_globals", "source",   nullptr};
  static _PyArg_Parser parser = {.format = nullptr, .keywords = keywords, .fname = "warn_explicit"};
  PyObject* buffer[8];
  PyObject* const* a = _PyArg_UnpackKeywords(args, nargs, nullptr, kwnames, &parser, 4, 8, 0, 0, buffer);
  if (a == nullptr) return nullptr;
  if (!PyUnicode_Check(a[2])) {
    _PyArg_BadArgument("warn_explicit", "argument 'filename'", "str", a[2]);
    return nullptr;
  }
  int lineno = PyLong_AsInt(a[3]);
  if (lineno == -1 && PyErr_Occurred()) return nullptr;
  PyObject* globals = a[6] != Py_None ? a[6] : nullptr;
  if (globals != nullptr && !PyDict_Check(globals)) {
    PyErr_Format(PyExc_TypeError, "module_globals must be a dict, not '%.200s'", Py_TYPE(globals)->tp_name);
    return nullptr;
  }
  Ref<> line = globals != nullptr ? line_from_loader(globals, lineno) : Ref<>();
  if (PyErr_Occurred()) return nullptr;
  return warn_explicit(a[1], a[0], a[2], lineno, a[4], a[5], line, a[7]);
}

PyObject* module_filters_mutated(PyObject*, PyObject*) {
  if (!warnings_lock.held()) {
    PyErr_SetString(PyExc_RuntimeError, "warnings lock is not held");
    return nullptr;
  }
  state.filters_version.fetch_add(1, std::memory_order_relaxed);
  Py_RETURN_NONE;
}

PyObject* module_acquire_lock(PyObject*, PyObject*) {
  warnings_lock.lock();
  Py_RETURN_NONE;
}
PyObject* module_release_lock(PyObject*, PyObject*) {
  if (!warnings_lock.held()) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
    return nullptr;
  }
  warnings_lock.unlock();
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"warn", as_cfunction(module_warn), METH_FASTCALL | METH_KEYWORDS,
     "warn($module, /, message, category=None, stacklevel=1, source=None, *,\n     skip_file_prefixes=())\n--\n\nIssue a "
     "warning, or maybe ignore it or raise an exception.\n\n  message\n    Text of the warning message.\n  category\n    The "
     "Warning category subclass. Defaults to UserWarning.\n  stacklevel\n    How far up the call stack to make this warning "
     "appear. A value of 2 for\n    example attributes the warning to the caller of the code calling warn().\n  source\n    If "
     "supplied, the destroyed object which emitted a ResourceWarning\n  skip_file_prefixes\n    An optional tuple of module "
     "filename prefixes indicating frames to skip\n    during stacklevel computations for stack frame attribution."},
    {"warn_explicit", as_cfunction(module_warn_explicit), METH_FASTCALL | METH_KEYWORDS,
     "warn_explicit($module, /, message, category, filename, lineno,\n              module=<unrepresentable>, registry=None,\n"
     "              module_globals=None, source=None)\n--\n\nIssue a warning, or maybe ignore it or raise an exception."},
    {"_filters_mutated_lock_held", module_filters_mutated, METH_NOARGS, "_filters_mutated_lock_held($module, /)\n--\n\n"},
    {"_acquire_lock", module_acquire_lock, METH_NOARGS, "_acquire_lock($module, /)\n--\n\n"},
    {"_release_lock", module_release_lock, METH_NOARGS, "_release_lock($module, /)\n--\n\n"},
    {},
};

PyObject* default_filters() {
  struct {
    const char* action;
    PyObject* category;
    const char* module;
  } const kFilters[] = {{"default", PyExc_DeprecationWarning, "__main__"},
                        {"ignore", PyExc_DeprecationWarning, nullptr},
                        {"ignore", PyExc_PendingDeprecationWarning, nullptr},
                        {"ignore", PyExc_ImportWarning, nullptr},
                        {"ignore", PyExc_ResourceWarning, nullptr}};
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const auto& f : kFilters) {
    Ref<> item = Ref<>::steal(Py_BuildValue("(sOOzi)", f.action, Py_None, f.category, f.module, 0));
    if (!list || !item || PyList_Append(list, item) < 0) return nullptr;
  }
  return list.release();
}

// Made at the first warning or the first import of the module, whatever comes first.
bool init_state() {
  if (state.context != nullptr) return true;
  Ref<> filters = Ref<>::steal(default_filters());
  Ref<> once = Ref<>::steal(PyDict_New());
  Ref<> action = Ref<>::steal(PyUnicode_InternFromString("default"));
  Ref<> context = Ref<>::steal(PyContextVar_New("_warnings_context", nullptr));
  if (!filters || !once || !action || !context) return false;
  sync::LockGuard<WarningsLock> lock(warnings_lock);
  if (state.context != nullptr) return true;
  sync::set_slot(&state.filters, static_cast<Ref<>&&>(filters));
  sync::set_slot(&state.once_registry, static_cast<Ref<>&&>(once));
  sync::set_slot(&state.default_action, static_cast<Ref<>&&>(action));
  sync::add_fork_hooks({nullptr, nullptr, lock_after_fork});
  __atomic_store_n(&state.context, context.release(), __ATOMIC_RELEASE);
  return true;
}

int exec(PyObject* m) {
  if (!init_state()) return -1;
  auto add = [m](const char* name, PyObject** slot) {
    Ref<> value = sync::get_ref(slot);
    return PyModule_AddObjectRef(m, name, value);
  };
  return add("filters", &state.filters) < 0 || add("_onceregistry", &state.once_registry) < 0 ||
                 add("_defaultaction", &state.default_action) < 0 || add("_warnings_context", &state.context) < 0
             ? -1
             : 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_warnings",
    .m_doc = "_warnings provides basic warning filtering support.\nIt is a helper module to speed up interpreter start-up.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyObject* warn_explicit(PyObject* category, PyObject* message, PyObject* filename, int lineno, PyObject* module,
                        PyObject* registry, PyObject* source_line, PyObject* source) {
  // Modules have no name any more while the process ends: nobody is left to decide.
  if (module == Py_None) Py_RETURN_NONE;
  if (registry == Py_None) registry = nullptr;
  if (registry != nullptr && !PyDict_Check(registry)) {
    PyErr_SetString(PyExc_TypeError, "'registry' must be a dict or None");
    return nullptr;
  }
  if (source == Py_None) source = nullptr;
  if (!init_state()) return nullptr;
  Ref<> module_name = module != nullptr ? Ref<>::share(module) : module_of_file(filename);
  if (!module_name) return nullptr;

  Ref<> instance, text;
  int is_warning = PyObject_IsInstance(message, PyExc_Warning);
  if (is_warning < 0) return nullptr;
  if (is_warning) {
    category = reinterpret_cast<PyObject*>(Py_TYPE(message));
    instance = Ref<>::share(message);
    text = Ref<>::steal(PyObject_Str(message));
    if (!text) return nullptr;
  } else {
    text = Ref<>::share(message);
    // A class of the runtime's own is only called when there is something to show.
    const bool plain = PyType_Check(category) && !(PyType_GetFlags(reinterpret_cast<PyTypeObject*>(category)) & Py_TPFLAGS_HEAPTYPE);
    if (!plain || !PyExceptionClass_Check(category)) {
      instance = Ref<>::steal(PyObject_CallOneArg(category, message));
      if (!instance) return nullptr;
    }
  }
  Ref<> keep = Ref<>::share(category);
  const Warning w = {category, text, module_name, lineno};
  const Outcome outcome = decide(w, registry);
  if (outcome == Outcome::kFailed) return nullptr;
  if (outcome == Outcome::kQuiet) Py_RETURN_NONE;
  if (!instance) instance = Ref<>::steal(PyObject_CallOneArg(category, message));
  if (!instance) return nullptr;
  if (outcome == Outcome::kRaise) {
    PyErr_SetObject(category, instance);
    return nullptr;
  }
  if (!show(w, instance, filename, source_line, source)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* warn_at_level(PyObject* category, PyObject* message, Py_ssize_t stack_level, PyObject* source,
                        PyObject* skip_prefixes) {
  Place place;
  if (!find_place(stack_level, skip_prefixes, &place)) return nullptr;
  return warn_explicit(category, message, place.filename, place.lineno, place.module, place.registry, nullptr, source);
}

}  // namespace amphis

extern "C" PyObject* PyInit__warnings(void) { return PyModuleDef_Init(&amphis::def); }
