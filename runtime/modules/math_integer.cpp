// Functions of integers in the module `math`.
#include <new>

#include "modules/math.h"
#include "objects/int_detail.h"
#include "sync/ref.h"

namespace amphis::math {
namespace {

Ref<> read_int(PyObject* v) { return Ref<>::steal(PyNumber_Index(v)); }

PyObject* value_error(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  return nullptr;
}

}  // namespace

PyObject* factorial(PyObject*, PyObject* arg) try {
  auto n = read_int(arg);
  if (!n) return nullptr;
  if (int_sign(n.get()) < 0) return value_error("factorial() not defined for negative values");
  int64_t count;
  if (!int_to_int64(n.get(), &count)) {
    return PyErr_Format(PyExc_OverflowError, "factorial() argument should not exceed %ld", INT64_MAX);
  }
  if (count <= 20) {
    int64_t product = 1;
    for (int64_t i = 2; i <= count; ++i) product *= i;
    return int_from_int64(product);
  }
  Mpz result;
  mpz_fac_ui(result.get(), static_cast<unsigned long>(count));
  return result.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* comb(PyObject*, PyObject* const* args, Py_ssize_t nargs) try {
  if (!_PyArg_CheckPositional("comb", nargs, 2, 2)) return nullptr;
  auto n = read_int(args[0]);
  if (!n) return nullptr;
  auto k = read_int(args[1]);
  if (!k) return nullptr;
  if (int_sign(n.get()) < 0) return value_error("n must be a non-negative integer");
  if (int_sign(k.get()) < 0) return value_error("k must be a non-negative integer");
  auto rest = Ref<>::steal(int_sub(n.get(), k.get()));
  if (!rest) return nullptr;
  if (int_sign(rest.get()) < 0) return small_int(0);
  // The symmetric binomial with the smaller k.
  PyObject* smaller = int_compare(rest.get(), k.get()) < 0 ? rest.get() : k.get();
  int64_t count;
  if (!int_to_int64(smaller, &count)) {
    return PyErr_Format(PyExc_OverflowError, "min(n - k, k) must not exceed %lld", static_cast<long long>(INT64_MAX));
  }
  Mpz result;
  int64_t total;
  if (int_to_int64(n.get(), &total)) {
    mpz_bin_uiui(result.get(), static_cast<unsigned long>(total), static_cast<unsigned long>(count));
  } else {
    Mpz big(n.get());
    mpz_bin_ui(result.get(), big.get(), static_cast<unsigned long>(count));
  }
  return result.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* perm(PyObject* module, PyObject* const* args, Py_ssize_t nargs) try {
  if (!_PyArg_CheckPositional("perm", nargs, 1, 2)) return nullptr;
  if (nargs == 1 || args[1] == Py_None) return factorial(module, args[0]);
  auto n = read_int(args[0]);
  if (!n) return nullptr;
  auto k = read_int(args[1]);
  if (!k) return nullptr;
  if (int_sign(n.get()) < 0) return value_error("n must be a non-negative integer");
  if (int_sign(k.get()) < 0) return value_error("k must be a non-negative integer");
  if (int_compare(n.get(), k.get()) < 0) return small_int(0);
  int64_t count;
  if (!int_to_int64(k.get(), &count)) {
    return PyErr_Format(PyExc_OverflowError, "k must not exceed %lld", static_cast<long long>(INT64_MAX));
  }
  // n! / (n-k)! is the binomial times k!.
  Mpz big(n.get()), result, order;
  mpz_bin_ui(result.get(), big.get(), static_cast<unsigned long>(count));
  mpz_fac_ui(order.get(), static_cast<unsigned long>(count));
  mpz_mul(result.get(), result.get(), order.get());
  return result.to_int();
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* gcd(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs == 2 && PyLong_Check(args[0]) && PyLong_Check(args[1])) return int_gcd(args[0], args[1]);
  Ref<> result = Ref<>::steal(small_int(0));
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    auto next = read_int(args[i]);
    if (!next) return nullptr;
    // Once it is 1 it stays, but the other arguments still have to be ints.
    if (result.get() != small_int(1)) result = Ref<>::steal(int_gcd(result.get(), next.get()));
    if (!result) return nullptr;
  }
  return result.release();
}

PyObject* lcm(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> result = Ref<>::steal(small_int(1));
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    auto next = read_int(args[i]);
    if (!next) return nullptr;
    if (int_is_zero(result.get())) continue;
    if (int_is_zero(next.get())) {
      result = Ref<>::steal(small_int(0));
      continue;
    }
    auto divisor = Ref<>::steal(int_gcd(result.get(), next.get()));
    auto factor = divisor ? Ref<>::steal(int_floordiv(next.get(), divisor.get())) : Ref<>();
    auto product = factor ? Ref<>::steal(int_mul(result.get(), factor.get())) : Ref<>();
    if (product) product = Ref<>::steal(int_abs(product.get()));
    result = std::move(product);
    if (!result) return nullptr;
  }
  return result.release();
}

PyObject* isqrt(PyObject*, PyObject* arg) {
  auto n = read_int(arg);
  if (!n) return nullptr;
  if (int_sign(n.get()) < 0) return value_error("isqrt() argument must be nonnegative");
  return int_isqrt(n.get());
}

}  // namespace amphis::math
