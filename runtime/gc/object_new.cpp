// Owns the C API that makes, tracks, finalizes and frees objects.
#include "gc/object_new.h"

#include <cstring>

#include "base/assert.h"
#include "objects/instance.h"

using namespace amphis;

namespace {

constexpr size_t kWord = sizeof(void*);

// basicsize + items * itemsize rounded up to words; SIZE_MAX if there is no such number.
size_t var_size(PyTypeObject* type, Py_ssize_t items) {
  size_t size;
  if (__builtin_mul_overflow(size_t(items), size_t(type->tp_itemsize), &size) ||
      __builtin_add_overflow(size, size_t(type->tp_basicsize) + (kWord - 1), &size) || size > size_t(PY_SSIZE_T_MAX))
    return SIZE_MAX;
  return size & ~(kWord - 1);
}

PyObject* new_of_size(memory::Kind kind, PyTypeObject* type, size_t size) {
  void* p = size == SIZE_MAX ? nullptr : memory::alloc(kind, size);
  if (!p) [[unlikely]] return PyErr_NoMemory();
  auto* op = static_cast<PyObject*>(p);
  init_object(op, type);
  return op;
}

// Clears what is behind the header. Most instances have a few words there, for which a call costs more than the work; as
// blocks are whole granules, a little more may be cleared than was asked for.
AMPHIS_ALWAYS_INLINE void zero_body(PyObject* op, size_t size) {
  constexpr size_t kStep = memory::kGranule, kShort = 4 * kStep;
  static_assert(sizeof(PyObject) % kStep == 0);
  char* at = reinterpret_cast<char*>(op) + sizeof(PyObject);
  char* const end = reinterpret_cast<char*>(op) + size;
  if (end - at > static_cast<ptrdiff_t>(kShort)) {
    std::memset(at, 0, static_cast<size_t>(end - at));
    return;
  }
  for (; at < end; at += kStep) {
    std::memset(at, 0, kStep);
    // Keeps the compiler from making a call of the loop.
    asm volatile("" : "+r"(at));
  }
}

// Anything that alloc_instance does not do at once.
AMPHIS_NOINLINE PyObject* alloc_special_instance(PyTypeObject* type, Py_ssize_t items) {
  // One item more than asked for: a sentinel, as the C API promises.
  size_t size = type->tp_itemsize == 0 ? size_t(type->tp_basicsize) : var_size(type, items + 1);
  if (size == SIZE_MAX || items < 0) [[unlikely]] return PyErr_NoMemory();
  if (PyType_HasFeature(type, Py_TPFLAGS_PREHEADER)) [[unlikely]] size += type_managed_bytes(type);
  const size_t fixed = size;
  const bool inline_values = PyType_HasFeature(type, Py_TPFLAGS_INLINE_VALUES);
  if (inline_values) size += inline_values_size(type);
  const bool collected = PyType_IS_GC(type);
  auto* op = static_cast<PyObject*>(memory::alloc(collected ? memory::kGc : memory::kPlain, size));
  if (!op) [[unlikely]] return PyErr_NoMemory();
  zero_body(op, fixed);
  if (type->tp_itemsize != 0) reinterpret_cast<PyVarObject*>(op)->ob_size = items;
  if (inline_values) init_inline_values(op, type);
  init_object(op, type);
  return op;
}

}  // namespace

namespace amphis {

PyObject* alloc_instance(PyTypeObject* type, Py_ssize_t items) {
  const unsigned long flags = sync::load_relaxed(type->tp_flags);
  if (type->tp_itemsize != 0 || (flags & (Py_TPFLAGS_PREHEADER | Py_TPFLAGS_INLINE_VALUES)) != 0) {
    return alloc_special_instance(type, items);
  }
  const auto size = size_t(type->tp_basicsize);
  auto* op = static_cast<PyObject*>(memory::alloc((flags & Py_TPFLAGS_HAVE_GC) != 0 ? memory::kGc : memory::kPlain, size));
  if (!op) [[unlikely]] return PyErr_NoMemory();
  zero_body(op, size);
  init_object(op, type);
  return op;
}

}  // namespace amphis

extern "C" {

PyObject* PyObject_Init(PyObject* op, PyTypeObject* type) {
  if (!op) return PyErr_NoMemory();
  init_object(op, type);
  return op;
}

PyVarObject* PyObject_InitVar(PyVarObject* op, PyTypeObject* type, Py_ssize_t size) {
  if (!op) return reinterpret_cast<PyVarObject*>(PyErr_NoMemory());
  op->ob_size = size;
  init_object(reinterpret_cast<PyObject*>(op), type);
  return op;
}

// A header whose object was kept by its type for reuse begins a new life.
void _Py_NewReference(PyObject* op) {
  if (PyType_IS_GC(Py_TYPE(op))) {
    gc::init_gc_header(op, Py_TYPE(op));
  } else {
    gc::init_header(op, Py_TYPE(op));
  }
}
void _Py_NewReferenceNoTotal(PyObject* op) { _Py_NewReference(op); }
void _Py_SetImmortalUntracked(PyObject* op) {
  if (!_Py_IsImmortal(op)) gc::make_immortal(op);
}
void _Py_SetImmortal(PyObject* op) {
  if (PyObject_GC_IsTracked(op)) untrack(op);
  _Py_SetImmortalUntracked(op);
}
void _Py_ResurrectReference(PyObject* op) { gc::resurrect_begin(op); }

PyObject* _PyObject_New(PyTypeObject* type) {
  const size_t managed = type_managed_bytes(type), size = size_t(type->tp_basicsize) + managed;
  PyObject* op = new_of_size(memory::kPlain, type, size);
  // The extension initializes its own part.
  if (managed != 0 && op != nullptr) std::memset(reinterpret_cast<char*>(op) + size - managed, 0, managed);
  return op;
}

PyVarObject* _PyObject_NewVar(PyTypeObject* type, Py_ssize_t items) {
  if (items < 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  auto* op = reinterpret_cast<PyVarObject*>(new_of_size(memory::kPlain, type, var_size(type, items)));
  if (op) op->ob_size = items;
  return op;
}

PyObject* _PyObject_GC_New(PyTypeObject* type) {
  // A class statement's type has slots, a dict and inline values behind what the caller will initialise.
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return alloc_instance(type, 0);
  return new_of_size(memory::kGc, type, size_t(type->tp_basicsize));
}

PyVarObject* _PyObject_GC_NewVar(PyTypeObject* type, Py_ssize_t items) {
  if (items < 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return reinterpret_cast<PyVarObject*>(alloc_instance(type, items));
  auto* op = reinterpret_cast<PyVarObject*>(new_of_size(memory::kGc, type, var_size(type, items)));
  if (op) op->ob_size = items;
  return op;
}

PyObject* PyUnstable_Object_GC_NewWithExtraData(PyTypeObject* type, size_t extra) {
  size_t size;
  if (__builtin_add_overflow(size_t(type->tp_basicsize) + type_managed_bytes(type), extra, &size) || size > size_t(PY_SSIZE_T_MAX))
    return PyErr_NoMemory();
  auto* op = static_cast<PyObject*>(alloc_gc_object(size));
  if (!op) return PyErr_NoMemory();
  zero_body(op, size);
  init_object(op, type);
  return op;
}

PyVarObject* _PyObject_GC_Resize(PyVarObject* op, Py_ssize_t items) {
  auto* object = reinterpret_cast<PyObject*>(op);
  AMPHIS_ASSERT(!gc::is_tracked(object));
  const size_t size = items < 0 ? SIZE_MAX : var_size(Py_TYPE(object), items);
  auto* moved = size == SIZE_MAX ? nullptr : static_cast<PyVarObject*>(realloc_object(op, size));
  if (!moved) return reinterpret_cast<PyVarObject*>(PyErr_NoMemory());
  moved->ob_size = items;
  return moved;
}

PyObject* PyType_GenericAlloc(PyTypeObject* type, Py_ssize_t items) {
  PyObject* op = alloc_instance(type, items);
  if (op && PyType_IS_GC(type)) track(op);
  return op;
}

void PyObject_GC_Del(void* op) {
  if (op) free_object(op);
}

void PyObject_GC_Track(void* op) {
  auto* object = static_cast<PyObject*>(op);
  if (gc::is_tracked(object)) [[unlikely]] fatal("PyObject_GC_Track: object already tracked by the garbage collector");
  track(object);
}

// Unlike PyObject_GC_Track, may be called on an object that is not tracked.
void PyObject_GC_UnTrack(void* op) { untrack(static_cast<PyObject*>(op)); }

int PyObject_GC_IsTracked(PyObject* op) {
  return PyObject_IS_GC(op) && memory::in_chunk(op) && memory::page_of(op)->kind == memory::kGc && gc::is_tracked(op);
}
int PyObject_GC_IsFinalized(PyObject* op) { return PyObject_IS_GC(op) && (gc::bits(op) & kGcFinalized) != 0; }

void PyObject_CallFinalizer(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  if (!type->tp_finalize) return;
  const bool collected = PyType_IS_GC(type);
  if (collected && (gc::bits(op) & kGcFinalized)) return;
  type->tp_finalize(op);
  if (collected) gc::set_bits(op, kGcFinalized);
}

int PyObject_CallFinalizerFromDealloc(PyObject* op) {
  gc::resurrect_begin(op);
  PyObject_CallFinalizer(op);
  return gc::resurrect_end(op) ? 0 : -1;
}

}  // extern "C"
