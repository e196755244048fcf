// GIL build of sync/object_lock.h: the GIL is the lock.
#pragma once

#include "Python.h"

namespace amphis {

class [[nodiscard]] ObjectLock {
 public:
  explicit ObjectLock(const void*) {}
  ~ObjectLock() {}
  ObjectLock(const ObjectLock&) = delete;
  ObjectLock& operator=(const ObjectLock&) = delete;
};

class [[nodiscard]] LeafLock {
 public:
  explicit LeafLock(const void*) {}
  ~LeafLock() {}
  LeafLock(const LeafLock&) = delete;
  LeafLock& operator=(const LeafLock&) = delete;
};

class [[nodiscard]] ObjectLock2 {
 public:
  ObjectLock2(const void*, const void*) {}
  ~ObjectLock2() {}
  ObjectLock2(const ObjectLock2&) = delete;
  ObjectLock2& operator=(const ObjectLock2&) = delete;
};

class [[nodiscard]] LeafLock2 {
 public:
  LeafLock2(const void*, const void*) {}
  ~LeafLock2() {}
  LeafLock2(const LeafLock2&) = delete;
  LeafLock2& operator=(const LeafLock2&) = delete;
};

class [[nodiscard]] MutexSection {
 public:
  explicit MutexSection(PyMutex*) {}
  ~MutexSection() {}
  MutexSection(const MutexSection&) = delete;
  MutexSection& operator=(const MutexSection&) = delete;
};

// True when the newest critical section of this thread covers the object (assertions only).
inline bool holds_object_lock(const void*) { return true; }
// Whether a critical section that is about to end is the one that this thread began last (checked mode).
inline bool is_newest_section(const PyCriticalSection*) { return true; }

}  // namespace amphis
