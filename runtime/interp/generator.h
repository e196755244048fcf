// Generators, coroutines and asynchronous generators: one layout, three types. The object carries its frame record and
// registers; running it puts that record on top of the thread's chain of frames, without recursion on the C stack when
// the interpreter itself resumes it (FOR_ITER, SEND).
//
// State: kCreated -> kRunning <-> kSuspended -> kFinished. Entering is one atomic exchange to kRunning, so that in the
// free-threaded build of two threads one gets "generator already executing". Registers are alive unless kFinished.
#pragma once

#include "Python.h"
#include "interp/frame.h"

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
  bool ag_running_async;
  uint32_t register_count;
  Value regs[1];
};

inline GeneratorObject* generator_of(Frame* f) {
  return reinterpret_cast<GeneratorObject*>(reinterpret_cast<char*>(f) - offsetof(GeneratorObject, frame));
}

// A new generator object from the frame that executes RETURN_GENERATOR: takes its variables over. The frame itself is
// then ended by the caller.
PyObject* generator_new(ThreadState* ts, Frame* f);

// Claims the generator for running. False: finished (no exception) or running already (ValueError).
bool generator_begin(ThreadState* ts, GeneratorObject* gen);
// Whether the interpreter may resume it by pushing its frame (a fresh generator takes only None).
bool generator_can_push(GeneratorObject* gen, bool sends_none);
// Puts a claimed generator on top of `caller` and delivers None (or `sent`, taken over) to its yield. The result of the
// next yield goes to caller's register dst, `skip` words on.
Frame* generator_push(ThreadState* ts, GeneratorObject* gen, Frame* caller, uint16_t dst, uint8_t skip);
Frame* generator_push_send(ThreadState* ts, GeneratorObject* gen, Frame* caller, uint16_t dst, uint8_t skip,
                           Value sent);
// The running generator yields / returns / ends with an exception: its record leaves the chain.
void generator_suspend(ThreadState* ts, GeneratorObject* gen);
void generator_finish(ThreadState* ts, GeneratorObject* gen);
void generator_fail(ThreadState* ts, GeneratorObject* gen);

// Resumes from C. `sent` borrowed (null: throw the exception that is set). Yielded or returned value (new reference;
// generator_returned() tells which until this thread resumes another one), null with an exception.
PyObject* generator_resume(GeneratorObject* gen, PyObject* sent);
// Of the thread, not of the generator: another thread may resume that as soon as it has yielded.
inline bool generator_returned() { return current_thread()->generator_returned; }

// The iterator that a suspended generator delegates to (yield from, await): borrowed, or null.
PyObject* generator_delegate(GeneratorObject* gen);

// What `await o` awaits: new reference or null with TypeError.
PyObject* coroutine_get_awaitable(PyObject* o);
// The awaitable of anext(iterator, default) around the iterator's own (new reference).
PyObject* anext_with_default(PyObject* awaitable, PyObject* fallback);
// Wraps a value yielded by an asynchronous generator (new reference).
PyObject* async_gen_wrap(PyObject* value);

}  // namespace amphis
