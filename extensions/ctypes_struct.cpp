// Structures and unions, and their metatypes. Where the members lie says the module ctypes._layout.
#include "ctypes_module.h"

#include <algorithm>
#include <cstring>

namespace ctypes {

namespace {

bool is_field(PyObject* op) { return Py_IS_TYPE(op, types.field); }

// ---- _anonymous_: members of members ----

bool expose_members(PyObject* type, Field* member, Py_ssize_t index, Py_ssize_t offset) {
  Ref fields(PyObject_GetAttr(member->type, names.fields));
  Ref list = fields ? ext::as_tuple(fields.get(), "_fields_ must be a sequence") : Ref();
  if (!list) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list.get()); i++) {
    Ref entry = ext::as_tuple(PyTuple_GET_ITEM(list.get(), i), "_fields_ must be a sequence");
    if (!entry) return false;
    if (PyTuple_GET_SIZE(entry.get()) == 0) {
      PyErr_SetString(PyExc_TypeError, "unexpected type");
      return false;
    }
    PyObject* name = PyTuple_GET_ITEM(entry.get(), 0);
    Ref found(PyObject_GetAttr(member->type, name));
    if (!found) return false;
    if (!is_field(found.get())) {
      PyErr_SetString(PyExc_TypeError, "unexpected type");
      return false;
    }
    auto* inner = reinterpret_cast<Field*>(found.get());
    if (inner->anonymous) {
      if (Py_EnterRecursiveCall(" while exposing anonymous members")) return false;
      const bool done = expose_members(type, inner, inner->index + index, inner->byte_offset + offset);
      Py_LeaveRecursiveCall();
      if (!done) return false;
      continue;
    }
    Ref copy(reinterpret_cast<PyObject*>(new_field_copy(inner, offset, index)));
    if (!copy || PyObject_SetAttr(type, name, copy.get()) < 0) return false;
  }
  return true;
}

bool expose_anonymous(PyObject* type) {
  PyObject* found;
  if (PyObject_GetOptionalAttr(type, names.anonymous, &found) < 0) return false;
  Ref anonymous(found);
  if (!anonymous) return true;
  Ref list = ext::as_tuple(anonymous.get(), "_anonymous_ must be a sequence");
  if (!list) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list.get()); i++) {
    PyObject* name = PyTuple_GET_ITEM(list.get(), i);
    Ref member(PyObject_GetAttr(type, name));
    if (!member) return false;
    if (!is_field(member.get())) {
      PyErr_Format(PyExc_AttributeError, "'%U' is specified in _anonymous_ but not in _fields_", name);
      return false;
    }
    auto* field = reinterpret_cast<Field*>(member.get());
    field->anonymous = true;
    if (!expose_members(type, field, field->index, field->byte_offset)) return false;
  }
  return true;
}

// ---- the layout ----

struct Layout {
  Ref fields;  // a tuple of members
  Ref format;
  Py_ssize_t size, align;
};

bool read_size(PyObject* layout, const char* name, Py_ssize_t* value) {
  Ref number(PyObject_GetAttrString(layout, name));
  if (!number) return false;
  *value = PyLong_AsSsize_t(number.get());
  if (*value < 0 && !PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "%s must be a non-negative integer", name);
  return *value >= 0;
}

bool compute_layout(PyObject* type, PyObject* description, bool is_struct, PyObject* base, Layout* layout) {
  Ref module(PyImport_ImportModule("ctypes._layout"));
  Ref result(module ? PyObject_CallMethod(module.get(), "get_layout", "OOOO", type, description, is_struct ? Py_True : Py_False, base)
                    : nullptr);
  if (!result || !read_size(result.get(), "align", &layout->align) || !read_size(result.get(), "size", &layout->size)) return false;
  layout->format = Ref(PyObject_GetAttrString(result.get(), "format_spec"));
  if (!layout->format || PyUnicode_AsUTF8(layout->format.get()) == nullptr) return false;
  Ref fields(PyObject_GetAttrString(result.get(), "fields"));
  layout->fields = Ref(fields ? PySequence_Tuple(fields.get()) : nullptr);
  if (!layout->fields) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(layout->fields.get()); i++) {
    PyObject* op = PyTuple_GET_ITEM(layout->fields.get(), i);
    if (!is_field(op)) {
      PyErr_Format(PyExc_TypeError, "fields must be of type CField, got %T", op);
      return false;
    }
    auto* field = reinterpret_cast<Field*>(op);
    if (field->index != i) {
      PyErr_Format(PyExc_ValueError, "field %R index mismatch (expected %zd, got %zd)", field->name, i, field->index);
      return false;
    }
    if (field->type == type) {
      PyErr_SetString(PyExc_AttributeError, "Structure or union cannot contain itself");
      return false;
    }
  }
  return true;
}

void add_field(TypeInfo* info, const Field* field) {
  TypeInfo* item = info_of_object(field->type);
  mark_final(reinterpret_cast<PyTypeObject*>(field->type), item);
  if (item->pointer || item->has_pointer) info->has_pointer = true;
  if (field->kind != FieldKind::kBits) {
    if (field->byte_offset < kRegisterBytes) add_bytes(info, item, field->byte_offset);
    return;
  }
  const Py_ssize_t first = field->byte_offset + field->bit_offset / 8;
  const Py_ssize_t last = field->byte_offset + (field->bit_offset + field->bit_size - 1) / 8;
  for (Py_ssize_t byte = first; byte <= std::min(last, kRegisterBytes - 1); byte++) info->bytes[byte] = ByteClass::kInteger;
}

void copy_base(TypeInfo* info, const TypeInfo* base) {
  info->size = base->size;
  info->align = base->align;
  info->length = base->length;
  info->has_pointer = base->has_pointer;
  info->memory_class = base->memory_class;
  std::copy(std::begin(base->bytes), std::end(base->bytes), std::begin(info->bytes));
}

TypeInfo* base_info(PyObject* type, PyObject** base) {
  *base = reinterpret_cast<PyObject*>(reinterpret_cast<PyTypeObject*>(type)->tp_base);
  return info_of_object(*base);
}

// Gives the class the members that its _fields_ describe.
bool set_fields(PyObject* type, PyObject* description, TypeInfo* info) {
  PyObject* base;
  TypeInfo* inherited = base_info(type, &base);
  Layout layout;
  if (!compute_layout(type, description, info->kind == Kind::kStruct, inherited != nullptr ? base : Py_None, &layout)) return false;
  char* format = copy_text("", PyUnicode_AsUTF8(layout.format.get()));
  if (format == nullptr) return false;
  const Py_ssize_t n = PyTuple_GET_SIZE(layout.fields.get());
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* field = PyTuple_GET_ITEM(layout.fields.get(), i);
    if (PyObject_SetAttr(type, reinterpret_cast<Field*>(field)->name, field) < 0) {
      PyMem_Free(format);
      return false;
    }
  }
  bool late;
  Py_BEGIN_CRITICAL_SECTION(type);
  late = is_final(info);
  if (!late) {
    if (inherited != nullptr) copy_base(info, inherited);
    for (Py_ssize_t i = 0; i < n; i++) add_field(info, reinterpret_cast<Field*>(PyTuple_GET_ITEM(layout.fields.get(), i)));
    info->length += n;
    info->size = layout.size;
    info->align = layout.align;
    PyMem_Free(std::exchange(info->format, format));
    finish_aggregate(info);
    __atomic_store_n(&info->final, true, __ATOMIC_RELEASE);
  }
  Py_END_CRITICAL_SECTION();
  if (late) {
    PyMem_Free(format);
    PyErr_SetString(PyExc_AttributeError, "_fields_ is final");
    return false;
  }
  return expose_anonymous(type);
}

int struct_setattr(PyObject* self, PyObject* name, PyObject* value) {
  const bool fields = value != nullptr && PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "_fields_");
  TypeInfo* info = nullptr;
  if (fields) {
    info = info_of_object(self);
    if (info == nullptr) {
      PyErr_SetString(PyExc_TypeError, "ctypes state is not initialized");
      return -1;
    }
    if (is_final(info)) {
      PyErr_SetString(PyExc_AttributeError, "_fields_ is final");
      return -1;
    }
  }
  if (PyType_Type.tp_setattro(self, name, value) < 0) return -1;
  return !fields || set_fields(self, value, info) ? 0 : -1;
}

int aggregate_init(PyObject* self, Kind kind) {
  Ref dict(PyType_GetDict(reinterpret_cast<PyTypeObject*>(self)));
  if (!dict) return -1;
  if (const int abstract = PyDict_Contains(dict.get(), names.abstract); abstract != 0) return abstract < 0 ? -1 : 0;
  PyObject* found;
  if (PyDict_GetItemRef(dict.get(), names.fields, &found) < 0) return -1;
  Ref fields(found);
  TypeInfo* info = begin_info(self);
  if (info == nullptr) return -1;
  info->align = 1;
  info->kind = kind;
  if (fields) return PyObject_SetAttr(self, names.fields, fields.get());
  PyObject* base;
  TypeInfo* inherited = base_info(self, &base);
  if (inherited != nullptr) {
    mark_final(reinterpret_cast<PyTypeObject*>(base), inherited);
    copy_base(info, inherited);
    info->format = copy_text("", inherited->format != nullptr ? inherited->format : "B");
    if (info->format == nullptr) return -1;
  }
  finish_aggregate(info);
  return 0;
}
int struct_meta_init(PyObject* self, PyObject*, PyObject*) { return aggregate_init(self, Kind::kStruct); }
int union_meta_init(PyObject* self, PyObject*, PyObject*) { return aggregate_init(self, Kind::kUnion); }

// ---- instances ----

PyObject* aggregate_new(PyTypeObject* type, PyObject*, PyObject*) { return new_data(type); }

// Sets the members of this class, after those of its bases, from args[*next] on.
bool set_members(PyObject* self, PyTypeObject* type, PyObject* args, PyObject* kwargs, Py_ssize_t* next) {
  if (info_of(type->tp_base) != nullptr && !set_members(self, type->tp_base, args, kwargs, next)) return false;
  Ref dict(PyType_GetDict(type));
  PyObject* found;
  if (!dict || PyDict_GetItemRef(dict.get(), names.fields, &found) < 0) return false;
  Ref fields(found);
  if (!fields) return true;
  const Py_ssize_t n = PySequence_Size(fields.get());
  if (n < 0) return false;
  for (Py_ssize_t i = 0; i < n && *next < PyTuple_GET_SIZE(args); i++, ++*next) {
    Ref pair(PySequence_GetItem(fields.get(), i));
    Ref name(pair ? PySequence_GetItem(pair.get(), 0) : nullptr);
    if (!name) return false;
    if (kwargs != nullptr) {
      const int twice = PyDict_Contains(kwargs, name.get());
      if (twice > 0) PyErr_Format(PyExc_TypeError, "duplicate values for field %R", name.get());
      if (twice != 0) return false;
    }
    if (PyObject_SetAttr(self, name.get(), PyTuple_GET_ITEM(args, *next)) < 0) return false;
  }
  return true;
}

int aggregate_instance_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0) {
    Py_ssize_t next = 0;
    if (!set_members(self, Py_TYPE(self), args, kwargs, &next)) return -1;
    if (next < PyTuple_GET_SIZE(args)) {
      PyErr_SetString(PyExc_TypeError, "too many initializers");
      return -1;
    }
  }
  if (kwargs == nullptr) return 0;
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (PyDict_Next(kwargs, &position, &key, &value)) {
    if (PyObject_SetAttr(self, key, value) < 0) return -1;
  }
  return 0;
}

PyType_Slot struct_meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for the CData Objects")},
                                   {Py_tp_init, slot(struct_meta_init)},
                                   {Py_tp_setattro, slot(struct_setattr)},
                                   {Py_tp_methods, meta_methods},
                                   {0, nullptr}};
PyType_Spec struct_meta_spec = {"_ctypes.PyCStructType", 0, 0, 0, struct_meta_slots};
PyType_Slot union_meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for the Union Objects")},
                                  {Py_tp_init, slot(union_meta_init)},
                                  {Py_tp_setattro, slot(struct_setattr)},
                                  {Py_tp_methods, meta_methods},
                                  {0, nullptr}};
PyType_Spec union_meta_spec = {"_ctypes.UnionType", 0, 0, 0, union_meta_slots};

PyType_Slot structure_slots[] = {{Py_tp_doc, const_cast<char*>("Structure base class")},
                                 {Py_tp_new, slot(aggregate_new)},
                                 {Py_tp_init, slot(aggregate_instance_init)},
                                 {0, nullptr}};
PyType_Spec structure_spec = {"_ctypes.Structure", sizeof(Data), 0, Py_TPFLAGS_BASETYPE, structure_slots};
PyType_Slot union_slots[] = {{Py_tp_doc, const_cast<char*>("Union base class")},
                             {Py_tp_new, slot(aggregate_new)},
                             {Py_tp_init, slot(aggregate_instance_init)},
                             {0, nullptr}};
PyType_Spec union_spec = {"_ctypes.Union", sizeof(Data), 0, Py_TPFLAGS_BASETYPE, union_slots};

}  // namespace

bool make_struct_types(PyObject* module) {
  types.struct_meta = make_meta(module, &struct_meta_spec);
  types.union_meta = types.struct_meta != nullptr ? make_meta(module, &union_meta_spec) : nullptr;
  if (types.union_meta == nullptr) return false;
  types.structure = make_type(types.struct_meta, module, &structure_spec, types.data);
  types.union_ = types.structure != nullptr ? make_type(types.union_meta, module, &union_spec, types.data) : nullptr;
  return types.union_ != nullptr;
}

}  // namespace ctypes
