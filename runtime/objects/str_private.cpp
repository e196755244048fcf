// The private names of str that generated code and extension modules link against.
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/str_concat.h"
#include "objects/str_intern.h"
#include "objects/unicode_data.h"

using namespace amphis;

extern "C" {

// Of the ABI only: the length in the representation that went with Python 3.12.
Py_ssize_t PyUnicode_GetSize(PyObject*) {
  PyErr_SetString(PyExc_RuntimeError, "PyUnicode_GetSize has been removed.");
  return -1;
}

PyObject* _PyUnicode_Copy(PyObject* s) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return str_copy(s);
}

PyObject* _PyUnicode_JoinArray(PyObject* separator, PyObject* const* items, Py_ssize_t n) {
  return str_join_array(separator ? separator : latin1_char(' '), items, n);
}

PyObject* _PyUnicode_AsUTF8String(PyObject* s, const char* errors) {
  return encode_utf8(s, errors);
}

const char* _PyUnicode_AsUTF8NoNUL(PyObject* s) {
  Py_ssize_t n;
  const char* text = PyUnicode_AsUTF8AndSize(s, &n);
  if (text && strlen(text) != static_cast<size_t>(n)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  return text;
}

PyObject* _PyUnicode_EncodeUTF16(PyObject* s, const char* errors, int byte_order) {
  return encode_utf16(s, errors, byte_order);
}
PyObject* _PyUnicode_EncodeUTF32(PyObject* s, const char* errors, int byte_order) {
  return encode_utf32(s, errors, byte_order);
}

int _PyUnicode_Equal(PyObject* a, PyObject* b) {
  return str_equal(a, b);
}
int _PyUnicode_EqualToASCIIString(PyObject* s, const char* text) {
  return str_equal_ascii(s, text);
}

Py_ssize_t _PyUnicode_ScanIdentifier(PyObject* self) {
  StrView s(self);
  if (s.length == 0 || (s[0] != '_' && !unicode::is_xid_start(s[0]))) return 0;
  Py_ssize_t i = 1;
  while (i < s.length && unicode::is_xid_continue(s[i])) i++;
  return i;
}

void _PyUnicode_InternInPlace(PyInterpreterState*, PyObject** slot) {
  intern_in_place(slot, false);
}
void _PyUnicode_InternMortal(PyInterpreterState*, PyObject** slot) {
  intern_in_place(slot, false);
}
void _PyUnicode_InternImmortal(PyInterpreterState*, PyObject** slot) {
  intern_in_place(slot, true);
}

// What int() and float() parse: decimal digits of any script become ASCII digits and spaces ' '. The text
// ends with a '?' at the first character that can be neither.
PyObject* _PyUnicode_TransformDecimalAndSpaceToASCII(PyObject* self) {
  if (!PyUnicode_Check(self)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (PyUnicode_IS_ASCII(self)) return Py_NewRef(self);
  StrView s(self);
  PyObject* result = PyUnicode_New(s.length, 0x7F);
  if (!result) return nullptr;
  Py_UCS1* out = PyUnicode_1BYTE_DATA(result);
  for (Py_ssize_t i = 0; i < s.length; i++) {
    Py_UCS4 ch = s[i];
    int digit;
    if (ch < 127) {
      out[i] = static_cast<Py_UCS1>(ch);
    } else if (Py_UNICODE_ISSPACE(ch)) {
      out[i] = ' ';
    } else if ((digit = _PyUnicode_ToDecimalDigit(ch)) >= 0) {
      out[i] = static_cast<Py_UCS1>('0' + digit);
    } else {
      out[i] = '?';
      if (PyUnicode_Resize(&result, i + 1) < 0) Py_CLEAR(result);
      return result;
    }
  }
  return result;
}

int _PyUnicode_CheckConsistency(PyObject* s, int check_content) {
  StrView view(s);
  if (view.length < 0 || (view.kind != 1 && view.kind != 2 && view.kind != 4)) return 0;
  if (view.ascii && view.kind != 1) return 0;
  if (!PyUnicode_READ(view.kind, view.data, view.length)) {
    if (!check_content || view.length == 0) return 1;
    return max_char_class(view.kind, view.data, view.length) == view.max_char();
  }
  return 0;
}

}  // extern "C"
