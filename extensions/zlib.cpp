// The module zlib over the library of that name. Compression and decompression run detached; each stream has a mutex.
#include "support.h"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace {

using ext::Buffer;
using ext::Ref;

constexpr Py_ssize_t kDefaultSize = 16384;
constexpr int kDefaultMemory = 8;

PyObject* error = nullptr;
PyTypeObject *compress_type = nullptr, *decompress_type = nullptr, *decompressor_type = nullptr;

PyObject* raise(int code, const char* detail, const char* action) {
  if (code == Z_VERSION_ERROR) detail = "library version mismatch";
  if (detail == nullptr) {
    detail = code == Z_BUF_ERROR      ? "incomplete or truncated stream"
             : code == Z_STREAM_ERROR ? "inconsistent stream state"
             : code == Z_DATA_ERROR   ? "invalid input data"
                                      : nullptr;
  }
  if (detail == nullptr) return PyErr_Format(error, "Error %d %s", code, action);
  return PyErr_Format(error, "Error %d %s: %.200s", code, action, detail);
}

void* allocate(void*, unsigned items, unsigned size) {
  return PyMem_RawMalloc(static_cast<size_t>(items) * size);
}
void release(void*, void* p) { PyMem_RawFree(p); }

void prepare(z_stream* stream) {
  memset(stream, 0, sizeof *stream);
  stream->zalloc = allocate;
  stream->zfree = release;
}

// What a stream writes to: bytes that double in size, up to a limit.
class Output {
 public:
  ~Output() { Py_XDECREF(bytes_); }
  // limit < 0: none.
  bool begin(Py_ssize_t size, Py_ssize_t limit = -1) {
    limit_ = limit;
    size = std::max<Py_ssize_t>(size, 1);
    if (limit >= 0) size = std::min(size, std::max<Py_ssize_t>(limit, 1));
    bytes_ = PyBytes_FromStringAndSize(nullptr, size);
    return bytes_ != nullptr;
  }
  bool full() const { return limit_ >= 0 && used_ >= limit_; }
  // Points the stream at free room; false with an exception.
  bool offer(z_stream* stream) {
    Py_ssize_t size = PyBytes_GET_SIZE(bytes_);
    if (used_ == size) {
      Py_ssize_t wanted = size > PY_SSIZE_T_MAX / 2 ? PY_SSIZE_T_MAX : size * 2;
      if (limit_ >= 0) wanted = std::min(wanted, limit_);
      if (_PyBytes_Resize(&bytes_, wanted) < 0) return false;
      size = wanted;
    }
    offered_ = static_cast<unsigned>(std::min<Py_ssize_t>(size - used_, UINT_MAX));
    stream->next_out = reinterpret_cast<Bytef*>(PyBytes_AS_STRING(bytes_)) + used_;
    stream->avail_out = offered_;
    return true;
  }
  void take(const z_stream& stream) { used_ += offered_ - stream.avail_out; }
  PyObject* finish() {
    if (PyBytes_GET_SIZE(bytes_) != used_) _PyBytes_Resize(&bytes_, used_);
    PyObject* result = bytes_;
    bytes_ = nullptr;
    return result;
  }

 private:
  PyObject* bytes_ = nullptr;
  Py_ssize_t used_ = 0, limit_ = -1;
  unsigned offered_ = 0;
};

// Input of any size, in pieces that fit the stream's counters.
class Input {
 public:
  Input(const unsigned char* data, Py_ssize_t size) : data_(data), left_(size) {}
  // True when more came in.
  void offer(z_stream* stream) {
    const auto piece = static_cast<unsigned>(std::min<Py_ssize_t>(left_, UINT_MAX));
    stream->next_in = const_cast<Bytef*>(data_);
    stream->avail_in = piece;
    data_ += piece;
    left_ -= piece;
  }
  bool more() const { return left_ > 0; }
  Py_ssize_t left() const { return left_; }

 private:
  const unsigned char* data_;
  Py_ssize_t left_;
};

template <class F>
int away(F f) {
  ext::Away detached;
  return f();
}

// ---- one-shot functions ----

PyObject* zlib_compress(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "level", "wbits", nullptr};
  PyObject* object;
  int level = Z_DEFAULT_COMPRESSION, wbits = MAX_WBITS;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ii:compress", const_cast<char**>(keywords), &object, &level, &wbits))
    return nullptr;
  Buffer data;
  if (!data.get(object)) return nullptr;
  z_stream stream;
  prepare(&stream);
  int code = deflateInit2(&stream, level, Z_DEFLATED, wbits, kDefaultMemory, Z_DEFAULT_STRATEGY);
  if (code == Z_MEM_ERROR) return PyErr_NoMemory();
  if (code == Z_STREAM_ERROR) {
    PyErr_SetString(error, "Bad compression level");
    return nullptr;
  }
  if (code != Z_OK) {
    deflateEnd(&stream);
    return raise(code, stream.msg, "while compressing data");
  }
  Input input(data.data(), data.size());
  Output output;
  bool ok = output.begin(kDefaultSize);
  while (ok) {
    input.offer(&stream);
    const int mode = input.more() ? Z_NO_FLUSH : Z_FINISH;
    do {
      ok = output.offer(&stream);
      if (!ok) break;
      code = away([&] { return deflate(&stream, mode); });
      output.take(stream);
      if (code == Z_STREAM_ERROR) {
        raise(code, stream.msg, "while compressing data");
        ok = false;
      }
    } while (ok && stream.avail_out == 0);
    if (mode == Z_FINISH) break;
  }
  const char* message = stream.msg;
  const int end = deflateEnd(&stream);
  if (ok && end != Z_OK) {
    raise(end, message, "while finishing compression");
    ok = false;
  }
  return ok ? output.finish() : nullptr;
}

PyObject* zlib_decompress(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "wbits", "bufsize", nullptr};
  PyObject *object, *size_object = nullptr;
  int wbits = MAX_WBITS;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|iO:decompress", const_cast<char**>(keywords), &object, &wbits,
                                   &size_object))
    return nullptr;
  Py_ssize_t size = kDefaultSize;
  if (size_object != nullptr) {
    size = PyNumber_AsSsize_t(size_object, PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred()) return nullptr;
  }
  Buffer data;
  if (!data.get(object)) return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "bufsize must be non-negative");
    return nullptr;
  }
  z_stream stream;
  prepare(&stream);
  int code = inflateInit2(&stream, wbits);
  if (code == Z_MEM_ERROR) return PyErr_NoMemory();
  if (code != Z_OK) {
    inflateEnd(&stream);
    return raise(code, stream.msg, "while preparing to decompress data");
  }
  Input input(data.data(), data.size());
  Output output;
  bool ok = output.begin(size);
  code = Z_OK;
  while (ok && code != Z_STREAM_END) {
    input.offer(&stream);
    do {
      ok = output.offer(&stream);
      if (!ok) break;
      code = away([&] { return inflate(&stream, Z_SYNC_FLUSH); });
      output.take(stream);
      if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END) {
        if (code == Z_MEM_ERROR)
          PyErr_NoMemory();
        else
          raise(code, stream.msg, "while decompressing data");
        ok = false;
      }
    } while (ok && code != Z_STREAM_END && stream.avail_out == 0);
    if (!input.more()) break;
  }
  if (ok && code != Z_STREAM_END) {
    raise(Z_BUF_ERROR, stream.msg, "while decompressing data");
    ok = false;
  }
  inflateEnd(&stream);
  return ok ? output.finish() : nullptr;
}

template <uLong (*Sum)(uLong, const Bytef*, z_size_t)>
PyObject* checksum(PyObject* const* args, Py_ssize_t nargs, const char* name, unsigned long start) {
  Buffer data;
  if (!ext::check_positional(name, nargs, 1, 2) || !data.get(args[0])) return nullptr;
  if (nargs == 2) {
    start = PyLong_AsUnsignedLongMask(args[1]) & 0xffffffff;
    if (PyErr_Occurred()) return nullptr;
  }
  // Small data is summed in less time than letting others run would take.
  if (data.size() > 5 * 1024) {
    ext::Away detached;
    start = Sum(start, data.data(), static_cast<size_t>(data.size()));
  } else {
    start = Sum(start, data.data(), static_cast<size_t>(data.size()));
  }
  return PyLong_FromUnsignedLong(start & 0xffffffff);
}
PyObject* zlib_adler32(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return checksum<adler32_z>(args, nargs, "adler32", 1);
}
PyObject* zlib_crc32(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return checksum<crc32_z>(args, nargs, "crc32", 0);
}

// ---- stream objects ----

struct Stream {
  PyObject_HEAD
  z_stream zst;
  PyObject* unused_data;
  PyObject* unconsumed_tail;  // of _ZlibDecompressor: input kept for the next call
  PyObject* zdict;
  PyMutex lock;
  bool initialized, eof, needs_input;
};
Stream* as_stream(PyObject* op) { return reinterpret_cast<Stream*>(op); }

class Lock {
 public:
  explicit Lock(PyObject* op) : self_(as_stream(op)) { PyMutex_Lock(&self_->lock); }
  ~Lock() { PyMutex_Unlock(&self_->lock); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Stream* self_;
};

PyObject* new_stream(PyTypeObject* type) {
  Stream* self = PyObject_New(Stream, type);
  if (self == nullptr) return nullptr;
  prepare(&self->zst);
  self->unused_data = PyBytes_FromStringAndSize(nullptr, 0);
  self->unconsumed_tail = PyBytes_FromStringAndSize(nullptr, 0);
  self->zdict = nullptr;
  self->lock = PyMutex{};
  self->initialized = self->eof = false;
  self->needs_input = true;
  auto* op = reinterpret_cast<PyObject*>(self);
  if (self->unused_data != nullptr && self->unconsumed_tail != nullptr) return op;
  Py_DECREF(op);
  return nullptr;
}

void drop(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  Py_XDECREF(as_stream(op)->unused_data);
  Py_XDECREF(as_stream(op)->unconsumed_tail);
  Py_XDECREF(as_stream(op)->zdict);
  type->tp_free(op);
  Py_DECREF(type);
}
void compress_dealloc(PyObject* op) {
  if (as_stream(op)->initialized) deflateEnd(&as_stream(op)->zst);
  drop(op);
}
void decompress_dealloc(PyObject* op) {
  if (as_stream(op)->initialized) inflateEnd(&as_stream(op)->zst);
  drop(op);
}

bool init_failed(int code, const char* message, const char* action) {
  if (code == Z_OK) return false;
  if (code == Z_MEM_ERROR)
    PyErr_SetString(PyExc_MemoryError, "Can't allocate memory for compression object");
  else if (code == Z_STREAM_ERROR)
    PyErr_SetString(PyExc_ValueError, "Invalid initialization option");
  else
    raise(code, message, action);
  return true;
}

PyObject* zlib_compressobj(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"level", "method", "wbits", "memLevel", "strategy", "zdict", nullptr};
  int level = Z_DEFAULT_COMPRESSION, method = Z_DEFLATED, wbits = MAX_WBITS, memory = kDefaultMemory,
      strategy = Z_DEFAULT_STRATEGY;
  PyObject* dictionary = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiiiiO:compressobj", const_cast<char**>(keywords), &level, &method,
                                   &wbits, &memory, &strategy, &dictionary))
    return nullptr;
  Buffer zdict;
  if (dictionary != nullptr && !zdict.get(dictionary)) return nullptr;
  Ref holder(new_stream(compress_type));
  if (!holder) return nullptr;
  Stream* self = as_stream(holder.get());
  const int code = deflateInit2(&self->zst, level, method, wbits, memory, strategy);
  if (init_failed(code, self->zst.msg, "while creating compression object")) return nullptr;
  self->initialized = true;
  if (dictionary != nullptr) {
    const int result = deflateSetDictionary(&self->zst, zdict.data(), static_cast<unsigned>(zdict.size()));
    if (result == Z_STREAM_ERROR) {
      PyErr_SetString(PyExc_ValueError, "Invalid dictionary");
      return nullptr;
    }
    if (result != Z_OK) {
      PyErr_SetString(PyExc_ValueError, "deflateSetDictionary()");
      return nullptr;
    }
  }
  return holder.release();
}

// Runs deflate over all of the input.
PyObject* deflate_all(Stream* self, Input input, int mode, const char* action) {
  Output output;
  if (!output.begin(kDefaultSize)) return nullptr;
  for (;;) {
    input.offer(&self->zst);
    int code;
    do {
      if (!output.offer(&self->zst)) return nullptr;
      code = away([&] { return deflate(&self->zst, input.more() ? Z_NO_FLUSH : mode); });
      output.take(self->zst);
      if (code == Z_STREAM_ERROR) return raise(code, self->zst.msg, action);
    } while (self->zst.avail_out == 0);
    if (input.more()) continue;
    if (code == Z_STREAM_END && mode == Z_FINISH) {
      const int end = deflateEnd(&self->zst);
      if (end != Z_OK) return raise(end, self->zst.msg, "while finishing compression");
      self->initialized = false;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return raise(code, self->zst.msg, action);
    }
    return output.finish();
  }
}

PyObject* compress_compress(PyObject* op, PyObject* object) {
  Buffer data;
  if (!data.get(object)) return nullptr;
  Lock lock(op);
  return deflate_all(as_stream(op), Input(data.data(), data.size()), Z_NO_FLUSH, "while compressing data");
}

PyObject* compress_flush(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  int mode = Z_FINISH;
  if (!ext::check_positional("flush", nargs, 0, 1) || (nargs == 1 && !ext::to_int(args[0], &mode))) return nullptr;
  if (mode == Z_NO_FLUSH) return PyBytes_FromStringAndSize(nullptr, 0);
  Lock lock(op);
  return deflate_all(as_stream(op), Input(nullptr, 0), mode, "while flushing");
}

PyObject* copy_of(PyObject* op, PyTypeObject* type, int (*copy)(z_streamp, z_streamp)) {
  Ref holder(new_stream(type));
  if (!holder) return nullptr;
  Lock lock(op);
  Stream *self = as_stream(op), *other = as_stream(holder.get());
  const int code = self->initialized ? copy(&other->zst, &self->zst) : Z_STREAM_ERROR;
  if (code == Z_STREAM_ERROR) {
    PyErr_SetString(PyExc_ValueError, "Inconsistent stream state");
    return nullptr;
  }
  if (code == Z_MEM_ERROR) {
    PyErr_SetString(PyExc_MemoryError, "Can't allocate memory for compression object");
    return nullptr;
  }
  if (code != Z_OK) return raise(code, self->zst.msg, "while copying compression object");
  Py_SETREF(other->unused_data, Py_NewRef(self->unused_data));
  Py_SETREF(other->unconsumed_tail, Py_NewRef(self->unconsumed_tail));
  Py_XSETREF(other->zdict, Py_XNewRef(self->zdict));
  other->eof = self->eof;
  other->needs_input = self->needs_input;
  other->initialized = true;
  return holder.release();
}
PyObject* compress_copy(PyObject* op, PyObject*) { return copy_of(op, compress_type, deflateCopy); }
PyObject* decompress_copy(PyObject* op, PyObject*) { return copy_of(op, decompress_type, inflateCopy); }

// ---- decompression ----

bool set_dictionary(Stream* self) {
  Buffer zdict;
  if (!zdict.get(self->zdict)) return false;
  const int code = inflateSetDictionary(&self->zst, zdict.data(), static_cast<unsigned>(zdict.size()));
  if (code == Z_OK) return true;
  raise(code, self->zst.msg, "while setting zdict");
  return false;
}

bool dictionary_argument(PyObject* dictionary, Stream* self) {
  if (dictionary == nullptr) return true;
  if (!PyObject_CheckBuffer(dictionary)) {
    PyErr_SetString(PyExc_TypeError, "zdict argument must support the buffer protocol");
    return false;
  }
  self->zdict = Py_NewRef(dictionary);
  return true;
}

bool init_inflate(Stream* self, int wbits) {
  const int code = inflateInit2(&self->zst, wbits);
  if (init_failed(code, self->zst.msg, "while creating decompression object")) return false;
  self->initialized = true;
  // Raw streams cannot ask for the dictionary.
  return self->zdict == nullptr || wbits >= 0 || set_dictionary(self);
}

PyObject* zlib_decompressobj(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"wbits", "zdict", nullptr};
  int wbits = MAX_WBITS;
  PyObject* dictionary = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iO:decompressobj", const_cast<char**>(keywords), &wbits, &dictionary))
    return nullptr;
  Ref holder(new_stream(decompress_type));
  if (!holder || !dictionary_argument(dictionary, as_stream(holder.get())) || !init_inflate(as_stream(holder.get()), wbits))
    return nullptr;
  return holder.release();
}

// Inflates until the input is used up, the output is full, or the stream ends. False with an exception; *code is the
// last result.
bool inflate_all(Stream* self, Input* input, Output* output, int* code, int mode) {
  *code = Z_OK;
  do {
    input->offer(&self->zst);
    do {
      if (output->full()) return true;
      if (!output->offer(&self->zst)) return false;
      *code = away([&] { return inflate(&self->zst, mode); });
      output->take(self->zst);
      if (*code == Z_NEED_DICT && self->zdict != nullptr) {
        if (!set_dictionary(self)) return false;
        *code = Z_OK;
        continue;
      }
      if (*code != Z_OK && *code != Z_BUF_ERROR) return true;
    } while (self->zst.avail_out == 0 || (*code == Z_OK && self->zst.avail_in > 0));
  } while (input->more());
  return true;
}

// Replaces *field with its contents and what follows.
bool append(PyObject** field, const unsigned char* data, Py_ssize_t n) {
  Ref more(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), n));
  if (!more) return false;
  PyBytes_Concat(field, more.get());
  return *field != nullptr;
}

// What was not used goes to unused_data behind the end of the stream, else to unconsumed_tail.
bool save_rest(Stream* self, const unsigned char* end, bool finished) {
  const Py_ssize_t n = end - self->zst.next_in;
  if (finished && n > 0 && !append(&self->unused_data, self->zst.next_in, n)) return false;
  if (finished || n > 0 || PyBytes_GET_SIZE(self->unconsumed_tail) > 0) {
    PyObject* tail =
        PyBytes_FromStringAndSize(reinterpret_cast<const char*>(self->zst.next_in), finished ? 0 : n);
    if (tail == nullptr) return false;
    Py_SETREF(self->unconsumed_tail, tail);
  }
  self->zst.avail_in = 0;
  return true;
}

PyObject* decompress_decompress(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "max_length", nullptr};
  PyObject *object, *limit_object = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:decompress", const_cast<char**>(keywords), &object, &limit_object))
    return nullptr;
  Py_ssize_t limit = 0;
  if (limit_object != nullptr) {
    limit = PyNumber_AsSsize_t(limit_object, PyExc_OverflowError);
    if (limit == -1 && PyErr_Occurred()) return nullptr;
  }
  Buffer data;
  if (!data.get(object)) return nullptr;
  if (limit < 0) {
    PyErr_SetString(PyExc_ValueError, "max_length must be non-negative");
    return nullptr;
  }
  Stream* self = as_stream(op);
  Lock lock(op);
  Input input(data.data(), data.size());
  Output output;
  int code;
  if (!output.begin(kDefaultSize, limit == 0 ? -1 : limit) || !inflate_all(self, &input, &output, &code, Z_SYNC_FLUSH) ||
      !save_rest(self, data.data() + data.size(), code == Z_STREAM_END))
    return nullptr;
  if (code == Z_STREAM_END) {
    self->eof = true;
  } else if (code != Z_OK && code != Z_BUF_ERROR) {
    return raise(code, self->zst.msg, "while decompressing data");
  }
  return output.finish();
}

PyObject* decompress_flush(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t length = kDefaultSize;
  if (!ext::check_positional("flush", nargs, 0, 1)) return nullptr;
  if (nargs == 1) {
    length = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (length == -1 && PyErr_Occurred()) return nullptr;
  }
  if (length <= 0) {
    PyErr_SetString(PyExc_ValueError, "length must be greater than zero");
    return nullptr;
  }
  Stream* self = as_stream(op);
  Lock lock(op);
  if (!self->initialized) return PyBytes_FromStringAndSize("", 0);  // the stream ended in an earlier call
  Ref tail(Py_NewRef(self->unconsumed_tail));
  const auto* data = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(tail.get()));
  const Py_ssize_t size = PyBytes_GET_SIZE(tail.get());
  Input input(data, size);
  Output output;
  int code;
  if (!output.begin(length) || !inflate_all(self, &input, &output, &code, Z_FINISH) ||
      !save_rest(self, data + size, code == Z_STREAM_END))
    return nullptr;
  if (code == Z_STREAM_END) {
    self->eof = true;
    self->initialized = false;
    const int end = inflateEnd(&self->zst);
    if (end != Z_OK) return raise(end, self->zst.msg, "while finishing decompression");
  } else if (code != Z_OK && code != Z_BUF_ERROR) {
    return raise(code, self->zst.msg, "while decompressing data");
  }
  return output.finish();
}

// ---- _ZlibDecompressor: keeps its own rest, ends for good ----

PyObject* decompressor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"wbits", "zdict", nullptr};
  int wbits = MAX_WBITS;
  PyObject* dictionary = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iO:_ZlibDecompressor", const_cast<char**>(keywords), &wbits, &dictionary))
    return nullptr;
  Ref holder(new_stream(type));
  if (!holder || !dictionary_argument(dictionary, as_stream(holder.get())) || !init_inflate(as_stream(holder.get()), wbits))
    return nullptr;
  return holder.release();
}

PyObject* decompressor_decompress(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"data", "max_length", nullptr};
  PyObject* object;
  Py_ssize_t limit = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:decompress", const_cast<char**>(keywords), &object, &limit))
    return nullptr;
  Buffer data;
  if (!data.get(object)) return nullptr;
  Stream* self = as_stream(op);
  Lock lock(op);
  if (self->eof) {
    PyErr_SetString(PyExc_EOFError, "End of stream already reached");
    return nullptr;
  }
  // New input goes behind what the last call left.
  const unsigned char* from = data.data();
  Py_ssize_t size = data.size();
  Ref joined;
  if (PyBytes_GET_SIZE(self->unconsumed_tail) > 0) {
    if (!append(&self->unconsumed_tail, from, size)) return nullptr;
    joined = Ref(Py_NewRef(self->unconsumed_tail));
    from = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(joined.get()));
    size = PyBytes_GET_SIZE(joined.get());
  }
  Input input(from, size);
  Output output;
  int code;
  if (!output.begin(kDefaultSize, limit < 0 ? -1 : limit) || !inflate_all(self, &input, &output, &code, Z_SYNC_FLUSH))
    return nullptr;
  if (code != Z_OK && code != Z_BUF_ERROR && code != Z_STREAM_END)
    return raise(code, self->zst.msg, "while decompressing data");
  if (!save_rest(self, from + size, code == Z_STREAM_END)) return nullptr;
  self->eof = code == Z_STREAM_END;
  // A full output may have more behind it even with no input left.
  self->needs_input = !self->eof && PyBytes_GET_SIZE(self->unconsumed_tail) == 0 && !output.full();
  return output.finish();
}

PyObject* get_eof(PyObject* op, void*) { return PyBool_FromLong(as_stream(op)->eof); }
PyObject* get_needs_input(PyObject* op, void*) { return PyBool_FromLong(as_stream(op)->needs_input); }
PyObject* get_unused(PyObject* op, void*) {
  Lock lock(op);
  return Py_NewRef(as_stream(op)->unused_data);
}
PyObject* get_tail(PyObject* op, void*) {
  Lock lock(op);
  return Py_NewRef(as_stream(op)->unconsumed_tail);
}

// ---- tables ----

#define COPIES(function)                                                          \
  {"copy", function, METH_NOARGS, "copy($self, /)\n--\n\n"},                      \
  {"__copy__", function, METH_NOARGS, "__copy__($self, /)\n--\n\n"},              \
  {"__deepcopy__", function, METH_O, "__deepcopy__($self, memo, /)\n--\n\n"}
PyMethodDef compress_methods[] = {
    {"compress", compress_compress, METH_O, "compress($self, data, /)\n--\n\n"},
    {"flush", ext::method(compress_flush), METH_FASTCALL, "flush($self, mode=zlib.Z_FINISH, /)\n--\n\n"},
    COPIES(compress_copy),
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef decompress_methods[] = {
    {"decompress", ext::method(decompress_decompress), METH_VARARGS | METH_KEYWORDS,
     "decompress($self, data, /, max_length=0)\n--\n\n"},
    {"flush", ext::method(decompress_flush), METH_FASTCALL, "flush($self, length=zlib.DEF_BUF_SIZE, /)\n--\n\n"},
    COPIES(decompress_copy),
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef decompressor_methods[] = {
    {"decompress", ext::method(decompressor_decompress), METH_VARARGS | METH_KEYWORDS,
     "decompress($self, /, data, max_length=-1)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef decompress_getset[] = {{"unused_data", get_unused, nullptr, nullptr, nullptr},
                                   {"unconsumed_tail", get_tail, nullptr, nullptr, nullptr},
                                   {"eof", get_eof, nullptr, nullptr, nullptr},
                                   {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyGetSetDef decompressor_getset[] = {{"unused_data", get_unused, nullptr, nullptr, nullptr},
                                     {"eof", get_eof, nullptr, nullptr, nullptr},
                                     {"needs_input", get_needs_input, nullptr, nullptr, nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot compress_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(compress_dealloc)}, {Py_tp_methods, compress_methods}, {0, nullptr}};
PyType_Slot decompress_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(decompress_dealloc)},
                                  {Py_tp_methods, decompress_methods},
                                  {Py_tp_getset, decompress_getset},
                                  {0, nullptr}};
PyType_Slot decompressor_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(decompress_dealloc)},
    {Py_tp_methods, decompressor_methods},
    {Py_tp_getset, decompressor_getset},
    {Py_tp_new, reinterpret_cast<void*>(decompressor_new)},
    {Py_tp_doc, const_cast<char*>("_ZlibDecompressor(wbits=15, zdict=b'')\n--\n\nDecompresses one stream.")},
    {0, nullptr}};
constexpr unsigned kMade = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE;
PyType_Spec compress_spec = {"zlib.Compress", sizeof(Stream), 0, kMade, compress_slots};
PyType_Spec decompress_spec = {"zlib.Decompress", sizeof(Stream), 0, kMade, decompress_slots};
PyType_Spec decompressor_spec = {"zlib._ZlibDecompressor", sizeof(Stream), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, decompressor_slots};

#define CONSTANT(name) {#name, name}
const ext::IntConstant constants[] = {
    CONSTANT(MAX_WBITS), {"DEFLATED", Z_DEFLATED}, {"DEF_MEM_LEVEL", kDefaultMemory}, {"DEF_BUF_SIZE", kDefaultSize},
    CONSTANT(Z_NO_COMPRESSION), CONSTANT(Z_BEST_SPEED), CONSTANT(Z_BEST_COMPRESSION), CONSTANT(Z_DEFAULT_COMPRESSION),
    CONSTANT(Z_FILTERED), CONSTANT(Z_HUFFMAN_ONLY), CONSTANT(Z_RLE), CONSTANT(Z_FIXED), CONSTANT(Z_DEFAULT_STRATEGY),
    CONSTANT(Z_NO_FLUSH), CONSTANT(Z_PARTIAL_FLUSH), CONSTANT(Z_SYNC_FLUSH), CONSTANT(Z_FULL_FLUSH), CONSTANT(Z_FINISH),
    CONSTANT(Z_BLOCK), CONSTANT(Z_TREES),
};

int execute(PyObject* module) {
  if (!ext::keep(&compress_type, PyType_FromModuleAndSpec(module, &compress_spec, nullptr)) ||
      !ext::keep(&decompress_type, PyType_FromModuleAndSpec(module, &decompress_spec, nullptr)) ||
      !ext::keep(&decompressor_type, PyType_FromModuleAndSpec(module, &decompressor_spec, nullptr)) ||
      PyModule_AddType(module, decompressor_type) < 0 || !ext::keep(&error, PyErr_NewException("zlib.error", nullptr, nullptr)) ||
      PyModule_AddObjectRef(module, "error", error) < 0) return -1;
  if (PyModule_AddStringConstant(module, "ZLIB_VERSION", ZLIB_VERSION) < 0 ||
      PyModule_AddStringConstant(module, "ZLIB_RUNTIME_VERSION", zlibVersion()) < 0 ||
      PyModule_AddStringConstant(module, "__version__", "1.0") < 0)
    return -1;
  return ext::add_constants(module, constants);
}

PyMethodDef methods[] = {
    {"adler32", ext::method(zlib_adler32), METH_FASTCALL, "adler32($module, data, value=1, /)\n--\n\n"},
    {"crc32", ext::method(zlib_crc32), METH_FASTCALL, "crc32($module, data, value=0, /)\n--\n\n"},
    {"compress", ext::method(zlib_compress), METH_VARARGS | METH_KEYWORDS,
     "compress($module, data, /, level=Z_DEFAULT_COMPRESSION, wbits=MAX_WBITS)\n--\n\n"},
    {"decompress", ext::method(zlib_decompress), METH_VARARGS | METH_KEYWORDS,
     "decompress($module, data, /, wbits=MAX_WBITS, bufsize=DEF_BUF_SIZE)\n--\n\n"},
    {"compressobj", ext::method(zlib_compressobj), METH_VARARGS | METH_KEYWORDS,
     "compressobj($module, /, level=Z_DEFAULT_COMPRESSION, method=DEFLATED,\n"
     "            wbits=MAX_WBITS, memLevel=DEF_MEM_LEVEL,\n"
     "            strategy=Z_DEFAULT_STRATEGY, zdict=<unrepresentable>)\n--\n\n"},
    {"decompressobj", ext::method(zlib_decompressobj), METH_VARARGS | METH_KEYWORDS,
     "decompressobj($module, /, wbits=MAX_WBITS, zdict=b'')\n--\n\n"},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "zlib",
    .m_doc = "Compression and decompression with the zlib library.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_zlib(void) { return PyModuleDef_Init(&definition); }
