// Loads through inline caches: what the specialised instructions do when their guard holds. Each returns false, with
// nothing changed, when the guard does not hold; the general instruction then decides anew.
//
// The cache word (one word, so that another thread can replace it while we read):
//   LOAD_*_INLINE, STORE_ATTR_INLINE   type version | offset of InlineValues << 32 | index << 48
//   LOAD_ATTR_SLOT, STORE_ATTR_SLOT    type version | offset of the slot << 32
//   LOAD_ATTR_DICT                     type version | entry index << 32
//   LOAD_*_MODULE, LOAD_GLOBAL_*       keys version | offset of the value from the keys << 32
//   LOAD_ATTR_CLASS, LOAD_METHOD_TYPE  pointer to an AttrRecord, immutable once published
#pragma once

#include "Python.h"
#include "interp/ops.h"
#include "objects/dict.h"
#include "objects/instance.h"
#include "objects/list.h"
#include "objects/range.h"
#include "objects/type.h"
#include "sync/deferred.h"
#include "sync/shared_slot.h"

namespace amphis {

struct AttrRecord {
  uint32_t version;       // of the type (LOAD_METHOD_TYPE) or of the class itself (LOAD_ATTR_CLASS)
  uint8_t key_count;      // SharedKeys::count when the name was not among them
  bool inline_guard;      // instances have inline values: they must be valid and key_count unchanged
  int32_t dict_offset;    // > 0: the instance dict slot there must be null
  PyObject* value;        // borrowed: lives as long as the version is current
};

inline Value borrow_value(Value v) { return is_pointer(v) ? v & ~kOwned : v; }

// Unboxed operands are the same object if they are the same number of the same type.
inline bool same_number(Value b, Value c) {
  b = unboxed(b);
  c = unboxed(c);
  return !is_pointer(b) && b == c;
}

// A reference for a register: counted, or not if the collector looks after the object.
inline Value value_shared(PyObject* o) {
  if (sync::is_deferred(o)) return value_borrowed(o);
  Py_INCREF(o);
  return value_owned(o);
}

inline Value load_slot(PyObject* const* slot) {
  if constexpr (kRaces) {
    PyObject* o = sync::load_acquire(*slot);
    if (o == nullptr) return kEmpty;
    if (sync::is_deferred(o)) return value_borrowed(o);
    Ref<> ref = sync::get_ref(slot);
    return ref ? value_owned(ref.release()) : kEmpty;
  } else {
    PyObject* o = *slot;
    if (o == nullptr) return kEmpty;
    Py_INCREF(o);
    return value_owned(o);
  }
}

inline uint64_t load_cache(const Word& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

inline bool dict_version_is(PyObject* dict, uint32_t version) {
  return dict_keys_version_now(reinterpret_cast<PyDictObject*>(dict)) == version && version != 0;
}

// The cache word for the value of entry `index`, or 0 if it lies too far away.
inline uint64_t dict_cache_word(PyDictObject* dict, uint32_t version, Py_ssize_t index) {
  DictKeys* keys = dict_keys(dict);
  uint64_t offset = static_cast<uint64_t>(reinterpret_cast<char*>(&dict_entry(keys, index)->value) -
                                          reinterpret_cast<char*>(keys));
  if (offset > UINT32_MAX || sync::load_acquire(keys->version) != version) return 0;
  return version | offset << 32;
}

inline bool load_dict_cached(PyObject* dict, const Word& cache, Value* out) {
  uint64_t c = load_cache(cache);
  auto* d = reinterpret_cast<PyDictObject*>(dict);
  DictKeys* keys = dict_keys(d);
  if (sync::load_acquire(keys->version) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  // The version fixes the layout of the keys, too: the cache has the offset of the value itself.
  Value v = load_slot(reinterpret_cast<PyObject**>(reinterpret_cast<char*>(keys) + (c >> 32)));
  if constexpr (kRaces) {
    if (v != kEmpty && sync::load_acquire(keys->version) != static_cast<uint32_t>(c)) {
      drop(v);
      return false;
    }
  }
  *out = v;
  return v != kEmpty;
}

inline bool load_attr_inline(PyObject* o, const Word& cache, Value* out) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  auto* values = reinterpret_cast<InlineValues*>(reinterpret_cast<char*>(o) + ((c >> 32) & 0xffff));
  if (!sync::load_acquire(values->valid)) return false;
  Value v = load_slot(&values->values[c >> 48]);
  *out = v;
  return v != kEmpty;
}

inline bool load_attr_slot(PyObject* o, const Word& cache, Value* out) {
  uint64_t c = load_cache(cache);
  if (type_version_now(Py_TYPE(o)) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  Value v = load_slot(reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + (c >> 32)));
  *out = v;
  return v != kEmpty;
}

inline bool load_attr_dict(PyObject* o, const Word& cache, PyObject* name, Value* out) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  if constexpr (kRaces) {
    return false;  // the dict may be replaced while we look: the general path holds a reference to it
  } else {
    PyObject** slot = instance_dict_slot(o, type);
    if (*slot == nullptr) return false;
    auto* dict = reinterpret_cast<PyDictObject*>(*slot);
    Py_ssize_t index = static_cast<Py_ssize_t>(c >> 32);
    DictKeys* keys = dict_keys(dict);
    if (index >= static_cast<Py_ssize_t>(keys->nentries)) return false;
    StrEntry* entry = dict_entry(keys, index);
    if (entry->key != name) return false;
    Value v = load_slot(&entry->value);
    *out = v;
    return v != kEmpty;
  }
}

inline bool load_attr_module(PyObject* o, const Word& cache, Value* out) {
  if (!Py_IS_TYPE(o, &PyModule_Type)) return false;
  return load_dict_cached(PyModule_GetDict(o), cache, out);
}

inline bool load_attr_class(PyObject* o, const Word& cache, Value* out) {
  auto* record = reinterpret_cast<const AttrRecord*>(load_cache(cache));
  if (record == nullptr || !Py_IS_TYPE(o, &PyType_Type) ||
      type_version_now(reinterpret_cast<PyTypeObject*>(o)) != record->version) {
    return false;
  }
  if constexpr (kRaces) {
    // The class may change between the check and the count: count only what can be counted safely.
    PyObject* value = record->value;
    if (sync::is_deferred(value)) {
      *out = value_borrowed(value);
      return true;
    }
    if (!sync::try_incref(value)) return false;
    if (type_version_now(reinterpret_cast<PyTypeObject*>(o)) != record->version) {
      Py_DECREF(value);
      return false;
    }
    *out = value_owned(value);
    return true;
  } else {
    *out = value_shared(record->value);
    return true;
  }
}

inline bool load_method_type(PyObject* o, const Word& cache, Value* out) {
  auto* record = reinterpret_cast<const AttrRecord*>(load_cache(cache));
  if (record == nullptr) return false;
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != record->version) return false;
  if (record->inline_guard) {
    if (!sync::load_acquire(inline_values(o, type)->valid)) return false;
    if (sync::load_acquire(type_extra(type)->keys.count) != record->key_count) return false;
  } else if (record->dict_offset > 0) {
    if (sync::load_acquire(*reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + record->dict_offset)) !=
        nullptr) {
      return false;
    }
  }
  if constexpr (kRaces) {
    PyObject* value = record->value;
    if (sync::is_deferred(value)) {
      *out = value_borrowed(value);
      return true;
    }
    if (!sync::try_incref(value)) return false;
    if (type_version_now(type) != record->version) {
      Py_DECREF(value);
      return false;
    }
    *out = value_owned(value);
    return true;
  } else {
    *out = value_shared(record->value);
    return true;
  }
}

// A store's value operand as a new reference, with its kill done; null (and nothing killed) when out of memory.
inline PyObject* take_operand(Value* R, uint32_t reg, bool kill) {
  Value v = R[reg];
  PyObject* o = kill ? value_take_object(v) : value_to_object(v);
  if (kill && o != nullptr) R[reg] = kEmpty;
  return o;
}

inline bool store_attr_inline(PyObject* o, const Word& cache, Value* R, Word w) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  const int index = static_cast<int>(c >> 48);
  if constexpr (kRaces) {
    PyObject* value = value_to_object(R[word_b(w)]);
    if (value == nullptr) {
      PyErr_Clear();
      return false;
    }
    if (!instance_store_inline(o, type, index, value)) {
      Py_DECREF(value);
      return false;
    }
    if (word_flags(w) & kKillB) {
      Value v = R[word_b(w)];
      R[word_b(w)] = kEmpty;
      drop(v);
    }
    return true;
  } else {
    auto* values = reinterpret_cast<InlineValues*>(reinterpret_cast<char*>(o) + ((c >> 32) & 0xffff));
    if (!values->valid || index >= values->capacity) return false;
    PyObject* old = values->values[index];
    if (old == nullptr && index < values->high) return false;
    PyObject* value = take_operand(R, word_b(w), (word_flags(w) & kKillB) != 0);
    if (value == nullptr) {
      PyErr_Clear();
      return false;
    }
    values->values[index] = value;
    if (old != nullptr) {
      Py_DECREF(old);
    } else {
      values->high = static_cast<uint8_t>(index + 1);
    }
    return true;
  }
}

inline bool store_attr_slot(PyObject* o, const Word& cache, Value* R, Word w) {
  uint64_t c = load_cache(cache);
  if (type_version_now(Py_TYPE(o)) != static_cast<uint32_t>(c) || static_cast<uint32_t>(c) == 0) return false;
  auto** slot = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + (c >> 32));
  PyObject* value = value_to_object(R[word_b(w)]);
  if (value == nullptr) {
    PyErr_Clear();
    return false;
  }
  if (word_flags(w) & kKillB) {
    Value v = R[word_b(w)];
    R[word_b(w)] = kEmpty;
    drop(v);
  }
  ObjectLock lock(o);
  sync::set_slot(slot, Ref<>::steal(value));
  return true;
}

// o[c] for exact list, tuple and dict with the usual keys.
inline bool load_item_fast(PyObject* o, Value c, Value* out) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyList_Type) {
    Value index = unboxed(c);
    if (!is_int(index)) return false;
    Py_ssize_t i = int_of(index);
    if constexpr (kRaces) {
      auto* list = reinterpret_cast<PyListObject*>(o);
      if (i < 0) i += sync::load_relaxed(reinterpret_cast<PyVarObject*>(list)->ob_size);
      PyObject* item = list_get_item_ref(list, i);
      if (item == nullptr) return false;
      *out = value_owned(item);
      return true;
    } else {
      Py_ssize_t size = PyList_GET_SIZE(o);
      if (i < 0) i += size;
      if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return false;
      *out = value_shared(reinterpret_cast<PyListObject*>(o)->ob_item[i]);
      return true;
    }
  }
  if (type == &PyTuple_Type) {
    Value index = unboxed(c);
    if (!is_int(index)) return false;
    Py_ssize_t i = int_of(index);
    Py_ssize_t size = PyTuple_GET_SIZE(o);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return false;
    *out = value_shared(PyTuple_GET_ITEM(o, i));
    return true;
  }
  if (type == &PyDict_Type && is_pointer(c) && PyUnicode_CheckExact(pointer_of(c))) {
    PyObject* item = dict_get_str(reinterpret_cast<PyDictObject*>(o), pointer_of(c));
    if (item == nullptr) return false;
    *out = value_owned(item);
    return true;
  }
  return false;
}

// The next number of a range iterator. Two threads on one iterator may get the same number, never memory errors.
inline bool range_iterator_next(PyObject* iterator, int64_t* out) {
  auto* it = reinterpret_cast<RangeIterator*>(iterator);
  int64_t left = sync::load_relaxed(it->left);
  if (left <= 0) return false;
  int64_t next = sync::load_relaxed(it->next);
  sync::store_relaxed(it->left, left - 1);
  *out = next;
  sync::store_relaxed(it->next, static_cast<int64_t>(static_cast<uint64_t>(next) + static_cast<uint64_t>(it->step)));
  return true;
}

// The next item of a list iterator (new reference); null without an exception at the end.
inline PyObject* list_iterator_next(PyObject* iterator) {
  if constexpr (kRaces) {
    return PyListIter_Type.tp_iternext(iterator);
  } else {
    auto* it = reinterpret_cast<ListIterator*>(iterator);
    PyListObject* list = it->seq;
    if (list == nullptr || it->index >= PyList_GET_SIZE(list)) return PyListIter_Type.tp_iternext(iterator);
    return Py_NewRef(list->ob_item[it->index++]);
  }
}

// o[key] = R[C] for an exact list. Kills C when it succeeds.
inline bool store_item_fast(PyObject* o, Value key, Value* R, Word w) {
  if (!Py_IS_TYPE(o, &PyList_Type)) return false;
  Value index = unboxed(key);
  if (!is_int(index)) return false;
  if constexpr (kRaces) {
    return false;
  } else {
    Py_ssize_t i = int_of(index), size = PyList_GET_SIZE(o);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return false;
    PyObject* value = take_operand(R, word_c(w), (word_flags(w) & kKillC) != 0);
    if (value == nullptr) {
      PyErr_Clear();
      return false;
    }
    PyObject** slot = &reinterpret_cast<PyListObject*>(o)->ob_item[i];
    PyObject* old = *slot;
    *slot = value;
    Py_DECREF(old);
    return true;
  }
}

}  // namespace amphis
