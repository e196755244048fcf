// object.__reduce_ex__ for protocols 2 and up (PEP 307) and object.__getstate__; older protocols go to copyreg.
#include "objects/object_reduce.h"

#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

Ref<> import_copyreg() { return Ref<>::steal(PyImport_Import(names.str_copyreg)); }

// The names of the slots of cls's hierarchy (a list), or None; copyreg caches them in cls.__slotnames__.
Ref<> slot_names(PyTypeObject* cls) {
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(cls->tp_dict, names.dunder_slotnames, &raw) < 0) return Ref<>();
  Ref<> cached = Ref<>::steal(raw);
  if (cached) {
    if (cached.get() == Py_None || PyList_Check(cached.get())) return cached;
    PyErr_Format(PyExc_TypeError, "%.200s.__slotnames__ should be a list or None, not %.200s", cls->tp_name,
                 Py_TYPE(cached.get())->tp_name);
    return Ref<>();
  }
  Ref<> copyreg = import_copyreg();
  if (!copyreg) return Ref<>();
  Ref<> result = Ref<>::steal(PyObject_CallMethodOneArg(copyreg.get(), names.str__slotnames, as_object(cls)));
  if (result && result.get() != Py_None && !PyList_Check(result.get())) {
    PyErr_SetString(PyExc_TypeError, "copyreg._slotnames didn't return a list or None");
    return Ref<>();
  }
  return result;
}

// `required`: the object can only be pickled if it keeps nothing in C fields that nobody saves.
PyObject* default_state(PyObject* self, bool required) {
  PyTypeObject* type = Py_TYPE(self);
  if (required && type->tp_itemsize != 0) {
    PyErr_Format(PyExc_TypeError, "cannot pickle '%.200s' object", type->tp_name);
    return nullptr;
  }
  Ref<> state;
  if (type->tp_dictoffset != 0) {
    state = Ref<>::steal(PyObject_GenericGetDict(self, nullptr));
    if (!state) return nullptr;
  }
  if (!state || PyDict_GET_SIZE(state.get()) == 0) state = Ref<>::share(Py_None);
  Ref<> slots = slot_names(type);
  if (!slots) return nullptr;
  Py_ssize_t n = slots.get() == Py_None ? 0 : PyList_GET_SIZE(slots.get());
  if (required) {
    Py_ssize_t expected = PyBaseObject_Type.tp_basicsize;
    if (type->tp_dictoffset != 0) expected += sizeof(PyObject*);
    if (type->tp_weaklistoffset > 0) expected += sizeof(PyObject*);
    expected += static_cast<Py_ssize_t>(sizeof(PyObject*)) * n;
    if (type->tp_basicsize > expected) {
      PyErr_Format(PyExc_TypeError, "cannot pickle '%.200s' object", type->tp_name);
      return nullptr;
    }
  }
  if (n == 0) return state.release();
  Ref<> values = Ref<>::steal(PyDict_New());
  if (!values) return nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) {
    Ref<> name = Ref<>::steal(PyList_GetItemRef(slots.get(), i));
    if (!name) return nullptr;
    PyObject* raw;
    if (PyObject_GetOptionalAttr(self, name.get(), &raw) < 0) return nullptr;
    Ref<> value = Ref<>::steal(raw);
    if (value && PyDict_SetItem(values.get(), name.get(), value.get()) < 0) return nullptr;
    if (n != PyList_GET_SIZE(slots.get())) {
      PyErr_Format(PyExc_RuntimeError, "__slotsname__ changed size during iteration");
      return nullptr;
    }
  }
  if (PyDict_GET_SIZE(values.get()) == 0) return state.release();
  return PyTuple_Pack(2, state.get(), values.get());
}

PyObject* state_of(PyObject* self, bool required) {
  Ref<> method = Ref<>::steal(PyObject_GetAttr(self, names.dunder_getstate));
  if (!method) return nullptr;
  if (PyCFunction_Check(method.get()) && PyCFunction_GET_SELF(method.get()) == self &&
      PyCFunction_GET_FUNCTION(method.get()) == object_getstate) {
    return default_state(self, required);
  }
  return PyObject_CallNoArgs(method.get());
}

// __getnewargs_ex__ or __getnewargs__: 1 with arguments, 0 if there is neither, -1 error. kwargs may stay null.
int new_arguments(PyObject* self, Ref<>* args, Ref<>* kwargs) {
  bool found;
  Ref<> both = Ref<>::steal(call_special_optional(names.dunder_getnewargs_ex, &self, 1, &found));
  if (found) {
    if (!both) return -1;
    if (!PyTuple_Check(both.get())) {
      PyErr_Format(PyExc_TypeError, "__getnewargs_ex__ should return a tuple, not '%.200s'",
                   Py_TYPE(both.get())->tp_name);
      return -1;
    }
    if (PyTuple_GET_SIZE(both.get()) != 2) {
      PyErr_Format(PyExc_ValueError, "__getnewargs_ex__ should return a tuple of length 2, not %zd",
                   PyTuple_GET_SIZE(both.get()));
      return -1;
    }
    *args = Ref<>::share(PyTuple_GET_ITEM(both.get(), 0));
    *kwargs = Ref<>::share(PyTuple_GET_ITEM(both.get(), 1));
    if (!PyTuple_Check(args->get())) {
      PyErr_Format(PyExc_TypeError, "first item of the tuple returned by __getnewargs_ex__ must be a tuple, not '%.200s'",
                   Py_TYPE(args->get())->tp_name);
      return -1;
    }
    if (!PyDict_Check(kwargs->get())) {
      PyErr_Format(PyExc_TypeError, "second item of the tuple returned by __getnewargs_ex__ must be a dict, not '%.200s'",
                   Py_TYPE(kwargs->get())->tp_name);
      return -1;
    }
    return 1;
  }
  *args = Ref<>::steal(call_special_optional(names.dunder_getnewargs, &self, 1, &found));
  if (!found) return PyErr_Occurred() ? -1 : 0;
  if (!*args) return -1;
  if (!PyTuple_Check(args->get())) {
    PyErr_Format(PyExc_TypeError, "__getnewargs__ should return a tuple, not '%.200s'", Py_TYPE(args->get())->tp_name);
    return -1;
  }
  return 1;
}

PyObject* reduce_newobj(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_new == nullptr) {
    PyErr_Format(PyExc_TypeError, "cannot pickle '%.200s' object", type->tp_name);
    return nullptr;
  }
  Ref<> args;
  Ref<> kwargs;
  int has_args = new_arguments(self, &args, &kwargs);
  if (has_args < 0) return nullptr;
  Ref<> copyreg = import_copyreg();
  if (!copyreg) return nullptr;
  Ref<> function;
  Ref<> function_args;
  if (!kwargs || PyDict_GET_SIZE(kwargs.get()) == 0) {
    function = Ref<>::steal(PyObject_GetAttr(copyreg.get(), names.dunder_newobj));
    if (!function) return nullptr;
    Py_ssize_t n = args ? PyTuple_GET_SIZE(args.get()) : 0;
    function_args = Ref<>::steal(PyTuple_New(n + 1));
    if (!function_args) return nullptr;
    PyTuple_SET_ITEM(function_args.get(), 0, Py_NewRef(as_object(type)));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyTuple_SET_ITEM(function_args.get(), i + 1, Py_NewRef(PyTuple_GET_ITEM(args.get(), i)));
    }
  } else {
    function = Ref<>::steal(PyObject_GetAttr(copyreg.get(), names.dunder_newobj_ex));
    if (!function) return nullptr;
    function_args = Ref<>::steal(PyTuple_Pack(3, type, args.get(), kwargs.get()));
    if (!function_args) return nullptr;
  }
  bool required = !has_args && !PyList_Check(self) && !PyDict_Check(self);
  Ref<> state = Ref<>::steal(state_of(self, required));
  if (!state) return nullptr;
  Ref<> list_items = Ref<>::share(Py_None);
  if (PyList_Check(self)) {
    list_items = Ref<>::steal(PyObject_GetIter(self));
    if (!list_items) return nullptr;
  }
  Ref<> dict_items = Ref<>::share(Py_None);
  if (PyDict_Check(self)) {
    Ref<> items = Ref<>::steal(PyObject_CallMethodNoArgs(self, names.str_items));
    if (!items) return nullptr;
    dict_items = Ref<>::steal(PyObject_GetIter(items.get()));
    if (!dict_items) return nullptr;
  }
  return PyTuple_Pack(5, function.get(), function_args.get(), state.get(), list_items.get(), dict_items.get());
}

PyObject* reduce_by_protocol(PyObject* self, int protocol) {
  if (protocol >= 2) return reduce_newobj(self);
  Ref<> copyreg = import_copyreg();
  return copyreg ? PyObject_CallMethod(copyreg.get(), "_reduce_ex", "Oi", self, protocol) : nullptr;
}

}  // namespace

PyObject* object_getstate(PyObject* self, PyObject*) { return default_state(self, false); }

PyObject* object_reduce(PyObject* self, PyObject*) { return reduce_by_protocol(self, 0); }

PyObject* object_reduce_ex(PyObject* self, PyObject* protocol_object) {
  int protocol = PyLong_AsInt(protocol_object);
  if (protocol == -1 && PyErr_Occurred()) return nullptr;
  // A class with its own __reduce__ is asked through that.
  PyObject* raw;
  if (PyObject_GetOptionalAttr(self, names.dunder_reduce, &raw) < 0) return nullptr;
  Ref<> reduce = Ref<>::steal(raw);
  if (reduce) {
    Ref<> class_reduce = Ref<>::steal(PyObject_GetAttr(as_object(Py_TYPE(self)), names.dunder_reduce));
    if (!class_reduce) return nullptr;
    Ref<> object_own = Ref<>::steal(type_lookup(&PyBaseObject_Type, names.dunder_reduce));
    if (class_reduce.get() != object_own.get()) return PyObject_CallNoArgs(reduce.get());
  }
  return reduce_by_protocol(self, protocol);
}

}  // namespace amphis

using namespace amphis;

extern "C" {
PyAPI_FUNC(PyObject*) _PyObject_GetState(PyObject* obj);
PyObject* _PyObject_GetState(PyObject* obj) { return state_of(obj, false); }
}
