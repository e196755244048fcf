// The modules resource and syslog: what a process uses and may use, and the system's log.
#include "support.h"

#include <errno.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include <string>

namespace {

using ext::Ref;

PyTypeObject* usage_type = nullptr;

PyStructSequence_Field usage_fields[] = {
    {"ru_utime", "user time used"},
    {"ru_stime", "system time used"},
    {"ru_maxrss", "max. resident set size"},
    {"ru_ixrss", "shared memory size"},
    {"ru_idrss", "unshared data size"},
    {"ru_isrss", "unshared stack size"},
    {"ru_minflt", "page faults not requiring I/O"},
    {"ru_majflt", "page faults requiring I/O"},
    {"ru_nswap", "number of swap outs"},
    {"ru_inblock", "block input operations"},
    {"ru_oublock", "block output operations"},
    {"ru_msgsnd", "IPC messages sent"},
    {"ru_msgrcv", "IPC messages received"},
    {"ru_nsignals", "signals received"},
    {"ru_nvcsw", "voluntary context switches"},
    {"ru_nivcsw", "involuntary context switches"},
    {nullptr, nullptr},
};
PyStructSequence_Desc usage_description = {
    "resource.struct_rusage", "What getrusage() returns: times in seconds, sizes and counts.", usage_fields, 16};

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

PyObject* resource_getrusage(PyObject*, PyObject* argument) {
  int who;
  if (!ext::to_int(argument, &who)) return nullptr;
  rusage usage;
  if (getrusage(static_cast<__rusage_who>(who), &usage) < 0) {
    if (errno != EINVAL) return PyErr_SetFromErrno(PyExc_OSError);
    PyErr_SetString(PyExc_ValueError, "invalid who parameter");
    return nullptr;
  }
  Ref result(PyStructSequence_New(usage_type));
  if (!result) return nullptr;
  const long counts[] = {usage.ru_maxrss,  usage.ru_ixrss,   usage.ru_idrss,   usage.ru_isrss,   usage.ru_minflt,
                         usage.ru_majflt,  usage.ru_nswap,   usage.ru_inblock, usage.ru_oublock, usage.ru_msgsnd,
                         usage.ru_msgrcv,  usage.ru_nsignals, usage.ru_nvcsw,  usage.ru_nivcsw};
  PyStructSequence_SetItem(result.get(), 0, PyFloat_FromDouble(seconds(usage.ru_utime)));
  PyStructSequence_SetItem(result.get(), 1, PyFloat_FromDouble(seconds(usage.ru_stime)));
  Py_ssize_t i = 2;
  for (long count : counts) PyStructSequence_SetItem(result.get(), i++, PyLong_FromLong(count));
  return PyErr_Occurred() ? nullptr : result.release();
}

PyObject* limit_object(rlim_t value) {
  return value == RLIM_INFINITY ? PyLong_FromLong(-1) : PyLong_FromUnsignedLongLong(value);
}
PyObject* pair_of(const rlimit& limits) {
  Ref soft(limit_object(limits.rlim_cur)), hard(limit_object(limits.rlim_max));
  return soft && hard ? PyTuple_Pack(2, soft.get(), hard.get()) : nullptr;
}

bool to_limit(PyObject* value, rlim_t* limit) {
  Ref index(PyNumber_Index(value));
  if (!index) return false;
  int overflow;
  const long long small = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (overflow == 0 && small < 0) {
    if (small == -1) {
      *limit = RLIM_INFINITY;
      return true;
    }
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    return false;
  }
  if (overflow < 0) {
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    return false;
  }
  *limit = PyLong_AsUnsignedLongLong(index.get());
  return !(*limit == static_cast<rlim_t>(-1) && PyErr_Occurred());
}

bool to_limits(PyObject* pair, rlimit* limits) {
  Ref items(PySequence_Tuple(pair));
  if (!items) return false;
  if (PyTuple_GET_SIZE(items.get()) != 2) {
    PyErr_SetString(PyExc_ValueError, "expected a tuple of 2 integers");
    return false;
  }
  return to_limit(PyTuple_GET_ITEM(items.get(), 0), &limits->rlim_cur) &&
         to_limit(PyTuple_GET_ITEM(items.get(), 1), &limits->rlim_max);
}

bool to_resource(PyObject* value, int* resource) {
  if (!ext::to_int(value, resource)) return false;
  if (*resource >= 0 && *resource < static_cast<int>(RLIM_NLIMITS)) return true;
  PyErr_SetString(PyExc_ValueError, "invalid resource specified");
  return false;
}

bool set_failed() {
  if (errno == EINVAL)
    PyErr_SetString(PyExc_ValueError, "current limit exceeds maximum limit");
  else if (errno == EPERM)
    PyErr_SetString(PyExc_ValueError, "not allowed to raise maximum limit");
  else
    PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

PyObject* resource_getrlimit(PyObject*, PyObject* argument) {
  int resource;
  if (!to_resource(argument, &resource)) return nullptr;
  rlimit limits;
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limits) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  return pair_of(limits);
}

PyObject* resource_setrlimit(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int resource;
  rlimit limits;
  if (!ext::check_positional("setrlimit", nargs, 2, 2) || !to_resource(args[0], &resource)) return nullptr;
  if (PySys_Audit("resource.setrlimit", "iO", resource, args[1]) < 0 || !to_limits(args[1], &limits)) return nullptr;
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limits) < 0 && !set_failed()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* resource_prlimit(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("prlimit", nargs, 2, 3)) return nullptr;
  const long pid = PyLong_AsLong(args[0]);
  int resource;
  if ((pid == -1 && PyErr_Occurred()) || !to_resource(args[1], &resource)) return nullptr;
  PyObject* wanted = nargs == 3 ? args[2] : Py_None;
  if (PySys_Audit("resource.prlimit", "iiO", static_cast<int>(pid), resource, wanted) < 0) return nullptr;
  rlimit limits, old;
  const bool set = wanted != Py_None;
  if (set && !to_limits(wanted, &limits)) return nullptr;
  if (prlimit(static_cast<pid_t>(pid), static_cast<__rlimit_resource>(resource), set ? &limits : nullptr, &old) < 0) {
    if (errno == EINVAL) {
      PyErr_SetString(PyExc_ValueError, "current limit exceeds maximum limit");
      return nullptr;
    }
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  return pair_of(old);
}

PyObject* resource_getpagesize(PyObject*, PyObject*) { return PyLong_FromLong(sysconf(_SC_PAGESIZE)); }

#define CONSTANT(name) {#name, name}
const ext::IntConstant resource_constants[] = {
    CONSTANT(RLIMIT_AS),     CONSTANT(RLIMIT_CORE),   CONSTANT(RLIMIT_CPU),        CONSTANT(RLIMIT_DATA),
    CONSTANT(RLIMIT_FSIZE),  CONSTANT(RLIMIT_MEMLOCK), CONSTANT(RLIMIT_MSGQUEUE),  CONSTANT(RLIMIT_NICE),
    CONSTANT(RLIMIT_NOFILE), CONSTANT(RLIMIT_NPROC),  CONSTANT(RLIMIT_OFILE),      CONSTANT(RLIMIT_RSS),
    CONSTANT(RLIMIT_RTPRIO), CONSTANT(RLIMIT_RTTIME), CONSTANT(RLIMIT_SIGPENDING), CONSTANT(RLIMIT_STACK),
    CONSTANT(RUSAGE_SELF),   CONSTANT(RUSAGE_CHILDREN), {"RUSAGE_THREAD", 1},      {"RLIM_INFINITY", -1},
};

int resource_execute(PyObject* module) {
  if (usage_type == nullptr) usage_type = PyStructSequence_NewType(&usage_description);
  if (usage_type == nullptr || PyModule_AddType(module, usage_type) < 0) return -1;
  if (PyModule_AddObjectRef(module, "error", PyExc_OSError) < 0) return -1;
  return ext::add_constants(module, resource_constants);
}

PyMethodDef resource_methods[] = {
    {"getrusage", resource_getrusage, METH_O, "getrusage($module, who, /)\n--\n\n"},
    {"getrlimit", resource_getrlimit, METH_O, "getrlimit($module, resource, /)\n--\n\n"},
    {"prlimit", ext::method(resource_prlimit), METH_FASTCALL, "prlimit(pid, resource, [limits])"},
    {"setrlimit", ext::method(resource_setrlimit), METH_FASTCALL, "setrlimit($module, resource, limits, /)\n--\n\n"},
    {"getpagesize", resource_getpagesize, METH_NOARGS, "getpagesize($module, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot resource_slots[] = EXT_MODULE_SLOTS(resource_execute);
PyModuleDef resource_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "resource",
    .m_size = 0,
    .m_methods = resource_methods,
    .m_slots = resource_slots,
};

// ---- syslog ----

PyMutex log_mutex = {0};
// openlog() keeps the pointer: the text must live until the next openlog() or closelog(). Guarded by log_mutex.
std::string* log_identity = nullptr;
bool log_open = false;

// The name of the program, without its folder.
std::string program_name() {
  PyObject* borrowed = PySys_GetObject("argv");
  Ref arguments(Py_XNewRef(borrowed));
  if (!arguments || !PyList_Check(arguments.get())) return {};
  Ref first(PySequence_GetItem(arguments.get(), 0));
  const char* text = first && PyUnicode_Check(first.get()) ? PyUnicode_AsUTF8(first.get()) : nullptr;
  PyErr_Clear();
  std::string path = text == nullptr ? "" : text;
  return path.substr(path.rfind('/') + 1);
}

bool open_log(PyObject* identity, int option, int facility) {
  std::string name;
  if (identity == nullptr || identity == Py_None) {
    name = program_name();
  } else {
    const char* text = PyUnicode_AsUTF8(identity);
    if (text == nullptr) return false;
    name = text;
  }
  Ref shown(PyUnicode_FromString(name.c_str()));
  if (!shown || PySys_Audit("syslog.openlog", "Oii", shown.get(), option, facility) < 0) return false;
  auto* kept = new std::string(name);
  PyMutex_Lock(&log_mutex);
  openlog(kept->empty() ? nullptr : kept->c_str(), option, facility);
  delete log_identity;
  log_identity = kept;
  log_open = true;
  PyMutex_Unlock(&log_mutex);
  return true;
}

PyObject* syslog_openlog(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"ident", "logoption", "facility", nullptr};
  PyObject* identity = nullptr;
  int option = 0, facility = LOG_USER;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Uii:openlog", const_cast<char**>(keywords), &identity, &option,
                                   &facility))
    return nullptr;
  if (!open_log(identity, option, facility)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* syslog_syslog(PyObject*, PyObject* args) {
  int priority = LOG_INFO;
  const char* message;
  if (PyTuple_GET_SIZE(args) == 1 ? !PyArg_ParseTuple(args, "s;[priority,] message string", &message)
                                  : !PyArg_ParseTuple(args, "is;[priority,] message string", &priority, &message))
    return nullptr;
  if (PySys_Audit("syslog.syslog", "is", priority, message) < 0) return nullptr;
  PyMutex_Lock(&log_mutex);
  const bool open = log_open;
  PyMutex_Unlock(&log_mutex);
  if (!open && !open_log(nullptr, 0, LOG_USER)) return nullptr;
  {
    // The C library has a lock of its own for this.
    ext::Away away;
    syslog(priority, "%s", message);
  }
  Py_RETURN_NONE;
}

PyObject* syslog_closelog(PyObject*, PyObject*) {
  if (PySys_Audit("syslog.closelog", nullptr) < 0) return nullptr;
  PyMutex_Lock(&log_mutex);
  if (log_open) {
    closelog();
    delete log_identity;
    log_identity = nullptr;
    log_open = false;
  }
  PyMutex_Unlock(&log_mutex);
  Py_RETURN_NONE;
}

PyObject* syslog_setlogmask(PyObject*, PyObject* argument) {
  int mask;
  if (!ext::to_int(argument, &mask) || PySys_Audit("syslog.setlogmask", "i", mask) < 0) return nullptr;
  return PyLong_FromLong(setlogmask(mask));
}
PyObject* syslog_LOG_MASK(PyObject*, PyObject* argument) {
  int priority;
  return ext::to_int(argument, &priority) ? PyLong_FromLong(LOG_MASK(priority)) : nullptr;
}
PyObject* syslog_LOG_UPTO(PyObject*, PyObject* argument) {
  int priority;
  return ext::to_int(argument, &priority) ? PyLong_FromLong(LOG_UPTO(priority)) : nullptr;
}

const ext::IntConstant syslog_constants[] = {
    CONSTANT(LOG_EMERG),  CONSTANT(LOG_ALERT),  CONSTANT(LOG_CRIT),   CONSTANT(LOG_ERR),    CONSTANT(LOG_WARNING),
    CONSTANT(LOG_NOTICE), CONSTANT(LOG_INFO),   CONSTANT(LOG_DEBUG),  CONSTANT(LOG_PID),    CONSTANT(LOG_CONS),
    CONSTANT(LOG_NDELAY), CONSTANT(LOG_ODELAY), CONSTANT(LOG_NOWAIT), CONSTANT(LOG_PERROR), CONSTANT(LOG_KERN),
    CONSTANT(LOG_USER),   CONSTANT(LOG_MAIL),   CONSTANT(LOG_DAEMON), CONSTANT(LOG_AUTH),   CONSTANT(LOG_AUTHPRIV),
    CONSTANT(LOG_SYSLOG), CONSTANT(LOG_LPR),    CONSTANT(LOG_NEWS),   CONSTANT(LOG_UUCP),   CONSTANT(LOG_CRON),
    CONSTANT(LOG_FTP),    CONSTANT(LOG_LOCAL0), CONSTANT(LOG_LOCAL1), CONSTANT(LOG_LOCAL2), CONSTANT(LOG_LOCAL3),
    CONSTANT(LOG_LOCAL4), CONSTANT(LOG_LOCAL5), CONSTANT(LOG_LOCAL6), CONSTANT(LOG_LOCAL7),
};
int syslog_execute(PyObject* module) { return ext::add_constants(module, syslog_constants); }

PyMethodDef syslog_methods[] = {
    {"openlog", ext::method(syslog_openlog), METH_VARARGS | METH_KEYWORDS,
     "openlog($module, /, ident=<unrepresentable>, logoption=0,\n        facility=LOG_USER)\n--\n\n"},
    {"syslog", syslog_syslog, METH_VARARGS, "syslog([priority=LOG_INFO,] message)"},
    {"closelog", syslog_closelog, METH_NOARGS, "closelog($module, /)\n--\n\n"},
    {"setlogmask", syslog_setlogmask, METH_O, "setlogmask($module, maskpri, /)\n--\n\n"},
    {"LOG_MASK", syslog_LOG_MASK, METH_O, "LOG_MASK($module, pri, /)\n--\n\n"},
    {"LOG_UPTO", syslog_LOG_UPTO, METH_O, "LOG_UPTO($module, pri, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot syslog_slots[] = EXT_MODULE_SLOTS(syslog_execute);
PyModuleDef syslog_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "syslog",
    .m_size = 0,
    .m_methods = syslog_methods,
    .m_slots = syslog_slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_resource(void) { return PyModuleDef_Init(&resource_definition); }
PyMODINIT_FUNC PyInit_syslog(void) { return PyModuleDef_Init(&syslog_definition); }
