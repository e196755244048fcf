// The module select: waiting for descriptors with select(), poll() and epoll.
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace {

using ext::Ref;

PyTypeObject* poll_type = nullptr;
PyTypeObject* epoll_type = nullptr;

// Waits with f(remaining), again after signals until the deadline; false with an exception. timeout < 0: for ever.
template <class F>
bool wait(PyTime_t timeout, F f, int* result) {
  const PyTime_t deadline = timeout > 0 ? _PyDeadline_Init(timeout) : 0;
  PyTime_t remaining = timeout;
  for (;;) {
    int error;
    {
      ext::Away away;
      errno = 0;
      *result = f(remaining);
      error = errno;
    }
    if (*result >= 0) return true;
    if (error != EINTR) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
    if (PyErr_CheckSignals() < 0) return false;
    if (timeout >= 0) {
      remaining = timeout > 0 ? _PyDeadline_Get(deadline) : 0;
      if (remaining < 0) {
        *result = 0;
        return true;
      }
    }
  }
}

// ---- select ----

// One of the three sets and the objects in it.
class Set {
 public:
  // The greatest descriptor, or -1 with an exception set, or -1.
  bool fill(PyObject* sequence, int* max) {
    FD_ZERO(&set_);
    items_ = Ref(PySequence_Fast(sequence, "arguments 1-3 must be sequences"));
    if (!items_) return false;
    // fileno() may change the list.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items_.get()); i++) {
      Ref item(Py_NewRef(PySequence_Fast_GET_ITEM(items_.get(), i)));
      const int fd = PyObject_AsFileDescriptor(item.get());
      if (fd < 0) return false;
      if (fd >= FD_SETSIZE) {
        PyErr_SetString(PyExc_ValueError, "filedescriptor out of range in select()");
        return false;
      }
      if (count_ >= FD_SETSIZE) {
        PyErr_SetString(PyExc_ValueError, "too many file descriptors in select()");
        return false;
      }
      FD_SET(fd, &set_);
      *max = std::max(*max, fd);
      objects_[count_] = std::move(item);
      fds_[count_++] = fd;
    }
    return true;
  }
  PyObject* ready() {
    Ref list(PyList_New(0));
    for (int i = 0; list && i < count_; i++) {
      if (FD_ISSET(fds_[i], &set_) && PyList_Append(list.get(), objects_[i].get()) < 0) return nullptr;
    }
    return list.release();
  }
  void clear() { FD_ZERO(&set_); }
  fd_set* get() { return count_ > 0 ? &set_ : nullptr; }
  fd_set value() const { return set_; }
  void restore(const fd_set& saved) { set_ = saved; }

 private:
  fd_set set_;
  Ref items_;
  int count_ = 0;
  std::unique_ptr<Ref[]> objects_ = std::make_unique<Ref[]>(FD_SETSIZE);
  int fds_[FD_SETSIZE];
};

PyObject* module_select(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("select", nargs, 3, 4)) return nullptr;
  PyTime_t timeout = -1;
  if (nargs == 4 && args[3] != Py_None) {
    if (_PyTime_FromSecondsObject(&timeout, args[3], _PyTime_ROUND_TIMEOUT) < 0) {
      if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "timeout must be a float or None");
      return nullptr;
    }
    if (timeout < 0) {
      PyErr_SetString(PyExc_ValueError, "timeout must be non-negative");
      return nullptr;
    }
  }
  auto sets = std::make_unique<Set[]>(3);
  int max = -1;
  for (int i = 0; i < 3; i++) {
    if (!sets[static_cast<size_t>(i)].fill(args[i], &max)) return nullptr;
  }
  fd_set saved[3];
  for (size_t i = 0; i < 3; i++) saved[i] = sets[i].value();
  int n;
  const bool ok = wait(
      timeout,
      [&](PyTime_t remaining) {
        for (size_t i = 0; i < 3; i++) sets[i].restore(saved[i]);
        struct timeval tv;
        if (timeout >= 0) _PyTime_AsTimeval(remaining, &tv, _PyTime_ROUND_TIMEOUT);
        return ::select(max + 1, sets[0].get(), sets[1].get(), sets[2].get(), timeout >= 0 ? &tv : nullptr);
      },
      &n);
  if (!ok) return nullptr;
  if (n == 0) {
    for (size_t i = 0; i < 3; i++) sets[i].clear();
  }
  Ref r(sets[0].ready()), w(sets[1].ready()), x(sets[2].ready());
  return r && w && x ? PyTuple_Pack(3, r.get(), w.get(), x.get()) : nullptr;
}

// Milliseconds of an optional timeout: -1 for ever.
bool timeout_argument(PyObject* value, bool milliseconds, PyTime_t* timeout) {
  *timeout = -1;
  if (value == nullptr || value == Py_None) return true;
  const int result = milliseconds ? _PyTime_FromMillisecondsObject(timeout, value, _PyTime_ROUND_TIMEOUT)
                                  : _PyTime_FromSecondsObject(timeout, value, _PyTime_ROUND_TIMEOUT);
  if (result < 0) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_SetString(PyExc_TypeError, "timeout must be an integer or None");
    return false;
  }
  const PyTime_t ms = _PyTime_AsMilliseconds(*timeout, _PyTime_ROUND_TIMEOUT);
  if (ms < INT_MIN || ms > INT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "timeout is too large");
    return false;
  }
  if (*timeout < 0) *timeout = -1;
  return true;
}

int as_milliseconds(PyTime_t t) {
  return t < 0 ? -1 : static_cast<int>(_PyTime_AsMilliseconds(t, _PyTime_ROUND_TIMEOUT));
}

// ---- poll ----

struct Poll {
  PyObject_HEAD
  PyObject* masks;  // dict: descriptor to events
  int running;
};
Poll* as_poll(PyObject* op) { return reinterpret_cast<Poll*>(op); }

bool events_argument(PyObject* value, unsigned short* events) {
  return _PyLong_UnsignedShort_Converter(value, events) != 0;
}

PyObject* poll_register(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("register", nargs, 1, 2)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  if (fd < 0) return nullptr;
  unsigned short events = POLLIN | POLLPRI | POLLOUT;
  if (nargs == 2 && !events_argument(args[1], &events)) return nullptr;
  Ref key(PyLong_FromLong(fd)), value(PyLong_FromLong(events));
  if (!key || !value || PyDict_SetItem(as_poll(op)->masks, key.get(), value.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* poll_modify(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("modify", nargs, 2, 2)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(args[0]);
  unsigned short events;
  if (fd < 0 || !events_argument(args[1], &events)) return nullptr;
  Ref key(PyLong_FromLong(fd)), value(PyLong_FromLong(events));
  if (!key || !value) return nullptr;
  const int known = PyDict_Contains(as_poll(op)->masks, key.get());
  if (known < 0) return nullptr;
  if (known == 0) {
    errno = ENOENT;
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  if (PyDict_SetItem(as_poll(op)->masks, key.get(), value.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* poll_unregister(PyObject* op, PyObject* arg) {
  const int fd = PyObject_AsFileDescriptor(arg);
  if (fd < 0) return nullptr;
  Ref key(PyLong_FromLong(fd));
  if (!key || PyDict_DelItem(as_poll(op)->masks, key.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* poll_poll(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Poll* self = as_poll(op);
  PyTime_t timeout;
  if (!ext::check_positional("poll", nargs, 0, 1) || !timeout_argument(nargs == 1 ? args[0] : nullptr, true, &timeout))
    return nullptr;
  if (__atomic_exchange_n(&self->running, 1, __ATOMIC_ACQUIRE) != 0) {
    PyErr_SetString(PyExc_RuntimeError, "concurrent poll() invocation");
    return nullptr;
  }
  struct Running {
    Poll* self;
    ~Running() { __atomic_store_n(&self->running, 0, __ATOMIC_RELEASE); }
  } running{self};
  Ref items(PyDict_Items(self->masks));
  if (!items) return nullptr;
  const Py_ssize_t n = PyList_GET_SIZE(items.get());
  auto fds = std::make_unique<pollfd[]>(static_cast<size_t>(n) + 1);
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* pair = PyList_GET_ITEM(items.get(), i);
    fds[static_cast<size_t>(i)] = {static_cast<int>(PyLong_AsLong(PyTuple_GET_ITEM(pair, 0))),
                                   static_cast<short>(PyLong_AsLong(PyTuple_GET_ITEM(pair, 1))), 0};
  }
  int ready;
  if (!wait(timeout, [&](PyTime_t t) { return ::poll(fds.get(), static_cast<nfds_t>(n), as_milliseconds(t)); }, &ready))
    return nullptr;
  Ref list(PyList_New(0));
  for (Py_ssize_t i = 0; list && ready > 0 && i < n; i++) {
    const pollfd& entry = fds[static_cast<size_t>(i)];
    if (entry.revents == 0) continue;
    ready--;
    Ref pair(Py_BuildValue("(ii)", entry.fd, entry.revents & 0xffff));
    if (!pair || PyList_Append(list.get(), pair.get()) < 0) return nullptr;
  }
  return list.release();
}

void poll_dealloc(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  Py_XDECREF(as_poll(op)->masks);
  type->tp_free(op);
  Py_DECREF(type);
}

PyObject* module_poll(PyObject*, PyObject*) {
  Poll* self = PyObject_New(Poll, poll_type);
  if (self == nullptr) return nullptr;
  self->running = 0;
  self->masks = PyDict_New();
  Ref holder(reinterpret_cast<PyObject*>(self));
  return self->masks ? holder.release() : nullptr;
}

PyMethodDef poll_methods[] = {
    {"register", ext::method(poll_register), METH_FASTCALL,
     "register($self, fd, eventmask=select.POLLIN | select.POLLPRI | select.POLLOUT,\n         /)\n--\n\n"},
    {"modify", ext::method(poll_modify), METH_FASTCALL, "modify($self, fd, eventmask, /)\n--\n\n"},
    {"unregister", poll_unregister, METH_O, "unregister($self, fd, /)\n--\n\n"},
    {"poll", ext::method(poll_poll), METH_FASTCALL,
     "poll($self, timeout=None, /)\n--\n\nWait, at most timeout milliseconds; a list of (fd, events)."},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot poll_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(poll_dealloc)}, {Py_tp_methods, poll_methods}, {0, nullptr}};
PyType_Spec poll_spec = {"select.poll", sizeof(Poll), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, poll_slots};

// ---- epoll ----

struct Epoll {
  PyObject_HEAD
  int fd;
};
Epoll* as_epoll(PyObject* op) { return reinterpret_cast<Epoll*>(op); }

bool is_open(PyObject* op) {
  if (as_epoll(op)->fd >= 0) return true;
  PyErr_SetString(PyExc_ValueError, "I/O operation on closed epoll object");
  return false;
}

PyObject* new_epoll(PyTypeObject* type, int flags, int fd) {
  Ref holder(type->tp_alloc(type, 0));
  if (!holder) return nullptr;
  if (fd < 0) {
    fd = epoll_create1(flags | EPOLL_CLOEXEC);
    if (fd < 0) {
      as_epoll(holder.get())->fd = -1;
      return PyErr_SetFromErrno(PyExc_OSError);
    }
  }
  as_epoll(holder.get())->fd = fd;
  return holder.release();
}

PyObject* epoll_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"sizehint", "flags", nullptr};
  int sizehint = -1, flags = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ii:epoll", const_cast<char**>(keywords), &sizehint, &flags))
    return nullptr;
  if (sizehint != -1 && sizehint <= 0) {
    PyErr_SetString(PyExc_ValueError, "negative sizehint");
    return nullptr;
  }
  if (flags != 0 && flags != EPOLL_CLOEXEC) {
    PyErr_SetString(PyExc_OSError, "invalid flags");
    return nullptr;
  }
  return new_epoll(type, flags, -1);
}

PyObject* epoll_fromfd(PyObject* type, PyObject* arg) {
  int fd;
  return ext::to_int(arg, &fd) ? new_epoll(reinterpret_cast<PyTypeObject*>(type), 0, fd) : nullptr;
}

int close_epoll(Epoll* self) {
  const int fd = __atomic_exchange_n(&self->fd, -1, __ATOMIC_ACQ_REL);
  if (fd < 0) return 0;
  ext::Away away;
  return ::close(fd) < 0 ? errno : 0;
}

PyObject* epoll_close(PyObject* op, PyObject*) {
  errno = close_epoll(as_epoll(op));
  if (errno != 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

PyObject* control(PyObject* op, int action, PyObject* object, unsigned events) {
  if (!is_open(op)) return nullptr;
  const int fd = PyObject_AsFileDescriptor(object);
  if (fd < 0) return nullptr;
  struct epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  int result, error;
  {
    ext::Away away;
    result = epoll_ctl(as_epoll(op)->fd, action, fd, &event);
    error = errno;
  }
  errno = error;
  if (result < 0) return PyErr_SetFromErrno(PyExc_OSError);
  Py_RETURN_NONE;
}

bool mask_argument(PyObject* value, unsigned* events) {
  const unsigned long mask = PyLong_AsUnsignedLongMask(value);
  *events = static_cast<unsigned>(mask);
  return mask != static_cast<unsigned long>(-1) || !PyErr_Occurred();
}

PyObject* epoll_register(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"fd", "eventmask", nullptr};
  PyObject *fd, *mask = nullptr;
  unsigned events = EPOLLIN | EPOLLPRI | EPOLLOUT;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:register", const_cast<char**>(keywords), &fd, &mask)) return nullptr;
  if (mask != nullptr && !mask_argument(mask, &events)) return nullptr;
  return control(op, EPOLL_CTL_ADD, fd, events);
}
PyObject* epoll_modify(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"fd", "eventmask", nullptr};
  PyObject *fd, *mask;
  unsigned events;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:modify", const_cast<char**>(keywords), &fd, &mask) ||
      !mask_argument(mask, &events))
    return nullptr;
  return control(op, EPOLL_CTL_MOD, fd, events);
}
PyObject* epoll_unregister(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"fd", nullptr};
  PyObject* fd;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:unregister", const_cast<char**>(keywords), &fd)) return nullptr;
  return control(op, EPOLL_CTL_DEL, fd, 0);
}

PyObject* epoll_poll(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"timeout", "maxevents", nullptr};
  PyObject* timeout_value = nullptr;
  int count = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Oi:poll", const_cast<char**>(keywords), &timeout_value, &count))
    return nullptr;
  if (!is_open(op)) return nullptr;
  PyTime_t timeout;
  if (!timeout_argument(timeout_value, false, &timeout)) return nullptr;
  if (count == -1) count = FD_SETSIZE - 1;
  if (count < 1) return PyErr_Format(PyExc_ValueError, "maxevents must be greater than 0, got %d", count);
  // Common sizes need no memory of their own.
  epoll_event small[64];
  std::unique_ptr<epoll_event[]> large;
  epoll_event* events = small;
  if (count > 64) {
    large = std::make_unique<epoll_event[]>(static_cast<size_t>(count));
    events = large.get();
  }
  int ready;
  if (!wait(timeout, [&](PyTime_t t) { return epoll_wait(as_epoll(op)->fd, events, count, as_milliseconds(t)); }, &ready))
    return nullptr;
  Ref list(PyList_New(ready));
  for (int i = 0; list && i < ready; i++) {
    PyObject* pair = Py_BuildValue("iI", events[i].data.fd, events[i].events);
    if (pair == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), i, pair);
  }
  return list.release();
}

PyObject* epoll_fileno(PyObject* op, PyObject*) { return is_open(op) ? PyLong_FromLong(as_epoll(op)->fd) : nullptr; }
PyObject* epoll_closed(PyObject* op, void*) { return PyBool_FromLong(as_epoll(op)->fd < 0); }
PyObject* epoll_enter(PyObject* op, PyObject*) { return is_open(op) ? Py_NewRef(op) : nullptr; }
PyObject* epoll_exit(PyObject* op, PyObject* const*, Py_ssize_t) { return PyObject_CallMethod(op, "close", nullptr); }
void epoll_dealloc(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  close_epoll(as_epoll(op));
  type->tp_free(op);
  Py_DECREF(type);
}

PyMethodDef epoll_methods[] = {
    {"fromfd", epoll_fromfd, METH_O | METH_CLASS, "fromfd($type, fd, /)\n--\n\nAn object over an epoll descriptor."},
    {"close", epoll_close, METH_NOARGS, "close($self, /)\n--\n\n"},
    {"fileno", epoll_fileno, METH_NOARGS, "fileno($self, /)\n--\n\n"},
    {"register", ext::method(epoll_register), METH_VARARGS | METH_KEYWORDS,
     "register($self, /, fd,\n         eventmask=select.EPOLLIN | select.EPOLLPRI | select.EPOLLOUT)\n--\n\n"},
    {"modify", ext::method(epoll_modify), METH_VARARGS | METH_KEYWORDS, "modify($self, /, fd, eventmask)\n--\n\n"},
    {"unregister", ext::method(epoll_unregister), METH_VARARGS | METH_KEYWORDS, "unregister($self, /, fd)\n--\n\n"},
    {"poll", ext::method(epoll_poll), METH_VARARGS | METH_KEYWORDS,
     "poll($self, /, timeout=None, maxevents=-1)\n--\n\nWait, at most timeout seconds; a list of (fd, events)."},
    {"__enter__", epoll_enter, METH_NOARGS, "__enter__($self, /)\n--\n\n"},
    {"__exit__", ext::method(epoll_exit), METH_FASTCALL,
     "__exit__($self, exc_type=None, exc_value=None, exc_tb=None, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef epoll_getset[] = {{"closed", epoll_closed, nullptr, nullptr, nullptr}, {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot epoll_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(epoll_dealloc)},
                             {Py_tp_methods, epoll_methods},
                             {Py_tp_getset, epoll_getset},
                             {Py_tp_new, reinterpret_cast<void*>(epoll_new)},
                             {Py_tp_doc, const_cast<char*>("epoll(sizehint=-1, flags=0)\n--\n\nAn epoll descriptor.")},
                             {0, nullptr}};
PyType_Spec epoll_spec = {"select.epoll", sizeof(Epoll), 0, Py_TPFLAGS_DEFAULT, epoll_slots};

#define CONSTANT(name) {#name, static_cast<long long>(name)}
const ext::IntConstant constants[] = {
    CONSTANT(EPOLLERR),    CONSTANT(EPOLLEXCLUSIVE), CONSTANT(EPOLLHUP),    CONSTANT(EPOLLIN),     CONSTANT(EPOLLMSG),
    CONSTANT(EPOLLOUT),    CONSTANT(EPOLLPRI),       CONSTANT(EPOLLRDBAND), CONSTANT(EPOLLRDHUP),  CONSTANT(EPOLLRDNORM),
    CONSTANT(EPOLLWAKEUP), CONSTANT(EPOLLWRBAND),    CONSTANT(EPOLLWRNORM), CONSTANT(EPOLL_CLOEXEC), CONSTANT(PIPE_BUF),
    CONSTANT(POLLERR),     CONSTANT(POLLHUP),        CONSTANT(POLLIN),      CONSTANT(POLLMSG),     CONSTANT(POLLNVAL),
    CONSTANT(POLLOUT),     CONSTANT(POLLPRI),        CONSTANT(POLLRDBAND),  CONSTANT(POLLRDHUP),   CONSTANT(POLLRDNORM),
    CONSTANT(POLLWRBAND),  CONSTANT(POLLWRNORM),     {"EPOLLET", 0x80000000}, {"EPOLLONESHOT", 0x40000000},
};

int execute(PyObject* module) {
  if (!ext::keep(&poll_type, PyType_FromModuleAndSpec(module, &poll_spec, nullptr)) ||
      !ext::keep(&epoll_type, PyType_FromModuleAndSpec(module, &epoll_spec, nullptr)) ||
      PyModule_AddType(module, epoll_type) < 0) return -1;
  if (PyModule_AddObjectRef(module, "error", PyExc_OSError) < 0) return -1;
  return ext::add_constants(module, constants);
}

PyMethodDef methods[] = {
    {"select", ext::method(module_select), METH_FASTCALL,
     "select($module, rlist, wlist, xlist, timeout=None, /)\n--\n\n"
     "Wait until one of the objects, given by descriptor or with fileno(), is ready to be read or written or has an\n"
     "exceptional condition; three lists of those that are."},
    {"poll", module_poll, METH_NOARGS, "poll($module, /)\n--\n\nA new object for polling descriptors."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "select",
    .m_doc = "Waiting for descriptors.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_select(void) { return PyModuleDef_Init(&definition); }
