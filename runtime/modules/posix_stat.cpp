// The module posix: what the system knows of files. stat and its relatives, permissions, owners, times, extended attributes.
#include "modules/posix.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmath>

namespace amphis::posix {
namespace {

PyTypeObject* stat_type = nullptr;
PyTypeObject* statvfs_type = nullptr;

const char* const kUnnamed = nullptr;

PyStructSequence_Field stat_fields[] = {
    {"st_mode", "protection bits"},
    {"st_ino", "inode"},
    {"st_dev", "device"},
    {"st_nlink", "number of hard links"},
    {"st_uid", "user ID of owner"},
    {"st_gid", "group ID of owner"},
    {"st_size", "total size, in bytes"},
    {kUnnamed, "integer time of last access"},
    {kUnnamed, "integer time of last modification"},
    {kUnnamed, "integer time of last change"},
    {"st_atime", "time of last access"},
    {"st_mtime", "time of last modification"},
    {"st_ctime", "time of last change"},
    {"st_atime_ns", "time of last access in nanoseconds"},
    {"st_mtime_ns", "time of last modification in nanoseconds"},
    {"st_ctime_ns", "time of last change in nanoseconds"},
    {"st_blksize", "blocksize for filesystem I/O"},
    {"st_blocks", "number of blocks allocated"},
    {"st_rdev", "device type (if inode device)"},
    {nullptr, nullptr},
};
PyStructSequence_Desc stat_desc = {
    "os.stat_result",
    "stat_result: Result from stat, fstat, or lstat.\n\n"
    "A tuple of (mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime) whose items, and more, are attributes too.",
    stat_fields, 10};

PyStructSequence_Field statvfs_fields[] = {
    {"f_bsize", nullptr},  {"f_frsize", nullptr}, {"f_blocks", nullptr}, {"f_bfree", nullptr},
    {"f_bavail", nullptr}, {"f_files", nullptr},  {"f_ffree", nullptr},  {"f_favail", nullptr},
    {"f_flag", nullptr},   {"f_namemax", nullptr}, {"f_fsid", nullptr},  {nullptr, nullptr},
};
PyStructSequence_Desc statvfs_desc = {"os.statvfs_result", "statvfs_result: Result from statvfs or fstatvfs.",
                                      statvfs_fields, 10};

newfunc structseq_new = nullptr;

// A result made from ten items gets its times from the integers.
PyObject* stat_result_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Ref<> result = Ref<>::steal(structseq_new(type, args, kwargs));
  if (!result) return nullptr;
  for (Py_ssize_t i = 7; i <= 9; i++) {
    PyObject* time = PyStructSequence_GetItem(result.get(), i + 3);
    if (time == nullptr || time == Py_None) {
      PyStructSequence_SetItem(result.get(), i + 3, Py_NewRef(PyStructSequence_GetItem(result.get(), i)));
      Py_XDECREF(time);
    }
  }
  return result.release();
}

bool set(PyObject* result, Py_ssize_t index, PyObject* value) {
  if (value == nullptr) return false;
  PyStructSequence_SetItem(result, index, value);
  return true;
}

bool set_time(PyObject* result, Py_ssize_t index, const struct timespec& t) {
  PyObject* nanoseconds;
  // Years 1678 to 2261 fit a machine word.
  if (t.tv_sec > -9000000000 && t.tv_sec < 9000000000) {
    nanoseconds = PyLong_FromLongLong(t.tv_sec * 1000000000LL + t.tv_nsec);
  } else {
    Ref<> seconds = Ref<>::steal(PyLong_FromLongLong(t.tv_sec));
    Ref<> billion = Ref<>::steal(PyLong_FromLong(1000000000));
    Ref<> product = seconds && billion ? Ref<>::steal(PyNumber_Multiply(seconds.get(), billion.get())) : nullptr;
    Ref<> rest = Ref<>::steal(PyLong_FromLong(t.tv_nsec));
    nanoseconds = product && rest ? PyNumber_Add(product.get(), rest.get()) : nullptr;
  }
  return set(result, 7 + index, PyLong_FromLongLong(t.tv_sec)) &&
         set(result, 10 + index,
             PyFloat_FromDouble(static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec))) &&
         set(result, 13 + index, nanoseconds);
}

}  // namespace

PyObject* stat_object(const struct stat& st) {
  Ref<> result = Ref<>::steal(PyStructSequence_New(stat_type));
  if (!result) return nullptr;
  PyObject* op = result.get();
  const bool ok = set(op, 0, PyLong_FromLong(st.st_mode)) && set(op, 1, PyLong_FromUnsignedLongLong(st.st_ino)) &&
                  set(op, 2, PyLong_FromUnsignedLongLong(st.st_dev)) && set(op, 3, PyLong_FromUnsignedLongLong(st.st_nlink)) &&
                  set(op, 4, PyLong_FromUnsignedLong(st.st_uid)) && set(op, 5, PyLong_FromUnsignedLong(st.st_gid)) &&
                  set(op, 6, PyLong_FromLongLong(st.st_size)) && set_time(op, 0, st.st_atim) &&
                  set_time(op, 1, st.st_mtim) && set_time(op, 2, st.st_ctim) &&
                  set(op, 16, PyLong_FromLong(st.st_blksize)) && set(op, 17, PyLong_FromLongLong(st.st_blocks)) &&
                  set(op, 18, PyLong_FromUnsignedLongLong(st.st_rdev));
  return ok ? result.release() : nullptr;
}

int add_result_type(PyTypeObject** type, PyStructSequence_Desc* desc, PyObject* module, const char* name) {
  if (*type == nullptr) *type = PyStructSequence_NewType(desc);
  return *type == nullptr ? -1 : PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(*type));
}

namespace {

PyObject* do_stat(const char* function, Path& path, int dir_fd, bool follow) {
  if (path.fd >= 0 && dir_fd != AT_FDCWD)
    return PyErr_Format(PyExc_ValueError, "%s: can't specify dir_fd without matching path", function);
  if (path.fd >= 0 && !follow)
    return PyErr_Format(PyExc_ValueError, "%s: cannot use fd and follow_symlinks together", function);
  struct stat st;
  const int result = detached([&] {
    if (path.text == nullptr) return ::fstat(path.fd, &st);
    return ::fstatat(dir_fd, path.text, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  });
  return result < 0 ? raise_path(path) : stat_object(st);
}

AMPHIS_POSIX_FUNCTION(stat_, "stat", 1, 1, "path", "dir_fd", "follow_symlinks") {
  Path path;
  int dir_fd;
  bool follow = true;
  if (!path.parse("stat", "path", a[0], Path::kFd) || !to_dir_fd(a[1], &dir_fd) || !to_bool(a[2], &follow))
    return nullptr;
  return do_stat("stat", path, dir_fd, follow);
}

AMPHIS_POSIX_FUNCTION(lstat_, "lstat", 1, 1, "path", "dir_fd") {
  Path path;
  int dir_fd;
  if (!path.parse("lstat", "path", a[0]) || !to_dir_fd(a[1], &dir_fd)) return nullptr;
  return do_stat("lstat", path, dir_fd, false);
}

AMPHIS_POSIX_FUNCTION(fstat_, "fstat", 1, 1, "fd") {
  int fd = 0, result;
  if (!to_int(a[0], &fd)) return nullptr;
  struct stat st;
  if (!repeated([&] { return ::fstat(fd, &st); }, &result)) return nullptr;
  return result < 0 ? raise_errno() : stat_object(st);
}

AMPHIS_POSIX_FUNCTION(access_, "access", 2, 2, "path", "mode", "dir_fd", "effective_ids", "follow_symlinks") {
  Path path;
  int mode = 0, dir_fd;
  bool effective = false, follow = true;
  if (!path.parse("access", "path", a[0]) || !to_int(a[1], &mode) || !to_dir_fd(a[2], &dir_fd) ||
      !to_bool(a[3], &effective) || !to_bool(a[4], &follow))
    return nullptr;
  const int flags = (follow ? 0 : AT_SYMLINK_NOFOLLOW) | (effective ? AT_EACCESS : 0);
  return PyBool_FromLong(detached([&] {
                           return dir_fd == AT_FDCWD && flags == 0 ? ::access(path.text, mode)
                                                                   : ::faccessat(dir_fd, path.text, mode, flags);
                         }) == 0);
}

AMPHIS_POSIX_FUNCTION(chmod_, "chmod", 2, 2, "path", "mode", "dir_fd", "follow_symlinks") {
  Path path;
  int mode = 0, dir_fd;
  bool follow = true;
  if (!path.parse("chmod", "path", a[0], Path::kFd) || !to_int(a[1], &mode) || !to_dir_fd(a[2], &dir_fd) ||
      !to_bool(a[3], &follow))
    return nullptr;
  if (PySys_Audit("os.chmod", "Oii", path.object, mode, dir_fd == AT_FDCWD ? -1 : dir_fd) < 0) return nullptr;
  if (path.text != nullptr && !follow) {
    // The system's call may exist and still refuse.
    const int result = detached([&] { return ::fchmodat(dir_fd, path.text, static_cast<mode_t>(mode), AT_SYMLINK_NOFOLLOW); });
    if (result < 0 && (errno == ENOTSUP || errno == EOPNOTSUPP)) {
      PyErr_SetString(PyExc_NotImplementedError, dir_fd == AT_FDCWD
                                                     ? "chmod: follow_symlinks unavailable on this platform"
                                                     : "chmod: cannot use dir_fd and follow_symlinks together");
      return nullptr;
    }
    if (result < 0) return raise_path(path);
    Py_RETURN_NONE;
  }
  return call_path(path, [&] {
    return path.text == nullptr ? ::fchmod(path.fd, static_cast<mode_t>(mode))
                                : ::fchmodat(dir_fd, path.text, static_cast<mode_t>(mode), 0);
  });
}

AMPHIS_POSIX_FUNCTION(fchmod_, "fchmod", 2, 2, "fd", "mode") {
  int fd = 0, mode = 0;
  if (!to_int(a[0], &fd) || !to_int(a[1], &mode)) return nullptr;
  if (PySys_Audit("os.chmod", "iii", fd, mode, -1) < 0) return nullptr;
  return call_fd([&] { return ::fchmod(fd, static_cast<mode_t>(mode)); });
}

AMPHIS_POSIX_FUNCTION(chown_, "chown", 3, 3, "path", "uid", "gid", "dir_fd", "follow_symlinks") {
  Path path;
  uid_t uid;
  gid_t gid;
  int dir_fd;
  bool follow = true;
  if (!path.parse("chown", "path", a[0], Path::kFd) || !_Py_Uid_Converter(a[1], &uid) ||
      !_Py_Gid_Converter(a[2], &gid) || !to_dir_fd(a[3], &dir_fd) || !to_bool(a[4], &follow))
    return nullptr;
  if (path.fd >= 0 && dir_fd != AT_FDCWD) {
    PyErr_SetString(PyExc_ValueError, "chown: can't specify both dir_fd and fd");
    return nullptr;
  }
  if (path.fd >= 0 && !follow) {
    PyErr_SetString(PyExc_ValueError, "chown: cannot use fd and follow_symlinks together");
    return nullptr;
  }
  return call_path(path, [&] {
    return path.text == nullptr ? ::fchown(path.fd, uid, gid)
                                : ::fchownat(dir_fd, path.text, uid, gid, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  });
}

AMPHIS_POSIX_FUNCTION(lchown_, "lchown", 3, 3, "path", "uid", "gid") {
  Path path;
  uid_t uid;
  gid_t gid;
  if (!path.parse("lchown", "path", a[0]) || !_Py_Uid_Converter(a[1], &uid) || !_Py_Gid_Converter(a[2], &gid))
    return nullptr;
  return call_path(path, [&] { return ::lchown(path.text, uid, gid); });
}

AMPHIS_POSIX_FUNCTION(fchown_, "fchown", 3, 3, "fd", "uid", "gid") {
  int fd = 0;
  uid_t uid;
  gid_t gid;
  if (!to_int(a[0], &fd) || !_Py_Uid_Converter(a[1], &uid) || !_Py_Gid_Converter(a[2], &gid)) return nullptr;
  return call_fd([&] { return ::fchown(fd, uid, gid); });
}

// Seconds, int or float, rounded down.
bool to_seconds(PyObject* value, struct timespec* t) {
  if (!PyFloat_Check(value) && !PyIndex_Check(value)) {
    PyErr_Format(PyExc_TypeError, "argument must be int or float, not %T", value);
    return false;
  }
  return _PyTime_ObjectToTimespec(value, &t->tv_sec, &t->tv_nsec, _PyTime_ROUND_FLOOR) == 0;
}

bool to_nanoseconds(PyObject* value, struct timespec* t) {
  Ref<> billion = Ref<>::steal(PyLong_FromLong(1000000000));
  Ref<> parts = billion ? Ref<>::steal(PyNumber_Divmod(value, billion.get())) : nullptr;
  if (!parts) return false;
  if (!PyTuple_Check(parts.get()) || PyTuple_GET_SIZE(parts.get()) != 2) {
    PyErr_Format(PyExc_TypeError, "%.200s.__divmod__() must return a 2-tuple, not %.200s", Py_TYPE(value)->tp_name,
                 Py_TYPE(parts.get())->tp_name);
    return false;
  }
  t->tv_sec = _PyLong_AsTime_t(PyTuple_GET_ITEM(parts.get(), 0));
  if (t->tv_sec == -1 && PyErr_Occurred()) return false;
  t->tv_nsec = PyLong_AsLong(PyTuple_GET_ITEM(parts.get(), 1));
  return t->tv_nsec != -1 || !PyErr_Occurred();
}

AMPHIS_POSIX_FUNCTION(utime_, "utime", 2, 1, "path", "times", "ns", "dir_fd", "follow_symlinks") {
  Path path;
  int dir_fd;
  bool follow = true;
  if (!path.parse("utime", "path", a[0], Path::kFd) || !to_dir_fd(a[3], &dir_fd) || !to_bool(a[4], &follow))
    return nullptr;
  PyObject* times = a[1] == nullptr ? Py_None : a[1];
  PyObject* ns = a[2];
  struct timespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  if (times != Py_None && ns != nullptr) {
    PyErr_SetString(PyExc_ValueError, "utime: you may specify either 'times' or 'ns' but not both");
    return nullptr;
  }
  if (times != Py_None) {
    if (!PyTuple_CheckExact(times) || PyTuple_GET_SIZE(times) != 2) {
      PyErr_SetString(PyExc_TypeError, "utime: 'times' must be either a tuple of two ints or None");
      return nullptr;
    }
    if (!to_seconds(PyTuple_GET_ITEM(times, 0), &t[0]) || !to_seconds(PyTuple_GET_ITEM(times, 1), &t[1])) return nullptr;
  } else if (ns != nullptr) {
    if (!PyTuple_CheckExact(ns) || PyTuple_GET_SIZE(ns) != 2) {
      PyErr_SetString(PyExc_TypeError, "utime: 'ns' must be a tuple of two ints");
      return nullptr;
    }
    if (!to_nanoseconds(PyTuple_GET_ITEM(ns, 0), &t[0]) || !to_nanoseconds(PyTuple_GET_ITEM(ns, 1), &t[1])) return nullptr;
  }
  if (path.fd >= 0 && dir_fd != AT_FDCWD) {
    PyErr_SetString(PyExc_ValueError, "utime: can't specify dir_fd without matching path");
    return nullptr;
  }
  if (path.fd >= 0 && !follow) {
    PyErr_SetString(PyExc_ValueError, "utime: cannot use fd and follow_symlinks together");
    return nullptr;
  }
  if (PySys_Audit("os.utime", "OOOi", path.object, times, ns ? ns : Py_None, dir_fd == AT_FDCWD ? -1 : dir_fd) < 0)
    return nullptr;
  return call_path(path, [&] {
    return path.text == nullptr ? ::futimens(path.fd, t)
                                : ::utimensat(dir_fd, path.text, t, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  });
}

// ---- file systems ----

PyObject* statvfs_object(const struct statvfs& st) {
  Ref<> result = Ref<>::steal(PyStructSequence_New(statvfs_type));
  if (!result) return nullptr;
  const unsigned long long values[] = {st.f_bsize, st.f_frsize, st.f_blocks, st.f_bfree, st.f_bavail, st.f_files,
                                       st.f_ffree, st.f_favail, st.f_flag,   st.f_namemax, st.f_fsid};
  Py_ssize_t i = 0;
  for (unsigned long long value : values) {
    if (!set(result.get(), i++, PyLong_FromUnsignedLongLong(value))) return nullptr;
  }
  return result.release();
}

AMPHIS_POSIX_FUNCTION(statvfs_, "statvfs", 1, 1, "path") {
  Path path;
  if (!path.parse("statvfs", "path", a[0], Path::kFd)) return nullptr;
  struct statvfs st;
  const int result = detached([&] { return path.text == nullptr ? ::fstatvfs(path.fd, &st) : ::statvfs(path.text, &st); });
  return result < 0 ? raise_path(path) : statvfs_object(st);
}

PyObject* fstatvfs_(PyObject*, PyObject* arg) {
  int fd = 0, result;
  if (!to_int(arg, &fd)) return nullptr;
  struct statvfs st;
  if (!repeated([&] { return ::fstatvfs(fd, &st); }, &result)) return nullptr;
  return result < 0 ? raise_errno() : statvfs_object(st);
}

// ---- extended attributes ----

bool attribute_paths(const char* function, PyObject* const* a, Path* path, Path* name, bool* follow, PyObject* follow_arg) {
  if (!path->parse(function, "path", a[0], Path::kFd) || !name->parse(function, "attribute", a[1]) ||
      !to_bool(follow_arg, follow))
    return false;
  if (path->fd >= 0 && !*follow) {
    PyErr_Format(PyExc_ValueError, "%s: cannot use fd and follow_symlinks together", function);
    return false;
  }
  return true;
}

AMPHIS_POSIX_FUNCTION(getxattr_, "getxattr", 2, 2, "path", "attribute", "follow_symlinks") {
  Path path, name;
  bool follow = true;
  if (!attribute_paths("getxattr", a, &path, &name, &follow, a[2])) return nullptr;
  if (PySys_Audit("os.getxattr", "OO", path.object, name.object) < 0) return nullptr;
  for (Py_ssize_t size : {128, 65536}) {
    PyObject* value = PyBytes_FromStringAndSize(nullptr, size);
    if (value == nullptr) return nullptr;
    char* to = PyBytes_AS_STRING(value);
    const ssize_t n = detached([&]() -> ssize_t {
      if (path.text == nullptr) return ::fgetxattr(path.fd, name.text, to, static_cast<size_t>(size));
      return follow ? ::getxattr(path.text, name.text, to, static_cast<size_t>(size))
                    : ::lgetxattr(path.text, name.text, to, static_cast<size_t>(size));
    });
    if (n >= 0) {
      if (n != size) _PyBytes_Resize(&value, n);
      return value;
    }
    Py_DECREF(value);
    if (errno != ERANGE) break;
  }
  return raise_path(path);
}

AMPHIS_POSIX_FUNCTION(setxattr_, "setxattr", 4, 3, "path", "attribute", "value", "flags", "follow_symlinks") {
  Path path, name;
  bool follow = true;
  int flags = 0;
  if (!attribute_paths("setxattr", a, &path, &name, &follow, a[4]) || !to_int(a[3], &flags)) return nullptr;
  Py_buffer view;
  if (PyObject_GetBuffer(a[2], &view, PyBUF_SIMPLE) < 0) return nullptr;
  const int result = detached([&] {
    const auto size = static_cast<size_t>(view.len);
    if (path.text == nullptr) return ::fsetxattr(path.fd, name.text, view.buf, size, flags);
    return follow ? ::setxattr(path.text, name.text, view.buf, size, flags)
                  : ::lsetxattr(path.text, name.text, view.buf, size, flags);
  });
  const int error = errno;
  PyBuffer_Release(&view);
  errno = error;
  if (result < 0) return raise_path(path);
  Py_RETURN_NONE;
}

AMPHIS_POSIX_FUNCTION(removexattr_, "removexattr", 2, 2, "path", "attribute", "follow_symlinks") {
  Path path, name;
  bool follow = true;
  if (!attribute_paths("removexattr", a, &path, &name, &follow, a[2])) return nullptr;
  return call_path(path, [&] {
    if (path.text == nullptr) return ::fremovexattr(path.fd, name.text);
    return follow ? ::removexattr(path.text, name.text) : ::lremovexattr(path.text, name.text);
  });
}

AMPHIS_POSIX_FUNCTION(listxattr_, "listxattr", 1, 0, "path", "follow_symlinks") {
  Path path;
  bool follow = true;
  if (!path.parse("listxattr", "path", a[0], Path::kFd | Path::kNone) || !to_bool(a[1], &follow)) return nullptr;
  if (path.fd >= 0 && !follow) {
    PyErr_SetString(PyExc_ValueError, "listxattr: cannot use fd and follow_symlinks together");
    return nullptr;
  }
  const char* text = path.text == nullptr && path.fd < 0 ? "." : path.text;
  for (size_t size : {size_t{256}, size_t{65536}}) {
    Ref<> space = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!space) return nullptr;
    char* to = PyBytes_AS_STRING(space.get());
    const ssize_t n = detached([&]() -> ssize_t {
      if (text == nullptr) return ::flistxattr(path.fd, to, size);
      return follow ? ::listxattr(text, to, size) : ::llistxattr(text, to, size);
    });
    if (n < 0) {
      if (errno == ERANGE) continue;
      break;
    }
    Ref<> names = Ref<>::steal(PyList_New(0));
    if (!names) return nullptr;
    for (const char* p = to; p < to + n; p += strlen(p) + 1) {
      Ref<> name = Ref<>::steal(PyUnicode_DecodeFSDefault(p));
      if (!name || PyList_Append(names.get(), name.get()) < 0) return nullptr;
    }
    return names.release();
  }
  return raise_path(path);
}

}  // namespace

PyMethodDef stat_methods[] = {
    AMPHIS_POSIX_ENTRY(stat_, "stat($module, /, path, *, dir_fd=None, follow_symlinks=True)",
                       "What the system knows of a file, given by path or descriptor."),
    AMPHIS_POSIX_ENTRY(lstat_, "lstat($module, /, path, *, dir_fd=None)", "stat() that does not follow a symbolic link."),
    AMPHIS_POSIX_ENTRY(fstat_, "fstat($module, /, fd)", "stat() of an open file."),
    AMPHIS_POSIX_ENTRY(access_,
                       "access($module, /, path, mode, *, dir_fd=None, effective_ids=False,\n"
                       "       follow_symlinks=True)",
                       "Whether the real user (or the effective one) may use a path so."),
    AMPHIS_POSIX_ENTRY(chmod_,
                       "chmod($module, /, path, mode, *, dir_fd=None,\n"
                       "      follow_symlinks=(os.name != 'nt'))",
                       "Change permissions."),
    AMPHIS_POSIX_ENTRY(fchmod_, "fchmod($module, /, fd, mode)", "Change permissions of an open file."),
    AMPHIS_POSIX_ENTRY(chown_, "chown($module, /, path, uid, gid, *, dir_fd=None, follow_symlinks=True)",
                       "Change owner and group; -1 leaves one as it is."),
    AMPHIS_POSIX_ENTRY(lchown_, "lchown($module, /, path, uid, gid)", "chown() that does not follow a symbolic link."),
    AMPHIS_POSIX_ENTRY(fchown_, "fchown($module, /, fd, uid, gid)", "chown() of an open file."),
    AMPHIS_POSIX_ENTRY(utime_,
                       "utime($module, /, path, times=None, *, ns=<unrepresentable>,\n"
                       "      dir_fd=None, follow_symlinks=True)",
                       "Set the times of access and modification, by default to now."),
    AMPHIS_POSIX_ENTRY(statvfs_, "statvfs($module, /, path)", "What the system knows of the file system of a path."),
    {"fstatvfs", fstatvfs_, METH_O, "fstatvfs($module, fd, /)\n--\n\nstatvfs() of an open file."},
    AMPHIS_POSIX_ENTRY(getxattr_, "getxattr($module, /, path, attribute, *, follow_symlinks=True)",
                       "The value of an extended attribute."),
    AMPHIS_POSIX_ENTRY(setxattr_,
                       "setxattr($module, /, path, attribute, value, flags=0, *,\n         follow_symlinks=True)",
                       "Set an extended attribute."),
    AMPHIS_POSIX_ENTRY(removexattr_, "removexattr($module, /, path, attribute, *, follow_symlinks=True)",
                       "Remove an extended attribute."),
    AMPHIS_POSIX_ENTRY(listxattr_, "listxattr($module, /, path=None, *, follow_symlinks=True)",
                       "The names of the extended attributes."),
    {},
};

int add_stat(PyObject* module) {
  for (int i = 7; i <= 9; i++) stat_fields[i].name = PyStructSequence_UnnamedField;
  if (add_result_type(&stat_type, &stat_desc, module, "stat_result") < 0) return -1;
  if (stat_type->tp_new != stat_result_new) {
    structseq_new = stat_type->tp_new;
    stat_type->tp_new = stat_result_new;
  }
  return add_result_type(&statvfs_type, &statvfs_desc, module, "statvfs_result");
}

}  // namespace amphis::posix
