// The failing ends of base/assert.h.
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace amphis {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

void fatal(const char* message) {
  std::fprintf(stderr, "Fatal Python error: %s\n", message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace amphis
