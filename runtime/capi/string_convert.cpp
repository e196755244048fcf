// Numbers and plain C strings: PyOS_double_to_string, PyOS_string_to_double, PyOS_strtol, PyOS_snprintf,
// case-insensitive comparison. Nothing here depends on the locale.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "Python.h"
#include "objects/float.h"
#include "objects/int.h"

namespace amphis {
namespace {

// A growing piece of text in PyMem_Malloc memory.
class Text {
 public:
  explicit Text(size_t capacity) : data_(static_cast<char*>(PyMem_Malloc(capacity + 1))), end_(data_) {
    if (data_ == nullptr) PyErr_NoMemory();
  }
  ~Text() { PyMem_Free(data_); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  explicit operator bool() const { return data_ != nullptr; }
  void put(char c) { *end_++ = c; }
  void put(const char* text, size_t length) {
    std::memcpy(end_, text, length);
    end_ += length;
  }
  void fill(char c, size_t count) {
    std::memset(end_, c, count);
    end_ += count;
  }
  void put_exponent(int exponent, char letter) {
    put(letter);
    put(exponent < 0 ? '-' : '+');
    if (exponent < 0) exponent = -exponent;
    if (exponent < 10) put('0');
    end_ = std::to_chars(end_, end_ + 4, exponent).ptr;
  }
  char* release() {
    *end_ = '\0';
    return std::exchange(data_, nullptr);
  }

 private:
  char* data_;
  char* end_;
};

// Significant decimal digits and where the point goes: the value is 0.DIGITS * 10**point.
struct Digits {
  const char* text;
  size_t count;
  int point;
};

constexpr size_t kMaxUseful = 1100;  // no double has more digits that are not zero

struct Layout {
  char letter;    // 'e' or 'E'
  int fraction;   // digits behind the point to show at least; the rest is padded with zeros
  bool exponent;  // d.ddde+xx
  bool alternate; // keep the point even when nothing follows
};

// Shows digits in the given layout. The digits have been rounded for it already.
void put_digits(Text& out, const Digits& digits, const Layout& layout) {
  const char* p = digits.text;
  size_t left = digits.count;
  const auto take = [&](size_t wanted) {
    const size_t n = std::min(left, wanted);
    out.put(p, n);
    p += n;
    left -= n;
    out.fill('0', wanted - n);
  };
  const int whole = layout.exponent ? 1 : digits.point;
  if (whole > 0) {
    take(static_cast<size_t>(whole));
  } else {
    out.put('0');
  }
  if (layout.fraction > 0 || layout.alternate) out.put('.');
  auto fraction = static_cast<size_t>(layout.fraction);
  if (whole < 0) {
    const size_t zeros = std::min(fraction, static_cast<size_t>(-whole));
    out.fill('0', zeros);
    fraction -= zeros;
  }
  take(fraction);
  if (layout.exponent) out.put_exponent(digits.count == 0 ? 0 : digits.point - 1, layout.letter);
}

// Splits "d.ddde+xx" into digits (compacted in place) and exponent.
Digits split_scientific(char* text, char* end) {
  char* e = static_cast<char*>(std::memchr(text, 'e', static_cast<size_t>(end - text)));
  int exponent = 0;
  std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
  auto count = static_cast<size_t>(e - text);
  if (count > 1) {
    std::memmove(text + 1, text + 2, count - 2);
    --count;
  }
  return {text, count, exponent + 1};
}

char* special(bool nan, bool negative, bool sign, bool upper) {
  Text out(8);
  if (!out) return nullptr;
  if (!nan && negative) {
    out.put('-');
  } else if (sign) {
    out.put('+');
  }
  out.put(nan ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"), 3);
  return out.release();
}

bool all_zero(const Digits& digits) {
  return std::all_of(digits.text, digits.text + digits.count, [](char c) { return c == '0'; });
}

char* format_finite(double value, char code, int precision, int flags) {
  const bool upper = code == 'E' || code == 'F' || code == 'G';
  const char kind = upper ? static_cast<char>(code | 0x20) : code;
  const bool alternate = flags & Py_DTSF_ALT;
  bool negative = std::signbit(value);
  value = std::fabs(value);

  // Digits beyond the exact expansion are zeros: they are padded, not computed.
  const auto useful = static_cast<int>(std::min<size_t>(static_cast<size_t>(precision), kMaxUseful));
  Layout layout{upper ? 'E' : 'e', precision, kind == 'e', alternate};
  Digits digits;
  struct Scratch {
    char* text;
    ~Scratch() { PyMem_Free(text); }
  } scratch{static_cast<char*>(PyMem_Malloc(static_cast<size_t>(useful) + 360))};
  char* const text = scratch.text;
  if (text == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  char* const limit = text + useful + 360;
  bool add_dot_zero = flags & Py_DTSF_ADD_DOT_0;
  switch (kind) {
    case 'f': {
      char* end = std::to_chars(text, limit, value, std::chars_format::fixed, useful).ptr;
      const char* dot = static_cast<const char*>(std::memchr(text, '.', static_cast<size_t>(end - text)));
      const auto whole = static_cast<size_t>((dot != nullptr ? dot : end) - text);
      size_t count = whole;
      if (dot != nullptr) {
        std::memmove(text + whole, dot + 1, static_cast<size_t>(end - dot - 1));
        count = static_cast<size_t>(end - text) - 1;
      }
      digits = {text, count, static_cast<int>(whole)};
      break;
    }
    case 'e': {
      char* end = std::to_chars(text, limit, value, std::chars_format::scientific, useful).ptr;
      digits = split_scientific(text, end);
      break;
    }
    case 'g': {
      const int significant = std::max(precision, 1);
      char* end = std::to_chars(text, limit, value, std::chars_format::scientific, std::min(significant, useful + 1) - 1).ptr;
      digits = split_scientific(text, end);
      layout.exponent = digits.point <= -4 || digits.point > significant - (add_dot_zero ? 1 : 0);
      if (alternate) {
        layout.fraction = significant - (layout.exponent ? 1 : digits.point);
      } else {
        while (digits.count > 1 && digits.text[digits.count - 1] == '0') --digits.count;
        layout.fraction = std::max(0, static_cast<int>(digits.count) - (layout.exponent ? 1 : digits.point));
      }
      if (value == 0.0 && !alternate) layout.fraction = 0;
      break;
    }
    default: {  // 'r'
      char* end = std::to_chars(text, limit, value, std::chars_format::scientific).ptr;
      digits = split_scientific(text, end);
      layout.exponent = digits.point <= -4 || digits.point > 16;
      layout.fraction = std::max(0, static_cast<int>(digits.count) - (layout.exponent ? 1 : digits.point));
      if (value == 0.0) layout.fraction = 0;
    }
  }
  if (add_dot_zero && !layout.exponent && layout.fraction == 0) layout.fraction = 1;
  if ((flags & Py_DTSF_NO_NEG_0) && negative && all_zero(digits)) negative = false;

  Text out(static_cast<size_t>(layout.fraction) + static_cast<size_t>(std::max(digits.point, 1)) + 16);
  if (!out) return nullptr;
  if (negative) {
    out.put('-');
  } else if (flags & Py_DTSF_SIGN) {
    out.put('+');
  }
  put_digits(out, digits, layout);
  return out.release();
}

unsigned long parse_unsigned(const char* p, char** end, int base, const char* original) {
  const char prefix = p[0] == '0' ? static_cast<char>(p[1] | 0x20) : '\0';
  const int prefix_base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
  if ((base == 0 || base == prefix_base) && prefix_base != 0 &&
      _PyLong_DigitValue[static_cast<unsigned char>(p[2])] < prefix_base) {
    base = prefix_base;
    p += 2;
  } else if (base == 0) {
    base = 10;
  }
  unsigned long result = 0;
  bool overflow = false;
  const char* start = p;
  for (;; ++p) {
    const int digit = _PyLong_DigitValue[static_cast<unsigned char>(*p)];
    if (digit >= base) break;
    overflow |= __builtin_mul_overflow(result, static_cast<unsigned long>(base), &result);
    overflow |= __builtin_add_overflow(result, static_cast<unsigned long>(digit), &result);
  }
  if (end != nullptr) *end = const_cast<char*>(p == start ? original : p);
  if (!overflow) return result;
  errno = ERANGE;
  return ULONG_MAX;
}

int compare_ignoring_case(const char* a, const char* b, size_t limit) {
  for (size_t i = 0; i < limit; ++i) {
    const int x = Py_TOLOWER(static_cast<unsigned char>(a[i])), y = Py_TOLOWER(static_cast<unsigned char>(b[i]));
    if (x != y || x == 0) return x - y;
  }
  return 0;
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

char* PyOS_double_to_string(double value, char code, int precision, int flags, int* type) {
  if (std::strchr("efgrEFG", code) == nullptr || code == '\0' || (code == 'r' && precision != 0) || precision < 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  const bool upper = code == 'E' || code == 'F' || code == 'G';
  const bool finite = std::isfinite(value);
  if (type != nullptr) *type = finite ? Py_DTST_FINITE : std::isnan(value) ? Py_DTST_NAN : Py_DTST_INFINITE;
  if (!finite) return special(std::isnan(value), value < 0, flags & Py_DTSF_SIGN, upper);
  return format_finite(value, code, precision, flags);
}

double PyOS_string_to_double(const char* text, char** end, PyObject* overflow) {
  const char* stop;
  const char* limit = text + std::strlen(text);
  const double value = parse_double(text, limit, &stop);
  if (stop == text || (end == nullptr && stop != limit)) {
    if (end != nullptr) *end = const_cast<char*>(text);
    PyErr_Format(PyExc_ValueError, "could not convert string to float: '%.200s'", text);
    return -1.0;
  }
  if (overflow != nullptr && std::isinf(value) && std::strpbrk(text, "nN") == nullptr) {
    PyErr_Format(overflow, "value too large to convert to float: '%.200s'", text);
    return -1.0;
  }
  if (end != nullptr) *end = const_cast<char*>(stop);
  return value;
}

unsigned long PyOS_strtoul(const char* text, char** end, int base) {
  const char* p = text;
  while (Py_ISSPACE(*p)) ++p;
  return parse_unsigned(p, end, base, text);
}

long PyOS_strtol(const char* text, char** end, int base) {
  const char* p = text;
  while (Py_ISSPACE(*p)) ++p;
  const bool negative = *p == '-';
  if (*p == '+' || *p == '-') ++p;
  const unsigned long magnitude = parse_unsigned(p, end, base, text);
  if (magnitude <= static_cast<unsigned long>(LONG_MAX)) {
    const auto value = static_cast<long>(magnitude);
    return negative ? -value : value;
  }
  if (negative && magnitude == static_cast<unsigned long>(LONG_MAX) + 1) return LONG_MIN;
  errno = ERANGE;
  return negative ? LONG_MIN : LONG_MAX;
}

int PyOS_vsnprintf(char* out, size_t size, const char* format, va_list va) {
  const int length = std::vsnprintf(out, size, format, va);
  if (size > 0) out[size - 1] = '\0';
  return length;
}

int PyOS_snprintf(char* out, size_t size, const char* format, ...) {
  va_list va;
  va_start(va, format);
  const int length = PyOS_vsnprintf(out, size, format, va);
  va_end(va);
  return length;
}

int PyOS_mystricmp(const char* a, const char* b) { return compare_ignoring_case(a, b, SIZE_MAX); }
int PyOS_mystrnicmp(const char* a, const char* b, Py_ssize_t size) {
  return size <= 0 ? 0 : compare_ignoring_case(a, b, static_cast<size_t>(size));
}

}  // extern "C"
