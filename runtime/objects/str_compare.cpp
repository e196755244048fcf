// Comparison and hashing of str.
#include <initializer_list>

#include "objects/hash.h"
#include "objects/str.h"
#include "objects/str_writer.h"

namespace amphis {
namespace {

template <class A, class B>
int compare_chars(const A* a, Py_ssize_t n, const B* b, Py_ssize_t m) {
  Py_ssize_t common = n < m ? n : m;
  if constexpr (sizeof(A) == 1 && sizeof(B) == 1) {
    int order = memcmp(a, b, static_cast<size_t>(common));
    if (order) return order < 0 ? -1 : 1;
  } else {
    for (Py_ssize_t i = 0; i < common; i++) {
      if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
  }
  return n < m ? -1 : n > m;
}

int compare(PyObject* a, PyObject* b) {
  if (a == b) return 0;
  StrView x(a), y(b);
  return with_chars(x, [&](auto* p) {
    return with_chars(y, [&](auto* q) { return compare_chars(p, x.length, q, y.length); });
  });
}

}  // namespace

Py_hash_t str_hash_slow(PyObject* s) {
  Py_hash_t h =
      hash_bytes(PyUnicode_DATA(s), PyUnicode_GET_LENGTH(s) * static_cast<Py_ssize_t>(PyUnicode_KIND(s)));
  __atomic_store_n(&ascii_head(s)->hash, h, __ATOMIC_RELAXED);
  return h;
}

bool str_equal_ascii(PyObject* s, const char* ascii) {
  if (!PyUnicode_IS_ASCII(s)) return false;
  size_t n = strlen(ascii);
  return static_cast<size_t>(PyUnicode_GET_LENGTH(s)) == n && memcmp(PyUnicode_DATA(s), ascii, n) == 0;
}

PyObject* str_richcompare(PyObject* a, PyObject* b, int op) {
  if (!PyUnicode_Check(a) || !PyUnicode_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  if (op == Py_EQ) return PyBool_FromLong(str_equal(a, b));
  if (op == Py_NE) return PyBool_FromLong(!str_equal(a, b));
  int order = compare(a, b);
  Py_RETURN_RICHCOMPARE(order, 0, op);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_RichCompare(PyObject* a, PyObject* b, int op) {
  return str_richcompare(a, b, op);
}

int PyUnicode_Compare(PyObject* a, PyObject* b) {
  if (!PyUnicode_Check(a) || !PyUnicode_Check(b)) {
    PyErr_Format(PyExc_TypeError, "Can't compare %.100s and %.100s", Py_TYPE(a)->tp_name,
                 Py_TYPE(b)->tp_name);
    return -1;
  }
  return compare(a, b);
}

int PyUnicode_Equal(PyObject* a, PyObject* b) {
  for (PyObject* o : {a, b}) {
    if (!PyUnicode_Check(o)) {
      PyErr_Format(PyExc_TypeError, "%s must be str, not %T", o == a ? "first argument" : "second argument",
                   o);
      return -1;
    }
  }
  return str_equal(a, b);
}

int PyUnicode_CompareWithASCIIString(PyObject* s, const char* text) {
  StrView view(s);
  Py_ssize_t n = static_cast<Py_ssize_t>(strlen(text));
  return with_chars(view, [&](auto* p) {
    return compare_chars(p, view.length, reinterpret_cast<const Py_UCS1*>(text), n);
  });
}

}  // extern "C"
