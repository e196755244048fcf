// Helpers for tests of the object model: classes made through type(), methods that are C++ lambdas, and readable checks.
#pragma once

#include "catch.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "Python.h"
#include "sync/ref.h"

namespace model {

using amphis::Ref;
using Args = PyObject* const*;

inline Ref<> own(PyObject* p) { return Ref<>::steal(p); }

template <auto Body>
PyObject* call_body(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return Body(args, nargs);
}
// A callable that binds like a Python function: Body(args, nargs) gets self as args[0].
template <auto Body>
Ref<> method() {
  static PyMethodDef def = {"body", _PyCFunction_CAST(call_body<Body>), METH_FASTCALL, nullptr};
  Ref<> function = own(PyCFunction_New(&def, nullptr));
  return own(PyInstanceMethod_New(function.get()));
}

struct Entry {
  const char* name;
  Ref<> value;
};

// type(name, bases, namespace); null with an exception.
template <typename... Entries>
Ref<> make_class(const char* name, std::initializer_list<PyObject*> bases, Entries&&... entries) {
  Ref<> dict = own(PyDict_New());
  (PyDict_SetItemString(dict.get(), entries.name, entries.value.get()), ...);
  Ref<> tuple = own(PyTuple_New(static_cast<Py_ssize_t>(bases.size())));
  Py_ssize_t i = 0;
  for (PyObject* base : bases) PyTuple_SET_ITEM(tuple.get(), i++, Py_NewRef(base));
  PyObject* args[] = {nullptr, PyUnicode_FromString(name), tuple.get(), dict.get()};
  PyObject* meta = reinterpret_cast<PyObject*>(&PyType_Type);
  PyObject* made = PyObject_Vectorcall(meta, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  Py_DECREF(args[1]);
  return own(made);
}

inline std::string text(PyObject* obj) {
  if (obj == nullptr) return "<null>";
  Ref<> repr = own(PyObject_Repr(obj));
  return repr ? PyUnicode_AsUTF8(repr.get()) : "<repr failed>";
}
inline std::string text(const Ref<>& obj) { return text(obj.get()); }

// "TypeError: message" of the current exception, which is cleared; "" if there is none.
inline std::string error() {
  Ref<> raised = own(PyErr_GetRaisedException());
  if (!raised) return "";
  Ref<> message = own(PyObject_Str(raised.get()));
  return std::string(Py_TYPE(raised.get())->tp_name) + ": " + PyUnicode_AsUTF8(message.get());
}

inline PyObject* type_object(PyTypeObject& type) { return reinterpret_cast<PyObject*>(&type); }
inline PyObject* object_class() { return type_object(PyBaseObject_Type); }
inline Ref<> integer(long value) { return own(PyLong_FromLong(value)); }
inline Ref<> attr(const Ref<>& obj, const char* name) { return own(PyObject_GetAttrString(obj.get(), name)); }
inline int set(const Ref<>& obj, const char* name, const Ref<>& value) {
  return PyObject_SetAttrString(obj.get(), name, value.get());
}
inline Ref<> call(const Ref<>& callable) { return own(PyObject_CallNoArgs(callable.get())); }
inline Ref<> call(const Ref<>& callable, const Ref<>& arg) { return own(PyObject_CallOneArg(callable.get(), arg.get())); }

}  // namespace model
