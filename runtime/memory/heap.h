// Owns the structure of object memory: chunks of 64 pages, pages of one size class, heaps.
//
// Algorithm: free-list sharding per page, after Leijen, Zorn, de Moura, "Mimalloc: Free List Sharding in Action" (2019).
// The descriptors of a chunk's pages lie together at the chunk's start, not at the start of each page: descriptors
// one page apart would all compete for the same cache set.
//
// Invariants:
//  - A block belongs to one page, found by masking its address. A page belongs to one heap until all its blocks are
//    free; only the thread that owns the heap touches the page, except for remote_free and remote_next.
//  - used == blocks that are neither on `free` nor beyond `extent` (blocks on remote_free still count as used).
//  - A page is exactly one of: current (of its kind and class), available (on its queue), full (on no queue).
//  - A block of kind kGc below `extent` whose header says "tracked" is a live tracked object; no free block says so.
//  - Under observation no page is current, and notify_at is used - 1 everywhere: each allocation and each free goes the slow way.
//  - Free-threaded: a page of objects changes its kind or size class only after a grace period (set_deferral), so whoever still
//    holds an address from before may read the header there: it is an object of the page's kind, or dead.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/size_classes.h"
#include "memory/variant.h"

namespace amphis::memory {

// Objects that the collector never looks at, objects that it may track, and small blocks of PyMem_Malloc.
enum Kind : uint8_t { kPlain = 0, kGc = 1, kRaw = 2 };
inline constexpr unsigned kKinds = 3;

inline constexpr size_t kChunkSize = size_t(4) << 20;
inline constexpr unsigned kPagesPerChunk = kChunkSize / kPageSize;

struct Block {
  uintptr_t link;  // the next free block, and kFreeTag

  Block* next() const { return reinterpret_cast<Block*>(link & ~kFreeTag); }
  void set_next(Block* block) {
    __atomic_store_n(&link, reinterpret_cast<uintptr_t>(block) | kFreeTag, __ATOMIC_RELAXED);
  }
};

enum class PageState : uint8_t { kUnused, kCurrent, kAvailable, kFull, kLarge };

struct alignas(128) Page {
  // What allocation and freeing touch.
  Block* free;
  Heap* heap;          // null: a large object, owned by no heap
  uint32_t used;
  uint32_t notify_at;  // free_object takes the slow path when `used` falls to this
  uint32_t block_size;
  uint32_t capacity;
  uint32_t extent;  // blocks that were ever on the free list; those above have never been touched
  uint32_t used_when_current;
  Kind kind;
  uint8_t size_class;
  PageState state;
  uint16_t run;  // pages in the run of a large object (one chunk at most)
  // What the other threads and the slow paths touch.
  std::atomic<Block*> remote_free;
  Page* remote_next;  // on Heap::remote_pages while remote_free is not empty
  Page *next, *prev;          // the queue of available pages
  Page *all_next, *all_prev;  // every page of the heap (or large object) of this kind
  void* gc_table;             // the collector's: an array indexed by block; null in pages out of use
  size_t large_size;          // bytes usable by a large object
  uint32_t reciprocal;        // ceil(2^32 / block_size)

  std::byte* start() const {
    const auto self = reinterpret_cast<uintptr_t>(this);
    const uintptr_t chunk = self & ~(kChunkSize - 1);
    return reinterpret_cast<std::byte*>(chunk + ((self - chunk) / sizeof(Page) << kPageShift));
  }
  void* block(uint32_t index) const { return start() + size_t(index) * block_size; }
  // The index of the block that starts at p.
  uint32_t index_of(const void* p) const {
    if (state == PageState::kLarge) return 0;
    const auto offset = reinterpret_cast<uintptr_t>(p) & (kPageSize - 1);
    return uint32_t((uint64_t(offset) * reciprocal) >> 32);
  }
  size_t usable_size() const { return state == PageState::kLarge ? large_size : block_size; }
};
static_assert(sizeof(Page) == 128);

struct PageQueue {
  Page* first = nullptr;
  Page* last = nullptr;
};

// What a thread has counted for something of which all threads count.
struct Account {
  void* key;
  int64_t value;
};
inline constexpr size_t kAccounts = 1024;  // in sets of two

struct alignas(64) Heap {
  Page* current[kKinds][kClasses] = {};
  PageQueue available[kKinds][kClasses] = {};
  Page* all[kKinds] = {};
  std::atomic<Page*> remote_pages{nullptr};
  // Growth of the collected population: `gross` counts what left pages of kind kGc and ignores what came back, so an
  // exact count is due only when it passes `check_at`.
  int64_t gc_gross = 0;
  int64_t gc_check_at = 1000;
  std::atomic<int64_t> gc_live{0};  // the last exact count
  // Counters that this thread keeps for itself, so that counting dirties no shared cache line; whoever numbers them sums
  // them up with the world stopped. Grown by grow_tallies.
  int64_t* tallies = nullptr;
  size_t tally_count = 0;
  Account* accounts = nullptr;  // kAccounts of them, or null: the same for what has no number (open_accounts)
  Heap* registry_next = nullptr;
  Heap* idle_next = nullptr;

  // `empty` stands for "no current page".
  constexpr explicit Heap(Page* empty) {
    for (auto& kind : current)
      for (Page*& page : kind) page = empty;
  }
};

inline Page* page_of(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  const uintptr_t chunk = address & ~(kChunkSize - 1);
  return reinterpret_cast<Page*>(chunk + ((address & (kChunkSize - 1)) >> kPageShift) * sizeof(Page));
}

// One bit for each 4 MiB of user address space: set where a chunk begins.
inline constexpr unsigned kAddressBits = 47;
extern std::atomic<uint64_t> g_chunk_map[size_t(1) << (kAddressBits - 22 - 6)];
inline bool in_chunk(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return g_chunk_map[address >> 28].load(std::memory_order_relaxed) >> ((address >> 22) & 63) & 1;
}

// Slow paths of alloc.h.
void* alloc_slow(Kind kind, unsigned cls, size_t size);
void* alloc_large(Kind kind, size_t size);
void page_notify(Page* page);
void free_remote(Page* page, void* block);

// Chunks (chunk.cpp): runs of pages. Null when the system has no more. Thread-safe.
Page* acquire_run(unsigned pages);
void release_run(Page* first, unsigned pages);
Page* acquire_huge(size_t size);  // one object of more than a chunk; block() is the object
void release_huge(Page* page);
// Gives physical memory of unused pages back to the system when much of it lies idle.
void trim();
void chunks_after_fork();

// ---- For the collector and the lifecycle ----

// How memory that optimistic readers may still look at is handed on: `release(p)` must run once no thread can hold an
// address from before. Without a deferral it runs at once.
using Deferral = void (*)(void* p, void (*release)(void*));
void set_deferral(Deferral defer);

// Called on the allocating thread, in the middle of an allocation, when the population of kind kGc has grown past the
// limit: may set a flag, must not allocate objects.
using PressureHook = void (*)();
void set_gc_pressure(PressureHook hook);
// Growth (in blocks of kind kGc, all heaps) after which the hook is called; < 0 means never.
void set_gc_growth_limit(int64_t blocks);
// Live blocks of kind kGc now. Exact in a stopped world, else exact for this thread's heap and recent for the others.
int64_t gc_live_blocks();
// Declares that the population counts as collected now: growth starts from `gc_live_blocks()`. World stopped.
void gc_reset_growth();
int64_t gc_growth();
// `blocks` of the live ones are, or are no longer, of a kind that growth leaves out: program text makes no garbage.
void gc_exempt(int64_t blocks);

// Who is told of each block that is handed out, changes its size in place, or comes back, as long as somebody wants to know; until
// then observation costs no instruction. Called on the thread that allocates or frees, in the middle of it: may look at objects
// and frames, must neither allocate nor free blocks of these heaps.
struct Observer {
  void (*allocated)(void* block, size_t size);
  void (*resized)(void* block, size_t size);
  void (*freed)(void* block);
};
// World stopped. Null ends the observation.
void observe(const Observer* observer);
extern std::atomic<const Observer*> g_observer;
inline const Observer* observer() { return g_observer.load(std::memory_order_relaxed); }

// This thread's heap with room for at least `count` tallies; null when there is no memory.
Heap* grow_tallies(size_t count);
// Calls visit(index, value, arg) for every tally of every heap that is not zero, and zeroes it. World stopped.
void take_tallies(void (*visit)(size_t index, int64_t value, void* arg), void* arg);

// This thread's accounts, all of them zero when they are new; null when there is no memory.
Account* open_accounts();
// Calls visit(key, value, arg) for every account of every heap that has a key, and closes it. World stopped.
void take_accounts(void (*visit)(void* key, int64_t value, void* arg), void* arg);

// Every page of kind kGc, large ones and those of exited threads included. World stopped.
using PageVisitor = void (*)(Page* page, void* arg);
void for_each_gc_page(PageVisitor visit, void* arg);
// Puts what other threads freed back on the free lists. World stopped.
void drain_all_heaps();

int64_t allocated_blocks();
// In the child of a fork: only this thread survives.
void after_fork_child();

}  // namespace amphis::memory
