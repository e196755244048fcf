// mappingproxy: a read-only view of any mapping.
#include "gc/object_new.h"
#include "objects/dict.h"
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

struct MappingProxy {
  PyObject_HEAD
  PyObject* mapping;
};

PyObject* mapping_of(PyObject* self) { return reinterpret_cast<MappingProxy*>(self)->mapping; }

Py_ssize_t proxy_len(PyObject* self) { return PyObject_Size(mapping_of(self)); }
PyObject* proxy_getitem(PyObject* self, PyObject* key) { return PyObject_GetItem(mapping_of(self), key); }

int proxy_contains(PyObject* self, PyObject* key) {
  PyObject* mapping = mapping_of(self);
  return PyDict_CheckExact(mapping) ? PyDict_Contains(mapping, key) : PySequence_Contains(mapping, key);
}

PyObject* proxy_or(PyObject* left, PyObject* right) {
  if (PyObject_TypeCheck(left, &PyDictProxy_Type)) left = mapping_of(left);
  if (PyObject_TypeCheck(right, &PyDictProxy_Type)) right = mapping_of(right);
  return PyNumber_Or(left, right);
}

PyObject* proxy_ior(PyObject* self, PyObject*) {
  PyErr_Format(PyExc_TypeError, "'|=' is not supported by %s; use '|' instead", Py_TYPE(self)->tp_name);
  return nullptr;
}

PyObject* call_mapping(PyObject* self, PyObject* name) { return PyObject_CallMethodNoArgs(mapping_of(self), name); }
PyObject* proxy_keys(PyObject* self, PyObject*) { return call_mapping(self, names.str_keys); }
PyObject* proxy_values(PyObject* self, PyObject*) { return call_mapping(self, names.str_values); }
PyObject* proxy_items(PyObject* self, PyObject*) { return call_mapping(self, names.str_items); }
PyObject* proxy_copy(PyObject* self, PyObject*) { return call_mapping(self, names.str_copy); }
PyObject* proxy_reversed(PyObject* self, PyObject*) { return call_mapping(self, names.dunder_reversed); }

PyObject* proxy_get(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1 || nargs > 2) {
    PyErr_Format(PyExc_TypeError, "get expected at %s %d argument%s, got %zd", nargs < 1 ? "least" : "most",
                 nargs < 1 ? 1 : 2, nargs < 1 ? "" : "s", nargs);
    return nullptr;
  }
  PyObject* stack[] = {mapping_of(self), args[0], nargs == 2 ? args[1] : Py_None};
  return PyObject_VectorcallMethod(names.str_get, stack, 3, nullptr);
}

PyObject* proxy_iter(PyObject* self) { return PyObject_GetIter(mapping_of(self)); }
PyObject* proxy_str(PyObject* self) { return PyObject_Str(mapping_of(self)); }
PyObject* proxy_repr(PyObject* self) { return PyUnicode_FromFormat("mappingproxy(%R)", mapping_of(self)); }
Py_hash_t proxy_hash(PyObject* self) { return PyObject_Hash(mapping_of(self)); }

PyObject* proxy_richcompare(PyObject* self, PyObject* other, int op) {
  if (PyObject_TypeCheck(other, &PyDictProxy_Type)) other = mapping_of(other);
  return PyObject_RichCompare(mapping_of(self), other, op);
}

void proxy_dealloc(PyObject* self) {
  untrack(self);
  Py_DECREF(mapping_of(self));
  PyObject_GC_Del(self);
}

int proxy_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(mapping_of(self));
  return 0;
}

bool check_mapping(PyObject* mapping) {
  if (PyMapping_Check(mapping) && !PyList_Check(mapping) && !PyTuple_Check(mapping)) return true;
  PyErr_Format(PyExc_TypeError, "mappingproxy() argument must be a mapping, not %s", Py_TYPE(mapping)->tp_name);
  return false;
}

PyObject* proxy_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"mapping", nullptr};
  PyObject* mapping;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:mappingproxy", const_cast<char**>(keywords), &mapping)) {
    return nullptr;
  }
  return PyDictProxy_New(mapping);
}

PyNumberMethods proxy_as_number = {
    .nb_or = proxy_or,
    .nb_inplace_or = proxy_ior,
};
PySequenceMethods proxy_as_sequence = {
    .sq_contains = proxy_contains,
};
PyMappingMethods proxy_as_mapping = {
    .mp_length = proxy_len,
    .mp_subscript = proxy_getitem,
};

PyMethodDef proxy_methods[] = {
    {"get", _PyCFunction_CAST(proxy_get), METH_FASTCALL,
     "get($self, key, default=None, /)\n--\n\nReturn the value for key if key is in the mapping, else default."},
    {"keys", proxy_keys, METH_NOARGS,
     "keys($self, /)\n--\n\nD.keys() -> a set-like object providing a view on D's keys"},
    {"values", proxy_values, METH_NOARGS,
     "values($self, /)\n--\n\nD.values() -> an object providing a view on D's values"},
    {"items", proxy_items, METH_NOARGS,
     "items($self, /)\n--\n\nD.items() -> a set-like object providing a view on D's items"},
    {"copy", proxy_copy, METH_NOARGS, "copy($self, /)\n--\n\nD.copy() -> a shallow copy of D"},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "mappingproxy objects are generic over two types, signifying (respectively) "
     "the types of the keys and values of the underlying mapping"},
    {"__reversed__", proxy_reversed, METH_NOARGS, "__reversed__($self, /)\n--\n\nD.__reversed__() -> reverse iterator"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* mapping_behind(PyObject* o) { return Py_IS_TYPE(o, &PyDictProxy_Type) ? mapping_of(o) : o; }

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyDictProxy_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "mappingproxy",
    .tp_basicsize = sizeof(MappingProxy),
    .tp_dealloc = proxy_dealloc,
    .tp_repr = proxy_repr,
    .tp_as_number = &proxy_as_number,
    .tp_as_sequence = &proxy_as_sequence,
    .tp_as_mapping = &proxy_as_mapping,
    .tp_hash = proxy_hash,
    .tp_str = proxy_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING,
    .tp_doc = "mappingproxy(mapping)\n--\n\nRead-only proxy of a mapping.",
    .tp_traverse = proxy_traverse,
    .tp_richcompare = proxy_richcompare,
    .tp_iter = proxy_iter,
    .tp_methods = proxy_methods,
    .tp_new = proxy_new,
};

PyObject* PyDictProxy_New(PyObject* mapping) {
  if (!check_mapping(mapping)) return nullptr;
  auto* proxy = new_gc_object<MappingProxy>(&PyDictProxy_Type);
  if (proxy == nullptr) return PyErr_NoMemory();
  proxy->mapping = Py_NewRef(mapping);
  track(proxy);
  return reinterpret_cast<PyObject*>(proxy);
}

}  // extern "C"
