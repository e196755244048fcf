// Owns the collector's state, its schedule, and the C API around it.
//
// Schedule: the object allocator counts live blocks of collected kinds. A collection is due when they have grown by
// the threshold since the last one, or by a part of the live heap if that is more, so that the cost of collecting per
// object allocated is bounded. While collections find little, the part is the whole: a program that builds a large
// structure is not made to pay for walking it over and over.
#include "gc/gc.h"

#include "gc/collector.h"
#include "sync/fork.h"
#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/stop_the_world.h"
#include "sync/thread_state.h"

namespace amphis::gc {

namespace {

constinit State g_state;
std::atomic<int64_t> g_growth_limit{-1};

// On the allocating thread, inside an allocation: only leaves a note for the next safepoint.
void on_pressure() {
  if (!g_state.enabled.load(std::memory_order_relaxed) || g_state.collecting.load(std::memory_order_relaxed)) return;
  if (ThreadState* ts = current_thread()) set_eval_breaker(ts, kBreakGc);
}

int run_automatic(ThreadState*) {
  if (!g_state.enabled.load(std::memory_order_relaxed)) return 0;
  const int64_t limit = g_growth_limit.load(std::memory_order_relaxed);
  if (limit < 0 || memory::gc_growth() < limit) return 0;  // another thread has collected meanwhile
  collect(kGenerations - 1, Reason::kAutomatic);
  return 0;
}

// QSBR has its arguments the other way round.
void defer_release(void* p, void (*release)(void*)) { sync::retire_with(release, p); }

void call_callbacks(const char* phase, int generation, const Collector& c) {
  PyObject* callbacks = g_state.callbacks;
  if (!callbacks || PyList_GET_SIZE(callbacks) == 0) return;
  auto info = Ref<>::steal(Py_BuildValue("{sisnsn}", "generation", generation, "collected", c.collected(),
                                         "uncollectable", c.uncollectable()));
  auto what = Ref<>::steal(PyUnicode_FromString(phase));
  if (!info || !what) {
    PyErr_FormatUnraisable("Exception ignored on invoking gc callbacks");
    return;
  }
  for (Py_ssize_t i = 0; i < PyList_Size(callbacks); ++i) {
    auto callback = Ref<>::steal(PyList_GetItemRef(callbacks, i));
    if (!callback) {
      PyErr_Clear();
      break;
    }
    PyObject* args[] = {what.get(), info.get()};
    auto result = Ref<>::steal(PyObject_Vectorcall(callback.get(), args, 2, nullptr));
    if (!result) PyErr_WriteUnraisable(callback.get());
  }
}

}  // namespace

State& state() { return g_state; }

int init() {
  if (!g_state.garbage) g_state.garbage = PyList_New(0);
  if (!g_state.callbacks) g_state.callbacks = PyList_New(0);
  if (!g_state.garbage || !g_state.callbacks) return -1;
  memory::set_gc_pressure(on_pressure);
  memory::set_deferral(defer_release);
  eval_hooks.run_gc = run_automatic;
  static bool once = false;  // the runtime may begin again
  if (!once) sync::add_fork_hooks({nullptr, nullptr, memory::after_fork_child});
  once = true;
  memory::gc_reset_growth();
  schedule();
  return 0;
}

void fini() {
  g_state.enabled.store(false);
  g_growth_limit.store(-1);
  memory::set_gc_growth_limit(-1);
  Py_CLEAR(g_state.garbage);
  Py_CLEAR(g_state.callbacks);
}

void dump_shutdown_stats() {
  if (!g_state.garbage) return;
  const Py_ssize_t n = PyList_GET_SIZE(g_state.garbage);
  const int debug = g_state.debug.load();
  if (n == 0 || (debug & kSaveAll)) return;
  const char* format = debug & kUncollectable
                           ? "gc: %zd uncollectable objects at shutdown"
                           : "gc: %zd uncollectable objects at shutdown; use gc.set_debug(gc.DEBUG_UNCOLLECTABLE) to list them";
  if (PyErr_WarnFormat(PyExc_ResourceWarning, 0, format, n) < 0) PyErr_FormatUnraisable("Exception ignored in GC shutdown");
}

void schedule() {
  const int t0 = g_state.threshold[0].load(std::memory_order_relaxed);
  int64_t limit = -1;
  if (t0 > 0 && g_state.enabled.load(std::memory_order_relaxed)) {
    const int64_t live = memory::gc_live_blocks();
    // Ten thresholds: one collection here looks at everything, where a generational collector looks at the young.
    const int64_t least = int64_t(t0) * 10;
    const int64_t part = g_state.productive.load(std::memory_order_relaxed) ? live / 4 : live;
    limit = least > part ? least : part;
  }
  g_growth_limit.store(limit, std::memory_order_relaxed);
  memory::set_gc_growth_limit(limit);
}

Py_ssize_t collect(int generation, Reason reason) {
  bool idle = false;
  if (!g_state.collecting.compare_exchange_strong(idle, true)) return 0;
  auto exception = Ref<>::steal(PyErr_GetRaisedException());
  Collector collector;
  const bool verbose = g_state.debug.load(std::memory_order_relaxed) & kStats;
  PyTime_t begin = 0;
  if (verbose) {
    PySys_FormatStderr("gc: collecting generation %d...\n", generation);
    (void)PyTime_PerfCounterRaw(&begin);
  }
  if (reason != Reason::kShutdown) call_callbacks("start", generation, collector);
  const int64_t growth = memory::gc_growth();
  if (collector.find_garbage()) {
    if (verbose) {
      PySys_FormatStderr("gc: objects in each generation: %zd 0 %zd\n", collector.young(),
                         collector.population() - collector.young());
      PySys_FormatStderr("gc: objects in permanent generation: %zd\n", frozen_count());
    }
    collector.dispose();
    sync::reclaim_retired();
    memory::trim();
  }
  const Py_ssize_t found = collector.collected() + collector.uncollectable();
  if (verbose) {
    PyTime_t end = 0;
    (void)PyTime_PerfCounterRaw(&end);
    char elapsed[32];
    PyOS_snprintf(elapsed, sizeof elapsed, "%.4f", double(end - begin) * 1e-9);
    PySys_FormatStderr("gc: done, %zd unreachable, %zd uncollectable, %ss elapsed\n", found, collector.uncollectable(),
                       elapsed);
  }
  if (reason == Reason::kAutomatic) g_state.productive.store(Py_ssize_t(found) * 20 > growth, std::memory_order_relaxed);
  GenerationStats& stats = g_state.stats[generation];
  stats.collections.fetch_add(1, std::memory_order_relaxed);
  stats.collected.fetch_add(collector.collected(), std::memory_order_relaxed);
  stats.uncollectable.fetch_add(collector.uncollectable(), std::memory_order_relaxed);
  if (PyErr_Occurred()) {
    if (reason == Reason::kShutdown) {
      PyErr_Clear();
    } else {
      PyErr_FormatUnraisable("Exception ignored in garbage collection");
    }
  }
  if (reason != Reason::kShutdown) call_callbacks("stop", generation, collector);
  schedule();
  PyErr_SetRaisedException(exception.release());
  g_state.collecting.store(false);
  return found;
}

// ---- Looking at the population ----

namespace {

// Strong references to the tracked objects that `want` selects, taken in a stopped world.
template <class F>
bool snapshot(Array<PyObject*>& out, F&& want) {
  StopTheWorld stopped("look at all objects");
  memory::drain_all_heaps();
  bool complete = true;
  each_tracked([&](memory::Page*, uint32_t, PyObject* op) {
    if (!want(op)) return;
    // Without a reference it is on its way out (deferred objects may have none that is counted).
    if (reference_count(op) <= 0 && !sync::is_deferred(op)) return;
    if (!out.push(op)) {
      complete = false;
      return;
    }
    Py_INCREF(op);
  });
  return complete;
}

void release_all(Array<PyObject*>& objects) {
  for (PyObject* op : objects) Py_DECREF(op);
}

PyObject* to_list(Array<PyObject*>& objects, bool complete) {
  PyObject* list = complete ? PyList_New(Py_ssize_t(objects.size())) : PyErr_NoMemory();
  if (!list) {
    release_all(objects);
    return nullptr;
  }
  for (size_t i = 0; i < objects.size(); ++i) PyList_SET_ITEM(list, Py_ssize_t(i), objects[i]);
  return list;
}

bool is_frozen(PyObject* op) { return bits(op) & kGcFrozen; }

int visit_is_target(PyObject* op, void* targets) {
  auto* tuple = static_cast<PyObject*>(targets);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i)
    if (PyTuple_GET_ITEM(tuple, i) == op) return 1;
  return 0;
}

}  // namespace

PyObject* list_objects(Age age) {
  Array<PyObject*> objects;
  const bool complete = snapshot(objects, [age](PyObject* op) {
    return !is_frozen(op) && (age == Age::kAll || (age == Age::kOld) == ((bits(op) & kGcOld) != 0));
  });
  return to_list(objects, complete);
}

PyObject* list_referrers(PyObject* targets) {
  Array<PyObject*> objects;
  const bool complete = snapshot(objects, [targets](PyObject* op) {
    return op != targets && !is_frozen(op) && Py_TYPE(op)->tp_traverse(op, visit_is_target, targets);
  });
  return to_list(objects, complete);
}

bool keeps_ages = true;

void forget_ages() {
  if (!kBitsBesideCount || !keeps_ages) return;
  StopTheWorld stopped("gc: ages are forgotten");
  keeps_ages = false;
  each_tracked([](memory::Page*, uint32_t, PyObject* op) { clear_bits(op, kGcOld); });
}

Py_ssize_t freeze() {
  StopTheWorld stopped("gc.freeze");
  Py_ssize_t n = 0;
  each_tracked([&n](memory::Page*, uint32_t, PyObject* op) {
    set_bits(op, kGcFrozen);
    ++n;
  });
  return n;
}

void unfreeze() {
  StopTheWorld stopped("gc.unfreeze");
  each_tracked([](memory::Page*, uint32_t, PyObject* op) {
    if (is_frozen(op)) {
      clear_bits(op, kGcFrozen);
      if (keeps_ages) set_bits(op, kGcOld);
    }
  });
}

Py_ssize_t frozen_count() {
  StopTheWorld stopped("gc.get_freeze_count");
  Py_ssize_t n = 0;
  each_tracked([&n](memory::Page*, uint32_t, PyObject* op) { n += is_frozen(op); });
  return n;
}

}  // namespace amphis::gc

using namespace amphis;

extern "C" {

Py_ssize_t PyGC_Collect(void) {
  if (!gc::state().enabled.load(std::memory_order_relaxed)) return 0;
  return gc::collect(gc::kGenerations - 1, gc::Reason::kManual);
}

int PyGC_Enable(void) {
  const bool before = gc::state().enabled.exchange(true);
  if (!before) gc::schedule();
  return before;
}

int PyGC_Disable(void) { return gc::state().enabled.exchange(false); }
int PyGC_IsEnabled(void) { return gc::state().enabled.load(std::memory_order_relaxed); }

void PyUnstable_GC_VisitObjects(gcvisitobjects_t callback, void* arg) {
  gc::Array<PyObject*> objects;
  gc::snapshot(objects, [](PyObject*) { return true; });
  for (PyObject* op : objects)
    if (!callback(op, arg)) break;
  gc::release_all(objects);
}

}  // extern "C"
