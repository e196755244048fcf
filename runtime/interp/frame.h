// Frames and the interpreter's per-thread stacks.
//
// A thread has two contiguous stacks: one of Frame records and one of registers (Values). A Python-to-Python call
// pushes a record and starts the callee's registers where the caller evaluated the arguments: nothing is copied and the
// C stack does not grow. A generator carries its record and registers in its own object and joins the chain of frames
// while it runs.
//
// Invariants: ThreadState::current_frame is the running record (null outside Python code); `pc` of every frame but
// the running one is the instruction that it waits in; registers at and above reg_top hold nothing owned.
#pragma once

#include "Python.h"
#include "interp/opcode.h"
#include "interp/value.h"
#include "objects/code.h"
#include "sync/thread_state.h"

namespace amphis {

enum FrameFlags : uint8_t {
  kFrameEntry = 1,      // called from C: returning leaves the evaluation loop
  kFrameGenerator = 2,  // record and registers belong to a generator object
  kFrameInit = 4,       // an __init__ called by a class call: the result is the instance in `pending`
  kFrameThrow = 8,      // resumed with an exception set: unwinding starts at once
  kFrameSeen = 16,      // its beginning has been told of, or went unobserved (interp/monitoring.h)
};

struct Frame {
  Frame* prev;            // the caller, also across C code
  const Word* pc;         // the instruction being executed
  Value* regs;
  PyCodeObject* code;
  Value function;         // PyFunctionObject, owned or borrowed
  PyObject* locals;       // owned: namespace mapping of class and module bodies, or null
  PyFrameObject* object;  // owned: the Python-visible frame object, made on demand
  PyObject* pending;      // owned: kFrameInit's instance
  Value* caller_top;      // reg_top to restore when this frame ends
  const Value* constants; // code_extra(code)->constants
  uint32_t variables;     // code_extra(code)->nlocalsplus
  uint16_t dst;           // the caller's register for the result
  uint8_t skip;           // words from the caller's instruction to the next one
  uint8_t flags;

  PyFunctionObject* func() const { return reinterpret_cast<PyFunctionObject*>(pointer_of(function)); }
  PyObject* globals() const { return func()->func_globals; }
  PyObject* builtins() const { return func()->func_builtins; }
  uint32_t index() const { return static_cast<uint32_t>(pc - code_words(code)); }
};

inline Frame* current_frame(ThreadState* ts) { return reinterpret_cast<Frame*>(ts->current_frame); }
inline void set_current_frame(ThreadState* ts, Frame* f) {
  ts->current_frame = reinterpret_cast<decltype(ts->current_frame)>(f);
}

// The Python-visible frame. While `frame` is alive it reads through it; when the frame ends it takes over
// the locals (frame_object_detach) and `frame` points to `kept`. Everybody who looks through `frame` does so by FrameView.
struct FrameObject {
  PyObject_HEAD
  // The first fields have CPython's order: Cython's modules write the line number into a frame that they made for a
  // traceback.
  PyObject* back;        // f_back once detached, owned, or null
  Frame* frame;          // never null
  PyObject* trace;
  int lineno;            // 0: where the frame stands
  bool trace_lines, trace_opcodes;
  bool detached;
  PyObject* extra_locals;  // f_locals entries that are no variables of the code
  PyObject* overwritten;   // list keeping values that f_locals writes displaced while registers may be borrowed
  PyCodeObject* code;      // never changes; kept alive by the function, or by the collector (uncounted)
  Frame kept;
  Value* kept_regs;
};

// New reference to the frame object of a live frame.
FrameObject* frame_object(Frame* frame);
// Assignment to f_lineno (frame_jump.cpp): the frame goes on at that line. 0 or -1.
int frame_jump(FrameObject* frame, PyObject* line);
// Called when a frame with an object ends: keeps its variables in the object if somebody else refers to it.
void frame_object_detach(Frame* frame);

struct GeneratorObject;

// Allocates the thread's stacks (registered as a thread hook by interp_init).
bool interp_thread_created(ThreadState* ts);
void interp_thread_destroyed(ThreadState* ts);
int interp_init();

// Pushes a frame that runs `code` for `function` (ownership of the Value is taken): the code that its arguments were bound
// for, as another thread may give the function a new one in between. Its registers are at `regs`, whose
// first `bound` registers are set; the other variables become empty. `restore_top` is what reg_top goes back to. Null with
// RecursionError / MemoryError: then nothing was taken.
Frame* push_frame(ThreadState* ts, Value function, PyCodeObject* code, Value* regs, uint32_t bound,
                  Value* restore_top);
// Drops everything that the frame owns and pops it (thread frames only). The caller's frame becomes current.
void pop_frame(ThreadState* ts, Frame* frame);

// Binds args to the parameters of the function's `code` into regs (regs may overlap args). Takes over the references of
// args (consumed on success and on error). kwnames: names of the last arguments, or null. False with TypeError.
bool bind_arguments(PyFunctionObject* function, PyCodeObject* code, const Value* args, size_t nargs,
                    PyObject* kwnames, Value* regs);

// Runs from `entry` (flag kFrameEntry) until it returns. New reference or null.
PyObject* run_frame(ThreadState* ts, Frame* entry);
// What another loop returns to run_frame when it is not the one to run any more: current_frame() goes on. Borrowed; no
// object of a program's.
extern PyObject* const kLoopLeft;

// Calls a Python function with object arguments (PyFunctionObject's vectorcall).
PyObject* function_vectorcall(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames);

// Runs code with these namespaces: module and class bodies, exec, eval. `closure` may be null.
PyObject* eval_code(PyObject* code, PyObject* globals, PyObject* locals, PyObject* closure);
// Calls a class body function with `ns` as its namespace (builtins.__build_class__). New reference: the class cell or None.
PyObject* eval_class_body(PyObject* function, PyObject* ns);

inline constexpr size_t kRegisterStackBytes = size_t{64} << 20;  // reserved, not committed
inline constexpr size_t kFrameStackBytes = size_t{32} << 20;

}  // namespace amphis
