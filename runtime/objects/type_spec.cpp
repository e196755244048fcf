// Types made from specs (PyType_FromSpec and its kin), reading slots back, types' modules and per-type data, freezing.
#include "objects/module.h"
#include "objects/type.h"
#include "objects/type_slots.h"

#include "gc/gc_bits.h"
#include "sync/deferred.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <cstddef>
#include <cstring>

namespace amphis {

// The part of a heap type's instances that a MANAGED flag asks for lies behind the declared size. tp_basicsize stays what
// the extension declared, which it may compare with its struct; only behind items, whose end moves, it has to grow.
void type_append_managed(PyTypeObject* type) {
  constexpr Py_ssize_t kWord = sizeof(PyObject*);
  TypeExtra* extra = type_extra(type);
  if ((type->tp_flags & Py_TPFLAGS_PREHEADER) == 0) return;
  if (type->tp_itemsize == 0) {
    Py_ssize_t offset = (type->tp_basicsize + kWord - 1) & ~(kWord - 1);
    if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
      type->tp_dictoffset = offset;
      offset += kWord;
    }
    if ((type->tp_flags & Py_TPFLAGS_MANAGED_WEAKREF) != 0) {
      type->tp_weaklistoffset = offset;
      offset += kWord;
    }
    extra->managed_bytes = static_cast<uint8_t>(offset - type->tp_basicsize);
    return;
  }
  type->tp_basicsize = (type->tp_basicsize + kWord - 1) & ~(kWord - 1);
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
    type->tp_dictoffset = type->tp_itemsize != 0 ? -kWord : type->tp_basicsize;
    type->tp_basicsize += kWord;
    extra->added_dict = true;
  }
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_WEAKREF) != 0) {
    type->tp_weaklistoffset = type->tp_basicsize;
    type->tp_basicsize += kWord;
    extra->added_weaklist = true;
  }
}

namespace {

PyTypeObject* as_type(PyObject* obj) { return reinterpret_cast<PyTypeObject*>(obj); }
PyHeapTypeObject* as_heap(PyTypeObject* type) { return reinterpret_cast<PyHeapTypeObject*>(type); }

// Where the value of slot number i goes, by offset in PyHeapTypeObject; -1: not a plain slot.
constexpr int kSlotCount = 84;
constexpr int16_t kNone = -1;
#define T(field) offsetof(PyHeapTypeObject, ht_type.tp_##field)
#define N(field) offsetof(PyHeapTypeObject, as_number.nb_##field)
#define S(field) offsetof(PyHeapTypeObject, as_sequence.sq_##field)
#define M(field) offsetof(PyHeapTypeObject, as_mapping.mp_##field)
#define A(field) offsetof(PyHeapTypeObject, as_async.am_##field)
#define B(field) offsetof(PyHeapTypeObject, as_buffer.bf_##field)
constexpr int16_t kSlotOffsets[kSlotCount] = {
    kNone, B(getbuffer), B(releasebuffer), M(ass_subscript), M(length), M(subscript), N(absolute), N(add), N(and),
    N(bool), N(divmod), N(float), N(floor_divide), N(index), N(inplace_add), N(inplace_and),
    N(inplace_floor_divide), N(inplace_lshift), N(inplace_multiply), N(inplace_or), N(inplace_power),
    N(inplace_remainder), N(inplace_rshift), N(inplace_subtract), N(inplace_true_divide), N(inplace_xor), N(int),
    N(invert), N(lshift), N(multiply), N(negative), N(or), N(positive), N(power), N(remainder), N(rshift),
    N(subtract), N(true_divide), N(xor), S(ass_item), S(concat), S(contains), S(inplace_concat),
    S(inplace_repeat), S(item), S(length), S(repeat), T(alloc), T(base), T(bases), T(call), T(clear), T(dealloc),
    T(del), T(descr_get), T(descr_set), T(doc), T(getattr), T(getattro), T(hash), T(init), T(is_gc), T(iter),
    T(iternext), T(methods), T(new), T(repr), T(richcompare), T(setattr), T(setattro), T(str), T(traverse),
    T(members), T(getset), T(free), N(matrix_multiply), N(inplace_matrix_multiply), A(await), A(aiter), A(anext),
    T(finalize), A(send), T(vectorcall), offsetof(PyHeapTypeObject, ht_token),
};
#undef T
#undef N
#undef S
#undef M
#undef A
#undef B

struct SpecParts {
  PyObject* bases_slot = nullptr;
  PyTypeObject* base_slot = nullptr;
  PyMemberDef* members = nullptr;
  Py_ssize_t nmembers = 0;
  Py_ssize_t weaklistoffset = 0;
  Py_ssize_t dictoffset = 0;
  Py_ssize_t vectorcalloffset = 0;
  const char* doc = nullptr;
};

int read_parts(const PyType_Spec* spec, SpecParts* parts) {
  for (PyType_Slot* slot = spec->slots; slot->slot != 0; ++slot) {
    if (slot->slot < 0 || slot->slot >= kSlotCount) {
      PyErr_SetString(PyExc_RuntimeError, "invalid slot offset");
      return -1;
    }
    switch (slot->slot) {
      case Py_tp_base:
        parts->base_slot = static_cast<PyTypeObject*>(slot->pfunc);
        break;
      case Py_tp_bases:
        parts->bases_slot = static_cast<PyObject*>(slot->pfunc);
        break;
      case Py_tp_doc:
        parts->doc = static_cast<const char*>(slot->pfunc);
        break;
      case Py_tp_members: {
        if (parts->members != nullptr) {
          PyErr_SetString(PyExc_SystemError, "Multiple Py_tp_members slots are not supported.");
          return -1;
        }
        parts->members = static_cast<PyMemberDef*>(slot->pfunc);
        for (PyMemberDef* m = parts->members; m->name != nullptr; ++m) {
          ++parts->nmembers;
          if ((m->flags & Py_RELATIVE_OFFSET) != 0) {
            if (spec->basicsize > 0) {
              PyErr_SetString(PyExc_SystemError,
                              "With Py_RELATIVE_OFFSET, basicsize must be negative or zero (inheriting).");
              return -1;
            }
            if (m->offset < 0 || m->offset >= -static_cast<Py_ssize_t>(spec->basicsize)) {
              PyErr_SetString(PyExc_SystemError, "Member offset out of range (0..-basicsize)");
              return -1;
            }
          }
          bool special_type = m->type == Py_T_PYSSIZET;
          if (special_type && std::strcmp(m->name, "__weaklistoffset__") == 0) parts->weaklistoffset = m->offset;
          if (special_type && std::strcmp(m->name, "__dictoffset__") == 0) parts->dictoffset = m->offset;
          if (special_type && std::strcmp(m->name, "__vectorcalloffset__") == 0) {
            parts->vectorcalloffset = m->offset;
            if ((m->flags & Py_RELATIVE_OFFSET) != 0) parts->vectorcalloffset = -1 - m->offset;
          }
        }
        break;
      }
      default:
        break;
    }
  }
  return 0;
}

Ref<> choose_bases(PyObject* bases_arg, const SpecParts& parts) {
  PyObject* bases = bases_arg;
  if (bases == nullptr) bases = parts.bases_slot;
  if (bases != nullptr) {
    if (PyTuple_Check(bases)) return Ref<>::share(bases);
    if (bases_arg != nullptr || PyType_Check(bases)) return Ref<>::steal(PyTuple_Pack(1, bases));
    PyErr_SetString(PyExc_SystemError, "Py_tp_bases is not a tuple");
    return Ref<>();
  }
  return Ref<>::steal(PyTuple_Pack(1, parts.base_slot != nullptr ? parts.base_slot : &PyBaseObject_Type));
}

Py_ssize_t align_up(Py_ssize_t n) {
  constexpr Py_ssize_t kAlign = alignof(std::max_align_t);
  return (n + kAlign - 1) & ~(kAlign - 1);
}

int set_names(PyTypeObject* type, PyHeapTypeObject* heap, const char* full_name) {
  size_t length = std::strlen(full_name);
  auto* copy = static_cast<char*>(PyMem_Malloc(length + 1));
  if (copy == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  std::memcpy(copy, full_name, length + 1);
  heap->_ht_tpname = copy;
  // Types of builtins go by their short names.
  type->tp_name = std::strncmp(copy, "builtins.", 9) == 0 ? copy + 9 : copy;
  const char* dot = std::strrchr(copy, '.');
  heap->ht_name = PyUnicode_FromString(dot == nullptr ? copy : dot + 1);
  if (heap->ht_name == nullptr) return -1;
  heap->ht_qualname = Py_NewRef(heap->ht_name);
  return 0;
}

PyObject* from_metaclass(PyTypeObject* metaclass, PyObject* module, PyType_Spec* spec, PyObject* bases_arg) {
  SpecParts parts;
  if (read_parts(spec, &parts) < 0) return nullptr;
  if (spec->name == nullptr) {
    PyErr_SetString(PyExc_SystemError, "Type spec does not define the name field.");
    return nullptr;
  }
  Ref<> bases = choose_bases(bases_arg, parts);
  if (!bases) return nullptr;
  if ((spec->flags & Py_TPFLAGS_IMMUTABLETYPE) != 0) {
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases.get()); i < n; ++i) {
      PyObject* base = PyTuple_GET_ITEM(bases.get(), i);
      if (PyType_Check(base) && !type_has_flag(as_type(base), Py_TPFLAGS_IMMUTABLETYPE)) {
        PyErr_Format(PyExc_TypeError, "Creating immutable type %s from mutable base %N", spec->name, base);
        return nullptr;
      }
    }
  }
  if (metaclass == nullptr) metaclass = &PyType_Type;
  metaclass = type_calculate_metaclass(metaclass, bases.get());
  if (metaclass == nullptr) return nullptr;
  if (!PyType_Check(as_object(metaclass))) {
    PyErr_Format(PyExc_TypeError, "Metaclass '%R' is not a subclass of 'type'.", metaclass);
    return nullptr;
  }
  if (metaclass->tp_new != nullptr && metaclass->tp_new != PyType_Type.tp_new) {
    PyErr_SetString(PyExc_TypeError, "Metaclasses with custom tp_new are not supported.");
    return nullptr;
  }
  PyTypeObject* base = type_best_base(bases.get());
  if (base == nullptr) return nullptr;

  Py_ssize_t basicsize = spec->basicsize;
  Py_ssize_t type_data_offset = basicsize;
  if (basicsize == 0) {
    basicsize = base->tp_basicsize;
    type_data_offset = base->tp_basicsize;
  } else if (basicsize < 0) {
    type_data_offset = align_up(base->tp_basicsize);
    basicsize = type_data_offset + align_up(-basicsize);
    if (spec->itemsize != 0 || (base->tp_itemsize != 0 && (base->tp_flags & Py_TPFLAGS_ITEMS_AT_END) == 0)) {
      if (spec->itemsize == 0 || (spec->flags & Py_TPFLAGS_ITEMS_AT_END) == 0) {
        PyErr_SetString(PyExc_SystemError, "Cannot extend variable-size class without Py_TPFLAGS_ITEMS_AT_END.");
        return nullptr;
      }
    }
  }
  Py_ssize_t itemsize = spec->itemsize != 0 ? spec->itemsize : base->tp_itemsize;

  Ref<> result = Ref<>::steal(metaclass->tp_alloc(metaclass, parts.nmembers));
  if (!result) return nullptr;
  PyTypeObject* type = as_type(result.get());
  PyHeapTypeObject* heap = as_heap(type);
  type->tp_flags = spec->flags | Py_TPFLAGS_HEAPTYPE;
  auto* extra = static_cast<TypeExtra*>(PyMem_Calloc(1, sizeof(TypeExtra)));
  if (extra == nullptr) return PyErr_NoMemory();
  extra->from_spec = true;
  heap->ht_cached_keys = reinterpret_cast<decltype(heap->ht_cached_keys)>(extra);
  type->tp_as_async = &heap->as_async;
  type->tp_as_number = &heap->as_number;
  type->tp_as_sequence = &heap->as_sequence;
  type->tp_as_mapping = &heap->as_mapping;
  type->tp_as_buffer = &heap->as_buffer;
  sync::set_slot(&type->tp_bases, bases.copy());
  type->tp_base = as_type(Py_NewRef(as_object(base)));
  heap->ht_module = Py_XNewRef(module);
  if (set_names(type, heap, spec->name) < 0) return nullptr;
  type->tp_basicsize = basicsize;
  type->tp_itemsize = itemsize;
  type->tp_weaklistoffset = base->tp_weaklistoffset;
  type->tp_dictoffset = base->tp_dictoffset;
  if (parts.weaklistoffset != 0) type->tp_weaklistoffset = parts.weaklistoffset;
  if (parts.dictoffset != 0) type->tp_dictoffset = parts.dictoffset;
  if (parts.vectorcalloffset != 0) {
    type->tp_vectorcall_offset =
        parts.vectorcalloffset > 0 ? parts.vectorcalloffset : type_data_offset + (-1 - parts.vectorcalloffset);
  }

  heap->ht_token = nullptr;
  for (PyType_Slot* slot = spec->slots; slot->slot != 0; ++slot) {
    switch (slot->slot) {
      case Py_tp_base:
      case Py_tp_bases:
      case Py_tp_doc:
      case Py_tp_members:
        continue;
      case Py_tp_token:
        heap->ht_token = slot->pfunc == Py_TP_USE_SPEC ? spec : slot->pfunc;
        continue;
      default:
        *reinterpret_cast<void**>(reinterpret_cast<char*>(type) + kSlotOffsets[slot->slot]) = slot->pfunc;
    }
  }
  if (parts.doc != nullptr) {
    size_t n = std::strlen(parts.doc) + 1;
    auto* copy = static_cast<char*>(PyMem_Malloc(n));
    if (copy == nullptr) return PyErr_NoMemory();
    std::memcpy(copy, parts.doc, n);
    type->tp_doc = copy;
  }
  if (parts.nmembers != 0) {
    auto* members = reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + metaclass->tp_basicsize);
    std::memcpy(members, parts.members, static_cast<size_t>(parts.nmembers) * sizeof(PyMemberDef));
    for (Py_ssize_t i = 0; i < parts.nmembers; ++i) {
      if ((members[i].flags & Py_RELATIVE_OFFSET) == 0) continue;
      members[i].flags &= ~Py_RELATIVE_OFFSET;
      members[i].offset += type_data_offset;
    }
    type->tp_members = members;
  }
  // A base's managed parts lie behind the base's size, where this type has its own fields: they move behind ours.
  if (spec->basicsize != 0) {
    type->tp_flags |= base->tp_flags & Py_TPFLAGS_PREHEADER;
    type_append_managed(type);
  } else if ((type->tp_flags & ~base->tp_flags & Py_TPFLAGS_PREHEADER) != 0) {
    type_append_managed(type);
  } else {
    // The base's layout; a base that a class statement made counts its own parts in its size.
    type_extra(type)->managed_bytes = static_cast<uint8_t>(type_managed_bytes(base));
  }
  if (type->tp_dealloc == nullptr) type->tp_dealloc = subtype_dealloc;
  if (type->tp_alloc == nullptr) type->tp_alloc = PyType_GenericAlloc;
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 && type->tp_free == nullptr) type->tp_free = PyObject_GC_Del;
  if (PyType_Ready(type) < 0) return nullptr;
  if (type->tp_vectorcall == nullptr && (Py_TYPE(as_object(type))->tp_call == type_call)) {
    type->tp_vectorcall = type_vectorcall;
  }
  sync::set_deferred(result.get());

  // A type may describe its instances' __module__ itself, by a member or a getter: that stays.
  int described = PyDict_Contains(type->tp_dict, names.dunder_module);
  if (described < 0) return nullptr;
  const char* dot = std::strrchr(spec->name, '.');
  if (described != 0) return result.release();
  if (dot != nullptr) {
    Ref<> module_name = Ref<>::steal(PyUnicode_FromStringAndSize(spec->name, dot - spec->name));
    if (!module_name || PyDict_SetItem(type->tp_dict, names.dunder_module, module_name.get()) < 0) return nullptr;
  } else if (PyErr_WarnFormat(PyExc_DeprecationWarning, 1, "builtin type %.200s has no __module__ attribute",
                              spec->name) < 0) {
    return nullptr;
  }
  return result.release();
}

// The module of the first class in the MRO whose module has the token (for one made from a definition: its address);
// borrowed.
PyObject* find_module_of_token(PyTypeObject* type, const void* token) {
  Ref<> mro = Ref<>::steal(type_mro_ref(type));
  if (!mro) return nullptr;
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(mro.get()); i < n; ++i) {
    PyTypeObject* base = as_type(PyTuple_GET_ITEM(mro.get(), i));
    if (!is_heap_type(base)) continue;
    PyObject* module = as_heap(base)->ht_module;
    if (module != nullptr && PyModule_Check(module) && reinterpret_cast<ModuleObject*>(module)->md_token == token) return module;
  }
  return nullptr;
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyType_FromMetaclass(PyTypeObject* metaclass, PyObject* module, PyType_Spec* spec, PyObject* bases) {
  return from_metaclass(metaclass, module, spec, bases);
}
PyObject* PyType_FromModuleAndSpec(PyObject* module, PyType_Spec* spec, PyObject* bases) {
  return from_metaclass(nullptr, module, spec, bases);
}
PyObject* PyType_FromSpecWithBases(PyType_Spec* spec, PyObject* bases) {
  return from_metaclass(nullptr, nullptr, spec, bases);
}
PyObject* PyType_FromSpec(PyType_Spec* spec) { return from_metaclass(nullptr, nullptr, spec, nullptr); }

void* PyType_GetSlot(PyTypeObject* type, int slot) {
  if (slot <= 0 || slot >= kSlotCount) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (slot == Py_tp_token) return is_heap_type(type) ? as_heap(type)->ht_token : nullptr;
  void** where = type_slot_pointer(type, kSlotOffsets[slot]);
  return where == nullptr ? nullptr : *where;
}

PyObject* PyType_GetModule(PyTypeObject* type) {
  if (!is_heap_type(type)) {
    PyErr_Format(PyExc_TypeError, "PyType_GetModule: Type '%s' is not a heap type", type->tp_name);
    return nullptr;
  }
  PyObject* module = as_heap(type)->ht_module;
  if (module == nullptr) {
    PyErr_Format(PyExc_TypeError, "PyType_GetModule: Type '%s' has no associated module", type->tp_name);
  }
  return module;
}

void* PyType_GetModuleState(PyTypeObject* type) {
  PyObject* module = PyType_GetModule(type);
  return module == nullptr ? nullptr : PyModule_GetState(module);
}

PyObject* PyType_GetModuleByDef(PyTypeObject* type, PyModuleDef* def) {
  PyObject* module = find_module_of_token(type, def);
  if (module == nullptr) {
    PyErr_Format(PyExc_TypeError, "PyType_GetModuleByDef: No superclass of '%s' has the given module", type->tp_name);
  }
  return module;
}

PyObject* PyType_GetModuleByToken(PyTypeObject* type, const void* token) {
  PyObject* module = token != nullptr ? find_module_of_token(type, token) : nullptr;
  if (module == nullptr) {
    PyErr_Format(PyExc_TypeError, "PyType_GetModuleByToken: No superclass of '%s' has the given module", type->tp_name);
  }
  return Py_XNewRef(module);
}

int PyType_GetBaseByToken(PyTypeObject* type, void* token, PyTypeObject** result) {
  if (result != nullptr) *result = nullptr;
  if (token == nullptr) {
    PyErr_Format(PyExc_SystemError, "PyType_GetBaseByToken called with token=NULL");
    return -1;
  }
  if (!PyType_Check(as_object(type))) {
    PyErr_Format(PyExc_TypeError, "expected a type, got a '%s' object", Py_TYPE(as_object(type))->tp_name);
    return -1;
  }
  Ref<> mro = Ref<>::steal(type_mro_ref(type));
  for (Py_ssize_t i = 0, n = mro ? PyTuple_GET_SIZE(mro.get()) : 0; i < n; ++i) {
    PyTypeObject* base = as_type(PyTuple_GET_ITEM(mro.get(), i));
    if (!is_heap_type(base) || as_heap(base)->ht_token != token) continue;
    if (result != nullptr) *result = as_type(Py_NewRef(as_object(base)));
    return 1;
  }
  return 0;
}

PyAPI_FUNC(int) _PyType_GetBaseByToken_Borrow(PyTypeObject* type, void* token, PyTypeObject** result);
int _PyType_GetBaseByToken_Borrow(PyTypeObject* type, void* token, PyTypeObject** result) {
  PyTypeObject* found;
  int outcome = PyType_GetBaseByToken(type, token, &found);
  if (result != nullptr) *result = found;
  Py_XDECREF(as_object(found));
  return outcome;
}

void* PyObject_GetTypeData(PyObject* obj, PyTypeObject* cls) {
  return reinterpret_cast<char*>(obj) + align_up(cls->tp_base->tp_basicsize);
}

Py_ssize_t PyType_GetTypeDataSize(PyTypeObject* cls) {
  Py_ssize_t size = cls->tp_basicsize - align_up(cls->tp_base->tp_basicsize);
  return size < 0 ? 0 : size;
}

void* PyObject_GetItemData(PyObject* obj) {
  if (!PyType_HasFeature(Py_TYPE(obj), Py_TPFLAGS_ITEMS_AT_END)) {
    PyErr_Format(PyExc_TypeError, "type '%s' does not have Py_TPFLAGS_ITEMS_AT_END", Py_TYPE(obj)->tp_name);
    return nullptr;
  }
  return reinterpret_cast<char*>(obj) + Py_TYPE(obj)->tp_basicsize;
}

int PyType_Freeze(PyTypeObject* type) {
  Ref<> mro = Ref<>::steal(type_mro_ref(type));
  if (!mro) {
    PyErr_Format(PyExc_TypeError, "unable to get the type MRO");
    return -1;
  }
  for (Py_ssize_t i = 1, n = PyTuple_GET_SIZE(mro.get()); i < n; ++i) {
    PyTypeObject* base = as_type(PyTuple_GET_ITEM(mro.get(), i));
    if (!type_has_flag(base, Py_TPFLAGS_IMMUTABLETYPE)) {
      PyErr_Format(PyExc_TypeError, "Creating immutable type %s from mutable base %N", type->tp_name, as_object(base));
      return -1;
    }
  }
  TypeLock lock;
  sync::store_relaxed(type->tp_flags, type->tp_flags | Py_TPFLAGS_IMMUTABLETYPE);
  type_modified_locked(type);
  return 0;
}

}  // extern "C"
