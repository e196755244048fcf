// GIL build: one heap, guarded by the lock that every caller holds.
#include "memory/heaps.h"

namespace amphis::memory {

constinit Heap g_main_heap{&g_empty_page};

Heap* own_heap() { return &g_main_heap; }
Heap* first_heap() { return &g_main_heap; }
void lock_heap_list() {}
void unlock_heap_list() {}
void heaps_after_fork() {}

}  // namespace amphis::memory
