// type(name, bases, namespace): what a class statement ends in. Computes the metaclass and the layout (slots, dict, weak
// references, inline values), makes the type, fills it from the namespace, and runs __set_name__ and
// __init_subclass__.
#include "objects/type.h"
#include "objects/container_support.h"
#include "objects/instance.h"
#include "objects/type_slots.h"
#include "objects/weakref.h"

#include "gc/object_new.h"
#include "sync/deferred.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace amphis {

PyTypeObject* type_calculate_metaclass(PyTypeObject* metatype, PyObject* bases) {
  PyTypeObject* winner = metatype;
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
    PyTypeObject* candidate = Py_TYPE(PyTuple_GET_ITEM(bases, i));
    if (type_is_subtype_of(winner, candidate)) continue;
    if (type_is_subtype_of(candidate, winner)) {
      winner = candidate;
      continue;
    }
    PyErr_SetString(PyExc_TypeError,
                    "metaclass conflict: the metaclass of a derived class must be a (non-strict) subclass of the "
                    "metaclasses of all its bases");
    return nullptr;
  }
  return winner;
}

namespace {

PyTypeObject* as_type(PyObject* obj) { return reinterpret_cast<PyTypeObject*>(obj); }

// --- __dict__ and __weakref__ of instances ----------------------------------------------------------------------

// A __dict__ descriptor that a native base defines takes precedence over ours.
Ref<> native_dict_descriptor(PyTypeObject* type) {
  for (PyTypeObject* base = type->tp_base; base != nullptr; base = base->tp_base) {
    if (is_heap_type(base) && base->tp_dealloc == subtype_dealloc) continue;
    Ref<> descr = Ref<>::steal(type_lookup(base, names.dunder_dict));
    if (descr && Py_TYPE(descr.get())->tp_descr_get != nullptr && Py_TYPE(descr.get())->tp_descr_set != nullptr) {
      return descr;
    }
    return Ref<>();
  }
  return Ref<>();
}

PyObject* get_instance_dict(PyObject* obj, void*) {
  Ref<> native = native_dict_descriptor(Py_TYPE(obj));
  if (native) {
    return Py_TYPE(native.get())->tp_descr_get(native.get(), obj, as_object(Py_TYPE(obj)));
  }
  return PyObject_GenericGetDict(obj, nullptr);
}

int set_instance_dict(PyObject* obj, PyObject* value, void*) {
  Ref<> native = native_dict_descriptor(Py_TYPE(obj));
  if (native) return Py_TYPE(native.get())->tp_descr_set(native.get(), obj, value);
  if (instance_dict_slot(obj, Py_TYPE(obj)) == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "This object has no __dict__");
    return -1;
  }
  if (value != nullptr && !PyDict_Check(value)) {
    PyErr_Format(PyExc_TypeError, "__dict__ must be set to a dictionary, not a '%.200s'", Py_TYPE(value)->tp_name);
    return -1;
  }
  return instance_set_dict(obj, value);
}

PyObject* get_instance_weakref(PyObject* obj, void*) {
  if (Py_TYPE(obj)->tp_weaklistoffset == 0) {
    PyErr_SetString(PyExc_AttributeError, "This object has no __weakref__");
    return nullptr;
  }
  PyObject* first = weakref_first(obj);
  return first != nullptr ? first : Py_NewRef(Py_None);
}

PyGetSetDef dict_getset = {"__dict__", get_instance_dict, set_instance_dict, "dictionary for instance variables",
                           nullptr};
PyGetSetDef weakref_getset = {"__weakref__", get_instance_weakref, nullptr,
                              "list of weak references to the object", nullptr};

// --- The class under construction -------------------------------------------------------------------------------

struct Builder {
  PyTypeObject* metatype;
  PyObject* args;
  PyObject* kwargs;
  PyObject* name;
  PyObject* original_namespace;
  Ref<> bases;
  PyTypeObject* base = nullptr;
  Ref<> dict;
  Ref<> slots;  // sorted tuple of mangled names, or null
  bool may_add_dict = false;
  bool may_add_weak = false;
  bool add_dict = false;
  bool add_weak = false;
  Ref<> type;

  PyTypeObject* made() const { return as_type(type.get()); }
};

bool valid_identifier(PyObject* name) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "__slots__ items must be strings, not '%.200s'", Py_TYPE(name)->tp_name);
    return false;
  }
  if (!PyUnicode_IsIdentifier(name)) {
    PyErr_SetString(PyExc_TypeError, "__slots__ must be identifiers");
    return false;
  }
  return true;
}

// `__x` in class C is `_C__x`, as for any private name.
PyObject* mangle(PyObject* class_name, PyObject* name) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(name);
  bool leading = n > 2 && PyUnicode_READ_CHAR(name, 0) == '_' && PyUnicode_READ_CHAR(name, 1) == '_';
  bool trailing = n > 2 && PyUnicode_READ_CHAR(name, n - 1) == '_' && PyUnicode_READ_CHAR(name, n - 2) == '_';
  Py_ssize_t length = PyUnicode_GET_LENGTH(class_name);
  Py_ssize_t skip = 0;
  while (skip < length && PyUnicode_READ_CHAR(class_name, skip) == '_') ++skip;
  if (!leading || trailing || skip == length) return Py_NewRef(name);
  Ref<> stripped = Ref<>::steal(PyUnicode_Substring(class_name, skip, length));
  return stripped ? PyUnicode_FromFormat("_%U%U", stripped.get(), name) : nullptr;
}

int read_slots(Builder* b) {
  PyObject* raw = nullptr;
  int found = PyDict_GetItemRef(b->dict.get(), names.dunder_slots, &raw);
  if (found < 0) return -1;
  Ref<> given = Ref<>::steal(raw);
  b->may_add_dict = b->base->tp_dictoffset == 0;
  b->may_add_weak = b->base->tp_weaklistoffset == 0 && b->base->tp_itemsize == 0;
  if (!given) {
    b->add_dict = b->may_add_dict;
    b->add_weak = b->may_add_weak;
    return 0;
  }
  Ref<> items = Ref<>::steal(PyUnicode_Check(given.get()) ? PyTuple_Pack(1, given.get())
                                                          : PySequence_Tuple(given.get()));
  if (!items) return -1;
  Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  if (n > 0 && b->base->tp_itemsize != 0) {
    PyErr_Format(PyExc_TypeError, "nonempty __slots__ not supported for subtype of '%s'", b->base->tp_name);
    return -1;
  }
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return -1;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.get(), i);
    if (!valid_identifier(item)) return -1;
    if (PyUnicode_CompareWithASCIIString(item, "__dict__") == 0) {
      if (!b->may_add_dict || b->add_dict) {
        PyErr_SetString(PyExc_TypeError, "__dict__ slot disallowed: we already got one");
        return -1;
      }
      b->add_dict = true;
      continue;
    }
    if (PyUnicode_CompareWithASCIIString(item, "__weakref__") == 0) {
      if (!b->may_add_weak || b->add_weak) {
        PyErr_SetString(PyExc_TypeError, "__weakref__ slot disallowed: we already got one");
        return -1;
      }
      b->add_weak = true;
      continue;
    }
    Ref<> mangled = Ref<>::steal(mangle(b->name, item));
    if (!mangled || PyList_Append(list.get(), mangled.get()) < 0) return -1;
    // __qualname__ and __classcell__ leave the namespace, so a slot may have those names.
    int clash = PyDict_Contains(b->dict.get(), mangled.get());
    if (clash < 0) return -1;
    if (clash && PyUnicode_CompareWithASCIIString(mangled.get(), "__qualname__") != 0 &&
        PyUnicode_CompareWithASCIIString(mangled.get(), "__classcell__") != 0 &&
        PyUnicode_CompareWithASCIIString(mangled.get(), "__classdictcell__") != 0) {
      PyErr_Format(PyExc_ValueError, "%R in __slots__ conflicts with class variable", mangled.get());
      return -1;
    }
  }
  // Sorted, so that classes with the same slots have the same layout.
  if (PyList_Sort(list.get()) < 0) return -1;
  b->slots = Ref<>::steal(PyList_AsTuple(list.get()));
  if (!b->slots) return -1;
  // Another base than the layout's may bring a dict or weak references.
  for (Py_ssize_t i = 0, m = PyTuple_GET_SIZE(b->bases.get()); i < m; ++i) {
    PyTypeObject* other = as_type(PyTuple_GET_ITEM(b->bases.get(), i));
    if (other == b->base) continue;
    if (b->may_add_dict && other->tp_dictoffset != 0) b->add_dict = true;
    if (b->may_add_weak && other->tp_weaklistoffset != 0) b->add_weak = true;
  }
  return 0;
}

int allocate(Builder* b) {
  Py_ssize_t nslots = b->slots ? PyTuple_GET_SIZE(b->slots.get()) : 0;
  b->type = Ref<>::steal(b->metatype->tp_alloc(b->metatype, nslots));
  if (!b->type) return -1;
  PyTypeObject* type = b->made();
  auto* heap = reinterpret_cast<PyHeapTypeObject*>(type);
  type->tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HEAPTYPE | Py_TPFLAGS_BASETYPE;
  auto* extra = static_cast<TypeExtra*>(PyMem_Calloc(1, sizeof(TypeExtra)));
  if (extra == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  heap->ht_cached_keys = reinterpret_cast<decltype(heap->ht_cached_keys)>(extra);
  type->tp_as_async = &heap->as_async;
  type->tp_as_sequence = &heap->as_sequence;
  type->tp_as_mapping = &heap->as_mapping;
  type->tp_as_number = &heap->as_number;
  type->tp_as_buffer = &heap->as_buffer;
  sync::set_slot(&type->tp_bases, b->bases.copy());
  type->tp_base = as_type(Py_NewRef(as_object(b->base)));
  type->tp_dict = b->dict.copy().release();
  sync::publish(b->name);
  heap->ht_name = Py_NewRef(b->name);
  heap->ht_slots = b->slots ? b->slots.copy().release() : nullptr;
  Py_ssize_t size;
  type->tp_name = PyUnicode_AsUTF8AndSize(b->name, &size);
  if (type->tp_name == nullptr) return -1;
  if (std::strlen(type->tp_name) != static_cast<size_t>(size)) {
    PyErr_SetString(PyExc_ValueError, "type name must not contain null characters");
    return -1;
  }
  sync::set_deferred(b->type.get());
  return 0;
}

// What a class is made with stays with it, and every thread that uses the class touches it.
void defer_contents(PyObject* dict) {
  if constexpr (!kRaces) return;
  Py_ssize_t at = 0;
  PyObject *name, *value;
  while (PyDict_Next(dict, &at, &name, &value)) {
    if (PyFunction_Check(value) || Py_IS_TYPE(value, &PyProperty_Type) || Py_IS_TYPE(value, &PyStaticMethod_Type) ||
        Py_IS_TYPE(value, &PyClassMethod_Type)) {
      sync::set_deferred(value);
    }
  }
}

// How many attributes instances will want: what methods assign to self, here and in the bases.
uint8_t guess_capacity(Builder* b) {
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(b->dict.get(), names.dunder_static_attributes, &raw) < 0) PyErr_Clear();
  Ref<> assigned = Ref<>::steal(raw);
  Py_ssize_t n = assigned && PyTuple_Check(assigned.get()) ? PyTuple_GET_SIZE(assigned.get()) : 0;
  for (Py_ssize_t i = 0, m = PyTuple_GET_SIZE(b->bases.get()); i < m; ++i) {
    PyTypeObject* base = as_type(PyTuple_GET_ITEM(b->bases.get(), i));
    if (is_heap_type(base) && type_extra(base) != nullptr) {
      n += std::max<Py_ssize_t>(type_extra(base)->capacity_guess, sync::load_relaxed(type_extra(base)->keys.count));
    }
  }
  return static_cast<uint8_t>(std::min<Py_ssize_t>(n, kMaxSharedKeys));
}

// Lays out slots, dict and weak reference list behind the base's part.
int set_layout(Builder* b) {
  PyTypeObject* type = b->made();
  PyTypeObject* base = b->base;
  TypeExtra* extra = type_extra(type);
  Py_ssize_t nslots = b->slots ? PyTuple_GET_SIZE(b->slots.get()) : 0;
  constexpr Py_ssize_t kWord = sizeof(PyObject*);
  extra->folded_bytes = static_cast<uint8_t>(type_managed_bytes(base));
  Py_ssize_t offset = base->tp_basicsize + extra->folded_bytes;
  if (base->tp_itemsize == 0) offset = (offset + kWord - 1) & ~(kWord - 1);
  auto* member = reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + b->metatype->tp_basicsize);
  for (Py_ssize_t i = 0; i < nslots; ++i, ++member) {
    PyObject* slot_name = PyTuple_GET_ITEM(b->slots.get(), i);
    member->name = PyUnicode_AsUTF8(slot_name);
    if (member->name == nullptr) return -1;
    member->type = Py_T_OBJECT_EX;
    member->offset = offset;
    offset += kWord;
  }
  if (nslots != 0) type->tp_members = reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + b->metatype->tp_basicsize);
  type->tp_itemsize = base->tp_itemsize;
  type->tp_dictoffset = base->tp_dictoffset;
  type->tp_weaklistoffset = base->tp_weaklistoffset;
  if (b->add_dict) {
    type->tp_dictoffset = base->tp_itemsize != 0 ? -kWord : offset;
    offset += kWord;
    extra->added_dict = true;
  }
  if (b->add_weak) {
    type->tp_weaklistoffset = offset;
    offset += kWord;
    extra->added_weaklist = true;
  }
  type->tp_basicsize = offset;
  bool inline_base = base->tp_dictoffset != 0 && (base->tp_flags & Py_TPFLAGS_INLINE_VALUES) != 0;
  if (type->tp_itemsize == 0 && type->tp_dictoffset > 0 && (b->add_dict || inline_base)) {
    type->tp_flags |= Py_TPFLAGS_INLINE_VALUES;
    extra->capacity_guess = guess_capacity(b);
  }
  bool has_gc = (base->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 || b->add_dict || nslots != 0;
  if (has_gc) type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  extra->plain_instances = nslots == 0 && (base == &PyBaseObject_Type || (is_heap_type(base) && type_extra(base)->plain_instances));
  return 0;
}

void set_native_slots(Builder* b) {
  PyTypeObject* type = b->made();
  PyTypeObject* base = b->base;
  type->tp_dealloc = subtype_dealloc;
  type->tp_alloc = PyType_GenericAlloc;
  if (PyType_IS_GC(type)) {
    type->tp_free = PyObject_GC_Del;
    // A collected base keeps its own functions only through ours.
    type->tp_traverse = subtype_traverse;
    type->tp_clear = subtype_clear;
  } else {
    type->tp_free = PyObject_Free;
  }
  type_inherit_layout(type, base);
  type->tp_vectorcall = type_vectorcall;
}

int move_to_type_doc(PyTypeObject* type, PyObject* doc) {
  if (doc == nullptr || !PyUnicode_Check(doc)) return 0;
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(doc, &size);
  if (text == nullptr) return -1;
  auto* copy = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size) + 1));
  if (copy == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  std::memcpy(copy, text, static_cast<size_t>(size) + 1);
  type->tp_doc = copy;
  return 0;
}

// Wraps a plain function of the namespace as staticmethod or classmethod.
int wrap_function(PyObject* dict, PyObject* name, PyObject* (*wrap)(PyObject*)) {
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(dict, name, &raw) < 0) return -1;
  Ref<> function = Ref<>::steal(raw);
  if (!function || !PyFunction_Check(function.get())) return 0;
  Ref<> wrapped = Ref<>::steal(wrap(function.get()));
  return wrapped ? PyDict_SetItem(dict, name, wrapped.get()) : -1;
}

int set_names(Builder* b) {
  PyTypeObject* type = b->made();
  PyObject* dict = b->dict.get();
  auto* heap = reinterpret_cast<PyHeapTypeObject*>(type);
  // __module__ is that of the running code.
  int present = PyDict_Contains(dict, names.dunder_module);
  if (present < 0) return -1;
  if (!present) {
    PyObject* globals = PyEval_GetGlobals();
    if (globals != nullptr) {
      PyObject* raw = nullptr;
      if (PyDict_GetItemRef(globals, names.dunder_name, &raw) < 0) return -1;
      Ref<> module = Ref<>::steal(raw);
      if (module && PyDict_SetItem(dict, names.dunder_module, module.get()) < 0) return -1;
    }
  }
  PyObject* raw = nullptr;
  if (PyDict_Pop(dict, names.dunder_qualname, &raw) < 0) return -1;
  Ref<> qualname = Ref<>::steal(raw);
  if (qualname && !PyUnicode_Check(qualname.get())) {
    PyErr_Format(PyExc_TypeError, "type __qualname__ must be a str, not %s", Py_TYPE(qualname.get())->tp_name);
    return -1;
  }
  sync::set_slot(&heap->ht_qualname, qualname ? static_cast<Ref<>&&>(qualname) : Ref<>::share(b->name));
  raw = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_doc, &raw) < 0) return -1;
  Ref<> doc = Ref<>::steal(raw);
  if (move_to_type_doc(type, doc.get()) < 0) return -1;
  if (wrap_function(dict, names.dunder_new, PyStaticMethod_New) < 0) return -1;
  if (wrap_function(dict, names.dunder_init_subclass, PyClassMethod_New) < 0) return -1;
  return wrap_function(dict, names.dunder_class_getitem, PyClassMethod_New);
}

// Takes a cell out of the namespace; null without an exception if there is none.
int take_cell(Builder* b, PyObject* name, Ref<>* cell) {
  PyObject* raw = nullptr;
  if (PyDict_Pop(b->dict.get(), name, &raw) < 0) return -1;
  *cell = Ref<>::steal(raw);
  if (*cell && !PyCell_Check(cell->get())) {
    PyErr_Format(PyExc_TypeError, "%U must be a nonlocal cell, not <class '%s'>", name,
                 Py_TYPE(cell->get())->tp_name);
    return -1;
  }
  return 0;
}

int add_instance_descriptors(Builder* b) {
  PyTypeObject* type = b->made();
  PyObject* dict = b->dict.get();
  if (type->tp_members != nullptr && type_add_members(type, type->tp_members) < 0) return -1;
  auto add = [&](PyGetSetDef* def, PyObject* name) {
    Ref<> descr = Ref<>::steal(PyDescr_NewGetSet(type, def));
    if (!descr) return false;
    sync::set_deferred(descr.get());
    return PyDict_SetDefaultRef(dict, name, descr.get(), nullptr) >= 0;
  };
  if (b->add_dict && !add(&dict_getset, names.dunder_dict)) return -1;
  if (b->add_weak && !add(&weakref_getset, names.dunder_weakref)) return -1;
  return PyDict_SetDefaultRef(dict, names.dunder_doc, Py_None, nullptr) < 0 ? -1 : 0;
}

// With one base the slots are the base's, changed by what the namespace itself defines; otherwise they are looked up.
int fill_slots(Builder* b) {
  PyTypeObject* type = b->made();
  PyTypeObject* base = b->base;
  bool single = PyTuple_GET_SIZE(b->bases.get()) == 1;
  if (single) {
    // An overridden mro() may put other classes in.
    Py_ssize_t mine = PyTuple_GET_SIZE(type->tp_mro);
    Py_ssize_t theirs = PyTuple_GET_SIZE(base->tp_mro);
    single = mine == theirs + 1;
    for (Py_ssize_t i = 0; single && i < theirs; ++i) {
      single = PyTuple_GET_ITEM(type->tp_mro, i + 1) == PyTuple_GET_ITEM(base->tp_mro, i);
    }
  }
  if (type->tp_vectorcall_offset == 0) type->tp_vectorcall_offset = base->tp_vectorcall_offset;
  if ((base->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL) != 0) type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  type_copy_slots(type, base);
  // How it matches patterns is what the first class says that has an opinion.
  constexpr unsigned long kCollection = Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING;
  type->tp_flags &= ~kCollection;
  for (Py_ssize_t i = 1, n = PyTuple_GET_SIZE(type->tp_mro); i < n && (type->tp_flags & kCollection) == 0; ++i) {
    type->tp_flags |= as_type(PyTuple_GET_ITEM(type->tp_mro, i))->tp_flags & kCollection;
  }
  Py_ssize_t pos = 0;
  PyObject* key;
  PyObject* value;
  if (single) {
    while (PyDict_Next(b->dict.get(), &pos, &key, &value)) {
      if (is_slot_name(key)) type_fill_slots_for(type, key);
    }
  } else {
    type_fill_all_slots(type);
    if (type->tp_call != base->tp_call) type->tp_flags &= ~Py_TPFLAGS_HAVE_VECTORCALL;
  }
  return 0;
}

int fill_hash(Builder* b) {
  // A class that defines equality and no hash has none.
  int has_eq = PyDict_Contains(b->dict.get(), names.dunder_eq);
  if (has_eq < 0) return -1;
  if (!has_eq) return 0;
  return PyDict_SetDefaultRef(b->dict.get(), names.dunder_hash, Py_None, nullptr) < 0 ? -1 : 0;
}

int set_class_cell(Builder* b, Ref<> cell) {
  return cell ? PyCell_Set(cell.get(), b->type.get()) : 0;
}

int warn_of_odd_keys(Builder* b) {
  Py_ssize_t pos = 0;
  PyObject* key;
  while (PyDict_Next(b->dict.get(), &pos, &key, nullptr)) {
    if (PyUnicode_Check(key)) continue;
    return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "non-string key in the __dict__ of class %.200s",
                            b->made()->tp_name);
  }
  return 0;
}

int call_set_names(Builder* b) {
  // A copy: __set_name__ may change the namespace.
  Ref<> items = Ref<>::steal(PyDict_Copy(b->dict.get()));
  if (!items) return -1;
  Py_ssize_t pos = 0;
  PyObject* key;
  PyObject* value;
  while (PyDict_Next(items.get(), &pos, &key, &value)) {
    if (PyFunction_Check(value) || PyUnicode_CheckExact(value)) continue;
    PyObject* args[] = {value, b->type.get(), key};
    bool found;
    Ref<> result = Ref<>::steal(call_special_optional(names.dunder_set_name, args, 3, &found));
    if (!found || result) continue;
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> note = Ref<>::steal(PyUnicode_FromFormat("Error calling __set_name__ on '%.100s' instance %R in '%.100s'",
                                                   Py_TYPE(value)->tp_name, key, b->made()->tp_name));
    Ref<> added = note ? Ref<>::steal(PyObject_CallMethod(error.get(), "add_note", "O", note.get())) : Ref<>();
    if (!added) PyErr_Clear();
    PyErr_SetRaisedException(error.release());
    return -1;
  }
  return 0;
}

int call_init_subclass(Builder* b) {
  bool plain = b->kwargs == nullptr || PyDict_GET_SIZE(b->kwargs) == 0;
  Ref<> method = Ref<>::steal(super_getattr(b->type.get(), b->type.get(), names.dunder_init_subclass));
  if (!method) return -1;
  Ref<> result = Ref<>::steal(PyObject_VectorcallDict(method.get(), nullptr, 0, plain ? nullptr : b->kwargs));
  return result ? 0 : -1;
}

int build(Builder* b) {
  b->base = type_best_base(b->bases.get());
  if (b->base == nullptr) return -1;
  b->dict = Ref<>::steal(PyDict_Copy(b->original_namespace));
  if (!b->dict || read_slots(b) < 0 || allocate(b) < 0) return -1;
  defer_contents(b->dict.get());
  Ref<> class_cell;
  Ref<> class_dict_cell;
  if (set_layout(b) < 0) return -1;
  set_native_slots(b);
  if (set_names(b) < 0) return -1;
  if (take_cell(b, names.dunder_classcell, &class_cell) < 0) return -1;
  if (take_cell(b, names.dunder_classdictcell, &class_dict_cell) < 0) return -1;
  if (add_instance_descriptors(b) < 0 || fill_hash(b) < 0) return -1;
  PyTypeObject* type = b->made();
  // Before an overridden mro() can run methods of the class.
  if (class_dict_cell && PyCell_Set(class_dict_cell.get(), type->tp_dict) < 0) return -1;
  if (set_class_cell(b, static_cast<Ref<>&&>(class_cell)) < 0) return -1;
  type->tp_flags |= Py_TPFLAGS_READYING;
  for (;;) {
    const uint64_t changes = type_mro_changes();
    if (type_compute_mro(type) < 0) return -1;
    TypeLock lock;
    // Other bases were assigned to a base, which does not know of this class yet.
    if (type_mro_changes() != changes) continue;
    if (fill_slots(b) < 0) return -1;
    type->tp_flags = (type->tp_flags & ~Py_TPFLAGS_READYING) | Py_TPFLAGS_READY;
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(b->bases.get()); i < n; ++i) {
      if (type_add_subclass(as_type(PyTuple_GET_ITEM(b->bases.get(), i)), type) < 0) return -1;
    }
    break;
  }
  if (warn_of_odd_keys(b) < 0 || call_set_names(b) < 0) return -1;
  return call_init_subclass(b);
}

// Bases that only stand for classes (PEP 560) belong to the class statement.
int check_mro_entries(PyObject* bases) {
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
    PyObject* base = PyTuple_GET_ITEM(bases, i);
    if (PyType_Check(base)) continue;
    int has = PyObject_HasAttrWithError(base, names.dunder_mro_entries);
    if (has < 0) return -1;
    if (has) {
      PyErr_SetString(PyExc_TypeError,
                      "type() doesn't support MRO entry resolution; use types.new_class()");
      return -1;
    }
  }
  return 0;
}

}  // namespace

PyObject* type_new(PyTypeObject* metatype, PyObject* args, PyObject* kwargs) {
  PyObject* name;
  PyObject* bases;
  PyObject* ns;
  if (!PyArg_ParseTuple(args, "UO!O!:type.__new__", &name, &PyTuple_Type, &bases, &PyDict_Type, &ns)) return nullptr;
  if (check_mro_entries(bases) < 0) return nullptr;
  PyTypeObject* winner = type_calculate_metaclass(metatype, bases);
  if (winner == nullptr) return nullptr;
  if (winner != metatype) {
    // The winner's own __new__ decides.
    if (winner->tp_new != type_new) return winner->tp_new(winner, args, kwargs);
    metatype = winner;
  }
  // A metaclass in C that overlooked an error meets it here, as in CPython, and not as somebody else's.
  if (current_thread()->current_exception != nullptr) return nullptr;
  Builder b{};
  b.metatype = metatype;
  b.args = args;
  b.kwargs = kwargs;
  b.name = name;
  b.original_namespace = ns;
  b.bases = PyTuple_GET_SIZE(bases) != 0 ? Ref<>::share(bases) : Ref<>::steal(PyTuple_Pack(1, &PyBaseObject_Type));
  if (!b.bases || build(&b) < 0) return nullptr;
  return b.type.release();
}

}  // namespace amphis
