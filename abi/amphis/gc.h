// Owns the collector's interface. An object of a Py_TPFLAGS_HAVE_GC type is tracked once its fields are valid
// and untracked before they stop being so.
#ifndef AMPHIS_ABI_GC_H
#define AMPHIS_ABI_GC_H

#include "iter.h"

Py_BEGIN_C_DECLS

// New, untracked; null with MemoryError. Resizing moves: the old pointer is dead unless null comes back.
PyAPI_FUNC(PyObject*) _PyObject_GC_New(PyTypeObject*);
PyAPI_FUNC(PyVarObject*) _PyObject_GC_NewVar(PyTypeObject*, Py_ssize_t);
PyAPI_FUNC(PyVarObject*) _PyObject_GC_Resize(PyVarObject*, Py_ssize_t);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyUnstable_Object_GC_NewWithExtraData(PyTypeObject*, size_t);
#endif
#define PyObject_GC_New(type, typeobj) _Py_CAST(type*, _PyObject_GC_New(typeobj))
#define PyObject_GC_NewVar(type, typeobj, n) _Py_CAST(type*, _PyObject_GC_NewVar((typeobj), (n)))
#define PyObject_GC_Resize(type, op, n) ((type*)_PyObject_GC_Resize(_PyVarObject_CAST(op), (n)))
PyAPI_FUNC(void) PyObject_GC_Track(void*);
PyAPI_FUNC(void) PyObject_GC_UnTrack(void*);
PyAPI_FUNC(void) PyObject_GC_Del(void*);
PyAPI_FUNC(int) PyObject_GC_IsTracked(PyObject*);
PyAPI_FUNC(int) PyObject_GC_IsFinalized(PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyObject_IS_GC(PyObject* obj);
#endif
// Collect: how many unreachable objects. The others: what the state was before.
PyAPI_FUNC(Py_ssize_t) PyGC_Collect(void);
PyAPI_FUNC(int) PyGC_Enable(void);
PyAPI_FUNC(int) PyGC_Disable(void);
PyAPI_FUNC(int) PyGC_IsEnabled(void);
#ifndef Py_LIMITED_API
typedef int (*gcvisitobjects_t)(PyObject* op, void* arg);
// Visits borrowed; the visitor may not touch reference counts and stops by returning 0.
PyAPI_FUNC(void) PyUnstable_GC_VisitObjects(gcvisitobjects_t callback, void* arg);
#endif

Py_END_C_DECLS

#endif
