// Owns the thread's current exception: raising, asking, handing over.
#ifndef AMPHIS_ABI_ERRORS_H
#define AMPHIS_ABI_ERRORS_H

#include "exceptions.h"

Py_BEGIN_C_DECLS

// Raising. Those that return PyObject* always return null, those that return int always 0, for use in a
// return statement. Nothing is stolen.
PyAPI_FUNC(void) PyErr_SetNone(PyObject*);
PyAPI_FUNC(void) PyErr_SetObject(PyObject*, PyObject*);
PyAPI_FUNC(void) PyErr_SetString(PyObject* exception, const char* string);
PyAPI_FUNC(PyObject*) PyErr_Format(PyObject* exception, const char* format, ...);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyErr_FormatV(PyObject* exception, const char* format, va_list vargs);
#endif
PyAPI_FUNC(PyObject*) PyErr_NoMemory(void);
PyAPI_FUNC(int) PyErr_BadArgument(void);
PyAPI_FUNC(PyObject*) PyErr_SetFromErrno(PyObject*);
PyAPI_FUNC(PyObject*) PyErr_SetFromErrnoWithFilename(PyObject* exc, const char* filename);
PyAPI_FUNC(PyObject*) PyErr_SetFromErrnoWithFilenameObject(PyObject*, PyObject*);
#if _Py_SINCE(3, 4)
PyAPI_FUNC(PyObject*) PyErr_SetFromErrnoWithFilenameObjects(PyObject*, PyObject*, PyObject*);
#endif
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyErr_SetImportError(PyObject*, PyObject*, PyObject*);
#endif
#if _Py_SINCE(3, 6)
PyAPI_FUNC(PyObject*) PyErr_SetImportErrorSubclass(PyObject*, PyObject*, PyObject*, PyObject*);
#endif
PyAPI_FUNC(void) PyErr_BadInternalCall(void);
PyAPI_FUNC(void) _PyErr_BadInternalCall(const char* filename, int lineno);
#define PyErr_BadInternalCall() _PyErr_BadInternalCall(__FILE__, __LINE__)

// Asking. Occurred borrows the class.
PyAPI_FUNC(PyObject*) PyErr_Occurred(void);
PyAPI_FUNC(int) PyErr_ExceptionMatches(PyObject*);
PyAPI_FUNC(int) PyErr_GivenExceptionMatches(PyObject*, PyObject*);
PyAPI_FUNC(void) PyErr_Clear(void);
// Taking (new reference, null if none) and putting back (steals). The triples are the older form of the same.
PyAPI_FUNC(PyObject*) PyErr_GetRaisedException(void);
PyAPI_FUNC(void) PyErr_SetRaisedException(PyObject*);
PyAPI_FUNC(void) PyErr_Fetch(PyObject**, PyObject**, PyObject**);
PyAPI_FUNC(void) PyErr_Restore(PyObject*, PyObject*, PyObject*);
PyAPI_FUNC(void) PyErr_NormalizeException(PyObject**, PyObject**, PyObject**);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) _PyErr_ChainExceptions1(PyObject*);
#endif
#if _Py_SINCE(3, 11)
// The exception being handled, as sys.exception() shows it: new reference; setting does not steal, the triple
// does.
PyAPI_FUNC(PyObject*) PyErr_GetHandledException(void);
PyAPI_FUNC(void) PyErr_SetHandledException(PyObject*);
#endif
#if _Py_SINCE(3, 3)
PyAPI_FUNC(void) PyErr_GetExcInfo(PyObject**, PyObject**, PyObject**);
PyAPI_FUNC(void) PyErr_SetExcInfo(PyObject*, PyObject*, PyObject*);
#endif

// New exception classes: new references.
PyAPI_FUNC(PyObject*) PyErr_NewException(const char* name, PyObject* base, PyObject* dict);
PyAPI_FUNC(PyObject*)
    PyErr_NewExceptionWithDoc(const char* name, const char* doc, PyObject* base, PyObject* dict);

// Showing. All but Display* clear the current exception.
PyAPI_FUNC(void) PyErr_Print(void);
PyAPI_FUNC(void) PyErr_PrintEx(int);
PyAPI_FUNC(void) PyErr_Display(PyObject*, PyObject*, PyObject*);
#if _Py_SINCE(3, 12)
PyAPI_FUNC(void) PyErr_DisplayException(PyObject*);
#endif
PyAPI_FUNC(void) PyErr_WriteUnraisable(PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) PyErr_FormatUnraisable(const char*, ...);
#endif
// Where a SyntaxError lies; program text: new reference or null.
PyAPI_FUNC(void) PyErr_SyntaxLocation(const char* filename, int lineno);
PyAPI_FUNC(void) PyErr_SyntaxLocationEx(const char* filename, int lineno, int col_offset);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) PyErr_SyntaxLocationObject(PyObject* filename, int lineno, int col_offset);
PyAPI_FUNC(void) PyErr_RangedSyntaxLocationObject(PyObject* filename, int lineno, int col_offset,
                                                  int end_lineno, int end_col_offset);
#endif
PyAPI_FUNC(PyObject*) PyErr_ProgramText(const char* filename, int lineno);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyErr_ProgramTextObject(PyObject* filename, int lineno);
#endif

// Warnings: 0, or -1 with an exception if the filters turned the warning into one.
PyAPI_FUNC(int) PyErr_WarnEx(PyObject* category, const char* message, Py_ssize_t stack_level);
PyAPI_FUNC(int) PyErr_WarnFormat(PyObject* category, Py_ssize_t stack_level, const char* format, ...);
PyAPI_FUNC(int) PyErr_WarnExplicit(PyObject* category, const char* message, const char* filename, int lineno,
                                   const char* module, PyObject* registry);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyErr_WarnExplicitObject(PyObject* category, PyObject* message, PyObject* filename,
                                         int lineno, PyObject* module, PyObject* registry);
PyAPI_FUNC(int) PyErr_WarnExplicitFormat(PyObject* category, const char* filename, int lineno,
                                         const char* module, PyObject* registry, const char* format, ...);
#endif
#if _Py_SINCE(3, 6)
PyAPI_FUNC(int) PyErr_ResourceWarning(PyObject* source, Py_ssize_t stack_level, const char* format, ...);
#endif
#ifndef Py_LIMITED_API
#define PyErr_Warn(category, message) PyErr_WarnEx((category), (message), 1)
#endif

// Signals: CheckSignals runs pending handlers, -1 with what they raised.
PyAPI_FUNC(int) PyErr_CheckSignals(void);
PyAPI_FUNC(void) PyErr_SetInterrupt(void);
#if _Py_SINCE(3, 10)
PyAPI_FUNC(int) PyErr_SetInterruptEx(int signum);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PySignal_SetWakeupFd(int fd);
#endif
PyAPI_FUNC(int) PyOS_InterruptOccurred(void);
typedef void (*PyOS_sighandler_t)(int);
PyAPI_FUNC(PyOS_sighandler_t) PyOS_getsig(int);
PyAPI_FUNC(PyOS_sighandler_t) PyOS_setsig(int, PyOS_sighandler_t);

// The end of the process, with a message.
_Py_NO_RETURN PyAPI_FUNC(void) Py_FatalError(const char* message);
#ifndef Py_LIMITED_API
_Py_NO_RETURN PyAPI_FUNC(void) _Py_FatalErrorFunc(const char* func, const char* message);
#define Py_FatalError(message) _Py_FatalErrorFunc(__func__, (message))
#endif

Py_END_C_DECLS

#endif
