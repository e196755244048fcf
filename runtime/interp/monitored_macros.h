// The same words as unmonitored_macros.h for the loop that delivers events (eval_monitored.cpp).
#pragma once

// One loop for however many threads there are: its loads and stores ask.
#define THREADS Threads::kAsk
#define LOOP_TABLE() static constexpr auto& labels = handlers
#define LOOP_CHANGE() (void)0

#define DISPATCH() goto dispatch

#define POLL_HERE(words)                                                                                     \
  do {                                                                                                       \
    if (__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) != kBreakMonitor) [[unlikely]] {                \
      f->pc = pc;                                                                                            \
      if (handle_eval_breaker(ts) < 0) goto error;                                                           \
      if (!monitored(ts)) {                                                                                  \
        f->pc = pc + (words);                                                                                \
        return kLoopLeft;                                                                                    \
      }                                                                                                      \
    }                                                                                                        \
  } while (0)
#define POLL() POLL_HERE(0)
#define POLL_NEXT(words) \
  do {                   \
    POLL_HERE(words);    \
    NEXT(words);         \
  } while (0)

#define LOOP_BEGINS()       \
  CodePoint branch, thrown; \
  pc += skip
#define THROWN_INTO() monitored_throw(ts, f)
#define RETURNED_TO_CALLER() f->flags |= kFrameSeen
// A generator has given its item, or has ended, for a FOR_ITER.
#define ITEM_ARRIVED() monitored_item(f, &branch)
#define GENERATOR_RETURNED(value)                              \
  do {                                                         \
    if (monitored_stop_iteration(ts, f, value) < 0) {          \
      drop(value);                                             \
      goto error;                                              \
    }                                                          \
    monitored_item(f, &branch);                                \
  } while (0)
// An iterator has raised StopIteration, which the loop takes for its end.
#define ITERATION_STOPPED() monitored_raise(ts, f)
#define RAISED()                 \
  do {                           \
    branch.from = nullptr;       \
    monitored_raise(ts, f);      \
    goto find_handler;           \
  } while (0)
#define RAISED_AGAIN()           \
  branch.from = nullptr;         \
  monitored_reraise(ts, f);      \
  find_handler:                  \
  (void)0
#define HANDLED()                                                                       \
  do {                                                                                  \
    if (monitored_handled(ts, f, pc, exc, &thrown) < 0) goto find_handler;              \
  } while (0)
#define UNWINDS() monitored_unwind(ts, f, thrown)
#define LOOP_ENDS()                                                                                              \
  dispatch : {                                                                                                   \
    const CodeMonitor* m = code_monitor_of(f->code);                                                             \
    if (m != nullptr && branch.from == nullptr && (f->flags & kFrameSeen) != 0 &&                                \
        m->version.load(std::memory_order_acquire) == events.version.load(std::memory_order_relaxed) &&          \
        __atomic_load_n(&m->at[pc - code_words(f->code)], __ATOMIC_RELAXED) == 0) [[likely]] {                   \
      f->pc = pc;                                                                                                \
      w = __atomic_load_n(pc, __ATOMIC_ACQUIRE);                                                                 \
    } else {                                                                                                     \
      const Word* at = monitored_step(ts, f, pc, &branch, &w);                                                   \
      if (at == nullptr) goto error;                                                                             \
      pc = at;                                                                                                   \
    }                                                                                                            \
    goto* labels[w & 0xff];                                                                                      \
  }
