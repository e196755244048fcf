// _Py_Dealloc and the trash. Freeing a chain of containers recurses: each deallocator drops the next link. Below
// c_trash_limit the object is put into a list instead, and the outermost deallocation above the limit empties it.
#include "sync/trash.h"

#include "base/assert.h"
#include "base/ptr_stack.h"

#include <cstdlib>
#include <new>

namespace amphis::sync {

struct TrashList {
  // Bit 0 of an entry: the collector tracked the object.
  PtrStack<uintptr_t> objects;
};

namespace {

// An emptying starts only this far above the limit, so that it does not end after a single object.
constexpr uintptr_t kHeadroom = uintptr_t(64) << 10;

uintptr_t stack_pointer() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

AMPHIS_COLD bool put_off(ThreadState* ts, PyObject* op) {
  if (!PyType_IS_GC(Py_TYPE(op))) return false;
  if (!ts->trash) {
    void* memory = std::malloc(sizeof(TrashList));
    if (!memory) return false;
    ts->trash = new (memory) TrashList();
  }
  bool tracked = PyObject_GC_IsTracked(op);
  // A dying object must not be visited by the collector.
  if (tracked) PyObject_GC_UnTrack(op);
  if (ts->trash->objects.push(reinterpret_cast<uintptr_t>(op) | tracked)) return true;
  if (tracked) PyObject_GC_Track(op);
  return false;
}

}  // namespace

void dealloc_deep(PyObject* op) {
  ThreadState* ts = current_thread();
  if (!put_off(ts, op)) Py_TYPE(op)->tp_dealloc(op);
}

void empty_trash_here(ThreadState* ts) {
  if (!ts->trash_draining && stack_pointer() > ts->c_trash_limit + kHeadroom) empty_trash(ts);
}

void empty_trash(ThreadState* ts) {
  if (!ts->trash || ts->trash_draining) return;
  ts->trash_draining = true;
  TrashList* list = ts->trash;
  while (!list->objects.empty()) {
    uintptr_t entry = list->objects.pop();
    auto* op = reinterpret_cast<PyObject*>(entry & ~uintptr_t(1));
    if (entry & 1) PyObject_GC_Track(op);
    Py_TYPE(op)->tp_dealloc(op);
  }
  ts->trash = nullptr;
  list->~TrashList();
  std::free(list);
  ts->trash_draining = false;
}

}  // namespace amphis::sync

using namespace amphis;

extern "C" {

void _Py_Dealloc(PyObject* op) { sync::dealloc(op); }

void _PyTrash_thread_deposit_object(PyThreadState* ts, PyObject* op) {
  if (!sync::put_off(thread_state(ts), op)) Py_TYPE(op)->tp_dealloc(op);
}

void _PyTrash_thread_destroy_chain(PyThreadState* ts) { sync::empty_trash(thread_state(ts)); }

}
