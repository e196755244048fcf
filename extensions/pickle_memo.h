// A Pickler's memo: objects to their indices, by identity. It keeps the objects alive, so that no other gets their address.
#pragma once

#include "pickle.h"

namespace pickle {

class DumpMemo {
 public:
  struct Entry {
    PyObject* object;
    size_t index;
  };
  ~DumpMemo() { clear(); }
  DumpMemo() = default;
  DumpMemo(const DumpMemo&) = delete;
  DumpMemo& operator=(const DumpMemo&) = delete;

  const Entry* find(PyObject* object) const {
    if (used_ == 0) return nullptr;
    const Entry& e = table_[place(object)];
    return e.object != nullptr ? &e : nullptr;
  }
  bool add(PyObject* object, size_t index) {
    if (used_ * 3 >= capacity_ * 2 && !grow()) return false;
    Entry& e = table_[place(object)];
    if (e.object == nullptr) {
      used_++;
      e.object = Py_NewRef(object);
    }
    e.index = index;
    return true;
  }
  size_t size() const { return used_; }
  size_t capacity() const { return capacity_; }
  void clear() {
    Entry* table = std::exchange(table_, nullptr);
    const size_t capacity = std::exchange(capacity_, 0);
    used_ = 0;
    for (size_t i = 0; i < capacity; i++) Py_XDECREF(table[i].object);
    PyMem_Free(table);
  }
  template <class F>
  int each(F f) const {
    for (size_t i = 0; i < capacity_; i++) {
      if (table_[i].object == nullptr) continue;
      if (int status = f(table_[i])) return status;
    }
    return 0;
  }
  void swap(DumpMemo& other) {
    std::swap(table_, other.table_);
    std::swap(capacity_, other.capacity_);
    std::swap(used_, other.used_);
  }

 private:
  size_t place(PyObject* object) const {
    const size_t mask = capacity_ - 1;
    size_t i = (reinterpret_cast<uintptr_t>(object) >> 4) * 0x9e3779b97f4a7c15u >> 20 & mask;
    while (table_[i].object != nullptr && table_[i].object != object) i = (i + 1) & mask;
    return i;
  }
  bool grow() {
    const size_t capacity = capacity_ == 0 ? 32 : capacity_ * 4;
    auto* table = static_cast<Entry*>(PyMem_Calloc(capacity, sizeof(Entry)));
    if (table == nullptr) return PyErr_NoMemory() != nullptr;
    Entry* old = std::exchange(table_, table);
    const size_t n = std::exchange(capacity_, capacity);
    for (size_t i = 0; i < n; i++) {
      if (old[i].object != nullptr) table_[place(old[i].object)] = old[i];
    }
    PyMem_Free(old);
    return true;
  }
  Entry* table_ = nullptr;
  size_t capacity_ = 0, used_ = 0;
};

}  // namespace pickle
