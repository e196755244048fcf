// The life of a generator's frame: creation, resumption, suspension, end. The Python-visible types are in
// generator_types.cpp and async_generator.cpp.
#include "interp/generator.h"

#include <utility>

#include "gc/object_new.h"
#include "interp/load.h"
#include "objects/function.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

namespace amphis {

namespace {

const char* kind_name(GeneratorObject* gen) {
  if (Py_IS_TYPE(gen, &PyCoro_Type)) return "coroutine";
  if (Py_IS_TYPE(gen, &PyAsyncGen_Type)) return "async generator";
  return "generator";
}

Op waiting_op(const GeneratorObject* gen) { return word_op(*gen->frame.pc); }

void set_state(GeneratorObject* gen, GeneratorState state) {
  __atomic_store_n(&gen->state, static_cast<uint8_t>(state), __ATOMIC_RELEASE);
}

// Drops what the frame owns. The state is kGenFinished already: nobody else looks at the registers.
void clear_frame(ThreadState* ts, GeneratorObject* gen) {
  // What is dropped may run code, which must not see the exception that ends the generator.
  PyObject* exc = std::exchange(ts->current_exception, nullptr);
  Frame* f = &gen->frame;
  if (f->object != nullptr) frame_object_detach(f);
  for (uint32_t i = 0; i < gen->register_count; ++i) {
    Value v = gen->regs[i];
    gen->regs[i] = kEmpty;
    drop(v);
  }
  Py_CLEAR(f->locals);
  Py_CLEAR(gen->exc_state.exc_value);
  if (exc != nullptr) PyErr_SetRaisedException(exc);
}

// cr_origin: (file, line, function) of the callers, innermost first.
PyObject* coroutine_origin(Frame* f, int depth) {
  Ref<> frames = Ref<>::steal(PyList_New(0));
  for (; frames && f != nullptr && depth > 0; f = f->prev, --depth) {
    const int line = PyCode_Addr2Line(f->code, static_cast<int>(f->index()) * 2);
    Ref<> entry = Ref<>::steal(Py_BuildValue("OiO", f->code->co_filename, line, f->code->co_name));
    if (!entry || PyList_Append(frames, entry) < 0) return nullptr;
  }
  return frames ? PyList_AsTuple(frames) : nullptr;
}

}  // namespace

PyObject* generator_new(ThreadState* ts, Frame* f) {
  const int flags = f->code->co_flags;
  PyTypeObject* type = flags & CO_COROUTINE          ? &PyCoro_Type
                       : flags & CO_ASYNC_GENERATOR ? &PyAsyncGen_Type
                                                    : &PyGen_Type;
  CodeExtra* extra = code_extra(f->code);
  const uint32_t count = extra->register_count;
  auto* gen = new_gc_object_sized<GeneratorObject>(type, sizeof(GeneratorObject) + count * sizeof(Value));
  if (gen == nullptr) [[unlikely]] {
    PyErr_NoMemory();
    return nullptr;
  }
  PyFunctionObject* function = f->func();
  gen->weakrefs = nullptr;
  gen->name = sync::get_ref(&function->func_name, function).release();
  gen->qualname = sync::get_ref(&function->func_qualname, function).release();
  gen->origin_or_finalizer = nullptr;
  gen->exc_state = {};
  gen->state = kGenCreated;
  gen->hooks_inited = gen->ag_closed = false;
  gen->ag_running_async = 0;
  gen->register_count = count;
  const uint32_t variables = extra->nlocalsplus;
  for (uint32_t i = 0; i < variables; ++i) {
    gen->regs[i] = to_owned(f->regs[i]);
    f->regs[i] = kEmpty;
  }
  for (uint32_t i = variables; i < count; ++i) gen->regs[i] = kEmpty;
  gen->frame = {};
  gen->frame.pc = f->pc;
  gen->frame.regs = gen->regs;
  gen->frame.code = f->code;
  gen->frame.function = value_shared(reinterpret_cast<PyObject*>(function));
  gen->frame.constants = extra->constants;
  gen->frame.variables = variables;
  gen->frame.flags = kFrameGenerator;
  gen->frame.locals = std::exchange(f->locals, nullptr);
  if (type == &PyCoro_Type && ts->coroutine_origin_tracking_depth > 0) [[unlikely]] {
    gen->origin_or_finalizer = coroutine_origin(f->prev, ts->coroutine_origin_tracking_depth);
    if (gen->origin_or_finalizer == nullptr) {
      Py_DECREF(gen);
      return nullptr;
    }
  }
  track(gen);
  return reinterpret_cast<PyObject*>(gen);
}

bool generator_begin(ThreadState* ts, GeneratorObject* gen) {
  uint8_t state = sync::load_acquire(gen->state);
  if (state == kGenFinished) return false;
  const bool claimed =
      state != kGenRunning && sync::attached_claim(gen->state, state, static_cast<uint8_t>(kGenRunning));
  if (!claimed) {
    PyErr_Format(PyExc_ValueError, "%s already executing", kind_name(gen));
    return false;
  }
  if (ts->py_recursion_remaining <= 0) [[unlikely]] {
    set_state(gen, static_cast<GeneratorState>(state));
    PyErr_SetString(PyExc_RecursionError, "maximum recursion depth exceeded");
    return false;
  }
  return true;
}

bool generator_can_push(GeneratorObject* gen, bool sends_none) {
  uint8_t state = __atomic_load_n(&gen->state, __ATOMIC_ACQUIRE);
  return state == kGenSuspended || (state == kGenCreated && sends_none);
}

void generator_finish(ThreadState* ts, GeneratorObject* gen) {
  generator_leave(ts, gen);
  set_state(gen, kGenFinished);
  clear_frame(ts, gen);
}

void generator_fail(ThreadState* ts, GeneratorObject* gen) { generator_finish(ts, gen); }

PyObject* generator_resume(GeneratorObject* gen, PyObject* sent) {
  ThreadState* ts = current_thread();
  if (sent != nullptr && sent != Py_None && __atomic_load_n(&gen->state, __ATOMIC_ACQUIRE) == kGenCreated) {
    PyErr_Format(PyExc_TypeError, "can't send non-None value to a just-started %s", kind_name(gen));
    return nullptr;
  }
  Ref<> thrown;
  if (sent == nullptr) thrown = Ref<>::steal(PyErr_GetRaisedException());
  if (!generator_begin_fast(ts, gen) && !generator_begin(ts, gen)) {
    // A finished generator raises what is thrown into it.
    if (thrown && !PyErr_Occurred()) PyErr_SetRaisedException(thrown.release());
    return nullptr;
  }
  if (Py_EnterRecursiveCall("")) {
    set_state(gen, waiting_op(gen) == Op::YIELD_VALUE ? kGenSuspended : kGenCreated);
    return nullptr;
  }
  Frame* caller = current_frame(ts);
  Frame* f = &gen->frame;
  if (sent != nullptr) {
    generator_push_send(ts, gen, caller, 0, 0, copy_value(value_borrowed(sent)));
  } else {
    // Unwinding starts at the instruction that waits: its ranges apply.
    f->prev = caller;
    gen->exc_state.previous_item = ts->exc_info;
    ts->exc_info = &gen->exc_state;
    set_current_frame(ts, f);
    --ts->py_recursion_remaining;
    f->flags = kFrameGenerator | kFrameThrow;
    // With the generator's own handled exception as context, as a raise inside it would have.
    if (gen->exc_state.exc_value != nullptr && gen->exc_state.exc_value != Py_None) {
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(thrown.get())), thrown);
    } else {
      PyErr_SetRaisedException(thrown.release());
    }
  }
  f->flags |= kFrameEntry;
  PyObject* result = run_frame(ts, f);
  Py_LeaveRecursiveCall();
  return result;
}

namespace {

PyObject* delegate_of_frame(GeneratorObject* gen) {
  Word w = *gen->frame.pc;
  if (word_op(w) != Op::YIELD_VALUE || word_c(w) != 1) return nullptr;
  return pointer_of(gen->regs[word_b(w) - 1]);
}

}  // namespace

PyObject* generator_delegate(GeneratorObject* gen) {
  uint8_t state = __atomic_load_n(&gen->state, __ATOMIC_ACQUIRE);
  return state == kGenSuspended ? delegate_of_frame(gen) : nullptr;
}

Ref<> generator_claimed_delegate(GeneratorObject* gen) {
  if (!sync::attached_claim(gen->state, kGenSuspended, kGenRunning)) return nullptr;
  Ref<> delegate = Ref<>::share(delegate_of_frame(gen));
  set_state(gen, kGenSuspended);
  return delegate;
}

Ref<> generator_watched_delegate(GeneratorObject* gen) {
  StopTheWorld stopped("look at a generator");
  return Ref<>::share(generator_delegate(gen));
}

}  // namespace amphis
