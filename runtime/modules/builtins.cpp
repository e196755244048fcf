// The builtins module: its namespace.
#include "modules/builtins.h"

#include "interp/frame_variables.h"
#include "objects/exceptions_init.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyModuleDef builtins_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "builtins",
    .m_doc = "Built-in functions, types, exceptions, and other objects.\n\nThis module provides direct access to all "
             "'built-in'\nidentifiers of Python; for example, builtins.len is\nthe full name for the built-in function "
             "len().\n\nThis module is not normally accessed explicitly by most\napplications, but can be useful in "
             "modules that provide\nobjects with the same name as a builtin and need to define\na different one.",
    .m_size = -1,
};

PyObject* builtins_dict = nullptr;

struct NamedType {
  const char* name;
  PyTypeObject* type;
};

}  // namespace

PyObject* interpreter_builtins() { return builtins_dict; }
void builtins_forget() { Py_CLEAR(builtins_dict); }

PyObject* builtins_create() {
  Ref<> module = Ref<>::steal(PyModule_Create(&builtins_def));
  if (!module) return nullptr;
  builtins_announce();
  for (PyMethodDef* table : {builtins_object_methods, builtins_iterate_methods, builtins_code_methods}) {
    if (PyModule_AddFunctions(module, table) < 0) return nullptr;
  }
  const NamedType types[] = {
      {"bool", &PyBool_Type},         {"bytearray", &PyByteArray_Type}, {"bytes", &PyBytes_Type},
      {"classmethod", &PyClassMethod_Type}, {"complex", &PyComplex_Type}, {"dict", &PyDict_Type},
      {"enumerate", &PyEnum_Type},    {"filter", &PyFilter_Type},       {"float", &PyFloat_Type},
      {"frozenset", &PyFrozenSet_Type}, {"int", &PyLong_Type},          {"list", &PyList_Type},
      {"map", &PyMap_Type},           {"memoryview", &PyMemoryView_Type}, {"object", &PyBaseObject_Type},
      {"property", &PyProperty_Type}, {"range", &PyRange_Type},         {"reversed", &PyReversed_Type},
      {"set", &PySet_Type},           {"slice", &PySlice_Type},         {"staticmethod", &PyStaticMethod_Type},
      {"str", &PyUnicode_Type},       {"super", &PySuper_Type},         {"tuple", &PyTuple_Type},
      {"type", &PyType_Type},         {"zip", &PyZip_Type},
  };
  for (const NamedType& t : types) {
    if (PyModule_AddObjectRef(module, t.name, reinterpret_cast<PyObject*>(t.type)) < 0) return nullptr;
  }
  const struct {
    const char* name;
    PyObject* value;
  } constants[] = {{"None", Py_None},   {"Ellipsis", Py_Ellipsis}, {"NotImplemented", Py_NotImplemented},
                   {"False", Py_False}, {"True", Py_True}};
  for (const auto& c : constants) {
    if (PyModule_AddObjectRef(module, c.name, c.value) < 0) return nullptr;
  }
  Py_XSETREF(builtins_dict, Py_NewRef(PyModule_GetDict(module)));
  if (add_exceptions_to(builtins_dict) < 0) return nullptr;
  return module.release();
}

}  // namespace amphis
