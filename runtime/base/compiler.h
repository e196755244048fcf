// Owns the few compiler attributes that standard C++20 does not spell.
#pragma once

#define AMPHIS_ALWAYS_INLINE inline __attribute__((always_inline))
#define AMPHIS_NOINLINE __attribute__((noinline))
#define AMPHIS_COLD __attribute__((noinline, cold))
// Thread-local variables of the library are read with one segment-relative load.
#define AMPHIS_TLS_IE __attribute__((tls_model("initial-exec")))
// A variable of the library that is declared in a header: reached without the global offset table.
#define AMPHIS_HIDDEN __attribute__((visibility("hidden")))
// For the C API that no public header declares but that the library exports.
#define AMPHIS_EXPORT __attribute__((visibility("default")))

#define AMPHIS_LIKELY(x) __builtin_expect(!!(x), 1)
#define AMPHIS_UNLIKELY(x) __builtin_expect(!!(x), 0)
// As often so as not: keeps both sides near in a large function, where the compiler would guess one of them to be rare.
#define AMPHIS_EVEN(x) __builtin_expect_with_probability(!!(x), 1, 0.5)

#if defined(__SANITIZE_THREAD__)
#define AMPHIS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define AMPHIS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define AMPHIS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AMPHIS_ASAN 1
#endif
#endif

// While it lives, ThreadSanitizer does not look at this thread's reads: for reads without a lock of memory that may be
// given to a new object meanwhile, whose result counts only if a later check finds that it was not.
#ifdef AMPHIS_TSAN
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
extern "C" void AnnotateIgnoreWritesBegin(const char* file, int line);
extern "C" void AnnotateIgnoreWritesEnd(const char* file, int line);
#endif
namespace amphis {
struct UncheckedReads {
#ifdef AMPHIS_TSAN
  UncheckedReads() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~UncheckedReads() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
  UncheckedReads() {}
#endif
  UncheckedReads(const UncheckedReads&) = delete;
  UncheckedReads& operator=(const UncheckedReads&) = delete;
};
// The same for writes: of whole words, where readers that know of no other threads may find the old one or the new one.
struct UncheckedWrites {
#ifdef AMPHIS_TSAN
  UncheckedWrites() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
  ~UncheckedWrites() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
#else
  UncheckedWrites() {}
#endif
  UncheckedWrites(const UncheckedWrites&) = delete;
  UncheckedWrites& operator=(const UncheckedWrites&) = delete;
};
}  // namespace amphis
