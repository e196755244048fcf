// Attribute access on any object: the C API's forms of getattr and setattr, the generic lookup that most types
// have in tp_getattro/tp_setattro, and the error messages of both.
#include "checked/checked.h"
#include "objects/instance.h"
#include "objects/method.h"
#include "objects/module.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

void set_attribute_error_context(PyObject* obj, PyObject* name) {
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return;
  PyObject* error = PyErr_GetRaisedException();
  if (PyObject_TypeCheck(error, reinterpret_cast<PyTypeObject*>(PyExc_AttributeError))) {
    auto* fields = reinterpret_cast<PyAttributeErrorObject*>(error);
    LeafLock lock(error);
    // The innermost failing access wins.
    if (fields->name == nullptr && fields->obj == nullptr) {
      sync::store_release(fields->name, Py_NewRef(name));
      sync::store_release(fields->obj, Py_NewRef(obj));
    }
  }
  PyErr_SetRaisedException(error);
}

namespace {

bool check_name(PyObject* name) {
  if (PyUnicode_Check(name)) return true;
  PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
  return false;
}

PyObject* raise_missing(PyObject* obj, PyObject* name) {
  PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'", Py_TYPE(obj)->tp_name, name);
  set_attribute_error_context(obj, name);
  return nullptr;
}

// Nothing to suggest for a name that was to be deleted: the error carries no object.
int raise_undeletable(PyObject* obj, PyObject* name) {
  PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'", Py_TYPE(obj)->tp_name, name);
  return -1;
}

// The generic lookup: data descriptor, instance, other class attribute. 1 found, 0 absent, -1 error.
// `dict`: used instead of the instance's storage if not null.
// Whether attributes of obj are looked up in a dict, whose keys may be anything.
bool has_dict(PyObject* obj, PyTypeObject* type) {
  if (has_inline_values(type) && sync::load_acquire(inline_values(obj, type)->valid)) return false;
  PyObject** slot = instance_dict_slot(obj, type);
  return slot != nullptr && sync::load_acquire(*slot) != nullptr;
}

int generic_lookup(PyObject* obj, PyObject* name, PyObject* dict, PyObject** result) {
  PyTypeObject* type = Py_TYPE(obj);
  *result = nullptr;
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(type) < 0) return -1;
  Found descr = type_find(type, name);
  descrgetfunc get = nullptr;
  if (descr) {
    PyTypeObject* kind = Py_TYPE(descr.get());
    get = kind->tp_descr_get;
    if (get != nullptr && kind->tp_descr_set != nullptr) {
      *result = get(descr.get(), obj, as_object(type));
      return *result != nullptr ? 1 : -1;
    }
  }
  // Comparing keys of a dict may run code.
  if (descr && !descr.is_counted() && (dict != nullptr || has_dict(obj, type))) descr.count();
  if (dict != nullptr) {
    Ref<> keep = Ref<>::share(dict);
    int found = PyDict_GetItemRef(dict, name, result);
    if (found != 0) return found;
  } else if (type->tp_dictoffset != 0) {
    int found = instance_get(obj, type, name, result);
    if (found != 0) return found;
  }
  if (!descr) return 0;
  *result = get != nullptr ? get(descr.get(), obj, as_object(type)) : descr.release();
  return *result != nullptr ? 1 : -1;
}

int raise_unsettable(PyObject* obj, PyObject* name, bool has_class_attribute) {
  PyTypeObject* type = Py_TYPE(obj);
  if (has_class_attribute) {
    PyErr_Format(PyExc_AttributeError, "'%.100s' object attribute '%U' is read-only", type->tp_name, name);
    return -1;
  }
  if (type->tp_setattro == PyObject_GenericSetAttr) {
    PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U' and no __dict__ for setting new attributes",
                 type->tp_name, name);
  } else {
    PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'", type->tp_name, name);
  }
  set_attribute_error_context(obj, name);
  return -1;
}

Ref<> interned_name(const char* text) { return Ref<>::steal(PyUnicode_InternFromString(text)); }

}  // namespace

PyObject* generic_getattr_optional(PyObject* obj, PyObject* name) {
  PyObject* result;
  generic_lookup(obj, name, nullptr, &result);
  return result;
}

PyObject* object_get_method(PyObject* obj, PyObject* name, bool* unbound) {
  PyTypeObject* type = Py_TYPE(obj);
  *unbound = false;
  if (type->tp_getattro != PyObject_GenericGetAttr || !PyUnicode_CheckExact(name)) return PyObject_GetAttr(obj, name);
  // Extensions may make instances of a static type that they never ready.
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(type) < 0) return nullptr;
  Found descr = type_find(type, name);
  descrgetfunc get = nullptr;
  bool method = false;
  if (descr) {
    PyTypeObject* kind = Py_TYPE(descr.get());
    if (kind->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR) {
      method = true;
    } else {
      get = kind->tp_descr_get;
      if (get != nullptr && kind->tp_descr_set != nullptr) return get(descr.get(), obj, as_object(type));
    }
  }
  if (type->tp_dictoffset != 0) {
    if (descr && !descr.is_counted() && has_dict(obj, type)) descr.count();
    PyObject* value;
    if (instance_get(obj, type, name, &value) != 0) return value;
  }
  if (method) {
    *unbound = true;
    return descr.release();
  }
  if (get != nullptr) return get(descr.get(), obj, as_object(type));
  if (descr) return descr.release();
  return raise_missing(obj, name);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyObject_GenericGetAttr(PyObject* obj, PyObject* name) {
  if (!check_name(name)) return nullptr;
  PyObject* result;
  if (generic_lookup(obj, name, nullptr, &result) == 0) return raise_missing(obj, name);
  return result;
}

PyObject* _PyObject_GenericGetAttrWithDict(PyObject* obj, PyObject* name, PyObject* dict, int suppress) {
  if (!check_name(name)) return nullptr;
  PyObject* result;
  int found = generic_lookup(obj, name, dict, &result);
  if (found == 0 && !suppress) return raise_missing(obj, name);
  if (found < 0 && suppress && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
  return result;
}

int _PyObject_GenericSetAttrWithDict(PyObject* obj, PyObject* name, PyObject* value, PyObject* dict) {
  if (!check_name(name)) return -1;
  PyTypeObject* type = Py_TYPE(obj);
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(type) < 0) return -1;
  Found descr = type_find(type, name);
  if (descr) {
    descrsetfunc set = Py_TYPE(descr.get())->tp_descr_set;
    if (set != nullptr) return set(descr.get(), obj, value);
  }
  if (dict != nullptr) {
    Ref<> keep = Ref<>::share(dict);
    if (value != nullptr) return PyDict_SetItem(dict, name, value);
    int popped = PyDict_Pop(dict, name, nullptr);
    if (popped != 0) return popped < 0 ? -1 : 0;
    return raise_undeletable(obj, name);
  }
  int outcome = instance_set(obj, type, name, value);
  if (outcome <= 0) return outcome;
  if (outcome == 2) return raise_unsettable(obj, name, static_cast<bool>(descr));
  return raise_undeletable(obj, name);
}

int PyObject_GenericSetAttr(PyObject* obj, PyObject* name, PyObject* value) {
  return _PyObject_GenericSetAttrWithDict(obj, name, value, nullptr);
}

PyObject* PyObject_GetAttr(PyObject* obj, PyObject* name) {
  if (!check_name(name)) return nullptr;
  PyTypeObject* type = Py_TYPE(obj);
  PyObject* result = nullptr;
  if (type->tp_getattro != nullptr) {
    result = checked::slot_result(obj, "tp_getattro", type->tp_getattro, type->tp_getattro(obj, name));
  } else if (type->tp_getattr != nullptr) {
    const char* text = PyUnicode_AsUTF8(name);
    if (text == nullptr) return nullptr;
    result = type->tp_getattr(obj, const_cast<char*>(text));
  } else {
    return raise_missing(obj, name);
  }
  if (result == nullptr) set_attribute_error_context(obj, name);
  return result;
}

int PyObject_GetOptionalAttr(PyObject* obj, PyObject* name, PyObject** result) {
  *result = nullptr;
  if (!check_name(name)) return -1;
  PyTypeObject* type = Py_TYPE(obj);
  int found;
  if (type->tp_getattro == PyObject_GenericGetAttr) {
    found = generic_lookup(obj, name, nullptr, result);
  } else if (type->tp_getattro == type_getattro) {
    found = type_lookup_attribute(reinterpret_cast<PyTypeObject*>(obj), name, result);
  } else if (type->tp_getattro == module_getattro) {
    found = module_lookup_attribute(obj, name, result);
  } else {
    *result = PyObject_GetAttr(obj, name);
    found = *result != nullptr ? 1 : -1;
  }
  if (found < 0 && PyErr_ExceptionMatches(PyExc_AttributeError)) {
    PyErr_Clear();
    return 0;
  }
  return found;
}

PyObject* PyObject_GetAttrString(PyObject* obj, const char* text) {
  if (Py_TYPE(obj)->tp_getattr != nullptr && Py_TYPE(obj)->tp_getattro == nullptr) {
    return Py_TYPE(obj)->tp_getattr(obj, const_cast<char*>(text));
  }
  Ref<> name = Ref<>::steal(PyUnicode_FromString(text));
  return name ? PyObject_GetAttr(obj, name.get()) : nullptr;
}

int PyObject_GetOptionalAttrString(PyObject* obj, const char* text, PyObject** result) {
  *result = nullptr;
  Ref<> name = Ref<>::steal(PyUnicode_FromString(text));
  return name ? PyObject_GetOptionalAttr(obj, name.get(), result) : -1;
}

int PyObject_HasAttrWithError(PyObject* obj, PyObject* name) {
  PyObject* value;
  int found = PyObject_GetOptionalAttr(obj, name, &value);
  Py_XDECREF(value);
  return found;
}

int PyObject_HasAttrStringWithError(PyObject* obj, const char* text) {
  PyObject* value;
  int found = PyObject_GetOptionalAttrString(obj, text, &value);
  Py_XDECREF(value);
  return found;
}

int PyObject_HasAttr(PyObject* obj, PyObject* name) {
  int found = PyObject_HasAttrWithError(obj, name);
  if (found >= 0) return found;
  PyErr_FormatUnraisable(
      "Exception ignored in PyObject_HasAttr(); consider using PyObject_HasAttrWithError(), "
      "PyObject_GetOptionalAttr() or PyObject_GetAttr()");
  return 0;
}

int PyObject_HasAttrString(PyObject* obj, const char* text) {
  int found = PyObject_HasAttrStringWithError(obj, text);
  if (found >= 0) return found;
  PyErr_FormatUnraisable(
      "Exception ignored in PyObject_HasAttrString(); consider using PyObject_HasAttrStringWithError(), "
      "PyObject_GetOptionalAttrString() or PyObject_GetAttrString()");
  return 0;
}

int PyObject_SetAttr(PyObject* obj, PyObject* name, PyObject* value) {
  if (!check_name(name)) return -1;
  PyTypeObject* type = Py_TYPE(obj);
  if (type->tp_setattro != nullptr) return static_cast<int>(checked::slot_status(obj, "tp_setattro", type->tp_setattro, type->tp_setattro(obj, name, value)));
  if (type->tp_setattr != nullptr) {
    const char* text = PyUnicode_AsUTF8(name);
    return text == nullptr ? -1 : type->tp_setattr(obj, const_cast<char*>(text), value);
  }
  const char* verb = value == nullptr ? "del" : "assign to";
  if (type->tp_getattr == nullptr && type->tp_getattro == nullptr) {
    PyErr_Format(PyExc_TypeError, "'%.100s' object has no attributes (%s .%U)", type->tp_name, verb, name);
  } else {
    PyErr_Format(PyExc_TypeError, "'%.100s' object has only read-only attributes (%s .%U)", type->tp_name, verb, name);
  }
  return -1;
}

int PyObject_SetAttrString(PyObject* obj, const char* text, PyObject* value) {
  if (Py_TYPE(obj)->tp_setattr != nullptr && Py_TYPE(obj)->tp_setattro == nullptr) {
    return Py_TYPE(obj)->tp_setattr(obj, const_cast<char*>(text), value);
  }
  Ref<> name = interned_name(text);
  return name ? PyObject_SetAttr(obj, name.get(), value) : -1;
}

int PyObject_DelAttr(PyObject* obj, PyObject* name) { return PyObject_SetAttr(obj, name, nullptr); }
int PyObject_DelAttrString(PyObject* obj, const char* text) { return PyObject_SetAttrString(obj, text, nullptr); }

PyAPI_FUNC(int) _PyObject_GetMethod(PyObject* obj, PyObject* name, PyObject** method);
int _PyObject_GetMethod(PyObject* obj, PyObject* name, PyObject** method) {
  bool unbound;
  *method = object_get_method(obj, name, &unbound);
  return unbound;
}

PyAPI_FUNC(PyObject*) _PyObject_GetAttrId(PyObject* obj, _Py_Identifier* id);
PyObject* _PyObject_GetAttrId(PyObject* obj, _Py_Identifier* id) { return PyObject_GetAttrString(obj, id->string); }

PyAPI_FUNC(PyObject*) _PyObject_LookupSpecial(PyObject* obj, PyObject* name);
PyObject* _PyObject_LookupSpecial(PyObject* obj, PyObject* name) {
  Ref<> found = Ref<>::steal(type_lookup(Py_TYPE(obj), name));
  if (!found) return nullptr;
  descrgetfunc get = Py_TYPE(found.get())->tp_descr_get;
  return get == nullptr ? found.release() : get(found.get(), obj, as_object(Py_TYPE(obj)));
}

}  // extern "C"
