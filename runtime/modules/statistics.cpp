// The module _statistics: the inverse of the normal distribution's cumulative function.
//
// Rational approximations from M. J. Wichura, "Algorithm AS241: The Percentage Points of the Normal
// Distribution", Applied Statistics 37 (1988), 477-484: one for the middle, one for the flanks, one for the
// far tails.
#include <cmath>

#include "Python.h"
#include "objects/container_support.h"

namespace amphis {

namespace {

using Coefficients = double[8];  // of the powers 7 to 0

double polynomial(const Coefficients& c, double x) {
  double sum = c[0];
  for (int i = 1; i < 8; ++i) sum = sum * x + c[i];
  return sum;
}

struct Rational {
  Coefficients numerator, denominator;
  double operator()(double x) const { return polynomial(numerator, x) / polynomial(denominator, x); }
};

constexpr Rational kMiddle = {
    {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4, 4.5921953931549871457e+4,
     1.3731693765509461125e+4, 1.9715909503065514427e+3, 1.3314166789178437745e+2, 3.3871328727963666080e+0},
    {5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
     5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0},
};
constexpr Rational kFlank = {
    {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
     4.63033784615654529590e+0, 1.42343711074968357734e+0},
    {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e+0,
     2.05319162663775882187e+0, 1.0},
};
constexpr Rational kTail = {
    {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e+0,
     5.46378491116411436990e+0, 6.65790464350110377720e+0},
    {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0},
};

PyObject* inv_cdf(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_normal_dist_inv_cdf", nargs, 3, 3)) return nullptr;
  double given[3];
  for (int i = 0; i < 3; ++i) {
    given[i] = PyFloat_AsDouble(args[i]);
    if (given[i] == -1.0 && PyErr_Occurred()) return nullptr;
  }
  const auto [p, mu, sigma] = given;
  const double q = p - 0.5;
  double x;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    // In this order the numerator is rounded as the published algorithm rounds it.
    x = polynomial(kMiddle.numerator, r) * q / polynomial(kMiddle.denominator, r);
  } else {
    const double outside = q <= 0.0 ? p : 1.0 - p;
    if (outside <= 0.0 || outside >= 1.0) {
      PyErr_SetString(PyExc_ValueError, "inv_cdf undefined for these parameters");
      return nullptr;
    }
    const double r = std::sqrt(-std::log(outside));
    x = r <= 5.0 ? kFlank(r - 1.6) : kTail(r - 5.0);
    if (q < 0.0) x = -x;
  }
  return PyFloat_FromDouble(mu + x * sigma);
}

PyMethodDef methods[] = {
    {"_normal_dist_inv_cdf", AMPHIS_METHOD(inv_cdf), METH_FASTCALL,
     "_normal_dist_inv_cdf($module, p, mu, sigma, /)\n--\n\n"},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef statistics_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_statistics",
    .m_doc = "Accelerators for the statistics module.\n",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__statistics(void) {
  return PyModuleDef_Init(&amphis::statistics_def);
}
