// Bound methods (PyMethod_Type) and instancemethod.
#include "objects/method.h"

#include "gc/object_new.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/recursion.h"
#include "sync/ref.h"

#include <cstring>

namespace amphis {

PyObject* builtin_by_name(PyObject* name) {
  PyObject* builtins = PyEval_GetBuiltins();
  PyObject* value = nullptr;
  if (builtins == nullptr || PyMapping_GetOptionalItem(builtins, name, &value) < 0) return nullptr;
  if (value == nullptr) PyErr_SetObject(PyExc_AttributeError, name);
  return value;
}

extern "C" Py_EXPORTED_SYMBOL PyObject* _PyEval_GetBuiltin(PyObject* name) { return builtin_by_name(name); }

namespace {

PyMethodObject* as_method(PyObject* self) { return reinterpret_cast<PyMethodObject*>(self); }

// The caller's array is reused where it allows that: self goes into the place before the first argument.
PyObject* method_vectorcall(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* self = as_method(callable)->im_self;
  PyObject* func = as_method(callable)->im_func;
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if ((nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET) != 0) {
    auto** stack = const_cast<PyObject**>(args) - 1;
    PyObject* saved = stack[0];
    stack[0] = self;
    PyObject* result = PyObject_Vectorcall(func, stack, static_cast<size_t>(nargs + 1), kwnames);
    stack[0] = saved;
    return result;
  }
  Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  PyObject* small[8];
  PyObject** stack = total < 8 ? small : static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(total + 1) * sizeof(PyObject*)));
  if (stack == nullptr) return PyErr_NoMemory();
  stack[0] = self;
  if (total != 0) std::memcpy(stack + 1, args, static_cast<size_t>(total) * sizeof(PyObject*));
  PyObject* result = PyObject_Vectorcall(func, stack, static_cast<size_t>(nargs + 1), kwnames);
  if (stack != small) PyMem_Free(stack);
  return result;
}

// Attributes of the function show through.
PyObject* method_getattro(PyObject* self, PyObject* name) {
  if (RecursionGuard guard(" while looking up an attribute of a method"); guard.refused()) return nullptr;
  Found descr = type_find(Py_TYPE(self), name);
  if (!descr) return PyObject_GetAttr(as_method(self)->im_func, name);
  descrgetfunc get = Py_TYPE(descr.get())->tp_descr_get;
  return get != nullptr ? get(descr.get(), self, as_object(Py_TYPE(self))) : descr.release();
}

PyObject* method_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "method() takes no keyword arguments");
    return nullptr;
  }
  PyObject* func;
  PyObject* instance;
  if (!PyArg_UnpackTuple(args, "method", 2, 2, &func, &instance)) return nullptr;
  if (!PyCallable_Check(func)) {
    PyErr_SetString(PyExc_TypeError, "first argument must be callable");
    return nullptr;
  }
  if (instance == Py_None) {
    PyErr_SetString(PyExc_TypeError, "instance must not be None");
    return nullptr;
  }
  return PyMethod_New(func, instance);
}

void method_dealloc(PyObject* self) {
  PyMethodObject* m = as_method(self);
  untrack(self);
  if (sync::load_acquire(m->im_weakreflist) != nullptr) PyObject_ClearWeakRefs(self);
  Py_DECREF(m->im_func);
  Py_XDECREF(m->im_self);
  PyObject_GC_Del(self);
}

int method_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_method(self)->im_func);
  Py_VISIT(as_method(self)->im_self);
  return 0;
}

PyObject* method_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyMethod_Check(a) || !PyMethod_Check(b)) return Py_NewRef(Py_NotImplemented);
  int equal = PyObject_RichCompareBool(as_method(a)->im_func, as_method(b)->im_func, Py_EQ);
  if (equal < 0) return nullptr;
  if (equal) equal = as_method(a)->im_self == as_method(b)->im_self;
  return PyBool_FromLong(equal == (op == Py_EQ));
}

Py_hash_t method_hash(PyObject* self) {
  Py_hash_t hash = PyObject_GenericHash(as_method(self)->im_self);
  Py_hash_t func_hash = PyObject_Hash(as_method(self)->im_func);
  if (func_hash == -1) return -1;
  hash ^= func_hash;
  return hash == -1 ? -2 : hash;
}

// The best name of a callable for repr: __qualname__, else __name__, else null without an exception.
Ref<> name_for_repr(PyObject* func) {
  for (PyObject* name : {names.dunder_qualname, names.dunder_name}) {
    PyObject* raw;
    if (PyObject_GetOptionalAttr(func, name, &raw) < 0) return Ref<>();
    if (raw != nullptr) {
      Ref<> found = Ref<>::steal(raw);
      if (PyUnicode_Check(found.get())) return found;
      return Ref<>();
    }
  }
  return Ref<>();
}

PyObject* method_repr(PyObject* self) {
  Ref<> name = name_for_repr(as_method(self)->im_func);
  if (!name && PyErr_Occurred()) return nullptr;
  return PyUnicode_FromFormat("<bound method %V of %R>", name.get(), "?", as_method(self)->im_self);
}

PyObject* method_descr_get(PyObject* self, PyObject*, PyObject*) { return Py_NewRef(self); }

PyObject* method_reduce(PyObject* self, PyObject*) {
  Ref<> getattr = Ref<>::steal(builtin_by_name(names.str_getattr));
  Ref<> name = getattr ? Ref<>::steal(PyObject_GetAttr(as_method(self)->im_func, names.dunder_name)) : Ref<>();
  return name ? Py_BuildValue("N(ON)", getattr.release(), as_method(self)->im_self, name.release()) : nullptr;
}

PyObject* method_doc(PyObject* self, void*) { return PyObject_GetAttr(as_method(self)->im_func, names.dunder_doc); }

PyMethodDef method_methods[] = {
    {"__reduce__", method_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef method_members[] = {
    {"__func__", _Py_T_OBJECT, offsetof(PyMethodObject, im_func), Py_READONLY,
     "the function (or other callable) implementing a method"},
    {"__self__", _Py_T_OBJECT, offsetof(PyMethodObject, im_self), Py_READONLY,
     "the instance to which a method is bound"},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef method_getsets[] = {
    {"__doc__", method_doc, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// --- instancemethod -----------------------------------------------------------------------------------------------

PyInstanceMethodObject* as_instance_method(PyObject* self) { return reinterpret_cast<PyInstanceMethodObject*>(self); }

PyObject* im_getattro(PyObject* self, PyObject* name) {
  Found descr = type_find(Py_TYPE(self), name);
  if (!descr) return PyObject_GetAttr(as_instance_method(self)->func, name);
  descrgetfunc get = Py_TYPE(descr.get())->tp_descr_get;
  return get != nullptr ? get(descr.get(), self, as_object(Py_TYPE(self))) : descr.release();
}

void im_dealloc(PyObject* self) {
  untrack(self);
  Py_DECREF(as_instance_method(self)->func);
  PyObject_GC_Del(self);
}

int im_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_instance_method(self)->func);
  return 0;
}

PyObject* im_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return PyObject_Call(as_instance_method(self)->func, args, kwargs);
}

PyObject* im_descr_get(PyObject* self, PyObject* obj, PyObject*) {
  PyObject* func = as_instance_method(self)->func;
  return obj == nullptr ? Py_NewRef(func) : PyMethod_New(func, obj);
}

PyObject* im_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyInstanceMethod_Check(a) || !PyInstanceMethod_Check(b)) {
    return Py_NewRef(Py_NotImplemented);
  }
  int equal = PyObject_RichCompareBool(as_instance_method(a)->func, as_instance_method(b)->func, Py_EQ);
  return equal < 0 ? nullptr : PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* im_repr(PyObject* self) {
  PyObject* func = as_instance_method(self)->func;
  Ref<> name = name_for_repr(func);
  if (!name && PyErr_Occurred()) return nullptr;
  return PyUnicode_FromFormat("<instancemethod %V at %p>", name.get(), "?", self);
}

PyObject* im_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "instancemethod() takes no keyword arguments");
    return nullptr;
  }
  PyObject* func;
  if (!PyArg_UnpackTuple(args, "instancemethod", 1, 1, &func)) return nullptr;
  if (!PyCallable_Check(func)) {
    PyErr_SetString(PyExc_TypeError, "first argument must be callable");
    return nullptr;
  }
  return PyInstanceMethod_New(func);
}

PyObject* im_doc(PyObject* self, void*) { return PyObject_GetAttr(as_instance_method(self)->func, names.dunder_doc); }

PyMemberDef im_members[] = {
    {"__func__", _Py_T_OBJECT, offsetof(PyInstanceMethodObject, func), Py_READONLY,
     "the function (or other callable) implementing a method"},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef im_getsets[] = {
    {"__doc__", im_doc, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

bool check_method(PyObject* obj, bool right) {
  if (right) return true;
  (void)obj;
  PyErr_BadInternalCall();
  return false;
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyMethod_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "method",
    .tp_basicsize = sizeof(PyMethodObject),
    .tp_dealloc = method_dealloc,
    .tp_vectorcall_offset = offsetof(PyMethodObject, vectorcall),
    .tp_repr = method_repr,
    .tp_hash = method_hash,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = method_getattro,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc = "method(function, instance, /)\n--\n\nCreate a bound instance method object.",
    .tp_traverse = method_traverse,
    .tp_richcompare = method_richcompare,
    .tp_weaklistoffset = offsetof(PyMethodObject, im_weakreflist),
    .tp_methods = method_methods,
    .tp_members = method_members,
    .tp_getset = method_getsets,
    .tp_descr_get = method_descr_get,
    .tp_new = method_new,
};

PyTypeObject PyInstanceMethod_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "instancemethod",
    .tp_basicsize = sizeof(PyInstanceMethodObject),
    .tp_dealloc = im_dealloc,
    .tp_repr = im_repr,
    .tp_call = im_call,
    .tp_getattro = im_getattro,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "instancemethod(function)\n\nBind a function to a class.",
    .tp_traverse = im_traverse,
    .tp_richcompare = im_richcompare,
    .tp_members = im_members,
    .tp_getset = im_getsets,
    .tp_descr_get = im_descr_get,
    .tp_new = im_new,
};

PyObject* PyMethod_New(PyObject* func, PyObject* self) {
  if (self == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  auto* m = new_gc_object<PyMethodObject>(&PyMethod_Type);
  if (m == nullptr) return PyErr_NoMemory();
  m->im_func = Py_NewRef(func);
  m->im_self = Py_NewRef(self);
  m->im_weakreflist = nullptr;
  m->vectorcall = method_vectorcall;
  track(m);
  return reinterpret_cast<PyObject*>(m);
}

PyObject* PyMethod_Function(PyObject* obj) {
  return check_method(obj, PyMethod_Check(obj)) ? as_method(obj)->im_func : nullptr;
}
PyObject* PyMethod_Self(PyObject* obj) {
  return check_method(obj, PyMethod_Check(obj)) ? as_method(obj)->im_self : nullptr;
}

PyObject* PyInstanceMethod_New(PyObject* func) {
  auto* m = new_gc_object<PyInstanceMethodObject>(&PyInstanceMethod_Type);
  if (m == nullptr) return PyErr_NoMemory();
  m->func = Py_NewRef(func);
  track(m);
  return reinterpret_cast<PyObject*>(m);
}

PyObject* PyInstanceMethod_Function(PyObject* obj) {
  return check_method(obj, PyInstanceMethod_Check(obj)) ? as_instance_method(obj)->func : nullptr;
}

}  // extern "C"
