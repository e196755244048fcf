// Owns the collector's state and its face to the rest of the runtime: when it runs, what it reports.
// Algorithm of a collection: collector.h.
#pragma once

#include <atomic>

#include "Python.h"

namespace amphis::gc {

enum DebugFlag { kStats = 1, kCollectable = 2, kUncollectable = 4, kSaveAll = 32 };

inline constexpr int kGenerations = 3;  // as the gc module shows them; every collection looks at all objects

struct GenerationStats {
  std::atomic<Py_ssize_t> collections{0};
  std::atomic<Py_ssize_t> collected{0};
  std::atomic<Py_ssize_t> uncollectable{0};
};

struct State {
  std::atomic<bool> enabled{true};
  std::atomic<bool> collecting{false};
  std::atomic<int> debug{0};
  std::atomic<int> threshold[kGenerations] = {2000, 10, 10};
  // Lists made at start-up, never replaced: gc.garbage and gc.callbacks.
  PyObject* garbage = nullptr;
  PyObject* callbacks = nullptr;
  GenerationStats stats[kGenerations];
  std::atomic<bool> productive{true};  // the last automatic collection found a fair amount of garbage
};
State& state();

// Makes the lists and connects the allocator's pressure to the eval breaker. 0, or -1 with an exception.
int init();
// After this nothing is collected any more and the lists are gone.
void fini();
// The warning about gc.garbage at exit.
void dump_shutdown_stats();

enum class Reason { kAutomatic, kManual, kShutdown };
// Runs a collection and gc.callbacks around it; the number of unreachable objects found. 0 if one is running already.
// Keeps the current exception.
Py_ssize_t collect(int generation, Reason reason);

// Recomputes the growth at which the next automatic collection is due.
void schedule();

// In a stopped world or under the GIL: strong references to objects of the population.
enum class Age { kAll, kYoung, kOld };
PyObject* list_objects(Age age);                 // new list; null with an exception
PyObject* list_referrers(PyObject* targets);     // of the items of a tuple
// Whether the objects that have survived a collection are marked, which tells the young from the old. In the variant with the GIL
// no longer once a library is to be loaded that may take whole words for reference counts (gc/gc_bits.h): then all are young.
extern bool keeps_ages;
void forget_ages();
Py_ssize_t freeze();                             // the number of objects frozen now
void unfreeze();
Py_ssize_t frozen_count();

}  // namespace amphis::gc
