// _signal: handlers in Python. The C handler only marks the signal as tripped, wakes the main thread's evaluation loop and
// writes to the wakeup descriptor; the Python handlers run in the main thread between instructions.
//
// Invariant: handlers[n].function is what getsignal(n) returns; only the main thread changes it, any thread may read it.
#include "modules/signal.h"

#include "interp/frame.h"
#include "modules/builtins.h"
#include "modules/signal_sets.h"
#include "sync/atomic_field.h"
#include "sync/fork.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace amphis {

namespace {

struct Handler {
  std::atomic<int> tripped{0};
  PyObject* function = nullptr;
};
Handler handlers[NSIG];
std::atomic<int> any_tripped{0};

struct Wakeup {
  std::atomic<int> fd{-1};
  std::atomic<bool> warn_on_full{true};
  std::atomic<int> error{0};  // errno of a failed write, until the main thread has reported it
};
Wakeup wakeup;

PyObject* default_handler = nullptr;  // the numbers SIG_DFL and SIG_IGN
PyObject* ignore_handler = nullptr;
PyObject* int_handler = nullptr;
PyObject* itimer_error = nullptr;
PyObject* siginfo_type = nullptr;

void report_wakeup_error(int error) {
  Ref<> raised = Ref<>::steal(PyErr_GetRaisedException());
  errno = error;
  PyErr_SetFromErrno(PyExc_OSError);
  PyErr_FormatUnraisable("Exception ignored while trying to write to the signal wakeup fd");
  PyErr_SetRaisedException(raised.release());
}

void wake_main_thread() {
  any_tripped.store(1, std::memory_order_release);
  signal_pending();
}

void trip(int number) {
  handlers[number].tripped.store(1, std::memory_order_relaxed);
  wake_main_thread();
  int fd = wakeup.fd.load(std::memory_order_relaxed);
  if (fd < 0) return;
  unsigned char byte = static_cast<unsigned char>(number);
  if (write(fd, &byte, 1) < 0) {
    int error = errno;
    if (wakeup.warn_on_full.load(std::memory_order_relaxed) || (error != EWOULDBLOCK && error != EAGAIN)) {
      wakeup.error.store(error, std::memory_order_relaxed);
      wake_main_thread();
    }
  }
}

void c_handler(int number) {
  int saved = errno;
  trip(number);
  errno = saved;
}

bool check_number(int number) {
  if (number >= 1 && number < NSIG) return true;
  PyErr_SetString(PyExc_ValueError, "signal number out of range");
  return false;
}

int install(int number, void (*function)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = function;
  // Handlers run on the alternate stack if there is one, so that a stack overflow can be reported.
  action.sa_flags = SA_ONSTACK;
  return sigaction(number, &action, nullptr);
}

bool runs_python(PyObject* function) {
  return function != nullptr && function != Py_None && function != ignore_handler && function != default_handler;
}

// Runs the handlers of tripped signals; main thread. 0 or -1.
int run_handlers(ThreadState* ts) {
  if (!any_tripped.exchange(0, std::memory_order_acquire)) return 0;
  if (int error = wakeup.error.exchange(0, std::memory_order_relaxed)) report_wakeup_error(error);
  Ref<> frame;
  for (int i = 1; i < NSIG; ++i) {
    if (!handlers[i].tripped.exchange(0, std::memory_order_relaxed)) continue;
    Ref<> function = Ref<>::share(handlers[i].function);
    if (!runs_python(function)) {
      // The signal came before the handler was taken away, or from another thread meanwhile.
      PyErr_Format(PyExc_OSError, "Signal %i ignored due to race condition", i);
      PyErr_WriteUnraisable(Py_None);
      continue;
    }
    if (!frame) {
      Frame* f = current_frame(ts);
      frame = f != nullptr ? Ref<>::steal(frame_object(f)) : Ref<>::share(Py_None);
      if (!frame) PyErr_Clear(), frame = Ref<>::share(Py_None);
    }
    Ref<> number = Ref<>::steal(PyLong_FromLong(i));
    PyObject* args[2] = {number, frame};
    Ref<> done = number ? Ref<>::steal(PyObject_Vectorcall(function, args, 2, nullptr)) : Ref<>();
    if (!done) {
      // The others are still to be handled.
      wake_main_thread();
      return -1;
    }
  }
  return 0;
}

PyObject* default_int_handler(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("default_int_handler", nargs, 2, 2)) return nullptr;
  if (PyLong_AsInt(args[0]) == -1 && PyErr_Occurred()) return nullptr;
  PyErr_SetNone(PyExc_KeyboardInterrupt);
  return nullptr;
}

PyObject* signal_signal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("signal", nargs, 2, 2)) return nullptr;
  int number = PyLong_AsInt(args[0]);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  PyObject* handler = args[1];
  if (!is_main_thread()) {
    PyErr_SetString(PyExc_ValueError, "signal only works in main thread of the main interpreter");
    return nullptr;
  }
  if (!check_number(number)) return nullptr;
  void (*function)(int) = c_handler;
  if (!PyCallable_Check(handler)) {
    int is_ignore = PyObject_RichCompareBool(handler, ignore_handler, Py_EQ);
    int is_default = is_ignore == 0 ? PyObject_RichCompareBool(handler, default_handler, Py_EQ) : 0;
    if (is_ignore < 0 || is_default < 0) return nullptr;
    if (!is_ignore && !is_default) {
      PyErr_SetString(PyExc_TypeError, "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object");
      return nullptr;
    }
    function = is_ignore ? SIG_IGN : SIG_DFL;
    handler = is_ignore ? ignore_handler : default_handler;
  }
  // What came in until now belongs to the old handler.
  if (PyErr_CheckSignals() < 0) return nullptr;
  if (install(number, function) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  Ref<> old = sync::exchange_slot(&handlers[number].function, Ref<>::share(handler));
  return old ? old.release() : Py_NewRef(Py_None);
}

PyObject* signal_getsignal(PyObject*, PyObject* arg) {
  int number = PyLong_AsInt(arg);
  if ((number == -1 && PyErr_Occurred()) || !check_number(number)) return nullptr;
  Ref<> function = sync::get_ref(&handlers[number].function);
  return function ? function.release() : Py_NewRef(Py_None);
}

PyObject* signal_raise(PyObject*, PyObject* arg) {
  int number = PyLong_AsInt(arg);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  int error;
  {
    Detached detached;
    error = raise(number);
  }
  if (error != 0) return PyErr_SetFromErrno(PyExc_OSError);
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* signal_alarm(PyObject*, PyObject* arg) {
  int seconds = PyLong_AsInt(arg);
  if (seconds == -1 && PyErr_Occurred()) return nullptr;
  return PyLong_FromLong(static_cast<long>(alarm(static_cast<unsigned>(seconds))));
}

PyObject* signal_pause(PyObject*, PyObject*) {
  {
    Detached detached;
    pause();
  }
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* signal_siginterrupt(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("siginterrupt", nargs, 2, 2)) return nullptr;
  int number = PyLong_AsInt(args[0]);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  int flag = PyLong_AsInt(args[1]);
  if ((flag == -1 && PyErr_Occurred()) || !check_number(number)) return nullptr;
  struct sigaction action;
  sigaction(number, nullptr, &action);
  if (flag) {
    action.sa_flags &= ~SA_RESTART;
  } else {
    action.sa_flags |= SA_RESTART;
  }
  if (sigaction(number, &action, nullptr) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

PyObject* signal_set_wakeup_fd(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "warn_on_full_buffer", nullptr};
  int fd, warn = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|$p:set_wakeup_fd", const_cast<char**>(keywords), &fd, &warn)) {
    return nullptr;
  }
  if (!is_main_thread()) {
    PyErr_SetString(PyExc_ValueError, "set_wakeup_fd only works in main thread of the main interpreter");
    return nullptr;
  }
  if (fd != -1) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return PyErr_SetFromErrno(PyExc_OSError);
    if (!(flags & O_NONBLOCK)) {
      PyErr_Format(PyExc_ValueError, "the fd %i must be in non-blocking mode", fd);
      return nullptr;
    }
  }
  wakeup.warn_on_full.store(warn != 0);
  return PyLong_FromLong(wakeup.fd.exchange(fd));
}

PyObject* signal_strsignal(PyObject*, PyObject* arg) {
  int number = PyLong_AsInt(arg);
  if ((number == -1 && PyErr_Occurred()) || !check_number(number)) return nullptr;
  errno = 0;
  const char* text = strsignal(number);
  if (errno != 0 || text == nullptr || strstr(text, "Unknown signal") != nullptr) Py_RETURN_NONE;
  return PyUnicode_FromString(text);
}

// --- interval timers

bool to_timeval(PyObject* seconds, struct timeval* tv) {
  if (seconds == nullptr) {
    *tv = {0, 0};
    return true;
  }
  PyTime_t t;
  return _PyTime_FromSecondsObject(&t, seconds, _PyTime_ROUND_CEILING) == 0 &&
         _PyTime_AsTimeval(t, tv, _PyTime_ROUND_CEILING) == 0;
}

PyObject* from_itimerval(const struct itimerval& v) {
  auto seconds = [](const struct timeval& tv) { return static_cast<double>(tv.tv_sec) + static_cast<double>(tv.tv_usec) / 1e6; };
  return Py_BuildValue("(dd)", seconds(v.it_value), seconds(v.it_interval));
}

PyObject* signal_setitimer(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("setitimer", nargs, 2, 3)) return nullptr;
  int which = PyLong_AsInt(args[0]);
  if (which == -1 && PyErr_Occurred()) return nullptr;
  struct itimerval next, old;
  if (!to_timeval(args[1], &next.it_value) || !to_timeval(nargs > 2 ? args[2] : nullptr, &next.it_interval)) return nullptr;
  if (setitimer(static_cast<__itimer_which>(which), &next, &old) != 0) return PyErr_SetFromErrno(itimer_error);
  return from_itimerval(old);
}

PyObject* signal_getitimer(PyObject*, PyObject* arg) {
  int which = PyLong_AsInt(arg);
  if (which == -1 && PyErr_Occurred()) return nullptr;
  struct itimerval now;
  if (getitimer(static_cast<__itimer_which>(which), &now) != 0) return PyErr_SetFromErrno(itimer_error);
  return from_itimerval(now);
}

PyObject* signal_pthread_kill(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("pthread_kill", nargs, 2, 2)) return nullptr;
  if (!PyLong_Check(args[0])) {
    _PyArg_BadArgument("pthread_kill", "argument 1", "int", args[0]);
    return nullptr;
  }
  unsigned long thread = PyLong_AsUnsignedLongMask(args[0]);
  int number = PyLong_AsInt(args[1]);
  if (PyErr_Occurred() || PySys_Audit("signal.pthread_kill", "ki", thread, number) < 0) return nullptr;
  int error = pthread_kill(static_cast<pthread_t>(thread), number);
  if (error != 0) {
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* signal_pidfd_send_signal(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("pidfd_send_signal", nargs, 2, 4)) return nullptr;
  int fd = PyLong_AsInt(args[0]);
  int number = PyErr_Occurred() ? 0 : PyLong_AsInt(args[1]);
  int flags = PyErr_Occurred() || nargs < 4 ? 0 : PyLong_AsInt(args[3]);
  if (PyErr_Occurred()) return nullptr;
  if (nargs > 2 && args[2] != Py_None) {
    PyErr_SetString(PyExc_TypeError, "siginfo must be None");
    return nullptr;
  }
  if (syscall(SYS_pidfd_send_signal, fd, number, nullptr, flags) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  // It may have been for this process.
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"default_int_handler", as_cfunction(default_int_handler), METH_FASTCALL,
     "default_int_handler($module, signalnum, frame, /)\n--\n\nThe default handler for SIGINT installed by Python.\n\nIt "
     "raises KeyboardInterrupt."},
    {"alarm", signal_alarm, METH_O, "alarm($module, seconds, /)\n--\n\nArrange for SIGALRM to arrive after the given number of seconds."},
    {"setitimer", as_cfunction(signal_setitimer), METH_FASTCALL, "setitimer($module, which, seconds, interval=0.0, /)\n--\n\n"},
    {"getitimer", signal_getitimer, METH_O, "getitimer($module, which, /)\n--\n\nReturns current value of given itimer."},
    {"signal", as_cfunction(signal_signal), METH_FASTCALL,
     "signal($module, signalnum, handler, /)\n--\n\nSet the action for the given signal."},
    {"raise_signal", signal_raise, METH_O, "raise_signal($module, signalnum, /)\n--\n\nSend a signal to the executing process."},
    {"strsignal", signal_strsignal, METH_O, "strsignal($module, signalnum, /)\n--\n\nReturn the system description of the given signal."},
    {"getsignal", signal_getsignal, METH_O, "getsignal($module, signalnum, /)\n--\n\nReturn the current action for the given signal."},
    {"set_wakeup_fd", as_cfunction(signal_set_wakeup_fd), METH_VARARGS | METH_KEYWORDS,
     "set_wakeup_fd($module, fd, /, *, warn_on_full_buffer=True)\n--\n\nSets the fd to be written to (with the signal number) "
     "when a signal comes in."},
    {"siginterrupt", as_cfunction(signal_siginterrupt), METH_FASTCALL,
     "siginterrupt($module, signalnum, flag, /)\n--\n\nChange system call restart behaviour."},
    {"pause", signal_pause, METH_NOARGS, "pause($module, /)\n--\n\nWait until a signal arrives."},
    {"pidfd_send_signal", as_cfunction(signal_pidfd_send_signal), METH_FASTCALL,
     "pidfd_send_signal($module, pidfd, signalnum, siginfo=None, flags=0, /)\n--\n\nSend a signal to a process referred to by "
     "a pid file descriptor."},
    {"pthread_kill", as_cfunction(signal_pthread_kill), METH_FASTCALL,
     "pthread_kill($module, thread_id, signalnum, /)\n--\n\nSend a signal to a thread."},
    {},
};

int add_constants(PyObject* m) {
  const struct {
    const char* name;
    int value;
  } kConstants[] = {
      {"NSIG", NSIG},           {"SIG_BLOCK", SIG_BLOCK},   {"SIG_UNBLOCK", SIG_UNBLOCK}, {"SIG_SETMASK", SIG_SETMASK},
      {"SIGHUP", SIGHUP},       {"SIGINT", SIGINT},         {"SIGQUIT", SIGQUIT},         {"SIGILL", SIGILL},
      {"SIGTRAP", SIGTRAP},     {"SIGIOT", SIGIOT},         {"SIGABRT", SIGABRT},         {"SIGFPE", SIGFPE},
      {"SIGKILL", SIGKILL},     {"SIGBUS", SIGBUS},         {"SIGSEGV", SIGSEGV},         {"SIGSYS", SIGSYS},
      {"SIGPIPE", SIGPIPE},     {"SIGALRM", SIGALRM},       {"SIGTERM", SIGTERM},         {"SIGUSR1", SIGUSR1},
      {"SIGUSR2", SIGUSR2},     {"SIGCHLD", SIGCHLD},       {"SIGCLD", SIGCHLD},          {"SIGPWR", SIGPWR},
      {"SIGIO", SIGIO},         {"SIGURG", SIGURG},         {"SIGWINCH", SIGWINCH},       {"SIGPOLL", SIGPOLL},
      {"SIGSTOP", SIGSTOP},     {"SIGTSTP", SIGTSTP},       {"SIGCONT", SIGCONT},         {"SIGTTIN", SIGTTIN},
      {"SIGTTOU", SIGTTOU},     {"SIGVTALRM", SIGVTALRM},   {"SIGPROF", SIGPROF},         {"SIGXCPU", SIGXCPU},
      {"SIGXFSZ", SIGXFSZ},     {"SIGRTMIN", SIGRTMIN},     {"SIGRTMAX", SIGRTMAX},       {"SIGSTKFLT", SIGSTKFLT},
      {"ITIMER_REAL", ITIMER_REAL}, {"ITIMER_VIRTUAL", ITIMER_VIRTUAL}, {"ITIMER_PROF", ITIMER_PROF},
  };
  for (const auto& c : kConstants) {
    if (PyModule_AddIntConstant(m, c.name, c.value) < 0) return -1;
  }
  return 0;
}

void forget_tripped() {
  if (!any_tripped.exchange(0)) return;
  for (Handler& h : handlers) h.tripped.store(0, std::memory_order_relaxed);
  wakeup.error.store(0, std::memory_order_relaxed);
}

int exec(PyObject* m) {
  if (default_handler == nullptr) {
    default_handler = PyLong_FromVoidPtr(reinterpret_cast<void*>(SIG_DFL));
    ignore_handler = PyLong_FromVoidPtr(reinterpret_cast<void*>(SIG_IGN));
    itimer_error = PyErr_NewException("signal.itimer_error", PyExc_OSError, nullptr);
    siginfo_type = signal_make_siginfo_type();
    if (default_handler == nullptr || ignore_handler == nullptr || itimer_error == nullptr || siginfo_type == nullptr) return -1;
  }
  if (PyModule_AddObjectRef(m, "SIG_DFL", default_handler) < 0 || PyModule_AddObjectRef(m, "SIG_IGN", ignore_handler) < 0 ||
      PyModule_AddObjectRef(m, "ItimerError", itimer_error) < 0 || PyModule_AddObjectRef(m, "struct_siginfo", siginfo_type) < 0 ||
      PyModule_AddFunctions(m, signal_set_methods) < 0 || add_constants(m) < 0) {
    return -1;
  }
  PyObject* own = PyDict_GetItemString(PyModule_GetDict(m), "default_int_handler");
  if (own == nullptr) return -1;
  if (int_handler != nullptr) return 0;  // made again: what is installed stays
  int_handler = Py_NewRef(own);
  for (int i = 1; i < NSIG; ++i) {
    struct sigaction now;
    if (sigaction(i, nullptr, &now) != 0) continue;
    PyObject* function = now.sa_handler == SIG_DFL ? default_handler : now.sa_handler == SIG_IGN ? ignore_handler : Py_None;
    sync::set_slot(&handlers[i].function, Ref<>::share(function));
  }
  eval_hooks.handle_signals = run_handlers;
  // The parent's signals are the parent's.
  sync::add_fork_hooks({nullptr, nullptr, forget_tripped});
  if (handlers[SIGINT].function == default_handler) {
    if (install(SIGINT, c_handler) != 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    sync::set_slot(&handlers[SIGINT].function, Ref<>::share(int_handler));
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_signal",
    .m_doc = "This module provides mechanisms to use signal handlers in Python.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

void signals_restore() {
  for (int i = 1; i < NSIG; ++i) {
    if (!runs_python(handlers[i].function)) continue;
    install(i, SIG_DFL);
    sync::set_slot(&handlers[i].function, Ref<>());
  }
  wakeup.fd.store(-1);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyInit__signal(void) { return PyModuleDef_Init(&def); }

int PyErr_CheckSignals(void) {
  ThreadState* ts = current_thread();
  if (!any_tripped.load(std::memory_order_acquire) || !is_main_thread()) return 0;
  return run_handlers(ts);
}

int PyErr_SetInterruptEx(int number) {
  if (number < 1 || number >= NSIG) return -1;
  PyObject* function = sync::load_relaxed(handlers[number].function);
  if (function != nullptr && (function == ignore_handler || function == default_handler)) return 0;
  trip(number);
  return 0;
}

void PyErr_SetInterrupt(void) { PyErr_SetInterruptEx(SIGINT); }

int PyOS_InterruptOccurred(void) {
  if (!is_main_thread() || !handlers[SIGINT].tripped.exchange(0)) return 0;
  return 1;
}

PyAPI_FUNC(int) PySignal_SetWakeupFd(int fd);
int PySignal_SetWakeupFd(int fd) { return wakeup.fd.exchange(fd < 0 ? -1 : fd); }

PyOS_sighandler_t PyOS_getsig(int number) {
  struct sigaction now;
  return sigaction(number, nullptr, &now) == 0 ? now.sa_handler : SIG_ERR;
}

PyOS_sighandler_t PyOS_setsig(int number, PyOS_sighandler_t function) {
  struct sigaction next, old;
  memset(&next, 0, sizeof next);
  next.sa_handler = function;
  next.sa_flags = SA_ONSTACK;
  return sigaction(number, &next, &old) == 0 ? old.sa_handler : SIG_ERR;
}

}  // extern "C"
