// Owns calling. Every call returns a new reference, or null with an exception, and steals nothing.
#ifndef AMPHIS_ABI_CALL_H
#define AMPHIS_ABI_CALL_H

#include "generic.h"

Py_BEGIN_C_DECLS

#if _Py_SINCE(3, 12)
#define PY_VECTORCALL_ARGUMENTS_OFFSET ((size_t)1 << (8 * sizeof(size_t) - 1))
#endif
PyAPI_FUNC(Py_ssize_t) PyVectorcall_NARGS(size_t nargsf);
#ifndef Py_LIMITED_API
static inline Py_ssize_t _PyVectorcall_NARGS(size_t nargsf) {
  return (Py_ssize_t)(nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET);
}
#define PyVectorcall_NARGS(nargsf) _PyVectorcall_NARGS(nargsf)
PyAPI_FUNC(vectorcallfunc) PyVectorcall_Function(PyObject* callable);
#endif
PyAPI_FUNC(PyObject*) PyVectorcall_Call(PyObject* callable, PyObject* tuple, PyObject* dict);
#if _Py_SINCE(3, 12)
PyAPI_FUNC(PyObject*)
    PyObject_Vectorcall(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*)
    PyObject_VectorcallDict(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwargs);
#endif
#if _Py_SINCE(3, 12)
PyAPI_FUNC(PyObject*)
    PyObject_VectorcallMethod(PyObject* name, PyObject* const* args, size_t nargsf, PyObject* kwnames);
#endif
PyAPI_FUNC(PyObject*) PyObject_Call(PyObject* callable, PyObject* args, PyObject* kwargs);
PyAPI_FUNC(PyObject*) PyObject_CallObject(PyObject* callable, PyObject* args);
#if _Py_SINCE(3, 9)
PyAPI_FUNC(PyObject*) PyObject_CallNoArgs(PyObject* func);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyObject_CallOneArg(PyObject* func, PyObject* arg);
#endif
PyAPI_FUNC(PyObject*) PyObject_CallFunction(PyObject* callable, const char* format, ...);
PyAPI_FUNC(PyObject*) PyObject_CallMethod(PyObject* obj, const char* name, const char* format, ...);
PyAPI_FUNC(PyObject*) PyObject_CallFunctionObjArgs(PyObject* callable, ...);
PyAPI_FUNC(PyObject*) PyObject_CallMethodObjArgs(PyObject* obj, PyObject* name, ...);
#ifndef Py_LIMITED_API
static inline PyObject* PyObject_CallMethodNoArgs(PyObject* self, PyObject* name) {
  return PyObject_VectorcallMethod(name, &self, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, _Py_NULL);
}
static inline PyObject* PyObject_CallMethodOneArg(PyObject* self, PyObject* name, PyObject* arg) {
  PyObject* args[2] = {self, arg};
  return PyObject_VectorcallMethod(name, args, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, _Py_NULL);
}
PyAPI_FUNC(PyObject*) _PyObject_CallMethodId(PyObject* obj, _Py_Identifier* name, const char* format, ...);
PyAPI_FUNC(PyObject*) _PyStack_AsDict(PyObject* const* values, PyObject* kwnames);
#define _PyObject_CallMethodNoArgs PyObject_CallMethodNoArgs
#define _PyObject_CallMethodOneArg PyObject_CallMethodOneArg
#define _PyObject_CallOneArg PyObject_CallOneArg
#define _PyObject_FastCallDict PyObject_VectorcallDict
#define _PyObject_Vectorcall PyObject_Vectorcall
#define _PyObject_VectorcallMethod PyObject_VectorcallMethod
#define _PyVectorcall_Function PyVectorcall_Function
#endif

Py_END_C_DECLS

#endif
