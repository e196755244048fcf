// Generators, coroutines and asynchronous generators: one layout, three types. The object carries its frame record and
// registers; running it puts that record on top of the thread's chain of frames, without recursion on the C stack when
// the interpreter itself resumes it (FOR_ITER, SEND).
//
// State: kCreated -> kRunning <-> kSuspended -> kFinished. Entering is one atomic exchange to kRunning, so that in the
// free-threaded build of two threads one gets "generator already executing". Registers are alive unless kFinished.
#pragma once

#include "Python.h"
#include "interp/frame.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/ref.h"

namespace amphis {

enum GeneratorState : uint8_t { kGenCreated, kGenSuspended, kGenRunning, kGenFinished };

struct GeneratorObject {
  PyObject_HEAD
  PyObject* weakrefs;
  PyObject* name;
  PyObject* qualname;
  PyObject* origin_or_finalizer;  // coroutines: cr_origin; asynchronous generators: the finalizer hook
  _PyErr_StackItem exc_state;
  Frame frame;
  uint8_t state;
  bool hooks_inited;      // asynchronous generators
  bool ag_closed;
  uint8_t ag_running_async;  // 0 or 1: claimed by the awaitable that runs it
  uint32_t register_count;
  Value regs[1];
};

inline GeneratorObject* generator_of(Frame* f) {
  return reinterpret_cast<GeneratorObject*>(reinterpret_cast<char*>(f) - offsetof(GeneratorObject, frame));
}

// A new generator object from the frame that executes RETURN_GENERATOR: takes its variables over. The frame itself is
// then ended by the caller.
AMPHIS_NOINLINE PyObject* generator_new(ThreadState* ts, Frame* f);

// Claims the generator for running. False: finished (no exception) or running already (ValueError).
bool generator_begin(ThreadState* ts, GeneratorObject* gen);
// The same for the case that everything is well; false, with nothing done, asks for generator_begin.
AMPHIS_ALWAYS_INLINE bool generator_begin_fast(ThreadState* ts, GeneratorObject* gen) {
  uint8_t state = sync::load_acquire(gen->state);
  if (state > kGenSuspended || ts->py_recursion_remaining <= 0) [[unlikely]] return false;
  return sync::attached_claim(gen->state, state, static_cast<uint8_t>(kGenRunning));
}
// Whether the interpreter may resume it by pushing its frame (a fresh generator takes only None).
bool generator_can_push(GeneratorObject* gen, bool sends_none);
// Puts a claimed generator on top of `caller` and delivers `sent` (taken over) to its yield. The result of the next
// yield goes to caller's register dst, `skip` words on.
AMPHIS_ALWAYS_INLINE Frame* generator_push_send(ThreadState* ts, GeneratorObject* gen, Frame* caller, uint16_t dst,
                                                uint8_t skip, Value sent) {
  Frame* f = &gen->frame;
  if (word_op(*f->pc) == Op::YIELD_VALUE) {
    Value* slot = &gen->regs[word_a(*f->pc)];
    Value old = *slot;
    *slot = to_owned(sent);
    drop(old);
  } else {
    drop(sent);
  }
  ++f->pc;
  f->prev = caller;
  f->dst = dst;
  f->skip = skip;
  f->flags = kFrameGenerator;
  gen->exc_state.previous_item = ts->exc_info;
  ts->exc_info = &gen->exc_state;
  set_current_frame(ts, f);
  --ts->py_recursion_remaining;
  return f;
}
// The record leaves the chain of frames; what the generator handles is no longer what the thread handles.
AMPHIS_ALWAYS_INLINE void generator_leave(ThreadState* ts, GeneratorObject* gen) {
  ts->exc_info = gen->exc_state.previous_item;
  gen->exc_state.previous_item = nullptr;
  set_current_frame(ts, gen->frame.prev);
  gen->frame.prev = nullptr;
  ++ts->py_recursion_remaining;
}
// The running generator yields / returns / ends with an exception: its record leaves the chain.
AMPHIS_ALWAYS_INLINE void generator_suspend(ThreadState* ts, GeneratorObject* gen) {
  generator_leave(ts, gen);
  sync::store_release(gen->state, static_cast<uint8_t>(kGenSuspended));
}
AMPHIS_NOINLINE void generator_finish(ThreadState* ts, GeneratorObject* gen);
void generator_fail(ThreadState* ts, GeneratorObject* gen);

// Resumes from C. `sent` borrowed (null: throw the exception that is set). Yielded or returned value (new reference;
// generator_returned() tells which until this thread resumes another one), null with an exception.
PyObject* generator_resume(GeneratorObject* gen, PyObject* sent);
// Of the thread, not of the generator: another thread may resume that as soon as it has yielded.
inline bool generator_returned() { return current_thread()->generator_returned; }

// The iterator that a suspended generator delegates to (yield from, await): borrowed, or null. Another thread may resume
// the generator: what is found may be dead by then, unless generator_claimed_delegate found it.
PyObject* generator_delegate(GeneratorObject* gen);
// The same as a new reference, claiming the generator for the look: for those who would claim it anyway.
Ref<> generator_claimed_delegate(GeneratorObject* gen);
// The same without claiming, so that nobody else sees it run.
Ref<> generator_watched_delegate(GeneratorObject* gen);

// What `await o` awaits: new reference or null with TypeError.
PyObject* coroutine_get_awaitable(PyObject* o);
// The awaitable of anext(iterator, default) around the iterator's own (new reference).
PyObject* anext_with_default(PyObject* awaitable, PyObject* fallback);
// Wraps a value yielded by an asynchronous generator (new reference).
PyObject* async_gen_wrap(PyObject* value);

}  // namespace amphis
