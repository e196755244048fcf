// Owns one collection: finding cyclic garbage among all tracked objects and breaking it up.
//
// Algorithm: trial deletion over the whole population (Bacon & Rajan's synchronous variant as CPython uses it), preceded
// by marking from known roots so that most live objects are traversed once, not twice:
//   1. census      a table per page: each tracked object's reference count
//   2. mark        what is reachable from modules, stacks and other roots is alive
//   3. subtract    each object not yet alive takes one from the count of what it refers to
//   4. mark        whoever has references left is referred to from outside: alive, with all it reaches
//   5. the rest is unreachable. World restarts; weak references' callbacks, tp_finalize (PEP 442), then 3 and 4
//      again among the unreachable to see what came back to life; tp_clear on what did not.
//
// The tables lie beside the pages, not in the objects: visiting a reference reads a 4-byte count found from the address
// alone and does not touch the object.
#pragma once

#include "Python.h"
#include "base/ptr_stack.h"
#include "gc/gc_bits.h"
#include "memory/heap.h"

namespace amphis::gc {

// An object's entry during a collection: references not yet explained, or kAlive.
using Count = int32_t;
inline constexpr Count kAlive = -1;
inline constexpr Count kMaxCount = INT32_MAX;

// The entry of any object, or null when it is not of the population (static, never tracked, newer than the census).
inline Count* entry(const PyObject* op) {
  if (!memory::in_chunk(op)) return nullptr;
  const memory::Page* page = memory::page_of(op);
  auto* table = static_cast<Count*>(page->gc_table);
  return table ? table + page->index_of(op) : nullptr;
}

// Calls f(page, index, object) for each tracked object. World stopped.
template <class F>
void each_tracked(F&& f) {
  memory::for_each_gc_page(
      [](memory::Page* page, void* arg) {
        std::byte* p = page->start();
        const size_t step = page->block_size;
        for (uint32_t i = 0; i < page->extent; ++i, p += step) {
          auto* op = reinterpret_cast<PyObject*>(p);
          if (is_tracked(op)) (*static_cast<F*>(arg))(page, i, op);
        }
      },
      &f);
}

// Calls f(object, entry) for each object of the population that is not known to be alive. World stopped, after the census:
// the tables are small and say it all, so that the headers of the living, most of them far away by now, are not read again.
template <class F>
void each_in_question(F&& f) {
  memory::for_each_gc_page(
      [](memory::Page* page, void* arg) {
        auto* table = static_cast<Count*>(page->gc_table);
        std::byte* const start = page->start();
        const size_t step = page->block_size;
        for (uint32_t i = 0, n = page->extent; i < n; ++i) {
          if (table[i] != kAlive) (*static_cast<F*>(arg))(reinterpret_cast<PyObject*>(start + i * step), table[i]);
        }
      },
      &f);
}

// A growable array without exceptions.
template <class T>
class Array {
  T* items_ = nullptr;
  size_t size_ = 0, capacity_ = 0;

 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { PyMem_RawFree(items_); }
  [[nodiscard]] bool push(T value) {
    if (size_ == capacity_) {
      const size_t capacity = capacity_ ? 2 * capacity_ : 256;
      auto* grown = static_cast<T*>(PyMem_RawRealloc(items_, capacity * sizeof(T)));
      if (!grown) return false;
      items_ = grown;
      capacity_ = capacity;
    }
    items_[size_++] = value;
    return true;
  }
  T pop() { return items_[--size_]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void shrink(size_t size) { size_ = size; }
  T& operator[](size_t i) { return items_[i]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
};

class Collector {
 public:
  Collector() = default;
  ~Collector();

  // Steps 1 to 4; the world is stopped inside. False: no memory, nothing was changed.
  bool find_garbage();
  // Step 5.
  void dispose();

  Py_ssize_t collected() const { return collected_; }
  Py_ssize_t uncollectable() const { return uncollectable_; }
  Py_ssize_t population() const { return population_; }
  Py_ssize_t young() const { return young_; }

 private:
  bool census();
  void mark_roots();
  void subtract();
  void mark_referenced();
  void drain_marks();
  void mark(PyObject* op);
  void separate_legacy_finalizers();
  void detach_weakrefs();
  void run_weakref_callbacks();
  void run_finalizers();
  void drop_resurrected();
  void break_up();
  void save_uncollectable();

  static int visit_subtract(PyObject* op, void* arg);
  static int visit_mark(PyObject* op, void* arg);
  static int visit_register(PyObject* op, void* arg);
  static int visit_subtract_garbage(PyObject* op, void* arg);
  friend int visit_uncounted(PyObject* op, visitproc visit, void* arg);

  Count* storage_ = nullptr;
  Array<PyObject*> marks_;    // alive, their references not yet visited
  Array<PyObject*> garbage_;  // unreachable; one reference each
  Array<PyObject*> legacy_;   // unreachable with tp_del: one reference each
  Array<PyObject*> notices_;  // weak references whose callbacks are due: one reference each
  Py_ssize_t population_ = 0;
  Py_ssize_t young_ = 0;
  Py_ssize_t collected_ = 0;
  Py_ssize_t uncollectable_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace amphis::gc
