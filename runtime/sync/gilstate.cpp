// The C API of thread states, interpreter states, PyGILState_* and PyEval_*Thread.
#include "base/assert.h"
#include "sync/attachment.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

[[noreturn]] AMPHIS_COLD void no_thread_state() {
  fatal(
      "the function must be called with the GIL held, after Python initialization and before Python finalization, but the "
      "GIL is released (the current Python thread state is NULL)");
}

ThreadState* require_current() {
  ThreadState* ts = current_thread();
  if (!ts) [[unlikely]] no_thread_state();
  return ts;
}

}  // namespace

extern "C" {

// ---- Thread states ----

PyThreadState* PyThreadState_New(PyInterpreterState*) { return sync::new_thread(kWhenceUnknown); }
void PyThreadState_Clear(PyThreadState* ts) { sync::clear_thread(thread_state(ts)); }
void PyThreadState_Delete(PyThreadState* ts) {
  if (ts == current_thread()) fatal("PyThreadState_Delete: the thread state is current");
  sync::delete_thread(thread_state(ts));
}
void PyThreadState_DeleteCurrent(void) { sync::delete_current_thread(require_current()); }

PyThreadState* PyThreadState_Get(void) { return require_current(); }
PyThreadState* PyThreadState_GetUnchecked(void) { return current_thread(); }
AMPHIS_EXPORT PyThreadState* _PyThreadState_GetCurrent(void) { return current_thread(); }
#undef _PyThreadState_UncheckedGet
PyInterpreterState* PyThreadState_GetInterpreter(PyThreadState* ts) { return ts->interp; }
uint64_t PyThreadState_GetID(PyThreadState* ts) { return ts->id; }

PyThreadState* PyThreadState_Swap(PyThreadState* next) {
  ThreadState* old = current_thread();
  if (old == next) return old;
  if (old) sync::detach(old);
  if (next) sync::attach(thread_state(next));
  return old;
}

PyObject* PyThreadState_GetDict(void) {
  ThreadState* ts = current_thread();
  if (!ts) return nullptr;
  if (!ts->dict) {
    ts->dict = PyDict_New();
    if (!ts->dict) PyErr_Clear();
  }
  return ts->dict;
}

AMPHIS_EXPORT PyObject* _PyThreadState_GetDict(PyThreadState* ts) {
  if (!ts->dict && !(ts->dict = PyDict_New())) PyErr_Clear();
  return ts->dict;
}

int PyThreadState_SetAsyncExc(unsigned long ident, PyObject* exc) {
  PyObject* old = Py_XNewRef(exc);
  int found = 0;
  for_each_thread([&](ThreadState* ts) {
    if (found || ts->thread_id != ident) return;
    found = 1;
    old = __atomic_exchange_n(&ts->async_exc, old, __ATOMIC_ACQ_REL);
    set_eval_breaker(ts, kBreakAsyncExc);
  });
  Py_XDECREF(old);
  return found;
}

PyThreadState* PyThreadState_Next(PyThreadState* ts) {
  platform::RawLock lock(interpreter()->list_lock);
  return ts->next;
}

// ---- Attaching and detaching ----

PyThreadState* PyEval_SaveThread(void) {
  ThreadState* ts = require_current();
  sync::detach(ts);
  return ts;
}

void PyEval_RestoreThread(PyThreadState* ts) {
  if (!ts) [[unlikely]] no_thread_state();
  sync::attach(thread_state(ts));
}

void PyEval_AcquireThread(PyThreadState* ts) {
  if (!ts) no_thread_state();
  sync::attach(thread_state(ts));
}

void PyEval_ReleaseThread(PyThreadState* ts) {
  if (ts != current_thread()) fatal("PyEval_ReleaseThread: wrong thread state");
  sync::detach(thread_state(ts));
}

void PyEval_InitThreads(void) {}
AMPHIS_EXPORT int PyEval_ThreadsInitialized(void) { return interpreter()->main_ident != 0; }

PyGILState_STATE PyGILState_Ensure(void) {
  ThreadState* current = current_thread();
  ThreadState* ts = current ? current : sync::bound_thread();
  if (!ts) {
    if (sync::finalizing()) sync::hang_thread();
    ts = sync::new_thread(kWhenceGilState);
    if (!ts) fatal("Couldn't create thread-state for new thread");
    ts->gilstate_counter = 0;
    ts->is_gilstate = true;
  }
  if (!current) sync::attach(ts);
  ts->gilstate_counter++;
  return current ? PyGILState_LOCKED : PyGILState_UNLOCKED;
}

void PyGILState_Release(PyGILState_STATE old) {
  ThreadState* ts = current_thread();
  if (!ts) fatal("PyGILState_Release: auto-releasing thread-state, but no thread-state for this thread");
  ts->gilstate_counter--;
  if (ts->gilstate_counter == 0) {
    AMPHIS_CHECK(old == PyGILState_UNLOCKED);
    // Clearing may run destructors that use PyGILState themselves.
    ts->gilstate_counter++;
    sync::clear_thread(ts);
    ts->gilstate_counter--;
    sync::delete_current_thread(ts);
  } else if (old == PyGILState_UNLOCKED) {
    sync::detach(ts);
  }
}

int PyGILState_Check(void) { return current_thread() != nullptr; }

PyThreadState* PyGILState_GetThisThreadState(void) {
  ThreadState* current = current_thread();
  return current ? current : sync::bound_thread();
}

// ---- The interpreter ----

PyInterpreterState* PyInterpreterState_Get(void) { return require_current()->interp; }
PyInterpreterState* PyInterpreterState_Main(void) { return interpreter(); }
AMPHIS_EXPORT PyInterpreterState* _PyInterpreterState_Main(void) { return interpreter(); }
PyInterpreterState* PyInterpreterState_Head(void) { return interpreter(); }
PyInterpreterState* PyInterpreterState_Next(PyInterpreterState*) { return nullptr; }
int64_t PyInterpreterState_GetID(PyInterpreterState* interp) {
  if (interp) return 0;
  PyErr_SetString(PyExc_RuntimeError, "no interpreter provided");
  return -1;
}

PyThreadState* PyInterpreterState_ThreadHead(PyInterpreterState* interp) {
  platform::RawLock lock(interp->list_lock);
  return interp->threads;
}

PyObject* PyInterpreterState_GetDict(PyInterpreterState* interp) {
  PyObject* dict = __atomic_load_n(&interp->dict, __ATOMIC_ACQUIRE);
  if (dict) return dict;
  PyObject* fresh = PyDict_New();
  if (!fresh) {
    PyErr_Clear();
    return nullptr;
  }
  if (__atomic_compare_exchange_n(&interp->dict, &dict, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return fresh;
  Py_DECREF(fresh);  // another thread was first
  return dict;
}

PyInterpreterState* PyInterpreterState_New(void) {
  if (current_thread()) PyErr_SetString(PyExc_RuntimeError, "this runtime has one interpreter; it cannot make another");
  return nullptr;
}
void PyInterpreterState_Clear(PyInterpreterState* interp) { Py_CLEAR(interp->dict); }
void PyInterpreterState_Delete(PyInterpreterState*) {}

_PyFrameEvalFunction _PyInterpreterState_GetEvalFrameFunc(PyInterpreterState* interp) { return interp->eval_frame; }
void _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState* interp, _PyFrameEvalFunction f) { interp->eval_frame = f; }
int _PyInterpreterState_RequiresIDRef(PyInterpreterState*) { return 0; }
void _PyInterpreterState_RequireIDRef(PyInterpreterState*, int) {}

}
