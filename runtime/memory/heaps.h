// Between heap.cpp and the variant's own part (gil/heaps.cpp, free/heaps.cpp): which heaps there are, and whose.
#pragma once

#include "memory/heap.h"

namespace amphis::memory {

extern Page g_empty_page;  // stands for "no current page": its free list is empty for ever

// The heap of this thread, made or adopted if need be; null when there is no memory for one.
Heap* own_heap();
// All heaps, linked by registry_next. They are never freed; the list changes under HeapListLock.
Heap* first_heap();
void lock_heap_list();
void unlock_heap_list();
void heaps_after_fork();

struct HeapListLock {
  HeapListLock() { lock_heap_list(); }
  ~HeapListLock() { unlock_heap_list(); }
  HeapListLock(const HeapListLock&) = delete;
  HeapListLock& operator=(const HeapListLock&) = delete;
};

// The observer has changed: whether PyMem_Raw* must look for it (raw.cpp).
void route_raw();

int64_t count_live(const Heap* h);
void drain(Heap* h);

}  // namespace amphis::memory
