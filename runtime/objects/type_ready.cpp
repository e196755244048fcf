// PyType_Ready: completes a type whose native part is filled in: base, dict, MRO, inherited layout and slots.
#include "objects/type.h"
#include "memory/balance.h"
#include "objects/descriptor_static.h"
#include "objects/type_slots.h"
#include "sync/deferred.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <cstring>
#include <optional>

namespace amphis {

namespace {

int set_default(PyObject* dict, PyObject* name, PyObject* value) {
  int result = PyDict_SetDefaultRef(dict, name, value, nullptr);
  return result < 0 ? -1 : 0;
}

int check_consistent(PyTypeObject* type) {
  if (type->tp_name == nullptr) {
    PyErr_Format(PyExc_SystemError, "Type does not define the tp_name field.");
    return -1;
  }
  // Who sets the flag inherits no such function.
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 && type->tp_traverse == nullptr) {
    PyErr_Format(PyExc_SystemError, "type %s has the Py_TPFLAGS_HAVE_GC flag but has no traverse function",
                 type->tp_name);
    return -1;
  }
  return 0;
}

int set_bases(PyTypeObject* type) {
  if (type->tp_base == nullptr && type != &PyBaseObject_Type) {
    type->tp_base = &PyBaseObject_Type;
    if (is_heap_type(type)) Py_INCREF(as_object(type->tp_base));
  }
  PyTypeObject* base = type->tp_base;
  if (base != nullptr && (base->tp_flags & Py_TPFLAGS_READY) == 0 && PyType_Ready(base) < 0) return -1;
  if (Py_TYPE(as_object(type)) == nullptr) {
    Py_SET_TYPE(as_object(type), base != nullptr ? Py_TYPE(as_object(base)) : &PyType_Type);
  }
  if (type->tp_bases == nullptr) {
    PyObject* bases = base == nullptr ? PyTuple_New(0) : PyTuple_Pack(1, base);
    if (bases == nullptr) return -1;
    sync::set_slot(&type->tp_bases, Ref<>::steal(bases));
  }
  return 0;
}

int fill_dict(PyTypeObject* type) {
  if (type->tp_dict == nullptr) {
    type->tp_dict = PyDict_New();
    if (type->tp_dict == nullptr) return -1;
  }
  if (type_add_operators(type) < 0) return -1;
  if (type->tp_methods != nullptr && type_add_methods(type, type->tp_methods) < 0) return -1;
  if (type->tp_members != nullptr && type_add_members(type, type->tp_members) < 0) return -1;
  if (type->tp_getset != nullptr && type_add_getset(type, type->tp_getset) < 0) return -1;
  if (type->tp_doc != nullptr) {
    int present = PyDict_Contains(type->tp_dict, names.dunder_doc);
    if (present < 0) return -1;
    if (!present) {
      Ref<> doc = Ref<>::steal(doc_from_internal_doc(type->tp_name, type->tp_doc));
      if (!doc || PyDict_SetItem(type->tp_dict, names.dunder_doc, doc.get()) < 0) return -1;
    }
    return 0;
  }
  return set_default(type->tp_dict, names.dunder_doc, Py_None);
}

// tp_new: a static type that says nothing and has only object above it cannot be called.
int set_new(PyTypeObject* type) {
  if (type->tp_new != nullptr) {
    if ((type->tp_flags & Py_TPFLAGS_DISALLOW_INSTANTIATION) != 0) {
      type->tp_new = nullptr;
      return 0;
    }
    return is_heap_type(type) && type->tp_new == slot_new ? 0 : type_add_new_wrapper(type);
  }
  if (type->tp_base == &PyBaseObject_Type && !is_heap_type(type)) {
    type->tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
  }
  if ((type->tp_flags & Py_TPFLAGS_DISALLOW_INSTANTIATION) == 0) {
    type->tp_new = type->tp_base->tp_new;
    if (type->tp_new == nullptr) type->tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
  }
  return 0;
}

}  // namespace

void type_inherit_layout(PyTypeObject* type, PyTypeObject* base) {
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) == 0 && (base->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 &&
      type->tp_traverse == nullptr && type->tp_clear == nullptr) {
    type->tp_flags |= Py_TPFLAGS_HAVE_GC;
    type->tp_traverse = base->tp_traverse;
    type->tp_clear = base->tp_clear;
  }
  if (type->tp_basicsize == 0) type->tp_basicsize = base->tp_basicsize;
  if (type->tp_itemsize == 0) type->tp_itemsize = base->tp_itemsize;
  if (type->tp_weaklistoffset == 0) type->tp_weaklistoffset = base->tp_weaklistoffset;
  if (type->tp_dictoffset == 0) type->tp_dictoffset = base->tp_dictoffset;
  constexpr unsigned long kFamily = Py_TPFLAGS_LONG_SUBCLASS | Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_TUPLE_SUBCLASS |
                                    Py_TPFLAGS_BYTES_SUBCLASS | Py_TPFLAGS_UNICODE_SUBCLASS |
                                    Py_TPFLAGS_DICT_SUBCLASS | Py_TPFLAGS_BASE_EXC_SUBCLASS |
                                    Py_TPFLAGS_TYPE_SUBCLASS | _Py_TPFLAGS_MATCH_SELF | Py_TPFLAGS_ITEMS_AT_END |
                                    Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF;
  type->tp_flags |= base->tp_flags & kFamily;
  if ((type->tp_flags & (Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING)) == 0) {
    type->tp_flags |= base->tp_flags & (Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING);
  }
}

namespace {

// What every thread finds in a static type lives as long as the type, for ever: finding it shall write no count.
void make_parts_immortal(PyTypeObject* type) {
  Py_ssize_t pos = 0;
  PyObject *key, *value;
  while (PyDict_Next(type->tp_dict, &pos, &key, &value)) {
    PyTypeObject* kind = Py_TYPE(value);
    if (kind == &PyMethodDescr_Type || kind == &PyWrapperDescr_Type || kind == &PyGetSetDescr_Type ||
        kind == &PyMemberDescr_Type || kind == &PyClassMethodDescr_Type || kind == &PyStaticMethod_Type ||
        kind == &PyCFunction_Type) {
      _Py_SetImmortal(value);
    }
  }
  _Py_SetImmortal(type->tp_mro);
  _Py_SetImmortal(type->tp_bases);
}

int ready_unguarded(PyTypeObject* type) {
  if (check_consistent(type) < 0 || set_bases(type) < 0 || fill_dict(type) < 0) return -1;
  if (type_compute_mro(type) < 0) return -1;
  PyTypeObject* base = type->tp_base;
  if (base == nullptr) {
    if (type_add_new_wrapper(type) < 0) return -1;
  } else {
    if (set_new(type) < 0) return -1;
    type_inherit_layout(type, base);
    // A heap type that an extension put together by itself (pybind11 does). Cython calls its static types heap types while
    // they are made ready: they are no longer than a PyTypeObject.
    if (is_heap_type(type) && !_Py_IsImmortal(as_object(type)) && type_extra(type) == nullptr) {
      auto* extra = static_cast<TypeExtra*>(PyMem_Calloc(1, sizeof(TypeExtra)));
      if (extra == nullptr) {
        PyErr_NoMemory();
        return -1;
      }
      auto* heap = reinterpret_cast<PyHeapTypeObject*>(type);
      heap->ht_cached_keys = reinterpret_cast<decltype(heap->ht_cached_keys)>(extra);
      type_append_managed(type);
    }
    type_inherit_slots(type);
    if (type->tp_hash == nullptr) {
      int present = PyDict_Contains(type->tp_dict, names.dunder_hash);
      if (present < 0) return -1;
      if (!present) {
        if (PyDict_SetItem(type->tp_dict, names.dunder_hash, Py_None) < 0) return -1;
        type->tp_hash = PyObject_HashNotImplemented;
      }
    }
    PyObject* bases = type->tp_bases;
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
      if (type_add_subclass(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, i)), type) < 0) return -1;
    }
  }
  if (!is_heap_type(type)) {
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    make_parts_immortal(type);
  }
  if ((type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) != 0 && type->tp_descr_get != nullptr && base != nullptr &&
      type->tp_descr_get == base->tp_descr_get) {
    type->tp_flags |= base->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR;
  }
  type->tp_flags = (type->tp_flags & ~Py_TPFLAGS_READYING) | Py_TPFLAGS_READY;
  return 0;
}

}  // namespace

namespace {

int add_descriptor(PyTypeObject* type, PyObject* name, Ref<> descr, bool replace) {
  if (!descr) return -1;
  if (is_heap_type(type)) sync::set_deferred(descr.get());  // those of static types become immortal
  if (replace) return PyDict_SetItem(type->tp_dict, name, descr.get());
  return set_default(type->tp_dict, name, descr.get());
}

}  // namespace

int type_add_methods(PyTypeObject* type, PyMethodDef* methods) {
  for (PyMethodDef* def = methods; def->ml_name != nullptr; ++def) {
    Ref<> descr;
    if ((def->ml_flags & METH_CLASS) != 0) {
      if ((def->ml_flags & METH_STATIC) != 0) {
        PyErr_SetString(PyExc_ValueError, "method cannot be both class and static");
        return -1;
      }
      descr = Ref<>::steal(PyDescr_NewClassMethod(type, def));
    } else if ((def->ml_flags & METH_STATIC) != 0) {
      Ref<> function = Ref<>::steal(PyCMethod_New(def, as_object(type), nullptr, type));
      if (!function) return -1;
      descr = Ref<>::steal(static_method_around(function.get()));
    } else {
      descr = Ref<>::steal(PyDescr_NewMethod(type, def));
    }
    if (!descr) return -1;
    bool has_name = (def->ml_flags & METH_STATIC) == 0;
    Ref<> name = has_name ? Ref<>::share(PyDescr_NAME(descr.get())) : Ref<>::steal(PyUnicode_InternFromString(def->ml_name));
    if (!name) return -1;
    if (add_descriptor(type, name.get(), static_cast<Ref<>&&>(descr), (def->ml_flags & METH_COEXIST) != 0) < 0) return -1;
  }
  return 0;
}

int type_add_members(PyTypeObject* type, PyMemberDef* members) {
  for (PyMemberDef* def = members; def->name != nullptr; ++def) {
    Ref<> descr = Ref<>::steal(PyDescr_NewMember(type, def));
    if (!descr) return -1;
    PyObject* name = PyDescr_NAME(descr.get());
    if (add_descriptor(type, name, static_cast<Ref<>&&>(descr), false) < 0) return -1;
  }
  return 0;
}

int type_add_getset(PyTypeObject* type, PyGetSetDef* getset) {
  for (PyGetSetDef* def = getset; def->name != nullptr; ++def) {
    Ref<> descr = Ref<>::steal(PyDescr_NewGetSet(type, def));
    if (!descr) return -1;
    PyObject* name = PyDescr_NAME(descr.get());
    if (add_descriptor(type, name, static_cast<Ref<>&&>(descr), false) < 0) return -1;
  }
  return 0;
}

// --- Doc strings of built-ins: "name(signature)\n--\n\ntext" ------------------------------------------------------

namespace {

// The "(" that opens the signature, or null.
const char* find_signature(const char* name, const char* doc) {
  const char* dot = std::strrchr(name, '.');
  if (dot != nullptr) name = dot + 1;
  size_t length = std::strlen(name);
  if (std::strncmp(doc, name, length) != 0) return nullptr;
  return doc[length] == '(' ? doc + length : nullptr;
}

constexpr char kMarker[] = ")\n--\n\n";
constexpr size_t kMarkerLength = sizeof(kMarker) - 1;

const char* find_marker(const char* doc) {
  for (; *doc != '\0'; ++doc) {
    if (std::strncmp(doc, kMarker, kMarkerLength) == 0) return doc;
    if (doc[0] == '\n' && doc[1] == '\n') return nullptr;
  }
  return nullptr;
}

}  // namespace

PyObject* doc_from_internal_doc(const char* name, const char* doc) {
  if (doc == nullptr || *doc == '\0') return Py_NewRef(Py_None);
  const char* signature = find_signature(name, doc);
  if (signature != nullptr) {
    const char* marker = find_marker(signature);
    if (marker != nullptr) doc = marker + kMarkerLength;
  }
  if (*doc == '\0') return Py_NewRef(Py_None);
  return PyUnicode_FromString(doc);
}

PyObject* text_signature_from_doc(const char* name, const char* doc, int flags) {
  const char* signature = doc == nullptr ? nullptr : find_signature(name, doc);
  const char* marker = signature == nullptr ? nullptr : find_marker(signature);
  if (marker == nullptr) {
    switch (flags & ~METH_COEXIST) {
      case METH_NOARGS:
        return PyUnicode_FromString("($self, /)");
      case METH_NOARGS | METH_CLASS:
        return PyUnicode_FromString("($type, /)");
      case METH_NOARGS | METH_STATIC:
        return PyUnicode_FromString("()");
      case METH_O:
        return PyUnicode_FromString("($self, object, /)");
      case METH_O | METH_CLASS:
        return PyUnicode_FromString("($type, object, /)");
      case METH_O | METH_STATIC:
        return PyUnicode_FromString("(object, /)");
      default:
        return Py_NewRef(Py_None);
    }
  }
  return PyUnicode_FromStringAndSize(signature, marker + 1 - signature);
}

}  // namespace amphis

using namespace amphis;

extern "C" int PyType_Ready(PyTypeObject* type) {
  if ((type->tp_flags & Py_TPFLAGS_READY) != 0) return 0;
  if (init_names() < 0 || init_slot_table() < 0) return -1;
  TypeLock lock;
  // Looking something up on a type that this thread is just making ready sees it half made.
  if ((type->tp_flags & (Py_TPFLAGS_READY | Py_TPFLAGS_READYING)) != 0) return 0;
  type->tp_flags |= Py_TPFLAGS_READYING;
  std::optional<memory::balance::Permanent> permanent;
  if (!is_heap_type(type)) permanent.emplace("static types that modules make ready: as long as the process");
  if (ready_unguarded(type) == 0) return 0;
  type->tp_flags &= ~Py_TPFLAGS_READYING;
  return -1;
}
