// The module _collections: defaultdict, the descriptor of named tuples' fields, _count_elements. deque is in
// collections_deque.cpp, OrderedDict in objects/odict.cpp, because the C API names it.
#include "modules/collections.h"

#include <cstring>

#include "objects/dict.h"
#include "objects/unseen_end.h"
#include "sync/shared_slot.h"

namespace amphis::collections {
namespace {

// ---- defaultdict ----

struct DefaultDict {
  PyDictObject dict;
  PyObject* factory;  // null: none
};

DefaultDict* as_defaultdict(PyObject* op) {
  return reinterpret_cast<DefaultDict*>(op);
}

// Null where there is none; the attribute may have been set to None.
Ref<> factory_of(PyObject* op) {
  ObjectLock lock(op);
  PyObject* factory = as_defaultdict(op)->factory;
  return factory == Py_None ? nullptr : Ref<>::share(factory);
}

int defaultdict_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  Ref<> rest;
  PyObject* factory = nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n > 0) {
    factory = PyTuple_GET_ITEM(args, 0);
    if (factory != Py_None && !PyCallable_Check(factory)) {
      PyErr_SetString(PyExc_TypeError, "first argument must be callable or None");
      return -1;
    }
    if (factory == Py_None) factory = nullptr;
    rest = Ref<>::steal(PyTuple_GetSlice(args, 1, n));
  } else {
    rest = Ref<>::steal(PyTuple_New(0));
  }
  if (!rest) return -1;
  Ref<> old;
  {
    ObjectLock lock(op);
    old = Ref<>::steal(as_defaultdict(op)->factory);
    as_defaultdict(op)->factory = Py_XNewRef(factory);
  }
  return PyDict_Type.tp_init(op, rest.get(), kwargs);
}

void defaultdict_dealloc(PyObject* op) {
  untrack(op);
  Py_CLEAR(as_defaultdict(op)->factory);
  PyDict_Type.tp_dealloc(op);
}

int defaultdict_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_defaultdict(op)->factory);
  return PyDict_Type.tp_traverse(op, visit, arg);
}

int defaultdict_clear(PyObject* op) {
  Py_CLEAR(as_defaultdict(op)->factory);
  return PyDict_Type.tp_clear(op);
}

PyObject* method_missing(PyObject* op, PyObject* key) {
  Ref<> factory = factory_of(op);
  if (!factory) {
    set_key_error(key);
    return nullptr;
  }
  Ref<> value = Ref<>::steal(PyObject_CallNoArgs(factory.get()));
  if (!value) return nullptr;
  // Whoever put a value there meanwhile wins: threads that miss at once must agree.
  PyObject* stored;
  return PyDict_SetDefaultRef(op, key, value.get(), &stored) < 0 ? nullptr : stored;
}

PyObject* make_like(PyObject* op, PyObject* contents) {
  Ref<> factory = factory_of(op);
  return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(Py_TYPE(op)),
                                      factory ? factory.get() : Py_None, contents, nullptr);
}

PyObject* method_copy(PyObject* op, PyObject*) {
  return make_like(op, op);
}

PyObject* method_reduce(PyObject* op, PyObject*) {
  Ref<> factory = factory_of(op);
  Ref<> args = Ref<>::steal(factory ? PyTuple_Pack(1, factory.get()) : PyTuple_New(0));
  Ref<> items = args ? Ref<>::steal(PyObject_CallMethodNoArgs(op, AMPHIS_STATIC_NAME("items"))) : nullptr;
  Ref<> iterator = items ? Ref<>::steal(PyObject_GetIter(items.get())) : nullptr;
  if (!iterator) return nullptr;
  return PyTuple_Pack(5, Py_TYPE(op), args.get(), Py_None, Py_None, iterator.get());
}

PyObject* defaultdict_repr(PyObject* op) {
  Ref<> contents = Ref<>::steal(PyDict_Type.tp_repr(op));
  if (!contents) return nullptr;
  Ref<> factory = factory_of(op);
  Ref<> text;
  if (!factory) {
    text = Ref<>::steal(PyUnicode_FromString("None"));
  } else {
    const int nested = Py_ReprEnter(factory.get());
    if (nested < 0) return nullptr;
    if (nested > 0) {
      text = Ref<>::steal(PyUnicode_FromString("..."));
    } else {
      text = Ref<>::steal(PyObject_Repr(factory.get()));
      Py_ReprLeave(factory.get());
    }
  }
  if (!text) return nullptr;
  const char* name = strrchr(Py_TYPE(op)->tp_name, '.');
  name = name == nullptr ? Py_TYPE(op)->tp_name : name + 1;
  return PyUnicode_FromFormat("%s(%U, %U)", name, text.get(), contents.get());
}

PyObject* defaultdict_or(PyObject* a, PyObject* b) {
  PyObject* own = PyObject_TypeCheck(a, &defaultdict_type) ? a : b;
  PyObject* other = own == a ? b : a;
  if (!PyDict_Check(other)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> result = Ref<>::steal(make_like(own, a));
  if (!result || dict_update_from(result.get(), b) < 0) return nullptr;
  return result.release();
}

PyMethodDef defaultdict_methods[] = {
    {"__missing__", method_missing, METH_O,
     "__missing__(key) # Called by __getitem__ for a missing key: default_factory() becomes its value."},
    {"copy", method_copy, METH_NOARGS, "D.copy() -> a shallow copy of D."},
    {"__copy__", method_copy, METH_NOARGS, "D.copy() -> a shallow copy of D."},
    {"__reduce__", method_reduce, METH_NOARGS, "Return state information for pickling."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};
PyMemberDef defaultdict_members[] = {
    {"default_factory", _Py_T_OBJECT, offsetof(DefaultDict, factory), 0,
     "Factory for default value called by __missing__()."},
    {},
};
PyNumberMethods defaultdict_number = {.nb_or = defaultdict_or};

// ---- _tuplegetter ----

struct TupleGetter {
  PyObject_HEAD Py_ssize_t index;
  PyObject* doc;
};

TupleGetter* as_getter(PyObject* op) {
  return reinterpret_cast<TupleGetter*>(op);
}

PyObject* getter_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("_tuplegetter", kwargs)) return nullptr;
  if (!check_positional("_tuplegetter", PyTuple_GET_SIZE(args), 2, 2)) return nullptr;
  Ref<> number = Ref<>::steal(PyNumber_Index(PyTuple_GET_ITEM(args, 0)));
  const Py_ssize_t index = number ? PyLong_AsSsize_t(number.get()) : -1;
  if (index == -1 && PyErr_Occurred()) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  as_getter(op)->index = index;
  as_getter(op)->doc = Py_NewRef(PyTuple_GET_ITEM(args, 1));
  return op;
}

PyObject* getter_get(PyObject* op, PyObject* instance, PyObject*) {
  const Py_ssize_t index = as_getter(op)->index;
  if (instance == nullptr || instance == Py_None) return Py_NewRef(op);
  if (!PyTuple_Check(instance)) {
    return PyErr_Format(PyExc_TypeError,
                        "descriptor for index '%zd' for tuple subclasses doesn't apply to '%s' object", index,
                        Py_TYPE(instance)->tp_name);
  }
  if (static_cast<size_t>(index) >= static_cast<size_t>(PyTuple_GET_SIZE(instance))) {
    PyErr_SetString(PyExc_IndexError, "tuple index out of range");
    return nullptr;
  }
  return Py_NewRef(PyTuple_GET_ITEM(instance, index));
}

int getter_set(PyObject*, PyObject*, PyObject* value) {
  PyErr_SetString(PyExc_AttributeError, value == nullptr ? "can't delete attribute" : "can't set attribute");
  return -1;
}

void getter_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_getter(op)->doc);
  Py_TYPE(op)->tp_free(op);
}

int getter_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_getter(op)->doc);
  return 0;
}

// None where it was deleted, as the attribute says.
Ref<> getter_doc(PyObject* op) {
  Ref<> doc = sync::get_ref(&as_getter(op)->doc, op);
  return doc ? static_cast<Ref<>&&>(doc) : Ref<>::share(Py_None);
}

PyObject* getter_repr(PyObject* op) {
  const Ref<> doc = getter_doc(op);
  return PyUnicode_FromFormat("_tuplegetter(%zd, %R)", as_getter(op)->index, doc.get());
}

PyObject* getter_reduce(PyObject* op, PyObject*) {
  const Ref<> doc = getter_doc(op);
  return Py_BuildValue("(O(nO))", Py_TYPE(op), as_getter(op)->index, doc.get());
}

PyMethodDef getter_methods[] = {{"__reduce__", getter_reduce, METH_NOARGS, nullptr}, {}};
PyMemberDef getter_members[] = {{"__doc__", _Py_T_OBJECT, offsetof(TupleGetter, doc), 0, nullptr}, {}};

PyTypeObject getter_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections._tuplegetter",
    .tp_basicsize = sizeof(TupleGetter),
    .tp_dealloc = getter_dealloc,
    .tp_repr = getter_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = getter_traverse,
    .tp_methods = getter_methods,
    .tp_members = getter_members,
    .tp_descr_get = getter_get,
    .tp_descr_set = getter_set,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = getter_new,
    .tp_free = PyObject_GC_Del,
};

// ---- _count_elements ----

// Adds one to the count of a key in a real dictionary.
int count_in_dict(PyDictObject* dict, PyObject* key, PyObject* one) {
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) return -1;
  ObjectLock lock(dict);
  const Py_ssize_t index = dict_find(dict, key, hash);
  if (index == kDictError) return -1;
  if (index == kDictMissing) return dict_append(dict, Py_NewRef(key), hash, Py_NewRef(one));
  Ref<> old = Ref<>::share(dict_entry(dict_keys_field(dict), index)->value);
  Ref<> count = Ref<>::steal(PyNumber_Add(old.get(), one));
  // The addition may have run code: look the key up again.
  return count ? dict_insert(dict, key, hash, count.get()) : -1;
}

PyObject* count_elements(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_count_elements", nargs, 2, 2)) return nullptr;
  PyObject* mapping = args[0];
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(args[1]));
  Ref<> one = Ref<>::steal(PyLong_FromLong(1));
  if (!iterator || !one) return nullptr;
  // Straight into the storage, where the class changed neither get nor __setitem__.
  bool direct = false;
  if (PyDict_Check(mapping)) {
    Ref<> own_get = Ref<>::steal(_PyType_LookupRef(Py_TYPE(mapping), AMPHIS_STATIC_NAME("get")));
    Ref<> dict_get = Ref<>::steal(_PyType_LookupRef(&PyDict_Type, AMPHIS_STATIC_NAME("get")));
    Ref<> own_set = Ref<>::steal(_PyType_LookupRef(Py_TYPE(mapping), AMPHIS_STATIC_NAME("__setitem__")));
    Ref<> dict_set = Ref<>::steal(_PyType_LookupRef(&PyDict_Type, AMPHIS_STATIC_NAME("__setitem__")));
    direct = own_get && own_set && own_get.get() == dict_get.get() && own_set.get() == dict_set.get();
  }
  Ref<> get, zero;
  if (!direct) {
    get = Ref<>::steal(PyObject_GetAttr(mapping, AMPHIS_STATIC_NAME("get")));
    zero = Ref<>::steal(PyLong_FromLong(0));
    if (!get || !zero) return nullptr;
  }
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  for (;;) {
    Ref<> key = Ref<>::steal(next(iterator.get()));
    if (!key) break;
    if (direct) {
      if (count_in_dict(reinterpret_cast<PyDictObject*>(mapping), key.get(), one.get()) < 0) return nullptr;
      continue;
    }
    Ref<> old = Ref<>::steal(PyObject_CallFunctionObjArgs(get.get(), key.get(), zero.get(), nullptr));
    Ref<> count = old ? Ref<>::steal(PyNumber_Add(old.get(), one.get())) : nullptr;
    if (!count || PyObject_SetItem(mapping, key.get(), count.get()) < 0) return nullptr;
  }
  if (!iteration_ended()) return nullptr;
  Py_RETURN_NONE;
}

// ---- the module ----

PyMethodDef module_methods[] = {
    {"_count_elements", AMPHIS_METHOD(count_elements), METH_FASTCALL,
     "_count_elements($module, mapping, iterable, /)\n--\n\nCount elements in the iterable, updating the "
     "mapping."},
    {},
};

int module_exec(PyObject* module) {
  for (PyTypeObject* type : {&deque_type, &defaultdict_type, &PyODict_Type}) declare_unseen_end(type);
  defaultdict_type.tp_base = &PyDict_Type;
  for (PyTypeObject* type : {&deque_type, &defaultdict_type, &PyODict_Type, &deque_iterator_type,
                             &deque_reverse_iterator_type, &getter_type}) {
    if (PyModule_AddType(module, type) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_collections",
    .m_doc =
        "High performance data structures: deques, dictionaries with default values, ordered dictionaries.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

}  // namespace

PyTypeObject defaultdict_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections.defaultdict",
    .tp_basicsize = sizeof(DefaultDict),
    .tp_dealloc = defaultdict_dealloc,
    .tp_repr = defaultdict_repr,
    .tp_as_number = &defaultdict_number,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc =
        "defaultdict(default_factory=None, /, [...]) --> dict with default factory\n\n"
        "Looking up a missing key with self[key] calls the factory and stores what it returns.",
    .tp_traverse = defaultdict_traverse,
    .tp_clear = defaultdict_clear,
    .tp_methods = defaultdict_methods,
    .tp_members = defaultdict_members,
    .tp_init = defaultdict_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::collections

PyMODINIT_FUNC PyInit__collections(void) {
  return PyModuleDef_Init(&amphis::collections::module_definition);
}
