// property.
#include "objects/type.h"

#include "gc/gc_bits.h"
#include "objects/descriptor_property.h"
#include "sync/deferred.h"
#include "sync/recursion.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

PropertyObject* as_property(PyObject* self) { return reinterpret_cast<PropertyObject*>(self); }

// The name for messages: given, or the getter's; *found false if there is none.
int property_name(PyObject* self, Ref<>* name) {
  PropertyObject* p = as_property(self);
  *name = sync::get_ref(&p->name, p);
  if (*name) return 1;
  Ref<> get = sync::get_ref(&p->get, p);
  if (!get || get.get() == Py_None) return 0;
  PyObject* raw;
  int found = PyObject_GetOptionalAttr(get, names.dunder_name, &raw);
  *name = Ref<>::steal(raw);
  return found;
}

void raise_no_accessor(PyObject* self, PyObject* obj, const char* what) {
  Ref<> name;
  if (property_name(self, &name) < 0) return;
  Ref<> qualname = obj != nullptr ? Ref<>::steal(PyType_GetQualName(Py_TYPE(obj))) : Ref<>();
  if (obj != nullptr && !qualname) return;
  if (name && qualname) {
    PyErr_Format(PyExc_AttributeError, "property %R of %R object has no %s", name.get(), qualname.get(), what);
  } else if (qualname) {
    PyErr_Format(PyExc_AttributeError, "property of %R object has no %s", qualname.get(), what);
  } else {
    PyErr_Format(PyExc_AttributeError, "property has no %s", what);
  }
}

// One of the functions, for a call: null, or borrowed if only the collector frees it, or held by *holder. __init__ may
// replace it meanwhile.
PyObject* callee(PyObject* self, PyObject* const* slot, Ref<>* holder) {
  PyObject* function = sync::load_acquire(*const_cast<PyObject**>(slot));
  if (function == nullptr || sync::is_deferred(function)) return function;
  *holder = sync::get_ref(slot, self);
  return holder->get();
}

PyObject* property_get(PyObject* self, PyObject* obj, PyObject*) {
  if (obj == nullptr || obj == Py_None) return Py_NewRef(self);
  Ref<> holder;
  PyObject* get = callee(self, &as_property(self)->get, &holder);
  if (get == nullptr) {
    raise_no_accessor(self, obj, "getter");
    return nullptr;
  }
  return PyObject_CallOneArg(get, obj);
}

int property_set(PyObject* self, PyObject* obj, PyObject* value) {
  PropertyObject* p = as_property(self);
  Ref<> holder;
  PyObject* func = callee(self, value == nullptr ? &p->del : &p->set, &holder);
  if (func == nullptr) {
    raise_no_accessor(self, obj, value == nullptr ? "deleter" : "setter");
    return -1;
  }
  Ref<> result;
  if (value == nullptr) {
    result = Ref<>::steal(PyObject_CallOneArg(func, obj));
  } else {
    PyObject* args[] = {nullptr, obj, value};
    result = Ref<>::steal(PyObject_Vectorcall(func, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  }
  return result ? 0 : -1;
}

int fill(PyObject* self, PyObject* get, PyObject* set, PyObject* del, PyObject* doc) {
  PropertyObject* p = as_property(self);
  auto none_is_null = [](PyObject* value) { return value == Py_None ? nullptr : value; };
  sync::set_slot(&p->get, Ref<>::share(none_is_null(get)));
  sync::set_slot(&p->set, Ref<>::share(none_is_null(set)));
  sync::set_slot(&p->del, Ref<>::share(none_is_null(del)));
  sync::set_slot(&p->doc, Ref<>());
  sync::set_slot(&p->name, Ref<>());
  sync::store_relaxed(p->getter_doc, false);
  Ref<> text = Ref<>::share(none_is_null(doc));
  if (!text && none_is_null(get) != nullptr) {
    PyObject* raw;
    if (PyObject_GetOptionalAttr(get, names.dunder_doc, &raw) < 0) return -1;
    text = Ref<>::steal(raw);
    if (text && text.get() == Py_None) text.reset();
    sync::store_relaxed(p->getter_doc, static_cast<bool>(text));
  }
  // A subclass keeps the text in its instance dict, where a class attribute __doc__ does not hide it.
  if (Py_TYPE(self) != &PyProperty_Type) {
    PyObject* value = text ? text.get() : Py_None;
    if (PyObject_SetAttr(self, names.dunder_doc, value) < 0) {
      // A subclass with slots has no place for it: what came from the getter is an error, other text is lost.
      if (p->getter_doc || !PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
      PyErr_Clear();
    }
  } else {
    sync::set_slot(&p->doc, static_cast<Ref<>&&>(text));
  }
  return 0;
}

int property_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"fget", "fset", "fdel", "doc", nullptr};
  PyObject* get = nullptr;
  PyObject* set = nullptr;
  PyObject* del = nullptr;
  PyObject* doc = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOO:property", const_cast<char**>(keywords), &get, &set, &del,
                                   &doc)) {
    return -1;
  }
  return fill(self, get, set, del, doc);
}

// A copy with one function replaced.
PyObject* copy_with(PyObject* self, PyObject* get, PyObject* set, PyObject* del) {
  PropertyObject* p = as_property(self);
  auto pick = [](PyObject* given, PyObject* mine) {
    if (given != nullptr && given != Py_None) return given;
    return mine != nullptr ? mine : Py_None;
  };
  Ref<> my_get = sync::get_ref(&p->get, p), my_set = sync::get_ref(&p->set, p), my_del = sync::get_ref(&p->del, p);
  Ref<> my_doc = sync::get_ref(&p->doc, p), my_name = sync::get_ref(&p->name, p);
  PyObject* new_get = pick(get, my_get);
  // A text that came from the old getter is taken from the new one.
  PyObject* doc = sync::load_relaxed(p->getter_doc) && new_get != Py_None ? Py_None : (my_doc ? my_doc.get() : Py_None);
  Ref<> copy = Ref<>::steal(PyObject_CallFunctionObjArgs(as_object(Py_TYPE(self)), new_get, pick(set, my_set),
                                                         pick(del, my_del), doc, nullptr));
  if (copy && PyObject_TypeCheck(copy.get(), &PyProperty_Type)) {
    sync::set_slot(&as_property(copy.get())->name, static_cast<Ref<>&&>(my_name));
  }
  return copy.release();
}

PyObject* property_getter(PyObject* self, PyObject* func) { return copy_with(self, func, nullptr, nullptr); }
PyObject* property_setter(PyObject* self, PyObject* func) { return copy_with(self, nullptr, func, nullptr); }
PyObject* property_deleter(PyObject* self, PyObject* func) { return copy_with(self, nullptr, nullptr, func); }

PyObject* property_set_name(PyObject* self, PyObject* args) {
  if (PyTuple_GET_SIZE(args) != 2) {
    PyErr_Format(PyExc_TypeError, "__set_name__() takes 2 positional arguments but %zd were given",
                 PyTuple_GET_SIZE(args));
    return nullptr;
  }
  sync::set_slot(&as_property(self)->name, Ref<>::share(PyTuple_GET_ITEM(args, 1)));
  return Py_NewRef(Py_None);
}

PyObject* get_name(PyObject* self, void*) {
  Ref<> name;
  int found = property_name(self, &name);
  if (found == 0) {
    PyErr_SetString(PyExc_AttributeError, "'property' object has no attribute '__name__'");
  }
  return name.release();
}

int set_name(PyObject* self, PyObject* value, void*) {
  sync::set_slot(&as_property(self)->name, Ref<>::share(value));
  return 0;
}

PyObject* get_isabstract(PyObject* self, void*) {
  PropertyObject* p = as_property(self);
  for (PyObject** slot : {&p->get, &p->set, &p->del}) {
    Ref<> func = sync::get_ref(slot, p);
    int abstract = object_is_abstract(func);
    if (abstract < 0) return nullptr;
    if (abstract) return Py_NewRef(Py_True);
  }
  return Py_NewRef(Py_False);
}

void property_dealloc(PyObject* self) {
  PropertyObject* p = as_property(self);
  PyObject_GC_UnTrack(self);
  Py_XDECREF(p->get);
  Py_XDECREF(p->set);
  Py_XDECREF(p->del);
  Py_XDECREF(p->doc);
  Py_XDECREF(p->name);
  Py_TYPE(self)->tp_free(self);
}

int property_traverse(PyObject* self, visitproc visit, void* arg) {
  PropertyObject* p = as_property(self);
  Py_VISIT(p->get);
  Py_VISIT(p->set);
  Py_VISIT(p->del);
  Py_VISIT(p->doc);
  Py_VISIT(p->name);
  return 0;
}

int property_clear(PyObject* self) {
  Py_CLEAR(as_property(self)->doc);
  return 0;
}

PyMemberDef property_members[] = {
    {"fget", _Py_T_OBJECT, offsetof(PropertyObject, get), Py_READONLY, nullptr},
    {"fset", _Py_T_OBJECT, offsetof(PropertyObject, set), Py_READONLY, nullptr},
    {"fdel", _Py_T_OBJECT, offsetof(PropertyObject, del), Py_READONLY, nullptr},
    {"__doc__", _Py_T_OBJECT, offsetof(PropertyObject, doc), 0, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyMethodDef property_methods[] = {
    {"getter", property_getter, METH_O, "Descriptor to obtain a copy of the property with a different getter."},
    {"setter", property_setter, METH_O, "Descriptor to obtain a copy of the property with a different setter."},
    {"deleter", property_deleter, METH_O, "Descriptor to obtain a copy of the property with a different deleter."},
    {"__set_name__", property_set_name, METH_VARARGS, "__set_name__($self, owner, name, /)\n--\n\nMethod to set name of a property."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef property_getsets[] = {
    {"__name__", get_name, set_name, nullptr, nullptr},
    {"__isabstractmethod__", get_isabstract, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

int object_is_abstract(PyObject* obj) {
  if (RecursionGuard guard(" while looking for abstract methods"); guard.refused()) return -1;
  if (obj == nullptr) return 0;
  PyObject* raw;
  int found = PyObject_GetOptionalAttr(obj, names.dunder_isabstractmethod, &raw);
  if (found <= 0) return found;
  Ref<> flag = Ref<>::steal(raw);
  return PyObject_IsTrue(flag.get());
}

}  // namespace amphis

using namespace amphis;

extern "C" {
PyTypeObject PyProperty_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "property",
    .tp_basicsize = sizeof(PropertyObject),
    .tp_dealloc = property_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "property(fget=None, fset=None, fdel=None, doc=None)\n--\n\n"
              "Property attribute.\n\n"
              "  fget\n    function to be used for getting an attribute value\n"
              "  fset\n    function to be used for setting an attribute value\n"
              "  fdel\n    function to be used for del'ing an attribute\n"
              "  doc\n    docstring\n\n"
              "Typical use is to define a managed attribute x:\n\n"
              "class C(object):\n"
              "    def getx(self): return self._x\n"
              "    def setx(self, value): self._x = value\n"
              "    def delx(self): del self._x\n"
              "    x = property(getx, setx, delx, \"I'm the 'x' property.\")\n\n"
              "Decorators make defining new properties or modifying existing ones easy:\n\n"
              "class C(object):\n"
              "    @property\n"
              "    def x(self):\n"
              "        \"I am the 'x' property.\"\n"
              "        return self._x\n"
              "    @x.setter\n"
              "    def x(self, value):\n"
              "        self._x = value\n"
              "    @x.deleter\n"
              "    def x(self):\n"
              "        del self._x",
    .tp_traverse = property_traverse,
    .tp_clear = property_clear,
    .tp_methods = property_methods,
    .tp_members = property_members,
    .tp_getset = property_getsets,
    .tp_descr_get = property_get,
    .tp_descr_set = property_set,
    .tp_init = property_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = PyType_GenericNew,
    .tp_free = PyObject_GC_Del,
};
}
