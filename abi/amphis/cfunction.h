// Owns functions written in C: how they are described, and the objects around them.
#ifndef AMPHIS_ABI_CFUNCTION_H
#define AMPHIS_ABI_CFUNCTION_H

#include "slice.h"

Py_BEGIN_C_DECLS

typedef PyObject* (*PyCFunction)(PyObject* self, PyObject* args);
typedef PyObject* (*PyCFunctionFast)(PyObject* self, PyObject* const* args, Py_ssize_t nargs);
typedef PyObject* (*PyCFunctionWithKeywords)(PyObject* self, PyObject* args, PyObject* kwargs);
typedef PyObject* (*PyCFunctionFastWithKeywords)(PyObject* self, PyObject* const* args, Py_ssize_t nargs,
                                                 PyObject* kwnames);
typedef PyObject* (*PyCMethod)(PyObject* self, PyTypeObject* defining_class, PyObject* const* args,
                               Py_ssize_t nargs, PyObject* kwnames);
typedef PyCFunctionFast _PyCFunctionFast;
typedef PyCFunctionFastWithKeywords _PyCFunctionFastWithKeywords;
#define _PyCFunction_CAST(function) _Py_FUNC_CAST(PyCFunction, function)
#define _PyCFunctionFast_CAST(function) _Py_FUNC_CAST(PyCFunctionFast, function)
#define _PyCFunctionWithKeywords_CAST(function) _Py_FUNC_CAST(PyCFunctionWithKeywords, function)
#define _PyCFunctionFastWithKeywords_CAST(function) _Py_FUNC_CAST(PyCFunctionFastWithKeywords, function)

#define METH_VARARGS 0x0001
#define METH_KEYWORDS 0x0002
#define METH_NOARGS 0x0004
#define METH_O 0x0008
#define METH_CLASS 0x0010
#define METH_STATIC 0x0020
#define METH_COEXIST 0x0040
#if _Py_SINCE(3, 10)
#define METH_FASTCALL 0x0080
#endif
#define METH_STACKLESS 0x0000
#if _Py_SINCE(3, 9)
#define METH_METHOD 0x0200
#endif
struct PyMethodDef {
  const char* ml_name;
  PyCFunction ml_meth;  // the signature that ml_flags says
  int ml_flags;
  const char* ml_doc;
};
#ifndef Py_LIMITED_API
typedef struct {
  PyObject_HEAD PyMethodDef* m_ml;
  PyObject* m_self;
  PyObject* m_module;
  PyObject* m_weakreflist;
  vectorcallfunc vectorcall;
} PyCFunctionObject;
typedef struct {
  PyCFunctionObject func;
  PyTypeObject* mm_class;  // METH_METHOD: the class that defines the method
} PyCMethodObject;
#endif
PyAPI_DATA(PyTypeObject) PyCFunction_Type;
#ifndef Py_LIMITED_API
PyAPI_DATA(PyTypeObject) PyCMethod_Type;
#endif
#define PyCFunction_Check(op) PyObject_TypeCheck((op), &PyCFunction_Type)
#define PyCFunction_CheckExact(op) Py_IS_TYPE((op), &PyCFunction_Type)
#ifndef Py_LIMITED_API
#define PyCMethod_Check(op) PyObject_TypeCheck((op), &PyCMethod_Type)
#define PyCMethod_CheckExact(op) Py_IS_TYPE((op), &PyCMethod_Type)
#define _PyCFunctionObject_CAST(op) (assert(PyCFunction_Check(op)), _Py_CAST(PyCFunctionObject*, (op)))
#define _PyCMethodObject_CAST(op) (assert(PyCMethod_Check(op)), _Py_CAST(PyCMethodObject*, (op)))
static inline PyCFunction PyCFunction_GET_FUNCTION(PyObject* op) {
  return _PyCFunctionObject_CAST(op)->m_ml->ml_meth;
}
#define PyCFunction_GET_FUNCTION(op) PyCFunction_GET_FUNCTION(_PyObject_CAST(op))
static inline int PyCFunction_GET_FLAGS(PyObject* op) {
  return _PyCFunctionObject_CAST(op)->m_ml->ml_flags;
}
#define PyCFunction_GET_FLAGS(op) PyCFunction_GET_FLAGS(_PyObject_CAST(op))
static inline PyObject* PyCFunction_GET_SELF(PyObject* op) {
  PyCFunctionObject* function = _PyCFunctionObject_CAST(op);
  return function->m_ml->ml_flags & METH_STATIC ? _Py_NULL : function->m_self;
}
#define PyCFunction_GET_SELF(op) PyCFunction_GET_SELF(_PyObject_CAST(op))
static inline PyTypeObject* PyCFunction_GET_CLASS(PyObject* op) {
  PyCFunctionObject* function = _PyCFunctionObject_CAST(op);
  return function->m_ml->ml_flags & METH_METHOD ? _PyCMethodObject_CAST(op)->mm_class : _Py_NULL;
}
#define PyCFunction_GET_CLASS(op) PyCFunction_GET_CLASS(_PyObject_CAST(op))
#endif
// New references; the definition must outlive the object.
PyAPI_FUNC(PyObject*) PyCFunction_New(PyMethodDef*, PyObject*);
PyAPI_FUNC(PyObject*) PyCFunction_NewEx(PyMethodDef*, PyObject*, PyObject*);
#if _Py_SINCE(3, 9)
PyAPI_FUNC(PyObject*) PyCMethod_New(PyMethodDef*, PyObject*, PyObject*, PyTypeObject*);
#endif
#define PyCFunction_New(ml, self) PyCFunction_NewEx((ml), (self), _Py_NULL)
#if _Py_SINCE(3, 9)
#define PyCFunction_NewEx(ml, self, module) PyCMethod_New((ml), (self), (module), _Py_NULL)
#endif
// Borrowed self; null or -1 with SystemError for what is no such function.
PyAPI_FUNC(PyCFunction) PyCFunction_GetFunction(PyObject*);
PyAPI_FUNC(PyObject*) PyCFunction_GetSelf(PyObject*);
PyAPI_FUNC(int) PyCFunction_GetFlags(PyObject*);

Py_END_C_DECLS

#endif
