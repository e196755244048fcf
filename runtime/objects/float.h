// Floats for the rest of the runtime: boxing, reading, and the arithmetic whose results are not just the machine's.
#pragma once

#include <cmath>
#include <cstddef>

#include "Python.h"
#include "gc/object_new.h"

namespace amphis {

inline double float_value(PyObject* v) { return reinterpret_cast<PyFloatObject*>(v)->ob_fval; }

// A new reference, or null with MemoryError.
inline PyObject* float_from_double(double value) {
  auto* v = new_object<PyFloatObject>(&PyFloat_Type);
  if (v == nullptr) [[unlikely]] return PyErr_NoMemory();
  v->ob_fval = value;
  return reinterpret_cast<PyObject*>(v);
}

// Quotient rounded down and remainder with the sign of the divisor, which must not be zero.
double float_floor_divide(double v, double w);
inline double float_modulo(double v, double w) {
  double mod = std::fmod(v, w);
  if (mod != 0.0) {
    if ((w < 0.0) != (mod < 0.0)) mod += w;
  } else {
    mod = std::copysign(0.0, w);
  }
  return mod;
}

// v ** w as Python defines it: a float, a complex for a negative base with a fraction, or an exception.
PyObject* float_power(double v, double w);

// Exact comparison of a float with an int: -1, 0, 1, or 2 when the float is a NaN.
int float_compare_int(double v, PyObject* w);

// Half to even at `digits` decimals, correctly rounded; false with OverflowError.
bool float_round(double value, int64_t digits, double* result);

// The shortest text that reads back as the same value, as repr writes it. Returns the length; no null is written.
inline constexpr size_t kFloatReprSize = 32;
size_t float_repr_chars(double value, char* out);

// The longest decimal number at `begin`; sets *end behind it, or to `begin` when there is none. Understands inf and
// nan but no underscores and no spaces. Too large is an infinity, too small is zero.
double parse_double(const char* begin, const char* limit, const char** end);

// Copies text to `out` (at least as long) without underscores; false when one does not stand between two digits.
bool remove_underscores(const char* text, size_t length, char* out, size_t* out_length);

// The methods of `float` (float_methods.cpp).
extern PyMethodDef float_methods[];
extern PyGetSetDef float_getset[];

}  // namespace amphis
