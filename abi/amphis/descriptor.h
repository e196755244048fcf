// Owns the descriptors behind types' members, and property.
#ifndef AMPHIS_ABI_DESCRIPTOR_H
#define AMPHIS_ABI_DESCRIPTOR_H

#include "cfunction.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef PyObject* (*wrapperfunc)(PyObject* self, PyObject* args, void* wrapped);
typedef PyObject* (*wrapperfunc_kwds)(PyObject* self, PyObject* args, void* wrapped, PyObject* kwds);
struct wrapperbase {
  const char* name;
  int offset;  // of the slot
  void* function;
  wrapperfunc wrapper;
  const char* doc;
  int flags;
  PyObject* name_strobj;
};
#define PyWrapperFlag_KEYWORDS 1
typedef struct {
  PyObject_HEAD PyTypeObject* d_type;
  PyObject* d_name;
  PyObject* d_qualname;
} PyDescrObject;
#define PyDescr_COMMON PyDescrObject d_common
#define PyDescr_TYPE(op) (((PyDescrObject*)(op))->d_type)
#define PyDescr_NAME(op) (((PyDescrObject*)(op))->d_name)
typedef struct {
  PyDescr_COMMON;
  PyMethodDef* d_method;
  vectorcallfunc vectorcall;
} PyMethodDescrObject;
typedef struct {
  PyDescr_COMMON;
  PyMemberDef* d_member;
} PyMemberDescrObject;
typedef struct {
  PyDescr_COMMON;
  PyGetSetDef* d_getset;
} PyGetSetDescrObject;
typedef struct {
  PyDescr_COMMON;
  struct wrapperbase* d_base;
  void* d_wrapped;
} PyWrapperDescrObject;
#endif
PyAPI_DATA(PyTypeObject) PyClassMethodDescr_Type;
PyAPI_DATA(PyTypeObject) PyGetSetDescr_Type;
PyAPI_DATA(PyTypeObject) PyMemberDescr_Type;
PyAPI_DATA(PyTypeObject) PyMethodDescr_Type;
PyAPI_DATA(PyTypeObject) PyWrapperDescr_Type;
PyAPI_DATA(PyTypeObject) PyDictProxy_Type;
PyAPI_DATA(PyTypeObject) PyProperty_Type;
// New references; definitions must outlive the descriptor.
PyAPI_FUNC(PyObject*) PyDescr_NewMethod(PyTypeObject*, PyMethodDef*);
PyAPI_FUNC(PyObject*) PyDescr_NewClassMethod(PyTypeObject*, PyMethodDef*);
PyAPI_FUNC(PyObject*) PyDescr_NewMember(PyTypeObject*, PyMemberDef*);
PyAPI_FUNC(PyObject*) PyDescr_NewGetSet(PyTypeObject*, PyGetSetDef*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyDescr_NewWrapper(PyTypeObject*, struct wrapperbase*, void*);
#endif
PyAPI_FUNC(PyObject*) PyWrapper_New(PyObject*, PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyDescr_IsData(PyObject*);
#endif

Py_END_C_DECLS

#endif
