// The module _socket: addresses between Python's tuples and the system's structures.
#include "socket.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netdb.h>
#include <netpacket/packet.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace ext::socket {

PyObject* raise_gai(int error) {
  if (error == EAI_SYSTEM) return PyErr_SetFromErrno(PyExc_OSError);
  Ref value(Py_BuildValue("(is)", error, gai_strerror(error)));
  if (value) PyErr_SetObject(gaierror, value.get());
  return nullptr;
}

Ref host_bytes(PyObject* object) {
  Ref bytes;
  if (PyBytes_Check(object)) {
    bytes = Ref(Py_NewRef(object));
  } else if (PyByteArray_Check(object)) {
    bytes = Ref(PyBytes_FromStringAndSize(PyByteArray_AS_STRING(object), PyByteArray_GET_SIZE(object)));
  } else if (PyUnicode_Check(object)) {
    bytes = Ref(PyUnicode_IS_ASCII(object) ? PyUnicode_AsASCIIString(object)
                                           : PyUnicode_AsEncodedString(object, "idna", nullptr));
  } else {
    PyErr_Format(PyExc_TypeError, "str, bytes or bytearray expected, not %s", Py_TYPE(object)->tp_name);
  }
  if (bytes && strlen(PyBytes_AS_STRING(bytes.get())) != static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))) {
    PyErr_SetString(PyExc_TypeError, "host name must not contain null character");
    return Ref();
  }
  return bytes;
}

bool resolve(const char* host, int af, Address* address) {
  memset(address, 0, sizeof *address);
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = af;
  hints.ai_socktype = SOCK_DGRAM;
  const bool any = *host == 0;
  if (any) hints.ai_flags = AI_PASSIVE;
  if (!any && (strcmp(host, "<broadcast>") == 0 || strcmp(host, "255.255.255.255") == 0)) {
    if (af != AF_INET && af != AF_UNSPEC) {
      PyErr_SetString(PyExc_OSError, "address family mismatched");
      return false;
    }
    address->in.sin_family = AF_INET;
    address->in.sin_addr.s_addr = INADDR_BROADCAST;
    return true;
  }
  // Numeric addresses need no resolver.
  if (!any && (af == AF_UNSPEC || af == AF_INET) && inet_pton(AF_INET, host, &address->in.sin_addr) > 0) {
    address->in.sin_family = AF_INET;
    return true;
  }
  if (!any && (af == AF_UNSPEC || af == AF_INET6) && !strchr(host, '%') &&
      inet_pton(AF_INET6, host, &address->in6.sin6_addr) > 0) {
    address->in6.sin6_family = AF_INET6;
    return true;
  }
  int error;
  {
    Away away;
    error = getaddrinfo(any ? nullptr : host, any ? "0" : nullptr, &hints, &found);
  }
  if (error != 0) {
    raise_gai(error);
    return false;
  }
  if (any && found->ai_next != nullptr) {
    freeaddrinfo(found);
    PyErr_SetString(PyExc_OSError, "wildcard resolved to multiple address");
    return false;
  }
  memcpy(address, found->ai_addr, std::min<size_t>(found->ai_addrlen, sizeof *address));
  freeaddrinfo(found);
  return true;
}

namespace {

bool not_tuple(PyObject* object, const char* caller, const char* family) {
  if (PyTuple_Check(object)) return false;
  PyErr_Format(PyExc_TypeError, "%s(): %s address must be tuple, not %.500s", caller, family, Py_TYPE(object)->tp_name);
  return true;
}

bool in_range(const char* caller, const char* what, int value, int limit) {
  if (value >= 0 && value <= limit) return true;
  PyErr_Format(PyExc_OverflowError, "%s(): %s must be 0-%d.", caller, what, limit);
  return false;
}

bool parse_unix(PyObject* object, Address* address, socklen_t* length) {
  Ref path(PyUnicode_Check(object) ? PyUnicode_EncodeFSDefault(object) : Py_NewRef(object));
  Buffer view;
  if (!path || !view.get(path.get())) return false;
  const auto size = static_cast<size_t>(view.size());
  sockaddr_un& un = address->un;
  // A path that is empty or begins with a null byte is a name without a file.
  const bool abstract = size == 0 || view.data()[0] == 0;
  if (abstract ? size > sizeof un.sun_path : size >= sizeof un.sun_path) {
    PyErr_SetString(PyExc_OSError, "AF_UNIX path too long");
    return false;
  }
  un.sun_family = AF_UNIX;
  memcpy(un.sun_path, view.data(), size);
  if (!abstract) un.sun_path[size] = 0;
  *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  return true;
}

bool parse_inet(PyObject* object, Address* address, socklen_t* length, const char* caller) {
  if (not_tuple(object, caller, "AF_INET")) return false;
  PyObject* host_object;
  int port;
  if (!PyArg_ParseTuple(object, "Oi;AF_INET address must be a pair (host, port)", &host_object, &port)) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
      PyErr_Format(PyExc_OverflowError, "%s(): port must be 0-65535.", caller);
    return false;
  }
  Ref host = host_bytes(host_object);
  if (!host || !resolve(PyBytes_AS_STRING(host.get()), AF_INET, address)) return false;
  if (!in_range(caller, "port", port, 65535)) return false;
  address->in.sin_family = AF_INET;
  address->in.sin_port = htons(static_cast<uint16_t>(port));
  *length = sizeof address->in;
  return true;
}

bool parse_inet6(PyObject* object, Address* address, socklen_t* length, const char* caller) {
  if (not_tuple(object, caller, "AF_INET6")) return false;
  PyObject* host_object;
  int port;
  unsigned flow = 0, scope = 0;
  if (!PyArg_ParseTuple(object, "Oi|II;AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])", &host_object,
                        &port, &flow, &scope)) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
      PyErr_Format(PyExc_OverflowError, "%s(): port must be 0-65535.", caller);
    return false;
  }
  Ref host = host_bytes(host_object);
  if (!host || !resolve(PyBytes_AS_STRING(host.get()), AF_INET6, address)) return false;
  if (!in_range(caller, "port", port, 65535)) return false;
  if (flow > 0xfffff) {
    PyErr_Format(PyExc_OverflowError, "%s(): flowinfo must be 0-1048575.", caller);
    return false;
  }
  address->in6.sin6_family = AF_INET6;
  address->in6.sin6_port = htons(static_cast<uint16_t>(port));
  address->in6.sin6_flowinfo = htonl(flow);
  address->in6.sin6_scope_id = scope;
  *length = sizeof address->in6;
  return true;
}

bool parse_netlink(PyObject* object, Address* address, socklen_t* length, const char* caller) {
  if (not_tuple(object, caller, "AF_NETLINK")) return false;
  auto* netlink = reinterpret_cast<sockaddr_nl*>(address);
  if (!PyArg_ParseTuple(object, "II:AF_NETLINK address must be a pair (pid, groups)", &netlink->nl_pid, &netlink->nl_groups))
    return false;
  netlink->nl_family = AF_NETLINK;
  *length = sizeof *netlink;
  return true;
}

bool parse_vsock(PyObject* object, Address* address, socklen_t* length, const char* caller) {
  if (not_tuple(object, caller, "AF_VSOCK")) return false;
  auto* vsock = reinterpret_cast<sockaddr_vm*>(address);
  if (!PyArg_ParseTuple(object, "II:getsockaddrarg", &vsock->svm_cid, &vsock->svm_port)) return false;
  vsock->svm_family = AF_VSOCK;
  *length = sizeof *vsock;
  return true;
}

bool parse_packet(Socket* socket, PyObject* object, Address* address, socklen_t* length, const char* caller) {
  if (not_tuple(object, caller, "AF_PACKET")) return false;
  const char* name;
  int protocol, type = 0, hardware = 0;
  PyObject* hardware_address = nullptr;
  if (!PyArg_ParseTuple(object, "si|iiO;AF_PACKET address must be a tuple of two to five elements", &name, &protocol, &type,
                        &hardware, &hardware_address))
    return false;
  if (!in_range(caller, "proto", protocol, 65535)) return false;
  auto* packet = reinterpret_cast<sockaddr_ll*>(address);
  (void)socket;
  packet->sll_family = AF_PACKET;
  packet->sll_protocol = htons(static_cast<uint16_t>(protocol));
  packet->sll_ifindex = static_cast<int>(if_nametoindex(name));
  packet->sll_pkttype = static_cast<unsigned char>(type);
  packet->sll_hatype = static_cast<unsigned short>(hardware);
  if (packet->sll_ifindex == 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  if (hardware_address != nullptr && hardware_address != Py_None) {
    Buffer view;
    if (!view.get(hardware_address)) return false;
    if (view.size() > 8) {
      PyErr_SetString(PyExc_ValueError, "hardware address must be 8 bytes or less");
      return false;
    }
    memcpy(packet->sll_addr, view.data(), static_cast<size_t>(view.size()));
    packet->sll_halen = static_cast<unsigned char>(view.size());
  }
  *length = sizeof *packet;
  return true;
}

}  // namespace

bool parse_address(Socket* socket, PyObject* object, Address* address, socklen_t* length, const char* caller) {
  memset(address, 0, sizeof *address);
  switch (socket->family) {
    case AF_UNIX:
      return parse_unix(object, address, length);
    case AF_INET:
      return parse_inet(object, address, length, caller);
    case AF_INET6:
      return parse_inet6(object, address, length, caller);
    case AF_NETLINK:
      return parse_netlink(object, address, length, caller);
    case AF_VSOCK:
      return parse_vsock(object, address, length, caller);
    case AF_PACKET:
      return parse_packet(socket, object, address, length, caller);
    default:
      PyErr_Format(PyExc_OSError, "%s(): bad family", caller);
      return false;
  }
}

socklen_t address_room() { return sizeof(Address); }

PyObject* make_address(const Address& address, socklen_t length) {
  if (length == 0) Py_RETURN_NONE;  // the system gave none
  switch (address.any.sa_family) {
    case AF_INET: {
      char host[INET_ADDRSTRLEN];
      if (inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof host) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
      return Py_BuildValue("si", host, ntohs(address.in.sin_port));
    }
    case AF_INET6: {
      char host[NI_MAXHOST];
      // With the scope of link-local addresses.
      const int error = getnameinfo(&address.any, sizeof address.in6, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
      if (error != 0) return raise_gai(error);
      return Py_BuildValue("siII", host, ntohs(address.in6.sin6_port), ntohl(address.in6.sin6_flowinfo),
                           address.in6.sin6_scope_id);
    }
    case AF_UNIX: {
      const Py_ssize_t size = static_cast<Py_ssize_t>(length) - static_cast<Py_ssize_t>(offsetof(sockaddr_un, sun_path));
      if (size > 0 && address.un.sun_path[0] == 0) return PyBytes_FromStringAndSize(address.un.sun_path, size);
      return PyUnicode_DecodeFSDefaultAndSize(
          address.un.sun_path,
          size > 0 ? static_cast<Py_ssize_t>(strnlen(address.un.sun_path, static_cast<size_t>(size))) : 0);
    }
    case AF_NETLINK: {
      const auto* netlink = reinterpret_cast<const sockaddr_nl*>(&address);
      return Py_BuildValue("II", netlink->nl_pid, netlink->nl_groups);
    }
    case AF_VSOCK: {
      const auto* vsock = reinterpret_cast<const sockaddr_vm*>(&address);
      return Py_BuildValue("II", vsock->svm_cid, vsock->svm_port);
    }
    case AF_PACKET: {
      const auto* packet = reinterpret_cast<const sockaddr_ll*>(&address);
      char name[IF_NAMESIZE] = "";
      if (packet->sll_ifindex != 0) if_indextoname(static_cast<unsigned>(packet->sll_ifindex), name);
      return Py_BuildValue("shbhy#", name, ntohs(packet->sll_protocol), packet->sll_pkttype, packet->sll_hatype,
                           reinterpret_cast<const char*>(packet->sll_addr), static_cast<Py_ssize_t>(packet->sll_halen));
    }
    default:
      return Py_BuildValue("iy#", address.any.sa_family, address.any.sa_data,
                           static_cast<Py_ssize_t>(sizeof address.any.sa_data));
  }
}

}  // namespace ext::socket
