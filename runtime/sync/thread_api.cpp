// The C API of native threads: PyThread_* locks, starting, ids, thread-specific storage.
#include "base/assert.h"
#include "platform/os.h"
#include "sync/attachment.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_api.h"

#include <cstdlib>
#include <pthread.h>
#include <unistd.h>

namespace amphis::sync {

namespace {

std::atomic<size_t> requested_stack{0};
// A smaller request is granted only in name: deallocation and error handling need their reserves.
constexpr size_t kSmallestStack = size_t(512) << 10;

struct NativeStart {
  void (*function)(void*);
  void* arg;
};

}  // namespace

size_t native_stack_size() {
  size_t size = requested_stack.load(std::memory_order_relaxed);
  return size == 0 || size >= kSmallestStack ? size : kSmallestStack;
}

size_t stack_size() { return requested_stack.load(std::memory_order_relaxed); }

bool set_stack_size(size_t size) {
  if (size != 0 && size < kMinStackRequest) return false;
  requested_stack.store(size);
  return true;
}

LockResult lock_with_retries(PyMutex* m, int64_t timeout_ns) {
  LockResult r = mutex_lock_timed(m, 0, false);
  if (r == LockResult::kAcquired || timeout_ns == 0) return r;
  int64_t start = platform::now_ns();
  int64_t left = timeout_ns;
  for (;;) {
    r = mutex_lock_timed(m, left, true);
    if (r != LockResult::kInterrupted) return r;
    if (Py_MakePendingCalls() < 0) return r;
    if (timeout_ns > 0) {
      left = timeout_ns - (platform::now_ns() - start);
      if (left <= 0) return mutex_lock_timed(m, 0, false);
    }
  }
}

}  // namespace amphis::sync

using namespace amphis;
using sync::LockResult;

namespace {

PyLockStatus status_of(LockResult r) {
  switch (r) {
    case LockResult::kAcquired:
      return PY_LOCK_ACQUIRED;
    case LockResult::kTimeout:
      return PY_LOCK_FAILURE;
    default:
      return PY_LOCK_INTR;
  }
}

int64_t ns_of_us(long long us) {
  if (us < 0) return -1;
  return us > INT64_MAX / 1000 ? INT64_MAX : us * 1000;
}

}  // namespace

extern "C" {

const long long PY_TIMEOUT_MAX = INT64_MAX / 1000;

void PyThread_init_thread(void) {}

unsigned long PyThread_start_new_thread(void (*function)(void*), void* arg) {
  unsigned long handle;
  return platform::start_thread(function, arg, sync::native_stack_size(), false, &handle) ? handle
                                                                                         : PYTHREAD_INVALID_THREAD_ID;
}

void PyThread_exit_thread(void) { pthread_exit(nullptr); }
unsigned long PyThread_get_thread_ident(void) { return platform::thread_handle(); }
unsigned long PyThread_get_thread_native_id(void) { return platform::native_thread_id(); }
size_t PyThread_get_stacksize(void) { return sync::stack_size(); }
int PyThread_set_stacksize(size_t size) { return sync::set_stack_size(size) ? 0 : -1; }

PyThread_type_lock PyThread_allocate_lock(void) { return std::calloc(1, sizeof(PyMutex)); }
void PyThread_free_lock(PyThread_type_lock lock) { std::free(lock); }

PyLockStatus PyThread_acquire_lock_timed(PyThread_type_lock lock, long long us, int interruptible) {
  return status_of(sync::mutex_lock_timed(static_cast<PyMutex*>(lock), ns_of_us(us), interruptible != 0));
}

// A lock of the mutex that gives up after a time (ns; negative: never) or at a signal. A thread that waits is always detached:
// _PY_LOCK_DETACH says what happens anyway.
AMPHIS_EXPORT PyLockStatus _PyMutex_LockTimed(PyMutex* m, PyTime_t timeout, _PyLockFlags flags) {
  if ((flags & _PY_LOCK_HANDLE_SIGNALS) != 0) return status_of(sync::lock_with_retries(m, timeout));
  return status_of(sync::mutex_lock_timed(m, timeout, (flags & _PY_FAIL_IF_INTERRUPTED) != 0));
}

int PyThread_acquire_lock(PyThread_type_lock lock, int wait) {
  return PyThread_acquire_lock_timed(lock, wait ? -1 : 0, 0) == PY_LOCK_ACQUIRED;
}

AMPHIS_EXPORT PyLockStatus PyThread_acquire_lock_timed_with_retries(PyThread_type_lock lock, long long us) {
  return status_of(sync::lock_with_retries(static_cast<PyMutex*>(lock), ns_of_us(us)));
}

void PyThread_release_lock(PyThread_type_lock lock) { sync::mutex_unlock(static_cast<PyMutex*>(lock)); }

PyObject* PyThread_GetInfo(void) {
  static PyStructSequence_Field fields[] = {{"name", "name of the thread implementation"},
                                            {"lock", "name of the lock implementation"},
                                            {"version", "name and version of the thread library"},
                                            {nullptr, nullptr}};
  static PyStructSequence_Desc desc = {"sys.thread_info",
                                       "sys.thread_info\n\nA named tuple holding information about the thread "
                                       "implementation.",
                                       fields, 3};
  static sync::Mutex mutex;
  static PyTypeObject* type = nullptr;
  {
    sync::MutexLock lock(mutex);
    if (!type && !(type = PyStructSequence_NewType(&desc))) return nullptr;
  }
  Ref<> info = steal(PyStructSequence_New(type));
  if (!info) return nullptr;
  char version[64] = "";
  confstr(_CS_GNU_LIBPTHREAD_VERSION, version, sizeof(version));
  PyObject* values[] = {PyUnicode_FromString("pthread"), PyUnicode_FromString("semaphore"),
                        PyUnicode_FromString(version)};
  for (int i = 0; i < 3; i++) PyStructSequence_SetItem(info, i, values[i]);
  return PyErr_Occurred() ? nullptr : info.release();
}

// ---- Thread-specific storage ----

Py_tss_t* PyThread_tss_alloc(void) { return static_cast<Py_tss_t*>(std::calloc(1, sizeof(Py_tss_t))); }
void PyThread_tss_free(Py_tss_t* key) {
  if (!key) return;
  PyThread_tss_delete(key);
  std::free(key);
}
int PyThread_tss_is_created(Py_tss_t* key) { return key->_is_initialized; }

int PyThread_tss_create(Py_tss_t* key) {
  if (key->_is_initialized) return 0;
  if (pthread_key_create(&key->_key, nullptr) != 0) return -1;
  key->_is_initialized = 1;
  return 0;
}

void PyThread_tss_delete(Py_tss_t* key) {
  if (!key->_is_initialized) return;
  pthread_key_delete(key->_key);
  key->_is_initialized = 0;
}

int PyThread_tss_set(Py_tss_t* key, void* value) { return pthread_setspecific(key->_key, value) == 0 ? 0 : -1; }
void* PyThread_tss_get(Py_tss_t* key) { return pthread_getspecific(key->_key); }

int PyThread_create_key(void) {
  pthread_key_t key;
  return pthread_key_create(&key, nullptr) == 0 ? int(key) : -1;
}
void PyThread_delete_key(int key) { pthread_key_delete(pthread_key_t(key)); }
int PyThread_set_key_value(int key, void* value) { return pthread_setspecific(pthread_key_t(key), value) == 0 ? 0 : -1; }
void* PyThread_get_key_value(int key) { return pthread_getspecific(pthread_key_t(key)); }
void PyThread_delete_key_value(int key) { pthread_setspecific(pthread_key_t(key), nullptr); }
void PyThread_ReInitTLS(void) {}

}
