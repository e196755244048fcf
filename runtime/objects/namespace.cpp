// Owns types.SimpleNamespace: an object that is nothing but its attributes, kept in a dictionary of its own.
#include <cstddef>

#include "gc/object_new.h"
#include "sync/ref.h"

extern "C" PyTypeObject _PyNamespace_Type;

using namespace amphis;

namespace {

struct Namespace {
  PyObject_HEAD
  PyObject* dict;
};

PyObject*& dict_of(PyObject* op) { return reinterpret_cast<Namespace*>(op)->dict; }

PyObject* namespace_new(PyTypeObject* type, PyObject*, PyObject*) {
  auto self = Ref<>::steal(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  dict_of(self) = PyDict_New();
  return dict_of(self) ? self.release() : nullptr;
}

int namespace_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* source = nullptr;
  if (!PyArg_UnpackTuple(args, _PyType_Name(Py_TYPE(self)), 0, 1, &source)) return -1;
  if (source) {
    auto dict = Ref<>::steal(PyDict_CheckExact(source)
                                 ? Py_NewRef(source)
                                 : PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyDict_Type), source));
    if (!dict || !PyArg_ValidateKeywordArguments(dict) || PyDict_Update(dict_of(self), dict) < 0) return -1;
  }
  if (!kwargs) return 0;
  if (!PyArg_ValidateKeywordArguments(kwargs)) return -1;
  return PyDict_Update(dict_of(self), kwargs);
}

void namespace_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(dict_of(self));
  Py_TYPE(self)->tp_free(self);
}

int namespace_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(dict_of(self));
  return 0;
}

int namespace_clear(PyObject* self) {
  Py_CLEAR(dict_of(self));
  return 0;
}

PyObject* repr_items(PyObject* self, const char* name) {
  auto pairs = Ref<>::steal(PyList_New(0));
  auto keys = Ref<>::steal(PyDict_Keys(dict_of(self)));
  if (!pairs || !keys) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys.get()); ++i) {
    PyObject* key = PyList_GET_ITEM(keys.get(), i);
    if (!PyUnicode_Check(key) || PyUnicode_GET_LENGTH(key) == 0) continue;
    PyObject* found;
    const int there = PyDict_GetItemRef(dict_of(self), key, &found);
    if (there < 0) return nullptr;
    if (!there) continue;  // gone meanwhile
    auto value = Ref<>::steal(found);
    auto pair = Ref<>::steal(PyUnicode_FromFormat("%S=%R", key, value.get()));
    if (!pair || PyList_Append(pairs, pair) < 0) return nullptr;
  }
  auto comma = Ref<>::steal(PyUnicode_FromString(", "));
  if (!comma) return nullptr;
  auto joined = Ref<>::steal(PyUnicode_Join(comma, pairs));
  return joined ? PyUnicode_FromFormat("%s(%S)", name, joined.get()) : nullptr;
}

PyObject* namespace_repr(PyObject* self) {
  const char* name = Py_IS_TYPE(self, &_PyNamespace_Type) ? "namespace" : Py_TYPE(self)->tp_name;
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromFormat("%s(...)", name) : nullptr;
  PyObject* result = repr_items(self, name);
  Py_ReprLeave(self);
  return result;
}

PyObject* namespace_richcompare(PyObject* a, PyObject* b, int op) {
  if (!PyObject_TypeCheck(a, &_PyNamespace_Type) || !PyObject_TypeCheck(b, &_PyNamespace_Type)) Py_RETURN_NOTIMPLEMENTED;
  return PyObject_RichCompare(dict_of(a), dict_of(b), op);
}

PyObject* namespace_reduce(PyObject* self, PyObject*) {
  return Py_BuildValue("(O()O)", reinterpret_cast<PyObject*>(Py_TYPE(self)), dict_of(self));
}

PyObject* namespace_replace(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (!_PyArg_NoPositional("__replace__", args)) return nullptr;
  auto result = Ref<>::steal(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(Py_TYPE(self))));
  if (!result) return nullptr;
  if (!PyObject_TypeCheck(result.get(), &_PyNamespace_Type)) {
    PyErr_Format(PyExc_TypeError, "expect %N type, but %T() returned '%T' object", &_PyNamespace_Type, self, result.get());
    return nullptr;
  }
  if (PyDict_Update(dict_of(result), dict_of(self)) < 0) return nullptr;
  if (kwargs && PyDict_Update(dict_of(result), kwargs) < 0) return nullptr;
  return result.release();
}

PyMemberDef namespace_members[] = {
    {"__dict__", _Py_T_OBJECT, offsetof(Namespace, dict), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyMethodDef namespace_methods[] = {
    {"__reduce__", namespace_reduce, METH_NOARGS, PyDoc_STR("Return state information for pickling")},
    {"__replace__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(namespace_replace)),
     METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("__replace__($self, /, **changes)\n--\n\n"
               "Return a copy of the namespace object with new values for the specified attributes.")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

extern "C" {

PyTypeObject _PyNamespace_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "types.SimpleNamespace",
    .tp_basicsize = sizeof(Namespace),
    .tp_dealloc = namespace_dealloc,
    .tp_repr = namespace_repr,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = PyDoc_STR("SimpleNamespace(mapping_or_iterable=(), /, **kwargs)\n--\n\n"
                        "A simple attribute-based namespace."),
    .tp_traverse = namespace_traverse,
    .tp_clear = namespace_clear,
    .tp_richcompare = namespace_richcompare,
    .tp_methods = namespace_methods,
    .tp_members = namespace_members,
    .tp_dictoffset = offsetof(Namespace, dict),
    .tp_init = namespace_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = namespace_new,
    .tp_free = PyObject_GC_Del,
};

PyObject* _PyNamespace_New(PyObject* kwargs) {
  auto self = Ref<>::steal(namespace_new(&_PyNamespace_Type, nullptr, nullptr));
  if (!self || (kwargs && PyDict_Update(dict_of(self), kwargs) < 0)) return nullptr;
  return self.release();
}

}  // extern "C"
