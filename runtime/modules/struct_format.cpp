// Compiling formats of the module `_struct`, and packing and unpacking by them.
#include "modules/struct_format.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "objects/float.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis::structs {
namespace {

struct Letter {
  Kind kind;
  unsigned char size;
  unsigned char alignment;  // 0: none
};

// Sizes and alignments of the machine ('@'), or of the standard, without alignment.
std::optional<Letter> letter_of(char c, bool native) {
  const auto aligned = [native](Kind kind, unsigned char size, unsigned char standard, unsigned char alignment) {
    return native ? Letter{kind, size, alignment} : Letter{kind, standard, 0};
  };
  switch (c) {
    case 'x': return Letter{Kind::kPad, 1, 0};
    case 'c': return Letter{Kind::kChar, 1, 0};
    case 'b': return Letter{Kind::kSigned, 1, 0};
    case 'B': return Letter{Kind::kUnsigned, 1, 0};
    case '?': return Letter{Kind::kBool, 1, 0};
    case 's': return Letter{Kind::kBytes, 1, 0};
    case 'p': return Letter{Kind::kPascal, 1, 0};
    case 'h': return aligned(Kind::kSigned, 2, 2, 2);
    case 'H': return aligned(Kind::kUnsigned, 2, 2, 2);
    case 'i': return aligned(Kind::kSigned, 4, 4, 4);
    case 'I': return aligned(Kind::kUnsigned, 4, 4, 4);
    case 'l': return aligned(Kind::kSigned, sizeof(long), 4, alignof(long));
    case 'L': return aligned(Kind::kUnsigned, sizeof(long), 4, alignof(long));
    case 'q': return aligned(Kind::kSigned, 8, 8, 8);
    case 'Q': return aligned(Kind::kUnsigned, 8, 8, 8);
    case 'e': return aligned(Kind::kHalf, 2, 2, 2);
    case 'f': return aligned(Kind::kFloat, 4, 4, 4);
    case 'd': return aligned(Kind::kDouble, 8, 8, 8);
    case 'F': return aligned(Kind::kComplexFloat, 8, 8, 4);
    case 'D': return aligned(Kind::kComplexDouble, 16, 16, 8);
    case 'n':
      if (native) return Letter{Kind::kSigned, sizeof(Py_ssize_t), alignof(Py_ssize_t)};
      return std::nullopt;
    case 'N':
      if (native) return Letter{Kind::kUnsigned, sizeof(size_t), alignof(size_t)};
      return std::nullopt;
    case 'P':
      if (native) return Letter{Kind::kPointer, sizeof(void*), alignof(void*)};
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// Reads the next item of a format: how often and what. 1 found, 0 end, -1 error.
int next_item(const char** text, bool native, Py_ssize_t* repeat, char* letter, Letter* what, PyObject* error) {
  const char* p = *text;
  while (Py_ISSPACE(*p)) ++p;
  if (*p == '\0') return 0;
  *repeat = 1;
  if (Py_ISDIGIT(*p)) {
    Py_ssize_t n = 0;
    for (; Py_ISDIGIT(*p); ++p) {
      if (__builtin_mul_overflow(n, Py_ssize_t{10}, &n) || __builtin_add_overflow(n, Py_ssize_t{*p - '0'}, &n)) {
        PyErr_SetString(error, "total struct size too long");
        return -1;
      }
    }
    if (*p == '\0') {
      PyErr_SetString(error, "repeat count given without format specifier");
      return -1;
    }
    *repeat = n;
  }
  const auto known = letter_of(*p, native);
  if (!known) {
    PyErr_SetString(error, "bad char in struct format");
    return -1;
  }
  *letter = *p++;
  *what = *known;
  *text = p;
  return 1;
}

bool too_long(PyObject* error) {
  PyErr_SetString(error, "total struct size too long");
  return false;
}

// Walks the format; with `format` null it only counts codes.
bool walk(const char* text, bool native, bool little_endian, Format* format, Py_ssize_t* codes, PyObject* error) {
  Py_ssize_t size = 0, values = 0, count = 0;
  for (;;) {
    Py_ssize_t repeat;
    char letter;
    Letter what;
    const int status = next_item(&text, native, &repeat, &letter, &what, error);
    if (status < 0) return false;
    if (status == 0) break;
    if (what.alignment > 1) {
      const Py_ssize_t extra = -size & (what.alignment - 1);
      if (__builtin_add_overflow(size, extra, &size)) return too_long(error);
    }
    Code code{what.kind, letter, little_endian, size, what.size, repeat};
    Py_ssize_t bytes;
    if (__builtin_mul_overflow(repeat, Py_ssize_t{what.size}, &bytes) || __builtin_add_overflow(size, bytes, &size)) {
      return too_long(error);
    }
    switch (what.kind) {
      case Kind::kPad:
        continue;
      case Kind::kBytes:
      case Kind::kPascal:
        // The count is the length of one value.
        code.size = repeat;
        code.repeat = 1;
        break;
      default:
        if (repeat == 0) continue;
    }
    values += code.repeat;
    if (format != nullptr) format->codes[count] = code;
    ++count;
  }
  if (format != nullptr) {
    format->size = size;
    format->values = values;
    format->count = count;
  }
  *codes = count;
  return true;
}

bool range_error(const Code& code, PyObject* error) {
  const int bits = static_cast<int>(code.size) * 8;
  if (code.kind == Kind::kUnsigned) {
    const uint64_t max = bits == 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1;
    PyErr_Format(error, "'%c' format requires 0 <= number <= %llu", code.letter, static_cast<unsigned long long>(max));
  } else {
    const auto max = static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
    PyErr_Format(error, "'%c' format requires %lld <= number <= %lld", code.letter, static_cast<long long>(-max - 1),
                 static_cast<long long>(max));
  }
  return false;
}

void store_word(char* out, uint64_t word, Py_ssize_t size, bool little_endian) {
  if (little_endian) {
    std::memcpy(out, &word, static_cast<size_t>(size));
  } else {
    word = __builtin_bswap64(word);
    std::memcpy(out, reinterpret_cast<const char*>(&word) + 8 - size, static_cast<size_t>(size));
  }
}

uint64_t load_word(const char* in, Py_ssize_t size, bool little_endian) {
  uint64_t word = 0;
  if (little_endian) {
    std::memcpy(&word, in, static_cast<size_t>(size));
    return word;
  }
  std::memcpy(reinterpret_cast<char*>(&word) + 8 - size, in, static_cast<size_t>(size));
  return __builtin_bswap64(word);
}

// The int behind a value, or struct.error when there is none.
Ref<> read_int(PyObject* value, PyObject* error) {
  if (PyLong_Check(value)) return Ref<>::share(value);
  if (!PyIndex_Check(value)) {
    PyErr_SetString(error, "required argument is not an integer");
    return nullptr;
  }
  return Ref<>::steal(PyNumber_Index(value));
}

bool pack_int(const Code& code, PyObject* value, char* out, PyObject* error) {
  if (!PyLong_Check(value)) {
    auto number = read_int(value, error);
    return number && pack_int(code, number.get(), out, error);
  }
  const int bits = static_cast<int>(code.size) * 8;
  int64_t n;
  uint64_t word;
  if (int_to_int64(value, &n)) {
    if (code.kind == Kind::kUnsigned) {
      if (n < 0 || (bits < 64 && n >> bits != 0)) return range_error(code, error);
    } else if (bits < 64 && (n < -(int64_t{1} << (bits - 1)) || n >= int64_t{1} << (bits - 1))) {
      return range_error(code, error);
    }
    word = static_cast<uint64_t>(n);
  } else {
    if (code.kind == Kind::kSigned || bits < 64) return range_error(code, error);
    word = PyLong_AsUnsignedLongLong(value);
    if (word == static_cast<uint64_t>(-1) && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
      PyErr_Clear();
      return range_error(code, error);
    }
  }
  store_word(out, word, code.size, code.little_endian);
  return true;
}

bool pack_pointer(const Code& code, PyObject* value, char* out, PyObject* error) {
  auto number = read_int(value, error);
  if (!number) return false;
  void* p = PyLong_AsVoidPtr(number.get());
  if (p == nullptr && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_Clear();
      PyErr_SetString(error, "int too large to convert");
    }
    return false;
  }
  store_word(out, reinterpret_cast<uintptr_t>(p), code.size, code.little_endian);
  return true;
}

bool store_float(Kind kind, double x, char* out, bool little_endian) {
  switch (kind) {
    case Kind::kHalf:
      return PyFloat_Pack2(x, out, little_endian) == 0;
    case Kind::kFloat:
      return PyFloat_Pack4(x, out, little_endian) == 0;
    default:
      return PyFloat_Pack8(x, out, little_endian) == 0;
  }
}

bool pack_float(const Code& code, PyObject* value, char* out, PyObject* error) {
  const double x = PyFloat_AsDouble(value);
  if (x == -1.0 && PyErr_Occurred()) {
    PyErr_SetString(error, "required argument is not a float");
    return false;
  }
  return store_float(code.kind, x, out, code.little_endian);
}

bool pack_complex(const Code& code, PyObject* value, char* out, PyObject* error) {
  const Py_complex z = PyComplex_AsCComplex(value);
  if (z.real == -1.0 && PyErr_Occurred()) {
    PyErr_SetString(error, "required argument is not a complex");
    return false;
  }
  const Kind part = code.kind == Kind::kComplexFloat ? Kind::kFloat : Kind::kDouble;
  return store_float(part, z.real, out, code.little_endian) &&
         store_float(part, z.imag, out + code.size / 2, code.little_endian);
}

// s: cut or padded with zeros; p: a length byte first.
bool pack_bytes(const Code& code, PyObject* value, char* out, PyObject* error) {
  if (!PyBytes_Check(value) && !PyByteArray_Check(value)) {
    PyErr_Format(error, "argument for '%c' must be a bytes object", code.letter);
    return false;
  }
  const char* data = PyBytes_Check(value) ? PyBytes_AS_STRING(value) : PyByteArray_AS_STRING(value);
  Py_ssize_t n = PyBytes_Check(value) ? PyBytes_GET_SIZE(value) : PyByteArray_GET_SIZE(value);
  if (code.size == 0) return true;
  const Py_ssize_t head = code.kind == Kind::kPascal ? 1 : 0;
  n = std::min(n, code.size - head);
  std::memcpy(out + head, data, static_cast<size_t>(n));
  if (head) *out = static_cast<char>(std::min<Py_ssize_t>(n, 255));
  return true;
}

bool pack_value(const Code& code, PyObject* value, char* out, PyObject* error) {
  switch (code.kind) {
    case Kind::kSigned:
    case Kind::kUnsigned:
      return pack_int(code, value, out, error);
    case Kind::kHalf:
    case Kind::kFloat:
    case Kind::kDouble:
      return pack_float(code, value, out, error);
    case Kind::kComplexFloat:
    case Kind::kComplexDouble:
      return pack_complex(code, value, out, error);
    case Kind::kBool: {
      const int truth = PyObject_IsTrue(value);
      if (truth < 0) return false;
      *out = static_cast<char>(truth);
      return true;
    }
    case Kind::kChar:
      if (!PyBytes_Check(value) || PyBytes_GET_SIZE(value) != 1) {
        PyErr_SetString(error, "char format requires a bytes object of length 1");
        return false;
      }
      *out = PyBytes_AS_STRING(value)[0];
      return true;
    case Kind::kBytes:
    case Kind::kPascal:
      return pack_bytes(code, value, out, error);
    case Kind::kPointer:
      return pack_pointer(code, value, out, error);
    case Kind::kPad:
      break;
  }
  return true;
}

PyObject* unpack_value(const Code& code, const char* in) {
  switch (code.kind) {
    case Kind::kSigned: {
      const uint64_t word = load_word(in, code.size, code.little_endian);
      const int unused = 64 - static_cast<int>(code.size) * 8;
      return int_from_int64(static_cast<int64_t>(word << unused) >> unused);
    }
    case Kind::kUnsigned:
    case Kind::kPointer:
      return int_from_uint64(load_word(in, code.size, code.little_endian));
    case Kind::kHalf:
      return float_from_double(PyFloat_Unpack2(in, code.little_endian));
    case Kind::kFloat:
      return float_from_double(PyFloat_Unpack4(in, code.little_endian));
    case Kind::kDouble:
      return float_from_double(PyFloat_Unpack8(in, code.little_endian));
    case Kind::kComplexFloat:
      return PyComplex_FromDoubles(PyFloat_Unpack4(in, code.little_endian), PyFloat_Unpack4(in + 4, code.little_endian));
    case Kind::kComplexDouble:
      return PyComplex_FromDoubles(PyFloat_Unpack8(in, code.little_endian), PyFloat_Unpack8(in + 8, code.little_endian));
    case Kind::kBool:
      return PyBool_FromLong(*in != 0);
    case Kind::kChar:
      return PyBytes_FromStringAndSize(in, 1);
    case Kind::kBytes:
      return PyBytes_FromStringAndSize(in, code.size);
    case Kind::kPascal: {
      if (code.size == 0) return PyBytes_FromStringAndSize(nullptr, 0);
      const Py_ssize_t n = std::min<Py_ssize_t>(static_cast<unsigned char>(*in), code.size - 1);
      return PyBytes_FromStringAndSize(in + 1, n);
    }
    case Kind::kPad:
      break;
  }
  Py_RETURN_NONE;
}

}  // namespace

Format* compile(const char* text, PyObject* error) {
  bool native = true, little_endian = PY_LITTLE_ENDIAN;
  switch (*text) {
    case '<':
      native = false;
      little_endian = true;
      ++text;
      break;
    case '>':
    case '!':
      native = false;
      little_endian = false;
      ++text;
      break;
    case '=':
      native = false;
      ++text;
      break;
    case '@':
      ++text;
      break;
  }
  Py_ssize_t count;
  if (!walk(text, native, little_endian, nullptr, &count, error)) return nullptr;
  auto* format = static_cast<Format*>(
      PyMem_Malloc(sizeof(Format) + sizeof(Code) * static_cast<size_t>(std::max<Py_ssize_t>(count - 1, 0))));
  if (format == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  format->next = nullptr;
  walk(text, native, little_endian, format, &count, error);
  return format;
}

bool pack(const Format* format, PyObject* const* values, char* out, PyObject* error) {
  // Padding, and what short strings leave, is zero.
  std::memset(out, 0, static_cast<size_t>(format->size));
  for (Py_ssize_t i = 0; i < format->count; ++i) {
    const Code& code = format->codes[i];
    char* p = out + code.offset;
    for (Py_ssize_t n = 0; n < code.repeat; ++n, p += code.size) {
      if (!pack_value(code, *values++, p, error)) return false;
    }
  }
  return true;
}

PyObject* unpack(const Format* format, const char* in) {
  auto result = Ref<>::steal(PyTuple_New(format->values));
  if (!result) return nullptr;
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; i < format->count; ++i) {
    const Code& code = format->codes[i];
    const char* p = in + code.offset;
    for (Py_ssize_t n = 0; n < code.repeat; ++n, p += code.size) {
      PyObject* value = unpack_value(code, p);
      if (value == nullptr) return nullptr;
      PyTuple_SET_ITEM(result.get(), at++, value);
    }
  }
  return result.release();
}

}  // namespace amphis::structs
