// What the hash modules share: which bytes are hashed, and how digests are shown.
#pragma once

#include "support.h"

#include <string>

namespace hashing {

// Longer data is hashed detached.
constexpr Py_ssize_t kDetachAbove = 2048;

inline bool get_bytes(PyObject* data, Py_buffer* view) {
  if (PyUnicode_Check(data)) {
    PyErr_SetString(PyExc_TypeError, "Strings must be encoded before hashing");
    return false;
  }
  if (!PyObject_CheckBuffer(data)) {
    PyErr_SetString(PyExc_TypeError, "object supporting the buffer API required");
    return false;
  }
  if (PyObject_GetBuffer(data, view, PyBUF_SIMPLE) < 0) return false;
  if (view->ndim <= 1) return true;
  PyErr_SetString(PyExc_BufferError, "Buffer must be single dimension");
  PyBuffer_Release(view);
  return false;
}

// `data` has an old name, `string`: false with an exception when both are given.
inline bool choose_data(PyObject** data, PyObject* string) {
  if (string == Py_None) string = nullptr;
  if (*data != nullptr && string != nullptr) {
    PyErr_SetString(PyExc_TypeError, "'data' and 'string' are mutually exclusive and support for 'string' keyword parameter "
                                     "is slated for removal in a future version.");
    return false;
  }
  if (*data == nullptr) *data = string;
  return true;
}

inline PyObject* hexadecimal(const void* bytes, size_t n) {
  std::string hex;
  hex.reserve(n * 2);
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = static_cast<const unsigned char*>(bytes)[i];
    hex.push_back("0123456789abcdef"[c >> 4]);
    hex.push_back("0123456789abcdef"[c & 15]);
  }
  return PyUnicode_FromStringAndSize(hex.data(), static_cast<Py_ssize_t>(hex.size()));
}

}  // namespace hashing
