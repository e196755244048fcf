// Hashing of bytes: SipHash-1-3 (Aumasson and Bernstein) under a per-process key.
#pragma once

#include <stdint.h>

#include "Python.h"

namespace amphis {

// The process's key. The first 16 bytes key the hash; the rest is what the XML parser's salt is taken from.
union HashSecret {
  unsigned char bytes[24];
  struct {
    uint64_t k0, k1;
  } sip;
  struct {
    unsigned char padding[16];
    Py_hash_t salt;
  } expat;
};

// Sets the key, once, before the first str is hashed: from a seed (0: the all-zero key, no randomisation), or
// from the system's entropy. Returns 0, or -1 (no exception) where the system gives none.
int init_hash_secret(unsigned long seed);
int init_hash_secret_random();

// SipHash-1-3 with a key of the caller's choice (pyc files and source hashes use 0-keyed variants).
uint64_t siphash13(uint64_t k0, uint64_t k1, const void* data, Py_ssize_t n);

// _Py_HashBuffer semantics: never -1, 0 for nothing.
Py_hash_t hash_bytes(const void* data, Py_ssize_t n);

}  // namespace amphis

extern "C" {
PyAPI_DATA(amphis::HashSecret) _Py_HashSecret;
}
