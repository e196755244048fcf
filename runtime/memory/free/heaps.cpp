// Free-threaded build: one heap per thread. When its thread ends a heap becomes idle, with everything that is in it,
// and the next new thread adopts it.
#include "memory/heaps.h"

#include <new>

#include "memory/system.h"
#include "platform/raw_mutex.h"

namespace amphis::memory {

namespace {

constinit Heap g_no_heap{&g_empty_page};  // of a thread that has not allocated yet

platform::RawMutex g_mutex;
Heap* g_first = nullptr;
Heap* g_idle = nullptr;

void abandon_heap() {
  Heap* h = this_heap();
  set_this_heap(&g_no_heap);
  if (h == &g_no_heap) return;
  // The thread is detached by now, and a collector that believes the world stopped may be at work on the heap: what others
  // freed stays where it is, and gc_live what it was when last published.
  platform::RawLock lock(g_mutex);
  h->idle_next = g_idle;
  g_idle = h;
}

struct HeapOfThread {
  bool armed = false;
  ~HeapOfThread() { abandon_heap(); }
};
thread_local HeapOfThread t_heap_of_thread;

AMPHIS_COLD Heap* adopt_heap() {
  t_heap_of_thread.armed = true;  // the first touch registers the destructor
  Heap* h;
  {
    platform::RawLock lock(g_mutex);
    h = g_idle;
    if (h) g_idle = h->idle_next;
  }
  if (!h) {
    void* memory = system_aligned(sizeof(Heap), alignof(Heap));
    if (!memory) return nullptr;
    h = new (memory) Heap(&g_empty_page);
    platform::RawLock lock(g_mutex);
    h->registry_next = g_first;
    g_first = h;
  }
  set_this_heap(h);
  return h;
}

}  // namespace

__thread Heap* t_heap = &g_no_heap;

Heap* own_heap() {
  Heap* h = this_heap();
  return h == &g_no_heap ? adopt_heap() : h;
}

Heap* first_heap() { return g_first; }
void lock_heap_list() { g_mutex.lock(); }
void unlock_heap_list() { g_mutex.unlock(); }

void heaps_after_fork() {
  g_mutex.reset();
  // The owners of all other heaps are gone.
  g_idle = nullptr;
  for (Heap* h = g_first; h; h = h->registry_next) {
    if (h == this_heap()) continue;
    h->idle_next = g_idle;
    g_idle = h;
  }
}

}  // namespace amphis::memory
