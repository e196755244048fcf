// What the files of the module _socket share.
#pragma once

#include "support.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>

namespace ext::socket {

struct Socket {
  PyObject_HEAD
  int fd;  // -1: closed
  int family, type, proto;
  PyTime_t timeout;  // nanoseconds; negative: block
};
inline Socket* as_socket(PyObject* op) { return reinterpret_cast<Socket*>(op); }
extern PyTypeObject* socket_type;
extern PyObject *gaierror, *herror;
extern PyTime_t default_timeout;

// A socket object over a descriptor that it owns from now on.
PyObject* new_socket(int fd, int family, int type, int proto);
bool set_blocking(int fd, bool blocking);
// None or seconds: negative for None.
bool to_timeout(PyObject* value, PyTime_t* timeout);

union Address {
  sockaddr any;
  sockaddr_in in;
  sockaddr_in6 in6;
  sockaddr_un un;
  sockaddr_storage storage;
};
// ---- socket_address.cpp ----
// From what Python programs give; `caller` is the method, for messages.
bool parse_address(Socket* socket, PyObject* object, Address* address, socklen_t* length, const char* caller);
PyObject* make_address(const Address& address, socklen_t length);
// The size of addresses of a family.
socklen_t address_room();
// Looks a host name up; af AF_UNSPEC, AF_INET, AF_INET6.
bool resolve(const char* host, int af, Address* address);
PyObject* raise_gai(int error);
// A host name as bytes (IDNA); null with an exception.
Ref host_bytes(PyObject* object);

extern PyMethodDef module_methods[];  // socket_module.cpp

}  // namespace ext::socket
