// Writing marshal data.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "Python.h"
#include "marshal.h"
#include "modules/marshal_io.h"
#include "modules/marshal_format.h"
#include "objects/code_tables.h"
#include "sync/ref.h"

namespace amphis::marshal {

namespace {

enum class Status { kOk, kUnmarshallable, kTooDeep, kNoMemory, kRaised, kCode };

class Writer {
 public:
  Writer(int version, bool allow_code) : version_(version), allow_code_(allow_code) {}

  Status status = Status::kOk;
  std::string out;

  void byte(int b) { out += static_cast<char>(b); }
  void short_number(int n) {
    byte(n & 0xff);
    byte((n >> 8) & 0xff);
  }
  void number(int64_t n) {
    for (int i = 0; i < 32; i += 8) byte(static_cast<int>(n >> i) & 0xff);
  }
  void object(PyObject* v);

 private:
  void fail(Status s) {
    if (status == Status::kOk) status = s;
  }
  bool size(Py_ssize_t n) {
    if (n > INT32_MAX) {
      fail(Status::kUnmarshallable);
      return false;
    }
    number(n);
    return true;
  }
  void text(const char* data, Py_ssize_t n) {
    if (size(n)) out.append(data, static_cast<size_t>(n));
  }
  bool reference(PyObject* v, unsigned char* flag);
  void complex_object(PyObject* v, unsigned char flag);
  void integer(PyObject* v, unsigned char flag);
  void string(PyObject* v, unsigned char flag);
  void real(double d) {
    char buffer[8];
    if (PyFloat_Pack8(d, buffer, 1) < 0) return fail(Status::kRaised);
    out.append(buffer, 8);
  }
  void old_real(double d) {
    char* s = PyOS_double_to_string(d, 'g', 17, 0, nullptr);
    if (s == nullptr) return fail(Status::kNoMemory);
    size_t n = std::strlen(s);
    byte(static_cast<int>(n));
    out.append(s, n);
    PyMem_Free(s);
  }
  void set(PyObject* v, unsigned char flag);
  void code(PyCodeObject* v, unsigned char flag);
  void buffer(PyObject* v, unsigned char flag);

  int version_;
  bool allow_code_;
  int depth_ = 0;
  std::unordered_map<PyObject*, int> seen_;
  std::vector<Ref<>> kept_;
  std::vector<PyObject*> unfinished_;  // objects that are made after their parts, being written
};

// Objects that other places may refer to are numbered; later ones are written as the number.
bool Writer::reference(PyObject* v, unsigned char* flag) {
  if (version_ < 3) return false;
  if (!_Py_IsImmortal(v) && Py_REFCNT(v) == 1) return false;
  auto [it, fresh] = seen_.try_emplace(v, static_cast<int>(seen_.size()));
  if (!fresh) {
    if (std::find(unfinished_.begin(), unfinished_.end(), v) != unfinished_.end()) {
      // Its number means nothing before it has been read.
      byte(kUnknown);
      fail(Status::kUnmarshallable);
      return true;
    }
    byte(kRef);
    number(it->second);
    return true;
  }
  kept_.push_back(Ref<>::share(v));
  *flag |= kFlagRef;
  return false;
}

void Writer::object(PyObject* v) {
  if (status != Status::kOk) return;
  ++depth_;
  if (depth_ > kMaxDepth) {
    fail(Status::kTooDeep);
  } else if (v == nullptr) {
    byte(kNull);
  } else if (v == Py_None) {
    byte(kNone);
  } else if (v == PyExc_StopIteration) {
    byte(kStopIteration);
  } else if (v == Py_Ellipsis) {
    byte(kEllipsis);
  } else if (v == Py_False) {
    byte(kFalse);
  } else if (v == Py_True) {
    byte(kTrue);
  } else {
    unsigned char flag = 0;
    if (!reference(v, &flag)) {
      const bool late = PyCode_Check(v) || PySlice_Check(v) || PyFrozenSet_CheckExact(v);
      if (late) unfinished_.push_back(v);
      complex_object(v, flag);
      if (late) unfinished_.pop_back();
    }
  }
  --depth_;
}

void Writer::integer(PyObject* v, unsigned char flag) {
  int overflow = 0;
  long long n = PyLong_AsLongLongAndOverflow(v, &overflow);
  if (overflow == 0 && n >= INT32_MIN && n <= INT32_MAX) {
    byte(kInt | flag);
    number(n);
    return;
  }
  // Digits of fifteen bits, the count carrying the sign.
  Ref<> magnitude = Ref<>::steal(PyNumber_Absolute(v));
  if (!magnitude) return fail(Status::kRaised);
  Py_ssize_t bytes = PyLong_AsNativeBytes(magnitude, nullptr, 0, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
  if (bytes < 0) return fail(Status::kRaised);
  std::vector<unsigned char> raw(static_cast<size_t>(bytes) + 3, 0);
  PyLong_AsNativeBytes(magnitude, raw.data(), bytes, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
  std::vector<int> digits;
  const size_t bits = static_cast<size_t>(bytes) * 8;
  for (size_t bit = 0; bit < bits; bit += 15) {
    const size_t at = bit / 8;
    uint32_t window = raw[at] | static_cast<uint32_t>(raw[at + 1]) << 8 | static_cast<uint32_t>(raw[at + 2]) << 16;
    digits.push_back(static_cast<int>((window >> (bit % 8)) & 0x7fff));
  }
  while (!digits.empty() && digits.back() == 0) digits.pop_back();
  Ref<> zero = Ref<>::steal(PyLong_FromLong(0));
  int negative = PyObject_RichCompareBool(v, zero, Py_LT);
  if (negative < 0) return fail(Status::kRaised);
  byte(kLong | flag);
  const auto count = static_cast<int64_t>(digits.size());
  number(negative ? -count : count);
  for (int d : digits) short_number(d);
}

void Writer::string(PyObject* v, unsigned char flag) {
  const bool interned = PyUnicode_CHECK_INTERNED(v);
  if (version_ >= 4 && PyUnicode_IS_ASCII(v)) {
    const Py_ssize_t n = PyUnicode_GET_LENGTH(v);
    const bool is_short = n < 256;
    if (is_short) {
      byte((interned ? kShortAsciiInterned : kShortAscii) | flag);
      byte(static_cast<int>(n));
      out.append(static_cast<const char*>(PyUnicode_DATA(v)), static_cast<size_t>(n));
    } else {
      byte((interned ? kAsciiInterned : kAscii) | flag);
      text(static_cast<const char*>(PyUnicode_DATA(v)), n);
    }
    return;
  }
  Ref<> utf8 = Ref<>::steal(PyUnicode_AsEncodedString(v, "utf8", "surrogatepass"));
  if (!utf8) return fail(Status::kRaised);
  byte((version_ >= 3 && interned ? kInterned : kUnicode) | flag);
  text(PyBytes_AS_STRING(utf8.get()), PyBytes_GET_SIZE(utf8.get()));
}

void Writer::complex_object(PyObject* v, unsigned char flag) {
  if (PyLong_CheckExact(v)) {
    integer(v, flag);
  } else if (PyFloat_CheckExact(v)) {
    if (version_ > 1) {
      byte(kBinaryFloat | flag);
      real(PyFloat_AS_DOUBLE(v));
    } else {
      byte(kFloat | flag);
      old_real(PyFloat_AS_DOUBLE(v));
    }
  } else if (PyComplex_CheckExact(v)) {
    Py_complex z = PyComplex_AsCComplex(v);
    if (version_ > 1) {
      byte(kBinaryComplex | flag);
      real(z.real);
      real(z.imag);
    } else {
      byte(kComplex | flag);
      old_real(z.real);
      old_real(z.imag);
    }
  } else if (PyBytes_CheckExact(v)) {
    byte(kBytes | flag);
    text(PyBytes_AS_STRING(v), PyBytes_GET_SIZE(v));
  } else if (PyUnicode_CheckExact(v)) {
    string(v, flag);
  } else if (PyTuple_CheckExact(v)) {
    const Py_ssize_t n = PyTuple_GET_SIZE(v);
    if (version_ >= 4 && n < 256) {
      byte(kSmallTuple | flag);
      byte(static_cast<int>(n));
    } else {
      byte(kTuple | flag);
      if (!size(n)) return;
    }
    for (Py_ssize_t i = 0; i < n; ++i) object(PyTuple_GET_ITEM(v, i));
  } else if (PyList_CheckExact(v)) {
    Ref<> items = Ref<>::steal(PyList_AsTuple(v));
    if (!items) return fail(Status::kRaised);
    byte(kList | flag);
    if (!size(PyTuple_GET_SIZE(items.get()))) return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i) object(PyTuple_GET_ITEM(items.get(), i));
  } else if (PyDict_CheckExact(v)) {
    byte(kDict | flag);
    Ref<> copy = Ref<>::steal(PyDict_Items(v));
    if (!copy) return fail(Status::kRaised);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(copy.get()); ++i) {
      PyObject* pair = PyList_GET_ITEM(copy.get(), i);
      object(PyTuple_GET_ITEM(pair, 0));
      object(PyTuple_GET_ITEM(pair, 1));
    }
    object(nullptr);
  } else if (PyAnySet_CheckExact(v)) {
    set(v, flag);
  } else if (PyCode_Check(v)) {
    if (!allow_code_) return fail(Status::kCode);
    code(reinterpret_cast<PyCodeObject*>(v), flag);
  } else if (PySlice_Check(v)) {
    if (version_ < 5) {
      byte(kUnknown);
      return fail(Status::kUnmarshallable);
    }
    auto* slice = reinterpret_cast<PySliceObject*>(v);
    byte(kSlice | flag);
    object(slice->start);
    object(slice->stop);
    object(slice->step);
  } else if (PyObject_CheckBuffer(v)) {
    buffer(v, flag);
  } else {
    byte(kUnknown | flag);
    fail(Status::kUnmarshallable);
  }
}

// Sets are written in the order of their items' own data, so that equal sets give equal data.
void Writer::set(PyObject* v, unsigned char flag) {
  Ref<> items = Ref<>::steal(PySequence_List(v));
  if (!items) return fail(Status::kRaised);
  byte((PyFrozenSet_CheckExact(v) ? kFrozenSet : kSet) | flag);
  const Py_ssize_t n = PyList_GET_SIZE(items.get());
  if (!size(n)) return;
  std::vector<std::pair<std::string, PyObject*>> sorted;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyList_GET_ITEM(items.get(), i);
    Ref<> key = Ref<>::steal(write_string(item, version_, allow_code_));
    if (!key) return fail(Status::kRaised);
    sorted.emplace_back(std::string(PyBytes_AS_STRING(key.get()), static_cast<size_t>(PyBytes_GET_SIZE(key.get()))),
                        item);
  }
  if (PySet_Size(v) != n) {
    PyErr_SetString(PyExc_RuntimeError, "set changed size during iteration");
    return fail(Status::kRaised);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [key, item] : sorted) object(item);
}

void Writer::code(PyCodeObject* c, unsigned char flag) {
  byte(kCode | flag);
  number(kCodeFormat);
  number(c->co_argcount);
  number(c->co_posonlyargcount);
  number(c->co_kwonlyargcount);
  number(c->co_stacksize);
  number(c->co_flags);
  std::string words = code_general_words(c);
  text(words.data(), static_cast<Py_ssize_t>(words.size()));
  object(c->co_consts);
  object(c->co_names);
  object(c->co_localsplusnames);
  object(c->co_localspluskinds);
  object(c->co_filename);
  object(c->co_name);
  object(c->co_qualname);
  number(c->co_firstlineno);
  object(c->co_linetable);
  object(c->co_exceptiontable);
}

void Writer::buffer(PyObject* v, unsigned char flag) {
  Py_buffer view;
  if (PyObject_GetBuffer(v, &view, PyBUF_SIMPLE) != 0) {
    PyErr_Clear();
    byte(kUnknown);
    return fail(Status::kUnmarshallable);
  }
  byte(kBytes | flag);
  text(static_cast<const char*>(view.buf), view.len);
  PyBuffer_Release(&view);
}

bool report(Status status) {
  switch (status) {
    case Status::kOk:
      return true;
    case Status::kNoMemory:
      PyErr_NoMemory();
      break;
    case Status::kTooDeep:
      PyErr_SetString(PyExc_ValueError, "object too deeply nested to marshal");
      break;
    case Status::kCode:
      PyErr_SetString(PyExc_ValueError, "marshalling code objects is disallowed");
      break;
    case Status::kUnmarshallable:
      PyErr_SetString(PyExc_ValueError, "unmarshallable object");
      break;
    case Status::kRaised:
      break;
  }
  return false;
}

}  // namespace

PyObject* write_string(PyObject* value, int version, bool allow_code) {
  Writer writer(version, allow_code);
  writer.object(value);
  if (!report(writer.status)) return nullptr;
  return PyBytes_FromStringAndSize(writer.out.data(), static_cast<Py_ssize_t>(writer.out.size()));
}

}  // namespace amphis::marshal

using namespace amphis;

extern "C" {

PyObject* PyMarshal_WriteObjectToString(PyObject* value, int version) {
  if (PySys_Audit("marshal.dumps", "Oi", value, version) < 0) return nullptr;
  return marshal::write_string(value, version, true);
}

void PyMarshal_WriteLongToFile(long value, FILE* file, int) {
  unsigned char bytes[4];
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<unsigned char>(value >> (8 * i));
  std::fwrite(bytes, 1, 4, file);
}

void PyMarshal_WriteObjectToFile(PyObject* value, FILE* file, int version) {
  if (PySys_Audit("marshal.dumps", "Oi", value, version) < 0) return;
  marshal::Writer writer(version, true);
  writer.object(value);
  if (writer.status == marshal::Status::kOk) std::fwrite(writer.out.data(), 1, writer.out.size(), file);
}

}  // extern "C"
