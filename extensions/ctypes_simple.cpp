// Simple types (numbers, characters, strings, addresses), their metatype, and what from_param() of each takes.
#include "ctypes_module.h"

#include <cstring>
#include <string>

namespace ctypes {

namespace {

// ---- from_param ----

PyObject* packed_argument(const Code* code, PyObject* value) {
  Argument* argument = new_argument();
  if (argument == nullptr) return nullptr;
  argument->ffi = code->ffi;
  argument->tag = code->letter;
  if (code->pack(value, argument->value, &argument->object)) return reinterpret_cast<PyObject*>(argument);
  Py_DECREF(argument);
  return nullptr;
}

// Whether an instance is an array of items, or a pointer to items, of these codes.
bool refers_to(PyObject* value, const char* letters) {
  TypeInfo* info = info_of_instance(value);
  if (info == nullptr || (info->kind != Kind::kArray && info->kind != Kind::kPointer) || info->item == nullptr) return false;
  TypeInfo* item = info_of_object(info->item);
  return item != nullptr && item->kind == Kind::kSimple && std::strchr(letters, item->code->letter) != nullptr;
}
bool points_to_simple(PyObject* value, char letter) {
  if (!is_argument(value)) return false;
  auto* argument = reinterpret_cast<Argument*>(value);
  if (argument->tag == letter || (letter == 'c' && argument->tag == 'z') || (letter == 'u' && argument->tag == 'Z')) return true;
  TypeInfo* info = argument->object != nullptr && argument->tag == 'P' ? info_of_instance(argument->object) : nullptr;
  return info != nullptr && info->kind == Kind::kSimple && info->code->letter == letter;
}

PyObject* cannot_interpret(PyObject* value, const char* name) {
  return PyErr_Format(PyExc_TypeError, "'%.200s' object cannot be interpreted as ctypes.%s", Py_TYPE(value)->tp_name, name);
}

template <char letter>
PyObject* string_from_param(PyObject* type, PyObject* value) {
  constexpr char kItem = letter == 'z' ? 'c' : 'u';
  if (value == Py_None) return Py_NewRef(value);
  if (letter == 'z' ? PyBytes_Check(value) : PyUnicode_Check(value)) return packed_argument(find_code(letter), value);
  if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type))) return Py_NewRef(value);
  const char item[] = {kItem, '\0'};
  if (refers_to(value, item) || points_to_simple(value, kItem)) return Py_NewRef(value);
  PyObject* result = as_parameter_param(type, value, string_from_param<letter>);
  if (result != nullptr || PyErr_Occurred()) return result;
  return cannot_interpret(value, letter == 'z' ? "c_char_p" : "c_wchar_p");
}

// An address that an instance holds, as an argument.
PyObject* address_argument(PyObject* value, char tag) {
  Argument* argument = new_argument();
  if (argument == nullptr) return nullptr;
  argument->ffi = &ffi_type_pointer;
  argument->tag = tag;
  argument->object = Py_NewRef(value);
  Data* data = data_of(value);
  locked(data, [&] {
    std::memcpy(argument->value, data->memory, sizeof(void*));
    return true;
  });
  return reinterpret_cast<PyObject*>(argument);
}

PyObject* void_from_param(PyObject* type, PyObject* value) {
  if (value == Py_None) return Py_NewRef(value);
  if (PyLong_Check(value)) return packed_argument(find_code('P'), value);
  if (PyBytes_Check(value)) return packed_argument(find_code('z'), value);
  if (PyUnicode_Check(value)) return packed_argument(find_code('Z'), value);
  if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type))) return Py_NewRef(value);
  if (is_argument(value) && std::strchr("PzZ", reinterpret_cast<Argument*>(value)->tag) != nullptr &&
      reinterpret_cast<Argument*>(value)->tag != '\0')
    return Py_NewRef(value);
  if (TypeInfo* info = info_of_instance(value)) {
    if (info->kind == Kind::kArray || info->kind == Kind::kPointer) return Py_NewRef(value);
    if (info->kind == Kind::kFunction) return address_argument(value, 'P');
    if (info->kind == Kind::kSimple && (info->code->letter == 'z' || info->code->letter == 'Z')) return address_argument(value, 'Z');
  }
  PyObject* result = as_parameter_param(type, value, void_from_param);
  if (result != nullptr || PyErr_Occurred()) return result;
  return cannot_interpret(value, "c_void_p");
}

PyMethodDef string_param = {"from_param", string_from_param<'z'>, METH_O, nullptr};
PyMethodDef wide_param = {"from_param", string_from_param<'Z'>, METH_O, nullptr};
PyMethodDef void_param = {"from_param", void_from_param, METH_O, nullptr};

// ---- the metatype ----

const Code* read_code(PyObject* type, PyObject** letter) {
  PyObject* found;
  if (PyObject_GetOptionalAttr(type, names.type, &found) < 0) return nullptr;
  Ref value(found);
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "class must define a '_type_' attribute");
    return nullptr;
  }
  if (!PyUnicode_Check(value.get())) {
    PyErr_SetString(PyExc_TypeError, "class must define a '_type_' string attribute");
    return nullptr;
  }
  if (PyUnicode_GET_LENGTH(value.get()) != 1) {
    PyErr_SetString(PyExc_ValueError, "class must define a '_type_' attribute which must be a string of length 1");
    return nullptr;
  }
  const Code* code = find_code(PyUnicode_READ_CHAR(value.get(), 0));
  if (code == nullptr) {
    PyErr_Format(PyExc_AttributeError,
                 "class must define a '_type_' attribute which must be\na single character string containing one of the\n"
                 "supported types: '%s'.",
                 kLetters);
    return nullptr;
  }
  *letter = value.release();
  return code;
}

bool fill_info(PyObject* self, TypeInfo* info, const Code* code, PyObject* letter) {
  info->code = code;
  info->item = letter;
  info->plain = reinterpret_cast<PyTypeObject*>(self)->tp_base == types.simple;
  info->size = code->size;
  info->align = code->letter == 'F' ? 4 : code->letter == 'D' ? 8 : code->size > 16 ? 16 : code->size;
  info->pointer = code->pointer;
  for (Py_ssize_t i = 0; i < info->size && i < kRegisterBytes; i++) info->bytes[i] = code->byte_class;
  if (code->size > kRegisterBytes) info->memory_class = true;
  const char format[] = {code->foreign ? '>' : '<', code->format, '\0'};
  info->format = copy_text("", format);
  if (info->format == nullptr) return false;
  info->kind = Kind::kSimple;
  return true;
}

// The same type in the other byte order, made from the arguments of the class statement.
Ref make_swapped(PyObject* self, PyObject* args, PyObject* kwargs, const Code* code, PyObject* letter) {
  PyObject *name, *bases, *dict;
  if (!PyArg_ParseTuple(args, "UO!O!", &name, &PyTuple_Type, &bases, &PyDict_Type, &dict)) return Ref();
  Ref other_name(PyUnicode_FromFormat("%U_be", name));
  Ref other_args(other_name ? PyTuple_Pack(3, other_name.get(), bases, dict) : nullptr);
  Ref other(other_args ? PyType_Type.tp_new(types.simple_meta, other_args.get(), kwargs) : nullptr);
  TypeInfo* info = other ? begin_info(other.get()) : nullptr;
  if (info == nullptr || !fill_info(other.get(), info, code->swapped, Py_NewRef(letter))) return Ref();
  if (PyObject_SetAttr(self, names.ctype_be, other.get()) < 0 || PyObject_SetAttr(self, names.ctype_le, self) < 0 ||
      PyObject_SetAttr(other.get(), names.ctype_le, self) < 0 || PyObject_SetAttr(other.get(), names.ctype_be, other.get()) < 0)
    return Ref();
  return other;
}

int simple_meta_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject *name, *bases, *dict;
  if (!PyArg_ParseTuple(args, "OOO:PyCSimpleType", &name, &bases, &dict)) return -1;
  PyObject* letter;
  const Code* code = read_code(self, &letter);
  if (code == nullptr) return -1;
  Ref owned(letter);
  TypeInfo* info = begin_info(self);
  if (info == nullptr || !fill_info(self, info, code, Py_NewRef(letter))) return -1;
  if (info->plain) {
    PyMethodDef* method = code->letter == 'z' ? &string_param : code->letter == 'Z' ? &wide_param : code->letter == 'P' ? &void_param : nullptr;
    if (method != nullptr) {
      Ref descriptor(PyDescr_NewClassMethod(reinterpret_cast<PyTypeObject*>(self), method));
      if (!descriptor || PyObject_SetAttr(self, names.from_param, descriptor.get()) < 0) return -1;
    }
  }
  if (Py_IS_TYPE(self, types.simple_meta) && code->swapped != nullptr && !make_swapped(self, args, kwargs, code, letter)) return -1;
  return 0;
}

// ---- instances ----

PyObject* simple_new(PyTypeObject* type, PyObject*, PyObject*) { return new_data(type); }

PyObject* get_value(PyObject* op, void*) {
  TypeInfo* info = instance_info(Py_TYPE(op));
  if (info == nullptr || info->kind != Kind::kSimple) return nullptr;
  Data* self = data_of(op);
  return locked(self, [&] { return info->code->unpack(self->memory); });
}
int set_value(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete attribute");
    return -1;
  }
  TypeInfo* info = instance_info(Py_TYPE(op));
  if (info == nullptr || info->kind != Kind::kSimple) return -1;
  alignas(16) char packed[kLargestSimple];
  PyObject* kept = nullptr;
  if (!info->code->pack(value, packed, &kept)) return -1;
  Ref keep(kept);
  Data* self = data_of(op);
  const bool done = locked(self, [&] {
    std::memcpy(self->memory, packed, info->code->size);
    return !keep || keep_alive(self, 0, keep.get());
  });
  return done ? 0 : -1;
}

int simple_init(PyObject* self, PyObject* args, PyObject*) {
  PyObject* value = nullptr;
  if (!PyArg_UnpackTuple(args, "__init__", 0, 1, &value)) return -1;
  return value == nullptr ? 0 : set_value(self, value, nullptr);
}

int simple_bool(PyObject* op) {
  Data* self = data_of(op);
  return locked(self, [&] {
    for (Py_ssize_t i = 0; i < self->size; i++) {
      if (self->memory[i] != 0) return 1;
    }
    return 0;
  });
}

PyObject* simple_repr(PyObject* self) {
  TypeInfo* info = info_of(Py_TYPE(self));
  if (info == nullptr || !info->plain) return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(self)->tp_name, self);
  Ref value(get_value(self, nullptr)), name(value ? PyType_GetName(Py_TYPE(self)) : nullptr);
  return name ? PyUnicode_FromFormat("%U(%R)", name.get(), value.get()) : nullptr;
}

PyObject* simple_from_outparam(PyObject* self, PyObject*) {
  TypeInfo* info = info_of(Py_TYPE(self));
  return info != nullptr && info->plain ? get_value(self, nullptr) : Py_NewRef(self);
}

PyMethodDef simple_meta_methods[] = {
    {"from_param", simple_from_param, METH_O,
     "from_param($self, value, /)\n--\n\nConvert a Python object into a function call parameter."},
    {}, {}, {}, {},  // those of all metatypes
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for the PyCSimpleType Objects")},
                            {Py_tp_init, slot(simple_meta_init)},
                            {Py_tp_methods, simple_meta_methods},
                            {0, nullptr}};
PyType_Spec meta_spec = {"_ctypes.PyCSimpleType", 0, 0, 0, meta_slots};

PyMethodDef simple_methods[] = {
    {"__ctypes_from_outparam__", simple_from_outparam, METH_NOARGS, "__ctypes_from_outparam__($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef simple_getset[] = {{"value", get_value, set_value, nullptr, nullptr}, {}};
PyType_Slot simple_slots[] = {{Py_tp_doc, const_cast<char*>("A C value of one number, character or address: its class says which by _type_.")},
                              {Py_tp_new, slot(simple_new)},
                              {Py_tp_init, slot(simple_init)},
                              {Py_tp_repr, slot(simple_repr)},
                              {Py_tp_methods, simple_methods},
                              {Py_tp_getset, simple_getset},
                              {Py_nb_bool, slot(simple_bool)},
                              {0, nullptr}};
PyType_Spec simple_spec = {"_ctypes._SimpleCData", sizeof(Data), 0, Py_TPFLAGS_BASETYPE, simple_slots};

}  // namespace

PyObject* simple_from_param(PyObject* type, PyObject* value) {
  if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type))) return Py_NewRef(value);
  TypeInfo* info = info_of_object(type);
  if (info == nullptr || info->kind != Kind::kSimple) {
    PyErr_SetString(PyExc_TypeError, "abstract class");
    return nullptr;
  }
  PyObject* result = packed_argument(info->code, value);
  if (result != nullptr) return result;
  // What is wrong with the value itself says more than what else it is not.
  PyObject* raised = PyErr_GetRaisedException();
  result = as_parameter_param(type, value, simple_from_param);
  if (result != nullptr || PyErr_Occurred()) {
    Py_XDECREF(raised);
    return result;
  }
  PyErr_SetRaisedException(raised);
  return nullptr;
}

bool make_simple_types(PyObject* module) {
  for (int i = 0; i < 4; i++) simple_meta_methods[1 + i] = meta_methods[1 + i];
  types.simple_meta = make_meta(module, &meta_spec);
  types.simple = types.simple_meta != nullptr ? make_type(types.simple_meta, module, &simple_spec, types.data) : nullptr;
  return types.simple != nullptr;
}

}  // namespace ctypes
