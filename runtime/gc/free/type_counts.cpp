// Owns the numbers (unique_id) of types whose instances are counted per thread. A type gets one with its first
// instance, and loses it when the collector finds the type unreachable; 0: none yet, -1: never again.
#include "base/compiler.h"
#include "gc/gc_bits.h"
#include "platform/raw_mutex.h"

namespace amphis::gc {

namespace {

constexpr Py_ssize_t kNeverAgain = -1;

struct Numbers {
  platform::RawMutex mutex;
  PyTypeObject** types = nullptr;  // by number - 1; a free place holds the next free number, shifted and tagged
  size_t size = 0, used = 0;
  size_t first_free = 0;  // a number, or 0
} g;

PyTypeObject* as_link(size_t number) { return reinterpret_cast<PyTypeObject*>(number << 1 | 1); }
size_t from_link(PyTypeObject* link) { return reinterpret_cast<size_t>(link) >> 1; }

Py_ssize_t& unique_id(PyTypeObject* type) { return reinterpret_cast<PyHeapTypeObject*>(type)->unique_id; }

// The type's number, given out now if it has none; 0 when there is no memory.
size_t number_of(PyTypeObject* type) {
  platform::RawLock lock(g.mutex);
  if (Py_ssize_t known = sync::load_relaxed(unique_id(type))) return known > 0 ? size_t(known) : 0;
  size_t number = g.first_free;
  if (number) {
    g.first_free = from_link(g.types[number - 1]);
  } else {
    if (g.used == g.size) {
      const size_t size = g.size ? 2 * g.size : 256;
      auto* grown = static_cast<PyTypeObject**>(PyMem_RawRealloc(g.types, size * sizeof(PyTypeObject*)));
      if (!grown) return 0;
      g.types = grown;
      g.size = size;
    }
    number = ++g.used;
  }
  g.types[number - 1] = type;
  sync::store_release(unique_id(type), Py_ssize_t(number));
  return number;
}

void add_to_type(size_t index, int64_t value, void*) {
  auto* type = reinterpret_cast<PyObject*>(g.types[index]);
  sync::store_relaxed(type->ob_ref_shared,
                      sync::load_relaxed(type->ob_ref_shared) + Py_ssize_t(value) * (1 << _Py_REF_SHARED_SHIFT));
}

}  // namespace

void count_type_slow(PyTypeObject* type, int64_t change) {
  auto* op = reinterpret_cast<PyObject*>(type);
  const Py_ssize_t known = sync::load_relaxed(unique_id(type));
  if (sync::is_deferred(op) && known != kNeverAgain) {
    if (const size_t number = number_of(type)) {
      if (memory::Heap* h = memory::grow_tallies(number)) {
        h->tallies[number - 1] += change;
        return;
      }
    }
  }
  if (change > 0) {
    Py_INCREF(op);
  } else {
    Py_DECREF(op);
  }
}

void settle_type_counts() { memory::take_tallies(add_to_type, nullptr); }

void end_type_counting(PyTypeObject* type) {
  const Py_ssize_t number = unique_id(type);
  if (number > 0) {
    g.types[number - 1] = as_link(g.first_free);
    g.first_free = size_t(number);
  }
  unique_id(type) = kNeverAgain;
}

}  // namespace amphis::gc
