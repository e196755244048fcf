// Owns the gc module: a thin face over gc/gc.h.
#include "gc/gc.h"

#include "gc/collector.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

PyObject* gc_enable(PyObject*, PyObject*) {
  PyGC_Enable();
  Py_RETURN_NONE;
}
PyObject* gc_disable(PyObject*, PyObject*) {
  PyGC_Disable();
  Py_RETURN_NONE;
}
PyObject* gc_isenabled(PyObject*, PyObject*) { return PyBool_FromLong(PyGC_IsEnabled()); }

PyObject* gc_collect(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"generation", nullptr};
  int generation = gc::kGenerations - 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:collect", const_cast<char**>(names), &generation)) return nullptr;
  if (generation < 0 || generation >= gc::kGenerations) {
    PyErr_SetString(PyExc_ValueError, "invalid generation");
    return nullptr;
  }
  return PyLong_FromSsize_t(gc::collect(generation, gc::Reason::kManual));
}

PyObject* gc_set_debug(PyObject*, PyObject* arg) {
  const int flags = PyLong_AsInt(arg);
  if (flags == -1 && PyErr_Occurred()) return nullptr;
  gc::state().debug.store(flags);
  Py_RETURN_NONE;
}
PyObject* gc_get_debug(PyObject*, PyObject*) { return PyLong_FromLong(gc::state().debug.load()); }

PyObject* gc_set_threshold(PyObject*, PyObject* args) {
  auto& state = gc::state();
  int t[gc::kGenerations];
  for (int i = 0; i < gc::kGenerations; ++i) t[i] = state.threshold[i].load();
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < 1 || n > gc::kGenerations) {
    PyErr_SetString(PyExc_TypeError, "gc.set_threshold requires 1 to 3 arguments");
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    t[i] = PyLong_AsInt(PyTuple_GET_ITEM(args, i));
    if (t[i] == -1 && PyErr_Occurred()) return nullptr;
  }
  for (int i = 0; i < gc::kGenerations; ++i) state.threshold[i].store(t[i]);
  gc::schedule();
  Py_RETURN_NONE;
}
PyObject* gc_get_threshold(PyObject*, PyObject*) {
  auto& t = gc::state().threshold;
  return Py_BuildValue("(iii)", t[0].load(), t[1].load(), t[2].load());
}

PyObject* gc_get_count(PyObject*, PyObject*) {
  const int64_t growth = memory::gc_growth();
  return Py_BuildValue("(nii)", Py_ssize_t(growth < 0 ? 0 : growth), 0, 0);
}

PyObject* gc_get_stats(PyObject*, PyObject*) {
  auto result = Ref<>::steal(PyList_New(0));
  if (!result) return nullptr;
  for (auto& s : gc::state().stats) {
    auto one = Ref<>::steal(Py_BuildValue("{snsnsn}", "collections", s.collections.load(), "collected",
                                          s.collected.load(), "uncollectable", s.uncollectable.load()));
    if (!one || PyList_Append(result, one) < 0) return nullptr;
  }
  return result.release();
}

PyObject* gc_get_objects(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"generation", nullptr};
  PyObject* which = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:get_objects", const_cast<char**>(names), &which)) return nullptr;
  if (PySys_Audit("gc.get_objects", "O", which) < 0) return nullptr;
  auto age = gc::Age::kAll;
  if (which != Py_None) {
    if (!PyIndex_Check(which)) {
      PyErr_Format(PyExc_TypeError, "argument should be integer or None, not '%.200s'", Py_TYPE(which)->tp_name);
      return nullptr;
    }
    const Py_ssize_t generation = PyNumber_AsSsize_t(which, PyExc_OverflowError);
    if (generation == -1 && PyErr_Occurred()) return nullptr;
    if (generation >= gc::kGenerations) {
      PyErr_Format(PyExc_ValueError, "generation parameter must be less than the number of available generations (%i)",
                   gc::kGenerations);
      return nullptr;
    }
    if (generation < 0) {
      PyErr_SetString(PyExc_ValueError, "generation parameter cannot be negative");
      return nullptr;
    }
    if (generation == 1) return PyList_New(0);  // survivors go straight to the oldest
    age = generation == 0 ? gc::Age::kYoung : gc::Age::kOld;
  }
  return gc::list_objects(age);
}

PyObject* gc_get_referrers(PyObject*, PyObject* args) {
  if (PySys_Audit("gc.get_referrers", "(O)", args) < 0) return nullptr;
  return gc::list_referrers(args);
}

PyObject* gc_get_referents(PyObject*, PyObject* args) {
  if (PySys_Audit("gc.get_referents", "(O)", args) < 0) return nullptr;
  auto result = Ref<>::steal(PyList_New(0));
  if (!result) return nullptr;
  // Collected first: appending may run the collector, which an object being traversed would not expect.
  gc::Array<PyObject*> found;
  bool complete = true;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    PyObject* op = PyTuple_GET_ITEM(args, i);
    traverseproc traverse = PyObject_IS_GC(op) ? Py_TYPE(op)->tp_traverse : nullptr;
    if (!traverse) continue;
    ObjectLock lock(op);
    complete &= !traverse(
        op,
        [](PyObject* item, void* arg) -> int {
          if (!item) return 0;
          if (!static_cast<gc::Array<PyObject*>*>(arg)->push(item)) return 1;
          Py_INCREF(item);
          return 0;
        },
        &found);
  }
  for (PyObject* op : found) {
    if (complete) complete = PyList_Append(result, op) == 0;
    Py_DECREF(op);
  }
  if (!complete) return PyErr_Occurred() ? nullptr : PyErr_NoMemory();
  return result.release();
}

PyObject* gc_is_tracked(PyObject*, PyObject* op) { return PyBool_FromLong(PyObject_GC_IsTracked(op)); }
PyObject* gc_is_finalized(PyObject*, PyObject* op) { return PyBool_FromLong(PyObject_GC_IsFinalized(op)); }

PyObject* gc_freeze(PyObject*, PyObject*) {
  gc::freeze();
  Py_RETURN_NONE;
}
PyObject* gc_unfreeze(PyObject*, PyObject*) {
  gc::unfreeze();
  Py_RETURN_NONE;
}
PyObject* gc_get_freeze_count(PyObject*, PyObject*) { return PyLong_FromSsize_t(gc::frozen_count()); }

template <class F>
PyCFunction method(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

PyMethodDef gc_methods[] = {
    {"enable", gc_enable, METH_NOARGS, PyDoc_STR("enable($module, /)\n--\n\nEnable automatic garbage collection.")},
    {"disable", gc_disable, METH_NOARGS, PyDoc_STR("disable($module, /)\n--\n\nDisable automatic garbage collection.")},
    {"isenabled", gc_isenabled, METH_NOARGS,
     PyDoc_STR("isenabled($module, /)\n--\n\nReturns true if automatic garbage collection is enabled.")},
    {"set_debug", gc_set_debug, METH_O, PyDoc_STR("set_debug($module, flags, /)\n--\n\nSet the garbage collection debugging flags: a sum of the DEBUG_ constants.")},
    {"get_debug", gc_get_debug, METH_NOARGS,
     PyDoc_STR("get_debug($module, /)\n--\n\nGet the garbage collection debugging flags.")},
    {"get_count", gc_get_count, METH_NOARGS,
     PyDoc_STR("get_count($module, /)\n--\n\nReturn a three-tuple of the current collection counts.")},
    {"set_threshold", gc_set_threshold, METH_VARARGS,
     PyDoc_STR("set_threshold(threshold0, [threshold1, [threshold2]])\n"
               "Set the collection thresholds. Setting 'threshold0' to zero disables collection.")},
    {"get_threshold", gc_get_threshold, METH_NOARGS,
     PyDoc_STR("get_threshold($module, /)\n--\n\nReturn the current collection thresholds.")},
    {"collect", method(gc_collect), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("collect($module, /, generation=2)\n--\n\nRun the garbage collector; returns the number of unreachable "
               "objects.")},
    {"get_objects", method(gc_get_objects), METH_VARARGS | METH_KEYWORDS,
     PyDoc_STR("get_objects($module, /, generation=None)\n--\n\nReturn a list of objects tracked by the collector "
               "(excluding the list returned).")},
    {"get_stats", gc_get_stats, METH_NOARGS,
     PyDoc_STR("get_stats($module, /)\n--\n\nReturn a list of dictionaries containing per-generation statistics.")},
    {"is_tracked", gc_is_tracked, METH_O,
     PyDoc_STR("is_tracked($module, obj, /)\n--\n\nReturns true if the object is tracked by the garbage collector.")},
    {"is_finalized", gc_is_finalized, METH_O,
     PyDoc_STR("is_finalized($module, obj, /)\n--\n\nReturns true if the object has been already finalized by the GC.")},
    {"get_referrers", gc_get_referrers, METH_VARARGS,
     PyDoc_STR("get_referrers($module, /, *objs)\n--\n\nReturn the list of objects that directly refer to any of 'objs'.")},
    {"get_referents", gc_get_referents, METH_VARARGS,
     PyDoc_STR("get_referents($module, /, *objs)\n--\n\nReturn the list of objects that are directly referred to by "
               "'objs'.")},
    {"freeze", gc_freeze, METH_NOARGS,
     PyDoc_STR("freeze($module, /)\n--\n\nFreeze all current tracked objects and ignore them for future collections.")},
    {"unfreeze", gc_unfreeze, METH_NOARGS,
     PyDoc_STR("unfreeze($module, /)\n--\n\nUnfreeze all objects in the permanent generation.")},
    {"get_freeze_count", gc_get_freeze_count, METH_NOARGS,
     PyDoc_STR("get_freeze_count($module, /)\n--\n\nReturn the number of objects in the permanent generation.")},
    {nullptr, nullptr, 0, nullptr},
};

int gc_exec(PyObject* module) {
  auto& state = gc::state();
  if (PyModule_AddObjectRef(module, "garbage", state.garbage) < 0 ||
      PyModule_AddObjectRef(module, "callbacks", state.callbacks) < 0)
    return -1;
  static constexpr struct {
    const char* name;
    int value;
  } constants[] = {{"DEBUG_STATS", gc::kStats},
                   {"DEBUG_COLLECTABLE", gc::kCollectable},
                   {"DEBUG_UNCOLLECTABLE", gc::kUncollectable},
                   {"DEBUG_SAVEALL", gc::kSaveAll},
                   {"DEBUG_LEAK", gc::kCollectable | gc::kUncollectable | gc::kSaveAll}};
  for (const auto& c : constants)
    if (PyModule_AddIntConstant(module, c.name, c.value) < 0) return -1;
  return 0;
}

PyModuleDef_Slot gc_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(gc_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef gc_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "gc",
    .m_doc = PyDoc_STR("This module provides access to the garbage collector for reference cycles."),
    .m_size = 0,
    .m_methods = gc_methods,
    .m_slots = gc_slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_gc(void) { return PyModuleDef_Init(&gc_module); }
