// Owns functions written in Python, the objects that bind them, and cells.
#ifndef AMPHIS_ABI_FUNCTION_H
#define AMPHIS_ABI_FUNCTION_H

#include "descriptor.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  PyObject* fc_globals;
  PyObject* fc_builtins;
  PyObject* fc_name;
  PyObject* fc_qualname;
  PyObject* fc_code;
  PyObject* fc_defaults;
  PyObject* fc_kwdefaults;
  PyObject* fc_closure;
} PyFrameConstructor;
typedef struct {
  PyObject_HEAD PyObject* func_globals;
  PyObject* func_builtins;
  PyObject* func_name;
  PyObject* func_qualname;
  PyObject* func_code;
  PyObject* func_defaults;    // tuple or null
  PyObject* func_kwdefaults;  // dict or null
  PyObject* func_closure;     // tuple of cells or null
  PyObject* func_doc;
  PyObject* func_dict;
  PyObject* func_weakreflist;
  PyObject* func_module;
  PyObject* func_annotations;
  PyObject* func_annotate;
  PyObject* func_typeparams;
  vectorcallfunc vectorcall;
  uint32_t func_version;
} PyFunctionObject;
typedef struct {
  PyObject_HEAD PyObject* im_func;
  PyObject* im_self;
  PyObject* im_weakreflist;
  vectorcallfunc vectorcall;
} PyMethodObject;
typedef struct {
  PyObject_HEAD PyObject* func;
} PyInstanceMethodObject;
typedef struct {
  PyObject_HEAD PyObject* ob_ref;  // null: empty
} PyCellObject;
PyAPI_DATA(PyTypeObject) PyFunction_Type;
PyAPI_DATA(PyTypeObject) PyClassMethod_Type;
PyAPI_DATA(PyTypeObject) PyStaticMethod_Type;
PyAPI_DATA(PyTypeObject) PyMethod_Type;
PyAPI_DATA(PyTypeObject) PyInstanceMethod_Type;
PyAPI_DATA(PyTypeObject) PyCell_Type;
#define PyFunction_Check(op) Py_IS_TYPE((op), &PyFunction_Type)
#define PyMethod_Check(op) Py_IS_TYPE((op), &PyMethod_Type)
#define PyInstanceMethod_Check(op) Py_IS_TYPE((op), &PyInstanceMethod_Type)
#define PyCell_Check(op) Py_IS_TYPE((op), &PyCell_Type)
#define _PyFunction_CAST(op) (assert(PyFunction_Check(op)), _Py_CAST(PyFunctionObject*, op))
#define _PyMethod_CAST(op) (assert(PyMethod_Check(op)), _Py_CAST(PyMethodObject*, op))
#define _PyInstanceMethod_CAST(op) (assert(PyInstanceMethod_Check(op)), _Py_CAST(PyInstanceMethodObject*, op))

// New references. The getters below borrow; setters take their own reference, and None deletes: 0, or -1 with
// an exception.
PyAPI_FUNC(PyObject*) PyFunction_New(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_NewWithQualName(PyObject*, PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyClassMethod_New(PyObject*);
PyAPI_FUNC(PyObject*) PyStaticMethod_New(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetCode(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetGlobals(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetModule(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetDefaults(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetKwDefaults(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetClosure(PyObject*);
PyAPI_FUNC(PyObject*) PyFunction_GetAnnotations(PyObject*);
PyAPI_FUNC(int) PyFunction_SetDefaults(PyObject*, PyObject*);
PyAPI_FUNC(void) PyFunction_SetVectorcall(PyFunctionObject*, vectorcallfunc);
PyAPI_FUNC(int) PyFunction_SetKwDefaults(PyObject*, PyObject*);
PyAPI_FUNC(int) PyFunction_SetClosure(PyObject*, PyObject*);
PyAPI_FUNC(int) PyFunction_SetAnnotations(PyObject*, PyObject*);
static inline PyObject* PyFunction_GET_CODE(PyObject* op) {
  return _PyFunction_CAST(op)->func_code;
}
static inline PyObject* PyFunction_GET_GLOBALS(PyObject* op) {
  return _PyFunction_CAST(op)->func_globals;
}
static inline PyObject* PyFunction_GET_MODULE(PyObject* op) {
  return _PyFunction_CAST(op)->func_module;
}
static inline PyObject* PyFunction_GET_DEFAULTS(PyObject* op) {
  return _PyFunction_CAST(op)->func_defaults;
}
static inline PyObject* PyFunction_GET_KW_DEFAULTS(PyObject* op) {
  return _PyFunction_CAST(op)->func_kwdefaults;
}
static inline PyObject* PyFunction_GET_CLOSURE(PyObject* op) {
  return _PyFunction_CAST(op)->func_closure;
}
static inline PyObject* PyFunction_GET_ANNOTATIONS(PyObject* op) {
  return _PyFunction_CAST(op)->func_annotations;
}
#define PyFunction_GET_CODE(op) PyFunction_GET_CODE(_PyObject_CAST(op))
#define PyFunction_GET_GLOBALS(op) PyFunction_GET_GLOBALS(_PyObject_CAST(op))
#define PyFunction_GET_MODULE(op) PyFunction_GET_MODULE(_PyObject_CAST(op))
#define PyFunction_GET_DEFAULTS(op) PyFunction_GET_DEFAULTS(_PyObject_CAST(op))
#define PyFunction_GET_KW_DEFAULTS(op) PyFunction_GET_KW_DEFAULTS(_PyObject_CAST(op))
#define PyFunction_GET_CLOSURE(op) PyFunction_GET_CLOSURE(_PyObject_CAST(op))
#define PyFunction_GET_ANNOTATIONS(op) PyFunction_GET_ANNOTATIONS(_PyObject_CAST(op))

#define PY_FOREACH_FUNC_EVENT(V) V(CREATE) V(DESTROY) V(MODIFY_CODE) V(MODIFY_DEFAULTS) V(MODIFY_KWDEFAULTS)
typedef enum {
#define PY_DEFINE_EVENT(event) PyFunction_EVENT_##event,
  PY_FOREACH_FUNC_EVENT(PY_DEFINE_EVENT)
#undef PY_DEFINE_EVENT
} PyFunction_WatchEvent;
typedef int (*PyFunction_WatchCallback)(PyFunction_WatchEvent event, PyFunctionObject* function,
                                        PyObject* new_value);
PyAPI_FUNC(int) PyFunction_AddWatcher(PyFunction_WatchCallback callback);
PyAPI_FUNC(int) PyFunction_ClearWatcher(int watcher_id);

// New references; Function and Self borrow.
PyAPI_FUNC(PyObject*) PyMethod_New(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyInstanceMethod_New(PyObject*);
PyAPI_FUNC(PyObject*) PyMethod_Function(PyObject*);
PyAPI_FUNC(PyObject*) PyMethod_Self(PyObject*);
PyAPI_FUNC(PyObject*) PyInstanceMethod_Function(PyObject*);
static inline PyObject* PyMethod_GET_FUNCTION(PyObject* op) {
  return _PyMethod_CAST(op)->im_func;
}
static inline PyObject* PyMethod_GET_SELF(PyObject* op) {
  return _PyMethod_CAST(op)->im_self;
}
static inline PyObject* PyInstanceMethod_GET_FUNCTION(PyObject* op) {
  return _PyInstanceMethod_CAST(op)->func;
}
#define PyMethod_GET_FUNCTION(op) PyMethod_GET_FUNCTION(_PyObject_CAST(op))
#define PyMethod_GET_SELF(op) PyMethod_GET_SELF(_PyObject_CAST(op))
#define PyInstanceMethod_GET_FUNCTION(op) PyInstanceMethod_GET_FUNCTION(_PyObject_CAST(op))

// PyCell_Get: new reference or null (empty). PyCell_Set takes its own reference. GET borrows, SET steals.
PyAPI_FUNC(PyObject*) PyCell_New(PyObject*);
PyAPI_FUNC(PyObject*) PyCell_Get(PyObject*);
PyAPI_FUNC(int) PyCell_Set(PyObject*, PyObject*);
static inline PyObject* PyCell_GET(PyObject* op) {
  return ((PyCellObject*)op)->ob_ref;
}
static inline void PyCell_SET(PyObject* op, PyObject* value) {
  ((PyCellObject*)op)->ob_ref = value;
}
#define PyCell_GET(op) PyCell_GET(_PyObject_CAST(op))
#define PyCell_SET(op, value) PyCell_SET(_PyObject_CAST(op), (value))
#endif

Py_END_C_DECLS

#endif
