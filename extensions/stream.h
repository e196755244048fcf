// What the compressing modules _bz2 and _lzma share: output that grows, and the bookkeeping of an object that decompresses
// one stream piece by piece.
//
// A codec's step runs detached under the object's mutex.
#pragma once

#include "support.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace stream {

enum class Step { kOk, kEnd, kFailed };

class Lock {
 public:
  explicit Lock(PyMutex* mutex) : mutex_(mutex) { PyMutex_Lock(mutex_); }
  ~Lock() { PyMutex_Unlock(mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  PyMutex* mutex_;
};

// Bytes that double in size, up to a limit (negative: none).
class Output {
 public:
  explicit Output(Py_ssize_t limit) : limit_(limit) {}
  ~Output() { Py_XDECREF(bytes_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  bool full() const { return limit_ >= 0 && used_ >= limit_; }
  bool offer(uint8_t** out, size_t* room) {
    Py_ssize_t size = bytes_ == nullptr ? 0 : PyBytes_GET_SIZE(bytes_);
    if (used_ == size) {
      size = size == 0 ? 32 * 1024 : size * 2;
      if (limit_ >= 0) size = std::min(size, std::max<Py_ssize_t>(limit_, 1));
      if (bytes_ == nullptr)
        bytes_ = PyBytes_FromStringAndSize(nullptr, size);
      else
        _PyBytes_Resize(&bytes_, size);
      if (bytes_ == nullptr) return false;
    }
    *out = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(bytes_)) + used_;
    *room = static_cast<size_t>(size - used_);
    return true;
  }
  void take(const uint8_t* end) { used_ = reinterpret_cast<const char*>(end) - PyBytes_AS_STRING(bytes_); }
  PyObject* finish() {
    if (bytes_ == nullptr) return PyBytes_FromStringAndSize("", 0);
    PyObject* result = std::exchange(bytes_, nullptr);
    _PyBytes_Resize(&result, used_);
    return result;
  }

 private:
  PyObject* bytes_ = nullptr;
  Py_ssize_t used_ = 0, limit_;
};

// An object that decompresses: Codec has `Step step(const uint8_t** in, size_t* n, uint8_t** out, size_t* room)`, which may
// leave input; `report()`, called attached, raises what step() failed with; kEndsWithError says that no step may follow that.
template <class Codec>
struct Decompressor {
  PyObject_HEAD
  PyMutex mutex;
  Codec codec;
  std::string pending;  // input that was not consumed yet
  PyObject* unused;
  bool eof, needs_input, failed;

  static Decompressor* of(PyObject* object) { return reinterpret_cast<Decompressor*>(object); }

  static PyObject* make(PyTypeObject* type) {
    PyObject* object = type->tp_alloc(type, 0);
    if (object == nullptr) return nullptr;
    Decompressor* self = of(object);
    new (&self->codec) Codec();
    new (&self->pending) std::string();
    self->unused = PyBytes_FromStringAndSize("", 0);
    self->needs_input = true;
    return object;
  }
  static void dealloc(PyObject* object) {
    Decompressor* self = of(object);
    PyTypeObject* type = Py_TYPE(object);
    self->codec.~Codec();
    self->pending.~basic_string();
    Py_CLEAR(self->unused);
    type->tp_free(object);
    Py_DECREF(type);
  }

  static PyObject* decompress(PyObject* object, PyObject* args, PyObject* kwargs) {
    static const char* const keywords[] = {"data", "max_length", nullptr};
    PyObject* source;
    Py_ssize_t limit = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:decompress", const_cast<char**>(keywords), &source, &limit))
      return nullptr;
    ext::Buffer data;
    if (!data.get(source)) return nullptr;
    Decompressor* self = of(object);
    Lock lock(&self->mutex);
    if (self->eof) {
      PyErr_SetString(PyExc_EOFError, "End of stream already reached");
      return nullptr;
    }
    if (self->failed) {
      PyErr_SetString(PyExc_ValueError, "Decompressor is unusable after a previous error");
      return nullptr;
    }
    const uint8_t* in = data.data();
    auto n = static_cast<size_t>(data.size());
    std::string joined;
    if (!self->pending.empty()) {
      joined = std::move(self->pending);
      joined.append(reinterpret_cast<const char*>(in), n);
      self->pending.clear();
      in = reinterpret_cast<const uint8_t*>(joined.data());
      n = joined.size();
    }
    Output output(limit);
    Step step = Step::kOk;
    size_t room = 0;
    do {
      uint8_t* out;
      if (!output.offer(&out, &room)) return nullptr;
      {
        ext::Away away;
        step = self->codec.step(&in, &n, &out, &room);
      }
      output.take(out);
      if (step == Step::kFailed) {
        self->failed = Codec::kEndsWithError;
        self->needs_input = false;
        return self->codec.report();
      }
    } while (step == Step::kOk && !output.full() && (n > 0 || room == 0));
    if (step == Step::kEnd) {
      self->eof = true;
      self->needs_input = false;
      PyObject* unused = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(in), static_cast<Py_ssize_t>(n));
      if (unused == nullptr) return nullptr;
      Py_SETREF(self->unused, unused);
    } else {
      self->pending.assign(reinterpret_cast<const char*>(in), n);
      self->needs_input = n == 0 && room != 0;
    }
    return output.finish();
  }

  static PyObject* get_eof(PyObject* self, void*) { return PyBool_FromLong(of(self)->eof); }
  static PyObject* get_needs_input(PyObject* self, void*) { return PyBool_FromLong(of(self)->needs_input); }
  static PyObject* get_unused(PyObject* self, void*) {
    Lock lock(&of(self)->mutex);
    return Py_NewRef(of(self)->unused);
  }
};

}  // namespace stream
