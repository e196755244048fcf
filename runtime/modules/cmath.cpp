// The module `cmath`: functions of complex numbers.
//
// The C library computes them, with the special values of C99 Annex G. What is an error is decided here, from arguments and
// result: a domain error where the function has no value, a range error where a finite argument gives an infinity.
#include <cerrno>
#include <cmath>
#include <complex>

#include "capi/getargs.h"
#include "modules/math.h"
#include "objects/float.h"
#include "sync/ref.h"

namespace amphis::cmath {
namespace {

using Complex = std::complex<double>;
using math::domain_error;
using math::range_error;
using math::read_double;

bool read_complex(PyObject* v, Complex* out) {
  const Py_complex z = PyComplex_AsCComplex(v);
  *out = {z.real, z.imag};
  return z.real != -1.0 || !PyErr_Occurred();
}

PyObject* make(Complex z) { return PyComplex_FromDoubles(z.real(), z.imag()); }

bool finite(Complex z) { return std::isfinite(z.real()) && std::isfinite(z.imag()); }
bool infinite(Complex z) { return std::isinf(z.real()) || std::isinf(z.imag()); }

// Where a function has no value.
bool nowhere(Complex) { return false; }
bool exp_undefined(Complex z) {
  return std::isinf(z.imag()) && (std::isfinite(z.real()) || (std::isinf(z.real()) && z.real() > 0));
}
bool hyperbolic_undefined(Complex z) { return std::isinf(z.imag()) && !std::isnan(z.real()); }
bool tanh_undefined(Complex z) { return std::isinf(z.imag()) && std::isfinite(z.real()); }
bool circular_undefined(Complex z) { return std::isinf(z.real()) && !std::isnan(z.imag()); }
bool tan_undefined(Complex z) { return std::isinf(z.real()) && std::isfinite(z.imag()); }
bool log_undefined(Complex z) { return z == Complex(0.0); }
bool atanh_undefined(Complex z) { return z.imag() == 0.0 && std::fabs(z.real()) == 1.0; }
bool atan_undefined(Complex z) { return z.real() == 0.0 && std::fabs(z.imag()) == 1.0; }

template <Complex (*Function)(const Complex&), bool (*Undefined)(Complex) = nowhere>
PyObject* unary(PyObject*, PyObject* arg) {
  Complex z;
  if (!read_complex(arg, &z)) return nullptr;
  if (Undefined(z)) return domain_error();
  const Complex r = Function(z);
  return infinite(r) && finite(z) ? range_error() : make(r);
}

// Near the unit circle the logarithm of the magnitude loses everything; log1p of the excess does not. Large and small
// magnitudes are scaled first.
double log_magnitude(double x, double y) {
  const double ax = std::fabs(x), ay = std::fabs(y);
  constexpr double kLarge = 4.494232837155789e+307, kSmall = 2.2250738585072014e-308;
  if (ax > kLarge || ay > kLarge) return std::log(std::hypot(ax / 2.0, ay / 2.0)) + M_LN2;
  if (ax < kSmall && ay < kSmall) {
    return std::log(std::hypot(std::ldexp(ax, 53), std::ldexp(ay, 53))) - 53 * M_LN2;
  }
  const double h = std::hypot(ax, ay);
  if (0.71 <= h && h <= 1.73) {
    const double larger = ax > ay ? ax : ay, smaller = ax > ay ? ay : ax;
    return std::log1p((larger - 1) * (larger + 1) + smaller * smaller) / 2.0;
  }
  return std::log(h);
}

Complex complex_log(const Complex& z) {
  if (!finite(z)) return std::log(z);
  return {log_magnitude(z.real(), z.imag()), std::atan2(z.imag(), z.real())};
}
Complex complex_log10(const Complex& z) {
  const Complex r = complex_log(z);
  return {r.real() / M_LN10, r.imag() / M_LN10};
}

PyObject* log(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("log", nargs, 1, 2)) return nullptr;
  Complex z, base;
  if (!read_complex(args[0], &z) || (nargs > 1 && !read_complex(args[1], &base))) return nullptr;
  if (log_undefined(z) || (nargs > 1 && log_undefined(base))) return domain_error();
  const Complex r = complex_log(z);
  if (nargs == 1) return make(r);
  const Complex b = complex_log(base);
  errno = 0;
  const Py_complex quotient = _Py_c_quot({r.real(), r.imag()}, {b.real(), b.imag()});
  return errno == EDOM ? domain_error() : PyComplex_FromCComplex(quotient);
}

PyObject* phase(PyObject*, PyObject* arg) {
  Complex z;
  return read_complex(arg, &z) ? float_from_double(std::atan2(z.imag(), z.real())) : nullptr;
}

PyObject* polar(PyObject*, PyObject* arg) {
  Complex z;
  if (!read_complex(arg, &z)) return nullptr;
  const double r = std::hypot(z.real(), z.imag());
  if (std::isinf(r) && finite(z)) return range_error();
  return Py_BuildValue("dd", r, std::atan2(z.imag(), z.real()));
}

PyObject* rect(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double r, phi;
  if (!_PyArg_CheckPositional("rect", nargs, 2, 2) || !read_double(args[0], &r) || !read_double(args[1], &phi)) {
    return nullptr;
  }
  if (std::isinf(phi) && r != 0.0 && !std::isnan(r)) return domain_error();
  // An angle of zero, and a length of zero with any angle, give exact zeros.
  if (phi == 0.0) return PyComplex_FromDoubles(r, std::isfinite(r) ? r * phi : std::copysign(0.0, std::isnan(r) ? 1.0 : r) * std::copysign(1.0, phi));
  if (r == 0.0 && !std::isfinite(phi)) return PyComplex_FromDoubles(0.0, 0.0);
  if (std::isinf(r)) {
    if (std::isnan(phi)) return PyComplex_FromDoubles(HUGE_VAL, NAN);
    return PyComplex_FromDoubles(r * std::copysign(1.0, std::cos(phi)), r * std::copysign(1.0, std::sin(phi)));
  }
  return PyComplex_FromDoubles(r * std::cos(phi), r * std::sin(phi));
}

template <bool (*Test)(Complex)>
PyObject* test(PyObject*, PyObject* arg) {
  Complex z;
  return read_complex(arg, &z) ? PyBool_FromLong(Test(z)) : nullptr;
}
bool has_nan(Complex z) { return std::isnan(z.real()) || std::isnan(z.imag()); }

PyObject* isclose(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"a", "b", "rel_tol", "abs_tol", nullptr};
  PyObject* given[4];
  if (!unpack_keywords(args, nargs, kwnames, {"isclose", kNames, 2, 2}, given)) return nullptr;
  Complex a, b;
  double relative = 1e-9, absolute = 0.0;
  if (!read_complex(given[0], &a) || !read_complex(given[1], &b) ||
      (given[2] != nullptr && !read_double(given[2], &relative)) ||
      (given[3] != nullptr && !read_double(given[3], &absolute))) {
    return nullptr;
  }
  if (relative < 0.0 || absolute < 0.0) {
    PyErr_SetString(PyExc_ValueError, "tolerances must be non-negative");
    return nullptr;
  }
  if (a == b) Py_RETURN_TRUE;
  if (infinite(a) || infinite(b)) Py_RETURN_FALSE;
  const auto magnitude = [](Complex z) { return std::hypot(z.real(), z.imag()); };
  const double difference = magnitude(a - b);
  return PyBool_FromLong(difference <= relative * magnitude(b) || difference <= relative * magnitude(a) ||
                         difference <= absolute);
}

// clang-format off
PyMethodDef methods[] = {
    {"acos", unary<std::acos<double>>, METH_O, "acos($module, z, /)\n--\n\nReturn the arc cosine of z."},
    {"acosh", unary<std::acosh<double>>, METH_O, "acosh($module, z, /)\n--\n\nReturn the inverse hyperbolic cosine of z."},
    {"asin", unary<std::asin<double>>, METH_O, "asin($module, z, /)\n--\n\nReturn the arc sine of z."},
    {"asinh", unary<std::asinh<double>>, METH_O, "asinh($module, z, /)\n--\n\nReturn the inverse hyperbolic sine of z."},
    {"atan", unary<std::atan<double>, atan_undefined>, METH_O, "atan($module, z, /)\n--\n\nReturn the arc tangent of z."},
    {"atanh", unary<std::atanh<double>, atanh_undefined>, METH_O, "atanh($module, z, /)\n--\n\nReturn the inverse hyperbolic tangent of z."},
    {"cos", unary<std::cos<double>, circular_undefined>, METH_O, "cos($module, z, /)\n--\n\nReturn the cosine of z."},
    {"cosh", unary<std::cosh<double>, hyperbolic_undefined>, METH_O, "cosh($module, z, /)\n--\n\nReturn the hyperbolic cosine of z."},
    {"exp", unary<std::exp<double>, exp_undefined>, METH_O, "exp($module, z, /)\n--\n\nReturn the exponential value e**z."},
    {"isclose", _PyCFunction_CAST(isclose), METH_FASTCALL | METH_KEYWORDS, "isclose($module, /, a, b, *, rel_tol=1e-09, abs_tol=0.0)\n--\n\nWhether two complex numbers are close: within the relative or the absolute tolerance."},
    {"isfinite", test<finite>, METH_O, "isfinite($module, z, /)\n--\n\nReturn True if both the real and imaginary parts of z are finite, else False."},
    {"isinf", test<infinite>, METH_O, "isinf($module, z, /)\n--\n\nChecks if the real or imaginary part of z is infinite."},
    {"isnan", test<has_nan>, METH_O, "isnan($module, z, /)\n--\n\nChecks if the real or imaginary part of z not a number (NaN)."},
    {"log", _PyCFunction_CAST(log), METH_FASTCALL, "log($module, z, base=<unrepresentable>, /)\n--\n\nThe logarithm of z to the given base, or the natural one."},
    {"log10", unary<complex_log10, log_undefined>, METH_O, "log10($module, z, /)\n--\n\nReturn the base-10 logarithm of z."},
    {"phase", phase, METH_O, "phase($module, z, /)\n--\n\nReturn argument, also known as the phase angle, of a complex."},
    {"polar", polar, METH_O, "polar($module, z, /)\n--\n\nThe distance from 0 and the phase angle of z."},
    {"rect", _PyCFunction_CAST(rect), METH_FASTCALL, "rect($module, r, phi, /)\n--\n\nConvert from polar coordinates to rectangular coordinates."},
    {"sin", unary<std::sin<double>, circular_undefined>, METH_O, "sin($module, z, /)\n--\n\nReturn the sine of z."},
    {"sinh", unary<std::sinh<double>, hyperbolic_undefined>, METH_O, "sinh($module, z, /)\n--\n\nReturn the hyperbolic sine of z."},
    {"sqrt", unary<std::sqrt<double>>, METH_O, "sqrt($module, z, /)\n--\n\nReturn the square root of z."},
    {"tan", unary<std::tan<double>, tan_undefined>, METH_O, "tan($module, z, /)\n--\n\nReturn the tangent of z."},
    {"tanh", unary<std::tanh<double>, tanh_undefined>, METH_O, "tanh($module, z, /)\n--\n\nReturn the hyperbolic tangent of z."},
    {nullptr, nullptr, 0, nullptr},
};
// clang-format on

int exec(PyObject* module) {
  const struct {
    const char* name;
    double value;
  } constants[] = {{"pi", M_PI}, {"e", M_E}, {"tau", 2 * M_PI}, {"inf", HUGE_VAL}, {"nan", NAN}};
  for (const auto& c : constants) {
    if (PyModule_Add(module, c.name, float_from_double(c.value)) < 0) return -1;
  }
  if (PyModule_Add(module, "infj", PyComplex_FromDoubles(0.0, HUGE_VAL)) < 0) return -1;
  return PyModule_Add(module, "nanj", PyComplex_FromDoubles(0.0, NAN));
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "cmath",
    .m_doc = "This module provides access to mathematical functions for complex\nnumbers.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis::cmath

PyMODINIT_FUNC PyInit_cmath(void) { return PyModuleDef_Init(&amphis::cmath::definition); }
