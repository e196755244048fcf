// Instance attributes of classes made in Python: shared keys, inline values, the dict slot, and the allocation and
// deallocation of such instances. Layout and invariants are in instance.h.
#include "objects/instance.h"

#include "base/assert.h"
#include "gc/gc_bits.h"
#include "memory/alloc.h"
#include "objects/unseen_end.h"
#include "sync/deferred.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace amphis {

namespace {

sync::AttachedMutex shared_keys_mutex;
using KeysGuard = sync::LockGuard<sync::AttachedMutex>;

// Takes over a reference to an interned name, or returns null with an exception.
PyObject* interned(PyObject* name) {
  PyObject* result = Py_NewRef(name);
  if (PyUnicode_CheckExact(result) && !PyUnicode_CHECK_INTERNED(result)) PyUnicode_InternInPlace(&result);
  return result;
}

bool is_interned(PyObject* name) { return PyUnicode_CheckExact(name) && PyUnicode_CHECK_INTERNED(name); }

// The lock is held. Inline values move into a new dict; references move with them.
PyObject* materialize_locked(PyObject* obj, PyTypeObject* type) {
  PyObject** slot = instance_dict_slot(obj, type);
  if (PyObject* dict = sync::load_relaxed(*slot)) return dict;
  InlineValues* iv = has_inline_values(type) ? inline_values(obj, type) : nullptr;
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict) return nullptr;
  if (iv != nullptr && iv->valid) {
    const SharedKeys& keys = type_extra(type)->keys;
    for (int i = 0; i < iv->high; ++i) {
      PyObject* value = iv->values[i];
      if (value == nullptr) continue;
      if (PyDict_SetItem(dict.get(), keys.names[i], value) < 0) return nullptr;
    }
    PyObject* made = dict.release();
    sync::store_release(*slot, made);
    sync::store_release(iv->valid, static_cast<uint8_t>(0));
    for (int i = 0; i < iv->high; ++i) {
      PyObject* value = iv->values[i];
      sync::store_release(iv->values[i], static_cast<PyObject*>(nullptr));
      Py_XDECREF(value);  // the dict holds another reference: nothing dies here
    }
    iv->high = 0;
    return made;
  }
  PyObject* made = dict.release();
  sync::store_release(*slot, made);
  return made;
}

// The lock is held; *old receives a reference that the caller drops after unlocking. 0 done, 1 nothing to delete,
// 2 the values do not fit inline any more.
int store_inline_locked(PyObject* obj, PyTypeObject* type, InlineValues* iv, PyObject* name, PyObject* value,
                        PyObject** old) {
  (void)obj;
  int index = shared_keys_index(type, name);
  if (value == nullptr) {
    if (index < 0 || index >= iv->high || iv->values[index] == nullptr) return 1;
    *old = iv->values[index];
    sync::store_release(iv->values[index], static_cast<PyObject*>(nullptr));
    if (index + 1 == iv->high) iv->high = static_cast<uint8_t>(index);
    return 0;
  }
  if (index < 0) {
    index = shared_keys_add(type, name);
    if (index < 0) return 2;
  }
  if (index >= iv->capacity) return 2;
  if (index >= iv->high) {
    sync::store_release(iv->values[index], value);
    iv->high = static_cast<uint8_t>(index + 1);
    return 0;
  }
  if (iv->values[index] == nullptr) return 2;  // out of order
  *old = iv->values[index];
  sync::store_release(iv->values[index], value);
  return 0;
}

}  // namespace

uint8_t inline_capacity_decide(PyTypeObject* type) {
  TypeExtra* extra = type_extra(type);
  KeysGuard guard(shared_keys_mutex);
  uint8_t capacity = extra->inline_capacity;
  if (capacity == 0) {
    int wanted = extra->capacity_guess;
    if (extra->keys.count > wanted) wanted = extra->keys.count;
    wanted += wanted < 3 ? 2 : 1;
    if (wanted < 3) wanted = 3;
    wanted |= 1;  // header + values is then a multiple of 16
    if (wanted > kMaxSharedKeys) wanted = kMaxSharedKeys;
    capacity = static_cast<uint8_t>(wanted);
    sync::store_release(extra->inline_capacity, capacity);
  }
  return capacity;
}

int shared_keys_find(PyTypeObject* type, PyObject* name) {
  int index = shared_keys_index(type, name);
  if (index >= 0 || is_interned(name)) return index;
  const SharedKeys& keys = type_extra(type)->keys;
  int count = sync::load_acquire(keys.count);
  for (int i = 0; i < count; ++i) {
    if (PyUnicode_Compare(keys.names[i], name) == 0) return i;
  }
  return -1;
}

int shared_keys_add(PyTypeObject* type, PyObject* name) {
  TypeExtra* extra = type_extra(type);
  KeysGuard guard(shared_keys_mutex);
  int index = shared_keys_index(type, name);
  if (index >= 0) return index;
  SharedKeys& keys = extra->keys;
  int count = keys.count;
  if (count == kMaxSharedKeys) return -1;
  keys.names[count] = Py_NewRef(name);
  sync::store_release(keys.count, static_cast<uint8_t>(count + 1));
  return count;
}

int instance_get(PyObject* obj, PyTypeObject* type, PyObject* name, PyObject** value) {
  *value = nullptr;
  PyObject** slot = instance_dict_slot(obj, type);
  if (slot == nullptr) return 0;
  if (has_inline_values(type)) {
    InlineValues* iv = inline_values(obj, type);
    if (sync::load_acquire(iv->valid)) {
      int index = shared_keys_find(type, name);
      if (index >= 0 && index < iv->capacity) {
        Ref<> found = sync::get_ref(&iv->values[index], obj);
        if (found) {
          *value = found.release();
          return 1;
        }
      }
      if (sync::load_acquire(iv->valid)) return 0;
    }
  }
  Ref<> dict = sync::get_ref(slot, obj);
  return dict ? PyDict_GetItemRef(dict.get(), name, value) : 0;
}

int instance_set(PyObject* obj, PyTypeObject* type, PyObject* name, PyObject* value) {
  PyObject** slot = instance_dict_slot(obj, type);
  if (slot == nullptr) return 2;
  Ref<> key = Ref<>::steal(interned(name));
  Ref<> dict;
  Ref<> old;
  {
    ObjectLock lock(obj);
    if (has_inline_values(type)) {
      InlineValues* iv = inline_values(obj, type);
      if (iv->valid && is_interned(key.get())) {
        PyObject* dropped = nullptr;
        int outcome = store_inline_locked(obj, type, iv, key.get(), value, &dropped);
        old = Ref<>::steal(dropped);
        if (outcome == 0) {
          Py_XINCREF(value);
          return 0;
        }
        if (outcome == 1) return 1;
      }
    }
    PyObject* present = *slot;
    if (present == nullptr) {
      if (value == nullptr && !(has_inline_values(type) && inline_values(obj, type)->valid)) return 1;
      present = materialize_locked(obj, type);
      if (present == nullptr) return -1;
    }
    dict = Ref<>::share(present);
  }
  if (value != nullptr) return PyDict_SetItem(dict.get(), key.get(), value);
  int popped = PyDict_Pop(dict.get(), key.get(), nullptr);
  return popped < 0 ? -1 : popped == 0 ? 1 : 0;
}

PyObject* instance_materialize_dict(PyObject* obj) {
  PyTypeObject* type = Py_TYPE(obj);
  PyObject* dict = sync::load_acquire(*instance_dict_slot(obj, type));
  if (dict != nullptr) return dict;
  ObjectLock lock(obj);
  return materialize_locked(obj, type);
}

PyObject* instance_dict(PyObject* obj) {
  PyTypeObject* type = Py_TYPE(obj);
  PyObject** slot = instance_dict_slot(obj, type);
  Ref<> dict = sync::get_ref(slot, obj);
  if (dict) return dict.release();
  ObjectLock lock(obj);
  return Py_XNewRef(materialize_locked(obj, type));
}

int instance_set_dict(PyObject* obj, PyObject* dict) {
  PyTypeObject* type = Py_TYPE(obj);
  PyObject** slot = instance_dict_slot(obj, type);
  PyObject* old;
  PyObject* dropped[kMaxSharedKeys];
  int count = 0;
  {
    ObjectLock lock(obj);
    old = *slot;
    if (has_inline_values(type)) {
      InlineValues* iv = inline_values(obj, type);
      if (iv->valid) {
        sync::store_release(*slot, Py_XNewRef(dict));
        sync::store_release(iv->valid, static_cast<uint8_t>(0));
        for (int i = 0; i < iv->high; ++i) {
          if (iv->values[i] != nullptr) dropped[count++] = iv->values[i];
          sync::store_release(iv->values[i], static_cast<PyObject*>(nullptr));
        }
        iv->high = 0;
        old = nullptr;
      } else {
        sync::store_release(*slot, Py_XNewRef(dict));
      }
    } else {
      sync::store_release(*slot, Py_XNewRef(dict));
    }
  }
  Py_XDECREF(old);
  for (int i = 0; i < count; ++i) Py_DECREF(dropped[i]);
  return 0;
}

int instance_visit_values(PyObject* obj, PyTypeObject* type, visitproc visit, void* arg) {
  if (has_inline_values(type)) {
    InlineValues* iv = inline_values(obj, type);
    if (iv->valid) {
      for (int i = 0; i < iv->high; ++i) Py_VISIT(iv->values[i]);
    }
  }
  PyObject** slot = instance_dict_slot(obj, type);
  if (slot != nullptr) Py_VISIT(*slot);
  return 0;
}

void instance_clear_values(PyObject* obj, PyTypeObject* type) {
  if (has_inline_values(type)) {
    InlineValues* iv = inline_values(obj, type);
    // Values stay valid, only empty: an object that the collector cleared may still be looked at by finalizers.
    while (iv->valid && iv->high > 0) {
      int last = --iv->high;
      PyObject* value = iv->values[last];
      iv->values[last] = nullptr;
      Py_XDECREF(value);
    }
  }
  PyObject** slot = instance_dict_slot(obj, type);
  if (slot != nullptr && *slot != nullptr) {
    PyObject* dict = *slot;
    *slot = nullptr;
    Py_DECREF(dict);
  }
}

// --- Deallocation of class-statement instances --------------------------------------------------------------

namespace {

// The nearest base whose function in this slot is not the class-statement one.
template <typename Field>
PyTypeObject* native_base(PyTypeObject* type, Field PyTypeObject::* field, Field ours) {
  while (type != nullptr && type->*field == ours) type = type->tp_base;
  return type;
}

PyMemberDef* slot_members(PyTypeObject* type) {
  return reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + Py_TYPE(as_object(type))->tp_basicsize);
}

template <typename F>
int each_slot(PyObject* self, PyTypeObject* type, F visit) {
  PyMemberDef* member = slot_members(type);
  for (Py_ssize_t i = 0, n = Py_SIZE(as_object(type)); i < n; ++i, ++member) {
    if (member->type != Py_T_OBJECT_EX || (member->flags & Py_READONLY) != 0) continue;
    int result = visit(reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + member->offset));
    if (result != 0) return result;
  }
  return 0;
}

void clear_all_slots(PyObject* self, PyTypeObject* type, PyTypeObject* stop) {
  for (PyTypeObject* base = type; base != nullptr && base != stop; base = base->tp_base) {
    if (Py_SIZE(as_object(base)) == 0 || !is_heap_type(base)) continue;
    each_slot(self, base, [](PyObject** slot) {
      PyObject* value = *slot;
      *slot = nullptr;
      Py_XDECREF(value);
      return 0;
    });
  }
}

}  // namespace

int subtype_traverse(PyObject* self, visitproc visit, void* arg) {
  PyTypeObject* type = Py_TYPE(self);
  PyTypeObject* base = type;
  while (base->tp_traverse == subtype_traverse) {
    if (Py_SIZE(as_object(base)) != 0) {
      int result = each_slot(self, base, [&](PyObject** slot) -> int {
        Py_VISIT(*slot);
        return 0;
      });
      if (result != 0) return result;
    }
    base = base->tp_base;
  }
  // The native base visits its own dict; one that a class statement appended is ours to visit.
  if (type->tp_dictoffset != base->tp_dictoffset || has_inline_values(type)) {
    int result = instance_visit_values(self, type, visit, arg);
    if (result != 0) return result;
  }
  // A native heap type's traverse visits the type itself.
  if (is_heap_type(type) && (!is_heap_type(base) || base->tp_traverse == nullptr)) Py_VISIT(type);
  return base->tp_traverse != nullptr ? base->tp_traverse(self, visit, arg) : 0;
}

int subtype_clear(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyTypeObject* base = native_base(type, &PyTypeObject::tp_clear, static_cast<inquiry>(subtype_clear));
  clear_all_slots(self, type, base);
  if (type->tp_dictoffset != base->tp_dictoffset || has_inline_values(type)) {
    // The dict of a cyclic instance goes through its own tp_clear as well; dropping it here breaks the cycle.
    instance_clear_values(self, type);
  }
  return base->tp_clear != nullptr ? base->tp_clear(self) : 0;
}

namespace {

// Most classes by far: no native base but object, no slots, no finalizer.
AMPHIS_ALWAYS_INLINE void dealloc_plain(PyObject* self, PyTypeObject* type) {
  untrack(self);
  if (type->tp_weaklistoffset != 0) {
    auto** list = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + type->tp_weaklistoffset);
    if (sync::load_acquire(*list) != nullptr) PyObject_ClearWeakRefs(self);
  }
  if (has_inline_values(type)) {
    InlineValues* iv = inline_values(self, type);
    for (int i = 0, n = iv->high; i < n; ++i) Py_XDECREF(iv->values[i]);
    if (PyObject* dict = *instance_dict_slot(self, type)) Py_DECREF(dict);
  }
  type->tp_free(self);
  gc::decref_type(type);
}

}  // namespace

namespace {

constexpr size_t kMoreKinds = 16;
PyTypeObject* more_kinds[kMoreKinds];  // what modules have declared

// Whether no program can see when the object ends (sync/deferred.h): none of its kind does anything then, nor refers weakly
// to it.
bool ends_unseen(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  if (!PyType_IS_GC(type) || !gc::is_tracked(op)) return false;
  if (is_heap_type(type)) {
    if (type->tp_dealloc != subtype_dealloc || type->tp_finalize != nullptr || type->tp_del != nullptr ||
        native_base(type, &PyTypeObject::tp_dealloc, static_cast<destructor>(subtype_dealloc)) != &PyBaseObject_Type) {
      return false;
    }
  } else {
    static PyTypeObject* const kinds[] = {&PyList_Type, &PyTuple_Type,    &PyDict_Type,     &PySet_Type,      &PyFrozenSet_Type,
                                          &PyCell_Type, &PyFunction_Type, &PyMethod_Type,   &PyProperty_Type, &PyStaticMethod_Type,
                                          &PyClassMethod_Type, &PyCFunction_Type, &PyDictProxy_Type};
    if (std::find(std::begin(kinds), std::end(kinds), type) == std::end(kinds) &&
        std::none_of(std::begin(more_kinds), std::end(more_kinds),
                     [type](PyTypeObject* const& kind) { return sync::load_acquire(kind) == type; })) {
      return false;
    }
  }
  const Py_ssize_t weak = type->tp_weaklistoffset;
  return weak <= 0 || sync::load_acquire(*reinterpret_cast<PyObject**>(reinterpret_cast<char*>(op) + weak)) == nullptr;
}

// Of an object that is equal to any copy of it for ever, and refers to nothing; 0: it is none. Ints and floats are none: stores
// change them where they are, and what orders that before a reader's look is the count that it takes, or the acquiring load of
// the bit that spares it the count (sync/shared_slot.h). Who finds an object immortal has done neither.
size_t size_of_value(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  if (type == &PyUnicode_Type ? !PyUnicode_IS_COMPACT(op)
                              : type != &PyBytes_Type && type != &PyComplex_Type && type != &PyBaseObject_Type) {
    return 0;
  }
  return memory::in_chunk(op) ? memory::page_of(op)->block_size : 0;  // the owner of the page writes its other fields
}

}  // namespace

void declare_unseen_end(PyTypeObject* type) {
  TypeLock lock;
  for (PyTypeObject*& kind : more_kinds) {
    if (kind == type) return;
    if (kind == nullptr) return sync::store_release(kind, type);
  }
  fatal("more types end unseen than kMoreKinds has room for");
}

void instance_init() { sync::set_deferral_policy(ends_unseen, size_of_value); }

void subtype_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (type_extra(type)->plain_instances && type->tp_finalize == nullptr && type->tp_del == nullptr) {
    dealloc_plain(self, type);
    return;
  }
  PyTypeObject* base = native_base(type, &PyTypeObject::tp_dealloc, static_cast<destructor>(subtype_dealloc));
  bool tracked_type = PyType_IS_GC(type);

  if (!tracked_type) {
    if (type->tp_finalize != nullptr && PyObject_CallFinalizerFromDealloc(self) < 0) return;
    if (type->tp_del != nullptr) {
      type->tp_del(self);
      if (Py_REFCNT(self) > 0) return;
    }
    // A finalizer may have assigned __class__.
    type = Py_TYPE(self);
    bool own_type_reference = is_heap_type(type) && !is_heap_type(base);
    clear_all_slots(self, type, base);
    base->tp_dealloc(self);
    if (own_type_reference) gc::decref_type(type);
    return;
  }

  untrack(self);
  bool weak = type->tp_weaklistoffset != 0 && base->tp_weaklistoffset == 0;
  if (type->tp_finalize != nullptr) {
    track(self);
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    untrack(self);
  }
  if (type->tp_del != nullptr) {
    track(self);
    type->tp_del(self);
    if (Py_REFCNT(self) > 0) return;
    untrack(self);
  }
  type = Py_TYPE(self);
  if (weak) {
    auto** list = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + type->tp_weaklistoffset);
    if (sync::load_acquire(*list) != nullptr) PyObject_ClearWeakRefs(self);
  }
  clear_all_slots(self, type, base);
  if (type->tp_dictoffset != base->tp_dictoffset || has_inline_values(type)) instance_clear_values(self, type);
  {
    // A native heap base's tp_dealloc drops the reference to Py_TYPE(self) itself.
    bool own_type_reference = is_heap_type(type) && !is_heap_type(base);
    // Native deallocators of GC types untrack: they expect a tracked object.
    if (PyType_IS_GC(base)) track(self);
    base->tp_dealloc(self);
    if (own_type_reference) gc::decref_type(type);
  }
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyType_GenericNew(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

PyObject** _PyObject_GetDictPtr(PyObject* obj) {
  PyTypeObject* type = Py_TYPE(obj);
  PyObject** slot = instance_dict_slot(obj, type);
  if (slot != nullptr && has_inline_values(type) && *slot == nullptr && instance_materialize_dict(obj) == nullptr) {
    PyErr_Clear();
    return nullptr;
  }
  return slot;
}

PyObject* PyObject_GenericGetDict(PyObject* obj, void*) {
  if (instance_dict_slot(obj, Py_TYPE(obj)) == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "This object has no __dict__");
    return nullptr;
  }
  return instance_dict(obj);
}

int PyObject_GenericSetDict(PyObject* obj, PyObject* value, void*) {
  if (instance_dict_slot(obj, Py_TYPE(obj)) == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "This object has no __dict__");
    return -1;
  }
  if (value == nullptr) {
    PyErr_Format(PyExc_TypeError, "cannot delete __dict__");
    return -1;
  }
  if (!PyDict_Check(value)) {
    PyErr_Format(PyExc_TypeError, "__dict__ must be set to a dictionary, not a '%.200s'", Py_TYPE(value)->tp_name);
    return -1;
  }
  return instance_set_dict(obj, value);
}

int PyObject_VisitManagedDict(PyObject* obj, visitproc visit, void* arg) {
  return instance_visit_values(obj, Py_TYPE(obj), visit, arg);
}

void PyObject_ClearManagedDict(PyObject* obj) { instance_clear_values(obj, Py_TYPE(obj)); }

int _PyObject_SetManagedDict(PyObject* obj, PyObject* dict) { return instance_set_dict(obj, dict); }

}  // extern "C"
