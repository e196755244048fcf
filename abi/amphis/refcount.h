// Owns reference counting, inline for both ABIs. Counting an immortal object does nothing.
#ifndef AMPHIS_ABI_REFCOUNT_H
#define AMPHIS_ABI_REFCOUNT_H

#include "object.h"

Py_BEGIN_C_DECLS

// The functions take null; those with an underscore do not.
PyAPI_FUNC(void) Py_IncRef(PyObject*);
PyAPI_FUNC(void) Py_DecRef(PyObject*);
#if _Py_SINCE(3, 10)
PyAPI_FUNC(void) _Py_IncRef(PyObject*);
PyAPI_FUNC(void) _Py_DecRef(PyObject*);
#endif
#if _Py_SINCE(3, 13)
PyAPI_FUNC(void) _Py_SetRefcnt(PyObject* ob, Py_ssize_t refcnt);
#endif
#if _Py_SINCE(3, 14)
PyAPI_FUNC(Py_ssize_t) Py_REFCNT(PyObject* ob);
#endif

#ifdef Py_LIMITED_API
// Binaries for the stable ABI count by calls: how counting works is the running interpreter's affair.
#if _Py_SINCE(3, 14)
#define Py_REFCNT(op) Py_REFCNT(_PyObject_CAST(op))
#elif !defined(_Py_OPAQUE_PYOBJECT)
#define Py_REFCNT(op) ((Py_ssize_t)_PyObject_CAST(op)->ob_refcnt)
#endif
#if _Py_SINCE(3, 13) || !defined(_Py_OPAQUE_PYOBJECT)
static inline void Py_SET_REFCNT(PyObject* op, Py_ssize_t refcnt) {
#if _Py_SINCE(3, 13)
  _Py_SetRefcnt(op, refcnt);
#else
  if ((int32_t)op->ob_refcnt >= 0) op->ob_refcnt = (uint32_t)refcnt;
#endif
}
#define Py_SET_REFCNT(op, refcnt) Py_SET_REFCNT(_PyObject_CAST(op), (refcnt))
#endif
static inline void Py_INCREF(PyObject* op) {
#if _Py_SINCE(3, 10)
  _Py_IncRef(op);
#else
  Py_IncRef(op);
#endif
}
static inline void Py_DECREF(PyObject* op) {
#if _Py_SINCE(3, 10)
  _Py_DecRef(op);
#else
  Py_DecRef(op);
#endif
}
#define Py_INCREF(op) Py_INCREF(_PyObject_CAST(op))
#define Py_DECREF(op) Py_DECREF(_PyObject_CAST(op))

#else
PyAPI_FUNC(void) _Py_Dealloc(PyObject*);
#ifdef Py_GIL_DISABLED
// The slow halves of Py_DECREF: a reference dropped by a thread that does not own the object, and the owner's
// last one.
PyAPI_FUNC(void) _Py_DecRefShared(PyObject*);
PyAPI_FUNC(void) _Py_DecRefSharedDebug(PyObject*, const char*, int);
PyAPI_FUNC(void) _Py_MergeZeroLocalRefcount(PyObject*);
#ifdef AMPHIS_GIL  // the runtime itself, and nothing that is built against it
// The runtime's own slow half of Py_INCREF. What extensions have inline, an atomic addition, comes to the same count, but
// objects that many threads count for are cheaper to count here.
__attribute__((visibility("hidden"))) void amphis_incref_foreign(PyObject*);

// Counting by the owner; an immortal object has none. Only the owner writes the local half, others may read it, so what an
// atomic load and an atomic store say is right, but compilers make three instructions of them where the processor has one.
// Counts that look negative have left their range: such an object lives for ever.
// True when the sum is negative.
static inline Py_ALWAYS_INLINE int amphis_add_own(PyObject* op) {
#ifdef __x86_64__
  int negative;
  __asm__("addl $1, %0" : "+m"(op->ob_ref_local), "=@ccs"(negative));
  return negative;
#else
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED) + 1;
  __atomic_store_n(&op->ob_ref_local, local, __ATOMIC_RELAXED);
  return (int32_t)local < 0;
#endif
}
// True when the difference is 0 or negative.
static inline Py_ALWAYS_INLINE int amphis_subtract_own(PyObject* op) {
#ifdef __x86_64__
  int ended;
  __asm__("subl $1, %0" : "+m"(op->ob_ref_local), "=@ccle"(ended));
  return ended;
#else
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED) - 1;
  __atomic_store_n(&op->ob_ref_local, local, __ATOMIC_RELAXED);
  return (int32_t)local <= 0;
#endif
}
#endif
#endif

static inline Py_ALWAYS_INLINE int _Py_IsImmortal(PyObject* op) {
#ifdef Py_GIL_DISABLED
  return __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED) == _Py_IMMORTAL_REFCNT_LOCAL;
#else
  return (int32_t)op->ob_refcnt < 0;
#endif
}
#define _Py_IsImmortal(op) _Py_IsImmortal(_PyObject_CAST(op))

static inline Py_ALWAYS_INLINE int _Py_IsStaticImmortal(PyObject* op) {
  return (op->ob_flags & _Py_STATICALLY_ALLOCATED_FLAG) != 0;
}
#define _Py_IsStaticImmortal(op) _Py_IsStaticImmortal(_PyObject_CAST(op))

static inline Py_ssize_t _Py_REFCNT(PyObject* op) {
#ifdef Py_GIL_DISABLED
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return (Py_ssize_t)_Py_IMMORTAL_INITIAL_REFCNT;
  return (Py_ssize_t)local + (__atomic_load_n(&op->ob_ref_shared, __ATOMIC_RELAXED) >> _Py_REF_SHARED_SHIFT);
#else
  return op->ob_refcnt;
#endif
}
#define Py_REFCNT(op) _Py_REFCNT(_PyObject_CAST(op))

static inline void Py_SET_REFCNT(PyObject* op, Py_ssize_t refcnt) {
  if (_Py_IsImmortal(op)) return;
#ifdef Py_GIL_DISABLED
  if (!_Py_IsOwnedByCurrentThread(op)) {
    op->ob_tid = _Py_UNOWNED_TID;
    op->ob_ref_local = 0;
    op->ob_ref_shared = _Py_REF_SHARED(refcnt, _Py_REF_MERGED);
  } else if ((size_t)refcnt >= (size_t)UINT32_MAX) {  // past the local count's range: give up counting
    op->ob_tid = _Py_UNOWNED_TID;
    op->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    op->ob_ref_shared = 0;
  } else {
    op->ob_ref_local = (uint32_t)refcnt;
    op->ob_ref_shared &= _Py_REF_SHARED_FLAG_MASK;
  }
#else
  op->ob_refcnt = (uint32_t)refcnt;
#endif
}
#define Py_SET_REFCNT(op, refcnt) Py_SET_REFCNT(_PyObject_CAST(op), (refcnt))

static inline Py_ALWAYS_INLINE void Py_INCREF(PyObject* op) {
#if defined(Py_GIL_DISABLED) && defined(AMPHIS_GIL)
  if ((int32_t)__atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED) < 0) return;
  if (__builtin_expect(_Py_IsOwnedByCurrentThread(op), 1))
    amphis_add_own(op);
  else
    amphis_incref_foreign(op);
#elif defined(Py_GIL_DISABLED)
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return;
  if (_Py_IsOwnedByCurrentThread(op)) {
    __atomic_store_n(&op->ob_ref_local, local + 1, __ATOMIC_RELAXED);
  } else {
    __atomic_fetch_add(&op->ob_ref_shared, (Py_ssize_t)1 << _Py_REF_SHARED_SHIFT, __ATOMIC_SEQ_CST);
  }
#else
  uint32_t count = op->ob_refcnt;
  if (count >= _Py_IMMORTAL_INITIAL_REFCNT) return;
  op->ob_refcnt = count + 1;
#endif
}
#define Py_INCREF(op) Py_INCREF(_PyObject_CAST(op))

static inline Py_ALWAYS_INLINE void Py_DECREF(PyObject* op) {
#if defined(Py_GIL_DISABLED) && defined(AMPHIS_GIL)
  if ((int32_t)__atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED) < 0) return;
  if (__builtin_expect(_Py_IsOwnedByCurrentThread(op), 1)) {
    if (__builtin_expect(amphis_subtract_own(op), 0)) _Py_MergeZeroLocalRefcount(op);
  } else {
    _Py_DecRefShared(op);
  }
#elif defined(Py_GIL_DISABLED)
  uint32_t local = __atomic_load_n(&op->ob_ref_local, __ATOMIC_RELAXED);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return;
  if (_Py_IsOwnedByCurrentThread(op)) {
    __atomic_store_n(&op->ob_ref_local, --local, __ATOMIC_RELAXED);
    if (local == 0) _Py_MergeZeroLocalRefcount(op);
  } else {
    _Py_DecRefShared(op);
  }
#else
  if (_Py_IsImmortal(op)) return;
  if (--op->ob_refcnt == 0) _Py_Dealloc(op);
#endif
}
#define Py_DECREF(op) Py_DECREF(_PyObject_CAST(op))
#endif

static inline Py_ALWAYS_INLINE void Py_XINCREF(PyObject* op) {
  if (op) Py_INCREF(op);
}
#define Py_XINCREF(op) Py_XINCREF(_PyObject_CAST(op))
static inline Py_ALWAYS_INLINE void Py_XDECREF(PyObject* op) {
  if (op) Py_DECREF(op);
}
#define Py_XDECREF(op) Py_XDECREF(_PyObject_CAST(op))

// A new reference to the argument, to be used as an expression.
#if _Py_SINCE(3, 10)
PyAPI_FUNC(PyObject*) Py_NewRef(PyObject* obj);
PyAPI_FUNC(PyObject*) Py_XNewRef(PyObject* obj);
#endif
static inline Py_ALWAYS_INLINE PyObject* _Py_NewRef(PyObject* op) {
  Py_INCREF(op);
  return op;
}
static inline Py_ALWAYS_INLINE PyObject* _Py_XNewRef(PyObject* op) {
  Py_XINCREF(op);
  return op;
}
#define Py_NewRef(op) _Py_NewRef(_PyObject_CAST(op))
#define Py_XNewRef(op) _Py_XNewRef(_PyObject_CAST(op))

// Each stores first and drops the old reference after, because dropping can run code that looks at the
// variable.
#define Py_CLEAR(variable)                         \
  do {                                             \
    _Py_TYPEOF(variable)* _py_place = &(variable); \
    _Py_TYPEOF(variable) _py_old = *_py_place;     \
    if (_py_old != _Py_NULL) {                     \
      *_py_place = _Py_NULL;                       \
      Py_DECREF(_py_old);                          \
    }                                              \
  } while (0)
#define Py_SETREF(variable, value)                 \
  do {                                             \
    _Py_TYPEOF(variable)* _py_place = &(variable); \
    _Py_TYPEOF(variable) _py_old = *_py_place;     \
    *_py_place = (value);                          \
    Py_DECREF(_py_old);                            \
  } while (0)
#define Py_XSETREF(variable, value)                \
  do {                                             \
    _Py_TYPEOF(variable)* _py_place = &(variable); \
    _Py_TYPEOF(variable) _py_old = *_py_place;     \
    *_py_place = (value);                          \
    Py_XDECREF(_py_old);                           \
  } while (0)

#ifndef Py_LIMITED_API
// A count of 1 for fresh memory, one for an object that its finalizer revived, and leaving the world for
// good.
PyAPI_FUNC(void) _Py_NewReference(PyObject* op);
PyAPI_FUNC(void) _Py_NewReferenceNoTotal(PyObject* op);
PyAPI_FUNC(void) _Py_ResurrectReference(PyObject* op);
PyAPI_FUNC(void) _Py_ForgetReference(PyObject* op);

// Advice from an extension on how an object's count behaves; 1 for yes, 0 for no.
PyAPI_FUNC(int) PyUnstable_Object_EnableDeferredRefcount(PyObject*);
PyAPI_FUNC(int) PyUnstable_Object_IsUniqueReferencedTemporary(PyObject*);
PyAPI_FUNC(int) PyUnstable_Object_IsUniquelyReferenced(PyObject*);
PyAPI_FUNC(int) PyUnstable_IsImmortal(PyObject*);
PyAPI_FUNC(int) PyUnstable_TryIncRef(PyObject*);
PyAPI_FUNC(void) PyUnstable_EnableTryIncRef(PyObject*);

typedef enum { PyRefTracer_CREATE = 0, PyRefTracer_DESTROY = 1 } PyRefTracerEvent;
typedef int (*PyRefTracer)(PyObject* op, PyRefTracerEvent event, void* data);
PyAPI_FUNC(int) PyRefTracer_SetTracer(PyRefTracer tracer, void* data);
PyAPI_FUNC(PyRefTracer) PyRefTracer_GetTracer(void**);
#endif

Py_END_C_DECLS

#endif
