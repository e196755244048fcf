// isinstance and issubclass: types by their MRO, everything else by __instancecheck__/__subclasscheck__, and
// class-like objects by their __bases__.
#include "objects/type.h"
#include "objects/union.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

// cls.__bases__ if that is a tuple; null without an exception otherwise.
Ref<> bases_of(PyObject* cls) {
  PyObject* raw;
  if (PyObject_GetOptionalAttr(cls, names.dunder_bases, &raw) < 0) return Ref<>();
  Ref<> bases = Ref<>::steal(raw);
  if (bases && !PyTuple_Check(bases.get())) return Ref<>();
  return bases;
}

// Is cls in the hierarchy that `derived.__bases__` spans?
int abstract_issubclass(PyObject* derived, PyObject* cls) {
  Ref<> keep;  // what `derived` borrows from
  for (;;) {
    if (derived == cls) return 1;
    Ref<> bases = bases_of(derived);
    if (!bases) return PyErr_Occurred() ? -1 : 0;
    Py_ssize_t n = PyTuple_GET_SIZE(bases.get());
    if (n == 0) return 0;
    if (n == 1) {
      derived = PyTuple_GET_ITEM(bases.get(), 0);
      keep = static_cast<Ref<>&&>(bases);
      continue;
    }
    if (Py_EnterRecursiveCall(" in __issubclass__") != 0) return -1;
    int result = 0;
    for (Py_ssize_t i = 0; i < n && result == 0; ++i) {
      result = abstract_issubclass(PyTuple_GET_ITEM(bases.get(), i), cls);
    }
    Py_LeaveRecursiveCall();
    return result;
  }
}

bool check_class(PyObject* cls, const char* message) {
  if (bases_of(cls)) return true;
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, message);
  return false;
}

using Check = int (*)(PyObject*, PyObject*);

// Tuples, the hook, and the fallback are the same for both operations.
int check_with_hook(PyObject* subject, PyObject* cls, PyObject* hook, const char* where, Check whole, Check fallback) {
  if (is_union(cls)) cls = union_args(cls);
  if (PyTuple_Check(cls)) {
    if (Py_EnterRecursiveCall(where) != 0) return -1;
    int result = 0;
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(cls); i < n && result == 0; ++i) {
      result = whole(subject, PyTuple_GET_ITEM(cls, i));
    }
    Py_LeaveRecursiveCall();
    return result;
  }
  PyObject* args[] = {cls, subject};
  if (Py_EnterRecursiveCall(where) != 0) return -1;
  bool found;
  Ref<> answer = Ref<>::steal(call_special_optional(hook, args, 2, &found));
  Py_LeaveRecursiveCall();
  if (!found) return fallback(subject, cls);
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

}  // namespace

extern "C" {

// The answers of type.__instancecheck__ and type.__subclasscheck__: no hooks.
int _PyObject_RealIsInstance(PyObject* inst, PyObject* cls) {
  if (PyType_Check(cls)) {
    if (PyObject_TypeCheck(inst, reinterpret_cast<PyTypeObject*>(cls))) return 1;
    // A proxy may claim another class; most objects have object's __class__.
    PyTypeObject* type = Py_TYPE(inst);
    if (type->tp_getattro == PyObject_GenericGetAttr) {
      Ref<> descr = Ref<>::steal(type_lookup(type, names.dunder_class));
      if (descr && Py_TYPE(descr.get()) == &PyGetSetDescr_Type && PyDescr_TYPE(descr.get()) == &PyBaseObject_Type) {
        return 0;
      }
    }
    PyObject* raw;
    if (PyObject_GetOptionalAttr(inst, names.dunder_class, &raw) < 0) return -1;
    Ref<> claimed = Ref<>::steal(raw);
    if (!claimed || claimed.get() == as_object(Py_TYPE(inst)) || !PyType_Check(claimed.get())) return 0;
    return PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(claimed.get()), reinterpret_cast<PyTypeObject*>(cls));
  }
  if (!check_class(cls, "isinstance() arg 2 must be a type, a tuple of types, or a union")) return -1;
  PyObject* raw;
  if (PyObject_GetOptionalAttr(inst, names.dunder_class, &raw) < 0) return -1;
  Ref<> claimed = Ref<>::steal(raw);
  return claimed ? abstract_issubclass(claimed.get(), cls) : 0;
}

int _PyObject_RealIsSubclass(PyObject* derived, PyObject* cls) {
  if (PyType_Check(cls) && PyType_Check(derived)) {
    return PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(derived), reinterpret_cast<PyTypeObject*>(cls));
  }
  if (!check_class(derived, "issubclass() arg 1 must be a class")) return -1;
  if (!check_class(cls, "issubclass() arg 2 must be a class, a tuple of classes, or a union")) return -1;
  return abstract_issubclass(derived, cls);
}

int PyObject_IsInstance(PyObject* inst, PyObject* cls) {
  if (as_object(Py_TYPE(inst)) == cls) return 1;
  if (PyType_CheckExact(cls)) return _PyObject_RealIsInstance(inst, cls);
  return check_with_hook(inst, cls, names.dunder_instancecheck, " in __instancecheck__", PyObject_IsInstance,
                         _PyObject_RealIsInstance);
}

int PyObject_IsSubclass(PyObject* derived, PyObject* cls) {
  if (PyType_CheckExact(cls)) {
    if (derived == cls) return 1;
    return _PyObject_RealIsSubclass(derived, cls);
  }
  return check_with_hook(derived, cls, names.dunder_subclasscheck, " in __subclasscheck__", PyObject_IsSubclass,
                         _PyObject_RealIsSubclass);
}

}  // extern "C"
