// The process's hash key and the hash of bytes, text, pointers and plain objects.
//
// The key is written once during start-up and only read afterwards.
#include "objects/hash.h"

#include <string.h>
#include <sys/random.h>

extern "C" {
amphis::HashSecret _Py_HashSecret = {{0}};
}

namespace amphis {
namespace {

inline uint64_t rotl(uint64_t x, int n) {
  return (x << n) | (x >> (64 - n));
}

struct SipState {
  uint64_t v0, v1, v2, v3;

  SipState(uint64_t k0, uint64_t k1)
      : v0(k0 ^ 0x736f6d6570736575ULL),
        v1(k1 ^ 0x646f72616e646f6dULL),
        v2(k0 ^ 0x6c7967656e657261ULL),
        v3(k1 ^ 0x7465646279746573ULL) {}
  inline void round() {
    v0 += v1;
    v2 += v3;
    v1 = rotl(v1, 13) ^ v0;
    v3 = rotl(v3, 16) ^ v2;
    v0 = rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl(v1, 17) ^ v2;
    v3 = rotl(v3, 21) ^ v0;
    v2 = rotl(v2, 32);
  }
  inline void absorb(uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t siphash13(uint64_t k0, uint64_t k1, const void* data, Py_ssize_t n) {
  SipState state(k0, k1);
  const unsigned char* p = static_cast<const unsigned char*>(data);
  uint64_t last = static_cast<uint64_t>(n) << 56;
  for (; n >= 8; n -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    state.absorb(word);
  }
  uint64_t tail = 0;
  if (n >= 4) {
    uint32_t low;
    memcpy(&low, p, 4);
    tail = low;
    for (Py_ssize_t i = 4; i < n; i++) tail |= static_cast<uint64_t>(p[i]) << (8 * i);
  } else {
    for (Py_ssize_t i = 0; i < n; i++) tail |= static_cast<uint64_t>(p[i]) << (8 * i);
  }
  state.absorb(last | tail);
  state.v2 ^= 0xFF;
  state.round();
  state.round();
  state.round();
  return (state.v0 ^ state.v1) ^ (state.v2 ^ state.v3);
}

Py_hash_t hash_bytes(const void* data, Py_ssize_t n) {
  if (n == 0) return 0;
  Py_hash_t h = static_cast<Py_hash_t>(siphash13(_Py_HashSecret.sip.k0, _Py_HashSecret.sip.k1, data, n));
  return h == -1 ? -2 : h;
}

int init_hash_secret(unsigned long seed) {
  memset(&_Py_HashSecret, 0, sizeof _Py_HashSecret);
  if (seed == 0) return 0;
  // A fixed linear congruential sequence: programs that pin PYTHONHASHSEED see the same order in every
  // process.
  uint32_t x = static_cast<uint32_t>(seed);
  for (unsigned char& byte : _Py_HashSecret.bytes) {
    x = x * 214013u + 2531011u;
    byte = static_cast<unsigned char>(x >> 16);
  }
  return 0;
}

int init_hash_secret_random() {
  size_t done = 0;
  while (done < sizeof _Py_HashSecret.bytes) {
    ssize_t got = getrandom(_Py_HashSecret.bytes + done, sizeof _Py_HashSecret.bytes - done, 0);
    if (got < 0) return -1;
    done += static_cast<size_t>(got);
  }
  return 0;
}

}  // namespace amphis

extern "C" {

Py_hash_t Py_HashBuffer(const void* data, Py_ssize_t n) {
  return amphis::hash_bytes(data, n);
}

Py_hash_t Py_HashPointer(const void* p) {
  // The low four bits are zero in almost every object address: rotate them out of the way of table indexes.
  uintptr_t bits = reinterpret_cast<uintptr_t>(p);
  Py_hash_t h = static_cast<Py_hash_t>((bits >> 4) | (bits << (8 * sizeof bits - 4)));
  return h == -1 ? -2 : h;
}

Py_hash_t PyObject_GenericHash(PyObject* o) {
  return Py_HashPointer(o);
}

PyHash_FuncDef* PyHash_GetFuncDef(void) {
  static PyHash_FuncDef definition = {amphis::hash_bytes, "siphash13", 64, 128};
  return &definition;
}

}  // extern "C"
