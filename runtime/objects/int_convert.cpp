// Integers to and from the machine's numbers and byte strings: PyLong_From*, PyLong_As*, native bytes, the writer
// and the export interface.
#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>

#include "objects/float.h"
#include "objects/int_detail.h"

namespace amphis {
namespace {

static_assert(PY_LITTLE_ENDIAN && sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8 && sizeof(void*) == 8);

void raise_overflow(const char* text) { PyErr_SetString(PyExc_OverflowError, text); }

int require_int(PyObject* v) {
  if (v == nullptr) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (!PyLong_Check(v)) {
    PyErr_SetString(PyExc_TypeError, "an integer is required");
    return -1;
  }
  return 0;
}

int expect_int(PyObject* v) {
  if (PyLong_Check(v)) return 0;
  PyErr_Format(PyExc_TypeError, "expected int, got %T", v);
  return -1;
}

// The int behind `v`: itself, or what __index__ says. A new reference.
PyObject* index_of(PyObject* v) {
  if (v == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return PyLong_Check(v) ? Py_NewRef(v) : _PyNumber_Index(v);
}

// What most conversions come to: the value of an int of at most two digits.
AMPHIS_ALWAYS_INLINE bool quick_value(PyObject* v, int64_t* out) {
  return v != nullptr && PyLong_Check(v) && compact_value(v, out);
}

enum class Fit { kFits, kBelow, kAbove, kError };

// The value of an int or of an object with __index__.
Fit signed_value(PyObject* v, int64_t* out) {
  if (v != nullptr && PyLong_Check(v)) [[likely]] {
    if (int_to_int64(v, out)) return Fit::kFits;
    return is_negative(v) ? Fit::kBelow : Fit::kAbove;
  }
  PyObject* index = index_of(v);
  if (index == nullptr) return Fit::kError;
  const Fit fit = int_to_int64(index, out) ? Fit::kFits : is_negative(index) ? Fit::kBelow : Fit::kAbove;
  Py_DECREF(index);
  return fit;
}

// v is an int.
Fit unsigned_value(PyObject* v, uint64_t* out) {
  int64_t small;
  if (is_negative(v)) return Fit::kBelow;
  if (compact_value(v, &small)) {
    *out = static_cast<uint64_t>(small);
    return Fit::kFits;
  }
  if (digit_count(v) > 3 || digits_of(v)[2] > 15) return Fit::kAbove;
  const Digit* d = digits_of(v);
  *out = uint64_t{d[0]} | uint64_t{d[1]} << 30 | uint64_t{d[2]} << 60;
  return Fit::kFits;
}

// The value modulo 2**64.
uint64_t low_bits(PyObject* v) {
  const Digit* d = digits_of(v);
  uint64_t x = 0;
  const size_t count = digit_count(v);
  if (count > 0) x |= d[0];
  if (count > 1) x |= uint64_t{d[1]} << 30;
  if (count > 2) x |= uint64_t{d[2]} << 60;
  return is_negative(v) ? -x : x;
}

uint64_t masked_value(PyObject* v) {
  PyObject* index = index_of(v);
  if (index == nullptr) return static_cast<uint64_t>(-1);
  const uint64_t x = low_bits(index);
  Py_DECREF(index);
  return x;
}

long long signed_or_flag(PyObject* v, int* overflow) {
  *overflow = 0;
  int64_t value;
  switch (signed_value(v, &value)) {
    case Fit::kFits:
      return value;
    case Fit::kBelow:
      *overflow = -1;
      return -1;
    case Fit::kAbove:
      *overflow = 1;
      return -1;
    case Fit::kError:
      break;
  }
  return -1;
}

// The low n bytes of the two's complement of v.
void store_bytes(PyObject* v, unsigned char* out, size_t n, bool little_endian) {
  const Digit* d = digits_of(v);
  const size_t count = digit_count(v);
  const bool negative = is_negative(v);
  const Digit flip = negative ? kMask : 0;
  Digit carry = negative ? 1 : 0;
  uint64_t pending = 0;
  int bits = 0;
  size_t next = 0;
  for (size_t i = 0; i < n; ++i) {
    if (bits < 8) {
      Digit value = ((next < count ? d[next] : 0) ^ flip) + carry;
      ++next;
      carry = value >> kShift;
      pending |= uint64_t{value & kMask} << bits;
      bits += kShift;
    }
    out[little_endian ? i : n - 1 - i] = static_cast<unsigned char>(pending);
    pending >>= 8;
    bits -= 8;
  }
}

// Is v == -2**bits?
bool is_negative_power(PyObject* v, int64_t bits) {
  return is_negative(v) && int_bit_length(v) == bits + 1 && int_trailing_zeros(v) == static_cast<size_t>(bits);
}

bool fits_bytes(PyObject* v, size_t n, bool is_signed) {
  const auto width = static_cast<int64_t>(n) * 8;
  const int64_t length = int_bit_length(v);
  if (!is_signed) return length <= width && !is_negative(v);
  if (length < width || length == 0) return true;
  return n > 0 && is_negative_power(v, width - 1);
}

bool wants_little_endian(int flags) {
  if (flags == -1 || (flags & 2)) return PY_LITTLE_ENDIAN;
  return flags & Py_ASNATIVEBYTES_LITTLE_ENDIAN;
}

template <typename T>
int native_value(PyObject* v, T* value, const char* overflow_text) {
  int flags = Py_ASNATIVEBYTES_NATIVE_ENDIAN | Py_ASNATIVEBYTES_ALLOW_INDEX;
  if constexpr (!std::numeric_limits<T>::is_signed) {
    flags |= Py_ASNATIVEBYTES_UNSIGNED_BUFFER | Py_ASNATIVEBYTES_REJECT_NEGATIVE;
  }
  const Py_ssize_t bytes = PyLong_AsNativeBytes(v, value, sizeof(T), flags);
  if (bytes < 0) return -1;
  if (static_cast<size_t>(bytes) > sizeof(T)) {
    raise_overflow(overflow_text);
    return -1;
  }
  return 0;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyLong_FromLong(long v) { return int_from_int64(v); }
PyObject* PyLong_FromLongLong(long long v) { return int_from_int64(v); }
PyObject* PyLong_FromSsize_t(Py_ssize_t v) { return int_from_int64(v); }
PyObject* PyLong_FromInt32(int32_t v) { return int_from_int64(v); }
PyObject* PyLong_FromInt64(int64_t v) { return int_from_int64(v); }
PyObject* PyLong_FromUnsignedLong(unsigned long v) { return int_from_uint64(v); }
PyObject* PyLong_FromUnsignedLongLong(unsigned long long v) { return int_from_uint64(v); }
PyObject* PyLong_FromSize_t(size_t v) { return int_from_uint64(v); }
PyObject* PyLong_FromUInt32(uint32_t v) { return int_from_int64(v); }
PyObject* PyLong_FromUInt64(uint64_t v) { return int_from_uint64(v); }
PyObject* PyLong_FromVoidPtr(void* p) { return int_from_uint64(reinterpret_cast<uintptr_t>(p)); }

PyObject* PyLong_FromDouble(double value) {
  if (value > -9.2e18 && value < 9.2e18) return int_from_int64(static_cast<int64_t>(value));
  if (std::isinf(value)) {
    PyErr_SetString(PyExc_OverflowError, "cannot convert float infinity to integer");
    return nullptr;
  }
  if (std::isnan(value)) {
    PyErr_SetString(PyExc_ValueError, "cannot convert float NaN to integer");
    return nullptr;
  }
  int exponent;
  const double fraction = std::frexp(value, &exponent);
  PyObject* mantissa = int_from_int64(static_cast<int64_t>(std::ldexp(fraction, 53)));
  if (mantissa == nullptr) return nullptr;
  PyObject* result = int_shift_left(mantissa, exponent - 53);
  Py_DECREF(mantissa);
  return result;
}

long PyLong_AsLongAndOverflow(PyObject* v, int* overflow) { return signed_or_flag(v, overflow); }
long long PyLong_AsLongLongAndOverflow(PyObject* v, int* overflow) { return signed_or_flag(v, overflow); }

long PyLong_AsLong(PyObject* v) {
  int64_t small;
  if (quick_value(v, &small)) [[likely]] return small;
  int overflow;
  const long result = signed_or_flag(v, &overflow);
  if (overflow != 0) raise_overflow("Python int too large to convert to C long");
  return result;
}

long long PyLong_AsLongLong(PyObject* v) {
  int64_t small;
  if (quick_value(v, &small)) [[likely]] return small;
  int overflow;
  const long long result = signed_or_flag(v, &overflow);
  if (overflow != 0) raise_overflow("int too big to convert");
  return result;
}

int PyLong_AsInt(PyObject* v) {
  int overflow;
  const long result = signed_or_flag(v, &overflow);
  if (overflow != 0 || result > INT_MAX || result < INT_MIN) {
    raise_overflow("Python int too large to convert to C int");
    return -1;
  }
  return static_cast<int>(result);
}

Py_ssize_t PyLong_AsSsize_t(PyObject* v) {
  if (require_int(v) < 0) return -1;
  int64_t value;
  if (int_to_int64(v, &value)) return value;
  raise_overflow("Python int too large to convert to C ssize_t");
  return -1;
}

unsigned long PyLong_AsUnsignedLong(PyObject* v) {
  if (require_int(v) < 0) return static_cast<unsigned long>(-1);
  uint64_t value;
  const Fit fit = unsigned_value(v, &value);
  if (fit == Fit::kFits) return value;
  raise_overflow(fit == Fit::kBelow ? "can't convert negative value to unsigned int"
                                    : "Python int too large to convert to C unsigned long");
  return static_cast<unsigned long>(-1);
}

size_t PyLong_AsSize_t(PyObject* v) {
  if (require_int(v) < 0) return static_cast<size_t>(-1);
  uint64_t value;
  const Fit fit = unsigned_value(v, &value);
  if (fit == Fit::kFits) return value;
  raise_overflow(fit == Fit::kBelow ? "can't convert negative value to size_t"
                                    : "Python int too large to convert to C size_t");
  return static_cast<size_t>(-1);
}

unsigned long long PyLong_AsUnsignedLongLong(PyObject* v) {
  if (require_int(v) < 0) return static_cast<unsigned long long>(-1);
  uint64_t value;
  const Fit fit = unsigned_value(v, &value);
  if (fit == Fit::kFits) return value;
  raise_overflow(fit == Fit::kBelow ? "can't convert negative int to unsigned" : "int too big to convert");
  return static_cast<unsigned long long>(-1);
}

unsigned long PyLong_AsUnsignedLongMask(PyObject* v) { return masked_value(v); }
unsigned long long PyLong_AsUnsignedLongLongMask(PyObject* v) { return masked_value(v); }

int PyLong_AsInt32(PyObject* v, int32_t* value) {
  return native_value(v, value, "Python int too large to convert to C int32_t");
}
int PyLong_AsUInt32(PyObject* v, uint32_t* value) {
  return native_value(v, value, "Python int too large to convert to C uint32_t");
}
int PyLong_AsInt64(PyObject* v, int64_t* value) {
  return native_value(v, value, "Python int too large to convert to C int64_t");
}
int PyLong_AsUInt64(PyObject* v, uint64_t* value) {
  return native_value(v, value, "Python int too large to convert to C uint64_t");
}

void* PyLong_AsVoidPtr(PyObject* v) {
  // Addresses come as signed or unsigned ints.
  if (require_int(v) < 0) return nullptr;
  int64_t value;
  if (is_negative(v)) {
    if (int_to_int64(v, &value)) return reinterpret_cast<void*>(value);
    raise_overflow("Python int too large to convert to C long");
    return nullptr;
  }
  const unsigned long address = PyLong_AsUnsignedLong(v);
  return address == static_cast<unsigned long>(-1) && PyErr_Occurred() ? nullptr : reinterpret_cast<void*>(address);
}

double _PyLong_Frexp(PyLongObject* self, int64_t* exponent) {
  PyObject* v = as_object(self);
  const int64_t length = int_bit_length(v);
  if (length == 0) {
    *exponent = 0;
    return 0.0;
  }
  // The top 64 bits, the lowest of them sticky, round to 53 exactly as the whole number would.
  const Digit* d = digits_of(v);
  const size_t count = digit_count(v);
  uint64_t top = 0;
  int have = 0;
  size_t i = count;
  Digit rest = 0;
  while (i > 0 && have < 64) {
    const Digit digit = d[--i];
    const int width = i == count - 1 ? bits_in_digit(digit) : kShift;
    const int take = std::min(width, 64 - have);
    top = have == 0 ? 0 : top << take;
    top |= digit >> (width - take);
    rest = digit & ((Digit{1} << (width - take)) - 1);
    have += take;
  }
  bool sticky = rest != 0;
  while (!sticky && i > 0) sticky = d[--i] != 0;
  if (sticky) top |= 1;
  double fraction = std::ldexp(static_cast<double>(top), -have);
  *exponent = length;
  if (fraction == 1.0) {
    fraction = 0.5;
    ++*exponent;
  }
  return is_negative(v) ? -fraction : fraction;
}

double PyLong_AsDouble(PyObject* v) {
  if (require_int(v) < 0) return -1.0;
  int64_t small;
  if (compact_value(v, &small)) return static_cast<double>(small);
  int64_t exponent;
  const double fraction = _PyLong_Frexp(as_long(v), &exponent);
  if (exponent > 1024) {
    raise_overflow("int too large to convert to float");
    return -1.0;
  }
  return std::ldexp(fraction, static_cast<int>(exponent));
}

PyObject* _PyLong_FromByteArray(const unsigned char* bytes, size_t n, int little_endian, int is_signed) {
  if (n == 0) return small_int(0);
  const unsigned char top = bytes[little_endian ? n - 1 : 0];
  const bool negative = is_signed && (top & 0x80);
  const unsigned char fill = negative ? 0xFF : 0;
  // Skip sign extension; one byte of it stays, so that -256 keeps its ninth bit.
  size_t significant = n;
  while (significant > 1 && bytes[little_endian ? significant - 1 : n - significant] == fill) --significant;
  if (significant < n) ++significant;
  if (significant <= 8) {
    uint64_t x = negative ? ~uint64_t{0} : 0;
    for (size_t i = significant; i-- > 0;) x = x << 8 | bytes[little_endian ? i : n - 1 - i];
    return is_signed ? int_from_int64(static_cast<int64_t>(x)) : int_from_uint64(x);
  }
  const size_t count = (significant * 8 + kShift - 1) / kShift + 1;
  PyLongObject* result = int_alloc(count);
  if (result == nullptr) return nullptr;
  Digit* out = result->long_value.ob_digit;
  uint64_t pending = 0;
  int bits = 0;
  unsigned carry = negative ? 1 : 0;
  size_t written = 0;
  for (size_t i = 0; i < significant; ++i) {
    unsigned byte = bytes[little_endian ? i : n - 1 - i];
    if (negative) {
      byte = (byte ^ 0xFF) + carry;
      carry = byte >> 8;
      byte &= 0xFF;
    }
    pending |= uint64_t{byte} << bits;
    bits += 8;
    if (bits >= kShift) {
      out[written++] = static_cast<Digit>(pending) & kMask;
      pending >>= kShift;
      bits -= kShift;
    }
  }
  // The magnitude of the most negative number needs the bit that the sign had.
  pending |= uint64_t{carry} << bits;
  while (written < count) {
    out[written++] = static_cast<Digit>(pending) & kMask;
    pending >>= kShift;
  }
  return int_finish(result, count, negative);
}

int _PyLong_AsByteArray(PyLongObject* self, unsigned char* bytes, size_t n, int little_endian, int is_signed,
                        int with_exceptions) {
  PyObject* v = as_object(self);
  int64_t small;
  if (n - 1 < 8 && compact_value(v, &small) && small >= 0 && (n == 8 || small >> (8 * n - (is_signed ? 1 : 0)) == 0)) {
    uint64_t word = static_cast<uint64_t>(small);
    if (!little_endian) word = __builtin_bswap64(word) >> (64 - 8 * n);
    std::memcpy(bytes, &word, n);
    return 0;
  }
  if (is_negative(v) && !is_signed) {
    if (with_exceptions) raise_overflow("can't convert negative int to unsigned");
    return -1;
  }
  store_bytes(v, bytes, n, little_endian != 0);
  if (fits_bytes(v, n, is_signed != 0)) return 0;
  if (with_exceptions) raise_overflow("int too big to convert");
  return -1;
}

Py_ssize_t PyLong_AsNativeBytes(PyObject* obj, void* buffer, Py_ssize_t n, int flags) {
  if (obj == nullptr || n < 0) {
    PyErr_BadInternalCall();
    return -1;
  }
  PyObject* v;
  if (PyLong_Check(obj)) {
    v = Py_NewRef(obj);
  } else if (flags != -1 && (flags & Py_ASNATIVEBYTES_ALLOW_INDEX)) {
    v = _PyNumber_Index(obj);
    if (v == nullptr) return -1;
  } else {
    PyErr_Format(PyExc_TypeError, "expect int, got %T", obj);
    return -1;
  }
  if (flags != -1 && (flags & Py_ASNATIVEBYTES_REJECT_NEGATIVE) && is_negative(v)) {
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    Py_DECREF(v);
    return -1;
  }
  const bool unsigned_buffer = flags == -1 || (flags & Py_ASNATIVEBYTES_UNSIGNED_BUFFER);
  if (n > 0) store_bytes(v, static_cast<unsigned char*>(buffer), static_cast<size_t>(n), wants_little_endian(flags));
  Py_ssize_t needed;
  if (n > 0 && (fits_bytes(v, static_cast<size_t>(n), true) ||
                (unsigned_buffer && fits_bytes(v, static_cast<size_t>(n), false)))) {
    needed = digit_count(v) <= 1 ? n : std::min<Py_ssize_t>(n, int_bit_length(v) / 8 + 1);
  } else if (digit_count(v) <= 1) {
    needed = sizeof(Py_ssize_t);
  } else {
    needed = int_bit_length(v) / 8 + 1;
  }
  Py_DECREF(v);
  return needed;
}

PyObject* PyLong_FromNativeBytes(const void* buffer, size_t n, int flags) {
  if (buffer == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  const bool is_signed = flags == -1 || !(flags & Py_ASNATIVEBYTES_UNSIGNED_BUFFER);
  return _PyLong_FromByteArray(static_cast<const unsigned char*>(buffer), n, wants_little_endian(flags), is_signed);
}

PyObject* PyLong_FromUnsignedNativeBytes(const void* buffer, size_t n, int flags) {
  if (buffer == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return _PyLong_FromByteArray(static_cast<const unsigned char*>(buffer), n, wants_little_endian(flags), 0);
}

int PyLong_IsPositive(PyObject* v) { return expect_int(v) < 0 ? -1 : int_sign(v) > 0; }
int PyLong_IsNegative(PyObject* v) { return expect_int(v) < 0 ? -1 : int_sign(v) < 0; }
int PyLong_IsZero(PyObject* v) { return expect_int(v) < 0 ? -1 : int_is_zero(v); }
int _PyLong_Sign(PyObject* v) { return int_sign(v); }
int PyLong_GetSign(PyObject* v, int* sign) {
  if (expect_int(v) < 0) return -1;
  *sign = int_sign(v);
  return 0;
}

// The headers also have these as inline functions under macros.
#undef PyUnstable_Long_IsCompact
#undef PyUnstable_Long_CompactValue
int PyUnstable_Long_IsCompact(const PyLongObject* v) { return v->long_value.lv_tag < (2u << 3); }
Py_ssize_t PyUnstable_Long_CompactValue(const PyLongObject* v) {
  int64_t value = 0;
  compact_value(as_object(const_cast<PyLongObject*>(v)), &value);
  return value;
}

// The writer is the int itself, not yet normalised and seen by nobody.
PyLongWriter* PyLongWriter_Create(int negative, Py_ssize_t count, void** digits) {
  if (count <= 0) {
    PyErr_SetString(PyExc_ValueError, "ndigits must be positive");
    *digits = nullptr;
    return nullptr;
  }
  PyLongObject* v = int_alloc(static_cast<size_t>(count));
  if (v == nullptr) {
    *digits = nullptr;
    return nullptr;
  }
  if (negative) v->long_value.lv_tag |= 2;
  *digits = v->long_value.ob_digit;
  return reinterpret_cast<PyLongWriter*>(v);
}

PyObject* PyLongWriter_Finish(PyLongWriter* writer) {
  auto* v = reinterpret_cast<PyLongObject*>(writer);
  return int_finish(v, v->long_value.lv_tag >> 3, (v->long_value.lv_tag & 3) == 2);
}

void PyLongWriter_Discard(PyLongWriter* writer) { Py_XDECREF(reinterpret_cast<PyObject*>(writer)); }

const PyLongLayout* PyLong_GetNativeLayout(void) {
  static const PyLongLayout layout = {
      .bits_per_digit = kShift,
      .digit_size = sizeof(Digit),
      .digits_order = -1,
      .digit_endianness = PY_LITTLE_ENDIAN ? -1 : 1,
  };
  return &layout;
}

int PyLong_Export(PyObject* obj, PyLongExport* exported) {
  std::memset(exported, 0, sizeof(*exported));
  if (expect_int(obj) < 0) return -1;
  int64_t value;
  if (int_to_int64(obj, &value)) {
    exported->value = value;
    return 0;
  }
  exported->negative = is_negative(obj);
  exported->ndigits = static_cast<Py_ssize_t>(digit_count(obj));
  exported->digits = digits_of(obj);
  exported->_reserved = reinterpret_cast<Py_uintptr_t>(Py_NewRef(obj));
  return 0;
}

void PyLong_FreeExport(PyLongExport* exported) {
  auto* obj = reinterpret_cast<PyObject*>(exported->_reserved);
  if (obj == nullptr) return;
  exported->_reserved = 0;
  Py_DECREF(obj);
}

time_t _PyLong_AsTime_t(PyObject* obj) {
  int overflow;
  const long long value = signed_or_flag(obj, &overflow);
  if (overflow != 0) raise_overflow("timestamp out of range for platform time_t");
  return value;
}

PyObject* _PyLong_FromTime_t(time_t value) { return int_from_int64(value); }

int _PyLong_FileDescriptor_Converter(PyObject* obj, void* out) {
  const int fd = PyObject_AsFileDescriptor(obj);
  if (fd == -1) return 0;
  *static_cast<int*>(out) = fd;
  return 1;
}

// None leaves the value as it is.
int _Py_convert_optional_to_ssize_t(PyObject* obj, void* out) {
  if (obj == Py_None) return 1;
  if (!PyIndex_Check(obj)) {
    PyErr_Format(PyExc_TypeError, "argument should be integer or None, not '%.200s'", Py_TYPE(obj)->tp_name);
    return 0;
  }
  const Py_ssize_t value = PyNumber_AsSsize_t(obj, PyExc_OverflowError);
  if (value == -1 && PyErr_Occurred()) return 0;
  *static_cast<Py_ssize_t*>(out) = value;
  return 1;
}

#define AMPHIS_UNSIGNED_CONVERTER(name, type)                                                             \
  int _PyLong_##name##_Converter(PyObject* obj, void* out) {                                              \
    return native_value<type>(obj, static_cast<type*>(out), "Python int too large for C " #type) == 0;    \
  }
AMPHIS_UNSIGNED_CONVERTER(UnsignedShort, unsigned short)
AMPHIS_UNSIGNED_CONVERTER(UnsignedInt, unsigned int)
AMPHIS_UNSIGNED_CONVERTER(UnsignedLong, unsigned long)
AMPHIS_UNSIGNED_CONVERTER(UnsignedLongLong, unsigned long long)
AMPHIS_UNSIGNED_CONVERTER(Size_t, size_t)
AMPHIS_UNSIGNED_CONVERTER(UInt8, uint8_t)
AMPHIS_UNSIGNED_CONVERTER(UInt16, uint16_t)
AMPHIS_UNSIGNED_CONVERTER(UInt32, uint32_t)
AMPHIS_UNSIGNED_CONVERTER(UInt64, uint64_t)
#undef AMPHIS_UNSIGNED_CONVERTER

}  // extern "C"
