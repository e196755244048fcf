// pickle.PickleBuffer: an object around a buffer that pickle may hand over out of band.
//
// Invariant: `view.obj` is null exactly when the buffer has been released; it is changed under the object's lock.
#include <utility>

#include "capi/getargs.h"
#include "gc/object_new.h"
#include "objects/memoryview.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {
namespace {

struct PickleBuffer {
  PyObject_HEAD
  Py_buffer view;
  PyObject* weakrefs;
};
PickleBuffer* as_pickle_buffer(PyObject* o) { return reinterpret_cast<PickleBuffer*>(o); }

bool usable(PyObject* o) {
  if (as_pickle_buffer(o)->view.obj != nullptr) return true;
  PyErr_SetString(PyExc_ValueError, "operation forbidden on released PickleBuffer object");
  return false;
}

void release_view(PyObject* o) {
  Py_buffer view;
  {
    ObjectLock lock(o);
    view = std::exchange(as_pickle_buffer(o)->view, Py_buffer{});
  }
  PyBuffer_Release(&view);
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"", nullptr};
  PyObject* base;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:PickleBuffer", const_cast<char**>(names), &base)) return nullptr;
  auto self = Ref<>::steal(type->tp_alloc(type, 0));
  if (!self || PyObject_GetBuffer(base, &as_pickle_buffer(self.get())->view, PyBUF_FULL_RO) < 0) return nullptr;
  return self.release();
}

void dealloc(PyObject* o) {
  PyObject_GC_UnTrack(o);
  if (sync::load_acquire(as_pickle_buffer(o)->weakrefs) != nullptr) PyObject_ClearWeakRefs(o);
  PyBuffer_Release(&as_pickle_buffer(o)->view);
  Py_TYPE(o)->tp_free(o);
}

int traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(as_pickle_buffer(o)->view.obj);
  return 0;
}

int clear(PyObject* o) {
  release_view(o);
  return 0;
}

// Requests go to the object behind, so that its own rules hold.
int get_buffer(PyObject* o, Py_buffer* view, int flags) {
  Ref<> base;
  {
    ObjectLock lock(o);
    if (!usable(o)) return -1;
    base = Ref<>::share(as_pickle_buffer(o)->view.obj);
  }
  return PyObject_GetBuffer(base.get(), view, flags);
}

// The consumer holds the object behind, not this one: nothing to undo here.
void release_buffer(PyObject*, Py_buffer*) {}

PyObject* raw(PyObject* o, PyObject*) {
  ObjectLock lock(o);
  if (!usable(o)) return nullptr;
  const Py_buffer& view = as_pickle_buffer(o)->view;
  if (!PyBuffer_IsContiguous(&view, 'A')) {
    PyErr_SetString(PyExc_BufferError, "cannot extract raw buffer from non-contiguous buffer");
    return nullptr;
  }
  auto whole = Ref<>::steal(PyMemoryView_FromObject(o));
  if (!whole) return nullptr;
  // The same memory as plain bytes in one dimension.
  Py_buffer layout = *PyMemoryView_GET_BUFFER(whole.get());
  Py_ssize_t step = 1;
  layout.format = const_cast<char*>("B");
  layout.itemsize = 1;
  layout.ndim = 1;
  layout.shape = &layout.len;
  layout.strides = &step;
  layout.suboffsets = nullptr;
  return view_with_layout(as_view(whole.get()), &layout);
}

PyObject* release(PyObject* o, PyObject*) {
  release_view(o);
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"raw", raw, METH_NOARGS, "The memory as bytes in one dimension; BufferError when it has gaps."},
    {"release", release, METH_NOARGS, "Release the underlying buffer exposed by the PickleBuffer object."},
    {nullptr, nullptr, 0, nullptr},
};

PyBufferProcs as_buffer = {.bf_getbuffer = get_buffer, .bf_releasebuffer = release_buffer};

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyPickleBuffer_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "pickle.PickleBuffer",
    .tp_basicsize = sizeof(PickleBuffer),
    .tp_dealloc = dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_as_buffer = &as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Wrapper for potentially out-of-band buffers",
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_weaklistoffset = offsetof(PickleBuffer, weakrefs),
    .tp_methods = methods,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = make,
    .tp_free = PyObject_GC_Del,
};

static bool check_pickle_buffer(PyObject* o) {
  if (PyPickleBuffer_Check(o)) return true;
  PyErr_Format(PyExc_TypeError, "expected PickleBuffer, %.200s found", Py_TYPE(o)->tp_name);
  return false;
}

PyObject* PyPickleBuffer_FromObject(PyObject* base) {
  auto self = Ref<>::steal(PyType_GenericAlloc(&PyPickleBuffer_Type, 0));
  if (!self || PyObject_GetBuffer(base, &as_pickle_buffer(self.get())->view, PyBUF_FULL_RO) < 0) return nullptr;
  return self.release();
}

const Py_buffer* PyPickleBuffer_GetBuffer(PyObject* o) {
  return check_pickle_buffer(o) && usable(o) ? &as_pickle_buffer(o)->view : nullptr;
}

int PyPickleBuffer_Release(PyObject* o) {
  if (!check_pickle_buffer(o)) return -1;
  release_view(o);
  return 0;
}

}  // extern "C"
