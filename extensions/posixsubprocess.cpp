// The module _posixsubprocess: fork_exec(), which starts the programs of the module subprocess.
//
// Between fork and exec the child calls only functions that are safe there; all memory is made before. Without code of
// the caller to run in the child it is a vfork: the parent waits, and the child must change nothing that it shares.
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace {

using ext::Ref;

// All that the child needs, in plain form.
struct Plan {
  char* const* executables;  // tried one after the other
  char* const* argv;
  char* const* envp;  // null: inherited
  const char* cwd;    // null: stays
  int p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, error_read, error_write;
  bool close_fds, restore_signals, new_session, set_groups, set_gid, set_uid;
  int process_group, umask;
  const gid_t* groups;
  size_t group_count;
  gid_t gid;
  uid_t uid;
  const int* kept;  // sorted descriptors that stay open
  size_t kept_count;
  const sigset_t* mask;  // to be restored; null: nothing was blocked
  PyObject* preexec;     // null: none
};

bool write_all(int fd, const char* text, size_t n) {
  while (n > 0) {
    const ssize_t done = write(fd, text, n);
    if (done < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text += done;
    n -= static_cast<size_t>(done);
  }
  return true;
}

bool set_inheritable(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  return flags >= 0 && (!(flags & FD_CLOEXEC) || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) >= 0);
}

void close_between(int first, int last) {
  if (last < first) return;
  if (syscall(SYS_close_range, static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0) return;
  long limit = sysconf(_SC_OPEN_MAX);
  if (limit < 0) limit = 256;
  for (int fd = first; fd <= last && fd < limit; fd++) close(fd);
}

// Makes `from` the standard descriptor `to`.
bool install(int from, int to) {
  if (from == to) return set_inheritable(from);
  return from < 0 || dup2(from, to) >= 0;
}

enum class Step { kPrepare, kChdir, kPreexec, kExec };

// Everything up to exec; false with errno at `step`.
bool prepare(const Plan& plan, Step* step) {
  *step = Step::kPrepare;
  for (size_t i = 0; i < plan.kept_count; i++) {
    if (plan.kept[i] != plan.error_write && !set_inheritable(plan.kept[i])) return false;
  }
  for (int fd : {plan.p2cwrite, plan.c2pread, plan.errread}) {
    if (fd != -1 && close(fd) < 0) return false;
  }
  close(plan.error_read);
  // Descriptors that stand where another one is to be installed move out of the way.
  int out = plan.c2pwrite, err = plan.errwrite;
  if (out == 0) {
    out = dup(out);
    if (out < 0) return false;
  }
  while (err == 0 || err == 1) {
    err = dup(err);
    if (err < 0) return false;
  }
  if (!install(plan.p2cread, 0) || !install(out, 1) || !install(err, 2)) return false;
  if (plan.cwd != nullptr && chdir(plan.cwd) < 0) {
    *step = Step::kChdir;
    return false;
  }
  if (plan.umask >= 0) umask(static_cast<mode_t>(plan.umask));
  if (plan.restore_signals) {
    for (int number : {SIGPIPE, SIGXFSZ}) signal(number, SIG_DFL);
  }
  if (plan.mask != nullptr) sigprocmask(SIG_SETMASK, plan.mask, nullptr);
  if (plan.new_session) setsid();
  if (plan.process_group >= 0 && setpgid(0, plan.process_group) < 0) return false;
  if (plan.set_groups && syscall(SYS_setgroups, plan.group_count, plan.groups) < 0) return false;
  if (plan.set_gid && syscall(SYS_setregid, plan.gid, plan.gid) < 0) return false;
  if (plan.set_uid && syscall(SYS_setreuid, plan.uid, plan.uid) < 0) return false;
  if (plan.preexec != nullptr) {
    PyObject* result = PyObject_CallNoArgs(plan.preexec);
    if (result == nullptr) {
      *step = Step::kPreexec;
      return false;
    }
    Py_DECREF(result);
  }
  if (plan.close_fds) {
    int next = 3;
    for (size_t i = 0; i < plan.kept_count; i++) {
      if (plan.kept[i] < next) continue;
      close_between(next, plan.kept[i] - 1);
      next = plan.kept[i] + 1;
    }
    close_between(next, INT_MAX);
  }
  return true;
}

[[noreturn]] void run_child(const Plan& plan) {
  Step step;
  int error = 0;
  if (prepare(plan, &step)) {
    step = Step::kExec;
    for (char* const* path = plan.executables; *path != nullptr; path++) {
      if (plan.envp != nullptr)
        execve(*path, plan.argv, plan.envp);
      else
        execv(*path, plan.argv);
      if (errno != ENOENT && errno != ENOTDIR && error == 0) error = errno;
    }
  }
  if (error == 0) error = errno;
  if (step == Step::kPreexec) {
    constexpr char kMessage[] = "SubprocessError:0:Exception occurred in preexec_fn.";
    write_all(plan.error_write, kMessage, sizeof kMessage - 1);
  } else {
    // "OSError:<errno in hexadecimal>:<what failed before exec>"
    char text[64] = "OSError:";
    char* p = text + strlen(text);
    bool digits = false;
    for (int shift = 28; shift >= 0; shift -= 4) {
      const int digit = error >> shift & 15;
      if (digit != 0) digits = true;
      if (digits) *p++ = "0123456789ABCDEF"[digit];
    }
    const char* rest = step == Step::kExec ? ":" : step == Step::kChdir ? ":noexec:chdir" : ":noexec";
    strcpy(p, rest);
    write_all(plan.error_write, text, strlen(text));
  }
  _exit(255);
}

// Apart from its caller, so that the child of a vfork shares no live variables with it.
__attribute__((noinline)) pid_t start(const Plan& plan, bool shares) {
  const pid_t pid = shares ? vfork() : fork();
  if (pid != 0) return pid;
  if (plan.preexec != nullptr) PyOS_AfterFork_Child();
  run_child(plan);
}

// ---- arguments ----

// A null-terminated array over a list of bytes.
class Strings {
 public:
  bool from(Ref list) {
    list_ = std::move(list);
    if (!list_) return false;
    const Py_ssize_t n = PyList_GET_SIZE(list_.get());
    array_ = std::make_unique<char*[]>(static_cast<size_t>(n) + 1);
    for (Py_ssize_t i = 0; i < n; i++) array_[static_cast<size_t>(i)] = PyBytes_AS_STRING(PyList_GET_ITEM(list_.get(), i));
    return true;
  }
  char* const* data() const { return array_.get(); }

 private:
  Ref list_;
  std::unique_ptr<char*[]> array_;
};

// The items of a sequence as bytes: paths when `convert`, otherwise bytes already.
Ref bytes_list(PyObject* sequence, bool convert) {
  const Py_ssize_t n = PySequence_Size(sequence);
  if (n < 0) return Ref();
  Ref list(PyList_New(0));
  for (Py_ssize_t i = 0; list && i < n; i++) {
    Ref item(PySequence_GetItem(sequence, i));
    if (!item) return Ref();
    Ref bytes;
    if (convert) {
      PyObject* converted = nullptr;
      if (!PyUnicode_FSConverter(item.get(), &converted)) return Ref();
      bytes = Ref(converted);
    } else {
      if (!PyBytes_Check(item.get())) {
        PyErr_Format(PyExc_TypeError, "expected bytes, %.200s found", Py_TYPE(item.get())->tp_name);
        return Ref();
      }
      if (strlen(PyBytes_AS_STRING(item.get())) != static_cast<size_t>(PyBytes_GET_SIZE(item.get()))) {
        PyErr_SetString(PyExc_ValueError, "embedded null byte");
        return Ref();
      }
      bytes = std::move(item);
    }
    if (PyList_Append(list.get(), bytes.get()) < 0) return Ref();
  }
  return list;
}

bool kept_descriptors(PyObject* tuple, std::unique_ptr<int[]>* fds) {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  *fds = std::make_unique<int[]>(static_cast<size_t>(n) + 1);
  int previous = -1;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    const long fd = PyLong_Check(item) ? PyLong_AsLong(item) : -1;
    if (fd < 0 || fd > INT_MAX || fd <= previous) {
      PyErr_Clear();
      PyErr_SetString(PyExc_ValueError, "bad value(s) in fds_to_keep");
      return false;
    }
    (*fds)[static_cast<size_t>(i)] = previous = static_cast<int>(fd);
  }
  return true;
}

bool groups_argument(PyObject* list, std::unique_ptr<gid_t[]>* groups, size_t* count) {
  if (!PyList_Check(list)) {
    PyErr_SetString(PyExc_TypeError, "setgroups argument must be a list");
    return false;
  }
  const Py_ssize_t n = PyList_GET_SIZE(list);
  if (n > 65536) {
    PyErr_SetString(PyExc_ValueError, "too many extra_groups");
    return false;
  }
  *groups = std::make_unique<gid_t[]>(static_cast<size_t>(n) + 1);
  for (Py_ssize_t i = 0; i < n; i++) {
    Ref item(PySequence_GetItem(list, i));
    if (!item) return false;
    if (!PyLong_Check(item.get())) {
      PyErr_SetString(PyExc_TypeError, "extra_groups must be integers");
      return false;
    }
    if (!_Py_Gid_Converter(item.get(), &(*groups)[static_cast<size_t>(i)])) {
      PyErr_SetString(PyExc_ValueError, "invalid group id");
      return false;
    }
  }
  *count = static_cast<size_t>(n);
  return true;
}

enum Argument {
  kArgs,
  kExecutables,
  kCloseFds,
  kPassFds,
  kCwd,
  kEnv,
  kFirstFd,  // eight descriptors
  kRestoreSignals = kFirstFd + 8,
  kSetsid,
  kGroup,
  kGid,
  kExtraGroups,
  kUid,
  kUmask,
  kPreexec,
  kCount,
};

bool flag(PyObject* value, bool* result) {
  const int truth = PyObject_IsTrue(value);
  *result = truth > 0;
  return truth >= 0;
}

PyObject* fork_exec(PyObject*, PyObject* const* a, Py_ssize_t nargs) {
  if (!ext::check_positional("fork_exec", nargs, kCount, kCount)) return nullptr;
  if (!PyTuple_Check(a[kPassFds])) {
    return PyErr_Format(PyExc_TypeError, "fork_exec() argument 4 must be tuple, not %T", a[kPassFds]);
  }
  Plan plan{};
  int* const fds[] = {&plan.p2cread, &plan.p2cwrite, &plan.c2pread,    &plan.c2pwrite,
                      &plan.errread, &plan.errwrite, &plan.error_read, &plan.error_write};
  if (!flag(a[kCloseFds], &plan.close_fds)) return nullptr;
  for (int i = 0; i < 8; i++) {
    if (!ext::to_int(a[kFirstFd + i], fds[i])) return nullptr;
  }
  if (!flag(a[kRestoreSignals], &plan.restore_signals) || !flag(a[kSetsid], &plan.new_session) ||
      !ext::to_int(a[kGroup], &plan.process_group) || !ext::to_int(a[kUmask], &plan.umask))
    return nullptr;
  const bool has_preexec = a[kPreexec] != Py_None;
  if (has_preexec && Py_IsFinalizing()) {
    PyErr_SetString(PyExc_PythonFinalizationError, "preexec_fn not supported at interpreter shutdown");
    return nullptr;
  }
  if (plan.close_fds && plan.error_write < 3) {
    PyErr_SetString(PyExc_ValueError, "errpipe_write must be >= 3");
    return nullptr;
  }
  std::unique_ptr<int[]> kept;
  if (!kept_descriptors(a[kPassFds], &kept)) return nullptr;
  plan.kept = kept.get();
  plan.kept_count = static_cast<size_t>(PyTuple_GET_SIZE(a[kPassFds]));
  Strings executables, argv, env;
  if (!executables.from(bytes_list(a[kExecutables], false))) return nullptr;
  if (a[kArgs] != Py_None) {
    Ref sequence(PySequence_Fast(a[kArgs], "argv must be a tuple"));
    if (!sequence || !argv.from(bytes_list(sequence.get(), true))) return nullptr;
  }
  if (a[kEnv] != Py_None && !env.from(bytes_list(a[kEnv], false))) return nullptr;
  Ref cwd;
  if (a[kCwd] != Py_None) {
    PyObject* converted = nullptr;
    if (!PyUnicode_FSConverter(a[kCwd], &converted)) return nullptr;
    cwd = Ref(converted);
    plan.cwd = PyBytes_AS_STRING(converted);
  }
  std::unique_ptr<gid_t[]> groups;
  if (a[kExtraGroups] != Py_None) {
    if (!groups_argument(a[kExtraGroups], &groups, &plan.group_count)) return nullptr;
    plan.set_groups = true;
    plan.groups = groups.get();
  }
  if (a[kGid] != Py_None) {
    if (!_Py_Gid_Converter(a[kGid], &plan.gid)) return nullptr;
    plan.set_gid = true;
  }
  if (a[kUid] != Py_None) {
    if (!_Py_Uid_Converter(a[kUid], &plan.uid)) return nullptr;
    plan.set_uid = true;
  }
  plan.executables = executables.data();
  plan.argv = argv.data();
  plan.envp = a[kEnv] == Py_None ? nullptr : env.data();
  plan.preexec = has_preexec ? a[kPreexec] : nullptr;

  // A signal handler of the parent must not run in a child that shares its memory.
  sigset_t all, old;
  const bool shares = !has_preexec && !plan.set_uid && !plan.set_gid && !plan.set_groups;
  if (shares) {
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    plan.mask = &old;
  }
  if (has_preexec) PyOS_BeforeFork();
  const pid_t pid = start(plan, shares);
  const int error = errno;
  if (has_preexec) PyOS_AfterFork_Parent();
  if (shares) pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (pid < 0) {
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  return PyLong_FromLong(pid);
}

PyMethodDef methods[] = {
    {"fork_exec", ext::method(fork_exec), METH_FASTCALL,
     "fork_exec($module, args, executable_list, close_fds, pass_fds, cwd,\n"
     "          env, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,\n"
     "          errpipe_read, errpipe_write, restore_signals, call_setsid,\n"
     "          pgid_to_set, gid, extra_groups, uid, child_umask, preexec_fn,\n"
     "          /)\n--\n\n"
     "Start a program in a new process and return its identifier. What goes wrong in the child is written to\n"
     "errpipe_write."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = {{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
                            {Py_mod_gil, Py_MOD_GIL_NOT_USED},
                            {0, nullptr}};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_posixsubprocess",
    .m_doc = "The part of subprocess that must run between fork and exec.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__posixsubprocess(void) { return PyModuleDef_Init(&definition); }
