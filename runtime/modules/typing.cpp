// _typing: the native types behind typing.py.
#include "objects/typing_types.h"
#include "objects/union.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* idfunc(PyObject*, PyObject* x) { return Py_NewRef(x); }

PyMethodDef methods[] = {
    {"_idfunc", idfunc, METH_O, nullptr},
    {},
};

int typing_exec(PyObject* module) {
  PyObject* generic = generic_type();
  if (generic == nullptr) return -1;
  const struct {
    const char* name;
    PyObject* value;
  } entries[] = {
      {"TypeVar", reinterpret_cast<PyObject*>(&TypeVar_Type)},
      {"ParamSpec", reinterpret_cast<PyObject*>(&ParamSpec_Type)},
      {"TypeVarTuple", reinterpret_cast<PyObject*>(&TypeVarTuple_Type)},
      {"ParamSpecArgs", reinterpret_cast<PyObject*>(&ParamSpecArgs_Type)},
      {"ParamSpecKwargs", reinterpret_cast<PyObject*>(&ParamSpecKwargs_Type)},
      {"TypeAliasType", reinterpret_cast<PyObject*>(&TypeAliasType_Type)},
      {"Generic", generic},
      {"Union", reinterpret_cast<PyObject*>(&_PyUnion_Type)},
      {"NoDefault", &no_default_object},
  };
  union_admit(&TypeAliasType_Type);
  for (const auto& e : entries) {
    if (PyModule_AddObjectRef(module, e.name, e.value) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(typing_exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef typing_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_typing",
    .m_doc = "Primitives and accelerators for the typing module.\n",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__typing(void) { return PyModuleDef_Init(&amphis::typing_def); }
