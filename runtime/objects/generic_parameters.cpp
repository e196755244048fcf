// Owns the type parameters of generic aliases and unions: finding them in the arguments, and substituting them. The
// type variables themselves belong to typing; they take part through __typing_subst__ and __typing_prepare_subst__
// (PEP 612, 646), and anything that has type variables inside says so with __parameters__.
#include "objects/generic_alias.h"
#include "sync/atomic_field.h"
#include "sync/recursion.h"

namespace amphis {
namespace {

// obj.name: false with an exception on error; a missing attribute is a null reference.
bool optional_attribute(PyObject* obj, const char* name, Ref<>* result) {
  PyObject* value;
  if (PyObject_GetOptionalAttrString(obj, name, &value) < 0) return false;
  *result = Ref<>::steal(value);
  return true;
}

Py_ssize_t index_of(PyObject* tuple, PyObject* item) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i)
    if (PyTuple_GET_ITEM(tuple, i) == item) return i;
  return -1;
}

// Appends what is not there yet, by identity.
bool add_once(PyObject* list, PyObject* item) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i)
    if (PyList_GET_ITEM(list, i) == item) return true;
  return PyList_Append(list, item) == 0;
}

bool extend(PyObject* list, PyObject* tuple) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i)
    if (PyList_Append(list, PyTuple_GET_ITEM(tuple, i)) < 0) return false;
  return true;
}

Ref<> as_tuple(PyObject* args) {
  return Ref<>::steal(PyTuple_Check(args) ? Py_NewRef(args) : PySequence_Tuple(args));
}

// Arguments with *tuple[...] of fixed length spread out; null with an exception.
Ref<> spread(PyObject* item) {
  const bool many = PyTuple_Check(item);
  const Py_ssize_t n = many ? PyTuple_GET_SIZE(item) : 1;
  auto result = Ref<>::steal(PyList_New(0));
  if (!result) return nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* arg = many ? PyTuple_GET_ITEM(item, i) : item;
    Ref<> inner;
    if (!PyType_Check(arg) && !optional_attribute(arg, "__typing_unpacked_tuple_args__", &inner)) return nullptr;
    const bool fixed = inner && PyTuple_Check(inner.get()) &&
                       !(PyTuple_GET_SIZE(inner.get()) > 0 &&
                         PyTuple_GET_ITEM(inner.get(), PyTuple_GET_SIZE(inner.get()) - 1) == Py_Ellipsis);
    if (!(fixed ? extend(result, inner) : PyList_Append(result, arg) == 0)) return nullptr;
  }
  return Ref<>::steal(PyList_AsTuple(result));
}

// An argument that contains type variables, with the ones among `parameters` replaced.
Ref<> substitute_inside(PyObject* arg, PyObject* parameters, PyObject* values) {
  Ref<> inner;
  if (!optional_attribute(arg, "__parameters__", &inner)) return nullptr;
  if (!inner || !PyTuple_Check(inner.get()) || PyTuple_GET_SIZE(inner.get()) == 0) return Ref<>::share(arg);
  auto chosen = Ref<>::steal(PyList_New(0));
  if (!chosen) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inner.get()); ++i) {
    PyObject* parameter = PyTuple_GET_ITEM(inner.get(), i);
    const Py_ssize_t at = index_of(parameters, parameter);
    PyObject* value = at >= 0 ? PyTuple_GET_ITEM(values, at) : parameter;
    // A TypeVarTuple (the only type variable that can be iterated) stands for any number of arguments.
    const bool several = at >= 0 && Py_TYPE(parameter)->tp_iter && PyTuple_Check(value);
    if (!(several ? extend(chosen, value) : PyList_Append(chosen, value) == 0)) return nullptr;
  }
  auto tuple = Ref<>::steal(PyList_AsTuple(chosen));
  return tuple ? Ref<>::steal(PyObject_GetItem(arg, tuple)) : nullptr;
}

// 1, 0, or -1 with an exception.
int is_unpacked_typevartuple(PyObject* arg) {
  if (PyType_Check(arg)) return 0;
  Ref<> flag;
  if (!optional_attribute(arg, "__typing_is_unpacked_typevartuple__", &flag)) return -1;
  return flag ? PyObject_IsTrue(flag) : 0;
}

bool substitute_one(PyObject* result, PyObject* arg, PyObject* parameters, PyObject* values) {
  const int unpack = is_unpacked_typevartuple(arg);
  if (unpack < 0) return false;
  Ref<> substitute, value;
  if (!optional_attribute(arg, "__typing_subst__", &substitute)) return false;
  if (substitute) {
    const Py_ssize_t at = index_of(parameters, arg);
    if (at < 0) {
      PyErr_Format(PyExc_TypeError, "argument %R with __typing_subst__ was not found in __parameters__", arg);
      return false;
    }
    value = Ref<>::steal(PyObject_CallOneArg(substitute, PyTuple_GET_ITEM(values, at)));
  } else {
    value = substitute_inside(arg, parameters, values);
  }
  if (!value) return false;
  if (!unpack) return PyList_Append(result, value) == 0;
  if (!PyTuple_Check(value.get())) {
    PyErr_Format(PyExc_TypeError, "expected __typing_subst__ of %T objects to return a tuple, not %T", arg, value.get());
    return false;
  }
  return extend(result, value);
}

}  // namespace

PyObject* generic_parameters(PyObject* args) {
  if (RecursionGuard guard(" in __parameter__ calculation"); guard.refused()) return nullptr;
  Ref<> tuple = as_tuple(args);
  auto found = Ref<>::steal(PyList_New(0));
  if (!tuple || !found) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) {
    PyObject* arg = PyTuple_GET_ITEM(tuple.get(), i);
    if (PyType_Check(arg)) continue;  // a bare class: its own __parameters__ say nothing here
    Ref<> substitute, inner;
    if (!optional_attribute(arg, "__typing_subst__", &substitute)) return nullptr;
    if (substitute) {
      if (!add_once(found, arg)) return nullptr;
      continue;
    }
    if (!optional_attribute(arg, "__parameters__", &inner)) return nullptr;
    if (!inner && (PyTuple_Check(arg) || PyList_Check(arg))) {
      inner = Ref<>::steal(generic_parameters(arg));
      if (!inner) return nullptr;
    }
    if (!inner || !PyTuple_Check(inner.get())) continue;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(inner.get()); ++k)
      if (!add_once(found, PyTuple_GET_ITEM(inner.get(), k))) return nullptr;
  }
  return PyList_AsTuple(found);
}

PyObject* generic_substitute(PyObject* self, PyObject* args, PyObject* parameters, PyObject* item) {
  const Py_ssize_t count = PyTuple_GET_SIZE(parameters);
  if (count == 0) return PyErr_Format(PyExc_TypeError, "%R is not a generic class", self);
  Ref<> values = spread(item);
  if (!values) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Ref<> prepare;
    if (!optional_attribute(PyTuple_GET_ITEM(parameters, i), "__typing_prepare_subst__", &prepare)) return nullptr;
    if (!prepare || prepare.get() == Py_None) continue;
    values = Ref<>::steal(PyObject_CallFunctionObjArgs(prepare, self, values.get(), nullptr));
    if (!values) return nullptr;
    if (!PyTuple_Check(values.get())) {
      values = Ref<>::steal(PyTuple_Pack(1, values.get()));
      if (!values) return nullptr;
    }
  }
  const Py_ssize_t given = PyTuple_GET_SIZE(values.get());
  if (given != count)
    return PyErr_Format(PyExc_TypeError, "Too %s arguments for %R; actual %zd, expected %zd",
                        given > count ? "many" : "few", self, given, count);
  Ref<> tuple = as_tuple(args);
  auto result = Ref<>::steal(PyList_New(0));
  if (!tuple || !result) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) {
    PyObject* arg = PyTuple_GET_ITEM(tuple.get(), i);
    bool done;
    if (PyType_Check(arg)) {
      done = PyList_Append(result, arg) == 0;
    } else if (PyTuple_Check(arg) || PyList_Check(arg)) {
      auto inner = Ref<>::steal(generic_substitute(self, arg, parameters, values));
      if (inner && PyList_Check(arg)) inner = Ref<>::steal(PySequence_List(inner));
      done = inner && PyList_Append(result, inner) == 0;
    } else {
      done = substitute_one(result, arg, parameters, values);
    }
    if (!done) return nullptr;
  }
  return PyList_AsTuple(result);
}

Ref<> cached_parameters(PyObject** slot, PyObject* args) {
  if (PyObject* known = sync::load_acquire(*slot)) return Ref<>::share(known);
  auto made = Ref<>::steal(generic_parameters(args));
  if (!made) return nullptr;
  PyObject* expected = nullptr;
  // Never replaced once set, so whoever sees it may borrow it from the owner of the slot.
  if (sync::compare_exchange(*slot, expected, made.get())) return Ref<>::share(made.release());
  return Ref<>::share(expected);
}

int write_type(PyUnicodeWriter* writer, PyObject* type) {
  if (type == Py_Ellipsis) return PyUnicodeWriter_WriteASCII(writer, "...", 3);
  if (type == reinterpret_cast<PyObject*>(Py_TYPE(Py_None))) return PyUnicodeWriter_WriteASCII(writer, "None", 4);
  Ref<> origin, args, name, module;
  if (!optional_attribute(type, "__origin__", &origin)) return -1;
  if (origin && !optional_attribute(type, "__args__", &args)) return -1;
  if (origin && args) return PyUnicodeWriter_WriteRepr(writer, type);
  if (!optional_attribute(type, "__qualname__", &name)) return -1;
  if (!name || name.get() == Py_None) return PyUnicodeWriter_WriteRepr(writer, type);
  if (!optional_attribute(type, "__module__", &module)) return -1;
  if (!module || module.get() == Py_None) return PyUnicodeWriter_WriteRepr(writer, type);
  if (!PyUnicode_Check(module.get()) || !PyUnicode_EqualToUTF8(module, "builtins")) {
    if (PyUnicodeWriter_WriteStr(writer, module) < 0 || PyUnicodeWriter_WriteChar(writer, '.') < 0) return -1;
  }
  return PyUnicodeWriter_WriteStr(writer, name);
}

}  // namespace amphis
