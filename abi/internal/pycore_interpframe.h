// For sources that reach into CPython's interpreter (greenlet's): they are told so instead of being compiled to something that
// breaks the process.
#ifndef AMPHIS_ABI_INTERNAL_PYCORE_INTERPFRAME_H
#define AMPHIS_ABI_INTERNAL_PYCORE_INTERPFRAME_H

#error "Amphis has no CPython interpreter frames: a module that reads or moves them cannot be built for it"

#endif
