// Reading marshal data: from memory, from C files, from Python file objects.
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "Python.h"
#include "marshal.h"
#include "modules/marshal_io.h"
#include "modules/marshal_format.h"
#include "objects/code_tables.h"
#include "sync/ref.h"

namespace amphis::marshal {

namespace {

class Reader {
 public:
  Reader(const char* data, Py_ssize_t size) : at_(data), end_(data + size) {}
  explicit Reader(FILE* file) : file_(file) {}
  explicit Reader(PyObject* stream) : stream_(stream) {}

  bool allow_code = true;
  const char* position() const { return at_; }

  // The whole object; a null in its place is an error.
  PyObject* read() {
    PyObject* v = object();
    if (v == nullptr && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "NULL object in marshal data for object");
    return v;
  }

  const char* bytes(Py_ssize_t n) {
    if (at_ != nullptr && end_ - at_ >= n) [[likely]] {
      const char* p = at_;
      at_ += n;
      return p;
    }
    return stream_bytes(n);
  }
  int byte() {
    const char* p = bytes(1);
    if (p == nullptr) return EOF;
    return static_cast<unsigned char>(*p);
  }
  int short_number() {
    const auto* p = reinterpret_cast<const unsigned char*>(bytes(2));
    if (p == nullptr) return -1;
    return static_cast<int16_t>(p[0] | p[1] << 8);
  }
  long number() {
    const auto* p = reinterpret_cast<const unsigned char*>(bytes(4));
    if (p == nullptr) return -1;
    return static_cast<int32_t>(static_cast<uint32_t>(p[0]) | static_cast<uint32_t>(p[1]) << 8 |
                                static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[3]) << 24);
  }

 private:
  const char* stream_bytes(Py_ssize_t n);
  PyObject* object();
  PyObject* value(int type, bool flag);
  PyObject* bad(const char* text) {
    PyErr_SetString(PyExc_ValueError, text);
    return nullptr;
  }
  Py_ssize_t length(const char* what) {
    long n = number();
    if (PyErr_Occurred()) return -1;
    if (n < 0 || n > INT32_MAX) {
      PyErr_SetString(PyExc_ValueError, what);
      return -1;
    }
    return n;
  }
  // Numbers the object just made.
  PyObject* add(PyObject* v, bool flag) {
    if (v != nullptr && flag) refs_.push_back(Ref<>::share(v));
    return v;
  }
  // A number for an object whose parts come first.
  size_t reserve(bool flag) {
    if (!flag) return SIZE_MAX;
    refs_.push_back(Ref<>());
    return refs_.size() - 1;
  }
  PyObject* insert(PyObject* v, size_t index) {
    if (v != nullptr && index != SIZE_MAX) refs_[index] = Ref<>::share(v);
    return v;
  }
  PyObject* missing(const char* what) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "NULL object in marshal data for %s", what);
    return nullptr;
  }

  PyObject* integer();
  PyObject* text_float(double* out);
  bool real(double* out);
  PyObject* string(Py_ssize_t n, bool ascii, bool interned);
  PyObject* tuple(Py_ssize_t n, bool flag);
  PyObject* list(bool flag);
  PyObject* dict(bool flag);
  PyObject* set(bool frozen, bool flag);
  PyObject* code(bool flag);
  PyObject* slice(bool flag);

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  FILE* file_ = nullptr;
  PyObject* stream_ = nullptr;
  std::string buffer_;
  int depth_ = 0;
  std::vector<Ref<>> refs_;
};

const char* Reader::stream_bytes(Py_ssize_t n) {
  if (at_ != nullptr) {
    PyErr_SetString(PyExc_EOFError, "marshal data too short");
    return nullptr;
  }
  buffer_.resize(static_cast<size_t>(n));
  Py_ssize_t got = 0;
  if (file_ != nullptr) {
    got = static_cast<Py_ssize_t>(std::fread(buffer_.data(), 1, static_cast<size_t>(n), file_));
  } else {
    Ref<> view = Ref<>::steal(PyMemoryView_FromMemory(buffer_.data(), n, PyBUF_WRITE));
    if (!view) return nullptr;
    Ref<> count = Ref<>::steal(PyObject_CallMethod(stream_, "readinto", "O", view.get()));
    if (!count) return nullptr;
    Ref<> released = Ref<>::steal(PyObject_CallMethod(view, "release", nullptr));
    if (!released) PyErr_Clear();
    got = PyNumber_AsSsize_t(count, PyExc_ValueError);
    if (got == -1 && PyErr_Occurred()) return nullptr;
    if (got > n) {
      PyErr_Format(PyExc_ValueError, "read() returned too much data: %zd bytes requested, %zd returned", n, got);
      return nullptr;
    }
  }
  if (got != n) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_EOFError, "EOF read where not expected");
    return nullptr;
  }
  return buffer_.data();
}

PyObject* Reader::object() {
  int type = byte();
  if (type == EOF) {
    if (PyErr_ExceptionMatches(PyExc_EOFError)) PyErr_SetString(PyExc_EOFError, "EOF read where object expected");
    return nullptr;
  }
  if (++depth_ > kMaxDepth) {
    --depth_;
    return bad("recursion limit exceeded");
  }
  PyObject* v = value(type & ~kFlagRef, (type & kFlagRef) != 0);
  --depth_;
  return v;
}

PyObject* Reader::integer() {
  long count = number();
  if (PyErr_Occurred()) return nullptr;
  if (count == 0) return PyLong_FromLong(0);
  if (count < -INT32_MAX || count > INT32_MAX) return bad("bad marshal data (long size out of range)");
  const size_t n = static_cast<size_t>(count < 0 ? -count : count);
  std::vector<unsigned char> raw;
  uint32_t window = 0;
  unsigned held = 0;
  int digit = 0;
  for (size_t i = 0; i < n; ++i) {
    digit = short_number();
    if (PyErr_Occurred()) return nullptr;
    if (digit < 0) return bad("bad marshal data (digit out of range in long)");
    window |= static_cast<uint32_t>(digit) << held;
    held += 15;
    while (held >= 8) {
      raw.push_back(static_cast<unsigned char>(window));
      window >>= 8;
      held -= 8;
    }
  }
  if (digit == 0) return bad("bad marshal data (unnormalized long data)");
  raw.push_back(static_cast<unsigned char>(window));
  Ref<> magnitude = Ref<>::steal(PyLong_FromUnsignedNativeBytes(raw.data(), raw.size(), Py_ASNATIVEBYTES_LITTLE_ENDIAN));
  if (!magnitude || count > 0) return magnitude.release();
  return PyNumber_Negative(magnitude);
}

bool Reader::real(double* out) {
  const char* p = bytes(8);
  if (p == nullptr) return false;
  *out = PyFloat_Unpack8(p, 1);
  return !(*out == -1.0 && PyErr_Occurred());
}

PyObject* Reader::text_float(double* out) {
  int n = byte();
  if (n == EOF) return nullptr;
  const char* p = bytes(n);
  if (p == nullptr) return nullptr;
  std::string s(p, static_cast<size_t>(n));
  *out = PyOS_string_to_double(s.c_str(), nullptr, nullptr);
  if (*out == -1.0 && PyErr_Occurred()) return nullptr;
  return Py_None;
}

PyObject* Reader::string(Py_ssize_t n, bool ascii, bool interned) {
  PyObject* s;
  if (n == 0) {
    s = PyUnicode_New(0, 0);
  } else {
    const char* p = bytes(n);
    if (p == nullptr) return nullptr;
    s = ascii ? PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, p, n) : PyUnicode_DecodeUTF8(p, n, "surrogatepass");
  }
  if (s != nullptr && interned) PyUnicode_InternInPlace(&s);
  return s;
}

PyObject* Reader::tuple(Py_ssize_t n, bool flag) {
  // Numbered before its items: they may lead back to it.
  if (at_ != nullptr && n > end_ - at_) {
    PyErr_SetString(PyExc_EOFError, "marshal data too short");
    return nullptr;
  }
  Ref<> v = Ref<>::steal(add(PyTuple_New(n), flag));
  for (Py_ssize_t i = 0; v && i < n; ++i) {
    PyObject* item = object();
    if (item == nullptr) return missing("tuple");
    PyTuple_SET_ITEM(v.get(), i, item);
  }
  return v.release();
}

PyObject* Reader::list(bool flag) {
  Py_ssize_t n = length("bad marshal data (list size out of range)");
  if (n < 0) return nullptr;
  Ref<> v = Ref<>::steal(add(PyList_New(0), flag));
  for (Py_ssize_t i = 0; v && i < n; ++i) {
    Ref<> item = Ref<>::steal(object());
    if (!item) return missing("list");
    if (PyList_Append(v, item) < 0) return nullptr;
  }
  return v.release();
}

PyObject* Reader::dict(bool flag) {
  Ref<> v = Ref<>::steal(add(PyDict_New(), flag));
  if (!v) return nullptr;
  for (;;) {
    Ref<> key = Ref<>::steal(object());
    if (!key) break;
    Ref<> item = Ref<>::steal(object());
    if (!item) break;
    if (PyDict_SetItem(v, key, item) < 0) return nullptr;
  }
  return PyErr_Occurred() ? nullptr : v.release();
}

PyObject* Reader::set(bool frozen, bool flag) {
  Py_ssize_t n = length("bad marshal data (set size out of range)");
  if (n < 0) return nullptr;
  if (frozen && n == 0) return add(PyFrozenSet_New(nullptr), flag);
  size_t index = SIZE_MAX;
  Ref<> v;
  if (frozen) {
    index = reserve(flag);
    v = Ref<>::steal(PyFrozenSet_New(nullptr));
  } else {
    v = Ref<>::steal(add(PySet_New(nullptr), flag));
  }
  if (frozen) {
    // Built from a list: a frozenset is shared once it exists.
    Ref<> items = Ref<>::steal(PyList_New(0));
    for (Py_ssize_t i = 0; items && i < n; ++i) {
      Ref<> item = Ref<>::steal(object());
      if (!item) return missing("set");
      if (PyList_Append(items, item) < 0) return nullptr;
    }
    return items ? insert(PyFrozenSet_New(items), index) : nullptr;
  }
  for (Py_ssize_t i = 0; v && i < n; ++i) {
    Ref<> item = Ref<>::steal(object());
    if (!item) return missing("set");
    if (PySet_Add(v, item) < 0) return nullptr;
  }
  return v.release();
}

PyObject* Reader::slice(bool flag) {
  const size_t index = reserve(flag);
  Ref<> start = Ref<>::steal(object());
  if (!start) return missing("slice");
  Ref<> stop = Ref<>::steal(object());
  if (!stop) return missing("slice");
  Ref<> step = Ref<>::steal(object());
  if (!step) return missing("slice");
  return insert(PySlice_New(start, stop, step), index);
}

PyObject* Reader::code(bool flag) {
  if (!allow_code) return bad("unmarshalling code objects is disallowed");
  const size_t index = reserve(flag);
  long format = number();
  if (PyErr_Occurred()) return nullptr;
  if (format != kCodeFormat) return bad("bad marshal data (code object of another implementation or version)");
  CodeSpec spec;
  spec.argcount = static_cast<int>(number());
  spec.posonlyargcount = static_cast<int>(number());
  spec.kwonlyargcount = static_cast<int>(number());
  spec.temporaries = static_cast<uint32_t>(number());
  spec.flags = static_cast<int>(number());
  Py_ssize_t size = length("bad marshal data (bytes object size out of range)");
  if (size < 0 || PyErr_Occurred()) return nullptr;
  const char* words = bytes(size);
  if (words == nullptr) return nullptr;
  spec.words.resize(static_cast<size_t>(size) / sizeof(Word));
  std::memcpy(spec.words.data(), words, spec.words.size() * sizeof(Word));
  auto part = [&](PyTypeObject* type) -> Ref<> {
    Ref<> v = Ref<>::steal(object());
    if (!v) {
      missing("code");
    } else if (!Py_IS_TYPE(v.get(), type)) {
      bad("bad marshal data (code object)");
      return Ref<>();
    }
    return v;
  };
  Ref<> consts = part(&PyTuple_Type);
  if (!consts) return nullptr;
  Ref<> names = part(&PyTuple_Type);
  if (!names) return nullptr;
  Ref<> registers = part(&PyTuple_Type);
  if (!registers) return nullptr;
  Ref<> kinds = part(&PyBytes_Type);
  if (!kinds) return nullptr;
  Ref<> filename = part(&PyUnicode_Type);
  if (!filename) return nullptr;
  Ref<> name = part(&PyUnicode_Type);
  if (!name) return nullptr;
  Ref<> qualname = part(&PyUnicode_Type);
  if (!qualname) return nullptr;
  spec.firstlineno = static_cast<int>(number());
  if (PyErr_Occurred()) return nullptr;
  Ref<> linetable = part(&PyBytes_Type);
  if (!linetable) return nullptr;
  Ref<> exceptiontable = part(&PyBytes_Type);
  if (!exceptiontable) return nullptr;
  if (PyTuple_GET_SIZE(registers.get()) != PyBytes_GET_SIZE(kinds.get())) {
    return bad("bad marshal data (code object)");
  }
  spec.consts = consts;
  spec.names = names;
  spec.localsplusnames = registers;
  std::string_view kind_bytes = bytes_view(kinds);
  spec.localspluskinds.assign(kind_bytes.begin(), kind_bytes.end());
  spec.filename = filename;
  spec.name = name;
  spec.qualname = qualname;
  spec.linetable = linetable;
  spec.ranges = decode_ranges(bytes_view(exceptiontable));
  return insert(reinterpret_cast<PyObject*>(code_new(spec)), index);
}

PyObject* Reader::value(int type, bool flag) {
  switch (type) {
    case kNull:
      return nullptr;
    case kNone:
      return Py_NewRef(Py_None);
    case kStopIteration:
      return Py_NewRef(PyExc_StopIteration);
    case kEllipsis:
      return Py_NewRef(Py_Ellipsis);
    case kFalse:
      return Py_NewRef(Py_False);
    case kTrue:
      return Py_NewRef(Py_True);
    case kInt: {
      long n = number();
      return PyErr_Occurred() ? nullptr : add(PyLong_FromLong(n), flag);
    }
    case kInt64: {
      const char* p = bytes(8);
      if (p == nullptr) return nullptr;
      int64_t n;
      std::memcpy(&n, p, 8);
      return add(PyLong_FromLongLong(n), flag);
    }
    case kLong:
      return add(integer(), flag);
    case kFloat: {
      double d;
      return text_float(&d) == nullptr ? nullptr : add(PyFloat_FromDouble(d), flag);
    }
    case kBinaryFloat: {
      double d;
      return real(&d) ? add(PyFloat_FromDouble(d), flag) : nullptr;
    }
    case kComplex: {
      double re, im;
      if (text_float(&re) == nullptr || text_float(&im) == nullptr) return nullptr;
      return add(PyComplex_FromDoubles(re, im), flag);
    }
    case kBinaryComplex: {
      double re, im;
      return real(&re) && real(&im) ? add(PyComplex_FromDoubles(re, im), flag) : nullptr;
    }
    case kBytes: {
      Py_ssize_t n = length("bad marshal data (bytes object size out of range)");
      if (n < 0) return nullptr;
      const char* p = bytes(n);
      return p == nullptr ? nullptr : add(PyBytes_FromStringAndSize(p, n), flag);
    }
    case kAscii:
    case kAsciiInterned:
    case kUnicode:
    case kInterned: {
      Py_ssize_t n = length("bad marshal data (string size out of range)");
      if (n < 0) return nullptr;
      return add(string(n, type == kAscii || type == kAsciiInterned, type == kAsciiInterned || type == kInterned),
                 flag);
    }
    case kShortAscii:
    case kShortAsciiInterned: {
      int n = byte();
      if (n == EOF) return nullptr;
      return add(string(n, true, type == kShortAsciiInterned), flag);
    }
    case kSmallTuple: {
      int n = byte();
      return n == EOF ? nullptr : tuple(n, flag);
    }
    case kTuple: {
      Py_ssize_t n = length("bad marshal data (tuple size out of range)");
      return n < 0 ? nullptr : tuple(n, flag);
    }
    case kList:
      return list(flag);
    case kDict:
      return dict(flag);
    case kSet:
    case kFrozenSet:
      return set(type == kFrozenSet, flag);
    case kSlice:
      return slice(flag);
    case kCode:
      return code(flag);
    case kRef: {
      long n = number();
      if (n < 0 || static_cast<size_t>(n) >= refs_.size() || !refs_[static_cast<size_t>(n)]) {
        if (PyErr_Occurred()) return nullptr;
        return bad("bad marshal data (invalid reference)");
      }
      return Py_NewRef(refs_[static_cast<size_t>(n)].get());
    }
    default:
      return bad("bad marshal data (unknown type code)");
  }
}

}  // namespace

PyObject* read_string(const char* data, Py_ssize_t size, bool allow_code, Py_ssize_t* used) {
  Reader reader(data, size);
  reader.allow_code = allow_code;
  PyObject* v = reader.read();
  if (used != nullptr) *used = reader.position() - data;
  return v;
}

PyObject* read_file(PyObject* file, bool allow_code) {
  // A look at what read() gives says early whether this is a binary file.
  Ref<> probe = Ref<>::steal(PyObject_CallMethod(file, "read", "i", 0));
  if (!probe) return nullptr;
  if (!PyBytes_Check(probe.get())) {
    PyErr_Format(PyExc_TypeError, "file.read() returned not bytes but %.100s", Py_TYPE(probe.get())->tp_name);
    return nullptr;
  }
  Reader reader(file);
  reader.allow_code = allow_code;
  return reader.read();
}

}  // namespace amphis::marshal

using namespace amphis;

extern "C" {

PyObject* PyMarshal_ReadObjectFromString(const char* data, Py_ssize_t size) {
  return marshal::read_string(data, size, true, nullptr);
}

long PyMarshal_ReadLongFromFile(FILE* file) { return marshal::Reader(file).number(); }
int PyMarshal_ReadShortFromFile(FILE* file) { return marshal::Reader(file).short_number(); }
PyObject* PyMarshal_ReadObjectFromFile(FILE* file) { return marshal::Reader(file).read(); }
PyObject* PyMarshal_ReadLastObjectFromFile(FILE* file) { return marshal::Reader(file).read(); }

}  // extern "C"
