// _signal: masks, pending signals, waiting for signals.
#include "modules/signal_sets.h"

#include "modules/builtins.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <csignal>
#include <ctime>

namespace amphis {

namespace {

PyTypeObject* siginfo_type = nullptr;

// A set of numbers from an iterable of them.
bool to_sigset(PyObject* iterable, sigset_t* set) {
  sigemptyset(set);
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return false;
  while (Ref<> item = Ref<>::steal(PyIter_Next(iterator))) {
    int overflow;
    long number = PyLong_AsLongAndOverflow(item, &overflow);
    if (number == -1 && PyErr_Occurred()) return false;
    if (overflow || number < 1 || number >= NSIG) {
      PyErr_Format(PyExc_ValueError, "signal number %ld out of range [1; %i]", number, NSIG - 1);
      return false;
    }
    // Numbers that the C library keeps for itself cannot be in a set: range(1, NSIG) works, with a warning.
    if (sigaddset(set, static_cast<int>(number)) != 0 &&
        PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "invalid signal number %ld, please use valid_signals()", number) < 0) {
      return false;
    }
  }
  return !PyErr_Occurred();
}

PyObject* from_sigset(const sigset_t& set) {
  Ref<> result = Ref<>::steal(PySet_New(nullptr));
  for (int i = 1; result && i < NSIG; ++i) {
    if (sigismember(&set, i) != 1) continue;
    Ref<> number = Ref<>::steal(PyLong_FromLong(i));
    if (!number || PySet_Add(result, number) < 0) return nullptr;
  }
  return result.release();
}

PyObject* from_siginfo(const siginfo_t& si) {
  PyObject* record = PyStructSequence_New(siginfo_type);
  if (record == nullptr) return nullptr;
  const long values[] = {si.si_signo, si.si_code, si.si_errno, si.si_pid};
  for (Py_ssize_t i = 0; i < 4; ++i) PyStructSequence_SetItem(record, i, PyLong_FromLong(values[i]));
  PyStructSequence_SetItem(record, 4, PyLong_FromUnsignedLong(si.si_uid));
  PyStructSequence_SetItem(record, 5, PyLong_FromLong(si.si_status));
  PyStructSequence_SetItem(record, 6, PyLong_FromLong(si.si_band));
  if (PyErr_Occurred()) Py_CLEAR(record);
  return record;
}

PyObject* pthread_sigmask_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("pthread_sigmask", nargs, 2, 2)) return nullptr;
  int how = PyLong_AsInt(args[0]);
  if (how == -1 && PyErr_Occurred()) return nullptr;
  sigset_t mask, previous;
  if (!to_sigset(args[1], &mask)) return nullptr;
  int error = pthread_sigmask(how, &mask, &previous);
  if (error != 0) {
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  // Unblocked signals may have come in at once.
  if (PyErr_CheckSignals() < 0) return nullptr;
  return from_sigset(previous);
}

PyObject* sigpending_(PyObject*, PyObject*) {
  sigset_t set;
  if (sigpending(&set) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  return from_sigset(set);
}

PyObject* sigwait_(PyObject*, PyObject* arg) {
  sigset_t set;
  if (!to_sigset(arg, &set)) return nullptr;
  int number, error;
  {
    Detached detached;
    error = sigwait(&set, &number);
  }
  if (error != 0) {
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  return PyLong_FromLong(number);
}

PyObject* valid_signals_(PyObject*, PyObject*) {
  sigset_t set;
  if (sigfillset(&set) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  return from_sigset(set);
}

PyObject* sigwaitinfo_(PyObject*, PyObject* arg) {
  sigset_t set;
  if (!to_sigset(arg, &set)) return nullptr;
  siginfo_t info;
  for (;;) {
    int result;
    {
      Detached detached;
      result = sigwaitinfo(&set, &info);
    }
    if (result >= 0) return from_siginfo(info);
    if (errno != EINTR) return PyErr_SetFromErrno(PyExc_OSError);
    if (PyErr_CheckSignals() < 0) return nullptr;
  }
}

PyObject* sigtimedwait_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("sigtimedwait", nargs, 2, 2)) return nullptr;
  sigset_t set;
  if (!to_sigset(args[0], &set)) return nullptr;
  PyTime_t timeout;
  if (_PyTime_FromSecondsObject(&timeout, args[1], _PyTime_ROUND_CEILING) < 0) return nullptr;
  if (timeout < 0) {
    PyErr_SetString(PyExc_ValueError, "timeout must be non-negative");
    return nullptr;
  }
  const PyTime_t deadline = _PyDeadline_Init(timeout);
  siginfo_t info;
  for (;;) {
    struct timespec left;
    if (_PyTime_AsTimespec(timeout, &left) < 0) return nullptr;
    int result;
    {
      Detached detached;
      result = sigtimedwait(&set, &info, &left);
    }
    if (result >= 0) return from_siginfo(info);
    if (errno == EAGAIN) Py_RETURN_NONE;
    if (errno != EINTR) return PyErr_SetFromErrno(PyExc_OSError);
    if (PyErr_CheckSignals() < 0) return nullptr;
    timeout = _PyDeadline_Get(deadline);
    if (timeout < 0) Py_RETURN_NONE;
  }
}

}  // namespace

PyMethodDef signal_set_methods[] = {
    {"pthread_sigmask", as_cfunction(pthread_sigmask_), METH_FASTCALL,
     "pthread_sigmask($module, how, mask, /)\n--\n\nFetch and/or change the signal mask of the calling thread."},
    {"sigpending", sigpending_, METH_NOARGS, "sigpending($module, /)\n--\n\nExamine pending signals."},
    {"sigwait", sigwait_, METH_O, "sigwait($module, sigset, /)\n--\n\nWait for a signal."},
    {"sigwaitinfo", sigwaitinfo_, METH_O, "sigwaitinfo($module, sigset, /)\n--\n\nWait synchronously until one of the signals in *sigset* is delivered."},
    {"sigtimedwait", as_cfunction(sigtimedwait_), METH_FASTCALL,
     "sigtimedwait($module, sigset, timeout, /)\n--\n\nLike sigwaitinfo(), but with a timeout."},
    {"valid_signals", valid_signals_, METH_NOARGS, "valid_signals($module, /)\n--\n\nReturn a set of valid signal numbers on this platform."},
    {},
};

PyObject* signal_make_siginfo_type() {
  static PyStructSequence_Field fields[] = {
      {"si_signo", "signal number"},
      {"si_code", "signal code"},
      {"si_errno", "errno associated with this signal"},
      {"si_pid", "sending process ID"},
      {"si_uid", "real user ID of sending process"},
      {"si_status", "exit value or signal"},
      {"si_band", "band event for SIGPOLL"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "signal.struct_siginfo", "struct_siginfo: Result from sigwaitinfo or sigtimedwait.\n\nThis object may be accessed "
                               "either as a tuple of\n(si_signo, si_code, si_errno, si_pid, si_uid, si_status, "
                               "si_band),\nor via the attributes si_signo, si_code, and so on.",
      fields, 7};
  if (siginfo_type == nullptr) siginfo_type = PyStructSequence_NewType(&description);
  return Py_XNewRef(reinterpret_cast<PyObject*>(siginfo_type));
}

}  // namespace amphis
