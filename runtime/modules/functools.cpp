// The module _functools: reduce and cmp_to_key; partial and lru_cache have files of their own.
#include "modules/functools.h"
#include "objects/unseen_end.h"
#include "sync/shared_slot.h"

namespace amphis::functools {
namespace {

// ---- cmp_to_key ----

// Without an object: what cmp_to_key returns, a function from an object to its key. With one: that key.
struct Key {
  PyObject_HEAD PyObject* compare;
  PyObject* object;
};
extern PyTypeObject key_type;

Key* as_key(PyObject* op) {
  return reinterpret_cast<Key*>(op);
}

PyObject* make_key(PyObject* compare, PyObject* object) {
  auto* self = make_gc_object<Key>(&key_type);
  if (self == nullptr) return nullptr;
  self->compare = Py_NewRef(compare);
  self->object = Py_XNewRef(object);
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

void key_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_key(op)->compare);
  Py_XDECREF(as_key(op)->object);
  PyObject_GC_Del(op);
}

int key_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_key(op)->compare);
  Py_VISIT(as_key(op)->object);
  return 0;
}

int key_clear(PyObject* op) {
  Py_CLEAR(as_key(op)->compare);
  Py_CLEAR(as_key(op)->object);
  return 0;
}

PyObject* key_call(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"obj"};
  static const Parameters parameters = {"K", names, 1, 0, 1, 1};
  PyObject* given[1];
  return bind_call(parameters, args, kwargs, given) ? make_key(as_key(op)->compare, given[0]) : nullptr;
}

PyObject* key_compare(PyObject* a, PyObject* b, int op) {
  if (!Py_IS_TYPE(b, &key_type)) {
    PyErr_SetString(PyExc_TypeError, "other argument must be K instance");
    return nullptr;
  }
  const Ref<> x = sync::get_ref(&as_key(a)->object, a), y = sync::get_ref(&as_key(b)->object, b);
  if (!x || !y) {
    PyErr_SetString(PyExc_AttributeError, "object");
    return nullptr;
  }
  PyObject* args[] = {nullptr, x.get(), y.get()};
  Ref<> order = Ref<>::steal(
      PyObject_Vectorcall(as_key(a)->compare, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  Ref<> zero = order ? Ref<>::steal(PyLong_FromLong(0)) : nullptr;
  return zero ? PyObject_RichCompare(order.get(), zero.get(), op) : nullptr;
}

PyMemberDef key_members[] = {
    {"obj", _Py_T_OBJECT, offsetof(Key, object), 0, "Value wrapped by a key function."},
    {},
};

PyObject* key_signature(PyObject*, void*) {
  return PyUnicode_FromString("(obj)");
}
PyGetSetDef key_getset[] = {
    {"__text_signature__", key_signature, nullptr, nullptr, nullptr},
    {},
};

PyTypeObject key_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "functools.KeyWrapper",
    .tp_basicsize = sizeof(Key),
    .tp_dealloc = key_dealloc,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_call = key_call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = key_traverse,
    .tp_clear = key_clear,
    .tp_richcompare = key_compare,
    .tp_members = key_members,
    .tp_getset = key_getset,
};

PyObject* cmp_to_key(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"mycmp"};
  static const Parameters parameters = {"cmp_to_key", names, 1, 0, 1, 1};
  PyObject* given[1];
  return bind_arguments(parameters, args, nargs, kwnames, given) ? make_key(given[0], nullptr) : nullptr;
}

// ---- reduce ----

PyObject* reduce(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"", "", "initial"};
  static const Parameters parameters = {"reduce", names, 3, 2, 3, 0};
  PyObject* given[3];
  if (nargs < 2) {
    PyErr_Format(PyExc_TypeError, "reduce() takes at least 2 positional arguments (%zd given)", nargs);
    return nullptr;
  }
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(given[1]));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_SetString(PyExc_TypeError, "reduce() arg 2 must support iteration");
    }
    return nullptr;
  }
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  Ref<> result = Ref<>::share(given[2]);
  for (;;) {
    Ref<> item = Ref<>::steal(next(iterator.get()));
    if (!item) break;
    if (!result) {
      result = static_cast<Ref<>&&>(item);
      continue;
    }
    PyObject* pair[] = {nullptr, result.get(), item.get()};
    result =
        Ref<>::steal(PyObject_Vectorcall(given[0], pair + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!result) return nullptr;
  }
  if (!iteration_ended()) return nullptr;
  if (!result) PyErr_SetString(PyExc_TypeError, "reduce() of empty iterable with no initial value");
  return result.release();
}

PyMethodDef methods[] = {
    {"reduce", AMPHIS_METHOD(reduce), METH_FASTCALL | METH_KEYWORDS,
     "reduce($module, function, iterable, /, initial=<unrepresentable>)\n--\n\n"
     "Apply a function of two arguments cumulatively to the items of an iterable, from left to right."},
    {"cmp_to_key", AMPHIS_METHOD(cmp_to_key), METH_FASTCALL | METH_KEYWORDS,
     "cmp_to_key($module, /, mycmp)\n--\n\nConvert a cmp= function into a key= function."},
    {},
};

int exec(PyObject* module) {
  for (PyTypeObject* type : {&partial_type, &lru_cache_type}) declare_unseen_end(type);
  if (PyType_Ready(&key_type) < 0 || PyType_Ready(&lru_link_type) < 0) return -1;
  for (PyTypeObject* type : {&partial_type, &lru_cache_type, &placeholder_type}) {
    if (PyModule_AddType(module, type) < 0) return -1;
  }
  // functools.py takes all three names or keeps its own class.
  if (PyModule_AddObjectRef(module, "_PlaceholderType", reinterpret_cast<PyObject*>(&placeholder_type)) < 0) return -1;
  return PyModule_AddObjectRef(module, "Placeholder", placeholder());
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_functools",
    .m_doc = "Tools that operate on functions.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis::functools

PyMODINIT_FUNC PyInit__functools(void) {
  return PyModuleDef_Init(&amphis::functools::definition);
}
