// _md5, _sha1, _sha2, _sha3 and _blake2 over OpenSSL's EVP interface. Uses the public C API only.
//
// One object layout for all: an EVP digest context under a mutex (hashing large data happens with the thread detached).
// Keyed, salted, personalised and tree forms of BLAKE2 have no EVP interface: they raise NotImplementedError.
#include <Python.h>
#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <string>

namespace {

constexpr Py_ssize_t kDetachAbove = 2048;

struct Algorithm {
  const char* name;      // as hashlib names it
  const char* evp;       // as OpenSSL names it
  const char* type_name;
  int block_size;
  bool variable;         // shake: digest(length)
};
constexpr Algorithm kMd5 = {"md5", "MD5", "_md5.MD5Type", 64, false};
constexpr Algorithm kSha1 = {"sha1", "SHA1", "_sha1.SHA1Type", 64, false};
constexpr Algorithm kSha224 = {"sha224", "SHA224", "_sha2.SHA224Type", 64, false};
constexpr Algorithm kSha256 = {"sha256", "SHA256", "_sha2.SHA256Type", 64, false};
constexpr Algorithm kSha384 = {"sha384", "SHA384", "_sha2.SHA384Type", 128, false};
constexpr Algorithm kSha512 = {"sha512", "SHA512", "_sha2.SHA512Type", 128, false};
constexpr Algorithm kSha3_224 = {"sha3_224", "SHA3-224", "_sha3.sha3_224", 144, false};
constexpr Algorithm kSha3_256 = {"sha3_256", "SHA3-256", "_sha3.sha3_256", 136, false};
constexpr Algorithm kSha3_384 = {"sha3_384", "SHA3-384", "_sha3.sha3_384", 104, false};
constexpr Algorithm kSha3_512 = {"sha3_512", "SHA3-512", "_sha3.sha3_512", 72, false};
constexpr Algorithm kShake128 = {"shake_128", "SHAKE128", "_sha3.shake_128", 168, true};
constexpr Algorithm kShake256 = {"shake_256", "SHAKE256", "_sha3.shake_256", 136, true};
constexpr Algorithm kBlake2b = {"blake2b", "BLAKE2B512", "_blake2.blake2b", 128, false};
constexpr Algorithm kBlake2s = {"blake2s", "BLAKE2S256", "_blake2.blake2s", 64, false};

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

bool get_bytes(PyObject* data, Py_buffer* view) {
  if (PyUnicode_Check(data)) {
    PyErr_SetString(PyExc_TypeError, "Strings must be encoded before hashing");
    return false;
  }
  if (!PyObject_CheckBuffer(data)) {
    PyErr_SetString(PyExc_TypeError, "object supporting the buffer API required");
    return false;
  }
  return PyObject_GetBuffer(data, view, PyBUF_SIMPLE) == 0;
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

bool digest_length(PyObject* self, PyObject* args, Py_ssize_t* length) {
  *length = 0;
  if (!as_hash(self)->algorithm->variable) return PyArg_ParseTuple(args, "") != 0;
  if (!PyArg_ParseTuple(args, "n", length)) return false;
  if (*length < 0 || *length >= Py_ssize_t{1} << 29) {
    PyErr_SetString(PyExc_ValueError, *length < 0 ? "value must be positive" : "length is too large");
    return false;
  }
  return true;
}

PyObject* hash_digest(PyObject* self, PyObject* args) {
  Py_ssize_t length;
  std::string out;
  if (!digest_length(self, args, &length) || !finish(self, length, &out)) return nullptr;
  return PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size()));
}

PyObject* hash_hexdigest(PyObject* self, PyObject* args) {
  Py_ssize_t length;
  std::string out;
  if (!digest_length(self, args, &length) || !finish(self, length, &out)) return nullptr;
  std::string hex;
  hex.reserve(out.size() * 2);
  for (unsigned char c : out) {
    hex.push_back("0123456789abcdef"[c >> 4]);
    hex.push_back("0123456789abcdef"[c & 15]);
  }
  return PyUnicode_FromStringAndSize(hex.data(), static_cast<Py_ssize_t>(hex.size()));
}

PyObject* get_name(PyObject* self, void*) { return PyUnicode_FromString(as_hash(self)->algorithm->name); }
PyObject* get_block_size(PyObject* self, void*) { return PyLong_FromLong(as_hash(self)->algorithm->block_size); }
PyObject* get_digest_size(PyObject* self, void*) {
  Hash* h = as_hash(self);
  return PyLong_FromLong(h->algorithm->variable ? 0 : EVP_MD_CTX_size(h->context));
}

template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

PyMethodDef hash_methods[] = {
    {"update", hash_update, METH_O, "Update this hash object's state with the provided bytes-like object."},
    {"digest", hash_digest, METH_VARARGS, "Return the digest value as a bytes object."},
    {"hexdigest", hash_hexdigest, METH_VARARGS, "Return the digest value as a string of hexadecimal digits."},
    {"copy", hash_copy, METH_NOARGS, "Return a copy of the hash object."},
    {},
};
PyGetSetDef hash_getsets[] = {
    {"name", get_name, nullptr, nullptr, nullptr},
    {"block_size", get_block_size, nullptr, nullptr, nullptr},
    {"digest_size", get_digest_size, nullptr, nullptr, nullptr},
    {},
};

// The constructor functions and the types of one algorithm, kept per module.
template <const Algorithm& algorithm>
struct Kind {
  static inline PyTypeObject* type = nullptr;

  static PyObject* create(PyObject*, PyObject* args, PyObject* kwargs) {
    static const char* const keywords[] = {"data", "usedforsecurity", "string", nullptr};
    PyObject *data = nullptr, *text = nullptr;
    int for_security = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$pO", const_cast<char**>(keywords), &data, &for_security,
                                     &text)) {
      return nullptr;
    }
    if (data == nullptr) data = text;
    PyObject* self = hash_make(type, &algorithm);
    if (self != nullptr && data != nullptr && !update(self, data)) Py_CLEAR(self);
    return self;
  }

  static PyObject* new_with_parameters(PyTypeObject* cls, PyObject* args, PyObject* kwargs) {
    PyObject* data = nullptr;
    if (PyTuple_GET_SIZE(args) > 1) {
      PyErr_Format(PyExc_TypeError, "%s() takes at most 1 positional argument (%zd given)", algorithm.name,
                   PyTuple_GET_SIZE(args));
      return nullptr;
    }
    if (PyTuple_GET_SIZE(args) == 1) data = PyTuple_GET_ITEM(args, 0);
    if (kwargs != nullptr) {
      Py_ssize_t at = 0;
      PyObject *key, *value;
      while (PyDict_Next(kwargs, &at, &key, &value)) {
        if (PyUnicode_EqualToUTF8(key, "usedforsecurity")) continue;
        if (data == nullptr && (PyUnicode_EqualToUTF8(key, "data") || PyUnicode_EqualToUTF8(key, "string"))) {
          data = value;
          continue;
        }
        PyErr_Format(PyExc_NotImplementedError, "%s() with the parameter %R is not available", algorithm.name, key);
        return nullptr;
      }
    }
    PyObject* self = hash_make(cls, &algorithm);
    if (self != nullptr && data != nullptr && !update(self, data)) Py_CLEAR(self);
    return self;
  }

  static int add(PyObject* module, bool constructible) {
    PyType_Slot slots[8];
    int n = 0;
    slots[n++] = {Py_tp_dealloc, slot(hash_dealloc)};
    slots[n++] = {Py_tp_methods, hash_methods};
    slots[n++] = {Py_tp_getset, hash_getsets};
    if (constructible) slots[n++] = {Py_tp_new, slot(new_with_parameters)};
    slots[n] = {0, nullptr};
    PyType_Spec spec = {algorithm.type_name, sizeof(Hash), 0,
                        static_cast<unsigned>(Py_TPFLAGS_DEFAULT |
                                              (constructible ? 0 : Py_TPFLAGS_DISALLOW_INSTANTIATION)),
                        slots};
    if (type == nullptr) {
      type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
      if (type == nullptr) return -1;
    }
    const char* short_name = strrchr(algorithm.type_name, '.') + 1;
    return PyModule_AddObjectRef(module, short_name, reinterpret_cast<PyObject*>(type));
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
  return Kind<kSha3_224>::add(m, true) < 0 || Kind<kSha3_256>::add(m, true) < 0 || Kind<kSha3_384>::add(m, true) < 0 ||
                 Kind<kSha3_512>::add(m, true) < 0 || Kind<kShake128>::add(m, true) < 0
             ? -1
             : Kind<kShake256>::add(m, true);
}
int blake2_exec(PyObject* m) {
  const struct {
    const char* name;
    long value;
  } constants[] = {{"BLAKE2B_SALT_SIZE", 16},    {"BLAKE2B_PERSON_SIZE", 16}, {"BLAKE2B_MAX_KEY_SIZE", 64},
                   {"BLAKE2B_MAX_DIGEST_SIZE", 64}, {"BLAKE2S_SALT_SIZE", 8},  {"BLAKE2S_PERSON_SIZE", 8},
                   {"BLAKE2S_MAX_KEY_SIZE", 32}, {"BLAKE2S_MAX_DIGEST_SIZE", 32}};
  for (const auto& c : constants) {
    if (PyModule_AddIntConstant(m, c.name, c.value) < 0) return -1;
  }
  return Kind<kBlake2b>::add(m, true) < 0 ? -1 : Kind<kBlake2s>::add(m, true);
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
AMPHIS_HASH_MODULE(_blake2, no_methods, blake2_exec)

}  // namespace

PyMODINIT_FUNC PyInit__md5(void) { return PyModuleDef_Init(&_md5_def); }
PyMODINIT_FUNC PyInit__sha1(void) { return PyModuleDef_Init(&_sha1_def); }
PyMODINIT_FUNC PyInit__sha2(void) { return PyModuleDef_Init(&_sha2_def); }
PyMODINIT_FUNC PyInit__sha3(void) { return PyModuleDef_Init(&_sha3_def); }
PyMODINIT_FUNC PyInit__blake2(void) { return PyModuleDef_Init(&_blake2_def); }
