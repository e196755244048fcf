// Owns weak references: their lists, their death, and the type weakref.ReferenceType. The proxies' behaviour is in
// weakref_proxy.cpp, the invariants are in weakref.h.
#include "objects/weakref.h"

#include <cstddef>

#include "base/bits.h"
#include "base/ptr_stack.h"
#include "gc/object_new.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

// No lock of a bucket is held across anything that could block or run Python code.
constexpr unsigned kBuckets = 128;
struct alignas(16) Bucket {
  sync::AttachedMutex mutex;
};
Bucket g_buckets[kBuckets];

sync::AttachedMutex& bucket_of(const void* op) {
  return g_buckets[hash_address(reinterpret_cast<uintptr_t>(op)) >> (64 - 7)].mutex;
}
using BucketLock = sync::LockGuard<sync::AttachedMutex>;

PyWeakReference* as_weakref(PyObject* op) { return reinterpret_cast<PyWeakReference*>(op); }
PyObject* as_object(PyWeakReference* wr) { return reinterpret_cast<PyObject*>(wr); }

bool is_dead(PyObject* target) { return target == nullptr || target == Py_None; }

// Detaches wr under the lock of whatever it refers to.
void detach_locked(PyWeakReference* wr) {
  for (;;) {
    PyObject* target = sync::load_acquire(wr->wr_object);
    if (is_dead(target)) return;
    BucketLock lock(bucket_of(target));
    if (sync::load_relaxed(wr->wr_object) != target) continue;
    weakref_detach(wr);
    return;
  }
}

// The shared references at the head of a list.
struct Basic {
  PyWeakReference* ref = nullptr;
  PyWeakReference* proxy = nullptr;

  explicit Basic(PyWeakReference* head) {
    if (head && PyWeakref_CheckRefExact(as_object(head)) && !head->wr_callback) {
      ref = head;
      head = head->wr_next;
    }
    if (head && PyWeakref_CheckProxy(as_object(head)) && !head->wr_callback) proxy = head;
  }
  PyWeakReference* last() const { return proxy ? proxy : ref; }
};

bool is_proxy_type(PyTypeObject* type) {
  return type == &_PyWeakref_ProxyType || type == &_PyWeakref_CallableProxyType;
}

// The shared reference that can stand for a new one of this type; a new reference or null. The bucket is locked.
PyObject* reuse(PyWeakReference* head, PyTypeObject* type) {
  const Basic basic(head);
  PyWeakReference* found = type == &_PyWeakref_RefType ? basic.ref : is_proxy_type(type) ? basic.proxy : nullptr;
  if (!found || !sync::try_incref(as_object(found))) return nullptr;
  return as_object(found);
}

void insert(PyWeakReference** list, PyWeakReference* wr) {
  const Basic basic(*list);
  PyWeakReference* after = basic.last();
  if (!wr->wr_callback && PyWeakref_CheckRefExact(as_object(wr))) after = nullptr;
  if (!wr->wr_callback && PyWeakref_CheckProxy(as_object(wr))) after = basic.ref;
  wr->wr_prev = after;
  wr->wr_next = after ? after->wr_next : *list;
  if (wr->wr_next) wr->wr_next->wr_prev = wr;
  if (after) {
    after->wr_next = wr;
  } else {
    sync::store_release(*list, wr);
  }
}

PyObject* weakref_vectorcall(PyObject* self, PyObject* const*, size_t nargsf, PyObject* kwnames) {
  if (kwnames && PyTuple_GET_SIZE(kwnames) != 0) {
    PyErr_SetString(PyExc_TypeError, "weakref() takes no keyword arguments");
    return nullptr;
  }
  if (!_PyArg_CheckPositional("weakref", PyVectorcall_NARGS(nargsf), 0, 0)) return nullptr;
  Ref<> target = weakref_target(as_weakref(self));
  return target ? target.release() : Py_NewRef(Py_None);
}

void call_callback(PyObject* wr, PyObject* callback) {
  PyObject* result = PyObject_CallOneArg(callback, wr);
  if (result) {
    Py_DECREF(result);
  } else {
    PyErr_FormatUnraisable("Exception ignored while calling weakref callback %R", callback);
  }
}

// The list of an object that is being deallocated, emptied; what has a callback goes into `due` (one reference each).
void kill_all(PyObject* object, PyWeakReference** list, PtrStack<PyWeakReference*>* due) {
  BucketLock lock(bucket_of(object));
  while (PyWeakReference* wr = *list) {
    weakref_detach(wr);
    if (!due || !wr->wr_callback) continue;
    // A weak reference that is dying on another thread has nobody left to tell.
    if (sync::try_incref(as_object(wr)) && !due->push(wr)) Py_DECREF(as_object(wr));
  }
}

}  // namespace

Ref<> weakref_target(PyWeakReference* wr) {
  PyObject* target = sync::load_acquire(wr->wr_object);
  if (is_dead(target) || !sync::try_incref(target)) return nullptr;
  // Still the same: then it had not died, for it would have taken itself out first.
  if (sync::load_acquire(wr->wr_object) == target) return Ref<>::steal(target);
  Py_DECREF(target);
  return nullptr;
}

void weakref_detach(PyWeakReference* wr) {
  PyObject* target = wr->wr_object;
  if (is_dead(target)) return;
  PyWeakReference** list = weakref_list(target);
  if (wr->wr_prev) {
    wr->wr_prev->wr_next = wr->wr_next;
  } else {
    sync::store_release(*list, wr->wr_next);
  }
  if (wr->wr_next) wr->wr_next->wr_prev = wr->wr_prev;
  wr->wr_prev = wr->wr_next = nullptr;
  sync::store_release(wr->wr_object, Py_None);
}

PyObject* weakref_new(PyTypeObject* type, PyObject* object, PyObject* callback) {
  PyWeakReference** list = weakref_list(object);
  if (!list) {
    PyErr_Format(PyExc_TypeError, "cannot create weak reference to '%s' object", Py_TYPE(object)->tp_name);
    return nullptr;
  }
  if (callback == Py_None) callback = nullptr;
  const bool shareable = !callback && (type == &_PyWeakref_RefType || is_proxy_type(type));
  sync::publish(object);
  if (shareable) {
    BucketLock lock(bucket_of(object));
    if (PyObject* found = reuse(*list, type)) return found;
  }
  const bool own_layout = type == &_PyWeakref_RefType || is_proxy_type(type);
  PyObject* op;
  if (own_layout) {
    op = as_object(new_gc_object<PyWeakReference>(type));
    if (!op) return PyErr_NoMemory();
    as_weakref(op)->wr_object = nullptr;
  } else {
    op = type->tp_alloc(type, 0);
    if (!op) return nullptr;
  }
  PyWeakReference* wr = as_weakref(op);
  wr->hash = -1;
  wr->wr_callback = Py_XNewRef(callback);
  wr->wr_prev = wr->wr_next = nullptr;
  wr->vectorcall = weakref_vectorcall;
  sync::publish(op);
  PyObject* found = nullptr;
  {
    BucketLock lock(bucket_of(object));
    if (shareable) found = reuse(*list, type);  // another thread was faster
    if (!found) {
      wr->wr_object = object;
      insert(list, wr);
    }
  }
  if (own_layout) track(op);
  if (!found) return op;
  Py_DECREF(op);
  return found;
}

Py_ssize_t weakref_count(PyObject* object) {
  PyWeakReference** list = weakref_list(object);
  if (!list) return 0;
  Py_ssize_t n = 0;
  BucketLock lock(bucket_of(object));
  for (PyWeakReference* wr = *list; wr; wr = wr->wr_next) ++n;
  return n;
}

PyObject* weakref_first(PyObject* object) {
  PyWeakReference** list = weakref_list(object);
  if (!list) return nullptr;
  BucketLock lock(bucket_of(object));
  // The list does not count: one that is dying on another thread is still in it.
  for (PyWeakReference* wr = *list; wr; wr = wr->wr_next)
    if (sync::try_incref(as_object(wr))) return as_object(wr);
  return nullptr;
}

PyObject* weakref_all(PyObject* object) {
  auto result = Ref<>::steal(PyList_New(0));
  PyWeakReference** list = weakref_list(object);
  if (!result || !list) return result.release();
  PtrStack<PyWeakReference*> found;  // last first
  {
    BucketLock lock(bucket_of(object));
    PyWeakReference* last = *list;
    while (last && last->wr_next) last = last->wr_next;
    for (PyWeakReference* wr = last; wr; wr = wr->wr_prev)
      if (sync::try_incref(as_object(wr)) && !found.push(wr)) Py_DECREF(as_object(wr));
  }
  bool complete = true;
  while (!found.empty()) {
    auto wr = Ref<>::steal(found.pop());
    if (complete) complete = PyList_Append(result, wr) == 0;
  }
  return complete ? result.release() : nullptr;
}

void weakref_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  detach_locked(as_weakref(self));
  Py_CLEAR(as_weakref(self)->wr_callback);
  Py_TYPE(self)->tp_free(self);
}

int weakref_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_weakref(self)->wr_callback);
  return 0;
}

int weakref_clear(PyObject* self) {
  detach_locked(as_weakref(self));
  Py_CLEAR(as_weakref(self)->wr_callback);
  return 0;
}

namespace {

PyObject* ref_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *object, *callback = nullptr;
  if (!PyArg_UnpackTuple(args, "__new__", 1, 2, &object, &callback)) return nullptr;
  return weakref_new(type, object, callback);
}

int ref_init(PyObject*, PyObject* args, PyObject* kwargs) {
  PyObject *object, *callback;
  if (!_PyArg_NoKeywords("ref", kwargs)) return -1;
  return PyArg_UnpackTuple(args, "__init__", 1, 2, &object, &callback) ? 0 : -1;
}

PyObject* ref_repr(PyObject* self) {
  Ref<> target = weakref_target(as_weakref(self));
  if (!target) return PyUnicode_FromFormat("<weakref at %p; dead>", self);
  // On the type: an instance's __getattr__ may be in no state to answer.
  PyObject* found = nullptr;
  bool unbound = false;
  if (lookup_special(target, names.dunder_name, &found, &unbound) < 0) return nullptr;
  auto name = Ref<>::steal(found);
  if (name && PyUnicode_Check(name.get()))
    return PyUnicode_FromFormat("<weakref at %p; to '%s' at %p (%U)>", self, Py_TYPE(target.get())->tp_name,
                                target.get(), name.get());
  return PyUnicode_FromFormat("<weakref at %p; to '%s' at %p>", self, Py_TYPE(target.get())->tp_name, target.get());
}

// Remembered, so that a dead reference can still be found in a dictionary.
Py_hash_t ref_hash(PyObject* self) {
  PyWeakReference* wr = as_weakref(self);
  Py_hash_t hash = sync::load_relaxed(wr->hash);
  if (hash != -1) return hash;
  Ref<> target = weakref_target(wr);
  if (!target) {
    PyErr_SetString(PyExc_TypeError, "weak object has gone away");
    return -1;
  }
  hash = PyObject_Hash(target);
  sync::store_relaxed(wr->hash, hash);
  return hash;
}

PyObject* ref_richcompare(PyObject* self, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyWeakref_Check(self) || !PyWeakref_Check(other)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> a = weakref_target(as_weakref(self)), b = weakref_target(as_weakref(other));
  if (!a || !b) return PyBool_FromLong((self == other) == (op == Py_EQ));
  return PyObject_RichCompare(a, b, op);
}

PyMemberDef ref_members[] = {
    {"__callback__", _Py_T_OBJECT, offsetof(PyWeakReference, wr_callback), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyMethodDef ref_methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, PyDoc_STR("See PEP 585")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject _PyWeakref_RefType = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "weakref.ReferenceType",
    .tp_basicsize = sizeof(PyWeakReference),
    .tp_dealloc = weakref_dealloc,
    .tp_vectorcall_offset = offsetof(PyWeakReference, vectorcall),
    .tp_repr = ref_repr,
    .tp_hash = ref_hash,
    .tp_call = PyVectorcall_Call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_BASETYPE,
    .tp_traverse = weakref_traverse,
    .tp_clear = weakref_clear,
    .tp_richcompare = ref_richcompare,
    .tp_methods = ref_methods,
    .tp_members = ref_members,
    .tp_init = ref_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = ref_new,
    .tp_free = PyObject_GC_Del,
};

PyObject* PyWeakref_NewRef(PyObject* object, PyObject* callback) {
  return weakref_new(&_PyWeakref_RefType, object, callback);
}

PyObject* PyWeakref_NewProxy(PyObject* object, PyObject* callback) {
  return weakref_new(PyCallable_Check(object) ? &_PyWeakref_CallableProxyType : &_PyWeakref_ProxyType, object, callback);
}

int PyWeakref_GetRef(PyObject* ref, PyObject** result) {
  *result = nullptr;
  if (!ref) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (!PyWeakref_Check(ref)) {
    PyErr_SetString(PyExc_TypeError, "expected a weakref");
    return -1;
  }
  *result = weakref_target(as_weakref(ref)).release();
  return *result != nullptr;
}

int _PyWeakref_IsDead(PyObject* ref) {
  PyObject* target = sync::load_acquire(as_weakref(ref)->wr_object);
  return is_dead(target) || Py_REFCNT(target) == 0;
}

int PyWeakref_IsDead(PyObject* ref) {
  if (!ref) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (!PyWeakref_Check(ref)) {
    PyErr_Format(PyExc_TypeError, "expected a weakref, got %T", ref);
    return -1;
  }
  return _PyWeakref_IsDead(ref);
}

// Borrowed, as this old function promises: the caller must know what else keeps the object alive.
PyObject* PyWeakref_GetObject(PyObject* ref) {
  if (!ref || !PyWeakref_Check(ref)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  Ref<> target = weakref_target(as_weakref(ref));
  return target ? target.get() : Py_None;
}

void PyObject_ClearWeakRefs(PyObject* object) {
  PyWeakReference** list = object ? weakref_list(object) : nullptr;
  if (!list || Py_REFCNT(object) != 0) {
    PyErr_BadInternalCall();
    return;
  }
  if (!sync::load_acquire(*list)) return;
  PtrStack<PyWeakReference*> due;
  kill_all(object, list, &due);
  if (due.empty()) return;
  // First registered, last told: turn the stack round.
  PtrStack<PyWeakReference*> in_order;
  while (!due.empty()) {
    PyWeakReference* wr = due.pop();
    if (!in_order.push(wr)) Py_DECREF(as_object(wr));
  }
  auto exception = Ref<>::steal(PyErr_GetRaisedException());
  while (!in_order.empty()) {
    auto wr = Ref<PyWeakReference>::steal(in_order.pop());
    Ref<> callback;
    {
      LeafLock lock(wr.get());  // __callback__ may be being read
      callback = sync::exchange_slot_locked(&wr->wr_callback, Ref<>());
    }
    if (callback) call_callback(wr.obj(), callback);
  }
  PyErr_SetRaisedException(exception.release());
}

void PyUnstable_Object_ClearWeakRefsNoCallbacks(PyObject* object) {
  PyWeakReference** list = object ? weakref_list(object) : nullptr;
  if (list && sync::load_acquire(*list)) kill_all(object, list, nullptr);
}

void _PyWeakref_ClearRef(PyWeakReference* self) { detach_locked(self); }

}  // extern "C"
