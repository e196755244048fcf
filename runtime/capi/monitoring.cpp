// PyMonitoring_* and PyRefTracer_*: no tool can be registered in this runtime (sys.monitoring says so), hence no event is
// ever wanted: entering a scope leaves every state inactive, and the functions that fire events have nobody to tell.
#include "Python.h"

extern "C" {

int PyMonitoring_EnterScope(PyMonitoringState* states, uint64_t* version, const uint8_t*, Py_ssize_t length) {
  for (Py_ssize_t i = 0; i < length; ++i) states[i].active = 0;
  *version = 0;
  return 0;
}
int PyMonitoring_ExitScope(void) { return 0; }

#define AMPHIS_PLAIN_EVENT(Name) \
  int _PyMonitoring_Fire##Name##Event(PyMonitoringState*, PyObject*, int32_t) { return 0; }
#define AMPHIS_EVENT_WITH(Name) \
  int _PyMonitoring_Fire##Name##Event(PyMonitoringState*, PyObject*, int32_t, PyObject*) { return 0; }
AMPHIS_PLAIN_EVENT(PyStart)
AMPHIS_PLAIN_EVENT(PyResume)
AMPHIS_PLAIN_EVENT(PyThrow)
AMPHIS_PLAIN_EVENT(PyUnwind)
AMPHIS_PLAIN_EVENT(Raise)
AMPHIS_PLAIN_EVENT(Reraise)
AMPHIS_PLAIN_EVENT(ExceptionHandled)
AMPHIS_PLAIN_EVENT(CRaise)
AMPHIS_EVENT_WITH(PyReturn)
AMPHIS_EVENT_WITH(PyYield)
AMPHIS_EVENT_WITH(Jump)
AMPHIS_EVENT_WITH(Branch)
AMPHIS_EVENT_WITH(BranchLeft)
AMPHIS_EVENT_WITH(BranchRight)
AMPHIS_EVENT_WITH(CReturn)
AMPHIS_EVENT_WITH(StopIteration)
int _PyMonitoring_FireCallEvent(PyMonitoringState*, PyObject*, int32_t, PyObject*, PyObject*) { return 0; }
int _PyMonitoring_FireLineEvent(PyMonitoringState*, PyObject*, int32_t, int) { return 0; }

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
