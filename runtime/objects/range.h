// Ranges and their iterators: the layouts, for the interpreter's counting loops and for whoever reads a range
// fast.
//
// A range holds start, stop and step as int objects. Where they and the length fit in int64 it also holds
// them as such
// (`fast`), and everything but arithmetic on huge ranges uses these; else it holds the length as an int
// object.
#pragma once

#include <cstdint>

#include "Python.h"
#include "objects/container_support.h"

namespace amphis {

struct RangeObject {
  PyObject_HEAD PyObject* start;
  PyObject* stop;
  PyObject* step;
  PyObject* length;  // null in a fast range
  bool fast;
  int64_t start64;
  int64_t stop64;
  int64_t step64;
  int64_t length64;
};

// The iterator of a fast range: next value, distance, how many are left.
struct RangeIterator {
  PyObject_HEAD int64_t next;
  int64_t step;
  int64_t left;
};

// The value at an index. The product may pass int64 where the sum does not, hence unsigned.
inline int64_t range_value(int64_t start, int64_t step, int64_t index) {
  return static_cast<int64_t>(static_cast<uint64_t>(start) +
                              static_cast<uint64_t>(index) * static_cast<uint64_t>(step));
}

// False where the range does not fit in int64 (its values or its length).
inline bool range_as_int64(PyObject* op, int64_t* start, int64_t* step, int64_t* length) {
  auto* range = reinterpret_cast<RangeObject*>(op);
  *start = range->start64;
  *step = range->step64;
  *length = range->length64;
  return range->fast;
}

// An iterator over start, start + step, ... of `length` values.
PyObject* range_iterator_new(int64_t start, int64_t step, int64_t length);

// range(start, stop, step) of exact ints; borrows.
PyObject* range_new(PyObject* start, PyObject* stop, PyObject* step);

}  // namespace amphis
