// Where instances keep their attributes: inline values, the dict slot, and the moves between them.
//
//   +-------------------+----------------+------------------+--------------------------------------+
//   | base's C struct   | __slots__      | dict, weaklist   | InlineValues: header, values[cap]    |
//   +-------------------+----------------+------------------+--------------------------------------+
//   0                                                       tp_basicsize (8-aligned)
//
// Only types with Py_TPFLAGS_INLINE_VALUES (made by type_new, tp_itemsize == 0) have the last part.
// Invariant while `valid`: the dict slot is null; values[i] belongs to type_extra(type)->keys.names[i]; everything
// at or beyond `high` is null; the order of the non-null values is the order in which the attributes were made.
// Once `valid` is 0 it stays 0, all values are null and the dict slot (null: empty) has the attributes.
// Writes hold ObjectLock(obj). Readers without the lock load a value with sync::get_ref and, if it is null, look
// at `valid` again: the mover stores valid = 0 before it takes the values away, and dict before valid.
#pragma once

#include "Python.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/shared_slot.h"

namespace amphis {

struct InlineValues {
  uint8_t capacity;
  uint8_t high;
  uint8_t valid;
  PyObject* values[1];  // capacity of them
};

constexpr size_t kInlineHeader = offsetof(InlineValues, values);

inline bool has_inline_values(PyTypeObject* type) { return type_has_flag(type, Py_TPFLAGS_INLINE_VALUES); }

inline InlineValues* inline_values(PyObject* obj, PyTypeObject* type) {
  return reinterpret_cast<InlineValues*>(reinterpret_cast<char*>(obj) + type->tp_basicsize);
}

// Fixes the capacity at the first instance.
uint8_t inline_capacity_decide(PyTypeObject* type);
inline uint8_t inline_capacity(PyTypeObject* type) {
  uint8_t capacity = sync::load_relaxed(type_extra(type)->inline_capacity);
  return capacity != 0 ? capacity : inline_capacity_decide(type);
}

// The bytes that an instance needs beyond tp_basicsize; 0 for types without inline values.
inline size_t inline_values_size(PyTypeObject* type) {
  if (!has_inline_values(type)) return 0;
  return kInlineHeader + sizeof(PyObject*) * inline_capacity(type);
}

// Makes the inline part of a new instance empty. The capacity must be the one that inline_values_size assumed.
inline void init_inline_values(PyObject* obj, PyTypeObject* type) {
  if (!has_inline_values(type)) return;
  InlineValues* iv = inline_values(obj, type);
  uint8_t capacity = inline_capacity(type);
  iv->capacity = capacity;
  iv->high = 0;
  iv->valid = 1;
  for (PyObject **slot = iv->values, **end = slot + capacity; slot != end; ++slot) {
    *slot = nullptr;
    // Keeps the compiler from making `rep stos` of the loop, whose start costs more than the few stores.
    asm volatile("" : "+r"(slot));
  }
}

// The slot that holds the instance dict, or null if the type has none.
inline PyObject** instance_dict_slot(PyObject* obj, PyTypeObject* type) {
  Py_ssize_t offset = type->tp_dictoffset;
  if (offset > 0) return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(obj) + offset);
  if (offset == 0) return nullptr;
  Py_ssize_t items = reinterpret_cast<PyVarObject*>(obj)->ob_size;
  if (type_has_flag(type, Py_TPFLAGS_LONG_SUBCLASS)) {
    // An int keeps its digit count above three tag bits, and always has room for one digit.
    items = static_cast<Py_ssize_t>(reinterpret_cast<PyLongObject*>(obj)->long_value.lv_tag >> 3);
    if (items == 0) items = 1;
  }
  if (items < 0) items = -items;
  size_t size = static_cast<size_t>(type->tp_basicsize) + static_cast<size_t>(items * type->tp_itemsize);
  size = (size + sizeof(void*) - 1) & ~(sizeof(void*) - 1);
  return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(obj) + size + offset);
}

// The index of an interned name among the attributes of type's instances, or -1. Never changes once it is not -1.
inline int shared_keys_index(PyTypeObject* type, PyObject* name) {
  const SharedKeys& keys = type_extra(type)->keys;
  int count = sync::load_acquire(keys.count);
  for (int i = 0; i < count; ++i) {
    if (keys.names[i] == name) return i;
  }
  return -1;
}
// The same for any str; -2 with an exception if comparing failed.
int shared_keys_find(PyTypeObject* type, PyObject* name);
// Finds or appends an interned name; -1 if the table is full.
int shared_keys_add(PyTypeObject* type, PyObject* name);

// Reads an instance attribute (not the class's): 1 and a new reference in *value, 0 and null if absent, -1 error.
int instance_get(PyObject* obj, PyTypeObject* type, PyObject* name, PyObject** value);
// Writes (value null: deletes) an instance attribute: 0; 1 if there was nothing to delete; 2 if instances of the type
// have no dict; -1 error.
int instance_set(PyObject* obj, PyTypeObject* type, PyObject* name, PyObject* value);

// The instance dict, made if need be (new reference; null with an exception). Only if the type has a dict slot.
PyObject* instance_dict(PyObject* obj);
// Moves inline values into a real dict and returns it borrowed from obj's slot (null with an exception). Does
// nothing more than return the dict if that has already happened.
PyObject* instance_materialize_dict(PyObject* obj);
// Replaces the dict (value null: drops it). 0 or -1.
int instance_set_dict(PyObject* obj, PyObject* dict);

// For the collector and deallocation.
int instance_visit_values(PyObject* obj, PyTypeObject* type, visitproc visit, void* arg);
void instance_clear_values(PyObject* obj, PyTypeObject* type);

}  // namespace amphis
