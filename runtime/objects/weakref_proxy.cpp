// Owns weakref.ProxyType and weakref.CallableProxyType: objects that forward every operation to what they weakly
// refer to, and raise ReferenceError once it is dead. An operand that is a proxy is replaced by its object, whichever
// side it stands on.
#include "objects/weakref.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

// The object behind a proxy (null with ReferenceError), or op itself.
Ref<> unwrap(PyObject* op) {
  if (!op || !PyWeakref_CheckProxy(op)) return Ref<>::share(op);
  Ref<> target = weakref_target(reinterpret_cast<PyWeakReference*>(op));
  if (!target) PyErr_SetString(PyExc_ReferenceError, "weakly-referenced object no longer exists");
  return target;
}

template <PyObject* (*kOperation)(PyObject*)>
PyObject* unary(PyObject* self) {
  Ref<> x = unwrap(self);
  return x ? kOperation(x) : nullptr;
}

template <PyObject* (*kOperation)(PyObject*, PyObject*)>
PyObject* binary(PyObject* a, PyObject* b) {
  Ref<> x = unwrap(a);
  if (!x) return nullptr;
  Ref<> y = unwrap(b);
  return y ? kOperation(x, y) : nullptr;
}

template <PyObject* (*kOperation)(PyObject*, PyObject*, PyObject*)>
PyObject* ternary(PyObject* a, PyObject* b, PyObject* c) {
  Ref<> x = unwrap(a);
  if (!x) return nullptr;
  Ref<> y = unwrap(b);
  if (!y) return nullptr;
  Ref<> z = unwrap(c);
  return z || !c ? kOperation(x, y, z) : nullptr;
}

PyObject* long_of(PyObject* op) { return PyNumber_Long(op); }
PyObject* float_of(PyObject* op) { return PyNumber_Float(op); }

PyObject* proxy_repr(PyObject* self) {
  Ref<> target = weakref_target(reinterpret_cast<PyWeakReference*>(self));
  if (!target) return PyUnicode_FromFormat("<weakproxy at %p; dead>", self);
  return PyUnicode_FromFormat("<weakproxy at %p; to '%s' at %p>", self, Py_TYPE(target.get())->tp_name, target.get());
}

int proxy_setattro(PyObject* self, PyObject* name, PyObject* value) {
  Ref<> x = unwrap(self);
  return x ? PyObject_SetAttr(x, name, value) : -1;
}

PyObject* proxy_richcompare(PyObject* a, PyObject* b, int op) {
  Ref<> x = unwrap(a);
  if (!x) return nullptr;
  Ref<> y = unwrap(b);
  return y ? PyObject_RichCompare(x, y, op) : nullptr;
}

int proxy_bool(PyObject* self) {
  Ref<> x = unwrap(self);
  return x ? PyObject_IsTrue(x) : -1;
}

int proxy_contains(PyObject* self, PyObject* value) {
  Ref<> x = unwrap(self);
  return x ? PySequence_Contains(x, value) : -1;
}

Py_ssize_t proxy_length(PyObject* self) {
  Ref<> x = unwrap(self);
  return x ? PyObject_Size(x) : -1;
}

PyObject* proxy_getitem(PyObject* self, PyObject* key) { return binary<PyObject_GetItem>(self, key); }

int proxy_setitem(PyObject* self, PyObject* key, PyObject* value) {
  Ref<> x = unwrap(self);
  if (!x) return -1;
  return value ? PyObject_SetItem(x, key, value) : PyObject_DelItem(x, key);
}

PyObject* proxy_iternext(PyObject* self) {
  Ref<> x = unwrap(self);
  if (!x) return nullptr;
  if (!PyIter_Check(x.get())) {
    PyErr_Format(PyExc_TypeError, "Weakref proxy referenced a non-iterator '%.200s' object", Py_TYPE(x.get())->tp_name);
    return nullptr;
  }
  return PyIter_Next(x);
}

PyObject* proxy_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  Ref<> x = unwrap(self);
  return x ? PyObject_Call(x, args, kwargs) : nullptr;
}

PyObject* call_method(PyObject* self, const char* name) {
  Ref<> x = unwrap(self);
  if (!x) return nullptr;
  auto method = Ref<>::steal(PyUnicode_FromString(name));
  return method ? PyObject_CallMethodNoArgs(x, method) : nullptr;
}
PyObject* proxy_bytes(PyObject* self, PyObject*) { return call_method(self, "__bytes__"); }
PyObject* proxy_reversed(PyObject* self, PyObject*) { return call_method(self, "__reversed__"); }

PyMethodDef proxy_methods[] = {
    {"__bytes__", proxy_bytes, METH_NOARGS, nullptr},
    {"__reversed__", proxy_reversed, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyNumberMethods proxy_as_number = {
    .nb_add = binary<PyNumber_Add>,
    .nb_subtract = binary<PyNumber_Subtract>,
    .nb_multiply = binary<PyNumber_Multiply>,
    .nb_remainder = binary<PyNumber_Remainder>,
    .nb_divmod = binary<PyNumber_Divmod>,
    .nb_power = ternary<PyNumber_Power>,
    .nb_negative = unary<PyNumber_Negative>,
    .nb_positive = unary<PyNumber_Positive>,
    .nb_absolute = unary<PyNumber_Absolute>,
    .nb_bool = proxy_bool,
    .nb_invert = unary<PyNumber_Invert>,
    .nb_lshift = binary<PyNumber_Lshift>,
    .nb_rshift = binary<PyNumber_Rshift>,
    .nb_and = binary<PyNumber_And>,
    .nb_xor = binary<PyNumber_Xor>,
    .nb_or = binary<PyNumber_Or>,
    .nb_int = unary<long_of>,
    .nb_float = unary<float_of>,
    .nb_inplace_add = binary<PyNumber_InPlaceAdd>,
    .nb_inplace_subtract = binary<PyNumber_InPlaceSubtract>,
    .nb_inplace_multiply = binary<PyNumber_InPlaceMultiply>,
    .nb_inplace_remainder = binary<PyNumber_InPlaceRemainder>,
    .nb_inplace_power = ternary<PyNumber_InPlacePower>,
    .nb_inplace_lshift = binary<PyNumber_InPlaceLshift>,
    .nb_inplace_rshift = binary<PyNumber_InPlaceRshift>,
    .nb_inplace_and = binary<PyNumber_InPlaceAnd>,
    .nb_inplace_xor = binary<PyNumber_InPlaceXor>,
    .nb_inplace_or = binary<PyNumber_InPlaceOr>,
    .nb_floor_divide = binary<PyNumber_FloorDivide>,
    .nb_true_divide = binary<PyNumber_TrueDivide>,
    .nb_inplace_floor_divide = binary<PyNumber_InPlaceFloorDivide>,
    .nb_inplace_true_divide = binary<PyNumber_InPlaceTrueDivide>,
    .nb_index = unary<PyNumber_Index>,
    .nb_matrix_multiply = binary<PyNumber_MatrixMultiply>,
    .nb_inplace_matrix_multiply = binary<PyNumber_InPlaceMatrixMultiply>,
};

PySequenceMethods proxy_as_sequence = {
    .sq_length = proxy_length,
    .sq_contains = proxy_contains,
};

PyMappingMethods proxy_as_mapping = {
    .mp_length = proxy_length,
    .mp_subscript = proxy_getitem,
    .mp_ass_subscript = proxy_setitem,
};

}  // namespace

extern "C" {

PyTypeObject _PyWeakref_ProxyType = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "weakref.ProxyType",
    .tp_basicsize = sizeof(PyWeakReference),
    .tp_dealloc = weakref_dealloc,
    .tp_repr = proxy_repr,
    .tp_as_number = &proxy_as_number,
    .tp_as_sequence = &proxy_as_sequence,
    .tp_as_mapping = &proxy_as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_str = unary<PyObject_Str>,
    .tp_getattro = binary<PyObject_GetAttr>,
    .tp_setattro = proxy_setattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = weakref_traverse,
    .tp_clear = weakref_clear,
    .tp_richcompare = proxy_richcompare,
    .tp_iter = unary<PyObject_GetIter>,
    .tp_iternext = proxy_iternext,
    .tp_methods = proxy_methods,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject _PyWeakref_CallableProxyType = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "weakref.CallableProxyType",
    .tp_basicsize = sizeof(PyWeakReference),
    .tp_dealloc = weakref_dealloc,
    .tp_repr = proxy_repr,
    .tp_as_number = &proxy_as_number,
    .tp_as_sequence = &proxy_as_sequence,
    .tp_as_mapping = &proxy_as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_call = proxy_call,
    .tp_str = unary<PyObject_Str>,
    .tp_getattro = binary<PyObject_GetAttr>,
    .tp_setattro = proxy_setattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = weakref_traverse,
    .tp_clear = weakref_clear,
    .tp_richcompare = proxy_richcompare,
    .tp_iter = unary<PyObject_GetIter>,
    .tp_iternext = proxy_iternext,
    .tp_methods = proxy_methods,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
