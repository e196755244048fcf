// The module _ssl: the type _SSLContext, the functions, and the constants.
#include "ssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace ssl {

using ext::Buffer;
using ext::Ref;

PyTypeObject *context_type = nullptr, *socket_type = nullptr, *bio_type = nullptr, *session_type = nullptr,
             *certificate_type = nullptr;

namespace {

enum Protocol { kTls = 2, kTls1 = 3, kTls11 = 4, kTls12 = 5, kTlsClient = 16, kTlsServer = 17 };
constexpr int kRequired = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
constexpr int kMinimum = -2, kMaximum = -1;  // PROTO_MINIMUM_SUPPORTED, PROTO_MAXIMUM_SUPPORTED

// The password for a key, asked for once: bytes, a str, or a function that returns one.
struct Password {
  PyObject* given;
  std::string text;
  bool failed = false;

  bool accept(PyObject* value, const char* wrong) {
    Ref encoded;
    if (PyUnicode_Check(value)) {
      encoded = Ref(PyUnicode_AsUTF8String(value));
    } else if (PyBytes_Check(value)) {
      encoded = Ref(Py_NewRef(value));
    } else if (PyByteArray_Check(value)) {
      encoded = Ref(PyBytes_FromObject(value));
    } else {
      PyErr_SetString(PyExc_TypeError, wrong);
    }
    if (!encoded) return false;
    text.assign(PyBytes_AS_STRING(encoded.get()), static_cast<size_t>(PyBytes_GET_SIZE(encoded.get())));
    return true;
  }
  static int call(char* out, int room, int writing, void* data) {
    Password* self = wanted;
    if (self == nullptr) return PEM_def_callback(out, room, writing, data);
    const PyGILState_STATE state = PyGILState_Ensure();
    bool ok = true;
    if (PyCallable_Check(self->given)) {
      Ref value(PyObject_CallNoArgs(self->given));
      ok = value && self->accept(value.get(), "password callback must return a string");
    }
    if (ok && static_cast<int>(self->text.size()) > room) {
      PyErr_Format(PyExc_ValueError, "password cannot be longer than %d bytes", room);
      ok = false;
    }
    self->failed = !ok;
    PyGILState_Release(state);
    if (!ok) return -1;
    memcpy(out, self->text.data(), self->text.size());
    return static_cast<int>(self->text.size());
  }

  // Of the call that this thread is in: threads may load into one context at once, and a callback may load, too.
  static thread_local Password* wanted;
};
thread_local Password* Password::wanted = nullptr;

PyObject* context_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  int protocol;
  if ((kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) || !PyArg_ParseTuple(args, "i:_SSLContext", &protocol)) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "_SSLContext() takes no keyword arguments");
    return nullptr;
  }
  const char* old_name = nullptr;
  const SSL_METHOD* method = TLS_method();
  int version = 0;
  switch (protocol) {
    case kTls1: version = TLS1_VERSION; old_name = "ssl.PROTOCOL_TLSv1 is deprecated"; break;
    case kTls11: version = TLS1_1_VERSION; old_name = "ssl.PROTOCOL_TLSv1_1 is deprecated"; break;
    case kTls12: version = TLS1_2_VERSION; old_name = "ssl.PROTOCOL_TLSv1_2 is deprecated"; break;
    case kTls: old_name = "ssl.PROTOCOL_TLS is deprecated"; break;
    case kTlsClient: method = TLS_client_method(); break;
    case kTlsServer: method = TLS_server_method(); break;
    default: return PyErr_Format(PyExc_ValueError, "invalid or unsupported protocol version %i", protocol);
  }
  if (old_name != nullptr && PyErr_WarnEx(PyExc_DeprecationWarning, old_name, 2) < 0) return nullptr;
  SSL_CTX* ctx = SSL_CTX_new(method);
  if (ctx == nullptr) return raise_queue();
  PyObject* object = type->tp_alloc(type, 0);
  if (object == nullptr) {
    SSL_CTX_free(ctx);
    return nullptr;
  }
  Context* self = context_of(object);
  self->ctx = ctx;
  self->alpn = new std::forward_list<std::string>;
  self->protocol = protocol;
  self->host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  SSL_CTX_set_app_data(ctx, self);
  SSL_CTX_set_default_passwd_cb(ctx, Password::call);
  SSL_CTX_set_verify(ctx, protocol == kTlsClient ? kRequired : SSL_VERIFY_NONE, nullptr);
  self->check_hostname = protocol == kTlsClient;
  uint64_t options = SSL_OP_ALL & ~static_cast<uint64_t>(SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS);
  options |= SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
             SSL_OP_SINGLE_ECDH_USE | SSL_OP_ENABLE_MIDDLEBOX_COMPAT;
  SSL_CTX_set_options(ctx, options);
  if (version != 0) {
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
  }
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  const unsigned char id[] = "Python";
  SSL_CTX_set_session_id_context(ctx, id, sizeof id);
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(ctx);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_TRUSTED_FIRST);
  X509_VERIFY_PARAM_set_hostflags(parameters, self->host_flags);
  ERR_clear_error();
  return object;
}

int context_traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(context_of(object)->sni_callback);
  Py_VISIT(context_of(object)->message_callback);
  return 0;
}
int context_clear(PyObject* object) {
  Py_CLEAR(context_of(object)->sni_callback);
  Py_CLEAR(context_of(object)->message_callback);
  return 0;
}
void context_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Context* self = context_of(object);
  context_clear(object);
  Py_CLEAR(self->keylog_name);
  // Connections that have another context now still use this SSL_CTX.
  SSL_CTX_set_tlsext_servername_callback(self->ctx, nullptr);
  SSL_CTX_set_alpn_select_cb(self->ctx, nullptr, nullptr);
  SSL_CTX_set_msg_callback(self->ctx, nullptr);
  SSL_CTX_set_keylog_callback(self->ctx, nullptr);
  SSL_CTX_set_app_data(self->ctx, nullptr);
  SSL_CTX_free(self->ctx);
  BIO_free_all(self->keylog);
  delete self->alpn;
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

// ---- connections ----

PyObject* wrap_socket(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"sock", "server_side", "server_hostname", "owner", "session", nullptr};
  PyObject *sock, *hostname = Py_None, *owner = Py_None, *session = Py_None;
  int server;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Op|O$OO:_wrap_socket", const_cast<char**>(keywords), &sock, &server,
                                   &hostname, &owner, &session))
    return nullptr;
  return new_connection(context_of(object), sock, nullptr, nullptr, server != 0, hostname, owner, session);
}
PyObject* wrap_bio(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"incoming", "outgoing", "server_side", "server_hostname", "owner", "session", nullptr};
  PyObject *incoming, *outgoing, *hostname = Py_None, *owner = Py_None, *session = Py_None;
  int server;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!p|O$OO:_wrap_bio", const_cast<char**>(keywords), bio_type, &incoming,
                                   bio_type, &outgoing, &server, &hostname, &owner, &session))
    return nullptr;
  return new_connection(context_of(object), nullptr, reinterpret_cast<MemoryBio*>(incoming),
                        reinterpret_cast<MemoryBio*>(outgoing), server != 0, hostname, owner, session);
}

// ---- ciphers and protocols ----

PyObject* set_ciphers(PyObject* object, PyObject* list) {
  const char* text = PyUnicode_Check(list) ? PyUnicode_AsUTF8(list) : nullptr;
  if (text == nullptr) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "set_ciphers() argument must be str, not %T", list);
    return nullptr;
  }
  if (SSL_CTX_set_cipher_list(context_of(object)->ctx, text)) Py_RETURN_NONE;
  ERR_clear_error();
  PyErr_SetString(errors.base, "No cipher can be selected.");
  return nullptr;
}

PyObject* describe(const SSL_CIPHER* cipher) {
  char text[512];
  SSL_CIPHER_description(cipher, text, sizeof text);
  for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n'; n--) text[n - 1] = '\0';
  const auto name = [](int nid) { return nid != NID_undef ? OBJ_nid2ln(nid) : nullptr; };
  int bits;
  const int strength = SSL_CIPHER_get_bits(cipher, &bits);
  return Py_BuildValue("{sksssssssisisOszszszsz}", "id", static_cast<unsigned long>(SSL_CIPHER_get_id(cipher)), "name",
                       SSL_CIPHER_get_name(cipher), "protocol", SSL_CIPHER_get_version(cipher), "description", text,
                       "strength_bits", strength, "alg_bits", bits, "aead", SSL_CIPHER_is_aead(cipher) ? Py_True : Py_False,
                       "symmetric", name(SSL_CIPHER_get_cipher_nid(cipher)), "digest", name(SSL_CIPHER_get_digest_nid(cipher)),
                       "kea", name(SSL_CIPHER_get_kx_nid(cipher)), "auth", name(SSL_CIPHER_get_auth_nid(cipher)));
}

PyObject* get_ciphers(PyObject* object, PyObject*) {
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_of(object)->ctx), SSL_free);
  if (!ssl) return raise_queue();
  STACK_OF(SSL_CIPHER)* ciphers = SSL_get_ciphers(ssl.get());
  Ref list(PyList_New(0));
  for (int i = 0; list && i < sk_SSL_CIPHER_num(ciphers); i++) {
    Ref item(describe(sk_SSL_CIPHER_value(ciphers, i)));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* n, const unsigned char* theirs, unsigned count, void* arg) {
  const std::string& ours = *static_cast<Context*>(arg)->alpn_now.load(std::memory_order_acquire);
  const int code = SSL_select_next_proto(const_cast<unsigned char**>(out), n, reinterpret_cast<const unsigned char*>(ours.data()),
                                         static_cast<unsigned>(ours.size()), theirs, count);
  return code == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

PyObject* set_alpn(PyObject* object, PyObject* data) {
  Buffer buffer;
  if (!buffer.get(data)) return nullptr;
  if (static_cast<size_t>(buffer.size()) > UINT_MAX)
    return PyErr_Format(PyExc_OverflowError, "protocols longer than %u bytes", UINT_MAX);
  Context* self = context_of(object);
  const std::string protocols(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(buffer.size()));
  auto known = std::find(self->alpn->begin(), self->alpn->end(), protocols);
  if (known == self->alpn->end()) known = self->alpn->insert_after(self->alpn->before_begin(), protocols);
  self->alpn_now.store(&*known, std::memory_order_release);
  if (SSL_CTX_set_alpn_protos(self->ctx, buffer.data(), static_cast<unsigned>(buffer.size()))) return PyErr_NoMemory();
  SSL_CTX_set_alpn_select_cb(self->ctx, select_alpn, self);
  Py_RETURN_NONE;
}

// ---- certificates and keys ----

// Runs a call that reads files; its failure is the system's where that set errno.
template <class F>
bool file_call(F f) {
  ERR_clear_error();
  int ok, error;
  {
    ext::Away away;
    errno = 0;
    ok = f();
    error = errno;
  }
  if (ok == 1 && !PyErr_Occurred()) return true;
  if (PyErr_Occurred()) {
    ERR_clear_error();
  } else if (error != 0) {
    ERR_clear_error();
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
  } else {
    raise_queue();
  }
  return false;
}

PyObject* load_cert_chain(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"certfile", "keyfile", "password", nullptr};
  PyObject *certificate, *key = Py_None, *given = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:load_cert_chain", const_cast<char**>(keywords), &certificate, &key, &given))
    return nullptr;
  Ref certificate_path, key_path;
  if (!PyUnicode_FSConverter(certificate, certificate_path.out())) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "certfile should be a valid filesystem path");
    return nullptr;
  }
  if (key != Py_None && !PyUnicode_FSConverter(key, key_path.out())) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "keyfile should be a valid filesystem path");
    return nullptr;
  }
  SSL_CTX* ctx = context_of(object)->ctx;
  Password password{given, {}, false};
  if (given != Py_None && !PyCallable_Check(given) && !password.accept(given, "password should be a string or callable"))
    return nullptr;
  Password* const outer = std::exchange(Password::wanted, given != Py_None ? &password : nullptr);
  const char* certificate_name = PyBytes_AS_STRING(certificate_path.get());
  const char* key_name = key_path ? PyBytes_AS_STRING(key_path.get()) : certificate_name;
  const bool ok = file_call([&] { return SSL_CTX_use_certificate_chain_file(ctx, certificate_name); }) &&
                  file_call([&] { return SSL_CTX_use_PrivateKey_file(ctx, key_name, SSL_FILETYPE_PEM); });
  Password::wanted = outer;
  if (!ok) return nullptr;
  if (SSL_CTX_check_private_key(ctx) != 1) return raise_queue();
  Py_RETURN_NONE;
}

// Adds every certificate in `data`, which is PEM text or DER, to the trusted ones.
bool add_authorities(SSL_CTX* ctx, const void* data, Py_ssize_t n, bool pem) {
  if (n <= 0) {
    PyErr_SetString(PyExc_ValueError, "Empty certificate data");
    return false;
  }
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(data, static_cast<int>(n)), BIO_free);
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  int loaded = 0;
  for (;;) {
    std::unique_ptr<X509, decltype(&X509_free)> certificate(
        pem ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : d2i_X509_bio(bio.get(), nullptr), X509_free);
    if (!certificate) break;
    if (!X509_STORE_add_cert(store, certificate.get())) {
      raise_queue();
      return false;
    }
    loaded++;
  }
  const unsigned long code = ERR_peek_last_error();
  if (loaded == 0) {
    ERR_clear_error();
    raise_text(errors.base, 0, pem ? "no start line: cadata does not contain a certificate"
                                   : "not enough data: cadata does not contain a certificate");
    return false;
  }
  const bool end = pem ? ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
                       : ERR_GET_LIB(code) == ERR_LIB_ASN1 && ERR_GET_REASON(code) == ASN1_R_HEADER_TOO_LONG;
  if (end || code == 0) {
    ERR_clear_error();
    return true;
  }
  raise_queue();
  return false;
}

PyObject* load_verify_locations(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"cafile", "capath", "cadata", nullptr};
  PyObject *file = Py_None, *folder = Py_None, *data = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:load_verify_locations", const_cast<char**>(keywords), &file, &folder, &data))
    return nullptr;
  if (file == Py_None && folder == Py_None && data == Py_None) {
    PyErr_SetString(PyExc_TypeError, "cafile, capath and cadata cannot be all omitted");
    return nullptr;
  }
  SSL_CTX* ctx = context_of(object)->ctx;
  Ref file_path, folder_path;
  if (file != Py_None && !PyUnicode_FSConverter(file, file_path.out())) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "cafile should be a valid filesystem path");
    return nullptr;
  }
  if (folder != Py_None && !PyUnicode_FSConverter(folder, folder_path.out())) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "capath should be a valid filesystem path");
    return nullptr;
  }
  if (PyUnicode_Check(data)) {
    if (!PyUnicode_IS_ASCII(data)) {
      PyErr_SetString(PyExc_ValueError, "cadata should be an ASCII string or a bytes-like object");
      return nullptr;
    }
    if (!add_authorities(ctx, PyUnicode_DATA(data), PyUnicode_GET_LENGTH(data), true)) return nullptr;
  } else if (data != Py_None) {
    Buffer buffer;
    if (!PyObject_CheckBuffer(data)) {
      PyErr_SetString(PyExc_TypeError, "cadata should be an ASCII string or a bytes-like object");
      return nullptr;
    }
    if (!buffer.get(data) || !add_authorities(ctx, buffer.data(), buffer.size(), false)) return nullptr;
  }
  if (file_path || folder_path) {
    const char* file_name = file_path ? PyBytes_AS_STRING(file_path.get()) : nullptr;
    const char* folder_name = folder_path ? PyBytes_AS_STRING(folder_path.get()) : nullptr;
    if (!file_call([&] { return SSL_CTX_load_verify_locations(ctx, file_name, folder_name); })) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* load_dh_params(PyObject* object, PyObject* path) {
  Ref name;
  if (!PyUnicode_FSConverter(path, name.out())) return nullptr;
  errno = 0;
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(PyBytes_AS_STRING(name.get()), "r"), BIO_free);
  if (!bio) {
    ERR_clear_error();
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
  }
  EVP_PKEY* parameters = PEM_read_bio_Parameters(bio.get(), nullptr);
  if (parameters == nullptr) return raise_queue();
  if (!SSL_CTX_set0_tmp_dh_pkey(context_of(object)->ctx, parameters)) {
    EVP_PKEY_free(parameters);
    return raise_queue();
  }
  Py_RETURN_NONE;
}

PyObject* set_default_verify_paths(PyObject* object, PyObject*) {
  if (!SSL_CTX_set_default_verify_paths(context_of(object)->ctx)) return raise_queue();
  Py_RETURN_NONE;
}

PyObject* set_ecdh_curve(PyObject* object, PyObject* name) {
  Ref bytes;
  if (!PyUnicode_FSConverter(name, bytes.out())) return nullptr;
  const int nid = OBJ_sn2nid(PyBytes_AS_STRING(bytes.get()));
  if (nid == NID_undef) return PyErr_Format(PyExc_ValueError, "unknown elliptic curve name %R", name);
  if (!SSL_CTX_set1_groups(context_of(object)->ctx, &nid, 1)) return raise_queue();
  Py_RETURN_NONE;
}

PyObject* cert_store_stats(PyObject* object, PyObject*) {
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context_of(object)->ctx));
  int certificates = 0, lists = 0, authorities = 0;
  for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
    X509_OBJECT* item = sk_X509_OBJECT_value(objects, i);
    if (X509_OBJECT_get_type(item) == X509_LU_CRL) lists++;
    if (X509_OBJECT_get_type(item) != X509_LU_X509) continue;
    certificates++;
    if (X509_check_ca(X509_OBJECT_get0_X509(item))) authorities++;
  }
  return Py_BuildValue("{sisisi}", "x509", certificates, "crl", lists, "x509_ca", authorities);
}

PyObject* get_ca_certs(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"binary_form", nullptr};
  int binary = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:get_ca_certs", const_cast<char**>(keywords), &binary)) return nullptr;
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context_of(object)->ctx));
  Ref list(PyList_New(0));
  for (int i = 0; list && i < sk_X509_OBJECT_num(objects); i++) {
    X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate == nullptr || !X509_check_ca(certificate)) continue;
    Ref item(binary ? certificate_bytes(certificate) : decode_certificate(certificate));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* session_stats(PyObject* object, PyObject*) {
  SSL_CTX* ctx = context_of(object)->ctx;
  return Py_BuildValue("{slslslslslslslslslslsl}", "number", SSL_CTX_sess_number(ctx), "connect", SSL_CTX_sess_connect(ctx),
                       "connect_good", SSL_CTX_sess_connect_good(ctx), "connect_renegotiate",
                       SSL_CTX_sess_connect_renegotiate(ctx), "accept", SSL_CTX_sess_accept(ctx), "accept_good",
                       SSL_CTX_sess_accept_good(ctx), "accept_renegotiate", SSL_CTX_sess_accept_renegotiate(ctx), "hits",
                       SSL_CTX_sess_hits(ctx), "misses", SSL_CTX_sess_misses(ctx), "timeouts", SSL_CTX_sess_timeouts(ctx),
                       "cache_full", SSL_CTX_sess_cache_full(ctx));
}

PyObject* no_psk(PyObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "pre-shared keys: this module has no callbacks for them");
  return nullptr;
}

// ---- attributes ----

bool get_int(PyObject* value, int* number) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return false;
  }
  return ext::to_int(value, number);
}

PyObject* get_check_hostname(PyObject* self, void*) { return PyBool_FromLong(context_of(self)->check_hostname); }
int set_check_hostname(PyObject* self, PyObject* value, void*) {
  const int on = value == nullptr ? -1 : PyObject_IsTrue(value);
  if (on < 0) return -1;
  SSL_CTX* ctx = context_of(self)->ctx;
  if (on && SSL_CTX_get_verify_mode(ctx) == SSL_VERIFY_NONE) SSL_CTX_set_verify(ctx, kRequired, nullptr);
  context_of(self)->check_hostname = on != 0;
  return 0;
}

PyObject* get_verify_mode(PyObject* self, void*) {
  const int mode = SSL_CTX_get_verify_mode(context_of(self)->ctx);
  return PyLong_FromLong(!(mode & SSL_VERIFY_PEER) ? 0 : mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT ? 2 : 1);
}
int set_verify_mode(PyObject* self, PyObject* value, void*) {
  int mode;
  if (!get_int(value, &mode)) return -1;
  if (mode < 0 || mode > 2) {
    PyErr_SetString(PyExc_ValueError, "invalid value for verify_mode");
    return -1;
  }
  if (mode == 0 && context_of(self)->check_hostname) {
    PyErr_SetString(PyExc_ValueError, "Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
    return -1;
  }
  SSL_CTX_set_verify(context_of(self)->ctx,
                     mode == 0   ? SSL_VERIFY_NONE
                     : mode == 1 ? SSL_VERIFY_PEER
                                 : kRequired,
                     nullptr);
  return 0;
}

PyObject* get_verify_flags(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(context_of(self)->ctx)));
}
int set_verify_flags(PyObject* self, PyObject* value, void*) {
  const unsigned long flags = value == nullptr ? 0 : PyLong_AsUnsignedLong(value);
  if (PyErr_Occurred()) return -1;
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context_of(self)->ctx);
  const unsigned long old = X509_VERIFY_PARAM_get_flags(parameters);
  X509_VERIFY_PARAM_clear_flags(parameters, old & ~flags);
  X509_VERIFY_PARAM_set_flags(parameters, flags & ~old);
  return 0;
}

PyObject* get_options(PyObject* self, void*) { return PyLong_FromUnsignedLongLong(SSL_CTX_get_options(context_of(self)->ctx)); }
int set_options(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) return -1;
  const uint64_t options = PyLong_AsUnsignedLongLong(value);
  if (PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C");
    return -1;
  }
  SSL_CTX* ctx = context_of(self)->ctx;
  const uint64_t old = SSL_CTX_get_options(ctx);
  const uint64_t versions = SSL_OP_NO_SSLv2 | SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3;
  if ((options & ~old & versions) != 0 &&
      PyErr_WarnEx(PyExc_DeprecationWarning, "ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated", 2) < 0)
    return -1;
  SSL_CTX_clear_options(ctx, old & ~options);
  SSL_CTX_set_options(ctx, options & ~old);
  return 0;
}

template <bool minimum>
PyObject* get_version(PyObject* self, void*) {
  SSL_CTX* ctx = context_of(self)->ctx;
  const long version = minimum ? SSL_CTX_get_min_proto_version(ctx) : SSL_CTX_get_max_proto_version(ctx);
  return PyLong_FromLong(version != 0 ? version : minimum ? kMinimum : kMaximum);
}
template <bool minimum>
int set_version(PyObject* self, PyObject* value, void*) {
  int version;
  if (!get_int(value, &version)) return -1;
  Context* context = context_of(self);
  if (context->protocol == kTls1 || context->protocol == kTls11 || context->protocol == kTls12) {
    PyErr_SetString(PyExc_ValueError, "The context's protocol doesn't support modification of highest and lowest version.");
    return -1;
  }
  if ((version == SSL3_VERSION || version == TLS1_VERSION || version == TLS1_1_VERSION)) {
    const std::string name = std::string("ssl.TLSVersion.") +
                             (version == SSL3_VERSION ? "SSLv3" : version == TLS1_VERSION ? "TLSv1" : "TLSv1_1") + " is deprecated";
    if (PyErr_WarnEx(PyExc_DeprecationWarning, name.c_str(), 2) < 0) return -1;
  } else if (version != kMinimum && version != kMaximum && version != TLS1_2_VERSION && version != TLS1_3_VERSION) {
    PyErr_Format(PyExc_ValueError, "Unsupported TLS/SSL version 0x%x", version);
    return -1;
  }
  // The extremes: no limit, or the highest there is for the lowest allowed.
  const int native = version == kMinimum ? (minimum ? 0 : TLS1_2_VERSION) : version == kMaximum ? (minimum ? TLS1_3_VERSION : 0) : version;
  if (minimum ? SSL_CTX_set_min_proto_version(context->ctx, native) : SSL_CTX_set_max_proto_version(context->ctx, native)) return 0;
  PyErr_Format(PyExc_ValueError, "Unsupported protocol version 0x%x", version);
  return -1;
}

PyObject* get_num_tickets(PyObject* self, void*) { return PyLong_FromSize_t(SSL_CTX_get_num_tickets(context_of(self)->ctx)); }
int set_num_tickets(PyObject* self, PyObject* value, void*) {
  const long n = value == nullptr ? -1 : PyLong_AsLong(value);
  if (n == -1 && PyErr_Occurred()) return -1;
  if (n < 0) {
    PyErr_SetString(PyExc_ValueError, "value must be non-negative");
    return -1;
  }
  if (context_of(self)->protocol != kTlsServer) {
    PyErr_SetString(PyExc_ValueError, "SSLContext is not a server context.");
    return -1;
  }
  return SSL_CTX_set_num_tickets(context_of(self)->ctx, static_cast<size_t>(n)) == 1 ? 0 : -1;
}

PyObject* get_post_handshake(PyObject* self, void*) { return PyBool_FromLong(context_of(self)->post_handshake_auth); }
int set_post_handshake(PyObject* self, PyObject* value, void*) {
  const int on = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (on < 0) return -1;
  context_of(self)->post_handshake_auth = on != 0;
  return 0;
}
PyObject* get_protocol(PyObject* self, void*) { return PyLong_FromLong(context_of(self)->protocol); }
PyObject* get_security_level(PyObject* self, void*) { return PyLong_FromLong(SSL_CTX_get_security_level(context_of(self)->ctx)); }
PyObject* get_host_flags(PyObject* self, void*) { return PyLong_FromUnsignedLong(context_of(self)->host_flags); }
int set_host_flags(PyObject* self, PyObject* value, void*) {
  int flags;
  if (!get_int(value, &flags)) return -1;
  context_of(self)->host_flags = static_cast<unsigned>(flags);
  X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(context_of(self)->ctx), context_of(self)->host_flags);
  return 0;
}

// The connection's owner, else the connection, for callbacks: a new reference.
PyObject* visible(SSL* ssl) {
  auto* connection = static_cast<PyObject*>(SSL_get_app_data(ssl));
  PyObject* owner = PyObject_GetAttrString(connection, "owner");
  if (owner != nullptr && owner != Py_None) return owner;
  Py_XDECREF(owner);
  PyErr_Clear();
  return Py_NewRef(connection);
}

PyObject* sni_of(PyObject* context) { return Py_XNewRef(context_of(context)->sni_callback); }
int on_server_name(SSL* ssl, int* alert, void* arg) {
  const PyGILState_STATE state = PyGILState_Ensure();
  int result = SSL_TLSEXT_ERR_OK;
  {
    auto* context = static_cast<Context*>(arg);
    Ref callback(ext::locked<sni_of>(reinterpret_cast<PyObject*>(context))), connection(visible(ssl));
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    Ref name_object(name != nullptr ? PyUnicode_FromString(name) : Py_NewRef(Py_None));
    Ref answer(callback && name_object ? PyObject_CallFunctionObjArgs(callback.get(), connection.get(), name_object.get(),
                                                                      reinterpret_cast<PyObject*>(context), nullptr)
                                       : nullptr);
    if (callback && !answer) {
      PyErr_FormatUnraisable("Exception ignored in ssl servername callback while calling %R", callback.get());
      *alert = SSL_AD_HANDSHAKE_FAILURE;
      result = SSL_TLSEXT_ERR_ALERT_FATAL;
    } else if (answer && answer.get() != Py_None) {
      result = SSL_TLSEXT_ERR_ALERT_FATAL;
      *alert = static_cast<int>(PyLong_AsLong(answer.get()));
      if (PyErr_Occurred()) {
        PyErr_FormatUnraisable("Exception ignored in ssl servername callback while calling %R", callback.get());
        *alert = SSL_AD_INTERNAL_ERROR;
      }
    }
  }
  PyGILState_Release(state);
  return result;
}
PyObject* get_sni(PyObject* self, void*) {
  PyObject* callback = context_of(self)->sni_callback;
  return Py_NewRef(callback == nullptr ? Py_None : callback);
}
int set_sni(PyObject* object, PyObject* value, void*) {
  Context* self = context_of(object);
  if (self->protocol == kTlsClient) {
    PyErr_SetString(PyExc_ValueError, "sni_callback cannot be set on TLS_CLIENT context");
    return -1;
  }
  const bool none = value == nullptr || value == Py_None;
  if (!none && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "not a callable object");
    return -1;
  }
  SSL_CTX_set_tlsext_servername_callback(self->ctx, (none ? nullptr : on_server_name));
  SSL_CTX_set_tlsext_servername_arg(self->ctx, self);
  Py_XSETREF(self->sni_callback, none ? nullptr : Py_NewRef(value));
  return 0;
}

PyObject* message_callback_of(PyObject* context) { return Py_XNewRef(context_of(context)->message_callback); }
void on_message(int write, int version, int content, const void* data, size_t n, SSL* ssl, void*) {
  auto* context = static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const PyGILState_STATE state = PyGILState_Ensure();
  {
    Ref callback(context != nullptr ? ext::locked<message_callback_of>(reinterpret_cast<PyObject*>(context)) : nullptr);
    if (callback) {
      const auto* bytes = static_cast<const unsigned char*>(data);
      const int type = content == SSL3_RT_HEADER && n > 0 ? bytes[0] : n > 0 ? bytes[0] : 0;
      Ref connection(visible(ssl));
      Ref result(PyObject_CallFunction(callback.get(), "Osiiiy#", connection.get(), write ? "write" : "read", version, content,
                                       type, static_cast<const char*>(data), static_cast<Py_ssize_t>(n)));
      if (!result) PyErr_WriteUnraisable(callback.get());
    }
  }
  PyGILState_Release(state);
}
PyObject* get_message_callback(PyObject* self, void*) {
  PyObject* callback = context_of(self)->message_callback;
  return Py_NewRef(callback == nullptr ? Py_None : callback);
}
int set_message_callback(PyObject* object, PyObject* value, void*) {
  const bool none = value == nullptr || value == Py_None;
  if (!none && !PyCallable_Check(value)) {
    PyErr_Format(PyExc_TypeError, "%R is not callable.", value);
    return -1;
  }
  SSL_CTX_set_msg_callback(context_of(object)->ctx, none ? nullptr : on_message);
  Py_XSETREF(context_of(object)->message_callback, none ? nullptr : Py_NewRef(value));
  return 0;
}

void on_key(const SSL* ssl, const char* line) {
  auto* context = static_cast<Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (context == nullptr) return;
  PyMutex_Lock(&context->keylog_mutex);
  if (context->keylog != nullptr) {
    BIO_printf(context->keylog, "%s\n", line);
    (void)BIO_flush(context->keylog);
  }
  PyMutex_Unlock(&context->keylog_mutex);
}
void replace_keylog(Context* self, BIO* file) {
  PyMutex_Lock(&self->keylog_mutex);
  BIO* old = std::exchange(self->keylog, file);
  PyMutex_Unlock(&self->keylog_mutex);
  BIO_free_all(old);
}
PyObject* get_keylog(PyObject* self, void*) {
  PyObject* name = context_of(self)->keylog_name;
  return Py_NewRef(name == nullptr ? Py_None : name);
}
int set_keylog(PyObject* object, PyObject* value, void*) {
  Context* self = context_of(object);
  SSL_CTX_set_keylog_callback(self->ctx, nullptr);
  replace_keylog(self, nullptr);
  Py_CLEAR(self->keylog_name);
  if (value == nullptr || value == Py_None) return 0;
  Ref path;
  if (!PyUnicode_FSConverter(value, path.out())) return -1;
  errno = 0;
  BIO* file = BIO_new_file(PyBytes_AS_STRING(path.get()), "a");
  if (file == nullptr) {
    ERR_clear_error();
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, value);
    return -1;
  }
  if (BIO_ctrl(file, BIO_C_FILE_TELL, 0, nullptr) == 0) BIO_puts(file, "# TLS secrets log file, generated by OpenSSL / Python\n");
  replace_keylog(self, file);
  Py_XSETREF(self->keylog_name, Py_NewRef(value));
  SSL_CTX_set_keylog_callback(self->ctx, on_key);
  return 0;
}

// A setter that refuses to delete.
template <auto set>
int kept(PyObject* self, PyObject* value, void* closure) {
  if (value != nullptr) return ext::locked<set>(self, value, closure);
  PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
  return -1;
}

PyMethodDef context_methods[] = {
    {"_wrap_socket", ext::method(wrap_socket), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"_wrap_bio", ext::method(wrap_bio), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"set_ciphers", ext::locked<set_ciphers>, METH_O, "set_ciphers($self, cipherlist, /)\n--\n\n"},
    {"get_ciphers", ext::locked<get_ciphers>, METH_NOARGS, "get_ciphers($self, /)\n--\n\n"},
    {"_set_alpn_protocols", ext::locked<set_alpn>, METH_O, "_set_alpn_protocols($self, protos, /)\n--\n\n"},
    {"load_cert_chain", ext::method(ext::locked<load_cert_chain>), METH_VARARGS | METH_KEYWORDS,
     "load_cert_chain($self, /, certfile, keyfile=None, password=None)\n--\n\n"},
    {"load_verify_locations", ext::method(ext::locked<load_verify_locations>), METH_VARARGS | METH_KEYWORDS,
     "load_verify_locations($self, /, cafile=None, capath=None, cadata=None)\n--\n\n"},
    {"load_dh_params", ext::locked<load_dh_params>, METH_O, "load_dh_params($self, path, /)\n--\n\n"},
    {"set_default_verify_paths", ext::locked<set_default_verify_paths>, METH_NOARGS, "set_default_verify_paths($self, /)\n--\n\n"},
    {"set_ecdh_curve", ext::locked<set_ecdh_curve>, METH_O, "set_ecdh_curve($self, name, /)\n--\n\n"},
    {"cert_store_stats", ext::locked<cert_store_stats>, METH_NOARGS, "cert_store_stats($self, /)\n--\n\n"},
    {"get_ca_certs", ext::method(ext::locked<get_ca_certs>), METH_VARARGS | METH_KEYWORDS, "get_ca_certs($self, /, binary_form=False)\n--\n\n"},
    {"session_stats", ext::locked<session_stats>, METH_NOARGS, "session_stats($self, /)\n--\n\n"},
    {"set_psk_client_callback", ext::method(no_psk), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"set_psk_server_callback", ext::method(no_psk), METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef context_getset[] = {
    {"check_hostname", ext::locked<get_check_hostname>, kept<set_check_hostname>, nullptr, nullptr},
    {"verify_mode", ext::locked<get_verify_mode>, kept<set_verify_mode>, nullptr, nullptr},
    {"verify_flags", ext::locked<get_verify_flags>, kept<set_verify_flags>, nullptr, nullptr},
    {"options", ext::locked<get_options>, kept<set_options>, nullptr, nullptr},
    {"minimum_version", ext::locked<get_version<true>>, kept<set_version<true>>, nullptr, nullptr},
    {"maximum_version", ext::locked<get_version<false>>, kept<set_version<false>>, nullptr, nullptr},
    {"num_tickets", ext::locked<get_num_tickets>, kept<set_num_tickets>, nullptr, nullptr},
    {"post_handshake_auth", ext::locked<get_post_handshake>, kept<set_post_handshake>, nullptr, nullptr},
    {"protocol", ext::locked<get_protocol>, nullptr, nullptr, nullptr},
    {"security_level", ext::locked<get_security_level>, nullptr, nullptr, nullptr},
    {"sni_callback", ext::locked<get_sni>, kept<set_sni>, nullptr, nullptr},
    {"_host_flags", ext::locked<get_host_flags>, kept<set_host_flags>, nullptr, nullptr},
    {"_msg_callback", ext::locked<get_message_callback>, kept<set_message_callback>, nullptr, nullptr},
    {"keylog_filename", ext::locked<get_keylog>, kept<set_keylog>, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot context_slots[] = {{Py_tp_new, reinterpret_cast<void*>(context_new)},
                               {Py_tp_dealloc, reinterpret_cast<void*>(context_dealloc)},
                               {Py_tp_traverse, reinterpret_cast<void*>(context_traverse)},
                               {Py_tp_clear, reinterpret_cast<void*>(context_clear)},
                               {Py_tp_methods, context_methods},
                               {Py_tp_getset, context_getset},
                               {0, nullptr}};
PyType_Spec context_spec = {"_ssl._SSLContext", sizeof(Context), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                            context_slots};

// ---- functions of the module ----

PyObject* rand_add(PyObject*, PyObject* args) {
  Buffer buffer;
  PyObject* data;
  double entropy;
  if (!PyArg_ParseTuple(args, "Od:RAND_add", &data, &entropy)) return nullptr;
  Ref bytes(PyUnicode_Check(data) ? PyUnicode_AsUTF8String(data) : Py_NewRef(data));
  if (!bytes || !buffer.get(bytes.get())) return nullptr;
  RAND_add(buffer.data(), static_cast<int>(buffer.size()), entropy);
  Py_RETURN_NONE;
}
PyObject* rand_bytes(PyObject*, PyObject* argument) {
  int n;
  if (!ext::to_int(argument, &n)) return nullptr;
  if (n < 0) {
    PyErr_SetString(PyExc_ValueError, "num must be positive");
    return nullptr;
  }
  Ref bytes(PyBytes_FromStringAndSize(nullptr, n));
  if (!bytes) return nullptr;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(bytes.get())), n) == 1) return bytes.release();
  return raise_queue();
}
PyObject* rand_status(PyObject*, PyObject*) { return PyBool_FromLong(RAND_status()); }

PyObject* default_paths(PyObject*, PyObject*) {
  const auto path = [](const char* text) { return PyUnicode_DecodeFSDefault(text); };
  return Py_BuildValue("(NNNN)", path(X509_get_default_cert_file_env()), path(X509_get_default_cert_file()),
                       path(X509_get_default_cert_dir_env()), path(X509_get_default_cert_dir()));
}
PyObject* txt2obj(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"txt", "name", nullptr};
  const char* text;
  int name = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|p:txt2obj", const_cast<char**>(keywords), &text, &name)) return nullptr;
  std::unique_ptr<ASN1_OBJECT, decltype(&ASN1_OBJECT_free)> object(OBJ_txt2obj(text, !name), ASN1_OBJECT_free);
  ERR_clear_error();
  return object ? object_info(object.get()) : PyErr_Format(PyExc_ValueError, "unknown object '%.100s'", text);
}
PyObject* nid2obj(PyObject*, PyObject* argument) {
  int nid;
  if (!ext::to_int(argument, &nid)) return nullptr;
  if (nid < NID_undef) {
    PyErr_SetString(PyExc_ValueError, "NID must be positive.");
    return nullptr;
  }
  ASN1_OBJECT* object = OBJ_nid2obj(nid);
  ERR_clear_error();
  return object != nullptr ? object_info(object) : PyErr_Format(PyExc_ValueError, "unknown NID %i", nid);
}
PyObject* test_decode(PyObject*, PyObject* path) {
  Ref name;
  if (!PyUnicode_FSConverter(path, name.out())) return nullptr;
  std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(PyBytes_AS_STRING(name.get()), "r"), BIO_free);
  if (!bio) return raise_text(errors.base, 0, "Can't open file");
  std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  return certificate ? decode_certificate(certificate.get()) : raise_text(errors.base, 0, "Error decoding PEM-encoded file");
}

// An SSLError shows its text alone.
PyObject* error_str(PyObject* self) {
  Ref text(PyObject_GetAttrString(self, "strerror"));
  if (text && PyUnicode_Check(text.get())) return text.release();
  PyErr_Clear();
  Ref args(PyObject_GetAttrString(self, "args"));
  return args ? PyObject_Str(args.get()) : nullptr;
}
PyType_Slot error_slots[] = {{Py_tp_doc, const_cast<char*>("An error occurred in the SSL implementation.")},
                             {Py_tp_str, reinterpret_cast<void*>(error_str)},
                             {0, nullptr}};
PyType_Spec error_spec = {"ssl.SSLError", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, error_slots};

bool add_errors(PyObject* module) {
  Ref bases(PyTuple_Pack(1, PyExc_OSError));
  if (!ext::keep(&errors.base, bases ? PyType_FromSpecWithBases(&error_spec, bases.get()) : nullptr) ||
      PyModule_AddObjectRef(module, "SSLError", errors.base) < 0) return false;
  Ref both(PyTuple_Pack(2, errors.base, PyExc_ValueError));
  const struct {
    PyObject** error;
    const char* name;
    PyObject* bases;
  } wanted[] = {{&errors.verification, "SSLCertVerificationError", both.get()}, {&errors.zero_return, "SSLZeroReturnError", errors.base},
                {&errors.want_read, "SSLWantReadError", errors.base},           {&errors.want_write, "SSLWantWriteError", errors.base},
                {&errors.syscall, "SSLSyscallError", errors.base},              {&errors.eof, "SSLEOFError", errors.base}};
  for (const auto& want : wanted) {
    if (!ext::keep(want.error, PyErr_NewException((std::string("ssl.") + want.name).c_str(), want.bases, nullptr)) ||
        PyModule_AddObjectRef(module, want.name, *want.error) < 0) {
      return false;
    }
  }
  return true;
}

#define SSL_CONSTANT(name, value) {#name, value},
const ext::IntConstant constants[] = {
#include "ssl_constants.def"
};
const struct {
  const char* name;
  bool value;
} abilities[] = {{"HAS_SNI", true},    {"HAS_ECDH", true},    {"HAS_NPN", false},    {"HAS_ALPN", true},    {"HAS_TLS_UNIQUE", true},
                 {"HAS_SSLv2", false}, {"HAS_SSLv3", false},  {"HAS_TLSv1", true},   {"HAS_TLSv1_1", true}, {"HAS_TLSv1_2", true},
                 {"HAS_TLSv1_3", true}, {"HAS_PSK", false},   {"HAS_PHA", true}};

PyObject* version_tuple(unsigned long version) {
  return Py_BuildValue("(kkkkk)", version >> 28 & 0xff, version >> 20 & 0xff, version >> 12 & 0xff, version >> 4 & 0xff,
                       version & 0xf);
}

int execute(PyObject* module) {
  if (!add_errors(module) || !make_connection_types(module)) return -1;
  if (!ext::keep(&context_type, PyType_FromModuleAndSpec(module, &context_spec, nullptr)) ||
      PyModule_AddType(module, context_type) < 0) return -1;
  for (const auto& ability : abilities) {
    if (PyModule_AddObjectRef(module, ability.name, ability.value ? Py_True : Py_False) < 0) return -1;
  }
  const unsigned long version = OpenSSL_version_num();
  // Weak ciphers and those without encryption or authentication are left out.
  if (PyModule_AddStringConstant(module, "_DEFAULT_CIPHERS", "ALL:!COMPLEMENTOFDEFAULT:!eNULL") < 0 ||
      PyModule_AddStringConstant(module, "OPENSSL_VERSION", OpenSSL_version(OPENSSL_VERSION)) < 0 ||
      PyModule_Add(module, "OPENSSL_VERSION_NUMBER", PyLong_FromUnsignedLong(version)) < 0 ||
      PyModule_Add(module, "OPENSSL_VERSION_INFO", version_tuple(version)) < 0 ||
      PyModule_Add(module, "_OPENSSL_API_VERSION", version_tuple(OPENSSL_VERSION_NUMBER)) < 0)
    return -1;
  return ext::add_constants(module, constants);
}

PyMethodDef methods[] = {
    {"RAND_add", rand_add, METH_VARARGS, "RAND_add($module, string, entropy, /)\n--\n\n"},
    {"RAND_bytes", rand_bytes, METH_O, "RAND_bytes($module, n, /)\n--\n\n"},
    {"RAND_status", rand_status, METH_NOARGS, "RAND_status($module, /)\n--\n\n"},
    {"get_default_verify_paths", default_paths, METH_NOARGS, "get_default_verify_paths($module, /)\n--\n\n"},
    {"txt2obj", ext::method(txt2obj), METH_VARARGS | METH_KEYWORDS, "txt2obj($module, /, txt, name=False)\n--\n\n"},
    {"nid2obj", nid2obj, METH_O, "nid2obj($module, nid, /)\n--\n\n"},
    {"_test_decode_cert", test_decode, METH_O, "_test_decode_cert($module, path, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_ssl",
    .m_doc = "Implementation module for SSL socket operations.  See the socket module\nfor documentation.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace ssl

PyMODINIT_FUNC PyInit__ssl(void) { return PyModuleDef_Init(&ssl::definition); }
