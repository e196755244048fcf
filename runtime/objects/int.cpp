// The type `int`: the object itself, construction, comparison, hashing and the slots. Arithmetic is in
// int_arith.cpp, bits and shifts in int_bits.cpp, text in int_text.cpp, machine numbers in int_convert.cpp.
#include "objects/int.h"

#include <array>
#include <utility>

#include "gc/object_new.h"
#include "objects/float.h"
#include "objects/immutable_memory.h"
#include "objects/int_detail.h"

namespace amphis {
namespace {

template <size_t... I>
constexpr SmallInts make_small_ints(std::index_sequence<I...>) {
  return {{PyLongObject{
      PyObject_HEAD_INIT(&PyLong_Type){
          .lv_tag = (static_cast<int64_t>(I) + kSmallIntMin == 0 ? 1u
                     : static_cast<int64_t>(I) + kSmallIntMin < 0 ? (1u << 3 | 2u)
                                                                  : 1u << 3),
          .ob_digit = {static_cast<Digit>(static_cast<int64_t>(I) + kSmallIntMin < 0
                                              ? -(static_cast<int64_t>(I) + kSmallIntMin)
                                              : static_cast<int64_t>(I) + kSmallIntMin)}}}...}};
}

}  // namespace

constinit SmallInts small_ints = make_small_ints(std::make_index_sequence<kSmallIntCount>{});

PyLongObject* int_alloc(size_t count) {
  if (count > kMaxDigits) {
    PyErr_SetString(PyExc_OverflowError, "too many digits in integer");
    return nullptr;
  }
  auto* v = new_object_sized<PyLongObject>(&PyLong_Type, kDigitsOffset + (count == 0 ? 1 : count) * sizeof(Digit));
  if (v == nullptr) [[unlikely]] {
    PyErr_NoMemory();
    return nullptr;
  }
  v->long_value.lv_tag = count << 3;
  return v;
}

PyObject* int_finish(PyLongObject* v, size_t count, bool negative) {
  const Digit* digits = v->long_value.ob_digit;
  while (count > 0 && digits[count - 1] == 0) --count;
  if (count <= 1) {
    const int64_t value = count == 0 ? 0 : negative ? -int64_t{digits[0]} : int64_t{digits[0]};
    if (is_small_int(value)) {
      Py_DECREF(v);
      return small_int(value);
    }
  }
  v->long_value.lv_tag = count << 3 | (negative ? 2u : 0u);
  return as_object(v);
}

PyObject* int_from_digits(const Digit* digits, size_t count, bool negative) {
  while (count > 0 && digits[count - 1] == 0) --count;
  if (count <= 1) {
    const int64_t value = count == 0 ? 0 : digits[0];
    return int_from_int64(negative ? -value : value);
  }
  PyLongObject* v = int_alloc(count);
  if (v == nullptr) return nullptr;
  std::memcpy(v->long_value.ob_digit, digits, count * sizeof(Digit));
  v->long_value.lv_tag = count << 3 | (negative ? 2u : 0u);
  return as_object(v);
}

PyObject* int_from_limbs(const mp_limb_t* limbs, size_t count, bool negative) {
  while (count > 0 && limbs[count - 1] == 0) --count;
  if (count == 0) return small_int(0);
  if (count == 1) {
    if (!negative) return int_from_uint64(limbs[0]);
    if (limbs[0] <= uint64_t{1} << 63) return int_from_int64(static_cast<int64_t>(-limbs[0]));
  }
  const size_t total = digits_for_limbs(count);
  PyLongObject* v = int_alloc(total);
  if (v == nullptr) return nullptr;
  unpack_limbs(limbs, count, v->long_value.ob_digit);
  return int_finish(v, total, negative);
}

PyObject* int_box(int64_t value) {
  uint64_t magnitude = value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  const uintptr_t sign = value < 0 ? 2 : 0;
  // One block size for one and two digits: the padding of the struct holds the second.
  static_assert(sizeof(PyLongObject) >= kDigitsOffset + 2 * sizeof(Digit));
  if (magnitude >> 60 == 0) [[likely]] {
    auto* v = new_object<PyLongObject>(&PyLong_Type);
    if (v == nullptr) [[unlikely]] return PyErr_NoMemory();
    v->long_value.lv_tag = (magnitude > kMask ? 2u << 3 : 1u << 3) | sign;
    v->long_value.ob_digit[0] = static_cast<Digit>(magnitude) & kMask;
    v->long_value.ob_digit[1] = static_cast<Digit>(magnitude >> 30);
    return as_object(v);
  }
  const Digit digits[3] = {static_cast<Digit>(magnitude) & kMask, static_cast<Digit>(magnitude >> 30) & kMask,
                           static_cast<Digit>(magnitude >> 60)};
  return int_from_digits(digits, 3, value < 0);
}

PyObject* int_from_uint64(uint64_t value) {
  if (value <= static_cast<uint64_t>(INT64_MAX)) return int_from_int64(static_cast<int64_t>(value));
  const Digit digits[3] = {static_cast<Digit>(value) & kMask, static_cast<Digit>(value >> 30) & kMask,
                           static_cast<Digit>(value >> 60)};
  return int_from_digits(digits, 3, false);
}

PyObject* int_from_int128(__int128 value) {
  if (value == static_cast<int64_t>(value)) return int_from_int64(static_cast<int64_t>(value));
  const bool negative = value < 0;
  auto magnitude = negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  Digit digits[5];
  for (Digit& d : digits) {
    d = static_cast<Digit>(magnitude) & kMask;
    magnitude >>= kShift;
  }
  return int_from_digits(digits, 5, negative);
}

bool int_to_int64_slow(PyObject* v, int64_t* out) {
  if (digit_count(v) != 3) return false;
  const Digit* d = digits_of(v);
  if (d[2] > 8) return false;  // 2**63 is 8 * 2**60
  const uint64_t magnitude = uint64_t{d[0]} | uint64_t{d[1]} << 30 | uint64_t{d[2]} << 60;
  if (is_negative(v)) {
    if (magnitude > uint64_t{1} << 63) return false;
    *out = static_cast<int64_t>(-magnitude);
    return true;
  }
  if (magnitude > static_cast<uint64_t>(INT64_MAX)) return false;
  *out = static_cast<int64_t>(magnitude);
  return true;
}

int int_compare(PyObject* a, PyObject* b) {
  int64_t x, y;
  if (compact_value(a, &x) && compact_value(b, &y)) return (x > y) - (x < y);
  const int sign_a = int_sign(a), sign_b = int_sign(b);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  const size_t na = digit_count(a), nb = digit_count(b);
  int order = 0;
  if (na != nb) {
    order = na < nb ? -1 : 1;
  } else {
    const Digit *da = digits_of(a), *db = digits_of(b);
    for (size_t i = na; i-- > 0;) {
      if (da[i] != db[i]) {
        order = da[i] < db[i] ? -1 : 1;
        break;
      }
    }
  }
  return sign_a < 0 ? -order : order;
}

// The value modulo the Mersenne prime 2**61 - 1, with the sign of the value; -1 is reserved for errors.
Py_hash_t int_hash(PyObject* a) {
  constexpr uint64_t kModulus = (uint64_t{1} << 61) - 1;
  int64_t small;
  if (compact_value(a, &small)) return small == -1 ? -2 : small;
  uint64_t x = 0;
  const Digit* d = digits_of(a);
  for (size_t i = digit_count(a); i-- > 0;) {
    // Multiplying by 2**30 modulo 2**61 - 1 is a rotation by 30 in 61 bits.
    x = ((x << kShift) & kModulus) | (x >> (61 - kShift));
    x += d[i];
    if (x >= kModulus) x -= kModulus;
  }
  const auto hash = static_cast<Py_hash_t>(x);
  const Py_hash_t signed_hash = is_negative(a) ? -hash : hash;
  return signed_hash == -1 ? -2 : signed_hash;
}

namespace {

PyObject* int_richcompare(PyObject* a, PyObject* b, int op) {
  if (!PyLong_Check(a) || !PyLong_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  const int order = a == b ? 0 : int_compare(a, b);
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

template <PyObject* (*Operation)(PyObject*, PyObject*)>
PyObject* int_slot(PyObject* a, PyObject* b) {
  if (!PyLong_Check(a) || !PyLong_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return Operation(a, b);
}

PyObject* int_divmod_slot(PyObject* a, PyObject* b) {
  if (!PyLong_Check(a) || !PyLong_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  PyObject *quotient, *remainder;
  if (int_divmod(a, b, &quotient, &remainder) < 0) return nullptr;
  PyObject* pair = PyTuple_New(2);
  if (pair == nullptr) {
    Py_DECREF(quotient);
    Py_DECREF(remainder);
    return nullptr;
  }
  PyTuple_SET_ITEM(pair, 0, quotient);
  PyTuple_SET_ITEM(pair, 1, remainder);
  return pair;
}

PyObject* int_pow_slot(PyObject* a, PyObject* b, PyObject* c) {
  if (!PyLong_Check(a) || !PyLong_Check(b) || (c != Py_None && !PyLong_Check(c))) Py_RETURN_NOTIMPLEMENTED;
  return int_pow(a, b, c);
}

int int_bool(PyObject* v) { return !int_is_zero(v); }

PyObject* int_float(PyObject* v) {
  const double d = PyLong_AsDouble(v);
  return d == -1.0 && PyErr_Occurred() ? nullptr : float_from_double(d);
}

PyObject* int_exact(PyObject* v) {
  if (PyLong_CheckExact(v)) return Py_NewRef(v);
  return _PyLong_Copy(as_long(v));
}

PyObject* int_repr(PyObject* v) { return int_to_text(v, 10, false); }

// int(x), int(x, base): `x` null for no argument.
PyObject* int_construct(PyObject* x, PyObject* base) {
  if (x == nullptr) {
    if (base != nullptr) {
      PyErr_SetString(PyExc_TypeError, "int() missing string argument");
      return nullptr;
    }
    return small_int(0);
  }
  if (base == nullptr) return PyLong_CheckExact(x) ? Py_NewRef(x) : PyNumber_Long(x);
  const Py_ssize_t n = PyNumber_AsSsize_t(base, nullptr);
  if (n == -1 && PyErr_Occurred()) return nullptr;
  if ((n != 0 && n < 2) || n > 36) {
    PyErr_SetString(PyExc_ValueError, "int() base must be >= 2 and <= 36, or 0");
    return nullptr;
  }
  if (PyUnicode_Check(x)) return PyLong_FromUnicodeObject(x, static_cast<int>(n));
  if (PyByteArray_Check(x) || PyBytes_Check(x)) {
    PyObject* bytes = PyBytes_Check(x) ? Py_NewRef(x) : PyBytes_FromObject(x);
    if (bytes == nullptr) return nullptr;
    PyObject* result =
        int_from_bytes_literal(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), static_cast<int>(n));
    Py_DECREF(bytes);
    return result;
  }
  PyErr_SetString(PyExc_TypeError, "int() can't convert non-string with explicit base");
  return nullptr;
}

// An instance of a strict subclass with the value of `v`, which is taken over.
PyObject* int_of_subtype(PyTypeObject* type, PyObject* v) {
  if (v == nullptr || type == &PyLong_Type) return v;
  const size_t count = digit_count(v);
  PyObject* result = type->tp_alloc(type, static_cast<Py_ssize_t>(count == 0 ? 1 : count));
  if (result != nullptr) {
    as_long(result)->long_value.lv_tag = long_value_of(v).lv_tag & ~uintptr_t{4};
    as_long(result)->long_value.ob_digit[0] = 0;
    std::memcpy(as_long(result)->long_value.ob_digit, digits_of(v), count * sizeof(Digit));
  }
  Py_DECREF(v);
  return result;
}

PyObject* int_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  const Py_ssize_t given = PyTuple_GET_SIZE(args) + (kwargs != nullptr ? PyDict_GET_SIZE(kwargs) : 0);
  PyObject* x = nullptr;
  PyObject* base = nullptr;
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) {
    if (given > 2) {
      PyErr_Format(PyExc_TypeError, "int() takes at most 2 arguments (%zd given)", given);
      return nullptr;
    }
    if (given > 0) x = PyTuple_GET_ITEM(args, 0);
    if (given > 1) base = PyTuple_GET_ITEM(args, 1);
  } else {
    static const char* const keywords[] = {"", "base", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:int", const_cast<char**>(keywords), &x, &base)) {
      return nullptr;
    }
  }
  return int_of_subtype(type, int_construct(x, base));
}

PyObject* int_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    // Rare: let the general constructor sort the keywords out.
    PyObject* tuple = PyTuple_New(nargs);
    PyObject* dict = tuple != nullptr ? PyDict_New() : nullptr;
    PyObject* result = nullptr;
    bool ok = dict != nullptr;
    if (ok) {
      for (Py_ssize_t i = 0; i < nargs; ++i) PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
      for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(kwnames); ++i) {
        ok = PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) == 0;
      }
    }
    if (ok) result = int_new(reinterpret_cast<PyTypeObject*>(type), tuple, dict);
    Py_XDECREF(tuple);
    Py_XDECREF(dict);
    return result;
  }
  switch (nargs) {
    case 0:
      return small_int(0);
    case 1:
      return int_construct(args[0], nullptr);
    case 2:
      return int_construct(args[0], args[1]);
    default:
      PyErr_Format(PyExc_TypeError, "int expected at most 2 arguments, got %zd", nargs);
      return nullptr;
  }
}

void int_dealloc(PyObject* self) {
  if (PyLong_CheckExact(self)) {
    free_immutable(self);
  } else {
    Py_TYPE(self)->tp_free(self);
  }
}

PyNumberMethods int_as_number = {
    .nb_add = int_slot<int_add>,
    .nb_subtract = int_slot<int_sub>,
    .nb_multiply = int_slot<int_mul>,
    .nb_remainder = int_slot<int_mod>,
    .nb_divmod = int_divmod_slot,
    .nb_power = int_pow_slot,
    .nb_negative = int_neg,
    .nb_positive = int_exact,
    .nb_absolute = int_abs,
    .nb_bool = int_bool,
    .nb_invert = int_invert,
    .nb_lshift = int_slot<int_lshift>,
    .nb_rshift = int_slot<int_rshift>,
    .nb_and = int_slot<int_and>,
    .nb_xor = int_slot<int_xor>,
    .nb_or = int_slot<int_or>,
    .nb_int = int_exact,
    .nb_float = int_float,
    .nb_floor_divide = int_slot<int_floordiv>,
    .nb_true_divide = int_slot<int_truediv>,
    .nb_index = int_exact,
};

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyLong_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "int",
    .tp_basicsize = kDigitsOffset,
    .tp_itemsize = sizeof(Digit),
    .tp_dealloc = int_dealloc,
    .tp_repr = int_repr,
    .tp_as_number = &int_as_number,
    .tp_hash = int_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_LONG_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "int([x]) -> integer\n"
              "int(x, base=10) -> integer\n"
              "\n"
              "Makes an integer from a number or from text; without arguments, 0. A number with a fraction is\n"
              "truncated towards zero. With a base (2 to 36, or 0 to take it from the prefix 0b, 0o or 0x),\n"
              "x must be a str, bytes or bytearray that holds a literal in that base.",
    .tp_richcompare = int_richcompare,
    .tp_methods = int_methods,
    .tp_getset = int_getset,
    .tp_new = int_new,
    .tp_free = PyObject_Free,
    .tp_vectorcall = int_vectorcall,
};

PyObject* _PyLong_Copy(PyLongObject* src) {
  PyObject* v = as_object(src);
  int64_t small;
  if (compact_value(v, &small)) return int_from_int64(small);
  return int_from_digits(digits_of(v), digit_count(v), is_negative(v));
}

PyLongObject* _PyLong_New(Py_ssize_t count) {
  PyLongObject* v = int_alloc(static_cast<size_t>(count));
  if (v != nullptr) v->long_value.ob_digit[0] = 0;
  if (v != nullptr && count == 0) v->long_value.lv_tag = 1;
  return v;
}

PyLongObject* _PyLong_FromDigits(int negative, Py_ssize_t count, digit* digits) {
  return reinterpret_cast<PyLongObject*>(int_from_digits(digits, static_cast<size_t>(count), negative != 0));
}

PyObject* PyLong_GetInfo(void) {
  static PyStructSequence_Field fields[] = {
      {"bits_per_digit", "size of a digit in bits"},
      {"sizeof_digit", "size in bytes of the C type used to represent a digit"},
      {"default_max_str_digits", "maximum string conversion digits limitation"},
      {"str_digits_check_threshold", "minimum positive value for int_max_str_digits"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.int_info", "Facts about how integers are represented. Read only.", fields, 4};
  PyTypeObject* type = PyStructSequence_NewType(&description);
  if (type == nullptr) return nullptr;
  PyObject* info = PyStructSequence_New(type);
  Py_DECREF(type);
  if (info == nullptr) return nullptr;
  const int64_t values[] = {kShift, sizeof(Digit), kDefaultMaxStrDigits, kMaxStrDigitsThreshold};
  for (Py_ssize_t i = 0; i < 4; ++i) PyStructSequence_SetItem(info, i, int_from_int64(values[i]));
  return info;
}

}  // extern "C"
