// Owns hashing of raw data. -1 never comes out: it means an error to callers.
#ifndef AMPHIS_ABI_HASH_H
#define AMPHIS_ABI_HASH_H

#include "gc.h"

Py_BEGIN_C_DECLS
#ifndef Py_LIMITED_API
#define PyHASH_BITS 61
#define PyHASH_MODULUS (((size_t)1 << PyHASH_BITS) - 1)
#define PyHASH_INF 314159
#define PyHASH_MULTIPLIER 1000003UL
#define PyHASH_IMAG PyHASH_MULTIPLIER
#define _PyHASH_BITS PyHASH_BITS
#define _PyHASH_MODULUS PyHASH_MODULUS
#define _PyHASH_INF PyHASH_INF
#define _PyHASH_MULTIPLIER PyHASH_MULTIPLIER
#define _PyHASH_IMAG PyHASH_IMAG
#endif
#define Py_HASH_EXTERNAL 0
#define Py_HASH_SIPHASH24 1
#define Py_HASH_FNV 2
#define Py_HASH_SIPHASH13 3
#define Py_HASH_ALGORITHM Py_HASH_SIPHASH13
#define Py_HASH_CUTOFF 0
#ifndef Py_LIMITED_API
typedef struct {
  Py_hash_t (*const hash)(const void*, Py_ssize_t);
  const char* name;
  const int hash_bits;
  const int seed_bits;
} PyHash_FuncDef;
PyAPI_FUNC(PyHash_FuncDef*) PyHash_GetFuncDef(void);
PyAPI_FUNC(Py_hash_t) Py_HashPointer(const void* ptr);
PyAPI_FUNC(Py_hash_t) Py_HashBuffer(const void* ptr, Py_ssize_t len);
PyAPI_FUNC(Py_hash_t) _Py_HashDouble(PyObject*, double);
static inline Py_hash_t _Py_HashPointer(const void* ptr) {
  return Py_HashPointer(ptr);
}
#endif

Py_END_C_DECLS

#endif
