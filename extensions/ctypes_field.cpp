// Members of structures and unions: the descriptors through which they are read and written, bit fields included.
//
// A bit field touches only the bytes that its bits are in. Its offset counts from the low end of the integer.
#include "ctypes_module.h"

#include <cstring>
#include <cwchar>

namespace ctypes {

namespace {

Field* field_of(PyObject* op) { return reinterpret_cast<Field*>(op); }
PyTypeObject* item_of(const Field* field) { return reinterpret_cast<PyTypeObject*>(field->type); }
bool is_bits(const Field* field) { return field->kind == FieldKind::kBits; }

// ---- bit fields ----

// A code in the machine's byte order.
const Code* native(const Code* code) { return code->foreign ? code->swapped : code; }

struct BitPlace {
  Py_ssize_t first, last;  // bytes of the integer, from its low end
  int shift;
  uint64_t mask;
  bool foreign;
  Py_ssize_t byte_size;

  explicit BitPlace(const Field* field)
      : first(field->bit_offset / 8),
        last((field->bit_offset + field->bit_size - 1) / 8),
        shift(static_cast<int>(field->bit_offset % 8)),
        mask(field->bit_size >= 64 ? ~uint64_t{0} : (uint64_t{1} << field->bit_size) - 1),
        foreign(info_of(item_of(field))->code->foreign),
        byte_size(field->byte_size) {}
  Py_ssize_t position(Py_ssize_t byte) const { return foreign ? byte_size - 1 - byte : byte; }
  uint64_t load(const char* integer) const {
    uint64_t bits = 0;
    for (Py_ssize_t byte = first; byte <= last; byte++)
      bits |= static_cast<uint64_t>(static_cast<unsigned char>(integer[position(byte)])) << (8 * (byte - first));
    return bits;
  }
  uint64_t read(const char* integer) const { return load(integer) >> shift & mask; }
  void write(char* integer, uint64_t value) const {
    const uint64_t bits = (load(integer) & ~(mask << shift)) | (value & mask) << shift;
    for (Py_ssize_t byte = first; byte <= last; byte++) integer[position(byte)] = static_cast<char>(bits >> (8 * (byte - first)));
  }
  Py_ssize_t end() const { return 1 + (foreign ? position(first) : last); }
};

PyObject* read_bits(Data* self, const Field* field) {
  const BitPlace place(field);
  const Code* code = native(info_of(item_of(field))->code);
  uint64_t bits = locked(self, [&] { return place.read(self->memory + field->byte_offset); });
  if (code->is_signed && field->bit_size < 64 && (bits >> (field->bit_size - 1) & 1) != 0) bits |= ~place.mask;
  return code->unpack(&bits);
}

bool write_bits(Data* self, const Field* field, PyObject* value) {
  const BitPlace place(field);
  TypeInfo* info = info_of(item_of(field));
  uint64_t bits = 0;
  if (is_data(value)) {
    Data* source = data_of(value);
    if (!PyObject_TypeCheck(value, item_of(field)) || source->size < info->size) {
      PyErr_Format(PyExc_TypeError, "incompatible types, %s instance instead of %s instance", Py_TYPE(value)->tp_name,
                   item_of(field)->tp_name);
      return false;
    }
    char integer[sizeof bits];
    locked(source, [&] {
      std::memcpy(integer, source->memory, static_cast<size_t>(info->size));
      return true;
    });
    for (Py_ssize_t byte = 0; byte < info->size; byte++)
      bits |= static_cast<uint64_t>(static_cast<unsigned char>(integer[place.position(byte)])) << (8 * byte);
  } else {
    PyObject* keep = nullptr;
    if (!native(info->code)->pack(value, &bits, &keep)) return false;
  }
  return locked(self, [&] {
    place.write(self->memory + field->byte_offset, bits);
    return true;
  });
}

// ---- arrays of characters, which are strings as members ----

bool write_chars(Data* self, const Field* field, PyObject* value) {
  if (!PyBytes_Check(value)) {
    PyErr_Format(PyExc_TypeError, "expected bytes, %s found", Py_TYPE(value)->tp_name);
    return false;
  }
  const char* text = PyBytes_AS_STRING(value);
  auto size = static_cast<Py_ssize_t>(std::strlen(text));
  if (size > field->byte_size) {
    PyErr_Format(PyExc_ValueError, "bytes too long (%zd, maximum length %zd)", size, field->byte_size);
    return false;
  }
  if (size < field->byte_size) size++;
  return locked(self, [&] {
    std::memcpy(self->memory + field->byte_offset, text, static_cast<size_t>(size));
    return true;
  });
}

bool write_wide_chars(Data* self, const Field* field, PyObject* value) {
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "unicode string expected instead of %s instance", Py_TYPE(value)->tp_name);
    return false;
  }
  Py_ssize_t size;
  wchar_t* text = PyUnicode_AsWideCharString(value, &size);
  if (text == nullptr) return false;
  const Py_ssize_t room = field->byte_size / static_cast<Py_ssize_t>(sizeof(wchar_t));
  const bool fits = size <= room;
  if (fits) {
    locked(self, [&] {
      std::memcpy(self->memory + field->byte_offset, text, static_cast<size_t>(size < room ? size + 1 : size) * sizeof(wchar_t));
      return true;
    });
  } else {
    PyErr_Format(PyExc_ValueError, "string too long (%zd, maximum length %zd)", size, room);
  }
  PyMem_Free(text);
  return fits;
}

// ---- the descriptor ----

// The instance, if it has a member at this place.
Data* instance_with(const Field* field, PyObject* op) {
  if (!is_data(op)) {
    PyErr_SetString(PyExc_TypeError, "not a ctype instance");
    return nullptr;
  }
  const Py_ssize_t end = is_bits(field) && info_of(item_of(field))->plain ? BitPlace(field).end() : field->byte_size;
  if (field->byte_offset <= data_of(op)->size - end) return data_of(op);
  PyErr_Format(PyExc_TypeError, "field %R lies outside of the '%.100s' instance", field->name, Py_TYPE(op)->tp_name);
  return nullptr;
}

PyObject* field_get(PyObject* op, PyObject* instance, PyObject*) {
  if (instance == nullptr) return Py_NewRef(op);
  const Field* field = field_of(op);
  Data* self = instance_with(field, instance);
  if (self == nullptr) return nullptr;
  switch (field->kind) {
    case FieldKind::kChars:
      return locked(self, [&] { return char_array_value(self->memory + field->byte_offset, field->byte_size); });
    case FieldKind::kWideChars:
      return locked(self, [&] { return wide_array_value(self->memory + field->byte_offset, field->byte_size); });
    case FieldKind::kBits:
      if (info_of(item_of(field))->plain) return read_bits(self, field);
      break;
    case FieldKind::kItem:
      break;
  }
  return read_item(Place::inside(self, field->byte_offset), item_of(field), field->index);
}

int field_set(PyObject* op, PyObject* instance, PyObject* value) {
  const Field* field = field_of(op);
  Data* self = instance_with(field, instance);
  if (self == nullptr) return -1;
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete attribute");
    return -1;
  }
  bool done = false;
  switch (field->kind) {
    case FieldKind::kChars: done = write_chars(self, field, value); break;
    case FieldKind::kWideChars: done = write_wide_chars(self, field, value); break;
    case FieldKind::kBits: done = write_bits(self, field, value); break;
    case FieldKind::kItem:
      done = write_item(Place::inside(self, field->byte_offset), item_of(field), value, field->index);
      break;
  }
  return done ? 0 : -1;
}

FieldKind kind_of(const TypeInfo* info) {
  if (info->kind != Kind::kArray) return FieldKind::kItem;
  TypeInfo* item = info_of_object(info->item);
  if (item == nullptr || item->kind != Kind::kSimple) return FieldKind::kItem;
  return item->code->letter == 'c' ? FieldKind::kChars : item->code->letter == 'u' ? FieldKind::kWideChars : FieldKind::kItem;
}

// Reads the two arguments of a bit field.
bool set_bits(Field* field, const TypeInfo* info, PyObject* size, PyObject* offset) {
  if (info->kind != Kind::kSimple || !info->code->integer) {
    PyErr_Format(PyExc_TypeError, "bit fields not allowed for type %s", item_of(field)->tp_name);
    return false;
  }
  const Py_ssize_t bits = PyNumber_AsSsize_t(size, PyExc_OverflowError);
  if (bits == -1 && PyErr_Occurred()) return false;
  if (bits <= 0 || bits > 255) {
    PyErr_Format(PyExc_ValueError, "bit size of field %R out of range, got %zd", field->name, bits);
    return false;
  }
  if (offset == Py_None) {
    PyErr_Format(PyExc_ValueError, "field %R: bit_offset must be specified if bit_size is", field->name);
    return false;
  }
  const Py_ssize_t at = PyNumber_AsSsize_t(offset, PyExc_OverflowError);
  if (at == -1 && PyErr_Occurred()) return false;
  if (at < 0 || at > 255) {
    PyErr_Format(PyExc_ValueError, "bit offset of field %R out of range, got %zd", field->name, at);
    return false;
  }
  if (at + bits > field->byte_size * 8) {
    PyErr_Format(PyExc_ValueError, "bit field %R overflows its type (%zd + %zd > %zd)", field->name, at, bits, field->byte_size * 8);
    return false;
  }
  field->bit_size = bits;
  field->bit_offset = at;
  field->kind = FieldKind::kBits;
  return true;
}

PyObject* field_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name",  "type",     "byte_size",  "byte_offset",
                                         "index", "_internal_use", "bit_size", "bit_offset", nullptr};
  PyObject *name, *item, *bit_size = Py_None, *bit_offset = Py_None;
  Py_ssize_t byte_size, byte_offset, index;
  int internal;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOnnnp|OO:CField", const_cast<char**>(keywords), &name, &item, &byte_size,
                                   &byte_offset, &index, &internal, &bit_size, &bit_offset))
    return nullptr;
  if (!PyUnicode_Check(name))
    return PyErr_Format(PyExc_TypeError, "CField() argument 'name' must be str, not %s", Py_TYPE(name)->tp_name);
  if (!internal) return PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
  TypeInfo* info = info_of_object(item);
  if (info == nullptr) return PyErr_Format(PyExc_TypeError, "type of field %R must be a C type", name);
  if (byte_size < 0) return PyErr_Format(PyExc_ValueError, "byte size of field %R must not be negative, got %zd", name, byte_size);
  if (byte_size != info->size) {
    return PyErr_Format(PyExc_ValueError, "byte size of field %R (%zd) does not match type size (%zd)", name, byte_size, info->size);
  }
  if (byte_offset < 0) {
    PyErr_SetString(PyExc_ValueError, "offset cannot be negative");
    return nullptr;
  }
  Ref result(type->tp_alloc(type, 0));
  if (!result) return nullptr;
  Field* field = field_of(result.get());
  field->name = PyUnicode_FromObject(name);
  field->type = Py_NewRef(item);
  field->byte_size = byte_size;
  field->byte_offset = byte_offset;
  field->index = index;
  field->kind = kind_of(info);
  if (field->name == nullptr) return nullptr;
  PyUnicode_InternInPlace(&field->name);
  if (bit_size != Py_None && !set_bits(field, info, bit_size, bit_offset)) return nullptr;
  return result.release();
}

PyObject* field_repr(PyObject* op) {
  const Field* field = field_of(op);
  const char* type = item_of(field)->tp_name;
  if (is_bits(field)) {
    return PyUnicode_FromFormat("<%T %R type=%s, ofs=%zd, bit_size=%zd, bit_offset=%zd>", op, field->name, type, field->byte_offset,
                                field->bit_size, field->bit_offset);
  }
  return PyUnicode_FromFormat("<%T %R type=%s, ofs=%zd, size=%zd>", op, field->name, type, field->byte_offset, field->byte_size);
}

PyObject* get_size(PyObject* op, void*) {
  const Field* field = field_of(op);
  return PyLong_FromSsize_t(is_bits(field) ? field->bit_size << 16 | field->bit_offset : field->byte_size);
}
PyObject* get_bit_size(PyObject* op, void*) {
  const Field* field = field_of(op);
  if (is_bits(field)) return PyLong_FromSsize_t(field->bit_size);
  Ref bytes(PyLong_FromSsize_t(field->byte_size)), eight(PyLong_FromLong(8));
  return bytes && eight ? PyNumber_Multiply(bytes.get(), eight.get()) : nullptr;
}
PyObject* get_is_bitfield(PyObject* op, void*) { return PyBool_FromLong(is_bits(field_of(op))); }
PyObject* get_is_anonymous(PyObject* op, void*) { return PyBool_FromLong(field_of(op)->anonymous); }

int field_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(field_of(op)->type);
  return 0;
}
// The type stays: a descriptor in use must have it. The class of the structure, whose dict has the descriptor, breaks the cycle.
int field_clear(PyObject*) { return 0; }
void field_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  Py_CLEAR(field_of(op)->name);
  Py_CLEAR(field_of(op)->type);
  type->tp_free(op);
  Py_DECREF(type);
}

PyMemberDef field_members[] = {
    {"name", Py_T_OBJECT_EX, offsetof(Field, name), Py_READONLY, "name of this field"},
    {"type", Py_T_OBJECT_EX, offsetof(Field, type), Py_READONLY, "type of this field"},
    {"offset", Py_T_PYSSIZET, offsetof(Field, byte_offset), Py_READONLY, "offset in bytes of this field (same as byte_offset)"},
    {"byte_offset", Py_T_PYSSIZET, offsetof(Field, byte_offset), Py_READONLY,
     "offset in bytes of this field. For bitfields: excludes bit_offset."},
    {"byte_size", Py_T_PYSSIZET, offsetof(Field, byte_size), Py_READONLY, "size of this field in bytes"},
    {"bit_offset", Py_T_PYSSIZET, offsetof(Field, bit_offset), Py_READONLY,
     "additional offset in bits (relative to byte_offset); zero for non-bitfields"},
    {}};
PyGetSetDef field_getset[] = {
    {"size", get_size, nullptr,
     "size in bytes of this field. For bitfields, this is a legacy packed value; use byte_size instead", nullptr},
    {"bit_size", get_bit_size, nullptr, "size of this field in bits", nullptr},
    {"is_bitfield", get_is_bitfield, nullptr, "true if this is a bitfield", nullptr},
    {"is_anonymous", get_is_anonymous, nullptr, "true if this field is anonymous", nullptr},
    {}};
PyType_Slot field_slots[] = {{Py_tp_doc, const_cast<char*>("Structure/Union member")},
                             {Py_tp_new, slot(field_new)},
                             {Py_tp_traverse, slot(field_traverse)},
                             {Py_tp_clear, slot(field_clear)},
                             {Py_tp_dealloc, slot(field_dealloc)},
                             {Py_tp_repr, slot(field_repr)},
                             {Py_tp_descr_get, slot(field_get)},
                             {Py_tp_descr_set, slot(field_set)},
                             {Py_tp_members, field_members},
                             {Py_tp_getset, field_getset},
                             {0, nullptr}};
PyType_Spec field_spec = {"ctypes.CField", sizeof(Field), 0, Py_TPFLAGS_HAVE_GC, field_slots};

}  // namespace

Field* new_field_copy(Field* field, Py_ssize_t offset, Py_ssize_t index) {
  PyObject* result = types.field->tp_alloc(types.field, 0);
  if (result == nullptr) return nullptr;
  Field* copy = field_of(result);
  copy->name = Py_NewRef(field->name);
  copy->type = Py_NewRef(field->type);
  copy->byte_offset = field->byte_offset + offset;
  copy->byte_size = field->byte_size;
  copy->index = field->index + index;
  copy->bit_offset = field->bit_offset;
  copy->bit_size = field->bit_size;
  copy->kind = field->kind;
  return copy;
}

bool make_field_type(PyObject* module) {
  types.field = make_type(nullptr, module, &field_spec, nullptr);
  return types.field != nullptr;
}

}  // namespace ctypes
