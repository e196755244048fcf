// Owns typing.Union, what X | Y gives. Members are distinct: the hashable ones by a set, the others by comparison, in
// the order of their first appearance; unions among the members are dissolved, None stands for its type.
#include "objects/union.h"

#include <cstddef>

#include "gc/object_new.h"
#include "objects/generic_alias.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

struct Union {
  PyObject_HEAD
  PyObject* args;        // tuple of all members
  PyObject* hashable;    // frozenset
  PyObject* unhashable;  // tuple, or null if there are none
  PyObject* parameters;  // tuple; null until asked for
  PyObject* weakreflist;
};
Union* as_union(PyObject* op) { return reinterpret_cast<Union*>(op); }

constexpr unsigned kMaxAdmitted = 4;
PyTypeObject* g_admitted[kMaxAdmitted];  // written at start-up
unsigned g_admitted_count = 0;

bool may_stand_in_union(PyObject* op) {
  if (op == Py_None || PyType_Check(op) || is_generic_alias(op) || is_union(op)) return true;
  for (unsigned i = 0; i < g_admitted_count; ++i)
    if (Py_IS_TYPE(op, g_admitted[i])) return true;
  return false;
}

class Builder {
  Ref<> args_, hashable_, unhashable_;

  bool add_distinct(PyObject* member) {
    const Py_hash_t hash = PyObject_Hash(member);
    if (hash == -1) {
      PyErr_Clear();
      if (!unhashable_) {
        unhashable_ = Ref<>::steal(PyList_New(0));
        if (!unhashable_) return false;
      }
      const int there = PySequence_Contains(unhashable_, member);
      if (there != 0) return there > 0;
      if (PyList_Append(unhashable_, member) < 0) return false;
    } else {
      const int there = PySet_Contains(hashable_, member);
      if (there != 0) return there > 0;
      if (PySet_Add(hashable_, member) < 0) return false;
    }
    return PyList_Append(args_, member) == 0;
  }

  // Strings become forward references; what cannot be a type is refused.
  static Ref<> checked(PyObject* member) {
    if (may_stand_in_union(member)) return Ref<>::share(member);
    auto check = Ref<>::steal(PyImport_ImportModuleAttrString("typing", "_type_check"));
    auto message = Ref<>::steal(PyUnicode_FromString("Union[arg, ...]: each arg must be a type."));
    if (!check || !message) return nullptr;
    return Ref<>::steal(PyObject_CallFunctionObjArgs(check, member, message.get(), nullptr));
  }

 public:
  bool start() {
    args_ = Ref<>::steal(PyList_New(0));
    hashable_ = Ref<>::steal(PySet_New(nullptr));
    return args_ && hashable_;
  }

  bool add(PyObject* member) {
    if (member == Py_None) return add_distinct(reinterpret_cast<PyObject*>(Py_TYPE(Py_None)));
    if (is_union(member)) return add_all(as_union(member)->args);
    Ref<> type = checked(member);
    return type && add_distinct(type);
  }

  bool add_all(PyObject* tuple) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i)
      if (!add(PyTuple_GET_ITEM(tuple, i))) return false;
    return true;
  }

  PyObject* finish() {
    const Py_ssize_t n = PyList_GET_SIZE(args_.get());
    if (n == 0) {
      PyErr_SetString(PyExc_TypeError, "Cannot take a Union of no types.");
      return nullptr;
    }
    if (n == 1) return Py_NewRef(PyList_GET_ITEM(args_.get(), 0));
    auto args = Ref<>::steal(PyList_AsTuple(args_));
    auto hashable = Ref<>::steal(PyFrozenSet_New(hashable_));
    Ref<> unhashable;
    if (unhashable_) unhashable = Ref<>::steal(PyList_AsTuple(unhashable_));
    if (!args || !hashable || (unhashable_ && !unhashable)) return nullptr;
    auto* made = new_gc_object<Union>(&_PyUnion_Type);
    if (!made) return PyErr_NoMemory();
    made->args = args.release();
    made->hashable = hashable.release();
    made->unhashable = unhashable.release();
    made->parameters = nullptr;
    made->weakreflist = nullptr;
    track(made);
    return reinterpret_cast<PyObject*>(made);
  }
};

PyObject* union_of_two(PyObject* a, PyObject* b) {
  Builder builder;
  return builder.start() && builder.add(a) && builder.add(b) ? builder.finish() : nullptr;
}

void union_dealloc(PyObject* self) {
  Union* u = as_union(self);
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(u->weakreflist)) PyObject_ClearWeakRefs(self);
  Py_XDECREF(u->args);
  Py_XDECREF(u->hashable);
  Py_XDECREF(u->unhashable);
  Py_XDECREF(u->parameters);
  free_object(self);
}

int union_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_union(self)->args);
  Py_VISIT(as_union(self)->hashable);
  Py_VISIT(as_union(self)->unhashable);
  Py_VISIT(as_union(self)->parameters);
  return 0;
}

Py_hash_t union_hash(PyObject* self) {
  Union* u = as_union(self);
  if (u->unhashable) {
    // Say which member is to blame; one that has become hashable since does not make the union so.
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(u->unhashable); ++i)
      if (PyObject_Hash(PyTuple_GET_ITEM(u->unhashable, i)) == -1) return -1;
    PyErr_Format(PyExc_TypeError, "union contains %zd unhashable elements", PyTuple_GET_SIZE(u->unhashable));
    return -1;
  }
  return PyObject_Hash(u->hashable);
}

int unions_equal(const Union* a, const Union* b) {
  const int equal = PyObject_RichCompareBool(a->hashable, b->hashable, Py_EQ);
  if (equal <= 0) return equal;
  if (!a->unhashable || !b->unhashable) return a->unhashable == b->unhashable;
  if (PyTuple_GET_SIZE(a->unhashable) != PyTuple_GET_SIZE(b->unhashable)) return 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a->unhashable); ++i) {
    const int there = PySequence_Contains(b->unhashable, PyTuple_GET_ITEM(a->unhashable, i));
    if (there <= 0) return there;
  }
  return 1;
}

PyObject* union_richcompare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !is_union(b)) Py_RETURN_NOTIMPLEMENTED;
  const int equal = unions_equal(as_union(a), as_union(b));
  return equal < 0 ? nullptr : PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* union_repr(PyObject* self) {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (!writer) return nullptr;
  PyObject* args = as_union(self)->args;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    if ((i > 0 && PyUnicodeWriter_WriteASCII(writer, " | ", 3) < 0) || write_type(writer, PyTuple_GET_ITEM(args, i)) < 0) {
      PyUnicodeWriter_Discard(writer);
      return nullptr;
    }
  }
  return PyUnicodeWriter_Finish(writer);
}

PyObject* union_getattro(PyObject* self, PyObject* name) {
  if (PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "__module__"))
    return PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), name);
  return PyObject_GenericGetAttr(self, name);
}

PyObject* union_getitem(PyObject* self, PyObject* item) {
  Union* u = as_union(self);
  Ref<> parameters = cached_parameters(&u->parameters, u->args);
  if (!parameters) return nullptr;
  auto args = Ref<>::steal(generic_substitute(self, u->args, parameters, item));
  return args ? union_from_tuple(args) : nullptr;
}

PyObject* union_mro_entries(PyObject* self, PyObject*) {
  return PyErr_Format(PyExc_TypeError, "Cannot subclass %R", self);
}

PyObject* union_class_getitem(PyObject*, PyObject* args) {
  if (PyTuple_CheckExact(args)) return union_from_tuple(args);
  auto tuple = Ref<>::steal(PyTuple_Pack(1, args));
  return tuple ? union_from_tuple(tuple) : nullptr;
}

PyObject* union_name(PyObject*, void*) { return PyUnicode_InternFromString("Union"); }
PyObject* union_origin(PyObject*, void*) { return Py_NewRef(reinterpret_cast<PyObject*>(&_PyUnion_Type)); }
PyObject* union_parameters(PyObject* self, void*) {
  return cached_parameters(&as_union(self)->parameters, as_union(self)->args).release();
}

PyMethodDef union_methods[] = {
    {"__mro_entries__", union_mro_entries, METH_O, nullptr},
    {"__class_getitem__", union_class_getitem, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef union_members[] = {
    {"__args__", _Py_T_OBJECT, offsetof(Union, args), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef union_getset[] = {
    {"__name__", union_name, nullptr, PyDoc_STR("Name of the type"), nullptr},
    {"__qualname__", union_name, nullptr, PyDoc_STR("Qualified name of the type"), nullptr},
    {"__origin__", union_origin, nullptr, PyDoc_STR("Always returns the type"), nullptr},
    {"__parameters__", union_parameters, nullptr, PyDoc_STR("Type variables in the types.UnionType."), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyNumberMethods union_as_number = {.nb_or = union_of_two};
PyMappingMethods union_as_mapping = {.mp_subscript = union_getitem};

}  // namespace

extern "C" {

PyTypeObject _PyUnion_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "typing.Union",
    .tp_basicsize = sizeof(Union),
    .tp_dealloc = union_dealloc,
    .tp_repr = union_repr,
    .tp_as_number = &union_as_number,
    .tp_as_mapping = &union_as_mapping,
    .tp_hash = union_hash,
    .tp_getattro = union_getattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = PyDoc_STR("Represent a union type\n\nE.g. for int | str"),
    .tp_traverse = union_traverse,
    .tp_richcompare = union_richcompare,
    .tp_weaklistoffset = offsetof(Union, weakreflist),
    .tp_methods = union_methods,
    .tp_members = union_members,
    .tp_getset = union_getset,
    .tp_free = PyObject_GC_Del,
};

// The | of classes and generic aliases.
PyObject* _Py_union_type_or(PyObject* a, PyObject* b) {
  if (!may_stand_in_union(a) || !may_stand_in_union(b)) Py_RETURN_NOTIMPLEMENTED;
  return union_of_two(a, b);
}

}  // extern "C"

namespace amphis {

PyObject* union_args(PyObject* op) { return as_union(op)->args; }

PyObject* union_from_tuple(PyObject* args) {
  Builder builder;
  return builder.start() && builder.add_all(args) ? builder.finish() : nullptr;
}

void union_admit(PyTypeObject* type) {
  if (g_admitted_count < kMaxAdmitted) g_admitted[g_admitted_count++] = type;
}

}  // namespace amphis
