// _hashlib: OpenSSL's digests, HMAC and key derivation for hashlib and hmac. A hash object owns an EVP digest context, an HMAC
// object an EVP MAC context, each under the object's own mutex: large data is worked on with the thread detached.
//
// Algorithms have the names of Python's library (sha3_256); what the table does not know keeps OpenSSL's name.
#include "hashing.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/params.h>

#include <climits>
#include <cstring>
#include <memory>
#include <string>

namespace {

using ext::Buffer;
using ext::Ref;
using hashing::kDetachAbove;

struct Free {
  void operator()(EVP_MD* p) const { EVP_MD_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(EVP_MAC* p) const { EVP_MAC_free(p); }
  void operator()(EVP_MAC_CTX* p) const { EVP_MAC_CTX_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

struct Known {
  const char* name;     // Python's
  const char* openssl;  // what OpenSSL calls it
  int nid;
};
constexpr Known kKnown[] = {
    {"md5", "MD5", NID_md5},
    {"sha1", "SHA1", NID_sha1},
    {"sha224", "SHA224", NID_sha224},
    {"sha256", "SHA256", NID_sha256},
    {"sha384", "SHA384", NID_sha384},
    {"sha512", "SHA512", NID_sha512},
    {"sha512_224", "SHA512-224", NID_sha512_224},
    {"sha512_256", "SHA512-256", NID_sha512_256},
    {"sha3_224", "SHA3-224", NID_sha3_224},
    {"sha3_256", "SHA3-256", NID_sha3_256},
    {"sha3_384", "SHA3-384", NID_sha3_384},
    {"sha3_512", "SHA3-512", NID_sha3_512},
    {"shake_128", "SHAKE128", NID_shake128},
    {"shake_256", "SHAKE256", NID_shake256},
    {"blake2s", "BLAKE2s256", NID_blake2s256},
    {"blake2b", "BLAKE2b512", NID_blake2b512},
};

struct State {
  PyTypeObject *hash_type, *xof_type, *hmac_type;
  PyObject* constructors;  // function -> name
  PyObject* unsupported;   // UnsupportedDigestmodError
};
State* state_of(PyObject* module) { return static_cast<State*>(PyModule_GetState(module)); }

// An exception with what OpenSSL last said; `otherwise` where it said nothing.
std::nullptr_t raise_last(PyObject* type, const char* otherwise = "no reason supplied") {
  const unsigned long code = ERR_peek_last_error();
  const char* library = code ? ERR_lib_error_string(code) : nullptr;
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  if (code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) return PyErr_NoMemory(), nullptr;
  if (library != nullptr && reason != nullptr) {
    PyErr_Format(type, "[%s] %s", library, reason);
  } else {
    PyErr_SetString(type, reason != nullptr ? reason : otherwise);
  }
  return nullptr;
}

std::string name_of(const EVP_MD* digest) {
  const int nid = EVP_MD_get_type(digest);
  for (const Known& known : kKnown) {
    if (known.nid == nid) return known.name;
  }
  const char* name = nid != NID_undef ? OBJ_nid2ln(nid) : nullptr;
  if (name == nullptr && nid != NID_undef) name = OBJ_nid2sn(nid);
  return name != nullptr ? name : "";
}

bool is_xof(const EVP_MD* digest) { return (EVP_MD_get_flags(digest) & EVP_MD_FLAG_XOF) != 0; }

// Null with UnsupportedDigestmodError.
Owned<EVP_MD> find_digest(State* state, const char* name, bool for_security) {
  for (const Known& known : kKnown) {
    if (strcmp(known.name, name) == 0) name = known.openssl;
  }
  Owned<EVP_MD> digest(EVP_MD_fetch(nullptr, name, for_security ? nullptr : "-fips"));
  if (!digest) raise_last(state->unsupported);
  return digest;
}

// digestmod: a name, or a constructor of this module.
Owned<EVP_MD> digest_like(State* state, PyObject* like) {
  Ref name;
  if (PyUnicode_Check(like)) {
    name = Ref(Py_NewRef(like));
  } else if (PyDict_GetItemRef(state->constructors, like, name.out()) < 0) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return nullptr;
    PyErr_Clear();
  }
  if (!name) {
    PyErr_Format(state->unsupported, "Unsupported digestmod %R", like);
    return nullptr;
  }
  const char* text = PyUnicode_AsUTF8(name.get());
  return text != nullptr ? find_digest(state, text, true) : nullptr;
}

class Locked {
  PyMutex* mutex_;

 public:
  explicit Locked(PyMutex* mutex) : mutex_(mutex) { PyMutex_Lock(mutex_); }
  ~Locked() { PyMutex_Unlock(mutex_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

// work() under the mutex, detached where there is much to do.
template <class F>
bool guarded(PyMutex* mutex, Py_ssize_t size, F&& work) {
  Locked lock(mutex);
  if (size <= kDetachAbove) return work();
  ext::Away away;
  return work();
}

// --- HASH, HASHXOF

struct Hash {
  PyObject_HEAD
  EVP_MD_CTX* context;
  PyMutex mutex;
};
Hash* as_hash(PyObject* o) { return reinterpret_cast<Hash*>(o); }
const EVP_MD* digest_of(PyObject* o) { return EVP_MD_CTX_get0_md(as_hash(o)->context); }

Ref new_hash(PyTypeObject* type) {
  Ref self(type->tp_alloc(type, 0));
  if (!self) return self;
  as_hash(self.get())->context = EVP_MD_CTX_new();
  if (as_hash(self.get())->context != nullptr) return self;
  PyErr_NoMemory();
  return Ref();
}

void hash_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  EVP_MD_CTX_free(as_hash(self)->context);
  type->tp_free(self);
  Py_DECREF(type);
}

bool update_hash(PyObject* self, PyObject* data) {
  Py_buffer view;
  if (!hashing::get_bytes(data, &view)) return false;
  Hash* h = as_hash(self);
  const bool ok = guarded(&h->mutex, view.len, [&] { return EVP_DigestUpdate(h->context, view.buf, static_cast<size_t>(view.len)) != 0; });
  PyBuffer_Release(&view);
  if (!ok) raise_last(PyExc_ValueError);
  return ok;
}

PyObject* hash_update(PyObject* self, PyObject* data) {
  if (!update_hash(self, data)) return nullptr;
  Py_RETURN_NONE;
}

Owned<EVP_MD_CTX> snapshot(PyObject* self) {
  Owned<EVP_MD_CTX> copy(EVP_MD_CTX_new());
  Locked lock(&as_hash(self)->mutex);
  if (!copy || !EVP_MD_CTX_copy_ex(copy.get(), as_hash(self)->context)) return nullptr;
  return copy;
}

PyObject* hash_copy(PyObject* self, PyObject*) {
  Ref other = new_hash(Py_TYPE(self));
  if (!other) return nullptr;
  bool ok;
  {
    Locked lock(&as_hash(self)->mutex);
    ok = EVP_MD_CTX_copy_ex(as_hash(other.get())->context, as_hash(self)->context) != 0;
  }
  return ok ? other.release() : raise_last(PyExc_ValueError);
}

bool finish_hash(PyObject* self, std::string* out) {
  Owned<EVP_MD_CTX> copy = snapshot(self);
  unsigned int size = 0;
  out->resize(EVP_MAX_MD_SIZE);
  const bool ok = copy && EVP_DigestFinal_ex(copy.get(), reinterpret_cast<unsigned char*>(out->data()), &size);
  out->resize(size);
  if (!ok) raise_last(PyExc_ValueError);
  return ok;
}

PyObject* hash_digest(PyObject* self, PyObject*) {
  std::string out;
  return finish_hash(self, &out) ? PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size())) : nullptr;
}

PyObject* hash_hexdigest(PyObject* self, PyObject*) {
  std::string out;
  return finish_hash(self, &out) ? hashing::hexadecimal(out.data(), out.size()) : nullptr;
}

// The bytes of a variable digest; null with an exception.
Ref finish_xof(PyObject* self, PyObject* args, PyObject* kwargs, const char* format) {
  static const char* const keywords[] = {"length", nullptr};
  Py_ssize_t length;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, const_cast<char**>(keywords), &length)) return Ref();
  if (length < 0) {
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    return Ref();
  }
  Ref bytes(PyBytes_FromStringAndSize(nullptr, length));
  if (!bytes || length == 0) return bytes;  // OpenSSL asks for one byte at least
  Owned<EVP_MD_CTX> copy = snapshot(self);
  bool ok = copy != nullptr;
  if (ok) {
    auto* to = reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(bytes.get()));
    PyMutex own{};
    ok = guarded(&own, length, [&] { return EVP_DigestFinalXOF(copy.get(), to, static_cast<size_t>(length)) != 0; });
  }
  if (ok) return bytes;
  raise_last(PyExc_ValueError);
  return Ref();
}

PyObject* xof_digest(PyObject* self, PyObject* args, PyObject* kwargs) { return finish_xof(self, args, kwargs, "n:digest").release(); }

PyObject* xof_hexdigest(PyObject* self, PyObject* args, PyObject* kwargs) {
  Ref bytes = finish_xof(self, args, kwargs, "n:hexdigest");
  return bytes ? hashing::hexadecimal(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))) : nullptr;
}

PyObject* hash_name(PyObject* self, void*) { return PyUnicode_FromString(name_of(digest_of(self)).c_str()); }
PyObject* hash_block_size(PyObject* self, void*) { return PyLong_FromLong(EVP_MD_get_block_size(digest_of(self))); }
PyObject* hash_digest_size(PyObject* self, void*) { return PyLong_FromLong(EVP_MD_get_size(digest_of(self))); }
PyObject* xof_digest_size(PyObject*, void*) { return PyLong_FromLong(0); }

PyObject* hash_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s %T object @ %p>", name_of(digest_of(self)).c_str(), self, self);
}

template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}
constexpr unsigned kTypeFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION;

PyMethodDef hash_methods[] = {
    {"update", hash_update, METH_O, "update($self, obj, /)\n--\n\nUpdate this hash object's state with the provided string."},
    {"digest", hash_digest, METH_NOARGS, "digest($self, /)\n--\n\nReturn the digest value as a bytes object."},
    {"hexdigest", hash_hexdigest, METH_NOARGS, "hexdigest($self, /)\n--\n\nReturn the digest value as a string of hexadecimal digits."},
    {"copy", hash_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a copy of the hash object."},
    {},
};
PyGetSetDef hash_getsets[] = {
    {"digest_size", hash_digest_size, nullptr, nullptr, nullptr},
    {"block_size", hash_block_size, nullptr, nullptr, nullptr},
    {"name", hash_name, nullptr, nullptr, nullptr},
    {},
};
PyType_Slot hash_slots[] = {
    {Py_tp_dealloc, slot(hash_dealloc)},
    {Py_tp_repr, slot(hash_repr)},
    {Py_tp_methods, hash_methods},
    {Py_tp_getset, hash_getsets},
    {Py_tp_doc, const_cast<char*>("HASH(name, string=b\'\')\n--\n\nA hash of OpenSSL's: update(data), digest(), hexdigest() and copy();\n"
                                  "name, digest_size and block_size tell which one it is.")},
    {0, nullptr},
};
PyType_Spec hash_spec = {"_hashlib.HASH", sizeof(Hash), 0, kTypeFlags | Py_TPFLAGS_BASETYPE, hash_slots};

PyMethodDef xof_methods[] = {
    {"digest", ext::method(xof_digest), METH_VARARGS | METH_KEYWORDS,
     "digest($self, /, length)\n--\n\nReturn the digest value as a bytes object."},
    {"hexdigest", ext::method(xof_hexdigest), METH_VARARGS | METH_KEYWORDS,
     "hexdigest($self, /, length)\n--\n\nReturn the digest value as a string of hexadecimal digits."},
    {},
};
PyGetSetDef xof_getsets[] = {{"digest_size", xof_digest_size, nullptr, nullptr, nullptr}, {}};
PyType_Slot xof_slots[] = {
    {Py_tp_methods, xof_methods},
    {Py_tp_getset, xof_getsets},
    {Py_tp_doc, const_cast<char*>("HASHXOF(name, string=b\'\')\n--\n\nA hash of OpenSSL's whose digest(length) is as long as one asks.")},
    {0, nullptr},
};
PyType_Spec xof_spec = {"_hashlib.HASHXOF", sizeof(Hash), 0, kTypeFlags | Py_TPFLAGS_BASETYPE, xof_slots};

PyObject* make_hash(State* state, const char* name, PyObject* data, PyObject* string, bool for_security) {
  if (!hashing::choose_data(&data, string)) return nullptr;
  Owned<EVP_MD> digest = find_digest(state, name, for_security);
  if (!digest) return nullptr;
  Ref self = new_hash(is_xof(digest.get()) ? state->xof_type : state->hash_type);
  if (!self) return nullptr;
  if (!EVP_DigestInit_ex(as_hash(self.get())->context, digest.get(), nullptr)) return raise_last(PyExc_ValueError);
  if (data != nullptr && !update_hash(self.get(), data)) return nullptr;
  return self.release();
}

bool check_str(const char* function, const char* argument, PyObject* value) {
  if (PyUnicode_Check(value)) return true;
  PyErr_Format(PyExc_TypeError, "%s() argument '%s' must be str, not %T", function, argument, value);
  return false;
}

PyObject* hash_new(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "data", "usedforsecurity", "string", nullptr};
  PyObject *name, *data = nullptr, *string = nullptr;
  int for_security = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$pO:new", const_cast<char**>(keywords), &name, &data, &for_security, &string) ||
      !check_str("new", "name", name)) {
    return nullptr;
  }
  const char* text = PyUnicode_AsUTF8(name);
  return text != nullptr ? make_hash(state_of(module), text, data, string, for_security != 0) : nullptr;
}

// openssl_NAME
template <size_t index>
PyObject* hash_make(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"data", "usedforsecurity", "string", nullptr};
  static const std::string format = std::string("|O$pO:openssl_") + kKnown[index].name;
  PyObject *data = nullptr, *string = nullptr;
  int for_security = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format.c_str(), const_cast<char**>(keywords), &data, &for_security, &string)) return nullptr;
  return make_hash(state_of(module), kKnown[index].name, data, string, for_security != 0);
}

// --- HMAC

struct Hmac {
  PyObject_HEAD
  EVP_MAC_CTX* context;
  EVP_MD* digest;
  PyMutex mutex;
};
Hmac* as_hmac(PyObject* o) { return reinterpret_cast<Hmac*>(o); }

void hmac_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  EVP_MAC_CTX_free(as_hmac(self)->context);
  EVP_MD_free(as_hmac(self)->digest);
  type->tp_free(self);
  Py_DECREF(type);
}

// A context that has been given its key; null: what OpenSSL says is raised.
Owned<EVP_MAC_CTX> start_hmac(const EVP_MD* digest, const Buffer& key) {
  Owned<EVP_MAC> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  Owned<EVP_MAC_CTX> context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  char* name = const_cast<char*>(EVP_MD_get0_name(digest));
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
  const auto* bytes = key.size() ? key.data() : reinterpret_cast<const unsigned char*>("");
  if (is_xof(digest) || !context || !EVP_MAC_init(context.get(), bytes, static_cast<size_t>(key.size()), parameters)) {
    raise_last(PyExc_ValueError);
    return nullptr;
  }
  return context;
}

bool check_int_size(const Buffer& buffer, const char* what) {
  if (buffer.size() <= INT_MAX) return true;
  PyErr_Format(PyExc_OverflowError, "%s is too long.", what);
  return false;
}

bool update_hmac(PyObject* self, PyObject* data) {
  Py_buffer view;
  if (!hashing::get_bytes(data, &view)) return false;
  Hmac* h = as_hmac(self);
  const bool ok = guarded(&h->mutex, view.len, [&] {
    return EVP_MAC_update(h->context, static_cast<const unsigned char*>(view.buf), static_cast<size_t>(view.len)) != 0;
  });
  PyBuffer_Release(&view);
  if (!ok) raise_last(PyExc_ValueError);
  return ok;
}

PyObject* hmac_new(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"key", "msg", "digestmod", nullptr};
  State* state = state_of(module);
  PyObject *key, *message = nullptr, *like = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:hmac_new", const_cast<char**>(keywords), &key, &message, &like)) return nullptr;
  Buffer bytes;
  if (!bytes.get(key) || !check_int_size(bytes, "key")) return nullptr;
  if (like == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Missing required parameter 'digestmod'.");
    return nullptr;
  }
  Owned<EVP_MD> digest = digest_like(state, like);
  if (!digest) return nullptr;
  Owned<EVP_MAC_CTX> context = start_hmac(digest.get(), bytes);
  if (!context) return nullptr;
  Ref self(state->hmac_type->tp_alloc(state->hmac_type, 0));
  if (!self) return nullptr;
  as_hmac(self.get())->context = context.release();
  as_hmac(self.get())->digest = digest.release();
  if (message != nullptr && message != Py_None && !update_hmac(self.get(), message)) return nullptr;
  return self.release();
}

PyObject* hmac_update(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"msg", nullptr};
  PyObject* message;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:update", const_cast<char**>(keywords), &message) || !update_hmac(self, message)) return nullptr;
  Py_RETURN_NONE;
}

Owned<EVP_MAC_CTX> snapshot_hmac(PyObject* self) {
  Locked lock(&as_hmac(self)->mutex);
  return Owned<EVP_MAC_CTX>(EVP_MAC_CTX_dup(as_hmac(self)->context));
}

PyObject* hmac_copy(PyObject* self, PyObject*) {
  Owned<EVP_MAC_CTX> copy = snapshot_hmac(self);
  if (!copy) return raise_last(PyExc_ValueError);
  Ref other(Py_TYPE(self)->tp_alloc(Py_TYPE(self), 0));
  if (!other) return nullptr;
  EVP_MD* digest = as_hmac(self)->digest;
  EVP_MD_up_ref(digest);
  as_hmac(other.get())->context = copy.release();
  as_hmac(other.get())->digest = digest;
  return other.release();
}

bool finish_hmac(EVP_MAC_CTX* context, std::string* out) {
  size_t size = 0;
  out->resize(EVP_MAX_MD_SIZE);
  const bool ok = context != nullptr && EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out->data()), &size, out->size());
  out->resize(size);
  if (!ok) raise_last(PyExc_ValueError);
  return ok;
}

PyObject* hmac_finish(PyObject* self, PyObject*) {
  std::string out;
  if (!finish_hmac(snapshot_hmac(self).get(), &out)) return nullptr;
  return PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size()));
}

PyObject* hmac_hexdigest(PyObject* self, PyObject*) {
  std::string out;
  return finish_hmac(snapshot_hmac(self).get(), &out) ? hashing::hexadecimal(out.data(), out.size()) : nullptr;
}

PyObject* hmac_digest(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"key", "msg", "digest", nullptr};
  PyObject *key, *message, *like;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:hmac_digest", const_cast<char**>(keywords), &key, &message, &like)) return nullptr;
  Buffer key_bytes, bytes;
  if (!key_bytes.get(key) || !bytes.get(message) || !check_int_size(key_bytes, "key") || !check_int_size(bytes, "msg")) return nullptr;
  Owned<EVP_MD> digest = digest_like(state_of(module), like);
  if (!digest) return nullptr;
  Owned<EVP_MAC_CTX> context = start_hmac(digest.get(), key_bytes);
  if (!context) return nullptr;
  PyMutex own{};
  const bool ok =
      guarded(&own, bytes.size(), [&] { return EVP_MAC_update(context.get(), bytes.data(), static_cast<size_t>(bytes.size())) != 0; });
  std::string out;
  if (!ok) return raise_last(PyExc_ValueError);
  if (!finish_hmac(context.get(), &out)) return nullptr;
  return PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size()));
}

PyObject* hmac_name(PyObject* self, void*) { return PyUnicode_FromFormat("hmac-%s", name_of(as_hmac(self)->digest).c_str()); }
PyObject* hmac_block_size(PyObject* self, void*) { return PyLong_FromLong(EVP_MD_get_block_size(as_hmac(self)->digest)); }
PyObject* hmac_digest_size(PyObject* self, void*) { return PyLong_FromLong(EVP_MD_get_size(as_hmac(self)->digest)); }
PyObject* hmac_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s HMAC object @ %p>", name_of(as_hmac(self)->digest).c_str(), self);
}

PyMethodDef hmac_methods[] = {
    {"update", ext::method(hmac_update), METH_VARARGS | METH_KEYWORDS, "update($self, /, msg)\n--\n\nUpdate the HMAC object with msg."},
    {"digest", hmac_finish, METH_NOARGS, "digest($self, /)\n--\n\nReturn the digest of the bytes passed to the update() method so far."},
    {"hexdigest", hmac_hexdigest, METH_NOARGS,
     "hexdigest($self, /)\n--\n\nReturn hexadecimal digest of the bytes passed to the update() method so far."},
    {"copy", hmac_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a copy (\"clone\") of the HMAC object."},
    {},
};
PyGetSetDef hmac_getsets[] = {
    {"digest_size", hmac_digest_size, nullptr, nullptr, nullptr},
    {"block_size", hmac_block_size, nullptr, nullptr, nullptr},
    {"name", hmac_name, nullptr, nullptr, nullptr},
    {},
};
PyType_Slot hmac_slots[] = {
    {Py_tp_dealloc, slot(hmac_dealloc)},
    {Py_tp_repr, slot(hmac_repr)},
    {Py_tp_methods, hmac_methods},
    {Py_tp_getset, hmac_getsets},
    {Py_tp_doc, const_cast<char*>("The HMAC of a message under OpenSSL's digests: update(msg), digest(), hexdigest() and copy();\n"
                                  "name, digest_size and block_size tell which one it is.")},
    {0, nullptr},
};
PyType_Spec hmac_spec = {"_hashlib.HMAC", sizeof(Hmac), 0, kTypeFlags, hmac_slots};

// --- Keys from passwords

PyObject* pbkdf2(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"hash_name", "password", "salt", "iterations", "dklen", nullptr};
  PyObject *name, *password, *salt, *wanted = Py_None;
  PyObject* count;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO|O:pbkdf2_hmac", const_cast<char**>(keywords), &name, &password, &salt, &count, &wanted) ||
      !check_str("pbkdf2_hmac", "hash_name", name)) {
    return nullptr;
  }
  Buffer from, with;
  if (!from.get(password) || !with.get(salt)) return nullptr;
  const long iterations = PyLong_AsLong(count);
  if (iterations == -1 && PyErr_Occurred()) return nullptr;
  const char* text = PyUnicode_AsUTF8(name);
  Owned<EVP_MD> digest = text != nullptr ? find_digest(state_of(module), text, true) : nullptr;
  if (!digest || !check_int_size(from, "password") || !check_int_size(with, "salt")) return nullptr;
  if (iterations < 1) return PyErr_SetString(PyExc_ValueError, "iteration value must be greater than 0."), nullptr;
  if (iterations > INT_MAX) return PyErr_SetString(PyExc_OverflowError, "iteration value is too great."), nullptr;
  long length = is_xof(digest.get()) ? 0 : EVP_MD_get_size(digest.get());
  if (wanted != Py_None) {
    length = PyLong_AsLong(wanted);
    if (length == -1 && PyErr_Occurred()) return nullptr;
  }
  if (length < 1) return PyErr_SetString(PyExc_ValueError, "key length must be greater than 0."), nullptr;
  if (length > INT_MAX) return PyErr_SetString(PyExc_OverflowError, "key length is too great."), nullptr;
  Ref key(PyBytes_FromStringAndSize(nullptr, length));
  if (!key) return nullptr;
  auto* to = reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(key.get()));
  int ok;
  {
    ext::Away away;
    ok = PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(from.data()), static_cast<int>(from.size()), with.data(),
                           static_cast<int>(with.size()), static_cast<int>(iterations), digest.get(), static_cast<int>(length), to);
  }
  return ok ? key.release() : raise_last(PyExc_ValueError);
}

bool to_unsigned_long(PyObject* value, unsigned long* result) {
  unsigned long long wide;
  if (ext::to_unsigned(value, &wide)) {
    *result = wide;
    return true;
  }
  if (PyErr_ExceptionMatches(PyExc_OverflowError)) PyErr_SetString(PyExc_OverflowError, "Python int too large for C unsigned long");
  return false;
}

PyObject* scrypt(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"password", "salt", "n", "r", "p", "maxmem", "dklen", nullptr};
  PyObject *password, *salt = nullptr, *cost[3] = {};
  long memory = 0, length = 64;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOll:scrypt", const_cast<char**>(keywords), &password, &salt, &cost[0], &cost[1],
                                   &cost[2], &memory, &length)) {
    return nullptr;
  }
  PyObject* required[] = {salt, cost[0], cost[1], cost[2]};
  for (int i = 0; i < 4; ++i) {
    if (required[i] == nullptr) return PyErr_Format(PyExc_TypeError, "scrypt() missing required argument '%s' (pos %d)", keywords[i + 1], i + 2);
  }
  Buffer from, with;
  unsigned long n, r, p;
  if (!from.get(password) || !with.get(salt) || !to_unsigned_long(cost[0], &n) || !to_unsigned_long(cost[1], &r) ||
      !to_unsigned_long(cost[2], &p) || !check_int_size(from, "password") || !check_int_size(with, "salt")) {
    return nullptr;
  }
  if (n < 2 || (n & (n - 1)) != 0) return PyErr_SetString(PyExc_ValueError, "n must be a power of 2."), nullptr;
  if (memory < 0 || memory > INT_MAX) return PyErr_Format(PyExc_ValueError, "maxmem must be positive and smaller than %d", INT_MAX);
  if (length < 1 || length > INT_MAX) return PyErr_Format(PyExc_ValueError, "dklen must be greater than 0 and smaller than %d", INT_MAX);
  const auto limit = static_cast<uint64_t>(memory);
  if (!EVP_PBE_scrypt(nullptr, 0, nullptr, 0, n, r, p, limit, nullptr, 0)) {
    return raise_last(PyExc_ValueError, "Invalid parameter combination for n, r, p, maxmem.");
  }
  Ref key(PyBytes_FromStringAndSize(nullptr, length));
  if (!key) return nullptr;
  auto* to = reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(key.get()));
  int ok;
  {
    ext::Away away;
    ok = EVP_PBE_scrypt(reinterpret_cast<const char*>(from.data()), static_cast<size_t>(from.size()), with.data(),
                        static_cast<size_t>(with.size()), n, r, p, limit, to, static_cast<size_t>(length));
  }
  return ok ? key.release() : raise_last(PyExc_ValueError);
}

// --- The rest

// Takes as long for equal data as for data that differ, wherever they do.
PyObject* compare_digest(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("compare_digest", nargs, 2, 2)) return nullptr;
  PyObject *a = args[0], *b = args[1];
  auto compare = [](const void* left, Py_ssize_t left_size, const void* right, Py_ssize_t right_size) {
    const bool same_size = left_size == right_size;
    // Of another length: b with itself, so that the time tells the length of b only.
    const int differ = CRYPTO_memcmp(same_size ? left : right, right, static_cast<size_t>(right_size));
    return PyBool_FromLong(same_size && differ == 0);
  };
  if (PyUnicode_Check(a) && PyUnicode_Check(b)) {
    if (!PyUnicode_IS_ASCII(a) || !PyUnicode_IS_ASCII(b)) {
      PyErr_SetString(PyExc_TypeError, "comparing strings with non-ASCII characters is not supported");
      return nullptr;
    }
    return compare(PyUnicode_DATA(a), PyUnicode_GET_LENGTH(a), PyUnicode_DATA(b), PyUnicode_GET_LENGTH(b));
  }
  Buffer left, right;
  if (!left.get(a) || !right.get(b)) return nullptr;
  if (left.view()->ndim > 1 || right.view()->ndim > 1) {
    PyErr_SetString(PyExc_BufferError, "Buffer must be single dimension");
    return nullptr;
  }
  return compare(left.data(), left.size(), right.data(), right.size());
}

PyObject* get_fips_mode(PyObject*, PyObject*) { return PyLong_FromLong(EVP_default_properties_is_fips_enabled(nullptr)); }

#define AMPHIS_OPENSSL_HASH(index, name)                                                                            \
  {"openssl_" #name, ext::method(hash_make<index>), METH_VARARGS | METH_KEYWORDS,                                    \
   "openssl_" #name "($module, /, data=b\'\', *, usedforsecurity=True, string=None)\n--\n\nReturns a " #name         \
   " hash object; optionally initialized with a string"}

PyMethodDef methods[] = {
    {"new", ext::method(hash_new), METH_VARARGS | METH_KEYWORDS,
     "new($module, /, name, data=b\'\', *, usedforsecurity=True, string=None)\n--\n\nReturn a new hash object using the named algorithm."},
    AMPHIS_OPENSSL_HASH(0, md5),
    AMPHIS_OPENSSL_HASH(1, sha1),
    AMPHIS_OPENSSL_HASH(2, sha224),
    AMPHIS_OPENSSL_HASH(3, sha256),
    AMPHIS_OPENSSL_HASH(4, sha384),
    AMPHIS_OPENSSL_HASH(5, sha512),
    AMPHIS_OPENSSL_HASH(8, sha3_224),
    AMPHIS_OPENSSL_HASH(9, sha3_256),
    AMPHIS_OPENSSL_HASH(10, sha3_384),
    AMPHIS_OPENSSL_HASH(11, sha3_512),
    AMPHIS_OPENSSL_HASH(12, shake_128),
    AMPHIS_OPENSSL_HASH(13, shake_256),
    {"pbkdf2_hmac", ext::method(pbkdf2), METH_VARARGS | METH_KEYWORDS,
     "pbkdf2_hmac($module, /, hash_name, password, salt, iterations, dklen=None)\n--\n\nPassword based key derivation function 2 (PKCS #5 "
     "v2.0) with HMAC as pseudorandom function."},
    {"scrypt", ext::method(scrypt), METH_VARARGS | METH_KEYWORDS,
     "scrypt($module, /, password, *, salt, n, r, p, maxmem=0, dklen=64)\n--\n\nscrypt password-based key derivation function."},
    {"get_fips_mode", get_fips_mode, METH_NOARGS, "get_fips_mode($module, /)\n--\n\nWhether OpenSSL's default properties ask for FIPS."},
    {"compare_digest", ext::method(compare_digest), METH_FASTCALL,
     "compare_digest($module, a, b, /)\n--\n\nReturn 'a == b', in a time that does not depend on where they differ."},
    {"hmac_digest", ext::method(hmac_digest), METH_VARARGS | METH_KEYWORDS,
     "hmac_digest($module, /, key, msg, digest)\n--\n\nSingle-shot HMAC."},
    {"hmac_new", ext::method(hmac_new), METH_VARARGS | METH_KEYWORDS,
     "hmac_new($module, /, key, msg=b\'\', digestmod=None)\n--\n\nReturn a new hmac object."},
    {},
};

// Every constructor with the name of its algorithm, so that hmac may be told the constructor.
Ref make_constructors(PyObject* module) {
  Ref dict(PyDict_New());
  for (const PyMethodDef* m = methods; dict && m->ml_name != nullptr; ++m) {
    if (strncmp(m->ml_name, "openssl_", 8) != 0) continue;
    Ref function(PyObject_GetAttrString(module, m->ml_name)), name(PyUnicode_FromString(m->ml_name + 8));
    if (!function || !name || PyDict_SetItem(dict.get(), function.get(), name.get()) < 0) return Ref();
  }
  return dict;
}

Ref make_names() {
  Ref names(PyFrozenSet_New(nullptr));
  if (!names) return names;
  EVP_MD_do_all_provided(
      nullptr,
      [](EVP_MD* digest, void* set) {
        const std::string name = name_of(digest);
        if (name.empty()) return;
        Ref text(PyUnicode_FromString(name.c_str()));
        if (!text || PySet_Add(static_cast<PyObject*>(set), text.get()) < 0) PyErr_Clear();
      },
      names.get());
  return names;
}

int exec_module(PyObject* module) {
  State* state = state_of(module);
  auto make = [&](PyTypeObject** type, PyType_Spec* spec, PyTypeObject* base) {
    *type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, spec, reinterpret_cast<PyObject*>(base)));
    return *type != nullptr && PyModule_AddType(module, *type) == 0;
  };
  if (!make(&state->hash_type, &hash_spec, nullptr) || !make(&state->xof_type, &xof_spec, state->hash_type) ||
      !make(&state->hmac_type, &hmac_spec, nullptr)) {
    return -1;
  }
  state->unsupported = PyErr_NewException("_hashlib.UnsupportedDigestmodError", PyExc_ValueError, nullptr);
  state->constructors = make_constructors(module).release();
  if (state->unsupported == nullptr || state->constructors == nullptr) return -1;
  if (PyModule_AddObjectRef(module, "UnsupportedDigestmodError", state->unsupported) < 0 ||
      PyModule_Add(module, "_constructors", PyDictProxy_New(state->constructors)) < 0 ||
      PyModule_Add(module, "openssl_md_meth_names", make_names().release()) < 0) {
    return -1;
  }
  return PyModule_AddIntConstant(module, "_GIL_MINSIZE", kDetachAbove);
}

int traverse_module(PyObject* module, visitproc visit, void* arg) {
  State* state = state_of(module);
  Py_VISIT(state->hash_type);
  Py_VISIT(state->xof_type);
  Py_VISIT(state->hmac_type);
  Py_VISIT(state->constructors);
  Py_VISIT(state->unsupported);
  return 0;
}
int clear_module(PyObject* module) {
  State* state = state_of(module);
  Py_CLEAR(state->hash_type);
  Py_CLEAR(state->xof_type);
  Py_CLEAR(state->hmac_type);
  Py_CLEAR(state->constructors);
  Py_CLEAR(state->unsupported);
  return 0;
}
void free_module(void* module) { clear_module(static_cast<PyObject*>(module)); }

PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(exec_module);
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_hashlib",
    .m_doc = "OpenSSL interface for hashlib module",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

}  // namespace

PyMODINIT_FUNC PyInit__hashlib(void) { return PyModuleDef_Init(&def); }
