// The module posix: processes. fork and its hooks, running programs, waiting, signals.
#include "modules/posix.h"

#include "sync/fork.h"

#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace amphis::posix {
namespace {

PyTypeObject* waitid_type = nullptr;

// ---- fork ----

// Functions of register_at_fork(); lists, null until there are any.
PyObject* before_fork = nullptr;
PyObject* after_in_parent = nullptr;
PyObject* after_in_child = nullptr;

void run_hooks(PyObject* list, bool backwards) {
  if (list == nullptr) return;
  Ref<> copy = Ref<>::steal(PyList_GetSlice(list, 0, PY_SSIZE_T_MAX));
  if (!copy || (backwards && PyList_Reverse(copy.get()) < 0)) {
    PyErr_WriteUnraisable(nullptr);
    return;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(copy.get()); i++) {
    PyObject* function = PyList_GET_ITEM(copy.get(), i);
    Ref<> done = Ref<>::steal(PyObject_CallNoArgs(function));
    if (!done) PyErr_FormatUnraisable("Exception ignored while calling at fork hook %R", function);
  }
}
void run_before() { run_hooks(before_fork, true); }
void run_parent() { run_hooks(after_in_parent, false); }
void run_child() { run_hooks(after_in_child, false); }

bool callable_or_absent(PyObject* value, const char* name) {
  if (value == nullptr || PyCallable_Check(value)) return true;
  PyErr_Format(PyExc_TypeError, "'%.200s' must be callable, not %.200s", name, Py_TYPE(value)->tp_name);
  return false;
}

bool add_hook(PyObject** list, PyObject* function) {
  if (function == nullptr) return true;
  if (sync::load_acquire(*list) == nullptr) {
    Ref<> fresh = Ref<>::steal(PyList_New(0));
    if (!fresh) return false;
    PyObject* none = nullptr;
    if (sync::compare_exchange(*list, none, fresh.get())) (void)fresh.release();
  }
  return PyList_Append(sync::load_acquire(*list), function) == 0;
}

AMPHIS_POSIX_FUNCTION(register_at_fork_, "register_at_fork", 0, 0, "before", "after_in_child", "after_in_parent") {
  if (a[0] == nullptr && a[1] == nullptr && a[2] == nullptr) {
    PyErr_SetString(PyExc_TypeError, "At least one argument is required.");
    return nullptr;
  }
  if (!callable_or_absent(a[0], "before") || !callable_or_absent(a[1], "after_in_child") ||
      !callable_or_absent(a[2], "after_in_parent"))
    return nullptr;
  if (!add_hook(&before_fork, a[0]) || !add_hook(&after_in_child, a[1]) || !add_hook(&after_in_parent, a[2]))
    return nullptr;
  Py_RETURN_NONE;
}

// Threads of the process as the system counts them; 1 where it does not say.
long count_threads() {
  FILE* file = fopen("/proc/self/stat", "re");
  if (file == nullptr) return 1;
  char line[512];
  const size_t n = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[n] = 0;
  // The name in parentheses may hold anything; fields are counted from behind it.
  const char* p = strrchr(line, ')');
  for (int field = 2; p != nullptr && field < 20; field++) {
    p = strchr(p + 1, ' ');
  }
  return p == nullptr ? 1 : strtol(p, nullptr, 10);
}

bool warn_threads(const char* name) {
  if (count_threads() <= 1) return true;
  return PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                          "This process (pid=%d) is multi-threaded, use of %s() may lead to deadlocks in the child.",
                          static_cast<int>(::getpid()), name) == 0;
}

template <class F>
pid_t do_fork(const char* name, F f, bool* ok) {
  PyOS_BeforeFork();
  const pid_t pid = f();
  const int error = errno;
  *ok = true;
  if (pid == 0) {
    PyOS_AfterFork_Child();
  } else {
    PyOS_AfterFork_Parent();
    if (pid > 0) *ok = warn_threads(name);
  }
  errno = error;
  return pid;
}

bool may_fork(const char* what) {
  if (!Py_IsFinalizing()) return true;
  PyErr_SetString(PyExc_PythonFinalizationError, what);
  return false;
}

PyObject* fork_(PyObject*, PyObject*) {
  if (!may_fork("can't fork at interpreter shutdown") || PySys_Audit("os.fork", nullptr) < 0) return nullptr;
  bool ok;
  const pid_t pid = do_fork("fork", [] { return ::fork(); }, &ok);
  if (pid < 0) return raise_errno();
  return ok ? PyLong_FromLong(pid) : nullptr;
}

PyObject* forkpty_(PyObject*, PyObject*) {
  if (!may_fork("can't fork at interpreter shutdown") || PySys_Audit("os.forkpty", nullptr) < 0) return nullptr;
  bool ok;
  int master = -1;
  const pid_t pid = do_fork("forkpty", [&] { return ::forkpty(&master, nullptr, nullptr, nullptr); }, &ok);
  if (pid < 0) return raise_errno();
  return ok ? Py_BuildValue("(ii)", static_cast<int>(pid), master) : nullptr;
}

// ---- running programs ----

// A null-terminated array of strings, and the objects that keep them.
class Strings {
 public:
  explicit Strings() = default;
  bool reserve(Py_ssize_t n) {
    objects_ = Ref<>::steal(PyList_New(0));
    array_ = std::make_unique<char*[]>(static_cast<size_t>(n) + 1);
    return static_cast<bool>(objects_);
  }
  // Steals bytes.
  bool add(PyObject* bytes) {
    Ref<> held = Ref<>::steal(bytes);
    if (!held || PyList_Append(objects_.get(), held.get()) < 0) return false;
    array_[count_++] = PyBytes_AS_STRING(bytes);
    return true;
  }
  bool add_path(PyObject* text) {
    PyObject* bytes = nullptr;
    return PyUnicode_FSConverter(text, &bytes) && add(bytes);
  }
  char* const* data() const { return array_.get(); }

 private:
  Ref<> objects_;
  std::unique_ptr<char*[]> array_;
  Py_ssize_t count_ = 0;
};

// `name` is that of the function for messages with parentheses, else for messages with a colon.
bool arguments(PyObject* argv, Strings* out, const char* not_sequence, const char* empty, const char* empty_first) {
  if (!PyList_Check(argv) && !PyTuple_Check(argv)) {
    PyErr_SetString(PyExc_TypeError, not_sequence);
    return false;
  }
  const Py_ssize_t n = PySequence_Size(argv);
  if (n < 1) {
    PyErr_SetString(PyExc_ValueError, empty);
    return false;
  }
  if (!out->reserve(n)) return false;
  for (Py_ssize_t i = 0; i < n; i++) {
    Ref<> item = Ref<>::steal(PySequence_GetItem(argv, i));
    if (!item || !out->add_path(item.get())) return false;
  }
  if (out->data()[0][0] == 0) {
    PyErr_SetString(PyExc_ValueError, empty_first);
    return false;
  }
  return true;
}

bool environment(PyObject* mapping, Strings* out) {
  // Copies: converting a path may change the mapping.
  Ref<> key_list = Ref<>::steal(PyMapping_Keys(mapping));
  Ref<> keys = key_list ? Ref<>::steal(PySequence_Tuple(key_list.get())) : nullptr;
  Ref<> value_list = keys ? Ref<>::steal(PyMapping_Values(mapping)) : nullptr;
  Ref<> values = value_list ? Ref<>::steal(PySequence_Tuple(value_list.get())) : nullptr;
  if (!values) return false;
  const Py_ssize_t n = PyTuple_GET_SIZE(keys.get());
  if (PyTuple_GET_SIZE(values.get()) != n) {
    PyErr_SetString(PyExc_ValueError, "env.keys() and env.values() have different lengths");
    return false;
  }
  if (!out->reserve(n)) return false;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject *key = PyTuple_GET_ITEM(keys.get(), i), *value = PyTuple_GET_ITEM(values.get(), i);
    PyObject* bytes = nullptr;
    if (!PyUnicode_FSConverter(key, &bytes)) return false;
    Ref<> name = Ref<>::steal(bytes);
    bytes = nullptr;
    if (!PyUnicode_FSConverter(value, &bytes)) return false;
    Ref<> text = Ref<>::steal(bytes);
    const char* start = PyBytes_AS_STRING(name.get());
    if (*start == 0 || strchr(start + 1, '=') != nullptr) {
      PyErr_SetString(PyExc_ValueError, "illegal environment variable name");
      return false;
    }
    if (!out->add(PyBytes_FromFormat("%s=%s", start, PyBytes_AS_STRING(text.get())))) return false;
  }
  return true;
}

PyObject* execv_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("execv", nargs, 2, 2)) return nullptr;
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(args[0], &bytes)) return nullptr;
  Ref<> path = Ref<>::steal(bytes);
  Strings argv;
  if (!arguments(args[1], &argv, "execv() arg 2 must be a tuple or list", "execv() arg 2 must not be empty",
                 "execv() arg 2 first element cannot be empty"))
    return nullptr;
  if (PySys_Audit("os.exec", "OOO", args[0], args[1], Py_None) < 0) return nullptr;
  ::execv(PyBytes_AS_STRING(path.get()), argv.data());
  return raise_errno();
}

AMPHIS_POSIX_FUNCTION(execve_, "execve", 3, 3, "path", "argv", "env") {
  Path path;
  if (!path.parse("execve", "path", a[0], Path::kFd)) return nullptr;
  Strings argv, env;
  if (!arguments(a[1], &argv, "execve: argv must be a tuple or list", "execve: argv must not be empty",
                 "execve: argv first element cannot be empty"))
    return nullptr;
  if (!PyMapping_Check(a[2])) {
    PyErr_SetString(PyExc_TypeError, "execve: environment must be a mapping object");
    return nullptr;
  }
  if (!environment(a[2], &env)) return nullptr;
  if (PySys_Audit("os.exec", "OOO", path.object, a[1], a[2]) < 0) return nullptr;
  if (path.text == nullptr)
    ::fexecve(path.fd, argv.data(), env.data());
  else
    ::execve(path.text, argv.data(), env.data());
  return raise_path(path);
}

AMPHIS_POSIX_FUNCTION(system_, "system", 1, 1, "command") {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(a[0], &bytes)) return nullptr;
  Ref<> command = Ref<>::steal(bytes);
  if (PySys_Audit("os.system", "(O)", command.get()) < 0) return nullptr;
  return PyLong_FromLong(detached([&] { return ::system(PyBytes_AS_STRING(command.get())); }));
}

// ---- posix_spawn ----

// RAII over the two structures of posix_spawn.
struct Spawn {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  Ref<> kept = Ref<>::steal(PyList_New(0));  // paths that actions point to
  short flags = 0;
  Spawn() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
};

enum { kSpawnOpen = 0, kSpawnClose = 1, kSpawnDup2 = 2, kSpawnCloseFrom = 3 };

bool check_error(int error) {
  if (error == 0) return true;
  errno = error;
  raise_errno();
  return false;
}

bool file_action(Spawn* spawn, PyObject* action) {
  if (!PyTuple_Check(action) || PyTuple_GET_SIZE(action) == 0) {
    PyErr_SetString(PyExc_TypeError, "Each file_actions element must be a non-empty tuple");
    return false;
  }
  const long tag = PyLong_AsLong(PyTuple_GET_ITEM(action, 0));
  if (tag == -1 && PyErr_Occurred()) return false;
  PyObject* ignored;
  int fd, to, flags;
  switch (tag) {
    case kSpawnOpen: {
      PyObject* path;
      unsigned long mode;
      if (!PyArg_ParseTuple(action, "OiO&ik;A open file_action tuple must have 5 elements", &ignored, &fd,
                            PyUnicode_FSConverter, &path, &flags, &mode))
        return false;
      Ref<> held = Ref<>::steal(path);
      if (PyList_Append(spawn->kept.get(), path) < 0) return false;
      return check_error(posix_spawn_file_actions_addopen(&spawn->actions, fd, PyBytes_AS_STRING(path), flags,
                                                          static_cast<mode_t>(mode)));
    }
    case kSpawnClose:
      return PyArg_ParseTuple(action, "Oi;A close file_action tuple must have 2 elements", &ignored, &fd) &&
             check_error(posix_spawn_file_actions_addclose(&spawn->actions, fd));
    case kSpawnDup2:
      return PyArg_ParseTuple(action, "Oii;A dup2 file_action tuple must have 3 elements", &ignored, &fd, &to) &&
             check_error(posix_spawn_file_actions_adddup2(&spawn->actions, fd, to));
    case kSpawnCloseFrom:
      return PyArg_ParseTuple(action, "Oi;A closefrom file_action tuple must have 2 elements", &ignored, &fd) &&
             check_error(posix_spawn_file_actions_addclosefrom_np(&spawn->actions, fd));
    default:
      PyErr_SetString(PyExc_TypeError, "Unknown file_actions identifier");
      return false;
  }
}

bool signal_set(PyObject* signals, sigset_t* set) {
  sigemptyset(set);
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(signals));
  if (!iterator) return false;
  for (;;) {
    Ref<> item = Ref<>::steal(PyIter_Next(iterator.get()));
    if (!item) return !PyErr_Occurred();
    int overflow;
    const long number = PyLong_AsLongAndOverflow(item.get(), &overflow);
    if (number == -1 && PyErr_Occurred()) return false;
    if (overflow != 0 || number <= 0 || number >= NSIG) {
      PyErr_Format(PyExc_ValueError, "signal number %S out of range [1; %i]", item.get(), NSIG - 1);
      return false;
    }
    if (sigaddset(set, static_cast<int>(number)) != 0 && errno != EINVAL) {
      raise_errno();
      return false;
    }
  }
}

bool spawn_attributes(const char* function, Spawn* spawn, PyObject* const* a) {
  PyObject *group = a[4], *mask = a[7], *defaults = a[8], *scheduler = a[9];
  bool reset = false, session = false;
  if (!to_bool(a[5], &reset) || !to_bool(a[6], &session)) return false;
  if (group != nullptr && group != Py_None) {
    int id = 0;
    if (!to_int(group, &id) || !check_error(posix_spawnattr_setpgroup(&spawn->attributes, id))) return false;
    spawn->flags |= POSIX_SPAWN_SETPGROUP;
  }
  if (reset) spawn->flags |= POSIX_SPAWN_RESETIDS;
  if (session) spawn->flags |= POSIX_SPAWN_SETSID;
  sigset_t set;
  if (mask != nullptr) {
    if (!signal_set(mask, &set) || !check_error(posix_spawnattr_setsigmask(&spawn->attributes, &set))) return false;
    spawn->flags |= POSIX_SPAWN_SETSIGMASK;
  }
  if (defaults != nullptr) {
    if (!signal_set(defaults, &set) || !check_error(posix_spawnattr_setsigdefault(&spawn->attributes, &set)))
      return false;
    spawn->flags |= POSIX_SPAWN_SETSIGDEF;
  }
  if (scheduler != nullptr && scheduler != Py_None) {
    PyObject *policy, *parameter;
    if (!PyTuple_Check(scheduler)) {
      PyErr_SetString(PyExc_TypeError, "scheduler must be a tuple or None");
      return false;
    }
    if (!PyArg_ParseTuple(scheduler, "OO;A scheduler tuple must have two elements", &policy, &parameter)) return false;
    if (policy != Py_None) {
      int number = 0;
      if (!to_int(policy, &number) || !check_error(posix_spawnattr_setschedpolicy(&spawn->attributes, number)))
        return false;
      spawn->flags |= POSIX_SPAWN_SETSCHEDULER;
    }
    sched_param value{};
    PyObject* priority = PyTuple_Check(parameter) && PyTuple_GET_SIZE(parameter) > 0 ? PyTuple_GET_ITEM(parameter, 0) : parameter;
    if (!to_int(priority, &value.sched_priority) ||
        !check_error(posix_spawnattr_setschedparam(&spawn->attributes, &value)))
      return false;
    spawn->flags |= POSIX_SPAWN_SETSCHEDPARAM;
  }
  (void)function;
  return check_error(posix_spawnattr_setflags(&spawn->attributes, spawn->flags));
}

PyObject* spawn(const char* function, bool search, PyObject* const* a) {
  Path path;
  if (!path.parse(function, "path", a[0])) return nullptr;
  Strings argv, env;
  const bool is_sequence = PyList_Check(a[1]) || PyTuple_Check(a[1]);
  if (!is_sequence) return PyErr_Format(PyExc_TypeError, "%s: argv must be a tuple or list", function);
  if (PySequence_Size(a[1]) < 1) return PyErr_Format(PyExc_ValueError, "%s: argv must not be empty", function);
  if (!arguments(a[1], &argv, "", "", "posix_spawn: argv first element cannot be empty")) return nullptr;
  const bool inherit = a[2] == Py_None;
  if (!inherit && !PyMapping_Check(a[2]))
    return PyErr_Format(PyExc_TypeError, "%s: environment must be a mapping object or None", function);
  if (!inherit && !environment(a[2], &env)) return nullptr;
  Spawn settings;
  if (!settings.kept) return nullptr;
  if (a[3] != nullptr && a[3] != Py_None) {
    Ref<> actions = Ref<>::steal(PySequence_Fast(a[3], "file_actions must be a sequence or None"));
    if (!actions) return nullptr;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(actions.get()); i++) {
      if (!file_action(&settings, PySequence_Fast_GET_ITEM(actions.get(), i))) return nullptr;
    }
  }
  if (!spawn_attributes(function, &settings, a)) return nullptr;
  if (PySys_Audit("os.posix_spawn", "OOO", path.object, a[1], a[2]) < 0) return nullptr;
  pid_t pid;
  char* const* variables = inherit ? environ : env.data();
  const int error = (search ? ::posix_spawnp : ::posix_spawn)(&pid, path.text, &settings.actions, &settings.attributes,
                                                             argv.data(), variables);
  if (error != 0) {
    errno = error;
    return raise_path(path);
  }
  return PyLong_FromLong(pid);
}

constexpr const char* const spawn_names[] = {"",        "",       "",           "file_actions", "setpgroup",
                                             "resetids", "setsid", "setsigmask", "setsigdef",    "scheduler"};
constexpr Parameters posix_spawn__parameters{"posix_spawn", spawn_names, 10, 3, 3, 3};
constexpr Parameters posix_spawnp__parameters{"posix_spawnp", spawn_names, 10, 3, 3, 3};
PyObject* posix_spawn_(PyObject* const* a) { return spawn("posix_spawn", false, a); }
PyObject* posix_spawnp_(PyObject* const* a) { return spawn("posix_spawnp", true, a); }

// ---- waiting ----

PyObject* pid_and_status(pid_t pid, int status) {
  return pid < 0 ? raise_errno() : Py_BuildValue("(ii)", static_cast<int>(pid), status);
}

PyObject* wait_(PyObject*, PyObject*) {
  int status = 0;
  pid_t pid;
  return repeated([&] { return ::wait(&status); }, &pid) ? pid_and_status(pid, status) : nullptr;
}
PyObject* waitpid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int wanted = 0, options = 0, status = 0;
  pid_t pid;
  if (!check_positional("waitpid", nargs, 2, 2) || !to_int(args[0], &wanted) || !to_int(args[1], &options))
    return nullptr;
  return repeated([&] { return ::waitpid(wanted, &status, options); }, &pid) ? pid_and_status(pid, status) : nullptr;
}

PyObject* usage_result(pid_t pid, int status, const struct rusage& usage) {
  if (pid < 0) return raise_errno();
  Ref<> module = Ref<>::steal(PyImport_ImportModule("resource"));
  Ref<> type = module ? Ref<>::steal(PyObject_GetAttrString(module.get(), "struct_rusage")) : nullptr;
  if (!type) return nullptr;
  auto seconds = [](const struct timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  Ref<> items = Ref<>::steal(Py_BuildValue(
      "(ddllllllllllllll)", seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, usage.ru_ixrss,
      usage.ru_idrss, usage.ru_isrss, usage.ru_minflt, usage.ru_majflt, usage.ru_nswap, usage.ru_inblock,
      usage.ru_oublock, usage.ru_msgsnd, usage.ru_msgrcv, usage.ru_nsignals, usage.ru_nvcsw, usage.ru_nivcsw));
  Ref<> result = items ? Ref<>::steal(PyObject_CallOneArg(type.get(), items.get())) : nullptr;
  return result ? Py_BuildValue("(iiO)", static_cast<int>(pid), status, result.get()) : nullptr;
}

AMPHIS_POSIX_FUNCTION(wait3_, "wait3", 1, 1, "options") {
  int options = 0, status = 0;
  pid_t pid;
  struct rusage usage{};
  if (!to_int(a[0], &options) || !repeated([&] { return ::wait3(&status, options, &usage); }, &pid)) return nullptr;
  return usage_result(pid, status, usage);
}
AMPHIS_POSIX_FUNCTION(wait4_, "wait4", 2, 2, "pid", "options") {
  int wanted = 0, options = 0, status = 0;
  pid_t pid;
  struct rusage usage{};
  if (!to_int(a[0], &wanted) || !to_int(a[1], &options) ||
      !repeated([&] { return ::wait4(wanted, &status, options, &usage); }, &pid))
    return nullptr;
  return usage_result(pid, status, usage);
}

PyStructSequence_Field waitid_fields[] = {{"si_pid", nullptr},    {"si_uid", nullptr},  {"si_signo", nullptr},
                                          {"si_status", nullptr}, {"si_code", nullptr}, {nullptr, nullptr}};
PyStructSequence_Desc waitid_desc = {"posix.waitid_result", "waitid_result: Result from waitid.", waitid_fields, 5};

PyObject* waitid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int kind = 0, id = 0, options = 0, result;
  if (!check_positional("waitid", nargs, 3, 3) || !to_int(args[0], &kind) || !to_int(args[1], &id) ||
      !to_int(args[2], &options))
    return nullptr;
  siginfo_t info{};
  if (!repeated([&] { return ::waitid(static_cast<idtype_t>(kind), static_cast<id_t>(id), &info, options); }, &result))
    return nullptr;
  if (result < 0) return raise_errno();
  if (info.si_pid == 0) Py_RETURN_NONE;
  Ref<> object = Ref<>::steal(PyStructSequence_New(waitid_type));
  if (!object) return nullptr;
  const long values[] = {info.si_pid, info.si_uid, info.si_signo, info.si_status, info.si_code};
  for (Py_ssize_t i = 0; i < 5; i++) {
    PyObject* number = PyLong_FromLong(values[i]);
    if (number == nullptr) return nullptr;
    PyStructSequence_SetItem(object.get(), i, number);
  }
  return object.release();
}

AMPHIS_POSIX_FUNCTION(pidfd_open_, "pidfd_open", 2, 1, "pid", "flags") {
  int pid = 0, flags = 0;
  if (!to_int(a[0], &pid) || !to_int(a[1], &flags)) return nullptr;
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, static_cast<unsigned>(flags)));
  return fd < 0 ? raise_errno() : PyLong_FromLong(fd);
}

// What the macros of <sys/wait.h> say of a status.
#define AMPHIS_WAIT(id, macro, make)                                          \
  AMPHIS_POSIX_FUNCTION(id, #macro, 1, 1, "status") {                         \
    int status = 0;                                                           \
    return to_int(a[0], &status) ? make(macro(status)) : nullptr;             \
  }
AMPHIS_WAIT(exited_, WIFEXITED, PyBool_FromLong)
AMPHIS_WAIT(signaled_, WIFSIGNALED, PyBool_FromLong)
AMPHIS_WAIT(stopped_, WIFSTOPPED, PyBool_FromLong)
AMPHIS_WAIT(continued_, WIFCONTINUED, PyBool_FromLong)
AMPHIS_WAIT(exit_status_, WEXITSTATUS, PyLong_FromLong)
AMPHIS_WAIT(term_signal_, WTERMSIG, PyLong_FromLong)
AMPHIS_WAIT(stop_signal_, WSTOPSIG, PyLong_FromLong)
PyObject* core_dumped_(PyObject*, PyObject* arg) {
  int status = 0;
  return to_int(arg, &status) ? PyBool_FromLong(WCOREDUMP(status)) : nullptr;
}

AMPHIS_POSIX_FUNCTION(exit_code_, "waitstatus_to_exitcode", 1, 1, "status") {
  int status = 0;
  if (!to_int(a[0], &status)) return nullptr;
  if (WIFEXITED(status)) return PyLong_FromLong(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) return PyLong_FromLong(-WTERMSIG(status));
  if (WIFSTOPPED(status))
    return PyErr_Format(PyExc_ValueError, "process stopped by delivery of signal %i", WSTOPSIG(status));
  return PyErr_Format(PyExc_ValueError, "invalid wait status: %i", status);
}

// ---- ends and signals ----

AMPHIS_POSIX_FUNCTION(exit_, "_exit", 1, 1, "status") {
  int status = 0;
  if (!to_int(a[0], &status)) return nullptr;
  ::_exit(status);
}
PyObject* abort_(PyObject*, PyObject*) { ::abort(); }

PyObject* kill_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int pid = 0;
  Py_ssize_t signal = 0;
  if (!check_positional("kill", nargs, 2, 2) || !to_int(args[0], &pid) || !to_size(args[1], &signal)) return nullptr;
  if (PySys_Audit("os.kill", "in", pid, signal) < 0) return nullptr;
  if (::kill(pid, static_cast<int>(signal)) < 0) return raise_errno();
  // A signal to ourselves has been delivered: run its handler before anything else.
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* killpg_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int group = 0, signal = 0;
  if (!check_positional("killpg", nargs, 2, 2) || !to_int(args[0], &group) || !to_int(args[1], &signal)) return nullptr;
  if (::killpg(group, signal) < 0) return raise_errno();
  if (PyErr_CheckSignals() < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef process_methods[] = {
    {"fork", fork_, METH_NOARGS,
     "fork($module, /)\n--\n\nSplit this process in two; return 0 in the child, its identifier in the parent."},
    {"forkpty", forkpty_, METH_NOARGS, "forkpty($module, /)\n--\n\nfork() with a new pseudo-terminal: (pid, master_fd)."},
    AMPHIS_POSIX_ENTRY(register_at_fork_,
                       "register_at_fork($module, /, *, before=<unrepresentable>,\n"
                       "                 after_in_child=<unrepresentable>,\n"
                       "                 after_in_parent=<unrepresentable>)",
                       "Functions to be called around each fork()."),
    {"execv", AMPHIS_METHOD(execv_), METH_FASTCALL, "execv($module, path, argv, /)\n--\n\nBecome another program."},
    AMPHIS_POSIX_ENTRY(execve_, "execve($module, /, path, argv, env)", "Become another program, with an environment."),
    AMPHIS_POSIX_ENTRY(system_, "system($module, /, command)", "Run a command in a shell and return its wait status."),
    AMPHIS_POSIX_ENTRY(posix_spawn_,
                       "posix_spawn($module, path, argv, env, /, *, file_actions=(),\n"
                       "            setpgroup=None, resetids=False, setsid=False,\n"
                       "            setsigmask=(), setsigdef=(), scheduler=None)",
                       "Run a program in a new process."),
    AMPHIS_POSIX_ENTRY(posix_spawnp_,
                       "posix_spawnp($module, path, argv, env, /, *, file_actions=(),\n"
                       "             setpgroup=None, resetids=False, setsid=False,\n"
                       "             setsigmask=(), setsigdef=(), scheduler=None)",
                       "Run a program, searched in PATH, in a new process."),
    {"wait", wait_, METH_NOARGS, "wait($module, /)\n--\n\nWait for any child: (pid, status)."},
    {"waitpid", AMPHIS_METHOD(waitpid_), METH_FASTCALL, "waitpid($module, pid, options, /)\n--\n\nWait for a child: (pid, status)."},
    AMPHIS_POSIX_ENTRY(wait3_, "wait3($module, /, options)", "Wait for any child: (pid, status, rusage)."),
    AMPHIS_POSIX_ENTRY(wait4_, "wait4($module, /, pid, options)", "Wait for a child: (pid, status, rusage)."),
    {"waitid", AMPHIS_METHOD(waitid_), METH_FASTCALL, "waitid($module, idtype, id, options, /)\n--\n\nWait for a change."},
    AMPHIS_POSIX_ENTRY(pidfd_open_, "pidfd_open($module, /, pid, flags=0)", "A descriptor of a process."),
    AMPHIS_POSIX_ENTRY(exited_, "WIFEXITED($module, /, status)", "Whether the process ended by exit()."),
    AMPHIS_POSIX_ENTRY(signaled_, "WIFSIGNALED($module, /, status)", "Whether a signal ended the process."),
    AMPHIS_POSIX_ENTRY(stopped_, "WIFSTOPPED($module, /, status)", "Whether the process was stopped."),
    AMPHIS_POSIX_ENTRY(continued_, "WIFCONTINUED($module, /, status)", "Whether the process was continued."),
    AMPHIS_POSIX_ENTRY(exit_status_, "WEXITSTATUS($module, /, status)", "The status given to exit()."),
    AMPHIS_POSIX_ENTRY(term_signal_, "WTERMSIG($module, /, status)", "The signal that ended the process."),
    AMPHIS_POSIX_ENTRY(stop_signal_, "WSTOPSIG($module, /, status)", "The signal that stopped the process."),
    {"WCOREDUMP", core_dumped_, METH_O, "WCOREDUMP($module, status, /)\n--\n\nWhether the process left a core file."},
    AMPHIS_POSIX_ENTRY(exit_code_, "waitstatus_to_exitcode($module, /, status)",
                       "The exit status, or the negative number of the signal that ended the process."),
    AMPHIS_POSIX_ENTRY(exit_, "_exit($module, /, status)", "End the process now, without cleaning up."),
    {"abort", abort_, METH_NOARGS, "abort($module, /)\n--\n\nEnd the process with SIGABRT."},
    {"kill", AMPHIS_METHOD(kill_), METH_FASTCALL, "kill($module, pid, signal, /)\n--\n\nSend a signal to a process."},
    {"killpg", AMPHIS_METHOD(killpg_), METH_FASTCALL, "killpg($module, pgid, signal, /)\n--\n\nSend a signal to a group."},
    {},
};

int add_process(PyObject* module) {
  static bool hooked = false;
  if (!hooked) sync::add_fork_hooks({run_before, run_parent, run_child});
  hooked = true;
  return add_result_type(&waitid_type, &waitid_desc, module, "waitid_result");
}

// The runtime begins again: what register_at_fork was given belongs to the last life.
void forget_fork_callbacks() {
  for (PyObject** list : {&before_fork, &after_in_parent, &after_in_child}) Py_CLEAR(*list);
}

}  // namespace amphis::posix
