// The item protocol of any object (PyObject_GetItem, PyObject_Length, ...) and of mappings (PyMapping_*).
#include "checked/checked.h"
#include "objects/container_support.h"
#include "objects/dict.h"

using namespace amphis;

namespace amphis {

namespace {

int null_error() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
  return -1;
}

const char* type_name(PyObject* op) {
  return Py_TYPE(op)->tp_name;
}

// The subscription of a class: Class[arg].
PyObject* subscript_class(PyObject* cls, PyObject* key) {
  if (cls == reinterpret_cast<PyObject*>(&PyType_Type)) return Py_GenericAlias(cls, key);
  Ref<> method;
  if (PyObject_GetOptionalAttr(cls, AMPHIS_STATIC_NAME("__class_getitem__"), method.out()) < 0)
    return nullptr;
  if (method && method.get() != Py_None) return PyObject_CallOneArg(method.get(), key);
  PyErr_Format(PyExc_TypeError, "type '%.200s' is not subscriptable",
               reinterpret_cast<PyTypeObject*>(cls)->tp_name);
  return nullptr;
}

// A sequence's item by something that must be an index. False with an error set where it is none.
bool sequence_index(PyObject* key, Py_ssize_t* index) {
  if (!PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "sequence index must be integer, not '%.200s'", type_name(key));
    return false;
  }
  *index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  return *index != -1 || !PyErr_Occurred();
}

PyObject* method_as_list(PyObject* op, PyObject* method) {
  Ref<> result = Ref<>::steal(PyObject_CallMethodNoArgs(op, method));
  if (!result) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(result.get()));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Format(PyExc_TypeError, "%.200s.%U() returned a non-iterable (type %.200s)", type_name(op),
                   method, type_name(result.get()));
    }
    return nullptr;
  }
  return PySequence_List(iterator.get());
}

}  // namespace
}  // namespace amphis

extern "C" {

Py_ssize_t PyObject_Size(PyObject* op) {
  if (op == nullptr) return null_error();
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  return sequence != nullptr && sequence->sq_length != nullptr ? sequence->sq_length(op) : PyMapping_Size(op);
}

#undef PyObject_Length
Py_ssize_t PyObject_Length(PyObject* op) {
  return PyObject_Size(op);
}

Py_ssize_t PyObject_LengthHint(PyObject* op, Py_ssize_t default_value) {
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  PyMappingMethods* mapping = Py_TYPE(op)->tp_as_mapping;
  if ((sequence != nullptr && sequence->sq_length != nullptr) ||
      (mapping != nullptr && mapping->mp_length != nullptr)) {
    const Py_ssize_t size = PyObject_Size(op);
    if (size >= 0) return size;
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
    PyErr_Clear();
  }
  Ref<> hint = Ref<>::steal(lookup_special(op, AMPHIS_STATIC_NAME("__length_hint__")));
  if (!hint) return PyErr_Occurred() ? -1 : default_value;
  Ref<> result = Ref<>::steal(PyObject_CallNoArgs(hint.get()));
  if (!result) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
    PyErr_Clear();
    return default_value;
  }
  if (result.get() == Py_NotImplemented) return default_value;
  if (!PyLong_Check(result.get())) {
    PyErr_Format(PyExc_TypeError, "__length_hint__ must be an integer, not %.100s", type_name(result.get()));
    return -1;
  }
  const Py_ssize_t value = PyLong_AsSsize_t(result.get());
  if (value < 0 && !PyErr_Occurred())
    PyErr_SetString(PyExc_ValueError, "__length_hint__() should return >= 0");
  return value < 0 ? -1 : value;
}

PyObject* PyObject_GetItem(PyObject* op, PyObject* key) {
  if (op == nullptr || key == nullptr) {
    null_error();
    return nullptr;
  }
  PyMappingMethods* mapping = Py_TYPE(op)->tp_as_mapping;
  if (mapping != nullptr && mapping->mp_subscript != nullptr) return checked::slot_result(op, "mp_subscript", mapping->mp_subscript, mapping->mp_subscript(op, key));
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  if (sequence != nullptr && sequence->sq_item != nullptr) {
    Py_ssize_t index;
    return sequence_index(key, &index) ? PySequence_GetItem(op, index) : nullptr;
  }
  if (PyType_Check(op)) return subscript_class(op, key);
  PyErr_Format(PyExc_TypeError, "'%.200s' object is not subscriptable", type_name(op));
  return nullptr;
}

int PyObject_SetItem(PyObject* op, PyObject* key, PyObject* value) {
  if (op == nullptr || key == nullptr || value == nullptr) return null_error();
  PyMappingMethods* mapping = Py_TYPE(op)->tp_as_mapping;
  if (mapping != nullptr && mapping->mp_ass_subscript != nullptr)
    return static_cast<int>(checked::slot_status(op, "mp_ass_subscript", mapping->mp_ass_subscript, mapping->mp_ass_subscript(op, key, value)));
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  if (sequence != nullptr && sequence->sq_ass_item != nullptr) {
    Py_ssize_t index;
    return sequence_index(key, &index) ? PySequence_SetItem(op, index, value) : -1;
  }
  PyErr_Format(PyExc_TypeError, "'%.200s' object does not support item assignment", type_name(op));
  return -1;
}

int PyObject_DelItem(PyObject* op, PyObject* key) {
  if (op == nullptr || key == nullptr) return null_error();
  PyMappingMethods* mapping = Py_TYPE(op)->tp_as_mapping;
  if (mapping != nullptr && mapping->mp_ass_subscript != nullptr)
    return static_cast<int>(checked::slot_status(op, "mp_ass_subscript", mapping->mp_ass_subscript, mapping->mp_ass_subscript(op, key, nullptr)));
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  if (sequence != nullptr && (sequence->sq_ass_item != nullptr || PyIndex_Check(key))) {
    Py_ssize_t index;
    return sequence_index(key, &index) ? PySequence_DelItem(op, index) : -1;
  }
  PyErr_Format(PyExc_TypeError, "'%.200s' object does not support item deletion", type_name(op));
  return -1;
}

int PyObject_DelItemString(PyObject* op, const char* key) {
  if (op == nullptr || key == nullptr) return null_error();
  Ref<> name = Ref<>::steal(PyUnicode_FromString(key));
  return name ? PyObject_DelItem(op, name.get()) : -1;
}

int PyMapping_Check(PyObject* op) {
  return op != nullptr && Py_TYPE(op)->tp_as_mapping != nullptr &&
         Py_TYPE(op)->tp_as_mapping->mp_subscript != nullptr;
}

Py_ssize_t PyMapping_Size(PyObject* op) {
  if (op == nullptr) return null_error();
  PyMappingMethods* mapping = Py_TYPE(op)->tp_as_mapping;
  if (mapping != nullptr && mapping->mp_length != nullptr) return checked::slot_status(op, "mp_length", mapping->mp_length, mapping->mp_length(op));
  PySequenceMethods* sequence = Py_TYPE(op)->tp_as_sequence;
  PyErr_Format(PyExc_TypeError,
               sequence != nullptr && sequence->sq_length != nullptr ? "%.200s is not a mapping"
                                                                     : "object of type '%.200s' has no len()",
               type_name(op));
  return -1;
}

#undef PyMapping_Length
Py_ssize_t PyMapping_Length(PyObject* op) {
  return PyMapping_Size(op);
}

PyObject* PyMapping_GetItemString(PyObject* op, const char* key) {
  if (key == nullptr) {
    null_error();
    return nullptr;
  }
  Ref<> name = Ref<>::steal(PyUnicode_FromString(key));
  return name ? PyObject_GetItem(op, name.get()) : nullptr;
}

int PyMapping_GetOptionalItem(PyObject* op, PyObject* key, PyObject** result) {
  if (PyDict_CheckExact(op)) return PyDict_GetItemRef(op, key, result);
  *result = PyObject_GetItem(op, key);
  if (*result != nullptr) return 1;
  if (!PyErr_ExceptionMatches(PyExc_KeyError)) return -1;
  PyErr_Clear();
  return 0;
}

int PyMapping_GetOptionalItemString(PyObject* op, const char* key, PyObject** result) {
  *result = nullptr;
  if (key == nullptr) return null_error();
  Ref<> name = Ref<>::steal(PyUnicode_FromString(key));
  return name ? PyMapping_GetOptionalItem(op, name.get(), result) : -1;
}

int PyMapping_SetItemString(PyObject* op, const char* key, PyObject* value) {
  if (key == nullptr) return null_error();
  Ref<> name = Ref<>::steal(PyUnicode_FromString(key));
  return name ? PyObject_SetItem(op, name.get(), value) : -1;
}

int PyMapping_HasKeyWithError(PyObject* op, PyObject* key) {
  PyObject* value;
  const int found = PyMapping_GetOptionalItem(op, key, &value);
  Py_XDECREF(value);
  return found;
}

int PyMapping_HasKeyStringWithError(PyObject* op, const char* key) {
  PyObject* value;
  const int found = PyMapping_GetOptionalItemString(op, key, &value);
  Py_XDECREF(value);
  return found;
}

int PyMapping_HasKey(PyObject* op, PyObject* key) {
  const int found = op == nullptr || key == nullptr ? null_error() : PyMapping_HasKeyWithError(op, key);
  if (found >= 0) return found;
  PyErr_FormatUnraisable(
      "Exception ignored in PyMapping_HasKey(); consider using PyMapping_HasKeyWithError(), "
      "PyMapping_GetOptionalItem() or PyObject_GetItem()");
  return 0;
}

int PyMapping_HasKeyString(PyObject* op, const char* key) {
  const int found = PyMapping_HasKeyStringWithError(op, key);
  if (found >= 0) return found;
  PyErr_FormatUnraisable(
      "Exception ignored in PyMapping_HasKeyString(); consider using PyMapping_HasKeyStringWithError(), "
      "PyMapping_GetOptionalItemString() or PyMapping_GetItemString()");
  return 0;
}

PyObject* PyMapping_Keys(PyObject* op) {
  if (op == nullptr) {
    null_error();
    return nullptr;
  }
  return PyDict_CheckExact(op) ? PyDict_Keys(op) : method_as_list(op, AMPHIS_STATIC_NAME("keys"));
}

PyObject* PyMapping_Items(PyObject* op) {
  if (op == nullptr) {
    null_error();
    return nullptr;
  }
  return PyDict_CheckExact(op) ? PyDict_Items(op) : method_as_list(op, AMPHIS_STATIC_NAME("items"));
}

PyObject* PyMapping_Values(PyObject* op) {
  if (op == nullptr) {
    null_error();
    return nullptr;
  }
  return PyDict_CheckExact(op) ? PyDict_Values(op) : method_as_list(op, AMPHIS_STATIC_NAME("values"));
}

}  // extern "C"
