// Owns the phases of a collection that run with the world stopped: census, marking, subtraction. The phases that run
// Python code are in dispose.cpp.
#include "gc/collector.h"

#include "gc/gc.h"
#include "gc/roots.h"
#include "memory/system.h"
#include "sync/stop_the_world.h"

namespace amphis::gc {

RootVisitor visit_interpreter_stacks = nullptr;

namespace {

constexpr unsigned kMaxRootVisitors = 16;
RootVisitor g_root_visitors[kMaxRootVisitors];  // written at start-up, before threads
unsigned g_root_visitor_count = 0;

// A tuple none of whose items can be part of a cycle needs no watching. True if it was one.
bool untrack_atomic_tuple(PyObject* op) {
  if (sync::is_deferred(op)) return false;  // nobody else would free it
  const Py_ssize_t n = PyTuple_GET_SIZE(op);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(op, i);
    if (!item) return false;  // being filled
    if (!memory::in_chunk(item) || memory::page_of(item)->kind == memory::kPlain) continue;
    if (!PyTuple_CheckExact(item) || is_tracked(item)) return false;
  }
  untrack(op);
  clear_bits(op, kGcOld);
  return true;
}

}  // namespace

void add_root_visitor(RootVisitor visitor) {
  if (g_root_visitor_count < kMaxRootVisitors) g_root_visitors[g_root_visitor_count++] = visitor;
}

Collector::~Collector() { memory::system_free(storage_); }

// ---- 1. Census ----

bool Collector::census() {
  size_t entries = 0;
  auto count = [](memory::Page* page, void* arg) { *static_cast<size_t*>(arg) += page->capacity; };
  memory::for_each_gc_page(count, &entries);
  storage_ = static_cast<Count*>(memory::system_malloc((entries + 1) * sizeof(Count)));
  if (!storage_) return false;
  struct Cursor {
    Collector* self;
    Count* next;
  } cursor{this, storage_};
  memory::for_each_gc_page(
      [](memory::Page* page, void* arg) {
        auto& cursor = *static_cast<Cursor*>(arg);
        Collector* self = cursor.self;
        Count* table = cursor.next;
        cursor.next += page->capacity;
        page->gc_table = table;
        std::byte* p = page->start();
        const size_t step = page->block_size;
        for (uint32_t i = 0; i < page->extent; ++i, p += step) {
          auto* op = reinterpret_cast<PyObject*>(p);
          const uint8_t b = bits(op);
          table[i] = kAlive;
          if (!is_tracked(op) || (b & kGcFrozen)) continue;
          const Py_ssize_t references = reference_count(op);
          // Tracked and without a reference: its deallocation is under way on some thread.
          if (references <= 0 && !(b & kGcDeferred)) continue;
          if (PyTuple_CheckExact(op) && untrack_atomic_tuple(op)) continue;
          ++self->population_;
          if (!(b & kGcOld)) {
            ++self->young_;
            if (keeps_ages) set_bits(op, kGcOld);
          }
          table[i] = references < 0 ? 0 : references >= kMaxCount ? kMaxCount : Count(references);
        }
        for (uint32_t i = page->extent; i < page->capacity; ++i) table[i] = kAlive;
      },
      &cursor);
  return true;
}

// ---- 2. and 4. Marking ----

void Collector::mark(PyObject* op) {
  Count* count = entry(op);
  if (!count || *count == kAlive) return;
  *count = kAlive;
  if (!marks_.push(op)) out_of_memory_ = true;
}

int Collector::visit_mark(PyObject* op, void* arg) {
  if (op) static_cast<Collector*>(arg)->mark(op);
  return 0;
}

// Between the stack and the visit an object waits in a short queue while its memory is being fetched.
void Collector::drain_marks() {
  constexpr unsigned kAhead = 8;
  PyObject* queue[kAhead] = {};
  unsigned at = 0, idle = 0;
  while (idle < kAhead) {
    PyObject* next = marks_.empty() ? nullptr : marks_.pop();
    if (next) __builtin_prefetch(next);
    PyObject* op = queue[at];
    queue[at] = next;
    at = (at + 1) % kAhead;
    idle = next ? 0 : idle + 1;
    if (op) Py_TYPE(op)->tp_traverse(op, visit_mark, this);
    if (!marks_.empty()) idle = 0;
  }
}

void Collector::mark_roots() {
  for (unsigned i = 0; i < g_root_visitor_count; ++i) g_root_visitors[i](visit_mark, this);
  if (visit_interpreter_stacks) visit_interpreter_stacks(visit_register, this);
  drain_marks();
}

void Collector::mark_referenced() {
  each_in_question([this](PyObject* op, Count& count) {
    if (count == 0) return;
    count = kAlive;
    if (!marks_.push(op)) out_of_memory_ = true;
    drain_marks();
  });
}

// ---- 3. Subtraction ----

int Collector::visit_subtract(PyObject* op, void*) {
  if (Count* count = op ? entry(op) : nullptr) {
    if (*count > 0 && *count != kMaxCount) --*count;
  }
  return 0;
}

// The same where objects newer than the census live among the old ones: only garbage counts.
int Collector::visit_subtract_garbage(PyObject* op, void*) {
  if (Count* count = op ? entry(op) : nullptr) {
    if (*count > 0 && (bits(op) & kGcUnreachable)) --*count;
  }
  return 0;
}

void Collector::subtract() {
  each_in_question([this](PyObject* op, Count&) { Py_TYPE(op)->tp_traverse(op, visit_subtract, this); });
}

// Whether an address that may be stale is that of an object which is not known to be alive yet.
static bool is_candidate(PyObject* op) {
  Count* count = entry(op);
  if (!count || *count == kAlive) return false;
  const memory::Page* page = memory::page_of(op);
  return page->block(page->index_of(op)) == op;
}

int Collector::visit_register(PyObject* op, void* arg) {
  if (op && is_candidate(op)) static_cast<Collector*>(arg)->mark(op);
  return 0;
}

int visit_uncounted(PyObject* op, visitproc visit, void* arg) {
  if (visit != Collector::visit_mark && visit != Collector::visit_register) return 0;
  if (op && is_candidate(op) && (sync::is_deferred(op) || (bits(op) & kGcWasDeferred))) static_cast<Collector*>(arg)->mark(op);
  return 0;
}

bool Collector::find_garbage() {
  StopTheWorld stopped("collection");
  memory::drain_all_heaps();
  settle_type_counts();
  sync::settle_deferred_counts();
  sync::renew_deferrals();
  if (!census()) return false;
  mark_roots();
  subtract();
  mark_referenced();
  if (!out_of_memory_) {
    each_in_question([this](PyObject* op, Count& count) {
      if (count == 0 && !garbage_.push(op)) out_of_memory_ = true;
    });
  }
  if (out_of_memory_) {
    garbage_.shrink(0);
    return false;
  }
  for (PyObject* op : garbage_) {
    hold(op);
    set_bits(op, kGcUnreachable);
  }
  separate_legacy_finalizers();
  detach_weakrefs();
  memory::gc_reset_growth();
  return true;
}

// tp_del may run arbitrary code and cannot be called twice: such objects, and all they reach, are left alone.
void Collector::separate_legacy_finalizers() {
  bool any = false;
  for (PyObject* op : garbage_) {
    if (!Py_TYPE(op)->tp_del) continue;
    any = true;
    if (legacy_.push(op)) mark(op);
  }
  if (!any) return;
  drain_marks();
  size_t kept = 0;
  for (PyObject* op : garbage_) {
    if (*entry(op) != kAlive) {
      garbage_[kept++] = op;
      continue;
    }
    clear_bits(op, kGcUnreachable);
    restore(op);
    if (!Py_TYPE(op)->tp_del) Py_DECREF(op);  // not the last reference: what reaches it holds one
  }
  garbage_.shrink(kept);
}

// What the finalizers left reachable goes back to the living, with all it reaches.
void Collector::drop_resurrected() {
  Array<PyObject*> alive;
  {
    StopTheWorld stopped("collection: finalized objects");
    sync::settle_deferred_counts();
    for (PyObject* op : garbage_) {
      const Py_ssize_t others = reference_count(op) - 1;  // less our own
      *entry(op) = others >= kMaxCount ? kMaxCount : Count(others);
    }
    for (PyObject* op : garbage_) Py_TYPE(op)->tp_traverse(op, visit_subtract_garbage, this);
    for (PyObject* op : garbage_)
      if (*entry(op) > 0) mark(op);
    drain_marks();
    size_t kept = 0;
    for (PyObject* op : garbage_) {
      if (*entry(op) != kAlive && !out_of_memory_) {
        garbage_[kept++] = op;
        continue;
      }
      clear_bits(op, kGcUnreachable);
      restore(op);
      if (!alive.push(op)) continue;  // leaks one reference rather than the object's integrity
    }
    garbage_.shrink(kept);
  }
  for (PyObject* op : alive) Py_DECREF(op);
}

}  // namespace amphis::gc
