// Extension modules: shared libraries with a PyInit_ function, and what is remembered of modules that were made in one
// phase (PEP 489 calls the newer kind multi-phase).
//
// Invariant: an entry of `known` keeps its module definition for the life of the process: the library is never unloaded.
#include "modules/import_state.h"

#include "modules/running_config.h"
#include "objects/module.h"
#include "objects/names.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstring>
#include <dlfcn.h>
#include <string>

namespace amphis {

namespace {

int dlopen_flags = RTLD_NOW;

// (path, name) -> capsule of the definition, for modules made in one phase.
PyObject* known = nullptr;

Ref<> known_key(PyObject* name, PyObject* path) { return Ref<>::steal(PyTuple_Pack(2, path, name)); }

// Whether the module declares that it does without the GIL.
bool needs_gil(PyModuleDef* def) {
  for (PyModuleDef_Slot* slot = def->m_slots; slot != nullptr && slot->slot != 0; ++slot) {
    if (slot->slot == Py_mod_gil) return slot->value != Py_MOD_GIL_NOT_USED;
  }
  return true;
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

// The name of the function to look for: PyInit_ and the last part of the module's name, in Punycode unless ASCII.
std::string init_symbol(PyObject* name) {
  Ref<> last;
  Py_ssize_t length = PyUnicode_GET_LENGTH(name);
  Py_ssize_t dot = PyUnicode_FindChar(name, '.', 0, length, -1);
  last = dot >= 0 ? Ref<>::steal(PyUnicode_Substring(name, dot + 1, length)) : Ref<>::share(name);
  if (!last) return {};
  std::string symbol = "PyInit_";
  Ref<> encoded;
  if (PyUnicode_IS_ASCII(last.get())) {
    encoded = Ref<>::steal(PyUnicode_AsASCIIString(last));
  } else {
    symbol = "PyInitU_";
    encoded = Ref<>::steal(PyUnicode_AsEncodedString(last, "punycode", nullptr));
  }
  if (!encoded) return {};
  std::string text = PyBytes_AS_STRING(encoded.get());
  for (char& c : text) {
    if (c == '-') c = '_';
  }
  return symbol + text;
}

PyObject* import_error(PyObject* name, PyObject* path, const char* text) {
  Ref<> message = Ref<>::steal(PyUnicode_DecodeLocale(text, "surrogateescape"));
  if (message) PyErr_SetImportError(message, name, path);
  return nullptr;
}

}  // namespace

int import_dlopen_flags() { return dlopen_flags; }
void set_import_dlopen_flags(int flags) { dlopen_flags = flags; }

PyObject* import_extension_suffixes() {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const char* suffix : {AMPHIS_EXT_SUFFIX, ".abi3.so", ".so"}) {
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
  Ref<> module = Ref<>::steal(def->m_base.m_init());
  if (!module || PyDict_SetItem(import_modules(), name, module) < 0) return nullptr;
  if (PyState_AddModule(module, def) < 0) return nullptr;
  return module.release();
}

PyObject* import_finish_init(PyObject* result, PyObject* name, PyObject* path, PyObject* spec, bool builtin) {
  Ref<> value = Ref<>::steal(result);
  if (PyObject_TypeCheck(value.get(), &PyModuleDef_Type)) {
    auto* def = reinterpret_cast<PyModuleDef*>(value.get());
    if (!builtin && needs_gil(def) && ensure_gil(name) < 0) return nullptr;
    return PyModule_FromDefAndSpec(def, spec);
  }
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  if (!PyModule_Check(value.get())) {
    PyErr_Format(PyExc_SystemError, "initialization of %s did not return an extension module", text);
    return nullptr;
  }
  PyModuleDef* def = PyModule_GetDef(value);
  if (def == nullptr) {
    PyErr_Format(PyExc_SystemError, "initialization of %s did not return an extension module", text);
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
  std::string symbol = init_symbol(name);
  if (!file || symbol.empty()) return nullptr;
  std::string filename = PyBytes_AS_STRING(file.get());
  // A name without a slash would be looked for in the linker's own path.
  if (filename.find('/') == std::string::npos) filename = "./" + filename;
  void* library = dlopen(filename.c_str(), dlopen_flags);
  if (library == nullptr) {
    const char* why = dlerror();
    return import_error(name, path, why != nullptr ? why : "unknown dlopen() error");
  }
  auto init = reinterpret_cast<PyObject* (*)()>(dlsym(library, symbol.c_str()));
  if (init == nullptr) {
    return import_error(name, path, ("dynamic module does not define module export function (" + symbol + ")").c_str());
  }
  PyObject* result = init();
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  if (result == nullptr) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_SystemError, "initialization of %s failed without raising an exception", text);
    }
    return nullptr;
  }
  if (PyErr_Occurred()) {
    Py_DECREF(result);
    _PyErr_FormatFromCause(PyExc_SystemError, "initialization of %s raised unreported exception", text);
    return nullptr;
  }
  if (PyModule_Check(result) && PyModule_GetDef(result) != nullptr) PyModule_GetDef(result)->m_base.m_init = init;
  return import_finish_init(result, name, path, spec, false);
}

void import_clear_extensions() { Py_CLEAR(known); }

}  // namespace amphis
