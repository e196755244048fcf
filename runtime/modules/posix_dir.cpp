// The module posix: directories and names. scandir() and its entries, making, removing and renaming, links, the current
// directory.
#include "modules/posix.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

namespace amphis::posix {
namespace {

bool is_dot(const char* name) { return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)); }

DIR* open_directory(const Path& path) {
  return detached([&]() -> DIR* {
    if (path.fd < 0) return ::opendir(path.text == nullptr ? "." : path.text);
    const int fd = ::fcntl(path.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return nullptr;
    DIR* dir = ::fdopendir(fd);
    if (dir == nullptr) {
      const int error = errno;
      ::close(fd);
      errno = error;
    }
    return dir;
  });
}

// The duplicate shares its position with the caller's descriptor, which is to be found at the start again.
void close_directory(DIR* dir, bool rewind) {
  const int error = errno;
  Detached away;
  if (rewind) ::rewinddir(dir);
  ::closedir(dir);
  errno = error;
}

AMPHIS_POSIX_FUNCTION(listdir_, "listdir", 1, 0, "path") {
  Path path;
  if (!path.parse("listdir", "path", a[0], Path::kFd | Path::kNone)) return nullptr;
  if (PySys_Audit("os.listdir", "O", path.object ? path.object : Py_None) < 0) return nullptr;
  DIR* dir = open_directory(path);
  if (dir == nullptr) return raise_path(path);
  PyObject* names = PyList_New(0);
  int error = 0;
  while (names != nullptr) {
    const struct dirent* entry = detached([&] {
      errno = 0;
      return ::readdir(dir);
    });
    if (entry == nullptr) {
      error = errno;
      break;
    }
    if (is_dot(entry->d_name)) continue;
    Ref<> name = Ref<>::steal(path.bytes ? PyBytes_FromString(entry->d_name) : PyUnicode_DecodeFSDefault(entry->d_name));
    if (!name || PyList_Append(names, name.get()) < 0) Py_CLEAR(names);
  }
  close_directory(dir, path.fd >= 0);
  if (names != nullptr && error != 0) {
    Py_DECREF(names);
    errno = error;
    return raise_path(path);
  }
  return names;
}

// ---- DirEntry ----

struct Entry {
  PyObject_HEAD
  PyObject* name;
  PyObject* path;
  PyObject* stat;   // cached; null: not asked
  PyObject* lstat;
  ino_t inode;
  int dir_fd;
  unsigned char type;
};
Entry* as_entry(PyObject* op) { return reinterpret_cast<Entry*>(op); }

PyTypeObject entry_type;
PyTypeObject iterator_type;

PyObject* fetch_stat(Entry* self, bool follow) {
  Path path;
  if (self->dir_fd >= 0) {
    if (!path.parse("stat", "path", self->name)) return nullptr;
  } else if (!path.parse("stat", "path", self->path)) {
    return nullptr;
  }
  path.object = self->path;
  struct stat st;
  const int dir = self->dir_fd >= 0 ? self->dir_fd : AT_FDCWD;
  if (detached([&] { return ::fstatat(dir, path.text, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW); }) < 0)
    return raise_path(path);
  return stat_object(st);
}

PyObject* entry_lstat(Entry* self) {
  ObjectLock lock(self);
  if (self->lstat == nullptr) self->lstat = fetch_stat(self, false);
  return Py_XNewRef(self->lstat);
}

PyObject* entry_stat_object(Entry* self, bool follow) {
  if (!follow || (self->type != DT_LNK && self->type != DT_UNKNOWN)) return entry_lstat(self);
  if (self->type == DT_UNKNOWN) {
    Ref<> own = Ref<>::steal(entry_lstat(self));
    if (!own) return nullptr;
    const long mode = PyLong_AsLong(PyStructSequence_GetItem(own.get(), 0));
    if (!S_ISLNK(mode)) return own.release();
  }
  ObjectLock lock(self);
  if (self->stat == nullptr) self->stat = fetch_stat(self, true);
  return Py_XNewRef(self->stat);
}

// 1 or 0, or -1 with an exception. A file that is gone has no type.
int has_mode(Entry* self, bool follow, mode_t wanted) {
  const bool link = self->type == DT_LNK;
  if (self->type != DT_UNKNOWN && !(follow && link)) {
    if (wanted == S_IFDIR) return self->type == DT_DIR;
    if (wanted == S_IFREG) return self->type == DT_REG;
    return link;
  }
  Ref<> result = Ref<>::steal(entry_stat_object(self, follow));
  if (!result) {
    if (!PyErr_ExceptionMatches(PyExc_FileNotFoundError)) return -1;
    PyErr_Clear();
    return 0;
  }
  const long mode = PyLong_AsLong(PyStructSequence_GetItem(result.get(), 0));
  if (mode == -1 && PyErr_Occurred()) return -1;
  return (static_cast<mode_t>(mode) & S_IFMT) == wanted;
}

bool follow_argument(const char* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, bool* follow) {
  static const char* const names[] = {"follow_symlinks"};
  const Parameters parameters{function, names, 1, 0, 0, 0};
  PyObject* given[1];
  *follow = true;
  return bind_arguments(parameters, args, nargs, kwnames, given) && to_bool(given[0], follow);
}

PyObject* entry_is_dir(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  bool follow;
  if (!follow_argument("is_dir", args, nargs, kwnames, &follow)) return nullptr;
  const int result = has_mode(as_entry(op), follow, S_IFDIR);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}
PyObject* entry_is_file(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  bool follow;
  if (!follow_argument("is_file", args, nargs, kwnames, &follow)) return nullptr;
  const int result = has_mode(as_entry(op), follow, S_IFREG);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}
PyObject* entry_is_symlink(PyObject* op, PyObject*) {
  const int result = has_mode(as_entry(op), false, S_IFLNK);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}
PyObject* entry_is_junction(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* entry_inode(PyObject* op, PyObject*) { return PyLong_FromUnsignedLongLong(as_entry(op)->inode); }
PyObject* entry_fspath(PyObject* op, PyObject*) { return Py_NewRef(as_entry(op)->path); }
PyObject* entry_stat(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  bool follow;
  if (!follow_argument("stat", args, nargs, kwnames, &follow)) return nullptr;
  return entry_stat_object(as_entry(op), follow);
}
PyObject* entry_repr(PyObject* op) { return PyUnicode_FromFormat("<DirEntry %R>", as_entry(op)->name); }

void entry_dealloc(PyObject* op) {
  Entry* self = as_entry(op);
  Py_XDECREF(self->name);
  Py_XDECREF(self->path);
  Py_XDECREF(self->stat);
  Py_XDECREF(self->lstat);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef entry_methods[] = {
    {"is_dir", AMPHIS_METHOD(entry_is_dir), METH_FASTCALL | METH_KEYWORDS,
     "is_dir($self, /, *, follow_symlinks=True)\n--\n\nWhether the entry is a directory."},
    {"is_file", AMPHIS_METHOD(entry_is_file), METH_FASTCALL | METH_KEYWORDS,
     "is_file($self, /, *, follow_symlinks=True)\n--\n\nWhether the entry is a regular file."},
    {"is_symlink", entry_is_symlink, METH_NOARGS, "is_symlink($self, /)\n--\n\nWhether the entry is a symbolic link."},
    {"is_junction", entry_is_junction, METH_NOARGS, "is_junction($self, /)\n--\n\nNever, on this system."},
    {"stat", AMPHIS_METHOD(entry_stat), METH_FASTCALL | METH_KEYWORDS,
     "stat($self, /, *, follow_symlinks=True)\n--\n\nThe result of stat(), kept."},
    {"inode", entry_inode, METH_NOARGS, "inode($self, /)\n--\n\nThe number of the entry's inode."},
    {"__fspath__", entry_fspath, METH_NOARGS, "__fspath__($self, /)\n--\n\nThe path."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};
PyMemberDef entry_members[] = {
    {"name", Py_T_OBJECT_EX, offsetof(Entry, name), Py_READONLY, "the name, relative to scandir()'s path"},
    {"path", Py_T_OBJECT_EX, offsetof(Entry, path), Py_READONLY, "scandir()'s path with the name"},
    {},
};

// ---- scandir ----

struct Iterator {
  PyObject_HEAD
  DIR* dir;          // null: closed
  PyObject* prefix;  // str or bytes before names; null: none
  int fd;            // of the caller, or -1
  bool bytes;
};
Iterator* as_iterator(PyObject* op) { return reinterpret_cast<Iterator*>(op); }

void close_iterator(Iterator* self) {
  DIR* dir;
  {
    ObjectLock lock(self);
    dir = self->dir;
    self->dir = nullptr;
  }
  if (dir != nullptr) close_directory(dir, self->fd >= 0);
}

PyObject* make_entry(Iterator* self, const char* name, ino_t inode, unsigned char type) {
  auto* entry = reinterpret_cast<Entry*>(entry_type.tp_alloc(&entry_type, 0));
  if (entry == nullptr) return nullptr;
  Ref<> holder = Ref<>::steal(reinterpret_cast<PyObject*>(entry));
  entry->inode = inode;
  entry->type = type;
  entry->dir_fd = self->fd;
  entry->name = self->bytes ? PyBytes_FromString(name) : PyUnicode_DecodeFSDefault(name);
  if (entry->name == nullptr) return nullptr;
  if (self->prefix == nullptr) {
    entry->path = Py_NewRef(entry->name);
  } else if (self->bytes) {
    entry->path = Py_NewRef(self->prefix);
    PyBytes_Concat(&entry->path, entry->name);
  } else {
    entry->path = PyUnicode_Concat(self->prefix, entry->name);
  }
  return entry->path == nullptr ? nullptr : holder.release();
}

PyObject* iterator_next(PyObject* op) {
  Iterator* self = as_iterator(op);
  for (;;) {
    const struct dirent* entry;
    char name[NAME_MAX + 1];
    ino_t inode = 0;
    unsigned char type = DT_UNKNOWN;
    {
      ObjectLock lock(op);
      if (self->dir == nullptr) return nullptr;
      errno = 0;
      // Attached: the entry's memory belongs to the stream, which another thread may advance.
      entry = ::readdir(self->dir);
      if (entry != nullptr) {
        snprintf(name, sizeof name, "%s", entry->d_name);
        inode = entry->d_ino;
        type = entry->d_type;
      }
    }
    if (entry == nullptr) {
      const int error = errno;
      close_iterator(self);
      errno = error;
      if (error != 0) raise_errno();
      return nullptr;
    }
    if (!is_dot(name)) return make_entry(self, name, inode, type);
  }
}

PyObject* iterator_close(PyObject* op, PyObject*) {
  close_iterator(as_iterator(op));
  Py_RETURN_NONE;
}
PyObject* iterator_enter(PyObject* op, PyObject*) { return Py_NewRef(op); }
PyObject* iterator_exit(PyObject* op, PyObject* const*, Py_ssize_t) {
  close_iterator(as_iterator(op));
  Py_RETURN_NONE;
}

void iterator_finalize(PyObject* op) {
  if (as_iterator(op)->dir == nullptr) return;
  Ref<> pending = Ref<>::steal(PyErr_GetRaisedException());
  if (PyErr_ResourceWarning(op, 1, "unclosed scandir iterator %R", op) < 0) {
    if (PyErr_ExceptionMatches(PyExc_Warning)) PyErr_FormatUnraisable("Exception ignored while finalizing scandir iterator %R", op);
  }
  close_iterator(as_iterator(op));
  PyErr_SetRaisedException(pending.release());
}

void iterator_dealloc(PyObject* op) {
  if (PyObject_CallFinalizerFromDealloc(op) < 0) return;
  Py_XDECREF(as_iterator(op)->prefix);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef iterator_methods[] = {
    {"__enter__", iterator_enter, METH_NOARGS, nullptr},
    {"__exit__", AMPHIS_METHOD(iterator_exit), METH_FASTCALL, nullptr},
    {"close", iterator_close, METH_NOARGS, nullptr},
    {},
};

// What comes before the names in entries' paths: the path and a slash.
PyObject* make_prefix(const Path& path) {
  const bool slash = path.length > 0 && path.text[path.length - 1] != '/';
  if (path.bytes) {
    PyObject* prefix = PyBytes_FromStringAndSize(path.text, path.length + slash);
    if (prefix != nullptr && slash) PyBytes_AS_STRING(prefix)[path.length] = '/';
    return prefix;
  }
  Ref<> text = Ref<>::steal(PyUnicode_DecodeFSDefaultAndSize(path.text, path.length));
  return text && slash ? PyUnicode_FromFormat("%U/", text.get()) : text.release();
}

AMPHIS_POSIX_FUNCTION(scandir_, "scandir", 1, 0, "path") {
  Path path;
  if (!path.parse("scandir", "path", a[0], Path::kFd | Path::kNone)) return nullptr;
  if (PySys_Audit("os.scandir", "O", path.object ? path.object : Py_None) < 0) return nullptr;
  auto* self = reinterpret_cast<Iterator*>(iterator_type.tp_alloc(&iterator_type, 0));
  if (self == nullptr) return nullptr;
  Ref<> holder = Ref<>::steal(reinterpret_cast<PyObject*>(self));
  self->fd = path.fd;
  self->bytes = path.bytes;
  if (path.fd < 0) {
    self->prefix = path.text == nullptr ? PyUnicode_FromString("./") : make_prefix(path);
    if (self->prefix == nullptr) return nullptr;
  }
  self->dir = open_directory(path);
  if (self->dir == nullptr) return path.fd >= 0 ? raise_errno() : raise_path(path);
  return holder.release();
}

// ---- making, removing, renaming ----

AMPHIS_POSIX_FUNCTION(mkdir_, "mkdir", 2, 1, "path", "mode", "dir_fd") {
  Path path;
  int mode = 0777, dir_fd;
  if (!path.parse("mkdir", "path", a[0]) || !to_int(a[1], &mode) || !to_dir_fd(a[2], &dir_fd)) return nullptr;
  if (PySys_Audit("os.mkdir", "Oii", path.object, mode, dir_fd == AT_FDCWD ? -1 : dir_fd) < 0) return nullptr;
  return call_path(path, [&] { return ::mkdirat(dir_fd, path.text, static_cast<mode_t>(mode)); });
}

PyObject* remove_name(const char* function, PyObject* const* a, int flags, const char* event) {
  Path path;
  int dir_fd;
  if (!path.parse(function, "path", a[0]) || !to_dir_fd(a[1], &dir_fd)) return nullptr;
  if (PySys_Audit(event, "Oi", path.object, dir_fd == AT_FDCWD ? -1 : dir_fd) < 0) return nullptr;
  return call_path(path, [&] { return ::unlinkat(dir_fd, path.text, flags); });
}
AMPHIS_POSIX_FUNCTION(rmdir_, "rmdir", 1, 1, "path", "dir_fd") {
  return remove_name("rmdir", a, AT_REMOVEDIR, "os.rmdir");
}
AMPHIS_POSIX_FUNCTION(unlink_, "unlink", 1, 1, "path", "dir_fd") { return remove_name("unlink", a, 0, "os.remove"); }
AMPHIS_POSIX_FUNCTION(remove_, "remove", 1, 1, "path", "dir_fd") { return remove_name("remove", a, 0, "os.remove"); }

PyObject* rename_to(const char* function, PyObject* const* a) {
  Path from, to;
  int from_fd, to_fd;
  if (!from.parse(function, "src", a[0]) || !to.parse(function, "dst", a[1]) || !to_dir_fd(a[2], &from_fd) ||
      !to_dir_fd(a[3], &to_fd))
    return nullptr;
  if (PySys_Audit("os.rename", "OOii", from.object, to.object, from_fd == AT_FDCWD ? -1 : from_fd,
                  to_fd == AT_FDCWD ? -1 : to_fd) < 0)
    return nullptr;
  if (detached([&] { return ::renameat(from_fd, from.text, to_fd, to.text); }) < 0) return raise_paths(from, to);
  Py_RETURN_NONE;
}
AMPHIS_POSIX_FUNCTION(rename_, "rename", 2, 2, "src", "dst", "src_dir_fd", "dst_dir_fd") {
  return rename_to("rename", a);
}
AMPHIS_POSIX_FUNCTION(replace_, "replace", 2, 2, "src", "dst", "src_dir_fd", "dst_dir_fd") {
  return rename_to("replace", a);
}

AMPHIS_POSIX_FUNCTION(link_, "link", 2, 2, "src", "dst", "src_dir_fd", "dst_dir_fd", "follow_symlinks") {
  Path from, to;
  int from_fd, to_fd;
  bool follow = true;
  if (!from.parse("link", "src", a[0]) || !to.parse("link", "dst", a[1]) || !to_dir_fd(a[2], &from_fd) ||
      !to_dir_fd(a[3], &to_fd) || !to_bool(a[4], &follow))
    return nullptr;
  if (PySys_Audit("os.link", "OOii", from.object, to.object, from_fd == AT_FDCWD ? -1 : from_fd,
                  to_fd == AT_FDCWD ? -1 : to_fd) < 0)
    return nullptr;
  const int flags = follow ? AT_SYMLINK_FOLLOW : 0;
  if (detached([&] { return ::linkat(from_fd, from.text, to_fd, to.text, flags); }) < 0) return raise_paths(from, to);
  Py_RETURN_NONE;
}

AMPHIS_POSIX_FUNCTION(symlink_, "symlink", 3, 2, "src", "dst", "target_is_directory", "dir_fd") {
  Path from, to;
  int dir_fd;
  bool directory = false;
  if (!from.parse("symlink", "src", a[0]) || !to.parse("symlink", "dst", a[1]) || !to_bool(a[2], &directory) ||
      !to_dir_fd(a[3], &dir_fd))
    return nullptr;
  if (PySys_Audit("os.symlink", "OOi", from.object, to.object, dir_fd == AT_FDCWD ? -1 : dir_fd) < 0) return nullptr;
  if (detached([&] { return ::symlinkat(from.text, dir_fd, to.text); }) < 0) return raise_paths(from, to);
  Py_RETURN_NONE;
}

AMPHIS_POSIX_FUNCTION(readlink_, "readlink", 1, 1, "path", "dir_fd") {
  Path path;
  int dir_fd;
  if (!path.parse("readlink", "path", a[0]) || !to_dir_fd(a[1], &dir_fd)) return nullptr;
  char target[PATH_MAX + 1];
  const ssize_t n = detached([&] { return ::readlinkat(dir_fd, path.text, target, PATH_MAX); });
  if (n < 0) return raise_path(path);
  return path.bytes ? PyBytes_FromStringAndSize(target, n) : PyUnicode_DecodeFSDefaultAndSize(target, n);
}

AMPHIS_POSIX_FUNCTION(mkfifo_, "mkfifo", 2, 1, "path", "mode", "dir_fd") {
  Path path;
  int mode = 0666, dir_fd;
  if (!path.parse("mkfifo", "path", a[0]) || !to_int(a[1], &mode) || !to_dir_fd(a[2], &dir_fd)) return nullptr;
  return call_fd([&] { return ::mkfifoat(dir_fd, path.text, static_cast<mode_t>(mode)); });
}

AMPHIS_POSIX_FUNCTION(mknod_, "mknod", 3, 1, "path", "mode", "device", "dir_fd") {
  Path path;
  int mode = 0600, dir_fd;
  off_t device = 0;
  if (!path.parse("mknod", "path", a[0]) || !to_int(a[1], &mode) || !to_offset(a[2], &device) ||
      !to_dir_fd(a[3], &dir_fd))
    return nullptr;
  return call_fd([&] { return ::mknodat(dir_fd, path.text, static_cast<mode_t>(mode), static_cast<dev_t>(device)); });
}

AMPHIS_POSIX_FUNCTION(truncate_, "truncate", 2, 2, "path", "length") {
  Path path;
  off_t length = 0;
  if (!path.parse("truncate", "path", a[0], Path::kFd) || !to_offset(a[1], &length)) return nullptr;
  if (path.text == nullptr) return call_fd([&] { return ::ftruncate(path.fd, length); });
  if (PySys_Audit("os.truncate", "On", path.object, static_cast<Py_ssize_t>(length)) < 0) return nullptr;
  return call_path(path, [&] { return ::truncate(path.text, length); });
}

// ---- the current directory ----

AMPHIS_POSIX_FUNCTION(chdir_, "chdir", 1, 1, "path") {
  Path path;
  if (!path.parse("chdir", "path", a[0], Path::kFd)) return nullptr;
  if (PySys_Audit("os.chdir", "(O)", path.object) < 0) return nullptr;
  return call_path(path, [&] { return path.text == nullptr ? ::fchdir(path.fd) : ::chdir(path.text); });
}
AMPHIS_POSIX_FUNCTION(fchdir_, "fchdir", 1, 1, "fd") {
  int fd;
  if (!to_fd(a[0], &fd)) return nullptr;
  return call_fd([&] { return ::fchdir(fd); });
}
AMPHIS_POSIX_FUNCTION(chroot_, "chroot", 1, 1, "path") {
  Path path;
  if (!path.parse("chroot", "path", a[0])) return nullptr;
  return call_path(path, [&] { return ::chroot(path.text); });
}

PyObject* current_directory(bool bytes) {
  char* text = detached([] { return ::getcwd(nullptr, 0); });
  if (text == nullptr) return raise_errno();
  PyObject* result = bytes ? PyBytes_FromString(text) : PyUnicode_DecodeFSDefault(text);
  free(text);
  return result;
}
PyObject* getcwd_(PyObject*, PyObject*) { return current_directory(false); }
PyObject* getcwdb_(PyObject*, PyObject*) { return current_directory(true); }

// ---- limits of paths ----

#define AMPHIS_PC(name) {"PC_" #name, _PC_##name}
struct Name {
  const char* name;
  int value;
};
constexpr Name kPathNames[] = {
    AMPHIS_PC(ASYNC_IO),       AMPHIS_PC(CHOWN_RESTRICTED),     AMPHIS_PC(FILESIZEBITS),      AMPHIS_PC(LINK_MAX),
    AMPHIS_PC(MAX_CANON),      AMPHIS_PC(MAX_INPUT),            AMPHIS_PC(NAME_MAX),          AMPHIS_PC(NO_TRUNC),
    AMPHIS_PC(PATH_MAX),       AMPHIS_PC(PIPE_BUF),             AMPHIS_PC(PRIO_IO),           AMPHIS_PC(SOCK_MAXBUF),
    AMPHIS_PC(SYNC_IO),        AMPHIS_PC(VDISABLE),             AMPHIS_PC(ALLOC_SIZE_MIN),    AMPHIS_PC(REC_INCR_XFER_SIZE),
    AMPHIS_PC(REC_MAX_XFER_SIZE), AMPHIS_PC(REC_MIN_XFER_SIZE), AMPHIS_PC(REC_XFER_ALIGN),    AMPHIS_PC(SYMLINK_MAX),
};

bool path_name(PyObject* name, int* result) {
  if (!PyUnicode_Check(name)) {
    if (PyLong_Check(name)) return to_int(name, result);
    PyErr_SetString(PyExc_TypeError, "configuration names must be strings or integers");
    return false;
  }
  for (const Name& known : kPathNames) {
    if (PyUnicode_EqualToUTF8(name, known.name)) {
      *result = known.value;
      return true;
    }
  }
  PyErr_SetString(PyExc_ValueError, "unrecognized configuration name");
  return false;
}

PyObject* limit_result(long value, const Path* path) {
  if (value == -1 && errno != 0) return path != nullptr && errno != EINVAL ? raise_path(*path) : raise_errno();
  return PyLong_FromLong(value);
}

AMPHIS_POSIX_FUNCTION(pathconf_, "pathconf", 2, 2, "path", "name") {
  Path path;
  int name = 0;
  if (!path.parse("pathconf", "path", a[0], Path::kFd) || !path_name(a[1], &name)) return nullptr;
  errno = 0;
  return limit_result(path.text == nullptr ? ::fpathconf(path.fd, name) : ::pathconf(path.text, name), &path);
}
PyObject* fpathconf_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd, name = 0;
  if (!check_positional("fpathconf", nargs, 2, 2) || !to_fd(args[0], &fd) || !path_name(args[1], &name)) return nullptr;
  errno = 0;
  return limit_result(::fpathconf(fd, name), nullptr);
}

}  // namespace

PyMethodDef dir_methods[] = {
    AMPHIS_POSIX_ENTRY(listdir_, "listdir($module, /, path=None)", "The names in a directory, in no order."),
    AMPHIS_POSIX_ENTRY(scandir_, "scandir($module, /, path=None)", "An iterator over the entries of a directory."),
    AMPHIS_POSIX_ENTRY(mkdir_, "mkdir($module, /, path, mode=511, *, dir_fd=None)", "Make a directory."),
    AMPHIS_POSIX_ENTRY(rmdir_, "rmdir($module, /, path, *, dir_fd=None)", "Remove an empty directory."),
    AMPHIS_POSIX_ENTRY(unlink_, "unlink($module, /, path, *, dir_fd=None)", "Remove a name of a file."),
    AMPHIS_POSIX_ENTRY(remove_, "remove($module, /, path, *, dir_fd=None)", "Remove a name of a file."),
    AMPHIS_POSIX_ENTRY(rename_, "rename($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None)", "Rename."),
    AMPHIS_POSIX_ENTRY(replace_, "replace($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None)",
                       "Rename, over an existing file too."),
    AMPHIS_POSIX_ENTRY(link_,
                       "link($module, /, src, dst, *, src_dir_fd=None, dst_dir_fd=None,\n"
                       "     follow_symlinks=(os.name != 'nt'))",
                       "Give a file another name."),
    AMPHIS_POSIX_ENTRY(symlink_, "symlink($module, /, src, dst, target_is_directory=False, *, dir_fd=None)",
                       "Make a symbolic link at dst that points to src."),
    AMPHIS_POSIX_ENTRY(readlink_, "readlink($module, /, path, *, dir_fd=None)", "What a symbolic link points to."),
    AMPHIS_POSIX_ENTRY(mkfifo_, "mkfifo($module, /, path, mode=438, *, dir_fd=None)", "Make a named pipe."),
    AMPHIS_POSIX_ENTRY(mknod_, "mknod($module, /, path, mode=384, device=0, *, dir_fd=None)", "Make a node."),
    AMPHIS_POSIX_ENTRY(truncate_, "truncate($module, /, path, length)", "Cut a file at a length."),
    AMPHIS_POSIX_ENTRY(chdir_, "chdir($module, /, path)", "Change the current directory."),
    AMPHIS_POSIX_ENTRY(fchdir_, "fchdir($module, /, fd)", "Change the current directory to an open one."),
    AMPHIS_POSIX_ENTRY(chroot_, "chroot($module, /, path)", "Change the root directory."),
    {"getcwd", getcwd_, METH_NOARGS, "getcwd($module, /)\n--\n\nThe current directory."},
    {"getcwdb", getcwdb_, METH_NOARGS, "getcwdb($module, /)\n--\n\nThe current directory as bytes."},
    AMPHIS_POSIX_ENTRY(pathconf_, "pathconf($module, /, path, name)", "A limit of a path."),
    {"fpathconf", AMPHIS_METHOD(fpathconf_), METH_FASTCALL, "fpathconf($module, fd, name, /)\n--\n\nA limit of an open file."},
    {},
};

int add_dir(PyObject* module) {
  if (entry_type.tp_name == nullptr) {
    entry_type = PyTypeObject{
        .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
        .tp_name = "posix.DirEntry",
        .tp_basicsize = sizeof(Entry),
        .tp_dealloc = entry_dealloc,
        .tp_repr = entry_repr,
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .tp_methods = entry_methods,
        .tp_members = entry_members,
        .tp_alloc = PyType_GenericAlloc,
        .tp_free = PyObject_Free,
    };
    iterator_type = PyTypeObject{
        .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
        .tp_name = "posix.ScandirIterator",
        .tp_basicsize = sizeof(Iterator),
        .tp_dealloc = iterator_dealloc,
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .tp_iter = PyObject_SelfIter,
        .tp_iternext = iterator_next,
        .tp_methods = iterator_methods,
        .tp_alloc = PyType_GenericAlloc,
        .tp_free = PyObject_Free,
        .tp_finalize = iterator_finalize,
    };
  }
  if (PyType_Ready(&iterator_type) < 0 || PyModule_AddType(module, &entry_type) < 0) return -1;
  Ref<> names = Ref<>::steal(PyDict_New());
  if (!names) return -1;
  for (const Name& known : kPathNames) {
    Ref<> value = Ref<>::steal(PyLong_FromLong(known.value));
    if (!value || PyDict_SetItemString(names.get(), known.name, value.get()) < 0) return -1;
  }
  return PyModule_AddObjectRef(module, "pathconf_names", names.get());
}

}  // namespace amphis::posix
