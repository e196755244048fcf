// staticmethod and classmethod: two descriptors of one layout around a callable.
#include "objects/descriptor_static.h"

#include "gc/object_new.h"
#include "objects/descriptor_property.h"
#include "objects/type.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

WrappingMethod* as_method(PyObject* self) { return reinterpret_cast<WrappingMethod*>(self); }

// __init__ may replace it at any time.
Ref<> callable_of(PyObject* self) { return sync::get_ref(&as_method(self)->callable); }

void method_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(as_method(self)->callable);
  Py_XDECREF(as_method(self)->dict);
  Py_TYPE(self)->tp_free(self);
}

int method_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_method(self)->callable);
  Py_VISIT(as_method(self)->dict);
  return 0;
}

int method_clear(PyObject* self) {
  Py_CLEAR(as_method(self)->callable);
  Py_CLEAR(as_method(self)->dict);
  return 0;
}

PyObject* class_get(PyObject* self, PyObject* obj, PyObject* type) {
  Ref<> callable = callable_of(self);
  if (!callable) {
    PyErr_SetString(PyExc_RuntimeError, "uninitialized classmethod object");
    return nullptr;
  }
  return PyMethod_New(callable, type != nullptr ? type : as_object(Py_TYPE(obj)));
}

PyObject* static_get(PyObject* self, PyObject*, PyObject*) {
  Ref<> callable = callable_of(self);
  if (!callable) PyErr_SetString(PyExc_RuntimeError, "uninitialized staticmethod object");
  return callable.release();
}

PyObject* static_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return PyObject_Call(callable_of(self).get(), args, kwargs);
}

// The wrapped callable's own name, doc and so on become the wrapper's (functools.wraps, in short).
int take_attributes(PyObject* self, PyObject* callable) {
  for (PyObject* name : {names.dunder_module, names.dunder_name, names.dunder_qualname, names.dunder_doc}) {
    PyObject* raw;
    if (PyObject_GetOptionalAttr(callable, name, &raw) < 0) return -1;
    Ref<> value = Ref<>::steal(raw);
    if (value && PyObject_SetAttr(self, name, value.get()) < 0) return -1;
  }
  return 0;
}

// Until __init__ says what it wraps, that is None.
PyObject* method_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) as_method(self)->callable = Py_NewRef(Py_None);
  return self;
}

int init_with(PyObject* self, PyObject* args, PyObject* kwargs, const char* name) {
  PyObject* callable;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_Format(PyExc_TypeError, "%s() takes no keyword arguments", name);
    return -1;
  }
  if (!PyArg_UnpackTuple(args, name, 1, 1, &callable)) return -1;
  sync::set_slot(&as_method(self)->callable, Ref<>::share(callable));
  return take_attributes(self, callable);
}

int class_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  return init_with(self, args, kwargs, "classmethod");
}
int static_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  return init_with(self, args, kwargs, "staticmethod");
}

PyObject* class_repr(PyObject* self) {
  return PyUnicode_FromFormat("<classmethod(%R)>", callable_of(self).get());
}
PyObject* static_repr(PyObject* self) {
  return PyUnicode_FromFormat("<staticmethod(%R)>", callable_of(self).get());
}

PyObject* get_isabstract(PyObject* self, void*) {
  int abstract = object_is_abstract(callable_of(self).get());
  return abstract < 0 ? nullptr : PyBool_FromLong(abstract);
}

// __annotations__ and __annotate__ are the callable's, kept in the wrapper's dict once read or set.
PyObject* get_forwarded(PyObject* self, void* name_pointer) {
  PyObject* name = *static_cast<PyObject**>(name_pointer);
  Ref<> dict = Ref<>::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return nullptr;
  PyObject* raw;
  if (PyDict_GetItemRef(dict.get(), name, &raw) != 0) return raw;
  Ref<> value = Ref<>::steal(PyObject_GetAttr(as_method(self)->callable, name));
  if (!value || PyDict_SetItem(dict.get(), name, value.get()) < 0) return nullptr;
  return value.release();
}

int set_forwarded(PyObject* self, PyObject* value, void* name_pointer) {
  PyObject* name = *static_cast<PyObject**>(name_pointer);
  Ref<> dict = Ref<>::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return -1;
  if (value != nullptr) return PyDict_SetItem(dict.get(), name, value);
  int popped = PyDict_Pop(dict.get(), name, nullptr);
  if (popped == 0) PyErr_SetObject(PyExc_AttributeError, name);
  return popped > 0 ? 0 : -1;
}

PyMemberDef method_members[] = {
    {"__func__", _Py_T_OBJECT, offsetof(WrappingMethod, callable), Py_READONLY, nullptr},
    {"__wrapped__", _Py_T_OBJECT, offsetof(WrappingMethod, callable), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef method_getsets[] = {
    {"__isabstractmethod__", get_isabstract, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__annotations__", get_forwarded, set_forwarded, nullptr, &names.dunder_annotations},
    {"__annotate__", get_forwarded, set_forwarded, nullptr, &names.dunder_annotate},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef method_methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyObject* new_bare(PyTypeObject* kind, PyObject* callable) {
  auto* method = new_gc_object<WrappingMethod>(kind);
  if (method == nullptr) return PyErr_NoMemory();
  method->callable = Py_NewRef(callable);
  method->dict = nullptr;
  sync::publish(callable);
  track(method);
  return reinterpret_cast<PyObject*>(method);
}

PyObject* new_wrapping(PyTypeObject* kind, PyObject* callable) {
  PyObject* self = new_bare(kind, callable);
  if (self == nullptr) return nullptr;
  if (take_attributes(self, callable) == 0) return self;
  Py_DECREF(self);
  return nullptr;
}

}  // namespace

PyObject* static_method_around(PyObject* function) { return new_bare(&PyStaticMethod_Type, function); }

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyClassMethod_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "classmethod",
    .tp_basicsize = sizeof(WrappingMethod),
    .tp_dealloc = method_dealloc,
    .tp_repr = class_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "classmethod(function, /)\n--\n\n"
              "Convert a function to be a class method.\n\n"
              "A class method receives the class as implicit first argument,\n"
              "just like an instance method receives the instance.\n"
              "To declare a class method, use this idiom:\n\n"
              "  class C:\n"
              "      @classmethod\n"
              "      def f(cls, arg1, arg2, argN):\n"
              "          ...\n\n"
              "It can be called either on the class (e.g. C.f()) or on an instance\n"
              "(e.g. C().f()).  The instance is ignored except for its class.\n"
              "If a class method is called for a derived class, the derived class\n"
              "object is passed as the implied first argument.\n\n"
              "Class methods are different than C++ or Java static methods.\n"
              "If you want those, see the staticmethod builtin.",
    .tp_traverse = method_traverse,
    .tp_clear = method_clear,
    .tp_methods = method_methods,
    .tp_members = method_members,
    .tp_getset = method_getsets,
    .tp_descr_get = class_get,
    .tp_dictoffset = offsetof(WrappingMethod, dict),
    .tp_init = class_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = method_new,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject PyStaticMethod_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "staticmethod",
    .tp_basicsize = sizeof(WrappingMethod),
    .tp_dealloc = method_dealloc,
    .tp_repr = static_repr,
    .tp_call = static_call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "staticmethod(function, /)\n--\n\n"
              "Convert a function to be a static method.\n\n"
              "A static method does not receive an implicit first argument.\n"
              "To declare a static method, use this idiom:\n\n"
              "     class C:\n"
              "         @staticmethod\n"
              "         def f(arg1, arg2, argN):\n"
              "             ...\n\n"
              "It can be called either on the class (e.g. C.f()) or on an instance\n"
              "(e.g. C().f()). Both the class and the instance are ignored, and\n"
              "neither is passed implicitly as the first argument to the method.\n\n"
              "Static methods in Python are similar to those found in Java or C++.\n"
              "For a more advanced concept, see the classmethod builtin.",
    .tp_traverse = method_traverse,
    .tp_clear = method_clear,
    .tp_methods = method_methods,
    .tp_members = method_members,
    .tp_getset = method_getsets,
    .tp_descr_get = static_get,
    .tp_dictoffset = offsetof(WrappingMethod, dict),
    .tp_init = static_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = method_new,
    .tp_free = PyObject_GC_Del,
};

PyObject* PyClassMethod_New(PyObject* callable) { return new_wrapping(&PyClassMethod_Type, callable); }
PyObject* PyStaticMethod_New(PyObject* callable) { return new_wrapping(&PyStaticMethod_Type, callable); }

}  // extern "C"
