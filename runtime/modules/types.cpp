// _types: names for the types of objects that syntax and the runtime make, for types.py.
#include "Python.h"
#include "objects/union.h"

extern "C" PyTypeObject _PyNamespace_Type;
extern "C" PyTypeObject MethodWrapper_Type;

namespace amphis {

namespace {

int types_exec(PyObject* module) {
  const struct {
    const char* name;
    PyTypeObject* type;
  } entries[] = {
      {"AsyncGeneratorType", &PyAsyncGen_Type},
      {"BuiltinFunctionType", &PyCFunction_Type},
      {"BuiltinMethodType", &PyCFunction_Type},
      {"CapsuleType", &PyCapsule_Type},
      {"CellType", &PyCell_Type},
      {"ClassMethodDescriptorType", &PyClassMethodDescr_Type},
      {"CodeType", &PyCode_Type},
      {"CoroutineType", &PyCoro_Type},
      {"EllipsisType", &PyEllipsis_Type},
      {"FrameType", &PyFrame_Type},
      {"FunctionType", &PyFunction_Type},
      {"GeneratorType", &PyGen_Type},
      {"GenericAlias", &Py_GenericAliasType},
      {"GetSetDescriptorType", &PyGetSetDescr_Type},
      {"LambdaType", &PyFunction_Type},
      {"MappingProxyType", &PyDictProxy_Type},
      {"MemberDescriptorType", &PyMemberDescr_Type},
      {"MethodDescriptorType", &PyMethodDescr_Type},
      {"MethodType", &PyMethod_Type},
      {"MethodWrapperType", &MethodWrapper_Type},
      {"ModuleType", &PyModule_Type},
      {"NoneType", Py_TYPE(Py_None)},
      {"NotImplementedType", Py_TYPE(Py_NotImplemented)},
      {"SimpleNamespace", &_PyNamespace_Type},
      {"TracebackType", &PyTraceBack_Type},
      {"UnionType", &_PyUnion_Type},
      {"WrapperDescriptorType", &PyWrapperDescr_Type},
  };
  for (const auto& entry : entries) {
    if (PyModule_AddObjectRef(module, entry.name, reinterpret_cast<PyObject*>(entry.type)) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(types_exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef types_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_types",
    .m_doc = "Define names for built-in types.",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__types(void) { return PyModuleDef_Init(&amphis::types_def); }
