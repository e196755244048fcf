// PyMonitoring_*: events of code that is not bytecode, told to the tools of sys.monitoring; and PyRefTracer_*.
//
// A state's `active` is the set of tools that want the event there, as it was when its scope was entered last after a change.
#include "Python.h"
#include "interp/monitoring.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

using namespace amphis;

namespace {

constexpr uint8_t kUserToolBits = (1 << kUserTools) - 1;

// Tells the tools. `second` and `third` may be null; for lines `offset` is the line.
int tell(PyMonitoringState* state, Event event, PyObject* code, int32_t offset, PyObject* second = nullptr,
         PyObject* third = nullptr) {
  ThreadState* ts = current_thread();
  if (ts->tracing > 0) return 0;
  if (offset < 0) {
    PyErr_SetString(PyExc_ValueError, "offset must be non-negative");
    return -1;
  }
  Ref<> place = Ref<>::steal(PyLong_FromLong(offset));
  if (!place) return -1;
  PyObject* args[] = {nullptr, code, place, second, third};
  const size_t count = 2u + (second != nullptr) + (third != nullptr);
  for (int tool = kUserTools - 1; tool >= 0; --tool) {
    if ((sync::load_relaxed(state->active) >> tool & 1) == 0) continue;
    const int done = call_tool(ts, current_frame(ts), tool, event, args, count);
    if (done < 0) return -1;
    if (done == 0) continue;
    if (event_index(event) >= kLocalEvents) return refuse_disable(tool, event);
    sync::store_relaxed(state->active, static_cast<uint8_t>(state->active & ~(1 << tool)));
  }
  return 0;
}

// With the exception that is set, which stays set unless a tool raises another.
int tell_exception(PyMonitoringState* state, Event event, PyObject* code, int32_t offset) {
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  if (!exc) {
    PyErr_Format(PyExc_ValueError, "Firing event %d with no exception set", event_index(event));
    return -1;
  }
  if (tell(state, event, code, offset, exc) < 0) return -1;
  PyErr_SetRaisedException(exc.release());
  return 0;
}

}  // namespace

extern "C" {

int PyMonitoring_EnterScope(PyMonitoringState* states, uint64_t* version, const uint8_t* types, Py_ssize_t length) {
  const uint64_t now = events.version.load(std::memory_order_acquire);
  if (*version == now) return 0;
  for (Py_ssize_t i = 0; i < length; ++i) {
    int event = types[i];
    if (event == event_index(Event::kCReturn) || event == event_index(Event::kCRaise)) event = event_index(Event::kCall);
    states[i].active = event < kEventCount ? static_cast<uint8_t>(sync::load_relaxed(events.tools[event]) & kUserToolBits) : 0;
  }
  *version = now;
  return 0;
}
int PyMonitoring_ExitScope(void) { return 0; }

#define AMPHIS_PLAIN_EVENT(Name)                                                                       \
  int _PyMonitoring_Fire##Name##Event(PyMonitoringState* state, PyObject* code, int32_t offset) {      \
    return tell(state, Event::k##Name, code, offset);                                                  \
  }
#define AMPHIS_EXCEPTION_EVENT(Name)                                                                   \
  int _PyMonitoring_Fire##Name##Event(PyMonitoringState* state, PyObject* code, int32_t offset) {      \
    return tell_exception(state, Event::k##Name, code, offset);                                        \
  }
#define AMPHIS_EVENT_WITH(Name)                                                                                       \
  int _PyMonitoring_Fire##Name##Event(PyMonitoringState* state, PyObject* code, int32_t offset, PyObject* object) {   \
    return tell(state, Event::k##Name, code, offset, object);                                                  \
  }
AMPHIS_PLAIN_EVENT(PyStart)
AMPHIS_PLAIN_EVENT(PyResume)
AMPHIS_EXCEPTION_EVENT(PyThrow)
AMPHIS_EXCEPTION_EVENT(PyUnwind)
AMPHIS_EXCEPTION_EVENT(Raise)
AMPHIS_EXCEPTION_EVENT(Reraise)
AMPHIS_EXCEPTION_EVENT(ExceptionHandled)
AMPHIS_EXCEPTION_EVENT(CRaise)
AMPHIS_EVENT_WITH(PyReturn)
AMPHIS_EVENT_WITH(PyYield)
AMPHIS_EVENT_WITH(Jump)
AMPHIS_EVENT_WITH(BranchLeft)
AMPHIS_EVENT_WITH(BranchRight)
AMPHIS_EVENT_WITH(CReturn)

// The event's older name: what it tells of is a branch to the right.
int _PyMonitoring_FireBranchEvent(PyMonitoringState* state, PyObject* code, int32_t offset, PyObject* target) {
  return tell(state, Event::kBranchRight, code, offset, target);
}
int _PyMonitoring_FireStopIterationEvent(PyMonitoringState* state, PyObject* code, int32_t offset, PyObject* value) {
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_StopIteration, value));
  return exc ? tell(state, Event::kStopIteration, code, offset, exc) : -1;
}
int _PyMonitoring_FireCallEvent(PyMonitoringState* state, PyObject* code, int32_t offset, PyObject* callable, PyObject* arg0) {
  return tell(state, Event::kCall, code, offset, callable, arg0 != nullptr ? arg0 : monitoring_missing);
}
int _PyMonitoring_FireLineEvent(PyMonitoringState* state, PyObject* code, int32_t, int line) {
  return tell(state, Event::kLine, code, line);
}

int PyRefTracer_SetTracer(PyRefTracer tracer, void*) {
  if (tracer == nullptr) return 0;
  PyErr_SetString(PyExc_NotImplementedError, "this runtime does not trace the creation of objects");
  return -1;
}
PyRefTracer PyRefTracer_GetTracer(void** data) {
  if (data != nullptr) *data = nullptr;
  return nullptr;
}

}  // extern "C"
