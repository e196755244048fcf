// Paths and other arguments of the module posix, PyOS_FSPath, and the helpers of posixpath.
#include "modules/posix.h"

#include "objects/str.h"

#include <algorithm>
#include <climits>

namespace amphis::posix {

// ---- numbers ----

bool to_int(PyObject* value, int* result) {
  if (value == nullptr) return true;
  *result = PyLong_AsInt(value);
  return *result != -1 || !PyErr_Occurred();
}

bool to_long(PyObject* value, long* result) {
  if (value == nullptr) return true;
  *result = PyLong_AsLong(value);
  return *result != -1 || !PyErr_Occurred();
}

bool to_offset(PyObject* value, off_t* result) {
  if (value == nullptr) return true;
  *result = PyLong_AsLongLong(value);
  return *result != -1 || !PyErr_Occurred();
}

bool to_size(PyObject* value, Py_ssize_t* result) {
  if (value == nullptr) return true;
  *result = PyNumber_AsSsize_t(value, PyExc_OverflowError);
  return *result != -1 || !PyErr_Occurred();
}

bool to_bool(PyObject* value, bool* result) {
  if (value == nullptr) return true;
  const int truth = PyObject_IsTrue(value);
  *result = truth > 0;
  return truth >= 0;
}

bool to_fd(PyObject* value, int* fd) {
  *fd = PyObject_AsFileDescriptor(value);
  return *fd >= 0;
}

namespace {

// An index that fits an int, in the words that all descriptors use.
bool descriptor(PyObject* index, int* fd) {
  int overflow;
  const long value = PyLong_AsLongAndOverflow(index, &overflow);
  if (value == -1 && PyErr_Occurred()) return false;
  if (overflow > 0 || value > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "fd is greater than maximum");
    return false;
  }
  if (overflow < 0 || value < INT_MIN) {
    PyErr_SetString(PyExc_OverflowError, "fd is less than minimum");
    return false;
  }
  *fd = static_cast<int>(value);
  return true;
}

}  // namespace

bool to_dir_fd(PyObject* value, int* fd) {
  *fd = AT_FDCWD;
  if (value == nullptr || value == Py_None) return true;
  if (!PyIndex_Check(value)) {
    PyErr_Format(PyExc_TypeError, "argument should be integer or None, not %.200s", Py_TYPE(value)->tp_name);
    return false;
  }
  if (PyBool_Check(value) && PyErr_WarnEx(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1) < 0)
    return false;
  Ref<> index = Ref<>::steal(PyNumber_Index(value));
  return index && descriptor(index.get(), fd);
}

// ---- paths ----

bool Path::parse(const char* function, const char* argument, PyObject* given, int accept, bool check_null) {
  object = given;
  if ((given == nullptr || given == Py_None) && (accept & kNone)) {
    text = nullptr;
    object = nullptr;
    return true;
  }
  PyObject* path = given;
  if (!PyUnicode_Check(path) && !PyBytes_Check(path)) {
    if ((accept & kFd) && PyIndex_Check(path)) {
      if (PyBool_Check(path) && PyErr_WarnEx(PyExc_RuntimeWarning, "bool is used as a file descriptor", 1) < 0)
        return false;
      Ref<> index = Ref<>::steal(PyNumber_Index(path));
      return index && descriptor(index.get(), &fd);
    }
    Ref<> method = Ref<>::steal(_PyObject_LookupSpecial(path, AMPHIS_STATIC_NAME("__fspath__")));
    if (!method || method.get() == Py_None) {
      if (PyErr_Occurred()) return false;
      PyErr_Format(PyExc_TypeError, "%s: %s should be %s, not %.200s", function, argument,
                   accept == (kFd | kNone) ? "string, bytes, os.PathLike, integer or None"
                   : accept == kFd         ? "string, bytes, os.PathLike or integer"
                   : accept == kNone       ? "string, bytes, os.PathLike or None"
                                           : "string, bytes or os.PathLike",
                   Py_TYPE(path)->tp_name);
      return false;
    }
    path_ = Ref<>::steal(PyObject_CallNoArgs(method.get()));
    if (!path_) return false;
    if (!PyUnicode_Check(path_.get()) && !PyBytes_Check(path_.get())) {
      PyErr_Format(PyExc_TypeError, "expected %.200s.__fspath__() to return str or bytes, not %.200s",
                   Py_TYPE(path)->tp_name, Py_TYPE(path_.get())->tp_name);
      return false;
    }
    path = path_.get();
    object = path;
  }
  if (PyUnicode_Check(path)) {
    if (PyUnicode_IS_COMPACT_ASCII(path)) {
      text = static_cast<const char*>(PyUnicode_DATA(path));
      length = PyUnicode_GET_LENGTH(path);
    } else {
      encoded_ = Ref<>::steal(PyUnicode_EncodeFSDefault(path));
      if (!encoded_) return false;
      text = PyBytes_AS_STRING(encoded_.get());
      length = PyBytes_GET_SIZE(encoded_.get());
    }
  } else {
    bytes = true;
    text = PyBytes_AS_STRING(path);
    length = PyBytes_GET_SIZE(path);
  }
  if (check_null && strlen(text) != static_cast<size_t>(length)) {
    PyErr_Format(PyExc_ValueError, "%s: embedded null character in %s", function, argument);
    return false;
  }
  return true;
}

PyObject* raise_errno() { return PyErr_SetFromErrno(PyExc_OSError); }
PyObject* raise_path(const Path& path) { return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path.object); }
PyObject* raise_paths(const Path& from, const Path& to) {
  return PyErr_SetFromErrnoWithFilenameObjects(PyExc_OSError, from.object, to.object);
}

// ---- functions ----

namespace {

AMPHIS_POSIX_FUNCTION(fspath, "fspath", 1, 1, "path") { return PyOS_FSPath(a[0]); }

// A path that is only taken apart and never given to the system: a str may hold any surrogates.
struct PathText {
  Ref<> owner;
  const char* text = nullptr;
  Py_ssize_t length = 0;
  bool bytes = false;

  bool parse(const char* function, const char* argument, PyObject* object) {
    if (PyUnicode_Check(object) || PyBytes_Check(object)) {
      owner = Ref<>::share(object);
    } else {
      Path path;  // for its errors
      owner = Ref<>::steal(PyOS_FSPath(object));
      if (!owner) {
        PyErr_Clear();
        path.parse(function, argument, object, Path::kPlain, false);
        return false;
      }
    }
    bytes = PyBytes_Check(owner.get());
    if (!bytes) {
      text = PyUnicode_AsUTF8AndSize(owner, &length);
      if (text != nullptr) return true;
      if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
      PyErr_Clear();
      owner = Ref<>::steal(PyUnicode_AsEncodedString(owner, "utf-8", "surrogatepass"));
      if (!owner) return false;
    }
    text = PyBytes_AS_STRING(owner.get());
    length = PyBytes_GET_SIZE(owner.get());
    return true;
  }
  PyObject* part(const char* from, Py_ssize_t n) const {
    return bytes ? PyBytes_FromStringAndSize(from, n) : PyUnicode_DecodeUTF8(from, n, "surrogatepass");
  }
};

// POSIX: exactly two slashes at the start may mean something of their own; more are one.
Py_ssize_t root_length(const char* path, Py_ssize_t n) {
  Py_ssize_t slashes = 0;
  while (slashes < n && path[slashes] == '/') slashes++;
  return slashes == 2 ? 2 : slashes > 0 ? 1 : 0;
}

AMPHIS_POSIX_FUNCTION(path_normpath, "_path_normpath", 1, 1, "path") {
  PathText path;
  if (!path.parse("_path_normpath", "path", a[0])) return nullptr;
  const char* in = path.text;
  const Py_ssize_t n = path.length;
  const Py_ssize_t root = root_length(in, n);
  char* out = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(n) + 1));
  if (out == nullptr) return PyErr_NoMemory();
  memcpy(out, in, static_cast<size_t>(root));
  Py_ssize_t size = root;
  Py_ssize_t floor = root;  // what ".." must not remove: the root, or ".." that lead out of the path
  for (Py_ssize_t i = root; i < n;) {
    if (in[i] == '/') {
      i++;
      continue;
    }
    const void* slash = memchr(in + i, '/', static_cast<size_t>(n - i));
    const Py_ssize_t end = slash ? static_cast<const char*>(slash) - in : n;
    const Py_ssize_t length = end - i;
    const bool dot = length == 1 && in[i] == '.';
    const bool up = length == 2 && in[i] == '.' && in[i + 1] == '.';
    if (up && size > floor) {
      while (size > floor && out[size - 1] != '/') size--;
      if (size > root && out[size - 1] == '/') size--;
    } else if (!dot && !(up && root > 0)) {
      if (size > root) out[size++] = '/';
      memmove(out + size, in + i, static_cast<size_t>(length));
      size += length;
      if (up) floor = size;
    }
    i = end;
  }
  if (size == 0) out[size++] = '.';
  PyObject* result = path.part(out, size);
  PyMem_Free(out);
  return result;
}

AMPHIS_POSIX_FUNCTION(path_splitroot, "_path_splitroot_ex", 1, 1, "p") {
  PathText path;
  if (!path.parse("_path_splitroot_ex", "path", a[0])) return nullptr;
  const Py_ssize_t root = root_length(path.text, path.length);
  Ref<> drive = Ref<>::steal(path.part("", 0));
  Ref<> top = Ref<>::steal(path.part(path.text, root));
  Ref<> tail = Ref<>::steal(path.part(path.text + root, path.length - root));
  return drive && top && tail ? PyTuple_Pack(3, drive.get(), top.get(), tail.get()) : nullptr;
}

}  // namespace

PyMethodDef path_methods[] = {
    AMPHIS_POSIX_ENTRY(fspath, "fspath($module, /, path)", "The str or bytes that an object stands for as a path."),
    AMPHIS_POSIX_ENTRY(path_normpath, "_path_normpath($module, /, path)", "The path without needless parts."),
    AMPHIS_POSIX_ENTRY(path_splitroot, "_path_splitroot_ex($module, /, p)", "Split into drive, root and tail."),
    {},
};

}  // namespace amphis::posix

using namespace amphis;

extern "C" {

PyObject* PyOS_FSPath(PyObject* path) {
  if (PyUnicode_Check(path) || PyBytes_Check(path)) return Py_NewRef(path);
  Ref<> method = Ref<>::steal(_PyObject_LookupSpecial(path, AMPHIS_STATIC_NAME("__fspath__")));
  if (!method || method.get() == Py_None) {
    if (PyErr_Occurred()) return nullptr;
    return PyErr_Format(PyExc_TypeError, "expected str, bytes or os.PathLike object, not %.200s",
                        Py_TYPE(path)->tp_name);
  }
  Ref<> text = Ref<>::steal(PyObject_CallNoArgs(method.get()));
  if (!text || PyUnicode_Check(text.get()) || PyBytes_Check(text.get())) return text.release();
  return PyErr_Format(PyExc_TypeError, "expected %.200s.__fspath__() to return str or bytes, not %.200s",
                      Py_TYPE(path)->tp_name, Py_TYPE(text.get())->tp_name);
}

namespace {

// Identifiers are unsigned 32-bit numbers; -1 means "leave as it is" and is allowed.
int convert_identifier(PyObject* object, uint32_t* result, const char* name) {
  if (!PyIndex_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s should be integer, not %.200s", name, Py_TYPE(object)->tp_name);
    return 0;
  }
  Ref<> index = Ref<>::steal(PyNumber_Index(object));
  if (!index) return 0;
  int overflow;
  const long value = PyLong_AsLongAndOverflow(index.get(), &overflow);
  if (value == -1 && PyErr_Occurred()) return 0;
  if (overflow > 0) {
    PyErr_Format(PyExc_OverflowError, "%s is greater than maximum", name);
    return 0;
  }
  // Also said of what fits a long and is too large.
  if (overflow < 0 || value < -1 || value > static_cast<long>(UINT32_MAX)) {
    PyErr_Format(PyExc_OverflowError, "%s is less than minimum", name);
    return 0;
  }
  *result = static_cast<uint32_t>(value);
  return 1;
}

}  // namespace

int _Py_Uid_Converter(PyObject* object, void* result) {
  return convert_identifier(object, static_cast<uint32_t*>(result), "uid");
}
int _Py_Gid_Converter(PyObject* object, void* result) {
  return convert_identifier(object, static_cast<uint32_t*>(result), "gid");
}

}  // extern "C"
