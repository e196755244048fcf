// The module mmap: files and anonymous memory as mutable bytes.
//
// A map with exported buffers is neither moved nor closed. Methods run under the object's critical section and convert
// their arguments, which may run Python code, before they look at the map.
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace {

using ext::Buffer;
using ext::Ref;

enum Access { kDefault, kRead, kWrite, kCopy };

struct Map {
  PyObject_HEAD
  char* data;  // null: closed
  Py_ssize_t size, pos, exports;
  off_t offset;
  int fd;
  Access access;
  bool track_fd, shared;
  PyObject* weakrefs;
};

Map* self_of(PyObject* object) { return reinterpret_cast<Map*>(object); }

bool valid(Map* self) {
  if (self->data != nullptr) return true;
  PyErr_SetString(PyExc_ValueError, "mmap closed or invalid");
  return false;
}
bool writable(Map* self) {
  if (self->access != kRead) return true;
  PyErr_SetString(PyExc_TypeError, "mmap can't modify a readonly memory map.");
  return false;
}
bool resizable(Map* self) {
  if (self->exports > 0) {
    PyErr_SetString(PyExc_BufferError, "mmap can't resize with extant pointers exported.");
    return false;
  }
  if (!self->track_fd) {
    PyErr_SetString(PyExc_ValueError, "mmap can't resize with trackfd=False.");
    return false;
  }
  if (self->access == kDefault || self->access == kWrite) return true;
  PyErr_SetString(PyExc_TypeError, "mmap can't resize a readonly or copy-on-write memory map.");
  return false;
}

void unmap(Map* self) {
  char* data = std::exchange(self->data, nullptr);
  const int fd = std::exchange(self->fd, -1);
  const Py_ssize_t size = self->size;
  ext::Away away;
  if (fd >= 0) close(fd);
  if (data != nullptr) munmap(data, static_cast<size_t>(size));
}

PyObject* map_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"fileno", "length", "flags", "prot", "access", "offset", "trackfd", nullptr};
  int fd, flags = MAP_SHARED, prot = PROT_READ | PROT_WRITE, access = kDefault, track_fd = 1;
  Py_ssize_t size;
  long long offset = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "in|iiiL$p", const_cast<char**>(keywords), &fd, &size, &flags, &prot,
                                   &access, &offset, &track_fd))
    return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_OverflowError, "memory mapped length must be positive");
    return nullptr;
  }
  if (offset < 0) {
    PyErr_SetString(PyExc_OverflowError, "memory mapped offset must be positive");
    return nullptr;
  }
  if (access != kDefault && (flags != MAP_SHARED || prot != (PROT_READ | PROT_WRITE))) {
    PyErr_SetString(PyExc_ValueError, "mmap can't specify both access and flags, prot.");
    return nullptr;
  }
  switch (access) {
    case kRead: prot = PROT_READ; break;
    case kWrite: break;
    case kCopy: flags = MAP_PRIVATE; break;
    case kDefault:
      if ((prot & PROT_READ) && (prot & PROT_WRITE)) break;
      access = prot & PROT_WRITE ? kWrite : kRead;
      break;
    default: PyErr_SetString(PyExc_ValueError, "mmap invalid access parameter."); return nullptr;
  }
  if (PySys_Audit("mmap.__new__", "iniL", fd, size, access, offset) < 0) return nullptr;
  struct stat status;
  bool is_file = false;
  if (fd != -1) {
    ext::Away away;
    is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  }
  if (is_file) {
    if (size == 0) {
      if (status.st_size == 0) {
        PyErr_SetString(PyExc_ValueError, "cannot mmap an empty file");
        return nullptr;
      }
      if (offset >= status.st_size) {
        PyErr_SetString(PyExc_ValueError, "mmap offset is greater than file size");
        return nullptr;
      }
      size = static_cast<Py_ssize_t>(status.st_size - offset);
    } else if (offset > status.st_size || status.st_size - offset < size) {
      PyErr_SetString(PyExc_ValueError, "mmap length is greater than file size");
      return nullptr;
    }
  }
  Ref made(type->tp_alloc(type, 0));
  if (!made) return nullptr;
  Map* self = self_of(made.get());
  self->size = size;
  self->offset = offset;
  self->fd = -1;
  self->access = static_cast<Access>(access);
  self->track_fd = track_fd;
  self->shared = (flags & MAP_SHARED) != 0;
  if (fd == -1) {
    flags |= MAP_ANONYMOUS;
  } else if (track_fd) {
    self->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (self->fd < 0) return PyErr_SetFromErrno(PyExc_OSError);
  }
  void* data;
  int error;
  {
    ext::Away away;
    data = mmap(nullptr, static_cast<size_t>(size), prot, flags, fd, offset);
    error = errno;
  }
  if (data == MAP_FAILED) {
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  self->data = static_cast<char*>(data);
  return made.release();
}

void map_dealloc(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  Map* self = self_of(object);
  if (__atomic_load_n(&self->weakrefs, __ATOMIC_ACQUIRE) != nullptr) PyObject_ClearWeakRefs(object);
  unmap(self);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* map_close(PyObject* object, PyObject*) {
  Map* self = self_of(object);
  if (self->exports > 0) {
    PyErr_SetString(PyExc_BufferError, "cannot close exported pointers exist");
    return nullptr;
  }
  unmap(self);
  Py_RETURN_NONE;
}

// ---- reading and writing at the position ----

PyObject* map_read_byte(PyObject* object, PyObject*) {
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  if (self->pos < self->size) return PyLong_FromLong(static_cast<unsigned char>(self->data[self->pos++]));
  PyErr_SetString(PyExc_ValueError, "read byte out of range");
  return nullptr;
}

PyObject* take(Map* self, Py_ssize_t n) {
  Ref result(PyBytes_FromStringAndSize(self->data + std::min(self->pos, self->size), n));
  if (result) self->pos += n;
  return result.release();
}
Py_ssize_t remaining(Map* self) { return std::max<Py_ssize_t>(self->size - self->pos, 0); }

PyObject* map_readline(PyObject* object, PyObject*) {
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  const Py_ssize_t left = remaining(self);
  if (left == 0) return PyBytes_FromStringAndSize("", 0);
  const char* start = self->data + self->pos;
  const void* end = memchr(start, '\n', static_cast<size_t>(left));
  return take(self, end == nullptr ? left : static_cast<const char*>(end) - start + 1);
}

// None or an index.
bool to_size(PyObject* object, Py_ssize_t* n) {
  if (object == Py_None) return true;
  Ref index(_PyNumber_Index(object));
  if (!index) return false;
  *n = PyLong_AsSsize_t(index.get());
  return !(*n == -1 && PyErr_Occurred());
}

PyObject* map_read(PyObject* object, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = PY_SSIZE_T_MAX;
  if (!ext::check_positional("read", nargs, 0, 1)) return nullptr;
  if (nargs == 1) {
    if (args[0] != Py_None && !PyIndex_Check(args[0])) {
      PyErr_Format(PyExc_TypeError, "argument should be integer or None, not '%s'", Py_TYPE(args[0])->tp_name);
      return nullptr;
    }
    if (!to_size(args[0], &n)) return nullptr;
  }
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  const Py_ssize_t left = remaining(self);
  return take(self, n < 0 || n > left ? left : n);
}

PyObject* search(PyObject* object, const char* name, PyObject* const* args, Py_ssize_t nargs, bool reverse) {
  if (!ext::check_positional(name, nargs, 1, 3)) return nullptr;
  Buffer wanted;
  if (!wanted.get(args[0])) return nullptr;
  Map* self = self_of(object);
  Py_ssize_t start = 0, end = 0;
  const bool has_start = nargs > 1 && args[1] != Py_None, has_end = nargs > 2 && args[2] != Py_None;
  if ((has_start && !to_size(args[1], &start)) || (has_end && !to_size(args[2], &end))) return nullptr;
  if (!valid(self)) return nullptr;
  if (!has_start) start = self->pos;
  if (!has_end) end = self->size;
  const auto clamp = [&](Py_ssize_t i) { return std::clamp<Py_ssize_t>(i < 0 ? i + self->size : i, 0, self->size); };
  start = clamp(start);
  end = clamp(end);
  const Py_ssize_t n = wanted.size();
  if (end - start < n) return PyLong_FromLong(-1);
  if (!reverse) {
    const void* found = n == 0 ? self->data + start
                               : memmem(self->data + start, static_cast<size_t>(end - start), wanted.data(),
                                        static_cast<size_t>(n));
    return PyLong_FromSsize_t(found == nullptr ? -1 : static_cast<const char*>(found) - self->data);
  }
  for (Py_ssize_t i = end - n; i >= start; i--) {
    if (memcmp(self->data + i, wanted.data(), static_cast<size_t>(n)) == 0) return PyLong_FromSsize_t(i);
  }
  return PyLong_FromLong(-1);
}
PyObject* map_find(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  return search(self, "find", args, nargs, false);
}
PyObject* map_rfind(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  return search(self, "rfind", args, nargs, true);
}

PyObject* map_write(PyObject* object, PyObject* source) {
  Buffer data;
  if (!data.get(source)) return nullptr;
  Map* self = self_of(object);
  if (!valid(self) || !writable(self)) return nullptr;
  if (self->pos > self->size || self->size - self->pos < data.size()) {
    PyErr_SetString(PyExc_ValueError, "data out of range");
    return nullptr;
  }
  memcpy(self->data + self->pos, data.data(), static_cast<size_t>(data.size()));
  self->pos += data.size();
  return PyLong_FromSsize_t(data.size());
}

PyObject* map_write_byte(PyObject* object, PyObject* args) {
  unsigned char value;
  if (!PyArg_ParseTuple(args, "b:write_byte", &value)) return nullptr;
  Map* self = self_of(object);
  if (!valid(self) || !writable(self)) return nullptr;
  if (self->pos >= self->size) {
    PyErr_SetString(PyExc_ValueError, "write byte out of range");
    return nullptr;
  }
  self->data[self->pos++] = static_cast<char>(value);
  Py_RETURN_NONE;
}

PyObject* map_tell(PyObject* object, PyObject*) {
  Map* self = self_of(object);
  return valid(self) ? PyLong_FromSsize_t(self->pos) : nullptr;
}

PyObject* map_seek(PyObject* object, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t distance = 0;
  int whence = 0;
  if (!ext::check_positional("seek", nargs, 1, 2)) return nullptr;
  Ref index(_PyNumber_Index(args[0]));
  if (!index) return nullptr;
  distance = PyLong_AsSsize_t(index.get());
  if ((distance == -1 && PyErr_Occurred()) || (nargs == 2 && !ext::to_int(args[1], &whence))) return nullptr;
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  if (whence < 0 || whence > 2) {
    PyErr_SetString(PyExc_ValueError, "unknown seek type");
    return nullptr;
  }
  const Py_ssize_t base = whence == 0 ? 0 : whence == 1 ? self->pos : self->size;
  Py_ssize_t where;
  if (__builtin_add_overflow(base, distance, &where) || where < 0 || where > self->size) {
    PyErr_SetString(PyExc_ValueError, "seek out of range");
    return nullptr;
  }
  self->pos = where;
  return PyLong_FromSsize_t(where);
}

// ---- the file and the memory behind it ----

PyObject* map_size(PyObject* object, PyObject*) {
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  struct stat status;
  if (fstat(self->fd, &status) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  return PyLong_FromLongLong(status.st_size);
}

PyObject* map_resize(PyObject* object, PyObject* argument) {
  Ref index(_PyNumber_Index(argument));
  const Py_ssize_t size = index ? PyLong_AsSsize_t(index.get()) : -1;
  if (size == -1 && PyErr_Occurred()) return nullptr;
  Map* self = self_of(object);
  if (!valid(self) || !resizable(self)) return nullptr;
  if (size < 0 || PY_SSIZE_T_MAX - size < self->offset) {
    PyErr_SetString(PyExc_ValueError, "new size out of range");
    return nullptr;
  }
  if (self->fd == -1 && self->shared && size > self->size) {
    PyErr_SetString(PyExc_ValueError, "mmap: can't expand a shared anonymous mapping");
    return nullptr;
  }
  if (self->fd != -1 && ftruncate(self->fd, self->offset + size) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  void* data = mremap(self->data, static_cast<size_t>(self->size), static_cast<size_t>(size), MREMAP_MAYMOVE);
  if (data == MAP_FAILED) return PyErr_SetFromErrno(PyExc_OSError);
  self->data = static_cast<char*>(data);
  self->size = size;
  Py_RETURN_NONE;
}

PyObject* map_flush(PyObject* object, PyObject* args) {
  Py_ssize_t offset = 0;
  PyObject* size_object = Py_None;
  if (!PyArg_ParseTuple(args, "|nO:flush", &offset, &size_object)) return nullptr;
  Map* self = self_of(object);
  Py_ssize_t size = self->size - offset;
  if (!to_size(size_object, &size) || !valid(self)) return nullptr;
  if (size < 0 || offset < 0 || self->size - offset < size) {
    PyErr_SetString(PyExc_ValueError, "flush values out of range");
    return nullptr;
  }
  if (self->access == kRead || self->access == kCopy) Py_RETURN_NONE;
  if (msync(self->data + offset, static_cast<size_t>(size), MS_SYNC) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

PyObject* map_move(PyObject* object, PyObject* args) {
  Py_ssize_t to, from, count;
  if (!PyArg_ParseTuple(args, "nnn:move", &to, &from, &count)) return nullptr;
  Map* self = self_of(object);
  if (!valid(self) || !writable(self)) return nullptr;
  if (to < 0 || from < 0 || count < 0 || self->size - to < count || self->size - from < count) {
    PyErr_SetString(PyExc_ValueError, "source, destination, or count out of range");
    return nullptr;
  }
  memmove(self->data + to, self->data + from, static_cast<size_t>(count));
  Py_RETURN_NONE;
}

PyObject* map_madvise(PyObject* object, PyObject* args) {
  int option;
  Py_ssize_t start = 0;
  PyObject* length_object = nullptr;
  if (!PyArg_ParseTuple(args, "i|nO:madvise", &option, &start, &length_object)) return nullptr;
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  Py_ssize_t length = self->size;
  if (length_object != nullptr && !to_size(length_object, &length)) return nullptr;
  if (start < 0 || start >= self->size) {
    PyErr_SetString(PyExc_ValueError, "madvise start out of bounds");
    return nullptr;
  }
  if (length < 0) {
    PyErr_SetString(PyExc_ValueError, "madvise length invalid");
    return nullptr;
  }
  if (PY_SSIZE_T_MAX - start < length) {
    PyErr_SetString(PyExc_OverflowError, "madvise length too large");
    return nullptr;
  }
  length = std::min(length, self->size - start);
  if (madvise(self->data + start, static_cast<size_t>(length), option) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

PyObject* map_seekable(PyObject*, PyObject*) { Py_RETURN_TRUE; }
PyObject* map_enter(PyObject* object, PyObject*) {
  return valid(self_of(object)) ? Py_NewRef(object) : nullptr;
}
PyObject* map_exit(PyObject* object, PyObject*) { return map_close(object, nullptr); }

PyObject* map_sizeof(PyObject* object, PyObject*) {
  return PyLong_FromSsize_t(Py_TYPE(object)->tp_basicsize);
}

PyObject* map_repr(PyObject* object) {
  static const char* const names[] = {"ACCESS_DEFAULT", "ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY"};
  Map* self = self_of(object);
  const char* type = Py_TYPE(object)->tp_name;
  const char* access = names[self->access];
  if (self->data == nullptr) return PyUnicode_FromFormat("<%s closed=True>", type);
  return PyUnicode_FromFormat("<%s closed=False, access=%s, length=%zd, pos=%zd, offset=%lld>", type, access, self->size,
                              self->pos, static_cast<long long>(self->offset));
}

PyObject* get_closed(PyObject* object, void*) {
  return PyBool_FromLong(self_of(object)->data == nullptr);
}

// ---- sequence and buffer ----

Py_ssize_t map_length(PyObject* object) {
  return valid(self_of(object)) ? self_of(object)->size : -1;
}

PyObject* map_item(PyObject* object, Py_ssize_t i) {
  Map* self = self_of(object);
  if (!valid(self)) return nullptr;
  if (i >= 0 && i < self->size) return PyBytes_FromStringAndSize(self->data + i, 1);
  PyErr_SetString(PyExc_IndexError, "mmap index out of range");
  return nullptr;
}

PyObject* map_subscript(PyObject* object, PyObject* key) {
  Map* self = self_of(object);
  if (PyIndex_Check(key)) {
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    if (!valid(self)) return nullptr;
    if (i < 0) i += self->size;
    if (i >= 0 && i < self->size) return PyLong_FromLong(static_cast<unsigned char>(self->data[i]));
    PyErr_SetString(PyExc_IndexError, "mmap index out of range");
    return nullptr;
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "mmap indices must be integers");
    return nullptr;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  if (!valid(self)) return nullptr;
  const Py_ssize_t n = PySlice_AdjustIndices(self->size, &start, &stop, step);
  if (n <= 0) return PyBytes_FromStringAndSize("", 0);
  if (step == 1) return PyBytes_FromStringAndSize(self->data + start, n);
  PyObject* result = PyBytes_FromStringAndSize(nullptr, n);
  if (result == nullptr) return nullptr;
  char* out = PyBytes_AS_STRING(result);
  for (Py_ssize_t i = 0; i < n; i++, start += step) out[i] = self->data[start];
  return result;
}

int map_assign_subscript(PyObject* object, PyObject* key, PyObject* value) {
  Map* self = self_of(object);
  if (!valid(self) || !writable(self)) return -1;
  if (PyIndex_Check(key)) {
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return -1;
    if (value == nullptr) {
      PyErr_SetString(PyExc_TypeError, "mmap doesn't support item deletion");
      return -1;
    }
    if (!PyIndex_Check(value)) {
      PyErr_SetString(PyExc_TypeError, "mmap item value must be an int");
      return -1;
    }
    const Py_ssize_t byte = PyNumber_AsSsize_t(value, PyExc_TypeError);
    if (byte == -1 && PyErr_Occurred()) return -1;
    if (byte < 0 || byte > 255) {
      PyErr_SetString(PyExc_ValueError, "mmap item value must be in range(0, 256)");
      return -1;
    }
    if (!valid(self)) return -1;
    if (i < 0) i += self->size;
    if (i < 0 || i >= self->size) {
      PyErr_SetString(PyExc_IndexError, "mmap index out of range");
      return -1;
    }
    self->data[i] = static_cast<char>(byte);
    return 0;
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "mmap indices must be integer");
    return -1;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return -1;
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "mmap object doesn't support slice deletion");
    return -1;
  }
  Buffer data;
  if (!data.get(value)) return -1;
  if (!valid(self)) return -1;
  const Py_ssize_t n = PySlice_AdjustIndices(self->size, &start, &stop, step);
  if (data.size() != n) {
    PyErr_SetString(PyExc_IndexError, "mmap slice assignment is wrong size");
    return -1;
  }
  if (step == 1) {
    memmove(self->data + start, data.data(), static_cast<size_t>(n));
  } else {
    for (Py_ssize_t i = 0; i < n; i++, start += step) self->data[start] = static_cast<char>(data.data()[i]);
  }
  return 0;
}

int map_assign_item(PyObject* object, Py_ssize_t i, PyObject* value) {
  Map* self = self_of(object);
  if (value == nullptr || !PyBytes_Check(value) || PyBytes_GET_SIZE(value) != 1) {
    if (value == nullptr)
      PyErr_SetString(PyExc_TypeError, "mmap object doesn't support item deletion");
    else
      PyErr_SetString(PyExc_IndexError, "mmap assignment must be length-1 bytes()");
    return -1;
  }
  if (!valid(self)) return -1;
  if (i < 0 || i >= self->size) {
    PyErr_SetString(PyExc_IndexError, "mmap index out of range");
    return -1;
  }
  if (!writable(self)) return -1;
  self->data[i] = *PyBytes_AS_STRING(value);
  return 0;
}

int map_get_buffer(PyObject* object, Py_buffer* view, int flags) {
  Map* self = self_of(object);
  if (!valid(self) || PyBuffer_FillInfo(view, object, self->data, self->size, self->access == kRead, flags) < 0) return -1;
  self->exports++;
  return 0;
}
Py_ssize_t drop_export(PyObject* object) { return --self_of(object)->exports; }
void map_release_buffer(PyObject* object, Py_buffer*) { ext::locked<drop_export>(object); }

// ---- tables ----

PyMethodDef map_methods[] = {
    {"close", ext::locked<map_close>, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"find", ext::method(ext::locked<map_find>), METH_FASTCALL,
     "find($self, view, start=None, end=None, /)\n--\n\n"},
    {"rfind", ext::method(ext::locked<map_rfind>), METH_FASTCALL, "rfind($self, view, start=None, end=None, /)\n--\n\n"},
    {"flush", ext::locked<map_flush>, METH_VARARGS, "flush($self, offset=0, size=None, /)\n--\n\n"},
    {"madvise", ext::locked<map_madvise>, METH_VARARGS, "madvise($self, option, start=0, length=None, /)\n--\n\n"},
    {"move", ext::locked<map_move>, METH_VARARGS, "move($self, dest, src, count, /)\n--\n\n"},
    {"read", ext::method(ext::locked<map_read>), METH_FASTCALL, "read($self, n=None, /)\n--\n\n"},
    {"read_byte", ext::locked<map_read_byte>, METH_NOARGS, "read_byte($self, /)\n--\n\n"},
    {"readline", ext::locked<map_readline>, METH_NOARGS, "readline($self, /)\n--\n\n"},
    {"resize", ext::locked<map_resize>, METH_O, "resize($self, newsize, /)\n--\n\n"},
    {"seek", ext::method(ext::locked<map_seek>), METH_FASTCALL, "seek($self, dist, how=0, /)\n--\n\n"},
    {"seekable", map_seekable, METH_NOARGS, "seekable($self, /)\n--\n\n"},
    {"size", ext::locked<map_size>, METH_NOARGS, "size($self, /)\n--\n\n"},
    {"tell", ext::locked<map_tell>, METH_NOARGS, "tell($self, /)\n--\n\n"},
    {"write", ext::locked<map_write>, METH_O, "write($self, bytes, /)\n--\n\n"},
    {"write_byte", ext::locked<map_write_byte>, METH_VARARGS, "write_byte($self, byte, /)\n--\n\n"},
    {"__enter__", ext::locked<map_enter>, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", ext::locked<map_exit>, METH_VARARGS, "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"},
    {"__sizeof__", map_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef map_getset[] = {{"closed", ext::locked<get_closed>, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef map_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Map, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot map_slots[] = {{Py_tp_new, reinterpret_cast<void*>(map_new)},
                           {Py_tp_dealloc, reinterpret_cast<void*>(map_dealloc)},
                           {Py_tp_repr, reinterpret_cast<void*>(ext::locked<map_repr>)},
                           {Py_tp_methods, map_methods},
                           {Py_tp_getset, map_getset},
                           {Py_tp_members, map_members},
                           {Py_sq_length, reinterpret_cast<void*>(ext::locked<map_length>)},
                           {Py_sq_item, reinterpret_cast<void*>(ext::locked<map_item>)},
                           {Py_sq_ass_item, reinterpret_cast<void*>(ext::locked<map_assign_item>)},
                           {Py_mp_length, reinterpret_cast<void*>(ext::locked<map_length>)},
                           {Py_mp_subscript, reinterpret_cast<void*>(ext::locked<map_subscript>)},
                           {Py_mp_ass_subscript, reinterpret_cast<void*>(ext::locked<map_assign_subscript>)},
                           {Py_bf_getbuffer, reinterpret_cast<void*>(ext::locked<map_get_buffer>)},
                           {Py_bf_releasebuffer, reinterpret_cast<void*>(map_release_buffer)},
                           {Py_tp_doc, const_cast<char*>("mmap(fileno, length[, flags[, prot[, access[, offset[, trackfd]]]]])\n\n"
                                                         "Maps length bytes of the file given by the descriptor, or memory (-1).")},
                           {0, nullptr}};
PyType_Spec map_spec = {"mmap.mmap", sizeof(Map), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, map_slots};

#define CONSTANT(name) {#name, name}
const ext::IntConstant constants[] = {
    {"ACCESS_DEFAULT", kDefault},  {"ACCESS_READ", kRead},     {"ACCESS_WRITE", kWrite},    {"ACCESS_COPY", kCopy},
    CONSTANT(PROT_EXEC),           CONSTANT(PROT_READ),        CONSTANT(PROT_WRITE),        CONSTANT(MAP_SHARED),
    CONSTANT(MAP_PRIVATE),         CONSTANT(MAP_DENYWRITE),    CONSTANT(MAP_EXECUTABLE),    CONSTANT(MAP_ANONYMOUS),
    CONSTANT(MAP_ANON),            CONSTANT(MAP_POPULATE),     CONSTANT(MAP_STACK),         CONSTANT(MAP_NORESERVE),
    CONSTANT(MAP_32BIT),           CONSTANT(MADV_NORMAL),      CONSTANT(MADV_RANDOM),       CONSTANT(MADV_SEQUENTIAL),
    CONSTANT(MADV_WILLNEED),       CONSTANT(MADV_DONTNEED),    CONSTANT(MADV_REMOVE),       CONSTANT(MADV_DONTFORK),
    CONSTANT(MADV_DOFORK),         CONSTANT(MADV_HWPOISON),    CONSTANT(MADV_MERGEABLE),    CONSTANT(MADV_UNMERGEABLE),
    CONSTANT(MADV_HUGEPAGE),       CONSTANT(MADV_NOHUGEPAGE),  CONSTANT(MADV_DONTDUMP),     CONSTANT(MADV_DODUMP),
    CONSTANT(MADV_FREE),
};

int execute(PyObject* module) {
  Ref type(PyType_FromModuleAndSpec(module, &map_spec, nullptr));
  if (!type || PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type.get())) < 0) return -1;
  if (PyModule_AddObjectRef(module, "error", PyExc_OSError) < 0) return -1;
  const long page = sysconf(_SC_PAGESIZE);
  if (PyModule_AddIntConstant(module, "PAGESIZE", page) < 0) return -1;
  if (PyModule_AddIntConstant(module, "ALLOCATIONGRANULARITY", page) < 0) return -1;
  return ext::add_constants(module, constants);
}

PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "mmap",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_mmap(void) { return PyModuleDef_Init(&definition); }
