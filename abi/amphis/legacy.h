// Owns what binaries built against older versions may still call by name. No new code should.
#ifndef AMPHIS_ABI_LEGACY_H
#define AMPHIS_ABI_LEGACY_H

#include "lifecycle.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
// Calls: new references.
PyAPI_FUNC(PyObject*) PyCFunction_Call(PyObject* callable, PyObject* args, PyObject* kwargs);
PyAPI_FUNC(PyObject*) PyEval_CallObjectWithKeywords(PyObject* callable, PyObject* args, PyObject* kwargs);
PyAPI_FUNC(PyObject*) PyEval_CallFunction(PyObject* callable, const char* format, ...);
PyAPI_FUNC(PyObject*) PyEval_CallMethod(PyObject* obj, const char* name, const char* format, ...);
PyAPI_FUNC(PyObject*) _PyObject_CallFunction_SizeT(PyObject* callable, const char* format, ...);
PyAPI_FUNC(PyObject*) _PyObject_CallMethod_SizeT(PyObject* obj, const char* name, const char* format, ...);
// The same as the functions without the suffix: sizes have been Py_ssize_t everywhere for a long time.
PyAPI_FUNC(int) _PyArg_Parse_SizeT(PyObject* args, const char* format, ...);
PyAPI_FUNC(int) _PyArg_ParseTuple_SizeT(PyObject* args, const char* format, ...);
PyAPI_FUNC(int) _PyArg_ParseTupleAndKeywords_SizeT(PyObject* args, PyObject* kwargs, const char* format,
                                                   char* const* keywords, ...);
PyAPI_FUNC(int) _PyArg_VaParse_SizeT(PyObject* args, const char* format, va_list values);
PyAPI_FUNC(int) _PyArg_VaParseTupleAndKeywords_SizeT(PyObject* args, PyObject* kwargs, const char* format,
                                                     char* const* keywords, va_list values);
PyAPI_FUNC(PyObject*) _Py_BuildValue_SizeT(const char* format, ...);
PyAPI_FUNC(PyObject*) _Py_VaBuildValue_SizeT(const char* format, va_list values);
// The first buffer protocol: 0, or -1 with an exception; the pointer is only good while nothing changes the
// object.
PyAPI_FUNC(int) PyObject_CheckReadBuffer(PyObject* obj);
PyAPI_FUNC(int) PyObject_AsCharBuffer(PyObject* obj, const char** buffer, Py_ssize_t* length);
PyAPI_FUNC(int) PyObject_AsReadBuffer(PyObject* obj, const void** buffer, Py_ssize_t* length);
PyAPI_FUNC(int) PyObject_AsWriteBuffer(PyObject* obj, void** buffer, Py_ssize_t* length);
// The lock itself, of which nobody but the runtime can make sense.
PyAPI_FUNC(void) PyEval_AcquireLock(void);
PyAPI_FUNC(void) PyEval_ReleaseLock(void);
PyAPI_FUNC(int) PyEval_ThreadsInitialized(void);
PyAPI_FUNC(void) _PyThreadState_Init(PyThreadState* tstate);
PyAPI_FUNC(PyThreadState*) _PyThreadState_Prealloc(PyInterpreterState* interp);
// Configuration from before PyConfig.
PyAPI_FUNC(void) PySys_AddWarnOption(const wchar_t* option);
PyAPI_FUNC(void) PySys_AddWarnOptionUnicode(PyObject* option);
PyAPI_FUNC(void) PySys_AddXOption(const wchar_t* option);
PyAPI_FUNC(int) PySys_HasWarnOptions(void);
PyAPI_FUNC(void) PySys_SetPath(const wchar_t* path);
PyAPI_FUNC(void) Py_SetPath(const wchar_t* path);
PyAPI_FUNC(Py_ssize_t) PyUnicode_GetSize(PyObject* unicode);
PyAPI_FUNC(void) PyUnicode_InternImmortal(PyObject** string);
#endif

Py_END_C_DECLS

#endif
