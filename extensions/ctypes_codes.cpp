// The codes of simple C types: how a Python value becomes C data and back, in both byte orders.
#include "ctypes_module.h"

#include <cstring>
#include <cwchar>

namespace ctypes {

const char kLetters[] = "cbBhHiIlLdDFGfuzZqQPOv?g";

namespace {

template <class T>
void store(void* data, T value) {
  std::memcpy(data, &value, sizeof value);
}
template <class T>
T load(const void* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// A code's functions in the other byte order turn `kParts` numbers around.
template <int kBytes>
void turn(const void* from, void* to, int parts) {
  for (int part = 0; part < parts; part++) {
    for (int i = 0; i < kBytes; i++)
      static_cast<char*>(to)[part * kBytes + i] = static_cast<const char*>(from)[part * kBytes + kBytes - 1 - i];
  }
}
template <auto pack, int kBytes, int kParts>
bool pack_turned(PyObject* value, void* data, PyObject** keep) {
  char native[kBytes * kParts];
  if (!pack(value, native, keep)) return false;
  turn<kBytes>(native, data, kParts);
  return true;
}
template <auto unpack, int kBytes, int kParts>
PyObject* unpack_turned(const void* data) {
  char native[kBytes * kParts];
  turn<kBytes>(data, native, kParts);
  return unpack(native);
}

// Integers: any, cut to size.
template <class T>
bool pack_integer(PyObject* value, void* data, PyObject**) {
  unsigned long long number;
  if (PyLong_Check(value)) {
    number = PyLong_AsUnsignedLongLongMask(value);
  } else {
    Ref index(PyNumber_Index(value));
    if (!index) return false;
    number = PyLong_AsUnsignedLongLongMask(index.get());
  }
  if (number == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return false;
  store(data, static_cast<T>(number));
  return true;
}
template <class T>
PyObject* unpack_integer(const void* data) {
  if constexpr (static_cast<T>(-1) < 0) return PyLong_FromLongLong(load<T>(data));
  return PyLong_FromUnsignedLongLong(static_cast<unsigned long long>(load<T>(data)));
}

bool pack_truth(PyObject* value, void* data, PyObject**) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return false;
  store(data, static_cast<unsigned char>(truth));
  return true;
}
PyObject* unpack_truth(const void* data) { return PyBool_FromLong(load<unsigned char>(data) != 0); }
// VARIANT_BOOL: -1 is true.
bool pack_variant(PyObject* value, void* data, PyObject**) {
  const int truth = PyObject_IsTrue(value);
  if (truth < 0) return false;
  store(data, static_cast<short>(-truth));
  return true;
}
PyObject* unpack_variant(const void* data) { return PyBool_FromLong(load<short>(data) != 0); }

template <class T>
bool pack_float(PyObject* value, void* data, PyObject**) {
  const double number = PyFloat_AsDouble(value);
  if (number == -1.0 && PyErr_Occurred()) return false;
  if constexpr (sizeof(T) == 16) std::memset(data, 0, sizeof(T));  // its padding
  store(data, static_cast<T>(number));
  return true;
}
template <class T>
PyObject* unpack_float(const void* data) {
  return PyFloat_FromDouble(static_cast<double>(load<T>(data)));
}

template <class T>
bool pack_complex(PyObject* value, void* data, PyObject**) {
  const Py_complex number = PyComplex_AsCComplex(value);
  if (number.real == -1.0 && PyErr_Occurred()) return false;
  if constexpr (sizeof(T) == 16) std::memset(data, 0, 2 * sizeof(T));
  store(data, static_cast<T>(number.real));
  store(static_cast<char*>(data) + sizeof(T), static_cast<T>(number.imag));
  return true;
}
template <class T>
PyObject* unpack_complex(const void* data) {
  return PyComplex_FromDoubles(static_cast<double>(load<T>(data)),
                               static_cast<double>(load<T>(static_cast<const char*>(data) + sizeof(T))));
}

bool pack_char(PyObject* value, void* data, PyObject**) {
  constexpr char kExpected[] = "one character bytes, bytearray, or an integer in range(256) expected, not ";
  if (PyBytes_Check(value)) {
    if (PyBytes_GET_SIZE(value) == 1) {
      store(data, PyBytes_AS_STRING(value)[0]);
      return true;
    }
    PyErr_Format(PyExc_TypeError, "%sbytes of length %zd", kExpected, PyBytes_GET_SIZE(value));
    return false;
  }
  if (PyByteArray_Check(value)) {
    Py_ssize_t size;
    char byte = 0;
    Py_BEGIN_CRITICAL_SECTION(value);
    size = PyByteArray_GET_SIZE(value);
    if (size == 1) byte = PyByteArray_AS_STRING(value)[0];
    Py_END_CRITICAL_SECTION();
    if (size == 1) {
      store(data, byte);
      return true;
    }
    PyErr_Format(PyExc_TypeError, "%sbytearray of length %zd", kExpected, size);
    return false;
  }
  if (PyLong_Check(value)) {
    int overflow;
    const long number = PyLong_AsLongAndOverflow(value, &overflow);
    if (overflow == 0 && number >= 0 && number < 256) {
      store(data, static_cast<unsigned char>(number));
      return true;
    }
    PyErr_SetString(PyExc_TypeError, "integer not in range(256)");
    return false;
  }
  PyErr_Format(PyExc_TypeError, "%s%T", kExpected, value);
  return false;
}
PyObject* unpack_char(const void* data) { return PyBytes_FromStringAndSize(static_cast<const char*>(data), 1); }

bool pack_wide(PyObject* value, void* data, PyObject**) {
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "a unicode character expected, not instance of %T", value);
    return false;
  }
  if (PyUnicode_GET_LENGTH(value) != 1) {
    PyErr_Format(PyExc_TypeError, "a unicode character expected, not a string of length %zd", PyUnicode_GET_LENGTH(value));
    return false;
  }
  store(data, static_cast<wchar_t>(PyUnicode_READ_CHAR(value, 0)));
  return true;
}
PyObject* unpack_wide(const void* data) {
  const wchar_t c = load<wchar_t>(data);
  return PyUnicode_FromWideChar(&c, 1);
}

void free_wide(PyObject* capsule) { PyMem_Free(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))); }

bool pack_address(PyObject* value, void* data) {
  const unsigned long long address = PyLong_AsUnsignedLongLongMask(value);
  if (address == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return false;
  store(data, static_cast<uintptr_t>(address));
  return true;
}

bool pack_string(PyObject* value, void* data, PyObject** keep) {
  if (value == Py_None) {
    store<char*>(data, nullptr);
    return true;
  }
  if (PyBytes_Check(value)) {
    *keep = Py_NewRef(value);
    store(data, PyBytes_AS_STRING(value));
    return true;
  }
  if (PyLong_Check(value)) return pack_address(value, data);
  PyErr_Format(PyExc_TypeError, "bytes or integer address expected instead of %s instance", Py_TYPE(value)->tp_name);
  return false;
}
PyObject* unpack_string(const void* data) {
  const char* text = load<const char*>(data);
  return text == nullptr ? Py_NewRef(Py_None) : PyBytes_FromString(text);
}

bool pack_wide_string(PyObject* value, void* data, PyObject** keep) {
  if (value == Py_None) {
    store<wchar_t*>(data, nullptr);
    return true;
  }
  if (PyLong_Check(value)) return pack_address(value, data);
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "unicode string or integer address expected instead of %s instance", Py_TYPE(value)->tp_name);
    return false;
  }
  Py_ssize_t size;  // asked for: the text may have zeros in it
  wchar_t* text = PyUnicode_AsWideCharString(value, &size);
  if (text == nullptr) return false;
  *keep = PyCapsule_New(text, "_ctypes/cfield.c pymem", free_wide);
  if (*keep == nullptr) {
    PyMem_Free(text);
    return false;
  }
  store(data, text);
  return true;
}
PyObject* unpack_wide_string(const void* data) {
  const wchar_t* text = load<const wchar_t*>(data);
  return text == nullptr ? Py_NewRef(Py_None) : PyUnicode_FromWideChar(text, static_cast<Py_ssize_t>(std::wcslen(text)));
}

bool pack_pointer(PyObject* value, void* data, PyObject**) {
  if (value == Py_None) {
    store<void*>(data, nullptr);
    return true;
  }
  if (PyLong_Check(value)) return pack_address(value, data);
  PyErr_SetString(PyExc_TypeError, "cannot be converted to pointer");
  return false;
}
PyObject* unpack_pointer(const void* data) {
  void* address = load<void*>(data);
  return address == nullptr ? Py_NewRef(Py_None) : PyLong_FromVoidPtr(address);
}

bool pack_object(PyObject* value, void* data, PyObject** keep) {
  store(data, value);
  *keep = Py_NewRef(value);
  return true;
}
PyObject* unpack_object(const void* data) {
  PyObject* object = load<PyObject*>(data);
  if (object != nullptr) return Py_NewRef(object);
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "PyObject is NULL");
  return nullptr;
}

constexpr ByteClass kInt = ByteClass::kInteger, kSse = ByteClass::kFloat;

template <class T>
ffi_type* integer_ffi() {
  constexpr bool negative = static_cast<T>(-1) < 0;
  switch (sizeof(T)) {
    case 1: return negative ? &ffi_type_sint8 : &ffi_type_uint8;
    case 2: return negative ? &ffi_type_sint16 : &ffi_type_uint16;
    case 4: return negative ? &ffi_type_sint32 : &ffi_type_uint32;
    default: return negative ? &ffi_type_sint64 : &ffi_type_uint64;
  }
}

// Pairs of a code and the same in the other order: kBytes and kParts say what is turned around.
template <auto pack, auto unpack, int kBytes, int kParts>
struct Pair {
  Code native, foreign;
  Pair(Code code) : native(code), foreign(code) {
    native.pack = pack;
    native.unpack = unpack;
    native.swapped = &foreign;
    foreign.pack = pack_turned<pack, kBytes, kParts>;
    foreign.unpack = unpack_turned<unpack, kBytes, kParts>;
    foreign.swapped = &native;
    foreign.foreign = true;
  }
};
template <class T>
using IntegerPair = Pair<pack_integer<T>, unpack_integer<T>, sizeof(T), 1>;
template <class T>
Code integer_code(char letter, char format) {
  return {letter,  format, false,   true,    static_cast<T>(-1) < 0, sizeof(T), integer_ffi<T>(),
          kInt, nullptr, nullptr, nullptr, false};
}
Code other_code(char letter, size_t size, ffi_type* ffi, ByteClass byte_class = kInt) {
  return {letter, letter, false, false, false, static_cast<unsigned char>(size), ffi, byte_class, nullptr, nullptr, nullptr, false};
}
Code pointer_code(char letter, bool (*pack)(PyObject*, void*, PyObject**), PyObject* (*unpack)(const void*)) {
  return {letter, letter, true, false, false, sizeof(void*), &ffi_type_pointer, kInt, pack, unpack, nullptr, false};
}

struct Table {
  Code c = other_code('c', 1, &ffi_type_sint8), u = other_code('u', sizeof(wchar_t), &ffi_type_sint32);
  IntegerPair<signed char> b = integer_code<signed char>('b', 'b');
  IntegerPair<unsigned char> B = integer_code<unsigned char>('B', 'B');
  IntegerPair<short> h = integer_code<short>('h', 'h');
  IntegerPair<unsigned short> H = integer_code<unsigned short>('H', 'H');
  IntegerPair<int> i = integer_code<int>('i', 'i');
  IntegerPair<unsigned> I = integer_code<unsigned>('I', 'I');
  IntegerPair<long> l = integer_code<long>('l', 'q');
  IntegerPair<unsigned long> L = integer_code<unsigned long>('L', 'Q');
  IntegerPair<long long> q = integer_code<long long>('q', 'q');
  IntegerPair<unsigned long long> Q = integer_code<unsigned long long>('Q', 'Q');
  Pair<pack_truth, unpack_truth, 1, 1> truth = boolean();
  Pair<pack_float<float>, unpack_float<float>, 4, 1> f = other_code('f', 4, &ffi_type_float, kSse);
  Pair<pack_float<double>, unpack_float<double>, 8, 1> d = other_code('d', 8, &ffi_type_double, kSse);
  Pair<pack_complex<float>, unpack_complex<float>, 4, 2> F = other_code('F', 8, &ffi_type_complex_float, kSse);
  Pair<pack_complex<double>, unpack_complex<double>, 8, 2> D = other_code('D', 16, &ffi_type_complex_double, kSse);
  Code g = other_code('g', 16, &ffi_type_longdouble, ByteClass::kX87);
  Code G = other_code('G', 32, &ffi_type_complex_longdouble, ByteClass::kX87);
  Code v = other_code('v', 2, &ffi_type_sint16);
  Code z = pointer_code('z', pack_string, unpack_string), Z = pointer_code('Z', pack_wide_string, unpack_wide_string);
  Code P = pointer_code('P', pack_pointer, unpack_pointer), O = pointer_code('O', pack_object, unpack_object);

  static Code boolean() {
    Code code = other_code('?', 1, &ffi_type_uint8);
    code.integer = true;
    return code;
  }
  static void fill(Code& code, bool (*pack)(PyObject*, void*, PyObject**), PyObject* (*unpack)(const void*)) {
    code.pack = pack;
    code.unpack = unpack;
  }
  Table() {
    fill(c, pack_char, unpack_char);
    fill(u, pack_wide, unpack_wide);
    fill(v, pack_variant, unpack_variant);
    fill(g, pack_float<long double>, unpack_float<long double>);
    fill(G, pack_complex<long double>, unpack_complex<long double>);
    v.integer = true;
  }
};

}  // namespace

const Code* find_code(Py_UCS4 letter) {
  static const Table table;
  switch (letter) {
    case 'c': return &table.c;
    case 'b': return &table.b.native;
    case 'B': return &table.B.native;
    case 'h': return &table.h.native;
    case 'H': return &table.H.native;
    case 'i': return &table.i.native;
    case 'I': return &table.I.native;
    case 'l': return &table.l.native;
    case 'L': return &table.L.native;
    case 'q': return &table.q.native;
    case 'Q': return &table.Q.native;
    case 'd': return &table.d.native;
    case 'D': return &table.D.native;
    case 'F': return &table.F.native;
    case 'G': return &table.G;
    case 'f': return &table.f.native;
    case 'g': return &table.g;
    case 'u': return &table.u;
    case 'z': return &table.z;
    case 'Z': return &table.Z;
    case 'P': return &table.P;
    case 'O': return &table.O;
    case 'v': return &table.v;
    case '?': return &table.truth.native;
    default: return nullptr;
  }
}

}  // namespace ctypes
