// The one place where the rest of these headers learn which ABI they describe: fields and declarations that only one of
// the two has, and loads of fields that other threads may be writing.
#ifndef AMPHIS_ABI_VARIANT_H
#define AMPHIS_ABI_VARIANT_H

#ifdef Py_GIL_DISABLED
#define _Py_FREE_ONLY(...) __VA_ARGS__
#define _Py_GIL_ONLY(...)
#define _Py_LOAD_SHARED(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#else
#define _Py_FREE_ONLY(...)
#define _Py_GIL_ONLY(...) __VA_ARGS__
#define _Py_LOAD_SHARED(field) (field)
#endif

#endif
