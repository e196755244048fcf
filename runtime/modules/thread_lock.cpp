// _thread.lock and _thread.RLock: Python's locks over the one-byte mutex. A thread that waits is detached; on the main
// thread signal handlers run meanwhile.
#include "Python.h"

#include "base/compiler.h"
#include "platform/os.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_api.h"

#include "modules/thread_support.h"

#include <cmath>
#include <cstddef>

namespace amphis::thread_module {

namespace {

struct Lock {
  PyObject_HEAD
  PyMutex mutex;
  PyObject* weakrefs;
};

struct RLock {
  PyObject_HEAD
  PyMutex mutex;
  unsigned long owner;  // meaningful while locked; only the owner itself finds its own ident here
  Py_ssize_t level;     // written by the owner only
  PyObject* weakrefs;
};

Lock* lock_of(PyObject* op) { return reinterpret_cast<Lock*>(op); }
RLock* rlock_of(PyObject* op) { return reinterpret_cast<RLock*>(op); }

unsigned long me() { return platform::thread_handle(); }

// 1: acquired, 0: timed out, -1: a signal handler raised.
int acquire_within(PyMutex* m, int64_t timeout_ns) {
  switch (sync::lock_with_retries(m, timeout_ns)) {
    case sync::LockResult::kAcquired:
      return 1;
    case sync::LockResult::kTimeout:
      return 0;
    default:
      return -1;
  }
}

PyObject* bool_or_null(int status) { return status < 0 ? nullptr : PyBool_FromLong(status); }

template <class T>
void dealloc(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  if (PyType_IS_GC(type)) PyObject_GC_UnTrack(op);
  if (sync::load_acquire(reinterpret_cast<T*>(op)->weakrefs)) PyObject_ClearWeakRefs(op);
  type->tp_free(op);
  Py_DECREF(type);
}

PyMemberDef lock_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Lock, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyMemberDef rlock_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(RLock, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

// ---- lock ----

PyObject* lock_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (kwargs && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "lock() takes no keyword arguments");
    return nullptr;
  }
  if (PyTuple_GET_SIZE(args) != 0)
    return PyErr_Format(PyExc_TypeError, "lock expected 0 arguments, got %zd", PyTuple_GET_SIZE(args));
  return type->tp_alloc(type, 0);
}

PyObject* lock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyMutex* m = &lock_of(self)->mutex;
  int64_t timeout_ns = -1;
  if ((nargs || kwnames) && !parse_acquire(args, nargs, kwnames, &timeout_ns)) return nullptr;
  if (sync::attached_try_lock(m)) [[likely]] Py_RETURN_TRUE;
  return bool_or_null(acquire_within(m, timeout_ns));
}

PyObject* lock_enter(PyObject* self, PyObject*) { return lock_acquire(self, nullptr, 0, nullptr); }

PyObject* lock_release(PyObject* self, PyObject*) {
  PyMutex* m = &lock_of(self)->mutex;
  if (sync::attached_try_unlock(m) || sync::mutex_try_unlock(m)) [[likely]] Py_RETURN_NONE;
  PyErr_SetString(PyExc_RuntimeError, "release unlocked lock");
  return nullptr;
}

PyObject* lock_exit(PyObject* self, PyObject* const*, Py_ssize_t) { return lock_release(self, nullptr); }

bool locked(PyMutex* m) { return __atomic_load_n(&m->_bits, __ATOMIC_ACQUIRE) & 1; }

PyObject* lock_locked(PyObject* self, PyObject*) { return PyBool_FromLong(locked(&lock_of(self)->mutex)); }

PyObject* lock_after_fork(PyObject* self, PyObject*) {
  lock_of(self)->mutex = PyMutex{};
  Py_RETURN_NONE;
}

PyObject* lock_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s %s object at %p>", locked(&lock_of(self)->mutex) ? "locked" : "unlocked",
                              Py_TYPE(self)->tp_name, self);
}

PyCFunction method(PyObject* (*f)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
PyCFunction method(PyObject* (*f)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

#define ACQUIRE_SIGNATURE "($self, /, blocking=True, timeout=-1)\n--\n\n"

PyMethodDef lock_methods[] = {
    {"acquire_lock", method(lock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "acquire_lock" ACQUIRE_SIGNATURE "Old name of acquire()."},
    {"acquire", method(lock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "acquire" ACQUIRE_SIGNATURE
     "Take the lock and return True. If it is taken, by whatever thread, wait for its release: for ever, or for\n"
     "timeout seconds, or not at all if blocking is false. Return False when the wait was in vain.\n"
     "Signal handlers run during the wait."},
    {"release_lock", lock_release, METH_NOARGS, "release_lock($self, /)\n--\n\nOld name of release()."},
    {"release", lock_release, METH_NOARGS,
     "release($self, /)\n--\n\nFree the lock, which must be taken, and let one waiting thread have it.\n"
     "Any thread may do that, not only the one that took it."},
    {"locked_lock", lock_locked, METH_NOARGS, "locked_lock($self, /)\n--\n\nOld name of locked()."},
    {"locked", lock_locked, METH_NOARGS, "locked($self, /)\n--\n\nWhether the lock is taken."},
    {"__enter__", lock_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nTake the lock."},
    {"__exit__", method(lock_exit), METH_FASTCALL, "__exit__($self, /, *exc_info)\n--\n\nFree the lock."},
    {"_at_fork_reinit", lock_after_fork, METH_NOARGS, "_at_fork_reinit($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyDoc_STRVAR(lock_doc,
             "lock()\n--\n\n"
             "A lock is taken by one thread at a time. Any thread may free it; taking it twice in one thread\n"
             "waits for another thread to free it.\n\n"
             "acquire() -- take it, waiting if need be\n"
             "release() -- free it\n"
             "locked() -- whether it is taken");

PyType_Slot lock_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc<Lock>)},
                            {Py_tp_repr, reinterpret_cast<void*>(lock_repr)},
                            {Py_tp_doc, const_cast<char*>(lock_doc)},
                            {Py_tp_methods, lock_methods},
                            {Py_tp_members, lock_members},
                            {Py_tp_new, reinterpret_cast<void*>(lock_new)},
                            {0, nullptr}};
PyType_Spec lock_spec = {"_thread.lock", sizeof(Lock), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, lock_slots};

// ---- RLock ----

bool owned(RLock* l) { return locked(&l->mutex) && sync::load_relaxed(l->owner) == me(); }

PyObject* rlock_new(PyTypeObject* type, PyObject*, PyObject*) { return type->tp_alloc(type, 0); }

int take(RLock* l, int64_t timeout_ns, Py_ssize_t level) {
  if (owned(l)) {
    sync::store_relaxed(l->level, l->level + level);
    return 1;
  }
  int status = sync::attached_try_lock(&l->mutex) ? 1 : acquire_within(&l->mutex, timeout_ns);
  if (status == 1) {
    sync::store_relaxed(l->owner, me());
    sync::store_relaxed(l->level, level);
  }
  return status;
}

void free_wholly(RLock* l) {
  sync::store_relaxed(l->level, 0);
  sync::store_relaxed(l->owner, 0);
  if (!sync::attached_try_unlock(&l->mutex)) sync::mutex_unlock(&l->mutex);
}

PyObject* rlock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  int64_t timeout_ns = -1;
  if ((nargs || kwnames) && !parse_acquire(args, nargs, kwnames, &timeout_ns)) return nullptr;
  return bool_or_null(take(rlock_of(self), timeout_ns, 1));
}

PyObject* rlock_enter(PyObject* self, PyObject*) { return bool_or_null(take(rlock_of(self), -1, 1)); }

PyObject* not_owned() {
  PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
  return nullptr;
}

PyObject* rlock_release(PyObject* self, PyObject*) {
  RLock* l = rlock_of(self);
  if (!owned(l)) return not_owned();
  if (l->level > 1)
    sync::store_relaxed(l->level, l->level - 1);
  else
    free_wholly(l);
  Py_RETURN_NONE;
}

PyObject* rlock_exit(PyObject* self, PyObject* const*, Py_ssize_t) { return rlock_release(self, nullptr); }
PyObject* rlock_locked(PyObject* self, PyObject*) { return PyBool_FromLong(locked(&rlock_of(self)->mutex)); }
PyObject* rlock_is_owned(PyObject* self, PyObject*) { return PyBool_FromLong(owned(rlock_of(self))); }

PyObject* rlock_recursion_count(PyObject* self, PyObject*) {
  RLock* l = rlock_of(self);
  return PyLong_FromSsize_t(owned(l) ? l->level : 0);
}

PyObject* rlock_release_save(PyObject* self, PyObject*) {
  RLock* l = rlock_of(self);
  if (!owned(l)) return not_owned();
  PyObject* state = Py_BuildValue("nk", l->level, l->owner);
  if (state) free_wholly(l);
  return state;
}

PyObject* rlock_acquire_restore(PyObject* self, PyObject* args) {
  Py_ssize_t level;
  unsigned long owner;
  if (!PyArg_ParseTuple(args, "(nk):_acquire_restore", &level, &owner)) return nullptr;
  RLock* l = rlock_of(self);
  // Whatever signals do, a condition variable must come back holding its lock.
  sync::mutex_lock(&l->mutex);
  sync::store_relaxed(l->owner, owner);
  sync::store_relaxed(l->level, level);
  Py_RETURN_NONE;
}

PyObject* rlock_after_fork(PyObject* self, PyObject*) {
  RLock* l = rlock_of(self);
  l->mutex = PyMutex{};
  l->owner = 0;
  sync::store_relaxed(l->level, 0);
  Py_RETURN_NONE;
}

PyObject* rlock_repr(PyObject* self) {
  RLock* l = rlock_of(self);
  bool taken = locked(&l->mutex);
  return PyUnicode_FromFormat("<%s %s object owner=%lu count=%zd at %p>", taken ? "locked" : "unlocked",
                              Py_TYPE(self)->tp_name, taken ? sync::load_relaxed(l->owner) : 0ul,
                              sync::load_relaxed(l->level), self);
}

PyMethodDef rlock_methods[] = {
    {"acquire", method(rlock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "acquire" ACQUIRE_SIGNATURE
     "Take the lock, or take it once more if this thread has it, and return True. If another thread has it, wait:\n"
     "for ever, or for timeout seconds, or not at all if blocking is false. Return False when the wait was in vain.\n"
     "Signal handlers run during the wait."},
    {"release", rlock_release, METH_NOARGS,
     "release($self, /)\n--\n\nUndo one acquire() of this thread; the last one frees the lock for others.\n"
     "It is an error if this thread does not have the lock."},
    {"locked", rlock_locked, METH_NOARGS, "locked()\n--\n\nWhether some thread has the lock."},
    {"_is_owned", rlock_is_owned, METH_NOARGS, "_is_owned($self, /)\n--\n\nFor threading.Condition."},
    {"_acquire_restore", rlock_acquire_restore, METH_VARARGS,
     "_acquire_restore($self, state, /)\n--\n\nFor threading.Condition."},
    {"_release_save", rlock_release_save, METH_NOARGS, "_release_save($self, /)\n--\n\nFor threading.Condition."},
    {"_recursion_count", rlock_recursion_count, METH_NOARGS,
     "_recursion_count($self, /)\n--\n\nHow often this thread has taken the lock."},
    {"__enter__", rlock_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nTake the lock."},
    {"__exit__", method(rlock_exit), METH_FASTCALL, "__exit__($self, /, *exc_info)\n--\n\nFree the lock."},
    {"_at_fork_reinit", rlock_after_fork, METH_NOARGS, "_at_fork_reinit($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot rlock_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(dealloc<RLock>)},
                             {Py_tp_repr, reinterpret_cast<void*>(rlock_repr)},
                             {Py_tp_methods, rlock_methods},
                             {Py_tp_members, rlock_members},
                             {Py_tp_new, reinterpret_cast<void*>(rlock_new)},
                             {0, nullptr}};
PyType_Spec rlock_spec = {"_thread.RLock", sizeof(RLock), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, rlock_slots};

AMPHIS_COLD bool out_of_range() {
  PyErr_SetString(PyExc_OverflowError, "timestamp out of range for C PyTime_t");
  return false;
}

}  // namespace

bool seconds_to_ns(PyObject* seconds, int64_t* ns) {
  if (PyFloat_Check(seconds)) {
    double d = PyFloat_AS_DOUBLE(seconds);
    if (std::isnan(d)) {
      PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
      return false;
    }
    d *= 1e9;
    d = d >= 0 ? std::ceil(d) : std::floor(d);
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0)) return out_of_range();
    *ns = int64_t(d);
    return true;
  }
  if (!PyLong_Check(seconds)) {
    PyErr_Format(PyExc_TypeError, "'%T' object cannot be interpreted as an integer or float", seconds);
    return false;
  }
  int overflow;
  long long s = PyLong_AsLongLongAndOverflow(seconds, &overflow);
  if (s == -1 && !overflow && PyErr_Occurred()) return false;
  long long result;
  if (overflow || __builtin_mul_overflow(s, 1000000000ll, &result)) return out_of_range();
  *ns = result;
  return true;
}

bool parse_acquire(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, int64_t* timeout_ns) {
  PyObject* values[2] = {nullptr, nullptr};
  static const char* const names[2] = {"blocking", "timeout"};
  Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  if (nargs + keywords > 2) {
    PyErr_Format(PyExc_TypeError, "acquire() takes at most 2 %sarguments (%zd given)", nargs ? "" : "keyword ",
                 nargs + keywords);
    return false;
  }
  for (Py_ssize_t i = 0; i < nargs; i++) values[i] = args[i];
  for (Py_ssize_t k = 0; k < keywords; k++) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, k);
    int i = PyUnicode_EqualToUTF8(name, names[0]) ? 0 : PyUnicode_EqualToUTF8(name, names[1]) ? 1 : -1;
    if (i < 0) {
      PyErr_Format(PyExc_TypeError, "acquire() got an unexpected keyword argument '%U'", name);
      return false;
    }
    if (i < nargs) {
      PyErr_Format(PyExc_TypeError, "argument for acquire() given by name ('%s') and position (%d)", names[i], i + 1);
      return false;
    }
    values[i] = args[nargs + k];
  }
  int blocking = values[0] ? PyObject_IsTrue(values[0]) : 1;
  if (blocking < 0) return false;
  constexpr int64_t kUnset = -1000000000;
  int64_t ns = kUnset;
  if (values[1] && !seconds_to_ns(values[1], &ns)) return false;
  if (!blocking && ns != kUnset) {
    PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
    return false;
  }
  if (ns < 0 && ns != kUnset) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
    return false;
  }
  *timeout_ns = !blocking ? 0 : ns == kUnset ? -1 : ns;
  return true;
}

PyTypeObject* make_lock_type(PyObject* module) {
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &lock_spec, nullptr));
}
PyTypeObject* make_rlock_type(PyObject* module) {
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &rlock_spec, nullptr));
}
PyObject* new_lock(PyTypeObject* lock_type) { return lock_type->tp_alloc(lock_type, 0); }

}  // namespace amphis::thread_module

extern "C" int PyThread_ParseTimeoutArg(PyObject* arg, int blocking, long long* timeout_us) {
  if (!arg || arg == Py_None) {
    *timeout_us = blocking ? -1 : 0;
    return 0;
  }
  if (!blocking) {
    PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
    return -1;
  }
  int64_t ns = 0;
  if (!amphis::thread_module::seconds_to_ns(arg, &ns)) return -1;
  if (ns < 0) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
    return -1;
  }
  *timeout_us = ns / 1000 + (ns % 1000 != 0);
  return 0;
}
