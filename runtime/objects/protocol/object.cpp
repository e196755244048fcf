// The abstract operations on any object that are no attribute access: representation, comparison, hash, truth, dir,
// format, and the list of objects whose repr is in progress.
#include "checked/checked.h"
#include "objects/format.h"
#include "objects/type.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstdio>
#include <cstdlib>

using namespace amphis;

namespace {

const char* const kOperators[] = {"<", "<=", "==", "!=", ">", ">="};

PyObject* null_argument() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
  return nullptr;
}

// Tries one side; null: error, otherwise a result that may be NotImplemented.
PyObject* compare_unguarded(PyObject* a, PyObject* b, int op) {
  PyTypeObject* ta = Py_TYPE(a);
  PyTypeObject* tb = Py_TYPE(b);
  bool tried_reverse = false;
  if (ta != tb && tb->tp_richcompare != nullptr && PyType_IsSubtype(tb, ta)) {
    tried_reverse = true;
    PyObject* result = checked::slot_result(b, "tp_richcompare", tb->tp_richcompare, tb->tp_richcompare(b, a, _Py_SwappedOp[op]));
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  if (ta->tp_richcompare != nullptr) {
    PyObject* result = checked::slot_result(a, "tp_richcompare", ta->tp_richcompare, ta->tp_richcompare(a, b, op));
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  if (!tried_reverse && tb->tp_richcompare != nullptr) {
    PyObject* result = checked::slot_result(b, "tp_richcompare", tb->tp_richcompare, tb->tp_richcompare(b, a, _Py_SwappedOp[op]));
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  if (op == Py_EQ) return PyBool_FromLong(a == b);
  if (op == Py_NE) return PyBool_FromLong(a != b);
  PyErr_Format(PyExc_TypeError, "'%s' not supported between instances of '%.100s' and '%.100s'", kOperators[op],
               ta->tp_name, tb->tp_name);
  return nullptr;
}

// Calls a tp_repr or tp_str under the recursion guard and checks that the result is a str.
PyObject* text_of(PyObject* obj, reprfunc func, const char* where, const char* method) {
  if (Py_EnterRecursiveCall(where) != 0) return nullptr;
  PyObject* result = checked::slot_result(obj, method, func, func(obj));
  Py_LeaveRecursiveCall();
  if (result == nullptr || PyUnicode_Check(result)) return result;
  PyErr_Format(PyExc_TypeError, "%s returned non-string (type %.200s)", method, Py_TYPE(result)->tp_name);
  Py_DECREF(result);
  return nullptr;
}

}  // namespace

extern "C" {

PyObject* PyObject_Repr(PyObject* obj) {
  if (PyErr_CheckSignals() < 0) return nullptr;
  if (obj == nullptr) return PyUnicode_FromString("<NULL>");
  reprfunc func = Py_TYPE(obj)->tp_repr;
  if (func == nullptr) return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(obj)->tp_name, obj);
  return text_of(obj, func, " while getting the repr of an object", "__repr__");
}

PyObject* PyObject_Str(PyObject* obj) {
  if (obj == nullptr) return PyUnicode_FromString("<NULL>");
  if (PyUnicode_CheckExact(obj)) return Py_NewRef(obj);
  reprfunc func = Py_TYPE(obj)->tp_str;
  if (func == nullptr) return PyObject_Repr(obj);
  return text_of(obj, func, " while getting the str of an object", "__str__");
}

PyObject* PyObject_ASCII(PyObject* obj) {
  Ref<> repr = Ref<>::steal(PyObject_Repr(obj));
  if (!repr || PyUnicode_IS_ASCII(repr.get())) return repr.release();
  Ref<> escaped = Ref<>::steal(PyUnicode_AsEncodedString(repr.get(), "ascii", "backslashreplace"));
  if (!escaped) return nullptr;
  return PyUnicode_DecodeASCII(PyBytes_AS_STRING(escaped.get()), PyBytes_GET_SIZE(escaped.get()), "strict");
}

PyObject* PyObject_Bytes(PyObject* obj) {
  if (obj == nullptr) return PyBytes_FromString("<NULL>");
  if (PyBytes_CheckExact(obj)) return Py_NewRef(obj);
  bool found;
  PyObject* result = call_special_optional(names.dunder_bytes, &obj, 1, &found);
  if (!found) return PyBytes_FromObject(obj);
  if (result != nullptr && !PyBytes_Check(result)) {
    PyErr_Format(PyExc_TypeError, "__bytes__ returned non-bytes (type %.200s)", Py_TYPE(result)->tp_name);
    Py_DECREF(result);
    return nullptr;
  }
  return result;
}

PyObject* PyObject_RichCompare(PyObject* a, PyObject* b, int op) {
  if (a == nullptr || b == nullptr) {
    if (!PyErr_Occurred()) PyErr_BadInternalCall();
    return nullptr;
  }
  if (Py_EnterRecursiveCall(" in comparison") != 0) return nullptr;
  PyObject* result = compare_unguarded(a, b, op);
  Py_LeaveRecursiveCall();
  return result;
}

int PyObject_RichCompareBool(PyObject* a, PyObject* b, int op) {
  if (a == b) {
    if (op == Py_EQ) return 1;
    if (op == Py_NE) return 0;
  }
  PyObject* result = PyObject_RichCompare(a, b, op);
  if (result == nullptr) return -1;
  int truth = PyBool_Check(result) ? result == Py_True : PyObject_IsTrue(result);
  Py_DECREF(result);
  return truth;
}

Py_hash_t PyObject_HashNotImplemented(PyObject* obj) {
  PyErr_Format(PyExc_TypeError, "unhashable type: '%.200s'", Py_TYPE(obj)->tp_name);
  return -1;
}

Py_hash_t PyObject_Hash(PyObject* obj) {
  PyTypeObject* type = Py_TYPE(obj);
  if (type->tp_hash != nullptr) return checked::slot_hash(obj, type->tp_hash);
  // Extensions may make instances of a static type before they ready it.
  if ((type->tp_flags & Py_TPFLAGS_READY) == 0) {
    if (PyType_Ready(type) < 0) return -1;
    if (type->tp_hash != nullptr) return checked::slot_hash(obj, type->tp_hash);
  }
  return PyObject_HashNotImplemented(obj);
}

int PyObject_IsTrue(PyObject* obj) {
  if (obj == Py_True) return 1;
  if (obj == Py_False || obj == Py_None) return 0;
  PyTypeObject* type = Py_TYPE(obj);
  Py_ssize_t result;
  if (type->tp_as_number != nullptr && type->tp_as_number->nb_bool != nullptr) {
    result = type->tp_as_number->nb_bool(obj);
  } else if (type->tp_as_mapping != nullptr && type->tp_as_mapping->mp_length != nullptr) {
    result = type->tp_as_mapping->mp_length(obj);
  } else if (type->tp_as_sequence != nullptr && type->tp_as_sequence->sq_length != nullptr) {
    result = type->tp_as_sequence->sq_length(obj);
  } else {
    return 1;
  }
  return result > 0 ? 1 : static_cast<int>(result);
}

int PyObject_Not(PyObject* obj) {
  int truth = PyObject_IsTrue(obj);
  return truth < 0 ? truth : truth == 0;
}

PyObject* PyObject_Type(PyObject* obj) {
  return obj == nullptr ? null_argument() : Py_NewRef(as_object(Py_TYPE(obj)));
}

PyObject* PyObject_SelfIter(PyObject* obj) { return Py_NewRef(obj); }

int PyCallable_Check(PyObject* obj) { return obj != nullptr && Py_TYPE(obj)->tp_call != nullptr; }

PyObject* PyObject_Dir(PyObject* obj) {
  if (obj == nullptr) {
    Ref<> locals = Ref<>::steal(PyEval_GetFrameLocals());
    if (!locals) return nullptr;
    Ref<> keys = Ref<>::steal(PyMapping_Keys(locals.get()));
    if (!keys) return nullptr;
    if (!PyList_Check(keys.get())) {
      PyErr_Format(PyExc_TypeError, "dir(): expected keys() of locals to be a list, not '%.200s'",
                   Py_TYPE(keys.get())->tp_name);
      return nullptr;
    }
    return PyList_Sort(keys.get()) < 0 ? nullptr : keys.release();
  }
  bool found;
  Ref<> result = Ref<>::steal(call_special_optional(names.dunder_dir, &obj, 1, &found));
  if (!found) {
    PyErr_SetString(PyExc_TypeError, "object does not provide __dir__");
    return nullptr;
  }
  if (!result) return nullptr;
  Ref<> sorted = Ref<>::steal(PySequence_List(result.get()));
  if (!sorted || PyList_Sort(sorted.get()) < 0) return nullptr;
  return sorted.release();
}

PyObject* PyObject_Format(PyObject* obj, PyObject* format_spec) {
  if (format_spec != nullptr && !PyUnicode_Check(format_spec)) {
    PyErr_Format(PyExc_SystemError, "Format specifier must be a string, not %.200s", Py_TYPE(format_spec)->tp_name);
    return nullptr;
  }
  if (format_spec == nullptr || PyUnicode_GET_LENGTH(format_spec) == 0) {
    if (PyUnicode_CheckExact(obj)) return Py_NewRef(obj);
    if (PyLong_CheckExact(obj) || PyFloat_CheckExact(obj)) return PyObject_Str(obj);
  } else {
    // What the __format__ methods of these types do.
    if (PyLong_CheckExact(obj)) return format_long(obj, format_spec);
    if (PyFloat_CheckExact(obj)) return format_float(obj, format_spec);
    if (PyUnicode_CheckExact(obj)) return format_str(obj, format_spec);
  }
  Ref<> empty;
  if (format_spec == nullptr) {
    empty = Ref<>::steal(PyUnicode_FromStringAndSize("", 0));
    if (!empty) return nullptr;
    format_spec = empty.get();
  }
  PyObject* args[] = {obj, format_spec};
  bool found;
  PyObject* result = call_special_optional(names.dunder_format, args, 2, &found);
  if (!found) {
    PyErr_Format(PyExc_TypeError, "Type %.100s doesn't define __format__", Py_TYPE(obj)->tp_name);
    return nullptr;
  }
  if (result != nullptr && !PyUnicode_Check(result)) {
    PyErr_Format(PyExc_TypeError, "__format__ must return a str, not %.200s", Py_TYPE(result)->tp_name);
    Py_DECREF(result);
    return nullptr;
  }
  return result;
}

int PyObject_Print(PyObject* obj, FILE* stream, int flags) {
  if (PyErr_CheckSignals() < 0) return -1;
  if (obj == nullptr) {
    std::fputs("<nil>", stream);
    return 0;
  }
  Ref<> text = Ref<>::steal((flags & Py_PRINT_RAW) != 0 ? PyObject_Str(obj) : PyObject_Repr(obj));
  if (!text) return -1;
  Ref<> encoded = Ref<>::steal(PyUnicode_AsEncodedString(text.get(), "utf-8", "backslashreplace"));
  if (!encoded) return -1;
  {
    Detached detached;
    std::fwrite(PyBytes_AS_STRING(encoded.get()), 1, static_cast<size_t>(PyBytes_GET_SIZE(encoded.get())), stream);
  }
  if (std::ferror(stream)) {
    PyErr_SetFromErrno(PyExc_OSError);
    std::clearerr(stream);
    return -1;
  }
  return 0;
}

// The list is per thread and short: a linear search is right.
int Py_ReprEnter(PyObject* obj) {
  ThreadState* ts = current_thread();
  if (ts->repr_stack == nullptr) {
    ts->repr_stack = PyList_New(0);
    if (ts->repr_stack == nullptr) return -1;
  }
  for (Py_ssize_t i = PyList_GET_SIZE(ts->repr_stack) - 1; i >= 0; --i) {
    if (PyList_GET_ITEM(ts->repr_stack, i) == obj) return 1;
  }
  return PyList_Append(ts->repr_stack, obj);
}

void Py_ReprLeave(PyObject* obj) {
  ThreadState* ts = current_thread();
  if (ts->repr_stack == nullptr) return;
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  for (Py_ssize_t i = PyList_GET_SIZE(ts->repr_stack) - 1; i >= 0; --i) {
    if (PyList_GET_ITEM(ts->repr_stack, i) != obj) continue;
    PyList_SetSlice(ts->repr_stack, i, i + 1, nullptr);
    break;
  }
  PyErr_SetRaisedException(saved.release());
}

PyObject* _PyObject_FunctionStr(PyObject* func) {
  // "module.qualname()" for functions, str() for anything else.
  PyObject* raw;
  if (PyObject_GetOptionalAttr(func, names.dunder_qualname, &raw) < 0) return nullptr;
  Ref<> qualname = Ref<>::steal(raw);
  if (!qualname) return PyObject_Str(func);
  if (PyObject_GetOptionalAttr(func, names.dunder_module, &raw) < 0) return nullptr;
  Ref<> module = Ref<>::steal(raw);
  if (module && module.get() != Py_None) {
    int builtin = PyObject_RichCompareBool(module.get(), names.str_builtins, Py_EQ);
    if (builtin < 0) return nullptr;
    if (!builtin) return PyUnicode_FromFormat("%S.%S()", module.get(), qualname.get());
  }
  return PyUnicode_FromFormat("%S()", qualname.get());
}

void _PyObject_Dump(PyObject* obj) {
  std::fprintf(stderr, "object address  : %p\n", static_cast<void*>(obj));
  if (obj == nullptr) return;
  std::fprintf(stderr, "object refcount : %zd\nobject type     : %p\nobject type name: %s\n", Py_REFCNT(obj),
               static_cast<void*>(Py_TYPE(obj)), Py_TYPE(obj)->tp_name);
  std::fputs("object repr     : ", stderr);
  if (PyObject_Print(obj, stderr, 0) < 0) PyErr_Clear();
  std::fputc('\n', stderr);
  std::fflush(stderr);
}

#undef Py_TYPE
PyTypeObject* Py_TYPE(PyObject* obj) { return _Py_TYPE(obj); }
#define Py_TYPE(obj) _Py_TYPE(_PyObject_CAST(obj))

int PyObject_IS_GC(PyObject* obj) {
  PyTypeObject* type = Py_TYPE(obj);
  return PyType_IS_GC(type) && (type->tp_is_gc == nullptr || type->tp_is_gc(obj));
}

int PyType_SUPPORTS_WEAKREFS(PyTypeObject* type) { return type->tp_weaklistoffset > 0; }

PyObject** PyObject_GET_WEAKREFS_LISTPTR(PyObject* obj) {
  return reinterpret_cast<PyObject**>(reinterpret_cast<char*>(obj) + Py_TYPE(obj)->tp_weaklistoffset);
}

int _Py_SwappedOp[] = {Py_GT, Py_GE, Py_EQ, Py_NE, Py_LT, Py_LE};

int _PyObject_IsFreed(PyObject* obj) { return obj == nullptr || Py_TYPE(obj) == nullptr; }

void _Py_NO_RETURN _PyObject_AssertFailed(PyObject* obj, const char* expr, const char* msg, const char* file, int line,
                                          const char* function) {
  std::fprintf(stderr, "%s:%d: ", file, line);
  if (function != nullptr) std::fprintf(stderr, "%s: ", function);
  if (expr != nullptr) std::fprintf(stderr, "Assertion \"%s\" failed", expr);
  std::fprintf(stderr, "%s%s\n", msg != nullptr ? ": " : "", msg != nullptr ? msg : "");
  _PyObject_Dump(obj);
  std::abort();
}

}  // extern "C"
