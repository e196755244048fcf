// The words of the evaluation loop (interp/eval.cpp) in which the loop for one thread and the loop for many threads differ.
//
// Both are compiled from the same text. THREADS says to the loads and stores what they need not ask: the loop for one thread
// does what the GIL build does, the other one (interp/free/many_threads.cpp) reads without locks. Each dispatches through a
// table of its own, and in the table of the loop that is not in force every entry leads out of it: so a change takes effect
// at the next instruction, and costs nothing before. choose_loop() writes the tables: when the second thread is about to
// run, with the first one standing still or asking for it itself, and when one thread is left, by that thread
// (on_many_threads).
//
// A frame that changes loops has begun, so the monitored loop (interp/monitoring.h), should it take over, need not tell of that.
//
// The loop for one thread is entered first; it calls the other one, which returns kLoopLeft when it is not in force any
// more: current_frame() goes on.
#pragma once

namespace amphis {

PyObject* run_frame_among_threads(ThreadState* ts, Frame* f);
// Without a frame a loop brings its table up to date.
inline void choose_loop() {
  run_frame(nullptr, nullptr);
  run_frame_among_threads(nullptr, nullptr);
}

}  // namespace amphis

#ifdef AMPHIS_LOOP_AMONG_THREADS
#define THIS_LOOP run_frame_among_threads
#define THREADS Threads::kMany
#define LOOP_CHANGE() \
  change_loop : {     \
    f->pc = pc;       \
    return kLoopLeft; \
  }
#else
#define THIS_LOOP run_frame
#define THREADS Threads::kOne
#define LOOP_CHANGE()                                    \
  change_loop : {                                        \
    f->pc = pc;                                          \
    f->flags |= kFrameSeen;                              \
    PyObject* object = run_frame_among_threads(ts, f);   \
    if (object != kLoopLeft) return object;              \
    f = current_frame(ts);                               \
    ENTER_FRAME();                                       \
    DISPATCH();                                          \
  }
#endif

#define LOOP_TABLE()                                                                   \
  static const void* labels[256];                                                      \
  if (f == nullptr) [[unlikely]] {                                                     \
    const bool in_force = sync::only_thread() == (THREADS == Threads::kOne);           \
    for (int op = 0; op < 256; ++op) labels[op] = in_force ? handlers[op] : &&change_loop; \
    return nullptr;                                                                    \
  }
