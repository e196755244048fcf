// A parsed format specification:
//   [[fill]align][sign]["z"]["#"]["0"][width][grouping]["." [precision][grouping]][type]
#pragma once

#include "objects/str_writer.h"

namespace amphis {

struct FormatSpec {
  Py_UCS4 fill = ' ';
  char align;                     // one of < > = ^
  char sign = 0;                  // one of + - space, or 0
  bool alternate = false;         // #
  bool no_negative_zero = false;  // z
  char grouping = 0;              // , or _ in the integer part, or 0
  char fraction_grouping = 0;
  Py_UCS4 type;
  Py_ssize_t width = -1;
  Py_ssize_t precision = -1;
};

bool parse_format_spec(PyObject* spec, PyObject* value, Py_UCS4 default_type, char default_align,
                       FormatSpec* out);
// "Unknown format code 'x' for object of type 'y'". Returns null.
PyObject* unknown_format_code(Py_UCS4 code, PyObject* value);

// The parts of a number's text. The digits carry no sign and no prefix.
struct NumberText {
  char sign = 0;
  const char* prefix = nullptr;  // such as "0x"
  Py_ssize_t prefix_length = 0;
  const char* digits = nullptr;  // before the decimal point
  Py_ssize_t digits_length = 0;
  bool has_point = false;
  const char* fraction = nullptr;
  Py_ssize_t fraction_length = 0;
  const char* rest = nullptr;  // exponent, percent sign
  Py_ssize_t rest_length = 0;
};

// Writes the number with sign, grouping and padding as the specification says.
bool write_number(StrWriter& out, const NumberText& number, const FormatSpec& spec);
// The sign that a specification asks for.
inline char sign_for(const FormatSpec& spec, bool negative) {
  return negative ? '-' : spec.sign == '+' || spec.sign == ' ' ? spec.sign : static_cast<char>(0);
}
// Splits the text of a float (as PyOS_double_to_string writes it) into its parts.
NumberText split_float_text(const char* text, Py_ssize_t n);
// s padded to the width of the specification.
PyObject* pad_to_spec(PyObject* s, const FormatSpec& spec);

}  // namespace amphis
