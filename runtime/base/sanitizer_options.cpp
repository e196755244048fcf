// Defaults of the sanitizers. Objects of the start live until the process ends, so that leaks are not looked for;
// undefined behaviour ends the program with a stack.
#include "compiler.h"

#ifdef AMPHIS_ASAN
extern "C" AMPHIS_EXPORT const char* __asan_default_options() { return "detect_leaks=0:allocator_may_return_null=1"; }
extern "C" AMPHIS_EXPORT const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }
#endif
