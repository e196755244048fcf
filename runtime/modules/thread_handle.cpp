// _thread._ThreadHandle and the running of threads. A ThreadRecord is what a thread and the handles to it share; it
// outlives both. Its state only moves forward: not started, starting, running, done. Everything but `ended` is
// guarded by `mutex`.
#include "Python.h"

#include "base/assert.h"
#include "platform/os.h"
#include "platform/raw_mutex.h"
#include "sync/event.h"
#include "sync/fork.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_api.h"

#include "modules/thread_support.h"

#include <atomic>
#include <new>

namespace amphis::thread_module {

enum class Stage { kNotStarted, kStarting, kRunning, kDone };

struct ThreadRecord {
  std::atomic<int> refs{1};
  sync::Mutex mutex;
  Stage stage = Stage::kNotStarted;
  bool native_joinable = false;  // the native thread waits to be joined or detached
  sync::Mutex join_mutex;        // one joiner of the native thread at a time
  unsigned long ident = 0;
  sync::Event ended;             // the thread has run to its end, as far as Python can see
  // Every record whose thread was started is listed, for fork and shutdown. A thread that this module did not start is
  // listed as long as it has a record: the list has no reference to that.
  ThreadRecord* next = nullptr;
  ThreadRecord* prev = nullptr;
  bool listed = false;
  bool daemon = true;
  bool foreign = false;
};

namespace {

struct Handle {
  PyObject_HEAD
  ThreadRecord* record;
};

platform::RawMutex list_lock;
ThreadRecord* list_head = nullptr;
std::atomic<long> running{0};

void list_add(ThreadRecord* r) {
  platform::RawLock lock(list_lock);
  r->next = list_head;
  r->prev = nullptr;
  if (list_head) list_head->prev = r;
  list_head = r;
  r->listed = true;
}

void list_remove(ThreadRecord* r) {
  platform::RawLock lock(list_lock);
  if (!r->listed) return;
  (r->prev ? r->prev->next : list_head) = r->next;
  if (r->next) r->next->prev = r->prev;
  r->listed = false;
}

void keep(ThreadRecord* r) { r->refs.fetch_add(1, std::memory_order_relaxed); }

void drop(ThreadRecord* r) {
  if (r->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (r->native_joinable) platform::detach_thread(r->ident);  // nobody can join it any more
  if (r->foreign) list_remove(r);
  delete r;
}

Stage stage_of(ThreadRecord* r) {
  sync::MutexLock lock(r->mutex);
  return r->stage;
}

PyObject* not_started() {
  PyErr_SetString(PyExc_RuntimeError, "thread not started");
  return nullptr;
}

// Waits until the native thread has gone. False with an exception set.
bool reap(ThreadRecord* r) {
  sync::MutexLock one(r->join_mutex);
  bool joinable;
  {
    sync::MutexLock lock(r->mutex);
    joinable = r->native_joinable;
    r->native_joinable = false;
  }
  if (joinable) {
    int error;
    {
      // join_mutex stays held while detached: those who want it wait for this very join.
      Detached d;
      error = platform::join_thread(r->ident);
    }
    if (error) {
      PyErr_SetString(PyExc_RuntimeError, "Failed joining thread");
      return false;
    }
  }
  sync::MutexLock lock(r->mutex);
  r->stage = Stage::kDone;
  return true;
}

bool join(ThreadRecord* r, int64_t timeout_ns) {
  Stage stage = stage_of(r);
  if (stage == Stage::kNotStarted || stage == Stage::kStarting) return not_started() != nullptr;
  if (r->ident == platform::thread_handle() && !r->ended.is_set()) {
    PyErr_SetString(PyExc_RuntimeError, "Cannot join current thread");
    return false;
  }
  // Daemon threads stand still for ever once the runtime has begun to end.
  if (sync::finalizing() && r->daemon && !r->ended.is_set()) {
    PyErr_SetString(PyExc_PythonFinalizationError, "cannot join thread at interpreter shutdown");
    return false;
  }
  int64_t start = platform::now_ns();
  int64_t left = timeout_ns;
  for (;;) {
    sync::LockResult result = r->ended.wait(left, true);
    if (result == sync::LockResult::kAcquired) break;
    if (result == sync::LockResult::kTimeout) return true;
    if (Py_MakePendingCalls() < 0) return false;
    if (timeout_ns >= 0) {
      left = timeout_ns - (platform::now_ns() - start);
      if (left < 0) left = 0;
    }
  }
  return reap(r);
}

struct Boot {
  ThreadState* ts;
  PyObject* function;
  PyObject* args;
  PyObject* kwargs;
  ThreadRecord* record;
};

void run_thread(void* p) {
  auto* boot = static_cast<Boot*>(p);
  ThreadState* ts = boot->ts;
  ThreadRecord* record = boot->record;
  if (record) {
    // The starter may not have come back from starting the thread yet.
    sync::MutexLock lock(record->mutex);
    record->ident = platform::thread_handle();
    record->stage = Stage::kRunning;
  }
  sync::attach(ts);
  PyObject* result = PyObject_Call(boot->function, boot->args, boot->kwargs);
  if (result) {
    Py_DECREF(result);
  } else if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
    PyErr_Clear();
  } else {
    PyErr_FormatUnraisable("Exception ignored in thread started by %R", boot->function);
  }
  Py_DECREF(boot->function);
  Py_DECREF(boot->args);
  Py_XDECREF(boot->kwargs);
  delete boot;
  running.fetch_sub(1);
  sync::finish_current_thread(ts);
  if (record) {
    list_remove(record);
    record->ended.set();
    drop(record);
  }
}

// In the child of a fork every other thread has ended, without cleaning up.
void after_fork_child() {
  list_lock.reset();
  unsigned long me = platform::thread_handle();
  long alive = 0;
  for (ThreadRecord *r = list_head, *next; r; r = next) {
    next = r->next;
    r->mutex.reset();
    r->join_mutex.reset();
    if (r->ident == me && r->stage == Stage::kRunning) {
      r->native_joinable = false;
      if (!r->foreign) alive++;
      continue;
    }
    r->stage = Stage::kDone;
    r->native_joinable = false;
    list_remove(r);
    r->ended.set();
    if (!r->foreign) drop(r);  // the reference of the thread that is no more
  }
  running.store(alive);
}

void handle_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (ThreadRecord* r = reinterpret_cast<Handle*>(self)->record) drop(r);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* handle_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s object: ident=%lu>", Py_TYPE(self)->tp_name, record_ident(record_of(self)));
}

PyObject* handle_new(PyTypeObject* type, PyObject*, PyObject*) { return new_handle(type); }

PyObject* handle_ident(PyObject* self, void*) { return PyLong_FromUnsignedLong(record_ident(record_of(self))); }

PyObject* handle_join(PyObject* self, PyObject* args) {
  PyObject* timeout = Py_None;
  if (!PyArg_ParseTuple(args, "|O:join", &timeout)) return nullptr;
  int64_t ns = -1;
  if (timeout != Py_None && !seconds_to_ns(timeout, &ns)) return nullptr;
  if (!join(record_of(self), ns < 0 ? -1 : ns)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* handle_is_done(PyObject* self, PyObject*) { return PyBool_FromLong(record_of(self)->ended.is_set()); }

PyObject* handle_set_done(PyObject* self, PyObject*) {
  ThreadRecord* r = record_of(self);
  Stage stage = stage_of(r);
  if (stage == Stage::kNotStarted || stage == Stage::kStarting) return not_started();
  bool joinable;
  {
    sync::MutexLock lock(r->mutex);
    joinable = r->native_joinable;
    r->native_joinable = false;
    r->stage = Stage::kDone;
  }
  if (joinable) platform::detach_thread(r->ident);
  r->ended.set();
  Py_RETURN_NONE;
}

PyGetSetDef handle_getset[] = {{"ident", handle_ident, nullptr, nullptr, nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef handle_methods[] = {
    {"join", handle_join, METH_VARARGS, nullptr},
    {"_set_done", handle_set_done, METH_NOARGS, "_set_done($self, /)\n--\n\n"},
    {"is_done", handle_is_done, METH_NOARGS, "is_done($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot handle_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(handle_dealloc)},
                              {Py_tp_repr, reinterpret_cast<void*>(handle_repr)},
                              {Py_tp_getset, handle_getset},
                              {Py_tp_methods, handle_methods},
                              {Py_tp_new, reinterpret_cast<void*>(handle_new)},
                              {0, nullptr}};
PyType_Spec handle_spec = {"_thread._ThreadHandle", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                           handle_slots};

}  // namespace

ThreadRecord* record_of(PyObject* handle) { return reinterpret_cast<Handle*>(handle)->record; }

PyObject* new_handle(PyTypeObject* type) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  auto* record = new (std::nothrow) ThreadRecord();
  if (!record) {
    Py_DECREF(self);
    return PyErr_NoMemory();
  }
  reinterpret_cast<Handle*>(self)->record = record;
  return self;
}

unsigned long record_ident(ThreadRecord* r) {
  sync::MutexLock lock(r->mutex);
  return r->ident;
}

void mark_foreign(ThreadRecord* r, unsigned long ident) {
  {
    sync::MutexLock lock(r->mutex);
    r->ident = ident;
    r->stage = Stage::kRunning;
    r->foreign = true;
  }
  list_add(r);
}

bool start_thread(PyObject* function, PyObject* args, PyObject* kwargs, ThreadRecord* record, bool daemon,
                  unsigned long* ident) {
  if (sync::finalizing()) {
    PyErr_SetString(PyExc_PythonFinalizationError, "can't create new thread at interpreter shutdown");
    return false;
  }
  if (record) {
    bool fresh;
    {
      sync::MutexLock lock(record->mutex);
      fresh = record->stage == Stage::kNotStarted;
      if (fresh) {
        record->stage = Stage::kStarting;
        record->daemon = daemon;
      }
    }
    if (!fresh) {
      PyErr_SetString(PyExc_RuntimeError, "thread already started");
      return false;
    }
    keep(record);
  }
  ThreadState* ts = sync::new_thread(kWhenceThreading);
  auto* boot = ts ? new (std::nothrow) Boot{ts, Py_NewRef(function), Py_NewRef(args), Py_XNewRef(kwargs), record} : nullptr;
  bool started = false;
  unsigned long handle = 0;
  if (boot) {
    running.fetch_add(1);
    if (record) {
      // Held across the start, so that the new thread finds native_joinable set before it can end.
      sync::MutexLock lock(record->mutex);
      started = platform::start_thread(run_thread, boot, sync::native_stack_size(), true, &handle);
      if (started) {
        record->ident = handle;
        record->native_joinable = true;
        record->stage = Stage::kRunning;
        list_add(record);  // before the thread, which needs the mutex first, takes itself off
      }
    } else {
      started = platform::start_thread(run_thread, boot, sync::native_stack_size(), false, &handle);
    }
  }
  if (started) {
    *ident = handle;
    return true;
  }
  if (boot) {
    running.fetch_sub(1);
    Py_DECREF(boot->function);
    Py_DECREF(boot->args);
    Py_XDECREF(boot->kwargs);
    delete boot;
  }
  if (ts) {
    sync::clear_thread(ts);
    sync::delete_thread(ts);
  }
  if (record) {
    {
      sync::MutexLock lock(record->mutex);
      record->stage = Stage::kNotStarted;
    }
    drop(record);
  }
  if (!ts)
    PyErr_NoMemory();
  else
    PyErr_SetString(PyExc_RuntimeError, "can't start new thread");
  return false;
}

void join_all_threads() {
  unsigned long me = platform::thread_handle();
  for (;;) {
    ThreadRecord* found = nullptr;
    {
      platform::RawLock lock(list_lock);
      for (ThreadRecord* r = list_head; r && !found; r = r->next)
        if (!r->daemon && r->ident != me) found = r;
      if (found) keep(found);
    }
    if (!found) return;
    bool joined = join(found, -1);
    // `join` may have come back before the thread took itself off the list.
    if (joined) list_remove(found);
    drop(found);
    if (!joined) {
      PyErr_FormatUnraisable("Exception ignored while joining a thread in _thread._shutdown()");
      return;
    }
  }
}

long running_threads() { return running.load(); }

PyTypeObject* make_handle_type(PyObject* module) {
  static std::atomic<bool> hooked{false};
  if (!hooked.exchange(true)) sync::add_fork_hooks({nullptr, nullptr, after_fork_child});
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &handle_spec, nullptr));
}

}  // namespace amphis::thread_module
