// The _imp module: what importlib needs from the runtime.
#include "modules/builtins.h"
#include "modules/import_state.h"
#include "modules/running_config.h"
#include "objects/hash.h"
#include "objects/module.h"
#include "objects/names.h"
#include "sync/mutex.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* imp_lock_held(PyObject*, PyObject*) { return PyBool_FromLong(import_lock_held()); }

PyObject* imp_acquire_lock(PyObject*, PyObject*) {
  import_lock_acquire();
  Py_RETURN_NONE;
}

PyObject* imp_release_lock(PyObject*, PyObject*) {
  if (!import_lock_release()) {
    PyErr_SetString(PyExc_RuntimeError, "not holding the import lock");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* imp_extension_suffixes(PyObject*, PyObject*) { return import_extension_suffixes(); }

PyObject* imp_is_builtin(PyObject*, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    _PyArg_BadArgument("is_builtin", "argument", "str", name);
    return nullptr;
  }
  return PyLong_FromLong(import_is_builtin(name));
}

PyObject* imp_create_builtin(PyObject*, PyObject* spec) {
  Ref<> name = Ref<>::steal(PyObject_GetAttr(spec, names.str_name));
  if (!name) return nullptr;
  if (!PyUnicode_Check(name.get())) {
    PyErr_Format(PyExc_TypeError, "name must be string, not %.200s", Py_TYPE(name.get())->tp_name);
    return nullptr;
  }
  return import_create_builtin(name, spec);
}

// Runs the second phase of a module that has one and has not had it.
PyObject* imp_exec_module(PyObject*, PyObject* module) {
  if (!PyModule_Check(module)) return PyLong_FromLong(0);
  if (!module_is_native(module) || PyModule_GetState(module) != nullptr) return PyLong_FromLong(0);
  return PyModule_Exec(module) < 0 ? nullptr : PyLong_FromLong(0);
}

PyObject* imp_create_dynamic(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("create_dynamic", nargs, 1, 2)) return nullptr;
  return import_create_dynamic(args[0]);
}

// Code objects are shared by reference with their constants: walk through nested ones that came from the same file.
void fix_filename(PyObject* op, PyObject* old_name, PyObject* new_name) {
  auto* code = reinterpret_cast<PyCodeObject*>(op);
  if (!_PyUnicode_Equal(code->co_filename, old_name)) return;
  PyObject* previous = code->co_filename;
  code->co_filename = Py_NewRef(new_name);
  Py_DECREF(previous);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); ++i) {
    PyObject* constant = PyTuple_GET_ITEM(code->co_consts, i);
    if (PyCode_Check(constant)) fix_filename(constant, old_name, new_name);
  }
}

PyObject* imp_fix_co_filename(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("_fix_co_filename", nargs, 2, 2)) return nullptr;
  if (!PyCode_Check(args[0])) {
    _PyArg_BadArgument("_fix_co_filename", "argument 1", "code", args[0]);
    return nullptr;
  }
  if (!PyUnicode_Check(args[1])) {
    _PyArg_BadArgument("_fix_co_filename", "argument 2", "str", args[1]);
    return nullptr;
  }
  Ref<> old_name = Ref<>::share(reinterpret_cast<PyCodeObject*>(args[0])->co_filename);
  if (!_PyUnicode_Equal(old_name, args[1])) fix_filename(args[0], old_name, args[1]);
  Py_RETURN_NONE;
}

PyObject* imp_source_hash(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"key", "source", nullptr};
  long key;
  Py_buffer source;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ly*:source_hash", const_cast<char**>(keywords), &key, &source)) {
    return nullptr;
  }
  uint64_t hash = siphash13(static_cast<uint64_t>(key), 0, source.buf, source.len);
  PyBuffer_Release(&source);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&hash), sizeof hash);
}

PyObject* imp_override_multi_interp(PyObject*, PyObject* arg) {
  int value = PyLong_AsInt(arg);
  if (value == -1 && PyErr_Occurred()) return nullptr;
  PyErr_SetString(PyExc_RuntimeError, "_imp._override_multi_interp_extensions_check() cannot be used in the main interpreter");
  return nullptr;
}

PyMethodDef imp_methods[] = {
    {"_fix_co_filename", as_cfunction(imp_fix_co_filename), METH_FASTCALL,
     "_fix_co_filename($module, code, path, /)\n--\n\nChanges code.co_filename to specify the passed-in file path."},
    {"_override_multi_interp_extensions_check", imp_override_multi_interp, METH_O,
     "_override_multi_interp_extensions_check($module, override, /)\n--\n\n(internal-only) Override "
     "PyInterpreterConfig.check_multi_interp_extensions."},
    {"acquire_lock", imp_acquire_lock, METH_NOARGS,
     "acquire_lock($module, /)\n--\n\nAcquires the interpreter's import lock for the current thread."},
    {"create_builtin", imp_create_builtin, METH_O, "create_builtin($module, spec, /)\n--\n\nCreate an extension module."},
    {"create_dynamic", as_cfunction(imp_create_dynamic), METH_FASTCALL,
     "create_dynamic($module, spec, file=None, /)\n--\n\nCreate an extension module."},
    {"exec_builtin", imp_exec_module, METH_O, "exec_builtin($module, mod, /)\n--\n\nInitialize a built-in module."},
    {"exec_dynamic", imp_exec_module, METH_O, "exec_dynamic($module, mod, /)\n--\n\nInitialize an extension module."},
    {"extension_suffixes", imp_extension_suffixes, METH_NOARGS,
     "extension_suffixes($module, /)\n--\n\nReturns the list of file suffixes used to identify extension modules."},
    {"is_builtin", imp_is_builtin, METH_O,
     "is_builtin($module, name, /)\n--\n\nReturns True if the module name corresponds to a built-in module."},
    {"lock_held", imp_lock_held, METH_NOARGS, "lock_held($module, /)\n--\n\nReturn True if the import lock is currently held, else False."},
    {"release_lock", imp_release_lock, METH_NOARGS,
     "release_lock($module, /)\n--\n\nRelease the interpreter's import lock."},
    {"source_hash", as_cfunction(imp_source_hash), METH_VARARGS | METH_KEYWORDS,
     "source_hash($module, /, key, source)\n--\n\n"},
    {},
};

int imp_exec(PyObject* module) {
  if (PyModule_AddFunctions(module, import_frozen_methods) < 0 ||
      PyModule_AddIntConstant(module, "pyc_magic_number_token", PyImport_GetMagicNumber()) < 0) {
    return -1;
  }
  const wchar_t* mode = running_config.check_hash_pycs_mode;
  return PyModule_Add(module, "check_hash_based_pycs", PyUnicode_FromWideChar(mode != nullptr ? mode : L"default", -1));
}

PyModuleDef_Slot imp_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(imp_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef imp_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_imp",
    .m_doc = "(Extremely) low-level import machinery bits as used by importlib.",
    .m_size = 0,
    .m_methods = imp_methods,
    .m_slots = imp_slots,
};

}  // namespace

}  // namespace amphis

extern "C" PyObject* PyInit__imp(void) { return PyModuleDef_Init(&amphis::imp_def); }
