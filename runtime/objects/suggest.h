// "Did you mean 'sep'?": the name that a misspelt one most resembles.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "Python.h"

namespace amphis {

// The distance between two spellings: 2 for a character more, less or other, 1 for one of other case.
// Above `limit`, any number above it.
size_t spelling_distance(const char* a, size_t n, const char* b, size_t m, size_t limit);

// The candidate nearest to `name` (a str), or null where none is near enough. Candidates are ASCII; empty
// ones are skipped.
const char* closest_name(PyObject* name, const char* const* candidates, size_t count);

}  // namespace amphis
