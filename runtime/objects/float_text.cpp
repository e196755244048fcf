// Floats from and to text: repr, float('...'), and the number grammar that parsing shares with complex numbers.
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstring>

#include "objects/float.h"
#include "objects/int_detail.h"
#include "sync/ref.h"

namespace amphis {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Case-insensitive prefix test; `word` is lower case.
bool starts_with(const char* p, const char* limit, const char* word) {
  for (; *word != '\0'; ++p, ++word) {
    if (p == limit || (*p | 0x20) != *word) return false;
  }
  return true;
}

// Out of range by which side? The decimal exponent of the first digit that is not zero tells.
bool is_huge(const char* p, const char* limit) {
  int64_t point = 0;
  bool seen_point = false, seen_digit = false;
  for (; p != limit && (*p | 0x20) != 'e'; ++p) {
    if (*p == '.') {
      seen_point = true;
    } else if (seen_digit || *p != '0') {
      seen_digit = true;
      if (!seen_point) ++point;
    } else if (seen_point) {
      --point;
    }
  }
  int64_t exponent = 0;
  if (p != limit) {
    ++p;
    const bool negative = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    for (; p != limit; ++p) {
      if (exponent < 1000000000000) exponent = exponent * 10 + (*p - '0');
    }
    if (negative) exponent = -exponent;
  }
  return point + exponent > 0;
}

}  // namespace

double parse_double(const char* begin, const char* limit, const char** end) {
  *end = begin;
  const char* p = begin;
  bool negative = false;
  if (p != limit && (*p == '+' || *p == '-')) negative = *p++ == '-';
  const char* number = p;
  while (p != limit && is_digit(*p)) ++p;
  const ptrdiff_t whole = p - number;
  ptrdiff_t fraction = 0;
  if (p != limit && *p == '.') {
    const char* start = ++p;
    while (p != limit && is_digit(*p)) ++p;
    fraction = p - start;
  }
  if (whole + fraction == 0) {
    if (starts_with(number, limit, "inf")) {
      *end = number + (starts_with(number, limit, "infinity") ? 8 : 3);
      return negative ? -HUGE_VAL : HUGE_VAL;
    }
    if (starts_with(number, limit, "nan")) {
      *end = number + 3;
      return std::copysign(NAN, negative ? -1.0 : 1.0);
    }
    return -1.0;
  }
  if (p != limit && (*p | 0x20) == 'e') {
    const char* exponent = p + 1;
    if (exponent != limit && (*exponent == '+' || *exponent == '-')) ++exponent;
    if (exponent != limit && is_digit(*exponent)) {
      while (exponent != limit && is_digit(*exponent)) ++exponent;
      p = exponent;
    }
  }
  *end = p;
  double value = 0.0;
  if (std::from_chars(number, p, value).ec == std::errc::result_out_of_range) {
    value = is_huge(number, p) ? HUGE_VAL : 0.0;
  }
  return negative ? -value : value;
}

bool remove_underscores(const char* text, size_t length, char* out, size_t* out_length) {
  char previous = '\0';
  size_t n = 0;
  for (size_t i = 0; i < length; ++i) {
    const char c = text[i];
    if (c == '_') {
      if (!is_digit(previous)) return false;
    } else {
      if (previous == '_' && !is_digit(c)) return false;
      out[n++] = c;
    }
    previous = c;
  }
  *out_length = n;
  return previous != '_';
}

size_t float_repr_chars(double value, char* out) {
  char* p = out;
  if (std::isnan(value)) {
    std::memcpy(p, "nan", 3);
    return 3;
  }
  if (std::signbit(value)) {
    *p++ = '-';
    value = -value;
  }
  if (std::isinf(value)) {
    std::memcpy(p, "inf", 3);
    return static_cast<size_t>(p + 3 - out);
  }
  // d.ddde-xx gives the digits and the exponent; the layout is ours.
  char text[kFloatReprSize];
  const char* text_end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific).ptr;
  char digits[20];
  int count = 0;
  const char* q = text;
  for (; *q != 'e'; ++q) {
    if (*q != '.') digits[count++] = *q;
  }
  ++q;
  const bool negative_exponent = *q++ == '-';
  int exponent = 0;
  for (; q != text_end; ++q) exponent = exponent * 10 + (*q - '0');
  if (negative_exponent) exponent = -exponent;
  const int point = exponent + 1;  // digits before the decimal point
  if (point > 16 || point < -3) {
    *p++ = digits[0];
    if (count > 1) {
      *p++ = '.';
      std::memcpy(p, digits + 1, static_cast<size_t>(count - 1));
      p += count - 1;
    }
    *p++ = 'e';
    *p++ = exponent < 0 ? '-' : '+';
    const int magnitude = exponent < 0 ? -exponent : exponent;
    if (magnitude < 10) *p++ = '0';
    return static_cast<size_t>(std::to_chars(p, p + 4, magnitude).ptr - out);
  }
  if (point <= 0) {
    *p++ = '0';
    *p++ = '.';
    for (int i = point; i < 0; ++i) *p++ = '0';
    std::memcpy(p, digits, static_cast<size_t>(count));
    p += count;
  } else if (count <= point) {
    std::memcpy(p, digits, static_cast<size_t>(count));
    p += count;
    for (int i = count; i < point; ++i) *p++ = '0';
    *p++ = '.';
    *p++ = '0';
  } else {
    std::memcpy(p, digits, static_cast<size_t>(point));
    p += point;
    *p++ = '.';
    std::memcpy(p, digits + point, static_cast<size_t>(count - point));
    p += count - point;
  }
  return static_cast<size_t>(p - out);
}

namespace {

// `shown` is what the message quotes.
PyObject* float_from_text(const char* text, size_t length, PyObject* shown) {
  const char* begin = text;
  const char* limit = text + length;
  while (begin != limit && Py_ISSPACE(*begin)) ++begin;
  while (limit != begin && Py_ISSPACE(limit[-1])) --limit;
  const char* end;
  double value = parse_double(begin, limit, &end);
  bool ok = end == limit && begin != limit;
  if (!ok && std::memchr(begin, '_', static_cast<size_t>(limit - begin)) != nullptr) {
    auto* plain = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(limit - begin) + 1));
    if (plain == nullptr) return PyErr_NoMemory();
    size_t plain_length;
    if (remove_underscores(begin, static_cast<size_t>(limit - begin), plain, &plain_length)) {
      value = parse_double(plain, plain + plain_length, &end);
      ok = end == plain + plain_length && plain_length != 0;
    }
    PyMem_Free(plain);
  }
  if (ok) return float_from_double(value);
  PyErr_Format(PyExc_ValueError, "could not convert string to float: %R", shown);
  return nullptr;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" PyObject* PyFloat_FromString(PyObject* v) {
  if (PyUnicode_Check(v)) {
    Py_ssize_t length;
    char* owned;
    const char* text = ascii_number_text(v, &length, &owned);
    if (text == nullptr) return nullptr;
    PyObject* result = float_from_text(text, static_cast<size_t>(length), v);
    PyMem_Free(owned);
    return result;
  }
  if (PyBytes_Check(v)) {
    return float_from_text(PyBytes_AS_STRING(v), static_cast<size_t>(PyBytes_GET_SIZE(v)), v);
  }
  if (PyObject_CheckBuffer(v)) {
    // A copy: another thread may change the bytes while they are read.
    auto copy = Ref<>::steal(PyBytes_FromObject(v));
    if (!copy) return nullptr;
    return float_from_text(PyBytes_AS_STRING(copy.get()), static_cast<size_t>(PyBytes_GET_SIZE(copy.get())), v);
  }
  PyErr_Format(PyExc_TypeError, "float() argument must be a string or a real number, not '%.200s'",
               Py_TYPE(v)->tp_name);
  return nullptr;
}
