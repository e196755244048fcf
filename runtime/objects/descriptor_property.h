// The layout of property, for the interpreter's direct calls of getters, and the abstract-method flag.
#pragma once

#include "Python.h"
#include "sync/atomic_field.h"

namespace amphis {

struct PropertyObject {
  PyObject_HEAD
  PyObject* get;  // null if absent
  PyObject* set;
  PyObject* del;
  PyObject* doc;
  PyObject* name;
  bool getter_doc;  // doc was taken from the getter
};

// Truth of obj.__isabstractmethod__: 1, 0 (also if absent or obj is null), -1 error.
int object_is_abstract(PyObject* obj);

// The function that an exact property calls to be read, borrowed; null for anything else.
inline PyObject* property_getter(PyObject* o) {
  return Py_IS_TYPE(o, &PyProperty_Type) ? sync::load_acquire(reinterpret_cast<PropertyObject*>(o)->get) : nullptr;
}

}  // namespace amphis
