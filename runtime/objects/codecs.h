// What the built-in codecs share: error handlers by name, reporting of undecodable and unencodable input, and
// a growing byte buffer. The codecs themselves are the C API functions PyUnicode_Decode*/PyUnicode_As*String
// and the few declared below.
#pragma once

#include "objects/str.h"
#include "objects/str_writer.h"
#include "sync/ref.h"

namespace amphis {

enum class ErrorMode : unsigned char {
  kStrict,
  kIgnore,
  kReplace,
  kBackslashReplace,
  kXmlCharRefReplace,
  kNameReplace,
  kSurrogateEscape,
  kSurrogatePass,
  kOther,
};
// Null means strict. The built-in names mean the built-in handlers even after one was registered anew.
ErrorMode error_mode(const char* errors);

// Bytes under construction. Everything returns false with MemoryError set when there is no memory.
class EncodedBytes {
 public:
  EncodedBytes() = default;
  ~EncodedBytes() {
    if (data_ != small_) PyMem_Free(data_);
  }
  EncodedBytes(const EncodedBytes&) = delete;
  EncodedBytes& operator=(const EncodedBytes&) = delete;

  bool reserve(Py_ssize_t more) { return more <= capacity_ - size_ || grow(more); }
  bool put(unsigned char byte) {
    if (!reserve(1)) return false;
    data_[size_++] = static_cast<char>(byte);
    return true;
  }
  bool put(const void* bytes, Py_ssize_t n) {
    if (!reserve(n)) return false;
    memcpy(data_ + size_, bytes, static_cast<size_t>(n));
    size_ += n;
    return true;
  }
  char* tail() { return data_ + size_; }
  void advance_to(char* end) { size_ = end - data_; }
  Py_ssize_t size() const { return size_; }
  char* data() { return data_; }
  PyObject* finish() { return PyBytes_FromStringAndSize(data_, size_); }

 private:
  bool grow(Py_ssize_t more);
  char small_[256];
  char* data_ = small_;
  Py_ssize_t size_ = 0;
  Py_ssize_t capacity_ = sizeof small_;
};

// Reports invalid input of one decoding run. A handler may replace the input: begin() and end() then change.
class DecodeErrors {
 public:
  DecodeErrors(const char* encoding, const char* errors, const void* data, Py_ssize_t n)
      : begin_(static_cast<const char*>(data)),
        end_(begin_ + n),
        encoding_(encoding),
        errors_(errors),
        mode_(error_mode(errors)) {}

  // [start, stop) of the input is invalid. Writes what the handler puts in its place; returns where to go on,
  // or null.
  const char* handle(const char* start, const char* stop, const char* reason, _PyUnicodeWriter* out);
  const char* begin() const { return begin_; }
  const char* end() const { return end_; }
  ErrorMode mode() const { return mode_; }

 private:
  const char* call(Py_ssize_t start, Py_ssize_t stop, const char* reason, _PyUnicodeWriter* out);
  const char* begin_;
  const char* end_;
  const char* encoding_;
  const char* errors_;
  ErrorMode mode_;
  Ref<> handler_;
  Ref<> replaced_input_;
};

// Reports characters that an encoding has no bytes for.
class EncodeErrors {
 public:
  EncodeErrors(const char* encoding, const char* errors, PyObject* text)
      : encoding_(encoding), errors_(errors), text_(text), mode_(error_mode(errors)) {}

  // [start, stop) cannot be encoded. Returns the replacement, a new reference to a str (to be encoded in
  // turn) or bytes (to be taken as they are), and sets *next to where to go on. Null with an exception.
  PyObject* handle(Py_ssize_t start, Py_ssize_t stop, const char* reason, Py_ssize_t* next);
  void raise(Py_ssize_t start, Py_ssize_t stop, const char* reason);
  ErrorMode mode() const { return mode_; }

 private:
  const char* encoding_;
  const char* errors_;
  PyObject* text_;
  ErrorMode mode_;
  Ref<> handler_;
};

// The text that the named built-in handler puts in place of [start, stop).
PyObject* backslash_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop);
PyObject* xmlcharref_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop);
PyObject* name_replacement(PyObject* text, Py_ssize_t start, Py_ssize_t stop);

// Codecs that the C API has no function for. byte_order: -1 little, 0 native with a mark, 1 big.
PyObject* encode_utf8(PyObject* text, const char* errors);
PyObject* encode_utf7(PyObject* text, const char* errors);
PyObject* encode_utf16(PyObject* text, const char* errors, int byte_order);
PyObject* encode_utf32(PyObject* text, const char* errors, int byte_order);
PyObject* encode_latin1(PyObject* text, const char* errors);
PyObject* encode_ascii(PyObject* text, const char* errors);
PyObject* encode_charmap(PyObject* text, PyObject* mapping, const char* errors);
PyObject* decode_raw_unicode_escape(const char* data, Py_ssize_t n, const char* errors, Py_ssize_t* consumed);

// The first escape that is none: \q and its like, or an octal number above \377. The front end warns about
// either.
struct InvalidEscape {
  Py_ssize_t offset = -1;  // of the backslash; -1: there is none
  int octal = -1;          // the number, or -1
  unsigned char ch = 0;    // otherwise the byte after the backslash
};
// `invalid` may be null.
PyObject* decode_unicode_escape(const char* data, Py_ssize_t n, const char* errors, Py_ssize_t* consumed,
                                InvalidEscape* invalid);

// The same with a DeprecationWarning for an escape that is none.
PyObject* decode_unicode_escape_warning(const char* data, Py_ssize_t n, const char* errors,
                                        Py_ssize_t* consumed);

// The codec machinery of str.encode, bytes.decode and the file system encoding.
PyObject* codec_lookup(const char* encoding);  // the CodecInfo, a new reference
PyObject* codec_encode_text(PyObject* text, const char* encoding, const char* errors);
PyObject* codec_decode_text(PyObject* data, const char* encoding, const char* errors);
PyObject* codec_lookup_text_encoding(const char* encoding, const char* alternate_command);
int codec_unregister_error(const char* name);  // 1 removed, 0 unknown, -1 error
// What a life of the runtime that is over has registered: search functions with the codecs found, and error handlers.
void codecs_forget();
void codec_errors_forget();

// In development mode, str and bytes check the names of encodings and error handlers even where they would
// not need them. Set once start-up can look codecs up.
extern bool check_codec_names;

// The file system encoding's error handler: UTF-8 with surrogateescape unless the configuration says
// otherwise.
const char* filesystem_errors();

}  // namespace amphis
