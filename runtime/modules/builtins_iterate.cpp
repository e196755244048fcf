// builtins: what walks over iterables.
#include <cmath>

#include "modules/builtins.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* any_or_all(PyObject* iterable, int stop_at) {
  Ref<> it = Ref<>::steal(PyObject_GetIter(iterable));
  if (!it) return nullptr;
  iternextfunc next = Py_TYPE(it.get())->tp_iternext;
  while (PyObject* item = next(it)) {
    int truth = PyObject_IsTrue(item);
    Py_DECREF(item);
    if (truth < 0) return nullptr;
    if (truth == stop_at) return PyBool_FromLong(stop_at);
  }
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return nullptr;
    PyErr_Clear();
  }
  return PyBool_FromLong(!stop_at);
}
PyObject* builtin_all(PyObject*, PyObject* iterable) { return any_or_all(iterable, 0); }
PyObject* builtin_any(PyObject*, PyObject* iterable) { return any_or_all(iterable, 1); }

PyObject* builtin_iter(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!_PyArg_CheckPositional("iter", n, 1, 2)) return nullptr;
  if (n == 1) return PyObject_GetIter(args[0]);
  if (!PyCallable_Check(args[0])) {
    PyErr_SetString(PyExc_TypeError, "iter(v, w): v must be callable");
    return nullptr;
  }
  return PyCallIter_New(args[0], args[1]);
}

PyObject* builtin_next(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!_PyArg_CheckPositional("next", n, 1, 2)) return nullptr;
  if (!PyIter_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not an iterator", Py_TYPE(args[0])->tp_name);
    return nullptr;
  }
  PyObject* item = Py_TYPE(args[0])->tp_iternext(args[0]);
  if (item != nullptr) return item;
  if (n == 2) {
    if (PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return nullptr;
      PyErr_Clear();
    }
    return Py_NewRef(args[1]);
  }
  if (!PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
  return nullptr;
}

PyObject* builtin_aiter(PyObject*, PyObject* iterable) { return PyObject_GetAIter(iterable); }

PyObject* builtin_sorted(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (!_PyArg_CheckPositional("sorted", nargs, 1, 1)) return nullptr;
  Ref<> list = Ref<>::steal(PySequence_List(args[0]));
  if (!list) return nullptr;
  if (kwnames == nullptr) return PyList_Sort(list) < 0 ? nullptr : list.release();
  Ref<> sort = Ref<>::steal(PyObject_GetAttrString(list, "sort"));
  if (!sort) return nullptr;
  Ref<> done = Ref<>::steal(PyObject_Vectorcall(sort, args + 1, 0, kwnames));
  return done ? list.release() : nullptr;
}

// A sum of floats and what was lost by rounding it (Neumaier).
struct CompensatedSum {
  double high = 0, low = 0;
  void add(double x) {
    const double t = high + x;
    low += std::fabs(high) >= std::fabs(x) ? (high - t) + x : (x - t) + high;
    high = t;
  }
  double value() const { return low != 0 && std::isfinite(low) ? high + low : high; }
};

// Sums while everything is an int that fits 64 bits, then while everything is a float or a complex (compensated, as
// CPython does since 3.12), then by PyNumber_Add.
PyObject* builtin_sum(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "start", nullptr};
  PyObject *iterable, *start = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:sum", const_cast<char**>(keywords), &iterable, &start)) {
    return nullptr;
  }
  Ref<> it = Ref<>::steal(PyObject_GetIter(iterable));
  if (!it) return nullptr;
  Ref<> total;
  if (start == nullptr) {
    total = Ref<>::steal(PyLong_FromLong(0));
  } else {
    if (PyUnicode_Check(start)) {
      PyErr_SetString(PyExc_TypeError, "sum() can't sum strings [use ''.join(seq) instead]");
      return nullptr;
    }
    if (PyBytes_Check(start)) {
      PyErr_SetString(PyExc_TypeError, "sum() can't sum bytes [use b''.join(seq) instead]");
      return nullptr;
    }
    if (PyByteArray_Check(start)) {
      PyErr_SetString(PyExc_TypeError, "sum() can't sum bytearray [use b''.join(seq) instead]");
      return nullptr;
    }
    total = Ref<>::share(start);
  }
  iternextfunc next = Py_TYPE(it.get())->tp_iternext;
  enum { kInt, kFloat, kComplex, kAny } mode = kAny;
  int64_t int_sum = 0;
  CompensatedSum real, imaginary;
  auto start_from = [&](PyObject* value) {
    if (PyLong_CheckExact(value) && compact_value(value, &int_sum)) {
      mode = kInt;
    } else if (PyFloat_CheckExact(value)) {
      real = {PyFloat_AS_DOUBLE(value), 0};
      mode = kFloat;
    } else if (PyComplex_CheckExact(value)) {
      const Py_complex z = PyComplex_AsCComplex(value);
      real = {z.real, 0};
      imaginary = {z.imag, 0};
      mode = kComplex;
    } else {
      mode = kAny;
    }
  };
  start_from(total);
  auto current = [&]() -> PyObject* {
    switch (mode) {
      case kInt: return PyLong_FromLongLong(int_sum);
      case kFloat: return PyFloat_FromDouble(real.value());
      case kComplex: return PyComplex_FromDoubles(real.value(), imaginary.value());
      default: return Py_NewRef(total.get());
    }
  };
  while (PyObject* raw = next(it)) {
    Ref<> item = Ref<>::steal(raw);
    if (mode == kInt) {
      int64_t x, sum;
      if ((PyLong_CheckExact(raw) || PyBool_Check(raw)) && compact_value(raw, &x) &&
          !__builtin_add_overflow(int_sum, x, &sum)) {
        int_sum = sum;
        continue;
      }
      if (PyFloat_CheckExact(raw) && int_sum < (int64_t{1} << 53) && int_sum > -(int64_t{1} << 53)) {
        real = {static_cast<double>(int_sum), 0};
        real.add(PyFloat_AS_DOUBLE(raw));
        mode = kFloat;
        continue;
      }
    } else if (mode == kFloat || mode == kComplex) {
      int64_t x;
      if (PyFloat_CheckExact(raw)) {
        real.add(PyFloat_AS_DOUBLE(raw));
        continue;
      }
      if (PyLong_Check(raw) && compact_value(raw, &x)) {
        real.high += static_cast<double>(x);
        continue;
      }
      if (PyComplex_CheckExact(raw) && mode == kComplex) {
        const Py_complex z = PyComplex_AsCComplex(raw);
        real.add(z.real);
        imaginary.add(z.imag);
        continue;
      }
    }
    if (mode != kAny) total = Ref<>::steal(current());
    if (total) total = Ref<>::steal(PyNumber_Add(total, item));
    if (!total) return nullptr;
    if (mode == kInt || mode == kFloat) {
      const auto before = mode;
      start_from(total);
      if (mode == kInt || mode == before) mode = kAny;
    }
  }
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return nullptr;
    PyErr_Clear();
  }
  return current();
}

// min() and max(): op is Py_LT or Py_GT.
PyObject* extreme(const char* name, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, int op) {
  PyObject *key = nullptr, *fallback = nullptr;
  if (kwnames != nullptr) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
      PyObject* kw = PyTuple_GET_ITEM(kwnames, i);
      if (PyUnicode_EqualToUTF8(kw, "key")) {
        key = args[nargs + i];
      } else if (PyUnicode_EqualToUTF8(kw, "default")) {
        fallback = args[nargs + i];
      } else {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", name, kw);
        return nullptr;
      }
    }
  }
  if (nargs == 0) {
    PyErr_Format(PyExc_TypeError, "%s expected at least 1 argument, got 0", name);
    return nullptr;
  }
  if (key == Py_None) key = nullptr;
  const bool positional = nargs > 1;
  if (positional && fallback != nullptr) {
    PyErr_Format(PyExc_TypeError, "Cannot specify a default for %s() with multiple positional arguments", name);
    return nullptr;
  }
  Ref<> it;
  if (!positional) {
    it = Ref<>::steal(PyObject_GetIter(args[0]));
    if (!it) return nullptr;
  }
  Ref<> best, best_key;
  for (Py_ssize_t i = 0;; ++i) {
    Ref<> item;
    if (positional) {
      if (i == nargs) break;
      item = Ref<>::share(args[i]);
    } else {
      PyObject* got;
      int more = PyIter_NextItem(it, &got);
      if (more < 0) return nullptr;
      if (more == 0) break;
      item = Ref<>::steal(got);
    }
    Ref<> value = key != nullptr ? Ref<>::steal(PyObject_CallOneArg(key, item)) : item.copy();
    if (!value) return nullptr;
    if (best) {
      int better = PyObject_RichCompareBool(value, best_key, op);
      if (better < 0) return nullptr;
      // Identity counts as equality in RichCompareBool: never better.
      if (!better) continue;
    }
    best = std::move(item);
    best_key = std::move(value);
  }
  if (best) return best.release();
  if (fallback != nullptr) return Py_NewRef(fallback);
  PyErr_Format(PyExc_ValueError, "%s() iterable argument is empty", name);
  return nullptr;
}
PyObject* builtin_min(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return extreme("min", args, n, kwnames, Py_LT);
}
PyObject* builtin_max(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  return extreme("max", args, n, kwnames, Py_GT);
}

}  // namespace

PyMethodDef builtins_iterate_methods[] = {
    {"all", builtin_all, METH_O,
     "all($module, iterable, /)\n--\n\nReturn True if bool(x) is True for all values x in the iterable."},
    {"any", builtin_any, METH_O,
     "any($module, iterable, /)\n--\n\nReturn True if bool(x) is True for any x in the iterable."},
    {"iter", as_cfunction(builtin_iter), METH_FASTCALL, "iter(iterable) -> iterator\niter(callable, sentinel) -> iterator"},
    {"aiter", builtin_aiter, METH_O,
     "aiter($module, async_iterable, /)\n--\n\nReturn an AsyncIterator for an AsyncIterable object."},
    {"max", as_cfunction(builtin_max), METH_FASTCALL | METH_KEYWORDS,
     "max(iterable, *[, default=obj, key=func]) -> value\nmax(arg1, arg2, *args, *[, key=func]) -> value"},
    {"min", as_cfunction(builtin_min), METH_FASTCALL | METH_KEYWORDS,
     "min(iterable, *[, default=obj, key=func]) -> value\nmin(arg1, arg2, *args, *[, key=func]) -> value"},
    {"next", as_cfunction(builtin_next), METH_FASTCALL, "next(iterator[, default])"},
    {"sorted", as_cfunction(builtin_sorted), METH_FASTCALL | METH_KEYWORDS,
     "sorted($module, iterable, /, *, key=None, reverse=False)\n--\n\nReturn a new list containing all items from the "
     "iterable in ascending order."},
    {"sum", as_cfunction(builtin_sum), METH_VARARGS | METH_KEYWORDS,
     "sum($module, iterable, /, start=0)\n--\n\nReturn the sum of a 'start' value (default: 0) plus an iterable of "
     "numbers"},
    {},
};

}  // namespace amphis
