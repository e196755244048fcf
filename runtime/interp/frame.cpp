// The interpreter's stacks: allocation per thread, pushing and popping frames, entering the machine from C.
#include "interp/frame.h"

#include "base/spares.h"
#include "interp/attr_table.h"

#include <sys/mman.h>

#include "interp/known_calls.h"
#include "interp/load.h"
#include "interp/monitoring.h"
#include "interp/ops.h"
#include "interp/super_frame.h"
#include "objects/function.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(loops)

namespace amphis {

namespace {

PyObject loop_left[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};

// A thread's two stacks: reserved address space that the system fills with zero pages when touched, for zero is the empty
// register. Registers come first, frames behind them.
constexpr size_t kStackBytes = kRegisterStackBytes + kFrameStackBytes;

// Stacks of threads that have ended: whoever leaves a frame leaves its registers empty, so they are as good as new.
Spares<char, 8> spare_stacks;

char* reserve_stacks() {
  if (char* spare = spare_stacks.take()) return spare;
  void* p = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<char*>(p);
}

// `unused`: all frames have been left.
void give_stacks_back(char* stacks, bool unused) {
  // What a thread that recursed deeply has touched is not kept.
  constexpr size_t kKept = size_t{128} << 10;
  if (unused && madvise(stacks + kKept, kRegisterStackBytes - kKept, MADV_DONTNEED) == 0 &&
      madvise(stacks + kRegisterStackBytes + kKept, kFrameStackBytes - kKept, MADV_DONTNEED) == 0 && spare_stacks.put(stacks)) {
    return;
  }
  munmap(stacks, kStackBytes);
}

[[gnu::cold]] Frame* raise_stack_exhausted() {
  PyErr_SetString(PyExc_RecursionError, "maximum recursion depth exceeded");
  return nullptr;
}

// The frame below which a call from C starts.
Value* entry_registers(ThreadState* ts) { return ts->reg_top; }

}  // namespace

PyObject* const kLoopLeft = loop_left;

bool interp_thread_created(ThreadState* ts) {
  char* regs = reserve_stacks();
  if (regs == nullptr) return false;
  char* frames = regs + kRegisterStackBytes;
  ts->reg_base = ts->reg_top = reinterpret_cast<uint64_t*>(regs);
  ts->reg_limit = reinterpret_cast<uint64_t*>(regs + kRegisterStackBytes);
  ts->frame_base = ts->frame_top = frames;
  ts->frame_limit = frames + kFrameStackBytes;
  return true;
}

void interp_thread_destroyed(ThreadState* ts) {
  if (ts->reg_base == nullptr) return;
  give_stacks_back(reinterpret_cast<char*>(ts->reg_base), ts->reg_top == ts->reg_base && ts->frame_top == ts->frame_base);
  ts->reg_base = nullptr;
  ts->frame_base = nullptr;
}

Frame* push_frame(ThreadState* ts, Value function, PyCodeObject* code, Value* regs, uint32_t bound,
                  Value* restore_top) {
  CodeExtra* extra = code_extra(code);
  Value* top = regs + extra->register_count;
  if (ts->py_recursion_remaining <= 0 || top + 64 > ts->reg_limit ||
      ts->frame_top + 2 * sizeof(Frame) > ts->frame_limit) [[unlikely]] {
    return raise_stack_exhausted();
  }
  --ts->py_recursion_remaining;
  auto* f = reinterpret_cast<Frame*>(ts->frame_top);
  ts->frame_top += sizeof(Frame);
  f->prev = current_frame(ts);
  f->pc = code_words(code);
  f->regs = regs;
  f->code = code;
  f->function = function;
  f->locals = nullptr;
  f->object = nullptr;
  f->pending = nullptr;
  f->caller_top = restore_top;
  f->constants = extra->constants;
  f->variables = extra->nlocalsplus;
  f->flags = 0;
  for (Value *r = regs + bound, *end = regs + extra->nlocalsplus; r < end; ++r) *r = kEmpty;
  ts->reg_top = top;
  set_current_frame(ts, f);
  return f;
}

void pop_frame(ThreadState* ts, Frame* f) {
  // First: what dies with the variables may run code, and nobody may find the frame any more.
  set_current_frame(ts, f->prev);
  if (f->object != nullptr) frame_object_detach(f);
  for (Value *r = f->regs, *end = r + code_extra(f->code)->register_count; r != end; ++r) {
    Value v = *r;
    *r = kEmpty;
    drop(v);
  }
  Value function = f->function;
  PyObject* locals = f->locals;
  PyObject* pending = f->flags & kFrameInit ? f->pending : nullptr;  // stale in other frames
  ts->frame_top = reinterpret_cast<char*>(f);
  ts->reg_top = f->caller_top;
  ++ts->py_recursion_remaining;
  drop(function);
  Py_XDECREF(locals);
  Py_XDECREF(pending);
}

Frame* push_python_call(ThreadState* ts, Frame* f, Value callee, Value* args, uint32_t nargs, uint16_t dst,
                        uint8_t skip) {
  return push_python_call_kw(ts, f, callee, args, nargs, nullptr, dst, skip);
}

Frame* push_python_call_kw(ThreadState* ts, Frame* f, Value callee, Value* args, uint32_t nargs, PyObject* kwnames,
                           uint16_t dst, uint8_t skip) {
  auto* func = reinterpret_cast<PyFunctionObject*>(pointer_of(callee));
  auto* code = reinterpret_cast<PyCodeObject*>(sync::load_acquire(func->func_code));
  CodeExtra* extra = code_extra(code);
  Value* restore = ts->reg_top;
  Value* regs = args;
  const bool in_place = (f->flags & kFrameGenerator) == 0;
  if (!in_place) regs = ts->reg_top;  // a generator's registers are not on the thread's stack
  uint32_t bound = nargs;
  if (extra->simple_arguments && kwnames == nullptr && nargs == static_cast<uint32_t>(code->co_argcount)) {
    if (regs != args) {
      for (uint32_t i = 0; i < nargs; ++i) {
        regs[i] = args[i];
        args[i] = kEmpty;
      }
    }
  } else {
    if (regs + extra->register_count + 64 > ts->reg_limit) {
      drop(callee);
      return raise_stack_exhausted();
    }
    if (!bind_arguments(func, code, args, nargs, kwnames, regs)) {
      drop(callee);
      return nullptr;
    }
    bound = static_cast<uint32_t>(code->co_argcount + code->co_kwonlyargcount +
                                  ((code->co_flags & CO_VARARGS) != 0) + ((code->co_flags & CO_VARKEYWORDS) != 0));
  }
  Frame* next = push_frame(ts, callee, code, regs, bound, restore);
  if (next == nullptr) [[unlikely]] {
    for (uint32_t i = 0; i < bound; ++i) {
      Value v = regs[i];
      regs[i] = kEmpty;
      drop(v);
    }
    drop(callee);
    return nullptr;
  }
  next->dst = dst;
  next->skip = skip;
  return next;
}

namespace {

// Runs a frame whose flags and registers are ready, as a call from C.
PyObject* run_entry(ThreadState* ts, Frame* f) {
  f->flags |= kFrameEntry;
  if (Py_EnterRecursiveCall("")) {
    pop_frame(ts, f);
    return nullptr;
  }
  PyObject* result = run_frame(ts, f);
  Py_LeaveRecursiveCall();
  return result;
}

}  // namespace

PyObject* function_vectorcall(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  ThreadState* ts = current_thread();
  auto* func = reinterpret_cast<PyFunctionObject*>(function);
  auto* code = reinterpret_cast<PyCodeObject*>(sync::load_acquire(func->func_code));
  CodeExtra* extra = code_extra(code);
  size_t npos = static_cast<size_t>(PyVectorcall_NARGS(nargsf));
  size_t nargs = npos + (kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0);
  Value* regs = entry_registers(ts);
  if (regs + extra->register_count + nargs + 64 > ts->reg_limit) {
    raise_stack_exhausted();
    return nullptr;
  }
  // The caller keeps its arguments alive during the call: the parameters borrow them.
  for (size_t i = 0; i < nargs; ++i) regs[i] = value_borrowed(args[i]);
  uint32_t bound = static_cast<uint32_t>(nargs);
  if (!(extra->simple_arguments && nargs == npos && npos == static_cast<size_t>(code->co_argcount))) {
    if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) == 0) kwnames = nullptr;
    if (!bind_arguments(func, code, regs, nargs, kwnames, regs)) return nullptr;
    bound = static_cast<uint32_t>(code->co_argcount + code->co_kwonlyargcount +
                                  ((code->co_flags & CO_VARARGS) != 0) + ((code->co_flags & CO_VARKEYWORDS) != 0));
  }
  Frame* f = push_frame(ts, value_shared(function), code, regs, bound, regs);
  if (f == nullptr) {
    for (uint32_t i = 0; i < bound; ++i) {
      Value v = regs[i];
      regs[i] = kEmpty;
      drop(v);
    }
    if (!sync::is_deferred(function)) Py_DECREF(function);
    return nullptr;
  }
  return run_entry(ts, f);
}

namespace {

PyObject* run_with_namespace(PyObject* function, PyObject* locals) {
  ThreadState* ts = current_thread();
  auto* code = reinterpret_cast<PyCodeObject*>(sync::load_acquire(reinterpret_cast<PyFunctionObject*>(function)->func_code));
  Value* regs = entry_registers(ts);
  Frame* f = push_frame(ts, value_owned(Py_NewRef(function)), code, regs, 0, regs);
  if (f == nullptr) {
    Py_DECREF(function);
    return nullptr;
  }
  f->locals = Py_XNewRef(locals);
  return run_entry(ts, f);
}

}  // namespace

PyObject* eval_code(PyObject* code, PyObject* globals, PyObject* locals, PyObject* closure) {
  Ref<> function = Ref<>::steal(PyFunction_New(code, globals));
  if (!function) return nullptr;
  if (closure != nullptr && PyFunction_SetClosure(function, closure) < 0) return nullptr;
  return run_with_namespace(function, locals != nullptr ? locals : globals);
}

PyObject* eval_class_body(PyObject* function, PyObject* ns) { return run_with_namespace(function, ns); }

KnownCalls known_calls;

int interp_init() {
  function_entry = function_vectorcall;
  known_calls.list_append = list_append_method();
  super_frame_hook = super_arguments_of_frame;
  code_release_caches = release_attr_records;
  sync::on_many_threads(choose_loop);
  code_release_monitor = code_monitor_free;
  add_thread_hooks({interp_thread_created, nullptr, attr_table_drop, nullptr, interp_thread_destroyed});
  return monitoring_init();
}

PyObject* box_slow(Value v) {
  if (is_int(v)) return int_from_int64(int_of(v));
  if (is_double(v)) return float_from_double(double_of(v));
  PyErr_SetString(PyExc_SystemError, "an empty register was read");
  return nullptr;
}

}  // namespace amphis

extern "C" {

PyObject* PyEval_EvalCode(PyObject* code, PyObject* globals, PyObject* locals) {
  if (globals == nullptr) {
    PyErr_SetString(PyExc_SystemError, "PyEval_EvalCode: NULL globals");
    return nullptr;
  }
  return amphis::eval_code(code, globals, locals, nullptr);
}

PyObject* PyEval_EvalCodeEx(PyObject* code, PyObject* globals, PyObject* locals, PyObject* const* args, int argc,
                            PyObject* const* kws, int kwc, PyObject* const* defs, int defc, PyObject* kwdefs,
                            PyObject* closure) {
  using amphis::Ref;
  Ref<> function = Ref<>::steal(PyFunction_New(code, globals));
  if (!function) return nullptr;
  if (closure != nullptr && PyFunction_SetClosure(function, closure) < 0) return nullptr;
  if (defc > 0) {
    Ref<> defaults = Ref<>::steal(PyTuple_New(defc));
    if (!defaults) return nullptr;
    for (int i = 0; i < defc; ++i) PyTuple_SET_ITEM(defaults.get(), i, Py_NewRef(defs[i]));
    if (PyFunction_SetDefaults(function, defaults) < 0) return nullptr;
  }
  if (kwdefs != nullptr && PyFunction_SetKwDefaults(function, kwdefs) < 0) return nullptr;
  if (argc == 0 && kwc == 0 && locals != nullptr) return amphis::eval_class_body(function, locals);
  Ref<> positional = Ref<>::steal(PyTuple_New(argc));
  Ref<> keywords = Ref<>::steal(PyDict_New());
  if (!positional || !keywords) return nullptr;
  for (int i = 0; i < argc; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (int i = 0; i < kwc; ++i) {
    if (PyDict_SetItem(keywords, kws[2 * i], kws[2 * i + 1]) < 0) return nullptr;
  }
  return PyObject_Call(function, positional, keywords);
}

}  // extern "C"
