// Owns the tables behind Py_ISALPHA, Py_TOLOWER and their like: ASCII only, whatever the locale.
#include "Python.h"

namespace {

constexpr bool within(int c, int low, int high) { return c >= low && c <= high; }

constexpr unsigned classes(int c) {
  unsigned result = 0;
  if (within(c, 'a', 'z')) result |= PY_CTF_LOWER;
  if (within(c, 'A', 'Z')) result |= PY_CTF_UPPER;
  if (within(c, '0', '9')) result |= PY_CTF_DIGIT;
  if (within(c, '0', '9') || within(c, 'a', 'f') || within(c, 'A', 'F')) result |= PY_CTF_XDIGIT;
  if (c == ' ' || within(c, '\t', '\r')) result |= PY_CTF_SPACE;
  return result;
}
constexpr unsigned char lower(int c) { return static_cast<unsigned char>(within(c, 'A', 'Z') ? c + 32 : c); }
constexpr unsigned char upper(int c) { return static_cast<unsigned char>(within(c, 'a', 'z') ? c - 32 : c); }

}  // namespace

#define AMPHIS_4(f, c) f(c), f((c) + 1), f((c) + 2), f((c) + 3)
#define AMPHIS_16(f, c) AMPHIS_4(f, c), AMPHIS_4(f, (c) + 4), AMPHIS_4(f, (c) + 8), AMPHIS_4(f, (c) + 12)
#define AMPHIS_64(f, c) AMPHIS_16(f, c), AMPHIS_16(f, (c) + 16), AMPHIS_16(f, (c) + 32), AMPHIS_16(f, (c) + 48)
#define AMPHIS_256(f) AMPHIS_64(f, 0), AMPHIS_64(f, 64), AMPHIS_64(f, 128), AMPHIS_64(f, 192)

extern "C" {

const unsigned int _Py_ctype_table[256] = {AMPHIS_256(classes)};
const unsigned char _Py_ctype_tolower[256] = {AMPHIS_256(lower)};
const unsigned char _Py_ctype_toupper[256] = {AMPHIS_256(upper)};

}  // extern "C"
