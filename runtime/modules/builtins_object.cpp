// builtins: attributes, identity, conversion, namespaces.
#include "interp/frame_variables.h"
#include "modules/builtins.h"

#include "interp/known_calls.h"
#include "objects/int.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

bool check_count(const char* name, Py_ssize_t given, Py_ssize_t low, Py_ssize_t high) {
  return _PyArg_CheckPositional(name, given, low, high) != 0;
}

PyObject* builtin_abs(PyObject*, PyObject* x) { return PyNumber_Absolute(x); }
PyObject* builtin_ascii(PyObject*, PyObject* x) { return PyObject_ASCII(x); }
PyObject* builtin_bin(PyObject*, PyObject* x) { return PyNumber_ToBase(x, 2); }
PyObject* builtin_oct(PyObject*, PyObject* x) { return PyNumber_ToBase(x, 8); }
PyObject* builtin_hex(PyObject*, PyObject* x) { return PyNumber_ToBase(x, 16); }
PyObject* builtin_callable(PyObject*, PyObject* x) { return PyBool_FromLong(PyCallable_Check(x)); }
PyObject* builtin_repr(PyObject*, PyObject* x) { return PyObject_Repr(x); }
PyObject* builtin_id(PyObject*, PyObject* x) { return PyLong_FromVoidPtr(x); }

PyObject* builtin_hash(PyObject*, PyObject* x) {
  Py_hash_t h = PyObject_Hash(x);
  return h == -1 ? nullptr : PyLong_FromSsize_t(h);
}

PyObject* builtin_len(PyObject*, PyObject* x) {
  Py_ssize_t n = PyObject_Size(x);
  return n < 0 ? nullptr : int_from_int64(n);
}

PyObject* builtin_chr(PyObject*, PyObject* x) {
  int overflow;
  Ref<> index = Ref<>::steal(PyNumber_Index(x));
  if (!index) return nullptr;
  long code = PyLong_AsLongAndOverflow(index, &overflow);
  if (code == -1 && PyErr_Occurred()) return nullptr;
  if (overflow != 0) code = overflow < 0 ? -1 : 0x110000;
  if (code < 0 || code > 0x10ffff) {
    PyErr_SetString(PyExc_ValueError, "chr() arg not in range(0x110000)");
    return nullptr;
  }
  return PyUnicode_FromOrdinal(static_cast<int>(code));
}

PyObject* builtin_ord(PyObject*, PyObject* c) {
  Py_ssize_t size;
  if (PyUnicode_Check(c)) {
    size = PyUnicode_GET_LENGTH(c);
    if (size == 1) return PyLong_FromLong(static_cast<long>(PyUnicode_READ_CHAR(c, 0)));
  } else if (PyBytes_Check(c)) {
    size = PyBytes_GET_SIZE(c);
    if (size == 1) return PyLong_FromLong(static_cast<unsigned char>(*PyBytes_AS_STRING(c)));
  } else if (PyByteArray_Check(c)) {
    size = PyByteArray_GET_SIZE(c);
    if (size == 1) return PyLong_FromLong(static_cast<unsigned char>(*PyByteArray_AS_STRING(c)));
  } else {
    PyErr_Format(PyExc_TypeError, "ord() expected string of length 1, but %.200s found", Py_TYPE(c)->tp_name);
    return nullptr;
  }
  PyErr_Format(PyExc_TypeError, "ord() expected a character, but string of length %zd found", size);
  return nullptr;
}

PyObject* builtin_delattr(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("delattr", n, 2, 2) || PyObject_DelAttr(args[0], args[1]) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* builtin_setattr(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("setattr", n, 3, 3) || PyObject_SetAttr(args[0], args[1], args[2]) < 0) return nullptr;
  Py_RETURN_NONE;
}

bool check_attribute_name(PyObject* name) {
  if (PyUnicode_Check(name)) return true;
  PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
  return false;
}

PyObject* builtin_getattr(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("getattr", n, 2, 3) || !check_attribute_name(args[1])) return nullptr;
  if (n == 2) return PyObject_GetAttr(args[0], args[1]);
  PyObject* value;
  int found = PyObject_GetOptionalAttr(args[0], args[1], &value);
  return found == 0 ? Py_NewRef(args[2]) : value;
}

PyObject* builtin_hasattr(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("hasattr", n, 2, 2) || !check_attribute_name(args[1])) return nullptr;
  PyObject* value;
  int found = PyObject_GetOptionalAttr(args[0], args[1], &value);
  if (found < 0) return nullptr;
  Py_XDECREF(value);
  return PyBool_FromLong(found);
}

PyObject* builtin_isinstance(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("isinstance", n, 2, 2)) return nullptr;
  int r = PyObject_IsInstance(args[0], args[1]);
  return r < 0 ? nullptr : PyBool_FromLong(r);
}

PyObject* builtin_issubclass(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("issubclass", n, 2, 2)) return nullptr;
  int r = PyObject_IsSubclass(args[0], args[1]);
  return r < 0 ? nullptr : PyBool_FromLong(r);
}

PyObject* builtin_dir(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("dir", n, 0, 1)) return nullptr;
  if (n == 1) return PyObject_Dir(args[0]);
  Ref<> locals = Ref<>::steal(PyEval_GetFrameLocals());
  if (!locals) return nullptr;
  Ref<> names_list = Ref<>::steal(PyMapping_Keys(locals));
  if (!names_list) return nullptr;
  Ref<> list = Ref<>::steal(PySequence_List(names_list));
  if (!list || PyList_Sort(list) < 0) return nullptr;
  return list.release();
}

PyObject* builtin_vars(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("vars", n, 0, 1)) return nullptr;
  if (n == 0) return PyEval_GetFrameLocals();
  PyObject* dict;
  int found = PyObject_GetOptionalAttr(args[0], names.dunder_dict, &dict);
  if (found == 0) PyErr_SetString(PyExc_TypeError, "vars() argument must have __dict__ attribute");
  return dict;
}

PyObject* builtin_globals(PyObject*, PyObject*) { return Py_XNewRef(PyEval_GetGlobals()); }
PyObject* builtin_locals(PyObject*, PyObject*) { return PyEval_GetFrameLocals(); }

PyObject* builtin_divmod(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("divmod", n, 2, 2)) return nullptr;
  return PyNumber_Divmod(args[0], args[1]);
}

PyObject* builtin_pow(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"base", "exp", "mod", nullptr};
  PyObject *base, *exponent, *modulus = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:pow", const_cast<char**>(keywords), &base, &exponent,
                                   &modulus)) {
    return nullptr;
  }
  return PyNumber_Power(base, exponent, modulus);
}

PyObject* builtin_round(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"number", "ndigits", nullptr};
  PyObject *number, *digits = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:round", const_cast<char**>(keywords), &number, &digits)) {
    return nullptr;
  }
  Ref<> method = Ref<>::steal(_PyObject_LookupSpecial(number, names.dunder_round));
  if (!method) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_TypeError, "type %.100s doesn't define __round__ method", Py_TYPE(number)->tp_name);
    }
    return nullptr;
  }
  return digits == Py_None ? PyObject_CallNoArgs(method) : PyObject_CallOneArg(method, digits);
}

PyObject* builtin_format(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!check_count("format", n, 1, 2)) return nullptr;
  if (n == 2 && !PyUnicode_Check(args[1])) {
    PyErr_Format(PyExc_TypeError, "format() argument 2 must be str, not %.200s", Py_TYPE(args[1])->tp_name);
    return nullptr;
  }
  return PyObject_Format(args[0], n == 2 ? args[1] : nullptr);
}

}  // namespace

void builtins_announce() {
  known_calls.len = builtin_len;
  known_calls.isinstance = as_cfunction(builtin_isinstance);
}

PyMethodDef builtins_object_methods[] = {
    {"abs", builtin_abs, METH_O, "abs($module, number, /)\n--\n\nReturn the absolute value of the argument."},
    {"ascii", builtin_ascii, METH_O, "ascii($module, obj, /)\n--\n\nReturn an ASCII-only representation of an object."},
    {"bin", builtin_bin, METH_O, "bin($module, number, /)\n--\n\nReturn the binary representation of an integer."},
    {"callable", builtin_callable, METH_O, "callable($module, obj, /)\n--\n\nReturn whether the object is callable."},
    {"chr", builtin_chr, METH_O,
     "chr($module, i, /)\n--\n\nReturn a Unicode string of one character with ordinal i; 0 <= i <= 0x10ffff."},
    {"delattr", as_cfunction(builtin_delattr), METH_FASTCALL,
     "delattr($module, obj, name, /)\n--\n\nDeletes the named attribute from the given object."},
    {"dir", as_cfunction(builtin_dir), METH_FASTCALL, "dir([object]) -> list of strings"},
    {"divmod", as_cfunction(builtin_divmod), METH_FASTCALL,
     "divmod($module, x, y, /)\n--\n\nReturn the tuple (x//y, x%y).  Invariant: div*y + mod == x."},
    {"format", as_cfunction(builtin_format), METH_FASTCALL,
     "format($module, value, format_spec='', /)\n--\n\nReturn type(value).__format__(value, format_spec)"},
    {"getattr", as_cfunction(builtin_getattr), METH_FASTCALL,
     "getattr(object, name[, default]) -> value\n\nGet a named attribute from an object."},
    {"globals", builtin_globals, METH_NOARGS,
     "globals($module, /)\n--\n\nReturn the dictionary containing the current scope's global variables."},
    {"hasattr", as_cfunction(builtin_hasattr), METH_FASTCALL,
     "hasattr($module, obj, name, /)\n--\n\nReturn whether the object has an attribute with the given name."},
    {"hash", builtin_hash, METH_O, "hash($module, obj, /)\n--\n\nReturn the hash value for the given object."},
    {"hex", builtin_hex, METH_O, "hex($module, number, /)\n--\n\nReturn the hexadecimal representation of an integer."},
    {"id", builtin_id, METH_O, "id($module, obj, /)\n--\n\nReturn the identity of an object."},
    {"isinstance", as_cfunction(builtin_isinstance), METH_FASTCALL,
     "isinstance($module, obj, class_or_tuple, /)\n--\n\nReturn whether an object is an instance of a class or of a "
     "subclass thereof."},
    {"issubclass", as_cfunction(builtin_issubclass), METH_FASTCALL,
     "issubclass($module, cls, class_or_tuple, /)\n--\n\nReturn whether 'cls' is derived from another class or is the "
     "same class."},
    {"len", builtin_len, METH_O, "len($module, obj, /)\n--\n\nReturn the number of items in a container."},
    {"locals", builtin_locals, METH_NOARGS,
     "locals($module, /)\n--\n\nReturn a dictionary containing the current scope's local variables."},
    {"oct", builtin_oct, METH_O, "oct($module, number, /)\n--\n\nReturn the octal representation of an integer."},
    {"ord", builtin_ord, METH_O, "ord($module, character, /)\n--\n\nReturn the ordinal value of a character."},
    {"pow", as_cfunction(builtin_pow), METH_VARARGS | METH_KEYWORDS,
     "pow($module, /, base, exp, mod=None)\n--\n\nEquivalent to base**exp with 2 arguments or base**exp % mod with 3 "
     "arguments."},
    {"repr", builtin_repr, METH_O, "repr($module, obj, /)\n--\n\nReturn the canonical string representation of the object."},
    {"round", as_cfunction(builtin_round), METH_VARARGS | METH_KEYWORDS,
     "round($module, /, number, ndigits=None)\n--\n\nRound a number to a given precision in decimal digits."},
    {"setattr", as_cfunction(builtin_setattr), METH_FASTCALL,
     "setattr($module, obj, name, value, /)\n--\n\nSets the named attribute on the given object to the specified value."},
    {"vars", as_cfunction(builtin_vars), METH_FASTCALL, "vars([object]) -> dictionary"},
    {},
};

}  // namespace amphis
