// Owns the _weakref module, what the library's weakref module is built on.
#include "objects/weakref.h"

#include "sync/ref.h"

using namespace amphis;

namespace {

PyObject* getweakrefcount(PyObject*, PyObject* object) { return PyLong_FromSsize_t(weakref_count(object)); }
PyObject* getweakrefs(PyObject*, PyObject* object) { return weakref_all(object); }

PyObject* proxy(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("proxy", nargs, 1, 2)) return nullptr;
  return PyWeakref_NewProxy(args[0], nargs > 1 ? args[1] : nullptr);
}

// 1: the value is a dead weak reference, so the item may go.
int is_dead_weakref(PyObject* value, void*) {
  if (!PyWeakref_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "not a weakref");
    return -1;
  }
  return _PyWeakref_IsDead(value);
}

PyObject* remove_dead_weakref(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("_remove_dead_weakref", nargs, 2, 2)) return nullptr;
  if (!PyDict_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "_remove_dead_weakref() argument 1 must be dict, not %.50s", Py_TYPE(args[0])->tp_name);
    return nullptr;
  }
  if (_PyDict_DelItemIf(args[0], args[1], is_dead_weakref, nullptr) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"getweakrefcount", getweakrefcount, METH_O,
     PyDoc_STR("getweakrefcount($module, object, /)\n--\n\nReturn the number of weak references to 'object'.")},
    {"getweakrefs", getweakrefs, METH_O,
     PyDoc_STR("getweakrefs($module, object, /)\n--\n\nReturn a list of all weak reference objects pointing to 'object'.")},
    {"proxy", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(proxy)), METH_FASTCALL,
     PyDoc_STR("proxy($module, object, callback=None, /)\n--\n\nCreate a proxy object that weakly references 'object'.")},
    {"_remove_dead_weakref", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(remove_dead_weakref)), METH_FASTCALL,
     PyDoc_STR("_remove_dead_weakref($module, dct, key, /)\n--\n\nAtomically remove key from dict if it points to a dead "
               "weakref.")},
    {nullptr, nullptr, 0, nullptr},
};

int exec(PyObject* module) {
  const struct {
    const char* name;
    PyTypeObject* type;
  } types[] = {{"ref", &_PyWeakref_RefType},
               {"ReferenceType", &_PyWeakref_RefType},
               {"ProxyType", &_PyWeakref_ProxyType},
               {"CallableProxyType", &_PyWeakref_CallableProxyType}};
  for (const auto& t : types)
    if (PyModule_AddObjectRef(module, t.name, reinterpret_cast<PyObject*>(t.type)) < 0) return -1;
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef weakref_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_weakref",
    .m_doc = PyDoc_STR("Weak-reference support module."),
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__weakref(void) { return PyModuleDef_Init(&weakref_module); }
