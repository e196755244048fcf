// The private C API of file descriptors. The noraise functions set errno and nothing else; the others raise OSError, detach
// around the call and try again after a signal.
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <algorithm>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace amphis;

namespace {

template <class F>
auto retry(F&& call) {
  for (;;) {
    decltype(call()) result;
    int error;
    {
      Detached detached;
      result = call();
      error = errno;
    }
    errno = error;
    if (result >= 0 || error != EINTR) return result;
    if (PyErr_CheckSignals() < 0) return result;
  }
}

void raise_errno() {
  if (!PyErr_Occurred()) PyErr_SetFromErrno(PyExc_OSError);
}

// One read or write call moves at most this much, as the system does.
constexpr size_t kMaxTransfer = 0x7ffff000;

}  // namespace

extern "C" {

int _Py_set_inheritable(int fd, int inheritable, int* atomic_flag_works) {
  // open() with O_CLOEXEC has done it: one check of the first descriptor tells for all.
  if (atomic_flag_works != nullptr && !inheritable) {
    if (*atomic_flag_works == -1) {
      int flags = fcntl(fd, F_GETFD);
      if (flags < 0) {
        raise_errno();
        return -1;
      }
      *atomic_flag_works = (flags & FD_CLOEXEC) != 0;
    }
    if (*atomic_flag_works) return 0;
  }
  int flags = fcntl(fd, F_GETFD);
  int wanted = inheritable ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC;
  if (flags < 0 || (wanted != flags && fcntl(fd, F_SETFD, wanted) < 0)) {
    raise_errno();
    return -1;
  }
  return 0;
}

int _Py_open_noraise(const char* path, int flags) { return open(path, flags | O_CLOEXEC); }

int _Py_open(const char* path, int flags) {
  Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(path));
  if (!name || PySys_Audit("open", "OOi", name.get(), Py_None, flags) < 0) return -1;
  int fd = retry([&] { return open(path, flags | O_CLOEXEC); });
  if (fd < 0 && !PyErr_Occurred()) PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
  return fd;
}

int _Py_dup(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) raise_errno();
  return copy;
}

Py_ssize_t _Py_write_noraise(int fd, const void* data, size_t count) {
  ssize_t n;
  do {
    n = write(fd, data, std::min(count, kMaxTransfer));
  } while (n < 0 && errno == EINTR);
  return n;
}

Py_ssize_t _Py_write(int fd, const void* data, size_t count) {
  Py_ssize_t n = retry([&] { return write(fd, data, std::min(count, kMaxTransfer)); });
  if (n < 0) raise_errno();
  return n;
}

int _Py_fstat_noraise(int fd, struct stat* status) { return fstat(fd, status); }

int _Py_fstat(int fd, struct stat* status) {
  int result;
  {
    Detached detached;
    result = fstat(fd, status);
  }
  if (result != 0) raise_errno();
  return result;
}

// -2: an exception is set; -1: errno says why.
int _Py_stat(PyObject* path, struct stat* status) {
  Ref<> bytes = Ref<>::steal(PyUnicode_EncodeFSDefault(path));
  if (!bytes) return -2;
  return stat(PyBytes_AS_STRING(bytes.get()), status);
}

int _Py_IsValidFD(int fd) { return fd >= 0 && fcntl(fd, F_GETFD) >= 0; }

void _Py_closerange(int first, int last) {
  first = std::max(first, 0);
  if (last < first || close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0) return;
  long limit = sysconf(_SC_OPEN_MAX);
  last = static_cast<int>(std::min<long>(last, limit < 0 ? 255 : limit - 1));
  for (int fd = first; fd <= last; ++fd) close(fd);
}

}  // extern "C"
