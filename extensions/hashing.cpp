// _md5, _sha1, _sha2 and _sha3 over OpenSSL's EVP interface.
//
// One object layout for all: an EVP digest context under a mutex (hashing large data happens with the thread detached).
#include "hashing.h"

#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <string>

namespace {

using hashing::get_bytes;
using hashing::kDetachAbove;

struct Algorithm {
  const char* name;      // as hashlib names it
  const char* evp;       // as OpenSSL names it
  const char* type_name;
  const char* exported;  // the type's name in its module
  int block_size;
  bool variable;         // shake: digest(length)
};
constexpr Algorithm kMd5 = {"md5", "MD5", "_md5.md5", "MD5Type", 64, false};
constexpr Algorithm kSha1 = {"sha1", "SHA1", "_sha1.sha1", "SHA1Type", 64, false};
constexpr Algorithm kSha224 = {"sha224", "SHA224", "_sha2.SHA224Type", "SHA224Type", 64, false};
constexpr Algorithm kSha256 = {"sha256", "SHA256", "_sha2.SHA256Type", "SHA256Type", 64, false};
constexpr Algorithm kSha384 = {"sha384", "SHA384", "_sha2.SHA384Type", "SHA384Type", 128, false};
constexpr Algorithm kSha512 = {"sha512", "SHA512", "_sha2.SHA512Type", "SHA512Type", 128, false};
constexpr Algorithm kSha3_224 = {"sha3_224", "SHA3-224", "_sha3.sha3_224", "sha3_224", 144, false};
constexpr Algorithm kSha3_256 = {"sha3_256", "SHA3-256", "_sha3.sha3_256", "sha3_256", 136, false};
constexpr Algorithm kSha3_384 = {"sha3_384", "SHA3-384", "_sha3.sha3_384", "sha3_384", 104, false};
constexpr Algorithm kSha3_512 = {"sha3_512", "SHA3-512", "_sha3.sha3_512", "sha3_512", 72, false};
constexpr Algorithm kShake128 = {"shake_128", "SHAKE128", "_sha3.shake_128", "shake_128", 168, true};
constexpr Algorithm kShake256 = {"shake_256", "SHAKE256", "_sha3.shake_256", "shake_256", 136, true};

struct Hash {
  PyObject_HEAD
  const Algorithm* algorithm;
  EVP_MD_CTX* context;
  PyMutex mutex;
};
Hash* as_hash(PyObject* o) { return reinterpret_cast<Hash*>(o); }

class Locked {
  PyMutex* mutex_;

 public:
  explicit Locked(PyObject* o) : mutex_(&as_hash(o)->mutex) { PyMutex_Lock(mutex_); }
  ~Locked() { PyMutex_Unlock(mutex_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

PyObject* evp_failed() {
  PyErr_SetString(PyExc_ValueError, "the cryptography library refused this digest");
  return nullptr;
}

bool update(PyObject* self, PyObject* data) {
  Py_buffer view;
  if (!get_bytes(data, &view)) return false;
  int ok;
  {
    Locked lock(self);
    if (view.len > kDetachAbove) {
      Py_BEGIN_ALLOW_THREADS
      ok = EVP_DigestUpdate(as_hash(self)->context, view.buf, static_cast<size_t>(view.len));
      Py_END_ALLOW_THREADS
    } else {
      ok = EVP_DigestUpdate(as_hash(self)->context, view.buf, static_cast<size_t>(view.len));
    }
  }
  PyBuffer_Release(&view);
  if (!ok) evp_failed();
  return ok != 0;
}

PyObject* hash_make(PyTypeObject* type, const Algorithm* algorithm) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Hash* h = as_hash(self);
  h->algorithm = algorithm;
  h->context = EVP_MD_CTX_new();
  const EVP_MD* digest = EVP_get_digestbyname(algorithm->evp);
  if (h->context == nullptr || digest == nullptr || !EVP_DigestInit_ex(h->context, digest, nullptr)) {
    Py_DECREF(self);
    return evp_failed();
  }
  return self;
}

void hash_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  EVP_MD_CTX_free(as_hash(self)->context);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* hash_update(PyObject* self, PyObject* data) {
  if (!update(self, data)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* hash_copy(PyObject* self, PyObject*) {
  PyObject* other = hash_make(Py_TYPE(self), as_hash(self)->algorithm);
  if (other == nullptr) return nullptr;
  Locked lock(self);
  if (EVP_MD_CTX_copy_ex(as_hash(other)->context, as_hash(self)->context)) return other;
  Py_DECREF(other);
  return evp_failed();
}

// The digest so far, of `length` bytes for the variable forms: false with an exception.
bool finish(PyObject* self, Py_ssize_t length, std::string* out) {
  Hash* h = as_hash(self);
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> copy(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool ok = copy != nullptr;
  if (ok) {
    Locked lock(self);
    ok = EVP_MD_CTX_copy_ex(copy.get(), h->context) != 0;
  }
  if (ok && h->algorithm->variable) {
    out->resize(static_cast<size_t>(length));
    ok = length == 0 || EVP_DigestFinalXOF(copy.get(), reinterpret_cast<unsigned char*>(out->data()), out->size());
  } else if (ok) {
    unsigned int size = 0;
    out->resize(EVP_MAX_MD_SIZE);
    ok = EVP_DigestFinal_ex(copy.get(), reinterpret_cast<unsigned char*>(out->data()), &size) != 0;
    out->resize(size);
  }
  if (!ok) evp_failed();
  return ok;
}

// The argument of digest() and hexdigest(), which only the variable forms have.
bool digest_length(PyObject* self, const char* name, PyObject* args, PyObject* kwargs, Py_ssize_t* length) {
  static const char* const keywords[] = {"length", nullptr};
  static const char* const none[] = {nullptr};
  *length = 0;
  const std::string suffix = std::string(":") + name;
  if (!as_hash(self)->algorithm->variable)
    return PyArg_ParseTupleAndKeywords(args, kwargs, suffix.c_str(), const_cast<char**>(none)) != 0;
  PyObject* given;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ("O" + suffix).c_str(), const_cast<char**>(keywords), &given))
    return false;
  ext::Ref index(PyNumber_Index(given));
  if (!index) return false;
  *length = PyLong_AsSsize_t(index.get());
  if (*length == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
    ext::Ref zero(PyLong_FromLong(0));
    PyErr_Clear();
    *length = PyObject_RichCompareBool(index.get(), zero.get(), Py_LT) > 0 ? -1 : PY_SSIZE_T_MAX;
  }
  if (*length < 0 || *length >= Py_ssize_t{1} << 29) {
    PyErr_SetString(PyExc_ValueError, *length < 0 ? "Cannot convert negative int" : "length is too large");
    return false;
  }
  return true;
}

PyObject* hash_digest(PyObject* self, PyObject* args, PyObject* kwargs) {
  Py_ssize_t length;
  std::string out;
  if (!digest_length(self, "digest", args, kwargs, &length) || !finish(self, length, &out)) return nullptr;
  return PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size()));
}

PyObject* hash_hexdigest(PyObject* self, PyObject* args, PyObject* kwargs) {
  Py_ssize_t length;
  std::string out;
  if (!digest_length(self, "hexdigest", args, kwargs, &length) || !finish(self, length, &out)) return nullptr;
  return hashing::hexadecimal(out.data(), out.size());
}

PyObject* get_name(PyObject* self, void*) { return PyUnicode_FromString(as_hash(self)->algorithm->name); }
PyObject* get_block_size(PyObject* self, void*) { return PyLong_FromLong(as_hash(self)->algorithm->block_size); }
PyObject* get_digest_size(PyObject* self, void*) {
  Hash* h = as_hash(self);
  return PyLong_FromLong(h->algorithm->variable ? 0 : EVP_MD_CTX_size(h->context));
}

// SHA-3's rate is its block; rate and capacity make up its 1600 bits of state.
PyObject* get_rate(PyObject* self, void*) { return PyLong_FromLong(as_hash(self)->algorithm->block_size * 8); }
PyObject* get_capacity(PyObject* self, void*) {
  return PyLong_FromLong(1600 - as_hash(self)->algorithm->block_size * 8);
}
PyObject* get_suffix(PyObject* self, void*) {
  return PyBytes_FromStringAndSize(as_hash(self)->algorithm->variable ? "\x1f" : "\x06", 1);
}

template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

PyMethodDef hash_methods[] = {
    {"update", hash_update, METH_O, "Update this hash object's state with the provided bytes-like object."},
    {"digest", ext::method(hash_digest), METH_VARARGS | METH_KEYWORDS, "Return the digest value as a bytes object."},
    {"hexdigest", ext::method(hash_hexdigest), METH_VARARGS | METH_KEYWORDS, "Return the digest value as a string of hexadecimal digits."},
    {"copy", hash_copy, METH_NOARGS, "Return a copy of the hash object."},
    {},
};
PyGetSetDef hash_getsets[] = {
    {"name", get_name, nullptr, nullptr, nullptr},
    {"block_size", get_block_size, nullptr, nullptr, nullptr},
    {"digest_size", get_digest_size, nullptr, nullptr, nullptr},
    {},
};

PyGetSetDef sha3_getsets[] = {
    {"name", get_name, nullptr, nullptr, nullptr},
    {"block_size", get_block_size, nullptr, nullptr, nullptr},
    {"digest_size", get_digest_size, nullptr, nullptr, nullptr},
    {"_rate_bits", get_rate, nullptr, nullptr, nullptr},
    {"_capacity_bits", get_capacity, nullptr, nullptr, nullptr},
    {"_suffix", get_suffix, nullptr, nullptr, nullptr},
    {},
};

// The constructor functions and the types of one algorithm, kept per module.
template <const Algorithm& algorithm>
struct Kind {
  static inline PyTypeObject* type = nullptr;

  static PyObject* create(PyObject*, PyObject* args, PyObject* kwargs) {
    return make(type, args, kwargs);
  }
  static PyObject* create_new(PyTypeObject* cls, PyObject* args, PyObject* kwargs) { return make(cls, args, kwargs); }

  static PyObject* make(PyTypeObject* cls, PyObject* args, PyObject* kwargs) {
    static const char* const keywords[] = {"data", "usedforsecurity", "string", nullptr};
    PyObject *data = nullptr, *text = nullptr;
    int for_security = 1;
    const std::string format = std::string("|O$pO:") + algorithm.name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format.c_str(), const_cast<char**>(keywords), &data, &for_security,
                                     &text) ||
        !hashing::choose_data(&data, text))
      return nullptr;
    PyObject* self = hash_make(cls, &algorithm);
    if (self != nullptr && data != nullptr && !update(self, data)) Py_CLEAR(self);
    return self;
  }

  static int add(PyObject* module, bool constructible) {
    PyType_Slot slots[8];
    int n = 0;
    slots[n++] = {Py_tp_dealloc, slot(hash_dealloc)};
    slots[n++] = {Py_tp_methods, hash_methods};
    slots[n++] = {Py_tp_getset, constructible ? sha3_getsets : hash_getsets};
    // Only the types of _sha3 are called; the others have functions.
    if (constructible) slots[n++] = {Py_tp_new, slot(create_new)};
    slots[n] = {0, nullptr};
    PyType_Spec spec = {algorithm.type_name, sizeof(Hash), 0,
                        static_cast<unsigned>(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
                                              (constructible ? 0 : Py_TPFLAGS_DISALLOW_INSTANTIATION)),
                        slots};
    if (type == nullptr) {
      type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
      if (type == nullptr) return -1;
    }
    if (PyModule_AddIntConstant(module, "_GIL_MINSIZE", kDetachAbove) < 0) return -1;
    return PyModule_AddObjectRef(module, algorithm.exported, reinterpret_cast<PyObject*>(type));
  }
};

#define AMPHIS_HASH_FUNCTION(text, kind) \
  {text, reinterpret_cast<PyCFunction>(slot(Kind<kind>::create)), METH_VARARGS | METH_KEYWORDS, nullptr}

PyMethodDef md5_methods[] = {AMPHIS_HASH_FUNCTION("md5", kMd5), {}};
PyMethodDef sha1_methods[] = {AMPHIS_HASH_FUNCTION("sha1", kSha1), {}};
PyMethodDef sha2_methods[] = {AMPHIS_HASH_FUNCTION("sha224", kSha224), AMPHIS_HASH_FUNCTION("sha256", kSha256),
                              AMPHIS_HASH_FUNCTION("sha384", kSha384), AMPHIS_HASH_FUNCTION("sha512", kSha512), {}};
PyMethodDef no_methods[] = {{}};

int md5_exec(PyObject* m) { return Kind<kMd5>::add(m, false); }
int sha1_exec(PyObject* m) { return Kind<kSha1>::add(m, false); }
int sha2_exec(PyObject* m) {
  return Kind<kSha224>::add(m, false) < 0 || Kind<kSha256>::add(m, false) < 0 || Kind<kSha384>::add(m, false) < 0
             ? -1
             : Kind<kSha512>::add(m, false);
}
int sha3_exec(PyObject* m) {
  if (PyModule_AddStringConstant(m, "implementation", "OpenSSL") < 0) return -1;
  return Kind<kSha3_224>::add(m, true) < 0 || Kind<kSha3_256>::add(m, true) < 0 || Kind<kSha3_384>::add(m, true) < 0 ||
                 Kind<kSha3_512>::add(m, true) < 0 || Kind<kShake128>::add(m, true) < 0
             ? -1
             : Kind<kShake256>::add(m, true);
}
#define AMPHIS_HASH_MODULE(name, table, exec)                                                       \
  PyModuleDef_Slot name##_slots[] = {                                                               \
      {Py_mod_exec, slot(exec)},                                                                    \
      {Py_mod_gil, Py_MOD_GIL_NOT_USED},                                                            \
      {},                                                                                           \
  };                                                                                                \
  PyModuleDef name##_def = {                                                                        \
      .m_base = PyModuleDef_HEAD_INIT,                                                              \
      .m_name = #name,                                                                              \
      .m_size = 0,                                                                                  \
      .m_methods = table,                                                                           \
      .m_slots = name##_slots,                                                                      \
  };
AMPHIS_HASH_MODULE(_md5, md5_methods, md5_exec)
AMPHIS_HASH_MODULE(_sha1, sha1_methods, sha1_exec)
AMPHIS_HASH_MODULE(_sha2, sha2_methods, sha2_exec)
AMPHIS_HASH_MODULE(_sha3, no_methods, sha3_exec)

}  // namespace

PyMODINIT_FUNC PyInit__md5(void) { return PyModuleDef_Init(&_md5_def); }
PyMODINIT_FUNC PyInit__sha1(void) { return PyModuleDef_Init(&_sha1_def); }
PyMODINIT_FUNC PyInit__sha2(void) { return PyModuleDef_Init(&_sha2_def); }
PyMODINIT_FUNC PyInit__sha3(void) { return PyModuleDef_Init(&_sha3_def); }
