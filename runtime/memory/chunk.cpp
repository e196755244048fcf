// Owns chunks: 4 MiB of address space, aligned to their size, cut into 64 pages. The first page holds the descriptors
// of all 64 (and, in the slot of the descriptor it does not need itself, the chunk's own head), so 63 can be given out.
// Invariant: a bit of free_mask is set exactly if the page is in no run; a chunk is listed exactly if free_mask != 0.
// Objects of more than a chunk get a mapping of their own with the same head, and start at its second page.
#include <cstring>

#include "base/bits.h"
#include "memory/heap.h"
#include "platform/os.h"
#include "platform/raw_mutex.h"

namespace amphis::memory {

constinit std::atomic<uint64_t> g_chunk_map[size_t(1) << (kAddressBits - 22 - 6)]{};
static_assert(kChunkSize == size_t(1) << 22);

namespace {

struct alignas(128) ChunkHead {
  uint64_t free_mask;
  uint64_t dirty_mask;  // free pages that still hold physical memory
  ChunkHead *next, *prev;
  size_t mapped_size;

  Page* pages() { return reinterpret_cast<Page*>(this); }
};
static_assert(sizeof(ChunkHead) == sizeof(Page));

constexpr uint64_t kAllFree = ~uint64_t(1);
constexpr unsigned kSpareChunks = 16;  // kept mapped: a program that frees much soon needs it again
constexpr size_t kHugeSlots = 2;
constexpr size_t kHugeKept = size_t(64) << 20;  // no larger mapping is kept for reuse
constexpr size_t kTrimAbove = 1024;             // dirty free pages: 64 MiB
constexpr unsigned kSmallHeapChunks = 4;        // below this many chunks a program pays for the pages it touches only

struct Chunks {
  platform::RawMutex mutex;
  ChunkHead* first = nullptr;
  unsigned entirely_free = 0;
  unsigned mapped = 0;
  size_t dirty = 0;
  ChunkHead* huge[kHugeSlots] = {};
} g_chunks;

ChunkHead* head_of(Page* page) {
  return reinterpret_cast<ChunkHead*>(reinterpret_cast<uintptr_t>(page) & ~(kChunkSize - 1));
}
unsigned page_index(Page* page) { return unsigned(page - head_of(page)->pages()); }

void list(ChunkHead* c) {
  c->prev = nullptr;
  c->next = g_chunks.first;
  if (c->next) c->next->prev = c;
  g_chunks.first = c;
}

void unlist(ChunkHead* c) {
  (c->prev ? c->prev->next : g_chunks.first) = c->next;
  if (c->next) c->next->prev = c->prev;
}

// The lowest bit at which `pages` set bits of mask begin, or 64.
unsigned find_run(uint64_t mask, unsigned pages) {
  unsigned have = 1;
  while (have < pages && mask) {
    const unsigned step = have <= pages - have ? have : pages - have;
    mask &= mask >> step;
    have += step;
  }
  return mask ? unsigned(std::countr_zero(mask)) : 64;
}

uint64_t run_mask(unsigned first, unsigned pages) {
  return (pages == 64 ? ~uint64_t(0) : (uint64_t(1) << pages) - 1) << first;
}

void mark_chunk(ChunkHead* c, bool present) {
  const auto address = reinterpret_cast<uintptr_t>(c);
  const uint64_t bit = uint64_t(1) << ((address >> 22) & 63);
  std::atomic<uint64_t>& word = g_chunk_map[address >> 28];
  if (present) {
    word.fetch_or(bit, std::memory_order_relaxed);
  } else {
    word.fetch_and(~bit, std::memory_order_relaxed);
  }
}

ChunkHead* map_chunk(size_t size) {
  if (size >= platform::kAskFirst && !platform::can_commit(size)) return nullptr;
  auto* c = static_cast<ChunkHead*>(platform::map_pages(size, kChunkSize));
  if (!c) return nullptr;
  c->mapped_size = size;
  mark_chunk(c, true);
  return c;
}

void unmap_chunk(ChunkHead* c) {
  mark_chunk(c, false);
  platform::unmap_pages(c, c->mapped_size);
}

}  // namespace

Page* acquire_run(unsigned pages) {
  platform::RawLock lock(g_chunks.mutex);
  ChunkHead* c = g_chunks.first;
  unsigned at = 64;
  for (; c; c = c->next) {
    at = find_run(c->free_mask, pages);
    if (at != 64) break;
  }
  if (!c) {
    c = map_chunk(kChunkSize);
    if (!c) return nullptr;
    if (++g_chunks.mapped > kSmallHeapChunks) platform::prefer_huge_pages(c, kChunkSize);
    c->free_mask = kAllFree;
    ++g_chunks.entirely_free;
    list(c);
    at = 1;
  }
  if (c->free_mask == kAllFree) --g_chunks.entirely_free;
  const uint64_t bits = run_mask(at, pages);
  g_chunks.dirty -= size_t(std::popcount(c->dirty_mask & bits));
  c->free_mask &= ~bits;
  c->dirty_mask &= ~bits;
  if (!c->free_mask) unlist(c);
  return c->pages() + at;
}

void release_run(Page* first, unsigned pages) {
  platform::RawLock lock(g_chunks.mutex);
  ChunkHead* c = head_of(first);
  const uint64_t bits = run_mask(page_index(first), pages);
  if (!c->free_mask) list(c);
  c->free_mask |= bits;
  c->dirty_mask |= bits;
  g_chunks.dirty += pages;
  if (c->free_mask != kAllFree) return;
  if (g_chunks.entirely_free < kSpareChunks) {
    ++g_chunks.entirely_free;
    return;
  }
  g_chunks.dirty -= size_t(std::popcount(c->dirty_mask));
  unlist(c);
  --g_chunks.mapped;
  unmap_chunk(c);
}

Page* acquire_huge(size_t size) {
  const size_t mapped = align_up(size + kPageSize, kPageSize);
  {
    platform::RawLock lock(g_chunks.mutex);
    for (ChunkHead*& kept : g_chunks.huge) {
      if (kept && kept->mapped_size >= mapped && kept->mapped_size / 2 <= mapped) {
        Page* page = kept->pages() + 1;
        page->large_size = kept->mapped_size - kPageSize;
        kept = nullptr;
        return page;
      }
    }
  }
  if (mapped < size) return nullptr;
  ChunkHead* c = map_chunk(mapped);
  if (!c) return nullptr;
  Page* page = c->pages() + 1;
  page->large_size = mapped - kPageSize;
  return page;
}

void release_huge(Page* page) {
  ChunkHead* c = head_of(page);
  if (c->mapped_size <= kHugeKept) {
    platform::RawLock lock(g_chunks.mutex);
    ChunkHead* evicted = g_chunks.huge[kHugeSlots - 1];
    for (size_t i = kHugeSlots - 1; i > 0; --i) g_chunks.huge[i] = g_chunks.huge[i - 1];
    g_chunks.huge[0] = c;
    c = evicted;
  }
  if (c) unmap_chunk(c);
}

void trim() {
  platform::RawLock lock(g_chunks.mutex);
  for (ChunkHead*& kept : g_chunks.huge) {
    if (kept) unmap_chunk(kept);
    kept = nullptr;
  }
  if (g_chunks.dirty <= kTrimAbove) return;
  for (ChunkHead* c = g_chunks.first; c; c = c->next) {
    while (c->dirty_mask) {
      const unsigned at = unsigned(std::countr_zero(c->dirty_mask));
      const unsigned pages = unsigned(std::countr_one(c->dirty_mask >> at));
      platform::discard_pages(reinterpret_cast<std::byte*>(c) + (size_t(at) << kPageShift), size_t(pages) << kPageShift);
      c->dirty_mask &= ~run_mask(at, pages);
    }
  }
  g_chunks.dirty = 0;
}

void chunks_after_fork() { g_chunks.mutex.reset(); }

}  // namespace amphis::memory
