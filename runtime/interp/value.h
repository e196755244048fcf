// Value: the 64-bit tagged word that registers hold. NaN boxing: every float and every 48-bit integer is held without an
// allocation; pointers carry a bit that says whether the register owns a reference.
//
//   bits 63..48   meaning of the rest
//   0000          PyObject* in bits 47..0; bit 0 set: owned (this register holds a reference)
//   0001..FFFE    double, stored as its bits + 2^48 (NaNs are canonical, so the sum never reaches FFFF)
//   FFFF          integer, 48-bit two's complement
//
// The empty register is 0, a borrowed null: fresh stack memory is empty, "owned pointer" is one mask and compare, and a
// borrowed pointer is the plain pointer. Only interp/ knows Values; everything else sees PyObject*.
#pragma once

#include <bit>
#include <cstdint>

#include "Python.h"
#include "objects/float.h"
#include "objects/int.h"
#include "sync/shared_slot.h"

namespace amphis {

using Value = uint64_t;

inline constexpr Value kEmpty = 0;
inline constexpr Value kOwned = 1;
inline constexpr Value kIntTag = 0xFFFF000000000000u;
inline constexpr Value kDoubleOffset = 0x0001000000000000u;
inline constexpr Value kOwnedMask = 0xFFFF000000000001u;

inline constexpr int64_t kValueIntMin = -(int64_t{1} << 47);
inline constexpr int64_t kValueIntMax = (int64_t{1} << 47) - 1;

inline bool is_int(Value v) { return v >= kIntTag; }
inline bool both_int(Value a, Value b) { return (a & b) >= kIntTag; }
inline bool is_double(Value v) { return v - kDoubleOffset < kIntTag - kDoubleOffset; }
inline bool is_pointer(Value v) { return v < kDoubleOffset; }
inline bool is_owned(Value v) { return (v & kOwnedMask) == kOwned; }

inline int64_t int_of(Value v) { return static_cast<int64_t>(v << 16) >> 16; }
inline double double_of(Value v) { return std::bit_cast<double>(v - kDoubleOffset); }
inline PyObject* pointer_of(Value v) { return reinterpret_cast<PyObject*>(v & ~kOwned); }

inline bool fits_int(int64_t i) {
  return (static_cast<uint64_t>(i) - static_cast<uint64_t>(kValueIntMin)) >> 48 == 0;
}
// i must fit in 48 bits.
inline Value value_int(int64_t i) { return static_cast<Value>(i) | kIntTag; }
inline Value value_double(double d) {
  if (d != d) [[unlikely]] {
    d = std::bit_cast<uint64_t>(d) >> 63 ? std::bit_cast<double>(0xFFF8000000000000u)
                                         : std::bit_cast<double>(0x7FF8000000000000u);
  }
  const Value v = std::bit_cast<uint64_t>(d) + kDoubleOffset;
  if (v == kEmpty) __builtin_unreachable();  // who tests for "no number" afterwards need not
  return v;
}
inline Value value_owned(PyObject* o) { return reinterpret_cast<Value>(o) | kOwned; }
inline Value value_borrowed(PyObject* o) { return reinterpret_cast<Value>(o); }

inline Value value_true() { return value_borrowed(Py_True); }
inline Value value_false() { return value_borrowed(Py_False); }
inline Value value_none() { return value_borrowed(Py_None); }
inline Value value_bool(bool b) { return b ? value_true() : value_false(); }
inline bool is_true_object(Value v) { return (v & ~kOwned) == value_true(); }
inline bool is_false_object(Value v) { return (v & ~kOwned) == value_false(); }
inline bool is_none(Value v) { return (v & ~kOwned) == value_none(); }

// Drops what the register held, if it owned a reference.
AMPHIS_ALWAYS_INLINE void drop(Value v) {
  if (is_owned(v)) sync::decref_own(pointer_of(v));
}

// A new owned (or unboxed, or immortal) copy.
AMPHIS_ALWAYS_INLINE Value copy_value(Value v) {
  if (is_pointer(v) && v != kEmpty) {
    PyObject* o = pointer_of(v);
    Py_INCREF(o);
    return value_owned(o);
  }
  return v;
}

// Turns a borrowed pointer into an owned one, in place of copy + drop.
AMPHIS_ALWAYS_INLINE Value to_owned(Value v) {
  if ((v & kOwnedMask) == 0 && v != kEmpty) {
    Py_INCREF(pointer_of(v));
    return v | kOwned;
  }
  return v;
}

PyObject* box_slow(Value v);

// New reference to an object with v's value; null with MemoryError. Leaves v's own reference alone.
AMPHIS_ALWAYS_INLINE PyObject* value_to_object(Value v) {
  if (is_pointer(v)) return Py_NewRef(pointer_of(v));
  return box_slow(v);
}

// New reference; takes over v's reference when it has one.
AMPHIS_ALWAYS_INLINE PyObject* value_take_object(Value v) {
  if (is_owned(v)) return pointer_of(v);
  return value_to_object(v);
}

// Unboxes an exact int or float object that fits; any other value comes back unchanged.
AMPHIS_ALWAYS_INLINE Value unboxed(Value v) {
  if (!is_pointer(v) || v == kEmpty) return v;
  PyObject* o = pointer_of(v);
  if (Py_IS_TYPE(o, &PyFloat_Type)) return value_double(PyFloat_AS_DOUBLE(o));
  if (Py_IS_TYPE(o, &PyLong_Type)) {
    int64_t i;
    if (compact_value(o, &i) && fits_int(i)) return value_int(i);
  }
  return v;
}

// A fresh arithmetic result for a register: an unshared number is unboxed at once. Takes over the reference.
inline Value unboxed_result(PyObject* o) {
  Value v = unboxed(value_borrowed(o));
  if (is_pointer(v)) return value_owned(o);
  Py_DECREF(o);
  return v;
}

}  // namespace amphis
