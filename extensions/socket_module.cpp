// The module _socket: its functions. Names, services, byte order, numeric addresses, interfaces.
#include "socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <memory>

namespace ext::socket {
namespace {

PyObject* raise_os(const char* message) {
  PyErr_SetString(PyExc_OSError, message);
  return nullptr;
}

PyObject* raise_herror(int error) {
  Ref value(Py_BuildValue("(is)", error, hstrerror(error)));
  if (value) PyErr_SetObject(herror, value.get());
  return nullptr;
}

// ---- descriptors ----

PyObject* socket_socketpair(PyObject*, PyObject* args) {
  int family = AF_UNIX, type = SOCK_STREAM, proto = 0, fds[2];
  if (!PyArg_ParseTuple(args, "|iii:socketpair", &family, &type, &proto)) return nullptr;
  int result;
  {
    Away away;
    result = ::socketpair(family, type | SOCK_CLOEXEC, proto, fds);
  }
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  Ref first(new_socket(fds[0], family, type, proto));
  Ref second(new_socket(fds[1], family, type, proto));
  return first && second ? PyTuple_Pack(2, first.get(), second.get()) : nullptr;
}

PyObject* socket_close(PyObject*, PyObject* arg) {
  int fd, result;
  if (!to_int(arg, &fd)) return nullptr;
  {
    Away away;
    result = ::close(fd);
  }
  if (result < 0 && errno != ECONNRESET) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}
PyObject* socket_dup(PyObject*, PyObject* arg) {
  int fd;
  if (!to_int(arg, &fd)) return nullptr;
  const int copy = _Py_dup(fd);
  return copy < 0 ? nullptr : PyLong_FromLong(copy);
}

PyObject* socket_getdefaulttimeout(PyObject*, PyObject*) {
  if (default_timeout < 0) Py_RETURN_NONE;
  return PyFloat_FromDouble(PyTime_AsSecondsDouble(default_timeout));
}
PyObject* socket_setdefaulttimeout(PyObject*, PyObject* arg) {
  PyTime_t timeout;
  if (!to_timeout(arg, &timeout)) return nullptr;
  default_timeout = timeout;
  Py_RETURN_NONE;
}

// ---- byte order ----

PyObject* swap16(PyObject*, PyObject* arg) {
  uint16_t value;
  return _PyLong_UInt16_Converter(arg, &value) ? PyLong_FromUnsignedLong(htons(value)) : nullptr;
}
PyObject* swap32(PyObject*, PyObject* arg) {
  uint32_t value;
  return _PyLong_UInt32_Converter(arg, &value) ? PyLong_FromUnsignedLong(htonl(value)) : nullptr;
}

// ---- numeric addresses ----

const char* text_of(const char* function, int position, PyObject* arg) {
  if (PyUnicode_Check(arg)) return PyUnicode_AsUTF8(arg);
  if (position > 0)
    PyErr_Format(PyExc_TypeError, "%s() argument %d must be str, not %T", function, position, arg);
  else
    PyErr_Format(PyExc_TypeError, "%s() argument must be str, not %T", function, arg);
  return nullptr;
}

PyObject* socket_inet_aton(PyObject*, PyObject* arg) {
  const char* text = text_of("inet_aton", 0, arg);
  if (text == nullptr) return nullptr;
  in_addr address;
  if (::inet_aton(text, &address) == 0) return raise_os("illegal IP address string passed to inet_aton");
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&address), sizeof address);
}
PyObject* socket_inet_ntoa(PyObject*, PyObject* arg) {
  Buffer packed;
  if (!packed.get(arg)) return nullptr;
  if (packed.size() != sizeof(in_addr)) return raise_os("packed IP wrong length for inet_ntoa");
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, packed.data(), text, sizeof text);
  return PyUnicode_FromString(text);
}
PyObject* socket_inet_pton(PyObject*, PyObject* args) {
  int family;
  const char* text;
  if (!PyArg_ParseTuple(args, "is:inet_pton", &family, &text)) return nullptr;
  unsigned char packed[sizeof(in6_addr)];
  const int result = ::inet_pton(family, text, packed);
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  if (result == 0) return raise_os("illegal IP address string passed to inet_pton");
  if (family != AF_INET && family != AF_INET6) return raise_os("unknown address family");
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(packed), family == AF_INET ? 4 : 16);
}
PyObject* socket_inet_ntop(PyObject*, PyObject* args) {
  int family;
  PyObject* object;
  Buffer packed;
  if (!PyArg_ParseTuple(args, "iO:inet_ntop", &family, &object) || !packed.get(object)) return nullptr;
  if (family != AF_INET && family != AF_INET6) return PyErr_Format(PyExc_ValueError, "unknown address family %d", family);
  if (packed.size() != (family == AF_INET ? 4 : 16)) {
    PyErr_SetString(PyExc_ValueError, "invalid length of packed IP address string");
    return nullptr;
  }
  char text[INET6_ADDRSTRLEN];
  if (::inet_ntop(family, packed.data(), text, sizeof text) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
  return PyUnicode_FromString(text);
}

// ---- hosts ----

PyObject* socket_gethostname(PyObject*, PyObject*) {
  if (PySys_Audit("socket.gethostname", nullptr) < 0) return nullptr;
  char name[1024];
  int result;
  {
    Away away;
    result = ::gethostname(name, sizeof name - 1);
  }
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  name[sizeof name - 1] = 0;
  return PyUnicode_DecodeFSDefault(name);
}
PyObject* socket_sethostname(PyObject*, PyObject* args) {
  PyObject* object;
  if (!PyArg_ParseTuple(args, "O:sethostname", &object)) return nullptr;
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(object, &bytes)) return nullptr;
  Ref name(bytes);
  if (::sethostname(PyBytes_AS_STRING(bytes), static_cast<size_t>(PyBytes_GET_SIZE(bytes))) < 0)
    return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

Ref host_argument(PyObject* args, const char* function) {
  PyObject* object;
  if (!PyArg_UnpackTuple(args, function, 1, 1, &object)) return Ref();
  if (!PyUnicode_Check(object) && !PyBytes_Check(object) && !PyByteArray_Check(object)) {
    PyErr_Format(PyExc_TypeError, "%s() argument 1 must be str, bytes or bytearray, not %T", function, object);
    return Ref();
  }
  return host_bytes(object);
}

PyObject* numeric(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  const void* from = address.any.sa_family == AF_INET ? static_cast<const void*>(&address.in.sin_addr)
                                                      : static_cast<const void*>(&address.in6.sin6_addr);
  if (::inet_ntop(address.any.sa_family, from, text, sizeof text) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
  return PyUnicode_FromString(text);
}

PyObject* socket_gethostbyname(PyObject*, PyObject* args) {
  Ref host = host_argument(args, "gethostbyname");
  Address address;
  if (!host || PySys_Audit("socket.gethostbyname", "O", PyTuple_GET_ITEM(args, 0)) < 0 ||
      !resolve(PyBytes_AS_STRING(host.get()), AF_INET, &address))
    return nullptr;
  return numeric(address);
}

// (name, aliases, addresses)
PyObject* host_entry(const hostent* entry, int error) {
  if (entry == nullptr) return raise_herror(error);
  Ref aliases(PyList_New(0)), addresses(PyList_New(0));
  if (!aliases || !addresses) return nullptr;
  for (char** p = entry->h_aliases; p != nullptr && *p != nullptr; p++) {
    Ref name(PyUnicode_FromString(*p));
    if (!name || PyList_Append(aliases.get(), name.get()) < 0) return nullptr;
  }
  for (char** p = entry->h_addr_list; *p != nullptr; p++) {
    char text[INET6_ADDRSTRLEN];
    if (::inet_ntop(entry->h_addrtype, *p, text, sizeof text) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
    Ref address(PyUnicode_FromString(text));
    if (!address || PyList_Append(addresses.get(), address.get()) < 0) return nullptr;
  }
  Ref name(PyUnicode_DecodeFSDefault(entry->h_name));
  return name ? Py_BuildValue("OOO", name.get(), aliases.get(), addresses.get()) : nullptr;
}

PyObject* socket_gethostbyname_ex(PyObject*, PyObject* args) {
  Ref host = host_argument(args, "gethostbyname_ex");
  Address address;
  if (!host || PySys_Audit("socket.gethostbyname", "O", PyTuple_GET_ITEM(args, 0)) < 0 ||
      !resolve(PyBytes_AS_STRING(host.get()), AF_INET, &address))
    return nullptr;
  hostent entry, *found = nullptr;
  char memory[16384];
  int error = 0;
  {
    Away away;
    gethostbyname_r(PyBytes_AS_STRING(host.get()), &entry, memory, sizeof memory, &found, &error);
  }
  return host_entry(found, error);
}

PyObject* socket_gethostbyaddr(PyObject*, PyObject* args) {
  Ref host = host_argument(args, "gethostbyaddr");
  Address address;
  if (!host || PySys_Audit("socket.gethostbyaddr", "O", PyTuple_GET_ITEM(args, 0)) < 0 ||
      !resolve(PyBytes_AS_STRING(host.get()), AF_UNSPEC, &address))
    return nullptr;
  const bool four = address.any.sa_family == AF_INET;
  const void* from = four ? static_cast<const void*>(&address.in.sin_addr) : &address.in6.sin6_addr;
  hostent entry, *found = nullptr;
  char memory[16384];
  int error = 0;
  {
    Away away;
    gethostbyaddr_r(from, four ? 4 : 16, four ? AF_INET : AF_INET6, &entry, memory, sizeof memory, &found, &error);
  }
  return host_entry(found, error);
}

// ---- services and protocols ----

PyObject* socket_getservbyname(PyObject*, PyObject* args) {
  const char *name, *protocol = nullptr;
  if (!PyArg_ParseTuple(args, "s|s:getservbyname", &name, &protocol)) return nullptr;
  if (PySys_Audit("socket.getservbyname", "ss", name, protocol) < 0) return nullptr;
  servent entry, *found = nullptr;
  char memory[4096];
  {
    Away away;
    getservbyname_r(name, protocol, &entry, memory, sizeof memory, &found);
  }
  return found ? PyLong_FromLong(ntohs(static_cast<uint16_t>(found->s_port))) : raise_os("service/proto not found");
}
PyObject* socket_getservbyport(PyObject*, PyObject* args) {
  int port;
  const char* protocol = nullptr;
  if (!PyArg_ParseTuple(args, "i|s:getservbyport", &port, &protocol)) return nullptr;
  if (port < 0 || port > 65535) {
    PyErr_SetString(PyExc_OverflowError, "getservbyport: port must be 0-65535.");
    return nullptr;
  }
  if (PySys_Audit("socket.getservbyport", "is", port, protocol) < 0) return nullptr;
  servent entry, *found = nullptr;
  char memory[4096];
  {
    Away away;
    getservbyport_r(htons(static_cast<uint16_t>(port)), protocol, &entry, memory, sizeof memory, &found);
  }
  return found ? PyUnicode_FromString(found->s_name) : raise_os("port/proto not found");
}
PyObject* socket_getprotobyname(PyObject*, PyObject* args) {
  const char* name;
  if (!PyArg_ParseTuple(args, "s:getprotobyname", &name)) return nullptr;
  protoent entry, *found = nullptr;
  char memory[4096];
  {
    Away away;
    getprotobyname_r(name, &entry, memory, sizeof memory, &found);
  }
  return found ? PyLong_FromLong(found->p_proto) : raise_os("protocol not found");
}

// ---- getaddrinfo, getnameinfo ----

PyObject* socket_getaddrinfo(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"host", "port", "family", "type", "proto", "flags", nullptr};
  PyObject *host, *port;
  addrinfo hints{};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|iiii:getaddrinfo", const_cast<char**>(keywords), &host, &port,
                                   &hints.ai_family, &hints.ai_socktype, &hints.ai_protocol, &hints.ai_flags))
    return nullptr;
  Ref host_name, port_text;
  if (PyUnicode_Check(host)) {
    host_name = Ref(PyUnicode_AsEncodedString(host, "idna", nullptr));
    if (!host_name) return nullptr;
  } else if (PyBytes_Check(host)) {
    host_name = Ref(Py_NewRef(host));
  } else if (host != Py_None) {
    PyErr_SetString(PyExc_TypeError, "getaddrinfo() argument 1 must be string or None");
    return nullptr;
  }
  if (PyLong_CheckExact(port)) {
    Ref text(PyObject_Str(port));
    port_text = Ref(text ? PyUnicode_AsUTF8String(text.get()) : nullptr);
    if (!port_text) return nullptr;
  } else if (PyUnicode_Check(port)) {
    port_text = Ref(PyUnicode_AsUTF8String(port));
    if (!port_text) return nullptr;
  } else if (PyBytes_Check(port)) {
    port_text = Ref(Py_NewRef(port));
  } else if (port != Py_None) {
    return raise_os("Int or String expected");
  }
  // A null character in a name would cut it short.
  if (port_text && strlen(PyBytes_AS_STRING(port_text.get())) != static_cast<size_t>(PyBytes_GET_SIZE(port_text.get())))
    return raise_gai(EAI_SERVICE);
  if (PySys_Audit("socket.getaddrinfo", "OOiii", host, port, hints.ai_family, hints.ai_socktype, hints.ai_protocol) < 0)
    return nullptr;
  addrinfo* found = nullptr;
  int error;
  {
    Away away;
    error = ::getaddrinfo(host_name ? PyBytes_AS_STRING(host_name.get()) : nullptr,
                          port_text ? PyBytes_AS_STRING(port_text.get()) : nullptr, &hints, &found);
  }
  if (error != 0) return raise_gai(error);
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> holder(found, freeaddrinfo);
  Ref list(PyList_New(0));
  for (const addrinfo* p = found; list && p != nullptr; p = p->ai_next) {
    Address address;
    memset(&address, 0, sizeof address);
    memcpy(&address, p->ai_addr, p->ai_addrlen < sizeof address ? p->ai_addrlen : sizeof address);
    Ref peer(make_address(address, p->ai_addrlen));
    Ref item(peer ? Py_BuildValue("iiisO", p->ai_family, p->ai_socktype, p->ai_protocol,
                                  p->ai_canonname ? p->ai_canonname : "", peer.get())
                  : nullptr);
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* socket_getnameinfo(PyObject*, PyObject* args) {
  PyObject* tuple;
  int flags, port;
  unsigned flow = 0, scope = 0;
  const char* host;
  if (!PyArg_ParseTuple(args, "Oi:getnameinfo", &tuple, &flags)) return nullptr;
  if (!PyTuple_Check(tuple)) {
    PyErr_SetString(PyExc_TypeError, "getnameinfo() argument 1 must be a tuple");
    return nullptr;
  }
  if (!PyArg_ParseTuple(tuple, "si|II;getnameinfo(): illegal sockaddr argument", &host, &port, &flow, &scope)) return nullptr;
  if (flow > 0xfffff) {
    PyErr_SetString(PyExc_OverflowError, "getnameinfo(): flowinfo must be 0-1048575.");
    return nullptr;
  }
  if (PySys_Audit("socket.getnameinfo", "(O)", tuple) < 0) return nullptr;
  char port_text[32];
  snprintf(port_text, sizeof port_text, "%d", port);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST;
  int error;
  {
    Away away;
    error = ::getaddrinfo(host, port_text, &hints, &found);
  }
  if (error != 0) return raise_gai(error);
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> holder(found, freeaddrinfo);
  if (found->ai_next != nullptr) return raise_os("sockaddr resolved to multiple addresses");
  if (found->ai_family == AF_INET && PyTuple_GET_SIZE(tuple) != 2) return raise_os("IPv4 sockaddr must be 2 tuple");
  if (found->ai_family == AF_INET6) {
    auto* six = reinterpret_cast<sockaddr_in6*>(found->ai_addr);
    six->sin6_flowinfo = htonl(flow);
    six->sin6_scope_id = scope;
  }
  char name[NI_MAXHOST], service[NI_MAXSERV];
  {
    Away away;
    error = ::getnameinfo(found->ai_addr, found->ai_addrlen, name, sizeof name, service, sizeof service, flags);
  }
  return error != 0 ? raise_gai(error) : Py_BuildValue("ss", name, service);
}

// ---- interfaces ----

PyObject* socket_if_nameindex(PyObject*, PyObject*) {
  std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(::if_nameindex(), if_freenameindex);
  if (!all) return PyErr_SetFromErrno(PyExc_OSError);
  Ref list(PyList_New(0));
  for (const auto* p = all.get(); list && p->if_index != 0 && p->if_name != nullptr; p++) {
    Ref name(PyUnicode_DecodeFSDefault(p->if_name));
    Ref item(name ? Py_BuildValue("IO", p->if_index, name.get()) : nullptr);
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
  }
  return list.release();
}
PyObject* socket_if_nametoindex(PyObject*, PyObject* arg) {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(arg, &bytes)) return nullptr;
  Ref name(bytes);
  const unsigned index = ::if_nametoindex(PyBytes_AS_STRING(bytes));
  return index == 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromUnsignedLong(index);
}
PyObject* socket_if_indextoname(PyObject*, PyObject* arg) {
  unsigned index;
  if (!_PyLong_UnsignedInt_Converter(arg, &index)) return nullptr;
  char name[IF_NAMESIZE + 1];
  if (::if_indextoname(index, name) == nullptr) return PyErr_SetFromErrno(PyExc_OSError);
  return PyUnicode_DecodeFSDefault(name);
}

// ---- sizes of ancillary data ----

template <bool Padded>
PyObject* control_length(PyObject*, PyObject* args) {
  constexpr const char* kName = Padded ? "CMSG_SPACE" : "CMSG_LEN";
  Py_ssize_t length;
  if (!PyArg_ParseTuple(args, Padded ? "n:CMSG_SPACE" : "n:CMSG_LEN", &length)) return nullptr;
  if (length < 0 || length > INT_MAX - static_cast<Py_ssize_t>(CMSG_SPACE(1)))
    return PyErr_Format(PyExc_OverflowError, "%s() argument out of range", kName);
  const auto n = static_cast<size_t>(length);
  return PyLong_FromSize_t(Padded ? CMSG_SPACE(n) : CMSG_LEN(n));
}

}  // namespace

PyMethodDef module_methods[] = {
    {"gethostbyname", socket_gethostbyname, METH_VARARGS, "gethostbyname(host) -> address"},
    {"gethostbyname_ex", socket_gethostbyname_ex, METH_VARARGS, "gethostbyname_ex(host) -> (name, aliaslist, addresslist)"},
    {"gethostbyaddr", socket_gethostbyaddr, METH_VARARGS, "gethostbyaddr(host) -> (name, aliaslist, addresslist)"},
    {"gethostname", socket_gethostname, METH_NOARGS, "gethostname($self, /)\n--\n\n"},
    {"sethostname", socket_sethostname, METH_VARARGS, "sethostname(name)"},
    {"getservbyname", socket_getservbyname, METH_VARARGS, "getservbyname(servicename[, protocolname]) -> integer"},
    {"getservbyport", socket_getservbyport, METH_VARARGS, "getservbyport(port[, protocolname]) -> string"},
    {"getprotobyname", socket_getprotobyname, METH_VARARGS, "getprotobyname(name) -> integer"},
    {"close", socket_close, METH_O, "close($self, object, /)\n--\n\n"},
    {"dup", socket_dup, METH_O, "dup($self, object, /)\n--\n\n"},
    {"socketpair", socket_socketpair, METH_VARARGS, "socketpair([family[, type [, proto]]]) -> (socket object, socket object)"},
    {"ntohs", swap16, METH_O, "ntohs($module, integer, /)\n--\n\n"},
    {"ntohl", swap32, METH_O, "ntohl($module, integer, /)\n--\n\n"},
    {"htons", swap16, METH_O, "htons($module, integer, /)\n--\n\n"},
    {"htonl", swap32, METH_O, "htonl($module, integer, /)\n--\n\n"},
    {"inet_aton", socket_inet_aton, METH_O, "inet_aton($module, ip_addr, /)\n--\n\n"},
    {"inet_ntoa", socket_inet_ntoa, METH_O, "inet_ntoa($module, packed_ip, /)\n--\n\n"},
    {"inet_pton", socket_inet_pton, METH_VARARGS, "inet_pton(af, ip) -> packed IP address string"},
    {"inet_ntop", socket_inet_ntop, METH_VARARGS, "inet_ntop(af, packed_ip) -> string formatted IP address"},
    {"getaddrinfo", method(socket_getaddrinfo), METH_VARARGS | METH_KEYWORDS,
     "getaddrinfo(host, port [, family, type, proto, flags])\n    -> list of (family, type, proto, canonname, sockaddr)"},
    {"getnameinfo", socket_getnameinfo, METH_VARARGS, "getnameinfo(sockaddr, flags) --> (host, port)"},
    {"getdefaulttimeout", socket_getdefaulttimeout, METH_NOARGS, "getdefaulttimeout($self, /)\n--\n\n"},
    {"setdefaulttimeout", socket_setdefaulttimeout, METH_O, "setdefaulttimeout($self, object, /)\n--\n\n"},
    {"if_nameindex", socket_if_nameindex, METH_NOARGS, "if_nameindex($self, /)\n--\n\n"},
    {"if_nametoindex", socket_if_nametoindex, METH_O, "if_nametoindex($module, oname, /)\n--\n\n"},
    {"if_indextoname", socket_if_indextoname, METH_O, "if_indextoname($module, if_index, /)\n--\n\n"},
    {"CMSG_LEN", control_length<false>, METH_VARARGS, "CMSG_LEN(length) -> control message length"},
    {"CMSG_SPACE", control_length<true>, METH_VARARGS, "CMSG_SPACE(length) -> buffer size"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace ext::socket
