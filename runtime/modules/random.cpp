// The module `_random`: the Mersenne Twister.
//
// Algorithm: MT19937 of M. Matsumoto and T. Nishimura (1998), with their initialisation by array (2002). The state of an object is
// read and written under its lock.
#include <cstring>

#include "capi/getargs.h"
#include "objects/int_detail.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

namespace amphis::random {
namespace {

constexpr int kSize = 624;
constexpr int kShift = 397;
constexpr uint32_t kUpper = 0x80000000u;
constexpr uint32_t kLower = 0x7FFFFFFFu;

struct Random {
  PyObject_HEAD
  int index;  // of the next word; kSize: all used up
  uint32_t state[kSize];

  void renew() {
    const auto mix = [](uint32_t high, uint32_t low) {
      const uint32_t y = (high & kUpper) | (low & kLower);
      return (y >> 1) ^ (-(y & 1) & 0x9908B0DFu);
    };
    int i = 0;
    for (; i < kSize - kShift; ++i) state[i] = state[i + kShift] ^ mix(state[i], state[i + 1]);
    for (; i < kSize - 1; ++i) state[i] = state[i + kShift - kSize] ^ mix(state[i], state[i + 1]);
    state[kSize - 1] = state[kShift - 1] ^ mix(state[kSize - 1], state[0]);
    index = 0;
  }
  uint32_t next() {
    if (index >= kSize) renew();
    uint32_t y = state[index++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680u;
    y ^= (y << 15) & 0xEFC60000u;
    return y ^ (y >> 18);
  }
  void seed_word(uint32_t seed) {
    state[0] = seed;
    for (uint32_t i = 1; i < kSize; ++i) state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    index = kSize;
  }
  void seed_array(const uint32_t* key, size_t count) {
    seed_word(19650218u);
    uint32_t i = 1;
    size_t j = 0;
    const auto wrap = [&] {
      if (++i == kSize) {
        state[0] = state[kSize - 1];
        i = 1;
      }
    };
    for (size_t k = count > kSize ? count : kSize; k > 0; --k) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1664525u)) + key[j] + static_cast<uint32_t>(j);
      wrap();
      if (++j == count) j = 0;
    }
    for (size_t k = kSize - 1; k > 0; --k) {
      state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1566083941u)) - i;
      wrap();
    }
    state[0] = kUpper;
  }
};

Random* as_random(PyObject* o) { return reinterpret_cast<Random*>(o); }

// Without an argument: from the system's source, or from the clock where that has nothing yet.
void seed_from_system(PyObject* self) {
  uint32_t key[kSize];
  size_t count = kSize;
  if (getrandom(key, sizeof(key), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(key))) {
    timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_MONOTONIC, &up);
    key[0] = static_cast<uint32_t>(now.tv_nsec);
    key[1] = static_cast<uint32_t>(now.tv_sec);
    key[2] = static_cast<uint32_t>(getpid());
    key[3] = static_cast<uint32_t>(up.tv_nsec);
    key[4] = static_cast<uint32_t>(up.tv_sec);
    count = 5;
  }
  ObjectLock lock(self);
  as_random(self)->seed_array(key, count);
}

bool seed_with(PyObject* self, PyObject* arg) {
  if (arg == nullptr || arg == Py_None) {
    seed_from_system(self);
    return true;
  }
  // The absolute value of an int; the hash, without its sign, of anything else.
  Ref<> number;
  if (PyLong_Check(arg)) {
    // Not by arg.__abs__(), which may return anything.
    number = Ref<>::steal(int_abs(arg));
  } else {
    const Py_hash_t hash = PyObject_Hash(arg);
    if (hash == -1) return false;
    number = Ref<>::steal(int_from_uint64(static_cast<uint64_t>(hash)));
  }
  if (!number) return false;
  const auto bits = static_cast<size_t>(int_bit_length(number.get()));
  const size_t count = bits == 0 ? 1 : (bits - 1) / 32 + 1;
  LimbBuffer limbs(limbs_for_digits(digit_count(number.get())) + 1);
  if (!limbs) return false;
  limbs.data()[0] = 0;
  const size_t used = pack_limbs(digits_of(number.get()), digit_count(number.get()), limbs.data());
  if (used == 0) limbs.data()[0] = 0;
  // A little-endian machine has the 32-bit words in order.
  static_assert(PY_LITTLE_ENDIAN);
  ObjectLock lock(self);
  as_random(self)->seed_array(reinterpret_cast<const uint32_t*>(limbs.data()), count);
  return true;
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (!_PyArg_NoKeywords("Random", kwargs)) return -1;
  PyObject* arg = nullptr;
  if (!PyArg_UnpackTuple(args, "Random", 0, 1, &arg)) return -1;
  return seed_with(self, arg) ? 0 : -1;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) as_random(self)->index = kSize;
  return self;
}

PyObject* seed(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("seed", nargs, 0, 1)) return nullptr;
  if (!seed_with(self, nargs > 0 ? args[0] : nullptr)) return nullptr;
  Py_RETURN_NONE;
}

// 53 random bits as a fraction.
PyObject* random(PyObject* self, PyObject*) {
  ObjectLock lock(self);
  const uint32_t a = as_random(self)->next() >> 5, b = as_random(self)->next() >> 6;
  return PyFloat_FromDouble((a * 67108864.0 + b) * (1.0 / 9007199254740992.0));
}

PyObject* getrandbits(PyObject* self, PyObject* arg) {
  uint64_t bits;
  int64_t small;
  if (PyLong_Check(arg) && compact_value(arg, &small) && small >= 0) {
    bits = static_cast<uint64_t>(small);
  } else if (!_PyLong_UInt64_Converter(arg, &bits)) {
    return nullptr;
  }
  if (bits == 0) return small_int(0);
  if (bits <= 32) {
    ObjectLock lock(self);
    return int_from_uint64(as_random(self)->next() >> (32 - bits));
  }
  const uint64_t words = (bits - 1) / 32 + 1;
  if (words > static_cast<uint64_t>(PY_SSIZE_T_MAX) / 4) return PyErr_NoMemory();
  auto* key = static_cast<uint32_t*>(PyMem_Malloc(words * 4));
  if (key == nullptr) return PyErr_NoMemory();
  {
    ObjectLock lock(self);
    for (uint64_t i = 0; i < words; ++i) key[i] = as_random(self)->next();
  }
  // The last word gives its upper bits.
  if (bits % 32 != 0) key[words - 1] >>= 32 - bits % 32;
  PyObject* result = _PyLong_FromByteArray(reinterpret_cast<unsigned char*>(key), words * 4, PY_LITTLE_ENDIAN, 0);
  PyMem_Free(key);
  return result;
}

PyObject* getstate(PyObject* self, PyObject*) {
  auto result = Ref<>::steal(PyTuple_New(kSize + 1));
  if (!result) return nullptr;
  ObjectLock lock(self);
  for (int i = 0; i <= kSize; ++i) {
    PyObject* word = int_from_uint64(i < kSize ? as_random(self)->state[i] : static_cast<uint32_t>(as_random(self)->index));
    if (word == nullptr) return nullptr;
    PyTuple_SET_ITEM(result.get(), i, word);
  }
  return result.release();
}

PyObject* invalid_state(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  return nullptr;
}

PyObject* setstate(PyObject* self, PyObject* state) {
  if (!PyTuple_Check(state)) {
    PyErr_SetString(PyExc_TypeError, "state vector must be a tuple");
    return nullptr;
  }
  if (PyTuple_GET_SIZE(state) != kSize + 1) return invalid_state("state vector is the wrong size");
  uint32_t words[kSize];
  for (int i = 0; i < kSize; ++i) {
    const unsigned long word = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(state, i));
    if (word == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    if (word > UINT32_MAX) return invalid_state("invalid state");
    words[i] = static_cast<uint32_t>(word);
  }
  const long index = PyLong_AsLong(PyTuple_GET_ITEM(state, kSize));
  if (index == -1 && PyErr_Occurred()) return nullptr;
  if (index < 0 || index > kSize) return invalid_state("invalid state");
  ObjectLock lock(self);
  as_random(self)->index = static_cast<int>(index);
  std::memcpy(as_random(self)->state, words, sizeof(words));
  Py_RETURN_NONE;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"random", random, METH_NOARGS, "random($self, /)\n--\n\nrandom() -> x in the interval [0, 1)."},
    {"seed", _PyCFunction_CAST(seed), METH_FASTCALL,
     "seed($self, n=None, /)\n--\n\nseed([n]) -> None.\n\nSets the state from a number or the hash of an object, or anew."},
    {"getstate", getstate, METH_NOARGS, "getstate($self, /)\n--\n\ngetstate() -> tuple containing the current state."},
    {"setstate", setstate, METH_O, "setstate($self, state, /)\n--\n\nsetstate(state) -> None.  Restores generator state."},
    {"getrandbits", getrandbits, METH_O,
     "getrandbits($self, k, /)\n--\n\ngetrandbits(k) -> x.  Generates an int with k random bits."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot type_slots[] = {
    {Py_tp_doc, const_cast<char*>("Random() -> create a random number generator with its own internal state.")},
    {Py_tp_methods, methods},
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_init, reinterpret_cast<void*>(init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {0, nullptr},
};
PyType_Spec type_spec = {"_random.Random", sizeof(Random), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, type_slots};

int exec(PyObject* module) {
  auto type = Ref<>::steal(PyType_FromModuleAndSpec(module, &type_spec, nullptr));
  return type ? PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type.get())) : -1;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_random",
    .m_doc = "Module implements the Mersenne Twister random number generator.",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis::random

PyMODINIT_FUNC PyInit__random(void) { return PyModuleDef_Init(&amphis::random::definition); }
