// Owns the vocabulary below the objects: sizes, visibility, attributes, casts and small arithmetic macros.
// Everything else in abi/ includes this file; it includes only the C library.
#ifndef AMPHIS_ABI_BASE_H
#define AMPHIS_ABI_BASE_H

#include "pyconfig.h"
#include "variant.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "patchlevel.h"

// ---- linkage ----
#ifdef __cplusplus
#define _Py_EXTERN_C extern "C"
#define Py_BEGIN_C_DECLS extern "C" {
#define Py_END_C_DECLS }
#else
#define _Py_EXTERN_C
#define Py_BEGIN_C_DECLS
#define Py_END_C_DECLS
#endif

#define Py_EXPORTED_SYMBOL __attribute__((visibility("default")))
#define Py_IMPORTED_SYMBOL __attribute__((visibility("default")))
#define Py_LOCAL_SYMBOL __attribute__((visibility("hidden")))
#define PyAPI_FUNC(type) Py_EXPORTED_SYMBOL type
#define PyAPI_DATA(type) extern Py_EXPORTED_SYMBOL type
#define PyMODINIT_FUNC _Py_EXTERN_C Py_EXPORTED_SYMBOL PyObject*
#define Py_LOCAL(type) static type
#define Py_LOCAL_INLINE(type) static inline type

// ---- attributes ----
#define Py_GCC_ATTRIBUTE(x) __attribute__(x)
#define Py_ALIGNED(n) __attribute__((aligned(n)))
#define Py_ALWAYS_INLINE __attribute__((always_inline))
#define Py_NO_INLINE __attribute__((noinline))
#define _Py_NO_RETURN __attribute__((__noreturn__))
#define _Py_HOT_FUNCTION
#define _Py_FALLTHROUGH __attribute__((fallthrough))
#define Py_UNREACHABLE() __builtin_unreachable()
#ifdef Py_BUILD_CORE
#define Py_DEPRECATED(version)  // the runtime has to define and forward what it advises others against
#else
#define Py_DEPRECATED(version) __attribute__((__deprecated__))
#endif
#define _Py_DEPRECATED_EXTERNALLY(version) Py_DEPRECATED(version)
#ifdef __cplusplus
#define Py_UNUSED(name) _unused_##name [[maybe_unused]]
#define Py_BUILD_ASSERT(condition) static_assert((condition), #condition)
#else
#define Py_UNUSED(name) _unused_##name __attribute__((unused))
#define Py_BUILD_ASSERT(condition) _Static_assert((condition), #condition)
#endif
#define Py_BUILD_ASSERT_EXPR(condition) (sizeof(char[1 - 2 * !(condition)]) - 1)
#define _Py_ALIGNED_DEF(n, type) __attribute__((aligned(n))) type
#ifdef __clang__
#define _Py_COMP_DIAG_PUSH _Pragma("clang diagnostic push")
#define _Py_COMP_DIAG_POP _Pragma("clang diagnostic pop")
#define _Py_COMP_DIAG_IGNORE_DEPR_DECLS _Pragma("clang diagnostic ignored \"-Wdeprecated-declarations\"")
#else
#define _Py_COMP_DIAG_PUSH _Pragma("GCC diagnostic push")
#define _Py_COMP_DIAG_POP _Pragma("GCC diagnostic pop")
#define _Py_COMP_DIAG_IGNORE_DEPR_DECLS _Pragma("GCC diagnostic ignored \"-Wdeprecated-declarations\"")
#endif
#define _Py__has_attribute(x) __has_attribute(x)
#define _Py__has_builtin(x) __has_builtin(x)

// ---- casts and expressions ----
#define _Py_TYPEOF(expression) __typeof__(expression)
#define _Py_CAST(type, expression) ((type)(expression))
#ifdef __cplusplus
#define _Py_STATIC_CAST(type, expression) static_cast<type>(expression)
#define _Py_NULL nullptr
#else
#define _Py_STATIC_CAST(type, expression) ((type)(expression))
#define _Py_NULL NULL
#endif
#define _Py_FUNC_CAST(type, function) _Py_CAST(type, _Py_CAST(void (*)(void), (function)))
#define _Py_RVALUE(expression) ((void)0, (expression))
#define _Py_CONTAINER_OF(pointer, type, member) ((type*)((char*)(pointer) - offsetof(type, member)))
#define _Py_XSTRINGIFY(x) #x
#define Py_STRINGIFY(x) _Py_XSTRINGIFY(x)
#define Py_FORCE_EXPANSION(x) x
#define Py_MIN(x, y) ((x) > (y) ? (y) : (x))
#define Py_MAX(x, y) ((x) > (y) ? (x) : (y))
#define Py_ABS(x) ((x) < 0 ? -(x) : (x))
#define _Py_ABS_CAST(type, x) ((x) >= 0 ? (type)(x) : (type)((type)(-((x) + 1)) + 1u))
#define Py_CHARMASK(c) ((unsigned char)((c) & 0xff))
#define Py_MEMBER_SIZE(type, member) sizeof(((type*)0)->member)
#define Py_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define Py_ARITHMETIC_RIGHT_SHIFT(type, value, count) ((value) >> (count))
#define Py_SAFE_DOWNCAST(value, wide, narrow) _Py_STATIC_CAST(narrow, (value))
#define Py_VA_COPY va_copy
#define Py_MEMCPY memcpy
#define _Py_IS_TYPE_SIGNED(type) ((type)(-1) <= 0)
#define _Py_SIZE_ROUND_DOWN(n, a) ((size_t)(n) & ~(size_t)((a) - 1))
#define _Py_SIZE_ROUND_UP(n, a) (((size_t)(n) + (size_t)((a) - 1)) & ~(size_t)((a) - 1))
#define _Py_ALIGN_DOWN(p, a) ((void*)((uintptr_t)(p) & ~(uintptr_t)((a) - 1)))
#define _Py_ALIGN_UP(p, a) ((void*)(((uintptr_t)(p) + (uintptr_t)((a) - 1)) & ~(uintptr_t)((a) - 1)))
#define _Py_IS_ALIGNED(p, a) (!((uintptr_t)(p) & (uintptr_t)((a) - 1)))

// ---- integers ----
typedef ssize_t Py_ssize_t;
typedef Py_ssize_t Py_ssize_clean_t;
typedef Py_ssize_t Py_hash_t;
typedef size_t Py_uhash_t;
typedef uintptr_t Py_uintptr_t;
typedef intptr_t Py_intptr_t;
typedef uint8_t Py_UCS1;
typedef uint16_t Py_UCS2;
typedef uint32_t Py_UCS4;
#define Py_HAS_UCS4_TYPES 1
#define PY_SSIZE_T_MAX ((Py_ssize_t)(((size_t)-1) >> 1))
#define PY_SSIZE_T_MIN (-PY_SSIZE_T_MAX - 1)
#define PY_SIZE_MAX SIZE_MAX
#define PY_DWORD_MAX 4294967295U
#define SIZEOF_PY_HASH_T SIZEOF_SIZE_T
#define SIZEOF_PY_UHASH_T SIZEOF_SIZE_T
#define Py_INVALID_SIZE ((Py_ssize_t) - 1)
#define PY_INT32_T int32_t
#define PY_UINT32_T uint32_t
#define PY_INT64_T int64_t
#define PY_UINT64_T uint64_t
#define PY_LONG_LONG long long
#define PY_LLONG_MIN LLONG_MIN
#define PY_LLONG_MAX LLONG_MAX
#define PY_ULLONG_MAX ULLONG_MAX
#define Py_LL(x) x##LL
#define Py_ULL(x) x##ULL
#define PY_BIG_ENDIAN 0
#define PY_LITTLE_ENDIAN 1
#define PYLONG_BITS_IN_DIGIT 30
#define _Py_PARSE_PID "i"
#define _Py_PARSE_INTPTR "l"
#define _Py_PARSE_UINTPTR "k"
#ifndef MAXPATHLEN
#define MAXPATHLEN PATH_MAX
#endif

// ---- floating point ----
#ifdef __cplusplus
#include <cmath>
#define Py_IS_NAN(x) __builtin_isnan(x)
#define Py_IS_INFINITY(x) __builtin_isinf(x)
#define Py_IS_FINITE(x) __builtin_isfinite(x)
#else
#define Py_IS_NAN(x) isnan(x)
#define Py_IS_INFINITY(x) isinf(x)
#define Py_IS_FINITE(x) isfinite(x)
#endif
#define Py_INFINITY ((double)INFINITY)
#define Py_HUGE_VAL HUGE_VAL
#define Py_NAN ((double)NAN)
#define Py_MATH_PI 3.14159265358979323846
#define Py_MATH_E 2.7182818284590452354
#define Py_MATH_TAU 6.2831853071795864769252867665590057683943L
#define Py_MATH_PIl 3.1415926535897932384626433832795029L
#define Py_MATH_El 2.7182818284590452353602874713526625L
#define PyFPE_START_PROTECT(text, leave)
#define PyFPE_END_PROTECT(v)

// ---- documentation strings ----
#define PyDoc_STR(text) text
#define PyDoc_VAR(name) static const char name[]
#define PyDoc_STRVAR(name, text) PyDoc_VAR(name) = PyDoc_STR(text)

// The types that several headers name before the one that defines them.
typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef struct _longobject PyLongObject;
typedef struct PyCodeObject PyCodeObject;
typedef struct _frame PyFrameObject;
typedef struct _ts PyThreadState;
typedef struct _is PyInterpreterState;
typedef struct PyModuleDef PyModuleDef;
typedef struct PyModuleDef_Slot PyModuleDef_Slot;
typedef struct PyMethodDef PyMethodDef;
typedef struct PyGetSetDef PyGetSetDef;
typedef struct PyMemberDef PyMemberDef;
struct _PyInterpreterFrame;
struct _dictkeysobject;
struct _dictvalues;

#endif
