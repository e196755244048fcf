// Owns ThreadState, the runtime's view of one thread, and attachment: a thread may touch objects only while attached.
// GIL build: attached means holding the GIL. Free-threaded build: attached means that StopTheWorld waits for it.
// Invariant: current_thread() is null or the attached state of this native thread.
#pragma once

#include "Python.h"

#include "base/compiler.h"

#include <atomic>
#include <cstdint>

namespace amphis {

struct Heap;         // memory/
struct AttrTable;    // interp/
struct MethodCache;  // objects/
struct ThreadState;

namespace sync {
struct RefQueue;   // free build: objects whose counts this thread has to merge
struct RetireList; // free build: blocks waiting for every thread to pass a safepoint
struct TrashList;  // objects whose deallocation was put off to spare the C stack
}  // namespace sync

// The bits of ThreadState::eval_breaker. The interpreter polls the word for non-zero on back edges and calls, and then
// calls handle_eval_breaker.
enum EvalBreaker : uintptr_t {
  kBreakGilDrop = 1 << 0,       // another thread waited a switch interval for the GIL
  kBreakStop = 1 << 1,          // a StopTheWorld waits for this thread
  kBreakSignals = 1 << 2,       // a signal handler left work for the main thread
  kBreakPendingCalls = 1 << 3,  // Py_AddPendingCall left work
  kBreakAsyncExc = 1 << 4,      // PyThreadState_SetAsyncExc
  kBreakGc = 1 << 5,            // the collector asks to run
  kBreakMerge = 1 << 6,         // reference counts wait to be merged by their owner
  kBreakQuiesce = 1 << 7,       // retired memory waits for this thread to pass a safepoint
  kBreakAlone = 1 << 9,         // the other threads have ended
};

// PyThreadState is the public layout; what follows it is the runtime's own. Written all the time by one thread: no two of
// them share a cache line.
struct alignas(64) ThreadState : PyThreadState {
  // The interpreter's stacks: owned by interp/ through ThreadHooks, opaque here.
  uint64_t* reg_base = nullptr;
  uint64_t* reg_top = nullptr;
  uint64_t* reg_limit = nullptr;
  char* frame_base = nullptr;
  char* frame_top = nullptr;
  char* frame_limit = nullptr;

  // Native stack addresses; the stack grows down. Below c_stack_limit Py_EnterRecursiveCall refuses; below
  // trash_limit deallocation of containers is put off.
  uintptr_t c_stack_limit = 0;
  uintptr_t c_trash_limit = 0;
  uintptr_t c_stack_top = 0;

  sync::TrashList* trash = nullptr;    // null: nothing put off
  bool trash_draining = false;
  Heap* heap = nullptr;                // memory/

  // Free-threaded build.
  uintptr_t owner_id = 0;              // _Py_ThreadId() of the native thread that this state is bound to
  std::atomic<uint64_t> quiescent{0};  // last safepoint's epoch; 0 while detached
  sync::RefQueue* merge_queue = nullptr;
  sync::RetireList* retired = nullptr;
  int stop_depth = 0;                  // StopTheWorld objects of this thread

  MethodCache* method_cache = nullptr;  // objects/type_lookup.cpp
  AttrTable* attr_table = nullptr;      // interp/attr_table.h
  PyObject* repr_stack = nullptr;      // Py_ReprEnter's list of objects in progress
  void* local_table = nullptr;         // _thread._local: this thread's values
  ThreadState* previous_bound = nullptr;  // PyGILState's state of this native thread that this one displaced
  bool generator_returned = false;     // interp/: the generator that C code resumed last ended, it did not yield
  bool is_gilstate = false;
  bool linked = false;
};

namespace sync {
extern constinit thread_local ThreadState* tls_current AMPHIS_TLS_IE;
}

// The attached state of this thread, or null. One load.
inline ThreadState* current_thread() { return sync::tls_current; }

inline ThreadState* thread_state(PyThreadState* ts) { return static_cast<ThreadState*>(ts); }

// Sets bits from any thread, a signal handler included.
inline void set_eval_breaker(ThreadState* ts, uintptr_t bits) {
  __atomic_fetch_or(&ts->eval_breaker, bits, __ATOMIC_SEQ_CST);
}
inline void clear_eval_breaker(ThreadState* ts, uintptr_t bits) {
  __atomic_fetch_and(&ts->eval_breaker, ~bits, __ATOMIC_SEQ_CST);
}
inline bool eval_breaker_set(const ThreadState* ts) {
  return AMPHIS_UNLIKELY(__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) != 0);
}
// Does what the bits ask for: switches threads, stands still, runs signal handlers, pending calls and the collector.
// Returns -1 with an exception set when one of them raised. The caller holds no raw pointer to retirable memory.
AMPHIS_COLD int handle_eval_breaker(ThreadState* ts);
// The same for bits that never run Python code: safe inside long C loops between objects.
void safepoint(ThreadState* ts);

// Work whose bodies belong to folders below. A null hook means that there is nothing to do.
struct EvalHooks {
  int (*handle_signals)(ThreadState*) = nullptr;  // run Python signal handlers; main thread only; 0 or -1
  int (*run_gc)(ThreadState*) = nullptr;          // 0 or -1
};
extern EvalHooks eval_hooks;
// Called by signal handlers (async-signal-safe): makes the main thread call handle_signals soon.
void signal_pending();

// Called at points of each state's life, in the order of registration (the reverse for unbound and destroyed).
// Registration happens at start-up only, before the first thread.
struct ThreadHooks {
  bool (*created)(ThreadState*);    // any thread; false: out of memory
  void (*bound)(ThreadState*);      // on the native thread, at its first attach
  void (*clear)(ThreadState*);      // attached (to this or another state): drop references to objects
  void (*unbound)(ThreadState*);    // detached, on the native thread when it can be, before it ends
  void (*destroyed)(ThreadState*);  // nobody else can see the state any more: free the rest
};
void add_thread_hooks(const ThreadHooks& hooks);

namespace sync {

// Makes `ts` this native thread's attached state; blocks for the GIL or a stopped world. After the runtime has begun
// to finalize, threads other than the finalizing one block here for ever.
void attach(ThreadState* ts);
// Gives it up; critical sections are suspended. `ts` is the current state.
void detach(ThreadState* ts);

// Whether threads take turns (sys._is_gil_enabled). The free-threaded build can enable and disable the GIL at run
// time (PYTHON_GIL, -X gil, extension modules that need it); the caller is attached. False: this build cannot do that.
bool gil_enabled();
bool enable_gil(bool on);

// Switch interval of the GIL in microseconds (sys.setswitchinterval).
void set_switch_interval(unsigned long microseconds);
unsigned long switch_interval();

// From here on every thread but `ts` blocks for ever when it tries to attach.
void begin_finalization(ThreadState* ts);
bool finalizing();

}  // namespace sync

// RAII: this thread gives up the GIL / detaches around something that blocks. No effect on a thread that is not attached.
class [[nodiscard]] Detached {
  ThreadState* ts_;

 public:
  Detached() : ts_(current_thread()) {
    if (ts_) sync::detach(ts_);
  }
  ~Detached() {
    if (ts_) sync::attach(ts_);
  }
  Detached(const Detached&) = delete;
  Detached& operator=(const Detached&) = delete;
};

}  // namespace amphis
