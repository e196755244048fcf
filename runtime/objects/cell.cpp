// Owns cells: the shared place of a variable that an inner function uses. ob_ref is null while the variable is unbound.
#include "gc/object_new.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

using namespace amphis;

namespace {

PyCellObject* as_cell(PyObject* op) { return reinterpret_cast<PyCellObject*>(op); }

// A strong reference to the contents, or null.
Ref<> contents(PyObject* cell) { return sync::get_ref(&as_cell(cell)->ob_ref, cell); }

void set_contents(PyObject* cell, Ref<> value) {
  Ref<> old;
  {
    ObjectLock lock(cell);
    old = sync::exchange_slot_locked(&as_cell(cell)->ob_ref, static_cast<Ref<>&&>(value));
  }
}

PyObject* cell_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  PyObject* value = nullptr;
  if (!_PyArg_NoKeywords("cell", kwargs) || !PyArg_UnpackTuple(args, "cell", 0, 1, &value)) return nullptr;
  return PyCell_New(value);
}

void cell_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(as_cell(self)->ob_ref);
  free_object(self);
}

int cell_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_cell(self)->ob_ref);
  return 0;
}

int cell_clear(PyObject* self) {
  set_contents(self, nullptr);
  return 0;
}

PyObject* cell_repr(PyObject* self) {
  Ref<> value = contents(self);
  if (!value) return PyUnicode_FromFormat("<cell at %p: empty>", self);
  return PyUnicode_FromFormat("<cell at %p: %.80s object at %p>", self, Py_TYPE(value.get())->tp_name, value.get());
}

// By contents; an empty cell is less than any other.
PyObject* cell_richcompare(PyObject* a, PyObject* b, int op) {
  if (!PyCell_Check(a) || !PyCell_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> x = contents(a), y = contents(b);
  if (x && y) return PyObject_RichCompare(x, y, op);
  const int left = x ? 1 : 0, right = y ? 1 : 0;
  Py_RETURN_RICHCOMPARE(left, right, op);
}

PyObject* cell_get_contents(PyObject* self, void*) {
  Ref<> value = contents(self);
  if (!value) PyErr_SetString(PyExc_ValueError, "Cell is empty");
  return value.release();
}

int cell_set_contents(PyObject* self, PyObject* value, void*) {
  set_contents(self, Ref<>::share(value));
  return 0;
}

PyGetSetDef cell_getset[] = {
    {"cell_contents", cell_get_contents, cell_set_contents, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

extern "C" {

PyTypeObject PyCell_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "cell",
    .tp_basicsize = sizeof(PyCellObject),
    .tp_dealloc = cell_dealloc,
    .tp_repr = cell_repr,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = PyDoc_STR("cell([contents])\n--\n\nCreate a new cell object.\n\n  contents\n"
                        "    the contents of the cell. If not specified, the cell will be empty,\n"
                        "    and further attempts to access its cell_contents attribute will\n    raise a ValueError."),
    .tp_traverse = cell_traverse,
    .tp_clear = cell_clear,
    .tp_richcompare = cell_richcompare,
    .tp_getset = cell_getset,
    .tp_new = cell_new,
    .tp_free = PyObject_GC_Del,
};

PyObject* PyCell_New(PyObject* value) {
  auto* cell = new_gc_object<PyCellObject>(&PyCell_Type);
  if (!cell) return PyErr_NoMemory();
  cell->ob_ref = Py_XNewRef(value);
  track(cell);
  return reinterpret_cast<PyObject*>(cell);
}

PyObject* PyCell_Get(PyObject* op) {
  if (!PyCell_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return contents(op).release();
}

int PyCell_Set(PyObject* op, PyObject* value) {
  if (!PyCell_Check(op)) {
    PyErr_BadInternalCall();
    return -1;
  }
  set_contents(op, Ref<>::share(value));
  return 0;
}

}  // extern "C"
