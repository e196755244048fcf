// Loads through inline caches: what the specialised instructions do when their guard holds. Each returns false, with
// nothing changed, when the guard does not hold; the general instruction then decides anew.
//
// The cache word (one word, so that another thread can replace it while we read). Under a specialised form it has a version
// that is not 0, so a type or dict without a version never looks like the one that was seen:
//   LOAD_*_INLINE, STORE_ATTR_INLINE   type version | offset of InlineValues << 32 | index << 48
//   LOAD_ATTR_SLOT, STORE_ATTR_SLOT    type version | offset of the slot << 32
//   LOAD_ATTR_DICT                     type version | entry index << 32
//   LOAD_*_MODULE, LOAD_GLOBAL_*       keys version | offset of the value from the keys << 32
//   LOAD_ATTR_MEMBER                   type version | offset << 32 | Py_T_* << 56
//   LOAD_*_CLASS, LOAD_*_TYPE, LOAD_ATTR_PROPERTY, *_GETSET, STORE_ATTR_MEMBER
//                                      pointer to an AttrRecord, immutable once published
#pragma once

#include "Python.h"
#include "base/assert.h"
#include "checked/checked.h"
#include "interp/ops.h"
#include "objects/descriptor_property.h"
#include "objects/dict.h"
#include "objects/instance.h"
#include "objects/list.h"
#include "objects/range.h"
#include "objects/str.h"
#include "objects/tuple.h"
#include "objects/type.h"
#include "sync/deferred.h"
#include "sync/shared_slot.h"

namespace amphis {

// Whether other threads may write what is read and see what is stored. The loop's handlers know (eval.cpp), others ask. Who
// knows of one thread must not go on so after anything that may have started another one: a debug build looks.
enum class Threads { kAsk, kOne, kMany };
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool only_thread() {
  if constexpr (kThreads == Threads::kAsk) return sync::only_thread();
  AMPHIS_ASSERT(kThreads == Threads::kMany || sync::only_thread());
  return kThreads == Threads::kOne;
}

struct AttrRecord {
  uint32_t version;       // of the type (LOAD_*_TYPE) or of the class itself (LOAD_*_CLASS)
  uint8_t key_count;      // SharedKeys::count when the name was not among them
  bool inline_guard;      // instances have inline values: they must be valid and key_count unchanged
  int32_t dict_offset;    // > 0: the instance dict slot there must be null
  PyObject* value;        // borrowed: lives as long as the version is current; *_GETSET, STORE_ATTR_MEMBER: null
  bool lasting = false;   // LOAD_ATTR_PROPERTY: only the collector frees the value, so not before the next safepoint
  void* definition = nullptr;  // *_GETSET: PyGetSetDef; STORE_ATTR_MEMBER: PyMemberDef. They outlive the instances
};

AMPHIS_ALWAYS_INLINE Value borrow_value(Value v) { return is_pointer(v) ? v & ~kOwned : v; }

// Unboxed operands are the same object if they are the same number of the same type.
AMPHIS_ALWAYS_INLINE bool same_number(Value b, Value c) {
  b = unboxed(b);
  c = unboxed(c);
  return !is_pointer(b) && b == c;
}

// The number that an exact int or float holds, or kEmpty.
template <bool kNans = true>
AMPHIS_ALWAYS_INLINE Value number_of(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (AMPHIS_EVEN(type == &PyFloat_Type)) {
    const double d = PyFloat_AS_DOUBLE(o);
    return kNans || AMPHIS_LIKELY(d == d) ? value_double(d) : kEmpty;
  }
  int64_t i;
  if (AMPHIS_EVEN(type == &PyLong_Type) && compact_value(o, &i) && fits_int(i)) [[likely]] return value_int(i);
  return kEmpty;
}

// The same where the object may be asked for afterwards: not of a NaN, of which programs notice which one it is.
AMPHIS_ALWAYS_INLINE Value number_to_copy(PyObject* o) { return number_of<false>(o); }

// The contents of a register for an object that something else keeps alive: counted, or not if the collector looks after
// it. A number of another thread's comes without its object, whose count would be a cache line that the threads share.
AMPHIS_ALWAYS_INLINE Value value_shared(PyObject* o) {
  if (sync::is_deferred(o) || _Py_IsImmortal(o)) return value_borrowed(o);
  if (!sync::is_stable(o)) [[unlikely]] {
    const Value number = number_to_copy(o);
    if (number != kEmpty) return number;
    sync::incref_foreign(o);
  } else {
    sync::incref_stable(o);
  }
  return value_owned(o);
}
// The same for an object that may be asked for which one it is.
AMPHIS_ALWAYS_INLINE Value value_held(PyObject* o) {
  if (sync::is_deferred(o)) return value_borrowed(o);
  if (sync::is_stable(o))
    sync::incref_stable(o);
  else
    sync::incref_foreign(o);
  return value_owned(o);
}
// The same for an item of a tuple, which is seldom deferred; with `unbox`, numbers come without their objects.
AMPHIS_ALWAYS_INLINE Value value_of_item(PyObject* o, bool unbox) {
  if (unbox) {
    const Value number = number_to_copy(o);
    if (number != kEmpty) return number;
  }
  if (kRaces && sync::is_stable(o)) {
    sync::incref_stable(o);
    return value_owned(o);
  }
  return value_shared(o);
}

// Whether the slot, after all that was read before, holds o.
AMPHIS_ALWAYS_INLINE bool still_holds(PyObject* const* slot, PyObject* o) {
  sync::settle_reads();
  return sync::load_acquire(*const_cast<PyObject**>(slot)) == o;
}

// The number in the object o that was read from `slot`, or kEmpty. Only objects are looked into whose memory stays theirs
// meanwhile: this thread's own and, if they still are in the slot afterwards, immortal ones and numbers that are read
// uncounted. The slot's memory must be in use.
AMPHIS_ALWAYS_INLINE Value number_in_slot(PyObject* const* slot, PyObject* o) {
  if (!PyFloat_CheckExact(o) && !PyLong_CheckExact(o)) return kEmpty;
  if (sync::is_stable(o)) return number_of(o);
  if (!_Py_IsImmortal(o) && !sync::has_uncounted_reads(o)) return kEmpty;
  sync::settle_reads();  // what is looked at is the object of which that is known
  const Value number = number_of(o);
  return still_holds(slot, o) ? number : kEmpty;
}

// Another thread's object that this thread counts for once: if it is a number, the next time it need not.
inline void allow_uncounted(PyObject* o) {
  if (PyFloat_CheckExact(o) || PyLong_CheckExact(o)) sync::allow_uncounted_reads(o);
}

// What a slot most often holds, which load_slot asks for first: functions, classes and modules, which are deferred, or
// others.
enum class Expect { kInstances, kCode };

// The contents of a register for what a slot holds while no other thread writes it. Code keeps a number of a thread that
// has ended without its object; of what instances hold a program may ask which object it is.
template <Expect kExpected>
AMPHIS_ALWAYS_INLINE Value value_of_slot(PyObject* o) {
  if constexpr (kExpected == Expect::kCode) return value_shared(o);
  if (kRaces && AMPHIS_EVEN(sync::is_stable(o))) {
    sync::incref_stable(o);
    return value_owned(o);
  }
  return AMPHIS_EVEN(_Py_IsImmortal(o)) ? value_borrowed(o) : value_held(o);
}

// The rest of load_slot, for objects of other threads. New references or null.
AMPHIS_NOINLINE PyObject* load_shared(PyObject* const* slot, const void* owner);
AMPHIS_NOINLINE PyObject* try_load_shared(PyObject* const* slot);

// The contents of a slot that other threads may write, under the lock of `owner`; kEmpty if there are none. Without an
// owner (memory that may be out of use) kEmpty means, too, that only a look under the lock can tell. With `unbox`, numbers
// come without their object, and so without counting.
template <Threads kThreads = Threads::kAsk, Expect kExpected = Expect::kInstances>
AMPHIS_ALWAYS_INLINE Value load_slot(PyObject* const* slot, const void* owner, bool unbox) {
  PyObject* o = sync::load_acquire(*const_cast<PyObject**>(slot));
  if (o == nullptr) [[unlikely]] return kEmpty;
  if (unbox) {
    const Value number = only_thread<kThreads>() ? number_of(o) : number_in_slot(slot, o);
    if (number != kEmpty) return number;
  }
  if constexpr (kThreads == Threads::kOne) {
    (void)only_thread<kThreads>();
    return value_of_slot<kExpected>(o);
  } else if constexpr (kRaces) {
    // A deferred object stays until the next safepoint, and was what the slot held if it still is there: no address is used
    // again.
    if (kExpected == Expect::kCode && sync::is_deferred(o) && still_holds(slot, o)) [[likely]] return value_borrowed(o);
    if (sync::is_stable(o)) [[likely]] {
      sync::incref_stable(o);
      return value_owned(o);
    }
    if (_Py_IsImmortal(o) && still_holds(slot, o)) return value_borrowed(o);
    if (kExpected != Expect::kCode && sync::is_deferred(o) && still_holds(slot, o)) return value_borrowed(o);
    PyObject* counted = owner != nullptr ? load_shared(slot, owner) : try_load_shared(slot);
    return counted != nullptr ? value_owned(counted) : kEmpty;
  } else {
    Py_INCREF(o);
    return value_owned(o);
  }
}

// A number goes into the object that the slot holds, if nobody else can see that object. The slot's lock is held.
AMPHIS_ALWAYS_INLINE bool store_number_in_place(PyObject* old, Value v) {
  if (is_double(v)) {
    if (!Py_IS_TYPE(old, &PyFloat_Type) || !sync::is_private(old)) return false;
    reinterpret_cast<PyFloatObject*>(old)->ob_fval = double_of(v);
    return true;
  }
  if (!is_int(v) || !Py_IS_TYPE(old, &PyLong_Type) || !sync::is_private(old)) return false;
  // Of an int's digits only the first is certainly there, and small ints have objects of their own.
  const int64_t i = int_of(v);
  const uint64_t magnitude = static_cast<uint64_t>(i < 0 ? -i : i);
  if (is_small_int(i) || magnitude >> 30 != 0) return false;
  auto& value = reinterpret_cast<PyLongObject*>(old)->long_value;
  value.lv_tag = (uintptr_t{1} << 3) | (i < 0 ? 2 : 0);
  value.ob_digit[0] = static_cast<digit>(magnitude);
  return true;
}

AMPHIS_ALWAYS_INLINE uint64_t load_cache(const Word& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

AMPHIS_ALWAYS_INLINE bool dict_version_is(PyObject* dict, uint32_t version) {
  return dict_keys_version_now(reinterpret_cast<PyDictObject*>(dict)) == version;
}

template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool load_dict_cached(PyObject* dict, const Word& cache, bool unbox, Value* out) {
  uint64_t c = load_cache(cache);
  auto* d = reinterpret_cast<PyDictObject*>(dict);
  DictKeys* keys = dict_keys(d);
  if (sync::load_acquire(keys->version) != static_cast<uint32_t>(c)) return false;
  // The version fixes the layout of the keys, too: the cache has the offset of the value itself.
  auto* const* slot = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(keys) + (c >> 32));
  const Value v = load_slot<kThreads, Expect::kCode>(slot, nullptr, unbox);
  if constexpr (kThreads == Threads::kOne) {
    *out = v;
    return v != kEmpty;
  }
  if (v != kEmpty && sync::load_acquire(keys->version) != static_cast<uint32_t>(c)) {
    drop(v);
    return false;
  }
  *out = v;
  return v != kEmpty;
}

template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool load_attr_inline(PyObject* o, const Word& cache, bool unbox, Value* out) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c)) return false;
  auto* values = reinterpret_cast<InlineValues*>(reinterpret_cast<char*>(o) + ((c >> 32) & 0xffff));
  if (!sync::load_acquire(values->valid)) return false;
  Value v = load_slot<kThreads>(&values->values[c >> 48], o, unbox);
  *out = v;
  return v != kEmpty;
}

template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool load_attr_slot(PyObject* o, const Word& cache, bool unbox, Value* out) {
  uint64_t c = load_cache(cache);
  if (type_version_now(Py_TYPE(o)) != static_cast<uint32_t>(c)) return false;
  Value v = load_slot<kThreads>(reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + (c >> 32)), o, unbox);
  *out = v;
  return v != kEmpty;
}

template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool load_attr_dict(PyObject* o, const Word& cache, PyObject* name, bool unbox, Value* out) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c)) return false;
  if (!only_thread<kThreads>()) {
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
    Value v = load_slot<kThreads>(&entry->value, nullptr, unbox);
    *out = v;
    return v != kEmpty;
  }
}

template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool load_attr_module(PyObject* o, const Word& cache, bool unbox, Value* out) {
  if (!Py_IS_TYPE(o, &PyModule_Type)) return false;
  return load_dict_cached<kThreads>(PyModule_GetDict(o), cache, unbox, out);
}

inline const AttrRecord* record_of(const Word& cache) { return reinterpret_cast<const AttrRecord*>(load_cache(cache)); }

// What the class had under the record's name while its version was the record's.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool load_class_value(PyTypeObject* type, const AttrRecord* record, Value* out) {
  PyObject* value = record->value;
  // Both are asked without a branch between them: methods of a program are one or the other.
  if (kRaces && (static_cast<int>(sync::is_deferred(value)) | static_cast<int>(_Py_IsImmortal(value)))) [[likely]] {
    *out = value_borrowed(value);
    return true;
  }
  if (!only_thread<kThreads>()) {
    // The class may change between the check and the count: count only what can be counted safely.
    if (!sync::try_incref(value)) return false;
    if (type_version_now(type) != record->version) {
      Py_DECREF(value);
      return false;
    }
    *out = value_owned(value);
    return true;
  }
  *out = value_shared(value);
  return true;
}

template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool load_attr_class(PyObject* o, const AttrRecord* record, Value* out) {
  if (!Py_IS_TYPE(o, &PyType_Type) ||
      type_version_now(reinterpret_cast<PyTypeObject*>(o)) != record->version) {
    return false;
  }
  return load_class_value<kThreads>(reinterpret_cast<PyTypeObject*>(o), record, out);
}

// An attribute of o's class that the instance cannot hide.
template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool load_attr_type(PyObject* o, const AttrRecord* record, Value* out) {
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != record->version) return false;
  if (record->inline_guard) [[likely]] {
    if (!sync::load_acquire(inline_values(o, type)->valid)) return false;
    if (sync::load_acquire(type_extra(type)->keys.count) != record->key_count) return false;
  } else if (record->dict_offset > 0) {
    if (sync::load_acquire(*reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + record->dict_offset)) !=
        nullptr) {
      return false;
    }
  }
  return load_class_value<kThreads>(type, record, out);
}

// The function behind a property of o's class, for a register; kEmpty: the guard does not hold.
AMPHIS_ALWAYS_INLINE Value load_property_getter(PyObject* o, const AttrRecord* record) {
  if (type_version_now(Py_TYPE(o)) != record->version) return kEmpty;
  // The property lives as long as the version; its function may have been replaced by another __init__.
  if (sync::only_thread()) {
    PyObject* getter = property_getter(record->value);
    return getter != nullptr && PyFunction_Check(getter) ? value_shared(getter) : kEmpty;
  }
  // A deferred object stays until the next safepoint: what still is the property's afterwards was so all the time.
  if (!record->lasting) return kEmpty;
  PyObject* getter = property_getter(record->value);
  if (getter == nullptr || !sync::is_deferred(getter) || !PyFunction_Check(getter)) return kEmpty;
  sync::settle_reads();
  return property_getter(record->value) == getter ? value_borrowed(getter) : kEmpty;
}

// A field of a C struct that holds a number or a truth value.
AMPHIS_ALWAYS_INLINE bool load_attr_member(PyObject* o, const Word& cache, Value* out) {
  const uint64_t c = load_cache(cache);
  if (type_version_now(Py_TYPE(o)) != static_cast<uint32_t>(c)) return false;
  const char* address = reinterpret_cast<const char*>(o) + (c >> 32 & 0xffffff);
  const auto field = [address]<typename T>(T) { return sync::load_relaxed(*reinterpret_cast<const T*>(address)); };
  int64_t number;
  switch (c >> 56) {
    case Py_T_BOOL:
      *out = value_bool(field(char{}) != 0);
      return true;
    case Py_T_FLOAT:
      *out = value_double(static_cast<double>(field(float{})));
      return true;
    case Py_T_DOUBLE:
      *out = value_double(field(double{}));
      return true;
    case Py_T_BYTE:
      number = field(static_cast<signed char>(0));
      break;
    case Py_T_UBYTE:
      number = field(static_cast<unsigned char>(0));
      break;
    case Py_T_SHORT:
      number = field(short{});
      break;
    case Py_T_USHORT:
      number = field(static_cast<unsigned short>(0));
      break;
    case Py_T_INT:
      number = field(int{});
      break;
    case Py_T_UINT:
      number = field(unsigned{});
      break;
    case Py_T_LONG:
    case Py_T_LONGLONG:
    case Py_T_PYSSIZET:
      number = field(int64_t{});
      break;
    default:
      return false;
  }
  *out = value_int(number);
  return fits_int(number);
}

// The definition behind a getter or setter of o's class; null: the guard does not hold. Nothing frees it while o is used.
template <class Definition>
AMPHIS_ALWAYS_INLINE Definition* load_definition(PyObject* o, const AttrRecord* record) {
  if (type_version_now(Py_TYPE(o)) != record->version) return nullptr;
  return static_cast<Definition*>(record->definition);
}
// What object's own lookup does with them. Null or -1 with an exception.
AMPHIS_ALWAYS_INLINE PyObject* call_getter(PyObject* o, PyObject* name, const PyGetSetDef* def) {
  PyTypeObject* type = Py_TYPE(o);
  PyObject* value = checked::slot_result(o, "tp_getattro", type->tp_getattro, def->get(o, def->closure));
  if (value == nullptr) [[unlikely]] set_attribute_error_context(o, name);
  return value;
}
AMPHIS_ALWAYS_INLINE int call_setter(PyObject* o, PyObject* value, const PyGetSetDef* def) {
  PyTypeObject* type = Py_TYPE(o);
  return checked::slot_status(o, "tp_setattro", type->tp_setattro, def->set(o, value, def->closure));
}

// The class's __init__ if calling the class is "allocate, then call this Python function", for a register; else kEmpty
// without an exception.
PyObject* class_python_init_slow(PyTypeObject* cls);
AMPHIS_ALWAYS_INLINE Value class_python_init(PyTypeObject* cls) {
  if (is_heap_type(cls)) [[likely]] {
    // The function goes away only after the class has changed: here, or with the collector, at a safepoint.
    PyObject* init = sync::load_acquire(reinterpret_cast<PyHeapTypeObject*>(cls)->_spec_cache.init);
    if (init != nullptr) return value_shared(init);
  }
  PyObject* init = class_python_init_slow(cls);
  return init != nullptr ? value_owned(init) : kEmpty;
}

// A value operand as a new reference, with its kill done; null (and nothing killed) when out of memory.
AMPHIS_ALWAYS_INLINE PyObject* take_operand(Value* R, uint32_t reg, bool kill) {
  Value v = R[reg];
  PyObject* o = kill ? value_take_object(v) : value_to_object(v);
  if (kill && o != nullptr) R[reg] = kEmpty;
  return o;
}

// Puts a store's value operand R[reg] into `slot` of an object whose lock is held, or that only this thread can see;
// `there` is what the slot holds, or null. A number goes into the number that is there if nobody else can see that. Then,
// or when out of memory (false, nothing is killed), *old is null; else it is `there`, to be dropped without the lock.
AMPHIS_ALWAYS_INLINE bool put_operand(PyObject** slot, PyObject* there, Value* R, uint32_t reg, bool kill, PyObject** old) {
  const Value v = R[reg];
  PyObject* o;
  *old = nullptr;
  if (AMPHIS_EVEN(is_pointer(v))) {
    o = pointer_of(v);
    if (!kill || !is_owned(v)) Py_INCREF(o);
    if (kill) R[reg] = kEmpty;
  } else {
    if (there != nullptr && store_number_in_place(there, v)) return true;
    o = box_slow(v);
    if (o == nullptr) [[unlikely]] {
      PyErr_Clear();
      return false;
    }
  }
  sync::store_release(*slot, o);
  *old = there;
  return true;
}

// The three stores with the object's lock held or not needed. False: nothing has changed.
AMPHIS_ALWAYS_INLINE bool put_attr_inline(InlineValues* values, int index, Value* R, Word w, PyObject** old) {
  *old = nullptr;
  if (!values->valid || index >= values->capacity) return false;
  PyObject* const there = values->values[index];
  // Deleted before: the general way keeps the order in which attributes are made.
  if (there == nullptr && index < values->high) return false;
  if (!put_operand(&values->values[index], there, R, word_b(w), word_has(w, kKillB), old)) return false;
  if (there == nullptr) values->high = static_cast<uint8_t>(index + 1);
  return true;
}
AMPHIS_ALWAYS_INLINE bool put_list_item(PyListObject* list, Py_ssize_t i, Value* R, Word w, PyObject** old) {
  *old = nullptr;
  const Py_ssize_t size = list->ob_base.ob_size;
  if (i < 0) i += size;
  if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return false;
  return put_operand(&list->ob_item[i], list->ob_item[i], R, word_c(w), word_has(w, kKillC), old);
}
AMPHIS_ALWAYS_INLINE bool put_slot(PyObject** slot, Value* R, Word w, PyObject** old) {
  return put_operand(slot, *slot, R, word_b(w), word_has(w, kKillB), old);
}
// The same under the object's lock, and `old` dropped. Apart from the interpreter's loop, which would lose registers to them.
AMPHIS_NOINLINE bool put_attr_inline_locked(PyObject* o, InlineValues* values, int index, Value* R, Word w);
AMPHIS_NOINLINE bool put_list_item_locked(PyListObject* list, Py_ssize_t i, Value* R, Word w);
AMPHIS_NOINLINE bool put_slot_locked(PyObject* o, PyObject** slot, Value* R, Word w);

template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool store_attr_inline(PyObject* o, const Word& cache, Value* R, Word w) {
  uint64_t c = load_cache(cache);
  PyTypeObject* type = Py_TYPE(o);
  if (type_version_now(type) != static_cast<uint32_t>(c)) return false;
  const int index = static_cast<int>(c >> 48);
  auto* values = reinterpret_cast<InlineValues*>(reinterpret_cast<char*>(o) + ((c >> 32) & 0xffff));
  if (!only_thread<kThreads>()) [[unlikely]] return put_attr_inline_locked(o, values, index, R, w);
  PyObject* old;
  const bool done = put_attr_inline(values, index, R, w, &old);
  if (old != nullptr) Py_DECREF(old);
  return done;
}

template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE bool store_attr_slot(PyObject* o, const Word& cache, Value* R, Word w) {
  uint64_t c = load_cache(cache);
  if (type_version_now(Py_TYPE(o)) != static_cast<uint32_t>(c)) return false;
  auto** slot = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(o) + (c >> 32));
  if (!only_thread<kThreads>()) [[unlikely]] return put_slot_locked(o, slot, R, w);
  PyObject* old;
  const bool done = put_slot(slot, R, w, &old);
  if (old != nullptr) Py_DECREF(old);
  return done;
}

// o[i] of an exact list whose index is in range; kEmpty: the general path decides.
template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE Value load_list_item(PyListObject* list, Py_ssize_t i, bool unbox) {
  if (!only_thread<kThreads>()) {
    const Py_ssize_t size = list_size(list);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return kEmpty;
    PyObject** items = sync::load_acquire(list->ob_item);
    if (items == nullptr || i >= list_array_capacity(items)) return kEmpty;
    PyObject* o = sync::load_acquire(items[i]);
    if (o != nullptr) [[likely]] {
      if (unbox) {
        Value number = number_in_slot(&items[i], o);
        // Another thread's number may have left the list with the items.
        if (number != kEmpty && (sync::is_stable(o) || sync::load_acquire(list->ob_item) == items)) return number;
      }
      if (sync::is_deferred(o)) {
        sync::settle_reads();
        if (sync::load_acquire(items[i]) == o && sync::load_acquire(list->ob_item) == items) return value_borrowed(o);
      }
      if (sync::is_stable(o)) [[likely]] {
        sync::incref_stable(o);
        return value_owned(o);
      }
      if (_Py_IsImmortal(o) && sync::load_acquire(items[i]) == o) return value_borrowed(o);
    }
    PyObject* item = list_get_item_ref(list, i);
    if (item == nullptr) return kEmpty;
    if (unbox) allow_uncounted(item);
    return value_owned(item);
  } else {
    const Py_ssize_t size = PyList_GET_SIZE(list);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return kEmpty;
    PyObject* o = list->ob_item[i];
    if (unbox) {
      Value number = number_of(o);
      if (number != kEmpty) return number;
    }
    return value_of_slot<Expect::kInstances>(o);
  }
}

// The value of an entry of `keys`, which were the dict's when it was found; kEmpty: only a look under the lock can tell.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value load_dict_entry(PyDictObject* dict, DictKeys* keys, StrEntry* entry, bool unbox) {
  if (only_thread<kThreads>()) {
    const Value number = unbox ? number_of(entry->value) : kEmpty;
    return number != kEmpty ? number : value_of_slot<Expect::kInstances>(entry->value);
  }
  Value v = load_slot<kThreads>(&entry->value, nullptr, unbox);
  // The entry may have died, or the block may have been replaced.
  if (v != kEmpty && (sync::load_acquire(entry->key) == nullptr || dict_keys(dict) != keys)) {
    drop(v);
    return kEmpty;
  }
  return v;
}

// What was found in a dict at `index` of `keys`; kEmpty where there was nothing or only a look under the lock can tell.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value load_dict_at(PyDictObject* dict, DictKeys* keys, Py_ssize_t index, bool unbox) {
  return index >= 0 ? load_dict_entry<kThreads>(dict, keys, dict_entry(keys, index), unbox) : kEmpty;
}

// o[i] for exact list, tuple, dict and str; kEmpty: the general path decides. Nothing else runs.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value load_item_at(PyObject* o, int64_t i, bool unbox) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyList_Type) [[likely]] return load_list_item<kThreads>(reinterpret_cast<PyListObject*>(o), i, unbox);
  if (type == &PyTuple_Type) {
    const Py_ssize_t size = PyTuple_GET_SIZE(o);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return kEmpty;
    PyObject* item = PyTuple_GET_ITEM(o, i);
    if (unbox) {
      const Value number = number_of(item);
      if (number != kEmpty) return number;
    }
    return value_shared(item);
  }
  if (type == &PyDict_Type) {
    auto* dict = reinterpret_cast<PyDictObject*>(o);
    DictKeys* keys = dict_keys(dict);
    return load_dict_at<kThreads>(dict, keys, dict_lookup_index_int(keys, i), unbox);
  }
  if (type == &PyUnicode_Type) {
    const Py_ssize_t size = PyUnicode_GET_LENGTH(o);
    if (i < 0) i += size;
    if (static_cast<size_t>(i) >= static_cast<size_t>(size)) return kEmpty;
    const Py_UCS4 ch = PyUnicode_READ_CHAR(o, i);
    if (ch <= 0xff) return value_borrowed(latin1_char(ch));  // immortal
  }
  return kEmpty;
}

// The same for o[key] with a str for an exact dict, or an int that is an object.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE Value load_item_by(PyObject* o, PyObject* key, bool unbox) {
  if (!PyUnicode_CheckExact(key)) {
    const Value index = number_of(key);
    return is_int(index) && !PyDict_CheckExact(o) ? load_item_at<kThreads>(o, int_of(index), unbox) : kEmpty;
  }
  if (!PyDict_CheckExact(o)) return kEmpty;
  auto* dict = reinterpret_cast<PyDictObject*>(o);
  DictKeys* keys = dict_keys(dict);
  const Value v = load_dict_at<kThreads>(dict, keys, dict_lookup_index_str_in(keys, key), unbox);
  if (kThreads == Threads::kOne || v != kEmpty) return v;
  // Once under the lock the value is published, or a number to read uncounted, and the next look needs none.
  PyObject* item = dict_get_str(dict, key);
  if (item == nullptr) return kEmpty;
  if (unbox) allow_uncounted(item);
  return value_owned(item);
}

// The next number of a range iterator. Two threads on one iterator may get the same number, never memory errors.
AMPHIS_ALWAYS_INLINE bool range_iterator_next(PyObject* iterator, int64_t* out) {
  auto* it = reinterpret_cast<RangeIterator*>(iterator);
  int64_t left = sync::load_relaxed(it->left);
  if (left <= 0) return false;
  int64_t next = sync::load_relaxed(it->next);
  sync::store_relaxed(it->left, left - 1);
  *out = next;
  sync::store_relaxed(it->next, static_cast<int64_t>(static_cast<uint64_t>(next) + static_cast<uint64_t>(it->step)));
  return true;
}

// The next item of a list iterator; kEmpty: its tp_iternext decides.
template <Threads kThreads = Threads::kAsk>
AMPHIS_ALWAYS_INLINE Value list_iterator_next(PyObject* iterator, bool unbox) {
  auto* it = reinterpret_cast<ListIterator*>(iterator);
  PyListObject* list = it->seq;
  const Py_ssize_t index = sync::load_relaxed(it->index);
  if (list == nullptr || index < 0) return kEmpty;
  Value v = load_list_item<kThreads>(list, index, unbox);
  if (v != kEmpty) sync::store_relaxed(it->index, index + 1);
  return v;
}

// The same for a tuple's iterator.
AMPHIS_ALWAYS_INLINE Value tuple_iterator_next(PyObject* iterator, bool unbox) {
  auto* it = reinterpret_cast<TupleIterator*>(iterator);
  PyTupleObject* tuple = it->seq;
  const Py_ssize_t index = sync::load_relaxed(it->index);
  if (tuple == nullptr || static_cast<size_t>(index) >= static_cast<size_t>(PyTuple_GET_SIZE(tuple))) return kEmpty;
  sync::store_relaxed(it->index, index + 1);
  return value_of_item(PyTuple_GET_ITEM(tuple, index), unbox);
}

// o[key] = R[C] for a key that is an unboxed int and there already. Kills C when it succeeds.
bool store_dict_item(PyDictObject* dict, Value key, Value* R, Word w);

// o[key] = R[C] for an exact list and a list index in range, or a dict. Kills C when it succeeds.
template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool store_item_fast(PyObject* o, Value key, Value* R, Word w) {
  if (!Py_IS_TYPE(o, &PyList_Type)) [[unlikely]] {
    return is_int(key) && Py_IS_TYPE(o, &PyDict_Type) && store_dict_item(reinterpret_cast<PyDictObject*>(o), key, R, w);
  }
  const Value index = unboxed(key);
  if (!is_int(index)) return false;
  auto* list = reinterpret_cast<PyListObject*>(o);
  if (!only_thread<kThreads>()) [[unlikely]] return put_list_item_locked(list, int_of(index), R, w);
  PyObject* old;
  const bool done = put_list_item(list, int_of(index), R, w, &old);
  if (old != nullptr) Py_DECREF(old);
  return done;
}

}  // namespace amphis
