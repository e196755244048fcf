// Owns the exception objects and classes.
#ifndef AMPHIS_ABI_EXCEPTIONS_H
#define AMPHIS_ABI_EXCEPTIONS_H

#include "characters.h"

Py_BEGIN_C_DECLS
#ifndef Py_LIMITED_API
#define PyException_HEAD        \
  PyObject_HEAD PyObject* dict; \
  PyObject* args;               \
  PyObject* notes;              \
  PyObject* traceback;          \
  PyObject* context;            \
  PyObject* cause;              \
  char suppress_context;
typedef struct {
  PyException_HEAD
} PyBaseExceptionObject;
typedef struct {
  PyException_HEAD PyObject* msg;
  PyObject* excs;
  PyObject* excs_str;
} PyBaseExceptionGroupObject;
typedef struct {
  PyException_HEAD PyObject* msg;
  PyObject* filename;
  PyObject* lineno;
  PyObject* offset;
  PyObject* end_lineno;
  PyObject* end_offset;
  PyObject* text;
  PyObject* print_file_and_line;
  PyObject* metadata;
} PySyntaxErrorObject;
typedef struct {
  PyException_HEAD PyObject* msg;
  PyObject* name;
  PyObject* path;
  PyObject* name_from;
} PyImportErrorObject;
typedef struct {
  PyException_HEAD PyObject* encoding;
  PyObject* object;
  Py_ssize_t start;
  Py_ssize_t end;
  PyObject* reason;
} PyUnicodeErrorObject;
typedef struct {
  PyException_HEAD PyObject* code;
} PySystemExitObject;
typedef struct {
  PyException_HEAD PyObject* myerrno;
  PyObject* strerror;
  PyObject* filename;
  PyObject* filename2;
  Py_ssize_t written;  // of BlockingIOError; -1: absent
} PyOSErrorObject;
typedef PyOSErrorObject PyEnvironmentErrorObject;
typedef struct {
  PyException_HEAD PyObject* value;
} PyStopIterationObject;
typedef struct {
  PyException_HEAD PyObject* name;
} PyNameErrorObject;
typedef struct {
  PyException_HEAD PyObject* obj;
  PyObject* name;
} PyAttributeErrorObject;
#endif

#define PyExceptionClass_Check(op) \
  (PyType_Check((op)) && PyType_FastSubclass((PyTypeObject*)(op), Py_TPFLAGS_BASE_EXC_SUBCLASS))
#define PyExceptionInstance_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_BASE_EXC_SUBCLASS)
#define PyExceptionInstance_Class(op) _PyObject_CAST(Py_TYPE(op))
#define _PyBaseExceptionGroup_Check(op) PyObject_TypeCheck((op), (PyTypeObject*)PyExc_BaseExceptionGroup)

// The classes, as borrowed pointers that never change.
PyAPI_DATA(PyObject*) PyExc_BaseException;
PyAPI_DATA(PyObject*) PyExc_Exception;
PyAPI_DATA(PyObject*) PyExc_BaseExceptionGroup;
#if _Py_SINCE(3, 5)
PyAPI_DATA(PyObject*) PyExc_StopAsyncIteration;
#endif
PyAPI_DATA(PyObject*) PyExc_StopIteration;
PyAPI_DATA(PyObject*) PyExc_GeneratorExit;
PyAPI_DATA(PyObject*) PyExc_ArithmeticError;
PyAPI_DATA(PyObject*) PyExc_LookupError;
PyAPI_DATA(PyObject*) PyExc_AssertionError;
PyAPI_DATA(PyObject*) PyExc_AttributeError;
PyAPI_DATA(PyObject*) PyExc_BufferError;
PyAPI_DATA(PyObject*) PyExc_EOFError;
PyAPI_DATA(PyObject*) PyExc_FloatingPointError;
PyAPI_DATA(PyObject*) PyExc_OSError;
PyAPI_DATA(PyObject*) PyExc_ImportError;
#if _Py_SINCE(3, 6)
PyAPI_DATA(PyObject*) PyExc_ModuleNotFoundError;
#endif
PyAPI_DATA(PyObject*) PyExc_IndexError;
PyAPI_DATA(PyObject*) PyExc_KeyError;
PyAPI_DATA(PyObject*) PyExc_KeyboardInterrupt;
PyAPI_DATA(PyObject*) PyExc_MemoryError;
PyAPI_DATA(PyObject*) PyExc_NameError;
PyAPI_DATA(PyObject*) PyExc_OverflowError;
PyAPI_DATA(PyObject*) PyExc_RuntimeError;
#if _Py_SINCE(3, 5)
PyAPI_DATA(PyObject*) PyExc_RecursionError;
#endif
PyAPI_DATA(PyObject*) PyExc_NotImplementedError;
PyAPI_DATA(PyObject*) PyExc_SyntaxError;
PyAPI_DATA(PyObject*) PyExc_IndentationError;
PyAPI_DATA(PyObject*) PyExc_TabError;
PyAPI_DATA(PyObject*) PyExc_ReferenceError;
PyAPI_DATA(PyObject*) PyExc_SystemError;
PyAPI_DATA(PyObject*) PyExc_SystemExit;
PyAPI_DATA(PyObject*) PyExc_TypeError;
PyAPI_DATA(PyObject*) PyExc_UnboundLocalError;
PyAPI_DATA(PyObject*) PyExc_UnicodeError;
PyAPI_DATA(PyObject*) PyExc_UnicodeEncodeError;
PyAPI_DATA(PyObject*) PyExc_UnicodeDecodeError;
PyAPI_DATA(PyObject*) PyExc_UnicodeTranslateError;
PyAPI_DATA(PyObject*) PyExc_ValueError;
PyAPI_DATA(PyObject*) PyExc_ZeroDivisionError;
#if _Py_SINCE(3, 3)
PyAPI_DATA(PyObject*) PyExc_BlockingIOError;
PyAPI_DATA(PyObject*) PyExc_BrokenPipeError;
PyAPI_DATA(PyObject*) PyExc_ChildProcessError;
PyAPI_DATA(PyObject*) PyExc_ConnectionError;
PyAPI_DATA(PyObject*) PyExc_ConnectionAbortedError;
PyAPI_DATA(PyObject*) PyExc_ConnectionRefusedError;
PyAPI_DATA(PyObject*) PyExc_ConnectionResetError;
PyAPI_DATA(PyObject*) PyExc_FileExistsError;
PyAPI_DATA(PyObject*) PyExc_FileNotFoundError;
PyAPI_DATA(PyObject*) PyExc_InterruptedError;
PyAPI_DATA(PyObject*) PyExc_IsADirectoryError;
PyAPI_DATA(PyObject*) PyExc_NotADirectoryError;
PyAPI_DATA(PyObject*) PyExc_PermissionError;
PyAPI_DATA(PyObject*) PyExc_ProcessLookupError;
PyAPI_DATA(PyObject*) PyExc_TimeoutError;
#endif
PyAPI_DATA(PyObject*) PyExc_EnvironmentError;
PyAPI_DATA(PyObject*) PyExc_IOError;
PyAPI_DATA(PyObject*) PyExc_Warning;
PyAPI_DATA(PyObject*) PyExc_UserWarning;
PyAPI_DATA(PyObject*) PyExc_DeprecationWarning;
PyAPI_DATA(PyObject*) PyExc_PendingDeprecationWarning;
PyAPI_DATA(PyObject*) PyExc_SyntaxWarning;
PyAPI_DATA(PyObject*) PyExc_RuntimeWarning;
PyAPI_DATA(PyObject*) PyExc_FutureWarning;
PyAPI_DATA(PyObject*) PyExc_ImportWarning;
PyAPI_DATA(PyObject*) PyExc_UnicodeWarning;
PyAPI_DATA(PyObject*) PyExc_BytesWarning;
PyAPI_DATA(PyObject*) PyExc_EncodingWarning;
PyAPI_DATA(PyObject*) PyExc_ResourceWarning;
#ifndef Py_LIMITED_API
PyAPI_DATA(PyObject*) PyExc_PythonFinalizationError;
PyAPI_DATA(PyObject*) PyExc_InterpreterError;
PyAPI_DATA(PyObject*) PyExc_InterpreterNotFoundError;
#endif

// Attributes of exceptions. Getters: new references or null for "none" (no exception set). SetCause,
// SetContext steal; SetTraceback and SetArgs do not.
PyAPI_FUNC(int) PyException_SetTraceback(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyException_GetTraceback(PyObject*);
PyAPI_FUNC(PyObject*) PyException_GetCause(PyObject*);
PyAPI_FUNC(void) PyException_SetCause(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyException_GetContext(PyObject*);
PyAPI_FUNC(void) PyException_SetContext(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyException_GetArgs(PyObject*);
PyAPI_FUNC(void) PyException_SetArgs(PyObject*, PyObject*);
PyAPI_FUNC(const char*) PyExceptionClass_Name(PyObject*);
// 0, or -1 with an exception; getters of objects: new references.
PyAPI_FUNC(PyObject*) PyUnicodeDecodeError_Create(const char* encoding, const char* object, Py_ssize_t length,
                                                  Py_ssize_t start, Py_ssize_t end, const char* reason);
PyAPI_FUNC(PyObject*) PyUnicodeDecodeError_GetEncoding(PyObject*);
PyAPI_FUNC(PyObject*) PyUnicodeDecodeError_GetObject(PyObject*);
PyAPI_FUNC(int) PyUnicodeDecodeError_GetStart(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeDecodeError_SetStart(PyObject*, Py_ssize_t);
PyAPI_FUNC(int) PyUnicodeDecodeError_GetEnd(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeDecodeError_SetEnd(PyObject*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyUnicodeDecodeError_GetReason(PyObject*);
PyAPI_FUNC(int) PyUnicodeDecodeError_SetReason(PyObject* exc, const char* reason);
PyAPI_FUNC(PyObject*) PyUnicodeEncodeError_GetEncoding(PyObject*);
PyAPI_FUNC(PyObject*) PyUnicodeEncodeError_GetObject(PyObject*);
PyAPI_FUNC(int) PyUnicodeEncodeError_GetStart(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeEncodeError_SetStart(PyObject*, Py_ssize_t);
PyAPI_FUNC(int) PyUnicodeEncodeError_GetEnd(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeEncodeError_SetEnd(PyObject*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyUnicodeEncodeError_GetReason(PyObject*);
PyAPI_FUNC(int) PyUnicodeEncodeError_SetReason(PyObject* exc, const char* reason);
PyAPI_FUNC(PyObject*) PyUnicodeTranslateError_GetObject(PyObject*);
PyAPI_FUNC(int) PyUnicodeTranslateError_GetStart(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeTranslateError_SetStart(PyObject*, Py_ssize_t);
PyAPI_FUNC(int) PyUnicodeTranslateError_GetEnd(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) PyUnicodeTranslateError_SetEnd(PyObject*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyUnicodeTranslateError_GetReason(PyObject*);
PyAPI_FUNC(int) PyUnicodeTranslateError_SetReason(PyObject* exc, const char* reason);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyUnstable_Exc_PrepReraiseStar(PyObject* orig, PyObject* excs);
#endif

Py_END_C_DECLS

#endif
