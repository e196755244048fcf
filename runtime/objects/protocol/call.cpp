// Calling: vectorcall (PEP 590), tp_call, and the C API's conveniences around them. Every function here returns a new
// reference or null with an exception, and checks that callees keep that promise.
#include "objects/dict.h"
#include "objects/method.h"
#include "objects/type.h"
#include "sync/recursion.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <algorithm>
#include <cstdarg>

namespace amphis {

namespace {

PyObject* null_callable() {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "null argument to internal routine");
  return nullptr;
}

PyObject* not_callable(PyObject* callable) {
  // A module that has a callable of its own name was probably meant to be that.
  if (PyModule_Check(callable)) {
    Ref<> name = Ref<>::steal(PyModule_GetNameObject(callable));
    PyObject* raw = nullptr;
    if (!name) {
      PyErr_Clear();
    } else if (PyObject_GetOptionalAttr(callable, name.get(), &raw) < 0) {
      PyErr_Clear();
    }
    Ref<> attribute = Ref<>::steal(raw);
    if (attribute && PyCallable_Check(attribute.get())) {
      PyErr_Format(PyExc_TypeError, "'%.200s' object is not callable. Did you mean: '%U.%U(...)'?",
                   Py_TYPE(callable)->tp_name, name.get(), name.get());
      return nullptr;
    }
  }
  PyErr_Format(PyExc_TypeError, "'%.200s' object is not callable", Py_TYPE(callable)->tp_name);
  return nullptr;
}

// An array of arguments that lives on the stack while it is short, with one free place before it.
class ArgumentArray {
 public:
  explicit ArgumentArray(size_t n) {
    if (n + 1 > kSmall) {
      heap_ = static_cast<PyObject**>(PyMem_Malloc((n + 1) * sizeof(PyObject*)));
      if (heap_ == nullptr) PyErr_NoMemory();
      base_ = heap_;
    }
  }
  ~ArgumentArray() { PyMem_Free(heap_); }
  ArgumentArray(const ArgumentArray&) = delete;
  ArgumentArray& operator=(const ArgumentArray&) = delete;
  explicit operator bool() const { return base_ != nullptr; }
  PyObject** data() { return base_ + 1; }

 private:
  static constexpr size_t kSmall = 9;
  PyObject* small_[kSmall];
  PyObject** heap_ = nullptr;
  PyObject** base_ = small_;
};

PyObject* tp_call(PyObject* callable, PyObject* args, PyObject* kwargs) {
  ternaryfunc call = Py_TYPE(callable)->tp_call;
  if (call == nullptr) return not_callable(callable);
  if (Py_EnterRecursiveCall(" while calling a Python object") != 0) return nullptr;
  PyObject* result = call(callable, args, kwargs);
  Py_LeaveRecursiveCall();
  return check_call_result(callable, result);
}

// Positional arguments in an array and keywords in a dict, for a vectorcall function.
PyObject* vectorcall_with_dict(PyObject* callable, vectorcallfunc func, PyObject* const* args, size_t nargsf,
                               PyObject* kwargs) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  Py_ssize_t nkw = PyDict_GET_SIZE(kwargs);
  ArgumentArray array(static_cast<size_t>(nargs + nkw));
  if (!array) return nullptr;
  Ref<> kwnames = Ref<>::steal(PyTuple_New(nkw));
  if (!kwnames) return nullptr;
  PyObject** stack = array.data();
  std::copy_n(args, nargs, stack);
  Py_ssize_t pos = 0;
  Py_ssize_t i = 0;
  PyObject* key;
  PyObject* value;
  bool strings = true;
  while (i < nkw && PyDict_Next(kwargs, &pos, &key, &value)) {
    strings = strings && PyUnicode_Check(key);
    PyTuple_SET_ITEM(kwnames.get(), i, Py_NewRef(key));
    stack[nargs + i] = Py_NewRef(value);
    ++i;
  }
  PyObject* result = nullptr;
  if (strings) {
    result = func(callable, stack, static_cast<size_t>(nargs) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames.get());
  } else {
    PyErr_SetString(PyExc_TypeError, "keywords must be strings");
  }
  for (Py_ssize_t k = 0; k < i; ++k) Py_DECREF(stack[nargs + k]);
  return strings ? check_call_result(callable, result) : nullptr;
}

PyObject* call_built_value(PyObject* callable, const char* format, va_list va) {
  if (callable == nullptr) return null_callable();
  if (format == nullptr || *format == '\0') return PyObject_CallNoArgs(callable);
  Ref<> value = Ref<>::steal(Py_VaBuildValue(format, va));
  if (!value) return nullptr;
  // One tuple stands for all arguments, as "O" with a tuple always has.
  if (PyTuple_Check(value.get())) return PyObject_Call(callable, value.get(), nullptr);
  return PyObject_CallOneArg(callable, value.get());
}

// The objects of a null-terminated argument list, after `first` places that the caller fills.
PyObject* call_object_list(PyObject* callable, PyObject* self, va_list va) {
  va_list counting;
  va_copy(counting, va);
  size_t n = self != nullptr ? 1 : 0;
  while (va_arg(counting, PyObject*) != nullptr) ++n;
  va_end(counting);
  ArgumentArray array(n);
  if (!array) return nullptr;
  PyObject** stack = array.data();
  size_t i = 0;
  if (self != nullptr) stack[i++] = self;
  for (; i < n; ++i) stack[i] = va_arg(va, PyObject*);
  return PyObject_Vectorcall(callable, stack, n | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

}  // namespace

PyObject* check_call_result(PyObject* callable, PyObject* result) {
  bool raised = current_thread()->current_exception != nullptr;
  if ((result == nullptr) == raised) [[likely]] return result;
  if (result == nullptr) {
    PyErr_Format(PyExc_SystemError, "%R returned NULL without setting an exception", callable);
    return nullptr;
  }
  Py_DECREF(result);
  Ref<> cause = Ref<>::steal(PyErr_GetRaisedException());
  PyErr_Format(PyExc_SystemError, "%R returned a result with an exception set", callable);
  PyObject* error = PyErr_GetRaisedException();
  PyException_SetCause(error, Py_NewRef(cause.get()));
  PyException_SetContext(error, cause.release());
  PyErr_SetRaisedException(error);
  return nullptr;
}

PyObject* call_with_tuple(PyObject* callable, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (Py_TYPE(callable)->tp_call == nullptr) return not_callable(callable);
  Ref<> tuple = Ref<>::steal(PyTuple_New(nargs));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
  Ref<> dict;
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    dict = Ref<>::steal(_PyStack_AsDict(args + nargs, kwnames));
    if (!dict) return nullptr;
  }
  return tp_call(callable, tuple.get(), dict.get());
}

}  // namespace amphis

using namespace amphis;

extern "C" {

#undef PyVectorcall_NARGS
Py_ssize_t PyVectorcall_NARGS(size_t nargsf) { return _PyVectorcall_NARGS(nargsf); }
#define PyVectorcall_NARGS(nargsf) _PyVectorcall_NARGS(nargsf)

vectorcallfunc PyVectorcall_Function(PyObject* callable) { return vectorcall_of(callable); }

PyObject* PyObject_Vectorcall(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  // Native callables that call others nest without a frame of their own.
  if (RecursionGuard guard(" while calling a Python object"); guard.refused()) return nullptr;
  vectorcallfunc func = vectorcall_of(callable);
  if (func == nullptr) return call_with_tuple(callable, args, PyVectorcall_NARGS(nargsf), kwnames);
  return check_call_result(callable, func(callable, args, nargsf, kwnames));
}

PyObject* _PyObject_MakeTpCall(PyThreadState*, PyObject* callable, PyObject* const* args, Py_ssize_t nargs,
                               PyObject* keywords) {
  if (keywords == nullptr || PyTuple_Check(keywords)) return call_with_tuple(callable, args, nargs, keywords);
  Ref<> tuple = Ref<>::steal(PyTuple_New(nargs));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
  return tp_call(callable, tuple.get(), keywords);
}

PyObject* PyObject_VectorcallDict(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwargs) {
  if (RecursionGuard guard(" while calling a Python object"); guard.refused()) return nullptr;
  vectorcallfunc func = vectorcall_of(callable);
  bool no_keywords = kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0;
  if (func == nullptr) {
    return _PyObject_MakeTpCall(nullptr, callable, args, PyVectorcall_NARGS(nargsf), no_keywords ? nullptr : kwargs);
  }
  if (no_keywords) return check_call_result(callable, func(callable, args, nargsf, nullptr));
  return vectorcall_with_dict(callable, func, args, nargsf, kwargs);
}

PyObject* PyVectorcall_Call(PyObject* callable, PyObject* tuple, PyObject* dict) {
  if (RecursionGuard guard(" while calling a Python object"); guard.refused()) return nullptr;
  // Without a look at the flag: a class that overrides __call__ comes here through super().__call__().
  PyTypeObject* type = Py_TYPE(callable);
  vectorcallfunc func = nullptr;
  if (type->tp_vectorcall_offset > 0) {
    func = *reinterpret_cast<vectorcallfunc*>(reinterpret_cast<char*>(callable) + type->tp_vectorcall_offset);
  }
  if (func == nullptr) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object does not support vectorcall", type->tp_name);
    return nullptr;
  }
  PyObject* const* items = reinterpret_cast<PyTupleObject*>(tuple)->ob_item;
  size_t n = static_cast<size_t>(PyTuple_GET_SIZE(tuple));
  if (dict == nullptr || PyDict_GET_SIZE(dict) == 0) return check_call_result(callable, func(callable, items, n, nullptr));
  return vectorcall_with_dict(callable, func, items, n, dict);
}

PyObject* PyObject_Call(PyObject* callable, PyObject* args, PyObject* kwargs) {
  if (callable == nullptr) return null_callable();
  if (vectorcall_of(callable) != nullptr) return PyVectorcall_Call(callable, args, kwargs);
  return tp_call(callable, args, kwargs);
}

PyAPI_FUNC(PyObject*) PyCFunction_Call(PyObject* callable, PyObject* args, PyObject* kwargs);
PyObject* PyCFunction_Call(PyObject* callable, PyObject* args, PyObject* kwargs) {
  return PyObject_Call(callable, args, kwargs);
}

PyObject* PyObject_CallObject(PyObject* callable, PyObject* args) {
  if (args == nullptr) return PyObject_CallNoArgs(callable);
  if (!PyTuple_Check(args)) {
    PyErr_SetString(PyExc_TypeError, "argument list must be a tuple");
    return nullptr;
  }
  return PyObject_Call(callable, args, nullptr);
}

PyAPI_FUNC(PyObject*) PyEval_CallObjectWithKeywords(PyObject* callable, PyObject* args, PyObject* kwargs);
PyObject* PyEval_CallObjectWithKeywords(PyObject* callable, PyObject* args, PyObject* kwargs) {
  if (args != nullptr && !PyTuple_Check(args)) {
    PyErr_SetString(PyExc_TypeError, "argument list must be a tuple");
    return nullptr;
  }
  if (kwargs != nullptr && !PyDict_Check(kwargs)) {
    PyErr_SetString(PyExc_TypeError, "keyword list must be a dictionary");
    return nullptr;
  }
  if (args == nullptr) return PyObject_VectorcallDict(callable, nullptr, 0, kwargs);
  return PyObject_Call(callable, args, kwargs);
}

PyObject* PyObject_CallNoArgs(PyObject* callable) {
  if (callable == nullptr) return null_callable();
  PyObject* array[2] = {nullptr, nullptr};
  return PyObject_Vectorcall(callable, array + 1, 0 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

PyObject* PyObject_CallOneArg(PyObject* callable, PyObject* arg) {
  if (callable == nullptr) return null_callable();
  PyObject* array[2] = {nullptr, arg};
  return PyObject_Vectorcall(callable, array + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

PyObject* PyObject_VectorcallMethod(PyObject* name, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  bool unbound;
  Ref<> method = Ref<>::steal(object_get_method(args[0], name, &unbound));
  if (!method) return nullptr;
  if (unbound) {
    // args[-1] belongs to the caller's array, not to this call.
    return PyObject_Vectorcall(method.get(), args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
  }
  // args[0] may be overwritten by the callee and is put back by it.
  return PyObject_Vectorcall(method.get(), args + 1, nargsf - 1, kwnames);
}

PyObject* PyObject_CallFunction(PyObject* callable, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_built_value(callable, format, va);
  va_end(va);
  return result;
}

PyAPI_FUNC(PyObject*) _PyObject_CallFunction_SizeT(PyObject* callable, const char* format, ...);
PyObject* _PyObject_CallFunction_SizeT(PyObject* callable, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_built_value(callable, format, va);
  va_end(va);
  return result;
}

PyAPI_FUNC(PyObject*) PyEval_CallFunction(PyObject* callable, const char* format, ...);
PyObject* PyEval_CallFunction(PyObject* callable, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_built_value(callable, format, va);
  va_end(va);
  return result;
}

static PyObject* call_named_method(PyObject* obj, const char* name, const char* format, va_list va) {
  if (obj == nullptr || name == nullptr) return null_callable();
  Ref<> method = Ref<>::steal(PyObject_GetAttrString(obj, name));
  if (!method) return nullptr;
  if (!PyCallable_Check(method.get())) {
    PyErr_Format(PyExc_TypeError, "attribute of type '%.200s' is not callable", Py_TYPE(method.get())->tp_name);
    return nullptr;
  }
  return call_built_value(method.get(), format, va);
}

PyObject* PyObject_CallMethod(PyObject* obj, const char* name, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_named_method(obj, name, format, va);
  va_end(va);
  return result;
}

PyAPI_FUNC(PyObject*) _PyObject_CallMethod_SizeT(PyObject* obj, const char* name, const char* format, ...);
PyObject* _PyObject_CallMethod_SizeT(PyObject* obj, const char* name, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_named_method(obj, name, format, va);
  va_end(va);
  return result;
}

PyAPI_FUNC(PyObject*) PyEval_CallMethod(PyObject* obj, const char* name, const char* format, ...);
PyObject* PyEval_CallMethod(PyObject* obj, const char* name, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_named_method(obj, name, format, va);
  va_end(va);
  return result;
}

PyAPI_FUNC(PyObject*) _PyObject_CallMethod(PyObject* obj, PyObject* name, const char* format, ...);
PyObject* _PyObject_CallMethod(PyObject* obj, PyObject* name, const char* format, ...) {
  Ref<> method = Ref<>::steal(PyObject_GetAttr(obj, name));
  if (!method) return nullptr;
  va_list va;
  va_start(va, format);
  PyObject* result = call_built_value(method.get(), format, va);
  va_end(va);
  return result;
}

PyObject* _PyObject_CallMethodId(PyObject* obj, _Py_Identifier* name, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* result = call_named_method(obj, name->string, format, va);
  va_end(va);
  return result;
}

PyObject* PyObject_CallFunctionObjArgs(PyObject* callable, ...) {
  if (callable == nullptr) return null_callable();
  va_list va;
  va_start(va, callable);
  PyObject* result = call_object_list(callable, nullptr, va);
  va_end(va);
  return result;
}

PyObject* PyObject_CallMethodObjArgs(PyObject* obj, PyObject* name, ...) {
  if (obj == nullptr || name == nullptr) return null_callable();
  bool unbound;
  Ref<> method = Ref<>::steal(object_get_method(obj, name, &unbound));
  if (!method) return nullptr;
  va_list va;
  va_start(va, name);
  PyObject* result = call_object_list(method.get(), unbound ? obj : nullptr, va);
  va_end(va);
  return result;
}

PyObject* _PyStack_AsDict(PyObject* const* values, PyObject* kwnames) {
  const Py_ssize_t n = PyTuple_GET_SIZE(kwnames);
  PyObject* const* names = reinterpret_cast<PyTupleObject*>(kwnames)->ob_item;
  // Names are different from each other: the callers of vectorcall functions promise it.
  if (std::all_of(names, names + n, [](PyObject* name) { return PyUnicode_CheckExact(name); })) [[likely]] {
    return dict_from_names(names, values, n);
  }
  Ref<> dict = Ref<>::steal(_PyDict_NewPresized(n));
  if (!dict) return nullptr;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (PyDict_SetItem(dict.get(), names[i], values[i]) < 0) return nullptr;
  }
  return dict.release();
}

}  // extern "C"
