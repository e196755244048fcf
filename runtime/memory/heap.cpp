// Owns the slow paths of object memory: pages that fill, empty, and wander between their queues; blocks that other
// threads freed; heaps that outlive their threads. The invariants stand in heap.h.
#include "memory/heap.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "memory/alloc.h"
#include "memory/heaps.h"
#include "memory/system.h"
#include "platform/raw_mutex.h"

namespace amphis::memory {

namespace {

constexpr uint32_t kNever = UINT32_MAX;
constexpr size_t kExtendBytes = 8192;  // how much of a page is put on its free list at a time

}  // namespace

constinit Page g_empty_page{};
constinit std::atomic<const Observer*> g_observer{nullptr};

namespace {

struct Global {
  platform::RawMutex mutex;  // the list of large objects
  Page* large[kKinds] = {};
  std::atomic<int64_t> large_count[kKinds] = {};
  Deferral defer = nullptr;
  PressureHook pressure = nullptr;
  std::atomic<int64_t> growth_limit{-1};
  std::atomic<int64_t> live_base{0};
} g;

// ---- Lists ----

void list_push(Page*& head, Page* page) {
  page->all_prev = nullptr;
  page->all_next = head;
  if (head) head->all_prev = page;
  head = page;
}

void list_remove(Page*& head, Page* page) {
  (page->all_prev ? page->all_prev->all_next : head) = page->all_next;
  if (page->all_next) page->all_next->all_prev = page->all_prev;
}

void queue_append(PageQueue& queue, Page* page) {
  page->next = nullptr;
  page->prev = queue.last;
  (queue.last ? queue.last->next : queue.first) = page;
  queue.last = page;
}

void queue_remove(PageQueue& queue, Page* page) {
  (page->prev ? page->prev->next : queue.first) = page->next;
  (page->next ? page->next->prev : queue.last) = page->prev;
}

void run_deferred(void* p, void (*release)(void*)) {
  if (kThreadHeaps && g.defer) {
    g.defer(p, release);
  } else {
    release(p);
  }
}

// ---- Pages ----

void extend(Page* page) {
  uint32_t count = uint32_t(kExtendBytes / page->block_size);
  if (count == 0) count = 1;
  if (count > page->capacity - page->extent) count = page->capacity - page->extent;
  std::byte* p = page->start() + size_t(page->extent) * page->block_size;
  auto* first = reinterpret_cast<Block*>(p);
  Block* last = nullptr;
  for (uint32_t i = 0; i < count; ++i, p += page->block_size) {
    auto* block = reinterpret_cast<Block*>(p);
    if (page->kind != kRaw) mark_unborn(block);
    if (last) last->set_next(block);
    last = block;
  }
  last->set_next(page->free);
  page->free = first;
  page->extent += count;
}

void make_current(Heap* h, Page* page) {
  page->state = PageState::kCurrent;
  page->notify_at = kNever;
  page->used_when_current = page->used;
  h->current[page->kind][page->size_class] = page;
}

Page* fresh_page(Heap* h, Kind kind, unsigned cls) {
  Page* page = acquire_run(1);
  if (!page) return nullptr;
  const auto size = uint32_t(class_block_size(cls));
  mark_used(page->start(), kPageSize);
  page->free = nullptr;
  page->heap = h;
  page->used = 0;
  page->block_size = size;
  page->capacity = uint32_t(kPageSize / size);
  page->extent = 0;
  page->kind = kind;
  page->size_class = uint8_t(cls);
  page->run = 1;
  page->remote_free.store(nullptr, std::memory_order_relaxed);
  page->gc_table = nullptr;
  page->large_size = 0;
  page->reciprocal = uint32_t(((uint64_t(1) << 32) + size - 1) / size);
  list_push(h->all[kind], page);
  extend(page);
  return page;
}

void page_reusable(void* p) { release_run(static_cast<Page*>(p), 1); }

void retire_page(Page* page) {
  Heap* h = page->heap;
  queue_remove(h->available[page->kind][page->size_class], page);
  list_remove(h->all[page->kind], page);
  page->state = PageState::kUnused;
  page->gc_table = nullptr;
  if (page->kind == kRaw) return page_reusable(page);  // nobody reads there without owning the block
  run_deferred(page, page_reusable);
}

// The next block of this page that comes back goes through page_notify.
void arm(Page* page) { page->notify_at = page->used - 1; }

// Under observation: a block of this page is free again.
void settle(Page* page) {
  PageQueue& queue = page->heap->available[page->kind][page->size_class];
  if (page->state == PageState::kFull) {
    page->state = PageState::kAvailable;
    queue_append(queue, page);
  } else if (page->used == 0 && queue.first != queue.last) {
    return retire_page(page);
  }
  arm(page);
}

void local_free(Page* page, Block* block) {
  block->set_next(page->free);
  page->free = block;
  --page->used;
  if (observer()) return settle(page);  // who gave it back has told
  if (page->used == page->notify_at) page_notify(page);
}

}  // namespace

void drain(Heap* h) {
  // Acquire pairs with the release of the exchange in free_remote: the page's remote_next is visible.
  Page* page = h->remote_pages.exchange(nullptr, std::memory_order_acquire);
  while (page) {
    Page* next = page->remote_next;
    Block* block = page->remote_free.exchange(nullptr, std::memory_order_acq_rel);
    while (block) {
      Block* following = block->next();
      local_free(page, block);
      block = following;
    }
    page = next;
  }
}

// ---- Growth of the collected population ----

int64_t count_live(const Heap* h) {
  int64_t n = 0;
  for (const Page* page = h->all[kGc]; page; page = page->all_next) n += page->used;
  return n;
}

namespace {

// Published counts of all heaps but `mine`.
int64_t published_live(const Heap* mine) {
  int64_t n = g.large_count[kGc].load(std::memory_order_relaxed);
  HeapListLock lock;
  for (Heap* h = first_heap(); h; h = h->registry_next)
    if (h != mine) n += h->gc_live.load(std::memory_order_relaxed);
  return n;
}

AMPHIS_COLD void check_growth(Heap* h) {
  const int64_t limit = g.growth_limit.load(std::memory_order_relaxed);
  h->gc_gross = 0;
  if (limit < 0) {
    h->gc_check_at = 100'000;
    return;
  }
  const int64_t left = limit - gc_growth();
  const int64_t floor = limit / 8;
  h->gc_check_at = left > floor ? left : floor;
  if (left <= 0 && g.pressure) g.pressure();
}

// ---- Large objects ----

void large_reusable(void* p) {
  auto* page = static_cast<Page*>(p);
  if (page->run) {
    release_run(page, page->run);
  } else {
    release_huge(page);
  }
}

void free_large(Page* page) {
  if (const Observer* o = observer()) o->freed(page->start());
  {
    platform::RawLock lock(g.mutex);
    list_remove(g.large[page->kind], page);
  }
  g.large_count[page->kind].fetch_sub(1, std::memory_order_relaxed);
  page->gc_table = nullptr;
  run_deferred(page, large_reusable);
}

}  // namespace

// ---- Slow paths of alloc.h ----

#ifndef NDEBUG
bool (*take_freed)(void*) = nullptr;
void release_freed(void* block) {
  mark_dead(block);
  free_block(page_of(block), block);
}
#endif

namespace {

void* alloc_observed(Heap* h, Kind kind, unsigned cls, size_t size) {
  PageQueue& queue = h->available[kind][cls];
  Page* page = queue.first;
  if (!page) {
    page = fresh_page(h, kind, cls);
    if (!page) return nullptr;
    page->state = PageState::kAvailable;
    queue_append(queue, page);
  }
  if (!page->free) extend(page);
  Block* block = page->free;
  page->free = block->next();
  ++page->used;
  if (!page->free && page->extent == page->capacity) {
    queue_remove(queue, page);
    page->state = PageState::kFull;
  }
  arm(page);
  if (kind == kGc && ++h->gc_gross >= h->gc_check_at) check_growth(h);
  mark_used(block, page->block_size);
  balance::allocated(block, size, kind != kRaw);
  if (const Observer* o = observer()) o->allocated(block, size);
  return block;
}

}  // namespace

void* alloc_slow(Kind kind, unsigned cls, size_t size) {
  Heap* h = own_heap();
  if (!h) return nullptr;
  if (kThreadHeaps && h->remote_pages.load(std::memory_order_relaxed)) drain(h);
  if (observer()) return alloc_observed(h, kind, cls, size);
  Page* page = h->current[kind][cls];
  if (!page->free) {
    if (page->extent < page->capacity) {
      extend(page);
    } else {
      if (page != &g_empty_page) {
        if (kind == kGc) {
          h->gc_gross += page->capacity - page->used_when_current;
          if (h->gc_gross >= h->gc_check_at) check_growth(h);
        }
        page->state = PageState::kFull;
        page->notify_at = page->capacity - 1;
        h->current[kind][cls] = &g_empty_page;
      }
      PageQueue& queue = h->available[kind][cls];
      page = queue.first;
      if (page) {
        queue_remove(queue, page);
      } else {
        page = fresh_page(h, kind, cls);
        if (!page) return nullptr;
      }
      make_current(h, page);
      if (!page->free) extend(page);
    }
  }
  Block* block = page->free;
  page->free = block->next();
  ++page->used;
  balance::allocated(block, size, kind != kRaw);
  return mark_used(block, page->block_size);
}

void* alloc_large(Kind kind, size_t size) {
  if (size > size_t(PTRDIFF_MAX) - kChunkSize) return nullptr;
  const size_t pages = (size + kPageSize - 1) >> kPageShift;
  Page* page;
  if (pages < kPagesPerChunk) {
    page = acquire_run(unsigned(pages));
    if (page) mark_used(page->start(), pages * kPageSize);
    if (!page) return nullptr;
    page->run = uint16_t(pages);
    page->large_size = pages << kPageShift;
  } else {
    page = acquire_huge(size);
    if (!page) return nullptr;
    page->run = 0;
  }
  page->free = nullptr;
  page->heap = nullptr;
  page->used = page->capacity = page->extent = 1;
  page->notify_at = 0;
  page->block_size = 0;
  page->reciprocal = 0;
  page->kind = kind;
  page->state = PageState::kLarge;
  page->remote_free.store(nullptr, std::memory_order_relaxed);
  page->gc_table = nullptr;
  void* block = page->start();
  std::memset(block, 0, kMinBlock);
  mark_unborn(block);
  g.large_count[kind].fetch_add(1, std::memory_order_relaxed);
  {
    platform::RawLock lock(g.mutex);
    list_push(g.large[kind], page);
  }
  balance::allocated(block, size, kind != kRaw);
  if (const Observer* o = observer()) o->allocated(block, size);
  return block;
}

void page_notify(Page* page) {
  if (page->state == PageState::kLarge) return free_large(page);
  if (const Observer* o = observer()) {
    o->freed(page->free);
    return settle(page);
  }
  PageQueue& queue = page->heap->available[page->kind][page->size_class];
  if (page->state == PageState::kFull) {
    page->state = PageState::kAvailable;
    page->notify_at = 0;
    queue_append(queue, page);
    return;
  }
  AMPHIS_ASSERT(page->state == PageState::kAvailable && page->used == 0);
  // The last page of its queue stays: the next page to fill would only fetch it back.
  if (queue.first != queue.last) retire_page(page);
}

void free_remote(Page* page, void* p) {
  if (!page->heap) return free_large(page);
  if (const Observer* o = observer()) o->freed(p);
  auto* block = static_cast<Block*>(p);
  Block* head = page->remote_free.load(std::memory_order_relaxed);
  do {
    block->set_next(head);
  } while (!page->remote_free.compare_exchange_weak(head, block, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (head) return;
  // The first block: tell the owner. The page cannot be retired meanwhile, for this block still counts as used.
  Heap* h = page->heap;
  Page* other = h->remote_pages.load(std::memory_order_relaxed);
  do {
    page->remote_next = other;
  } while (!h->remote_pages.compare_exchange_weak(other, page, std::memory_order_release, std::memory_order_relaxed));
}

// ---- For the collector and the lifecycle ----

void set_deferral(Deferral defer) { g.defer = defer; }
void set_gc_pressure(PressureHook hook) { g.pressure = hook; }

void set_gc_growth_limit(int64_t blocks) {
  g.growth_limit.store(blocks, std::memory_order_relaxed);
  if (Heap* h = own_heap()) {
    h->gc_gross = 0;
    h->gc_check_at = blocks < 0 ? 100'000 : blocks / 8;
  }
}

int64_t gc_live_blocks() {
  Heap* h = own_heap();
  if (!h) return 0;
  const int64_t mine = count_live(h);
  h->gc_live.store(mine, std::memory_order_relaxed);
  return mine + published_live(h);
}

int64_t gc_growth() { return gc_live_blocks() - g.live_base.load(std::memory_order_relaxed); }

void gc_exempt(int64_t blocks) { g.live_base.fetch_add(blocks, std::memory_order_relaxed); }

void gc_reset_growth() {
  int64_t live = g.large_count[kGc].load(std::memory_order_relaxed);
  {
    HeapListLock lock;
    for (Heap* h = first_heap(); h; h = h->registry_next) {
      const int64_t n = count_live(h);
      h->gc_live.store(n, std::memory_order_relaxed);
      live += n;
    }
  }
  g.live_base.store(live, std::memory_order_relaxed);
}

Heap* grow_tallies(size_t count) {
  Heap* h = own_heap();
  if (!h || h->tally_count >= count) return h;
  size_t size = h->tally_count ? h->tally_count : 64;
  while (size < count) size *= 2;
  auto* grown = static_cast<int64_t*>(system_realloc(h->tallies, size * sizeof(int64_t)));
  if (!grown) return nullptr;
  std::fill(grown + h->tally_count, grown + size, 0);
  h->tallies = grown;
  h->tally_count = size;
  return h;
}

void take_tallies(void (*visit)(size_t index, int64_t value, void* arg), void* arg) {
  for (Heap* h = first_heap(); h; h = h->registry_next) {
    for (size_t i = 0; i < h->tally_count; ++i) {
      if (h->tallies[i] == 0) continue;
      visit(i, h->tallies[i], arg);
      h->tallies[i] = 0;
    }
  }
}

Account* open_accounts() {
  Heap* h = own_heap();
  if (h && !h->accounts) h->accounts = static_cast<Account*>(system_calloc(kAccounts, sizeof(Account)));
  return h ? h->accounts : nullptr;
}

void take_accounts(void (*visit)(void* key, int64_t value, void* arg), void* arg) {
  for (Heap* h = first_heap(); h; h = h->registry_next) {
    if (!h->accounts) continue;
    for (size_t i = 0; i < kAccounts; ++i) {
      if (!h->accounts[i].key) continue;
      const Account account = h->accounts[i];
      h->accounts[i] = {};
      visit(account.key, account.value, arg);
    }
  }
}

void for_each_gc_page(PageVisitor visit, void* arg) {
  // Not under the mutex: the world is stopped, and the visitor may run code that allocates raw memory.
  for (Heap* h = first_heap(); h; h = h->registry_next)
    for (Page* page = h->all[kGc]; page; page = page->all_next) visit(page, arg);
  for (Page* page = g.large[kGc]; page; page = page->all_next) visit(page, arg);
}

void drain_all_heaps() {
  if constexpr (!kThreadHeaps) return;
  for (Heap* h = first_heap(); h; h = h->registry_next)
    if (h->remote_pages.load(std::memory_order_relaxed)) drain(h);
}

void observe(const Observer* observer) {
  g_observer.store(observer, std::memory_order_relaxed);
  route_raw();
  for (Heap* h = first_heap(); h; h = h->registry_next) {
    for (auto& classes : h->current) {
      for (Page*& current : classes) {
        Page* page = current;
        if (page == &g_empty_page) continue;
        current = &g_empty_page;
        if (page->kind == kGc) h->gc_gross += page->used - page->used_when_current;
        page->state = PageState::kFull;
        if (!page->free && page->extent == page->capacity) continue;
        page->state = PageState::kAvailable;
        queue_append(h->available[page->kind][page->size_class], page);
      }
    }
    for (Page* list : h->all) {
      for (Page* page = list; page; page = page->all_next) {
        if (observer) {
          arm(page);
        } else {
          page->notify_at = page->state == PageState::kFull ? page->capacity - 1 : 0;
        }
      }
    }
  }
}

int64_t allocated_blocks() {
  int64_t n = 0;
  for (unsigned kind = 0; kind < kKinds; ++kind) n += g.large_count[kind].load(std::memory_order_relaxed);
  HeapListLock lock;
  for (Heap* h = first_heap(); h; h = h->registry_next)
    for (Page* list : h->all)
      for (const Page* page = list; page; page = page->all_next) n += page->used;
  return n;
}

void after_fork_child() {
  g.mutex.reset();
  chunks_after_fork();
  heaps_after_fork();
}

}  // namespace amphis::memory

namespace amphis {

void* realloc_object(void* p, size_t size) {
  memory::Page* page = memory::page_of(p);
  const size_t have = page->usable_size();
  auto in_place = [&] {
    memory::balance::resized(p, size);
    if (const memory::Observer* o = memory::observer()) o->resized(p, size);
    return p;
  };
  if (size <= have && size >= have / 4 * 3) return in_place();
  size_t want = size;
  // A large object that grows will grow again: copying it each time would make a loop of appends quadratic.
  if (size > have && have > memory::kMaxSmall && size < size_t(PTRDIFF_MAX) - size / 8) want = size + size / 8;
  if (size <= have && have <= memory::kMaxSmall &&
      memory::size_class(size < memory::kMinBlock ? memory::kMinBlock : size) == page->size_class)
    return in_place();
  void* moved = memory::alloc(page->kind, want);
  if (!moved) return size <= have ? in_place() : nullptr;
  if (want != size) {
    memory::balance::resized(moved, size);
    if (const memory::Observer* o = memory::observer()) o->resized(moved, size);
  }
  std::memcpy(moved, p, size < have ? size : have);
  free_object(p);
  return moved;
}

}  // namespace amphis
