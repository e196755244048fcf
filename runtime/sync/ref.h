// Owns Ref<T>, the owning handle of a Python object. Invariant: a Ref that is not null owns exactly one reference.
// Move-only; a second reference is taken in words, with copy() or Ref<>::share().
#pragma once

#include "Python.h"

#include "base/compiler.h"

#include <cstddef>
#include <type_traits>
#include <utility>

namespace amphis {

template <class T = PyObject>
class [[nodiscard]] Ref {
  T* p_ = nullptr;
  constexpr explicit Ref(T* p) : p_(p) {}

  static PyObject* object(T* p) { return reinterpret_cast<PyObject*>(p); }

 public:
  constexpr Ref() = default;
  constexpr Ref(std::nullptr_t) {}
  Ref(Ref&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  template <class U>
    requires(std::is_same_v<T, PyObject> && !std::is_same_v<U, PyObject>)
  Ref(Ref<U>&& other) noexcept : p_(reinterpret_cast<PyObject*>(other.release())) {}
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  Ref& operator=(Ref&& other) noexcept {
    T* old = std::exchange(p_, std::exchange(other.p_, nullptr));
    Py_XDECREF(object(old));
    return *this;
  }
  Ref& operator=(std::nullptr_t) {
    reset();
    return *this;
  }
  // Of the free-threaded build's longer count the compiler makes a call otherwise, in hot loops too.
  AMPHIS_ALWAYS_INLINE ~Ref() { Py_XDECREF(object(p_)); }

  // Takes over a new reference, as C API functions return it; null stays null. T may be named over a PyObject*.
  template <class U>
  static Ref steal(U* p) {
    return Ref(reinterpret_cast<T*>(p));
  }
  // Adds a reference to a borrowed object; null stays null.
  template <class U>
  static Ref share(U* p) {
    Py_XINCREF(reinterpret_cast<PyObject*>(p));
    return Ref(reinterpret_cast<T*>(p));
  }
  Ref copy() const { return share(p_); }

  // Borrows.
  T* get() const { return p_; }
  PyObject* obj() const { return object(p_); }
  T* operator->() const { return p_; }
  operator T*() const& { return p_; }
  operator T*() const&& = delete;  // the temporary would drop the reference: use release() or get()
  explicit operator bool() const { return p_ != nullptr; }
  friend bool operator==(const Ref& a, std::nullptr_t) { return a.p_ == nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.p_ == b.p_; }

  // Gives the reference away, to the caller or to a function that steals.
  [[nodiscard]] T* release() { return std::exchange(p_, nullptr); }
  PyObject* release_obj() { return object(std::exchange(p_, nullptr)); }
  // Drops what is held and takes over `p`.
  void reset(T* p = nullptr) { Py_XDECREF(object(std::exchange(p_, p))); }
  // Drops what is held; the address is for C API functions that store a new reference.
  T** out() {
    reset();
    return &p_;
  }
  void swap(Ref& other) noexcept { std::swap(p_, other.p_); }
};

template <class T>
Ref<T> steal(T* p) {
  return Ref<T>::steal(p);
}
template <class T>
Ref<T> share(T* p) {
  return Ref<T>::share(p);
}

}  // namespace amphis
