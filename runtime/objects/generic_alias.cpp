// Owns types.GenericAlias: list[int] and its like. An alias behaves as its origin, except for a few attributes of its
// own. Finding and substituting type parameters is in generic_parameters.cpp.
#include "objects/generic_alias.h"

#include <cstddef>
#include <cstring>

#include "gc/object_new.h"
#include "sync/object_lock.h"
#include "sync/recursion.h"
#include "sync/shared_slot.h"

extern "C" PyTypeObject GenericAliasIterator_Type;

namespace amphis {
namespace {

GenericAlias* as_alias(PyObject* op) { return reinterpret_cast<GenericAlias*>(op); }

// Looked up on the alias itself; everything else is looked up on the origin. The second group never reaches the origin
// either, for it would answer for itself.
constexpr const char* kOwnAttributes[] = {"__class__",     "__origin__",       "__args__",
                                          "__unpacked__",  "__parameters__",   "__typing_unpacked_tuple_args__",
                                          "__mro_entries__", "__reduce_ex__",  "__reduce__"};
constexpr const char* kBlockedAttributes[] = {"__bases__", "__copy__", "__deepcopy__"};

bool is_own_attribute(PyObject* name) {
  if (!PyUnicode_Check(name) || PyUnicode_GET_LENGTH(name) < 8 || PyUnicode_READ_CHAR(name, 0) != '_') return false;
  for (const char* own : kOwnAttributes)
    if (PyUnicode_EqualToUTF8(name, own)) return true;
  for (const char* blocked : kBlockedAttributes)
    if (PyUnicode_EqualToUTF8(name, blocked)) return true;
  return false;
}

// After the call of the origin, the new object learns what it was called as; not all objects can.
PyObject* finish_call(PyObject* self, PyObject* object) {
  if (!object) return nullptr;
  auto name = Ref<>::steal(PyUnicode_InternFromString("__orig_class__"));
  if (name && PyObject_SetAttr(object, name, self) == 0) return object;
  if (!PyErr_ExceptionMatches(PyExc_AttributeError) && !PyErr_ExceptionMatches(PyExc_TypeError)) {
    Py_DECREF(object);
    return nullptr;
  }
  PyErr_Clear();
  return object;
}

PyObject* alias_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return finish_call(self, PyObject_Vectorcall(as_alias(self)->origin, args, nargsf, kwnames));
}

PyObject* make_alias(PyTypeObject* type, PyObject* origin, PyObject* args) {
  Ref<> tuple = Ref<>::steal(PyTuple_Check(args) ? Py_NewRef(args) : PyTuple_Pack(1, args));
  if (!tuple) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (!op) return nullptr;
  GenericAlias* alias = as_alias(op);
  alias->origin = Py_NewRef(origin);
  alias->args = tuple.release();
  alias->vectorcall = alias_vectorcall;
  return op;
}

PyObject* alias_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!_PyArg_NoKeywords("GenericAlias", kwargs) || !_PyArg_CheckPositional("GenericAlias", PyTuple_GET_SIZE(args), 2, 2))
    return nullptr;
  return make_alias(type, PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1));
}

void alias_dealloc(PyObject* self) {
  GenericAlias* alias = as_alias(self);
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(alias->weakreflist)) PyObject_ClearWeakRefs(self);
  Py_XDECREF(alias->origin);
  Py_XDECREF(alias->args);
  Py_XDECREF(alias->parameters);
  Py_TYPE(self)->tp_free(self);
}

int alias_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_alias(self)->origin);
  Py_VISIT(as_alias(self)->args);
  Py_VISIT(as_alias(self)->parameters);
  return 0;
}

int write_list(PyUnicodeWriter* writer, PyObject* list) {
  if (PyUnicodeWriter_WriteChar(writer, '[') < 0) return -1;
  const Py_ssize_t n = PyList_Size(list);  // a list that shrinks meanwhile is an error
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (i > 0 && PyUnicodeWriter_WriteASCII(writer, ", ", 2) < 0) return -1;
    auto item = Ref<>::steal(PyList_GetItemRef(list, i));
    if (!item || write_type(writer, item) < 0) return -1;
  }
  return PyUnicodeWriter_WriteChar(writer, ']');
}

int write_alias(PyUnicodeWriter* writer, const GenericAlias* alias) {
  if (alias->starred && PyUnicodeWriter_WriteChar(writer, '*') < 0) return -1;
  if (write_type(writer, alias->origin) < 0 || PyUnicodeWriter_WriteChar(writer, '[') < 0) return -1;
  const Py_ssize_t n = PyTuple_GET_SIZE(alias->args);
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (i > 0 && PyUnicodeWriter_WriteASCII(writer, ", ", 2) < 0) return -1;
    PyObject* arg = PyTuple_GET_ITEM(alias->args, i);
    if ((PyList_Check(arg) ? write_list(writer, arg) : write_type(writer, arg)) < 0) return -1;
  }
  if (n == 0 && PyUnicodeWriter_WriteASCII(writer, "()", 2) < 0) return -1;
  return PyUnicodeWriter_WriteChar(writer, ']');
}

PyObject* alias_repr(PyObject* self) {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (!writer) return nullptr;
  if (write_alias(writer, as_alias(self)) == 0) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

Py_hash_t alias_hash(PyObject* self) {
  if (RecursionGuard guard(" while hashing a generic alias"); guard.refused()) return -1;
  const Py_hash_t origin = PyObject_Hash(as_alias(self)->origin);
  if (origin == -1) return -1;
  const Py_hash_t args = PyObject_Hash(as_alias(self)->args);
  if (args == -1) return -1;
  const Py_hash_t hash = origin ^ args;
  return hash == -1 ? -2 : hash;
}

PyObject* alias_getattro(PyObject* self, PyObject* name) {
  if (is_own_attribute(name)) return PyObject_GenericGetAttr(self, name);
  if (RecursionGuard guard(" while looking up an attribute of a generic alias"); guard.refused()) return nullptr;
  return PyObject_GetAttr(as_alias(self)->origin, name);
}

PyObject* alias_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !is_generic_alias(a) || !is_generic_alias(b)) Py_RETURN_NOTIMPLEMENTED;
  const GenericAlias *x = as_alias(a), *y = as_alias(b);
  int equal = x->starred == y->starred;
  if (equal) equal = PyObject_RichCompareBool(x->origin, y->origin, Py_EQ);
  if (equal > 0) equal = PyObject_RichCompareBool(x->args, y->args, Py_EQ);
  if (equal < 0) return nullptr;
  return PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* alias_getitem(PyObject* self, PyObject* item) {
  GenericAlias* alias = as_alias(self);
  Ref<> parameters = cached_parameters(&alias->parameters, alias->args);
  if (!parameters) return nullptr;
  auto args = Ref<>::steal(generic_substitute(self, alias->args, parameters, item));
  if (!args) return nullptr;
  PyObject* result = Py_GenericAlias(alias->origin, args);
  if (result) as_alias(result)->starred = alias->starred;
  return result;
}

PyObject* alias_mro_entries(PyObject* self, PyObject*) { return PyTuple_Pack(1, as_alias(self)->origin); }

PyObject* alias_instancecheck(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "isinstance() argument 2 cannot be a parameterized generic");
  return nullptr;
}
PyObject* alias_subclasscheck(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "issubclass() argument 2 cannot be a parameterized generic");
  return nullptr;
}

Ref<> builtin(const char* name) {
  auto text = Ref<>::steal(PyUnicode_InternFromString(name));
  return text ? Ref<>::steal(_PyEval_GetBuiltin(text)) : Ref<>();
}

PyObject* alias_reduce(PyObject* self, PyObject*) {
  const GenericAlias* alias = as_alias(self);
  if (!alias->starred)
    return Py_BuildValue("O(OO)", reinterpret_cast<PyObject*>(Py_TYPE(self)), alias->origin, alias->args);
  // next(iter(tuple[int])) makes the starred form.
  auto plain = Ref<>::steal(Py_GenericAlias(alias->origin, alias->args));
  if (!plain) return nullptr;
  auto iterator = Ref<>::steal(PyObject_GetIter(plain));
  Ref<> next = builtin("next");
  return iterator && next ? Py_BuildValue("O(O)", next.get(), iterator.get()) : nullptr;
}

PyObject* alias_dir(PyObject* self, PyObject*) {
  auto names = Ref<>::steal(PyObject_Dir(as_alias(self)->origin));
  if (!names) return nullptr;
  for (const char* own : kOwnAttributes) {
    auto name = Ref<>::steal(PyUnicode_FromString(own));
    if (!name) return nullptr;
    const int there = PySequence_Contains(names, name);
    if (there < 0 || (!there && PyList_Append(names, name) < 0)) return nullptr;
  }
  return names.release();
}

PyObject* alias_parameters(PyObject* self, void*) {
  return cached_parameters(&as_alias(self)->parameters, as_alias(self)->args).release();
}

PyObject* alias_unpacked_tuple_args(PyObject* self, void*) {
  const GenericAlias* alias = as_alias(self);
  const bool unpacked = alias->starred && alias->origin == reinterpret_cast<PyObject*>(&PyTuple_Type);
  return Py_NewRef(unpacked ? alias->args : Py_None);
}

PyMethodDef alias_methods[] = {
    {"__mro_entries__", alias_mro_entries, METH_O, nullptr},
    {"__instancecheck__", alias_instancecheck, METH_O, nullptr},
    {"__subclasscheck__", alias_subclasscheck, METH_O, nullptr},
    {"__reduce__", alias_reduce, METH_NOARGS, nullptr},
    {"__dir__", alias_dir, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef alias_members[] = {
    {"__origin__", _Py_T_OBJECT, offsetof(GenericAlias, origin), Py_READONLY, nullptr},
    {"__args__", _Py_T_OBJECT, offsetof(GenericAlias, args), Py_READONLY, nullptr},
    {"__unpacked__", Py_T_BOOL, offsetof(GenericAlias, starred), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef alias_getset[] = {
    {"__parameters__", alias_parameters, nullptr, PyDoc_STR("Type variables in the GenericAlias."), nullptr},
    {"__typing_unpacked_tuple_args__", alias_unpacked_tuple_args, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyNumberMethods alias_as_number = {.nb_or = _Py_union_type_or};
PyMappingMethods alias_as_mapping = {.mp_subscript = alias_getitem};

// ---- *tuple[int, str]: the iterator that gives the starred alias, once ----

struct AliasIterator {
  PyObject_HEAD
  PyObject* alias;  // null once exhausted
};

PyObject* alias_iter(PyObject* self) {
  auto* it = new_gc_object<AliasIterator>(&GenericAliasIterator_Type);
  if (!it) return PyErr_NoMemory();
  it->alias = Py_NewRef(self);
  track(it);
  return reinterpret_cast<PyObject*>(it);
}

void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(reinterpret_cast<AliasIterator*>(self)->alias);
  free_object(self);
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<AliasIterator*>(self)->alias);
  return 0;
}

int iterator_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<AliasIterator*>(self)->alias);
  return 0;
}

PyObject* iterator_next(PyObject* self) {
  auto alias = Ref<>::steal(sync::exchange(reinterpret_cast<AliasIterator*>(self)->alias, nullptr));
  if (!alias) return nullptr;
  PyObject* starred = Py_GenericAlias(as_alias(alias)->origin, as_alias(alias)->args);
  if (starred) as_alias(starred)->starred = true;
  return starred;
}

PyObject* iterator_reduce(PyObject* self, PyObject*) {
  Ref<> iter = builtin("iter");
  if (!iter) return nullptr;
  Ref<> alias = sync::get_ref(&reinterpret_cast<AliasIterator*>(self)->alias);
  return alias ? Py_BuildValue("O(O)", iter.get(), alias.get()) : Py_BuildValue("O(())", iter.get());
}

PyMethodDef iterator_methods[] = {
    {"__reduce__", iterator_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject Py_GenericAliasType = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "types.GenericAlias",
    .tp_basicsize = sizeof(GenericAlias),
    .tp_dealloc = alias_dealloc,
    .tp_vectorcall_offset = offsetof(GenericAlias, vectorcall),
    .tp_repr = alias_repr,
    .tp_as_number = &alias_as_number,
    .tp_as_mapping = &alias_as_mapping,
    .tp_hash = alias_hash,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = alias_getattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc = PyDoc_STR("GenericAlias(origin, args, /)\n--\n\nRepresent a PEP 585 generic type\n\n"
                        "For example, for t = list[int], t.__origin__ is list and t.__args__\nis (int,)."),
    .tp_traverse = alias_traverse,
    .tp_richcompare = alias_richcompare,
    .tp_weaklistoffset = offsetof(GenericAlias, weakreflist),
    .tp_iter = alias_iter,
    .tp_methods = alias_methods,
    .tp_members = alias_members,
    .tp_getset = alias_getset,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = alias_new,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject GenericAliasIterator_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "generic_alias_iterator",
    .tp_basicsize = sizeof(AliasIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = iterator_traverse,
    .tp_clear = iterator_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
    .tp_free = PyObject_GC_Del,
};

PyObject* Py_GenericAlias(PyObject* origin, PyObject* args) { return make_alias(&Py_GenericAliasType, origin, args); }

}  // extern "C"
