// sys.settrace and sys.setprofile: two tools of monitoring that are each thread's own. They ask for their events
// everywhere while any thread has a function; only threads that have one run in the monitored loop for them.
//
// Invariant: c_tracefunc, c_traceobj and their likes of a thread change in a stopped world, with the counts in `events`.
#include "interp/monitoring.h"

#include <utility>

#include "sync/interpreter_state.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

namespace amphis {

namespace {

constexpr uint32_t kTraceEvents = event_bit(Event::kPyStart) | event_bit(Event::kPyResume) | event_bit(Event::kPyReturn) |
                                  event_bit(Event::kPyYield) | event_bit(Event::kRaise) | event_bit(Event::kLine) |
                                  event_bit(Event::kJump) | event_bit(Event::kPyUnwind) | event_bit(Event::kPyThrow) |
                                  event_bit(Event::kStopIteration);
constexpr uint32_t kProfileEvents = event_bit(Event::kPyStart) | event_bit(Event::kPyResume) | event_bit(Event::kPyReturn) |
                                    event_bit(Event::kPyYield) | event_bit(Event::kCall) | event_bit(Event::kPyUnwind) |
                                    event_bit(Event::kPyThrow);

constexpr const char* kWhat[] = {"call", "exception", "line", "return", "c_call", "c_exception", "c_return", "opcode"};

// Keeps the exception that is set out of the way of a callback, which may raise another in its place.
class ExceptionAside {
  PyObject* exc_ = PyErr_GetRaisedException();

 public:
  ExceptionAside() = default;
  ~ExceptionAside() {
    if (PyErr_Occurred()) {
      Py_XDECREF(exc_);
    } else {
      PyErr_SetRaisedException(exc_);
    }
  }
  ExceptionAside(const ExceptionAside&) = delete;
  ExceptionAside& operator=(const ExceptionAside&) = delete;
};

int call_hook(ThreadState* ts, Frame* f, Event event, Py_tracefunc function, PyObject* object, int what, PyObject* arg) {
  Ref<FrameObject> frame = Ref<FrameObject>::steal(frame_object(f));
  if (!frame) return -1;
  Ref<> held = Ref<>::share(object);  // the function may be taken off while it runs
  InCallback running(ts, f, event);
  return function(object, reinterpret_cast<PyFrameObject*>(frame.get()), what, arg);
}

int trace(ThreadState* ts, Frame* f, Event event, int what, PyObject* arg) {
  // Without a function of its own the frame has only its beginning to tell.
  if (ts->c_tracefunc == trace_python && what != PyTrace_CALL &&
      (f->object == nullptr || reinterpret_cast<FrameObject*>(f->object)->trace == nullptr)) {
    return 0;
  }
  return call_hook(ts, f, event, ts->c_tracefunc, ts->c_traceobj, what, arg);
}

int trace_exception(ThreadState* ts, Frame* f, Event event, PyObject* exc) {
  Ref<> traceback = Ref<>::steal(PyException_GetTraceback(exc));
  Ref<> triple = Ref<>::steal(PyTuple_Pack(3, reinterpret_cast<PyObject*>(Py_TYPE(exc)), exc, traceback ? traceback.get() : Py_None));
  return triple ? trace(ts, f, event, PyTrace_EXCEPTION, triple) : -1;
}

// Frames that nobody has looked at tell of lines and not of instructions.
bool wants_lines(const Frame* f) {
  return f->object == nullptr || reinterpret_cast<const FrameObject*>(f->object)->trace_lines;
}
bool wants_opcodes(const Frame* f) {
  return f->object != nullptr && reinterpret_cast<const FrameObject*>(f->object)->trace_opcodes;
}

// A jump back to the line that it comes from is a visit of that line for which there is no LINE event. `landed`: the place
// that the JUMP event tells of.
bool revisits_line(Frame* f, uint32_t index, PyObject* landed) {
  const Word w = __atomic_load_n(code_words(f->code) + index, __ATOMIC_RELAXED);
  if (op_info(word_op(w)).general != Op::JUMP_BACK) return false;
  const CodeMonitor* m = code_monitor_of(f->code);
  return m->lines[PyLong_AsLong(landed) / 2] == m->lines[index];
}

int fire_trace(ThreadState* ts, Frame* f, Event event, uint32_t index, PyObject* first) {
  switch (event) {
    case Event::kPyStart:
    case Event::kPyResume:
    case Event::kPyThrow:
      return trace(ts, f, event, PyTrace_CALL, Py_None);
    case Event::kPyReturn:
    case Event::kPyYield:
      return trace(ts, f, event, PyTrace_RETURN, first);
    case Event::kPyUnwind:
      return trace(ts, f, event, PyTrace_RETURN, nullptr);
    case Event::kRaise:
    case Event::kStopIteration:
      return trace_exception(ts, f, event, first);
    case Event::kLine:
      return wants_lines(f) ? trace(ts, f, event, PyTrace_LINE, Py_None) : 0;
    case Event::kJump:
      return wants_lines(f) && revisits_line(f, index, first) ? trace(ts, f, event, PyTrace_LINE, Py_None) : 0;
    case Event::kInstruction:
      return wants_opcodes(f) ? trace(ts, f, event, PyTrace_OPCODE, Py_None) : 0;
    default:
      return 0;
  }
}

// Calls of C functions show themselves with their objects; other callables are not told of.
int profile_call(ThreadState* ts, Frame* f, Event event, int what, PyObject* callable, PyObject* argument) {
  if (PyCFunction_Check(callable)) return call_hook(ts, f, event, ts->c_profilefunc, ts->c_profileobj, what, callable);
  if (!Py_IS_TYPE(callable, &PyMethodDescr_Type) || argument == monitoring_missing) return 0;
  Ref<> method = Ref<>::steal(
      Py_TYPE(callable)->tp_descr_get(callable, argument, reinterpret_cast<PyObject*>(Py_TYPE(argument))));
  return method ? call_hook(ts, f, event, ts->c_profilefunc, ts->c_profileobj, what, method) : -1;
}

int fire_profile(ThreadState* ts, Frame* f, Event event, PyObject* first, PyObject* second) {
  auto hook = [&](int what, PyObject* arg) { return call_hook(ts, f, event, ts->c_profilefunc, ts->c_profileobj, what, arg); };
  switch (event) {
    case Event::kPyStart:
    case Event::kPyResume:
    case Event::kPyThrow:
      return hook(PyTrace_CALL, Py_None);
    case Event::kPyReturn:
    case Event::kPyYield:
      return hook(PyTrace_RETURN, first);
    case Event::kPyUnwind:
      return hook(PyTrace_RETURN, nullptr);
    case Event::kCall:
      return profile_call(ts, f, event, PyTrace_C_CALL, first, second);
    case Event::kCReturn:
      return profile_call(ts, f, event, PyTrace_C_RETURN, first, second);
    case Event::kCRaise:
      return profile_call(ts, f, event, PyTrace_C_EXCEPTION, first, second);
    default:
      return 0;
  }
}

struct Hook {
  Py_tracefunc PyThreadState::*function;
  PyObject* PyThreadState::*object;
  int Events::*threads;
  int tool;
  uint32_t set;
};
constexpr Hook kTraceHook = {&PyThreadState::c_tracefunc, &PyThreadState::c_traceobj, &Events::tracing_threads,
                             kTraceTool, kTraceEvents};
constexpr Hook kProfileHook = {&PyThreadState::c_profilefunc, &PyThreadState::c_profileobj, &Events::profiling_threads,
                               kProfileTool, kProfileEvents};

// In a stopped world. Takes over `object`; gives back what was there.
PyObject* install(const Hook& hook, ThreadState* ts, Py_tracefunc function, PyObject* object) {
  events.*hook.threads += (function != nullptr) - (ts->*hook.function != nullptr);
  ts->*hook.function = function;
  return std::exchange(ts->*hook.object, object);
}

void hooks_changed(const Hook& hook) {
  const uint32_t set = events.*hook.threads > 0 ? hook.set : 0;
  if (events.tool_events[hook.tool] != set) {
    events.tool_events[hook.tool] = set;
    events_changed();
  } else {
    for_each_thread([](ThreadState* ts) { refresh_monitor_bit(ts); });
  }
}

int set_hook(const Hook& hook, ThreadState* ts, const char* audit, Py_tracefunc function, PyObject* object) {
  if (PySys_Audit(audit, nullptr) < 0) return -1;
  Ref<> old;
  {
    StopTheWorld stopped("set a trace function");
    old = Ref<>::steal(install(hook, ts, function, Py_XNewRef(object)));
    hooks_changed(hook);
  }
  return 0;
}

int set_hook_everywhere(const Hook& hook, const char* audit, Py_tracefunc function, PyObject* object) {
  if (PySys_Audit(audit, nullptr) < 0) return -1;
  constexpr int kAtOnce = 64;
  PyObject* replaced[kAtOnce];
  for (int count = kAtOnce; count == kAtOnce;) {
    count = 0;
    {
      StopTheWorld stopped("set trace functions");
      for_each_thread([&](ThreadState* ts) {
        if (count == kAtOnce || (ts->*hook.function == function && ts->*hook.object == object)) return;
        replaced[count++] = install(hook, ts, function, Py_XNewRef(object));
      });
      hooks_changed(hook);
    }
    for (int i = 0; i < count; ++i) Py_XDECREF(replaced[i]);
  }
  return 0;
}

void thread_ends(ThreadState* ts) {
  if (ts->c_tracefunc == nullptr && ts->c_profilefunc == nullptr) return;
  Ref<> trace_object, profile_object;
  StopTheWorld stopped("a traced thread ends");
  trace_object = Ref<>::steal(install(kTraceHook, ts, nullptr, nullptr));
  profile_object = Ref<>::steal(install(kProfileHook, ts, nullptr, nullptr));
  hooks_changed(kTraceHook);
  hooks_changed(kProfileHook);
}

PyObject* call_python(PyObject* callback, PyFrameObject* frame, int what, PyObject* arg) {
  Ref<> name = Ref<>::steal(PyUnicode_InternFromString(kWhat[what]));
  if (!name) return nullptr;
  PyObject* args[3] = {reinterpret_cast<PyObject*>(frame), name, arg != nullptr ? arg : Py_None};
  return PyObject_Vectorcall(callback, args, 3, nullptr);
}

}  // namespace

int fire_legacy(ThreadState* ts, Frame* f, int tool, Event event, uint32_t index, PyObject* first, PyObject* second) {
  if (tool == kTraceTool) return ts->c_tracefunc == nullptr ? 0 : fire_trace(ts, f, event, index, first);
  return ts->c_profilefunc == nullptr ? 0 : fire_profile(ts, f, event, first, second);
}

int set_trace_function(ThreadState* ts, Py_tracefunc function, PyObject* object) {
  return set_hook(kTraceHook, ts, "sys.settrace", function, object);
}
int set_profile_function(ThreadState* ts, Py_tracefunc function, PyObject* object) {
  return set_hook(kProfileHook, ts, "sys.setprofile", function, object);
}
int set_trace_function_everywhere(Py_tracefunc function, PyObject* object) {
  return set_hook_everywhere(kTraceHook, "sys.settrace", function, object);
}
int set_profile_function_everywhere(Py_tracefunc function, PyObject* object) {
  return set_hook_everywhere(kProfileHook, "sys.setprofile", function, object);
}

int trace_python(PyObject* object, PyFrameObject* of, int what, PyObject* arg) {
  auto* frame = reinterpret_cast<FrameObject*>(of);
  Ref<> callback = what == PyTrace_CALL ? Ref<>::share(object) : sync::get_ref(&frame->trace, frame);
  if (!callback) return 0;
  Ref<> result = Ref<>::steal(call_python(callback, of, what, arg));
  if (result && result.get() == Py_None) return 0;
  const bool failed = result.get() == nullptr;
  {
    ObjectLock lock(frame);
    callback = sync::exchange_slot_locked(&frame->trace, std::move(result));
  }
  if (!failed) return 0;
  // One that fails is not called again.
  ExceptionAside aside;
  set_trace_function(current_thread(), nullptr, nullptr);
  return -1;
}

int profile_python(PyObject* object, PyFrameObject* frame, int what, PyObject* arg) {
  Ref<> result = Ref<>::steal(call_python(object, frame, what, arg));
  if (result) return 0;
  ExceptionAside aside;
  set_profile_function(current_thread(), nullptr, nullptr);
  return -1;
}

int trace_opcodes(PyCodeObject* code) { return set_local_tool_events(kTraceTool, code, event_bit(Event::kInstruction)); }

void trace_events_init() { add_thread_hooks({nullptr, nullptr, thread_ends, nullptr, nullptr}); }

}  // namespace amphis

using namespace amphis;

extern "C" {

void PyEval_SetTrace(Py_tracefunc function, PyObject* object) {
  if (set_trace_function(current_thread(), function, object) < 0) {
    PyErr_FormatUnraisable("Exception ignored in PyEval_SetTrace");
  }
}
void PyEval_SetProfile(Py_tracefunc function, PyObject* object) {
  if (set_profile_function(current_thread(), function, object) < 0) {
    PyErr_FormatUnraisable("Exception ignored in PyEval_SetProfile");
  }
}
void PyEval_SetTraceAllThreads(Py_tracefunc function, PyObject* object) {
  if (set_trace_function_everywhere(function, object) < 0) {
    PyErr_FormatUnraisable("Exception ignored in PyEval_SetTraceAllThreads");
  }
}
void PyEval_SetProfileAllThreads(Py_tracefunc function, PyObject* object) {
  if (set_profile_function_everywhere(function, object) < 0) {
    PyErr_FormatUnraisable("Exception ignored in PyEval_SetProfileAllThreads");
  }
}
int _PyEval_SetProfile(PyThreadState* ts, Py_tracefunc function, PyObject* object) {
  return set_profile_function(thread_state(ts), function, object);
}

void PyThreadState_EnterTracing(PyThreadState* ts) {
  ++ts->tracing;
  refresh_monitor_bit(thread_state(ts));
}
void PyThreadState_LeaveTracing(PyThreadState* ts) {
  --ts->tracing;
  refresh_monitor_bit(thread_state(ts));
}

}  // extern "C"
