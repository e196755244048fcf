// The modules _multiprocessing and _posixshmem: semaphores and memory that processes share, by POSIX names.
//
// A SemLock belongs to one process and may be reached from several of its threads: its count of acquisitions and the
// thread they belong to are atomics, written only by the thread that holds the semaphore.
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

namespace {

using ext::Ref;

enum Kind { kRecursiveMutex, kSemaphore };

struct SemLock {
  PyObject_HEAD
  sem_t* handle;
  std::atomic<unsigned long> owner;
  std::atomic<int> count;
  int maxvalue;
  int kind;
  char* name;  // PyMem_Malloc'ed, or null
};

SemLock* self_of(PyObject* object) { return reinterpret_cast<SemLock*>(object); }

bool is_mine(SemLock* self) {
  return self->count.load(std::memory_order_relaxed) > 0 &&
         self->owner.load(std::memory_order_relaxed) == PyThread_get_thread_ident();
}

PyObject* os_error() { return PyErr_SetFromErrno(PyExc_OSError); }

// Takes the handle in any case.
PyObject* make(PyTypeObject* type, sem_t* handle, int kind, int maxvalue, const char* name) {
  auto* self = self_of(type->tp_alloc(type, 0));
  if (self == nullptr) {
    sem_close(handle);
    return nullptr;
  }
  self->handle = handle;
  self->kind = kind;
  self->maxvalue = maxvalue;
  if (name != nullptr) {
    self->name = static_cast<char*>(PyMem_Malloc(strlen(name) + 1));
    if (self->name == nullptr) {
      Py_DECREF(self);
      return PyErr_NoMemory();
    }
    strcpy(self->name, name);
  }
  return reinterpret_cast<PyObject*>(self);
}

PyObject* semlock_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"kind", "value", "maxvalue", "name", "unlink", nullptr};
  int kind, value, maxvalue, unlink;
  const char* name;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iiisp:SemLock", const_cast<char**>(keywords), &kind, &value, &maxvalue,
                                   &name, &unlink))
    return nullptr;
  if (kind != kRecursiveMutex && kind != kSemaphore) {
    PyErr_SetString(PyExc_ValueError, "unrecognized kind");
    return nullptr;
  }
  sem_t* handle = sem_open(name, O_CREAT | O_EXCL, 0600, static_cast<unsigned>(value));
  if (handle == SEM_FAILED) return os_error();
  if (unlink && sem_unlink(name) < 0) {
    sem_close(handle);
    return os_error();
  }
  return make(type, handle, kind, maxvalue, unlink ? nullptr : name);
}

PyObject* semlock_rebuild(PyObject* type, PyObject* args) {
  Ref handle;
  PyObject* handle_object;
  int kind, maxvalue;
  const char* name;
  if (!PyArg_ParseTuple(args, "Oiiz:_rebuild", &handle_object, &kind, &maxvalue, &name)) return nullptr;
  void* address = PyLong_AsVoidPtr(handle_object);
  if (address == nullptr && PyErr_Occurred()) return nullptr;
  auto* semaphore = static_cast<sem_t*>(address);
  if (name != nullptr) {
    semaphore = sem_open(name, 0);
    if (semaphore == SEM_FAILED) return os_error();
  }
  return make(reinterpret_cast<PyTypeObject*>(type), semaphore, kind, maxvalue, name);
}

void semlock_dealloc(PyObject* object) {
  SemLock* self = self_of(object);
  PyTypeObject* type = Py_TYPE(object);
  if (self->handle != nullptr) sem_close(self->handle);
  PyMem_Free(self->name);
  type->tp_free(object);
  Py_DECREF(type);
}

bool deadline_of(PyObject* timeout, timespec* deadline) {
  double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred()) return false;
  if (!(seconds > 0)) seconds = 0;
  if (clock_gettime(CLOCK_REALTIME, deadline) < 0) return os_error() != nullptr;
  const double whole = std::floor(seconds);
  // Longer than any process lives.
  deadline->tv_sec += static_cast<time_t>(whole < 1e15 ? whole : 1e15);
  deadline->tv_nsec += static_cast<long>((seconds - whole) * 1e9);
  if (deadline->tv_nsec >= 1000000000) {
    deadline->tv_nsec -= 1000000000;
    deadline->tv_sec++;
  }
  return true;
}

PyObject* acquired(SemLock* self) {
  self->owner.store(PyThread_get_thread_ident(), std::memory_order_relaxed);
  self->count.fetch_add(1, std::memory_order_relaxed);
  Py_RETURN_TRUE;
}

PyObject* acquire(SemLock* self, bool block, PyObject* timeout) {
  if (self->kind == kRecursiveMutex && is_mine(self)) {
    self->count.fetch_add(1, std::memory_order_relaxed);
    Py_RETURN_TRUE;
  }
  timespec deadline;
  if (block && timeout != Py_None && !deadline_of(timeout, &deadline)) return nullptr;
  int code, error;
  do {
    code = sem_trywait(self->handle);
    error = errno;
  } while (code < 0 && error == EINTR);
  if (code == 0) return acquired(self);
  if (!block && error == EAGAIN) Py_RETURN_FALSE;
  while (code < 0 && (error == EAGAIN || error == EINTR)) {
    {
      ext::Away away;
      code = timeout == Py_None ? sem_wait(self->handle) : sem_timedwait(self->handle, &deadline);
      error = errno;
    }
    if (code < 0 && error == EINTR && PyErr_CheckSignals() < 0) return nullptr;
  }
  if (code == 0) return acquired(self);
  if (error == ETIMEDOUT) Py_RETURN_FALSE;
  errno = error;
  return os_error();
}

PyObject* semlock_acquire(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"block", "timeout", nullptr};
  int block = 1;
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:acquire", const_cast<char**>(keywords), &block, &timeout))
    return nullptr;
  return acquire(self_of(self), block, timeout);
}

PyObject* semlock_release(PyObject* object, PyObject*) {
  SemLock* self = self_of(object);
  if (self->kind == kRecursiveMutex) {
    if (!is_mine(self)) {
      PyErr_SetString(PyExc_AssertionError, "attempt to release recursive lock not owned by thread");
      return nullptr;
    }
    if (self->count.load(std::memory_order_relaxed) > 1) {
      self->count.fetch_sub(1, std::memory_order_relaxed);
      Py_RETURN_NONE;
    }
  } else {
    int value;
    if (sem_getvalue(self->handle, &value) < 0) return os_error();
    if (value >= self->maxvalue) {
      PyErr_SetString(PyExc_ValueError, "semaphore or lock released too many times");
      return nullptr;
    }
  }
  // Before the post: the next holder may be a thread of this process.
  self->count.fetch_sub(1, std::memory_order_relaxed);
  if (sem_post(self->handle) < 0) {
    self->count.fetch_add(1, std::memory_order_relaxed);
    return os_error();
  }
  Py_RETURN_NONE;
}

PyObject* semlock_enter(PyObject* self, PyObject*) { return acquire(self_of(self), true, Py_None); }
PyObject* semlock_exit(PyObject* self, PyObject* args) {
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  if (!PyArg_UnpackTuple(args, "__exit__", 0, 3, &type, &value, &traceback)) return nullptr;
  return semlock_release(self, nullptr);
}

PyObject* semlock_count(PyObject* self, PyObject*) { return PyLong_FromLong(self_of(self)->count.load()); }
PyObject* semlock_is_mine(PyObject* self, PyObject*) { return PyBool_FromLong(is_mine(self_of(self))); }
PyObject* semlock_get_value(PyObject* self, PyObject*) {
  int value;
  if (sem_getvalue(self_of(self)->handle, &value) < 0) return os_error();
  return PyLong_FromLong(value < 0 ? 0 : value);
}
PyObject* semlock_is_zero(PyObject* self, PyObject*) {
  int value;
  if (sem_getvalue(self_of(self)->handle, &value) < 0) return os_error();
  return PyBool_FromLong(value <= 0);
}
PyObject* semlock_after_fork(PyObject* self, PyObject*) {
  self_of(self)->count.store(0);
  Py_RETURN_NONE;
}

PyObject* get_handle(PyObject* self, void*) { return PyLong_FromVoidPtr(self_of(self)->handle); }
PyObject* get_kind(PyObject* self, void*) { return PyLong_FromLong(self_of(self)->kind); }
PyObject* get_maxvalue(PyObject* self, void*) { return PyLong_FromLong(self_of(self)->maxvalue); }
PyObject* get_name(PyObject* self, void*) {
  const char* name = self_of(self)->name;
  if (name == nullptr) Py_RETURN_NONE;
  return PyUnicode_FromString(name);
}

PyMethodDef semlock_methods[] = {
    {"acquire", ext::method(semlock_acquire), METH_VARARGS | METH_KEYWORDS,
     "acquire($self, /, block=True, timeout=None)\n--\n\nAcquire the semaphore/lock."},
    {"release", semlock_release, METH_NOARGS, "release($self, /)\n--\n\nRelease the semaphore/lock."},
    {"_count", semlock_count, METH_NOARGS, "_count($self, /)\n--\n\nHow often this process acquired it."},
    {"_is_mine", semlock_is_mine, METH_NOARGS, "_is_mine($self, /)\n--\n\nWhether this thread holds it."},
    {"_get_value", semlock_get_value, METH_NOARGS, "_get_value($self, /)\n--\n\nGet the value of the semaphore."},
    {"_is_zero", semlock_is_zero, METH_NOARGS, "_is_zero($self, /)\n--\n\nWhether its value is zero."},
    {"_rebuild", semlock_rebuild, METH_VARARGS | METH_CLASS, nullptr},
    {"_after_fork", semlock_after_fork, METH_NOARGS,
     "_after_fork($self, /)\n--\n\nRezero the net acquisition count after fork()."},
    {"__enter__", semlock_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nEnter the semaphore/lock."},
    {"__exit__", semlock_exit, METH_VARARGS,
     "__exit__($self, exc_type=None, exc_value=None, exc_tb=None, /)\n--\n\nExit the semaphore/lock."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef semlock_getset[] = {{"handle", get_handle, nullptr, nullptr, nullptr},
                                {"kind", get_kind, nullptr, nullptr, nullptr},
                                {"maxvalue", get_maxvalue, nullptr, nullptr, nullptr},
                                {"name", get_name, nullptr, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot semlock_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(semlock_dealloc)},
                               {Py_tp_new, reinterpret_cast<void*>(semlock_new)},
                               {Py_tp_methods, semlock_methods},
                               {Py_tp_getset, semlock_getset},
                               {Py_tp_doc, const_cast<char*>("Semaphore/Mutex type")},
                               {0, nullptr}};
PyType_Spec semlock_spec = {"_multiprocessing.SemLock", sizeof(SemLock), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, semlock_slots};

PyObject* module_sem_unlink(PyObject*, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  if (text == nullptr) return nullptr;
  if (sem_unlink(text) < 0) return os_error();
  Py_RETURN_NONE;
}

int execute(PyObject* module) {
  Ref type(PyType_FromModuleAndSpec(module, &semlock_spec, nullptr));
  if (!type) return -1;
  Ref largest(PyLong_FromLong(sysconf(_SC_SEM_VALUE_MAX)));
  Ref names(PyType_GetDict(reinterpret_cast<PyTypeObject*>(type.get())));
  if (!largest || !names || PyDict_SetItemString(names.get(), "SEM_VALUE_MAX", largest.get()) < 0) return -1;
  PyType_Modified(reinterpret_cast<PyTypeObject*>(type.get()));
  if (PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type.get())) < 0) return -1;
  return PyModule_Add(module, "flags", Py_BuildValue("{sisi}", "HAVE_SEM_OPEN", 1, "HAVE_SEM_TIMEDWAIT", 1));
}

PyMethodDef methods[] = {{"sem_unlink", module_sem_unlink, METH_O, "sem_unlink($module, name, /)\n--\n\n"},
                         {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_multiprocessing",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

// ---- _posixshmem ----

// Repeats `f` while signals interrupt it; -1 with an exception when it fails.
template <class F>
int interruptible(F f, PyObject* path) {
  for (;;) {
    int result, error;
    {
      ext::Away away;
      result = f();
      error = errno;
    }
    if (result >= 0) return result;
    if (error != EINTR) {
      errno = error;
      PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
      return -1;
    }
    if (PyErr_CheckSignals() < 0) return -1;
  }
}

// The name in UTF-8, which must not hold a null character.
const char* shared_name(PyObject* path) {
  Py_ssize_t size;
  const char* name = PyUnicode_AsUTF8AndSize(path, &size);
  if (name != nullptr && strlen(name) != static_cast<size_t>(size)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  return name;
}

PyObject* shared_open(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"path", "flags", "mode", nullptr};
  PyObject* path;
  int flags, mode = 0777;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ui|i:shm_open", const_cast<char**>(keywords), &path, &flags, &mode))
    return nullptr;
  const char* name = shared_name(path);
  if (name == nullptr) return nullptr;
  const int fd = interruptible([&] { return shm_open(name, flags, static_cast<mode_t>(mode)); }, path);
  return fd < 0 ? nullptr : PyLong_FromLong(fd);
}

PyObject* shared_unlink(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"path", nullptr};
  PyObject* path;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:shm_unlink", const_cast<char**>(keywords), &path)) return nullptr;
  const char* name = shared_name(path);
  if (name == nullptr || interruptible([&] { return shm_unlink(name); }, path) < 0) return nullptr;
  Py_RETURN_NONE;
}

int no_contents(PyObject*) { return 0; }
PyMethodDef shared_methods[] = {
    {"shm_open", ext::method(shared_open), METH_VARARGS | METH_KEYWORDS,
     "shm_open($module, /, path, flags, mode=511)\n--\n\nOpen a shared memory object.  Returns a file descriptor (integer)."},
    {"shm_unlink", ext::method(shared_unlink), METH_VARARGS | METH_KEYWORDS,
     "shm_unlink($module, /, path)\n--\n\nRemove a shared memory object (similar to unlink())."},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot shared_slots[] = EXT_MODULE_SLOTS(no_contents);
PyModuleDef shared_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_posixshmem",
    .m_doc = "POSIX shared memory module",
    .m_size = 0,
    .m_methods = shared_methods,
    .m_slots = shared_slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__multiprocessing(void) { return PyModuleDef_Init(&definition); }
PyMODINIT_FUNC PyInit__posixshmem(void) { return PyModuleDef_Init(&shared_definition); }
