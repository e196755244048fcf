// Complex numbers from and to text.
#include <cmath>
#include <cstring>

#include "objects/complex.h"
#include "objects/float.h"
#include "objects/int_detail.h"
#include "sync/ref.h"

namespace amphis {
namespace {

const char* skip_space(const char* p, const char* limit) {
  while (p != limit && Py_ISSPACE(*p)) ++p;
  return p;
}

bool is_j(const char* p, const char* limit) { return p != limit && (*p == 'j' || *p == 'J'); }

// [(] ( float | [float] sign [float] j | [sign] j ) [)], with space around and inside the parentheses only.
bool parse(const char* p, const char* limit, Py_complex* z) {
  *z = {0.0, 0.0};
  p = skip_space(p, limit);
  bool parenthesis = false;
  if (p != limit && *p == '(') {
    parenthesis = true;
    p = skip_space(p + 1, limit);
  }
  const char* end;
  const double first = parse_double(p, limit, &end);
  if (end != p) {
    p = end;
    if (p != limit && (*p == '+' || *p == '-')) {
      z->real = first;
      z->imag = parse_double(p, limit, &end);
      if (end == p) {
        z->imag = *p == '+' ? 1.0 : -1.0;
        end = p + 1;
      }
      p = end;
      if (!is_j(p, limit)) return false;
      ++p;
    } else if (is_j(p, limit)) {
      z->imag = first;
      ++p;
    } else {
      z->real = first;
    }
  } else {
    z->imag = 1.0;
    if (p != limit && (*p == '+' || *p == '-')) {
      z->imag = *p == '+' ? 1.0 : -1.0;
      ++p;
    }
    if (!is_j(p, limit)) return false;
    ++p;
  }
  p = skip_space(p, limit);
  if (parenthesis) {
    if (p == limit || *p != ')') return false;
    p = skip_space(p + 1, limit);
  }
  return p == limit;
}

}  // namespace

PyObject* complex_from_text(PyTypeObject* type, PyObject* text) {
  Py_ssize_t length;
  char* owned;
  const char* ascii = ascii_number_text(text, &length, &owned);
  if (ascii == nullptr) return nullptr;
  Py_complex z;
  bool ok;
  const auto size = static_cast<size_t>(length);
  bool bad_underscore = false;
  if (std::memchr(ascii, '_', size) == nullptr) {
    ok = parse(ascii, ascii + size, &z);
  } else {
    auto* plain = static_cast<char*>(PyMem_Malloc(size + 1));
    if (plain == nullptr) {
      PyMem_Free(owned);
      return PyErr_NoMemory();
    }
    size_t plain_length;
    bad_underscore = !remove_underscores(ascii, size, plain, &plain_length);
    ok = !bad_underscore && parse(plain, plain + plain_length, &z);
    PyMem_Free(plain);
  }
  PyMem_Free(owned);
  if (ok) return complex_of_type(type, z);
  if (bad_underscore) {
    PyErr_Format(PyExc_ValueError, "could not convert string to complex: %R", text);
  } else {
    PyErr_SetString(PyExc_ValueError, "complex() arg is a malformed string");
  }
  return nullptr;
}

PyObject* complex_repr(PyObject* self) {
  const Py_complex z = reinterpret_cast<PyComplexObject*>(self)->cval;
  struct Text {
    char* p;
    ~Text() { PyMem_Free(p); }
  };
  const bool imaginary_only = z.real == 0.0 && !std::signbit(z.real);
  Text imag{PyOS_double_to_string(z.imag, 'r', 0, imaginary_only ? 0 : Py_DTSF_SIGN, nullptr)};
  if (imag.p == nullptr) return nullptr;
  if (imaginary_only) return PyUnicode_FromFormat("%sj", imag.p);
  Text real{PyOS_double_to_string(z.real, 'r', 0, 0, nullptr)};
  if (real.p == nullptr) return nullptr;
  return PyUnicode_FromFormat("(%s%sj)", real.p, imag.p);
}

}  // namespace amphis
