// Native bodies for those functions of importlib that every import runs: locks of modules, joined paths, the question whether
// there is a file. importlib is the standard library's, compiled ahead of time; these take the places of its functions once it
// is installed.
//
// Invariant: each does what the Python function does, or, where the case is not the common one, calls it. The one difference: a
// thread that gets a module's lock at once is not entered among those that wait for one; nothing that looks for deadlocks asks
// for it, as it does not block.
#include "modules/import_state.h"
#include "platform/os.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstring>
#include <sys/stat.h>
#include <utility>

namespace amphis {

namespace {

// What importlib has itself, in the places that the functions below look at. Null before it is installed and at the end.
struct Originals {
  PyObject* path_join = nullptr;
  PyObject* path_isfile = nullptr;
  PyObject* acquire = nullptr;
  PyObject* release = nullptr;
  PyObject* module_lock = nullptr;   // the class
  PyObject* module_locks = nullptr;  // the dict: name -> weak reference to a lock
};
Originals original;

// Names of what a _ModuleLock has.
struct LockNames {
  PyObject* lock = nullptr;
  PyObject* count = nullptr;
  PyObject* owner = nullptr;
  PyObject* waiters = nullptr;
  PyObject* acquire = nullptr;
  PyObject* release = nullptr;
};
LockNames lock_names;

PyObject* gone() {
  PyErr_SetString(PyExc_ImportError, "the import system is not there");
  return nullptr;
}

// --- paths

Py_ssize_t length_without_slashes(PyObject* text) {
  const int kind = PyUnicode_KIND(text);
  const void* data = PyUnicode_DATA(text);
  Py_ssize_t length = PyUnicode_GET_LENGTH(text);
  while (length > 0 && PyUnicode_READ(kind, data, length - 1) == '/') --length;
  return length;
}

// '/'.join([part.rstrip('/') for part in parts if part]), of two strings that are not empty.
PyObject* path_join(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs != 2 || !PyUnicode_CheckExact(args[0]) || !PyUnicode_CheckExact(args[1]) || PyUnicode_GET_LENGTH(args[0]) == 0 ||
      PyUnicode_GET_LENGTH(args[1]) == 0) {
    Ref<> function = Ref<>::share(original.path_join);
    return function ? PyObject_Vectorcall(function, args, static_cast<size_t>(nargs), nullptr) : gone();
  }
  // Of a string in its narrowest form the part without slashes is so too.
  const Py_ssize_t front = length_without_slashes(args[0]), back = length_without_slashes(args[1]);
  const Py_UCS4 widest = Py_MAX(PyUnicode_MAX_CHAR_VALUE(args[0]), PyUnicode_MAX_CHAR_VALUE(args[1]));
  Ref<> path = Ref<>::steal(PyUnicode_New(front + 1 + back, widest));
  if (!path) return nullptr;
  if (PyUnicode_IS_COMPACT_ASCII(path.get())) {
    char* to = static_cast<char*>(PyUnicode_DATA(path.get()));
    memcpy(to, PyUnicode_DATA(args[0]), static_cast<size_t>(front));
    to[front] = '/';
    memcpy(to + front + 1, PyUnicode_DATA(args[1]), static_cast<size_t>(back));
    return path.release();
  }
  PyUnicode_WRITE(PyUnicode_KIND(path.get()), PyUnicode_DATA(path.get()), front, '/');
  if (PyUnicode_CopyCharacters(path, 0, args[0], 0, front) < 0 || PyUnicode_CopyCharacters(path, front + 1, args[1], 0, back) < 0) {
    return nullptr;
  }
  return path.release();
}

PyObject* path_isfile(PyObject*, PyObject* path) {
  Py_ssize_t size = 0;
  const char* name = PyUnicode_CheckExact(path) && PyUnicode_IS_ASCII(path) ? PyUnicode_AsUTF8AndSize(path, &size) : nullptr;
  if (name == nullptr || strlen(name) != static_cast<size_t>(size)) {
    Ref<> function = Ref<>::share(original.path_isfile);
    return function ? PyObject_CallOneArg(function, path) : gone();
  }
  struct stat status;
  int found;
  {
    Detached detached;
    found = stat(name, &status);
  }
  return PyBool_FromLong(found == 0 && S_ISREG(status.st_mode));
}

// --- locks

// A _ModuleLock whose inner lock this thread has taken, for as long as this object lives.
class Inside {
 public:
  explicit Inside(PyObject* module_lock) {
    Ref<> lock = Ref<>::steal(PyObject_GetAttr(module_lock, lock_names.lock));
    Ref<> taken = lock ? Ref<>::steal(call(lock, lock_names.acquire, Py_False)) : Ref<>();
    if (taken.get() != Py_True) return;
    lock_ = std::move(lock);
    count_ = Ref<>::steal(PyObject_GetAttr(module_lock, lock_names.count));
    owner_ = Ref<>::steal(PyObject_GetAttr(module_lock, lock_names.owner));
    if (!count_ || !owner_ || !PyList_CheckExact(count_.get())) return;
    if (owner_.get() != Py_None) {
      const unsigned long owner = PyLong_Check(owner_.get()) ? PyLong_AsUnsignedLong(owner_) : 0;
      own_ = owner == platform::thread_handle() && !PyErr_Occurred();
    }
    known_ = !PyErr_Occurred();
  }
  ~Inside() {
    if (!lock_) return;
    PyObject* error = PyErr_GetRaisedException();
    Ref<> done = Ref<>::steal(call(lock_, lock_names.release, nullptr));
    if (error != nullptr || !done) PyErr_SetRaisedException(error);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  // False: some other thread is inside, or the object is not what importlib makes.
  bool known() const { return known_; }
  bool own() const { return own_; }  // this thread owns the module's lock
  PyObject* count() const { return count_; }

 private:
  static PyObject* call(PyObject* lock, PyObject* name, PyObject* argument) {
    PyObject* args[2] = {lock, argument};
    return PyObject_VectorcallMethod(name, args, argument != nullptr ? 2 : 1, nullptr);
  }

  Ref<> lock_, count_, owner_;
  bool known_ = false;
  bool own_ = false;
};

// 1: done, 0: the other way must be taken, -1 with an exception.
int acquire_free(PyObject* self) {
  Inside lock(self);
  if (!lock.known()) {
    PyErr_Clear();
    return 0;
  }
  if (!lock.own()) {
    if (PyList_GET_SIZE(lock.count()) != 0) return 0;
    Ref<> me = Ref<>::steal(PyLong_FromUnsignedLong(platform::thread_handle()));
    if (!me || PyObject_SetAttr(self, lock_names.owner, me) < 0) return -1;
  }
  return PyList_Append(lock.count(), Py_True) < 0 ? -1 : 1;
}

int release_unwanted(PyObject* self) {
  Inside lock(self);
  Ref<> waiters = lock.known() && lock.own() ? Ref<>::steal(PyObject_GetAttr(self, lock_names.waiters)) : Ref<>();
  if (!waiters || !PyList_CheckExact(waiters.get()) || PyList_GET_SIZE(waiters.get()) != 0) {
    PyErr_Clear();
    return 0;
  }
  const Py_ssize_t count = PyList_GET_SIZE(lock.count());
  if (count == 0) return 0;
  if (PyList_SetSlice(lock.count(), count - 1, count, nullptr) < 0) return -1;
  return count == 1 && PyObject_SetAttr(self, lock_names.owner, Py_None) < 0 ? -1 : 1;
}

PyObject* lock_acquire(PyObject* self, PyObject*) {
  if (original.acquire == nullptr) return gone();
  const int done = acquire_free(self);
  if (done != 0) return done > 0 ? Py_NewRef(Py_True) : nullptr;
  Ref<> function = Ref<>::share(original.acquire);
  return function ? PyObject_CallOneArg(function, self) : gone();
}

PyObject* lock_release(PyObject* self, PyObject*) {
  if (original.release == nullptr) return gone();
  const int done = release_unwanted(self);
  if (done != 0) return done > 0 ? Py_NewRef(Py_None) : nullptr;
  Ref<> function = Ref<>::share(original.release);
  return function ? PyObject_CallOneArg(function, self) : gone();
}

class ImportLock {
 public:
  ImportLock() { import_lock_acquire(); }
  ~ImportLock() { import_lock_release(); }
  ImportLock(const ImportLock&) = delete;
  ImportLock& operator=(const ImportLock&) = delete;
};

// The lock of module `name` is gone: its entry goes, unless another thread has made a new one since.
PyObject* forget_lock(PyObject* name, PyObject* ref) {
  Ref<> locks = Ref<>::share(original.module_locks);
  if (!locks) Py_RETURN_NONE;
  ImportLock guard;
  PyObject* found;
  if (PyDict_GetItemRef(locks, name, &found) < 0) return nullptr;
  Ref<> entry = Ref<>::steal(found);
  if (entry && entry.get() == ref && PyDict_DelItem(locks, name) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyMethodDef forget_lock_def = {"cb", forget_lock, METH_O, nullptr};

PyObject* get_module_lock(PyObject*, PyObject* name) {
  Ref<> locks = Ref<>::share(original.module_locks), type = Ref<>::share(original.module_lock);
  if (!locks || !type) return gone();
  ImportLock guard;
  PyObject* found;
  if (PyDict_GetItemRef(locks, name, &found) < 0) return nullptr;
  if (found != nullptr) {
    Ref<> entry = Ref<>::steal(found);
    PyObject* lock;
    if (PyWeakref_GetRef(entry, &lock) < 0) return nullptr;
    if (lock != nullptr) return lock;
  }
  Ref<> lock = Ref<>::steal(PyObject_CallOneArg(type, name));
  Ref<> callback = lock ? Ref<>::steal(PyCFunction_New(&forget_lock_def, name)) : Ref<>();
  Ref<> entry = callback ? Ref<>::steal(PyWeakref_NewRef(lock, callback)) : Ref<>();
  if (!entry || PyDict_SetItem(locks, name, entry) < 0) return nullptr;
  return lock.release();
}

PyObject* context_enter(PyObject*, PyObject*) {
  import_lock_acquire();
  Py_RETURN_NONE;
}
PyObject* context_exit(PyObject*, PyObject* const*, Py_ssize_t) {
  if (import_lock_release()) Py_RETURN_NONE;
  PyErr_SetString(PyExc_RuntimeError, "not holding the import lock");
  return nullptr;
}

PyMethodDef get_module_lock_def = {
    "_get_module_lock", get_module_lock, METH_O,
    "_get_module_lock($module, name, /)\n--\n\nGet or create the module lock for a given module name."};
PyMethodDef path_join_def = {"_path_join", _PyCFunction_CAST(path_join), METH_FASTCALL, "Replacement for os.path.join()."};
PyMethodDef path_isfile_def = {"_path_isfile", path_isfile, METH_O,
                               "_path_isfile($module, path, /)\n--\n\nReplacement for os.path.isfile."};
PyMethodDef acquire_def = {"acquire", lock_acquire, METH_NOARGS,
                           "acquire($self, /)\n--\n\nAcquire the module lock. If a potential deadlock is detected,\n"
                           "a _DeadlockError is raised. Otherwise, the lock is always acquired and True is returned."};
PyMethodDef release_def = {"release", lock_release, METH_NOARGS, "release($self, /)\n--\n\n"};
PyMethodDef enter_def = {"__enter__", context_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nAcquire the import lock."};
PyMethodDef exit_def = {"__exit__", _PyCFunction_CAST(context_exit), METH_FASTCALL,
                        "__exit__($self, exc_type, exc_value, exc_traceback, /)\n--\n\nRelease the import lock."};

bool replace_function(PyObject* module, PyMethodDef* def, PyObject** before) {
  if (before != nullptr) Py_XSETREF(*before, PyObject_GetAttrString(module, def->ml_name));
  Ref<> module_name = Ref<>::steal(PyObject_GetAttrString(module, "__name__"));
  Ref<> function = module_name ? Ref<>::steal(PyCFunction_NewEx(def, nullptr, module_name)) : Ref<>();
  return function && PyObject_SetAttrString(module, def->ml_name, function) == 0;
}

bool replace_method(PyObject* type, PyMethodDef* def, PyObject** before) {
  if (!PyType_Check(type)) return false;
  if (before != nullptr) Py_XSETREF(*before, PyObject_GetAttrString(type, def->ml_name));
  Ref<> method = Ref<>::steal(PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type), def));
  return method && PyObject_SetAttrString(type, def->ml_name, method) == 0;
}

}  // namespace

int import_install_core_shortcuts(PyObject* core) {
  const std::pair<PyObject**, const char*> texts[] = {
      {&lock_names.lock, "lock"},       {&lock_names.count, "count"},     {&lock_names.owner, "owner"},
      {&lock_names.waiters, "waiters"}, {&lock_names.acquire, "acquire"}, {&lock_names.release, "release"}};
  for (auto [name, text] : texts) {
    Py_XSETREF(*name, PyUnicode_InternFromString(text));
    if (*name == nullptr) return -1;
  }
  Py_XSETREF(original.module_lock, PyObject_GetAttrString(core, "_ModuleLock"));
  Py_XSETREF(original.module_locks, PyObject_GetAttrString(core, "_module_locks"));
  Ref<> context = Ref<>::steal(PyObject_GetAttrString(core, "_ImportLockContext"));
  if (original.module_lock == nullptr || original.module_locks == nullptr || !context) return -1;
  const bool done = replace_method(original.module_lock, &acquire_def, &original.acquire) &&
                    replace_method(original.module_lock, &release_def, &original.release) &&
                    replace_method(context, &enter_def, nullptr) && replace_method(context, &exit_def, nullptr) &&
                    replace_function(core, &get_module_lock_def, nullptr);
  return done ? 0 : -1;
}

int import_install_external_shortcuts(PyObject* core) {
  Ref<> external = Ref<>::steal(PyObject_GetAttrString(core, "_bootstrap_external"));
  const bool done = external && replace_function(external, &path_join_def, &original.path_join) &&
                    replace_function(external, &path_isfile_def, &original.path_isfile);
  return done ? 0 : -1;
}

void import_clear_shortcuts() {
  for (PyObject** name : {&lock_names.lock, &lock_names.count, &lock_names.owner, &lock_names.waiters, &lock_names.acquire,
                          &lock_names.release}) {
    Py_CLEAR(*name);
  }
  Py_CLEAR(original.path_join);
  Py_CLEAR(original.path_isfile);
  Py_CLEAR(original.acquire);
  Py_CLEAR(original.release);
  Py_CLEAR(original.module_lock);
  Py_CLEAR(original.module_locks);
}

}  // namespace amphis
