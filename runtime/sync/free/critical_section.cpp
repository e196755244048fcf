// Critical sections: contended beginnings, suspension and resumption; and their C API.
// While a section waits for its mutex it already is on the stack, with a null mutex: detaching inside the wait then
// suspends the sections below it, which is what makes nested sections free of deadlock.
#include "sync/object_lock.h"

#include "base/assert.h"
#include "sync/stop_the_world.h"

namespace amphis::sync {

namespace {

PyCriticalSection* section_of(uintptr_t tagged) { return reinterpret_cast<PyCriticalSection*>(tagged & ~kSectionMask); }
PyMutex*& second_mutex(PyCriticalSection* c) { return reinterpret_cast<PyCriticalSection2*>(c)->_cs_mutex2; }

// Whether the newest section is locked and has `m` among its mutexes.
bool top_covers(ThreadState* ts, PyMutex* m) {
  uintptr_t top = ts->critical_section;
  if (!top || (top & kSectionSuspended)) return false;
  PyCriticalSection* c = section_of(top);
  return c->_cs_mutex == m || ((top & kSectionTwo) && second_mutex(c) == m);
}

}  // namespace

void section_begin_slow(ThreadState* ts, PyCriticalSection* c, PyMutex* m) {
  c->_cs_mutex = nullptr;
  // In a stopped world all objects are this thread's: a locked mutex then belongs to a section that has not begun yet.
  if (ts->stop_depth > 0 || top_covers(ts, m)) return;
  section_push(ts, c, nullptr, 0);
  mutex_lock(m);
  c->_cs_mutex = m;
}

void section_begin2_slow(ThreadState* ts, PyCriticalSection2* c, PyMutex* m1, PyMutex* m2, bool first_locked) {
  c->_cs_base._cs_mutex = nullptr;
  c->_cs_mutex2 = nullptr;
  if (ts->stop_depth > 0 || (!first_locked && top_covers(ts, m1) && top_covers(ts, m2))) {
    if (first_locked) mutex_unlock(m1);
    return;
  }
  section_push(ts, &c->_cs_base, nullptr, kSectionTwo);
  if (!first_locked) mutex_lock(m1);
  mutex_lock(m2);
  c->_cs_base._cs_mutex = m1;
  c->_cs_mutex2 = m2;
}

void section_suspend_all(ThreadState* ts) {
  for (uintptr_t* link = &ts->critical_section; *link && !(*link & kSectionSuspended);) {
    PyCriticalSection* c = section_of(*link);
    if (c->_cs_mutex) {
      if ((*link & kSectionTwo) && second_mutex(c)) mutex_unlock(second_mutex(c));
      mutex_unlock(c->_cs_mutex);
    }
    *link |= kSectionSuspended;
    link = &c->_cs_prev;
  }
}

void section_resume(ThreadState* ts) {
  uintptr_t top = ts->critical_section;
  AMPHIS_ASSERT(top & kSectionSuspended);
  PyCriticalSection* c = section_of(top);
  PyMutex* m1 = c->_cs_mutex;
  PyMutex* m2 = (top & kSectionTwo) ? second_mutex(c) : nullptr;
  c->_cs_mutex = nullptr;
  if (m2) second_mutex(c) = nullptr;
  ts->critical_section = top & ~kSectionSuspended;
  // Either may detach, and so come back here, where it finds nothing to do.
  if (m1) mutex_lock(m1);
  if (m2) mutex_lock(m2);
  c->_cs_mutex = m1;
  if (m2) second_mutex(c) = m2;
}

}  // namespace amphis::sync

namespace amphis {

bool holds_object_lock(const void* op) {
  ThreadState* ts = current_thread();
  return ts->stop_depth > 0 || sync::top_covers(ts, sync::object_mutex(op));
}

}  // namespace amphis

using namespace amphis;

extern "C" {

void PyCriticalSection_Begin(PyCriticalSection* c, PyObject* op) { sync::section_begin(c, &op->ob_mutex); }
void PyCriticalSection_BeginMutex(PyCriticalSection* c, PyMutex* m) { sync::section_begin_mutex(c, m); }
// It may have begun on either kind of mutex.
void PyCriticalSection_End(PyCriticalSection* c) { sync::section_end_mutex(c); }
void PyCriticalSection2_Begin(PyCriticalSection2* c, PyObject* a, PyObject* b) {
  sync::section_begin2(c, &a->ob_mutex, &b->ob_mutex);
}
void PyCriticalSection2_BeginMutex(PyCriticalSection2* c, PyMutex* m1, PyMutex* m2) {
  ThreadState* ts = current_thread();
  if (m1 == m2) {
    c->_cs_mutex2 = nullptr;
    sync::section_begin_mutex(&c->_cs_base, m1);
  } else {
    sync::section_begin2_slow(ts, c, m1 < m2 ? m1 : m2, m1 < m2 ? m2 : m1, false);
  }
}
void PyCriticalSection2_End(PyCriticalSection2* c) {
  if (!c->_cs_base._cs_mutex) return;
  if (c->_cs_mutex2) sync::mutex_unlock(c->_cs_mutex2);
  sync::mutex_unlock(c->_cs_base._cs_mutex);
  sync::section_pop(current_thread(), &c->_cs_base);
}

// The halves that CPython's own headers call from inline code.
void _PyCriticalSection_BeginSlow(PyCriticalSection* c, PyMutex* m) {
  sync::section_begin_slow(current_thread(), c, m);
}
void _PyCriticalSection2_BeginSlow(PyCriticalSection2* c, PyMutex* m1, PyMutex* m2, int first_locked) {
  sync::section_begin2_slow(current_thread(), c, m1, m2, first_locked != 0);
}
void _PyCriticalSection_Resume(PyThreadState* ts) { sync::section_resume(thread_state(ts)); }
void _PyCriticalSection_SuspendAll(PyThreadState* ts) { sync::section_suspend_all(thread_state(ts)); }

}
