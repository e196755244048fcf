// Struct sequences: tuples whose items also have names (os.stat_result, time.struct_time). A type may have
// more fields than items: an instance holds all of them, and its size counts only the first
// n_sequence_fields.
#include <cstring>
#include <memory>
#include <new>

#include "base/compiler.h"
#include "objects/container_support.h"
#include "objects/tuple.h"

using namespace amphis;

extern "C" {
const char* const PyStructSequence_UnnamedField = "unnamed field";
}

namespace amphis {

namespace {

PyTupleObject* as_tuple(PyObject* op) {
  return reinterpret_cast<PyTupleObject*>(op);
}

// The number that start-up wrote into the type's dictionary under `name`; -1 with an error.
Py_ssize_t count_of(PyTypeObject* type, PyObject* name) {
  Ref<> dict = Ref<>::steal(PyType_GetDict(type));
  PyObject* value = dict ? PyDict_GetItemWithError(dict.get(), name) : nullptr;
  if (value == nullptr) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_TypeError, "Missed attribute '%U' of type %s", name, type->tp_name);
    }
    return -1;
  }
  return PyLong_AsSsize_t(value);
}

Py_ssize_t all_fields(PyTypeObject* type) {
  return count_of(type, AMPHIS_STATIC_NAME("n_fields"));
}
Py_ssize_t sequence_fields(PyTypeObject* type) {
  return count_of(type, AMPHIS_STATIC_NAME("n_sequence_fields"));
}
Py_ssize_t unnamed_fields(PyTypeObject* type) {
  return count_of(type, AMPHIS_STATIC_NAME("n_unnamed_fields"));
}

Py_ssize_t field_index(const PyMemberDef* member) {
  return (member->offset - static_cast<Py_ssize_t>(offsetof(PyTupleObject, ob_item))) /
         static_cast<Py_ssize_t>(sizeof(PyObject*));
}

PyObject* make(PyTypeObject* type) {
  const Py_ssize_t n = all_fields(type);
  const Py_ssize_t visible = n < 0 ? -1 : sequence_fields(type);
  if (visible < 0) return nullptr;
  PyTupleObject* self = PyObject_GC_NewVar(PyTupleObject, type, n);
  if (self == nullptr) return nullptr;
  self->ob_base.ob_size = visible;
  self->ob_hash = -1;
  for (Py_ssize_t i = 0; i < n; i++) self->ob_item[i] = nullptr;
  return reinterpret_cast<PyObject*>(self);
}

void structseq_dealloc(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  untrack(op);
  const Py_ssize_t n = all_fields(type);
  for (Py_ssize_t i = 0; i < n; i++) Py_XDECREF(as_tuple(op)->ob_item[i]);
  PyObject_GC_Del(op);
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) Py_DECREF(type);
}

int structseq_traverse(PyObject* op, visitproc visit, void* arg) {
  if (PyType_HasFeature(Py_TYPE(op), Py_TPFLAGS_HEAPTYPE)) Py_VISIT(Py_TYPE(op));
  for (PyMemberDef* m = Py_TYPE(op)->tp_members; m != nullptr && m->name != nullptr; m++) {
    const Py_ssize_t i = field_index(m);
    if (i >= Py_SIZE(op)) Py_VISIT(as_tuple(op)->ob_item[i]);
  }
  for (Py_ssize_t i = 0; i < Py_SIZE(op); i++) Py_VISIT(as_tuple(op)->ob_item[i]);
  return 0;
}

// How many entries of `dict` name fields that the type has and that come at or after `from`.
Py_ssize_t usable_names(PyTypeObject* type, PyObject* dict, Py_ssize_t from) {
  Py_ssize_t count = 0;
  for (PyMemberDef* m = type->tp_members; m != nullptr && m->name != nullptr; m++) {
    if (field_index(m) < from) continue;
    const int present = PyDict_ContainsString(dict, m->name);
    if (present < 0) return -1;
    count += present;
  }
  return count;
}

PyObject* construct(PyTypeObject* type, PyObject* arg, PyObject* dict) {
  const Py_ssize_t min = sequence_fields(type);
  const Py_ssize_t max = min < 0 ? -1 : all_fields(type);
  const Py_ssize_t unnamed = max < 0 ? -1 : unnamed_fields(type);
  if (unnamed < 0) return nullptr;
  Ref<> sequence = Ref<>::steal(PySequence_Fast(arg, "constructor requires a sequence"));
  if (!sequence) return nullptr;
  if (dict != nullptr && !PyDict_Check(dict)) {
    PyErr_Format(PyExc_TypeError, "%.500s() takes a dict as second arg, if any", type->tp_name);
    return nullptr;
  }
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(sequence.get());
  if (n < min || n > max) {
    const char* relation = min == max ? "a" : n < min ? "an at least" : "an at most";
    PyErr_Format(PyExc_TypeError, "%.500s() takes %s %zd-sequence (%zd-sequence given)", type->tp_name,
                 relation, n < min ? min : max, n);
    return nullptr;
  }
  Ref<> self = Ref<>::steal(make(type));
  if (!self) return nullptr;
  PyObject** items = as_tuple(self.get())->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) items[i] = Py_NewRef(PySequence_Fast_GET_ITEM(sequence.get(), i));
  if (dict != nullptr && PyDict_GET_SIZE(dict) > 0) {
    for (PyMemberDef* m = type->tp_members; m != nullptr && m->name != nullptr; m++) {
      const Py_ssize_t i = field_index(m);
      if (i < n || i >= max) continue;
      PyObject* value;
      if (PyDict_GetItemStringRef(dict, m->name, &value) < 0) return nullptr;
      items[i] = value;
    }
    const Py_ssize_t used = usable_names(type, dict, n);
    if (used < 0) return nullptr;
    if (used != PyDict_GET_SIZE(dict)) {
      PyErr_Format(PyExc_TypeError, "%.500s() got duplicate or unexpected field name(s)", type->tp_name);
      return nullptr;
    }
  }
  for (Py_ssize_t i = n; i < max; i++) {
    if (items[i] == nullptr) items[i] = Py_NewRef(Py_None);
  }
  track(self.get());
  return self.release();
}

PyObject* structseq_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"sequence", "dict"};
  static const Parameters parameters = {"structseq", names, 2, 0, 2, 1};
  PyObject* given[2];
  return bind_call(parameters, args, kwargs, given) ? construct(type, given[0], given[1]) : nullptr;
}

// Items are labelled with the named fields in order: where a visible one has no name (the integer times of
// os.stat_result), the names of the ones behind it move up.
PyObject* structseq_repr(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  const Py_ssize_t n = Py_SIZE(op);
  const PyMemberDef* member = type->tp_members;
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_WriteUTF8(writer, type->tp_name, -1) == 0 &&
            PyUnicodeWriter_WriteChar(writer, '(') == 0;
  for (Py_ssize_t i = 0; ok && i < n; i++) {
    const char* name = member == nullptr ? nullptr : member->name;
    if (name != nullptr) member++;
    if (name == nullptr) {
      PyErr_Format(PyExc_SystemError, "In structseq_repr(), member %zd name is NULL for type %.500s", i,
                   type->tp_name);
      ok = false;
      break;
    }
    ok = (i == 0 || PyUnicodeWriter_WriteASCII(writer, ", ", 2) == 0) &&
         PyUnicodeWriter_WriteUTF8(writer, name, -1) == 0 && PyUnicodeWriter_WriteChar(writer, '=') == 0 &&
         PyUnicodeWriter_WriteRepr(writer, as_tuple(op)->ob_item[i]) == 0;
  }
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* structseq_reduce(PyObject* op, PyObject*) {
  PyTypeObject* type = Py_TYPE(op);
  const Py_ssize_t visible = Py_SIZE(op);
  Ref<> items = Ref<>::steal(tuple_from_array(as_tuple(op)->ob_item, visible));
  Ref<> rest = Ref<>::steal(PyDict_New());
  if (!items || !rest) return nullptr;
  for (PyMemberDef* m = type->tp_members; m != nullptr && m->name != nullptr; m++) {
    const Py_ssize_t i = field_index(m);
    if (i >= visible && PyDict_SetItemString(rest.get(), m->name, as_tuple(op)->ob_item[i]) < 0)
      return nullptr;
  }
  return Py_BuildValue("O(OO)", type, items.get(), rest.get());
}

PyObject* structseq_replace(PyObject* op, PyObject* args, PyObject* kwargs) {
  PyTypeObject* type = Py_TYPE(op);
  if (PyTuple_GET_SIZE(args) != 0) {
    PyErr_SetString(PyExc_TypeError, "__replace__() takes no positional arguments");
    return nullptr;
  }
  const Py_ssize_t n = all_fields(type);
  const Py_ssize_t unnamed = n < 0 ? -1 : unnamed_fields(type);
  if (unnamed < 0) return nullptr;
  if (unnamed > 0) {
    PyErr_Format(PyExc_TypeError, "__replace__() is not supported for %.500s because it has unnamed field(s)",
                 type->tp_name);
    return nullptr;
  }
  Ref<> result = Ref<>::steal(make(type));
  Ref<> left = kwargs != nullptr ? Ref<>::steal(PyDict_Copy(kwargs)) : Ref<>::steal(PyDict_New());
  if (!result || !left) return nullptr;
  for (PyMemberDef* m = type->tp_members; m != nullptr && m->name != nullptr; m++) {
    const Py_ssize_t i = field_index(m);
    PyObject* value;
    if (PyDict_PopString(left.get(), m->name, &value) < 0) return nullptr;
    as_tuple(result.get())->ob_item[i] = value != nullptr ? value : Py_XNewRef(as_tuple(op)->ob_item[i]);
  }
  if (PyDict_GET_SIZE(left.get()) > 0) {
    Ref<> names = Ref<>::steal(PyDict_Keys(left.get()));
    if (names) PyErr_Format(PyExc_TypeError, "Got unexpected field name(s): %R", names.get());
    return nullptr;
  }
  track(result.get());
  return result.release();
}

PyMethodDef methods[] = {
    {"__reduce__", structseq_reduce, METH_NOARGS, nullptr},
    {"__replace__", AMPHIS_METHOD(structseq_replace), METH_VARARGS | METH_KEYWORDS,
     "__replace__($self, /, **changes)\n--\n\nReturn a copy of the structure with new values for the "
     "specified fields."},
    {},
};

bool is_unnamed(const PyStructSequence_Field& field) {
  return field.name == PyStructSequence_UnnamedField;
}

Py_ssize_t count_fields(const PyStructSequence_Desc* desc, Py_ssize_t* unnamed) {
  Py_ssize_t n = 0;
  *unnamed = 0;
  for (; desc->fields[n].name != nullptr; n++) *unnamed += is_unnamed(desc->fields[n]);
  return n;
}

// Members for the named fields, ended by an empty one. PyMem memory.
PyMemberDef* make_members(const PyStructSequence_Desc* desc, Py_ssize_t n) {
  auto* members = static_cast<PyMemberDef*>(PyMem_Calloc(static_cast<size_t>(n) + 1, sizeof(PyMemberDef)));
  if (members == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  PyMemberDef* to = members;
  for (Py_ssize_t i = 0; i < n; i++) {
    if (is_unnamed(desc->fields[i])) continue;
    *to++ = {desc->fields[i].name, _Py_T_OBJECT,
             static_cast<Py_ssize_t>(offsetof(PyTupleObject, ob_item) +
                                     static_cast<size_t>(i) * sizeof(PyObject*)),
             Py_READONLY, desc->fields[i].doc};
  }
  return members;
}

int fill_dict(PyTypeObject* type, const PyStructSequence_Desc* desc, Py_ssize_t n, Py_ssize_t unnamed) {
  Ref<> dict = Ref<>::steal(PyType_GetDict(type));
  const auto set_count = [&](const char* name, Py_ssize_t value) {
    Ref<> number = Ref<>::steal(PyLong_FromSsize_t(value));
    return number && PyDict_SetItemString(dict.get(), name, number.get()) == 0;
  };
  if (!dict || !set_count("n_sequence_fields", desc->n_in_sequence) || !set_count("n_fields", n) ||
      !set_count("n_unnamed_fields", unnamed)) {
    return -1;
  }
  Ref<> names = Ref<>::steal(PyList_New(0));
  if (!names) return -1;
  for (Py_ssize_t i = 0; i < desc->n_in_sequence; i++) {
    if (is_unnamed(desc->fields[i])) continue;
    Ref<> name = Ref<>::steal(PyUnicode_InternFromString(desc->fields[i].name));
    if (!name || PyList_Append(names.get(), name.get()) < 0) return -1;
  }
  Ref<> tuple = Ref<>::steal(PyList_AsTuple(names.get()));
  return tuple ? PyDict_SetItemString(dict.get(), "__match_args__", tuple.get()) : -1;
}

}  // namespace
}  // namespace amphis

extern "C" {

PyObject* PyStructSequence_New(PyTypeObject* type) {
  return make(type);
}

// The steps of an item's life that PyTuple_SetItem guards do not apply: whoever calls this is filling a new
// object.
void PyStructSequence_SetItem(PyObject* op, Py_ssize_t index, PyObject* value) {
  as_tuple(op)->ob_item[index] = value;
}

PyObject* PyStructSequence_GetItem(PyObject* op, Py_ssize_t index) {
  return as_tuple(op)->ob_item[index];
}

// For static types that the caller owns and zeroed.
int PyStructSequence_InitType2(PyTypeObject* type, PyStructSequence_Desc* desc) {
  if (Py_REFCNT(reinterpret_cast<PyObject*>(type)) > 1 && type->tp_flags & Py_TPFLAGS_READY) {
    PyErr_BadInternalCall();
    return -1;
  }
  Py_ssize_t unnamed;
  const Py_ssize_t n = count_fields(desc, &unnamed);
  PyMemberDef* members = make_members(desc, n);
  if (members == nullptr) return -1;
  type->tp_name = desc->name;
  type->tp_basicsize = offsetof(PyTupleObject, ob_item);
  type->tp_itemsize = sizeof(PyObject*);
  type->tp_dealloc = structseq_dealloc;
  type->tp_repr = structseq_repr;
  type->tp_doc = desc->doc;
  type->tp_base = &PyTuple_Type;
  type->tp_methods = methods;
  type->tp_new = structseq_new;
  type->tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type->tp_traverse = structseq_traverse;
  type->tp_members = members;
  if (PyType_Ready(type) < 0) {
    PyMem_Free(members);
    return -1;
  }
  return fill_dict(type, desc, n, unnamed);
}

void PyStructSequence_InitType(PyTypeObject* type, PyStructSequence_Desc* desc) {
  PyStructSequence_InitType2(type, desc);
}

AMPHIS_EXPORT PyTypeObject* _PyStructSequence_NewType(PyStructSequence_Desc* desc, unsigned long flags) {
  Py_ssize_t unnamed;
  const Py_ssize_t n = count_fields(desc, &unnamed);
  PyMemberDef* members = make_members(desc, n);
  if (members == nullptr) return nullptr;
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(structseq_dealloc)},
      {Py_tp_repr, reinterpret_cast<void*>(structseq_repr)},
      {Py_tp_doc, const_cast<char*>(desc->doc)},
      {Py_tp_methods, methods},
      {Py_tp_new, reinterpret_cast<void*>(structseq_new)},
      {Py_tp_members, members},
      {Py_tp_traverse, reinterpret_cast<void*>(structseq_traverse)},
      {0, nullptr},
  };
  PyType_Spec spec = {
      .name = desc->name,
      .basicsize = static_cast<int>(offsetof(PyTupleObject, ob_item)),
      .itemsize = static_cast<int>(sizeof(PyObject*)),
      .flags = static_cast<unsigned int>(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | flags),
      .slots = slots,
  };
  Ref<> type = Ref<>::steal(PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(&PyTuple_Type)));
  PyMem_Free(members);
  if (!type || fill_dict(reinterpret_cast<PyTypeObject*>(type.get()), desc, n, unnamed) < 0) return nullptr;
  return reinterpret_cast<PyTypeObject*>(type.release());
}

PyTypeObject* PyStructSequence_NewType(PyStructSequence_Desc* desc) {
  return _PyStructSequence_NewType(desc, 0);
}

}  // extern "C"
