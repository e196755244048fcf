// The module posix: descriptors. Opening, closing, duplicating, reading and writing in all forms, flags, locks, terminals.
// Also the _Py_* functions on descriptors that the C API declares.
#include "modules/posix.h"

#include <pty.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>

namespace amphis::posix {
namespace {

constexpr Py_ssize_t kMaxTransfer = 0x7ffff000;

// An integer argument of a function without named parameters.
bool one_fd(PyObject* arg, int* fd) { return to_int(arg, fd); }

AMPHIS_POSIX_FUNCTION(open_, "open", 3, 2, "path", "flags", "mode", "dir_fd") {
  Path path;
  int flags = 0, mode = 0777, dir_fd, fd;
  if (!path.parse("open", "path", a[0]) || !to_int(a[1], &flags) || !to_int(a[2], &mode) || !to_dir_fd(a[3], &dir_fd))
    return nullptr;
  if (PySys_Audit("open", "OOi", path.object, Py_None, flags) < 0) return nullptr;
  flags |= O_CLOEXEC;
  if (!repeated([&] { return ::openat(dir_fd, path.text, flags, mode); }, &fd)) return nullptr;
  return fd < 0 ? raise_path(path) : PyLong_FromLong(fd);
}

AMPHIS_POSIX_FUNCTION(close_, "close", 1, 1, "fd") {
  int fd = 0;
  if (!to_int(a[0], &fd)) return nullptr;
  // Never repeated: after EINTR the descriptor is gone.
  if (detached([&] { return ::close(fd); }) < 0) return raise_errno();
  Py_RETURN_NONE;
}

PyObject* closerange_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int low = 0, high = 0;
  if (!check_positional("closerange", nargs, 2, 2) || !to_int(args[0], &low) || !to_int(args[1], &high)) return nullptr;
  detached([&] {
    _Py_closerange(low, high - 1);
    return 0;
  });
  Py_RETURN_NONE;
}

PyObject* dup_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  const int copy = _Py_dup(fd);
  return copy < 0 ? nullptr : PyLong_FromLong(copy);
}

AMPHIS_POSIX_FUNCTION(dup2_, "dup2", 3, 2, "fd", "fd2", "inheritable") {
  int fd = 0, target = 0;
  bool inheritable = true;
  if (!to_int(a[0], &fd) || !to_int(a[1], &target) || !to_bool(a[2], &inheritable)) return nullptr;
  if (fd < 0 || target < 0) {
    errno = EBADF;
    return raise_errno();
  }
  int result;
  if (!repeated([&] { return inheritable || fd == target ? ::dup2(fd, target) : ::dup3(fd, target, O_CLOEXEC); }, &result))
    return nullptr;
  return result < 0 ? raise_errno() : PyLong_FromLong(result);
}

PyObject* pair(int first, int second) { return Py_BuildValue("(ii)", first, second); }

PyObject* pipe_(PyObject*, PyObject*) {
  int fds[2];
  return detached([&] { return ::pipe2(fds, O_CLOEXEC); }) < 0 ? raise_errno() : pair(fds[0], fds[1]);
}
PyObject* pipe2_(PyObject*, PyObject* arg) {
  int fds[2], flags;
  if (!one_fd(arg, &flags)) return nullptr;
  return ::pipe2(fds, flags) < 0 ? raise_errno() : pair(fds[0], fds[1]);
}

// ---- positions and sizes ----

PyObject* lseek_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, whence = 0;
  off_t offset = 0;
  if (!check_positional("lseek", nargs, 3, 3) || !to_int(args[0], &fd) || !to_offset(args[1], &offset) ||
      !to_int(args[2], &whence))
    return nullptr;
  const off_t at = detached([&] { return ::lseek(fd, offset, whence); });
  return at < 0 ? raise_errno() : PyLong_FromLongLong(at);
}

PyObject* ftruncate_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  off_t length = 0;
  if (!check_positional("ftruncate", nargs, 2, 2) || !to_int(args[0], &fd) || !to_offset(args[1], &length))
    return nullptr;
  return call_fd([&] { return ::ftruncate(fd, length); });
}

AMPHIS_POSIX_FUNCTION(fsync_, "fsync", 1, 1, "fd") {
  int fd;
  return to_fd(a[0], &fd) ? call_fd([&] { return ::fsync(fd); }) : nullptr;
}
AMPHIS_POSIX_FUNCTION(fdatasync_, "fdatasync", 1, 1, "fd") {
  int fd;
  return to_fd(a[0], &fd) ? call_fd([&] { return ::fdatasync(fd); }) : nullptr;
}
PyObject* sync_(PyObject*, PyObject*) {
  detached([] {
    ::sync();
    return 0;
  });
  Py_RETURN_NONE;
}

PyObject* posix_fallocate_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  off_t offset = 0, length = 0;
  if (!check_positional("posix_fallocate", nargs, 3, 3) || !to_int(args[0], &fd) || !to_offset(args[1], &offset) ||
      !to_offset(args[2], &length))
    return nullptr;
  for (;;) {
    const int error = detached([&] { return ::posix_fallocate(fd, offset, length); });
    if (error == 0) Py_RETURN_NONE;
    if (error == EINTR && PyErr_CheckSignals() == 0) continue;
    if (PyErr_Occurred()) return nullptr;
    errno = error;
    return raise_errno();
  }
}
PyObject* posix_fadvise_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, advice = 0;
  off_t offset = 0, length = 0;
  if (!check_positional("posix_fadvise", nargs, 4, 4) || !to_int(args[0], &fd) || !to_offset(args[1], &offset) ||
      !to_offset(args[2], &length) || !to_int(args[3], &advice))
    return nullptr;
  const int error = detached([&] { return ::posix_fadvise(fd, offset, length, advice); });
  if (error == 0) Py_RETURN_NONE;
  errno = error;
  return raise_errno();
}
PyObject* lockf_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, command = 0;
  off_t length = 0;
  if (!check_positional("lockf", nargs, 3, 3) || !to_int(args[0], &fd) || !to_int(args[1], &command) ||
      !to_offset(args[2], &length))
    return nullptr;
  if (detached([&] { return ::lockf(fd, command, length); }) < 0) return raise_errno();
  Py_RETURN_NONE;
}

// ---- reading and writing ----

// Reads with f(buffer, size) into new bytes.
template <class F>
PyObject* read_bytes(Py_ssize_t length, F f) {
  if (length < 0) {
    errno = EINVAL;
    return raise_errno();
  }
  length = std::min(length, kMaxTransfer);
  PyObject* data = PyBytes_FromStringAndSize(nullptr, length);
  if (data == nullptr) return nullptr;
  char* to = PyBytes_AS_STRING(data);
  ssize_t n;
  if (!repeated([&] { return f(to, static_cast<size_t>(length)); }, &n) || n < 0) {
    const int error = errno;
    Py_DECREF(data);
    errno = error;
    return PyErr_Occurred() ? nullptr : raise_errno();
  }
  if (n != length) _PyBytes_Resize(&data, n);
  return data;
}

PyObject* read_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  Py_ssize_t length = 0;
  if (!check_positional("read", nargs, 2, 2) || !to_int(args[0], &fd) || !to_size(args[1], &length)) return nullptr;
  return read_bytes(length, [&](char* to, size_t n) { return ::read(fd, to, n); });
}
PyObject* pread_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  Py_ssize_t length = 0;
  off_t offset = 0;
  if (!check_positional("pread", nargs, 3, 3) || !to_int(args[0], &fd) || !to_size(args[1], &length) ||
      !to_offset(args[2], &offset))
    return nullptr;
  return read_bytes(length, [&](char* to, size_t n) { return ::pread(fd, to, n, offset); });
}

// A held buffer.
struct View {
  Py_buffer view{};
  bool held = false;
  View() = default;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  bool get(PyObject* source, int flags) { return held = PyObject_GetBuffer(source, &view, flags) == 0; }
  ~View() {
    const int error = errno;
    if (held) PyBuffer_Release(&view);
    errno = error;
  }
};

template <class F>
PyObject* transfer(F f) {
  ssize_t n;
  if (!repeated(f, &n)) return nullptr;
  return n < 0 ? raise_errno() : PyLong_FromSsize_t(n);
}

PyObject* readinto_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  if (!check_positional("readinto", nargs, 2, 2) || !to_int(args[0], &fd)) return nullptr;
  View to;
  if (!to.get(args[1], PyBUF_WRITABLE)) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "readinto() argument 2 must be read-write bytes-like object, not %T", args[1]);
  }
  const auto size = static_cast<size_t>(std::min(to.view.len, kMaxTransfer));
  return transfer([&] { return ::read(fd, to.view.buf, size); });
}
PyObject* write_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  View from;
  if (!check_positional("write", nargs, 2, 2) || !to_int(args[0], &fd) || !from.get(args[1], PyBUF_SIMPLE)) return nullptr;
  const auto size = static_cast<size_t>(std::min(from.view.len, kMaxTransfer));
  ssize_t n;
  if (!repeated([&] { return ::write(fd, from.view.buf, size); }, &n)) return nullptr;
  if (n < 0) return raise_errno();
  // A short write may mean that a signal came: its handler runs before anything else does.
  return static_cast<size_t>(n) < size && PyErr_CheckSignals() < 0 ? nullptr : PyLong_FromSsize_t(n);
}
PyObject* pwrite_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  off_t offset = 0;
  View from;
  if (!check_positional("pwrite", nargs, 3, 3) || !to_int(args[0], &fd) || !from.get(args[1], PyBUF_SIMPLE) ||
      !to_offset(args[2], &offset))
    return nullptr;
  return transfer([&] { return ::pwrite(fd, from.view.buf, static_cast<size_t>(from.view.len), offset); });
}

// The buffers of readv() and its relatives.
class Vectors {
 public:
  bool get(const char* function, PyObject* sequence, int flags) {
    if (!PySequence_Check(sequence)) {
      PyErr_Format(PyExc_TypeError, "%s() arg 2 must be a sequence", function);
      return false;
    }
    const Py_ssize_t n = PySequence_Size(sequence);
    if (n < 0) return false;
    views_ = std::make_unique<View[]>(static_cast<size_t>(n));
    vectors_ = std::make_unique<iovec[]>(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; i++) {
      Ref<> item = Ref<>::steal(PySequence_GetItem(sequence, i));
      if (!item || !views_[i].get(item.get(), flags)) return false;
      vectors_[i] = {views_[i].view.buf, static_cast<size_t>(views_[i].view.len)};
    }
    count_ = static_cast<int>(n);
    return true;
  }
  const iovec* data() const { return vectors_.get(); }
  int count() const { return count_; }

 private:
  std::unique_ptr<View[]> views_;
  std::unique_ptr<iovec[]> vectors_;
  int count_ = 0;
};

PyObject* readv_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  Vectors to;
  if (!check_positional("readv", nargs, 2, 2) || !to_int(args[0], &fd) || !to.get("readv", args[1], PyBUF_WRITABLE))
    return nullptr;
  return transfer([&] { return ::readv(fd, to.data(), to.count()); });
}
PyObject* writev_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  Vectors from;
  if (!check_positional("writev", nargs, 2, 2) || !to_int(args[0], &fd) || !from.get("writev", args[1], PyBUF_SIMPLE))
    return nullptr;
  return transfer([&] { return ::writev(fd, from.data(), from.count()); });
}
PyObject* preadv_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, flags = 0;
  off_t offset = 0;
  Vectors to;
  if (!check_positional("preadv", nargs, 3, 4) || !to_int(args[0], &fd) || !to.get("preadv", args[1], PyBUF_WRITABLE) ||
      !to_offset(args[2], &offset) || !to_int(nargs > 3 ? args[3] : nullptr, &flags))
    return nullptr;
  return transfer([&] { return ::preadv2(fd, to.data(), to.count(), offset, flags); });
}
PyObject* pwritev_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, flags = 0;
  off_t offset = 0;
  Vectors from;
  if (!check_positional("pwritev", nargs, 3, 4) || !to_int(args[0], &fd) ||
      !from.get("pwritev", args[1], PyBUF_SIMPLE) || !to_offset(args[2], &offset) ||
      !to_int(nargs > 3 ? args[3] : nullptr, &flags))
    return nullptr;
  return transfer([&] { return ::pwritev2(fd, from.data(), from.count(), offset, flags); });
}

AMPHIS_POSIX_FUNCTION(sendfile_, "sendfile", 4, 4, "out_fd", "in_fd", "offset", "count") {
  int out = 0, in = 0;
  Py_ssize_t count = 0;
  off_t offset = 0;
  const bool positioned = a[2] != Py_None;
  if (!to_int(a[0], &out) || !to_int(a[1], &in) || (positioned && !to_offset(a[2], &offset)) || !to_size(a[3], &count))
    return nullptr;
  return transfer([&] { return ::sendfile(out, in, positioned ? &offset : nullptr, static_cast<size_t>(count)); });
}

// None: no offset, the descriptor's own position.
bool optional_offset(PyObject* value, off64_t* offset, off64_t** used) {
  *used = nullptr;
  if (value == nullptr || value == Py_None) return true;
  *used = offset;
  return to_offset(value, offset);
}

AMPHIS_POSIX_FUNCTION(copy_file_range_, "copy_file_range", 5, 3, "src", "dst", "count", "offset_src", "offset_dst") {
  int from = 0, to = 0;
  Py_ssize_t count = 0;
  off64_t from_at = 0, to_at = 0, *from_used, *to_used;
  if (!to_int(a[0], &from) || !to_int(a[1], &to) || !to_size(a[2], &count) ||
      !optional_offset(a[3], &from_at, &from_used) || !optional_offset(a[4], &to_at, &to_used))
    return nullptr;
  if (count < 0) {
    PyErr_SetString(PyExc_ValueError, "negative value for 'count' not allowed");
    return nullptr;
  }
  return transfer([&] { return ::copy_file_range(from, from_used, to, to_used, static_cast<size_t>(count), 0); });
}

AMPHIS_POSIX_FUNCTION(splice_, "splice", 6, 3, "src", "dst", "count", "offset_src", "offset_dst", "flags") {
  int from = 0, to = 0, flags = 0;
  Py_ssize_t count = 0;
  off64_t from_at = 0, to_at = 0, *from_used, *to_used;
  if (!to_int(a[0], &from) || !to_int(a[1], &to) || !to_size(a[2], &count) ||
      !optional_offset(a[3], &from_at, &from_used) || !optional_offset(a[4], &to_at, &to_used) || !to_int(a[5], &flags))
    return nullptr;
  if (count < 0) {
    PyErr_SetString(PyExc_ValueError, "negative value for 'count' not allowed");
    return nullptr;
  }
  return transfer(
      [&] { return ::splice(from, from_used, to, to_used, static_cast<size_t>(count), static_cast<unsigned>(flags)); });
}

// ---- flags ----

PyObject* get_inheritable_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  const int flags = ::fcntl(fd, F_GETFD);
  return flags < 0 ? raise_errno() : PyBool_FromLong(!(flags & FD_CLOEXEC));
}
PyObject* set_inheritable_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, inheritable = 0;
  if (!check_positional("set_inheritable", nargs, 2, 2) || !to_int(args[0], &fd) || !to_int(args[1], &inheritable))
    return nullptr;
  if (_Py_set_inheritable(fd, inheritable, nullptr) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* get_blocking_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  const int flags = ::fcntl(fd, F_GETFL);
  return flags < 0 ? raise_errno() : PyBool_FromLong(!(flags & O_NONBLOCK));
}
PyObject* set_blocking_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0;
  bool blocking = false;
  if (!check_positional("set_blocking", nargs, 2, 2) || !to_int(args[0], &fd) || !to_bool(args[1], &blocking))
    return nullptr;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0) return raise_errno();
  Py_RETURN_NONE;
}

// ---- descriptors of other kinds ----

AMPHIS_POSIX_FUNCTION(memfd_create_, "memfd_create", 2, 1, "name", "flags") {
  Path name;
  int flags = MFD_CLOEXEC;
  if (!name.parse("memfd_create", "name", a[0]) || !to_int(a[1], &flags)) return nullptr;
  const int fd = detached([&] { return ::memfd_create(name.text, static_cast<unsigned>(flags)); });
  return fd < 0 ? raise_errno() : PyLong_FromLong(fd);
}
AMPHIS_POSIX_FUNCTION(eventfd_, "eventfd", 2, 1, "initval", "flags") {
  int flags = EFD_CLOEXEC;
  const unsigned long value = PyLong_AsUnsignedLongMask(a[0]);
  if (PyErr_Occurred() || !to_int(a[1], &flags)) return nullptr;
  const int fd = detached([&] { return ::eventfd(static_cast<unsigned>(value), flags); });
  return fd < 0 ? raise_errno() : PyLong_FromLong(fd);
}
AMPHIS_POSIX_FUNCTION(eventfd_read_, "eventfd_read", 1, 1, "fd") {
  int fd;
  if (!to_fd(a[0], &fd)) return nullptr;
  eventfd_t value;
  if (detached([&] { return ::eventfd_read(fd, &value); }) < 0) return raise_errno();
  return PyLong_FromUnsignedLongLong(value);
}
AMPHIS_POSIX_FUNCTION(eventfd_write_, "eventfd_write", 2, 2, "fd", "value") {
  int fd;
  if (!to_fd(a[0], &fd)) return nullptr;
  const unsigned long long value = PyLong_AsUnsignedLongLong(a[1]);
  if (PyErr_Occurred()) return nullptr;
  if (detached([&] { return ::eventfd_write(fd, value); }) < 0) return raise_errno();
  Py_RETURN_NONE;
}

// ---- terminals ----

PyObject* isatty_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  return PyBool_FromLong(detached([&] { return ::isatty(fd); }));
}
PyObject* ttyname_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  char name[256];
  const int error = ::ttyname_r(fd, name, sizeof name);
  if (error == 0) return PyUnicode_DecodeFSDefault(name);
  errno = error;
  return raise_errno();
}
PyObject* ctermid_(PyObject*, PyObject*) {
  char name[L_ctermid + 1] = "";
  ::ctermid(name);
  return PyUnicode_DecodeFSDefault(name);
}
PyObject* tcgetpgrp_(PyObject*, PyObject* arg) {
  int fd;
  if (!one_fd(arg, &fd)) return nullptr;
  const pid_t group = ::tcgetpgrp(fd);
  return group < 0 ? raise_errno() : PyLong_FromLong(group);
}
PyObject* tcsetpgrp_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd = 0, group = 0;
  if (!check_positional("tcsetpgrp", nargs, 2, 2) || !to_int(args[0], &fd) || !to_int(args[1], &group)) return nullptr;
  if (::tcsetpgrp(fd, group) < 0) return raise_errno();
  Py_RETURN_NONE;
}
PyObject* openpty_(PyObject*, PyObject*) {
  int master, slave;
  if (::openpty(&master, &slave, nullptr, nullptr, nullptr) < 0) return raise_errno();
  if (_Py_set_inheritable(master, 0, nullptr) < 0 || _Py_set_inheritable(slave, 0, nullptr) < 0) {
    ::close(master);
    ::close(slave);
    return nullptr;
  }
  return pair(master, slave);
}
PyObject* login_tty_(PyObject*, PyObject* arg) {
  int fd;
  if (!to_fd(arg, &fd)) return nullptr;
  if (::login_tty(fd) < 0) return raise_errno();
  Py_RETURN_NONE;
}
PyObject* posix_openpt_(PyObject*, PyObject* arg) {
  int flags;
  if (!one_fd(arg, &flags)) return nullptr;
  const int fd = ::posix_openpt(flags | O_CLOEXEC);
  return fd < 0 ? raise_errno() : PyLong_FromLong(fd);
}
PyObject* grantpt_(PyObject*, PyObject* arg) {
  int fd;
  if (!to_fd(arg, &fd)) return nullptr;
  if (::grantpt(fd) < 0) return raise_errno();
  Py_RETURN_NONE;
}
PyObject* unlockpt_(PyObject*, PyObject* arg) {
  int fd;
  if (!to_fd(arg, &fd)) return nullptr;
  if (::unlockpt(fd) < 0) return raise_errno();
  Py_RETURN_NONE;
}
PyObject* ptsname_(PyObject*, PyObject* arg) {
  int fd;
  if (!to_fd(arg, &fd)) return nullptr;
  char name[256];
  const int error = ::ptsname_r(fd, name, sizeof name);
  if (error == 0) return PyUnicode_DecodeFSDefault(name);
  errno = error;
  return raise_errno();
}

AMPHIS_POSIX_FUNCTION(device_encoding_, "device_encoding", 1, 1, "fd") {
  int fd = 0;
  if (!to_int(a[0], &fd)) return nullptr;
  if (!detached([&] { return ::isatty(fd); })) Py_RETURN_NONE;
  return PyUnicode_FromString("UTF-8");
}

}  // namespace

PyMethodDef fd_methods[] = {
    AMPHIS_POSIX_ENTRY(open_, "open($module, /, path, flags, mode=511, *, dir_fd=None)", "Open a descriptor."),
    AMPHIS_POSIX_ENTRY(close_, "close($module, /, fd)", "Close a descriptor."),
    {"closerange", AMPHIS_METHOD(closerange_), METH_FASTCALL,
     "closerange($module, fd_low, fd_high, /)\n--\n\nClose descriptors from fd_low to before fd_high, whatever happens."},
    {"dup", dup_, METH_O, "dup($module, fd, /)\n--\n\nA duplicate of a descriptor."},
    AMPHIS_POSIX_ENTRY(dup2_, "dup2($module, /, fd, fd2, inheritable=True)", "Make fd2 a duplicate of fd."),
    {"pipe", pipe_, METH_NOARGS, "pipe($module, /)\n--\n\nThe ends of a new pipe: (read_fd, write_fd)."},
    {"pipe2", pipe2_, METH_O, "pipe2($module, flags, /)\n--\n\nThe ends of a new pipe with flags."},
    {"lseek", AMPHIS_METHOD(lseek_), METH_FASTCALL, "lseek($module, fd, position, whence, /)\n--\n\nMove, return the position."},
    {"ftruncate", AMPHIS_METHOD(ftruncate_), METH_FASTCALL, "ftruncate($module, fd, length, /)\n--\n\nCut an open file."},
    AMPHIS_POSIX_ENTRY(fsync_, "fsync($module, /, fd)", "Write a file out to its device."),
    AMPHIS_POSIX_ENTRY(fdatasync_, "fdatasync($module, /, fd)", "Write a file's data out to its device."),
    {"sync", sync_, METH_NOARGS, "sync($module, /)\n--\n\nWrite everything out to devices."},
    {"posix_fallocate", AMPHIS_METHOD(posix_fallocate_), METH_FASTCALL,
     "posix_fallocate($module, fd, offset, length, /)\n--\n\nReserve space for a range of a file."},
    {"posix_fadvise", AMPHIS_METHOD(posix_fadvise_), METH_FASTCALL,
     "posix_fadvise($module, fd, offset, length, advice, /)\n--\n\nAnnounce how a range of a file will be used."},
    {"lockf", AMPHIS_METHOD(lockf_), METH_FASTCALL, "lockf($module, fd, command, length, /)\n--\n\nLock a part of a file."},
    {"read", AMPHIS_METHOD(read_), METH_FASTCALL, "read($module, fd, length, /)\n--\n\nRead bytes."},
    {"readinto", AMPHIS_METHOD(readinto_), METH_FASTCALL, "readinto($module, fd, buffer, /)\n--\n\nRead into a buffer."},
    {"pread", AMPHIS_METHOD(pread_), METH_FASTCALL, "pread($module, fd, length, offset, /)\n--\n\nRead from a position."},
    {"write", AMPHIS_METHOD(write_), METH_FASTCALL, "write($module, fd, data, /)\n--\n\nWrite bytes, return how many."},
    {"pwrite", AMPHIS_METHOD(pwrite_), METH_FASTCALL, "pwrite($module, fd, buffer, offset, /)\n--\n\nWrite at a position."},
    {"readv", AMPHIS_METHOD(readv_), METH_FASTCALL, "readv($module, fd, buffers, /)\n--\n\nRead into several buffers."},
    {"writev", AMPHIS_METHOD(writev_), METH_FASTCALL, "writev($module, fd, buffers, /)\n--\n\nWrite several buffers."},
    {"preadv", AMPHIS_METHOD(preadv_), METH_FASTCALL, "preadv($module, fd, buffers, offset, flags=0, /)\n--\n\nreadv() at a position."},
    {"pwritev", AMPHIS_METHOD(pwritev_), METH_FASTCALL,
     "pwritev($module, fd, buffers, offset, flags=0, /)\n--\n\nwritev() at a position."},
    AMPHIS_POSIX_ENTRY(sendfile_, "sendfile($module, /, out_fd, in_fd, offset, count)", "Copy between descriptors."),
    AMPHIS_POSIX_ENTRY(copy_file_range_,
                       "copy_file_range($module, /, src, dst, count, offset_src=None,\n                offset_dst=None)",
                       "Copy between files within the system."),
    AMPHIS_POSIX_ENTRY(splice_,
                       "splice($module, /, src, dst, count, offset_src=None, offset_dst=None,\n       flags=0)",
                       "Move data from or to a pipe within the system."),
    {},
};

PyMethodDef fd_more_methods[] = {
    {"get_inheritable", get_inheritable_, METH_O, "get_inheritable($module, fd, /)\n--\n\nWhether programs started inherit it."},
    {"set_inheritable", AMPHIS_METHOD(set_inheritable_), METH_FASTCALL, "set_inheritable($module, fd, inheritable, /)\n--\n\n"},
    {"get_blocking", get_blocking_, METH_O, "get_blocking($module, fd, /)\n--\n\nWhether calls on it wait."},
    {"set_blocking", AMPHIS_METHOD(set_blocking_), METH_FASTCALL, "set_blocking($module, fd, blocking, /)\n--\n\n"},
    AMPHIS_POSIX_ENTRY(memfd_create_, "memfd_create($module, /, name, flags=MFD_CLOEXEC)", "A file in memory."),
    AMPHIS_POSIX_ENTRY(eventfd_, "eventfd($module, /, initval, flags=EFD_CLOEXEC)", "A counter as a descriptor."),
    AMPHIS_POSIX_ENTRY(eventfd_read_, "eventfd_read($module, /, fd)", "Read an event counter."),
    AMPHIS_POSIX_ENTRY(eventfd_write_, "eventfd_write($module, /, fd, value)", "Add to an event counter."),
    {"isatty", isatty_, METH_O, "isatty($module, fd, /)\n--\n\nWhether a descriptor is a terminal."},
    {"ttyname", ttyname_, METH_O, "ttyname($module, fd, /)\n--\n\nThe name of a terminal."},
    {"ctermid", ctermid_, METH_NOARGS, "ctermid($module, /)\n--\n\nThe name of the controlling terminal."},
    {"tcgetpgrp", tcgetpgrp_, METH_O, "tcgetpgrp($module, fd, /)\n--\n\nThe foreground process group of a terminal."},
    {"tcsetpgrp", AMPHIS_METHOD(tcsetpgrp_), METH_FASTCALL, "tcsetpgrp($module, fd, pgid, /)\n--\n\n"},
    {"openpty", openpty_, METH_NOARGS, "openpty($module, /)\n--\n\nA new pseudo-terminal: (master_fd, slave_fd)."},
    {"login_tty", login_tty_, METH_O, "login_tty($module, fd, /)\n--\n\nMake a terminal that of this process."},
    {"posix_openpt", posix_openpt_, METH_O, "posix_openpt($module, oflag, /)\n--\n\n"},
    {"grantpt", grantpt_, METH_O, "grantpt($module, fd, /)\n--\n\n"},
    {"unlockpt", unlockpt_, METH_O, "unlockpt($module, fd, /)\n--\n\n"},
    {"ptsname", ptsname_, METH_O, "ptsname($module, fd, /)\n--\n\n"},
    AMPHIS_POSIX_ENTRY(device_encoding_, "device_encoding($module, /, fd)", "The encoding of a terminal, or None."),
    {},
};

}  // namespace amphis::posix

using namespace amphis;
using amphis::posix::detached;
using amphis::posix::repeated;

extern "C" {

int _Py_fstat_noraise(int fd, struct stat* status) { return ::fstat(fd, status); }

int _Py_fstat(int fd, struct stat* status) {
  if (detached([&] { return ::fstat(fd, status); }) == 0) return 0;
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

// -2: an exception; -1: errno.
int _Py_stat(PyObject* path, struct stat* status) {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(path, &bytes)) return -2;
  Ref<> held = Ref<>::steal(bytes);
  return ::stat(PyBytes_AS_STRING(bytes), status);
}

int _Py_open_noraise(const char* path, int flags) { return ::open(path, flags | O_CLOEXEC); }

int _Py_open(const char* path, int flags) {
  int fd;
  if (!repeated([&] { return ::open(path, flags | O_CLOEXEC); }, &fd)) return -1;
  if (fd < 0) PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
  return fd;
}

Py_ssize_t _Py_write(int fd, const void* buffer, size_t count) {
  ssize_t n;
  if (!repeated([&] { return ::write(fd, buffer, std::min<size_t>(count, 0x7ffff000)); }, &n)) return -1;
  if (n < 0) PyErr_SetFromErrno(PyExc_OSError);
  return n;
}

Py_ssize_t _Py_write_noraise(int fd, const void* buffer, size_t count) {
  ssize_t n;
  do {
    n = ::write(fd, buffer, std::min<size_t>(count, 0x7ffff000));
  } while (n < 0 && errno == EINTR);
  return n;
}

int _Py_dup(int fd) {
  const int copy = detached([&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); });
  if (copy < 0) PyErr_SetFromErrno(PyExc_OSError);
  return copy;
}

int _Py_set_inheritable(int fd, int inheritable, int*) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags >= 0) {
    const int wanted = inheritable ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC;
    if (wanted == flags || ::fcntl(fd, F_SETFD, wanted) >= 0) return 0;
  }
  PyErr_SetFromErrno(PyExc_OSError);
  return -1;
}

void _Py_closerange(int first, int last) {
  first = std::max(first, 0);
  if (last < first) return;
  if (::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0) return;
  for (int fd = first; fd <= last && fd < 1 << 20; fd++) ::close(fd);
}

int _Py_IsValidFD(int fd) { return fd >= 0 && ::fcntl(fd, F_GETFD) >= 0; }

}  // extern "C"
