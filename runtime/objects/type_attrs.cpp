// The computed attributes of classes: names, bases, annotations (PEP 649), abstract methods, type parameters,
// documentation; and the C API that reads names and modules of types.
#include "objects/type.h"

#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"

#include <cstring>

namespace amphis {

namespace {

PyTypeObject* as_type(PyObject* obj) { return reinterpret_cast<PyTypeObject*>(obj); }
PyHeapTypeObject* as_heap(PyTypeObject* type) { return reinterpret_cast<PyHeapTypeObject*>(type); }

// The part of tp_name behind the last dot.
const char* short_name(PyTypeObject* type) {
  const char* dot = std::strrchr(type->tp_name, '.');
  return dot == nullptr ? type->tp_name : dot + 1;
}

// Common refusals of setters.
bool may_set(PyTypeObject* type, PyObject* value, const char* name) {
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_Format(PyExc_TypeError, "cannot set '%s' attribute of immutable type '%s'", name, type->tp_name);
    return false;
  }
  if (value == nullptr) {
    PyErr_Format(PyExc_TypeError, "cannot delete '%s' attribute of immutable type '%s'", name, type->tp_name);
    return false;
  }
  return PySys_Audit("object.__setattr__", "OsO", as_object(type), name, value) == 0;
}

// An entry of the class's own dict: new reference or null; *error tells errors apart.
Ref<> own_entry(PyTypeObject* type, PyObject* name, bool* error) {
  PyObject* value = nullptr;
  *error = PyDict_GetItemRef(type->tp_dict, name, &value) < 0;
  return Ref<>::steal(value);
}

// Stores into the class's own dict and announces the change.
int set_entry(PyTypeObject* type, PyObject* name, PyObject* value) {
  Ref<> old;
  TypeLock lock;
  PyObject* old_raw = nullptr;
  if (PyDict_GetItemRef(type->tp_dict, name, &old_raw) < 0) return -1;
  old = Ref<>::steal(old_raw);
  type_modified_locked(type);
  if (value != nullptr) return PyDict_SetItem(type->tp_dict, name, value);
  return PyDict_Pop(type->tp_dict, name, nullptr) < 0 ? -1 : 0;
}

PyObject* raise_no_entry(PyTypeObject* type, const char* name) {
  PyErr_Format(PyExc_AttributeError, "type object '%s' has no attribute '%s'", type->tp_name, name);
  return nullptr;
}

PyObject* get_name(PyObject* self, void*) { return PyType_GetName(as_type(self)); }

int set_name(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  if (!may_set(type, value, "__name__")) return -1;
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "can only assign string to %s.__name__, not '%s'", type->tp_name,
                 Py_TYPE(value)->tp_name);
    return -1;
  }
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text == nullptr) return -1;
  if (std::strlen(text) != static_cast<size_t>(size)) {
    PyErr_SetString(PyExc_ValueError, "type name must not contain null characters");
    return -1;
  }
  Ref<> old;
  {
    TypeChange change(type, TypeChange::kReplaces);
    sync::store_release(type->tp_name, text);  // lives as long as ht_name
    old = sync::exchange_slot(&as_heap(type)->ht_name, Ref<>::share(value));
  }
  if (old) sync::retire_ref(old.release());  // whoever has read tp_name has no reference
  return 0;
}

PyObject* get_qualname(PyObject* self, void*) { return PyType_GetQualName(as_type(self)); }

int set_qualname(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  if (!may_set(type, value, "__qualname__")) return -1;
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "can only assign string to %s.__qualname__, not '%s'", type->tp_name,
                 Py_TYPE(value)->tp_name);
    return -1;
  }
  sync::set_slot(&as_heap(type)->ht_qualname, Ref<>::share(value));
  return 0;
}

PyObject* get_module(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  if (is_heap_type(type)) {
    bool error;
    Ref<> module = own_entry(type, names.dunder_module, &error);
    if (!module && !error) PyErr_SetObject(PyExc_AttributeError, names.dunder_module);
    return module.release();
  }
  const char* dot = std::strrchr(type->tp_name, '.');
  if (dot == nullptr) return Py_NewRef(names.str_builtins);
  PyObject* module = PyUnicode_FromStringAndSize(type->tp_name, dot - type->tp_name);
  if (module != nullptr) PyUnicode_InternInPlace(&module);
  return module;
}

int set_module(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  if (!may_set(type, value, "__module__")) return -1;
  if (set_entry(type, names.dunder_module, value) < 0) return -1;
  // The first line belongs to the class statement in the old module.
  return PyDict_Pop(type->tp_dict, names.dunder_firstlineno, nullptr) < 0 ? -1 : 0;
}

PyObject* get_abstractmethods(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  bool error = false;
  Ref<> value;
  // `type` itself has this descriptor in its dict: that is no value.
  if (type != &PyType_Type) value = own_entry(type, names.dunder_abstractmethods, &error);
  if (!value && !error) PyErr_SetObject(PyExc_AttributeError, names.dunder_abstractmethods);
  return value.release();
}

int set_abstractmethods(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  int abstract = 0;
  if (value != nullptr) {
    abstract = PyObject_IsTrue(value);
    if (abstract < 0) return -1;
    if (set_entry(type, names.dunder_abstractmethods, value) < 0) return -1;
  } else {
    int popped = PyDict_Pop(type->tp_dict, names.dunder_abstractmethods, nullptr);
    if (popped < 0) return -1;
    if (popped == 0) {
      PyErr_SetObject(PyExc_AttributeError, names.dunder_abstractmethods);
      return -1;
    }
  }
  TypeLock lock;
  type_modified_locked(type);
  const unsigned long flags = (type->tp_flags & ~Py_TPFLAGS_IS_ABSTRACT) | (abstract ? Py_TPFLAGS_IS_ABSTRACT : 0);
  if (flags != type->tp_flags) {
    TypeChange change(type, TypeChange::kFills);
    sync::store_relaxed(type->tp_flags, flags);
  }
  return 0;
}

PyObject* get_bases(PyObject* self, void*) {
  Ref<> bases = sync::get_ref(&as_type(self)->tp_bases);
  return bases ? bases.release() : Py_NewRef(Py_None);
}

int set_bases(PyObject* self, PyObject* value, void*) { return type_set_bases(as_type(self), value); }

PyObject* get_mro(PyObject* self, void*) {
  PyObject* mro = type_mro_ref(as_type(self));
  return mro != nullptr ? mro : Py_NewRef(Py_None);
}

PyObject* get_dict(PyObject* self, void*) {
  PyObject* dict = as_type(self)->tp_dict;
  return dict == nullptr ? Py_NewRef(Py_None) : PyDictProxy_New(dict);
}

PyObject* get_doc(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  if (!is_heap_type(type) && type->tp_doc != nullptr) return doc_from_internal_doc(type->tp_name, type->tp_doc);
  bool error;
  Ref<> doc = own_entry(type, names.dunder_doc, &error);
  if (error) return nullptr;
  if (!doc) return Py_NewRef(Py_None);
  descrgetfunc get = Py_TYPE(doc.get())->tp_descr_get;
  return get != nullptr ? get(doc.get(), nullptr, self) : doc.release();
}

int set_doc(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  return may_set(type, value, "__doc__") ? set_entry(type, names.dunder_doc, value) : -1;
}

PyObject* get_text_signature(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  return text_signature_from_doc(type->tp_name, type->tp_doc, 0);
}

// Heap types keep the annotation function under one of two names, static types have none.
PyObject* get_annotate(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  if (!is_heap_type(type)) return raise_no_entry(type, "__annotate__");
  for (PyObject* name : {names.dunder_annotate, names.dunder_annotate_func}) {
    bool error;
    Ref<> annotate = own_entry(type, name, &error);
    if (error) return nullptr;
    if (!annotate) continue;
    descrgetfunc get = Py_TYPE(annotate.get())->tp_descr_get;
    return get != nullptr ? get(annotate.get(), nullptr, self) : annotate.release();
  }
  if (set_entry(type, names.dunder_annotate_func, Py_None) < 0) return nullptr;
  return Py_NewRef(Py_None);
}

int set_annotate(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "cannot delete __annotate__ attribute");
    return -1;
  }
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_Format(PyExc_TypeError, "cannot set '__annotate__' attribute of immutable type '%s'", type->tp_name);
    return -1;
  }
  if (value != Py_None && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__annotate__ must be callable or None");
    return -1;
  }
  if (set_entry(type, names.dunder_annotate_func, value) < 0) return -1;
  if (value == Py_None) return 0;
  if (set_entry(type, names.dunder_annotations_cache, nullptr) < 0) return -1;
  return set_entry(type, names.dunder_annotations, nullptr);
}

PyObject* get_annotations(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  if (!is_heap_type(type)) return raise_no_entry(type, "__annotations__");
  for (PyObject* name : {names.dunder_annotations, names.dunder_annotations_cache}) {
    bool error;
    Ref<> present = own_entry(type, name, &error);
    if (error) return nullptr;
    if (!present) continue;
    descrgetfunc get = Py_TYPE(present.get())->tp_descr_get;
    return get != nullptr ? get(present.get(), nullptr, self) : present.release();
  }
  Ref<> annotate = Ref<>::steal(PyObject_GetAttr(self, names.dunder_annotate));
  if (!annotate) return nullptr;
  Ref<> annotations;
  if (PyCallable_Check(annotate.get())) {
    Ref<> value_format = Ref<>::steal(PyLong_FromLong(1));  // annotationlib.Format.VALUE
    if (!value_format) return nullptr;
    annotations = Ref<>::steal(PyObject_CallOneArg(annotate.get(), value_format.get()));
    if (!annotations) return nullptr;
    if (!PyDict_Check(annotations.get())) {
      PyErr_Format(PyExc_TypeError, "__annotate__ returned non-dict of type '%.100s'",
                   Py_TYPE(annotations.get())->tp_name);
      return nullptr;
    }
  } else {
    annotations = Ref<>::steal(PyDict_New());
    if (!annotations) return nullptr;
  }
  if (set_entry(type, names.dunder_annotations_cache, annotations.get()) < 0) return nullptr;
  return annotations.release();
}

int set_annotations(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_Format(PyExc_TypeError, "cannot set '__annotations__' attribute of immutable type '%s'", type->tp_name);
    return -1;
  }
  int had_plain = PyDict_Contains(type->tp_dict, names.dunder_annotations);
  if (had_plain < 0) return -1;
  PyObject* where = had_plain ? names.dunder_annotations : names.dunder_annotations_cache;
  if (value != nullptr) {
    if (set_entry(type, where, value) < 0) return -1;
  } else {
    int present = PyDict_Contains(type->tp_dict, where);
    if (present < 0) return -1;
    if (!present) {
      PyErr_SetString(PyExc_AttributeError, "__annotations__");
      return -1;
    }
    if (set_entry(type, where, nullptr) < 0) return -1;
  }
  if (had_plain && set_entry(type, names.dunder_annotations_cache, nullptr) < 0) return -1;
  if (set_entry(type, names.dunder_annotate_func, nullptr) < 0) return -1;
  return set_entry(type, names.dunder_annotate, nullptr);
}

PyObject* get_type_params(PyObject* self, void*) {
  PyTypeObject* type = as_type(self);
  if (type == &PyType_Type) return PyTuple_New(0);
  bool error;
  Ref<> params = own_entry(type, names.dunder_type_params, &error);
  if (params || error) return params.release();
  return PyTuple_New(0);
}

int set_type_params(PyObject* self, PyObject* value, void*) {
  PyTypeObject* type = as_type(self);
  return may_set(type, value, "__type_params__") ? set_entry(type, names.dunder_type_params, value) : -1;
}

}  // namespace

PyGetSetDef type_getsets[] = {
    {"__name__", get_name, set_name, nullptr, nullptr},
    {"__qualname__", get_qualname, set_qualname, nullptr, nullptr},
    {"__bases__", get_bases, set_bases, nullptr, nullptr},
    {"__mro__", get_mro, nullptr, nullptr, nullptr},
    {"__module__", get_module, set_module, nullptr, nullptr},
    {"__abstractmethods__", get_abstractmethods, set_abstractmethods, nullptr, nullptr},
    {"__dict__", get_dict, nullptr, nullptr, nullptr},
    {"__doc__", get_doc, set_doc, nullptr, nullptr},
    {"__text_signature__", get_text_signature, nullptr, nullptr, nullptr},
    {"__annotations__", get_annotations, set_annotations, nullptr, nullptr},
    {"__annotate__", get_annotate, set_annotate, nullptr, nullptr},
    {"__type_params__", get_type_params, set_type_params, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyType_GetName(PyTypeObject* type) {
  if (is_heap_type(type)) return sync::get_ref(&as_heap(type)->ht_name).release();
  return PyUnicode_InternFromString(short_name(type));
}

PyObject* PyType_GetQualName(PyTypeObject* type) {
  if (is_heap_type(type)) return sync::get_ref(&as_heap(type)->ht_qualname).release();
  return PyUnicode_InternFromString(short_name(type));
}

PyObject* PyType_GetModuleName(PyTypeObject* type) { return get_module(as_object(type), nullptr); }

PyObject* PyType_GetFullyQualifiedName(PyTypeObject* type) {
  if (!is_heap_type(type)) return PyUnicode_FromString(type->tp_name);
  Ref<> qualname = Ref<>::steal(PyType_GetQualName(type));
  if (!qualname) return nullptr;
  Ref<> module = Ref<>::steal(get_module(as_object(type), nullptr));
  if (!module) return nullptr;
  if (PyUnicode_Check(module.get()) && PyUnicode_CompareWithASCIIString(module.get(), "builtins") != 0 &&
      PyUnicode_CompareWithASCIIString(module.get(), "__main__") != 0) {
    return PyUnicode_FromFormat("%U.%U", module.get(), qualname.get());
  }
  return qualname.release();
}

PyObject* PyType_GetDict(PyTypeObject* type) { return Py_XNewRef(type->tp_dict); }

PyAPI_FUNC(PyObject*) _PyType_GetDict(PyTypeObject* type);
PyObject* _PyType_GetDict(PyTypeObject* type) { return type->tp_dict; }

PyAPI_FUNC(const char*) _PyType_Name(PyTypeObject* type);
const char* _PyType_Name(PyTypeObject* type) { return short_name(type); }

}  // extern "C"
