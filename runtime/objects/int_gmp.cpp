// Owns how GMP gets memory: from PyMem_Raw*, and when there is none by a std::bad_alloc through GMP's frames, because its
// own answer is to end the process. Every function that hands GMP numbers without a small bound catches it and raises
// MemoryError (scratch blocks of the interrupted computation are lost).
#include <gmp.h>

#include <new>

#include "Python.h"

namespace amphis {
namespace {

void* check(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void* gmp_alloc(size_t size) { return check(PyMem_RawMalloc(size)); }
void* gmp_realloc(void* p, size_t, size_t size) { return check(PyMem_RawRealloc(p, size)); }
void gmp_free(void* p, size_t) { PyMem_RawFree(p); }

// Before the first number is made, which may be in another static initializer's reach only in C++ tests.
const bool g_installed = [] {
  mp_set_memory_functions(gmp_alloc, gmp_realloc, gmp_free);
  return true;
}();

}  // namespace
}  // namespace amphis
