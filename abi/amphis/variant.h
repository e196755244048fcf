// The one place where the rest of these headers learn what they are read for: which of the two ABIs, and whether for the
// whole API, for the limited API (Py_LIMITED_API), or for the stable ABI that both variants load (Py_TARGET_ABI3T).
//
// An extension asks for the limited API by defining Py_LIMITED_API as the oldest version that it is to run on, for
// instance 0x030a0000, and for the stable ABI of both variants by defining Py_TARGET_ABI3T in the same way.
#ifndef AMPHIS_ABI_VARIANT_H
#define AMPHIS_ABI_VARIANT_H

#include "patchlevel.h"

#ifdef Py_TARGET_ABI3T
#ifndef Py_LIMITED_API
#define Py_LIMITED_API Py_TARGET_ABI3T
#endif
// One binary for both variants: it sees no object's inside, and code that asks is told that locks are needed.
#define _Py_OPAQUE_PYOBJECT
#ifndef Py_GIL_DISABLED
#define Py_GIL_DISABLED 1
#endif
#elif defined(Py_LIMITED_API) && defined(Py_GIL_DISABLED)
#error "The limited API alone gives binaries for builds with the GIL. Define Py_TARGET_ABI3T for binaries that both builds load."
#endif

// Whether what came with this version may be used. PEP 793 is here before its time: for all but limited API of the past.
#ifdef Py_LIMITED_API
#if Py_LIMITED_API + 0 < 0x03020000
#define _Py_API_VERSION 0x03020000
#else
#define _Py_API_VERSION (Py_LIMITED_API + 0)
#endif
#else
#define _Py_API_VERSION 0x030f0000
#endif
#define _Py_SINCE(major, minor) (_Py_API_VERSION >= ((major) << 24 | (minor) << 16))
#if defined(_Py_OPAQUE_PYOBJECT) || _Py_SINCE(3, 15)
#define _Py_HAVE_PEP793 1
#endif

#ifdef Py_GIL_DISABLED
#define _Py_FREE_ONLY(...) __VA_ARGS__
#define _Py_GIL_ONLY(...)
#define _Py_LOAD_SHARED(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#else
#define _Py_FREE_ONLY(...)
#define _Py_GIL_ONLY(...) __VA_ARGS__
#define _Py_LOAD_SHARED(field) (field)
#endif

// What binaries say of themselves (abi_tag.h).
#if defined(_Py_OPAQUE_PYOBJECT)
#define _Py_ABI_TAG "abi3t"
#elif defined(Py_LIMITED_API)
#define _Py_ABI_TAG "abi3"
#elif defined(Py_GIL_DISABLED)
#define _Py_ABI_TAG "314t"
#else
#define _Py_ABI_TAG "314"
#endif

#endif
