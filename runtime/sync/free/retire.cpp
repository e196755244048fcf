// Retired blocks. Each thread collects them in batches; a full batch gets an epoch as its goal and waits until every
// attached thread's `quiescent` has reached it. Batches of ended threads are everybody's.
//
// Asking the others costs each of them a look at its eval breaker and a line that it shares, so it must be rare: a batch is
// large, the more threads there are the more batches wait for one question, and to be asked makes no thread ask in turn.
#include "sync/free/epoch.h"

#include "base/assert.h"
#include "memory/heap.h"
#include "platform/raw_mutex.h"
#include "sync/interpreter_state.h"
#include "sync/object_lock.h"

#include <cstdlib>
#include <new>

namespace amphis::sync {

namespace {

constexpr unsigned kBatch = 254;
constexpr size_t kBatchBytes = size_t(4) << 20;  // as soon as so much waits, it waits for no more
constexpr unsigned kThreadsPerBatch = 4;         // with four times as many threads a thread lets one batch more wait

struct Retired {
  void (*free)(void*);
  void* ptr;
};

struct Batch {
  Batch* next = nullptr;
  uint64_t goal = 0;
  unsigned count = 0;
  size_t bytes = 0;
  Retired items[kBatch];

  void free_items() {
    for (unsigned i = 0; i < count; i++) items[i].free(items[i].ptr);
    count = 0;
    bytes = 0;
  }
};

Batch* new_batch() {
  void* memory = std::malloc(sizeof(Batch));
  return memory ? new (memory) Batch : nullptr;
}

// Oldest first.
struct BatchQueue {
  Batch* head = nullptr;
  Batch* tail = nullptr;

  void append(Batch* b) {
    b->next = nullptr;
    (tail ? tail->next : head) = b;
    tail = b;
  }
  Batch* take() {
    Batch* b = head;
    head = b->next;
    if (!head) tail = nullptr;
    return b;
  }
};

struct Orphans {
  platform::RawMutex lock;
  BatchQueue queue;
  std::atomic<bool> any{false};
};
constinit Orphans orphans;

std::atomic<uint64_t> reached{0};  // every thread is known to be at or past this epoch

void free_block(void* p) { PyMem_Free(p); }

void free_batch(Batch* b) {
  b->free_items();
  std::free(b);
}

void give_to_orphans(Batch* b) {
  platform::RawLock lock(orphans.lock);
  orphans.queue.append(b);
  orphans.any.store(true, std::memory_order_relaxed);
}

void reclaim_orphans() {
  if (!orphans.any.load(std::memory_order_relaxed)) return;
  BatchQueue free_now;
  {
    platform::RawLock lock(orphans.lock);
    BatchQueue& q = orphans.queue;
    while (q.head && epoch_reached(q.head->goal)) free_now.append(q.take());
    if (!q.head) orphans.any.store(false, std::memory_order_relaxed);
  }
  while (free_now.head) free_batch(free_now.take());
}

// Threads that are not past `goal` get asked to pass a safepoint.
void ask_laggards(uint64_t goal) {
  for_each_thread([goal](ThreadState* t) {
    uint64_t q = t->quiescent.load();
    if (q != 0 && q < goal) set_eval_breaker(t, kBreakQuiesce);
  });
}

// References that no reader can miss any more, until some thread's next safepoint drops them.
struct DueRefs {
  platform::RawMutex lock;
  Batch* head = nullptr;
};
constinit DueRefs due_refs;

void drop_ref(void* op) { Py_DECREF(static_cast<PyObject*>(op)); }

void ref_is_due(void* op) {
  {
    platform::RawLock lock(due_refs.lock);
    if (!due_refs.head || due_refs.head->count == kBatch) {
      Batch* b = new_batch();
      if (!b) return;  // out of memory: the object leaks
      b->next = due_refs.head;
      due_refs.head = b;
    }
    due_refs.head->items[due_refs.head->count++] = {drop_ref, op};
  }
  if (ThreadState* ts = current_thread()) set_eval_breaker(ts, kBreakMerge);
}

void defer_page(void* p, void (*release)(void*)) { retire_with(release, p, memory::kPageSize); }

}  // namespace

std::atomic<uint64_t> current_epoch{1};

struct RetireList {
  Batch* open = nullptr;
  BatchQueue closed;
  unsigned unasked = 0;  // closed batches for which nobody has been asked
};

namespace {

// `look`: at what all threads have reached, not only at what is known of that.
void reclaim_closed(RetireList* list, bool look) {
  auto may_go = [look](uint64_t goal) { return look ? epoch_reached(goal) : goal <= reached.load(std::memory_order_acquire); };
  while (list->closed.head && may_go(list->closed.head->goal)) free_batch(list->closed.take());
}

RetireList* list_of(ThreadState* ts) {
  if (!ts->retired) {
    void* memory = std::malloc(sizeof(RetireList));
    if (memory) ts->retired = new (memory) RetireList();
  }
  return ts->retired;
}

AMPHIS_NOINLINE void close_batch(RetireList* list) {
  Batch* b = list->open;
  list->open = nullptr;
  b->goal = epoch_advance();
  list->closed.append(b);
  reclaim_closed(list, false);
  if (++list->unasked < interpreter()->thread_count.load(std::memory_order_relaxed) / kThreadsPerBatch && b->bytes < kBatchBytes)
    return;
  list->unasked = 0;
  reclaim_closed(list, true);
  if (list->closed.head) ask_laggards(list->closed.tail->goal);
  reclaim_orphans();
}

}  // namespace

uint64_t epoch_advance() { return current_epoch.fetch_add(1) + 1; }

bool epoch_reached(uint64_t goal) {
  if (goal <= reached.load(std::memory_order_acquire)) return true;
  // Read first: a thread that attaches after the scan reads an epoch at least as new.
  uint64_t oldest = current_epoch.load();
  for_each_thread([&oldest](ThreadState* t) {
    uint64_t q = t->quiescent.load();
    if (q != 0 && q < oldest) oldest = q;
  });
  uint64_t known = reached.load(std::memory_order_relaxed);
  while (known < oldest && !reached.compare_exchange_weak(known, oldest, std::memory_order_acq_rel)) {
  }
  return goal <= oldest;
}

void retire_with(void (*fn)(void*), void* ptr, size_t bytes) {
  ThreadState* ts = current_thread();
  if (!ts) [[unlikely]] {
    if (Batch* b = new_batch()) {
      b->items[b->count++] = {fn, ptr};
      b->goal = epoch_advance();
      give_to_orphans(b);
    }
    return;
  }
  if (!many_threads.load(std::memory_order_acquire)) {
    fn(ptr);
    return;
  }
  RetireList* list = list_of(ts);
  if (!list || (!list->open && !(list->open = new_batch()))) return;  // out of memory: the block leaks
  Batch* b = list->open;
  b->items[b->count++] = {fn, ptr};
  b->bytes += bytes;
  if (b->count == kBatch || b->bytes >= kBatchBytes) close_batch(list);
}

void retire_ref(PyObject* op) {
  if (many_threads.load(std::memory_order_acquire))
    retire_with(ref_is_due, op);
  else
    Py_DECREF(op);
}

void drop_due_refs() {
  Batch* b;
  {
    platform::RawLock lock(due_refs.lock);
    b = due_refs.head;
    due_refs.head = nullptr;
  }
  while (b) {
    Batch* next = b->next;
    free_batch(b);
    b = next;
  }
}

void retire(void* ptr, size_t bytes) {
  if (ptr) retire_with(free_block, ptr, bytes);
}

void reclaim_retired() {
  ThreadState* ts = current_thread();
  if (RetireList* list = ts ? ts->retired : nullptr) {
    // What has waited for its batch to fill waits no longer.
    if (list->open && list->open->count)
      close_batch(list);
    else
      reclaim_closed(list, true);
  }
  reclaim_orphans();
}

void reclaim_known() {
  ThreadState* ts = current_thread();
  if (RetireList* list = ts ? ts->retired : nullptr)
    reclaim_closed(list, list->closed.head && list->closed.head->bytes >= kBatchBytes);
}

void reclaim_all_retired() {
  // Freeing may retire again (pages do), and takes locks that must not nest in the thread list's.
  for (;;) {
    BatchQueue all;
    for_each_thread([&all](ThreadState* t) {
      RetireList* list = t->retired;
      if (!list) return;
      while (list->closed.head) all.append(list->closed.take());
      if (list->open && list->open->count) {
        all.append(list->open);
        list->open = nullptr;
      }
    });
    {
      platform::RawLock lock(orphans.lock);
      while (orphans.queue.head) all.append(orphans.queue.take());
    }
    if (!all.head) return;
    while (all.head) free_batch(all.take());
  }
}

void start_epochs() { memory::set_deferral(defer_page); }

void abandon_retired(ThreadState* ts) {
  RetireList* list = ts->retired;
  if (!list) return;
  ts->retired = nullptr;
  while (list->closed.head) give_to_orphans(list->closed.take());
  if (Batch* b = list->open) {
    if (b->count) {
      b->goal = epoch_advance();
      give_to_orphans(b);
    } else {
      std::free(b);
    }
  }
  std::free(list);
}

void reset_epochs_after_fork() {
  orphans.lock.reset();
  due_refs.lock.reset();
}

}  // namespace amphis::sync
