// The module posix: the system as a whole. Its name and limits, times, random numbers, processors, terminal sizes, devices,
// timers as descriptors, the environment.
#include "modules/posix.h"

#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace amphis::posix {
namespace {

PyTypeObject *uname_type = nullptr, *times_type = nullptr, *terminal_size_type = nullptr;

PyStructSequence_Field uname_fields[] = {{"sysname", "operating system name"},
                                         {"nodename", "name of machine on network (implementation-defined)"},
                                         {"release", "operating system release"},
                                         {"version", "operating system version"},
                                         {"machine", "hardware identifier"},
                                         {nullptr, nullptr}};
PyStructSequence_Desc uname_desc = {"posix.uname_result", "uname_result: Result from os.uname().", uname_fields, 5};
PyStructSequence_Field times_fields[] = {{"user", "user time"},
                                         {"system", "system time"},
                                         {"children_user", "user time of children"},
                                         {"children_system", "system time of children"},
                                         {"elapsed", "elapsed time since an arbitrary point in the past"},
                                         {nullptr, nullptr}};
PyStructSequence_Desc times_desc = {"posix.times_result", "times_result: Result from os.times().", times_fields, 5};
PyStructSequence_Field terminal_size_fields[] = {{"columns", "width of the terminal window in characters"},
                                                 {"lines", "height of the terminal window in characters"},
                                                 {nullptr, nullptr}};
PyStructSequence_Desc terminal_size_desc = {"os.terminal_size", "A tuple of (columns, lines) for holding terminal window size",
                                            terminal_size_fields, 2};

// Fills a result whose fields make() yields by index.
template <class F>
PyObject* result_of(PyTypeObject* type, Py_ssize_t n, F make) {
  Ref<> result = Ref<>::steal(PyStructSequence_New(type));
  for (Py_ssize_t i = 0; result && i < n; i++) {
    PyObject* value = make(i);
    if (value == nullptr) return nullptr;
    PyStructSequence_SetItem(result.get(), i, value);
  }
  return result.release();
}

PyObject* uname_(PyObject*, PyObject*) {
  struct utsname u;
  if (detached([&] { return ::uname(&u); }) < 0) return raise_errno();
  const char* const values[] = {u.sysname, u.nodename, u.release, u.version, u.machine};
  return result_of(uname_type, 5, [&](Py_ssize_t i) { return PyUnicode_DecodeFSDefault(values[i]); });
}

PyObject* times_(PyObject*, PyObject*) {
  struct tms t;
  errno = 0;
  const clock_t elapsed = ::times(&t);
  if (elapsed == static_cast<clock_t>(-1) && errno != 0) return raise_errno();
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const clock_t values[] = {t.tms_utime, t.tms_stime, t.tms_cutime, t.tms_cstime, elapsed};
  return result_of(times_type, 5, [&](Py_ssize_t i) { return PyFloat_FromDouble(static_cast<double>(values[i]) / ticks); });
}

PyObject* get_terminal_size_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = STDOUT_FILENO;
  if (!check_positional("get_terminal_size", nargs, 0, 1) || !to_int(nargs > 0 ? args[0] : nullptr, &fd)) return nullptr;
  struct winsize w;
  if (::ioctl(fd, TIOCGWINSZ, &w) < 0) return raise_errno();
  return result_of(terminal_size_type, 2, [&](Py_ssize_t i) { return PyLong_FromLong(i == 0 ? w.ws_col : w.ws_row); });
}

PyObject* cpu_count_(PyObject*, PyObject*) {
  int fixed = 0;
  if (PyConfig_GetInt("cpu_count", &fixed) < 0) PyErr_Clear();
  if (fixed > 0) return PyLong_FromLong(fixed);
  const long n = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (n < 1) Py_RETURN_NONE;
  return PyLong_FromLong(n);
}

PyObject* getloadavg_(PyObject*, PyObject*) {
  double load[3];
  if (::getloadavg(load, 3) != 3) {
    PyErr_SetString(PyExc_OSError, "Load averages are unobtainable");
    return nullptr;
  }
  return Py_BuildValue("ddd", load[0], load[1], load[2]);
}

// ---- random numbers ----

bool fill_random(char* to, Py_ssize_t n) {
  while (n > 0) {
    ssize_t got;
    if (!repeated([&] { return ::getrandom(to, static_cast<size_t>(std::min<Py_ssize_t>(n, 1 << 24)), 0); }, &got))
      return false;
    if (got < 0) {
      raise_errno();
      return false;
    }
    to += got;
    n -= got;
  }
  return true;
}

PyObject* urandom_(PyObject*, PyObject* arg) {
  Py_ssize_t size = 0;
  if (!to_size(arg, &size)) return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "negative argument not allowed");
    return nullptr;
  }
  Ref<> bytes = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, size));
  return bytes && fill_random(PyBytes_AS_STRING(bytes.get()), size) ? bytes.release() : nullptr;
}

AMPHIS_POSIX_FUNCTION(getrandom_, "getrandom", 2, 1, "size", "flags") {
  Py_ssize_t size = 0;
  int flags = 0;
  if (!to_size(a[0], &size) || !to_int(a[1], &flags)) return nullptr;
  if (size < 0) {
    errno = EINVAL;
    return raise_errno();
  }
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, size);
  if (bytes == nullptr) return nullptr;
  ssize_t n;
  char* to = PyBytes_AS_STRING(bytes);
  if (!repeated([&] { return ::getrandom(to, static_cast<size_t>(size), static_cast<unsigned>(flags)); }, &n) || n < 0) {
    const int error = errno;
    Py_DECREF(bytes);
    errno = error;
    return PyErr_Occurred() ? nullptr : raise_errno();
  }
  if (n != size) _PyBytes_Resize(&bytes, n);
  return bytes;
}

// ---- limits ----

struct Name {
  const char* name;
  int value;
};
// Sorted, as the table is.
constexpr Name kSystemNames[] = {
#define AMPHIS_SYSCONF(name) {"SC_" #name, _SC_##name},
#include "modules/posix_names.def"
#undef AMPHIS_SYSCONF
};
constexpr Name kStringNames[] = {
#define AMPHIS_CONFSTR(name) {"CS_" #name, _CS_##name},
#include "modules/posix_names.def"
#undef AMPHIS_CONFSTR
};

template <size_t N>
bool to_name(PyObject* object, const Name (&table)[N], int* value) {
  if (!PyUnicode_Check(object)) {
    if (PyLong_Check(object)) return to_int(object, value);
    PyErr_SetString(PyExc_TypeError, "configuration names must be strings or integers");
    return false;
  }
  for (const Name& known : table) {
    if (PyUnicode_EqualToUTF8(object, known.name)) {
      *value = known.value;
      return true;
    }
  }
  PyErr_SetString(PyExc_ValueError, "unrecognized configuration name");
  return false;
}

template <size_t N>
int add_names(PyObject* module, const char* attribute, const Name (&table)[N]) {
  Ref<> names = Ref<>::steal(PyDict_New());
  if (!names) return -1;
  for (const Name& known : table) {
    Ref<> value = Ref<>::steal(PyLong_FromLong(known.value));
    if (!value || PyDict_SetItemString(names.get(), known.name, value.get()) < 0) return -1;
  }
  return PyModule_AddObjectRef(module, attribute, names.get());
}

PyObject* sysconf_(PyObject*, PyObject* arg) {
  int name = 0;
  if (!to_name(arg, kSystemNames, &name)) return nullptr;
  errno = 0;
  const long value = ::sysconf(name);
  return value == -1 && errno != 0 ? raise_errno() : PyLong_FromLong(value);
}

PyObject* confstr_(PyObject*, PyObject* arg) {
  int name = 0;
  if (!to_name(arg, kStringNames, &name)) return nullptr;
  errno = 0;
  const size_t size = ::confstr(name, nullptr, 0);
  if (size == 0) {
    if (errno != 0) return raise_errno();
    Py_RETURN_NONE;
  }
  auto text = std::make_unique<char[]>(size);
  ::confstr(name, text.get(), size);
  return PyUnicode_DecodeFSDefaultAndSize(text.get(), static_cast<Py_ssize_t>(size) - 1);
}

PyObject* strerror_(PyObject*, PyObject* arg) {
  int code = 0;
  return to_int(arg, &code) ? PyUnicode_DecodeLocale(::strerror(code), "surrogateescape") : nullptr;
}

// ---- devices ----

// -1 stands for "no device" and is its own major and minor number.
constexpr dev_t kNoDevice = static_cast<dev_t>(-1);

bool to_device(PyObject* value, dev_t* device, dev_t max = kNoDevice) {
  Ref<> index = Ref<>::steal(PyNumber_Index(value));
  if (!index) return false;
  *device = kNoDevice;
  if (PyLong_IsNegative(index.get())) {
    const long long number = PyLong_AsLongLong(index.get());
    if (number == -1) return !PyErr_Occurred();
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_OverflowError, "can't convert negative value to device number");
    return false;
  }
  *device = PyLong_AsUnsignedLongLong(index.get());
  if (PyErr_Occurred()) return false;
  if (*device > max) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large for a device number");
    return false;
  }
  return true;
}
PyObject* device_part(unsigned part) {
  return part == static_cast<unsigned>(-1) ? PyLong_FromLong(-1) : PyLong_FromUnsignedLong(part);
}
PyObject* major_(PyObject*, PyObject* arg) {
  dev_t device;
  return to_device(arg, &device) ? device_part(major(device)) : nullptr;
}
PyObject* minor_(PyObject*, PyObject* arg) {
  dev_t device;
  return to_device(arg, &device) ? device_part(minor(device)) : nullptr;
}
PyObject* makedev_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  constexpr dev_t kMax = static_cast<unsigned>(-1);
  dev_t high, low;
  if (!check_positional("makedev", nargs, 2, 2) || !to_device(args[0], &high, kMax) || !to_device(args[1], &low, kMax))
    return nullptr;
  const dev_t device = makedev(static_cast<unsigned>(high), static_cast<unsigned>(low));
  return device == kNoDevice ? PyLong_FromLong(-1) : PyLong_FromUnsignedLongLong(device);
}

PyObject* umask_(PyObject*, PyObject* arg) {
  int mask = 0;
  return to_int(arg, &mask) ? PyLong_FromLong(static_cast<long>(::umask(static_cast<mode_t>(mask)))) : nullptr;
}

// ---- the environment ----

PyObject* make_environ() {
  Ref<> result = Ref<>::steal(PyDict_New());
  if (!result || environ == nullptr) return result.release();
  for (char** p = environ; *p != nullptr; p++) {
    const char* equals = strchr(*p, '=');
    if (equals == nullptr) continue;
    Ref<> name = Ref<>::steal(PyBytes_FromStringAndSize(*p, equals - *p));
    Ref<> value = Ref<>::steal(PyBytes_FromString(equals + 1));
    // The first of two settings counts.
    if (!name || !value || PyDict_SetDefaultRef(result.get(), name.get(), value.get(), nullptr) < 0) return nullptr;
  }
  return result.release();
}
PyObject* create_environ_(PyObject*, PyObject*) { return make_environ(); }

PyObject* putenv_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("putenv", nargs, 2, 2)) return nullptr;
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(args[0], &bytes)) return nullptr;
  Ref<> name = Ref<>::steal(bytes);
  bytes = nullptr;
  if (!PyUnicode_FSConverter(args[1], &bytes)) return nullptr;
  Ref<> value = Ref<>::steal(bytes);
  const char* text = PyBytes_AS_STRING(name.get());
  if (strchr(text, '=') != nullptr) {
    PyErr_SetString(PyExc_ValueError, "illegal environment variable name");
    return nullptr;
  }
  if (PySys_Audit("os.putenv", "OO", name.get(), value.get()) < 0) return nullptr;
  if (::setenv(text, PyBytes_AS_STRING(value.get()), 1) < 0) return raise_errno();
  Py_RETURN_NONE;
}
PyObject* unsetenv_(PyObject*, PyObject* arg) {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(arg, &bytes)) return nullptr;
  Ref<> name = Ref<>::steal(bytes);
  if (PySys_Audit("os.unsetenv", "(O)", name.get()) < 0) return nullptr;
  if (::unsetenv(PyBytes_AS_STRING(name.get())) < 0) return raise_errno();
  Py_RETURN_NONE;
}

// ---- timers ----

PyObject* timerfd_create_(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"", "flags"};
  static constexpr Parameters kParameters{"timerfd_create", names, 2, 1, 1, 1};
  PyObject* a[2];
  int clock = 0, flags = TFD_CLOEXEC;
  if (!bind_arguments(kParameters, args, nargs, kwnames, a) || !to_int(a[0], &clock) || !to_int(a[1], &flags))
    return nullptr;
  const int fd = ::timerfd_create(clock, flags | TFD_CLOEXEC);
  return fd < 0 ? raise_errno() : PyLong_FromLong(fd);
}

PyObject* timer_result(const struct itimerspec& t, bool nanoseconds) {
  auto value = [&](const struct timespec& s) {
    return nanoseconds ? PyLong_FromLongLong(s.tv_sec * 1000000000LL + s.tv_nsec)
                       : PyFloat_FromDouble(static_cast<double>(s.tv_sec) + 1e-9 * static_cast<double>(s.tv_nsec));
  };
  Ref<> next = Ref<>::steal(value(t.it_value)), interval = Ref<>::steal(value(t.it_interval));
  return next && interval ? PyTuple_Pack(2, next.get(), interval.get()) : nullptr;
}

template <bool Nanoseconds>
PyObject* timerfd_settime_(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"", "flags", "initial", "interval"};
  static constexpr Parameters kParameters{Nanoseconds ? "timerfd_settime_ns" : "timerfd_settime", names, 4, 1, 1, 1};
  PyObject* a[4];
  int fd = 0, flags = 0;
  if (!bind_arguments(kParameters, args, nargs, kwnames, a) || !to_int(a[1], &flags)) return nullptr;
  if (!to_fd(a[0], &fd)) return nullptr;
  struct itimerspec spec{}, old;
  struct timespec* const targets[] = {&spec.it_value, &spec.it_interval};
  for (int i = 0; i < 2; i++) {
    PyObject* value = a[2 + i];
    if (value == nullptr) continue;
    if constexpr (Nanoseconds) {
      const long long ns = PyLong_AsLongLong(value);
      if (ns == -1 && PyErr_Occurred()) return nullptr;
      targets[i]->tv_sec = ns / 1000000000;
      targets[i]->tv_nsec = ns % 1000000000;
    } else if (_PyTime_ObjectToTimespec(value, &targets[i]->tv_sec, &targets[i]->tv_nsec, _PyTime_ROUND_CEILING) < 0) {
      return nullptr;
    }
  }
  if (detached([&] { return ::timerfd_settime(fd, flags, &spec, &old); }) < 0) return raise_errno();
  return timer_result(old, Nanoseconds);
}
template <bool Nanoseconds>
PyObject* timerfd_gettime_(PyObject*, PyObject* arg) {
  int fd;
  if (!to_fd(arg, &fd)) return nullptr;
  struct itimerspec now;
  if (detached([&] { return ::timerfd_gettime(fd, &now); }) < 0) return raise_errno();
  return timer_result(now, Nanoseconds);
}

// ---- PyOS_InputHook, for tools that want events handled while input is awaited ----

PyObject* input_hook_(PyObject*, PyObject*) { return PyLong_FromLong(PyOS_InputHook == nullptr ? 0 : PyOS_InputHook()); }
PyObject* has_input_hook_(PyObject*, PyObject*) { return PyBool_FromLong(PyOS_InputHook != nullptr); }

}  // namespace

PyMethodDef system_methods[] = {
    {"uname", uname_, METH_NOARGS, "uname($module, /)\n--\n\nThe name of the system."},
    {"times", times_, METH_NOARGS, "times($module, /)\n--\n\nThe process times."},
    {"get_terminal_size", AMPHIS_METHOD(get_terminal_size_), METH_FASTCALL,
     "get_terminal_size($module, fd=<unrepresentable>, /)\n--\n\nThe size of a terminal, by default standard output."},
    {"cpu_count", cpu_count_, METH_NOARGS, "cpu_count($module, /)\n--\n\nHow many processors there are."},
    {"getloadavg", getloadavg_, METH_NOARGS, "getloadavg($module, /)\n--\n\nThe load over 1, 5 and 15 minutes."},
    {"urandom", urandom_, METH_O, "urandom($module, size, /)\n--\n\nRandom bytes fit for cryptography."},
    AMPHIS_POSIX_ENTRY(getrandom_, "getrandom($module, /, size, flags=0)", "Random bytes from the system's generator."),
    {"sysconf", sysconf_, METH_O, "sysconf($module, name, /)\n--\n\nAn integer limit of the system."},
    {"confstr", confstr_, METH_O, "confstr($module, name, /)\n--\n\nA string setting of the system."},
    {"strerror", strerror_, METH_O, "strerror($module, code, /)\n--\n\nThe message of an error number."},
    {"major", major_, METH_O, "major($module, device, /)\n--\n\n"},
    {"minor", minor_, METH_O, "minor($module, device, /)\n--\n\n"},
    {"makedev", AMPHIS_METHOD(makedev_), METH_FASTCALL, "makedev($module, major, minor, /)\n--\n\n"},
    {"umask", umask_, METH_O, "umask($module, mask, /)\n--\n\nSet the mask for new files and return the old one."},
    {"_create_environ", create_environ_, METH_NOARGS, "_create_environ($module, /)\n--\n\nThe environment as a dictionary."},
    {"putenv", AMPHIS_METHOD(putenv_), METH_FASTCALL, "putenv($module, name, value, /)\n--\n\nSet an environment variable."},
    {"unsetenv", unsetenv_, METH_O, "unsetenv($module, name, /)\n--\n\nDelete an environment variable."},
    {"timerfd_create", AMPHIS_METHOD(timerfd_create_), METH_FASTCALL | METH_KEYWORDS,
     "timerfd_create($module, clockid, /, *, flags=0)\n--\n\nA timer as a descriptor."},
    {"timerfd_settime", AMPHIS_METHOD(timerfd_settime_<false>), METH_FASTCALL | METH_KEYWORDS,
     "timerfd_settime($module, fd, /, *, flags=0, initial=0.0, interval=0.0)\n--\n\n"},
    {"timerfd_settime_ns", AMPHIS_METHOD(timerfd_settime_<true>), METH_FASTCALL | METH_KEYWORDS,
     "timerfd_settime_ns($module, fd, /, *, flags=0, initial=0, interval=0)\n--\n\n"},
    {"timerfd_gettime", timerfd_gettime_<false>, METH_O, "timerfd_gettime($module, fd, /)\n--\n\n"},
    {"timerfd_gettime_ns", timerfd_gettime_<true>, METH_O, "timerfd_gettime_ns($module, fd, /)\n--\n\n"},
    {"_inputhook", input_hook_, METH_NOARGS, "_inputhook($module, /)\n--\n\n"},
    {"_is_inputhook_installed", has_input_hook_, METH_NOARGS, "_is_inputhook_installed($module, /)\n--\n\n"},
    {},
};

int add_system(PyObject* module) {
  if (add_result_type(&uname_type, &uname_desc, module, "uname_result") < 0 ||
      add_result_type(&times_type, &times_desc, module, "times_result") < 0 ||
      add_result_type(&terminal_size_type, &terminal_size_desc, module, "terminal_size") < 0)
    return -1;
  Ref<> variables = Ref<>::steal(make_environ());
  if (!variables || PyModule_AddObjectRef(module, "environ", variables.get()) < 0) return -1;
  if (add_names(module, "sysconf_names", kSystemNames) < 0) return -1;
  return add_names(module, "confstr_names", kStringNames);
}

}  // namespace amphis::posix

extern "C" int _PyOS_URandomNonblock(void* buffer, Py_ssize_t size) {
  auto* to = static_cast<char*>(buffer);
  while (size > 0) {
    const ssize_t n = ::getrandom(to, static_cast<size_t>(size), GRND_NONBLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    to += n;
    size -= n;
  }
  return 0;
}
