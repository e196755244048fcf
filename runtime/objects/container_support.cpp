// Bodies of the helpers that the container types share; see the header.
#include "objects/container_support.h"

#include <cstring>

namespace amphis {

PyObject* make_static_name(const char* text) {
  PyObject* name = PyUnicode_InternFromString(text);
  if (name == nullptr) Py_FatalError("cannot intern a name of the runtime");
  return name;
}

bool check_positional(const char* name, Py_ssize_t nargs, Py_ssize_t min, Py_ssize_t max) {
  if (nargs >= min && nargs <= max) return true;
  const bool few = nargs < min;
  const Py_ssize_t bound = few ? min : max;
  const char* relation = min == max ? "" : few ? "at least " : "at most ";
  PyErr_Format(PyExc_TypeError, "%.200s expected %s%zd argument%s, got %zd", name, relation, bound,
               bound == 1 ? "" : "s", nargs);
  return false;
}

static bool refuse_keywords(const char* name) {
  PyErr_Format(PyExc_TypeError, "%.200s() takes no keyword arguments", name);
  return false;
}

bool check_no_kwnames(const char* name, PyObject* kwnames) {
  return kwnames == nullptr || PyTuple_GET_SIZE(kwnames) == 0 || refuse_keywords(name);
}

bool check_no_kwargs(const char* name, PyObject* kwargs) {
  return kwargs == nullptr || PyDict_Size(kwargs) == 0 || refuse_keywords(name);
}

void set_key_error(PyObject* key) {
  Ref<> error = Ref<>::steal(PyObject_CallOneArg(PyExc_KeyError, key));
  if (error) PyErr_SetObject(PyExc_KeyError, error.get());
}

void explain_unhashable(PyObject* key, const char* role) {
  Ref<> cause = Ref<>::steal(PyErr_GetRaisedException());
  if (!cause) return;
  if (reinterpret_cast<PyObject*>(Py_TYPE(cause.get())) != PyExc_TypeError) {
    PyErr_SetRaisedException(cause.release());
    return;
  }
  PyErr_Format(PyExc_TypeError, "cannot use '%T' as a %s (%S)", key, role, cause.get());
}

namespace {

int find_parameter(const Parameters& parameters, PyObject* name) {
  for (int i = parameters.positional_only; i < parameters.count; i++) {
    if (PyUnicode_EqualToUTF8(name, parameters.names[i])) return i;
  }
  return -1;
}

bool too_many(const Parameters& p, Py_ssize_t nargs) {
  if (p.positional == 0) {
    PyErr_Format(PyExc_TypeError, "%s() takes no positional arguments", p.function);
    return false;
  }
  const bool exact = p.required >= p.positional;
  PyErr_Format(PyExc_TypeError, "%s() takes %s %d %sargument%s (%zd given)", p.function,
               exact ? "exactly" : "at most", p.positional, p.positional < p.count ? "positional " : "",
               p.positional == 1 ? "" : "s", nargs);
  return false;
}

bool bind_keyword(const Parameters& p, Py_ssize_t nargs, PyObject* name, PyObject* value, PyObject** out) {
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "keywords must be strings");
    return false;
  }
  const int at = find_parameter(p, name);
  if (at < 0) {
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", p.function, name);
    return false;
  }
  if (at < nargs) {
    PyErr_Format(PyExc_TypeError, "argument for %s() given by name ('%U') and position (%d)", p.function,
                 name, at + 1);
    return false;
  }
  out[at] = value;
  return true;
}

bool check_required(const Parameters& p, Py_ssize_t nargs, PyObject** out) {
  for (int i = 0; i < p.required; i++) {
    if (out[i] != nullptr) continue;
    if (i < p.positional_only) {
      PyErr_Format(PyExc_TypeError, "%s() takes %s %d positional argument%s (%zd given)", p.function,
                   p.required < p.positional ? "at least" : "exactly", p.required, p.required == 1 ? "" : "s",
                   nargs);
    } else {
      PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s' (pos %d)", p.function, p.names[i],
                   i + 1);
    }
    return false;
  }
  return true;
}

}  // namespace

bool bind_arguments(const Parameters& p, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                    PyObject** out) {
  for (int i = 0; i < p.count; i++) out[i] = nullptr;
  const Py_ssize_t nkw = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  if (nargs > p.positional) return too_many(p, nargs);
  for (Py_ssize_t i = 0; i < nargs; i++) out[i] = args[i];
  for (Py_ssize_t i = 0; i < nkw; i++) {
    if (!bind_keyword(p, nargs, PyTuple_GET_ITEM(kwnames, i), args[nargs + i], out)) return false;
  }
  return check_required(p, nargs, out);
}

bool bind_call(const Parameters& p, PyObject* args, PyObject* kwargs, PyObject** out) {
  for (int i = 0; i < p.count; i++) out[i] = nullptr;
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (nargs > p.positional) return too_many(p, nargs);
  for (Py_ssize_t i = 0; i < nargs; i++) out[i] = PyTuple_GET_ITEM(args, i);
  if (kwargs != nullptr) {
    Py_ssize_t pos = 0;
    PyObject *name, *value;
    while (PyDict_Next(kwargs, &pos, &name, &value)) {
      if (!bind_keyword(p, nargs, name, value, out)) return false;
    }
  }
  return check_required(p, nargs, out);
}

PyObject* lookup_special(PyObject* self, PyObject* name) {
  Ref<> found = Ref<>::steal(_PyType_LookupRef(Py_TYPE(self), name));
  if (!found) return nullptr;
  descrgetfunc bind = Py_TYPE(found.get())->tp_descr_get;
  if (bind == nullptr) return found.release();
  return bind(found.get(), self, reinterpret_cast<PyObject*>(Py_TYPE(self)));
}

PyObject* builtin_function(const char* name) {
  PyObject* builtins = PyEval_GetBuiltins();
  if (builtins == nullptr) return nullptr;
  PyObject* function;
  if (PyMapping_GetOptionalItemString(builtins, name, &function) == 0) {
    PyErr_Format(PyExc_AttributeError, "builtins has no %s", name);
  }
  return function;
}

PyObject* pack_pair(PyObject* first, PyObject* second) {
  PyObject* pair = PyTuple_New(2);
  if (pair == nullptr) {
    Py_DECREF(first);
    Py_DECREF(second);
    return nullptr;
  }
  PyTuple_SET_ITEM(pair, 0, first);
  PyTuple_SET_ITEM(pair, 1, second);
  return pair;
}

}  // namespace amphis
