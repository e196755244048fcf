// Arrays, and their metatype.
#include "ctypes_module.h"

#include <cstring>
#include <cwchar>
#include <string>

namespace ctypes {

namespace {

TypeInfo* array_info(PyObject* self) {
  TypeInfo* info = info_of(Py_TYPE(self));
  if (info != nullptr && info->item != nullptr) return info;
  PyErr_SetString(PyExc_TypeError, "abstract class");
  return nullptr;
}
PyTypeObject* item_type(const TypeInfo* info) { return reinterpret_cast<PyTypeObject*>(info->item); }
char item_letter(const TypeInfo* info) {
  TypeInfo* item = info_of_object(info->item);
  return item != nullptr && item->kind == Kind::kSimple ? item->code->letter : '\0';
}

// ---- value and raw of arrays of characters ----

PyObject* get_raw(PyObject* op, void*) {
  Data* self = data_of(op);
  return locked(self, [&] { return PyBytes_FromStringAndSize(self->memory, self->size); });
}
int set_raw(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_Format(PyExc_AttributeError, "attribute 'raw' of '%.100s' objects cannot be deleted", Py_TYPE(op)->tp_name);
    return -1;
  }
  Data* self = data_of(op);
  ext::Buffer buffer;
  if (!buffer.get(value)) return -1;
  const bool fits = locked(self, [&] {
    if (buffer.size() > self->size) return false;
    std::memmove(self->memory, buffer.data(), static_cast<size_t>(buffer.size()));
    return true;
  });
  if (!fits) PyErr_SetString(PyExc_ValueError, "byte string too long");
  return fits ? 0 : -1;
}

PyObject* get_chars(PyObject* op, void*) {
  Data* self = data_of(op);
  return locked(self, [&] { return char_array_value(self->memory, self->size); });
}
int set_chars(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete attribute");
    return -1;
  }
  if (!PyBytes_Check(value)) {
    PyErr_Format(PyExc_TypeError, "bytes expected instead of %s instance", Py_TYPE(value)->tp_name);
    return -1;
  }
  Data* self = data_of(op);
  const Py_ssize_t size = PyBytes_GET_SIZE(value);
  const bool fits = locked(self, [&] {
    if (size > self->size) return false;
    // With the zero behind, where there is room.
    std::memcpy(self->memory, PyBytes_AS_STRING(value), static_cast<size_t>(size < self->size ? size + 1 : size));
    return true;
  });
  if (!fits) PyErr_SetString(PyExc_ValueError, "byte string too long");
  return fits ? 0 : -1;
}

PyObject* get_wide(PyObject* op, void*) {
  Data* self = data_of(op);
  return locked(self, [&] { return wide_array_value(self->memory, self->size); });
}
int set_wide(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete attribute");
    return -1;
  }
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "unicode string expected instead of %s instance", Py_TYPE(value)->tp_name);
    return -1;
  }
  Data* self = data_of(op);
  Py_ssize_t size;
  wchar_t* text = PyUnicode_AsWideCharString(value, &size);
  if (text == nullptr) return -1;
  const bool fits = locked(self, [&] {
    const Py_ssize_t room = self->size / static_cast<Py_ssize_t>(sizeof(wchar_t));
    if (size > room) return false;
    std::memcpy(self->memory, text, static_cast<size_t>(size < room ? size + 1 : size) * sizeof(wchar_t));
    return true;
  });
  PyMem_Free(text);
  if (!fits) PyErr_SetString(PyExc_ValueError, "string too long");
  return fits ? 0 : -1;
}

PyGetSetDef char_getset[] = {{"raw", get_raw, set_raw, "value", nullptr},
                             {"value", get_chars, set_chars, "string value", nullptr},
                             {}};
PyGetSetDef wide_getset[] = {{"value", get_wide, set_wide, "string value", nullptr}, {}};

bool add_getset(PyObject* type, PyGetSetDef* defs) {
  for (; defs->name != nullptr; defs++) {
    Ref descriptor(PyDescr_NewGetSet(reinterpret_cast<PyTypeObject*>(type), defs));
    if (!descriptor || PyObject_SetAttrString(type, defs->name, descriptor.get()) < 0) return false;
  }
  return true;
}

// ---- the metatype ----

bool read_length(PyObject* type, Py_ssize_t* length) {
  PyObject* found;
  if (PyObject_GetOptionalAttr(type, names.length, &found) < 0) return false;
  Ref value(found);
  if (!value || value.get() == Py_None) {
    PyErr_SetString(PyExc_AttributeError, "class must define a '_length_' attribute");
    return false;
  }
  if (!PyLong_Check(value.get())) {
    PyErr_SetString(PyExc_TypeError, "The '_length_' attribute must be an integer");
    return false;
  }
  int overflow;
  *length = static_cast<Py_ssize_t>(PyLong_AsLongLongAndOverflow(value.get(), &overflow));
  if (overflow > 0) {
    PyErr_SetString(PyExc_OverflowError, "The '_length_' attribute is too large");
  } else if (*length < 0) {
    PyErr_SetString(PyExc_ValueError, "The '_length_' attribute must not be negative");
  } else {
    return true;
  }
  return false;
}

int array_meta_init(PyObject* self, PyObject*, PyObject*) {
  // Array itself has neither a length nor items, and is not made by a class statement.
  Py_ssize_t length;
  if (!read_length(self, &length)) return -1;
  PyObject* found;
  if (PyObject_GetOptionalAttr(self, names.type, &found) < 0) return -1;
  Ref type(found);
  if (!type) {
    PyErr_SetString(PyExc_AttributeError, "class must define a '_type_' attribute");
    return -1;
  }
  TypeInfo* info = begin_info(self);
  if (info == nullptr) return -1;
  TypeInfo* item = info_of_object(type.get());
  if (item == nullptr) {
    PyErr_SetString(PyExc_TypeError, "_type_ must have storage info");
    return -1;
  }
  if (item->size != 0 && length > PY_SSIZE_T_MAX / item->size) {
    PyErr_SetString(PyExc_OverflowError, "array too large");
    return -1;
  }
  mark_final(reinterpret_cast<PyTypeObject*>(type.get()), item);
  info->ndim = item->ndim + 1;
  info->shape = static_cast<Py_ssize_t*>(PyMem_Malloc(sizeof(Py_ssize_t) * static_cast<size_t>(info->ndim)));
  if (info->shape == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  info->shape[0] = length;
  for (int i = 0; i < item->ndim; i++) info->shape[i + 1] = item->shape[i];
  info->format = copy_text("", item->format != nullptr ? item->format : "B");
  if (info->format == nullptr) return -1;
  info->item = type.release();
  info->length = length;
  info->size = item->size * length;
  info->item_size = item->size;
  info->align = item->align;
  info->has_pointer = item->pointer || item->has_pointer;
  for (Py_ssize_t at = 0; item->size > 0 && at < info->size && at < kRegisterBytes; at += item->size) add_bytes(info, item, at);
  info->kind = Kind::kArray;
  // Subclasses have the descriptors of their base.
  if (item->kind == Kind::kSimple && info->data) {
    PyGetSetDef* defs = item->code->letter == 'c' ? char_getset : item->code->letter == 'u' ? wide_getset : nullptr;
    if (defs != nullptr && !add_getset(self, defs)) return -1;
  }
  return 0;
}

// ---- instances ----

PyObject* array_new(PyTypeObject* type, PyObject*, PyObject*) { return new_data(type); }

Place item_place(PyObject* self, const TypeInfo* info, Py_ssize_t index) {
  return Place::inside(data_of(self), index * info->item_size);
}

PyObject* array_item(PyObject* self, Py_ssize_t index) {
  TypeInfo* info = array_info(self);
  if (info == nullptr) return nullptr;
  if (index < 0 || index >= data_of(self)->length) {
    PyErr_SetString(PyExc_IndexError, "invalid index");
    return nullptr;
  }
  return read_item(item_place(self, info, index), item_type(info), index);
}
int array_ass_item(PyObject* self, Py_ssize_t index, PyObject* value) {
  TypeInfo* info = array_info(self);
  if (info == nullptr) return -1;
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Array does not support item deletion");
    return -1;
  }
  if (index < 0 || index >= data_of(self)->length) {
    PyErr_SetString(PyExc_IndexError, "invalid index");
    return -1;
  }
  return write_item(item_place(self, info, index), item_type(info), value, index) ? 0 : -1;
}

int array_init(PyObject* self, PyObject* args, PyObject*) {
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(args); i < n; i++) {
    if (array_ass_item(self, i, PyTuple_GET_ITEM(args, i)) < 0) return -1;
  }
  return 0;
}

template <class Char>
std::basic_string<Char> sliced(Data* self, Py_ssize_t start, Py_ssize_t step, Py_ssize_t count) {
  std::basic_string<Char> text(static_cast<size_t>(count), Char());
  locked(self, [&] {
    for (Py_ssize_t i = 0; i < count; i++)
      std::memcpy(&text[static_cast<size_t>(i)], self->memory + (start + i * step) * static_cast<Py_ssize_t>(sizeof(Char)), sizeof(Char));
    return true;
  });
  return text;
}

PyObject* array_subscript(PyObject* self, PyObject* key) {
  TypeInfo* info = array_info(self);
  if (info == nullptr) return nullptr;
  if (PyIndex_Check(key)) {
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return nullptr;
    return array_item(self, index < 0 ? index + data_of(self)->length : index);
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "indices must be integers");
    return nullptr;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  const Py_ssize_t count = PySlice_AdjustIndices(data_of(self)->length, &start, &stop, step);
  const char letter = item_letter(info);
  if (letter == 'c') {
    const std::string text = sliced<char>(data_of(self), start, step, count);
    return PyBytes_FromStringAndSize(text.data(), count);
  }
  if (letter == 'u') {
    const std::wstring text = sliced<wchar_t>(data_of(self), start, step, count);
    return PyUnicode_FromWideChar(text.data(), count);
  }
  Ref list(PyList_New(count));
  for (Py_ssize_t i = 0; list && i < count; i++) {
    PyObject* item = array_item(self, start + i * step);
    if (item == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), i, item);
  }
  return list.release();
}

int array_ass_subscript(PyObject* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Array does not support item deletion");
    return -1;
  }
  if (array_info(self) == nullptr) return -1;
  if (PyIndex_Check(key)) {
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return -1;
    return array_ass_item(self, index < 0 ? index + data_of(self)->length : index, value);
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "indices must be integer");
    return -1;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return -1;
  const Py_ssize_t count = PySlice_AdjustIndices(data_of(self)->length, &start, &stop, step);
  const Py_ssize_t given = PySequence_Size(value);
  if (given < 0) return -1;
  if (given != count) {
    PyErr_SetString(PyExc_ValueError, "Can only assign sequence of same size");
    return -1;
  }
  for (Py_ssize_t i = 0; i < count; i++) {
    Ref item(PySequence_GetItem(value, i));
    if (!item || array_ass_item(self, start + i * step, item.get()) < 0) return -1;
  }
  return 0;
}

Py_ssize_t array_length(PyObject* self) { return data_of(self)->length; }

PyMethodDef array_methods[] = {{"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
                                "__class_getitem__($type, object, /)\n--\n\nArrays are generic over the type of their elements"},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for the Array Objects")},
                            {Py_tp_init, slot(array_meta_init)},
                            {Py_tp_methods, meta_methods},
                            {0, nullptr}};
PyType_Spec meta_spec = {"_ctypes.PyCArrayType", 0, 0, 0, meta_slots};
const char array_doc[] =
    "Abstract base class for arrays.\n\nThe recommended way to create concrete array types is by multiplying any\nctypes data type "
    "with a non-negative integer. Alternatively, you can subclass\nthis type and define _length_ and _type_ class variables. Array "
    "elements can\nbe read and written using standard subscript and slice accesses for slice\nreads, the resulting object is not "
    "itself an Array.";
PyType_Slot array_slots[] = {{Py_tp_doc, const_cast<char*>(array_doc)},
                             {Py_tp_new, slot(array_new)},
                             {Py_tp_init, slot(array_init)},
                             {Py_tp_methods, array_methods},
                             {Py_sq_length, slot(array_length)},
                             {Py_sq_item, slot(array_item)},
                             {Py_sq_ass_item, slot(array_ass_item)},
                             {Py_mp_length, slot(array_length)},
                             {Py_mp_subscript, slot(array_subscript)},
                             {Py_mp_ass_subscript, slot(array_ass_subscript)},
                             {0, nullptr}};
PyType_Spec array_spec = {"_ctypes.Array", sizeof(Data), 0, Py_TPFLAGS_BASETYPE, array_slots};

// The living class in the cache: a new reference, or null.
PyObject* cached_array(TypeInfo* item, PyObject* length) {
  PyObject *reference = nullptr, *result = nullptr;
  if (item->arrays == nullptr || PyDict_GetItemRef(item->arrays, length, &reference) <= 0) return nullptr;
  Ref owned(reference);
  PyWeakref_GetRef(reference, &result);
  return result;
}

}  // namespace

PyObject* array_type(PyObject* item, Py_ssize_t length) {
  if (length < 0) return PyErr_Format(PyExc_ValueError, "Array length must be >= 0, not %zd", length);
  TypeInfo* info = info_of_object(item);
  Ref number(PyLong_FromSsize_t(length));
  if (!number) return nullptr;
  if (info == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Expected a type object");
    return nullptr;
  }
  PyObject* found;
  Py_BEGIN_CRITICAL_SECTION(item);
  found = cached_array(info, number.get());
  Py_END_CRITICAL_SECTION();
  if (found != nullptr || PyErr_Occurred()) return found;
  Ref name(PyUnicode_FromFormat("%.200s_Array_%ld", type_name(item), static_cast<long>(length)));
  if (!name) return nullptr;
  Ref made(PyObject_CallFunction(reinterpret_cast<PyObject*>(types.array_meta), "O(O){s:O,s:O}", name.get(), types.array, "_length_",
                                 number.get(), "_type_", item));
  Ref reference(made ? PyWeakref_NewRef(made.get(), nullptr) : nullptr);
  if (!reference) return nullptr;
  // Another thread may have made one meanwhile: there is one class for each length.
  bool failed = false;
  Py_BEGIN_CRITICAL_SECTION(item);
  found = cached_array(info, number.get());
  if (found == nullptr) {
    if (info->arrays == nullptr) info->arrays = PyDict_New();
    failed = PyErr_Occurred() || info->arrays == nullptr || PyDict_SetItem(info->arrays, number.get(), reference.get()) < 0;
  }
  Py_END_CRITICAL_SECTION();
  if (failed) return nullptr;
  return found != nullptr ? found : made.release();
}

void forget_array(TypeInfo* info, PyObject* type) {
  TypeInfo* item = info->item != nullptr ? info_of_object(info->item) : nullptr;
  if (item == nullptr || item->arrays == nullptr) return;
  PyObject* raised = PyErr_GetRaisedException();
  if (Ref length(PyLong_FromSsize_t(info->length)); length) {
    Py_BEGIN_CRITICAL_SECTION(info->item);
    Ref other(cached_array(item, length.get()));
    if ((!other || other.get() == type) && item->arrays != nullptr && PyDict_Pop(item->arrays, length.get(), nullptr) < 0)
      PyErr_Clear();
    Py_END_CRITICAL_SECTION();
  }
  PyErr_SetRaisedException(raised);
}

bool make_array_types(PyObject* module) {
  types.array_meta = make_meta(module, &meta_spec);
  types.array = types.array_meta != nullptr ? make_type(types.array_meta, module, &array_spec, types.data) : nullptr;
  return types.array != nullptr;
}

}  // namespace ctypes
