// Owns assertions. AMPHIS_ASSERT disappears in release builds (NDEBUG); AMPHIS_CHECK never does.
#pragma once

#include "base/compiler.h"

namespace amphis {

// Prints the failed condition and its place, then aborts. Never returns, never throws.
[[noreturn]] AMPHIS_COLD void assertion_failed(const char* condition, const char* file, int line);

// An invariant of the runtime itself is broken: says so on stderr and aborts.
[[noreturn]] AMPHIS_COLD void fatal(const char* message);

}  // namespace amphis

#define AMPHIS_CHECK(cond) \
  (AMPHIS_LIKELY(cond) ? (void)0 : ::amphis::assertion_failed(#cond, __FILE__, __LINE__))
#ifdef NDEBUG
#define AMPHIS_ASSERT(cond) ((void)sizeof(!(cond)))
#else
#define AMPHIS_ASSERT(cond) AMPHIS_CHECK(cond)
#endif
#define AMPHIS_UNREACHABLE() __builtin_unreachable()
