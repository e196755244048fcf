// Owns parsing arguments by format, and building values by format.
// Parsing: 1, or 0 with an exception. Objects come out borrowed, strings belong to their objects.
#ifndef AMPHIS_ABI_ARGUMENTS_H
#define AMPHIS_ABI_ARGUMENTS_H

#include "module.h"

Py_BEGIN_C_DECLS

PyAPI_FUNC(int) PyArg_Parse(PyObject*, const char*, ...);
PyAPI_FUNC(int) PyArg_ParseTuple(PyObject*, const char*, ...);
PyAPI_FUNC(int) PyArg_ParseTupleAndKeywords(PyObject*, PyObject*, const char*, char* const*, ...);
PyAPI_FUNC(int) PyArg_VaParse(PyObject*, const char*, va_list);
PyAPI_FUNC(int) PyArg_VaParseTupleAndKeywords(PyObject*, PyObject*, const char*, char* const*, va_list);
PyAPI_FUNC(int) PyArg_UnpackTuple(PyObject*, const char*, Py_ssize_t, Py_ssize_t, ...);
PyAPI_FUNC(int) PyArg_ValidateKeywordArguments(PyObject*);
// Building: a new reference, or null with an exception; "N" steals even on failure.
PyAPI_FUNC(PyObject*) Py_BuildValue(const char*, ...);
PyAPI_FUNC(PyObject*) Py_VaBuildValue(const char*, va_list);
#if defined(Py_LIMITED_API) && !_Py_SINCE(3, 13) && defined(PY_SSIZE_T_CLEAN)
// Before 3.13 the lengths of "#" formats were int unless asked for under these names.
PyAPI_FUNC(int) _PyArg_Parse_SizeT(PyObject*, const char*, ...);
PyAPI_FUNC(int) _PyArg_ParseTuple_SizeT(PyObject*, const char*, ...);
PyAPI_FUNC(int) _PyArg_ParseTupleAndKeywords_SizeT(PyObject*, PyObject*, const char*, char* const*, ...);
PyAPI_FUNC(int) _PyArg_VaParse_SizeT(PyObject*, const char*, va_list);
PyAPI_FUNC(int) _PyArg_VaParseTupleAndKeywords_SizeT(PyObject*, PyObject*, const char*, char* const*, va_list);
PyAPI_FUNC(PyObject*) _Py_BuildValue_SizeT(const char*, ...);
PyAPI_FUNC(PyObject*) _Py_VaBuildValue_SizeT(const char*, va_list);
#define PyArg_Parse _PyArg_Parse_SizeT
#define PyArg_ParseTuple _PyArg_ParseTuple_SizeT
#define PyArg_ParseTupleAndKeywords _PyArg_ParseTupleAndKeywords_SizeT
#define PyArg_VaParse _PyArg_VaParse_SizeT
#define PyArg_VaParseTupleAndKeywords _PyArg_VaParseTupleAndKeywords_SizeT
#define Py_BuildValue _Py_BuildValue_SizeT
#define Py_VaBuildValue _Py_VaBuildValue_SizeT
#endif

#ifndef Py_LIMITED_API
// A parser's parsed format, filled on first use.
typedef struct {
  uint8_t v;
} _PyOnceFlag;
typedef struct _PyArg_Parser {
  const char* format;
  const char* const* keywords;
  const char* fname;
  const char* custom_msg;
  _PyOnceFlag once;
  int is_kwtuple_owned;
  int pos;
  int min;
  int max;
  PyObject* kwtuple;
  struct _PyArg_Parser* next;
} _PyArg_Parser;
PyAPI_FUNC(int) _PyArg_ParseTupleAndKeywordsFast(PyObject*, PyObject*, struct _PyArg_Parser*, ...);
#endif

Py_END_C_DECLS

#endif
