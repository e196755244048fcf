// Padding and tabs: center, ljust, rjust, zfill, expandtabs.
#include "objects/str.h"
#include "objects/str_args.h"
#include "objects/str_methods.h"
#include "objects/str_writer.h"

namespace amphis {
namespace {

PyObject* pad(PyObject* self, Py_ssize_t left, Py_ssize_t right, Py_UCS4 fill) {
  if (left < 0) left = 0;
  if (right < 0) right = 0;
  if (left == 0 && right == 0) return str_exact(self);
  StrView s(self);
  if (left > PY_SSIZE_T_MAX - s.length || right > PY_SSIZE_T_MAX - (left + s.length)) {
    PyErr_SetString(PyExc_OverflowError, "padded string is too long");
    return nullptr;
  }
  PyObject* result = PyUnicode_New(left + s.length + right, s.max_char() > fill ? s.max_char() : fill);
  if (!result) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(result));
  void* data = PyUnicode_DATA(result);
  fill_chars(kind, data, 0, left, fill);
  copy_chars_to(kind, data, left, s.kind, s.data, 0, s.length);
  fill_chars(kind, data, left + s.length, right, fill);
  return result;
}

bool width_and_fill(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* width,
                    Py_UCS4* fill) {
  if (!check_str_positional(name, nargs, 1, 2)) return false;
  *width = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
  if (*width == -1 && PyErr_Occurred()) return false;
  *fill = ' ';
  if (nargs < 2) return true;
  if (!PyUnicode_Check(args[1])) {
    PyErr_Format(PyExc_TypeError, "The fill character must be a unicode character, not %.100s",
                 Py_TYPE(args[1])->tp_name);
    return false;
  }
  if (PyUnicode_GET_LENGTH(args[1]) != 1) {
    PyErr_SetString(PyExc_TypeError, "The fill character must be exactly one character long");
    return false;
  }
  *fill = PyUnicode_READ_CHAR(args[1], 0);
  return true;
}

}  // namespace

PyObject* str_m_center(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t width;
  Py_UCS4 fill;
  if (!width_and_fill("center", args, nargs, &width, &fill)) return nullptr;
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (n >= width) return str_exact(s);
  Py_ssize_t margin = width - n;
  Py_ssize_t left = margin / 2 + (margin & width & 1);
  return pad(s, left, margin - left, fill);
}

PyObject* str_m_ljust(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t width;
  Py_UCS4 fill;
  if (!width_and_fill("ljust", args, nargs, &width, &fill)) return nullptr;
  return pad(s, 0, width - PyUnicode_GET_LENGTH(s), fill);
}

PyObject* str_m_rjust(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t width;
  Py_UCS4 fill;
  if (!width_and_fill("rjust", args, nargs, &width, &fill)) return nullptr;
  return pad(s, width - PyUnicode_GET_LENGTH(s), 0, fill);
}

PyObject* str_m_zfill(PyObject* s, PyObject* width_argument) {
  Py_ssize_t width = PyNumber_AsSsize_t(width_argument, PyExc_OverflowError);
  if (width == -1 && PyErr_Occurred()) return nullptr;
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (n >= width) return str_exact(s);
  PyObject* result = pad(s, width - n, 0, '0');
  if (!result || n == 0) return result;
  Py_UCS4 first = PyUnicode_READ_CHAR(s, 0);
  if (first == '+' || first == '-') {
    int kind = static_cast<int>(PyUnicode_KIND(result));
    PyUnicode_WRITE(kind, PyUnicode_DATA(result), 0, first);
    PyUnicode_WRITE(kind, PyUnicode_DATA(result), width - n, '0');
  }
  return result;
}

PyObject* str_m_expandtabs(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const kNames[] = {"tabsize"};
  PyObject* a[1];
  if (!bind_str_arguments({"expandtabs", kNames, 0, 0, 1}, args, nargs, kwnames, a)) return nullptr;
  int size = 8;
  if (a[0]) {
    size = PyLong_AsInt(a[0]);
    if (size == -1 && PyErr_Occurred()) return nullptr;
  }
  StrView s(self);
  if (PyUnicode_FindChar(self, '\t', 0, s.length, 1) < 0) return str_exact(self);
  StrWriter out(s.length + 16);
  Py_ssize_t column = 0, start = 0;
  for (Py_ssize_t i = 0; i < s.length; i++) {
    Py_UCS4 ch = s[i];
    if (ch == '\t') {
      if (!out.put_slice(self, start, i)) return nullptr;
      start = i + 1;
      if (size > 0) {
        Py_ssize_t gap = size - column % size;
        if (out.size() > PY_SSIZE_T_MAX - gap) {
          PyErr_SetString(PyExc_OverflowError, "new string is too long");
          return nullptr;
        }
        if (!out.put_fill(' ', gap)) return nullptr;
        column += gap;
      }
    } else {
      column++;
      if (ch == '\n' || ch == '\r') column = 0;
    }
  }
  return out.put_slice(self, start, s.length) ? out.finish() : nullptr;
}

}  // namespace amphis
