// The private bytes writer of the C API: a small buffer first, then a bytes or bytearray object that is resized.
//
// The writer's caller holds the place to write on; every function takes it and returns where it is now.
#include <algorithm>
#include <cstring>
#include <utility>

#include "Python.h"

namespace {

char* start_of(_PyBytesWriter* writer) {
  if (writer->use_small_buffer) return writer->small_buffer;
  return writer->use_bytearray ? PyByteArray_AS_STRING(writer->buffer) : PyBytes_AS_STRING(writer->buffer);
}

}  // namespace

extern "C" {

void _PyBytesWriter_Init(_PyBytesWriter* writer) { std::memset(writer, 0, offsetof(_PyBytesWriter, small_buffer)); }

void _PyBytesWriter_Dealloc(_PyBytesWriter* writer) { Py_CLEAR(writer->buffer); }

void* _PyBytesWriter_Alloc(_PyBytesWriter* writer, Py_ssize_t size) {
  writer->use_small_buffer = 1;
  writer->allocated = sizeof(writer->small_buffer);
  return _PyBytesWriter_Prepare(writer, writer->small_buffer, size);
}

void* _PyBytesWriter_Resize(_PyBytesWriter* writer, void* place, Py_ssize_t size) {
  const Py_ssize_t position = static_cast<char*>(place) - start_of(writer);
  Py_ssize_t allocated = size;
  if (writer->overallocate && allocated <= PY_SSIZE_T_MAX - allocated / 4) allocated += allocated / 4;
  if (!writer->use_small_buffer) {
    const int status = writer->use_bytearray ? PyByteArray_Resize(writer->buffer, allocated)
                                             : _PyBytes_Resize(&writer->buffer, allocated);
    if (status < 0) {
      _PyBytesWriter_Dealloc(writer);
      writer->allocated = 0;
      return nullptr;
    }
  } else {
    writer->buffer = writer->use_bytearray ? PyByteArray_FromStringAndSize(nullptr, allocated)
                                           : PyBytes_FromStringAndSize(nullptr, allocated);
    if (writer->buffer == nullptr) return nullptr;
    writer->use_small_buffer = 0;
    std::memcpy(start_of(writer), writer->small_buffer, static_cast<size_t>(position));
  }
  writer->allocated = allocated;
  return start_of(writer) + position;
}

void* _PyBytesWriter_Prepare(_PyBytesWriter* writer, void* place, Py_ssize_t size) {
  if (size == 0) return place;
  if (writer->min_size > PY_SSIZE_T_MAX - size) {
    PyErr_NoMemory();
    _PyBytesWriter_Dealloc(writer);
    return nullptr;
  }
  writer->min_size += size;
  return writer->min_size > writer->allocated ? _PyBytesWriter_Resize(writer, place, writer->min_size) : place;
}

void* _PyBytesWriter_WriteBytes(_PyBytesWriter* writer, void* place, const void* bytes, Py_ssize_t size) {
  auto* out = static_cast<char*>(_PyBytesWriter_Prepare(writer, place, size));
  if (out == nullptr) return nullptr;
  std::memcpy(out, bytes, static_cast<size_t>(size));
  return out + size;
}

PyObject* _PyBytesWriter_Finish(_PyBytesWriter* writer, void* place) {
  const Py_ssize_t size = static_cast<char*>(place) - start_of(writer);
  if (writer->use_small_buffer) {
    return writer->use_bytearray ? PyByteArray_FromStringAndSize(writer->small_buffer, size)
                                 : PyBytes_FromStringAndSize(writer->small_buffer, size);
  }
  PyObject* result = std::exchange(writer->buffer, nullptr);
  if (writer->use_bytearray) {
    if (PyByteArray_Resize(result, size) < 0) Py_CLEAR(result);
  } else if (Py_SIZE(result) != size) {
    _PyBytes_Resize(&result, size);
  }
  return result;
}

}  // extern "C"
