// What the parts of the module _ssl share: errors, certificates, and the layouts of its types.
//
// An SSL* is used by one thread at a time, under its socket's mutex; a thread waits for the network without the mutex.
#pragma once

#include "support.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <atomic>
#include <forward_list>
#include <memory>
#include <string>

namespace ssl {

struct Errors {
  PyObject *base, *verification, *zero_return, *want_read, *want_write, *syscall, *eof;
};
extern Errors errors;

// Raises what OpenSSL's queue of errors says, and empties the queue; null. Its errno is `number` (what SSL_get_error() said, where
// it was a connection's), or the number of the reason.
PyObject* raise_queue(int number = -1);
PyObject* raise_text(PyObject* type, int code, const char* text);

// A certificate as the dictionary of getpeercert(), or in DER.
PyObject* decode_certificate(X509* certificate);
PyObject* certificate_bytes(X509* certificate);
PyObject* object_info(const ASN1_OBJECT* object);
PyObject* cipher_info(const SSL_CIPHER* cipher);

struct Context {
  PyObject_HEAD
  SSL_CTX* ctx;
  int protocol;
  bool check_hostname, post_handshake_auth;
  unsigned host_flags;
  PyObject *sni_callback, *message_callback, *keylog_name;
  // What threads read that are not attached: the protocols, each for as long as the context, for OpenSSL is handed a part of
  // them; and where keys are written to, under the mutex.
  std::forward_list<std::string>* alpn;
  std::atomic<const std::string*> alpn_now;
  BIO* keylog;
  PyMutex keylog_mutex;
};
extern PyTypeObject *context_type, *socket_type, *bio_type, *session_type, *certificate_type;

struct MemoryBio {
  PyObject_HEAD
  BIO* bio;
  bool eof_written;
};
struct Session {
  PyObject_HEAD
  SSL_SESSION* session;
  PyObject* context;
};

inline Context* context_of(PyObject* object) { return reinterpret_cast<Context*>(object); }

// A connection over a socket (kept by a weak reference), or over two memory BIOs.
PyObject* new_connection(Context* context, PyObject* sock, MemoryBio* incoming, MemoryBio* outgoing, bool server,
                         PyObject* hostname, PyObject* owner, PyObject* session);
// The certificates' wrapper; takes the reference to the certificate.
PyObject* new_certificate(X509* certificate);

PyTypeObject* make_context_type(PyObject* module);
bool make_connection_types(PyObject* module);

}  // namespace ssl
