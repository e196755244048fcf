// Reading bytes-like objects inside the runtime.
#pragma once

#include <cstdint>
#include <cstring>

#include "Python.h"
#include "objects/buffer_lock.h"

namespace amphis {

struct ByteSpan {
  const uint8_t* data;
  Py_ssize_t size;
  const uint8_t* end() const { return data + size; }
};

// The bytes of an argument for the time of a call: a bytes object as it is, anything else through its buffer, which
// stays exported meanwhile.
class ByteArgument {
 public:
  ByteArgument() = default;
  ~ByteArgument() {
    Py_XDECREF(copy_);
    if (held_) PyBuffer_Release(&view_);
  }
  ByteArgument(const ByteArgument&) = delete;
  ByteArgument& operator=(const ByteArgument&) = delete;

  // False with TypeError ("a bytes-like object is required, not ...").
  bool acquire(PyObject* object) {
    if (PyBytes_Check(object)) {
      span_ = {reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(object)), PyBytes_GET_SIZE(object)};
      return true;
    }
    if (PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE) != 0) return false;
    held_ = true;
    span_ = {static_cast<const uint8_t*>(view_.buf), view_.len};
    return true;
  }
  // The same where the bytes are read for longer than a lock on their object should be held: other threads' bytes are copied.
  bool acquire_stable(PyObject* object) {
    if (!kRaces || PyBytes_Check(object) || sync::only_thread()) return acquire(object);
    if (!acquire(object)) return false;
    copy_ = PyBytes_FromStringAndSize(nullptr, span_.size);
    if (copy_ == nullptr) return false;
    BufferLock lock(owner());
    if (span_.size > 0) memcpy(PyBytes_AS_STRING(copy_), span_.data, static_cast<size_t>(span_.size));
    span_.data = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(copy_));
    return true;
  }
  void set(ByteSpan span) { span_ = span; }
  ByteSpan span() const { return span_; }
  // Whom to lock while the bytes are read; null: nobody.
  PyObject* owner() const { return held_ ? buffer_owner(&view_) : nullptr; }

 private:
  ByteSpan span_{nullptr, 0};
  bool held_ = false;
  PyObject* copy_ = nullptr;
  Py_buffer view_;
};

// Bytes under construction: a small array first, then a bytes object that grows and becomes the result without a copy.
// Null data means that an allocation failed; MemoryError is set then.
class ByteBuilder {
 public:
  explicit ByteBuilder(Py_ssize_t capacity) { reserve(capacity < 1 ? 1 : capacity); }
  ~ByteBuilder() { Py_XDECREF(object_); }
  ByteBuilder(const ByteBuilder&) = delete;
  ByteBuilder& operator=(const ByteBuilder&) = delete;

  bool ok() const { return data_ != nullptr; }
  Py_ssize_t size() const { return size_; }
  uint8_t* data() { return data_; }
  bool append(const void* bytes, Py_ssize_t n) {
    if (!reserve(n)) return false;
    __builtin_memcpy(data_ + size_, bytes, static_cast<size_t>(n));
    size_ += n;
    return true;
  }
  bool fill(uint8_t byte, Py_ssize_t n) {
    if (n <= 0) return true;
    if (!reserve(n)) return false;
    __builtin_memset(data_ + size_, byte, static_cast<size_t>(n));
    size_ += n;
    return true;
  }
  bool push(uint8_t byte) {
    if (size_ == capacity_ && !reserve(1)) return false;
    data_[size_++] = byte;
    return true;
  }
  void shrink(Py_ssize_t n) { size_ -= n; }
  // Room for n more bytes.
  bool reserve(Py_ssize_t n);
  ByteSpan span() const { return {data_, size_}; }
  // The result, once; null with an exception.
  PyObject* take_bytes();

 private:
  static constexpr Py_ssize_t kInline = 256;
  uint8_t inline_[kInline];
  uint8_t* data_ = inline_;
  Py_ssize_t size_ = 0;
  Py_ssize_t capacity_ = kInline;
  PyObject* object_ = nullptr;
};

// The bytes of an iterable of small ints, appended to `out`. `range_error`: what to say about a value beyond 255.
bool append_ints(PyObject* iterable, ByteBuilder* out, const char* range_error);

// bytes % args (bytes_format.cpp).
bool format_bytes(ByteSpan format, PyObject* args, ByteBuilder* out);

// b'...' with the quotes that need fewer escapes. bytearray escapes single quotes whatever the quotes around are.
PyObject* bytes_repr_text(ByteSpan bytes, bool escape_single);

// bytes.hex: `separator` may be null.
PyObject* bytes_hex(ByteSpan bytes, PyObject* separator, int bytes_per_group);

// fromhex; `text` is a str or a bytes-like object.
bool parse_hex(PyObject* text, ByteBuilder* out);

// Joins bytes-like objects.
bool join_bytes(ByteSpan separator, PyObject* iterable, ByteBuilder* out);

// What a mixed comparison warns about under -b.
bool warn_comparison(PyObject* a, PyObject* b, const char* type_name, int op);

// A shared empty bytes object or the 256 one-byte ones; immortal.
PyObject* single_byte(uint8_t byte);
PyObject* empty_bytes();

}  // namespace amphis
