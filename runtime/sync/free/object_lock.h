// Free-threaded build of sync/object_lock.h. A critical section is a node in a stack that hangs from
// ThreadState::critical_section. Low bits of a pointer to one: 1, suspended (its mutexes are not held); 2, it has two
// mutexes. A node whose _cs_mutex is null holds nothing: the enclosing section already covers the object.
#pragma once

#include "Python.h"

#include "sync/mutex.h"
#include "sync/thread_state.h"

namespace amphis {

namespace sync {

constexpr uintptr_t kSectionSuspended = 1;
constexpr uintptr_t kSectionTwo = 2;
constexpr uintptr_t kSectionMask = 3;

AMPHIS_NOINLINE void section_begin_slow(ThreadState* ts, PyCriticalSection* c, PyMutex* m);
AMPHIS_NOINLINE void section_begin2_slow(ThreadState* ts, PyCriticalSection2* c, PyMutex* m1, PyMutex* m2,
                                         bool first_locked);
// Locks the newest section again; called after attaching and when an inner section ends.
AMPHIS_NOINLINE void section_resume(ThreadState* ts);
// Unlocks every active section; called before detaching.
AMPHIS_NOINLINE void section_suspend_all(ThreadState* ts);

AMPHIS_ALWAYS_INLINE void section_push(ThreadState* ts, PyCriticalSection* c, PyMutex* m, uintptr_t tag) {
  c->_cs_mutex = m;
  c->_cs_prev = ts->critical_section;
  ts->critical_section = reinterpret_cast<uintptr_t>(c) | tag;
}
AMPHIS_ALWAYS_INLINE void section_pop(ThreadState* ts, PyCriticalSection* c) {
  uintptr_t outer = c->_cs_prev;
  ts->critical_section = outer;
  if (outer & kSectionSuspended) [[unlikely]] section_resume(ts);
}

AMPHIS_ALWAYS_INLINE void object_unlock(PyMutex* m) {
  if (!attached_try_unlock(m)) [[unlikely]] mutex_unlock_slow(m);
}

// `m` is the mutex of an object; sections on other mutexes, which threads without a state may hold, begin with
// section_begin_mutex.
AMPHIS_ALWAYS_INLINE void section_begin(PyCriticalSection* c, PyMutex* m) {
  ThreadState* ts = current_thread();
  if (attached_try_lock(m)) [[likely]]
    section_push(ts, c, m, 0);
  else
    section_begin_slow(ts, c, m);
}
AMPHIS_ALWAYS_INLINE void section_end(PyCriticalSection* c) {
  if (!c->_cs_mutex) [[unlikely]] return;
  object_unlock(c->_cs_mutex);
  section_pop(current_thread(), c);
}
inline void section_begin_mutex(PyCriticalSection* c, PyMutex* m) {
  ThreadState* ts = current_thread();
  if (mutex_try_lock(m)) [[likely]]
    section_push(ts, c, m, 0);
  else
    section_begin_slow(ts, c, m);
}
inline void section_end_mutex(PyCriticalSection* c) {
  if (!c->_cs_mutex) [[unlikely]] return;
  mutex_unlock(c->_cs_mutex);
  section_pop(current_thread(), c);
}
inline void section_begin2(PyCriticalSection2* c, PyMutex* m1, PyMutex* m2) {
  if (m1 == m2) {  // one object twice: an ordinary section; a null second mutex says so
    c->_cs_mutex2 = nullptr;
    section_begin(&c->_cs_base, m1);
    return;
  }
  if (m2 < m1) {
    PyMutex* t = m1;
    m1 = m2;
    m2 = t;
  }
  ThreadState* ts = current_thread();
  if (attached_try_lock(m1)) {
    if (attached_try_lock(m2)) [[likely]] {
      c->_cs_mutex2 = m2;
      section_push(ts, &c->_cs_base, m1, kSectionTwo);
    } else {
      section_begin2_slow(ts, c, m1, m2, true);
    }
  } else {
    section_begin2_slow(ts, c, m1, m2, false);
  }
}
inline void section_end2(PyCriticalSection2* c) {
  if (!c->_cs_base._cs_mutex) [[unlikely]] return;
  if (c->_cs_mutex2) object_unlock(c->_cs_mutex2);
  object_unlock(c->_cs_base._cs_mutex);
  section_pop(current_thread(), &c->_cs_base);
}

inline PyMutex* object_mutex(const void* op) {
  return &static_cast<PyObject*>(const_cast<void*>(op))->ob_mutex;
}

}  // namespace sync

class [[nodiscard]] ObjectLock {
  PyCriticalSection c_;

 public:
  AMPHIS_ALWAYS_INLINE explicit ObjectLock(const void* op) { sync::section_begin(&c_, sync::object_mutex(op)); }
  AMPHIS_ALWAYS_INLINE ~ObjectLock() { sync::section_end(&c_); }
  ObjectLock(const ObjectLock&) = delete;
  ObjectLock& operator=(const ObjectLock&) = delete;
};

class [[nodiscard]] LeafLock {
  enum : uint8_t { kNothing, kMutex, kSection } held_ = kNothing;
  PyMutex* m_;
  PyCriticalSection c_;

 public:
  AMPHIS_ALWAYS_INLINE explicit LeafLock(const void* op) : m_(sync::object_mutex(op)) {
    if (sync::only_thread()) return;
    if (sync::mutex_try_lock(m_)) [[likely]] {
      held_ = kMutex;
    } else {
      sync::section_begin(&c_, m_);
      held_ = kSection;
    }
  }
  AMPHIS_ALWAYS_INLINE ~LeafLock() {
    if (held_ == kNothing) return;
    if (held_ == kMutex) [[likely]]
      sync::mutex_unlock(m_);
    else
      sync::section_end(&c_);
  }
  LeafLock(const LeafLock&) = delete;
  LeafLock& operator=(const LeafLock&) = delete;
};

class [[nodiscard]] ObjectLock2 {
  PyCriticalSection2 c_;

 public:
  ObjectLock2(const void* a, const void* b) {
    sync::section_begin2(&c_, sync::object_mutex(a), sync::object_mutex(b));
  }
  ~ObjectLock2() { sync::section_end2(&c_); }
  ObjectLock2(const ObjectLock2&) = delete;
  ObjectLock2& operator=(const ObjectLock2&) = delete;
};

class [[nodiscard]] LeafLock2 {
  const bool held_ = !sync::only_thread();
  PyCriticalSection2 c_;

 public:
  AMPHIS_ALWAYS_INLINE LeafLock2(const void* a, const void* b) {
    if (held_) sync::section_begin2(&c_, sync::object_mutex(a), sync::object_mutex(b));
  }
  AMPHIS_ALWAYS_INLINE ~LeafLock2() {
    if (held_) sync::section_end2(&c_);
  }
  LeafLock2(const LeafLock2&) = delete;
  LeafLock2& operator=(const LeafLock2&) = delete;
};

class [[nodiscard]] MutexSection {
  PyCriticalSection c_;

 public:
  explicit MutexSection(PyMutex* m) { sync::section_begin_mutex(&c_, m); }
  ~MutexSection() { sync::section_end_mutex(&c_); }
  MutexSection(const MutexSection&) = delete;
  MutexSection& operator=(const MutexSection&) = delete;
};

// True when the newest critical section of this thread covers the object, or the world is stopped (assertions only).
bool holds_object_lock(const void* op);
// Whether a critical section that is about to end is the one that this thread began last, or none at all (checked mode).
inline bool is_newest_section(const PyCriticalSection* c) {
  return c->_cs_mutex == nullptr || (current_thread()->critical_section & ~sync::kSectionMask) == reinterpret_cast<uintptr_t>(c);
}

}  // namespace amphis
