// What the files of the module posix share: functions with named parameters as tables want them, converters of
// arguments, system calls with and without repetition after signals.
#pragma once

#include "Python.h"
#include "objects/container_support.h"
#include "sync/ref.h"

#include <fcntl.h>

#include <cerrno>
#include <iterator>

// Defines PyObject* name(PyObject* const* a), to be entered in a method table with AMPHIS_POSIX_ENTRY. `positional`
// arguments may be given without a name, `required` must be given; the names follow.
#define AMPHIS_POSIX_FUNCTION(id, text, positional_count, required_count, ...)                        \
  constexpr const char* const id##_names[] = {__VA_ARGS__};                                           \
  constexpr Parameters id##_parameters{.function = text,                                              \
                                       .names = id##_names,                                           \
                                       .count = static_cast<int>(std::size(id##_names)),              \
                                       .positional_only = 0,                                          \
                                       .positional = positional_count,                                \
                                       .required = required_count};                                   \
  PyObject* id(PyObject* const* a)
#define AMPHIS_POSIX_ENTRY(id, signature, doc)                                                        \
  {                                                                                                   \
    id##_parameters.function, AMPHIS_METHOD((bound<id##_parameters, id>)), METH_FASTCALL | METH_KEYWORDS, \
        signature "\n--\n\n" doc                                                                      \
  }

namespace amphis::posix {

template <const Parameters& P, PyObject* (*Body)(PyObject* const*)>
PyObject* bound(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* given[P.count];
  return bind_arguments(P, args, nargs, kwnames, given) ? Body(given) : nullptr;
}

// ---- arguments: false with an exception; a null object leaves the default ----
bool to_int(PyObject* value, int* result);
bool to_long(PyObject* value, long* result);
bool to_offset(PyObject* value, off_t* result);
bool to_size(PyObject* value, Py_ssize_t* result);
bool to_bool(PyObject* value, bool* result);
// An int or an object with fileno().
bool to_fd(PyObject* value, int* fd);
// None: AT_FDCWD.
bool to_dir_fd(PyObject* value, int* fd);

// A path as the system wants it. `text` is null when a descriptor was given, or None.
class Path {
 public:
  enum Accept { kPlain = 0, kFd = 1, kNone = 2 };
  bool parse(const char* function, const char* argument, PyObject* given, int accept = kPlain, bool check_null = true);

  const char* text = nullptr;
  Py_ssize_t length = 0;
  int fd = -1;
  bool bytes = false;             // given as bytes
  PyObject* object = nullptr;     // for error messages: what was given
  PyObject* shown() const { return object; }

 private:
  Ref<> encoded_, path_;
};

// OSError by errno: returns null.
PyObject* raise_errno();
PyObject* raise_path(const Path& path);
PyObject* raise_paths(const Path& from, const Path& to);

// ---- system calls ----
// Runs f detached; errno is kept.
template <class F>
auto detached(F f) {
  decltype(f()) result;
  int error;
  {
    Detached away;
    result = f();
    error = errno;
  }
  errno = error;
  return result;
}
// The same again and again while signals interrupt it; false: a signal handler raised.
template <class F, class T>
bool repeated(F f, T* result) {
  for (;;) {
    *result = detached(f);
    if (*result != static_cast<T>(-1) || errno != EINTR) return true;
    if (PyErr_CheckSignals() < 0) return false;
    errno = EINTR;
  }
}
// None, or OSError when the call failed.
template <class F>
PyObject* call_fd(F f) {
  int result;
  if (!repeated(f, &result)) return nullptr;
  if (result < 0) return raise_errno();
  Py_RETURN_NONE;
}
template <class F>
PyObject* call_path(const Path& path, F f) {
  if (detached(f) < 0) return raise_path(path);
  Py_RETURN_NONE;
}

// ---- tables that posix.cpp puts together, each ended by an empty entry ----
extern PyMethodDef path_methods[], stat_methods[], dir_methods[], fd_methods[], fd_more_methods[], process_methods[],
    identity_methods[], schedule_methods[], system_methods[];
// Types and constants of each file: 0, or -1 with an exception.
int add_constants(PyObject* module);
int add_stat(PyObject* module);
int add_dir(PyObject* module);
int add_process(PyObject* module);
int add_schedule(PyObject* module);
int add_system(PyObject* module);

PyObject* stat_object(const struct stat& st);
// Puts a structured result type into the module. It is made once and outlives the module: later lives of the runtime find
// it in *type. -1 with an exception.
int add_result_type(PyTypeObject** type, PyStructSequence_Desc* desc, PyObject* module, const char* name);

}  // namespace amphis::posix
