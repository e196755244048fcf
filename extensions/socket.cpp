// The module _socket: the class socket. A socket with a timeout is non-blocking for the system; its calls wait with
// poll() until the deadline. Calls are repeated after signals whose handlers did not raise.
#include "socket.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace ext::socket {

PyTypeObject* socket_type = nullptr;
PyObject *gaierror = nullptr, *herror = nullptr;
PyTime_t default_timeout = -1;

bool set_blocking(int fd, bool blocking) {
  const int flags = fcntl(fd, F_GETFL);
  const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (flags >= 0 && (wanted == flags || fcntl(fd, F_SETFL, wanted) >= 0)) return true;
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

bool to_timeout(PyObject* value, PyTime_t* timeout) {
  *timeout = -1;
  if (value == Py_None) return true;
  if (_PyTime_FromSecondsObject(timeout, value, _PyTime_ROUND_TIMEOUT) < 0) return false;
  if (*timeout < 0) {
    PyErr_SetString(PyExc_ValueError, "Timeout value out of range");
    return false;
  }
  if (_PyTime_AsMilliseconds(*timeout, _PyTime_ROUND_TIMEOUT) > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "timeout doesn't fit into C timeval");
    return false;
  }
  return true;
}

namespace {

// ---- calls ----

// Waits for the descriptor: 1 ready, 0 timed out, -1 with an exception. timeout < 0: for ever.
int wait_ready(Socket* self, short events, PyTime_t timeout) {
  const PyTime_t deadline = timeout > 0 ? _PyDeadline_Init(timeout) : 0;
  PyTime_t remaining = timeout;
  for (;;) {
    pollfd entry{self->fd, events, 0};
    int n, error;
    {
      Away away;
      n = poll(&entry, 1, timeout < 0 ? -1 : static_cast<int>(_PyTime_AsMilliseconds(remaining, _PyTime_ROUND_CEILING)));
      error = errno;
    }
    if (n >= 0) return n > 0;
    if (error != EINTR) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
    if (PyErr_CheckSignals() < 0) return -1;
    if (timeout > 0) {
      remaining = _PyDeadline_Get(deadline);
      if (remaining < 0) return 0;
    }
  }
}

void raise_timeout() { PyErr_SetString(PyExc_TimeoutError, "timed out"); }

// The result of f() >= 0, or -1 with an exception. `deadline` is shared by the calls of one operation.
template <class F>
ssize_t call(Socket* self, short events, F f, PyTime_t deadline = 0) {
  if (deadline == 0 && self->timeout > 0) deadline = _PyDeadline_Init(self->timeout);
  for (;;) {
    ssize_t n;
    int error;
    {
      Away away;
      n = f();
      error = errno;
    }
    if (n >= 0) return n;
    if (error == EINTR) {
      if (PyErr_CheckSignals() < 0) return -1;
      continue;
    }
    if (self->timeout > 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
      const PyTime_t remaining = _PyDeadline_Get(deadline);
      const int ready = remaining < 0 ? 0 : wait_ready(self, events, remaining);
      if (ready < 0) return -1;
      if (ready == 0) {
        raise_timeout();
        return -1;
      }
      continue;
    }
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
  }
}

PyObject* none_or_errno(int result) {
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

template <class F>
auto away(F f) {
  decltype(f()) result;
  int error;
  {
    Away detached;
    result = f();
    error = errno;
  }
  errno = error;
  return result;
}

// ---- making and unmaking ----

PyObject* sock_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* op = type->tp_alloc(type, 0);
  if (op != nullptr) {
    as_socket(op)->fd = -1;
    as_socket(op)->timeout = default_timeout;
  }
  return op;
}

// Family, type and protocol of a descriptor that was given.
bool examine(int fd, int* family, int* type, int* proto) {
  if (*family == -1) {
    Address address;
    socklen_t length = address_room();
    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.any, &length) < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
    *family = address.any.sa_family;
  }
  socklen_t size = sizeof *type;
  if (*type == -1 && getsockopt(fd, SOL_SOCKET, SO_TYPE, type, &size) < 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  size = sizeof *proto;
  if (*proto == -1 && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, proto, &size) < 0) {
    PyErr_SetFromErrno(PyExc_OSError);
    return false;
  }
  return true;
}

bool adopt(Socket* self, int fd, int family, int type, int proto) {
  self->fd = fd;
  self->family = family;
  self->type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
  self->proto = proto;
  if (type & SOCK_NONBLOCK) {
    self->timeout = 0;
    return true;
  }
  self->timeout = default_timeout;
  return default_timeout < 0 || set_blocking(fd, false);
}

int sock_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"family", "type", "proto", "fileno", nullptr};
  int family = -1, type = -1, proto = -1;
  PyObject* fileno = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiiO:socket", const_cast<char**>(keywords), &family, &type, &proto,
                                   &fileno))
    return -1;
  if (PySys_Audit("socket.__new__", "Oiii", op, family, type, proto) < 0) return -1;
  int fd;
  if (fileno != nullptr && fileno != Py_None) {
    if (!to_int(fileno, &fd)) return -1;
    if (fd < 0) {
      PyErr_SetString(PyExc_ValueError, "negative file descriptor");
      return -1;
    }
    if (!examine(fd, &family, &type, &proto)) return -1;
  } else {
    if (family == -1) family = AF_INET;
    if (type == -1) type = SOCK_STREAM;
    if (proto == -1) proto = 0;
    fd = away([&] { return ::socket(family, type | SOCK_CLOEXEC, proto); });
    if (fd < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return -1;
    }
  }
  return adopt(as_socket(op), fd, family, type, proto) ? 0 : -1;
}

void sock_finalize(PyObject* op) {
  Socket* self = as_socket(op);
  if (self->fd < 0) return;
  PyObject* pending = PyErr_GetRaisedException();
  if (PyErr_ResourceWarning(op, 1, "unclosed %R", op) < 0 && PyErr_ExceptionMatches(PyExc_Warning))
    PyErr_FormatUnraisable("Exception ignored while finalizing socket %R", op);
  const int fd = self->fd;
  self->fd = -1;
  away([&] { return ::close(fd); });
  PyErr_SetRaisedException(pending);
}

void sock_dealloc(PyObject* op) {
  if (PyObject_CallFinalizerFromDealloc(op) < 0) return;
  PyTypeObject* type = Py_TYPE(op);
  type->tp_free(op);
  Py_DECREF(type);
}

PyObject* sock_repr(PyObject* op) {
  Socket* self = as_socket(op);
  return PyUnicode_FromFormat("<socket object, fd=%d, family=%d, type=%d, proto=%d>", self->fd, self->family, self->type,
                              self->proto);
}

PyObject* sock_close(PyObject* op, PyObject*) {
  Socket* self = as_socket(op);
  const int fd = __atomic_exchange_n(&self->fd, -1, __ATOMIC_ACQ_REL);
  // A connection that the peer reset is closed all the same.
  if (fd >= 0 && away([&] { return ::close(fd); }) < 0 && errno != ECONNRESET) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}
PyObject* sock_detach(PyObject* op, PyObject*) {
  return PyLong_FromLong(__atomic_exchange_n(&as_socket(op)->fd, -1, __ATOMIC_ACQ_REL));
}
PyObject* sock_fileno(PyObject* op, PyObject*) { return PyLong_FromLong(as_socket(op)->fd); }

// ---- timeouts ----

PyObject* timeout_object(PyTime_t timeout) {
  if (timeout < 0) Py_RETURN_NONE;
  return PyFloat_FromDouble(PyTime_AsSecondsDouble(timeout));
}
PyObject* sock_settimeout(PyObject* op, PyObject* value) {
  PyTime_t timeout;
  if (!to_timeout(value, &timeout)) return nullptr;
  as_socket(op)->timeout = timeout;
  if (!set_blocking(as_socket(op)->fd, timeout < 0)) return nullptr;
  Py_RETURN_NONE;
}
PyObject* sock_setblocking(PyObject* op, PyObject* value) {
  const int blocking = PyObject_IsTrue(value);
  if (blocking < 0) return nullptr;
  as_socket(op)->timeout = blocking ? -1 : 0;
  if (!set_blocking(as_socket(op)->fd, blocking != 0)) return nullptr;
  Py_RETURN_NONE;
}
PyObject* sock_gettimeout(PyObject* op, PyObject*) { return timeout_object(as_socket(op)->timeout); }
PyObject* sock_getblocking(PyObject* op, PyObject*) { return PyBool_FromLong(as_socket(op)->timeout != 0); }
PyObject* get_timeout(PyObject* op, void*) { return timeout_object(as_socket(op)->timeout); }

// ---- connections ----

PyObject* sock_accept(PyObject* op, PyObject*) {
  Socket* self = as_socket(op);
  Address address;
  socklen_t length;
  const ssize_t fd = call(self, POLLIN, [&]() -> ssize_t {
    length = address_room();
    return ::accept4(self->fd, &address.any, &length, SOCK_CLOEXEC);
  });
  if (fd < 0) return nullptr;
  Ref number(PyLong_FromLong(static_cast<long>(fd)));
  Ref peer(make_address(address, length));
  if (!number || !peer) {
    ::close(static_cast<int>(fd));
    return nullptr;
  }
  return PyTuple_Pack(2, number.get(), peer.get());
}

PyObject* sock_bind(PyObject* op, PyObject* object) {
  Address address;
  socklen_t length;
  if (!parse_address(as_socket(op), object, &address, &length, "bind")) return nullptr;
  if (PySys_Audit("socket.bind", "OO", op, object) < 0) return nullptr;
  return none_or_errno(away([&] { return ::bind(as_socket(op)->fd, &address.any, length); }));
}

// 0 or an error number; -1 with an exception (a signal handler's).
int connect_to(Socket* self, const Address& address, socklen_t length) {
  if (away([&] { return ::connect(self->fd, &address.any, length); }) == 0) return 0;
  const int error = errno;
  bool wait;
  if (error == EINTR) {
    if (PyErr_CheckSignals() < 0) return -1;
    // The connection goes on being made.
    wait = self->timeout != 0;
  } else {
    wait = self->timeout > 0 && error == EINPROGRESS;
  }
  if (!wait) return error;
  const int ready = wait_ready(self, POLLOUT, self->timeout);
  if (ready < 0) return -1;
  if (ready == 0) return EWOULDBLOCK;
  int result = 0;
  socklen_t size = sizeof result;
  if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &result, &size) < 0) return errno;
  return result == EISCONN ? 0 : result;
}

PyObject* sock_connect(PyObject* op, PyObject* object) {
  Socket* self = as_socket(op);
  Address address;
  socklen_t length;
  if (!parse_address(self, object, &address, &length, "connect")) return nullptr;
  if (PySys_Audit("socket.connect", "OO", op, object) < 0) return nullptr;
  const int error = connect_to(self, address, length);
  if (error < 0) return nullptr;
  if (error == 0) Py_RETURN_NONE;
  if (error == EWOULDBLOCK && self->timeout > 0) {
    raise_timeout();
    return nullptr;
  }
  errno = error;
  return PyErr_SetFromErrno(PyExc_OSError);
}
PyObject* sock_connect_ex(PyObject* op, PyObject* object) {
  Address address;
  socklen_t length;
  if (!parse_address(as_socket(op), object, &address, &length, "connect_ex")) return nullptr;
  if (PySys_Audit("socket.connect", "OO", op, object) < 0) return nullptr;
  const int error = connect_to(as_socket(op), address, length);
  return error < 0 ? nullptr : PyLong_FromLong(error);
}

PyObject* sock_listen(PyObject* op, PyObject* args) {
  int backlog = std::min(SOMAXCONN, 128);
  if (!PyArg_ParseTuple(args, "|i:listen", &backlog)) return nullptr;
  backlog = std::max(backlog, 0);
  return none_or_errno(away([&] { return ::listen(as_socket(op)->fd, backlog); }));
}
PyObject* sock_shutdown(PyObject* op, PyObject* arg) {
  int how;
  if (!to_int(arg, &how)) return nullptr;
  return none_or_errno(away([&] { return ::shutdown(as_socket(op)->fd, how); }));
}

template <int (*Get)(int, sockaddr*, socklen_t*)>
PyObject* address_of(PyObject* op, PyObject*) {
  Address address;
  memset(&address, 0, sizeof address);
  socklen_t length = address_room();
  if (away([&] { return Get(as_socket(op)->fd, &address.any, &length); }) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  return make_address(address, length);
}

// ---- options ----

PyObject* sock_getsockopt(PyObject* op, PyObject* args) {
  int level, option, size = 0;
  if (!PyArg_ParseTuple(args, "ii|i:getsockopt", &level, &option, &size)) return nullptr;
  const int fd = as_socket(op)->fd;
  if (size == 0) {
    int value = 0;
    socklen_t n = sizeof value;
    if (::getsockopt(fd, level, option, &value, &n) < 0) return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(value);
  }
  if (size < 0 || size > 1024) {
    PyErr_SetString(PyExc_OSError, "getsockopt buflen out of range");
    return nullptr;
  }
  char data[1024];
  auto n = static_cast<socklen_t>(size);
  if (::getsockopt(fd, level, option, data, &n) < 0) return PyErr_SetFromErrno(PyExc_OSError);
  return PyBytes_FromStringAndSize(data, n);
}

PyObject* sock_setsockopt(PyObject* op, PyObject* args) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 3 || n > 4) {
    return PyErr_Format(PyExc_TypeError, "setsockopt() takes %s %d arguments (%zd given)", n < 3 ? "exactly" : "at most",
                        n < 3 ? 3 : 4, n);
  }
  int level, option;
  if (!to_int(PyTuple_GET_ITEM(args, 0), &level) || !to_int(PyTuple_GET_ITEM(args, 1), &option)) return nullptr;
  const int fd = as_socket(op)->fd;
  PyObject* value = PyTuple_GET_ITEM(args, 2);
  if (n == 4) {
    if (value != Py_None) {
      return PyErr_Format(PyExc_TypeError, "socket.setsockopt() argument 3 must be None when 4 arguments are given, not %T",
                          value);
    }
    const unsigned long length = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(args, 3));
    if (PyErr_Occurred()) return nullptr;
    return none_or_errno(::setsockopt(fd, level, option, nullptr, static_cast<socklen_t>(length)));
  }
  if (PyLong_Check(value)) {
    int number;
    if (!to_int(value, &number)) return nullptr;
    return none_or_errno(::setsockopt(fd, level, option, &number, sizeof number));
  }
  Buffer data;
  if (!data.get(value)) return nullptr;
  return none_or_errno(::setsockopt(fd, level, option, data.data(), static_cast<socklen_t>(data.size())));
}

// ---- receiving ----

PyObject* sock_recv(PyObject* op, PyObject* args) {
  Py_ssize_t size;
  int flags = 0;
  if (!PyArg_ParseTuple(args, "n|i:recv", &size, &flags)) return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "negative buffersize in recv");
    return nullptr;
  }
  PyObject* data = PyBytes_FromStringAndSize(nullptr, size);
  if (data == nullptr) return nullptr;
  Socket* self = as_socket(op);
  char* to = PyBytes_AS_STRING(data);
  const ssize_t n = size == 0 ? 0 : call(self, POLLIN, [&] { return ::recv(self->fd, to, static_cast<size_t>(size), flags); });
  if (n < 0) {
    Py_DECREF(data);
    return nullptr;
  }
  if (n != size) _PyBytes_Resize(&data, n);
  return data;
}

// The buffer and how much of it to fill.
bool target(PyObject* object, Py_ssize_t wanted, const char* name, Buffer* view, size_t* size) {
  if (!view->get(object, PyBUF_WRITABLE)) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "%s() argument 1 must be read-write bytes-like object, not %T", name, object);
    return false;
  }
  if (wanted < 0) {
    PyErr_Format(PyExc_ValueError, "negative buffersize in %s", name);
    return false;
  }
  if (view->size() < wanted) {
    PyErr_SetString(PyExc_ValueError, strcmp(name, "recv_into") == 0 ? "buffer too small for requested bytes"
                                                                     : "nbytes is greater than the length of the buffer");
    return false;
  }
  *size = static_cast<size_t>(wanted == 0 ? view->size() : wanted);
  return true;
}

PyObject* sock_recv_into(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"buffer", "nbytes", "flags", nullptr};
  PyObject* object;
  Py_ssize_t wanted = 0;
  int flags = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ni:recv_into", const_cast<char**>(keywords), &object, &wanted, &flags))
    return nullptr;
  Buffer view;
  size_t size;
  if (!target(object, wanted, "recv_into", &view, &size)) return nullptr;
  Socket* self = as_socket(op);
  const ssize_t n = size == 0 ? 0 : call(self, POLLIN, [&] { return ::recv(self->fd, view.writable(), size, flags); });
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

ssize_t receive_from(Socket* self, void* to, size_t size, int flags, Ref* sender) {
  Address address;
  memset(&address, 0, sizeof address);
  socklen_t length = 0;
  const ssize_t n = call(self, POLLIN, [&] {
    length = address_room();
    return ::recvfrom(self->fd, to, size, flags, &address.any, &length);
  });
  if (n < 0) return -1;
  *sender = Ref(make_address(address, length));
  return *sender ? n : -1;
}

PyObject* sock_recvfrom(PyObject* op, PyObject* args) {
  Py_ssize_t size;
  int flags = 0;
  if (!PyArg_ParseTuple(args, "n|i:recvfrom", &size, &flags)) return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "negative buffersize in recvfrom");
    return nullptr;
  }
  PyObject* data = PyBytes_FromStringAndSize(nullptr, size);
  if (data == nullptr) return nullptr;
  Ref sender;
  const ssize_t n = receive_from(as_socket(op), PyBytes_AS_STRING(data), static_cast<size_t>(size), flags, &sender);
  if (n < 0) {
    Py_DECREF(data);
    return nullptr;
  }
  if (n != size && _PyBytes_Resize(&data, n) < 0) return nullptr;
  Ref held(data);
  return PyTuple_Pack(2, data, sender.get());
}

PyObject* sock_recvfrom_into(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"buffer", "nbytes", "flags", nullptr};
  PyObject* object;
  Py_ssize_t wanted = 0;
  int flags = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|ni:recvfrom_into", const_cast<char**>(keywords), &object, &wanted,
                                   &flags))
    return nullptr;
  Buffer view;
  size_t size;
  if (!target(object, wanted, "recvfrom_into", &view, &size)) return nullptr;
  Ref sender;
  const ssize_t n = receive_from(as_socket(op), view.writable(), size, flags, &sender);
  return n < 0 ? nullptr : Py_BuildValue("nO", n, sender.get());
}

// The ancillary data of a message as a list of (level, type, bytes).
Ref control_list(msghdr* message) {
  Ref list(PyList_New(0));
  for (cmsghdr* c = CMSG_FIRSTHDR(message); list && c != nullptr; c = CMSG_NXTHDR(message, c)) {
    const auto* end = static_cast<const unsigned char*>(message->msg_control) + message->msg_controllen;
    const unsigned char* data = CMSG_DATA(c);
    Py_ssize_t size = static_cast<Py_ssize_t>(c->cmsg_len) - static_cast<Py_ssize_t>(CMSG_LEN(0));
    if (size < 0) break;
    size = std::min<Py_ssize_t>(size, end - data);
    Ref item(Py_BuildValue("iiy#", c->cmsg_level, c->cmsg_type, reinterpret_cast<const char*>(data), size));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return Ref();
  }
  return list;
}

// What both forms of recvmsg() do. Calls finish(n) for the first item of the result.
template <class Finish>
PyObject* receive_message(Socket* self, iovec* vectors, size_t count, Py_ssize_t control_size, int flags, Finish finish) {
  if (control_size < 0 || control_size > INT_MAX) {
    PyErr_SetString(PyExc_ValueError, "invalid ancillary data buffer length");
    return nullptr;
  }
  auto control = std::make_unique<char[]>(static_cast<size_t>(control_size) + 1);
  Address address;
  memset(&address, 0, sizeof address);
  msghdr message{};
  const ssize_t n = call(self, POLLIN, [&] {
    message.msg_name = &address;
    message.msg_namelen = address_room();
    message.msg_iov = vectors;
    message.msg_iovlen = count;
    message.msg_control = control_size > 0 ? control.get() : nullptr;
    message.msg_controllen = static_cast<size_t>(control_size);
    return ::recvmsg(self->fd, &message, flags);
  });
  if (n < 0) return nullptr;
  Ref list = control_list(&message);
  Ref sender(list ? make_address(address, message.msg_namelen) : nullptr);
  Ref first(sender ? finish(n) : nullptr);
  return first ? Py_BuildValue("OOiO", first.get(), list.get(), message.msg_flags, sender.get()) : nullptr;
}

PyObject* sock_recvmsg(PyObject* op, PyObject* args) {
  Py_ssize_t size, control = 0;
  int flags = 0;
  if (!PyArg_ParseTuple(args, "n|ni:recvmsg", &size, &control, &flags)) return nullptr;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "negative buffer size in recvmsg()");
    return nullptr;
  }
  Ref data(PyBytes_FromStringAndSize(nullptr, size));
  if (!data) return nullptr;
  iovec vector{PyBytes_AS_STRING(data.get()), static_cast<size_t>(size)};
  return receive_message(as_socket(op), &vector, 1, control, flags,
                         [&](ssize_t n) { return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data.get()), n); });
}

// The buffers of an iterable, held while a call uses them.
class Vectors {
 public:
  bool get(PyObject* iterable, const char* error, int flags) {
    list_ = as_tuple(iterable, error);
    if (!list_) return false;
    const auto n = static_cast<size_t>(PyTuple_GET_SIZE(list_.get()));
    views_ = std::make_unique<Buffer[]>(n + 1);
    vectors_ = std::make_unique<iovec[]>(n + 1);
    for (size_t i = 0; i < n; i++) {
      if (!views_[i].get(PyTuple_GET_ITEM(list_.get(), static_cast<Py_ssize_t>(i)), flags)) return false;
      vectors_[i] = {views_[i].writable(), static_cast<size_t>(views_[i].size())};
    }
    count_ = n;
    return true;
  }
  iovec* data() { return vectors_.get(); }
  size_t count() const { return count_; }

 private:
  Ref list_;
  std::unique_ptr<Buffer[]> views_;
  std::unique_ptr<iovec[]> vectors_;
  size_t count_ = 0;
};

PyObject* sock_recvmsg_into(PyObject* op, PyObject* args) {
  PyObject* buffers;
  Py_ssize_t control = 0;
  int flags = 0;
  if (!PyArg_ParseTuple(args, "O|ni:recvmsg_into", &buffers, &control, &flags)) return nullptr;
  Vectors vectors;
  if (!vectors.get(buffers, "recvmsg_into() argument 1 must be an iterable", PyBUF_WRITABLE)) return nullptr;
  return receive_message(as_socket(op), vectors.data(), vectors.count(), control, flags,
                         [](ssize_t n) { return PyLong_FromSsize_t(n); });
}

// ---- sending ----

PyObject* sock_send(PyObject* op, PyObject* args) {
  PyObject* object;
  int flags = 0;
  Buffer data;
  if (!PyArg_ParseTuple(args, "O|i:send", &object, &flags) || !data.get(object)) return nullptr;
  Socket* self = as_socket(op);
  const ssize_t n =
      call(self, POLLOUT, [&] { return ::send(self->fd, data.data(), static_cast<size_t>(data.size()), flags); });
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

PyObject* sock_sendall(PyObject* op, PyObject* args) {
  PyObject* object;
  int flags = 0;
  Buffer data;
  if (!PyArg_ParseTuple(args, "O|i:sendall", &object, &flags) || !data.get(object)) return nullptr;
  Socket* self = as_socket(op);
  const PyTime_t deadline = self->timeout > 0 ? _PyDeadline_Init(self->timeout) : 0;
  const unsigned char* from = data.data();
  Py_ssize_t left = data.size();
  do {
    const ssize_t n =
        call(self, POLLOUT, [&] { return ::send(self->fd, from, static_cast<size_t>(left), flags); }, deadline);
    if (n < 0) return nullptr;
    from += n;
    left -= n;
    if (PyErr_CheckSignals() < 0) return nullptr;
  } while (left > 0);
  Py_RETURN_NONE;
}

PyObject* sock_sendto(PyObject* op, PyObject* args) {
  const Py_ssize_t given = PyTuple_GET_SIZE(args);
  if (given != 2 && given != 3)
    return PyErr_Format(PyExc_TypeError, "sendto() takes 2 or 3 arguments (%zd given)", given);
  int flags = 0;
  Buffer data;
  if (!data.get(PyTuple_GET_ITEM(args, 0))) return nullptr;
  if (given == 3 && !to_int(PyTuple_GET_ITEM(args, 1), &flags)) return nullptr;
  PyObject* object = PyTuple_GET_ITEM(args, given - 1);
  Socket* self = as_socket(op);
  Address address;
  socklen_t length;
  if (!parse_address(self, object, &address, &length, "sendto")) return nullptr;
  if (PySys_Audit("socket.sendto", "OO", op, object) < 0) return nullptr;
  const ssize_t n = call(self, POLLOUT, [&] {
    return ::sendto(self->fd, data.data(), static_cast<size_t>(data.size()), flags, &address.any, length);
  });
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

// Ancillary data from a list of (level, type, bytes).
bool control_data(PyObject* object, std::unique_ptr<char[]>* memory, size_t* size) {
  *size = 0;
  if (object == nullptr || object == Py_None) return true;
  Ref list = as_tuple(object, "sendmsg() argument 2 must be an iterable");
  if (!list) return false;
  const auto n = static_cast<size_t>(PyTuple_GET_SIZE(list.get()));
  auto views = std::make_unique<Buffer[]>(n + 1);
  auto levels = std::make_unique<int[]>(2 * n + 1);
  for (size_t i = 0; i < n; i++) {
    PyObject* item = PyTuple_GET_ITEM(list.get(), static_cast<Py_ssize_t>(i));
    PyObject* data;
    if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 3) {
      if (PyTuple_Check(item))
        PyErr_Format(PyExc_TypeError, "[sendmsg() ancillary data items]() argument must be tuple of length 3, not %zd",
                     PyTuple_GET_SIZE(item));
      else
        PyErr_Format(PyExc_TypeError, "[sendmsg() ancillary data items]() argument must be 3-item tuple, not %T", item);
      return false;
    }
    if (!PyArg_ParseTuple(item, "iiO:[sendmsg() ancillary data items]", &levels[2 * i], &levels[2 * i + 1], &data) ||
        !views[i].get(data))
      return false;
    *size += CMSG_SPACE(static_cast<size_t>(views[i].size()));
  }
  if (*size > INT_MAX) {
    PyErr_SetString(PyExc_OSError, "too much ancillary data");
    return false;
  }
  memory->reset(new char[*size + 1]());
  msghdr message{};
  message.msg_control = memory->get();
  message.msg_controllen = *size;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  for (size_t i = 0; i < n && c != nullptr; i++, c = CMSG_NXTHDR(&message, c)) {
    c->cmsg_level = levels[2 * i];
    c->cmsg_type = levels[2 * i + 1];
    c->cmsg_len = CMSG_LEN(static_cast<size_t>(views[i].size()));
    memcpy(CMSG_DATA(c), views[i].data(), static_cast<size_t>(views[i].size()));
  }
  return true;
}

PyObject* sock_sendmsg(PyObject* op, PyObject* args) {
  PyObject *buffers, *control = nullptr, *object = nullptr;
  int flags = 0;
  if (!PyArg_ParseTuple(args, "O|OiO:sendmsg", &buffers, &control, &flags, &object)) return nullptr;
  Socket* self = as_socket(op);
  Address address;
  socklen_t length = 0;
  const bool addressed = object != nullptr && object != Py_None;
  if (addressed && !parse_address(self, object, &address, &length, "sendmsg")) return nullptr;
  Vectors vectors;
  if (!vectors.get(buffers, "sendmsg() argument 1 must be an iterable", PyBUF_SIMPLE)) return nullptr;
  std::unique_ptr<char[]> memory;
  size_t size;
  if (!control_data(control, &memory, &size)) return nullptr;
  if (PySys_Audit("socket.sendmsg", "OO", op, addressed ? object : Py_None) < 0) return nullptr;
  msghdr message{};
  message.msg_name = addressed ? &address : nullptr;
  message.msg_namelen = length;
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.count();
  message.msg_control = size > 0 ? memory.get() : nullptr;
  message.msg_controllen = size;
  const ssize_t n = call(self, POLLOUT, [&] { return ::sendmsg(self->fd, &message, flags); });
  return n < 0 ? nullptr : PyLong_FromSsize_t(n);
}

PyMethodDef methods[] = {
    {"_accept", sock_accept, METH_NOARGS, "_accept($self, /)\n--\n\n(descriptor, address) of a new connection."},
    {"bind", sock_bind, METH_O, "bind($self, object, /)\n--\n\n"},
    {"close", sock_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"connect", sock_connect, METH_O, "connect($self, object, /)\n--\n\n"},
    {"connect_ex", sock_connect_ex, METH_O, "connect_ex($self, object, /)\n--\n\n"},
    {"detach", sock_detach, METH_NOARGS, "detach($self, /)\n--\n\n"},
    {"fileno", sock_fileno, METH_NOARGS, "fileno($self, /)\n--\n\n"},
    {"getpeername", address_of<::getpeername>, METH_NOARGS, "getpeername($self, /)\n--\n\n"},
    {"getsockname", address_of<::getsockname>, METH_NOARGS, "getsockname($self, /)\n--\n\n"},
    {"getsockopt", sock_getsockopt, METH_VARARGS, "getsockopt(level, option[, buffersize]) -> value"},
    {"listen", sock_listen, METH_VARARGS, "listen([backlog])"},
    {"recv", sock_recv, METH_VARARGS, "recv(buffersize[, flags]) -> data"},
    {"recv_into", method(sock_recv_into), METH_VARARGS | METH_KEYWORDS, "recv_into(buffer, [nbytes[, flags]]) -> nbytes_read"},
    {"recvfrom", sock_recvfrom, METH_VARARGS, "recvfrom(buffersize[, flags]) -> (data, address info)"},
    {"recvfrom_into", method(sock_recvfrom_into), METH_VARARGS | METH_KEYWORDS,
     "recvfrom_into(buffer[, nbytes[, flags]]) -> (nbytes, address info)"},
    {"send", sock_send, METH_VARARGS, "send(data[, flags]) -> count"},
    {"sendall", sock_sendall, METH_VARARGS, "sendall(data[, flags])"},
    {"sendto", sock_sendto, METH_VARARGS, "sendto(data[, flags], address) -> count"},
    {"setblocking", sock_setblocking, METH_O, "setblocking($self, object, /)\n--\n\n"},
    {"getblocking", sock_getblocking, METH_NOARGS, "getblocking($self, /)\n--\n\n"},
    {"settimeout", sock_settimeout, METH_O, "settimeout($self, object, /)\n--\n\n"},
    {"gettimeout", sock_gettimeout, METH_NOARGS, "gettimeout($self, /)\n--\n\n"},
    {"setsockopt", sock_setsockopt, METH_VARARGS, "setsockopt(level, option, value: int or buffer or None[, optlen: int])"},
    {"shutdown", sock_shutdown, METH_O, "shutdown($self, object, /)\n--\n\n"},
    {"recvmsg", sock_recvmsg, METH_VARARGS, "recvmsg(bufsize[, ancbufsize[, flags]]) -> (data, ancdata, msg_flags, address)"},
    {"recvmsg_into", sock_recvmsg_into, METH_VARARGS,
     "recvmsg_into(buffers[, ancbufsize[, flags]]) -> (nbytes, ancdata, msg_flags, address)"},
    {"sendmsg", sock_sendmsg, METH_VARARGS, "sendmsg(buffers[, ancdata[, flags[, address]]]) -> count"},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef members[] = {
    {"family", Py_T_INT, offsetof(Socket, family), Py_READONLY, "the socket family"},
    {"type", Py_T_INT, offsetof(Socket, type), Py_READONLY, "the socket type"},
    {"proto", Py_T_INT, offsetof(Socket, proto), Py_READONLY, "the socket protocol"},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef getset[] = {{"timeout", get_timeout, nullptr, "the socket timeout", nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(sock_new)},
    {Py_tp_init, reinterpret_cast<void*>(sock_init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(sock_dealloc)},
    {Py_tp_finalize, reinterpret_cast<void*>(sock_finalize)},
    {Py_tp_repr, reinterpret_cast<void*>(sock_repr)},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_doc, const_cast<char*>("socket(family=AF_INET, type=SOCK_STREAM, proto=0) -> socket object\n"
                                  "socket(family=-1, type=-1, proto=-1, fileno=None) -> socket object\n\n"
                                  "An end of a network connection, or a place where connections are accepted.")},
    {0, nullptr},
};
PyType_Spec spec = {"_socket.socket", sizeof(Socket), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, slots};

// ---- the module ----

const ext::IntConstant constants[] = {
#define SOCKET_CONSTANT(name, value) {#name, value},
#include "socket_constants.def"
#undef SOCKET_CONSTANT
};

// What other extension modules may take from here.
struct Capi {
  PyTypeObject* type;
  PyObject* error;
  PyObject* timeout_error;
};
Capi capi;

int execute(PyObject* module) {
  if (!ext::keep(&socket_type, PyType_FromModuleAndSpec(module, &spec, nullptr))) return -1;
  auto* type = reinterpret_cast<PyObject*>(socket_type);
  if (PyModule_AddObjectRef(module, "socket", type) < 0 || PyModule_AddObjectRef(module, "SocketType", type) < 0) return -1;
  if (!ext::keep(&herror, PyErr_NewException("socket.herror", PyExc_OSError, nullptr)) ||
      !ext::keep(&gaierror, PyErr_NewException("socket.gaierror", PyExc_OSError, nullptr))) {
    return -1;
  }
  if (PyModule_AddObjectRef(module, "error", PyExc_OSError) < 0 ||
      PyModule_AddObjectRef(module, "herror", herror) < 0 || PyModule_AddObjectRef(module, "gaierror", gaierror) < 0 ||
      PyModule_AddObjectRef(module, "timeout", PyExc_TimeoutError) < 0 ||
      PyModule_AddObjectRef(module, "has_ipv6", Py_True) < 0)
    return -1;
  capi = {socket_type, PyExc_OSError, PyExc_TimeoutError};
  if (PyModule_Add(module, "CAPI", PyCapsule_New(&capi, "_socket.CAPI", nullptr)) < 0) return -1;
  if (PyModule_AddStringConstant(module, "BDADDR_ANY", "00:00:00:00:00:00") < 0 ||
      PyModule_AddStringConstant(module, "BDADDR_LOCAL", "00:00:00:FF:FF:FF") < 0)
    return -1;
  return ext::add_constants(module, constants);
}

PyModuleDef_Slot module_slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_socket",
    .m_doc = "Sockets and what the system knows of networks.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

}  // namespace

PyObject* new_socket(int fd, int family, int type, int proto) {
  PyObject* op = socket_type->tp_alloc(socket_type, 0);
  if (op != nullptr) {
    as_socket(op)->fd = -1;
    if (adopt(as_socket(op), fd, family, type, proto)) return op;
    Py_DECREF(op);
    return nullptr;
  }
  ::close(fd);
  return nullptr;
}

}  // namespace ext::socket

PyMODINIT_FUNC PyInit__socket(void) { return PyModuleDef_Init(&ext::socket::definition); }
