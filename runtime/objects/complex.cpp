// The type `complex`: arithmetic, comparison, hashing, construction from numbers and the slots. Text is in
// complex_text.cpp.
#include "objects/complex.h"

#include <cerrno>
#include <cmath>

#include "capi/getargs.h"
#include "gc/object_new.h"
#include "objects/float.h"
#include "objects/format.h"
#include "objects/container_support.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// What C99, Annex G puts in the place of an infinite part (1) or of any other (0), with the sign kept.
double unit_if_infinite(double x) { return std::copysign(std::isinf(x) ? 1.0 : 0.0, x); }
double zero_if_nan(double x) { return std::isnan(x) ? std::copysign(0.0, x) : x; }

// Integer powers by squaring.
Py_complex power_unsigned(Py_complex base, long n) {
  Py_complex result{1.0, 0.0};
  for (;; base = _Py_c_prod(base, base)) {
    if (n & 1) result = _Py_c_prod(result, base);
    n >>= 1;
    if (n == 0) return result;
  }
}

Py_complex power_integer(Py_complex base, long n) {
  if (n > 0) return power_unsigned(base, n);
  return _Py_c_quot({1.0, 0.0}, power_unsigned(base, -n));
}

void set_range_error(Py_complex z) {
  errno = std::isinf(z.real) || std::isinf(z.imag) ? ERANGE : errno == ERANGE ? 0 : errno;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

Py_complex _Py_c_sum(Py_complex a, Py_complex b) { return {a.real + b.real, a.imag + b.imag}; }
Py_complex _Py_cr_sum(Py_complex a, double b) { return {a.real + b, a.imag}; }
Py_complex _Py_c_diff(Py_complex a, Py_complex b) { return {a.real - b.real, a.imag - b.imag}; }
Py_complex _Py_cr_diff(Py_complex a, double b) { return {a.real - b, a.imag}; }
Py_complex _Py_rc_diff(double a, Py_complex b) { return {a - b.real, -b.imag}; }
Py_complex _Py_c_neg(Py_complex a) { return {-a.real, -a.imag}; }
Py_complex _Py_cr_prod(Py_complex a, double b) { return {a.real * b, a.imag * b}; }
Py_complex _Py_cr_quot(Py_complex a, double b) {
  if (b == 0.0) {
    errno = EDOM;
    return {0.0, 0.0};
  }
  return {a.real / b, a.imag / b};
}

// C11 Annex G.5.1: an infinite factor gives an infinite product, though the plain formula gives NaNs.
Py_complex _Py_c_prod(Py_complex z, Py_complex w) {
  double a = z.real, b = z.imag, c = w.real, d = w.imag;
  const double ac = a * c, bd = b * d, ad = a * d, bc = b * c;
  Py_complex r{ac - bd, ad + bc};
  if (!std::isnan(r.real) || !std::isnan(r.imag)) return r;
  bool recalculate = false;
  if (std::isinf(a) || std::isinf(b)) {
    a = unit_if_infinite(a);
    b = unit_if_infinite(b);
    c = zero_if_nan(c);
    d = zero_if_nan(d);
    recalculate = true;
  }
  if (std::isinf(c) || std::isinf(d)) {
    c = unit_if_infinite(c);
    d = unit_if_infinite(d);
    a = zero_if_nan(a);
    b = zero_if_nan(b);
    recalculate = true;
  }
  if (!recalculate && (std::isinf(ac) || std::isinf(bd) || std::isinf(ad) || std::isinf(bc))) {
    a = zero_if_nan(a);
    b = zero_if_nan(b);
    c = zero_if_nan(c);
    d = zero_if_nan(d);
    recalculate = true;
  }
  if (recalculate) r = {HUGE_VAL * (a * c - b * d), HUGE_VAL * (a * d + b * c)};
  return r;
}

// Smith's algorithm, which scales by the larger part of the divisor; infinities as in C11 Annex G.5.2.
Py_complex _Py_c_quot(Py_complex a, Py_complex b) {
  Py_complex r;
  if (std::fabs(b.real) >= std::fabs(b.imag)) {
    if (b.real == 0.0) {
      errno = EDOM;
      return {0.0, 0.0};
    }
    const double ratio = b.imag / b.real;
    const double denominator = b.real + b.imag * ratio;
    r = {(a.real + a.imag * ratio) / denominator, (a.imag - a.real * ratio) / denominator};
  } else if (std::fabs(b.imag) >= std::fabs(b.real)) {
    const double ratio = b.real / b.imag;
    const double denominator = b.real * ratio + b.imag;
    r = {(a.real * ratio + a.imag) / denominator, (a.imag * ratio - a.real) / denominator};
  } else {
    r = {NAN, NAN};  // a part of b is a NaN
  }
  if (!std::isnan(r.real) || !std::isnan(r.imag)) return r;
  if ((std::isinf(a.real) || std::isinf(a.imag)) && std::isfinite(b.real) && std::isfinite(b.imag)) {
    const double x = unit_if_infinite(a.real), y = unit_if_infinite(a.imag);
    return {HUGE_VAL * (x * b.real + y * b.imag), HUGE_VAL * (y * b.real - x * b.imag)};
  }
  if ((std::isinf(b.real) || std::isinf(b.imag)) && std::isfinite(a.real) && std::isfinite(a.imag)) {
    const double x = unit_if_infinite(b.real), y = unit_if_infinite(b.imag);
    return {0.0 * (a.real * x + a.imag * y), 0.0 * (a.imag * x - a.real * y)};
  }
  return r;
}

// A real dividend: the imaginary part that it lacks must not turn into a signed zero or a NaN.
Py_complex _Py_rc_quot(double a, Py_complex b) {
  Py_complex r;
  if (std::fabs(b.real) >= std::fabs(b.imag)) {
    if (b.real == 0.0) {
      errno = EDOM;
      return {0.0, 0.0};
    }
    const double ratio = b.imag / b.real;
    const double denominator = b.real + b.imag * ratio;
    r = {a / denominator, (-a * ratio) / denominator};
  } else if (std::fabs(b.imag) >= std::fabs(b.real)) {
    const double ratio = b.real / b.imag;
    const double denominator = b.real * ratio + b.imag;
    r = {(a * ratio) / denominator, -a / denominator};
  } else {
    r = {NAN, NAN};
  }
  if (std::isnan(r.real) && std::isnan(r.imag) && std::isfinite(a) && (std::isinf(b.real) || std::isinf(b.imag))) {
    const double x = unit_if_infinite(b.real), y = unit_if_infinite(b.imag);
    r = {0.0 * (a * x), 0.0 * (-a * y)};
  }
  return r;
}

Py_complex _Py_c_pow(Py_complex a, Py_complex b) {
  if (b.real == 0.0 && b.imag == 0.0) return {1.0, 0.0};
  if (a.real == 0.0 && a.imag == 0.0) {
    if (b.imag != 0.0 || b.real < 0.0) errno = EDOM;
    return {0.0, 0.0};
  }
  const double magnitude = std::hypot(a.real, a.imag);
  double length = std::pow(magnitude, b.real);
  const double angle = std::atan2(a.imag, a.real);
  double phase = angle * b.real;
  if (b.imag != 0.0) {
    length *= std::exp(-angle * b.imag);
    phase += b.imag * std::log(magnitude);
  }
  const Py_complex r{length * std::cos(phase), length * std::sin(phase)};
  set_range_error(r);
  return r;
}

double _Py_c_abs(Py_complex z) {
  errno = 0;
  const double result = std::hypot(z.real, z.imag);
  errno = std::isinf(result) && std::isfinite(z.real) && std::isfinite(z.imag) ? ERANGE : 0;
  return result;
}

PyObject* PyComplex_FromCComplex(Py_complex value) {
  auto* z = new_object<PyComplexObject>(&PyComplex_Type);
  if (z == nullptr) return PyErr_NoMemory();
  z->cval = value;
  return reinterpret_cast<PyObject*>(z);
}

PyObject* PyComplex_FromDoubles(double real, double imag) { return PyComplex_FromCComplex({real, imag}); }

}  // extern "C"

namespace amphis {

PyObject* complex_special(PyObject* value) {
  auto method = Ref<>::steal(_PyObject_LookupSpecial(value, AMPHIS_STATIC_NAME("__complex__")));
  if (!method) return nullptr;
  auto result = Ref<>::steal(PyObject_CallNoArgs(method.get()));
  if (!result) return nullptr;
  if (!PyComplex_Check(result.get())) {
    PyErr_Format(PyExc_TypeError, "__complex__ returned non-complex (type %.200s)", Py_TYPE(result.get())->tp_name);
    return nullptr;
  }
  if (!PyComplex_CheckExact(result.get()) &&
      PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                       "__complex__ returned non-complex (type %.200s).  The ability to return an instance of a strict "
                       "subclass of complex is deprecated, and may be removed in a future version of Python.",
                       Py_TYPE(result.get())->tp_name) < 0) {
    return nullptr;
  }
  return result.release();
}

PyObject* complex_of_type(PyTypeObject* type, Py_complex value) {
  if (type == &PyComplex_Type) return PyComplex_FromCComplex(value);
  PyObject* z = type->tp_alloc(type, 0);
  if (z != nullptr) reinterpret_cast<PyComplexObject*>(z)->cval = value;
  return z;
}

namespace {

inline Py_complex value_of(PyObject* z) { return reinterpret_cast<PyComplexObject*>(z)->cval; }

// An operand: complex, real, not a number of ours (NotImplemented), or a failed conversion.
enum class Operand { kComplex, kReal, kForeign, kError };

Operand read_operand(PyObject* o, Py_complex* out) {
  if (PyComplex_Check(o)) {
    *out = value_of(o);
    return Operand::kComplex;
  }
  out->imag = 0.0;
  if (PyFloat_Check(o)) {
    out->real = float_value(o);
    return Operand::kReal;
  }
  if (!PyLong_Check(o)) return Operand::kForeign;
  out->real = PyLong_AsDouble(o);
  return out->real == -1.0 && PyErr_Occurred() ? Operand::kError : Operand::kReal;
}

// Both operands of a slot; false when the slot has to return *early.
struct Operands {
  Py_complex a, b;
  bool a_real, b_real;
};
bool read_operands(PyObject* v, PyObject* w, Operands* out, PyObject** early) {
  const Operand left = read_operand(v, &out->a);
  const Operand right = left == Operand::kError || left == Operand::kForeign ? left : read_operand(w, &out->b);
  if (right == Operand::kError) {
    *early = nullptr;
    return false;
  }
  if (right == Operand::kForeign) {
    *early = Py_NewRef(Py_NotImplemented);
    return false;
  }
  out->a_real = left == Operand::kReal;
  out->b_real = right == Operand::kReal;
  return true;
}

PyObject* add(PyObject* v, PyObject* w) {
  Operands o;
  PyObject* early;
  if (!read_operands(v, w, &o, &early)) return early;
  return PyComplex_FromCComplex(o.b_real   ? _Py_cr_sum(o.a, o.b.real)
                                : o.a_real ? _Py_cr_sum(o.b, o.a.real)
                                           : _Py_c_sum(o.a, o.b));
}

PyObject* subtract(PyObject* v, PyObject* w) {
  Operands o;
  PyObject* early;
  if (!read_operands(v, w, &o, &early)) return early;
  return PyComplex_FromCComplex(o.b_real   ? _Py_cr_diff(o.a, o.b.real)
                                : o.a_real ? _Py_rc_diff(o.a.real, o.b)
                                           : _Py_c_diff(o.a, o.b));
}

PyObject* multiply(PyObject* v, PyObject* w) {
  Operands o;
  PyObject* early;
  if (!read_operands(v, w, &o, &early)) return early;
  return PyComplex_FromCComplex(o.b_real   ? _Py_cr_prod(o.a, o.b.real)
                                : o.a_real ? _Py_cr_prod(o.b, o.a.real)
                                           : _Py_c_prod(o.a, o.b));
}

PyObject* divide(PyObject* v, PyObject* w) {
  Operands o;
  PyObject* early;
  if (!read_operands(v, w, &o, &early)) return early;
  errno = 0;
  const Py_complex quotient = o.b_real   ? _Py_cr_quot(o.a, o.b.real)
                              : o.a_real ? _Py_rc_quot(o.a.real, o.b)
                                         : _Py_c_quot(o.a, o.b);
  if (errno == EDOM) {
    PyErr_SetString(PyExc_ZeroDivisionError, "division by zero");
    return nullptr;
  }
  return PyComplex_FromCComplex(quotient);
}

PyObject* power(PyObject* v, PyObject* w, PyObject* z) {
  Operands o;
  PyObject* early;
  if (!read_operands(v, w, &o, &early)) return early;
  if (z != Py_None) {
    PyErr_SetString(PyExc_ValueError, "complex modulo");
    return nullptr;
  }
  errno = 0;
  Py_complex p;
  // Small whole exponents by multiplication: exact where the polar form is not.
  if (o.b.imag == 0.0 && o.b.real == std::floor(o.b.real) && std::fabs(o.b.real) <= 100.0) {
    const auto n = static_cast<long>(o.b.real);
    p = n == 0 ? Py_complex{1.0, 0.0} : power_integer(o.a, n);
    set_range_error(p);
  } else {
    p = _Py_c_pow(o.a, o.b);
  }
  if (errno == EDOM) {
    PyErr_SetString(PyExc_ZeroDivisionError, "zero to a negative or complex power");
    return nullptr;
  }
  if (errno == ERANGE) {
    PyErr_SetString(PyExc_OverflowError, "complex exponentiation");
    return nullptr;
  }
  return PyComplex_FromCComplex(p);
}

PyObject* negative(PyObject* z) { return PyComplex_FromCComplex(_Py_c_neg(value_of(z))); }
PyObject* positive(PyObject* z) { return PyComplex_CheckExact(z) ? Py_NewRef(z) : PyComplex_FromCComplex(value_of(z)); }
PyObject* absolute(PyObject* z) {
  const double result = _Py_c_abs(value_of(z));
  if (errno == ERANGE) {
    PyErr_SetString(PyExc_OverflowError, "absolute value too large");
    return nullptr;
  }
  return float_from_double(result);
}
int truth(PyObject* z) { return value_of(z).real != 0.0 || value_of(z).imag != 0.0; }

PyObject* richcompare(PyObject* v, PyObject* w, int op) {
  if (op != Py_EQ && op != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  const Py_complex a = value_of(v);
  bool equal;
  if (PyLong_Check(w)) {
    // Exactly: a conversion of the int might round.
    equal = a.imag == 0.0 && float_compare_int(a.real, w) == 0;
  } else if (PyFloat_Check(w)) {
    equal = a.real == float_value(w) && a.imag == 0.0;
  } else if (PyComplex_Check(w)) {
    equal = a.real == value_of(w).real && a.imag == value_of(w).imag;
  } else {
    Py_RETURN_NOTIMPLEMENTED;
  }
  return PyBool_FromLong(equal == (op == Py_EQ));
}

Py_hash_t hash(PyObject* z) {
  const Py_complex value = value_of(z);
  const Py_hash_t real = _Py_HashDouble(z, value.real), imag = _Py_HashDouble(z, value.imag);
  const auto combined =
      static_cast<Py_hash_t>(static_cast<Py_uhash_t>(real) + Py_uhash_t{1000003} * static_cast<Py_uhash_t>(imag));
  return combined == -1 ? -2 : combined;
}

bool has_float(PyObject* o) {
  PyNumberMethods* nb = Py_TYPE(o)->tp_as_number;
  return nb != nullptr && (nb->nb_float != nullptr || nb->nb_index != nullptr);
}

// complex(x) with one positional argument.
PyObject* construct_from_one(PyTypeObject* type, PyObject* x) {
  if (PyComplex_CheckExact(x) && type == &PyComplex_Type) return Py_NewRef(x);
  if (PyUnicode_Check(x)) return complex_from_text(type, x);
  auto special = Ref<>::steal(complex_special(x));
  if (special) return complex_of_type(type, value_of(special.get()));
  if (PyErr_Occurred()) return nullptr;
  if (PyComplex_Check(x)) return complex_of_type(type, value_of(x));
  if (has_float(x)) {
    const double real = PyFloat_AsDouble(x);
    if (real == -1.0 && PyErr_Occurred()) return nullptr;
    return complex_of_type(type, {real, 0.0});
  }
  PyErr_Format(PyExc_TypeError, "complex() argument must be a string or a number, not %T", x);
  return nullptr;
}

bool not_real(const char* name, PyObject* x) {
  PyErr_Format(PyExc_TypeError, "complex() argument '%s' must be a real number, not %T", name, x);
  return false;
}

bool warn_not_real(const char* name, PyObject* x) {
  return PyErr_WarnFormat(PyExc_DeprecationWarning, 1, "complex() argument '%s' must be a real number, not %T", name,
                          x) == 0;
}

// A part given as an argument of its own. Complex parts still work, with a warning.
bool read_part(const char* name, PyObject* x, bool try_special, Py_complex* out) {
  if (try_special && !PyComplex_CheckExact(x)) {
    auto special = Ref<>::steal(complex_special(x));
    if (!special && PyErr_Occurred()) return false;
    if (special) {
      *out = value_of(special.get());
      return warn_not_real(name, x);
    }
  }
  if (PyComplex_Check(x)) {
    *out = value_of(x);
    return warn_not_real(name, x);
  }
  if (!has_float(x)) return not_real(name, x);
  *out = {PyFloat_AsDouble(x), 0.0};
  return out->real != -1.0 || !PyErr_Occurred();
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  const bool keywords = kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0;
  if (!keywords && PyTuple_GET_SIZE(args) == 1) return construct_from_one(type, PyTuple_GET_ITEM(args, 0));
  static const char* const names[] = {"real", "imag", nullptr};
  PyObject* real = nullptr;
  PyObject* imag = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:complex", const_cast<char**>(names), &real, &imag)) {
    return nullptr;
  }
  Py_complex a{0.0, 0.0}, b{0.0, 0.0};
  if (real != nullptr && !PyComplex_Check(real) && !has_float(real) && PyUnicode_Check(real)) {
    not_real("real", real);
    return nullptr;
  }
  if (real != nullptr && !read_part("real", real, true, &a)) return nullptr;
  if (imag != nullptr && !read_part("imag", imag, false, &b)) return nullptr;
  // A part that was not given, or is real, must not disturb the sign of a zero.
  if (imag != nullptr && PyComplex_Check(imag)) a.real -= b.imag;
  const bool real_is_complex = real != nullptr && (PyComplex_Check(real) || a.imag != 0.0);
  return complex_of_type(type, {a.real, imag == nullptr ? a.imag : real_is_complex ? b.real + a.imag : b.real});
}

PyObject* conjugate(PyObject* self, PyObject*) {
  const Py_complex z = value_of(self);
  return PyComplex_FromDoubles(z.real, -z.imag);
}
PyObject* self_as_complex(PyObject* self, PyObject*) { return positive(self); }
PyObject* getnewargs(PyObject* self, PyObject*) {
  return Py_BuildValue("(dd)", value_of(self).real, value_of(self).imag);
}
PyObject* format(PyObject* self, PyObject* spec) {
  if (!PyUnicode_Check(spec)) {
    _PyArg_BadArgument("__format__", "argument", "str", spec);
    return nullptr;
  }
  return PyUnicode_GET_LENGTH(spec) == 0 ? PyObject_Str(self) : format_complex(self, spec);
}
PyObject* from_number(PyObject* cls, PyObject* number) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  if (PyComplex_CheckExact(number) && type == &PyComplex_Type) return Py_NewRef(number);
  const Py_complex z = PyComplex_AsCComplex(number);
  if (z.real == -1.0 && PyErr_Occurred()) return nullptr;
  PyObject* result = PyComplex_FromCComplex(z);
  if (result == nullptr || type == &PyComplex_Type) return result;
  auto value = Ref<>::steal(result);
  return PyObject_CallOneArg(cls, value.get());
}

PyMethodDef methods[] = {
    {"from_number", from_number, METH_O | METH_CLASS,
     "from_number($type, number, /)\n--\n\nA complex number from a number; text is not accepted."},
    {"conjugate", conjugate, METH_NOARGS, "conjugate($self, /)\n--\n\nThe number with the sign of its imaginary part changed."},
    {"__complex__", self_as_complex, METH_NOARGS, "__complex__($self, /)\n--\n\nThe value as exactly a complex."},
    {"__getnewargs__", getnewargs, METH_NOARGS, "__getnewargs__($self, /)\n--\n\n"},
    {"__format__", format, METH_O,
     "__format__($self, format_spec, /)\n--\n\nThe number as text, by a format specification."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef members[] = {
    {"real", Py_T_DOUBLE, offsetof(PyComplexObject, cval.real), Py_READONLY, "the real part of a complex number"},
    {"imag", Py_T_DOUBLE, offsetof(PyComplexObject, cval.imag), Py_READONLY, "the imaginary part of a complex number"},
    {nullptr, 0, 0, 0, nullptr},
};

PyNumberMethods complex_as_number = {
    .nb_add = add,
    .nb_subtract = subtract,
    .nb_multiply = multiply,
    .nb_power = power,
    .nb_negative = negative,
    .nb_positive = positive,
    .nb_absolute = absolute,
    .nb_bool = truth,
    .nb_true_divide = divide,
};

}  // namespace
}  // namespace amphis

extern "C" {

PyTypeObject PyComplex_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "complex",
    .tp_basicsize = sizeof(PyComplexObject),
    .tp_repr = complex_repr,
    .tp_as_number = &complex_as_number,
    .tp_hash = hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "complex(real=0, imag=0)\n--\n\n"
              "A complex number from text, or from one or two numbers.\n\nThe parts default to 0.",
    .tp_richcompare = richcompare,
    .tp_methods = methods,
    .tp_members = members,
    .tp_new = make,
    .tp_free = PyObject_Free,
};

Py_complex PyComplex_AsCComplex(PyObject* v) {
  if (PyComplex_Check(v)) return value_of(v);
  auto special = Ref<>::steal(complex_special(v));
  if (special) return value_of(special.get());
  if (PyErr_Occurred()) return {-1.0, 0.0};
  return {PyFloat_AsDouble(v), 0.0};
}

double PyComplex_RealAsDouble(PyObject* v) {
  if (PyComplex_Check(v)) return value_of(v).real;
  auto special = Ref<>::steal(complex_special(v));
  if (special) return value_of(special.get()).real;
  return PyErr_Occurred() ? -1.0 : PyFloat_AsDouble(v);
}

double PyComplex_ImagAsDouble(PyObject* v) {
  if (PyComplex_Check(v)) return value_of(v).imag;
  auto special = Ref<>::steal(complex_special(v));
  if (special) return value_of(special.get()).imag;
  return PyErr_Occurred() ? -1.0 : 0.0;
}

}  // extern "C"
