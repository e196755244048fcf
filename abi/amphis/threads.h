// Owns threads, locks and thread-local storage of the platform, usable without an interpreter.
#ifndef AMPHIS_ABI_THREADS_H
#define AMPHIS_ABI_THREADS_H

#include "thread_state.h"

Py_BEGIN_C_DECLS

#include <pthread.h>
typedef void* PyThread_type_lock;
typedef enum PyLockStatus { PY_LOCK_FAILURE = 0, PY_LOCK_ACQUIRED = 1, PY_LOCK_INTR } PyLockStatus;
#ifndef Py_LIMITED_API
#define PYTHREAD_INVALID_THREAD_ID ((unsigned long)-1)
#endif
#define PY_HAVE_THREAD_NATIVE_ID
#define PY_TIMEOUT_T long long
#define Py_CAN_START_THREADS 1
#define WAIT_LOCK 1
#define NOWAIT_LOCK 0
#ifndef Py_LIMITED_API
PyAPI_DATA(const long long) PY_TIMEOUT_MAX;
#endif
PyAPI_FUNC(void) PyThread_init_thread(void);
PyAPI_FUNC(unsigned long) PyThread_start_new_thread(void (*)(void*), void*);
Py_DEPRECATED() _Py_NO_RETURN PyAPI_FUNC(void) PyThread_exit_thread(void);
PyAPI_FUNC(unsigned long) PyThread_get_thread_ident(void);
PyAPI_FUNC(unsigned long) PyThread_get_thread_native_id(void);
PyAPI_FUNC(size_t) PyThread_get_stacksize(void);
PyAPI_FUNC(int) PyThread_set_stacksize(size_t);
// Locks may be released by another thread. New ones are null when memory runs out.
PyAPI_FUNC(PyThread_type_lock) PyThread_allocate_lock(void);
PyAPI_FUNC(void) PyThread_free_lock(PyThread_type_lock);
PyAPI_FUNC(int) PyThread_acquire_lock(PyThread_type_lock, int);
PyAPI_FUNC(PyLockStatus)
    PyThread_acquire_lock_timed(PyThread_type_lock, long long microseconds, int intr_flag);
PyAPI_FUNC(void) PyThread_release_lock(PyThread_type_lock);
#if _Py_SINCE(3, 3)
// New reference.
PyAPI_FUNC(PyObject*) PyThread_GetInfo(void);
#endif
#ifndef Py_LIMITED_API
struct _Py_tss_t {
  int _is_initialized;
  pthread_key_t _key;
};
#endif
#if _Py_SINCE(3, 7)
typedef struct _Py_tss_t Py_tss_t;
#endif
#ifndef Py_LIMITED_API
#define Py_tss_NEEDS_INIT {0}
#endif
#if _Py_SINCE(3, 7)
PyAPI_FUNC(Py_tss_t*) PyThread_tss_alloc(void);
PyAPI_FUNC(void) PyThread_tss_free(Py_tss_t* key);
PyAPI_FUNC(int) PyThread_tss_is_created(Py_tss_t* key);
PyAPI_FUNC(int) PyThread_tss_create(Py_tss_t* key);
PyAPI_FUNC(void) PyThread_tss_delete(Py_tss_t* key);
PyAPI_FUNC(int) PyThread_tss_set(Py_tss_t* key, void* value);
PyAPI_FUNC(void*) PyThread_tss_get(Py_tss_t* key);
#endif
Py_DEPRECATED() PyAPI_FUNC(int) PyThread_create_key(void);
Py_DEPRECATED() PyAPI_FUNC(void) PyThread_delete_key(int key);
Py_DEPRECATED() PyAPI_FUNC(int) PyThread_set_key_value(int key, void* value);
Py_DEPRECATED() PyAPI_FUNC(void*) PyThread_get_key_value(int key);
Py_DEPRECATED() PyAPI_FUNC(void) PyThread_delete_key_value(int key);
Py_DEPRECATED() PyAPI_FUNC(void) PyThread_ReInitTLS(void);
#if _Py_SINCE(3, 7)
PyAPI_FUNC(void) PyOS_BeforeFork(void);
PyAPI_FUNC(void) PyOS_AfterFork_Parent(void);
PyAPI_FUNC(void) PyOS_AfterFork_Child(void);
#endif
Py_DEPRECATED() PyAPI_FUNC(void) PyOS_AfterFork(void);

#ifndef Py_LIMITED_API
typedef int64_t PyTime_t;  // nanoseconds
#define PyTime_MIN INT64_MIN
#define PyTime_MAX INT64_MAX
// 0, or -1 with an exception; the Raw ones need no attached thread and set no exception.
PyAPI_FUNC(double) PyTime_AsSecondsDouble(PyTime_t t);
PyAPI_FUNC(int) PyTime_Monotonic(PyTime_t* result);
PyAPI_FUNC(int) PyTime_PerfCounter(PyTime_t* result);
PyAPI_FUNC(int) PyTime_Time(PyTime_t* result);
PyAPI_FUNC(int) PyTime_MonotonicRaw(PyTime_t* result);
PyAPI_FUNC(int) PyTime_PerfCounterRaw(PyTime_t* result);
PyAPI_FUNC(int) PyTime_TimeRaw(PyTime_t* result);
#endif

Py_END_C_DECLS

#endif
