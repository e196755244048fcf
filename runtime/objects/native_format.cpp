// Reading and writing single values in native format.
#include "objects/native_format.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "objects/bytes_span.h"
#include "objects/float.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {
namespace {

template <typename T>
T load(const char* memory) {
  T value;
  std::memcpy(&value, memory, sizeof(value));
  return value;
}

template <typename T>
bool store(char* out, T value) {
  std::memcpy(out, &value, sizeof(value));
  return true;
}

bool invalid_type(char format) {
  PyErr_Format(PyExc_TypeError, "memoryview: invalid type for format '%c'", format);
  return false;
}

bool invalid_value(char format) {
  PyErr_Format(PyExc_ValueError, "memoryview: invalid value for format '%c'", format);
  return false;
}

// A conversion failed: put its error in the words of the buffer.
bool conversion_failed(char format) {
  if (PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    return invalid_type(format);
  }
  if (PyErr_ExceptionMatches(PyExc_OverflowError) || PyErr_ExceptionMatches(PyExc_ValueError)) {
    PyErr_Clear();
    return invalid_value(format);
  }
  return false;
}

template <typename T>
bool store_int(char* out, PyObject* value, char format) {
  int64_t small;
  if (PyLong_Check(value) && compact_value(value, &small) && small >= 0 &&
      static_cast<uint64_t>(small) <= static_cast<uint64_t>(std::numeric_limits<T>::max())) {
    return store(out, static_cast<T>(small));
  }
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return conversion_failed(format);
  if constexpr (std::is_signed_v<T>) {
    int64_t n;
    if (!int_to_int64(index.get(), &n) || n < std::numeric_limits<T>::min() || n > std::numeric_limits<T>::max()) {
      return invalid_value(format);
    }
    return store(out, static_cast<T>(n));
  } else {
    const uint64_t n = PyLong_AsUnsignedLongLong(index.get());
    if (n == static_cast<uint64_t>(-1) && PyErr_Occurred()) return conversion_failed(format);
    return n > std::numeric_limits<T>::max() ? invalid_value(format) : store(out, static_cast<T>(n));
  }
}

template <typename T>
bool store_float(char* out, PyObject* value, char format) {
  const double d = PyFloat_AsDouble(value);
  if (d == -1.0 && PyErr_Occurred()) return conversion_failed(format);
  return store(out, static_cast<T>(d));
}

}  // namespace

Py_ssize_t native_format_size(char format) {
  switch (format) {
    case 'c': case 'b': case 'B': case '?': return 1;
    case 'h': case 'H': case 'e': return 2;
    case 'i': case 'I': case 'f': return 4;
    case 'l': case 'L': case 'q': case 'Q': case 'n': case 'N': case 'd': case 'P': return 8;
    default: return 0;
  }
}

char native_format_letter(const char* format) {
  if (format == nullptr) return 'B';
  if (*format == '@') ++format;
  return format[0] != '\0' && format[1] == '\0' && native_format_size(*format) != 0 ? *format : '\0';
}

PyObject* unpack_native(const char* memory, char format) {
  switch (format) {
    case 'b': return small_int(static_cast<signed char>(*memory));
    case 'B': return small_int(static_cast<unsigned char>(*memory));
    case 'h': return int_from_int64(load<short>(memory));
    case 'H': return int_from_int64(load<unsigned short>(memory));
    case 'i': return int_from_int64(load<int>(memory));
    case 'I': return int_from_int64(load<unsigned int>(memory));
    case 'l': case 'q': case 'n': return int_from_int64(load<int64_t>(memory));
    case 'L': case 'Q': case 'N': case 'P': return int_from_uint64(load<uint64_t>(memory));
    case 'e': return float_from_double(PyFloat_Unpack2(memory, PY_LITTLE_ENDIAN));
    case 'f': return float_from_double(load<float>(memory));
    case 'd': return float_from_double(load<double>(memory));
    case '?': return PyBool_FromLong(*memory != 0);
    case 'c': return single_byte(static_cast<uint8_t>(*memory));
    default:
      PyErr_Format(PyExc_NotImplementedError, "memoryview: format %c not supported", format);
      return nullptr;
  }
}

bool pack_native(char* out, PyObject* value, char format) {
  switch (format) {
    case 'b': return store_int<signed char>(out, value, format);
    case 'B': return store_int<unsigned char>(out, value, format);
    case 'h': return store_int<short>(out, value, format);
    case 'H': return store_int<unsigned short>(out, value, format);
    case 'i': return store_int<int>(out, value, format);
    case 'I': return store_int<unsigned int>(out, value, format);
    case 'l': case 'q': case 'n': return store_int<int64_t>(out, value, format);
    case 'L': case 'Q': case 'N': return store_int<uint64_t>(out, value, format);
    case 'f': return store_float<float>(out, value, format);
    case 'd': return store_float<double>(out, value, format);
    case 'e': {
      const double d = PyFloat_AsDouble(value);
      if ((d == -1.0 && PyErr_Occurred()) || PyFloat_Pack2(d, out, PY_LITTLE_ENDIAN) < 0) {
        return conversion_failed(format);
      }
      return true;
    }
    case '?': {
      const int truth = PyObject_IsTrue(value);
      return truth >= 0 && store(out, static_cast<char>(truth));
    }
    case 'c':
      if (!PyBytes_Check(value)) return invalid_type(format);
      if (PyBytes_GET_SIZE(value) != 1) return invalid_value(format);
      *out = PyBytes_AS_STRING(value)[0];
      return true;
    case 'P': {
      void* p = PyLong_AsVoidPtr(value);
      if (p == nullptr && PyErr_Occurred()) return conversion_failed(format);
      return store(out, p);
    }
    default:
      PyErr_Format(PyExc_NotImplementedError, "memoryview: format %c not supported", format);
      return false;
  }
}

}  // namespace amphis
