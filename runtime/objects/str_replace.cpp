// replace, translate and maketrans.
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/str_args.h"
#include "objects/str_find.h"
#include "objects/str_methods.h"
#include "objects/str_search.h"
#include "objects/str_writer.h"
#include "sync/ref.h"

namespace amphis {
namespace {

// The same text in the narrowest form; takes over s. For results whose widest character may have gone.
PyObject* narrowed(PyObject* s) {
  StrView view(s);
  if (view.ascii) return s;
  Py_UCS4 used = max_char_class(view.kind, view.data, view.length);
  if (used >= view.max_char()) return s;
  PyObject* narrow = PyUnicode_New(view.length, used);
  if (narrow) copy_chars(narrow, 0, s, 0, view.length);
  Py_DECREF(s);
  return narrow;
}

PyObject* replace_char(PyObject* self, Py_UCS4 old_char, Py_UCS4 new_char, Py_ssize_t limit) {
  StrView s(self);
  Py_ssize_t at = str_find_char(s, old_char, 0, s.length, false);
  if (at < 0) return str_exact(self);
  Py_UCS4 max_char = s.max_char();
  if (new_char > max_char) max_char = new_char;
  PyObject* result = PyUnicode_New(s.length, max_char);
  if (!result) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(result));
  void* data = PyUnicode_DATA(result);
  copy_chars_to(kind, data, 0, s.kind, s.data, 0, s.length);
  with_chars(kind, data, [&](auto* p) {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(p)>>;
    Ch* q = const_cast<Ch*>(p) + at;
    const Ch from = static_cast<Ch>(old_char), to = static_cast<Ch>(new_char);
    const Py_ssize_t n = s.length - at;
    Py_ssize_t left = limit;
    if (left >= n) {
      for (Py_ssize_t i = 0; i < n; i++) q[i] = q[i] == from ? to : q[i];
    } else {
      for (Py_ssize_t i = 0; i < n && left > 0; i++) {
        if (q[i] == from) {
          q[i] = to;
          left--;
        }
      }
    }
  });
  return old_char > 0x7F && new_char < old_char ? narrowed(result) : result;
}

// Inserts the new text before every character and at the end, at most `limit` times.
PyObject* interleave(PyObject* self, PyObject* with, Py_ssize_t limit) {
  StrView s(self), w(with);
  Py_ssize_t times = limit <= s.length ? limit : s.length + 1;
  if (w.length == 0 || times == 0) return str_exact(self);
  if (w.length > (PY_SSIZE_T_MAX - s.length) / times) {
    PyErr_SetString(PyExc_OverflowError, "replace string is too long");
    return nullptr;
  }
  StrWriter out(s.length + times * w.length);
  for (Py_ssize_t i = 0; i < times; i++) {
    if (!out.put_str(with)) return nullptr;
    if (i < s.length && !out.put_slice(self, i, i + 1)) return nullptr;
  }
  if (times < s.length && !out.put_slice(self, times, s.length)) return nullptr;
  return out.finish();
}

PyObject* replace(PyObject* self, PyObject* old_text, PyObject* new_text, Py_ssize_t limit) {
  StrView s(self), o(old_text), w(new_text);
  if (limit < 0) limit = PY_SSIZE_T_MAX;
  if (limit == 0 || s.length < o.length) return str_exact(self);
  if (o.length == 0) return interleave(self, new_text, limit);
  if (o.kind > s.kind || (s.ascii && !o.ascii)) return str_exact(self);
  if (o.length == w.length && str_equal(old_text, new_text)) return str_exact(self);
  if (o.length == 1 && w.length == 1) return replace_char(self, o[0], w[0], limit);

  Needle needle(o, s.kind);
  if (needle.failed()) return nullptr;
  Py_ssize_t times = with_chars(s, [&](auto* p) {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(p)>>;
    return search::count(p, s.length, needle.as<Ch>(), o.length, limit);
  });
  if (times == 0) return str_exact(self);
  Py_ssize_t kept = s.length - times * o.length;
  if (w.length > 0 && w.length > (PY_SSIZE_T_MAX - kept) / times) {
    PyErr_SetString(PyExc_OverflowError, "replace string is too long");
    return nullptr;
  }
  Py_ssize_t total = kept + times * w.length;
  if (total == 0) return empty_str();
  Py_UCS4 max_char = s.max_char() > w.max_char() ? s.max_char() : w.max_char();
  PyObject* result = PyUnicode_New(total, max_char);
  if (!result) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(result));
  void* data = PyUnicode_DATA(result);
  with_chars(s, [&](auto* p) {
    using Ch = std::remove_const_t<std::remove_pointer_t<decltype(p)>>;
    Py_ssize_t from = 0, to = 0;
    for (Py_ssize_t i = 0; i < times; i++) {
      Py_ssize_t gap = search::find(p + from, s.length - from, needle.as<Ch>(), o.length);
      copy_chars_to(kind, data, to, s.kind, s.data, from, gap);
      to += gap;
      copy_chars_to(kind, data, to, w.kind, w.data, 0, w.length);
      to += w.length;
      from += gap + o.length;
    }
    copy_chars_to(kind, data, to, s.kind, s.data, from, s.length - from);
  });
  return o.max_char() > w.max_char() ? narrowed(result) : result;
}

// What a translation table says about one character.
enum class Mapped { kError, kSame, kNothing, kChar, kText };

struct Lookup {
  Mapped what = Mapped::kError;
  Py_UCS4 ch = 0;
  Ref<> text;
};

Lookup look_up(PyObject* table, Py_UCS4 ch) {
  Lookup found;
  Ref<> key = Ref<>::steal(PyLong_FromLong(static_cast<long>(ch)));
  if (!key) return found;
  Ref<> value;
  if (PyDict_CheckExact(table)) {
    PyObject* item;
    int there = PyDict_GetItemRef(table, key.get(), &item);
    if (there < 0) return found;
    if (there == 0) {
      found.what = Mapped::kSame;
      return found;
    }
    value = Ref<>::steal(item);
  } else {
    value = Ref<>::steal(PyObject_GetItem(table, key.get()));
    if (!value) {
      if (PyErr_ExceptionMatches(PyExc_LookupError)) {
        PyErr_Clear();
        found.what = Mapped::kSame;
      }
      return found;
    }
  }
  PyObject* v = value.get();
  if (v == Py_None) {
    found.what = Mapped::kNothing;
  } else if (PyLong_Check(v)) {
    long code = PyLong_AsLong(v);
    if (code < 0 || code > static_cast<long>(kMaxCodePoint)) {
      PyErr_Format(PyExc_ValueError, "character mapping must be in range(0x%x)",
                   static_cast<unsigned>(kMaxCodePoint + 1));
      return found;
    }
    found.what = Mapped::kChar;
    found.ch = static_cast<Py_UCS4>(code);
  } else if (PyUnicode_Check(v)) {
    if (PyUnicode_GET_LENGTH(v) == 1) {
      found.what = Mapped::kChar;
      found.ch = PyUnicode_READ_CHAR(v, 0);
    } else {
      found.what = Mapped::kText;
      found.text = static_cast<Ref<>&&>(value);
    }
  } else {
    PyErr_SetString(PyExc_TypeError, "character mapping must return integer, None or str");
  }
  return found;
}

// Lets an error handler decide about [start, stop). Returns where to go on, or -1.
Py_ssize_t report_untranslatable(StrWriter& out, PyObject* s, Py_ssize_t start, Py_ssize_t stop,
                                 const char* errors) {
  Ref<> error = Ref<>::steal(PyObject_CallFunction(PyExc_UnicodeTranslateError, "Onns", s, start, stop,
                                                   "character maps to <undefined>"));
  if (!error) return -1;
  Ref<> handler = Ref<>::steal(PyCodec_LookupError(errors));
  if (!handler) return -1;
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(handler.get(), error.get()));
  if (!result) return -1;
  PyObject* text;
  Py_ssize_t next;
  if (!PyTuple_Check(result.get())) {
    PyErr_SetString(PyExc_TypeError, "translating error handler must return (str, int) tuple");
    return -1;
  }
  if (!PyArg_ParseTuple(result.get(), "O!n;translating error handler must return (str, int) tuple",
                        &PyUnicode_Type, &text, &next)) {
    return -1;
  }
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (next < 0) next += n;
  if (next < 0 || next > n) {
    PyErr_Format(PyExc_IndexError, "position %zd from error handler out of bounds", next);
    return -1;
  }
  return out.put_str(text) ? next : -1;
}

PyObject* translate(PyObject* self, PyObject* table, const char* errors) {
  StrView s(self);
  if (s.length == 0) return str_exact(self);
  bool ignore = error_mode(errors) == ErrorMode::kIgnore;
  // What the table said about ASCII characters: 0..127 that character, else one of these.
  constexpr short kUnknown = -1, kDropped = -2, kOther = -3;
  short known[128];
  for (short& k : known) k = kUnknown;
  StrWriter out(s.length);
  if (!out.prepare(s.length, 0x7F)) return nullptr;
  for (Py_ssize_t i = 0; i < s.length;) {
    Py_UCS4 ch = s[i];
    if (ch < 128) {
      short k = known[ch];
      if (k >= 0 && s.ascii && out.raw()->kind == 1) {
        // A stretch of characters that the table has answered for already.
        const Py_UCS1* from = static_cast<const Py_UCS1*>(s.data);
        _PyUnicodeWriter* w = out.raw();
        Py_UCS1* to = static_cast<Py_UCS1*>(w->data) + w->pos;
        Py_ssize_t room = w->size - w->pos, n = s.length - i;
        if (n > room) n = room;
        Py_ssize_t done = 0;
        for (; done < n && (k = known[from[i + done]]) >= 0; done++) to[done] = static_cast<Py_UCS1>(k);
        w->pos += done;
        i += done;
        if (done) continue;
        k = known[ch];
      }
      if (k >= 0) {
        if (!out.put(static_cast<Py_UCS4>(k))) return nullptr;
        i++;
        continue;
      }
      if (k == kDropped) {
        i++;
        continue;
      }
    }
    Lookup found = look_up(table, ch);
    short remember = kOther;
    switch (found.what) {
      case Mapped::kError:
        return nullptr;
      case Mapped::kSame:
        found.ch = ch;
        [[fallthrough]];
      case Mapped::kChar:
        if (!out.put(found.ch)) return nullptr;
        if (found.ch < 128) remember = static_cast<short>(found.ch);
        i++;
        break;
      case Mapped::kText:
        if (!out.put_str(found.text.get())) return nullptr;
        i++;
        break;
      case Mapped::kNothing:
        if (ignore) {
          remember = kDropped;
          i++;
          break;
        }
        i = report_untranslatable(out, self, i, i + 1, errors);
        if (i < 0) return nullptr;
        continue;
    }
    if (ch < 128) known[ch] = remember;
  }
  return out.finish();
}

}  // namespace

PyObject* str_m_replace(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const kNames[] = {"", "", "count"};
  PyObject* a[3];
  if (!bind_str_arguments({"replace", kNames, 2, 2, 3}, args, nargs, kwnames, a)) return nullptr;
  for (int i = 0; i < 2; i++) {
    if (!PyUnicode_Check(a[i])) {
      bad_argument("replace", i == 0 ? "argument 1" : "argument 2", "str", a[i]);
      return nullptr;
    }
  }
  Py_ssize_t limit = -1;
  if (a[2]) {
    limit = PyNumber_AsSsize_t(a[2], PyExc_OverflowError);
    if (limit == -1 && PyErr_Occurred()) return nullptr;
  }
  return replace(s, a[0], a[1], limit);
}

PyObject* str_m_translate(PyObject* s, PyObject* table) {
  return translate(s, table, "ignore");
}

PyObject* str_m_maketrans(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_str_positional("maketrans", nargs, 1, 3)) return nullptr;
  for (Py_ssize_t i = 1; i < nargs; i++) {
    if (!PyUnicode_Check(args[i])) {
      bad_argument("maketrans", i == 1 ? "argument 2" : "argument 3", "str", args[i]);
      return nullptr;
    }
  }
  Ref<> table = Ref<>::steal(PyDict_New());
  if (!table) return nullptr;
  auto set = [&](Py_UCS4 from, PyObject* to) {
    Ref<> key = Ref<>::steal(PyLong_FromLong(static_cast<long>(from)));
    return key && to && PyDict_SetItem(table.get(), key.get(), to) == 0;
  };
  if (nargs >= 2) {
    if (!PyUnicode_Check(args[0])) {
      PyErr_SetString(PyExc_TypeError,
                      "first maketrans argument must be a string if there is a second argument");
      return nullptr;
    }
    StrView x(args[0]), y(args[1]);
    if (x.length != y.length) {
      PyErr_SetString(PyExc_ValueError, "the first two maketrans arguments must have equal length");
      return nullptr;
    }
    for (Py_ssize_t i = 0; i < x.length; i++) {
      Ref<> value = Ref<>::steal(PyLong_FromLong(static_cast<long>(y[i])));
      if (!set(x[i], value.get())) return nullptr;
    }
    if (nargs == 3) {
      StrView z(args[2]);
      for (Py_ssize_t i = 0; i < z.length; i++) {
        if (!set(z[i], Py_None)) return nullptr;
      }
    }
    return table.release();
  }
  PyObject* source = args[0];
  if (!PyDict_CheckExact(source)) {
    PyErr_SetString(PyExc_TypeError, "if you give only one argument to maketrans it must be a dict");
    return nullptr;
  }
  // A copy, so that no other thread changes what is being walked.
  Ref<> copy = Ref<>::steal(PyDict_Copy(source));
  if (!copy) return nullptr;
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(copy.get(), &position, &key, &value)) {
    if (PyUnicode_Check(key)) {
      if (PyUnicode_GET_LENGTH(key) != 1) {
        PyErr_SetString(PyExc_ValueError, "string keys in translatetable must be of length 1");
        return nullptr;
      }
      if (!set(PyUnicode_READ_CHAR(key, 0), value)) return nullptr;
    } else if (PyLong_Check(key)) {
      if (PyDict_SetItem(table.get(), key, value) < 0) return nullptr;
    } else {
      PyErr_SetString(PyExc_TypeError, "keys in translate table mustbe strings or integers");
      return nullptr;
    }
  }
  return table.release();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_Replace(PyObject* s, PyObject* old_text, PyObject* new_text, Py_ssize_t limit) {
  if (!require_str(s) || !require_str(old_text) || !require_str(new_text)) return nullptr;
  return replace(s, old_text, new_text, limit);
}

PyObject* PyUnicode_Translate(PyObject* s, PyObject* table, const char* errors) {
  if (!require_str(s)) return nullptr;
  return translate(s, table, errors);
}

}  // extern "C"
