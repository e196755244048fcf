// faulthandler: tracebacks where Python code can no longer make them: fatal signals, timeouts, signals on demand.
//
// Invariant: what the C handlers read (descriptor, flags) is set before a handler is installed and stays valid while it
// is; the file object is kept alive beside the descriptor.
#include "modules/builtins.h"
#include "modules/traceback_dump.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/stop_the_world.h"

#include <atomic>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace amphis {

namespace {

struct FatalSignal {
  int number;
  const char* name;
  bool installed;
  struct sigaction previous;
};
FatalSignal fatal_signals[] = {
    {SIGBUS, "Bus error", false, {}},         {SIGILL, "Illegal instruction", false, {}},
    {SIGFPE, "Floating-point exception", false, {}}, {SIGABRT, "Aborted", false, {}},
    {SIGSEGV, "Segmentation fault", false, {}},
};

struct Enabled {
  bool on = false;
  int fd = -1;
  bool all_threads = true;
  bool c_stack = true;
  PyObject* file = nullptr;
};
Enabled fatal;

// Around changes of what says which signals are handled; files are dropped after it.
constinit sync::Mutex settings_mutex;
using SettingsLock = sync::MutexLock;

struct UserSignal {
  bool on;
  int fd;
  bool all_threads;
  bool chain;
  PyObject* file;
  struct sigaction previous;
};
UserSignal user_signals[NSIG];

void* alternate_stack = nullptr;
constexpr size_t kAlternateStack = 64 << 10;

struct Watchdog {
  pthread_t thread;
  bool running = false;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake;
  bool cancelled = false;
  int64_t timeout_us = 0;
  bool repeat = false, exit = false;
  int fd = -1;
  PyObject* file = nullptr;
  char header[64];
};
Watchdog watchdog;

// --- files

// The descriptor of `file` (default: sys.stderr), flushed; a new reference to the object in *kept (null for a number).
int descriptor_of(PyObject* file, PyObject** kept) {
  *kept = nullptr;
  Ref<> object;
  if (file == nullptr || file == Py_None) {
    object = Ref<>::steal(_PySys_GetRequiredAttrString("stderr"));
    if (!object) return -1;
    if (object.get() == Py_None) {
      PyErr_SetString(PyExc_RuntimeError, "sys.stderr is None");
      return -1;
    }
  } else if (PyLong_Check(file)) {
    if (PyBool_Check(file) && PyErr_WarnEx(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1) < 0) return -1;
    int fd = PyLong_AsInt(file);
    if (fd == -1 && PyErr_Occurred()) return -1;
    if (fd < 0) {
      PyErr_SetString(PyExc_ValueError, "file is not a valid file descripter");
      return -1;
    }
    return fd;
  } else {
    object = Ref<>::share(file);
  }
  Ref<> number = Ref<>::steal(PyObject_CallMethod(object, "fileno", nullptr));
  if (!number) return -1;
  int fd = PyLong_Check(number.get()) ? PyLong_AsInt(number) : -1;
  if (fd < 0) {
    PyErr_SetString(PyExc_RuntimeError, "file.fileno() is not a valid file descriptor");
    return -1;
  }
  Ref<> flushed = Ref<>::steal(PyObject_CallMethod(object, "flush", nullptr));
  if (!flushed) PyErr_Clear();
  *kept = object.release();
  return fd;
}

void dump(int fd, bool all_threads) {
  ThreadState* ts = current_thread();
  if (all_threads) {
    dump_all_threads(fd, ts);
  } else if (ts != nullptr) {
    dump_stack(fd, ts);
  }
}

void dump_native_stack(int fd) {
  void* addresses[32];
  dump_text(fd, "Current thread's C stack trace (most recent call first):\n");
  int n = backtrace(addresses, 32);
  for (int i = 0; i < n; ++i) {
    Dl_info info;
    char line[1024];
    const bool known = dladdr(addresses[i], &info) != 0 && info.dli_fname != nullptr;
    auto offset = [&](const void* base) { return static_cast<size_t>(static_cast<char*>(addresses[i]) - static_cast<const char*>(base)); };
    if (known && info.dli_sname != nullptr) {
      snprintf(line, sizeof line, "  Binary file \"%s\", at %s+0x%zx [%p]\n", info.dli_fname, info.dli_sname, offset(info.dli_saddr), addresses[i]);
    } else if (known) {
      snprintf(line, sizeof line, "  Binary file \"%s\", at +0x%zx [%p]\n", info.dli_fname, offset(info.dli_fbase), addresses[i]);
    } else {
      snprintf(line, sizeof line, "  Binary file \"<unknown>\" [%p]\n", addresses[i]);
    }
    dump_text(fd, line);
  }
}

// --- fatal signals

void restore(FatalSignal& s) {
  if (!s.installed) return;
  s.installed = false;
  sigaction(s.number, &s.previous, nullptr);
}

void on_fatal_signal(int number) {
  const int saved = errno;
  if (!fatal.on) return;
  FatalSignal* handler = nullptr;
  for (FatalSignal& s : fatal_signals) {
    if (s.number == number) handler = &s;
  }
  if (handler != nullptr) restore(*handler);
  dump_text(fatal.fd, "Fatal Python error: ");
  dump_text(fatal.fd, handler != nullptr ? handler->name : "signal");
  dump_text(fatal.fd, "\n\n");
  dump(fatal.fd, fatal.all_threads);
  dump_extension_modules(fatal.fd);
  if (fatal.c_stack) {
    dump_text(fatal.fd, "\n");
    dump_native_stack(fatal.fd);
  }
  errno = saved;
  // The signal comes again, to whoever handled it before; abort() needs help with that.
  raise(number);
}

int install_fatal_handlers() {
  if (fatal.on) return 0;
  fatal.on = true;
  void* warm[1];
  backtrace(warm, 1);  // loads its library now, not in a handler
  for (FatalSignal& s : fatal_signals) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_fatal_signal;
    action.sa_flags = SA_NODEFER | SA_ONSTACK;
    if (sigaction(s.number, &action, &s.previous) != 0) {
      PyErr_SetFromErrno(PyExc_RuntimeError);
      return -1;
    }
    s.installed = true;
  }
  return 0;
}

void use_alternate_stack() {
  if (alternate_stack != nullptr) return;
  void* memory = mmap(nullptr, kAlternateStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  alternate_stack = memory;
  stack_t stack;
  memset(&stack, 0, sizeof stack);
  stack.ss_sp = memory;
  stack.ss_size = kAlternateStack;
  sigaltstack(&stack, nullptr);
}

PyObject* enable(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "all_threads", "c_stack", nullptr};
  PyObject* file = nullptr;
  int all_threads = 1, c_stack = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Opp:enable", const_cast<char**>(keywords), &file, &all_threads, &c_stack)) {
    return nullptr;
  }
  PyObject* kept;
  int fd = descriptor_of(file, &kept);
  if (fd < 0) return nullptr;
  Ref<> old;
  SettingsLock lock(settings_mutex);
  old = Ref<>::steal(std::exchange(fatal.file, kept));
  fatal.fd = fd;
  fatal.all_threads = all_threads != 0;
  fatal.c_stack = c_stack != 0;
  use_alternate_stack();
  if (install_fatal_handlers() < 0) return nullptr;
  Py_RETURN_NONE;
}

void disable_fatal() {
  Ref<> old;
  SettingsLock lock(settings_mutex);
  fatal.on = false;
  for (FatalSignal& s : fatal_signals) restore(s);
  old = Ref<>::steal(std::exchange(fatal.file, nullptr));
}

PyObject* disable(PyObject*, PyObject*) {
  if (!fatal.on) Py_RETURN_FALSE;
  disable_fatal();
  Py_RETURN_TRUE;
}

PyObject* is_enabled(PyObject*, PyObject*) { return PyBool_FromLong(fatal.on); }

PyObject* dump_traceback(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "all_threads", nullptr};
  PyObject* file = nullptr;
  int all_threads = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Op:dump_traceback", const_cast<char**>(keywords), &file, &all_threads)) {
    return nullptr;
  }
  PyObject* kept;
  int fd = descriptor_of(file, &kept);
  if (fd < 0) return nullptr;
  Ref<> keep = Ref<>::steal(kept);
  if (all_threads) {
    StopTheWorld stopped("faulthandler");
    dump_all_threads(fd, current_thread());
  } else {
    dump_stack(fd, current_thread());
  }
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* dump_c_stack(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", nullptr};
  PyObject* file = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:dump_c_stack", const_cast<char**>(keywords), &file)) return nullptr;
  PyObject* kept;
  int fd = descriptor_of(file, &kept);
  if (fd < 0) return nullptr;
  Ref<> keep = Ref<>::steal(kept);
  dump_native_stack(fd);
  Py_RETURN_NONE;
}

// --- timeouts

void* watch(void*) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_mutex_lock(&watchdog.mutex);
  for (;;) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += watchdog.timeout_us / 1000000;
    until.tv_nsec += (watchdog.timeout_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
    int status = 0;
    while (!watchdog.cancelled && status == 0) status = pthread_cond_timedwait(&watchdog.wake, &watchdog.mutex, &until);
    if (watchdog.cancelled) break;
    dump_text(watchdog.fd, watchdog.header);
    dump_all_threads(watchdog.fd, nullptr);
    if (watchdog.exit) _exit(1);
    if (!watchdog.repeat) break;
  }
  pthread_mutex_unlock(&watchdog.mutex);
  return nullptr;
}

// One thread at a time starts and ends the watchdog, detached: that may wait for it.
class WatchdogControl {
  Detached detached_;
  static pthread_mutex_t mutex_;

 public:
  WatchdogControl() { pthread_mutex_lock(&mutex_); }
  ~WatchdogControl() { pthread_mutex_unlock(&mutex_); }
  WatchdogControl(const WatchdogControl&) = delete;

  // The reference to the file that it wrote to, if there was one.
  PyObject* cancel() {
    if (!watchdog.running) return nullptr;
    pthread_mutex_lock(&watchdog.mutex);
    watchdog.cancelled = true;
    pthread_cond_signal(&watchdog.wake);
    pthread_mutex_unlock(&watchdog.mutex);
    pthread_join(watchdog.thread, nullptr);
    watchdog.running = false;
    return std::exchange(watchdog.file, nullptr);
  }
  // False: there is no thread for it. Takes the reference to the file over where there is.
  bool start(PyObject* file, int fd, int64_t timeout_us, bool repeat, bool exit);
};
pthread_mutex_t WatchdogControl::mutex_ = PTHREAD_MUTEX_INITIALIZER;

bool WatchdogControl::start(PyObject* file, int fd, int64_t timeout_us, bool repeat, bool exit) {
  watchdog.fd = fd;
  watchdog.timeout_us = timeout_us;
  watchdog.repeat = repeat;
  watchdog.exit = exit;
  watchdog.cancelled = false;
  const long long us = timeout_us, s = us / 1000000;
  if (us % 1000000 != 0) {
    snprintf(watchdog.header, sizeof watchdog.header, "Timeout (%lld:%02lld:%02lld.%06lld)!\n", s / 3600, s / 60 % 60, s % 60, us % 1000000);
  } else {
    snprintf(watchdog.header, sizeof watchdog.header, "Timeout (%lld:%02lld:%02lld)!\n", s / 3600, s / 60 % 60, s % 60);
  }
  static bool condition_made = false;
  if (!condition_made) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog.wake, &attributes);
    pthread_condattr_destroy(&attributes);
    condition_made = true;
  }
  if (pthread_create(&watchdog.thread, nullptr, watch, nullptr) != 0) return false;
  watchdog.file = file;
  watchdog.running = true;
  return true;
}

PyObject* dump_traceback_later(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"timeout", "repeat", "file", "exit", nullptr};
  PyObject *timeout, *file = nullptr;
  int repeat = 0, exit = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|iOi:dump_traceback_later", const_cast<char**>(keywords), &timeout, &repeat,
                                   &file, &exit)) {
    return nullptr;
  }
  double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
  const double microseconds = seconds * 1e6;
  if (!(microseconds >= 1)) {
    PyErr_SetString(PyExc_ValueError, "timeout must be greater than 0");
    return nullptr;
  }
  if (microseconds > 9e15) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
    return nullptr;
  }
  PyObject* kept;
  int fd = descriptor_of(file, &kept);
  if (fd < 0) return nullptr;
  PyObject* old;
  bool started;
  {
    WatchdogControl control;
    old = control.cancel();
    started = control.start(kept, fd, static_cast<int64_t>(microseconds), repeat != 0, exit != 0);
  }
  Py_XDECREF(old);
  if (started) Py_RETURN_NONE;
  Py_XDECREF(kept);
  PyErr_SetString(PyExc_RuntimeError, "unable to start watchdog thread");
  return nullptr;
}

PyObject* cancel_dump_traceback_later(PyObject*, PyObject*) {
  PyObject* old;
  {
    WatchdogControl control;
    old = control.cancel();
  }
  Py_XDECREF(old);
  Py_RETURN_NONE;
}

// --- signals on demand

void on_user_signal(int number) {
  UserSignal& u = user_signals[number];
  if (!u.on) return;
  const int saved = errno;
  dump(u.fd, u.all_threads);
  if (u.chain) {
    // The previous handler once, then this one again.
    struct sigaction own;
    sigaction(number, &u.previous, &own);
    errno = saved;
    raise(number);
    sigaction(number, &own, nullptr);
  }
  errno = saved;
}

bool usable(int number) {
  for (const FatalSignal& s : fatal_signals) {
    if (s.number == number) {
      PyErr_Format(PyExc_RuntimeError, "signal %i cannot be registered, use enable() instead", number);
      return false;
    }
  }
  if (number >= 1 && number < NSIG) return true;
  PyErr_SetString(PyExc_ValueError, "signal number out of range");
  return false;
}

PyObject* register_(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"signum", "file", "all_threads", "chain", nullptr};
  int number, all_threads = 1, chain = 0;
  PyObject* file = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|Opp:register", const_cast<char**>(keywords), &number, &file, &all_threads,
                                   &chain) ||
      !usable(number)) {
    return nullptr;
  }
  PyObject* kept;
  int fd = descriptor_of(file, &kept);
  if (fd < 0) return nullptr;
  UserSignal& u = user_signals[number];
  Ref<> old;
  SettingsLock lock(settings_mutex);
  u.fd = fd;
  u.all_threads = all_threads != 0;
  u.chain = chain != 0;
  old = Ref<>::steal(std::exchange(u.file, kept));
  use_alternate_stack();
  struct sigaction action, previous;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_user_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK | (chain ? SA_NODEFER : 0);
  if (sigaction(number, &action, &previous) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  if (!u.on) u.previous = previous;
  u.on = true;
  Py_RETURN_NONE;
}

PyObject* unregister(PyObject*, PyObject* arg) {
  int number = PyLong_AsInt(arg);
  if ((number == -1 && PyErr_Occurred()) || !usable(number)) return nullptr;
  UserSignal& u = user_signals[number];
  Ref<> old;
  SettingsLock lock(settings_mutex);
  if (!u.on) Py_RETURN_FALSE;
  u.on = false;
  sigaction(number, &u.previous, nullptr);
  old = Ref<>::steal(std::exchange(u.file, nullptr));
  Py_RETURN_TRUE;
}

// --- ways to crash, for tests

void no_core_file() {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) == 0) {
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
  }
}
PyObject* crash_sigsegv(PyObject*, PyObject* args) {
  int release = 0;
  if (!PyArg_ParseTuple(args, "|i:_sigsegv", &release)) return nullptr;
  no_core_file();
  raise(SIGSEGV);
  Py_RETURN_NONE;
}
PyObject* crash_sigfpe(PyObject*, PyObject*) {
  no_core_file();
  raise(SIGFPE);
  Py_RETURN_NONE;
}
PyObject* crash_sigabrt(PyObject*, PyObject*) {
  no_core_file();
  abort();
}
PyObject* crash_read_null(PyObject*, PyObject*) {
  no_core_file();
  volatile int* nowhere = nullptr;
  return PyLong_FromLong(*nowhere);
}

PyMethodDef methods[] = {
    {"enable", as_cfunction(enable), METH_VARARGS | METH_KEYWORDS,
     "enable($module, /, file=sys.stderr, all_threads=True, c_stack=True)\n--\n\nEnable the fault handler."},
    {"disable", disable, METH_NOARGS, "disable($module, /)\n--\n\nDisable the fault handler."},
    {"is_enabled", is_enabled, METH_NOARGS, "is_enabled($module, /)\n--\n\nCheck if the handler is enabled."},
    {"dump_traceback", as_cfunction(dump_traceback), METH_VARARGS | METH_KEYWORDS,
     "dump_traceback($module, /, file=sys.stderr, all_threads=True)\n--\n\nDump the traceback of the current thread into file."},
    {"dump_c_stack", as_cfunction(dump_c_stack), METH_VARARGS | METH_KEYWORDS,
     "dump_c_stack($module, /, file=sys.stderr)\n--\n\nDump the C stack of the current thread."},
    {"dump_traceback_later", as_cfunction(dump_traceback_later), METH_VARARGS | METH_KEYWORDS,
     "dump_traceback_later($module, /, timeout, repeat=False,\n                     file=sys.stderr, exit=False)\n--\n\nDump "
     "the traceback of all threads in timeout seconds."},
    {"cancel_dump_traceback_later", cancel_dump_traceback_later, METH_NOARGS,
     "cancel_dump_traceback_later($module, /)\n--\n\nCancel the previous call to dump_traceback_later()."},
    {"register", as_cfunction(register_), METH_VARARGS | METH_KEYWORDS,
     "register($module, /, signum, file=sys.stderr, all_threads=True,\n         chain=False)\n--\n\nRegister a handler for the "
     "signal 'signum'."},
    {"unregister", unregister, METH_O,
     "unregister($module, signum, /)\n--\n\nUnregister the handler of the signal 'signum' registered by register()."},
    {"_read_null", crash_read_null, METH_NOARGS, "_read_null($module, /)\n--\n\nRead from NULL, raise a SIGSEGV or SIGBUS signal."},
    {"_sigsegv", crash_sigsegv, METH_VARARGS, "_sigsegv($module, release_gil=False, /)\n--\n\nRaise a SIGSEGV signal."},
    {"_sigabrt", crash_sigabrt, METH_NOARGS, "_sigabrt($module, /)\n--\n\nRaise a SIGABRT signal."},
    {"_sigfpe", crash_sigfpe, METH_NOARGS, "_sigfpe($module, /)\n--\n\nRaise a SIGFPE signal."},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, nullptr}};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "faulthandler",
    .m_doc = "faulthandler module.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

extern "C" PyObject* PyInit_faulthandler(void) { return PyModuleDef_Init(&amphis::def); }
