// Putting strings together: +, +=, *, join.
#include "objects/str_concat.h"
#include "objects/str.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {
namespace {

inline Py_UCS4 wider(Py_UCS4 a, Py_UCS4 b) {
  return a > b ? a : b;
}

PyObject* concat(PyObject* a, PyObject* b) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(a), m = PyUnicode_GET_LENGTH(b);
  if (n == 0) return str_exact(b);
  if (m == 0) return str_exact(a);
  if (n > PY_SSIZE_T_MAX - m) {
    PyErr_SetString(PyExc_OverflowError, "strings are too large to concat");
    return nullptr;
  }
  PyObject* s = PyUnicode_New(n + m, wider(PyUnicode_MAX_CHAR_VALUE(a), PyUnicode_MAX_CHAR_VALUE(b)));
  if (!s) return nullptr;
  copy_chars(s, 0, a, 0, n);
  copy_chars(s, n, b, 0, m);
  return s;
}

struct JoinPlan {
  Py_ssize_t length = 0;
  Py_UCS4 max_char = 0;
};

bool plan_join(PyObject* separator, PyObject* const* items, Py_ssize_t n, JoinPlan* plan) {
  Py_ssize_t gap = separator ? PyUnicode_GET_LENGTH(separator) : 0;
  Py_UCS4 max_char = separator && gap && n > 1 ? PyUnicode_MAX_CHAR_VALUE(separator) : 0x7F;
  Py_ssize_t total = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = items[i];
    if (!PyUnicode_Check(item)) {
      PyErr_Format(PyExc_TypeError, "sequence item %zd: expected str instance, %.80s found", i,
                   Py_TYPE(item)->tp_name);
      return false;
    }
    Py_ssize_t add = PyUnicode_GET_LENGTH(item);
    if (i > 0) {
      if (add > PY_SSIZE_T_MAX - gap)
        add = PY_SSIZE_T_MAX;
      else
        add += gap;
    }
    if (total > PY_SSIZE_T_MAX - add) {
      PyErr_SetString(PyExc_OverflowError, "join() result is too long for a Python string");
      return false;
    }
    total += add;
    max_char = wider(max_char, PyUnicode_MAX_CHAR_VALUE(item));
  }
  plan->length = total;
  plan->max_char = max_char;
  return true;
}

}  // namespace

PyObject* str_join_array(PyObject* separator, PyObject* const* items, Py_ssize_t n) {
  if (n == 0) return empty_str();
  if (n == 1 && PyUnicode_CheckExact(items[0])) return Py_NewRef(items[0]);
  JoinPlan plan;
  if (!plan_join(separator, items, n, &plan)) return nullptr;
  if (plan.length == 0) return empty_str();
  PyObject* s = PyUnicode_New(plan.length, plan.max_char);
  if (!s) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(s));
  if (kind == 1) {
    // Everything that goes in is one byte wide: bytes are moved, nothing is looked at.
    char* to = static_cast<char*>(PyUnicode_DATA(s));
    size_t gap = separator ? static_cast<size_t>(PyUnicode_GET_LENGTH(separator)) : 0;
    const char* gap_data = gap ? static_cast<const char*>(PyUnicode_DATA(separator)) : nullptr;
    for (Py_ssize_t i = 0; i < n; i++) {
      if (i > 0 && gap) {
        if (gap == 1) {
          *to = *gap_data;
        } else {
          memcpy(to, gap_data, gap);
        }
        to += gap;
      }
      size_t size = static_cast<size_t>(PyUnicode_GET_LENGTH(items[i]));
      memcpy(to, PyUnicode_DATA(items[i]), size);
      to += size;
    }
    return s;
  }
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    if (i > 0 && separator) {
      Py_ssize_t gap = PyUnicode_GET_LENGTH(separator);
      copy_chars(s, at, separator, 0, gap);
      at += gap;
    }
    Py_ssize_t size = PyUnicode_GET_LENGTH(items[i]);
    copy_chars(s, at, items[i], 0, size);
    at += size;
  }
  return s;
}

PyObject* str_repeat(PyObject* s, Py_ssize_t times) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (times < 1 || n == 0) return empty_str();
  if (times == 1) return str_exact(s);
  if (n > PY_SSIZE_T_MAX / times) {
    PyErr_SetString(PyExc_OverflowError, "repeated string is too long");
    return nullptr;
  }
  StrView view(s);
  PyObject* result = PyUnicode_New(n * times, view.max_char());
  if (!result) return nullptr;
  char* to = static_cast<char*>(PyUnicode_DATA(result));
  if (n == 1) {
    fill_chars(view.kind, to, 0, times, view[0]);
    return result;
  }
  size_t one = static_cast<size_t>(n) * view.kind, total = one * static_cast<size_t>(times), done = one;
  memcpy(to, view.data, one);
  while (done < total) {
    size_t more = done < total - done ? done : total - done;
    memcpy(to + done, to, more);
    done += more;
  }
  return result;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_Concat(PyObject* a, PyObject* b) {
  if (!require_str(a)) return nullptr;
  if (!PyUnicode_Check(b)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate str (not \"%.200s\") to str", Py_TYPE(b)->tp_name);
    return nullptr;
  }
  return concat(a, b);
}

void PyUnicode_Append(PyObject** slot, PyObject* b) {
  if (!slot) {
    if (!PyErr_Occurred()) PyErr_BadInternalCall();
    return;
  }
  PyObject* a = *slot;
  if (!a || !b || !PyUnicode_Check(a) || !PyUnicode_Check(b)) {
    if (!PyErr_Occurred()) PyErr_BadInternalCall();
    Py_CLEAR(*slot);
    return;
  }
  Py_ssize_t n = PyUnicode_GET_LENGTH(a), m = PyUnicode_GET_LENGTH(b);
  if (m == 0 && PyUnicode_CheckExact(a)) return;
  // In place when nobody else can see the string and the new characters fit its kind.
  if (n > 0 && m <= PY_SSIZE_T_MAX - n && PyUnicode_MAX_CHAR_VALUE(b) <= PyUnicode_MAX_CHAR_VALUE(a) &&
      a != b && str_modifiable(a)) {
    if (!str_grow_in_place(slot, n + m)) {
      Py_CLEAR(*slot);
      return;
    }
    copy_chars(*slot, n, b, 0, m);
    return;
  }
  *slot = concat(a, b);
  Py_DECREF(a);
}

void PyUnicode_AppendAndDel(PyObject** slot, PyObject* b) {
  PyUnicode_Append(slot, b);
  Py_XDECREF(b);
}

PyObject* PyUnicode_Join(PyObject* separator, PyObject* iterable) {
  Ref<> sequence = Ref<>::steal(PySequence_Fast(iterable, "can only join an iterable"));
  if (!sequence) return nullptr;
  PyObject* fast = sequence.get();
  Ref<> space;
  if (separator && !PyUnicode_Check(separator)) {
    PyErr_Format(PyExc_TypeError, "separator: expected str instance, %.80s found",
                 Py_TYPE(separator)->tp_name);
    return nullptr;
  }
  if (!separator) separator = latin1_char(' ');
  // Nothing below runs Python code, so the list cannot change under the lock.
  ObjectLock lock(fast);
  return str_join_array(separator, PySequence_Fast_ITEMS(fast), PySequence_Fast_GET_SIZE(fast));
}

}  // extern "C"
