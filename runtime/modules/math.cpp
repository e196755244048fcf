// The module `math`: functions of real numbers. Sums, norms and products are in math_sums.cpp, functions of integers in
// math_integer.cpp.
//
// Errors: a NaN from a number that is none is a domain error, an infinity from a finite number is an overflow or, at a
// pole, a domain error. Errno is not looked at.
#include "modules/math.h"

#include <cfloat>
#include <climits>
#include <cmath>

#include "capi/getargs.h"
#include "objects/container_support.h"
#include "objects/float.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis::math {

bool read_double(PyObject* v, double* out) {
  if (PyFloat_CheckExact(v)) [[likely]] {
    *out = float_value(v);
    return true;
  }
  *out = PyFloat_AsDouble(v);
  return *out != -1.0 || !PyErr_Occurred();
}

PyObject* domain_error() {
  PyErr_SetString(PyExc_ValueError, "math domain error");
  return nullptr;
}

PyObject* range_error() {
  PyErr_SetString(PyExc_OverflowError, "math range error");
  return nullptr;
}

namespace {

// The message with what was given in the place of %s.
PyObject* input_error(const char* message, double x) {
  char* text = PyOS_double_to_string(x, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
  if (text == nullptr) return nullptr;
  PyErr_Format(PyExc_ValueError, message, text);
  PyMem_Free(text);
  return nullptr;
}

constexpr char kUnitRange[] = "expected a number in range from -1 up to 1, got %s";
constexpr char kOpenUnitRange[] = "expected a number between -1 and 1, got %s";
constexpr char kNotBelowOne[] = "expected argument value not less than 1, got %s";
constexpr char kFinite[] = "expected a finite input, got %s";
constexpr char kNonNegative[] = "expected a nonnegative input, got %s";
constexpr char kAboveMinusOne[] = "expected argument value > -1, got %s";
constexpr char kNotPole[] = "expected a noninteger or positive integer, got %s";
constexpr char kPositive[] = "expected a positive input, got %s";
constexpr char kDomain[] = "math domain error";

enum class Infinity { kOverflow, kPole };  // what an infinite result for a finite argument means

template <double (*Function)(double), const char* kMessage, Infinity kInfinity>
PyObject* checked(double x) {
  const double r = Function(x);
  if (std::isnan(r) && !std::isnan(x)) return input_error(kMessage, x);
  if (std::isinf(r) && std::isfinite(x)) {
    return kInfinity == Infinity::kOverflow ? range_error() : input_error(kMessage, x);
  }
  return float_from_double(r);
}

template <double (*Function)(double), const char* kMessage = kDomain, Infinity kInfinity = Infinity::kPole>
PyObject* unary(PyObject*, PyObject* arg) {
  double x;
  return read_double(arg, &x) ? checked<Function, kMessage, kInfinity>(x) : nullptr;
}

// Functions that have no errors at all.
template <double (*Function)(double)>
PyObject* plain(PyObject*, PyObject* arg) {
  double x;
  return read_double(arg, &x) ? float_from_double(Function(x)) : nullptr;
}

bool is_pole(double x) { return x <= 0.0 && x == std::floor(x); }

// gamma at whole numbers is a factorial, exactly as long as that fits.
double gamma_function(double x) {
  if (x == std::floor(x) && x > 0 && x <= 23) {
    double factorial = 1;
    for (double i = 2; i < x; ++i) factorial *= i;
    return factorial;
  }
  return std::tgamma(x);
}

PyObject* gamma(PyObject*, PyObject* arg) {
  double x;
  if (!read_double(arg, &x)) return nullptr;
  if (is_pole(x)) return input_error(kNotPole, x);
  return checked<gamma_function, kNotPole, Infinity::kOverflow>(x);
}

double log_gamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

PyObject* lgamma(PyObject*, PyObject* arg) {
  double x;
  if (!read_double(arg, &x)) return nullptr;
  if (is_pole(x) && std::isfinite(x)) return input_error(kNotPole, x);
  if (x == 1.0 || x == 2.0) return float_from_double(0.0);
  return checked<log_gamma, kNotPole, Infinity::kOverflow>(x);
}

// Logarithms take ints of any size.
template <double (*Function)(double)>
PyObject* logarithm(PyObject* arg) {
  if (PyLong_Check(arg)) {
    if (int_sign(arg) <= 0) {
      PyErr_SetString(PyExc_ValueError, "expected a positive input");
      return nullptr;
    }
    double x = PyLong_AsDouble(arg);
    if (x != -1.0 || !PyErr_Occurred()) return float_from_double(Function(x));
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return nullptr;
    PyErr_Clear();
    int64_t exponent;
    x = _PyLong_Frexp(reinterpret_cast<PyLongObject*>(arg), &exponent);
    return float_from_double(Function(x) + Function(2.0) * static_cast<double>(exponent));
  }
  double x;
  if (!read_double(arg, &x)) return nullptr;
  if (!(x > 0.0) && !std::isnan(x)) return input_error(kPositive, x);
  return float_from_double(Function(x));
}

PyObject* log(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("log", nargs, 1, 2)) return nullptr;
  auto number = Ref<>::steal(logarithm<std::log>(args[0]));
  if (!number || nargs == 1) return number.release();
  auto base = Ref<>::steal(logarithm<std::log>(args[1]));
  return base ? PyNumber_TrueDivide(number.get(), base.get()) : nullptr;
}
PyObject* log2(PyObject*, PyObject* arg) { return logarithm<std::log2>(arg); }
PyObject* log10(PyObject*, PyObject* arg) { return logarithm<std::log10>(arg); }

bool read_two(const char* name, PyObject* const* args, Py_ssize_t nargs, double* x, double* y) {
  return _PyArg_CheckPositional(name, nargs, 2, 2) && read_double(args[0], x) && read_double(args[1], y);
}

PyObject* atan2(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double y, x;
  return read_two("atan2", args, nargs, &y, &x) ? float_from_double(std::atan2(y, x)) : nullptr;
}

PyObject* copysign(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x, y;
  return read_two("copysign", args, nargs, &x, &y) ? float_from_double(std::copysign(x, y)) : nullptr;
}

PyObject* fmod(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x, y;
  if (!read_two("fmod", args, nargs, &x, &y)) return nullptr;
  const double r = std::fmod(x, y);
  return std::isnan(r) && !std::isnan(x) && !std::isnan(y) ? domain_error() : float_from_double(r);
}

PyObject* remainder(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x, y;
  if (!read_two("remainder", args, nargs, &x, &y)) return nullptr;
  const double r = std::remainder(x, y);
  return std::isnan(r) && !std::isnan(x) && !std::isnan(y) ? domain_error() : float_from_double(r);
}

PyObject* pow(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x, y;
  if (!read_two("pow", args, nargs, &x, &y)) return nullptr;
  const double r = std::pow(x, y);
  if (std::isfinite(x) && std::isfinite(y)) {
    if (std::isnan(r)) return domain_error();
    if (std::isinf(r)) return x == 0.0 ? domain_error() : range_error();
  }
  return float_from_double(r);
}

PyObject* fma(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x, y, z;
  if (!_PyArg_CheckPositional("fma", nargs, 3, 3) || !read_double(args[0], &x) || !read_double(args[1], &y) ||
      !read_double(args[2], &z)) {
    return nullptr;
  }
  const double r = std::fma(x, y, z);
  if (std::isnan(r) && !std::isnan(x) && !std::isnan(y) && !std::isnan(z)) {
    PyErr_SetString(PyExc_ValueError, "invalid operation in fma");
    return nullptr;
  }
  if (std::isinf(r) && std::isfinite(x) && std::isfinite(y) && std::isfinite(z)) {
    PyErr_SetString(PyExc_OverflowError, "overflow in fma");
    return nullptr;
  }
  return float_from_double(r);
}

PyObject* ldexp(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  double x;
  if (!_PyArg_CheckPositional("ldexp", nargs, 2, 2) || !read_double(args[0], &x)) return nullptr;
  if (!PyLong_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "Expected an int as second argument to ldexp.");
    return nullptr;
  }
  int overflow;
  long exponent = PyLong_AsLongAndOverflow(args[1], &overflow);
  if (overflow != 0) exponent = overflow < 0 ? LONG_MIN : LONG_MAX;
  if (x == 0.0 || !std::isfinite(x)) return float_from_double(x);
  if (exponent > INT_MAX) return range_error();
  if (exponent < INT_MIN) return float_from_double(std::copysign(0.0, x));
  const double r = std::ldexp(x, static_cast<int>(exponent));
  return std::isinf(r) ? range_error() : float_from_double(r);
}

PyObject* frexp(PyObject*, PyObject* arg) {
  double x;
  if (!read_double(arg, &x)) return nullptr;
  int exponent = 0;
  if (std::isfinite(x)) x = std::frexp(x, &exponent);
  return Py_BuildValue("(di)", x, exponent);
}

PyObject* modf(PyObject*, PyObject* arg) {
  double x;
  if (!read_double(arg, &x)) return nullptr;
  double whole;
  const double fraction = std::modf(x, &whole);
  return Py_BuildValue("(dd)", fraction, whole);
}

double to_degrees(double x) { return x * (180.0 / M_PI); }
double to_radians(double x) { return x * (M_PI / 180.0); }

PyObject* isfinite(PyObject*, PyObject* arg) {
  double x;
  return read_double(arg, &x) ? PyBool_FromLong(std::isfinite(x)) : nullptr;
}
PyObject* isinf(PyObject*, PyObject* arg) {
  double x;
  return read_double(arg, &x) ? PyBool_FromLong(std::isinf(x)) : nullptr;
}
PyObject* isnan(PyObject*, PyObject* arg) {
  double x;
  return read_double(arg, &x) ? PyBool_FromLong(std::isnan(x)) : nullptr;
}

PyObject* isclose(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"a", "b", "rel_tol", "abs_tol", nullptr};
  PyObject* given[4];
  if (!unpack_keywords(args, nargs, kwnames, {"isclose", kNames, 2, 2}, given)) return nullptr;
  double a, b, relative = 1e-9, absolute = 0.0;
  if (!read_double(given[0], &a) || !read_double(given[1], &b) ||
      (given[2] != nullptr && !read_double(given[2], &relative)) ||
      (given[3] != nullptr && !read_double(given[3], &absolute))) {
    return nullptr;
  }
  if (relative < 0.0 || absolute < 0.0) {
    PyErr_SetString(PyExc_ValueError, "tolerances must be non-negative");
    return nullptr;
  }
  if (a == b) Py_RETURN_TRUE;
  if (std::isinf(a) || std::isinf(b)) Py_RETURN_FALSE;
  const double difference = std::fabs(b - a);
  return PyBool_FromLong(difference <= std::fabs(relative * b) || difference <= std::fabs(relative * a) ||
                         difference <= absolute);
}

template <double (*Round)(double)>
PyObject* rounded(PyObject* arg, PyObject* special) {
  if (PyFloat_CheckExact(arg)) return PyLong_FromDouble(Round(float_value(arg)));
  if (PyLong_CheckExact(arg)) return Py_NewRef(arg);
  auto method = Ref<>::steal(_PyObject_LookupSpecial(arg, special));
  if (method) return PyObject_CallNoArgs(method.get());
  if (PyErr_Occurred()) return nullptr;
  double x;
  return read_double(arg, &x) ? PyLong_FromDouble(Round(x)) : nullptr;
}
PyObject* ceil(PyObject*, PyObject* arg) { return rounded<std::ceil>(arg, AMPHIS_STATIC_NAME("__ceil__")); }
PyObject* floor(PyObject*, PyObject* arg) { return rounded<std::floor>(arg, AMPHIS_STATIC_NAME("__floor__")); }

PyObject* trunc(PyObject*, PyObject* arg) {
  if (PyFloat_CheckExact(arg)) return PyLong_FromDouble(float_value(arg));
  if (PyLong_CheckExact(arg)) return Py_NewRef(arg);
  auto method = Ref<>::steal(_PyObject_LookupSpecial(arg, AMPHIS_STATIC_NAME("__trunc__")));
  if (method) return PyObject_CallNoArgs(method.get());
  if (!PyErr_Occurred()) {
    PyErr_Format(PyExc_TypeError, "type %.100s doesn't define __trunc__ method", Py_TYPE(arg)->tp_name);
  }
  return nullptr;
}

PyObject* ulp(PyObject*, PyObject* arg) {
  double x;
  if (!read_double(arg, &x)) return nullptr;
  if (std::isnan(x)) return float_from_double(x);
  x = std::fabs(x);
  if (std::isinf(x)) return float_from_double(x);
  const double above = std::nextafter(x, HUGE_VAL);
  // The largest float has no neighbour above.
  return float_from_double(std::isinf(above) ? x - std::nextafter(x, -HUGE_VAL) : above - x);
}

// Floats in order as integers: consecutive floats are consecutive numbers.
int64_t to_ordinal(double x) {
  int64_t bits;
  static_assert(sizeof(bits) == sizeof(x));
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits < 0 ? INT64_MIN - bits : bits;
}
double from_ordinal(int64_t ordinal) {
  const int64_t bits = ordinal < 0 ? INT64_MIN - ordinal : ordinal;
  double x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

PyObject* nextafter(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "", "steps", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, nargs, kwnames, {"nextafter", kNames, 2, 2}, given)) return nullptr;
  double x, y;
  if (!read_double(given[0], &x) || !read_double(given[1], &y)) return nullptr;
  if (given[2] == nullptr || given[2] == Py_None) return float_from_double(std::nextafter(x, y));
  auto steps = Ref<>::steal(PyNumber_Index(given[2]));
  if (!steps) return nullptr;
  if (int_sign(steps.get()) < 0) {
    PyErr_SetString(PyExc_ValueError, "steps must be a non-negative integer");
    return nullptr;
  }
  uint64_t count = PyLong_AsUnsignedLongLong(steps.get());
  if (count == static_cast<uint64_t>(-1) && PyErr_Occurred()) PyErr_Clear();  // so many that y is reached
  if (count == 0 || std::isnan(x)) return float_from_double(x);
  if (std::isnan(y)) return float_from_double(y);
  if (x == y) return float_from_double(y);
  const int64_t from = to_ordinal(x), to = to_ordinal(y);
  const uint64_t distance =
      from < to ? static_cast<uint64_t>(to) - static_cast<uint64_t>(from) : static_cast<uint64_t>(from) - static_cast<uint64_t>(to);
  if (count >= distance) return float_from_double(y);
  return float_from_double(from_ordinal(static_cast<int64_t>(
      from < to ? static_cast<uint64_t>(from) + count : static_cast<uint64_t>(from) - count)));
}

// clang-format off
PyMethodDef methods[] = {
    {"acos", unary<std::acos, kUnitRange>, METH_O, "acos($module, x, /)\n--\n\nThe arc cosine in radians, between 0 and pi."},
    {"acosh", unary<std::acosh, kNotBelowOne>, METH_O, "acosh($module, x, /)\n--\n\nThe inverse hyperbolic cosine."},
    {"asin", unary<std::asin, kUnitRange>, METH_O, "asin($module, x, /)\n--\n\nThe arc sine in radians, between -pi/2 and pi/2."},
    {"asinh", unary<std::asinh>, METH_O, "asinh($module, x, /)\n--\n\nThe inverse hyperbolic sine."},
    {"atan", unary<std::atan>, METH_O, "atan($module, x, /)\n--\n\nThe arc tangent in radians, between -pi/2 and pi/2."},
    {"atan2", _PyCFunction_CAST(atan2), METH_FASTCALL, "atan2($module, y, x, /)\n--\n\nThe arc tangent of y/x in radians; the signs of both decide the quadrant."},
    {"atanh", unary<std::atanh, kOpenUnitRange>, METH_O, "atanh($module, x, /)\n--\n\nThe inverse hyperbolic tangent."},
    {"cbrt", plain<std::cbrt>, METH_O, "cbrt($module, x, /)\n--\n\nThe cube root."},
    {"ceil", ceil, METH_O, "ceil($module, x, /)\n--\n\nThe smallest integer that is not below x."},
    {"comb", _PyCFunction_CAST(comb), METH_FASTCALL, "comb($module, n, k, /)\n--\n\nThe number of ways to choose k of n items, without repetition and order."},
    {"copysign", _PyCFunction_CAST(copysign), METH_FASTCALL, "copysign($module, x, y, /)\n--\n\nThe absolute value of x with the sign of y."},
    {"cos", unary<std::cos, kFinite>, METH_O, "cos($module, x, /)\n--\n\nThe cosine of x radians."},
    {"cosh", unary<std::cosh, kDomain, Infinity::kOverflow>, METH_O, "cosh($module, x, /)\n--\n\nThe hyperbolic cosine."},
    {"degrees", plain<to_degrees>, METH_O, "degrees($module, x, /)\n--\n\nAn angle in radians as degrees."},
    {"dist", _PyCFunction_CAST(dist), METH_FASTCALL, "dist($module, p, q, /)\n--\n\nThe Euclidean distance between two points, given as sequences of coordinates."},
    {"erf", plain<std::erf>, METH_O, "erf($module, x, /)\n--\n\nThe error function."},
    {"erfc", plain<std::erfc>, METH_O, "erfc($module, x, /)\n--\n\nThe complementary error function."},
    {"exp", unary<std::exp, kDomain, Infinity::kOverflow>, METH_O, "exp($module, x, /)\n--\n\ne raised to the power of x."},
    {"exp2", unary<std::exp2, kDomain, Infinity::kOverflow>, METH_O, "exp2($module, x, /)\n--\n\n2 raised to the power of x."},
    {"expm1", unary<std::expm1, kDomain, Infinity::kOverflow>, METH_O, "expm1($module, x, /)\n--\n\nexp(x) - 1, accurate for small x."},
    {"fabs", plain<std::fabs>, METH_O, "fabs($module, x, /)\n--\n\nThe absolute value as a float."},
    {"factorial", factorial, METH_O, "factorial($module, n, /)\n--\n\nn! of an integer that is not negative."},
    {"floor", floor, METH_O, "floor($module, x, /)\n--\n\nThe largest integer that is not above x."},
    {"fma", _PyCFunction_CAST(fma), METH_FASTCALL, "fma($module, x, y, z, /)\n--\n\n(x * y) + z, rounded once."},
    {"fmod", _PyCFunction_CAST(fmod), METH_FASTCALL, "fmod($module, x, y, /)\n--\n\nThe remainder of x/y with the sign of x, as C computes it."},
    {"frexp", frexp, METH_O, "frexp($module, x, /)\n--\n\nA pair (m, e) with x == m * 2**e and 0.5 <= abs(m) < 1, or m zero."},
    {"fsum", fsum, METH_O, "fsum($module, seq, /)\n--\n\nThe sum of floats, rounded once."},
    {"gamma", gamma, METH_O, "gamma($module, x, /)\n--\n\nThe gamma function."},
    {"gcd", _PyCFunction_CAST(gcd), METH_FASTCALL, "gcd($module, /, *integers)\n--\n\nThe greatest common divisor."},
    {"hypot", _PyCFunction_CAST(hypot), METH_FASTCALL, "hypot(*coordinates) -> value\n\nThe Euclidean distance of a point from the origin."},
    {"isclose", _PyCFunction_CAST(isclose), METH_FASTCALL | METH_KEYWORDS, "isclose($module, /, a, b, *, rel_tol=1e-09, abs_tol=0.0)\n--\n\nWhether two floats are close: within the relative or the absolute tolerance.\n\nA NaN is close to nothing, an infinity only to itself."},
    {"isfinite", isfinite, METH_O, "isfinite($module, x, /)\n--\n\nWhether x is neither an infinity nor a NaN."},
    {"isinf", isinf, METH_O, "isinf($module, x, /)\n--\n\nWhether x is an infinity."},
    {"isnan", isnan, METH_O, "isnan($module, x, /)\n--\n\nWhether x is a NaN."},
    {"isqrt", isqrt, METH_O, "isqrt($module, n, /)\n--\n\nThe whole part of the square root of an integer."},
    {"lcm", _PyCFunction_CAST(lcm), METH_FASTCALL, "lcm($module, /, *integers)\n--\n\nThe least common multiple."},
    {"ldexp", _PyCFunction_CAST(ldexp), METH_FASTCALL, "ldexp($module, x, i, /)\n--\n\nx * (2**i)."},
    {"lgamma", lgamma, METH_O, "lgamma($module, x, /)\n--\n\nThe logarithm of the absolute value of the gamma function."},
    {"log", _PyCFunction_CAST(log), METH_FASTCALL, "log(x, [base=math.e])\nThe logarithm to the given base, or the natural one."},
    {"log10", log10, METH_O, "log10($module, x, /)\n--\n\nThe logarithm to the base 10."},
    {"log1p", unary<std::log1p, kAboveMinusOne>, METH_O, "log1p($module, x, /)\n--\n\nThe natural logarithm of 1+x, accurate for small x."},
    {"log2", log2, METH_O, "log2($module, x, /)\n--\n\nThe logarithm to the base 2."},
    {"modf", modf, METH_O, "modf($module, x, /)\n--\n\nThe fraction and the whole part of x, both as floats with its sign."},
    {"nextafter", _PyCFunction_CAST(nextafter), METH_FASTCALL | METH_KEYWORDS, "nextafter($module, x, y, /, *, steps=None)\n--\n\nThe float that is so many steps from x towards y; one step if not given."},
    {"perm", _PyCFunction_CAST(perm), METH_FASTCALL, "perm($module, n, k=None, /)\n--\n\nThe number of ways to arrange k of n items in order; n! without k."},
    {"pow", _PyCFunction_CAST(pow), METH_FASTCALL, "pow($module, x, y, /)\n--\n\nx raised to the power of y, as floats."},
    {"prod", _PyCFunction_CAST(prod), METH_FASTCALL | METH_KEYWORDS, "prod($module, iterable, /, *, start=1)\n--\n\nThe product of the start value and all items."},
    {"radians", plain<to_radians>, METH_O, "radians($module, x, /)\n--\n\nAn angle in degrees as radians."},
    {"remainder", _PyCFunction_CAST(remainder), METH_FASTCALL, "remainder($module, x, y, /)\n--\n\nThe difference between x and the closest multiple of y, as IEEE 754 defines it."},
    {"sin", unary<std::sin, kFinite>, METH_O, "sin($module, x, /)\n--\n\nThe sine of x radians."},
    {"sinh", unary<std::sinh, kDomain, Infinity::kOverflow>, METH_O, "sinh($module, x, /)\n--\n\nThe hyperbolic sine."},
    {"sqrt", unary<std::sqrt, kNonNegative>, METH_O, "sqrt($module, x, /)\n--\n\nThe square root."},
    {"sumprod", _PyCFunction_CAST(sumprod), METH_FASTCALL, "sumprod($module, p, q, /)\n--\n\nThe sum of the products of the items of two iterables of equal length."},
    {"tan", unary<std::tan, kFinite>, METH_O, "tan($module, x, /)\n--\n\nThe tangent of x radians."},
    {"tanh", unary<std::tanh>, METH_O, "tanh($module, x, /)\n--\n\nThe hyperbolic tangent."},
    {"trunc", trunc, METH_O, "trunc($module, x, /)\n--\n\nThe whole number between 0 and x that is closest to x."},
    {"ulp", ulp, METH_O, "ulp($module, x, /)\n--\n\nThe value of the least significant bit of x."},
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
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "math",
    .m_doc = "The mathematical functions of the C standard, and others on integers and sums.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis::math

PyMODINIT_FUNC PyInit_math(void) { return PyModuleDef_Init(&amphis::math::definition); }
