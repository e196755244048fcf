// The metatype that all C types share, and the record behind each of them.
#include "ctypes_module.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>

namespace ctypes {

Types types;
Names names;

namespace {

Py_ssize_t info_offset;

TypeInfo* record_of(PyObject* type) { return reinterpret_cast<TypeInfo*>(reinterpret_cast<char*>(type) + info_offset); }

bool has_record(PyTypeObject* type) {
  PyTypeObject* meta = Py_TYPE(type);
  return meta == types.simple_meta || meta == types.struct_meta || meta == types.array_meta || meta == types.pointer_meta ||
         meta == types.function_meta || (meta != &PyType_Type && PyType_IsSubtype(meta, types.meta));
}

void clear_record(TypeInfo* info) {
  Py_CLEAR(info->item);
  Py_CLEAR(info->argtypes);
  Py_CLEAR(info->converters);
  Py_CLEAR(info->restype);
  Py_CLEAR(info->checker);
  Py_CLEAR(info->pointer_type);
  Py_CLEAR(info->arrays);
}
void free_record(TypeInfo* info) {
  clear_record(info);
  PyMem_Free(info->format);
  PyMem_Free(info->shape);
  info->format = nullptr;
  info->shape = nullptr;
}

int meta_traverse(PyObject* self, visitproc visit, void* arg) {
  TypeInfo* info = record_of(self);
  Py_VISIT(Py_TYPE(self));
  for (PyObject* held : {info->item, info->argtypes, info->converters, info->restype, info->checker, info->pointer_type, info->arrays})
    Py_VISIT(held);
  return PyType_Type.tp_traverse(self, visit, arg);
}
int meta_clear(PyObject* self) {
  TypeInfo* info = record_of(self);
  if (info->kind == Kind::kArray) forget_array(info, self);
  clear_record(info);
  return PyType_Type.tp_clear(self);
}
void meta_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* meta = Py_TYPE(self);
  TypeInfo* info = record_of(self);
  if (info->kind == Kind::kArray) forget_array(info, self);
  free_record(info);
  PyObject_GC_Track(self);  // the deallocator of classes expects that
  PyType_Type.tp_dealloc(self);
  Py_DECREF(meta);
}

PyObject* meta_sizeof(PyObject* self, PyObject*) {
  Ref size(PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyType_Type), "__sizeof__", "O", self));
  if (!size) return nullptr;
  const TypeInfo* info = record_of(self);
  size_t more = info->format != nullptr ? std::strlen(info->format) + 1 : 0;
  if (info->shape != nullptr) more += static_cast<size_t>(info->ndim) * sizeof(Py_ssize_t);
  Ref add(PyLong_FromSize_t(more));
  return add ? PyNumber_Add(size.get(), add.get()) : nullptr;
}

PyObject* get_pointer_type(PyObject* self, void*) {
  PyObject* result;
  Py_BEGIN_CRITICAL_SECTION(self);
  result = Py_XNewRef(record_of(self)->pointer_type);
  Py_END_CRITICAL_SECTION();
  if (result == nullptr) PyErr_Format(PyExc_AttributeError, "%R has no attribute '__pointer_type__'", self);
  return result;
}
int set_pointer_type(PyObject* self, PyObject* value, void*) {
  if (info_of_object(self) == nullptr) {
    PyErr_Format(PyExc_TypeError, "%R must have storage info", self);
    return -1;
  }
  Ref old;
  Py_BEGIN_CRITICAL_SECTION(self);
  old = Ref(std::exchange(record_of(self)->pointer_type, Py_XNewRef(value)));
  Py_END_CRITICAL_SECTION();
  return 0;
}

PyObject* from_address(PyObject* type, PyObject* value) {
  if (!PyLong_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "integer expected");
    return nullptr;
  }
  void* address = PyLong_AsVoidPtr(value);
  if (PyErr_Occurred()) return nullptr;
  if (instance_info(reinterpret_cast<PyTypeObject*>(type)) == nullptr) return nullptr;
  if (PySys_Audit("ctypes.cdata", "n", reinterpret_cast<Py_ssize_t>(address)) < 0) return nullptr;
  return new_view(reinterpret_cast<PyTypeObject*>(type), nullptr, 0, static_cast<char*>(address));
}

bool offset_argument(PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* offset) {
  *offset = nargs > 1 ? PyNumber_AsSsize_t(args[1], PyExc_OverflowError) : 0;
  return *offset != -1 || !PyErr_Occurred();
}

PyObject* from_buffer(PyObject* type, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t offset;
  if (!ext::check_positional("from_buffer", nargs, 1, 2) || !offset_argument(args, nargs, &offset)) return nullptr;
  TypeInfo* info = instance_info(reinterpret_cast<PyTypeObject*>(type));
  Ref view(info != nullptr ? PyMemoryView_FromObject(args[0]) : nullptr);
  if (!view) return nullptr;
  const Py_buffer* buffer = PyMemoryView_GET_BUFFER(view.get());
  if (buffer->readonly) {
    PyErr_SetString(PyExc_TypeError, "underlying buffer is not writable");
    return nullptr;
  }
  if (!PyBuffer_IsContiguous(buffer, 'C')) {
    PyErr_SetString(PyExc_TypeError, "underlying buffer is not C contiguous");
    return nullptr;
  }
  if (!size_limit(buffer->len, offset, info->size)) return nullptr;
  if (PySys_Audit("ctypes.cdata/buffer", "nnn", reinterpret_cast<Py_ssize_t>(buffer->buf), buffer->len, offset) < 0) return nullptr;
  char* address = static_cast<char*>(buffer->buf) + offset;
  if (PySys_Audit("ctypes.cdata", "n", reinterpret_cast<Py_ssize_t>(address)) < 0) return nullptr;
  Ref result(new_view(reinterpret_cast<PyTypeObject*>(type), nullptr, 0, address));
  return result && keep_alive(data_of(result.get()), -1, view.get()) ? result.release() : nullptr;
}

PyObject* from_buffer_copy(PyObject* type, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t offset;
  ext::Buffer buffer;
  if (!ext::check_positional("from_buffer_copy", nargs, 1, 2) || !buffer.get(args[0]) || !offset_argument(args, nargs, &offset))
    return nullptr;
  TypeInfo* info = instance_info(reinterpret_cast<PyTypeObject*>(type));
  if (info == nullptr || !size_limit(buffer.size(), offset, info->size)) return nullptr;
  if (PySys_Audit("ctypes.cdata/buffer", "nnn", reinterpret_cast<Py_ssize_t>(buffer.data()), buffer.size(), offset) < 0)
    return nullptr;
  return new_data(reinterpret_cast<PyTypeObject*>(type), buffer.data() + offset);
}

PyObject* in_dll(PyObject* type, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("in_dll", nargs, 2, 2)) return nullptr;
  if (!PyUnicode_Check(args[1])) {
    PyErr_Format(PyExc_TypeError, "in_dll() argument 2 must be str, not %s", Py_TYPE(args[1])->tp_name);
    return nullptr;
  }
  Py_ssize_t size;
  const char* name = PyUnicode_AsUTF8AndSize(args[1], &size);
  if (name == nullptr) return nullptr;
  if (std::strlen(name) != static_cast<size_t>(size)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  void* handle;
  if (PySys_Audit("ctypes.dlsym", "OO", args[0], args[1]) < 0 || !library_handle(args[0], &handle)) return nullptr;
  void* address = find_symbol(handle, name, PyExc_ValueError);
  if (address == nullptr || instance_info(reinterpret_cast<PyTypeObject*>(type)) == nullptr) return nullptr;
  if (PySys_Audit("ctypes.cdata", "n", reinterpret_cast<Py_ssize_t>(address)) < 0) return nullptr;
  return new_view(reinterpret_cast<PyTypeObject*>(type), nullptr, 0, static_cast<char*>(address));
}

PyMethodDef sizeof_methods[] = {
    {"__sizeof__", meta_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nReturn memory consumption of the type object."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef meta_getset[] = {{"__pointer_type__", get_pointer_type, set_pointer_type, "pointer type", nullptr}, {}};

PyType_Slot meta_slots[] = {{Py_tp_traverse, slot(meta_traverse)},
                            {Py_tp_clear, slot(meta_clear)},
                            {Py_tp_dealloc, slot(meta_dealloc)},
                            {Py_tp_methods, sizeof_methods},
                            {Py_tp_getset, meta_getset},
                            {Py_sq_repeat, slot(array_type)},
                            {0, nullptr}};
constexpr unsigned kMetaFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_TYPE_SUBCLASS |
                                Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_ITEMS_AT_END;
PyType_Spec meta_spec = {"_ctypes.CType_Type", -static_cast<int>(sizeof(TypeInfo)), sizeof(PyMemberDef), kMetaFlags, meta_slots};

// What a small structure consists of, for libffi, which finds its registers from that.
ffi_type* const kTail[] = {&ffi_type_uint32, &ffi_type_uint16, &ffi_type_uint8};
ffi_type* no_parts[] = {&ffi_type_uint8, nullptr};
// A part of this size makes libffi pass the whole in memory.
ffi_type large_part = {64, 1, FFI_TYPE_STRUCT, no_parts};

}  // namespace

PyMethodDef meta_methods[] = {
    {"from_param", generic_from_param, METH_O,
     "from_param($self, value, /)\n--\n\nConvert a Python object into a function call parameter."},
    {"from_address", from_address, METH_O,
     "from_address($self, value, /)\n--\n\nC.from_address(integer) -> C instance\n\n"
     "Access a C instance at the specified address."},
    {"from_buffer", ext::method(from_buffer), METH_FASTCALL,
     "from_buffer($self, obj, offset=0, /)\n--\n\nC.from_buffer(object, offset=0) -> C instance\n\n"
     "Create a C instance from a writeable buffer."},
    {"from_buffer_copy", ext::method(from_buffer_copy), METH_FASTCALL,
     "from_buffer_copy($self, buffer, offset=0, /)\n--\n\nC.from_buffer_copy(object, offset=0) -> C instance\n\n"
     "Create a C instance from a readable buffer."},
    {"in_dll", ext::method(in_dll), METH_FASTCALL,
     "in_dll($self, dll, name, /)\n--\n\nC.in_dll(dll, name) -> C instance\n\nAccess a C instance in a dll."},
    {nullptr, nullptr, 0, nullptr}};

TypeInfo* info_of(PyTypeObject* type) {
  if (!has_record(type)) return nullptr;
  TypeInfo* info = record_of(reinterpret_cast<PyObject*>(type));
  return info->kind == Kind::kNone ? nullptr : info;
}

TypeInfo* begin_info(PyObject* type) {
  TypeInfo* info = record_of(type);
  if (info->kind != Kind::kNone) {
    PyErr_Format(PyExc_SystemError, "StgInfo of '%s' is already initialized.", type_name(type));
    return nullptr;
  }
  free_record(info);
  *info = TypeInfo{};
  info->data = PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), types.data);
  return info;
}

TypeInfo* instance_info(PyTypeObject* type) {
  TypeInfo* info = info_of(type);
  if (info != nullptr && info->data) return info;
  PyErr_SetString(PyExc_TypeError, "abstract class");
  return nullptr;
}

bool is_final(TypeInfo* info) { return __atomic_load_n(&info->final, __ATOMIC_ACQUIRE); }
void mark_final([[maybe_unused]] PyTypeObject* type, TypeInfo* info) {
  if (is_final(info)) return;
  Py_BEGIN_CRITICAL_SECTION(reinterpret_cast<PyObject*>(type));
  __atomic_store_n(&info->final, true, __ATOMIC_RELEASE);
  Py_END_CRITICAL_SECTION();
}

void set_pass_by_pointer(TypeInfo* info) {
  info->size = info->align = sizeof(void*);
  info->length = 1;
  info->pointer = true;
  for (size_t i = 0; i < sizeof(void*); i++) info->bytes[i] = ByteClass::kInteger;
}

void add_bytes(TypeInfo* whole, const TypeInfo* part, Py_ssize_t offset) {
  const Py_ssize_t n = std::min({part->size, kRegisterBytes, kRegisterBytes - offset});
  for (Py_ssize_t i = 0; i < n; i++) {
    ByteClass& byte = whole->bytes[offset + i];
    const auto [low, high] = std::minmax(byte, part->bytes[i]);
    if (low == ByteClass::kFloat && high == ByteClass::kX87) whole->memory_class = true;
    byte = high;
  }
  if (part->memory_class || (part->align > 0 && offset % part->align != 0)) whole->memory_class = true;
}

void finish_aggregate(TypeInfo* info) {
  ffi_type** part = info->elements;
  // Half of a long double is none.
  if (info->size > 8 && (info->bytes[0] == ByteClass::kX87) != (info->bytes[8] == ByteClass::kX87)) info->memory_class = true;
  if (info->size > kRegisterBytes || info->memory_class) {
    *part++ = &large_part;
  } else {
    for (Py_ssize_t word = 0; word < info->size; word += 8) {
      const Py_ssize_t n = std::min<Py_ssize_t>(info->size - word, 8);
      const ByteClass word_class = *std::max_element(info->bytes + word, info->bytes + word + n);
      if (word_class == ByteClass::kNone && word > 0) break;
      if (word_class == ByteClass::kFloat) {
        *part++ = n == 4 ? &ffi_type_float : &ffi_type_double;
      } else if (n == 8) {
        *part++ = &ffi_type_uint64;
      } else {
        for (ffi_type* tail : kTail) {
          if ((static_cast<size_t>(n) & tail->size) != 0) *part++ = tail;
        }
      }
    }
  }
  *part = nullptr;
  info->aggregate = {static_cast<size_t>(info->size), static_cast<unsigned short>(std::min<Py_ssize_t>(info->align, 1 << 15)),
                     FFI_TYPE_STRUCT, info->elements};
}

ffi_type* ffi_of(TypeInfo* info) {
  switch (info->kind) {
    case Kind::kSimple: return info->code->ffi;
    case Kind::kStruct:
    case Kind::kUnion:
      // libffi does not know that this is returned as a long double is.
      return info->bytes[0] == ByteClass::kX87 && info->size == kRegisterBytes && !info->memory_class ? &ffi_type_longdouble
                                                                                                     : &info->aggregate;
    default: return &ffi_type_pointer;
  }
}

char* copy_text(const char* prefix, const char* text) {
  const size_t head = std::strlen(prefix), tail = std::strlen(text);
  auto* copy = static_cast<char*>(PyMem_Malloc(head + tail + 1));
  if (copy == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  std::memcpy(copy, prefix, head);
  std::memcpy(copy + head, text, tail + 1);
  return copy;
}

bool size_limit(Py_ssize_t have, Py_ssize_t offset, Py_ssize_t need) {
  if (offset < 0) {
    PyErr_SetString(PyExc_ValueError, "offset cannot be negative");
    return false;
  }
  if (need > have - offset) {
    PyErr_Format(PyExc_ValueError, "Buffer size too small (%zd instead of at least %zd bytes)", have, need + offset);
    return false;
  }
  return true;
}

PyObject* as_parameter_param(PyObject* type, PyObject* value, PyObject* (*convert)(PyObject*, PyObject*)) {
  PyObject* found;
  if (PyObject_GetOptionalAttr(value, names.as_parameter, &found) <= 0) return nullptr;
  Ref parameter(found);
  if (Py_EnterRecursiveCall(" while processing _as_parameter_")) return nullptr;
  PyObject* result = convert(type, parameter.get());
  Py_LeaveRecursiveCall();
  return result;
}

PyObject* generic_from_param(PyObject* type, PyObject* value) {
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  if (PyObject_TypeCheck(value, cls)) return Py_NewRef(value);
  if (is_argument(value)) {
    PyObject* target = reinterpret_cast<Argument*>(value)->object;
    TypeInfo* info = info_of(cls);
    if (info != nullptr && info->item != nullptr && PyType_Check(info->item) && target != nullptr &&
        PyObject_TypeCheck(target, reinterpret_cast<PyTypeObject*>(info->item)))
      return Py_NewRef(value);
    return PyErr_Format(PyExc_TypeError, "expected %s instance instead of pointer to %s", cls->tp_name,
                        target != nullptr ? Py_TYPE(target)->tp_name : "???");
  }
  PyObject* result = as_parameter_param(type, value, generic_from_param);
  if (result != nullptr || PyErr_Occurred()) return result;
  return PyErr_Format(PyExc_TypeError, "expected %s instance instead of %s", cls->tp_name, Py_TYPE(value)->tp_name);
}

PyTypeObject* make_meta(PyObject* module, PyType_Spec* spec) {
  if (types.meta == nullptr) {
    types.meta = reinterpret_cast<PyTypeObject*>(
        PyType_FromMetaclass(nullptr, module, &meta_spec, reinterpret_cast<PyObject*>(&PyType_Type)));
    if (types.meta == nullptr) return nullptr;
    PyObject* any = Py_None;
    info_offset = static_cast<char*>(PyObject_GetTypeData(any, types.meta)) - reinterpret_cast<char*>(any);
  }
  spec->flags = kMetaFlags & ~static_cast<unsigned>(Py_TPFLAGS_HAVE_GC);  // that comes with the slots of the base
  return reinterpret_cast<PyTypeObject*>(PyType_FromMetaclass(nullptr, module, spec, reinterpret_cast<PyObject*>(types.meta)));
}

PyTypeObject* make_type(PyTypeObject* metatype, PyObject* module, PyType_Spec* spec, PyTypeObject* base) {
  spec->flags |= Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;
  return reinterpret_cast<PyTypeObject*>(PyType_FromMetaclass(metatype, module, spec, reinterpret_cast<PyObject*>(base)));
}

bool raise_dl_error(PyObject* error) {
  const char* text = dlerror();
  if (text == nullptr) return false;
  Ref message(PyUnicode_DecodeLocale(text, "surrogateescape"));
  if (message) PyErr_SetObject(error, message.get());
  return true;
}

void* find_symbol(void* handle, const char* name, PyObject* error) {
  dlerror();
  void* address = dlsym(handle, name);
  if (address != nullptr) return address;
  if (!raise_dl_error(error)) {
    const char* format = error == PyExc_AttributeError ? "function '%s' not found" : "symbol '%s' not found";
    PyErr_Format(error, format, name);
  }
  return nullptr;
}

bool library_handle(PyObject* library, void** handle) {
  Ref number(PyObject_GetAttr(library, names.handle));
  if (!number) return false;
  if (!PyLong_Check(number.get())) {
    PyErr_SetString(PyExc_TypeError, "the _handle attribute of the second argument must be an integer");
    return false;
  }
  *handle = PyLong_AsVoidPtr(number.get());
  if (!PyErr_Occurred()) return true;
  PyErr_SetString(PyExc_ValueError, "could not convert the _handle attribute to a pointer");
  return false;
}

}  // namespace ctypes
