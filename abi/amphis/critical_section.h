// Owns PEP 703's critical sections for extensions: a lock on one or two objects that is suspended while the
// thread is detached. In the GIL ABI the macros only open a block; binaries for both variants (Py_TARGET_ABI3T) call
// functions, which do nothing in the variant with the GIL.
#ifndef AMPHIS_ABI_CRITICAL_SECTION_H
#define AMPHIS_ABI_CRITICAL_SECTION_H

#include "refcount.h"

#if !defined(Py_LIMITED_API) || defined(_Py_OPAQUE_PYOBJECT)
Py_BEGIN_C_DECLS

    typedef struct PyCriticalSection PyCriticalSection;
typedef struct PyCriticalSection2 PyCriticalSection2;
// Sections end in the reverse order of their beginning, on the thread that began them.
PyAPI_FUNC(void) PyCriticalSection_Begin(PyCriticalSection* c, PyObject* op);
PyAPI_FUNC(void) PyCriticalSection_BeginMutex(PyCriticalSection* c, PyMutex* m);
PyAPI_FUNC(void) PyCriticalSection_End(PyCriticalSection* c);
PyAPI_FUNC(void) PyCriticalSection2_Begin(PyCriticalSection2* c, PyObject* a, PyObject* b);
PyAPI_FUNC(void) PyCriticalSection2_BeginMutex(PyCriticalSection2* c, PyMutex* m1, PyMutex* m2);
PyAPI_FUNC(void) PyCriticalSection2_End(PyCriticalSection2* c);

#ifdef Py_GIL_DISABLED
struct PyCriticalSection {
  uintptr_t _cs_prev;  // the enclosing section, with flags in the low bits
  PyMutex* _cs_mutex;
};
struct PyCriticalSection2 {
  PyCriticalSection _cs_base;
  PyMutex* _cs_mutex2;
};
#define Py_BEGIN_CRITICAL_SECTION(op) \
  {                                   \
    PyCriticalSection _py_cs;         \
    PyCriticalSection_Begin(&_py_cs, _PyObject_CAST(op))
#define Py_BEGIN_CRITICAL_SECTION_MUTEX(mutex) \
  {                                            \
    PyCriticalSection _py_cs;                  \
    PyCriticalSection_BeginMutex(&_py_cs, mutex)
#define Py_END_CRITICAL_SECTION() \
  PyCriticalSection_End(&_py_cs); \
  }
#define Py_BEGIN_CRITICAL_SECTION2(a, b) \
  {                                      \
    PyCriticalSection2 _py_cs2;          \
    PyCriticalSection2_Begin(&_py_cs2, _PyObject_CAST(a), _PyObject_CAST(b))
#define Py_BEGIN_CRITICAL_SECTION2_MUTEX(m1, m2) \
  {                                              \
    PyCriticalSection2 _py_cs2;                  \
    PyCriticalSection2_BeginMutex(&_py_cs2, m1, m2)
#define Py_END_CRITICAL_SECTION2()  \
  PyCriticalSection2_End(&_py_cs2); \
  }
#else
#define Py_BEGIN_CRITICAL_SECTION(op) {
#define Py_BEGIN_CRITICAL_SECTION_MUTEX(mutex) {
#define Py_END_CRITICAL_SECTION() }
#define Py_BEGIN_CRITICAL_SECTION2(a, b) {
#define Py_BEGIN_CRITICAL_SECTION2_MUTEX(m1, m2) {
#define Py_END_CRITICAL_SECTION2() }
#endif

Py_END_C_DECLS
#endif

#endif
