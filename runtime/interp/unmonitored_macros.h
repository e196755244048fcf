// The words of the evaluation loop's vocabulary (eval_macros.h) in which its two copies differ, as the plain one has them: it
// does nothing for events but hand over to the monitored loop when a poll finds them wanted.
#pragma once

#define DISPATCH()                               \
  do {                                           \
    w = __atomic_load_n(pc, __ATOMIC_ACQUIRE);   \
    goto* labels[w & 0xff];                      \
  } while (0)

// The monitored loop goes on `words` behind pc. How the frame came to be there it needs to know: a frame that has not run
// yet is told of (POLL at the entry of one).
#define HAND_OVER_IF_MONITORED(words)     \
  do {                                    \
    if (monitored(ts)) [[unlikely]] {     \
      nargs = (words);                    \
      goto hand_over;                     \
    }                                     \
  } while (0)
#define POLL()                                             \
  do {                                                     \
    if (eval_breaker_set(ts)) {                            \
      f->pc = pc;                                          \
      if (handle_eval_breaker(ts) < 0) goto error;         \
      HAND_OVER_IF_MONITORED(0);                           \
    }                                                      \
  } while (0)
#define POLL_HERE(words)                                   \
  do {                                                     \
    if (eval_breaker_set(ts)) {                            \
      f->pc = pc;                                          \
      if (handle_eval_breaker(ts) < 0) goto error;         \
      f->flags |= kFrameSeen;                              \
      HAND_OVER_IF_MONITORED(words);                       \
    }                                                      \
  } while (0)
#define POLL_NEXT(words) \
  do {                   \
    POLL_HERE(words);    \
    NEXT(words);         \
  } while (0)

#define LOOP_BEGINS() HAND_OVER_IF_MONITORED(0)
#define THROWN_INTO() (void)0
#define RETURNED_TO_CALLER() (void)0
#define ITEM_ARRIVED() (void)0
#define GENERATOR_RETURNED(value) (void)0
#define ITERATION_STOPPED() (void)0
#define RAISED() (void)0
#define RAISED_AGAIN() (void)0
#define HANDLED() (void)0
#define UNWINDS() (void)0
#define LOOP_ENDS()                                          \
  hand_over : {                                              \
    PyObject* object = run_frame_monitored(ts, f, nargs);    \
    if (object != kLoopLeft) return object;                  \
    f = current_frame(ts);                                   \
    ENTER_FRAME();                                           \
    DISPATCH();                                              \
  }
