// Owns PtrStack: a growable last-in-first-out stack of plain values, kept in chunks so that pushing never moves
// what is there and an empty stack owns no memory. push() says whether memory sufficed; it never throws.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <utility>

namespace amphis {

template <class T, size_t kChunk = 254>
class PtrStack {
  struct Chunk {
    Chunk* below;
    size_t used;
    T items[kChunk];
  };
  Chunk* top_ = nullptr;

 public:
  constexpr PtrStack() = default;
  PtrStack(const PtrStack&) = delete;
  PtrStack& operator=(const PtrStack&) = delete;
  PtrStack(PtrStack&& other) noexcept : top_(std::exchange(other.top_, nullptr)) {}
  ~PtrStack() {
    while (top_) std::free(std::exchange(top_, top_->below));
  }

  bool empty() const { return top_ == nullptr; }

  [[nodiscard]] bool push(T value) {
    if (!top_ || top_->used == kChunk) {
      auto* chunk = static_cast<Chunk*>(std::malloc(sizeof(Chunk)));
      if (!chunk) return false;
      chunk->below = top_;
      chunk->used = 0;
      top_ = chunk;
    }
    top_->items[top_->used++] = value;
    return true;
  }

  // The stack must not be empty.
  T pop() {
    T value = top_->items[--top_->used];
    if (top_->used == 0) std::free(std::exchange(top_, top_->below));
    return value;
  }

  void swap(PtrStack& other) noexcept { std::swap(top_, other.top_); }

  // Moves everything in `other` onto this stack without copying; the order between the two is unspecified.
  void splice(PtrStack& other) {
    if (!other.top_) return;
    Chunk* bottom = other.top_;
    while (bottom->below) bottom = bottom->below;
    bottom->below = top_;
    top_ = std::exchange(other.top_, nullptr);
  }
};

}  // namespace amphis
