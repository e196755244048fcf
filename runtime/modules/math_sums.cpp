// Sums, products and norms of the module `math`, with more precision inside than a float has.
//
// Error-free transformations: Dekker (1971) and Knuth for sums, fused multiply-add for products; dot products as in Ogita, Rump
// and Oishi, "Accurate Sum and Dot Product" (2005); exact sums as in Shewchuk, "Adaptive Precision Floating-Point
// Arithmetic" (1997).
#include <cfloat>
#include <cmath>
#include <cstring>

#include "capi/getargs.h"
#include "modules/math.h"
#include "objects/float.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis::math {
namespace {

// An unevaluated sum: `high` is the rounded value, `low` what rounding lost.
struct Pair {
  double high, low;
};

inline Pair exact_sum(double a, double b) {
  const double sum = a + b;
  const double b_part = sum - a;
  return {sum, (a - (sum - b_part)) + (b - b_part)};
}

inline Pair exact_product(double a, double b) {
  const double product = a * b;
  return {product, std::fma(a, b, -product)};
}

// A running dot product in three times the precision.
class TripleSum {
 public:
  void add_product(double a, double b) {
    const Pair product = exact_product(a, b);
    const Pair sum = exact_sum(high_, product.high);
    const Pair first = exact_sum(low_, product.low);
    const Pair second = exact_sum(first.high, sum.low);
    high_ = sum.high;
    low_ = second.high;
    tiny_ += first.low + second.low;
  }
  double value() const {
    const Pair last = exact_sum(low_, high_);
    return tiny_ + last.low + last.high;
  }
  bool finite() const { return std::isfinite(high_) && std::isfinite(tiny_); }

 private:
  double high_ = 0.0, low_ = 0.0, tiny_ = 0.0;
};

// Items of an iterable, one after the other: 1 with *out owned, 0 at the end, -1 on error.
inline int next_item(PyObject* iterator, Ref<>* out) {
  PyObject* item = Py_TYPE(iterator)->tp_iternext(iterator);
  *out = Ref<>::steal(item);
  if (item != nullptr) [[likely]] return 1;
  if (!PyErr_Occurred()) return 0;
  if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return -1;
  PyErr_Clear();
  return 0;
}

// Partials that do not overlap, in increasing magnitude.
class Partials {
 public:
  ~Partials() {
    if (data_ != inline_) PyMem_Free(data_);
  }
  // False with an exception.
  bool add(double x) {
    const double original = x;
    size_t kept = 0;
    for (size_t i = 0; i < count_; ++i) {
      double y = data_[i];
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      const double high = x + y;
      const double low = y - (high - x);
      if (low != 0.0) data_[kept++] = low;
      x = high;
    }
    count_ = kept;
    if (x == 0.0) return true;
    if (!std::isfinite(x)) {
      // Either the item was one already, or the sum has outgrown the floats.
      if (std::isfinite(original)) {
        PyErr_SetString(PyExc_OverflowError, "intermediate overflow in fsum");
        return false;
      }
      if (std::isinf(original)) infinities_ += original;
      special_ += original;
      has_special_ = true;
      count_ = 0;
      return true;
    }
    if (count_ == capacity_ && !grow()) return false;
    data_[count_++] = x;
    return true;
  }
  PyObject* total() {
    if (has_special_) {
      if (std::isnan(infinities_)) {
        PyErr_SetString(PyExc_ValueError, "-inf + inf in fsum");
        return nullptr;
      }
      return float_from_double(special_);
    }
    double high = 0.0;
    if (count_ > 0) {
      double low = 0.0;
      high = data_[--count_];
      while (count_ > 0) {
        const double x = high;
        const double y = data_[--count_];
        high = x + y;
        low = y - (high - x);
        if (low != 0.0) break;
      }
      // Half way between two floats: what is left decides, so that rounding happens once.
      if (count_ > 0 && ((low < 0.0 && data_[count_ - 1] < 0.0) || (low > 0.0 && data_[count_ - 1] > 0.0))) {
        const double twice = low * 2.0;
        const double candidate = high + twice;
        if (twice == candidate - high) high = candidate;
      }
    }
    return float_from_double(high);
  }

 private:
  bool grow() {
    auto* fresh = static_cast<double*>(PyMem_Malloc(sizeof(double) * capacity_ * 2));
    if (fresh == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    std::memcpy(fresh, data_, sizeof(double) * count_);
    if (data_ != inline_) PyMem_Free(data_);
    data_ = fresh;
    capacity_ *= 2;
    return true;
  }

  static constexpr size_t kInline = 32;
  double inline_[kInline];
  double* data_ = inline_;
  size_t count_ = 0, capacity_ = kInline;
  double special_ = 0.0, infinities_ = 0.0;
  bool has_special_ = false;
};

// The Euclidean norm of numbers whose absolute values are given: scaled by a power of two, squares summed with their rounding
// errors, and the root corrected by one Newton step.
double norm(double* values, Py_ssize_t count, double max, bool has_nan) {
  if (std::isinf(max)) return max;
  if (has_nan) return NAN;
  if (max == 0.0 || count <= 1) return max;
  int exponent;
  std::frexp(max, &exponent);
  if (exponent < -1023) {
    // The scale would overflow: out of the subnormals first.
    for (Py_ssize_t i = 0; i < count; ++i) values[i] /= DBL_MIN;
    return DBL_MIN * norm(values, count, max / DBL_MIN, false);
  }
  const double scale = std::ldexp(1.0, -exponent);
  double sum = 1.0, low_products = 0.0, low_sums = 0.0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const double x = values[i] * scale;
    const Pair square = exact_product(x, x);
    const Pair total = exact_sum(sum, square.high);
    sum = total.high;
    low_products += square.low;
    low_sums += total.low;
  }
  const double root = std::sqrt(sum - 1.0 + (low_products + low_sums));
  const Pair square = exact_product(-root, root);
  const Pair total = exact_sum(sum, square.high);
  low_products += square.low;
  low_sums += total.low;
  const double rest = total.high - 1.0 + (low_products + low_sums);
  return (root + rest / (2.0 * root)) / scale;
}

// The absolute values of `count` numbers, for norm().
class Coordinates {
 public:
  explicit Coordinates(Py_ssize_t count)
      : data_(count <= kInline ? inline_ : static_cast<double*>(PyMem_Malloc(sizeof(double) * static_cast<size_t>(count)))) {
    if (data_ == nullptr) PyErr_NoMemory();
  }
  ~Coordinates() {
    if (data_ != inline_) PyMem_Free(data_);
  }
  explicit operator bool() const { return data_ != nullptr; }
  void add(double x) {
    x = std::fabs(x);
    data_[count_++] = x;
    has_nan_ |= std::isnan(x);
    if (x > max_) max_ = x;
  }
  double length() { return norm(data_, count_, max_, has_nan_); }

 private:
  static constexpr Py_ssize_t kInline = 16;
  double inline_[kInline];
  double* data_;
  Py_ssize_t count_ = 0;
  double max_ = 0.0;
  bool has_nan_ = false;
};

bool is_float_product(PyObject* p, PyObject* q, double* x, double* y) {
  const bool p_float = PyFloat_CheckExact(p), q_float = PyFloat_CheckExact(q);
  if (!p_float && !q_float) return false;
  const auto read = [](PyObject* v, bool is_float, double* out) {
    if (is_float) {
      *out = float_value(v);
      return true;
    }
    if (!PyLong_CheckExact(v) && !PyBool_Check(v)) return false;
    *out = PyLong_AsDouble(v);
    if (*out == -1.0 && PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    return true;
  };
  return read(p, p_float, x) && read(q, q_float, y);
}

}  // namespace

PyObject* fsum(PyObject*, PyObject* iterable) {
  auto iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  Partials partials;
  for (;;) {
    Ref<> item;
    const int status = next_item(iterator.get(), &item);
    if (status < 0) return nullptr;
    if (status == 0) return partials.total();
    double x;
    if (!read_double(item.get(), &x) || !partials.add(x)) return nullptr;
  }
}

// Ints are summed in a machine word while they fit, floats in triple precision; whatever else comes goes through the
// objects' own arithmetic.
PyObject* sumprod(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("sumprod", nargs, 2, 2)) return nullptr;
  auto p_items = Ref<>::steal(PyObject_GetIter(args[0]));
  if (!p_items) return nullptr;
  auto q_items = Ref<>::steal(PyObject_GetIter(args[1]));
  if (!q_items) return nullptr;
  auto total = Ref<>::steal(small_int(0));
  int64_t int_sum = 0;
  bool ints = true, ints_used = false;
  TripleSum float_sum;
  bool floats = true, floats_used = false;
  const auto add_to_total = [&](PyObject* term) {
    auto owned = Ref<>::steal(term);
    if (!owned) return false;
    total = Ref<>::steal(PyNumber_Add(total.get(), owned.get()));
    return static_cast<bool>(total);
  };
  const auto flush_ints = [&] {
    ints = false;
    return !ints_used || add_to_total(int_from_int64(int_sum));
  };
  const auto flush_floats = [&] {
    floats = false;
    return !floats_used || add_to_total(float_from_double(float_sum.value()));
  };
  for (;;) {
    Ref<> p, q;
    const int p_status = next_item(p_items.get(), &p);
    if (p_status < 0) return nullptr;
    const int q_status = next_item(q_items.get(), &q);
    if (q_status < 0) return nullptr;
    if (p_status != q_status) {
      PyErr_SetString(PyExc_ValueError, "Inputs are not the same length");
      return nullptr;
    }
    if (p_status == 0) break;
    if (ints) {
      int64_t x, y, product, sum;
      if (PyLong_CheckExact(p.get()) && PyLong_CheckExact(q.get()) && int_to_int64(p.get(), &x) &&
          int_to_int64(q.get(), &y) && !__builtin_mul_overflow(x, y, &product) &&
          !__builtin_add_overflow(int_sum, product, &sum)) {
        int_sum = sum;
        ints_used = true;
        continue;
      }
      if (!flush_ints()) return nullptr;
    }
    if (floats) {
      double x, y;
      if (is_float_product(p.get(), q.get(), &x, &y)) {
        TripleSum next = float_sum;
        next.add_product(x, y);
        if (next.finite()) {
          float_sum = next;
          floats_used = true;
          continue;
        }
      }
      if (!flush_floats()) return nullptr;
    }
    if (!add_to_total(PyNumber_Multiply(p.get(), q.get()))) return nullptr;
  }
  if (ints && !flush_ints()) return nullptr;
  if (floats && !flush_floats()) return nullptr;
  return total.release();
}

PyObject* prod(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "start", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"prod", kNames, 1, 1}, given)) return nullptr;
  auto iterator = Ref<>::steal(PyObject_GetIter(given[0]));
  if (!iterator) return nullptr;
  auto result = given[1] != nullptr ? Ref<>::share(given[1]) : Ref<>::steal(small_int(1));
  enum { kInts, kFloats, kObjects } mode = kObjects;
  int64_t int_product = 1;
  double float_product = 1.0;
  if (PyLong_CheckExact(result.get()) && int_to_int64(result.get(), &int_product)) {
    mode = kInts;
  } else if (PyFloat_CheckExact(result.get())) {
    mode = kFloats;
    float_product = float_value(result.get());
  }
  for (;;) {
    Ref<> item;
    const int status = next_item(iterator.get(), &item);
    if (status < 0) return nullptr;
    if (status == 0) break;
    if (mode == kInts) {
      int64_t x, product;
      if (PyLong_CheckExact(item.get()) && int_to_int64(item.get(), &x) &&
          !__builtin_mul_overflow(int_product, x, &product)) {
        int_product = product;
        continue;
      }
      if (PyFloat_CheckExact(item.get())) {
        mode = kFloats;
        float_product = static_cast<double>(int_product);
      } else {
        mode = kObjects;
        result = Ref<>::steal(int_from_int64(int_product));
      }
    }
    if (mode == kFloats) {
      if (PyFloat_CheckExact(item.get())) {
        float_product *= float_value(item.get());
        continue;
      }
      int64_t x;
      if (PyLong_CheckExact(item.get()) && int_to_int64(item.get(), &x)) {
        float_product *= static_cast<double>(x);
        continue;
      }
      mode = kObjects;
      result = Ref<>::steal(float_from_double(float_product));
    }
    if (!result) return nullptr;
    result = Ref<>::steal(PyNumber_Multiply(result.get(), item.get()));
    if (!result) return nullptr;
  }
  if (mode == kInts) return int_from_int64(int_product);
  if (mode == kFloats) return float_from_double(float_product);
  return result.release();
}

PyObject* hypot(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Coordinates coordinates(nargs);
  if (!coordinates) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    double x;
    if (!read_double(args[i], &x)) return nullptr;
    coordinates.add(x);
  }
  return float_from_double(coordinates.length());
}

PyObject* dist(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("dist", nargs, 2, 2)) return nullptr;
  auto p = Ref<>::steal(PySequence_Tuple(args[0]));
  if (!p) return nullptr;
  auto q = Ref<>::steal(PySequence_Tuple(args[1]));
  if (!q) return nullptr;
  const Py_ssize_t count = PyTuple_GET_SIZE(p.get());
  if (count != PyTuple_GET_SIZE(q.get())) {
    PyErr_SetString(PyExc_ValueError, "both points must have the same number of dimensions");
    return nullptr;
  }
  Coordinates coordinates(count);
  if (!coordinates) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    double x, y;
    if (!read_double(PyTuple_GET_ITEM(p.get(), i), &x) || !read_double(PyTuple_GET_ITEM(q.get(), i), &y)) {
      return nullptr;
    }
    coordinates.add(x - y);
  }
  return float_from_double(coordinates.length());
}

}  // namespace amphis::math
