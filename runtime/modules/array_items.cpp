// Reading and writing single items of arrays.
#include "modules/array_items.h"

#include <climits>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>

#include "objects/float.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis::array {
namespace {

template <typename T>
T load(const char* item) {
  T value;
  std::memcpy(&value, item, sizeof(value));
  return value;
}

template <typename T>
bool store(char* item, T value) {
  std::memcpy(item, &value, sizeof(value));
  return true;
}

template <typename T>
PyObject* get_int(const char* item) {
  if constexpr (std::is_signed_v<T>) {
    return int_from_int64(load<T>(item));
  } else {
    return int_from_uint64(load<T>(item));
  }
}

// How the messages name the smaller types.
template <typename T>
constexpr const char* name_of() {
  if constexpr (std::is_same_v<T, signed char>) return "signed char";
  if constexpr (std::is_same_v<T, unsigned char>) return "unsigned byte integer";
  if constexpr (std::is_same_v<T, short>) return "signed short integer";
  if constexpr (std::is_same_v<T, unsigned short>) return "unsigned short";
  if constexpr (std::is_same_v<T, int>) return "signed integer";
  return "unsigned int";
}

template <typename T>
bool set_small(char* item, PyObject* value) {
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return false;
  if constexpr (std::is_same_v<T, unsigned int>) {
    const unsigned long n = PyLong_AsUnsignedLong(index.get());
    if (n == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
    if (n > UINT_MAX) {
      PyErr_SetString(PyExc_OverflowError, "unsigned int is greater than maximum");
      return false;
    }
    return store(item, static_cast<T>(n));
  } else {
    const long n = PyLong_AsLong(index.get());
    if (n == -1 && PyErr_Occurred()) return false;
    if (n < std::numeric_limits<T>::min() || n > std::numeric_limits<T>::max()) {
      PyErr_Format(PyExc_OverflowError, "%s is %s than %s", name_of<T>(),
                   n < std::numeric_limits<T>::min() ? "less" : "greater",
                   n < std::numeric_limits<T>::min() ? "minimum" : "maximum");
      return false;
    }
    return store(item, static_cast<T>(n));
  }
}

template <typename T, T (*Convert)(PyObject*)>
bool set_wide(char* item, PyObject* value) {
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return false;
  const T n = Convert(index.get());
  if (n == static_cast<T>(-1) && PyErr_Occurred()) return false;
  return store(item, n);
}

template <typename T>
PyObject* get_float(const char* item) {
  return float_from_double(load<T>(item));
}

template <typename T>
bool set_float(char* item, PyObject* value) {
  const double x = PyFloat_AsDouble(value);
  if (x == -1.0 && PyErr_Occurred()) return false;
  return store(item, static_cast<T>(x));
}

PyObject* get_character(const char* item) { return PyUnicode_FromOrdinal(static_cast<int>(load<Py_UCS4>(item))); }

bool set_character(char* item, PyObject* value) {
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "array item must be a unicode character, not %T", value);
    return false;
  }
  if (PyUnicode_GET_LENGTH(value) != 1) {
    PyErr_Format(PyExc_TypeError, "array item must be a unicode character, not a string of length %zd",
                 PyUnicode_GET_LENGTH(value));
    return false;
  }
  return store(item, PyUnicode_READ_CHAR(value, 0));
}

}  // namespace

static_assert(sizeof(wchar_t) == 4 && sizeof(long) == 8);

const ItemType item_types[] = {
    {'b', 1, "b", true, true, get_int<signed char>, set_small<signed char>},
    {'B', 1, "B", true, false, get_int<unsigned char>, set_small<unsigned char>},
    {'u', 4, "w", false, false, get_character, set_character},
    {'w', 4, "w", false, false, get_character, set_character},
    {'h', 2, "h", true, true, get_int<short>, set_small<short>},
    {'H', 2, "H", true, false, get_int<unsigned short>, set_small<unsigned short>},
    {'i', 4, "i", true, true, get_int<int>, set_small<int>},
    {'I', 4, "I", true, false, get_int<unsigned int>, set_small<unsigned int>},
    {'l', 8, "l", true, true, get_int<long>, set_wide<long, PyLong_AsLong>},
    {'L', 8, "L", true, false, get_int<unsigned long>, set_wide<unsigned long, PyLong_AsUnsignedLong>},
    {'q', 8, "q", true, true, get_int<long long>, set_wide<long long, PyLong_AsLongLong>},
    {'Q', 8, "Q", true, false, get_int<unsigned long long>, set_wide<unsigned long long, PyLong_AsUnsignedLongLong>},
    {'f', 4, "f", false, false, get_float<float>, set_float<float>},
    {'d', 8, "d", false, false, get_float<double>, set_float<double>},
    {0, 0, nullptr, false, false, nullptr, nullptr},
};

const ItemType* item_type(Py_UCS4 typecode) {
  for (const ItemType* type = item_types; type->typecode != 0; ++type) {
    if (static_cast<Py_UCS4>(type->typecode) == typecode) return type;
  }
  return nullptr;
}

namespace {

// The numbers are fixed by pickles that exist.
constexpr MachineFormat kFormats[] = {
    {1, false, false, true, false}, {1, true, false, true, false},  {2, false, false, true, false},
    {2, false, true, true, false},  {2, true, false, true, false},  {2, true, true, true, false},
    {4, false, false, true, false}, {4, false, true, true, false},  {4, true, false, true, false},
    {4, true, true, true, false},   {8, false, false, true, false}, {8, false, true, true, false},
    {8, true, false, true, false},  {8, true, true, true, false},   {4, false, false, false, false},
    {4, false, true, false, false}, {8, false, false, false, false}, {8, false, true, false, false},
    {2, false, false, false, true}, {2, false, true, false, true},  {4, false, false, false, true},
    {4, false, true, false, true},
};

}  // namespace

int machine_format(const ItemType* type) {
  const bool is_text = type->typecode == 'u' || type->typecode == 'w';
  for (int i = 0; i < static_cast<int>(std::size(kFormats)); ++i) {
    const MachineFormat& f = kFormats[i];
    if (f.size == type->size && f.is_signed == type->is_signed && f.is_integer == type->is_integer &&
        f.is_text == is_text && f.is_big_endian == (PY_BIG_ENDIAN && f.size > 1)) {
      return i;
    }
  }
  return kUnknownFormat;
}

const MachineFormat* machine_format_info(int format) {
  return format >= 0 && format < static_cast<int>(std::size(kFormats)) ? &kFormats[format] : nullptr;
}

}  // namespace amphis::array
