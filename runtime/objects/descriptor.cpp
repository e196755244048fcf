// The descriptors behind built-in types' attributes: method, class method, member, getset and slot wrapper, and the bound
// form of a slot wrapper ("method-wrapper").
#include "objects/type.h"

#include <string.h>

#include "gc/object_new.h"
#include "objects/cfunction.h"
#include "objects/method.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

PyDescrObject* as_descr(PyObject* self) { return reinterpret_cast<PyDescrObject*>(self); }
PyTypeObject* descr_type(PyObject* self) { return as_descr(self)->d_type; }
PyObject* descr_name(PyObject* self) { return as_descr(self)->d_name; }

void descr_dealloc(PyObject* self) {
  untrack(self);
  Py_XDECREF(as_object(as_descr(self)->d_type));
  Py_XDECREF(as_descr(self)->d_name);
  Py_XDECREF(as_descr(self)->d_qualname);
  PyObject_GC_Del(self);
}

int descr_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_descr(self)->d_type);
  return 0;
}

template <typename T>
T* new_descr(PyTypeObject* kind, PyTypeObject* type, const char* name) {
  PyObject* interned = PyUnicode_InternFromString(name);
  if (interned == nullptr) return nullptr;
  T* descr = new_gc_object<T>(kind);
  if (descr == nullptr) {
    Py_DECREF(interned);
    PyErr_NoMemory();
    return nullptr;
  }
  auto* common = reinterpret_cast<PyDescrObject*>(descr);
  common->d_type = reinterpret_cast<PyTypeObject*>(Py_XNewRef(as_object(type)));
  common->d_name = interned;
  common->d_qualname = nullptr;
  return descr;
}

template <typename T>
PyObject* finish(T* descr) {
  // Those of built-in types live as long as the process and lead to nothing that the collector frees.
  const PyTypeObject* type = descr->d_common.d_type;
  if ((type->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) == 0) track(as_object(descr));
  return as_object(descr);
}

bool check_object(PyObject* self, PyObject* obj) {
  if (PyObject_TypeCheck(obj, descr_type(self))) [[likely]] return true;
  PyErr_Format(PyExc_TypeError, "descriptor '%V' for '%.100s' objects doesn't apply to a '%.100s' object",
               descr_name(self), "?", descr_type(self)->tp_name, Py_TYPE(obj)->tp_name);
  return false;
}

PyObject* repr_as(PyObject* self, const char* format) {
  return PyUnicode_FromFormat(format, descr_name(self), descr_type(self)->tp_name);
}

PyObject* method_repr(PyObject* self) { return repr_as(self, "<method '%U' of '%s' objects>"); }
PyObject* member_repr(PyObject* self) { return repr_as(self, "<member '%U' of '%s' objects>"); }
PyObject* getset_repr(PyObject* self) { return repr_as(self, "<attribute '%U' of '%s' objects>"); }
PyObject* wrapper_repr(PyObject* self) { return repr_as(self, "<slot wrapper '%U' of '%s' objects>"); }

PyObject* get_qualname(PyObject* self, void*) {
  Ref<> known = sync::get_ref(&as_descr(self)->d_qualname);
  if (known) return known.release();
  Ref<> type_qualname = Ref<>::steal(PyObject_GetAttr(as_object(descr_type(self)), names.dunder_qualname));
  if (!type_qualname) return nullptr;
  if (!PyUnicode_Check(type_qualname.get())) {
    PyErr_SetString(PyExc_TypeError, "<descriptor>.__objclass__.__qualname__ is not a unicode object");
    return nullptr;
  }
  Ref<> qualname = Ref<>::steal(PyUnicode_FromFormat("%U.%S", type_qualname.get(), descr_name(self)));
  if (!qualname) return nullptr;
  sync::set_slot(&as_descr(self)->d_qualname, qualname.copy());
  return qualname.release();
}

PyObject* descr_reduce(PyObject* self, PyObject*) {
  Ref<> getattr = Ref<>::steal(builtin_by_name(names.str_getattr));
  if (!getattr) return nullptr;
  return Py_BuildValue("N(OO)", getattr.release(), descr_type(self), descr_name(self));
}

PyMethodDef descr_methods[] = {
    {"__reduce__", descr_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef descr_members[] = {
    {"__objclass__", _Py_T_OBJECT, offsetof(PyDescrObject, d_type), Py_READONLY, nullptr},
    {"__name__", _Py_T_OBJECT, offsetof(PyDescrObject, d_name), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

// --- Methods ----------------------------------------------------------------------------------------------------

PyMethodDef* method_def(PyObject* self) { return reinterpret_cast<PyMethodDescrObject*>(self)->d_method; }

PyObject* method_get(PyObject* self, PyObject* obj, PyObject* type) {
  if (obj == nullptr) return Py_NewRef(self);
  if (!check_object(self, obj)) return nullptr;
  PyMethodDef* def = method_def(self);
  if ((def->ml_flags & METH_METHOD) == 0) return PyCFunction_NewEx(def, obj, nullptr);
  if (type != nullptr && PyType_Check(type)) return PyCMethod_New(def, obj, nullptr, descr_type(self));
  PyErr_Format(PyExc_TypeError, "descriptor '%V' needs a type, not '%s', as arg 2", descr_name(self), "?",
               type == nullptr ? "None" : Py_TYPE(type)->tp_name);
  return nullptr;
}

PyObject* classmethod_get(PyObject* self, PyObject* obj, PyObject* type) {
  if (type == nullptr) {
    if (obj == nullptr) {
      PyErr_Format(PyExc_TypeError, "descriptor '%V' for type '%.100s' needs either an object or a type",
                   descr_name(self), "?", descr_type(self)->tp_name);
      return nullptr;
    }
    type = as_object(Py_TYPE(obj));
  }
  if (!PyType_Check(type)) {
    PyErr_Format(PyExc_TypeError, "descriptor '%V' for type '%.100s' needs a type, not a '%.100s' as arg 2",
                 descr_name(self), "?", descr_type(self)->tp_name, Py_TYPE(type)->tp_name);
    return nullptr;
  }
  if (!PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), descr_type(self))) {
    PyErr_Format(PyExc_TypeError, "descriptor '%V' requires a subtype of '%.100s' but received '%.100s'",
                 descr_name(self), "?", descr_type(self)->tp_name, reinterpret_cast<PyTypeObject*>(type)->tp_name);
    return nullptr;
  }
  PyTypeObject* defining = (method_def(self)->ml_flags & METH_METHOD) != 0 ? descr_type(self) : nullptr;
  return PyCMethod_New(method_def(self), type, nullptr, defining);
}

PyObject* classmethod_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1) {
    PyErr_Format(PyExc_TypeError, "descriptor '%V' of '%.100s' object needs an argument", descr_name(self), "?",
                 descr_type(self)->tp_name);
    return nullptr;
  }
  Ref<> bound = Ref<>::steal(classmethod_get(self, nullptr, PyTuple_GET_ITEM(args, 0)));
  if (!bound) return nullptr;
  Ref<> rest = Ref<>::steal(PyTuple_GetSlice(args, 1, n));
  return rest ? PyObject_Call(bound.get(), rest.get(), kwargs) : nullptr;
}

PyObject* method_doc(PyObject* self, void*) {
  return doc_from_internal_doc(method_def(self)->ml_name, method_def(self)->ml_doc);
}
PyObject* method_text_signature(PyObject* self, void*) {
  return text_signature_from_doc(method_def(self)->ml_name, method_def(self)->ml_doc, method_def(self)->ml_flags);
}

PyGetSetDef method_getsets[] = {
    {"__doc__", method_doc, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    {"__text_signature__", method_text_signature, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// "list.append()" for messages.
PyObject* method_full_name(PyObject* self) {
  Ref<> type = Ref<>::steal(PyType_GetQualName(descr_type(self)));
  return type ? PyUnicode_FromFormat("%U.%U()", type.get(), descr_name(self)) : nullptr;
}

// The first argument is the object: it must be there and of the right type.
bool check_self(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1) {
    PyErr_Format(PyExc_TypeError, "unbound method %s.%U() needs an argument", descr_type(self)->tp_name,
                 descr_name(self));
    return false;
  }
  return check_object(self, args[0]);
}

struct MethodTraits {
  static PyMethodDef* def(PyObject* self) { return method_def(self); }
  static PyTypeObject* defining_class(PyObject* self) { return descr_type(self); }
  static bool split(PyObject* self, PyObject* const*& args, Py_ssize_t& nargs, PyObject*& first) {
    if (!check_self(self, args, nargs)) return false;
    first = args[0];
    ++args;
    --nargs;
    return true;
  }
  static PyObject* full_name(PyObject* self) { return method_full_name(self); }
};

// --- Members and getsets ------------------------------------------------------------------------------------------

PyObject* member_get(PyObject* self, PyObject* obj, PyObject*) {
  if (obj == nullptr) return Py_NewRef(self);
  if (!check_object(self, obj)) return nullptr;
  PyMemberDef* member = reinterpret_cast<PyMemberDescrObject*>(self)->d_member;
  if ((member->flags & Py_AUDIT_READ) != 0 && PySys_Audit("object.__getattr__", "Os", obj, member->name) < 0) {
    return nullptr;
  }
  return PyMember_GetOne(reinterpret_cast<char*>(obj), member);
}

int member_set(PyObject* self, PyObject* obj, PyObject* value) {
  if (!check_object(self, obj)) return -1;
  return PyMember_SetOne(reinterpret_cast<char*>(obj), reinterpret_cast<PyMemberDescrObject*>(self)->d_member, value);
}

PyObject* member_doc(PyObject* self, void*) {
  const char* doc = reinterpret_cast<PyMemberDescrObject*>(self)->d_member->doc;
  return doc == nullptr ? Py_NewRef(Py_None) : PyUnicode_FromString(doc);
}

PyGetSetDef member_getsets[] = {
    {"__doc__", member_doc, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyGetSetDef* getset_def(PyObject* self) { return reinterpret_cast<PyGetSetDescrObject*>(self)->d_getset; }

PyObject* getset_get(PyObject* self, PyObject* obj, PyObject*) {
  if (obj == nullptr) return Py_NewRef(self);
  if (!check_object(self, obj)) return nullptr;
  PyGetSetDef* def = getset_def(self);
  if (def->get != nullptr) return def->get(obj, def->closure);
  PyErr_Format(PyExc_AttributeError, "attribute '%V' of '%.100s' objects is not readable", descr_name(self), "?",
               descr_type(self)->tp_name);
  return nullptr;
}

int getset_set(PyObject* self, PyObject* obj, PyObject* value) {
  if (!check_object(self, obj)) return -1;
  PyGetSetDef* def = getset_def(self);
  if (def->set != nullptr) return def->set(obj, value, def->closure);
  PyErr_Format(PyExc_AttributeError, "attribute '%V' of '%.100s' objects is not writable", descr_name(self), "?",
               descr_type(self)->tp_name);
  return -1;
}

PyObject* getset_doc(PyObject* self, void*) {
  const char* doc = getset_def(self)->doc;
  return doc == nullptr ? Py_NewRef(Py_None) : PyUnicode_FromString(doc);
}

PyGetSetDef getset_getsets[] = {
    {"__doc__", getset_doc, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// --- Slot wrappers ------------------------------------------------------------------------------------------------

PyWrapperDescrObject* as_wrapper(PyObject* self) { return reinterpret_cast<PyWrapperDescrObject*>(self); }

PyObject* call_wrapped(PyObject* descr, PyObject* obj, PyObject* args, PyObject* kwargs) {
  wrapperbase* base = as_wrapper(descr)->d_base;
  void* wrapped = as_wrapper(descr)->d_wrapped;
  if ((base->flags & PyWrapperFlag_KEYWORDS) != 0) {
    return reinterpret_cast<wrapperfunc_kwds>(reinterpret_cast<void (*)()>(base->wrapper))(obj, args, wrapped, kwargs);
  }
  if (kwargs != nullptr && (!PyDict_Check(kwargs) || PyDict_GET_SIZE(kwargs) != 0)) {
    PyErr_Format(PyExc_TypeError, "wrapper %s() takes no keyword arguments", base->name);
    return nullptr;
  }
  return base->wrapper(obj, args, wrapped);
}

PyObject* wrapper_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1) {
    PyErr_Format(PyExc_TypeError, "descriptor '%V' of '%.100s' object needs an argument", descr_name(self), "?",
                 descr_type(self)->tp_name);
    return nullptr;
  }
  PyObject* obj = PyTuple_GET_ITEM(args, 0);
  if (!PyObject_TypeCheck(obj, descr_type(self))) {
    PyErr_Format(PyExc_TypeError, "descriptor '%V' requires a '%.100s' object but received a '%.100s'",
                 descr_name(self), "?", descr_type(self)->tp_name, Py_TYPE(obj)->tp_name);
    return nullptr;
  }
  Ref<> rest = Ref<>::steal(PyTuple_GetSlice(args, 1, n));
  return rest ? call_wrapped(self, obj, rest.get(), kwargs) : nullptr;
}

PyObject* wrapper_get(PyObject* self, PyObject* obj, PyObject*) {
  if (obj == nullptr) return Py_NewRef(self);
  return check_object(self, obj) ? PyWrapper_New(self, obj) : nullptr;
}

PyObject* wrapper_doc(PyObject* self, void*) {
  return doc_from_internal_doc(as_wrapper(self)->d_base->name, as_wrapper(self)->d_base->doc);
}
PyObject* wrapper_text_signature(PyObject* self, void*) {
  return text_signature_from_doc(as_wrapper(self)->d_base->name, as_wrapper(self)->d_base->doc, 0);
}

PyGetSetDef wrapper_getsets[] = {
    {"__doc__", wrapper_doc, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    {"__text_signature__", wrapper_text_signature, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// --- Bound slot wrappers --------------------------------------------------------------------------------------------

struct MethodWrapper {
  PyObject_HEAD
  PyObject* descr;
  PyObject* self;
};

MethodWrapper* as_bound(PyObject* self) { return reinterpret_cast<MethodWrapper*>(self); }

void bound_dealloc(PyObject* self) {
  untrack(self);
  Py_XDECREF(as_bound(self)->descr);
  Py_XDECREF(as_bound(self)->self);
  PyObject_GC_Del(self);
}

int bound_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_bound(self)->descr);
  Py_VISIT(as_bound(self)->self);
  return 0;
}

PyObject* bound_repr(PyObject* self) {
  return PyUnicode_FromFormat("<method-wrapper '%s' of %s object at %p>",
                              as_wrapper(as_bound(self)->descr)->d_base->name, Py_TYPE(as_bound(self)->self)->tp_name,
                              as_bound(self)->self);
}

Py_hash_t bound_hash(PyObject* self) {
  Py_hash_t hash = PyObject_GenericHash(as_bound(self)->self) ^ PyObject_GenericHash(as_bound(self)->descr);
  return hash == -1 ? -2 : hash;
}

PyObject* bound_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || Py_TYPE(a) != Py_TYPE(b)) return Py_NewRef(Py_NotImplemented);
  bool equal = as_bound(a)->descr == as_bound(b)->descr && as_bound(a)->self == as_bound(b)->self;
  return PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* bound_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return call_wrapped(as_bound(self)->descr, as_bound(self)->self, args, kwargs);
}

PyObject* bound_objclass(PyObject* self, void*) { return Py_NewRef(as_object(descr_type(as_bound(self)->descr))); }
PyObject* bound_name(PyObject* self, void*) {
  return PyUnicode_FromString(as_wrapper(as_bound(self)->descr)->d_base->name);
}
PyObject* bound_doc(PyObject* self, void*) { return wrapper_doc(as_bound(self)->descr, nullptr); }
PyObject* bound_text_signature(PyObject* self, void*) {
  return wrapper_text_signature(as_bound(self)->descr, nullptr);
}
PyObject* bound_qualname(PyObject* self, void*) { return get_qualname(as_bound(self)->descr, nullptr); }

PyObject* bound_reduce(PyObject* self, PyObject*) {
  Ref<> getattr = Ref<>::steal(builtin_by_name(names.str_getattr));
  if (!getattr) return nullptr;
  return Py_BuildValue("N(OO)", getattr.release(), as_bound(self)->self, descr_name(as_bound(self)->descr));
}

PyMethodDef bound_methods[] = {
    {"__reduce__", bound_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef bound_members[] = {
    {"__self__", _Py_T_OBJECT, offsetof(MethodWrapper, self), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef bound_getsets[] = {
    {"__objclass__", bound_objclass, nullptr, nullptr, nullptr},
    {"__name__", bound_name, nullptr, nullptr, nullptr},
    {"__qualname__", bound_qualname, nullptr, nullptr, nullptr},
    {"__doc__", bound_doc, nullptr, nullptr, nullptr},
    {"__text_signature__", bound_text_signature, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyMethodDescr_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "method_descriptor",
    .tp_basicsize = sizeof(PyMethodDescrObject),
    .tp_dealloc = descr_dealloc,
    .tp_vectorcall_offset = offsetof(PyMethodDescrObject, vectorcall),
    .tp_repr = method_repr,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_traverse = descr_traverse,
    .tp_methods = descr_methods,
    .tp_members = descr_members,
    .tp_getset = method_getsets,
    .tp_descr_get = method_get,
};

PyTypeObject PyClassMethodDescr_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "classmethod_descriptor",
    .tp_basicsize = sizeof(PyMethodDescrObject),
    .tp_dealloc = descr_dealloc,
    .tp_repr = method_repr,
    .tp_call = classmethod_call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = descr_traverse,
    .tp_members = descr_members,
    .tp_getset = method_getsets,
    .tp_descr_get = classmethod_get,
};

PyTypeObject PyMemberDescr_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "member_descriptor",
    .tp_basicsize = sizeof(PyMemberDescrObject),
    .tp_dealloc = descr_dealloc,
    .tp_repr = member_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = descr_traverse,
    .tp_methods = descr_methods,
    .tp_members = descr_members,
    .tp_getset = member_getsets,
    .tp_descr_get = member_get,
    .tp_descr_set = member_set,
};

PyTypeObject PyGetSetDescr_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "getset_descriptor",
    .tp_basicsize = sizeof(PyGetSetDescrObject),
    .tp_dealloc = descr_dealloc,
    .tp_repr = getset_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = descr_traverse,
    .tp_members = descr_members,
    .tp_getset = getset_getsets,
    .tp_descr_get = getset_get,
    .tp_descr_set = getset_set,
};

PyTypeObject PyWrapperDescr_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "wrapper_descriptor",
    .tp_basicsize = sizeof(PyWrapperDescrObject),
    .tp_dealloc = descr_dealloc,
    .tp_repr = wrapper_repr,
    .tp_call = wrapper_call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_traverse = descr_traverse,
    .tp_methods = descr_methods,
    .tp_members = descr_members,
    .tp_getset = wrapper_getsets,
    .tp_descr_get = wrapper_get,
};

PyTypeObject MethodWrapper_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "method-wrapper",
    .tp_basicsize = sizeof(MethodWrapper),
    .tp_dealloc = bound_dealloc,
    .tp_repr = bound_repr,
    .tp_hash = bound_hash,
    .tp_call = bound_call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = bound_traverse,
    .tp_richcompare = bound_richcompare,
    .tp_methods = bound_methods,
    .tp_members = bound_members,
    .tp_getset = bound_getsets,
};

PyObject* PyDescr_NewMethod(PyTypeObject* type, PyMethodDef* def) {
  vectorcallfunc vectorcall = cfunction_vectorcall<MethodTraits>(def->ml_flags);
  if (vectorcall == nullptr) {
    PyErr_Format(PyExc_SystemError, "%s() method: bad call flags", def->ml_name);
    return nullptr;
  }
  auto* descr = new_descr<PyMethodDescrObject>(&PyMethodDescr_Type, type, def->ml_name);
  if (descr == nullptr) return nullptr;
  descr->d_method = def;
  descr->vectorcall = vectorcall;
  return finish(descr);
}

PyObject* PyDescr_NewClassMethod(PyTypeObject* type, PyMethodDef* def) {
  auto* descr = new_descr<PyMethodDescrObject>(&PyClassMethodDescr_Type, type, def->ml_name);
  if (descr == nullptr) return nullptr;
  descr->d_method = def;
  descr->vectorcall = nullptr;
  return finish(descr);
}

PyObject* PyDescr_NewMember(PyTypeObject* type, PyMemberDef* def) {
  if ((def->flags & Py_RELATIVE_OFFSET) != 0) {
    PyErr_SetString(PyExc_SystemError, "PyDescr_NewMember used with Py_RELATIVE_OFFSET");
    return nullptr;
  }
  auto* descr = new_descr<PyMemberDescrObject>(&PyMemberDescr_Type, type, def->name);
  if (descr == nullptr) return nullptr;
  descr->d_member = def;
  return finish(descr);
}

PyObject* PyDescr_NewGetSet(PyTypeObject* type, PyGetSetDef* def) {
  auto* descr = new_descr<PyGetSetDescrObject>(&PyGetSetDescr_Type, type, def->name);
  if (descr == nullptr) return nullptr;
  descr->d_getset = def;
  return finish(descr);
}

PyObject* PyDescr_NewWrapper(PyTypeObject* type, wrapperbase* base, void* wrapped) {
  auto* descr = new_descr<PyWrapperDescrObject>(&PyWrapperDescr_Type, type, base->name);
  if (descr == nullptr) return nullptr;
  descr->d_base = base;
  descr->d_wrapped = wrapped;
  return finish(descr);
}

int PyDescr_IsData(PyObject* obj) { return Py_TYPE(obj)->tp_descr_set != nullptr; }

PyObject* PyWrapper_New(PyObject* descr, PyObject* self) {
  auto* bound = new_gc_object<MethodWrapper>(&MethodWrapper_Type);
  if (bound == nullptr) return PyErr_NoMemory();
  bound->descr = Py_NewRef(descr);
  bound->self = Py_NewRef(self);
  track(as_object(bound));
  return as_object(bound);
}

}  // extern "C"
