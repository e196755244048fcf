// The types _SSLSocket, MemoryBIO and SSLSession of the module _ssl.
#include "ssl.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace ssl {

using ext::Buffer;
using ext::Ref;

namespace {

constexpr int kEofError = 8;  // SSL_ERROR_EOF

struct Connection {
  PyObject_HEAD
  SSL* ssl;
  Context* context;
  PyObject* first;  // the context that it was made from, which a handshake calls back; null afterwards
  PyObject *sock, *owner;  // weak references, or null
  PyObject* hostname;
  PyMutex mutex;
  bool server, over_bio, shutdown_sent;
};
Connection* self_of(PyObject* object) { return reinterpret_cast<Connection*>(object); }

class Lock {
 public:
  explicit Lock(PyMutex* mutex) : mutex_(mutex) { PyMutex_Lock(mutex_); }
  ~Lock() { PyMutex_Unlock(mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  PyMutex* mutex_;
};

int64_t now_ms() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// The socket's descriptor and timeout in milliseconds (-1: none); false with an exception.
bool socket_state(Connection* self, Ref* sock, int* fd, int64_t* timeout) {
  *fd = -1;
  *timeout = 0;
  if (self->over_bio) return true;
  PyObject* found;
  if (PyWeakref_GetRef(self->sock, &found) < 0) return false;
  *sock = Ref(found);
  if (!*sock) {
    raise_text(errors.base, 0, "Underlying socket connection gone");
    return false;
  }
  *fd = PyObject_AsFileDescriptor(sock->get());
  if (*fd < 0) {
    if (PyErr_Occurred()) PyErr_Clear();
    raise_text(errors.base, 0, "Underlying socket has been closed.");
    return false;
  }
  Ref value(PyObject_CallMethod(sock->get(), "gettimeout", nullptr));
  if (!value) return false;
  if (value.get() == Py_None) {
    *timeout = -1;
    return true;
  }
  const double seconds = PyFloat_AsDouble(value.get());
  if (seconds == -1 && PyErr_Occurred()) return false;
  *timeout = seconds > 0 && seconds < 0.001 ? 1 : static_cast<int64_t>(seconds * 1000);
  return true;
}

// Waits detached. 1: ready, 0: the time is over, -1: an exception.
int wait_for(int fd, bool write, int64_t deadline) {
  for (;;) {
    int wait = -1;
    if (deadline >= 0) wait = static_cast<int>(std::clamp<int64_t>(deadline - now_ms(), 0, INT_MAX));
    pollfd p{fd, static_cast<short>(write ? POLLOUT : POLLIN), 0};
    int code;
    {
      ext::Away away;
      code = poll(&p, 1, wait);
    }
    if (code > 0) return 1;
    if (code == 0) return 0;
    if (errno != EINTR) {
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    if (PyErr_CheckSignals() < 0) return -1;
  }
}

PyObject* raise_verification(SSL* ssl) {
  const long code = SSL_get_verify_result(ssl);
  const char* text = X509_verify_cert_error_string(code);
  ERR_clear_error();
  Ref hostname;
  std::string detail = text;
  if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    detail = std::string(code == X509_V_ERR_HOSTNAME_MISMATCH ? "Hostname mismatch" : "IP address mismatch") +
             ", certificate is not valid for '" + (name != nullptr ? name : "") + "'.";
  }
  const std::string message = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: " + detail;
  Ref error(PyObject_CallFunction(errors.verification, "is", 1, message.c_str()));
  Ref code_object(PyLong_FromLong(code)), text_object(PyUnicode_FromString(detail.c_str())),
      reason(PyUnicode_FromString("CERTIFICATE_VERIFY_FAILED")), library(PyUnicode_FromString("SSL"));
  if (error && PyObject_SetAttrString(error.get(), "verify_code", code_object.get()) == 0 &&
      PyObject_SetAttrString(error.get(), "verify_message", text_object.get()) == 0 &&
      PyObject_SetAttrString(error.get(), "reason", reason.get()) == 0 &&
      PyObject_SetAttrString(error.get(), "library", library.get()) == 0)
    PyErr_SetObject(errors.verification, error.get());
  return nullptr;
}

// What went wrong in one step.
struct Outcome {
  int result, error, system_error;
};

PyObject* raise_outcome(Connection* self, const Outcome& outcome) {
  switch (outcome.error) {
    case SSL_ERROR_ZERO_RETURN:
      return raise_text(errors.zero_return, outcome.error, "TLS/SSL connection has been closed (EOF)");
    case SSL_ERROR_WANT_READ: return raise_text(errors.want_read, outcome.error, "The operation did not complete (read)");
    case SSL_ERROR_WANT_WRITE: return raise_text(errors.want_write, outcome.error, "The operation did not complete (write)");
    case SSL_ERROR_WANT_X509_LOOKUP:
      return raise_text(errors.base, outcome.error, "The operation did not complete (X509 lookup)");
    case SSL_ERROR_WANT_CONNECT: return raise_text(errors.base, outcome.error, "The operation did not complete (connect)");
    case SSL_ERROR_SYSCALL:
      if (ERR_peek_last_error() != 0) return raise_queue(outcome.error);
      if (outcome.result == 0 || self->over_bio || outcome.system_error == 0)
        return raise_text(errors.eof, kEofError, "EOF occurred in violation of protocol");
      errno = outcome.system_error;
      return PyErr_SetFromErrno(PyExc_OSError);
    case SSL_ERROR_SSL: {
      const unsigned long code = ERR_peek_last_error();
      if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return raise_verification(self->ssl);
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
      if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        ERR_clear_error();
        return raise_text(errors.eof, kEofError, "EOF occurred in violation of protocol");
      }
#endif
      return raise_queue(outcome.error);
    }
    default: return raise_text(errors.base, outcome.error, "Invalid error code");
  }
}

// Repeats `step` until it is done, as far as the socket's timeout allows. The mutex is held for each step, not while waiting.
template <class F>
bool drive(Connection* self, const char* what, Outcome* outcome, F step, bool reads = false) {
  Ref sock;
  int fd;
  int64_t timeout;
  if (!socket_state(self, &sock, &fd, &timeout)) return false;
  const int64_t deadline = timeout > 0 ? now_ms() + timeout : -1;
  // A blocking read would keep the mutex from a thread that writes.
  const bool wait_first = timeout < 0 && reads;
  for (;;) {
    if (wait_first && !SSL_has_pending(self->ssl) && wait_for(fd, false, -1) < 0) return false;
    {
      Lock lock(&self->mutex);
      ext::Away away;
      ERR_clear_error();
      errno = 0;
      outcome->result = step();
      outcome->system_error = errno;
      outcome->error = outcome->result > 0 ? SSL_ERROR_NONE : SSL_get_error(self->ssl, outcome->result);
    }
    if (PyErr_Occurred() || PyErr_CheckSignals() < 0) return false;
    const bool read = outcome->error == SSL_ERROR_WANT_READ, write = outcome->error == SSL_ERROR_WANT_WRITE;
    if (outcome->error == SSL_ERROR_SYSCALL && outcome->system_error == EINTR) continue;
    if (!(read || write) || self->over_bio || timeout == 0) return true;
    const int ready = wait_for(fd, write, deadline);
    if (ready < 0) return false;
    if (ready == 0) {
      PyErr_Format(PyExc_TimeoutError, "The %s operation timed out", what);
      return false;
    }
  }
}

// ---- methods ----

PyObject* do_handshake(PyObject* object, PyObject*) {
  Connection* self = self_of(object);
  Outcome outcome;
  if (!drive(self, "handshake", &outcome, [&] { return SSL_do_handshake(self->ssl); })) return nullptr;
  if (outcome.result <= 0) return raise_outcome(self, outcome);
  Ref first;
  Py_BEGIN_CRITICAL_SECTION(object);
  first = Ref(std::exchange(self->first, nullptr));
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

PyObject* connection_write(PyObject* object, PyObject* data) {
  Connection* self = self_of(object);
  Buffer buffer;
  if (!buffer.get(data)) return nullptr;
  size_t written = 0;
  Outcome outcome;
  if (!drive(self, "write", &outcome, [&] {
        return SSL_write_ex(self->ssl, buffer.data(), static_cast<size_t>(buffer.size()), &written);
      }))
    return nullptr;
  return outcome.result > 0 ? PyLong_FromSize_t(written) : raise_outcome(self, outcome);
}

PyObject* connection_read(PyObject* object, PyObject* args) {
  Connection* self = self_of(object);
  Py_ssize_t size;
  PyObject* target = nullptr;
  if (!PyArg_ParseTuple(args, "n|O:read", &size, &target)) return nullptr;
  if (target == nullptr && size < 0) {
    PyErr_SetString(PyExc_ValueError, "size should not be negative");
    return nullptr;
  }
  Buffer room;
  Ref bytes;
  char* to;
  if (target != nullptr) {
    if (!room.get(target, PyBUF_WRITABLE)) return nullptr;
    if (size <= 0 || size > room.size()) size = room.size();
    if (room.size() == 0) return PyLong_FromLong(0);
    to = static_cast<char*>(room.writable());
  } else {
    bytes = Ref(PyBytes_FromStringAndSize(nullptr, size));
    if (!bytes || size == 0) return bytes.release();
    to = PyBytes_AS_STRING(bytes.get());
  }
  size_t got = 0;
  Outcome outcome;
  if (!drive(self, "read", &outcome, [&] { return SSL_read_ex(self->ssl, to, static_cast<size_t>(size), &got); },
             true))
    return nullptr;
  if (outcome.result <= 0) {
    if (outcome.error != SSL_ERROR_ZERO_RETURN || !(SSL_get_shutdown(self->ssl) & SSL_RECEIVED_SHUTDOWN))
      return raise_outcome(self, outcome);
    got = 0;
  }
  if (target != nullptr) return PyLong_FromSize_t(got);
  PyObject* result = bytes.release();
  if (_PyBytes_Resize(&result, static_cast<Py_ssize_t>(got)) < 0) return nullptr;
  return result;
}

PyObject* connection_pending(PyObject* object, PyObject*) { return PyLong_FromLong(SSL_pending(self_of(object)->ssl)); }

PyObject* connection_shutdown(PyObject* object, PyObject*) {
  Connection* self = self_of(object);
  Outcome outcome;
  int zeros = 0;
  if (!drive(self, "read", &outcome, [&] {
        // 0: our notification is sent, the other side's has not come. A second call waits for that, once.
        for (;;) {
          if (self->shutdown_sent) SSL_set_read_ahead(self->ssl, 0);
          const int code = SSL_shutdown(self->ssl);
          if (code != 0) return code;
          self->shutdown_sent = true;
          if (++zeros > 1) return 1;
        }
      }))
    return nullptr;
  if (outcome.result < 0) return raise_outcome(self, outcome);
  if (self->over_bio) Py_RETURN_NONE;
  PyObject* sock;
  if (PyWeakref_GetRef(self->sock, &sock) < 0) return nullptr;
  return sock != nullptr ? sock : Py_NewRef(Py_None);
}

PyObject* connection_cipher(PyObject* object, PyObject*) { return cipher_info(SSL_get_current_cipher(self_of(object)->ssl)); }

PyObject* shared_ciphers(PyObject* object, PyObject*) {
  SSL* ssl = self_of(object)->ssl;
  STACK_OF(SSL_CIPHER)* theirs = SSL_get_client_ciphers(ssl);
  STACK_OF(SSL_CIPHER)* ours = SSL_get_ciphers(ssl);
  if (theirs == nullptr) Py_RETURN_NONE;
  Ref list(PyList_New(0));
  for (int i = 0; list && i < sk_SSL_CIPHER_num(theirs); i++) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(theirs, i);
    if (sk_SSL_CIPHER_find(ours, cipher) < 0) continue;
    Ref item(cipher_info(cipher));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* connection_version(PyObject* object, PyObject*) {
  SSL* ssl = self_of(object)->ssl;
  if (!SSL_is_init_finished(ssl)) Py_RETURN_NONE;
  return PyUnicode_FromString(SSL_get_version(ssl));
}
PyObject* connection_compression(PyObject*, PyObject*) { Py_RETURN_NONE; }

PyObject* selected_alpn(PyObject* object, PyObject*) {
  const unsigned char* name;
  unsigned n;
  SSL_get0_alpn_selected(self_of(object)->ssl, &name, &n);
  if (name == nullptr) Py_RETURN_NONE;
  return PyUnicode_FromStringAndSize(reinterpret_cast<const char*>(name), n);
}

PyObject* getpeercert(PyObject* object, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("getpeercert", nargs, 0, 1)) return nullptr;
  const int binary = nargs == 1 ? PyObject_IsTrue(args[0]) : 0;
  if (binary < 0) return nullptr;
  SSL* ssl = self_of(object)->ssl;
  if (!SSL_is_init_finished(ssl)) {
    PyErr_SetString(PyExc_ValueError, "handshake not done yet");
    return nullptr;
  }
  std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl), X509_free);
  if (!peer) Py_RETURN_NONE;
  if (binary) return certificate_bytes(peer.get());
  if (!(SSL_CTX_get_verify_mode(SSL_get_SSL_CTX(ssl)) & SSL_VERIFY_PEER)) return PyDict_New();
  return decode_certificate(peer.get());
}

PyObject* chain_list(STACK_OF(X509) * chain, X509* first) {
  if (chain == nullptr) Py_RETURN_NONE;
  Ref list(PyList_New(0));
  const auto add = [&](X509* certificate) {
    X509_up_ref(certificate);
    Ref item(new_certificate(certificate));
    return item && PyList_Append(list.get(), item.get()) == 0;
  };
  if (!list || (first != nullptr && !add(first))) return nullptr;
  for (int i = 0; i < sk_X509_num(chain); i++) {
    if (!add(sk_X509_value(chain, i))) return nullptr;
  }
  return list.release();
}
PyObject* verified_chain(PyObject* object, PyObject*) { return chain_list(SSL_get0_verified_chain(self_of(object)->ssl), nullptr); }
PyObject* unverified_chain(PyObject* object, PyObject*) {
  Connection* self = self_of(object);
  // A server's chain lacks the client's own certificate.
  std::unique_ptr<X509, decltype(&X509_free)> peer(self->server ? SSL_get1_peer_certificate(self->ssl) : nullptr, X509_free);
  return chain_list(SSL_get_peer_cert_chain(self->ssl), peer.get());
}

PyObject* channel_binding(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"cb_type", nullptr};
  const char* type = "tls-unique";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s:get_channel_binding", const_cast<char**>(keywords), &type)) return nullptr;
  if (strcmp(type, "tls-unique") != 0)
    return PyErr_Format(PyExc_ValueError, "'%s' channel binding type not implemented", type);
  Connection* self = self_of(object);
  if (!SSL_is_init_finished(self->ssl)) Py_RETURN_NONE;
  char data[128];
  // Who sent the first Finished message: the server, when a session is resumed.
  const size_t n = (SSL_session_reused(self->ssl) != 0) != !self->server ? SSL_get_finished(self->ssl, data, sizeof data)
                                                                         : SSL_get_peer_finished(self->ssl, data, sizeof data);
  if (n == 0) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(n));
}

PyObject* verify_post_handshake(PyObject* object, PyObject*) {
  if (!SSL_verify_client_post_handshake(self_of(object)->ssl)) return raise_queue();
  Py_RETURN_NONE;
}

PyObject* get_context(PyObject* object, void*) { return Py_NewRef(reinterpret_cast<PyObject*>(self_of(object)->context)); }
int set_context(PyObject* object, PyObject* value, void*) {
  Connection* self = self_of(object);
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
  }
  if (!PyObject_TypeCheck(value, context_type)) {
    PyErr_SetString(PyExc_TypeError, "The value must be a SSLContext");
    return -1;
  }
  Py_SETREF(self->context, reinterpret_cast<Context*>(Py_NewRef(value)));
  SSL_set_SSL_CTX(self->ssl, self->context->ctx);
  return 0;
}
PyObject* get_hostname(PyObject* object, void*) {
  PyObject* hostname = self_of(object)->hostname;
  return Py_NewRef(hostname == nullptr ? Py_None : hostname);
}
PyObject* get_server_side(PyObject* object, void*) { return PyBool_FromLong(self_of(object)->server); }
PyObject* get_owner(PyObject* object, void*) {
  PyObject* owner = nullptr;
  if (self_of(object)->owner != nullptr && PyWeakref_GetRef(self_of(object)->owner, &owner) < 0) return nullptr;
  return owner != nullptr ? owner : Py_NewRef(Py_None);
}
int set_owner(PyObject* object, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
  }
  PyObject* reference = value == nullptr || value == Py_None ? nullptr : PyWeakref_NewRef(value, nullptr);
  if (reference == nullptr && PyErr_Occurred()) return -1;
  Py_XSETREF(self_of(object)->owner, reference);
  return 0;
}
PyObject* get_reused(PyObject* object, void*) { return PyBool_FromLong(SSL_session_reused(self_of(object)->ssl)); }

PyObject* get_session(PyObject* object, void*) {
  Connection* self = self_of(object);
  SSL_SESSION* session = SSL_get1_session(self->ssl);
  if (session == nullptr) Py_RETURN_NONE;
  PyObject* result = session_type->tp_alloc(session_type, 0);
  if (result == nullptr) {
    SSL_SESSION_free(session);
    return nullptr;
  }
  reinterpret_cast<Session*>(result)->session = session;
  reinterpret_cast<Session*>(result)->context = Py_NewRef(reinterpret_cast<PyObject*>(self->context));
  return result;
}
int set_session(PyObject* object, PyObject* value, void*) {
  Connection* self = self_of(object);
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
  }
  if (!Py_IS_TYPE(value, session_type)) {
    PyErr_SetString(PyExc_TypeError, "Value is not a SSLSession.");
    return -1;
  }
  auto* session = reinterpret_cast<Session*>(value);
  const char* wrong = session->context != reinterpret_cast<PyObject*>(self->context)
                          ? "Session refers to a different SSLContext."
                      : self->server                         ? "Cannot set session for server-side SSLSocket."
                      : SSL_is_init_finished(self->ssl) != 0 ? "Cannot set session after handshake."
                                                             : nullptr;
  if (wrong != nullptr) {
    PyErr_SetString(PyExc_ValueError, wrong);
    return -1;
  }
  if (SSL_set_session(self->ssl, session->session)) return 0;
  raise_queue();
  return -1;
}

int connection_traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self_of(object)->context);
  Py_VISIT(self_of(object)->first);
  return 0;
}
int connection_clear(PyObject* object) {
  Connection* self = self_of(object);
  Py_CLEAR(self->sock);
  Py_CLEAR(self->owner);
  return 0;
}
void connection_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Connection* self = self_of(object);
  connection_clear(object);
  SSL_free(self->ssl);
  Py_CLEAR(self->context);
  Py_CLEAR(self->first);
  Py_CLEAR(self->hostname);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMethodDef connection_methods[] = {
    {"do_handshake", do_handshake, METH_NOARGS, "do_handshake($self, /)\n--\n\n"},
    {"write", connection_write, METH_O, "write($self, b, /)\n--\n\nWrites the bytes-like object b into the SSL object."},
    {"read", connection_read, METH_VARARGS, "read(size, [buffer])\nRead up to size bytes from the SSL socket."},
    {"pending", connection_pending, METH_NOARGS, "pending($self, /)\n--\n\n"},
    {"shutdown", connection_shutdown, METH_NOARGS, "shutdown($self, /)\n--\n\nDoes the SSL shutdown handshake."},
    {"cipher", connection_cipher, METH_NOARGS, "cipher($self, /)\n--\n\n"},
    {"shared_ciphers", shared_ciphers, METH_NOARGS, "shared_ciphers($self, /)\n--\n\n"},
    {"version", connection_version, METH_NOARGS, "version($self, /)\n--\n\n"},
    {"compression", connection_compression, METH_NOARGS, "compression($self, /)\n--\n\n"},
    {"selected_alpn_protocol", selected_alpn, METH_NOARGS, "selected_alpn_protocol($self, /)\n--\n\n"},
    {"getpeercert", ext::method(getpeercert), METH_FASTCALL, "getpeercert($self, der=False, /)\n--\n\n"},
    {"get_verified_chain", verified_chain, METH_NOARGS, "get_verified_chain($self, /)\n--\n\n"},
    {"get_unverified_chain", unverified_chain, METH_NOARGS, "get_unverified_chain($self, /)\n--\n\n"},
    {"get_channel_binding", ext::method(channel_binding), METH_VARARGS | METH_KEYWORDS,
     "get_channel_binding($self, /, cb_type='tls-unique')\n--\n\n"},
    {"verify_client_post_handshake", verify_post_handshake, METH_NOARGS, "verify_client_post_handshake($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef connection_getset[] = {{"context", ext::locked<get_context>, ext::locked<set_context>, nullptr, nullptr},
                                   {"server_hostname", get_hostname, nullptr, nullptr, nullptr},
                                   {"server_side", get_server_side, nullptr, nullptr, nullptr},
                                   {"owner", ext::locked<get_owner>, ext::locked<set_owner>, nullptr, nullptr},
                                   {"session", ext::locked<get_session>, ext::locked<set_session>, nullptr, nullptr},
                                   {"session_reused", get_reused, nullptr, nullptr, nullptr},
                                   {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot connection_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(connection_dealloc)},
                                  {Py_tp_traverse, reinterpret_cast<void*>(connection_traverse)},
                                  {Py_tp_clear, reinterpret_cast<void*>(connection_clear)},
                                  {Py_tp_methods, connection_methods},
                                  {Py_tp_getset, connection_getset},
                                  {0, nullptr}};
PyType_Spec connection_spec = {"_ssl._SSLSocket", sizeof(Connection), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                   Py_TPFLAGS_IMMUTABLETYPE,
                               connection_slots};

// ---- MemoryBIO ----

MemoryBio* bio_of(PyObject* object) { return reinterpret_cast<MemoryBio*>(object); }

PyObject* bio_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":MemoryBIO", const_cast<char**>(keywords))) return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  bio_of(self)->bio = BIO_new(BIO_s_mem());
  // An empty one asks for more, unless its end was written.
  BIO_set_retry_read(bio_of(self)->bio);
  BIO_set_mem_eof_return(bio_of(self)->bio, -1);
  return self;
}
void bio_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  BIO_free(bio_of(self)->bio);
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* bio_read(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  int size = -1;
  if (!ext::check_positional("read", nargs, 0, 1) || (nargs == 1 && !ext::to_int(args[0], &size))) return nullptr;
  BIO* bio = bio_of(self)->bio;
  const auto there = static_cast<int>(std::min<size_t>(BIO_ctrl_pending(bio), INT_MAX));
  if (size < 0 || size > there) size = there;
  Ref bytes(PyBytes_FromStringAndSize(nullptr, size));
  if (!bytes || size == 0) return bytes.release();
  const int got = BIO_read(bio, PyBytes_AS_STRING(bytes.get()), size);
  if (got < 0) return raise_queue();
  PyObject* result = bytes.release();
  return got == size || _PyBytes_Resize(&result, got) == 0 ? result : nullptr;
}
PyObject* bio_write(PyObject* self, PyObject* data) {
  Buffer buffer;
  if (!buffer.get(data)) return nullptr;
  if (buffer.size() > INT_MAX) return PyErr_Format(PyExc_OverflowError, "string longer than %d bytes", INT_MAX);
  if (bio_of(self)->eof_written) return raise_text(errors.base, 0, "cannot write() after write_eof()");
  const int n = BIO_write(bio_of(self)->bio, buffer.data(), static_cast<int>(buffer.size()));
  return n < 0 ? raise_queue() : PyLong_FromLong(n);
}
PyObject* bio_write_eof(PyObject* self, PyObject*) {
  bio_of(self)->eof_written = true;
  BIO_clear_retry_flags(bio_of(self)->bio);
  BIO_set_mem_eof_return(bio_of(self)->bio, 0);
  Py_RETURN_NONE;
}
PyObject* bio_pending(PyObject* self, void*) { return PyLong_FromSize_t(BIO_ctrl_pending(bio_of(self)->bio)); }
PyObject* bio_eof(PyObject* self, void*) {
  return PyBool_FromLong(BIO_ctrl_pending(bio_of(self)->bio) == 0 && bio_of(self)->eof_written);
}

PyMethodDef bio_methods[] = {
    {"read", ext::method(ext::locked<bio_read>), METH_FASTCALL, "read($self, size=-1, /)\n--\n\nRead up to size bytes from the memory BIO."},
    {"write", ext::locked<bio_write>, METH_O, "write($self, b, /)\n--\n\nWrites the bytes b into the memory BIO."},
    {"write_eof", ext::locked<bio_write_eof>, METH_NOARGS, "write_eof($self, /)\n--\n\nWrite an EOF marker to the memory BIO."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef bio_getset[] = {{"pending", bio_pending, nullptr, nullptr, nullptr},
                            {"eof", bio_eof, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot bio_slots[] = {{Py_tp_new, reinterpret_cast<void*>(bio_new)},
                           {Py_tp_dealloc, reinterpret_cast<void*>(bio_dealloc)},
                           {Py_tp_methods, bio_methods},
                           {Py_tp_getset, bio_getset},
                           {0, nullptr}};
PyType_Spec bio_spec = {"_ssl.MemoryBIO", sizeof(MemoryBio), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, bio_slots};

// ---- SSLSession ----

Session* session_of(PyObject* object) { return reinterpret_cast<Session*>(object); }

PyObject* session_id(PyObject* self, void*) {
  unsigned n;
  const unsigned char* id = SSL_SESSION_get_id(session_of(self)->session, &n);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(id), n);
}
PyObject* session_time(PyObject* self, void*) { return PyLong_FromLong(SSL_SESSION_get_time(session_of(self)->session)); }
PyObject* session_timeout(PyObject* self, void*) { return PyLong_FromLong(SSL_SESSION_get_timeout(session_of(self)->session)); }
PyObject* session_hint(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(SSL_SESSION_get_ticket_lifetime_hint(session_of(self)->session));
}
PyObject* session_ticket(PyObject* self, void*) { return PyBool_FromLong(SSL_SESSION_has_ticket(session_of(self)->session)); }
PyObject* session_compare(PyObject* self, PyObject* other, int op) {
  if (!Py_IS_TYPE(other, session_type) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  unsigned n, m;
  const unsigned char *a = SSL_SESSION_get_id(session_of(self)->session, &n),
                      *b = SSL_SESSION_get_id(session_of(other)->session, &m);
  const bool equal = self == other || (n == m && memcmp(a, b, n) == 0);
  return PyBool_FromLong(equal == (op == Py_EQ));
}
Py_hash_t session_hash(PyObject* self) {
  Ref id(session_id(self, nullptr));
  return id ? PyObject_Hash(id.get()) : -1;
}
int session_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(session_of(self)->context);
  return 0;
}
void session_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  SSL_SESSION_free(session_of(self)->session);
  Py_CLEAR(session_of(self)->context);
  type->tp_free(self);
  Py_DECREF(type);
}
PyGetSetDef session_getset[] = {{"id", session_id, nullptr, nullptr, nullptr},
                                {"time", session_time, nullptr, nullptr, nullptr},
                                {"timeout", session_timeout, nullptr, nullptr, nullptr},
                                {"ticket_lifetime_hint", session_hint, nullptr, nullptr, nullptr},
                                {"has_ticket", session_ticket, nullptr, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot session_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(session_dealloc)},
                               {Py_tp_traverse, reinterpret_cast<void*>(session_traverse)},
                               {Py_tp_richcompare, reinterpret_cast<void*>(session_compare)},
                               {Py_tp_hash, reinterpret_cast<void*>(session_hash)},
                               {Py_tp_getset, session_getset},
                               {0, nullptr}};
PyType_Spec session_spec = {"_ssl.SSLSession", sizeof(Session), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                                Py_TPFLAGS_IMMUTABLETYPE,
                            session_slots};

// The name that the certificate must have, and, unless it is an address, the one that the server is told.
bool set_name(Connection* self, PyObject* hostname) {
  Py_ssize_t n;
  const char* name = PyUnicode_AsUTF8AndSize(hostname, &n);
  if (name == nullptr) return false;
  if (strlen(name) != static_cast<size_t>(n)) {
    PyErr_SetString(PyExc_TypeError, "embedded null character");
    return false;
  }
  if (*name == '\0' || *name == '.') {
    PyErr_SetString(PyExc_ValueError, "server_hostname cannot be an empty string or start with a leading dot.");
    return false;
  }
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name);
  ERR_clear_error();
  const bool is_address = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  bool ok = is_address || SSL_set_tlsext_host_name(self->ssl, name);
  if (ok && self->context->check_hostname) {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(self->ssl);
    ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name) != 0
                    : X509_VERIFY_PARAM_set1_host(parameters, name, strlen(name)) != 0;
  }
  if (!ok) {
    raise_queue();
    return false;
  }
  self->hostname = Py_NewRef(hostname);
  return true;
}

}  // namespace

PyObject* new_connection(Context* context, PyObject* sock, MemoryBio* incoming, MemoryBio* outgoing, bool server,
                         PyObject* hostname, PyObject* owner, PyObject* session) {
  if (server && context->protocol == 0x10) {
    raise_text(errors.base, 0, "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context");
    return nullptr;
  }
  if (!server && context->protocol == 0x11) {
    raise_text(errors.base, 0, "Cannot create a client socket with a PROTOCOL_TLS_SERVER context");
    return nullptr;
  }
  PyObject* object = socket_type->tp_alloc(socket_type, 0);
  if (object == nullptr) return nullptr;
  Ref result(object);
  Connection* self = self_of(object);
  self->context = reinterpret_cast<Context*>(Py_NewRef(reinterpret_cast<PyObject*>(context)));
  self->first = Py_NewRef(reinterpret_cast<PyObject*>(context));
  self->server = server;
  self->over_bio = sock == nullptr;
  ERR_clear_error();
  self->ssl = SSL_new(context->ctx);
  if (self->ssl == nullptr) return raise_queue();
  SSL_set_app_data(self->ssl, self);
  X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(self->ssl), context->host_flags);
  if (sock != nullptr) {
    const int fd = PyObject_AsFileDescriptor(sock);
    if (fd < 0) return nullptr;
    SSL_set_fd(self->ssl, fd);
  } else {
    BIO_up_ref(incoming->bio);
    BIO_up_ref(outgoing->bio);
    SSL_set_bio(self->ssl, incoming->bio, outgoing->bio);
  }
  // Without AUTO_RETRY no call waits for the network with the mutex held; over memory none waits at all.
  // There a write takes all at once: what is left over would be copied again and again by those who write it later.
  SSL_set_mode(self->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | (self->over_bio ? 0 : SSL_MODE_ENABLE_PARTIAL_WRITE));
  if (!self->over_bio) SSL_clear_mode(self->ssl, SSL_MODE_AUTO_RETRY);
  if (context->post_handshake_auth) {
    const int mode = SSL_get_verify_mode(self->ssl);
    if (!server)
      SSL_set_post_handshake_auth(self->ssl, 1);
    else if (mode & SSL_VERIFY_PEER)
      SSL_set_verify(self->ssl, mode | SSL_VERIFY_POST_HANDSHAKE, nullptr);
  }
  if (hostname != Py_None && !set_name(self, hostname)) return nullptr;
  if (server)
    SSL_set_accept_state(self->ssl);
  else
    SSL_set_connect_state(self->ssl);
  if (sock != nullptr) {
    self->sock = PyWeakref_NewRef(sock, nullptr);
    if (self->sock == nullptr) return nullptr;
  }
  if (owner != Py_None && set_owner(object, owner, nullptr) < 0) return nullptr;
  if (session != Py_None && set_session(object, session, nullptr) < 0) return nullptr;
  return result.release();
}

extern PyType_Spec certificate_spec;

bool make_connection_types(PyObject* module) {
  const struct {
    PyTypeObject** type;
    PyType_Spec* spec;
  } wanted[] = {{&socket_type, &connection_spec}, {&bio_type, &bio_spec}, {&session_type, &session_spec},
                {&certificate_type, &certificate_spec}};
  for (const auto& want : wanted) {
    if (!ext::keep(want.type, PyType_FromModuleAndSpec(module, want.spec, nullptr)) || PyModule_AddType(module, *want.type) < 0) {
      return false;
    }
  }
  return true;
}

}  // namespace ssl
