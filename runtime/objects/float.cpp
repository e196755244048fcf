// The type `float`: construction, arithmetic, comparison, hashing and the slots. Text is in float_text.cpp, methods are in
// float_methods.cpp, packing into bytes in float_pack.cpp.
#include "objects/float.h"

#include <cerrno>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "objects/immutable_memory.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {

double float_floor_divide(double v, double w) {
  const double mod = std::fmod(v, w);
  double div = (v - mod) / w;
  if (mod != 0.0 && (w < 0.0) != (mod < 0.0)) div -= 1.0;
  if (div == 0.0) return std::copysign(0.0, v / w);
  // The division may have landed just below an integer.
  const double floor = std::floor(div);
  return div - floor > 0.5 ? floor + 1.0 : floor;
}

PyObject* float_power(double v, double w) {
  if (v == 0.0 && w < 0.0 && std::isfinite(w)) {
    PyErr_SetString(PyExc_ZeroDivisionError, "zero to a negative power");
    return nullptr;
  }
  if (v < 0.0 && std::isfinite(v) && std::isfinite(w) && w != std::floor(w)) {
    auto base = Ref<>::steal(PyComplex_FromDoubles(v, 0.0));
    auto exponent = Ref<>::steal(PyComplex_FromDoubles(w, 0.0));
    if (!base || !exponent) return nullptr;
    return PyComplex_Type.tp_as_number->nb_power(base.get(), exponent.get(), Py_None);
  }
  const double result = std::pow(v, w);
  if (std::isinf(result) && std::isfinite(v) && std::isfinite(w)) {
    errno = ERANGE;
    return PyErr_SetFromErrno(PyExc_OverflowError);
  }
  return float_from_double(result);
}

int float_compare_int(double v, PyObject* w) {
  if (std::isnan(v)) return 2;
  int64_t i;
  if (int_to_int64(w, &i)) {
    if (v >= 9223372036854775808.0) return 1;
    if (v < -9223372036854775808.0) return -1;
    const auto whole = static_cast<int64_t>(v);
    if (whole != i) return whole < i ? -1 : 1;
    const double fraction = v - static_cast<double>(whole);
    return (fraction > 0.0) - (fraction < 0.0);
  }
  const int sign = int_sign(w);
  if (std::isinf(v)) return v > 0.0 ? 1 : -1;
  if (std::fabs(v) < 9.2e18) return -sign;  // w does not fit 64 bits
  // So large a float is a whole number.
  if ((v > 0.0) != (sign > 0)) return v > 0.0 ? 1 : -1;
  int exponent;
  std::frexp(v, &exponent);
  const int64_t bits = int_bit_length(w);
  if (bits != exponent) return (exponent < bits) == (sign > 0) ? -1 : 1;
  auto whole = Ref<>::steal(PyLong_FromDouble(v));
  if (!whole) {
    PyErr_Clear();
    return 2;
  }
  return int_compare(whole.get(), w);
}

namespace {

// 1: *out set; 0: not a number this type knows; -1: error.
inline int to_double(PyObject* v, double* out) {
  if (PyFloat_Check(v)) [[likely]] {
    *out = float_value(v);
    return 1;
  }
  if (!PyLong_Check(v)) return 0;
  int64_t i;
  if (compact_value(v, &i)) {
    *out = static_cast<double>(i);
    return 1;
  }
  *out = PyLong_AsDouble(v);
  return *out == -1.0 && PyErr_Occurred() ? -1 : 1;
}

// A binary slot around Operation(double, double).
template <PyObject* (*Operation)(double, double)>
PyObject* float_slot(PyObject* v, PyObject* w) {
  double a, b;
  int status = to_double(v, &a);
  if (status > 0) status = to_double(w, &b);
  if (status > 0) [[likely]] return Operation(a, b);
  if (status < 0) return nullptr;
  Py_RETURN_NOTIMPLEMENTED;
}

PyObject* zero_division() {
  PyErr_SetString(PyExc_ZeroDivisionError, "division by zero");
  return nullptr;
}

PyObject* add(double a, double b) { return float_from_double(a + b); }
PyObject* subtract(double a, double b) { return float_from_double(a - b); }
PyObject* multiply(double a, double b) { return float_from_double(a * b); }
PyObject* true_divide(double a, double b) { return b == 0.0 ? zero_division() : float_from_double(a / b); }
PyObject* floor_divide(double a, double b) {
  return b == 0.0 ? zero_division() : float_from_double(float_floor_divide(a, b));
}
PyObject* modulo(double a, double b) { return b == 0.0 ? zero_division() : float_from_double(float_modulo(a, b)); }
PyObject* divide_modulo(double a, double b) {
  if (b == 0.0) return zero_division();
  return Py_BuildValue("(dd)", float_floor_divide(a, b), float_modulo(a, b));
}

PyObject* power_slot(PyObject* v, PyObject* w, PyObject* z) {
  if (z != Py_None) {
    PyErr_SetString(PyExc_TypeError, "pow() 3rd argument not allowed unless all arguments are integers");
    return nullptr;
  }
  return float_slot<float_power>(v, w);
}

PyObject* exact(PyObject* v) { return PyFloat_CheckExact(v) ? Py_NewRef(v) : float_from_double(float_value(v)); }
PyObject* negative(PyObject* v) { return float_from_double(-float_value(v)); }
PyObject* absolute(PyObject* v) { return float_from_double(std::fabs(float_value(v))); }
int truth(PyObject* v) { return float_value(v) != 0.0; }
PyObject* to_int(PyObject* v) { return PyLong_FromDouble(float_value(v)); }

PyObject* richcompare(PyObject* v, PyObject* w, int op) {
  const double a = float_value(v);
  if (PyFloat_Check(w)) {
    const double b = float_value(w);
    bool result = false;
    switch (op) {
      case Py_EQ: result = a == b; break;
      case Py_NE: result = a != b; break;
      case Py_LT: result = a < b; break;
      case Py_LE: result = a <= b; break;
      case Py_GT: result = a > b; break;
      case Py_GE: result = a >= b; break;
    }
    return PyBool_FromLong(result);
  }
  if (!PyLong_Check(w)) Py_RETURN_NOTIMPLEMENTED;
  const int order = float_compare_int(a, w);
  if (order == 2) return PyBool_FromLong(op == Py_NE);
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

Py_hash_t hash(PyObject* v) { return _Py_HashDouble(v, float_value(v)); }

PyObject* repr(PyObject* v) {
  char buffer[kFloatReprSize];
  const size_t length = float_repr_chars(float_value(v), buffer);
  PyObject* result = PyUnicode_New(static_cast<Py_ssize_t>(length), 127);
  if (result != nullptr) std::memcpy(PyUnicode_1BYTE_DATA(result), buffer, length);
  return result;
}

PyObject* construct(PyTypeObject* type, PyObject* x) {
  PyObject* value = x == nullptr            ? float_from_double(0.0)
                    : PyUnicode_CheckExact(x) ? PyFloat_FromString(x)
                                              : PyNumber_Float(x);
  if (value == nullptr || type == &PyFloat_Type) return value;
  PyObject* result = type->tp_alloc(type, 0);
  if (result != nullptr) reinterpret_cast<PyFloatObject*>(result)->ob_fval = float_value(value);
  Py_DECREF(value);
  return result;
}

bool check_count(Py_ssize_t count) {
  if (count <= 1) return true;
  PyErr_Format(PyExc_TypeError, "float expected at most 1 argument, got %zd", count);
  return false;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  // A subclass with an __init__ of its own may have keywords of its own.
  if ((type == &PyFloat_Type || type->tp_init == PyFloat_Type.tp_init) && kwargs != nullptr &&
      PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "float() takes no keyword arguments");
    return nullptr;
  }
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  return check_count(count) ? construct(type, count == 0 ? nullptr : PyTuple_GET_ITEM(args, 0)) : nullptr;
}

PyObject* vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    PyErr_SetString(PyExc_TypeError, "float() takes no keyword arguments");
    return nullptr;
  }
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  if (!check_count(count)) return nullptr;
  return construct(reinterpret_cast<PyTypeObject*>(type), count == 0 ? nullptr : args[0]);
}

void dealloc(PyObject* self) {
  if (PyFloat_CheckExact(self)) [[likely]] {
    free_immutable(self);
  } else {
    Py_TYPE(self)->tp_free(self);
  }
}

PyNumberMethods float_as_number = {
    .nb_add = float_slot<add>,
    .nb_subtract = float_slot<subtract>,
    .nb_multiply = float_slot<multiply>,
    .nb_remainder = float_slot<modulo>,
    .nb_divmod = float_slot<divide_modulo>,
    .nb_power = power_slot,
    .nb_negative = negative,
    .nb_positive = exact,
    .nb_absolute = absolute,
    .nb_bool = truth,
    .nb_int = to_int,
    .nb_float = exact,
    .nb_floor_divide = float_slot<floor_divide>,
    .nb_true_divide = float_slot<true_divide>,
};

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyFloat_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "float",
    .tp_basicsize = sizeof(PyFloatObject),
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_as_number = &float_as_number,
    .tp_hash = hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "float(x=0, /)\n--\n\nA floating-point number from a string or a number, where that is possible.",
    .tp_richcompare = richcompare,
    .tp_methods = float_methods,
    .tp_getset = float_getset,
    .tp_new = make,
    .tp_free = PyObject_Free,
    .tp_vectorcall = vectorcall,
};

PyObject* PyFloat_FromDouble(double value) { return float_from_double(value); }

double PyFloat_AsDouble(PyObject* v) {
  if (v == nullptr) {
    PyErr_BadArgument();
    return -1.0;
  }
  if (PyFloat_Check(v)) return float_value(v);
  PyNumberMethods* nb = Py_TYPE(v)->tp_as_number;
  if (PyLong_CheckExact(v)) return PyLong_AsDouble(v);
  if (nb == nullptr || (nb->nb_float == nullptr && nb->nb_index == nullptr)) {
    PyErr_Format(PyExc_TypeError, "must be real number, not %.50s", Py_TYPE(v)->tp_name);
    return -1.0;
  }
  auto number = Ref<>::steal(PyNumber_Float(v));
  return number ? float_value(number.get()) : -1.0;
}

double PyFloat_GetMax(void) { return DBL_MAX; }
double PyFloat_GetMin(void) { return DBL_MIN; }

void _PyFloat_ExactDealloc(PyObject* v) { free_object(v); }

PyObject* PyFloat_GetInfo(void) {
  static PyStructSequence_Field fields[] = {
      {"max", "DBL_MAX -- maximum representable finite float"},
      {"max_exp", "DBL_MAX_EXP -- maximum int e such that radix**(e-1) is representable"},
      {"max_10_exp", "DBL_MAX_10_EXP -- maximum int e such that 10**e is representable"},
      {"min", "DBL_MIN -- minimum positive normalized float"},
      {"min_exp", "DBL_MIN_EXP -- minimum int e such that radix**(e-1) is a normalized float"},
      {"min_10_exp", "DBL_MIN_10_EXP -- minimum int e such that 10**e is a normalized float"},
      {"dig", "DBL_DIG -- maximum number of decimal digits that can be represented in a float"},
      {"mant_dig", "DBL_MANT_DIG -- mantissa digits"},
      {"epsilon", "DBL_EPSILON -- difference between 1 and the next representable float"},
      {"radix", "FLT_RADIX -- radix of exponent"},
      {"rounds", "FLT_ROUNDS -- rounding mode used for arithmetic operations"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.float_info", "Facts about the machine's floating-point type. Read only.", fields, 11};
  PyTypeObject* type = PyStructSequence_NewType(&description);
  if (type == nullptr) return nullptr;
  PyObject* info = PyStructSequence_New(type);
  Py_DECREF(type);
  if (info == nullptr) return nullptr;
  PyObject* const values[] = {
      float_from_double(DBL_MAX),     int_from_int64(DBL_MAX_EXP),    int_from_int64(DBL_MAX_10_EXP),
      float_from_double(DBL_MIN),     int_from_int64(DBL_MIN_EXP),    int_from_int64(DBL_MIN_10_EXP),
      int_from_int64(DBL_DIG),        int_from_int64(DBL_MANT_DIG),   float_from_double(DBL_EPSILON),
      int_from_int64(FLT_RADIX),      int_from_int64(FLT_ROUNDS),
  };
  Py_ssize_t i = 0;
  for (PyObject* value : values) PyStructSequence_SetItem(info, i++, value);
  if (PyErr_Occurred()) Py_CLEAR(info);
  return info;
}

// The value modulo 2**61 - 1, which agrees with the hash of equal ints; a NaN hashes by its object.
Py_hash_t _Py_HashDouble(PyObject* instance, double v) {
  constexpr uint64_t kModulus = (uint64_t{1} << 61) - 1;
  if (!std::isfinite(v)) {
    if (std::isinf(v)) return v > 0 ? 314159 : -314159;
    return Py_HashPointer(instance);
  }
  if (std::fabs(v) < 1152921504606846976.0) {  // 2**60
    const auto whole = static_cast<int64_t>(v);
    if (static_cast<double>(whole) == v) return whole == -1 ? -2 : whole;
  }
  int exponent;
  double fraction = std::frexp(v, &exponent);
  const bool is_negative = fraction < 0;
  auto x = static_cast<uint64_t>(std::ldexp(std::fabs(fraction), 53));
  exponent -= 53;
  // Multiplying by 2**exponent rotates the 61 bits.
  const int rotation = exponent >= 0 ? exponent % 61 : 60 - (-1 - exponent) % 61;
  x = ((x << rotation) & kModulus) | (rotation == 0 ? 0 : x >> (61 - rotation));
  if (x == kModulus) x = 0;
  const auto hash = is_negative ? -static_cast<Py_hash_t>(x) : static_cast<Py_hash_t>(x);
  return hash == -1 ? -2 : hash;
}

}  // extern "C"
