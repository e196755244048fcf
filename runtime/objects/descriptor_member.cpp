// Reading and writing C struct members as PyMemberDef describes them.
#include "objects/type.h"

#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <climits>
#include <cstring>

namespace amphis {

namespace {

// Fields lie where a struct has them, so they are aligned; in one that is packed they may not be.
template <typename T>
bool is_aligned(const char* address) {
  return reinterpret_cast<uintptr_t>(address) % alignof(T) == 0;
}

template <typename T>
T load(const char* address) {
  if (is_aligned<T>(address)) [[likely]] return sync::load_relaxed(*reinterpret_cast<const T*>(address));
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

template <typename T>
void store(char* address, T value) {
  if (is_aligned<T>(address)) [[likely]] return sync::store_relaxed(*reinterpret_cast<T*>(address), value);
  std::memcpy(address, &value, sizeof(T));
}

bool warn_truncated(const char* type) {
  return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "Truncation of value to %s", type) == 0;
}

// A signed number that is cut to T with a warning.
template <typename T>
int store_small(char* address, PyObject* value, const char* type, long low, long high) {
  long number = PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred()) return -1;
  store(address, static_cast<T>(number));
  return (number < low || number > high) && !warn_truncated(type) ? -1 : 0;
}

// Unsigned targets accept negative numbers, with a warning, as they always have.
template <typename T, typename Wide>
int store_unsigned(char* address, PyObject* value, const char* type, Wide (*convert)(PyObject*),
                   long (*convert_negative)(PyObject*)) {
  Ref<> index = Ref<>::steal(PyNumber_Index(value));
  if (!index) return -1;
  if (PyLong_IsNegative(index.get()) > 0) {
    long number = convert_negative(index.get());
    if (number == -1 && PyErr_Occurred()) return -1;
    store(address, static_cast<T>(number));
    return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "Writing negative value into unsigned field") < 0 ? -1 : 0;
  }
  Wide number = convert(index.get());
  if (number == static_cast<Wide>(-1) && PyErr_Occurred()) return -1;
  store(address, static_cast<T>(number));
  return static_cast<Wide>(static_cast<T>(number)) != number && !warn_truncated(type) ? -1 : 0;
}

void raise_missing(PyObject* obj, const char* name) {
  PyErr_Format(PyExc_AttributeError, "'%T' object has no attribute '%s'", obj, name);
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> name_object = Ref<>::steal(PyUnicode_FromString(name));
  if (!name_object) PyErr_Clear();
  PyErr_SetRaisedException(error.release());
  if (name_object) set_attribute_error_context(obj, name_object.get());
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyMember_GetOne(const char* obj, PyMemberDef* member) {
  if ((member->flags & Py_RELATIVE_OFFSET) != 0) {
    PyErr_SetString(PyExc_SystemError, "PyMember_GetOne used with Py_RELATIVE_OFFSET");
    return nullptr;
  }
  const char* address = obj + member->offset;
  auto* owner = reinterpret_cast<PyObject*>(const_cast<char*>(obj));
  switch (member->type) {
    case Py_T_OBJECT_EX: {
      Ref<> value = sync::get_ref(reinterpret_cast<PyObject* const*>(address), owner);
      if (!value) raise_missing(owner, member->name);
      return value.release();
    }
    case _Py_T_OBJECT: {
      Ref<> value = sync::get_ref(reinterpret_cast<PyObject* const*>(address), owner);
      return value ? value.release() : Py_NewRef(Py_None);
    }
    case Py_T_BOOL:
      return PyBool_FromLong(load<char>(address));
    case Py_T_BYTE:
      return PyLong_FromLong(load<signed char>(address));
    case Py_T_UBYTE:
      return PyLong_FromUnsignedLong(load<unsigned char>(address));
    case Py_T_SHORT:
      return PyLong_FromLong(load<short>(address));
    case Py_T_USHORT:
      return PyLong_FromUnsignedLong(load<unsigned short>(address));
    case Py_T_INT:
      return PyLong_FromLong(load<int>(address));
    case Py_T_UINT:
      return PyLong_FromUnsignedLong(load<unsigned int>(address));
    case Py_T_LONG:
      return PyLong_FromLong(load<long>(address));
    case Py_T_ULONG:
      return PyLong_FromUnsignedLong(load<unsigned long>(address));
    case Py_T_LONGLONG:
      return PyLong_FromLongLong(load<long long>(address));
    case Py_T_ULONGLONG:
      return PyLong_FromUnsignedLongLong(load<unsigned long long>(address));
    case Py_T_PYSSIZET:
      return PyLong_FromSsize_t(load<Py_ssize_t>(address));
    case Py_T_FLOAT:
      return PyFloat_FromDouble(load<float>(address));
    case Py_T_DOUBLE:
      return PyFloat_FromDouble(load<double>(address));
    case Py_T_STRING: {
      const char* text = load<const char*>(address);
      return text == nullptr ? Py_NewRef(Py_None) : PyUnicode_FromString(text);
    }
    case Py_T_STRING_INPLACE:
      return PyUnicode_FromString(address);
    case Py_T_CHAR: {
      char c = load<char>(address);
      return PyUnicode_FromStringAndSize(&c, 1);
    }
    case _Py_T_NONE:
      return Py_NewRef(Py_None);
    default:
      PyErr_Format(PyExc_SystemError, "bad memberdescr type for %s", member->name);
      return nullptr;
  }
}

int PyMember_SetOne(char* obj, PyMemberDef* member, PyObject* value) {
  if ((member->flags & Py_RELATIVE_OFFSET) != 0) {
    PyErr_SetString(PyExc_SystemError, "PyMember_SetOne used with Py_RELATIVE_OFFSET");
    return -1;
  }
  char* address = obj + member->offset;
  auto* owner = reinterpret_cast<PyObject*>(obj);
  if ((member->flags & Py_READONLY) != 0) {
    PyErr_SetString(PyExc_AttributeError, "readonly attribute");
    return -1;
  }
  if (value == nullptr && member->type != Py_T_OBJECT_EX && member->type != _Py_T_OBJECT) {
    PyErr_SetString(PyExc_TypeError, "can't delete numeric/char attribute");
    return -1;
  }
  switch (member->type) {
    case _Py_T_OBJECT:
    case Py_T_OBJECT_EX: {
      Ref<> old;
      {
        ObjectLock lock(owner);
        old = sync::exchange_slot(reinterpret_cast<PyObject**>(address), Ref<>::share(value));
      }
      if (value == nullptr && member->type == Py_T_OBJECT_EX && !old) {
        PyErr_Format(PyExc_AttributeError, "%s", member->name);
        return -1;
      }
      return 0;
    }
    case Py_T_BOOL:
      if (!PyBool_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "attribute value type must be bool");
        return -1;
      }
      store(address, static_cast<char>(value == Py_True));
      return 0;
    case Py_T_BYTE:
      return store_small<signed char>(address, value, "char", CHAR_MIN, CHAR_MAX);
    case Py_T_UBYTE:
      return store_small<unsigned char>(address, value, "unsigned char", 0, UCHAR_MAX);
    case Py_T_SHORT:
      return store_small<short>(address, value, "short", SHRT_MIN, SHRT_MAX);
    case Py_T_USHORT:
      return store_small<unsigned short>(address, value, "unsigned short", 0, USHRT_MAX);
    case Py_T_INT:
      return store_small<int>(address, value, "int", INT_MIN, INT_MAX);
    case Py_T_UINT:
      return store_unsigned<unsigned int>(address, value, "unsigned int", PyLong_AsUnsignedLong, PyLong_AsLong);
    case Py_T_LONG:
      return store_small<long>(address, value, "long", LONG_MIN, LONG_MAX);
    case Py_T_ULONG:
      return store_unsigned<unsigned long>(address, value, "unsigned long", PyLong_AsUnsignedLong, PyLong_AsLong);
    case Py_T_LONGLONG: {
      long long number = PyLong_AsLongLong(value);
      if (number == -1 && PyErr_Occurred()) return -1;
      store(address, number);
      return 0;
    }
    case Py_T_ULONGLONG:
      return store_unsigned<unsigned long long>(address, value, "unsigned long long", PyLong_AsUnsignedLongLong,
                                                PyLong_AsLong);
    case Py_T_PYSSIZET: {
      Py_ssize_t number = PyLong_AsSsize_t(value);
      if (number == -1 && PyErr_Occurred()) return -1;
      store(address, number);
      return 0;
    }
    case Py_T_FLOAT:
    case Py_T_DOUBLE: {
      double number = PyFloat_AsDouble(value);
      if (number == -1.0 && PyErr_Occurred()) return -1;
      if (member->type == Py_T_DOUBLE) {
        store(address, number);
      } else {
        store(address, static_cast<float>(number));
      }
      return 0;
    }
    case Py_T_CHAR: {
      Py_ssize_t size;
      const char* text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
      if (text == nullptr || size != 1) {
        if (!PyErr_Occurred()) PyErr_BadArgument();
        return -1;
      }
      *address = text[0];
      return 0;
    }
    case Py_T_STRING:
    case Py_T_STRING_INPLACE:
      PyErr_SetString(PyExc_TypeError, "readonly attribute");
      return -1;
    default:
      PyErr_Format(PyExc_SystemError, "bad memberdescr type for %s", member->name);
      return -1;
  }
}

}  // extern "C"
