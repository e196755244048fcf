// C++'s own allocations (strings and vectors of the compiler, of paths and the like) are mimalloc's, whichever C++ library
// is linked. Sanitizers bring theirs.
#include "base/compiler.h"

#if !defined(AMPHIS_ASAN) && !defined(AMPHIS_TSAN)
#include <mimalloc-new-delete.h>
#endif
