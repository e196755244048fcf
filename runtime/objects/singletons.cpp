// None, NotImplemented and Ellipsis, and the C API's numbered constants.
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// Immortal objects do not die; an extension that drops too many references cannot change that.
void never_dealloc(PyObject*) {}

// The head macro is made for members of structs; a bare object takes it from an array.
constexpr PyObject immortal_of(PyTypeObject* type) {
  PyObject head[] = {PyObject_HEAD_INIT(type)};
  return head[0];
}

PyObject* refuse_arguments(PyObject* args, PyObject* kwargs, PyObject* singleton, const char* name) {
  if (PyTuple_GET_SIZE(args) != 0 || (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0)) {
    PyErr_Format(PyExc_TypeError, "%s takes no arguments", name);
    return nullptr;
  }
  return singleton;
}

PyObject* none_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return refuse_arguments(args, kwargs, Py_None, "NoneType");
}
PyObject* not_implemented_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return refuse_arguments(args, kwargs, Py_NotImplemented, "NotImplementedType");
}
PyObject* ellipsis_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return refuse_arguments(args, kwargs, Py_Ellipsis, "EllipsisType");
}

PyObject* none_repr(PyObject*) { return PyUnicode_InternFromString("None"); }
PyObject* not_implemented_repr(PyObject*) { return PyUnicode_InternFromString("NotImplemented"); }
PyObject* ellipsis_repr(PyObject*) { return PyUnicode_InternFromString("Ellipsis"); }

int none_bool(PyObject*) { return 0; }
// The same in every process, so that sets of constants have one order.
Py_hash_t none_hash(PyObject*) { return 0xFCA86420; }

int not_implemented_bool(PyObject*) {
  PyErr_SetString(PyExc_TypeError, "NotImplemented should not be used in a boolean context");
  return -1;
}

PyObject* not_implemented_reduce(PyObject*, PyObject*) { return PyUnicode_FromString("NotImplemented"); }
PyObject* ellipsis_reduce(PyObject*, PyObject*) { return PyUnicode_FromString("Ellipsis"); }

PyNumberMethods none_as_number = {
    .nb_bool = none_bool,
};
PyNumberMethods not_implemented_as_number = {
    .nb_bool = not_implemented_bool,
};
PyMethodDef not_implemented_methods[] = {
    {"__reduce__", not_implemented_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef ellipsis_methods[] = {
    {"__reduce__", ellipsis_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject _PyNone_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "NoneType",
    .tp_dealloc = never_dealloc,
    .tp_repr = none_repr,
    .tp_as_number = &none_as_number,
    .tp_hash = none_hash,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "The type of the None singleton.",
    .tp_richcompare = object_richcompare,
    .tp_new = none_new,
};

PyTypeObject _PyNotImplemented_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "NotImplementedType",
    .tp_dealloc = never_dealloc,
    .tp_repr = not_implemented_repr,
    .tp_as_number = &not_implemented_as_number,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "The type of the NotImplemented singleton.",
    .tp_methods = not_implemented_methods,
    .tp_new = not_implemented_new,
};

PyTypeObject PyEllipsis_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "ellipsis",
    .tp_dealloc = never_dealloc,
    .tp_repr = ellipsis_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "The type of the Ellipsis singleton.",
    .tp_methods = ellipsis_methods,
    .tp_new = ellipsis_new,
};

constinit PyObject _Py_NoneStruct = immortal_of(&_PyNone_Type);
constinit PyObject _Py_NotImplementedStruct = immortal_of(&_PyNotImplemented_Type);
constinit PyObject _Py_EllipsisObject = immortal_of(&PyEllipsis_Type);

PyObject* Py_GetConstantBorrowed(unsigned int id) {
  switch (id) {
    case Py_CONSTANT_NONE:
      return Py_None;
    case Py_CONSTANT_FALSE:
      return Py_False;
    case Py_CONSTANT_TRUE:
      return Py_True;
    case Py_CONSTANT_ELLIPSIS:
      return Py_Ellipsis;
    case Py_CONSTANT_NOT_IMPLEMENTED:
      return Py_NotImplemented;
    // The rest are immortal too: the reference that is dropped here is not counted.
    case Py_CONSTANT_ZERO:
    case Py_CONSTANT_ONE: {
      PyObject* number = PyLong_FromLong(id == Py_CONSTANT_ONE);
      Py_XDECREF(number);
      return number;
    }
    case Py_CONSTANT_EMPTY_STR: {
      PyObject* text = PyUnicode_FromStringAndSize("", 0);
      Py_XDECREF(text);
      return text;
    }
    case Py_CONSTANT_EMPTY_BYTES: {
      PyObject* bytes = PyBytes_FromStringAndSize("", 0);
      Py_XDECREF(bytes);
      return bytes;
    }
    case Py_CONSTANT_EMPTY_TUPLE: {
      PyObject* tuple = PyTuple_New(0);
      Py_XDECREF(tuple);
      return tuple;
    }
    default:
      PyErr_BadInternalCall();
      return nullptr;
  }
}

PyObject* Py_GetConstant(unsigned int id) { return Py_XNewRef(Py_GetConstantBorrowed(id)); }

#undef Py_Is
#undef Py_IsNone
#undef Py_IsTrue
#undef Py_IsFalse
int Py_Is(PyObject* x, PyObject* y) { return x == y; }
int Py_IsNone(PyObject* x) { return x == Py_None; }
int Py_IsTrue(PyObject* x) { return x == Py_True; }
int Py_IsFalse(PyObject* x) { return x == Py_False; }

}  // extern "C"
