// The module _queue: SimpleQueue, an unbounded queue whose put never blocks and may be called from a
// destructor.
//
// The items are a ring under the object's lock. A getter that finds it empty sets `waiting` and parks on that
// byte; a putter that finds it set wakes one getter and leaves it set only if more are waiting.
#include "Python.h"
#include "objects/container_support.h"
#include "platform/os.h"
#include "sync/atomic_field.h"
#include "sync/parking_lot.h"
#include "sync/thread_state.h"

namespace amphis {
namespace {

struct SimpleQueue {
  PyObject_HEAD PyObject** ring;
  size_t capacity;  // a power of two, or 0
  size_t head;
  Py_ssize_t size;
  uint8_t waiting;
  PyObject* weakrefs;
};

SimpleQueue* as_queue(PyObject* op) {
  return reinterpret_cast<SimpleQueue*>(op);
}

PyObject* empty_exception = nullptr;  // set once, when the module is first made; lives as long as the process

PyObject* queue_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0) {
    PyErr_SetString(PyExc_TypeError, "SimpleQueue() takes no positional arguments");
    return nullptr;
  }
  if (!check_no_kwargs("SimpleQueue", kwargs)) return nullptr;
  return type->tp_alloc(type, 0);
}

PyObject*& slot(SimpleQueue* self, Py_ssize_t i) {
  return self->ring[(self->head + static_cast<size_t>(i)) & (self->capacity - 1)];
}

void queue_dealloc(PyObject* op) {
  SimpleQueue* self = as_queue(op);
  untrack(op);
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  for (Py_ssize_t i = 0; i < self->size; i++) Py_DECREF(slot(self, i));
  PyMem_Free(self->ring);
  Py_TYPE(op)->tp_free(op);
}

int queue_traverse(PyObject* op, visitproc visit, void* arg) {
  SimpleQueue* self = as_queue(op);
  for (Py_ssize_t i = 0; i < self->size; i++) Py_VISIT(slot(self, i));
  return 0;
}

int queue_clear(PyObject* op) {
  SimpleQueue* self = as_queue(op);
  while (self->size > 0) {
    PyObject* item = slot(self, 0);
    self->head = (self->head + 1) & (self->capacity - 1);
    self->size--;
    Py_DECREF(item);
  }
  return 0;
}

int push(SimpleQueue* self, PyObject* item) {
  if (static_cast<size_t>(self->size) == self->capacity) {
    const size_t capacity = self->capacity == 0 ? 8 : self->capacity * 2;
    auto** ring = static_cast<PyObject**>(PyMem_Malloc(capacity * sizeof(PyObject*)));
    if (ring == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
    for (Py_ssize_t i = 0; i < self->size; i++) ring[i] = slot(self, i);
    PyMem_Free(self->ring);
    self->ring = ring;
    self->capacity = capacity;
    self->head = 0;
  }
  slot(self, self->size) = Py_NewRef(item);
  sync::store_relaxed(self->size, self->size + 1);
  return 0;
}

void leave_for_others(void* context, sync::Waiter*, bool more) {
  __atomic_store_n(&static_cast<SimpleQueue*>(context)->waiting, more, __ATOMIC_RELEASE);
}

PyObject* put(PyObject* op, PyObject* item) {
  SimpleQueue* self = as_queue(op);
  {
    ObjectLock lock(op);
    if (push(self, item) < 0) return nullptr;
  }
  if (__atomic_load_n(&self->waiting, __ATOMIC_SEQ_CST) != 0) {
    sync::unpark_one(&self->waiting, leave_for_others, self);
  }
  Py_RETURN_NONE;
}

PyObject* method_put(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  // block and timeout are there for the sake of queue.Queue's signature.
  static const char* const names[] = {"item", "block", "timeout"};
  static const Parameters parameters = {"put", names, 3, 0, 3, 1};
  PyObject* given[3];
  return bind_arguments(parameters, args, nargs, kwnames, given) ? put(op, given[0]) : nullptr;
}

PyObject* method_put_nowait(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"item"};
  static const Parameters parameters = {"put_nowait", names, 1, 0, 1, 1};
  PyObject* given[1];
  return bind_arguments(parameters, args, nargs, kwnames, given) ? put(op, given[0]) : nullptr;
}

PyObject* raise_empty() {
  PyErr_SetNone(empty_exception);
  return nullptr;
}

// Takes an item, or marks the queue as waited for. Null without an error: nothing there.
PyObject* take_or_mark(SimpleQueue* self, bool mark) {
  ObjectLock lock(self);
  if (self->size == 0) {
    if (mark) __atomic_store_n(&self->waiting, 1, __ATOMIC_SEQ_CST);
    return nullptr;
  }
  PyObject* item = slot(self, 0);
  self->head = (self->head + 1) & (self->capacity - 1);
  sync::store_relaxed(self->size, self->size - 1);
  return item;
}

// Negative timeout: for ever.
PyObject* get(PyObject* op, bool block, int64_t timeout_ns) {
  SimpleQueue* self = as_queue(op);
  const int64_t start = timeout_ns >= 0 && block ? platform::now_ns() : 0;
  for (;;) {
    PyObject* item = take_or_mark(self, block);
    if (item != nullptr) return item;
    if (!block) return raise_empty();
    int64_t left = -1;
    if (timeout_ns >= 0) {
      left = timeout_ns - (platform::now_ns() - start);
      if (left <= 0) return raise_empty();
    }
    sync::ParkResult result;
    {
      Detached detached;
      result = sync::park(&self->waiting, 1, left, 0, true);
    }
    if (result == sync::ParkResult::kInterrupted && PyErr_CheckSignals() < 0) return nullptr;
  }
}

bool timeout_to_ns(PyObject* timeout, int64_t* ns) {
  if (!PyLong_Check(timeout) && !PyFloat_Check(timeout) && !PyIndex_Check(timeout)) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object cannot be interpreted as an integer or float",
                 Py_TYPE(timeout)->tp_name);
    return false;
  }
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  if (seconds < 0) {
    PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
    return false;
  }
  if (!(seconds * 1e9 < 9e18)) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
    return false;
  }
  *ns = static_cast<int64_t>(seconds * 1e9);
  return true;
}

PyObject* method_get(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"block", "timeout"};
  static const Parameters parameters = {"get", names, 2, 0, 2, 0};
  PyObject* given[2];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return nullptr;
  const int block = given[0] == nullptr ? 1 : PyObject_IsTrue(given[0]);
  if (block < 0) return nullptr;
  int64_t timeout_ns = -1;
  if (block && given[1] != nullptr && given[1] != Py_None && !timeout_to_ns(given[1], &timeout_ns))
    return nullptr;
  return get(op, block != 0, timeout_ns);
}

PyObject* method_get_nowait(PyObject* op, PyObject*) {
  return get(op, false, 0);
}

PyObject* method_empty(PyObject* op, PyObject*) {
  return PyBool_FromLong(sync::load_relaxed(as_queue(op)->size) == 0);
}
PyObject* method_qsize(PyObject* op, PyObject*) {
  return PyLong_FromSsize_t(sync::load_relaxed(as_queue(op)->size));
}

PyMethodDef methods[] = {
    {"empty", method_empty, METH_NOARGS,
     "empty($self, /)\n--\n\nReturn True if the queue is empty, False otherwise (not reliable!)."},
    {"get", AMPHIS_METHOD(method_get), METH_FASTCALL | METH_KEYWORDS,
     "get($self, /, block=True, timeout=None)\n--\n\n"
     "Remove and return the oldest item. Waits for one if block is true, at most timeout seconds where that "
     "is given;\n"
     "raises Empty if there is none."},
    {"get_nowait", method_get_nowait, METH_NOARGS,
     "get_nowait($self, /)\n--\n\nRemove and return the oldest item; raises Empty if there is none."},
    {"put", AMPHIS_METHOD(method_put), METH_FASTCALL | METH_KEYWORDS,
     "put($self, /, item, block=True, timeout=None)\n--\n\nPut the item on the queue. Never blocks."},
    {"put_nowait", AMPHIS_METHOD(method_put_nowait), METH_FASTCALL | METH_KEYWORDS,
     "put_nowait($self, /, item)\n--\n\nPut an item into the queue without blocking."},
    {"qsize", method_qsize, METH_NOARGS,
     "qsize($self, /)\n--\n\nReturn the approximate size of the queue (not reliable!)."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyTypeObject queue_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_queue.SimpleQueue",
    .tp_basicsize = sizeof(SimpleQueue),
    .tp_dealloc = queue_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "SimpleQueue()\n--\n\nSimple, unbounded, reentrant FIFO queue.",
    .tp_traverse = queue_traverse,
    .tp_clear = queue_clear,
    .tp_weaklistoffset = offsetof(SimpleQueue, weakrefs),
    .tp_methods = methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = queue_new,
    .tp_free = PyObject_GC_Del,
};

int exec(PyObject* module) {
  if (empty_exception == nullptr) {
    empty_exception = PyErr_NewExceptionWithDoc(
        "_queue.Empty", "Exception raised by Queue.get(block=0)/get_nowait().", nullptr, nullptr);
    if (empty_exception == nullptr) return -1;
  }
  if (PyModule_AddObjectRef(module, "Empty", empty_exception) < 0) return -1;
  return PyModule_AddType(module, &queue_type);
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_queue",
    .m_doc =
        "C implementation of the Python queue module.\nThis module is an implementation detail, please do "
        "not use it "
        "directly.",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit__queue(void) {
  return PyModuleDef_Init(&amphis::definition);
}
