// find, index, count, startswith and their relatives, and the C API of search.
#include "objects/str_find.h"

#include "objects/str_search.h"

namespace amphis {

bool slice_index(PyObject* o, Py_ssize_t* value) {
  if (o == Py_None) return true;
  if (!PyIndex_Check(o)) {
    PyErr_SetString(PyExc_TypeError, "slice indices must be integers or None or have an __index__ method");
    return false;
  }
  Py_ssize_t i = PyNumber_AsSsize_t(o, nullptr);
  if (i == -1 && PyErr_Occurred()) return false;
  *value = i;
  return true;
}

Py_ssize_t str_find_char(const StrView& hay, Py_UCS4 ch, Py_ssize_t start, Py_ssize_t end, bool from_right) {
  if (start >= end || ch > hay.max_char()) return -1;
  return with_chars(hay, [&](auto* data) -> Py_ssize_t {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(data)>>;
    const Ch* hit = from_right ? search::rfind_char(data + start, data + end, static_cast<Ch>(ch))
                               : search::find_char(data + start, data + end, static_cast<Ch>(ch));
    return hit ? hit - data : -1;
  });
}

Py_ssize_t str_find(PyObject* hay, PyObject* needle, Py_ssize_t start, Py_ssize_t end, bool from_right) {
  StrView h(hay), s(needle);
  clamp_range(&start, &end, h.length);
  if (end - start < s.length) return -1;
  if (s.length == 1) return str_find_char(h, s[0], start, end, from_right);
  if (s.kind > h.kind || (h.ascii && !s.ascii)) return -1;
  Needle wide(s, h.kind);
  if (wide.failed()) return -2;
  return with_chars(h, [&](auto* data) -> Py_ssize_t {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(data)>>;
    Py_ssize_t at = from_right ? search::rfind(data + start, end - start, wide.as<Ch>(), s.length)
                               : search::find(data + start, end - start, wide.as<Ch>(), s.length);
    return at < 0 ? -1 : at + start;
  });
}

Py_ssize_t str_count(PyObject* hay, PyObject* needle, Py_ssize_t start, Py_ssize_t end) {
  StrView h(hay), s(needle);
  clamp_range(&start, &end, h.length);
  if (end - start < s.length) return 0;
  if (s.kind > h.kind || (h.ascii && !s.ascii)) return 0;
  Needle wide(s, h.kind);
  if (wide.failed()) return -1;
  return with_chars(h, [&](auto* data) -> Py_ssize_t {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(data)>>;
    return search::count(data + start, end - start, wide.as<Ch>(), s.length, PY_SSIZE_T_MAX);
  });
}

bool str_tail_match(PyObject* hay, PyObject* affix, Py_ssize_t start, Py_ssize_t end, bool at_end) {
  StrView h(hay), a(affix);
  clamp_range(&start, &end, h.length);
  end -= a.length;
  if (end < start) return false;
  if (a.length == 0) return true;
  if (a.kind > h.kind) return false;
  Py_ssize_t at = at_end ? end : start;
  if (h[at] != a[0] || h[at + a.length - 1] != a[a.length - 1]) return false;
  if (h.kind == a.kind) return memcmp(h.at(at), a.data, static_cast<size_t>(a.length) * a.kind) == 0;
  for (Py_ssize_t i = 1; i < a.length; i++) {
    if (h[at + i] != a[i]) return false;
  }
  return true;
}

namespace {

// find(sub[, start[, end]]): the arguments that five methods share.
bool find_arguments(const char* method, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* start,
                    Py_ssize_t* end) {
  *start = 0;
  *end = PY_SSIZE_T_MAX;
  if (nargs < 1 || nargs > 3) {
    PyErr_Format(
        PyExc_TypeError,
        nargs < 1 ? "%s expected at least 1 argument, got %zd" : "%s expected at most 3 arguments, got %zd",
        method, nargs);
    return false;
  }
  return (nargs < 2 || slice_index(args[1], start)) && (nargs < 3 || slice_index(args[2], end));
}

bool needle_argument(const char* method, PyObject* o) {
  if (PyUnicode_Check(o)) return true;
  PyErr_Format(PyExc_TypeError, "%s() argument 1 must be str, not %.50s", method,
               o == Py_None ? "None" : Py_TYPE(o)->tp_name);
  return false;
}

// -2: exception.
Py_ssize_t find_method(const char* method, PyObject* s, PyObject* const* args, Py_ssize_t nargs,
                       bool from_right) {
  Py_ssize_t start, end;
  if (nargs >= 1 && nargs <= 3 && !needle_argument(method, args[0])) return -2;
  if (!find_arguments(method, args, nargs, &start, &end)) return -2;
  return str_find(s, args[0], start, end, from_right);
}

PyObject* index_method(const char* method, PyObject* s, PyObject* const* args, Py_ssize_t nargs,
                       bool from_right) {
  Py_ssize_t at = find_method(method, s, args, nargs, from_right);
  if (at >= 0) return PyLong_FromSsize_t(at);
  if (at == -1) PyErr_SetString(PyExc_ValueError, "substring not found");
  return nullptr;
}

PyObject* affix_method(const char* method, PyObject* s, PyObject* const* args, Py_ssize_t nargs,
                       bool at_end) {
  Py_ssize_t start, end;
  if (!find_arguments(method, args, nargs, &start, &end)) return nullptr;
  PyObject* affix = args[0];
  if (PyUnicode_Check(affix)) return PyBool_FromLong(str_tail_match(s, affix, start, end, at_end));
  if (!PyTuple_Check(affix)) {
    PyErr_Format(PyExc_TypeError, "%s first arg must be str or a tuple of str, not %.100s", method,
                 Py_TYPE(affix)->tp_name);
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(affix); i++) {
    PyObject* one = PyTuple_GET_ITEM(affix, i);
    if (!PyUnicode_Check(one)) {
      PyErr_Format(PyExc_TypeError, "tuple for %s must only contain str, not %.100s", method,
                   Py_TYPE(one)->tp_name);
      return nullptr;
    }
    if (str_tail_match(s, one, start, end, at_end)) Py_RETURN_TRUE;
  }
  Py_RETURN_FALSE;
}

bool affix_argument(const char* method, PyObject* o) {
  if (PyUnicode_Check(o)) return true;
  PyErr_Format(PyExc_TypeError, "%s() argument must be str, not %.50s", method,
               o == Py_None ? "None" : Py_TYPE(o)->tp_name);
  return false;
}

}  // namespace

PyObject* str_m_find(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t at = find_method("find", s, args, nargs, false);
  return at == -2 ? nullptr : PyLong_FromSsize_t(at);
}
PyObject* str_m_rfind(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t at = find_method("rfind", s, args, nargs, true);
  return at == -2 ? nullptr : PyLong_FromSsize_t(at);
}
PyObject* str_m_index(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return index_method("index", s, args, nargs, false);
}
PyObject* str_m_rindex(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return index_method("rindex", s, args, nargs, true);
}
PyObject* str_m_count(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t start, end;
  if (nargs >= 1 && nargs <= 3 && !needle_argument("count", args[0])) return nullptr;
  if (!find_arguments("count", args, nargs, &start, &end)) return nullptr;
  Py_ssize_t n = str_count(s, args[0], start, end);
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}
PyObject* str_m_startswith(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return affix_method("startswith", s, args, nargs, false);
}
PyObject* str_m_endswith(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return affix_method("endswith", s, args, nargs, true);
}
PyObject* str_m_removeprefix(PyObject* s, PyObject* prefix) {
  if (!affix_argument("removeprefix", prefix)) return nullptr;
  if (!str_tail_match(s, prefix, 0, PY_SSIZE_T_MAX, false)) return str_exact(s);
  return str_slice(s, PyUnicode_GET_LENGTH(prefix), PyUnicode_GET_LENGTH(s));
}
PyObject* str_m_removesuffix(PyObject* s, PyObject* suffix) {
  if (!affix_argument("removesuffix", suffix)) return nullptr;
  if (!str_tail_match(s, suffix, 0, PY_SSIZE_T_MAX, true)) return str_exact(s);
  return str_slice(s, 0, PyUnicode_GET_LENGTH(s) - PyUnicode_GET_LENGTH(suffix));
}

}  // namespace amphis

using namespace amphis;

extern "C" {

Py_ssize_t PyUnicode_Find(PyObject* s, PyObject* sub, Py_ssize_t start, Py_ssize_t end, int direction) {
  if (!require_str(s) || !require_str(sub)) return -2;
  return str_find(s, sub, start, end, direction < 0);
}

Py_ssize_t PyUnicode_FindChar(PyObject* s, Py_UCS4 ch, Py_ssize_t start, Py_ssize_t end, int direction) {
  StrView view(s);
  clamp_range(&start, &end, view.length);
  return str_find_char(view, ch, start, end, direction < 0);
}

Py_ssize_t PyUnicode_Count(PyObject* s, PyObject* sub, Py_ssize_t start, Py_ssize_t end) {
  if (!require_str(s) || !require_str(sub)) return -1;
  return str_count(s, sub, start, end);
}

Py_ssize_t PyUnicode_Tailmatch(PyObject* s, PyObject* sub, Py_ssize_t start, Py_ssize_t end, int direction) {
  if (!require_str(s) || !require_str(sub)) return -1;
  return str_tail_match(s, sub, start, end, direction > 0);
}

int PyUnicode_Contains(PyObject* s, PyObject* sub) {
  if (!PyUnicode_Check(sub)) {
    PyErr_Format(PyExc_TypeError, "'in <string>' requires string as left operand, not %.100s",
                 Py_TYPE(sub)->tp_name);
    return -1;
  }
  if (!require_str(s)) return -1;
  Py_ssize_t at = str_find(s, sub, 0, PY_SSIZE_T_MAX, false);
  return at == -2 ? -1 : at >= 0;
}

}  // extern "C"
