// The is…() methods of str.
#include "objects/str.h"
#include "objects/str_methods.h"
#include "objects/unicode_data.h"

namespace amphis {
namespace {

// True when there is a character and every one satisfies the predicate.
template <class Predicate>
PyObject* all_characters(PyObject* self, Predicate predicate) {
  StrView s(self);
  if (s.length == 0) Py_RETURN_FALSE;
  bool all = with_chars(s, [&](auto* p) {
    for (Py_ssize_t i = 0; i < s.length; i++) {
      if (!predicate(p[i])) return false;
    }
    return true;
  });
  return PyBool_FromLong(all);
}

PyObject* all_have(PyObject* self, uint32_t flags) {
  return all_characters(self, [flags](Py_UCS4 ch) { return unicode::has(ch, flags); });
}

// A character of the wanted case, and none of the others.
PyObject* one_case(PyObject* self, uint32_t wanted, uint32_t unwanted) {
  StrView s(self);
  bool found = false;
  bool clean = with_chars(s, [&](auto* p) {
    for (Py_ssize_t i = 0; i < s.length; i++) {
      uint32_t flags = unicode::record(p[i]).flags;
      if (flags & unwanted) return false;
      if (flags & wanted) found = true;
    }
    return true;
  });
  return PyBool_FromLong(clean && found);
}

}  // namespace

PyObject* str_m_isascii(PyObject* s, PyObject*) {
  return PyBool_FromLong(PyUnicode_IS_ASCII(s));
}

PyObject* str_m_islower(PyObject* s, PyObject*) {
  return one_case(s, unicode::kLower, unicode::kUpper | unicode::kTitle);
}
PyObject* str_m_isupper(PyObject* s, PyObject*) {
  return one_case(s, unicode::kUpper, unicode::kLower | unicode::kTitle);
}

PyObject* str_m_istitle(PyObject* self, PyObject*) {
  StrView s(self);
  bool cased = false, previous_cased = false;
  for (Py_ssize_t i = 0; i < s.length; i++) {
    uint32_t flags = unicode::record(s[i]).flags;
    if (flags & (unicode::kUpper | unicode::kTitle)) {
      if (previous_cased) Py_RETURN_FALSE;
      cased = previous_cased = true;
    } else if (flags & unicode::kLower) {
      if (!previous_cased) Py_RETURN_FALSE;
      cased = true;
    } else {
      previous_cased = false;
    }
  }
  return PyBool_FromLong(cased);
}

PyObject* str_m_isspace(PyObject* s, PyObject*) {
  return all_characters(s, [](Py_UCS4 ch) { return Py_UNICODE_ISSPACE(ch) != 0; });
}
PyObject* str_m_isalpha(PyObject* s, PyObject*) {
  return all_have(s, unicode::kAlpha);
}
PyObject* str_m_isalnum(PyObject* s, PyObject*) {
  return all_have(s, unicode::kAlpha | unicode::kDecimal | unicode::kDigit | unicode::kNumeric);
}
PyObject* str_m_isdecimal(PyObject* s, PyObject*) {
  return all_have(s, unicode::kDecimal);
}
PyObject* str_m_isdigit(PyObject* s, PyObject*) {
  return all_have(s, unicode::kDigit);
}
PyObject* str_m_isnumeric(PyObject* s, PyObject*) {
  return all_have(s, unicode::kNumeric);
}

PyObject* str_m_isprintable(PyObject* s, PyObject*) {
  if (PyUnicode_GET_LENGTH(s) == 0) Py_RETURN_TRUE;
  return all_have(s, unicode::kPrintable);
}

PyObject* str_m_isidentifier(PyObject* s, PyObject*) {
  return PyBool_FromLong(PyUnicode_IsIdentifier(s));
}

}  // namespace amphis

using namespace amphis;

extern "C" int PyUnicode_IsIdentifier(PyObject* self) {
  StrView s(self);
  if (s.length == 0) return 0;
  if (s[0] != '_' && !unicode::is_xid_start(s[0])) return 0;
  for (Py_ssize_t i = 1; i < s.length; i++) {
    if (!unicode::is_xid_continue(s[i])) return 0;
  }
  return 1;
}
