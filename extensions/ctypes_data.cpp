// Instances of C types: their memory, what they keep alive, how items of them are read and written, and their common methods.
#include "ctypes_module.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <string>

namespace ctypes {

namespace {

PyObject* new_object(PyTypeObject* type, TypeInfo* info) {
  mark_final(type, info);
  PyObject* result = type->tp_alloc(type, 0);
  if (result == nullptr) return nullptr;
  Data* self = data_of(result);
  self->length = info->length;
  self->size = info->size;
  if (info->kind == Kind::kFunction) reinterpret_cast<Function*>(result)->vectorcall = function_vectorcall;
  return result;
}

int data_traverse(PyObject* op, visitproc visit, void* arg) {
  Data* self = data_of(op);
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(self->objects);
  Py_VISIT(object_of(self->base));
  return 0;
}
int data_clear(PyObject* op) {
  Py_CLEAR(data_of(op)->objects);
  return 0;
}
void data_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  Data* self = data_of(op);
  PyTypeObject* type = Py_TYPE(op);
  Py_CLEAR(self->objects);
  if (self->owns && self->memory != self->small) PyMem_Free(self->memory);
  self->memory = nullptr;
  Py_XDECREF(object_of(std::exchange(self->base, nullptr)));
  type->tp_free(op);
  Py_DECREF(type);
}

Py_hash_t no_hash(PyObject*) {
  PyErr_SetString(PyExc_TypeError, "unhashable type");
  return -1;
}

PyObject* from_outparam(PyObject* self, PyObject*) { return Py_NewRef(self); }

PyObject* reduce(PyObject* op, PyObject*) {
  Data* self = data_of(op);
  TypeInfo* info = info_of(Py_TYPE(op));
  if (info == nullptr || info->pointer || info->has_pointer) {
    PyErr_SetString(PyExc_ValueError, "ctypes objects containing pointers cannot be pickled");
    return nullptr;
  }
  Ref dict(PyObject_GetAttr(op, names.dict));
  if (!dict) return nullptr;
  Ref bytes(locked(self, [&] { return PyBytes_FromStringAndSize(self->memory, self->size); }));
  return bytes ? Py_BuildValue("(O(O(OO)))", types.unpickle, Py_TYPE(op), dict.get(), bytes.get()) : nullptr;
}

PyObject* setstate(PyObject* op, PyObject* args) {
  Data* self = data_of(op);
  PyObject* state;
  const char* bytes;
  Py_ssize_t n;
  if (!PyArg_ParseTuple(args, "O!s#:__setstate__", &PyDict_Type, &state, &bytes, &n)) return nullptr;
  locked(self, [&] {
    std::memmove(self->memory, bytes, static_cast<size_t>(std::min(n, self->size)));
    return true;
  });
  Ref dict(PyObject_GetAttr(op, names.dict));
  if (!dict) return nullptr;
  if (!PyDict_Check(dict.get())) {
    return PyErr_Format(PyExc_TypeError, "%.200s.__dict__ must be a dictionary, not %.200s", Py_TYPE(op)->tp_name,
                        Py_TYPE(dict.get())->tp_name);
  }
  if (PyDict_Update(dict.get(), state) < 0) return nullptr;
  Py_RETURN_NONE;
}

int get_buffer(PyObject* op, Py_buffer* view, int) {
  Data* self = data_of(op);
  TypeInfo* info = info_of(Py_TYPE(op));
  if (view == nullptr) return 0;
  if (info == nullptr) {
    view->obj = nullptr;
    PyErr_SetString(PyExc_BufferError, "abstract class");
    return -1;
  }
  TypeInfo* item = info;
  while (item->kind == Kind::kArray && item->item != nullptr) item = info_of_object(item->item);
  locked(self, [&] {
    view->buf = self->memory;
    view->len = self->size;
    return true;
  });
  view->obj = Py_NewRef(op);
  view->readonly = 0;
  view->format = const_cast<char*>(info->format != nullptr ? info->format : "B");
  view->ndim = info->ndim;
  view->shape = info->shape;
  view->itemsize = item->size;
  view->strides = view->suboffsets = nullptr;
  view->internal = nullptr;
  return 0;
}

PyMethodDef data_methods[] = {
    {"__ctypes_from_outparam__", from_outparam, METH_NOARGS,
     "__ctypes_from_outparam__($self, /)\n--\n\ndefault __ctypes_from_outparam__ method returns self."},
    {"__reduce__", reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\n"},
    {"__setstate__", setstate, METH_VARARGS, "__setstate__($self, dict, data, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyMemberDef data_members[] = {
    {"_b_base_", _Py_T_OBJECT, offsetof(Data, base), Py_READONLY, "the base object"},
    {"_b_needsfree_", Py_T_INT, offsetof(Data, owns), Py_READONLY, "whether the object owns the memory or not"},
    {"_objects", _Py_T_OBJECT, offsetof(Data, objects), Py_READONLY, "internal objects tree (NEVER CHANGE THIS OBJECT!)"},
    {}};
PyType_Slot data_slots[] = {{Py_tp_doc, const_cast<char*>("A C value: memory, and what is kept alive for it.")},
                            {Py_tp_traverse, slot(data_traverse)},
                            {Py_tp_clear, slot(data_clear)},
                            {Py_tp_dealloc, slot(data_dealloc)},
                            {Py_tp_hash, slot(no_hash)},
                            {Py_tp_methods, data_methods},
                            {Py_tp_members, data_members},
                            {Py_bf_getbuffer, slot(get_buffer)},
                            {0, nullptr}};
PyType_Spec data_spec = {"_ctypes._CData", sizeof(Data), 0, Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, data_slots};

// The objects of the instance at the end of the chain of bases. A dict where members can hold something; else room for one.
bool prepare_objects(Data* root) {
  if (root->objects != nullptr) return true;
  root->objects = root->length != 0 ? PyDict_New() : Py_NewRef(Py_None);
  return root->objects != nullptr;
}

// Names the member of the outermost instance: the indices on the way to it, in hexadecimal, the innermost first.
PyObject* member_key(Data* target, Py_ssize_t index) {
  char number[24];
  std::snprintf(number, sizeof number, "%x", static_cast<unsigned>(index));
  std::string key = number;
  for (; target->base != nullptr; target = target->base) {
    if (key.size() > 255 - 17) {
      PyErr_SetString(PyExc_ValueError, "ctypes object structure too deep");
      return nullptr;
    }
    std::snprintf(number, sizeof number, ":%x", static_cast<unsigned>(target->index));
    key += number;
  }
  return PyUnicode_FromStringAndSize(key.data(), static_cast<Py_ssize_t>(key.size()));
}

PyObject* incompatible(PyObject* value, PyTypeObject* type) {
  return PyErr_Format(PyExc_TypeError, "incompatible types, %s instance instead of %s instance", Py_TYPE(value)->tp_name,
                      type->tp_name);
}

// Writes what an instance holds, or for a pointer the address of an array.
bool write_instance(const Place& place, PyTypeObject* type, TypeInfo* info, PyObject* value, Py_ssize_t index) {
  Data *source = data_of(value), *parent = place.parent;
  const bool copies = PyObject_TypeCheck(value, type) && source->size >= info->size;
  if (!copies) {
    TypeInfo* other = info_of(Py_TYPE(value));
    if (info->kind != Kind::kPointer || other == nullptr || other->kind != Kind::kArray || other->item != info->item) {
      incompatible(value, type);
      return false;
    }
  }
  Ref keep(kept_objects(source));
  // An array as the target has to live itself, as what points to it does not own its memory.
  if (keep && !copies) keep = Ref(PyTuple_Pack(2, keep.get(), value));
  if (!keep) return false;
  bool done;
  Py_BEGIN_CRITICAL_SECTION2(object_of(root_of(parent)), object_of(root_of(source)));
  if (copies)
    std::memmove(place.address(), source->memory, static_cast<size_t>(info->size));
  else
    std::memcpy(place.address(), &source->memory, sizeof source->memory);
  done = keep_alive(parent, index, keep.get());
  Py_END_CRITICAL_SECTION2();
  return done;
}

}  // namespace

PyObject* new_data(PyTypeObject* type, const void* bytes) {
  TypeInfo* info = instance_info(type);
  Ref result(info != nullptr ? new_object(type, info) : nullptr);
  if (!result) return nullptr;
  Data* self = data_of(result.get());
  const auto size = static_cast<size_t>(self->size);
  self->memory = size <= sizeof self->small ? self->small : static_cast<char*>(PyMem_Calloc(1, size));
  if (self->memory == nullptr) return PyErr_NoMemory();
  self->owns = 1;
  if (bytes != nullptr) std::memcpy(self->memory, bytes, size);
  return result.release();
}

PyObject* new_view(PyTypeObject* type, Data* base, Py_ssize_t index, char* memory) {
  TypeInfo* info = instance_info(type);
  PyObject* result = info != nullptr ? new_object(type, info) : nullptr;
  if (result == nullptr) return nullptr;
  Data* self = data_of(result);
  self->memory = memory;
  self->index = index;
  self->base = reinterpret_cast<Data*>(Py_XNewRef(object_of(base)));
  return result;
}

PyObject* read_item(const Place& place, PyTypeObject* type, Py_ssize_t index) {
  TypeInfo* info = info_of(type);
  if (info != nullptr && info->plain) return locked(place.parent, [&] { return info->code->unpack(place.address()); });
  return new_view(type, place.parent, index, place.address());
}

bool write_item(const Place& place, PyTypeObject* type, PyObject* value, Py_ssize_t index) {
  TypeInfo* info = instance_info(type);
  if (info == nullptr) return false;
  if (is_data(value)) return write_instance(place, type, info, value, index);
  if (info->kind == Kind::kSimple) {
    alignas(16) char packed[kLargestSimple];
    PyObject* keep = nullptr;
    if (!info->code->pack(value, packed, &keep)) return false;
    Ref kept(keep);
    return locked(place.parent, [&] {
      std::memcpy(place.address(), packed, info->code->size);
      return keep == nullptr || keep_alive(place.parent, index, keep);
    });
  }
  if (PyTuple_Check(value)) {
    Ref made(PyObject_CallObject(reinterpret_cast<PyObject*>(type), value));
    if (!made) {
      extend_error(PyExc_RuntimeError, "(%s) ", type->tp_name);
      return false;
    }
    if (is_data(made.get())) return write_instance(place, type, info, made.get(), index);
  } else if (value == Py_None && info->kind == Kind::kPointer) {
    return locked(place.parent, [&] {
      std::memset(place.address(), 0, sizeof(void*));
      return true;
    });
  }
  PyErr_Format(PyExc_TypeError, "expected %s instance, got %s", type->tp_name, Py_TYPE(value)->tp_name);
  return false;
}

bool keep_alive(Data* target, Py_ssize_t index, PyObject* object) {
  Data* root = root_of(target);
  if (object == Py_None) return true;
  if (!prepare_objects(root)) return false;
  if (!PyDict_CheckExact(root->objects)) {
    Ref old(std::exchange(root->objects, Py_NewRef(object)));
    return true;
  }
  Ref key(member_key(target, index)), dict(Py_NewRef(root->objects));
  return key && PyDict_SetItem(dict.get(), key.get(), object) == 0;
}

PyObject* kept_objects(Data* data) {
  return locked(data, [&]() -> PyObject* {
    Data* root = root_of(data);
    return prepare_objects(root) ? Py_NewRef(root->objects) : nullptr;
  });
}

PyObject* char_array_value(const char* memory, Py_ssize_t size) {
  return PyBytes_FromStringAndSize(memory, static_cast<Py_ssize_t>(strnlen(memory, static_cast<size_t>(size))));
}
PyObject* wide_array_value(const char* memory, Py_ssize_t size) {
  // The memory may be anywhere in a packed structure.
  std::wstring text(static_cast<size_t>(size) / sizeof(wchar_t), L'\0');
  std::memcpy(text.data(), memory, text.size() * sizeof(wchar_t));
  return PyUnicode_FromWideChar(text.data(), static_cast<Py_ssize_t>(wcsnlen(text.data(), text.size())));
}

PyObject* unpickle(PyObject*, PyObject* args) {
  PyObject *type, *state;
  if (!PyArg_ParseTuple(args, "OO!:_unpickle", &type, &PyTuple_Type, &state)) return nullptr;
  Ref made(PyObject_CallMethod(type, "__new__", "O", type));
  Ref setter(made ? PyObject_GetAttrString(made.get(), "__setstate__") : nullptr);
  Ref done(setter ? PyObject_Call(setter.get(), state, nullptr) : nullptr);
  return done ? made.release() : nullptr;
}

bool make_data_types(PyObject* module) {
  types.data = make_type(nullptr, module, &data_spec, nullptr);
  return types.data != nullptr;
}

}  // namespace ctypes
