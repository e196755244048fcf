// The reference-count functions of the C API that are the same in both variants.
#include "base/assert.h"
#include "sync/deferred.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

using namespace amphis;

#undef Py_REFCNT
#undef Py_NewRef
#undef Py_XNewRef

extern "C" {

Py_ssize_t Py_REFCNT(PyObject* op) { return _Py_REFCNT(op); }
void _Py_SetRefcnt(PyObject* op, Py_ssize_t count) { Py_SET_REFCNT(op, count); }
void Py_IncRef(PyObject* op) { Py_XINCREF(op); }
void Py_DecRef(PyObject* op) { Py_XDECREF(op); }
void _Py_IncRef(PyObject* op) { Py_INCREF(op); }
void _Py_DecRef(PyObject* op) { Py_DECREF(op); }
PyObject* Py_NewRef(PyObject* op) { return _Py_NewRef(op); }
PyObject* Py_XNewRef(PyObject* op) { return _Py_XNewRef(op); }
int PyUnstable_IsImmortal(PyObject* op) { return _Py_IsImmortal(op); }

int PyUnstable_TryIncRef(PyObject* op) { return sync::try_incref(op); }
void PyUnstable_EnableTryIncRef(PyObject* op) { sync::publish(op); }
int PyUnstable_Object_IsUniquelyReferenced(PyObject* op) { return sync::is_unique(op); }
// A reference that only a register holds looks like any other from here, so the answer is always the cautious one.
int PyUnstable_Object_IsUniqueReferencedTemporary(PyObject*) { return 0; }
int PyUnstable_Object_EnableDeferredRefcount(PyObject* op) { return sync::set_deferred(op); }

}
