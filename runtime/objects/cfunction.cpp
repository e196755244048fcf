// builtin_function_or_method and builtin_method: C functions bound to a self, and the errors of calling them.
#include "objects/cfunction.h"

#include "gc/object_new.h"
#include "objects/tuple.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

PyObject* raise_no_keywords(PyObject* full_name) {
  if (full_name == nullptr) return nullptr;
  PyErr_Format(PyExc_TypeError, "%U takes no keyword arguments", full_name);
  Py_DECREF(full_name);
  return nullptr;
}

PyObject* raise_wrong_count(PyObject* full_name, int expected, Py_ssize_t given) {
  if (full_name == nullptr) return nullptr;
  if (expected == 0) {
    PyErr_Format(PyExc_TypeError, "%U takes no arguments (%zd given)", full_name, given);
  } else {
    PyErr_Format(PyExc_TypeError, "%U takes exactly one argument (%zd given)", full_name, given);
  }
  Py_DECREF(full_name);
  return nullptr;
}

namespace cfunction_detail {

PyObject* call_tuple(PyMethodDef* def, PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Ref<> tuple = Ref<>::steal(tuple_from_array(args, nargs));
  if (!tuple) return nullptr;
  if ((def->ml_flags & METH_KEYWORDS) == 0) return def->ml_meth(self, tuple.get());
  Ref<> dict;
  if (has_keywords(kwnames)) {
    dict = Ref<>::steal(_PyStack_AsDict(args + nargs, kwnames));
    if (!dict) return nullptr;
  }
  return target<PyCFunctionWithKeywords>(def)(self, tuple.get(), dict.get());
}

}  // namespace cfunction_detail

namespace {

PyCFunctionObject* as_function(PyObject* self) { return reinterpret_cast<PyCFunctionObject*>(self); }

struct FunctionTraits {
  static PyMethodDef* def(PyObject* self) { return as_function(self)->m_ml; }
  static PyTypeObject* defining_class(PyObject* self) { return PyCFunction_GET_CLASS(self); }
  static bool split(PyObject* self, PyObject* const*&, Py_ssize_t&, PyObject*& first) {
    first = PyCFunction_GET_SELF(self);
    return true;
  }
  static PyObject* full_name(PyObject* self) { return _PyObject_FunctionStr(self); }
};

void function_dealloc(PyObject* self) {
  PyCFunctionObject* f = as_function(self);
  untrack(self);
  if (sync::load_acquire(f->m_weakreflist) != nullptr) PyObject_ClearWeakRefs(self);
  if ((f->m_ml->ml_flags & METH_METHOD) != 0) Py_XDECREF(as_object(reinterpret_cast<PyCMethodObject*>(self)->mm_class));
  Py_XDECREF(f->m_self);
  Py_XDECREF(f->m_module);
  PyObject_GC_Del(self);
}

int function_traverse(PyObject* self, visitproc visit, void* arg) {
  if ((as_function(self)->m_ml->ml_flags & METH_METHOD) != 0) {
    Py_VISIT(reinterpret_cast<PyCMethodObject*>(self)->mm_class);
  }
  Py_VISIT(as_function(self)->m_self);
  Py_VISIT(as_function(self)->m_module);
  return 0;
}

// Functions of modules have the module as self.
bool is_module_function(PyObject* self) {
  PyObject* owner = as_function(self)->m_self;
  return owner == nullptr || PyModule_Check(owner);
}

PyObject* function_repr(PyObject* self) {
  PyCFunctionObject* f = as_function(self);
  if (is_module_function(self)) return PyUnicode_FromFormat("<built-in function %s>", f->m_ml->ml_name);
  return PyUnicode_FromFormat("<built-in method %s of %s object at %p>", f->m_ml->ml_name,
                              Py_TYPE(f->m_self)->tp_name, f->m_self);
}

PyObject* function_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyCFunction_Check(a) || !PyCFunction_Check(b)) {
    return Py_NewRef(Py_NotImplemented);
  }
  bool equal = as_function(a)->m_self == as_function(b)->m_self &&
               as_function(a)->m_ml->ml_meth == as_function(b)->m_ml->ml_meth;
  return PyBool_FromLong(equal == (op == Py_EQ));
}

Py_hash_t function_hash(PyObject* self) {
  Py_hash_t hash = PyObject_GenericHash(as_function(self)->m_self);
  hash ^= Py_HashPointer(reinterpret_cast<const void*>(as_function(self)->m_ml->ml_meth));
  return hash == -1 ? -2 : hash;
}

PyObject* function_name(PyObject* self, void*) { return PyUnicode_FromString(as_function(self)->m_ml->ml_name); }

PyObject* function_qualname(PyObject* self, void*) {
  PyCFunctionObject* f = as_function(self);
  if (is_module_function(self)) return PyUnicode_FromString(f->m_ml->ml_name);
  PyObject* owner = PyType_Check(f->m_self) ? f->m_self : as_object(Py_TYPE(f->m_self));
  Ref<> owner_name = Ref<>::steal(PyObject_GetAttr(owner, names.dunder_qualname));
  if (!owner_name) return nullptr;
  if (!PyUnicode_Check(owner_name.get())) {
    PyErr_SetString(PyExc_TypeError, "<method>.__class__.__qualname__ is not a unicode object");
    return nullptr;
  }
  return PyUnicode_FromFormat("%U.%s", owner_name.get(), f->m_ml->ml_name);
}

PyObject* function_self(PyObject* self, void*) {
  PyObject* owner = PyCFunction_GET_SELF(self);
  return Py_NewRef(owner != nullptr ? owner : Py_None);
}

PyObject* function_doc(PyObject* self, void*) {
  PyMethodDef* def = as_function(self)->m_ml;
  return doc_from_internal_doc(def->ml_name, def->ml_doc);
}

PyObject* function_text_signature(PyObject* self, void*) {
  PyMethodDef* def = as_function(self)->m_ml;
  return text_signature_from_doc(def->ml_name, def->ml_doc, def->ml_flags);
}

PyObject* function_reduce(PyObject* self, PyObject*) {
  PyCFunctionObject* f = as_function(self);
  if (is_module_function(self)) return PyUnicode_FromString(f->m_ml->ml_name);
  Ref<> getattr = Ref<>::steal(builtin_by_name(names.str_getattr));
  return getattr ? Py_BuildValue("N(Os)", getattr.release(), f->m_self, f->m_ml->ml_name) : nullptr;
}

PyMethodDef function_methods[] = {
    {"__reduce__", function_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef function_members[] = {
    {"__module__", _Py_T_OBJECT, offsetof(PyCFunctionObject, m_module), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef function_getsets[] = {
    {"__doc__", function_doc, nullptr, nullptr, nullptr},
    {"__name__", function_name, nullptr, nullptr, nullptr},
    {"__qualname__", function_qualname, nullptr, nullptr, nullptr},
    {"__self__", function_self, nullptr, nullptr, nullptr},
    {"__text_signature__", function_text_signature, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

bool check_function(PyObject* obj) {
  if (PyCFunction_Check(obj)) return true;
  PyErr_BadInternalCall();
  return false;
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyCFunction_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "builtin_function_or_method",
    .tp_basicsize = sizeof(PyCFunctionObject),
    .tp_dealloc = function_dealloc,
    .tp_vectorcall_offset = offsetof(PyCFunctionObject, vectorcall),
    .tp_repr = function_repr,
    .tp_hash = function_hash,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_traverse = function_traverse,
    .tp_richcompare = function_richcompare,
    .tp_weaklistoffset = offsetof(PyCFunctionObject, m_weakreflist),
    .tp_methods = function_methods,
    .tp_members = function_members,
    .tp_getset = function_getsets,
};

PyTypeObject PyCMethod_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "builtin_method",
    .tp_basicsize = sizeof(PyCMethodObject),
    .tp_dealloc = function_dealloc,
    .tp_vectorcall_offset = offsetof(PyCFunctionObject, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_traverse = function_traverse,
    .tp_weaklistoffset = offsetof(PyCFunctionObject, m_weakreflist),
    .tp_base = &PyCFunction_Type,
};

PyObject* PyCMethod_New(PyMethodDef* def, PyObject* self, PyObject* module, PyTypeObject* cls) {
  vectorcallfunc vectorcall = cfunction_vectorcall<FunctionTraits>(def->ml_flags);
  if (vectorcall == nullptr) {
    PyErr_Format(PyExc_SystemError, "%s() method: bad call flags", def->ml_name);
    return nullptr;
  }
  PyCFunctionObject* f;
  if ((def->ml_flags & METH_METHOD) != 0) {
    if (cls == nullptr) {
      PyErr_SetString(PyExc_SystemError, "attempting to create PyCMethod with a METH_METHOD flag but no class");
      return nullptr;
    }
    auto* method = new_gc_object<PyCMethodObject>(&PyCMethod_Type);
    if (method == nullptr) return PyErr_NoMemory();
    method->mm_class = reinterpret_cast<PyTypeObject*>(Py_NewRef(as_object(cls)));
    f = &method->func;
  } else {
    f = new_gc_object<PyCFunctionObject>(&PyCFunction_Type);
    if (f == nullptr) return PyErr_NoMemory();
  }
  f->m_ml = def;
  f->m_self = Py_XNewRef(self);
  f->m_module = Py_XNewRef(module);
  f->m_weakreflist = nullptr;
  f->vectorcall = vectorcall;
  track(f);
  return reinterpret_cast<PyObject*>(f);
}

#undef PyCFunction_New
#undef PyCFunction_NewEx
PyObject* PyCFunction_New(PyMethodDef* def, PyObject* self) { return PyCMethod_New(def, self, nullptr, nullptr); }
PyObject* PyCFunction_NewEx(PyMethodDef* def, PyObject* self, PyObject* module) {
  return PyCMethod_New(def, self, module, nullptr);
}

PyCFunction PyCFunction_GetFunction(PyObject* obj) {
  return check_function(obj) ? PyCFunction_GET_FUNCTION(obj) : nullptr;
}
PyObject* PyCFunction_GetSelf(PyObject* obj) { return check_function(obj) ? PyCFunction_GET_SELF(obj) : nullptr; }
int PyCFunction_GetFlags(PyObject* obj) { return check_function(obj) ? PyCFunction_GET_FLAGS(obj) : -1; }

}  // extern "C"
