// Owns the phases of a collection that end the garbage: weak references, finalizers, tp_clear. Python code runs here,
// and so do the other threads; what has been decided about an object is remembered in its kGcUnreachable bit.
#include "gc/collector.h"
#include "gc/gc.h"
#include "objects/weakref.h"
#include "sync/stop_the_world.h"

namespace amphis::gc {

namespace {

void print_debug(const char* what, PyObject* op) {
  PySys_FormatStderr("gc: %s <%s %p>\n", what, Py_TYPE(op)->tp_name, static_cast<void*>(op));
}

}  // namespace

// Weak references die before finalizers run: no callback sees half-dead garbage and nobody gets at it but the finalizers,
// also when they bring it back to life. Those to classes without callbacks stay until after the finalizers, which may
// still use them (lists of subclasses, registries of abstract base classes). World stopped.
void Collector::detach_weakrefs() {
  for (PyObject* op : garbage_) {
    PyWeakReference** list = weakref_list(op);
    if (!list) continue;
    PyWeakReference* next;
    for (PyWeakReference* wr = *list; wr; wr = next) {
      next = wr->wr_next;
      if (!wr->wr_callback && PyType_Check(op)) continue;
      auto* ref = reinterpret_cast<PyObject*>(wr);
      weakref_detach(wr);
      if (!wr->wr_callback) continue;
      // A weak reference that is garbage itself must not call back.
      if ((bits(ref) & kGcUnreachable) || reference_count(ref) <= 0) continue;
      Py_INCREF(ref);
      if (!notices_.push(ref)) Py_DECREF(ref);
    }
  }
}

void Collector::run_weakref_callbacks() {
  for (PyObject* ref : notices_) {
    PyObject* callback = reinterpret_cast<PyWeakReference*>(ref)->wr_callback;
    if (callback) {
      Py_INCREF(callback);
      PyObject* result = PyObject_CallOneArg(callback, ref);
      if (result) {
        Py_DECREF(result);
      } else {
        PyErr_FormatUnraisable("Exception ignored on calling weakref callback %R", callback);
      }
      Py_DECREF(callback);
    }
    Py_DECREF(ref);
  }
  notices_.shrink(0);
}

void Collector::run_finalizers() {
  for (PyObject* op : garbage_) {
    destructor finalize = Py_TYPE(op)->tp_finalize;
    if (!finalize || (bits(op) & kGcFinalized)) continue;
    set_bits(op, kGcFinalized);
    finalize(op);
  }
}

void Collector::break_up() {
  if (state().debug.load(std::memory_order_relaxed) & kSaveAll) {
    {
      StopTheWorld stopped("collection: saved garbage");
      for (PyObject* op : garbage_) {
        clear_bits(op, kGcUnreachable);
        restore(op);
      }
    }
    for (PyObject* op : garbage_) {
      if (PyList_Append(state().garbage, op) < 0) PyErr_Clear();
      Py_DECREF(op);
    }
    garbage_.shrink(0);
    return;
  }
  size_t kept = 0;
  for (PyObject* op : garbage_) {
    clear_bits(op, kGcUnreachable);
    if (inquiry clear = Py_TYPE(op)->tp_clear) {
      clear(op);
      if (PyErr_Occurred()) PyErr_FormatUnraisable("Exception ignored in tp_clear of %s", Py_TYPE(op)->tp_name);
    }
    // Code and functions end last: the frames that refer to them without counting are gone by then.
    if (bits(op) & kGcWasDeferred)
      garbage_[kept++] = op;
    else
      Py_DECREF(op);
  }
  garbage_.shrink(kept);
  for (PyObject* op : garbage_) {
    clear_bits(op, kGcWasDeferred);
    Py_DECREF(op);
  }
  garbage_.shrink(0);
}

void Collector::save_uncollectable() {
  const int debug = state().debug.load(std::memory_order_relaxed);
  for (PyObject* op : legacy_) {
    if (debug & kUncollectable) print_debug("uncollectable", op);
    if (PyList_Append(state().garbage, op) < 0) PyErr_Clear();
    Py_DECREF(op);
  }
  uncollectable_ = Py_ssize_t(legacy_.size());
  legacy_.shrink(0);
}

void Collector::dispose() {
  if (state().debug.load(std::memory_order_relaxed) & kCollectable)
    for (PyObject* op : garbage_) print_debug("collectable", op);
  run_weakref_callbacks();
  run_finalizers();
  if (!garbage_.empty()) drop_resurrected();
  if (!garbage_.empty()) {
    StopTheWorld stopped("collection: weak references");
    for (PyObject* op : garbage_)
      if (PyWeakReference** list = weakref_list(op))
        while (*list) weakref_detach(*list);
  }
  collected_ = Py_ssize_t(garbage_.size());
  break_up();
  save_uncollectable();
}

}  // namespace amphis::gc
