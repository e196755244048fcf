// Owns the small opaque objects that extensions meet: capsules, weak references, contexts, struct sequences,
// generic aliases.
#ifndef AMPHIS_ABI_OBJECTS_H
#define AMPHIS_ABI_OBJECTS_H

#include "errors.h"

Py_BEGIN_C_DECLS

    // ---- capsule: a C pointer with a name ----
typedef void (*PyCapsule_Destructor)(PyObject* capsule);
PyAPI_DATA(PyTypeObject) PyCapsule_Type;
#define PyCapsule_CheckExact(op) Py_IS_TYPE((op), &PyCapsule_Type)
// The name is kept, not copied. Null or nonzero with ValueError when name or capsule do not fit.
PyAPI_FUNC(PyObject*) PyCapsule_New(void* pointer, const char* name, PyCapsule_Destructor destructor);
PyAPI_FUNC(void*) PyCapsule_GetPointer(PyObject* capsule, const char* name);
PyAPI_FUNC(PyCapsule_Destructor) PyCapsule_GetDestructor(PyObject* capsule);
PyAPI_FUNC(const char*) PyCapsule_GetName(PyObject* capsule);
PyAPI_FUNC(void*) PyCapsule_GetContext(PyObject* capsule);
PyAPI_FUNC(int) PyCapsule_IsValid(PyObject* capsule, const char* name);
PyAPI_FUNC(int) PyCapsule_SetPointer(PyObject* capsule, void* pointer);
PyAPI_FUNC(int) PyCapsule_SetDestructor(PyObject* capsule, PyCapsule_Destructor destructor);
PyAPI_FUNC(int) PyCapsule_SetName(PyObject* capsule, const char* name);
PyAPI_FUNC(int) PyCapsule_SetContext(PyObject* capsule, void* context);
PyAPI_FUNC(void*) PyCapsule_Import(const char* name, int no_block);

// ---- weak references ----
typedef struct _PyWeakReference PyWeakReference;
#ifndef Py_LIMITED_API
struct _PyWeakReference {
  PyObject_HEAD PyObject* wr_object;  // not counted; Py_None once dead
  PyObject* wr_callback;
  Py_hash_t hash;
  PyWeakReference* wr_prev;
  PyWeakReference* wr_next;
  vectorcallfunc vectorcall;
  _Py_FREE_ONLY(PyMutex* weakrefs_lock;)  // guards the list that this reference is on
};
#endif
PyAPI_DATA(PyTypeObject) _PyWeakref_RefType;
PyAPI_DATA(PyTypeObject) _PyWeakref_ProxyType;
PyAPI_DATA(PyTypeObject) _PyWeakref_CallableProxyType;
#define PyWeakref_CheckRef(op) PyObject_TypeCheck((op), &_PyWeakref_RefType)
#define PyWeakref_CheckRefExact(op) Py_IS_TYPE((op), &_PyWeakref_RefType)
#define PyWeakref_CheckProxy(op) \
  (Py_IS_TYPE((op), &_PyWeakref_ProxyType) || Py_IS_TYPE((op), &_PyWeakref_CallableProxyType))
#define PyWeakref_Check(op) (PyWeakref_CheckRef(op) || PyWeakref_CheckProxy(op))
#ifndef Py_LIMITED_API
#define _PyWeakref_CAST(op) (assert(PyWeakref_Check(op)), _Py_CAST(PyWeakReference*, (op)))
#endif
// New references.
PyAPI_FUNC(PyObject*) PyWeakref_NewRef(PyObject* ob, PyObject* callback);
PyAPI_FUNC(PyObject*) PyWeakref_NewProxy(PyObject* ob, PyObject* callback);
#if _Py_SINCE(3, 13)
// Alive: 1 and a new reference in *pobj; dead: 0 and null; -1 with an exception.
PyAPI_FUNC(int) PyWeakref_GetRef(PyObject* ref, PyObject** pobj);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyWeakref_IsDead(PyObject* ref);
#endif
// Borrowed, which is why it is deprecated.
Py_DEPRECATED() PyAPI_FUNC(PyObject*) PyWeakref_GetObject(PyObject* ref);
#ifndef Py_LIMITED_API
Py_DEPRECATED(3.13) static inline PyObject* PyWeakref_GET_OBJECT(PyObject* op) {
  PyObject* object = _PyWeakref_CAST(op)->wr_object;
  return object != Py_None && Py_REFCNT(object) > 0 ? object : Py_None;
}
#define PyWeakref_GET_OBJECT(op) PyWeakref_GET_OBJECT(_PyObject_CAST(op))
PyAPI_FUNC(void) _PyWeakref_ClearRef(PyWeakReference* self);

// ---- context variables ----
typedef struct _pycontextobject PyContext;
typedef struct _pycontextvarobject PyContextVar;
typedef struct _pycontexttokenobject PyContextToken;
PyAPI_DATA(PyTypeObject) PyContext_Type;
PyAPI_DATA(PyTypeObject) PyContextVar_Type;
PyAPI_DATA(PyTypeObject) PyContextToken_Type;
#define PyContext_CheckExact(op) Py_IS_TYPE((op), &PyContext_Type)
#define PyContextVar_CheckExact(op) Py_IS_TYPE((op), &PyContextVar_Type)
#define PyContextToken_CheckExact(op) Py_IS_TYPE((op), &PyContextToken_Type)
typedef enum { Py_CONTEXT_SWITCHED = 1 } PyContextEvent;
typedef int (*PyContext_WatchCallback)(PyContextEvent event, PyObject* context);
// New references; PyContextVar_Get: 0 with a new reference or null in *value, -1 with an exception.
PyAPI_FUNC(PyObject*) PyContext_New(void);
PyAPI_FUNC(PyObject*) PyContext_Copy(PyObject*);
PyAPI_FUNC(PyObject*) PyContext_CopyCurrent(void);
PyAPI_FUNC(int) PyContext_Enter(PyObject*);
PyAPI_FUNC(int) PyContext_Exit(PyObject*);
PyAPI_FUNC(int) PyContext_AddWatcher(PyContext_WatchCallback callback);
PyAPI_FUNC(int) PyContext_ClearWatcher(int watcher_id);
PyAPI_FUNC(PyObject*) PyContextVar_New(const char* name, PyObject* default_value);
PyAPI_FUNC(int) PyContextVar_Get(PyObject* var, PyObject* default_value, PyObject** value);
PyAPI_FUNC(PyObject*) PyContextVar_Set(PyObject* var, PyObject* value);
PyAPI_FUNC(int) PyContextVar_Reset(PyObject* var, PyObject* token);
#endif

// ---- struct sequences: tuples with field names ----
typedef struct PyStructSequence_Field {
  const char* name;
  const char* doc;
} PyStructSequence_Field;
typedef struct PyStructSequence_Desc {
  const char* name;
  const char* doc;
  PyStructSequence_Field* fields;  // ends with a null name
  int n_in_sequence;
} PyStructSequence_Desc;
#ifndef Py_LIMITED_API
typedef PyTupleObject PyStructSequence;
#endif
PyAPI_DATA(const char* const) PyStructSequence_UnnamedField;
#ifndef Py_LIMITED_API
// New references; SetItem steals, GetItem borrows.
PyAPI_FUNC(void) PyStructSequence_InitType(PyTypeObject* type, PyStructSequence_Desc* desc);
PyAPI_FUNC(int) PyStructSequence_InitType2(PyTypeObject* type, PyStructSequence_Desc* desc);
#endif
PyAPI_FUNC(PyTypeObject*) PyStructSequence_NewType(PyStructSequence_Desc* desc);
PyAPI_FUNC(PyObject*) PyStructSequence_New(PyTypeObject* type);
PyAPI_FUNC(void) PyStructSequence_SetItem(PyObject*, Py_ssize_t, PyObject*);
PyAPI_FUNC(PyObject*) PyStructSequence_GetItem(PyObject*, Py_ssize_t);
#ifndef Py_LIMITED_API
#define PyStructSequence_SET_ITEM PyStructSequence_SetItem
#define PyStructSequence_GET_ITEM PyStructSequence_GetItem
#endif

// ---- list[int] and the like: new reference ----
PyAPI_DATA(PyTypeObject) Py_GenericAliasType;
PyAPI_FUNC(PyObject*) Py_GenericAlias(PyObject*, PyObject*);

Py_END_C_DECLS

#endif
