// Owns modules and how extensions define them.
#ifndef AMPHIS_ABI_MODULE_H
#define AMPHIS_ABI_MODULE_H

#include "objects.h"

Py_BEGIN_C_DECLS

struct PyModuleDef_Slot {
  int slot;
  void* value;
};
#define Py_mod_create 1
#define Py_mod_exec 2
#if _Py_SINCE(3, 12)
#define Py_mod_multiple_interpreters 3
#define Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED ((void*)0)
#define Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED ((void*)1)
#define Py_MOD_PER_INTERPRETER_GIL_SUPPORTED ((void*)2)
#endif
#if _Py_SINCE(3, 13)
#define Py_mod_gil 4
#define Py_MOD_GIL_USED ((void*)0)
#define Py_MOD_GIL_NOT_USED ((void*)1)
#endif

#ifdef _Py_HAVE_PEP793
// ---- modules from slots (PEP 793): no definition, hence no object, is part of the binary ----
#define Py_mod_abi 5             // PyABIInfo*: what the binary was built for; checked before anything else is done
#define Py_mod_name 6            // const char*
#define Py_mod_doc 7             // const char*
#define Py_mod_state_size 8      // Py_ssize_t, cast
#define Py_mod_methods 9         // PyMethodDef*
#define Py_mod_state_traverse 10
#define Py_mod_state_clear 11
#define Py_mod_state_free 12
#define Py_mod_token 13          // an address that identifies the module for PyType_GetModuleByToken
#define _Py_mod_LAST_SLOT 13
#define PyMODEXPORT_FUNC _Py_EXTERN_C Py_EXPORTED_SYMBOL PyModuleDef_Slot*

typedef struct PyABIInfo {
  uint8_t abiinfo_major_version;  // 1; 0: unchecked
  uint8_t abiinfo_minor_version;
  uint16_t flags;
  uint32_t build_version;  // of the headers
  uint32_t abi_version;    // the oldest stable ABI that will do
} PyABIInfo;
#define PyABIInfo_STABLE 0x0001
#define PyABIInfo_GIL 0x0002
#define PyABIInfo_FREETHREADED 0x0004
#define PyABIInfo_INTERNAL 0x0008
#define PyABIInfo_FREETHREADING_AGNOSTIC (PyABIInfo_GIL | PyABIInfo_FREETHREADED)
#if defined(_Py_OPAQUE_PYOBJECT)
#define PyABIInfo_DEFAULT_FLAGS (PyABIInfo_STABLE | PyABIInfo_FREETHREADING_AGNOSTIC)
#define PyABIInfo_DEFAULT_ABI_VERSION _Py_API_VERSION
#elif defined(Py_LIMITED_API)
#define PyABIInfo_DEFAULT_FLAGS (PyABIInfo_STABLE | PyABIInfo_GIL)
#define PyABIInfo_DEFAULT_ABI_VERSION _Py_API_VERSION
#else
#define PyABIInfo_DEFAULT_FLAGS (_Py_FREE_ONLY(PyABIInfo_FREETHREADED) _Py_GIL_ONLY(PyABIInfo_GIL))
#define PyABIInfo_DEFAULT_ABI_VERSION PY_VERSION_HEX
#endif
#define PyABIInfo_VAR(name) \
  static PyABIInfo name = {1, 0, PyABIInfo_DEFAULT_FLAGS, PY_VERSION_HEX, PyABIInfo_DEFAULT_ABI_VERSION}
// 0, or -1 with an ImportError that names the module (null: none) and both sides.
PyAPI_FUNC(int) PyABIInfo_Check(PyABIInfo* info, const char* module_name);

// A new module that is not executed yet; the slots are copied.
PyAPI_FUNC(PyObject*) PyModule_FromSlotsAndSpec(const PyModuleDef_Slot* slots, PyObject* spec);
// 0, or -1 with an exception.
PyAPI_FUNC(int) PyModule_Exec(PyObject* module);
PyAPI_FUNC(int) PyModule_GetStateSize(PyObject* module, Py_ssize_t* result);
// For a module from a definition: the definition's address.
PyAPI_FUNC(int) PyModule_GetToken(PyObject* module, void** result);
// New reference to the module with the token that the class or one of its bases belongs to; null with TypeError.
PyAPI_FUNC(PyObject*) PyType_GetModuleByToken(PyTypeObject* type, const void* token);
#endif

// ---- modules from a definition ----
#ifndef _Py_OPAQUE_PYOBJECT
typedef struct PyModuleDef_Base {
  PyObject_HEAD PyObject* (*m_init)(void);
  Py_ssize_t m_index;
  PyObject* m_copy;
} PyModuleDef_Base;
#define PyModuleDef_HEAD_INIT {PyObject_HEAD_INIT(_Py_NULL) _Py_NULL, 0, _Py_NULL}
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
#endif
PyAPI_DATA(PyTypeObject) PyModule_Type;
#if _Py_SINCE(3, 5)
PyAPI_DATA(PyTypeObject) PyModuleDef_Type;
#endif
#define PyModule_Check(op) PyObject_TypeCheck((op), &PyModule_Type)
#define PyModule_CheckExact(op) Py_IS_TYPE((op), &PyModule_Type)

// New references; PyModuleDef_Init borrows, being static data.
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyModule_NewObject(PyObject* name);
#endif
PyAPI_FUNC(PyObject*) PyModule_New(const char* name);
PyAPI_FUNC(PyObject*) PyModule_Create2(PyModuleDef*, int apiver);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyModule_FromDefAndSpec2(PyModuleDef* def, PyObject* spec, int module_api_version);
PyAPI_FUNC(PyObject*) PyModuleDef_Init(PyModuleDef*);
#endif
// Binaries for the stable ABI ask for its version.
#ifdef Py_LIMITED_API
#define _Py_MODULE_VERSION PYTHON_ABI_VERSION
#else
#define _Py_MODULE_VERSION PYTHON_API_VERSION
#endif
#define PyModule_Create(def) PyModule_Create2((def), _Py_MODULE_VERSION)
#if _Py_SINCE(3, 5)
#define PyModule_FromDefAndSpec(def, spec) PyModule_FromDefAndSpec2((def), (spec), _Py_MODULE_VERSION)
#endif
// The dict is borrowed, objects are new references, strings belong to the module.
PyAPI_FUNC(PyObject*) PyModule_GetDict(PyObject*);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyModule_GetNameObject(PyObject*);
#endif
PyAPI_FUNC(PyObject*) PyModule_GetFilenameObject(PyObject*);
PyAPI_FUNC(const char*) PyModule_GetName(PyObject*);
Py_DEPRECATED() PyAPI_FUNC(const char*) PyModule_GetFilename(PyObject*);
PyAPI_FUNC(PyModuleDef*) PyModule_GetDef(PyObject*);
PyAPI_FUNC(void*) PyModule_GetState(PyObject*);
// 0, or -1 with an exception. PyModule_Add always steals the value, PyModule_AddObject only on success,
// AddObjectRef never.
#if _Py_SINCE(3, 10)
PyAPI_FUNC(int) PyModule_AddObjectRef(PyObject* mod, const char* name, PyObject* value);
#endif
#if _Py_SINCE(3, 13)
PyAPI_FUNC(int) PyModule_Add(PyObject* mod, const char* name, PyObject* value);
#endif
PyAPI_FUNC(int) PyModule_AddObject(PyObject* mod, const char*, PyObject* value);
PyAPI_FUNC(int) PyModule_AddIntConstant(PyObject*, const char*, long);
PyAPI_FUNC(int) PyModule_AddStringConstant(PyObject*, const char*, const char*);
#if _Py_SINCE(3, 9)
PyAPI_FUNC(int) PyModule_AddType(PyObject* module, PyTypeObject* type);
#endif
#if _Py_SINCE(3, 5)
PyAPI_FUNC(int) PyModule_AddFunctions(PyObject*, PyMethodDef*);
PyAPI_FUNC(int) PyModule_SetDocString(PyObject*, const char*);
PyAPI_FUNC(int) PyModule_ExecDef(PyObject* module, PyModuleDef* def);
#endif
#define PyModule_AddIntMacro(module, name) PyModule_AddIntConstant((module), #name, (name))
#define PyModule_AddStringMacro(module, name) PyModule_AddStringConstant((module), #name, (name))
#ifndef Py_LIMITED_API
_Py_FREE_ONLY(PyAPI_FUNC(int) PyUnstable_Module_SetGIL(PyObject* module, void* gil);)
#endif
// Modules by definition, for single-phase modules: FindModule borrows.
#if _Py_SINCE(3, 3)
PyAPI_FUNC(int) PyState_AddModule(PyObject*, PyModuleDef*);
PyAPI_FUNC(int) PyState_RemoveModule(PyModuleDef*);
#endif
PyAPI_FUNC(PyObject*) PyState_FindModule(PyModuleDef*);

Py_END_C_DECLS

#endif
