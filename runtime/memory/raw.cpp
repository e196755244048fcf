// Owns the memory half of the C API and the allocator tables of PEP 445. PyMem_Raw* is mimalloc, which any thread may
// call. PyMem_* needs an attached thread, so its small blocks come from this thread's heap, where allocation is a few
// instructions, and the rest from mimalloc. PyObject_* is the object allocator. Whatever an address came from, each of
// the three Free functions finds out by itself. A domain whose table was replaced is served through it; otherwise calls go straight to
// the allocator, and the runtime's own inline allocations (alloc.h) never look at the tables.
#include <atomic>
#include <cstring>
#include <cwchar>

#include "Python.h"
#include "memory/alloc.h"
#include "memory/heaps.h"
#include "memory/system.h"
#include "platform/os.h"

using namespace amphis;

namespace {

bool too_large(size_t size) {
  return size >= platform::kAskFirst && (size > size_t(PY_SSIZE_T_MAX) || !platform::can_commit(size));
}
bool too_large(size_t count, size_t each) {
  return each != 0 && (count > size_t(PY_SSIZE_T_MAX) / each || too_large(count * each));
}

// The paths of the raw domain that nobody replaced or observes; debug builds keep their balance here, too.
void* plain_malloc(size_t size) {
  void* p = memory::system_malloc(size ? size : 1);
  memory::balance::allocated(p, size, false);
  return p;
}
void plain_free(void* p) {
  memory::balance::freed(p);
  memory::system_free(p);
}

// What mimalloc gives and takes, as the observer and the balance see it.
void* handed_out(void* p, size_t size) {
  memory::balance::allocated(p, size, false);
  if (const memory::Observer* o = memory::observer(); o && p) o->allocated(p, size);
  return p;
}
void taken_back(void* p) {
  if (!p) return;
  memory::balance::freed(p);
  if (const memory::Observer* o = memory::observer()) o->freed(p);
}
void* big_malloc(size_t size) { return handed_out(memory::system_malloc(size ? size : 1), size); }
void* big_calloc(size_t count, size_t each) {
  return handed_out(count == 0 || each == 0 ? memory::system_calloc(1, 1) : memory::system_calloc(count, each), count * each);
}
void big_free(void* p) {
  taken_back(p);
  memory::system_free(p);
}
void* big_realloc(void* p, size_t size) {
  if (!memory::balance::recording && !memory::observer()) return memory::system_realloc(p, size ? size : 1);
  // Told before another thread can be given the old address.
  const size_t have = p ? memory::system_usable_size(p) : 0;
  taken_back(p);
  void* moved = memory::system_realloc(p, size ? size : 1);
  if (!moved) {
    if (p) handed_out(p, have);
    return nullptr;
  }
  return handed_out(moved, size);
}

void* raw_malloc(void*, size_t size) { return big_malloc(size); }
void* raw_calloc(void*, size_t count, size_t each) { return big_calloc(count, each); }

// Above this the blocks are few and mimalloc packs them better.
constexpr size_t kMaxMem = 4096;

void* mem_malloc(void*, size_t size) {
  return size <= kMaxMem ? memory::alloc_raw(size) : big_malloc(size);
}
void* mem_calloc(void*, size_t count, size_t each) {
  const size_t size = count * each;
  if (size > kMaxMem) return big_calloc(count, each);
  void* p = memory::alloc_raw(size);
  return p ? std::memset(p, 0, size) : nullptr;
}
AMPHIS_ALWAYS_INLINE void free_any(void* p) {
  if (memory::in_chunk(p)) [[likely]] {
    if (memory::page_of(p)->kind == memory::kRaw) {
      memory::free_raw(p);
    } else {
      free_object(p);
    }
  } else {
    big_free(p);
  }
}
void mem_free(void*, void* p) { free_any(p); }
void* mem_realloc(void*, void* p, size_t size) {
  if (!p) return mem_malloc(nullptr, size);
  if (!memory::in_chunk(p)) {
    if (size > kMaxMem) return big_realloc(p, size);
    void* moved = memory::alloc_raw(size);
    if (!moved) return nullptr;
    const size_t have = memory::system_usable_size(p);
    std::memcpy(moved, p, size < have ? size : have);
    big_free(p);
    return moved;
  }
  const memory::Page* page = memory::page_of(p);
  const size_t have = page->usable_size();
  if (size <= have && size >= have / 2) {
    memory::balance::resized(p, size);
    if (const memory::Observer* o = memory::observer()) o->resized(p, size);
    return p;
  }
  if (page->kind != memory::kRaw) return realloc_object(p, size);
  void* moved = mem_malloc(nullptr, size);
  if (!moved) return nullptr;
  std::memcpy(moved, p, size < have ? size : have);
  memory::free_raw(p);
  return moved;
}

void* raw_realloc(void*, void* p, size_t size) {
  if (memory::in_chunk(p)) [[unlikely]] return mem_realloc(nullptr, p, size);
  return big_realloc(p, size);
}
void raw_free(void*, void* p) {
  if (memory::in_chunk(p)) [[unlikely]] return mem_free(nullptr, p);
  big_free(p);
}

void* object_malloc(void*, size_t size) { return alloc_object(size); }
void* object_calloc(void*, size_t count, size_t each) {
  void* p = alloc_object(count * each);
  if (p) std::memset(p, 0, count * each);
  return p;
}
void* object_realloc(void*, void* p, size_t size) {
  if (!p) return alloc_object(size);
  if (memory::in_chunk(p) && memory::page_of(p)->kind != memory::kRaw) return realloc_object(p, size);
  return mem_realloc(nullptr, p, size);
}

constexpr PyMemAllocatorEx kRawTable = {nullptr, raw_malloc, raw_calloc, raw_realloc, raw_free};
constexpr PyMemAllocatorEx kMemTable = {nullptr, mem_malloc, mem_calloc, mem_realloc, mem_free};
constexpr PyMemAllocatorEx kObjectTable = {nullptr, object_malloc, object_calloc, object_realloc, mem_free};

// Domains RAW, MEM, OBJ. Written while the program sets itself up (PEP 445 asks for that), read without a lock.
PyMemAllocatorEx g_tables[3] = {kRawTable, kMemTable, kObjectTable};
// Calls go through the table: an application has set it or, for RAW, there is an observer.
std::atomic<bool> g_replaced[3];

bool replaced(PyMemAllocatorDomain domain) { return g_replaced[domain].load(std::memory_order_relaxed); }
PyMemAllocatorEx& table(PyMemAllocatorDomain domain) { return g_tables[domain]; }

// Arenas exist for the C API only: object memory comes from chunks.
void* arena_alloc(void*, size_t size) { return memory::system_malloc(size); }
void arena_free(void*, void* p, size_t) { memory::system_free(p); }
PyObjectArenaAllocator g_arena = {nullptr, arena_alloc, arena_free};

bool same_table(const PyMemAllocatorEx& a, const PyMemAllocatorEx& b) {
  return a.ctx == b.ctx && a.malloc == b.malloc && a.calloc == b.calloc && a.realloc == b.realloc && a.free == b.free;
}

constexpr const PyMemAllocatorEx* kOwn[3] = {&kRawTable, &kMemTable, &kObjectTable};

void route(PyMemAllocatorDomain domain) {
  const bool observed = domain == PYMEM_DOMAIN_RAW && memory::observer();
  g_replaced[domain].store(observed || !same_table(table(domain), *kOwn[domain]), std::memory_order_relaxed);
}

}  // namespace

void memory::route_raw() { route(PYMEM_DOMAIN_RAW); }

extern "C" {

void* PyMem_RawMalloc(size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_RAW)) [[unlikely]] return table(PYMEM_DOMAIN_RAW).malloc(table(PYMEM_DOMAIN_RAW).ctx, size);
  return plain_malloc(size);
}
void* PyMem_RawCalloc(size_t count, size_t each) {
  if (too_large(count, each)) return nullptr;
  if (replaced(PYMEM_DOMAIN_RAW)) [[unlikely]]
    return table(PYMEM_DOMAIN_RAW).calloc(table(PYMEM_DOMAIN_RAW).ctx, count, each);
  return raw_calloc(nullptr, count, each);
}
void* PyMem_RawRealloc(void* p, size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_RAW)) [[unlikely]]
    return table(PYMEM_DOMAIN_RAW).realloc(table(PYMEM_DOMAIN_RAW).ctx, p, size);
  return raw_realloc(nullptr, p, size);
}
void PyMem_RawFree(void* p) {
  if (replaced(PYMEM_DOMAIN_RAW)) [[unlikely]] return table(PYMEM_DOMAIN_RAW).free(table(PYMEM_DOMAIN_RAW).ctx, p);
  if (memory::in_chunk(p)) [[unlikely]] return mem_free(nullptr, p);
  plain_free(p);
}

void* PyMem_Malloc(size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_MEM)) [[unlikely]] return table(PYMEM_DOMAIN_MEM).malloc(table(PYMEM_DOMAIN_MEM).ctx, size);
  return mem_malloc(nullptr, size);
}
void* PyMem_Calloc(size_t count, size_t each) {
  if (too_large(count, each)) return nullptr;
  if (replaced(PYMEM_DOMAIN_MEM)) [[unlikely]]
    return table(PYMEM_DOMAIN_MEM).calloc(table(PYMEM_DOMAIN_MEM).ctx, count, each);
  return mem_calloc(nullptr, count, each);
}
void* PyMem_Realloc(void* p, size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_MEM)) [[unlikely]]
    return table(PYMEM_DOMAIN_MEM).realloc(table(PYMEM_DOMAIN_MEM).ctx, p, size);
  return mem_realloc(nullptr, p, size);
}
void PyMem_Free(void* p) {
  if (replaced(PYMEM_DOMAIN_MEM)) [[unlikely]] return table(PYMEM_DOMAIN_MEM).free(table(PYMEM_DOMAIN_MEM).ctx, p);
  free_any(p);
}

void* PyObject_Malloc(size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_OBJ)) [[unlikely]] return table(PYMEM_DOMAIN_OBJ).malloc(table(PYMEM_DOMAIN_OBJ).ctx, size);
  return alloc_object(size);
}
void* PyObject_Calloc(size_t count, size_t each) {
  if (too_large(count, each)) return nullptr;
  if (replaced(PYMEM_DOMAIN_OBJ)) [[unlikely]]
    return table(PYMEM_DOMAIN_OBJ).calloc(table(PYMEM_DOMAIN_OBJ).ctx, count, each);
  return object_calloc(nullptr, count, each);
}
void* PyObject_Realloc(void* p, size_t size) {
  if (too_large(size)) return nullptr;
  if (replaced(PYMEM_DOMAIN_OBJ)) [[unlikely]]
    return table(PYMEM_DOMAIN_OBJ).realloc(table(PYMEM_DOMAIN_OBJ).ctx, p, size);
  return object_realloc(nullptr, p, size);
}
void PyObject_Free(void* p) {
  if (replaced(PYMEM_DOMAIN_OBJ)) [[unlikely]] return table(PYMEM_DOMAIN_OBJ).free(table(PYMEM_DOMAIN_OBJ).ctx, p);
  free_any(p);
}

void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator) {
  if (unsigned(domain) < 3) {
    *allocator = table(domain);
  } else {
    *allocator = PyMemAllocatorEx{};
  }
}

void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator) {
  if (unsigned(domain) >= 3) return;
  table(domain) = *allocator;
  route(domain);
}

// Debug hooks wrap each block in guard bytes; sanitizer builds do that job here.
void PyMem_SetupDebugHooks(void) {}

void PyObject_GetArenaAllocator(PyObjectArenaAllocator* allocator) { *allocator = g_arena; }
void PyObject_SetArenaAllocator(PyObjectArenaAllocator* allocator) { g_arena = *allocator; }

PyAPI_FUNC(const char*) _PyMem_GetCurrentAllocatorName(void);
const char* _PyMem_GetCurrentAllocatorName(void) {
  return replaced(PYMEM_DOMAIN_MEM) || replaced(PYMEM_DOMAIN_OBJ) ? nullptr : "mimalloc";
}

PyAPI_FUNC(char*) _PyMem_Strdup(const char* text);
char* _PyMem_Strdup(const char* text) {
  const size_t size = std::strlen(text) + 1;
  auto* copy = static_cast<char*>(PyMem_Malloc(size));
  return copy ? static_cast<char*>(std::memcpy(copy, text, size)) : nullptr;
}
char* _PyMem_RawStrdup(const char* text) {
  const size_t size = std::strlen(text) + 1;
  auto* copy = static_cast<char*>(PyMem_RawMalloc(size));
  return copy ? static_cast<char*>(std::memcpy(copy, text, size)) : nullptr;
}
wchar_t* _PyMem_RawWcsdup(const wchar_t* text) {
  const size_t size = (std::wcslen(text) + 1) * sizeof(wchar_t);
  auto* copy = static_cast<wchar_t*>(PyMem_RawMalloc(size));
  return copy ? static_cast<wchar_t*>(std::memcpy(copy, text, size)) : nullptr;
}

}  // extern "C"
