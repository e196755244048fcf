// Extension modules: shared libraries with a PyInit_ or PyModExport_ function, and what is remembered of modules that were made in one
// phase (PEP 489 calls the newer kind multi-phase).
//
// Invariant: an entry of `known` keeps its module definition for the life of the process: the library is never unloaded.
#include "modules/import_state.h"

#include "checked/checked.h"
#include "gc/gc.h"
#include "modules/import_binary.h"
#include "modules/running_config.h"
#include "objects/module.h"
#include "objects/names.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstring>
#include <dlfcn.h>
#include <string>
#include <unordered_set>
#include <utility>

namespace amphis {

namespace {

int dlopen_flags = RTLD_NOW;

// (path, name) -> capsule of the definition, for modules made in one phase.
PyObject* known = nullptr;

Ref<> known_key(PyObject* name, PyObject* path) { return Ref<>::steal(PyTuple_Pack(2, path, name)); }

PyObject* import_error(PyObject* name, PyObject* path, const char* text) {
  Ref<> message = Ref<>::steal(PyUnicode_DecodeLocale(text, "surrogateescape"));
  if (message) PyErr_SetImportError(message, name, path);
  return nullptr;
}

// The file names of the libraries that were loaded. As they are never unloaded, the linker gives the same library for the same
// name again, whatever has become of the file.
std::unordered_set<std::string> loaded;
sync::Mutex loaded_mutex;

// The library, or null with ImportError. Loading runs its constructors: what belongs to the other variant is refused before.
void* load_library(const std::string& filename, PyObject* name, PyObject* path) {
  bool before;
  {
    sync::MutexLock lock(loaded_mutex);
    before = loaded.contains(filename);
  }
  if (!before) {
    const Examined file = examine_extension(filename);
    if (!file.refused.empty()) {
      import_error(name, path, file.refused.c_str());
      return nullptr;
    }
    if (file.foreign) gc::forget_ages();
  }
  void* library = dlopen(filename.c_str(), dlopen_flags);
  if (library == nullptr) {
    const char* why = dlerror();
    import_error(name, path, why != nullptr ? why : "unknown dlopen() error");
  } else if (!before) {
    checked::watch_libraries();
    sync::MutexLock lock(loaded_mutex);
    loaded.insert(filename);
  }
  return library;
}

// The free-threaded build turns the GIL on for a library that does not say it can live without.
int ensure_gil(PyObject* name) {
  if (sync::gil_enabled() || gil_request == 0 || !sync::enable_gil(true)) return 0;
  return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                          "The global interpreter lock (GIL) has been enabled to load module '%U', which has not "
                          "declared that it can run safely without the GIL. To override this behavior and keep the GIL "
                          "disabled (at your own risk), run with PYTHON_GIL=0 or -Xgil=0.",
                          name);
}

// What the functions to look for end in: '_' and the last part of the module's name, or "U_" and its Punycode unless it is
// ASCII. Empty with an exception.
std::string symbol_ending(PyObject* name) {
  Ref<> last;
  Py_ssize_t length = PyUnicode_GET_LENGTH(name);
  Py_ssize_t dot = PyUnicode_FindChar(name, '.', 0, length, -1);
  last = dot >= 0 ? Ref<>::steal(PyUnicode_Substring(name, dot + 1, length)) : Ref<>::share(name);
  if (!last) return {};
  std::string symbol = "_";
  Ref<> encoded;
  if (PyUnicode_IS_ASCII(last.get())) {
    encoded = Ref<>::steal(PyUnicode_AsASCIIString(last));
  } else {
    symbol = "U_";
    encoded = Ref<>::steal(PyUnicode_AsEncodedString(last, "punycode", nullptr));
  }
  if (!encoded) return {};
  std::string text = PyBytes_AS_STRING(encoded.get());
  for (char& c : text) {
    if (c == '-') c = '_';
  }
  return symbol + text;
}

}  // namespace

int import_dlopen_flags() { return dlopen_flags; }
void set_import_dlopen_flags(int flags) { dlopen_flags = flags; }

PyObject* import_extension_suffixes() {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const char* suffix : {AMPHIS_EXT_SUFFIX, ".abi3t.so", ".abi3.so", ".so"}) {
    if (AMPHIS_ABIFLAGS[0] != '\0' && std::strcmp(suffix, ".abi3.so") == 0) continue;
    Ref<> text = Ref<>::steal(PyUnicode_FromString(suffix));
    if (!list || !text || PyList_Append(list, text) < 0) return nullptr;
  }
  return list.release();
}

PyObject* import_reload_extension(PyObject* name, PyObject* path) {
  if (known == nullptr) return nullptr;
  Ref<> key = known_key(name, path);
  PyObject* found;
  if (!key || PyDict_GetItemRef(known, key, &found) <= 0) return nullptr;
  Ref<> capsule = Ref<>::steal(found);
  auto* def = static_cast<PyModuleDef*>(PyCapsule_GetPointer(capsule, "amphis.module_def"));
  if (def == nullptr) return nullptr;
  if (def->m_size == -1) {
    // Such a module exists once: a new module object gets the contents of the first.
    if (def->m_base.m_copy == nullptr) return nullptr;
    Ref<> module = Ref<>::share(PyImport_AddModuleObject(name));
    if (!module) return nullptr;
    PyObject* dict = PyModule_GetDict(module);
    if (dict == nullptr || PyDict_Update(dict, def->m_base.m_copy) < 0) return nullptr;
    return module.release();
  }
  if (def->m_base.m_init == nullptr) return nullptr;
  PyObject* outer = std::exchange(package_context, name);
  Ref<> module = Ref<>::steal(def->m_base.m_init());
  package_context = outer;
  if (!module || PyDict_SetItem(import_modules(), name, module) < 0) return nullptr;
  if (PyState_AddModule(module, def) < 0) return nullptr;
  return module.release();
}

PyObject* import_finish_init(PyObject* result, PyObject* name, PyObject* path, PyObject* spec, bool builtin) {
  if (PyObject_TypeCheck(result, &PyModuleDef_Type)) {
    // Static data, lent: its count is whatever its author wrote.
    auto* def = reinterpret_cast<PyModuleDef*>(result);
    if (builtin) return PyModule_FromDefAndSpec(def, spec);
    const char* text = PyUnicode_AsUTF8(name);
    ModuleSlots slots;
    if (text == nullptr || read_module_slots(def->m_slots, text, &slots) < 0) return nullptr;
    if (slots.gil != Py_MOD_GIL_NOT_USED && ensure_gil(name) < 0) return nullptr;
    return PyModule_FromDefAndSpec(def, spec);
  }
  Ref<> value = Ref<>::steal(result);
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  if (!PyUnicode_IS_ASCII(name)) {
    PyErr_Format(PyExc_SystemError, "initialization of %s did not return PyModuleDef", text);
    return nullptr;
  }
  if (!PyModule_Check(value.get())) {
    PyErr_Format(PyExc_SystemError, "initialization of %s did not return an extension module", text);
    return nullptr;
  }
  PyModuleDef* def = PyModule_GetDef(value);
  if (def == nullptr) {
    PyErr_Format(PyExc_SystemError, "initialization of %s did not return a valid extension module", text);
    return nullptr;
  }
  if (!builtin) {
    bool without_gil = reinterpret_cast<ModuleObject*>(value.get())->md_gil == Py_MOD_GIL_NOT_USED;
    if ((!without_gil && ensure_gil(name) < 0) || PyModule_AddObjectRef(value, "__file__", path) < 0) return nullptr;
  }
  if (def->m_size == -1 && def->m_base.m_copy == nullptr) {
    def->m_base.m_copy = PyDict_Copy(PyModule_GetDict(value));
    if (def->m_base.m_copy == nullptr) return nullptr;
  }
  if (PyState_AddModule(value, def) < 0) return nullptr;
  if (known == nullptr) known = PyDict_New();
  Ref<> key = known_key(name, path);
  Ref<> capsule = Ref<>::steal(PyCapsule_New(def, "amphis.module_def", nullptr));
  if (known == nullptr || !key || !capsule || PyDict_SetItem(known, key, capsule) < 0) return nullptr;
  return value.release();
}

namespace {

// PEP 793: the library gives slots, no object.
PyObject* module_from_export(PyModuleDef_Slot* (*hook)(), PyObject* name, PyObject* spec) {
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  PyModuleDef_Slot* array = hook();
  if (array == nullptr) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_SystemError, "slot export function for module %s failed without setting an exception", text);
    }
    return nullptr;
  }
  if (PyErr_Occurred()) {
    _PyErr_FormatFromCause(PyExc_SystemError, "slot export function for module %s raised unreported exception", text);
    return nullptr;
  }
  ModuleSlots slots;
  if (read_module_slots(array, text, &slots) < 0) return nullptr;
  if (slots.gil != Py_MOD_GIL_NOT_USED && ensure_gil(name) < 0) return nullptr;
  return PyModule_FromSlotsAndSpec(array, spec);
}

// Runs an init function; a new reference to what it returned, which is no wilder than an object with a type.
PyObject* run_init(PyObject* (*init)(), PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  PyObject* outer = std::exchange(package_context, name);
  PyObject* result = init();
  package_context = outer;
  if (result == nullptr) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_SystemError, "initialization of %s failed without raising an exception", text);
    }
    return nullptr;
  }
  // A definition that nobody passed to PyModuleDef_Init.
  const bool untyped = Py_TYPE(result) == nullptr;
  if (PyErr_Occurred()) {
    if (!untyped && !PyObject_TypeCheck(result, &PyModuleDef_Type)) Py_DECREF(result);
    _PyErr_FormatFromCause(PyExc_SystemError, "initialization of %s raised unreported exception", text);
    return nullptr;
  }
  if (untyped) {
    PyErr_Format(PyExc_SystemError, "init function of %s returned uninitialized object", text);
    return nullptr;
  }
  return result;
}

}  // namespace

PyObject* import_create_dynamic(PyObject* spec) {
  Ref<> name = Ref<>::steal(PyObject_GetAttrString(spec, "name"));
  if (!name) return nullptr;
  if (!PyUnicode_Check(name.get())) {
    PyErr_SetString(PyExc_TypeError, "name must be a string");
    return nullptr;
  }
  Ref<> path = Ref<>::steal(PyObject_GetAttrString(spec, "origin"));
  if (!path) return nullptr;
  PyObject* again = import_reload_extension(name, path);
  if (again != nullptr || PyErr_Occurred()) return again;
  if (PySys_Audit("import", "OOOOO", name.get(), path.get(), Py_None, Py_None, Py_None) < 0) return nullptr;

  Ref<> file = Ref<>::steal(PyUnicode_EncodeFSDefault(path));
  std::string ending = symbol_ending(name);
  if (!file || ending.empty()) return nullptr;
  std::string filename = PyBytes_AS_STRING(file.get());
  // A name without a slash would be looked for in the linker's own path.
  if (filename.find('/') == std::string::npos) filename = "./" + filename;
  void* library = load_library(filename, name, path);
  if (library == nullptr) return nullptr;
  if (auto hook = reinterpret_cast<PyModuleDef_Slot* (*)()>(dlsym(library, ("PyModExport" + ending).c_str()))) {
    return module_from_export(hook, name, spec);
  }
  std::string symbol = "PyInit" + ending;
  auto init = reinterpret_cast<PyObject* (*)()>(dlsym(library, symbol.c_str()));
  if (init == nullptr) {
    return import_error(name, path, ("dynamic module does not define module export function (" + symbol + ")").c_str());
  }
  PyObject* result = run_init(init, name);
  if (result == nullptr) return nullptr;
  if (PyModule_Check(result) && PyModule_GetDef(result) != nullptr) PyModule_GetDef(result)->m_base.m_init = init;
  return import_finish_init(result, name, path, spec, false);
}

void import_clear_extensions() { Py_CLEAR(known); }

}  // namespace amphis
