// Pointers, their metatype, and cast().
#include "ctypes_module.h"

#include <cstring>
#include <string>

namespace ctypes {

namespace {

bool set_target(PyObject* self, TypeInfo* info, PyObject* target) {
  if (!PyType_Check(target)) {
    PyErr_SetString(PyExc_TypeError, "_type_ must be a type");
    return false;
  }
  TypeInfo* target_info = info_of_object(target);
  if (target_info == nullptr) {
    PyErr_Format(PyExc_TypeError, "%R must have storage info", target);
    return false;
  }
  Ref old;
  Py_BEGIN_CRITICAL_SECTION2(self, target);
  old = Ref(std::exchange(info->item, Py_NewRef(target)));
  if (target_info->pointer_type == nullptr) target_info->pointer_type = Py_NewRef(self);
  Py_END_CRITICAL_SECTION2();
  return true;
}

// "&" and the target's format; in parentheses before it the shape of an array.
char* pointer_format(const TypeInfo* target) {
  const char* format = target->format != nullptr ? target->format : "B";
  if (target->ndim == 0) return copy_text("&", format);
  std::string prefix = "&(";
  for (int i = 0; i < target->ndim; i++) prefix += (i > 0 ? "," : "") + std::to_string(target->shape[i]);
  return copy_text((prefix + ")").c_str(), format);
}

int pointer_meta_init(PyObject* self, PyObject* args, PyObject*) {
  PyObject *name, *bases, *dict;
  if (!PyArg_ParseTuple(args, "OOO!:PyCPointerType", &name, &bases, &PyDict_Type, &dict)) return -1;
  TypeInfo* info = begin_info(self);
  if (info == nullptr) return -1;
  set_pass_by_pointer(info);
  info->kind = Kind::kPointer;
  PyObject* found;
  if (PyDict_GetItemRef(dict, names.type, &found) < 0) return -1;
  if (found == nullptr) return 0;
  Ref target(found);
  if (!set_target(self, info, target.get())) return -1;
  info->format = pointer_format(info_of_object(target.get()));
  return info->format != nullptr ? 0 : -1;
}

PyObject* set_type(PyObject* self, PyObject* target) {
  TypeInfo* info = info_of_object(self);
  if (info == nullptr) {
    PyErr_SetString(PyExc_TypeError, "abstract class");
    return nullptr;
  }
  if (!set_target(self, info, target) || PyObject_SetAttr(self, names.type, target) < 0) return nullptr;
  Py_RETURN_NONE;
}

// The class of the target: a new reference.
Ref target_of(PyObject* type) {
  PyObject* result = nullptr;
  TypeInfo* info = info_of_object(type);
  if (info == nullptr) return Ref();
  Py_BEGIN_CRITICAL_SECTION(type);
  result = Py_XNewRef(info->item);
  Py_END_CRITICAL_SECTION();
  return Ref(result);
}
Ref target_of_instance(PyObject* self) {
  Ref target = target_of(reinterpret_cast<PyObject*>(Py_TYPE(self)));
  if (!target) PyErr_SetString(PyExc_TypeError, "Cannot create instance: has no _type_");
  return target;
}

char* address_in(PyObject* op) {
  Data* self = data_of(op);
  return locked(self, [&] {
    char* address;
    std::memcpy(&address, self->memory, sizeof address);
    return address;
  });
}
char* target_address(PyObject* op) {
  char* address = address_in(op);
  if (address == nullptr) PyErr_SetString(PyExc_ValueError, "NULL pointer access");
  return address;
}

PyObject* get_contents(PyObject* self, void*) {
  char* address = target_address(self);
  Ref target = address != nullptr ? target_of_instance(self) : Ref();
  return target ? new_view(reinterpret_cast<PyTypeObject*>(target.get()), data_of(self), 0, address) : nullptr;
}
int set_contents(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Pointer does not support item deletion");
    return -1;
  }
  Ref target = target_of_instance(op);
  if (!target) return -1;
  if (!is_data(value)) {
    PyErr_Format(PyExc_TypeError, "expected %s instead of %s", type_name(target.get()), Py_TYPE(value)->tp_name);
    return -1;
  }
  Data* self = data_of(op);
  Ref keep(kept_objects(data_of(value)));
  if (!keep) return -1;
  const bool done = locked(self, [&] {
    std::memcpy(self->memory, &data_of(value)->memory, sizeof(char*));
    return keep_alive(self, 1, value) && keep_alive(self, 0, keep.get());
  });
  return done ? 0 : -1;
}

PyObject* pointer_new(PyTypeObject* type, PyObject*, PyObject*) {
  Ref target = target_of(reinterpret_cast<PyObject*>(type));
  if (target) return new_data(type);
  PyErr_SetString(PyExc_TypeError, "Cannot create instance: has no _type_");
  return nullptr;
}
int pointer_init(PyObject* self, PyObject* args, PyObject*) {
  PyObject* value = nullptr;
  if (!PyArg_UnpackTuple(args, "POINTER", 0, 1, &value)) return -1;
  return value == nullptr ? 0 : set_contents(self, value, nullptr);
}

PyObject* item_at(PyObject* self, PyObject* target, char* address, Py_ssize_t index) {
  TypeInfo* info = info_of_object(target);
  return read_item(Place::at(data_of(self), address + index * (info != nullptr ? info->size : 0)),
                   reinterpret_cast<PyTypeObject*>(target), index);
}
PyObject* pointer_item(PyObject* self, Py_ssize_t index) {
  char* address = target_address(self);
  Ref target = address != nullptr ? target_of_instance(self) : Ref();
  return target ? item_at(self, target.get(), address, index) : nullptr;
}
int pointer_ass_item(PyObject* self, Py_ssize_t index, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Pointer does not support item deletion");
    return -1;
  }
  char* address = target_address(self);
  Ref target = address != nullptr ? target_of_instance(self) : Ref();
  TypeInfo* info = target ? instance_info(reinterpret_cast<PyTypeObject*>(target.get())) : nullptr;
  if (info == nullptr) return -1;
  const Place place = Place::at(data_of(self), address + index * info->size);
  return write_item(place, reinterpret_cast<PyTypeObject*>(target.get()), value, index) ? 0 : -1;
}

bool slice_bound(PyObject* bound, Py_ssize_t* value) {
  *value = PyNumber_AsSsize_t(bound, PyExc_ValueError);
  return *value != -1 || !PyErr_Occurred();
}

PyObject* pointer_slice(PyObject* self, PyObject* key) {
  auto* slice = reinterpret_cast<PySliceObject*>(key);
  Py_ssize_t start = 0, stop, step = 1;
  // A pointer has no length: a start is needed to go backwards, a stop always.
  if (slice->step != Py_None) {
    if (!slice_bound(slice->step, &step)) return nullptr;
    if (step == 0) {
      PyErr_SetString(PyExc_ValueError, "slice step cannot be zero");
      return nullptr;
    }
  }
  if (slice->start == Py_None) {
    if (step < 0) {
      PyErr_SetString(PyExc_ValueError, "slice start is required for step < 0");
      return nullptr;
    }
  } else if (!slice_bound(slice->start, &start)) {
    return nullptr;
  }
  if (slice->stop == Py_None) {
    PyErr_SetString(PyExc_ValueError, "slice stop is required");
    return nullptr;
  }
  if (!slice_bound(slice->stop, &stop)) return nullptr;
  Py_ssize_t count = 0;
  if (step > 0 && start < stop) count = (stop - start - 1) / step + 1;
  if (step < 0 && start > stop) count = (stop - start + 1) / step + 1;

  Ref target = target_of_instance(self);
  TypeInfo* info = target ? instance_info(reinterpret_cast<PyTypeObject*>(target.get())) : nullptr;
  if (info == nullptr) return nullptr;
  char* address = count > 0 ? target_address(self) : address_in(self);
  if (address == nullptr && count > 0) return nullptr;
  const char letter = info->kind == Kind::kSimple ? info->code->letter : '\0';
  if (letter == 'c' || letter == 'u') {
    Ref buffer(PyBytes_FromStringAndSize(nullptr, count * info->size));
    if (!buffer) return nullptr;
    char* bytes = PyBytes_AS_STRING(buffer.get());
    for (Py_ssize_t i = 0; i < count; i++)
      std::memcpy(bytes + i * info->size, address + (start + i * step) * info->size, static_cast<size_t>(info->size));
    if (letter == 'c') return buffer.release();
    return PyUnicode_FromWideChar(reinterpret_cast<wchar_t*>(bytes), count);
  }
  Ref list(PyList_New(count));
  for (Py_ssize_t i = 0; list && i < count; i++) {
    PyObject* item = item_at(self, target.get(), address, start + i * step);
    if (item == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), i, item);
  }
  return list.release();
}

PyObject* pointer_subscript(PyObject* self, PyObject* key) {
  if (PyIndex_Check(key)) {
    const Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    return index == -1 && PyErr_Occurred() ? nullptr : pointer_item(self, index);
  }
  if (PySlice_Check(key)) return pointer_slice(self, key);
  PyErr_SetString(PyExc_TypeError, "Pointer indices must be integer");
  return nullptr;
}

int pointer_bool(PyObject* self) { return address_in(self) != nullptr; }

PyMethodDef pointer_meta_methods[] = {
    {"set_type", set_type, METH_O, "set_type($self, type, /)\n--\n\n"},
    {"from_param", pointer_from_param, METH_O,
     "from_param($self, value, /)\n--\n\nConvert a Python object into a function call parameter."},
    {}, {}, {}, {},  // those of all metatypes
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for the Pointer Objects")},
                            {Py_tp_init, slot(pointer_meta_init)},
                            {Py_tp_methods, pointer_meta_methods},
                            {0, nullptr}};
PyType_Spec meta_spec = {"_ctypes.PyCPointerType", 0, 0, 0, meta_slots};

PyGetSetDef pointer_getset[] = {
    {"contents", get_contents, set_contents, "the object this pointer points to (read-write)", nullptr}, {}};
PyType_Slot pointer_slots[] = {{Py_tp_doc, const_cast<char*>("A pointer to a C value: base class of what POINTER() makes.")},
                               {Py_tp_new, slot(pointer_new)},
                               {Py_tp_init, slot(pointer_init)},
                               {Py_tp_getset, pointer_getset},
                               {Py_nb_bool, slot(pointer_bool)},
                               {Py_sq_item, slot(pointer_item)},
                               {Py_sq_ass_item, slot(pointer_ass_item)},
                               {Py_mp_subscript, slot(pointer_subscript)},
                               {0, nullptr}};
PyType_Spec pointer_spec = {"_ctypes._Pointer", sizeof(Data), 0, Py_TPFLAGS_BASETYPE, pointer_slots};

bool is_address_type(PyObject* type) {
  TypeInfo* info = info_of_object(type);
  if (info == nullptr) return false;
  if (info->kind == Kind::kPointer || info->kind == Kind::kFunction) return true;
  return info->kind == Kind::kSimple && info->code->pointer;
}

}  // namespace

PyObject* pointer_from_param(PyObject* type, PyObject* value) {
  if (value == Py_None) return Py_NewRef(value);
  Ref target = target_of(type);
  if (!target) {
    PyErr_SetString(PyExc_TypeError, "cannot convert argument: POINTER _type_ type is not set");
    return nullptr;
  }
  auto* target_type = reinterpret_cast<PyTypeObject*>(target.get());
  if (is_data(value)) {
    // POINTER(T) takes a T, and what points to one.
    if (PyObject_TypeCheck(value, target_type)) return byref(value, 0);
    TypeInfo* info = info_of(Py_TYPE(value));
    if (info != nullptr && (info->kind == Kind::kPointer || info->kind == Kind::kArray)) {
      Ref item = target_of(reinterpret_cast<PyObject*>(Py_TYPE(value)));
      if (item && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(item.get()), target_type)) return Py_NewRef(value);
    }
  }
  return generic_from_param(type, value);
}

PyObject* cast_address(void* address, PyObject* source, PyObject* type) {
  if (!is_address_type(type)) {
    if (PyType_Check(type))
      return PyErr_Format(PyExc_TypeError, "cast() argument 2 must be a pointer type, not %s", type_name(type));
    PyErr_SetString(PyExc_TypeError, "cast() argument 2 must be a pointer type");
    return nullptr;
  }
  Ref result(PyObject_CallNoArgs(type));
  if (!result) return nullptr;
  if (!is_data(result.get()) || data_of(result.get())->size < static_cast<Py_ssize_t>(sizeof(void*))) {
    PyErr_SetString(PyExc_TypeError, "cast() argument 2 must be a pointer type");
    return nullptr;
  }
  Data* self = data_of(result.get());
  if (is_data(source)) {
    // Both share what is kept alive, and that holds the source too.
    Data* root = root_of(data_of(source));
    PyObject* shared = locked(root, [&]() -> PyObject* {
      if (root->objects == nullptr || root->objects == Py_None) {
        PyObject* dict = PyDict_New();
        if (dict == nullptr) return nullptr;
        Ref old(std::exchange(root->objects, dict));
      }
      return Py_NewRef(root->objects);
    });
    if (shared == nullptr) return nullptr;
    self->objects = shared;
    Ref key(PyLong_FromVoidPtr(source));
    if (!key || (PyDict_CheckExact(shared) && PyDict_SetItem(shared, key.get(), source) < 0)) return nullptr;
  }
  std::memcpy(self->memory, &address, sizeof address);
  return result.release();
}

bool make_pointer_types(PyObject* module) {
  for (int i = 0; i < 4; i++) pointer_meta_methods[2 + i] = meta_methods[1 + i];
  types.pointer_meta = make_meta(module, &meta_spec);
  types.pointer = types.pointer_meta != nullptr ? make_type(types.pointer_meta, module, &pointer_spec, types.data) : nullptr;
  return types.pointer != nullptr;
}

}  // namespace ctypes
