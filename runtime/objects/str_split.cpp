// split, rsplit, splitlines, partition and strip.
#include "objects/str.h"
#include "objects/str_args.h"
#include "objects/str_find.h"
#include "objects/str_methods.h"
#include "objects/str_search.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// Collects pieces before the list is made, so that the list gets its exact size at once.
class Pieces {
 public:
  explicit Pieces(PyObject* source) : source_(source) {}
  ~Pieces() {
    for (Py_ssize_t i = 0; i < size_; i++) Py_DECREF(items_[i]);
    if (items_ != small_) PyMem_Free(items_);
  }
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  bool add(Py_ssize_t start, Py_ssize_t end) {
    PyObject* piece = str_slice(source_, start, end);
    return piece && push(piece);
  }
  Py_ssize_t size() const { return size_; }

  PyObject* to_list(bool backwards) {
    PyObject* list = PyList_New(size_);
    if (!list) return nullptr;
    for (Py_ssize_t i = 0; i < size_; i++) PyList_SET_ITEM(list, backwards ? size_ - 1 - i : i, items_[i]);
    size_ = 0;
    return list;
  }

 private:
  bool push(PyObject* piece) {
    if (size_ == capacity_) {
      Py_ssize_t bigger = capacity_ * 2;
      PyObject** items = static_cast<PyObject**>(PyMem_Realloc(
          items_ == small_ ? nullptr : items_, static_cast<size_t>(bigger) * sizeof(PyObject*)));
      if (!items) {
        Py_DECREF(piece);
        PyErr_NoMemory();
        return false;
      }
      if (items_ == small_) memcpy(items, small_, sizeof small_);
      items_ = items;
      capacity_ = bigger;
    }
    items_[size_++] = piece;
    return true;
  }

  PyObject* source_;
  PyObject* small_[32];
  PyObject** items_ = small_;
  Py_ssize_t size_ = 0;
  Py_ssize_t capacity_ = 32;
};

template <class Ch>
inline bool is_space(Ch ch) {
  return Py_UNICODE_ISSPACE(ch) != 0;
}

template <class Ch>
bool split_space(Pieces& out, const Ch* p, Py_ssize_t n, Py_ssize_t limit) {
  Py_ssize_t i = 0;
  for (;;) {
    while (i < n && is_space(p[i])) i++;
    if (i == n) return true;
    Py_ssize_t start = i;
    if (out.size() == limit) return out.add(start, n);
    while (i < n && !is_space(p[i])) i++;
    if (!out.add(start, i)) return false;
  }
}

template <class Ch>
bool rsplit_space(Pieces& out, const Ch* p, Py_ssize_t n, Py_ssize_t limit) {
  for (;;) {
    while (n > 0 && is_space(p[n - 1])) n--;
    if (n == 0) return true;
    Py_ssize_t end = n;
    if (out.size() == limit) return out.add(0, end);
    while (n > 0 && !is_space(p[n - 1])) n--;
    if (!out.add(n, end)) return false;
  }
}

template <class Ch>
bool split_by(Pieces& out, const Ch* p, Py_ssize_t n, const Ch* s, Py_ssize_t m, Py_ssize_t limit) {
  Py_ssize_t start = 0;
  while (out.size() < limit) {
    Py_ssize_t at;
    if (m == 1) {
      const Ch* hit = search::find_char(p + start, p + n, s[0]);
      at = hit ? hit - p : -1;
    } else {
      at = search::find(p + start, n - start, s, m);
      if (at >= 0) at += start;
    }
    if (at < 0) break;
    if (!out.add(start, at)) return false;
    start = at + m;
  }
  return out.add(start, n);
}

template <class Ch>
bool rsplit_by(Pieces& out, const Ch* p, Py_ssize_t n, const Ch* s, Py_ssize_t m, Py_ssize_t limit) {
  Py_ssize_t end = n;
  while (out.size() < limit) {
    Py_ssize_t at = search::rfind(p, end, s, m);
    if (at < 0) break;
    if (!out.add(at + m, end)) return false;
    end = at;
  }
  return out.add(0, end);
}

PyObject* split(PyObject* self, PyObject* separator, Py_ssize_t limit, bool from_right) {
  if (limit < 0) limit = PY_SSIZE_T_MAX;
  StrView s(self);
  Pieces out(self);
  bool ok;
  if (!separator) {
    ok = with_chars(s, [&](auto* p) {
      return from_right ? rsplit_space(out, p, s.length, limit) : split_space(out, p, s.length, limit);
    });
  } else {
    StrView sep(separator);
    if (sep.length == 0) {
      PyErr_SetString(PyExc_ValueError, "empty separator");
      return nullptr;
    }
    if (sep.kind > s.kind || sep.length > s.length || (s.ascii && !sep.ascii)) {
      ok = out.add(0, s.length);
    } else {
      Needle needle(sep, s.kind);
      if (needle.failed()) return nullptr;
      ok = with_chars(s, [&](auto* p) {
        using Ch = std::remove_const_t<std::remove_pointer_t<decltype(p)>>;
        return from_right ? rsplit_by(out, p, s.length, needle.as<Ch>(), sep.length, limit)
                          : split_by(out, p, s.length, needle.as<Ch>(), sep.length, limit);
      });
    }
  }
  return ok ? out.to_list(from_right) : nullptr;
}

PyObject* split_method(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                       PyObject* kwnames, bool from_right) {
  static const char* const kNames[] = {"sep", "maxsplit"};
  PyObject* a[2];
  if (!bind_str_arguments({name, kNames, 0, 0, 2}, args, nargs, kwnames, a)) return nullptr;
  Py_ssize_t limit = -1;
  if (a[1]) {
    limit = PyNumber_AsSsize_t(a[1], PyExc_OverflowError);
    if (limit == -1 && PyErr_Occurred()) return nullptr;
  }
  PyObject* separator = a[0];
  if (!separator || separator == Py_None) return split(self, nullptr, limit, from_right);
  if (!PyUnicode_Check(separator)) {
    PyErr_Format(PyExc_TypeError, "must be str or None, not %.100s", Py_TYPE(separator)->tp_name);
    return nullptr;
  }
  return split(self, separator, limit, from_right);
}

template <class Ch>
bool split_lines(Pieces& out, const Ch* p, Py_ssize_t n, bool keep_ends) {
  for (Py_ssize_t i = 0; i < n;) {
    Py_ssize_t start = i;
    while (i < n && !(p[i] < 0x20 || p[i] >= 0x7F ? _PyUnicode_IsLinebreak(p[i]) : 0)) i++;
    Py_ssize_t end = i;
    if (i < n) {
      i += p[i] == '\r' && i + 1 < n && p[i + 1] == '\n' ? 2 : 1;
      if (keep_ends) end = i;
    }
    if (!out.add(start, end)) return false;
  }
  return true;
}

PyObject* partition(PyObject* self, PyObject* separator, bool from_right) {
  if (!require_str(self) || !require_str(separator)) return nullptr;
  Py_ssize_t m = PyUnicode_GET_LENGTH(separator), n = PyUnicode_GET_LENGTH(self);
  if (m == 0) {
    PyErr_SetString(PyExc_ValueError, "empty separator");
    return nullptr;
  }
  Py_ssize_t at = str_find(self, separator, 0, PY_SSIZE_T_MAX, from_right);
  if (at == -2) return nullptr;
  PyObject* parts[3];
  if (at < 0) {
    PyObject* whole = str_exact(self);
    if (!whole) return nullptr;
    parts[0] = from_right ? empty_str() : whole;
    parts[1] = empty_str();
    parts[2] = from_right ? whole : empty_str();
  } else {
    parts[0] = str_slice(self, 0, at);
    parts[1] = Py_NewRef(separator);
    parts[2] = str_slice(self, at + m, n);
  }
  PyObject* tuple = parts[0] && parts[2] ? PyTuple_New(3) : nullptr;
  if (!tuple) {
    for (PyObject* part : parts) Py_XDECREF(part);
    return nullptr;
  }
  for (int i = 0; i < 3; i++) PyTuple_SET_ITEM(tuple, i, parts[i]);
  return tuple;
}

enum Sides { kLeft = 1, kRight = 2 };

PyObject* strip_where(PyObject* self, int sides, auto&& drop) {
  StrView s(self);
  Py_ssize_t start = 0, end = s.length;
  with_chars(s, [&](auto* p) {
    if (sides & kLeft) {
      while (start < end && drop(p[start])) start++;
    }
    if (sides & kRight) {
      while (end > start && drop(p[end - 1])) end--;
    }
  });
  return str_slice(self, start, end);
}

PyObject* strip(PyObject* self, int sides, const char* name, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_str_positional(name, nargs, 0, 1)) return nullptr;
  if (nargs == 0 || args[0] == Py_None) {
    return strip_where(self, sides, [](Py_UCS4 ch) { return Py_UNICODE_ISSPACE(ch); });
  }
  if (!PyUnicode_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "%s arg must be None or str", name);
    return nullptr;
  }
  StrView chars(args[0]);
  if (chars.length == 1) {
    Py_UCS4 only = chars[0];
    return strip_where(self, sides, [only](Py_UCS4 ch) { return ch == only; });
  }
  uint64_t low[4] = {0, 0, 0, 0};
  bool any_high = false;
  for (Py_ssize_t i = 0; i < chars.length; i++) {
    Py_UCS4 ch = chars[i];
    if (ch < 256) {
      low[ch >> 6] |= uint64_t{1} << (ch & 63);
    } else {
      any_high = true;
    }
  }
  return strip_where(self, sides, [&](Py_UCS4 ch) {
    if (ch < 256) return (low[ch >> 6] >> (ch & 63) & 1) != 0;
    return any_high && str_find_char(chars, ch, 0, chars.length, false) >= 0;
  });
}

}  // namespace

PyObject* str_m_split(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return split_method("split", s, args, nargs, kwnames, false);
}
PyObject* str_m_rsplit(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return split_method("rsplit", s, args, nargs, kwnames, true);
}

PyObject* str_m_splitlines(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const kNames[] = {"keepends"};
  PyObject* a[1];
  if (!bind_str_arguments({"splitlines", kNames, 0, 0, 1}, args, nargs, kwnames, a)) return nullptr;
  int keep_ends = a[0] ? PyObject_IsTrue(a[0]) : 0;
  return keep_ends < 0 ? nullptr : PyUnicode_Splitlines(s, keep_ends);
}

PyObject* str_m_partition(PyObject* s, PyObject* separator) {
  return partition(s, separator, false);
}
PyObject* str_m_rpartition(PyObject* s, PyObject* separator) {
  return partition(s, separator, true);
}

PyObject* str_m_strip(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return strip(s, kLeft | kRight, "strip", args, nargs);
}
PyObject* str_m_lstrip(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return strip(s, kLeft, "lstrip", args, nargs);
}
PyObject* str_m_rstrip(PyObject* s, PyObject* const* args, Py_ssize_t nargs) {
  return strip(s, kRight, "rstrip", args, nargs);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_Split(PyObject* s, PyObject* separator, Py_ssize_t limit) {
  if (!require_str(s) || (separator && !require_str(separator))) return nullptr;
  return split(s, separator, limit, false);
}

PyObject* PyUnicode_RSplit(PyObject* s, PyObject* separator, Py_ssize_t limit) {
  if (!require_str(s) || (separator && !require_str(separator))) return nullptr;
  return split(s, separator, limit, true);
}

PyObject* PyUnicode_Splitlines(PyObject* self, int keep_ends) {
  if (!require_str(self)) return nullptr;
  StrView s(self);
  Pieces out(self);
  bool ok = with_chars(s, [&](auto* p) { return split_lines(out, p, s.length, keep_ends != 0); });
  return ok ? out.to_list(false) : nullptr;
}

PyObject* PyUnicode_Partition(PyObject* s, PyObject* separator) {
  return partition(s, separator, false);
}
PyObject* PyUnicode_RPartition(PyObject* s, PyObject* separator) {
  return partition(s, separator, true);
}

}  // extern "C"
