// Literals that are not strings: numbers and the named constants.
#include <charconv>
#include <cstring>
#include <limits>

#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

namespace {

// The value of a decimal float without underscores. Locale plays no part.
double parse_double(std::string_view text) {
  double value = 0;
  auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc::result_out_of_range) return value;
  // Out of range: zero or infinity, as the order of magnitude says.
  long exponent = 0;
  size_t e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    const char* p = text.data() + e + 1;
    if (*p == '+') ++p;
    auto parsed = std::from_chars(p, text.data() + text.size(), exponent);
    if (parsed.ec == std::errc::result_out_of_range) exponent = *p == '-' ? -1000000000L : 1000000000L;
  }
  std::string_view mantissa = text.substr(0, e);
  size_t point = mantissa.find('.');
  std::string_view whole = mantissa.substr(0, point);
  size_t first = whole.find_first_not_of('0');
  long magnitude;
  if (first != std::string_view::npos) {
    magnitude = static_cast<long>(whole.size() - first);
  } else {
    if (point == std::string_view::npos) return 0;
    size_t nonzero = mantissa.find_first_not_of('0', point + 1);
    if (nonzero == std::string_view::npos) return 0;
    magnitude = -static_cast<long>(nonzero - point - 1);
  }
  return exponent + magnitude > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

int digit_value(char c) {
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

}  // namespace

bool Parser::parse_number(const Token& t, ConstantValue& value) {
  std::string_view text = token_text(t);
  if (text.find('_') != std::string_view::npos) {
    char* compact = static_cast<char*>(arena_.allocate(text.size() + 1));
    size_t size = 0;
    for (char c : text) {
      if (c != '_') compact[size++] = c;
    }
    compact[size] = '\0';
    text = {compact, size};
  }
  unsigned base = 10;
  if (text.size() > 2 && text[0] == '0') {
    switch (text[1] | 0x20) {
      case 'x':
        base = 16;
        break;
      case 'o':
        base = 8;
        break;
      case 'b':
        base = 2;
        break;
      default:
        break;
    }
  }
  if (base == 10) {
    if ((text.back() | 0x20) == 'j') {
      value.kind = ConstantKind::Complex;
      value.real = 0;
      value.imag = parse_double(text.substr(0, text.size() - 1));
      return true;
    }
    if (text.find_first_of(".eE") != std::string_view::npos) {
      value.kind = ConstantKind::Float;
      value.real = parse_double(text);
      return true;
    }
    if (options_.max_int_digits > 0 && text.size() > static_cast<size_t>(options_.max_int_digits)) {
      raise_at(SyntaxErrorKind::SyntaxError, t.line, -1, t.line, -1,
               "Exceeds the limit (" + std::to_string(options_.max_int_digits) +
                   " digits) for integer string conversion: value has " + std::to_string(text.size()) +
                   " digits; use sys.set_int_max_str_digits() to increase the limit - Consider hexadecimal "
                   "for huge "
                   "integer literals to avoid decimal conversion limits.");
      return false;
    }
  } else {
    text.remove_prefix(2);
  }
  value.kind = ConstantKind::Int;
  value.base = static_cast<uint8_t>(base);
  value.text = text;
  value.int_fits = true;
  int64_t result = 0;
  for (char c : text) {
    if (__builtin_mul_overflow(result, static_cast<int64_t>(base), &result) ||
        __builtin_add_overflow(result, static_cast<int64_t>(digit_value(c)), &result)) {
      value.int_fits = false;
      result = 0;
      break;
    }
  }
  value.int_value = result;
  return true;
}

expr* Parser::number() {
  const Token t = tok();
  auto* n = open<Constant>(t);
  ++pos_;
  if (!parse_number(t, n->value)) return nullptr;
  return close(n);
}

expr* Parser::constant(const Token& t, ConstantKind kind) {
  auto* n = open<Constant>(t);
  n->value.kind = kind;
  n->end_lineno = t.end_line;
  n->end_col_offset = t.end_col;
  ++pos_;
  return n;
}

}  // namespace amphis
