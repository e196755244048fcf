// The type `bool`: two immortal ints that print as True and False.
#include "objects/container_support.h"
#include "objects/int.h"

namespace amphis {
namespace {

PyObject* repr(PyObject* self) {
  return Py_NewRef(self == Py_True ? AMPHIS_STATIC_NAME("True") : AMPHIS_STATIC_NAME("False"));
}

bool check_count(Py_ssize_t count) {
  if (count <= 1) return true;
  PyErr_Format(PyExc_TypeError, "bool expected at most 1 argument, got %zd", count);
  return false;
}

PyObject* construct(Py_ssize_t count, PyObject* const* args, bool keywords) {
  if (keywords) {
    PyErr_SetString(PyExc_TypeError, "bool() takes no keyword arguments");
    return nullptr;
  }
  if (!check_count(count)) return nullptr;
  const int truth = count == 0 ? 0 : PyObject_IsTrue(args[0]);
  return truth < 0 ? nullptr : PyBool_FromLong(truth);
}

PyObject* make(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return construct(PyTuple_GET_SIZE(args), reinterpret_cast<PyTupleObject*>(args)->ob_item,
                   kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0);
}

PyObject* vectorcall(PyObject*, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return construct(PyVectorcall_NARGS(nargsf), args, kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0);
}

PyObject* invert(PyObject* self) {
  if (PyErr_WarnEx(PyExc_DeprecationWarning,
                   "Bitwise inversion '~' on bool is deprecated and will be removed in Python 3.16. This returns the "
                   "bitwise inversion of the underlying int object and is usually not what you expect from negating a "
                   "bool. Use the 'not' operator for boolean negation or ~int(x) if you really want the bitwise "
                   "inversion of the underlying int.",
                   1) < 0) {
    return nullptr;
  }
  return int_invert(self);
}

// & | ^ of two bools are bools; with any other operand, the int's.
template <PyObject* (*OfInts)(PyObject*, PyObject*), bool (*OfBools)(bool, bool)>
PyObject* logical(PyObject* a, PyObject* b) {
  if (PyBool_Check(a) && PyBool_Check(b)) return PyBool_FromLong(OfBools(a == Py_True, b == Py_True));
  if (!PyLong_Check(a) || !PyLong_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return OfInts(a, b);
}

bool both(bool a, bool b) { return a && b; }
bool either(bool a, bool b) { return a || b; }
bool differ(bool a, bool b) { return a != b; }

PyNumberMethods bool_as_number = {
    .nb_invert = invert,
    .nb_and = logical<int_and, both>,
    .nb_xor = logical<int_xor, differ>,
    .nb_or = logical<int_or, either>,
};

// The two objects are immortal; a count that was pushed to zero by a broken extension is put right.
void dealloc(PyObject* self) { _Py_SetImmortal(self); }

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyBool_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "bool",
    .tp_basicsize = offsetof(PyLongObject, long_value.ob_digit),
    .tp_itemsize = sizeof(digit),
    .tp_dealloc = dealloc,
    .tp_repr = repr,
    .tp_as_number = &bool_as_number,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "bool(object=False, /)\n--\n\n"
              "The truth of an object.\n\nTrue and False are the only two instances, and the class cannot be subclassed.",
    .tp_base = &PyLong_Type,
    .tp_new = make,
    .tp_vectorcall = vectorcall,
};

struct _longobject _Py_FalseStruct = {PyObject_HEAD_INIT(&PyBool_Type){.lv_tag = 1, .ob_digit = {0}}};
struct _longobject _Py_TrueStruct = {PyObject_HEAD_INIT(&PyBool_Type){.lv_tag = 1u << 3, .ob_digit = {1}}};

PyObject* PyBool_FromLong(long value) { return value ? Py_True : Py_False; }

}  // extern "C"
