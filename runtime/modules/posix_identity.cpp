// The module posix: who a process is. Users, groups, sessions, priorities, scheduling.
#include "modules/posix.h"

#include <grp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <memory>

namespace amphis::posix {
namespace {

PyTypeObject* sched_param_type = nullptr;

PyObject* id_object(uint32_t id) {
  return id == static_cast<uint32_t>(-1) ? PyLong_FromLong(-1) : PyLong_FromUnsignedLong(id);
}
PyObject* none_or_errno(int result) {
  if (result < 0) return raise_errno();
  Py_RETURN_NONE;
}

template <uid_t (*Get)()>
PyObject* get_id(PyObject*, PyObject*) {
  return id_object(Get());
}
template <pid_t (*Get)()>
PyObject* get_pid(PyObject*, PyObject*) {
  return PyLong_FromLong(Get());
}
PyObject* getpgrp_(PyObject*, PyObject*) { return PyLong_FromLong(::getpgrp()); }

template <int (*Set)(uid_t)>
PyObject* set_uid(PyObject*, PyObject* arg) {
  uid_t id;
  return _Py_Uid_Converter(arg, &id) ? none_or_errno(Set(id)) : nullptr;
}
template <int (*Set)(gid_t)>
PyObject* set_gid(PyObject*, PyObject* arg) {
  gid_t id;
  return _Py_Gid_Converter(arg, &id) ? none_or_errno(Set(id)) : nullptr;
}

PyObject* setreuid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  uid_t r, e;
  if (!check_positional("setreuid", nargs, 2, 2) || !_Py_Uid_Converter(args[0], &r) || !_Py_Uid_Converter(args[1], &e))
    return nullptr;
  return none_or_errno(::setreuid(r, e));
}
PyObject* setregid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  gid_t r, e;
  if (!check_positional("setregid", nargs, 2, 2) || !_Py_Gid_Converter(args[0], &r) || !_Py_Gid_Converter(args[1], &e))
    return nullptr;
  return none_or_errno(::setregid(r, e));
}
PyObject* setresuid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  uid_t r, e, s;
  if (!check_positional("setresuid", nargs, 3, 3) || !_Py_Uid_Converter(args[0], &r) ||
      !_Py_Uid_Converter(args[1], &e) || !_Py_Uid_Converter(args[2], &s))
    return nullptr;
  return none_or_errno(::setresuid(r, e, s));
}
PyObject* setresgid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  gid_t r, e, s;
  if (!check_positional("setresgid", nargs, 3, 3) || !_Py_Gid_Converter(args[0], &r) ||
      !_Py_Gid_Converter(args[1], &e) || !_Py_Gid_Converter(args[2], &s))
    return nullptr;
  return none_or_errno(::setresgid(r, e, s));
}
PyObject* three(uint32_t r, uint32_t e, uint32_t s) {
  Ref<> a = Ref<>::steal(id_object(r)), b = Ref<>::steal(id_object(e)), c = Ref<>::steal(id_object(s));
  return a && b && c ? PyTuple_Pack(3, a.get(), b.get(), c.get()) : nullptr;
}
PyObject* getresuid_(PyObject*, PyObject*) {
  uid_t r, e, s;
  return ::getresuid(&r, &e, &s) < 0 ? raise_errno() : three(r, e, s);
}
PyObject* getresgid_(PyObject*, PyObject*) {
  gid_t r, e, s;
  return ::getresgid(&r, &e, &s) < 0 ? raise_errno() : three(r, e, s);
}

// ---- groups ----

PyObject* group_list(const gid_t* groups, int n) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (int i = 0; list && i < n; i++) {
    Ref<> id = Ref<>::steal(id_object(groups[i]));
    if (!id || PyList_Append(list.get(), id.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* getgroups_(PyObject*, PyObject*) {
  int n = ::getgroups(0, nullptr);
  if (n < 0) return raise_errno();
  auto groups = std::make_unique<gid_t[]>(static_cast<size_t>(n) + 1);
  n = ::getgroups(n, groups.get());
  return n < 0 ? raise_errno() : group_list(groups.get(), n);
}

PyObject* getgrouplist_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  gid_t base;
  if (!check_positional("getgrouplist", nargs, 2, 2)) return nullptr;
  Path user;
  if (!user.parse("getgrouplist", "user", args[0]) || !_Py_Gid_Converter(args[1], &base)) return nullptr;
  for (int room = 64;; room *= 2) {
    auto groups = std::make_unique<gid_t[]>(static_cast<size_t>(room));
    int n = room;
    if (::getgrouplist(user.text, base, groups.get(), &n) >= 0) return group_list(groups.get(), n);
    if (room > 1 << 20) return raise_errno();
  }
}

PyObject* initgroups_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  gid_t base;
  if (!check_positional("initgroups", nargs, 2, 2)) return nullptr;
  Path user;
  if (!user.parse("initgroups", "username", args[0]) || !_Py_Gid_Converter(args[1], &base)) return nullptr;
  return none_or_errno(::initgroups(user.text, base));
}

PyObject* setgroups_(PyObject*, PyObject* arg) {
  if (!PySequence_Check(arg)) {
    PyErr_SetString(PyExc_TypeError, "setgroups argument must be a sequence");
    return nullptr;
  }
  const Py_ssize_t n = PySequence_Size(arg);
  if (n < 0) return nullptr;
  if (n > NGROUPS_MAX) {
    PyErr_SetString(PyExc_ValueError, "too many groups");
    return nullptr;
  }
  auto groups = std::make_unique<gid_t[]>(static_cast<size_t>(n) + 1);
  for (Py_ssize_t i = 0; i < n; i++) {
    Ref<> item = Ref<>::steal(PySequence_GetItem(arg, i));
    if (!item) return nullptr;
    if (!PyLong_Check(item.get())) {
      PyErr_SetString(PyExc_TypeError, "groups must be integers");
      return nullptr;
    }
    if (!_Py_Gid_Converter(item.get(), &groups[i])) return nullptr;
  }
  return none_or_errno(::setgroups(static_cast<size_t>(n), groups.get()));
}

PyObject* getlogin_(PyObject*, PyObject*) {
  char name[256];
  const int error = ::getlogin_r(name, sizeof name);
  if (error == 0) return PyUnicode_DecodeFSDefault(name);
  errno = error;
  return raise_errno();
}

// ---- sessions and process groups ----

AMPHIS_POSIX_FUNCTION(getpgid_, "getpgid", 1, 1, "pid") {
  int pid = 0;
  if (!to_int(a[0], &pid)) return nullptr;
  const pid_t group = ::getpgid(pid);
  return group < 0 ? raise_errno() : PyLong_FromLong(group);
}
PyObject* getsid_(PyObject*, PyObject* arg) {
  int pid = 0;
  if (!to_int(arg, &pid)) return nullptr;
  const pid_t session = ::getsid(pid);
  return session < 0 ? raise_errno() : PyLong_FromLong(session);
}
PyObject* setsid_(PyObject*, PyObject*) { return none_or_errno(::setsid()); }
PyObject* setpgrp_(PyObject*, PyObject*) { return none_or_errno(::setpgid(0, 0)); }
PyObject* setpgid_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int pid = 0, group = 0;
  if (!check_positional("setpgid", nargs, 2, 2) || !to_int(args[0], &pid) || !to_int(args[1], &group)) return nullptr;
  return none_or_errno(::setpgid(pid, group));
}

// ---- priorities ----

PyObject* nice_(PyObject*, PyObject* arg) {
  int by = 0;
  if (!to_int(arg, &by)) return nullptr;
  errno = 0;
  const int value = ::nice(by);
  return value == -1 && errno != 0 ? raise_errno() : PyLong_FromLong(value);
}
AMPHIS_POSIX_FUNCTION(getpriority_, "getpriority", 2, 2, "which", "who") {
  int which = 0, who = 0;
  if (!to_int(a[0], &which) || !to_int(a[1], &who)) return nullptr;
  errno = 0;
  const int value = ::getpriority(static_cast<__priority_which_t>(which), static_cast<id_t>(who));
  return errno != 0 ? raise_errno() : PyLong_FromLong(value);
}
AMPHIS_POSIX_FUNCTION(setpriority_, "setpriority", 3, 3, "which", "who", "priority") {
  int which = 0, who = 0, priority = 0;
  if (!to_int(a[0], &which) || !to_int(a[1], &who) || !to_int(a[2], &priority)) return nullptr;
  return none_or_errno(::setpriority(static_cast<__priority_which_t>(which), static_cast<id_t>(who), priority));
}

// ---- scheduling ----

PyStructSequence_Field sched_param_fields[] = {{"sched_priority", "the scheduling priority"}, {nullptr, nullptr}};
PyStructSequence_Desc sched_param_desc = {"posix.sched_param",
                                          "sched_param(sched_priority)\n--\n\nA scheduling parameter.",
                                          sched_param_fields, 1};

PyObject* sched_param_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"sched_priority"};
  static constexpr Parameters kParameters{"sched_param", names, 1, 0, 1, 1};
  PyObject* given[1];
  if (!bind_call(kParameters, args, kwargs, given)) return nullptr;
  Ref<> result = Ref<>::steal(PyStructSequence_New(type));
  if (!result) return nullptr;
  PyStructSequence_SetItem(result.get(), 0, Py_NewRef(given[0]));
  return result.release();
}

PyObject* sched_param_reduce(PyObject* op, PyObject*) {
  return Py_BuildValue("(O(O))", Py_TYPE(op), PyStructSequence_GetItem(op, 0));
}
PyMethodDef sched_param_reduce_def = {"__reduce__", sched_param_reduce, METH_NOARGS, nullptr};

bool to_param(PyObject* value, sched_param* param) {
  if (!Py_IS_TYPE(value, sched_param_type)) {
    PyErr_SetString(PyExc_TypeError, "must have a sched_param object");
    return false;
  }
  const long priority = PyLong_AsLong(PyStructSequence_GetItem(value, 0));
  if (priority == -1 && PyErr_Occurred()) return false;
  if (priority > INT_MAX || priority < INT_MIN) {
    PyErr_SetString(PyExc_OverflowError, "sched_priority out of range");
    return false;
  }
  param->sched_priority = static_cast<int>(priority);
  return true;
}
PyObject* param_object(int priority) {
  Ref<> result = Ref<>::steal(PyStructSequence_New(sched_param_type));
  PyObject* number = result ? PyLong_FromLong(priority) : nullptr;
  if (number == nullptr) return nullptr;
  PyStructSequence_SetItem(result.get(), 0, number);
  return result.release();
}

AMPHIS_POSIX_FUNCTION(priority_max_, "sched_get_priority_max", 1, 1, "policy") {
  int policy = 0;
  if (!to_int(a[0], &policy)) return nullptr;
  const int value = ::sched_get_priority_max(policy);
  return value < 0 ? raise_errno() : PyLong_FromLong(value);
}
AMPHIS_POSIX_FUNCTION(priority_min_, "sched_get_priority_min", 1, 1, "policy") {
  int policy = 0;
  if (!to_int(a[0], &policy)) return nullptr;
  const int value = ::sched_get_priority_min(policy);
  return value < 0 ? raise_errno() : PyLong_FromLong(value);
}
PyObject* getscheduler_(PyObject*, PyObject* arg) {
  int pid = 0;
  if (!to_int(arg, &pid)) return nullptr;
  const int policy = ::sched_getscheduler(pid);
  return policy < 0 ? raise_errno() : PyLong_FromLong(policy);
}
PyObject* setscheduler_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int pid = 0, policy = 0;
  sched_param param{};
  if (!check_positional("sched_setscheduler", nargs, 3, 3) || !to_int(args[0], &pid) || !to_int(args[1], &policy) ||
      !to_param(args[2], &param))
    return nullptr;
  return none_or_errno(::sched_setscheduler(pid, policy, &param));
}
PyObject* getparam_(PyObject*, PyObject* arg) {
  int pid = 0;
  sched_param param{};
  if (!to_int(arg, &pid)) return nullptr;
  return ::sched_getparam(pid, &param) < 0 ? raise_errno() : param_object(param.sched_priority);
}
PyObject* setparam_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int pid = 0;
  sched_param param{};
  if (!check_positional("sched_setparam", nargs, 2, 2) || !to_int(args[0], &pid) || !to_param(args[1], &param))
    return nullptr;
  return none_or_errno(::sched_setparam(pid, &param));
}
PyObject* rr_interval_(PyObject*, PyObject* arg) {
  int pid = 0;
  struct timespec interval;
  if (!to_int(arg, &pid)) return nullptr;
  if (::sched_rr_get_interval(pid, &interval) < 0) return raise_errno();
  return PyFloat_FromDouble(static_cast<double>(interval.tv_sec) + 1e-9 * static_cast<double>(interval.tv_nsec));
}
PyObject* yield_(PyObject*, PyObject*) { return none_or_errno(detached([] { return ::sched_yield(); })); }

// A set of processors, as large as the system's needs to be.
class CpuSet {
 public:
  explicit CpuSet(int count) : count_(count), set_(CPU_ALLOC(static_cast<size_t>(count))) {
    if (set_ != nullptr) CPU_ZERO_S(size(), set_);
  }
  ~CpuSet() {
    if (set_ != nullptr) CPU_FREE(set_);
  }
  CpuSet(const CpuSet&) = delete;
  CpuSet& operator=(const CpuSet&) = delete;
  size_t size() const { return CPU_ALLOC_SIZE(count_); }
  cpu_set_t* get() { return set_; }
  int count() const { return count_; }

 private:
  int count_;
  cpu_set_t* set_;
};

PyObject* getaffinity_(PyObject*, PyObject* arg) {
  int pid = 0;
  if (!to_int(arg, &pid)) return nullptr;
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    CpuSet set(count);
    if (set.get() == nullptr) return PyErr_NoMemory();
    if (::sched_getaffinity(pid, set.size(), set.get()) < 0) {
      if (errno == EINVAL) continue;
      return raise_errno();
    }
    Ref<> result = Ref<>::steal(PySet_New(nullptr));
    for (int cpu = 0; result && cpu < count; cpu++) {
      if (!CPU_ISSET_S(static_cast<size_t>(cpu), set.size(), set.get())) continue;
      Ref<> number = Ref<>::steal(PyLong_FromLong(cpu));
      if (!number || PySet_Add(result.get(), number.get()) < 0) return nullptr;
    }
    return result.release();
  }
  return raise_errno();
}

PyObject* setaffinity_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int pid = 0;
  if (!check_positional("sched_setaffinity", nargs, 2, 2) || !to_int(args[0], &pid)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(args[1]));
  if (!iterator) return nullptr;
  constexpr int kCount = 8192;
  CpuSet set(kCount);
  if (set.get() == nullptr) return PyErr_NoMemory();
  for (;;) {
    Ref<> item = Ref<>::steal(PyIter_Next(iterator.get()));
    if (!item) break;
    if (!PyLong_Check(item.get()))
      return PyErr_Format(PyExc_TypeError, "expected an iterator of ints, but iterator yielded %R", Py_TYPE(item.get()));
    const long cpu = PyLong_AsLong(item.get());
    if (cpu < 0) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "negative CPU number");
      return nullptr;
    }
    if (cpu >= kCount) {
      PyErr_SetString(PyExc_OverflowError, "CPU number too large");
      return nullptr;
    }
    CPU_SET_S(static_cast<size_t>(cpu), set.size(), set.get());
  }
  if (PyErr_Occurred()) return nullptr;
  return none_or_errno(::sched_setaffinity(pid, set.size(), set.get()));
}

AMPHIS_POSIX_FUNCTION(unshare_, "unshare", 1, 1, "flags") {
  int flags = 0;
  return to_int(a[0], &flags) ? none_or_errno(detached([&] { return ::unshare(flags); })) : nullptr;
}
AMPHIS_POSIX_FUNCTION(setns_, "setns", 2, 1, "fd", "nstype") {
  int fd, type = 0;
  if (!to_fd(a[0], &fd) || !to_int(a[1], &type)) return nullptr;
  return none_or_errno(detached([&] { return ::setns(fd, type); }));
}

}  // namespace

PyMethodDef identity_methods[] = {
    {"getpid", get_pid<::getpid>, METH_NOARGS, "getpid($module, /)\n--\n\nThis process's identifier."},
    {"getppid", get_pid<::getppid>, METH_NOARGS, "getppid($module, /)\n--\n\nThe parent's identifier."},
    {"getpgrp", getpgrp_, METH_NOARGS, "getpgrp($module, /)\n--\n\nThis process's group."},
    {"getuid", get_id<::getuid>, METH_NOARGS, "getuid($module, /)\n--\n\nThe real user."},
    {"geteuid", get_id<::geteuid>, METH_NOARGS, "geteuid($module, /)\n--\n\nThe effective user."},
    {"getgid", get_id<::getgid>, METH_NOARGS, "getgid($module, /)\n--\n\nThe real group."},
    {"getegid", get_id<::getegid>, METH_NOARGS, "getegid($module, /)\n--\n\nThe effective group."},
    {"setuid", set_uid<::setuid>, METH_O, "setuid($module, uid, /)\n--\n\n"},
    {"seteuid", set_uid<::seteuid>, METH_O, "seteuid($module, euid, /)\n--\n\n"},
    {"setgid", set_gid<::setgid>, METH_O, "setgid($module, gid, /)\n--\n\n"},
    {"setegid", set_gid<::setegid>, METH_O, "setegid($module, egid, /)\n--\n\n"},
    {"setreuid", AMPHIS_METHOD(setreuid_), METH_FASTCALL, "setreuid($module, ruid, euid, /)\n--\n\n"},
    {"setregid", AMPHIS_METHOD(setregid_), METH_FASTCALL, "setregid($module, rgid, egid, /)\n--\n\n"},
    {"setresuid", AMPHIS_METHOD(setresuid_), METH_FASTCALL, "setresuid($module, ruid, euid, suid, /)\n--\n\n"},
    {"setresgid", AMPHIS_METHOD(setresgid_), METH_FASTCALL, "setresgid($module, rgid, egid, sgid, /)\n--\n\n"},
    {"getresuid", getresuid_, METH_NOARGS, "getresuid($module, /)\n--\n\nReal, effective and saved user."},
    {"getresgid", getresgid_, METH_NOARGS, "getresgid($module, /)\n--\n\nReal, effective and saved group."},
    {"getgroups", getgroups_, METH_NOARGS, "getgroups($module, /)\n--\n\nThe supplementary groups."},
    {"getgrouplist", AMPHIS_METHOD(getgrouplist_), METH_FASTCALL, "getgrouplist($module, user, group, /)\n--\n\nA user's groups."},
    {"initgroups", AMPHIS_METHOD(initgroups_), METH_FASTCALL, "initgroups($module, username, gid, /)\n--\n\n"},
    {"setgroups", setgroups_, METH_O, "setgroups($module, groups, /)\n--\n\n"},
    {"getlogin", getlogin_, METH_NOARGS, "getlogin($module, /)\n--\n\nThe name of the user that is logged in."},
    AMPHIS_POSIX_ENTRY(getpgid_, "getpgid($module, /, pid)", "The group of a process."),
    {"getsid", getsid_, METH_O, "getsid($module, pid, /)\n--\n\nThe session of a process."},
    {"setsid", setsid_, METH_NOARGS, "setsid($module, /)\n--\n\nBegin a session."},
    {"setpgrp", setpgrp_, METH_NOARGS, "setpgrp($module, /)\n--\n\nMake this process the leader of its group."},
    {"setpgid", AMPHIS_METHOD(setpgid_), METH_FASTCALL, "setpgid($module, pid, pgrp, /)\n--\n\n"},
    {"nice", nice_, METH_O, "nice($module, increment, /)\n--\n\nAdd to the niceness and return it."},
    AMPHIS_POSIX_ENTRY(getpriority_, "getpriority($module, /, which, who)", "The scheduling priority."),
    AMPHIS_POSIX_ENTRY(setpriority_, "setpriority($module, /, which, who, priority)", "Set the scheduling priority."),
    {},
};

PyMethodDef schedule_methods[] = {
    AMPHIS_POSIX_ENTRY(priority_max_, "sched_get_priority_max($module, /, policy)", "The greatest priority of a policy."),
    AMPHIS_POSIX_ENTRY(priority_min_, "sched_get_priority_min($module, /, policy)", "The least priority of a policy."),
    {"sched_getscheduler", getscheduler_, METH_O, "sched_getscheduler($module, pid, /)\n--\n\nThe policy of a process."},
    {"sched_setscheduler", AMPHIS_METHOD(setscheduler_), METH_FASTCALL, "sched_setscheduler($module, pid, policy, param, /)\n--\n\n"},
    {"sched_getparam", getparam_, METH_O, "sched_getparam($module, pid, /)\n--\n\nThe parameter of a process."},
    {"sched_setparam", AMPHIS_METHOD(setparam_), METH_FASTCALL, "sched_setparam($module, pid, param, /)\n--\n\n"},
    {"sched_rr_get_interval", rr_interval_, METH_O, "sched_rr_get_interval($module, pid, /)\n--\n\nThe round-robin quantum."},
    {"sched_yield", yield_, METH_NOARGS, "sched_yield($module, /)\n--\n\nLet others run."},
    {"sched_getaffinity", getaffinity_, METH_O, "sched_getaffinity($module, pid, /)\n--\n\nThe processors a process may run on."},
    {"sched_setaffinity", AMPHIS_METHOD(setaffinity_), METH_FASTCALL, "sched_setaffinity($module, pid, mask, /)\n--\n\n"},
    AMPHIS_POSIX_ENTRY(unshare_, "unshare($module, /, flags)", "Leave namespaces that are shared."),
    AMPHIS_POSIX_ENTRY(setns_, "setns($module, /, fd, nstype=0)", "Join a namespace."),
    {},
};

int add_schedule(PyObject* module) {
  if (add_result_type(&sched_param_type, &sched_param_desc, module, "sched_param") < 0) return -1;
  sched_param_type->tp_new = sched_param_new;
  // Pickled by its constructor, which takes one number and no sequence.
  Ref<> reduce = Ref<>::steal(PyDescr_NewMethod(sched_param_type, &sched_param_reduce_def));
  return reduce ? PyObject_SetAttrString(reinterpret_cast<PyObject*>(sched_param_type), "__reduce__", reduce.get()) : -1;
}

}  // namespace amphis::posix
