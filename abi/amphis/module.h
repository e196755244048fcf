// Owns modules and how extensions define them.
#ifndef AMPHIS_ABI_MODULE_H
#define AMPHIS_ABI_MODULE_H

#include "objects.h"

Py_BEGIN_C_DECLS

    typedef struct PyModuleDef_Base {
  PyObject_HEAD PyObject* (*m_init)(void);
  Py_ssize_t m_index;
  PyObject* m_copy;
} PyModuleDef_Base;
#define PyModuleDef_HEAD_INIT {PyObject_HEAD_INIT(_Py_NULL) _Py_NULL, 0, _Py_NULL}
struct PyModuleDef_Slot {
  int slot;
  void* value;
};
#define Py_mod_create 1
#define Py_mod_exec 2
#define Py_mod_multiple_interpreters 3
#define Py_mod_gil 4
#define _Py_mod_LAST_SLOT 4
#define Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED ((void*)0)
#define Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED ((void*)1)
#define Py_MOD_PER_INTERPRETER_GIL_SUPPORTED ((void*)2)
#define Py_MOD_GIL_USED ((void*)0)
#define Py_MOD_GIL_NOT_USED ((void*)1)
struct PyModuleDef {
  PyModuleDef_Base m_base;
  const char* m_name;
  const char* m_doc;
  Py_ssize_t m_size;
  PyMethodDef* m_methods;
  PyModuleDef_Slot* m_slots;
  traverseproc m_traverse;
  inquiry m_clear;
  freefunc m_free;
};
PyAPI_DATA(PyTypeObject) PyModule_Type;
PyAPI_DATA(PyTypeObject) PyModuleDef_Type;
#define PyModule_Check(op) PyObject_TypeCheck((op), &PyModule_Type)
#define PyModule_CheckExact(op) Py_IS_TYPE((op), &PyModule_Type)

// New references; PyModuleDef_Init borrows, being static data.
PyAPI_FUNC(PyObject*) PyModule_NewObject(PyObject* name);
PyAPI_FUNC(PyObject*) PyModule_New(const char* name);
PyAPI_FUNC(PyObject*) PyModule_Create2(PyModuleDef*, int apiver);
PyAPI_FUNC(PyObject*) PyModule_FromDefAndSpec2(PyModuleDef* def, PyObject* spec, int module_api_version);
PyAPI_FUNC(PyObject*) PyModuleDef_Init(PyModuleDef*);
#define PyModule_Create(def) PyModule_Create2((def), PYTHON_API_VERSION)
#define PyModule_FromDefAndSpec(def, spec) PyModule_FromDefAndSpec2((def), (spec), PYTHON_API_VERSION)
// The dict is borrowed, objects are new references, strings belong to the module.
PyAPI_FUNC(PyObject*) PyModule_GetDict(PyObject*);
PyAPI_FUNC(PyObject*) PyModule_GetNameObject(PyObject*);
PyAPI_FUNC(PyObject*) PyModule_GetFilenameObject(PyObject*);
PyAPI_FUNC(const char*) PyModule_GetName(PyObject*);
Py_DEPRECATED() PyAPI_FUNC(const char*) PyModule_GetFilename(PyObject*);
PyAPI_FUNC(PyModuleDef*) PyModule_GetDef(PyObject*);
PyAPI_FUNC(void*) PyModule_GetState(PyObject*);
// 0, or -1 with an exception. PyModule_Add always steals the value, PyModule_AddObject only on success,
// AddObjectRef never.
PyAPI_FUNC(int) PyModule_AddObjectRef(PyObject* mod, const char* name, PyObject* value);
PyAPI_FUNC(int) PyModule_Add(PyObject* mod, const char* name, PyObject* value);
PyAPI_FUNC(int) PyModule_AddObject(PyObject* mod, const char*, PyObject* value);
PyAPI_FUNC(int) PyModule_AddIntConstant(PyObject*, const char*, long);
PyAPI_FUNC(int) PyModule_AddStringConstant(PyObject*, const char*, const char*);
PyAPI_FUNC(int) PyModule_AddType(PyObject* module, PyTypeObject* type);
PyAPI_FUNC(int) PyModule_AddFunctions(PyObject*, PyMethodDef*);
PyAPI_FUNC(int) PyModule_SetDocString(PyObject*, const char*);
PyAPI_FUNC(int) PyModule_ExecDef(PyObject* module, PyModuleDef* def);
#define PyModule_AddIntMacro(module, name) PyModule_AddIntConstant((module), #name, (name))
#define PyModule_AddStringMacro(module, name) PyModule_AddStringConstant((module), #name, (name))
_Py_FREE_ONLY(PyAPI_FUNC(int) PyUnstable_Module_SetGIL(PyObject* module, void* gil);)
// Modules by definition, for single-phase modules: FindModule borrows.
PyAPI_FUNC(int) PyState_AddModule(PyObject*, PyModuleDef*);
PyAPI_FUNC(int) PyState_RemoveModule(PyModuleDef*);
PyAPI_FUNC(PyObject*) PyState_FindModule(PyModuleDef*);

Py_END_C_DECLS

#endif
