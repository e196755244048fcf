// Owns importing, marshalling, files and sys.
#ifndef AMPHIS_ABI_IMPORT_H
#define AMPHIS_ABI_IMPORT_H

#include "eval.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
struct _inittab {
  const char* name;
  PyObject* (*initfunc)(void);
};
struct _frozen {
  const char* name;  // null ends a table
  const unsigned char* code;
  int size;
  int is_package;
};
PyAPI_DATA(struct _inittab*) PyImport_Inittab;
PyAPI_DATA(const struct _frozen*) PyImport_FrozenModules;
#endif
// New references.
PyAPI_FUNC(PyObject*) PyImport_Import(PyObject* name);
PyAPI_FUNC(PyObject*) PyImport_ImportModule(const char* name);
Py_DEPRECATED() PyAPI_FUNC(PyObject*) PyImport_ImportModuleNoBlock(const char* name);
PyAPI_FUNC(PyObject*) PyImport_ImportModuleLevel(const char* name, PyObject* globals, PyObject* locals,
                                                 PyObject* fromlist, int level);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyImport_ImportModuleLevelObject(PyObject* name, PyObject* globals, PyObject* locals,
                                                       PyObject* fromlist, int level);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyImport_ImportModuleAttr(PyObject* mod_name, PyObject* attr_name);
PyAPI_FUNC(PyObject*) PyImport_ImportModuleAttrString(const char* mod_name, const char* attr_name);
#endif
#if _Py_SINCE(3, 7)
PyAPI_FUNC(PyObject*) PyImport_GetModule(PyObject* name);
#endif
#if _Py_SINCE(3, 13)
PyAPI_FUNC(PyObject*) PyImport_AddModuleRef(const char* name);
#endif
PyAPI_FUNC(PyObject*) PyImport_ReloadModule(PyObject* m);
PyAPI_FUNC(PyObject*) PyImport_GetImporter(PyObject* path);
PyAPI_FUNC(PyObject*) PyImport_ExecCodeModule(const char* name, PyObject* co);
PyAPI_FUNC(PyObject*) PyImport_ExecCodeModuleEx(const char* name, PyObject* co, const char* pathname);
PyAPI_FUNC(PyObject*) PyImport_ExecCodeModuleWithPathnames(const char* name, PyObject* co,
                                                           const char* pathname, const char* cpathname);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*)
    PyImport_ExecCodeModuleObject(PyObject* name, PyObject* co, PyObject* pathname, PyObject* cpathname);
#endif
#define PyImport_ImportModuleEx(name, globals, locals, fromlist) \
  PyImport_ImportModuleLevel((name), (globals), (locals), (fromlist), 0)
// Borrowed.
PyAPI_FUNC(PyObject*) PyImport_AddModule(const char* name);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyImport_AddModuleObject(PyObject* name);
#endif
PyAPI_FUNC(PyObject*) PyImport_GetModuleDict(void);
// 1 found, 0 not, -1 with an exception.
PyAPI_FUNC(int) PyImport_ImportFrozenModule(const char* name);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(int) PyImport_ImportFrozenModuleObject(PyObject* name);
#endif
// Before initialization: 0, or -1.
PyAPI_FUNC(int) PyImport_AppendInittab(const char* name, PyObject* (*initfunc)(void));
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyImport_ExtendInittab(struct _inittab* newtab);
#endif
PyAPI_FUNC(long) PyImport_GetMagicNumber(void);
PyAPI_FUNC(const char*) PyImport_GetMagicTag(void);

// ---- sys ----
// Get borrows, null without an exception; Set: 0 or -1, a null value deletes. Writes truncate at 1000 bytes,
// Formats do not.
PyAPI_FUNC(PyObject*) PySys_GetObject(const char*);
PyAPI_FUNC(int) PySys_SetObject(const char*, PyObject*);
PyAPI_FUNC(PyObject*) PySys_GetXOptions(void);
PyAPI_FUNC(void) PySys_WriteStdout(const char* format, ...) Py_GCC_ATTRIBUTE((format(printf, 1, 2)));
PyAPI_FUNC(void) PySys_WriteStderr(const char* format, ...) Py_GCC_ATTRIBUTE((format(printf, 1, 2)));
PyAPI_FUNC(void) PySys_FormatStdout(const char* format, ...);
PyAPI_FUNC(void) PySys_FormatStderr(const char* format, ...);
Py_DEPRECATED() PyAPI_FUNC(void) PySys_SetArgv(int, wchar_t**);
Py_DEPRECATED() PyAPI_FUNC(void) PySys_SetArgvEx(int, wchar_t**, int);
Py_DEPRECATED() PyAPI_FUNC(void) PySys_ResetWarnOptions(void);

// ---- files ----
#define PY_STDIOTEXTMODE "b"
#ifndef Py_LIMITED_API
typedef PyObject* (*Py_OpenCodeHookFunction)(PyObject* path, void* user_data);
PyAPI_DATA(PyTypeObject) PyStdPrinter_Type;
#endif
// New references; writing: 0, or -1 with an exception; a descriptor: -1 with an exception.
PyAPI_FUNC(PyObject*)
    PyFile_FromFd(int, const char*, const char*, int, const char*, const char*, const char*, int);
PyAPI_FUNC(PyObject*) PyFile_GetLine(PyObject*, int);
PyAPI_FUNC(int) PyFile_WriteObject(PyObject*, PyObject*, int);
PyAPI_FUNC(int) PyFile_WriteString(const char*, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyFile_NewStdPrinter(int);
PyAPI_FUNC(PyObject*) PyFile_OpenCode(const char* utf8path);
PyAPI_FUNC(PyObject*) PyFile_OpenCodeObject(PyObject* path);
PyAPI_FUNC(int) PyFile_SetOpenCodeHook(Py_OpenCodeHookFunction hook, void* userData);
#endif
PyAPI_FUNC(int) PyObject_AsFileDescriptor(PyObject*);
#if _Py_SINCE(3, 6)
PyAPI_FUNC(PyObject*) PyOS_FSPath(PyObject* path);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(char*) Py_UniversalNewlineFgets(char*, int, FILE*, PyObject*);
PyAPI_FUNC(FILE*) Py_fopen(PyObject* path, const char* mode);
PyAPI_FUNC(int) Py_fclose(FILE* file);
static inline FILE* _Py_fopen_obj(PyObject* path, const char* mode) {
  return Py_fopen(path, mode);
}
#endif
PyAPI_DATA(int) (*PyOS_InputHook)(void);
#ifndef Py_LIMITED_API
PyAPI_DATA(char*) (*PyOS_ReadlineFunctionPointer)(FILE*, FILE*, const char*);
// A line without its prompt in a PyMem_RawMalloc'd block, for the caller to free.
PyAPI_FUNC(char*) PyOS_Readline(FILE*, FILE*, const char*);
#endif

Py_END_C_DECLS

#endif
