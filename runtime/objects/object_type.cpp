// PyBaseObject_Type: construction with its checks on excess arguments, default repr, comparison and hash, __class__ and
// its assignment, __dir__, __format__, __sizeof__, and the __new__ methods that expose tp_new.
#include "objects/instance.h"
#include "objects/object_reduce.h"
#include "objects/type.h"
#include "objects/type_slots.h"

#include "gc/gc_bits.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyTypeObject* as_type(PyObject* obj) { return reinterpret_cast<PyTypeObject*>(obj); }

bool excess_arguments(PyObject* args, PyObject* kwargs) {
  return PyTuple_GET_SIZE(args) != 0 || (kwargs != nullptr && PyDict_Check(kwargs) && PyDict_GET_SIZE(kwargs) != 0);
}

}  // namespace

PyObject* object_raise_abstract(PyTypeObject* type) {
  Ref<> methods = Ref<>::steal(PyObject_GetAttr(as_object(type), names.dunder_abstractmethods));
  if (!methods) return nullptr;
  Ref<> sorted = Ref<>::steal(PySequence_List(methods.get()));
  if (!sorted || PyList_Sort(sorted.get()) < 0) return nullptr;
  Py_ssize_t n = PyList_GET_SIZE(sorted.get());
  Ref<> separator = Ref<>::steal(PyUnicode_FromString("', '"));
  Ref<> joined = separator ? Ref<>::steal(PyUnicode_Join(separator.get(), sorted.get())) : Ref<>();
  if (!joined) return nullptr;
  PyErr_Format(PyExc_TypeError, "Can't instantiate abstract class %s without an implementation for abstract method%s '%U'",
               type->tp_name, n > 1 ? "s" : "", joined.get());
  return nullptr;
}

// Extra arguments are an error unless the other of __new__ and __init__ is there to take them.
PyObject* object_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (excess_arguments(args, kwargs)) {
    if (type->tp_new != object_new) {
      PyErr_SetString(PyExc_TypeError, "object.__new__() takes exactly one argument (the type to instantiate)");
      return nullptr;
    }
    if (type->tp_init == object_init) {
      PyErr_Format(PyExc_TypeError, "%.200s() takes no arguments", type->tp_name);
      return nullptr;
    }
  }
  if (type_has_flag(type, Py_TPFLAGS_IS_ABSTRACT)) return object_raise_abstract(type);
  return type->tp_alloc(type, 0);
}

int object_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyTypeObject* type = Py_TYPE(self);
  if (excess_arguments(args, kwargs)) {
    if (type->tp_init != object_init) {
      PyErr_SetString(PyExc_TypeError, "object.__init__() takes exactly one argument (the instance to initialize)");
      return -1;
    }
    if (type->tp_new == object_new) {
      PyErr_Format(PyExc_TypeError, "%.200s.__init__() takes exactly one argument (the instance to initialize)",
                   type->tp_name);
      return -1;
    }
  }
  return 0;
}

PyObject* object_richcompare(PyObject* self, PyObject* other, int op) {
  if (op == Py_EQ) return Py_NewRef(self == other ? Py_True : Py_NotImplemented);
  if (op == Py_NE) {
    // Whatever says == says !=, unless it says nothing.
    richcmpfunc compare = Py_TYPE(self)->tp_richcompare;
    if (compare != nullptr) {
      PyObject* equal = compare(self, other, Py_EQ);
      if (equal == nullptr || equal == Py_NotImplemented) return equal;
      int truth = PyObject_IsTrue(equal);
      Py_DECREF(equal);
      return truth < 0 ? nullptr : PyBool_FromLong(!truth);
    }
  }
  return Py_NewRef(Py_NotImplemented);
}

// --- __new__ ----------------------------------------------------------------------------------------------------

PyObject* tp_new_wrapper(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (self == nullptr || !PyType_Check(self)) {
    PyErr_Format(PyExc_SystemError, "__new__() called with non-type 'self'");
    return nullptr;
  }
  PyTypeObject* owner = as_type(self);
  if (nargs < 1) {
    PyErr_Format(PyExc_TypeError, "%s.__new__(): not enough arguments", owner->tp_name);
    return nullptr;
  }
  PyObject* first = args[0];
  if (!PyType_Check(first)) {
    PyErr_Format(PyExc_TypeError, "%s.__new__(X): X is not a type object (%s)", owner->tp_name,
                 Py_TYPE(first)->tp_name);
    return nullptr;
  }
  PyTypeObject* subtype = as_type(first);
  if (!PyType_IsSubtype(subtype, owner)) {
    PyErr_Format(PyExc_TypeError, "%s.__new__(%s): %s is not a subtype of %s", owner->tp_name, subtype->tp_name,
                 subtype->tp_name, owner->tp_name);
    return nullptr;
  }
  // object.__new__(dict) would leave a dict half made: the most derived native base's tp_new must be this one.
  PyTypeObject* native = subtype;
  while (native != nullptr && native->tp_new == slot_new) native = native->tp_base;
  if (native != nullptr && native->tp_new != owner->tp_new) {
    if (native->tp_new == nullptr) {
      PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", subtype->tp_name);
      return nullptr;
    }
    PyErr_Format(PyExc_TypeError, "%s.__new__(%s) is not safe, use %s.__new__()", owner->tp_name, subtype->tp_name,
                 native->tp_name);
    return nullptr;
  }
  bool keywords = kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0;
  if (owner->tp_new == object_new && nargs == 1 && !keywords) {
    return type_has_flag(subtype, Py_TPFLAGS_IS_ABSTRACT) ? object_raise_abstract(subtype) : subtype->tp_alloc(subtype, 0);
  }
  Ref<> rest = Ref<>::steal(PyTuple_New(nargs - 1));
  if (!rest) return nullptr;
  for (Py_ssize_t i = 1; i < nargs; ++i) PyTuple_SET_ITEM(rest.get(), i - 1, Py_NewRef(args[i]));
  Ref<> dict;
  if (keywords) {
    dict = Ref<>::steal(_PyStack_AsDict(args + nargs, kwnames));
    if (!dict) return nullptr;
  }
  return owner->tp_new(subtype, rest.get(), dict.get());
}

namespace {
PyMethodDef new_method = {"__new__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(tp_new_wrapper)),
                          METH_FASTCALL | METH_KEYWORDS,
                          "__new__($type, *args, **kwargs)\n--\n\n"
                          "Create and return a new object.  See help(type) for accurate signature."};
}

int type_add_new_wrapper(PyTypeObject* type) {
  int present = PyDict_Contains(type->tp_dict, names.dunder_new);
  if (present != 0) return present < 0 ? -1 : 0;
  Ref<> function = Ref<>::steal(PyCFunction_NewEx(&new_method, as_object(type), nullptr));
  return function ? PyDict_SetItem(type->tp_dict, names.dunder_new, function.get()) : -1;
}

namespace {

// --- Slots --------------------------------------------------------------------------------------------------------

void object_dealloc(PyObject* self) { Py_TYPE(self)->tp_free(self); }

PyObject* object_repr(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Ref<> module = Ref<>::steal(PyType_GetModuleName(type));
  if (!module) {
    PyErr_Clear();
  } else if (!PyUnicode_Check(module.get())) {
    module.reset();
  }
  Ref<> qualname = Ref<>::steal(PyType_GetQualName(type));
  if (!qualname) return nullptr;
  if (module && PyUnicode_CompareWithASCIIString(module.get(), "builtins") != 0) {
    return PyUnicode_FromFormat("<%U.%U object at %p>", module.get(), qualname.get(), self);
  }
  return PyUnicode_FromFormat("<%s object at %p>", type->tp_name, self);
}

PyObject* object_str(PyObject* self) {
  reprfunc repr = Py_TYPE(self)->tp_repr;
  return repr == nullptr ? object_repr(self) : repr(self);
}

// --- __class__ --------------------------------------------------------------------------------------------------

PyObject* get_class(PyObject* self, void*) { return Py_NewRef(as_object(Py_TYPE(self))); }

bool class_assignment_allowed(PyTypeObject* from, PyTypeObject* to) {
  bool modules = PyType_IsSubtype(to, &PyModule_Type) && PyType_IsSubtype(from, &PyModule_Type);
  if (!modules && (type_has_flag(to, Py_TPFLAGS_IMMUTABLETYPE) || type_has_flag(from, Py_TPFLAGS_IMMUTABLETYPE))) {
    PyErr_Format(PyExc_TypeError,
                 "__class__ assignment only supported for mutable types or ModuleType subclasses");
    return false;
  }
  if (to->tp_free != from->tp_free) {
    PyErr_Format(PyExc_TypeError, "__class__ assignment: '%s' deallocator differs from '%s'", to->tp_name,
                 from->tp_name);
    return false;
  }
  if (!type_same_layout(from, to) ||
      (from->tp_flags & Py_TPFLAGS_INLINE_VALUES) != (to->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
    PyErr_Format(PyExc_TypeError, "__class__ assignment: '%s' object layout differs from '%s'", to->tp_name,
                 from->tp_name);
    return false;
  }
  return true;
}

int set_class(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete __class__ attribute");
    return -1;
  }
  if (!PyType_Check(value)) {
    PyErr_Format(PyExc_TypeError, "__class__ must be set to a class, not '%s' object", Py_TYPE(value)->tp_name);
    return -1;
  }
  PyTypeObject* to = as_type(value);
  if (PySys_Audit("object.__setattr__", "OsO", self, "__class__", value) < 0) return -1;
  for (;;) {
    Ref<> held = Ref<>::share(as_object(Py_TYPE(self)));  // another thread may let go of it meanwhile
    PyTypeObject* from = as_type(held.get());
    if (!class_assignment_allowed(from, to)) return -1;
    if (from == to) return 0;
    ObjectLock lock(self);
    // The values' order belongs to the old class's keys.
    if (has_inline_values(from) && inline_values(self, from)->valid && instance_materialize_dict(self) == nullptr) {
      return -1;
    }
    // The instance's reference is dropped once, by who replaces the class.
    if (Py_TYPE(self) != from) continue;
    if (is_heap_type(to)) Py_INCREF(as_object(to));
    sync::store_release(self->ob_type, to);
    if (is_heap_type(from)) Py_DECREF(as_object(from));  // of two
    return 0;
  }
}

// --- Methods ------------------------------------------------------------------------------------------------------

PyObject* object_init_subclass(PyObject*, PyObject*) { return Py_NewRef(Py_None); }

PyObject* object_subclasshook(PyObject*, PyObject*) { return Py_NewRef(Py_NotImplemented); }

PyObject* object_format(PyObject* self, PyObject* spec) {
  if (!PyUnicode_Check(spec)) {
    PyErr_Format(PyExc_TypeError, "__format__() argument must be str, not %.200s", Py_TYPE(spec)->tp_name);
    return nullptr;
  }
  if (PyUnicode_GET_LENGTH(spec) > 0) {
    PyErr_Format(PyExc_TypeError, "unsupported format string passed to %.200s.__format__", Py_TYPE(self)->tp_name);
    return nullptr;
  }
  return PyObject_Str(self);
}

PyObject* object_sizeof(PyObject* self, PyObject*) {
  PyTypeObject* type = Py_TYPE(self);
  Py_ssize_t size = type->tp_basicsize;
  if (type->tp_itemsize > 0) {
    // Ints keep their count of digits elsewhere.
    const Py_ssize_t items = PyLong_Check(self) ? _PyLong_DigitCount(reinterpret_cast<PyLongObject*>(self))
                                                : reinterpret_cast<PyVarObject*>(self)->ob_size;
    size += (items < 0 ? -items : items) * type->tp_itemsize;
  }
  return PyLong_FromSsize_t(size + static_cast<Py_ssize_t>(inline_values_size(type)));
}

int merge_class_namespace(PyObject* dict, PyObject* cls) {
  PyObject* raw;
  if (PyObject_GetOptionalAttr(cls, names.dunder_dict, &raw) < 0) return -1;
  Ref<> attributes = Ref<>::steal(raw);
  if (attributes && PyDict_Update(dict, attributes.get()) < 0) return -1;
  if (PyObject_GetOptionalAttr(cls, names.dunder_bases, &raw) < 0) return -1;
  Ref<> bases = Ref<>::steal(raw);
  if (!bases) return 0;
  Py_ssize_t n = PySequence_Size(bases.get());
  if (n < 0) PyErr_Clear();
  for (Py_ssize_t i = 0; i < n; ++i) {
    Ref<> base = Ref<>::steal(PySequence_GetItem(bases.get(), i));
    if (!base || merge_class_namespace(dict, base.get()) < 0) return -1;
  }
  return 0;
}

PyObject* object_dir(PyObject* self, PyObject*) {
  PyObject* raw;
  if (PyObject_GetOptionalAttr(self, names.dunder_dict, &raw) < 0) return nullptr;
  Ref<> own = Ref<>::steal(raw);
  Ref<> dict = Ref<>::steal(own && PyDict_Check(own.get()) ? PyDict_Copy(own.get()) : PyDict_New());
  if (!dict) return nullptr;
  if (PyObject_GetOptionalAttr(self, names.dunder_class, &raw) < 0) return nullptr;
  Ref<> cls = Ref<>::steal(raw);
  if (cls && merge_class_namespace(dict.get(), cls.get()) < 0) return nullptr;
  return PyDict_Keys(dict.get());
}

PyMethodDef object_methods[] = {
    {"__reduce_ex__", object_reduce_ex, METH_O,
     "__reduce_ex__($self, protocol, /)\n--\n\nHelper for pickle."},
    {"__reduce__", object_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nHelper for pickle."},
    {"__getstate__", object_getstate, METH_NOARGS, "__getstate__($self, /)\n--\n\nHelper for pickle."},
    {"__subclasshook__", object_subclasshook, METH_CLASS | METH_O,
     "__subclasshook__($type, object, /)\n--\n\nAbstract classes can override this to customize issubclass().\n\n"
     "This is invoked early on by abc.ABCMeta.__subclasscheck__().\n"
     "It should return True, False or NotImplemented.  If it returns\n"
     "NotImplemented, the normal algorithm is used.  Otherwise, it\n"
     "overrides the normal algorithm (and the outcome is cached).\n"},
    {"__init_subclass__", object_init_subclass, METH_CLASS | METH_NOARGS,
     "__init_subclass__($type, /)\n--\n\nThis method is called when a class is subclassed.\n\n"
     "The default implementation does nothing. It may be\noverridden to extend subclasses.\n"},
    {"__format__", object_format, METH_O,
     "__format__($self, format_spec, /)\n--\n\nDefault object formatter.\n\n"
     "Return str(self) if format_spec is empty. Raise TypeError otherwise."},
    {"__sizeof__", object_sizeof, METH_NOARGS,
     "__sizeof__($self, /)\n--\n\nSize of object in memory, in bytes."},
    {"__dir__", object_dir, METH_NOARGS, "__dir__($self, /)\n--\n\nDefault dir() implementation."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef object_getsets[] = {
    {"__class__", get_class, set_class, "the object's class", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {
PyTypeObject PyBaseObject_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "object",
    .tp_basicsize = sizeof(PyObject),
    .tp_dealloc = object_dealloc,
    .tp_repr = object_repr,
    .tp_hash = PyObject_GenericHash,
    .tp_str = object_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "object()\n--\n\n"
              "The base class of the class hierarchy.\n\n"
              "When called, it accepts no arguments and returns a new featureless\n"
              "instance that has no instance attributes and cannot be given any.\n",
    .tp_richcompare = object_richcompare,
    .tp_methods = object_methods,
    .tp_getset = object_getsets,
    .tp_init = object_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = object_new,
    .tp_free = PyObject_Free,
    .tp_vectorcall = type_vectorcall,
};
}
