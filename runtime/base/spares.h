// Spares<T, N>: up to N things that nobody uses now, for the next thread that needs one. No lock, so that a fork finds none
// taken.
#pragma once

#include <atomic>
#include <cstddef>

namespace amphis {

template <class T, size_t N>
class Spares {
  std::atomic<T*> places_[N] = {};

 public:
  // Null: there is none.
  T* take() {
    for (std::atomic<T*>& place : places_) {
      if (place.load(std::memory_order_relaxed) == nullptr) continue;
      if (T* spare = place.exchange(nullptr, std::memory_order_acquire)) return spare;
    }
    return nullptr;
  }
  // False: there are enough.
  bool put(T* spare) {
    for (std::atomic<T*>& place : places_) {
      T* none = nullptr;
      if (place.load(std::memory_order_relaxed) == nullptr &&
          place.compare_exchange_strong(none, spare, std::memory_order_release, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }
};

}  // namespace amphis
