// What the monitored loop asks before and between instructions: the delivery of events that belong to places in the code.
//
// Invariant: when monitored_step returns, f->pc is the instruction that will be dispatched. Before that it is the one that
// ran last in the frame, which tells whether a line begins.
#include "interp/call_forms.h"
#include "interp/generator.h"
#include "interp/monitoring.h"
#include "interp/ops.h"
#include "objects/function.h"
#include "objects/method.h"

#include <algorithm>
#include <utility>

namespace amphis {

namespace {

constexpr int32_t kNoLine = -2;

Word load_word(const Word* pc) { return __atomic_load_n(pc, __ATOMIC_RELAXED); }
uint32_t length_of(Word w) { return 1u + op_info(word_op(w)).cache_words; }
Op general_of(Word w) { return op_info(word_op(w)).general; }
bool is_way_out(const Word* pc) { return general_of(load_word(pc)) == Op::RERAISE && word_has(load_word(pc), kHidden); }
const Word* start_of(const Frame* f) { return code_words(f->code); }

// At `from`; control goes from `source`, which is mostly the same, to `to`.
int fire_to(ThreadState* ts, Frame* f, CodeMonitor* m, Event event, uint32_t from, uint32_t source, uint32_t to) {
  Ref<> target = Ref<>::steal(PyLong_FromLong(static_cast<long>(landing(f->code, m->parts, source, to)) * 2));
  return target ? fire(ts, f, m, event, from, target) : -1;
}

// What ran last in the frame was the branch `source`; it goes on at `index`.
int fire_branch(ThreadState* ts, Frame* f, CodeMonitor* m, uint32_t source, uint32_t index) {
  const Word w = load_word(start_of(f) + source);
  const bool falls = index == source + length_of(w);
  switch (general_of(w)) {
    case Op::SEND:  // of an `async for`; it falls through where it waits
      return falls ? 0 : fire_to(ts, f, m, Event::kBranchLeft, source, source, index);
    case Op::END_ASYNC_FOR: {
      const uint32_t send = send_of_async_for(f->code, source);
      return send == kNoWord ? 0 : fire_to(ts, f, m, Event::kBranchRight, send, source, index);
    }
    default:
      return fire_to(ts, f, m, falls ? Event::kBranchLeft : Event::kBranchRight, source, source, index);
  }
}

// Where a fresh frame stands while it tells of itself: before everything, at its `def`.
bool fire_entry(ThreadState* ts, Frame* f, CodeMonitor* m, const Word* pc, int32_t* line_before) {
  const uint32_t index = static_cast<uint32_t>(pc - start_of(f));
  f->flags |= kFrameSeen;
  const bool starts = index == m->first_traceable;
  f->pc = !starts ? pc - 1 : m->parts.entry != 0 ? start_of(f) + m->parts.entry : pc;
  const int done = fire(ts, f, m, starts ? Event::kPyStart : Event::kPyResume, starts ? index : index - 1);
  f->pc = pc;
  *line_before = starts ? kNoLine : m->lines[index - 1];
  return done == 0;
}

// The lines that begin with the instruction, coming from `before` in line *now. A trace function may move the frame: then
// f->pc is elsewhere afterwards.
bool fire_lines(ThreadState* ts, Frame* f, CodeMonitor* m, const Word* before, int32_t* now, uint32_t index) {
  const Word* const pc = f->pc;
  const uint32_t source = before != nullptr ? static_cast<uint32_t>(before - start_of(f)) : UINT32_MAX;
  const MarkRange range = marks_at(m, index);
  for (uint32_t k = range.first; k < range.end && before != pc; ++k) {
    const LineMark& mark = m->parts.marks[k];
    const uint32_t place = m->parts.instructions + k;
    if (m->lines[place] == *now || std::find(mark.bypass.begin(), mark.bypass.end(), source) != mark.bypass.end()) continue;
    *now = m->lines[place];
    f->pc = start_of(f) + place;
    const int done = fire(ts, f, m, Event::kLine, place);
    const bool moved = f->pc != start_of(f) + place;
    if (!moved || done < 0) f->pc = pc;
    if (done < 0) return false;
    if (moved) return true;
  }
  if (m->lines[index] < 0 || m->lines[index] == *now || word_has(load_word(pc), kInherits)) return true;
  *now = m->lines[index];
  return fire(ts, f, m, Event::kLine, index) == 0;
}

struct CallParts {
  Value callee = kEmpty;
  Value* args = nullptr;
  uint32_t nargs = 0;
};

CallParts call_parts(Frame* f, Word w) {
  CallParts parts;
  parts.callee = f->regs[word_a(w)];
  parts.args = &f->regs[word_a(w) + 1];
  parts.nargs = word_b(w);
  if (word_has(w, kMethod)) {
    if (*parts.args != kEmpty) {
      ++parts.nargs;
    } else {
      ++parts.args;
    }
  }
  return parts;
}

// What is called, for the callback: a bound method shows itself as its function and object.
struct Called {
  Ref<> callable, argument;
  bool python = false;
};

void unpack_method(Called* c) {
  if (!Py_IS_TYPE(c->callable.get(), &PyMethod_Type)) return;
  auto* method = reinterpret_cast<PyMethodObject*>(c->callable.get());
  c->argument = Ref<>::share(method->im_self);
  c->callable = Ref<>::share(method->im_func);
}

bool look_at_call(Frame* f, Word w, Called* c) {
  switch (general_of(w)) {
    case Op::CALL:
    case Op::CALL_KW: {
      const CallParts parts = call_parts(f, w);
      c->callable = Ref<>::steal(value_to_object(parts.callee));
      c->argument = parts.nargs > 0 ? Ref<>::steal(value_to_object(parts.args[0])) : Ref<>::share(monitoring_missing);
      break;
    }
    case Op::CALL_EX: {
      c->callable = Ref<>::steal(value_to_object(f->regs[word_a(w)]));
      Value& run = f->regs[word_a(w) + 1];
      PyObject* items = is_pointer(run) ? pointer_of(run) : nullptr;
      c->argument = Ref<>::share(monitoring_missing);
      if (items != nullptr && PyTuple_CheckExact(items) && PyTuple_GET_SIZE(items) > 0) {
        c->argument = Ref<>::share(PyTuple_GET_ITEM(items, 0));
      } else if (items != nullptr && PyList_CheckExact(items)) {
        if (PyObject* first = PyList_GetItemRef(items, 0)) {
          c->argument = Ref<>::steal(first);
        } else {
          PyErr_Clear();
        }
      }
      break;
    }
    default:  // LOAD_SUPER_ATTR: super(...) is what is called
      c->callable = Ref<>::steal(value_to_object(f->regs[word_b(w)]));
      c->argument = word_has(w, kSuperZeroArg) ? Ref<>::share(monitoring_missing)
                                               : Ref<>::steal(value_to_object(f->regs[word_b(w) + 1]));
      return c->callable && c->argument;
  }
  if (!c->callable || !c->argument) return false;
  if (general_of(w) != Op::CALL_EX) unpack_method(c);
  c->python = Py_IS_TYPE(c->callable.get(), &PyFunction_Type);
  return true;
}

bool perform_call(Frame* f, const Word* pc, Word w) {
  switch (general_of(w)) {
    case Op::CALL: {
      const CallParts parts = call_parts(f, w);
      return op_call_object(f, pc, parts.args, parts.nargs);
    }
    case Op::CALL_KW: {
      const CallParts parts = call_parts(f, w);
      return op_call_kw_object(f, pc, parts.args, parts.nargs);
    }
    case Op::CALL_EX:
      return op_call_ex(f, pc);
    default:
      return op_load_super_attr(f, pc);
  }
}

enum class Done { kNo, kYes, kFailed };

// Tells of the call at pc and, unless the loop is to push a Python function's frame, performs it.
Done step_call(ThreadState* ts, Frame* f, CodeMonitor* m, const Word* pc, Word w) {
  const uint32_t index = static_cast<uint32_t>(pc - start_of(f));
  Called called;
  if (!look_at_call(f, w, &called)) return Done::kFailed;
  if (fire(ts, f, m, Event::kCall, index, called.callable, called.argument) < 0) return Done::kFailed;
  if (called.python) return Done::kNo;
  const bool done = perform_call(f, pc, w);
  m = code_monitor(f->code);
  if (!done) {
    PyObject* exc = PyErr_GetRaisedException();
    if (fire(ts, f, m, Event::kCRaise, index, called.callable, called.argument) == 0) {
      PyErr_SetRaisedException(exc);
    } else {
      Py_XDECREF(exc);
    }
    return Done::kFailed;
  }
  if (fire(ts, f, m, Event::kCReturn, index, called.callable, called.argument) < 0) return Done::kFailed;
  const bool woken = (__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & ~uintptr_t{kBreakMonitor}) != 0;
  if (woken && handle_eval_breaker(ts) < 0) return Done::kFailed;
  return Done::kYes;
}

bool step_leave(ThreadState* ts, Frame* f, CodeMonitor* m, uint32_t index, Word w) {
  Value value;
  Event event = Event::kPyReturn;
  switch (general_of(w)) {
    case Op::RETURN_CONST:
      value = f->constants[word_bc(w)];
      break;
    case Op::RETURN:
      value = f->regs[word_a(w)];
      break;
    default:
      value = f->regs[word_b(w)];
      event = Event::kPyYield;
  }
  const Operand object(value);
  return object.get() != nullptr && fire(ts, f, m, event, index, object) == 0;
}

}  // namespace

const Word* monitored_step(ThreadState* ts, Frame* f, const Word* pc, CodePoint* branch, Word* w) {
  for (;;) {
    const Word* before = f->pc;
    const Word* from = std::exchange(branch->from, nullptr);
    *w = load_word(pc);
    if (ts->tracing > 0 || !monitored(ts)) {
      f->flags |= kFrameSeen;
      f->pc = pc;
      return pc;
    }
    CodeMonitor* m = code_monitor(f->code);
    if (m == nullptr) {
      PyErr_NoMemory();
      return nullptr;
    }
    const Word* const start = start_of(f);
    uint32_t index = static_cast<uint32_t>(pc - start);
    int32_t line_before = kNoLine;
    if ((f->flags & kFrameSeen) == 0) {
      f->pc = pc;
      if (index < m->first_traceable) return pc;
      if (!fire_entry(ts, f, m, pc, &line_before)) return nullptr;
      before = line_before == kNoLine ? nullptr : pc - 1;
    } else {
      if (before >= start && before < start + m->words) line_before = m->lines[before - start];
      if (from != nullptr && branch->frame == f) {
        if (fire_branch(ts, f, m, static_cast<uint32_t>(from - start), index) < 0) return nullptr;
      }
      f->pc = pc;
    }
    m = code_monitor(f->code);  // a callback may have changed the events
    uint8_t reasons = __atomic_load_n(&m->at[index], __ATOMIC_RELAXED);
    if (reasons & kStepLine) {
      if (!fire_lines(ts, f, m, before, &line_before, index)) return nullptr;
      if (f->pc != pc) {  // a trace function has moved the frame
        pc = f->pc;
        index = static_cast<uint32_t>(pc - start);
        *w = load_word(pc);
      }
      m = code_monitor(f->code);
      reasons = __atomic_load_n(&m->at[index], __ATOMIC_RELAXED);
    }
    if (reasons & kStepInstruction) {
      if (fire(ts, f, m, Event::kInstruction, index) < 0) return nullptr;
      m = code_monitor(f->code);
      reasons = __atomic_load_n(&m->at[index], __ATOMIC_RELAXED);
    }
    if (reasons & kStepCall) {
      const Done done = step_call(ts, f, m, pc, *w);
      if (done == Done::kFailed) return nullptr;
      if (done == Done::kYes) {
        pc += length_of(*w);
        continue;
      }
      *w = (*w & ~Word{0xff}) | static_cast<Word>(general_of(*w));
    }
    if (reasons & kStepLeave) {
      if (!step_leave(ts, f, m, index, *w)) return nullptr;
      if (f->pc != pc) {  // moved in place of a yield
        *w = load_word(f->pc);
        return f->pc;
      }
    }
    if (reasons & kStepJump) {
      const int64_t target = int64_t{index} + length_of(*w) + word_bc(*w);
      if (fire_to(ts, f, m, Event::kJump, index, index, static_cast<uint32_t>(target)) < 0) return nullptr;
    }
    if (reasons & kStepBranch) *branch = {f, pc};
    if (reasons & kStepUnfuse) *w &= ~(Word{kFused} << 8);
    return pc;
  }
}

void monitored_raise(ThreadState* ts, Frame* f) { fire_exception(ts, f, Event::kRaise, f->index()); }
void monitored_reraise(ThreadState* ts, Frame* f) { fire_exception(ts, f, Event::kReraise, f->index()); }
void monitored_unwind(ThreadState* ts, Frame* f, const CodePoint& thrown) {
  // The frame is left where the exception came from, not where a way out of the compiler's gave up.
  if (is_way_out(f->pc)) {
    if (thrown.frame == f) {
      f->pc = thrown.from;
    } else if (f->object != nullptr) {
      place_of_raise(f);
    }
  }
  fire_exception(ts, f, Event::kPyUnwind, f->index());
}
void monitored_throw(ThreadState* ts, Frame* f) {
  f->flags |= kFrameSeen;
  fire_exception(ts, f, Event::kPyThrow, f->index());
}

int monitored_handled(ThreadState* ts, Frame* f, const Word* handler, PyObject* exc, CodePoint* thrown) {
  f->flags |= kFrameSeen;
  if (!is_way_out(f->pc)) *thrown = {f, f->pc};
  if (ts->tracing > 0 || sync::load_relaxed(events.tools[event_index(Event::kExceptionHandled)]) == 0) return 0;
  CodeMonitor* m = code_monitor(f->code);
  const Word* const at = f->pc;
  if (m == nullptr) return 0;
  Ref<> held = Ref<>::share(exc);
  f->pc = handler;
  const int done = fire(ts, f, m, Event::kExceptionHandled, f->index(), held);
  if (done == 0) f->pc = at;
  return done;
}

int monitored_stop_iteration(ThreadState* ts, Frame* f, Value value) {
  f->flags |= kFrameSeen;
  // A loop over a generator that has nothing to say at its end just ends.
  if (ts->tracing > 0 || (is_none(value) && general_of(load_word(f->pc)) == Op::FOR_ITER)) return 0;
  CodeMonitor* m = code_monitor(f->code);
  if (m == nullptr || sync::load_relaxed(m->tools[event_index(Event::kStopIteration)]) == 0) return 0;
  const Operand result(value);
  if (result.get() == nullptr) return -1;
  Ref<> exc = Ref<>::steal(result.get() == Py_None ? PyObject_CallNoArgs(PyExc_StopIteration)
                                                   : PyObject_CallOneArg(PyExc_StopIteration, result));
  return exc ? fire(ts, f, m, Event::kStopIteration, f->index(), exc) : -1;
}

void monitored_end_of_send(Frame* f, PyObject* value) {
  ThreadState* ts = current_thread();
  if (ts->tracing > 0) return;
  PyObject* exc = value == Py_None ? PyObject_CallNoArgs(PyExc_StopIteration) : PyObject_CallOneArg(PyExc_StopIteration, value);
  if (exc != nullptr) {
    PyErr_SetRaisedException(exc);
    monitored_raise(ts, f);
  }
  PyErr_Clear();
}

PySendResult monitored_next(Frame* f, PyObject* iterator, PyObject** result) {
  *result = Py_TYPE(iterator)->tp_iternext(iterator);
  if (*result != nullptr) return PYGEN_NEXT;
  ThreadState* ts = current_thread();
  if (ts->tracing == 0 && PyErr_ExceptionMatches(PyExc_StopIteration)) monitored_raise(ts, f);
  return _PyGen_FetchStopIterationValue(result) < 0 ? PYGEN_ERROR : PYGEN_RETURN;
}

void monitored_item(Frame* f, CodePoint* branch) {
  f->flags |= kFrameSeen;
  const CodeMonitor* m = code_monitor_of(f->code);
  if (m != nullptr && (__atomic_load_n(&m->at[f->index()], __ATOMIC_RELAXED) & kStepBranch)) *branch = {f, f->pc};
}

}  // namespace amphis
