// The module fcntl: fcntl(), ioctl(), flock(), lockf().
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include <cstring>

namespace {

using ext::Ref;

// A call that signals interrupt is made again; false with an exception.
template <class F>
bool repeat(F f, int* result) {
  for (;;) {
    int error;
    {
      ext::Away away;
      *result = f();
      error = errno;
    }
    if (*result >= 0) return true;
    if (error != EINTR) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
    if (PyErr_CheckSignals() < 0) return false;
  }
}

constexpr Py_ssize_t kSmall = 1024;
// Written behind the memory that a call may fill, to notice a call that wrote more.
constexpr char kGuard[] = {'\x00', '\xfa', '\x69', '\xc4', '\x67', '\xa3', '\x6c', '\x58'};

// A copy of the argument that the system may overwrite.
template <class F>
PyObject* with_copy(const char* function, const void* data, Py_ssize_t size, F f) {
  char small[kSmall + sizeof kGuard];
  if (size > kSmall) return PyErr_Format(PyExc_ValueError, "%s argument 3 is too long", function);
  memcpy(small, data, static_cast<size_t>(size));
  memcpy(small + size, kGuard, sizeof kGuard);
  int result;
  if (!repeat([&] { return f(small); }, &result)) return nullptr;
  if (memcmp(small + size, kGuard, sizeof kGuard) != 0) {
    PyErr_SetString(PyExc_SystemError, "buffer overflow");
    return nullptr;
  }
  return PyBytes_FromStringAndSize(small, size);
}

PyObject* bad_argument(const char* function, PyObject* arg) {
  return PyErr_Format(PyExc_TypeError, "%s() argument 3 must be an integer, a bytes-like object, or a string, not %T",
                      function, arg);
}

PyObject* fcntl_fcntl(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int command;
  if (!ext::check_positional("fcntl", nargs, 2, 3)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0 || !ext::to_int(args[1], &command)) return nullptr;
  PyObject* arg = nargs > 2 ? args[2] : nullptr;
  if (PySys_Audit("fcntl.fcntl", "iiO", fd, command, arg ? arg : Py_None) < 0) return nullptr;
  if (arg == nullptr || PyIndex_Check(arg)) {
    int value = 0, result;
    if (arg != nullptr) {
      const unsigned long long number = PyLong_AsUnsignedLongLongMask(arg);
      if (number == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return nullptr;
      value = static_cast<int>(number);
    }
    return repeat([&] { return ::fcntl(fd, command, value); }, &result) ? PyLong_FromLong(result) : nullptr;
  }
  if (PyUnicode_Check(arg)) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(arg, &size);
    return text ? with_copy("fcntl", text, size, [&](char* p) { return ::fcntl(fd, command, p); }) : nullptr;
  }
  if (!PyObject_CheckBuffer(arg)) return bad_argument("fcntl", arg);
  ext::Buffer buffer;
  if (!buffer.get(arg)) return nullptr;
  return with_copy("fcntl", buffer.data(), buffer.size(), [&](char* p) { return ::fcntl(fd, command, p); });
}

PyObject* fcntl_ioctl(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("ioctl", nargs, 2, 4)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0) return nullptr;
  const unsigned long request = PyLong_AsUnsignedLongMask(args[1]);
  if (request == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
  PyObject* arg = nargs > 2 ? args[2] : nullptr;
  int mutate = 1, result;
  if (nargs > 3 && (mutate = PyObject_IsTrue(args[3])) < 0) return nullptr;
  if (PySys_Audit("fcntl.ioctl", "ikO", fd, request, arg ? arg : Py_None) < 0) return nullptr;
  if (arg == nullptr || PyIndex_Check(arg)) {
    unsigned long value = 0;
    if (arg != nullptr) {
      value = PyLong_AsUnsignedLongMask(arg);
      if (value == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    }
    return repeat([&] { return ::ioctl(fd, request, value); }, &result) ? PyLong_FromLong(result) : nullptr;
  }
  if (PyUnicode_Check(arg)) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(arg, &size);
    return text ? with_copy("ioctl", text, size, [&](char* p) { return ::ioctl(fd, request, p); }) : nullptr;
  }
  if (!PyObject_CheckBuffer(arg)) return bad_argument("ioctl", arg);
  if (mutate) {
    ext::Buffer buffer;
    if (buffer.get(arg, PyBUF_WRITABLE)) {
      // Short buffers may be meant for structures that grew: they get room behind them.
      char* data = static_cast<char*>(buffer.writable());
      if (buffer.size() <= kSmall) {
        char copy[kSmall + sizeof kGuard];
        const auto size = static_cast<size_t>(buffer.size());
        memcpy(copy, data, size);
        memcpy(copy + size, kGuard, sizeof kGuard);
        const bool ok = repeat([&] { return ::ioctl(fd, request, copy); }, &result);
        memcpy(data, copy, size);
        if (!ok) return nullptr;
        if (memcmp(copy + size, kGuard, sizeof kGuard) != 0) {
          PyErr_SetString(PyExc_SystemError, "buffer overflow");
          return nullptr;
        }
        return PyLong_FromLong(result);
      }
      return repeat([&] { return ::ioctl(fd, request, data); }, &result) ? PyLong_FromLong(result) : nullptr;
    }
    PyErr_Clear();
  }
  ext::Buffer buffer;
  if (!buffer.get(arg)) return nullptr;
  return with_copy("ioctl", buffer.data(), buffer.size(), [&](char* p) { return ::ioctl(fd, request, p); });
}

PyObject* fcntl_flock(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int operation, result;
  if (!ext::check_positional("flock", nargs, 2, 2)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0 || !ext::to_int(args[1], &operation)) return nullptr;
  if (PySys_Audit("fcntl.flock", "ii", fd, operation) < 0) return nullptr;
  if (!repeat([&] { return ::flock(fd, operation); }, &result)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* fcntl_lockf(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int command, whence = 0, result;
  if (!ext::check_positional("lockf", nargs, 2, 5)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0 || !ext::to_int(args[1], &command)) return nullptr;
  if (nargs > 4 && !ext::to_int(args[4], &whence)) return nullptr;
  struct flock lock{};
  if (command == LOCK_UN)
    lock.l_type = F_UNLCK;
  else if (command & LOCK_SH)
    lock.l_type = F_RDLCK;
  else if (command & LOCK_EX)
    lock.l_type = F_WRLCK;
  else {
    PyErr_SetString(PyExc_ValueError, "unrecognized lockf argument");
    return nullptr;
  }
  if (nargs > 2) {
    lock.l_len = PyLong_AsLongLong(args[2]);
    if (lock.l_len == -1 && PyErr_Occurred()) return nullptr;
  }
  if (nargs > 3) {
    lock.l_start = PyLong_AsLongLong(args[3]);
    if (lock.l_start == -1 && PyErr_Occurred()) return nullptr;
  }
  lock.l_whence = static_cast<short>(whence);
  if (!repeat([&] { return ::fcntl(fd, command & LOCK_NB ? F_SETLK : F_SETLKW, &lock); }, &result)) return nullptr;
  Py_RETURN_NONE;
}

#define CONSTANT(name) {#name, static_cast<long long>(name)}
const ext::IntConstant constants[] = {
    CONSTANT(DN_ACCESS), CONSTANT(DN_ATTRIB), CONSTANT(DN_CREATE), CONSTANT(DN_DELETE), CONSTANT(DN_MODIFY),
    {"DN_MULTISHOT", 0x80000000}, CONSTANT(DN_RENAME), CONSTANT(FASYNC), CONSTANT(FD_CLOEXEC), CONSTANT(FICLONE),
    CONSTANT(FICLONERANGE), {"F_ADD_SEALS", 1033}, CONSTANT(F_DUPFD), CONSTANT(F_DUPFD_CLOEXEC),
    {"F_DUPFD_QUERY", 1027}, CONSTANT(F_EXLCK), CONSTANT(F_GETFD), CONSTANT(F_GETFL), CONSTANT(F_GETLEASE),
    CONSTANT(F_GETLK), CONSTANT(F_GETLK64), CONSTANT(F_GETOWN), CONSTANT(F_GETOWN_EX), CONSTANT(F_GETPIPE_SZ),
    CONSTANT(F_GETSIG), {"F_GET_FILE_RW_HINT", 1037}, {"F_GET_RW_HINT", 1035}, {"F_GET_SEALS", 1034},
    CONSTANT(F_NOTIFY), {"F_OFD_GETLK", 36}, {"F_OFD_SETLK", 37}, {"F_OFD_SETLKW", 38}, {"F_OWNER_PGRP", 2},
    {"F_OWNER_PID", 1}, {"F_OWNER_TID", 0}, CONSTANT(F_RDLCK), {"F_SEAL_FUTURE_WRITE", 16}, {"F_SEAL_GROW", 4},
    {"F_SEAL_SEAL", 1}, {"F_SEAL_SHRINK", 2}, {"F_SEAL_WRITE", 8}, CONSTANT(F_SETFD), CONSTANT(F_SETFL),
    CONSTANT(F_SETLEASE), CONSTANT(F_SETLK), CONSTANT(F_SETLK64), CONSTANT(F_SETLKW), CONSTANT(F_SETLKW64),
    CONSTANT(F_SETOWN), CONSTANT(F_SETOWN_EX), CONSTANT(F_SETPIPE_SZ), CONSTANT(F_SETSIG),
    {"F_SET_FILE_RW_HINT", 1038}, {"F_SET_RW_HINT", 1036}, CONSTANT(F_SHLCK), CONSTANT(F_UNLCK), CONSTANT(F_WRLCK),
    CONSTANT(LOCK_EX), {"LOCK_MAND", 32}, CONSTANT(LOCK_NB), {"LOCK_READ", 64}, {"LOCK_RW", 192}, CONSTANT(LOCK_SH),
    CONSTANT(LOCK_UN), {"LOCK_WRITE", 128}, {"RWH_WRITE_LIFE_EXTREME", 5}, {"RWH_WRITE_LIFE_LONG", 4},
    {"RWH_WRITE_LIFE_MEDIUM", 3}, {"RWH_WRITE_LIFE_NONE", 1}, {"RWH_WRITE_LIFE_NOT_SET", 0},
    {"RWH_WRITE_LIFE_SHORT", 2},
};

int execute(PyObject* module) { return ext::add_constants(module, constants); }

PyMethodDef methods[] = {
    {"fcntl", ext::method(fcntl_fcntl), METH_FASTCALL, "fcntl($module, fd, cmd, arg=0, /)\n--\n\n"},
    {"ioctl", ext::method(fcntl_ioctl), METH_FASTCALL, "ioctl($module, fd, request, arg=0, mutate_flag=True, /)\n--\n\n"},
    {"flock", ext::method(fcntl_flock), METH_FASTCALL, "flock($module, fd, operation, /)\n--\n\n"},
    {"lockf", ext::method(fcntl_lockf), METH_FASTCALL, "lockf($module, fd, cmd, len=0, start=0, whence=0, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "fcntl",
    .m_doc = "Control of descriptors: the system calls fcntl, ioctl, flock.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_fcntl(void) { return PyModuleDef_Init(&definition); }
