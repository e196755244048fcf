// Frozen modules: code that was compiled and marshalled at build time and needs no files.
#include "modules/import_state.h"

#include "marshal.h"
#include "modules/builtins.h"
#include "modules/running_config.h"
#include "objects/names.h"
#include "sync/ref.h"

#include <cstring>

extern "C" {
const struct _frozen* PyImport_FrozenModules = nullptr;
}

namespace amphis {

namespace {

int override_for_tests = 0;  // 1: on, -1: off, 0: as configured

// What no option turns off: without these there is no import system.
bool is_essential(const char* name) {
  for (const char* known : {"_frozen_importlib", "_frozen_importlib_external", "zipimport"}) {
    if (std::strcmp(name, known) == 0) return true;
  }
  return false;
}

bool frozen_enabled() { return override_for_tests != 0 ? override_for_tests > 0 : running_config.use_frozen_modules != 0; }

// Modules that an embedding application adds through PyImport_FrozenModules: seen as one of ours.
thread_local FrozenModule added;

const FrozenModule* find(const char* name, bool enabled_only) {
  for (const struct _frozen* p = PyImport_FrozenModules; p != nullptr && p->name != nullptr; ++p) {
    if (std::strcmp(name, p->name) != 0) continue;
    added = {p->name, p->code, p->size, p->is_package != 0, nullptr};
    return &added;
  }
  for (const FrozenModule* p = frozen_modules; p->name != nullptr; ++p) {
    if (std::strcmp(name, p->name) == 0) return !enabled_only || is_essential(name) || frozen_enabled() ? p : nullptr;
  }
  return nullptr;
}

const FrozenModule* find_object(PyObject* name, bool enabled_only) {
  if (name == nullptr || name == Py_None) return nullptr;
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) {
    PyErr_Clear();
    return nullptr;
  }
  return find(text, enabled_only);
}

PyObject* raise_missing(const char* format, PyObject* name) {
  Ref<> message = Ref<>::steal(PyUnicode_FromFormat(format, name));
  if (message) PyErr_SetImportError(message, name, nullptr);
  return nullptr;
}

PyObject* origin_of(const FrozenModule* m) {
  return m->origin != nullptr ? PyUnicode_FromString(m->origin) : Py_NewRef(Py_None);
}

PyObject* imp_find_frozen(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "withdata", nullptr};
  PyObject* name;
  int withdata = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|$p:find_frozen", const_cast<char**>(keywords), &name, &withdata)) {
    return nullptr;
  }
  const FrozenModule* m = find_object(name, true);
  if (m == nullptr || m->data == nullptr) Py_RETURN_NONE;
  Ref<> data = withdata ? Ref<>::steal(PyMemoryView_FromMemory(reinterpret_cast<char*>(const_cast<unsigned char*>(m->data)),
                                                              m->size, PyBUF_READ))
                        : Ref<>::share(Py_None);
  Ref<> origin = Ref<>::steal(origin_of(m));
  if (!data || !origin) return nullptr;
  return Py_BuildValue("(ONO)", data.get(), PyBool_FromLong(m->is_package), origin.get());
}

PyObject* imp_get_frozen_object(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("get_frozen_object", nargs, 1, 2)) return nullptr;
  PyObject* name = args[0];
  if (!PyUnicode_Check(name)) {
    _PyArg_BadArgument("get_frozen_object", "argument 1", "str", name);
    return nullptr;
  }
  if (nargs > 1 && args[1] != Py_None) {
    Py_buffer buffer;
    if (PyObject_GetBuffer(args[1], &buffer, PyBUF_SIMPLE) < 0) return nullptr;
    if (buffer.len == 0) {
      PyBuffer_Release(&buffer);
      return raise_missing("Frozen object named %R is invalid", name);
    }
    PyObject* code = PyMarshal_ReadObjectFromString(static_cast<const char*>(buffer.buf), buffer.len);
    PyBuffer_Release(&buffer);
    if (code == nullptr) {
      PyErr_Clear();
      return raise_missing("Frozen object named %R is invalid", name);
    }
    if (!PyCode_Check(code)) {
      PyErr_Format(PyExc_TypeError, "frozen object %R is not a code object", name);
      Py_CLEAR(code);
    }
    return code;
  }
  const FrozenModule* m = find_object(name, true);
  if (m == nullptr || m->data == nullptr) return raise_missing("No such frozen object named %R", name);
  return import_frozen_code(m);
}

PyObject* imp_is_frozen_package(PyObject*, PyObject* name) {
  const FrozenModule* m = PyUnicode_Check(name) ? find_object(name, true) : nullptr;
  if (m == nullptr || m->data == nullptr) return raise_missing("No such frozen object named %R", name);
  return PyBool_FromLong(m->is_package);
}

PyObject* imp_is_frozen(PyObject*, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    _PyArg_BadArgument("is_frozen", "argument", "str", name);
    return nullptr;
  }
  const FrozenModule* m = find_object(name, true);
  return PyBool_FromLong(m != nullptr && m->data != nullptr);
}

PyObject* imp_init_frozen(PyObject*, PyObject* name) {
  int found = PyImport_ImportFrozenModuleObject(name);
  if (found < 0) return nullptr;
  return found == 0 ? Py_NewRef(Py_None) : PyImport_AddModuleRef(PyUnicode_AsUTF8(name));
}

PyObject* imp_frozen_module_names(PyObject*, PyObject*) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const FrozenModule* p = frozen_modules; list && p->name != nullptr; ++p) {
    Ref<> name = Ref<>::steal(PyUnicode_FromString(p->name));
    if (!name || PyList_Append(list, name) < 0) return nullptr;
  }
  return list.release();
}

PyObject* imp_override_frozen(PyObject*, PyObject* arg) {
  int value = PyLong_AsInt(arg);
  if (value == -1 && PyErr_Occurred()) return nullptr;
  override_for_tests = value;
  Py_RETURN_NONE;
}

}  // namespace

const FrozenModule* import_find_frozen(PyObject* name) { return find_object(name, true); }

PyObject* import_frozen_code(const FrozenModule* m) {
  Ref<> code = Ref<>::steal(PyMarshal_ReadObjectFromString(reinterpret_cast<const char*>(m->data), m->size));
  if (!code) return nullptr;
  if (!PyCode_Check(code.get())) {
    PyErr_Format(PyExc_TypeError, "frozen object '%s' is not a code object", m->name);
    return nullptr;
  }
  return code.release();
}

PyMethodDef import_frozen_methods[] = {
    {"_frozen_module_names", imp_frozen_module_names, METH_NOARGS,
     "_frozen_module_names($module, /)\n--\n\nReturns the list of available frozen modules."},
    {"_override_frozen_modules_for_tests", imp_override_frozen, METH_O,
     "_override_frozen_modules_for_tests($module, override, /)\n--\n\n(internal-only) Override PyConfig.use_frozen_modules."},
    {"find_frozen", as_cfunction(imp_find_frozen), METH_VARARGS | METH_KEYWORDS,
     "find_frozen($module, name, /, *, withdata=False)\n--\n\nReturn info about the corresponding frozen module (if there "
     "is one) or None."},
    {"get_frozen_object", as_cfunction(imp_get_frozen_object), METH_FASTCALL,
     "get_frozen_object($module, name, data=None, /)\n--\n\nCreate a code object for a frozen module."},
    {"init_frozen", imp_init_frozen, METH_O, "init_frozen($module, name, /)\n--\n\nInitializes a frozen module."},
    {"is_frozen", imp_is_frozen, METH_O,
     "is_frozen($module, name, /)\n--\n\nReturns True if the module name corresponds to a frozen module."},
    {"is_frozen_package", imp_is_frozen_package, METH_O,
     "is_frozen_package($module, name, /)\n--\n\nReturns True if the module name is of a frozen package."},
    {},
};

}  // namespace amphis

using namespace amphis;

extern "C" {

int PyImport_ImportFrozenModuleObject(PyObject* name) {
  const FrozenModule* m = find_object(name, true);
  if (m == nullptr) return 0;
  if (m->data == nullptr) {
    PyErr_Format(PyExc_ImportError, "Excluded frozen object named %R", name);
    return -1;
  }
  Ref<> code = Ref<>::steal(import_frozen_code(m));
  if (!code) return -1;
  if (m->is_package) {
    Ref<> module = Ref<>::share(PyImport_AddModuleObject(name));
    Ref<> path = Ref<>::steal(PyList_New(0));
    if (!module || !path || PyDict_SetItem(PyModule_GetDict(module), names.dunder_path, path) < 0) return -1;
  }
  Ref<> module = Ref<>::steal(PyImport_ExecCodeModuleObject(name, code, nullptr, nullptr));
  if (!module) return -1;
  Ref<> origin = Ref<>::steal(origin_of(m));
  return !origin || PyObject_SetAttrString(module, "__origname__", origin) < 0 ? -1 : 1;
}

int PyImport_ImportFrozenModule(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_InternFromString(name));
  return text ? PyImport_ImportFrozenModuleObject(text) : -1;
}

}  // extern "C"
