// Structural pattern matching (PEP 634).
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

bool op_match_sequence(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Value v = x.B();
  x.set(x.a(), value_bool(is_pointer(v) && PyType_HasFeature(Py_TYPE(pointer_of(v)), Py_TPFLAGS_SEQUENCE)));
  return true;
}

bool op_match_mapping(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Value v = x.B();
  x.set(x.a(), value_bool(is_pointer(v) && PyType_HasFeature(Py_TYPE(pointer_of(v)), Py_TPFLAGS_MAPPING)));
  return true;
}

namespace {

// Appends subject.name; refuses a name that a positional pattern has taken. False with an exception, or without
// one if the attribute does not exist (no match).
bool match_attribute(PyObject* subject, PyTypeObject* type, PyObject* name, PyObject* seen, PyObject* values) {
  int repeated = PySet_Contains(seen, name);
  if (repeated < 0) return false;
  if (repeated) {
    PyErr_Format(PyExc_TypeError, "%s() got multiple sub-patterns for attribute %R", type->tp_name, name);
    return false;
  }
  if (PySet_Add(seen, name) < 0) return false;
  PyObject* value;
  if (PyObject_GetOptionalAttr(subject, name, &value) <= 0) return false;
  int status = PyList_Append(values, value);
  Py_DECREF(value);
  return status == 0;
}

// A tuple of the attributes; null with an exception; None if there is no match.
PyObject* match_class(PyObject* subject, PyObject* cls, Py_ssize_t positional, PyObject* keyword_names) {
  if (!PyType_Check(cls)) {
    PyErr_SetString(PyExc_TypeError, "called match pattern must be a class");
    return nullptr;
  }
  int instance = PyObject_IsInstance(subject, cls);
  if (instance < 0) return nullptr;
  if (instance == 0) Py_RETURN_NONE;
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  Ref<> seen = Ref<>::steal(PySet_New(nullptr));
  Ref<> values = Ref<>::steal(PyList_New(0));
  if (!seen || !values) return nullptr;
  if (positional > 0) {
    PyObject* found;
    if (PyObject_GetOptionalAttr(cls, names.dunder_match_args, &found) < 0) return nullptr;
    Ref<> match_args = Ref<>::steal(found);
    bool match_self = false;
    if (match_args) {
      if (!PyTuple_CheckExact(match_args.get())) {
        PyErr_Format(PyExc_TypeError, "%s.__match_args__ must be a tuple (got %s)", type->tp_name,
                     Py_TYPE(match_args.get())->tp_name);
        return nullptr;
      }
    } else {
      // Built-in types match themselves against one positional pattern.
      match_self = PyType_HasFeature(type, _Py_TPFLAGS_MATCH_SELF);
      match_args = Ref<>::steal(PyTuple_New(0));
      if (!match_args) return nullptr;
    }
    Py_ssize_t allowed = match_self ? 1 : PyTuple_GET_SIZE(match_args.get());
    if (allowed < positional) {
      PyErr_Format(PyExc_TypeError, "%s() accepts %zd positional sub-pattern%s (%zd given)", type->tp_name, allowed,
                   allowed == 1 ? "" : "s", positional);
      return nullptr;
    }
    if (match_self) {
      if (PyList_Append(values, subject) < 0) return nullptr;
    } else {
      for (Py_ssize_t i = 0; i < positional; ++i) {
        PyObject* name = PyTuple_GET_ITEM(match_args.get(), i);
        if (!PyUnicode_CheckExact(name)) {
          PyErr_Format(PyExc_TypeError, "__match_args__ elements must be strings (got %s)", Py_TYPE(name)->tp_name);
          return nullptr;
        }
        if (!match_attribute(subject, type, name, seen, values)) {
          if (PyErr_Occurred()) return nullptr;
          Py_RETURN_NONE;
        }
      }
    }
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keyword_names); ++i) {
    if (!match_attribute(subject, type, PyTuple_GET_ITEM(keyword_names, i), seen, values)) {
      if (PyErr_Occurred()) return nullptr;
      Py_RETURN_NONE;
    }
  }
  return PyList_AsTuple(values);
}

PyObject* match_keys(PyObject* subject, PyObject* keys) {
  const Py_ssize_t count = PyTuple_GET_SIZE(keys);
  Ref<> values = Ref<>::steal(PyTuple_New(count));
  Ref<> seen = Ref<>::steal(PySet_New(nullptr));
  Ref<> get = Ref<>::steal(PyObject_GetAttrString(subject, "get"));
  // A sentinel tells an absent key from a None value; `get` does not trigger __missing__.
  Ref<> absent = Ref<>::steal(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type)));
  if (!values || !seen || !get || !absent) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* key = PyTuple_GET_ITEM(keys, i);
    int repeated = PySet_Contains(seen, key);
    if (repeated < 0 || (repeated == 0 && PySet_Add(seen, key) < 0)) return nullptr;
    if (repeated) {
      PyErr_Format(PyExc_ValueError, "mapping pattern checks duplicate key (%R)", key);
      return nullptr;
    }
    PyObject* args[2] = {key, absent};
    Ref<> value = Ref<>::steal(PyObject_Vectorcall(get, args, 2, nullptr));
    if (!value) return nullptr;
    if (value.get() == absent.get()) Py_RETURN_NONE;
    PyTuple_SET_ITEM(values.get(), i, value.release());
  }
  return values.release();
}

}  // namespace

bool op_match_class(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand subject(x.r[x.b()]);
  Operand cls(x.r[x.b() + 1]);
  Operand keyword_names(x.r[x.b() + 2]);
  if (subject.get() == nullptr || cls.get() == nullptr) return false;
  PyObject* result = match_class(subject, cls, x.c(), keyword_names);
  if (result == nullptr) return false;
  for (uint32_t i = 0; i < 3; ++i) x.clear(x.b() + i);
  return x.set_a(result);
}

bool op_match_keys(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand subject(x.B());
  if (subject.get() == nullptr) return false;
  return x.set_a(match_keys(subject, pointer_of(x.C())));
}

}  // namespace amphis
