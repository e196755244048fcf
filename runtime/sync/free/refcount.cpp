// The slow paths of reference counting in the free-threaded build: references dropped by other threads than the owner,
// and the meeting of the two halves of a count.
//
// ob_ref_shared is count * 4 + flag. Flags only grow: 0, never seen by another thread's weak read; 1, published (readers
// may add references without holding one); 2, queued for the owner to merge; 3, merged: no owner, the shared half is
// the whole count. The count may be negative before it is merged: the local half makes up for it.
#include "sync/free/merge.h"

#include "base/assert.h"
#include "base/ptr_stack.h"
#include "memory/heap.h"
#include "platform/raw_mutex.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/object_lock.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"
#include "sync/trash.h"

#include <bit>
#include <cstdlib>
#include <new>

namespace amphis::sync {

// An object of another thread, and how often this one was seen to count for it.
struct ForeignReads {
  PyObject* op;
  uint32_t times;
};

// Its thread writes to it all the time: it shares no cache line with another one's.
struct alignas(64) RefQueue {
  ThreadState* ts;
  uintptr_t owner;
  RefQueue* next;
  PtrStack<PyObject*> objects;
  static constexpr size_t kForeign = 512;
  ForeignReads foreign[kForeign];
  uint32_t random;
  uint32_t deferrals_left;  // until `deferral_round` is over
  uint32_t deferral_round;
};

constexpr uint32_t kDeferralsPerCollection = 1024;

// Counts collections. Queues compare it when they look, since a thread that ends frees its queue while detached, so
// nobody else may touch it, in a stopped world neither.
constinit std::atomic<uint32_t> deferral_round{0};

namespace {

// While one thread state exists no other thread counts, so plain instructions do.
bool alone() { return !many_threads.load(std::memory_order_acquire); }

void add_to_shared(PyObject* op, Py_ssize_t change) {
  change *= 1 << _Py_REF_SHARED_SHIFT;
  if (alone())
    store_relaxed(op->ob_ref_shared, load_relaxed(op->ob_ref_shared) + change);
  else
    fetch_add(op->ob_ref_shared, change);
}

constexpr int kBucketBits = 6;

struct alignas(64) Bucket {
  platform::RawMutex lock;
  RefQueue* first = nullptr;

  RefQueue* find(uintptr_t owner, RefQueue* from) {
    while (from && from->owner != owner) from = from->next;
    return from;
  }
  void remove(RefQueue* q) {
    RefQueue** link = &first;
    while (*link != q) link = &(*link)->next;
    *link = q->next;
  }
};

constinit Bucket buckets[1 << kBucketBits];

Bucket& bucket_of(uintptr_t owner) {
  return buckets[((uint64_t(owner) >> 6) * 0x9E3779B97F4A7C15ull) >> (64 - kBucketBits)];
}

// With the bucket locked: the queue to use, one of an attached state if there is one.
RefQueue* choose_queue(Bucket& b, uintptr_t owner, bool* only) {
  RefQueue* q = b.find(owner, b.first);
  if (!q) return nullptr;
  RefQueue* other = b.find(owner, q->next);
  *only = other == nullptr;
  for (RefQueue* r = other; r; r = b.find(owner, r->next))
    if (thread_status(r->ts).load(std::memory_order_relaxed) == kAttached) return r;
  return q;
}

// A reference dropped by a thread that is not the owner brought the shared half below zero: the owner must look whether
// any reference is left. The dropped reference now belongs to the queue.
AMPHIS_NOINLINE void queue_for_owner(PyObject* op) {
  Py_ssize_t left = 1;
  uintptr_t owner = load_relaxed(op->ob_tid);
  if (owner == _Py_UNOWNED_TID) {
    left = merge_refcount(op, -1);  // the owner merged meanwhile
  } else {
    Bucket& b = bucket_of(owner);
    platform::RawLock lock(b.lock);
    if (load_relaxed(op->ob_tid) != owner) {
      left = merge_refcount(op, -1);
    } else {
      bool only = false;
      RefQueue* q = choose_queue(b, owner, &only);
      uint32_t detached = kDetached;
      if (!q) {
        left = merge_refcount(op, -1);  // its thread has ended
      } else if (only && thread_status(q->ts).compare_exchange_strong(detached, kLent)) {
        left = merge_refcount(op, -1);  // it cannot attach before this is done
        thread_status(q->ts).store(kDetached);
      } else if (q->objects.push(op)) {
        set_eval_breaker(q->ts, kBreakMerge);
      }
      // Without memory for the queue's entry the reference leaks, which is safe.
    }
  }
  if (left == 0) _Py_Dealloc(op);
}

// Merges what `objects` holds; objects without references go to `dead`.
void merge_all(PtrStack<PyObject*>& objects, PtrStack<PyObject*>& dead) {
  while (!objects.empty()) {
    PyObject* op = objects.pop();
    if (merge_refcount(op, -1) == 0 && !dead.push(op)) return;
  }
}

void free_queue(ThreadState* ts) {
  RefQueue* q = ts->merge_queue;
  ts->merge_queue = nullptr;
  q->~RefQueue();
  std::free(q);
}

// Set at start-up; null: nothing else becomes deferred or permanent.
bool (*ends_unseen)(PyObject*);
size_t (*size_of_value)(PyObject*);

// As many bytes of values, and none larger, may stay for ever.
constexpr Py_ssize_t kPermanentBytes = Py_ssize_t(1) << 20;
constexpr Py_ssize_t kPermanentMost = 4096;
std::atomic<Py_ssize_t> permanent_left{kPermanentBytes};

// Makes the owner give the object up, which somebody else uses all the time: its own count lies beside what they read.
AMPHIS_NOINLINE void disown(PyObject* op) {
  if (load_relaxed(op->ob_tid) == _Py_UNOWNED_TID) return;
  add_to_shared(op, 1);
  queue_for_owner(op);
}

// The collector cannot free what it does not know, so a value becomes immortal instead of deferred. An owner counts without
// looking for the mark: it is made when there is none any more.
void make_permanent(PyObject* op, Py_ssize_t bytes) {
  if (bytes > kPermanentMost) return;
  if (load_relaxed(op->ob_ref_shared) >> _Py_REF_SHARED_SHIFT < kDeferredBias / 2) {
    if (permanent_left.fetch_sub(bytes, std::memory_order_relaxed) < bytes) {
      permanent_left.fetch_add(bytes, std::memory_order_relaxed);
      return;
    }
    add_to_shared(op, kDeferredBias);  // references that nobody drops
    disown(op);
  }
  if (load_relaxed(op->ob_tid) == _Py_UNOWNED_TID) store_relaxed(op->ob_ref_local, _Py_IMMORTAL_REFCNT_LOCAL);
}

// The caller has counted for another thread's object. What it does so again and again for becomes deferred,
// or permanent.
// It looks at some of these moments only, and at random: objects that are read in turn and share a place of the table would
// drive each other out of it for ever if all were looked at.
void note_foreign_read(PyObject* op) {
  constexpr unsigned kLookBits = 4;
  constexpr uint32_t kOften = 4;
  ThreadState* ts = current_thread();
  RefQueue* q = ts != nullptr ? ts->merge_queue : nullptr;
  if (q == nullptr) return;
  q->random = q->random * 1664525u + 1013904223u;  // Knuth, Lewis
  if (q->random >> (32 - kLookBits) != 0) return;
  constexpr unsigned kPlaceBits = std::countr_zero(RefQueue::kForeign);
  ForeignReads& entry = q->foreign[(uint64_t(reinterpret_cast<uintptr_t>(op)) * 0x9E3779B97F4A7C15ull) >> (64 - kPlaceBits)];
  if (entry.op != op) {
    // Of two objects in one place the more frequent one wins.
    if (entry.times > 1)
      --entry.times;
    else
      entry = {op, 1};
  } else if (++entry.times >= kOften) {
    entry = {};
    // What many threads share is little; a stream of messages that one thread makes for another must not wait in memory.
    uint32_t round = deferral_round.load(std::memory_order_relaxed);
    if (q->deferral_round != round) {
      q->deferral_round = round;
      q->deferrals_left = kDeferralsPerCollection;
    }
    if (ends_unseen == nullptr) return;
    if (const size_t bytes = size_of_value(op)) return make_permanent(op, Py_ssize_t(bytes));
    if (q->deferrals_left != 0 && ends_unseen(op) && set_deferred(op)) {
      --q->deferrals_left;
      disown(op);
    }
  }
}

}  // namespace

Py_ssize_t merge_refcount(PyObject* op, Py_ssize_t extra) {
  uint32_t local = load_relaxed(op->ob_ref_local);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return 1;
  // First: once the shared half says "merged", whoever drops the last reference frees the object.
  store_relaxed(op->ob_ref_local, 0);
  store_relaxed(op->ob_tid, _Py_UNOWNED_TID);
  Py_ssize_t shared = load_relaxed(op->ob_ref_shared);
  Py_ssize_t count;
  do {
    count = (shared >> _Py_REF_SHARED_SHIFT) + Py_ssize_t(local) + extra;
  } while (!compare_exchange(op->ob_ref_shared, shared, _Py_REF_SHARED(count, _Py_REF_MERGED)));
  return count;
}

void register_owner(ThreadState* ts) {
  AMPHIS_ASSERT(!ts->merge_queue);
  void* memory = std::aligned_alloc(alignof(RefQueue), sizeof(RefQueue));
  AMPHIS_CHECK(memory);
  auto* q = new (memory) RefQueue{ts, ts->owner_id, nullptr, {}, {}, uint32_t(ts->owner_id >> 6), kDeferralsPerCollection,
                               deferral_round.load()};
  ts->merge_queue = q;
  Bucket& b = bucket_of(q->owner);
  platform::RawLock lock(b.lock);
  q->next = b.first;
  b.first = q;
}

void unregister_owner(ThreadState* ts) {
  RefQueue* q = ts->merge_queue;
  if (!q) return;
  PtrStack<PyObject*> dead;
  Bucket& b = bucket_of(q->owner);
  {
    platform::RawLock lock(b.lock);
    b.remove(q);
    if (RefQueue* heir = b.find(q->owner, b.first)) {
      if (!q->objects.empty()) {
        heir->objects.splice(q->objects);
        set_eval_breaker(heir->ts, kBreakMerge);
      }
    } else {
      merge_all(q->objects, dead);
    }
  }
  free_queue(ts);
  // A caller without an attached state cannot run deallocators; then these few objects leak.
  if (current_thread())
    while (!dead.empty()) _Py_Dealloc(dead.pop());
}

void merge_queued(ThreadState* ts) {
  RefQueue* q = ts->merge_queue;
  if (!q) return;
  PtrStack<PyObject*> taken, dead;
  {
    platform::RawLock lock(bucket_of(q->owner).lock);
    taken.swap(q->objects);
  }
  merge_all(taken, dead);
  while (!dead.empty()) _Py_Dealloc(dead.pop());
}

void detach_owner(ThreadState* ts) {
  RefQueue* q = ts->merge_queue;
  if (!q) return detach(ts);
  Bucket& b = bucket_of(q->owner);
  for (;;) {
    b.lock.lock();
    if (q->objects.empty()) break;
    b.lock.unlock();
    merge_queued(ts);
  }
  // While the bucket is locked nobody can find out that the owner is gone, so nobody merges in its stead before it
  // has stopped counting.
  detach(ts);
  b.remove(q);
  b.lock.unlock();
  free_queue(ts);
}

void reset_owners_after_fork() {
  for (Bucket& b : buckets) b.lock.reset();
}

namespace {

memory::Account* accounts_for(memory::Account* accounts, PyObject* op) {
  constexpr unsigned kSetBits = std::countr_zero(memory::kAccounts / 2);
  return accounts + 2 * ((uint64_t(reinterpret_cast<uintptr_t>(op)) * 0x9E3779B97F4A7C15ull) >> (64 - kSetBits));
}

// The less recent account of the two goes into the object's header.
AMPHIS_NOINLINE void open_account(PyObject* op, Py_ssize_t change) {
  memory::Account* accounts = memory::open_accounts();
  if (!accounts) return add_to_shared(op, change);
  memory::Account* set = accounts_for(accounts, op);
  if (set[1].key && set[1].value) add_to_shared(static_cast<PyObject*>(set[1].key), Py_ssize_t(set[1].value));
  set[1] = set[0];
  set[0] = {op, change};
}

void settle(void* key, int64_t value, void*) {
  auto* op = static_cast<PyObject*>(key);
  AMPHIS_ASSERT(is_deferred(op));
  const uint32_t local = load_relaxed(op->ob_ref_local);
  if (local == _Py_IMMORTAL_REFCNT_LOCAL) return;
  // Others than the owner count: it does so as they do from here on, for its local half is in their cache line.
  const Py_ssize_t shared = (load_relaxed(op->ob_ref_shared) >> _Py_REF_SHARED_SHIFT) + Py_ssize_t(local) + Py_ssize_t(value);
  store_relaxed(op->ob_tid, _Py_UNOWNED_TID);
  store_relaxed(op->ob_ref_local, 0u);
  store_relaxed(op->ob_ref_shared, _Py_REF_SHARED(shared, _Py_REF_MERGED));
}

}  // namespace

void count_deferred(PyObject* op, Py_ssize_t change) {
  if (memory::Account* accounts = memory::this_heap()->accounts) [[likely]] {
    memory::Account* set = accounts_for(accounts, op);
    if (set[0].key == op) [[likely]] {
      set[0].value += change;
      return;
    }
    if (set[1].key == op) {
      set[1].value += change;
      return;
    }
  }
  open_account(op, change);
}

void settle_deferred_counts() { memory::take_accounts(settle, nullptr); }

bool try_incref_shared(PyObject* op) {
  if (is_deferred(op)) {
    count_deferred(op, 1);
    return true;
  }
  Py_ssize_t shared = load_relaxed(op->ob_ref_shared);
  do {
    // Zero: the owner would free it without looking. Merged and none left: dead.
    if (shared == 0 || shared == _Py_REF_MERGED) return false;
  } while (!compare_exchange(op->ob_ref_shared, shared, shared + (Py_ssize_t(1) << _Py_REF_SHARED_SHIFT)));
  note_foreign_read(op);
  return true;
}

void incref_foreign(PyObject* op) {
  if (is_deferred(op)) return count_deferred(op, 1);
  if (_Py_IsImmortal(op)) return;
  add_to_shared(op, 1);
  note_foreign_read(op);
}

void publish_slow(PyObject* op) {
  Py_ssize_t shared = load_relaxed(op->ob_ref_shared);
  if (alone()) {
    store_relaxed(op->ob_ref_shared, shared | _Py_REF_MAYBE_WEAKREF);
    return;
  }
  while ((shared & _Py_REF_SHARED_FLAG_MASK) == 0 &&
         !compare_exchange(op->ob_ref_shared, shared, shared | _Py_REF_MAYBE_WEAKREF)) {
  }
}

namespace {

PyObject* take_ref(PyObject* const* slot) {
  PyObject* op = load_acquire(*const_cast<PyObject**>(slot));
  if (op) {
    Py_INCREF(op);
    publish(op);
  }
  return op;
}

}  // namespace

PyObject* get_ref_stopped(PyObject* const* slot) {
  StopTheWorld stopped("first read of an unpublished object");
  return take_ref(slot);
}

PyObject* get_ref_locked(PyObject* const* slot, const void* owner) {
  ObjectLock lock(owner);
  return take_ref(slot);
}

bool try_take_foreign(PyObject* const* slot, PyObject** result) {
  for (;;) {
    PyObject* op = load_acquire(*const_cast<PyObject**>(slot));
    if (op != nullptr) {
      const bool counted = try_incref(op);
      settle_reads();
      // It may have left the slot, been freed and come back as another object before it was counted.
      if (load_acquire(*const_cast<PyObject**>(slot)) != op) {
        if (counted) Py_DECREF(op);
        continue;
      }
      if (!counted) return false;
    }
    *result = op;
    return true;
  }
}

void own_count_overflowed(PyObject* op) {
  store_relaxed(op->ob_ref_local, _Py_IMMORTAL_REFCNT_LOCAL);
  store_relaxed(op->ob_tid, _Py_UNOWNED_TID);
}

void own_count_ended(PyObject* op) {
  if (load_relaxed(op->ob_ref_local) != 0) return own_count_overflowed(op);
  _Py_MergeZeroLocalRefcount(op);
}

void set_deferral_policy(bool (*policy)(PyObject*), size_t (*size)(PyObject*)) {
  size_of_value = size;
  ends_unseen = policy;
}

void renew_deferrals() { deferral_round.fetch_add(1, std::memory_order_relaxed); }

bool set_deferred(PyObject* op) {
  if (!PyType_IS_GC(Py_TYPE(op)) || _Py_IsImmortal(op)) return false;
  if (is_deferred(op)) return false;
  // Whoever sees the bit counts elsewhere than those who do not see it yet: by then the bias must hold the object.
  add_to_shared(op, kDeferredBias);
  if (!(fetch_or(op->ob_gc_bits, kGcBitDeferred) & kGcBitDeferred)) return true;
  add_to_shared(op, -kDeferredBias);
  return false;
}

}  // namespace amphis::sync

using namespace amphis;
using namespace amphis::sync;

extern "C" {

void amphis_incref_foreign(PyObject* op) { incref_foreign(op); }

void _Py_DecRefShared(PyObject* op) {
  if (is_deferred(op)) return count_deferred(op, -1);
  Py_ssize_t shared = load_relaxed(op->ob_ref_shared);
  Py_ssize_t next;
  bool queue;
  do {
    queue = shared == 0 || shared == _Py_REF_MAYBE_WEAKREF;
    next = queue ? Py_ssize_t(_Py_REF_QUEUED) : shared - (Py_ssize_t(1) << _Py_REF_SHARED_SHIFT);
    if (alone()) {
      store_relaxed(op->ob_ref_shared, next);
      break;
    }
  } while (!compare_exchange(op->ob_ref_shared, shared, next));
  if (queue)
    queue_for_owner(op);
  else if (next == _Py_REF_MERGED)
    _Py_Dealloc(op);
}

void _Py_DecRefSharedDebug(PyObject* op, const char*, int) { _Py_DecRefShared(op); }

void _Py_MergeZeroLocalRefcount(PyObject* op) {
  Py_ssize_t shared = load_acquire(op->ob_ref_shared);
  // No other thread holds or may take a reference.
  if (shared == 0) [[likely]] return dealloc(op);
  store_relaxed(op->ob_tid, _Py_UNOWNED_TID);
  if (alone() && (shared >> _Py_REF_SHARED_SHIFT) == 0) {
    // A weak reference may still find it while it dies: merged and without references it is dead to try_incref.
    store_relaxed(op->ob_ref_shared, Py_ssize_t(_Py_REF_MERGED));
    return _Py_Dealloc(op);
  }
  Py_ssize_t next;
  do {
    next = (shared & ~Py_ssize_t(_Py_REF_SHARED_FLAG_MASK)) | _Py_REF_MERGED;
  } while (!compare_exchange(op->ob_ref_shared, shared, next));
  if (next == _Py_REF_MERGED) _Py_Dealloc(op);
}

AMPHIS_EXPORT uintptr_t _Py_GetThreadLocal_Addr(void) { return _Py_ThreadId(); }

}
