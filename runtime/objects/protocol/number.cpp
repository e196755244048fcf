// The abstract number operations: PyNumber_* and PyIndex_Check.
//
// Invariant: an operation tries the slots in the order that the language reference states (reflected slot first
// when the right operand's type is a proper subclass of the left's), each slot function at most once, and only
// then the sequence fallbacks. No type's own arithmetic lives here.
#include "Python.h"

#include <type_traits>
#include <utility>

#include "checked/checked.h"
#include "objects/float.h"
#include "objects/int.h"

namespace amphis {
namespace {

template <auto Slot>
inline auto number_slot(PyObject* o) -> std::remove_reference_t<decltype(std::declval<PyNumberMethods&>().*Slot)> {
  PyNumberMethods* methods = Py_TYPE(o)->tp_as_number;
  return methods != nullptr ? methods->*Slot : nullptr;
}

inline bool declined(PyObject* result) {
  if (result != Py_NotImplemented) return false;
  Py_DECREF(result);
  return true;
}

// The result, null on error, or a new reference to NotImplemented when neither operand knows the operation.
template <auto Slot>
PyObject* try_binary(PyObject* v, PyObject* w) {
  binaryfunc left = number_slot<Slot>(v);
  binaryfunc right = nullptr;
  if (Py_TYPE(v) != Py_TYPE(w)) {
    right = number_slot<Slot>(w);
    if (right == left) right = nullptr;
  }
  if (left != nullptr) {
    if (right != nullptr && PyType_IsSubtype(Py_TYPE(w), Py_TYPE(v))) {
      PyObject* x = checked::slot_result(w, "nb_*", right, right(v, w));
      if (!declined(x)) return x;
      right = nullptr;
    }
    PyObject* x = checked::slot_result(v, "nb_*", left, left(v, w));
    if (!declined(x)) return x;
  }
  if (right != nullptr) {
    PyObject* x = checked::slot_result(w, "nb_*", right, right(v, w));
    if (!declined(x)) return x;
  }
  return Py_NewRef(Py_NotImplemented);
}

template <auto InPlaceSlot, auto Slot>
PyObject* try_in_place(PyObject* v, PyObject* w) {
  if (binaryfunc in_place = number_slot<InPlaceSlot>(v)) {
    PyObject* x = in_place(v, w);
    if (!declined(x)) return x;
  }
  return try_binary<Slot>(v, w);
}

PyObject* unsupported(PyObject* v, PyObject* w, const char* op) {
  PyErr_Format(PyExc_TypeError, "unsupported operand type(s) for %.100s: '%.100s' and '%.100s'", op,
               Py_TYPE(v)->tp_name, Py_TYPE(w)->tp_name);
  return nullptr;
}

template <auto Slot>
PyObject* binary(PyObject* v, PyObject* w, const char* op) {
  PyObject* x = try_binary<Slot>(v, w);
  return declined(x) ? unsupported(v, w, op) : x;
}

template <auto InPlaceSlot, auto Slot>
PyObject* in_place(PyObject* v, PyObject* w, const char* op) {
  PyObject* x = try_in_place<InPlaceSlot, Slot>(v, w);
  return declined(x) ? unsupported(v, w, op) : x;
}

// Result, null, or NotImplemented. The three slots are asked left, middle, right (or middle first, for subclasses).
PyObject* try_power(PyObject* v, PyObject* w, PyObject* z) {
  ternaryfunc left = number_slot<&PyNumberMethods::nb_power>(v);
  ternaryfunc middle = nullptr;
  if (Py_TYPE(v) != Py_TYPE(w)) {
    middle = number_slot<&PyNumberMethods::nb_power>(w);
    if (middle == left) middle = nullptr;
  }
  const ternaryfunc asked_middle = middle;
  if (left != nullptr) {
    if (middle != nullptr && PyType_IsSubtype(Py_TYPE(w), Py_TYPE(v))) {
      PyObject* x = middle(v, w, z);
      if (!declined(x)) return x;
      middle = nullptr;
    }
    PyObject* x = left(v, w, z);
    if (!declined(x)) return x;
  }
  if (middle != nullptr) {
    PyObject* x = middle(v, w, z);
    if (!declined(x)) return x;
  }
  ternaryfunc right = number_slot<&PyNumberMethods::nb_power>(z);
  if (right != nullptr && right != left && right != asked_middle) {
    PyObject* x = right(v, w, z);
    if (!declined(x)) return x;
  }
  return Py_NewRef(Py_NotImplemented);
}

PyObject* power_unsupported(PyObject* v, PyObject* w, PyObject* z, const char* op) {
  if (z == Py_None) return unsupported(v, w, op);
  PyErr_Format(PyExc_TypeError, "unsupported operand type(s) for %.100s: '%.100s', '%.100s', '%.100s'", op,
               Py_TYPE(v)->tp_name, Py_TYPE(w)->tp_name, Py_TYPE(z)->tp_name);
  return nullptr;
}

PyObject* null_error() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
  return nullptr;
}

PyObject* repeat(ssizeargfunc repeat_slot, PyObject* sequence, PyObject* count) {
  if (!PyIndex_Check(count)) {
    PyErr_Format(PyExc_TypeError, "can't multiply sequence by non-int of type '%.200s'", Py_TYPE(count)->tp_name);
    return nullptr;
  }
  const Py_ssize_t n = PyNumber_AsSsize_t(count, PyExc_OverflowError);
  if (n == -1 && PyErr_Occurred()) return nullptr;
  return repeat_slot(sequence, n);
}

inline PySequenceMethods* sequence_slots(PyObject* o) { return Py_TYPE(o)->tp_as_sequence; }

inline bool both_exact_int(PyObject* v, PyObject* w) { return PyLong_CheckExact(v) && PyLong_CheckExact(w); }
inline bool both_exact_float(PyObject* v, PyObject* w) { return PyFloat_CheckExact(v) && PyFloat_CheckExact(w); }

template <auto Slot>
PyObject* unary(PyObject* o, const char* op) {
  if (o == nullptr) return null_error();
  if (unaryfunc f = number_slot<Slot>(o)) return checked::slot_result(o, "nb_*", f, f(o));
  PyErr_Format(PyExc_TypeError, "bad operand type for %s: '%.200s'", op, Py_TYPE(o)->tp_name);
  return nullptr;
}

// What __index__ or __int__ returned: an int as it is, a strict subclass with a warning, else an error. Steals.
PyObject* checked_int_result(PyObject* result, const char* method) {
  if (result == nullptr || PyLong_CheckExact(result)) return result;
  if (!PyLong_Check(result)) {
    PyErr_Format(PyExc_TypeError, "%s returned non-int (type %.200s)", method, Py_TYPE(result)->tp_name);
    Py_DECREF(result);
    return nullptr;
  }
  if (PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                       "%s returned non-int (type %.200s).  The ability to return an instance of a strict subclass "
                       "of int is deprecated, and may be removed in a future version of Python.",
                       method, Py_TYPE(result)->tp_name) != 0) {
    Py_DECREF(result);
    return nullptr;
  }
  return result;
}

PyObject* exact_int_stealing(PyObject* result) {
  if (result == nullptr || PyLong_CheckExact(result)) return result;
  PyObject* copy = _PyLong_Copy(reinterpret_cast<PyLongObject*>(result));
  Py_DECREF(result);
  return copy;
}

}  // namespace

}  // namespace amphis

using namespace amphis;
using NB = PyNumberMethods;

extern "C" {

int PyNumber_Check(PyObject* o) {
  if (o == nullptr) return 0;
  PyNumberMethods* nb = Py_TYPE(o)->tp_as_number;
  return (nb != nullptr && (nb->nb_index || nb->nb_int || nb->nb_float)) || PyComplex_Check(o);
}

int PyIndex_Check(PyObject* o) {
  PyNumberMethods* nb = Py_TYPE(o)->tp_as_number;
  return nb != nullptr && nb->nb_index != nullptr;
}

PyObject* PyNumber_Add(PyObject* v, PyObject* w) {
  if (both_exact_int(v, w)) return int_add(v, w);
  if (both_exact_float(v, w)) return float_from_double(float_value(v) + float_value(w));
  PyObject* x = try_binary<&NB::nb_add>(v, w);
  if (!declined(x)) return x;
  PySequenceMethods* sq = sequence_slots(v);
  if (sq != nullptr && sq->sq_concat != nullptr) return sq->sq_concat(v, w);
  return unsupported(v, w, "+");
}

PyObject* PyNumber_Subtract(PyObject* v, PyObject* w) {
  if (both_exact_int(v, w)) return int_sub(v, w);
  return binary<&NB::nb_subtract>(v, w, "-");
}

PyObject* PyNumber_Multiply(PyObject* v, PyObject* w) {
  if (both_exact_int(v, w)) return int_mul(v, w);
  PyObject* x = try_binary<&NB::nb_multiply>(v, w);
  if (!declined(x)) return x;
  PySequenceMethods* left = sequence_slots(v);
  PySequenceMethods* right = sequence_slots(w);
  if (left != nullptr && left->sq_repeat != nullptr) return repeat(left->sq_repeat, v, w);
  if (right != nullptr && right->sq_repeat != nullptr) return repeat(right->sq_repeat, w, v);
  return unsupported(v, w, "*");
}

PyObject* PyNumber_MatrixMultiply(PyObject* v, PyObject* w) { return binary<&NB::nb_matrix_multiply>(v, w, "@"); }
PyObject* PyNumber_FloorDivide(PyObject* v, PyObject* w) { return binary<&NB::nb_floor_divide>(v, w, "//"); }
PyObject* PyNumber_TrueDivide(PyObject* v, PyObject* w) { return binary<&NB::nb_true_divide>(v, w, "/"); }
PyObject* PyNumber_Remainder(PyObject* v, PyObject* w) { return binary<&NB::nb_remainder>(v, w, "%"); }
PyObject* PyNumber_Divmod(PyObject* v, PyObject* w) { return binary<&NB::nb_divmod>(v, w, "divmod()"); }
PyObject* PyNumber_Lshift(PyObject* v, PyObject* w) { return binary<&NB::nb_lshift>(v, w, "<<"); }
PyObject* PyNumber_Rshift(PyObject* v, PyObject* w) { return binary<&NB::nb_rshift>(v, w, ">>"); }
PyObject* PyNumber_And(PyObject* v, PyObject* w) { return binary<&NB::nb_and>(v, w, "&"); }
PyObject* PyNumber_Xor(PyObject* v, PyObject* w) { return binary<&NB::nb_xor>(v, w, "^"); }
PyObject* PyNumber_Or(PyObject* v, PyObject* w) { return binary<&NB::nb_or>(v, w, "|"); }

PyObject* PyNumber_Power(PyObject* v, PyObject* w, PyObject* z) {
  PyObject* x = try_power(v, w, z);
  return declined(x) ? power_unsupported(v, w, z, "** or pow()") : x;
}

PyObject* PyNumber_InPlacePower(PyObject* v, PyObject* w, PyObject* z) {
  if (ternaryfunc f = number_slot<&NB::nb_inplace_power>(v)) {
    PyObject* x = f(v, w, z);
    if (!declined(x)) return x;
  }
  PyObject* x = try_power(v, w, z);
  return declined(x) ? power_unsupported(v, w, z, "**=") : x;
}

PyObject* PyNumber_InPlaceAdd(PyObject* v, PyObject* w) {
  if (both_exact_int(v, w)) return int_add(v, w);
  PyObject* x = try_in_place<&NB::nb_inplace_add, &NB::nb_add>(v, w);
  if (!declined(x)) return x;
  if (PySequenceMethods* sq = sequence_slots(v)) {
    if (sq->sq_inplace_concat != nullptr) return sq->sq_inplace_concat(v, w);
    if (sq->sq_concat != nullptr) return sq->sq_concat(v, w);
  }
  return unsupported(v, w, "+=");
}

PyObject* PyNumber_InPlaceMultiply(PyObject* v, PyObject* w) {
  PyObject* x = try_in_place<&NB::nb_inplace_multiply, &NB::nb_multiply>(v, w);
  if (!declined(x)) return x;
  PySequenceMethods* left = sequence_slots(v);
  PySequenceMethods* right = sequence_slots(w);
  if (left != nullptr && (left->sq_inplace_repeat != nullptr || left->sq_repeat != nullptr)) {
    return repeat(left->sq_inplace_repeat != nullptr ? left->sq_inplace_repeat : left->sq_repeat, v, w);
  }
  // The right operand must not change: its repeat that makes a new object.
  if (right != nullptr && right->sq_repeat != nullptr) return repeat(right->sq_repeat, w, v);
  return unsupported(v, w, "*=");
}

PyObject* PyNumber_InPlaceSubtract(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_subtract, &NB::nb_subtract>(v, w, "-=");
}
PyObject* PyNumber_InPlaceMatrixMultiply(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_matrix_multiply, &NB::nb_matrix_multiply>(v, w, "@=");
}
PyObject* PyNumber_InPlaceFloorDivide(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_floor_divide, &NB::nb_floor_divide>(v, w, "//=");
}
PyObject* PyNumber_InPlaceTrueDivide(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_true_divide, &NB::nb_true_divide>(v, w, "/=");
}
PyObject* PyNumber_InPlaceRemainder(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_remainder, &NB::nb_remainder>(v, w, "%=");
}
PyObject* PyNumber_InPlaceLshift(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_lshift, &NB::nb_lshift>(v, w, "<<=");
}
PyObject* PyNumber_InPlaceRshift(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_rshift, &NB::nb_rshift>(v, w, ">>=");
}
PyObject* PyNumber_InPlaceAnd(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_and, &NB::nb_and>(v, w, "&=");
}
PyObject* PyNumber_InPlaceXor(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_xor, &NB::nb_xor>(v, w, "^=");
}
PyObject* PyNumber_InPlaceOr(PyObject* v, PyObject* w) {
  return in_place<&NB::nb_inplace_or, &NB::nb_or>(v, w, "|=");
}

PyObject* PyNumber_Negative(PyObject* o) { return unary<&NB::nb_negative>(o, "unary -"); }
PyObject* PyNumber_Positive(PyObject* o) { return unary<&NB::nb_positive>(o, "unary +"); }
PyObject* PyNumber_Invert(PyObject* o) { return unary<&NB::nb_invert>(o, "unary ~"); }
PyObject* PyNumber_Absolute(PyObject* o) { return unary<&NB::nb_absolute>(o, "abs()"); }

// As PyNumber_Index, but the result may be an instance of a subclass of int.
PyObject* _PyNumber_Index(PyObject* item) {
  if (item == nullptr) return null_error();
  if (PyLong_Check(item)) return Py_NewRef(item);
  unaryfunc f = number_slot<&NB::nb_index>(item);
  if (f == nullptr) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object cannot be interpreted as an integer", Py_TYPE(item)->tp_name);
    return nullptr;
  }
  return checked_int_result(checked::slot_result(item, "nb_index", f, f(item)), "__index__");
}

PyObject* PyNumber_Index(PyObject* item) { return exact_int_stealing(_PyNumber_Index(item)); }

Py_ssize_t PyNumber_AsSsize_t(PyObject* item, PyObject* error) {
  PyObject* value = _PyNumber_Index(item);
  if (value == nullptr) return -1;
  int64_t n;
  if (int_to_int64(value, &n)) {
    Py_DECREF(value);
    return n;
  }
  Py_ssize_t result;
  if (error == nullptr) {
    result = PyLong_IsNegative(value) == 1 ? PY_SSIZE_T_MIN : PY_SSIZE_T_MAX;
  } else {
    PyErr_Format(error, "cannot fit '%.200s' into an index-sized integer", Py_TYPE(item)->tp_name);
    result = -1;
  }
  Py_DECREF(value);
  return result;
}

PyObject* PyNumber_Long(PyObject* o) {
  if (o == nullptr) return null_error();
  if (PyLong_CheckExact(o)) return Py_NewRef(o);
  PyNumberMethods* nb = Py_TYPE(o)->tp_as_number;
  if (nb != nullptr && nb->nb_int != nullptr) return exact_int_stealing(checked_int_result(nb->nb_int(o), "__int__"));
  if (nb != nullptr && nb->nb_index != nullptr) return PyNumber_Index(o);
  if (PyUnicode_Check(o)) return PyLong_FromUnicodeObject(o, 10);
  if (PyBytes_Check(o)) return int_from_bytes_literal(PyBytes_AS_STRING(o), PyBytes_GET_SIZE(o), 10);
  if (PyObject_CheckBuffer(o)) {
    // A copy: another thread may change the bytes, and they need a terminating null.
    PyObject* copy = PyBytes_FromObject(o);
    if (copy == nullptr) return nullptr;
    PyObject* result = int_from_bytes_literal(PyBytes_AS_STRING(copy), PyBytes_GET_SIZE(copy), 10);
    Py_DECREF(copy);
    return result;
  }
  PyErr_Format(PyExc_TypeError, "int() argument must be a string, a bytes-like object or a real number, not '%.200s'",
               Py_TYPE(o)->tp_name);
  return nullptr;
}

PyObject* PyNumber_Float(PyObject* o) {
  if (o == nullptr) return null_error();
  if (PyFloat_CheckExact(o)) return Py_NewRef(o);
  PyNumberMethods* nb = Py_TYPE(o)->tp_as_number;
  if (nb != nullptr && nb->nb_float != nullptr) {
    PyObject* result = nb->nb_float(o);
    if (result == nullptr || PyFloat_CheckExact(result)) return result;
    if (!PyFloat_Check(result)) {
      PyErr_Format(PyExc_TypeError, "%.50s.__float__ returned non-float (type %.50s)", Py_TYPE(o)->tp_name,
                   Py_TYPE(result)->tp_name);
      Py_DECREF(result);
      return nullptr;
    }
    if (PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                         "%.50s.__float__ returned non-float (type %.50s).  The ability to return an instance of a "
                         "strict subclass of float is deprecated, and may be removed in a future version of Python.",
                         Py_TYPE(o)->tp_name, Py_TYPE(result)->tp_name) != 0) {
      Py_DECREF(result);
      return nullptr;
    }
    const double value = PyFloat_AS_DOUBLE(result);
    Py_DECREF(result);
    return PyFloat_FromDouble(value);
  }
  if (nb != nullptr && nb->nb_index != nullptr) {
    PyObject* index = _PyNumber_Index(o);
    if (index == nullptr) return nullptr;
    const double value = PyLong_AsDouble(index);
    Py_DECREF(index);
    return value == -1.0 && PyErr_Occurred() ? nullptr : PyFloat_FromDouble(value);
  }
  if (PyFloat_Check(o)) return PyFloat_FromDouble(PyFloat_AS_DOUBLE(o));
  return PyFloat_FromString(o);
}

PyObject* PyNumber_ToBase(PyObject* n, int base) {
  if (base != 2 && base != 8 && base != 10 && base != 16) {
    PyErr_SetString(PyExc_SystemError, "PyNumber_ToBase: base must be 2, 8, 10 or 16");
    return nullptr;
  }
  PyObject* index = _PyNumber_Index(n);
  if (index == nullptr) return nullptr;
  PyObject* result = _PyLong_Format(index, base);
  Py_DECREF(index);
  return result;
}

}  // extern "C"
