// Parsing of format specifications, and the layout that all numbers share: sign, prefix, grouped digits,
// padding.
#include "objects/format_spec.h"

#include <locale.h>

#include "objects/format.h"
#include "sync/ref.h"

namespace amphis {
namespace {

bool is_align(Py_UCS4 ch) {
  return ch == '<' || ch == '>' || ch == '=' || ch == '^';
}

// Digits at position *at; 0 of them leave *value alone. -1 on overflow.
int read_number(const StrView& s, Py_ssize_t* at, Py_ssize_t* value) {
  Py_ssize_t v = 0;
  int n = 0;
  while (*at < s.length) {
    int digit = Py_UNICODE_TODECIMAL(s[*at]);
    if (digit < 0) break;
    if (v > (PY_SSIZE_T_MAX - digit) / 10) {
      PyErr_SetString(PyExc_ValueError, "Too many decimal digits in format string");
      return -1;
    }
    v = v * 10 + digit;
    ++*at;
    n++;
  }
  if (n) *value = v;
  return n;
}

bool both_separators() {
  PyErr_SetString(PyExc_ValueError, "Cannot specify both ',' and '_'.");
  return false;
}

// [,_] at position *at.
bool read_grouping(const StrView& s, Py_ssize_t* at, char* grouping) {
  if (*at < s.length && s[*at] == ',') {
    *grouping = ',';
    ++*at;
  }
  if (*at < s.length && s[*at] == '_') {
    if (*grouping) return both_separators();
    *grouping = '_';
    ++*at;
  }
  if (*at < s.length && s[*at] == ',' && *grouping == '_') return both_separators();
  return true;
}

// How digits are grouped and what stands between groups and before the fraction.
struct Conventions {
  const char* point = ".";
  const char* separator = "";
  const char* groups = "";  // sizes from the right; the last repeats; CHAR_MAX ends grouping
};

// One group: filled-in zeros, then digits.
struct GroupRun {
  Py_ssize_t zeros, digits;
};

class Grouping {
 public:
  explicit Grouping(const Conventions& c) : p_(c.groups) {}

  // The size of the next group; 0: all that is left.
  Py_ssize_t next() {
    if (!*p_ || static_cast<unsigned char>(*p_) == 127) return last_ && !*p_ ? last_ : 0;
    last_ = *p_++;
    return last_;
  }

 private:
  const char* p_;
  Py_ssize_t last_ = 0;
};

// Writes the integer digits, filled with zeros to min_width and grouped.
bool write_grouped(StrWriter& out, const char* digits, Py_ssize_t n, Py_ssize_t min_width,
                   const Conventions& c, PyObject* separator) {
  Py_ssize_t separator_length = separator ? PyUnicode_GET_LENGTH(separator) : 0;
  if (!separator || !*c.groups) {
    return (min_width <= n || out.put_fill('0', min_width - n)) && out.put_ascii(digits, n);
  }
  // Groups are found from the right and written from the left.
  Py_ssize_t capacity = (n > min_width ? n : min_width) + 1;
  GroupRun small[64];
  GroupRun* runs =
      capacity <= 64 ? small
                     : static_cast<GroupRun*>(PyMem_Malloc(sizeof(GroupRun) * static_cast<size_t>(capacity)));
  if (!runs) {
    PyErr_NoMemory();
    return false;
  }
  Py_ssize_t count = 0, left = n, width = min_width;
  Grouping sizes(c);
  for (;;) {
    Py_ssize_t size = sizes.next();
    Py_ssize_t wanted = left > width ? left : width;
    if (wanted < 1) wanted = 1;
    if (size == 0 || size > wanted) size = wanted;
    Py_ssize_t take = left < size ? left : size;
    runs[count++] = {size - take, take};
    left -= take;
    width -= size;
    if (left <= 0 && width <= 0) break;
    width -= separator_length;
  }
  bool ok = true;
  const char* p = digits;
  for (Py_ssize_t i = count - 1; ok && i >= 0; i--) {
    ok = out.put_fill('0', runs[i].zeros) && out.put_ascii(p, runs[i].digits) &&
         (i == 0 || out.put_str(separator));
    p += runs[i].digits;
  }
  if (runs != small) PyMem_Free(runs);
  return ok;
}

Py_ssize_t grouped_length(Py_ssize_t n, Py_ssize_t min_width, const Conventions& c,
                          Py_ssize_t separator_length) {
  if (!separator_length || !*c.groups) return n > min_width ? n : min_width;
  Grouping sizes(c);
  Py_ssize_t total = 0, left = n, width = min_width;
  for (;;) {
    Py_ssize_t size = sizes.next();
    Py_ssize_t wanted = left > width ? left : width;
    if (wanted < 1) wanted = 1;
    if (size == 0 || size > wanted) size = wanted;
    total += size;
    left -= left < size ? left : size;
    width -= size;
    if (left <= 0 && width <= 0) return total;
    total += separator_length;
    width -= separator_length;
  }
}

}  // namespace

PyObject* unknown_format_code(Py_UCS4 code, PyObject* value) {
  if (code > 32 && code < 128) {
    PyErr_Format(PyExc_ValueError, "Unknown format code '%c' for object of type '%.200s'",
                 static_cast<int>(code), Py_TYPE(value)->tp_name);
  } else {
    PyErr_Format(PyExc_ValueError, "Unknown format code '\\x%x' for object of type '%.200s'",
                 static_cast<unsigned>(code), Py_TYPE(value)->tp_name);
  }
  return nullptr;
}

bool parse_format_spec(PyObject* spec, PyObject* value, Py_UCS4 default_type, char default_align,
                       FormatSpec* out) {
  StrView s(spec);
  Py_ssize_t at = 0;
  bool fill_given = false, align_given = false;
  out->align = default_align;
  out->type = default_type;
  if (s.length >= 2 && is_align(s[1])) {
    out->align = static_cast<char>(s[1]);
    out->fill = s[0];
    fill_given = align_given = true;
    at = 2;
  } else if (s.length >= 1 && is_align(s[0])) {
    out->align = static_cast<char>(s[0]);
    align_given = true;
    at = 1;
  }
  auto next_is = [&](Py_UCS4 ch) { return at < s.length && s[at] == ch; };
  if (next_is('+') || next_is('-') || next_is(' ')) out->sign = static_cast<char>(s[at++]);
  if (next_is('z')) {
    out->no_negative_zero = true;
    at++;
  }
  if (next_is('#')) {
    out->alternate = true;
    at++;
  }
  if (!fill_given && next_is('0')) {
    out->fill = '0';
    if (!align_given && default_align == '>') out->align = '=';
    at++;
  }
  int digits = read_number(s, &at, &out->width);
  if (digits < 0) return false;
  if (!read_grouping(s, &at, &out->grouping)) return false;
  if (next_is('.')) {
    at++;
    digits = read_number(s, &at, &out->precision);
    if (digits < 0) return false;
    if (!read_grouping(s, &at, &out->fraction_grouping)) return false;
    if (digits == 0 && !out->fraction_grouping) {
      PyErr_SetString(PyExc_ValueError, "Format specifier missing precision");
      return false;
    }
  }
  if (s.length - at > 1) {
    PyErr_Format(PyExc_ValueError, "Invalid format specifier '%U' for object of type '%.200s'", spec,
                 Py_TYPE(value)->tp_name);
    return false;
  }
  if (s.length - at == 1) out->type = s[at];
  if (out->grouping) {
    switch (out->type) {
      case 'd':
      case 'e':
      case 'f':
      case 'g':
      case 'E':
      case 'G':
      case '%':
      case 'F':
      case 0:
        break;
      case 'b':
      case 'o':
      case 'x':
      case 'X':
        if (out->grouping == '_') break;
        [[fallthrough]];
      default:
        if (out->type > 32 && out->type < 128) {
          PyErr_Format(PyExc_ValueError, "Cannot specify '%c' with '%c'.", out->grouping,
                       static_cast<int>(out->type));
        } else {
          PyErr_Format(PyExc_ValueError, "Cannot specify '%c' with '\\x%x'.", out->grouping,
                       static_cast<unsigned>(out->type));
        }
        return false;
    }
  }
  if (out->fraction_grouping && out->type == 'n') {
    PyErr_Format(PyExc_ValueError, "Cannot specify '%c' with 'n'.", out->fraction_grouping);
    return false;
  }
  return true;
}

NumberText split_float_text(const char* text, Py_ssize_t n) {
  NumberText number;
  const char* p = text;
  const char* end = text + n;
  while (p < end && *p >= '0' && *p <= '9') p++;
  number.digits = text;
  number.digits_length = p - text;
  if (p < end && *p == '.') {
    number.has_point = true;
    number.fraction = ++p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    number.fraction_length = p - number.fraction;
  }
  number.rest = p;
  number.rest_length = end - p;
  return number;
}

bool write_number(StrWriter& out, const NumberText& number, const FormatSpec& spec) {
  Conventions c;
  Ref<> separator, point;
  if (spec.type == 'n') {
    const struct lconv* locale = localeconv();
    c.point = locale->decimal_point;
    c.separator = locale->thousands_sep;
    c.groups = locale->grouping;
    if (*c.separator) {
      separator = Ref<>::steal(PyUnicode_DecodeLocale(c.separator, "surrogateescape"));
      if (!separator) return false;
    }
  } else if (spec.grouping) {
    c.separator = spec.grouping == ',' ? "," : "_";
    c.groups = spec.type == 'b' || spec.type == 'o' || spec.type == 'x' || spec.type == 'X' ? "\4" : "\3";
    separator = Ref<>::steal(latin1_char(static_cast<Py_UCS4>(spec.grouping)));
  }
  if (number.has_point) {
    point = Ref<>::steal(PyUnicode_DecodeLocale(c.point, "surrogateescape"));
    if (!point) return false;
  }
  Py_ssize_t fraction_separators =
      spec.fraction_grouping && number.fraction_length > 0 ? (number.fraction_length - 1) / 3 : 0;
  Py_ssize_t others = (number.sign != 0) + number.prefix_length +
                      (point ? PyUnicode_GET_LENGTH(point.get()) : 0) + number.fraction_length +
                      fraction_separators + number.rest_length;
  // Zeros that fill up count as digits and are grouped with them.
  Py_ssize_t min_width =
      spec.fill == '0' && spec.align == '=' && spec.width > others ? spec.width - others : 0;
  Py_ssize_t separator_length = separator ? PyUnicode_GET_LENGTH(separator.get()) : 0;
  Py_ssize_t digits = number.digits_length == 0
                          ? min_width
                          : grouped_length(number.digits_length, min_width, c, separator_length);
  Py_ssize_t padding = spec.width > others + digits ? spec.width - others - digits : 0;
  Py_ssize_t left = spec.align == '<' || spec.align == '=' ? 0 : spec.align == '^' ? padding / 2 : padding;
  Py_ssize_t inner = spec.align == '=' ? padding : 0;

  if (!out.put_fill(spec.fill, left)) return false;
  if (number.sign && !out.put(static_cast<Py_UCS4>(number.sign))) return false;
  if (!out.put_ascii(number.prefix, number.prefix_length)) return false;
  if (!out.put_fill(spec.fill, inner)) return false;
  if (number.digits_length == 0) {
    if (!out.put_fill('0', min_width)) return false;
  } else if (!write_grouped(out, number.digits, number.digits_length, min_width, c, separator.get())) {
    return false;
  }
  if (point && !out.put_str(point.get())) return false;
  if (fraction_separators) {
    for (Py_ssize_t i = 0; i < number.fraction_length; i += 3) {
      Py_ssize_t n = number.fraction_length - i < 3 ? number.fraction_length - i : 3;
      if (i && !out.put(static_cast<Py_UCS4>(spec.fraction_grouping))) return false;
      if (!out.put_ascii(number.fraction + i, n)) return false;
    }
  } else if (!out.put_ascii(number.fraction, number.fraction_length)) {
    return false;
  }
  if (!out.put_ascii(number.rest, number.rest_length)) return false;
  return out.put_fill(spec.fill, padding - left - inner);
}

PyObject* pad_to_spec(PyObject* s, const FormatSpec& spec) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  Py_ssize_t padding = spec.width > n ? spec.width - n : 0;
  if (!padding) return str_exact(s);
  Py_ssize_t left = spec.align == '<' ? 0 : spec.align == '^' ? padding / 2 : padding;
  StrWriter out(n + padding);
  out.set_overallocate(false);
  if (!out.put_fill(spec.fill, left) || !out.put_str(s) || !out.put_fill(spec.fill, padding - left))
    return nullptr;
  return out.finish();
}

PyObject* format_str(PyObject* value, PyObject* spec_text) {
  FormatSpec spec;
  if (!parse_format_spec(spec_text, value, 's', '<', &spec)) return nullptr;
  if (spec.type != 's') return unknown_format_code(spec.type, value);
  const char* refused = nullptr;
  if (spec.sign) {
    refused = spec.sign == ' ' ? "Space not allowed in string format specifier"
                               : "Sign not allowed in string format specifier";
  } else if (spec.no_negative_zero) {
    refused = "Negative zero coercion (z) not allowed in string format specifier";
  } else if (spec.alternate) {
    refused = "Alternate form (#) not allowed in string format specifier";
  } else if (spec.align == '=') {
    refused = "'=' alignment not allowed in string format specifier";
  }
  if (refused) {
    PyErr_SetString(PyExc_ValueError, refused);
    return nullptr;
  }
  if (spec.precision < 0 || spec.precision >= PyUnicode_GET_LENGTH(value)) return pad_to_spec(value, spec);
  Ref<> cut = Ref<>::steal(str_slice(value, 0, spec.precision));
  return cut ? pad_to_spec(cut.get(), spec) : nullptr;
}

}  // namespace amphis
