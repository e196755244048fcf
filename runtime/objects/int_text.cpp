// Integers from and to text: literals in bases 2 to 36, decimal and power-of-two output, and the limit on the number
// of digits that keeps conversions by attackers from taking quadratic time.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <new>

#include "objects/int_detail.h"

namespace amphis {
namespace {

std::atomic<int> max_str_digits{kDefaultMaxStrDigits};

// Bits per digit of text, rounded up.
double bits_per_character(int base) { return std::log2(static_cast<double>(base)); }

bool is_power_of_two(int base) { return (base & (base - 1)) == 0; }

bool exceeds_limit(int base, size_t digits) {
  const int limit = int_max_str_digits();
  return !is_power_of_two(base) && limit > 0 && digits > static_cast<size_t>(limit);
}

// Few enough digits that multiplying up word by word, without memory, beats anything cleverer.
constexpr size_t kWordwiseDigits = 18 * 12;

PyObject* decimal_by_words(const char* text, size_t count, bool negative) {
  static constexpr uint64_t kPowers[] = {1,
                                         10,
                                         100,
                                         1000,
                                         10000,
                                         100000,
                                         1000000,
                                         10000000,
                                         100000000,
                                         1000000000,
                                         10000000000,
                                         100000000000,
                                         1000000000000,
                                         10000000000000,
                                         100000000000000,
                                         1000000000000000,
                                         10000000000000000,
                                         100000000000000000,
                                         1000000000000000000};
  mp_limb_t limbs[kWordwiseDigits / 19 + 3];
  mp_size_t used = 0;
  for (size_t i = 0; i < count;) {
    uint64_t word = 0;
    int taken = 0;
    for (; i < count && taken < 18; ++i) {
      if (text[i] == '_') continue;
      word = word * 10 + static_cast<uint64_t>(text[i] - '0');
      ++taken;
    }
    mp_limb_t carry = used > 0 ? mpn_mul_1(limbs, limbs, used, kPowers[taken]) : 0;
    if (used > 0) carry += mpn_add_1(limbs, limbs, used, word);
    if (used == 0) carry = word;
    if (carry != 0) limbs[used++] = carry;
  }
  return int_from_limbs(limbs, static_cast<size_t>(used), negative);
}

// `count` digit characters and underscores that have been checked; `digits` of them are digits.
PyObject* magnitude_of(const char* text, size_t count, size_t digits, int base, bool negative) {
  if (digits <= 12 || (base <= 10 && digits <= 18)) {
    int64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (text[i] != '_') value = value * base + _PyLong_DigitValue[static_cast<unsigned char>(text[i])];
    }
    return int_from_int64(negative ? -value : value);
  }
  if (base == 10 && digits <= kWordwiseDigits) return decimal_by_words(text, count, negative);
  auto* values = static_cast<unsigned char*>(PyMem_Malloc(digits));
  if (values == nullptr) return PyErr_NoMemory();
  size_t n = 0;
  for (size_t i = 0; i < count; ++i) {
    const unsigned char value = _PyLong_DigitValue[static_cast<unsigned char>(text[i])];
    if (text[i] != '_' && (n > 0 || value != 0)) values[n++] = value;
  }
  PyObject* result = nullptr;
  if (n == 0) {
    result = small_int(0);
  } else if (LimbBuffer limbs(static_cast<size_t>(static_cast<double>(n) * bits_per_character(base) / 64) + 3); limbs) {
    try {
      const mp_size_t used = mpn_set_str(limbs.data(), values, n, base);
      result = int_from_limbs(limbs.data(), static_cast<size_t>(used), negative);
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    }
  }
  PyMem_Free(values);
  return result;
}

PyObject* bad_literal(int base, PyObject* shown) {
  PyErr_Format(PyExc_ValueError, "invalid literal for int() with base %d: %.200R", base, shown);
  return nullptr;
}

const char* skip_space(const char* p) {
  while (Py_ISSPACE(*p)) ++p;
  return p;
}

// What PyLong_FromString does, without the message: null and *end where it stopped for a malformed literal, null and
// *end null with an exception otherwise.
PyObject* parse_literal(const char* text, const char** end, int base) {
  const char* p = skip_space(text);
  bool negative = false;
  if (*p == '+' || *p == '-') negative = *p++ == '-';
  const char prefix = *p == '0' ? static_cast<char>(p[1] | 0x20) : '\0';
  const int prefix_base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
  bool must_be_zero = false;
  if (base == 0) {
    base = prefix_base != 0 ? prefix_base : 10;
    // Old octal literals: zeros may still be written like this.
    must_be_zero = prefix_base == 0 && *p == '0';
  }
  if (prefix_base == base) {
    p += 2;
    if (*p == '_') ++p;
  }
  *end = p;
  const char* start = p;
  size_t digits = 0;
  char previous = '_';  // so that a leading underscore counts as a doubled one
  for (;; ++p) {
    if (*p == '_') {
      if (previous == '_') {
        *end = p;
        return nullptr;
      }
    } else if (_PyLong_DigitValue[static_cast<unsigned char>(*p)] < base) {
      ++digits;
    } else {
      break;
    }
    previous = *p;
  }
  *end = p;
  if (digits == 0 || previous == '_') return nullptr;
  const char* stop = p;
  const char* rest = skip_space(p);
  *end = rest;
  if (*rest != '\0') return nullptr;
  if (exceeds_limit(base, digits)) {
    PyErr_Format(PyExc_ValueError,
                 "Exceeds the limit (%d digits) for integer string conversion: value has %zd digits; use "
                 "sys.set_int_max_str_digits() to increase the limit",
                 int_max_str_digits(), static_cast<Py_ssize_t>(digits));
    *end = nullptr;
    return nullptr;
  }
  PyObject* result = magnitude_of(start, static_cast<size_t>(stop - start), digits, base, negative);
  if (result == nullptr) {
    *end = nullptr;
  } else if (must_be_zero && !int_is_zero(result)) {
    Py_DECREF(result);
    return nullptr;
  }
  return result;
}

PyObject* ascii_text(const char* text, size_t length) {
  if (length == 1) return PyUnicode_FromStringAndSize(text, 1);  // the shared one-character string
  PyObject* result = PyUnicode_New(static_cast<Py_ssize_t>(length), 127);
  if (result != nullptr) std::memcpy(PyUnicode_1BYTE_DATA(result), text, length);
  return result;
}

size_t write_prefix(char* out, int base, bool negative, bool alternate) {
  size_t n = 0;
  if (negative) out[n++] = '-';
  if (alternate && base != 10) {
    out[n++] = '0';
    out[n++] = base == 16 ? 'x' : base == 8 ? 'o' : 'b';
  }
  return n;
}

}  // namespace

int int_max_str_digits() { return max_str_digits.load(std::memory_order_relaxed); }
void set_int_max_str_digits(int limit) { max_str_digits.store(limit, std::memory_order_relaxed); }

void raise_too_many_digits() {
  PyErr_Format(PyExc_ValueError,
               "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to "
               "increase the limit",
               int_max_str_digits());
}

PyObject* int_to_text(PyObject* v, int base, bool alternate) {
  int64_t value;
  if (int_to_int64(v, &value)) {
    char buffer[72];
    const size_t prefix = write_prefix(buffer, base, value < 0, alternate);
    const uint64_t magnitude = value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    char* end = std::to_chars(buffer + prefix, buffer + sizeof(buffer), magnitude, base).ptr;
    return ascii_text(buffer, static_cast<size_t>(end - buffer));
  }
  const int64_t bits = int_bit_length(v);
  const double characters = static_cast<double>(bits) / bits_per_character(base);
  if (base == 10 && int_max_str_digits() > 0 && characters - 2 > int_max_str_digits()) {
    raise_too_many_digits();
    return nullptr;
  }
  const size_t count = digit_count(v);
  LimbBuffer limbs(limbs_for_digits(count) + 1);
  if (!limbs) return nullptr;
  const auto used = static_cast<mp_size_t>(pack_limbs(digits_of(v), count, limbs.data()));
  const size_t capacity = static_cast<size_t>(characters) + 8;
  auto* text = static_cast<unsigned char*>(PyMem_Malloc(capacity));
  if (text == nullptr) return PyErr_NoMemory();
  size_t length;
  try {
    length = mpn_get_str(text, base, limbs.data(), used);
  } catch (const std::bad_alloc&) {
    PyMem_Free(text);
    return PyErr_NoMemory();
  }
  const unsigned char* first = text;
  while (length > 1 && *first == 0) {
    ++first;
    --length;
  }
  PyObject* result = nullptr;
  if (exceeds_limit(base, length)) {
    raise_too_many_digits();
  } else {
    char prefix[4];
    const size_t prefix_length = write_prefix(prefix, base, is_negative(v), alternate);
    result = PyUnicode_New(static_cast<Py_ssize_t>(prefix_length + length), 127);
    if (result != nullptr) {
      Py_UCS1* out = PyUnicode_1BYTE_DATA(result);
      std::memcpy(out, prefix, prefix_length);
      out += prefix_length;
      for (size_t i = 0; i < length; ++i) out[i] = static_cast<Py_UCS1>("0123456789abcdef"[first[i]]);
    }
  }
  PyMem_Free(text);
  return result;
}

PyObject* int_from_bytes_literal(const char* text, Py_ssize_t length, int base) {
  const char* end = nullptr;
  PyObject* result = parse_literal(text, &end, base);
  if (end == nullptr || (result != nullptr && end == text + length)) return result;
  Py_XDECREF(result);
  PyObject* shown = PyBytes_FromStringAndSize(text, std::min<Py_ssize_t>(length, 200));
  if (shown == nullptr) return nullptr;
  bad_literal(base, shown);
  Py_DECREF(shown);
  return nullptr;
}

const char* ascii_number_text(PyObject* text, Py_ssize_t* length, char** owned) {
  *length = PyUnicode_GET_LENGTH(text);
  *owned = nullptr;
  if (PyUnicode_IS_ASCII(text)) return static_cast<const char*>(PyUnicode_DATA(text));
  auto* out = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(*length) + 1));
  if (out == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  const int kind = PyUnicode_KIND(text);
  const void* data = PyUnicode_DATA(text);
  for (Py_ssize_t i = 0; i < *length; ++i) {
    const Py_UCS4 c = PyUnicode_READ(kind, data, i);
    if (c < 128) {
      out[i] = static_cast<char>(c);
    } else if (Py_UNICODE_ISSPACE(c)) {
      out[i] = ' ';
    } else {
      const int decimal = Py_UNICODE_TODECIMAL(c);
      out[i] = decimal < 0 ? '?' : static_cast<char>('0' + decimal);
    }
  }
  out[*length] = '\0';
  *owned = out;
  return out;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

// The value of a character as a digit of base 36; 37 for those that are none.
unsigned char _PyLong_DigitValue[256] = {
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 37, 37, 37, 37, 37, 37, 37, 10, 11, 12, 13, 14, 15, 16,
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 37, 37, 37, 37,
    37, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
    37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37, 37,
};

PyObject* PyLong_FromString(const char* text, char** pend, int base) {
  if ((base != 0 && base < 2) || base > 36) {
    PyErr_SetString(PyExc_ValueError, "int() arg 2 must be >= 2 and <= 36");
    return nullptr;
  }
  const char* end = nullptr;
  PyObject* result = parse_literal(text, &end, base);
  if (pend != nullptr) *pend = const_cast<char*>(end);
  if (result != nullptr || end == nullptr) return result;
  PyObject* shown =
      PyUnicode_FromStringAndSize(text, static_cast<Py_ssize_t>(std::min<size_t>(std::strlen(text), 200)));
  if (shown == nullptr) return nullptr;
  bad_literal(base, shown);
  Py_DECREF(shown);
  return nullptr;
}

PyObject* PyLong_FromUnicodeObject(PyObject* text, int base) {
  Py_ssize_t length;
  char* owned;
  const char* ascii = ascii_number_text(text, &length, &owned);
  if (ascii == nullptr) return nullptr;
  const char* end = nullptr;
  PyObject* result = parse_literal(ascii, &end, base);
  const bool complete = end == nullptr || (result != nullptr && end == ascii + length);
  PyMem_Free(owned);
  if (complete) return result;
  Py_XDECREF(result);
  return bad_literal(base, text);
}

PyObject* _PyLong_Format(PyObject* v, int base) {
  if (!PyLong_Check(v)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return int_to_text(v, base, true);
}

}  // extern "C"
