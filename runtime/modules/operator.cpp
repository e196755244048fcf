// The module _operator: the operators as functions, and the callable objects attrgetter, itemgetter and
// methodcaller.
#include "Python.h"
#include "objects/container_support.h"
#include "objects/unseen_end.h"
#include "objects/tuple.h"

namespace amphis {
namespace {

// ---- the operators ----

PyObject* none_or_error(int done) {
  if (done < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* bool_or_error(int truth) {
  return truth < 0 ? nullptr : PyBool_FromLong(truth);
}
PyObject* size_or_error(Py_ssize_t n) {
  return n == -1 && PyErr_Occurred() ? nullptr : PyLong_FromSsize_t(n);
}

// name, expression in a.
#define AMPHIS_UNARY(V)                                                    \
  V(truth, bool_or_error(PyObject_IsTrue(a)), "Return True if a is true.") \
  V(not_, bool_or_error(PyObject_Not(a)), "Same as not a.")                \
  V(is_none, PyBool_FromLong(a == Py_None), "Same as a is None.")          \
  V(is_not_none, PyBool_FromLong(a != Py_None), "Same as a is not None.")  \
  V(index, PyNumber_Index(a), "Same as a.__index__()")                     \
  V(neg, PyNumber_Negative(a), "Same as -a.")                              \
  V(pos, PyNumber_Positive(a), "Same as +a.")                              \
  V(abs, PyNumber_Absolute(a), "Same as abs(a).")                          \
  V(inv, PyNumber_Invert(a), "Same as ~a.")                                \
  V(invert, PyNumber_Invert(a), "Same as ~a.")

// name, expression in a and b.
#define AMPHIS_BINARY(V)                                                                                     \
  V(add, PyNumber_Add(a, b), "Same as a + b.")                                                               \
  V(sub, PyNumber_Subtract(a, b), "Same as a - b.")                                                          \
  V(mul, PyNumber_Multiply(a, b), "Same as a * b.")                                                          \
  V(matmul, PyNumber_MatrixMultiply(a, b), "Same as a @ b.")                                                 \
  V(floordiv, PyNumber_FloorDivide(a, b), "Same as a // b.")                                                 \
  V(truediv, PyNumber_TrueDivide(a, b), "Same as a / b.")                                                    \
  V(mod, PyNumber_Remainder(a, b), "Same as a % b.")                                                         \
  V(pow, PyNumber_Power(a, b, Py_None), "Same as a ** b.")                                                   \
  V(lshift, PyNumber_Lshift(a, b), "Same as a << b.")                                                        \
  V(rshift, PyNumber_Rshift(a, b), "Same as a >> b.")                                                        \
  V(and_, PyNumber_And(a, b), "Same as a & b.")                                                              \
  V(or_, PyNumber_Or(a, b), "Same as a | b.")                                                                \
  V(xor, PyNumber_Xor(a, b), "Same as a ^ b.")                                                               \
  V(iadd, PyNumber_InPlaceAdd(a, b), "Same as a += b.")                                                      \
  V(isub, PyNumber_InPlaceSubtract(a, b), "Same as a -= b.")                                                 \
  V(imul, PyNumber_InPlaceMultiply(a, b), "Same as a *= b.")                                                 \
  V(imatmul, PyNumber_InPlaceMatrixMultiply(a, b), "Same as a @= b.")                                        \
  V(ifloordiv, PyNumber_InPlaceFloorDivide(a, b), "Same as a //= b.")                                        \
  V(itruediv, PyNumber_InPlaceTrueDivide(a, b), "Same as a /= b.")                                           \
  V(imod, PyNumber_InPlaceRemainder(a, b), "Same as a %= b.")                                                \
  V(ipow, PyNumber_InPlacePower(a, b, Py_None), "Same as a **= b.")                                          \
  V(ilshift, PyNumber_InPlaceLshift(a, b), "Same as a <<= b.")                                               \
  V(irshift, PyNumber_InPlaceRshift(a, b), "Same as a >>= b.")                                               \
  V(iand, PyNumber_InPlaceAnd(a, b), "Same as a &= b.")                                                      \
  V(ior, PyNumber_InPlaceOr(a, b), "Same as a |= b.")                                                        \
  V(ixor, PyNumber_InPlaceXor(a, b), "Same as a ^= b.")                                                      \
  V(concat, PySequence_Concat(a, b), "Same as a + b, for a and b sequences.")                                \
  V(iconcat, PySequence_InPlaceConcat(a, b), "Same as a += b, for a and b sequences.")                       \
  V(contains, bool_or_error(PySequence_Contains(a, b)), "Same as b in a (note reversed operands).")          \
  V(indexOf, size_or_error(PySequence_Index(a, b)), "Return the first index of b in a.")                     \
  V(countOf, size_or_error(PySequence_Count(a, b)), "Return the number of items in a which are equal to b.") \
  V(getitem, PyObject_GetItem(a, b), "Same as a[b].")                                                        \
  V(delitem, none_or_error(PyObject_DelItem(a, b)), "Same as del a[b].")                                     \
  V(is_, PyBool_FromLong(a == b), "Same as a is b.")                                                         \
  V(is_not, PyBool_FromLong(a != b), "Same as a is not b.")                                                  \
  V(lt, PyObject_RichCompare(a, b, Py_LT), "Same as a < b.")                                                 \
  V(le, PyObject_RichCompare(a, b, Py_LE), "Same as a <= b.")                                                \
  V(eq, PyObject_RichCompare(a, b, Py_EQ), "Same as a == b.")                                                \
  V(ne, PyObject_RichCompare(a, b, Py_NE), "Same as a != b.")                                                \
  V(gt, PyObject_RichCompare(a, b, Py_GT), "Same as a > b.")                                                 \
  V(ge, PyObject_RichCompare(a, b, Py_GE), "Same as a >= b.")

#define AMPHIS_UNARY_BODY(name, expression, doc) \
  PyObject* op_##name(PyObject*, PyObject* a) {  \
    return expression;                           \
  }
#define AMPHIS_BINARY_BODY(name, expression, doc)                           \
  PyObject* op_##name(PyObject*, PyObject* const* args, Py_ssize_t nargs) { \
    if (!check_positional(#name, nargs, 2, 2)) return nullptr;              \
    PyObject *a = args[0], *b = args[1];                                    \
    return expression;                                                      \
  }
AMPHIS_UNARY(AMPHIS_UNARY_BODY)
AMPHIS_BINARY(AMPHIS_BINARY_BODY)

PyObject* op_setitem(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("setitem", nargs, 3, 3)) return nullptr;
  return none_or_error(PyObject_SetItem(args[0], args[1], args[2]));
}

PyObject* op_length_hint(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("length_hint", nargs, 1, 2)) return nullptr;
  Py_ssize_t value = 0;
  if (nargs == 2) {
    Ref<> number = Ref<>::steal(PyNumber_Index(args[1]));
    value = number ? PyLong_AsSsize_t(number.get()) : -1;
    if (value == -1 && PyErr_Occurred()) return nullptr;
  }
  const Py_ssize_t hint = PyObject_LengthHint(args[0], value);
  return hint == -1 && PyErr_Occurred() ? nullptr : PyLong_FromSsize_t(hint);
}

PyObject* op_call(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (!check_positional("call", nargs, 1, PY_SSIZE_T_MAX)) return nullptr;
  return PyObject_Vectorcall(args[0], args + 1,
                             static_cast<size_t>(nargs - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
}

// Looks at every byte whatever it has seen, so that the time says nothing about where two secrets differ.
int equal_in_constant_time(const unsigned char* a, size_t n, const unsigned char* b, size_t m) {
  volatile unsigned char difference = n != m;
  const volatile unsigned char* left = n == m ? a : b;
  const volatile unsigned char* right = b;
  for (size_t i = 0; i < m; i++) difference = difference | (left[i] ^ right[i]);
  return difference == 0;
}

PyObject* op_compare_digest(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_compare_digest", nargs, 2, 2)) return nullptr;
  PyObject *a = args[0], *b = args[1];
  if (PyUnicode_Check(a) && PyUnicode_Check(b)) {
    if (!PyUnicode_IS_ASCII(a) || !PyUnicode_IS_ASCII(b)) {
      PyErr_SetString(PyExc_TypeError, "comparing strings with non-ASCII characters is not supported");
      return nullptr;
    }
    return PyBool_FromLong(
        equal_in_constant_time(PyUnicode_1BYTE_DATA(a), static_cast<size_t>(PyUnicode_GET_LENGTH(a)),
                               PyUnicode_1BYTE_DATA(b), static_cast<size_t>(PyUnicode_GET_LENGTH(b))));
  }
  if (!PyObject_CheckBuffer(a) && !PyObject_CheckBuffer(b)) {
    PyErr_Format(PyExc_TypeError,
                 "unsupported operand types(s) or combination of types: '%.100s' and '%.100s'",
                 Py_TYPE(a)->tp_name, Py_TYPE(b)->tp_name);
    return nullptr;
  }
  Py_buffer x, y;
  if (PyObject_GetBuffer(a, &x, PyBUF_SIMPLE) < 0) return nullptr;
  if (PyObject_GetBuffer(b, &y, PyBUF_SIMPLE) < 0) {
    PyBuffer_Release(&x);
    return nullptr;
  }
  const int equal = equal_in_constant_time(static_cast<unsigned char*>(x.buf), static_cast<size_t>(x.len),
                                           static_cast<unsigned char*>(y.buf), static_cast<size_t>(y.len));
  PyBuffer_Release(&x);
  PyBuffer_Release(&y);
  return PyBool_FromLong(equal);
}

// ---- callables ----

// What a getter or caller was made from: positional arguments, and for methodcaller the names of those that
// follow.
struct Callable {
  PyObject_HEAD PyObject*
      items;  // attrgetter: tuples of name parts; itemgetter: keys; methodcaller: (name, *args, *values)
  PyObject* given;    // the arguments as they were, for repr and pickling
  PyObject* kwnames;  // methodcaller: names of the last values, or null
  vectorcallfunc vectorcall;
};

Callable* as_callable(PyObject* op) {
  return reinterpret_cast<Callable*>(op);
}

void callable_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_callable(op)->items);
  Py_XDECREF(as_callable(op)->given);
  Py_XDECREF(as_callable(op)->kwnames);
  PyObject_GC_Del(op);
}

int callable_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_callable(op)->items);
  Py_VISIT(as_callable(op)->given);
  Py_VISIT(as_callable(op)->kwnames);
  return 0;
}

int callable_clear(PyObject* op) {
  Py_CLEAR(as_callable(op)->items);
  Py_CLEAR(as_callable(op)->given);
  Py_CLEAR(as_callable(op)->kwnames);
  return 0;
}

PyObject* make_callable(PyTypeObject* type, vectorcallfunc call, Ref<> items, PyObject* given,
                        PyObject* kwnames) {
  auto* self = make_gc_object<Callable>(type);
  if (self == nullptr) return nullptr;
  self->items = items.release();
  self->given = Py_NewRef(given);
  self->kwnames = Py_XNewRef(kwnames);
  self->vectorcall = call;
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

// The one argument of a call, borrowed; null with an error.
PyObject* only_argument(const char* name, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  if (!check_no_kwnames(name, kwnames)) return nullptr;
  return check_positional(name, PyVectorcall_NARGS(nargsf), 1, 1) ? args[0] : nullptr;
}

// get(item) for each of several, as a tuple; of one, by itself.
template <class Get>
PyObject* get_all(PyObject* items, Get&& get) {
  const Py_ssize_t n = PyTuple_GET_SIZE(items);
  if (n == 1) return get(PyTuple_GET_ITEM(items, 0));
  Ref<> result = Ref<>::steal(PyTuple_New(n));
  if (!result) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* value = get(PyTuple_GET_ITEM(items, i));
    if (value == nullptr) return nullptr;
    PyTuple_SET_ITEM(result.get(), i, value);
  }
  return result.release();
}

// attrgetter

PyObject* get_dotted(PyObject* object, PyObject* parts) {
  Ref<> value = Ref<>::share(object);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts); i++) {
    value = Ref<>::steal(PyObject_GetAttr(value.get(), PyTuple_GET_ITEM(parts, i)));
    if (!value) return nullptr;
  }
  return value.release();
}

PyObject* attrgetter_call(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* object = only_argument("attrgetter", args, nargsf, kwnames);
  if (object == nullptr) return nullptr;
  return get_all(as_callable(op)->items, [object](PyObject* parts) { return get_dotted(object, parts); });
}

// "a.b.c" as a tuple of interned names.
Ref<> split_name(PyObject* name) {
  Ref<> dot = Ref<>::steal(PyUnicode_FromString("."));
  Ref<> list = dot ? Ref<>::steal(PyUnicode_Split(name, dot.get(), -1)) : nullptr;
  if (!list) return nullptr;
  Ref<> parts = Ref<>::steal(PyList_AsTuple(list.get()));
  if (!parts) return nullptr;
  PyObject** items = reinterpret_cast<PyTupleObject*>(parts.get())->ob_item;
  // The list still holds the names: they go first.
  list = nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts.get()); i++) PyUnicode_InternInPlace(&items[i]);
  return parts;
}

PyObject* attrgetter_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("attrgetter", kwargs)) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n == 0) {
    check_positional("attrgetter", 0, 1, 1);
    return nullptr;
  }
  Ref<> items = Ref<>::steal(PyTuple_New(n));
  if (!items) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* name = PyTuple_GET_ITEM(args, i);
    if (!PyUnicode_Check(name)) {
      PyErr_SetString(PyExc_TypeError, "attribute name must be a string");
      return nullptr;
    }
    PyObject* parts = split_name(name).release();
    if (parts == nullptr) return nullptr;
    PyTuple_SET_ITEM(items.get(), i, parts);
  }
  return make_callable(type, attrgetter_call, static_cast<Ref<>&&>(items), args, nullptr);
}

// itemgetter

PyObject* itemgetter_call(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* object = only_argument("itemgetter", args, nargsf, kwnames);
  if (object == nullptr) return nullptr;
  return get_all(as_callable(op)->items, [object](PyObject* key) { return PyObject_GetItem(object, key); });
}

PyObject* itemgetter_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("itemgetter", kwargs)) return nullptr;
  if (PyTuple_GET_SIZE(args) == 0) {
    check_positional("itemgetter", 0, 1, 1);
    return nullptr;
  }
  return make_callable(type, itemgetter_call, Ref<>::share(args), args, nullptr);
}

// methodcaller

PyObject* methodcaller_call(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* object = only_argument("methodcaller", args, nargsf, kwnames);
  if (object == nullptr) return nullptr;
  PyTupleObject* items = reinterpret_cast<PyTupleObject*>(as_callable(op)->items);
  const Py_ssize_t n = items->ob_base.ob_size;
  PyObject* names = as_callable(op)->kwnames;
  const Py_ssize_t nkw = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  constexpr Py_ssize_t kLocal = 8;
  PyObject* local[kLocal];
  PyObject** stack = local;
  if (n > kLocal) {
    stack = static_cast<PyObject**>(PyMem_Malloc(static_cast<size_t>(n) * sizeof(PyObject*)));
    if (stack == nullptr) return PyErr_NoMemory();
  }
  stack[0] = object;
  for (Py_ssize_t i = 1; i < n; i++) stack[i] = items->ob_item[i];
  PyObject* result = PyObject_VectorcallMethod(
      items->ob_item[0], stack, static_cast<size_t>(n - nkw) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
  if (stack != local) PyMem_Free(stack);
  return result;
}

PyObject* methodcaller_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1) {
    PyErr_SetString(PyExc_TypeError, "methodcaller needs at least one argument, the method name");
    return nullptr;
  }
  PyObject* name = PyTuple_GET_ITEM(args, 0);
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "method name must be a string");
    return nullptr;
  }
  const Py_ssize_t nkw = kwargs == nullptr ? 0 : PyDict_GET_SIZE(kwargs);
  Ref<> items = Ref<>::steal(PyTuple_New(n + nkw));
  Ref<> names = nkw == 0 ? nullptr : Ref<>::steal(PyTuple_New(nkw));
  if (!items || (nkw > 0 && !names)) return nullptr;
  PyObject* interned = Py_NewRef(name);
  PyUnicode_InternInPlace(&interned);
  PyTuple_SET_ITEM(items.get(), 0, interned);
  for (Py_ssize_t i = 1; i < n; i++) PyTuple_SET_ITEM(items.get(), i, Py_NewRef(PyTuple_GET_ITEM(args, i)));
  Py_ssize_t pos = 0;
  PyObject *key, *value;
  for (Py_ssize_t i = 0; nkw > 0 && PyDict_Next(kwargs, &pos, &key, &value); i++) {
    PyTuple_SET_ITEM(names.get(), i, Py_NewRef(key));
    PyTuple_SET_ITEM(items.get(), n + i, Py_NewRef(value));
  }
  return make_callable(type, methodcaller_call, static_cast<Ref<>&&>(items), args, names.get());
}

// The keyword arguments of a methodcaller as a dictionary; null with an error, or without one where there are
// none.
Ref<> methodcaller_kwargs(Callable* self) {
  if (self->kwnames == nullptr) return nullptr;
  Ref<> kwargs = Ref<>::steal(PyDict_New());
  if (!kwargs) return nullptr;
  const Py_ssize_t nkw = PyTuple_GET_SIZE(self->kwnames);
  const Py_ssize_t first = PyTuple_GET_SIZE(self->items) - nkw;
  for (Py_ssize_t i = 0; i < nkw; i++) {
    PyObject* value = PyTuple_GET_ITEM(self->items, first + i);
    if (PyDict_SetItem(kwargs.get(), PyTuple_GET_ITEM(self->kwnames, i), value) < 0) return nullptr;
  }
  return kwargs;
}

PyObject* callable_repr(PyObject* op) {
  Callable* self = as_callable(op);
  const char* name = Py_TYPE(op)->tp_name;
  const int nested = Py_ReprEnter(op);
  if (nested != 0) return nested > 0 ? PyUnicode_FromFormat("%s(...)", name) : nullptr;
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(0);
  bool ok = writer != nullptr && PyUnicodeWriter_Format(writer, "%s(", name) == 0;
  const Py_ssize_t n = PyTuple_GET_SIZE(self->given);
  for (Py_ssize_t i = 0; ok && i < n; i++) {
    ok = PyUnicodeWriter_Format(writer, i == 0 ? "%R" : ", %R", PyTuple_GET_ITEM(self->given, i)) == 0;
  }
  const Py_ssize_t nkw = self->kwnames == nullptr ? 0 : PyTuple_GET_SIZE(self->kwnames);
  for (Py_ssize_t i = 0; ok && i < nkw; i++) {
    PyObject* value = PyTuple_GET_ITEM(self->items, PyTuple_GET_SIZE(self->items) - nkw + i);
    ok = PyUnicodeWriter_Format(writer, ", %U=%R", PyTuple_GET_ITEM(self->kwnames, i), value) == 0;
  }
  ok = ok && PyUnicodeWriter_WriteChar(writer, ')') == 0;
  Py_ReprLeave(op);
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* callable_reduce(PyObject* op, PyObject*) {
  Callable* self = as_callable(op);
  if (self->kwnames == nullptr) return PyTuple_Pack(2, Py_TYPE(op), self->given);
  // Keywords go through functools.partial(type, name, **kwargs).
  Ref<> kwargs = methodcaller_kwargs(self);
  Ref<> functools = kwargs ? Ref<>::steal(PyImport_ImportModule("functools")) : nullptr;
  Ref<> partial = functools ? Ref<>::steal(PyObject_GetAttrString(functools.get(), "partial")) : nullptr;
  Ref<> args =
      partial ? Ref<>::steal(PyTuple_Pack(2, Py_TYPE(op), PyTuple_GET_ITEM(self->given, 0))) : nullptr;
  Ref<> constructor = args ? Ref<>::steal(PyObject_Call(partial.get(), args.get(), kwargs.get())) : nullptr;
  if (!constructor) return nullptr;
  Ref<> rest = Ref<>::steal(PyTuple_GetSlice(self->given, 1, PyTuple_GET_SIZE(self->given)));
  return rest ? PyTuple_Pack(2, constructor.get(), rest.get()) : nullptr;
}

PyMethodDef callable_methods[] = {
    {"__reduce__", callable_reduce, METH_NOARGS, "Return state information for pickling"},
    {},
};

PyObject* callable_signature(PyObject*, void*) {
  return PyUnicode_FromString("(obj, /)");
}

PyGetSetDef callable_getset[] = {
    {"__text_signature__", callable_signature, nullptr, nullptr, nullptr},
    {},
};

PyTypeObject callable_type(const char* name, const char* doc, newfunc make) {
  return PyTypeObject{
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
      .tp_name = name,
      .tp_basicsize = sizeof(Callable),
      .tp_dealloc = callable_dealloc,
      .tp_vectorcall_offset = offsetof(Callable, vectorcall),
      .tp_repr = callable_repr,
      .tp_call = PyVectorcall_Call,
      .tp_getattro = PyObject_GenericGetAttr,
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
      .tp_doc = doc,
      .tp_traverse = callable_traverse,
      .tp_clear = callable_clear,
      .tp_methods = callable_methods,
      .tp_getset = callable_getset,
      .tp_new = make,
  };
}

PyTypeObject attrgetter_type = callable_type(
    "operator.attrgetter",
    "attrgetter(attr, /, *attrs)\n--\n\n"
    "A callable that fetches the given attribute(s), which may be dotted names, from its operand.",
    attrgetter_new);
PyTypeObject itemgetter_type = callable_type(
    "operator.itemgetter",
    "itemgetter(item, /, *items)\n--\n\nA callable that fetches the given item(s) from its operand.",
    itemgetter_new);
PyTypeObject methodcaller_type =
    callable_type("operator.methodcaller",
                  "methodcaller(name, /, *args, **kwargs)\n--\n\n"
                  "A callable that calls the given method on its operand, with the given arguments.",
                  methodcaller_new);

// ---- the module ----

#define AMPHIS_UNARY_ENTRY(name, expression, doc) \
  {#name, op_##name, METH_O, #name "($module, a, /)\n--\n\n" doc},
#define AMPHIS_BINARY_ENTRY(name, expression, doc) \
  {#name, AMPHIS_METHOD(op_##name), METH_FASTCALL, #name "($module, a, b, /)\n--\n\n" doc},

PyMethodDef methods[] = {
    AMPHIS_UNARY(AMPHIS_UNARY_ENTRY)
        AMPHIS_BINARY(AMPHIS_BINARY_ENTRY){"setitem", AMPHIS_METHOD(op_setitem), METH_FASTCALL,
                                           "setitem($module, a, b, c, /)\n--\n\nSame as a[b] = c."},
    {"length_hint", AMPHIS_METHOD(op_length_hint), METH_FASTCALL,
     "length_hint($module, obj, default=0, /)\n--\n\nAn estimate of the number of items in obj."},
    {"call", AMPHIS_METHOD(op_call), METH_FASTCALL | METH_KEYWORDS,
     "call($module, obj, /, *args, **kwargs)\n--\n\nSame as obj(*args, **kwargs)."},
    {"_compare_digest", AMPHIS_METHOD(op_compare_digest), METH_FASTCALL,
     "_compare_digest($module, a, b, /)\n--\n\nReturn 'a == b', in time that does not depend on where they "
     "differ."},
    {},
};

int exec(PyObject* module) {
  for (PyTypeObject* type : {&attrgetter_type, &itemgetter_type, &methodcaller_type}) declare_unseen_end(type);
  for (PyTypeObject* type : {&attrgetter_type, &itemgetter_type, &methodcaller_type}) {
    if (PyModule_AddType(module, type) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_operator",
    .m_doc = "Operator interface.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit__operator(void) {
  return PyModuleDef_Init(&amphis::definition);
}
