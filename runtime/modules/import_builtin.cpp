// The table of compiled-in modules and how they are made.
#include "modules/import_state.h"

#include "base/assert.h"
#include "modules/builtins.h"
#include "modules/sys.h"
#include "objects/names.h"
#include "sync/ref.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#define AMPHIS_BUILTIN_MODULE(name, init) PyObject* init(void);
#include "modules/builtin_modules.def"
#undef AMPHIS_BUILTIN_MODULE

static struct _inittab own_table[] = {
#define AMPHIS_BUILTIN_MODULE(name, init) {name, init},
#include "modules/builtin_modules.def"
#undef AMPHIS_BUILTIN_MODULE
    {"sys", nullptr},  // made by start-up
    {"builtins", nullptr},
    {nullptr, nullptr},
};
struct _inittab* PyImport_Inittab = own_table;
}

namespace amphis {

namespace {

const struct _inittab* find(PyObject* name) {
  for (const struct _inittab* p = PyImport_Inittab; p->name != nullptr; ++p) {
    if (_PyUnicode_EqualToASCIIString(name, p->name)) return p;
  }
  return nullptr;
}

}  // namespace

PyObject* import_builtin_names() {
  std::vector<std::string> sorted;
  for (const struct _inittab* p = PyImport_Inittab; p->name != nullptr; ++p) sorted.emplace_back(p->name);
  std::sort(sorted.begin(), sorted.end());
  Ref<> tuple = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(sorted.size())));
  for (size_t i = 0; tuple && i < sorted.size(); ++i) {
    PyObject* item = PyUnicode_InternFromString(sorted[i].c_str());
    if (item == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), item);
  }
  return tuple.release();
}

int import_is_builtin(PyObject* name) {
  const struct _inittab* entry = find(name);
  if (entry == nullptr) return 0;
  return entry->initfunc == nullptr ? -1 : 1;
}

PyObject* import_create_builtin(PyObject* name, PyObject* spec) {
  PyObject* known = import_reload_extension(name, name);
  if (known != nullptr || PyErr_Occurred()) return known;
  const struct _inittab* entry = find(name);
  if (entry == nullptr) Py_RETURN_NONE;
  if (entry->initfunc == nullptr) return PyImport_AddModuleRef(entry->name);
  PyObject* result = entry->initfunc();
  if (result == nullptr) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_SystemError, "initialization of %s failed without raising an exception", entry->name);
    return nullptr;
  }
  return import_finish_init(result, name, name, spec, true);
}

PyObject* import_builtin_early(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_InternFromString(name));
  Ref<> attributes = text ? Ref<>::steal(Py_BuildValue("{sO}", "name", text.get())) : Ref<>();
  Ref<> spec = attributes ? Ref<>::steal(_PyNamespace_New(attributes)) : Ref<>();
  if (!spec) return nullptr;
  Ref<> module = Ref<>::steal(import_create_builtin(text, spec));
  if (!module) return nullptr;
  if (module.get() == Py_None) {
    PyErr_Format(PyExc_ModuleNotFoundError, "No module named '%s'", name);
    return nullptr;
  }
  if (PyModule_Check(module.get()) && PyModule_GetDef(module) != nullptr && PyModule_GetState(module) == nullptr &&
      PyModule_ExecDef(module, PyModule_GetDef(module)) < 0) {
    return nullptr;
  }
  if (PyDict_SetItem(import_modules(), text, module) < 0) return nullptr;
  return module.release();
}

}  // namespace amphis

extern "C" {

int PyImport_ExtendInittab(struct _inittab* more) {
  if (Py_IsInitialized()) Py_FatalError("PyImport_ExtendInittab() may not be called after Py_Initialize()");
  size_t old_count = 0, new_count = 0;
  while (PyImport_Inittab[old_count].name != nullptr) ++old_count;
  while (more[new_count].name != nullptr) ++new_count;
  if (new_count == 0) return 0;
  // The old table stays where it is for those who hold a pointer to it; tables are few.
  auto* table = static_cast<struct _inittab*>(PyMem_RawMalloc((old_count + new_count + 1) * sizeof(struct _inittab)));
  if (table == nullptr) return -1;
  memcpy(table, PyImport_Inittab, old_count * sizeof *table);
  memcpy(table + old_count, more, (new_count + 1) * sizeof *table);
  PyImport_Inittab = table;
  return 0;
}

int PyImport_AppendInittab(const char* name, PyObject* (*initfunc)(void)) {
  struct _inittab more[2] = {{name, initfunc}, {nullptr, nullptr}};
  return PyImport_ExtendInittab(more);
}

}  // extern "C"
