// Owns the object header of both ABIs, and what can be asked of it: type, size, identity.
//
// GIL ABI: 32 bits of reference count, of which the sign bit marks immortal objects, then 16 bits of flags.
// Free-threaded ABI: the creating thread (ob_tid) counts its own references in ob_ref_local without atomics,
// all others count in ob_ref_shared, whose two low bits tell how far the counts have been merged (PEP 703).
#ifndef AMPHIS_ABI_OBJECT_H
#define AMPHIS_ABI_OBJECT_H

#include "lock.h"
#include "memory.h"

Py_BEGIN_C_DECLS
#ifdef _Py_OPAQUE_PYOBJECT
typedef struct PyVarObject PyVarObject;
#else
#define _Py_IMMORTAL_FLAGS 1
#define _Py_STATICALLY_ALLOCATED_FLAG 4
#define _Py_IMMORTAL_INITIAL_REFCNT (3ULL << 30)
#define _Py_IMMORTAL_MINIMUM_REFCNT (1ULL << 31)
#define _Py_STATIC_FLAG_BITS ((Py_ssize_t)(_Py_STATICALLY_ALLOCATED_FLAG | _Py_IMMORTAL_FLAGS))
#define _Py_STATIC_IMMORTAL_INITIAL_REFCNT \
  (((Py_ssize_t)_Py_IMMORTAL_INITIAL_REFCNT) | (_Py_STATIC_FLAG_BITS << 48))
#define _PyObject_MIN_ALIGNMENT 4
#define _PyObject_EXTRA_INIT

#ifdef Py_GIL_DISABLED
#define _Py_UNOWNED_TID 0
#define _Py_IMMORTAL_REFCNT_LOCAL UINT32_MAX
#define _Py_REF_SHARED_SHIFT 2
#define _Py_REF_SHARED_FLAG_MASK 0x3
#define _Py_REF_SHARED_INIT 0x0
#define _Py_REF_MAYBE_WEAKREF 0x1
#define _Py_REF_QUEUED 0x2
#define _Py_REF_MERGED 0x3
#define _Py_REF_SHARED(refcnt, flags) (((refcnt) << _Py_REF_SHARED_SHIFT) + (flags))
    struct _object {
  _Py_ALIGNED_DEF(8, uintptr_t) ob_tid;  // the owning thread, or _Py_UNOWNED_TID
  uint16_t ob_flags;
  PyMutex ob_mutex;       // what critical sections lock
  uint8_t ob_gc_bits;     // the collector's
  uint32_t ob_ref_local;  // _Py_IMMORTAL_REFCNT_LOCAL: immortal
  Py_ssize_t ob_ref_shared;
  PyTypeObject* ob_type;
};
#define PyObject_HEAD_INIT(type) \
  {0, _Py_STATICALLY_ALLOCATED_FLAG, {0}, 0, _Py_IMMORTAL_REFCNT_LOCAL, 0, (type)},
#else
    struct _object {
  __extension__ union {
    int64_t ob_refcnt_full;
    __extension__ struct {
      uint32_t ob_refcnt;
      uint16_t ob_overflow;
      uint16_t ob_flags;
    };
    _Py_ALIGNED_DEF(_PyObject_MIN_ALIGNMENT, char) _aligner;
  };
  PyTypeObject* ob_type;
};
#define PyObject_HEAD_INIT(type) {{_Py_STATIC_IMMORTAL_INITIAL_REFCNT}, (type)},
#endif

typedef struct {
  PyObject ob_base;
  Py_ssize_t ob_size;
} PyVarObject;
#define PyObject_HEAD PyObject ob_base;
#define PyObject_VAR_HEAD PyVarObject ob_base;
#define PyVarObject_HEAD_INIT(type, size) {PyObject_HEAD_INIT(type)(size)},
#endif

#define _PyObject_CAST(op) _Py_CAST(PyObject*, (op))
#define _PyVarObject_CAST(op) _Py_CAST(PyVarObject*, (op))

PyAPI_DATA(PyTypeObject) PyLong_Type;
PyAPI_DATA(PyTypeObject) PyBool_Type;

// ---- identity, type and size ----
#if _Py_SINCE(3, 10)
PyAPI_FUNC(int) Py_Is(PyObject* x, PyObject* y);
#endif
#define Py_Is(x, y) ((x) == (y))
// The type is borrowed.
// From 3.14 on the limited API asks by a call.
#if _Py_SINCE(3, 14) || defined(_Py_OPAQUE_PYOBJECT)
PyAPI_FUNC(PyTypeObject*) Py_TYPE(PyObject* ob);
#endif
#if defined(Py_LIMITED_API) && (_Py_SINCE(3, 14) || defined(_Py_OPAQUE_PYOBJECT))
#define Py_TYPE(ob) Py_TYPE(_PyObject_CAST(ob))
#else
static inline PyTypeObject* _Py_TYPE(PyObject* ob) {
  return _Py_LOAD_SHARED(ob->ob_type);
}
#define Py_TYPE(ob) _Py_TYPE(_PyObject_CAST(ob))
#endif

static inline int Py_IS_TYPE(PyObject* ob, PyTypeObject* type) {
  return Py_TYPE(ob) == type;
}
#define Py_IS_TYPE(ob, type) Py_IS_TYPE(_PyObject_CAST(ob), (type))

#ifndef _Py_OPAQUE_PYOBJECT
static inline void Py_SET_TYPE(PyObject* ob, PyTypeObject* type) {
#ifdef Py_GIL_DISABLED
  __atomic_store_n(&ob->ob_type, type, __ATOMIC_RELEASE);
#else
  ob->ob_type = type;
#endif
}
#define Py_SET_TYPE(ob, type) Py_SET_TYPE(_PyObject_CAST(ob), (type))

// Only for types with an item count: int and bool have none although they vary in size.
static inline Py_ssize_t Py_SIZE(PyObject* ob) {
  assert(Py_TYPE(ob) != &PyLong_Type && Py_TYPE(ob) != &PyBool_Type);
  return _PyVarObject_CAST(ob)->ob_size;
}
#define Py_SIZE(ob) Py_SIZE(_PyObject_CAST(ob))

static inline void Py_SET_SIZE(PyVarObject* ob, Py_ssize_t size) {
#ifdef Py_GIL_DISABLED
  __atomic_store_n(&ob->ob_size, size, __ATOMIC_RELAXED);
#else
  ob->ob_size = size;
#endif
}
#define Py_SET_SIZE(ob, size) Py_SET_SIZE(_PyVarObject_CAST(ob), (size))
#endif

#if defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
// The thread's identity as stored in ob_tid: the address of its thread-local block.
static inline uintptr_t _Py_ThreadId(void) {
  return (uintptr_t)__builtin_thread_pointer();
}
static inline Py_ALWAYS_INLINE int _Py_IsOwnedByCurrentThread(PyObject* ob) {
  // The compiler is told what is usual, so that counting for one's own objects runs straight on.
  return __builtin_expect(__atomic_load_n(&ob->ob_tid, __ATOMIC_RELAXED) == _Py_ThreadId(), 1);
}
PyAPI_FUNC(uintptr_t) _Py_GetThreadLocal_Addr(void);
#endif

// ---- singletons ----
#if defined(Py_LIMITED_API) && _Py_SINCE(3, 13)
#define Py_None Py_GetConstantBorrowed(Py_CONSTANT_NONE)
#define Py_NotImplemented Py_GetConstantBorrowed(Py_CONSTANT_NOT_IMPLEMENTED)
#define Py_Ellipsis Py_GetConstantBorrowed(Py_CONSTANT_ELLIPSIS)
#define Py_False Py_GetConstantBorrowed(Py_CONSTANT_FALSE)
#define Py_True Py_GetConstantBorrowed(Py_CONSTANT_TRUE)
#else
PyAPI_DATA(PyObject) _Py_NoneStruct;
PyAPI_DATA(PyObject) _Py_NotImplementedStruct;
PyAPI_DATA(PyObject) _Py_EllipsisObject;
PyAPI_DATA(PyLongObject) _Py_FalseStruct;
PyAPI_DATA(PyLongObject) _Py_TrueStruct;
#define Py_None (&_Py_NoneStruct)
#define Py_NotImplemented (&_Py_NotImplementedStruct)
#define Py_Ellipsis (&_Py_EllipsisObject)
#define Py_False _PyObject_CAST(&_Py_FalseStruct)
#define Py_True _PyObject_CAST(&_Py_TrueStruct)
#endif
#if _Py_SINCE(3, 10)
PyAPI_FUNC(int) Py_IsNone(PyObject* x);
PyAPI_FUNC(int) Py_IsTrue(PyObject* x);
PyAPI_FUNC(int) Py_IsFalse(PyObject* x);
#endif
#define Py_IsNone(x) Py_Is((x), Py_None)
#define Py_IsTrue(x) Py_Is((x), Py_True)
#define Py_IsFalse(x) Py_Is((x), Py_False)

#if _Py_SINCE(3, 12)
// All of these are immortal, so returning them needs no count.
#define Py_RETURN_NONE return Py_None
#define Py_RETURN_NOTIMPLEMENTED return Py_NotImplemented
#define Py_RETURN_TRUE return Py_True
#define Py_RETURN_FALSE return Py_False
#else
#define Py_RETURN_NONE return _Py_NewRef(Py_None)
#define Py_RETURN_NOTIMPLEMENTED return _Py_NewRef(Py_NotImplemented)
#define Py_RETURN_TRUE return _Py_NewRef(Py_True)
#define Py_RETURN_FALSE return _Py_NewRef(Py_False)
#endif

#if _Py_SINCE(3, 13)
#define Py_CONSTANT_NONE 0
#define Py_CONSTANT_FALSE 1
#define Py_CONSTANT_TRUE 2
#define Py_CONSTANT_ELLIPSIS 3
#define Py_CONSTANT_NOT_IMPLEMENTED 4
#define Py_CONSTANT_ZERO 5
#define Py_CONSTANT_ONE 6
#define Py_CONSTANT_EMPTY_STR 7
#define Py_CONSTANT_EMPTY_BYTES 8
#define Py_CONSTANT_EMPTY_TUPLE 9
// New and borrowed reference to one of the constants above; null with SystemError for another number.
PyAPI_FUNC(PyObject*) Py_GetConstant(unsigned int constant_id);
PyAPI_FUNC(PyObject*) Py_GetConstantBorrowed(unsigned int constant_id);
#endif

// ---- comparison codes, as tp_richcompare gets them ----
#define Py_LT 0
#define Py_LE 1
#define Py_EQ 2
#define Py_NE 3
#define Py_GT 4
#define Py_GE 5
#define Py_RETURN_RICHCOMPARE(a, b, op) \
  do {                                  \
    int _py_verdict;                    \
    switch (op) {                       \
      case Py_LT:                       \
        _py_verdict = (a) < (b);        \
        break;                          \
      case Py_LE:                       \
        _py_verdict = (a) <= (b);       \
        break;                          \
      case Py_EQ:                       \
        _py_verdict = (a) == (b);       \
        break;                          \
      case Py_NE:                       \
        _py_verdict = (a) != (b);       \
        break;                          \
      case Py_GT:                       \
        _py_verdict = (a) > (b);        \
        break;                          \
      case Py_GE:                       \
        _py_verdict = (a) >= (b);       \
        break;                          \
      default:                          \
        Py_UNREACHABLE();               \
    }                                   \
    if (_py_verdict) Py_RETURN_TRUE;    \
    Py_RETURN_FALSE;                    \
  } while (0)

Py_END_C_DECLS

#endif
