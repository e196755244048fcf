// Owns code objects, frames, tracebacks and generators as seen from outside the interpreter.
#ifndef AMPHIS_ABI_CODE_H
#define AMPHIS_ABI_CODE_H

#include "threads.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject* _co_code;
  PyObject* _co_varnames;
  PyObject* _co_cellvars;
  PyObject* _co_freevars;
} _PyCoCached;
typedef struct {
  int size;
  int capacity;
  struct _PyExecutorObject* executors[1];
} _PyExecutorArray;
_Py_FREE_ONLY(typedef struct {
  Py_ssize_t size;
  char* entries[1];
} _PyCodeArray;)
#define _PyCode_DEF_THREAD_LOCAL_BYTECODE() _Py_FREE_ONLY(_PyCodeArray* co_tlbc;)
struct PyCodeObject {
  PyObject_VAR_HEAD PyObject* co_consts;
  PyObject* co_names;
  PyObject* co_exceptiontable;
  int co_flags;
  int co_argcount;
  int co_posonlyargcount;
  int co_kwonlyargcount;
  int co_stacksize;
  int co_firstlineno;
  int co_nlocalsplus;
  int co_framesize;
  int co_nlocals;
  int co_ncellvars;
  int co_nfreevars;
  uint32_t co_version;
  PyObject* co_localsplusnames;
  PyObject* co_localspluskinds;
  PyObject* co_filename;
  PyObject* co_name;
  PyObject* co_qualname;
  PyObject* co_linetable;
  PyObject* co_weakreflist;
  _PyExecutorArray* co_executors;
  _PyCoCached* _co_cached;
  uintptr_t _co_instrumentation_version;
  struct _PyCoMonitoringData* _co_monitoring;
  Py_ssize_t _co_unique_id;
  int _co_firsttraceable;
  void* co_extra;
  _PyCode_DEF_THREAD_LOCAL_BYTECODE() char co_code_adaptive[1];
};
#define CO_OPTIMIZED 0x0001
#define CO_NEWLOCALS 0x0002
#define CO_VARARGS 0x0004
#define CO_VARKEYWORDS 0x0008
#define CO_NESTED 0x0010
#define CO_GENERATOR 0x0020
#define CO_COROUTINE 0x0080
#define CO_ITERABLE_COROUTINE 0x0100
#define CO_ASYNC_GENERATOR 0x0200
#define CO_FUTURE_DIVISION 0x20000
#define CO_FUTURE_ABSOLUTE_IMPORT 0x40000
#define CO_FUTURE_WITH_STATEMENT 0x80000
#define CO_FUTURE_PRINT_FUNCTION 0x100000
#define CO_FUTURE_UNICODE_LITERALS 0x200000
#define CO_FUTURE_BARRY_AS_BDFL 0x400000
#define CO_FUTURE_GENERATOR_STOP 0x800000
#define CO_FUTURE_ANNOTATIONS 0x1000000
#define CO_NO_MONITORING_EVENTS 0x2000000
#define CO_HAS_DOCSTRING 0x4000000
#define CO_METHOD 0x8000000
#define CO_MAXBLOCKS 21
#define PY_PARSER_REQUIRES_FUTURE_KEYWORD
#define FUTURE_NESTED_SCOPES "nested_scopes"
#define FUTURE_GENERATORS "generators"
#define FUTURE_DIVISION "division"
#define FUTURE_ABSOLUTE_IMPORT "absolute_import"
#define FUTURE_WITH_STATEMENT "with_statement"
#define FUTURE_PRINT_FUNCTION "print_function"
#define FUTURE_UNICODE_LITERALS "unicode_literals"
#define FUTURE_BARRY_AS_BDFL "barry_as_FLUFL"
#define FUTURE_GENERATOR_STOP "generator_stop"
#define FUTURE_ANNOTATIONS "annotations"
PyAPI_DATA(PyTypeObject) PyCode_Type;
#define PyCode_Check(op) Py_IS_TYPE((op), &PyCode_Type)
static inline Py_ssize_t PyCode_GetNumFree(PyCodeObject* code) {
  return code->co_nfreevars;
}
static inline int PyUnstable_Code_GetFirstFree(PyCodeObject* code) {
  return code->co_nlocalsplus - code->co_nfreevars;
}
Py_DEPRECATED(3.13) static inline int PyCode_GetFirstFree(PyCodeObject* code) {
  return PyUnstable_Code_GetFirstFree(code);
}

// New references.
PyAPI_FUNC(PyCodeObject*)
    PyUnstable_Code_New(int, int, int, int, int, PyObject*, PyObject*, PyObject*, PyObject*, PyObject*,
                        PyObject*, PyObject*, PyObject*, PyObject*, int, PyObject*, PyObject*);
PyAPI_FUNC(PyCodeObject*)
    PyUnstable_Code_NewWithPosOnlyArgs(int, int, int, int, int, int, PyObject*, PyObject*, PyObject*,
                                       PyObject*, PyObject*, PyObject*, PyObject*, PyObject*, PyObject*, int,
                                       PyObject*, PyObject*);
PyAPI_FUNC(PyCodeObject*) PyCode_NewEmpty(const char* filename, const char* funcname, int firstlineno);
PyAPI_FUNC(PyObject*) PyCode_GetCode(PyCodeObject* code);
PyAPI_FUNC(PyObject*) PyCode_GetVarnames(PyCodeObject* code);
PyAPI_FUNC(PyObject*) PyCode_GetCellvars(PyCodeObject* code);
PyAPI_FUNC(PyObject*) PyCode_GetFreevars(PyCodeObject* code);
PyAPI_FUNC(PyObject*) PyCode_Optimize(PyObject* code, PyObject* consts, PyObject* names, PyObject* lnotab);
PyAPI_FUNC(PyObject*) _PyCode_ConstantKey(PyObject* obj);
Py_DEPRECATED(3.12) static inline PyCodeObject* PyCode_New(int a, int b, int c, int d, int e, PyObject* f,
                                                           PyObject* g, PyObject* h, PyObject* i, PyObject* j,
                                                           PyObject* k, PyObject* l, PyObject* m, PyObject* n,
                                                           int o, PyObject* p, PyObject* q) {
  return PyUnstable_Code_New(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
}
Py_DEPRECATED(3.12) static inline PyCodeObject* PyCode_NewWithPosOnlyArgs(
    int a, int poac, int b, int c, int d, int e, PyObject* f, PyObject* g, PyObject* h, PyObject* i,
    PyObject* j, PyObject* k, PyObject* l, PyObject* m, PyObject* n, int o, PyObject* p, PyObject* q) {
  return PyUnstable_Code_NewWithPosOnlyArgs(a, poac, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
}
// Line and columns of an instruction by byte offset. Addr2Line: -1 if it has none.
PyAPI_FUNC(int) PyCode_Addr2Line(PyCodeObject*, int);
PyAPI_FUNC(int) PyCode_Addr2Location(PyCodeObject*, int, int*, int*, int*, int*);
struct _opaque {
  int computed_line;
  const uint8_t* lo_next;
  const uint8_t* limit;
};
typedef struct _line_offsets {
  int ar_start;
  int ar_end;
  int ar_line;
  struct _opaque opaque;
} PyCodeAddressRange;
PyAPI_FUNC(int) _PyCode_CheckLineNumber(int lasti, PyCodeAddressRange* bounds);
typedef enum _PyCodeLocationInfoKind {
  PY_CODE_LOCATION_INFO_SHORT0 = 0,
  PY_CODE_LOCATION_INFO_ONE_LINE0 = 10,
  PY_CODE_LOCATION_INFO_ONE_LINE1 = 11,
  PY_CODE_LOCATION_INFO_ONE_LINE2 = 12,
  PY_CODE_LOCATION_INFO_NO_COLUMNS = 13,
  PY_CODE_LOCATION_INFO_LONG = 14,
  PY_CODE_LOCATION_INFO_NONE = 15
} _PyCodeLocationInfoKind;
#endif
// A pointer per code object for tools; 0, or -1 with an exception.
#define MAX_CO_EXTRA_USERS 255
#ifndef Py_LIMITED_API
PyAPI_FUNC(Py_ssize_t) PyUnstable_Eval_RequestCodeExtraIndex(freefunc);
PyAPI_FUNC(int) PyUnstable_Code_GetExtra(PyObject* code, Py_ssize_t index, void** extra);
PyAPI_FUNC(int) PyUnstable_Code_SetExtra(PyObject* code, Py_ssize_t index, void* extra);
static inline Py_ssize_t _PyEval_RequestCodeExtraIndex(freefunc free_extra) {
  return PyUnstable_Eval_RequestCodeExtraIndex(free_extra);
}
static inline int _PyCode_GetExtra(PyObject* code, Py_ssize_t index, void** extra) {
  return PyUnstable_Code_GetExtra(code, index, extra);
}
static inline int _PyCode_SetExtra(PyObject* code, Py_ssize_t index, void* extra) {
  return PyUnstable_Code_SetExtra(code, index, extra);
}
#define PY_FOREACH_CODE_EVENT(V) V(CREATE) V(DESTROY)
typedef enum { PY_CODE_EVENT_CREATE, PY_CODE_EVENT_DESTROY } PyCodeEvent;
typedef int (*PyCode_WatchCallback)(PyCodeEvent event, PyCodeObject* code);
PyAPI_FUNC(int) PyCode_AddWatcher(PyCode_WatchCallback callback);
PyAPI_FUNC(int) PyCode_ClearWatcher(int watcher_id);

// ---- frames ----
PyAPI_DATA(PyTypeObject) PyFrame_Type;
PyAPI_DATA(PyTypeObject) PyFrameLocalsProxy_Type;
#define PyFrame_Check(op) Py_IS_TYPE((op), &PyFrame_Type)
#define PyFrameLocalsProxy_Check(op) Py_IS_TYPE((op), &PyFrameLocalsProxy_Type)
typedef struct {
  PyObject_HEAD PyFrameObject* frame;
} PyFrameLocalsProxyObject;
#endif
// New references; GetBack and GetGenerator are null without an exception if there is none.
PyAPI_FUNC(int) PyFrame_GetLineNumber(PyFrameObject*);
PyAPI_FUNC(PyCodeObject*) PyFrame_GetCode(PyFrameObject* frame);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyFrameObject*) PyFrame_GetBack(PyFrameObject* frame);
PyAPI_FUNC(PyObject*) PyFrame_GetLocals(PyFrameObject* frame);
PyAPI_FUNC(PyObject*) PyFrame_GetGlobals(PyFrameObject* frame);
PyAPI_FUNC(PyObject*) PyFrame_GetBuiltins(PyFrameObject* frame);
PyAPI_FUNC(PyObject*) PyFrame_GetGenerator(PyFrameObject* frame);
PyAPI_FUNC(int) PyFrame_GetLasti(PyFrameObject* frame);
PyAPI_FUNC(PyObject*) PyFrame_GetVar(PyFrameObject* frame, PyObject* name);
PyAPI_FUNC(PyObject*) PyFrame_GetVarString(PyFrameObject* frame, const char* name);
PyAPI_FUNC(PyFrameObject*) PyFrame_New(PyThreadState*, PyCodeObject*, PyObject*, PyObject*);
PyAPI_FUNC(void) PyFrame_LocalsToFast(PyFrameObject*, int);
PyAPI_FUNC(int) PyFrame_FastToLocalsWithError(PyFrameObject* f);
PyAPI_FUNC(void) PyFrame_FastToLocals(PyFrameObject*);
PyAPI_FUNC(int) _PyFrame_IsEntryFrame(PyFrameObject* frame);
#define PyUnstable_EXECUTABLE_KIND_SKIP 0
#define PyUnstable_EXECUTABLE_KIND_PY_FUNCTION 1
#define PyUnstable_EXECUTABLE_KIND_BUILTIN_FUNCTION 3
#define PyUnstable_EXECUTABLE_KIND_METHOD_DESCRIPTOR 4
#define PyUnstable_EXECUTABLE_KINDS 5
PyAPI_DATA(const PyTypeObject* const) PyUnstable_ExecutableKinds[PyUnstable_EXECUTABLE_KINDS + 1];
// GetCode: new reference.
PyAPI_FUNC(PyObject*) PyUnstable_InterpreterFrame_GetCode(struct _PyInterpreterFrame* frame);
PyAPI_FUNC(int) PyUnstable_InterpreterFrame_GetLasti(struct _PyInterpreterFrame* frame);
PyAPI_FUNC(int) PyUnstable_InterpreterFrame_GetLine(struct _PyInterpreterFrame* frame);

// ---- tracebacks: 0, or -1 with an exception ----
typedef struct _traceback PyTracebackObject;
struct _traceback {
  PyObject_HEAD PyTracebackObject* tb_next;
  PyFrameObject* tb_frame;
  int tb_lasti;
  int tb_lineno;
};
#endif
PyAPI_DATA(PyTypeObject) PyTraceBack_Type;
#define PyTraceBack_Check(op) Py_IS_TYPE((op), &PyTraceBack_Type)
PyAPI_FUNC(int) PyTraceBack_Here(PyFrameObject*);
PyAPI_FUNC(int) PyTraceBack_Print(PyObject*, PyObject*);

// ---- generators: New steals the frame ----
#ifndef Py_LIMITED_API
typedef struct _PyGenObject PyGenObject;
typedef struct _PyCoroObject PyCoroObject;
typedef struct _PyAsyncGenObject PyAsyncGenObject;
PyAPI_DATA(PyTypeObject) PyGen_Type;
PyAPI_DATA(PyTypeObject) PyCoro_Type;
PyAPI_DATA(PyTypeObject) PyAsyncGen_Type;
PyAPI_DATA(PyTypeObject) _PyAsyncGenASend_Type;
#define PyGen_Check(op) PyObject_TypeCheck((op), &PyGen_Type)
#define PyGen_CheckExact(op) Py_IS_TYPE((op), &PyGen_Type)
#define PyCoro_CheckExact(op) Py_IS_TYPE((op), &PyCoro_Type)
#define PyAsyncGen_CheckExact(op) Py_IS_TYPE((op), &PyAsyncGen_Type)
#define PyAsyncGenASend_CheckExact(op) Py_IS_TYPE((op), &_PyAsyncGenASend_Type)
PyAPI_FUNC(PyObject*) PyGen_New(PyFrameObject*);
PyAPI_FUNC(PyObject*) PyGen_NewWithQualName(PyFrameObject*, PyObject* name, PyObject* qualname);
PyAPI_FUNC(PyObject*) PyCoro_New(PyFrameObject*, PyObject* name, PyObject* qualname);
PyAPI_FUNC(PyObject*) PyAsyncGen_New(PyFrameObject*, PyObject* name, PyObject* qualname);
PyAPI_FUNC(PyCodeObject*) PyGen_GetCode(PyGenObject* gen);
#endif

Py_END_C_DECLS

#endif
