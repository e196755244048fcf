// Owns raw memory: three domains of blocks and the table of functions behind each. All of them return null
// when memory runs out, without an exception; a request for 0 bytes returns a distinct block.
#ifndef AMPHIS_ABI_MEMORY_H
#define AMPHIS_ABI_MEMORY_H

#include "base.h"

Py_BEGIN_C_DECLS

#if _Py_SINCE(3, 13)
// Any thread may use the raw domain, attached or not. The other two need an attached thread. A block goes
// back to the domain it came from.
PyAPI_FUNC(void*) PyMem_RawMalloc(size_t size);
PyAPI_FUNC(void*) PyMem_RawCalloc(size_t nelem, size_t elsize);
PyAPI_FUNC(void*) PyMem_RawRealloc(void* ptr, size_t new_size);
PyAPI_FUNC(void) PyMem_RawFree(void* ptr);
#endif
PyAPI_FUNC(void*) PyMem_Malloc(size_t size);
PyAPI_FUNC(void*) PyMem_Calloc(size_t nelem, size_t elsize);
PyAPI_FUNC(void*) PyMem_Realloc(void* ptr, size_t new_size);
PyAPI_FUNC(void) PyMem_Free(void* ptr);
PyAPI_FUNC(void*) PyObject_Malloc(size_t size);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(void*) PyObject_Calloc(size_t nelem, size_t elsize);
#endif
PyAPI_FUNC(void*) PyObject_Realloc(void* ptr, size_t new_size);
PyAPI_FUNC(void) PyObject_Free(void* ptr);

#define PyMem_New(type, n) \
  ((size_t)(n) > PY_SSIZE_T_MAX / sizeof(type) ? _Py_NULL : (type*)PyMem_Malloc((size_t)(n) * sizeof(type)))
#define PyMem_Resize(p, type, n)                     \
  ((p) = (size_t)(n) > PY_SSIZE_T_MAX / sizeof(type) \
             ? _Py_NULL                              \
             : (type*)PyMem_Realloc((p), (size_t)(n) * sizeof(type)))
#define PyMem_MALLOC(n) PyMem_Malloc((n))
#define PyMem_REALLOC(p, n) PyMem_Realloc((p), (n))
#define PyMem_FREE(p) PyMem_Free((p))
#define PyMem_NEW(type, n) PyMem_New(type, (n))
#define PyMem_RESIZE(p, type, n) PyMem_Resize((p), type, (n))
#define PyMem_Del(p) PyMem_Free((p))
#define PyMem_DEL(p) PyMem_Free((p))
#define PyObject_MALLOC PyObject_Malloc
#define PyObject_REALLOC PyObject_Realloc
#define PyObject_FREE PyObject_Free
#define PyObject_Del PyObject_Free
#define PyObject_DEL PyObject_Free

#ifndef Py_LIMITED_API
// Replacing a domain's functions is for embedders, before initialization.
typedef enum { PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ } PyMemAllocatorDomain;
typedef enum {
  PYMEM_ALLOCATOR_NOT_SET = 0,
  PYMEM_ALLOCATOR_DEFAULT = 1,
  PYMEM_ALLOCATOR_DEBUG = 2,
  PYMEM_ALLOCATOR_MALLOC = 3,
  PYMEM_ALLOCATOR_MALLOC_DEBUG = 4,
  PYMEM_ALLOCATOR_PYMALLOC = 5,
  PYMEM_ALLOCATOR_PYMALLOC_DEBUG = 6,
  PYMEM_ALLOCATOR_MIMALLOC = 7,
  PYMEM_ALLOCATOR_MIMALLOC_DEBUG = 8,
} PyMemAllocatorName;
typedef struct {
  void* ctx;
  void* (*malloc)(void* ctx, size_t size);
  void* (*calloc)(void* ctx, size_t nelem, size_t elsize);
  void* (*realloc)(void* ctx, void* ptr, size_t new_size);
  void (*free)(void* ctx, void* ptr);
} PyMemAllocatorEx;
typedef struct {
  void* ctx;
  void* (*alloc)(void* ctx, size_t size);
  void (*free)(void* ctx, void* ptr, size_t size);
} PyObjectArenaAllocator;
PyAPI_FUNC(void) PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator);
PyAPI_FUNC(void) PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator);
PyAPI_FUNC(void) PyMem_SetupDebugHooks(void);
PyAPI_FUNC(void) PyObject_GetArenaAllocator(PyObjectArenaAllocator* allocator);
PyAPI_FUNC(void) PyObject_SetArenaAllocator(PyObjectArenaAllocator* allocator);

// Blocks that tracemalloc should know of although no domain above allocated them; -2 when it is off.
PyAPI_FUNC(int) PyTraceMalloc_Track(unsigned int domain, uintptr_t ptr, size_t size);
PyAPI_FUNC(int) PyTraceMalloc_Untrack(unsigned int domain, uintptr_t ptr);
#endif

Py_END_C_DECLS

#endif
