// PyType_Type: the metaclass's own slots (attribute access on classes, calling, repr, deallocation) and methods.
#include "objects/type.h"

#include "gc/gc_bits.h"
#include "objects/method.h"
#include "objects/tuple.h"
#include "objects/type_slots.h"
#include "sync/recursion.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <cstring>

// types.UnionType's constructor for the | operator on classes.
extern "C" PyObject* _Py_union_type_or(PyObject* left, PyObject* right);

namespace amphis {

namespace {

PyTypeObject* as_type(PyObject* obj) { return reinterpret_cast<PyTypeObject*>(obj); }

// --- Attributes of classes ------------------------------------------------------------------------------------

PyObject* raise_no_class_attribute(PyTypeObject* type, PyObject* name) {
  PyErr_Format(PyExc_AttributeError, "type object '%.100s' has no attribute '%U'", type->tp_name, name);
  set_attribute_error_context(as_object(type), name);
  return nullptr;
}

bool is_dunder(PyObject* name) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(name);
  if (n <= 4 || !PyUnicode_IS_ASCII(name)) return false;
  const char* text = static_cast<const char*>(PyUnicode_DATA(name));
  return text[0] == '_' && text[1] == '_' && text[n - 1] == '_' && text[n - 2] == '_';
}

}  // namespace

int type_lookup_attribute(PyTypeObject* type, PyObject* name, PyObject** result) {
  *result = nullptr;
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(type) < 0) return -1;
  PyTypeObject* meta = Py_TYPE(as_object(type));
  Found meta_attribute = type_find(meta, name);
  descrgetfunc meta_get = nullptr;
  if (meta_attribute) {
    PyTypeObject* kind = Py_TYPE(meta_attribute.get());
    meta_get = kind->tp_descr_get;
    if (meta_get != nullptr && kind->tp_descr_set != nullptr) {
      *result = meta_get(meta_attribute.get(), as_object(type), as_object(meta));
      return *result != nullptr ? 1 : -1;
    }
  }
  Found attribute = type_find(type, name);
  if (attribute) {
    descrgetfunc get = Py_TYPE(attribute.get())->tp_descr_get;
    *result = get != nullptr ? get(attribute.get(), nullptr, as_object(type)) : attribute.release();
    return *result != nullptr ? 1 : -1;
  }
  if (!meta_attribute) return 0;
  *result = meta_get != nullptr ? meta_get(meta_attribute.get(), as_object(type), as_object(meta))
                                : meta_attribute.release();
  return *result != nullptr ? 1 : -1;
}

PyObject* type_getattro(PyObject* self, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
    return nullptr;
  }
  PyObject* result;
  if (type_lookup_attribute(as_type(self), name, &result) == 0) return raise_no_class_attribute(as_type(self), name);
  return result;
}

int type_setattro(PyObject* self, PyObject* name, PyObject* value) {
  PyTypeObject* type = as_type(self);
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
    return -1;
  }
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_Format(PyExc_TypeError, "cannot set %R attribute of immutable type '%s'", name, type->tp_name);
    return -1;
  }
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(type) < 0) return -1;
  PyTypeObject* meta = Py_TYPE(self);
  Ref<> descr = Ref<>::steal(type_lookup(meta, name));
  if (descr) {
    descrsetfunc set = Py_TYPE(descr.get())->tp_descr_set;
    if (set != nullptr) return set(descr.get(), self, value);
  }
  PyObject* key_raw = Py_NewRef(name);
  if (PyUnicode_CheckExact(key_raw) && !PyUnicode_CHECK_INTERNED(key_raw)) PyUnicode_InternInPlace(&key_raw);
  Ref<> key = Ref<>::steal(key_raw);

  Ref<> old;  // dropped after the lock: its end may run Python code
  int result;
  {
    TypeLock lock;
    PyObject* old_raw = nullptr;
    if (PyDict_GetItemRef(type->tp_dict, key.get(), &old_raw) < 0) return -1;
    old = Ref<>::steal(old_raw);
    type_modified_locked(type);
    if (value != nullptr) {
      result = PyDict_SetItem(type->tp_dict, key.get(), value);
    } else if (old) {
      result = PyDict_DelItem(type->tp_dict, key.get());
    } else {
      result = 1;
    }
    if (result == 0 && is_dunder(key.get()) && is_slot_name(key.get())) {
      TypeChange change(type, value != nullptr ? TypeChange::kFills : TypeChange::kReplaces);
      type_update_slots_for(type, key.get());
    }
  }
  if (result == 1) {
    raise_no_class_attribute(type, name);
    return -1;
  }
  return result;
}

// --- Calling ------------------------------------------------------------------------------------------------------

namespace {

// type(x): one argument, exactly this metaclass.
bool is_type_of_query(PyObject* self, Py_ssize_t nargs, bool keywords) {
  return self == as_object(&PyType_Type) && nargs == 1 && !keywords;
}

PyObject* raise_cannot_create(PyTypeObject* type) {
  PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
  return nullptr;
}

// The second half of a call: __init__, if __new__ returned an instance.
AMPHIS_ALWAYS_INLINE PyObject* finish_call(PyTypeObject* type, PyObject* obj, PyObject* args, PyObject* kwargs) {
  if (!Py_IS_TYPE(obj, type) && !PyObject_TypeCheck(obj, type)) return obj;
  initproc init = Py_TYPE(obj)->tp_init;
  // object.__init__ has nothing to do where there are no arguments.
  if (init == object_init && kwargs == nullptr && PyTuple_GET_SIZE(args) == 0) return obj;
  if (init != nullptr && init(obj, args, kwargs) < 0) {
    Py_DECREF(obj);
    return nullptr;
  }
  return obj;
}

// __init__ in Python code, called with the arguments where they lie. obj's reference is taken over.
PyObject* init_with_vector(PyObject* obj, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* method;
  bool unbound;
  int found = lookup_special(obj, names.dunder_init, &method, &unbound);
  if (found <= 0) {
    if (found == 0) PyErr_SetObject(PyExc_AttributeError, names.dunder_init);
    Py_DECREF(obj);
    return nullptr;
  }
  PyObject* result;
  if (!unbound) {
    result = PyObject_Vectorcall(method, args, static_cast<size_t>(nargs), kwnames);
  } else {
    Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
    PyObject* small[9];
    PyObject** stack = total + 1 <= 9 ? small : static_cast<PyObject**>(PyMem_Malloc((total + 1) * sizeof(PyObject*)));
    if (stack == nullptr) {
      Py_DECREF(method);
      Py_DECREF(obj);
      return PyErr_NoMemory();
    }
    stack[0] = obj;
    if (total != 0) std::memcpy(stack + 1, args, static_cast<size_t>(total) * sizeof(PyObject*));
    result = PyObject_Vectorcall(method, stack, static_cast<size_t>(nargs + 1), kwnames);
    if (stack != small) PyMem_Free(stack);
  }
  Py_DECREF(method);
  if (result == Py_None) return obj;
  if (result != nullptr) {
    PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'", Py_TYPE(result)->tp_name);
    Py_DECREF(result);
  }
  Py_DECREF(obj);
  return nullptr;
}

PyObject* new_with_vector(PyTypeObject* type, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Ref<> method = Ref<>::steal(PyObject_GetAttr(as_object(type), names.dunder_new));
  if (!method) return nullptr;
  Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  PyObject* small[9];
  PyObject** stack = total + 1 <= 9 ? small : static_cast<PyObject**>(PyMem_Malloc((total + 1) * sizeof(PyObject*)));
  if (stack == nullptr) return PyErr_NoMemory();
  stack[0] = as_object(type);
  if (total != 0) std::memcpy(stack + 1, args, static_cast<size_t>(total) * sizeof(PyObject*));
  PyObject* result = PyObject_Vectorcall(method.get(), stack, static_cast<size_t>(nargs + 1), kwnames);
  if (stack != small) PyMem_Free(stack);
  return result;
}

}  // namespace

PyObject* type_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyTypeObject* type = as_type(self);
  Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  bool keywords = kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0;
  if (is_type_of_query(self, nargs, keywords)) return Py_NewRef(as_object(Py_TYPE(PyTuple_GET_ITEM(args, 0))));
  if (self == as_object(&PyType_Type) && nargs != 3) {
    PyErr_SetString(PyExc_TypeError, "type() takes 1 or 3 arguments");
    return nullptr;
  }
  if (type->tp_new == nullptr) return raise_cannot_create(type);
  PyObject* obj = check_call_result(self, type->tp_new(type, args, kwargs));
  return obj == nullptr ? nullptr : finish_call(type, obj, args, kwargs);
}

PyObject* type_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyTypeObject* type = as_type(self);
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  bool python_init = type->tp_init == slot_init;
  PyObject* obj;
  if (type->tp_new == object_new && (python_init || (nargs == 0 && kwnames == nullptr && type->tp_init == object_init))) {
    // object.__new__ ignores arguments that an overridden __init__ will see.
    if (type_has_flag(type, Py_TPFLAGS_IS_ABSTRACT)) return object_raise_abstract(type);
    obj = type->tp_alloc(type, 0);
    if (obj == nullptr || !python_init) return obj;
    return init_with_vector(obj, args, nargs, kwnames);
  }
  if (type->tp_new == slot_new) {
    obj = new_with_vector(type, args, nargs, kwnames);
    if (obj == nullptr || !PyObject_TypeCheck(obj, type)) return obj;
    initproc init = Py_TYPE(obj)->tp_init;
    if (init == slot_init) return init_with_vector(obj, args, nargs, kwnames);
    // object.__init__ has nothing to do after a Python __new__.
    if (init == object_init) return obj;
    Ref<> tuple = Ref<>::steal(tuple_from_array(args, nargs));
    Ref<> dict;
    if (tuple && kwnames != nullptr) {
      dict = Ref<>::steal(_PyStack_AsDict(args + nargs, kwnames));
      if (!dict) tuple.reset();
    }
    if (!tuple || (init != nullptr && init(obj, tuple.get(), dict.get()) < 0)) {
      Py_DECREF(obj);
      return nullptr;
    }
    return obj;
  }
  // What type_call does, without going through the metaclass.
  if (type->tp_new == nullptr) return raise_cannot_create(type);
  RecursionGuard guard(" while calling a Python object");
  if (guard.refused()) return nullptr;
  Ref<> tuple = Ref<>::steal(tuple_from_array(args, nargs));
  Ref<> dict;
  if (!tuple) return nullptr;
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    dict = Ref<>::steal(_PyStack_AsDict(args + nargs, kwnames));
    if (!dict) return nullptr;
  }
  obj = check_call_result(self, type->tp_new(type, tuple.get(), dict.get()));
  return obj == nullptr ? nullptr : finish_call(type, obj, tuple.get(), dict.get());
}

namespace {

// tp_vectorcall of `type` itself: type(x) and type(name, bases, dict).
PyObject* metatype_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (is_type_of_query(self, nargs, kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0)) {
    return Py_NewRef(as_object(Py_TYPE(args[0])));
  }
  return call_with_tuple(self, args, nargs, kwnames);
}

// --- Other slots ----------------------------------------------------------------------------------------------

PyObject* type_repr(PyObject* self) {
  PyTypeObject* type = as_type(self);
  if (type->tp_name == nullptr) return PyUnicode_FromFormat("<class at %p>", type);
  Ref<> module = Ref<>::steal(PyType_GetModuleName(type));
  if (!module) PyErr_Clear();
  Ref<> qualname = Ref<>::steal(PyType_GetQualName(type));
  if (!qualname) return nullptr;
  bool plain = !module || !PyUnicode_Check(module.get()) ||
               PyUnicode_CompareWithASCIIString(module.get(), "builtins") == 0;
  if (plain) return PyUnicode_FromFormat("<class '%s'>", type->tp_name);
  return PyUnicode_FromFormat("<class '%U.%U'>", module.get(), qualname.get());
}

int type_init(PyObject*, PyObject* args, PyObject* kwargs) {
  Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (kwargs != nullptr && nargs == 1 && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "type.__init__() takes no keyword arguments");
    return -1;
  }
  if (nargs != 1 && nargs != 3) {
    PyErr_SetString(PyExc_TypeError, "type.__init__() takes 1 or 3 arguments");
    return -1;
  }
  return 0;
}

void type_dealloc(PyObject* self) {
  PyTypeObject* type = as_type(self);
  untrack(self);
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  PyObject* bases = type->tp_bases;
  if (bases != nullptr) {
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
      type_remove_subclass(as_type(PyTuple_GET_ITEM(bases, i)), type);
    }
  }
  PyObject_ClearWeakRefs(self);
  auto* heap = reinterpret_cast<PyHeapTypeObject*>(type);
  Py_CLEAR(type->tp_dict);
  Py_CLEAR(type->tp_bases);
  Py_CLEAR(type->tp_mro);
  Py_CLEAR(type->tp_cache);
  type_free_subclasses(type);
  PyMem_Free(const_cast<char*>(type->tp_doc));
  Py_CLEAR(heap->ht_name);
  Py_CLEAR(heap->ht_qualname);
  Py_CLEAR(heap->ht_slots);
  Py_CLEAR(heap->ht_module);
  PyMem_Free(heap->_ht_tpname);
  if (TypeExtra* extra = type_extra(type)) {
    for (int i = 0; i < extra->keys.count; ++i) Py_DECREF(extra->keys.names[i]);
    PyMem_Free(extra);
  }
  Py_CLEAR(type->tp_base);
  PyErr_SetRaisedException(saved.release());
  Py_TYPE(self)->tp_free(self);
}

int type_traverse(PyObject* self, visitproc visit, void* arg) {
  PyTypeObject* type = as_type(self);
  if (!is_heap_type(type)) return 0;
  Py_VISIT(type->tp_dict);
  Py_VISIT(type->tp_cache);
  Py_VISIT(type->tp_mro);
  Py_VISIT(type->tp_bases);
  Py_VISIT(type->tp_base);
  Py_VISIT(reinterpret_cast<PyHeapTypeObject*>(type)->ht_module);
  return 0;
}

// Breaks cycles through the dict and the MRO; bases stay, as instances that die later still need the layout.
int type_clear(PyObject* self) {
  PyTypeObject* type = as_type(self);
  if (!is_heap_type(type)) return 0;
  PyType_Modified(type);
  if (type->tp_dict != nullptr) PyDict_Clear(type->tp_dict);
  Py_CLEAR(reinterpret_cast<PyHeapTypeObject*>(type)->ht_module);
  Py_CLEAR(type->tp_mro);
  return 0;
}

int type_is_gc(PyObject* self) { return is_heap_type(as_type(self)); }

// --- Methods --------------------------------------------------------------------------------------------------

PyObject* type_mro_method(PyObject* self, PyObject*) {
  Ref<> mro = Ref<>::steal(type_default_mro(as_type(self)));
  return mro ? PySequence_List(mro.get()) : nullptr;
}

PyObject* type_subclasses(PyObject* self, PyObject*) { return type_subclasses_list(as_type(self)); }

PyObject* type_prepare(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) { return PyDict_New(); }

PyObject* type_instancecheck(PyObject* self, PyObject* instance) {
  int result = _PyObject_RealIsInstance(instance, self);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

PyObject* type_subclasscheck(PyObject* self, PyObject* subclass) {
  int result = _PyObject_RealIsSubclass(subclass, self);
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

int merge_class_dir(PyObject* dict, PyObject* cls) {
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
    if (!base || merge_class_dir(dict, base.get()) < 0) return -1;
  }
  return 0;
}

PyObject* type_dir(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict || merge_class_dir(dict.get(), self) < 0) return nullptr;
  return PyDict_Keys(dict.get());
}

PyObject* type_sizeof(PyObject* self, PyObject*) {
  size_t size = sizeof(PyTypeObject);
  if (is_heap_type(as_type(self))) size = sizeof(PyHeapTypeObject) + sizeof(TypeExtra);
  return PyLong_FromSize_t(size);
}

// X | Y on classes makes a union.
PyObject* type_or(PyObject* left, PyObject* right) { return _Py_union_type_or(left, right); }

PyNumberMethods type_as_number = {
    .nb_or = type_or,
};

PyMethodDef type_methods[] = {
    {"mro", type_mro_method, METH_NOARGS,
     "mro($self, /)\n--\n\nReturn a type's method resolution order."},
    {"__subclasses__", type_subclasses, METH_NOARGS,
     "__subclasses__($self, /)\n--\n\nReturn a list of immediate subclasses."},
    {"__prepare__", _PyCFunction_CAST(type_prepare), METH_FASTCALL | METH_KEYWORDS | METH_CLASS,
     "__prepare__($cls, name, bases, /, **kwds)\n--\n\nCreate the namespace for the class statement"},
    {"__instancecheck__", type_instancecheck, METH_O,
     "__instancecheck__($self, instance, /)\n--\n\nCheck if an object is an instance."},
    {"__subclasscheck__", type_subclasscheck, METH_O,
     "__subclasscheck__($self, subclass, /)\n--\n\nCheck if a class is a subclass."},
    {"__dir__", type_dir, METH_NOARGS,
     "__dir__($self, /)\n--\n\nSpecialized __dir__ implementation for types."},
    {"__sizeof__", type_sizeof, METH_NOARGS,
     "__sizeof__($self, /)\n--\n\nReturn memory consumption of the type object."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef type_members[] = {
    {"__basicsize__", Py_T_PYSSIZET, offsetof(PyTypeObject, tp_basicsize), Py_READONLY, nullptr},
    {"__itemsize__", Py_T_PYSSIZET, offsetof(PyTypeObject, tp_itemsize), Py_READONLY, nullptr},
    {"__flags__", Py_T_ULONG, offsetof(PyTypeObject, tp_flags), Py_READONLY, nullptr},
    {"__weakrefoffset__", Py_T_PYSSIZET, offsetof(PyTypeObject, tp_weaklistoffset), Py_READONLY, nullptr},
    {"__base__", _Py_T_OBJECT, offsetof(PyTypeObject, tp_base), Py_READONLY, nullptr},
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(PyTypeObject, tp_dictoffset), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyType_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "type",
    .tp_basicsize = sizeof(PyHeapTypeObject),
    .tp_itemsize = sizeof(PyMemberDef),
    .tp_dealloc = type_dealloc,
    .tp_vectorcall_offset = offsetof(PyTypeObject, tp_vectorcall),
    .tp_repr = type_repr,
    .tp_as_number = &type_as_number,
    .tp_call = type_call,
    .tp_getattro = type_getattro,
    .tp_setattro = type_setattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_TYPE_SUBCLASS |
                Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_ITEMS_AT_END,
    .tp_doc = "type(object) -> the object's type\ntype(name, bases, dict, **kwds) -> a new type",
    .tp_traverse = type_traverse,
    .tp_clear = type_clear,
    .tp_weaklistoffset = offsetof(PyTypeObject, tp_weaklist),
    .tp_methods = type_methods,
    .tp_members = type_members,
    .tp_getset = type_getsets,
    .tp_dictoffset = offsetof(PyTypeObject, tp_dict),
    .tp_init = type_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = type_new,
    .tp_free = PyObject_GC_Del,
    .tp_is_gc = type_is_gc,
    .tp_vectorcall = metatype_vectorcall,
};

unsigned long PyType_GetFlags(PyTypeObject* type) { return sync::load_relaxed(type->tp_flags); }

}  // extern "C"
