// Owns running code: evaluation, source text, pending calls, tracing hooks.
#ifndef AMPHIS_ABI_EVAL_H
#define AMPHIS_ABI_EVAL_H

#include "monitoring.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  int cf_flags;
  int cf_feature_version;
} PyCompilerFlags;
#define _PyCompilerFlags_INIT \
  (PyCompilerFlags) {         \
    0, PY_MINOR_VERSION       \
  }
#define PyCF_MASK                                                                                         \
  (CO_FUTURE_DIVISION | CO_FUTURE_ABSOLUTE_IMPORT | CO_FUTURE_WITH_STATEMENT | CO_FUTURE_PRINT_FUNCTION | \
   CO_FUTURE_UNICODE_LITERALS | CO_FUTURE_BARRY_AS_BDFL | CO_FUTURE_GENERATOR_STOP | CO_FUTURE_ANNOTATIONS)
#define PyCF_MASK_OBSOLETE (CO_NESTED)
#define PyCF_SOURCE_IS_UTF8 0x0100
#define PyCF_DONT_IMPLY_DEDENT 0x0200
#define PyCF_ONLY_AST 0x0400
#define PyCF_IGNORE_COOKIE 0x0800
#define PyCF_TYPE_COMMENTS 0x1000
#define PyCF_ALLOW_TOP_LEVEL_AWAIT 0x2000
#define PyCF_ALLOW_INCOMPLETE_INPUT 0x4000
#define PyCF_OPTIMIZED_AST (0x8000 | PyCF_ONLY_AST)
#define PyCF_COMPILE_MASK                                                                     \
  (PyCF_ONLY_AST | PyCF_ALLOW_TOP_LEVEL_AWAIT | PyCF_TYPE_COMMENTS | PyCF_DONT_IMPLY_DEDENT | \
   PyCF_ALLOW_INCOMPLETE_INPUT | PyCF_OPTIMIZED_AST)
#endif
#define Py_single_input 256
#define Py_file_input 257
#define Py_eval_input 258
#define Py_func_type_input 345

// New references; null with an exception.
PyAPI_FUNC(PyObject*) PyEval_EvalCode(PyObject*, PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyEval_EvalCodeEx(PyObject* co, PyObject* globals, PyObject* locals,
                                        PyObject* const* args, int argc, PyObject* const* kwds, int kwdc,
                                        PyObject* const* defs, int defc, PyObject* kwdefs, PyObject* closure);
PyAPI_FUNC(PyObject*) PyEval_EvalFrame(PyFrameObject*);
PyAPI_FUNC(PyObject*) PyEval_EvalFrameEx(PyFrameObject* f, int exc);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) _PyEval_EvalFrameDefault(PyThreadState* tstate, struct _PyInterpreterFrame* f, int exc);
#endif
PyAPI_FUNC(PyObject*) Py_CompileString(const char*, const char*, int);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*)
    Py_CompileStringFlags(const char* str, const char* filename, int start, PyCompilerFlags* flags);
PyAPI_FUNC(PyObject*) Py_CompileStringExFlags(const char* str, const char* filename, int start,
                                              PyCompilerFlags* flags, int optimize);
PyAPI_FUNC(PyObject*) Py_CompileStringObject(const char* str, PyObject* filename, int start,
                                             PyCompilerFlags* flags, int optimize);
PyAPI_FUNC(PyObject*) PyRun_String(const char* str, int s, PyObject* g, PyObject* l);
PyAPI_FUNC(PyObject*) PyRun_StringFlags(const char*, int, PyObject*, PyObject*, PyCompilerFlags*);
PyAPI_FUNC(PyObject*) PyRun_File(FILE* fp, const char* p, int s, PyObject* g, PyObject* l);
PyAPI_FUNC(PyObject*) PyRun_FileEx(FILE* fp, const char* p, int s, PyObject* g, PyObject* l, int c);
PyAPI_FUNC(PyObject*)
    PyRun_FileFlags(FILE* fp, const char* p, int s, PyObject* g, PyObject* l, PyCompilerFlags* flags);
PyAPI_FUNC(PyObject*) PyRun_FileExFlags(FILE* fp, const char* filename, int start, PyObject* globals,
                                        PyObject* locals, int closeit, PyCompilerFlags* flags);
#define Py_CompileString(text, name, start) Py_CompileStringExFlags((text), (name), (start), _Py_NULL, -1)
#define Py_CompileStringFlags(text, name, start, flags) \
  Py_CompileStringExFlags((text), (name), (start), (flags), -1)
// 0, or -1 after printing the exception.
PyAPI_FUNC(int) PyRun_SimpleString(const char* s);
PyAPI_FUNC(int) PyRun_SimpleStringFlags(const char*, PyCompilerFlags*);
PyAPI_FUNC(int) PyRun_SimpleFile(FILE* f, const char* p);
PyAPI_FUNC(int) PyRun_SimpleFileEx(FILE* f, const char* p, int c);
PyAPI_FUNC(int) PyRun_SimpleFileExFlags(FILE* fp, const char* filename, int closeit, PyCompilerFlags* flags);
PyAPI_FUNC(int) PyRun_AnyFile(FILE* fp, const char* name);
PyAPI_FUNC(int) PyRun_AnyFileEx(FILE* fp, const char* name, int closeit);
PyAPI_FUNC(int) PyRun_AnyFileFlags(FILE*, const char*, PyCompilerFlags*);
PyAPI_FUNC(int) PyRun_AnyFileExFlags(FILE* fp, const char* filename, int closeit, PyCompilerFlags* flags);
PyAPI_FUNC(int) PyRun_InteractiveOne(FILE* f, const char* p);
PyAPI_FUNC(int) PyRun_InteractiveOneFlags(FILE* fp, const char* filename, PyCompilerFlags* flags);
PyAPI_FUNC(int) PyRun_InteractiveOneObject(FILE* fp, PyObject* filename, PyCompilerFlags* flags);
PyAPI_FUNC(int) PyRun_InteractiveLoop(FILE* f, const char* p);
PyAPI_FUNC(int) PyRun_InteractiveLoopFlags(FILE* fp, const char* filename, PyCompilerFlags* flags);
#define PyRun_AnyFile(fp, name) PyRun_AnyFileExFlags((fp), (name), 0, _Py_NULL)
#define PyRun_AnyFileEx(fp, name, closeit) PyRun_AnyFileExFlags((fp), (name), (closeit), _Py_NULL)
#define PyRun_AnyFileFlags(fp, name, flags) PyRun_AnyFileExFlags((fp), (name), 0, (flags))
#define PyRun_File(fp, p, s, g, l) PyRun_FileExFlags((fp), (p), (s), (g), (l), 0, _Py_NULL)
#define PyRun_FileEx(fp, p, s, g, l, c) PyRun_FileExFlags((fp), (p), (s), (g), (l), (c), _Py_NULL)
#define PyRun_FileFlags(fp, p, s, g, l, flags) PyRun_FileExFlags((fp), (p), (s), (g), (l), 0, (flags))
#define PyRun_InteractiveLoop(f, p) PyRun_InteractiveLoopFlags((f), (p), _Py_NULL)
#define PyRun_InteractiveOne(f, p) PyRun_InteractiveOneFlags((f), (p), _Py_NULL)
#define PyRun_SimpleFile(f, p) PyRun_SimpleFileExFlags((f), (p), 0, _Py_NULL)
#define PyRun_SimpleFileEx(f, p, c) PyRun_SimpleFileExFlags((f), (p), (c), _Py_NULL)
#define PyRun_SimpleString(s) PyRun_SimpleStringFlags((s), _Py_NULL)
#define PyRun_String(str, s, g, l) PyRun_StringFlags((str), (s), (g), (l), _Py_NULL)
#endif
// Of the current frame. The first group borrows, the second gives new references; null without an exception
// if there is no frame.
PyAPI_FUNC(PyObject*) PyEval_GetBuiltins(void);
PyAPI_FUNC(PyObject*) PyEval_GetGlobals(void);
PyAPI_FUNC(PyObject*) PyEval_GetLocals(void);
PyAPI_FUNC(PyFrameObject*) PyEval_GetFrame(void);
PyAPI_FUNC(PyObject*) PyEval_GetFrameBuiltins(void);
PyAPI_FUNC(PyObject*) PyEval_GetFrameGlobals(void);
PyAPI_FUNC(PyObject*) PyEval_GetFrameLocals(void);
PyAPI_FUNC(const char*) PyEval_GetFuncName(PyObject*);
PyAPI_FUNC(const char*) PyEval_GetFuncDesc(PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyEval_MergeCompilerFlags(PyCompilerFlags* cf);
PyAPI_FUNC(int) PyCompile_OpcodeStackEffect(int opcode, int oparg);
PyAPI_FUNC(int) PyCompile_OpcodeStackEffectWithJump(int opcode, int oparg, int jump);
#define PY_INVALID_STACK_EFFECT INT_MAX
#endif
// How a format specification in an f-string converts its value.
#define FVC_MASK 0x3
#define FVC_NONE 0x0
#define FVC_STR 0x1
#define FVC_REPR 0x2
#define FVC_ASCII 0x3
#define FVS_MASK 0x4
#define FVS_HAVE_SPEC 0x4
#ifndef Py_LIMITED_API
// "O&" converters for slice indices: 1, or 0 with an exception.
PyAPI_FUNC(int) _PyEval_SliceIndex(PyObject*, Py_ssize_t*);
PyAPI_FUNC(int) _PyEval_SliceIndexNotNone(PyObject*, Py_ssize_t*);
// Hooks keep their own reference to the object.
PyAPI_FUNC(void) PyEval_SetProfile(Py_tracefunc, PyObject*);
PyAPI_FUNC(void) PyEval_SetProfileAllThreads(Py_tracefunc, PyObject*);
PyAPI_FUNC(void) PyEval_SetTrace(Py_tracefunc, PyObject*);
PyAPI_FUNC(void) PyEval_SetTraceAllThreads(Py_tracefunc, PyObject*);
#endif
// Calls to be made soon on the main thread: 0, or -1 if the queue is full; any thread may add.
PyAPI_FUNC(int) Py_AddPendingCall(int (*func)(void*), void* arg);
PyAPI_FUNC(int) Py_MakePendingCalls(void);

#ifndef Py_LIMITED_API
typedef struct {
  FILE* perf_map;
  PyThread_type_lock map_lock;
} PerfMapState;
PyAPI_FUNC(int) PyUnstable_PerfMapState_Init(void);
PyAPI_FUNC(int)
    PyUnstable_WritePerfMapEntry(const void* code_addr, unsigned int code_size, const char* entry_name);
PyAPI_FUNC(void) PyUnstable_PerfMapState_Fini(void);
PyAPI_FUNC(int) PyUnstable_CopyPerfMapFile(const char* parent_filename);
PyAPI_FUNC(int) PyUnstable_PerfTrampoline_CompileCode(PyCodeObject*);
PyAPI_FUNC(int) PyUnstable_PerfTrampoline_SetPersistAfterFork(int enable);

typedef int (*Py_AuditHookFunction)(const char* event, PyObject* args, void* user_data);
#endif
#if _Py_SINCE(3, 13)
// 0, or -1 with an exception from a hook.
PyAPI_FUNC(int) PySys_Audit(const char* event, const char* argFormat, ...);
PyAPI_FUNC(int) PySys_AuditTuple(const char* event, PyObject* args);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PySys_AddAuditHook(Py_AuditHookFunction, void*);
#endif

Py_END_C_DECLS

#endif
