// GIL build of sync/shared_slot.h: plain reads and counted references.
#pragma once

#include "Python.h"

#include "sync/ref.h"

namespace amphis::sync {

inline bool try_incref(PyObject* op) {
  if (Py_REFCNT(op) == 0) return false;
  Py_INCREF(op);
  return true;
}
inline void publish(PyObject*) {}
// True when this thread holds the only reference, so that nobody can notice a change in place.
inline bool is_unique(PyObject* op) { return Py_REFCNT(op) == 1; }

// True when this thread may change the object in place: the slot it was read from, whose lock this thread holds, has
// the only reference, and no other thread can be about to take one.
inline bool is_private(PyObject* op) { return Py_REFCNT(op) == 1; }
// True when no other thread can free the object while this one looks at it without a reference.
inline bool is_stable(PyObject*) { return true; }
// Adds a reference to an object that is_stable.
inline void incref_stable(PyObject* op) { Py_INCREF(op); }
// Py_DECREF of what is most often this thread's own and seldom immortal.
inline void decref_own(PyObject* op) { Py_DECREF(op); }
inline void incref_foreign(PyObject* op) { Py_INCREF(op); }

inline bool has_uncounted_reads(PyObject*) { return false; }
inline void allow_uncounted_reads(PyObject*) {}

template <class T>
inline Ref<T> get_ref(T* const* slot) { return Ref<T>::share(*slot); }
template <class T>
inline Ref<T> get_ref(T* const* slot, const void*) { return Ref<T>::share(*slot); }
// A reference read without lock or fallback: false when this must be tried again under the owner's lock.
template <class T>
inline bool try_get_ref(T* const* slot, Ref<T>* result) {
  *result = Ref<T>::share(*slot);
  return true;
}

template <class T>
inline Ref<T> exchange_slot(T** slot, Ref<T> value) {
  Ref<T> old = Ref<T>::steal(*slot);
  *slot = value.release();
  return old;
}
template <class T>
inline Ref<T> exchange_slot_locked(T** slot, Ref<T> value) {
  return exchange_slot(slot, static_cast<Ref<T>&&>(value));
}
template <class T>
inline void set_slot(T** slot, Ref<T> value) {
  Ref<T> old = exchange_slot(slot, static_cast<Ref<T>&&>(value));
}

}  // namespace amphis::sync
