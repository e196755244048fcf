// Small helpers that every container type and its iterators share: casts for method tables, argument counts,
// errors that take a key, and keyword binding for vectorcall functions.
#pragma once

#include <type_traits>

#include "Python.h"
#include "gc/object_new.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

// The entry of a PyMethodDef whose C signature is not PyCFunction's.
#define AMPHIS_METHOD(function) ((PyCFunction)(void (*)(void))(function))

// An interned name that is made on first use and lives as long as the process.
#define AMPHIS_STATIC_NAME(text)                                  \
  ([]() -> PyObject* {                                            \
    static PyObject* const name = amphis::make_static_name(text); \
    return name;                                                  \
  }())

namespace amphis {

// Whether another thread may change an object while this one reads it without its lock. A constant: code
// under `if (kRaces)` vanishes in the GIL build.
inline constexpr bool kRaces = !std::is_empty_v<ObjectLock>;

// An object of a static type, not tracked yet; null with MemoryError.
template <class T>
AMPHIS_ALWAYS_INLINE T* make_gc_object(PyTypeObject* type) {
  T* object = new_gc_object<T>(type);
  if (AMPHIS_UNLIKELY(object == nullptr)) PyErr_NoMemory();
  return object;
}

PyObject* make_static_name(const char* text);

// "NAME expected at least 1 argument, got 0" unless min <= nargs <= max.
bool check_positional(const char* name, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max);

// "NAME() takes no keyword arguments" unless kwnames (or the dictionary kwargs) is empty.
bool check_no_kwnames(const char* name, PyObject* kwnames);
bool check_no_kwargs(const char* name, PyObject* kwargs);

// KeyError whose only argument is `key`, even when that is a tuple.
void set_key_error(PyObject* key);

// Turns the TypeError that hashing `key` raised into "cannot use 'T' as a dict key (...)"; other errors stay.
// `role` is "dict key" or "set element".
void explain_unhashable(PyObject* key, const char* role);

// Names and counts of a function's parameters: the first `positional_only` of them have no usable name, those
// from `positional` on are keyword-only, the first `required` must be given.
struct Parameters {
  const char* function;
  const char* const* names;
  int count;
  int positional_only;
  int positional;
  int required;
};

// Distributes vectorcall arguments over `out[count]` (borrowed; null where not given), or raises TypeError.
bool bind_arguments(const Parameters& parameters, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                    PyObject** out);

// The same for the arguments of tp_new and tp_init.
bool bind_call(const Parameters& parameters, PyObject* args, PyObject* kwargs, PyObject** out);

// The special method `name` as type(self) defines it, bound to self: a new reference, or null, with an error
// set only if binding it failed.
PyObject* lookup_special(PyObject* self, PyObject* name);

// builtins.iter / builtins.reversed and the like, looked up by name for __reduce__ (new reference).
PyObject* builtin_function(const char* name);

// The exact-tuple fast path of (a, b): steals both references, also on failure.
PyObject* pack_pair(PyObject* first, PyObject* second);

// True when the current exception is StopIteration (cleared then) or absent: the end of an iterator's items.
inline bool iteration_ended() {
  if (!PyErr_Occurred()) return true;
  if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return false;
  PyErr_Clear();
  return true;
}

inline void xdecref_pair(PyObject* first, PyObject* second) {
  Py_XDECREF(first);
  Py_XDECREF(second);
}

}  // namespace amphis
