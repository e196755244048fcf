// Linux behind platform/os.h: futex, mmap, pthread.
#include "platform/os.h"

#include "base/bits.h"

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace amphis::platform {

namespace {

constexpr size_t kDefaultStack = size_t(16) << 20;
constexpr size_t kMaxMainStack = size_t(64) << 20;

long futex(const std::atomic<uint32_t>* word, int op, uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

struct StartRecord {
  void (*run)(void*);
  void* arg;
};

void* thread_main(void* p) {
  auto* record = static_cast<StartRecord*>(p);
  StartRecord copy = *record;
  delete record;
  copy.run(copy.arg);
  return nullptr;
}

}  // namespace

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

WaitResult wait_on(const std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ns) {
  timespec t;
  timespec* pt = nullptr;
  if (timeout_ns >= 0) {
    t.tv_sec = timeout_ns / 1000000000;
    t.tv_nsec = timeout_ns % 1000000000;
    pt = &t;
  }
  int saved = errno;
  WaitResult result = WaitResult::kWoken;
  if (futex(word, FUTEX_WAIT, expected, pt) != 0) {
    switch (errno) {
      case EAGAIN:
        result = WaitResult::kChanged;
        break;
      case ETIMEDOUT:
        result = WaitResult::kTimeout;
        break;
      default:
        result = WaitResult::kInterrupted;
        break;
    }
  }
  errno = saved;
  return result;
}

void wake_one(const std::atomic<uint32_t>* word) {
  int saved = errno;
  futex(word, FUTEX_WAKE, 1, nullptr);
  errno = saved;
}

void wake_all(const std::atomic<uint32_t>* word) {
  int saved = errno;
  futex(word, FUTEX_WAKE, INT_MAX, nullptr);
  errno = saved;
}

size_t page_size() {
  static const size_t size = size_t(sysconf(_SC_PAGESIZE));
  return size;
}

void* map_pages(size_t size, size_t alignment) {
  size_t page = page_size();
  size = align_up(size, page);
  if (alignment <= page) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : p;
  }
  size_t total = size + alignment;
  void* p = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  auto start = reinterpret_cast<uintptr_t>(p);
  uintptr_t aligned = align_up(start, alignment);
  if (aligned > start) munmap(p, aligned - start);
  if (uintptr_t end = start + total; end > aligned + size)
    munmap(reinterpret_cast<void*>(aligned + size), end - (aligned + size));
  return reinterpret_cast<void*>(aligned);
}

bool can_commit(size_t size) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return false;
  munmap(p, size);
  return true;
}

void unmap_pages(void* p, size_t size) { munmap(p, align_up(size, page_size())); }

void discard_pages(void* p, size_t size) { madvise(p, size, MADV_DONTNEED); }
void prefer_huge_pages(void* p, size_t size) { madvise(p, size, MADV_HUGEPAGE); }

int cpu_count() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    int n = CPU_COUNT(&set);
    if (n > 0) return n;
  }
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? int(n) : 1;
}

StackBounds stack_bounds() {
  pthread_attr_t attr;
  void* low = nullptr;
  size_t size = 0, guard = 0;
  if (pthread_getattr_np(pthread_self(), &attr) == 0) {
    pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_getguardsize(&attr, &guard);
    pthread_attr_destroy(&attr);
  }
  if (!low || !size) {  // no /proc: the usual eight megabytes around here
    auto here = reinterpret_cast<uintptr_t>(&attr);
    return {here - (size_t(7) << 20), here + (size_t(1) << 16)};
  }
  uintptr_t bottom = reinterpret_cast<uintptr_t>(low);
  uintptr_t top = bottom + size;
  if (size > kMaxMainStack && native_thread_id() == uint64_t(getpid())) bottom = top - kMaxMainStack;
  return {bottom + guard, top};
}

uint64_t native_thread_id() { return uint64_t(syscall(SYS_gettid)); }

unsigned long thread_handle() { return pthread_self(); }

bool start_thread(void (*run)(void*), void* arg, size_t stack_size, bool joinable, unsigned long* handle) {
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0) return false;
  if (stack_size == 0) {
    stack_size = kDefaultStack;
    // An address-space limit may make large stacks fail for no need.
    rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < kDefaultStack * 64)
      stack_size = size_t(2) << 20;
  }
  bool ok = pthread_attr_setstacksize(&attr, stack_size) == 0;
  if (!joinable) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  StartRecord* record = ok ? new (std::nothrow) StartRecord{run, arg} : nullptr;
  pthread_t thread;
  ok = record && pthread_create(&thread, &attr, thread_main, record) == 0;
  pthread_attr_destroy(&attr);
  if (!ok) {
    delete record;
    return false;
  }
  *handle = thread;
  return true;
}

int join_thread(unsigned long handle) { return pthread_join(handle, nullptr); }
int detach_thread(unsigned long handle) { return pthread_detach(handle); }

void set_thread_name(const char* name) {
  char buffer[16];
  std::strncpy(buffer, name, sizeof(buffer) - 1);
  buffer[sizeof(buffer) - 1] = 0;
  pthread_setname_np(pthread_self(), buffer);
}

bool get_thread_name(char* buffer, size_t size) { return pthread_getname_np(pthread_self(), buffer, size) == 0; }

void yield_thread() { sched_yield(); }

}  // namespace amphis::platform
