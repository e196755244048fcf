// The end of a process that cannot go on.
#include "lifecycle/runtime_state.h"
#include "modules/traceback_dump.h"
#include "sync/interpreter_state.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace amphis {

namespace {

const char* phase_name() {
  switch (phase) {
    case Phase::kNone: return "preinitializing";
    case Phase::kPreinitialized: return "preinitialized";
    case Phase::kCore: return "core initialized";
    case Phase::kInitialized: return "initialized";
    default: return "finalizing";
  }
}

[[noreturn]] void fatal(const char* function, const char* message, int status) {
  static bool reentered = false;
  fflush(stdout);
  fprintf(stderr, "Fatal Python error: %s%s%s\n", function != nullptr ? function : "", function != nullptr ? ": " : "",
          message != nullptr ? message : "<message not set>");
  if (!reentered) {
    reentered = true;
    fprintf(stderr, "Python runtime state: %s\n\n", phase_name());
    fflush(stderr);
    ThreadState* ts = current_thread();
    if (ts != nullptr && phase >= Phase::kCore) {
      if (PyErr_Occurred() != nullptr) {
        PyErr_Print();
      } else {
        dump_thread(STDERR_FILENO, ts, true);
      }
    }
  }
  fflush(stderr);
  if (status < 0) abort();
  exit(status);
}

}  // namespace

void fatal_status(const PyStatus& status) { fatal(status.func, status.err_msg, 1); }

}  // namespace amphis

using namespace amphis;

extern "C" {

void _Py_FatalErrorFunc(const char* function, const char* message) { fatal(function, message, -1); }

#undef Py_FatalError
void Py_FatalError(const char* message) { fatal(nullptr, message, -1); }

void Py_ExitStatusException(PyStatus status) {
  if (PyStatus_IsExit(status)) exit(status.exitcode);
  if (PyStatus_IsError(status)) fatal_status(status);
  Py_FatalError("Py_ExitStatusException() must not be called on success");
}

void _PyErr_SetFromPyStatus(PyStatus status) {
  if (!PyStatus_IsError(status)) {
    PyErr_Format(PyExc_SystemError, "_PyErr_SetFromPyStatus() status is not an error");
  } else if (status.func != nullptr) {
    PyErr_Format(PyExc_RuntimeError, "%s: %s", status.func, status.err_msg);
  } else {
    PyErr_SetString(PyExc_RuntimeError, status.err_msg);
  }
}

}  // extern "C"
