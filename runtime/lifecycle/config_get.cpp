// PyConfig_Get and PyConfig_Set: the running configuration by name (PEP 741).
#include "lifecycle/config.h"
#include "lifecycle/config_internal.h"
#include "modules/running_config.h"
#include "modules/sys.h"
#include "objects/int.h"
#include "sync/ref.h"

#include <climits>
#include <cstring>

namespace amphis {

namespace {

const ConfigField* field_or_error(const char* name) {
  const ConfigField* f = find_config_field(name);
  if (f == nullptr) PyErr_Format(PyExc_ValueError, "unknown config option name: %s", name);
  return f;
}

void* holder(const ConfigField& f) {
  return f.pre ? static_cast<void*>(&running_preconfig) : static_cast<void*>(&running_config);
}

PyObject* text_or_none(const wchar_t* text) {
  return text != nullptr ? PyUnicode_FromWideChar(text, -1) : Py_NewRef(Py_None);
}

PyObject* get(const ConfigField& f) {
  if (f.sys_name != nullptr) {
    PyObject* value;
    if (_PySys_GetOptionalAttrString(f.sys_name, &value) != 0) return value;
    PyErr_Format(PyExc_RuntimeError, "lost sys.%s", f.sys_name);
    return nullptr;
  }
  void* c = holder(f);
  switch (f.type) {
    case FieldType::kInt:
    case FieldType::kUInt:
      return PyLong_FromLong(field_of<int>(c, f));
    case FieldType::kBool:
      return PyBool_FromLong(field_of<int>(c, f) != 0);
    case FieldType::kULong:
      return PyLong_FromUnsignedLong(field_of<unsigned long>(c, f));
    case FieldType::kText:
    case FieldType::kOptionalText:
      return text_or_none(field_of<wchar_t*>(c, f));
    case FieldType::kTextList: {
      auto& list = field_of<PyWideStringList>(c, f);
      Ref<> tuple = Ref<>::steal(PyTuple_New(list.length));
      for (Py_ssize_t i = 0; tuple && i < list.length; ++i) {
        PyObject* item = PyUnicode_FromWideChar(list.items[i], -1);
        if (item == nullptr) return nullptr;
        PyTuple_SET_ITEM(tuple.get(), i, item);
      }
      return tuple.release();
    }
  }
  return nullptr;
}

int set_sys(const ConfigField& f, PyObject* value) {
  const auto refuse = [&](const char* expected) {
    PyErr_Format(PyExc_TypeError, "expected %s, got %s", expected, Py_TYPE(value)->tp_name);
    return -1;
  };
  if (f.type == FieldType::kTextList) {
    if (strcmp(f.name, "xoptions") == 0) {
      if (!PyDict_Check(value)) return refuse("dict[str, str | bool]");
      PyObject *key, *item;
      for (Py_ssize_t pos = 0; PyDict_Next(value, &pos, &key, &item);) {
        if (!PyUnicode_Check(key) || (!PyUnicode_Check(item) && !PyBool_Check(item))) return refuse("dict[str, str | bool]");
      }
    } else {
      if (!PyList_Check(value)) return refuse("list[str]");
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); ++i) {
        PyObject* item = PyList_GET_ITEM(value, i);
        if (!PyUnicode_Check(item)) {
          PyErr_Format(PyExc_TypeError, "expected str, list item %zd has type %s", i, Py_TYPE(item)->tp_name);
          return -1;
        }
      }
    }
  } else if (f.type == FieldType::kText) {
    if (!PyUnicode_Check(value)) return refuse("str");
  } else if (value != Py_None && !PyUnicode_Check(value)) {
    return refuse("str or None");
  }
  return PySys_SetObject(f.sys_name, value);
}

int set_number(const ConfigField& f, PyObject* value) {
  if (!PyLong_Check(value)) {
    PyErr_Format(PyExc_TypeError, "expected int or bool, got %s", Py_TYPE(value)->tp_name);
    return -1;
  }
  int number = PyLong_AsInt(value);
  if (number == -1 && PyErr_Occurred()) return -1;
  if ((f.type == FieldType::kUInt || f.type == FieldType::kBool) && number < 0) {
    PyErr_SetString(PyExc_ValueError, "value must be >= 0");
    return -1;
  }
  if (strcmp(f.name, "int_max_str_digits") == 0) {
    if (number != 0 && number < kMaxStrDigitsThreshold) {
      PyErr_Format(PyExc_ValueError, "maxdigits must be >= %d or 0 for unlimited", kMaxStrDigitsThreshold);
      return -1;
    }
    set_int_max_str_digits(number);
  }
  if (strcmp(f.name, "cpu_count") == 0 && number < 1 && number != -1) {
    PyErr_SetString(PyExc_ValueError, "cpu_count must be >= 1");
    return -1;
  }
  field_of<int>(holder(f), f) = number;
  config_publish_flags(&running_config);
  if (strcmp(f.name, "write_bytecode") == 0 && PySys_SetObject("dont_write_bytecode", number ? Py_False : Py_True) < 0) return -1;
  Ref<> flags = Ref<>::steal(sys_make_flags());
  return flags ? PySys_SetObject("flags", flags) : -1;
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyConfig_Get(const char* name) {
  const ConfigField* f = field_or_error(name);
  return f != nullptr ? get(*f) : nullptr;
}

int PyConfig_GetInt(const char* name, int* value) {
  const ConfigField* f = field_or_error(name);
  if (f == nullptr) return -1;
  Ref<> object = Ref<>::steal(get(*f));
  if (!object) return -1;
  if (!PyLong_Check(object.get())) {
    PyErr_Format(PyExc_TypeError, "config option %s is not an int", name);
    return -1;
  }
  int overflow;
  long number = PyLong_AsLongAndOverflow(object, &overflow);
  if (overflow != 0 || number > INT_MAX || number < INT_MIN) {
    PyErr_Format(PyExc_OverflowError, "config option %s value does not fit into a C int", name);
    return -1;
  }
  *value = static_cast<int>(number);
  return 0;
}

PyObject* PyConfig_Names(void) {
  Ref<> names = Ref<>::steal(PySet_New(nullptr));
  for (const ConfigField& f : config_fields()) {
    Ref<> name = Ref<>::steal(PyUnicode_FromString(f.name));
    if (!names || !name || PySet_Add(names, name) < 0) return nullptr;
  }
  return PyFrozenSet_New(names);
}

int PyConfig_Set(const char* name, PyObject* value) {
  if (PySys_Audit("cpython.PyConfig_Set", "sO", name, value) < 0) return -1;
  const ConfigField* f = field_or_error(name);
  if (f == nullptr) return -1;
  if (f->use != FieldUse::kPublic) {
    PyErr_Format(PyExc_ValueError, "cannot set read-only option %s", name);
    return -1;
  }
  return f->sys_name != nullptr ? set_sys(*f, value) : set_number(*f, value);
}

}  // extern "C"
