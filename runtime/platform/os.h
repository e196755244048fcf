// Owns the operating system: clock, sleeping on a word of memory, pages, native threads and their stacks. Everything
// else in the runtime that needs one of these asks here. Linux only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace amphis::platform {

// Monotonic nanoseconds.
int64_t now_ns();

enum class WaitResult { kWoken, kChanged, kTimeout, kInterrupted };

// Sleeps while *word == expected (futex). A negative timeout means for ever. kInterrupted: a signal handler ran.
WaitResult wait_on(const std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns = -1);
void wake_one(const std::atomic<uint32_t>* word);
void wake_all(const std::atomic<uint32_t>* word);

// Address space straight from the kernel, zeroed; null when there is none. `alignment` is a power of two.
void* map_pages(size_t size, size_t alignment);
void unmap_pages(void* p, size_t size);
// Whether the system would answer for `size` more bytes of memory. What map_pages and mimalloc give is address space
// only, so blocks of kAskFirst or more ask before: a program that wants more than the machine has must hear MemoryError,
// not be killed when it fills what it got.
inline constexpr size_t kAskFirst = size_t(1) << 30;
bool can_commit(size_t size);
// Gives the physical memory back but keeps the (zero-filled) address range.
void discard_pages(void* p, size_t size);
// A hint that the range will be used as a whole.
void prefer_huge_pages(void* p, size_t size);
size_t page_size();

// CPUs this process may run on; at least 1.
int cpu_count();

struct StackBounds {
  uintptr_t low;   // lowest usable address
  uintptr_t high;  // one past the highest
};
// Of the calling thread. The main thread's grows on demand down to its resource limit.
StackBounds stack_bounds();

uint64_t native_thread_id();        // gettid
unsigned long thread_handle();      // pthread_self
// Starts a thread. A stack size of zero means the runtime's default. False on failure.
bool start_thread(void (*run)(void*), void* arg, size_t stack_size, bool joinable, unsigned long* handle);
int join_thread(unsigned long handle);
int detach_thread(unsigned long handle);
void set_thread_name(const char* name);  // truncated to what the kernel takes
bool get_thread_name(char* buffer, size_t size);
void yield_thread();

// The address of the thread's control block: what _Py_ThreadId() reads, unique among living threads.
inline uintptr_t thread_pointer() {
  uintptr_t p;
#if defined(__x86_64__)
  __asm__("movq %%fs:0, %0" : "=r"(p));
#else
  p = reinterpret_cast<uintptr_t>(__builtin_thread_pointer());
#endif
  return p;
}
inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace amphis::platform
