// Owns the interpreter state: the list of threads, ids, pending calls. There is exactly one; PyInterpreterState is
// opaque to extensions. Invariant: `threads` and its links change only under `list_lock`; a ThreadState is freed only
// after it left the list, so under the lock every state in it may be touched.
#pragma once

#include "Python.h"

#include "platform/raw_mutex.h"
#include "sync/thread_state.h"

struct _is {
  amphis::platform::RawMutex list_lock;
  PyThreadState* threads = nullptr;                     // newest first
  std::atomic<uint64_t> next_thread_id{1};
  std::atomic<int> thread_count{0};                     // length of `threads`
  std::atomic<amphis::ThreadState*> main_thread{nullptr};  // what signal handlers wake
  unsigned long main_ident = 0;                         // pthread_self() of the main thread
  std::atomic<amphis::ThreadState*> finalizing{nullptr};
  std::atomic<int> recursion_limit{1000};
  PyObject* dict = nullptr;                             // PyInterpreterState_GetDict
  _PyFrameEvalFunction eval_frame = nullptr;            // PEP 523, recorded only
};

namespace amphis {

using InterpreterState = ::_is;

// ThreadState::_whence: who made it.
enum Whence : int { kWhenceUnknown = 0, kWhenceInit = 1, kWhenceThreading = 3, kWhenceGilState = 4 };

extern constinit InterpreterState the_interpreter AMPHIS_HIDDEN;

inline InterpreterState* interpreter() { return &the_interpreter; }

// Start-up: makes the calling thread the main thread, attached. Null: out of memory.
ThreadState* start_main_thread();
// The very end: the calling, attached thread is the last one; frees its state and leaves the thread detached.
void end_main_thread();
// Between two lives: the calling thread finalized the runtime; the calling thread, if it is another one, gets the state of the last
// life attached, so that it can end it.
void main_thread_finished();
void take_over_main_thread();

bool is_main_thread();

// Visits every thread state with the list locked; the visitor must not block, allocate objects or run Python code.
template <class F>
void for_each_thread(F&& visit) {
  platform::RawLock lock(the_interpreter.list_lock);
  for (PyThreadState* t = the_interpreter.threads; t; t = t->next) visit(thread_state(t));
}

namespace sync {

// Life of a state. new_thread: in the list, unbound and detached; null: out of memory. clear_thread: drops its
// references (an attached thread calls it). delete_thread: detached and cleared; leaves the list and is freed.
ThreadState* new_thread(int whence);
void clear_thread(ThreadState* ts);
void delete_thread(ThreadState* ts);
// The current, cleared state: detaches from it and deletes it.
void delete_current_thread(ThreadState* ts);
// The end of a thread that the runtime started: clear and delete the current state.
void finish_current_thread(ThreadState* ts);
// The state that PyGILState_Ensure uses on this native thread, or null.
ThreadState* bound_thread();

// The body of Py_MakePendingCalls for the main thread; 0 or -1.
int make_pending_calls(ThreadState* ts);
// Runs Python signal handlers if this is the main thread and there are some; 0 or -1.
int handle_signals(ThreadState* ts);

}  // namespace sync

}  // namespace amphis
