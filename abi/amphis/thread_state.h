// Owns the state of a thread and of an interpreter, and giving up the GIL (or detaching) around blocking
// calls.
#ifndef AMPHIS_ABI_THREAD_STATE_H
#define AMPHIS_ABI_THREAD_STATE_H

#include "arguments.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef int (*Py_tracefunc)(PyObject* self, PyFrameObject* frame, int what, PyObject* arg);
#define PyTrace_CALL 0
#define PyTrace_EXCEPTION 1
#define PyTrace_LINE 2
#define PyTrace_RETURN 3
#define PyTrace_C_CALL 4
#define PyTrace_C_EXCEPTION 5
#define PyTrace_C_RETURN 6
#define PyTrace_OPCODE 7

#define _Py_MAX_SCRIPT_PATH_SIZE 512
typedef struct {
  int32_t debugger_pending_call;
  char debugger_script_path[_Py_MAX_SCRIPT_PATH_SIZE];
} _PyRemoteDebuggerSupport;
typedef struct _err_stackitem {
  PyObject* exc_value;  // the exception being handled, or null or None
  struct _err_stackitem* previous_item;
} _PyErr_StackItem;
typedef struct _stack_chunk {
  struct _stack_chunk* previous;
  size_t size;
  size_t top;
  PyObject* data[1];
} _PyStackChunk;
#define _PY_DATA_STACK_CHUNK_SIZE (16 * 1024)

struct _ts {
  PyThreadState* prev;
  PyThreadState* next;
  PyInterpreterState* interp;
  uintptr_t eval_breaker;
  struct {
    unsigned int initialized : 1;
    unsigned int bound : 1;
    unsigned int unbound : 1;
    unsigned int bound_gilstate : 1;
    unsigned int active : 1;
    unsigned int finalizing : 1;
    unsigned int cleared : 1;
    unsigned int finalized : 1;
    unsigned int : 24;
  } _status;
  int holds_gil;
  int _whence;
  int state;  // attached, detached or suspended
  int py_recursion_remaining;
  int py_recursion_limit;
  int recursion_headroom;
  int tracing;
  int what_event;
  struct _PyInterpreterFrame* current_frame;
  Py_tracefunc c_profilefunc;
  Py_tracefunc c_tracefunc;
  PyObject* c_profileobj;
  PyObject* c_traceobj;
  PyObject* current_exception;  // raised and not yet caught
  _PyErr_StackItem* exc_info;
  PyObject* dict;
  int gilstate_counter;
  PyObject* async_exc;
  unsigned long thread_id;
  unsigned long native_thread_id;
  PyObject* delete_later;
  uintptr_t critical_section;  // innermost PyCriticalSection, flags in the low bits
  int coroutine_origin_tracking_depth;
  PyObject* async_gen_firstiter;
  PyObject* async_gen_finalizer;
  PyObject* context;
  uint64_t context_ver;
  uint64_t id;
  _PyStackChunk* datastack_chunk;
  PyObject** datastack_top;
  PyObject** datastack_limit;
  _PyErr_StackItem exc_state;
  PyObject* current_executor;
  uint64_t dict_global_version;
  PyObject* threading_local_key;
  PyObject* threading_local_sentinel;
  _PyRemoteDebuggerSupport remote_debugger_support;
  _PyStackChunk* datastack_cached_chunk;
};
#endif

// The thread: Get and Swap need an attached thread, GetUnchecked returns null without one.
PyAPI_FUNC(PyThreadState*) PyThreadState_New(PyInterpreterState*);
PyAPI_FUNC(void) PyThreadState_Clear(PyThreadState*);
PyAPI_FUNC(void) PyThreadState_Delete(PyThreadState*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) PyThreadState_DeleteCurrent(void);
#endif
PyAPI_FUNC(PyThreadState*) PyThreadState_Get(void);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyThreadState*) PyThreadState_GetUnchecked(void);
#endif
PyAPI_FUNC(PyThreadState*) PyThreadState_Swap(PyThreadState*);
#ifndef Py_LIMITED_API
static inline PyThreadState* _PyThreadState_UncheckedGet(void) {
  return PyThreadState_GetUnchecked();
}
#endif
#define PyThreadState_GET() PyThreadState_Get()
// GetDict borrows, GetFrame gives a new reference; both null without an exception if there is none.
PyAPI_FUNC(PyObject*) PyThreadState_GetDict(void);
#if _Py_SINCE(3, 9)
PyAPI_FUNC(PyFrameObject*) PyThreadState_GetFrame(PyThreadState* tstate);
PyAPI_FUNC(PyInterpreterState*) PyThreadState_GetInterpreter(PyThreadState* tstate);
PyAPI_FUNC(uint64_t) PyThreadState_GetID(PyThreadState* tstate);
#endif
PyAPI_FUNC(int) PyThreadState_SetAsyncExc(unsigned long, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) PyThreadState_EnterTracing(PyThreadState* tstate);
PyAPI_FUNC(void) PyThreadState_LeaveTracing(PyThreadState* tstate);
PyAPI_FUNC(PyThreadState*) PyThreadState_Next(PyThreadState*);
PyAPI_FUNC(int) PyUnstable_ThreadState_SetStackProtection(PyThreadState* tstate, void* stack_start_addr,
                                                          size_t stack_size);
PyAPI_FUNC(void) PyUnstable_ThreadState_ResetStackProtection(PyThreadState* tstate);
// New reference.
PyAPI_FUNC(PyObject*) _PyThread_CurrentFrames(void);
#endif

// The interpreter. Its dict is borrowed, null without an exception.
PyAPI_FUNC(PyInterpreterState*) PyInterpreterState_New(void);
PyAPI_FUNC(void) PyInterpreterState_Clear(PyInterpreterState*);
PyAPI_FUNC(void) PyInterpreterState_Delete(PyInterpreterState*);
#if _Py_SINCE(3, 9)
PyAPI_FUNC(PyInterpreterState*) PyInterpreterState_Get(void);
#endif
#if _Py_SINCE(3, 8)
PyAPI_FUNC(PyObject*) PyInterpreterState_GetDict(PyInterpreterState*);
#endif
#if _Py_SINCE(3, 7)
PyAPI_FUNC(int64_t) PyInterpreterState_GetID(PyInterpreterState*);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyInterpreterState*) PyInterpreterState_Main(void);
PyAPI_FUNC(PyInterpreterState*) PyInterpreterState_Head(void);
PyAPI_FUNC(PyInterpreterState*) PyInterpreterState_Next(PyInterpreterState*);
PyAPI_FUNC(PyThreadState*) PyInterpreterState_ThreadHead(PyInterpreterState*);
PyAPI_FUNC(int) _PyInterpreterState_RequiresIDRef(PyInterpreterState*);
PyAPI_FUNC(void) _PyInterpreterState_RequireIDRef(PyInterpreterState*, int);
typedef PyObject* (*_PyFrameEvalFunction)(PyThreadState* tstate, struct _PyInterpreterFrame* frame, int exc);
PyAPI_FUNC(_PyFrameEvalFunction) _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState* interp);
PyAPI_FUNC(void)
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState* interp, _PyFrameEvalFunction eval_frame);
#endif

// Attaching a foreign thread; every Ensure is matched by one Release.
typedef enum { PyGILState_LOCKED, PyGILState_UNLOCKED } PyGILState_STATE;
PyAPI_FUNC(PyGILState_STATE) PyGILState_Ensure(void);
PyAPI_FUNC(void) PyGILState_Release(PyGILState_STATE);
PyAPI_FUNC(PyThreadState*) PyGILState_GetThisThreadState(void);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyGILState_Check(void);
#endif

// Between these two no object may be touched.
PyAPI_FUNC(PyThreadState*) PyEval_SaveThread(void);
PyAPI_FUNC(void) PyEval_RestoreThread(PyThreadState*);
PyAPI_FUNC(void) PyEval_AcquireThread(PyThreadState* tstate);
PyAPI_FUNC(void) PyEval_ReleaseThread(PyThreadState* tstate);
Py_DEPRECATED() PyAPI_FUNC(void) PyEval_InitThreads(void);
#define Py_BEGIN_ALLOW_THREADS \
  {                            \
    PyThreadState* _save;      \
    _save = PyEval_SaveThread();
#define Py_BLOCK_THREADS PyEval_RestoreThread(_save);
#define Py_UNBLOCK_THREADS _save = PyEval_SaveThread();
#define Py_END_ALLOW_THREADS   \
  PyEval_RestoreThread(_save); \
  }

// Depth of recursion: nonzero with RecursionError; `where` completes the message.
PyAPI_FUNC(int) Py_EnterRecursiveCall(const char* where);
PyAPI_FUNC(void) Py_LeaveRecursiveCall(void);
PyAPI_FUNC(void) Py_SetRecursionLimit(int);
PyAPI_FUNC(int) Py_GetRecursionLimit(void);

Py_END_C_DECLS

#endif
