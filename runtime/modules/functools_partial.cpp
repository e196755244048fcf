// functools.partial and functools.Placeholder.
//
// A partial holds a function, positional arguments (some of which may be placeholders, never the last) and
// keyword arguments. A call fills the placeholders from its own first arguments and puts the rest behind.
// __setstate__ may replace the parts at any time: who uses one takes a reference to it first (`parts_of`).
#include "modules/functools.h"

#include "objects/dict.h"
#include "objects/tuple.h"
#include "sync/atomic_field.h"
#include "sync/shared_slot.h"

namespace amphis::functools {
namespace {

struct Placeholder {
  PyObject_HEAD
};
PyObject placeholder_object[1] = {PyObject_HEAD_INIT(&placeholder_type)};

PyObject* placeholder_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0 || (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0)) {
    PyErr_SetString(PyExc_TypeError, "PlaceholderType takes no arguments");
    return nullptr;
  }
  return Py_NewRef(placeholder());
}

PyObject* placeholder_repr(PyObject*) {
  return PyUnicode_FromString("Placeholder");
}
PyObject* placeholder_reduce(PyObject*, PyObject*) {
  return PyUnicode_FromString("Placeholder");
}
void placeholder_dealloc(PyObject*) {}  // immortal

PyMethodDef placeholder_methods[] = {{"__reduce__", placeholder_reduce, METH_NOARGS, nullptr}, {}};

struct Partial {
  PyObject_HEAD PyObject* function;
  PyObject* args;      // a tuple
  PyObject* keywords;  // a dict
  PyObject* attributes;
  PyObject* weakrefs;
  Py_ssize_t placeholders;  // how many of args are placeholders
  vectorcallfunc vectorcall;
};

Partial* as_partial(PyObject* op) {
  return reinterpret_cast<Partial*>(op);
}

struct Parts {
  Ref<> function, args, keywords;
};
Parts parts_of(Partial* self) {
  return {sync::get_ref(&self->function, self), sync::get_ref(&self->args, self), sync::get_ref(&self->keywords, self)};
}

PyObject* partial_vectorcall(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames);

Py_ssize_t count_placeholders(PyObject* args) {
  Py_ssize_t n = 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) n += PyTuple_GET_ITEM(args, i) == placeholder();
  return n;
}

bool check_trailing(PyObject* args) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n == 0 || PyTuple_GET_ITEM(args, n - 1) != placeholder()) return true;
  PyErr_SetString(PyExc_TypeError, "trailing Placeholders are not allowed");
  return false;
}

// The arguments of `outer` with its placeholders filled from `more`, and what is left of `more` behind.
// Placeholders for which there is nothing stay.
Ref<> merge_args(PyObject* outer, PyObject* more) {
  const Py_ssize_t n = PyTuple_GET_SIZE(outer), m = PyTuple_GET_SIZE(more);
  const Py_ssize_t holes = count_placeholders(outer);
  Ref<> merged = Ref<>::steal(PyTuple_New(n + (m > holes ? m - holes : 0)));
  if (!merged) return nullptr;
  Py_ssize_t next = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = PyTuple_GET_ITEM(outer, i);
    if (item == placeholder() && next < m) item = PyTuple_GET_ITEM(more, next++);
    PyTuple_SET_ITEM(merged.get(), i, Py_NewRef(item));
  }
  for (Py_ssize_t i = n; next < m; i++)
    PyTuple_SET_ITEM(merged.get(), i, Py_NewRef(PyTuple_GET_ITEM(more, next++)));
  return merged;
}

PyObject* partial_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) < 1) {
    PyErr_SetString(PyExc_TypeError, "type 'partial' takes at least one argument");
    return nullptr;
  }
  PyObject* function = PyTuple_GET_ITEM(args, 0);
  if (!PyCallable_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "the first argument must be callable");
    return nullptr;
  }
  if (kwargs != nullptr) {
    Py_ssize_t pos = 0;
    PyObject *key, *value;
    while (PyDict_Next(kwargs, &pos, &key, &value)) {
      if (value != placeholder()) continue;
      PyErr_SetString(PyExc_TypeError, "Placeholder cannot be passed as a keyword argument");
      return nullptr;
    }
  }
  Ref<> own_args = Ref<>::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  if (!own_args || !check_trailing(own_args.get())) return nullptr;
  Ref<> keywords;
  Parts inner_parts;
  // A partial of a partial that nobody can have put attributes on is one partial.
  Partial* inner =
      Py_TYPE(function)->tp_call == partial_type.tp_call && PyObject_TypeCheck(function, &partial_type)
          ? as_partial(function)
          : nullptr;
  if (inner != nullptr && sync::load_acquire(inner->attributes) == nullptr) {
    inner_parts = parts_of(inner);
    function = inner_parts.function;
    own_args = merge_args(inner_parts.args, own_args.get());
    if (!own_args) return nullptr;
    keywords = Ref<>::steal(PyDict_Copy(inner_parts.keywords));
    if (!keywords || (kwargs != nullptr && PyDict_Merge(keywords.get(), kwargs, 1) < 0)) return nullptr;
  } else {
    keywords = Ref<>::steal(kwargs == nullptr ? PyDict_New() : PyDict_Copy(kwargs));
    if (!keywords) return nullptr;
  }
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  Partial* self = as_partial(op);
  self->function = Py_NewRef(function);
  self->placeholders = count_placeholders(own_args.get());
  self->args = own_args.release();
  self->keywords = keywords.release();
  self->vectorcall = partial_vectorcall;
  return op;
}

void partial_dealloc(PyObject* op) {
  Partial* self = as_partial(op);
  untrack(op);
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  Py_XDECREF(self->function);
  Py_XDECREF(self->args);
  Py_XDECREF(self->keywords);
  Py_XDECREF(self->attributes);
  Py_TYPE(op)->tp_free(op);
}

int partial_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_partial(op)->function);
  Py_VISIT(as_partial(op)->args);
  Py_VISIT(as_partial(op)->keywords);
  Py_VISIT(as_partial(op)->attributes);
  return 0;
}

int partial_clear(PyObject* op) {
  Py_CLEAR(as_partial(op)->function);
  Py_CLEAR(as_partial(op)->args);
  Py_CLEAR(as_partial(op)->keywords);
  Py_CLEAR(as_partial(op)->attributes);
  return 0;
}

// ---- calling ----

// The names of a call that has keywords on both sides: those of the partial, then those of the call that it
// lacks. The values go to `values`, as new references: as many as there are names, and on failure none.
Ref<> merge_keywords(PyObject* keywords, PyObject* const* call_values, PyObject* kwnames, PyObject** values) {
  const Py_ssize_t own = PyDict_GET_SIZE(keywords);
  const Py_ssize_t given = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  Ref<> names = Ref<>::steal(PyTuple_New(own + given));
  if (!names) return nullptr;
  Py_ssize_t n = 0, pos = 0;
  PyObject *key, *value;
  auto fail = [&]() -> Ref<> {
    while (n > 0) Py_DECREF(values[--n]);
    return nullptr;
  };
  while (n < own && dict_next_ref(reinterpret_cast<PyDictObject*>(keywords), &pos, &key, &value)) {
    PyTuple_SET_ITEM(names.get(), n, key);
    values[n++] = value;
  }
  for (Py_ssize_t i = 0; i < given; i++) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, i);
    const int present = PyDict_Contains(keywords, name);
    if (present < 0) return fail();
    Py_ssize_t at = n;
    if (present) {
      for (at = 0; at < n; at++) {
        const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(names.get(), at), name, Py_EQ);
        if (same < 0) return fail();
        if (same) break;
      }
    }
    if (at < n) {
      Py_SETREF(values[at], Py_NewRef(call_values[i]));
    } else {
      PyTuple_SET_ITEM(names.get(), n, Py_NewRef(name));
      values[n++] = Py_NewRef(call_values[i]);
    }
  }
  if (n == own + given) return names;
  PyObject* shorter = names.release();
  if (_PyTuple_Resize(&shorter, n) < 0) return fail();
  return Ref<>::steal(shorter);
}

PyObject* partial_vectorcall(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Partial* self = as_partial(op);
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  auto [function, own, keywords] = parts_of(self);
  const Py_ssize_t holes = sync::load_relaxed(self->placeholders) > 0 ? count_placeholders(own) : 0;
  if (nargs < holes) {
    PyErr_Format(PyExc_TypeError,
                 "missing positional arguments in 'partial' call; expected at least %zd, got %zd", holes,
                 nargs);
    return nullptr;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(own.get());
  const Py_ssize_t nkw = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  const Py_ssize_t own_kw = PyDict_GET_SIZE(keywords.get());
  if (n == 0 && own_kw == 0) return PyObject_Vectorcall(function.get(), args, nargsf, kwnames);

  constexpr Py_ssize_t kLocal = 12;
  PyObject* local[kLocal];
  PyObject** stack = local;
  const Py_ssize_t total = 1 + n + nargs + nkw + own_kw;
  if (total > kLocal) {
    stack = static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(total) * sizeof(PyObject*)));
    if (stack == nullptr) return PyErr_NoMemory();
  }
  PyObject** to = stack + 1;  // the place before belongs to the callee
  PyObject** first = to;
  Py_ssize_t next = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = PyTuple_GET_ITEM(own.get(), i);
    *to++ = holes > 0 && item == placeholder() ? args[next++] : item;
  }
  while (next < nargs) *to++ = args[next++];
  const size_t positional = static_cast<size_t>(to - first);
  PyObject* result = nullptr;
  if (own_kw == 0) {
    for (Py_ssize_t i = 0; i < nkw; i++) *to++ = args[nargs + i];
    result = PyObject_Vectorcall(function.get(), first, positional | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
  } else if (Ref<> names = merge_keywords(keywords.get(), args + nargs, kwnames, to); names) {
    const Py_ssize_t count = PyTuple_GET_SIZE(names.get());
    result =
        PyObject_Vectorcall(function.get(), first, positional | PY_VECTORCALL_ARGUMENTS_OFFSET, names.get());
    for (Py_ssize_t i = 0; i < count; i++) Py_DECREF(to[i]);
  }
  if (stack != local) PyMem_Free(stack);
  return result;
}

// ---- the rest ----

PyObject* partial_get(PyObject* op, PyObject* instance, PyObject*) {
  return instance == Py_None || instance == nullptr ? Py_NewRef(op) : PyMethod_New(op, instance);
}

PyObject* partial_repr(PyObject* op) {
  Partial* self = as_partial(op);
  const int nested = Py_ReprEnter(op);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("...") : nullptr;
  auto [function, args, keywords] = parts_of(self);
  Ref<> module = Ref<>::steal(PyType_GetModuleName(Py_TYPE(op)));
  Ref<> name = module ? Ref<>::steal(PyType_GetQualName(Py_TYPE(op))) : nullptr;
  PyUnicodeWriter* writer = name ? PyUnicodeWriter_Create(0) : nullptr;
  bool ok = writer != nullptr &&
            PyUnicodeWriter_Format(writer, "%S.%S(%R", module.get(), name.get(), function.get()) == 0;
  for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(args.get()); i++) {
    ok = PyUnicodeWriter_Format(writer, ", %R", PyTuple_GET_ITEM(args.get(), i)) == 0;
  }
  Py_ssize_t pos = 0;
  PyObject *k, *v;
  while (ok && dict_next_ref(reinterpret_cast<PyDictObject*>(keywords.get()), &pos, &k, &v)) {
    Ref<> key = Ref<>::steal(k), value = Ref<>::steal(v);
    // The dictionary may have been given keys that are no names.
    ok = PyUnicodeWriter_Format(writer, ", %S=%R", key.get(), value.get()) == 0;
  }
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  Py_ReprLeave(op);
  if (ok) return PyUnicodeWriter_Finish(writer);
  if (writer != nullptr) PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* partial_reduce(PyObject* op, PyObject*) {
  Partial* self = as_partial(op);
  auto [function, args, keywords] = parts_of(self);
  Ref<> attributes = sync::get_ref(&self->attributes, op);
  return Py_BuildValue("O(O)(OOOO)", Py_TYPE(op), function.get(), function.get(), args.get(), keywords.get(),
                       attributes ? attributes.get() : Py_None);
}

PyObject* partial_setstate(PyObject* op, PyObject* state) {
  Partial* self = as_partial(op);
  PyObject *function, *args, *keywords, *attributes;
  if (!PyTuple_Check(state) || !PyArg_ParseTuple(state, "OOOO", &function, &args, &keywords, &attributes) ||
      !PyCallable_Check(function) || !PyTuple_Check(args) ||
      (keywords != Py_None && !PyDict_Check(keywords)) ||
      (attributes != Py_None && !PyDict_Check(attributes))) {
    PyErr_SetString(PyExc_TypeError, "invalid partial state");
    return nullptr;
  }
  if (!check_trailing(args)) return nullptr;
  Ref<> new_args = PyTuple_CheckExact(args) ? Ref<>::share(args) : Ref<>::steal(PySequence_Tuple(args));
  Ref<> new_keywords = keywords == Py_None           ? Ref<>::steal(PyDict_New())
                       : PyDict_CheckExact(keywords) ? Ref<>::share(keywords)
                                                     : Ref<>::steal(PyDict_Copy(keywords));
  if (!new_args || !new_keywords) return nullptr;
  Ref<> old[4];
  ObjectLock lock(op);
  sync::store_relaxed(self->placeholders, count_placeholders(new_args.get()));
  old[0] = sync::exchange_slot(&self->function, Ref<>::share(function));
  old[1] = sync::exchange_slot(&self->args, static_cast<Ref<>&&>(new_args));
  old[2] = sync::exchange_slot(&self->keywords, static_cast<Ref<>&&>(new_keywords));
  old[3] = sync::exchange_slot(&self->attributes, Ref<>::share(attributes == Py_None ? nullptr : attributes));
  Py_RETURN_NONE;
}

PyMethodDef partial_methods[] = {
    {"__reduce__", partial_reduce, METH_NOARGS, nullptr},
    {"__setstate__", partial_setstate, METH_O, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {},
};
PyMemberDef partial_members[] = {
    {"func", _Py_T_OBJECT, offsetof(Partial, function), Py_READONLY,
     "function object to use in future partial calls"},
    {"args", _Py_T_OBJECT, offsetof(Partial, args), Py_READONLY,
     "tuple of arguments to future partial calls"},
    {"keywords", _Py_T_OBJECT, offsetof(Partial, keywords), Py_READONLY,
     "dictionary of keyword arguments to future partial calls"},
    {},
};
PyGetSetDef partial_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

}  // namespace

PyObject* placeholder() {
  return placeholder_object;
}

PyTypeObject placeholder_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "functools._PlaceholderType",
    .tp_basicsize = sizeof(Placeholder),
    .tp_dealloc = placeholder_dealloc,
    .tp_repr = placeholder_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "The type of the Placeholder singleton: an argument of a partial that is still to come.",
    .tp_methods = placeholder_methods,
    .tp_new = placeholder_new,
};

PyTypeObject partial_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "functools.partial",
    .tp_basicsize = sizeof(Partial),
    .tp_dealloc = partial_dealloc,
    .tp_vectorcall_offset = offsetof(Partial, vectorcall),
    .tp_repr = partial_repr,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc =
        "partial(func, /, *args, **keywords)\n--\n\n"
        "Create a new function with partial application of the given arguments\nand keywords.",
    .tp_traverse = partial_traverse,
    .tp_clear = partial_clear,
    .tp_weaklistoffset = offsetof(Partial, weakrefs),
    .tp_methods = partial_methods,
    .tp_members = partial_members,
    .tp_getset = partial_getset,
    .tp_descr_get = partial_get,
    .tp_dictoffset = offsetof(Partial, attributes),
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = partial_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::functools
